// Which role a subject has left when its groups change (R1: the highest remaining one wins).
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/policy/plan.hpp>
#include <deprov/scim/fold.hpp>
#include <unordered_set>
#include "engine/decision.hpp"
#include "jobs/history.hpp"

namespace deprov::engine {

Result<const std::map<ResourceId, const policy::RoleRule*>*> Decision::role_groups() {
  if (!role_groups_) {
    std::map<ResourceId, const policy::RoleRule*> groups;
    const auto take = [&](ResourceId id, const policy::RoleRule& rule) {
      auto& place = groups[id];
      if (place == nullptr || place->rank < rule.rank) place = &rule;
    };
    for (const auto& rule : context_.policy.roles) {
      DEPROV_TRY(ids, resolve(rule.group));
      for (const auto& id : ids)
        if (!group_ || group_->id != id) take(id, rule);
      if (group_ && names(rule.group, *group_)) take(group_->id, rule);
    }
    role_groups_ = std::move(groups);
  }
  return &*role_groups_;
}

Result<std::optional<policy::RoleRule>> Decision::wanted_role(ResourceId subject,
                                                              const MembershipOverlay& overlay) {
  std::optional<policy::RoleRule> best;
  if (context_.policy.roles.empty()) return best;
  DEPROV_TRY(wanted, role_groups());
  DEPROV_TRY(level, reader_.groups_of(scope(), subject));
  if (!overlay.group.is_nil()) {
    std::erase(level, overlay.group);
    if (!overlay.removed) level.push_back(overlay.group);
  }
  std::unordered_set<ResourceId> seen;
  for (std::size_t depth = 0; depth < max_group_depth && !level.empty(); ++depth) {
    std::vector<ResourceId> above;
    for (const auto& group : level) {
      if (!seen.insert(group).second) continue;
      if (const auto it = wanted->find(group); it != wanted->end() && (!best || best->rank < it->second->rank))
        best = *it->second;
      DEPROV_TRY(parents, reader_.groups_of(scope(), group));
      above.insert(above.end(), parents.begin(), parents.end());
    }
    level = std::move(above);
  }
  return best;
}

// R7: who gets a role back, or loses access as a whole, waits no longer for a decision about the role.
Result<bool> Decision::leave_role_hold(ResourceId subject, std::string_view why) {
  if (context_.policy.roles.empty()) return false;
  port::JobFilter filter;
  filter.subject = subject;
  filter.finished = false;
  DEPROV_TRY(open, reader_.jobs(scope(), filter, std::nullopt, 50));
  bool left = false;
  for (auto& job : open.rows) {
    if (job.kind != port::JobKind::change_role || job.state != port::JobState::held) continue;
    DEPROV_TRY(plan, policy::parse_plan(job.plan));
    if (plan.acted()) continue;
    left = true;
    const auto held = job;
    job.state = port::JobState::superseded;
    job.finished = now_;
    job.reason = std::string(why);
    job.lease = {};
    record("job.superseded", {{"reason", why}, {"acted", false}}, subject, job.id);
    txn_.ops.emplace_back(port::op::PutJob{std::move(job), std::nullopt});
    DEPROV_CHECK(leave_hold(held));
  }
  return left;
}

Result<void> Decision::role_changed(const SubjectState& state, ResourceId group, bool lost) {
  const auto& s = state.subject;
  if (context_.policy.roles.empty() || !s.access) return {};
  const auto& app = context_.connector;
  if (app == nullptr || !app->of(connector::Operation::revoke_entitlement).supported ||
      !app->of(connector::Operation::list_entitlements).supported) {
    if (lost) record("role.unsupported", {{"reason", "the app cannot list roles, or not take them away"}}, s.id);
    return {};
  }
  bool held = false;
  if (!lost) {  // joining a group gives nothing that deprov had not taken itself
    DEPROV_TRY(left, leave_role_hold(s.id, "its groups give it another role by now"));
    held = left;
    DEPROV_TRY(before, jobs::entitlements_of(reader_, scope(), s.id));
    if (before.taken.empty() && !held) return {};
  }
  port::JobFilter filter;
  filter.subject = s.id;
  filter.finished = false;
  DEPROV_TRY(open, reader_.jobs(scope(), filter, std::nullopt, 50));
  for (const auto& j : open.rows) {
    // What is held is worked out anew when a person lets it go.
    if (lost && j.kind == port::JobKind::change_role && j.state == port::JobState::held &&
        j.generation == s.generation)
      return {};
    // The one that waits works the role out when its time comes.
    if (j.kind == port::JobKind::change_role && j.state == port::JobState::ready && j.due > now_ &&
        j.generation == s.generation)
      return {};
  }
  if (std::find(role_jobs_.begin(), role_jobs_.end(), s.id) != role_jobs_.end()) return {};
  role_jobs_.push_back(s.id);
  auto job = new_job(s, port::JobKind::change_role, policy::to_text(policy::plan_role_change()));
  job.cause = lost || held ? idp::Cause::role_lowered : idp::Cause::restored;
  job.via_group = group;
  job.via_inferred = false;
  job.evidence_at = evidence_.at;
  job.due = now_ + context_.policy.settle;  // R14: the net effect counts
  json::object detail = evidence_json();
  if (!group.is_nil()) detail["via_group"] = group.str();
  detail["decided_at"] = to_rfc3339(job.due);
  record("role.settling", detail, s.id, job.id);
  txn_.ops.emplace_back(port::op::PutJob{std::move(job), std::nullopt});
  return {};
}

namespace {
/// The rank of the role that a retention is about; nothing where it is about access, or a person decided it.
std::optional<std::uint32_t> retained_rank(const port::DueRow& due) {
  boost::system::error_code ec;
  const auto payload = json::parse(due.payload, ec);
  const auto* o = ec ? nullptr : payload.if_object();
  const auto* rank = o != nullptr ? o->if_contains("rank") : nullptr;
  if (rank == nullptr || !rank->is_number()) return std::nullopt;
  return rank->to_number<std::uint32_t>();
}
}  // namespace

Result<bool> Decision::retain_role(const SubjectState& state, ResourceId group, std::uint32_t rank) {
  DEPROV_TRY(retention, retention_of(state));
  if (!retention) return false;
  End end;
  end.cause = idp::Cause::role_lowered;
  end.via = group;
  end.evidence_at = evidence_.at;
  DEPROV_TRY(due, reader_.due(scope(), state.subject.id, retained_kind));
  if (due) rank = std::max(rank, retained_rank(*due).value_or(0));
  auto detail = evidence_json();
  for (const auto& member : remember(state.subject.id, end, *retention, rank))
    detail[member.key()] = member.value();
  record("removal.retained", detail, state.subject.id);
  return true;
}

Result<void> Decision::role_given(ResourceId subject, std::uint32_t rank) {
  DEPROV_TRY(due, reader_.due(scope(), subject, retained_kind));
  if (!due) return {};
  const auto retained = retained_rank(*due);
  if (retained && *retained <= rank) txn_.ops.emplace_back(port::op::RemoveDue{scope(), subject, due->kind});
  return {};
}

// Whoever had no access yet and left a group may have its role in the app all the same. Who never left any has
// what somebody gave it there, and its groups may be pushed after it.
Result<void> Decision::first_role(const SubjectState& state) {
  if (state.subject.last_group_lost.is_nil()) return {};
  return role_changed(state, {}, true);
}

}  // namespace deprov::engine
