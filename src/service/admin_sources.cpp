// Sources besides SCIM push: made, shown, removed, and their lists handed in piece by piece.
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <deprov/engine/events.hpp>
#include <deprov/engine/sources.hpp>
#include <deprov/idp/feed.hpp>
#include "service/admin_call.hpp"
#include "service/admin_json.hpp"

namespace deprov::service {

namespace {

constexpr std::string_view source_schema_text = R"json({
"AddSource": {
  "type": "object", "additionalProperties": false, "required": ["name"],
  "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 256},
    "kind": {"enum": ["file", "rows", "events"], "description": "Whether the bytes of a list are handed in, or users, or security events come (default: file); or what is polled: then the config has a member of that name, and auth."},
    "config": {"type": "object", "description": "By the kind: EventConfig, or ListConfig."}},
  "anyOf": [
    {"properties": {"kind": {"enum": ["file", "rows"]}, "config": {"$ref": "#/components/schemas/ListConfig"}}},
    {"properties": {"kind": {"const": "events"}, "config": {"$ref": "#/components/schemas/EventConfig"}}}]},
"SetSource": {
  "type": "object", "additionalProperties": false, "required": ["config"],
  "properties": {"config": {"type": "object", "minProperties": 1, "description": "Members that take the place of what the source's config has; null takes one away. Of poll, verification and links only the members that are given; auth and hook are replaced whole, secrets in them. How lists are read, and which IdP is meant, cannot be changed."}}},
"Source": {
  "type": "object", "additionalProperties": false,
  "required": ["id", "name", "kind", "config", "created", "health", "users", "list_begun", "carrying_out", "attempted",
    "succeeded", "failing_since", "failure", "failures", "next_poll", "poll"],
  "properties": {"id": {"$ref": "#/components/schemas/Id"}, "name": {"type": "string"}, "kind": {"type": "string"},
    "config": {"$ref": "#/components/schemas/SourceConfig"}, "created": {"$ref": "#/components/schemas/Time"},
    "health": {"enum": ["never_read", "ok", "failing"]},
    "users": {"type": "integer", "description": "In its last complete list."},
    "list_begun": {"$ref": "#/components/schemas/TimeOrNull", "description": "When reading that list began."},
    "carrying_out": {"$ref": "#/components/schemas/IdOrNull", "description": "The work that carries out what that list changes."},
    "attempted": {"$ref": "#/components/schemas/TimeOrNull"}, "succeeded": {"$ref": "#/components/schemas/TimeOrNull"},
    "failing_since": {"$ref": "#/components/schemas/TimeOrNull", "description": "Since then what was inferred from it waits (R16)."},
    "failure": {"type": ["string", "null"]}, "failures": {"type": "integer", "description": "In a row."},
    "next_poll": {"$ref": "#/components/schemas/TimeOrNull", "description": "Null: it is not read by itself. While somebody reads a list of it, when another engine would if that one were gone. Of security events, past: it is being asked, for 30 s at most, or overdue."},
    "poll": {"description": "Null: it is not polled.", "oneOf": [{"type": "null"}, {"type": "object", "additionalProperties": false,
      "required": ["round", "complete_at", "lag_s", "interval_s", "floor_s", "ceiling_s", "quota", "waits", "reader"],
      "properties": {"round": {"type": ["string", "null"], "description": "What its last round was: complete, or changes."},
        "complete_at": {"$ref": "#/components/schemas/TimeOrNull", "description": "When everybody was last read."},
        "lag_s": {"type": ["integer", "null"], "description": "How old what is known of it is."},
        "interval_s": {"type": ["integer", "null"], "description": "Between polls, now; longer after failures. Null: it was not polled yet."},
        "floor_s": {"type": "integer", "description": "Between polls at least; what is acknowledged of security events is so at once."},
        "ceiling_s": {"type": "integer", "description": "At most, unless its API asks for more."},
        "quota": {"$ref": "#/components/schemas/SourceQuota"},
        "waits": {"type": ["string", "null"], "description": "Why it is not read now, though it does not fail."},
        "reader": {"type": ["string", "null"], "description": "The engine that reads it now; of security events, the one that asks for them, where several share the store."}}}]}}},
"SourceQuota": {
  "type": "object", "additionalProperties": false, "description": "What its API last said may still be asked.",
  "properties": {"remaining": {"type": "integer"}, "limit": {"type": "integer"}, "reset_at": {"$ref": "#/components/schemas/Time"}}},
"PollSource": {
  "type": "object", "additionalProperties": false,
  "properties": {"dry_run": {"type": "boolean", "description": "Tell what would happen, and store nothing."},
    "complete": {"type": "boolean", "description": "Read everybody, also where asking for what changed would do."},
    "differences": {"type": "integer", "minimum": 0, "maximum": 10000, "description": "How many are listed (default: 1000)."}}},
"RereadSubject": {
  "type": "object", "additionalProperties": false,
  "properties": {"source": {"$ref": "#/components/schemas/Id", "description": "The one to ask (default: all that are polled)."},
    "id": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "The source's id of the user."},
    "subject": {"$ref": "#/components/schemas/Id", "description": "Or the subject."}}},
