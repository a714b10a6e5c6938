// The guard from the IdP's request to the app (R7, R8, R13).
#include <algorithm>
#include <cstdlib>
#include <deprov/store/sqlite_store.hpp>
#include <filesystem>
#include <stdexcept>
#include "catch.hpp"
#include "support/fake_app.hpp"
#include "support/faulty_store.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using engine::MemberStep;
using port::HoldItemState;
using port::JobState;

namespace {

/// Users with accounts, all looked up, and the engine's answers about holds.
struct Guarded : test::World {
  engine::Context c;
  std::vector<ResourceId> users;
  engine::Principal owner;

  explicit Guarded(std::size_t population, const std::string& policy = R"({"guard":{}})",
                   const StoreMaker& make_store = {})
      : World(1, make_store) {
    c = integrate("okta", policy);
    owner = {workspace, {}, "tester", port::Role::owner};
    for (std::size_t i = 0; i < population; ++i) {
      const auto n = std::to_string(i);
      app->add("a" + n, "ext-u" + n, "u" + n);
      users.push_back(add_user(c, "u" + n));
    }
    run(30s);
  }
  std::optional<port::HoldRow> open_hold() {
    std::optional<port::HoldRow> hold;
    read([&](port::Reader& r) { hold = r.open_hold(c->row.scope).value(); });
    return hold;
  }
  std::vector<port::HoldItemRow> items(HoldId hold) {
    std::vector<port::HoldItemRow> rows;
    read([&](port::Reader& r) { rows = r.hold_items(c->row.scope, hold, 0, 10'000).value().rows; });
    return rows;
  }
  std::size_t in_state(HoldId hold, HoldItemState state) {
    std::size_t n = 0;
    for (const auto& row : items(hold)) n += row.state == state ? 1 : 0;
    return n;
  }
  Result<std::uint64_t> decide(HoldId hold, engine::HoldDecision what) {
    std::optional<Result<std::uint64_t>> out;
    engine->decide_hold(owner, c->row.scope.integration, hold, std::move(what),
                        [&](Result<std::uint64_t> r) { out = std::move(r); });
    while (!out && executor->run_one()) {
    }
    return out ? *out : Result<std::uint64_t>(Error(Errc::timeout, "no answer"));
  }
  Result<std::uint64_t> allow(HoldId hold, const port::Sha256& listing) {
    engine::HoldDecision what;
    constexpr std::string_view digits = "0123456789abcdef";
    for (const auto b : listing) {
      what.listing.push_back(digits[b >> 4U]);
      what.listing.push_back(digits[b & 15U]);
    }
    return decide(hold, what);
  }
  std::size_t disabled() {
    std::size_t n = 0;
    for (const auto& [id, account] : app->accounts) n += account.active.value_or(true) ? 0 : 1;
    return n;
  }
  bool app_active(std::size_t user) { return app->accounts.at("a" + std::to_string(user)).active.value_or(true); }
};

}  // namespace

TEST_CASE("a stream does not wait until the limit, then everything waits", "[engine][R7]") {
  Guarded w(20);  // half of 20
  for (std::size_t i = 0; i < 10; ++i) {
    REQUIRE(w.set_active(w.c, w.users[i], false));
    w.run(1s);
  }
  CHECK(w.disabled() == 10);
  CHECK_FALSE(w.open_hold());
  // Stored and answered all the same: only the effect is held.
  REQUIRE(w.set_active(w.c, w.users[10], false));
  w.run(5s);
  CHECK(w.disabled() == 10);
  CHECK_FALSE(w.subject(w.c, w.users[10]).access);
  CHECK(w.job(w.c, w.users[10]).state == JobState::held);
  const auto hold = w.open_hold();
  REQUIRE(hold);
  CHECK(hold->held == 1);
  CHECK(w.in_state(hold->id, HoldItemState::sent) == 10);
  // Repeats change nothing, and all that follow wait too.
  REQUIRE(w.set_active(w.c, w.users[10], false));
  REQUIRE(w.set_active(w.c, w.users[11], false));
  w.run(24h * 3);
  CHECK(w.open_hold()->held == 2);
  CHECK(w.disabled() == 10);
}

TEST_CASE("allow releases exactly the listing that was seen", "[engine][R7]") {
  Guarded w(20);
  for (std::size_t i = 0; i < 12; ++i) REQUIRE(w.set_active(w.c, w.users[i], false));
  w.run(5s);
  const auto seen = *w.open_hold();
  CHECK(seen.held == 2);
  REQUIRE(w.set_active(w.c, w.users[12], false));  // arrives later
  w.run(1s);
  CHECK(w.allow(seen.id, port::Sha256{}).error().code() == Errc::conflict);
  const auto decided = w.allow(seen.id, seen.listing);
  REQUIRE(decided);
  CHECK(*decided == 2);
  w.run(5s);
  CHECK_FALSE(w.app_active(10));
  CHECK_FALSE(w.app_active(11));
  CHECK(w.app_active(12));
  CHECK(w.job(w.c, w.users[10]).state == JobState::succeeded_verified);
  CHECK(w.open_hold()->held == 1);
  CHECK(w.allow(seen.id, seen.listing).error().code() == Errc::conflict);
  // One subject alone.
  engine::HoldDecision one;
  one.subject = w.users[12];
  REQUIRE(w.decide(seen.id, one));
  w.run(5s);
  CHECK_FALSE(w.app_active(12));
  CHECK_FALSE(w.open_hold());
  CHECK(w.events(w.c, "hold.allowed") == 2);
}

TEST_CASE("a re-grant leaves the hold", "[engine][R7][R4]") {
  Guarded w(20);
  for (std::size_t i = 0; i < 12; ++i) REQUIRE(w.set_active(w.c, w.users[i], false));
  w.run(5s);
  const auto hold = *w.open_hold();
  REQUIRE(w.set_active(w.c, w.users[10], true));
  w.run(5s);
  CHECK(w.open_hold()->held == 1);
  CHECK(w.in_state(hold.id, HoldItemState::left) == 1);
  // The listing still names what was seen; who left is not touched.
  REQUIRE(w.allow(hold.id, hold.listing));
  w.run(5s);
  CHECK(w.app_active(10));
  CHECK_FALSE(w.app_active(11));
  CHECK_FALSE(w.open_hold());
}

TEST_CASE("a re-grant that meets a person's decision is answered all the same", "[engine][R7][R4]") {
  auto faults = std::make_shared<test::StoreFaults>();
  test::FaultyStore* store = nullptr;
  Guarded w(20, R"({"guard":{}})", test::faulty(faults, &store));
  for (std::size_t i = 0; i < 11; ++i) REQUIRE(w.set_active(w.c, w.users[i], false));
  w.run(5s);
  REQUIRE(w.open_hold()->held == 1);
  bool met = false;
  faults->on_commit = [&](const port::Transaction& txn) -> std::optional<Error> {
    const auto leaves = [](const port::Op& op) { return std::holds_alternative<port::op::PutHoldItem>(op); };
    if (met || std::none_of(txn.ops.begin(), txn.ops.end(), leaves)) return std::nullopt;
    met = true;  // the person was faster
    port::Transaction allows;
    allows.id = w.random.id<TxnId>(w.clock.wall());
    store->inner().view(
        [&](port::Reader& r) -> Result<void> {
          auto item = r.hold_item_of(w.c->row.scope, w.users[10]).value().value();
          auto job = r.job(w.c->row.scope, item.job).value().value();
          item.state = HoldItemState::allowed;
          item.decided = w.clock.wall();
          job.state = JobState::ready;
          allows.ops.emplace_back(port::op::PutJob{std::move(job), std::nullopt});
          allows.ops.emplace_back(port::op::PutHoldItem{std::move(item)});
          return {};
        },
        [](const Result<void>& read) { REQUIRE(read.has_value()); });
    store->inner().commit(std::move(allows), [](const Result<port::Committed>& r) { REQUIRE(r.has_value()); });
    return std::nullopt;
  };
  CHECK(w.set_active(w.c, w.users[10], true));
  CHECK(met);
  w.run(5s);
  CHECK(w.subject(w.c, w.users[10]).access);
  CHECK(w.app_active(10));
  CHECK_FALSE(w.open_hold());
}

TEST_CASE("reject keeps access until its date", "[engine][R7]") {
  Guarded w(20);
  for (std::size_t i = 0; i < 11; ++i) REQUIRE(w.set_active(w.c, w.users[i], false));
  w.run(5s);
  const auto hold = *w.open_hold();
  engine::HoldDecision no;
  no.allow = false;
  no.subject = w.users[10];
  no.until = w.clock.wall() + 72h;
  for (const auto* none : {"", " \t "}) {  // a reason is needed
    no.reason = none;
    CHECK(w.decide(hold.id, no).error().code() == Errc::invalid_argument);
  }
  no.reason = "works until Friday";
  auto endless = no;
  endless.until = w.clock.wall() + 24h * 400;
  CHECK(w.decide(hold.id, endless).error().code() == Errc::invalid_argument);
  REQUIRE(w.decide(hold.id, no));
  CHECK_FALSE(w.open_hold());
  w.run(71h);
  CHECK(w.app_active(10));
  w.run(2h);
  CHECK_FALSE(w.app_active(10));
  CHECK(w.job(w.c, w.users[10]).state == JobState::succeeded_verified);
}

TEST_CASE("what a person kept ends with the next change of the grants", "[engine][R7]") {
  Guarded w(20);
  for (std::size_t i = 0; i < 11; ++i) REQUIRE(w.set_active(w.c, w.users[i], false));
  w.run(5s);
  engine::HoldDecision no;
  no.allow = false;
  no.subject = w.users[10];
  no.reason = "still here";
  no.until = w.clock.wall() + 24h * 30;
  REQUIRE(w.decide(w.open_hold()->id, no));
  w.run(25h);  // the window is over
  CHECK(w.app_active(10));
  REQUIRE(w.remove_user(w.c, w.users[10]));
  w.run(5s);
  CHECK_FALSE(w.app_active(10));
}

TEST_CASE("what the window planned and did not send yet joins the hold", "[engine][R7]") {
  Guarded w(20);
  w.app->silent = true;  // the first calls leave and are never answered
  for (std::size_t i = 0; i < 11; ++i) REQUIRE(w.set_active(w.c, w.users[i], false));
  w.run(1s);
  const auto hold = w.open_hold();
  REQUIRE(hold);
  const auto sent = w.in_state(hold->id, HoldItemState::sent);
  const auto held = w.in_state(hold->id, HoldItemState::held);
  CHECK(sent >= 1);  // as many as the lane lets out at once
  CHECK(held >= 5);
  CHECK(sent + held == 11);
  std::size_t calls = 0;
  for (const auto& line : w.app->log) calls += line.starts_with("disable") ? 1 : 0;
  CHECK(calls <= sent);
}

TEST_CASE("each subject counts once", "[engine][R7]") {
  Guarded w(20);
  for (int round = 0; round < 15; ++round) {
    REQUIRE(w.set_active(w.c, w.users[0], false));
    w.run(5s);
    REQUIRE(w.set_active(w.c, w.users[0], true));
    w.run(5s);
  }
  CHECK_FALSE(w.open_hold());
  for (std::size_t i = 1; i < 10; ++i) REQUIRE(w.set_active(w.c, w.users[i], false));
  w.run(5s);
  CHECK_FALSE(w.open_hold());
  REQUIRE(w.set_active(w.c, w.users[10], false));
  w.run(5s);
  CHECK(w.open_hold());
}

TEST_CASE("who never had an account does not count", "[engine][R7][R13]") {
  Guarded w(20);
  std::vector<ResourceId> nobodies;
  for (int i = 0; i < 30; ++i) nobodies.push_back(w.add_user(w.c, "nobody" + std::to_string(i)));
  w.run(30s);
  for (const auto id : nobodies) REQUIRE(w.set_active(w.c, id, false));
  w.run(5s);
  CHECK_FALSE(w.open_hold());
  REQUIRE(w.set_active(w.c, w.users[0], false));
  w.run(5s);
  CHECK_FALSE(w.app_active(0));
}

TEST_CASE("mass shapes are judged whole before any of their effects", "[engine][R7][R8]") {
  const auto shape = GENERATE(as<std::string>(), "group deleted", "replaced by nobody", "all removed");
  const bool deferred = GENERATE(false, true);
  CAPTURE(shape, deferred);
  Guarded w(30, R"({"entitling_groups":[{"display_name":"everybody"}],"settle_ms":1000,"guard":{}})");
  const auto group = w.add_group(w.c, "everybody", w.users);
  w.run(5s);
  if (deferred) {  // beyond what one transaction takes
    w.options.inline_members = 5;
    w.options.piece = 4;
    w.engine.reset();
    w.boot();
    w.run(5s);
  }
  if (shape == "group deleted") {
    REQUIRE(w.remove_group(w.c, group));
  } else if (shape == "replaced by nobody") {
    REQUIRE(w.members(w.c, group, MemberStep::Kind::replace, {}));
  } else {
    REQUIRE(w.members(w.c, group, MemberStep::Kind::remove, w.users));
  }
  w.run(60s);
  // 30 of 30: nobody is disabled, although 15 alone would have passed.
  CHECK(w.disabled() == 0);
  const auto hold = w.open_hold();
  REQUIRE(hold);
  CHECK(hold->held == 30);
  REQUIRE(w.allow(hold->id, w.items(hold->id).back().listing));
  w.run(60s);
  CHECK(w.disabled() == 30);
  CHECK_FALSE(w.open_hold());
}

TEST_CASE("what was sent for an earlier intent hides nothing of what waits", "[engine][R7][R4]") {
  Guarded w(20, R"({"entitling_groups":[{"display_name":"everybody"}],"settle_ms":0,"guard":{}})");
  const auto group = w.add_group(w.c, "everybody", w.users);
  w.run(5s);
  for (std::size_t i = 0; i < 2; ++i) {  // they left, and are back
    REQUIRE(w.set_active(w.c, w.users[i], false));
    w.run(5s);
    REQUIRE_FALSE(w.app_active(i));
    REQUIRE(w.set_active(w.c, w.users[i], true));
    w.run(5s);
    REQUIRE(w.app_active(i));
  }
  REQUIRE(w.members(w.c, group, MemberStep::Kind::remove, w.users));
  w.run(5s);
  const auto hold = w.open_hold();
  REQUIRE(hold);
  CHECK(hold->held == 20);
  // One of them is let go, the other one comes back.
  engine::HoldDecision what;
  what.subject = w.users[0];
  what.reason = "seen";
  const auto allowed = w.decide(hold->id, what);
  INFO((allowed ? std::string("allowed") : allowed.error().message()));
  CHECK((allowed && *allowed == 1));
  REQUIRE(w.members(w.c, group, MemberStep::Kind::add, {w.users[1]}));
  w.run(5s);
  CHECK_FALSE(w.app_active(0));
  CHECK(w.disabled() == 1);
  CHECK(w.open_hold()->held == 18);
}

TEST_CASE("a unit within the limits goes, and a move within the settle window costs nothing",
          "[engine][R7][R14]") {
  Guarded w(30, R"({"entitling_groups":[{"display_name":"a"},{"display_name":"b"}],"settle_ms":1000,"guard":{}})");
  const auto a = w.add_group(w.c, "a", w.users);
  const auto b = w.add_group(w.c, "b");
  w.run(5s);
  const std::vector<ResourceId> some(w.users.begin(), w.users.begin() + 9);
  for (int round = 0; round < 6; ++round) {  // 54 together, were they counted
    const auto& from = round % 2 == 0 ? a : b;
    const auto& to = round % 2 == 0 ? b : a;
    REQUIRE(w.members(w.c, from, MemberStep::Kind::remove, some));
    REQUIRE(w.members(w.c, to, MemberStep::Kind::add, some));
    w.run(10s);
  }
  CHECK(w.disabled() == 0);
  CHECK_FALSE(w.open_hold());
  REQUIRE(w.members(w.c, a, MemberStep::Kind::remove, some));
  w.run(30s);
  CHECK(w.disabled() == 9);
  CHECK_FALSE(w.open_hold());
}

TEST_CASE("who was counted and has access until it has settled widens no limit", "[engine][R7][R14]") {
  const bool deferred = GENERATE(false, true);
  CAPTURE(deferred);
  Guarded w(10, R"({"entitling_groups":[{"display_name":"a"}],"settle_ms":60000,"guard":{}})");
  const auto a = w.add_group(w.c, "a", w.users);
  w.run(5s);
  // Of ten, and without a past: five may go, and these are they.
  const std::vector<ResourceId> some(w.users.begin(), w.users.begin() + 5);
  if (deferred) {
    w.options.inline_members = 2;
    w.options.piece = 2;
    w.engine.reset();
    w.boot();
    w.run(5s);
  }
  REQUIRE(w.members(w.c, a, MemberStep::Kind::remove, some));
  w.run(10s);
  CHECK(w.disabled() == 0);
  REQUIRE(w.set_active(w.c, w.users[5], false));
  w.run(10s);
  CHECK(w.disabled() == 0);
  REQUIRE(w.open_hold());
  CHECK(w.open_hold()->held == 1);
}

TEST_CASE("more than half of a group waits, where it is at least ten", "[engine][R7]") {
  Guarded w(
      120, R"({"entitling_groups":[{"display_name":"all"},{"display_name":"team"}],"settle_ms":1000,"guard":{}})");
  std::vector<ResourceId> team(w.users.begin(), w.users.begin() + 16);
  const std::vector<ResourceId> rest(w.users.begin() + 16, w.users.end());
  (void)w.add_group(w.c, "all", rest);
  const auto group = w.add_group(w.c, "team", team);
  w.run(5s);
  // 10 of 16, and far below 20 percent of 120.
  team.resize(10);
  REQUIRE(w.members(w.c, group, MemberStep::Kind::remove, team));
  w.run(30s);
  CHECK(w.disabled() == 0);
  REQUIRE(w.open_hold());
  CHECK(w.open_hold()->held == 10);
}

TEST_CASE("what a person decides about one subject does not wait", "[engine][R7]") {
  Guarded w(20);
  for (std::size_t i = 0; i < 11; ++i) REQUIRE(w.set_active(w.c, w.users[i], false));
  w.run(5s);
  REQUIRE(w.open_hold());
  std::optional<Result<JobId>> job;
  w.engine->offboard(w.owner, w.c->row.scope.integration, w.users[15], "left for a competitor",
                     [&](Result<JobId> r) { job = std::move(r); });
  w.run(5s);
  REQUIRE(job);
  REQUIRE(*job);
  CHECK_FALSE(w.app_active(15));
  // A held job is decided through its hold, not by a retry.
  std::optional<Result<JobId>> again;
  w.engine->retry_job(w.owner, w.c->row.scope.integration, w.job(w.c, w.users[10]).id,
                      [&](Result<JobId> r) { again = std::move(r); });
  w.run(1s);
  REQUIRE(again);
  REQUIRE_FALSE(*again);
  CHECK(again->error().code() == Errc::conflict);
  CHECK(w.app_active(10));
}

TEST_CASE("a hold outlives a crash", "[engine][R7]") {
  Guarded w(20);
  for (std::size_t i = 0; i < 12; ++i) REQUIRE(w.set_active(w.c, w.users[i], false));
  w.run(5s);
  const auto hold = *w.open_hold();
  w.crash();
  w.boot();
  w.run(60s);
  CHECK(w.disabled() == 10);
  CHECK(w.open_hold()->held == 2);
  REQUIRE(w.allow(hold.id, w.open_hold()->listing));
  w.run(60s);
  CHECK(w.disabled() == 12);
}

TEST_CASE("only who manages integrations decides a hold", "[engine][R7][R21]") {
  Guarded w(20);
  for (std::size_t i = 0; i < 11; ++i) REQUIRE(w.set_active(w.c, w.users[i], false));
  w.run(5s);
  const auto hold = *w.open_hold();
  w.owner.role = port::Role::member;
  CHECK(w.allow(hold.id, hold.listing).error().code() == Errc::forbidden);
  w.owner.role = port::Role::admin;
  w.owner.workspace = w.random.id<WorkspaceId>(w.clock.wall());
  CHECK(w.allow(hold.id, hold.listing).error().code() == Errc::not_found);
  CHECK(w.open_hold()->held == 1);
}

namespace {
struct Scratch {
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "deprov-guard-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path = pattern;
  }
  ~Scratch() { std::filesystem::remove_all(path); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string path;
};
}  // namespace

TEST_CASE("64 requests at the guard's limit never pass it", "[engine][R7]") {
  const bool sqlite = GENERATE(false, true);
  CAPTURE(sqlite);
  const Scratch scratch;
  test::World::StoreMaker maker;
  if (sqlite) {
    maker = [&](const port::Crypto& crypto, port::Executor& executor) {
      store::SqliteStoreOptions o;
      o.directory = scratch.path;
      o.executor = &executor;
      auto made = store::open_sqlite_store(crypto, o);
      if (!made) throw std::runtime_error(made.error().message());
      return std::move(*made);
    };
  }
  constexpr std::size_t limit = 40;  // half of 80
  Guarded w(80, R"({"guard":{}})", maker);
  std::size_t answered = 0;
  for (std::size_t i = 0; i < 64; ++i) {
    w.engine->apply(
        w.c, {"idp:okta", "scim", "r", "PATCH", {}, w.clock.wall()},
        [id = w.users[i]](port::Reader& reader, const engine::IntegrationContext& c) -> Result<engine::Effect> {
          DEPROV_TRY(row, reader.resource(c.row.scope, id));
          engine::Effect e;
          e.before = row;
          e.after = std::move(row);
          e.after->active = false;
          e.keys_changed = false;
          return e;
        },
        [&](const Result<engine::Applied>& r) { answered += r ? 1 : 0; });
  }
  w.run(60s);
  CHECK(answered == 64);  // each is stored and answered
  CHECK(w.disabled() <= limit);
  const auto hold = w.open_hold();
  REQUIRE(hold);
  CHECK(hold->held + w.disabled() == 64);
  CHECK(w.in_state(hold->id, HoldItemState::sent) == w.disabled());
}
