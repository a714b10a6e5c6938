#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/json_schema.hpp>
#include <deprov/policy/policy.hpp>
#include <deprov/service/admin_service.hpp>
#include <deprov/service/ops_service.hpp>
#include <set>
#include "admin_api.hpp"
#include "catch.hpp"
#include "support/managed_world.hpp"

using namespace deprov;
using deprov::test::Api;
using deprov::test::text;
namespace json = boost::json;

namespace {

/// Sources are added, their lists are handed in, and they are removed.
void walk_sources(Api& w) {
  const auto made = w.integrate(w.local, "with sources");
  REQUIRE(made);
  (void)w.provision(made->row.scope, "ann");
  const auto at = "/integrations/" + made->row.scope.integration.str();
  const std::string one = "/integrations/{integration}";
  const auto added = w.call(201, "POST", one + "/sources", at + "/sources",
                            R"({"name":"hr","config":{"whole":true,"active":"active","links":{}}})");
  w.call(409, "POST", one + "/sources", at + "/sources", R"({"name":"hr"})");
  w.call(400, "POST", one + "/sources", at + "/sources", R"({"name":"x","config":{"link":"user_name"}})");
  CHECK(text(added, "health") == "never_read");
  const auto source = at + "/sources/" + text(added, "id");
  const std::string route = one + "/sources/{source}";
  w.call(200, "GET", one + "/sources", at + "/sources");
  w.call(200, "GET", route, source);
  const auto member = w.call(201, "POST", "/principals", "/principals", R"({"name":"m","role":"member"})");
  w.call(403, "GET", one + "/sources", at + "/sources", "", text(member, "token"));

  const auto hand_in = [&](const std::string& bytes, const std::string& begin, const std::string& path) {
    const auto list =
        "/lists/" + text(w.call(201, "POST", begin, path,
                                path == at + "/lists" ? R"({"config":{"whole":true,"active":"active"}})"
                                                      : R"({"dry_run":false})"),
                         "list");
    CHECK(w.call(200, "PUT", "/lists/{list}/bytes", list + "/bytes?offset=0", bytes).at("offset") == bytes.size());
    w.call(409, "PUT", "/lists/{list}/bytes", list + "/bytes?offset=1", bytes);
    return list;
  };
  auto list = hand_in("id,active\n1,true\n", route + "/lists", source + "/lists");
  w.call(400, "POST", "/lists/{list}/users", list + "/users", R"({"offset":0,"users":[{"id":"1"}]})");
  w.call(400, "POST", "/lists/{list}/end", list + "/end", R"({"count":1e300})");
  const auto report = w.call(200, "POST", "/lists/{list}/end", list + "/end", "{}");
  CHECK(report.at("first") == true);
  CHECK(report.at("counts").at("no_link") == 1);
  w.call(404, "POST", "/lists/{list}/end", list + "/end", "{}");
  CHECK(text(w.call(200, "GET", route, source), "health") == "ok");
  list = hand_in("id,active\n1,true\n", one + "/lists", at + "/lists");
  CHECK(w.call(200, "POST", "/lists/{list}/end", list + "/end", R"({"count":1})").at("dry_run") == true);
  list = hand_in("id,active\n", route + "/lists", source + "/lists");
  w.call(204, "DELETE", "/lists/{list}", list + "?failure=the+directory+does+not+answer");
  CHECK(text(w.call(200, "GET", route, source), "health") == "failing");
  list = hand_in(std::string(1000, 'x'), route + "/lists", source + "/lists");
  w.call(204, "DELETE", "/lists/{list}", list);
  w.call(204, "DELETE", route, source);
  w.call(404, "GET", route, source);
  const auto rows = w.call(201, "POST", one + "/sources", at + "/sources", R"({"name":"host","kind":"rows"})");
  list = "/lists/" +
         text(w.call(201, "POST", route + "/lists", at + "/sources/" + text(rows, "id") + "/lists", "{}"), "list");
  w.call(200, "POST", "/lists/{list}/users", list + "/users", R"({"offset":0,"users":[{"id":"1"},{"id":"2"}]})");
  w.call(200, "POST", "/lists/{list}/end", list + "/end", R"({"count":2})");

  // One that is polled: its credential is in no answer.
  w.call(400, "POST", one + "/sources", at + "/sources", R"({"name":"idp","kind":"scim"})");
  w.http.answer = [](const port::HttpRequest&) {
    port::HttpResult r;
    r.response = port::HttpResponse{200, {}, R"({"totalResults":1,"Resources":[{"id":"1","userName":"ann"}]})"};
    return r;
  };
  const auto polled =
      w.call(201, "POST", one + "/sources", at + "/sources",
             R"({"name":"idp","kind":"scim","config":{"scim":{"base_url":"https://idp.example.com"},
                                 "auth":{"type":"token","token":"very-secret"}}})");
  CHECK(json::serialize(polled).find("very-secret") == std::string::npos);
  const auto idp = at + "/sources/" + text(polled, "id");
  const auto dry = w.call(200, "POST", route + "/poll", idp + "/poll", R"({"dry_run":true})");
  CHECK(dry.at("dry_run") == true);
  const auto polling = w.call(200, "POST", route + "/poll", idp + "/poll", "{}");
  CHECK(polling.at("listed") == 1);
  CHECK(polling.at("round") == "complete");
  CHECK(w.call(200, "GET", route, idp).at("poll").at("round") == "complete");
  CHECK(w.call(200, "GET", one + "/sources", at + "/sources").at("items").as_array().size() == 2);
  w.call(400, "POST", route + "/poll", at + "/sources/" + text(rows, "id") + "/poll", "{}");
  w.call(400, "POST", route + "/lists", idp + "/lists", "{}");
  const auto set = w.call(200, "PATCH", route, idp, R"({"config":{"poll":{"floor_s":900},"max_users":50}})");
  CHECK(set.at("config").at("poll").at("floor_s") == 900);
  CHECK(set.at("poll").at("round") == "complete");
  CHECK(set.at("poll").at("floor_s") == 900);
  CHECK(set.at("poll").at("ceiling_s") == 3600);
  w.call(400, "PATCH", route, idp, R"({"config":{"id":"mail"}})");
  w.call(400, "PATCH", route, idp, R"({"name":"other"})");
  w.call(400, "POST", one + "/rereads", at + "/rereads", "{}");
  CHECK(w.call(200, "POST", one + "/rereads", at + "/rereads", R"({"id":"1"})").at("asked") == 1);
  w.http.answer = {};
}

