// What this service provider serves: said once, so that discovery and behaviour cannot disagree.
#pragma once

#include <cstdint>
#include <deprov/scim/message.hpp>
#include <deprov/service/scim_service.hpp>

namespace deprov::service {

/// The router and the handlers ask it, and `/ServiceProviderConfig` is made of it. Whoever adds a feature turns
/// its flag on here, in the same change.
struct ScimFeatures {
  bool patch = true;
  bool filter = true;
  bool etag = true;
  bool bulk = false;
  bool sort = false;
  bool index_paging = true;
  bool cursor_paging = false;               ///< RFC 9865
  std::int64_t cursor_seconds = 0;          ///< for which a cursor is good, where there are cursors
  std::int64_t bulk_max_operations = 1000;  ///< where there is bulk
};
inline constexpr ScimFeatures scim_features{};

/// RFC 7643 section 5 and RFC 9865 section 4.
[[nodiscard]] scim::ServiceProviderConfig provider_config(const ScimOptions& options);

}  // namespace deprov::service
