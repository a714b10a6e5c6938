// The schemas and resource types that an integration brings along.
#include <boost/json/parse.hpp>
#include <deprov/scim/resource.hpp>
#include <deprov/scim/schema.hpp>
#include <string>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::scim;

namespace {

json::value schema(const std::string& attributes, const std::string& id = "urn:example:2.0:Device") {
  return json::parse(R"([{"id":")" + id + R"(","name":"Device","attributes":)" + attributes + "}]");
}
json::value type(const std::string& rest = {}) {
  return json::parse(R"([{"name":"Device","endpoint":"/Devices","schema":"urn:example:2.0:Device")" + rest + "}]");
}
const std::string serial = R"([{"name":"serial","required":true,"uniqueness":"server"}])";

std::string refused(const json::value& schemas, const json::value& types = nullptr) {
  const auto r = SchemaRegistry::customized(schemas, types);
  REQUIRE_FALSE(r);
  return r.error().where();
}

}  // namespace

TEST_CASE("a file adds types and leaves the built-in ones as they are") {
  const auto r = SchemaRegistry::customized(schema(serial), type());
  REQUIRE(r);
  REQUIRE(r->endpoint("/devices") != nullptr);
  CHECK(r->endpoint("Devices")->name() == "Device");
  CHECK(r->type("User")->extensions().size() == 1);
  CHECK(r->type("Group")->row_attribute() != nullptr);
  const auto unique = r->type("Device")->unique();
  REQUIRE(unique.size() == 1);
  CHECK(unique.front().attribute->name == "serial");
  CHECK(SchemaRegistry::customized(nullptr, nullptr)->types().size() == 2);

  // One object and a ListResponse do as well.
  CHECK(SchemaRegistry::customized(schema(serial).at(0), type().at(0))->types().size() == 3);
  CHECK(SchemaRegistry::customized(json::object{{"totalResults", 1}, {"Resources", schema(serial)}}, type()));
  // What /Schemas answers is understood.
  const auto answered = to_json(*r->schema("urn:example:2.0:Device"), "https://x");
  CHECK(SchemaRegistry::customized(json::value(answered), type()));
}

TEST_CASE("a built-in type is named for its extensions") {
  const auto extension = schema(R"([{"name":"badge"}])", "urn:example:2.0:Badge");
  const auto user = [](const std::string& extensions, const std::string& endpoint = "/Users") {
    return json::parse(R"({"name":"User","endpoint":")" + endpoint +
                       R"(","schema":"urn:ietf:params:scim:schemas:core:2.0:User","schemaExtensions":)" +
                       extensions + "}");
  };
  const auto r =
      SchemaRegistry::customized(extension, user(R"([{"schema":"urn:example:2.0:badge","required":true}])"));
  REQUIRE(r);
  CHECK(r->types().size() == 2);
  REQUIRE(r->type("User")->extensions().size() == 1);
  CHECK(r->type("User")->extension("urn:example:2.0:Badge") != nullptr);
  CHECK(r->type("User")->resolve("badge")->extension);
  CHECK(r->type("User")->type().extensions.front().required);
  CHECK(refused(extension, user("[]", "/People")) == "resource_types");
  CHECK(refused(nullptr, user(R"([{"schema":"urn:none:x"}])")) == "resource_types.schemaExtensions[0].schema");
}

