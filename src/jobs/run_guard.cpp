// What may keep a job from acting although the state asks for it: the guard (R7) and protection (R9), at
// execution.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <deprov/policy/guard.hpp>
#include <utility>
#include "jobs/history.hpp"
#include "jobs/lane.hpp"

namespace deprov::jobs {

namespace json = boost::json;
using connector::Operation;
using connector::Outcome;
using port::JobKind;
using port::JobState;

namespace {
constexpr std::string_view removals_counter = "removals";
constexpr std::string_view worsened_counter = "worsened";
constexpr std::string_view roles_counter = "roles";  ///< of these, who has access all the same
constexpr std::string_view early_counter = "early";  ///< and who has it until its turn comes, or it has settled
constexpr Duration a_day = std::chrono::hours(24);
constexpr Duration a_year = std::chrono::hours(24 * 365);
}  // namespace

bool Lane::lowers_role(const port::JobRow& job) {
  return job.kind == JobKind::change_role && job.cause == idp::Cause::role_lowered;
}

// What a person decides about one subject is decided.
bool Lane::guarded(const port::JobRow& job) const {
  const bool worsens = job.kind == JobKind::remove_access || lowers_role(job);
  return policy_.guard.enabled && worsens && job.cause != idp::Cause::manual;
}

Result<bool> Lane::must_join(port::Reader& reader, const port::JobRow& job, GuardView& seen) const {
  if (!guarded(job)) return false;
  DEPROV_TRY(plan, policy::parse_plan(job.plan));
  const bool removes = lowers_role(job) || plan.uncounted ||
                       std::any_of(plan.steps.begin(), plan.steps.end(), [](const policy::Step& s) {
                         return s.operation == Operation::remove && s.state == policy::StepState::pending;
                       });
  if (removes && policy::needs_base(policy_.guard)) {
    DEPROV_TRY(rows, reader.population(scope_, ports_.clock.wall()));
    std::vector<policy::PopulationStep> steps;
    steps.reserve(rows.size());
    for (const auto& row : rows) steps.push_back({row.minute, row.delta});
    DEPROV_TRY(lost, reader.reserved(scope_, worsened_counter, ports_.clock.wall()));
    DEPROV_TRY(lowered, reader.reserved(scope_, roles_counter, ports_.clock.wall()));
    DEPROV_TRY(early, reader.reserved(scope_, early_counter, ports_.clock.wall()));
    seen.base = policy::guard_base(steps, port::minute_of(ports_.clock.wall()),
                                   lost.hour - std::min(lost.hour, lowered.hour + early.hour),
                                   lost.day - std::min(lost.day, lowered.day + early.day));
  }
  DEPROV_TRY(hold, reader.open_hold(scope_));
  if (!hold && !removes) return false;
  if (hold) seen.open = hold->id;
  DEPROV_TRY(item, reader.hold_item_of(scope_, job.subject));
  seen.released = item && item->state == port::HoldItemState::allowed && item->generation == job.generation;
  // A role is looked at first: perhaps there is nothing to lower, and if there is, its reservation is refused.
  if (lowers_role(job)) return false;
  if (!hold || seen.released || plan.acted() || job.created < hold->window_from) return false;
  DEPROV_TRY(binding, reader.binding(scope_, job.subject));
  return !(binding && !binding->was_bound && binding->state == port::BindingState::absent);
}

port::op::Reserve Lane::reserve_worsened(const Run& run) const {
  port::op::Reserve o;
  o.scope = scope_;
  o.counter = std::string(worsened_counter);
  o.limit_hour = policy::guard_limit(policy_.guard, run.guard.base.hour);
  o.limit_day = policy::guard_limit(policy_.guard, run.guard.base.day);
  o.now = ports_.clock.wall();
  // Each subject counts once, for whatever it loses within a day.
  if (run.subject && run.subject->counted_at.micros != 0 && o.now - run.subject->counted_at < a_day)
    o.counted = run.subject->counted_at;
  return o;
}

port::op::Reserve Lane::count_role(const port::op::Reserve& reserved) {
  auto o = reserved;
  o.counter = std::string(roles_counter);
  o.limit_hour = o.limit_day = policy::no_limit;
  return o;
}

std::vector<port::Op> Lane::keep_back(const port::op::Reserve& reserved, const port::SubjectRow& subject) {
  if (reserved.counted.micros == 0 || !subject.access || subject.cause != idp::Cause::restored) return {};
  auto o = reserved;
  o.counter = std::string(early_counter);
  o.limit_hour = o.limit_day = policy::no_limit;
  o.counted = {};
  o.regardless = true;
  port::op::Unreserve before{o.scope, o.counter, 1, reserved.counted};
  return {std::move(before), std::move(o)};
}

port::op::Reserve Lane::reserve_removal(const Run& run) const {
  port::op::Reserve o;
  o.scope = scope_;
  o.counter = std::string(removals_counter);
  o.limit_hour = policy::removal_limit(policy_.guard, run.guard.base.hour);
  o.limit_day = policy::removal_limit(policy_.guard, run.guard.base.day);
  o.now = ports_.clock.wall();
  return o;
}

// R7: nothing of a unit goes before it was judged whole, and its other accounts are not known yet.
bool Lane::waits_for_its_unit(const RunPtr& run) {
  if (!run->plan.late_waits || !run->plan.uncounted || !guarded(run->row) || run->guard.released) return false;
  join_hold(run,
            "a request would end the access of more subjects than the guard lets pass, counting those whose "
            "account was not known");
  return true;
}

void Lane::join_hold(const RunPtr& run, std::string why) {
  auto self = shared_from_this();
  run->row.state = JobState::held;
  run->row.lease = {};
  run->row.reason = "held by the guard until a person decides";
  const auto text = policy::to_text(run->plan);
  auto opens = std::make_shared<bool>(false);
  ++outstanding_;
  ports_.store.transact(
      [self, run, why, text, opens](port::Reader& reader) -> Result<port::Transaction> {
        auto txn = self->transaction();
        DEPROV_TRY(open, reader.open_hold(self->scope_));
        DEPROV_TRY(subject, reader.subject(self->scope_, run->row.subject));
        if (!open && why.empty()) return Error(Errc::stale_read, "the hold was decided meanwhile", "hold");
        const auto now = self->ports_.clock.wall();
        *opens = !open;
        if (!open) {
          port::HoldRow hold;
          hold.scope = self->scope_;
          hold.id = self->ports_.random.id<HoldId>(now);
          hold.opened = now;
          hold.window_from = now - std::chrono::hours(24);
          hold.reason = why;
          Run nobody;
          txn.ops.emplace_back(
              self->activity(nobody, "guard.held", {{"hold", hold.id.str()}, {"reason", hold.reason}}));
          txn.ops.emplace_back(port::op::OpenHold{std::move(hold)});
          port::WorkRow work;
          work.scope = self->scope_;
          work.id = self->ports_.random.id<WorkId>(now);
          work.kind = "hold";
          work.payload = "{}";
          work.created = now;
          txn.ops.emplace_back(port::op::PutWork{std::move(work)});
        }
        bool counts = why.empty() && !lowers_role(run->row) && !run->plan.uncounted && subject &&
                      subject->counted_at.micros != 0;
        if (counts) {  // for what was taken from it before it goes on counting
          DEPROV_TRY(before, let_pass_since(reader, self->scope_, run->row.subject, run->row.id, now - a_day));
          counts = !before;
        }
        if (counts) {
          txn.ops.emplace_back(
              port::op::Unreserve{self->scope_, std::string(worsened_counter), 1, subject->counted_at});
          // It counts no more: the next time nothing of somebody else's may be taken back for it.
          auto uncounted = *subject;
          uncounted.counted_at = {};
          txn.ops.emplace_back(port::op::PutSubject{std::move(uncounted)});
        }
        port::HoldItemRow item;
        item.scope = self->scope_;
        item.subject = run->row.subject;
        item.job = run->row.id;
        item.generation = run->row.generation;
        item.cause = run->row.cause;
        item.via_group = run->row.via_group;
        item.at = now;
        txn.ops.emplace_back(port::op::PutHoldItem{std::move(item)});
        auto row = run->row;
        row.plan = text;
        txn.ops.emplace_back(port::op::PutJob{std::move(row), std::nullopt});
        txn.ops.emplace_back(self->activity(*run, "removal.held", {{"cause", idp::to_string(run->row.cause)}}));
        return txn;
      },
      [self, run, opens](Result<port::Committed> done) {
        self->ports_.executor.post([self, run, opens, done = std::move(done)] {
          --self->outstanding_;
          if (done) {
            self->host_.activity_appended(self->scope_);
            if (*opens) self->host_.hold_opened(self->scope_);
            self->host_.count_finished(JobState::held, std::nullopt);
            return self->drop(run);
          }
          if (done.error().code() == Errc::fenced) {
            self->drop(run);
            return self->lost(done.error());
          }
          if (self->stopping_) return self->drop(run);
          self->after(std::chrono::milliseconds(200), [self, run] { self->begin(run); });
        });
      });
}

void Lane::retain(const RunPtr& run, const policy::Retention& retention) {
  if (run->row.kind == JobKind::revoke_sessions) return retain_sessions(run, retention);
  auto self = shared_from_this();
  const auto now = ports_.clock.wall();
  run->row.state = JobState::cancelled;
  run->row.finished = now;
  run->row.lease = {};
  run->row.reason =
      ("retained: " + std::string(policy::to_string(retention.kind)) + ": " + retention.reason).substr(0, 1000);
  auto payload = policy::to_json(retention);
  payload["cause"] = idp::to_string(run->row.cause);
  port::DueRow due;
  due.scope = scope_;
  due.subject = run->row.subject;
  due.kind = "retained";
  due.since = run->row.evidence_at;
  due.at = retention.until && *retention.until > now ? *retention.until : now + a_year;
  due.payload = json::serialize(payload);
  const auto text = policy::to_text(run->plan);
  commit(
      [self, run, due, payload, text] {
        auto txn = self->transaction();
        txn.reads.intents.push_back({self->scope_, run->row.subject, run->row.generation});
        auto row = run->row;
        row.plan = text;
        txn.ops.emplace_back(port::op::PutJob{std::move(row), std::nullopt});
        txn.ops.emplace_back(port::op::RemoveDue{due.scope, due.subject, due.kind});
        txn.ops.emplace_back(port::op::PutDue{due});
        txn.ops.emplace_back(self->activity(*run, "removal.retained", payload));
        return txn;
      },
      [self, run](const Result<port::Committed>& done) {
        if (!done) {
          const bool changed = done.error().code() == Errc::stale_read || done.error().code() == Errc::conflict;
          return changed ? self->begin(run) : self->begin_later(run, done.error());
        }
        self->host_.activity_appended(self->scope_);
        self->host_.evaluation_stored(self->scope_);
        self->host_.count_finished(JobState::cancelled, std::nullopt);
        self->drop(run);
      });
}

// The subject has access: there is nothing of it to look at again later.
void Lane::retain_sessions(const RunPtr& run, const policy::Retention& retention) {
  run->row.state = JobState::cancelled;
  run->row.finished = ports_.clock.wall();
  run->row.lease = {};
  run->row.reason =
      ("retained: " + std::string(policy::to_string(retention.kind)) + ": " + retention.reason).substr(0, 1000);
  auto self = shared_from_this();
  save(run, "sessions.retained", policy::to_json(retention), [self, run] {
    self->host_.count_finished(JobState::cancelled, std::nullopt);
    self->drop(run);
  });
}

void Lane::retain_own(const RunPtr& run, const connector::Reply& reply) {
  auto why = policy::own_account_retention();
  if (!reply.detail.empty()) why.reason = reply.detail;
  retain(run, why);
}

void Lane::check_account(const RunPtr& run, std::function<void()> next) {
  const auto& step = run->plan.steps[run->at];
  const auto& protection = policy_.protection;
  const bool takes_away = step.operation == Operation::disable || step.operation == Operation::remove;
  const bool takes = run->row.kind == JobKind::remove_access || run->row.kind == JobKind::revoke_sessions ||
                     lowers_role(run->row);
  if (!takes || run->account_checked) return next();
  // It may have been bound in this very pass.
  if (const auto why = policy::retained_account(protection, run->binding.account_id, run->binding.account_login))
    return retain(run, *why);
  const auto& app = connector_->describe();
  const bool can_tell = app.of(Operation::read).supported && app.of(Operation::list).supported;
  if (protection.owner_group.empty() || !takes_away || !can_tell) return next();
  // Right before acting: is it an owner at all, and if so, is there another one?
  auto self = shared_from_this();
  when_admitted(run, [self, run, next = std::move(next)](bool go) {
    if (!go) return self->no_slot(run);
    connector::Call call;
    call.operation = Operation::read;
    call.account_id = run->binding.account_id;
    self->call(std::move(call), [self, run, next](const connector::Reply& reply) {
      if (reply.outcome == Outcome::not_found) return next();
      if (reply.outcome != Outcome::ok || reply.accounts.empty()) return self->failed_exchange(run, reply);
      const auto& account = reply.accounts.front();
      const auto& group = self->policy_.protection.owner_group;
      const bool owner = account.active.value_or(true) &&
                         std::find(account.groups.begin(), account.groups.end(), group) != account.groups.end();
      if (owner) return self->check_owners(run, {}, next);
      run->account_checked = true;
      next();
    });
  });
}

void Lane::check_owners(const RunPtr& run, std::string cursor, std::function<void()> next) {
  auto self = shared_from_this();
  when_admitted(run, [self, run, cursor = std::move(cursor), next = std::move(next)](bool go) {
    if (!go) return self->no_slot(run);
    connector::Call call;
    call.operation = Operation::list;
    call.cursor = cursor;
    self->call(std::move(call), [self, run, next](const connector::Reply& reply) {
      if (reply.outcome != Outcome::ok) return self->failed_exchange(run, reply);
      const auto& group = self->policy_.protection.owner_group;
      const bool another = std::any_of(reply.accounts.begin(), reply.accounts.end(), [&](const auto& a) {
        return a.id != run->binding.account_id && a.active.value_or(false) &&
               std::find(a.groups.begin(), a.groups.end(), group) != a.groups.end();
      });
      if (another) {
        run->account_checked = true;
        return next();
      }
      if (!reply.next_cursor.empty()) return self->check_owners(run, reply.next_cursor, next);
      self->retain(run, {policy::Retention::Kind::protected_subject,
                         "the last active owner of the app",
                         "/protection/owner_group",
                         std::nullopt,
                         {}});
    });
  });
}

}  // namespace deprov::jobs
