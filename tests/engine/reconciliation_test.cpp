// What is really in the app, against who has access: found, proposed, queued; and what an incomplete listing
// proves.
#include <boost/json/parse.hpp>
#include <set>
#include "catch.hpp"
#include "support/fake_app.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using connector::Operation;
using connector::Outcome;
using port::FindingKind;
using port::JobKind;
using port::JobState;
namespace json = boost::json;

namespace {

struct Listed : test::World {
  Listed() { app->description.of(Operation::list).supported = true; }

  engine::Principal by(port::Role role = port::Role::owner) const {
    engine::Principal p;
    p.workspace = workspace;
    p.role = role;
    return p;
  }
  json::object reconcile(const engine::Context& c, bool queue = false) {
    std::optional<Result<json::object>> report;
    engine->reconcile(
        by(), c->row.scope.integration, queue, [](const Result<WorkId>& r) { REQUIRE(r); },
        [&](Result<json::object> r) { report = std::move(r); });
    run(1h);
    REQUIRE(report);
    REQUIRE(*report);
    return **report;
  }
  std::vector<port::FindingRow> findings(const engine::Context& c, const json::object& report) {
    std::vector<port::FindingRow> rows;
    const auto run = *WorkId::parse(std::string_view(report.at("run").as_string()));
    read([&](port::Reader& r) { rows = r.findings(c->row.scope, run, 0, 10'000)->rows; });
    return rows;
  }
  std::uint64_t effects() const {
    return app->count("disable a1") + app->count("disable a2") + app->count("disable a3");
  }
};

std::uint64_t count(const json::object& report, const char* kind) {
  return report.at("findings").at(kind).to_number<std::uint64_t>();
}

}  // namespace

TEST_CASE("leftover access is found and proposed, and nothing is done", "[engine][R6]") {
  Listed w;
  w.app->add("a1", "ext-ann", "ann");
  w.app->add("a2", "ext-bob", "bob");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann", false);  // never had access, as far as the IdP says
  w.add_user(c, "bob");
  w.run(1min);
  const auto report = w.reconcile(c);
  CHECK(report.at("complete") == true);
  CHECK(report.at("accounts") == 2);
  CHECK(count(report, "leftover") == 1);
  CHECK(count(report, "orphan") == 0);
  CHECK(count(report, "missing_account") == 0);
  const auto rows = w.findings(c, report);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].subject == ann);
  CHECK(rows[0].account_id == "a1");
  CHECK(rows[0].job.is_nil());
  CHECK(w.effects() == 0);
  CHECK(w.events(c, "reconciliation.done") == 1);
  CHECK(w.events(c, "removal.requested") == 0);
  // Somebody is told of it, also where nobody asked.
  std::optional<Result<engine::NotificationPage>> told;
  w.engine->notifications({w.workspace, {}, "tester", port::Role::owner}, c->row.scope.integration, 0, 100,
                          [&](Result<engine::NotificationPage> page) { told = std::move(page); });
  w.run(1s);
  REQUIRE(told);
  REQUIRE(*told);
  REQUIRE((*told)->items.size() == 1);
  CHECK((*told)->items[0].type == engine::NotificationType::reconciliation_found);
  CHECK((*told)->items[0].detail.at("findings").at("leftover") == 1);
}

TEST_CASE("who is protected, exempt or kept is shown with the reason and the date, and never queued",
          "[engine][R6][R9]") {
  const bool queue = GENERATE(false, true);
  Listed w;
  w.app->add("a1", "ext-ann", "ann");
  w.app->add("a2", "ext-bob", "bob");
  w.app->add("a3", "ext-cid", "cid");
  const auto until = to_rfc3339(w.clock.wall() + 72h);
  const auto c = w.integrate(
      "okta", R"({"protection":{"subjects":[{"external_id":"ext-ann","reason":"the board","review":")" + until +
                  R"("}]},"exemptions":[{"external_id":"ext-bob","reason":"handover","until":")" + until +
                  R"("}]})");
  const auto ann = w.add_user(c, "ann");
  const auto bob = w.add_user(c, "bob");
  w.add_user(c, "cid");
  w.run(1min);
  REQUIRE(w.set_active(c, ann, false));
  REQUIRE(w.set_active(c, bob, false));
  w.run(1min);
  const auto report = w.reconcile(c, queue);
  CHECK(count(report, "retained") == 2);
  CHECK(count(report, "leftover") == 0);
  CHECK(report.at("queued") == 0);
  const auto rows = w.findings(c, report);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].kind == FindingKind::retained);
  CHECK(rows[0].subject == ann);
  CHECK(rows[0].note == "protected: the board; to be reviewed at " + until);
  CHECK(rows[1].subject == bob);
  CHECK(rows[1].note == "exempt: handover; until " + until);
  CHECK(w.effects() == 0);
}

