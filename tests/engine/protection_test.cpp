// Protected subjects and accounts, and exemptions, at planning and at execution (R9).
#include <boost/json/parse.hpp>
#include "catch.hpp"
#include "support/fake_app.hpp"

using namespace deprov;
using namespace std::chrono_literals;
namespace json = boost::json;
using connector::Operation;
using port::JobState;

namespace {
std::optional<port::DueRow> retained(test::World& w, const engine::Context& c, ResourceId user) {
  std::optional<port::DueRow> due;
  w.read([&](port::Reader& r) { due = r.due(c->row.scope, user, "retained").value(); });
  return due;
}
bool active(test::World& w, const std::string& account) {
  return w.app->accounts.at(account).active.value_or(true);
}
void set_policy(test::World& w, const engine::Context& c, const char* policy) {
  std::optional<Result<port::IntegrationRow>> out;
  w.engine->update_integration({w.workspace, {}, "tester", port::Role::owner}, c->row.scope.integration,
                               {{"policy", boost::json::parse(policy)}, {"check", false}},
                               [&](Result<port::IntegrationRow> r) { out = std::move(r); });
  while (!out && w.executor->run_one()) {
  }
  REQUIRE(out);
  REQUIRE(*out);
}
}  // namespace

TEST_CASE("a protected subject is retained, and the IdP gets its answer", "[engine][R9]") {
  test::World w;
  const auto c = w.integrate(
      "okta",
      R"({"protection":{"subjects":[{"external_id":"ext-ann","reason":"break glass","review":"2100-01-01T00:00:00Z"}]}})");
  w.app->add("a1", "ext-ann", "ann");
  w.app->add("a2", "ext-bob", "bob");
  const auto ann = w.add_user(c, "ann");
  const auto bob = w.add_user(c, "bob");
  w.run(5s);
  REQUIRE(w.set_active(c, ann, false));
  REQUIRE(w.set_active(c, bob, false));
  w.run(24h * 400);
  CHECK(active(w, "a1"));
  CHECK_FALSE(active(w, "a2"));
  CHECK_FALSE(w.subject(c, ann).access);
  CHECK(w.events(c, "removal.retained") == 1);
  const auto due = retained(w, c, ann);
  REQUIRE(due);
  const auto retention = policy::parse_retention(due->payload);
  REQUIRE(retention);
  CHECK(retention->reason == "break glass");
  // Access that comes back ends the retention.
  REQUIRE(w.set_active(c, ann, true));
  CHECK_FALSE(retained(w, c, ann));
}

TEST_CASE("protection is judged on the state before the request", "[engine][R9]") {
  test::World w;
  const auto c =
      w.integrate("okta", R"({"protection":{"subjects":[{"filter":"userName eq \"ann\"","reason":"x"}]}})");
  w.app->add("a1", "ext-ann", "ann");
  const auto ann = w.add_user(c, "ann");
  w.run(5s);
  // Renamed and deactivated at once: the name that protects was the one before.
  REQUIRE(w.apply(c, [&](port::Reader& r, const engine::IntegrationContext& i) -> Result<engine::Effect> {
    engine::Effect e;
    e.before = r.resource(i.row.scope, ann).value();
    e.after = e.before;
    e.after->active = false;
    e.after->user_name_key = "other";
    e.after->document = R"({"userName":"other"})";
    e.renamed = true;
    return e;
  }));
  w.run(10s);
  CHECK(active(w, "a1"));
  CHECK(w.events(c, "removal.retained") == 1);
}

TEST_CASE("a rename while a lost group settles takes no protection away", "[engine][R9][R14]") {
  test::World w;
  const bool rename = GENERATE(true, false);
  const auto c = w.integrate("okta", R"({"entitling_groups":[{"display_name":"app"}],"guard":{"enabled":false},
      "protection":{"subjects":[{"filter":"userName eq \"ann\"","reason":"x"}]}})");
  w.app->add("a1", "ext-ann", "ann");
  const auto ann = w.add_user(c, "ann");
  const auto group = w.add_group(c, "app", {ann});
  w.run(5s);
  REQUIRE(w.members(c, group, engine::MemberStep::Kind::remove, {ann}));
  w.run(10s);
  REQUIRE(w.apply(c, [&](port::Reader& r, const engine::IntegrationContext& i) -> Result<engine::Effect> {
    engine::Effect e;
    e.before = r.resource(i.row.scope, ann).value();
    e.after = e.before;
    e.after->user_name_key = "other";
    e.after->document = R"({"userName":"other"})";
    e.renamed = true;
    return e;
  }));
  // Another policy is asked anew.
  if (!rename) {
    set_policy(w, c,
               R"({"entitling_groups":[{"display_name":"app"}],"guard":{"enabled":false},
                  "protection":{"subjects":[{"filter":"userName eq \"ann\"","reason":"y"}]}})");
  }
  w.run(1h);
  CHECK(active(w, "a1") == rename);
  CHECK(w.events(c, "removal.retained") == (rename ? 1U : 0U));
}

