#include <deprov/scim/filter.hpp>
#include <utility>
#include <vector>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::scim;

TEST_CASE("the RFC's example filters parse, and print to what parses the same") {
  const std::vector<std::pair<std::string, std::string>> table = {
      {R"(userName eq "bjensen")", {}},
      {R"(userName Eq "john")", R"(userName eq "john")"},
      {R"(Username eq "john")", {}},
      {R"(name.familyName co "O'Malley")", {}},
      {R"(userName sw "J")", {}},
      {R"(urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J")", {}},
      {R"(title pr)", {}},
      {R"(meta.lastModified gt "2011-05-13T04:42:34Z")", {}},
      {R"(meta.lastModified ge "2011-05-13T04:42:34Z")", {}},
      {R"(meta.lastModified lt "2011-05-13T04:42:34Z")", {}},
      {R"(meta.lastModified le "2011-05-13T04:42:34Z")", {}},
      {R"(title pr and userType eq "Employee")", {}},
      {R"(title pr or userType eq "Intern")", {}},
      {R"(schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User")", {}},
      {R"(userType eq "Employee" and (emails co "example.com" or emails.value co "example.org"))", {}},
      {R"(userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org"))", {}},
      {R"(userType eq "Employee" and (emails.type eq "work"))",
       R"(userType eq "Employee" and emails.type eq "work")"},
      {R"(userType eq "Employee" and emails[type eq "work" and value co "@example.com"])", {}},
      {R"(emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"])", {}},
      {R"(a eq 1 or b eq 2 and c eq 3)", {}},
      {R"((a eq 1 or b eq 2) and c eq 3)", {}},
      {R"((a eq 1 and b eq 2) and c eq 3)", R"(a eq 1 and b eq 2 and c eq 3)"},
      {R"(a eq 1 or (b eq 2 or c eq 3))", R"(a eq 1 or b eq 2 or c eq 3)"},
      {R"(not(a pr))", R"(not (a pr))"},
      {R"(NOT (a PR) AND b Pr)", R"(not (a pr) and b pr)"},
      {R"(not (not (a pr)))", {}},
      {R"(((a pr)))", R"(a pr)"},
      {"  a\teq\n\"x\"  ", R"(a eq "x")"},
      {R"(active eq true)", {}},
      {R"(active eq False)", R"(active eq false)"},
      {R"(title ne null)", {}},
      {R"(n eq -12)", {}},
      {R"(n gt 18446744073709551615)", {}},
      {R"(a eq "\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00")",
       "a eq \"\\\"\\\\/\\b\\f\\n\\r\\t\xC3\xA9\xF0\x9F\x98\x80\""},
      {R"(a eq ") and (b pr")", {}},
      {R"(emails[not (type eq "work")])", {}},
      {R"(emails[type eq "work" or (primary eq true and value pr)])",
       R"(emails[type eq "work" or primary eq true and value pr])"},
      {R"(members[$ref eq "x"])", {}},
      {R"(notes pr and order eq 1 and andy pr)", {}},
      {R"(urn:example:a-b_c:1.0:x.y eq "1")", {}},
  };
  for (const auto& [text, printed] : table) {
    INFO(text);
    const auto f = parse_filter(text);
    REQUIRE(f);
    CHECK(to_string(*f) == (printed.empty() ? text : printed));
    const auto again = parse_filter(to_string(*f));
    REQUIRE(again);
    CHECK(*again == *f);
  }
}

TEST_CASE("and binds tighter than or, not tighter than both") {
  const auto f = parse_filter("a pr or b pr and not (c pr) or d pr").value();
  REQUIRE(f.kind == Filter::Kind::any_of);
  REQUIRE(f.operands.size() == 3);
  REQUIRE(f.operands[1].kind == Filter::Kind::all_of);
  CHECK(f.operands[1].operands[1].kind == Filter::Kind::negate);
}

TEST_CASE("Entra ID's comparison behind a value path is one on the same value") {
  CHECK(to_string(parse_filter(R"(emails[type eq "work"].value eq "x@y")").value()) ==
        R"(emails[type eq "work" and value eq "x@y"])");
  CHECK(to_string(parse_filter(R"(emails[type eq "work" or primary eq true].value pr)").value()) ==
        R"(emails[(type eq "work" or primary eq true) and value pr])");
}

TEST_CASE("attribute paths are taken apart") {
  auto p =
      parse_filter("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value pr").value().attr;
  CHECK(p.schema == "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User");
  CHECK(p.attribute == "manager");
  CHECK(p.sub == "value");
  p = parse_filter("urn:example:2.0 pr").value().attr;
  CHECK(p.schema == "urn:example:2.0");
  CHECK(p.attribute.empty());
}

