#include "service/admin_json.hpp"
#include <algorithm>
#include <boost/json/parse.hpp>
#include <deprov/policy/plan.hpp>
#include <deprov/policy/protection.hpp>

namespace deprov::service {

namespace {

constexpr std::size_t page_size = 500;
constexpr std::size_t most_walked = 5000;

json::value parsed(std::string_view text) {
  boost::system::error_code ec;
  auto v = json::parse(text.empty() ? "{}" : text, ec);
  return ec ? json::value(json::object{}) : v;
}

/// What is stored of an integration may be anything where it cannot be used.
json::value object_of(std::string_view text) {
  auto v = parsed(text);
  return v.is_object() ? v : json::value(json::object{});
}

std::string user_name_of(const port::ResourceRow& row) {
  const auto document = parsed(row.document);
  if (const auto* object = document.if_object()) {
    if (const auto* name = object->if_contains("userName"); name != nullptr && name->is_string())
      return std::string(name->get_string());
  }
  return row.user_name_key;
}

std::string display_name_of(const port::ResourceRow& row) {
  const auto document = parsed(row.document);
  if (const auto* object = document.if_object()) {
    if (const auto* name = object->if_contains("displayName"); name != nullptr && name->is_string())
      return std::string(name->get_string());
  }
  return {};
}

bool begun(const port::JobRow& job) {
  if (job.attempts != 0) return true;
  const auto plan = policy::parse_plan(job.plan);
  if (!plan) return false;
  for (const auto& s : plan->steps)
    if (s.state != policy::StepState::pending) return true;
  return false;
}

/// Whether no newer job of its kind, which no intent of that subject names, took the place of this one.
Result<bool> newest_of_kind(port::Reader& reader, const port::JobRow& job) {
  port::JobFilter filter;
  filter.subject = job.subject;
  DEPROV_TRY(page, reader.jobs(job.scope, filter, std::nullopt, page_size));
  for (const auto& other : page.rows)  // newest first
    if (other.kind == job.kind) return other.id == job.id;
  return false;
}

/// Whether a finished failure is still how the subject stands, and no newer job took its place.
Result<bool> still_stands(port::Reader& reader, const port::Scope& scope, port::JobState state) {
  port::JobFilter filter;
  filter.state = state;
  std::optional<JobId> before;
  for (std::size_t walked = 0; walked < most_walked;) {
    DEPROV_TRY(page, reader.jobs(scope, filter, before, page_size));
    for (const auto& job : page.rows) {
      if (job.kind == port::JobKind::bind) continue;
      DEPROV_TRY(subject, reader.subject(scope, job.subject));
      if (subject && subject->job == job.id) return true;
      // A role is none of the intent's jobs; without access it is nothing that anybody waits for.
      if (subject && subject->access &&
          (job.kind == port::JobKind::change_role || job.kind == port::JobKind::revoke_sessions)) {
        DEPROV_TRY(newest, newest_of_kind(reader, job));
        if (newest) return true;
      }
    }
    if (!page.more || page.rows.empty()) return false;
    before = page.rows.back().id;
    walked += page.rows.size();
  }
  return true;
}

}  // namespace

WallTime access_ended(const port::JobRow& row) {
  if (row.plan.find("\"secured\"") != std::string::npos) {
    const auto plan = policy::parse_plan(row.plan);
    if (plan && plan->secured.micros != 0) return std::max(plan->secured, row.evidence_at);
  }
  const bool removed = row.state == port::JobState::succeeded_verified ||
                       row.state == port::JobState::succeeded_unverified ||
                       row.state == port::JobState::succeeded_no_account;
  return removed ? row.finished : WallTime{};
}

std::string hash_text(const port::Sha256& hash) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const auto b : hash) {
    out.push_back(digits[b >> 4U]);
    out.push_back(digits[b & 15U]);
  }
  return out;
}

json::value time_json(WallTime t) {
  if (t.micros == 0) return nullptr;
  return json::value(to_rfc3339(t));
}

std::string scim_base_path(IntegrationId id) { return "/scim/v2/" + id.str(); }

json::object to_json(const port::WorkspaceRow& row) {
  return {{"id", row.id.str()}, {"name", row.name}, {"created", time_json(row.created)}};
}

json::object to_json(const port::PrincipalRow& row) {
  return {{"id", row.id.str()},
          {"name", row.name},
          {"role", port::to_string(row.role)},
          {"created", time_json(row.created)}};
}

