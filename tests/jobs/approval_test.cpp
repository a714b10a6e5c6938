// Steps that wait for a person, and what a person did by hand.
#include <deprov/policy/plan.hpp>
#include "catch.hpp"
#include "support/fake_app.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using connector::Operation;
using connector::Outcome;
using port::JobState;

namespace {

const std::string wants_approval = R"({"causes":{"deactivated":["disable",{"step":"delete","after_ms":60000}]},
  "approvals":[{"steps":["delete"],"role":"super_admin","expires_ms":3600000}]})";

struct Waiting {
  explicit Waiting(const std::string& policy = wants_approval) {
    w.app->offer({Operation::remove});
    w.app->add("a1", "ext-ann", "ann");
    c = w.integrate("okta", policy);
    ann = w.add_user(c, "ann");
    w.run(1s);
    REQUIRE(w.set_active(c, ann, false));
    w.run(2min);
  }
  [[nodiscard]] port::JobRow job() { return w.job(c, ann); }
  [[nodiscard]] engine::Principal by(port::Role role) {
    engine::Principal p;
    p.workspace = w.workspace;
    p.id = w.random.id<PrincipalId>(w.clock.wall());
    p.role = role;
    return p;
  }
  Result<void> approve(port::Role role, const std::string& reason = "looked at it") {
    std::optional<Result<void>> out;
    w.engine->approve_job(by(role), c->row.scope.integration, job().id, reason,
                          [&](Result<void> r) { out = std::move(r); });
    w.executor->run_until_idle();
    REQUIRE(out.has_value());
    return *out;
  }
  Result<JobId> attest(const std::string& reason = "removed in the console",
                       const std::string& reference = "T-1") {
    std::optional<Result<JobId>> out;
    w.engine->attest_job(by(port::Role::admin), c->row.scope.integration, job().id, {reason, reference},
                         [&](Result<JobId> r) { out = std::move(r); });
    w.executor->run_until_idle();
    REQUIRE(out.has_value());
    return *out;
  }
  test::World w;
  engine::Context c;
  ResourceId ann;
};

}  // namespace

TEST_CASE("a step waits until somebody of the role has approved it", "[jobs][approval]") {
  Waiting t;
  CHECK(t.job().state == JobState::awaiting_approval);
  CHECK(t.job().reason.find("delete wants the approval of super_admin by ") == 0);
  CHECK(t.w.app->accounts["a1"].active == false);
  CHECK(t.w.events(t.c, "removal.approval_wanted") == 1);
  REQUIRE_FALSE(t.approve(port::Role::admin));
  CHECK(t.approve(port::Role::admin).error().code() == Errc::forbidden);
  CHECK(t.approve(port::Role::owner, "").error().code() == Errc::invalid_argument);
  CHECK(t.w.app->count("remove a1") == 0);
  REQUIRE(t.approve(port::Role::super_admin));
  t.w.run(1s);
  CHECK(t.w.app->accounts.empty());
  CHECK(t.job().state == JobState::succeeded_verified);
  for (const auto& a : t.w.activity(t.c))
    if (a.event == "job.approved") CHECK(a.actor.find("principal:") == 0);
  CHECK(t.w.events(t.c, "job.approved") == 1);
  CHECK(t.approve(port::Role::owner).error().code() == Errc::conflict);
}

TEST_CASE("an approval that nobody gives ends the job visibly", "[jobs][approval]") {
  Waiting t;
  t.w.run(2h);
  CHECK(t.job().state == JobState::failed);
  CHECK(t.job().reason.find("nobody approved it by ") == 0);
  CHECK(t.w.app->accounts.size() == 1);
}

TEST_CASE("an approval is good for its time only", "[jobs][approval]") {
  Waiting t;
  t.w.app->answer(Operation::read, Outcome::unavailable);
  for (int i = 0; i < 20; ++i) t.w.app->answer(Operation::read, Outcome::throttled);
  for (auto& s : t.w.app->script) s.reply.retry_after = 5min;
  REQUIRE(t.approve(port::Role::owner));
  t.w.run(70min);
  CHECK(t.job().state == JobState::awaiting_approval);
  CHECK(t.w.app->count("remove a1") == 0);
}

TEST_CASE("a re-grant takes what waits for approval away", "[jobs][approval][R4]") {
  Waiting t;
  REQUIRE(t.w.set_active(t.c, t.ann, true));
  t.w.run(1s);
  CHECK(t.job().state == JobState::superseded);
  CHECK(t.w.app->accounts["a1"].active == true);
  t.w.run(2h);
  CHECK(t.w.app->count("remove a1") == 0);
}

TEST_CASE("what was done by hand is attested, never verified", "[jobs][attest]") {
  Waiting t;
  REQUIRE(t.attest());
  CHECK(t.job().state == JobState::attested);
  CHECK(t.job().reason == "removed in the console (T-1)");
  CHECK(t.w.events(t.c, "job.attested") == 1);
  t.w.run(2h);
  CHECK(t.w.app->count("remove a1") == 0);
  CHECK(t.attest().error().code() == Errc::conflict);
}

TEST_CASE("what had failed gets a job of its own that says who did it", "[jobs][attest]") {
  Waiting t;
  t.w.run(2h);
  const auto failed = t.job();
  REQUIRE(failed.state == JobState::failed);
  CHECK(t.attest("").error().code() == Errc::invalid_argument);
  const auto made = t.attest();
  REQUIRE(made);
  CHECK(*made != failed.id);
  CHECK(t.w.subject(t.c, t.ann).job == *made);
  std::size_t still_failed = 0;
  for (const auto& j : t.w.jobs(t.c, t.ann)) still_failed += j.state == JobState::failed ? 1U : 0U;
  CHECK(still_failed == 1);  // history is not written anew
}

TEST_CASE("a step that failed is tried again before anybody is asked about the next", "[jobs][approval][R3]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"approvals":[{"steps":["revoke_sessions"]}]})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  w.app->answer(Operation::disable, Outcome::unavailable);
  REQUIRE(w.set_active(c, ann, false));
  w.run(500ms);
  CHECK(w.job(c, ann).state == JobState::retrying);
  w.run(1min);
  CHECK(w.app->accounts["a1"].active == false);
  CHECK(w.job(c, ann).state == JobState::awaiting_approval);
}

TEST_CASE("the very first step can want an approval", "[jobs][approval]") {
  Waiting t(R"({"approvals":[{"causes":["deactivated"]}]})");
  CHECK(t.job().state == JobState::awaiting_approval);
  CHECK(t.w.app->accounts["a1"].active == true);
  CHECK(t.w.events(t.c, "removal.verified") == 0);
  REQUIRE(t.approve(port::Role::admin));
  t.w.run(1s);
  CHECK(t.job().state == JobState::awaiting_approval);  // revoke_sessions is a step of its own
  CHECK(t.w.app->accounts["a1"].active == false);
  REQUIRE(t.approve(port::Role::admin));
  t.w.run(1s);
  CHECK(t.job().state == JobState::succeeded_verified);
}
