// Access that comes and goes with groups: entitling ones, nested ones, deleted ones, huge ones.
#include <deprov/port/activity_chain.hpp>
#include "catch.hpp"
#include "support/fake_app.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using connector::Operation;
using connector::Outcome;
using engine::MemberStep;
using port::JobKind;
using port::JobState;

namespace {
const char* const settling_policy =
    R"({"entitling_groups":[{"display_name":"App Users"}],"settle_ms":60000,"retry":{"base_ms":1000,"ceiling_ms":8000}})";
}

TEST_CASE("a lost entitling group ends access when the settle window is over", "[engine][R1][R14]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("entra", settling_policy);
  const auto ann = w.add_user(c, "ann");
  CHECK_FALSE(w.subject(c, ann).access);
  const auto group = w.add_group(c, "App Users", {ann});
  CHECK(w.subject(c, ann).access);
  REQUIRE(w.members(c, group, MemberStep::Kind::remove, {ann}));
  w.run(59s);
  CHECK(w.subject(c, ann).access);
  CHECK(w.app->accounts["a1"].active == true);
  w.run(2s);
  CHECK(w.app->accounts["a1"].active == false);
  CHECK(w.job(c, ann).cause == idp::Cause::lost_entitling_group);
  CHECK(w.job(c, ann).via_group == group);
  CHECK_FALSE(w.job(c, ann).via_inferred);
}

TEST_CASE("a move between groups within the window removes nobody", "[engine][R14]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("entra", settling_policy);
  const auto ann = w.add_user(c, "ann");
  const auto group = w.add_group(c, "App Users", {ann});
  REQUIRE(w.members(c, group, MemberStep::Kind::remove, {ann}));
  w.run(30s);
  REQUIRE(w.members(c, group, MemberStep::Kind::add, {ann}));
  w.run(120s);
  CHECK(w.subject(c, ann).access);
  CHECK(w.app->count("disable a1") == 0);
  CHECK(w.events(c, "removal.requested") == 0);
}

TEST_CASE("leaving one of two groups removes nobody where none is entitling", "[engine][R1]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  const auto a = w.add_group(c, "A", {ann});
  w.add_group(c, "B", {ann});
  REQUIRE(w.members(c, a, MemberStep::Kind::remove, {ann}));
  w.run(300s);
  CHECK(w.app->count("disable a1") == 0);
  CHECK(w.subject(c, ann).access);
}

TEST_CASE("nested groups count", "[engine][R1]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("entra", settling_policy);
  const auto ann = w.add_user(c, "ann");
  const auto team = w.add_group(c, "Team", {ann});
  const auto outer = w.add_group(c, "App Users");
  CHECK_FALSE(w.subject(c, ann).access);
  REQUIRE(w.members(c, outer, MemberStep::Kind::add, {team}, true));
  w.run(1s);
  CHECK(w.subject(c, ann).access);
  REQUIRE(w.members(c, outer, MemberStep::Kind::remove, {team}, true));
  w.run(120s);
  CHECK_FALSE(w.subject(c, ann).access);
  CHECK(w.app->accounts["a1"].active == false);
}

TEST_CASE("a deleted group takes access from those who have no other grant", "[engine][R8][R1]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  w.app->add("a2", "ext-bob", "bob");
  const auto c = w.integrate(
      "entra", R"({"entitling_groups":[{"display_name":"G1"},{"display_name":"G2"}],"settle_ms":5000})");
  const auto ann = w.add_user(c, "ann");
  const auto bob = w.add_user(c, "bob");
  const auto g1 = w.add_group(c, "G1", {ann, bob});
  w.add_group(c, "G2", {bob});
  REQUIRE(w.remove_group(c, g1));
  w.run(10s);
  CHECK(w.app->accounts["a1"].active == false);
  CHECK(w.app->accounts["a2"].active == true);
  CHECK(w.job(c, ann).cause == idp::Cause::group_deleted);
  CHECK(w.job(c, ann).via_group == g1);
}

TEST_CASE("loss of a group and deactivation that meet are one removal through the group", "[engine][R2]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  const auto group = w.add_group(c, "Sales", {ann});
  w.run(1s);
  const bool group_first = GENERATE(true, false);
  if (group_first) {
    REQUIRE(w.members(c, group, MemberStep::Kind::remove, {ann}));
    w.run(10s);
    REQUIRE(w.set_active(c, ann, false));
  } else {
    REQUIRE(w.set_active(c, ann, false));
    w.run(10s);
    REQUIRE(w.members(c, group, MemberStep::Kind::remove, {ann}));
  }
  w.run(100s);
  const auto s = w.subject(c, ann);
  CHECK(s.via_group == group);
  CHECK(s.via_inferred);
  CHECK(s.cause == idp::Cause::deactivated);
  CHECK(w.app->count("disable a1") == 1);
  CHECK(w.events(c, "removal.refined") == (group_first ? 0U : 1U));
}

