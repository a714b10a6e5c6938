// An integration whose stored policy or schemas this version refuses: alone in that, seen, and mended.
#include <boost/json/parse.hpp>
#include "catch.hpp"
#include "support/fake_app.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using port::JobState;

namespace {

engine::Principal owner(const test::World& w) {
  engine::Principal p;
  p.workspace = w.workspace;
  p.role = port::Role::owner;
  return p;
}

template <class T, class Start>
Result<T> wait(test::World& w, Start start) {
  std::optional<Result<T>> out;
  start(engine::Done<T>([&](Result<T> r) { out = std::move(r); }));
  for (int i = 0; i < 100 && !out; ++i) w.run(1s);
  REQUIRE(out.has_value());
  return std::move(*out);
}

/// As an older version may have left it.
void store_as(test::World& w, const engine::Context& c, const std::string& policy, const std::string& settings) {
  auto row = c->row;
  row.policy = policy;
  row.settings = settings;
  port::Transaction txn;
  txn.id = w.random.id<TxnId>(w.clock.wall());
  txn.ops.emplace_back(port::op::PutIntegration{row});
  bool stored = false;
  w.store->commit(std::move(txn), [&](const Result<port::Committed>& r) { stored = r.has_value(); });
  w.executor->run_until_idle();
  REQUIRE(stored);
}

Result<port::IntegrationRow> update(test::World& w, const engine::Context& c, const std::string& changes) {
  return wait<port::IntegrationRow>(w, [&](auto done) {
    w.engine->update_integration(owner(w), c->row.scope.integration, boost::json::parse(changes).as_object(),
                                 std::move(done));
  });
}

}  // namespace

TEST_CASE("an integration that cannot be used is alone in that, until it is mended", "[engine]") {
  struct Case {
    std::string policy, settings, mended, named;
  };
  const Case c = GENERATE(
      Case{R"({"no_such_member":1})", "{}", R"({"policy":{"guard":{"enabled":false}}})", "no_such_member"},
      Case{"nonsense", "{}", R"({"policy":{"guard":{"enabled":false}}})", "policy"},
      Case{R"({"guard":{"enabled":false}})", R"({"schemas":[{"id":"urn:a:b","attributes":[{"name":"no name"}]}]})",
           R"({"schemas":null})", "schemas[0].attributes[0].name"},
      Case{R"({"guard":{"enabled":false}})", "[]", R"({"settings":{}})", "settings"});
  INFO(c.policy << c.settings);
  test::World w;
  const auto bad = w.integrate("okta");
  const auto good = w.integrate("entra");
  w.app->add("a1", "ext-ann", "ann");
  w.app->add("b1", "ext-bob", "bob");
  const auto ann = w.add_user(bad, "ann");
  const auto bob = w.add_user(good, "bob");
  w.run(1s);
  // Not done yet when the older version ends.
  w.app->answer(connector::Operation::disable, connector::Outcome::unavailable);
  w.app->answer(connector::Operation::disable, connector::Outcome::unavailable);
  REQUIRE(w.set_active(bad, ann, false));
  REQUIRE(w.set_active(good, bob, false));
  w.run(10ms);
  w.crash();
  store_as(w, bad, c.policy, c.settings);
  w.boot();
  w.run(10min);
  // The others work as ever, and this one does nothing.
  CHECK(w.job(good, bob).state == JobState::succeeded_verified);
  CHECK(w.app->accounts["a1"].active == true);
  CHECK(w.engine->integration(bad->row.scope.integration) == nullptr);
  CHECK(w.engine->integrations().size() == 1);
  // It is seen.
  const auto faults = w.engine->faults();
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].scope == bad->row.scope);
  CHECK(faults[0].name == "okta");
  CHECK(faults[0].why.find(c.named) != std::string::npos);
  CHECK(w.engine->fault(bad->row.scope.integration) == faults[0].why);
  CHECK_FALSE(w.engine->fault(good->row.scope.integration));
  CHECK(wait<engine::Metrics>(w, [&](auto done) { w.engine->metrics(std::move(done)); })->faults.size() == 1);
  CHECK(w.events(bad, "integration.unusable") == 1);
  // What does not mend it leaves it as it is.
  REQUIRE(wait<port::IntegrationRow>(w, [&](auto done) {
    w.engine->set_integration_state(owner(w), bad->row.scope.integration, port::IntegrationState::paused,
                                    std::move(done));
  }));
  REQUIRE(wait<port::IntegrationRow>(w, [&](auto done) {
    w.engine->set_integration_state(owner(w), bad->row.scope.integration, port::IntegrationState::active,
                                    std::move(done));
  }));
  CHECK_FALSE(update(w, bad, R"({"name":"renamed"})"));
  CHECK(w.engine->faults().size() == 1);

  SECTION("it is mended, and goes on where it was") {
    REQUIRE(update(w, bad, c.mended));
    CHECK(w.engine->faults().empty());
    w.run(10min);
    CHECK(w.job(bad, ann).state == JobState::succeeded_verified);
    CHECK(w.app->accounts["a1"].active == false);
    w.crash();
    w.boot();
    CHECK(w.engine->faults().empty());
    CHECK(w.events(bad, "integration.unusable") == 1);
  }
  SECTION("it is deleted") {
    const auto remove = [&](bool abandon) {
      return wait<void>(w, [&](auto done) {
        w.engine->delete_integration(owner(w), bad->row.scope.integration, abandon, std::move(done));
      });
    };
    CHECK(remove(false).error().code() == Errc::conflict);
    CHECK(w.engine->faults().size() == 1);
    REQUIRE(remove(true));
    CHECK(w.engine->faults().empty());
    CHECK(w.engine->integrations().size() == 1);
  }
}

