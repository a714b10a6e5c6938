#include "engine/decision.hpp"
#include <algorithm>
#include <boost/json/array.hpp>
#include <deprov/policy/plan.hpp>
#include <deprov/scim/fold.hpp>
#include <unordered_set>
#include <utility>
#include "engine/job_priority.hpp"
#include "jobs/activity_detail.hpp"
#include "jobs/history.hpp"

namespace deprov::engine {

namespace {

constexpr std::size_t max_notes = 20;
/// Stands in where this program does not know the connector kind: the plan then names what policy wants, and
/// the lane holds the job with that reason.
const connector::Description& unknown_app() {
  static const connector::Description description = [] {
    connector::Description d;
    d.of(connector::Operation::find).supported = true;
    d.of(connector::Operation::disable).supported = true;
    d.of(connector::Operation::enable).supported = true;
    d.of(connector::Operation::revoke_sessions).supported = true;
    return d;
  }();
  return description;
}

}  // namespace

Decision::Decision(port::Reader& reader, const IntegrationContext& context, const Evidence& evidence,
                   port::Random& random, WallTime now)
    : reader_(reader), context_(context), evidence_(evidence), random_(random), now_(now) {
  txn_.id = new_id<TxnId>();
  txn_.reads.integrations.push_back({context.row.scope, context.row.version});
}

Result<port::Transaction> Decision::take() {
  if (population_ != 0) txn_.ops.emplace_back(port::op::Population{scope(), population_, now_});
  population_ = 0;
  DEPROV_CHECK(add_reservations());
  if (txn_.ops.empty()) txn_.reads = {};
  return std::move(txn_);
}

json::object Decision::evidence_json() const {
  json::object o;
  if (!evidence_.request.empty()) o["request"] = evidence_.request;
  if (!evidence_.method.empty()) o["method"] = evidence_.method;
  if (!evidence_.source.empty()) o["source"] = evidence_.source;
  if (!evidence_.detected.empty()) o["detected"] = evidence_.detected;
  json::array rules;
  for (const auto& r : evidence_.dialect_rules) rules.emplace_back(r);
  if (effect_ != nullptr) {
    for (const auto& r : effect_->dialect_rules) rules.emplace_back(r);
    json::array ignored;
    for (const auto& note : effect_->ignored) {
      ignored.emplace_back(note);
      if (ignored.size() == max_notes) break;
    }
    if (!ignored.empty()) o["ignored"] = std::move(ignored);
    json::array unknown;
    for (const auto& value : effect_->unknown_members) {
      if (unknown.size() == max_notes) {
        unknown.emplace_back("and " + std::to_string(effect_->unknown_members.size() - max_notes) + " more");
        break;
      }
      unknown.emplace_back(value);
    }
    if (!unknown.empty()) o["unknown_members"] = std::move(unknown);
  }
  if (!rules.empty()) o["dialect_rules"] = std::move(rules);
  return o;
}

void Decision::record(std::string event, const json::object& detail, ResourceId subject, JobId job) {
  port::op::AppendActivity a;
  a.scope = scope();
  a.at = now_;
  a.event = std::move(event);
  a.actor = evidence_.actor;
  a.subject = subject;
  a.job = job;
  a.detail = jobs::activity_detail(detail);
  random_.fill(a.salt);
  txn_.ops.emplace_back(std::move(a));
}

void Decision::change(idp::ChangeKind kind, ResourceId subject, ResourceId group, std::uint64_t count) {
  port::ChangeRow row;
  row.scope = scope();
  row.id = new_id<ChangeId>();
  row.subject = subject;
  row.group = group;
  row.kind = kind;
  row.at = evidence_.at;
  row.source = evidence_.source;
  row.request = evidence_.request;
  row.count = count;
  txn_.ops.emplace_back(port::op::AppendChange{std::move(row)});
}

void Decision::put(const SubjectState& state) {
  population_ += static_cast<int>(state.subject.access) - static_cast<int>(state.had_access);
  txn_.ops.emplace_back(port::op::PutSubject{state.subject});
}

Result<SubjectState> Decision::load(ResourceId id) {
  SubjectState state;
  DEPROV_TRY(row, reader_.subject(scope(), id));
  if (row) {
    state.subject = std::move(*row);
    state.stored = true;
    state.had_access = state.subject.access;
    txn_.reads.subjects.push_back({scope(), id, state.subject.grants_version});
  } else {
    state.subject.scope = scope();
    state.subject.id = id;
    txn_.reads.subjects.push_back({scope(), id, 0});
  }
  return state;
}

Result<std::vector<ResourceId>> Decision::resolve(const policy::GroupRef& ref) {
  std::vector<ResourceId> ids;
  if (!ref.id.empty()) {
    if (const auto id = ResourceId::parse(ref.id)) ids.push_back(*id);
    return ids;
  }
  port::ResourceKey key;
  key.attribute = ref.external_id.empty() ? port::ResourceKey::Attribute::display_name
                                          : port::ResourceKey::Attribute::external_id;
  key.value = ref.external_id.empty() ? scim::fold(ref.display_name) : ref.external_id;
  DEPROV_TRY(groups, reader_.resources_by_key(scope(), "Group", key, 100));
  for (const auto& g : groups) ids.push_back(g.id);
  return ids;
}

bool Decision::names(const policy::GroupRef& ref, const port::ResourceRow& group) {
  if (group.deleted) return false;
  if (!ref.id.empty()) return group.id.str() == scim::fold(ref.id);
  if (!ref.external_id.empty()) return group.external_id == ref.external_id;
  return group.display_name_key == scim::fold(ref.display_name);
}

Result<const std::vector<ResourceId>*> Decision::entitling() {
  if (!entitling_) {
    std::vector<ResourceId> ids;
    for (const auto& ref : context_.policy.entitling_groups) {
      DEPROV_TRY(found, resolve(ref));
      ids.insert(ids.end(), found.begin(), found.end());
    }
    if (group_) {  // the store does not know yet what this effect makes of it
      std::erase(ids, group_->id);
      if (entitles_by(*group_)) ids.push_back(group_->id);
    }
    std::sort(ids.begin(), ids.end());
    entitling_ = std::move(ids);
  }
  return &*entitling_;
}

bool Decision::entitles_by(const port::ResourceRow& group) const {
  return std::any_of(context_.policy.entitling_groups.begin(), context_.policy.entitling_groups.end(),
                     [&](const policy::GroupRef& ref) { return names(ref, group); });
}

// R1: one entitling group, directly or through groups that contain each other, is enough.
Result<bool> Decision::entitled(ResourceId subject, const MembershipOverlay& overlay) {
  if (context_.policy.entitling_groups.empty()) return true;
  DEPROV_TRY(wanted, entitling());
  if (wanted->empty()) return false;
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
      if (std::binary_search(wanted->begin(), wanted->end(), group)) return true;
      DEPROV_TRY(parents, reader_.groups_of(scope(), group));
      above.insert(above.end(), parents.begin(), parents.end());
    }
    level = std::move(above);
  }
  return false;
}