"Reread": {
  "type": "object", "additionalProperties": false, "required": ["asked"],
  "properties": {"asked": {"type": "integer", "description": "How many sources will be asked."}}},
"UnlinkedSubjects": {
  "type": "object", "additionalProperties": false, "required": ["items"],
  "properties": {"items": {"type": "array", "items": {"type": "object", "additionalProperties": false,
    "required": ["subject", "why", "event", "count", "first", "last", "candidates"],
    "properties": {"subject": {"type": "string", "description": "As the transmitter names it, as JSON."},
      "why": {"enum": ["unknown", "ambiguous"]}, "event": {"type": "string", "description": "The last one."},
      "count": {"type": "integer"}, "first": {"$ref": "#/components/schemas/Time"}, "last": {"$ref": "#/components/schemas/Time"},
      "candidates": {"type": "array", "items": {"$ref": "#/components/schemas/Id"}}}}}}},
"LinkSubject": {
  "type": "object", "additionalProperties": false, "required": ["subject", "identifier"],
  "properties": {"subject": {"$ref": "#/components/schemas/Id"},
    "identifier": {"type": "string", "maxLength": 1024, "description": "Its id at the transmitter, which then means it and nobody else whom it fits; empty: none any more."}}},
"SourceList": {
  "type": "object", "additionalProperties": false, "required": ["items"],
  "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Source"}}}},
"BeginList": {
  "type": "object", "additionalProperties": false,
  "properties": {"dry_run": {"type": "boolean", "description": "Tell what would happen, and store nothing."},
    "begun": {"$ref": "#/components/schemas/Time", "description": "When whoever made the list began to read it (default: now)."},
    "differences": {"type": "integer", "minimum": 0, "maximum": 10000, "description": "How many are listed (default: 1000)."}}},
"CheckList": {
  "type": "object", "additionalProperties": false, "required": ["config"],
  "properties": {"config": {"$ref": "#/components/schemas/ListConfig"},
    "differences": {"type": "integer", "minimum": 0, "maximum": 10000}}},
"ListBegun": {
  "type": "object", "additionalProperties": false, "required": ["list"],
  "properties": {"list": {"$ref": "#/components/schemas/Id"}}},
"ListUsers": {
  "type": "object", "additionalProperties": false, "required": ["offset", "users"],
  "properties": {"offset": {"type": "integer", "minimum": 0, "maximum": 1000000000, "description": "How many users came before these."},
    "users": {"type": "array", "maxItems": 10000, "items": {"type": "object", "additionalProperties": false, "required": ["id"],
      "properties": {"id": {"type": "string"}, "external_id": {"type": "string"}, "user_name": {"type": "string"},
        "email": {"type": "string"}, "active": {"type": "boolean", "description": "Default: true."}}}}}},
"ListOffset": {
  "type": "object", "additionalProperties": false, "required": ["offset"],
  "properties": {"offset": {"type": "integer", "description": "How many bytes, or users, there are now."}}},
"EndList": {
  "type": "object", "additionalProperties": false,
  "properties": {"count": {"type": "integer", "minimum": 0, "maximum": 1000000000, "description": "How many users the list has, as its source counts."}}},
