#include <boost/json/parse.hpp>
#include <deprov/scim/schema.hpp>
#include <set>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::scim;

namespace {
const SchemaRegistry& registry() { return SchemaRegistry::builtin(); }
const TypeDef& user() { return *registry().type("User"); }
const TypeDef& group() { return *registry().type("Group"); }
}  // namespace

TEST_CASE("User, Group and EnterpriseUser are complete") {
  const auto names = [](const std::vector<Attribute>& in) {
    std::set<std::string> out;
    for (const auto& a : in) out.insert(a.name);
    return out;
  };
  REQUIRE(registry().schema(user_urn) != nullptr);
  CHECK(names(registry().schema(user_urn)->attributes) ==
        std::set<std::string>{"userName",        "name",         "displayName",  "nickName",
                              "profileUrl",      "title",        "userType",     "preferredLanguage",
                              "locale",          "timezone",     "active",       "password",
                              "emails",          "phoneNumbers", "ims",          "photos",
                              "addresses",       "groups",       "entitlements", "roles",
                              "x509Certificates"});
  CHECK(names(registry().schema(group_urn)->attributes) == std::set<std::string>{"displayName", "members"});
  CHECK(
      names(registry().schema(enterprise_user_urn)->attributes) ==
      std::set<std::string>{"employeeNumber", "costCenter", "organization", "division", "department", "manager"});
  CHECK(names(user().attribute("name")->sub_attributes) ==
        std::set<std::string>{"formatted", "familyName", "givenName", "middleName", "honorificPrefix",
                              "honorificSuffix"});
}

TEST_CASE("the characteristics that matter are the RFC's") {
  CHECK(user().attribute("userName")->required);
  CHECK(user().attribute("userName")->uniqueness == Uniqueness::server);
  CHECK_FALSE(user().attribute("userName")->case_exact);
  CHECK(user().attribute("password")->mutability == Mutability::write_only);
  CHECK(user().attribute("password")->returned == Returned::never);
  CHECK(user().attribute("groups")->mutability == Mutability::read_only);
  CHECK(user().attribute("groups")->find("value")->mutability == Mutability::read_only);
  CHECK(user().attribute("id")->returned == Returned::always);
  CHECK(user().attribute("id")->case_exact);
  CHECK(user().attribute("externalId")->case_exact);
  CHECK(user().attribute("meta")->mutability == Mutability::read_only);
  CHECK(user().attribute("meta")->find("lastModified")->type == AttributeType::date_time);
  CHECK(user().attribute("x509Certificates")->find("value")->type == AttributeType::binary);
  CHECK(user().attribute("photos")->find("value")->type == AttributeType::reference);
  CHECK(user().attribute("emails")->find("primary")->type == AttributeType::boolean);
  CHECK(group().attribute("members")->find("value")->mutability == Mutability::immutable);
  CHECK(group().row_attribute() == group().attribute("members"));
  CHECK(user().row_attribute() == nullptr);
  CHECK(user().extension(enterprise_user_urn)->find("manager")->find("displayName")->mutability ==
        Mutability::read_only);
}

TEST_CASE("a type knows whether its documents may be shown as they are") {
  CHECK(user().returned_whole());
  CHECK(group().returned_whole());
  const auto with = [](const std::string& attribute) {
    const auto made = SchemaRegistry::customized(
        boost::json::parse(R"([{"id":"urn:example:2.0:Badge","name":"Badge","attributes":[{"name":"number"},)" +
                           attribute + "]}]"),
        boost::json::parse(R"([{"name":"Badge","endpoint":"/Badges","schema":"urn:example:2.0:Badge"}])"));
    REQUIRE(made);
    return made->type("Badge")->returned_whole();
  };
  CHECK(with(R"({"name":"colour"})"));
  CHECK_FALSE(with(R"({"name":"colour","returned":"request"})"));
  CHECK_FALSE(with(R"({"name":"print","type":"complex","subAttributes":[{"name":"raw","returned":"never"}]})"));
  CHECK(with(R"({"name":"pin","mutability":"writeOnly","returned":"never"})"));
}

