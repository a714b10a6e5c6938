#include "sql/accounts.hpp"
#include <algorithm>
#include <utility>
#include "common/text.hpp"

namespace deprov_sql {

namespace {

/// Of a statement of which the rows do not matter, such as one pg_terminate_backend() for each session.
constexpr std::size_t most_rows_of_a_change = 10'000;

std::string text(const Row& row, const char* column) {
  const auto it = row.values.find(column);
  return it == row.values.end() || !it->second ? std::string{} : *it->second;
}

/// A JSON array of texts, as json_agg() and to_jsonb() make one.
std::vector<std::string> texts(const Row& row, const char* column) {
  std::vector<std::string> out;
  const auto value = text(row, column);
  if (value.empty()) return out;
  const deprov_sdk::Json json(value);
  for (std::size_t i = 0; i < json.count(""); ++i) out.push_back(json.text("/" + std::to_string(i)));
  return out;
}

Account account_of(const Statement& statement, const Row& row) {
  Account a;
  a.id = text(row, "id");
  if (a.id.empty())
    throw Failure(DEPROV_OUTCOME_INVALID_REQUEST,
                  statement.where() + ": a row has no column id, or nothing in it");
  a.user_name = text(row, "user_name");
  if (a.user_name.empty()) a.user_name = text(row, "login");
  a.external_id = text(row, "external_id");
  if (auto email = text(row, "email"); !email.empty()) a.emails.push_back(std::move(email));
  for (auto& email : texts(row, "emails")) a.emails.push_back(std::move(email));
  a.groups = texts(row, "groups");
  a.active = row.active;
  for (const auto* s : {&a.id, &a.user_name, &a.external_id})
    if (!deprov_connectors::is_utf8(*s))
      throw Failure(DEPROV_OUTCOME_PROTOCOL, statement.where() + ": a text is not UTF-8");
  return a;
}

bool has_zero(std::string_view s) { return s.find('\0') != std::string_view::npos; }

}  // namespace

Reply Accounts::within(bool read_only, const Patience& patience, const std::function<Reply()>& f) {
  database_.begin(read_only, patience);
  try {
    auto reply = f();
    if (reply.effect == DEPROV_EFFECT_DONE) {
      database_.commit(patience);
    } else {
      database_.rollback();
    }
    return reply;
  } catch (const Failure& e) {
    database_.rollback();
    // Rolled back, so that nothing of a change has happened: it is tried again.
    if (!read_only && e.outcome() == DEPROV_OUTCOME_DEADLINE) throw Failure(DEPROV_OUTCOME_UNAVAILABLE, e.what());
    if (!read_only && e.outcome() == DEPROV_OUTCOME_PROTOCOL)
      throw Failure(DEPROV_OUTCOME_INVALID_REQUEST, e.what());
    throw;
  } catch (...) {
    database_.rollback();
    throw;
  }
}

std::optional<Row> Accounts::find_row(std::string_view id, const Patience& patience) {
  const auto& statement = config_.read.front();
  if (id.empty()) return std::nullopt;
  auto ran = database_.run(statement, {{"id", std::string(id)}}, 2, patience);
  if (ran.rows.empty()) return std::nullopt;
  if (ran.rows.size() > 1)
    throw Failure(DEPROV_OUTCOME_AMBIGUOUS, statement.where() + ": more than one row has this id");
  if (text(ran.rows.front(), "id") != id)
    throw Failure(DEPROV_OUTCOME_INVALID_REQUEST, statement.where() + ": shows the row of another id");
  return std::move(ran.rows.front());
}

Row Accounts::row_of(std::string_view id, const Patience& patience) {
  auto row = find_row(id, patience);
  if (!row) throw Failure(DEPROV_OUTCOME_NOT_FOUND, "no account has this id");
  return std::move(*row);
}

Reply Accounts::read(const Call& call, const Patience& patience) {
  return within(true, patience, [&] {
    return deprov_sdk::found({account_of(config_.read.front(), row_of(call.account(), patience))});
  });
}

Reply Accounts::check(const Patience& patience) {
  return within(true, patience, [&] {
    const auto& statement = config_.list.front();
    const auto ran = database_.run(statement, {{"after", ""}, {"limit", "1"}}, 1, patience);
    std::vector<Account> accounts;
    if (!ran.rows.empty()) accounts.push_back(account_of(statement, ran.rows.front()));
    return deprov_sdk::found(std::move(accounts));
  });
}

Reply Accounts::find(const Call& call, const Patience& patience) {
  return within(true, patience, [&] {
    std::vector<Account> found;
    const auto look = [&](const std::optional<Statement>& statement, const char* name, std::string_view value) {
      // No text of PostgreSQL has a zero byte in it, so that nobody is called that.
      if (!statement || value.empty() || has_zero(value)) return;
      for (const auto& row : database_.run(*statement, {{name, std::string(value)}}, 20, patience).rows) {
        auto a = account_of(*statement, row);
        const bool known = std::any_of(found.begin(), found.end(), [&](const auto& f) { return f.id == a.id; });
        if (!known) found.push_back(std::move(a));
      }
    };
    look(config_.find_external_id, "external_id", call.external_id());
    if (found.empty()) look(config_.find_user_name, "user_name", call.user_name());
    if (found.empty())
      for (const auto email : call.emails()) look(config_.find_email, "email", email);
    if (found.empty()) throw Failure(DEPROV_OUTCOME_NOT_FOUND, "no account matches");
    if (found.size() > 1) throw Failure(DEPROV_OUTCOME_AMBIGUOUS, "more than one account matches");
    return deprov_sdk::found(std::move(found));
  });
}

Reply Accounts::list(const Call& call, const Patience& patience) {
  return within(true, patience, [&] {
    const auto& statement = config_.list.front();
    const auto size = std::clamp<std::size_t>(call.page_size(), 1, 1000);
    const std::string after(call.cursor());
    const auto ran = database_.run(statement, {{"after", after}, {"limit", std::to_string(size)}}, size, patience);
    std::vector<Account> accounts;
    for (const auto& row : ran.rows) accounts.push_back(account_of(statement, row));
    std::string next;
    if (ran.rows.size() == size) {
      next = text(ran.rows.back(), "cursor");
      if (next.empty()) next = accounts.back().id;
      if (next == after)
        throw Failure(DEPROV_OUTCOME_INVALID_REQUEST,
                      statement.where() + ": comes to no end; order by what :after is compared with");
    }
    auto reply = deprov_sdk::found(std::move(accounts));
    reply.next_cursor = std::move(next);
    return reply;
  });
}

Accounts::Effects Accounts::run_all(const Statements& statements, const Values& values, const Patience& patience) {
  Effects out;
  for (const auto& statement : statements) {
    if (patience.is_cancelled())
      throw Failure(DEPROV_OUTCOME_CANCELLED, "cancelled; what was begun is rolled back");
    const auto ran = database_.run(statement, values, most_rows_of_a_change, patience);
    out.acted = out.acted || !ran.affected || *ran.affected > 0;
    if (statement.rows() == Rows::any || !ran.affected) continue;
    if (*ran.affected > 1) {
      throw Failure(DEPROV_OUTCOME_AMBIGUOUS, statement.where() + ": would have changed " +
                                                  std::to_string(*ran.affected) +
                                                  " rows, where one is due; it is rolled back");
    }
    out.missed = out.missed || *ran.affected == 0;
  }
  return out;
}

Reply Accounts::set_active(const Call& call, bool active, const Patience& patience) {
  return within(false, patience, [&] {
    const auto before = row_of(call.account(), patience);
    if (before.active && *before.active == active) return deprov_sdk::already();
    const auto& statements = active ? config_.enable : config_.disable;
    const auto effects = run_all(statements, before.values, patience);
    const auto after = row_of(call.account(), patience);
    const auto& where = statements.front().where();
    if (after.active && *after.active != active) {
      throw Failure(DEPROV_OUTCOME_CONFLICT_STATE,
                    where + ": leaves the account " + (active ? "disabled" : "active") + "; it is rolled back");
    }
    // Without a column `active` the rows are all that is known of it.
    if (effects.missed && !after.active)
      throw Failure(DEPROV_OUTCOME_CONFLICT_STATE, where + ": changes no row; it is rolled back");
    auto reply = deprov_sdk::done();
    reply.accounts.push_back(account_of(config_.read.front(), after));
    return reply;
  });
}

Reply Accounts::remove(const Call& call, const Patience& patience) {
  const auto& statements = call.delete_account() ? config_.remove_account : config_.remove;
  if (!statements) {
    throw Failure(DEPROV_OUTCOME_UNSUPPORTED, std::string("the configuration has no statement \"") +
                                                  (call.delete_account() ? "delete" : "remove") + "\"");
  }
  return within(false, patience, [&] {
    const auto before = row_of(call.account(), patience);
    const auto effects = run_all(*statements, before.values, patience);
    if (call.delete_account() && find_row(call.account(), patience)) {
      throw Failure(DEPROV_OUTCOME_CONFLICT_STATE,
                    statements->front().where() + ": leaves the account there; it is rolled back");
    }
    return effects.acted ? deprov_sdk::done() : deprov_sdk::already();
  });
}

Reply Accounts::revoke_sessions(const Call& call, const Patience& patience) {
  return within(false, patience, [&] {
    const auto before = row_of(call.account(), patience);
    // Without a statement the operator has said that there are no sessions.
    const auto effects = run_all(config_.revoke_sessions, before.values, patience);
    return effects.acted ? deprov_sdk::done() : deprov_sdk::already();
  });
}

}  // namespace deprov_sql
