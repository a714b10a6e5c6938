// What a webhook gets is what the OpenAPI document publishes.
#include <boost/json/array.hpp>
#include <deprov/engine/notification.hpp>
#include <deprov/json_schema.hpp>
#include "catch.hpp"
#include "engine/courier.hpp"
#include "service/admin_call.hpp"

using namespace deprov;
namespace json = boost::json;

namespace {

engine::Notification told(engine::NotificationType type) {
  engine::Notification n;
  n.type = type;
  n.scope.workspace.value.bytes[0] = 1;
  n.scope.integration.value.bytes[0] = 2;
  n.seq = n.last = 7;
  n.at = *parse_rfc3339("2026-11-24T00:00:00Z");
  n.actor = "engine";
  n.subject.value.bytes[0] = 3;
  n.job.value.bytes[0] = 4;
  n.detail = {{"cause", "deactivated"}};
  n.integration = "Wiki";
  n.user_name = "ann";
  return n;
}

}  // namespace

TEST_CASE("a message to a webhook fits its published schema, whatever it tells", "[service][webhook]") {
  const auto& schema = service::admin_schema("WebhookMessage");
  CHECK(check_json_schema(schema));
  port::WebhookRow row;
  row.workspace.value.bytes[0] = 1;
  row.id.value.bytes[0] = 5;
  const auto now = *parse_rfc3339("2026-11-24T00:00:01Z");
  json::array all;
  for (const auto type : engine::notification_types()) all.push_back(engine::to_json(told(type)));
  auto many = told(engine::NotificationType::removal_held);
  many.subject = {};
  many.job = {};
  many.user_name.clear();
  many.count = 100;
  many.last = 106;
  for (int i = 0; i < 20; ++i) many.subjects.push_back({told(many.type).subject, told(many.type).job, "ann"});
  all.push_back(engine::to_json(many));
  auto workspace = told(engine::NotificationType::lane_paused);
  workspace.scope.integration = {};
  workspace.integration.clear();
  all.push_back(engine::to_json(workspace));
  all.push_back(engine::to_json(told(engine::NotificationType::webhook_test)));
  const auto message = engine::webhook_message(row, now, all, 3);
  const auto fits = validate_json(schema, message);
  INFO((fits ? std::string() : fits.error().message()));
  CHECK(fits);
  // And the schema is no paper: it refuses what is none.
  auto wrong = message;
  wrong["data"].as_object()["events"].as_array()[0].as_object()["type"] = "removal.gone";
  CHECK_FALSE(validate_json(schema, wrong));
  wrong = message;
  wrong["data"].as_object().erase("skipped");
  CHECK_FALSE(validate_json(schema, wrong));
  wrong = message;
  wrong["data"].as_object()["events"] = json::array{};
  CHECK_FALSE(validate_json(schema, wrong));
}
