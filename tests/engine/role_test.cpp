// Groups that stand for roles: the highest that remains wins (R1).
#include <algorithm>
#include <boost/json/parse.hpp>
#include <deprov/policy/plan.hpp>
#include "catch.hpp"
#include "support/fake_app.hpp"
#include "support/faulty_store.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using connector::Operation;
using connector::Outcome;
using engine::MemberStep;
using port::JobKind;
using port::JobState;

namespace {

const std::string ranked = R"({"roles":[
  {"group":{"display_name":"Admins"},"entitlement":"app-admin","rank":20},
  {"group":{"display_name":"Editors"},"entitlement":"app-editor","rank":10}]})";

struct Roles {
  explicit Roles(const std::string& policy = ranked) {
    w.app->offer({Operation::list_entitlements, Operation::revoke_entitlement, Operation::grant_entitlement});
    w.app->add("a1", "ext-ann", "ann").groups = {"app-admin", "everybody"};
    c = w.integrate("entra", policy);
    ann = w.add_user(c, "ann");
    admins = w.add_group(c, "Admins", {ann});
    editors = w.add_group(c, "Editors", {ann});
    w.run(1s);
  }
  void leave(ResourceId group) { REQUIRE(w.members(c, group, MemberStep::Kind::remove, {ann})); }
  void join(ResourceId group) { REQUIRE(w.members(c, group, MemberStep::Kind::add, {ann})); }
  [[nodiscard]] std::vector<std::string> has() {
    auto groups = w.app->accounts["a1"].groups;
    std::sort(groups.begin(), groups.end());
    return groups;
  }
  using Names = std::vector<std::string>;
  test::World w;
  engine::Context c;
  ResourceId ann, admins, editors;
};

}  // namespace

TEST_CASE("leaving one of two groups removes nobody, and lowers the role to the highest that remains",
          "[engine][R1]") {
  Roles t;
  t.leave(t.admins);
  t.w.run(30s);
  CHECK(t.has() == Roles::Names{"app-admin", "everybody"});  // it may still be made good (R14)
  t.w.run(60s);
  CHECK(t.has() == Roles::Names{"app-editor", "everybody"});
  CHECK(t.w.app->accounts["a1"].active == true);
  CHECK(t.w.job(t.c, t.ann, JobKind::change_role).state == JobState::succeeded_verified);
  CHECK(t.w.job(t.c, t.ann, JobKind::change_role).cause == idp::Cause::role_lowered);
  CHECK(t.w.events(t.c, "role.verified") == 1);
  CHECK(t.w.subject(t.c, t.ann).access);
  t.leave(t.editors);
  t.w.run(90s);
  CHECK(t.has() == Roles::Names{"everybody"});
  CHECK(t.w.subject(t.c, t.ann).access);  // groups decide roles only
}

TEST_CASE("a role that was taken is given back, and what stood in for it goes", "[engine][R1][R4]") {
  Roles t;
  t.leave(t.admins);
  t.w.run(90s);
  REQUIRE(t.has() == Roles::Names{"app-editor", "everybody"});
  t.join(t.admins);
  t.w.run(90s);
  CHECK(t.has() == Roles::Names{"app-admin", "everybody"});
}

TEST_CASE("a role whose removal nobody answered is deprov's to give back, though the next attempt finds it gone",
          "[engine][R1][R4]") {
  Roles t;
  t.w.app->answer(Operation::revoke_entitlement, Outcome::unknown_outcome, true);  // done, and not answered
  t.leave(t.admins);
  t.w.run(10min);
  REQUIRE(t.has() == Roles::Names{"app-editor", "everybody"});
  REQUIRE(t.w.app->count("revoke_entitlement a1") == 2);
  t.join(t.admins);
  t.w.run(10min);
  CHECK(t.has() == Roles::Names{"app-admin", "everybody"});
}

TEST_CASE("deprov raises nobody: a role that it did not take it does not give", "[engine][R1]") {
  Roles t;
  t.w.app->accounts["a1"].groups = {"app-editor"};
  t.leave(t.admins);
  t.w.run(90s);
  t.join(t.admins);
  t.w.run(90s);
  CHECK(t.has() == Roles::Names{"app-editor"});
  CHECK(t.w.app->count("grant_entitlement a1") == 0);
}

