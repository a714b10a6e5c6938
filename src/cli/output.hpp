// What commands print: tables for people, JSON for programs, errors for both.
#pragma once

#include <boost/json/value.hpp>
#include <deprov/error.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::cli {

namespace json = boost::json;

/// Exit codes, as `deprov --help` lists them.
enum ExitCode : int {
  exit_ok = 0,
  exit_failure = 1,
  exit_usage = 2,
  exit_not_found = 3,
  exit_refused = 4,
  exit_in_use = 5,
  exit_broken = 6
};
[[nodiscard]] int exit_code(Errc code) noexcept;

/// A table with a heading; cells are made safe for a terminal.
void print_table(const std::vector<std::string>& heading, const std::vector<std::vector<std::string>>& rows);
/// One line of JSON.
void print_json(const json::value& value);
/// Members of an object, one a line.
void print_members(const json::value& object);
void print_error(const Error& error, bool as_json);

/// A member as text: strings as they are, null as "-", everything else as JSON.
[[nodiscard]] std::string cell(const json::value& object, std::string_view name);
/// Without control characters, so that what others wrote cannot steer the terminal.
[[nodiscard]] std::string safe(std::string_view text);
/// For an attribute or an element of XML 1.0: what cannot stand there in any way is a space, or U+FFFD.
[[nodiscard]] std::string xml_escaped(std::string_view text);
/// "1.24 s", "350 ms", "-" for null.
[[nodiscard]] std::string duration_text(const json::value& milliseconds);
/// "98.25 %", "-" for null.
[[nodiscard]] std::string share_text(const json::value& share);
[[nodiscard]] bool on_terminal() noexcept;
/// Whoever reads standard output through a pipe (`| head`) has seen enough, which is no failure.
[[nodiscard]] bool reader_left() noexcept;

}  // namespace deprov::cli
