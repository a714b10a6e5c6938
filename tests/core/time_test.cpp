#include <deprov/time.hpp>
#include "catch.hpp"

using deprov::Errc;
using deprov::parse_rfc3339;
using deprov::to_rfc3339;
using deprov::WallTime;

TEST_CASE("a wall time is written as UTC with milliseconds", "[time]") {
  CHECK(to_rfc3339(WallTime{0}) == "1970-01-01T00:00:00.000Z");
  CHECK(to_rfc3339(WallTime{1'500'000}) == "1970-01-01T00:00:01.500Z");
  CHECK(to_rfc3339(WallTime{951'782'399'999'999}) == "2000-02-28T23:59:59.999Z");
  CHECK(to_rfc3339(WallTime{951'782'400'000'000}) == "2000-02-29T00:00:00.000Z");
  CHECK(to_rfc3339(WallTime{-1}) == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("every form of an xsd:dateTime that IdPs send is read", "[time]") {
  const auto read = [](std::string_view text) {
    INFO(text);
    const auto t = parse_rfc3339(text);
    REQUIRE(t);
    return t->micros;
  };
  const std::int64_t noon = 1'769'860'800'000'000;  // date -u -d 2026-01-31T12:00:00Z +%s
  CHECK(read("2026-01-31T12:00:00Z") == noon);
  CHECK(read("2026-01-31t12:00:00z") == noon);
  CHECK(read("2026-01-31T12:00:00") == noon);
  CHECK(read("2026-01-31T12:00:00.5Z") == noon + 500'000);
  CHECK(read("2026-01-31T12:00:00.123456789Z") == noon + 123'456);
  CHECK(read("2026-01-31T13:30:00+01:30") == noon);
  CHECK(read("2026-01-31T04:00:00-08:00") == noon);
  CHECK(read("2026-01-30T24:00:00Z") == noon - 12LL * 3600 * 1'000'000);
  CHECK(read("2026-01-31T11:59:60Z") == noon);
}

TEST_CASE("reading what was written gives the same millisecond", "[time]") {
  for (std::int64_t ms : {0LL, 1LL, 1'769'860'800'123LL, 253'402'300'799'999LL, -62'135'596'800'000LL}) {
    const WallTime t{ms * 1000};
    const auto back = parse_rfc3339(to_rfc3339(t));
    INFO(to_rfc3339(t));
    REQUIRE(back);
    CHECK(*back == t);
  }
}

TEST_CASE("what is no dateTime is refused by name", "[time]") {
  for (std::string_view text :
       {"", "2026", "2026-01-31", "2026-01-31 12:00:00Z", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z",
        "2026-01-31T25:00:00Z", "2026-01-31T24:00:01Z", "2026-01-31T12:60:00Z", "2026-01-31T12:00:61Z",
        "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00+15:00", "2026-01-31T12:00:00+0100", "2026-01-31T12:00:00Zx",
        "2026-01-31T12:00:00ZZ", "-026-01-31T12:00:00Z", "2026-01-31T12:00:0", "2026-1-31T12:00:00Z"}) {
    INFO(text);
    const auto t = parse_rfc3339(text);
    REQUIRE_FALSE(t);
    CHECK(t.error().code() == Errc::invalid_value);
    CHECK(t.error().detail().find("\"" + std::string(text.substr(0, 40)) + "\"") != std::string::npos);
    CHECK_FALSE(t.error().advice().empty());
  }
  CHECK(parse_rfc3339(std::string(1'000'000, '1')).error().detail().size() < 100);
}

TEST_CASE("times and durations add up", "[time]") {
  using namespace std::chrono_literals;
  const WallTime t{1000};
  CHECK((t + 1ms).micros == 2000);
  CHECK((t - 1ms).micros == 0);
  CHECK((t + 5s) - t == 5s);
  CHECK(t < t + 1us);
  const deprov::MonoTime m{7};
  CHECK((m + 3us).micros == 10);
  CHECK((m + 3us) - m == 3us);
}
