// Connectors of plugins as the engine calls them: good ones, and what becomes of the faults of bad ones.
#include <deprov/runtime/virtual_executor.hpp>
#include "plugin/host.hpp"
#include "plugin/zoo.hpp"

using namespace deprov;
using namespace deprov::test;
using connector::Effect;
using zoo::Cage;
using zoo::find;

namespace {

/// A plugin opened by an executor of its own.
struct Opened {
  explicit Opened(const std::string& defect) : cage(defect) {
    auto kinds = cage.load();
    REQUIRE(kinds);
    auto made = kinds->at("zoo")->open(zoo::good_config, bench.host());
    INFO((made ? std::string() : made.error().message()));
    REQUIRE(made);
    app = std::move(*made);
  }
  Reply call(Call c) { return Bench::call(*app, std::move(c)); }
  Reply call(Operation o, const std::string& id) { return Bench::call(*app, make_call(o, id)); }

  Cage cage;
  Bench bench;
  std::unique_ptr<connector::Connector> app;
};

}  // namespace

TEST_CASE("a good plugin does what a connector does") {
  const auto before = plugin::live();
  Opened o("good");
  auto r = o.call(make_call(Operation::check));
  check_outcome(r, Outcome::ok);
  CHECK(r.accounts.size() == 1);
  r = o.call(find("ann@example.com"));
  check_outcome(r, Outcome::ok);
  REQUIRE(r.accounts.size() == 1);
  CHECK(r.accounts[0].id == "u0");
  CHECK(r.accounts[0].external_id == "x0");
  CHECK(r.accounts[0].active == true);
  auto by_mail = make_call(Operation::find);
  by_mail.match.emails = {"nobody@example.com", "bob@example.com"};
  r = o.call(by_mail);
  REQUIRE(r.accounts.size() == 1);
  CHECK(r.accounts[0].active == false);
  check_outcome(o.call(find("an")), Outcome::not_found);
  r = o.call(Operation::disable, "u0");
  check_outcome(r, Outcome::ok);
  CHECK(r.effect == Effect::done);
  CHECK(o.call(Operation::disable, "u0").effect == Effect::already);
  CHECK(o.call(Operation::read, "u0").accounts.at(0).active == false);
  check_outcome(o.call(Operation::remove, "u0"), Outcome::ok);
  check_outcome(o.call(Operation::read, "u0"), Outcome::not_found);
  std::vector<std::string> ids;
  auto list = make_call(Operation::list);
  do {
    r = o.call(list);
    check_outcome(r, Outcome::ok);
    for (const auto& a : r.accounts) ids.push_back(a.id);
    list.cursor = r.next_cursor;
  } while (!list.cursor.empty());
  CHECK(ids == std::vector<std::string>{"u1", "u2", "u3", "u4"});
  o.app.reset();
  CHECK(plugin::live().calls == before.calls);
  CHECK(plugin::live().texts == before.texts);
  CHECK(o.cage.log().empty());
}

TEST_CASE("what the manifest does not name is not asked of a plugin") {
  Opened o("crashes");  // would not live through a call
  check_outcome(o.call(Operation::transfer, "u0"), Outcome::unsupported);
}

TEST_CASE("a plugin that cannot be opened says why") {
  const Cage cage("open_fails");
  Bench b;
  const auto kinds = cage.load();
  REQUIRE(kinds);
  const auto r = kinds->at("zoo")->open(zoo::good_config, b.host());
  REQUIRE_FALSE(r);
  CHECK(r.error().message() == "connector zoo: there is no weather today; correct the configuration");
}

TEST_CASE("a call that is let go of, or answered with nonsense, ends as what it may have done") {
  {
    Opened o("drops_call");
    check_outcome(o.call(Operation::disable, "u0"), Outcome::unknown_outcome);
    check_outcome(o.call(Operation::read, "u0"), Outcome::internal);
    CHECK(o.cage.log().find("without completing it") != std::string::npos);
  }
  {
    Opened o("outcome_99");
    check_outcome(o.call(Operation::disable, "u0"), Outcome::unknown_outcome);
    CHECK(o.cage.log().find("reply.outcome: 99") != std::string::npos);
  }
  {
    Opened o("accounts_broken");
    check_outcome(o.call(Operation::read, "u0"), Outcome::internal);
    CHECK(o.cage.log().find("reply.accounts: not JSON") != std::string::npos);
  }
}

TEST_CASE("the first completion counts") {
  Opened o("completes_twice");
  check_outcome(o.call(Operation::disable, "u0"), Outcome::ok);
  CHECK(o.cage.log().find("completed more than once") != std::string::npos);
}

TEST_CASE("secrets come by name, and leave neither in details nor in logs") {
  Opened o("tells_secret");
  const auto r = o.call(Operation::read, "u0");
  check_outcome(r, Outcome::ok);
  CHECK(r.detail == "logged in with ***");
}

TEST_CASE("a call that is never completed is answered after its time, and closing does not wait for it") {
  const Cage cage("never_completes");
  auto kinds = cage.load();
  REQUIRE(kinds);
  runtime::VirtualClock clock;
  runtime::VirtualExecutor executor(clock);
  runtime::SeededRandom random{1};
  const auto http = http::make_curl_transport();
  auto opened = kinds->at("zoo")->open(zoo::good_config, {executor, clock, random, *http});
  REQUIRE(opened);
  std::vector<std::string> ended;
  const auto note = [&](const char* what) {
    return [&ended, what](Reply r) { ended.push_back(std::string(what) + " " + name(r.outcome)); };
  };
  auto change = make_call(Operation::disable, "u0");
  auto read = make_call(Operation::read, "u0");
  (*opened)->start(change, note("disable"));
  (*opened)->start(read, note("read"));
  while (executor.run_one()) {
  }
  CHECK(ended.empty());
  while (executor.advance_to_next_timer())
    while (executor.run_one()) {
    }
  CHECK(ended == std::vector<std::string>{"disable UNKNOWN_OUTCOME", "read DEADLINE"});
  CHECK(clock.mono() >= MonoTime{} + change.timeout + plugin::overdue_after);
  // One more is left behind: nobody hears of it.
  (*opened)->start(change, note("left"));
  while (executor.run_one()) {
  }
  opened->reset();
  while (executor.advance_to_next_timer())
    while (executor.run_one()) {
    }
  CHECK(ended.size() == 2);
}
