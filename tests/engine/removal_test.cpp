// From an effect to the verified result, and what must never happen on the way.
#include <deprov/port/activity_chain.hpp>
#include "catch.hpp"
#include "support/fake_app.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using connector::Operation;
using connector::Outcome;
using engine::MemberStep;
using port::JobKind;
using port::JobState;

namespace {
const char* const entitled_policy =
    R"({"entitling_groups":[{"display_name":"App Users"}],"settle_ms":60000,"retry":{"base_ms":1000,"ceiling_ms":8000}})";
}

TEST_CASE("a deactivated subject's account is disabled, read back and verified", "[engine][R1][R2][R19][R20]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  CHECK(w.binding(c, ann).state == port::BindingState::bound);
  CHECK(w.binding(c, ann).account_id == "a1");

  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  CHECK(w.app->accounts["a1"].active == false);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.job(c, ann).cause == idp::Cause::deactivated);
  CHECK(w.app->count("disable a1") == 1);
  CHECK(w.app->count("revoke_sessions a1") == 1);
  CHECK(w.events(c, "removal.requested") == 1);
  CHECK(w.events(c, "removal.in_progress") == 1);
  CHECK(w.events(c, "removal.verified") == 1);
  CHECK_FALSE(w.subject(c, ann).access);
}

TEST_CASE("twice is once", "[engine][R13]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  REQUIRE(w.set_active(c, ann, false));
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  CHECK(w.events(c, "removal.requested") == 1);
  CHECK(w.app->count("disable a1") == 1);
}

TEST_CASE("an account that is already gone is a success when it was bound", "[engine][R13]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->accounts.clear();
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
}

TEST_CASE("never bound and not found is recorded only after a control read", "[engine][R13]") {
  test::World w;
  const auto c = w.integrate("okta", R"({"retry":{"base_ms":1000,"ceiling_ms":2000}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  CHECK(w.binding(c, ann).state == port::BindingState::absent);
  w.app->answer(Operation::check, Outcome::unavailable);
  REQUIRE(w.set_active(c, ann, false));
  CHECK(w.job(c, ann).state == JobState::retrying);
  w.run(10s);
  CHECK(w.job(c, ann).state == JobState::succeeded_no_account);
  CHECK(w.app->count("check") == 2);
}

TEST_CASE("two accounts that match are for a person to decide", "[engine][R12]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  w.app->add("a2", "", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  CHECK(w.job(c, ann).state == JobState::held);
  CHECK(w.app->count("disable a1") == 0);
  CHECK(w.app->count("disable a2") == 0);
}

TEST_CASE("an account belongs to one subject", "[engine][R12]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->accounts["a1"].external_id = "ext-bob";
  const auto bob = w.add_user(c, "bob");
  w.run(1s);
  CHECK(w.job(c, bob, JobKind::bind).state == JobState::held);
  CHECK(w.binding(c, bob).state == port::BindingState::ambiguous);
  CHECK(w.binding(c, ann).state == port::BindingState::bound);
}

TEST_CASE("a re-grant before anything was done supersedes the job", "[engine][R4]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"retry":{"base_ms":60000}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->answer(Operation::disable, Outcome::not_sent);
  w.app->answer(Operation::revoke_sessions, Outcome::not_sent);
  REQUIRE(w.set_active(c, ann, false));
  CHECK(w.job(c, ann).state == JobState::retrying);
  REQUIRE(w.set_active(c, ann, true));
  w.run(200s);
  CHECK(w.job(c, ann).state == JobState::superseded);
  CHECK(w.app->accounts["a1"].active == true);
  CHECK(w.app->count("enable a1") == 0);
  CHECK(w.subject(c, ann).access);
}

TEST_CASE("a re-grant after our disable enables the same account", "[engine][R4]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  REQUIRE(w.set_active(c, ann, true));
  w.run(1s);
  CHECK(w.app->accounts["a1"].active == true);
  CHECK(w.job(c, ann, JobKind::restore_access).state == JobState::succeeded_verified);
  CHECK(w.binding(c, ann).last_set == port::AccountState::enabled);
}

TEST_CASE("an account that others had disabled is not enabled by us", "[engine][R4]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann").active = false;
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  REQUIRE(w.set_active(c, ann, true));
  w.run(1s);
  CHECK(w.app->accounts["a1"].active == false);
  CHECK(w.app->count("enable a1") == 0);
}

