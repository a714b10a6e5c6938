// The kill switch.
#include <algorithm>
#include <utility>
#include "catch.hpp"
#include "support/fake_app.hpp"
#include "support/faulty_store.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using connector::Operation;
using port::IntegrationState;
using port::JobState;

namespace {

engine::Principal by(const test::World& w, port::Role role = port::Role::owner) {
  engine::Principal p;
  p.workspace = w.workspace;
  p.role = role;
  return p;
}

/// Only what is ready now is run: time stands still meanwhile.
template <class T, class Start>
Result<T> at_once(test::World& w, Start start) {
  std::optional<Result<T>> out;
  start(engine::Done<T>([&](Result<T> r) { out = std::move(r); }));
  w.executor->run_until_idle();
  REQUIRE(out.has_value());
  return std::move(*out);
}
Result<port::IntegrationRow> stop(test::World& w, const engine::Context& c,
                                  const std::string& reason = "a mistake") {
  return at_once<port::IntegrationRow>(
      w, [&](auto d) { w.engine->stop_integration(by(w), c->row.scope.integration, reason, std::move(d)); });
}
Result<port::IntegrationRow> set(test::World& w, const engine::Context& c, IntegrationState state) {
  return at_once<port::IntegrationRow>(
      w, [&](auto d) { w.engine->set_integration_state(by(w), c->row.scope.integration, state, std::move(d)); });
}
Result<void> stop_all(test::World& w, port::Role role = port::Role::owner) {
  return at_once<void>(w, [&](auto d) { w.engine->stop_workspace(by(w, role), "bad feed", std::move(d)); });
}
Result<void> resume_all(test::World& w, port::Role role = port::Role::owner) {
  return at_once<void>(w, [&](auto d) { w.engine->resume_workspace(by(w, role), "looked at", std::move(d)); });
}
std::size_t effects(const test::World& w) {
  std::size_t n = 0;
  for (const auto& line : w.app->log) n += line.rfind("disable", 0) == 0 || line.rfind("revoke", 0) == 0 ? 1U : 0U;
  return n;
}

}  // namespace

TEST_CASE("a stop is answered at once, and nothing new is sent, over restarts too", "[engine][stop][R8]") {
  test::World w;
  const auto c = w.integrate("okta", R"({"lane":{"start_concurrency":2,"max_concurrency":2}})");
  std::vector<ResourceId> users;
  for (int i = 0; i < 20; ++i) {
    const auto n = std::to_string(i);
    w.app->add("a" + n, "ext-u" + n, "u" + n);
    users.push_back(w.add_user(c, "u" + n));
  }
  w.run(10s);
  w.app->latency = 5s;
  for (const auto& u : users) REQUIRE(w.set_active(c, u, false));
  w.run(6s);
  const auto before = effects(w);
  REQUIRE(before > 0);
  const auto asked = w.clock.wall();
  const auto row = stop(w, c);
  REQUIRE(row);
  CHECK(row->state == IntegrationState::stopped);
  CHECK(w.clock.wall() == asked);
  CHECK(w.events(c, "integration.stopped") == 1);
  CHECK(stop(w, c, "").error().code() == Errc::invalid_argument);
  w.run(10min);  // what is under way ends, and is recorded
  CHECK(effects(w) == before);
  for (const auto& u : users) CHECK(w.job(c, u).state != JobState::running);
  CHECK(set(w, c, IntegrationState::paused).error().code() == Errc::conflict);
  w.crash();
  w.boot();
  w.run(10min);
  CHECK(effects(w) == before);
  REQUIRE(w.set_active(c, users[0], true));  // the IdP is heard all the same
  REQUIRE(set(w, c, IntegrationState::active));
  w.run(10min);
  for (std::size_t i = 1; i < users.size(); ++i) CHECK(w.job(c, users[i]).state == JobState::succeeded_verified);
  CHECK(w.app->accounts["a0"].active == true);
}

