#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <deprov/engine/notification.hpp>
#include <deprov/time.hpp>
#include <utility>

namespace deprov::engine {

namespace {

using T = NotificationType;

constexpr std::size_t records_a_look = 1000;
constexpr std::size_t records_a_page = 250;
constexpr std::size_t subjects_named = 20;

constexpr std::array<std::pair<T, std::string_view>, 19> names{{
    {T::removal_verified, "removal.verified"},
    {T::removal_unverified, "removal.unverified"},
    {T::removal_failed, "removal.failed"},
    {T::removal_dead, "removal.dead"},
    {T::removal_held, "removal.held"},
    {T::job_held, "job.held"},
    {T::job_failed, "job.failed"},
    {T::approval_wanted, "approval.wanted"},
    {T::hold_opened, "hold.opened"},
    {T::objective_half_gone, "objective.half_gone"},
    {T::objective_gone, "objective.gone"},
    {T::access_without_account, "access.without_account"},
    {T::lane_paused, "lane.paused"},
    {T::lane_resumed, "lane.resumed"},
    {T::source_unhealthy, "source.unhealthy"},
    {T::source_recovered, "source.recovered"},
    {T::reconciliation_found, "reconciliation.found"},
    {T::reconciliation_failed, "reconciliation.failed"},
    {T::webhook_test, "webhook.test"},
}};

/// The records that tell something, by the name of their event.
constexpr std::array<std::pair<std::string_view, T>, 28> records{{
    {"removal.verified", T::removal_verified},
    {"removal.unverified", T::removal_unverified},
    {"removal.failed", T::removal_failed},
    {"removal.held", T::removal_held},
    {"job.held", T::job_held},
    {"restore.failed", T::job_failed},
    {"role.failed", T::job_failed},
    {"sessions.failed", T::job_failed},
    {"removal.approval_wanted", T::approval_wanted},
    {"role.approval_wanted", T::approval_wanted},
    {"sessions.approval_wanted", T::approval_wanted},
    {"guard.held", T::hold_opened},
    {objective_half_event, T::objective_half_gone},
    {objective_gone_event, T::objective_gone},
    {"access.without_account", T::access_without_account},
    {"lane.paused", T::lane_paused},
    {"connection.failed", T::lane_paused},
    {"integration.paused", T::lane_paused},
    {"integration.stopped", T::lane_paused},
    {"workspace.stopped", T::lane_paused},
    {"lane.resumed", T::lane_resumed},
    {"connection.made", T::lane_resumed},
    {"integration.resumed", T::lane_resumed},
    {"workspace.resumed", T::lane_resumed},
    {source_unhealthy_event, T::source_unhealthy},
    {source_recovered_event, T::source_recovered},
    {"reconciliation.done", T::reconciliation_found},
    {"reconciliation.failed", T::reconciliation_failed},
}};

/// What a reconciliation counted of accounts that should be gone. Not of those that nobody is known for: most apps
/// have some, day by day the same.
std::int64_t accounts_too_many(const json::object& report) {
  const auto* const findings = report.if_contains("findings");
  if (findings == nullptr || !findings->is_object()) return 0;
  std::int64_t sum = 0;
  for (const auto kind : {port::FindingKind::leftover, port::FindingKind::drift})
    if (const auto* n = findings->get_object().if_contains(port::to_string(kind)); n != nullptr && n->is_number())
      sum += n->to_number<std::int64_t>();
  return sum;
}

json::value id_or_null(const std::string& text, bool nil) { return nil ? json::value() : json::value(text); }
json::value text_or_null(const std::string& text) { return text.empty() ? json::value() : json::value(text); }

}  // namespace

std::string_view to_string(NotificationType t) noexcept {
  for (const auto& [type, name] : names)
    if (type == t) return name;
  return "unknown";
}

std::optional<NotificationType> parse_notification_type(std::string_view text) noexcept {
  for (const auto& [type, name] : names)
    if (name == text && type != T::webhook_test) return type;
  return std::nullopt;
}

const std::vector<NotificationType>& notification_types() {
  static const std::vector<NotificationType> all = [] {
    std::vector<NotificationType> types;
    for (const auto& [type, name] : names)
      if (type != T::webhook_test) types.push_back(type);
    return types;
  }();
  return all;
}

std::string Notification::id() const {
  const auto chain = scope.integration.is_nil() ? scope.workspace.str() : scope.integration.str();
  return chain + ":" + std::to_string(seq);
}

std::optional<Notification> notification_of(const port::ActivityRow& row) {
  const auto* const found =
      std::find_if(records.begin(), records.end(), [&](const auto& r) { return r.first == row.event; });
  if (found == records.end()) return std::nullopt;
  Notification n;
  n.type = found->second;
  n.scope = row.scope;
  n.seq = n.last = row.seq;
  n.at = row.at;
  n.actor = row.actor;
  n.subject = row.subject;
  n.job = row.job;
  if (row.detail) {
    boost::system::error_code ec;
    auto detail = json::parse(*row.detail, ec);
    if (!ec && detail.is_object()) n.detail = std::move(detail.get_object());
  }
  if (n.type == T::removal_failed) {
    const auto* state = n.detail.if_contains("state");
    if (state != nullptr && state->is_string() && state->get_string() == port::to_string(port::JobState::dead))
      n.type = T::removal_dead;
  }
  if (n.type == T::reconciliation_found && accounts_too_many(n.detail) == 0) return std::nullopt;
  // Which of the records it was is not lost: a pause by a person and one by a failed credential are told alike.
  n.detail["record"] = row.event;
  return n;
}

bool combine(Notification& first, const Notification& next) {
  if (first.type != T::removal_held || next.type != first.type || first.scope != next.scope) return false;
  if (first.subjects.empty()) first.subjects.push_back({first.subject, first.job, {}});
  if (first.subjects.size() < subjects_named) first.subjects.push_back({next.subject, next.job, {}});
  first.subject = {};
  first.job = {};
  first.detail.clear();
  ++first.count;
  first.last = next.seq;
  return true;
}

Result<void> name(port::Reader& reader, Notification& n) {
  if (!n.scope.integration.is_nil()) {
    DEPROV_TRY(integration, reader.integration(n.scope));
    if (integration) n.integration = integration->name;
  }
  const auto user_name = [&](ResourceId id, std::string& out) -> Result<void> {
    if (id.is_nil()) return {};
    DEPROV_TRY(resource, reader.resource(n.scope, id));
    if (resource) out = resource->user_name_key;
    return {};
  };
  DEPROV_CHECK(user_name(n.subject, n.user_name));
  for (auto& s : n.subjects) DEPROV_CHECK(user_name(s.id, s.user_name));
  return {};
}

json::object to_json(const Notification& n) {
  json::array subjects;
  for (const auto& s : n.subjects) {
    subjects.push_back(json::object{{"subject", id_or_null(s.id.str(), s.id.is_nil())},
                                    {"user_name", text_or_null(s.user_name)},
                                    {"job", id_or_null(s.job.str(), s.job.is_nil())}});
  }
  return {{"id", n.id()},
          {"type", to_string(n.type)},
          {"at", to_rfc3339(n.at)},
          {"workspace", n.scope.workspace.str()},
          {"integration", id_or_null(n.scope.integration.str(), n.scope.integration.is_nil())},
          {"integration_name", text_or_null(n.integration)},
          {"seq", n.seq},
          {"last_seq", n.last},
          {"count", n.count},
          {"actor", n.actor},
          {"subject", id_or_null(n.subject.str(), n.subject.is_nil())},
          {"user_name", text_or_null(n.user_name)},
          {"job", id_or_null(n.job.str(), n.job.is_nil())},
          {"subjects", std::move(subjects)},
          {"detail", n.detail}};
}

Result<NotificationPage> read_notifications(port::Reader& reader, const port::Scope& scope, std::uint64_t after,
                                            std::size_t limit, const std::vector<NotificationType>& wanted) {
  NotificationPage out;
  out.upto = after;
  for (std::size_t looked = 0; looked < records_a_look;) {
    DEPROV_TRY(page, reader.activity(scope, out.upto, records_a_page));
    for (const auto& row : page.rows) {
      auto n = notification_of(row);
      const bool tells = n && (wanted.empty() || std::find(wanted.begin(), wanted.end(), n->type) != wanted.end());
      if (tells && !(!out.items.empty() && combine(out.items.back(), *n))) {
        if (out.items.size() == limit) {
          out.more = true;
          for (auto& item : out.items) DEPROV_CHECK(name(reader, item));
          return out;
        }
        out.items.push_back(std::move(*n));
      }
      out.upto = row.seq;
    }
    looked += page.rows.size();
    out.more = page.more;
    if (!page.more) break;
  }
  for (auto& item : out.items) DEPROV_CHECK(name(reader, item));
  return out;
}

}  // namespace deprov::engine
