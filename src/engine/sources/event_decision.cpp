#include "engine/sources/event_decision.hpp"
#include <algorithm>
#include <deprov/engine/notification.hpp>
#include <deprov/scim/fold.hpp>
#include <utility>
#include "engine/sources/event_config.hpp"
#include "engine/sources/event_stream.hpp"

namespace deprov::engine {

namespace {

constexpr std::size_t looked_up = 6;  // of one identifier: one more than are shown
constexpr std::string_view stands_still = "the transmitter ";

std::string shown_name(const idp::SecurityEvent& event) {
  return event.type != nullptr ? std::string(event.type->name) : idp::shortened(event.uri, 200);
}

bool by_policy_ends(const policy::Policy& policy) {
  const auto& steps = policy.steps_for(idp::Cause::sessions_revoked);
  return std::any_of(steps.begin(), steps.end(), [](const policy::StepRule& r) {
    return r.operation != connector::Operation::revoke_sessions;
  });
}

}  // namespace

EventDecision::EventDecision(port::Reader& reader, const IntegrationContext& context, const EventConfig& config,
                             const EventTask& task, const Ports& ports, WallTime now, EventOutcome& out)
    : reader_(reader),
      context_(context),
      config_(config),
      task_(task),
      now_(now),
      out_(out),
      memory_(reader, task.scope, task.source, ports.crypto, now),
      random_(ports.random) {}

Result<port::Transaction> EventDecision::decide() {
  out_ = {};
  DEPROV_TRY(row, reader_.source(task_.scope, task_.source));
  if (!row) return Error(Errc::not_found, "there is no such receiver", "source " + task_.source.str());
  row_ = std::move(*row);
  DEPROV_TRY(over, seen_before());
  if (over) return port::Transaction{};
  evidence_.actor = "source:" + row_.name;
  evidence_.source = evidence_.actor;
  evidence_.request = task_.set.jti;
  evidence_.method = "SET";
  evidence_.dialect_rules = task_.set.rules;
  evidence_.at = task_.set.events.front().at;
  decision_.emplace(reader_, context_, evidence_, random_, now_);
  if (!task_.held.empty()) decision_->judge(Judging::hold, task_.held);
  DEPROV_CHECK(memory_.remember("jti", task_.set.jti, task_.content, task_.set.issued));
  for (const auto& event : task_.set.events) {
    json::object detail{{"source", row_.id.str()},
                        {"name", row_.name},
                        {"jti", task_.set.jti},
                        {"event", shown_name(event)},
                        {"issued", to_rfc3339(task_.set.issued)},
                        {"happened", to_rfc3339(event.at)}};
    if (!task_.set.txn.empty()) detail["txn"] = task_.set.txn;
    if (!task_.set.rules.empty())
      detail["dialect_rules"] = json::array(task_.set.rules.begin(), task_.set.rules.end());
    DEPROV_TRY(outcome, take(event, detail));
    if (out_.received.refused) return port::Transaction{};
    detail["outcome"] = outcome;
    const auto subject = ResourceId::parse(text_of(detail, "subject"));
    detail.erase("subject");
    decision_->record("source.event", detail, subject.value_or(ResourceId{}));
  }
  auto& txn = decision_->transaction();
  memory_.put(txn);
  put_source();
  return decision_->take();
}

/// A token that was taken before is answered as it was then (RFC 8935 section 2), and nothing follows from it.
Result<bool> EventDecision::seen_before() {
  DEPROV_TRY(content, memory_.find("jti", task_.set.jti));
  if (content && *content == task_.content) {
    out_.received.repeated = true;
    return true;
  }
  if (content) {
    out_.received.refused =
        idp::SetRefusal{idp::SetError::invalid_request, "another token had the same \"jti\"; it has to be unique"};
    return true;
  }
  DEPROV_TRY(forgotten, memory_.may_be_forgotten("jti", task_.set.jti, task_.set.issued));
  if (!forgotten) return false;
  out_.received.refused = idp::SetRefusal{idp::SetError::invalid_request,
                                          "the token is older than what is remembered: it may be a replay"};
  return true;
}

Result<std::string_view> EventDecision::take(const idp::SecurityEvent& event, json::object& detail) {
  const auto meaning = event.meaning();
  if (meaning == idp::EventMeaning::verification || meaning == idp::EventMeaning::stream_updated)
    return about_stream(event);
  alive_ = true;
  if (event.type == nullptr) return std::string_view("unknown_type");
  // RFC 9967 section 2.2: the same transaction may come in several tokens.
  if (!task_.set.txn.empty()) {
    const auto key =
        task_.set.txn + '\0' + event.uri + '\0' + (event.subject ? event.subject->whole : std::string{});
    DEPROV_TRY(before, memory_.find("txn", key));
    if (before) return std::string_view("repeated");
    DEPROV_TRY(forgotten, memory_.may_be_forgotten("txn", key, task_.set.issued));
    if (forgotten) return std::string_view("repeated");
    DEPROV_CHECK(memory_.remember("txn", key, 1, task_.set.issued));
  }
  if (meaning == idp::EventMeaning::note) return std::string_view("noted");
  return about_subject(event, detail);
}

Result<std::string_view> EventDecision::about_subject(const idp::SecurityEvent& event, json::object& detail) {
  if (!event.subject) return std::string_view("noted");
  const auto& subject = *event.subject;
  for (const auto& member : subject.members)
    if (member != "user" && config_.critical.contains(member)) {
      // SSF 1.0 section 3.6: what is critical and not understood may change the meaning of all else.
      detail["critical"] = member;
      return std::string_view("discarded");
    }
  if (!subject.user) {
    out_.hinted = true;
    detail["about"] = subject.text;
    return std::string_view("hint");
  }
  DEPROV_TRY(linked, link(subject));
  if (linked.subjects.size() != 1) {
    detail["about"] = subject.text;
    DEPROV_CHECK(unlinked(event, linked));
    return std::string_view(linked.subjects.empty() ? "unknown_subject" : "ambiguous_subject");
  }
  const auto id = linked.subjects.front();
  detail["subject"] = id.str();
  const auto hint = [&] {
    out_.hinted = true;
    out_.hints.push_back(id);
    return std::string_view("hint");
  };
  switch (event.meaning()) {
    case idp::EventMeaning::sessions_revoked:
      if (linked.deleted) return std::string_view("noted");
      if (by_policy_ends(context_.policy)) return about_access(event, id);
      DEPROV_CHECK(decision_->revoke_sessions(id, event.at));
      return std::string_view("sessions_revoked");
    case idp::EventMeaning::ends:
    case idp::EventMeaning::grants:
      if (!config_.authoritative.contains(event.type->name)) return hint();
      return about_access(event, id);
    default: return hint();
  }
}

/// What the source is believed in. Later events count, whatever the order in which they come.
Result<std::string_view> EventDecision::about_access(const idp::SecurityEvent& event, ResourceId subject) {
  const bool grants = event.meaning() == idp::EventMeaning::grants;
  const auto key = subject.str();
  DEPROV_TRY(last, memory_.find("state", key));
  const auto at = static_cast<std::uint64_t>(event.at.micros);
  // Of one moment, the end stands (R16).
  if (last && (*last > at || (*last == at && grants))) return std::string_view("out_of_order");
  DEPROV_TRY(forgotten, memory_.may_be_forgotten("state", key, task_.set.issued));
  if (forgotten) return std::string_view("out_of_order");
  DEPROV_CHECK(memory_.remember("state", key, at, task_.set.issued));
  port::GrantRow said;
  said.scope = task_.scope;
  said.subject = subject;
  said.source = task_.source;
  said.says = grants ? idp::Says::granted : idp::Says::ended;
  if (!grants) said.cause = event.cause();
  said.begun = said.evidence_at = event.at;
  // Most transmitters tell whole seconds. Whatever else was shown in that second, the end stands (R16).
  constexpr std::int64_t second = 1'000'000;
  if (!grants && event.at.micros % second == 0) said.begun = std::min(event.at + Duration(second - 1), now_);
  const auto before = decision_->transaction().ops.size();
  DEPROV_CHECK(decision_->source_says(std::move(said)));
  if (decision_->transaction().ops.size() == before) return std::string_view(grants ? "known" : "outdated");
  return std::string_view(grants ? "grants" : "ends");
}

Result<std::string_view> EventDecision::about_stream(const idp::SecurityEvent& event) {
  const auto& identifiers = event.subject ? event.subject->identifiers : std::vector<idp::Identifier>{};
  const bool named = identifiers.size() == 1 && identifiers.front().format == idp::IdentifierFormat::opaque &&
                     (config_.stream_id.empty() || identifiers.front().value == config_.stream_id);
  if (!named) {
    out_.received.refused =
        idp::SetRefusal{idp::SetError::invalid_request, "\"sub_id\" does not name the stream of this receiver"};
    return std::string_view("refused");
  }
  if (event.meaning() == idp::EventMeaning::verification) {
    const auto* state = event.payload.if_contains("state");
    if (state == nullptr) return std::string_view("verified");  // the transmitter asks by itself
    auto stream = parse_stream_state(row_);
    if (stream.verification.empty() || !state->is_string() ||
        std::string_view(state->get_string()) != stream.verification) {
      out_.received.refused =
          idp::SetRefusal{idp::SetError::invalid_state, "no verification with that state was asked for"};
      return std::string_view("refused");
    }
    stream.verification.clear();
    row_.header = to_text(stream);
    return std::string_view("verified");
  }
  const auto status = text_of(event.payload, "status");
  if (status != "enabled" && status != "paused" && status != "disabled") {
    out_.received.refused =
        idp::SetRefusal{idp::SetError::invalid_request, "\"status\" has to be enabled, paused or disabled"};
    return std::string_view("refused");
  }
  auto why = std::string(stands_still) + status + " the stream";
  if (const auto reason = text_of(event.payload, "reason"); !reason.empty()) why += ": " + reason;
  stream_failure_ = status == "enabled" ? std::string{} : idp::shortened(why, 1000);
  return std::string_view(status == "enabled" ? "stream_enabled" : "stream_stopped");
}

// ---- who is meant

Result<void> EventDecision::look_up(LinkTo to, const std::string& value, std::vector<ResourceId>& found) {
  using Attribute = port::ResourceKey::Attribute;
  port::ResourceKey key;
  switch (to) {
    case LinkTo::nothing: return {};
    case LinkTo::external_id: key = {Attribute::external_id, value}; break;
    case LinkTo::user_name: key = {Attribute::user_name, scim::fold(value)}; break;
    case LinkTo::email: key = {Attribute::email, scim::fold(value)}; break;
    case LinkTo::id: {
      const auto id = ResourceId::parse(value);
      if (!id) return {};
      DEPROV_TRY(row, reader_.resource(task_.scope, *id));
      if (row && row->type == "User" && !row->deleted) found.push_back(*id);
      return {};
    }
  }
  DEPROV_TRY(rows, reader_.resources_by_key(task_.scope, "User", key, looked_up));
  for (const auto& row : rows) found.push_back(row.id);
  return {};
}

Result<EventDecision::Linked> EventDecision::link(const idp::EventSubject& subject) {
  Linked linked;
  auto& found = linked.subjects;
  std::vector<ResourceId> ended;
  for (const auto& identifier : subject.identifiers) {
    if (identifier.format == idp::IdentifierFormat::iss_sub && identifier.issuer != config_.subject_issuer)
      continue;
    // Whom a person linked to it is meant, and nobody else.
    const auto [first, last] = config_.links.equal_range(identifier.value);
    bool by_person = false;
    for (auto it = first; it != last; ++it) {
      DEPROV_TRY(row, reader_.resource(task_.scope, it->second));
      if (!row) continue;
      (row->deleted ? ended : found).push_back(it->second);
      by_person = by_person || !row->deleted;
    }
    if (by_person) continue;
    const auto to = config_.link.find(identifier.format);
    if (to != config_.link.end()) DEPROV_CHECK(look_up(to->second, identifier.value, found));
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  if (!found.empty()) return linked;
  // Whose end SCIM push has shown already: one more piece of evidence for that.
  found = std::move(ended);
  linked.deleted = !found.empty();
  for (const auto& identifier : subject.identifiers) {
    const auto to = config_.link.find(identifier.format);
    if (to == config_.link.end() || to->second != LinkTo::external_id) continue;
    if (identifier.format == idp::IdentifierFormat::iss_sub && identifier.issuer != config_.subject_issuer)
      continue;
    DEPROV_TRY(rows, reader_.tombstones_by_external_id(task_.scope, "User", identifier.value));
    if (rows.empty()) continue;
    linked.deleted = true;
    found.push_back(rows.front().id);  // the newest
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return linked;
}

Result<void> EventDecision::unlinked(const idp::SecurityEvent& event, const Linked& linked) {
  DEPROV_TRY(all, read_unlinked(reader_, task_.scope, task_.source));
  UnlinkedSubject one;
  one.subject = event.subject->text;
  one.why = linked.subjects.empty() ? "unknown" : "ambiguous";
  one.event = shown_name(event);
  one.first = one.last = now_;
  one.candidates = linked.subjects;
  add_unlinked(all, std::move(one));
  decision_->transaction().ops.emplace_back(put_unlinked(task_.scope, task_.source, all));
  return {};
}

// ---- how the source is

void EventDecision::put_source() {
  row_.attempted = row_.succeeded = now_;
  const bool failed = row_.failing_since.micros != 0;
  const json::object about{{"source", row_.id.str()}, {"name", row_.name}};
  if (stream_failure_ && !stream_failure_->empty()) {
    row_.failure = *stream_failure_;
    ++row_.failures;
    if (!failed) {
      row_.failing_since = now_;
      auto detail = about;
      detail["reason"] = row_.failure;
      decision_->record(std::string(source_unhealthy_event), detail);
    }
  } else if (failed && (alive_ || stream_failure_ || row_.failure.rfind(stands_still, 0) != 0)) {
    row_.failing_since = {};
    row_.failure.clear();
    row_.failures = 0;
    decision_->record(std::string(source_recovered_event), about);
  }
  decision_->transaction().ops.emplace_back(port::op::PutSource{row_});
}

}  // namespace deprov::engine
