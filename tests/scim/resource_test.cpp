#include <boost/json/parse.hpp>
#include <deprov/scim/resource.hpp>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::scim;

namespace {
const TypeDef& user() { return *SchemaRegistry::builtin().type("User"); }
const TypeDef& group() { return *SchemaRegistry::builtin().type("Group"); }
Result<Document> make(const char* body, Leniency l = Leniency::strict, const TypeDef& type = user()) {
  return normalize(json::parse(body), type, l);
}
#define USER "\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"]"
#define GROUP "\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:Group\"]"
constexpr std::string_view enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
}  // namespace

TEST_CASE("a body is brought into the form in which it is stored") {
  const auto d = make(R"({)" USER R"(,"USERNAME":"b","Name":{"GIVENNAME":"B","familyName":null},"active":true,
    "emails":[{"Value":"a@x","Primary":true},null,{}],"phoneNumbers":[],"ims":null,"title":"",
    "id":"sent","meta":{"created":"x"},"groups":[],"password":"1mz050nq",
    "photos":{"value":"https://x/y"}})");
  REQUIRE(d);
  CHECK(d->value == json::parse(R"({)" USER R"(,"userName":"b","name":{"givenName":"B"},"active":true,
    "emails":[{"value":"a@x","primary":true}],"title":"","photos":[{"value":"https://x/y"}]})"));
  CHECK_FALSE(d->members);
  CHECK(d->notes == std::vector<std::string>{"password is not stored"});
}

TEST_CASE("schemas name the core schema and the extensions with values") {
  auto d = make(R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":"b"})");
  REQUIRE(d);
  CHECK(d->value.at("schemas").as_array().size() == 1);
  d = make(R"({)" USER R"(,"userName":"b","urn:ietf:params:scim:schemas:extension:enterprise:2.0:USER":
    {"Department":"D","manager":{"value":"7","displayName":"read-only"}},
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division":"V"})");
  REQUIRE(d);
  // In whatever order, and however often, they are named.
  const auto other = make(R"({"schemas":["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    "urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
    "userName":"b","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":
    {"department":"D","manager":{"value":"7"},"division":"V"}})");
  REQUIRE(other);
  CHECK(other->value == d->value);
  CHECK(d->value.at(enterprise) == json::parse(R"({"department":"D","manager":{"value":"7"},"division":"V"})"));
  CHECK(d->value.at("schemas").as_array().size() == 2);
}