Result<bool> Decision::has_access(const SubjectState& state, const MembershipOverlay& overlay) {
  bool live = false;
  if (state.resource) {
    live = !state.resource->deleted && state.resource->active;
  } else {
    DEPROV_TRY(row, reader_.resource(scope(), state.subject.id));
    live = row && !row->deleted && row->active;
  }
  if (!live) return false;
  if (context_.row.sources) {
    DEPROV_TRY(ended, ended_by_sources(state.subject.id));
    if (ended) return false;
  }
  return entitled(state.subject.id, overlay);
}

port::JobRow Decision::new_job(const port::SubjectRow& subject, port::JobKind kind, std::string plan) {
  port::JobRow job;
  job.scope = scope();
  job.id = new_id<JobId>();
  job.subject = subject.id;
  job.generation = subject.generation;
  job.kind = kind;
  job.state = port::JobState::ready;
  job.priority = kind == port::JobKind::bind ? bind_priority : access_priority;
  job.created = now_;
  job.due = now_;
  job.deadline = now_ + context_.policy.deadline;
  job.evidence_at = subject.evidence_at;
  job.cause = kind == port::JobKind::bind ? idp::Cause::provisioned : subject.cause;
  job.via_group = subject.via_group;
  job.via_inferred = subject.via_inferred;
  job.plan = std::move(plan);
  return job;
}