TEST_CASE("protected accounts whose subjects never had access, or that have none, are no leftovers and no orphans",
          "[engine][R6][R9]") {
  const bool queue = GENERATE(false, true);
  Listed w;
  w.app->description.own_account = {"user"};
  w.config = R"({"user":"svc"})";
  w.app->add("a1", "ext-ann", "ann");
  w.app->add("a2", "ext-bob", "bob");
  w.app->add("a3", "", "svc");
  w.app->add("a4", "", "root");
  const auto c =
      w.integrate("okta", R"({"protection":{"subjects":[{"external_id":"ext-ann","reason":"the board"}],)"
                          R"("accounts":[{"id":"a2","reason":"break glass"}]}})");
  w.add_user(c, "ann", false);
  w.add_user(c, "bob", false);
  w.run(1min);
  const auto report = w.reconcile(c, queue);
  CHECK(count(report, "retained") == 3);
  CHECK(count(report, "leftover") == 0);
  CHECK(count(report, "orphan") == 1);
  CHECK(report.at("queued") == 0);
  const auto rows = w.findings(c, report);
  REQUIRE(rows.size() == 4);
  CHECK(rows[0].note == "protected: the board");
  CHECK(rows[1].note == "protected: break glass");
  CHECK(rows[2].subject.is_nil());
  CHECK(rows[2].account_id == "a3");
  w.run(1h);
  CHECK(w.effects() == 0);
}

TEST_CASE("leftover access is queued by the same decision as a push, and removed", "[engine][R6][R20]") {
  Listed w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann", false);
  w.run(1min);
  const auto report = w.reconcile(c, true);
  CHECK(report.at("queued") == 1);
  const auto rows = w.findings(c, report);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].job == w.job(c, ann).id);
  w.run(1min);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.job(c, ann).cause == idp::Cause::deactivated);
  CHECK(w.app->accounts.at("a1").active == false);
  CHECK(w.events(c, "removal.requested") == 1);
  // What was done is no finding any more.
  const auto again = w.reconcile(c, true);
  CHECK(count(again, "leftover") == 0);
  CHECK(again.at("queued") == 0);
}

TEST_CASE("an account that somebody re-enabled after our disable is drift", "[engine][R6]") {
  Listed w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1min);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1min);
  REQUIRE(w.app->accounts.at("a1").active == false);
  CHECK(count(w.reconcile(c), "drift") == 0);
  w.app->accounts.at("a1").active = true;  // by hand, in the app
  const auto report = w.reconcile(c);
  CHECK(count(report, "drift") == 1);
  CHECK(count(report, "leftover") == 0);
  CHECK(w.app->accounts.at("a1").active == true);
  CHECK(w.reconcile(c, true).at("queued") == 1);
  w.run(1min);
  CHECK(w.app->accounts.at("a1").active == false);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
}

