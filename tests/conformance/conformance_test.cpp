// The conformance runner against `deprov serve`, and against what must not pass.
#include <algorithm>
#include <boost/json/object.hpp>
#include <string>
#include "catch.hpp"
#include "suite.hpp"
#include "support/running.hpp"
#include "support/test_server.hpp"

using namespace deprov;

namespace {

std::size_t count(const std::vector<conformance::Outcome>& all, conformance::Verdict verdict) {
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [&](const auto& o) { return o.verdict == verdict; }));
}

}  // namespace

TEST_CASE("deprov serve passes every check") {
  test::Running app(0, "generic");
  app.serve();
  conformance::Client client("http://127.0.0.1:" + std::to_string(app.port()) + app.integration().base,
                             app.integration().token);
  const auto outcomes = conformance::run_all(client);
  INFO(conformance::report(outcomes, true));
  CHECK(outcomes.size() >= 400);
  CHECK(count(outcomes, conformance::Verdict::fail) == 0);
  CHECK(count(outcomes, conformance::Verdict::pass) >= 250);
  for (const auto& a : outcomes)
    CHECK(std::count_if(outcomes.begin(), outcomes.end(), [&](const auto& b) { return a.id == b.id; }) == 1);
}

TEST_CASE("what a service provider requires is filled in, of its required extensions too") {
  test::Running app(0, "generic");
  const std::string badge = "urn:example:params:scim:schemas:extension:2.0:Badge";
  const auto file = [&](const char* name, const std::string& text) {
    test::write_file(app.dir().file(name), text);
    return app.dir().file(name);
  };
  const auto schemas = file("schemas.json", R"([{"id":")" + badge + R"(","name":"Badge","attributes":[
      {"name":"number","required":true,"uniqueness":"server"},{"name":"level","type":"integer","required":true},
      {"name":"since","type":"dateTime","required":true},{"name":"note"},
      {"name":"place","type":"complex","required":true,"subAttributes":[{"name":"room","required":true},{"name":"floor"}]}]},
    {"id":"urn:example:params:scim:schemas:extension:2.0:Any","name":"Any","attributes":[
      {"name":"made","mutability":"readOnly"},{"name":"word"}]}])");
  const auto types = file("types.json", R"([{"name":"User","endpoint":"/Users",
      "schema":"urn:ietf:params:scim:schemas:core:2.0:User","schemaExtensions":[
        {"schema":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User","required":false},
        {"schema":")" + badge + R"(","required":true}]},
    {"name":"Group","endpoint":"/Groups","schema":"urn:ietf:params:scim:schemas:core:2.0:Group","schemaExtensions":[
        {"schema":"urn:example:params:scim:schemas:extension:2.0:Any","required":true}]}])");
  const auto strict =
      test::create_integration(app.dir(), app.data(), "strict", "generic", "null", boost::json::object{},
                               boost::json::object{}, {"--schemas", schemas, "--resource-types", types});
  app.serve();
  conformance::Client client("http://127.0.0.1:" + std::to_string(app.port()) + strict.base, strict.token);
  const auto plain = client.send("POST", "/Users",
                                 R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ann"})");
  CHECK(plain.status == 400);  // it does insist
  for (const std::string only : {"create-", "replace-", "patch-", "bulk-", "attr-required-"}) {
    const auto outcomes = conformance::run_all(client, only);
    INFO(conformance::report(outcomes, true));
    CHECK(count(outcomes, conformance::Verdict::pass) >= 4);
    CHECK(count(outcomes, conformance::Verdict::fail) == 0);
  }
}

TEST_CASE("attributes of every characteristic do as their schema says") {
  test::Running app(0, "generic");
  const auto file = [&](const char* name, const std::string& text) {
    test::write_file(app.dir().file(name), text);
    return app.dir().file(name);
  };
  const auto schemas = file("schemas.json", R"([{"id":"urn:example:2.0:Thing","name":"Thing","attributes":[
      {"name":"name","required":true,"uniqueness":"server"},{"name":"exact","caseExact":true,"uniqueness":"global"},
      {"name":"count","type":"integer"},{"name":"weight","type":"decimal"},{"name":"flag","type":"boolean"},
      {"name":"at","type":"dateTime"},{"name":"data","type":"binary"},
      {"name":"uri","type":"reference","referenceTypes":["external"]},
      {"name":"owner","type":"reference","referenceTypes":["User"]},{"name":"tags","multiValued":true},
      {"name":"fixed","mutability":"immutable"},{"name":"given","mutability":"readOnly"},
      {"name":"secret","mutability":"writeOnly","returned":"never"},{"name":"shown","returned":"always"},
      {"name":"hidden","returned":"never"},{"name":"asked","returned":"request"},
      {"name":"colour","canonicalValues":["red","green"]},
      {"name":"place","type":"complex","subAttributes":[{"name":"room"},{"name":"floor","type":"integer"},
        {"name":"key","returned":"never"},{"name":"note","returned":"request"},
        {"name":"since","mutability":"immutable"}]},
      {"name":"marks","type":"complex","multiValued":true,"subAttributes":[{"name":"value"},
        {"name":"type","canonicalValues":["a","b"]},{"name":"primary","type":"boolean"}]}]}])");
  const auto types =
      file("types.json", R"([{"name":"Thing","endpoint":"/Things","schema":"urn:example:2.0:Thing"}])");
  const auto made =
      test::create_integration(app.dir(), app.data(), "things", "generic", "null", boost::json::object{},
                               boost::json::object{}, {"--schemas", schemas, "--resource-types", types});
  app.serve();
  conformance::Client client("http://127.0.0.1:" + std::to_string(app.port()) + made.base, made.token);
  for (const std::string kind : {"roundtrip", "patch", "remove", "projection", "filter", "never", "immutable",
                                 "readonly", "required", "unique", "primary", "type", "sub"}) {
    const auto outcomes = conformance::run_all(client, "attr-" + kind);
    INFO(conformance::report(outcomes, true));
    CHECK(std::any_of(outcomes.begin(), outcomes.end(),
                      [](const auto& o) { return o.id.find("-Thing.") != std::string::npos; }));
    CHECK(count(outcomes, conformance::Verdict::fail) == 0);
  }
}

TEST_CASE("a server that answers everything with the same fails") {
  const test::TestServer app([](const test::ServerRequest& r) {
    if (r.target.find("Config") != std::string::npos)
      return test::respond_json(
          200, R"({"patch":{"supported":true},"filter":{"supported":true},"etag":{"supported":true}})");
    return test::respond_json(200, R"({"Resources":[],"totalResults":0})");
  });
  conformance::Client client(app.url(), "t");
  const auto outcomes = conformance::run_all(client);
  CHECK(count(outcomes, conformance::Verdict::fail) > count(outcomes, conformance::Verdict::pass) * 2);
}

TEST_CASE("a server that cannot be asked about itself is no service provider") {
  const test::TestServer app([](const test::ServerRequest&) { return test::respond(404); });
  conformance::Client client(app.url(), "t");
  CHECK_THROWS_AS(conformance::run_all(client), conformance::Failed);
}
