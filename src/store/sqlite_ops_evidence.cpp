// What the ops on retention, recurring duties and findings do.
#include <algorithm>
#include "sqlite_rows.hpp"
#include "sqlite_writer.hpp"

namespace deprov::store {

using namespace port;

Result<void> SqliteWriter::apply(const op::DeleteDetails& o) {
  const auto scope = scopes_.find(o.scope);
  DEPROV_CHECK(c_.check());
  std::int64_t deleted = 0;
  const auto upto = std::min(o.upto, (std::uint64_t{1} << activity_seq_bits) - 1);
  if (scope != no_scope && o.after < upto) {
    DEPROV_TRY(changed,
               write(Q::details_delete, activity_key(scope, o.after), activity_key(scope, upto), o.before));
    deleted = changed;
  }
  out_.details_deleted.push_back(static_cast<std::uint64_t>(deleted));
  return {};
}

Result<void> SqliteWriter::apply(const op::PutChore& o) {
  DEPROV_TRY(scope, scope_for_writing(o.row.scope));
  DEPROV_CHECK(write(Q::chore_put, scope, o.row.name, o.row.due, o.row.state));
  return {};
}

Result<void> SqliteWriter::apply(const op::PutFinding& o) {
  const auto& r = o.row;
  DEPROV_TRY(scope, scope_for_writing(r.scope));
  DEPROV_CHECK(
      write(Q::finding_put, scope, r.run, r.n, r.kind, r.subject, r.account_id, r.account_login, r.note, r.job));
  return {};
}

Result<void> SqliteWriter::apply(const op::RemoveFindings& o) {
  const auto scope = scopes_.find(o.scope);
  DEPROV_CHECK(c_.check());
  constexpr std::size_t most = std::size_t{1} << 40U;
  DEPROV_CHECK(write(Q::finding_remove, scope, o.keep, static_cast<std::int64_t>(std::min(o.limit, most))));
  return {};
}

}  // namespace deprov::store
