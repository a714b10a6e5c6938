#include <boost/json/parse.hpp>
#include <deprov/idp/dialect.hpp>
#include <deprov/scim/match.hpp>
#include <deprov/scim/query.hpp>
#include <set>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::idp;

namespace {
const scim::TypeDef& user() { return *scim::SchemaRegistry::builtin().type("User"); }
const scim::TypeDef& group() { return *scim::SchemaRegistry::builtin().type("Group"); }
constexpr std::string_view enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
using Names = std::vector<std::string_view>;

NormalRequest run(Method method, const scim::TypeDef& type, std::string_view body, std::string_view query = {},
                  std::string_view dialect = "generic", std::vector<Header> headers = {}) {
  RawRequest raw;
  raw.method = method;
  raw.type = &type;
  raw.query = query;
  raw.headers = headers;
  if (!body.empty()) raw.body = json::parse(body);
  return normalize(*find_dialect(dialect), std::move(raw)).value();
}

const char* const stored = R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1","userName":"b",
  "active":true,"name":{"givenName":"G"},"title":"T"})";

struct Patched {
  NormalRequest request;
  json::value document;
  scim::PatchResult result;
};
/// All the way: as it came, through the dialect, onto the resource.
Patched patched(std::string_view operations, std::string_view dialect = "generic",
                const scim::TypeDef& type = user(), const char* start = stored) {
  auto n = run(Method::patch, type,
               R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":)" +
                   std::string(operations) + "}",
               {}, dialect);
  INFO(json::serialize(n.body));
  auto document = json::parse(start).as_object();
  auto request = scim::parse_patch(json::value(n.body));
  REQUIRE(request);
  auto r = scim::apply(std::move(*request), document, type, n.patch_options);
  REQUIRE(r);
  return {std::move(n), std::move(document), std::move(*r)};
}
Names fired(const NormalRequest& n) { return rule_ids(n.fired); }

Result<scim::PatchResult> strict(std::string_view operations, const scim::TypeDef& type = user(),
                                 const char* start = stored) {
  auto body = json::parse(R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":)" +
                          std::string(operations) + "}");
  auto document = json::parse(start).as_object();
  auto request = scim::parse_patch(std::move(body));
  if (!request) return request.error();
  return scim::apply(std::move(*request), document, type);
}
}  // namespace

TEST_CASE("rules are listed in the order of their ids, each with a name of its own and a text") {
  std::set<std::string_view> names;
  std::size_t i = 0;
  for (const auto& r : rules()) {
    CHECK(static_cast<std::size_t>(r.id) == i++);
    CHECK(names.insert(r.name).second);
    CHECK_FALSE(r.text.empty());
  }
}

TEST_CASE("dialects are found by name; senders by their headers") {
  CHECK(find_dialect("OKTA")->name == "okta");
  CHECK(find_dialect("entra")->patch_answer == PatchAnswer::no_content_204);
  CHECK(find_dialect("okta")->external_id_immutable);
  CHECK_FALSE(find_dialect("entra")->external_id_immutable);
  CHECK(find_dialect("nobody") == nullptr);
  const auto sender = [](std::vector<Header> h) { return detect(h).name; };
  CHECK(sender({{"User-Agent", "Okta SCIM Client 1.0.0"}}) == "okta");
  CHECK(sender({{"user-agent", ""}, {"adscimversion", "Date:..., ActivityId:..."}}) == "entra");
  CHECK(sender({{"User-Agent", ""}}) == "generic");
  CHECK(sender({}) == "generic");
}

