// Webhooks, and notifications for whoever would rather ask.
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <deprov/engine/notification.hpp>
#include "service/admin_call.hpp"
#include "service/admin_json.hpp"

namespace deprov::service {

namespace {

constexpr std::size_t deliveries_shown = 100;

json::object webhook_json(const port::WebhookRow& row) {
  json::array events;
  for (std::size_t at = 0; at < row.events.size();) {
    const auto comma = std::min(row.events.find(',', at), row.events.size());
    events.emplace_back(row.events.substr(at, comma - at));
    at = comma + 1;
  }
  return {{"id", row.id.str()},
          {"name", row.name},
          {"url", row.url},
          {"integration", id_json(row.integration)},
          {"events", std::move(events)},
          {"ca_pem", row.ca_pem.empty() ? json::value() : json::value(row.ca_pem)},
          {"created", time_json(row.created)}};
}

json::object delivery_json(const port::DeliveryRow& row) {
  return {{"id", "msg_" + row.id.str()},
          {"state", port::to_string(row.state)},
          {"created", time_json(row.created)},
          {"due", row.state == port::DeliveryState::pending ? time_json(row.due) : json::value()},
          {"finished", time_json(row.finished)},
          {"resent", time_json(row.resent)},
          {"attempts", row.attempts},
          {"status", row.status == 0 ? json::value() : json::value(row.status)},
          {"events", row.events},
          {"error", row.error.empty() ? json::value() : json::value(row.error)}};
}

Result<port::WebhookRow> webhook_of(port::Reader& reader, const AdminCall& call) {
  DEPROV_TRY(rows, reader.webhooks(call.by.workspace));
  const auto id = call.id<WebhookId>(0);
  for (auto& row : rows)
    if (row.id == id) return std::move(row);
  return Error(Errc::not_found, "there is no such webhook", "webhook " + id.str(),
               "list them with `deprov webhook list`");
}

void list_webhooks(const CallPtr& call) {
  read(call, [call](port::Reader& reader) -> Result<json::value> {
    DEPROV_TRY(rows, reader.webhooks(call->by.workspace));
    json::array items;
    for (const auto& row : rows) {
      auto item = webhook_json(row);
      DEPROV_TRY(last, reader.deliveries(row.workspace, row.id, std::nullopt, std::nullopt, 1));
      item["last"] = last.rows.empty() ? json::value() : json::value(delivery_json(last.rows.front()));
      items.push_back(std::move(item));
    }
    return json::value(json::object{{"items", std::move(items)}});
  });
}

void show_webhook(const CallPtr& call) {
  read(call, [call](port::Reader& reader) -> Result<json::value> {
    DEPROV_TRY(row, webhook_of(reader, *call));
    DEPROV_TRY(page, reader.deliveries(row.workspace, row.id, std::nullopt, std::nullopt, deliveries_shown));
    json::array items;
    for (const auto& delivery : page.rows) items.push_back(delivery_json(delivery));
    return json::value(json::object{{"webhook", webhook_json(row)}, {"deliveries", std::move(items)}});
  });
}

void add_webhook(const CallPtr& call) {
  engine::CreateWebhook what;
  what.name = call->text("name");
  what.url = call->text("url");
  what.ca_pem = call->text("ca_pem");
  if (const auto* events = call->body.if_contains("events"); events != nullptr && events->is_array()) {
    for (const auto& v : events->get_array()) {
      const auto type = engine::parse_notification_type(v.as_string());
      if (!type) return fail(call, Error(Errc::invalid_argument, "there is no such event", "body/events"));
      if (std::find(what.events.begin(), what.events.end(), *type) == what.events.end())
        what.events.push_back(*type);
    }
  }
  if (const auto text = call->text("integration"); !text.empty()) {
    what.integration = IntegrationId::parse(text);
    if (!what.integration) return fail(call, Error(Errc::invalid_argument, "not a UUID", "body/integration"));
  }
  call->engine.create_webhook(call->by, std::move(what), [call](Result<engine::CreatedWebhook> made) {
    if (!made) return fail(call, made.error());
    auto o = webhook_json(made->row);
    o["secret"] = made->secret;
    answer(call, 201, o);
  });
}

void test(const CallPtr& call) {
  call->engine.test_webhook(call->by, call->id<WebhookId>(0), [call](Result<engine::WebhookTest> test) {
    if (!test) return fail(call, test.error());
    answer(call, 200,
           json::object{{"delivered", test->delivered},
                        {"status", test->status == 0 ? json::value() : json::value(test->status)},
                        {"error", test->error.empty() ? json::value() : json::value(test->error)},
                        {"took_ms", static_cast<double>(test->took.count()) / 1000.0}});
  });
}

void rotate(const CallPtr& call) {
  std::int64_t seconds = 0;
  if (const auto* v = call->body.if_contains("overlap_seconds")) seconds = v->to_number<std::int64_t>();
  const auto id = call->id<WebhookId>(0);
  call->engine.rotate_webhook_secret(call->by, id, std::chrono::seconds(seconds),
                                     [call, id](Result<std::string> secret) {
                                       if (!secret) return fail(call, secret.error());
                                       answer(call, 200, json::object{{"id", id.str()}, {"secret", *secret}});
                                     });
}

void change(const CallPtr& call) {
  call->engine.set_webhook_authorities(call->by, call->id<WebhookId>(0), call->text("ca_pem"),
                                       [call](const Result<void>& done) {
                                         if (!done) return fail(call, done.error());
                                         read(call, [call](port::Reader& reader) -> Result<json::value> {
                                           DEPROV_TRY(row, webhook_of(reader, *call));
                                           return json::value(webhook_json(row));
                                         });
                                       });
}

void resend(const CallPtr& call) {
  engine::ResendDeliveries what;
  const auto message = call->text("message");
  const auto since = call->text("since");
  if (message.empty() == since.empty()) {
    return fail(call, Error(Errc::invalid_argument, "one message or a time has to be named", "body",
                            "give either \"message\" or \"since\""));
  }
  if (!message.empty()) {
    const std::string_view id = message;
    what.message = DeliveryId::parse(id.substr(0, 4) == "msg_" ? id.substr(4) : id);
    if (!what.message) return fail(call, Error(Errc::invalid_argument, "not the id of a message", "body/message"));
  } else {
    const auto time = parse_rfc3339(since);
    if (!time) return fail(call, Error(Errc::invalid_argument, "not a time (RFC 3339)", "body/since"));
    what.since = *time;
  }
  call->engine.resend_deliveries(call->by, call->id<WebhookId>(0), what, [call](Result<std::uint64_t> count) {
    if (!count) return fail(call, count.error());
    answer(call, 202, json::object{{"messages", *count}});
  });
}

void remove_webhook(const CallPtr& call) {
  call->engine.remove_webhook(call->by, call->id<WebhookId>(0), [call](const Result<void>& gone) {
    if (!gone) return fail(call, gone.error());
    answer_nothing(call);
  });
}

void notifications(const CallPtr& call, IntegrationId id) {
  const auto limit = limit_of(*call, 100, 1000);
  if (!limit) return fail(call, limit.error());
  const auto after = number_of(*call, "after", 0);
  if (!after) return fail(call, after.error());
  call->engine.notifications(call->by, id, *after, *limit, [call](Result<engine::NotificationPage> page) {
    if (!page) return fail(call, page.error());
    json::array items;
    for (const auto& n : page->items) items.push_back(engine::to_json(n));
    answer(call, 200, json::object{{"items", std::move(items)}, {"upto", page->upto}, {"more", page->more}});
  });
}
void of_integration(const CallPtr& call) { notifications(call, call->id<IntegrationId>(0)); }
void of_workspace(const CallPtr& call) { notifications(call, {}); }

constexpr std::string_view webhook_schema_text = R"json({
"NotificationType": {"enum": []},
"Notification": {
  "type": "object", "additionalProperties": false,
  "description": "One thing to tell. Told at least once: `id` is the same each time.",
  "required": ["id", "type", "at", "workspace", "integration", "integration_name", "seq", "last_seq", "count", "actor",
    "subject", "user_name", "job", "subjects", "detail"],
  "properties": {"id": {"type": "string", "minLength": 1}, "type": {"$ref": "#/components/schemas/NotificationType"},
    "at": {"$ref": "#/components/schemas/Time"}, "workspace": {"$ref": "#/components/schemas/Id"},
    "integration": {"$ref": "#/components/schemas/IdOrNull"}, "integration_name": {"type": ["string", "null"]},
    "seq": {"type": "integer", "minimum": 0, "description": "The record on the activity that it tells."},
    "last_seq": {"type": "integer", "minimum": 0, "description": "The last record that it stands for."},
    "count": {"type": "integer", "minimum": 1, "description": "How many records it stands for: those of one hold come together."},
    "actor": {"type": "string"}, "subject": {"$ref": "#/components/schemas/IdOrNull"}, "user_name": {"type": ["string", "null"]},
    "job": {"$ref": "#/components/schemas/IdOrNull"},
    "subjects": {"type": "array", "maxItems": 20, "description": "The first ones, where it stands for many.",
      "items": {"type": "object", "additionalProperties": false, "required": ["subject", "user_name", "job"],
        "properties": {"subject": {"$ref": "#/components/schemas/IdOrNull"}, "user_name": {"type": ["string", "null"]},
          "job": {"$ref": "#/components/schemas/IdOrNull"}}}},
    "detail": {"type": "object", "description": "As on the activity: cause, reason, time_to_deprovision_ms, ...; `record` is the name of the record. {\"truncated\": true} where it is larger than 2 KiB."}}},
"NotificationList": {
  "type": "object", "additionalProperties": false, "required": ["items", "upto", "more"],
  "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Notification"}},
    "upto": {"type": "integer", "minimum": 0, "description": "Give it as `after` for what follows."}, "more": {"type": "boolean"}}},
