#include <deprov/scim/etag.hpp>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::scim;

TEST_CASE("versions go to entity tags and back") {
  CHECK(format_etag(7) == "W/\"7\"");
  const auto matches = [](std::string_view header, std::uint64_t v) {
    const auto t = parse_etags(header);
    REQUIRE(t);
    return t->matches(v);
  };
  CHECK(matches(format_etag(18446744073709551615ULL), 18446744073709551615ULL));
  CHECK(matches("W/\"7\"", 7));
  CHECK(matches("\"7\"", 7));
  CHECK(matches("w/\"7\"", 7));
  CHECK(matches("7", 7));
  CHECK(matches("W/7", 7));
  CHECK(matches("*", 7));
  CHECK(matches(" W/\"6\" , \"7\",,", 7));
  CHECK(matches("W/\"a,b\", W/\"7\"", 7));
  CHECK_FALSE(matches("W/\"8\"", 7));
  CHECK_FALSE(matches("W/\"07x\"", 7));
  CHECK_FALSE(matches("W/\"\"", 0));
  CHECK_FALSE(matches("W/\"a330bc54f0671c9\"", 7));
  for (const auto* bad : {"", " ", ",", "W/", "W/\"7", "\"", "\"7\" \"8\"", "7\"8"}) {
    INFO(bad);
    const auto t = parse_etags(bad);
    REQUIRE_FALSE(t);
    CHECK(t.error().code() == Errc::invalid_value);
  }
}

TEST_CASE("a version may have a part that others decide") {
  const Version shown{7, 0x1f};
  CHECK(format_etag(shown) == "W/\"7.1f\"");
  CHECK(format_etag({7, 0}) == "W/\"7\"");
  const auto tags = [](std::string_view header) {
    const auto t = parse_etags(header);
    REQUIRE(t);
    return *t;
  };
  for (const Version v : {shown, Version{18446744073709551615ULL, 18446744073709551615ULL}}) {
    CHECK(tags(format_etag(v)).matches(v));
    CHECK(tags(format_etag(v)).allows(v));
    CHECK(tags(format_etag(v)).about_derived());
  }
  // Who has less than what is there now, or something else, has not got it.
  CHECK_FALSE(tags("W/\"7\"").matches(shown));
  CHECK_FALSE(tags("W/\"7.20\"").matches(shown));
  CHECK_FALSE(tags("W/\"7.1f\"").matches(7));
  // Whoever saw nothing of the part says nothing about it.
  CHECK(tags("W/\"7\"").allows(shown));
  CHECK_FALSE(tags("W/\"7\"").about_derived());
  CHECK_FALSE(tags("W/\"7.20\"").allows(shown));
  CHECK_FALSE(tags("W/\"8.1f\"").allows(shown));
  CHECK_FALSE(tags("W/\"7.1f\"").allows({7, 0}));
  for (const auto* other : {"W/\"7.\"", "W/\"7.x\"", "W/\"7.1f.1\"", "W/\"7.11111111111111111\""}) {
    INFO(other);
    CHECK(tags(other).versions.empty());
  }
}