TEST_CASE("a re-grant while the request is in flight is compensated", "[engine][R4][R15]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->latency = 5s;
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  CHECK(w.job(c, ann).state == JobState::running);
  REQUIRE(w.set_active(c, ann, true));
  w.run(60s);
  CHECK(w.app->accounts["a1"].active == true);
  CHECK(w.job(c, ann, JobKind::restore_access).state == JobState::succeeded_verified);
  CHECK(w.job(c, ann).state == JobState::superseded);
}

TEST_CASE("an answer that was lost is read back before anything is repeated", "[engine][R18]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"retry":{"base_ms":1000}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  const bool happened = GENERATE(true, false);
  w.app->answer(Operation::disable, Outcome::unknown_outcome, happened);
  REQUIRE(w.set_active(c, ann, false));
  w.run(10s);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.app->count("disable a1") == (happened ? 1U : 2U));
  CHECK(w.binding(c, ann).last_set == port::AccountState::disabled);
}

TEST_CASE("what cannot be read back and not be repeated is held", "[engine][R18]") {
  test::World w;
  w.app->description.of(Operation::read).supported = false;
  w.app->description.of(Operation::disable).idempotency = connector::Idempotency::no;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->answer(Operation::disable, Outcome::unknown_outcome);
  REQUIRE(w.set_active(c, ann, false));
  w.run(10s);
  CHECK(w.job(c, ann).state == JobState::held);
  CHECK(w.app->count("disable a1") == 1);
}

TEST_CASE("still active after the disable is a failed attempt", "[engine][R19]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"retry":{"base_ms":1000}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->answer(Operation::disable, Outcome::ok);  // says done, does nothing
  REQUIRE(w.set_active(c, ann, false));
  w.run(20s);
  CHECK(w.events(c, "verify.failed") == 1);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.app->accounts["a1"].active == false);
}

TEST_CASE("an app that cannot be read leaves the removal unverified", "[engine][R19]") {
  test::World w;
  w.app->description.of(Operation::read).supported = false;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  CHECK(w.job(c, ann).state == JobState::succeeded_unverified);
}

TEST_CASE("the app's lag is waited for before reading back", "[engine][R19]") {
  test::World w;
  w.app->description.of(Operation::disable).verification_lag = 30s;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  REQUIRE(w.set_active(c, ann, false));
  w.run(10s);
  CHECK(w.job(c, ann).state == JobState::waiting_async);
  w.run(30s);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
}

TEST_CASE("the failure of one step does not stop the other", "[engine][R3]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"retry":{"base_ms":60000}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->answer(Operation::disable, Outcome::unavailable);
  REQUIRE(w.set_active(c, ann, false));
  CHECK(w.app->count("revoke_sessions a1") == 1);
  CHECK(w.job(c, ann).state == JobState::retrying);
  w.run(200s);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.app->count("revoke_sessions a1") == 1);
}

TEST_CASE("an app may want its sessions revoked first", "[engine][R3]") {
  test::World w;
  w.app->description.revoke_before_disable = true;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->log.clear();
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  REQUIRE(w.app->log.size() == 3);
  CHECK(w.app->log[0] == "revoke_sessions a1");
  CHECK(w.app->log[1] == "disable a1");
}

TEST_CASE("throttling costs no attempt and waits as long as the app says", "[engine][R17]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  connector::Reply throttled;
  throttled.outcome = Outcome::throttled;
  throttled.retry_after = 90s;
  w.app->script.push_back({Operation::disable, throttled, false});
  REQUIRE(w.set_active(c, ann, false));
  w.run(80s);
  CHECK(w.app->count("disable a1") == 1);
  CHECK(w.job(c, ann).attempts == 0);
  w.run(30s);
  CHECK(w.app->count("disable a1") == 2);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
}