TEST_CASE("generic answers as the IdP that it detects, a named dialect as itself [R11]") {
  const auto* const body = R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    "Operations":[{"op":"replace","path":"active","value":false}]})";
  auto n = run(Method::patch, user(), body, {}, "generic", {{"ADSCIMVersion", "x"}});
  CHECK(n.dialect->name == "entra");
  CHECK(n.patch_answer == PatchAnswer::no_content_204);
  n = run(Method::patch, user(), body, {}, "generic", {{"User-Agent", "Okta SCIM Client 1.0.0"}});
  CHECK(n.dialect->name == "okta");
  CHECK(n.patch_answer == PatchAnswer::resource_200);
  n = run(Method::patch, user(), body);
  CHECK(n.dialect->name == "generic");
  CHECK(n.fired.empty());
  CHECK(n.body == json::parse(body));
  n = run(Method::patch, user(), body, {}, "okta", {{"ADSCIMVersion", "x"}});
  CHECK(n.dialect->name == "okta");
  CHECK(patched(R"([{"op":"Replace","path":"active","value":false}])").request.dialect->name == "entra");
}

// Okta

TEST_CASE("Okta: deactivation, catalogue app [R11]") {
  const auto p = patched(R"([{"op":"replace","value":{"active":false}}])", "okta");
  CHECK(p.document.at("active").as_bool() == false);
  CHECK(p.result.changes == std::vector<std::string>{"active"});
  CHECK(p.request.fired.empty());
}

TEST_CASE("Okta: the id in a rename is ignored [R10][R11]") {
  const auto* const staff =
      R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"g","displayName":"A"})";
  const auto* const ops = R"([{"op":"replace","value":{"id":"abf4dd94","displayName":"Test SCIMv2"}}])";
  CHECK_FALSE(strict(ops, group(), staff));
  const auto p = patched(ops, "okta", group(), staff);
  CHECK(p.document.at("displayName").as_string() == "Test SCIMv2");
  CHECK(p.document.at("id").as_string() == "g");
  CHECK(p.result.members.empty());
  CHECK(fired(p.request) == Names{"read-only-echo"});
}

TEST_CASE("Okta: group pushes [R11]") {
  const auto* const staff = R"({"id":"g","displayName":"A"})";
  auto p = patched(R"([{"op":"remove","path":"members[value eq \"89bb1940\"]"},
    {"op":"add","path":"members","value":[{"value":"23a35c27","display":"test.user@okta.local"}]}])",
                   "okta", group(), staff);
  REQUIRE(p.result.members.size() == 2);
  CHECK(p.result.members[0].kind == scim::MemberOp::Kind::remove);
  CHECK(p.result.members[1].values.at(0) == scim::Member{"23a35c27", "test.user@okta.local", ""});
  p = patched(R"([{"op":"replace","path":"members","value":[]}])", "okta", group(), staff);
  CHECK(p.result.members.at(0).values.empty());
  // Without schemas, the empty list within the value.
  auto n =
      run(Method::patch, group(),
          R"({"Operations":[{"op":"replace","value":{"id":"org-cd1:admin","displayName":"A","members":[]}}]})", {},
          "okta");
  CHECK(fired(n) == Names{"missing-schemas", "read-only-echo"});
  auto document = json::parse(staff).as_object();
  const auto r = scim::apply(scim::parse_patch(std::move(n.body)).value(), document, group());
  REQUIRE(r);
  CHECK(r->members.at(0).kind == scim::MemberOp::Kind::replace);
  CHECK(r->members[0].values.empty());
}

TEST_CASE("Okta: create with placeholders, and a PUT that echoes our GET [R11]") {
  auto n = run(Method::post, user(), R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],
    "userName":"test.user@okta.local","name":{"givenName":"Test","familyName":"User"},
    "emails":[{"primary":true,"value":"test.user@okta.local","type":"work"}],"displayName":"Test User",
    "locale":"en-US","externalId":"00ujl29u0le5T6Aj10h7","groups":[],"password":"1mz050nq","active":true})",
               {}, "okta");
  CHECK(n.fired.empty());
  auto d = scim::normalize(std::move(n.body), user(), n.leniency);
  REQUIRE(d);
  CHECK_FALSE(d->value.contains("groups"));
  CHECK_FALSE(d->value.contains("password"));
  n = run(Method::put, user(),
          R"({"active":false,"displayName":"Mona","emails":[{"primary":true,"value":"o@g.com"}],
    "externalId":"00u1","id":"5fc0c238","meta":{"created":"2018-02-13T15:05:24.000-08:00","resourceType":"User"},
    "groups":[{"value":"g1"}],"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"b"})",
          {}, "okta");
  const auto r =
      scim::replace(json::parse(stored).as_object(), std::move(n.body), user(), {n.leniency, {"active"}});
  REQUIRE(r);
  CHECK(r->document.value.at("id").as_string() == "1");
  CHECK(r->document.value.at("active").as_bool() == false);
}

