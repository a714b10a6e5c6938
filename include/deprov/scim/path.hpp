// The `path` of a PATCH operation (RFC 7644 section 3.5.2): `attr`, `attr.sub`, `attr[filter]`,
// `attr[filter].sub`.
#pragma once

#include <deprov/scim/filter.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace deprov::scim {

struct Path {
  AttrPath attr;                         ///< its `sub` also holds what stands behind the brackets
  std::optional<Filter> value_filter{};  ///< what stands between the brackets

  friend bool operator==(const Path&, const Path&) = default;
};

/// Errors: `invalid_path` with the position, `limit_exceeded`.
[[nodiscard]] Result<Path> parse_path(std::string_view text, const Limits& limits = {});
[[nodiscard]] std::string to_string(const Path& path);

}  // namespace deprov::scim

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/scim/impl/path.ipp>
#endif
