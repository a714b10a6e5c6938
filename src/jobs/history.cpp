#include "jobs/history.hpp"
#include <deprov/policy/plan.hpp>
#include <set>

namespace deprov::jobs {

Result<bool> disable_in_doubt(port::Reader& reader, const port::Scope& scope, ResourceId subject) {
  port::JobFilter filter;
  filter.subject = subject;
  DEPROV_TRY(jobs, reader.jobs(scope, filter, std::nullopt, 50));
  for (const auto& job : jobs.rows) {
    if (job.kind == port::JobKind::restore_access &&
        (job.state == port::JobState::succeeded_verified || job.state == port::JobState::succeeded_unverified))
      return false;
    if (job.kind != port::JobKind::remove_access) continue;
    const auto plan = policy::parse_plan(job.plan);
    if (!plan) continue;
    for (const auto& s : plan->steps) {
      if (s.kind == policy::StepKind::call && s.operation == connector::Operation::disable &&
          (s.state == policy::StepState::sent || s.state == policy::StepState::accepted))
        return true;
    }
  }
  return false;
}

Result<std::string> handle_under_way(port::Reader& reader, const port::Scope& scope, ResourceId subject,
                                     connector::Operation operation) {
  port::JobFilter filter;
  filter.subject = subject;
  DEPROV_TRY(jobs, reader.jobs(scope, filter, std::nullopt, 50));
  for (const auto& job : jobs.rows) {  // newest first
    const auto plan = policy::parse_plan(job.plan);
    if (!plan) continue;
    for (const auto& s : plan->steps) {
      if (s.kind != policy::StepKind::call || s.operation != operation) continue;
      if (s.state == policy::StepState::accepted) return s.handle;
      if (s.state == policy::StepState::done || s.state == policy::StepState::already) return std::string{};
    }
  }
  return std::string{};
}

Result<Entitlements> entitlements_of(port::Reader& reader, const port::Scope& scope, ResourceId subject) {
  port::JobFilter filter;
  filter.subject = subject;
  DEPROV_TRY(jobs, reader.jobs(scope, filter, std::nullopt, 50));
  Entitlements out;
  std::set<std::string> seen;
  for (const auto& job : jobs.rows) {  // newest first
    if (job.kind != port::JobKind::change_role) continue;
    const auto plan = policy::parse_plan(job.plan);
    if (!plan) continue;
    for (auto s = plan->steps.rbegin(); s != plan->steps.rend(); ++s) {
      if (s->kind != policy::StepKind::call || s->state != policy::StepState::done || s->entitlement.empty())
        continue;
      if (!seen.insert(s->entitlement).second) continue;
      (s->operation == connector::Operation::grant_entitlement ? out.given : out.taken).push_back(s->entitlement);
    }
  }
  return out;
}

}  // namespace deprov::jobs
