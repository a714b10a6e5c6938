// One connection to PostgreSQL, with time limits and cancellation. Used by one thread at a time.
#pragma once

#include <libpq-fe.h>
#include <deprov_connector.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include "common/threads.hpp"
#include "sql/config.hpp"

namespace deprov_sql {

using deprov_connectors::Failure;
using deprov_connectors::Patience;

/// By name; nothing is NULL.
using Values = std::map<std::string, std::optional<std::string>>;

struct Row {
  Values values;
  std::optional<bool> active;  ///< of a boolean column of that name
};

struct Ran {
  std::vector<Row> rows;
  std::optional<std::size_t> affected;  ///< nothing for statements that count no rows, such as ALTER ROLE
};

class Database {
 public:
  Database(const Config& config, deprov_sdk::Connection connection);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Connects where that is due. Throws Failure; nothing has happened then.
  void begin(bool read_only, const Patience& patience);
  /// Binds the values, quotes the identifiers. Throws Failure, with the transaction rolled back or about to be.
  Ran run(const Statement& statement, const Values& values, std::size_t most_rows, const Patience& patience);
  /// Throws Failure: UNKNOWN_OUTCOME where the server did not say what became of it.
  void commit(const Patience& patience);
  /// Of a transaction that is open, if one is.
  void rollback() noexcept;

 private:
  struct FreeResult {
    void operator()(PGresult* r) const noexcept { PQclear(r); }
  };
  using Result = std::unique_ptr<PGresult, FreeResult>;
  struct FreeConnection {
    void operator()(PGconn* c) const noexcept { PQfinish(c); }
  };

  void connect(const Patience& patience);
  [[nodiscard]] bool is_stale() const;
  [[noreturn]] void lost(const std::string& what, std::int32_t outcome);
  void send(const char* sql, const std::vector<const char*>& values, const Patience& patience);
  /// The next result of what was sent; nothing: there is no more. Throws Failure with `outcome` where the
  /// connection is lost or the time is over.
  Result next(const Patience& patience, std::int32_t outcome);
  Ran execute(const std::string& where, const char* sql, const std::vector<const char*>& values,
              std::size_t most_rows, const Patience& patience);
  void take_row(const std::string& where, const PGresult* result, std::size_t most_rows, Ran& ran);

  const Config& config_;
  deprov_sdk::Connection connection_;
  std::unique_ptr<PGconn, FreeConnection> pg_;
  deprov_connectors::Age idle_;
};

}  // namespace deprov_sql
