#include <boost/json/parse.hpp>
#include <deprov/scim/match.hpp>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::scim;

namespace {
const TypeDef& user() { return *SchemaRegistry::builtin().type("User"); }

json::object bjensen() {
  return json::parse(R"({
    "schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
    "id":"2819c223-7F76","externalId":"701984","userName":"BJensen@example.com",
    "name":{"familyName":"O'Malley","givenName":"B\u00c4RBEL"},"title":"Vice President","nickName":"",
    "active":true,"userType":"Employee",
    "emails":[{"value":"bjensen@example.com","type":"work","primary":true},{"value":"babs@jensen.org","type":"home"},
              {"value":"none@x.com"}],
    "x509Certificates":[{"value":"MIIDQzCC"}],
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Tour","manager":{"value":"26118915"}},
    "meta":{"created":"2010-01-23T04:56:22Z","lastModified":"2011-05-13T04:42:34Z"}})")
      .as_object();
}

bool hit(std::string_view filter) {
  const auto r = matches(parse_filter(filter).value(), bjensen(), user());
  REQUIRE(r);
  return *r;
}
}  // namespace

TEST_CASE("filters match as the RFC says") {
  for (const auto* yes : {
           R"(userName eq "bjensen@EXAMPLE.com")",
           R"(USERNAME Eq "bjensen@example.com")",
           R"(urn:ietf:params:scim:schemas:core:2.0:User:userName sw "bJ")",
           R"(userName co "JENSEN@")",
           R"(userName ew ".COM")",
           R"(userName ge "bjensen@example.com")",
           R"(userName gt "bjensen@example.cnm")",
           R"(userName lt "bk")",
           R"(name.givenName eq "b)"
           "\xC3\xA4"
           R"(rbel")",
           R"(name.familyName co "o'mal")",
           R"(name pr)",
           R"(title pr)",
           R"(id eq "2819c223-7F76")",
           R"(not (id eq "2819c223-7f76"))",
           R"(active eq true)",
           R"(active ne false)",
           R"(emails pr)",
           R"(emails co "jensen.org")",
           R"(emails eq "BABS@jensen.org")",
           R"(emails.value eq "babs@jensen.org")",
           R"(emails.type eq "home" and emails.primary eq true)",
           R"(emails[type eq "work" and value co "@example.com"])",
           R"(emails[type eq "home" and not (primary eq true)])",
           R"(emails[not (type pr)])",
           R"(emails[primary pr])",
           R"(emails.type ne "work")",
           R"(schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User")",
           R"(urn:ietf:params:scim:schemas:extension:enterprise:2.0:User pr)",
           R"(urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "tour")",
           R"(department eq "tour")",
           R"(manager eq "26118915")",
           R"(manager.value pr)",
           R"(id eq "2819c223-7F76" and manager eq "26118915")",
           R"(meta.lastModified eq "2011-05-13T06:42:34.000+02:00")",
           R"(meta.lastModified gt "2011-05-13T04:42:33Z")",
           R"(meta.lastModified ge "2011-05-13T04:42:34Z")",
           R"(meta.lastModified le "2011-05-13T04:42:34Z")",
           R"(meta.lastModified lt "2011-05-13T04:42:34.001Z")",
           R"(meta.created sw "2010-01")",
           R"(displayName eq null)",
           R"(title ne null)",
           R"(nickName eq null)",
           R"(displayName ne "x")",
           R"(not (displayName pr))",
           R"(x509Certificates.value eq "MIIDQzCC")",
           R"(title pr and userType eq "Employee" or userType eq "Intern")",
           R"(userType ne "Employee" or not (emails co "example.edu"))",
       }) {
    INFO(yes);
    CHECK(hit(yes));
  }
  for (const auto* no : {
           R"(userName eq "bjensen")",
           R"(id eq "2819C223-7f76")",
           R"(externalId eq "0701984")",
           R"(nickName pr)",
           R"(displayName pr)",
           R"(displayName eq "x")",
           R"(displayName gt "a")",
           R"(displayName ne null)",
           R"(title eq null)",
           R"(emails[type eq "home" and primary eq true])",
           R"(emails[value eq "a" or value eq "b"])",
           R"(phoneNumbers pr)",
           R"(phoneNumbers[type eq "work"])",
           R"(active eq false)",
           R"(x509Certificates.value eq "miidqzcc")",
           R"(meta.lastModified gt "2011-05-13T04:42:34Z")",
           R"(userType eq "Employee" and not (emails co "example.com" or emails.value co "example.org"))",
           R"(schemas eq "urn:example")",
       }) {
    INFO(no);
    CHECK_FALSE(hit(no));
  }
}

