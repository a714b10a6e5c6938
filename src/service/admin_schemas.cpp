// The component schemas of the admin API.
#include <boost/json/parse.hpp>
#include <deprov/evidence/record.hpp>
#include <deprov/policy/policy.hpp>
#include <stdexcept>
#include "service/admin_call.hpp"

namespace deprov::service {

namespace {

constexpr std::string_view schemas_text = R"json({
"Id": {"type": "string", "minLength": 36, "maxLength": 36, "description": "A UUID."},
"IdOrNull": {"type": ["string", "null"], "minLength": 36, "maxLength": 36},
"Time": {"type": "string", "minLength": 20, "description": "RFC 3339, UTC."},
"TimeOrNull": {"type": ["string", "null"], "minLength": 20},
"Name": {"type": "string", "minLength": 1, "maxLength": 256},
"Role": {"enum": ["owner", "super_admin", "admin", "member"]},
"Object": {"type": "object"},
"Document": {"type": "object", "description": "This document."},
"Error": {
  "type": "object", "additionalProperties": false, "required": ["error"],
  "properties": {"error": {
    "type": "object", "additionalProperties": false, "required": ["code", "message", "where", "advice"],
    "properties": {"code": {"type": "string", "minLength": 1, "description": "A stable word, such as not_found."},
      "message": {"type": "string", "minLength": 1}, "where": {"type": "string"}, "advice": {"type": "string"}}}}},
"Workspace": {
  "type": "object", "additionalProperties": false, "required": ["id", "name", "created"],
  "properties": {"id": {"$ref": "#/components/schemas/Id"}, "name": {"$ref": "#/components/schemas/Name"},
    "created": {"$ref": "#/components/schemas/TimeOrNull"}}},
"WorkspaceList": {
  "type": "object", "additionalProperties": false, "required": ["items"],
  "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Workspace"}}}},
"WorkspaceCreate": {
  "type": "object", "additionalProperties": false, "required": ["name"],
  "properties": {"name": {"$ref": "#/components/schemas/Name"},
    "owner": {"$ref": "#/components/schemas/Name", "description": "Name of the first owner."}}},
"WorkspaceCreated": {
  "type": "object", "additionalProperties": false, "required": ["id", "name", "owner", "owner_token"],
  "properties": {"id": {"$ref": "#/components/schemas/Id"}, "name": {"$ref": "#/components/schemas/Name"},
    "owner": {"$ref": "#/components/schemas/Principal"},
    "owner_token": {"type": "string", "description": "Shown this once."}}},
"Principal": {
  "type": "object", "additionalProperties": false, "required": ["id", "name", "role", "created"],
  "properties": {"id": {"$ref": "#/components/schemas/Id"}, "name": {"$ref": "#/components/schemas/Name"},
    "role": {"$ref": "#/components/schemas/Role"}, "created": {"$ref": "#/components/schemas/TimeOrNull"}}},
"WorkspaceState": {
  "type": "object", "additionalProperties": false, "required": ["id", "name", "created", "stopped"],
  "properties": {"id": {"$ref": "#/components/schemas/Id"}, "name": {"$ref": "#/components/schemas/Name"},
    "created": {"$ref": "#/components/schemas/TimeOrNull"},
    "stopped": {"type": ["string", "null"], "description": "By whom and why everything was stopped."}}},
"PrincipalList": {
  "type": "object", "additionalProperties": false, "required": ["items"],
  "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Principal"}}}},
"PrincipalCreate": {
  "type": "object", "additionalProperties": false, "required": ["name", "role"],
  "properties": {"name": {"$ref": "#/components/schemas/Name"}, "role": {"$ref": "#/components/schemas/Role"}}},
"PrincipalCreated": {
  "type": "object", "additionalProperties": false, "required": ["id", "name", "role", "created", "token"],
  "properties": {"id": {"$ref": "#/components/schemas/Id"}, "name": {"$ref": "#/components/schemas/Name"},
    "role": {"$ref": "#/components/schemas/Role"}, "created": {"$ref": "#/components/schemas/TimeOrNull"},
    "token": {"type": "string", "description": "Shown this once."}}},