"WebhookMessage": {
  "type": "object", "additionalProperties": false, "required": ["type", "timestamp", "data"],
  "description": "The body that a webhook gets. Headers, after the Standard Webhooks specification: webhook-id (the same at each attempt), webhook-timestamp (seconds), webhook-signature (one or more of `v1,` and the base64 of the HMAC-SHA256 over `id.timestamp.body`, with a space between).",
  "properties": {"type": {"const": "deprov.events"}, "timestamp": {"$ref": "#/components/schemas/Time"},
    "data": {"type": "object", "additionalProperties": false, "required": ["workspace", "webhook", "skipped", "events"],
      "properties": {"workspace": {"$ref": "#/components/schemas/Id"}, "webhook": {"$ref": "#/components/schemas/Id"},
        "skipped": {"type": "integer", "minimum": 0, "description": "Events that are not told, since they were older than 72 hours when their turn came."},
        "events": {"type": "array", "minItems": 1, "maxItems": 100, "items": {"$ref": "#/components/schemas/Notification"}}}}}},
"WebhookEvent": {"enum": []},
"WebhookEvents": {"type": "array", "maxItems": 50, "items": {"$ref": "#/components/schemas/WebhookEvent"}},
"WebhookCreate": {
  "type": "object", "additionalProperties": false, "required": ["name", "url"],
  "properties": {"name": {"$ref": "#/components/schemas/Name"},
    "url": {"type": "string", "minLength": 1, "maxLength": 2048, "description": "https; http for localhost alone."},
    "events": {"$ref": "#/components/schemas/WebhookEvents", "description": "What it hears of; none: everything."},
    "ca_pem": {"$ref": "#/components/schemas/Authorities"},
    "integration": {"$ref": "#/components/schemas/Id", "description": "Of this one alone, and of stops of the whole workspace; absent: of all."}}},
