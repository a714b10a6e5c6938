#include "service/scim_unique.hpp"
#include <boost/json/parse.hpp>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::service;
namespace json = boost::json;

namespace {
scim::SchemaRegistry registry(const std::string& attributes) {
  auto r =
      scim::SchemaRegistry::customized(json::parse(R"({"id":"urn:a:b","attributes":)" + attributes + "}"),
                                       json::parse(R"({"name":"Thing","endpoint":"/Things","schema":"urn:a:b"})"));
  REQUIRE(r);
  return std::move(*r);
}
std::vector<std::string> keys(const scim::TypeDef& type, const std::string& document) {
  auto found = unique_keys(type, json::parse(document).as_object());
  REQUIRE(found);
  std::vector<std::string> out;
  for (auto& k : *found) out.push_back(k.key);
  return out;
}
}  // namespace

TEST_CASE("Users and Groups cost nothing: their name has an index of its own") {
  CHECK_FALSE(has_unique_keys(*scim::SchemaRegistry::builtin().type("User")));
  CHECK_FALSE(has_unique_keys(*scim::SchemaRegistry::builtin().type("Group")));
}

TEST_CASE("keys are made of type, attribute and value, folded where case does not count") {
  const auto r =
      registry(R"([{"name":"a","uniqueness":"server"},{"name":"b","uniqueness":"global","caseExact":true},
    {"name":"n","type":"integer","uniqueness":"server"},{"name":"free"},
    {"name":"r","uniqueness":"server","mutability":"readOnly"},
    {"name":"m","type":"complex","multiValued":true,"subAttributes":[{"name":"value","uniqueness":"server"}]}])");
  const auto& type = *r.type("Thing");
  CHECK(has_unique_keys(type));
  CHECK(keys(type, "{}").empty());
  CHECK(
      keys(type, R"({"a":"X","b":"X","n":7,"free":"x","r":"x","m":[{"value":"P"},{"value":"p"},{"type":"t"}]})") ==
      std::vector<std::string>{"Thing\x1f"
                               "a\x1fx",
                               "Thing\x1f"
                               "b\x1fX",
                               "Thing\x1fn\x1f"
                               "7",
                               "Thing\x1fm.value\x1fp"});
  CHECK_FALSE(unique_keys(type, {{"a", std::string(2000, 'x')}}));
}
