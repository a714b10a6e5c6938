// What the command line says of a source, and the config that this is.
#pragma once

#include <CLI/CLI.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <deprov/error.hpp>
#include <optional>
#include <string>
#include <vector>
#include "cli/event_source.hpp"

namespace deprov::cli {

struct SourceOptions {
  std::string file, format, name, source, begun, config_file;
  std::string link = "external_id";
  std::string delimiter = ",";
  std::string id = "id", active, list, end_marker, kind = "file", inactive_cause, links_file;
  std::vector<std::string> active_values, inactive_values;
  std::optional<std::uint64_t> count, max_users;
  bool whole = false, dry_run = false, complete = false;
  std::size_t limit = 1000;
  EventSourceOptions events{};
  std::string subject, identifier;
  std::optional<std::int64_t> floor, ceiling;
  CLI::App *command = nullptr, *set = nullptr;  ///< the one that may have options of another kind of source
};

/// What the options say of a list, as the source's config. Errors: `invalid_argument`, those of reading files.
[[nodiscard]] Result<boost::json::object> list_config(const SourceOptions& o, bool needs_format);
/// Of a polled source: what the file says, and nothing of how lists are written.
[[nodiscard]] Result<boost::json::object> polled_config(const SourceOptions& o);
/// The files that a config names in place of what they hold.
[[nodiscard]] Result<void> read_config_files(boost::json::object& config);
[[nodiscard]] std::string feed_names();

/// What is wrong with a config, told of the option that it came from: that is wrong usage, whoever finds it.
[[nodiscard]] Error at_option(const Error& error, const SourceOptions& o, bool events);
/// An option that the kind has no use for would be left out in silence.
[[nodiscard]] Result<void> options_fit(const SourceOptions& o, bool events, bool polled);

}  // namespace deprov::cli