TEST_CASE("malformed filters are refused with the position") {
  for (const auto* bad : {"",
                          " ",
                          "userName",
                          "userName eq",
                          "eq \"x\"",
                          "userName eq bob",
                          "userName xx \"y\"",
                          "userName regex \"y\"",
                          "userName eq \"x",
                          "userName eq \"x\\\"",
                          "userName eq \"\\x\"",
                          "userName eq \"\\u12\"",
                          "userName eq \"\\ud800\"",
                          "userName eq \"\\ud800\\u0041\"",
                          "userName eq \"\\u0000\"",
                          "a eq 1 and",
                          "a eq 1 or",
                          "and a eq 1",
                          "a eq 1 b eq 2",
                          "(a eq 1",
                          "a eq 1)",
                          "()",
                          "not a pr",
                          "not",
                          "not ()",
                          "a eq 01",
                          "a eq 1.",
                          "a eq +1",
                          "a eq .5",
                          "a eq tru",
                          "emails[",
                          "emails[]",
                          "emails[type eq \"w\"",
                          "emails[type eq \"w\"].",
                          "emails[type eq \"w\"].value",
                          "emails[a[b eq 1] eq 1]",
                          "emails[a[b pr]]",
                          "emails.value[type pr]",
                          "1a eq 1",
                          "a..b eq 1",
                          "a. eq 1",
                          ".a eq 1",
                          "a.b.c eq 1",
                          ":a eq 1",
                          "a\x01 eq 1",
                          "userName eq \"a\xFF\"",
                          "userName eq \"a\nb\"",
                          "userName 'eq' \"a\"",
                          "a pr pr",
                          "a eq {}",
                          "a eq []",
                          "userName eq 'bob'"}) {
    INFO(bad);
    const auto r = parse_filter(bad);
    REQUIRE_FALSE(r);
    CHECK(r.error().code() == Errc::invalid_filter);
  }
  const auto r = parse_filter(R"(userName eq "a" nad b pr)");
  REQUIRE_FALSE(r);
  CHECK(r.error().where() == "filter, position 17");
  CHECK(parse_filter("a regex \"b\"").error().detail().find("\"regex\" is not supported") != std::string::npos);
}

TEST_CASE("length and depth of a filter are bounded") {
  const auto nested = [](std::size_t n) { return std::string(n, '(') + "a pr" + std::string(n, ')'); };
  CHECK(parse_filter(nested(32)));
  auto r = parse_filter(nested(33));
  REQUIRE_FALSE(r);
  CHECK(r.error().code() == Errc::limit_exceeded);
  CHECK(r.error().detail().find("max_filter_depth (32)") != std::string::npos);
  r = parse_filter("a eq \"" + std::string(8200, 'x') + "\"");
  REQUIRE_FALSE(r);
  CHECK(r.error().code() == Errc::limit_exceeded);
  CHECK(r.error().detail().find("max_filter_length (8192)") != std::string::npos);
  std::string wide = "a pr";
  while (wide.size() < 8000) wide += " or a pr";
  CHECK(parse_filter(wide).value().operands.size() > 900);
}

TEST_CASE("index-able conjuncts are recognised") {
  const auto term = [](std::string_view text) { return indexable(parse_filter(text).value()); };
  const auto is = [&](std::string_view text, IndexedField field, std::string_view value,
                      std::string_view rest = {}) {
    INFO(text);
    const auto t = term(text);
    REQUIRE(t);
    CHECK(t->field == field);
    CHECK(t->value == value);
    CHECK((t->rest ? to_string(*t->rest) : "") == rest);
  };
  is(R"(id eq "1")", IndexedField::id, "1");
  is(R"(USERNAME eq "a")", IndexedField::user_name, "a");
  is(R"(urn:ietf:params:scim:schemas:core:2.0:User:userName eq "a")", IndexedField::user_name, "a");
  is(R"(externalId eq "e")", IndexedField::external_id, "e");
  is(R"(displayName eq "d")", IndexedField::display_name, "d");
  is(R"(emails eq "m")", IndexedField::email, "m");
  is(R"(emails.value eq "m")", IndexedField::email, "m");
  is(R"(emails[value eq "m"])", IndexedField::email, "m");
  is(R"(emails[type eq "work"].value eq "m")", IndexedField::email, "m",
     R"(emails[type eq "work" and value eq "m"])");
  is(R"(members eq "u")", IndexedField::member, "u");
  is(R"(members.value eq "u")", IndexedField::member, "u");
  is(R"(members[value eq "u"])", IndexedField::member, "u");
  is(R"(groups.value eq "g")", IndexedField::group, "g");
  is(R"(title pr and userName eq "a" and active eq true)", IndexedField::user_name, "a",
     "title pr and active eq true");
  is(R"(displayName eq "d" and id eq "1")", IndexedField::id, "1", R"(displayName eq "d")");
  is(R"(title pr and emails[type eq "work" and value eq "m"])", IndexedField::email, "m",
     R"(emails[type eq "work" and value eq "m"] and title pr)");
  is(R"(meta.lastModified ge "2011-05-13T04:42:34Z" and active eq true)", IndexedField::last_modified,
     "2011-05-13T04:42:34Z", "active eq true");
  CHECK(term(R"(meta.lastModified gt "x")")->op == CompareOp::gt);
  for (const auto* none :
       {R"(userName sw "a")", R"(userName ne "a")", R"(userName eq null)", R"(userName eq "a" or id eq "1")",
        R"(not (userName eq "a"))", R"(title eq "x")", R"(meta.lastModified sw "2011")",
        R"(emails.type eq "work")", R"(urn:example:userName eq "a")", R"(emails[value eq "a" or type eq "b"])",
        R"(name.userName eq "a")", R"(userName eq "")", R"(emails[type eq "work"])", R"(id[value eq "x"])"}) {
    INFO(none);
    CHECK_FALSE(term(none));
  }
}

TEST_CASE("mentions finds attributes, not sub-attributes") {
  const auto f = parse_filter(R"(userName pr and not (urn:x:y:members[value eq "a" and display pr]))").value();
  CHECK(mentions(f, "Members"));
  CHECK(mentions(f, "username"));
  CHECK_FALSE(mentions(f, "display"));
}
