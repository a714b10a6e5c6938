// Views over SQLite.
#pragma once

#include <deprov/port/store.hpp>
#include <map>
#include <memory>
#include "sqlite_db.hpp"

namespace deprov::store {

/// The small numbers that stand for (workspace, integration) in every key. A number never changes its meaning.
class Scopes {
 public:
  explicit Scopes(Connection& connection) : c_(connection) {}
  /// `no_scope` where nothing was ever written to it.
  std::int64_t find(const port::Scope& scope);
  /// Gives it a number where it has none. Errors: those of SQLite, `limit_exceeded`.
  Result<std::int64_t> make(const port::Scope& scope);
  /// After a roll-back: what was made in it is gone.
  void forget() {
    known_.clear();
    last_id_ = -1;
  }

 private:
  Connection& c_;
  std::map<port::Scope, std::int64_t> known_;
  port::Scope last_;
  std::int64_t last_id_ = -1;
};

/// Reads through a connection, inside whatever transaction it has.
[[nodiscard]] std::unique_ptr<port::Reader> make_sqlite_reader(Connection& connection, Scopes& scopes);

}  // namespace deprov::store
