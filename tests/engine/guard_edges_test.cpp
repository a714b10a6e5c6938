// The guard's edges: removals at half of its limits, roles that are lowered, and access that a person kept.
#include <boost/json/parse.hpp>
#include "catch.hpp"
#include "support/fake_app.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using connector::Operation;
using engine::MemberStep;
using port::HoldItemState;
using port::JobKind;
using port::JobState;

namespace {

struct Edges : test::World {
  engine::Context c;
  std::vector<ResourceId> users;
  engine::Principal owner;

  explicit Edges(std::size_t population, const std::string& policy) {
    app->offer({Operation::remove, Operation::list_entitlements, Operation::revoke_entitlement,
                Operation::grant_entitlement});
    c = integrate("okta", policy);
    owner = {workspace, {}, "tester", port::Role::owner};
    for (std::size_t i = 0; i < population; ++i) {
      const auto n = std::to_string(i);
      app->add("a" + n, "ext-u" + n, "u" + n).groups = {"app-admin"};
      users.push_back(add_user(c, "u" + n));
    }
    run(30s);
  }
  std::optional<port::HoldRow> open_hold() {
    std::optional<port::HoldRow> hold;
    read([&](port::Reader& r) { hold = r.open_hold(c->row.scope).value(); });
    return hold;
  }
  Result<std::uint64_t> decide(engine::HoldDecision what) {
    std::optional<Result<std::uint64_t>> out;
    engine->decide_hold(owner, c->row.scope.integration, open_hold()->id, std::move(what),
                        [&](Result<std::uint64_t> r) { out = std::move(r); });
    while (!out && executor->run_one()) {
    }
    return out ? *out : Result<std::uint64_t>(Error(Errc::timeout, "no answer"));
  }
  Result<std::uint64_t> allow_all() {
    constexpr std::string_view digits = "0123456789abcdef";
    engine::HoldDecision what;
    const auto hold = open_hold();
    for (const auto b : hold->listing) {
      what.listing.push_back(digits[b >> 4U]);
      what.listing.push_back(digits[b & 15U]);
    }
    return decide(what);
  }
  void keep(std::size_t user, Duration how_long) {
    engine::HoldDecision no;
    no.allow = false;
    no.subject = users[user];
    no.reason = "still here";
    no.until = clock.wall() + how_long;
    REQUIRE(decide(no));
  }
  std::size_t with_role(const std::string& role) {
    std::size_t n = 0;
    for (const auto& [id, account] : app->accounts)
      for (const auto& g : account.groups) n += g == role ? 1 : 0;
    return n;
  }
  std::size_t disabled() {
    std::size_t n = 0;
    for (const auto& [id, account] : app->accounts) n += account.active.value_or(true) ? 0 : 1;
    return n;
  }
  bool app_active(std::size_t user) { return app->accounts.at("a" + std::to_string(user)).active.value_or(true); }
  std::optional<port::DueRow> retained(std::size_t user) {
    std::optional<port::DueRow> due;
    read([&](port::Reader& r) { due = r.due(c->row.scope, users[user], "retained").value(); });
    return due;
  }
};

/// Of 20: the first ten go, the eleventh is held, and kept by decision for as long.
struct Kept : Edges {
  explicit Kept(Duration how_long = 24h * 30, const std::string& policy = R"({"guard":{}})") : Edges(20, policy) {
    for (std::size_t i = 0; i < 11; ++i) REQUIRE(set_active(c, users[i], false));
    run(5s);
    REQUIRE(open_hold());
    keep(10, how_long);
    run(5s);
    REQUIRE(app_active(10));
    REQUIRE(retained(10));
  }
};

const std::string roles = R"({"guard":{},"settle_ms":1000,"roles":[
  {"group":{"display_name":"Admins"},"entitlement":"app-admin","rank":20},
  {"group":{"display_name":"Editors"},"entitlement":"app-editor","rank":10}]})";

}  // namespace

namespace {
const std::string one_at_a_time = R"({"guard":{"absolute":1,"percent":100,"small":{"below":0}}})";
}

