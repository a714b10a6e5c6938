#include "catch.hpp"
#include "support/managed_world.hpp"

using namespace deprov;
using deprov::test::managed::EngineWorld;
using port::JobState;
using port::Role;
namespace json = boost::json;

namespace {

Result<void> bind(EngineWorld& w, const port::Scope& s, ResourceId id, const std::string& account) {
  return w.wait<void>([&](auto d) { w.engine->bind(w.local, s.integration, id, account, std::move(d)); });
}
Result<JobId> offboard(EngineWorld& w, const port::Scope& s, ResourceId id) {
  return w.wait<JobId>(
      [&](auto d) { w.engine->offboard(w.local, s.integration, id, "left the company", std::move(d)); });
}
Result<port::IntegrationRow> set_state(EngineWorld& w, const port::Scope& s, port::IntegrationState state) {
  return w.wait<port::IntegrationRow>(
      [&](auto d) { w.engine->set_integration_state(w.local, s.integration, state, std::move(d)); });
}
std::optional<port::JobRow> job(EngineWorld& w, const port::Scope& s, JobId id) {
  return w.look<port::JobRow>([&](port::Reader& r) { return r.job(s, id); });
}
Result<void> remove(EngineWorld& w, const port::Scope& s, bool abandon) {
  return w.wait<void>(
      [&](auto d) { w.engine->delete_integration(w.local, s.integration, abandon, std::move(d)); });
}

}  // namespace

TEST_CASE("members manage nothing, admins integrations, super admins principals too", "[R21]") {
  EngineWorld w;
  const auto member = w.principal(Role::member);
  const auto admin = w.principal(Role::admin);
  const auto super = w.principal(Role::super_admin);
  CHECK(w.integrate(member).error().code() == Errc::forbidden);
  CHECK(w.integrate(admin, "one"));
  CHECK(w.integrate(super, "two"));
  const auto add = [&](const engine::Principal& by, Role role) {
    return w.wait<engine::CreatedPrincipal>(
        [&](auto d) { w.engine->add_principal(by, "somebody", role, std::move(d)); });
  };
  CHECK(add(admin, Role::member).error().code() == Errc::forbidden);
  CHECK(add(super, Role::admin));
  CHECK(add(super, Role::owner).error().code() == Errc::forbidden);
  CHECK(add(w.local, Role::owner));
  CHECK(w.has_event({w.home, {}}, "principal.added", super.actor()));
}

TEST_CASE("what is made in no workspace is refused in these words", "[R21]") {
  EngineWorld w;
  auto nowhere = w.local;
  nowhere.workspace = {};
  const auto made = w.integrate(nowhere);
  REQUIRE_FALSE(made);
  CHECK(made.error().code() == Errc::invalid_argument);
  CHECK(made.error().where() == "workspace");
  nowhere.workspace = WorkspaceId::parse("01a2286f-16c8-712e-8014-c9cad7d72728").value();
  CHECK(w.integrate(nowhere).error().code() == Errc::not_found);
}

TEST_CASE("the last owner stays, and only owners take an owner away", "[R21]") {
  EngineWorld w;
  const auto super = w.principal(Role::super_admin);
  const auto rows =
      w.wait<std::vector<port::PrincipalRow>>([&](auto d) { w.engine->list_principals(w.local, std::move(d)); });
  REQUIRE(rows);
  PrincipalId first;
  for (const auto& r : *rows)
    if (r.role == Role::owner) first = r.id;
  const auto take = [&](const engine::Principal& by, PrincipalId id) {
    return w.wait<void>([&](auto d) { w.engine->remove_principal(by, id, std::move(d)); });
  };
  CHECK(take(super, first).error().code() == Errc::forbidden);
  CHECK(take(w.local, first).error().code() == Errc::conflict);
  const auto second = w.principal(Role::owner);
  CHECK(take(w.local, first));
  CHECK(take(w.local, second.id).error().code() == Errc::conflict);
  CHECK(take(w.local, first).error().code() == Errc::not_found);
  CHECK(w.wait<engine::Principal>([&](auto d) { w.engine->authenticate(w.owner_token, std::move(d)); })
            .error()
            .code() == Errc::unauthorized);
}

