// Managing: the admin API as function calls.
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/service/admin_service.hpp>
#include <utility>
#include "core.hpp"
#include "guard.hpp"

namespace deprov::capi {

namespace json = boost::json;

namespace {

Error error_of(const service::Response& response) {
  boost::system::error_code ec;
  const auto body = json::parse(response.body, ec);
  const auto* object = ec ? nullptr : body.if_object();
  const auto* error = object != nullptr ? object->if_contains("error") : nullptr;
  const auto text = [&](const char* name) {
    const auto* v = error != nullptr && error->is_object() ? error->get_object().if_contains(name) : nullptr;
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string{};
  };
  return {parse_errc(text("code")), text("message"), text("where"), text("advice")};
}

deprov_buffer* buffer_of(std::string bytes) { return new deprov_buffer{std::move(bytes)}; }

}  // namespace

Result<Caller> take_caller(const deprov_caller* by) {
  Caller out;
  if (by == nullptr) return out;
  deprov_caller in{};
  DEPROV_CHECK(take_struct(by, "by", in));
  DEPROV_TRY(token, text(in.token, "by.token"));
  DEPROV_TRY(workspace, text(in.workspace, "by.workspace"));
  if (!token.empty() && !workspace.empty()) {
    return Error(Errc::invalid_argument, "a token has its own workspace", "by.workspace",
                 "give either a token or a workspace");
  }
  out.token = std::move(token);
  if (workspace.empty()) return out;
  const auto id = WorkspaceId::parse(workspace);
  if (!id) return Error(Errc::invalid_argument, "not a UUID", "workspace", "give the id of the workspace");
  out.workspace = *id;
  return out;
}

service::Request admin_request(const Caller& by, std::string method, std::string_view path, std::string body,
                               std::optional<Caller>& local) {
  service::Request request;
  request.method = std::move(method);
  request.target = std::string(service::admin_base) + std::string(path);
  if (!body.empty()) request.headers.push_back({"Content-Type", "application/json"});
  request.body = std::move(body);
  if (by.token.empty()) {
    local = by;
  } else {
    request.headers.push_back({"Authorization", "Bearer " + by.token});
  }
  return request;
}

Result<std::string> admin_answer(service::Response response, std::string_view path) {
  if (response.status < 200 || response.status > 299) return error_of(response);
  if (response.stream) {
    return Error(Errc::unsupported, "the answer comes in pieces", std::string(path),
                 "use deprov_engine_call() and deprov_response_read()");
  }
  return std::move(response.body);
}

Result<std::string> admin_call(Core& core, const Caller& by, std::string method, std::string_view path,
                               std::string body) {
  std::optional<Caller> local;
  auto request = admin_request(by, std::move(method), path, std::move(body), local);
  DEPROV_TRY(response, core.call(std::move(request), std::move(local)));
  return admin_answer(std::move(response), path);
}

}  // namespace deprov::capi

using namespace deprov;

namespace {
Result<void> manage(deprov_engine* engine, const deprov_caller* by, std::string method, std::string_view path,
                    std::string body, deprov_buffer** record) {
  if (engine == nullptr) return capi::null_argument("engine");
  DEPROV_TRY(caller, capi::take_caller(by));
  DEPROV_TRY(answer, capi::admin_call(*engine->core, caller, std::move(method), path, std::move(body)));
  if (record != nullptr && !answer.empty()) *record = capi::buffer_of(std::move(answer));
  return {};
}
}  // namespace

deprov_status deprov_admin_call(deprov_engine* engine, const deprov_caller* by, deprov_str method, deprov_str path,
                                deprov_str body, deprov_buffer** record, deprov_error** error) {
  if (record != nullptr) *record = nullptr;
  return capi::guard(error, [&]() -> Result<void> {
    DEPROV_TRY(verb, capi::text(method, "method"));
    DEPROV_TRY(where, capi::text(path, "path"));
    DEPROV_TRY(what, capi::text(body, "body"));
    if (where.empty() || where.front() != '/')
      return Error(Errc::invalid_argument, "does not begin with a slash", "path", "give it without /api/v1");
    return manage(engine, by, std::move(verb), where, std::move(what), record);
  });
}

deprov_status deprov_workspace_create(deprov_engine* engine, deprov_str name, deprov_str owner,
                                      deprov_buffer** record, deprov_error** error) {
  if (record != nullptr) *record = nullptr;
  return capi::guard(error, [&]() -> Result<void> {
    DEPROV_TRY(workspace, capi::text(name, "name"));
    DEPROV_TRY(who, capi::text(owner, "owner"));
    boost::json::object body{{"name", workspace}};
    if (!who.empty()) body["owner"] = who;
    return manage(engine, nullptr, "POST", "/workspaces", boost::json::serialize(body), record);
  });
}

deprov_status deprov_integration_create(deprov_engine* engine, const deprov_caller* by, deprov_str integration,
                                        deprov_buffer** record, deprov_error** error) {
  if (record != nullptr) *record = nullptr;
  return capi::guard(error, [&]() -> Result<void> {
    DEPROV_TRY(body, capi::text(integration, "integration"));
    return manage(engine, by, "POST", "/integrations", std::move(body), record);
  });
}

deprov_status deprov_record_get(deprov_str record, deprov_str member, deprov_buffer** value,
                                deprov_error** error) {
  if (value != nullptr) *value = nullptr;
  return capi::guard(error, [&]() -> Result<void> {
    if (value == nullptr) return capi::null_argument("value");
    DEPROV_TRY(bytes, capi::text(record, "record"));
    DEPROV_TRY(name, capi::text(member, "member"));
    boost::system::error_code ec;
    const auto parsed = boost::json::parse(bytes, ec);
    if (ec || !parsed.is_object()) return Error(Errc::invalid_syntax, "not a JSON object", "record");
    const auto* found = parsed.get_object().if_contains(name);
    if (found == nullptr) return Error(Errc::not_found, "there is no such member", "record." + name);
    *value =
        capi::buffer_of(found->is_string() ? std::string(found->get_string()) : boost::json::serialize(*found));
    return {};
  });
}
