#include <boost/json/parse.hpp>
#include <chrono>
#include <deprov/scim/patch.hpp>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::scim;

namespace {
const TypeDef& user() { return *SchemaRegistry::builtin().type("User"); }
const TypeDef& group() { return *SchemaRegistry::builtin().type("Group"); }

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

/// Applies and compares one attribute afterwards; "" means absent.
void gives(std::string_view operations, std::string_view attribute, std::string_view expected,
           std::vector<std::string> changes, const PatchOptions& options = {}) {
  INFO(operations);
  const auto a = patch(babs, operations, user(), options);
  REQUIRE(a.result);
  const auto* v = a.document.if_contains(attribute);
  if (expected.empty()) {
    CHECK(v == nullptr);
  } else {
    REQUIRE(v != nullptr);
    INFO(json::serialize(*v));
    CHECK(*v == json::parse(expected));
  }
  CHECK(a.result->changes == changes);
  CHECK(a.result->changed == !changes.empty());
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
constexpr std::string_view enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
}  // namespace

TEST_CASE("single values are added, replaced and removed") {
  gives(R"([{"op":"replace","path":"active","value":false}])", "active", "false", {"active"});
  gives(R"([{"op":"Replace","path":"ACTIVE","value":false}])", "active", "false", {"active"});
  gives(R"([{"op":"add","path":"active","value":false}])", "active", "false", {"active"});
  gives(R"([{"op":"replace","value":{"active":false}}])", "active", "false", {"active"});
  gives(R"([{"op":"add","value":{"active":false,"nickName":"Babs"}}])", "nickName", R"("Babs")",
        {"active", "nickName"});
  gives(R"([{"op":"replace","path":"nickName","value":"Babs"}])", "nickName", R"("Babs")", {"nickName"});
  gives(R"([{"op":"remove","path":"title"}])", "title", "", {"title"});
  gives(R"([{"op":"replace","path":"title","value":null}])", "title", "", {"title"});
  gives(R"([{"op":"replace","value":{"title":null}}])", "title", "", {"title"});
  gives(R"([{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:title","value":"CEO"}])", "title",
        R"("CEO")", {"title"});
}

TEST_CASE("what is the case already is no change [R13]") {
  for (const auto* same :
       {R"([{"op":"replace","path":"active","value":true}])", R"([{"op":"add","value":{"title":"VP"}}])",
        R"([{"op":"remove","path":"nickName"}])", R"([{"op":"remove","path":"emails[type eq \"other\"]"}])",
        R"([{"op":"add","path":"emails","value":[{"value":"h@x.com","type":"home"}]}])",
        R"([{"op":"add","path":"emails","value":[]}])", R"([{"op":"replace","path":"id","value":"1"}])",
        R"([{"op":"replace","path":"active","value":false},{"op":"replace","path":"active","value":true}])",
        R"([{"op":"add","path":"nickName","value":"x"},{"op":"remove","path":"nickName"}])",
        R"([{"op":"replace","path":"name","value":{"givenName":"Barbara"}}])",
        R"([{"op":"remove","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"}])",
        R"([{"op":"add","path":"schemas","value":["urn:ietf:params:scim:schemas:core:2.0:User"]}])",
        R"([{"op":"replace","path":"password","value":"secret"}])"}) {
    INFO(same);
    const auto a = patch(babs, same);
    REQUIRE(a.result);
    CHECK_FALSE(a.result->changed);
    CHECK(a.result->changes.empty());
    CHECK(a.document == json::parse(babs));
    CHECK(a.result->notes.empty() == (std::string_view(same).find("password") == std::string_view::npos));
  }
}

TEST_CASE("complex values are merged by their sub-attributes") {
  gives(R"([{"op":"replace","path":"name.givenName","value":"B"}])", "name",
        R"({"givenName":"B","familyName":"Jensen"})", {"name"});
  gives(R"([{"op":"replace","path":"name","value":{"GIVENNAME":"B"}}])", "name",
        R"({"givenName":"B","familyName":"Jensen"})", {"name"});
  gives(R"([{"op":"add","value":{"name":{"middleName":"J"}}}])", "name",
        R"({"givenName":"Barbara","familyName":"Jensen","middleName":"J"})", {"name"});
  gives(R"([{"op":"remove","path":"name.givenName"}])", "name", R"({"familyName":"Jensen"})", {"name"});
  gives(R"([{"op":"remove","path":"name.givenName"},{"op":"remove","path":"name.familyName"}])", "name", "",
        {"name"});
  gives(R"([{"op":"remove","path":"name"},{"op":"add","path":"name.formatted","value":"B J"}])", "name",
        R"({"formatted":"B J"})", {"name"});
}