TEST_CASE("a failed credential pauses the lane until the check succeeds", "[engine][R17]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"breaker":{"open_ms":1000,"open_max_ms":5000}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->answer(Operation::disable, Outcome::auth_failed);
  w.app->answer(Operation::check, Outcome::auth_failed);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  CHECK(w.job(c, ann).state == JobState::ready);
  CHECK(w.events(c, "lane.paused") == 1);
  w.run(20s);
  CHECK(w.events(c, "lane.resumed") == 1);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
}

TEST_CASE("one refused permission holds the job alone", "[engine][R17]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  w.app->add("a2", "ext-bob", "bob");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  const auto bob = w.add_user(c, "bob");
  w.run(1s);
  w.app->answer(Operation::disable, Outcome::permission_denied);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  CHECK(w.job(c, ann).state == JobState::held);
  REQUIRE(w.set_active(c, bob, false));
  w.run(1s);
  CHECK(w.job(c, bob).state == JobState::succeeded_verified);
}

TEST_CASE("a job that is not done by its deadline is dead, visibly", "[engine][R17]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate(
      "okta",
      R"({"deadline_ms":60000,"retry":{"base_ms":1000,"ceiling_ms":5000},"causes":{"deactivated":["disable"]}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  for (int i = 0; i < 100; ++i) w.app->answer(Operation::disable, Outcome::unavailable);
  REQUIRE(w.set_active(c, ann, false));
  w.run(700s);
  CHECK(w.job(c, ann).state == JobState::dead);
  CHECK(w.events(c, "removal.failed") == 1);
}

TEST_CASE("what was left running by a crash is taken up, and nothing done is done again", "[engine][R13][R18]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  const bool before_answer = GENERATE(true, false);
  if (before_answer) {
    w.app->silent = true;
  } else {
    w.app->answer(Operation::disable, Outcome::ok, true);
    w.app->answer(Operation::revoke_sessions, Outcome::unavailable);
  }
  REQUIRE(w.set_active(c, ann, false));
  w.crash();
  w.app->silent = false;
  w.boot();
  w.run(60s);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.app->accounts["a1"].active == false);
  CHECK(w.app->count("disable a1") == (before_answer ? 2U : 1U));
}

TEST_CASE("a lost entitling group ends access when the settle window is over", "[engine][R1][R14]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("entra", entitled_policy);
  const auto ann = w.add_user(c, "ann");
  CHECK_FALSE(w.subject(c, ann).access);
  const auto group = w.add_group(c, "App Users", {ann});
  CHECK(w.subject(c, ann).access);
  REQUIRE(w.members(c, group, MemberStep::Kind::remove, {ann}));
  w.run(59s);
  CHECK(w.subject(c, ann).access);
  CHECK(w.app->accounts["a1"].active == true);
  w.run(2s);
  CHECK(w.app->accounts["a1"].active == false);
  CHECK(w.job(c, ann).cause == idp::Cause::lost_entitling_group);
  CHECK(w.job(c, ann).via_group == group);
  CHECK_FALSE(w.job(c, ann).via_inferred);
}

TEST_CASE("a move between groups within the window removes nobody", "[engine][R14]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("entra", entitled_policy);
  const auto ann = w.add_user(c, "ann");
  const auto group = w.add_group(c, "App Users", {ann});
  REQUIRE(w.members(c, group, MemberStep::Kind::remove, {ann}));
  w.run(30s);
  REQUIRE(w.members(c, group, MemberStep::Kind::add, {ann}));
  w.run(120s);
  CHECK(w.subject(c, ann).access);
  CHECK(w.app->count("disable a1") == 0);
  CHECK(w.events(c, "removal.requested") == 0);
}

TEST_CASE("leaving one of two groups removes nobody where none is entitling", "[engine][R1]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  const auto a = w.add_group(c, "A", {ann});
  w.add_group(c, "B", {ann});
  REQUIRE(w.members(c, a, MemberStep::Kind::remove, {ann}));
  w.run(300s);
  CHECK(w.app->count("disable a1") == 0);
  CHECK(w.subject(c, ann).access);
}

