// Access that came back, where the app answers late or not truthfully. Found by the simulator.
#include "catch.hpp"
#include "support/fake_app.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using connector::Effect;
using connector::Operation;
using connector::Outcome;
using port::JobKind;
using port::JobState;

namespace {

struct Returning {
  Returning() {
    w.app->add("a1", "ext-ann", "ann");
    c = w.integrate("okta");
    ann = w.add_user(c, "ann");
    w.run(1s);
  }
  void answer(Operation operation, Effect effect, const std::string& handle = {}) {
    connector::Reply reply;
    reply.outcome = Outcome::ok;
    reply.effect = effect;
    reply.handle = handle;
    w.app->script.push_back({operation, reply, false});
  }
  [[nodiscard]] bool active() { return w.app->accounts["a1"].active == true; }
  test::World w;
  engine::Context c;
  ResourceId ann;
};

}  // namespace

TEST_CASE("an enable that was answered and did not happen is tried again", "[jobs][R4][R19]") {
  Returning r;
  REQUIRE(r.w.set_active(r.c, r.ann, false));
  r.w.run(1s);
  REQUIRE_FALSE(r.active());
  r.answer(Operation::enable, Effect::done);  // a lie
  REQUIRE(r.w.set_active(r.c, r.ann, true));
  r.w.run(1min);
  CHECK(r.active());
  CHECK(r.w.job(r.c, r.ann, JobKind::restore_access).state == JobState::succeeded_verified);
  CHECK(r.w.events(r.c, "verify.failed") == 1);
}

TEST_CASE("an enable that the app refuses for good has failed", "[jobs][R4][R19]") {
  Returning r;
  REQUIRE(r.w.set_active(r.c, r.ann, false));
  r.w.run(1s);
  r.w.app->answer(Operation::enable, Outcome::invalid_request);
  REQUIRE(r.w.set_active(r.c, r.ann, true));
  r.w.run(1min);
  CHECK(r.w.job(r.c, r.ann, JobKind::restore_access).state == JobState::failed);
  CHECK(r.w.binding(r.c, r.ann).last_set == port::AccountState::disabled);
}

TEST_CASE("an enable that the app refused has succeeded where the account is active all the same",
          "[jobs][R4][R5][R19]") {
  Returning r;
  REQUIRE(r.w.set_active(r.c, r.ann, false));
  r.w.run(1s);
  r.w.app->answer(Operation::enable, Outcome::invalid_request, true);
  REQUIRE(r.w.set_active(r.c, r.ann, true));
  r.w.run(1min);
  CHECK(r.w.job(r.c, r.ann, JobKind::restore_access).state == JobState::succeeded_verified);
  CHECK(r.w.binding(r.c, r.ann).last_set == port::AccountState::enabled);
}

TEST_CASE("a restore waits for the disable that the app still works on", "[jobs][R4]") {
  Returning r;
  r.w.app->offer({Operation::poll});
  for (const auto o : {Operation::disable, Operation::enable})
    r.w.app->description.of(o).asynchrony = connector::Asynchrony::poll;
  r.w.crash();
  r.w.boot();
  r.answer(Operation::disable, Effect::accepted, "h1");
  for (int i = 0; i < 3; ++i) r.answer(Operation::poll, Effect::accepted, "h1");
  REQUIRE(r.w.set_active(r.c, r.ann, false));
  r.w.run(100ms);
  REQUIRE(r.active());  // accepted, and not done
  REQUIRE(r.w.set_active(r.c, r.ann, true));
  r.w.run(500ms);
  // The account looks as it should, and will not for long.
  CHECK_FALSE(port::is_finished(r.w.job(r.c, r.ann, JobKind::restore_access).state));
  r.w.app->accounts["a1"].active = false;  // now the app comes to it
  r.w.run(1min);
  CHECK(r.active());
  CHECK(r.w.job(r.c, r.ann, JobKind::restore_access).state == JobState::succeeded_verified);
}

TEST_CASE("a removal that ends after its restore does not say that the account is as deprov left it",
          "[jobs][R4]") {
  Returning r;
  r.w.app->offer({Operation::poll});
  for (const auto o : {Operation::disable, Operation::enable})
    r.w.app->description.of(o).asynchrony = connector::Asynchrony::poll;
  r.w.crash();
  r.w.boot();
  connector::Reply slow;
  slow.outcome = Outcome::ok;
  slow.effect = Effect::accepted;
  slow.handle = "h1";
  slow.retry_after = 60s;
  r.w.app->script.push_back({Operation::disable, slow, false});
  REQUIRE(r.w.set_active(r.c, r.ann, false));
  r.w.run(100ms);
  REQUIRE(r.w.set_active(r.c, r.ann, true));
  r.answer(Operation::poll, Effect::done);
  r.w.run(30s);
  REQUIRE(r.w.job(r.c, r.ann, JobKind::restore_access).state == JobState::succeeded_verified);
  REQUIRE_FALSE(port::is_finished(r.w.job(r.c, r.ann).state));
  r.w.run(5min);
  CHECK(r.w.job(r.c, r.ann).state == JobState::superseded);
  CHECK(r.w.binding(r.c, r.ann).last_set == port::AccountState::enabled);
  // So that what somebody else does to the account later stays theirs.
  r.w.app->accounts["a1"].active = false;
  REQUIRE(r.w.set_active(r.c, r.ann, false));
  r.w.run(5min);
  REQUIRE(r.w.set_active(r.c, r.ann, true));
  r.w.run(5min);
  CHECK_FALSE(r.active());
}

