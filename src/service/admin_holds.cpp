// Holds (R7): what waits for a person, and what the person decides.
#include <boost/json/array.hpp>
#include "service/admin_call.hpp"
#include "service/admin_json.hpp"

namespace deprov::service {

namespace {

json::object hold_json(const port::HoldRow& row) {
  return {{"id", row.id.str()},
          {"integration", row.scope.integration.str()},
          {"state", row.closed.micros == 0 ? "open" : "closed"},
          {"opened", time_json(row.opened)},
          {"closed", time_json(row.closed)},
          {"window_from", time_json(row.window_from)},
          {"reason", row.reason},
          {"waiting", row.held},
          {"items", row.items},
          {"listing", hash_text(row.listing)}};
}

void list_holds(const CallPtr& call) {
  read(call, [call](port::Reader& reader) -> Result<json::value> {
    DEPROV_TRY(integration, integration_of(reader, *call));
    DEPROV_TRY(limit, limit_of(*call, 100, 1000));
    DEPROV_TRY(before, id_of<HoldId>(*call, "before"));
    DEPROV_TRY(page, reader.holds(integration.scope, before, limit));
    json::array items;
    for (const auto& row : page.rows) items.emplace_back(hold_json(row));
    json::value next;
    if (page.more && !page.rows.empty()) next = page.rows.back().id.str();
    return json::value(json::object{{"items", std::move(items)}, {"next", std::move(next)}});
  });
}

Result<json::object> item_json(port::Reader& reader, const port::HoldItemRow& row) {
  DEPROV_TRY(resource, reader.resource(row.scope, row.subject));
  return json::object{{"seq", row.seq},
                      {"subject", row.subject.str()},
                      {"user_name", resource ? json::value(resource->user_name_key) : json::value()},
                      {"job", id_json(row.job)},
                      {"cause", idp::to_string(row.cause)},
                      {"via_group", id_json(row.via_group)},
                      {"state", port::to_string(row.state)},
                      {"at", time_json(row.at)},
                      {"decided", time_json(row.decided)},
                      {"by", row.by.empty() ? json::value() : json::value(row.by)},
                      {"listing", hash_text(row.listing)}};
}

void show_hold(const CallPtr& call) {
  read(call, [call](port::Reader& reader) -> Result<json::value> {
    DEPROV_TRY(integration, integration_of(reader, *call));
    const auto id = call->id<HoldId>(1);
    DEPROV_TRY(hold, reader.hold(integration.scope, id));
    if (!hold) return Error(Errc::not_found, "there is no such hold in this integration", "hold " + id.str());
    DEPROV_TRY(limit, limit_of(*call, 1000, 1000));
    DEPROV_TRY(after, number_of(*call, "after", 0));
    DEPROV_TRY(page, reader.hold_items(integration.scope, id, after, limit));
    json::array items;
    for (const auto& row : page.rows) {
      DEPROV_TRY(item, item_json(reader, row));
      items.push_back(std::move(item));
    }
    json::value next;
    if (page.more && !page.rows.empty()) next = page.rows.back().seq;
    return json::value(json::object{{"hold", hold_json(*hold)}, {"items", std::move(items)}, {"next", next}});
  });
}

void decide(const CallPtr& call, bool allow) {
  engine::HoldDecision what;
  what.allow = allow;
  what.listing = call->text("listing");
  what.reason = call->text("reason");
  if (const auto text = call->text("subject"); !text.empty()) {
    what.subject = ResourceId::parse(text);
    if (!what.subject) return fail(call, Error(Errc::invalid_argument, "not a UUID", "body/subject"));
  }
  if (!allow) {
    const auto until = parse_rfc3339(call->text("until"));
    if (!until)
      return fail(call, Error(Errc::invalid_argument, "not a date and time", "body/until",
                              "write it as in 2027-01-31T00:00:00Z"));
    what.until = *until;
  }
  call->engine.decide_hold(call->by, call->id<IntegrationId>(0), call->id<HoldId>(1), std::move(what),
                           [call](Result<std::uint64_t> decided) {
                             if (!decided) return fail(call, decided.error());
                             answer(call, 200, json::object{{"decided", *decided}});
                           });
}

void allow(const CallPtr& call) { decide(call, true); }
void reject(const CallPtr& call) { decide(call, false); }

}  // namespace

void add_hold_routes(std::vector<AdminRoute>& routes) {
  const auto add = [&](AdminRoute r) { routes.push_back(std::move(r)); };
  const std::string_view tag = "holds";
  const auto needs = Needs::integrations;
  add({"GET",
       "/integrations/{integration}/holds",
       "listHolds",
       tag,
       "What the guard made wait, the newest first",
       needs,
       {{"before", "uuid", "Where the page before ended."}, {"limit", "integer", "1 to 1000, default 100."}},
       "",
       200,
       "HoldList",
       list_holds});
  add({"GET",
       "/integrations/{integration}/holds/{hold}",
       "getHold",
       tag,
       "One hold with its listing: who waits, and whose steps had been sent already",
       needs,
       {{"after", "integer", "Where the page before ended."}, {"limit", "integer", "1 to 1000, default 1000."}},
       "",
       200,
       "HoldDetail",
       show_hold});
  add({"POST",
       "/integrations/{integration}/holds/{hold}/allow",
       "allowHold",
       tag,
       "Releases exactly the listing whose hash is given, or one subject of it",
       needs,
       {},
       "HoldAllow",
       200,
       "HoldDecided",
       allow});
  add({"POST",
       "/integrations/{integration}/holds/{hold}/reject",
       "rejectHold",
       tag,
       "Keeps access until a date, or until the subject's grants change",
       needs,
       {},
       "HoldReject",
       200,
       "HoldDecided",
       reject});
}

}  // namespace deprov::service