Result<void> Decision::supersede(port::SubjectRow& subject, std::string_view why, bool& acted, bool& running) {
  acted = false;
  running = false;
  if (subject.job.is_nil()) return {};
  DEPROV_TRY(job, reader_.job(scope(), subject.job));
  if (!job || port::is_finished(job->state)) return {};
  DEPROV_TRY(plan, policy::parse_plan(job->plan));
  acted = plan.acted();
  // A running job sees the new generation between its steps; to take it away here would hide what it did.
  if (job->state == port::JobState::running || job->state == port::JobState::waiting_async) {
    running = true;
    return {};
  }
  port::JobRow row = *job;
  row.state = port::JobState::superseded;
  row.finished = now_;
  row.reason = std::string(why);
  row.lease = {};
  record("job.superseded", {{"reason", why}, {"acted", acted}}, subject.id, row.id);
  // Before its item: a person who decided it meanwhile makes this stale, and it is decided anew. The IdP hears
  // nothing.
  txn_.ops.emplace_back(port::op::PutJob{std::move(row), std::nullopt});
  if (job->state == port::JobState::held) DEPROV_CHECK(leave_hold(*job));
  return {};
}

bool Decision::is_probe(const port::ResourceRow& deleted) const {
  const auto* sender = evidence_.detected.empty() ? nullptr : idp::find_dialect(evidence_.detected);
  if (sender == nullptr) sender = context_.dialect;
  return sender->probes && evidence_.at - deleted.created <= idp::probe_span;
}

// R13: one look-up is enough, and the removal does it itself.
Result<void> Decision::supersede_lookup(ResourceId subject) {
  port::JobFilter filter;
  filter.subject = subject;
  filter.finished = false;
  DEPROV_TRY(jobs, reader_.jobs(scope(), filter, std::nullopt, 10));
  for (auto& job : jobs.rows) {
    if (job.kind != port::JobKind::bind || job.state == port::JobState::running) continue;
    job.state = port::JobState::superseded;
    job.finished = now_;
    job.reason = "the subject was deleted";
    job.lease = {};
    record("job.superseded", {{"reason", job.reason}, {"acted", false}}, subject, job.id);
    txn_.ops.emplace_back(port::op::PutJob{std::move(job), std::nullopt});
  }
  return {};
}

Result<void> Decision::end_access(SubjectState& state, const End& end) {
  auto& s = state.subject;
  DEPROV_TRY(retention, retention_of(state));
  if (!retention && settled_retention_ && settled_retention_->first == s.id)
    retention = std::exchange(settled_retention_, std::nullopt)->second;
  if (retention) return retain(state, end, *retention);
  bool acted = false;
  bool running = false;
  DEPROV_CHECK(supersede(s, "a newer intent ends access", acted, running));
  DEPROV_CHECK(leave_role_hold(s.id, "access ends as a whole"));
  DEPROV_TRY(standing, stands(state, end, true));
  const bool wait = standing.waits;
  // What a person kept, a role say, was kept until the grants change (R7).
  if (s.desired == port::Desired::no_access || !context_.policy.roles.empty())
    txn_.ops.emplace_back(port::op::RemoveDue{scope(), s.id, std::string(retained_kind)});
  s.access = false;
  ++s.generation;
  s.desired = port::Desired::no_access;
  s.cause = end.cause;
  s.via_group = end.via;
  s.via_inferred = end.inferred;
  s.evidence_at = end.evidence_at;
  s.policy_version = context_.row.policy_version;
  const auto& app = context_.connector != nullptr ? *context_.connector : unknown_app();
  auto plan = policy::plan_removal(context_.policy, end.cause, app);
  if (end.probe) {
    for (auto& step : plan.steps) step.ask = step.kind == policy::StepKind::find;
    DEPROV_CHECK(supersede_lookup(s.id));
  }
  plan.secured = end.secured;
  plan.uncounted = context_.policy.guard.enabled && end.cause != idp::Cause::manual && !standing.counts;
  plan.late_waits = plan.uncounted && standing.late_waits;
  auto job = new_job(s, port::JobKind::remove_access, policy::to_text(plan));
  s.job = job.id;
  if (wait) {
    job.state = port::JobState::held;
    job.reason = "held by the guard until a person decides";
  }
  put(state);
  json::object detail = evidence_json();
  detail["cause"] = idp::to_string(end.cause);
  if (!end.via.is_nil()) {
    detail["via_group"] = end.via.str();
    detail["inferred"] = end.inferred;
  }
  if (!end.reason.empty()) detail["reason"] = end.reason;
  detail["generation"] = s.generation;
  record("removal.requested", detail, s.id, job.id);
  if (wait) DEPROV_CHECK(put_in_hold(s, job));
  txn_.ops.emplace_back(port::op::PutJob{std::move(job), std::nullopt});
  return {};
}

