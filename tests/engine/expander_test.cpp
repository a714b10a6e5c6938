// What is decided after the request: in order, whatever fails on the way, and never without end.
#include "catch.hpp"
#include "support/fake_app.hpp"
#include "support/faulty_store.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using engine::MemberStep;
using port::JobKind;
using port::JobState;

namespace {
const char* const entitled_policy =
    R"({"entitling_groups":[{"display_name":"App Users"}],"settle_ms":60000,"retry":{"base_ms":1000,"ceiling_ms":8000}})";

bool is_member(test::World& w, const engine::Context& c, ResourceId group, ResourceId member) {
  bool is = false;
  w.read([&](port::Reader& r) { is = *r.is_member(c->row.scope, group, member); });
  return is;
}
}  // namespace

TEST_CASE("an evaluation is not forgotten when the store cannot be read at its time", "[engine][expander][R14]") {
  auto faults = std::make_shared<test::StoreFaults>();
  test::World w(1, test::faulty(faults));
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("entra", entitled_policy);
  const auto ann = w.add_user(c, "ann");
  const auto group = w.add_group(c, "App Users", {ann});
  w.run(1s);
  REQUIRE(w.members(c, group, MemberStep::Kind::remove, {ann}));
  int failing = 1;
  faults->on_view = [&]() -> std::optional<Error> {
    if (failing == 0) return std::nullopt;
    --failing;
    return Error(Errc::busy, "too many views");
  };
  w.run(120s);
  CHECK(failing == 0);
  CHECK(w.app->accounts["a1"].active == false);
}

TEST_CASE("steps of one deferred request follow each other", "[engine][expander]") {
  test::World w;
  w.options.inline_members = 0;
  const auto c = w.integrate("entra");
  const auto ann = w.add_user(c, "ann");
  const auto bob = w.add_user(c, "bob");
  const auto group = w.add_group(c, "A", {ann});
  REQUIRE(is_member(w, c, group, ann));
  REQUIRE(w.apply(c, [&](port::Reader&, const engine::IntegrationContext&) -> Result<engine::Effect> {
    engine::Effect e;
    e.group = group;
    e.members.push_back({MemberStep::Kind::remove, {{group, ann, false}}});
    e.members.push_back({MemberStep::Kind::add, {{group, ann, false}}});
    e.members.push_back({MemberStep::Kind::add, {{group, bob, false}}});
    e.members.push_back({MemberStep::Kind::remove, {{group, bob, false}}});
    return e;
  }));
  w.run(10s);
  CHECK(is_member(w, c, group, ann));
  CHECK_FALSE(is_member(w, c, group, bob));
  REQUIRE(w.apply(c, [&](port::Reader&, const engine::IntegrationContext&) -> Result<engine::Effect> {
    engine::Effect e;
    e.group = group;
    e.members.push_back({MemberStep::Kind::add, {{group, bob, false}}});
    e.members.push_back({MemberStep::Kind::replace, {{group, ann, false}}});
    return e;
  }));
  w.run(10s);
  CHECK(is_member(w, c, group, ann));
  CHECK_FALSE(is_member(w, c, group, bob));
}

TEST_CASE("groups that contain each other are evaluated to an end", "[engine][expander][R1]") {
  test::World w;
  const auto c = w.integrate("entra", entitled_policy);
  const auto ann = w.add_user(c, "ann");
  const auto a = w.add_group(c, "A", {ann});
  const auto b = w.add_group(c, "B");
  REQUIRE(w.members(c, a, MemberStep::Kind::add, {b}, true));
  engine::Evidence evidence{"idp:entra", "scim", "r1", "PATCH", {}, w.clock.wall()};
  bool answered = false;
  w.engine->apply(
      w.engine->integration(c->row.scope.integration), evidence,
      [&](port::Reader&, const engine::IntegrationContext&) -> Result<engine::Effect> {
        engine::Effect e;
        e.group = b;
        e.members.push_back({MemberStep::Kind::add, {{b, a, true}}});
        return e;
      },
      [&](const Result<engine::Applied>& r) { answered = r.has_value(); });
  int tasks = 0;
  while (tasks < 20'000 && w.executor->run_one()) ++tasks;
  CHECK(answered);
  CHECK(tasks < 20'000);
  std::vector<port::WorkRow> works;
  w.store->view(
      [&](port::Reader& r) -> Result<void> {
        works = *r.works(c->row.scope, 10);
        return {};
      },
      [](const Result<void>&) {});
  CHECK(works.empty());
}

TEST_CASE("one evaluation that cannot be decided does not stop the others", "[engine][expander][R14]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("entra", entitled_policy);
  const auto ann = w.add_user(c, "ann");
  const auto bob = w.add_user(c, "bob");
  const auto group = w.add_group(c, "App Users", {ann, bob});
  w.run(1s);
  port::Transaction txn;
  txn.id = w.random.id<TxnId>(w.clock.wall());
  port::JobRow broken;
  broken.scope = c->row.scope;
  broken.id = w.random.id<JobId>(w.clock.wall());
  broken.subject = bob;
  broken.state = JobState::held;
  broken.plan = "not a plan";
  auto row = w.subject(c, bob);
  row.job = broken.id;
  txn.ops.emplace_back(port::op::PutJob{broken, std::nullopt});
  txn.ops.emplace_back(port::op::PutSubject{row});
  w.store->commit(std::move(txn), [](const Result<port::Committed>& r) { REQUIRE(r.has_value()); });
  REQUIRE(w.members(c, group, MemberStep::Kind::remove, {ann, bob}));
  w.run(120s);
  CHECK(w.app->accounts["a1"].active == false);
  CHECK(w.subject(c, bob).access);  // undecided: its evaluation stays due
  bool due = false;
  w.read([&](port::Reader& r) { due = !r.dues(c->row.scope, w.clock.wall() + 24h, 10)->empty(); });
  CHECK(due);
  CHECK(w.events(c, "evaluation.failed") >= 1);
  CHECK(w.events(c, "evaluation.failed") <= 3);
}

TEST_CASE("a group that begins to entitle counts for who joins at the same moment", "[engine][expander][R1]") {
  auto faults = std::make_shared<test::StoreFaults>();
  test::FaultyStore* store = nullptr;
  test::World w(1, test::faulty(faults, &store));
  const auto c = w.integrate("entra", entitled_policy);
  const auto ann = w.add_user(c, "ann");
  const auto group = w.add_group(c, "Other");
  bool joined = false;
  faults->on_commit = [&](const port::Transaction& txn) -> std::optional<Error> {
    const auto* put = txn.ops.empty() ? nullptr : std::get_if<port::op::PutResource>(&txn.ops.front());
    if (joined || put == nullptr || put->row.id != group) return std::nullopt;
    joined = true;  // decided before the rename, committed before it
    port::Transaction other;
    other.id = w.random.id<TxnId>(w.clock.wall());
    other.ops.emplace_back(port::op::AddMember{c->row.scope, {group, ann, false}});
    store->inner().commit(std::move(other), [](const Result<port::Committed>& r) { REQUIRE(r.has_value()); });
    return std::nullopt;
  };
  REQUIRE(w.apply(c, [&](port::Reader& r, const engine::IntegrationContext&) -> Result<engine::Effect> {
    DEPROV_TRY(row, r.resource(c->row.scope, group));
    engine::Effect e;
    e.before = row;
    e.after = row;
    e.after->display_name_key = "app users";
    e.renamed = true;
    return e;
  }));
  w.run(10s);
  CHECK(joined);
  CHECK(w.subject(c, ann).access);
}
