// One job: what it waits for, what cannot be undone, and what is only observed.
#include <algorithm>
#include <deprov/scim/fold.hpp>
#include <utility>
#include "jobs/lane.hpp"

namespace deprov::jobs {

namespace json = boost::json;
using connector::Operation;
using connector::Outcome;
using policy::StepKind;
using policy::StepState;
using port::JobState;

namespace {

/// Whether access has ended in the app as far as anybody can tell: disabled, and read back where that is possible.
bool access_ended(const policy::Plan& plan, bool& verified) {
  bool disabled = false;
  bool over = false;
  for (const auto& s : plan.steps) {
    if (s.kind == StepKind::call && s.operation == Operation::disable)
      disabled = s.state == StepState::done || s.state == StepState::already;
    if (s.kind == StepKind::verify && s.operation == Operation::read) {
      over = s.state == StepState::done || s.state == StepState::skipped;
      verified = s.state == StepState::done;
    }
  }
  return disabled && over;
}

}  // namespace

// ---- waiting

bool Lane::waits(const RunPtr& run) {
  auto& step = run->plan.steps[run->at];
  const auto now = ports_.clock.wall();
  if (step.grace.count() > 0 && step.not_before.micros == 0) step.not_before = now + step.grace;
  if (step.not_before > now) {
    park(run, JobState::in_grace, step.not_before);
    return true;
  }
  if (step.approval.empty() || step.approved_until > now) return false;
  step.approved_until = {};
  park(run, JobState::awaiting_approval, now + step.approval_expires);
  return true;
}

void Lane::park(const RunPtr& run, JobState state, WallTime until) {
  const auto now = ports_.clock.wall();
  auto& row = run->row;
  const auto& step = run->plan.steps[run->at];
  const std::string name(step_name(step));
  row.state = state;
  row.due = until;
  row.deadline = std::max(row.deadline, until + policy_.deadline);
  row.attempts = 0;
  row.lease = {};
  row.reason = state == JobState::in_grace
                   ? name + " follows at " + to_rfc3339(until)
                   : name + " wants the approval of " + step.approval + " by " + to_rfc3339(until);
  json::object detail{{"step", name}};
  detail[state == JobState::in_grace ? "until" : "expires"] = to_rfc3339(until);
  if (state == JobState::awaiting_approval) detail["role"] = step.approval;
  const std::string prefix(event_prefix(row.kind));
  auto self = shared_from_this();
  Events events;
  std::optional<Duration> took;
  bool verified = false;
  if (run->plan.secured.micros == 0 && access_ended(run->plan, verified)) {
    run->plan.secured = now;
    took = now - row.evidence_at;
    json::object ended{{"state", port::to_string(state)},
                       {"time_to_deprovision_ms", took->count() / 1000},
                       {"cause", idp::to_string(row.cause)}};
    if (!row.via_group.is_nil()) {
      ended["via_group"] = row.via_group.str();
      ended["inferred"] = row.via_inferred;
    }
    events.emplace_back(prefix + (verified ? ".verified" : ".unverified"), std::move(ended));
  }
  events.emplace_back(prefix + (state == JobState::in_grace ? ".in_grace" : ".approval_wanted"),
                      std::move(detail));
  save(run, std::move(events), [self, run, took] {
    if (took) self->host_.count_secured(*took);
    self->arm_timer(run->row.due);
    self->drop(run);
  });
}

// ---- what cannot be undone (R12)

void Lane::step_final(const RunPtr& run) {
  auto& step = run->plan.steps[run->at];
  if (run->binding.state == port::BindingState::removed) {
    step.state = StepState::already;
    return next_step(run);
  }
  const std::string name(step_name(step));
  if (run->binding.account_id.empty()) return hold(run, "no account is bound to the subject; bind it, and retry");
  if (!connector_->describe().of(Operation::read).supported) {
    return hold(run, "the app cannot be read, so that nobody can tell whose account it is now; do the " + name +
                         " by hand, and attest it");
  }
  auto self = shared_from_this();
  when_admitted(run, [self, run, name](bool go) {
    if (!go) return self->no_slot(run);
    connector::Call call;
    call.operation = Operation::read;
    call.account_id = run->binding.account_id;
    self->call(std::move(call), [self, run, name](connector::Reply reply) {
      if (reply.outcome == Outcome::not_found) return self->record_outcome(run, std::move(reply), true);
      if (reply.outcome != Outcome::ok || reply.accounts.empty()) return self->failed_exchange(run, reply);
      auto account = std::make_shared<connector::Account>(std::move(reply.accounts.front()));
      if (scim::fold(account->user_name) != scim::fold(run->binding.account_login)) {
        return self->hold(run, "the account's login is \"" + account->user_name + "\" now, and it was \"" +
                                   run->binding.account_login + "\" when it was bound; no " + name +
                                   " before somebody has looked");
      }
      self->when_admitted(run, [self, run, account](bool granted) {
        if (!granted) return self->no_slot(run);
        self->send_final(run, account);
      });
    });
  });
}

Result<std::optional<ResourceId>> Lane::other_with_access(port::Reader& reader, const connector::Account& account,
                                                          ResourceId subject) {
  using Attribute = port::ResourceKey::Attribute;
  std::vector<port::ResourceKey> keys;
  if (!account.external_id.empty()) keys.push_back({Attribute::external_id, account.external_id});
  if (!account.user_name.empty()) keys.push_back({Attribute::user_name, scim::fold(account.user_name)});
  for (const auto& email : account.emails) keys.push_back({Attribute::email, scim::fold(email)});
  for (const auto& key : keys) {
    DEPROV_TRY(rows, reader.resources_by_key(scope_, "User", key, 50));
    for (const auto& row : rows) {
      if (row.id == subject) continue;
      DEPROV_TRY(access, host_.has_access(reader, scope_, row.id));
      if (access) return std::optional<ResourceId>(row.id);
    }
  }
  DEPROV_TRY(bound, reader.binding_by_account(scope_, account.id));
  if (bound && bound->subject != subject) return std::optional<ResourceId>(bound->subject);
  return std::optional<ResourceId>{};
}

// Decided inside the writer, so that nobody can gain the account between the look and the record.
void Lane::send_final(const RunPtr& run, const std::shared_ptr<connector::Account>& account) {
  struct Sending {
    std::string hold;
    bool stale = false;
  };
  auto sending = std::make_shared<Sending>();
  auto self = shared_from_this();
  auto& step = run->plan.steps[run->at];
  // R3, R7: what removes accounts has a guard of its own; each counts once.
  const bool counts = guarded(run->row) && !run->guard.released && step.attempts == 0;
  const bool found_late = guarded(run->row) && !run->guard.released && run->plan.uncounted;
  run->plan.uncounted = false;
  step.state = StepState::sent;
  ++step.attempts;
  const auto row_before = run->row;
  run->row.state = JobState::running;
  run->row.lane_epoch = epoch_;
  run->row.lease = ports_.random.id<LeaseToken>(ports_.clock.wall());
  run->row.reason.clear();
  run->started = true;
  ++outstanding_;
  ports_.store.transact(
      [self, run, account, sending, counts, found_late](port::Reader& reader) -> Result<port::Transaction> {
        *sending = {};
        const auto& s = run->plan.steps[run->at];
        const auto& row = run->row;
        auto txn = self->transaction();
        if (counts && s.operation == Operation::remove) txn.ops.emplace_back(self->reserve_removal(*run));
        if (found_late) {
          auto worsened = self->reserve_worsened(*run);
          DEPROV_TRY(subject, reader.subject(self->scope_, row.subject));
          if (subject) {
            subject->counted_at = worsened.now;
            txn.ops.emplace_back(port::op::PutSubject{std::move(*subject)});
          }
          txn.ops.emplace_back(std::move(worsened));
        }
        DEPROV_TRY(access, self->host_.has_access(reader, self->scope_, row.subject));
        if (access && row.cause != idp::Cause::manual) {
          sending->stale = true;
          return port::Transaction{};
        }
        DEPROV_TRY(other, self->other_with_access(reader, *account, row.subject));
        if (other) {
          sending->hold =
              "subject " + other->str() + " has access and matches the account too; decide whose it is";
          return port::Transaction{};
        }
        self->only_as_it_stands(*run, txn);
        txn.reads.intents.push_back({self->scope_, row.subject, row.generation});
        auto stored = row;
        stored.plan = policy::to_text(run->plan);
        txn.ops.emplace_back(port::op::PutJob{std::move(stored), std::nullopt});
        txn.ops.emplace_back(self->activity(*run, "step.sent",
                                            {{"operation", step_name(s)},
                                             {"attempt", s.attempts},
                                             {"account", account->id},
                                             {"login", account->user_name}}));
        return txn;
      },
      [self, run, sending, row_before, found_late](Result<port::Committed> done) {
        self->ports_.executor.post([self, run, sending, row_before, found_late, done = std::move(done)] {
          --self->outstanding_;
          const bool sent = done && sending->hold.empty() && !sending->stale;
          if (sent) {
            ++run->row.version;
            self->host_.activity_appended(self->scope_);
            self->call_app(run);
            return self->maybe_stopped();
          }
          self->limiter_.release();
          auto& s = run->plan.steps[run->at];
          s.state = StepState::pending;
          --s.attempts;
          run->plan.uncounted = found_late;
          run->row = row_before;
          if (done && !sending->hold.empty()) {
            self->hold(run, sending->hold);
          } else if (done) {
            self->begin(run);
          } else if (done.error().code() == Errc::held_by_guard) {
            self->join_hold(run, done.error().message());
          } else if (done.error().code() == Errc::fenced) {
            self->drop(run);
            self->lost(done.error());
          } else if (self->stopping_) {
            self->drop(run);
          } else {
            // Somebody was faster, or the store does not take it now: everything is read again.
            self->after(std::chrono::milliseconds(200), [self, run] { self->begin(run); });
          }
          self->admit();
        });
      });
}

void Lane::step_verify_gone(const RunPtr& run) {
  auto& step = run->plan.steps[run->at];
  const auto lag = connector_->describe().of(Operation::remove).verification_lag;
  auto self = shared_from_this();
  // An account that is read need not show its memberships, and then shows none.
  const bool lists = connector_->describe().of(Operation::list_entitlements).supported;
  if (!step.delete_account && !lists) {
    step.state = StepState::skipped;
    step.detail = "the app does not list memberships";
    return next_step(run);
  }
  if (step.state == StepState::pending && lag.count() > 0) {
    step.state = StepState::accepted;
    run->row.state = JobState::waiting_async;
    run->row.due = ports_.clock.wall() + lag;
    run->row.lease = {};
    run->row.reason = "the app shows changes late";
    return save(run, "", {}, [self, run] {
      self->arm_timer(run->row.due);
      self->drop(run);
    });
  }
  const auto look = step.delete_account ? Operation::read : Operation::list_entitlements;
  when_admitted(run, [self, run, look](bool go) {
    if (!go) return self->no_slot(run);
    connector::Call call;
    call.operation = look;
    call.account_id = run->binding.account_id;
    self->call(std::move(call), [self, run](const connector::Reply& reply) {
      auto& s = run->plan.steps[run->at];
      ++s.attempts;
      s.outcome = reply.outcome;
      const bool answered = reply.outcome == Outcome::ok && !reply.accounts.empty();
      if (!answered && reply.outcome != Outcome::not_found) return self->failed_exchange(run, reply);
      const bool refused = std::any_of(run->plan.steps.begin(), run->plan.steps.end(), [](const policy::Step& c) {
        return c.kind == StepKind::call && c.operation == Operation::remove && c.state == StepState::failed;
      });
      if (!answered) {
        s.state = StepState::done;
      } else if (s.delete_account && refused) {
        s.state = StepState::skipped;
        s.detail = "the app refused to delete the account";
      } else if (s.delete_account) {
        s.state = StepState::pending;
        return self->hold(run, "the app said that the account was deleted, and still shows it");
      } else if (reply.accounts.front().groups.empty()) {
        s.state = StepState::done;
      } else {
        s.state = StepState::skipped;
        s.detail = "the app still shows " + std::to_string(reply.accounts.front().groups.size()) + " memberships";
      }
      const bool all_the_same = refused && s.state == StepState::done;  // R13: it is gone
      for (auto& c : run->plan.steps) {
        if (!all_the_same || c.kind != StepKind::call || c.operation != Operation::remove ||
            c.state != StepState::failed)
          continue;
        c.state = StepState::already;
        c.detail.clear();
        run->binding.last_set = port::AccountState::removed;
        if (c.delete_account) run->binding.state = port::BindingState::removed;
        run->binding_changed = true;
      }
      self->next_step(run);
    });
  });
}

// ---- what is only observed (R22)

void Lane::finish_observed(const RunPtr& run) {
  std::string would;
  for (const auto& s : run->plan.steps) {
    if (s.state != StepState::observed) continue;
    would += (would.empty() ? "" : ", ") + std::string(step_name(s));
    if (!s.entitlement.empty()) would += " " + s.entitlement;
    if (s.grace.count() != 0) would += " after " + std::to_string(s.grace.count() / 3'600'000'000) + " h";
    if (!s.approval.empty()) would += " with the approval of " + s.approval;
  }
  finish(run, JobState::observed, "would have: " + would);
}

}  // namespace deprov::jobs