TEST_CASE("another workspace's things are not there", "[R21]") {
  EngineWorld w;
  REQUIRE(w.start());
  const auto made = w.integrate(w.local);
  REQUIRE(made);
  const auto scope = made->row.scope;
  const auto subject = w.provision(scope, "ann");
  const auto other = w.wait<engine::CreatedPrincipal>([&](auto d) {
    engine::Principal machine;
    machine.role = Role::owner;
    w.engine->create_workspace(machine, "elsewhere", "owner", std::move(d));
  });
  REQUIRE(other);
  const auto by = w.wait<engine::Principal>([&](auto d) { w.engine->authenticate(other->token, std::move(d)); });
  REQUIRE(by);
  CHECK(by->workspace == other->row.workspace);
  const auto id = scope.integration;
  CHECK(w.wait<void>([&](auto d) { w.engine->delete_integration(*by, id, true, std::move(d)); }).error().code() ==
        Errc::not_found);
  CHECK(w.wait<JobId>([&](auto d) { w.engine->offboard(*by, id, subject, "x", std::move(d)); }).error().code() ==
        Errc::not_found);
  CHECK(w.wait<std::string>([&](auto d) { w.engine->rotate_token(*by, id, Duration(0), std::move(d)); })
            .error()
            .code() == Errc::not_found);
  CHECK(w.wait<void>([&](auto d) { w.engine->bind(*by, id, subject, "a", std::move(d)); }).error().code() ==
        Errc::not_found);
  CHECK(w.wait<port::IntegrationRow>([&](auto d) {
           w.engine->update_integration(*by, id, {{"name", "mine"}}, std::move(d));
         })
            .error()
            .code() == Errc::not_found);
  CHECK(w.wait<engine::CreatedPrincipal>(
             [&](auto d) { w.engine->create_workspace(*by, "third", "owner", std::move(d)); })
            .error()
            .code() == Errc::forbidden);
}

TEST_CASE("a config that the kind refuses is refused without asking the app, too") {
  EngineWorld w;
  REQUIRE(w.start());
  engine::CreateIntegration what;
  what.name = "app";
  what.idp = "okta";
  what.connector = "fake";
  what.config = {{"url", "bad:"}};
  what.check = false;
  const auto made = w.wait<engine::CreatedIntegration>(
      [&](auto d) { w.engine->create_integration(w.local, what, std::move(d)); });
  REQUIRE_FALSE(made);
  CHECK(made.error().code() == Errc::invalid_argument);
  CHECK(made.error().where() == "config/url");
  const auto good = w.integrate(w.local);
  REQUIRE(good);
  const auto changed = w.wait<port::IntegrationRow>([&](auto d) {
    w.engine->update_integration(w.local, good->row.scope.integration,
                                 {{"config", {{"url", "bad:"}}}, {"check", false}}, std::move(d));
  });
  REQUIRE_FALSE(changed);
  CHECK(changed.error().where() == "config/url");
}

TEST_CASE("who manages integrations names no files of the machine but those that the host lets them", "[R21]") {
  EngineWorld w;
  w.app->add("a1", "ann");
  const auto admin = w.principal(Role::admin);
  const auto owner = w.principal(Role::owner);
  const auto make = [&](const engine::Principal& by, const std::string& file) {
    engine::CreateIntegration what;
    what.name = "app " + file;
    what.idp = "okta";
    what.connector = "fake";
    what.config = {{"url", "x"}, {"file", file}};
    return w.wait<engine::CreatedIntegration>(
        [&](auto d) { w.engine->create_integration(by, std::move(what), std::move(d)); });
  };
  for (const auto& by : {admin, owner}) {
    const auto refused = make(by, "/etc/shadow");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Errc::forbidden);
    CHECK(refused.error().where() == "config/file");
  }
  CHECK(w.app->opened_with.empty());
  CHECK(make(admin, "/open/app.jsonl"));
  // Who owns the machine may; and what is stored stays, whoever changes the rest.
  const auto made = make(w.local, "/home/app.jsonl");
  REQUIRE(made);
  const auto change = [&](const json::object& config) {
    return w.wait<port::IntegrationRow>([&](auto d) {
      w.engine->update_integration(admin, made->row.scope.integration, {{"config", config}}, std::move(d));
    });
  };
  CHECK(change({{"url", "y"}}));
  CHECK(change({{"url", "z"}, {"file", "/home/app.jsonl"}}));
  const auto moved = change({{"file", "/home/other.jsonl"}});
  REQUIRE_FALSE(moved);
  CHECK(moved.error().code() == Errc::forbidden);
  CHECK(change({{"file", "/open/other.jsonl"}}));
  CHECK(change({{"file", "/home/app.jsonl"}}).error().code() == Errc::forbidden);
}

