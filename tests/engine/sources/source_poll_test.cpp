// Polled sources: what a round of a feed changes, what none that is not whole ever changes, and when each is read.
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

TEST_CASE("a polled source is read by itself: its first list changes nothing, and who leaves it loses access",
          "[engine][polls][R5][R6]") {
  Polled w(12);
  w.run(10s);
  CHECK(w.row().generation == 1);
  CHECK(w.row().users == 12);
  CHECK(w.directory.log.size() == 3);
  CHECK(w.disables() == 0);
  w.directory.users.erase(w.directory.users.begin() + 3);
  w.directory.users[7].active = false;  // u8
  w.run(2h);
  CHECK_FALSE(w.app_active(3));
  CHECK_FALSE(w.app_active(8));
  CHECK(w.disables() == 2);
  CHECK(w.subject(w.c, w.users[3]).cause == idp::Cause::unassigned);
  CHECK(w.subject(w.c, w.users[8]).cause == idp::Cause::deactivated);
  // What nothing is new in is read, and not told.
  const auto told = w.events(w.c, "source.sync_completed");
  CHECK(told == 2);
  const auto reads = w.directory.log.size();
  w.run(12h);
  CHECK(w.directory.log.size() > reads + 20);
  CHECK(w.events(w.c, "source.sync_completed") == told);
  w.directory.users[7].active = true;
  w.run(2h);
  CHECK(w.app_active(8));
  CHECK(w.row().failing_since.micros == 0);
}

TEST_CASE("a dry run of a polled source shows what would happen, and changes nothing", "[engine][polls][R22]") {
  Polled w(10);
  w.run(10s);
  w.directory.users.erase(w.directory.users.begin() + 2);
  const auto before = w.row();
  const auto dry = w.poll({.dry_run = true});
  REQUIRE(dry);
  CHECK(dry->at("dry_run").as_bool());
  CHECK(dry->at("ends").to_number<int>() == 1);
  CHECK(w.row().version == before.version);
  CHECK(w.disables() == 0);
  const auto now = w.poll();
  REQUIRE(now);
  CHECK(now->at("ends").to_number<int>() == 1);
  CHECK(now->at("round").as_string() == "complete");
  w.run(1min);
  CHECK_FALSE(w.app_active(2));
}