TEST_CASE("nested groups count", "[engine][R1]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("entra", entitled_policy);
  const auto ann = w.add_user(c, "ann");
  const auto team = w.add_group(c, "Team", {ann});
  const auto outer = w.add_group(c, "App Users");
  CHECK_FALSE(w.subject(c, ann).access);
  REQUIRE(w.members(c, outer, MemberStep::Kind::add, {team}, true));
  w.run(1s);
  CHECK(w.subject(c, ann).access);
  REQUIRE(w.members(c, outer, MemberStep::Kind::remove, {team}, true));
  w.run(120s);
  CHECK_FALSE(w.subject(c, ann).access);
  CHECK(w.app->accounts["a1"].active == false);
}

TEST_CASE("a deleted group takes access from those who have no other grant", "[engine][R8][R1]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  w.app->add("a2", "ext-bob", "bob");
  const auto c = w.integrate(
      "entra", R"({"entitling_groups":[{"display_name":"G1"},{"display_name":"G2"}],"settle_ms":5000})");
  const auto ann = w.add_user(c, "ann");
  const auto bob = w.add_user(c, "bob");
  const auto g1 = w.add_group(c, "G1", {ann, bob});
  w.add_group(c, "G2", {bob});
  REQUIRE(w.remove_group(c, g1));
  w.run(10s);
  CHECK(w.app->accounts["a1"].active == false);
  CHECK(w.app->accounts["a2"].active == true);
  CHECK(w.job(c, ann).cause == idp::Cause::group_deleted);
  CHECK(w.job(c, ann).via_group == g1);
}

TEST_CASE("loss of a group and deactivation that meet are one removal through the group", "[engine][R2]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  const auto group = w.add_group(c, "Sales", {ann});
  w.run(1s);
  const bool group_first = GENERATE(true, false);
  if (group_first) {
    REQUIRE(w.members(c, group, MemberStep::Kind::remove, {ann}));
    w.run(10s);
    REQUIRE(w.set_active(c, ann, false));
  } else {
    REQUIRE(w.set_active(c, ann, false));
    w.run(10s);
    REQUIRE(w.members(c, group, MemberStep::Kind::remove, {ann}));
  }
  w.run(100s);
  const auto s = w.subject(c, ann);
  CHECK(s.via_group == group);
  CHECK(s.via_inferred);
  CHECK(s.cause == idp::Cause::deactivated);
  CHECK(w.app->count("disable a1") == 1);
  CHECK(w.events(c, "removal.refined") == (group_first ? 0U : 1U));
}

TEST_CASE("a deactivation does not wait for the settle window", "[engine][R14]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("entra", entitled_policy);
  const auto ann = w.add_user(c, "ann");
  w.add_group(c, "App Users", {ann});
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  CHECK(w.app->accounts["a1"].active == false);
}

TEST_CASE("memberships outlive a deactivation and count again", "[engine][R1]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("entra", entitled_policy);
  const auto ann = w.add_user(c, "ann");
  w.add_group(c, "App Users", {ann});
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  REQUIRE(w.set_active(c, ann, true));
  w.run(1s);
  CHECK(w.subject(c, ann).access);
  CHECK(w.app->accounts["a1"].active == true);
}

TEST_CASE("a deleted subject is disabled, not deleted", "[engine][R2]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("generic");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  REQUIRE(w.remove_user(c, ann));
  w.run(1s);
  CHECK(w.app->accounts["a1"].active == false);
  CHECK(w.job(c, ann).cause == idp::Cause::hard_deleted);
  CHECK(w.app->accounts.size() == 1);
}

