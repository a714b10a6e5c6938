// What the ops on changes, jobs, lanes, due evaluations, work, activity do.
#include <algorithm>
#include "problems.hpp"
#include "sqlite_rows.hpp"
#include "sqlite_writer.hpp"

namespace deprov::store {

using namespace port;

Result<void> SqliteWriter::apply(const op::AppendChange& o) {
  const auto& r = o.row;
  DEPROV_TRY(scope, scope_for_writing(r.scope));
  Use use(c_, Q::change_insert, scope, r.subject, r.id, r.at, r.kind, r.group, r.source, r.request, r.count);
  if (use.run() == Use::Ran::constraint) return conflicting(named("change", r.id), "was appended before");
  DEPROV_CHECK(c_.check());
  wrote_ = true;
  return {};
}

Result<void> SqliteWriter::insert_job(std::int64_t scope, const JobRow& r, std::uint64_t version) {
  DEPROV_CHECK(write(is_finished(r.state) ? Q::job_done_insert : Q::job_insert, scope, r.id, r.subject,
                     r.generation, r.kind, r.state, r.priority, r.created, r.due, r.deadline, r.evidence_at,
                     r.finished, r.attempts, r.lease, r.lane_epoch, r.cause, r.via_group, r.via_inferred, version,
                     r.reason, r.plan));
  txn_jobs_.push_back({{scope, r.state}, 1});
  return {};
}

Result<void> SqliteWriter::apply(const op::PutJob& o) {
  const auto& r = o.row;
  const auto scope = scopes_.find(r.scope);
  std::uint64_t version = 0;
  std::int64_t jid = 0;
  ResourceId subject;
  JobState state{};
  std::uint8_t priority = 0;
  WallTime due;
  LeaseToken lease;
  if (r.version > 0 || o.lease) {
    Use use(c_, Q::job_state, scope, r.id);
    if (use.row()) use.read_all(version, jid, subject, state, priority, due, lease);
    DEPROV_CHECK(c_.check());
    if (o.lease && (version == 0 || lease != *o.lease)) return fenced_lease(r.id);
    if (version == 0) {
      Use done(c_, Q::job_done_version, scope, r.id);
      if (done.row()) {
        const auto now = static_cast<std::uint64_t>(done.integer());
        if (now != r.version) return stale(named("job", r.id), r.version, now);
        return conflicting(named("job", r.id), "is finished");
      }
      DEPROV_CHECK(c_.check());
    }
    if (version != r.version) return stale(named("job", r.id), r.version, version);
  }
  if (version == 0) {
    DEPROV_TRY(number, scope_for_writing(r.scope));
    // Its line in the subject's history stays when the job moves, and shows that the id was used.
    Use use(c_, Q::history_insert, number, r.subject, HistoryKind::job, r.id);
    if (use.run() == Use::Ran::constraint) return stale(named("job", r.id), 0, 1);
    DEPROV_CHECK(c_.check());
    wrote_ = true;
    return insert_job(number, r, 1);
  }
  if (subject != r.subject) return conflicting(named("job", r.id), "belongs to another subject");
  if (is_finished(r.state)) {
    DEPROV_CHECK(write(Q::job_remove, jid));
    txn_jobs_.push_back({{scope, state}, -1});
    return insert_job(scope, r, version + 1);
  }
  const auto run = [&](Q query, const auto&... moved) {
    return write(query, moved..., r.generation, r.kind, r.created, r.deadline, r.evidence_at, r.finished,
                 r.attempts, r.lease, r.lane_epoch, r.cause, r.via_group, r.via_inferred, version + 1, r.reason,
                 r.plan, jid);
  };
  if (state == r.state && priority == r.priority && due == r.due) {
    DEPROV_CHECK(run(Q::job_update));  // its place in the queue is left alone
    return {};
  }
  DEPROV_CHECK(run(Q::job_move, r.state, r.priority, r.due));
  txn_jobs_.push_back({{scope, state}, -1});
  txn_jobs_.push_back({{scope, r.state}, 1});
  return {};
}

Result<void> SqliteWriter::apply(const op::PutLane& o) {
  DEPROV_TRY(scope, scope_for_writing(o.row.scope));
  DEPROV_CHECK(write(Q::lane_put, scope, o.row.owner, o.row.epoch, o.row.until, o.row.paused));
  lanes_[scope] = o.row.epoch;
  return {};
}

Result<void> SqliteWriter::apply(const op::PutDue& o) {
  const auto& r = o.row;
  DEPROV_TRY(scope, scope_for_writing(r.scope));
  DEPROV_CHECK(write(Q::due_insert, scope, r.subject, r.kind, r.at, r.since, r.payload));
  return {};
}

Result<void> SqliteWriter::apply(const op::RemoveDue& o) {
  DEPROV_CHECK(write(Q::due_remove, scopes_.find(o.scope), o.subject, o.kind));
  return {};
}

namespace {
struct WorkState {
  std::uint64_t version = 0;
  std::int64_t wid = 0;
};
Result<WorkState> work_state(Connection& c, std::int64_t scope, WorkId id) {
  Use use(c, Q::work_state, scope, id);
  WorkState state;
  if (use.row()) use.read_all(state.version, state.wid);
  DEPROV_CHECK(c.check());
  return state;
}
}  // namespace

Result<void> SqliteWriter::apply(const op::PutWork& o) {
  const auto& r = o.row;
  DEPROV_TRY(old, work_state(c_, scopes_.find(r.scope), r.id));
  if (old.version != r.version) return stale(named("work", r.id), r.version, old.version);
  DEPROV_TRY(scope, scope_for_writing(r.scope));
  auto wid = old.wid;
  if (r.version == 0) {
    DEPROV_CHECK(write(Q::work_insert, scope, r.id, r.group, r.kind, r.cursor, r.total, r.done, r.created, 1));
    wid = c_.last_rowid();
  } else {
    DEPROV_CHECK(write(Q::work_update, r.group, r.kind, r.cursor, r.total, r.done, r.created, r.version + 1, wid));
  }
  DEPROV_CHECK(write(Q::work_payload_put, wid, r.payload));
  return {};
}

Result<void> SqliteWriter::apply(const op::AdvanceWork& o) {
  const auto scope = scopes_.find(o.scope);
  Use use(c_, Q::work_advance, o.cursor, o.done, scope, o.id, o.version);
  DEPROV_CHECK(use.write());
  if (use.changed() == 1) {
    wrote_ = true;
    return {};
  }
  DEPROV_TRY(old, work_state(c_, scope, o.id));
  return stale(named("work", o.id), o.version, old.version);
}

Result<void> SqliteWriter::apply(const op::RemoveWork& o) {
  DEPROV_TRY(old, work_state(c_, scopes_.find(o.scope), o.id));
  if (old.version == 0) return {};
  DEPROV_CHECK(write(Q::work_remove, old.wid));
  DEPROV_CHECK(write(Q::work_payload_remove, old.wid));
  return {};
}

Result<ChainHead*> SqliteWriter::chain(std::int64_t scope) {
  const auto [it, added] = chains_.try_emplace(scope);
  if (added) {
    Use use(c_, Q::activity_head, activity_key(scope, 0), activity_key(scope + 1, 0) - 1);
    if (use.row()) {
      it->second.seq = activity_seq(use.integer());
      use.read(it->second.hash);
    }
    if (c_.failed()) {
      chains_.erase(it);
      return c_.check().error();
    }
  }
  return &it->second;
}

Result<void> SqliteWriter::apply(const op::AppendActivity& o) {
  DEPROV_TRY(scope, scope_for_writing(o.scope));
  DEPROV_TRY(head, chain(scope));
  ActivityRow row;
  row.scope = o.scope;
  row.seq = head->seq + 1;
  row.at = o.at;
  row.event = o.event;
  row.actor = o.actor;
  row.subject = o.subject;
  row.job = o.job;
  row.detail_hash = activity_detail_hash(crypto_, o.salt, o.detail);
  row.hash = activity_hash(crypto_, head->hash, row);
  DEPROV_CHECK(write(Q::activity_insert, activity_key(scope, row.seq), row.at, row.event, row.actor, row.subject,
                     row.job, row.hash, row.detail_hash, o.salt, o.detail));
  if (!row.subject.is_nil())
    DEPROV_CHECK(write(Q::history_insert, scope, row.subject, HistoryKind::activity, seq_ref(row.seq)));
  *head = {row.seq, row.hash};
  out_.activity_seqs.push_back(row.seq);
  return {};
}

}  // namespace deprov::store