TEST_CASE("no round that is cut off, empty, repeated, miscounted or endless ends anybody's access",
          "[engine][polls][R6][R16]") {
  const auto by_cursor = GENERATE(false, true);
  Polled w(12, {{"scim",
                 {{"base_url", "https://idp.example.com/scim"},
                  {"page_size", 5},
                  {"paging", by_cursor ? "cursor" : "index"}}},
                {"poll", {{"max_pages", 30}}}});
  w.run(10s);
  REQUIRE(w.row().generation == 1);
  const auto all = w.directory.users;
  w.directory.users.erase(w.directory.users.begin() + 3);
  auto& d = w.directory;
  const std::size_t second = d.log.size() + 1;
  struct Fault {
    const char* name;
    std::function<std::optional<port::HttpResult>(const std::string&, std::size_t)> what;
  };
  std::size_t endless = 0;
  const std::vector<Fault> faults{
      {"empty list",
       [](const auto&, auto) { return Directory::answer(200, R"({"totalResults":0,"Resources":[]})"); }},
      {"first page says that it is all",
       [&](const auto&, auto) -> std::optional<port::HttpResult> {
         if (by_cursor) return Directory::answer(200, d.page(0, 5, 5));  // only asking for one alone finds that
         return Directory::answer(200, d.page(0, 5, 12));
       }},
      {"repeated page",
       [&](const auto&, auto) { return Directory::answer(200, d.page(0, 5, {}, by_cursor ? "5" : "")); }},
      {"empty page in the middle",
       [&](const auto&, std::size_t n) -> std::optional<port::HttpResult> {
         if (n % 2 == second % 2)
           return Directory::answer(
               200, json::serialize(json::object{{"totalResults", 11}, {"Resources", json::array{}}}));
         return std::nullopt;
       }},
      {"garbage", [](const auto&, auto) { return Directory::answer(200, "<html>maintenance</html>"); }},
      {"half a document", [&](const auto&, auto) { return Directory::answer(200, d.page(0, 5).substr(0, 60)); }},
      {"a user without id",
       [](const auto&, auto) {
         return Directory::answer(200, R"({"totalResults":1,"Resources":[{"userName":"x"}]})");
       }},
      {"forbidden", [](const auto&, auto) { return Directory::answer(403, "{}"); }},
      {"server errors in the middle",
       [&](const auto& target, auto) -> std::optional<port::HttpResult> {
         if (target.find("startIndex=6") == std::string::npos && target.find("cursor=5") == std::string::npos)
           return std::nullopt;
         return Directory::answer(502, "bad gateway");
       }},
      {"connections break",
       [](const auto&, auto) -> std::optional<port::HttpResult> { return Directory::broken(); }},
      {"endless paging",
       [&](const auto&, auto) {
         json::object o{{"totalResults", 1000000},
                        {"Resources", json::array{d.user({"e" + std::to_string(endless)})}},
                        {"startIndex", 1 + endless % 31}};
         ++endless;
         o["nextCursor"] = "c" + std::to_string(endless);
         return Directory::answer(200, json::serialize(o));
       }},
  };
  for (const auto& fault : faults) {
    INFO(fault.name << (by_cursor ? " by cursor" : " by index"));
    d.fault = fault.what;
    const auto report = w.poll();
    CHECK_FALSE(report);
    w.run(1min);
    CHECK(w.disables() == 0);
    CHECK(w.row().failing_since.micros != 0);
    CHECK(w.row().generation == 1);
    CHECK_FALSE(w.row().failure.empty());
  }
  CHECK(w.events(w.c, "source.unhealthy") == 1);
  d.fault = {};
  w.run(3h);  // by itself again
  CHECK(w.row().failing_since.micros == 0);
  CHECK(w.events(w.c, "source.recovered") == 1);
  CHECK_FALSE(w.app_active(3));
  CHECK(w.disables() == 1);
}

TEST_CASE("an end by a polled source is frozen while that source fails", "[engine][polls][R16]") {
  Polled w(12);
  w.run(10s);
  w.app->silent = true;  // the removal begins and does not come to its end
  w.directory.users.erase(w.directory.users.begin() + 3);
  REQUIRE(w.poll());
  w.directory.fault = [](const std::string&, std::size_t) { return Directory::answer(500, ""); };
  REQUIRE_FALSE(w.poll());
  CHECK(w.row().failing_since.micros != 0);
}

TEST_CASE("a hint leads to a targeted read, and to nothing else", "[engine][polls][R5]") {
  Polled w(12);
  w.run(10s);
  const auto hint = [&](engine::SourceHint what) {
    return w.wait<std::size_t>([&](auto done) {
      w.engine->sources().reread(w.owner, w.c->row.scope.integration, std::move(what), std::move(done));
    });
  };
  auto asked = hint({.subject = w.users[4]});
  REQUIRE(asked);
  CHECK(*asked == 1);
  w.run(10s);
  CHECK(w.directory.log.back() == "/scim/Users/ext-u4");
  CHECK(w.disables() == 0);

  w.directory.users.erase(w.directory.users.begin() + 4);
  REQUIRE(hint({.id = "ext-u4"}));
  REQUIRE(hint({.id = "ext-u4"}));
  w.run(20s);
  CHECK_FALSE(w.app_active(4));
  CHECK(w.subject(w.c, w.users[4]).cause == idp::Cause::hard_deleted);
  CHECK(w.disables() == 1);
  // An answer that proves nothing changes nothing.
  w.directory.fault = [](const std::string&, std::size_t) {
    return Directory::answer(404, "<html>not here</html>");
  };
  REQUIRE(hint({.id = "ext-u5"}));
  w.run(10s);
  CHECK(w.disables() == 1);
  CHECK(w.row().failing_since.micros == 0);
  w.directory.fault = {};
  w.run(2h);
  CHECK(w.disables() == 1);
  CHECK_FALSE(hint({.subject = ResourceId{}}));
}