TEST_CASE("who lost access and has it again counts for that, though its next loss is held", "[engine][R7]") {
  Edges w(6, one_at_a_time);
  REQUIRE(w.set_active(w.c, w.users[0], false));
  w.run(5s);
  REQUIRE(w.set_active(w.c, w.users[0], true));
  w.run(5s);
  REQUIRE(w.app->count("disable a0") == 1);
  const auto set = [&](port::IntegrationState state) {
    w.engine->set_integration_state(w.owner, w.c->row.scope.integration, state,
                                    [](const Result<port::IntegrationRow>& r) { REQUIRE(r.has_value()); });
    w.run();
  };
  // The second loss waits in the lane when the hold opens, and joins it.
  set(port::IntegrationState::paused);
  REQUIRE(w.set_active(w.c, w.users[0], false));
  REQUIRE(w.set_active(w.c, w.users[1], false));
  w.run(5s);
  set(port::IntegrationState::active);
  w.run(5s);
  REQUIRE(w.open_hold());
  REQUIRE(w.open_hold()->held == 2);
  REQUIRE(w.allow_all());
  w.run(5s);
  REQUIRE(w.disabled() == 2);
  // Allowed by a person is allowed; the first loss was nobody's decision, and still counts.
  REQUIRE(w.set_active(w.c, w.users[2], false));
  w.run(5s);
  CHECK(w.disabled() == 2);
  CHECK(w.open_hold());
}

TEST_CASE("who lost access and came back does not widen the guard's limit", "[engine][R7]") {
  const bool again = GENERATE(false, true);
  CAPTURE(again);
  Edges w(12, R"({"guard":{}})");  // without a past: half of twelve
  for (std::size_t i = 0; i < 6; ++i) {
    REQUIRE(w.set_active(w.c, w.users[i], false));
    w.run(3s);
    REQUIRE(w.set_active(w.c, w.users[i], true));
    w.run(3s);
  }
  CHECK_FALSE(w.open_hold());
  if (again) {  // the same ones cost nothing
    for (std::size_t i = 0; i < 3; ++i) REQUIRE(w.set_active(w.c, w.users[i], false));
    w.run(5s);
    CHECK(w.disabled() == 3);
    CHECK_FALSE(w.open_hold());
  }
  const auto before = w.disabled();
  REQUIRE(w.set_active(w.c, w.users[6], false));
  w.run(5s);
  CHECK(w.disabled() == before);
  CHECK(w.open_hold());
}

TEST_CASE("what changes after a unit was counted is not let pass by it", "[engine][R7][R8]") {
  const auto settle = GENERATE(0, 1000);
  const bool deleted = GENERATE(false, true);
  CAPTURE(settle, deleted);
  Edges w(12, R"({"entitling_groups":[{"display_name":"a"},{"display_name":"b"}],"settle_ms":)" +
                  std::to_string(settle) + R"(,"guard":{"absolute":2,"percent":100,"small":{"below":0},
                  "group":{"percent":100}}})");
  const auto a = w.add_group(w.c, "a", w.users);
  const auto b = w.add_group(w.c, "b", w.users);
  w.run(2min);
  w.options.piece = 1;
  w.engine.reset();
  w.boot();
  w.run(5s);
  const auto judged = [&] {
    bool is = false;
    w.read([&](port::Reader& r) {
      for (const auto& work : r.works(w.c->row.scope, 5).value()) is = is || work.cursor.starts_with("!a");
    });
    return is;
  };
  // The first group goes, and nobody loses anything by that; then the second one goes, too.
  bool answered = false;
  w.engine->apply(
      w.engine->integration(w.c->row.scope.integration), {},
      [&](port::Reader& reader, const engine::IntegrationContext& i) -> Result<engine::Effect> {
        DEPROV_TRY(row, reader.resource(i.row.scope, a));
        engine::Effect e;
        e.before = row;
        e.after = std::move(row);
        if (deleted) {
          e.after->deleted = true;
        } else {
          e.after->display_name_key = "c";
          e.renamed = true;
        }
        return e;
      },
      [&](const Result<engine::Applied>& r) { answered = r.has_value(); });
  while (!judged()) REQUIRE(w.executor->run_one());
  REQUIRE(answered);
  REQUIRE(w.remove_group(w.c, b));
  w.run(1h);
  CHECK(w.disabled() <= 2);
  REQUIRE(w.open_hold());
  CHECK(w.open_hold()->held + w.disabled() == 12);
}

