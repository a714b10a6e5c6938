// What the command line says of a source that sends security events.
#pragma once

#include <CLI/CLI.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <deprov/error.hpp>
#include <optional>
#include <string>
#include <vector>

namespace deprov::cli {

struct EventSourceOptions {
  std::string issuer, jwks_file, jwks_uri, ca_file, authorization_file, stream_id, subject_issuer;
  std::string poll_url, poll_authorization_file, verification_url, verification_authorization_file;
  std::vector<std::string> audience, algorithms, compatibility, authoritative, link, critical;
  std::optional<std::int64_t> poll_interval;
};

inline constexpr const char* event_options_group = "Of kind events";
/// `changes`: of a source that is there; not those that are for good.
void add_event_options(CLI::App& command, EventSourceOptions& o, bool changes);
/// As members of the source's config; files are read here. Errors: `not_found`, `invalid_argument`.
[[nodiscard]] Result<boost::json::object> event_config_of(const EventSourceOptions& o,
                                                          const std::string& links_file);

/// The same error, placed at the option that gave what it is about; otherwise as it is.
[[nodiscard]] Error at_event_option(const Error& error);

}  // namespace deprov::cli
