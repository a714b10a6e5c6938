// Jobs that must not be forgotten, whatever comes between two steps.
#include <deprov/policy/plan.hpp>
#include "catch.hpp"
#include "support/fake_app.hpp"
#include "support/faulty_store.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using connector::Operation;
using connector::Outcome;
using port::JobKind;
using port::JobState;

namespace {

bool sends(const port::Transaction& txn) { return !txn.reads.intents.empty(); }

bool records_done(const port::Transaction& txn) {
  for (const auto& o : txn.ops)
    if (const auto* a = std::get_if<port::op::AppendActivity>(&o); a != nullptr && a->event == "step.done")
      return true;
  return false;
}

engine::Principal local(const test::World& w) {
  engine::Principal p;
  p.workspace = w.workspace;
  p.role = port::Role::owner;
  return p;
}

void set_state(test::World& w, const engine::Context& c, port::IntegrationState state) {
  w.engine->set_integration_state(local(w), c->row.scope.integration, state,
                                  [](const Result<port::IntegrationRow>& r) { REQUIRE(r.has_value()); });
  w.executor->run_until_idle();
}

}  // namespace

TEST_CASE("a job that loses its place in the lane lets the next one in", "[jobs][lane][R15]") {
  auto faults = std::make_shared<test::StoreFaults>();
  test::FaultyStore* store = nullptr;
  test::World w(1, test::faulty(faults, &store));
  const auto c = w.integrate("okta", R"({"lane":{"start_concurrency":2,"max_concurrency":2}})");
  std::vector<ResourceId> users;
  for (const std::string name : {"ann", "bob", "cyd"}) {
    w.app->add("a-" + name, "ext-" + name, name);
    users.push_back(w.add_user(c, name));
  }
  w.run(1s);
  set_state(w, c, port::IntegrationState::paused);
  for (const auto& u : users) REQUIRE(w.set_active(c, u, false));
  int bumped = 0;
  faults->on_commit = [&](const port::Transaction& txn) -> std::optional<Error> {
    if (!sends(txn) || bumped == 2) return std::nullopt;
    ++bumped;
    port::Transaction other;  // the IdP was faster: the intent is a newer one
    other.id = w.random.id<TxnId>(w.clock.wall());
    auto row = w.subject(c, txn.reads.intents.front().subject);
    ++row.generation;
    other.ops.emplace_back(port::op::PutSubject{row});
    store->inner().commit(std::move(other), [](const Result<port::Committed>& r) { REQUIRE(r.has_value()); });
    return std::nullopt;
  };
  set_state(w, c, port::IntegrationState::active);
  w.run(60s);
  CHECK(bumped == 2);
  std::size_t verified = 0;
  for (const auto& u : users) verified += w.job(c, u).state == JobState::succeeded_verified ? 1U : 0U;
  CHECK(verified == 1);
}

TEST_CASE("a job between two steps survives a view that fails", "[jobs][lane][R5]") {
  auto faults = std::make_shared<test::StoreFaults>();
  test::World w(1, test::faulty(faults));
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  int sent = 0;
  int failing = 0;
  faults->on_commit = [&](const port::Transaction& txn) -> std::optional<Error> {
    if (!sends(txn) || ++sent != 2) return std::nullopt;
    failing = 3;
    return Error(Errc::stale_read, "somebody was faster");
  };
  std::size_t views = 0;
  faults->on_view = [&]() -> std::optional<Error> {
    ++views;
    if (failing == 0) return std::nullopt;
    --failing;
    return Error(Errc::busy, "too many views");
  };
  REQUIRE(w.set_active(c, ann, false));
  w.run(60s);
  CHECK(failing == 0);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.app->count("disable a1") == 1);
  CHECK(views < 100);
}

TEST_CASE("an outcome is recorded even when its record meets another and then a full queue", "[jobs][lane][R13]") {
  auto faults = std::make_shared<test::StoreFaults>();
  test::World w(1, test::faulty(faults));
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  bool stale = false;
  int busy = 0;
  faults->on_commit = [&](const port::Transaction& txn) -> std::optional<Error> {
    if (stale || !records_done(txn)) return std::nullopt;
    stale = true;
    busy = 2;
    return Error(Errc::stale_read, "the binding was looked at by a person");
  };
  faults->on_transact = [&]() -> std::optional<Error> {
    if (busy == 0) return std::nullopt;
    --busy;
    return Error(Errc::busy, "the queue is full");
  };
  REQUIRE(w.set_active(c, ann, false));
  w.run(60s);
  CHECK(stale);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.app->count("disable a1") == 1);
  CHECK(w.binding(c, ann).last_set == port::AccountState::disabled);
}