TEST_CASE("memberships outlive a deactivation and count again", "[engine][R1]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("entra", settling_policy);
  const auto ann = w.add_user(c, "ann");
  w.add_group(c, "App Users", {ann});
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  REQUIRE(w.set_active(c, ann, true));
  w.run(1s);
  CHECK(w.subject(c, ann).access);
  CHECK(w.app->accounts["a1"].active == true);
}

TEST_CASE("a large request is stored at once and worked off in pieces that survive a crash", "[engine][R8]") {
  test::World w;
  w.options.inline_members = 10;
  w.options.piece = 7;
  const auto c = w.integrate(
      "entra", R"({"entitling_groups":[{"display_name":"G"}],"settle_ms":0,"lane":{"start_concurrency":16}})");
  std::vector<ResourceId> users;
  for (int i = 0; i < 60; ++i) {
    const auto name = "u" + std::to_string(i);
    w.app->add("a" + std::to_string(i), "ext-" + name, name);
    users.push_back(w.add_user(c, name));
  }
  w.run(5s);
  const auto g = w.add_group(c, "G");
  const auto added = w.members(c, g, MemberStep::Kind::add, users);
  REQUIRE(added);
  CHECK(added->deferred);
  w.run(5s);
  for (const auto& u : users) CHECK(w.subject(c, u).access);

  const bool by_replace = GENERATE(true, false);
  const std::vector<ResourceId> stay(users.begin(), users.begin() + 5);
  const std::vector<ResourceId> leave(users.begin() + 5, users.end());
  engine::Evidence evidence{"idp:entra", "scim", "r2", "PATCH", {}, w.clock.wall()};
  std::optional<Result<engine::Applied>> answer;
  w.engine->apply(
      w.engine->integration(c->row.scope.integration), evidence,
      [&](port::Reader&, const engine::IntegrationContext&) -> Result<engine::Effect> {
        engine::Effect e;
        e.group = g;
        MemberStep step;
        step.kind = by_replace ? MemberStep::Kind::replace : MemberStep::Kind::remove;
        for (const auto& u : by_replace ? stay : leave) step.members.push_back({g, u, false});
        e.members.push_back(step);
        return e;
      },
      [&](Result<engine::Applied> r) { answer = r; });
  while (!answer && w.executor->run_one()) {
  }
  REQUIRE(answer->has_value());
  for (int i = 0; i < 12; ++i) w.executor->run_one();
  w.crash();
  w.boot();
  w.run(60s);
  for (const auto& u : stay) CHECK(w.subject(c, u).access);
  for (const auto& u : leave) {
    CHECK_FALSE(w.subject(c, u).access);
    CHECK(w.job(c, u).state == JobState::succeeded_verified);
  }
  std::size_t disabled = 0;
  for (const auto& [id, a] : w.app->accounts) disabled += a.active == false ? 1U : 0U;
  CHECK(disabled == leave.size());
}

TEST_CASE("requests on one group keep their order behind one that is worked off", "[engine][R5]") {
  test::World w;
  w.options.inline_members = 3;
  w.options.piece = 2;
  const auto c = w.integrate("entra", R"({"entitling_groups":[{"display_name":"G"}],"settle_ms":0})");
  std::vector<ResourceId> users;
  for (int i = 0; i < 8; ++i) users.push_back(w.add_user(c, "u" + std::to_string(i)));
  const auto g = w.add_group(c, "G");
  engine::Evidence evidence{"idp:entra", "scim", "r", "PATCH", {}, w.clock.wall()};
  int answers = 0;
  const auto send = [&](MemberStep::Kind kind, const std::vector<ResourceId>& who) {
    w.engine->apply(
        w.engine->integration(c->row.scope.integration), evidence,
        [=](port::Reader&, const engine::IntegrationContext&) -> Result<engine::Effect> {
          engine::Effect e;
          e.group = g;
          MemberStep step;
          step.kind = kind;
          for (const auto& u : who) step.members.push_back({g, u, false});
          e.members.push_back(step);
          return e;
        },
        [&](const Result<engine::Applied>& r) { answers += r ? 1 : 0; });
  };
  send(MemberStep::Kind::add, users);
  send(MemberStep::Kind::remove, {users[7]});
  w.run(5s);
  CHECK(answers == 2);
  CHECK_FALSE(w.subject(c, users[7]).access);
  CHECK(w.subject(c, users[6]).access);
}
