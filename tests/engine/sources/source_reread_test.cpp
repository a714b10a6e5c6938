// Who is asked for alone in a polled source: the missing, those whom SCIM push brought back, those who are many.
#include <algorithm>
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

TEST_CASE("who is not listed any more is asked for alone, and a list that left somebody out does not count",
          "[engine][polls][R6]") {
  Polled w(12);
  w.run(10s);
  auto& d = w.directory;
  d.users.erase(d.users.begin() + 3);
  REQUIRE(w.poll());
  CHECK(d.log.back() == "/scim/Users/ext-u3");
  w.run(1min);
  CHECK_FALSE(w.app_active(3));

  // Whole by its own count, and two are missing, one of whom is there.
  d.fault = [&](const std::string& target, std::size_t) -> std::optional<port::HttpResult> {
    if (target.find("/Users?") == std::string::npos) return std::nullopt;
    auto listed = d;
    listed.users.erase(listed.users.begin() + 6);
    return Directory::answer(200, listed.page(0, 100));
  };
  d.users.erase(d.users.begin());
  const auto report = w.poll();
  REQUIRE_FALSE(report);
  CHECK(report.error().detail().find("1 of 2 users") != std::string::npos);
  CHECK(w.row().failing_since.micros != 0);
  CHECK(w.disables() == 1);
  // Nor does one that cannot be asked.
  d.fault = [&](const std::string& target, std::size_t) -> std::optional<port::HttpResult> {
    if (target.find("/Users?") == std::string::npos) return Directory::broken();
    return std::nullopt;
  };
  REQUIRE_FALSE(w.poll());
  CHECK(w.disables() == 1);
  d.fault = {};
  REQUIRE(w.poll());
  w.run(1min);
  CHECK_FALSE(w.app_active(0));
  CHECK(w.disables() == 2);
  CHECK(w.row().failing_since.micros == 0);
}

TEST_CASE("who came back by SCIM push while a list was read, and is ended in it, is asked for alone",
          "[engine][polls][R5][R16]") {
  for (const bool there : {false, true}) {
    INFO("there: " << there);
    Polled w(12);
    w.run(10s);
    auto& d = w.directory;
    bool once = false;
    d.fault = [&](const std::string& target, std::size_t) -> std::optional<port::HttpResult> {
      if (target.find("startIndex=6") == std::string::npos || std::exchange(once, true)) return std::nullopt;
      return Directory::answer(429, "{}", {{"Retry-After", "60"}});
    };
    bool ended = false;
    w.engine->sources().poll(w.owner, w.c->row.scope.integration, w.source, {},
                             [&](const Result<json::object>& r) { ended = r.has_value(); });
    w.run(10s);
    REQUIRE(once);
    REQUIRE(w.set_active(w.c, w.users[11], false));
    REQUIRE(w.set_active(w.c, w.users[11], true));
    d.users[11].active = false;
    w.run(70s);
    REQUIRE(ended);
    d.users[11].active = there;  // whoever asks for them alone sees it
    w.run(30min);
    // Later lists are like the one that was begun before the push, and would say nothing.
    CHECK(w.app_active(11) == there);
    CHECK(w.subject(w.c, w.users[11]).access == there);
  }
}

TEST_CASE("a source that had ended somebody is asked again after SCIM push brings them back, also after a crash",
          "[engine][polls][R5][R16]") {
  const auto there = GENERATE(false, true);
  const auto listed = GENERATE(false, true);
  INFO("there: " << there << ", listed: " << listed);
  Polled w(12);
  w.run(10s);
  auto& d = w.directory;
  if (listed) {
    d.users[11].active = false;
  } else {
    d.users.pop_back();
  }
  w.run(2h);
  REQUIRE_FALSE(w.app_active(11));
  // The IdP cannot be reached while the push comes, and then the engine dies.
  d.fault = [](const std::string&, std::size_t) -> std::optional<port::HttpResult> { return Directory::broken(); };
  REQUIRE(w.set_active(w.c, w.users[11], false));
  REQUIRE(w.set_active(w.c, w.users[11], true));
  w.run(10s);
  CHECK(w.app_active(11));  // the IdP's own word, and the last one
  w.restart();
  d.fault = {};
  if (there && listed) d.users[11].active = true;
  if (there && !listed) d.users.push_back({"ext-u11"});
  w.run(3h);
  CHECK(w.app_active(11) == there);
  CHECK(w.subject(w.c, w.users[11]).access == there);
  // It is asked once, and owed no more.
  w.read([&](port::Reader& r) {
    CHECK(r.subjects_to_reread(w.c->row.scope, w.source, {}, 10).value().rows.empty());
    CHECK(r.grants(w.c->row.scope, w.users[11]).value().empty() == there);
  });
}

TEST_CASE("what a list showed before a push brought somebody back is looked at again, also after a crash",
          "[engine][polls][R5][R16]") {
  Polled w(12);
  w.run(10s);
  auto& d = w.directory;
  bool once = false;
  d.fault = [&](const std::string& target, std::size_t) -> std::optional<port::HttpResult> {
    if (target.find("/Users/") != std::string::npos) return Directory::broken();
    if (target.find("startIndex=6") == std::string::npos || std::exchange(once, true)) return std::nullopt;
    return Directory::answer(429, "{}", {{"Retry-After", "60"}});
  };
  bool ended = false;
  w.engine->sources().poll(w.owner, w.c->row.scope.integration, w.source, {},
                           [&](const Result<json::object>& r) { ended = r.has_value(); });
  w.run(10s);
  REQUIRE(once);
  REQUIRE(w.set_active(w.c, w.users[11], false));
  REQUIRE(w.set_active(w.c, w.users[11], true));
  d.users[11].active = false;
  w.run(70s);
  REQUIRE(ended);
  CHECK(w.app_active(11));
  w.restart();
  d.fault = {};
  w.run(3h);
  CHECK_FALSE(w.app_active(11));
}

TEST_CASE("whom an id means that names several is not asked for at each poll, and is when it names one again",
          "[engine][polls][R5][R12]") {
  Polled w(12, {{"scim", {{"base_url", "https://idp.example.com/scim"}, {"page_size", 5}, {"changes", true}}}});
  w.run(10s);
  auto& d = w.directory;
  d.users[4].active = false;
  d.changed = {{"ext-u4", false}};
  w.run(10min);
  REQUIRE_FALSE(w.app_active(4));
  d.changed.clear();
  const auto linked = [&](json::value to) {
    return w.wait<port::SourceRow>([&](auto done) {
      w.engine->sources().set(w.owner, w.c->row.scope.integration, w.source,
                              {json::object{{"links", json::object{{w.users[5].str(), std::move(to)}}}}},
                              std::move(done));
    });
  };
  REQUIRE(linked("ext-u4"));
  w.run(10min);
  REQUIRE(w.set_active(w.c, w.users[4], false));
  REQUIRE(w.set_active(w.c, w.users[4], true));
  w.run(1min);
  CHECK(w.app_active(4));
  const auto asked = [&] { return std::count(d.log.begin(), d.log.end(), "/scim/Users/ext-u4"); };
  const auto before = asked();
  const auto reads = d.log.size();
  w.run(2h);
  CHECK(d.log.size() > reads + 10);
  CHECK(asked() <= before + 1);
  CHECK(w.app_active(4));
  CHECK(w.app_active(5));
  // It is owed all the same.
  REQUIRE(linked(nullptr));
  w.run(20min);
  CHECK_FALSE(w.app_active(4));
  CHECK(w.app_active(5));
  CHECK(w.disables() == 2);
}
