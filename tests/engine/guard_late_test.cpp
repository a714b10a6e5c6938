// The guard and who is found in the app only when access ends (R7, R13).
#include <algorithm>
#include "catch.hpp"
#include "support/fake_app.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using port::HoldItemState;
using port::JobState;

namespace {

/// Twenty users with accounts, and thirty that were looked up before they had any.
struct Late : test::World {
  static constexpr std::size_t known = 20;
  static constexpr std::size_t late = 30;
  engine::Context c;
  std::vector<ResourceId> users;
  engine::Principal owner;

  explicit Late(const std::string& policy = R"({"guard":{}})", bool empty_at_first = false) {
    app->offer({connector::Operation::remove});
    c = integrate("okta", policy);
    owner = {workspace, {}, "tester", port::Role::owner};
    for (std::size_t i = 0; i < known + late; ++i) {
      if (i < known && !empty_at_first) add_account(i);
      users.push_back(add_user(c, "u" + std::to_string(i)));
    }
    run(5min);  // joins and leaves of one minute are one step
    for (std::size_t i = empty_at_first ? 0 : known; i < known + late; ++i) add_account(i);
  }
  void add_account(std::size_t i) {
    const auto n = std::to_string(i);
    app->add("a" + n, "ext-u" + n, "u" + n);
  }
  std::optional<port::HoldRow> open_hold() {
    std::optional<port::HoldRow> hold;
    read([&](port::Reader& r) { hold = r.open_hold(c->row.scope).value(); });
    return hold;
  }
  std::size_t waiting() {
    const auto hold = open_hold();
    std::size_t n = 0;
    if (!hold) return n;
    read([&](port::Reader& r) {
      for (const auto& item : r.hold_items(c->row.scope, hold->id, 0, 1000).value().rows)
        n += item.state == HoldItemState::held ? 1 : 0;
    });
    return n;
  }
  void allow_one(ResourceId subject) {
    engine::HoldDecision what;
    what.subject = subject;
    what.reason = "seen";
    std::optional<Result<std::uint64_t>> out;
    engine->decide_hold(owner, c->row.scope.integration, open_hold()->id, what,
                        [&](Result<std::uint64_t> r) { out = std::move(r); });
    while (!out && executor->run_one()) {
    }
    REQUIRE(out);
    REQUIRE(*out);
  }
  std::size_t disabled() {
    std::size_t n = 0;
    for (const auto& [id, account] : app->accounts) n += account.active.value_or(true) ? 0 : 1;
    return n;
  }
};

}  // namespace

TEST_CASE("who is found in the app only when access ends counts then, and waits beyond the limits",
          "[engine][R7][R13]") {
  Late w;
  REQUIRE(w.binding(w.c, w.users.back()).state == port::BindingState::absent);
  for (std::size_t i = Late::known; i < w.users.size(); ++i) REQUIRE(w.set_active(w.c, w.users[i], false));
  w.run(60s);
  CHECK(w.disabled() == 25);  // half of fifty
  CHECK(w.waiting() == 5);
  // What follows is one too many as well, and what a person lets go counts no more.
  REQUIRE(w.set_active(w.c, w.users[0], false));
  w.run(5s);
  CHECK(w.waiting() == 6);
  w.allow_one(w.users[0]);
  for (std::size_t i = Late::known; i < w.users.size(); ++i)
    if (w.job(w.c, w.users[i]).state == JobState::held) w.allow_one(w.users[i]);
  w.run(60s);
  CHECK_FALSE(w.open_hold());
  CHECK(w.disabled() == 31);
}

TEST_CASE("who is found in the app while something is held joins the hold", "[engine][R7][R13]") {
  Late w;
  for (std::size_t i = 0; i < Late::known; ++i) REQUIRE(w.set_active(w.c, w.users[i], false));
  for (std::size_t i = 0; i < 7; ++i) REQUIRE(w.set_active(w.c, w.users[Late::known + i], false));
  w.run(60s);
  REQUIRE(w.open_hold());
  const auto waiting = w.waiting();
  const auto disabled = w.disabled();
  CHECK(waiting + disabled == 27);
  CHECK(disabled <= 25);
  REQUIRE(w.set_active(w.c, w.users[40], false));
  w.run(60s);
  CHECK(w.waiting() == waiting + 1);
  CHECK(w.disabled() == disabled);
}

