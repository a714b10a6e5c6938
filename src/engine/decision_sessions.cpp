// Sessions that ended at the IdP: they end in the app, too, and access stays as it is (R2).
#include <algorithm>
#include <deprov/policy/plan.hpp>
#include <utility>
#include "engine/decision.hpp"

namespace deprov::engine {

Result<void> Decision::revoke_sessions(ResourceId subject, WallTime evidence_at) {
  DEPROV_TRY(state, load(subject));
  if (!state.stored) return {};
  auto detail = evidence_json();
  change(idp::ChangeKind::sessions_revoked, subject, {});
  DEPROV_TRY(retention, retention_of(state));
  if (retention) {
    for (const auto& member : policy::to_json(*retention)) detail[member.key()] = member.value();
    record("sessions.retained", detail, subject);
    return {};
  }
  if (context_.connector == nullptr || !context_.connector->of(connector::Operation::revoke_sessions).supported) {
    detail["reason"] = "the app offers no operation that ends sessions";
    record("sessions.unsupported", detail, subject);
    return {};
  }
  const auto plan = policy::plan_removal(context_.policy, idp::Cause::sessions_revoked, *context_.connector);
  const bool any = std::any_of(plan.steps.begin(), plan.steps.end(),
                               [](const policy::Step& s) { return s.kind == policy::StepKind::call; });
  if (!any) {
    detail["reason"] = "the policy has no steps for sessions_revoked";
    record("sessions.noted", detail, subject);
    return {};
  }
  port::JobFilter filter;
  filter.subject = subject;
  filter.finished = false;
  DEPROV_TRY(open, reader_.jobs(scope(), filter, std::nullopt, 50));
  for (const auto& job : open.rows) {
    if (job.kind != port::JobKind::revoke_sessions) continue;
    DEPROV_TRY(planned, policy::parse_plan(job.plan));
    if (planned.acted()) continue;
    // What has not begun yet ends these sessions as well.
    record("sessions.evidence", detail, subject, job.id);
    return {};
  }
  auto job = new_job(state.subject, port::JobKind::revoke_sessions, policy::to_text(plan));
  job.cause = idp::Cause::sessions_revoked;
  job.via_group = {};
  job.via_inferred = false;
  job.evidence_at = evidence_at;
  detail["cause"] = idp::to_string(job.cause);
  record("sessions.requested", detail, subject, job.id);
  txn_.ops.emplace_back(port::op::PutJob{std::move(job), std::nullopt});
  return {};
}

}  // namespace deprov::engine