"ListReport": {
  "type": "object", "additionalProperties": false,
  "required": ["list", "begun", "dry_run", "first", "listed", "listed_active", "subjects", "with_access", "unknown_here",
    "counts", "since_last", "ends", "restores", "work", "differences", "more"],
  "properties": {"list": {"$ref": "#/components/schemas/Id"}, "begun": {"$ref": "#/components/schemas/Time"},
    "dry_run": {"type": "boolean"}, "first": {"type": "boolean", "description": "There was none to compare with: nothing is changed by it."},
    "listed": {"type": "integer"}, "listed_active": {"type": "integer"}, "subjects": {"type": "integer"},
    "with_access": {"type": "integer"},
    "unknown_here": {"type": "integer", "description": "Active in the list, and no subject here."},
    "counts": {"type": "object", "additionalProperties": {"type": "integer"}, "description": "Subjects by how they and the list differ."},
    "since_last": {"type": "object", "additionalProperties": {"type": "integer"}, "description": "Users by how they and the last complete list differ."},
    "ends": {"type": "integer", "description": "Subjects whose access ends by it, as far as the guard and protection let it."},
    "restores": {"type": "integer"},
    "work": {"$ref": "#/components/schemas/IdOrNull", "description": "What carries it out; null: nothing has to be."},
    "differences": {"type": "array", "items": {"type": "object", "additionalProperties": false,
      "required": ["kind", "subject", "user_name", "external_id", "acts", "what"],
      "properties": {"kind": {"enum": ["not_listed", "listed_inactive", "no_access_here", "no_link", "ambiguous"],
          "description": "ambiguous: its id fits several subjects, and `links` of the source's config say which one is meant; what was shown of it is acted on then."},
        "subject": {"$ref": "#/components/schemas/Id"}, "user_name": {"type": "string"}, "external_id": {"type": "string"},
        "acts": {"type": "boolean", "description": "Something follows from it."}, "what": {"type": "string"}}}},
    "more": {"type": "boolean"},
    "round": {"enum": ["complete", "changes", "subjects"], "description": "Of a polled source: what was read."},
    "quota": {"$ref": "#/components/schemas/SourceQuota"}}}
})json";

json::value parsed(const std::string& config) {
  boost::system::error_code ec;
  auto value = json::parse(config, ec);
  return ec ? json::value(json::object{}) : value;
}

json::value poll_json(const port::SourceRow& r, WallTime now) {
  const auto h = engine::poll_health(r);
  if (!h) return nullptr;
  const auto or_null = [](const std::string& s) { return s.empty() ? json::value() : json::value(s); };
  const auto seconds = [](Duration d) { return d.count() / 1'000'000; };
  json::object quota;
  if (h->quota_remaining) quota["remaining"] = *h->quota_remaining;
  if (h->quota_limit) quota["limit"] = *h->quota_limit;
  if (h->quota_reset) quota["reset_at"] = to_rfc3339(*h->quota_reset);
  const bool there = h->reader_until.micros == 0 || h->reader_until > now;
  const bool read = r.succeeded.micros != 0;
  return json::object{{"round", or_null(h->round)},
                      {"complete_at", time_json(h->complete_at)},
                      {"lag_s", read ? json::value(seconds(now - r.succeeded)) : json::value()},
                      {"interval_s", h->interval.count() != 0 ? json::value(seconds(h->interval)) : json::value()},
                      {"floor_s", seconds(h->floor)},
                      {"ceiling_s", seconds(h->ceiling)},
                      {"quota", std::move(quota)},
                      {"waits", or_null(h->waits)},
                      {"reader", there ? or_null(h->reader) : json::value()}};
}

json::object source_json(const port::SourceRow& r, WallTime now) {
  const bool fails = r.failing_since.micros != 0;
  return {{"id", r.id.str()},
          {"name", r.name},
          {"kind", r.kind},
          {"config", parsed(r.config)},
          {"created", time_json(r.created)},
          {"health", fails                     ? "failing"
                     : r.succeeded.micros == 0 ? "never_read"
                                               : "ok"},
          {"users", r.users},
          {"list_begun", time_json(r.begun)},
          {"carrying_out", id_json(r.work)},
          {"attempted", time_json(r.attempted)},
          {"succeeded", time_json(r.succeeded)},
          {"failing_since", time_json(r.failing_since)},
          {"failure", fails ? json::value(r.failure) : json::value()},
          {"failures", r.failures},
          {"next_poll", time_json(r.due)},
          {"poll", poll_json(r, now)}};
}