TEST_CASE("a connection that cannot be opened is said so, and opened as soon as it can be") {
  EngineWorld w;
  w.app->add("a1", "ann");
  w.app->closed = true;
  REQUIRE(w.start());
  const auto made = w.integrate(w.local, "app", false);
  REQUIRE(made);
  const auto scope = made->row.scope;
  const auto ann = w.provision(scope, "ann");
  const auto paused = [&] {
    const auto row = w.look<port::LaneRow>([&](port::Reader& r) { return r.lane(scope); });
    return row ? row->paused : std::string("no lane");
  };
  CHECK(paused().find("there is no such app yet") != std::string::npos);
  w.executor.run_for(std::chrono::minutes(10));
  std::size_t said = 0;
  for (const auto& a : w.activity(scope)) said += a.event == "connection.failed" ? 1 : 0;
  CHECK(said == 1);
  w.app->closed = false;
  w.executor.run_for(std::chrono::minutes(10));
  CHECK(paused().empty());
  const auto binding = w.look<port::BindingRow>([&](port::Reader& r) { return r.binding(scope, ann); });
  REQUIRE(binding);
  CHECK(binding->account_id == "a1");
}

TEST_CASE("secrets are sealed, bound to their place, and never on the activity") {
  EngineWorld w;
  REQUIRE(w.start());
  const auto made = w.integrate(w.local);
  REQUIRE(made);
  const auto scope = made->row.scope;
  const auto row = w.look<port::IntegrationRow>([&](port::Reader& r) { return r.integration(scope); });
  REQUIRE(row);
  CHECK(row->config.find("s3cret") == std::string::npos);
  CHECK(row->secrets.find("s3cret") == std::string::npos);
  CHECK(w.app->opened_with.at("auth").at("token") == "s3cret-value");
  for (const auto& a : w.activity(scope)) CHECK(a.detail->find("s3cret") == std::string::npos);

  // What is not named stays, secrets too; null takes away.
  const auto change = [&](boost::json::object changes) {
    return w.wait<port::IntegrationRow>(
        [&](auto d) { w.engine->update_integration(w.local, scope.integration, changes, std::move(d)); });
  };
  const auto changed = change({{"config", {{"url", "mem:2"}}}});
  REQUIRE(changed);
  CHECK(w.app->opened_with.at("url") == "mem:2");
  CHECK(w.app->opened_with.at("auth").at("token") == "s3cret-value");
  CHECK(changed->secrets.find("s3cret") == std::string::npos);
  const auto wrong = change({{"config", {{"url", nullptr}}}});
  CHECK(wrong.error().code() == Errc::invalid_argument);
  CHECK(wrong.error().where().substr(0, 6) == "config");
  const auto unknown = change({{"confg", boost::json::object{}}});
  CHECK(unknown.error().where() == "confg");
  const auto policy = change({{"policy", {{"settle_ms", -1}}}});
  CHECK(policy.error().where() == "policy/settle_ms");
}

TEST_CASE("an integration is made only when the app answers well, unless the check is left out") {
  EngineWorld w;
  w.app->outcome = connector::Outcome::auth_failed;
  const auto refused = w.integrate(w.local);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().detail().find("AUTH_FAILED") != std::string::npos);
  CHECK(refused.error().detail().find("as told") != std::string::npos);
  CHECK(refused.error().message().find("s3cret") == std::string::npos);
  const auto none = w.wait<void>([&](auto d) {
    w.engine->view(
        [&](port::Reader& r) -> Result<void> {
          DEPROV_TRY(rows, r.integrations(w.home));
          CHECK(rows.empty());
          return {};
        },
        std::move(d));
  });
  CHECK(none);
  const auto made = w.integrate(w.local, "app", false);
  REQUIRE(made);
  CHECK(w.integrate(w.local, "app", false).error().code() == Errc::conflict);
  CHECK(w.has_event(made->row.scope, "connection.made", "local"));
  CHECK_FALSE(w.has_event(made->row.scope, "connection.checked"));
  const auto reply = w.wait<connector::Reply>(
      [&](auto d) { w.engine->check_integration(w.local, made->row.scope.integration, std::move(d)); });
  REQUIRE(reply);
  CHECK(reply->outcome == connector::Outcome::auth_failed);
  CHECK(w.has_event(made->row.scope, "connection.checked"));
}

