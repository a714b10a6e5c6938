// Evidence, reconciliation and reports through the admin API.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/evidence/verifier.hpp>
#include <deprov/policy/protection.hpp>
#include <deprov/service/admin_service.hpp>
#include <set>
#include "catch.hpp"
#include "support/managed_world.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using deprov::test::managed::EngineWorld;
namespace json = boost::json;

namespace {

struct Api : EngineWorld {
  service::AdminService admin{*engine};
  explicit Api(bool app_removes = false) : EngineWorld(app_removes) {
    app->add("a1", "ann");
    app->add("a2", "bob");
    REQUIRE(start());
  }

  service::Response send(const std::string& method, const std::string& path, const std::string& body = {},
                         const std::string& token = "owner") {
    service::Request r;
    r.method = method;
    r.target = "/api/v1" + path;
    r.body = body;
    r.headers.push_back({"Authorization", "Bearer " + (token == "owner" ? owner_token : token)});
    std::optional<service::Response> got;
    admin.handle(std::move(r), [&](service::Response x) { got = std::move(x); });
    for (int i = 0; i < 1000 && !got; ++i)
      if (executor.run_until_idle() == 0 && !got) (void)executor.advance_to_next_timer();
    REQUIRE(got);
    return std::move(*got);
  }
  json::value call(const std::string& method, const std::string& path, const std::string& body = {}) {
    const auto r = send(method, path, body);
    INFO(method << " " << path << " " << r.body);
    REQUIRE(r.status / 100 == 2);
    return r.body.empty() ? json::value() : json::parse(r.body);
  }
  std::vector<std::string> stream(const std::string& path, std::size_t* pieces = nullptr) {
    auto r = send("GET", path);
    INFO(r.body);
    REQUIRE(r.status == 200);
    REQUIRE(r.stream);
    CHECK(*r.header("Content-Type") == "application/x-ndjson");
    std::string all;
    for (bool more = true; more;) {
      bool came = false;
      r.stream->next([&](std::optional<std::string> piece) {
        came = true;
        more = piece.has_value();
        if (piece) {
          all += *piece;
          if (pieces != nullptr) ++*pieces;
        }
      });
      executor.run_until_idle();
      REQUIRE(came);
    }
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < all.size();) {
      const auto end = all.find('\n', at);
      REQUIRE(end != std::string::npos);
      lines.push_back(all.substr(at, end - at));
      at = end + 1;
    }
    return lines;
  }
  evidence::Report verify(const std::vector<std::string>& lines) const {
    evidence::Verifier v(*crypto);
    for (const auto& l : lines) v.line(l);
    return v.finish();
  }
  IntegrationId make(const std::string& name) {
    const auto made = integrate(local, name, false);
    REQUIRE(made);
    return made->row.scope.integration;
  }
  ResourceId user(IntegrationId id, const std::string& name, const std::string& external_id,
                  const std::string& email = {}) {
    const auto subject = provision({home, id}, name);
    change({home, id}, subject, [&](port::ResourceRow& row) {
      row.external_id = external_id;
      if (!email.empty()) row.email_keys = {email};
    });
    return subject;
  }
  void change(const port::Scope& scope, ResourceId id, const std::function<void(port::ResourceRow&)>& body) {
    REQUIRE(wait<engine::Applied>([&](auto done) {
      engine->apply(
          engine->integration(scope.integration), {"idp:okta", "scim", "r2", "PATCH", {}, clock.wall()},
          [=](port::Reader& reader, const engine::IntegrationContext&) -> Result<engine::Effect> {
            DEPROV_TRY(row, reader.resource(scope, id));
            engine::Effect e;
            e.before = row;
            e.after = row;
            body(*e.after);
            return e;
          },
          std::move(done));
    }));
    executor.run_for(5s);
  }
};

std::string text(const json::value& v, const char* name) { return std::string(v.at(name).as_string()); }

}  // namespace