TEST_CASE("after a crash at any request of a round, the next one changes what it would have", "[engine][polls]") {
  for (std::size_t at = 0; at < 3; ++at) {
    INFO("crash at request " << at);
    Polled w(12);
    w.run(10s);
    w.directory.users.erase(w.directory.users.begin() + 3);
    const auto from = w.directory.log.size();
    auto got = std::make_shared<bool>(false);
    w.engine->sources().poll(w.owner, w.c->row.scope.integration, w.source, {},
                             [got](Result<json::object>) { *got = true; });
    while (w.directory.log.size() <= from + at && w.executor->run_one()) {
    }
    w.restart();
    w.run(10min);
    CHECK_FALSE(w.app_active(3));
    CHECK(w.disables() == 1);
    CHECK(w.row().failing_since.micros == 0);
  }
}

TEST_CASE("a round that a crash broke off is begun anew by the next start, and not when its claim ends",
          "[engine][polls]") {
  for (std::size_t at = 0; at < 3; ++at) {
    INFO("crash at request " << at);
    Polled w(12);
    w.run(10s);
    w.directory.users.erase(w.directory.users.begin() + 3);
    const auto from = w.directory.log.size();
    auto got = std::make_shared<bool>(false);
    w.engine->sources().poll(w.owner, w.c->row.scope.integration, w.source, {},
                             [got](Result<json::object>) { *got = true; });
    while (w.directory.log.size() <= from + at && w.executor->run_one()) {
    }
    w.restart();
    w.run(5s);
    CHECK_FALSE(w.app_active(3));
    CHECK(w.disables() == 1);
  }
}

TEST_CASE("polls come faster while something changes, slower while nothing does, within their bounds",
          "[engine][polls]") {
  Polled w(12, {{"poll", {{"floor_s", 60}, {"ceiling_s", 960}}}});
  w.run(10s);
  std::size_t turn = 0;
  for (; turn < 10; ++turn) {
    w.directory.users[0].active = turn % 2 == 0 ? false : true;
    REQUIRE(w.poll());
    w.run(1s);
  }
  CHECK(w.row().due - w.clock.wall() <= 70s);
  CHECK(w.row().due - w.clock.wall() >= 50s);
  w.run(24h);
  CHECK(w.row().due - w.clock.wall() <= 1056s);
  const auto reads = w.directory.log.size();
  w.run(10h);
  const auto rounds = (w.directory.log.size() - reads) / 3;
  CHECK(rounds >= 33);
  CHECK(rounds <= 43);
}

TEST_CASE(
    "a push that repeats what it always said does not undo an end by a source; a later one that changes does",
    "[engine][polls][R16]") {
  Polled w(12);
  w.run(10s);
  w.directory.users[6].active = false;
  REQUIRE(w.poll());
  w.run(1min);
  REQUIRE_FALSE(w.app_active(6));
  const auto asked = w.directory.log.size();
  REQUIRE(w.set_active(w.c, w.users[6], true));  // it never said otherwise
  w.run(10s);
  REQUIRE(w.directory.log.size() == asked + 1);  // only that one user is read again
  CHECK(w.directory.log.back() == "/scim/Users/ext-u6");
  w.run(1h);
  CHECK_FALSE(w.app_active(6));
  CHECK_FALSE(w.subject(w.c, w.users[6]).access);
  REQUIRE(w.set_active(w.c, w.users[6], false));
  REQUIRE(w.set_active(w.c, w.users[6], true));
  w.run(1min);
  CHECK(w.app_active(6));
  CHECK(w.disables() == 1);

  // Where the source gives access again, the push that says so is what it takes to be heard of at once.
  w.directory.users[2].active = false;
  REQUIRE(w.poll());
  w.run(1min);
  REQUIRE_FALSE(w.app_active(2));
  w.directory.users[2].active = true;
  REQUIRE(w.set_active(w.c, w.users[2], true));
  w.run(1min);
  CHECK(w.app_active(2));
}

