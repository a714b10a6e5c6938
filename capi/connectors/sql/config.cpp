#include "sql/config.hpp"
#include <algorithm>
#include <stdexcept>
#include "common/text.hpp"

namespace deprov_sql {

namespace {

using deprov_connectors::Settings;

[[noreturn]] void refuse(const std::string& pointer, const std::string& why) {
  throw std::invalid_argument("config" + pointer + ": " + why);
}

/// A text, an object with `sql` and `rows`, or a list of those.
Statements parse_statements(const Settings& s, const std::string& pointer, Rows otherwise) {
  const auto one = [&](const std::string& at) {
    const auto sql = s.find(at + "/sql");
    if (!sql) return Statement("config" + at, s.text(at), otherwise);
    const auto rows = s.text(at + "/rows");
    return Statement("config" + at, s.text(at + "/sql"),
                     rows.empty()    ? otherwise
                     : rows == "any" ? Rows::any
                                     : Rows::one);
  };
  const auto whole = s.find(pointer);
  if (!whole) return {};
  Statements out;
  // A list is shown as JSON; no statement begins with a bracket.
  if (whole->rfind('[', 0) != 0) return {one(pointer)};
  for (std::size_t i = 0; i < s.count(pointer); ++i) {
    auto at = pointer;
    out.push_back(one(at.append("/").append(std::to_string(i))));
  }
  return out;
}

void allow(const Statement& statement, const std::vector<std::string>& known) {
  for (const auto& name : statement.names()) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string all;
    for (const auto& k : known) all.append(all.empty() ? ":" : ", :").append(k);
    std::string why = statement.where();
    throw std::invalid_argument(
        why.append(": there is no parameter :").append(name).append(" here; there is ").append(all));
  }
}

std::optional<Statement> parse_find(const Settings& s, const std::string& by) {
  auto all = parse_statements(s, "/statements/find/" + by, Rows::any);
  if (all.empty()) return std::nullopt;
  allow(all.front(), {by});
  return std::move(all.front());
}

Statements parse_one(const Settings& s, const std::string& pointer, const std::vector<std::string>& known) {
  auto all = parse_statements(s, pointer, Rows::any);
  if (all.size() != 1) refuse(pointer, "has to be one statement");
  allow(all.front(), known);
  return all;
}

}  // namespace

Config parse_config(const deprov_sdk::Connection& connection) {
  const Settings s(connection);
  Config c;
  c.host = s.text("/host");
  const auto port = s.number("/port", 5432);
  c.port = std::to_string(port);
  c.database = s.text("/database");
  c.user = s.text("/user");
  c.sslmode = s.text("/sslmode", "verify-full");
  const bool verifies = c.sslmode == "verify-full" || c.sslmode == "verify-ca";
  const bool socket = !c.host.empty() && c.host.front() == '/';  // without TLS
  if (c.host.find(',') != std::string::npos) refuse("/host", "names more than one host");
  if (verifies && !socket)
    c.authorities = std::make_shared<const deprov_connectors::Authorities>(s.text("/ca_pem"), s.text("/ca_file"));
  c.find_external_id = parse_find(s, "external_id");
  c.find_user_name = parse_find(s, "user_name");
  c.find_email = parse_find(s, "email");
  if (!c.find_external_id && !c.find_user_name && !c.find_email)
    refuse("/statements/find", "has no statement; write one for user_name");
  c.read = parse_one(s, "/statements/read", {"id"});
  c.list = parse_one(s, "/statements/list", {"after", "limit"});
  const auto names = c.list.front().names();
  if (names.size() != 2)
    refuse("/statements/list", "needs :after and :limit, so that it can be read page by page");
  c.disable = parse_statements(s, "/statements/disable", Rows::one);
  c.enable = parse_statements(s, "/statements/enable", Rows::one);
  if (c.disable.empty()) refuse("/statements/disable", "has no statement");
  if (c.enable.empty()) refuse("/statements/enable", "has no statement");
  c.revoke_sessions = parse_statements(s, "/statements/revoke_sessions", Rows::any);
  if (s.find("/statements/remove")) c.remove = parse_statements(s, "/statements/remove", Rows::one);
  if (s.find("/statements/delete")) c.remove_account = parse_statements(s, "/statements/delete", Rows::one);
  if (c.remove && c.remove->empty()) refuse("/statements/remove", "has no statement; leave it out");
  if (c.remove_account && c.remove_account->empty())
    refuse("/statements/delete", "has no statement; leave it out");
  c.connect_timeout_ms = static_cast<int>(s.number("/connect_timeout_ms", 10'000));
  c.statement_timeout_ms = static_cast<int>(s.number("/statement_timeout_ms", 30'000));
  c.lock_timeout_ms = static_cast<int>(s.number("/lock_timeout_ms", 5'000));
  c.connections = static_cast<std::size_t>(s.number("/connections", 2));
  return c;
}

}  // namespace deprov_sql
