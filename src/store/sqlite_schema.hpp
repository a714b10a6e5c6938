// The tables, and how an older store becomes a present one.
#pragma once

#include <array>
#include <cstdint>
#include <deprov/error.hpp>
#include <string>
#include "sqlite_db.hpp"

namespace deprov::store {

/// "DPRV": the file is ours.
inline constexpr std::int32_t application_id = 0x44505256;

/// Step n takes a store of version n to version n + 1. Steps are never edited once they were released.
inline constexpr std::array migrations{
    R"sql(
CREATE TABLE scope(
  id INTEGER PRIMARY KEY, workspace BLOB NOT NULL, integration BLOB NOT NULL, UNIQUE(workspace, integration));

CREATE TABLE workspace(id BLOB PRIMARY KEY, name TEXT NOT NULL, created INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE principal(
  workspace BLOB NOT NULL, id BLOB NOT NULL, name TEXT NOT NULL, role INTEGER NOT NULL, token_hash BLOB,
  created INTEGER NOT NULL, version INTEGER NOT NULL, PRIMARY KEY(workspace, id)) WITHOUT ROWID;
CREATE UNIQUE INDEX principal_token ON principal(token_hash) WHERE token_hash IS NOT NULL;

CREATE TABLE integration(
  scope INTEGER PRIMARY KEY, name TEXT NOT NULL, idp TEXT NOT NULL, connector TEXT NOT NULL, config TEXT NOT NULL,
  secrets BLOB NOT NULL, settings TEXT NOT NULL, policy TEXT NOT NULL, policy_version INTEGER NOT NULL,
  state INTEGER NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL, version INTEGER NOT NULL);
CREATE TABLE gateway_token(
  hash BLOB PRIMARY KEY, scope INTEGER NOT NULL, created INTEGER NOT NULL, expires INTEGER) WITHOUT ROWID;
CREATE INDEX gateway_token_scope ON gateway_token(scope);

CREATE TABLE resource(
  rid INTEGER PRIMARY KEY, scope INTEGER NOT NULL, id BLOB NOT NULL, type TEXT NOT NULL, version INTEGER NOT NULL,
  active INTEGER NOT NULL, deleted INTEGER NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL,
  external_id TEXT NOT NULL, user_name TEXT NOT NULL, display_name TEXT NOT NULL, emails BLOB NOT NULL,
  document TEXT NOT NULL);
CREATE UNIQUE INDEX resource_id ON resource(scope, id);
CREATE INDEX resource_type ON resource(scope, type, id) WHERE deleted = 0;
CREATE UNIQUE INDEX resource_user_name ON resource(scope, user_name, type) WHERE deleted = 0 AND user_name <> '';
CREATE INDEX resource_external ON resource(scope, external_id, id) WHERE external_id <> '';
CREATE INDEX resource_display ON resource(scope, display_name, id) WHERE deleted = 0 AND display_name <> '';
CREATE TABLE resource_email(
  scope INTEGER NOT NULL, email TEXT NOT NULL, id BLOB NOT NULL, PRIMARY KEY(scope, email, id)) WITHOUT ROWID;
CREATE TABLE resource_count(
  scope INTEGER NOT NULL, type TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY(scope, type)) WITHOUT ROWID;

CREATE TABLE member(
  scope INTEGER NOT NULL, grp BLOB NOT NULL, member BLOB NOT NULL, is_group INTEGER NOT NULL,
  PRIMARY KEY(scope, grp, member)) WITHOUT ROWID;
CREATE INDEX member_of ON member(scope, member, grp);
CREATE TABLE group_size(
  scope INTEGER NOT NULL, grp BLOB NOT NULL, n INTEGER NOT NULL, PRIMARY KEY(scope, grp)) WITHOUT ROWID;

CREATE TABLE subject(
  scope INTEGER NOT NULL, id BLOB NOT NULL, grants_version INTEGER NOT NULL, access INTEGER NOT NULL,
  generation INTEGER NOT NULL, desired INTEGER NOT NULL, cause INTEGER NOT NULL, via_group BLOB NOT NULL,
  via_inferred INTEGER NOT NULL, evidence_at INTEGER NOT NULL, policy_version INTEGER NOT NULL, job BLOB NOT NULL,
  last_deactivated INTEGER NOT NULL, last_group_lost BLOB NOT NULL, last_group_lost_at INTEGER NOT NULL,
  PRIMARY KEY(scope, id)) WITHOUT ROWID;
CREATE TABLE binding(
  scope INTEGER NOT NULL, subject BLOB NOT NULL, state INTEGER NOT NULL, account_id TEXT NOT NULL,
  account_login TEXT NOT NULL, was_bound INTEGER NOT NULL, last_set INTEGER NOT NULL, checked_at INTEGER NOT NULL,
  version INTEGER NOT NULL, PRIMARY KEY(scope, subject)) WITHOUT ROWID;
CREATE INDEX binding_account ON binding(scope, account_id, subject) WHERE state = 1 AND account_id <> '';

CREATE TABLE history(
  scope INTEGER NOT NULL, subject BLOB NOT NULL, kind INTEGER NOT NULL, ref BLOB NOT NULL,
  at INTEGER, what INTEGER, grp BLOB, source TEXT, request TEXT, n INTEGER,
  PRIMARY KEY(scope, subject, kind, ref)) WITHOUT ROWID;

CREATE TABLE job(
  jid INTEGER PRIMARY KEY, scope INTEGER NOT NULL, id BLOB NOT NULL, subject BLOB NOT NULL,
  generation INTEGER NOT NULL, kind INTEGER NOT NULL, state INTEGER NOT NULL, priority INTEGER NOT NULL,
  created INTEGER NOT NULL, due INTEGER NOT NULL, deadline INTEGER NOT NULL, evidence_at INTEGER NOT NULL,
  finished INTEGER NOT NULL, attempts INTEGER NOT NULL, lease BLOB NOT NULL, lane_epoch INTEGER NOT NULL,
  cause INTEGER NOT NULL, via_group BLOB NOT NULL, via_inferred INTEGER NOT NULL, version INTEGER NOT NULL,
  reason TEXT NOT NULL, plan TEXT NOT NULL);
CREATE UNIQUE INDEX job_id ON job(scope, id);
CREATE INDEX job_queue ON job(scope, state, priority, due, id);
CREATE TABLE job_done(
  jid INTEGER PRIMARY KEY, scope INTEGER NOT NULL, id BLOB NOT NULL, subject BLOB NOT NULL,
  generation INTEGER NOT NULL, kind INTEGER NOT NULL, state INTEGER NOT NULL, priority INTEGER NOT NULL,
  created INTEGER NOT NULL, due INTEGER NOT NULL, deadline INTEGER NOT NULL, evidence_at INTEGER NOT NULL,
  finished INTEGER NOT NULL, attempts INTEGER NOT NULL, lease BLOB NOT NULL, lane_epoch INTEGER NOT NULL,
  cause INTEGER NOT NULL, via_group BLOB NOT NULL, via_inferred INTEGER NOT NULL, version INTEGER NOT NULL,
  reason TEXT NOT NULL, plan TEXT NOT NULL);
CREATE UNIQUE INDEX job_done_id ON job_done(scope, id);
CREATE INDEX job_done_state ON job_done(scope, state, id) WHERE state <> 8;
CREATE TABLE job_count(
  scope INTEGER NOT NULL, state INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY(scope, state)) WITHOUT ROWID;
CREATE TABLE lane(
  scope INTEGER PRIMARY KEY, owner TEXT NOT NULL, epoch INTEGER NOT NULL, until INTEGER NOT NULL,
  paused TEXT NOT NULL);

CREATE TABLE due(
  scope INTEGER NOT NULL, subject BLOB NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL, since INTEGER NOT NULL,
  payload TEXT NOT NULL, PRIMARY KEY(scope, subject, kind)) WITHOUT ROWID;
CREATE INDEX due_at ON due(scope, at, subject, kind);
CREATE TABLE work(
  wid INTEGER PRIMARY KEY, scope INTEGER NOT NULL, id BLOB NOT NULL, grp BLOB NOT NULL, kind TEXT NOT NULL,
  cursor TEXT NOT NULL, total INTEGER NOT NULL, done INTEGER NOT NULL, created INTEGER NOT NULL,
  version INTEGER NOT NULL);
CREATE UNIQUE INDEX work_id ON work(scope, id);
CREATE INDEX work_group ON work(scope, grp, id);
CREATE TABLE work_payload(wid INTEGER PRIMARY KEY, payload TEXT NOT NULL);

CREATE TABLE activity(
  key INTEGER PRIMARY KEY, at INTEGER NOT NULL, event TEXT NOT NULL, actor TEXT NOT NULL, subject BLOB NOT NULL,
  job BLOB NOT NULL, hash BLOB NOT NULL, detail_hash BLOB NOT NULL, salt BLOB, detail TEXT);
CREATE TABLE guard_counter(
  scope INTEGER NOT NULL, counter TEXT NOT NULL, minute INTEGER NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY(scope, counter, minute)) WITHOUT ROWID;
CREATE TABLE committed_batch(batch INTEGER PRIMARY KEY, txns BLOB NOT NULL);
)sql",
    R"sql(
ALTER TABLE subject ADD COLUMN counted_at INTEGER NOT NULL DEFAULT 0;
CREATE TABLE population(
  scope INTEGER NOT NULL, minute INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY(scope, minute)) WITHOUT ROWID;
INSERT INTO population SELECT scope, 0, count(*) FROM subject WHERE access = 1 GROUP BY scope;
CREATE TABLE hold(
  scope INTEGER NOT NULL, id BLOB NOT NULL, opened INTEGER NOT NULL, closed INTEGER NOT NULL,
  window_from INTEGER NOT NULL, reason TEXT NOT NULL, items INTEGER NOT NULL, held INTEGER NOT NULL,
  listing BLOB NOT NULL, PRIMARY KEY(scope, id)) WITHOUT ROWID;
CREATE UNIQUE INDEX hold_open ON hold(scope) WHERE closed = 0;
CREATE TABLE hold_item(
  scope INTEGER NOT NULL, hold BLOB NOT NULL, seq INTEGER NOT NULL, subject BLOB NOT NULL, job BLOB NOT NULL,
  generation INTEGER NOT NULL, cause INTEGER NOT NULL, via_group BLOB NOT NULL, state INTEGER NOT NULL,
  at INTEGER NOT NULL, decided INTEGER NOT NULL, actor TEXT NOT NULL, listing BLOB NOT NULL,
  PRIMARY KEY(scope, hold, seq)) WITHOUT ROWID;
CREATE INDEX hold_item_subject ON hold_item(scope, subject, hold, seq);
CREATE INDEX hold_item_listing ON hold_item(scope, hold, listing);
)sql",
    // `meta.lastModified` in filters and as an order.
    R"sql(
CREATE INDEX resource_modified ON resource(scope, type, modified, id) WHERE deleted = 0;
)sql",
    R"sql(