TEST_CASE("an export through the API is whole, in pieces, and of a range of time", "[service][R20]") {
  Api w;
  const auto crm = w.make("crm");
  const auto wiki = w.make("wiki");
  w.clock.advance(24h);
  std::size_t users = 0;
  for (; users < 300; ++users) w.provision({w.home, crm}, "user" + std::to_string(users));
  w.clock.advance(24h);
  const auto from = to_rfc3339(w.clock.wall());
  w.provision({w.home, crm}, "later");
  w.clock.advance(1h);
  const auto to = to_rfc3339(w.clock.wall());
  w.provision({w.home, crm}, "last");
  std::size_t pieces = 0;
  const auto all = w.stream("/evidence", &pieces);
  auto report = w.verify(all);
  CHECK(report.holds());
  CHECK(report.chains == 3);
  CHECK(report.records ==
        w.activity({w.home, {}}).size() + w.activity({w.home, crm}).size() + w.activity({w.home, wiki}).size());
  CHECK(report.records > 500);
  CHECK(pieces > 2);

  const auto part = w.stream("/evidence?from=" + from + "&to=" + to + "&integration=" + crm.str());
  report = w.verify(part);
  CHECK(report.holds());
  CHECK(report.chains == 1);
  CHECK(report.records > 0);
  CHECK(report.records < 10);
  for (const auto& line : part) {
    const auto v = json::parse(line);
    if (v.at("type") != "record") continue;
    CHECK(text(v, "at") >= from);
    CHECK(text(v, "at") < to);
  }
  // Nothing of a time: the chain is there, with nothing in it.
  report = w.verify(w.stream("/evidence?from=2030-01-01T00:00:00Z&integration=" + wiki.str()));
  CHECK(report.holds());
  CHECK(report.records == 0);
  // A range that ends before it begins is a mistake, and no absence of evidence.
  for (const auto* path : {"/evidence", "/evidence/chains"})
    CHECK(w.send("GET", std::string(path) + "?from=" + to + "&to=" + from).status == 400);
  // One that was deleted leaves its evidence.
  REQUIRE(w.wait<void>([&](auto d) { w.engine->delete_integration(w.local, wiki, true, std::move(d)); }));
  CHECK(w.verify(w.stream("/evidence?integration=" + wiki.str())).records >= 2);
}

TEST_CASE("chains and records page by page are what the stream has", "[service][R20]") {
  Api w;
  const auto crm = w.make("crm");
  for (int i = 0; i < 5; ++i) w.provision({w.home, crm}, "user" + std::to_string(i));
  const auto chains = w.call("GET", "/evidence/chains");
  REQUIRE(chains.at("items").as_array().size() == 2);
  const auto& chain = chains.at("items").at(1);
  CHECK(text(chain, "name") == "crm");
  std::vector<std::string> records;
  json::value next = 0;
  while (!next.is_null()) {
    const auto page =
        w.call("GET", "/evidence/records?integration=" + crm.str() + "&limit=3&after=" + json::serialize(next));
    CHECK(page.at("items").as_array().size() <= 3);
    for (const auto& r : page.at("items").as_array()) records.push_back(json::serialize(r));
    next = page.at("next");
  }
  CHECK(records.size() == chain.at("head_seq").to_number<std::size_t>());
  std::vector<std::string> streamed;
  for (const auto& line : w.stream("/evidence?integration=" + crm.str()))
    if (line.rfind("{\"type\":\"record\"", 0) == 0) streamed.push_back(line);
  CHECK(records == streamed);
  const auto upto = w.call("GET", "/evidence/records?upto=1&limit=10");
  CHECK(upto.at("items").as_array().size() == 1);
  CHECK(upto.at("next").is_null());
}

