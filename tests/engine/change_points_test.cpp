// A change of mind at each point of a job's life (R4, R5): queued, about to send, in flight, worked on by the app,
// before it is read back, before it is tried again, in doubt, in grace, held, waiting for an approval.
#include <deprov/policy/plan.hpp>
#include <functional>
#include <map>
#include <utility>
#include "catch.hpp"
#include "support/fake_app.hpp"
#include "support/faulty_store.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using connector::Operation;
using connector::Outcome;
using port::IntegrationState;
using port::JobKind;
using port::JobState;

namespace {

enum class Point {
  queued,       ///< the lane stands still
  about_to,     ///< the job was read, `sent` is being committed
  in_flight,    ///< the request has left
  polled,       ///< the app has accepted it and works on it
  before_read,  ///< done, and the app shows it late
  in_retry,     ///< it failed and waits
  in_doubt,     ///< sent, and no answer came
  in_grace,     ///< disabled, the deletion follows
  held,         ///< for a person to look at
  to_approve,   ///< disabled, the deletion wants an approval
};
constexpr Point points[] = {Point::queued,   Point::about_to, Point::in_flight, Point::polled, Point::before_read,
                            Point::in_retry, Point::in_doubt, Point::in_grace,  Point::held,   Point::to_approve};

struct Changing {
  explicit Changing(Point at) : point(at), w(1, test::faulty(faults)) {
    w.app->offer({Operation::remove, Operation::poll});
    w.app->add("a1", "ext-ann", "ann");
    if (point == Point::before_read) w.app->description.of(Operation::disable).verification_lag = 30s;
    std::string after = R"({"step":"delete","after_ms":600000})";
    std::string approvals = "[]";
    if (point == Point::to_approve) {
      after = R"({"step":"delete"})";
      approvals = R"([{"steps":["delete"],"role":"owner"}])";
    }
    c = w.integrate("okta", R"({"retry":{"base_ms":4000,"ceiling_ms":8000},"causes":{"deactivated":["disable",)" +
                                after + R"(]},"approvals":)" + approvals + "}");
    ann = w.add_user(c, "ann");
    w.run(1s);
    w.app->log.clear();
    connector::Reply accepted;
    accepted.effect = connector::Effect::accepted;
    accepted.outcome = Outcome::ok;
    accepted.handle = "h1";
    switch (point) {
      case Point::queued: set(IntegrationState::paused); break;
      case Point::in_flight: w.app->latency = 5s; break;
      case Point::polled: {
        w.app->script.push_back({Operation::disable, accepted, false});
        for (int i = 0; i < 5; ++i) w.app->script.push_back({Operation::poll, accepted, false});
        // And then it has done it, whatever was asked for in between.
        connector::Reply done;
        done.outcome = Outcome::ok;
        done.effect = connector::Effect::done;
        finish_later = true;
        w.app->script.push_back({Operation::poll, done, false});
        break;
      }
      case Point::in_retry: w.app->answer(Operation::disable, Outcome::not_sent); break;
      case Point::in_doubt: w.app->answer(Operation::disable, Outcome::unknown_outcome, true); break;
      case Point::held: w.app->answer(Operation::disable, Outcome::permission_denied); break;
      default: break;
    }
  }
  /// Brings the removal to the point, and there does `change`.
  void at_the_point(const std::function<void()>& change) {
    if (point == Point::about_to) {
      bool changed = false;
      faults->on_commit = [&](const port::Transaction& txn) -> std::optional<Error> {
        if (!txn.reads.intents.empty() && !std::exchange(changed, true)) change();
        return std::nullopt;
      };
      REQUIRE(w.set_active(c, ann, false));
      w.run(1s);
      faults->on_commit = {};
      REQUIRE(changed);
      return;
    }
    REQUIRE(w.set_active(c, ann, false));
    w.run(1s);
    const std::map<Point, JobState> expected{{Point::queued, JobState::ready},
                                             {Point::in_flight, JobState::running},
                                             {Point::polled, JobState::waiting_async},
                                             {Point::before_read, JobState::waiting_async},
                                             {Point::in_retry, JobState::retrying},
                                             {Point::in_doubt, JobState::retrying},
                                             {Point::in_grace, JobState::in_grace},
                                             {Point::held, JobState::held},
                                             {Point::to_approve, JobState::awaiting_approval}};
    REQUIRE(removal().state == expected.at(point));
    change();
  }
  /// Long enough for whatever is still to come, and what the app had accepted happens meanwhile.
  void settle() {
    if (point == Point::queued) set(IntegrationState::active);
    if (finish_later) {
      w.run(3s);  // whoever reads the account now sees it as it was before
      w.app->accounts.at("a1").active = false;
    }
    w.run(2h);
  }
  void set(IntegrationState state) {
    bool ok = false;
    w.engine->set_integration_state(by(), c->row.scope.integration, state,
                                    [&](const Result<port::IntegrationRow>& r) { ok = r.has_value(); });
    w.executor->run_until_idle();
    REQUIRE(ok);
  }
  [[nodiscard]] engine::Principal by() const { return {w.workspace, {}, "tester", port::Role::owner}; }
  [[nodiscard]] port::JobRow removal() { return w.job(c, ann); }
  void request(bool active) {  // without running anything: it may be called from inside the store
    w.engine->apply(
        w.engine->integration(c->row.scope.integration), {"idp:okta", "scim", "r2", "PATCH", {}, w.clock.wall()},
        [this, active](port::Reader& reader, const engine::IntegrationContext& i) -> Result<engine::Effect> {
          DEPROV_TRY(row, reader.resource(i.row.scope, ann));
          engine::Effect e;
          e.before = row;
          e.after = std::move(row);
          e.after->active = active;
          e.keys_changed = false;
          return e;
        },
        [](const Result<engine::Applied>& r) { CHECK(r.has_value()); });
  }
  void all_over() {
    for (const auto& j : w.jobs(c, ann)) {
      INFO(port::to_string(j.state) << ": " << j.reason);
      CHECK(port::is_finished(j.state));
    }
  }

