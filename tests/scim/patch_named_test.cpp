// What a PATCH names: the value that is meant, the sub-attribute that is wrong, the operation that did it.
#include <boost/json/parse.hpp>
#include <deprov/scim/patch.hpp>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::scim;

namespace {
const TypeDef& user() { return *SchemaRegistry::builtin().type("User"); }

const char* const babs = R"({
  "schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1","externalId":"e1","userName":"bjensen",
  "name":{"givenName":"Barbara","familyName":"Jensen"},"title":"VP","active":true,
  "emails":[{"value":"w@x.com","type":"work","primary":true},{"value":"h@x.com","type":"home"}],
  "addresses":[{"type":"work","locality":"LA","streetAddress":"1"},{"type":"home","locality":"SF"}],
  "meta":{"resourceType":"User"}})";

struct Applied {
  Result<PatchResult> result;
  json::object document;
};

Applied patch(const char* start, std::string_view operations, const TypeDef& type = user(),
              const PatchOptions& options = {}) {
  auto body = json::parse(R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":)" +
                          std::string(operations) + "}");
  auto document = json::parse(start).as_object();
  auto request = parse_patch(std::move(body));
  if (!request) return {request.error(), document};
  auto result = apply(std::move(*request), document, type, options);
  return {std::move(result), std::move(document)};
}

void refused(std::string_view operations, Errc code, std::string_view where = {}, const TypeDef& type = user(),
             const char* start = babs) {
  INFO(operations);
  const auto a = patch(start, operations, type);
  REQUIRE_FALSE(a.result);
  INFO(a.result.error().message());
  CHECK(a.result.error().code() == code);
  if (!where.empty()) CHECK(a.result.error().where() == where);
  CHECK(a.document == json::parse(start));
}
}  // namespace

TEST_CASE("a remove that says which value it means takes that one, and no other") {
  PatchOptions listed;
  listed.remove_listed_values = true;
  const std::string start =
      R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1","userName":"babs",
    "active":true,"title":"Dr","name":{"givenName":"Babs","familyName":"Jensen"},
    "emails":[{"value":"w@x.com","type":"work"},{"value":"h@x.com","type":"home"}],
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"7","$ref":"../Users/7"}}})";
  const std::string urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
  for (const auto* same :
       {R"({"op":"remove","path":"active","value":true})", R"({"op":"remove","path":"title","value":"dr"})",
        R"({"op":"remove","path":"name.givenName","value":"Babs"})",
        R"({"op":"remove","path":"name","value":{"familyName":"Jensen"}})",
        R"({"op":"remove","path":"manager","value":{"value":"7"}})",
        R"({"op":"remove","path":"emails[type eq \"home\"].value","value":"h@x.com"})",
        R"({"op":"remove","path":"emails.type","value":"home"})"}) {
    INFO(same);
    const auto a = patch(start.c_str(), "[" + std::string(same) + "]", user(), listed);
    REQUIRE(a.result);
    CHECK(a.result->changed);
    CHECK(a.result->notes.empty());
    CHECK(a.document.contains("emails"));
  }
  for (const auto* other :
       {R"({"op":"remove","path":"active","value":false})", R"({"op":"remove","path":"title","value":"Mr"})",
        R"({"op":"remove","path":"name.givenName","value":"Barbara"})",
        R"({"op":"remove","path":"name","value":{"familyName":"Jensen","givenName":"B"}})",
        R"({"op":"remove","path":"manager","value":{"value":"8"}})",
        R"({"op":"remove","path":"emails[type eq \"home\"].value","value":"w@x.com"})",
        R"({"op":"remove","path":"emails.type","value":"other"})"}) {
    INFO(other);
    const auto a = patch(start.c_str(), "[" + std::string(other) + "]", user(), listed);
    REQUIRE(a.result);
    CHECK_FALSE(a.result->changed);
    CHECK(a.result->notes.size() == 1);
    CHECK(a.document == json::parse(start));
  }
  // Without the value there is nothing to compare with, and nothing to say.
  const auto none = patch(babs, R"([{"op":"remove","path":"nickName","value":"B"}])", user(), listed);
  REQUIRE(none.result);
  CHECK_FALSE(none.result->changed);
  CHECK(none.result->notes.empty());
  refused(R"([{"op":"remove","path":"active","value":true}])", Errc::invalid_value, "Operations[0].active");
  const auto wrong = patch(start.c_str(), R"([{"op":"remove","path":"active","value":"maybe"}])", user(), listed);
  REQUIRE_FALSE(wrong.result);
  CHECK(wrong.result.error().where() == "Operations[0].active");
}

TEST_CASE("what is wrong with a sub-attribute is named with the attribute that it is of") {
  SchemaRegistry r;
  REQUIRE(r.load_schemas(json::parse(R"({"id":"urn:x:S","attributes":[
    {"name":"one","type":"complex","subAttributes":[{"name":"fixed","mutability":"immutable"},
      {"name":"given","mutability":"readOnly"},{"name":"free"}]},
    {"name":"many","type":"complex","multiValued":true,"subAttributes":[{"name":"value"},
      {"name":"fixed","mutability":"immutable"}]}]})")));
  REQUIRE(r.load_resource_types(json::parse(R"({"name":"S","endpoint":"/S","schema":"urn:x:S"})")));
  const auto& type = *r.type("S");
  const char* const start =
      R"({"schemas":["urn:x:S"],"id":"1","one":{"fixed":"a"},"many":[{"value":"1","fixed":"a"}]})";
  refused(R"([{"op":"replace","path":"one.fixed","value":"b"}])", Errc::mutability, "Operations[0].one.fixed",
          type, start);
  refused(R"([{"op":"replace","path":"one","value":{"fixed":"b"}}])", Errc::mutability, "Operations[0].one.fixed",
          type, start);
  refused(R"([{"op":"add","path":"one.given","value":"b"}])", Errc::mutability, "Operations[0].one.given", type,
          start);
  refused(R"([{"op":"remove","path":"one.fixed"}])", Errc::mutability, "Operations[0].one.fixed", type, start);
  refused(R"([{"op":"replace","path":"many.fixed","value":"b"}])", Errc::mutability, "Operations[0].many.fixed",
          type, start);
  refused(R"([{"op":"replace","path":"many[value eq \"1\"].fixed","value":"b"}])", Errc::mutability,
          "Operations[0].many.fixed", type, start);
  refused(R"([{"op":"add","path":"many[value eq \"1\"]","value":{"fixed":"b"}}])", Errc::mutability,
          "Operations[0].many.fixed", type, start);
}

TEST_CASE("each change knows the operation that made it") {
  const auto a =
      patch(babs, R"([{"op":"replace","path":"title","value":"A"},{"op":"add","path":"nickName","value":"N"},
                                 {"op":"replace","value":{"title":"B"}}])");
  REQUIRE(a.result);
  CHECK(a.result->changes == std::vector<std::string>{"title", "nickName"});
  CHECK(a.result->changed_by == std::vector<std::size_t>{2, 1});
}