"Integration": {
  "type": "object", "additionalProperties": false,
  "required": ["id", "workspace", "name", "idp", "connector", "state", "scim_base_path", "config", "secrets",
    "policy", "policy_version", "settings", "created", "modified", "version", "status", "fault"],
  "properties": {"id": {"$ref": "#/components/schemas/Id"}, "workspace": {"$ref": "#/components/schemas/Id"},
    "name": {"$ref": "#/components/schemas/Name"}, "idp": {"type": "string"}, "connector": {"type": "string"},
    "state": {"enum": ["active", "paused", "stopped", "deleted"]}, "scim_base_path": {"type": "string"},
    "config": {"type": "object", "description": "Without its secrets."},
    "secrets": {"type": "array", "items": {"type": "string"}, "description": "Names of the secrets that are set."},
    "policy": {"type": "object"}, "policy_version": {"type": "integer"}, "settings": {"$ref": "#/components/schemas/Settings"},
    "created": {"$ref": "#/components/schemas/Time"}, "modified": {"$ref": "#/components/schemas/Time"},
    "version": {"type": "integer"}, "status": {"$ref": "#/components/schemas/Status"},
    "fault": {"type": ["string", "null"],
      "description": "Why it cannot be used: what is stored of it is refused. Its IdP is answered 503, and its jobs wait, until its policy or schemas are set anew or it is deleted."}}},
"Status": {
  "type": "object", "additionalProperties": false, "required": ["status", "jobs", "held", "lane_paused", "workspace_stopped"],
  "description": "The roll-up of the removals, worst first.",
  "properties": {
    "status": {"enum": ["not_completed", "retrying", "running", "started", "queued", "completed"]},
    "jobs": {"type": "object", "additionalProperties": {"type": "integer"}, "description": "Jobs by state."},
    "held": {"description": "What the guard made wait for a person.", "anyOf": [{"type": "null"}, {"$ref": "#/components/schemas/HeldMark"}]},
    "lane_paused": {"type": ["string", "null"], "description": "Why the lane stands still by itself."},
    "workspace_stopped": {"type": ["string", "null"], "description": "By whom and why everything was stopped."}}},
"HeldMark": {
  "type": "object", "additionalProperties": false, "required": ["hold", "waiting", "reason"],
  "properties": {"hold": {"$ref": "#/components/schemas/Id"}, "waiting": {"type": "integer"},
    "reason": {"type": "string"}}},
"Hold": {
  "type": "object", "additionalProperties": false,
  "required": ["id", "integration", "state", "opened", "closed", "window_from", "reason", "waiting", "items", "listing"],
  "properties": {"id": {"$ref": "#/components/schemas/Id"}, "integration": {"$ref": "#/components/schemas/Id"},
    "state": {"enum": ["open", "closed"]}, "opened": {"$ref": "#/components/schemas/TimeOrNull"},
    "closed": {"$ref": "#/components/schemas/TimeOrNull"}, "window_from": {"$ref": "#/components/schemas/TimeOrNull"},
    "reason": {"type": "string"}, "waiting": {"type": "integer"}, "items": {"type": "integer"},
    "listing": {"$ref": "#/components/schemas/Listing"}}},
"Listing": {"type": "string", "minLength": 64, "maxLength": 64,
  "description": "Hash over the items up to one of them, in hexadecimal: names what a person saw."},
"HoldItem": {
  "type": "object", "additionalProperties": false,
  "required": ["seq", "subject", "user_name", "job", "cause", "via_group", "state", "at", "decided", "by", "listing"],
  "properties": {"seq": {"type": "integer"}, "subject": {"$ref": "#/components/schemas/Id"},
    "user_name": {"type": ["string", "null"]}, "job": {"$ref": "#/components/schemas/IdOrNull"},
    "cause": {"type": "string"}, "via_group": {"$ref": "#/components/schemas/IdOrNull"},
    "state": {"enum": ["held", "sent", "allowed", "rejected", "left"],
      "description": "`sent`: it had been sent before the hold began, and is listed only."},
    "at": {"$ref": "#/components/schemas/TimeOrNull"}, "decided": {"$ref": "#/components/schemas/TimeOrNull"},
    "by": {"type": ["string", "null"]}, "listing": {"$ref": "#/components/schemas/Listing"}}},
"HoldList": {
  "type": "object", "additionalProperties": false, "required": ["items", "next"],
  "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Hold"}},
    "next": {"$ref": "#/components/schemas/IdOrNull", "description": "Give it as `before` for the next page."}}},
"HoldDetail": {
  "type": "object", "additionalProperties": false, "required": ["hold", "items", "next"],
  "properties": {"hold": {"$ref": "#/components/schemas/Hold"},
    "items": {"type": "array", "items": {"$ref": "#/components/schemas/HoldItem"}},
    "next": {"type": ["integer", "null"], "description": "Give it as `after` for the next page."}}},
