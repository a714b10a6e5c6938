// Lanes that are replaced while they work, and changes of an integration under load.
#include "catch.hpp"
#include "support/fake_app.hpp"
#include "support/faulty_store.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using connector::Operation;
using connector::Outcome;
using engine::MemberStep;
using port::JobKind;
using port::JobState;

namespace {

engine::Principal local(const test::World& w) {
  engine::Principal p;
  p.workspace = w.workspace;
  p.role = port::Role::owner;
  return p;
}

void update_policy(test::World& w, const engine::Context& c, int settle_ms) {
  bool ok = false;
  w.engine->update_integration(local(w), c->row.scope.integration,
                               {{"policy", boost::json::object{{"settle_ms", settle_ms}}}},
                               [&](const Result<port::IntegrationRow>& r) { ok = r.has_value(); });
  w.executor->run_until_idle();
  REQUIRE(ok);
}

void answer_all(test::World& w) {
  w.app->silent = false;
  auto calls = std::move(w.app->unanswered);
  w.app->unanswered.clear();
  for (auto& done : calls) {
    connector::Reply reply;
    reply.outcome = Outcome::unavailable;
    done(std::move(reply));
  }
}

std::uint64_t epoch(test::World& w, const engine::Context& c) {
  std::uint64_t e = 0;
  w.read([&](port::Reader& r) { e = (*r.lane(c->row.scope))->epoch; });
  return e;
}

}  // namespace

TEST_CASE("two changes while a call is under way leave one lane", "[engine][background]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->silent = true;
  REQUIRE(w.set_active(c, ann, false));
  update_policy(w, c, 1000);
  update_policy(w, c, 2000);
  CHECK(w.app->unanswered.size() == 1);  // nobody else works on it meanwhile
  answer_all(w);
  w.run(10s);
  const auto before = epoch(w, c);
  w.run(60s);
  CHECK(epoch(w, c) == before);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
}

TEST_CASE("a pause that comes while the lane is replaced holds", "[engine][background]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  w.app->add("a2", "ext-bob", "bob");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  const auto bob = w.add_user(c, "bob");
  w.run(1s);
  w.app->silent = true;
  REQUIRE(w.set_active(c, ann, false));
  update_policy(w, c, 1000);
  w.engine->set_integration_state(local(w), c->row.scope.integration, port::IntegrationState::paused,
                                  [](const Result<port::IntegrationRow>& r) { REQUIRE(r.has_value()); });
  w.executor->run_until_idle();
  answer_all(w);
  REQUIRE(w.set_active(c, bob, false));
  w.run(60s);
  CHECK(w.app->count("disable a2") == 0);
  CHECK(w.job(c, bob).state == JobState::ready);
  w.engine->set_integration_state(local(w), c->row.scope.integration, port::IntegrationState::active,
                                  [](const Result<port::IntegrationRow>& r) { REQUIRE(r.has_value()); });
  w.run(60s);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.job(c, bob).state == JobState::succeeded_verified);
}

TEST_CASE("a job that nobody could try before its deadline gets its attempt, and dies after that one",
          "[engine][background][R8][R17]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  w.app->add("a2", "ext-bob", "bob");
  const auto c = w.integrate(
      "okta",
      R"({"deadline_ms":60000,"retry":{"base_ms":1000,"ceiling_ms":5000},"causes":{"deactivated":["disable"]}})");
  const auto ann = w.add_user(c, "ann");
  const auto bob = w.add_user(c, "bob");
  w.run(1s);
  const auto set = [&](port::IntegrationState state) {
    w.engine->set_integration_state(local(w), c->row.scope.integration, state,
                                    [](const Result<port::IntegrationRow>& r) { REQUIRE(r.has_value()); });
    w.run(1s);
  };
  set(port::IntegrationState::paused);
  REQUIRE(w.set_active(c, ann, false));
  w.run(24h);
  set(port::IntegrationState::active);
  w.run(60s);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);

  set(port::IntegrationState::paused);
  REQUIRE(w.set_active(c, bob, false));
  w.run(24h);
  for (int i = 0; i < 100; ++i) w.app->answer(Operation::disable, Outcome::unavailable);
  set(port::IntegrationState::active);
  w.run(60s);
  CHECK(w.job(c, bob).state == JobState::dead);
  CHECK(w.job(c, bob).attempts == 1);
}

TEST_CASE("closing waits for the call of a lane that is being replaced", "[engine][background]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->silent = true;
  REQUIRE(w.set_active(c, ann, false));
  update_policy(w, c, 1000);
  bool closed = false;
  w.engine->close(60s, [&](const Result<void>& r) { closed = r.has_value(); });
  w.executor->run_until_idle();
  CHECK_FALSE(closed);
  answer_all(w);
  w.executor->run_until_idle();
  CHECK(closed);
}

TEST_CASE("a request that meets a change of its integration is decided anew", "[engine][background]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  port::Transaction txn;  // as update_integration commits it; what is in memory comes a moment later
  txn.id = w.random.id<TxnId>(w.clock.wall());
  auto row = w.engine->integration(c->row.scope.integration)->row;
  row.policy = R"({"settle_ms":1})";
  ++row.policy_version;
  txn.ops.emplace_back(port::op::PutIntegration{row});
  w.store->commit(std::move(txn), [](const Result<port::Committed>& r) { REQUIRE(r.has_value()); });
  REQUIRE(w.set_active(c, ann, false));
  CHECK(w.subject(c, ann).policy_version == row.policy_version);
}

TEST_CASE("a removal is not put down to a group that the subject had joined again", "[engine][R2]") {
  test::World w;
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  const auto group = w.add_group(c, "A", {ann});
  REQUIRE(w.members(c, group, MemberStep::Kind::remove, {ann}));
  w.run(5s);
  REQUIRE(w.members(c, group, MemberStep::Kind::add, {ann}));
  w.run(5s);
  REQUIRE(w.set_active(c, ann, false));
  CHECK(w.job(c, ann).via_group.is_nil());
}

TEST_CASE("what a person ended is not given back by a group that gives no access", "[engine][R4]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("entra", R"({"entitling_groups":[{"display_name":"App Users"}]})");
  const auto ann = w.add_user(c, "ann");
  w.add_group(c, "App Users", {ann});
  const auto other = w.add_group(c, "Other");
  w.run(1s);
  w.engine->offboard(local(w), c->row.scope.integration, ann, "left the company",
                     [](const Result<JobId>& r) { REQUIRE(r.has_value()); });
  w.run(5s);
  CHECK(w.app->accounts["a1"].active == false);
  REQUIRE(w.members(c, other, MemberStep::Kind::add, {ann}));
  w.run(5s);
  CHECK_FALSE(w.subject(c, ann).access);
  CHECK(w.app->accounts["a1"].active == false);
}
