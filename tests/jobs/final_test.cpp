// Grace, and what cannot be undone.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/policy/plan.hpp>
#include "catch.hpp"
#include "support/fake_app.hpp"
#include "support/faulty_store.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using connector::Operation;
using connector::Outcome;
using port::JobState;

namespace {

constexpr auto day = 24h;
const std::string removes =
    R"({"causes":{"deactivated":["disable","revoke_sessions",{"step":"remove","after_ms":3600000}]}})";
const std::string deletes = R"({"causes":{"deactivated":["disable",{"step":"delete","after_ms":3600000}]}})";

struct Leaver {
  explicit Leaver(const std::string& policy) {
    w.app->offer({Operation::remove, Operation::list_entitlements});
    w.app->add("a1", "ext-ann", "ann").groups = {"staff"};
    c = w.integrate("okta", policy);
    ann = w.add_user(c, "ann");
    w.run(1s);
  }
  void leave() {
    REQUIRE(w.set_active(c, ann, false));
    w.run(1s);
  }
  [[nodiscard]] port::JobRow job() { return w.job(c, ann); }
  test::World w;
  engine::Context c;
  ResourceId ann;
};

std::string detail_of(test::World& w, const engine::Context& c, const std::string& event) {
  for (const auto& a : w.activity(c))
    if (a.event == event) return a.detail.value_or("");
  return "no such event";
}

}  // namespace

TEST_CASE("access ends at once, and what cannot be undone waits for its grace", "[jobs][R2][R3]") {
  Leaver l(removes);
  l.leave();
  auto job = l.job();
  CHECK(job.state == JobState::in_grace);
  CHECK(l.w.app->accounts["a1"].active == false);
  CHECK(l.w.app->count("remove a1") == 0);
  CHECK(l.w.events(l.c, "removal.verified") == 1);
  CHECK(l.w.events(l.c, "removal.in_grace") == 1);
  CHECK(detail_of(l.w, l.c, "removal.verified").find("time_to_deprovision_ms") != std::string::npos);
  CHECK(job.reason.find("remove follows at") == 0);
  CHECK(job.due - l.w.clock.wall() > 59min);
  l.w.run(58min);
  CHECK(l.w.app->count("remove a1") == 0);
  l.w.run(5min);
  CHECK(l.w.app->count("remove a1") == 1);
  CHECK(l.w.app->accounts["a1"].groups.empty());
  CHECK(l.job().state == JobState::succeeded_verified);
  CHECK(l.w.events(l.c, "removal.verified") == 1);  // the time to deprovision is counted once
  CHECK(l.w.events(l.c, "removal.completed") == 1);
  CHECK(l.w.binding(l.c, l.ann).last_set == port::AccountState::removed);
}

TEST_CASE("that access ended and that its grace began is stored at once", "[jobs][R2][R20]") {
  const bool approval = GENERATE(false, true);
  CAPTURE(approval);
  auto faults = std::make_shared<test::StoreFaults>();
  test::World w(1, test::faulty(faults));
  w.app->offer({Operation::remove, Operation::list_entitlements});
  w.app->add("a1", "ext-ann", "ann").groups = {"staff"};
  const auto c = w.integrate("okta", approval ? R"({"causes":{"deactivated":["disable","remove"]},
      "approvals":[{"steps":["remove"],"role":"owner","expires_ms":60000}]})"
                                              : removes);
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  std::vector<std::string> told;  // with the state: a crash after it must find nothing missing
  faults->on_commit = [&](const port::Transaction& txn) -> std::optional<Error> {
    bool parks = false;
    for (const auto& op : txn.ops)
      if (const auto* put = std::get_if<port::op::PutJob>(&op))
        parks = parks || put->row.state == JobState::in_grace || put->row.state == JobState::awaiting_approval;
    if (!parks) return std::nullopt;
    for (const auto& op : txn.ops)
      if (const auto* a = std::get_if<port::op::AppendActivity>(&op)) told.push_back(a->event);
    told.emplace_back("stored");
    return std::nullopt;
  };
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  CHECK(told == std::vector<std::string>{"removal.verified",
                                         approval ? "removal.approval_wanted" : "removal.in_grace", "stored"});
}