TEST_CASE("protection is asked again at execution", "[engine][R9]") {
  test::World w;
  const auto c = w.integrate("okta");
  w.app->add("a1", "ext-ann", "ann");
  const auto ann = w.add_user(c, "ann");
  w.run(5s);
  w.app->answer(Operation::disable, connector::Outcome::throttled);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1ms);
  set_policy(
      w, c,
      R"({"guard":{"enabled":false},"protection":{"subjects":[{"external_id":"ext-ann","reason":"late"}]}})");
  w.run(24h);
  CHECK(active(w, "a1"));
  CHECK(w.job(c, ann).state == JobState::cancelled);
  CHECK(retained(w, c, ann));
}

TEST_CASE("an exemption that came while a job was under way ends at its date, though nothing else happens",
          "[engine][R9]") {
  test::World w;
  const auto c = w.integrate("okta");
  w.app->add("a1", "ext-ann", "ann");
  const auto ann = w.add_user(c, "ann");
  w.run(5s);
  w.app->answer(Operation::disable, connector::Outcome::throttled);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1ms);
  const auto policy =
      R"({"guard":{"enabled":false},"exemptions":[{"external_id":"ext-ann","reason":"x","until":")" +
      to_rfc3339(w.clock.wall() + 72h) + R"("}]})";
  set_policy(w, c, policy.c_str());
  w.run(71h);
  REQUIRE(active(w, "a1"));
  REQUIRE(retained(w, c, ann));
  w.run(2h);
  CHECK_FALSE(active(w, "a1"));
  CHECK_FALSE(retained(w, c, ann));
}

TEST_CASE("a protection that is taken back lets the removal happen", "[engine][R9]") {
  test::World w;
  const auto c = w.integrate("okta", R"({"protection":{"subjects":[{"external_id":"ext-ann","reason":"x"}]}})");
  w.app->add("a1", "ext-ann", "ann");
  const auto ann = w.add_user(c, "ann");
  w.run(5s);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1h);
  REQUIRE(active(w, "a1"));
  set_policy(w, c, R"({"guard":{"enabled":false}})");
  w.run(1h);
  CHECK_FALSE(active(w, "a1"));
  CHECK_FALSE(retained(w, c, ann));
}

TEST_CASE("an exemption holds until its end, then the removal follows", "[engine][R9]") {
  test::World w;
  const auto until = w.clock.wall() + 72h;
  const auto c = w.integrate("okta", R"({"exemptions":[{"external_id":"ext-ann","reason":"handover","until":")" +
                                         to_rfc3339(until) + R"("}]})");
  w.app->add("a1", "ext-ann", "ann");
  const auto ann = w.add_user(c, "ann");
  w.run(5s);
  REQUIRE(w.set_active(c, ann, false));
  w.run(71h);
  CHECK(active(w, "a1"));
  w.run(2h);
  CHECK_FALSE(active(w, "a1"));
  CHECK(w.events(c, "retention.ended") == 1);
  for (const auto& row : w.activity(c))
    if (row.event == "removal.requested") CHECK(row.actor == "rule:R9");
}

TEST_CASE("an exemption that has ended is refused when it is set, with its path", "[engine][R9]") {
  test::World w;
  engine::Principal by;
  by.workspace = w.workspace;
  by.role = port::Role::owner;
  const auto exempt = [&](const std::string& who, WallTime until) {
    return json::object{{"external_id", who}, {"reason", "handover"}, {"until", to_rfc3339(until)}};
  };
  const auto start = w.clock.wall();
  const auto c = w.integrate("okta", "{}");
  const auto set = [&](json::array exemptions) {
    std::optional<Result<port::IntegrationRow>> out;
    w.engine->update_integration(
        by, c->row.scope.integration,
        {{"policy", json::object{{"exemptions", std::move(exemptions)}}}, {"check", false}},
        [&](Result<port::IntegrationRow> r) { out = std::move(r); });
    w.run();
    REQUIRE(out);
    return *out;
  };
  const auto ann = exempt("ext-ann", start + 1h);
  REQUIRE(set({ann}));
  const auto refused = set({ann, exempt("ext-bob", start)});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::invalid_argument);
  CHECK(refused.error().where() == "policy/exemptions/1/until");
  // One that ended since it was set need not be taken out before anything else can change.
  w.run(2h);
  CHECK(set({ann, exempt("ext-bob", start + 24h)}));
  CHECK_FALSE(set({exempt("ext-ann", start + 2h)}));
}

