#include "service/scim_features.hpp"
#include <chrono>

namespace deprov::service {

scim::ServiceProviderConfig provider_config(const ScimOptions& options) {
  constexpr auto& f = scim_features;
  const auto page = static_cast<std::int64_t>(options.max_results);
  scim::ServiceProviderConfig config;
  config.patch = f.patch;
  config.filter = f.filter;
  config.filter_max_results = page;
  config.etag = f.etag;
  config.sort = f.sort;
  config.bulk = f.bulk;
  if (f.bulk) {
    config.bulk_max_operations = static_cast<std::int64_t>(options.bulk_operations);
    config.bulk_max_payload_size = static_cast<std::int64_t>(options.bulk_payload);
  }
  config.index_paging = f.index_paging;
  config.cursor_paging = f.cursor_paging;
  config.default_page_size = config.max_page_size = page;
  if (f.cursor_paging)
    config.cursor_timeout = std::chrono::duration_cast<std::chrono::seconds>(options.cursor_timeout).count();
  return config;
}

}  // namespace deprov::service