TEST_CASE("who was lowered and gets a higher role than ever is not raised by deprov", "[engine][R1]") {
  Roles t(R"({"roles":[{"group":{"display_name":"Chiefs"},"entitlement":"app-chief","rank":30},
    {"group":{"display_name":"Admins"},"entitlement":"app-admin","rank":20},
    {"group":{"display_name":"Editors"},"entitlement":"app-editor","rank":10}]})");
  t.leave(t.admins);
  t.w.run(90s);
  REQUIRE(t.has() == Roles::Names{"app-editor", "everybody"});
  (void)t.w.add_group(t.c, "Chiefs", {t.ann});
  t.w.run(90s);
  CHECK(t.has() == Roles::Names{"app-editor", "everybody"});
}

TEST_CASE("a move within the settle window changes no role", "[engine][R14]") {
  Roles t;
  t.leave(t.admins);
  t.w.run(30s);
  t.join(t.admins);
  t.w.run(2min);
  CHECK(t.has() == Roles::Names{"app-admin", "everybody"});
  CHECK(t.w.app->count("revoke_entitlement a1") == 0);
}

TEST_CASE("a second change of groups does not put a role's decision off", "[engine][R14]") {
  Roles t;
  t.leave(t.admins);
  t.w.run(40s);
  t.leave(t.editors);
  t.w.run(21s);
  CHECK(t.has() == Roles::Names{"everybody"});
}

TEST_CASE("of two changes of a role the newer one counts, and settles first", "[engine][R1][R14]") {
  Roles t;
  t.leave(t.admins);
  t.w.run(59s);
  for (int i = 0; i < 3; ++i) t.w.app->answer(Operation::list_entitlements, Outcome::unavailable);
  t.w.run(2s);
  REQUIRE(t.w.job(t.c, t.ann, JobKind::change_role).state == JobState::retrying);
  t.leave(t.editors);
  t.w.run(30s);  // the first one would have been tried again by now
  CHECK(t.has() == Roles::Names{"app-admin", "everybody"});
  t.join(t.editors);
  t.w.run(60s);
  CHECK(t.has() == Roles::Names{"app-editor", "everybody"});
  CHECK(t.w.events(t.c, "role.verified") == 1);
}

TEST_CASE("a change of a role that has begun is no second one in the hold", "[engine][R7][R1]") {
  Roles t(R"({"settle_ms":0,"retry":{"base_ms":60000},
  "guard":{"percent":0,"small":{"below":100,"percent":0,"least":1}},"roles":[
  {"group":{"display_name":"Admins"},"entitlement":"app-admin","rank":20},
  {"group":{"display_name":"Editors"},"entitlement":"app-editor","rank":10}]})");
  t.w.app->accounts["a1"].groups = {"app-admin", "app-editor", "everybody"};
  t.w.app->add("b1", "ext-bob", "bob");
  const auto bob = t.w.add_user(t.c, "bob");
  t.w.run(1s);
  t.w.app->answer(Operation::list_entitlements, Outcome::unavailable);
  t.leave(t.admins);
  t.w.run(1s);
  const auto first = t.w.job(t.c, t.ann, JobKind::change_role);
  REQUIRE(first.state == JobState::retrying);
  t.w.app->answer(Operation::revoke_entitlement, Outcome::ok, true);
  for (int i = 0; i < 4; ++i) t.w.app->answer(Operation::revoke_entitlement, Outcome::unavailable);
  t.leave(t.editors);
  t.w.run(1s);
  const auto second = t.w.job(t.c, t.ann, JobKind::change_role);
  REQUIRE(second.id != first.id);
  REQUIRE(policy::parse_plan(second.plan).value().acted());
  REQUIRE(t.w.set_active(t.c, bob, false));  // one too many
  t.w.run(4h);
  t.w.read([&](port::Reader& r) {
    CHECK(r.open_hold(t.c->row.scope).value());
    const auto item = r.hold_item_of(t.c->row.scope, t.ann).value();
    CHECK((item && item->state == port::HoldItemState::sent));
  });
  CHECK(t.has() == Roles::Names{"everybody"});
}

