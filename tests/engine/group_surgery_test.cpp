// What IdPs and admins do to groups: delete, empty, nest, rename, move; and whom a removal is put down to.
#include <algorithm>
#include <deprov/scim/fold.hpp>
#include <functional>
#include <utility>
#include "catch.hpp"
#include "support/fake_app.hpp"
#include "support/faulty_store.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using engine::MemberStep;
using port::JobState;

namespace {

constexpr auto settled = 61s;
const std::string two_groups =
    R"({"entitling_groups":[{"display_name":"App Users"},{"display_name":"App Guests"}],"settle_ms":60000})";

struct Groups {
  explicit Groups(const std::string& policy = two_groups) {
    w.app->add("a1", "ext-ann", "ann");
    w.app->add("a2", "ext-bob", "bob");
    c = w.integrate("entra", policy);
    ann = w.add_user(c, "ann");
    bob = w.add_user(c, "bob");
    w.run(5s);
  }
  ResourceId group(const std::string& name, const std::vector<ResourceId>& who = {}) {
    const auto id = w.add_group(c, name, who);
    w.run(1s);
    return id;
  }
  void join(ResourceId group, ResourceId who, bool nested = false) {
    REQUIRE(w.members(c, group, MemberStep::Kind::add, {who}, nested));
    w.run(1s);
  }
  void leave(ResourceId group, ResourceId who, bool nested = false) {
    REQUIRE(w.members(c, group, MemberStep::Kind::remove, {who}, nested));
    w.run(1s);
  }
  void rename(ResourceId group, const std::string& name) {
    REQUIRE(w.apply(c, [&](port::Reader& reader, const engine::IntegrationContext& i) -> Result<engine::Effect> {
      DEPROV_TRY(row, reader.resource(i.row.scope, group));
      engine::Effect e;
      e.before = row;
      e.after = std::move(row);
      e.after->display_name_key = scim::fold(name);
      e.after->document = R"({"displayName":")" + name + R"("})";
      e.renamed = true;
      return e;
    }));
    w.run(1s);
  }
  [[nodiscard]] bool in(ResourceId who, const std::string& account) {
    const bool access = w.subject(c, who).access;
    CHECK(w.app->accounts.at(account).active == access);
    return access;
  }
  [[nodiscard]] bool ann_in() { return in(ann, "a1"); }
  [[nodiscard]] bool bob_in() { return in(bob, "a2"); }

  test::World w;
  engine::Context c;
  ResourceId ann, bob;
};

}  // namespace