TEST_CASE("removals and deletions have half of the guard's limits", "[engine][R7][R3]") {
  const bool whole = GENERATE(false, true);
  CAPTURE(whole);
  Edges w(20, std::string(R"({"guard":{},"causes":{"deactivated":["disable",{"step":")") +
                  (whole ? "delete" : "remove") + R"(","after_ms":60000}]}})");
  const auto taken = [&] { return whole ? 20 - w.app->accounts.size() : 20 - w.with_role("app-admin"); };
  for (std::size_t i = 0; i < 8; ++i) REQUIRE(w.set_active(w.c, w.users[i], false));
  w.run(30s);
  CHECK(w.disabled() == 8);  // half of 20 may be disabled
  CHECK_FALSE(w.open_hold());
  w.run(1h);
  CHECK(taken() == 5);  // and half of that be removed
  const auto hold = w.open_hold();
  REQUIRE(hold);
  CHECK(hold->held == 3);
  for (std::size_t i = 0; i < 8; ++i) {
    const auto state = w.job(w.c, w.users[i]).state;
    CHECK((state == JobState::held || state == JobState::succeeded_verified));
  }
  w.run(24h * 3);  // a hold does not expire, and the window that has passed lets nobody out
  CHECK(taken() == 5);
  REQUIRE(w.allow_all());
  w.run(10min);
  CHECK(taken() == 8);
  CHECK_FALSE(w.open_hold());
}

TEST_CASE("a removal that a person let go is not held again over what its subject lost before",
          "[engine][R7][R3]") {
  Edges w(20, R"({"guard":{},"causes":{"deactivated":["disable",{"step":"remove","after_ms":60000}]}})");
  REQUIRE(w.set_active(w.c, w.users[5], false));  // comes back in the grace, and leaves again with others
  w.run(10s);
  REQUIRE(w.set_active(w.c, w.users[5], true));
  w.run(2min);
  for (std::size_t i = 0; i < 5; ++i) REQUIRE(w.set_active(w.c, w.users[i], false));
  w.run(5min);
  REQUIRE(w.with_role("app-admin") == 15);
  REQUIRE(w.set_active(w.c, w.users[5], false));
  w.run(5min);
  REQUIRE(w.open_hold());
  CHECK(w.open_hold()->held == 1);
  REQUIRE(w.allow_all());
  w.run(5min);
  CHECK_FALSE(w.open_hold());
  CHECK(w.with_role("app-admin") == 14);
  CHECK(w.job(w.c, w.users[5]).state == JobState::succeeded_verified);
}

TEST_CASE("access that comes back takes a held removal away, and the account works again", "[engine][R7][R4]") {
  Edges w(20, R"({"guard":{},"causes":{"deactivated":["disable",{"step":"delete","after_ms":60000}]}})");
  for (std::size_t i = 0; i < 6; ++i) REQUIRE(w.set_active(w.c, w.users[i], false));
  w.run(10min);
  REQUIRE(w.open_hold());
  std::size_t held = 0;
  while (held < 6 && w.job(w.c, w.users[held]).state != JobState::held) ++held;
  REQUIRE(held < 6);
  REQUIRE(w.set_active(w.c, w.users[held], true));
  w.run(10min);
  CHECK_FALSE(w.open_hold());
  CHECK(w.app_active(held));
  CHECK(w.app->accounts.size() == 15);
}

