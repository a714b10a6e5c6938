// One request of the admin API on its way, and the table of what is offered.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <deprov/engine/engine.hpp>
#include <deprov/service/http.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::service {

namespace json = boost::json;

struct AdminRoute;

struct AdminCall {
  engine::Engine& engine;
  const AdminRoute* route = nullptr;
  engine::Principal by;
  Request request;
  Responder respond;
  std::vector<Uuid> ids;                                  ///< of the path, in order
  std::map<std::string, std::string, std::less<>> query;  ///< decoded; only what the route names
  json::object body;

  template <class IdType>
  [[nodiscard]] IdType id(std::size_t i) const {
    return IdType{ids.at(i)};
  }
  [[nodiscard]] port::Scope scope() const { return {by.workspace, id<IntegrationId>(0)}; }
  [[nodiscard]] std::string text(std::string_view member) const;
  [[nodiscard]] bool flag(std::string_view member, bool otherwise) const;
};
using CallPtr = std::shared_ptr<AdminCall>;

/// Who may call a route at all; the engine checks again what it is asked to do.
enum class Needs { nobody, principal, integrations, principals };

struct AdminParameter {
  std::string_view name;
  std::string_view type;  ///< "limit", "seq", "job_state", "boolean", "uuid", "string"
  std::string_view text;
};

struct AdminRoute {
  std::string_view method;
  std::string_view path;  ///< below /api/v1; `{name}` is a UUID
  std::string_view operation;
  std::string_view tag;
  std::string_view summary;
  Needs needs = Needs::integrations;
  std::vector<AdminParameter> query;
  std::string_view request;  ///< component schema of the body; empty: none is taken
  int status = 200;
  std::string_view response;  ///< component schema of the answer; empty: no body; "*": an event stream, too
  void (*run)(const CallPtr& call) = nullptr;
  std::string_view media = "application/json";  ///< of the answer
  std::string_view raw{};                       ///< media type of a body that is taken as it is; empty: none is
  std::size_t most_bytes = 0;                   ///< of a JSON body; 0: what is usual
};

[[nodiscard]] const std::vector<AdminRoute>& admin_routes();
// The parts of the table, by what they are about.
void add_workspace_routes(std::vector<AdminRoute>& routes);
void add_integration_routes(std::vector<AdminRoute>& routes);
void add_plan_routes(std::vector<AdminRoute>& routes);
void add_subject_routes(std::vector<AdminRoute>& routes);
void add_hold_routes(std::vector<AdminRoute>& routes);
void add_webhook_routes(std::vector<AdminRoute>& routes);
void add_job_routes(std::vector<AdminRoute>& routes);
void add_activity_routes(std::vector<AdminRoute>& routes);
void add_evidence_routes(std::vector<AdminRoute>& routes);
void add_source_routes(std::vector<AdminRoute>& routes);
void add_reconcile_routes(std::vector<AdminRoute>& routes);
void add_report_routes(std::vector<AdminRoute>& routes);
void add_person_routes(std::vector<AdminRoute>& routes);

/// Those of evidence, reconciliation and reports, as JSON text.
[[nodiscard]] std::string_view evidence_schemas_text();
/// Those of webhooks and notifications.
[[nodiscard]] json::object webhook_schemas();
/// Those of sources and their lists.
[[nodiscard]] json::object source_schemas();
/// Component schemas as published, with `$ref` between them.
[[nodiscard]] const json::object& admin_schemas();
/// One of them with every `$ref` put in place, for validation.
[[nodiscard]] const json::value& admin_schema(std::string_view name);
[[nodiscard]] const json::value& admin_openapi();

void answer(const CallPtr& call, int status, const json::value& body);
void answer_nothing(const CallPtr& call);
void fail(const CallPtr& call, const Error& error);
[[nodiscard]] Response error_response(const Error& error);
[[nodiscard]] int http_status(Errc code) noexcept;

/// Answers with what `body` makes of a consistent view.
void read(const CallPtr& call, std::function<Result<json::value>(port::Reader&)> body);
/// A parameter between 1 and `most`. Errors: `invalid_argument`.
[[nodiscard]] Result<std::size_t> limit_of(const AdminCall& call, std::size_t otherwise, std::size_t most);
[[nodiscard]] Result<std::uint64_t> number_of(const AdminCall& call, std::string_view name,
                                              std::uint64_t otherwise);
/// A parameter that is a UUID, or nothing where it is absent. Errors: `invalid_argument`.
template <class IdType>
[[nodiscard]] Result<std::optional<IdType>> id_of(const AdminCall& call, std::string_view name) {
  const auto it = call.query.find(name);
  if (it == call.query.end()) return std::optional<IdType>{};
  auto id = IdType::parse(it->second);
  if (!id) return Error(Errc::invalid_argument, "not a UUID", "query parameter " + std::string(name));
  return std::optional<IdType>(*id);
}
/// The live integration of a path. Errors: `not_found`.
[[nodiscard]] Result<port::IntegrationRow> integration_of(port::Reader& reader, const AdminCall& call);

/// Server-sent events of one chain, from after `seq` on.
[[nodiscard]] std::shared_ptr<BodyStream> follow_activity(engine::Engine& engine, const engine::Principal& by,
                                                          const port::Scope& scope, std::uint64_t after);

}  // namespace deprov::service
