// Finds the route of a request, checks who asks and what is sent, and runs it.
#include <boost/json/parse.hpp>
#include <deprov/json_schema.hpp>
#include <deprov/scim/repeated_key.hpp>
#include <deprov/service/admin_service.hpp>
#include "service/admin_call.hpp"

namespace deprov::service {

namespace {

constexpr std::size_t max_body = 1U << 20U;
constexpr std::size_t max_raw_body = 8U << 20U;
constexpr std::size_t max_path_parts = 16;
constexpr std::size_t max_parameters = 32;

std::optional<std::string> decoded(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out.push_back(' ');
    } else if (text[i] != '%') {
      out.push_back(text[i]);
    } else {
      if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) return std::nullopt;
      out.push_back(static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])));
      i += 2;
    }
  }
  return out;
}

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty() && parts.size() <= max_path_parts) {
    if (path.front() == '/') path.remove_prefix(1);
    const auto end = path.find('/');
    parts.push_back(path.substr(0, end));
    path = end == std::string_view::npos ? std::string_view{} : path.substr(end);
  }
  return parts;
}

/// Whether the path is that of the route; `ids` gets what stands for its names.
bool matches(std::string_view route, const std::vector<std::string_view>& parts,
             std::vector<std::string_view>& ids) {
  ids.clear();
  const auto wanted = parts_of(route);
  if (wanted.size() != parts.size()) return false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (wanted[i].front() == '{') {
      ids.push_back(parts[i]);
    } else if (wanted[i] != parts[i]) {
      return false;
    }
  }
  return true;
}

Result<void> parse_query(AdminCall& call) {
  auto rest = call.request.query();
  std::size_t count = 0;
  while (!rest.empty()) {
    const auto end = rest.find('&');
    const auto item = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    if (item.empty()) continue;
    if (++count > max_parameters)
      return Error(Errc::limit_exceeded, "more than " + std::to_string(max_parameters) + " query parameters");
    const auto eq = item.find('=');
    auto name = decoded(item.substr(0, eq));
    auto value = eq == std::string_view::npos ? std::optional<std::string>("true") : decoded(item.substr(eq + 1));
    if (!name || !value) return Error(Errc::invalid_argument, "a percent sign without two digits", "query");
    const AdminParameter* known = nullptr;
    for (const auto& p : call.route->query)
      if (p.name == *name) known = &p;
    if (known == nullptr) {
      std::string names;
      for (const auto& p : call.route->query) names += (names.empty() ? "" : ", ") + std::string(p.name);
      return Error(Errc::invalid_argument, "no such query parameter here", "query parameter " + *name,
                   names.empty() ? "this takes none" : "use " + names);
    }
    if (known->type == "boolean" && *value != "true" && *value != "false")
      return Error(Errc::invalid_argument, "has to be true or false", "query parameter " + *name);
    const auto [at, first] = call.query.try_emplace(*name, *value);
    if (!first && at->second != *value)
      return Error(Errc::invalid_argument, "is given twice, in different ways", "query parameter " + *name,
                   "give it once");
  }
  return {};
}

Result<void> parse_body(AdminCall& call) {
  const auto& body = call.request.body;
  if (!call.route->raw.empty()) {
    if (body.size() <= max_raw_body) return {};
    return Error(Errc::limit_exceeded, "the body has more than " + std::to_string(max_raw_body) + " bytes", "body",
                 "send it in pieces");
  }
  if (body.empty() && call.route->request.empty()) return {};
  if (call.route->request.empty()) {
    // Some clients send `{}` or whitespace with every POST.
    if (body.find_first_not_of(" \t\r\n{}") == std::string::npos) return {};
    return Error(Errc::invalid_argument, "this takes no body", "body");
  }
  const auto most = call.route->most_bytes != 0 ? call.route->most_bytes : max_body;
  if (body.size() > most) {
    return Error(Errc::limit_exceeded, "the body has more than " + std::to_string(most) + " bytes", "body");
  }
  if (!body.empty()) {
    if (const auto type = call.request.header("Content-Type");
        type && type->find("json") == std::string_view::npos) {
      return Error(Errc::unsupported_media_type, "the body has to be JSON", "Content-Type",
                   "send application/json");
    }
    boost::system::error_code ec;
    auto value = json::parse(body, ec);
    if (ec) return Error(Errc::invalid_syntax, "not JSON: " + ec.message(), "body");
    if (!value.is_object()) return Error(Errc::invalid_syntax, "has to be a JSON object", "body");
    // Which of two protections counts, say, would be a guess.
    if (const auto twice = scim::repeated_key(body))
      return Error(Errc::invalid_syntax, "is there twice", "body" + *twice, "name each member once");
    call.body = std::move(value.get_object());
  }
  if (auto ok = validate_json(admin_schema(call.route->request), call.body); !ok)
    return Error(ok.error().code(), ok.error().detail(), "body" + ok.error().where(), ok.error().advice());
  return {};
}

