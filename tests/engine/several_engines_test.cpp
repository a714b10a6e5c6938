// Several engines on one store: whoever owns the lane finds what the others were told. Found by the simulator.
#include <utility>
#include "catch.hpp"
#include "support/fake_app.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using port::JobState;

namespace {

/// A second engine on the store of a world.
struct Second {
  explicit Second(test::World& world) : w(world), executor(std::make_unique<runtime::VirtualExecutor>(w.clock)) {
    auto options = w.options;
    options.node = "second";
    auto made = engine::Engine::create({*executor, w.clock, random, *w.store, w.http, *w.crypto}, options);
    REQUIRE(made);
    engine = std::move(*made);
    engine->start([](const Result<void>& started) { REQUIRE(started); });
    executor->run_until_idle();
  }
  /// The world speaks to this one instead of the first.
  void swap() {
    std::swap(w.engine, engine);
    std::swap(w.executor, executor);
  }
  test::World& w;
  std::unique_ptr<runtime::VirtualExecutor> executor;
  runtime::SeededRandom random{2};
  std::unique_ptr<engine::Engine> engine;
};

}  // namespace

TEST_CASE("the owner of a lane finds the jobs that another engine made", "[engine][R1]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  w.options.lane_lease = 60s;
  w.options.node = "first";
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  Second second(w);
  second.swap();
  REQUIRE(w.set_active(c, ann, false));
  second.swap();
  CHECK(w.app->accounts["a1"].active == true);
  w.run(30s);
  CHECK(w.app->accounts["a1"].active == false);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
}

TEST_CASE("an engine finds the evaluations and the work that another one left", "[engine][R1][R14]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  w.options.lane_lease = 60s;
  w.options.node = "first";
  const auto c = w.integrate("okta", R"({"entitling_groups":[{"display_name":"staff"}],"settle_ms":10000})");
  const auto ann = w.add_user(c, "ann");
  const auto staff = w.add_group(c, "staff", {ann});
  w.run(1s);
  {
    Second second(w);
    second.swap();
    REQUIRE(w.members(c, staff, engine::MemberStep::Kind::remove, {ann}));
    second.swap();
  }  // it dies before anything has settled
  w.run(1min);
  CHECK(w.app->accounts["a1"].active == false);
}

TEST_CASE("what one engine stops or pauses another one that owns the lane does not send", "[engine][stop]") {
  const int what = GENERATE(0, 1, 2);  // the kill switch, the workspace's, a pause
  CAPTURE(what);
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  w.app->add("b1", "ext-bob", "bob");
  w.app->add("c1", "ext-cid", "cid");
  w.options.lane_lease = 60s;
  w.options.node = "first";
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  const auto bob = w.add_user(c, "bob");
  const auto cid = w.add_user(c, "cid");
  w.run(1s);
  Second second(w);
  const auto id = c->row.scope.integration;
  engine::Principal by;
  by.workspace = w.workspace;
  by.role = port::Role::owner;
  std::optional<bool> answered;
  const auto integration = [&](const Result<port::IntegrationRow>& r) { answered = r.has_value(); };
  const auto workspace = [&](const Result<void>& r) { answered = r.has_value(); };
  if (what == 0) second.engine->stop_integration(by, id, "a mistake", integration);
  if (what == 1) second.engine->stop_workspace(by, "a mistake", workspace);
  if (what == 2) second.engine->set_integration_state(by, id, port::IntegrationState::paused, integration);
  second.executor->run_until_idle();
  REQUIRE(answered == true);
  // The first one owns the lane, and has not heard of it.
  REQUIRE(w.set_active(c, ann, false));
  w.run(10s);
  CHECK(w.app->accounts["a1"].active == true);
  w.run(1h);  // by now it has
  REQUIRE(w.set_active(c, bob, false));
  w.run(1h);
  CHECK(w.app->accounts["a1"].active == true);
  CHECK(w.app->accounts["b1"].active == true);
  CHECK(w.app->count("disable a1") + w.app->count("disable b1") == 0);
  answered.reset();
  if (what == 1) {
    second.engine->resume_workspace(by, "looked at", workspace);
  } else {
    second.engine->set_integration_state(by, id, port::IntegrationState::active, integration);
  }
  second.executor->run_until_idle();
  REQUIRE(answered == true);
  // A request may be the first to find that the integration is another one: the lane is told all the same.
  REQUIRE(w.set_active(c, cid, false));
  w.run(1min);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.job(c, bob).state == JobState::succeeded_verified);
  CHECK(w.job(c, cid).state == JobState::succeeded_verified);
}