TEST_CASE("the clock of a leftover runs from when access ended, and that of a drift from when it was seen",
          "[engine][R6][R20]") {
  Listed w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1min);
  const auto left = w.clock.wall();
  w.app->answer(Operation::disable, Outcome::invalid_request);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1min);
  REQUIRE(w.job(c, ann).state == JobState::failed);
  REQUIRE(w.job(c, ann).evidence_at == left);
  w.run(48h);
  CHECK(w.reconcile(c, true).at("queued") == 1);
  w.run(1min);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.job(c, ann).evidence_at == left);

  w.app->accounts.at("a1").active = true;  // by hand, in the app
  const auto seen = w.clock.wall();
  CHECK(w.reconcile(c, true).at("queued") == 1);
  w.run(1min);
  CHECK(w.job(c, ann).evidence_at >= seen);
}

TEST_CASE("an account that somebody re-enabled while its deletion waits is drift", "[engine][R6][R20]") {
  Listed w;
  w.app->offer({Operation::remove});
  w.app->add("a1", "ext-ann", "ann");
  const auto c =
      w.integrate("okta", R"({"causes":{"deactivated":["disable",{"step":"delete","after_ms":864000000}]}})");
  const auto ann = w.add_user(c, "ann");
  w.run(1min);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1min);
  REQUIRE(w.job(c, ann).state == JobState::in_grace);
  CHECK(count(w.reconcile(c), "drift") == 0);
  w.app->accounts.at("a1").active = true;  // by hand, in the app
  CHECK(count(w.reconcile(c), "drift") == 1);
  CHECK(w.reconcile(c, true).at("queued") == 1);
  w.run(1min);
  CHECK(w.app->accounts.at("a1").active == false);
  CHECK(w.job(c, ann).state == JobState::in_grace);
}

TEST_CASE("what a reconciliation would queue is judged whole, also whose accounts were not known until then",
          "[engine][R6][R7][R13]") {
  Listed w;
  w.app->add("other", "ext-other", "other");  // the credential sees accounts
  const auto c = w.integrate("okta", R"({"guard":{"percent":100,"small":{"below":0},"absolute":10}})");
  std::vector<ResourceId> users;
  for (int i = 0; i < 15; ++i) users.push_back(w.add_user(c, "u" + std::to_string(10 + i), false));
  w.run(1min);
  for (int i = 0; i < 15; ++i) {
    const auto n = std::to_string(10 + i);
    REQUIRE(w.binding(c, users[static_cast<std::size_t>(i)]).state == port::BindingState::absent);
    w.app->add("a" + n, "ext-u" + n, "u" + n);
  }
  const auto report = w.reconcile(c, true);
  CHECK(report.at("queued") == 15);
  w.run(1min);
  for (const auto& [id, account] : w.app->accounts) CHECK(account.active.value_or(true));
  std::optional<port::HoldRow> hold;
  w.read([&](port::Reader& r) { hold = r.open_hold(c->row.scope).value(); });
  REQUIRE(hold);
  CHECK(hold->held == 15);
}

