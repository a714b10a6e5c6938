// Component schemas of evidence, reconciliation and reports.
#include "service/admin_call.hpp"

namespace deprov::service {

namespace {

constexpr std::string_view text = R"json({
"EvidenceLine": {"description": "A line: header, chain, EvidenceRecord, or at the end the manifest.", "type": "object",
  "required": ["type"], "properties": {"type": {"enum": ["header", "chain", "record", "manifest"]}}},
"EvidenceChain": {
  "type": "object", "additionalProperties": false,
  "required": ["workspace", "integration", "name", "anchor_seq", "anchor_hash", "last_seq", "head_seq"],
  "properties": {"workspace": {"$ref": "#/components/schemas/Id"},
    "integration": {"$ref": "#/components/schemas/IdOrNull"}, "name": {"type": "string"},
    "anchor_seq": {"type": "integer", "minimum": 0, "description": "The place before the first record of the range."},
    "anchor_hash": {"type": "string", "minLength": 64, "maxLength": 64},
    "last_seq": {"type": "integer", "minimum": 0, "description": "The last record of the range; 0: there is none."},
    "head_seq": {"type": "integer", "minimum": 0}}},
"EvidenceChainList": {
  "type": "object", "additionalProperties": false, "required": ["items"],
  "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/EvidenceChain"}}}},
"EvidenceRecordList": {
  "type": "object", "additionalProperties": false, "required": ["items", "next"],
  "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/EvidenceRecord"}},
    "next": {"type": ["integer", "null"], "description": "Give it as `after` for the next page."}}},
"DeleteDetails": {
  "type": "object", "additionalProperties": false, "required": ["before"],
  "properties": {"before": {"$ref": "#/components/schemas/Time"},
    "integration": {"$ref": "#/components/schemas/Id", "description": "Left out: the workspace's own chain."}}},
"DetailsDeleted": {
  "type": "object", "additionalProperties": false, "required": ["details_deleted"],
  "properties": {"details_deleted": {"type": "integer", "minimum": 0}}},
"Reconcile": {
  "type": "object", "additionalProperties": false,
  "properties": {"mode": {"enum": ["propose", "queue"], "description": "What is done with leftover access (default: propose)."}}},
"ReconcileStarted": {
  "type": "object", "additionalProperties": false, "required": ["run"],
  "properties": {"run": {"$ref": "#/components/schemas/Id"}}},
"Reconciliation": {
  "type": "object", "additionalProperties": false, "required": ["state"],
  "properties": {"run": {"$ref": "#/components/schemas/Id"}, "state": {"enum": ["never", "running", "done", "failed"]},
    "mode": {"enum": ["propose", "queue"]}, "by": {"type": "string"}, "started": {"$ref": "#/components/schemas/Time"},
    "finished": {"$ref": "#/components/schemas/TimeOrNull"},
    "complete": {"type": "boolean", "description": "Whether the listing proves that an account is not there (R6)."},
    "why_incomplete": {"type": ["string", "null"]}, "accounts": {"type": "integer"}, "pages": {"type": "integer"},
    "subjects": {"type": "integer"},
    "findings": {"type": "object", "additionalProperties": false, "properties": {"leftover": {"type": "integer"},
      "drift": {"type": "integer"}, "orphan": {"type": "integer"}, "missing_account": {"type": "integer"},
      "ambiguous": {"type": "integer"}, "retained": {"type": "integer"}}},
    "in_progress": {"type": "integer", "description": "Accounts whose removal is under way, held or waiting."},
    "queued": {"type": "integer"}, "looked_up": {"type": "integer", "description": "Accounts that are looked up again to be bound."}}},
"Finding": {
  "type": "object", "additionalProperties": false,
  "required": ["n", "kind", "subject", "user_name", "account", "login", "note", "job"],
  "properties": {"n": {"type": "integer", "minimum": 1},
    "kind": {"enum": ["leftover", "drift", "orphan", "missing_account", "ambiguous", "retained"]},
    "subject": {"$ref": "#/components/schemas/IdOrNull"}, "user_name": {"type": ["string", "null"]},
    "account": {"type": "string"}, "login": {"type": "string"}, "note": {"type": "string"},
    "job": {"$ref": "#/components/schemas/IdOrNull", "description": "What was queued for it."}}},
"FindingList": {
  "type": "object", "additionalProperties": false, "required": ["run", "items", "next"],
  "properties": {"run": {"$ref": "#/components/schemas/IdOrNull"},
    "items": {"type": "array", "items": {"$ref": "#/components/schemas/Finding"}},
    "next": {"type": ["integer", "null"], "description": "Give it as `after` for the next page."}}},
