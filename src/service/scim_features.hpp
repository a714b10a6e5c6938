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
  bool bulk = true;
  bool sort = true;
  bool index_paging = true;
  bool cursor_paging = true;  ///< RFC 9865
};
inline constexpr ScimFeatures scim_features{};

/// RFC 7643 section 5 and RFC 9865 section 4.
[[nodiscard]] scim::ServiceProviderConfig provider_config(const ScimOptions& options);

}  // namespace deprov::service
