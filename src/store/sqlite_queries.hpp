// Every statement of the SQLite store, prepared once per connection. `:n` are the parameters in order.
#pragma once

#include <array>
#include <cstddef>

namespace deprov::store {

#define DEPROV_RESOURCE_COLUMNS \
  "id, type, version, active, deleted, created, modified, external_id, user_name, display_name, emails, document"
#define DEPROV_RESOURCE_COLUMNS_R                                                                     \
  "r.id, r.type, r.version, r.active, r.deleted, r.created, r.modified, r.external_id, r.user_name, " \
  "r.display_name, r.emails, r.document"
#define DEPROV_JOB_COLUMNS                                                                                    \
  "id, subject, generation, kind, state, priority, created, due, deadline, evidence_at, finished, attempts, " \
  "lease, lane_epoch, cause, via_group, via_inferred, version, reason, plan"
#define DEPROV_INTEGRATION_COLUMNS                                                                     \
  "i.name, i.idp, i.connector, i.config, i.secrets, i.settings, i.policy, i.policy_version, i.state, " \
  "i.created, i.modified, i.version, i.sources, s.workspace, s.integration"
#define DEPROV_SOURCE_COLUMNS                                                                                   \
  "id, name, kind, config, secrets, created, generation, base, places, header, users, begun, work, attempted, " \
  "succeeded, failing_since, failure, failures, due, version"
#define DEPROV_BINDING_COLUMNS \
  "subject, state, account_id, account_login, was_bound, last_set, checked_at, version"
#define DEPROV_HOLD_COLUMNS "id, opened, closed, window_from, reason, items, held, listing"
#define DEPROV_HOLD_ITEM_COLUMNS \
  "hold, seq, subject, job, generation, cause, via_group, state, at, decided, actor, listing"
#define DEPROV_ACTIVITY_COLUMNS "key, at, event, actor, subject, job, hash, detail_hash, salt, detail"

#define DEPROV_QUERIES(X)                                                                                         \
  X(begin, "BEGIN")                                                                                               \
  X(begin_immediate, "BEGIN IMMEDIATE")                                                                           \
  X(commit, "COMMIT")                                                                                             \
  X(rollback, "ROLLBACK")                                                                                         \
  X(savepoint, "SAVEPOINT t")                                                                                     \
  X(release, "RELEASE t")                                                                                         \
  X(rollback_to, "ROLLBACK TO t")                                                                                 \
  X(scope_find, "SELECT id FROM scope WHERE workspace = ? AND integration = ?")                                   \
  X(scope_insert, "INSERT INTO scope(workspace, integration) VALUES(?, ?)")                                       \
                                                                                                                  \
  X(workspace_get, "SELECT id, name, created FROM workspace WHERE id = ?")                                        \
  X(workspace_all, "SELECT id, name, created FROM workspace ORDER BY id")                                         \
  X(workspace_put,                                                                                                \
    "INSERT INTO workspace(id, name, created) VALUES(?, ?, ?) "                                                   \
    "ON CONFLICT(id) DO UPDATE SET name = excluded.name, created = excluded.created")                             \
  X(principal_all,                                                                                                \
    "SELECT workspace, id, name, role, token_hash, created, version FROM principal WHERE workspace = ? ORDER BY " \
    "id")                                                                                                         \
  X(principal_get,                                                                                                \
    "SELECT workspace, id, name, role, token_hash, created, version FROM principal WHERE workspace = ? AND id = " \
    "?")                                                                                                          \
  X(principal_by_token,                                                                                           \
    "SELECT workspace, id, name, role, token_hash, created, version FROM principal WHERE token_hash = ?")         \
  X(principal_owners, "SELECT count(*) FROM principal WHERE workspace = ? AND role = 1")                          \
  X(principal_put,                                                                                                \
    "INSERT INTO principal(workspace, id, name, role, token_hash, created, version) VALUES(?, ?, ?, ?, ?, ?, ?) " \
    "ON CONFLICT(workspace, id) DO UPDATE SET name = excluded.name, role = excluded.role, "                       \
    "token_hash = excluded.token_hash, created = excluded.created, version = excluded.version")                   \
  X(principal_remove, "DELETE FROM principal WHERE workspace = ? AND id = ?")                                     \
  X(integration_version, "SELECT version FROM integration WHERE scope = ?")                                       \
  X(integration_get,                                                                                              \
    "SELECT " DEPROV_INTEGRATION_COLUMNS " FROM integration i JOIN scope s ON s.id = i.scope WHERE i.scope = ?")  \
  X(integration_all, "SELECT " DEPROV_INTEGRATION_COLUMNS                                                         \
                     " FROM integration i JOIN scope s ON s.id = i.scope "                                        \
                     "WHERE i.state <> 3 ORDER BY i.created, s.integration, s.workspace")                         \
  X(integration_of_workspace, "SELECT " DEPROV_INTEGRATION_COLUMNS                                                \
                              " FROM scope s JOIN integration i ON s.id = i.scope "                               \
                              "WHERE s.workspace = ? AND i.state <> 3 ORDER BY i.created, s.integration")         \
  X(integration_put,                                                                                              \
    "INSERT OR REPLACE INTO integration(scope, name, idp, connector, config, secrets, settings, policy, "         \
    "policy_version, state, created, modified, version, sources) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "  \
    "?)")                                                                                                         \
  X(token_get,                                                                                                    \
    "SELECT t.hash, t.created, t.expires, s.workspace, s.integration FROM gateway_token t "                       \
    "JOIN scope s ON s.id = t.scope WHERE t.hash = ?")                                                            \
  X(token_all,                                                                                                    \
    "SELECT t.hash, t.created, t.expires, s.workspace, s.integration FROM gateway_token t "                       \
    "JOIN scope s ON s.id = t.scope WHERE t.scope = ? ORDER BY t.hash")                                           \
  X(token_scope, "SELECT scope FROM gateway_token WHERE hash = ?")                                                \
  X(token_put, "INSERT OR REPLACE INTO gateway_token(hash, scope, created, expires) VALUES(?, ?, ?, ?)")          \
  X(token_expire,                                                                                                 \
    "UPDATE gateway_token SET expires = ?1 WHERE scope = ?2 AND hash <> ?3 AND (expires IS NULL OR expires > "    \
    "?1)")                                                                                                        \
                                                                                                                  \
  X(resource_get, "SELECT " DEPROV_RESOURCE_COLUMNS " FROM resource WHERE scope = ? AND id = ?")                  \
  X(resource_state,                                                                                               \
    "SELECT version, rid, type, deleted, external_id, user_name, display_name, emails FROM resource "             \
    "WHERE scope = ? AND id = ?")                                                                                 \
  X(resource_insert,                                                                                              \
    "INSERT INTO resource(scope, id, type, version, active, deleted, created, modified, external_id, user_name, " \
    "display_name, emails, document) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                              \
  X(resource_update,                                                                                              \
    "UPDATE resource SET version = version + 1, active = ?, created = ?, modified = ?, document = ? "             \
    "WHERE scope = ? AND id = ? AND version = ? AND deleted = ? AND type = ?")                                    \
  X(resource_rewrite,                                                                                             \
    "UPDATE resource SET version = version + 1, active = ?, deleted = ?, created = ?, modified = ?, "             \
    "external_id = ?, user_name = ?, display_name = ?, emails = ?, document = ? WHERE rid = ?")                   \
  X(resource_touch,                                                                                               \
    "UPDATE resource SET version = version + 1, modified = ? WHERE scope = ? AND id = ? RETURNING version")       \
  X(resource_user_name, "SELECT " DEPROV_RESOURCE_COLUMNS                                                         \
                        " FROM resource WHERE scope = ? AND user_name = ? AND type = ? "                          \
                        "AND deleted = 0 AND user_name <> ''")                                                    \
  X(resource_user_name_any, "SELECT " DEPROV_RESOURCE_COLUMNS                                                     \
                            " FROM resource WHERE scope = ? AND user_name = ? "                                   \
                            "AND deleted = 0 AND user_name <> '' ORDER BY id LIMIT ?")                            \
  X(resource_external, "SELECT " DEPROV_RESOURCE_COLUMNS                                                          \
                       " FROM resource WHERE scope = ?1 AND external_id = ?2 AND external_id <> '' "              \
                       "AND deleted = 0 AND (?3 = '' OR type = ?3) ORDER BY id LIMIT ?4")                         \
  X(resource_display, "SELECT " DEPROV_RESOURCE_COLUMNS                                                           \
                      " FROM resource WHERE scope = ?1 AND display_name = ?2 "                                    \
                      "AND display_name <> '' AND deleted = 0 AND (?3 = '' OR type = ?3) ORDER BY id LIMIT ?4")   \
  X(resource_email,                                                                                               \
    "SELECT " DEPROV_RESOURCE_COLUMNS_R                                                                           \
    " FROM resource_email e CROSS JOIN resource r ON r.scope = e.scope "                                          \
    "AND r.id = e.id WHERE e.scope = ?1 AND e.email = ?2 AND (?3 = '' OR r.type = ?3) ORDER BY e.id LIMIT ?4")    \
  X(resource_of_member,                                                                                           \
    "SELECT " DEPROV_RESOURCE_COLUMNS_R                                                                           \
    " FROM member m CROSS JOIN resource r ON r.scope = m.scope "                                                  \
    "AND r.id = m.grp WHERE m.scope = ?1 AND m.member = ?2 AND r.deleted = 0 AND (?3 = '' OR r.type = ?3) "       \
    "ORDER BY m.grp LIMIT ?4")                                                                                    \
  X(resource_tombstones, "SELECT " DEPROV_RESOURCE_COLUMNS                                                        \
                         " FROM resource WHERE scope = ?1 AND external_id = ?2 AND external_id <> '' "            \
                         "AND deleted = 1 AND (?3 = '' OR type = ?3) ORDER BY modified DESC, id DESC")            \
  X(resource_tombstones_named,                                                                                    \
    "SELECT " DEPROV_RESOURCE_COLUMNS                                                                             \
    " FROM resource INDEXED BY resource_gone_name WHERE scope = ?1 AND user_name = ?2 "                           \
    "AND user_name <> '' AND deleted = 1 AND (?3 = '' OR type = ?3) "                                             \
    "ORDER BY modified DESC, id DESC LIMIT ?4")                                                                   \
  X(resource_page, "SELECT " DEPROV_RESOURCE_COLUMNS                                                              \
                   " FROM resource WHERE scope = ? AND type = ? AND id > ? AND deleted = 0 "                      \
                   "ORDER BY id LIMIT ? OFFSET ?")                                                                \
  X(resource_page_any, "SELECT " DEPROV_RESOURCE_COLUMNS                                                          \
                       " FROM resource WHERE scope = ? AND id > ? AND deleted = 0 "                               \
                       "ORDER BY id LIMIT ? OFFSET ?")                                                            \
  X(resource_modified_up, "SELECT " DEPROV_RESOURCE_COLUMNS                                                       \
                          " FROM resource INDEXED BY resource_modified WHERE scope = ? AND type = ? "             \
                          "AND deleted = 0 AND (modified, id) > (?, ?) AND modified <= ? "                        \
                          "ORDER BY modified, id LIMIT ?")                                                        \
  X(resource_modified_down, "SELECT " DEPROV_RESOURCE_COLUMNS                                                     \
                            " FROM resource INDEXED BY resource_modified WHERE scope = ? AND type = ? "           \
                            "AND deleted = 0 AND (modified, id) < (?, ?) AND modified >= ? "                      \
                            "ORDER BY modified DESC, id DESC LIMIT ?")                                            \
  X(resource_user_name_up, "SELECT " DEPROV_RESOURCE_COLUMNS                                                      \
                           " FROM resource INDEXED BY resource_user_name WHERE scope = ? AND type = ? "           \
                           "AND user_name > ? AND deleted = 0 AND user_name <> '' ORDER BY user_name LIMIT ?")    \
  X(resource_user_name_down, "SELECT " DEPROV_RESOURCE_COLUMNS                                                    \
                             " FROM resource INDEXED BY resource_user_name WHERE scope = ? AND type = ? "         \
                             "AND user_name < ? AND deleted = 0 AND user_name <> '' "                             \
                             "ORDER BY user_name DESC LIMIT ?")                                                   \
  X(resource_count, "SELECT n FROM resource_count WHERE scope = ? AND type = ?")                                  \
  X(resource_count_any, "SELECT total(n) FROM resource_count WHERE scope = ?")                                    \
  X(resource_count_add,                                                                                           \
    "INSERT INTO resource_count(scope, type, n) VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n")    \
  X(email_insert, "INSERT OR IGNORE INTO resource_email(scope, email, id) VALUES(?, ?, ?)")                       \
  X(email_remove, "DELETE FROM resource_email WHERE scope = ? AND email = ? AND id = ?")                          \
                                                                                                                  \
  X(claim_insert, "INSERT OR IGNORE INTO claim(scope, key, owner) VALUES(?, ?, ?)")                               \
  X(claim_owner, "SELECT owner FROM claim WHERE scope = ? AND key = ?")                                           \
  X(claim_remove, "DELETE FROM claim WHERE scope = ? AND key = ? AND owner = ?")                                  \
                                                                                                                  \
  X(member_insert,                                                                                                \
    "INSERT OR IGNORE INTO member(scope, grp, member, is_group, display) VALUES(?, ?, ?, ?, nullif(?, ''))")      \
  X(member_name,                                                                                                  \
    "UPDATE member SET display = nullif(?1, '') WHERE scope = ?2 AND grp = ?3 AND member = ?4 "                   \
    "AND display IS NOT nullif(?1, '')")                                                                          \
  X(member_remove, "DELETE FROM member WHERE scope = ? AND grp = ? AND member = ?")                               \
  X(member_page,                                                                                                  \
    "SELECT member, is_group, display FROM member WHERE scope = ? AND grp = ? AND member > ? "                    \
    "ORDER BY member LIMIT ?")                                                                                    \
  X(member_get, "SELECT is_group, display FROM member WHERE scope = ? AND grp = ? AND member = ?")                \
  X(member_has, "SELECT 1 FROM member WHERE scope = ? AND grp = ? AND member = ?")                                \
  X(member_groups,                                                                                                \
    "SELECT m.grp FROM member m CROSS JOIN resource r ON r.scope = m.scope AND r.id = m.grp "                     \
    "WHERE m.scope = ? AND m.member = ? AND r.deleted = 0 ORDER BY m.grp")                                        \
  X(group_size, "SELECT n FROM group_size WHERE scope = ? AND grp = ?")                                           \
  X(group_size_add,                                                                                               \
    "INSERT INTO group_size(scope, grp, n) VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n")         \
                                                                                                                  \
  X(subject_get,                                                                                                  \
    "SELECT grants_version, access, generation, desired, cause, via_group, via_inferred, evidence_at, "           \
    "policy_version, job, last_deactivated, last_group_lost, last_group_lost_at, counted_at FROM subject "        \
    "WHERE scope = ? AND id = ?")                                                                                 \
  X(subject_versions, "SELECT grants_version, generation FROM subject WHERE scope = ? AND id = ?")                \
  X(subject_update,                                                                                               \
    "UPDATE subject SET grants_version = grants_version + 1, access = ?, generation = ?, desired = ?, cause = "   \
    "?, "                                                                                                         \
    "via_group = ?, via_inferred = ?, evidence_at = ?, policy_version = ?, job = ?, last_deactivated = ?, "       \
    "last_group_lost = ?, last_group_lost_at = ?, counted_at = ? WHERE scope = ? AND id = ?")                     \
  X(subject_update_if,                                                                                            \
    "UPDATE subject SET grants_version = grants_version + 1, access = ?, generation = ?, desired = ?, cause = "   \
    "?, "                                                                                                         \
    "via_group = ?, via_inferred = ?, evidence_at = ?, policy_version = ?, job = ?, last_deactivated = ?, "       \
    "last_group_lost = ?, last_group_lost_at = ?, counted_at = ? WHERE scope = ? AND id = ? AND grants_version "  \
    "= ?")                                                                                                        \
  X(subject_insert,                                                                                               \
    "INSERT INTO subject(grants_version, access, generation, desired, cause, via_group, via_inferred, "           \
    "evidence_at, policy_version, job, last_deactivated, last_group_lost, last_group_lost_at, counted_at, "       \
    "scope, id) "                                                                                                 \
    "VALUES(1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                                                     \
  X(subject_raise, "UPDATE subject SET grants_version = grants_version + 1 WHERE scope = ? AND id = ?")           \
  X(binding_get, "SELECT " DEPROV_BINDING_COLUMNS " FROM binding WHERE scope = ? AND subject = ?")                \
  X(binding_by_account, "SELECT " DEPROV_BINDING_COLUMNS                                                          \
                        " FROM binding WHERE scope = ? AND account_id = ? AND state = 1 "                         \
                        "AND account_id <> '' ORDER BY subject LIMIT 1")                                          \
  X(binding_version, "SELECT version FROM binding WHERE scope = ? AND subject = ?")                               \
  X(binding_insert,                                                                                               \
    "INSERT INTO binding(state, account_id, account_login, was_bound, last_set, checked_at, version, scope, "     \
    "subject) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)")                                                                 \
  X(binding_update,                                                                                               \
    "UPDATE binding SET state = ?, account_id = ?, account_login = ?, was_bound = ?, last_set = ?, "              \
    "checked_at = ?, version = ? WHERE scope = ? AND subject = ?")                                                \
                                                                                                                  \
  X(change_insert,                                                                                                \
    "INSERT INTO history(scope, subject, kind, ref, at, what, grp, source, request, n) "                          \
    "VALUES(?, ?, 1, ?, ?, ?, ?, ?, ?, ?)")                                                                       \
  X(change_page,                                                                                                  \
    "SELECT ref, at, what, grp, source, request, n FROM history WHERE scope = ? AND subject = ? AND kind = 1 "    \
    "ORDER BY ref DESC LIMIT ?")                                                                                  \
  X(history_insert, "INSERT INTO history(scope, subject, kind, ref) VALUES(?, ?, ?, ?)")                          \
  X(history_after,                                                                                                \
    "SELECT ref FROM history WHERE scope = ? AND subject = ? AND kind = ? AND ref > ? ORDER BY ref LIMIT ?")      \
  X(history_before,                                                                                               \
    "SELECT ref FROM history WHERE scope = ? AND subject = ? AND kind = ? AND ref < ? ORDER BY ref DESC")         \
                                                                                                                  \
  X(job_get, "SELECT " DEPROV_JOB_COLUMNS " FROM job WHERE scope = ? AND id = ?")                                 \
  X(job_done_get, "SELECT " DEPROV_JOB_COLUMNS " FROM job_done WHERE scope = ? AND id = ?")                       \
  X(job_state, "SELECT version, jid, subject, state, priority, due, lease FROM job WHERE scope = ? AND id = ?")   \
  X(job_done_version, "SELECT version FROM job_done WHERE scope = ? AND id = ?")                                  \
  X(job_insert, "INSERT INTO job(scope, " DEPROV_JOB_COLUMNS                                                      \
                ") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                        \
  X(job_done_insert, "INSERT INTO job_done(scope, " DEPROV_JOB_COLUMNS                                            \
                     ") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                   \
  X(job_update,                                                                                                   \
    "UPDATE job SET generation = ?, kind = ?, created = ?, deadline = ?, evidence_at = ?, finished = ?, "         \
    "attempts = ?, lease = ?, lane_epoch = ?, cause = ?, via_group = ?, via_inferred = ?, version = ?, reason = " \
    "?, "                                                                                                         \
    "plan = ? WHERE jid = ?")                                                                                     \
  X(job_move,                                                                                                     \
    "UPDATE job SET state = ?, priority = ?, due = ?, generation = ?, kind = ?, created = ?, deadline = ?, "      \
    "evidence_at = ?, finished = ?, attempts = ?, lease = ?, lane_epoch = ?, cause = ?, via_group = ?, "          \
    "via_inferred = ?, version = ?, reason = ?, plan = ? WHERE jid = ?")                                          \
  X(job_remove, "DELETE FROM job WHERE jid = ?")                                                                  \
  X(job_count_add,                                                                                                \
    "INSERT INTO job_count(scope, state, n) VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n")        \
  X(job_counts, "SELECT state, n FROM job_count WHERE scope = ? AND n <> 0")                                      \
  X(job_page, "SELECT " DEPROV_JOB_COLUMNS " FROM job WHERE scope = ? AND id < ? ORDER BY id DESC LIMIT ?")       \
  X(job_page_state, "SELECT " DEPROV_JOB_COLUMNS                                                                  \
                    " FROM job INDEXED BY job_queue WHERE scope = ? AND state = ? AND id < ? "                    \
                    "ORDER BY id DESC LIMIT ?")                                                                   \
  X(job_done_page,                                                                                                \
    "SELECT " DEPROV_JOB_COLUMNS " FROM job_done WHERE scope = ? AND id < ? ORDER BY id DESC LIMIT ?")            \
  X(job_done_page_state, "SELECT " DEPROV_JOB_COLUMNS                                                             \
                         " FROM job_done WHERE scope = ? AND state = ? AND id < ? AND state <> 8 "                \
                         "ORDER BY id DESC LIMIT ?")                                                              \
  X(job_done_page_verified, "SELECT " DEPROV_JOB_COLUMNS                                                          \
                            " FROM job_done WHERE scope = ? AND id < ? AND state = 8 ORDER BY id DESC LIMIT ?")   \
  X(job_next_priority,                                                                                            \
    "SELECT priority FROM job WHERE scope = ? AND state = ? AND priority > ? ORDER BY priority LIMIT 1")          \
  X(job_due, "SELECT " DEPROV_JOB_COLUMNS                                                                         \
             " FROM job WHERE scope = ? AND state = ? AND priority = ? AND due <= ? "                             \
             "ORDER BY due, id LIMIT ?")                                                                          \
  X(job_orphans, "SELECT " DEPROV_JOB_COLUMNS                                                                     \
                 " FROM job WHERE scope = ? AND state = 5 AND priority = ? AND lane_epoch < ? "                   \
                 "ORDER BY due, id LIMIT ?")                                                                      \
  X(job_next_due,                                                                                                 \
    "SELECT due FROM job WHERE scope = ? AND state = ? AND priority = ? AND due > ? ORDER BY due LIMIT 1")        \
                                                                                                                  \
  X(lane_get, "SELECT owner, epoch, until, paused FROM lane WHERE scope = ?")                                     \
  X(lane_put, "INSERT OR REPLACE INTO lane(scope, owner, epoch, until, paused) VALUES(?, ?, ?, ?, ?)")            \
  X(due_insert, "INSERT OR IGNORE INTO due(scope, subject, kind, at, since, payload) VALUES(?, ?, ?, ?, ?, ?)")   \
  X(due_remove, "DELETE FROM due WHERE scope = ? AND subject = ? AND kind = ?")                                   \
  X(due_page,                                                                                                     \
    "SELECT subject, kind, at, since, payload FROM due WHERE scope = ? AND at <= ? ORDER BY at, subject, kind "   \
    "LIMIT ?")                                                                                                    \
  X(due_next, "SELECT min(at) FROM due WHERE scope = ?")                                                          \
  X(work_state, "SELECT version, wid FROM work WHERE scope = ? AND id = ?")                                       \
  X(work_insert,                                                                                                  \
    "INSERT INTO work(scope, id, grp, kind, cursor, total, done, created, version) "                              \
    "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)")                                                                          \
  X(work_update,                                                                                                  \
    "UPDATE work SET grp = ?, kind = ?, cursor = ?, total = ?, done = ?, created = ?, version = ? WHERE wid = ?") \
  X(work_payload_put, "INSERT OR REPLACE INTO work_payload(wid, payload) VALUES(?, ?)")                           \
  X(work_advance,                                                                                                 \
    "UPDATE work SET version = version + 1, cursor = ?, done = ? WHERE scope = ? AND id = ? AND version = ?")     \
  X(work_remove, "DELETE FROM work WHERE wid = ?")                                                                \
  X(work_payload_remove, "DELETE FROM work_payload WHERE wid = ?")                                                \
  X(work_page,                                                                                                    \
    "SELECT w.id, w.grp, w.kind, w.cursor, w.total, w.done, w.created, w.version, p.payload FROM work w "         \
    "CROSS JOIN work_payload p ON p.wid = w.wid WHERE w.scope = ? ORDER BY w.id LIMIT ?")                         \
  X(work_last, "SELECT id FROM work WHERE scope = ? AND grp = ? ORDER BY id DESC LIMIT 1")                        \
                                                                                                                  \
  X(activity_insert, "INSERT INTO activity(" DEPROV_ACTIVITY_COLUMNS ") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")    \
  X(activity_head, "SELECT key, hash FROM activity WHERE key > ? AND key <= ? ORDER BY key DESC LIMIT 1")         \
  X(activity_page,                                                                                                \
    "SELECT " DEPROV_ACTIVITY_COLUMNS " FROM activity WHERE key > ? AND key <= ? ORDER BY key LIMIT ?")           \
  X(activity_get, "SELECT " DEPROV_ACTIVITY_COLUMNS " FROM activity WHERE key = ?")                               \
  X(activity_page_nobody, "SELECT " DEPROV_ACTIVITY_COLUMNS                                                       \
                          " FROM activity WHERE key > ? AND key <= ? AND length(subject) = 0 "                    \
                          "ORDER BY key LIMIT ?")                                                                 \
  X(integration_ever, "SELECT " DEPROV_INTEGRATION_COLUMNS                                                        \
                      " FROM scope s JOIN integration i ON s.id = i.scope "                                       \
                      "WHERE s.workspace = ? ORDER BY i.created, s.integration")                                  \
  X(activity_span, "SELECT min(key), max(key) FROM activity WHERE key > ? AND key <= ? AND at >= ? AND at < ?")   \
  X(details_delete,                                                                                               \
    "UPDATE activity SET salt = NULL, detail = NULL WHERE key > ? AND key <= ? AND at < ? "                       \
    "AND (salt IS NOT NULL OR detail IS NOT NULL)")                                                               \
  X(chore_get, "SELECT due, state FROM chore WHERE scope = ? AND name = ?")                                       \
  X(chore_put, "INSERT OR REPLACE INTO chore(scope, name, due, state) VALUES(?, ?, ?, ?)")                        \
  X(finding_put,                                                                                                  \
    "INSERT OR REPLACE INTO finding(scope, run, n, kind, subject, account_id, account_login, note, job) "         \
    "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)")                                                                          \
  X(finding_page,                                                                                                 \
    "SELECT n, kind, subject, account_id, account_login, note, job FROM finding "                                 \
    "WHERE scope = ? AND run = ? AND n > ? ORDER BY n LIMIT ?")                                                   \
  X(finding_remove,                                                                                               \
    "DELETE FROM finding WHERE (scope, run, n) IN (SELECT scope, run, n FROM finding "                            \
    "WHERE scope = ? AND run <> ? ORDER BY run, n LIMIT ?)")                                                      \
  X(source_version, "SELECT version FROM source WHERE scope = ? AND id = ?")                                      \
  X(source_get, "SELECT " DEPROV_SOURCE_COLUMNS " FROM source WHERE scope = ? AND id = ?")                        \
  X(source_all, "SELECT " DEPROV_SOURCE_COLUMNS " FROM source WHERE scope = ? ORDER BY created, id")              \
  X(source_put, "INSERT OR REPLACE INTO source(scope, " DEPROV_SOURCE_COLUMNS                                     \
                ") "                                                                                              \
                "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                          \
  X(source_remove, "DELETE FROM source WHERE scope = ? AND id = ?")                                               \
  X(source_piece_put,                                                                                             \
    "INSERT OR REPLACE INTO source_piece(scope, source, part, place, generation, bytes) VALUES(?, ?, ?, ?, ?, "   \
    "?)")                                                                                                         \
  X(source_piece_page,                                                                                            \
    "SELECT place, generation, bytes FROM source_piece p WHERE scope = ?1 AND source = ?2 AND part = ?3 "         \
    "AND place >= ?6 AND generation = (SELECT max(generation) FROM source_piece q WHERE q.scope = ?1 "            \
    "AND q.source = ?2 AND q.part = ?3 AND q.place = p.place AND q.generation BETWEEN ?4 AND ?5) "                \
    "ORDER BY place LIMIT ?7")                                                                                    \
  X(source_piece_prune,                                                                                           \
    "DELETE FROM source_piece WHERE pid IN (SELECT p.pid FROM source_piece p "                                    \
    "WHERE p.scope = ?1 AND p.source = ?2 AND (?4 = 0 OR (p.part = 0 AND (p.generation < ?3 OR p.generation > "   \
    "?4 "                                                                                                         \
    "OR EXISTS (SELECT 1 FROM source_piece q WHERE q.scope = ?1 AND q.source = ?2 AND q.part = 0 "                \
    "AND q.place = p.place AND q.generation > p.generation AND q.generation BETWEEN ?3 AND ?4))) "                \
    "OR (p.part = 1 AND p.generation <> ?4)) ORDER BY p.part, p.place, p.generation LIMIT ?5)")                   \
  X(grant_put,                                                                                                    \
    "INSERT OR REPLACE INTO source_grant(scope, subject, source, says, cause, begun, evidence_at) "               \
    "VALUES(?, ?, ?, ?, ?, ?, ?)")                                                                                \
  X(grant_remove, "DELETE FROM source_grant WHERE scope = ? AND subject = ?")                                     \
  X(grant_remove_one, "DELETE FROM source_grant WHERE scope = ? AND subject = ? AND source = ?")                  \
  X(grant_all,                                                                                                    \
    "SELECT source, says, cause, begun, evidence_at FROM source_grant WHERE scope = ? AND subject = ? "           \
    "ORDER BY source")                                                                                            \
  X(grant_hinted,                                                                                                 \
    "SELECT subject FROM source_grant INDEXED BY source_grant_hint WHERE scope = ? AND subject > ? "              \
    "AND source = ? AND says = 4 ORDER BY subject LIMIT ?")                                                       \
  X(grant_subjects,                                                                                               \
    "SELECT DISTINCT subject FROM source_grant WHERE scope = ? AND subject > ? AND says <> 4 "                    \
    "ORDER BY subject LIMIT ?")                                                                                   \
  X(checkpoint_get, "SELECT value FROM checkpoint WHERE scope = ? AND name = ?")                                  \
  X(checkpoint_others, "SELECT count(*) FROM checkpoint WHERE scope = ? AND name <> ?")                           \
  X(checkpoint_put, "INSERT OR REPLACE INTO checkpoint(scope, name, value) VALUES(?, ?, ?)")                      \
  X(checkpoint_remove, "DELETE FROM checkpoint WHERE scope = ? AND name = ?")                                     \
  X(checkpoint_remove_all, "DELETE FROM checkpoint WHERE scope = ?")                                              \
  X(webhook_all,                                                                                                  \
    "SELECT s.workspace, w.id, w.integration, w.name, w.url, w.events, w.ca_pem, w.secrets, w.created, "          \
    "w.version "                                                                                                  \
    "FROM webhook w JOIN scope s ON s.id = w.scope ORDER BY w.created, w.id, s.workspace")                        \
  X(webhook_page,                                                                                                 \
    "SELECT s.workspace, w.id, w.integration, w.name, w.url, w.events, w.ca_pem, w.secrets, w.created, "          \
    "w.version "                                                                                                  \
    "FROM webhook w JOIN scope s ON s.id = w.scope WHERE w.scope = ? ORDER BY w.created, w.id")                   \
  X(webhook_version, "SELECT version FROM webhook WHERE scope = ? AND id = ?")                                    \
  X(webhook_put,                                                                                                  \
    "INSERT OR REPLACE INTO webhook(scope, id, integration, name, url, events, ca_pem, secrets, created, "        \
    "version) "                                                                                                   \
    "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                                                                       \
  X(webhook_remove, "DELETE FROM webhook WHERE scope = ? AND id = ?")                                             \
  X(webhook_cursor_get, "SELECT seq FROM webhook_cursor WHERE scope = ? AND webhook = ? AND chain = ?")           \
  X(webhook_cursor_all, "SELECT chain, seq FROM webhook_cursor WHERE scope = ? AND webhook = ? ORDER BY chain")   \
  X(webhook_cursor_put, "INSERT OR REPLACE INTO webhook_cursor(scope, webhook, chain, seq) VALUES(?, ?, ?, ?)")   \
  X(webhook_cursors_remove, "DELETE FROM webhook_cursor WHERE scope = ? AND webhook = ?")                         \
  X(delivery_version, "SELECT version FROM delivery WHERE scope = ? AND webhook = ? AND id = ?")                  \
  X(delivery_insert,                                                                                              \
    "INSERT INTO delivery(scope, webhook, id, state, created, due, finished, resent, attempts, status, events, "  \
    "error, "                                                                                                     \
    "body, version) "                                                                                             \
    "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                                                           \
  X(delivery_update,                                                                                              \
    "UPDATE delivery SET state = ?, created = ?, due = ?, finished = ?, resent = ?, attempts = ?, status = ?, "   \
    "events = ?, "                                                                                                \
    "error = ?, body = ?, version = ? WHERE scope = ? AND webhook = ? AND id = ?")                                \
  X(delivery_page,                                                                                                \
    "SELECT id, state, created, due, finished, resent, attempts, status, events, error, body, version "           \
    "FROM delivery WHERE scope = ? AND webhook = ? AND id < ? ORDER BY id DESC LIMIT ?")                          \
  X(delivery_page_state,                                                                                          \
    "SELECT id, state, created, due, finished, resent, attempts, status, events, error, body, version FROM "      \
    "delivery "                                                                                                   \
    "WHERE scope = ? AND webhook = ? AND state = ? AND id < ? ORDER BY id DESC LIMIT ?")                          \
  X(deliveries_remove, "DELETE FROM delivery WHERE scope = ? AND webhook = ?")                                    \
  X(deliveries_prune,                                                                                             \
    "DELETE FROM delivery WHERE did IN (SELECT did FROM delivery WHERE scope = ? AND webhook = ? AND state = ? "  \
    "ORDER BY id DESC LIMIT -1 OFFSET ?)")                                                                        \
  X(counter_all, "SELECT minute, n FROM guard_counter WHERE scope = ? AND counter = ?")                           \
  X(counter_add,                                                                                                  \
    "INSERT INTO guard_counter(scope, counter, minute, n) VALUES(?, ?, ?, ?) "                                    \
    "ON CONFLICT DO UPDATE SET n = n + excluded.n")                                                               \
  X(population_add,                                                                                               \
    "INSERT INTO population(scope, minute, n) VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n")      \
  X(population_old, "SELECT total(n) FROM population WHERE scope = ? AND minute > 0 AND minute <= ?")             \
  X(population_prune, "DELETE FROM population WHERE scope = ? AND minute > 0 AND minute <= ?")                    \
  X(population_all, "SELECT minute, n FROM population WHERE scope = ? ORDER BY minute")                           \
  X(hold_open, "SELECT " DEPROV_HOLD_COLUMNS " FROM hold WHERE scope = ? AND closed = 0")                         \
  X(hold_get, "SELECT " DEPROV_HOLD_COLUMNS " FROM hold WHERE scope = ? AND id = ?")                              \
  X(hold_page, "SELECT " DEPROV_HOLD_COLUMNS " FROM hold WHERE scope = ? AND id < ? ORDER BY id DESC LIMIT ?")    \
  X(hold_insert, "INSERT INTO hold(scope, " DEPROV_HOLD_COLUMNS ") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)")            \
  X(hold_update, "UPDATE hold SET closed = ?, items = ?, held = ?, listing = ? WHERE scope = ? AND id = ?")       \
  X(hold_item_insert,                                                                                             \
    "INSERT INTO hold_item(scope, " DEPROV_HOLD_ITEM_COLUMNS ") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")   \
  X(hold_item_update,                                                                                             \
    "UPDATE hold_item SET state = ?, decided = ?, actor = ? WHERE scope = ? AND hold = ? AND seq = ?")            \
  X(hold_item_state, "SELECT state FROM hold_item WHERE scope = ? AND hold = ? AND seq = ?")                      \
  X(hold_item_page, "SELECT " DEPROV_HOLD_ITEM_COLUMNS                                                            \
                    " FROM hold_item WHERE scope = ? AND hold = ? AND seq > ? ORDER BY seq LIMIT ?")              \
  X(hold_item_of, "SELECT " DEPROV_HOLD_ITEM_COLUMNS                                                              \
                  " FROM hold_item WHERE scope = ? AND subject = ? ORDER BY hold DESC, seq DESC LIMIT 1")         \
  X(hold_item_at,                                                                                                 \
    "SELECT " DEPROV_HOLD_ITEM_COLUMNS " FROM hold_item WHERE scope = ? AND hold = ? AND listing = ?")            \
  X(due_get, "SELECT subject, kind, at, since, payload FROM due WHERE scope = ? AND subject = ? AND kind = ?")    \
  X(due_kind,                                                                                                     \
    "SELECT subject, kind, at, since, payload FROM due WHERE scope = ? AND kind = ? ORDER BY subject LIMIT ?")    \
  X(due_kind_after,                                                                                               \
    "SELECT subject, kind, at, since, payload FROM due WHERE scope = ? AND subject > ? AND kind = ? "             \
    "ORDER BY subject LIMIT ?")                                                                                   \
  X(counter_prune, "DELETE FROM guard_counter WHERE scope = ? AND counter = ? AND minute <= ?")                   \
  X(counter_sweep, "DELETE FROM guard_counter WHERE scope = ? AND minute <= ?")                                   \
  X(batch_insert, "INSERT INTO committed_batch(txns) VALUES(?)")                                                  \
  X(batch_prune, "DELETE FROM committed_batch WHERE batch <= ?")                                                  \
  X(batch_all, "SELECT txns FROM committed_batch ORDER BY batch DESC")

enum class Q : std::size_t {
#define DEPROV_QUERY_NAME(name, sql) name,
  DEPROV_QUERIES(DEPROV_QUERY_NAME)
#undef DEPROV_QUERY_NAME
      count_
};

inline constexpr std::array<const char*, static_cast<std::size_t>(Q::count_)> query_texts{
#define DEPROV_QUERY_TEXT(name, sql) sql,
    DEPROV_QUERIES(DEPROV_QUERY_TEXT)
#undef DEPROV_QUERY_TEXT
};

}  // namespace deprov::store
