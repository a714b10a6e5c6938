// What this service provider is and has (RFC 7644 section 4).
#include <boost/json/serialize.hpp>
#include <deprov/scim/message.hpp>
#include <deprov/scim/schema.hpp>
#include <utility>
#include "service/scim_call.hpp"

namespace deprov::service {

namespace {

namespace json = boost::json;

Error nothing_there(std::string_view what, std::string_view name) {
  return Error(Errc::not_found,
               "there is no \"" + std::string(name.substr(0, 200)) + "\" in /" + std::string(what), {},
               "GET /" + std::string(what) + " lists what there is");
}

void answer_all(const Call& call, json::array&& all) {
  const auto total = static_cast<std::int64_t>(all.size());
  call->json(json::serialize(scim::list_response(std::move(all), total)));
}

}  // namespace

void handle_discovery(const Call& call, std::string_view what, std::string_view name) {
  const auto& registry = *call->context->registry;
  auto query = scim::parse_query(call->request.query(), call->options.limits);
  if (!query) return call->fail(query.error());
  // RFC 7644 section 4 wants exactly this, so that nobody takes an unfiltered answer for a filtered one.
  if (query->filter)
    return call->fail(Error(Errc::forbidden, "filters are not possible on /" + std::string(what), "filter"));

  if (what == "ServiceProviderConfig") {
    scim::ServiceProviderConfig config;
    config.filter_max_results = static_cast<std::int64_t>(call->options.max_results);
    return call->json(json::serialize(scim::to_json(config, call->base)));
  }
  if (what == "Schemas") {
    if (!name.empty()) {
      const auto* schema = registry.schema(name);
      if (schema == nullptr) return call->fail(nothing_there(what, name));
      return call->json(json::serialize(scim::to_json(*schema, call->base)));
    }
    json::array all;
    for (const auto& s : registry.schemas()) all.emplace_back(scim::to_json(*s, call->base));
    return answer_all(call, std::move(all));
  }
  if (!name.empty()) {
    const auto* type = registry.type(name);
    if (type == nullptr) return call->fail(nothing_there(what, name));
    return call->json(json::serialize(scim::to_json(type->type(), call->base)));
  }
  json::array all;
  for (const auto& t : registry.types()) all.emplace_back(scim::to_json(t->type(), call->base));
  answer_all(call, std::move(all));
}

}  // namespace deprov::service
