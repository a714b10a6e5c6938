// What the ops on sources, their lists and their words do.
#include <algorithm>
#include "problems.hpp"
#include "sqlite_rows.hpp"
#include "sqlite_writer.hpp"

namespace deprov::store {

using namespace port;

namespace {
/// 0: there is none.
Result<std::uint64_t> source_version(Connection& c, std::int64_t scope, SourceId id) {
  Use use(c, Q::source_version, scope, id);
  std::uint64_t version = 0;
  if (use.row()) version = static_cast<std::uint64_t>(use.integer());
  DEPROV_CHECK(c.check());
  return version;
}
}  // namespace

Result<void> SqliteWriter::apply(const op::PutSource& o) {
  const auto& r = o.row;
  DEPROV_TRY(now, source_version(c_, scopes_.find(r.scope), r.id));
  if (now != r.version) return stale(named("source", r.id), r.version, now);
  DEPROV_TRY(scope, scope_for_writing(r.scope));
  DEPROV_CHECK(write(Q::source_put, scope, r.id, r.name, r.kind, r.config, r.secrets, r.created, r.generation,
                     r.base, r.places, r.header, r.users, r.begun, r.work, r.attempted, r.succeeded,
                     r.failing_since, r.failure, r.failures, r.due, r.version + 1));
  return {};
}

Result<void> SqliteWriter::apply(const op::RemoveSource& o) {
  const auto scope = scopes_.find(o.scope);
  DEPROV_TRY(now, source_version(c_, scope, o.id));
  if (now == 0) return no_such(named("source", o.id));
  DEPROV_CHECK(write(Q::source_remove, scope, o.id));
  return {};
}

Result<void> SqliteWriter::apply(const op::PutSourcePiece& o) {
  const auto& r = o.row;
  DEPROV_TRY(scope, scope_for_writing(r.scope));
  DEPROV_CHECK(write(Q::source_piece_put, scope, r.source, r.part, r.place, r.generation, r.bytes));
  return {};
}

Result<void> SqliteWriter::apply(const op::PruneSourcePieces& o) {
  const auto scope = scopes_.find(o.scope);
  DEPROV_CHECK(c_.check());
  constexpr std::size_t most = std::size_t{1} << 40U;
  DEPROV_TRY(pruned, write(Q::source_piece_prune, scope, o.source, o.base, o.generation,
                           static_cast<std::int64_t>(std::min(o.limit, most))));
  out_.pieces_pruned.push_back(static_cast<std::uint64_t>(pruned));
  return {};
}

Result<void> SqliteWriter::apply(const op::PutGrant& o) {
  const auto& r = o.row;
  DEPROV_TRY(scope, scope_for_writing(r.scope));
  DEPROV_CHECK(write(Q::grant_put, scope, r.subject, r.source, r.says, r.cause, r.begun, r.evidence_at));
  return {};
}

Result<void> SqliteWriter::apply(const op::RemoveGrants& o) {
  const auto scope = scopes_.find(o.scope);
  DEPROV_CHECK(c_.check());
  if (o.source) {
    DEPROV_CHECK(write(Q::grant_remove_one, scope, o.subject, *o.source));
    return {};
  }
  DEPROV_CHECK(write(Q::grant_remove, scope, o.subject));
  return {};
}

}  // namespace deprov::store