"HoldAllow": {
  "type": "object", "additionalProperties": false, "minProperties": 1,
  "properties": {"listing": {"$ref": "#/components/schemas/Listing"}, "subject": {"$ref": "#/components/schemas/Id"},
    "reason": {"type": "string", "maxLength": 1000}}},
"HoldReject": {
  "type": "object", "additionalProperties": false, "required": ["reason", "until"],
  "properties": {"listing": {"$ref": "#/components/schemas/Listing"}, "subject": {"$ref": "#/components/schemas/Id"},
    "reason": {"type": "string", "minLength": 1, "maxLength": 1000},
    "until": {"type": "string", "minLength": 1, "maxLength": 64, "description": "Date and time, as in 2027-01-31T00:00:00Z."}}},
"HoldDecided": {
  "type": "object", "additionalProperties": false, "required": ["decided"],
  "properties": {"decided": {"type": "integer", "description": "How many subjects that decided."}}},
"IntegrationList": {
  "type": "object", "additionalProperties": false, "required": ["items"],
  "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Integration"}}}},
"IntegrationCreate": {
  "type": "object", "additionalProperties": false, "required": ["name", "idp", "connector"],
  "properties": {"name": {"$ref": "#/components/schemas/Name"},
    "idp": {"type": "string", "minLength": 1, "maxLength": 32, "description": "okta, entra, onelogin, jumpcloud, ping, google or generic"},
    "connector": {"type": "string", "minLength": 1, "maxLength": 64},
    "config": {"type": "object", "description": "By the connector's schema; secrets in clear."},
    "policy": {"$ref": "#/components/schemas/Policy"}, "settings": {"$ref": "#/components/schemas/Settings"},
    "schemas": {"type": ["array", "object"],
      "description": "SCIM schemas in the form of RFC 7643 section 7: one, an array, or a ListResponse."},
    "resource_types": {"type": ["array", "object"],
      "description": "SCIM resource types in the form of RFC 7643 section 6, likewise; User and Group name their extensions."},
    "check": {"type": "boolean", "description": "Ask the app whether the connection works (default true)."}}},
"IntegrationCreated": {
  "type": "object", "additionalProperties": false, "required": ["id", "name", "scim_base_path", "scim_token"],
  "properties": {"id": {"$ref": "#/components/schemas/Id"}, "name": {"$ref": "#/components/schemas/Name"},
    "scim_base_path": {"type": "string"}, "scim_token": {"type": "string", "description": "Shown this once."}}},
"IntegrationChange": {
  "type": "object", "additionalProperties": false, "minProperties": 1,
  "properties": {"name": {"$ref": "#/components/schemas/Name"},
    "config": {"type": "object", "description": "Merged into the present one (RFC 7396): null takes a member away; secrets that are not named stay."},
    "policy": {"$ref": "#/components/schemas/Policy"}, "settings": {"$ref": "#/components/schemas/Settings"},
    "plan_hash": {"type": "string", "minLength": 64, "maxLength": 64,
      "description": "Take the policy only where its plan has this hash now."},
    "schemas": {"type": ["array", "object", "null"],
      "description": "Replaces all of them; null or [] takes them away. Refused where stored resources would not fit."},
    "resource_types": {"type": ["array", "object", "null"], "description": "Likewise."},
    "check": {"type": "boolean"}}},
"PlanRequest": {
  "type": "object", "additionalProperties": false,
  "properties": {"policy": {"$ref": "#/components/schemas/Policy", "description": "Absent: the present one."},
    "state": {"type": "object", "description": "As /state answers it; absent: the present one."}}},
"Plan": {
  "type": "object", "additionalProperties": false, "required": ["policy", "counts", "changes", "hash"],
  "properties": {"policy": {"type": "object"}, "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
    "changes": {"type": "array", "items": {"$ref": "#/components/schemas/PlanChange"}},
    "hash": {"type": "string", "description": "SHA-256; give it as `plan_hash` when the policy is set."}}},
"PlanChange": {
  "type": "object", "additionalProperties": false, "required": ["subject", "user_name", "change", "cause", "steps"],
  "properties": {"subject": {"type": "string"}, "user_name": {"type": "string"},
    "change": {"enum": ["remove", "restore", "grant", "retained"]}, "cause": {"type": "string"},
    "steps": {"type": "array", "items": {"type": "object"}},
    "why": {"type": "string", "description": "Of who is retained: protected, or exempt."}, "reason": {"type": "string"},
    "rule": {"type": "string", "description": "JSON pointer into the policy."},
    "until": {"$ref": "#/components/schemas/TimeOrNull", "description": "The review date of a protection, the end of an exemption."}}},