std::size_t differences_of(const CallPtr& call) {
  const auto* n = call->body.if_contains("differences");
  return n != nullptr ? n->to_number<std::size_t>() : 1000;
}

json::object config_of(const CallPtr& call) {
  const auto* config = call->body.if_contains("config");
  return config != nullptr ? config->as_object() : json::object{};
}

void add_source(const CallPtr& call) {
  engine::AddSource what;
  what.name = call->text("name");
  if (call->body.contains("kind")) what.kind = call->text("kind");
  what.config = config_of(call);
  call->engine.sources().add(call->by, call->id<IntegrationId>(0), std::move(what),
                             [call](Result<port::SourceRow> row) {
                               if (!row) return fail(call, row.error());
                               answer(call, 201, source_json(*row, call->engine.ports().clock.wall()));
                             });
}

void list_sources(const CallPtr& call) {
  call->engine.sources().list(call->by, call->id<IntegrationId>(0),
                              [call](Result<std::vector<port::SourceRow>> rows) {
                                if (!rows) return fail(call, rows.error());
                                json::array items;
                                for (const auto& row : *rows)
                                  items.push_back(source_json(row, call->engine.ports().clock.wall()));
                                answer(call, 200, json::object{{"items", std::move(items)}});
                              });
}

void show_source(const CallPtr& call) {
  call->engine.sources().list(
      call->by, call->id<IntegrationId>(0), [call](Result<std::vector<port::SourceRow>> rows) {
        if (!rows) return fail(call, rows.error());
        const auto id = call->id<SourceId>(1);
        for (const auto& row : *rows)
          if (row.id == id) return answer(call, 200, source_json(row, call->engine.ports().clock.wall()));
        fail(call, Error(Errc::not_found, "the integration has no such source", "source " + id.str()));
      });
}

void set_source(const CallPtr& call) {
  call->engine.sources().set(call->by, call->id<IntegrationId>(0), call->id<SourceId>(1), {config_of(call)},
                             [call](Result<port::SourceRow> row) {
                               if (!row) return fail(call, row.error());
                               answer(call, 200, source_json(*row, call->engine.ports().clock.wall()));
                             });
}

void remove_source(const CallPtr& call) {
  call->engine.sources().remove(call->by, call->id<IntegrationId>(0), call->id<SourceId>(1),
                                [call](Result<void> done) {
                                  if (!done) return fail(call, done.error());
                                  answer_nothing(call);
                                });
}

void unlinked(const CallPtr& call) {
  call->engine.events().unlinked(call->by, call->id<IntegrationId>(0), call->id<SourceId>(1),
                                 [call](Result<std::vector<engine::UnlinkedSubject>> all) {
                                   if (!all) return fail(call, all.error());
                                   json::array items;
                                   for (const auto& one : *all) {
                                     json::array candidates;
                                     for (const auto& id : one.candidates) candidates.emplace_back(id.str());
                                     items.push_back(json::object{{"subject", one.subject},
                                                                  {"why", one.why},
                                                                  {"event", one.event},
                                                                  {"count", one.count},
                                                                  {"first", time_json(one.first)},
                                                                  {"last", time_json(one.last)},
                                                                  {"candidates", std::move(candidates)}});
                                   }
                                   answer(call, 200, json::object{{"items", std::move(items)}});
                                 });
}

void link(const CallPtr& call) {
  const auto subject = ResourceId::parse(call->text("subject"));
  if (!subject) return fail(call, Error(Errc::invalid_argument, "is not the id of a subject", "body/subject"));
  call->engine.events().link(call->by, call->id<IntegrationId>(0), call->id<SourceId>(1), *subject,
                             call->text("identifier"), [call](Result<void> done) {
                               if (!done) return fail(call, done.error());
                               answer_nothing(call);
                             });
}

void verify(const CallPtr& call) {
  call->engine.events().verify(call->by, call->id<IntegrationId>(0), call->id<SourceId>(1),
                               [call](Result<void> done) {
                                 if (!done) return fail(call, done.error());
                                 answer_nothing(call);
                               });
}

void begun(const CallPtr& call, Result<WorkId> work) {
  if (!work) return fail(call, work.error());
  answer(call, 201, json::object{{"list", work->str()}});
}