// Entra ID

TEST_CASE("Entra ID: deactivation in all its forms [R11]") {
  for (const auto* ops :
       {R"([{"op":"Replace","path":"active","value":"False"}])",
        R"([{"op":"Add","path":"active","value":"False"}])",
        R"([{"op":"replace","path":"active","value":"false"}])",
        R"([{"op":"replace","path":"active","value":false}])", R"([{"op":"Replace","value":{"active":"FALSE"}}])",
        R"([{"op":"Replace","path":"active","value":["False"]}])",
        R"([{"op":"Replace","path":"active","value":[{"$ref":null,"value":"False"}]}])"}) {
    INFO(ops);
    const auto p = patched(ops, "entra");
    CHECK(p.document.at("active") == json::value(false));
    CHECK(p.request.patch_answer == PatchAnswer::no_content_204);
  }
  CHECK(fired(patched(R"([{"op":"Replace","path":"active","value":"False"}])", "entra").request) ==
        Names{"op-case", "string-booleans"});
  CHECK_FALSE(strict(R"([{"op":"replace","path":"active","value":"False"}])"));
}

TEST_CASE("Entra ID: what is no boolean stays refused [R11]") {
  auto n = run(Method::patch, user(), R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    "Operations":[{"op":"replace","path":"active","value":"disabled"}]})");
  auto document = json::parse(stored).as_object();
  const auto r = scim::apply(scim::parse_patch(std::move(n.body)).value(), document, user(), n.patch_options);
  REQUIRE_FALSE(r);
  CHECK(r.error().code() == Errc::invalid_value);
}

TEST_CASE("Entra ID: several attributes, without and with the flag [R11]") {
  auto p = patched(R"([{"op":"Replace","path":"displayName","value":"Pvlo"},
    {"op":"Replace","path":"emails[type eq \"work\"].value","value":"Test@x.com"},
    {"op":"Replace","path":"name.givenName","value":"Gtfd"},{"op":"Replace","path":"name.familyName","value":"Pkqf"},
    {"op":"Replace","path":"externalId","value":"Eqpj"},
    {"op":"Replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber","value":"Eqpj"}])",
                   "entra");
  CHECK(p.document.at("emails") == json::parse(R"([{"type":"work","value":"Test@x.com"}])"));
  CHECK(p.result.created_values);
  CHECK(p.document.at("name") == json::parse(R"({"givenName":"Gtfd","familyName":"Pkqf"})"));
  CHECK(p.document.at(enterprise).at("employeeNumber").as_string() == "Eqpj");

  p = patched(R"([{"op":"replace","path":"emails[type eq \"work\"].value","value":"Test@x.com"},
    {"op":"replace","value":{"displayName":"Bjfe","name.givenName":"Kkom","name.familyName":"Unua",
      "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber":"Aklq"}}])",
              "entra");
  CHECK(p.document.at("displayName").as_string() == "Bjfe");
  CHECK(p.document.at("name") == json::parse(R"({"givenName":"Kkom","familyName":"Unua"})"));
  CHECK(p.document.at(enterprise).at("employeeNumber").as_string() == "Aklq");
  CHECK(fired(p.request) == Names{"flat-keys"});
}