"Authorities": {"type": "string", "maxLength": 262144,
  "description": "PEM: the authorities that a certificate is judged by, in place of the system's; empty: the system's."},
"WebhookChange": {
  "type": "object", "additionalProperties": false, "required": ["ca_pem"],
  "properties": {"ca_pem": {"$ref": "#/components/schemas/Authorities"}}},
"WebhookResend": {
  "type": "object", "additionalProperties": false, "description": "One message, or all that were given up and were made then or later.",
  "properties": {"message": {"type": "string", "minLength": 1, "maxLength": 100, "description": "As in the header webhook-id."},
    "since": {"$ref": "#/components/schemas/Time"}}},
"WebhookResent": {
  "type": "object", "additionalProperties": false, "required": ["messages"],
  "properties": {"messages": {"type": "integer", "minimum": 0, "description": "So many are on their way again."}}},
"WebhookCreated": {
  "type": "object", "additionalProperties": false,
  "required": ["id", "name", "url", "integration", "events", "ca_pem", "created", "secret"],
  "properties": {"id": {"$ref": "#/components/schemas/Id"}, "name": {"$ref": "#/components/schemas/Name"}, "url": {"type": "string"},
    "integration": {"$ref": "#/components/schemas/IdOrNull"}, "events": {"$ref": "#/components/schemas/WebhookEvents"},
    "ca_pem": {"type": ["string", "null"], "description": "Authorities in place of the system's."},
    "created": {"$ref": "#/components/schemas/Time"}, "secret": {"type": "string", "description": "Shown this once."}}},
