#include <deprov/http/retry_after.hpp>
#include <deprov/time.hpp>
#include <string>
#include "catch.hpp"

using namespace std::chrono_literals;
using deprov::Duration;
using deprov::WallTime;
using deprov::http::parse_http_date;
using deprov::http::retry_after;
using deprov::port::HttpResponse;

namespace {

const WallTime now = *deprov::parse_rfc3339("2026-11-24T12:00:00Z");

std::string date(std::string_view text) {
  const auto t = parse_http_date(text, now);
  return t ? deprov::to_rfc3339(*t) : "none";
}

std::optional<Duration> after(const std::string& value, const std::string& date_header = {}) {
  HttpResponse r;
  if (!date_header.empty()) r.headers.push_back({"date", date_header});
  r.headers.push_back({"retry-after", value});
  return retry_after(r, now, 1h);
}

}  // namespace

TEST_CASE("the three forms of an HTTP-date") {
  CHECK(date("Sun, 06 Nov 1994 08:49:37 GMT") == "1994-11-06T08:49:37.000Z");
  CHECK(date("Sunday, 06-Nov-94 08:49:37 GMT") == "1994-11-06T08:49:37.000Z");
  CHECK(date("Sun Nov  6 08:49:37 1994") == "1994-11-06T08:49:37.000Z");
  CHECK(date("Wed Nov 16 08:49:37 1994") == "1994-11-16T08:49:37.000Z");
  CHECK(date("Thursday, 29-Feb-24 23:59:60 GMT") == "2024-03-01T00:00:00.000Z");
  CHECK(date("Tuesday, 24-Nov-76 00:00:00 GMT") == "2076-11-24T00:00:00.000Z");
  CHECK(date("Tuesday, 24-Nov-77 00:00:00 GMT") == "1977-11-24T00:00:00.000Z");
}

TEST_CASE("what is no HTTP-date") {
  for (const char* text :
       {"", "tomorrow", "Sun, 06 Nov 1994 08:49:37", "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 2026 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT+1", "Son, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nop 1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994", "Sun, 00 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"})
    CHECK(date(text) == "none");
}

TEST_CASE("Retry-After in seconds") {
  CHECK(after("120") == 120s);
  CHECK(after(" 0 ") == 0s);
  CHECK(after("3600") == 1h);
  CHECK(after("999999") == 1h);
  CHECK(after("99999999999999999999999999") == 1h);
  CHECK_FALSE(after("-1"));
  CHECK_FALSE(after("1.5"));
  CHECK_FALSE(after("soon"));
  CHECK_FALSE(after(""));
  CHECK_FALSE(retry_after(HttpResponse{}, now, 1h));
}

TEST_CASE("Retry-After as a date is relative to the response's own Date") {
  CHECK(after("Tue, 24 Nov 2026 12:01:00 GMT") == 1min);
  CHECK(after("Sun, 06 Nov 1994 08:50:00 GMT", "Sun, 06 Nov 1994 08:49:37 GMT") == 23s);
  CHECK(after("Tue, 24 Nov 2026 12:01:00 GMT", "not a date") == 1min);
  CHECK(after("Tue, 24 Nov 2026 11:59:00 GMT") == 0s);
  CHECK(after("Wed, 25 Nov 2026 12:00:00 GMT") == 1h);
}
