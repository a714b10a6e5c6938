// Workspaces, principals, and what this program knows: connectors and the policy's schema.
#include <boost/json/array.hpp>
#include <deprov/policy/policy.hpp>
#include "service/admin_call.hpp"
#include "service/admin_json.hpp"

namespace deprov::service {

namespace {

void list_workspaces(const CallPtr& call) {
  call->engine.list_workspaces(call->by, [call](Result<std::vector<port::WorkspaceRow>> rows) {
    if (!rows) return fail(call, rows.error());
    json::array items;
    for (const auto& row : *rows) items.push_back(to_json(row));
    answer(call, 200, json::object{{"items", std::move(items)}});
  });
}

void create_workspace(const CallPtr& call) {
  auto owner = call->text("owner");
  if (owner.empty()) owner = "owner";
  const auto name = call->text("name");
  call->engine.create_workspace(call->by, name, owner, [call, name](Result<engine::CreatedPrincipal> made) {
    if (!made) return fail(call, made.error());
    answer(call, 201,
           json::object{{"id", made->row.workspace.str()},
                        {"name", name},
                        {"owner", to_json(made->row)},
                        {"owner_token", made->token}});
  });
}

void show_workspace(const CallPtr& call) {
  read(call, [call](port::Reader& reader) -> Result<json::value> {
    DEPROV_TRY(row, reader.workspace(call->by.workspace));
    if (!row) return Error(Errc::not_found, "there is no such workspace", call->by.workspace.str());
    DEPROV_TRY(lane, reader.lane({row->id, {}}));
    auto o = to_json(*row);
    o["stopped"] = lane && !lane->paused.empty() ? json::value(lane->paused) : json::value();
    return json::value(std::move(o));
  });
}

engine::Done<void> then_show_workspace(const CallPtr& call) {
  return [call](Result<void> done) {
    if (!done) return fail(call, done.error());
    show_workspace(call);
  };
}

void stop_workspace(const CallPtr& call) {
  call->engine.stop_workspace(call->by, call->text("reason"), then_show_workspace(call));
}

void resume_workspace(const CallPtr& call) {
  call->engine.resume_workspace(call->by, call->text("reason"), then_show_workspace(call));
}

void list_principals(const CallPtr& call) {
  call->engine.list_principals(call->by, [call](Result<std::vector<port::PrincipalRow>> rows) {
    if (!rows) return fail(call, rows.error());
    json::array items;
    for (const auto& row : *rows) items.push_back(to_json(row));
    answer(call, 200, json::object{{"items", std::move(items)}});
  });
}

void add_principal(const CallPtr& call) {
  const auto role = port::parse_role(call->text("role")).value_or(port::Role::member);
  call->engine.add_principal(call->by, call->text("name"), role, [call](Result<engine::CreatedPrincipal> made) {
    if (!made) return fail(call, made.error());
    auto body = to_json(made->row);
    body["token"] = made->token;
    answer(call, 201, body);
  });
}

void remove_principal(const CallPtr& call) {
  call->engine.remove_principal(call->by, call->id<PrincipalId>(0), [call](Result<void> done) {
    if (!done) return fail(call, done.error());
    answer_nothing(call);
  });
}

void list_connectors(const CallPtr& call) {
  json::array items;
  for (const auto& [id, kind] : call->engine.options().connectors) {
    const auto& d = kind->describe();
    json::array secrets;
    for (const auto& path : d.secret_paths) secrets.emplace_back(path);
    json::array operations;
    for (std::size_t i = 0; i < connector::operation_count; ++i) {
      const auto op = static_cast<connector::Operation>(i);
      if (d.of(op).supported) operations.emplace_back(connector::to_string(op));
    }
    items.push_back(json::object{{"id", d.id},
                                 {"name", d.name},
                                 {"version", d.version},
                                 {"config_schema", d.config_schema},
                                 {"secrets", std::move(secrets)},
                                 {"operations", std::move(operations)}});
  }
  answer(call, 200, json::object{{"items", std::move(items)}});
}

void show_policy_schema(const CallPtr& call) { answer(call, 200, policy::policy_schema()); }
void show_openapi(const CallPtr& call) { answer(call, 200, admin_openapi()); }

}  // namespace

void add_workspace_routes(std::vector<AdminRoute>& routes) {
  routes.push_back({"GET",
                    "/openapi.json",
                    "getOpenApi",
                    "about",
                    "This document",
                    Needs::nobody,
                    {},
                    "",
                    200,
                    "Document",
                    show_openapi});
  routes.push_back({"GET",
                    "/connectors",
                    "listConnectors",
                    "about",
                    "Kinds of connectors and what each is configured with",
                    Needs::principal,
                    {},
                    "",
                    200,
                    "ConnectorList",
                    list_connectors});
  routes.push_back({"GET",
                    "/policy-schema",
                    "getPolicySchema",
                    "about",
                    "The JSON Schema of a policy",
                    Needs::principal,
                    {},
                    "",
                    200,
                    "Document",
                    show_policy_schema});
  routes.push_back({"GET",
                    "/workspaces",
                    "listWorkspaces",
                    "workspaces",
                    "The workspaces the caller sees",
                    Needs::principal,
                    {},
                    "",
                    200,
                    "WorkspaceList",
                    list_workspaces});
  routes.push_back({"POST",
                    "/workspaces",
                    "createWorkspace",
                    "workspaces",
                    "A new workspace with its first owner; only for an owner of the first workspace",
                    Needs::principal,
                    {},
                    "WorkspaceCreate",
                    201,
                    "WorkspaceCreated",
                    create_workspace});
  routes.push_back({"GET",
                    "/workspace",
                    "getWorkspace",
                    "workspaces",
                    "The caller's workspace, and whether it is stopped",
                    Needs::integrations,
                    {},
                    "",
                    200,
                    "WorkspaceState",
                    show_workspace});
  routes.push_back({"POST",
                    "/workspace/stop",
                    "stopWorkspace",
                    "workspaces",
                    "The kill switch: nothing more is sent to any app, over restarts too",
                    Needs::integrations,
                    {},
                    "Reason",
                    200,
                    "WorkspaceState",
                    stop_workspace});
  routes.push_back({"POST",
                    "/workspace/resume",
                    "resumeWorkspace",
                    "workspaces",
                    "Ends the stop of the workspace; integrations that were stopped themselves stay so",
                    Needs::principals,
                    {},
                    "Reason",
                    200,
                    "WorkspaceState",
                    resume_workspace});
  routes.push_back({"GET",
                    "/principals",
                    "listPrincipals",
                    "principals",
                    "Who may act in this workspace",
                    Needs::principals,
                    {},
                    "",
                    200,
                    "PrincipalList",
                    list_principals});
  routes.push_back({"POST",
                    "/principals",
                    "addPrincipal",
                    "principals",
                    "A new principal; its token is shown this once",
                    Needs::principals,
                    {},
                    "PrincipalCreate",
                    201,
                    "PrincipalCreated",
                    add_principal});
  routes.push_back({"DELETE",
                    "/principals/{principal}",
                    "removePrincipal",
                    "principals",
                    "Takes a principal away; the last owner stays",
                    Needs::principals,
                    {},
                    "",
                    204,
                    "",
                    remove_principal});
}

}  // namespace deprov::service
