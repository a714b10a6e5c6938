// One job: the operations that change the app, and reading back what they did.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <utility>
#include "jobs/lane.hpp"

namespace deprov::jobs {

namespace json = boost::json;
using connector::Effect;
using connector::Operation;
using connector::Outcome;
using policy::StepKind;
using policy::StepState;
using port::JobKind;
using port::JobState;

namespace {
constexpr const char* unknown_for_good =
    "whether it happened is unknown, it cannot be read back, and repeating it is not safe";
}  // namespace

// ---- operations that change the app

void Lane::step_call(const RunPtr& run) {
  if (run->binding.state == port::BindingState::removed) {
    run->plan.steps[run->at].state = StepState::already;
    return next_step(run);
  }
  if (run->binding.account_id.empty()) return hold(run, "no account is bound to the subject; bind it, and retry");
  auto self = shared_from_this();
  check_account(run, [self, run] {
    if (self->waits_for_its_unit(run)) return;
    self->when_admitted(run, [self, run](bool go) {
      if (!go) return self->no_slot(run);
      self->send(run);
    });
  });
}

// Nothing leaves once another engine was told to stop, or a policy is another one.
void Lane::only_as_it_stands(const Run& run, port::Transaction& txn) const {
  if (!run.standing) return;
  txn.reads.integrations.push_back({scope_, run.standing->integration});
  txn.reads.lanes.push_back({{scope_.workspace, {}}, run.standing->workspace});
}

// `sent` is durable before the request leaves (R18), and only if the intent is still the one that was planned
// (R5).
void Lane::send(const RunPtr& run) {
  auto self = shared_from_this();
  auto& step = run->plan.steps[run->at];
  // Nothing of a hold's window leaves once the hold has begun (R7).
  const bool fenced = guarded(run->row) && !run->guard.released && !run->plan.acted();
  const bool counts = guarded(run->row) && !run->guard.released && step.attempts == 0;
  const bool found_late = guarded(run->row) && !run->guard.released && run->plan.uncounted;
  std::optional<port::op::Reserve> reserve;
  if (counts && step.operation == Operation::remove) reserve = reserve_removal(*run);
  if (found_late || (counts && step.operation == Operation::revoke_entitlement && !run->plan.acted()))
    reserve = reserve_worsened(*run);
  run->plan.uncounted = false;
  step.state = StepState::sent;
  ++step.attempts;
  run->row.state = JobState::running;
  run->row.lane_epoch = epoch_;
  run->row.lease = ports_.random.id<LeaseToken>(ports_.clock.wall());
  run->row.reason.clear();
  const auto text = policy::to_text(run->plan);
  const bool first = !run->started;
  run->started = true;
  commit(
      [self, run, text, first, fenced, found_late, reserve] {
        auto txn = self->transaction();
        self->only_as_it_stands(*run, txn);
        if (fenced) txn.reads.holds.push_back({self->scope_, run->guard.open});
        if (reserve) txn.ops.emplace_back(*reserve);
        if (reserve && run->subject) {
          if (!found_late) {  // a role that is lowered
            if (reserve->counted.micros == 0) txn.ops.emplace_back(count_role(*reserve));
            for (auto& o : keep_back(*reserve, *run->subject)) txn.ops.push_back(std::move(o));
          }
          auto subject = *run->subject;
          subject.counted_at = reserve->now;
          txn.ops.emplace_back(port::op::PutSubject{std::move(subject)});
        }
        // A role goes by the groups, and they may have changed since it was worked out (R5).
        if (run->subject)
          txn.reads.subjects.push_back({self->scope_, run->row.subject, run->subject->grants_version});
        if (run->row.kind != JobKind::revoke_sessions)
          txn.reads.intents.push_back({self->scope_, run->row.subject, run->row.generation});
        auto row = run->row;
        row.plan = text;
        txn.ops.emplace_back(port::op::PutJob{std::move(row), std::nullopt});
        const auto& s = run->plan.steps[run->at];
        json::object detail{{"operation", step_name(s)}, {"attempt", s.attempts}};
        if (!s.entitlement.empty()) detail["entitlement"] = s.entitlement;
        txn.ops.emplace_back(self->activity(
            *run, first ? std::string(event_prefix(run->row.kind)) + ".in_progress" : "step.sent", detail));
        return txn;
      },
      [self, run, found_late, puts = reserve && run->subject](const Result<port::Committed>& done) {
        if (done && puts) ++run->subject->grants_version;
        if (!done) {
          self->limiter_.release();
          if (done.error().code() == Errc::held_by_guard) {
            auto& refused = run->plan.steps[run->at];
            refused.state = StepState::pending;
            --refused.attempts;
            run->plan.uncounted = found_late;
            self->join_hold(run, done.error().message());
          } else if (done.error().code() == Errc::stale_read || done.error().code() == Errc::conflict) {
            self->begin(run);
          } else {
            self->begin_later(run, done.error());
          }
          return self->admit();  // its place is free, and no answer of the app will tell so
        }
        ++run->row.version;
        self->host_.activity_appended(self->scope_);
        self->call_app(run);
      });
}

void Lane::call_app(const RunPtr& run) {
  auto& s = run->plan.steps[run->at];
  if (!may_begin()) {
    // Stopped between the record and the request: nothing has left, and nothing will.
    s.state = StepState::pending;
    --s.attempts;
    limiter_.release();
    put_back(run, "the lane stands still");
    return admit();
  }
  connector::Call call;
  call.operation = s.operation;
  call.account_id = run->binding.account_id;
  call.delete_account = s.delete_account;
  call.entitlement = s.entitlement;
  call.idempotency_key = run->row.id.str() + ":" + std::to_string(run->at);
  auto self = shared_from_this();
  this->call(std::move(call),
             [self, run](connector::Reply reply) { self->record_outcome(run, std::move(reply), false); });
}

void Lane::record_outcome(const RunPtr& run, connector::Reply reply, bool by_read_back) {
  auto& step = run->plan.steps[run->at];
  step.outcome = reply.outcome;
  step.detail = reply.detail;
  const auto& capability = connector_->describe().of(step.operation);
  const bool polled = step.state == StepState::accepted;
  auto self = shared_from_this();
  const auto done = [&](StepState state) {
    step.state = state;
    step.detail.clear();
    if (step.operation == Operation::disable) run->binding.last_set = port::AccountState::disabled;
    if (step.operation == Operation::enable) run->binding.last_set = port::AccountState::enabled;
    if (step.operation == Operation::remove) {
      run->binding.last_set = port::AccountState::removed;
      if (step.delete_account) run->binding.state = port::BindingState::removed;
    }
    run->binding_changed = step.operation == Operation::disable || step.operation == Operation::enable ||
                           step.operation == Operation::remove;
  };
  const auto repeat = [&](StepState state, bool costs) {
    step.state = state;
    put_off(run, reply, costs);
  };
  json::object detail{{"operation", step_name(step)}, {"outcome", connector::to_string(reply.outcome)}};
  if (!step.entitlement.empty()) detail["entitlement"] = step.entitlement;
  if (by_read_back) detail["by_read_back"] = true;
  if (!reply.detail.empty()) detail["detail"] = reply.detail;

  switch (reply.outcome) {
    case Outcome::ok:
      if (reply.effect == Effect::accepted) {
        step.state = StepState::accepted;
        step.handle = reply.handle;
        run->again = true;
        run->why = "the app works on it";
        run->not_before = ports_.clock.mono() + reply.retry_after.value_or(std::chrono::seconds(1));
      } else {
        // What the account was before is not ours to restore when it was so already (R4).
        // A role was there when the job looked, or was not: what the next attempt finds done an earlier one did.
        const bool role =
            step.operation == Operation::revoke_entitlement || step.operation == Operation::grant_entitlement;
        const bool already = reply.effect == Effect::already && !(role && step.attempts > 1);
        const auto before = run->binding.last_set;
        done(already ? StepState::already : StepState::done);
        if (already && !by_read_back && step.operation == Operation::disable) run->binding.last_set = before;
      }
      detail["effect"] = connector::to_string(reply.effect);
      // Still waiting is no news: an app that takes days would fill the chain with it.
      return save(run, polled && step.state == StepState::accepted ? "" : "step.done", std::move(detail),
                  [self, run] { self->next_step(run); });
    case Outcome::not_found:
      if (step.operation == Operation::enable) {
        step.state = StepState::failed;
        step.detail = "the account is gone: access without account";
        return save(run, "access.without_account", std::move(detail), [self, run] { self->next_step(run); });
      }
      step.state = StepState::already;
      if (step.operation == Operation::remove) {
        run->binding.state = port::BindingState::removed;
        run->binding.last_set = port::AccountState::removed;
        run->binding_changed = true;
      }
      step.detail = "the account is gone";
      return save(run, "step.done", std::move(detail), [self, run] { self->next_step(run); });
    case Outcome::throttled:
    case Outcome::auth_expired: repeat(StepState::pending, reply.outcome == Outcome::auth_expired); break;
    case Outcome::not_sent:
    case Outcome::unavailable:
    case Outcome::conflict_state:
    case Outcome::precondition:
    case Outcome::cancelled: repeat(StepState::pending, true); break;
    case Outcome::unknown_outcome:
    case Outcome::protocol:
    case Outcome::deadline:
    case Outcome::internal:
      // It may have happened: it stays `sent`, so that the next attempt reads back first (R18).
      remember_doubt(run);
      if (!connector_->describe().of(Operation::read).supported &&
          capability.idempotency == connector::Idempotency::no) {
        run->holds = unknown_for_good;
        return save(run, "step.failed", std::move(detail), [self, run] { self->next_step(run); });
      }
      repeat(StepState::sent, true);
      break;
    case Outcome::auth_failed:
      step.state = StepState::pending;
      return save(run, "step.failed", std::move(detail), [self, run, why = reply.detail] {
        self->pause_by_itself("the app refused the credential: " + why);
        self->put_back(run, "the app refused the credential");
      });
    case Outcome::permission_denied:
      step.state = StepState::pending;
      return save(run, "step.failed", std::move(detail), [self, run, reply] { self->step_failed(run, reply); });
    case Outcome::ambiguous:
    case Outcome::protected_account:
      step.state = StepState::pending;
      if (reply.outcome == Outcome::protected_account && !connector_->describe().own_account.empty())
        return save(run, "step.failed", std::move(detail), [self, run, reply] { self->retain_own(run, reply); });
      return save(run, "step.failed", std::move(detail), [self, run, reply] {
        self->hold(run, std::string(connector::to_string(reply.outcome)) + ": " + reply.detail);
      });
    case Outcome::invalid_request:
    case Outcome::unsupported:
      step.state = StepState::failed;  // R3: the other steps still run
      break;
  }
  if (reply.outcome == Outcome::throttled) return next_step(run);
  save(run, "step.failed", std::move(detail), [self, run] { self->next_step(run); });
}

// R4: what may be our doing is ours to undo. The job alone would not do to remember it: newer ones take its place.
void Lane::remember_doubt(const RunPtr& run) {
  if (run->restored) return;  // there is no doubt any more
  for (const auto& s : run->plan.steps) {
    if (s.kind != StepKind::call || s.operation != Operation::disable ||
        (s.state != StepState::sent && s.state != StepState::accepted) || run->binding.account_id.empty() ||
        run->binding.last_set == port::AccountState::disabled)
      continue;
    run->binding.last_set = port::AccountState::disabled;
    run->binding_changed = true;
  }
}

void Lane::step_read_back(const RunPtr& run) {
  const auto& app = connector_->describe();
  auto& step = run->plan.steps[run->at];
  const bool removal = step.operation == Operation::remove;
  const bool shows = removal || step.operation == Operation::disable || step.operation == Operation::enable;
  if (!app.of(Operation::read).supported || !shows) {
    if (policy::is_irreversible(step.operation) ||
        app.of(step.operation).idempotency == connector::Idempotency::no) {
      run->holds = unknown_for_good;
      return next_step(run);
    }
    remember_doubt(run);  // "already" may then be our own doing (R4)
    step.state = StepState::pending;
    return step_call(run);
  }
  if (run->binding.account_id.empty()) return hold(run, "no account is bound to the subject; bind it, and retry");
  auto self = shared_from_this();
  when_admitted(run, [self, run](bool go) {
    if (!go) return self->no_slot(run);
    connector::Call call;
    call.operation = Operation::read;
    call.account_id = run->binding.account_id;
    self->call(std::move(call), [self, run](connector::Reply reply) {
      auto& s = run->plan.steps[run->at];
      if (reply.outcome == Outcome::not_found) return self->record_outcome(run, std::move(reply), true);
      if (reply.outcome != Outcome::ok || reply.accounts.empty()) return self->step_failed(run, reply);
      if (s.operation == Operation::remove) {  // the account is there: what is left of it is removed
        s.state = StepState::pending;
        return self->step_final(run);
      }
      const bool wanted = s.operation == Operation::enable;
      const auto active = reply.accounts.front().active;
      if (active && *active == wanted) {
        reply.effect = Effect::done;
        return self->record_outcome(run, std::move(reply), true);
      }
      // An app that shows changes late may have done it all the same, and call the next attempt "already" (R4).
      if (self->connector_->describe().of(s.operation).verification_lag.count() > 0) self->remember_doubt(run);
      s.state = StepState::pending;
      self->step_call(run);
    });
  });
}

void Lane::step_poll(const RunPtr& run) {
  auto self = shared_from_this();
  when_admitted(run, [self, run](bool go) {
    if (!go) return self->no_slot(run);
    connector::Call call;
    call.operation = Operation::poll;
    call.account_id = run->binding.account_id;
    call.handle = run->plan.steps[run->at].handle;
    self->call(std::move(call), [self, run](connector::Reply reply) {
      if (reply.outcome == Outcome::ok && reply.effect == Effect::accepted && reply.handle.empty())
        reply.handle = run->plan.steps[run->at].handle;
      // What says nothing of the request must not make us forget that the app works on it.
      const auto follows = connector::disposition(reply.outcome);
      if (follows == connector::Disposition::retry || follows == connector::Disposition::check_lane ||
          follows == connector::Disposition::pause_lane || reply.outcome == Outcome::unknown_outcome ||
          reply.outcome == Outcome::throttled) {
        return self->step_failed(run, reply);
      }
      self->record_outcome(run, std::move(reply), false);
    });
  });
}

// ---- read back after acting (R19)

void Lane::step_verify(const RunPtr& run) {
  const auto& app = connector_->describe();
  auto& step = run->plan.steps[run->at];
  const bool restore = run->row.kind == JobKind::restore_access;
  const auto& capability = app.of(restore ? Operation::enable : Operation::disable);
  if (!app.of(Operation::read).supported || capability.verification == connector::Verification::none ||
      run->binding.state != port::BindingState::bound) {
    step.state = StepState::skipped;
    step.detail = "the app cannot be read";
    return next_step(run);
  }
  if (!run->under_way.empty()) return wait_for_earlier(run);
  if (step.state == StepState::pending && capability.verification_lag.count() > 0) {
    step.state = StepState::accepted;  // waiting for the app to show it
    run->row.state = JobState::waiting_async;
    run->row.due = ports_.clock.wall() + capability.verification_lag;
    run->row.lease = {};
    run->row.reason = "the app shows changes late";
    auto self = shared_from_this();
    return save(run, "", {}, [self, run] {
      self->arm_timer(run->row.due);
      self->drop(run);
    });
  }
  auto self = shared_from_this();
  when_admitted(run, [self, run](bool go) {
    if (!go) return self->no_slot(run);
    connector::Call call;
    call.operation = Operation::read;
    call.account_id = run->binding.account_id;
    self->call(std::move(call), [self, run](connector::Reply reply) { self->verified(run, std::move(reply)); });
  });
}

// R4: an earlier job may have asked for the opposite, and the app may still be working on that. What it shows
// before that is over is not what will be.
void Lane::wait_for_earlier(const RunPtr& run) {
  auto self = shared_from_this();
  when_admitted(run, [self, run](bool go) {
    if (!go) return self->no_slot(run);
    connector::Call call;
    call.operation = Operation::poll;
    call.account_id = run->binding.account_id;
    call.handle = run->under_way;
    self->call(std::move(call), [self, run](const connector::Reply& reply) {
      if (reply.outcome == Outcome::ok && reply.effect == Effect::accepted)
        return self->retry_later(run, reply.retry_after.value_or(std::chrono::seconds(1)), false,
                                 "the app still works on an earlier request");
      switch (connector::disposition(reply.outcome)) {
        case connector::Disposition::retry:
        case connector::Disposition::wait:
        case connector::Disposition::read_back:
        case connector::Disposition::check_lane:
        case connector::Disposition::pause_lane: return self->failed_exchange(run, reply);
        default: break;  // over, in whatever way: what the account is now counts
      }
      run->under_way.clear();
      self->step_verify(run);
    });
  });
}

// R5, R13: the app refused it, and it is so all the same: what the account is decides, and not what was answered.
void Lane::take_as_it_is(const RunPtr& run) {
  const bool restore = run->row.kind == JobKind::restore_access;
  for (auto& s : run->plan.steps) {
    if (s.kind != StepKind::call || s.state != StepState::failed ||
        s.operation != (restore ? Operation::enable : Operation::disable))
      continue;
    s.state = StepState::already;
    s.detail.clear();
    if (!restore) continue;  // who disabled it is not known (R4)
    run->binding.last_set = port::AccountState::enabled;
    run->binding_changed = true;
  }
}

void Lane::verified(const RunPtr& run, connector::Reply reply) {
  auto& step = run->plan.steps[run->at];
  ++step.attempts;
  step.outcome = reply.outcome;
  const bool wanted = run->row.kind == JobKind::restore_access;
  if (reply.outcome == Outcome::not_found) {
    if (!wanted) take_as_it_is(run);
    step.state = wanted ? StepState::failed : StepState::done;
    step.detail = "the account is gone";
    return next_step(run);
  }
  if (reply.outcome == Outcome::permission_denied || reply.outcome == Outcome::unsupported) {
    step.state = StepState::skipped;
    step.detail = "the app cannot be read";
    return next_step(run);
  }
  if (reply.outcome != Outcome::ok || reply.accounts.empty()) return failed_exchange(run, reply);
  const auto active = reply.accounts.front().active;
  if (!active) {
    step.state = StepState::skipped;
    step.detail = "the app does not say whether an account is active";
    return next_step(run);
  }
  if (*active == wanted) {
    take_as_it_is(run);
    step.state = StepState::done;
    return next_step(run);
  }
  // Only a plan that disabled (or enabled) something can expect to see it.
  bool acted = false;
  bool refused = false;
  for (auto& s : run->plan.steps) {
    if (s.kind != policy::StepKind::call ||
        (s.operation != Operation::disable && s.operation != Operation::enable))
      continue;
    acted = true;
    refused = refused || s.state == StepState::failed;
    if (s.state == StepState::done || s.state == StepState::already) s.state = StepState::pending;
  }
  if (!acted) {
    step.state = StepState::skipped;
    return next_step(run);
  }
  // What the app refused for good is not repeated: reading on would only keep from sight that it failed.
  step.state = refused ? StepState::failed : StepState::pending;
  if (refused) step.detail = wanted ? "the account is still disabled" : "the account is still active";
  if (wanted) {  // what it is now is still our doing, whatever the enable was answered (R4)
    run->binding.last_set = port::AccountState::disabled;
    run->binding_changed = true;
  }
  auto self = shared_from_this();
  save(run, "verify.failed", {{"active", *active}, {"attempt", step.attempts}}, [self, run, wanted, refused] {
    if (refused) return self->next_step(run);
    self->retry_later(run, {}, true,
                      wanted ? "the account is still disabled" : "the account is still active after the disable");
  });
}

}  // namespace deprov::jobs