CREATE TABLE chore(
  scope INTEGER NOT NULL, name TEXT NOT NULL, due INTEGER NOT NULL, state TEXT NOT NULL,
  PRIMARY KEY(scope, name)) WITHOUT ROWID;
CREATE TABLE finding(
  scope INTEGER NOT NULL, run BLOB NOT NULL, n INTEGER NOT NULL, kind INTEGER NOT NULL, subject BLOB NOT NULL,
  account_id TEXT NOT NULL, account_login TEXT NOT NULL, note TEXT NOT NULL, job BLOB NOT NULL,
  PRIMARY KEY(scope, run, n)) WITHOUT ROWID;
)sql",
    // Values that one resource has at a time: the unique attributes of custom schemas.
    R"sql(
CREATE TABLE claim(
  scope INTEGER NOT NULL, key TEXT NOT NULL, owner BLOB NOT NULL, PRIMARY KEY(scope, key)) WITHOUT ROWID;
)sql",
    // Who is told by HTTP, how far they have come, and what is on its way to them.
    R"sql(
CREATE TABLE webhook(
  scope INTEGER NOT NULL, id BLOB NOT NULL, integration BLOB NOT NULL, name TEXT NOT NULL, url TEXT NOT NULL,
  events TEXT NOT NULL, secrets TEXT NOT NULL, created INTEGER NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY(scope, id)) WITHOUT ROWID;