TEST_CASE("multi-valued attributes") {
  gives(R"([{"op":"add","path":"emails","value":[{"value":"o@x.com","type":"other"}]}])", "emails",
        R"([{"value":"w@x.com","type":"work","primary":true},{"value":"h@x.com","type":"home"},
            {"value":"o@x.com","type":"other"}])",
        {"emails"});
  gives(
      R"([{"op":"add","path":"emails","value":{"value":"o@x.com"}}])", "emails",
      R"([{"value":"w@x.com","type":"work","primary":true},{"value":"h@x.com","type":"home"},{"value":"o@x.com"}])",
      {"emails"});
  gives(R"([{"op":"replace","path":"emails","value":[{"value":"n@x.com"}]}])", "emails",
        R"([{"value":"n@x.com"}])", {"emails"});
  gives(R"([{"op":"replace","path":"emails","value":[]}])", "emails", "", {"emails"});
  gives(R"([{"op":"remove","path":"emails"}])", "emails", "", {"emails"});
  gives(R"([{"op":"add","path":"phoneNumbers","value":[{"value":"1"}]}])", "phoneNumbers", R"([{"value":"1"}])",
        {"phoneNumbers"});
  gives(R"([{"op":"add","path":"emails","value":[{"value":"h@x.com","type":"home","display":"H"}]}])", "emails",
        R"([{"value":"w@x.com","type":"work","primary":true},{"value":"h@x.com","type":"home","display":"H"}])",
        {"emails"});
  gives(R"([{"op":"replace","path":"emails.display","value":"D"}])", "emails",
        R"([{"value":"w@x.com","type":"work","primary":true,"display":"D"},
            {"value":"h@x.com","type":"home","display":"D"}])",
        {"emails"});
}

TEST_CASE("a new primary value clears the others") {
  const auto* const expected = R"([{"value":"w@x.com","type":"work","primary":false},
                                    {"value":"h@x.com","type":"home","primary":true}])";
  gives(R"([{"op":"add","path":"emails","value":[{"value":"h@x.com","type":"home","primary":true}]}])", "emails",
        expected, {"emails"});
  gives(R"([{"op":"replace","path":"emails[type eq \"home\"].primary","value":true}])", "emails", expected,
        {"emails"});
  gives(R"([{"op":"add","path":"emails[type eq \"home\"]","value":{"primary":true}}])", "emails", expected,
        {"emails"});
  refused(R"([{"op":"replace","path":"emails[value pr].primary","value":true}])", Errc::invalid_value);
  refused(R"([{"op":"replace","path":"emails.primary","value":true}])", Errc::invalid_value);
  refused(
      R"([{"op":"replace","path":"emails","value":[{"value":"a","primary":true},{"value":"b","primary":true}]}])",
      Errc::invalid_value);
}

TEST_CASE("value paths") {
  gives(R"([{"op":"replace","path":"emails[type eq \"work\"].value","value":"n@x.com"}])", "emails",
        R"([{"value":"n@x.com","type":"work","primary":true},{"value":"h@x.com","type":"home"}])", {"emails"});
  gives(R"([{"op":"replace","path":"addresses[type eq \"work\"]","value":{"type":"work","locality":"NY"}}])",
        "addresses", R"([{"type":"work","locality":"NY"},{"type":"home","locality":"SF"}])", {"addresses"});
  gives(R"([{"op":"add","path":"addresses[type eq \"work\"]","value":{"locality":"NY"}}])", "addresses",
        R"([{"type":"work","locality":"NY","streetAddress":"1"},{"type":"home","locality":"SF"}])", {"addresses"});
  gives(R"([{"op":"remove","path":"addresses[type eq \"work\"].streetAddress"}])", "addresses",
        R"([{"type":"work","locality":"LA"},{"type":"home","locality":"SF"}])", {"addresses"});
  gives(R"([{"op":"remove","path":"emails[type eq \"work\" and value ew \"x.com\"]"}])", "emails",
        R"([{"value":"h@x.com","type":"home"}])", {"emails"});
  gives(R"([{"op":"remove","path":"emails[value pr]"}])", "emails", "", {"emails"});
  gives(R"([{"op":"replace","path":"emails[value ew \"x.com\"].display","value":"D"}])", "emails",
        R"([{"value":"w@x.com","type":"work","primary":true,"display":"D"},
            {"value":"h@x.com","type":"home","display":"D"}])",
        {"emails"});
  refused(R"([{"op":"replace","path":"emails[type eq \"other\"].value","value":"n@x.com"}])", Errc::no_target,
          "Operations[0].path");
  refused(R"([{"op":"add","path":"phoneNumbers[type eq \"work\"].value","value":"1"}])", Errc::no_target);
  refused(R"([{"op":"replace","path":"name[givenName eq \"B\"]","value":{}}])", Errc::invalid_path);
  refused(R"([{"op":"replace","path":"emails[colour eq \"red\"].value","value":"x"}])", Errc::invalid_filter);
  refused(R"([{"op":"replace","path":"emails[type eq \"work\"]","value":"x"}])", Errc::invalid_value);
}