TEST_CASE("bodies that are wrong are refused by name") {
  const struct {
    const char* body;
    Errc code;
    std::string_view where;
  } table[] = {
      {"[]", Errc::invalid_syntax, ""},
      {R"({"userName":"b"})", Errc::invalid_syntax, "schemas"},
      {R"({"schemas":"x","userName":"b"})", Errc::invalid_syntax, "schemas"},
      {R"({"schemas":[7],"userName":"b"})", Errc::invalid_syntax, "schemas"},
      {R"({"schemas":[],"userName":"b"})", Errc::invalid_syntax, "schemas"},
      {R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:x"],"userName":"b"})",
       Errc::invalid_syntax, "schemas"},
      {R"({)" USER "}", Errc::invalid_value, "userName"},
      {R"({)" USER R"(,"userName":null})", Errc::invalid_value, "userName"},
      {R"({)" USER R"(,"userName":""})", Errc::invalid_value, "userName"},
      {R"({)" USER R"(,"userName":7})", Errc::invalid_value, "userName"},
      {R"({)" USER R"(,"userName":"b","active":"yes"})", Errc::invalid_value, "active"},
      {R"({)" USER R"(,"userName":"b","active":1})", Errc::invalid_value, "active"},
      {R"({)" USER R"(,"userName":"b","name":"x"})", Errc::invalid_value, "name"},
      {R"({)" USER R"(,"userName":"b","name":{"givenName":[]}})", Errc::invalid_value, "name.givenName"},
      {R"({)" USER R"(,"userName":"b","emails":"x"})", Errc::invalid_value, "emails"},
      {R"({)" USER R"(,"userName":"b","emails":["x"]})", Errc::invalid_value, "emails[0]"},
      {R"({)" USER R"(,"userName":"b","emails":[{"value":"a"},{"value":{}}]})", Errc::invalid_value,
       "emails[1].value"},
      {R"({)" USER R"(,"userName":"b","emails":[{"value":"a","primary":true},{"value":"b","primary":true}]})",
       Errc::invalid_value, "emails"},
      {R"({)" USER R"(,"userName":"b","x509Certificates":[{"value":"a b"}]})", Errc::invalid_value,
       "x509Certificates[0].value"},
      {R"({)" USER R"(,"userName":"b","nothing":1})", Errc::invalid_syntax, "nothing"},
      {R"({)" USER R"(,"userName":"b","name":{"nothing":1}})", Errc::invalid_syntax, "name.nothing"},
      {R"({)" USER R"(,"userName":"b","urn:x":{}})", Errc::invalid_syntax, "urn:x"},
      {R"({)" USER R"(,"userName":"b","department":"D"})", Errc::invalid_syntax, "department"},
      {R"({)" USER R"(,"userName":"b","USERNAME":"c"})", Errc::invalid_syntax, "userName"},
      {R"({)" USER R"(,"userName":"b","name":{"givenName":"a","GIVENNAME":"b"}})", Errc::invalid_syntax,
       "name.givenName"},
      {R"({)" USER R"(,"userName":"b","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":[]})",
       Errc::invalid_value, enterprise},
      {R"({)" USER
       R"(,"userName":"b","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"nothing":1}})",
       Errc::invalid_syntax, "nothing"},
  };
  for (const auto& row : table) {
    INFO(row.body);
    const auto d = make(row.body);
    REQUIRE_FALSE(d);
    INFO(d.error().message());
    CHECK(d.error().code() == row.code);
    CHECK(d.error().where() == row.where);
  }
}

TEST_CASE("tolerant: what nobody knows is ignored and noted") {
  const auto d = make(
      R"({"schemas":["urn:x"],"userName":"b","nothing":1,"name":{"givenName":"g","colour":"red"},"urn:x":{"a":1},
    "department":"D","manager":null,"nil":null})",
      Leniency::tolerant);
  REQUIRE(d);
  CHECK(d->value.at("name") == json::parse(R"({"givenName":"g"})"));
  CHECK(d->value.at(enterprise) == json::parse(R"({"department":"D"})"));
  CHECK_FALSE(d->value.contains("nothing"));
  CHECK(d->notes.size() == 5);
  CHECK_FALSE(make(R"({"userName":"b","active":"yes"})", Leniency::tolerant));
  CHECK_FALSE(make(R"({"active":true})", Leniency::tolerant));
}

TEST_CASE("members are taken out of a group's body") {
  auto d = make(
      R"({)" GROUP
      R"(,"displayName":"G","members":[{"value":"a","display":"A"},{"value":"A"},{"value":"b","$ref":null}]})",
      Leniency::strict, group());
  REQUIRE(d);
  CHECK_FALSE(d->value.contains("members"));
  REQUIRE(d->members);
  CHECK(d->members->kind == MemberOp::Kind::replace);
  CHECK(d->members->values == std::vector<Member>{{"a", "A", ""}, {"b", "", ""}});
  d = make(R"({)" GROUP R"(,"displayName":"G","members":[]})", Leniency::strict, group());
  REQUIRE(d->members);
  CHECK(d->members->values.empty());
  for (const auto* absent :
       {R"({)" GROUP R"(,"displayName":"G"})", R"({)" GROUP R"(,"displayName":"G","members":null})"}) {
    d = make(absent, Leniency::strict, group());
    REQUIRE(d);
    CHECK_FALSE(d->members);
  }
  CHECK_FALSE(make(R"({)" GROUP R"(,"displayName":"G","members":[{}]})", Leniency::strict, group()));
  CHECK_FALSE(make(R"({)" GROUP R"(,"members":[]})", Leniency::strict, group()));
}