  Point point;
  std::shared_ptr<test::StoreFaults> faults = std::make_shared<test::StoreFaults>();
  test::World w;
  engine::Context c;
  ResourceId ann;
  bool finish_later = false;
};

}  // namespace

TEST_CASE("access that comes back at any point of a removal is there in the end", "[engine][R4][R5]") {
  for (const auto point : points) {
    CAPTURE(static_cast<int>(point));
    Changing t(point);
    t.at_the_point([&] { t.request(true); });
    t.settle();
    REQUIRE(t.w.app->accounts.contains("a1"));
    CHECK(t.w.app->accounts.at("a1").active == true);
    CHECK(t.w.subject(t.c, t.ann).access);
    CHECK(t.removal().state == JobState::superseded);
    CHECK(t.w.app->count("disable a1") <= 1);
    CHECK(t.w.app->count("remove a1") == 0);
    t.all_over();
    // What was done for nothing is undone, and what was not done is not.
    const bool acted =
        point != Point::queued && point != Point::about_to && point != Point::in_retry && point != Point::held;
    CHECK((t.w.app->count("enable a1") >= 1) == acted);
  }
}

TEST_CASE("access that comes back and goes again at any point is gone in the end", "[engine][R4][R5]") {
  for (const auto point : points) {
    if (point == Point::held || point == Point::to_approve) continue;  // it would wait there once more
    CAPTURE(static_cast<int>(point));
    Changing t(point);
    t.at_the_point([&] { t.request(true); });
    t.request(false);
    t.settle();
    const auto account = t.w.app->accounts.find("a1");
    CHECK((account == t.w.app->accounts.end() || account->second.active == false));
    CHECK_FALSE(t.w.subject(t.c, t.ann).access);
    CHECK(t.removal().state == JobState::succeeded_verified);
    t.all_over();
  }
}