TEST_CASE("a role that is lowered counts, and waits beyond the limits", "[engine][R7][R1]") {
  Edges w(20, roles);
  const auto admins = w.add_group(w.c, "Admins", w.users);
  (void)w.add_group(w.c, "Editors", w.users);
  w.run(5s);
  for (std::size_t i = 0; i < 12; ++i) {
    REQUIRE(w.members(w.c, admins, MemberStep::Kind::remove, {w.users[i]}));
    w.run(5s);
  }
  CHECK(w.with_role("app-editor") == 10);
  CHECK(w.with_role("app-admin") == 10);
  const auto hold = w.open_hold();
  REQUIRE(hold);
  CHECK(hold->held == 2);
  for (std::size_t i = 10; i < 12; ++i)
    CHECK(w.job(w.c, w.users[i], JobKind::change_role).state == JobState::held);
  CHECK(w.disabled() == 0);
  // Whoever has access goes on having it, and what a person allows is done.
  REQUIRE(w.allow_all());
  w.run(1min);
  CHECK(w.with_role("app-editor") == 12);
  CHECK_FALSE(w.open_hold());
}

TEST_CASE("a role that is lowered and an access that ends are one subject", "[engine][R7]") {
  Edges w(20, roles);
  const auto admins = w.add_group(w.c, "Admins", w.users);
  (void)w.add_group(w.c, "Editors", w.users);
  w.run(2min);  // so that nobody comes and goes within one minute of the counters
  for (std::size_t i = 0; i < 10; ++i) {
    REQUIRE(w.members(w.c, admins, MemberStep::Kind::remove, {w.users[i]}));
    w.run(5s);
    REQUIRE(w.set_active(w.c, w.users[i], false));
    w.run(5s);
  }
  CHECK(w.disabled() == 10);
  CHECK_FALSE(w.open_hold());
  REQUIRE(w.set_active(w.c, w.users[10], false));
  w.run(5s);
  CHECK(w.disabled() == 10);
  CHECK(w.open_hold());
}

TEST_CASE("a held role leaves the hold when it is given back or everything ends", "[engine][R7][R4]") {
  const bool ends = GENERATE(false, true);
  CAPTURE(ends);
  Edges w(20, roles);
  const auto admins = w.add_group(w.c, "Admins", w.users);
  w.run(5s);
  for (std::size_t i = 0; i < 11; ++i) {
    REQUIRE(w.members(w.c, admins, MemberStep::Kind::remove, {w.users[i]}));
    w.run(5s);
  }
  REQUIRE(w.open_hold());
  if (ends) {
    std::optional<Result<JobId>> job;
    w.engine->offboard(w.owner, w.c->row.scope.integration, w.users[10], "left",
                       [&](Result<JobId> r) { job = std::move(r); });
    w.run(1min);
    REQUIRE(job);
    REQUIRE(*job);
    CHECK_FALSE(w.app_active(10));
  } else {
    REQUIRE(w.members(w.c, admins, MemberStep::Kind::add, {w.users[10]}));
    w.run(1min);
  }
  if (w.open_hold()) (void)w.allow_all();  // what was listed and has gone is nothing to be done
  w.run(1min);
  CHECK_FALSE(w.open_hold());
  CHECK(w.with_role("app-admin") == 10);
  CHECK(w.job(w.c, w.users[10], JobKind::change_role).state ==
        (ends ? JobState::superseded : JobState::succeeded_verified));
}

TEST_CASE("what a person kept ends with its date, and is held again where the guard says so", "[engine][R7]") {
  const bool full = GENERATE(false, true);
  CAPTURE(full);
  // The ten of the beginning are in the window of 24 hours at first, and not after it.
  Kept w(full ? Duration(2h) : Duration(48h));
  w.run(full ? Duration(3h) : Duration(49h));
  CHECK_FALSE(w.retained(10));
  CHECK(w.app_active(10) == full);
  CHECK(w.open_hold().has_value() == full);
  CHECK(w.job(w.c, w.users[10]).state == (full ? JobState::held : JobState::succeeded_verified));
  CHECK(w.events(w.c, "retention.ended") == 1);
  for (const auto& row : w.activity(w.c))
    if (row.event == "retention.ended") CHECK(row.actor == "rule:R7");
}