TEST_CASE("what a reconciliation would queue is judged whole before any of its effects", "[engine][R6][R7]") {
  for (const std::uint64_t limit : {149U, 150U}) {
    CAPTURE(limit);
    Listed w;
    // Two pages of leftovers: the first alone would pass.
    for (int i = 0; i < 150; ++i) {
      const auto n = std::to_string(1000 + i);
      w.app->add("a" + n, "ext-u" + n, "u" + n);
    }
    const auto c = w.integrate(
        "okta", R"({"guard":{"percent":100,"small":{"below":0},"absolute":)" + std::to_string(limit) + "}}");
    std::vector<ResourceId> users;
    for (int i = 0; i < 150; ++i) users.push_back(w.add_user(c, "u" + std::to_string(1000 + i), false));
    w.run(1min);
    const auto disabled = [&] {
      std::size_t n = 0;
      for (const auto& [id, account] : w.app->accounts) n += account.active.value_or(true) ? 0 : 1;
      return n;
    };
    REQUIRE(disabled() == 0);
    const auto report = w.reconcile(c, true);
    CHECK(count(report, "leftover") == 150);
    CHECK(report.at("queued") == 150);
    std::optional<port::HoldRow> hold;
    w.read([&](port::Reader& r) { hold = r.open_hold(c->row.scope).value(); });
    if (limit == 150) {
      CHECK_FALSE(hold);
      CHECK(disabled() == 150);
      continue;
    }
    REQUIRE(hold);
    CHECK(hold->held == 150);
    CHECK(disabled() == 0);
    CHECK(w.events(c, "guard.refused") == 1);
    // Held is in hand: it is not queued twice.
    const auto again = w.reconcile(c, true);
    CHECK(again.at("queued") == 0);
    CHECK(again.at("in_progress") == 150);
    // A person lets it happen.
    engine::HoldDecision what;
    constexpr std::string_view digits = "0123456789abcdef";
    for (const auto b : hold->listing) {
      what.listing.push_back(digits[b >> 4U]);
      what.listing.push_back(digits[b & 15U]);
    }
    std::optional<Result<std::uint64_t>> decided;
    w.engine->decide_hold(w.by(), c->row.scope.integration, hold->id, what,
                          [&](Result<std::uint64_t> r) { decided = std::move(r); });
    w.run(1h);
    REQUIRE(decided);
    REQUIRE(*decided);
    CHECK(**decided == 150);
    CHECK(disabled() == 150);
    for (const auto& finding : w.findings(c, report)) CHECK_FALSE(finding.job.is_nil());
  }
}

TEST_CASE("a removal that is under way or held is no leftover", "[engine][R6]") {
  Listed w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1min);
  for (int i = 0; i < 50; ++i) w.app->answer(Operation::disable, Outcome::unavailable);
  REQUIRE(w.set_active(c, ann, false));
  w.run(5s);
  std::optional<json::object> report;
  w.engine->reconcile(
      w.by(), c->row.scope.integration, true, [](const Result<WorkId>& r) { REQUIRE(r); },
      [&](Result<json::object> r) { report = std::move(*r); });
  w.run(1s);
  REQUIRE(report);
  CHECK(count(*report, "leftover") == 0);
  CHECK(report->at("in_progress") == 1);
  CHECK(report->at("queued") == 0);
}

TEST_CASE("accounts that no subject matches are orphans, disabled ones are not", "[engine][R6][R12]") {
  Listed w;
  w.app->add("a1", "ext-ann", "ann");
  w.app->add("o1", "", "root");
  w.app->add("o2", "ext-unknown", "");
  w.app->add("o3", "", "old").active = false;
  w.app->add("z9", "", "ANN");  // the name of a subject who is bound to another account
  const auto c = w.integrate("okta");
  w.add_user(c, "ann");
  w.run(1min);
  // The look-up by name would have been ambiguous; a person has decided.
  bool bound = false;
  w.engine->bind(
      w.by(), c->row.scope.integration,
      [&] {
        ResourceId id;
        w.read([&](port::Reader& r) {
          id = r.resources_by_key(c->row.scope, "User", {port::ResourceKey::Attribute::user_name, "ann"}, 1)
                   ->front()
                   .id;
        });
        return id;
      }(),
      "a1", [&](const Result<void>& r) { bound = r.has_value(); });
  w.run(1min);
  REQUIRE(bound);
  const auto report = w.reconcile(c, true);
  CHECK(count(report, "orphan") == 3);
  CHECK(count(report, "leftover") == 0);
  CHECK(report.at("queued") == 0);
  std::set<std::string> who;
  for (const auto& f : w.findings(c, report)) who.insert(f.account_id);
  CHECK(who == std::set<std::string>{"o1", "o2", "z9"});
}