"State": {
  "type": "object", "additionalProperties": false, "required": ["users", "groups"],
  "properties": {"users": {"type": "array", "items": {"type": "object"}},
    "groups": {"type": "array", "items": {"type": "object"}}}},
"TokenRotate": {
  "type": "object", "additionalProperties": false,
  "properties": {"overlap_seconds": {"type": "integer", "minimum": 0, "maximum": 2592000,
    "description": "For how long the old tokens stay good (default 0)."}}},
"TokenRotated": {
  "type": "object", "additionalProperties": false, "required": ["id", "scim_base_path", "scim_token"],
  "properties": {"id": {"$ref": "#/components/schemas/Id"}, "scim_base_path": {"type": "string"},
    "scim_token": {"type": "string", "description": "Shown this once."}}},
"Check": {
  "type": "object", "additionalProperties": false, "required": ["ok", "outcome", "detail"],
  "properties": {"ok": {"type": "boolean"}, "outcome": {"type": "string"}, "detail": {"type": "string"}}},
"Subject": {
  "type": "object", "additionalProperties": false,
  "required": ["id", "integration", "user_name", "external_id", "display_name", "active", "deleted", "access",
    "access_without_account", "intent", "binding", "job", "retained", "created", "modified"],
  "properties": {"id": {"$ref": "#/components/schemas/Id"}, "integration": {"$ref": "#/components/schemas/Id"},
    "user_name": {"type": "string"}, "external_id": {"type": ["string", "null"]}, "display_name": {"type": "string"},
    "active": {"type": "boolean"}, "deleted": {"type": "boolean"}, "access": {"type": "boolean"},
    "access_without_account": {"type": "boolean",
      "description": "Access came back after what cannot be undone: the account has to be made anew, and bound."},
    "intent": {"$ref": "#/components/schemas/Intent"}, "binding": {"$ref": "#/components/schemas/Binding"},
    "job": {"anyOf": [{"type": "null"}, {"$ref": "#/components/schemas/JobMark"}]},
    "retained": {"description": "Why the account stays although access ended.", "anyOf": [{"type": "null"}, {"$ref": "#/components/schemas/Retained"}]},
    "created": {"$ref": "#/components/schemas/TimeOrNull"}, "modified": {"$ref": "#/components/schemas/TimeOrNull"}}},
"Retained": {
  "type": "object", "additionalProperties": false, "required": ["why", "reason", "rule", "until", "by"],
  "properties": {"why": {"enum": ["protected", "exempt", "kept by decision"]}, "reason": {"type": "string"},
    "rule": {"type": ["string", "null"], "description": "JSON pointer into the policy."},
    "until": {"$ref": "#/components/schemas/TimeOrNull", "description": "The review date of a protection, the end of the rest."},
    "by": {"type": ["string", "null"]}}},
"Intent": {
  "type": "object", "additionalProperties": false,
  "required": ["generation", "desired", "cause", "via_group", "via_inferred", "evidence_at", "policy_version"],
  "properties": {"generation": {"type": "integer"}, "desired": {"enum": ["undecided", "access", "no_access"]},
    "cause": {"type": "string"}, "via_group": {"$ref": "#/components/schemas/IdOrNull"},
    "via_inferred": {"type": "boolean"}, "evidence_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "policy_version": {"type": "integer"}}},
"Binding": {
  "type": "object", "additionalProperties": false, "required": ["state", "account", "login", "last_set", "checked_at"],
  "properties": {"state": {"enum": ["unknown", "bound", "absent", "ambiguous", "removed"]},
    "account": {"type": ["string", "null"]}, "login": {"type": ["string", "null"]},
    "last_set": {"enum": ["untouched", "disabled", "enabled", "removed"]},
    "checked_at": {"$ref": "#/components/schemas/TimeOrNull"}}},
"JobMark": {
  "type": "object", "additionalProperties": false, "required": ["id", "state"],
  "properties": {"id": {"$ref": "#/components/schemas/Id"}, "state": {"$ref": "#/components/schemas/JobState"}}},
"SubjectList": {
  "type": "object", "additionalProperties": false, "required": ["items", "next", "total"],
  "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Subject"}},
    "next": {"$ref": "#/components/schemas/IdOrNull", "description": "Give it as `after` for the next page."},
    "total": {"type": "integer"}}},
