#include <deprov/scim/path.hpp>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::scim;

TEST_CASE("PATCH paths of every form") {
  for (const auto* text :
       {"members", "name.familyName", R"(addresses[type eq "work"])",
        R"(members[value eq "2819c223"].displayName)",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        R"(emails[type eq "work" and value ew "example.com"])",
        R"(urn:ietf:params:scim:schemas:core:2.0:User:emails[not (type eq "work") or primary eq true].value)",
        R"(members[value eq "a]b.c[d"].$ref)", "urn:example:2.0"}) {
    INFO(text);
    const auto p = parse_path(text);
    REQUIRE(p);
    CHECK(to_string(*p) == text);
    CHECK(parse_path(to_string(*p)).value() == *p);
  }
  const auto p = parse_path(R"(emails[type eq "work"].value)").value();
  CHECK(p.attr.attribute == "emails");
  CHECK(p.attr.sub == "value");
  REQUIRE(p.value_filter);
  CHECK(p.value_filter->value.as_string() == "work");
  CHECK(parse_path("  active ").value().attr.attribute == "active");
}

TEST_CASE("malformed paths are refused") {
  for (const auto* bad :
       {"", "  ", "1a", "a b", "a.", ".a", "a.b.c", "a.b[c pr]", "a[b pr].c.d", "a[b pr]c", "a[b pr].",
        "a[b pr] .c", "/emails/0", "a]", "a)", "urn:x:", "[type eq \"work\"]", "urn:example:2.0[a pr]", "a\xFF"}) {
    INFO(bad);
    const auto r = parse_path(bad);
    REQUIRE_FALSE(r);
    CHECK(r.error().code() == Errc::invalid_path);
  }
  for (const auto* bad : {"a[", "a[]", "a[b]", "a[b eq]", "a[b xx 1]", "a[b pr", "a[b[c pr]]"}) {
    INFO(bad);
    const auto r = parse_path(bad);
    REQUIRE_FALSE(r);
    CHECK(r.error().code() == Errc::invalid_filter);
  }
  CHECK(parse_path(std::string(9000, 'a')).error().code() == Errc::limit_exceeded);
  CHECK(parse_path("a[" + std::string(40, '(') + "b pr" + std::string(40, ')') + "]").error().code() ==
        Errc::limit_exceeded);
}