TEST_CASE("a subject with access whose account is gone is told, where the listing proves it", "[engine][R6]") {
  Listed w;
  for (int i = 0; i < 3; ++i)
    w.app->add("a" + std::to_string(i + 1), "ext-u" + std::to_string(i + 1), "u" + std::to_string(i + 1));
  const auto c = w.integrate("okta");
  const auto u1 = w.add_user(c, "u1");
  w.add_user(c, "u2");
  w.run(1min);
  w.app->accounts.erase("a1");
  SECTION("complete") {
    const auto report = w.reconcile(c);
    CHECK(report.at("complete") == true);
    CHECK(report.at("subjects") == 2);
    REQUIRE(count(report, "missing_account") == 1);
    CHECK(w.findings(c, report).front().kind == FindingKind::orphan);  // a3
    CHECK(w.findings(c, report).back().subject == u1);
  }
  SECTION("a page failed") {
    for (int i = 0; i < 5; ++i) w.app->answer(Operation::list, Outcome::unavailable);
    const auto report = w.reconcile(c);
    CHECK(report.at("complete") == false);
    CHECK(count(report, "missing_account") == 0);
    CHECK(std::string(report.at("why_incomplete").as_string()).find("page 1 failed") != std::string::npos);
  }
  SECTION("a page failed for a while") {
    for (int i = 0; i < 4; ++i) w.app->answer(Operation::list, Outcome::unavailable);
    CHECK(count(w.reconcile(c), "missing_account") == 1);
  }
  SECTION("throttling is no failure") {
    for (int i = 0; i < 40; ++i) w.app->answer(Operation::list, Outcome::throttled);
    CHECK(w.reconcile(c).at("complete") == true);
  }
  SECTION("the app shows nobody") {
    w.app->accounts.clear();
    const auto report = w.reconcile(c);
    CHECK(report.at("complete") == false);
    CHECK(count(report, "missing_account") == 0);
  }
  SECTION("an account came twice") {
    connector::Reply page;
    page.outcome = Outcome::ok;
    page.accounts = {w.app->accounts.at("a2"), w.app->accounts.at("a2")};
    w.app->script.push_back({Operation::list, page, false});
    const auto report = w.reconcile(c);
    CHECK(report.at("complete") == false);
    CHECK(count(report, "missing_account") == 0);
  }
  SECTION("pages lead back") {
    for (int i = 0; i < 2; ++i) {
      connector::Reply page;
      page.outcome = Outcome::ok;
      page.accounts = {w.app->accounts.at("a2")};
      page.next_cursor = "again";
      w.app->script.push_back({Operation::list, page, false});
    }
    const auto report = w.reconcile(c);
    CHECK(report.at("complete") == false);
    CHECK(report.at("pages") == 2);
  }
  SECTION("the listing left it out, and the app has it") {
    w.app->add("a1", "ext-u1", "u1");
    connector::Reply page;
    page.outcome = Outcome::ok;
    page.accounts = {w.app->accounts.at("a2"), w.app->accounts.at("a3")};
    w.app->script.push_back({Operation::list, page, false});
    const auto report = w.reconcile(c);
    CHECK(report.at("complete") == true);
    CHECK(count(report, "missing_account") == 0);
  }
}

TEST_CASE("an account that came after its look-up is looked up again", "[engine][R13]") {
  Listed w;
  w.app->add("a9", "ext-other", "other");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1min);
  REQUIRE(w.binding(c, ann).state == port::BindingState::absent);
  w.app->add("a1", "ext-ann", "ann");
  CHECK(w.reconcile(c).at("looked_up") == 1);
  w.run(1min);
  CHECK(w.binding(c, ann).state == port::BindingState::bound);
  CHECK(w.reconcile(c).at("looked_up") == 0);
}