void begin(const CallPtr& call) {
  std::optional<WallTime> at;
  if (call->body.contains("begun")) {
    const auto parsed = parse_rfc3339(call->text("begun"));
    if (!parsed) return fail(call, parsed.error().within("begun"));
    at = *parsed;
  }
  call->engine.sources().begin(call->by, call->id<IntegrationId>(0), call->id<SourceId>(1),
                               {call->flag("dry_run", false), differences_of(call), std::nullopt, at},
                               [call](Result<WorkId> work) { begun(call, std::move(work)); });
}

void check(const CallPtr& call) {
  call->engine.sources().begin(call->by, call->id<IntegrationId>(0), {},
                               {true, differences_of(call), config_of(call), std::nullopt},
                               [call](Result<WorkId> work) { begun(call, std::move(work)); });
}

void poll(const CallPtr& call) {
  call->engine.sources().poll(call->by, call->id<IntegrationId>(0), call->id<SourceId>(1),
                              {call->flag("dry_run", false), call->flag("complete", false), differences_of(call)},
                              [call](Result<json::object> report) {
                                if (!report) return fail(call, report.error());
                                answer(call, 200, std::move(*report));
                              });
}

void reread(const CallPtr& call) {
  engine::SourceHint hint;
  if (call->body.contains("id")) hint.id = call->text("id");
  const auto refuse = [&](std::string_view member) {
    fail(call, Error(Errc::invalid_argument, "is no id", std::string(member)));
  };
  if (call->body.contains("source")) {
    hint.source = SourceId::parse(call->text("source"));
    if (!hint.source) return refuse("source");
  }
  if (call->body.contains("subject")) {
    hint.subject = ResourceId::parse(call->text("subject"));
    if (!hint.subject) return refuse("subject");
  }
  if (hint.id.empty() && !hint.subject)
    return fail(call, Error(Errc::invalid_argument, "it does not say who is to be read again", "id",
                            "give the source's id of the user, or the subject"));
  call->engine.sources().reread(call->by, call->id<IntegrationId>(0), std::move(hint),
                                [call](Result<std::size_t> asked) {
                                  if (!asked) return fail(call, asked.error());
                                  answer(call, 200, json::object{{"asked", *asked}});
                                });
}

engine::Done<std::uint64_t> then_offset(const CallPtr& call) {
  return [call](Result<std::uint64_t> offset) {
    if (!offset) return fail(call, offset.error());
    answer(call, 200, json::object{{"offset", *offset}});
  };
}

void feed(const CallPtr& call) {
  const auto offset = number_of(*call, "offset", 0);
  if (!offset) return fail(call, offset.error());
  call->engine.sources().feed(call->by, call->id<WorkId>(0), *offset, std::move(call->request.body),
                              then_offset(call));
}

void add_users(const CallPtr& call) {
  std::vector<engine::SourceUser> users;
  const auto member = [](const json::object& o, const char* name) {
    const auto* v = o.if_contains(name);
    return v != nullptr ? std::string(v->as_string()) : std::string{};
  };
  for (const auto& item : call->body.at("users").as_array()) {
    const auto& o = item.as_object();
    const auto* active = o.if_contains("active");
    users.push_back({member(o, "id"), member(o, "external_id"), member(o, "user_name"), member(o, "email"),
                     active == nullptr || active->as_bool()});
  }
  call->engine.sources().add_users(call->by, call->id<WorkId>(0),
                                   call->body.at("offset").to_number<std::uint64_t>(), std::move(users),
                                   then_offset(call));
}

void end(const CallPtr& call) {
  std::optional<std::uint64_t> count;
  if (const auto* n = call->body.if_contains("count")) count = n->to_number<std::uint64_t>();
  call->engine.sources().end(call->by, call->id<WorkId>(0), count, [call](Result<json::object> report) {
    if (!report) return fail(call, report.error());
    answer(call, 200, std::move(*report));
  });
}

void give_up(const CallPtr& call) {
  const auto failure = call->query.find("failure");
  call->engine.sources().give_up(call->by, call->id<WorkId>(0),
                                 failure != call->query.end() ? failure->second : std::string{},
                                 [call](Result<void> done) {
                                   if (!done) return fail(call, done.error());
                                   answer_nothing(call);
                                 });
}

}  // namespace

