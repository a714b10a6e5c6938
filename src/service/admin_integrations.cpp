#include <boost/json/array.hpp>
#include "service/admin_call.hpp"
#include "service/admin_json.hpp"

namespace deprov::service {

namespace {

Result<json::value> shown(port::Reader& reader, const AdminCall& call, const port::IntegrationRow& row) {
  auto o = to_json(row);
  const auto fault = call.engine.fault(row.scope.integration);
  o["fault"] = fault ? json::value(*fault) : json::value(nullptr);
  DEPROV_TRY(status, status_json(reader, row.scope));
  o["status"] = std::move(status);
  return json::value(std::move(o));
}

void show_row(const CallPtr& call) {
  read(call, [call](port::Reader& reader) -> Result<json::value> {
    DEPROV_TRY(row, integration_of(reader, *call));
    return shown(reader, *call, row);
  });
}

void list_integrations(const CallPtr& call) {
  read(call, [call](port::Reader& reader) -> Result<json::value> {
    const auto it = call->query.find("deleted");
    const bool deleted = it != call->query.end() && it->second == "true";
    DEPROV_TRY(rows,
               deleted ? reader.integrations_ever(call->by.workspace) : reader.integrations(call->by.workspace));
    json::array items;
    for (const auto& row : rows) {
      DEPROV_TRY(item, shown(reader, *call, row));
      items.push_back(std::move(item));
    }
    return json::value(json::object{{"items", std::move(items)}});
  });
}

void create(const CallPtr& call) {
  const auto object = [&](std::string_view name) {
    const auto* v = call->body.if_contains(name);
    return v != nullptr && v->is_object() ? v->get_object() : json::object{};
  };
  engine::CreateIntegration what;
  what.name = call->text("name");
  what.idp = call->text("idp");
  what.connector = call->text("connector");
  what.config = object("config");
  what.policy = object("policy");
  what.settings = object("settings");
  if (const auto* v = call->body.if_contains("schemas")) what.schemas = *v;
  if (const auto* v = call->body.if_contains("resource_types")) what.resource_types = *v;
  what.check = call->flag("check", true);
  call->engine.create_integration(call->by, std::move(what), [call](Result<engine::CreatedIntegration> made) {
    if (!made) return fail(call, made.error());
    const auto id = made->row.scope.integration;
    answer(call, 201,
           json::object{{"id", id.str()},
                        {"name", made->row.name},
                        {"scim_base_path", scim_base_path(id)},
                        {"scim_token", made->scim_token}});
  });
}

engine::Done<port::IntegrationRow> then_show(const CallPtr& call) {
  return [call](Result<port::IntegrationRow> row) {
    if (!row) return fail(call, row.error());
    show_row(call);
  };
}

void change(const CallPtr& call) {
  call->engine.update_integration(call->by, call->id<IntegrationId>(0), call->body, then_show(call));
}

void pause(const CallPtr& call) {
  call->engine.set_integration_state(call->by, call->id<IntegrationId>(0), port::IntegrationState::paused,
                                     then_show(call), call->text("reason"));
}

void stop(const CallPtr& call) {
  call->engine.stop_integration(call->by, call->id<IntegrationId>(0), call->text("reason"), then_show(call));
}

void resume(const CallPtr& call) {
  call->engine.set_integration_state(call->by, call->id<IntegrationId>(0), port::IntegrationState::active,
                                     then_show(call), call->text("reason"));
}

void remove_integration(const CallPtr& call) {
  const auto it = call->query.find("abandon");
  const bool abandon = it != call->query.end() && it->second == "true";
  call->engine.delete_integration(call->by, call->id<IntegrationId>(0), abandon, [call](Result<void> done) {
    if (!done) return fail(call, done.error());
    answer_nothing(call);
  });
}

void check(const CallPtr& call) {
  call->engine.check_integration(call->by, call->id<IntegrationId>(0), [call](Result<connector::Reply> reply) {
    if (!reply) return fail(call, reply.error());
    answer(call, 200,
           json::object{{"ok", reply->outcome == connector::Outcome::ok},
                        {"outcome", connector::to_string(reply->outcome)},
                        {"detail", reply->detail}});
  });
}

void rotate(const CallPtr& call) {
  // The schema has made sure of a whole number, which JSON may also write as 60.0.
  std::int64_t seconds = 0;
  if (const auto* v = call->body.if_contains("overlap_seconds")) seconds = v->to_number<std::int64_t>();
  const auto id = call->id<IntegrationId>(0);
  call->engine.rotate_token(call->by, id, std::chrono::seconds(seconds), [call, id](Result<std::string> token) {
    if (!token) return fail(call, token.error());
    answer(call, 200,
           json::object{{"id", id.str()}, {"scim_base_path", scim_base_path(id)}, {"scim_token", *token}});
  });
}

}  // namespace

void add_integration_routes(std::vector<AdminRoute>& routes) {
  const auto add = [&](AdminRoute r) { routes.push_back(std::move(r)); };
  const std::string_view tag = "integrations";
  const auto needs = Needs::integrations;
  add({"GET",
       "/integrations",
       "listIntegrations",
       tag,
       "All integrations with their status",
       needs,
       {{"deleted", "boolean", "With those that were deleted, whose jobs and evidence stay."}},
       "",
       200,
       "IntegrationList",
       list_integrations});
  add({"POST",
       "/integrations",
       "createIntegration",
       tag,
       "A new integration; unless `check` is false it is made only when the app answers well",
       needs,
       {},
       "IntegrationCreate",
       201,
       "IntegrationCreated",
       create});
  add({"GET",
       "/integrations/{integration}",
       "getIntegration",
       tag,
       "One integration with its status",
       needs,
       {},
       "",
       200,
       "Integration",
       show_row});
  add({"PATCH",
       "/integrations/{integration}",
       "changeIntegration",
       tag,
       "Changes name, config, policy, settings, schemas or resource types",
       needs,
       {},
       "IntegrationChange",
       200,
       "Integration",
       change});
  add({"DELETE",
       "/integrations/{integration}",
       "deleteIntegration",
       tag,
       "Deletes it; nobody loses access by this, and unfinished removals forbid it",
       needs,
       {{"abandon", "boolean", "Abandon unfinished removals, each by name on the activity."}},
       "",
       204,
       "",
       remove_integration});
  add({"POST",
       "/integrations/{integration}/check",
       "checkIntegration",
       tag,
       "Asks the app whether the connection works",
       needs,
       {},
       "",
       200,
       "Check",
       check});
  add({"POST",
       "/integrations/{integration}/pause",
       "pauseIntegration",
       tag,
       "Stops all effects; SCIM goes on being accepted",
       needs,
       {},
       "OptionalReason",
       200,
       "Integration",
       pause});
  add({"POST",
       "/integrations/{integration}/stop",
       "stopIntegration",
       tag,
       "The kill switch: nothing more is sent to the app, over restarts too; SCIM goes on being accepted",
       needs,
       {},
       "Reason",
       200,
       "Integration",
       stop});
  add({"POST",
       "/integrations/{integration}/resume",
       "resumeIntegration",
       tag,
       "Lets its jobs run again",
       needs,
       {},
       "OptionalReason",
       200,
       "Integration",
       resume});
  add({"POST",
       "/integrations/{integration}/rotate-token",
       "rotateToken",
       tag,
       "A new gateway token, shown this once",
       needs,
       {},
       "TokenRotate",
       200,
       "TokenRotated",
       rotate});
}

}  // namespace deprov::service