"IntegrationReport": {
  "type": "object", "additionalProperties": false,
  "description": "From the first evidence through settling, holding, pausing and retrying to the verified end of access, also where a removal or deletion of the account follows after a grace. What failed, and what is overdue and unfinished, counts as a miss, in the percentiles with its age so far. Percentiles are at most 0.4 percent too long.",
  "required": ["integration", "from", "to", "objective_ms", "counted", "within_objective", "missed",
    "share_within_objective", "p50_ms", "p95_ms", "p99_ms", "max_ms", "verified", "overdue", "failed", "pending", "held",
    "failed_afterwards", "in_grace", "protected", "exempt", "kept_by_decision", "unverified", "no_account", "attested", "cancelled", "superseded", "other"],
  "properties": {"integration": {"$ref": "#/components/schemas/Id"}, "from": {"$ref": "#/components/schemas/Time"},
    "to": {"$ref": "#/components/schemas/Time"}, "objective_ms": {"type": "integer"},
    "counted": {"type": "integer", "description": "within_objective and missed together."},
    "within_objective": {"type": "integer"}, "missed": {"type": "integer"},
    "share_within_objective": {"type": ["number", "null"]}, "p50_ms": {"type": ["number", "null"]},
    "p95_ms": {"type": ["number", "null"]}, "p99_ms": {"type": ["number", "null"]}, "max_ms": {"type": ["number", "null"]},
    "verified": {"type": "integer"}, "overdue": {"type": "integer"}, "failed": {"type": "integer"},
    "pending": {"type": "integer", "description": "Unfinished, with time left."},
    "held": {"type": "integer", "description": "Of pending and overdue, those that wait for a person."},
    "failed_afterwards": {"type": "integer", "description": "Access had ended, and what was to follow (the removal or deletion of the account) failed; counted by when access ended."},
    "in_grace": {"type": "integer", "description": "Access has ended, and what cannot be undone is still to come; not counted before that."},
    "protected": {"type": "integer", "description": "Subjects who keep their account now because the policy protects them; not counted."},
    "exempt": {"type": "integer", "description": "The same because the policy exempts them until a date; not counted."},
    "kept_by_decision": {"type": "integer", "description": "The same because a person rejected their removal in a hold; not counted."},
    "unverified": {"type": "integer", "description": "The app cannot be read; not counted."},
    "no_account": {"type": "integer", "description": "There was no account; not counted."},
    "attested": {"type": "integer", "description": "Done by hand, as a person says; not counted."},
    "cancelled": {"type": "integer"}, "superseded": {"type": "integer"}, "other": {"type": "integer"}}},
"IntegrationMark": {
  "type": "object", "additionalProperties": false, "required": ["id", "name", "idp", "connector", "deleted"],
  "properties": {"id": {"$ref": "#/components/schemas/Id"}, "name": {"type": "string"}, "idp": {"type": "string"},
    "connector": {"type": "string"}, "deleted": {"type": "boolean"}}},
"PersonReport": {
  "type": "object", "additionalProperties": false, "required": ["key", "apps", "candidates", "more"],
  "properties": {"key": {"type": "string"},
    "apps": {"type": "array", "items": {"$ref": "#/components/schemas/PersonApp"},
      "description": "Subjects that are declared to be this person: by their id, or by an externalId of one IdP where the integration declares it immutable."},
    "candidates": {"type": "array", "items": {"$ref": "#/components/schemas/PersonCandidate"},
      "description": "Who has, or had when they were deleted, the same login or undeclared externalId, or has the same address; possibly another person."},
    "more": {"type": "boolean", "description": "There are more than are shown: 100 candidates, 200 subjects."}}},
"PersonApp": {
  "type": "object", "additionalProperties": false,
  "required": ["integration", "matched_by", "subject", "lost_access_at", "removals"],
  "properties": {"integration": {"$ref": "#/components/schemas/IntegrationMark"},
    "matched_by": {"enum": ["subject_id", "external_id", "joined_external_id"]},
    "subject": {"$ref": "#/components/schemas/Subject"}, "lost_access_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "removals": {"type": "array", "description": "The newest 20, as jobs with who decided and the records that prove it.",
      "items": {"type": "object", "required": ["id", "state", "cause", "decided_by", "decided_at", "decided_seq", "verified_at", "proof"],
        "properties": {"id": {"$ref": "#/components/schemas/Id"}, "decided_by": {"type": ["string", "null"]},
          "decided_at": {"$ref": "#/components/schemas/TimeOrNull"}, "decided_seq": {"type": ["integer", "null"]},
          "verified_at": {"$ref": "#/components/schemas/TimeOrNull"},
          "proof": {"type": "array", "items": {"$ref": "#/components/schemas/Proof"}}}}}}},
"Proof": {
  "type": "object", "additionalProperties": false,
  "required": ["seq", "at", "event", "actor", "hash", "detail", "detail_deleted"],
  "properties": {"seq": {"type": "integer", "minimum": 1}, "at": {"$ref": "#/components/schemas/TimeOrNull"},
    "event": {"type": "string"}, "actor": {"type": "string"}, "hash": {"type": "string", "minLength": 64, "maxLength": 64},
    "detail": {"type": ["object", "null"]}, "detail_deleted": {"type": "boolean"}}},
"PersonCandidate": {
  "type": "object", "additionalProperties": false, "required": ["integration", "matched_by", "subject"],
  "properties": {"integration": {"$ref": "#/components/schemas/IntegrationMark"},
    "matched_by": {"enum": ["user_name", "email", "external_id_not_declared"]},
    "subject": {"$ref": "#/components/schemas/Subject"}}}
})json";

}  // namespace

std::string_view evidence_schemas_text() { return text; }

}  // namespace deprov::service