TEST_CASE("a role that is being taken is given back, however far the app is with it", "[engine][R4][R5]") {
  const bool answered = GENERATE(false, true);
  CAPTURE(answered);
  Roles t;
  t.w.app->offer({Operation::poll});
  for (const auto o : {Operation::revoke_entitlement, Operation::grant_entitlement})
    t.w.app->description.of(o).asynchrony = connector::Asynchrony::poll;
  t.w.crash();
  t.w.boot();
  t.w.run(1s);
  connector::Reply accepted;
  accepted.outcome = answered ? Outcome::ok : Outcome::unknown_outcome;
  if (answered) {
    accepted.effect = connector::Effect::accepted;
    accepted.handle = "h1";
  }
  t.w.app->script.push_back({Operation::revoke_entitlement, accepted, !answered});
  connector::Reply working;
  working.outcome = Outcome::ok;
  working.effect = connector::Effect::accepted;
  working.handle = "h1";
  for (int i = 0; i < (answered ? 70 : 0); ++i) t.w.app->script.push_back({Operation::poll, working, false});
  t.leave(t.admins);
  t.w.run(60s + 100ms);
  REQUIRE(t.w.app->count("revoke_entitlement a1") == 1);
  t.join(t.admins);
  t.w.run(65s);
  if (answered) {  // now the app comes to it
    auto& groups = t.w.app->accounts["a1"].groups;
    groups.erase(std::remove(groups.begin(), groups.end(), "app-admin"), groups.end());
    t.w.app->script.clear();
  }
  t.w.run(5min);
  CHECK(t.has() == Roles::Names{"app-admin", "everybody"});
  CHECK(t.w.job(t.c, t.ann, JobKind::change_role).state == JobState::succeeded_verified);
}

TEST_CASE("a group that is joined while its role is about to be taken keeps it", "[engine][R4][R5]") {
  auto faults = std::make_shared<test::StoreFaults>();
  test::FaultyStore* store = nullptr;
  test::World w(1, test::faulty(faults, &store));
  w.app->offer({Operation::list_entitlements, Operation::revoke_entitlement, Operation::grant_entitlement});
  w.app->add("a1", "ext-ann", "ann").groups = {"app-admin"};
  auto policy = ranked;
  policy.insert(1, R"("guard":{"enabled":false},)");
  const auto c = w.integrate("entra", policy);
  const auto ann = w.add_user(c, "ann");
  const auto admins = w.add_group(c, "Admins", {ann});
  w.run(1s);
  bool joined = false;
  faults->on_commit = [&](const port::Transaction& txn) -> std::optional<Error> {
    if (txn.reads.intents.empty() || joined) return std::nullopt;
    joined = true;  // between the look at the groups and the record of the request
    port::Transaction other;
    other.id = w.random.id<TxnId>(w.clock.wall());
    other.ops.emplace_back(port::op::AddMember{c->row.scope, {admins, ann, false}});
    store->inner().commit(std::move(other), [](const Result<port::Committed>& r) { REQUIRE(r.has_value()); });
    return std::nullopt;
  };
  REQUIRE(w.members(c, admins, MemberStep::Kind::remove, {ann}));
  w.run(5min);
  REQUIRE(joined);
  CHECK(w.app->count("revoke_entitlement a1") == 0);
  CHECK(w.app->accounts["a1"].groups == Roles::Names{"app-admin"});
}

TEST_CASE("who moves between entitling groups with others has the role of the new one", "[engine][R1][R14]") {
  Roles t(R"({"entitling_groups":[{"display_name":"Admins"},{"display_name":"Editors"}],"roles":[
    {"group":{"display_name":"Admins"},"entitlement":"app-admin","rank":20},
    {"group":{"display_name":"Editors"},"entitlement":"app-editor","rank":10}]})");
  t.w.app->add("a2", "ext-bob", "bob").groups = {"app-admin"};
  const auto bob = t.w.add_user(t.c, "bob");
  t.join(t.admins);
  REQUIRE(t.w.members(t.c, t.admins, MemberStep::Kind::add, {bob}));
  t.leave(t.editors);
  t.w.run(2min);
  REQUIRE(t.w.members(t.c, t.admins, MemberStep::Kind::remove, {t.ann, bob}));  // a unit, judged as one
  REQUIRE(t.w.members(t.c, t.editors, MemberStep::Kind::add, {t.ann, bob}));
  t.w.run(5min);
  CHECK(t.w.app->accounts["a1"].active == true);
  CHECK(t.has() == Roles::Names{"app-editor", "everybody"});
  CHECK(t.w.app->accounts["a2"].groups == Roles::Names{"app-editor"});
}