TEST_CASE("a disable that the app shows late is ours, though the next attempt finds it done", "[jobs][R4][R18]") {
  Returning r;
  r.w.app->description.of(Operation::disable).verification_lag = 5s;
  r.w.app->answer(Operation::disable, Outcome::unknown_outcome, true);  // done, and not answered
  connector::Reply old;
  old.outcome = Outcome::ok;
  old.accounts.push_back(r.w.app->accounts["a1"]);  // still active, as it shows it
  r.w.app->script.push_back({Operation::read, old, false});
  REQUIRE(r.w.set_active(r.c, r.ann, false));
  r.w.run(1min);
  REQUIRE_FALSE(r.active());
  CHECK(r.w.app->count("disable a1") == 2);
  CHECK(r.w.job(r.c, r.ann).state == JobState::succeeded_verified);
  REQUIRE(r.w.set_active(r.c, r.ann, true));
  r.w.run(1min);
  CHECK(r.active());
}

TEST_CASE("an app that refuses to be asked is still working on what it accepted", "[jobs][R4]") {
  Returning r;
  r.w.app->offer({Operation::poll});
  for (const auto o : {Operation::disable, Operation::enable})
    r.w.app->description.of(o).asynchrony = connector::Asynchrony::poll;
  r.answer(Operation::disable, Effect::accepted, "h1");
  r.w.app->answer(Operation::poll, Outcome::permission_denied);
  REQUIRE(r.w.set_active(r.c, r.ann, false));
  r.w.run(1min);
  CHECK(r.w.job(r.c, r.ann).state == JobState::held);
  r.w.app->accounts["a1"].active = false;  // the app comes to it
  REQUIRE(r.w.set_active(r.c, r.ann, true));
  r.w.run(1min);
  CHECK(r.active());
}

TEST_CASE("where the app may still do a disable that nobody can ask for, the enable is sent behind it",
          "[jobs][R4][R18]") {
  Returning r;
  r.w.app->offer({Operation::poll});
  for (const auto o : {Operation::disable, Operation::enable})
    r.w.app->description.of(o).asynchrony = connector::Asynchrony::poll;
  r.w.crash();
  r.w.boot();
  r.w.app->answer(Operation::disable, Outcome::unknown_outcome);  // taken, and the handle was lost
  REQUIRE(r.w.set_active(r.c, r.ann, false));
  r.w.run(100ms);
  REQUIRE(r.active());
  REQUIRE(r.w.set_active(r.c, r.ann, true));
  r.w.run(1min);
  // That the account is active now proves nothing.
  CHECK(r.w.app->count("enable a1") == 1);
  CHECK(r.w.job(r.c, r.ann, JobKind::restore_access).state == JobState::succeeded_verified);
}

TEST_CASE("an account that an enable did not enable is still as deprov disabled it", "[jobs][R4][R19]") {
  Returning r;
  REQUIRE(r.w.set_active(r.c, r.ann, false));
  r.w.run(1s);
  r.answer(Operation::enable, Effect::done);  // a lie
  REQUIRE(r.w.set_active(r.c, r.ann, true));
  r.w.run(100ms);
  REQUIRE(r.w.events(r.c, "verify.failed") == 1);
  // Gone and back again before the enable is tried again.
  REQUIRE(r.w.set_active(r.c, r.ann, false));
  r.w.run(1min);
  REQUIRE(r.w.set_active(r.c, r.ann, true));
  r.w.run(1min);
  CHECK(r.active());
}

TEST_CASE("an app that refuses to be asked about an earlier request has not said that it is over", "[jobs][R4]") {
  Returning r;
  r.w.app->offer({Operation::poll});
  for (const auto o : {Operation::disable, Operation::enable})
    r.w.app->description.of(o).asynchrony = connector::Asynchrony::poll;
  r.w.crash();
  r.w.boot();
  r.answer(Operation::disable, Effect::accepted, "h1");
  REQUIRE(r.w.set_active(r.c, r.ann, false));
  r.w.run(100ms);
  r.w.app->answer(Operation::poll, Outcome::permission_denied);
  REQUIRE(r.w.set_active(r.c, r.ann, true));
  r.w.run(1min);
  // The account looks as it should, and the app may still come to the disable.
  CHECK(r.w.job(r.c, r.ann, JobKind::restore_access).state == JobState::held);
}

TEST_CASE("a disable that may have left before a crash is ours, where the app cannot be read and finds it done",
          "[jobs][R4][R18]") {
  Returning r;
  r.w.app->description.of(Operation::read).supported = false;
  r.w.crash();
  r.w.boot();
  r.w.app->silent = true;
  REQUIRE(r.w.set_active(r.c, r.ann, false));
  r.w.run(100ms);
  REQUIRE(r.w.app->count("disable a1") == 1);
  r.w.app->accounts["a1"].active = false;  // it arrived, and the answer did not
  r.w.crash();
  r.w.app->silent = false;
  r.w.boot();
  r.w.run(1min);
  REQUIRE(r.w.app->count("disable a1") == 2);
  REQUIRE(r.w.set_active(r.c, r.ann, true));
  r.w.run(1min);
  CHECK(r.active());
}