TEST_CASE("schemas that cannot be read any more do not let types go that there are resources of", "[engine]") {
  test::World w;
  const auto c = w.integrate("okta");
  w.add_user(c, "ann");
  REQUIRE(w.apply(c, [&](port::Reader&, const engine::IntegrationContext&) -> Result<engine::Effect> {
    engine::Effect e;
    port::ResourceRow row;
    row.scope = c->row.scope;
    row.id = w.random.id<ResourceId>(w.clock.wall());
    row.type = "Device";
    row.document = R"({"serial":"1"})";
    row.created = row.modified = w.clock.wall();
    e.after = std::move(row);
    return e;
  }));
  w.crash();
  store_as(w, c, R"({"guard":{"enabled":false}})",
           R"({"schemas":[{"id":"urn:a:b","attributes":[{"name":"no name"}]}],
               "resource_types":[{"name":"Device","endpoint":"/Devices","schema":"urn:a:b"}]})");
  w.boot();
  REQUIRE(w.engine->faults().size() == 1);
  const auto gone = update(w, c, R"({"schemas":null,"resource_types":null})");
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code() == Errc::conflict);
  CHECK(gone.error().where() == "resource type Device");
  REQUIRE(update(w, c, R"({"schemas":[{"id":"urn:a:b","attributes":[{"name":"serial"}]}]})"));
  CHECK(w.engine->faults().empty());
}

TEST_CASE("a schema that was taken before is still read, and its like is not taken anew", "[engine]") {
  const std::string pin = R"([{"id":"urn:a:b","attributes":[
    {"name":"pin","mutability":"writeOnly","returned":"never","uniqueness":"server"}]}])";
  test::World w;
  const auto c = w.integrate("okta");
  w.crash();
  store_as(w, c, R"({"guard":{"enabled":false}})", R"({"schemas":)" + pin + "}");
  w.boot();
  CHECK(w.engine->faults().empty());
  CHECK(update(w, c, R"({"name":"renamed"})"));
  CHECK(update(w, c, R"({"schemas":null})"));
  const auto again = update(w, c, R"({"schemas":)" + pin + "}");
  REQUIRE_FALSE(again);
  CHECK(again.error().code() == Errc::invalid_argument);
  CHECK(again.error().where() == "urn:a:b:pin");
}

TEST_CASE("canonicalValues that nothing can be held to make no stored integration unusable", "[engine]") {
  const std::string counted =
      R"({"id":"urn:a:b","attributes":[{"name":"n","type":"integer","canonicalValues":["1","2"]}]})";
  const std::string another = R"({"id":"urn:a:c","attributes":[{"name":"s","canonicalValues":["x"]}]})";
  test::World w;
  const auto c = w.integrate("okta");
  w.crash();
  store_as(w, c, R"({"guard":{"enabled":false}})", R"({"schemas":[)" + counted + "]}");
  w.boot();
  CHECK(w.engine->faults().empty());
  CHECK(update(w, c, R"({"name":"renamed"})"));
  // What is in use already goes on beside one that is new.
  CHECK(update(w, c, R"({"schemas":[)" + counted + "," + another + "]}"));
  CHECK(update(w, c, R"({"schemas":null})"));
  const auto again = update(w, c, R"({"schemas":[)" + counted + "]}");
  REQUIRE_FALSE(again);
  CHECK(again.error().code() == Errc::invalid_argument);
  CHECK(again.error().where() == "urn:a:b:n");
}
