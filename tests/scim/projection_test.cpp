#include <boost/json/parse.hpp>
#include <deprov/scim/projection.hpp>
#include "catch.hpp"

using namespace deprov::scim;
namespace json = boost::json;

namespace {
const TypeDef& user() { return *SchemaRegistry::builtin().type("User"); }
const char* const document = R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1","userName":"b",
  "password":"never","name":{"givenName":"G","familyName":"F"},"emails":[{"value":"a","type":"work"},{"value":"c"}],
  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D","division":"V"},
  "meta":{"resourceType":"User","created":"2011-05-13T04:42:34Z"},"unknown":1})";

void shows(std::vector<std::string> attributes, std::vector<std::string> excluded, const char* expected) {
  std::string named;
  for (const auto& a : attributes) named += a + " ";
  for (const auto& a : excluded) named += "-" + a + " ";
  INFO(named);
  const Projection p(user(), attributes, excluded);
  const json::value shown = p.apply(json::parse(document).as_object());
  INFO(json::serialize(shown));
  CHECK(shown == json::parse(expected));
}
}  // namespace

TEST_CASE("by default everything is returned but what never is") {
  auto all = json::parse(document).as_object();
  all.erase("password");
  all.erase("unknown");
  CHECK(Projection(user()).apply(json::parse(document).as_object()) == all);
  shows({}, {}, json::serialize(all).c_str());
}

TEST_CASE("attributes choose, with every form of path") {
  shows({"USERNAME"}, {}, R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1","userName":"b"})");
  shows({"name.givenName", "emails.value"}, {},
        R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1","name":{"givenName":"G"},
            "emails":[{"value":"a"},{"value":"c"}]})");
  shows({"emails.type"}, {},
        R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1","emails":[{"type":"work"}]})");
  shows(
      {"name.givenName", "name"}, {},
      R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1","name":{"givenName":"G","familyName":"F"}})");
  shows({"urn:ietf:params:scim:schemas:core:2.0:User:userName"}, {},
        R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1","userName":"b"})");
  shows({"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"}, {},
        R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D"}})");
  shows({"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"}, {},
        R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D","division":"V"}})");
  shows(
      {"meta.created"}, {},
      R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1","meta":{"created":"2011-05-13T04:42:34Z"}})");
  shows({"nothing", "password"}, {}, R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1"})");
}

TEST_CASE("excludedAttributes take away, but never what is always returned") {
  shows({},
        {"id", "schemas", "emails", "name.familyName", "meta", "userName",
         "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division"},
        R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1","name":{"givenName":"G"},
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D"}})");
  shows(
      {"name", "userName"}, {"name.givenName"},
      R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1","userName":"b","name":{"familyName":"F"}})");
  shows({"name"},
        {"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "name.givenName", "name.familyName"},
        R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1"})");
}

TEST_CASE("of the values of an attribute those that a filter in its path names") {
  const std::string always = R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1")";
  const auto is = [&](std::vector<std::string> attributes, std::vector<std::string> excluded, const char* rest) {
    shows(std::move(attributes), std::move(excluded), (always + rest + "}").c_str());
  };
  is({R"(emails[type eq "WORK"])"}, {}, R"(,"emails":[{"value":"a","type":"work"}])");
  is({R"(emails[type eq "work"].value)"}, {}, R"(,"emails":[{"value":"a"}])");
  is({R"(emails[not (type pr)])", R"(emails[value eq "a"].type)"}, {},
     R"(,"emails":[{"type":"work"},{"value":"c"}])");
  is({R"(emails[type eq "work"])", "emails.value"}, {},
     R"(,"emails":[{"value":"a","type":"work"},{"value":"c"}])");
  is({R"(urn:ietf:params:scim:schemas:core:2.0:User:emails[value eq "c"])"}, {}, R"(,"emails":[{"value":"c"}])");
  is({R"(emails[type eq "home"])"}, {}, "");
  is({R"(emails[nothing eq "a"])"}, {}, "");
  is({R"(emails[type eq )"}, {}, "");
  is({R"(nothing[type eq "a"])"}, {}, "");
  is({R"(name[givenName eq "G"])"}, {}, R"(,"name":{"givenName":"G","familyName":"F"})");
  is({R"(name[givenName eq "H"])"}, {}, "");
  is({R"(schemas[value eq "none"])", "emails"}, {}, R"(,"emails":[{"value":"a","type":"work"},{"value":"c"}])");
  is({"emails"}, {R"(emails[type eq "work"])"}, R"(,"emails":[{"value":"c"}])");
  is({"emails"}, {R"(emails[type eq "work"].value)"}, R"(,"emails":[{"type":"work"},{"value":"c"}])");
  is({"emails"}, {R"(emails[value pr])"}, "");
  is({"emails"}, {R"(emails[nothing pr])"}, R"(,"emails":[{"value":"a","type":"work"},{"value":"c"}])");
}

TEST_CASE("whether members are needed is known before they are read") {
  const auto& group = *SchemaRegistry::builtin().type("Group");
  const std::vector<std::string> none;
  const std::vector<std::string> members{"Members"};
  const std::vector<std::string> name{"displayName"};
  const std::vector<std::string> value{"members.value"};
  CHECK(Projection(group).includes("members"));
  CHECK_FALSE(Projection(group, none, members).includes("members"));
  const std::vector<std::string> one{R"(members[value eq "a"])"};
  CHECK(Projection(group, one, none).includes("members"));
  CHECK(Projection(group, none, one).includes("members"));
  CHECK_FALSE(Projection(group, name, none).includes("members"));
  CHECK(Projection(group, value, none).includes("members"));
  CHECK(Projection(group, none, value).includes("members"));
  CHECK_FALSE(Projection(group, members, members).includes("members"));
}

TEST_CASE("returned: request, always and never") {
  SchemaRegistry r;
  REQUIRE(r.load_schemas(json::parse(R"({"id":"urn:x:T","attributes":[{"name":"q","returned":"request"},
    {"name":"a","returned":"always"},{"name":"d"},
    {"name":"c","type":"complex","subAttributes":[{"name":"n","returned":"never"},{"name":"q","returned":"request"},
      {"name":"a","returned":"always"},{"name":"d"}]}]})")));
  REQUIRE(r.load_resource_types(json::parse(R"({"name":"T","endpoint":"/T","schema":"urn:x:T"})")));
  const auto& t = *r.type("T");
  const auto o = json::parse(R"({"q":"1","a":"1","d":"1","c":{"n":"1","q":"1","a":"1","d":"1"}})").as_object();
  const auto show = [&](std::vector<std::string> a, std::vector<std::string> e) {
    return json::value(Projection(t, a, e).apply(o));
  };
  CHECK(show({}, {}) == json::parse(R"({"a":"1","d":"1","c":{"a":"1","d":"1"}})"));
  CHECK(show({"q"}, {}) == json::parse(R"({"q":"1","a":"1"})"));
  CHECK(show({"c.q"}, {}) == json::parse(R"({"a":"1","c":{"q":"1","a":"1"}})"));
  // Named beside its whole attribute it is asked for as well.
  for (const auto& both : {std::vector<std::string>{"c", "c.q"}, std::vector<std::string>{"c.q", "c"}})
    CHECK(show(both, {}) == json::parse(R"({"a":"1","c":{"q":"1","a":"1","d":"1"}})"));
  CHECK(show({"c.n"}, {}) == json::parse(R"({"a":"1","c":{"a":"1"}})"));
  CHECK(show({}, {"a", "c.a", "d"}) == json::parse(R"({"a":"1","c":{"a":"1","d":"1"}})"));
}
