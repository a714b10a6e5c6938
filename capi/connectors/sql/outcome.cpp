#include "sql/outcome.hpp"
#include <deprov_connector.h>

namespace deprov_sql {

std::int32_t outcome_of(std::string_view s) noexcept {
  const auto is = [&](std::string_view code) { return s == code; };
  const auto in_class = [&](std::string_view name) { return s.substr(0, 2) == name; };
  if (s.size() != 5) return DEPROV_OUTCOME_PROTOCOL;
  if (in_class("28")) return DEPROV_OUTCOME_AUTH_FAILED;
  if (is("42501")) return DEPROV_OUTCOME_PERMISSION_DENIED;
  // Gone between the look at the account and the change: the next attempt sees it.
  if (is("42704")) return DEPROV_OUTCOME_CONFLICT_STATE;
  if (is("21000")) return DEPROV_OUTCOME_AMBIGUOUS;
  // Dependent objects, objects in use, keys that lead here, checks, and what a trigger of the app has to say.
  if (in_class("2B") || is("55006") || in_class("23") || in_class("44") || in_class("P0") || in_class("27"))
    return DEPROV_OUTCOME_PRECONDITION;
  // Cut off by our own limits, by another transaction, or by the server's shutting down.
  if (is("57014") || is("55P03") || in_class("40") || in_class("57") || in_class("53") || in_class("08") ||
      in_class("58") || is("25006") || is("25P03"))
    return DEPROV_OUTCOME_UNAVAILABLE;
  if (in_class("XX")) return DEPROV_OUTCOME_UNAVAILABLE;
  // The statement is the operator's: it has to be mended.
  return DEPROV_OUTCOME_INVALID_REQUEST;
}

std::string sqlstate_in(std::string_view message) {
  const auto is_code = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
  for (auto at = message.find(":  "); at != std::string_view::npos; at = message.find(":  ", at + 1)) {
    const auto code = message.substr(at + 3, 5);
    if (code.size() != 5 || message.substr(at + 8, 2) != ": ") continue;
    bool good = true;
    for (const char c : code) good = good && is_code(c);
    if (good) return std::string(code);
  }
  return {};
}

std::string first_line(std::string_view message) {
  auto line = message.substr(0, message.find('\n'));
  while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
  return std::string(line);
}

}  // namespace deprov_sql
