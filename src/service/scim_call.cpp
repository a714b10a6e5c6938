#include "service/scim_call.hpp"
#include <boost/json/serialize.hpp>
#include <deprov/scim/error.hpp>
#include <deprov/scim/message.hpp>
#include <utility>

namespace deprov::service {

Response scim_response(int status, std::string body) {
  Response r;
  r.status = status;
  r.headers.reserve(4);
  if (status != 204 && status != 304) r.headers.push_back({"Content-Type", std::string(scim::content_type)});
  r.body = std::move(body);
  return r;
}

Response scim_error(const Error& error) {
  auto answer = scim::error_answer(error.code());
  auto body = scim::error_body(error);
  auto r = scim_response(static_cast<int>(answer.status), boost::json::serialize(body));
  if (answer.status == 503) r.headers.push_back({"Retry-After", error.code() == Errc::storage_full ? "30" : "1"});
  return r;
}

ScimCall::ScimCall(engine::Engine& e, const ScimOptions& o, Request r, Responder respond)
    : engine(e), options(o), request(std::move(r)), respond_(std::move(respond)) {}

std::shared_ptr<ScimCall> ScimCall::again() {
  auto next = std::make_shared<ScimCall>(engine, options, std::move(request), std::move(respond_));
  next->keep = keep;
  next->arrived = arrived;
  next->request_id = request_id;
  next->base = base;
  next->line_rules = line_rules;
  next->restarts = restarts + 1;
  return next;
}

void ScimCall::answer(Response response) {
  if (!respond_) return;
  response.headers.push_back({"X-Request-Id", request_id});
  auto respond = std::move(respond_);
  respond(std::move(response));
}

void ScimCall::fail(const Error& error) {
  answer(scim_error(operation ? error.within("Operations[" + std::to_string(*operation) + "]") : error));
}

void ScimCall::no_content(scim::Version version) {
  auto r = scim_response(204, {});
  if (version.stored != 0) r.headers.push_back({"ETag", scim::format_etag(version)});
  if (alias) r.headers.push_back({"Location", base + type->type().endpoint + "/" + id.str()});
  answer(std::move(r));
}

void ScimCall::json(std::string body) { answer(scim_response(200, std::move(body))); }

engine::Evidence ScimCall::evidence() const {
  engine::Evidence e;
  e.actor = "idp:" + std::string(context->dialect->name);
  e.source = "scim";
  e.request = request_id;
  e.method = request.method;
  for (const auto rule : idp::rule_ids(normal.fired)) e.dialect_rules.emplace_back(rule);
  if (normal.dialect != nullptr && normal.dialect != context->dialect) e.detected = normal.dialect->name;
  e.at = arrived;
  return e;
}

Error ScimCall::no_resource() const {
  return Error(Errc::not_found, "there is no " + type->name() + " with the id \"" + id.str() + "\"");
}

bool ScimCall::asks_derived() const noexcept {
  return (if_match && if_match->about_derived()) || (if_none_match && if_none_match->about_derived());
}

Result<void> ScimCall::check_preconditions(scim::Version version) const {
  const auto failed = [&](std::string_view header) {
    return Error(Errc::precondition_failed, "the resource has the version " + scim::format_etag(version),
                 std::string(header), "read it again and repeat the change on what it is now");
  };
  // An operation of a Bulk request has no headers.
  if (if_match && !if_match->allows(version)) return failed(brief ? "version" : "If-Match");
  if (if_none_match && if_none_match->matches(version)) return failed("If-None-Match");
  return {};
}

}  // namespace deprov::service
