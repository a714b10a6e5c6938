// Versions as entity tags (RFC 7644 section 3.14, RFC 9110 section 8.8.3): `W/"7"`, `W/"7.1f"`.
#pragma once

#include <cstdint>
#include <deprov/error.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::scim {

/// What a representation was made of.
struct Version {
  std::uint64_t stored = 0;   ///< of the resource itself
  std::uint64_t derived = 0;  ///< a hash of what other resources say of it (the `groups` of a User); 0: nothing
  friend bool operator==(const Version&, const Version&) = default;
};

[[nodiscard]] std::string format_etag(Version version);
[[nodiscard]] inline std::string format_etag(std::uint64_t stored) { return format_etag(Version{stored, 0}); }

/// An `If-Match` or `If-None-Match` header. Comparison is weak. Tags that we never gave out match nothing.
struct EntityTags {
  bool any = false;  ///< `*`
  std::vector<Version> versions;

  /// Whether a client that has one of these has what the version stands for (`If-None-Match`).
  [[nodiscard]] bool matches(Version version) const noexcept;
  [[nodiscard]] bool matches(std::uint64_t stored) const noexcept { return matches(Version{stored, 0}); }
  /// Whether one of these may be changed on (`If-Match`): a tag of a representation that showed nothing derived is
  /// about what is stored alone.
  [[nodiscard]] bool allows(Version version) const noexcept;
  /// Whether `derived` is needed to tell.
  [[nodiscard]] bool about_derived() const noexcept;
};

/// Weak and strong tags, lists, `*`; bare `7` and `W/7` are understood too.
/// Errors: `invalid_value` for what is no list of tags.
[[nodiscard]] Result<EntityTags> parse_etags(std::string_view header);

}  // namespace deprov::scim

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/scim/impl/etag.ipp>
#endif