TEST_CASE("accounts that the policy names are never touched", "[engine][R9]") {
  test::World w;
  const auto c =
      w.integrate("okta", R"({"protection":{"accounts":[{"id":"a1","reason":"the connection's own"}]}})");
  w.app->add("a1", "ext-svc", "svc");
  const auto svc = w.add_user(c, "svc");
  w.run(5s);
  REQUIRE(w.set_active(c, svc, false));
  w.run(1h);
  CHECK(active(w, "a1"));
  CHECK(w.app->count("disable a1") == 0);
  for (const auto& j : w.jobs(c, svc)) CHECK(j.kind != port::JobKind::remove_access);
  CHECK(retained(w, c, svc));
}

TEST_CASE("the connection's own account is protected without a word of the policy", "[engine][R9]") {
  test::World w;
  w.app->description.own_account = {"auth.user"};
  w.config = R"({"auth":{"user":"Svc-Deprov"}})";
  const auto c = w.integrate("okta");
  w.app->add("a1", "ext-svc-deprov", "svc-deprov");
  w.app->add("a2", "ext-other", "SVC-deprov2");
  w.app->add("a3", "ext-renamed", "svc-deprov");
  const auto check_retained = [&](ResourceId who, const std::string& account) {
    CHECK(active(w, account));
    CHECK(w.app->count("disable " + account) == 0);
    CHECK(w.app->count("revoke_sessions " + account) == 0);
    const auto due = retained(w, c, who);
    REQUIRE(due);
    const auto why = policy::parse_retention(due->payload);
    CHECK(why->kind == policy::Retention::Kind::protected_subject);
    CHECK(why->rule == policy::own_account_rule);
    CHECK(w.events(c, "removal.retained") == 1);
  };
  SECTION("at planning, by the subject's name, before it is bound") {
    w.app->accounts.erase("a3");
    const auto svc = w.add_user(c, "svc-deprov");
    REQUIRE(w.set_active(c, svc, false));
    w.run(1h);
    check_retained(svc, "a1");
    for (const auto& j : w.jobs(c, svc)) CHECK(j.kind != port::JobKind::remove_access);
  }
  SECTION("by the login of the account that the subject is bound to") {
    w.app->accounts.erase("a1");
    const auto renamed = w.add_user(c, "renamed");
    w.run(5s);
    REQUIRE(w.set_active(c, renamed, false));
    w.run(1h);
    check_retained(renamed, "a3");
  }
  SECTION("where the removal is what finds the account") {
    w.app->accounts.erase("a1");
    const auto renamed = w.add_user(c, "renamed");  // its look-up has not run yet
    REQUIRE(w.set_active(c, renamed, false));
    w.run(1h);
    check_retained(renamed, "a3");
  }
  SECTION("nobody else") {
    const auto other = w.add_user(c, "other");
    w.run(5s);
    REQUIRE(w.set_active(c, other, false));
    w.run(1h);
    CHECK_FALSE(active(w, "a2"));
  }
}

TEST_CASE("an account that the connector knows for its own is retained, another that the app refuses is held",
          "[engine][R9]") {
  test::World w;
  const bool knows = GENERATE(true, false);
  if (knows) w.app->description.own_account = {"bind_dn"};
  const auto c = w.integrate("okta");
  w.app->add("a1", "ext-ann", "ann");
  const auto ann = w.add_user(c, "ann");
  w.run(5s);
  w.app->answer(Operation::disable, connector::Outcome::protected_account);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1h);
  CHECK(active(w, "a1"));
  CHECK(w.job(c, ann).state == (knows ? JobState::cancelled : JobState::held));
  CHECK(retained(w, c, ann).has_value() == knows);
  std::optional<Result<json::object>> plan;
  w.engine->preview({w.workspace, {}, "tester", port::Role::owner}, c->row.scope.integration, std::nullopt,
                    std::nullopt, [&](Result<json::object> r) { plan = std::move(r); });
  w.run();
  REQUIRE(plan);
  REQUIRE(*plan);
  CHECK((*plan)->at("counts").at("retained") == (knows ? 1 : 0));
  CHECK(w.events(c, "removal.retained") == (knows ? 1U : 0U));
}