"SubjectDetail": {
  "type": "object", "additionalProperties": false, "required": ["subject", "groups", "jobs", "changes"],
  "properties": {"subject": {"$ref": "#/components/schemas/Subject"},
    "groups": {"type": "array", "items": {"$ref": "#/components/schemas/GroupMark"}},
    "jobs": {"type": "array", "items": {"$ref": "#/components/schemas/Job"}, "description": "The newest 100."},
    "changes": {"type": "array", "items": {"$ref": "#/components/schemas/Change"}, "description": "The newest 100."}}},
"GroupMark": {
  "type": "object", "additionalProperties": false, "required": ["id", "display_name"],
  "properties": {"id": {"$ref": "#/components/schemas/Id"}, "display_name": {"type": "string"}}},
"Change": {
  "type": "object", "additionalProperties": false, "required": ["id", "kind", "at", "source", "request", "group"],
  "properties": {"id": {"$ref": "#/components/schemas/Id"}, "kind": {"type": "string"},
    "at": {"$ref": "#/components/schemas/TimeOrNull"}, "source": {"type": "string"}, "request": {"type": "string"},
    "group": {"$ref": "#/components/schemas/IdOrNull"}}},
"Bind": {
  "type": "object", "additionalProperties": false,
  "properties": {"account": {"type": "string", "maxLength": 1024,
    "description": "The app's immutable id of the account; empty or absent: look it up anew."}}},
"Reason": {
  "type": "object", "additionalProperties": false, "required": ["reason"],
  "properties": {"reason": {"type": "string", "minLength": 1, "maxLength": 1000}}},
"OptionalReason": {
  "type": "object", "additionalProperties": false,
  "properties": {"reason": {"type": "string", "minLength": 1, "maxLength": 1000, "description": "For the activity."}}},
"Attestation": {
  "type": "object", "additionalProperties": false, "required": ["reason"],
  "properties": {"reason": {"type": "string", "minLength": 1, "maxLength": 1000},
    "reference": {"type": "string", "maxLength": 1000, "description": "Where it can be looked up: a ticket, say."}}},
"JobCreated": {
  "type": "object", "additionalProperties": false, "required": ["job"],
  "properties": {"job": {"$ref": "#/components/schemas/Id"}}},
"JobState": {"enum": ["held", "awaiting_approval", "in_grace", "ready", "running", "waiting_async", "retrying",
  "succeeded_verified", "succeeded_unverified", "succeeded_no_account", "failed", "dead", "cancelled", "superseded", "attested",
  "observed"]},
"Job": {
  "type": "object", "additionalProperties": false,
  "required": ["id", "integration", "subject", "user_name", "kind", "state", "cause", "via_group", "via_group_name",
    "via_inferred", "generation", "priority", "attempts", "created", "due", "deadline", "evidence_at", "finished",
    "time_to_deprovision_ms", "reason"],
  "properties": {"id": {"$ref": "#/components/schemas/Id"}, "integration": {"$ref": "#/components/schemas/Id"},
    "subject": {"$ref": "#/components/schemas/IdOrNull"}, "user_name": {"type": ["string", "null"]},
    "kind": {"enum": ["bind", "remove_access", "restore_access", "change_role", "revoke_sessions"]},
    "state": {"$ref": "#/components/schemas/JobState"}, "cause": {"type": "string"},
    "via_group": {"$ref": "#/components/schemas/IdOrNull"}, "via_group_name": {"type": ["string", "null"]},
    "via_inferred": {"type": "boolean"}, "generation": {"type": "integer"}, "priority": {"type": "integer"},
    "attempts": {"type": "integer", "description": "Those that failed and cost one; throttling does not."}, "created": {"$ref": "#/components/schemas/TimeOrNull"},
    "due": {"$ref": "#/components/schemas/TimeOrNull"}, "deadline": {"$ref": "#/components/schemas/TimeOrNull"},
    "evidence_at": {"$ref": "#/components/schemas/TimeOrNull"}, "finished": {"$ref": "#/components/schemas/TimeOrNull"},
    "time_to_deprovision_ms": {"type": ["number", "null"]}, "reason": {"type": "string"},
    "steps": {"type": "array", "items": {"$ref": "#/components/schemas/Step"}}}},