json::object source_schemas() {
  auto schemas = json::parse(source_schema_text).get_object();
  schemas["ListConfig"] = engine::source_config_schema();
  schemas["EventConfig"] = engine::event_config_schema();
  schemas["SourceConfig"] =
      json::object{{"anyOf", json::array{json::object{{"$ref", "#/components/schemas/ListConfig"}},
                                         json::object{{"$ref", "#/components/schemas/EventConfig"}}}}};
  // What is wrong with a config is said of the one that the kind wants.
  auto& add = schemas.at("AddSource");
  for (const auto& kind : idp::feed_kinds()) {
    add.at("properties").at("kind").at("enum").as_array().emplace_back(kind.name);
    add.at("anyOf").at(0).at("properties").at("kind").at("enum").as_array().emplace_back(kind.name);
  }
  return schemas;
}

void add_source_routes(std::vector<AdminRoute>& routes) {
  const std::string_view tag = "sources";
  const auto needs = Needs::integrations;
  const auto add_route = [&](std::string_view method, std::string_view path, std::string_view operation,
                             std::string_view summary, std::string_view request, int status,
                             std::string_view response, void (*run)(const CallPtr&)) -> AdminRoute& {
    routes.push_back({method, path, operation, tag, summary, needs, {}, request, status, response, run});
    return routes.back();
  };
  const std::string_view all = "/integrations/{integration}/sources";
  const std::string_view one = "/integrations/{integration}/sources/{source}";
  add_route("POST", all, "addSource", "A source besides SCIM push; its first list changes nothing", "AddSource",
            201, "Source", add_source);
  add_route("GET", all, "listSources", "The sources of an integration, with their health", "", 200, "SourceList",
            list_sources);
  add_route("GET", one, "getSource", "One source", "", 200, "Source", show_source);
  add_route("PATCH", one, "setSource",
            "Credential, schedule, links: what it has read, and what was inferred from that, stays", "SetSource",
            200, "Source", set_source);
  add_route("DELETE", one, "removeSource", "Forgets a source; that ends nobody's access and restores nobody's", "",
            204, "", remove_source);
  add_route("GET", "/integrations/{integration}/sources/{source}/unlinked", "listUnlinkedSubjects",
            "Whom the events of a source named that nobody here could be linked to, the newest first, at most 100",
            "", 200, "UnlinkedSubjects", unlinked);
  add_route("POST", "/integrations/{integration}/sources/{source}/links", "linkSubject",
            "A person says whom an identifier of a transmitter of events means", "LinkSubject", 204, "", link);
  add_route("POST", "/integrations/{integration}/sources/{source}/verify", "verifyStream",
            "Asks the transmitter of events to send a verification event; its coming is on the activity", "", 204,
            "", verify);
  add_route("POST", "/integrations/{integration}/sources/{source}/lists", "beginList",
            "A list of who has access begins; one that had begun before is given up", "BeginList", 201,
            "ListBegun", begin);
  add_route("POST", "/integrations/{integration}/sources/{source}/poll", "pollSource",
            "A polled source is read now; answers how it differs, and what follows (R6)", "PollSource", 200,
            "ListReport", poll);
  add_route("POST", "/integrations/{integration}/rereads", "rereadSubject",
            "One user is read again from polled sources, soon; nothing follows from the request itself (R5)",
            "RereadSubject", 200, "Reread", reread);
  add_route("POST", "/integrations/{integration}/lists", "checkList",
            "A list begins that belongs to no source: it is compared with the subjects, and nothing is changed",
            "CheckList", 201, "ListBegun", check);
  auto& bytes =
      add_route("PUT", "/lists/{list}/bytes", "feedList",
                "The next bytes of a list, at most 8 MiB; its first failure stays", "", 200, "ListOffset", feed);
  bytes.raw = "application/octet-stream";
  bytes.query = {{"offset", "seq", "How many bytes came before these."}};
  add_route("POST", "/lists/{list}/users", "addListUsers", "The next users of a list of a source of kind rows",
            "ListUsers", 200, "ListOffset", add_users);
  add_route("POST", "/lists/{list}/end", "endList",
            "The list is over: answers how it differs, and what follows; an incomplete one is refused (R6)",
            "EndList", 200, "ListReport", end);
  add_route("DELETE", "/lists/{list}", "giveUpList", "The list will not come to its end", "", 204, "", give_up)
      .query = {{"failure", "string", "Why it could not be read; that is a failure of the source (R16)."}};
}

}  // namespace deprov::service
