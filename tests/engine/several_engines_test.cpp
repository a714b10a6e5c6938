// Several engines on one store: whoever owns the lane finds what the others were told. Found by the simulator.
#include <deprov/engine/sources.hpp>
#include <set>
#include <utility>
#include "catch.hpp"
#include "engine/told.hpp"
#include "support/fake_app.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using port::JobState;

namespace {

/// A second engine on the store of a world.
struct Second {
  explicit Second(test::World& world, bool background = true)
      : w(world), executor(std::make_unique<runtime::VirtualExecutor>(w.clock)) {
    auto options = w.options;
    options.node = "second";
    options.background = background;
    auto made = engine::Engine::create({*executor, w.clock, random, *w.store, *w.transport, *w.crypto}, options);
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
  /// Both at work.
  void run(Duration span) {
    for (const auto end = w.clock.mono() + span; w.clock.mono() < end;) {
      w.run(500ms);
      executor->run_until_idle();
    }
  }
  test::World& w;
  std::unique_ptr<runtime::VirtualExecutor> executor;
  runtime::SeededRandom random{2};
  std::unique_ptr<engine::Engine> engine;
};

/// Two engines may write to its store.
struct Shared : test::Told {
  explicit Shared(const std::string& policy = "{}") : Told(policy) {
    options.lane_lease = 60s;
    options.node = "first";
    crash();
    boot();
    c = engine->integration(c->row.scope.integration);
  }
};
using engine::NotificationType;
using Strings = std::vector<std::string>;

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

TEST_CASE("a webhook that one engine makes, changes or removes another one knows", "[engine][webhook]") {
  Shared w;
  const auto ann = w.user("ann");
  const auto bob = w.user("bob");
  const auto cid = w.user("cid");
  Second second(w);
  second.swap();
  const auto made = w.hook({});
  REQUIRE(made);
  second.swap();
  w.run(30s);
  w.leave(ann);  // the first one owns the lane
  w.run(1s);
  REQUIRE(w.receiver.types() == Strings{"removal.verified"});
  CHECK(w.signed_by(made->secret, 0));
  std::string secret;
  second.engine->rotate_webhook_secret(w.owner, made->row.id, 0s,
                                       [&](const Result<std::string>& r) { secret = r.value(); });
  second.executor->run_until_idle();
  w.run(30s);
  w.leave(bob);
  w.run(1s);
  REQUIRE(w.receiver.got.size() == 2);
  CHECK(w.signed_by(secret, 1));
  second.engine->remove_webhook(w.owner, made->row.id, [](const Result<void>& r) { REQUIRE(r); });
  second.executor->run_until_idle();
  w.run(30s);
  CHECK(w.metrics().webhooks.empty());
  w.leave(cid);
  w.run(1min);
  CHECK(w.receiver.got.size() == 2);
}

TEST_CASE("what an engine wrote and did not tell another one tells", "[engine][webhook]") {
  Shared w(R"({"guard":{"small":{"below":100,"percent":50,"least":1}}})");
  std::vector<ResourceId> users;
  for (const auto* name : {"ann", "bob", "cid", "dan"}) users.push_back(w.user(name));
  REQUIRE(w.hook({.events = {NotificationType::hold_opened}}));
  w.run(1min);
  {
    Second second(w, false);
    second.swap();
    for (const auto id : users) w.leave(id);
    second.swap();
  }
  w.run(1min);
  CHECK(w.receiver.types() == Strings{"hold.opened"});
  CHECK(w.receiver.got.size() == 1);
}

TEST_CASE("a message that another engine has under way is waited for, and taken over from one that is gone",
          "[engine][webhook]") {
  const bool dies = GENERATE(false, true);
  CAPTURE(dies);
  Shared w;
  const auto ann = w.user("ann");
  const auto bob = w.user("bob");
  const auto made = w.hook({});
  REQUIRE(made);
  Second second(w);
  w.receiver.status = 500;
  w.leave(ann);
  second.run(1s);
  REQUIRE(w.receiver.got.size() == 1);
  const auto first_id = w.receiver.header(0, "webhook-id");
  if (dies) {
    w.crash();
    second.swap();
  }
  w.leave(bob);
  second.run(40s);
  // Nothing else has left before it was taken.
  for (std::size_t i = 0; i < w.receiver.got.size(); ++i) CHECK(w.receiver.header(i, "webhook-id") == first_id);
  w.receiver.status = 200;
  second.run(10min);
  const auto last = w.receiver.got.size() - 1;
  CHECK(w.receiver.events(last)[0].at("user_name") == "bob");
  CHECK(w.receiver.header(last, "webhook-id") != first_id);
  CHECK(w.receiver.header(last - 1, "webhook-id") == first_id);
  CHECK(w.receiver.events(last - 1)[0].at("user_name") == "ann");
  const auto rows = w.deliveries(made->row.id);
  CHECK(rows.size() == 2);
  for (const auto& row : rows) CHECK(row.state == port::DeliveryState::delivered);
  CHECK(w.receiver.most_at_once == 1);
}

TEST_CASE("two engines that tell the same webhook say nothing twice, and keep the order of a chain",
          "[engine][webhook]") {
  Shared w;
  std::vector<ResourceId> users;
  for (int i = 0; i < 40; ++i) users.push_back(w.user("u" + std::to_string(i)));
  REQUIRE(w.hook({}));
  Second second(w);
  w.receiver.script = {500, 0, 200, 500};
  for (const auto id : users) {
    w.leave(id);
    second.run(1s);
    second.swap();
  }
  second.run(10min);
  std::set<std::string> told;
  std::uint64_t before = 0;
  std::string message;
  for (std::size_t i = 0; i < w.receiver.got.size(); ++i) {
    if (std::exchange(message, w.receiver.header(i, "webhook-id")) == w.receiver.header(i, "webhook-id")) continue;
    for (const auto& e : w.receiver.events(i)) {
      CHECK(e.at("seq").to_number<std::uint64_t>() > before);
      before = e.at("seq").to_number<std::uint64_t>();
      CHECK(told.insert(std::string(e.at("user_name").as_string())).second);
    }
  }
  CHECK(told.size() == users.size());
}

TEST_CASE("the first source that another engine adds counts at once", "[engine][R5][R16]") {
  Shared w;
  std::vector<ResourceId> users;
  std::string everybody = "id\n";
  std::string without = "id\n";
  for (int i = 0; i < 8; ++i) {
    users.push_back(w.user("u" + std::to_string(i)));
    everybody += "ext-u" + std::to_string(i) + "\n";
    if (i != 3) without += "ext-u" + std::to_string(i) + "\n";
  }
  w.run(1min);
  {
    Second second(w, false);
    second.swap();
    const auto source = w.wait<port::SourceRow>([&](auto done) {
      w.engine->sources().add(w.owner, w.c->row.scope.integration, {"hr", "file", {{"whole", true}}},
                              std::move(done));
    });
    REQUIRE(source);
    for (const auto& text : {everybody, without}) {
      const auto list = w.wait<WorkId>([&](auto done) {
        w.engine->sources().begin(w.owner, w.c->row.scope.integration, source->id, {}, std::move(done));
      });
      REQUIRE(list);
      REQUIRE(w.wait<std::uint64_t>([&](auto done) { w.engine->sources().feed(w.owner, *list, 0, text, done); }));
      REQUIRE(w.wait<boost::json::object>(
          [&](auto done) { w.engine->sources().end(w.owner, *list, std::nullopt, done); }));
    }
    second.swap();
  }
  // The other one carries it out, and would see access were it not to know of the source.
  w.run(1min);
  CHECK(w.app->accounts["a-u3"].active == false);
  CHECK(w.job(w.c, users[3]).state == JobState::succeeded_verified);
  for (std::size_t i = 0; i < users.size(); ++i) CHECK(w.subject(w.c, users[i]).access == (i != 3));
}