TEST_CASE("the end of what a source failed to show is a person's to see: health, quota and the next poll",
          "[engine][polls][R16]") {
  Polled w(12);
  w.run(10s);
  auto health = engine::poll_health(w.row());
  REQUIRE(health);
  CHECK(health->round == "complete");
  CHECK(health->reader.empty());
  CHECK(health->complete_at.micros != 0);
  w.directory.fault = [](const std::string&, std::size_t) { return Directory::answer(401, "{}"); };
  const auto refused = w.poll();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message().find("credential") != std::string::npos);
  CHECK(w.row().failure.find("credential") != std::string::npos);
  CHECK(w.row().failures == 1);
  CHECK(w.row().due > w.clock.wall());
  const auto told = w.events(w.c, "source.sync_refused");
  REQUIRE_FALSE(w.poll());  // for the same reason: told once
  CHECK(w.events(w.c, "source.sync_refused") == told);
  CHECK(w.row().failures == 2);
}

TEST_CASE(
    "between complete lists a source is asked for what changed, and its checkpoint goes with what that changed",
    "[engine][polls][R6]") {
  Polled w(12, {{"scim", {{"base_url", "https://idp.example.com/scim"}, {"page_size", 5}, {"changes", true}}},
                {"poll", {{"complete_every_s", 7200}}}});
  w.run(10s);
  REQUIRE(w.row().generation == 1);
  auto& d = w.directory;
  const auto complete = d.log.size();
  CHECK(complete == 3);
  w.run(10min);
  CHECK(d.log.size() > complete);
  for (auto i = complete; i < d.log.size(); ++i) CHECK(d.log[i].find("lastModified") != std::string::npos);
  CHECK(engine::poll_health(w.row())->round == "changes");
  CHECK(w.row().generation == 1);  // nobody changed: nothing was stored but that it was read

  d.users[4].active = false;
  d.changed = {{"ext-u4", false}, {"ext-u4", false}, {"ext-stranger", true}};
  w.run(6min);
  CHECK_FALSE(w.app_active(4));
  CHECK(w.disables() == 1);
  const auto generation = w.row().generation;
  w.run(10min);  // replays change nothing
  CHECK(w.row().generation == generation);
  CHECK(w.row().users == 13);

  // Whom changes do not show as gone is seen by the next complete list, and by nothing before.
  d.changed.clear();
  d.users.erase(d.users.begin() + 7);
  w.run(30min);
  CHECK(w.app_active(7));
  w.run(2h);
  CHECK_FALSE(w.app_active(7));
  CHECK(w.disables() == 2);

  // What changed since cannot be had any more: everybody is read, under the rules for that.
  bool expired = false;
  d.fault = [&](const std::string& target, std::size_t) -> std::optional<port::HttpResult> {
    if (target.find("lastModified") == std::string::npos) return std::nullopt;
    expired = true;
    return Directory::answer(410, "{}");
  };
  d.users.erase(d.users.begin() + 1);
  w.run(10min);
  CHECK(expired);
  CHECK_FALSE(w.app_active(1));
  CHECK(w.row().failing_since.micros == 0);
  d.fault = [&](const std::string& target, std::size_t) -> std::optional<port::HttpResult> {
    if (target.find("lastModified") != std::string::npos) return Directory::answer(410, "{}");
    return Directory::answer(200, R"({"totalResults":0,"Resources":[]})");
  };
  w.run(20min);
  CHECK(w.row().failing_since.micros != 0);
  CHECK(w.disables() == 3);
}

TEST_CASE("a crash between a round of changes and its storing loses and doubles nothing", "[engine][polls]") {
  for (std::uint64_t steps = 0; steps < 60; steps += 3) {
    INFO("killed after " << steps);
    Polled w(12, {{"scim", {{"base_url", "https://idp.example.com/scim"}, {"page_size", 5}, {"changes", true}}}});
    w.run(10s);
    w.directory.changed = {{"ext-u4", false}};
    w.directory.users[4].active = false;
    auto got = std::make_shared<bool>(false);
    w.engine->sources().poll(w.owner, w.c->row.scope.integration, w.source, {},
                             [got](Result<json::object>) { *got = true; });
    for (std::uint64_t i = 0; i < steps && w.executor->run_one(); ++i) {
    }
    w.restart();
    w.run(12min);
    CHECK_FALSE(w.app_active(4));
    CHECK(w.disables() == 1);
  }
}