TEST_CASE("a new gateway token takes the old one's place after the overlap") {
  EngineWorld w;
  REQUIRE(w.start());
  const auto made = w.integrate(w.local);
  REQUIRE(made);
  CHECK(made->scim_token.substr(0, 4) == "dpg_");
  CHECK(w.engine->authenticate_gateway(made->scim_token));
  const auto rotate = [&](Duration overlap) {
    return w.wait<std::string>(
        [&](auto d) { w.engine->rotate_token(w.local, made->row.scope.integration, overlap, std::move(d)); });
  };
  const auto second = rotate(std::chrono::seconds(60));
  REQUIRE(second);
  CHECK(w.engine->authenticate_gateway(made->scim_token));
  CHECK(w.engine->authenticate_gateway(*second));
  w.executor.run_for(std::chrono::seconds(61));
  CHECK_FALSE(w.engine->authenticate_gateway(made->scim_token));
  const auto third = rotate(Duration(0));
  REQUIRE(third);
  CHECK_FALSE(w.engine->authenticate_gateway(*second));
  CHECK(w.engine->authenticate_gateway(*third));
  CHECK(rotate(std::chrono::hours(24 * 31)).error().code() == Errc::invalid_argument);
}

TEST_CASE("offboarding by hand disables the account, and is on the activity with its actor") {
  EngineWorld w;
  w.app->add("a1", "ann");
  REQUIRE(w.start());
  const auto made = w.integrate(w.local);
  REQUIRE(made);
  const auto scope = made->row.scope;
  const auto subject = w.provision(scope, "ann");
  const auto id = offboard(w, scope, subject);
  REQUIRE(id);
  w.executor.run_for(std::chrono::seconds(30));
  const auto row = job(w, scope, *id);
  REQUIRE(row);
  CHECK(row->state == JobState::succeeded_verified);
  CHECK(row->cause == idp::Cause::manual);
  CHECK_FALSE(w.app->active("a1"));
  CHECK(w.has_event(scope, "removal.requested", "local"));
  CHECK(w.wait<JobId>([&](auto d) { w.engine->offboard(w.local, scope.integration, subject, "", std::move(d)); })
            .error()
            .code() == Errc::invalid_argument);
}

TEST_CASE("a paused integration does nothing until it is resumed; its jobs can be cancelled", "[R8]") {
  EngineWorld w;
  w.app->add("a1", "ann");
  w.app->add("a2", "bob");
  REQUIRE(w.start());
  const auto made = w.integrate(w.local);
  REQUIRE(made);
  const auto scope = made->row.scope;
  const auto ann = w.provision(scope, "ann");
  const auto bob = w.provision(scope, "bob");
  REQUIRE(set_state(w, scope, port::IntegrationState::paused));
  const auto first = offboard(w, scope, ann);
  const auto second = offboard(w, scope, bob);
  REQUIRE(first);
  REQUIRE(second);
  CHECK(offboard(w, scope, ann).error().code() == Errc::conflict);
  w.executor.run_for(std::chrono::minutes(5));
  CHECK(job(w, scope, *first)->state == JobState::ready);
  const auto cancel = [&](JobId id) {
    return w.wait<void>(
        [&](auto d) { w.engine->cancel_job(w.local, scope.integration, id, "a mistake", std::move(d)); });
  };
  REQUIRE(cancel(*first));
  CHECK(cancel(*first).error().code() == Errc::conflict);
  CHECK(job(w, scope, *first)->state == JobState::cancelled);
  const auto retried =
      w.wait<JobId>([&](auto d) { w.engine->retry_job(w.local, scope.integration, *first, std::move(d)); });
  CHECK(retried.error().code() == Errc::conflict);

  REQUIRE(remove(w, scope, false).error().code() == Errc::conflict);
  REQUIRE(set_state(w, scope, port::IntegrationState::active));
  w.executor.run_for(std::chrono::minutes(1));
  CHECK(job(w, scope, *second)->state == JobState::succeeded_verified);
  CHECK(w.app->active("a1"));
  CHECK_FALSE(w.app->active("a2"));
  CHECK(w.has_event(scope, "integration.paused"));
  CHECK(w.has_event(scope, "integration.resumed"));
}