TEST_CASE("absent values are created from their path where the dialect asks for it") {
  PatchOptions entra;
  entra.create_absent_values = true;
  gives(R"([{"op":"add","path":"phoneNumbers[type eq \"work\"].value","value":"1"}])", "phoneNumbers",
        R"([{"type":"work","value":"1"}])", {"phoneNumbers"}, entra);
  gives(R"([{"op":"replace","path":"addresses[type eq \"other\" and primary eq true].locality","value":"NY"}])",
        "addresses",
        R"([{"type":"work","locality":"LA","streetAddress":"1"},{"type":"home","locality":"SF"},
            {"type":"other","primary":true,"locality":"NY"}])",
        {"addresses"}, entra);
  CHECK(patch(babs, R"([{"op":"add","path":"ims[type eq \"xmpp\"].value","value":"1"}])", user(), entra)
            .result->created_values);
  const auto a = patch(babs, R"([{"op":"add","path":"ims[type ne \"xmpp\"].value","value":"1"}])", user(), entra);
  REQUIRE_FALSE(a.result);
  CHECK(a.result.error().code() == Errc::no_target);
}

TEST_CASE("paths that lead nowhere are found before there is anything to apply them to") {
  const auto check = [](std::string_view path, const PatchOptions& options = {}) {
    auto request = parse_patch(json::object{
        {"schemas", json::array{json::value(patch_op_urn)}},
        {"Operations", json::array{json::object{{"op", "add"}, {"path", "title"}, {"value", "x"}},
                                   json::object{{"op", "add"}, {"path", json::value(path)}, {"value", "x"}}}}});
    REQUIRE(request);
    return check_paths(*request, user(), options);
  };
  for (const auto* path : {"nickName", "schemas", "emails[type eq \"work\"].value", "department",
                           "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"})
    CHECK(check(path));
  for (const auto* path :
       {"nosuch", "userName.first", "urn:ietf:params:scim:schemas:core:2.0:Group:displayName"}) {
    const auto r = check(path);
    REQUIRE_FALSE(r);
    CHECK(r.error().code() == Errc::invalid_path);
    CHECK(r.error().where().starts_with("Operations[1].path"));
    CHECK(check(path, {.ignore_unknown = true}));
  }
}

TEST_CASE("an extension that may be absent goes as a whole, with what is required in it") {
  SchemaRegistry reg;
  REQUIRE(reg.load_schemas(json::parse(R"([{"id":"urn:x:T","attributes":[{"name":"n"}]},
    {"id":"urn:x:E","attributes":[{"name":"must","required":true},{"name":"plain"}]},
    {"id":"urn:x:F","attributes":[{"name":"fixed","mutability":"immutable"},{"name":"plain"}]}])")));
  REQUIRE(reg.load_resource_types(json::parse(R"({"name":"T","endpoint":"/T","schema":"urn:x:T",
    "schemaExtensions":[{"schema":"urn:x:E"},{"schema":"urn:x:F"}]})")));
  const auto* const before = R"({"schemas":["urn:x:T","urn:x:E","urn:x:F"],"n":"1",
    "urn:x:E":{"must":"m","plain":"p"},"urn:x:F":{"fixed":"f","plain":"p"}})";
  const auto& type = *reg.type("T");
  for (const auto* operations :
       {R"([{"op":"remove","path":"urn:x:E"}])", R"([{"op":"replace","path":"urn:x:e","value":null}])"}) {
    const auto a = patch(before, operations, type);
    REQUIRE(a.result);
    CHECK(a.document == json::parse(R"({"schemas":["urn:x:T","urn:x:F"],"n":"1",
      "urn:x:F":{"fixed":"f","plain":"p"}})"));
  }
  refused(R"([{"op":"remove","path":"urn:x:E:must"}])", Errc::mutability, "Operations[0].urn:x:E:must", type,
          before);
  refused(R"([{"op":"remove","path":"urn:x:E"},{"op":"remove","path":"urn:x:F"}])", Errc::mutability,
          "Operations[1].urn:x:F:fixed", type, before);
}