TEST_CASE("flat keys with brackets become operations of their own, in their place") {
  const auto p = patched(
      R"([{"op":"add","value":{"emails[type eq \"work\"].value":"w@x","emails[type eq \"work\"].primary":"True",
    "title":"X","manager.value":"7"}},{"op":"remove","path":"title"}])");
  CHECK(p.document.at("emails") == json::parse(R"([{"type":"work","value":"w@x","primary":true}])"));
  CHECK(p.document.at(enterprise) == json::parse(R"({"manager":{"value":"7"}})"));
  CHECK_FALSE(p.document.as_object().contains("title"));
}

TEST_CASE("flat keys that contradict their object are refused") {
  RawRequest raw;
  raw.method = Method::patch;
  raw.type = &user();
  raw.body = json::parse(R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    "Operations":[{"op":"replace","value":{"name":{"givenName":"A"},"name.givenName":"B"}}]})");
  const auto r = normalize(*find_dialect("generic"), std::move(raw));
  REQUIRE_FALSE(r);
  CHECK(r.error().code() == Errc::invalid_value);
  CHECK(r.error().where() == "Operations[0].name.givenName");
}

TEST_CASE("Entra ID: the manager in all its shapes [R11]") {
  const auto manager = [](std::string_view value, std::string_view path, std::string_view dialect = "entra") {
    const auto p = patched(
        R"([{"op":"Add","path":")" + std::string(path) + R"(","value":)" + std::string(value) + "}]", dialect);
    const auto* e = p.document.as_object().if_contains(enterprise);
    return e != nullptr ? json::serialize(*e) : std::string();
  };
  const std::string urn = std::string(enterprise) + ":manager";
  CHECK(manager("\"271\"", urn) == R"({"manager":{"value":"271"}})");
  CHECK(manager(R"([{"value":"271"}])", "manager") == R"({"manager":{"value":"271"}})");
  CHECK(manager(R"({"$ref":null,"value":"271"})", urn) == R"({"manager":{"value":"271"}})");
  // Within the whole extension too, by path or without one.
  const auto whole = R"({"manager":"271","department":"D"})";
  CHECK(json::parse(manager(whole, enterprise)) == json::parse(R"({"manager":{"value":"271"},"department":"D"})"));
  const auto pathless =
      patched(R"([{"op":"replace","value":{")" + std::string(enterprise) + "\":" + whole + "}}]", "entra");
  CHECK(pathless.document.at(enterprise) == json::parse(R"({"manager":{"value":"271"},"department":"D"})"));
  const auto with = R"({"id":"1","userName":"b","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":
    {"manager":{"value":"271"},"department":"D"}})";
  for (const auto* empty : {"\"\"", "[]", R"({"value":""})", R"([{"value":""}])", R"([{"$ref":null,"value":""}])",
                            R"({"$ref":"","value":"","displayName":null})"}) {
    INFO(empty);
    for (const auto* op : {"Add", "Replace"}) {
      const auto p =
          patched(R"([{"op":")" + std::string(op) + R"(","path":")" + urn + R"(","value":)" + empty + "}]",
                  "entra", user(), with);
      CHECK(p.document.at(enterprise) == json::parse(R"({"department":"D"})"));
    }
    const auto p =
        patched(R"([{"op":"replace","value":{"manager":)" + std::string(empty) + "}}]", "entra", user(), with);
    CHECK(p.document.at(enterprise) == json::parse(R"({"department":"D"})"));
  }
  const auto p = patched(R"([{"op":"Remove","path":")" + urn + R"(","value":"271"}])", "entra", user(), with);
  CHECK(p.document.at(enterprise) == json::parse(R"({"department":"D"})"));
}

TEST_CASE("Entra ID: app roles as JSON in a string [R11]") {
  const auto p = patched(R"([{"op":"Add","path":"roles","value":[{"value":
    "{\"id\":\"827f\",\"value\":\"Admin\",\"displayName\":\"The Admin\"}"}]}])",
                         "entra");
  CHECK(p.document.at("roles") == json::parse(R"([{"value":"Admin","display":"The Admin"}])"));
  CHECK(fired(p.request) == Names{"op-case", "stringified-values"});
  const auto q = patched(R"([{"op":"add","path":"roles","value":[{"value":"{not json}"}]}])", "entra");
  CHECK(q.document.at("roles") == json::parse(R"([{"value":"{not json}"}])"));
}