TEST_CASE("evidence of another workspace is not there", "[service][R21]") {
  Api w;
  const auto crm = w.make("crm");
  const auto other = w.wait<engine::CreatedPrincipal>(
      [&](auto d) { w.engine->create_workspace(w.local, "b", "o", std::move(d)); });
  REQUIRE(other);
  const auto& token = other->token;
  for (const auto* path :
       {"/evidence?integration=", "/evidence/chains?integration=", "/evidence/records?integration="})
    CHECK(w.send("GET", path + crm.str(), "", token).status == 404);
  for (const auto* path : {"/report", "/reconciliation", "/findings"})
    CHECK(w.send("GET", "/integrations/" + crm.str() + path, "", token).status == 404);
  CHECK(w.send("POST", "/integrations/" + crm.str() + "/reconcile", "{}", token).status == 404);
  CHECK(w.send("POST", "/evidence/retain",
               R"({"before":"2020-01-01T00:00:00Z","integration":")" + crm.str() + "\"}", token)
            .status == 404);
  const auto ann = w.user(crm, "ann", "x-1");
  CHECK(w.call("GET", "/person-report?key=" + ann.str()).at("apps").as_array().size() == 1);
  const auto report = json::parse(w.send("GET", "/person-report?key=" + ann.str(), "", token).body);
  CHECK(report.at("apps").as_array().empty());
  CHECK(report.at("candidates").as_array().empty());
}

TEST_CASE("a person is joined by declared ids, and logins are candidates only", "[service][R12][R20]") {
  Api w;
  const auto crm = w.make("crm");
  const auto wiki = w.make("wiki");
  const auto hr = w.make("hr");  // its IdP gives externalIds again
  REQUIRE(w.wait<port::IntegrationRow>([&](auto d) {
    w.engine->update_integration(w.local, hr,
                                 {{"settings", json::object{{"external_id_immutable", false}}}, {"check", false}},
                                 std::move(d));
  }));
  const auto ann = w.user(crm, "ann", "00u1", "ann@example.com");
  const auto ann2 = w.user(wiki, "ann.smith", "00u1");
  const auto ann3 = w.user(hr, "a.smith", "00u1");
  const auto namesake = w.user(wiki, "ann", "00u2");
  w.change({w.home, crm}, ann, [](port::ResourceRow& row) { row.active = false; });

  const auto report = w.call("GET", "/person-report?key=" + ann.str());
  const auto& apps = report.at("apps").as_array();
  REQUIRE(apps.size() == 2);
  CHECK(text(apps[0], "matched_by") == "subject_id");
  CHECK(text(apps[0].at("subject"), "id") == ann.str());
  CHECK(text(apps[1], "matched_by") == "joined_external_id");
  CHECK(text(apps[1].at("subject"), "id") == ann2.str());
  std::map<std::string, std::string> candidates;
  for (const auto& c : report.at("candidates").as_array())
    candidates[text(c.at("subject"), "id")] = text(c, "matched_by");
  CHECK(candidates == std::map<std::string, std::string>{{namesake.str(), "user_name"},
                                                         {ann3.str(), "external_id_not_declared"}});

  // Who decided, and what proves it.
  const auto& removal = apps[0].at("removals").at(0);
  CHECK(text(removal, "state") == "succeeded_verified");
  CHECK(text(removal, "decided_by") == "idp:okta");
  CHECK_FALSE(removal.at("verified_at").is_null());
  CHECK_FALSE(apps[0].at("lost_access_at").is_null());
  CHECK(apps[1].at("lost_access_at").is_null());
  const auto chain = w.activity({w.home, crm});
  const auto& proof = removal.at("proof").as_array();
  REQUIRE(proof.size() >= 3);
  for (const auto& p : proof) {
    const auto& row = chain.at(p.at("seq").to_number<std::size_t>() - 1);
    CHECK(text(p, "hash") == evidence::to_hex({row.hash.data(), row.hash.size()}));
    CHECK(text(p, "event") == row.event);
  }
  // The same person by the externalId; by a login nobody is sure.
  CHECK(w.call("GET", "/person-report?key=00u1").at("apps").as_array().size() == 2);
  for (const auto* key : {"ANN", "ann%40example.com"}) {
    const auto by_login = w.call("GET", std::string("/person-report?key=") + key);
    CHECK(by_login.at("apps").as_array().empty());
    CHECK_FALSE(by_login.at("candidates").as_array().empty());
  }
  CHECK(w.send("GET", "/person-report").status == 400);
  // A deleted subject is still that person.
  w.change({w.home, crm}, ann, [](port::ResourceRow& row) { row.deleted = true; });
  CHECK(w.call("GET", "/person-report?key=00u1").at("apps").as_array().size() == 2);
}