"Step": {
  "type": "object", "required": ["kind", "operation", "state"],
  "properties": {"kind": {"enum": ["find", "call", "verify"]}, "operation": {"type": "string"},
    "state": {"enum": ["pending", "sent", "accepted", "done", "already", "skipped", "failed", "observed"]},
    "not_before": {"$ref": "#/components/schemas/Time", "description": "When its grace ends."},
    "approval": {"type": "string", "description": "The role that has to approve it."},
    "approved_until": {"$ref": "#/components/schemas/Time"},
    "delete_account": {"type": "boolean"}, "entitlement": {"type": "string"},
    "attempts": {"type": "integer"}, "outcome": {"type": "string"}, "detail": {"type": "string"}}},
"JobList": {
  "type": "object", "additionalProperties": false, "required": ["items", "next"],
  "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Job"}},
    "next": {"$ref": "#/components/schemas/IdOrNull", "description": "Give it as `before` for the next page."}}},
"JobDetail": {
  "type": "object", "additionalProperties": false, "required": ["job", "activity"],
  "properties": {"job": {"$ref": "#/components/schemas/Job"},
    "activity": {"type": "array", "items": {"$ref": "#/components/schemas/Activity"},
      "description": "What happened, attempt by attempt; at most 1000 records."}}},
"Activity": {
  "type": "object", "additionalProperties": false,
  "required": ["seq", "at", "integration", "event", "actor", "subject", "job", "detail", "hash"],
  "properties": {"seq": {"type": "integer", "minimum": 1}, "at": {"$ref": "#/components/schemas/TimeOrNull"},
    "integration": {"$ref": "#/components/schemas/IdOrNull"}, "event": {"type": "string", "minLength": 1},
    "actor": {"type": "string"}, "subject": {"$ref": "#/components/schemas/IdOrNull"},
    "job": {"$ref": "#/components/schemas/IdOrNull"}, "detail": {"type": ["object", "null"]},
    "hash": {"type": "string", "minLength": 64, "maxLength": 64}}},
"ActivityList": {
  "type": "object", "additionalProperties": false, "required": ["items", "next", "head"],
  "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Activity"}},
    "next": {"type": ["integer", "null"], "description": "Give it as `after` for the next page."},
    "head": {"type": "integer", "description": "The newest record of the chain."}}},
"ConnectorList": {
  "type": "object", "additionalProperties": false, "required": ["items"],
  "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Connector"}}}},
"Connector": {
  "type": "object", "additionalProperties": false,
  "required": ["id", "name", "version", "config_schema", "secrets", "operations"],
  "properties": {"id": {"type": "string"}, "name": {"type": "string"}, "version": {"type": "string"},
    "config_schema": {"type": "object"}, "secrets": {"type": "array", "items": {"type": "string"}},
    "operations": {"type": "array", "items": {"type": "string"}}}}
})json";

constexpr std::string_view ref_prefix = "#/components/schemas/";

json::value resolved(const json::value& schema, int depth) {
  if (depth > 32) throw std::logic_error("component schemas refer to each other in a circle");
  if (const auto* array = schema.if_array()) {
    json::array out;
    for (const auto& v : *array) out.push_back(resolved(v, depth + 1));
    return out;
  }
  const auto* object = schema.if_object();
  if (object == nullptr) return schema;
  if (const auto* ref = object->if_contains("$ref"); ref != nullptr && ref->is_string()) {
    const auto name = std::string_view(ref->get_string()).substr(ref_prefix.size());
    return resolved(admin_schemas().at(name), depth + 1);
  }
  json::object out;
  for (const auto& [key, value] : *object) out[key] = resolved(value, depth + 1);
  return out;
}

}  // namespace

const json::object& admin_schemas() {
  static const json::object schemas = [] {
    auto parsed = json::parse(schemas_text).get_object();
    parsed["EvidenceRecord"] = evidence::record_schema();
    const auto more = json::parse(evidence_schemas_text());
    for (const auto& [name, schema] : more.get_object()) parsed[name] = schema;
    for (const auto& [name, schema] : webhook_schemas()) parsed[name] = schema;
    for (const auto& [name, schema] : source_schemas()) parsed[name] = schema;
    parsed["Policy"] = policy::policy_schema();
    parsed["Settings"] = engine::settings_schema();
    return parsed;
  }();
  return schemas;
}

const json::value& admin_schema(std::string_view name) {
  static const std::map<std::string, json::value, std::less<>> all = [] {
    std::map<std::string, json::value, std::less<>> out;
    for (const auto& [key, value] : admin_schemas()) out.emplace(std::string(key), resolved(value, 0));
    return out;
  }();
  return all.at(std::string(name));
}

}  // namespace deprov::service