TEST_CASE("Entra ID and JumpCloud: removing listed members never removes all [R11]") {
  const auto* const staff = R"({"id":"g","displayName":"A"})";
  const auto p = patched(R"([{"op":"Remove","path":"members","value":[{"$ref":null,"value":"f648f8d5"}]}])",
                         "entra", group(), staff);
  REQUIRE(p.result.members.size() == 1);
  CHECK(p.result.members[0].kind == scim::MemberOp::Kind::remove);
  CHECK(p.result.members[0].values == std::vector<scim::Member>{{"f648f8d5", "", ""}});
  CHECK(fired(p.request) == Names{"op-case", "remove-listed-values"});
  auto n = run(Method::patch, group(), R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    "Operations":[{"op":"remove","path":"members","value":[{"value":"x"}]}]})",
               {}, "okta");
  auto document = json::parse(staff).as_object();
  CHECK_FALSE(scim::apply(scim::parse_patch(std::move(n.body)).value(), document, group(), n.patch_options));
}

TEST_CASE("Entra ID: creating users and groups [R11]") {
  auto n = run(Method::post, user(), R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0User"],"externalId":"e","userName":"u","active":"True",
    "addresses":null,"phoneNumbers":null,"title":null,"department":null,"manager":null,"nonsense":null,"roles":[],
    "emails":[{"primary":"true","type":"work","value":"a@x"}],
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0User":{"department":"D","manager":"271"}})",
               {}, "entra");
  CHECK(fired(n) == Names{"schema-urns", "string-booleans", "bare-values"});
  auto d = scim::normalize(std::move(n.body), user(), n.leniency);
  REQUIRE(d);
  CHECK(d->value == json::parse(R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"externalId":"e","userName":"u","active":true,
    "emails":[{"primary":true,"type":"work","value":"a@x"}],
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D","manager":{"value":"271"}}})"));
  n = run(Method::post, group(), R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group",
    "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],"externalId":"8aa1a0c0",
    "displayName":"displayName","meta":{"resourceType":"Group"}})",
          {}, "entra");
  CHECK(fired(n) == Names{"unknown-schemas"});
  d = scim::normalize(std::move(n.body), group(), scim::Leniency::strict);
  REQUIRE(d);
  CHECK_FALSE(d->members);
}

TEST_CASE("misspelt URNs in paths and keys") {
  auto p = patched(
      R"([{"op":"add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0User:department","value":"D"}])");
  CHECK(p.document.at(enterprise).at("department").as_string() == "D");
  CHECK(fired(p.request) == Names{"schema-urns"});
  p = patched(R"([{"op":"add","value":{"urn:scim:schemas:extension:enterprise:1.0":{"department":"D"}}}])");
  CHECK(p.document.at(enterprise).at("department").as_string() == "D");
  p = patched(R"([{"op":"replace","path":"urn:scim:schemas:core:1.0:title","value":"X"}])");
  CHECK(p.document.at("title").as_string() == "X");
}

// OneLogin

TEST_CASE("OneLogin: URNs from before the RFC, a query with + and a trailing & [R11]") {
  auto n = run(Method::put, user(),
               R"({"schemas":["urn:scim:schemas:core:2.0","urn:scim:schemas:extension:enterprise:2.0"],
    "userName":"onelogin-test-user01","name":{"familyName":" User 01","givenName":"AAA Test"},"custom":"x"})",
               "", "generic", {{"User-Agent", ""}});
  CHECK(fired(n) == Names{"schema-urns", "unknown-attributes"});
  CHECK(n.dialect->name == "onelogin");
  CHECK(n.leniency == scim::Leniency::tolerant);
  CHECK(n.body.at("schemas") == json::parse(R"(["urn:ietf:params:scim:schemas:core:2.0:User",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"])"));
  n = run(Method::get, user(), {}, "filter=userName+eq+%22onelogin-test-user01%22&");
  CHECK(n.query == "filter=userName+eq+%22onelogin-test-user01%22&");
  CHECK(scim::parse_query(n.query)->filter == R"(userName eq "onelogin-test-user01")");
  n = run(Method::post, user(), R"({"userName":"b"})");
  CHECK(fired(n) == Names{"missing-schemas"});
  CHECK(n.body.at("schemas") == json::parse(R"(["urn:ietf:params:scim:schemas:core:2.0:User"])"));
}