void walk_events(Api& w) {
  const auto made = w.integrate(w.local, "with events");
  REQUIRE(made);
  const auto at = "/integrations/" + made->row.scope.integration.str() + "/sources";
  const std::string all = "/integrations/{integration}/sources", one = all + "/{source}";
  const auto ann = w.provision(made->row.scope, "ann of the events").str();
  const auto added = w.call(201, "POST", all, at, R"({"name":"signals","kind":"events","config":{
    "issuer":"https://idp.example.com/","audience":["https://sp.example.com"],"jwks_uri":"https://idp.example.com/keys",
    "stream_id":"f67e","verification":{"url":"https://idp.example.com/verify","authorization":"Bearer s3cret"}}})");
  CHECK(json::serialize(added).find("s3cret") == std::string::npos);
  w.call(400, "POST", all, at, R"({"name":"x","kind":"events","config":{"id":"id"}})");
  // What is wrong is said by what the kind wants.
  const auto refused = [&](const std::string& kind, const std::string& config) {
    const auto answer =
        w.call(400, "POST", all, at, R"({"name":"x","kind":")" + kind + R"(","config":)" + config + "}");
    return json::serialize(answer);
  };
  const std::string keys = R"("jwks_uri":"https://idp.example.com/jwks")";
  CHECK(refused("events", R"({"issuer":"https://idp.example.com/",)" + keys + "}").find("audience") !=
        std::string::npos);
  CHECK(refused("events",
                R"({"issuer":"https://idp.example.com/","audience":["a"],"algorithms":["HS256"],)" + keys + "}")
            .find("RS256") != std::string::npos);
  CHECK(refused("graph", R"({"graph":{"tenant":"t"},"auth":{"typ":"none"}})").find("typ") != std::string::npos);
  CHECK(refused("okta", R"({"issuer":"https://idp.example.com/"})").find("issuer") != std::string::npos);
  CHECK(refused("entra", "{}").find("keycloak") != std::string::npos);
  const auto source = at + "/" + text(added, "id");
  CHECK(w.call(200, "GET", one + "/unlinked", source + "/unlinked").at("items").as_array().empty());
  const auto link = R"({"subject":")" + ann + R"(","identifier":"00u1"})";
  w.call(204, "POST", one + "/links", source + "/links", link);
  w.call(400, "POST", one + "/links", source + "/links", R"({"subject":"ann","identifier":"00u1"})");
  CHECK(json::serialize(w.call(200, "GET", one, source)).find("00u1") != std::string::npos);
  w.http.status = 204;
  w.call(204, "POST", one + "/verify", source + "/verify");
  CHECK(w.call(200, "GET", one, source).at("next_poll").is_null());
  const auto fetched =
      w.call(200, "PATCH", one, source, R"({"config":{"poll":{"url":"https://idp.example.com/poll"}}})");
  CHECK_FALSE(fetched.at("next_poll").is_null());
  CHECK(fetched.at("poll").at("interval_s").is_null());
  CHECK(fetched.at("poll").at("floor_s") == 60);
  CHECK(fetched.at("poll").at("ceiling_s") == 3600);
  w.call(400, "POST", one + "/poll", source + "/poll", "{}");
}

}  // namespace

TEST_CASE("every documented route answers as the document says") {
  Api w;
  CHECK(w.document.at("openapi") == "3.1.0");
  CHECK(check_json_schema(w.resolved(w.document.at("components").at("schemas").at("Integration"))));
  w.call(200, "GET", "/openapi.json", "/openapi.json");
  w.call(200, "GET", "/connectors", "/connectors");
  CHECK((w.call(200, "GET", "/policy-schema", "/policy-schema") == policy::policy_schema()));
  w.call(200, "GET", "/workspaces", "/workspaces");
  w.call(201, "POST", "/workspaces", "/workspaces", R"({"name":"x"})");
  w.call(409, "POST", "/workspaces", "/workspaces", R"({"name":"x"})");
  w.call(200, "GET", "/principals", "/principals");
  const auto admin = w.call(201, "POST", "/principals", "/principals", R"({"name":"adm","role":"admin"})");
  w.call(403, "GET", "/principals", "/principals", "", text(admin, "token"));
  const auto made =
      w.call(201, "POST", "/integrations", "/integrations",
             R"({"name":"crm","idp":"okta","connector":"fake","config":{"url":"x"}})", text(admin, "token"));
  CHECK(text(made, "scim_base_path") == "/scim/v2/" + text(made, "id"));
  const auto at = "/integrations/" + text(made, "id");
  const std::string one = "/integrations/{integration}";
  const port::Scope scope{w.home, *IntegrationId::parse(text(made, "id"))};
  w.call(409, "POST", "/integrations", "/integrations",
         R"({"name":"crm","idp":"okta","connector":"fake","config":{"url":"x"}})");
  w.call(400, "POST", "/integrations", "/integrations",
         R"({"name":"other","idp":"okta","connector":"fake","config":{}})");
  w.call(200, "GET", "/integrations", "/integrations");
  CHECK(text(w.call(200, "GET", one, at).at("status"), "status") == "completed");
  w.call(200, "PATCH", one, at, R"({"config":{"auth":{"token":"t0p"}},"policy":{"settle_ms":5}})");
  CHECK(w.call(200, "GET", one, at).at("secrets").as_array().size() == 1);
  w.call(200, "POST", one + "/check", at + "/check");

  const auto ann = w.provision(scope, "ann").value;
  const auto person = at + "/subjects/" + to_string(ann);
  const std::string subject = one + "/subjects/{subject}";
  CHECK(w.call(200, "GET", one + "/subjects", at + "/subjects").at("items").as_array().size() == 1);
  CHECK(w.call(200, "GET", one + "/subjects", at + "/subjects?user_name=ANN").at("items").as_array().size() == 1);
  w.call(200, "GET", subject, person);
  w.call(204, "POST", subject + "/unbind", person + "/unbind");
  w.call(204, "POST", subject + "/bind", person + "/bind", R"({"account":"a1"})");
  w.call(200, "POST", one + "/pause", at + "/pause");
  const auto job =
      text(w.call(202, "POST", subject + "/offboard", person + "/offboard", R"({"reason":"left"})"), "job");
  w.call(409, "POST", subject + "/offboard", person + "/offboard", R"({"reason":"left"})");
  CHECK(text(w.call(200, "GET", one, at).at("status"), "status") == "queued");
  w.call(409, "DELETE", one, at);
  w.call(200, "GET", "/jobs", "/jobs?unfinished=true&subject=" + to_string(ann));
  w.call(200, "GET", "/jobs/{job}", "/jobs/" + job);
  w.call(409, "POST", "/jobs/{job}/retry", "/jobs/" + job + "/retry");
  w.call(204, "POST", "/jobs/{job}/cancel", "/jobs/" + job + "/cancel", R"({"reason":"mistake"})");
  CHECK(w.call(200, "GET", "/jobs/{job}", "/jobs/" + job).at("job").at("time_to_deprovision_ms").is_null());
  w.call(200, "POST", one + "/resume", at + "/resume");
  w.app->outcome = connector::Outcome::invalid_request;
  const auto second =
      text(w.call(202, "POST", subject + "/offboard", person + "/offboard", R"({"reason":"left"})"), "job");
  w.executor.run_for(std::chrono::hours(24));
  CHECK(text(w.call(200, "GET", one, at).at("status"), "status") == "not_completed");
  w.app->outcome.reset();
  w.call(202, "POST", "/jobs/{job}/retry", "/jobs/" + second + "/retry");
  w.executor.run_for(std::chrono::minutes(1));
  CHECK(text(w.call(200, "GET", one, at).at("status"), "status") == "completed");
  CHECK_FALSE(w.app->active("a1"));
  w.call(200, "GET", subject, person);

  // A step that wants an approval, and one that was done by hand.
  w.call(200, "PATCH", one, at, R"({"policy":{"approvals":[{"steps":["disable"],"role":"owner"}]}})");
  const auto offboard = [&] {
    const auto made_job =
        text(w.call(202, "POST", subject + "/offboard", person + "/offboard", R"({"reason":"again"})"), "job");
    w.executor.run_for(std::chrono::minutes(1));
    CHECK(w.call(200, "GET", "/jobs/{job}", "/jobs/" + made_job).at("job").at("state") == "awaiting_approval");
    return "/jobs/" + made_job;
  };
  const auto third = offboard();
  CHECK(text(w.call(200, "GET", one, at).at("status"), "status") == "not_completed");
  w.call(403, "POST", "/jobs/{job}/approve", third + "/approve", R"({"reason":"fine"})", text(admin, "token"));
  w.call(400, "POST", "/jobs/{job}/approve", third + "/approve", R"({"reason":""})");
  w.call(204, "POST", "/jobs/{job}/approve", third + "/approve", R"({"reason":"fine"})");
  w.executor.run_for(std::chrono::minutes(1));
  CHECK(w.call(200, "GET", "/jobs/{job}", third).at("job").at("state") == "succeeded_verified");
  const auto fourth = offboard();
  w.call(200, "POST", "/jobs/{job}/attest", fourth + "/attest", R"({"reason":"by hand","reference":"T-1"})");
  CHECK(w.call(200, "GET", "/jobs/{job}", fourth).at("job").at("state") == "attested");
  CHECK(text(w.call(200, "GET", one, at).at("status"), "status") == "completed");

  // The kill switch, of one and of all.
  CHECK(text(w.call(200, "POST", one + "/stop", at + "/stop", R"({"reason":"wait"})"), "state") == "stopped");
  w.call(409, "POST", one + "/pause", at + "/pause");
  CHECK(text(w.call(200, "POST", one + "/resume", at + "/resume"), "state") == "active");
  w.call(200, "POST", "/workspace/stop", "/workspace/stop", R"({"reason":"bad feed"})", text(admin, "token"));
  CHECK(w.call(200, "GET", one, at).at("status").at("workspace_stopped").is_string());
  CHECK(w.call(200, "GET", "/workspace", "/workspace").at("stopped").is_string());
  w.call(403, "POST", "/workspace/resume", "/workspace/resume", R"({"reason":"ok"})", text(admin, "token"));
  CHECK(
      w.call(200, "POST", "/workspace/resume", "/workspace/resume", R"({"reason":"ok"})").at("stopped").is_null());

  // What another policy would do, approved by its hash.
  const std::string next = R"({"entitling_groups":[{"display_name":"nobody is in it"}]})";
  const auto planned = w.call(200, "POST", one + "/plan", at + "/plan", R"({"policy":)" + next + "}");
  const auto state = w.call(200, "GET", one + "/state", at + "/state");
  const auto same = w.call(200, "POST", one + "/plan", at + "/plan",
                           R"({"policy":)" + next + R"(,"state":)" + json::serialize(state) + "}");
  CHECK(text(same, "hash") == text(planned, "hash"));
  w.call(400, "POST", one + "/plan", at + "/plan", R"({"policy":{"settle_ms":-1}})");
  // Which of the two counts would be a guess.
  const auto twice = w.send(w.admin, "PATCH", at, R"({"policy":{"settle_ms":1,"settle_ms":2}})", w.owner_token);
  CHECK(twice.status == 400);
  CHECK(twice.body.find("body/policy/settle_ms") != std::string::npos);
  // A recorded state is larger than other bodies.
  auto recorded = state;
  auto& users = recorded.at("users").as_array();
  REQUIRE_FALSE(users.empty());
  const auto first = users.front();
  for (int i = 0; i < 30'000; ++i) {
    auto user = first.as_object();
    user["id"] = "user " + std::to_string(i);
    users.push_back(std::move(user));
  }
  const auto large = json::serialize(json::object{{"state", recorded}});
  REQUIRE(large.size() > 1U << 20U);
  CHECK(w.call(200, "POST", one + "/plan", at + "/plan", large).at("counts").is_object());
  w.call(409, "PATCH", one, at, R"({"policy":)" + next + R"(,"plan_hash":")" + std::string(64, '0') + "\"}");
  w.call(200, "PATCH", one, at, R"({"policy":)" + next + R"(,"plan_hash":")" + text(planned, "hash") + "\"}");

  // R7: the guard lets nobody pass, so what the IdP ends waits for a person.
  w.call(200, "PATCH", one, at, R"({"policy":{"guard":{"absolute":0}}})");
  w.app->add("b1", "bob");
  w.app->add("c1", "cid");
  const auto bob = w.provision(scope, "bob");
  const auto cid = w.provision(scope, "cid");
  w.deactivate(scope, bob);
  w.deactivate(scope, cid);
  w.executor.run_for(std::chrono::minutes(1));
  const auto status = w.call(200, "GET", one, at).at("status");
  CHECK(text(status, "status") == "not_completed");
  CHECK(status.at("held").at("waiting") == 2);
  const auto holds = w.call(200, "GET", one + "/holds", at + "/holds").at("items").as_array();
  REQUIRE(holds.size() == 1);
  const auto hold = at + "/holds/" + text(holds[0], "id");
  const auto detail = w.call(200, "GET", one + "/holds/{hold}", hold);
  REQUIRE(detail.at("items").as_array().size() == 2);
  CHECK(text(detail.at("items").at(0), "user_name") == "bob");
  w.call(409, "POST", one + "/holds/{hold}/allow", hold + "/allow",
         R"({"listing":")" + std::string(64, '0') + "\"}");
  w.call(400, "POST", one + "/holds/{hold}/allow", hold + "/allow", R"({"reason":"which?"})");
  CHECK(w.call(200, "POST", one + "/holds/{hold}/allow", hold + "/allow", R"({"subject":")" + bob.str() + "\"}")
            .at("decided") == 1);
  CHECK(w.call(200, "POST", one + "/holds/{hold}/reject", hold + "/reject",
               R"({"listing":")" + text(detail.at("hold"), "listing") + R"(","reason":"on leave","until":")" +
                   to_rfc3339(w.clock.wall() + std::chrono::hours(24)) + "\"}")
            .at("decided") == 1);
  w.executor.run_for(std::chrono::minutes(1));
  CHECK_FALSE(w.app->active("b1"));
  CHECK(w.app->active("c1"));
  CHECK(w.has_event(scope, "removal.released"));
  CHECK(w.has_event(scope, "removal.kept"));
  const auto kept = w.call(200, "GET", subject, at + "/subjects/" + cid.str()).at("subject").at("retained");
  CHECK(text(kept, "why") == "kept by decision");
  CHECK(text(kept, "reason") == "on leave");
  CHECK(w.call(200, "GET", one, at).at("status").at("held").is_null());

  // Who is told what happens, and what there is to tell.
  const auto hook = w.call(
      201, "POST", "/webhooks", "/webhooks",
      R"({"name":"alerts","url":"https://alerts.example.com/in","events":["removal.verified","removal.failed"],"integration":")" +
          text(made, "id") + "\"}",
      text(admin, "token"));
  CHECK(text(hook, "secret").rfind("whsec_", 0) == 0);
  w.call(409, "POST", "/webhooks", "/webhooks", R"({"name":"alerts","url":"https://alerts.example.com/in"})");
  w.call(400, "POST", "/webhooks", "/webhooks", R"({"name":"x","url":"http://alerts.example.com/in"})");
  // A test event is sent by who tests, and wanted by nobody; it is not among those that are offered.
  const auto unknown = w.call(400, "POST", "/webhooks", "/webhooks",
                              R"({"name":"x","url":"https://alerts.example.com/","events":["webhook.test"]})");
  CHECK(json::serialize(unknown).find("webhook.test") == std::string::npos);
  w.call(400, "POST", "/webhooks", "/webhooks",
         R"({"name":"x","url":"https://alerts.example.com/in","events":["nothing"]})");
  CHECK(w.call(200, "GET", "/webhooks", "/webhooks").at("items").as_array().size() == 1);
  const auto told = "/webhooks/" + text(hook, "id");
  w.call(200, "GET", "/webhooks/{webhook}", told);
  CHECK(w.call(200, "POST", "/webhooks/{webhook}/test", told + "/test").at("delivered") == false);
  const std::string pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
  const auto trusting = json::serialize(json::object{{"ca_pem", pem}});
  CHECK(text(w.call(200, "PATCH", "/webhooks/{webhook}", told, trusting), "ca_pem") == pem);
  CHECK(text(w.call(200, "GET", "/webhooks", "/webhooks").at("items").at(0), "ca_pem") == pem);
  w.call(400, "PATCH", "/webhooks/{webhook}", told, R"({"ca_pem":"/etc/ssl/ca.pem"})");
  CHECK(w.call(200, "PATCH", "/webhooks/{webhook}", told, R"({"ca_pem":""})").at("ca_pem").is_null());
  const std::string again = "/webhooks/{webhook}/resend";
  CHECK(w.call(202, "POST", again, told + "/resend", R"({"since":"2020-01-01T00:00:00Z"})").at("messages") == 0);
  w.call(400, "POST", again, told + "/resend", "{}");
  w.call(400, "POST", again, told + "/resend", R"({"message":"x"})");
  w.call(404, "POST", again, told + "/resend", R"({"message":"msg_01890a5d-ac96-774b-bcce-b302099a8057"})");
  CHECK(text(w.call(200, "POST", "/webhooks/{webhook}/rotate-secret", told + "/rotate-secret",
                    R"({"overlap_seconds":60.0})"),
             "secret") != text(hook, "secret"));
  w.call(204, "DELETE", "/webhooks/{webhook}", told);
  w.call(404, "GET", "/webhooks/{webhook}", told);
  const auto notes = w.call(200, "GET", one + "/notifications", at + "/notifications?limit=2");
  CHECK(notes.at("items").as_array().size() == 2);
  CHECK(notes.at("more") == true);
  CHECK(w.call(200, "GET", "/workspace/notifications", "/workspace/notifications").at("items").as_array().size() ==
        2);  // the stop and its end

  w.call(200, "GET", "/activity", "/activity");
  const auto page = w.call(200, "GET", one + "/activity", at + "/activity?limit=3");
  CHECK(page.at("items").as_array().size() == 3);
  CHECK(page.at("next") == 3);
  w.call(200, "GET", "/evidence/chains", "/evidence/chains?to=2030-01-01T00:00:00Z");
  w.call(200, "GET", "/evidence/records", "/evidence/records?limit=7&integration=" + text(made, "id"));
  const auto evidence = w.send(w.admin, "GET", "/evidence", "", w.owner_token);
  CHECK((evidence.status == 200 && evidence.stream));
  w.seen.insert("GET /evidence 200");
  w.call(200, "POST", "/evidence/retain", "/evidence/retain", R"({"before":"2020-01-01T00:00:00Z"})");
  w.call(202, "POST", one + "/reconcile", at + "/reconcile", R"({"mode":"propose"})");
  w.executor.run_for(std::chrono::minutes(1));
  w.call(200, "GET", one + "/reconciliation", at + "/reconciliation");
  w.call(200, "POST", one + "/reconciliation", at + "/reconciliation", R"({"mode":"propose"})");
  w.call(200, "GET", one + "/findings", at + "/findings");
  w.call(200, "GET", one + "/report", at + "/report?to=2030-01-01T00:00:00Z&from=2020-01-01T00:00:00Z");
  const auto person_report = w.call(200, "GET", "/person-report", "/person-report?key=" + to_string(ann));
  CHECK(person_report.at("apps").at(0).at("removals").as_array().size() == 5);
  w.call(200, "POST", one + "/rotate-token", at + "/rotate-token", R"({"overlap_seconds":60.0})");
  w.call(204, "DELETE", one, at);
  w.call(404, "GET", one, at);
  w.call(200, "GET", one + "/activity", at + "/activity");  // what happened stays to be read
  w.call(204, "DELETE", "/principals/{principal}", "/principals/" + text(admin, "id"));
  walk_sources(w);
  walk_events(w);

  // Nothing in the document was left out.
  for (const auto& [path, item] : w.document.at("paths").as_object()) {
    for (const auto& [method, op] : item.as_object()) {
      std::string upper(method);
      for (auto& c : upper) c = static_cast<char>(c - 32);
      bool answered = false;
      for (const auto& s : w.seen)
        if (s.rfind(upper + " " + std::string(path).substr(7) + " 2", 0) == 0) answered = true;
      INFO(upper << " " << path);
      CHECK(answered);
    }
  }
}

TEST_CASE("the local administrator makes workspaces") {
  Api w;
  std::optional<service::Response> got;
  service::Request r;
  r.method = "POST";
  r.target = "/api/v1/workspaces";
  r.body = R"({"name":"second"})";
  w.admin.handle_as(w.local, r, [&](service::Response x) { got = std::move(x); });
  w.executor.run_until_idle();
  REQUIRE(got);
  CHECK(got->status == 201);
  const auto made = json::parse(got->body);
  CHECK(validate_json(w.resolved(w.document.at("components").at("schemas").at("WorkspaceCreated")), made));
  const auto token = text(made, "owner_token");
  // R21: what the new owner sees is the new workspace alone.
  const auto seen = w.call(200, "GET", "/workspaces", "/workspaces", "", token);
  REQUIRE(seen.at("items").as_array().size() == 1);
  CHECK(seen.at("items").at(0).at("id") == made.at("id"));
}

TEST_CASE("what cannot be accepted is refused by name") {
  Api w;
  const auto refused = [&](int status, const std::string& method, const std::string& path, const std::string& body,
                           const std::string& code, const std::string& token) {
    INFO(method << " " << path << " " << body);
    const auto r = w.send(w.admin, method, path, body, token);
    CHECK(r.status == status);
    const auto v = json::parse(r.body);
    CHECK(text(v.at("error"), "code") == code);
    CHECK_FALSE(v.at("error").at("message").as_string().empty());
    return r;
  };
  const auto t = w.owner_token;
  CHECK(refused(401, "GET", "/integrations", "", "unauthorized", "").header("WWW-Authenticate"));
  refused(401, "GET", "/integrations", "", "unauthorized", "dpo_nonsense");
  refused(401, "GET", "/nothing", "", "unauthorized", "");
  refused(404, "GET", "/nothing", "", "not_found", t);
  refused(404, "GET", "/integrations/nonsense", "", "not_found", t);
  CHECK(*refused(405, "PUT", "/integrations", "", "method_not_allowed", t).header("Allow") == "GET, HEAD, POST");
  refused(400, "POST", "/integrations", "{", "invalid_syntax", t);
  refused(400, "POST", "/integrations", "[]", "invalid_syntax", t);
  refused(400, "POST", "/integrations", "", "invalid_argument", t);
  refused(400, "POST", "/integrations", R"({"name":"a","idp":"okta","connector":"fake","confg":{}})",
          "invalid_argument", t);
  refused(400, "POST", "/integrations", R"({"name":"a","idp":"nobody","connector":"fake"})", "invalid_argument",
          t);
  refused(400, "GET", "/jobs?stat=ready", "", "invalid_argument", t);
  refused(400, "GET", "/jobs?state=asleep", "", "invalid_argument", t);
  refused(400, "GET", "/jobs?limit=0", "", "invalid_argument", t);
  refused(400, "GET", "/jobs?limit=%zz", "", "invalid_argument", t);
  refused(400, "GET", "/jobs?limit=5&limit=6", "", "invalid_argument", t);
  CHECK(w.send(w.admin, "GET", "/jobs?limit=5&limit=5", "", t).status == 200);
  CHECK(w.send(w.admin, "HEAD", "/jobs", "", t).status == 200);
  refused(413, "POST", "/integrations", std::string(2U << 20U, ' '), "limit_exceeded", t);
  refused(400, "POST", "/principals", R"({"name":"a","role":"emperor"})", "invalid_argument", t);
  w.app->outcome = connector::Outcome::unavailable;
  refused(502, "POST", "/integrations", R"({"name":"a","idp":"okta","connector":"fake","config":{"url":"x"}})",
          "unavailable", t);
}

TEST_CASE("a member gets 403 for everything about integrations", "[R21]") {
  Api w;
  const auto member =
      text(w.call(201, "POST", "/principals", "/principals", R"({"name":"m","role":"member"})"), "token");
  for (const auto* path : {"/integrations", "/jobs", "/activity", "/principals"})
    CHECK(w.send(w.admin, "GET", path, "", member).status == 403);
  CHECK(w.send(w.admin, "POST", "/integrations", "{}", member).status == 403);
}

TEST_CASE("the activity can be followed, and taken up again where it was left") {
  Api w;
  const auto made = w.integrate(w.local);
  REQUIRE(made);
  const auto at = "/integrations/" + made->row.scope.integration.str();
  auto r = w.send(w.admin, "GET", at + "/activity?follow&after=1", "", w.owner_token);
  REQUIRE(r.status == 200);
  REQUIRE(r.stream);
  CHECK(*r.header("Content-Type") == "text/event-stream");
  std::optional<std::string> piece;
  bool over = false;
  const auto next = [&](Duration wait) {
    piece.reset();
    r.stream->next([&](std::optional<std::string> p) {
      over = !p;
      piece = std::move(p);
    });
    w.executor.run_for(wait);
  };
  next(Duration(0));
  REQUIRE(piece);
  next(Duration(0));
  REQUIRE(piece);
  CHECK(piece->find("id: 1\n") == std::string::npos);
  CHECK(piece->find("id: 2\nevent: activity\ndata: {") != std::string::npos);
  next(Duration(0));
  CHECK_FALSE(piece);  // nothing new: it waits
  REQUIRE(w.wait<std::string>(
      [&](auto d) { w.engine->rotate_token(w.local, made->row.scope.integration, Duration(0), std::move(d)); }));
  REQUIRE(piece);
  CHECK(piece->find("token.rotated") != std::string::npos);
  next(std::chrono::seconds(16));
  REQUIRE(piece);
  CHECK(piece->substr(0, 1) == ":");  // a heartbeat
  next(Duration(0));
  REQUIRE(w.wait<void>(
      [&](auto d) { w.engine->delete_integration(w.local, made->row.scope.integration, false, std::move(d)); }));
  CHECK(over);
}
