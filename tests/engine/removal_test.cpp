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
  w.app->add("a9", "ext-zoe", "zoe");
  const auto c = w.integrate("okta", R"({"retry":{"base_ms":1000,"ceiling_ms":2000}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1min);  // what one check showed holds for half of that
  CHECK(w.binding(c, ann).state == port::BindingState::absent);
  CHECK(w.app->count("check") == 1);
  w.app->answer(Operation::check, Outcome::unavailable);
  REQUIRE(w.set_active(c, ann, false));
  CHECK(w.job(c, ann).state == JobState::retrying);
  w.run(10s);
  CHECK(w.job(c, ann).state == JobState::succeeded_no_account);
  CHECK(w.app->count("check") == 3);
}

TEST_CASE("a credential that sees nobody proves nobody's absence", "[engine][R13]") {
  test::World w;
  const auto c = w.integrate("okta", R"({"retry":{"base_ms":1000,"ceiling_ms":2000}})");
  const auto ann = w.add_user(c, "ann");
  REQUIRE(w.set_active(c, ann, false));
  w.run(5s);
  CHECK(w.job(c, ann).state == JobState::retrying);
  w.app->add("a1", "ext-ann", "ann");
  w.run(5s);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.app->accounts["a1"].active == false);
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

TEST_CASE("a disable that the app refuses for good has failed, though the account can be read",
          "[engine][R3][R19]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"retry":{"base_ms":1000}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->answer(Operation::disable, GENERATE(Outcome::invalid_request, Outcome::unsupported));
  REQUIRE(w.set_active(c, ann, false));
  w.run(1min);
  CHECK(w.job(c, ann).state == JobState::failed);
  CHECK(w.app->count("disable a1") == 1);
  CHECK(w.app->count("revoke_sessions a1") == 1);
  CHECK(w.events(c, "verify.failed") == 1);
  CHECK(w.events(c, "removal.failed") == 1);
}

TEST_CASE("a disable that the app refused has succeeded where the account is inactive or gone all the same",
          "[engine][R5][R13][R19]") {
  const bool gone = GENERATE(false, true);
  CAPTURE(gone);
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"retry":{"base_ms":1000}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  if (gone) w.app->accounts.clear();
  w.app->answer(Operation::disable, GENERATE(Outcome::invalid_request, Outcome::unsupported), true);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1min);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.app->count("disable a1") == 1);
  CHECK(w.events(c, "verify.failed") == 0);
  CHECK(w.events(c, "removal.failed") == 0);
  CHECK(w.events(c, "removal.verified") == 1);
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
  CHECK(w.job(c, ann).reason == "the app cannot be read");
}

TEST_CASE("what leaves nothing to read back is not put down to the app", "[engine][R19]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"causes":{"deactivated":["revoke_sessions"]}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  CHECK(w.job(c, ann).state == JobState::succeeded_unverified);
  CHECK(w.job(c, ann).reason == "nothing of what was done can be read back");
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

TEST_CASE("an app that throttles and wants no wait is not asked as fast as it answers", "[engine][R17]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  connector::Reply throttled;
  throttled.outcome = Outcome::throttled;
  throttled.retry_after = 0s;
  for (int i = 0; i < 100; ++i) w.app->script.push_back({Operation::disable, throttled, false});
  REQUIRE(w.set_active(c, ann, false));
  w.run(10s);
  CHECK(w.app->count("disable a1") <= 11);
  CHECK(w.job(c, ann).attempts == 0);
  w.run(300s);
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

TEST_CASE("a refused permission pauses the lane where the check is refused, too", "[engine][R17]") {
  const auto outcome = GENERATE(Outcome::permission_denied, Outcome::auth_failed);
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"breaker":{"open_ms":1000,"open_max_ms":5000}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->answer(Operation::disable, Outcome::permission_denied);
  w.app->answer(Operation::check, outcome);
  w.app->answer(Operation::check, outcome);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  CHECK(w.job(c, ann).state == JobState::ready);
  CHECK(w.events(c, "lane.paused") == 1);
  w.run(30s);
  CHECK(w.events(c, "lane.resumed") == 1);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
}

TEST_CASE("a refused permission waits for nobody while the check cannot tell", "[engine][R17]") {
  const auto outcome = GENERATE(Outcome::unavailable, Outcome::throttled, Outcome::unknown_outcome);
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"retry":{"base_ms":60000}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->answer(Operation::disable, Outcome::permission_denied);  // as an app may answer that is going down
  w.app->answer(Operation::check, outcome);
  REQUIRE(w.set_active(c, ann, false));
  w.run(10s);
  CHECK(w.job(c, ann).state == JobState::retrying);
  w.run(5min);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.events(c, "lane.paused") == 0);
}

TEST_CASE("what holds one of the two steps does not stop the other", "[engine][R3][R17][R18]") {
  const bool unknown = GENERATE(false, true);
  const bool first = GENERATE(false, true);  // whether the other one works at once
  CAPTURE(unknown, first);
  test::World w;
  if (unknown) {
    w.app->description.of(Operation::read).supported = false;
    w.app->description.of(Operation::disable).idempotency = connector::Idempotency::no;
  }
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"retry":{"base_ms":1000}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  for (int i = 0; i < 2; ++i)
    w.app->answer(Operation::disable, unknown ? Outcome::unknown_outcome : Outcome::permission_denied);
  if (!first) w.app->answer(Operation::revoke_sessions, Outcome::unavailable);
  REQUIRE(w.set_active(c, ann, false));
  CHECK(w.job(c, ann).state == (first ? JobState::held : JobState::retrying));
  w.run(1min);
  CHECK(w.job(c, ann).state == JobState::held);
  CHECK(w.events(c, "job.held") == 1);
  CHECK(w.app->count("revoke_sessions a1") == (first ? 1 : 2));
  if (unknown) CHECK(w.app->count("disable a1") == 1);  // R18: never repeated blindly
}

TEST_CASE("a disable that cannot be read back yet does not keep sessions alive", "[engine][R3][R18]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"retry":{"base_ms":60000}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->silent = true;
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  REQUIRE(w.app->count("disable a1") == 1);
  w.crash();
  w.app->silent = false;
  w.app->answer(Operation::read, Outcome::unavailable);
  w.boot();
  w.run(1s);
  CHECK(w.app->count("revoke_sessions a1") == 1);
  w.run(10min);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
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
