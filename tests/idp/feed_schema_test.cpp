// The schemas that are shipped are those that are enforced.
#include <boost/json/parse.hpp>
#include <deprov/idp/feed_graph.hpp>
#include <deprov/idp/feed_keycloak.hpp>
#include <deprov/idp/feed_okta.hpp>
#include <deprov/json_schema.hpp>
#include <fstream>
#include <iterator>
#include "catch.hpp"
#include "paths.hpp"

using namespace deprov;

TEST_CASE("the shipped schemas of feeds are those that their configs are held to", "[idp][feed]") {
  for (const auto& [name, enforced] :
       {std::pair{"graph", &idp::graph_feed_schema()}, std::pair{"keycloak", &idp::keycloak_feed_schema()},
        std::pair{"okta", &idp::okta_feed_schema()}}) {
    const auto path = test::source_dir() + "/schemas/feed-" + name + ".schema.json";
    INFO(path);
    std::ifstream in(path);
    REQUIRE(in);
    const auto shipped = boost::json::parse(std::string(std::istreambuf_iterator<char>(in), {}));
    CHECK((shipped == *enforced));
  }
}

TEST_CASE("the kinds of feeds are found by name, each with a schema that can be enforced", "[idp][feed]") {
  for (const auto* name : {"graph", "keycloak", "okta", "scim"}) {
    const auto* kind = idp::find_feed_kind(name);
    REQUIRE(kind != nullptr);
    CHECK(check_json_schema(kind->schema()));
    CHECK_FALSE(kind->make({}));
  }
  CHECK(idp::find_feed_kind("Okta") == nullptr);
  CHECK(idp::find_feed_kind("okta")->make({{"url", "https://example.okta.com"}, {"app", "0oa1"}}));
  CHECK(idp::find_feed_kind("graph")->make({{"tenant", "contoso.example"}}));
  CHECK(idp::find_feed_kind("keycloak")->make({{"url", "https://kc.example.com"}, {"realm", "staff"}}));
}