TEST_CASE("the same person through several groups and directly keeps access until the last is gone",
          "[engine][R1]") {
  // In every order of three ways in.
  std::vector<int> order{0, 1, 2};
  do {
    CAPTURE(order);
    Groups t;
    const auto team = t.group("Team", {t.ann});
    const auto users = t.group("App Users", {t.ann});
    const auto guests = t.group("App Guests", {t.ann});
    t.join(users, team, true);
    const std::function<void()> ways[] = {[&] { t.leave(users, t.ann); }, [&] { t.leave(guests, t.ann); },
                                          [&] { t.leave(team, t.ann); }};
    const ResourceId groups[] = {users, guests, team};
    for (std::size_t i = 0; i < order.size(); ++i) {
      CHECK(t.ann_in());
      ways[order[i]]();
      t.w.run(settled);
    }
    CHECK_FALSE(t.ann_in());
    CHECK(t.w.job(t.c, t.ann).via_group == groups[order.back()]);
    CHECK(t.w.job(t.c, t.ann).cause == idp::Cause::lost_entitling_group);
    CHECK(t.w.app->count("disable a1") == 1);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("a group that is emptied ends the access of its members alone", "[engine][R1][R8]") {
  Groups t;
  const auto users = t.group("App Users", {t.ann, t.bob});
  (void)t.group("App Guests", {t.bob});
  REQUIRE(t.w.members(t.c, users, MemberStep::Kind::replace, {}));
  t.w.run(settled);
  CHECK_FALSE(t.ann_in());
  CHECK(t.bob_in());
}

TEST_CASE("an entitling group that is renamed entitles no more, and one that gets its name does",
          "[engine][R1][R14]") {
  Groups t;
  const auto users = t.group("App Users", {t.ann});
  const auto others = t.group("Others", {t.bob});
  CHECK(t.ann_in());
  CHECK_FALSE(t.w.subject(t.c, t.bob).access);
  t.rename(users, "Old Users");
  CHECK(t.ann_in());  // it may still be made good
  t.rename(others, "App Users");
  CHECK(t.w.subject(t.c, t.bob).access);
  t.w.run(settled);
  CHECK_FALSE(t.ann_in());
  CHECK(t.bob_in());
}

TEST_CASE("a group that is renamed and back within the window removes nobody", "[engine][R1][R14]") {
  Groups t;
  const auto users = t.group("App Users", {t.ann});
  t.rename(users, "Oops");
  t.w.run(20s);
  t.rename(users, "App Users");
  t.w.run(settled * 3);
  CHECK(t.ann_in());
  CHECK(t.w.app->count("disable a1") == 0);
}

TEST_CASE("a group that is moved from one entitling group to another removes nobody", "[engine][R1][R14]") {
  Groups t;
  const auto team = t.group("Team", {t.ann});
  const auto users = t.group("App Users");
  const auto guests = t.group("App Guests");
  t.join(users, team, true);
  t.leave(users, team, true);
  t.w.run(20s);
  t.join(guests, team, true);
  t.w.run(settled * 3);
  CHECK(t.ann_in());
  CHECK(t.w.app->count("disable a1") == 0);
}

TEST_CASE("what follows within the settle window does not extend it", "[engine][R14]") {
  Groups t;
  const auto users = t.group("App Users", {t.ann});
  const auto guests = t.group("App Guests");
  const auto begun = t.w.clock.mono();
  t.leave(users, t.ann);
  t.w.run(20s);
  t.join(guests, t.ann);  // it may still be made good
  t.w.run(20s);
  t.leave(guests, t.ann);  // and is not
  t.w.run(begun + 59s - t.w.clock.mono());
  CHECK(t.ann_in());
  t.w.run(2s);
  CHECK_FALSE(t.ann_in());
}

TEST_CASE("what settles neither ends a restore nor a removal before it is decided", "[engine][R4][R14]") {
  Groups g;
  const auto users = g.group("App Users", {g.ann});
  g.leave(users, g.ann);
  g.w.run(settled);
  REQUIRE_FALSE(g.ann_in());
  const auto outcome = GENERATE(connector::Outcome::unavailable, connector::Outcome::unknown_outcome);
  CAPTURE(connector::to_string(outcome));
  // Back, gone and back again, and the enable has not come through yet.
  g.w.app->answer(connector::Operation::enable, outcome);
  REQUIRE(g.w.members(g.c, users, MemberStep::Kind::add, {g.ann}));
  g.w.run(100ms);
  REQUIRE(g.w.members(g.c, users, MemberStep::Kind::remove, {g.ann}));
  g.w.run(20s);
  CHECK(g.w.app->accounts.at("a1").active == false);  // who has no access is not let in on the chance
  REQUIRE(g.w.members(g.c, users, MemberStep::Kind::add, {g.ann}));
  g.w.run(settled + 10s);
  CHECK(g.ann_in());
  CHECK(g.w.job(g.c, g.ann, port::JobKind::restore_access).state == JobState::succeeded_verified);
  // And where it stays gone, it was never in.
  REQUIRE(g.w.members(g.c, users, MemberStep::Kind::remove, {g.ann}));
  g.w.run(settled + 10s);
  REQUIRE_FALSE(g.ann_in());
  g.w.app->answer(connector::Operation::enable, connector::Outcome::unavailable);
  REQUIRE(g.w.members(g.c, users, MemberStep::Kind::add, {g.ann}));
  g.w.run(100ms);
  const auto asked = g.w.app->count("enable a1");
  REQUIRE(g.w.members(g.c, users, MemberStep::Kind::remove, {g.ann}));
  g.w.run(2 * settled);
  CHECK_FALSE(g.ann_in());
  CHECK(g.w.app->count("enable a1") == asked);
}

TEST_CASE("a grant that is there and gone before it was worked off takes no removal away", "[engine][R1][R5]") {
  auto faults = std::make_shared<test::StoreFaults>();
  test::World w(1, test::faulty(faults));
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("entra", R"({"entitling_groups":[{"display_name":"App Users"}],"settle_ms":0})");
  const auto ann = w.add_user(c, "ann");
  w.run(5s);
  const auto users = w.add_group(c, "App Users", {ann});
  const auto team = w.add_group(c, "Team", {ann});
  w.run(5s);
  // The app is busy with the removal when the team becomes part of the group, and no more.
  w.app->answer(connector::Operation::disable, connector::Outcome::unavailable);
  REQUIRE(w.members(c, users, MemberStep::Kind::remove, {ann}));
  w.run(100ms);
  REQUIRE(w.app->accounts.at("a1").active == true);
  bool expanding = false;
  faults->on_commit = [&](const port::Transaction& txn) -> std::optional<Error> {
    for (const auto& op : txn.ops) expanding = expanding || std::holds_alternative<port::op::RemoveWork>(op);
    return expanding ? std::optional(Error(Errc::unavailable, "not now")) : std::nullopt;
  };
  REQUIRE(w.members(c, users, MemberStep::Kind::add, {team}, true));
  w.run(30s);  // the removal is tried again, and the team is not worked off yet
  REQUIRE(expanding);
  faults->on_commit = {};
  REQUIRE(w.members(c, users, MemberStep::Kind::remove, {team}, true));
  w.run(2min);
  CHECK_FALSE(w.subject(c, ann).access);
  CHECK(w.app->accounts.at("a1").active == false);
}

TEST_CASE("a group inside an entitling one that is deleted or emptied takes its members' access", "[engine][R1]") {
  const bool deleted = GENERATE(true, false);
  Groups t;
  const auto inner = t.group("Inner", {t.ann});
  const auto team = t.group("Team");
  const auto users = t.group("App Users", {t.bob});
  t.join(team, inner, true);
  t.join(users, team, true);
  CHECK(t.ann_in());
  if (deleted) {
    REQUIRE(t.w.remove_group(t.c, inner));
  } else {
    REQUIRE(t.w.members(t.c, inner, MemberStep::Kind::replace, {}));
  }
  t.w.run(settled + 10s);
  CHECK_FALSE(t.ann_in());
  CHECK(t.bob_in());
}

TEST_CASE("the group in the middle of a chain that is deleted takes everybody's access below it", "[engine][R1]") {
  Groups t;
  const auto inner = t.group("Inner", {t.ann});
  const auto middle = t.group("Middle", {t.bob});
  const auto users = t.group("App Users");
  t.join(middle, inner, true);
  t.join(users, middle, true);
  CHECK(t.ann_in());
  CHECK(t.bob_in());
  REQUIRE(t.w.remove_group(t.c, middle));
  t.w.run(settled + 10s);
  CHECK_FALSE(t.ann_in());
  CHECK_FALSE(t.bob_in());
}

TEST_CASE("a deleted entitling group that is made again under its name gives access back", "[engine][R1][R4]") {
  Groups t;
  const auto users = t.group("App Users", {t.ann});
  REQUIRE(t.w.remove_group(t.c, users));
  t.w.run(settled + 10s);
  CHECK_FALSE(t.ann_in());
  (void)t.group("App Users", {t.ann});
  t.w.run(10s);
  CHECK(t.ann_in());
  CHECK(t.w.app->count("enable a1") == 1);
}

TEST_CASE("deactivation and the group's end are one removal through the group, in either order", "[engine][R2]") {
  for (const bool entitling : {true, false}) {
    for (const bool group_first : {true, false}) {
      for (const bool deletes : {true, false}) {
        CAPTURE(entitling, group_first, deletes);
        Groups t(entitling ? two_groups : std::string("{}"));
        const auto users = t.group("App Users", {t.ann});
        const auto end_group = [&] {
          if (deletes) {
            REQUIRE(t.w.remove_group(t.c, users));
          } else {
            t.leave(users, t.ann);
          }
        };
        if (group_first) end_group();
        if (group_first) t.w.run(10s);
        REQUIRE(t.w.set_active(t.c, t.ann, false));
        t.w.run(10s);
        if (!group_first) end_group();
        t.w.run(settled * 3);
        CHECK_FALSE(t.ann_in());
        const auto s = t.w.subject(t.c, t.ann);
        CHECK(s.via_group == users);
        CHECK(s.via_inferred);
        CHECK(s.cause == idp::Cause::deactivated);
        CHECK(t.w.app->count("disable a1") == 1);
        CHECK(t.w.events(t.c, "removal.requested") == 1);
        CHECK(t.w.events(t.c, "removal.refined") == (group_first ? 0U : 1U));
      }
    }
  }
}

TEST_CASE("what lies further apart than the window is not put down to the group", "[engine][R2]") {
  const bool group_first = GENERATE(true, false);
  CAPTURE(group_first);
  Groups t("{}");
  const auto users = t.group("Sales", {t.ann});
  if (group_first) {
    t.leave(users, t.ann);
    t.w.run(2min);
  }
  REQUIRE(t.w.set_active(t.c, t.ann, false));
  if (!group_first) {
    t.w.run(2min);
    t.leave(users, t.ann);
  }
  t.w.run(5min);
  CHECK(t.w.subject(t.c, t.ann).via_group.is_nil());
  CHECK(t.w.job(t.c, t.ann).via_group.is_nil());
  CHECK(t.w.events(t.c, "removal.refined") == 0);
}