CREATE TABLE webhook_cursor(
  scope INTEGER NOT NULL, webhook BLOB NOT NULL, chain BLOB NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY(scope, webhook, chain)) WITHOUT ROWID;
CREATE TABLE delivery(
  did INTEGER PRIMARY KEY, scope INTEGER NOT NULL, webhook BLOB NOT NULL, id BLOB NOT NULL, state INTEGER NOT NULL,
  created INTEGER NOT NULL, due INTEGER NOT NULL, finished INTEGER NOT NULL, attempts INTEGER NOT NULL,
  status INTEGER NOT NULL, events INTEGER NOT NULL, error TEXT NOT NULL, body TEXT NOT NULL,
  version INTEGER NOT NULL);
CREATE UNIQUE INDEX delivery_id ON delivery(scope, webhook, id);
CREATE INDEX delivery_state ON delivery(scope, webhook, state, id);
)sql",
    // Who is gone is found by the name that they had.
    R"sql(
CREATE INDEX resource_gone_name ON resource(scope, user_name, modified, id)
  WHERE deleted = 1 AND user_name <> '';
)sql",
    // Webhooks with authorities of their own, and messages that a person has sent again.
    R"sql(
ALTER TABLE webhook ADD COLUMN ca_pem TEXT NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN resent INTEGER NOT NULL DEFAULT 0;
)sql",
    // Sources besides SCIM push: their last complete lists in pieces, and what they said of subjects.
    R"sql(