TEST_CASE("a large request is stored at once and worked off in pieces that survive a crash", "[engine][R8]") {
  test::World w;
  w.options.inline_members = 10;
  w.options.piece = 7;
  const auto c = w.integrate(
      "entra", R"({"entitling_groups":[{"display_name":"G"}],"settle_ms":0,"lane":{"start_concurrency":16}})");
  std::vector<ResourceId> users;
  for (int i = 0; i < 60; ++i) {
    const auto name = "u" + std::to_string(i);
    w.app->add("a" + std::to_string(i), "ext-" + name, name);
    users.push_back(w.add_user(c, name));
  }
  w.run(5s);
  const auto g = w.add_group(c, "G");
  const auto added = w.members(c, g, MemberStep::Kind::add, users);
  REQUIRE(added);
  CHECK(added->deferred);
  w.run(5s);
  for (const auto& u : users) CHECK(w.subject(c, u).access);

  const bool by_replace = GENERATE(true, false);
  const std::vector<ResourceId> stay(users.begin(), users.begin() + 5);
  const std::vector<ResourceId> leave(users.begin() + 5, users.end());
  engine::Evidence evidence{"idp:entra", "scim", "r2", "PATCH", {}, w.clock.wall()};
  std::optional<Result<engine::Applied>> answer;
  w.engine->apply(
      w.engine->integration(c->row.scope.integration), evidence,
      [&](port::Reader&, const engine::IntegrationContext&) -> Result<engine::Effect> {
        engine::Effect e;
        e.group = g;
        MemberStep step;
        step.kind = by_replace ? MemberStep::Kind::replace : MemberStep::Kind::remove;
        for (const auto& u : by_replace ? stay : leave) step.members.push_back({g, u, false});
        e.members.push_back(step);
        return e;
      },
      [&](Result<engine::Applied> r) { answer = r; });
  while (!answer && w.executor->run_one()) {
  }
  REQUIRE(answer->has_value());
  for (int i = 0; i < 12; ++i) w.executor->run_one();
  w.crash();
  w.boot();
  w.run(60s);
  for (const auto& u : stay) CHECK(w.subject(c, u).access);
  for (const auto& u : leave) {
    CHECK_FALSE(w.subject(c, u).access);
    CHECK(w.job(c, u).state == JobState::succeeded_verified);
  }
  std::size_t disabled = 0;
  for (const auto& [id, a] : w.app->accounts) disabled += a.active == false ? 1U : 0U;
  CHECK(disabled == leave.size());
}

TEST_CASE("requests on one group keep their order behind one that is worked off", "[engine][R5]") {
  test::World w;
  w.options.inline_members = 3;
  w.options.piece = 2;
  const auto c = w.integrate("entra", R"({"entitling_groups":[{"display_name":"G"}],"settle_ms":0})");
  std::vector<ResourceId> users;
  for (int i = 0; i < 8; ++i) users.push_back(w.add_user(c, "u" + std::to_string(i)));
  const auto g = w.add_group(c, "G");
  engine::Evidence evidence{"idp:entra", "scim", "r", "PATCH", {}, w.clock.wall()};
  int answers = 0;
  const auto send = [&](MemberStep::Kind kind, const std::vector<ResourceId>& who) {
    w.engine->apply(
        w.engine->integration(c->row.scope.integration), evidence,
        [=](port::Reader&, const engine::IntegrationContext&) -> Result<engine::Effect> {
          engine::Effect e;
          e.group = g;
          MemberStep step;
          step.kind = kind;
          for (const auto& u : who) step.members.push_back({g, u, false});
          e.members.push_back(step);
          return e;
        },
        [&](const Result<engine::Applied>& r) { answers += r ? 1 : 0; });
  };
  send(MemberStep::Kind::add, users);
  send(MemberStep::Kind::remove, {users[7]});
  w.run(5s);
  CHECK(answers == 2);
  CHECK_FALSE(w.subject(c, users[7]).access);
  CHECK(w.subject(c, users[6]).access);
}

TEST_CASE("the activity is one chain that verifies", "[engine][R20]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  auto rows = w.activity(c);
  REQUIRE(rows.size() >= 6);
  for (std::size_t i = 0; i < rows.size(); ++i) CHECK(rows[i].seq == i + 1);
}
