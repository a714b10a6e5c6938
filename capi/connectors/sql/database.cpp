#include "sql/database.hpp"
#include <poll.h>
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include "common/text.hpp"
#include "sql/outcome.hpp"

namespace deprov_sql {

namespace {

constexpr auto longest_idle = std::chrono::seconds(60);
constexpr std::size_t most_of_a_value = std::size_t{64} << 10U;
constexpr std::size_t most_columns = 200;
/// NAMEDATALEN - 1: the server would cut a longer name off, and mean somebody else.
constexpr std::size_t most_of_a_name = 63;
constexpr Oid boolean_type = 16;
/// How much longer a COMMIT is waited for once somebody wants the call to end.
constexpr int last_wait_ms = 1000;

void ignore_notice(void*, const PGresult*) {}

/// True: the socket is ready, or broken, which reading shows.
bool wait_for(int fd, short events, int ms) {
  pollfd p{fd, events, 0};
  return ::poll(&p, 1, ms) > 0;
}

std::string text_or_nothing(const char* s) {
  std::string out = s == nullptr ? "" : s;
  return deprov_connectors::is_utf8(out) ? out : std::string("(a text that is not UTF-8)");
}

std::string field(const PGresult* result, int code) { return text_or_nothing(PQresultErrorField(result, code)); }

[[noreturn]] void refused(const std::string& where, const PGresult* result) {
  const auto state = field(result, PG_DIAG_SQLSTATE);
  std::string detail = where;
  detail.append(": ").append(field(result, PG_DIAG_MESSAGE_PRIMARY));
  if (const auto more = field(result, PG_DIAG_MESSAGE_DETAIL); !more.empty())
    detail.append(" (").append(more).append(")");
  detail.append(" [").append(state).append("]");
  throw Failure(outcome_of(state), detail);
}

}  // namespace

Database::Database(const Config& config, deprov_sdk::Connection connection)
    : config_(config), connection_(connection) {}

Database::~Database() = default;

/// Nothing is due on a connection between two calls: what can be read is its end.
bool Database::is_stale() const {
  if (idle_.is_more_than(longest_idle) || PQtransactionStatus(pg_.get()) != PQTRANS_IDLE) return true;
  return wait_for(PQsocket(pg_.get()), POLLIN, 0);
}

void Database::lost(const std::string& what, std::int32_t outcome) {
  const auto message = pg_ ? first_line(text_or_nothing(PQerrorMessage(pg_.get()))) : std::string{};
  pg_.reset();
  throw Failure(outcome, message.empty() ? what : what + ": " + message);
}

// What is not set here a file of libpq's or the environment could set.
void Database::connect(const Patience& patience) {
  auto password = connection_.secret("password").value_or("");
  const std::array<std::pair<const char*, const char*>, 15> options{{
      {"host", config_.host.c_str()},
      {"port", config_.port.c_str()},
      {"dbname", config_.database.c_str()},
      {"user", config_.user.c_str()},
      {"password", password.c_str()},
      {"passfile", "/nonexistent/deprov"},
      {"sslmode", config_.sslmode.c_str()},
      {"sslrootcert", config_.authorities ? config_.authorities->path().c_str() : ""},
      {"ssl_min_protocol_version", "TLSv1.2"},
      {"gssencmode", "disable"},
      {"client_encoding", "UTF8"},
      {"application_name", "deprov"},
      {"target_session_attrs", "any"},
      {"keepalives_idle", "60"},
      {nullptr, nullptr},
  }};
  std::array<const char*, 15> names{}, values{};
  for (std::size_t i = 0; i < options.size(); ++i) {
    names[i] = options[i].first;
    values[i] = options[i].second;
  }
  pg_.reset(PQconnectStartParams(names.data(), values.data(), 0));
  deprov_connectors::wipe(password);
  if (!pg_) throw Failure(DEPROV_OUTCOME_NOT_SENT, "libpq has no memory");
  (void)PQsetNoticeReceiver(pg_.get(), &ignore_notice, nullptr);  // else it writes to standard error
  (void)PQsetErrorVerbosity(pg_.get(), PQERRORS_VERBOSE);         // else the SQLSTATE of a refusal is not told
  const auto where = "connecting to " + config_.host;
  if (PQstatus(pg_.get()) == CONNECTION_BAD) lost(where, DEPROV_OUTCOME_NOT_SENT);
  const int wanted_left = std::max(0, patience.left_ms() - config_.connect_timeout_ms);
  for (auto state = PGRES_POLLING_WRITING; state != PGRES_POLLING_OK;) {
    if (patience.is_cancelled()) {
      pg_.reset();
      throw Failure(DEPROV_OUTCOME_CANCELLED, "cancelled before anything was sent");
    }
    if (patience.left_ms() <= wanted_left) {
      pg_.reset();
      throw Failure(DEPROV_OUTCOME_NOT_SENT, where + ": no connection in time");
    }
    const short events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    if (!wait_for(PQsocket(pg_.get()), events, std::max(1, patience.slice_ms()))) continue;
    state = PQconnectPoll(pg_.get());
    if (state == PGRES_POLLING_FAILED) {
      const auto code = sqlstate_in(text_or_nothing(PQerrorMessage(pg_.get())));
      lost(where, code.empty() ? DEPROV_OUTCOME_NOT_SENT : outcome_of(code));
    }
  }
  (void)PQsetErrorVerbosity(pg_.get(), PQERRORS_TERSE);
  // Statements were read by these rules; and UTF-8 is what replies are made of.
  (void)execute("connecting", "SELECT set_config('standard_conforming_strings', 'on', false)", {}, 1, patience);
}

void Database::begin(bool read_only, const Patience& patience) {
  if (pg_ && is_stale()) pg_.reset();
  try {
    if (!pg_) connect(patience);
    (void)execute("BEGIN", read_only ? "BEGIN READ ONLY" : "BEGIN", {}, 1, patience);
    const auto time = std::to_string(std::max(1, std::min(config_.statement_timeout_ms, patience.left_ms())));
    const auto lock = std::to_string(std::max(1, config_.lock_timeout_ms));
    (void)execute("BEGIN",
                  "SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', $2, true), "
                  "set_config('idle_in_transaction_session_timeout', '60000', true)",
                  {time.c_str(), lock.c_str()}, 1, patience);
  } catch (const Failure& e) {
    pg_.reset();
    // Of the change itself nothing was sent.
    if (e.outcome() == DEPROV_OUTCOME_DEADLINE) throw Failure(DEPROV_OUTCOME_NOT_SENT, e.what());
    throw;
  }
}

void Database::send(const char* sql, const std::vector<const char*>& values, const Patience&) {
  const auto n = static_cast<int>(values.size());
  // The extended protocol takes one statement, whatever stands in it.
  if (PQsendQueryParams(pg_.get(), sql, n, nullptr, n == 0 ? nullptr : values.data(), nullptr, nullptr, 0) != 1 ||
      PQsetSingleRowMode(pg_.get()) != 1)
    lost("the connection was lost, and what was begun is rolled back", DEPROV_OUTCOME_UNAVAILABLE);
}

Database::Result Database::next(const Patience& patience, std::int32_t outcome) {
  const bool commits = outcome == DEPROV_OUTCOME_UNKNOWN_OUTCOME;
  for (int last = last_wait_ms; PQisBusy(pg_.get()) == 1;) {
    const bool ends = patience.is_over() || patience.is_cancelled();
    if (ends && (!commits || patience.is_over() || last <= 0)) {
      // The server notices the end of the connection, and its statement_timeout in any case; it rolls back.
      pg_.reset();
      if (commits) throw Failure(outcome, "the COMMIT was not answered before the call ended");
      throw Failure(patience.is_cancelled() ? DEPROV_OUTCOME_CANCELLED : DEPROV_OUTCOME_DEADLINE,
                    "the server did not answer before the call ended; what was begun is rolled back");
    }
    const int slice = std::max(1, patience.slice_ms());
    if (ends) last -= slice;
    if (!wait_for(PQsocket(pg_.get()), POLLIN, slice)) continue;
    if (PQconsumeInput(pg_.get()) != 1) {
      lost(commits ? "the connection was lost before the COMMIT was answered"
                   : "the connection was lost, and what was begun is rolled back",
           outcome);
    }
  }
  return Result(PQgetResult(pg_.get()));
}

void Database::take_row(const std::string& where, const PGresult* result, std::size_t most_rows, Ran& ran) {
  const auto columns = static_cast<std::size_t>(PQnfields(result));
  if (ran.rows.size() == most_rows || columns > most_columns) {
    pg_.reset();  // the rest is not wanted
    throw Failure(DEPROV_OUTCOME_INVALID_REQUEST, where + ": has more than " + std::to_string(most_rows) +
                                                      " rows, or more than " + std::to_string(most_columns) +
                                                      " columns");
  }
  Row row;
  for (int i = 0; i < static_cast<int>(columns); ++i) {
    const std::string name = text_or_nothing(PQfname(result, i));
    auto& value = row.values[name];
    if (PQgetisnull(result, 0, i) != 0) continue;
    value.emplace(PQgetvalue(result, 0, i), static_cast<std::size_t>(PQgetlength(result, 0, i)));
    if (value->size() > most_of_a_value) {
      std::string why = where;
      why.append(": the column ").append(name).append(" has a value of more than ");
      throw Failure(DEPROV_OUTCOME_INVALID_REQUEST, why.append(std::to_string(most_of_a_value)).append(" bytes"));
    }
    if (name != "active") continue;
    if (PQftype(result, i) != boolean_type)
      throw Failure(DEPROV_OUTCOME_INVALID_REQUEST, where + ": the column active is no boolean");
    row.active = *value == "t";
  }
  ran.rows.push_back(std::move(row));
}

Ran Database::execute(const std::string& where, const char* sql, const std::vector<const char*>& values,
                      std::size_t most_rows, const Patience& patience) {
  send(sql, values, patience);
  Ran ran;
  Result failed;
  while (auto result = next(patience, DEPROV_OUTCOME_UNAVAILABLE)) {
    switch (PQresultStatus(result.get())) {
      case PGRES_SINGLE_TUPLE: take_row(where, result.get(), most_rows, ran); break;
      case PGRES_TUPLES_OK:
      case PGRES_COMMAND_OK: {
        const auto n = deprov_connectors::to_number(PQcmdTuples(result.get()));
        if (n && *n >= 0) ran.affected = static_cast<std::size_t>(*n);
        break;
      }
      case PGRES_FATAL_ERROR: failed = std::move(result); break;
      default:
        pg_.reset();
        throw Failure(DEPROV_OUTCOME_INVALID_REQUEST, std::string(where).append(": has neither rows nor none"));
    }
    if (failed && PQstatus(pg_.get()) == CONNECTION_BAD) break;
  }
  if (!failed) return ran;
  if (PQresultErrorField(failed.get(), PG_DIAG_SQLSTATE) == nullptr)
    lost("the connection was lost, and what was begun is rolled back", DEPROV_OUTCOME_UNAVAILABLE);
  refused(where, failed.get());
}

Ran Database::run(const Statement& statement, const Values& values, std::size_t most_rows,
                  const Patience& patience) {
  const auto value_of = [&](const std::string& name) -> const std::optional<std::string>& {
    const auto it = values.find(name);
    if (it == values.end()) {
      throw Failure(DEPROV_OUTCOME_INVALID_REQUEST, statement.where() + ": there is no parameter :" + name +
                                                        "; the statement \"read\" shows no such column");
    }
    if (it->second && it->second->find('\0') != std::string::npos)
      throw Failure(DEPROV_OUTCOME_INVALID_REQUEST, statement.where() + ": :" + name + " has a zero byte in it");
    return it->second;
  };
  std::string sql;
  for (const auto& piece : statement.pieces()) {
    if (piece.kind == Statement::Piece::Kind::text) {
      sql += piece.text;
    } else if (piece.kind == Statement::Piece::Kind::value) {
      sql.append("$").append(std::to_string(piece.number));
    } else {
      const auto& name = value_of(piece.text);
      if (!name || name->empty() || name->size() > most_of_a_name)
        throw Failure(DEPROV_OUTCOME_INVALID_REQUEST, statement.where() + ": :\"" + piece.text +
                                                          "\" is no name of 1 to " +
                                                          std::to_string(most_of_a_name) + " bytes");
      char* quoted = PQescapeIdentifier(pg_.get(), name->data(), name->size());
      if (quoted == nullptr)
        throw Failure(DEPROV_OUTCOME_INVALID_REQUEST,
                      statement.where() + ": :\"" + piece.text + "\" cannot be quoted");
      sql += quoted;
      PQfreemem(quoted);
    }
  }
  std::vector<const char*> bound;
  for (const auto& name : statement.values()) {
    const auto& value = value_of(name);
    bound.push_back(value ? value->c_str() : nullptr);
  }
  auto ran = execute(statement.where(), sql.c_str(), bound, most_rows, patience);
  if (PQtransactionStatus(pg_.get()) != PQTRANS_INTRANS) {
    pg_.reset();
    throw Failure(DEPROV_OUTCOME_UNKNOWN_OUTCOME, statement.where() + ": has ended the transaction");
  }
  return ran;
}

void Database::commit(const Patience& patience) {
  if (patience.is_cancelled()) {
    rollback();
    throw Failure(DEPROV_OUTCOME_CANCELLED, "cancelled before the COMMIT; what was begun is rolled back");
  }
  if (PQsendQueryParams(pg_.get(), "COMMIT", 0, nullptr, nullptr, nullptr, nullptr, 0) != 1)
    lost("the connection was lost at the COMMIT", DEPROV_OUTCOME_UNKNOWN_OUTCOME);
  Result answer;
  while (auto result = next(patience, DEPROV_OUTCOME_UNKNOWN_OUTCOME)) {
    if (!answer) answer = std::move(result);
    if (PQstatus(pg_.get()) == CONNECTION_BAD) break;
  }
  idle_.begin_anew();
  if (answer && PQresultStatus(answer.get()) == PGRES_COMMAND_OK) {
    if (std::strcmp(PQcmdStatus(answer.get()), "COMMIT") == 0) return;
    throw Failure(DEPROV_OUTCOME_CONFLICT_STATE, "the transaction had failed, and was rolled back");
  }
  // A deferred constraint speaks up here, and the server has rolled back; without a SQLSTATE it has said nothing.
  if (answer && PQresultErrorField(answer.get(), PG_DIAG_SQLSTATE) != nullptr &&
      PQstatus(pg_.get()) == CONNECTION_OK)
    refused("COMMIT", answer.get());
  lost("the connection was lost before the COMMIT was answered", DEPROV_OUTCOME_UNKNOWN_OUTCOME);
}

void Database::rollback() noexcept {
  if (!pg_ || PQtransactionStatus(pg_.get()) == PQTRANS_IDLE) return;
  if (PQtransactionStatus(pg_.get()) == PQTRANS_ACTIVE) return pg_.reset();  // something is under way
  if (PQsendQueryParams(pg_.get(), "ROLLBACK", 0, nullptr, nullptr, nullptr, nullptr, 0) != 1) return pg_.reset();
  for (int left = 2000;;) {
    if (PQisBusy(pg_.get()) == 1) {
      if (left <= 0) return pg_.reset();
      left -= 50;
      if (wait_for(PQsocket(pg_.get()), POLLIN, 50) && PQconsumeInput(pg_.get()) != 1) return pg_.reset();
      continue;
    }
    const Result result(PQgetResult(pg_.get()));
    if (!result) break;
  }
  idle_.begin_anew();
  if (PQtransactionStatus(pg_.get()) != PQTRANS_IDLE) pg_.reset();
}

}  // namespace deprov_sql
