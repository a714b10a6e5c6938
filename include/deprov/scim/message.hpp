// The messages that a service provider answers with: ListResponse and ServiceProviderConfig.
#pragma once

#include <cstdint>
#include <deprov/scim/error.hpp>
#include <deprov/scim/etag.hpp>
#include <deprov/scim/json.hpp>
#include <deprov/scim/query.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::scim {

inline constexpr std::string_view list_response_urn = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
inline constexpr std::string_view service_provider_config_urn =
    "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
inline constexpr std::string_view content_type = "application/scim+json";

/// RFC 7644 section 3.4.2. `Resources` is always there, also when empty.
[[nodiscard]] json::object list_response(json::array&& resources, std::int64_t total_results,
                                         std::int64_t start_index = 1);

struct AuthenticationScheme {
  std::string type = "oauthbearertoken";  ///< RFC 7643 section 5
  std::string name = "OAuth Bearer Token";
  std::string description = "A bearer token in the Authorization header (RFC 6750)";
  std::string spec_uri = "https://www.rfc-editor.org/rfc/rfc6750";
  std::string documentation_uri{};
  bool primary = true;
};

/// RFC 7643 section 5, and RFC 9865 section 4 for `pagination`.
struct ServiceProviderConfig {
  std::string documentation_uri{};
  bool patch = true;
  bool bulk = false;
  std::int64_t bulk_max_operations = 0;
  std::int64_t bulk_max_payload_size = 0;
  bool filter = true;
  std::int64_t filter_max_results = 0;
  bool change_password = false;
  bool sort = false;
  bool etag = true;
  bool index_paging = true;
  bool cursor_paging = false;
  std::int64_t default_page_size = 0;  ///< 0: not said
  std::int64_t max_page_size = 0;      ///< 0: not said
  std::int64_t cursor_timeout = 0;     ///< seconds; 0: not said
  std::vector<AuthenticationScheme> authentication_schemes = {AuthenticationScheme{}};
};
/// `base` is the URL before `/ServiceProviderConfig`; `meta.location` is left out when it is empty.
[[nodiscard]] json::object to_json(const ServiceProviderConfig& config, std::string_view base = {});

}  // namespace deprov::scim

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/scim/impl/message.ipp>
#endif