TEST_CASE("roles come through groups in groups, and go with them", "[engine][R1]") {
  Roles t;
  const auto leads = t.w.add_group(t.c, "Leads", {t.ann});
  REQUIRE(t.w.members(t.c, t.admins, MemberStep::Kind::add, {leads}, true));
  t.leave(t.admins);
  t.w.run(90s);
  CHECK(t.has() == Roles::Names{"app-admin", "everybody"});  // still through Leads
  REQUIRE(t.w.members(t.c, t.admins, MemberStep::Kind::remove, {leads}, true));
  t.w.run(90s);
  CHECK(t.has() == Roles::Names{"app-editor", "everybody"});
}

TEST_CASE("a group that is deleted takes its role along", "[engine][R1]") {
  Roles t;
  REQUIRE(t.w.remove_group(t.c, t.admins));
  t.w.run(2min);
  CHECK(t.has() == Roles::Names{"app-editor", "everybody"});
  CHECK(t.w.app->accounts["a1"].active == true);
}

TEST_CASE("who leaves altogether is disabled, whatever role was being worked out", "[engine][R1][R5]") {
  Roles t;
  t.leave(t.admins);
  REQUIRE(t.w.set_active(t.c, t.ann, false));
  t.w.run(2min);
  CHECK(t.w.app->accounts["a1"].active == false);
  CHECK(t.w.job(t.c, t.ann, JobKind::change_role).state == JobState::superseded);
  CHECK(t.w.app->count("revoke_entitlement a1") == 0);
  // Back again, her groups are looked at anew.
  REQUIRE(t.w.set_active(t.c, t.ann, true));
  t.w.run(2min);
  CHECK(t.w.app->accounts["a1"].active == true);
  CHECK(t.has() == Roles::Names{"app-editor", "everybody"});
}

TEST_CASE("a role whose change went wrong is tried again until the app shows it", "[engine][R17][R19]") {
  Roles t;
  t.w.app->answer(Operation::list_entitlements, Outcome::unavailable);
  t.w.app->answer(Operation::revoke_entitlement, Outcome::unknown_outcome);
  t.leave(t.admins);
  t.w.run(10min);
  CHECK(t.has() == Roles::Names{"app-editor", "everybody"});
  CHECK(t.w.job(t.c, t.ann, JobKind::change_role).state == JobState::succeeded_verified);
}

TEST_CASE("an app without a way to take a role away says so", "[engine][R1]") {
  Roles t;
  t.w.app->description.of(Operation::revoke_entitlement).supported = false;
  t.leave(t.admins);
  t.w.run(2min);
  CHECK(t.w.events(t.c, "role.unsupported") == 1);
}