Result<void> Decision::deleted_after_all(SubjectState& state) {
  auto& s = state.subject;
  const auto& app = context_.connector != nullptr ? *context_.connector : unknown_app();
  if (s.desired != port::Desired::no_access ||
      !policy::plan_removal(context_.policy, idp::Cause::hard_deleted, app).is_final())
    return {};
  End end;
  end.cause = idp::Cause::hard_deleted;
  end.via = s.via_group;
  end.inferred = s.via_inferred;
  end.evidence_at = evidence_.at;
  if (!s.job.is_nil()) {
    DEPROV_TRY(job, reader_.job(scope(), s.job));
    if (job && job->state == port::JobState::succeeded_no_account) return {};
    if (job) {
      DEPROV_TRY(plan, policy::parse_plan(job->plan));
      end.secured = plan.secured;
      using port::JobState;
      if (job->state == JobState::succeeded_verified || job->state == JobState::succeeded_unverified ||
          job->state == JobState::attested) {
        if (plan.is_final()) return {};  // all of it was done already
        end.secured = job->finished;
      } else if (!port::is_finished(job->state) && plan.secured.micros == 0) {
        end.evidence_at = std::min(end.evidence_at, s.evidence_at);  // the clock has been running since then
      }
    }
  }
  return end_access(state, end);
}

Result<void> Decision::regain_access(SubjectState& state) {
  auto& s = state.subject;
  const bool had_ended = s.desired == port::Desired::no_access;
  s.access = true;
  ++s.generation;
  s.desired = port::Desired::access;
  s.policy_version = context_.row.policy_version;
  json::object detail = evidence_json();
  detail["generation"] = s.generation;
  if (!had_ended) {
    put(state);
    record("access.granted", detail, s.id);
    return first_role(state);
  }
  if (context_.policy.guard.enabled && s.counted_at.micros != 0 && now_ - s.counted_at < std::chrono::hours(24)) {
    // It goes on counting, and must not be taken for one more than those who have access.
    port::op::Reserve back;
    back.scope = scope();
    back.counter = std::string(early_counter);
    back.limit_hour = back.limit_day = policy::no_limit;
    back.now = s.counted_at;
    back.regardless = true;
    txn_.ops.emplace_back(std::move(back));
  }
  bool acted = false;
  bool running = false;
  DEPROV_CHECK(supersede(s, "access came back", acted, running));
  txn_.ops.emplace_back(port::op::RemoveDue{scope(), s.id, std::string(retained_kind)});
  s.cause = idp::Cause::restored;
  s.via_group = {};
  s.via_inferred = false;
  s.evidence_at = evidence_.at;
  DEPROV_TRY(binding, reader_.binding(scope(), s.id));
  const auto last = binding ? binding->last_set : port::AccountState::untouched;
  // An older job than the newest may have a disable under way, or one that nobody knows the outcome of.
  DEPROV_TRY(in_doubt, jobs::disable_in_doubt(reader_, scope(), s.id));
  JobId job_id;
  if (last == port::AccountState::removed) {
    record("access.without_account", detail, s.id);
  } else if (running || acted || in_doubt || last == port::AccountState::disabled) {
    const auto& app = context_.connector != nullptr ? *context_.connector : unknown_app();
    auto job = new_job(s, port::JobKind::restore_access, policy::to_text(policy::plan_restore(app)));
    job_id = s.job = job.id;
    txn_.ops.emplace_back(port::op::PutJob{std::move(job), std::nullopt});
  }
  put(state);
  record("access.restored", detail, s.id, job_id);
  // Its groups may be others by now.
  if (last != port::AccountState::removed) DEPROV_CHECK(role_changed(state, {}, true));
  return {};
}