TEST_CASE("a removal that a person cancels at any point goes no further", "[engine][R4]") {
  for (const auto point : points) {
    CAPTURE(static_cast<int>(point));
    Changing t(point);
    t.at_the_point([&] {
      t.w.engine->cancel_job(t.by(), t.c->row.scope.integration, t.removal().id, "a mistake",
                             [](const Result<void>& r) { CHECK(r.has_value()); });
    });
    t.w.executor->run_until_idle();
    t.settle();
    CHECK(t.removal().state == JobState::cancelled);
    CHECK(t.w.app->count("disable a1") <= 1);
    CHECK(t.w.app->count("remove a1") == 0);
    t.all_over();
    // The state decides: the intent is still there, and what was done is ours to undo when access comes back.
    CHECK_FALSE(t.w.subject(t.c, t.ann).access);
    t.request(true);
    t.w.run(1h);
    CHECK(t.w.app->accounts.at("a1").active == true);
    t.all_over();
  }
}

TEST_CASE("a subject that is deleted at any point of its removal is removed once", "[engine][R4][R13]") {
  for (const auto point : points) {
    if (point == Point::held || point == Point::to_approve) continue;
    CAPTURE(static_cast<int>(point));
    Changing t(point);
    t.at_the_point([&] {
      t.w.engine->apply(
          t.w.engine->integration(t.c->row.scope.integration),
          {"idp:okta", "scim", "r3", "DELETE", {}, t.w.clock.wall()},
          [&](port::Reader& reader, const engine::IntegrationContext& i) -> Result<engine::Effect> {
            DEPROV_TRY(row, reader.resource(i.row.scope, t.ann));
            engine::Effect e;
            e.before = row;
            e.after = std::move(row);
            e.after->deleted = true;
            return e;
          },
          [](const Result<engine::Applied>& r) { CHECK(r.has_value()); });
    });
    t.settle();
    t.w.run(24h * 31);
    CHECK(t.w.app->accounts.at("a1").active == false);  // a DELETE takes memberships, never accounts
    CHECK(t.w.app->accounts.at("a1").groups.empty());
    CHECK(t.removal().cause == idp::Cause::hard_deleted);
    CHECK(t.removal().state != JobState::failed);
    CHECK(t.w.app->count("enable a1") == 0);
    t.all_over();
  }
}

TEST_CASE("a crash at any point of a removal, and access that comes back or does not", "[engine][R4][R18]") {
  for (const auto point : points) {
    if (point == Point::about_to) continue;  // the change is inside the commit
    for (const bool back : {true, false}) {
      if (!back && (point == Point::held || point == Point::to_approve)) continue;
      CAPTURE(static_cast<int>(point), back);
      Changing t(point);
      t.at_the_point([&] {
        t.w.crash();
        t.w.app->latency = 0s;
        t.w.boot();
      });
      if (point == Point::in_flight) t.w.app->accounts.at("a1").active = false;  // it had arrived
      if (back) t.request(true);
      t.settle();
      t.all_over();
      CHECK(t.w.app->accounts.contains("a1") == back);
      if (back) CHECK(t.w.app->accounts.at("a1").active == true);
      if (!back) CHECK(t.removal().state == JobState::succeeded_verified);
    }
  }
}

TEST_CASE("a restore that the app still works on is no reason to believe what it shows", "[engine][R4][R19]") {
  test::World w;
  w.app->offer({Operation::poll});
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", R"({"retry":{"base_ms":1000,"ceiling_ms":2000}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  connector::Reply accepted;
  accepted.outcome = Outcome::ok;
  accepted.effect = connector::Effect::accepted;
  accepted.handle = "h1";
  w.app->script.push_back({Operation::enable, accepted, false});
  for (int i = 0; i < 8; ++i) w.app->script.push_back({Operation::poll, accepted, false});
  REQUIRE(w.set_active(c, ann, true));
  w.run(1s);
  REQUIRE(w.set_active(c, ann, false));
  w.run(2s);
  CHECK(w.job(c, ann).state != JobState::succeeded_verified);
  w.app->accounts.at("a1").active = true;  // now the app gets round to it
  w.run(10min);
  CHECK(w.app->accounts.at("a1").active == false);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  for (const auto& j : w.jobs(c, ann)) CHECK(port::is_finished(j.state));
}