TEST_CASE("what cannot be compared is refused") {
  for (const auto* bad : {R"(nothing eq "x")",
                          R"(userName.x eq "x")",
                          R"(urn:x:userName eq "x")",
                          R"(name eq "x")",
                          R"(addresses eq "x")",
                          R"(active gt true)",
                          R"(active co "t")",
                          R"(active eq "true")",
                          R"(active sw true)",
                          R"(userName eq true)",
                          R"(userName eq 5)",
                          R"(x509Certificates.value gt "a")",
                          R"(x509Certificates.value co "a")",
                          R"(meta.lastModified gt "yesterday")",
                          R"(meta.lastModified eq 5)",
                          R"(title gt null)",
                          R"(title co null)",
                          R"(emails[nothing eq "x"])",
                          R"(emails[type.x eq "x"])",
                          R"(name[nothing pr])",
                          R"(urn:ietf:params:scim:schemas:extension:enterprise:2.0:User eq "x")",
                          R"(nothing pr)",
                          R"(nothing[x pr])",
                          R"(title pr or (active eq true and not (nothing pr)))"}) {
    INFO(bad);
    const auto r = Matcher::compile(parse_filter(bad).value(), user());
    REQUIRE_FALSE(r);
    CHECK(r.error().code() == Errc::invalid_filter);
  }
}

TEST_CASE("across types, unknown attributes have no value") {
  const auto& group = *SchemaRegistry::builtin().type("Group");
  const json::object g{{"displayName", "Staff"}};
  const auto m = [&](std::string_view f) {
    return Matcher::compile(parse_filter(f).value(), group, UnknownAttribute::no_value).value()(g);
  };
  CHECK_FALSE(m(R"(userName eq "x")"));
  CHECK(m(R"(userName ne "x")"));
  CHECK_FALSE(m("userName pr"));
  CHECK(m("userName eq null"));
  CHECK_FALSE(m(R"(emails[type eq "work"])"));
  CHECK(m(R"(userName eq "x" or displayName eq "staff")"));
}

TEST_CASE("single values are matched for PATCH and for rows") {
  const auto& members = *SchemaRegistry::builtin().type("Group")->attribute("members");
  const auto m =
      Matcher::compile_values(parse_filter(R"(type eq "user" and not (value sw "a"))").value(), members).value();
  CHECK(m.value(json::object{{"value", "b1"}, {"type", "User"}}));
  CHECK_FALSE(m.value(json::object{{"value", "a1"}, {"type", "User"}}));
  CHECK_FALSE(m.value(json::object{{"value", "b1"}}));
  CHECK_FALSE(m.value(json::value("b1")));
  CHECK_FALSE(Matcher::compile_values(parse_filter("members.value pr").value(), members));
  const auto& schemas = *user().attribute("schemas");
  const auto s = Matcher::compile_values(parse_filter(R"(value eq "urn:a")").value(), schemas).value();
  CHECK(s.value(json::value("urn:a")));
  CHECK_FALSE(s.value(json::value("urn:b")));
}

TEST_CASE("numbers compare by value") {
  SchemaRegistry r;
  REQUIRE(r.load_schemas(json::parse(R"({"id":"urn:x:T","attributes":[{"name":"n","type":"integer"},
    {"name":"d","type":"decimal"},{"name":"tags","type":"string","multiValued":true}]})")));
  REQUIRE(r.load_resource_types(json::parse(R"({"name":"T","endpoint":"/T","schema":"urn:x:T"})")));
  const auto& t = *r.type("T");
  const auto o = json::parse(R"({"n":9007199254740993,"d":1.5,"tags":["Red","blue"]})").as_object();
  const auto m = [&](std::string_view f) { return matches(parse_filter(f).value(), o, t).value(); };
  CHECK(m("n eq 9007199254740993"));
  CHECK_FALSE(m("n eq 9007199254740992"));
  CHECK(m("n gt 9007199254740992"));
  CHECK(m("d ge 1.5"));
  CHECK(m("d gt 1"));
  CHECK_FALSE(m("d lt 1"));
  CHECK(m(R"(tags eq "red")"));
  CHECK(m(R"(tags[value eq "BLUE"])"));
  CHECK_FALSE(m(R"(tags eq "green")"));
  CHECK_FALSE(matches(parse_filter(R"(n co "9")").value(), o, t));
  CHECK_FALSE(matches(parse_filter(R"(n eq "9")").value(), o, t));
}

TEST_CASE("the order of sortBy") {
  const auto by = [](std::string_view attribute, const char* a, const char* b) {
    return compare_by(json::parse(a).as_object(), json::parse(b).as_object(), user().resolve(attribute).value());
  };
  CHECK(by("userName", R"({"userName":"a"})", R"({"userName":"B"})") < 0);
  CHECK(by("id", R"({"id":"a"})", R"({"id":"B"})") > 0);
  CHECK(by("userName", R"({"userName":"A"})", R"({"userName":"a"})") == 0);
  CHECK(by("title", "{}", R"({"title":"z"})") > 0);
  CHECK(by("title", R"({"title":"z"})", "{}") < 0);
  CHECK(by("title", "{}", "{}") == 0);
  CHECK(by("emails", R"({"emails":[{"value":"z"},{"value":"a","primary":true}]})",
           R"({"emails":[{"value":"b"}]})") < 0);
  CHECK(by("emails.type", R"({"emails":[{"type":"z"}]})", R"({"emails":[{"type":"b"}]})") > 0);
  CHECK(by("meta.created", R"({"meta":{"created":"2011-01-01T00:00:00Z"}})",
           R"({"meta":{"created":"2011-01-01T00:30:00+01:00"}})") > 0);
  CHECK(by("department", R"({"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"a"}})",
           "{}") < 0);
  CHECK(by("active", R"({"active":false})", R"({"active":true})") < 0);
}