json::object to_json(const port::IntegrationRow& row) {
  json::array secrets;
  const auto sealed = object_of(row.secrets);
  if (const auto* fields = sealed.get_object().if_contains("fields"); fields != nullptr && fields->is_object())
    for (const auto& field : fields->get_object()) secrets.emplace_back(field.key());
  return {{"id", row.scope.integration.str()},
          {"workspace", row.scope.workspace.str()},
          {"name", row.name},
          {"idp", row.idp},
          {"connector", row.connector},
          {"state", port::to_string(row.state)},
          {"scim_base_path", scim_base_path(row.scope.integration)},
          {"config", object_of(row.config)},
          {"secrets", std::move(secrets)},
          {"policy", object_of(row.policy)},
          {"policy_version", row.policy_version},
          {"settings", object_of(row.settings)},
          {"created", time_json(row.created)},
          {"modified", time_json(row.modified)},
          {"version", row.version}};
}

json::object to_json(const port::ActivityRow& row) {
  return {{"seq", row.seq},
          {"at", time_json(row.at)},
          {"integration", id_json(row.scope.integration)},
          {"event", row.event},
          {"actor", row.actor},
          {"subject", id_json(row.subject)},
          {"job", id_json(row.job)},
          {"detail", row.detail ? parsed(*row.detail) : json::value(nullptr)},
          {"hash", hash_text(row.hash)}};
}

Result<json::object> job_json(port::Reader& reader, const port::JobRow& row, bool with_steps) {
  json::object o;
  o["id"] = row.id.str();
  o["integration"] = row.scope.integration.str();
  o["subject"] = id_json(row.subject);
  DEPROV_TRY(resource, reader.resource(row.scope, row.subject));
  o["user_name"] = resource ? json::value(user_name_of(*resource)) : json::value(nullptr);
  o["kind"] = port::to_string(row.kind);
  o["state"] = port::to_string(row.state);
  o["cause"] = idp::to_string(row.cause);
  auto via = row.via_group;
  auto inferred = row.via_inferred;
  if (via.is_nil() && row.kind == port::JobKind::remove_access) {
    // What showed after the job was over refined the intent that it was made of (R2).
    DEPROV_TRY(subject, reader.subject(row.scope, row.subject));
    if (subject && subject->job == row.id) {
      via = subject->via_group;
      inferred = subject->via_inferred;
    }
  }
  o["via_group"] = id_json(via);
  o["via_group_name"] = nullptr;
  if (!via.is_nil()) {
    DEPROV_TRY(group, reader.resource(row.scope, via));
    if (group) o["via_group_name"] = display_name_of(*group);
  }
  o["via_inferred"] = inferred;
  o["generation"] = row.generation;
  o["priority"] = row.priority;
  o["attempts"] = row.attempts;
  o["created"] = time_json(row.created);
  o["due"] = time_json(row.due);
  o["deadline"] = time_json(row.deadline);
  o["evidence_at"] = time_json(row.evidence_at);
  o["finished"] = time_json(row.finished);
  o["time_to_deprovision_ms"] = nullptr;
  if (row.kind == port::JobKind::remove_access && row.evidence_at.micros != 0) {
    const auto ended = access_ended(row);
    if (ended.micros != 0)
      o["time_to_deprovision_ms"] = static_cast<double>((ended - row.evidence_at).count()) / 1000.0;
  }
  o["reason"] = row.reason;
  if (!with_steps) return o;
  const auto plan = parsed(row.plan);
  const auto* steps = plan.get_object().if_contains("steps");
  o["steps"] = steps != nullptr && steps->is_array() ? *steps : json::value(json::array{});
  return o;
}