namespace {
const char* const stored = R"({)" USER R"(,"id":"1","externalId":"e","userName":"b","active":false,"title":"VP",
  "emails":[{"value":"a@x"}],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D"},
  "meta":{"resourceType":"User"}})";
Result<Replacement> put(const char* body, const ReplaceOptions& o = {}) {
  return replace(json::parse(stored).as_object(), json::parse(body), user(), o);
}
}  // namespace

TEST_CASE("PUT replaces, keeps what is the server's, and what R10 keeps [R10]") {
  auto r = put(
      R"({)" USER
      R"(,"userName":"b","id":"other","meta":{"resourceType":"Group"},"groups":[{"value":"g"}],"nickName":"n"})");
  REQUIRE(r);
  CHECK(r->document.value == json::parse(R"({)" USER R"(,"userName":"b","nickName":"n","id":"1","externalId":"e",
    "active":false,"meta":{"resourceType":"User"}})"));
  CHECK(r->changed);
  auto changes = r->changes;
  std::sort(changes.begin(), changes.end());
  CHECK(changes == std::vector<std::string>{"emails", "nickName", "title", std::string(enterprise)});

  ReplaceOptions nothing_kept;
  nothing_kept.keep.clear();
  r = put(R"({)" USER R"(,"userName":"b"})", nothing_kept);
  REQUIRE(r);
  CHECK_FALSE(r->document.value.contains("active"));
  CHECK_FALSE(r->document.value.contains("externalId"));
}

TEST_CASE("a PUT of what a GET answered changes nothing [R13]") {
  const auto r = put(stored);
  REQUIRE(r);
  CHECK_FALSE(r->changed);
  CHECK(r->changes.empty());
  CHECK(json::value(r->document.value).at("schemas").as_array().size() == 2);
}

TEST_CASE("a PUT changes no immutable attribute and drops none") {
  SchemaRegistry reg;
  REQUIRE(reg.load_schemas(
      json::parse(R"({"id":"urn:x:T","attributes":[{"name":"serial","mutability":"immutable"},{"name":"n"},
    {"name":"c","type":"complex","subAttributes":[{"name":"a","mutability":"immutable"},{"name":"b"}]}]})")));
  REQUIRE(reg.load_resource_types(json::parse(R"({"name":"T","endpoint":"/T","schema":"urn:x:T"})")));
  const auto& t = *reg.type("T");
  const auto existing = json::parse(R"({"serial":"1","c":{"a":"1","b":"1"}})").as_object();
  const auto run = [&](const char* body) { return replace(existing, json::parse(body), t); };
  auto r = run(R"({"schemas":["urn:x:T"],"n":"x"})");
  REQUIRE(r);
  CHECK(r->document.value.at("serial").as_string() == "1");
  r = run(R"({"schemas":["urn:x:T"],"serial":"2"})");
  REQUIRE_FALSE(r);
  CHECK(r.error().code() == Errc::mutability);
  r = run(R"({"schemas":["urn:x:T"],"serial":"1","c":{"a":"2"}})");
  REQUIRE_FALSE(r);
  CHECK(r.error().where() == "c.a");
  r = run(R"({"schemas":["urn:x:T"],"c":{"b":"2"}})");
  REQUIRE(r);
  CHECK(r->document.value.at("c") == json::parse(R"({"a":"1","b":"2"})"));
}

