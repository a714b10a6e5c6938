// Each tolerance by its name: what it makes of an example, and that without it the example stays as it came.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/idp/dialect.hpp>
#include <set>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::idp;
namespace json = boost::json;

namespace {

struct Example {
  RuleId rule;
  Method method;
  std::string_view type;
  std::string body;   ///< as it came; of a GET the query
  std::string after;  ///< what the rule makes of it
};

std::string ops(std::string_view operations) {
  return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":)" +
         std::string(operations) + "}";
}

const std::vector<Example>& examples() {
  using enum RuleId;
  static const std::vector<Example> all = {
      {op_case, Method::patch, "User", ops(R"([{"op":"Replace","path":"title","value":"T"}])"),
       ops(R"([{"op":"replace","path":"title","value":"T"}])")},
      {empty_path, Method::patch, "User", ops(R"([{"op":"replace","path":"","value":{"title":"T"}}])"),
       ops(R"([{"op":"replace","path":null,"value":{"title":"T"}}])")},
      {missing_schemas, Method::patch, "User", R"({"schemas":[],"Operations":[]})", ops("[]")},
      {missing_schemas, Method::patch, "User",
       R"({"schemas":"urn:ietf:params:scim:api:messages:2.0:PatchOp","Operations":[]})", ops("[]")},
      {schema_urns, Method::post, "Group", R"({"schemas":["urn:scim:schemas:core:1.0"],"displayName":"G"})",
       R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"G"})"},
      {unknown_schemas, Method::post, "Group",
       R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group","urn:x"],"displayName":"G"})",
       R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"G"})"},
      {unknown_attributes, Method::put, "Group",
       R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"G","colour":"blue"})",
       R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"G","colour":"blue"})"},
      {read_only_echo, Method::patch, "Group", ops(R"([{"op":"replace","value":{"id":"1","displayName":"G"}}])"),
       ops(R"([{"op":"replace","value":{"displayName":"G"}}])")},
      {flat_keys, Method::patch, "User", ops(R"([{"op":"replace","value":{"name.givenName":"G"}}])"),
       ops(R"([{"op":"replace","value":{"name":{"givenName":"G"}}}])")},
      {string_booleans, Method::patch, "User", ops(R"([{"op":"replace","path":"active","value":"False"}])"),
       ops(R"([{"op":"replace","path":"active","value":false}])")},
      {bare_values, Method::patch, "User", ops(R"([{"op":"add","path":"manager","value":"7"}])"),
       ops(R"([{"op":"add","path":"manager","value":{"value":"7"}}])")},
      {wrapped_values, Method::patch, "User", ops(R"([{"op":"replace","path":"title","value":[{"value":"T"}]}])"),
       ops(R"([{"op":"replace","path":"title","value":"T"}])")},
      {stringified_values, Method::patch, "User",
       ops(R"([{"op":"add","path":"roles","value":[{"value":"{\"id\":\"8\",\"value\":\"A\"}"}]}])"),
       ops(R"([{"op":"add","path":"roles","value":[{"value":"A"}]}])")},
      {empty_text_removes, Method::patch, "User", ops(R"([{"op":"replace","path":"manager","value":""}])"),
       ops(R"([{"op":"remove","path":"manager"}])")},
      {remove_listed_values, Method::patch, "Group",
       ops(R"([{"op":"remove","path":"members[value eq \"a\"]","value":[{"value":"a"}]}])"),
       ops(R"([{"op":"remove","path":"members[value eq \"a\"]"}])")},
      {unquoted_filter_values, Method::get, "User", "filter=externalId%20eq%20jyoung",
       "filter=externalId%20eq%20%22jyoung%22"},
      {value_list, Method::patch, "User", ops(R"([{"op":"add","value":[{"title":"T"},{"nickName":"N"}]}])"),
       ops(R"([{"op":"add","value":{"title":"T"}},{"op":"add","value":{"nickName":"N"}}])")},
      {null_members, Method::patch, "Group",
       ops(R"([{"op":"replace","value":{"displayName":"G","members":null}}])"),
       ops(R"([{"op":"replace","value":{"displayName":"G"}}])")},
      {operation_name, Method::patch, "Group",
       ops(R"([{"name":"addMember","op":"add","path":"members","value":[{"value":"a"}]}])"),
       ops(R"([{"op":"add","path":"members","value":[{"value":"a"}]}])")},
      {slash_paths, Method::patch, "User", ops(R"([{"op":"replace","path":"/active","value":false}])"),
       ops(R"([{"op":"replace","path":"active","value":false}])")},
      {slash_paths, Method::patch, "User", ops(R"([{"op":"replace","path":"/name/givenName","value":"G"}])"),
       ops(R"([{"op":"replace","path":"name.givenName","value":"G"}])")},
      {scim_1_patch, Method::patch, "Group",
       R"({"schemas":["urn:scim:schemas:core:1.0"],"displayName":"G",
           "members":[{"value":"a","operation":"delete"},{"value":"b"}]})",
       ops(R"([{"op":"replace","path":"displayName","value":"G"},
               {"op":"remove","path":"members[value eq \"a\"]"},
               {"op":"add","path":"members","value":[{"value":"b"}]}])")},
  };
  return all;
}

