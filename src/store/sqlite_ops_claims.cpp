// Keys that one owner has at a time.
#include "problems.hpp"
#include "sqlite_writer.hpp"

namespace deprov::store {

using namespace port;

Result<void> SqliteWriter::apply(const op::ClaimKey& o) {
  DEPROV_TRY(scope, scope_for_writing(o.scope));
  {
    Use use(c_, Q::claim_insert, scope, o.key, o.owner);
    DEPROV_CHECK(use.write());
    if (use.changed() == 1) {
      wrote_ = true;
      return {};
    }
  }
  Use use(c_, Q::claim_owner, scope, o.key);
  ResourceId owner;
  if (use.row()) use.read(owner);
  DEPROV_CHECK(c_.check());
  return owner == o.owner ? Result<void>() : Result<void>(key_taken(o.attribute));
}

Result<void> SqliteWriter::apply(const op::ReleaseKey& o) {
  DEPROV_CHECK(write(Q::claim_remove, scopes_.find(o.scope), o.key, o.owner));
  return {};
}

}  // namespace deprov::store