TEST_CASE("stopping a workspace stops every integration of it", "[engine][stop]") {
  test::World w;
  const auto one = w.integrate("okta");
  const auto two = w.integrate("generic");
  w.app->add("a1", "ext-ann", "ann");
  w.app->add("b1", "ext-bob", "bob");
  const auto ann = w.add_user(one, "ann");
  const auto bob = w.add_user(two, "bob");
  w.run(1s);
  CHECK(stop_all(w, port::Role::member).error().code() == Errc::forbidden);
  REQUIRE(stop_all(w, port::Role::admin));
  REQUIRE(w.set_active(one, ann, false));
  REQUIRE(w.set_active(two, bob, false));
  w.run(1h);
  CHECK(effects(w) == 0);
  w.crash();
  w.boot();
  w.run(1h);
  CHECK(effects(w) == 0);
  REQUIRE(set(w, one, IntegrationState::active));  // resuming one of them does not undo it
  w.run(1h);
  CHECK(effects(w) == 0);
  CHECK(resume_all(w, port::Role::admin).error().code() == Errc::forbidden);
  REQUIRE(stop(w, two));
  REQUIRE(resume_all(w));
  w.run(1h);
  CHECK(w.job(one, ann).state == JobState::succeeded_verified);
  CHECK(w.job(two, bob).state == JobState::ready);  // stopped by itself
}

TEST_CASE("a stop between the record of a step and its request holds the request back", "[engine][stop][R18]") {
  auto faults = std::make_shared<test::StoreFaults>();
  test::World w(1, test::faulty(faults));
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  bool stopped = false;
  faults->on_commit = [&](const port::Transaction& txn) -> std::optional<Error> {
    if (!txn.reads.intents.empty() && !stopped) {
      stopped = true;
      w.engine->stop_integration(by(w), c->row.scope.integration, "now",
                                 [](const Result<port::IntegrationRow>& r) { CHECK(r.has_value()); });
    }
    return std::nullopt;
  };
  REQUIRE(w.set_active(c, ann, false));
  w.run(1min);
  REQUIRE(stopped);
  const auto sent = w.app->count("disable a1");
  CHECK(w.job(c, ann).state == JobState::ready);
  REQUIRE(set(w, c, IntegrationState::active));
  w.run(1min);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.app->count("disable a1") == 1);
  CHECK(sent == 0);
}

TEST_CASE("what was answered as stopped or paused stands still, though the row cannot be read again",
          "[engine][stop]") {
  const bool kill = GENERATE(false, true);
  CAPTURE(kill);
  auto faults = std::make_shared<test::StoreFaults>();
  test::World w(1, test::faulty(faults));
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  bool stored = false;
  faults->on_commit = [&](const port::Transaction& txn) -> std::optional<Error> {
    for (const auto& op : txn.ops) stored = stored || std::holds_alternative<port::op::PutIntegration>(op);
    return std::nullopt;
  };
  faults->on_view = [&] {
    return stored ? std::optional(Error(Errc::io, "the disk does not answer")) : std::nullopt;
  };
  const auto row = kill ? stop(w, c) : set(w, c, IntegrationState::paused);
  REQUIRE(row);
  REQUIRE(stored);
  faults->on_view = {};
  REQUIRE(w.set_active(c, ann, false));
  w.run(1h);
  CHECK(effects(w) == 0);
  CHECK(w.engine->integration(c->row.scope.integration)->row.state == row->state);
  // Nothing else that looks at the lanes lets it go on.
  REQUIRE(stop_all(w));
  REQUIRE(resume_all(w));
  w.run(1h);
  CHECK(effects(w) == 0);
  REQUIRE(set(w, c, IntegrationState::active));
  w.run(1min);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
}

TEST_CASE("an integration that was made is there, though its row cannot be read again", "[engine][stop]") {
  auto faults = std::make_shared<test::StoreFaults>();
  test::World w(1, test::faulty(faults));
  (void)w.integrate("okta");
  bool stored = false;
  faults->on_commit = [&](const port::Transaction& txn) -> std::optional<Error> {
    for (const auto& op : txn.ops) stored = stored || std::holds_alternative<port::op::PutIntegration>(op);
    return std::nullopt;
  };
  faults->on_view = [&] {
    return stored ? std::optional(Error(Errc::io, "the disk does not answer")) : std::nullopt;
  };
  engine::CreateIntegration what;
  what.name = "two";
  what.idp = "okta";
  what.connector = "fake";
  what.check = false;
  const auto made = at_once<engine::CreatedIntegration>(
      w, [&](auto d) { w.engine->create_integration(by(w), std::move(what), std::move(d)); });
  REQUIRE(made);
  CHECK(w.engine->authenticate_gateway(made->scim_token));
}

