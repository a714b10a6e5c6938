// Notifications and webhooks on an executor that the host pumps: no thread of ours.
#include <deprov/crypto/crypto.hpp>
#include <deprov/engine/engine.hpp>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/host_executor.hpp>
#include <deprov/runtime/random.hpp>
#include <deprov/store/memory_store.hpp>
#include "catch.hpp"
#include "support/receiver.hpp"

using namespace deprov;
using namespace std::chrono_literals;

TEST_CASE("a host that pumps is told from within its pump", "[engine][notify][webhook]") {
  runtime::HostExecutor executor;
  runtime::SystemClock clock;
  runtime::SeededRandom random{3};
  const auto crypto = crypto::make_crypto();
  const auto store = store::make_memory_store(*crypto);
  test::Receiver receiver;
  engine::Options options;
  options.master_key = std::string(32, 'k');
  auto made = engine::Engine::create({executor, clock, random, *store, receiver, *crypto}, options);
  REQUIRE(made);
  auto& engine = **made;
  bool pumping = false;
  const auto pump_until = [&](const auto& done) {
    for (int i = 0; i < 10'000 && !done(); ++i) {
      pumping = true;
      (void)executor.pump(1s);
      pumping = false;
    }
    REQUIRE(done());
  };
  std::optional<engine::CreatedPrincipal> owner;
  engine::Principal local;
  local.role = port::Role::owner;
  bool started = false;
  engine.start([&](const Result<void>& r) {
    REQUIRE(r);
    started = true;
  });
  pump_until([&] { return started; });
  engine.create_workspace(local, "home", "owner", [&](Result<engine::CreatedPrincipal> r) {
    REQUIRE(r);
    owner = std::move(*r);
  });
  pump_until([&] { return owner.has_value(); });
  const engine::Principal by{owner->row.workspace, owner->row.id, owner->row.name, owner->row.role};
  std::vector<engine::NotificationType> told;
  auto subscription = engine.subscribe_notifications(by.workspace, {}, [&](const engine::Notification& n) {
    CHECK(pumping);
    told.push_back(n.type);
  });
  bool hooked = false;
  engine.create_webhook(by, {.name = "alerts", .url = "https://alerts.example.com/"},
                        [&](const Result<engine::CreatedWebhook>& r) {
                          REQUIRE(r);
                          hooked = true;
                        });
  pump_until([&] { return hooked; });
  engine.stop_workspace(by, "bad feed", [](const Result<void>& r) { REQUIRE(r); });
  pump_until([&] { return !told.empty() && !receiver.got.empty(); });
  CHECK(told == std::vector<engine::NotificationType>{engine::NotificationType::lane_paused});
  CHECK(receiver.types() == std::vector<std::string>{"lane.paused"});
  subscription.reset();
  bool closed = false;
  engine.close(1s, [&](const Result<void>& r) {
    CHECK(r);
    closed = true;
  });
  pump_until([&] { return closed; });
  made->reset();
  (void)executor.pump(1s);
}