TEST_CASE("who left a role's group before having access for the first time does not keep the role",
          "[engine][R1]") {
  const int how = GENERATE(0, 1, 2, 3);  // she leaves it, a group that she is in leaves it, it is deleted, renamed
  const bool inactive = GENERATE(false, true);
  CAPTURE(how, inactive);
  test::World w;
  w.app->offer({Operation::list_entitlements, Operation::revoke_entitlement, Operation::grant_entitlement});
  w.app->add("a1", "ext-ann", "ann").groups = {"app-admin", "everybody"};
  auto policy = ranked;
  policy.insert(1, R"("entitling_groups":[{"display_name":"Staff"}],)");
  const auto c = w.integrate("entra", policy);
  const auto ann = w.add_user(c, "ann", !inactive);
  const auto staff = w.add_group(c, "Staff", inactive ? std::vector<ResourceId>{ann} : std::vector<ResourceId>{});
  const auto leads = w.add_group(c, "Leads", {ann});
  const auto admins =
      w.add_group(c, "Admins", how == 1 ? std::vector<ResourceId>{} : std::vector<ResourceId>{ann});
  (void)w.add_group(c, "Editors", {ann});
  if (how == 1) REQUIRE(w.members(c, admins, MemberStep::Kind::add, {leads}, true));
  w.run(2min);
  REQUIRE_FALSE(w.subject(c, ann).access);
  switch (how) {
    case 0: REQUIRE(w.members(c, admins, MemberStep::Kind::remove, {ann})); break;
    case 1: REQUIRE(w.members(c, admins, MemberStep::Kind::remove, {leads}, true)); break;
    case 2: REQUIRE(w.remove_group(c, admins)); break;
    default:
      REQUIRE(w.apply(c, [&](port::Reader& reader, const engine::IntegrationContext& i) -> Result<engine::Effect> {
        DEPROV_TRY(row, reader.resource(i.row.scope, admins));
        engine::Effect e;
        e.before = row;
        e.after = std::move(row);
        e.after->display_name_key = "chess";
        e.renamed = true;
        return e;
      }));
      break;
  }
  w.run(10min);
  REQUIRE(w.app->accounts["a1"].groups == Roles::Names{"app-admin", "everybody"});  // nobody's business yet
  if (inactive) {
    REQUIRE(w.set_active(c, ann, true));
  } else {
    REQUIRE(w.members(c, staff, MemberStep::Kind::add, {ann}));
  }
  w.run(2min);
  CHECK(w.subject(c, ann).access);
  CHECK(w.app->accounts["a1"].active == true);
  CHECK(w.app->accounts["a1"].groups == Roles::Names{"everybody", "app-editor"});
  CHECK(w.job(c, ann, JobKind::change_role).state == JobState::succeeded_verified);
}

TEST_CASE("who has access for the first time and left no group keeps the role that somebody gave in the app",
          "[engine][R1]") {
  test::World w;
  w.app->offer({Operation::list_entitlements, Operation::revoke_entitlement, Operation::grant_entitlement});
  w.app->add("a1", "ext-ann", "ann").groups = {"app-admin"};
  auto policy = ranked;
  policy.insert(1, R"("entitling_groups":[{"display_name":"Staff"}],)");
  const auto c = w.integrate("entra", policy);
  const auto ann = w.add_user(c, "ann");
  (void)w.add_group(c, "Staff", {ann});
  w.run(1h);  // her IdP takes its time to push the next group
  (void)w.add_group(c, "Admins", {ann});
  w.run(10min);
  CHECK(w.app->accounts["a1"].groups == Roles::Names{"app-admin"});
  CHECK(w.app->count("revoke_entitlement a1") == 0);
}

TEST_CASE("who leaves a group that gets another name before that is worked off does not keep its role",
          "[engine][expander][R1]") {
  auto faults = std::make_shared<test::StoreFaults>();
  test::World w(1, test::faulty(faults));
  w.options.inline_members = 0;
  w.crash();
  w.boot();
  w.app->offer({Operation::list_entitlements, Operation::revoke_entitlement, Operation::grant_entitlement});
  w.app->add("a1", "ext-ann", "ann").groups = {"app-admin", "everybody"};
  const auto c = w.integrate("entra", ranked);
  const auto ann = w.add_user(c, "ann");
  const auto bob = w.add_user(c, "bob");
  const auto admins = w.add_group(c, "Admins", {ann});
  (void)w.add_group(c, "Editors", {ann});
  w.run(2min);
  bool kept_back = true;
  faults->on_commit = [&](const port::Transaction& txn) -> std::optional<Error> {
    const bool leaves = std::any_of(txn.ops.begin(), txn.ops.end(), [](const auto& op) {
      return std::holds_alternative<port::op::RemoveMember>(op);
    });
    return kept_back && leaves ? std::optional(Error(Errc::unavailable, "not now")) : std::nullopt;
  };
  REQUIRE(w.members(c, admins, MemberStep::Kind::replace, {bob}));
  REQUIRE(w.apply(c, [&](port::Reader& reader, const engine::IntegrationContext& i) -> Result<engine::Effect> {
    DEPROV_TRY(row, reader.resource(i.row.scope, admins));
    engine::Effect e;
    e.before = row;
    e.after = std::move(row);
    e.after->display_name_key = "chess";
    e.renamed = true;
    return e;
  }));
  kept_back = false;
  w.run(10min);
  CHECK(w.app->accounts["a1"].groups == Roles::Names{"everybody", "app-editor"});
}