TEST_CASE("a disable whose outcome is unknown is undone when access comes back", "[jobs][lane][R4][R18]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"retry":{"base_ms":60000}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  const bool happened = GENERATE(true, false);
  w.app->answer(Operation::disable, Outcome::unknown_outcome, happened);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  CHECK(w.job(c, ann).state == JobState::retrying);
  REQUIRE(w.set_active(c, ann, true));
  w.run(300s);
  CHECK(w.app->accounts["a1"].active == true);
  CHECK(w.app->count("enable a1") == (happened ? 1U : 0U));
  CHECK(w.subject(c, ann).access);
}

TEST_CASE("a disable in doubt is remembered, however many intents come after it", "[jobs][lane][R4][R18]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"retry":{"base_ms":60000}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->answer(Operation::disable, Outcome::unknown_outcome, true);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  REQUIRE(w.job(c, ann).state == JobState::retrying);
  set_state(w, c, port::IntegrationState::paused);
  for (int i = 0; i < 40; ++i) {
    REQUIRE(w.set_active(c, ann, true));
    REQUIRE(w.set_active(c, ann, false));
  }
  const bool acts_again = GENERATE(false, true);  // and finds the account disabled, by whom it cannot know
  if (acts_again) {
    set_state(w, c, port::IntegrationState::active);
    w.run(300s);
    CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  }
  REQUIRE(w.set_active(c, ann, true));
  set_state(w, c, port::IntegrationState::active);
  w.run(300s);
  CHECK(w.app->accounts["a1"].active == true);
}

TEST_CASE("access that flaps while a disable is under way ends as it should", "[jobs][lane][R4][R15]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->latency = 5s;
  const bool last = GENERATE(true, false);
  REQUIRE(w.set_active(c, ann, false));
  w.run(100ms);
  REQUIRE(w.set_active(c, ann, true));
  REQUIRE(w.set_active(c, ann, false));
  if (last) REQUIRE(w.set_active(c, ann, true));
  w.run(120s);
  CHECK(w.app->accounts["a1"].active == last);
  for (const auto& j : w.jobs(c, ann)) CHECK(port::is_finished(j.state));
}

TEST_CASE("a job whose subject was unbound looks its account up anew", "[jobs][lane][R12]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"retry":{"base_ms":60000},"causes":{"deactivated":["disable"]}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->answer(Operation::disable, Outcome::unavailable);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  CHECK(w.job(c, ann).state == JobState::retrying);
  w.engine->unbind(local(w), c->row.scope.integration, ann, [](const Result<void>& r) { REQUIRE(r.has_value()); });
  w.run(300s);
  CHECK(w.app->count("disable") == 0);  // addressed to nobody
  CHECK(w.app->accounts["a1"].active == false);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
}

TEST_CASE("waiting for the app is not told again with every poll", "[jobs][lane][R20]") {
  test::World w;
  w.app->description.of(Operation::poll).supported = true;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"causes":{"deactivated":["disable"]}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  connector::Reply accepted;
  accepted.outcome = Outcome::ok;
  accepted.effect = connector::Effect::accepted;
  accepted.handle = "h1";
  w.app->script.push_back({Operation::disable, accepted, true});
  for (int i = 0; i < 50; ++i) w.app->script.push_back({Operation::poll, accepted, false});
  REQUIRE(w.set_active(c, ann, false));
  w.run(300s);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.events(c, "step.done") == 2);
}

TEST_CASE("an account that was found is addressed by its id, whatever it is called by now", "[jobs][lane][R12]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->accounts["a1"].external_id = "ext-old";  // and another one has her names
  w.app->accounts["a1"].user_name = "ann.old";
  w.app->add("a2", "ext-ann", "ann");
  REQUIRE(w.set_active(c, ann, false));
  w.run(1min);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.app->accounts["a1"].active == false);
  CHECK(w.app->accounts["a2"].active == true);
}

TEST_CASE("an account that a second subject matches stops the first one's removal", "[jobs][lane][R12]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"retry":{"base_ms":60000}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->answer(Operation::disable, Outcome::not_sent);
  w.app->answer(Operation::revoke_sessions, Outcome::not_sent);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  CHECK(w.job(c, ann).state == JobState::retrying);
  w.app->accounts["a1"].external_id = "ext-ann2";
  const auto again = w.add_user(c, "ann2");
  w.run(300s);
  CHECK(w.job(c, again, JobKind::bind).state == JobState::held);
  CHECK(w.job(c, ann).state == JobState::held);
  CHECK(w.app->accounts["a1"].active == true);
}