TEST_CASE("filters: unquoted values and literals of the wrong type [R11]") {
  const auto filter = [](std::string_view text, const scim::TypeDef& type = user()) {
    std::string encoded = "count=5&filter=";
    for (const char c : text) {
      if (c == ' ') {
        encoded += "%20";
      } else if (c == '"') {
        encoded += "%22";
      } else if (c == '&' || c == '+' || c == '%') {
        FAIL("not needed here");
      } else {
        encoded.push_back(c);
      }
    }
    const auto n = run(Method::get, type, {}, encoded);
    const auto q = scim::parse_query(n.query).value();
    CHECK(q.count == 5);
    // What the service goes on with is what the text says.
    const auto parsed = scim::parse_filter(q.filter.value_or(""));
    REQUIRE(n.filter.has_value() == parsed.has_value());
    if (parsed) CHECK(*n.filter == *parsed);
    return std::pair<std::string, Names>(q.filter.value_or(""), fired(n));
  };
  CHECK(filter("externalId eq jyoung") ==
        std::pair<std::string, Names>(R"(externalId eq "jyoung")", {"unquoted-filter-values"}));
  CHECK(filter("userName eq a b@x.com and active eq True").first ==
        R"(userName eq "a b@x.com" and active eq true)");
  CHECK(filter("(userName eq bob or externalId eq 007)").first == R"(userName eq "bob" or externalId eq "007")");
  CHECK(filter("externalId eq 701984").first == R"(externalId eq "701984")");
  CHECK(filter("userName eq 'bob'").first == R"(userName eq "bob")");
  CHECK(filter("emails[type eq work].value eq a@x").first == R"(emails[type eq "work" and value eq "a@x"])");
  CHECK(filter("emails[type eq work and value eq a@x]").first == R"(emails[type eq "work" and value eq "a@x"])");
  CHECK(filter(R"(active eq "True")") == std::pair<std::string, Names>("active eq true", {"string-booleans"}));
  CHECK(filter(R"(id eq 5 and manager eq 7)").first == R"(id eq "5" and manager eq "7")");
  for (const auto* right :
       {R"(userName eq "x y")", R"(id eq "1" and manager eq "2")", "title pr", "active eq false"}) {
    CHECK(filter(right) == std::pair<std::string, Names>(right, {}));
  }
  for (const auto* hopeless : {"userName regex bob", "userName", "(userName eq bob", "userName eq"}) {
    INFO(hopeless);
    CHECK(filter(hopeless) == std::pair<std::string, Names>(hopeless, {}));
  }
  CHECK_FALSE(run(Method::get, user(), {}, "filter=title%20pr&filter=title%20pr").filter);
  CHECK_FALSE(run(Method::get, user(), {}, "count=5").filter);
  const auto p = patched(R"([{"op":"remove","path":"members[value eq 89bb1940-b905]"}])", "generic", group(),
                         R"({"displayName":"A"})");
  CHECK(p.result.members.at(0).values == std::vector<scim::Member>{{"89bb1940-b905", "", ""}});
  CHECK(run(Method::get, user(), {}, "filter=externalId%20eq%20jyoung", "okta").query ==
        "filter=externalId%20eq%20jyoung");
  CHECK(run(Method::get, user(), {}, "filter=%zz").query == "filter=%zz");
}