Result<void> Decision::user_effect(const Effect& effect) {
  const auto& after = *effect.after;
  const bool created = !effect.before || (effect.before->deleted && !after.deleted);
  const bool was_active = effect.before && !effect.before->deleted && effect.before->active;
  const bool is_active = !after.deleted && after.active;
  txn_.ops.emplace_back(port::op::PutResource{after, effect.keys_changed});

  json::object detail = evidence_json();
  if (!effect.changed_attributes.empty()) {
    json::array names;
    for (const auto& n : effect.changed_attributes) names.emplace_back(n);
    detail["attributes"] = std::move(names);
  }
  if (!created && was_active == is_active && !after.deleted) {
    change(effect.renamed ? idp::ChangeKind::renamed : idp::ChangeKind::updated, after.id, {});
    record(effect.renamed ? "user.renamed" : "user.updated", detail, after.id);
    if (is_active && context_.row.sources) {
      DEPROV_TRY(ended, ended_by_sources(after.id));
      if (ended) doubted_.push_back(after.id);
    }
    return {};
  }

  DEPROV_TRY(state, load(after.id));
  state.resource = after;
  auto& s = state.subject;
  if (is_active) DEPROV_CHECK(granted_by_push(after.id));
  DEPROV_TRY(access, has_access(state));
  if (created) {
    change(idp::ChangeKind::created, after.id, {});
    detail["active"] = is_active;
    detail["access"] = access;
    record(effect.before ? "user.returned" : "user.created", detail, after.id);
    if (access && !s.access && s.desired == port::Desired::no_access) {
      DEPROV_CHECK(regain_access(state));
    } else {
      const bool first = access && !s.access;
      if (first) {
        s.access = true;
        s.desired = port::Desired::access;
        ++s.generation;
        s.policy_version = context_.row.policy_version;
      }
      put(state);
      if (first) DEPROV_CHECK(first_role(state));
    }
    // R12: the account is looked up early, so that a removal knows where to go.
    if (context_.connector != nullptr && context_.connector->of(connector::Operation::find).supported) {
      auto job = new_job(s, port::JobKind::bind, policy::to_text(policy::plan_bind()));
      job.evidence_at = evidence_.at;
      txn_.ops.emplace_back(port::op::PutJob{std::move(job), std::nullopt});
    }
    return {};
  }

  const auto kind = after.deleted ? idp::ChangeKind::deleted
                    : is_active   ? idp::ChangeKind::reactivated
                                  : idp::ChangeKind::deactivated;
  change(kind, after.id, {});
  if (!is_active) {
    s.last_deactivated = evidence_.at;
    bool recent_loss =
        s.last_group_lost_at.micros != 0 && evidence_.at - s.last_group_lost_at <= context_.policy.settle;
    if (recent_loss) {  // who is in the group again did not lose it
      DEPROV_TRY(again, reader_.is_member(scope(), s.last_group_lost, s.id));
      recent_loss = !again;
    }
    DEPROV_TRY(was_kept, kept(state));
    if (s.access || was_kept || only_suspended(s)) {
      End end;
      end.cause = after.deleted ? idp::Cause::hard_deleted : idp::Cause::deactivated;
      end.evidence_at = evidence_.at;
      end.probe = after.deleted && is_probe(after);
      if (recent_loss) {  // R2: the two met within the window
        end.via = s.last_group_lost;
        end.inferred = true;
        end.evidence_at = std::min(end.evidence_at, s.last_group_lost_at);
        txn_.ops.emplace_back(port::op::RemoveDue{scope(), s.id, "settle"});
      }
      return end_access(state, end);
    }
    record(after.deleted ? "user.deleted" : "user.deactivated", detail, after.id);
    if (after.deleted) {
      const auto generation = s.generation;
      DEPROV_CHECK(deleted_after_all(state));
      if (s.generation != generation) return {};
    }
    put(state);
    return {};
  }
  if (access && !s.access) return regain_access(state);
  record("user.reactivated", detail, after.id);
  put(state);
  return {};
}