NormalRequest run(const Dialect& dialect, const Example& e) {
  RawRequest raw;
  raw.method = e.method;
  raw.type = scim::SchemaRegistry::builtin().type(e.type);
  if (e.method == Method::get) {
    raw.query = e.body;
  } else {
    raw.body = json::parse(e.body);
  }
  return normalize(dialect, std::move(raw)).value();
}

/// The order of an operation's members means nothing.
std::string shown(const Example& e, const NormalRequest& n) {
  return e.method == Method::get ? n.query : json::serialize(n.body);
}
bool same(const Example& e, const NormalRequest& n, const std::string& text) {
  return e.method == Method::get ? n.query == text : n.body == json::parse(text);
}

}  // namespace

TEST_CASE("each rule makes of its example what it says, and no other rule is needed [R11]") {
  for (const auto& e : examples()) {
    const auto& rule = rules()[static_cast<std::size_t>(e.rule)];
    INFO(rule.name);
    auto n = run(*find_dialect("generic"), e);
    CHECK(rule_ids(n.fired) == std::vector<std::string_view>{rule.name});
    INFO(shown(e, n));
    CHECK(same(e, n, e.after));
  }
}

TEST_CASE("without its rule an example stays as it came, for the strict parts to refuse [R11]") {
  for (const auto& e : examples()) {
    INFO(rules()[static_cast<std::size_t>(e.rule)].name);
    Dialect without = *find_dialect("entra");
    without.rules = {};
    for (const auto& r : rules())
      if (r.id != e.rule) without.rules.add(r.id);
    const auto n = run(without, e);
    INFO(shown(e, n));
    CHECK(n.fired.empty());
    CHECK(same(e, n, e.body));
    CHECK((n.leniency == scim::Leniency::strict) == (e.rule == RuleId::unknown_attributes));
  }
}

TEST_CASE("what only looks like a PATCH of SCIM 1.1, or like a path, stays as it came [R11]") {
  const auto after = [](const std::string& body) -> std::string {
    RawRequest raw;
    raw.method = Method::patch;
    raw.type = scim::SchemaRegistry::builtin().type("User");
    raw.body = json::parse(body);
    const auto n = normalize(*find_dialect("generic"), std::move(raw));
    return n ? json::serialize(n->body) : std::string(n.error().detail());
  };
  // Without the URN of 1.1 nobody can tell whether values are added or replaced.
  for (const auto* body : {R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"active":false})"})
    CHECK(after(body) == body);
  CHECK(
      after(
          R"({"schemas":["urn:scim:schemas:core:1.0"],"id":"1","title":"T","meta":{"attributes":["nickName"]}})") ==
      ops(R"([{"op":"remove","path":"nickName"},{"op":"replace","path":"title","value":"T"}])"));
  CHECK(after(R"({"schemas":["urn:scim:schemas:core:1.0"],"emails":[{"value":"a","operation":"update"}]})")
            .find("is \"delete\"") != std::string::npos);
  for (const auto* path : {"/nothing", "//active", "/emails/0/value", "/name/first"})
    CHECK(after(ops(R"([{"op":"replace","path":")" + std::string(path) + R"(","value":"x"}])")).find(path) !=
          std::string::npos);
}

TEST_CASE("each rule has an example, or a test of its own") {
  std::set<RuleId> shown;
  for (const auto& e : examples()) shown.insert(e.rule);
  // These show when a PATCH is applied, and in request_line_test.cpp.
  for (const auto id : {RuleId::create_absent_values, RuleId::base_url_flag, RuleId::method_override,
                        RuleId::discovery_names, RuleId::raw_spaces, RuleId::doubled_base})
    shown.insert(id);
  CHECK(shown.size() == rules().size());
}