TEST_CASE("a group that joins another one lowers nobody's role", "[engine][R1]") {
  Roles t;
  const auto bob = t.w.add_user(t.c, "bob");
  t.w.app->add("a2", "ext-bob", "bob").groups = {"app-admin"};
  const auto leads = t.w.add_group(t.c, "Leads", {bob});
  REQUIRE(t.w.members(t.c, t.editors, MemberStep::Kind::add, {leads}, true));
  t.w.run(10min);  // the group that gives him his role is on its way
  CHECK(t.w.app->accounts["a2"].groups == Roles::Names{"app-admin"});
  REQUIRE(t.w.members(t.c, t.editors, MemberStep::Kind::remove, {leads}, true));
  t.w.run(10min);
  CHECK(t.w.app->accounts["a2"].groups == Roles::Names{});
}

TEST_CASE("the role of who is protected is not lowered, as it was when the group was left", "[engine][R9][R14]") {
  const auto protects = [](const char* reason) {
    return R"({"guard":{"enabled":false},"protection":{"subjects":[{"filter":"userName eq \"ann\"","reason":")" +
           std::string(reason) + "\"}]}," + ranked.substr(1);
  };
  Roles t(protects("break glass"));
  const auto retained = [&] {
    bool is = false;
    t.w.read([&](port::Reader& r) { is = r.due(t.c->row.scope, t.ann, "retained").value().has_value(); });
    return is;
  };
  t.leave(t.admins);
  CHECK(t.w.events(t.c, "removal.retained") == 1);  // at once
  SECTION("a rename within the settle window takes no protection away") {
    REQUIRE(t.w.apply(t.c, [&](port::Reader& r, const engine::IntegrationContext& i) -> Result<engine::Effect> {
      engine::Effect e;
      e.before = r.resource(i.row.scope, t.ann).value();
      e.after = e.before;
      e.after->user_name_key = "other";
      e.after->document = R"({"userName":"other"})";
      e.renamed = true;
      return e;
    }));
  }
  SECTION("nor does leaving the next one lower it") { t.leave(t.editors); }
  t.w.run(1h);
  CHECK(t.has() == Roles::Names{"app-admin", "everybody"});
  CHECK(retained());
  CHECK(t.w.subject(t.c, t.ann).access);
}

TEST_CASE("a role that is retained is so until a group gives as much again, or the protection ends",
          "[engine][R9]") {
  const std::string rule = R"("protection":{"subjects":[{"external_id":"ext-ann","reason":"break glass"}]},)";
  const std::string open = R"({"guard":{"enabled":false},)";
  Roles t(open + rule + ranked.substr(1));
  const auto retained = [&] {
    bool is = false;
    t.w.read([&](port::Reader& r) { is = r.due(t.c->row.scope, t.ann, "retained").value().has_value(); });
    return is;
  };
  t.leave(t.admins);
  t.leave(t.editors);
  t.w.run(90s);
  REQUIRE(retained());
  t.join(t.editors);
  t.w.run(90s);
  CHECK(retained());  // what the app gives is more
  const bool joins = GENERATE(true, false);
  CAPTURE(joins);
  if (joins) t.join(t.admins);
  CHECK(retained() == !joins);
  std::optional<Result<port::IntegrationRow>> out;
  t.w.engine->update_integration({t.w.workspace, {}, "tester", port::Role::owner}, t.c->row.scope.integration,
                                 {{"policy", boost::json::parse(open + ranked.substr(1))}, {"check", false}},
                                 [&](Result<port::IntegrationRow> r) { out = std::move(r); });
  t.w.run(5min);
  REQUIRE(out);
  REQUIRE(*out);
  CHECK(t.has() == (joins ? Roles::Names{"app-admin", "everybody"} : Roles::Names{"app-editor", "everybody"}));
  CHECK_FALSE(retained());
}
