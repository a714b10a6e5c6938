// One job: the role that a subject has left, lowered or given back.
#include <algorithm>
#include <utility>
#include "jobs/history.hpp"
#include "jobs/lane.hpp"

namespace deprov::jobs {

namespace json = boost::json;
using connector::Operation;
using connector::Outcome;
using policy::StepKind;
using policy::StepState;
using port::JobState;

namespace {

bool has(const std::vector<std::string>& list, const std::string& what) {
  return std::find(list.begin(), list.end(), what) != list.end();
}

policy::Step entitlement_step(Operation operation, const std::string& entitlement) {
  policy::Step s;
  s.kind = StepKind::call;
  s.operation = operation;
  s.entitlement = entitlement;
  return s;
}

}  // namespace

// What is to be done is not known before the app has said what the account has.
void Lane::step_look_at_roles(const RunPtr& run) {
  auto self = shared_from_this();
  if (run->binding.account_id.empty()) return hold(run, "no account is bound to the subject; bind it, and retry");
  if (!run->roles_under_way.empty()) return wait_for_earlier_role(run);
  when_admitted(run, [self, run](bool go) {
    if (!go) return self->no_slot(run);
    connector::Call call;
    call.operation = Operation::list_entitlements;
    call.account_id = run->binding.account_id;
    self->call(std::move(call), [self, run](const connector::Reply& reply) {
      auto& step = run->plan.steps[run->at];
      ++step.attempts;
      step.outcome = reply.outcome;
      if (reply.outcome == Outcome::not_found)
        return self->finish(run, JobState::succeeded_no_account, "the account is gone");
      if (reply.outcome != Outcome::ok || reply.accounts.empty()) return self->failed_exchange(run, reply);
      step.state = StepState::done;
      self->plan_role(run, reply.accounts.front().groups);
      self->next_step(run);
    });
  });
}

// R4: what the account has before the app has done what an earlier job asked for is not what it will have.
void Lane::wait_for_earlier_role(const RunPtr& run) {
  auto self = shared_from_this();
  when_admitted(run, [self, run](bool go) {
    if (!go) return self->no_slot(run);
    connector::Call call;
    call.operation = Operation::poll;
    call.account_id = run->binding.account_id;
    call.handle = run->roles_under_way.back();
    self->call(std::move(call), [self, run](const connector::Reply& reply) {
      if (reply.outcome == Outcome::ok && reply.effect == connector::Effect::accepted)
        return self->retry_later(run, reply.retry_after.value_or(std::chrono::seconds(1)), false,
                                 "the app still works on an earlier request");
      switch (connector::disposition(reply.outcome)) {
        case connector::Disposition::retry:
        case connector::Disposition::wait:
        case connector::Disposition::read_back:
        case connector::Disposition::check_lane:
        case connector::Disposition::pause_lane: return self->failed_exchange(run, reply);
        default: break;  // over, in whatever way: what the account has now counts
      }
      run->roles_under_way.pop_back();
      self->step_look_at_roles(run);
    });
  });
}

void Lane::plan_role(const RunPtr& run, const std::vector<std::string>& present) {
  const auto& wanted = run->roles.wanted;
  auto& steps = run->plan.steps;
  run->plan.role = wanted ? wanted->entitlement : std::string{};
  std::vector<std::string> revoked;
  for (const auto& rule : policy_.roles) {
    if (wanted && (rule.entitlement == wanted->entitlement || rule.rank <= wanted->rank)) continue;
    if (!has(present, rule.entitlement) || has(revoked, rule.entitlement)) continue;
    revoked.push_back(rule.entitlement);
  }
  const bool lowers = !revoked.empty();
  const bool gives_back = wanted && has(run->roles.taken, wanted->entitlement);
  // What deprov gave itself when it lowered a role is taken back when that role is given back.
  for (const auto& given : run->roles.given)
    if (gives_back && given != wanted->entitlement && has(present, given) && !has(revoked, given))
      revoked.push_back(given);
  for (const auto& e : revoked) steps.push_back(entitlement_step(Operation::revoke_entitlement, e));
  if (wanted && (lowers || gives_back) && !has(present, wanted->entitlement) &&
      connector_->describe().of(Operation::grant_entitlement).supported)
    steps.push_back(entitlement_step(Operation::grant_entitlement, wanted->entitlement));
  policy::Step verify;
  verify.kind = StepKind::verify;
  verify.operation = Operation::revoke_entitlement;
  steps.push_back(std::move(verify));
}

void Lane::step_verify_role(const RunPtr& run) {
  auto self = shared_from_this();
  auto& step = run->plan.steps[run->at];
  const auto lag = connector_->describe().of(Operation::revoke_entitlement).verification_lag;
  if (step.state == StepState::pending && lag.count() > 0 && run->plan.acted()) {
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
  when_admitted(run, [self, run](bool go) {
    if (!go) return self->no_slot(run);
    connector::Call call;
    call.operation = Operation::list_entitlements;
    call.account_id = run->binding.account_id;
    self->call(std::move(call), [self, run](const connector::Reply& reply) {
      auto& verify = run->plan.steps[run->at];
      ++verify.attempts;
      verify.outcome = reply.outcome;
      if (reply.outcome == Outcome::not_found) {
        verify.state = StepState::done;
        return self->next_step(run);
      }
      if (reply.outcome != Outcome::ok || reply.accounts.empty()) return self->failed_exchange(run, reply);
      const auto& present = reply.accounts.front().groups;
      std::string wrong;
      for (auto& s : run->plan.steps) {
        if (s.kind != StepKind::call || s.entitlement.empty()) continue;
        const bool as_wanted = has(present, s.entitlement) == (s.operation == Operation::grant_entitlement);
        if (s.state == StepState::failed && as_wanted) {  // refused, and so all the same (R5)
          s.state = StepState::already;
          s.detail.clear();
        }
        if (as_wanted || (s.state != StepState::done && s.state != StepState::already)) continue;
        s.state = StepState::pending;
        wrong += (wrong.empty() ? "" : ", ") + s.entitlement;
      }
      if (wrong.empty()) {
        verify.state = StepState::done;
        return self->next_step(run);
      }
      verify.state = StepState::pending;
      self->save(run, "verify.failed", {{"entitlements", wrong}, {"attempt", verify.attempts}},
                 [self, run, wrong] {
                   self->retry_later(run, {}, true, "the app does not show the role as it was set: " + wrong);
                 });
    });
  });
}

}  // namespace deprov::jobs