TEST_CASE("each dialect has what its IdP needs, and answers as that likes it [R11]") {
  const auto has = [](std::string_view dialect, RuleId id) { return find_dialect(dialect)->rules.has(id); };
  for (const auto& d : dialects()) {
    INFO(d.name);
    CHECK((d.patch_answer == PatchAnswer::no_content_204) == (d.name == "entra"));
    CHECK(d.external_id_immutable == (d.name == "okta"));
    CHECK(d.keeps_unknown_members == (d.name == "generic"));
    CHECK(d.rules.has(RuleId::null_members));
  }
  CHECK(has("jumpcloud", RuleId::remove_listed_values));
  CHECK(has("entra", RuleId::remove_listed_values));
  CHECK_FALSE(has("okta", RuleId::remove_listed_values));
  CHECK(has("onelogin", RuleId::schema_urns));
  CHECK_FALSE(has("google", RuleId::method_override));
  CHECK_FALSE(has("okta", RuleId::unquoted_filter_values));
  CHECK_FALSE(has("okta", RuleId::base_url_flag));
}

TEST_CASE("a PATCH that says two things about one attribute is refused") {
  const auto refused = [](std::string_view type, std::string_view operations) {
    RawRequest raw;
    raw.method = Method::patch;
    raw.type = scim::SchemaRegistry::builtin().type(type);
    raw.body = json::parse(ops(operations));
    const auto r = normalize(*find_dialect("generic"), std::move(raw));
    return r ? "nothing" : r.error().where();
  };
  CHECK(refused("User", R"([{"op":"replace","value":{"active":true,"Active":false}}])") == "Operations[0].Active");
  CHECK(refused("User", R"([{"op":"add","value":[{"title":"T"},{"title":"A","TITLE":"B"}]}])") ==
        "Operations[0].TITLE");
  CHECK(refused("Group", R"([{"op":"remove","path":"members[value eq \"a\"]","value":[{"value":"b"}]}])") ==
        "Operations[0].value");
  CHECK(refused("Group", R"([{"op":"remove","path":"members[value eq \"a\"]","value":["a","b"]}])") ==
        "Operations[0].value");
  CHECK(refused("Group", R"([{"op":"remove","path":"members[value eq \"a\"]","value":"a"}])") == "nothing");
  CHECK(refused("User", R"([{"op":"remove","path":"emails[type eq \"work\"]","value":{"type":"home"}}])") ==
        "Operations[0].value");
}

TEST_CASE("create-absent-values: a value path that matches nothing makes the value, for those who need it [R11]") {
  const auto made = [](std::string_view dialect, std::string_view op, std::vector<Header> headers = {}) {
    RawRequest raw;
    raw.method = Method::patch;
    const auto& type = *scim::SchemaRegistry::builtin().type("User");
    raw.type = &type;
    raw.headers = headers;
    raw.body = json::parse(
        ops(R"([{"op":")" + std::string(op) + R"(","path":"emails[type eq \"work\"].value","value":"a@x"}])"));
    auto n = normalize(*find_dialect(dialect), std::move(raw)).value();
    auto document = json::parse(R"({"userName":"b"})").as_object();
    const auto r = scim::apply(scim::parse_patch(std::move(n.body)).value(), document, type, n.patch_options);
    if (!r) return std::string(r.error().code() == Errc::no_target ? "noTarget" : "another error");
    CHECK(r->created_values);
    return json::serialize(document.at("emails"));
  };
  const std::string value = R"([{"type":"work","value":"a@x"}])";
  CHECK(made("entra", "replace") == value);
  CHECK(made("okta", "add") == value);
  CHECK(made("generic", "add") == value);
  // RFC 7644 section 3.5.2.3, unless Entra ID is asking or it shows that it is.
  for (const auto* other : {"okta", "onelogin", "jumpcloud", "ping", "google"})
    CHECK(made(other, "replace") == "noTarget");
  CHECK(made("generic", "replace") == "noTarget");
  CHECK(made("generic", "Replace") == value);
  CHECK(made("generic", "replace", {{"ADSCIMVersion", "x"}}) == value);
}

TEST_CASE("read-only-echo: beside the operations as well") {
  RawRequest raw;
  raw.method = Method::patch;
  raw.type = scim::SchemaRegistry::builtin().type("Group");
  raw.body = json::parse(
      R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"ID":"1","Operations":[],"active":true})");
  const auto n = normalize(*find_dialect("okta"), std::move(raw)).value();
  CHECK(rule_ids(n.fired) == std::vector<std::string_view>{"read-only-echo"});
  CHECK_FALSE(n.body.as_object().contains("ID"));
  CHECK(n.body.as_object().contains("active"));  // for the strict parts to refuse
}

TEST_CASE("a read-only attribute alone is no echo") {
  RawRequest raw;
  raw.method = Method::patch;
  raw.type = scim::SchemaRegistry::builtin().type("User");
  raw.body = json::parse(ops(R"([{"op":"replace","value":{"groups":[]}}])"));
  const auto n = normalize(*find_dialect("okta"), std::move(raw)).value();
  CHECK(n.fired.empty());
  CHECK(n.body.at_pointer("/Operations/0/value").as_object().contains("groups"));
}