TEST_CASE("what a GET does not show stays in a PUT that does not name it") {
  SchemaRegistry reg;
  REQUIRE(reg.load_schemas(json::parse(R"([{"id":"urn:x:T","attributes":[{"name":"never","returned":"never"},
    {"name":"asked","returned":"request","multiValued":true},{"name":"shown"}]},
    {"id":"urn:x:E","attributes":[{"name":"deep","returned":"never"},{"name":"plain"}]}])")));
  REQUIRE(reg.load_resource_types(json::parse(
      R"({"name":"T","endpoint":"/T","schema":"urn:x:T","schemaExtensions":[{"schema":"urn:x:E"}]})")));
  const auto existing = json::parse(R"({"schemas":["urn:x:T","urn:x:E"],"never":"n","asked":["a"],"shown":"s",
    "urn:x:E":{"deep":"d","plain":"p"}})")
                            .as_object();
  const auto run = [&](const char* body) {
    auto r = replace(existing, json::parse(body), *reg.type("T"));
    REQUIRE(r);
    return *r;
  };
  const auto echo = run(R"({"schemas":["urn:x:T","urn:x:E"],"shown":"s","urn:x:E":{"plain":"p"}})");
  CHECK_FALSE(echo.changed);
  CHECK(echo.document.value == existing);
  CHECK(run(R"({"schemas":["urn:x:T"]})").document.value ==
        json::parse(R"({"schemas":["urn:x:T"],"never":"n","asked":["a"]})"));
  // Whoever names it changes it.
  CHECK(run(R"({"schemas":["urn:x:T"],"never":null,"ASKED":[],"urn:x:E":{"deep":null,"plain":"p"}})")
            .document.value == json::parse(R"({"schemas":["urn:x:T","urn:x:E"],"urn:x:E":{"plain":"p"}})"));
  CHECK(run(R"({"schemas":["urn:x:T"],"never":"m"})").document.value.at("never").as_string() == "m");
}