TEST_CASE("a config that belongs to another kind of source, or lacks its credential, is refused",
          "[engine][polls]") {
  Polled w(1);
  const auto refused = [&](const std::string& kind, json::object config) {
    const auto added = w.wait<port::SourceRow>([&](auto done) {
      w.engine->sources().add(w.owner, w.c->row.scope.integration, {"x", kind, std::move(config)},
                              std::move(done));
    });
    return added ? std::string{} : added.error().where();
  };
  const json::object scim{{"base_url", "https://idp.example.com"}};
  CHECK(refused("file", {{"scim", scim}}) == "config/scim");
  CHECK(refused("scim", {}) == "config/scim");
  CHECK(refused("scim", {{"scim", scim}, {"auth", {{"type", "token"}}}}) == "config/auth/token");
  CHECK(refused("scim", {{"scim", scim}, {"auth", {{"type", "token"}, {"token", "a\r\nX: y"}}}}) ==
        "config/auth/token");
  for (const bool wanted : {false, true}) {  // it would have no effect there
    CHECK(refused("scim", {{"scim", scim}, {"auth", {{"type", "token"}, {"token", "t"}, {"dpop", wanted}}}}) ==
          "config/auth/dpop");
    CHECK(refused("scim", {{"scim", scim},
                           {"auth", {{"type", "basic"}, {"user", "u"}, {"password", "p"}, {"dpop", wanted}}}}) ==
          "config/auth/dpop");
  }
  CHECK(refused("scim", {{"scim", scim}, {"poll", {{"floor_s", 60}, {"ceiling_s", 30}}}}) ==
        "config/poll/ceiling_s");
  CHECK(refused("carrier-pigeon", {}) == "kind");
  CHECK(refused("scim", {{"scim", scim}}).empty());
}

TEST_CASE("of several engines on one store one reads a source at a time, and when it dies another one does",
          "[engine][polls]") {
  Polled w(12, {{"poll", {{"floor_s", 60}, {"ceiling_s", 60}}}});
  w.options.lane_lease = 60s;
  w.options.node = "first";
  w.restart();
  w.run(10s);
  Directory other;
  port::Executor* its = nullptr;
  other.executor = &its;
  other.users = w.directory.users;
  auto executor = std::make_unique<runtime::VirtualExecutor>(w.clock);
  its = executor.get();
  runtime::SeededRandom random{2};
  auto options = w.options;
  options.node = "second";
  auto made = engine::Engine::create({*executor, w.clock, random, *w.store, other, *w.crypto}, options);
  REQUIRE(made);
  (*made)->start([](const Result<void>& started) { REQUIRE(started); });
  const auto both = [&](int seconds) {
    for (int i = 0; i < seconds; ++i) {
      w.run(1s);
      executor->run_for(0s);
    }
  };
  const auto reads = [&] { return (w.directory.log.size() + other.log.size()) / 3; };
  const auto from = reads();
  both(1200);
  CHECK(reads() - from >= 15);
  CHECK(reads() - from <= 24);
  CHECK(w.row().failing_since.micros == 0);
  w.directory.users.erase(w.directory.users.begin() + 3);
  other.users = w.directory.users;
  both(180);
  CHECK_FALSE(w.app_active(3));
  CHECK(w.disables() == 1);

  // The first one dies in the middle of a round.
  w.directory.fault = [](const std::string&, std::size_t) { return std::optional<port::HttpResult>(); };
  auto got = std::make_shared<bool>(false);
  const auto asked = w.directory.log.size();
  w.engine->sources().poll(w.owner, w.c->row.scope.integration, w.source, {},
                           [got](Result<json::object>) { *got = true; });
  while (w.directory.log.size() == asked && w.executor->run_one()) {
  }
  w.crash();
  w.now_running = w.executor.get();
  const auto others = other.log.size();
  for (int i = 0; i < 900; ++i) {
    w.run(1s);
    executor->run_for(0s);
  }
  CHECK(other.log.size() > others);
  made->reset();
}
