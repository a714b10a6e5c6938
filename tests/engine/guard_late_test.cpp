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