TEST_CASE("extensions come and go with their values, and schemas with them") {
  const std::string dept = std::string(enterprise) + ":department";
  auto a = patch(babs, R"([{"op":"add","path":")" + dept + R"(","value":"Tour"}])");
  REQUIRE(a.result);
  CHECK(a.document.at(enterprise) == json::parse(R"({"department":"Tour"})"));
  CHECK(a.document.at("schemas").as_array().size() == 2);
  CHECK(a.result->changes == std::vector<std::string>{std::string(enterprise)});

  auto start = json::serialize(a.document);
  a = patch(start.c_str(), R"([{"op":"remove","path":")" + dept + R"("}])");
  REQUIRE(a.result);
  CHECK(a.document == json::parse(babs));

  a = patch(start.c_str(), R"([{"op":"remove","path":")" + std::string(enterprise) + R"("}])");
  REQUIRE(a.result);
  CHECK(a.document == json::parse(babs));

  // Null is no value: a replace by it leaves none, an add of it adds none.
  const auto urn = std::string(enterprise);
  for (const auto& op : {R"([{"op":"replace","path":")" + urn + R"(","value":null}])",
                         R"([{"op":"replace","value":{")" + urn + R"(":null}}])"}) {
    a = patch(start.c_str(), op);
    REQUIRE(a.result);
    CHECK(a.document == json::parse(babs));
    CHECK(a.result->changes == std::vector<std::string>{urn});
  }
  a = patch(start.c_str(), R"([{"op":"add","path":")" + urn + R"(","value":null}])");
  REQUIRE(a.result);
  CHECK_FALSE(a.result->changed);
  CHECK(patch(babs, R"([{"op":"replace","path":")" + urn + R"(","value":null}])").result->changed == false);

  a = patch(babs, R"([{"op":"add","value":{")" + std::string(enterprise) +
                      R"(":{"DEPARTMENT":"Tour","manager":{"value":"7","displayName":"ignored"}}}}])");
  REQUIRE(a.result);
  CHECK(a.document.at(enterprise) == json::parse(R"({"department":"Tour","manager":{"value":"7"}})"));
  a = patch(babs, R"([{"op":"replace","value":{")" + dept + R"(":"Tour"}}])");
  REQUIRE(a.result);
  CHECK(a.document.at(enterprise) == json::parse(R"({"department":"Tour"})"));
  a = patch(babs, R"([{"op":"add","path":"department","value":"Tour"}])");
  REQUIRE(a.result);
  CHECK(a.document.at(enterprise) == json::parse(R"({"department":"Tour"})"));
}

TEST_CASE("mutability is enforced") {
  refused(R"([{"op":"replace","path":"id","value":"2"}])", Errc::mutability, "Operations[0].id");
  refused(R"([{"op":"remove","path":"id"}])", Errc::mutability);
  refused(R"([{"op":"replace","path":"meta.created","value":"2011-05-13T04:42:34Z"}])", Errc::mutability);
  refused(R"([{"op":"add","path":"groups","value":[{"value":"g"}]}])", Errc::mutability);
  refused(R"([{"op":"remove","path":"userName"}])", Errc::mutability);
  refused(R"([{"op":"replace","path":"userName","value":null}])", Errc::mutability);
  refused(R"([{"op":"replace","path":"userName","value":""}])", Errc::invalid_value);
  refused(R"([{"op":"remove","path":"schemas"}])", Errc::mutability);
  refused(R"([{"op":"replace","path":"schemas","value":[]}])", Errc::invalid_value);
  refused(
      R"([{"op":"replace","path":"schemas","value":["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]}])",
      Errc::invalid_value);
  refused(R"([{"op":"remove","path":"urn:ietf:params:scim:schemas:core:2.0:User"}])", Errc::mutability);
  refused(
      R"([{"op":"replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.displayName","value":"x"}])",
      Errc::mutability,
      "Operations[0].urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.displayName");

  SchemaRegistry r;
  REQUIRE(r.load_schemas(json::parse(R"({"id":"urn:x:T","attributes":[{"name":"serial","mutability":"immutable"},
    {"name":"c","type":"complex","subAttributes":[{"name":"a","mutability":"immutable"},{"name":"b"}]}]})")));
  REQUIRE(r.load_resource_types(json::parse(R"({"name":"T","endpoint":"/T","schema":"urn:x:T"})")));
  const auto& t = *r.type("T");
  CHECK(patch("{}", R"([{"op":"add","path":"serial","value":"1"}])", t).result->changed);
  CHECK_FALSE(patch(R"({"serial":"1"})", R"([{"op":"replace","path":"serial","value":"1"}])", t).result->changed);
  refused(R"([{"op":"replace","path":"serial","value":"2"}])", Errc::mutability, {}, t, R"({"serial":"1"})");
  refused(R"([{"op":"remove","path":"serial"}])", Errc::mutability, {}, t, R"({"serial":"1"})");
  refused(R"([{"op":"replace","path":"c","value":{"a":"2"}}])", Errc::mutability, {}, t,
          R"({"c":{"a":"1","b":"1"}})");
  refused(R"([{"op":"replace","path":"c.a","value":"2"}])", Errc::mutability, {}, t, R"({"c":{"a":"1"}})");
  CHECK(patch(R"({"c":{"a":"1"}})", R"([{"op":"replace","path":"c.b","value":"2"}])", t).result->changed);
}