TEST_CASE("access was lost when it was lost first, whatever was removed again after that", "[service][R20]") {
  Api w(true);
  const auto crm = w.make("crm");
  const auto ann = w.user(crm, "ann", "1");
  const auto lost = [&] { return w.call("GET", "/person-report?key=1").at("apps").at(0).at("lost_access_at"); };
  const auto set = [&](bool active) {
    const auto at = to_rfc3339(w.clock.wall());
    w.change({w.home, crm}, ann, [=](port::ResourceRow& row) { row.active = active; });
    return at;
  };
  const auto first = set(false);
  w.executor.run_for(1h);
  CHECK(lost() == json::value(first));
  set(true);
  w.executor.run_for(1h);
  CHECK(lost().is_null());
  const auto second = set(false);
  w.executor.run_for(1h);
  CHECK(lost() == json::value(second));
  w.app->accounts.at("a1").active = true;  // by hand, in the app
  w.call("POST", "/integrations/" + crm.str() + "/reconciliation", R"({"mode":"queue"})");
  w.executor.run_for(1h);
  REQUIRE(w.app->accounts.at("a1").active == false);
  CHECK(lost() == json::value(second));
  w.change({w.home, crm}, ann, [](port::ResourceRow& row) { row.deleted = true; });
  w.executor.run_for(1h);
  CHECK(lost() == json::value(second));
}

TEST_CASE("who was deleted is found by the login that they had, with whoever had it since",
          "[service][R12][R20]") {
  Api w;
  const auto crm = w.make("crm");
  const auto gone = [](port::ResourceRow& row) { row.deleted = true; };
  std::set<std::string> expected;
  for (const auto* external_id : {"00u1", "00u2"}) {
    const auto ann = w.user(crm, "ann@example.com", external_id);
    w.change({w.home, crm}, ann, gone);
    expected.insert(ann.str());
  }
  const auto other = w.user(crm, "bob@example.com", "00u3");
  w.change({w.home, crm}, other, gone);
  const auto found = [&](const std::string& login) {
    const auto report = w.call("GET", "/person-report?key=" + login);
    CHECK(report.at("apps").as_array().empty());
    CHECK(report.at("more") == false);
    std::set<std::string> ids;
    for (const auto& c : report.at("candidates").as_array()) {
      CHECK(text(c, "matched_by") == "user_name");
      ids.insert(text(c.at("subject"), "id"));
    }
    return ids;
  };
  CHECK(found("Ann%40Example.com") == expected);
  // And who has the name now.
  const auto again = w.user(crm, "ann@example.com", "00u4");
  expected.insert(again.str());
  CHECK(found("ann%40example.com") == expected);
  // By the id that was found: what became of it.
  w.change({w.home, crm}, again, gone);
  CHECK(found("ann%40example.com") == expected);
  const auto report = w.call("GET", "/person-report?key=" + again.str());
  REQUIRE(report.at("apps").as_array().size() == 1);
  CHECK(report.at("apps").at(0).at("removals").as_array().size() == 1);
  CHECK(report.at("candidates").as_array().size() == 2);
  // Many are cut off, and it is said so.
  for (int i = 0; i < 110; ++i) w.change({w.home, crm}, w.user(crm, "cat", "c" + std::to_string(i)), gone);
  const auto many = w.call("GET", "/person-report?key=cat");
  CHECK(many.at("candidates").as_array().size() == 100);
  CHECK(many.at("more") == true);
}

