#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/scim/bulk.hpp>
#include <map>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::scim;

namespace {

Result<BulkRequest> parse(const std::string& operations, const std::string& rest = {}, std::size_t most = 10) {
  return parse_bulk(json::parse(R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],)" + rest +
                                R"("Operations":)" + operations + "}"),
                    most);
}

std::string problem(const std::string& operation) {
  const auto r = parse("[" + operation + "]");
  REQUIRE(r);
  return r->operations.at(0).problem.message();
}

}  // namespace

TEST_CASE("a BulkRequest is taken apart") {
  const auto r = parse(R"([{"method":"post","path":"/Users","bulkId":"a","data":{"userName":"x"}},
                           {"METHOD":"DELETE","Path":"/Users/1","version":"W/\"3\""}])",
                       R"("failOnErrors":2,)");
  REQUIRE(r);
  CHECK(r->fail_on_errors == 2U);
  REQUIRE(r->operations.size() == 2);
  CHECK(r->operations[0].method == "POST");
  CHECK(r->operations[0].bulk_id == "a");
  CHECK(r->operations[0].data.at("userName") == "x");
  CHECK(r->operations[0].problem.code() == Errc::ok);
  CHECK(r->operations[1].method == "DELETE");
  CHECK(r->operations[1].version == "W/\"3\"");
  CHECK_FALSE(parse("[]", R"("failOnErrors":0,)")->fail_on_errors);
}

TEST_CASE("what is no BulkRequest is refused as a whole") {
  for (const auto* bad :
       {"[]", "{}", R"({"Operations":[]})", R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]})",
        R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":{}})",
        R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[],
                              "failOnErrors":-1})"}) {
    INFO(bad);
    const auto r = parse_bulk(json::parse(bad), 10);
    REQUIRE_FALSE(r);
    CHECK(r.error().code() == Errc::invalid_syntax);
  }
  const auto many = parse("[1,2,3]", {}, 2);
  REQUIRE_FALSE(many);
  CHECK(many.error().code() == Errc::limit_exceeded);
  CHECK(many.error().detail().find("maxOperations (2)") != std::string::npos);
}

TEST_CASE("what is wrong with one operation is its own") {
  CHECK(problem(R"({"method":"DELETE","path":"/Users/1"})").empty());
  CHECK(problem("7").find("Operations[0]") == 0);
  CHECK(problem(R"({"method":"GET","path":"/Users/1"})").find("GET") != std::string::npos);
  CHECK(problem(R"({"path":"/Users/1"})").find("method") != std::string::npos);
  CHECK(problem(R"({"method":"DELETE"})").find("path") != std::string::npos);
  CHECK(problem(R"({"method":"PUT","path":"/Users/1"})").find("data") != std::string::npos);
  CHECK(problem(R"({"method":"POST","path":"/Users","data":{}})").find("bulkId") != std::string::npos);
  const auto twice = parse(R"([{"method":"POST","path":"/Users","bulkId":"a","data":{}},
                               {"method":"POST","path":"/Users","bulkId":"a","data":{}}])");
  CHECK(twice->operations[0].problem.code() == Errc::ok);
  CHECK(twice->operations[1].problem.code() == Errc::invalid_value);
}

TEST_CASE("references are found and replaced where they are references") {
  const std::map<std::string, std::string> ids{{"a", "ID-A"}, {"ab", "ID-AB"}};
  const std::vector<std::string> known{"a", "ab"};
  std::string seen;
  const auto resolved = [&](const std::string& operation) {
    auto r = parse("[" + operation + "]");
    REQUIRE(r);
    seen.clear();
    auto& op = r->operations.at(0);
    resolve_bulk_references(op, known, [&](const std::string& id) -> std::optional<std::string> {
      seen += id + ";";
      const auto it = ids.find(id);
      return it == ids.end() ? std::nullopt : std::optional(it->second);
    });
    return op.path + " " + json::serialize(op.data);
  };
  CHECK(resolved(R"({"method":"PATCH","path":"/Groups/bulkId:ab","data":{"Operations":[
          {"op":"add","path":"members","value":[{"value":"bulkId:a"}]}]}})") ==
        R"(/Groups/ID-AB {"Operations":[{"op":"add","path":"members","value":[{"value":"ID-A"}]}]})");
  CHECK(resolved(R"({"method":"PATCH","path":"/Groups/1","data":{"Operations":[
          {"op":"remove","path":"members[value eq \"bulkId:a\"]"}]}})") ==
        R"(/Groups/1 {"Operations":[{"op":"remove","path":"members[value eq \"ID-A\"]"}]})");
  CHECK(resolved(R"({"method":"PUT","path":"/Users/1","data":{"x":{"manager":{"value":"bulkId:ab",
          "$ref":"../Users/bulkId:ab"}}}})") ==
        R"(/Users/1 {"x":{"manager":{"value":"ID-AB","$ref":"../Users/ID-AB"}}})");
  // References of custom types have names of their own.
  CHECK(resolved(R"({"method":"POST","path":"/Devices","bulkId":"d","data":{"owner":"/Users/bulkId:ab",
          "sharedWith":["../Users/bulkId:a"]}})") ==
        R"(/Devices {"owner":"/Users/ID-AB","sharedWith":["../Users/ID-A"]})");
  // Text that only speaks of one.
  CHECK(resolved(R"({"method":"PUT","path":"/Users/1","data":{"title":"see bulkId:a"}})") ==
        R"(/Users/1 {"title":"see bulkId:a"})");
  CHECK(resolved(R"({"method":"PUT","path":"/Users/1","data":{"title":"see /Users/bulkId:a"}})") ==
        R"(/Users/1 {"title":"see /Users/bulkId:a"})");
  CHECK(resolved(R"({"method":"PUT","path":"/Users/1","data":{"title":"bulkId:zz"}})") ==
        R"(/Users/1 {"title":"bulkId:zz"})");
  CHECK(seen.empty());
  // A known one is replaced wherever it stands (RFC 7644 section 3.7.2).
  CHECK(resolved(R"({"method":"PUT","path":"/Users/1","data":{"title":"bulkId:a"}})") ==
        R"(/Users/1 {"title":"ID-A"})");
  CHECK(resolved(R"({"method":"DELETE","path":"/Users/bulkId:zz"})") == "/Users/bulkId:zz null");
  CHECK(seen == "zz;");
}