TEST_CASE("a unit of whom no account was known is judged whole before any of its effects",
          "[engine][R7][R8][R13]") {
  const auto shape = GENERATE(as<std::string>(), "group deleted", "replaced by nobody", "all removed");
  const bool deferred = GENERATE(false, true);
  const auto settle = GENERATE(as<std::string>(), "0", "1000");
  CAPTURE(shape, deferred, settle);
  Late w(R"({"entitling_groups":[{"display_name":"everybody"},{"display_name":"late"}],"settle_ms":)" + settle +
         R"(,"guard":{"group":{"least":1000}}})");
  const std::vector<ResourceId> known(w.users.begin(), w.users.begin() + Late::known);
  const std::vector<ResourceId> late(w.users.begin() + Late::known, w.users.end());
  w.add_group(w.c, "everybody", known);
  const auto group = w.add_group(w.c, "late", late);
  w.run(5min);
  if (deferred) {
    w.options.inline_members = 5;
    w.options.piece = 4;
    w.engine.reset();
    w.boot();
    w.run(5s);
  }
  if (shape == "group deleted") {
    REQUIRE(w.remove_group(w.c, group));
  } else if (shape == "replaced by nobody") {
    REQUIRE(w.members(w.c, group, engine::MemberStep::Kind::replace, {}));
  } else {
    REQUIRE(w.members(w.c, group, engine::MemberStep::Kind::remove, late));
  }
  w.run(10min);
  CHECK(w.disabled() == 0);  // although 25 alone would have passed
  CHECK(w.waiting() == 30);
  for (const auto id : late) w.allow_one(id);
  w.run(60s);
  CHECK(w.disabled() == 30);
  CHECK_FALSE(w.open_hold());
}

TEST_CASE("a unit within the limits goes, also where its accounts are found late", "[engine][R7][R8][R13]") {
  Late w(R"({"entitling_groups":[{"display_name":"everybody"},{"display_name":"late"}],"settle_ms":1000,
             "guard":{"group":{"least":1000}}})");
  w.add_group(w.c, "everybody", {w.users.begin(), w.users.begin() + 25});
  const auto group = w.add_group(w.c, "late", {w.users.begin() + 25, w.users.end()});
  w.run(5min);
  REQUIRE(w.remove_group(w.c, group));
  w.run(60s);
  CHECK(w.disabled() == 25);
  CHECK_FALSE(w.open_hold());
}

TEST_CASE("who never had an account keeps no unit waiting", "[engine][R7][R8][R13]") {
  Late w(R"({"entitling_groups":[{"display_name":"everybody"},{"display_name":"late"}],"settle_ms":1000,
             "guard":{"group":{"least":1000}}})");
  for (std::size_t i = Late::known; i < w.users.size(); ++i) w.app->accounts.erase("a" + std::to_string(i));
  std::vector<ResourceId> some(w.users.begin() + 5, w.users.end());  // 15 with accounts, and 30 without
  w.add_group(w.c, "everybody", {w.users.begin(), w.users.begin() + 5});
  const auto group = w.add_group(w.c, "late", some);
  w.run(5min);
  REQUIRE(w.remove_group(w.c, group));
  w.run(10min);
  CHECK(w.disabled() == 15);
  CHECK_FALSE(w.open_hold());
  CHECK(w.job(w.c, w.users.back()).state == JobState::succeeded_no_account);
}