TEST_CASE("parts of a value that a GET does not show stay in a PUT that does not name them") {
  SchemaRegistry reg;
  REQUIRE(reg.load_schemas(json::parse(R"([{"id":"urn:x:T","attributes":[
    {"name":"must","returned":"never","required":true},
    {"name":"one","type":"complex","subAttributes":[{"name":"seen"},{"name":"never","returned":"never"},
      {"name":"must","returned":"request","required":true}]},
    {"name":"dark","type":"complex","subAttributes":[{"name":"seen"},{"name":"never","returned":"never"}]},
    {"name":"keys","type":"complex","multiValued":true,"subAttributes":[{"name":"value"},{"name":"type"},
      {"name":"display"},{"name":"pin","returned":"never"},{"name":"hint","returned":"request"}]},
    {"name":"places","type":"complex","multiValued":true,"subAttributes":[{"name":"type"},{"name":"street"},
      {"name":"code","returned":"never"}]}]},
    {"id":"urn:x:E","attributes":[{"name":"deep","type":"complex","subAttributes":[{"name":"seen"},
      {"name":"never","returned":"never"}]}]},
    {"id":"urn:x:D","attributes":[{"name":"dark","returned":"never"},{"name":"plain"}]}])")));
  REQUIRE(reg.load_resource_types(json::parse(
      R"({"name":"T","endpoint":"/T","schema":"urn:x:T","schemaExtensions":[{"schema":"urn:x:E"},
          {"schema":"urn:x:D"}]})")));
  const auto existing = json::parse(R"({"schemas":["urn:x:T","urn:x:E","urn:x:D"],"must":"m",
    "one":{"seen":"s","never":"n","must":"r"},"dark":{"never":"d"},
    "keys":[{"value":"A","type":"x","display":"a","pin":"1","hint":"h"},{"value":"A","type":"y","pin":"2"},
            {"value":"B","pin":"3"},{"pin":"4"}],
    "places":[{"type":"work","street":"w","code":"5"},{"type":"home","street":"h","code":"6"}],
    "urn:x:E":{"deep":{"seen":"s","never":"n"}},"urn:x:D":{"dark":"d"}})")
                            .as_object();
  const auto run = [&](const std::string& members) {
    auto r = replace(existing, json::parse(R"({"schemas":["urn:x:T"],)" + members + "}"), *reg.type("T"));
    REQUIRE(r);
    return *r;
  };
  const std::string echo = R"("one":{"seen":"s"},
    "keys":[{"value":"A","type":"x","display":"a"},{"value":"A","type":"y"},{"value":"B"}],
    "places":[{"type":"work","street":"w"},{"type":"home","street":"h"}],"urn:x:E":{"deep":{"seen":"s"}})";
  const auto same = run(echo);
  CHECK_FALSE(same.changed);
  CHECK(same.document.value == existing);

  // In any case, with any prefix, and what is seen may change.
  const auto part = [&](const std::string& members, const char* name) {
    return run(members).document.value.at(name);
  };
  CHECK(part(R"("ONE":{"Seen":"t"})", "one") == json::parse(R"({"seen":"t","never":"n","must":"r"})"));
  CHECK(part(R"("urn:x:T":{"one":{"seen":"t"}})", "one") == json::parse(R"({"seen":"t","never":"n","must":"r"})"));
  CHECK(part(R"("urn:x:E:deep":{"seen":"t"})", "urn:x:E") == json::parse(R"({"deep":{"seen":"t","never":"n"}})"));
  CHECK(part(R"("one":{}, "dark":{"seen":"l"})", "dark") == json::parse(R"({"seen":"l","never":"d"})"));

  // Values of a list are found again by what is seen of them, by `value`, or by a `type` that is there once.
  CHECK(part(R"("keys":[{"value":"b","display":"new"},{"value":"C"},{"value":"a","TYPE":"y"}])", "keys") ==
        json::parse(R"([{"value":"b","display":"new","pin":"3"},{"value":"C"},{"value":"a","type":"y","pin":"2"},
                        {"pin":"4"}])"));
  CHECK(part(R"("keys":[{"value":"A","type":"z"}])", "keys") ==
        json::parse(R"([{"value":"A","type":"z","pin":"1","hint":"h"},{"pin":"4"}])"));
  CHECK(part(R"("places":[{"type":"home","street":"new"},{"type":"other","street":"o"}])", "places") ==
        json::parse(R"([{"type":"home","street":"new","code":"6"},{"type":"other","street":"o"}])"));
  CHECK(part(R"("places":[{"type":"work","street":"1"},{"type":"work","street":"2"}])", "places") ==
        json::parse(R"([{"type":"work","street":"1"},{"type":"work","street":"2"}])"));

  // Whoever names it changes it.
  CHECK(part(R"("one":{"seen":"s","NEVER":null})", "one") == json::parse(R"({"seen":"s","must":"r"})"));
  CHECK(part(R"("keys":[{"value":"B","pin":"9"},{"value":"A","type":"x","pin":null,"hint":null}])", "keys") ==
        json::parse(R"([{"value":"B","pin":"9"},{"value":"A","type":"x"},{"pin":"4"}])"));

  // What was seen and is left out goes with all of it; what shows nothing stays.
  const auto none = run(R"("keys":[],"places":null)").document.value;
  CHECK(none == json::parse(R"({"schemas":["urn:x:T","urn:x:D"],"must":"m","dark":{"never":"d"},
                                "urn:x:D":{"dark":"d"}})"));
  CHECK_FALSE(run(R"("dark":null,"urn:x:D":null)").document.value.contains("dark"));
  CHECK_FALSE(run(R"("dark":null,"urn:x:D":null)").document.value.contains("urn:x:D"));
  const auto refused = replace(existing, json::parse(R"({"schemas":["urn:x:T"],"must":null})"), *reg.type("T"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().where() == "must");
}

TEST_CASE("a stored document is read without copies") {
  const auto o = json::parse(stored).as_object();
  const Resource r(o);
  CHECK(r.id() == "1");
  CHECK(r.user_name() == "b");
  CHECK(r.active() == false);
  CHECK(r.email() == "a@x");
  CHECK(r.display_name().empty());
  const auto two =
      json::parse(R"({"emails":[{"value":"a"},{"type":"x"},{"value":"b","primary":true}]})").as_object();
  CHECK(Resource(two).email() == "b");
  CHECK(Resource(two).emails() == std::vector<std::string_view>{"a", "b"});
  CHECK_FALSE(Resource(two).active());
}

