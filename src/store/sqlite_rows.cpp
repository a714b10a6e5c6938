#include "sqlite_rows.hpp"

namespace deprov::store {

using namespace port;

SeqRef seq_ref(std::uint64_t seq) noexcept {
  SeqRef ref{};
  for (std::size_t i = 0; i < ref.size(); ++i) ref[i] = static_cast<std::uint8_t>(seq >> (8 * (7 - i)));
  return ref;
}

std::uint64_t seq_of(std::string_view ref) noexcept {
  std::uint64_t seq = 0;
  for (const char c : ref) seq = (seq << 8U) | static_cast<std::uint8_t>(c);
  return seq;
}

std::string pack_texts(const std::vector<std::string>& texts) {
  std::string blob;
  for (const auto& text : texts) {
    const auto size = static_cast<std::uint32_t>(text.size());
    for (int shift = 24; shift >= 0; shift -= 8) blob.push_back(static_cast<char>((size >> shift) & 0xFFU));
    blob.append(text);
  }
  return blob;
}

std::vector<std::string> unpack_texts(std::string_view blob) {
  std::vector<std::string> texts;
  while (blob.size() >= 4) {
    const auto size = static_cast<std::size_t>(seq_of(blob.substr(0, 4)));
    texts.emplace_back(blob.substr(4, size));
    blob.remove_prefix(std::min(blob.size(), size + 4));
  }
  return texts;
}

WorkspaceRow read_workspace(Use& use) {
  WorkspaceRow r;
  use.read_all(r.id, r.name, r.created);
  return r;
}

PrincipalRow read_principal(Use& use) {
  PrincipalRow r;
  use.read_all(r.workspace, r.id, r.name, r.role, r.token_hash, r.created, r.version);
  return r;
}

IntegrationRow read_integration(Use& use) {
  IntegrationRow r;
  use.read_all(r.name, r.idp, r.connector, r.config, r.secrets, r.settings, r.policy, r.policy_version, r.state,
               r.created, r.modified, r.version, r.sources, r.scope.workspace, r.scope.integration);
  return r;
}

GatewayTokenRow read_token(Use& use) {
  GatewayTokenRow r;
  use.read_all(r.hash, r.created, r.expires, r.scope.workspace, r.scope.integration);
  return r;
}

ResourceRow read_resource(Use& use, const Scope& scope) {
  ResourceRow r;
  r.scope = scope;
  use.read_all(r.id, r.type, r.version, r.active, r.deleted, r.created, r.modified, r.external_id, r.user_name_key,
               r.display_name_key);
  r.email_keys = unpack_texts(use.text());
  use.read(r.document);
  return r;
}

SubjectRow read_subject(Use& use, const Scope& scope, ResourceId id) {
  SubjectRow r;
  r.scope = scope;
  r.id = id;
  use.read_all(r.grants_version, r.access, r.generation, r.desired, r.cause, r.via_group, r.via_inferred,
               r.evidence_at, r.policy_version, r.job, r.last_deactivated, r.last_group_lost, r.last_group_lost_at,
               r.counted_at);
  return r;
}

BindingRow read_binding(Use& use, const Scope& scope) {
  BindingRow r;
  r.scope = scope;
  use.read_all(r.subject, r.state, r.account_id, r.account_login, r.was_bound, r.last_set, r.checked_at,
               r.version);
  return r;
}

ChangeRow read_change(Use& use, const Scope& scope, ResourceId subject) {
  ChangeRow r;
  r.scope = scope;
  r.subject = subject;
  use.read_all(r.id, r.at, r.kind, r.group, r.source, r.request, r.count);
  return r;
}

JobRow read_job(Use& use, const Scope& scope) {
  JobRow r;
  r.scope = scope;
  use.read_all(r.id, r.subject, r.generation, r.kind, r.state, r.priority, r.created, r.due, r.deadline,
               r.evidence_at, r.finished, r.attempts, r.lease, r.lane_epoch, r.cause, r.via_group, r.via_inferred,
               r.version, r.reason, r.plan);
  return r;
}

DueRow read_due(Use& use, const Scope& scope) {
  DueRow r;
  r.scope = scope;
  use.read_all(r.subject, r.kind, r.at, r.since, r.payload);
  return r;
}

HoldRow read_hold(Use& use, const Scope& scope) {
  HoldRow r;
  r.scope = scope;
  use.read_all(r.id, r.opened, r.closed, r.window_from, r.reason, r.items, r.held, r.listing);
  return r;
}

HoldItemRow read_hold_item(Use& use, const Scope& scope) {
  HoldItemRow r;
  r.scope = scope;
  use.read_all(r.hold, r.seq, r.subject, r.job, r.generation, r.cause, r.via_group, r.state, r.at, r.decided, r.by,
               r.listing);
  return r;
}

SourceRow read_source(Use& use, const Scope& scope) {
  SourceRow r;
  r.scope = scope;
  use.read_all(r.id, r.name, r.kind, r.config, r.secrets, r.created, r.generation, r.base, r.places, r.header,
               r.users, r.begun, r.work, r.attempted, r.succeeded, r.failing_since, r.failure, r.failures, r.due,
               r.version);
  return r;
}

WebhookRow read_webhook(Use& use) {
  WebhookRow r;
  use.read_all(r.workspace, r.id, r.integration, r.name, r.url, r.events, r.ca_pem, r.secrets, r.created,
               r.version);
  return r;
}

DeliveryRow read_delivery(Use& use, WorkspaceId workspace, WebhookId webhook) {
  DeliveryRow r;
  r.workspace = workspace;
  r.webhook = webhook;
  use.read_all(r.id, r.state, r.created, r.due, r.finished, r.resent, r.attempts, r.status, r.events, r.error,
               r.body, r.version);
  return r;
}

WorkRow read_work(Use& use, const Scope& scope) {
  WorkRow r;
  r.scope = scope;
  use.read_all(r.id, r.group, r.kind, r.cursor, r.total, r.done, r.created, r.version, r.payload);
  return r;
}

ActivityRow read_activity(Use& use, const Scope& scope) {
  ActivityRow r;
  r.scope = scope;
  r.seq = activity_seq(use.integer());
  use.read_all(r.at, r.event, r.actor, r.subject, r.job, r.hash, r.detail_hash, r.salt, r.detail);
  return r;
}

}  // namespace deprov::store