"Webhook": {
  "type": "object", "additionalProperties": false, "required": ["id", "name", "url", "integration", "events", "ca_pem", "created"],
  "properties": {"id": {"$ref": "#/components/schemas/Id"}, "name": {"$ref": "#/components/schemas/Name"}, "url": {"type": "string"},
    "integration": {"$ref": "#/components/schemas/IdOrNull"}, "events": {"$ref": "#/components/schemas/WebhookEvents"},
    "ca_pem": {"type": ["string", "null"], "description": "Authorities in place of the system's."},
    "created": {"$ref": "#/components/schemas/Time"},
    "last": {"description": "The newest message.", "anyOf": [{"type": "null"}, {"$ref": "#/components/schemas/WebhookDelivery"}]}}},
"WebhookList": {
  "type": "object", "additionalProperties": false, "required": ["items"],
  "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Webhook"}}}},
"WebhookDelivery": {
  "type": "object", "additionalProperties": false,
  "required": ["id", "state", "created", "due", "finished", "resent", "attempts", "status", "events", "error"],
  "properties": {"id": {"type": "string", "description": "As in the header webhook-id."},
    "state": {"enum": ["pending", "delivered", "dead"], "description": "dead: given up after 72 hours."},
    "created": {"$ref": "#/components/schemas/Time"}, "due": {"$ref": "#/components/schemas/TimeOrNull"},
    "finished": {"$ref": "#/components/schemas/TimeOrNull"},
    "resent": {"$ref": "#/components/schemas/TimeOrNull", "description": "When a person had it sent again; it is tried for an hour."}, "attempts": {"type": "integer"},
    "status": {"type": ["integer", "null"], "description": "HTTP, of the last answer."}, "events": {"type": "integer"},
    "error": {"type": ["string", "null"]}}},
"WebhookDetail": {
  "type": "object", "additionalProperties": false, "required": ["webhook", "deliveries"],
  "properties": {"webhook": {"$ref": "#/components/schemas/Webhook"},
    "deliveries": {"type": "array", "description": "The newest first: what is on its way, the last 20 that were delivered, the last 100 that were given up.",
      "items": {"$ref": "#/components/schemas/WebhookDelivery"}}}},