TEST_CASE("a list that is immutable keeps its values, whichever way they are named") {
  SchemaRegistry r;
  REQUIRE(r.load_schemas(json::parse(R"({"id":"urn:x:L","attributes":[
    {"name":"marks","multiValued":true,"mutability":"immutable"},
    {"name":"spec","type":"complex","mutability":"immutable","subAttributes":[{"name":"a"},{"name":"b"}]}]})")));
  REQUIRE(r.load_resource_types(json::parse(R"({"name":"L","endpoint":"/L","schema":"urn:x:L"})")));
  const auto& type = *r.type("L");
  const char* const start = R"({"schemas":["urn:x:L"],"id":"1","marks":["1","2"],"spec":{"a":"x"}})";
  PatchOptions listed;
  listed.remove_listed_values = true;
  for (const auto* op :
       {R"([{"op":"add","path":"marks","value":["3"]}])", R"([{"op":"remove","path":"marks[value eq \"1\"]"}])",
        R"([{"op":"replace","path":"marks[value eq \"1\"]","value":"z"}])",
        R"([{"op":"remove","path":"marks","value":["1"]}])", R"([{"op":"remove","path":"marks"}])",
        R"([{"op":"add","path":"spec.b","value":"y"}])", R"([{"op":"remove","path":"spec.a"}])"}) {
    INFO(op);
    const auto a = patch(start, op, type, listed);
    REQUIRE_FALSE(a.result);
    CHECK(a.result.error().code() == Errc::mutability);
    CHECK(a.document == json::parse(start));
  }
  for (const auto* op :
       {R"([{"op":"add","path":"marks","value":["2"]}])", R"([{"op":"remove","path":"marks","value":["7"]}])",
        R"([{"op":"replace","path":"spec.a","value":"x"}])"}) {
    INFO(op);
    const auto a = patch(start, op, type, listed);
    REQUIRE(a.result);
    CHECK_FALSE(a.result->changed);
  }
  CHECK(patch(R"({"schemas":["urn:x:L"],"id":"1"})", R"([{"op":"add","path":"marks","value":["3"]}])", type)
            .result->changed);
}

TEST_CASE("types are enforced and the operation is named") {
  refused(R"([{"op":"replace","path":"active","value":"maybe"}])", Errc::invalid_value, "Operations[0].active");
  refused(R"([{"op":"replace","path":"active","value":1}])", Errc::invalid_value);
  refused(R"([{"op":"replace","path":"userName","value":5}])", Errc::invalid_value);
  refused(R"([{"op":"replace","path":"name","value":"B"}])", Errc::invalid_value);
  refused(R"([{"op":"replace","path":"emails","value":"x"}])", Errc::invalid_value);
  refused(R"([{"op":"add","path":"emails","value":["x"]}])", Errc::invalid_value, "Operations[0].emails[0]");
  refused(R"([{"op":"add","path":"emails","value":[{"value":1}]}])", Errc::invalid_value,
          "Operations[0].emails[0].value");
  refused(R"([{"op":"add","path":"title","value":"x"},{"op":"add","path":"nothing","value":"x"}])",
          Errc::invalid_path, "Operations[1].path.nothing");
  refused(R"([{"op":"add","value":{"nothing":1}}])", Errc::invalid_value);
  refused(R"([{"op":"add","value":{"name.givenName":"x"}}])", Errc::invalid_value);
  refused(R"([{"op":"add","path":"x509Certificates","value":[{"value":"%%"}]}])", Errc::invalid_value);
  refused(R"([{"op":"remove","path":"emails","value":[{"value":"h@x.com"}]}])", Errc::invalid_value);
  refused(R"([{"op":"add","path":"schemas","value":["urn:x"]}])", Errc::invalid_value);
}