TEST_CASE("jobs of a deleted integration are still there to be read", "[service][R20]") {
  Api w;
  const auto crm = w.make("crm");
  const auto ann = w.user(crm, "ann", "00u1");
  w.change({w.home, crm}, ann, [](port::ResourceRow& row) { row.active = false; });
  const auto before = w.call("GET", "/jobs?subject=" + ann.str());
  REQUIRE_FALSE(before.at("items").as_array().empty());
  const auto job = text(before.at("items").at(0), "id");
  REQUIRE(w.wait<void>([&](auto d) { w.engine->delete_integration(w.local, crm, true, std::move(d)); }));
  CHECK(w.call("GET", "/jobs").at("items") == before.at("items"));
  CHECK(w.call("GET", "/jobs?integration=" + crm.str()).at("items").as_array().size() ==
        w.call("GET", "/jobs").at("items").as_array().size());
  CHECK(text(w.call("GET", "/jobs/" + job).at("job"), "state") == "succeeded_verified");
  CHECK_FALSE(w.call("GET", "/jobs/" + job).at("activity").as_array().empty());
  // It is found by its name, and listed for those who ask for deleted ones.
  CHECK(w.call("GET", "/integrations").at("items").as_array().empty());
  const auto ever = w.call("GET", "/integrations?deleted=true");
  REQUIRE(ever.at("items").as_array().size() == 1);
  CHECK(text(ever.at("items").at(0), "state") == "deleted");
  // Nothing can be done with them any more.
  CHECK(w.send("POST", "/jobs/" + job + "/retry").status == 404);
  CHECK(w.send("POST", "/jobs/" + job + "/attest", R"({"reason":"by hand"})").status == 404);
}