"WebhookTested": {
  "type": "object", "additionalProperties": false, "required": ["delivered", "status", "error", "took_ms"],
  "properties": {"delivered": {"type": "boolean"}, "status": {"type": ["integer", "null"]}, "error": {"type": ["string", "null"]},
    "took_ms": {"type": "number"}}},
"WebhookRotate": {
  "type": "object", "additionalProperties": false,
  "properties": {"overlap_seconds": {"type": "integer", "minimum": 0, "maximum": 2592000,
    "description": "For which messages are signed with the old secret, too."}}},
"WebhookRotated": {
  "type": "object", "additionalProperties": false, "required": ["id", "secret"],
  "properties": {"id": {"$ref": "#/components/schemas/Id"}, "secret": {"type": "string", "description": "Shown this once."}}}
})json";

}  // namespace

json::object webhook_schemas() {
  auto schemas = json::parse(webhook_schema_text).get_object();
  json::array names;
  for (const auto type : engine::notification_types()) names.emplace_back(engine::to_string(type));
  schemas["WebhookEvent"] = json::object{{"enum", names}};
  names.emplace_back(engine::to_string(engine::NotificationType::webhook_test));
  schemas["NotificationType"] = json::object{{"enum", std::move(names)}};
  return schemas;
}

void add_webhook_routes(std::vector<AdminRoute>& routes) {
  const auto add_route = [&](AdminRoute r) { routes.push_back(std::move(r)); };
  const std::string_view tag = "webhooks";
  const auto needs = Needs::integrations;
  add_route({"GET",
             "/webhooks",
             "listWebhooks",
             tag,
             "Who is told what happens",
             needs,
             {},
             "",
             200,
             "WebhookList",
             list_webhooks});
  add_route({"POST",
             "/webhooks",
             "createWebhook",
             tag,
             "Tells an address what happens from now on; its secret is shown this once",
             needs,
             {},
             "WebhookCreate",
             201,
             "WebhookCreated",
             add_webhook});
  add_route({"GET",
             "/webhooks/{webhook}",
             "getWebhook",
             tag,
             "One of them with its messages, the newest first",
             needs,
             {},
             "",
             200,
             "WebhookDetail",
             show_webhook});
  add_route({"DELETE",
             "/webhooks/{webhook}",
             "deleteWebhook",
             tag,
             "Tells it nothing any more; what was on its way is given up",
             needs,
             {},
             "",
             204,
             "",
             remove_webhook});
  add_route({"PATCH",
             "/webhooks/{webhook}",
             "changeWebhook",
             tag,
             "Other authorities that its certificate is judged by",
             needs,
             {},
             "WebhookChange",
             200,
             "Webhook",
             change});
  add_route({"POST",
             "/webhooks/{webhook}/resend",
             "resendWebhook",
             tag,
             "Sends what was given up again, as it was: the oldest first, before what is new",
             needs,
             {},
             "WebhookResend",
             202,
             "WebhookResent",
             resend});
  add_route({"POST",
             "/webhooks/{webhook}/test",
             "testWebhook",
             tag,
             "Sends a test event, once, and says what came of it",
             needs,
             {},
             "",
             200,
             "WebhookTested",
             test});
  add_route({"POST",
             "/webhooks/{webhook}/rotate-secret",
             "rotateWebhookSecret",
             tag,
             "A new secret, shown this once",
             needs,
             {},
             "WebhookRotate",
             200,
             "WebhookRotated",
             rotate});
  const std::vector<AdminParameter> pages{{"after", "seq", "Where the page before ended (`upto`)."},
                                          {"limit", "limit", "At most so many."}};
  add_route({"GET", "/integrations/{integration}/notifications", "listNotifications", tag,
             "What there is to tell of one integration, in order: for whoever asks instead of being called", needs,
             pages, "", 200, "NotificationList", of_integration});
  add_route({"GET", "/workspace/notifications", "listWorkspaceNotifications", tag,
             "The same of the workspace itself", needs, pages, "", 200, "NotificationList", of_workspace});
}

}  // namespace deprov::service
