// What connectors keep.
#include "problems.hpp"
#include "sqlite_writer.hpp"

namespace deprov::store {

using namespace port;

Result<void> SqliteWriter::apply(const op::PutCheckpoint& o) {
  if (o.value.empty()) {
    DEPROV_CHECK(write(Q::checkpoint_remove, scopes_.find(o.scope), o.name));
    return {};
  }
  DEPROV_TRY(scope, scope_for_writing(o.scope));
  {
    Use use(c_, Q::checkpoint_others, scope, o.name);
    std::uint64_t others = 0;
    if (use.row()) others = static_cast<std::uint64_t>(use.integer());
    DEPROV_CHECK(c_.check());
    if (others >= o.most) return too_many_checkpoints(o.name, o.most);
  }
  DEPROV_CHECK(write(Q::checkpoint_put, scope, o.name, o.value));
  return {};
}

Result<void> SqliteWriter::apply(const op::RemoveCheckpoints& o) {
  DEPROV_CHECK(write(Q::checkpoint_remove_all, scopes_.find(o.scope)));
  return {};
}

}  // namespace deprov::store