TEST_CASE("time to deprovision in figures: what is overdue or failed is a miss", "[service][R20]") {
  Api w;
  const auto crm = w.make("crm");
  const auto scope = port::Scope{w.home, crm};
  const auto figures = [&](const std::string& query = {}) {
    return w.call("GET", "/integrations/" + crm.str() + "/report" + query);
  };
  auto f = figures();
  CHECK(f.at("counted") == 0);
  CHECK(f.at("p50_ms").is_null());
  CHECK(f.at("share_within_objective").is_null());

  const auto ann = w.user(crm, "ann", "1");
  const auto bob = w.user(crm, "bob", "2");
  const auto leave = [&](ResourceId id) {
    w.change(scope, id, [](port::ResourceRow& row) { row.active = false; });
  };
  leave(ann);
  f = figures();
  CHECK(f.at("verified") == 1);
  CHECK(f.at("counted") == 1);
  CHECK(f.at("share_within_objective") == 1.0);
  // Paused: nothing happens, and the clock runs.
  REQUIRE(w.wait<port::IntegrationRow>([&](auto d) {
    w.engine->set_integration_state(w.local, crm, port::IntegrationState::paused, std::move(d));
  }));
  leave(bob);
  w.executor.run_for(1h);
  f = figures();
  CHECK(f.at("pending") == 1);
  CHECK(f.at("overdue") == 0);
  CHECK(f.at("missed") == 0);
  w.executor.run_for(24h);
  f = figures();
  CHECK(f.at("overdue") == 1);
  CHECK(f.at("missed") == 1);
  CHECK(f.at("share_within_objective") == 0.5);
  CHECK(f.at("p99_ms").to_number<double>() >= 25.0 * 3600 * 1000);
  // Done, too late: still a miss.
  REQUIRE(w.wait<port::IntegrationRow>([&](auto d) {
    w.engine->set_integration_state(w.local, crm, port::IntegrationState::active, std::move(d));
  }));
  w.executor.run_for(1min);
  f = figures();
  CHECK(f.at("verified") == 2);
  CHECK(f.at("within_objective") == 1);
  CHECK(f.at("missed") == 1);
  CHECK(f.at("overdue") == 0);
  // A failure is one until it was made good by a retry.
  const auto again = w.user(crm, "bob2", "4");
  (void)again;
  w.app->add("a3", "bob2");
  w.executor.run_for(1min);
  w.app->outcome = connector::Outcome::invalid_request;
  leave(again);
  w.executor.run_for(1min);
  f = figures();
  CHECK(f.at("failed") == 1);
  CHECK(f.at("missed") == 2);
  w.app->outcome.reset();
  const auto jobs = w.call("GET", "/jobs?state=failed");
  w.call("POST", "/jobs/" + text(jobs.at("items").at(0), "id") + "/retry");
  w.executor.run_for(1min);
  f = figures();
  CHECK(f.at("failed") == 0);
  CHECK(f.at("missed") == 1);
  // Or by a reconciliation, which takes the removal up.
  w.change(scope, again, [](port::ResourceRow& row) { row.active = true; });
  w.executor.run_for(1min);
  w.app->outcome = connector::Outcome::invalid_request;
  leave(again);
  w.executor.run_for(1min);
  f = figures();
  CHECK(f.at("failed") == 1);
  const auto verified = f.at("verified").to_number<int>();
  w.app->outcome.reset();
  w.executor.run_for(25h);
  w.call("POST", "/integrations/" + crm.str() + "/reconciliation", R"({"mode":"queue"})");
  w.executor.run_for(1min);
  f = figures();
  CHECK(f.at("failed") == 0);
  CHECK(f.at("verified") == verified + 1);
  CHECK(f.at("missed") == 2);
  // Out of the range of time.
  w.clock.advance(24h * 31);
  CHECK(figures().at("counted") == 0);
  CHECK(figures("?from=2000-01-01T00:00:00Z").at("missed") == 2);
}

