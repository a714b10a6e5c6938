// What connectors keep between two starts.
#include <optional>
#include <utility>
#include "catch.hpp"
#include "support/fake_app.hpp"
#include "support/faulty_store.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using port::Checkpoints;

namespace {

struct Keeping : test::World {
  using World::World;
  /// Of an integration whose connector was opened last.
  std::shared_ptr<Checkpoints> kept() {
    run(10s);
    REQUIRE_FALSE(app->checkpoints.empty());
    REQUIRE(app->checkpoints.back());
    return app->checkpoints.back();
  }
  template <class T>
  Result<T> wait(const std::function<void(port::UniqueFunction<void(Result<T>)>)>& start) {
    auto got = std::make_shared<std::optional<Result<T>>>();
    start([got](Result<T> r) { got->emplace(std::move(r)); });
    run(1s);
    REQUIRE(*got);
    return std::move(**got);
  }
  Result<std::string> get(Checkpoints& of, const std::string& name) {
    return wait<std::string>([&](auto done) { of.get(name, std::move(done)); });
  }
  Result<void> set(Checkpoints& of, const std::string& name, const std::string& value) {
    return wait<void>([&](auto done) { of.set(name, value, std::move(done)); });
  }
};

}  // namespace

TEST_CASE("what a connector keeps is there after a crash, for its integration alone", "[engine][R21]") {
  Keeping w;
  (void)w.integrate("okta");
  (void)w.integrate("okta");  // which starts the engine anew
  const auto theirs = w.kept();
  REQUIRE(w.app->checkpoints.size() == 3);
  const auto mine = w.app->checkpoints[1];
  CHECK(w.get(*mine, "cursor").error().code() == Errc::not_found);
  REQUIRE(w.set(*mine, "cursor", "17"));
  REQUIRE(w.set(*mine, "cursor", "18"));
  CHECK(w.get(*mine, "cursor").value() == "18");
  CHECK(w.get(*theirs, "cursor").error().code() == Errc::not_found);
  w.crash();
  // The engine is gone: who still has them is told so, and nothing is kept.
  bool told = false;
  mine->set("cursor", "19", [&](Result<void> r) { told = r.error().code() == Errc::closed; });
  mine->get("cursor", [&](Result<std::string> r) { told = told && r.error().code() == Errc::closed; });
  CHECK(told);
  w.app->checkpoints.clear();
  w.boot();
  w.run(10s);
  const auto again = w.app->checkpoints;
  REQUIRE(again.size() == 2);
  const bool first = w.get(*again[0], "cursor").has_value();
  auto& of_mine = *again[first ? 0 : 1];
  CHECK(w.get(of_mine, "cursor").value() == "18");
  CHECK(w.get(*again[first ? 1 : 0], "cursor").error().code() == Errc::not_found);
  REQUIRE(w.set(of_mine, "cursor", ""));
  CHECK(w.get(of_mine, "cursor").error().code() == Errc::not_found);
}

TEST_CASE("names, values and number of checkpoints have bounds, which errors name", "[engine]") {
  Keeping w;
  (void)w.integrate("okta");
  const auto mine = w.kept();
  const auto refused = [&](const std::string& name, const std::string& value) {
    const auto r = w.set(*mine, name, value);
    REQUIRE_FALSE(r);
    return std::string(r.error().detail());
  };
  CHECK(refused("", "x").find("needs a name") != std::string::npos);
  CHECK(refused("a b", "x").find("visible ASCII") != std::string::npos);
  CHECK(refused("\xc3\xa4", "x").find("visible ASCII") != std::string::npos);
  CHECK(refused(std::string(101, 'n'), "x").find("100 bytes") != std::string::npos);
  CHECK(refused("n", std::string(Checkpoints::max_value_bytes + 1, 'v')).find("64 KiB") != std::string::npos);
  CHECK_FALSE(w.get(*mine, ""));
  const std::string most(Checkpoints::max_value_bytes, 'v');
  for (std::size_t i = 0; i < Checkpoints::max_names; ++i) REQUIRE(w.set(*mine, "n" + std::to_string(i), most));
  CHECK(refused("one-more", "x").find("32 checkpoints") != std::string::npos);
  CHECK(w.get(*mine, "one-more").error().code() == Errc::not_found);
  REQUIRE(w.set(*mine, "n0", "y"));  // that is no new one
  REQUIRE(w.set(*mine, "n1", ""));
  REQUIRE(w.set(*mine, "one-more", "x"));
  CHECK(w.get(*mine, "n31").value() == most);
}

TEST_CASE("with an integration goes what its connector kept", "[engine][R8]") {
  Keeping w;
  const auto c = w.integrate("okta");
  const auto mine = w.kept();
  REQUIRE(w.set(*mine, "cursor", "17"));
  engine::Principal owner;
  owner.workspace = w.workspace;
  owner.role = port::Role::owner;
  REQUIRE(w.wait<void>(
      [&](auto done) { w.engine->delete_integration(owner, c->row.scope.integration, true, std::move(done)); }));
  CHECK(w.get(*mine, "cursor").error().code() == Errc::not_found);
  CHECK(w.set(*mine, "cursor", "18").error().code() == Errc::not_found);
  w.read([&](port::Reader& r) { CHECK_FALSE(r.checkpoint(c->row.scope, "cursor").value()); });
}

TEST_CASE("nothing is kept for an integration that was deleted meanwhile", "[engine][R8]") {
  const auto faults = std::make_shared<test::StoreFaults>();
  test::FaultyStore* store = nullptr;
  Keeping w{1, test::faulty(faults, &store)};
  const auto c = w.integrate("okta");
  const auto mine = w.kept();
  const auto scope = c->row.scope;
  // Another engine deletes it just before this one writes.
  bool deleted = false;
  const auto another = [&]() -> std::optional<Error> {
    if (std::exchange(deleted, true)) return std::nullopt;
    store->inner().transact(
        [&](port::Reader& r) -> Result<port::Transaction> {
          auto row = r.integration(scope).value().value();
          row.state = port::IntegrationState::deleted;
          port::Transaction txn;
          txn.id = w.random.id<TxnId>(w.clock.wall());
          txn.ops.emplace_back(port::op::PutIntegration{row});
          txn.ops.emplace_back(port::op::RemoveCheckpoints{scope});
          return txn;
        },
        [](Result<port::Committed> committed) { REQUIRE(committed); });
    return std::nullopt;
  };
  faults->on_transact = another;
  faults->on_commit = [&](const port::Transaction&) { return another(); };
  CHECK(w.set(*mine, "cursor", "17").error().code() == Errc::not_found);
  CHECK(deleted);
  w.read([&](port::Reader& r) { CHECK_FALSE(r.checkpoint(scope, "cursor").value()); });
}
