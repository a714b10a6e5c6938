// How the API of a source is asked: its credential, its throttling and its quota.
#include "engine/sources/feed_run.hpp"
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/engine/sources.hpp>
#include "catch.hpp"
#include "support/polled_world.hpp"

using namespace deprov;
using namespace std::chrono_literals;
namespace json = boost::json;

using test::Directory;
using test::Polled;

TEST_CASE("throttling makes a round wait as the header says, in each of its forms, and costs nothing",
          "[engine][polls][R17]") {
  Polled w(12);
  w.run(10s);
  w.directory.users.erase(w.directory.users.begin() + 3);
  for (const int form : {0, 1, 2}) {
    INFO("form " << form);
    bool once = false;
    const auto from = w.clock.wall();
    WallTime again{};
    w.directory.fault = [&](const std::string& target, std::size_t) -> std::optional<port::HttpResult> {
      if (target.find("startIndex=6") == std::string::npos) return std::nullopt;
      if (!std::exchange(once, true)) {
        if (form == 0) return Directory::answer(429, "{}", {{"Retry-After", "90"}});
        if (form == 1)
          return Directory::answer(
              429, "{}",
              {{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"}, {"Retry-After", "Sun, 06 Nov 1994 08:51:07 GMT"}});
        return Directory::answer(429, "{}");
      }
      again = w.clock.wall();
      return std::nullopt;
    };
    REQUIRE(w.poll());
    if (form < 2) CHECK(again - from >= 90s);
    if (form == 2) CHECK(again - from >= 1s);
    CHECK(again - from < 3min);
    CHECK(w.row().failing_since.micros == 0);
    w.run(1min);
  }
  CHECK(w.disables() == 1);
}

TEST_CASE("a source that wants to be left alone for long is left alone, and does not fail by that",
          "[engine][polls][R17]") {
  Polled w(12);
  w.run(10s);
  std::size_t asked = 0;
  w.directory.fault = [&](const std::string&, std::size_t) {
    ++asked;
    return Directory::answer(429, "{}", {{"Retry-After", "7200"}});
  };
  const auto report = w.poll();
  REQUIRE_FALSE(report);
  CHECK(report.error().code() == Errc::rate_limited);
  CHECK(w.row().failing_since.micros == 0);
  CHECK(w.row().due >= w.clock.wall() + 7190s);
  w.run(119min);
  CHECK(asked == 1);
  w.run(30min);
  CHECK(asked > 1);
}

TEST_CASE("a source that throttles for ever is not waited for as long, and fails when what is known of it is old",
          "[engine][polls][R16][R17]") {
  Polled w(12, {{"poll", {{"floor_s", 60}, {"ceiling_s", 300}}}});
  w.run(10s);
  const auto forms = std::array<std::vector<port::HttpHeader>, 2>{{{}, {{"Retry-After", "20"}}}};
  for (const auto& headers : forms) {
    w.directory.fault = [&](const std::string& target, std::size_t) -> std::optional<port::HttpResult> {
      if (target.find("startIndex=6") == std::string::npos) return std::nullopt;
      return Directory::answer(429, "{}", headers);
    };
    const auto from = w.clock.wall();
    const auto report = w.poll();
    REQUIRE_FALSE(report);
    CHECK(report.error().code() == Errc::rate_limited);
    CHECK(w.clock.wall() - from <= 15min);
    w.run(2h);
    CHECK(w.row().failing_since.micros != 0);
    CHECK(w.row().failure.find("429") != std::string::npos);
    w.directory.fault = {};
    w.run(20min);
    CHECK(w.row().failing_since.micros == 0);
  }
  CHECK(w.disables() == 0);
}

TEST_CASE("what is secret of a polled source is sealed, and never shown", "[engine][polls]") {
  Polled w(3);
  CHECK(w.row().config.find("t0") == std::string::npos);
  CHECK(w.row().config.find("idp.example.com") != std::string::npos);
  w.run(10s);
  CHECK(w.row().succeeded.micros != 0);
  for (const auto& a : w.activity(w.c)) CHECK(a.detail.value_or("").find("t0") == std::string::npos);
}

TEST_CASE(
    "an access token is fetched once for many requests, anew when it ends or is refused, and never to elsewhere",
    "[engine][polls]") {
  Polled w(12, {{"auth",
                 {{"type", "client_credentials"},
                  {"token_url", "https://login.example.com/token"},
                  {"client_id", "deprov:1"},
                  {"client_secret", "s&cret"},
                  {"scope", "read"}}}});
  std::size_t fetched = 0;
  int lifetime = 3600;
  std::string form, basic;
  w.directory.posted = [&](const port::HttpRequest& request) {
    ++fetched;
    form = request.body;
    basic.clear();
    for (const auto& h : request.headers)
      if (h.name == "Authorization") basic = h.value;
    CHECK(request.url == "https://login.example.com/token");
    w.directory.token = "t" + std::to_string(fetched);
    return Directory::answer(
        200, json::serialize(json::object{
                 {"access_token", w.directory.token}, {"token_type", "Bearer"}, {"expires_in", lifetime}}));
  };
  REQUIRE(w.poll());
  CHECK(fetched == 1);
  CHECK(form == "grant_type=client_credentials&scope=read");
  CHECK(basic == "Basic ZGVwcm92JTNBMTpzJTI2Y3JldA==");
  REQUIRE(w.poll());
  CHECK(fetched == 1);
  w.directory.token = "another";  // the one that deprov has is refused from now on
  REQUIRE(w.poll());
  CHECK(fetched == 2);
  w.run(2h);
  REQUIRE(w.poll());
  CHECK(fetched > 2);
  // An API that refuses every token is asked twice, not for ever.
  w.directory.fault = [](const std::string&, std::size_t) { return Directory::answer(401, "{}"); };
  const auto before = fetched;
  const auto asked = w.directory.log.size();
  REQUIRE_FALSE(w.poll());
  CHECK(fetched == before + 1);
  CHECK(w.directory.log.size() == asked + 2);
  CHECK(w.row().config.find("s&cret") == std::string::npos);
  w.directory.posted = [](const port::HttpRequest&) {
    return Directory::answer(401, R"({"error":"invalid_client","error_description":"s&cret is wrong"})");
  };
  w.directory.fault = {};
  w.run(3h);
  CHECK(w.row().failing_since.micros != 0);
  CHECK(w.row().failure.find("invalid_client") != std::string::npos);
  CHECK(w.row().failure.find("s&cret") == std::string::npos);
  CHECK(w.disables() == 0);
}

TEST_CASE("no more of a quota is used than leaves its reserve", "[engine][polls]") {
  const WallTime now{1'000'000'000'000};
  const auto wait = [&](std::optional<std::uint64_t> remaining, std::optional<std::uint64_t> limit,
                        std::optional<WallTime> reset) {
    return engine::wait_for_quota({remaining, limit, reset}, 20, now);
  };
  CHECK(wait(100, 100, now + 60s) == 0s);
  CHECK(wait(21, 100, now + 60s) == 0s);
  CHECK(wait(20, 100, now + 60s) == 60s);
  CHECK(wait(0, 100, now + 60s) == 60s);
  CHECK(wait(0, 100, now - 60s) == 0s);
  CHECK(wait(0, 0, now + 60s) == 0s);  // a limit of concurrency
  CHECK(wait(1, std::nullopt, now + 60s) == 60s);
  CHECK(wait(2, std::nullopt, now + 60s) == 0s);
  CHECK(wait(0, 100, std::nullopt) == 0s);
  CHECK(wait(std::nullopt, 100, now + 60s) == 0s);
  CHECK(wait(3, 7, now + 60s) == 0s);
  CHECK(wait(1, 7, now + 60s) == 60s);
}
