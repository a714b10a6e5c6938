// What a policy would do.
#include "service/admin_call.hpp"

namespace deprov::service {

namespace {

constexpr std::size_t most_of_a_state = 16U << 20U;  // what the server takes as well

std::optional<json::object> object_of(const CallPtr& call, std::string_view name) {
  const auto* v = call->body.if_contains(name);
  if (v == nullptr || !v->is_object()) return std::nullopt;
  return v->get_object();
}

engine::Done<json::object> then_answer(const CallPtr& call) {
  return [call](Result<json::object> document) {
    if (!document) return fail(call, document.error());
    answer(call, 200, json::value(std::move(*document)));
  };
}

void plan(const CallPtr& call) {
  call->engine.preview(call->by, call->id<IntegrationId>(0), object_of(call, "policy"), object_of(call, "state"),
                       then_answer(call));
}

void state(const CallPtr& call) {
  call->engine.record_state(call->by, call->id<IntegrationId>(0), then_answer(call));
}

}  // namespace

void add_plan_routes(std::vector<AdminRoute>& routes) {
  const std::string_view tag = "plans";
  routes.push_back({"POST",
                    "/integrations/{integration}/plan",
                    "planIntegration",
                    tag,
                    "What a policy would do to the present state, or to a recorded one; nothing is done",
                    Needs::integrations,
                    {},
                    "PlanRequest",
                    200,
                    "Plan",
                    plan,
                    "application/json",
                    {},
                    most_of_a_state});
  routes.push_back({"GET",
                    "/integrations/{integration}/state",
                    "recordState",
                    tag,
                    "Users, groups and what was decided of them, for plans",
                    Needs::integrations,
                    {},
                    "",
                    200,
                    "State",
                    state});
}

}  // namespace deprov::service
