// The schemas that are shipped are those that are enforced.
#include <boost/json/parse.hpp>
#include <deprov/idp/feed_graph.hpp>
#include <deprov/idp/feed_keycloak.hpp>
#include <deprov/idp/feed_okta.hpp>
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
