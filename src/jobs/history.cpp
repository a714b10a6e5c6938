#include "jobs/history.hpp"
#include <algorithm>
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

Result<bool> restored_since(port::Reader& reader, const port::Scope& scope, ResourceId subject, JobId job) {
  port::JobFilter filter;
  filter.subject = subject;
  DEPROV_TRY(jobs, reader.jobs(scope, filter, std::nullopt, 50));
  for (const auto& j : jobs.rows) {  // newest first
    if (j.id == job) return false;
    if (j.kind == port::JobKind::restore_access &&
        (j.state == port::JobState::succeeded_verified || j.state == port::JobState::succeeded_unverified))
      return true;
  }
  return false;
}

Result<std::optional<WallTime>> undecided_until(port::Reader& reader, const port::Scope& scope, ResourceId subject,
                                                WallTime now) {
  constexpr Duration soon = std::chrono::seconds(1);
  constexpr Duration late = std::chrono::minutes(10);
  DEPROV_TRY(settling, reader.due(scope, subject, "settle"));
  if (settling) return std::optional(std::max(settling->at, now + soon));
  DEPROV_TRY(works, reader.works(scope, 1));
  if (works.empty()) return std::optional<WallTime>{};
  // Work that cannot be done now stays for long, and is not asked after all the time.
  return std::optional(now + std::clamp((now - works.front().created) / 4, soon, late));
}

Result<bool> let_pass_since(port::Reader& reader, const port::Scope& scope, ResourceId subject, JobId job,
                            WallTime since) {
  port::JobFilter filter;
  filter.subject = subject;
  DEPROV_TRY(jobs, reader.jobs(scope, filter, std::nullopt, 50));
  DEPROV_TRY(item, reader.hold_item_of(scope, subject));
  for (const auto& j : jobs.rows) {
    if (j.id == job || j.created < since || j.cause == idp::Cause::manual) continue;
    const bool lowers = j.kind == port::JobKind::change_role && j.cause == idp::Cause::role_lowered;
    if (j.kind != port::JobKind::remove_access && !lowers) continue;
    if (item && item->job == j.id && item->state == port::HoldItemState::allowed) continue;
    const auto plan = policy::parse_plan(j.plan);
    if (plan && plan->acted()) return true;
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

Result<std::vector<std::string>> roles_under_way(port::Reader& reader, const port::Scope& scope,
                                                 ResourceId subject, JobId job) {
  port::JobFilter filter;
  filter.subject = subject;
  DEPROV_TRY(jobs, reader.jobs(scope, filter, std::nullopt, 50));
  std::vector<std::string> handles;
  std::set<std::string> seen;
  for (const auto& j : jobs.rows) {  // newest first
    if (j.kind != port::JobKind::change_role || j.id == job) continue;
    const auto plan = policy::parse_plan(j.plan);
    if (!plan) continue;
    for (auto s = plan->steps.rbegin(); s != plan->steps.rend(); ++s) {
      if (s->kind != policy::StepKind::call || s->entitlement.empty()) continue;
      const bool over = s->state == policy::StepState::done || s->state == policy::StepState::already;
      if (!over && s->state != policy::StepState::accepted) continue;
      if (seen.insert(s->entitlement).second && !over) handles.push_back(s->handle);
    }
  }
  return handles;
}

Result<bool> newer_role(port::Reader& reader, const port::Scope& scope, const port::JobRow& job) {
  port::JobFilter filter;
  filter.subject = job.subject;
  filter.finished = false;
  DEPROV_TRY(open, reader.jobs(scope, filter, std::nullopt, 50));
  return std::any_of(open.rows.begin(), open.rows.end(), [&](const port::JobRow& j) {
    return j.kind == port::JobKind::change_role && j.id > job.id && j.generation == job.generation &&
           (j.cause == idp::Cause::role_lowered || j.cause == job.cause);
  });
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
      const bool ours = s->state == policy::StepState::done || s->state == policy::StepState::sent ||
                        s->state == policy::StepState::accepted;
      if (s->kind != policy::StepKind::call || !ours || s->entitlement.empty()) continue;
      if (!seen.insert(s->entitlement).second) continue;
      (s->operation == connector::Operation::grant_entitlement ? out.given : out.taken).push_back(s->entitlement);
    }
  }
  return out;
}

}  // namespace deprov::jobs
