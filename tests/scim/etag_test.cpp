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