TEST_CASE("errors name the JSON path") {
  CHECK(refused(json::parse("[5]")) == "schemas[0]");
  CHECK(refused(json::parse(R"([{"id":"nothing","attributes":[{"name":"a"}]}])")) == "schemas[0].id");
  CHECK(refused(schema("[]")) == "schemas[0].attributes");
  CHECK(refused(schema(R"([{"name":"a"},{"name":"b","tpye":"string"}])")) == "schemas[0].attributes[1].tpye");
  CHECK(refused(schema(R"([{"name":"a","type":"text"}])")) == "schemas[0].attributes[0].type");
  CHECK(refused(schema(R"([{"name":"a b"}])")) == "schemas[0].attributes[0].name");
  CHECK(refused(schema(R"([{"name":"a"},{"name":"A"}])")) == "schemas[0].attributes[1].name");
  CHECK(refused(schema(R"([{"name":"a","type":"complex"}])")) == "schemas[0].attributes[0].subAttributes");
  CHECK(refused(schema(R"([{"name":"a","subAttributes":[{"name":"b"}]}])")) ==
        "schemas[0].attributes[0].subAttributes");
  CHECK(
      refused(schema(R"([{"name":"a","type":"complex","subAttributes":[{"name":"b","mutability":"never"}]}])")) ==
      "schemas[0].attributes[0].subAttributes[0].mutability");
  CHECK(refused(schema(
            R"([{"name":"a","type":"complex","subAttributes":[{"name":"b","type":"complex",
                "subAttributes":[{"name":"c"}]}]}])")) == "schemas[0].attributes[0].subAttributes[0]");
  CHECK(refused(schema(R"([{"name":"a","type":"boolean","uniqueness":"server"}])")) ==
        "schemas[0].attributes[0].uniqueness");
  CHECK(refused(schema(R"([{"name":"a","required":"yes"}])")) == "schemas[0].attributes[0].required");
  CHECK(refused(schema(serial, std::string(user_urn))) == "schemas[0].id");
  CHECK(refused(schema(serial, std::string(schema_urn))) == "schemas[0].id");
  CHECK(refused(schema(serial), json::parse(R"([{"name":"D","endpoint":"Devices","schema":"urn:x:y"}])")) ==
        "resource_types[0].endpoint");
  CHECK(refused(schema(serial), json::parse(R"([{"name":"D","endpoint":"/Bulk","schema":"urn:x:y"}])")) ==
        "resource_types[0].endpoint");
  CHECK(refused(schema(serial), json::parse(R"([{"name":"D","endpoint":"/Ds","schema":"urn:x:y"}])")) ==
        "resource_types[0].schema");
  CHECK(refused(nullptr, json::parse(R"([{"name":"Team","endpoint":"/Teams",
      "schema":"urn:ietf:params:scim:schemas:core:2.0:Group"}])")) == "resource_types[0]");
  CHECK(refused(schema(R"([{"name":"id"}])"), type()) == "resource_types[0].schema");
}

TEST_CASE("files are bounded") {
  json::array many;
  for (int i = 0; i < 1001; ++i) many.emplace_back(json::object{{"name", "a" + std::to_string(i)}});
  const auto file = json::value(json::object{{"id", "urn:a:b"}, {"attributes", many}});
  const auto r = SchemaRegistry::customized(file, nullptr);
  REQUIRE_FALSE(r);
  CHECK(r.error().code() == Errc::limit_exceeded);
  CHECK(r.error().where() == "schemas.attributes");
  many.resize(65);
  CHECK(SchemaRegistry::customized(many, nullptr).error().code() == Errc::limit_exceeded);
}

TEST_CASE("what is stored has to fit what comes next") {
  const auto fits = [](const std::string& before, const std::string& after) {
    const auto a = SchemaRegistry::customized(schema(before), type());
    const auto b = SchemaRegistry::customized(schema(after), type());
    REQUIRE(a);
    REQUIRE(b);
    return still_fits(*a->type("Device"), *b->type("Device"));
  };
  CHECK(fits(serial, serial));
  CHECK(fits(R"([{"name":"a"}])", R"([{"name":"a","required":true},{"name":"b","uniqueness":"server"}])"));
  CHECK(fits(R"([{"name":"a"},{"name":"b"}])", R"([{"name":"a"}])").error().where() == "b");
  CHECK_FALSE(fits(R"([{"name":"a"}])", R"([{"name":"a","type":"integer"}])"));
  CHECK_FALSE(fits(R"([{"name":"a"}])", R"([{"name":"a","multiValued":true}])"));
  CHECK_FALSE(fits(R"([{"name":"a"}])", R"([{"name":"a","uniqueness":"server"}])"));
  CHECK(fits(R"([{"name":"a","type":"complex","subAttributes":[{"name":"b"},{"name":"c"}]}])",
             R"([{"name":"a","type":"complex","subAttributes":[{"name":"b"}]}])")
            .error()
            .where() == "a.c");
}