TEST_CASE("what is on its way to an account that a second subject matches is recorded, and nothing follows",
          "[jobs][lane][R12]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->latency = 10s;
  REQUIRE(w.set_active(c, ann, false));
  w.run(11s);  // the disable is over, and the end of the sessions on its way
  REQUIRE(w.job(c, ann).state == JobState::running);
  w.app->accounts["a1"].external_id = "ext-ann2";
  w.app->latency = 1s;
  const auto again = w.add_user(c, "ann2");
  w.run(300s);
  CHECK(w.job(c, again, JobKind::bind).state == JobState::held);
  const auto job = w.job(c, ann);
  CHECK(job.state == JobState::held);
  CHECK(job.reason.find("matches subject " + again.str()) != std::string::npos);
  const auto plan = policy::parse_plan(job.plan).value();
  for (const auto& step : plan.steps) {
    CAPTURE(policy::step_name(step));
    if (step.kind == policy::StepKind::call) CHECK(step.state == policy::StepState::done);
    if (step.kind == policy::StepKind::verify) CHECK(step.state == policy::StepState::pending);
  }
  CHECK(w.events(c, "step.done") == 2);
}

TEST_CASE("look-ups that fill the lane do not keep a removal waiting", "[jobs][lane][R15]") {
  test::World w;
  w.options.lane_window = 40;
  w.app->add("a-ann", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"lane":{"start_concurrency":1,"max_concurrency":1}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->latency = 1s;
  for (int i = 0; i < 100; ++i) w.add_user(c, "user" + std::to_string(i));
  REQUIRE(w.set_active(c, ann, false));
  w.run(6s);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  w.run(200s);
  for (const auto& [state, n] : [&] {
         std::map<JobState, std::uint64_t> counts;
         w.read([&](port::Reader& r) { counts = *r.job_counts(c->row.scope); });
         return counts;
       }())
    CHECK((port::is_finished(state) || n == 0));
}

TEST_CASE("a removal does not wait in the queue of its own subject's look-up", "[jobs][lane][R15]") {
  test::World w;
  w.options.lane_window = 40;
  const auto c = w.integrate("okta", R"({"lane":{"start_concurrency":1,"max_concurrency":1}})");
  w.app->latency = 1s;
  std::vector<ResourceId> users;
  for (int i = 0; i < 100; ++i) {
    const auto name = "user" + std::to_string(i);
    w.app->add("a-" + name, "ext-" + name, name);
    users.push_back(w.add_user(c, name));
  }
  REQUIRE(w.set_active(c, users[20], false));
  w.run(8s);
  CHECK(w.job(c, users[20]).state == JobState::succeeded_verified);
}

TEST_CASE("what a running job kept waiting begins when it is over, however full the lane",
          "[jobs][lane][R4][R15]") {
  test::World w;
  w.options.lane_window = 4;
  const auto c = w.integrate("okta", R"({"lane":{"start_concurrency":1,"max_concurrency":1}})");
  std::vector<ResourceId> users;
  for (int i = 0; i < 5; ++i) {
    const auto name = "user" + std::to_string(i);
    w.app->add("a-" + name, "ext-" + name, name);
    users.push_back(w.add_user(c, name));
  }
  w.run(5s);
  w.app->latency = 10s;
  for (const auto& u : users) REQUIRE(w.set_active(c, u, false));
  w.run(1s);
  REQUIRE(w.set_active(c, users[0], true));
  w.run(600s);
  for (std::size_t i = 0; i < users.size(); ++i)
    CHECK(w.app->accounts["a-user" + std::to_string(i)].active == (i == 0));
  for (const auto& u : users)
    for (const auto& j : w.jobs(c, u)) CHECK(port::is_finished(j.state));
}

TEST_CASE("without a word of the policy a removal is tried for 28 days, at least every six hours", "[jobs][R17]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"causes":{"deactivated":["disable"]}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1min);
  for (int i = 0; i < 1000; ++i) w.app->answer(connector::Operation::disable, connector::Outcome::unavailable);
  REQUIRE(w.set_active(c, ann, false));
  w.run(24h * 28 - 1h);
  CHECK(w.job(c, ann).state == JobState::retrying);
  CHECK(w.job(c, ann).attempts > 28 * 4);
  w.run(8h);
  CHECK(w.job(c, ann).state == JobState::dead);
  CHECK(w.events(c, "removal.failed") == 1);
}
