#pragma once
#include <deprov/scim/message.hpp>
#include <utility>

namespace deprov::scim {

DEPROV_INLINE json::object list_response(json::array&& resources, std::int64_t total_results,
                                         std::int64_t start_index) {
  json::object o;
  o.reserve(5);
  o.emplace("schemas", json::array{json::value(list_response_urn)});
  o.emplace("totalResults", total_results);
  o.emplace("startIndex", start_index);
  o.emplace("itemsPerPage", static_cast<std::int64_t>(resources.size()));
  o.emplace("Resources", std::move(resources));
  return o;
}

DEPROV_INLINE json::object to_json(const ServiceProviderConfig& config, std::string_view base) {
  const auto supported = [](bool yes) { return json::object{{"supported", yes}}; };
  json::object o;
  o.emplace("schemas", json::array{json::value(service_provider_config_urn)});
  if (!config.documentation_uri.empty()) o.emplace("documentationUri", config.documentation_uri);
  o.emplace("patch", supported(config.patch));
  o.emplace("bulk", json::object{{"supported", config.bulk},
                                 {"maxOperations", config.bulk_max_operations},
                                 {"maxPayloadSize", config.bulk_max_payload_size}});
  o.emplace("filter", json::object{{"supported", config.filter}, {"maxResults", config.filter_max_results}});
  o.emplace("changePassword", supported(config.change_password));
  o.emplace("sort", supported(config.sort));
  o.emplace("etag", supported(config.etag));
  json::object pagination{{"cursor", config.cursor_paging}, {"index", config.index_paging}};
  pagination.emplace("defaultPaginationMethod", config.index_paging ? "index" : "cursor");
  const auto positive = [&](std::string_view name, std::int64_t n) {
    if (n > 0) pagination.emplace(name, n);
  };
  positive("defaultPageSize", config.default_page_size);
  positive("maxPageSize", config.max_page_size);
  positive("cursorTimeout", config.cursor_timeout);
  o.emplace("pagination", std::move(pagination));
  json::array schemes;
  for (const auto& s : config.authentication_schemes) {
    json::object scheme{{"type", s.type}, {"name", s.name}, {"description", s.description}};
    if (!s.spec_uri.empty()) scheme.emplace("specUri", s.spec_uri);
    if (!s.documentation_uri.empty()) scheme.emplace("documentationUri", s.documentation_uri);
    scheme.emplace("primary", s.primary);
    schemes.emplace_back(std::move(scheme));
  }
  o.emplace("authenticationSchemes", std::move(schemes));
  json::object meta{{"resourceType", "ServiceProviderConfig"}};
  if (!base.empty()) meta.emplace("location", std::string(base) + "/ServiceProviderConfig");
  o.emplace("meta", std::move(meta));
  return o;
}

}  // namespace deprov::scim
