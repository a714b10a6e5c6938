// Who asks, for what: authentication, routing, parsing. The handlers do the rest.
#include <boost/json/serialize.hpp>
#include <deprov/idp/request_line.hpp>
#include <deprov/scim/error.hpp>
#include <deprov/scim/json.hpp>
#include <deprov/service/scim_service.hpp>
#include <utility>
#include "service/scim_call.hpp"
#include "service/scim_http.hpp"

namespace deprov::service {

namespace {

namespace json = boost::json;

Response unauthorized(bool token_given) {
  auto r = scim_error(Error(Errc::unauthorized, "the request has no valid gateway token", "Authorization",
                            "send `Authorization: Bearer` with the token of this integration"));
  r.headers.push_back({"WWW-Authenticate", token_given ? R"(Bearer realm="deprov", error="invalid_token")"
                                                       : R"(Bearer realm="deprov")"});
  return r;
}

Response not_allowed(const std::string& method, std::string allow) {
  auto r =
      scim_error(Error(Errc::method_not_allowed, method + " is not possible here", {}, "possible is " + allow));
  r.headers.push_back({"Allow", std::move(allow)});
  return r;
}

Error no_endpoint(std::string_view name) {
  return Error(Errc::not_found, "there is no endpoint \"" + std::string(name.substr(0, 100)) + "\"", {},
               "see /ResourceTypes for what there is");
}

/// Before "/Users" in URLs that are given out.
std::string base_url(const ScimCall& call) {
  std::string out;
  const auto* set = call.context->settings.if_contains("base_url");
  if (set != nullptr && set->is_string() && !set->get_string().empty()) {
    out = std::string(set->get_string());
    while (!out.empty() && out.back() == '/') out.pop_back();
  } else if (const auto host = safe_host(call.request.header("host"))) {
    std::string_view scheme = call.options.scheme;
    if (call.options.trust_forwarded_proto)
      if (const auto proto = call.request.header("x-forwarded-proto");
          proto && (*proto == "https" || *proto == "http"))
        scheme = *proto;
    out.reserve(128);
    out += scheme;
    out += "://";
    out += *host;
  }
  out += call.options.prefix;
  out.push_back('/');
  out += call.scope().integration.str();
  return out;
}

Result<void> parse_preconditions(ScimCall& call) {
  const auto parse = [&](std::string_view name, std::optional<scim::EntityTags>& out) -> Result<void> {
    const auto header = call.request.header(name);
    if (!header) return {};
    if (header->empty()) {  // a list that names no version, which no version matches (RFC 9110 section 13.1.1)
      out.emplace();
      return {};
    }
    auto tags = scim::parse_etags(*header);
    if (!tags) return tags.error().within(name);
    out = std::move(*tags);
    return {};
  };
  DEPROV_CHECK(parse("If-Match", call.if_match));
  return parse("If-None-Match", call.if_none_match);
}

std::vector<idp::Header> idp_headers(const Request& request) {
  std::vector<idp::Header> out;
  out.reserve(request.headers.size());
  for (const auto& h : request.headers) out.push_back({h.name, h.value});
  return out;
}

/// Method and URL in the RFC's form. Whether the integration's dialect has these rules is seen once it is known.
Result<void> request_line(ScimCall& call) {
  if (auto target = idp::without_doubled_base(call.request.target)) {
    call.request.target = std::move(*target);
    call.line_rules.add(idp::RuleId::doubled_base);
  }
  if (auto target = idp::without_entra_flag(call.request.target)) {
    call.request.target = std::move(*target);
    call.line_rules.add(idp::RuleId::base_url_flag);
  }
  if (!find_header(call.request.headers, "x-http-method-override") &&
      !find_header(call.request.headers, "x-http-method"))
    return {};
  DEPROV_TRY(method, idp::overridden_method(call.request.method, idp_headers(call.request)));
  if (!method) return {};
  call.request.method = std::move(*method);
  call.line_rules.add(idp::RuleId::method_override);
  return {};
}

Result<void> check_line_rules(const ScimCall& call) {
  for (const auto& rule : idp::rules())
    if (call.line_rules.has(rule.id) && !call.context->dialect->rules.has(rule.id))
      return Error(Errc::invalid_syntax,
                   "the integration's IdP, " + std::string(call.context->dialect->name) + ", does not send " +
                       std::string(rule.text),
                   std::string(rule.name), "see `deprov dialects`");
  return {};
}

/// Whose body names the schema of another type, and not its own, has come to the wrong endpoint: what no schema of
/// this one knows would be left out, and of the rest something else would be made than is meant. Misspelt and
/// unknown schemas are the dialect's.
Result<void> check_type_named(const ScimCall& call, const json::value& body) {
  const auto* o = body.if_object();
  const auto* schemas = o != nullptr ? scim::find(*o, "schemas") : nullptr;
  if (schemas == nullptr) return {};
  const auto& own = call.type->core().id;
  const scim::TypeDef* other = nullptr;
  bool named = false;
  const auto look = [&](const json::value& v) {
    if (!v.is_string()) return;
    named = named || scim::iequals(v.get_string(), own);
    for (const auto& t : call.context->registry->types())
      if (scim::iequals(v.get_string(), t->core().id)) other = t.get();
  };
  if (const auto* list = schemas->if_array()) {
    for (const auto& v : *list) look(v);
  } else {
    look(*schemas);
  }
  if (named || other == nullptr) return {};
  return Error(Errc::invalid_syntax,
               "it names the schema of a " + other->name() + ", and this is " + call.type->type().endpoint,
               "schemas", "name " + own + " here, or send it to " + other->type().endpoint);
}

/// What the IdP sent, in the RFC's form: body and query.
Result<void> normalize(ScimCall& call, idp::Method method, bool with_body, bool search = false) {
  const auto query = call.request.query();
  if (method == idp::Method::get && query.empty() && call.line_rules.empty()) {
    call.normal.dialect = call.context->dialect;
    return {};
  }
  idp::RawRequest raw;
  raw.method = method;
  raw.type = call.type;
  raw.query = query;
  raw.search = search;
  const auto headers = idp_headers(call.request);
  raw.headers = headers;
  if (with_body) {
    if (call.sent) {
      raw.body = std::move(*call.sent);
    } else {
      DEPROV_TRY(body, scim::parse_json(call.request.body, call.options.limits));
      raw.body = std::move(body);
    }
    const bool whole = method == idp::Method::post || method == idp::Method::put;
    if (whole && !search && call.type != nullptr) DEPROV_CHECK(check_type_named(call, raw.body));
  }
  DEPROV_TRY(normal, idp::normalize(*call.context->dialect, std::move(raw), call.options.limits));
  call.normal = std::move(normal);
  for (const auto& rule : idp::rules())
    if (call.line_rules.has(rule.id)) call.normal.fired.add(rule.id);
  DEPROV_TRY(parsed, scim::parse_query(call.normal.query, call.options.limits));
  call.query = std::move(parsed);
  return {};
}

/// RFC 7644 section 3.9 calls them mutually exclusive.
Result<void> check_projection(const scim::Query& query) {
  if (query.attributes.empty() || query.excluded_attributes.empty()) return {};
  return Error(Errc::invalid_value, "attributes and excludedAttributes exclude each other", "excludedAttributes",
               "name what is wanted, or what is not");
}

Result<void> check_media_type(const ScimCall& call) {
  if (is_scim_media_type(call.request.header("content-type"))) return {};
  return Error(Errc::unsupported_media_type,
               "the body is \"" + std::string(call.request.header("content-type")->substr(0, 100)) + "\"",
               "Content-Type", "send application/scim+json or application/json");
}

struct Route {
  enum class Kind { root, root_search, bulk, type, type_search, resource, discovery } kind = Kind::root;
  std::string discovery, name;
};

/// `/Me`: the User whom the host has authenticated, or whom the integration's setting names (RFC 7644
/// section 3.11).
Result<void> route_me(ScimCall& call) {
  std::string_view subject = call.request.subject;
  if (subject.empty())
    if (const auto* set = call.context->settings.if_contains("me"); set != nullptr && set->is_string())
      subject = set->get_string();
  call.type = call.context->registry->type("User");
  if (subject.empty() || call.type == nullptr)
    return Error(Errc::unsupported, "the gateway token stands for an IdP and for no user", "Me",
                 "address the user as /Users/{id}, or name one in the integration's setting `me`");
  const auto id = ResourceId::parse(subject);
  if (!id)
    return Error(Errc::not_found, "there is no User with the id \"" + std::string(subject.substr(0, 100)) + "\"",
                 "Me", "name the SCIM id of a User of this integration");
  call.id = *id;
  call.alias = true;
  return {};
}

/// What stands behind the integration. Errors: `not_found`, `unsupported`.
Result<Route> route(ScimCall& call, const std::vector<std::string>& path) {
  Route r;
  if (path.empty()) return r;
  const auto& first = path[0];
  if (path.size() == 1 && scim::iequals(first, ".search")) {
    r.kind = Route::Kind::root_search;
    return r;
  }
  for (const std::string_view name : {"ServiceProviderConfig", "ResourceTypes", "Schemas"}) {
    if (!scim::iequals(first, name) || path.size() > (name == "ServiceProviderConfig" ? 1U : 2U)) continue;
    r.kind = Route::Kind::discovery;
    r.discovery = name;
    if (path.size() == 2) r.name = path[1];
    return r;
  }
  if (path.size() == 1 && scim::iequals(first, "Bulk")) {
    r.kind = Route::Kind::bulk;
    return r;
  }
  if (scim::iequals(first, "Me") && path.size() == 1) {
    DEPROV_CHECK(route_me(call));
    r.kind = Route::Kind::resource;
    return r;
  }
  call.type = call.context->registry->endpoint(first);
  if (call.type == nullptr) return no_endpoint(first);
  if (path.size() == 1) {
    r.kind = Route::Kind::type;
    return r;
  }
  if (path.size() > 2) return no_endpoint(first + "/" + path[1] + "/" + path[2]);
  if (scim::iequals(path[1], ".search")) {
    r.kind = Route::Kind::type_search;
    return r;
  }
  r.kind = Route::Kind::resource;
  // RFC 7644 section 3.8: the format may be asked for by a suffix.
  std::string_view name = path[1];
  if (constexpr std::string_view suffix = ".scim";
      name.size() > suffix.size() && scim::iequals(name.substr(name.size() - suffix.size()), suffix))
    name.remove_suffix(suffix.size());
  const auto id = ResourceId::parse(name);
  if (!id)
    return Error(Errc::not_found,
                 "there is no " + call.type->name() + " with the id \"" + path[1].substr(0, 100) + "\"");
  call.id = *id;
  return r;
}

struct Action {
  std::string_view method;
  idp::Method as;
  bool body;
  void (*run)(const Call&);
};

/// The RFC's name for a discovery endpoint that an IdP knows by another. What the integration has stands first.
void discovery_line(ScimCall& call, std::vector<std::string>& segments) {
  if (segments.size() != 1 || call.context->registry->endpoint(segments[0]) != nullptr) return;
  const auto meant = idp::discovery_endpoint(segments[0]);
  if (!meant) return;
  segments[0] = *meant;
  call.line_rules.add(idp::RuleId::discovery_names);
}

/// Of what changes nothing, and so writes nothing by itself.
void note_rules(const ScimCall& call) {
  if (!call.normal.fired.empty()) call.engine.note_read(call.context, call.evidence());
}

/// Runs the action of the request's method.
void act(const Call& call, std::initializer_list<Action> actions) {
  for (const auto& a : actions) {
    if (call->request.method != a.method) continue;
    const auto prepare = [&]() -> Result<void> {
      if (a.body) DEPROV_CHECK(check_media_type(*call));
      DEPROV_CHECK(parse_preconditions(*call));
      DEPROV_CHECK(normalize(*call, a.as, a.body));
      return check_projection(call->query);
    };
    if (auto ready = prepare(); !ready) return call->fail(ready.error());
    if (a.as == idp::Method::get) note_rules(*call);
    return a.run(call);
  }
  std::string allow;
  for (const auto& a : actions) {
    allow += (allow.empty() ? "" : ", ") + std::string(a.method);
    if (a.method == "GET") allow += ", HEAD";
  }
  call->answer(not_allowed(call->request.method, std::move(allow)));
}

void search(const Call& call, bool all_types) {
  if (call->request.method != "POST") return call->answer(not_allowed(call->request.method, "POST"));
  const auto prepare = [&]() -> Result<void> {
    DEPROV_CHECK(check_media_type(*call));
    DEPROV_CHECK(normalize(*call, idp::Method::post, true, true));
    DEPROV_TRY(query, scim::parse_search(call->normal.body, call->options.limits));
    call->query = std::move(query);
    return check_projection(call->query);
  };
  if (auto ready = prepare(); !ready) return call->fail(ready.error());
  note_rules(*call);
  handle_list(call, all_types);
}

void bulk(const Call& call) {
  if (call->request.method != "POST") return call->answer(not_allowed(call->request.method, "POST"));
  if (auto typed = check_media_type(*call); !typed) return call->fail(typed.error());
  handle_bulk(call);
}

void dispatch(const Call& call, const Route& r) {
  using M = idp::Method;
  switch (r.kind) {
    case Route::Kind::root:
      return act(call, {{"GET", M::get, false, [](const Call& c) { handle_list(c, true); }}});
    case Route::Kind::type:
      return act(call, {{"GET", M::get, false, [](const Call& c) { handle_list(c, false); }},
                        {"POST", M::post, true, handle_create}});
    case Route::Kind::resource:
      return act(call, {{"GET", M::get, false, handle_read},
                        {"PUT", M::put, true, handle_replace},
                        {"PATCH", M::patch, true, handle_patch},
                        {"DELETE", M::remove, false, handle_delete}});
    case Route::Kind::bulk: return bulk(call);
    case Route::Kind::root_search: return search(call, true);
    case Route::Kind::type_search: return search(call, false);
    case Route::Kind::discovery:
      if (call->request.method != "GET") return call->answer(not_allowed(call->request.method, "GET, HEAD"));
      if (auto ready = parse_preconditions(*call); !ready) return call->fail(ready.error());
      call->normal.fired = call->line_rules;
      note_rules(*call);
      return handle_discovery(call, r.discovery, r.name);
  }
}

}  // namespace

void run_operation(const Call& call, const std::vector<std::string>& segments) {
  auto where = route(*call, segments);
  if (!where) return call->fail(where.error());
  if (call->brief && where->kind != Route::Kind::type && where->kind != Route::Kind::resource)
    return call->fail(Error(Errc::invalid_path, "an operation names a type's endpoint or a resource", "path",
                            "such as /Users or /Users/{id}"));
  dispatch(call, *where);
}

bool begin_anew(const Call& call) {
  constexpr unsigned most = 3;
  if (call->brief || call->restarts >= most) return false;
  auto context = call->engine.integration(call->scope().integration);
  if (!context) return false;
  const auto target = parse_scim_target(call->request.path(), call->options.prefix);
  if (!target) return false;
  const auto next = call->again();
  next->context = std::move(context);
  run_operation(next, target->segments);
  return true;
}

ScimService::ScimService(engine::Engine& engine, ScimOptions options)
    : state_(std::make_shared<const State>(State{engine, std::move(options)})) {}

ScimService::~ScimService() = default;

void ScimService::handle(Request request, Responder respond) {
  const auto& options = state_->options;
  auto call = std::make_shared<ScimCall>(state_->engine, options, std::move(request), std::move(respond));
  call->keep = state_;
  const auto& ports = state_->engine.ports();
  call->arrived = ports.clock.wall();
  call->request_id = ports.random.id<ResourceId>(call->arrived).str();

  if (auto line = request_line(*call); !line) return call->fail(line.error());
  if (call->request.method == "HEAD") call->request.method = "GET";
  auto target = parse_scim_target(call->request.path(), options.prefix);
  if (!target) return call->fail(no_endpoint(call->request.path()));
  const auto query = call->request.query();
  if (query.size() > options.limits.max_query_bytes)
    return call->fail(Error(
        Errc::limit_exceeded,
        "the query has more than max_query_bytes (" + std::to_string(options.limits.max_query_bytes) + ") bytes",
        {}, "use POST /.search"));
  if (has_token(query))
    return call->fail(Error(Errc::sensitive, "the URL carries a token, which ends up in logs", "query",
                            "send it as `Authorization: Bearer`, and rotate the one that was sent"));
  if (!accepts_json(call->request.header("accept"))) {
    constexpr unsigned not_acceptable = 406;
    const auto body = scim::error_body(not_acceptable, {},
                                       "Accept: every answer is JSON, and XML alone is accepted; "
                                       "accept application/scim+json");
    return call->answer(scim_response(not_acceptable, boost::json::serialize(body)));
  }
  const auto token = bearer_token(call->request);
  if (!token) return call->answer(unauthorized(false));
  auto context = state_->engine.authenticate_gateway(*token);
  if (!context && context.error().code() != Errc::unauthorized) return call->fail(context.error());
  // The same answer for a bad token, another integration's, and an integration that there is not.
  const auto id = IntegrationId::parse(target->integration);
  if (!context || !*context || !id || (*context)->row.scope.integration != *id)
    return call->answer(unauthorized(true));
  call->context = std::move(*context);
  call->base = base_url(*call);
  discovery_line(*call, target->segments);
  if (auto known = check_line_rules(*call); !known) return call->fail(known.error());
  if (call->request.body.size() > options.limits.max_body_bytes)
    return call->fail(Error(Errc::limit_exceeded,
                            "the body has " + std::to_string(call->request.body.size()) +
                                " bytes, more than max_body_bytes (" +
                                std::to_string(options.limits.max_body_bytes) + ")",
                            {}, "send less at once"));
  run_operation(call, target->segments);
}

}  // namespace deprov::service
