// The manifest beside a library: what is known of a connector before any of its code runs.
#pragma once

#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <deprov/connector/connector.hpp>
#include <deprov/error.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::plugin {

namespace json = boost::json;

inline constexpr std::size_t max_manifest_bytes = 1U << 20U;

struct Manifest {
  connector::Description description;
  /// Hosts, `*.domain` for those below one, `config:PATH` for the host of a URL in the config, `*` for all.
  std::vector<std::string> egress;
};

/// Published as schemas/connector-manifest.schema.json.
[[nodiscard]] const json::value& manifest_schema();

/// Errors: `invalid_syntax`, `invalid_argument` with a JSON pointer, `limit_exceeded`; `unsupported` where this
/// library's connector ABI is not within the range.
[[nodiscard]] Result<Manifest> parse_manifest(std::string_view text);

}  // namespace deprov::plugin