TEST_CASE("memberships that the app does not list are removed, and not called verified", "[jobs][R19]") {
  Leaver l(removes);
  l.w.app->description.of(Operation::list_entitlements).supported = false;
  l.leave();
  l.w.run(2h);
  CHECK(l.w.app->accounts["a1"].groups.empty());
  CHECK(l.job().state == JobState::succeeded_unverified);
  CHECK(l.job().reason == "the app does not list memberships");
}

TEST_CASE("a SCIM DELETE disables, and takes the membership 30 days later", "[jobs][R2]") {
  Leaver l("{}");
  REQUIRE(l.w.remove_user(l.c, l.ann));
  l.w.run(1s);
  CHECK(l.job().cause == idp::Cause::hard_deleted);
  CHECK(l.job().state == JobState::in_grace);
  CHECK(l.w.app->accounts["a1"].active == false);
  l.w.run(29 * day);
  CHECK(l.w.app->count("remove a1") == 0);
  l.w.run(2 * day);
  CHECK(l.w.app->count("remove a1") == 1);
  CHECK(l.job().state == JobState::succeeded_verified);
  CHECK(l.w.app->accounts.size() == 1);  // never the account itself
}

TEST_CASE("a subject that was deactivated first and deleted later goes the whole way", "[jobs][R2]") {
  Leaver l("{}");
  l.leave();
  REQUIRE(l.job().state == JobState::succeeded_verified);
  l.w.run(10 * day);
  REQUIRE(l.w.remove_user(l.c, l.ann));
  l.w.run(1s);
  CHECK(l.job().cause == idp::Cause::hard_deleted);
  CHECK(l.job().state == JobState::in_grace);
  CHECK(l.w.events(l.c, "removal.verified") == 1);  // it had ended before: no second time to deprovision
  l.w.run(31 * day);
  CHECK(l.w.app->count("remove a1") == 1);
  CHECK(l.job().state == JobState::succeeded_verified);
}

TEST_CASE("access that comes back in the grace ends it, and the account is enabled again", "[jobs][R4][R5]") {
  Leaver l(removes);
  l.leave();
  l.w.run(30min);
  REQUIRE(l.w.set_active(l.c, l.ann, true));
  l.w.run(1s);
  CHECK(l.job().state == JobState::superseded);
  CHECK(l.w.app->accounts["a1"].active == true);
  l.w.run(2h);
  CHECK(l.w.app->count("remove a1") == 0);
  CHECK(l.w.app->accounts["a1"].groups.size() == 1);
}

TEST_CASE("a grace outlives a crash", "[jobs][R2]") {
  Leaver l(deletes);
  l.leave();
  l.w.crash();
  l.w.boot();
  l.w.run(58min);
  CHECK(l.w.app->accounts.size() == 1);
  l.w.run(5min);
  CHECK(l.w.app->accounts.empty());
  CHECK(l.job().state == JobState::succeeded_verified);
  CHECK(l.w.binding(l.c, l.ann).state == port::BindingState::removed);
}

TEST_CASE("access that comes back after the removal is access without account", "[jobs][R4]") {
  Leaver l(deletes);
  l.leave();
  l.w.run(2h);
  REQUIRE(l.w.app->accounts.empty());
  REQUIRE(l.w.set_active(l.c, l.ann, true));
  l.w.run(1s);
  CHECK(l.w.events(l.c, "access.without_account") == 1);
  CHECK(l.w.app->count("enable a1") == 0);
}

TEST_CASE("access that comes back while the deletion is under way is access without account", "[jobs][R4]") {
  Leaver l(deletes);
  l.leave();
  l.w.app->latency = 10s;
  l.w.run(1h + 12s);  // the account was read, and the deletion was sent
  REQUIRE(l.w.app->count("delete") == 0);
  REQUIRE(l.w.app->count("remove a1") == 1);
  REQUIRE(l.w.set_active(l.c, l.ann, true));
  l.w.run(60s);
  CHECK(l.w.events(l.c, "access.without_account") == 1);
  CHECK(l.w.job(l.c, l.ann, port::JobKind::restore_access).state == JobState::failed);
}

TEST_CASE("nothing is removed from an account whose login is another one by now", "[jobs][R12]") {
  Leaver l(deletes);
  l.leave();
  l.w.app->accounts["a1"].user_name = "bob";
  l.w.run(2h);
  CHECK(l.w.app->accounts.size() == 1);
  CHECK(l.job().state == JobState::held);
  CHECK(l.job().reason.find("login is \"bob\"") != std::string::npos);
}