TEST_CASE("a failing operation undoes all before it") {
  refused(R"([{"op":"replace","path":"active","value":false},{"op":"remove","path":"emails"},
              {"op":"add","path":"nickName","value":"x"},{"op":"replace","path":"name.givenName","value":"x"},
              {"op":"add","path":"department","value":"x"},{"op":"replace","path":"id","value":"9"}])",
          Errc::mutability, "Operations[5].id");
  refused(
      R"([{"op":"replace","path":"emails[type eq \"work\"].value","value":"z"},{"op":"add","value":{"title":"x","active":7}}])",
      Errc::invalid_value);
}

TEST_CASE("a PATCH body of the wrong shape is refused") {
  const auto code = [](const char* text, const Limits& limits = {}) {
    const auto r = parse_patch(json::parse(text), limits);
    return r ? Errc::ok : r.error().code();
  };
  const std::string s = R"("schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"])";
  const auto with = [&](const char* rest) { return code(("{" + s + "," + rest + "}").c_str()); };
  CHECK(code("[]") == Errc::invalid_syntax);
  CHECK(code("{}") == Errc::invalid_syntax);
  CHECK(code(R"({"Operations":[{"op":"remove","path":"title"}]})") == Errc::invalid_syntax);
  CHECK(code(R"({"schemas":["urn:x"],"Operations":[{"op":"remove","path":"title"}]})") == Errc::invalid_syntax);
  CHECK(with(R"("Operations":[])") == Errc::invalid_syntax);
  CHECK(with(R"("Operations":{})") == Errc::invalid_syntax);
  CHECK(with(R"("Operations":[7])") == Errc::invalid_syntax);
  CHECK(with(R"("Operations":[{}])") == Errc::invalid_syntax);
  CHECK(with(R"("Operations":[{"op":"frobnicate","path":"a","value":1}])") == Errc::invalid_syntax);
  CHECK(with(R"("Operations":[{"op":3}])") == Errc::invalid_syntax);
  CHECK(with(R"("Operations":[{"op":"remove"}])") == Errc::no_target);
  CHECK(with(R"("Operations":[{"op":"add","path":"title"}])") == Errc::invalid_value);
  CHECK(with(R"("Operations":[{"op":"replace","value":"x"}])") == Errc::invalid_value);
  CHECK(with(R"("Operations":[{"op":"replace","path":7,"value":"x"}])") == Errc::invalid_path);
  CHECK(with(R"("Operations":[{"op":"replace","path":"a..b","value":"x"}])") == Errc::invalid_path);
  CHECK(with(R"("Operations":[{"op":"replace","path":"a[b xx 1]","value":"x"}])") == Errc::invalid_filter);
  CHECK(with(R"("operations":[{"OP":"REMOVE","PATH":"title"}])") == Errc::ok);
  Limits l;
  l.max_operations = 1;
  CHECK(code(("{" + s + R"(,"Operations":[{"op":"remove","path":"a"},{"op":"remove","path":"a"}]})").c_str(), l) ==
        Errc::limit_exceeded);
}

namespace {
const char* const staff =
    R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"g","displayName":"Staff"})";
using Kind = MemberOp::Kind;
MemberOps steps(std::string_view operations, const PatchOptions& options = {}) {
  INFO(operations);
  auto a = patch(staff, operations, group(), options);
  REQUIRE(a.result);
  CHECK_FALSE(a.result->changed);
  CHECK(a.document == json::parse(staff));
  return std::move(a.result->members);
}
std::string ids(const MemberOp& op) {
  std::string out;
  for (const auto& m : op.values) out += (out.empty() ? "" : ",") + m.value;
  return out;
}
}  // namespace