TEST_CASE("whose account is found while its unit settles counts, and waits with it", "[engine][R7][R13][R14]") {
  Late w(R"({"entitling_groups":[{"display_name":"late"}],"settle_ms":60000,"guard":{"group":{"least":1000}}})");
  const auto group = w.add_group(w.c, "late", {w.users.begin() + Late::known, w.users.end()});
  w.run(5min);
  const bool beyond = GENERATE(true, false);
  CAPTURE(beyond);
  std::vector<ResourceId> leave(w.users.begin() + Late::known, w.users.end());
  if (!beyond) leave.resize(10);
  REQUIRE(w.members(w.c, group, engine::MemberStep::Kind::remove, leave));
  w.run(1s);
  for (const auto id : leave) {
    const auto i = std::find(w.users.begin(), w.users.end(), id) - w.users.begin();
    std::optional<Result<void>> bound;
    w.engine->bind(w.owner, w.c->row.scope.integration, id, "a" + std::to_string(i),
                   [&](Result<void> r) { bound = std::move(r); });
    while (!bound && w.executor->run_one()) {
    }
    REQUIRE(bound);
    REQUIRE(*bound);
  }
  w.run(10min);
  CHECK(w.disabled() == (beyond ? 0 : 10));
  CHECK(w.waiting() == (beyond ? 30 : 0));
  if (beyond) return;
  // They count: of thirty fifteen are let pass.
  for (std::size_t i = 40; i < 50; ++i) REQUIRE(w.set_active(w.c, w.users[i], false));
  w.run(1min);
  std::uint64_t reserved = 0;
  w.read([&](port::Reader& r) { reserved = r.reserved(w.c->row.scope, "worsened", w.clock.wall()).value().hour; });
  CHECK(reserved == 15);
  CHECK(w.waiting() == 5);
}

TEST_CASE("what cannot be undone is counted where its account is found late, too", "[engine][R7][R13][R3]") {
  Late w(R"({"guard":{"removal_percent":100},"causes":{"deactivated":[{"step":"remove"}]}})");
  for (std::size_t i = Late::known; i < w.users.size(); ++i) REQUIRE(w.set_active(w.c, w.users[i], false));
  w.run(60s);
  CHECK(w.waiting() == 5);
}

TEST_CASE("a late find counts once, though its step is tried again", "[engine][R7][R17]") {
  Late w;
  for (int i = 0; i < 40; ++i) w.app->answer(connector::Operation::disable, connector::Outcome::unavailable);
  for (std::size_t i = 0; i < 25; ++i) REQUIRE(w.set_active(w.c, w.users[Late::known + i], false));
  w.run(12h);
  CHECK_FALSE(w.open_hold());
  CHECK(w.disabled() == 25);
}

TEST_CASE("who was looked up while the credential saw no account at all counts", "[engine][R7][R13]") {
  Late w(R"({"guard":{}})", true);
  CHECK(w.binding(w.c, w.users.back()).state == port::BindingState::unknown);
  for (const auto id : w.users) REQUIRE(w.set_active(w.c, id, false));
  w.run(60s);
  CHECK(w.disabled() <= 25);
  CHECK(w.disabled() + w.waiting() == w.users.size());
}

TEST_CASE("what an hour lets pass the day does not", "[engine][R7]") {
  Late w;
  for (std::size_t i = 0; i < 25; ++i) REQUIRE(w.set_active(w.c, w.users[i], false));
  w.run(2h);
  REQUIRE_FALSE(w.open_hold());
  REQUIRE(w.disabled() == 25);
  REQUIRE(w.set_active(w.c, w.users[25], false));
  w.run(1min);
  REQUIRE(w.open_hold());
  CHECK(w.open_hold()->reason.find("in 24 hours") != std::string::npos);
  CHECK(w.disabled() == 25);
  w.run(24h * 100);  // it does not expire
  CHECK(w.waiting() == 1);
  CHECK(w.disabled() == 25);
}

TEST_CASE("who never had an account costs one look-up on leaving", "[engine][R13]") {
  test::World w;
  w.app->add("a9", "ext-zoe", "zoe");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1min);
  const auto finds = [&] {
    return std::count_if(w.app->log.begin(), w.app->log.end(),
                         [](const auto& e) { return e.starts_with("find"); });
  };
  REQUIRE(finds() == 1);
  REQUIRE(w.set_active(c, ann, false));
  w.run(12h);
  CHECK(finds() == 2);
  CHECK(w.job(c, ann).state == JobState::succeeded_no_account);
}