TEST_CASE("a search body's filter is helped as well") {
  const auto n =
      run(Method::post, user(),
          R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"userName eq bob"})");
  CHECK(n.body.at("filter").as_string() == R"(userName eq "bob")");
  CHECK(n.body.at("schemas").as_array().size() == 1);
}

TEST_CASE("an operation that nobody knows is never accepted") {
  auto n = run(Method::patch, user(), R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    "Operations":[{"op":"disable","path":"active"}]})");
  const auto r = scim::parse_patch(std::move(n.body));
  REQUIRE_FALSE(r);
  CHECK(r.error().code() == Errc::invalid_syntax);
  CHECK(r.error().detail().find("\"disable\"") != std::string::npos);
}

TEST_CASE("bodies of any shape pass through without harm") {
  for (const auto* body :
       {"null", "[]", "7", "\"x\"", "{}", R"({"Operations":7})", R"({"Operations":[7,{},{"op":7},{"op":"add"}]})",
        R"({"schemas":{},"Operations":[{"op":"add","path":7,"value":7}]})", R"({"schemas":7})",
        R"({"schemas":[7,null]})", R"({"Operations":[{"op":"add","path":"][","value":[]}]})",
        R"({"Operations":[{"op":"add","path":"emails].","value":"x"}]})",
        R"({"Operations":[{"op":"add","path":"emails[","value":"x"}]})",
        R"({"Operations":[{"op":"remove","path":"emails[value eq","value":""}]})",
        R"({"Operations":[{"op":"add","value":{"":1,".":2,":":3,"[":4,"a[b].c":5,"name.":{}}}]})",
        R"({"emails":{"value":[[[]]]},"name":[[{}]],"active":[[]],"urn:":{},"roles":["{}","{\"value\":[]}"]})"}) {
    for (const auto& d : dialects())
      for (const auto m : {Method::get, Method::post, Method::put, Method::patch, Method::remove})
        for (const auto* t : {&user(), &group(), static_cast<const scim::TypeDef*>(nullptr)}) {
          INFO(body << " " << d.name << " " << static_cast<int>(m));
          RawRequest raw;
          raw.method = m;
          raw.type = t;
          raw.body = json::parse(body);
          CHECK(normalize(d, std::move(raw)));
        }
  }
}

TEST_CASE("Entra ID: a remove with a value takes that value and no other [R11]") {
  const auto ops = [](const std::string& rest) { return R"([{"op":"Remove",)" + rest + "}]"; };
  auto p = patched(ops(R"("path":"active","value":"True")"), "entra");
  CHECK_FALSE(p.document.as_object().contains("active"));
  CHECK(fired(p.request) == Names{"op-case", "string-booleans", "remove-listed-values"});
  p = patched(ops(R"("path":"active","value":"False")"), "entra");
  CHECK(p.document.at("active") == true);
  CHECK(p.result.notes.size() == 1);
  // "" and [] say no more than the path does.
  for (const auto* nothing : {R"("")", "[]"}) {
    p = patched(ops(R"("path":"active","value":)" + std::string(nothing)), "entra");
    CHECK_FALSE(p.document.as_object().contains("active"));
    CHECK(fired(p.request) == Names{"op-case", "empty-text-removes"});
  }
}

TEST_CASE("whoever names one member in the path and another in the value is refused [R11]") {
  for (const auto* dialect : {"okta", "google", "ping", "entra"}) {
    INFO(dialect);
    const auto refused = [&](const std::string& value) {
      idp::RawRequest raw;
      raw.method = Method::patch;
      raw.type = &group();
      raw.body = json::parse(R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
        {"op":"remove","path":"members[value eq \"a\"]","value":[{"value":")" +
                             value + R"("}]}]})");
      return !normalize(*find_dialect(dialect), std::move(raw));
    };
    CHECK(refused("b"));
    CHECK_FALSE(refused("a"));
  }
  // Where a remove may have a value, one that says nothing is none.
  CHECK_FALSE(
      patched(R"([{"op":"remove","path":"active","value":""}])", "ping").document.as_object().contains("active"));
}