TEST_CASE("a long listing goes page by page, with progress", "[engine][R6]") {
  Listed w;
  for (int i = 0; i < 1234; ++i) w.app->add("a" + std::to_string(10'000 + i), "", "user" + std::to_string(i));
  const auto c = w.integrate("okta");
  w.app->latency = 100ms;
  std::optional<json::object> report;
  w.engine->reconcile(
      w.by(), c->row.scope.integration, false, [](const Result<WorkId>& r) { REQUIRE(r); },
      [&](Result<json::object> r) { report = std::move(*r); });
  w.run(350ms);
  std::optional<json::object> now;
  w.engine->reconciliation(w.by(), c->row.scope.integration, [&](Result<json::object> r) { now = std::move(*r); });
  w.run(0s);
  REQUIRE(now);
  CHECK(now->at("state") == "running");
  CHECK(now->at("accounts") == 300);
  std::optional<Errc> second;
  w.engine->reconcile(
      w.by(), c->row.scope.integration, false, [&](const Result<WorkId>& r) { second = r.error().code(); },
      [](const Result<json::object>&) { FAIL("a second run"); });
  w.run(1min);
  CHECK(second == Errc::conflict);
  REQUIRE(report);
  CHECK(report->at("pages") == 13);
  CHECK(report->at("accounts") == 1234);
  CHECK(count(*report, "orphan") == 1234);
  CHECK(w.findings(c, *report).size() == 1234);
}

TEST_CASE("each integration is reconciled daily by itself, proposing; and as its settings say", "[engine][R6]") {
  Listed w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  w.add_user(c, "ann", false);
  w.run(23h);
  CHECK(w.events(c, "reconciliation.done") == 0);
  w.run(2h);
  CHECK(w.events(c, "reconciliation.done") == 1);
  w.run(48h);
  CHECK(w.events(c, "reconciliation.done") == 3);
  CHECK(w.app->accounts.at("a1").active == true);
  const auto settings = [&](const char* text) {
    bool ok = false;
    w.engine->update_integration(w.by(), c->row.scope.integration,
                                 {{"settings", json::parse(text)}, {"check", false}},
                                 [&](const Result<port::IntegrationRow>& r) { ok = r.has_value(); });
    w.run(0s);
    REQUIRE(ok);
  };
  SECTION("after a restart it goes on where it was") {
    w.crash();
    w.boot();
    w.run(23h);
    CHECK(w.events(c, "reconciliation.done") <= 4);
    w.run(2h);
    CHECK(w.events(c, "reconciliation.done") == 4);
  }
  SECTION("off") {
    settings(R"({"reconcile":{"mode":"off"}})");
    w.run(72h);
    CHECK(w.events(c, "reconciliation.done") == 3);
  }
  SECTION("queue, every hour") {
    settings(R"({"reconcile":{"mode":"queue","every_hours":1}})");
    w.run(2h);
    CHECK(w.events(c, "reconciliation.done") >= 4);
    CHECK(w.app->accounts.at("a1").active == false);
  }
}

TEST_CASE("changes of an integration do not put its first reconciliation off", "[engine]") {
  Listed w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  for (int hours = 0; hours < 25; hours += 5) {
    w.run(5h);
    std::optional<bool> ok;
    w.engine->update_integration(w.by(), c->row.scope.integration,
                                 {{"name", "app " + std::to_string(hours)}, {"check", false}},
                                 [&](const Result<port::IntegrationRow>& r) { ok = r.has_value(); });
    w.run(0s);
    REQUIRE(ok == true);
  }
  w.run(5min);
  CHECK(w.events(c, "reconciliation.done") == 1);
}

TEST_CASE("who may not manage integrations may not reconcile, and an app that cannot list says so",
          "[engine][R21]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  engine::Principal by;
  by.workspace = w.workspace;
  by.role = port::Role::member;
  std::optional<Errc> code;
  const auto start = [&] {
    code.reset();
    w.engine->reconcile(
        by, c->row.scope.integration, true,
        [&](const Result<WorkId>& r) {
          if (!r) code = r.error().code();
        },
        [&](const Result<json::object>& r) { code = r.error().code(); });
    w.run(1s);
    return code;
  };
  CHECK(start() == Errc::forbidden);
  by.role = port::Role::owner;
  by.workspace = w.random.id<WorkspaceId>(w.clock.wall());
  CHECK(start() == Errc::not_found);
  by.workspace = w.workspace;
  CHECK(start() == Errc::unsupported);
  CHECK(w.events(c, "reconciliation.failed") == 1);
  w.run(72h);
  CHECK(w.events(c, "reconciliation.failed") == 1);  // and does not try by itself
}
