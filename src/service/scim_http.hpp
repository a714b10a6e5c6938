// What SCIM needs of HTTP: paths, media types, tokens, URLs.
#pragma once

#include <deprov/error.hpp>
#include <deprov/service/http.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::service {

/// Nothing for a broken sequence, invalid UTF-8 and U+0000.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

/// A path below the prefix: the integration and what stands behind it. Empty segments (a trailing slash, a
/// doubled one) are dropped.
struct ScimTarget {
  std::string integration;
  std::vector<std::string> segments;
};
/// Nothing for what is not below the prefix, or does not decode, or has more than 8 segments.
[[nodiscard]] std::optional<ScimTarget> parse_scim_target(std::string_view path, std::string_view prefix);

/// The token of `Authorization: Bearer ...`, or nothing.
[[nodiscard]] std::optional<std::string_view> bearer_token(const Request& request);
/// Whether a query carries a token (RFC 6750 section 2.3), which is refused: URLs end up in logs.
[[nodiscard]] bool has_token(std::string_view query);

/// `application/scim+json` and `application/json`, with parameters; also when the header is missing or empty.
[[nodiscard]] bool is_scim_media_type(std::optional<std::string_view> content_type);

/// Whether a client that sends this `Accept` can be given JSON. Whoever names XML and nothing else cannot; of all
/// the others, odd as some IdPs' are, the header is not looked at (RFC 9110 section 12.5.1 allows both).
[[nodiscard]] bool accepts_json(std::optional<std::string_view> accept);

/// The `Host` header if it is one: a name or an address with an optional port.
[[nodiscard]] std::optional<std::string_view> safe_host(std::optional<std::string_view> host);

}  // namespace deprov::service