TEST_CASE("the clock stops when access has ended, whatever follows after a grace", "[service][R20]") {
  Api w(true);
  const auto crm = w.make("crm");
  const auto scope = port::Scope{w.home, crm};
  w.call("PATCH", "/integrations/" + crm.str(),
         R"({"policy":{"causes":{"deactivated":["disable",{"step":"delete","after_ms":172800000}]}}})");
  const auto figures = [&] { return w.call("GET", "/integrations/" + crm.str() + "/report"); };
  const auto leave = [&](ResourceId id) {
    w.change(scope, id, [](port::ResourceRow& row) { row.active = false; });
  };
  const auto ann = w.user(crm, "ann", "1");
  const auto bob = w.user(crm, "bob", "2");
  leave(ann);
  auto f = figures();
  CHECK(f.at("in_grace") == 1);
  CHECK(f.at("counted") == 0);
  w.executor.run_for(30h);  // beyond the objective, and it is no miss
  f = figures();
  CHECK(f.at("in_grace") == 1);
  CHECK(f.at("overdue") == 0);
  w.executor.run_for(20h);
  f = figures();
  CHECK(f.at("in_grace") == 0);
  CHECK(f.at("verified") == 1);
  CHECK(f.at("within_objective") == 1);
  CHECK(f.at("missed") == 0);
  CHECK(f.at("max_ms").to_number<double>() < 60'000);
  // The deletion fails: access had ended in time all the same.
  leave(bob);
  w.app->outcome = connector::Outcome::invalid_request;
  w.executor.run_for(50h);
  f = figures();
  CHECK(f.at("failed_afterwards") == 1);
  CHECK(f.at("failed") == 0);
  CHECK(f.at("within_objective") == 2);
  CHECK(f.at("missed") == 0);
}

TEST_CASE("who keeps the account is shown apart from what is late", "[service][R9][R20]") {
  Api w;
  const auto crm = w.make("crm");
  const auto scope = port::Scope{w.home, crm};
  const auto until = to_rfc3339(w.clock.wall() + 72h);
  w.call("PATCH", "/integrations/" + crm.str(),
         R"({"policy":{"protection":{"subjects":[{"external_id":"1","reason":"break-glass"}]},
             "exemptions":[{"external_id":"2","reason":"handover","until":")" +
             until + R"("}]}})");
  const auto figures = [&] { return w.call("GET", "/integrations/" + crm.str() + "/report"); };
  for (const auto id : {w.user(crm, "ann", "1"), w.user(crm, "bob", "2")})
    w.change(scope, id, [](port::ResourceRow& row) { row.active = false; });
  w.executor.run_for(48h);
  auto f = figures();
  CHECK(f.at("protected") == 1);
  CHECK(f.at("exempt") == 1);
  CHECK(f.at("kept_by_decision") == 0);
  CHECK(f.at("overdue") == 0);
  CHECK(f.at("counted") == 0);
  // Who keeps a role alone has access, and is none of them.
  port::DueRow role;
  role.scope = scope;
  role.subject = w.user(crm, "cid", "3");
  role.kind = "retained";
  role.since = w.clock.wall();
  role.at = role.since + 72h;
  auto kept = policy::to_json(policy::Retention{
      policy::Retention::Kind::protected_subject, "break-glass", "/protection/subjects/0", {}, {}});
  kept["cause"] = "role_lowered";
  role.payload = json::serialize(kept);
  port::Transaction txn;
  txn.id = w.random.id<TxnId>(w.clock.wall());
  txn.ops.emplace_back(port::op::PutDue{std::move(role)});
  w.store->commit(std::move(txn), [](const Result<port::Committed>& r) { REQUIRE(r.has_value()); });
  w.executor.run_until_idle();
  CHECK(figures().at("protected") == 1);
  const auto ann = w.call("GET", "/person-report?key=1").at("apps").at(0);
  CHECK(ann.at("subject").at("retained").at("why") == "protected");
  CHECK(ann.at("subject").at("retained").at("reason") == "break-glass");
  CHECK(text(ann, "lost_access_at") == text(ann.at("subject").at("intent"), "evidence_at"));
  w.executor.run_for(48h);
  f = figures();
  CHECK(f.at("protected") == 1);
  CHECK(f.at("exempt") == 0);
  CHECK(f.at("verified") == 1);
}

TEST_CASE("a reconciliation is started, watched and read", "[service][R6]") {
  Api w;
  const auto crm = w.make("crm");
  const auto at = "/integrations/" + crm.str();
  CHECK(text(w.call("GET", at + "/reconciliation"), "state") == "never");
  CHECK(w.call("GET", at + "/findings").at("items").as_array().empty());
  w.user(crm, "ann", "1");
  const auto run = text(w.call("POST", at + "/reconcile", R"({"mode":"propose"})"), "run");
  w.executor.run_for(1min);
  const auto report = w.call("GET", at + "/reconciliation");
  CHECK(text(report, "run") == run);
  CHECK(text(report, "state") == "done");
  CHECK(report.at("findings").at("orphan") == 1);
  const auto found = w.call("GET", at + "/findings");
  REQUIRE(found.at("items").as_array().size() == 1);
  CHECK(text(found.at("items").at(0), "account") == "a2");
  CHECK(w.send("POST", at + "/reconcile", R"({"mode":"everything"})").status == 400);
  // Or it is waited for.
  const auto waited = w.call("POST", at + "/reconciliation", R"({"mode":"propose"})");
  CHECK(text(waited, "state") == "done");
  CHECK(text(waited, "run") != run);
  CHECK(waited == w.call("GET", at + "/reconciliation"));
  CHECK(w.send("POST", "/integrations/" + text(waited, "run") + "/reconciliation", "{}").status == 404);
}