ALTER TABLE integration ADD COLUMN sources INTEGER NOT NULL DEFAULT 0;
CREATE TABLE source(
  scope INTEGER NOT NULL, id BLOB NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, config TEXT NOT NULL,
  secrets TEXT NOT NULL, created INTEGER NOT NULL, generation INTEGER NOT NULL, base INTEGER NOT NULL,
  places INTEGER NOT NULL, header BLOB NOT NULL, users INTEGER NOT NULL, begun INTEGER NOT NULL, work BLOB NOT NULL,
  attempted INTEGER NOT NULL, succeeded INTEGER NOT NULL, failing_since INTEGER NOT NULL, failure TEXT NOT NULL,
  failures INTEGER NOT NULL, due INTEGER NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY(scope, id)) WITHOUT ROWID;
CREATE TABLE source_piece(
  pid INTEGER PRIMARY KEY, scope INTEGER NOT NULL, source BLOB NOT NULL, part INTEGER NOT NULL,
  place INTEGER NOT NULL, generation INTEGER NOT NULL, bytes BLOB NOT NULL);
CREATE UNIQUE INDEX source_piece_place ON source_piece(scope, source, part, place, generation);
CREATE TABLE source_grant(
  scope INTEGER NOT NULL, subject BLOB NOT NULL, source BLOB NOT NULL, says INTEGER NOT NULL, cause INTEGER NOT NULL,
  begun INTEGER NOT NULL, evidence_at INTEGER NOT NULL, PRIMARY KEY(scope, subject, source)) WITHOUT ROWID;
)sql",
    // What members are called, where the IdP says so; and whom a source is to be read again for.
    R"sql(
ALTER TABLE member ADD COLUMN display TEXT;
CREATE INDEX source_grant_hint ON source_grant(scope, source, subject) WHERE says = 4;
)sql",
    // What connectors keep between two starts.
    R"sql(
CREATE TABLE checkpoint(
  cid INTEGER PRIMARY KEY, scope INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, UNIQUE(scope, name));
)sql",
};

/// Makes the tables, or brings those of an older version up to `known`. Errors: `store_version`,
/// `store_corrupt` where the file is something else, and those of SQLite; the file is then as it was.
[[nodiscard]] Result<void> prepare_schema(Connection& connection, const std::string& path, std::int64_t known);

}  // namespace deprov::store