TEST_CASE("a role that a person kept is lowered when that ends, unless a group gives it again",
          "[engine][R7][R1]") {
  const bool joins = GENERATE(false, true);
  CAPTURE(joins);
  Edges w(20, roles);
  const auto admins = w.add_group(w.c, "Admins", w.users);
  (void)w.add_group(w.c, "Editors", w.users);
  w.run(5s);
  for (std::size_t i = 0; i < 11; ++i) {
    REQUIRE(w.members(w.c, admins, MemberStep::Kind::remove, {w.users[i]}));
    w.run(5s);
  }
  REQUIRE(w.open_hold());
  w.keep(10, 24h * 3);
  w.run(24h * 2);
  CHECK(w.with_role("app-admin") == 10);
  CHECK(w.retained(10));
  if (joins) REQUIRE(w.members(w.c, admins, MemberStep::Kind::add, {w.users[10]}));
  w.run(24h * 2);
  CHECK(w.with_role("app-admin") == (joins ? 10 : 9));
  CHECK(w.with_role("app-editor") == (joins ? 10 : 11));
  CHECK_FALSE(w.retained(10));
  CHECK(w.disabled() == 0);
  CHECK(w.app_active(10));
}

TEST_CASE("a role that a person kept is kept no longer once its subject leaves", "[engine][R7][R20]") {
  Edges w(20, roles);
  const auto admins = w.add_group(w.c, "Admins", w.users);
  (void)w.add_group(w.c, "Editors", w.users);
  w.run(5s);
  for (std::size_t i = 0; i < 11; ++i) {
    REQUIRE(w.members(w.c, admins, MemberStep::Kind::remove, {w.users[i]}));
    w.run(5s);
  }
  REQUIRE(w.open_hold());
  w.keep(10, 24h * 3);
  REQUIRE(w.retained(10));
  REQUIRE(w.set_active(w.c, w.users[10], false));
  CHECK_FALSE(w.retained(10));
  w.run(24h * 4);
  CHECK(w.events(w.c, "retention.ended") == 0);
  std::size_t removals = 0;
  for (const auto& j : w.jobs(w.c, w.users[10])) removals += j.kind == port::JobKind::remove_access ? 1U : 0U;
  CHECK(removals == 1);
}

TEST_CASE("what a person kept stays so while the grants stay", "[engine][R7][R13]") {
  Kept w;
  REQUIRE(w.set_active(w.c, w.users[10], false));  // said again
  REQUIRE(w.apply(w.c, [&](port::Reader& r, const engine::IntegrationContext& i) -> Result<engine::Effect> {
    engine::Effect e;
    e.before = r.resource(i.row.scope, w.users[10]).value();
    e.after = e.before;
    e.after->user_name_key = "renamed";
    e.after->document = R"({"userName":"renamed","externalId":"ext-u10"})";
    e.renamed = true;
    return e;
  }));
  w.run(25h);
  CHECK(w.retained(10));
  CHECK(w.app_active(10));
  w.crash();
  w.boot();
  w.run(24h * 28);
  CHECK(w.app_active(10));
  w.run(24h * 2);  // its date
  CHECK_FALSE(w.app_active(10));
}

TEST_CASE("access that comes back ends what a person kept, and the next loss is a new one", "[engine][R7][R4]") {
  Kept w;
  w.run(25h);
  REQUIRE(w.set_active(w.c, w.users[10], true));
  w.run(5s);
  CHECK_FALSE(w.retained(10));
  CHECK(w.subject(w.c, w.users[10]).access);
  CHECK(w.app->count("enable a10") == 0);  // nothing had been taken
  REQUIRE(w.set_active(w.c, w.users[10], false));
  w.run(5s);
  CHECK_FALSE(w.app_active(10));
}

TEST_CASE("a group that is lost ends what a person kept", "[engine][R7]") {
  Edges w(20, R"({"guard":{},"settle_ms":1000,"entitling_groups":[{"display_name":"in"}]})");
  const auto in = w.add_group(w.c, "in", w.users);
  w.run(5s);
  for (std::size_t i = 0; i < 11; ++i) {
    REQUIRE(w.set_active(w.c, w.users[i], false));
    w.run(1s);
  }
  REQUIRE(w.open_hold());
  w.keep(10, 24h * 30);
  w.run(25h);
  REQUIRE(w.app_active(10));
  REQUIRE(w.members(w.c, in, MemberStep::Kind::remove, {w.users[10]}));
  w.run(10s);
  CHECK_FALSE(w.app_active(10));
  CHECK_FALSE(w.retained(10));
}