TEST_CASE("operations on members become steps for the rows") {
  auto m = steps(
      R"([{"op":"add","path":"members","value":[{"value":"a","display":"A","type":"User"},{"value":"b"}]}])");
  REQUIRE(m.size() == 1);
  CHECK(m[0].kind == Kind::add);
  CHECK(m[0].values == std::vector<Member>{{"a", "A", "User"}, {"b", "", ""}});
  m = steps(R"([{"op":"add","path":"members","value":{"value":"a"}}])");
  CHECK(ids(m.at(0)) == "a");
  m = steps(R"([{"op":"add","value":{"members":[{"value":"a","$ref":null}]}}])");
  CHECK(ids(m.at(0)) == "a");
  m = steps(R"([{"op":"replace","path":"members","value":[{"value":"a"},{"value":"b"}]}])");
  CHECK(m.at(0).kind == Kind::replace);
  CHECK(ids(m[0]) == "a,b");
  m = steps(R"([{"op":"replace","path":"members","value":[]}])");
  REQUIRE(m.size() == 1);
  CHECK(m[0].kind == Kind::replace);
  CHECK(m[0].values.empty());
  m = steps(R"([{"op":"remove","path":"members"}])");
  CHECK(m.at(0).kind == Kind::replace);
  CHECK(m[0].values.empty());
  m = steps(R"([{"op":"remove","path":"members[value eq \"a\"]"}])");
  CHECK(m.at(0).kind == Kind::remove);
  CHECK(ids(m[0]) == "a");
  m = steps(R"([{"op":"remove","path":"members[value eq \"a\" or value eq \"b\" or (value eq \"c\")]"}])");
  CHECK(ids(m.at(0)) == "a,b,c");
  m = steps(R"([{"op":"remove","path":"members[type eq \"Group\"]"}])");
  CHECK(m.at(0).kind == Kind::remove_where);
  CHECK(to_string(*m[0].filter) == R"(type eq "Group")");
  m = steps(R"([{"op":"replace","path":"members[value eq \"a\"]","value":{"value":"b"}}])");
  CHECK(m.at(0).kind == Kind::replace_where);
  CHECK(ids(m[0]) == "b");
  m = steps(R"([{"op":"replace","path":"members[value eq \"a\"].display","value":"A"},
                {"op":"remove","path":"members[display sw \"B\"].display"}])");
  REQUIRE(m.size() == 2);
  CHECK(m[0].kind == Kind::name_where);
  CHECK(to_string(*m[0].filter) == R"(value eq "a")");
  CHECK(m[0].display == "A");
  CHECK(m[1].kind == Kind::name_where);
  CHECK(m[1].display.empty());
  // Of who is named twice what is said last counts, and saying nothing says nothing.
  m = steps(R"([{"op":"add","path":"members","value":[{"value":"a","display":"1"},{"value":"b"}]},
                {"op":"add","path":"members","value":[{"value":"A","display":"2"},{"value":"a"}]}])");
  REQUIRE(m.size() == 1);
  CHECK(m[0].values == std::vector<Member>{{"a", "2", ""}, {"b", "", ""}});
}

TEST_CASE("member steps keep the order of the operations, neighbours of a kind in one") {
  auto m =
      steps(R"([{"op":"remove","path":"members[value eq \"a\"]"},{"op":"remove","path":"members[value eq \"b\"]"},
                     {"op":"add","path":"members","value":[{"value":"c"}]},
                     {"op":"add","path":"members","value":[{"value":"d"},{"value":"C"}]},
                     {"op":"remove","path":"members[value eq \"c\"]"}])");
  REQUIRE(m.size() == 3);
  CHECK(m[0].kind == Kind::remove);
  CHECK(ids(m[0]) == "a,b");
  CHECK(m[1].kind == Kind::add);
  CHECK(ids(m[1]) == "c,d");
  CHECK(m[2].kind == Kind::remove);
  m = steps(
      R"([{"op":"add","path":"members","value":[{"value":"a"}]},{"op":"replace","path":"members","value":[{"value":"b"}]},
                {"op":"add","path":"members","value":[{"value":"c"}]}])");
  REQUIRE(m.size() == 2);
  CHECK(m[0].kind == Kind::replace);
  CHECK(ids(m[1]) == "c");
}

TEST_CASE("missing is not empty: a rename leaves the members alone [R10]") {
  auto a = patch(staff, R"([{"op":"replace","value":{"displayName":"Crew"}}])", group());
  REQUIRE(a.result);
  CHECK(a.result->members.empty());
  CHECK(a.result->changes == std::vector<std::string>{"displayName"});
  a = patch(staff, R"([{"op":"replace","value":{"displayName":"Crew","members":null}}])", group());
  REQUIRE(a.result);
  CHECK(a.result->members.empty());
  CHECK(steps(R"([{"op":"add","path":"members","value":[]}])").empty());
  refused(R"([{"op":"replace","path":"members","value":null}])", Errc::invalid_value, {}, group(), staff);
}