Result<json::object> subject_json(port::Reader& reader, const port::ResourceRow& row) {
  json::object o;
  o["id"] = row.id.str();
  o["integration"] = row.scope.integration.str();
  o["user_name"] = user_name_of(row);
  o["external_id"] = row.external_id.empty() ? json::value(nullptr) : json::value(row.external_id);
  o["display_name"] = display_name_of(row);
  o["active"] = row.active;
  o["deleted"] = row.deleted;
  o["created"] = time_json(row.created);
  o["modified"] = time_json(row.modified);

  DEPROV_TRY(subject, reader.subject(row.scope, row.id));
  const auto s = subject.value_or(port::SubjectRow{});
  o["access"] = s.access;
  DEPROV_TRY(binding, reader.binding(row.scope, row.id));
  const auto b = binding.value_or(port::BindingRow{});
  o["access_without_account"] = s.access && b.last_set == port::AccountState::removed;
  o["intent"] = {{"generation", s.generation},        {"desired", port::to_string(s.desired)},
                 {"cause", idp::to_string(s.cause)},  {"via_group", id_json(s.via_group)},
                 {"via_inferred", s.via_inferred},    {"evidence_at", time_json(s.evidence_at)},
                 {"policy_version", s.policy_version}};

  o["binding"] = {{"state", port::to_string(b.state)},
                  {"account", b.account_id.empty() ? json::value(nullptr) : json::value(b.account_id)},
                  {"login", b.account_login.empty() ? json::value(nullptr) : json::value(b.account_login)},
                  {"last_set", port::to_string(b.last_set)},
                  {"checked_at", time_json(b.checked_at)}};
  o["job"] = nullptr;
  if (!s.job.is_nil()) {
    DEPROV_TRY(job, reader.job(row.scope, s.job));
    if (job) o["job"] = {{"id", job->id.str()}, {"state", port::to_string(job->state)}};
  }
  o["retained"] = nullptr;
  if (subject && !s.access) {
    DEPROV_TRY(due, reader.due(row.scope, row.id, "retained"));
    if (due) {
      DEPROV_TRY(retention, policy::parse_retention(due->payload));
      o["retained"] = {{"why", policy::to_string(retention.kind)},
                       {"reason", retention.reason},
                       {"rule", retention.rule.empty() ? json::value() : json::value(retention.rule)},
                       {"until", retention.until ? time_json(*retention.until) : json::value()},
                       {"by", retention.by.empty() ? json::value() : json::value(retention.by)}};
    }
  }
  return o;
}

Result<json::object> status_json(port::Reader& reader, const port::Scope& scope) {
  using port::JobState;
  DEPROV_TRY(counts, reader.job_counts(scope));
  json::object by_state;
  for (const auto& [state, count] : counts)
    if (count != 0) by_state[port::to_string(state)] = count;

  bool stuck = false, retrying = false, running = false, started = false, queued = false;
  port::JobFilter filter;
  filter.finished = false;
  std::optional<JobId> before;
  for (std::size_t walked = 0; walked < most_walked;) {
    DEPROV_TRY(page, reader.jobs(scope, filter, before, page_size));
    for (const auto& job : page.rows) {
      if (job.kind == port::JobKind::bind) continue;
      switch (job.state) {
        case JobState::held:
        case JobState::awaiting_approval: stuck = true; break;
        case JobState::retrying: retrying = true; break;
        case JobState::running:
        case JobState::waiting_async: running = true; break;
        case JobState::ready: (begun(job) ? started : queued) = true; break;
        // In grace is completed once access has ended; where the app has no way to end it, it is not.
        case JobState::in_grace: started = started || access_ended(job).micros == 0; break;
        default: break;
      }
    }
    if (!page.more || page.rows.empty()) break;
    before = page.rows.back().id;
    walked += page.rows.size();
  }
  for (const auto state : {JobState::failed, JobState::dead}) {
    const auto it = counts.find(state);
    if (stuck || it == counts.end() || it->second == 0) continue;
    DEPROV_TRY(stands, still_stands(reader, scope, state));
    stuck = stands;
  }
  const auto* word = stuck      ? "not_completed"
                     : retrying ? "retrying"
                     : running  ? "running"
                     : started  ? "started"
                     : queued   ? "queued"
                                : "completed";
  DEPROV_TRY(hold, reader.open_hold(scope));
  json::value held;
  if (hold) held = {{"hold", hold->id.str()}, {"waiting", hold->held}, {"reason", hold->reason}};
  DEPROV_TRY(lane, reader.lane(scope));
  DEPROV_TRY(all, reader.lane({scope.workspace, {}}));
  return json::object{
      {"status", word},
      {"jobs", std::move(by_state)},
      {"held", std::move(held)},
      {"workspace_stopped", all && !all->paused.empty() ? json::value(all->paused) : json::value()},
      {"lane_paused", lane && !lane->paused.empty() ? json::value(lane->paused) : json::value()}};
}

}  // namespace deprov::service
