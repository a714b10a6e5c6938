// What this service provider is and has (RFC 7644 section 4).
#include <boost/json/serialize.hpp>
#include <deprov/scim/json.hpp>
#include <deprov/scim/message.hpp>
#include <deprov/scim/schema.hpp>
#include <utility>
#include "service/scim_call.hpp"
#include "service/scim_features.hpp"

namespace deprov::service {

namespace {

namespace json = boost::json;

Error nothing_there(std::string_view what, std::string_view name) {
  return Error(Errc::not_found,
               "there is no \"" + std::string(name.substr(0, 200)) + "\" in /" + std::string(what), {},
               "GET /" + std::string(what) + " lists what there is");
}

/// 304 where the client has it already. The tag is made of the text: these documents have no version.
void answer_document(const Call& call, const json::object& document) {
  auto text = json::serialize(document);
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  const bool known = call->if_none_match && call->if_none_match->matches(hash);
  auto r = known ? scim_response(304, {}) : scim_response(200, std::move(text));
  r.headers.push_back({"ETag", scim::format_etag(hash)});
  if (const auto* meta = document.if_contains("meta"))
    if (const auto* location = meta->as_object().if_contains("location"))
      r.headers.push_back({"Content-Location", std::string(location->as_string())});
  call->answer(std::move(r));
}

void answer_all(const Call& call, json::array&& all) {
  const auto total = static_cast<std::int64_t>(all.size());
  answer_document(call, scim::list_response(std::move(all), total));
}

}  // namespace

void handle_discovery(const Call& call, std::string_view what, std::string_view name) {
  const auto& registry = *call->context->registry;
  auto query = scim::parse_query(call->request.query(), call->options.limits);
  if (!query) return call->fail(query.error());
  // RFC 7644 section 4 wants exactly this, so that nobody takes an unfiltered answer for a filtered one. Where
  // there is but one thing, nothing is filtered: the parameter is ignored, as all others are.
  if (query->filter && what != "ServiceProviderConfig")
    return call->fail(Error(Errc::forbidden, "filters are not possible on /" + std::string(what), "filter"));

  if (what == "ServiceProviderConfig") {
    return answer_document(call, scim::to_json(provider_config(call->options), call->base));
  }
  if (what == "Schemas") {
    if (!name.empty()) {
      const auto* schema = registry.schema(name);
      for (const auto& s : scim::provider_schemas())
        if (scim::iequals(s.id, name)) schema = &s;
      if (schema == nullptr) return call->fail(nothing_there(what, name));
      return answer_document(call, scim::to_json(*schema, call->base));
    }
    json::array all;
    for (const auto& s : registry.schemas()) all.emplace_back(scim::to_json(*s, call->base));
    for (const auto& s : scim::provider_schemas()) all.emplace_back(scim::to_json(s, call->base));
    return answer_all(call, std::move(all));
  }
  if (!name.empty()) {
    for (const auto& t : registry.types())
      if (scim::iequals(t->type().id, name)) return answer_document(call, scim::to_json(t->type(), call->base));
    return call->fail(nothing_there(what, name));
  }
  json::array all;
  for (const auto& t : registry.types()) all.emplace_back(scim::to_json(t->type(), call->base));
  answer_all(call, std::move(all));
}

}  // namespace deprov::service