TEST_CASE("nothing is removed from an account that another subject with access matches", "[jobs][R12]") {
  Leaver l("{}");
  REQUIRE(l.w.remove_user(l.c, l.ann));
  l.w.run(29 * day);
  // The same person under a new id, who was found nowhere because the app names her otherwise.
  l.w.app->accounts["a1"].external_id = "nobody";
  l.w.app->accounts["a1"].user_name = "other";
  const auto again = l.w.add_user(l.c, "ann");
  l.w.run(1s);
  l.w.app->accounts["a1"].user_name = "ann";
  l.w.run(2 * day);
  CHECK(l.w.app->count("remove a1") == 0);
  CHECK(l.job().state == JobState::held);
  CHECK(l.job().reason.find(again.str()) != std::string::npos);
}

TEST_CASE("a deletion whose answer was lost is read back, and never repeated blindly", "[jobs][R12][R18]") {
  Leaver l(deletes);
  l.leave();
  const bool happened = GENERATE(true, false);
  l.w.app->answer(Operation::remove, Outcome::unknown_outcome, happened);
  l.w.run(3h);
  CHECK(l.w.app->accounts.empty());
  CHECK(l.w.app->count("remove a1") == (happened ? 1U : 2U));
  CHECK(l.job().state == JobState::succeeded_verified);
}

TEST_CASE("an account that the app still shows after its deletion is for a person to look at", "[jobs][R19]") {
  Leaver l(deletes);
  l.leave();
  l.w.app->answer(Operation::remove, Outcome::ok, false);
  l.w.app->script.back().reply.effect = connector::Effect::done;
  l.w.run(2h);
  CHECK(l.job().state == JobState::held);
  CHECK(l.w.app->count("remove a1") == 1);
}

TEST_CASE("a deletion that the app refused has failed, unless the account is gone anyway", "[jobs][R5][R13]") {
  const bool gone = GENERATE(false, true);
  CAPTURE(gone);
  Leaver l(deletes);
  l.leave();
  l.w.app->answer(Operation::remove, Outcome::invalid_request, gone);
  l.w.run(2h);
  CHECK(l.job().state == (gone ? JobState::succeeded_verified : JobState::failed));
  CHECK(l.w.app->count("remove a1") == 1);
  CHECK(l.w.app->accounts.empty() == gone);
  CHECK((l.w.binding(l.c, l.ann).last_set == port::AccountState::removed) == gone);
}

TEST_CASE("what cannot be undone is not done on top of a step that failed", "[jobs][R3]") {
  Leaver l(R"({"causes":{"deactivated":["disable","revoke_sessions",{"step":"delete","after_ms":1000}]}})");
  l.w.app->answer(Operation::revoke_sessions, Outcome::unsupported);
  l.leave();
  l.w.run(1h);
  CHECK(l.w.app->accounts["a1"].active == false);  // the failure of one never stops the other
  CHECK(l.job().state == JobState::failed);
  CHECK(l.w.app->count("remove a1") == 0);
}

TEST_CASE("an app that cannot be read is never removed from unattended", "[jobs][R12]") {
  Leaver l(deletes);
  l.w.app->description.of(Operation::read).supported = false;
  l.leave();
  CHECK(l.job().state == JobState::in_grace);
  l.w.run(2h);
  CHECK(l.job().state == JobState::held);
  CHECK(l.w.app->accounts.size() == 1);
}

TEST_CASE("in observe mode everything happens but the effects", "[jobs][R22]") {
  Leaver l(
      R"({"mode":"observe","causes":{"deactivated":["disable","revoke_sessions",{"step":"delete","after_ms":3600000}]}})");
  l.leave();
  l.w.run(2h);
  const auto job = l.job();
  CHECK(job.state == JobState::observed);
  CHECK(job.reason == "would have: disable, revoke_sessions, delete after 1 h");
  CHECK(l.w.events(l.c, "removal.observed") == 1);
  CHECK(l.w.app->accounts["a1"].active == true);
  for (const auto* change : {"disable a1", "revoke_sessions a1", "remove a1"}) CHECK(l.w.app->count(change) == 0);
  CHECK(l.w.binding(l.c, l.ann).last_set == port::AccountState::untouched);
  REQUIRE(l.w.set_active(l.c, l.ann, true));
  l.w.run(1s);
  CHECK(l.w.app->count("enable a1") == 0);
}