TEST_CASE("removing listed members never removes all of them") {
  refused(R"([{"op":"remove","path":"members","value":[{"value":"a"}]}])", Errc::invalid_value, {}, group(),
          staff);
  PatchOptions entra;
  entra.remove_listed_values = true;
  auto m = steps(R"([{"op":"remove","path":"members","value":[{"$ref":null,"value":"a"},{"value":"b"}]}])", entra);
  REQUIRE(m.size() == 1);
  CHECK(m[0].kind == Kind::remove);
  CHECK(ids(m[0]) == "a,b");
  CHECK(steps(R"([{"op":"remove","path":"members","value":[]}])", entra).empty());
  auto a = patch(babs, R"([{"op":"remove","path":"emails","value":[{"value":"h@x.com"}]}])", user(), entra);
  REQUIRE(a.result);
  CHECK(a.document.at("emails").as_array().size() == 1);
  CHECK(patch(babs, R"([{"op":"remove","path":"emails","value":[{"value":"h@x.com","type":"work"}]}])", user(),
              entra)
            .result->changed == false);
  // E-mail addresses and types are the same in any case.
  a = patch(babs, R"([{"op":"remove","path":"emails","value":[{"value":"H@X.com","type":"Home"}]}])", user(),
            entra);
  REQUIRE(a.result);
  CHECK(a.document.at("emails") == json::parse(R"([{"value":"w@x.com","type":"work","primary":true}])"));
  a = patch(staff, R"([{"op":"remove","path":"members","value":null}])", group(), entra);
  REQUIRE_FALSE(a.result);
}

TEST_CASE("members that cannot be understood are refused") {
  for (const auto* bad :
       {R"([{"op":"add","path":"members","value":[{"display":"x"}]}])",
        R"([{"op":"add","path":"members","value":[{"value":""}]}])",
        R"([{"op":"add","path":"members","value":[{"value":7}]}])",
        R"([{"op":"add","path":"members","value":[7]}])", R"([{"op":"add","path":"members","value":7}])"})
    refused(bad, Errc::invalid_value, {}, group(), staff);
  refused(R"([{"op":"add","path":"members","value":{"display":"x"}}])", Errc::invalid_value,
          "Operations[0].members.value", group(), staff);
  refused(R"([{"op":"replace","path":"members[value eq \"a\"].type","value":"Group"}])", Errc::mutability, {},
          group(), staff);
  refused(R"([{"op":"replace","path":"members.display","value":"x"}])", Errc::invalid_path, {}, group(), staff);
  refused(R"([{"op":"replace","path":"members[value eq \"a\"].display","value":7}])", Errc::invalid_value, {},
          group(), staff);
  refused(R"([{"op":"add","path":"members[value eq \"a\"].display"}])", Errc::invalid_value, {}, group(), staff);
  refused(R"([{"op":"add","path":"members[colour eq \"a\"].display","value":"x"}])", Errc::invalid_filter, {},
          group(), staff);
  refused(R"([{"op":"remove","path":"members.value"}])", Errc::mutability, {}, group(), staff);
  refused(R"([{"op":"remove","path":"members[colour eq \"x\"]"}])", Errc::invalid_filter, {}, group(), staff);
  refused(R"([{"op":"add","path":"members[value eq \"x\"]","value":{"value":"y"}}])", Errc::invalid_path, {},
          group(), staff);
  refused(
      R"([{"op":"replace","path":"displayName","value":"X"},{"op":"add","path":"members","value":[{"value":7}]}])",
      Errc::invalid_value, "Operations[1].members[0].value", group(), staff);
}

TEST_CASE("100,000 members in one operation take linear time, and more than the bound is refused") {
  const auto run = [](std::size_t n) {
    json::array values;
    for (std::size_t i = 0; i < n; ++i)
      values.emplace_back(json::object{{"value", "member-" + std::to_string(i / 2)}});
    json::object op{{"op", "add"}, {"path", "members"}, {"value", std::move(values)}};
    json::value body =
        json::object{{"schemas", json::array{json::value(patch_op_urn)}}, {"Operations", json::array{op}}};
    auto document = json::parse(staff).as_object();
    return apply(parse_patch(std::move(body)).value(), document, group());
  };
  const auto r = run(100000);
  REQUIRE(r);
  CHECK(r->members.at(0).values.size() == 50000);
  const auto too_many = run(200001);
  REQUIRE_FALSE(too_many);
  CHECK(too_many.error().detail().find("max_members_per_request (200000)") != std::string::npos);
}

TEST_CASE("the values of one attribute are bounded") {
  Limits l;
  l.max_values = 3;
  auto document = json::parse(babs).as_object();
  auto body = json::parse(R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
    {"op":"add","path":"emails","value":[{"value":"a"},{"value":"b"}]}]})");
  const auto r = apply(parse_patch(std::move(body)).value(), document, user(), {}, l);
  REQUIRE_FALSE(r);
  CHECK(r.error().code() == Errc::limit_exceeded);
  CHECK(document == json::parse(babs));
}
