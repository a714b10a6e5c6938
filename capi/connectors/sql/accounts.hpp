// What deprov asks of a database, by the operator's statements.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include "sql/database.hpp"

namespace deprov_sql {

using deprov_sdk::Account;
using deprov_sdk::Call;
using deprov_sdk::Reply;

class Accounts {
 public:
  Accounts(const Config& config, const deprov_sdk::Connection& connection)
      : config_(config), database_(config, connection) {}

  Reply check(const Patience& patience);
  Reply find(const Call& call, const Patience& patience);
  Reply read(const Call& call, const Patience& patience);
  Reply list(const Call& call, const Patience& patience);
  Reply set_active(const Call& call, bool active, const Patience& patience);
  Reply remove(const Call& call, const Patience& patience);
  Reply revoke_sessions(const Call& call, const Patience& patience);

 private:
  /// Within one transaction that is rolled back unless `f` answers DONE.
  Reply within(bool read_only, const Patience& patience, const std::function<Reply()>& f);
  /// The row of this id, if there is one. Throws Failure: AMBIGUOUS.
  std::optional<Row> find_row(std::string_view id, const Patience& patience);
  /// Throws Failure: NOT_FOUND, AMBIGUOUS.
  Row row_of(std::string_view id, const Patience& patience);
  struct Effects {
    bool acted = false;   ///< a row was changed, or a statement that counts none was carried out
    bool missed = false;  ///< a statement that should have changed a row has changed none
  };
  /// Runs them one after the other. Throws Failure: AMBIGUOUS.
  Effects run_all(const Statements& statements, const Values& values, const Patience& patience);

  const Config& config_;
  Database database_;
};

}  // namespace deprov_sql