TEST_CASE("deleting abandons unfinished removals by name, and deprovisions nobody", "[R8]") {
  EngineWorld w;
  w.app->add("a1", "ann");
  REQUIRE(w.start());
  const auto made = w.integrate(w.local);
  REQUIRE(made);
  const auto scope = made->row.scope;
  const auto ann = w.provision(scope, "ann");
  REQUIRE(set_state(w, scope, port::IntegrationState::paused));
  const auto id = offboard(w, scope, ann);
  REQUIRE(id);
  const auto refused = remove(w, scope, false);
  CHECK(refused.error().code() == Errc::conflict);
  CHECK(w.engine->integration(scope.integration) != nullptr);
  REQUIRE(remove(w, scope, true));
  w.executor.run_for(std::chrono::minutes(1));
  CHECK(w.app->active("a1"));
  CHECK(job(w, scope, *id)->state == JobState::cancelled);
  CHECK(w.engine->integration(scope.integration) == nullptr);
  CHECK_FALSE(w.engine->authenticate_gateway(made->scim_token));
  bool named = false;
  for (const auto& a : w.activity(scope))
    named = named ||
            (a.event == "removal.abandoned" && a.subject == ann && a.detail->find("ann") != std::string::npos);
  CHECK(named);
  CHECK(w.has_event({w.home, {}}, "integration.deleted"));
  CHECK(remove(w, scope, true).error().code() == Errc::not_found);
}

TEST_CASE("a person binds one account to one subject, and it has to exist", "[R12]") {
  EngineWorld w;
  w.app->add("a1", "somebody-else");
  REQUIRE(w.start());
  const auto made = w.integrate(w.local);
  REQUIRE(made);
  const auto scope = made->row.scope;
  const auto ann = w.provision(scope, "ann");
  const auto bob = w.provision(scope, "bob");
  CHECK(bind(w, scope, ann, "nope").error().code() == Errc::not_found);
  REQUIRE(bind(w, scope, ann, "a1"));
  const auto binding = w.look<port::BindingRow>([&](port::Reader& r) { return r.binding(scope, ann); });
  REQUIRE(binding);
  CHECK(binding->state == port::BindingState::bound);
  CHECK(binding->account_login == "somebody-else");
  CHECK(bind(w, scope, bob, "a1").error().code() == Errc::conflict);
  REQUIRE(w.wait<void>([&](auto d) { w.engine->unbind(w.local, scope.integration, ann, std::move(d)); }));
  CHECK(bind(w, scope, bob, "a1"));
  CHECK(w.has_event(scope, "subject.bound", "local"));
  CHECK(w.has_event(scope, "subject.unbound", "local"));
  CHECK(bind(w, scope, w.random.id<ResourceId>(w.clock.wall()), "a1").error().code() == Errc::not_found);
}

TEST_CASE("what failed is retried as a new job") {
  EngineWorld w;
  w.app->add("a1", "ann");
  REQUIRE(w.start());
  const auto made = w.integrate(w.local);
  REQUIRE(made);
  const auto scope = made->row.scope;
  const auto ann = w.provision(scope, "ann");
  w.app->outcome = connector::Outcome::invalid_request;
  const auto id = offboard(w, scope, ann);
  REQUIRE(id);
  w.executor.run_for(std::chrono::hours(24));
  const auto broken = job(w, scope, *id);
  REQUIRE(broken);
  CAPTURE(port::to_string(broken->state), broken->reason);
  REQUIRE((broken->state == JobState::failed || broken->state == JobState::held));
  w.app->outcome.reset();
  const auto again =
      w.wait<JobId>([&](auto d) { w.engine->retry_job(w.local, scope.integration, *id, std::move(d)); });
  REQUIRE(again);
  CHECK(*again != *id);
  w.executor.run_for(std::chrono::minutes(1));
  CHECK(job(w, scope, *again)->state == JobState::succeeded_verified);
  CHECK(job(w, scope, *again)->evidence_at == broken->evidence_at);
  CHECK_FALSE(w.app->active("a1"));
  CHECK(w.has_event(scope, "job.retried", "local"));
}