TEST_CASE("attributes are found in any case, short and by URN") {
  const auto is = [](std::string_view text, std::string_view attribute, std::string_view sub, bool extension) {
    INFO(text);
    const auto r = user().resolve(text);
    REQUIRE(r);
    CHECK((r->attribute != nullptr ? r->attribute->name : "") == attribute);
    CHECK((r->sub != nullptr ? r->sub->name : "") == sub);
    CHECK(r->extension == extension);
  };
  is("USERNAME", "userName", "", false);
  is("name.FAMILYname", "name", "familyName", false);
  is("id", "id", "", false);
  is("meta.lastmodified", "meta", "lastModified", false);
  is("urn:ietf:params:scim:schemas:core:2.0:User:userName", "userName", "", false);
  is("URN:IETF:params:scim:schemas:core:2.0:user:NAME.givenname", "name", "givenName", false);
  is("urn:ietf:params:scim:schemas:core:2.0:User:id", "id", "", false);
  is("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "department", "", true);
  is("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value", "manager", "value", true);
  is("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "", "", true);
  is("urn:ietf:params:scim:schemas:core:2.0:User", "", "", false);
  is("department", "department", "", true);
  is("manager.value", "manager", "value", true);
  for (const auto* none : {"nothing", "name.nothing", "userName.x", "urn:x:userName", "", ".", "a b",
                           "urn:ietf:params:scim:schemas:core:2.0:User:department",
                           "urn:ietf:params:scim:schemas:core:2.0:User:nothing",
                           "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:userName",
                           "urn:ietf:params:scim:schemas:core:2.0:Group:displayName"}) {
    INFO(none);
    CHECK_FALSE(user().resolve(none));
  }
  CHECK(user().attribute("department") == nullptr);
}

TEST_CASE("types are found by name and by endpoint") {
  CHECK(registry().type("user") == &user());
  CHECK(registry().endpoint("/Users") == &user());
  CHECK(registry().endpoint("groups") == &group());
  CHECK(registry().endpoint("/Nothings") == nullptr);
  CHECK(registry().endpoint("") == nullptr);
  CHECK(registry().schema("URN:ietf:params:scim:schemas:core:2.0:USER") != nullptr);
}

TEST_CASE("schemas go to the RFC's JSON and back") {
  for (const auto& s : registry().schemas()) {
    const auto document = to_json(*s, "https://example.com/v2");
    CHECK(document.at("meta").at("location").as_string() == "https://example.com/v2/Schemas/" + s->id);
    const auto back = schema_from_json(document);
    REQUIRE(back);
    CHECK(json::serialize(to_json(*back, "https://example.com/v2")) == json::serialize(document));
  }
  const auto document = to_json(user().type());
  const auto back = resource_type_from_json(document);
  REQUIRE(back);
  CHECK(json::serialize(to_json(*back)) == json::serialize(document));
  CHECK(document.at("schemaExtensions").at(0).at("schema").as_string() == std::string(enterprise_user_urn));
}

TEST_CASE("custom schemas and resource types are loaded from JSON") {
  auto r = registry();
  REQUIRE(r.load_schemas(json::parse(R"({
    "totalResults":1,"Resources":[{"id":"urn:example:Device","name":"Device","attributes":[
      {"name":"serial","type":"string","required":true,"caseExact":true,"uniqueness":"server","mutability":"immutable"},
      {"name":"owners","type":"complex","multiValued":true,"returned":"request",
       "subAttributes":[{"name":"value","type":"reference","referenceTypes":["User"]}]}]}]})")));
  REQUIRE(
      r.load_resource_types(json::parse(R"([{"name":"Device","endpoint":"/Devices","schema":"urn:example:Device",
    "schemaExtensions":[{"schema":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User","required":true}]}])")));
  const auto* device = r.endpoint("/devices");
  REQUIRE(device != nullptr);
  CHECK(device->type().id == "Device");
  CHECK(device->attribute("SERIAL")->mutability == Mutability::immutable);
  CHECK(device->attribute("owners")->find("value")->reference_types == std::vector<std::string>{"User"});
  CHECK(device->type().extensions.at(0).required);
  CHECK(registry().endpoint("/Devices") == nullptr);
}

TEST_CASE("broken schemas and types are refused by name, and nothing of the document is added") {
  auto r = registry();
  const auto count = r.schemas().size();
  const auto refused = [&](const char* text, std::string_view says) {
    INFO(text);
    const auto x = r.load_schemas(json::parse(text));
    REQUIRE_FALSE(x);
    INFO(x.error().message());
    CHECK(x.error().message().find(says) != std::string::npos);
    CHECK(r.schemas().size() == count);
  };
  refused(R"([{"id":"urn:x:A","attributes":[]},{"id":"urn:x:A","attributes":[]}])", "is there already");
  refused(R"({"id":"urn:x:A","attributes":[{"name":"a b"}]})", "no attribute name");
  refused(R"({"id":"urn:x:A","attributes":[{"name":"a"},{"name":"A"}]})", "twice");
  refused(R"({"id":"urn:x:A","attributes":[{"name":"a","type":"text"}]})", "use one of string");
  refused(R"({"id":"urn:x:A","attributes":[{"name":"a","type":"complex"}]})", "no sub-attributes");
  refused(R"({"id":"urn:x:A","attributes":[{"name":"a","subAttributes":[{"name":"b"}]}]})", "is not complex");
  refused(
      R"({"id":"urn:x:A","attributes":[{"name":"a","type":"complex","subAttributes":[{"name":"b","type":"complex",
      "subAttributes":[{"name":"c"}]}]}]})",
      "sub-attributes");
  refused(R"({"id":"urn:x:A","attributes":{}})", "instead of an array");
  refused(R"({"id":7})", "instead of a string");
  refused(R"({"name":"x"})", "is missing");
  refused(R"({"id":"nourn"})", "no URN");
  refused("[7]", "instead of an object");
  const auto type = [&](const char* text) { return r.load_resource_types(json::parse(text)); };
  CHECK_FALSE(type(R"({"name":"User","endpoint":"/X","schema":"urn:ietf:params:scim:schemas:core:2.0:User"})"));
  CHECK_FALSE(type(R"({"name":"X","endpoint":"/Users","schema":"urn:ietf:params:scim:schemas:core:2.0:User"})"));
  CHECK_FALSE(type(R"({"name":"X","endpoint":"X","schema":"urn:ietf:params:scim:schemas:core:2.0:User"})"));
  CHECK_FALSE(type(R"({"name":"X","endpoint":"/X","schema":"urn:none"})"));
  CHECK(r.types().size() == 2);
}