Result<void> check_needs(const AdminCall& call) {
  const auto role = call.by.role;
  if (call.route->needs == Needs::integrations && !engine::Engine::may_manage_integrations(role)) {
    return Error(Errc::forbidden,
                 "the role " + std::string(port::to_string(role)) + " may not manage integrations", {},
                 "it takes owner, super_admin or admin");
  }
  if (call.route->needs == Needs::principals && !engine::Engine::may_manage_principals(role)) {
    return Error(Errc::forbidden, "the role " + std::string(port::to_string(role)) + " may not manage principals",
                 {}, "it takes owner or super_admin");
  }
  return {};
}

void run(const CallPtr& call) {
  if (auto ok = check_needs(*call); !ok) return fail(call, ok.error());
  if (auto ok = parse_query(*call); !ok) return fail(call, ok.error());
  if (auto ok = parse_body(*call); !ok) return fail(call, ok.error());
  call->route->run(call);
}

/// The route, with the ids of the path in `call`. Errors: `not_found`, `method_not_allowed`.
Result<void> find_route(AdminCall& call, std::string& allow) {
  auto path = call.request.path();
  if (path.substr(0, admin_base.size()) == admin_base) path.remove_prefix(admin_base.size());
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const auto parts = parts_of(path);
  std::vector<std::string_view> ids, found;
  for (const auto& route : admin_routes()) {
    if (!matches(route.path, parts, ids)) continue;
    allow.append(allow.empty() ? "" : ", ").append(route.method);
    if (route.method == "GET") allow += ", HEAD";
    if (route.method != (call.request.method == "HEAD" ? "GET" : call.request.method)) continue;
    call.route = &route;
    found = ids;
  }
  if (call.route == nullptr) {
    if (!allow.empty())
      return Error(Errc::method_not_allowed, "the method is not offered here", call.request.method,
                   "use " + allow);
    return Error(Errc::not_found, "there is nothing at this address", std::string(call.request.path()),
                 "see /api/v1/openapi.json");
  }
  for (const auto text : found) {
    const auto id = parse_uuid(text);
    if (!id) return Error(Errc::not_found, "there is nothing by this id", std::string(text), "ids are UUIDs");
    call.ids.push_back(*id);
  }
  return {};
}

std::optional<std::string> bearer(const Request& request) {
  const auto header = request.header("Authorization");
  if (!header || header->size() < 8) return std::nullopt;
  auto scheme = std::string(header->substr(0, 7));
  for (auto& c : scheme) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  if (scheme != "bearer ") return std::nullopt;
  auto token = header->substr(7);
  while (!token.empty() && token.front() == ' ') token.remove_prefix(1);
  return std::string(token);
}

CallPtr make_call(engine::Engine& engine, Request request, Responder respond) {
  return CallPtr(new AdminCall{engine, nullptr, {}, std::move(request), std::move(respond), {}, {}, {}});
}

void not_found(const CallPtr& call, const Error& error, const std::string& allow) {
  auto r = error_response(error);
  if (r.status == 405) r.headers.push_back({"Allow", allow});
  call->respond(std::move(r));
}

}  // namespace

const std::vector<AdminRoute>& admin_routes() {
  static const std::vector<AdminRoute> routes = [] {
    std::vector<AdminRoute> all;
    add_workspace_routes(all);
    add_integration_routes(all);
    add_plan_routes(all);
    add_subject_routes(all);
    add_hold_routes(all);
    add_webhook_routes(all);
    add_job_routes(all);
    add_activity_routes(all);
    add_evidence_routes(all);
    add_reconcile_routes(all);
    add_source_routes(all);
    add_report_routes(all);
    return all;
  }();
  return routes;
}

AdminService::AdminService(engine::Engine& engine) : engine_(engine) {}

const json::value& AdminService::openapi() { return admin_openapi(); }

void AdminService::handle(Request request, Responder respond) {
  const auto call = make_call(engine_, std::move(request), std::move(respond));
  std::string allow;
  const auto route = find_route(*call, allow);
  if (route && call->route->needs == Needs::nobody) return run(call);
  auto token = bearer(call->request);
  if (!token) {
    return fail(call, Error(Errc::unauthorized, "a bearer token is needed", "Authorization",
                            "send `Authorization: Bearer <token>` with the token of a principal"));
  }
  call->engine.authenticate(std::move(*token), [call, route, allow](Result<engine::Principal> by) {
    if (!by) return fail(call, by.error());
    call->by = std::move(*by);
    if (!route) return not_found(call, route.error(), allow);
    run(call);
  });
}

void AdminService::handle_as(engine::Principal by, Request request, Responder respond) {
  const auto call = make_call(engine_, std::move(request), std::move(respond));
  call->by = std::move(by);
  std::string allow;
  if (const auto route = find_route(*call, allow); !route) return not_found(call, route.error(), allow);
  run(call);
}

}  // namespace deprov::service