TEST_CASE("a stop that cannot be stored is no stop, and says so", "[engine][stop]") {
  auto faults = std::make_shared<test::StoreFaults>();
  test::World w(1, test::faulty(faults));
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  faults->on_commit = [&](const port::Transaction&) { return std::optional(Error(Errc::io, "the disk is gone")); };
  CHECK(stop(w, c).error().code() == Errc::io);
  CHECK(stop_all(w).error().code() == Errc::io);
  faults->on_commit = {};
  REQUIRE(w.set_active(c, ann, false));
  w.run(1min);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
}

TEST_CASE("of what nobody knows whether it was stored, it stands still until the store says so",
          "[engine][stop][R18]") {
  const int what = GENERATE(0, 1, 2);  // a stop, one of the workspace, a pause
  const bool happened = GENERATE(false, true);
  CAPTURE(what, happened);
  auto faults = std::make_shared<test::StoreFaults>();
  test::FaultyStore* store = nullptr;
  test::World w(1, test::faulty(faults, &store));
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  faults->on_commit = [&](const port::Transaction& txn) {
    if (happened) store->inner().commit(txn, [](const Result<port::Committed>& r) { CHECK(r.has_value()); });
    return std::optional(Error(Errc::commit_unknown, "the answer was lost"));
  };
  const auto silent = [] { return std::optional(Error(Errc::io, "the disk does not answer")); };
  bool asked = false;  // decided on before the disk falls silent
  faults->on_committed = [&] {
    asked = true;
    faults->on_view = silent;
    return silent();
  };
  const auto code = what == 0   ? stop(w, c).error().code()
                    : what == 1 ? stop_all(w).error().code()
                                : set(w, c, IntegrationState::paused).error().code();
  CHECK(code == Errc::commit_unknown);
  REQUIRE(asked);
  faults->on_commit = {};
  faults->on_committed = {};
  faults->on_view = {};
  REQUIRE(w.set_active(c, ann, false));  // before it is looked at again
  w.run(100ms);
  CHECK(effects(w) == 0);
  w.run(1h);
  CHECK((effects(w) == 0) == happened);
  if (what == 1) {
    REQUIRE(resume_all(w));
  } else {
    REQUIRE(set(w, c, IntegrationState::active));
  }
  w.run(1min);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
}

TEST_CASE("a stop that is sent again while nobody knows of the first one holds", "[engine][stop]") {
  const bool workspace = GENERATE(false, true);
  const bool happened = GENERATE(false, true);
  CAPTURE(workspace, happened);
  auto faults = std::make_shared<test::StoreFaults>();
  test::FaultyStore* store = nullptr;
  test::World w(1, test::faulty(faults, &store));
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  bool first = true;
  faults->on_commit = [&](const port::Transaction& txn) -> std::optional<Error> {
    if (!std::exchange(first, false)) return std::nullopt;
    if (happened) store->inner().commit(txn, [](const Result<port::Committed>& r) { CHECK(r.has_value()); });
    return Error(Errc::commit_unknown, "the answer was lost");
  };
  faults->on_committed = [] { return std::optional(Error(Errc::io, "the disk does not answer")); };
  std::vector<bool> answers;
  for (int i = 0; i < 2; ++i) {
    if (workspace) {
      w.engine->stop_workspace(by(w), "now", [&](const Result<void>& r) { answers.push_back(r.has_value()); });
    } else {
      w.engine->stop_integration(by(w), c->row.scope.integration, "now",
                                 [&](const Result<port::IntegrationRow>& r) { answers.push_back(r.has_value()); });
    }
  }
  w.executor->run_until_idle();
  REQUIRE(answers.size() == 2);
  CHECK(std::count(answers.begin(), answers.end(), true) == 1);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1h);
  CHECK(effects(w) == 0);
}