Result<void> Decision::group_effect(const Effect& effect) {
  const auto& after = *effect.after;
  txn_.ops.emplace_back(port::op::PutResource{after, effect.keys_changed});
  json::object detail = evidence_json();
  detail["group"] = after.id.str();
  if (!effect.before) {
    change(idp::ChangeKind::group_created, {}, after.id);
    record("group.created", detail);
    return {};
  }
  if (after.deleted) {
    DEPROV_TRY(count, reader_.member_count(scope(), after.id));
    change(idp::ChangeKind::group_deleted, {}, after.id, count);
    detail["members"] = count;
    record("group.deleted", detail);
    // Who joins at the same moment was decided by the group as it was, so that an empty one is looked at too.
    if (count != 0 || groups_matter()) return reevaluate_later(after.id, idp::Cause::group_deleted, count);
    return {};
  }
  change(effect.renamed ? idp::ChangeKind::group_renamed : idp::ChangeKind::group_updated, {}, after.id);
  record(effect.renamed ? "group.renamed" : "group.updated", detail);
  const bool role = std::any_of(
      context_.policy.roles.begin(), context_.policy.roles.end(),
      [&](const policy::RoleRule& r) { return names(r.group, *effect.before) != names(r.group, after); });
  if (role || entitles_by(*effect.before) != entitles_by(after)) {
    DEPROV_TRY(count, reader_.member_count(scope(), after.id));
    return reevaluate_later(after.id, idp::Cause::lost_entitling_group, count);
  }
  return {};
}

Result<bool> Decision::effect(const Effect& effect, const Limits& limits) {
  bool deferred = false;
  effect_ = &effect;
  if (effect.after) {
    if (effect.before) before_ = &*effect.before;
    if (effect.after->type == "User") {
      DEPROV_CHECK(user_effect(effect));
    } else if (effect.after->type == "Group") {
      group_ = effect.after;
      DEPROV_CHECK(group_effect(effect));
    } else {
      txn_.ops.emplace_back(port::op::PutResource{*effect.after, effect.keys_changed});
      record("resource.changed", evidence_json(), effect.after->id);
    }
  }
  if (effect.after) {
    for (const auto& k : effect.released)
      txn_.ops.emplace_back(port::op::ReleaseKey{scope(), k.key, effect.after->id});
    for (const auto& k : effect.claimed)
      txn_.ops.emplace_back(port::op::ClaimKey{scope(), k.key, effect.after->id, k.attribute});
  }
  // Who is gone is shown as nobody's member, and who is back is shown again: their groups look different now.
  if (effect.before && effect.after && effect.before->deleted != effect.after->deleted) {
    DEPROV_TRY(groups, reader_.groups_of(scope(), effect.after->id));
    for (const auto& group : groups) txn_.ops.emplace_back(port::op::TouchResource{scope(), group, now_});
  }
  if (!effect.members.empty()) {
    DEPROV_TRY(d, members_effect(effect, limits));
    deferred = d;
  }
  if (effect.note_ignored && txn_.ops.empty() && effect.before && !effect.ignored.empty()) {
    auto detail = evidence_json();
    const bool user = effect.before->type == "User";
    if (!user) detail["resource"] = effect.before->id.str();
    record("request.ignored", detail, user ? effect.before->id : ResourceId());
  }
  effect_ = nullptr;
  return deferred;
}

}  // namespace deprov::engine
