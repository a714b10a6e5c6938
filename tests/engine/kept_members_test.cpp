// Who was kept by decision and leaves with others in one large request. Found by the simulator.
#include "catch.hpp"
#include "support/fake_app.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using port::JobState;

TEST_CASE("who was kept by decision counts when a large request ends it", "[engine][R7]") {
  test::World w;
  w.options.inline_members = 2;
  for (int i = 0; i < 6; ++i) {
    const auto n = std::to_string(i);
    w.app->add("a" + n, "ext-u" + n, "u" + n);
  }
  const auto c = w.integrate("okta", R"({"entitling_groups":[{"display_name":"staff"}],"settle_ms":0,
      "guard":{"absolute":2,"percent":100,"small":{"below":0}}})");
  std::vector<ResourceId> users;
  for (int i = 0; i < 6; ++i) users.push_back(w.add_user(c, "u" + std::to_string(i)));
  const auto staff = w.add_group(c, "staff", users);
  w.run(1s);
  for (const auto& u : users) REQUIRE(w.set_active(c, u, false));
  w.run(5s);
  std::optional<port::HoldRow> hold;
  w.read([&](port::Reader& r) { hold = *r.open_hold(c->row.scope); });
  REQUIRE(hold);
  REQUIRE(hold->held == 4);
  for (std::size_t i = 2; i < 6; ++i) {
    engine::HoldDecision no;
    no.allow = false;
    no.subject = users[i];
    no.reason = "still here";
    no.until = w.clock.wall() + 24h * 30;
    engine::Principal by{w.workspace, {}, "", port::Role::owner};
    bool decided = false;
    w.engine->decide_hold(by, c->row.scope.integration, hold->id, no,
                          [&](const Result<std::uint64_t>& r) { decided = r.has_value(); });
    w.run();
    REQUIRE(decided);
  }
  w.run(25h);  // the windows are over
  const auto out = [&] {
    int n = 0;
    for (const auto& [id, account] : w.app->accounts) n += account.active == true ? 0 : 1;
    return n;
  };
  CHECK(out() == 2);
  REQUIRE(w.members(c, staff, engine::MemberStep::Kind::replace, {}));
  w.run(1min);
  CHECK(out() == 2);
  w.read([&](port::Reader& r) {
    const auto open = *r.open_hold(c->row.scope);
    REQUIRE(open);
    CHECK(open->held == 4);
  });
}

TEST_CASE("a deleted group that entitles nobody does not stand still over who was kept", "[engine][R7]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  w.app->add("a2", "ext-bob", "bob");
  const auto c = w.integrate("okta", R"({"guard":{"absolute":1,"percent":100,"small":{"below":0}}})");
  const auto ann = w.add_user(c, "ann");
  const auto bob = w.add_user(c, "bob");
  const auto staff = w.add_group(c, "staff", {ann, bob});
  w.run(1s);
  REQUIRE(w.set_active(c, ann, false));
  REQUIRE(w.set_active(c, bob, false));
  w.run(5s);
  std::optional<port::HoldRow> hold;
  w.read([&](port::Reader& r) { hold = *r.open_hold(c->row.scope); });
  REQUIRE(hold);
  engine::HoldDecision no;
  no.allow = false;
  no.subject = bob;
  no.reason = "still here";
  no.until = w.clock.wall() + 24h;
  w.engine->decide_hold({w.workspace, {}, "", port::Role::owner}, c->row.scope.integration, hold->id, no,
                        [](const Result<std::uint64_t>& r) { CHECK(r); });
  w.run();
  REQUIRE(w.remove_group(c, staff));
  w.run(1min);
  w.read([&](port::Reader& r) {
    CHECK(r.works(c->row.scope, 10)->empty());
    CHECK(r.member_count(c->row.scope, staff).value() == 0);
  });
  CHECK(w.app->accounts["a2"].active == true);  // it waits for a person again
  CHECK(w.job(c, bob).state == JobState::held);
}

TEST_CASE("who joined a hold and was kept counts again when that ends", "[engine][R7]") {
  test::World w;
  for (const char* n : {"1", "2", "3", "4"}) w.app->add(std::string("a") + n, std::string("ext-u") + n, n);
  const auto c = w.integrate("okta", R"({"guard":{"absolute":2,"percent":100,"small":{"below":0}},
      "lane":{"start_concurrency":1,"max_concurrency":1}})");
  std::vector<ResourceId> users;
  for (const char* n : {"1", "2", "3", "4"}) users.push_back(w.add_user(c, std::string("u") + n));
  w.run(1s);
  w.app->latency = 1s;
  // Two are let pass; the second has not been sent when the third opens the hold, and joins it.
  for (std::size_t i = 0; i < 3; ++i) REQUIRE(w.set_active(c, users[i], false));
  w.run(10s);
  CHECK(w.job(c, users[1]).state == JobState::held);
  CHECK(w.subject(c, users[1]).counted_at.micros == 0);
  std::optional<port::HoldRow> hold;
  w.read([&](port::Reader& r) {
    hold = *r.open_hold(c->row.scope);
    CHECK(r.reserved(c->row.scope, "worsened", w.clock.wall())->hour == 1);
  });
  REQUIRE(hold);
  for (const std::size_t i : {1U, 2U}) {
    engine::HoldDecision no;
    no.allow = false;
    no.subject = users[i];
    no.reason = "still here";
    no.until = w.clock.wall() + 10min;
    w.engine->decide_hold({w.workspace, {}, "", port::Role::owner}, c->row.scope.integration, hold->id, no,
                          [](const Result<std::uint64_t>& r) { CHECK(r); });
    w.run();
  }
  w.run(11min);  // both dates have come, and there is room for one of them
  int out = 0;
  for (const auto& [id, account] : w.app->accounts) out += account.active == true ? 0 : 1;
  CHECK(out == 2);
}