TEST_CASE("what cannot be undone does not leave once another engine was told to stop", "[engine][stop][R3]") {
  const bool everything = GENERATE(false, true);
  CAPTURE(everything);
  test::World w;
  w.app->offer({connector::Operation::remove, connector::Operation::list_entitlements});
  w.app->add("a1", "ext-ann", "ann").groups = {"staff"};
  w.options.lane_lease = 60s;
  w.options.node = "first";
  const auto c = w.integrate("okta", R"({"causes":{"deactivated":["disable","remove"]}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  Second second(w);
  engine::Principal by;
  by.workspace = w.workspace;
  by.role = port::Role::owner;
  const auto id = c->row.scope.integration;
  w.app->latency = 2s;
  REQUIRE(w.set_active(c, ann, false));
  // Read once for the disable, and once more right before the removal: while that is answered it is stopped.
  for (int i = 0; i < 300 && w.app->count("read a1") < 2; ++i) w.run(100ms);
  REQUIRE(w.app->count("read a1") == 2);
  REQUIRE(w.app->count("remove a1") == 0);
  std::optional<bool> answered;
  const auto integration = [&](const Result<port::IntegrationRow>& r) { answered = r.has_value(); };
  const auto workspace = [&](const Result<void>& r) { answered = r.has_value(); };
  if (everything) {
    second.engine->stop_workspace(by, "a mistake", workspace);
  } else {
    second.engine->stop_integration(by, id, "a mistake", integration);
  }
  second.executor->run_until_idle();
  REQUIRE(answered == true);
  w.run(1h);
  CHECK(w.app->count("remove a1") == 0);
  answered.reset();
  if (everything) {
    second.engine->resume_workspace(by, "looked at", workspace);
  } else {
    second.engine->set_integration_state(by, id, port::IntegrationState::active, integration);
  }
  second.executor->run_until_idle();
  REQUIRE(answered == true);
  w.run(5min);
  CHECK(w.app->count("remove a1") == 1);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
}

TEST_CASE("an engine hears of policies, tokens, integrations and deletions of another one", "[engine]") {
  test::World w;
  w.options.lane_lease = 60s;
  w.options.node = "first";
  const auto c = w.integrate("okta");
  w.run(1s);
  Second second(w);
  engine::Principal by;
  by.workspace = w.workspace;
  by.role = port::Role::owner;
  std::string rotated, made;
  IntegrationId other;
  second.engine->rotate_token(by, c->row.scope.integration, 0s, [&](const Result<std::string>& r) {
    REQUIRE(r);
    rotated = *r;
  });
  engine::CreateIntegration what;
  what.name = "made by the second";
  what.idp = "okta";
  what.connector = "fake";
  what.check = false;
  second.engine->create_integration(by, std::move(what), [&](const Result<engine::CreatedIntegration>& r) {
    REQUIRE(r);
    made = r->scim_token;
    other = r->row.scope.integration;
  });
  second.engine->update_integration(by, c->row.scope.integration, {{"policy", {{"settle_ms", 1234}}}},
                                    [](const Result<port::IntegrationRow>& r) { REQUIRE(r); });
  second.executor->run_until_idle();
  REQUIRE_FALSE(made.empty());
  w.run(1min);
  CHECK(w.engine->authenticate_gateway(rotated));
  CHECK(w.engine->authenticate_gateway(made));
  CHECK(w.engine->integration(c->row.scope.integration)->policy.settle == 1234ms);
  second.engine->delete_integration(by, other, false, [](const Result<void>& r) { REQUIRE(r); });
  second.executor->run_until_idle();
  w.run(1min);
  CHECK_FALSE(w.engine->authenticate_gateway(made));
  CHECK(w.engine->integration(other) == nullptr);
}
