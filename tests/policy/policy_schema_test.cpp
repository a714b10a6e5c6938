// The schema that is shipped is the one that is enforced.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/json_schema.hpp>
#include <deprov/policy/policy.hpp>
#include <fstream>
#include <iterator>
#include "catch.hpp"
#include "paths.hpp"

using namespace deprov;
namespace json = boost::json;

namespace {

json::value shipped() {
  std::ifstream in(test::source_dir() + "/schemas/policy.schema.json");
  REQUIRE(in);
  return json::parse(std::string(std::istreambuf_iterator<char>(in), {}));
}

}  // namespace

TEST_CASE("the shipped schema of a policy is the one that the program enforces", "[policy]") {
  INFO(
      "write it anew: deprov policy schema | python3 -m json.tool --no-ensure-ascii --indent 2 "
      "> schemas/policy.schema.json");
  CHECK((shipped() == policy::policy_schema()));
  CHECK(check_json_schema(shipped()));
}

TEST_CASE("what the shipped schema refuses, the program refuses at the same place, and the other way round",
          "[policy]") {
  const auto schema = shipped();
  for (const std::string good :
       {R"({})", R"({"mode":"observe"})", R"({"settle_ms":0,"deadline_ms":60000,"objective_ms":1000})",
        R"({"causes":{"deactivated":["disable",{"step":"delete","after_ms":0}],"suspended":[]}})",
        R"({"guard":{"enabled":false},"protection":{"subjects":[{"external_id":"e","reason":"r"}]}})",
        R"({"approvals":[{"steps":["delete"],"role":"owner","expires_ms":60000}]})",
        R"({"exemptions":[{"external_id":"e","reason":"r","until":"2027-01-01T00:00:00Z"}]})"}) {
    INFO(good);
    CHECK(validate_json(schema, json::parse(good)));
    CHECK(policy::parse_policy(json::parse(good)));
  }
  for (const std::string bad :
       {R"([])", R"({"unknown":1})", R"({"mode":"sometimes"})", R"({"settle_ms":-1})", R"({"settle_ms":"60"})",
        R"({"objective_ms":999})", R"({"causes":{"gone":["disable"]}})", R"({"causes":{"deactivated":["shout"]}})",
        R"({"causes":{"deactivated":[{"step":"remove","after_ms":-1}]}})", R"({"guard":{"percent":101}})",
        R"({"approvals":[{"steps":["delete"],"role":"emperor"}]})",
        R"({"exemptions":[{"external_id":"e","reason":"r"}]})",
        R"({"protection":{"subjects":[{"external_id":"e"}]}})", R"({"roles":[{"entitlement":"x"}]})"}) {
    INFO(bad);
    const auto by_schema = validate_json(schema, json::parse(bad));
    const auto by_program = policy::parse_policy(json::parse(bad));
    REQUIRE_FALSE(by_schema);
    REQUIRE_FALSE(by_program);
    CHECK(by_program.error().where() == by_schema.error().where());
  }
  // Every default that the program shows fits, too.
  CHECK(validate_json(schema, policy::to_json(policy::Policy{})));
}