TEST_CASE("another account of the connection lets the removal of the former one happen", "[engine][R9]") {
  test::World w;
  w.app->description.own_account = {"user"};
  w.config = R"({"user":"ann"})";
  const auto c = w.integrate("okta");
  w.app->add("a1", "ext-ann", "ann");
  const auto ann = w.add_user(c, "ann");
  w.run(5s);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1h);
  REQUIRE(retained(w, c, ann));
  std::optional<Result<port::IntegrationRow>> out;
  w.engine->update_integration({w.workspace, {}, "tester", port::Role::owner}, c->row.scope.integration,
                               {{"config", {{"user", "svc"}}}, {"check", false}},
                               [&](Result<port::IntegrationRow> r) { out = std::move(r); });
  w.run(1h);
  REQUIRE(out);
  REQUIRE(*out);
  CHECK_FALSE(active(w, "a1"));
  CHECK_FALSE(retained(w, c, ann));
}

TEST_CASE("a plan shows protected accounts and the connection's own as retained", "[engine][R9][R22]") {
  test::World w;
  w.app->description.own_account = {"user"};
  w.config = R"({"user":"svc"})";
  const auto c = w.integrate("okta");
  w.app->add("a1", "ext-ann", "ann");
  w.app->add("a2", "ext-bob", "bob");
  w.app->add("a3", "ext-svc", "svc");
  for (const auto* name : {"ann", "bob", "svc"}) w.add_user(c, name);
  w.run(5s);
  std::optional<Result<json::object>> out;
  // Nobody is in that group, so that everybody would lose access.
  const auto policy = json::parse(
      R"({"entitling_groups":[{"display_name":"none"}],"protection":{"accounts":[{"id":"a2","reason":"break glass"}]}})");
  w.engine->preview({w.workspace, {}, "tester", port::Role::owner}, c->row.scope.integration, policy.as_object(),
                    std::nullopt, [&](Result<json::object> r) { out = std::move(r); });
  w.run();
  REQUIRE(out);
  REQUIRE(*out);
  CHECK((*out)->at("counts").at("remove") == 1);
  CHECK((*out)->at("counts").at("retained") == 2);
  for (const auto& change : (*out)->at("changes").as_array()) {
    const auto name = change.at("user_name").as_string();
    if (name == "bob") CHECK(change.at("rule") == "/protection/accounts/0");
    if (name == "svc") CHECK(change.at("rule") == "/connection/own_account");
  }
}

TEST_CASE("a plan shows whom the IdP deleted where a rule keeps the account, or the removal was only observed",
          "[engine][R9][R22]") {
  const auto counted = [](const std::string& present, const char* planned) {
    test::World w;
    const auto c = w.integrate("okta", present);
    for (const auto* name : {"ann", "bob"}) w.app->add(std::string("a-") + name, std::string("ext-") + name, name);
    const auto ann = w.add_user(c, "ann");
    w.add_user(c, "bob");
    w.run(5s);
    REQUIRE(w.remove_user(c, ann));
    w.run(5s);
    REQUIRE(active(w, "a-ann"));
    std::optional<Result<json::object>> out;
    w.engine->preview({w.workspace, {}, "tester", port::Role::owner}, c->row.scope.integration,
                      json::parse(planned).as_object(), std::nullopt,
                      [&](Result<json::object> r) { out = std::move(r); });
    w.run();
    REQUIRE(out);
    REQUIRE(*out);
    return (*out)->at("counts").as_object();
  };
  const std::string keeps = R"({"protection":{"subjects":[{"external_id":"ext-ann","reason":"break glass"}]}})";
  CHECK(counted(keeps, keeps.c_str()).at("retained") == 1);
  CHECK(counted(keeps, "{}").at("remove") == 1);  // as soon as that policy is in use
  CHECK(counted(keeps, "{}").at("keep") == 1);
  CHECK(counted(R"({"mode":"observe"})", "{}").at("remove") == 1);
  CHECK(counted(R"({"mode":"observe"})", R"({"mode":"observe"})").at("remove") == 0);
}

TEST_CASE("the app's last active owner stays", "[engine][R9]") {
  test::World w;
  w.app->description.of(Operation::list).supported = true;
  const auto c = w.integrate("okta", R"({"protection":{"owner_group":"owners"}})");
  w.app->add("a1", "ext-ann", "ann").groups = {"owners"};
  w.app->add("a2", "ext-bob", "bob").groups = {"owners"};
  w.app->add("a3", "ext-cid", "cid");
  const auto ann = w.add_user(c, "ann");
  const auto bob = w.add_user(c, "bob");
  const auto cid = w.add_user(c, "cid");
  w.run(5s);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1h);
  CHECK_FALSE(active(w, "a1"));  // bob is left
  REQUIRE(w.set_active(c, cid, false));
  REQUIRE(w.set_active(c, bob, false));
  w.run(1h);
  CHECK_FALSE(active(w, "a3"));
  CHECK(active(w, "a2"));
  const auto due = retained(w, c, bob);
  REQUIRE(due);
  CHECK(policy::parse_retention(due->payload)->reason == "the last active owner of the app");
}
