// Old details go, the chain stays.
#include <deprov/evidence/verifier.hpp>
#include "catch.hpp"
#include "support/fake_app.hpp"

using namespace deprov;
using namespace std::chrono_literals;

namespace {

engine::Principal by(const test::World& w, port::Role role = port::Role::owner) {
  engine::Principal p;
  p.workspace = w.workspace;
  p.role = role;
  return p;
}

Result<std::uint64_t> retain(test::World& w, const engine::Principal& who, IntegrationId id, WallTime before) {
  std::optional<Result<std::uint64_t>> deleted;
  w.engine->delete_details(who, id, before, [&](Result<std::uint64_t> r) { deleted = std::move(r); });
  w.run(1s);
  REQUIRE(deleted);
  return *deleted;
}

/// What a verifier without the store says of the integration's chain.
evidence::Report verify(test::World& w, const engine::Context& c) {
  evidence::Manifest head;
  head.workspace = w.workspace;
  evidence::Exporter out(*w.crypto, head);
  evidence::Verifier v(*w.crypto);
  v.line(out.header_line());
  v.line(out.chain_line(c->row.scope, "chain", {}));
  for (auto& row : w.activity(c)) v.line(evidence::Exporter::record_line(out.add(row)));
  v.line(out.manifest_line());
  return v.finish();
}

}  // namespace

TEST_CASE("details before a moment are deleted, the chain holds and says how many are gone", "[engine][R20]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  REQUIRE(w.set_active(c, ann, false));
  w.run(1min);
  const auto old = w.activity(c).size();
  REQUIRE(old > 5);
  w.run(24h * 40);
  const auto moment = w.clock.wall();
  w.clock.advance(1s);
  REQUIRE(w.set_active(c, ann, true));
  w.run(1min);
  const auto all = w.activity(c).size();

  const auto deleted = retain(w, by(w), c->row.scope.integration, moment);
  REQUIRE(deleted);
  CHECK(*deleted == old);
  const auto report = verify(w, c);
  CHECK(report.holds());
  CHECK(report.details_deleted == old);
  CHECK(report.details == all - old + 2);  // retention.started and retention.done
  const auto rows = w.activity(c);
  CHECK_FALSE(rows.front().detail);
  CHECK_FALSE(rows.front().salt);
  CHECK(rows.back().event == "retention.done");
  CHECK(rows.back().actor == "local");
  CHECK(rows.back().detail->find("\"details_deleted\":" + std::to_string(old)) != std::string::npos);
  CHECK(w.events(c, "retention.started") == 1);

  const auto again = retain(w, by(w), c->row.scope.integration, moment);
  REQUIRE(again);
  CHECK(*again == 0);
}

TEST_CASE("it takes an owner or super admin, a past moment, and one's own workspace", "[engine][R20][R21]") {
  test::World w;
  const auto c = w.integrate("okta");
  const auto id = c->row.scope.integration;
  w.clock.advance(1h);
  CHECK(retain(w, by(w, port::Role::admin), id, w.clock.wall()).error().code() == Errc::forbidden);
  CHECK(retain(w, by(w, port::Role::member), id, w.clock.wall()).error().code() == Errc::forbidden);
  CHECK(retain(w, by(w), id, w.clock.wall() + 1h).error().code() == Errc::invalid_argument);
  auto other = by(w);
  other.workspace = w.random.id<WorkspaceId>(w.clock.wall());
  CHECK(retain(w, other, id, w.clock.wall()).error().code() == Errc::not_found);
  CHECK(retain(w, by(w, port::Role::super_admin), id, w.clock.wall()));
  CHECK(retain(w, by(w), {}, w.clock.wall()));  // the workspace's own chain
}

TEST_CASE("a setting deletes details by itself, in pieces, again and again", "[engine][R20]") {
  test::World w;
  const auto c = w.integrate("okta");
  port::Transaction txn;
  txn.id = w.random.id<TxnId>(w.clock.wall());
  for (int i = 0; i < 12'000; ++i) {
    port::op::AppendActivity a;
    a.scope = c->row.scope;
    a.at = w.clock.wall() + std::chrono::seconds(i % 7);  // times need not rise
    a.event = "old";
    a.detail = "{}";
    w.random.fill(a.salt);
    txn.ops.emplace_back(std::move(a));
  }
  w.store->commit(std::move(txn), [](const Result<port::Committed>& r) { REQUIRE(r); });
  bool ok = false;
  w.engine->update_integration(by(w), c->row.scope.integration,
                               {{"settings", boost::json::object{{"retention_days", 30}}}, {"check", false}},
                               [&](const Result<port::IntegrationRow>& r) { ok = r.has_value(); });
  w.run(24h * 29);
  REQUIRE(ok);
  CHECK(w.events(c, "retention.started") == 0);
  CHECK(verify(w, c).details_deleted == 0);
  w.run(24h * 3);
  CHECK(w.events(c, "retention.started") == 1);
  CHECK(w.events(c, "retention.done") == 1);
  auto report = verify(w, c);
  CHECK(report.holds());
  CHECK(report.details_deleted >= 12'000);
  // Its own records grow old as well.
  w.run(24h * 35);
  report = verify(w, c);
  CHECK(report.holds());
  CHECK(report.details_deleted >= 12'003);
  CHECK(w.events(c, "retention.done") == 2);
}
