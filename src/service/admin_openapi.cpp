// The OpenAPI 3.1 document, made of the table that dispatches.
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <deprov/config.hpp>
#include <deprov/service/admin_service.hpp>
#include "service/admin_call.hpp"

namespace deprov::service {

namespace {

json::value ref(std::string_view name) {
  return json::object{{"$ref", "#/components/schemas/" + std::string(name)}};
}

json::object content(std::string_view type, json::value schema) {
  return {{type, json::object{{"schema", std::move(schema)}}}};
}

json::value type_schema(std::string_view type) {
  if (type == "uuid") return ref("Id");
  if (type == "job_state") return ref("JobState");
  if (type == "seq") return json::object{{"type", "integer"}, {"minimum", 0}};
  if (type == "limit") return json::object{{"type", "integer"}, {"minimum", 1}, {"maximum", 1000}};
  return json::object{{"type", type}};
}

std::string_view status_text(int status) {
  switch (status) {
    case 201: return "Made";
    case 202: return "Accepted";
    case 204: return "Done";
    default: return "The answer";
  }
}

json::value error_answer(std::string_view text) {
  return json::object{{"description", text}, {"content", content("application/json", ref("Error"))}};
}

json::object operation(const AdminRoute& route) {
  json::object op{{"operationId", route.operation}, {"summary", route.summary}, {"tags", {route.tag}}};
  json::array parameters;
  for (auto at = route.path.find('{'); at != std::string_view::npos; at = route.path.find('{', at + 1)) {
    const auto end = route.path.find('}', at);
    parameters.push_back(json::object{{"name", route.path.substr(at + 1, end - at - 1)},
                                      {"in", "path"},
                                      {"required", true},
                                      {"schema", ref("Id")}});
  }
  for (const auto& p : route.query) {
    parameters.push_back(
        json::object{{"name", p.name}, {"in", "query"}, {"description", p.text}, {"schema", type_schema(p.type)}});
  }
  if (!parameters.empty()) op["parameters"] = parameters;
  if (!route.request.empty()) {
    const auto& schema = admin_schemas().at(route.request).get_object();
    op["requestBody"] = json::object{{"required", schema.contains("required") || schema.contains("minProperties")},
                                     {"content", content("application/json", ref(route.request))}};
  }
  if (!route.raw.empty()) {
    op["requestBody"] = json::object{{"required", true}, {"content", json::object{{route.raw, json::object{}}}}};
  }
  json::object good{{"description", status_text(route.status)}};
  if (!route.response.empty()) {
    auto types = content(route.media, ref(route.response));
    if (route.tag == "activity") {
      types["text/event-stream"] =
          json::object{{"schema", {{"description", "Events named `activity`; `data` is an Activity as JSON."}}}};
    }
    good["content"] = std::move(types);
  }
  json::object responses{{std::to_string(route.status), std::move(good)}};
  responses["400"] = error_answer("Something in the request cannot be accepted");
  if (route.needs != Needs::nobody) responses["401"] = error_answer("No token of a principal");
  if (route.needs == Needs::nobody) op["security"] = json::array{};
  responses["403"] = error_answer("The role may not do this");
  if (route.path.find('{') != std::string_view::npos) responses["404"] = error_answer("Nothing by this id");
  if (route.method != "GET") responses["409"] = error_answer("The present state does not allow it");
  responses["default"] = error_answer("Anything else that went wrong");
  op["responses"] = std::move(responses);
  return op;
}

}  // namespace

const json::value& admin_openapi() {
  static const json::value document = [] {
    json::object paths;
    for (const auto& route : admin_routes()) {
      auto& item = paths[std::string(admin_base) + std::string(route.path)];
      if (!item.is_object()) item = json::object{};
      std::string method(route.method);
      for (auto& c : method) c = static_cast<char>(c + ('a' - 'A'));
      item.get_object()[method] = operation(route);
    }
    return json::value(json::object{
        {"openapi", "3.1.0"},
        {"info",
         {{"title", "deprov admin API"},
          {"version", DEPROV_VERSION},
          {"description", "Integrations, subjects, jobs, activity and principals of one workspace."}}},
        {"security", json::array{json::object{{"bearer", json::array{}}}}},
        {"paths", std::move(paths)},
        {"components",
         {{"schemas", admin_schemas()},
          {"securitySchemes", {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}}}}}}});
  }();
  return document;
}

}  // namespace deprov::service