TEST_CASE("a new schema asks for nothing that is not done") {
  const auto asked = [](const std::string& attributes) {
    const auto r = SchemaRegistry::customized(schema(attributes), type());
    REQUIRE(r);  // what is stored goes on being read
    const auto checked = check_new_schema(*r->schema("urn:example:2.0:Device"));
    return checked ? std::string() : checked.error().where();
  };
  CHECK(asked(R"([{"name":"a","uniqueness":"server"},{"name":"b","mutability":"writeOnly","returned":"never"}])")
            .empty());
  CHECK(asked(R"([{"name":"pin","mutability":"writeOnly","returned":"never","uniqueness":"server"}])") ==
        "urn:example:2.0:Device:pin");
  CHECK(asked(R"([{"name":"a","type":"complex","subAttributes":[
          {"name":"pin","mutability":"writeOnly","returned":"never","uniqueness":"global"}]}])") ==
        "urn:example:2.0:Device:a.pin");
}

TEST_CASE("canonicalValues are texts: a new schema that gives others any is refused, a stored one is read") {
  const auto checked = [](const SchemaRegistry& r) {
    return check_new_schema(*r.schema("urn:example:2.0:Device"));
  };
  for (const std::string kind : {"integer", "decimal", "boolean", "dateTime", "binary", "complex"}) {
    INFO(kind);
    const auto one = [&](const std::string& values) {
      return schema(R"([{"name":"a"},{"name":"n","type":")" + kind + R"(","canonicalValues":)" + values +
                    (kind == "complex" ? R"(,"subAttributes":[{"name":"s"}])" : "") + "}]");
    };
    const auto r = SchemaRegistry::customized(one(R"(["1","2"])"), type());
    REQUIRE(r);
    CHECK_FALSE(r->schema("urn:example:2.0:Device")->find("n")->restricted);
    const auto refusal = checked(*r);
    REQUIRE_FALSE(refusal);
    CHECK(refusal.error().where() == "urn:example:2.0:Device:n");
    CHECK(refusal.error().detail() == "an attribute of type " + kind + " has no canonicalValues");
    // None is what some dumps say of every attribute.
    const auto none = SchemaRegistry::customized(one("[]"), type());
    REQUIRE(none);
    CHECK(checked(*none));
  }
  const auto nested = SchemaRegistry::customized(
      schema(
          R"([{"name":"c","type":"complex","subAttributes":[{"name":"n","type":"integer","canonicalValues":["1"]}]}])"),
      type());
  REQUIRE(nested);
  REQUIRE_FALSE(checked(*nested));
  CHECK(checked(*nested).error().where() == "urn:example:2.0:Device:c.n");
  const auto r = SchemaRegistry::customized(
      schema(R"([{"name":"r","type":"reference","canonicalValues":["https://a.example","https://b.example"]}])"),
      type());
  REQUIRE(r);
  CHECK(checked(*r));
  // Of references they are suggestions, as they always were.
  CHECK(normalize(json::parse(R"({"schemas":["urn:example:2.0:Device"],"r":"https://c.example"})"),
                  *r->type("Device"), Leniency::strict));
}

TEST_CASE("canonicalValues may become more while there are resources, and not fewer") {
  const auto fits = [](const std::string& before, const std::string& after) {
    const auto a = SchemaRegistry::customized(schema(before), type());
    const auto b = SchemaRegistry::customized(schema(after), type());
    REQUIRE(a);
    REQUIRE(b);
    return still_fits(*a->type("Device"), *b->type("Device")).has_value();
  };
  const std::string any = R"([{"name":"a"}])";
  const std::string two = R"([{"name":"a","canonicalValues":["x","y"]}])";
  const std::string three = R"([{"name":"a","canonicalValues":["z","Y","x"]}])";
  CHECK(fits(two, any));
  CHECK(fits(two, three));
  CHECK_FALSE(fits(three, two));
  CHECK_FALSE(fits(any, two));
  // What is never kept can become anything.
  const std::string pin = R"([{"name":"a","mutability":"writeOnly","returned":"never","uniqueness":)";
  CHECK(fits(pin + R"("server"}])", pin + R"("none"}])"));
}

TEST_CASE("references and binaries are case exact where nothing is said") {
  const auto s = schema_from_json(
      json::parse(R"({"id":"urn:a:b","attributes":[{"name":"r","type":"reference"},{"name":"b","type":"binary"},
                      {"name":"s"},{"name":"q","type":"reference","caseExact":false}]})"));
  REQUIRE(s);
  CHECK(s->find("r")->case_exact);
  CHECK(s->find("b")->case_exact);
  CHECK_FALSE(s->find("s")->case_exact);
  CHECK_FALSE(s->find("q")->case_exact);
}