TEST_CASE("members are shown with their URI") {
  CHECK(json::serialize(to_json(Member{"a", "A", "Group"}, "https://x/v2")) ==
        R"({"value":"a","display":"A","type":"Group","$ref":"https://x/v2/Groups/a"})");
  CHECK(json::serialize(to_json(Member{"a", "", ""})) == R"({"value":"a"})");
}

TEST_CASE("the same value with the same type is there once, with what is said of it last") {
  const auto run = [](const std::string& emails) {
    auto r = normalize(json::parse(R"({)" USER R"(,"userName":"b","emails":)" + emails + "}"), user(),
                       Leniency::strict);
    REQUIRE(r);
    return r->value.at("emails");
  };
  CHECK(
      run(R"([{"value":"a@x","type":"work","display":"1"},{"value":"b@x"},{"value":"A@X","type":"WORK","primary":true}])") ==
      json::parse(R"([{"value":"a@x","type":"work","display":"1","primary":true},{"value":"b@x"}])"));
  CHECK(run(R"([{"value":"a@x"},{"value":"a@x","display":"2"},{"value":"a@x","type":"home"}])") ==
        json::parse(R"([{"value":"a@x","display":"2"},{"value":"a@x","type":"home"}])"));
  // Where there is no `value`, only what is wholly the same is.
  CHECK(run(R"([{"type":"work","display":"1"},{"type":"work","display":"1"},{"type":"work","display":"2"}])") ==
        json::parse(R"([{"type":"work","display":"1"},{"type":"work","display":"2"}])"));
}

TEST_CASE("many values of one attribute are refused by the bound's name") {
  json::array emails;
  for (int i = 0; i < 1001; ++i) emails.emplace_back(json::object{{"value", "x"}});
  auto body = json::parse(R"({)" USER R"(,"userName":"b"})");
  body.as_object()["emails"] = std::move(emails);
  const auto d = normalize(std::move(body), user(), Leniency::strict);
  REQUIRE_FALSE(d);
  CHECK(d.error().detail().find("max_values (1000)") != std::string::npos);
}

TEST_CASE("references are URIs, where one is strict") {
  const auto body = [](const std::string& url) {
    return json::parse(
        R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a","profileUrl":")" + url +
        "\"}");
  };
  const auto& user = *SchemaRegistry::builtin().type("User");
  for (const auto* good : {"https://example.com/~a?b=c#d", "../Users/1", "urn:a:b", "", "https://exämple.com"})
    CHECK(normalize(body(good), user, Leniency::strict));
  for (const auto* bad : {"https://a b", "<x>", "a\\nb"}) {
    INFO(bad);
    const auto r = normalize(body(bad), user, Leniency::strict);
    REQUIRE_FALSE(r);
    CHECK(r.error().code() == deprov::Errc::invalid_value);
    CHECK(r.error().where() == "profileUrl");
    const auto kept = normalize(body(bad), user, Leniency::tolerant);
    REQUIRE(kept);
    CHECK(kept->notes.size() == 1);
  }
}

TEST_CASE("what is required and write-only has to be there once, and is not kept") {
  const auto registry = SchemaRegistry::customized(
      json::parse(R"({"id":"urn:a:b","attributes":[{"name":"pin","required":true,"mutability":"writeOnly"},
        {"name":"key","type":"complex","subAttributes":[
          {"name":"name"},{"name":"secret","required":true,"mutability":"writeOnly"}]}]})"),
      json::parse(R"({"name":"Thing","endpoint":"/Things","schema":"urn:a:b"})"));
  REQUIRE(registry);
  const auto& thing = *registry->type("Thing");
  const auto body = [](const std::string& rest) { return json::parse(R"({"schemas":["urn:a:b"])" + rest + "}"); };
  CHECK(normalize(body(""), thing, Leniency::strict).error().where() == "pin");
  const auto made = normalize(body(R"(,"pin":"1","key":{"name":"n","secret":"s"})"), thing, Leniency::strict);
  REQUIRE(made);
  CHECK(json::serialize(made->value) == R"({"schemas":["urn:a:b"],"key":{"name":"n"}})");
  CHECK(normalize(body(R"(,"pin":5)"), thing, Leniency::strict).error().code() == deprov::Errc::invalid_value);
  CHECK(replace(made->value, body(R"(,"key":{"name":"m"})"), thing));
}
