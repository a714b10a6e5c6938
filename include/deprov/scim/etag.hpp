// Versions as entity tags (RFC 7644 section 3.14, RFC 9110 section 8.8.3): `W/"7"`.
#pragma once

#include <cstdint>
#include <deprov/error.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::scim {

[[nodiscard]] std::string format_etag(std::uint64_t version);

/// An `If-Match` or `If-None-Match` header.
struct EntityTags {
  bool any = false;  ///< `*`
  std::vector<std::uint64_t> versions;
  /// Weak comparison. Tags that we never gave out match nothing.
  [[nodiscard]] bool matches(std::uint64_t version) const noexcept;
};

/// Weak and strong tags, lists, `*`; bare `7` and `W/7` are understood too.
/// Errors: `invalid_value` for what is no list of tags.
[[nodiscard]] Result<EntityTags> parse_etags(std::string_view header);

}  // namespace deprov::scim

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/scim/impl/etag.ipp>
#endif
