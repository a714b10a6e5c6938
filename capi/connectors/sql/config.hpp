// The configuration of a connection to a database; sql.json has its schema, README.md says what it means.
#pragma once

#include <deprov_connector.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include "common/authorities.hpp"
#include "sql/statement.hpp"

namespace deprov_sql {

using Statements = std::vector<Statement>;

struct Config {
  std::string host, port, database, user, sslmode;
  std::shared_ptr<const deprov_connectors::Authorities> authorities;  ///< none: the connection is not verified
  std::optional<Statement> find_external_id, find_user_name, find_email;
  Statements read, list;  ///< one each
  Statements disable, enable, revoke_sessions;
  std::optional<Statements> remove, remove_account;
  int connect_timeout_ms = 10'000;
  int statement_timeout_ms = 30'000;
  int lock_timeout_ms = 5'000;
  std::size_t connections = 2;
};

/// Throws std::invalid_argument, with the member's name and what to do.
Config parse_config(const deprov_sdk::Connection& connection);

}  // namespace deprov_sql
