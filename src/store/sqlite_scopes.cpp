// The small numbers that stand for (workspace, integration).
#include "sqlite_reader.hpp"
#include "sqlite_rows.hpp"

namespace deprov::store {

using namespace port;

std::int64_t Scopes::find(const Scope& scope) {
  if (last_id_ >= 0 && scope == last_) return last_id_;
  auto it = known_.find(scope);
  if (it == known_.end()) {
    Use use(c_, Q::scope_find, scope.workspace.value.bytes, scope.integration.value.bytes);
    if (!use.row()) return no_scope;
    it = known_.emplace(scope, use.integer()).first;
  }
  last_ = scope;
  last_id_ = it->second;
  return it->second;
}

Result<std::int64_t> Scopes::make(const Scope& scope) {
  if (const auto id = find(scope); id != no_scope) return id;
  DEPROV_CHECK(c_.check());
  Use use(c_, Q::scope_insert, scope.workspace.value.bytes, scope.integration.value.bytes);
  DEPROV_CHECK(use.write());
  const auto id = c_.last_rowid();
  if (id > max_scope)
    return Error(Errc::limit_exceeded, "a store has at most " + std::to_string(max_scope) + " integrations",
                 "store");
  known_.emplace(scope, id);
  return id;
}

}  // namespace deprov::store
