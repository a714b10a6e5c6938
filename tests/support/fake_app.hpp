// An app in memory whose answers a test can script, and a world of one engine in virtual time.
#pragma once

#include <deprov/crypto/crypto.hpp>
#include <deprov/engine/engine.hpp>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/random.hpp>
#include <deprov/runtime/virtual_executor.hpp>
#include <deprov/store/memory_store.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>
#include "support/no_http.hpp"

namespace deprov::test {

/// The app itself: it outlives connections and engines.
struct FakeApp {
  struct Scripted {
    connector::Operation operation;
    connector::Reply reply;
    bool effect_happens = false;  ///< the answer says one thing, the app does another
  };
  std::map<std::string, connector::Account> accounts;
  std::deque<Scripted> script;   ///< the next answers, by operation
  std::vector<std::string> log;  ///< "disable a1", in order of arrival
  connector::Description description;
  Duration latency{0};
  bool silent = false;  ///< calls are never answered
  std::vector<connector::Completion> unanswered;
  std::vector<std::shared_ptr<port::Checkpoints>> checkpoints;  ///< of each connection that was opened

  FakeApp();
  connector::Account& add(const std::string& id, const std::string& external_id, const std::string& user_name);
  /// Operations that it has besides the usual ones.
  void offer(std::initializer_list<connector::Operation> operations);
  void answer(connector::Operation operation, connector::Outcome outcome, bool effect_happens = false);
  [[nodiscard]] std::size_t count(const std::string& entry) const;
  connector::Reply carry_out(const connector::Call& call);
};

class FakeKind final : public port::ConnectorKind {
 public:
  explicit FakeKind(std::shared_ptr<FakeApp> app) : app_(std::move(app)) {}
  [[nodiscard]] const connector::Description& describe() const override { return app_->description; }
  [[nodiscard]] Result<std::unique_ptr<connector::Connector>> open(const connector::json::object& config,
                                                                   port::ConnectorHost host) const override;

 private:
  std::shared_ptr<FakeApp> app_;
};

struct World {
  using StoreMaker = std::function<std::unique_ptr<port::Store>(const port::Crypto&, port::Executor&)>;
  /// `make_store`: for another store than the one in memory; its executor is the first one, so `crash` is not for
  /// it.
  explicit World(std::uint64_t seed = 1, const StoreMaker& make_store = {});
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Opens the engine on the store as it is.
  void boot();
  /// As a kill -9: nothing of the engine's memory survives, the store does.
  void crash();
  /// Runs until nothing is ready and no timer is due within `span`.
  void run(Duration span = std::chrono::seconds(0)) { executor->run_for(span); }

  engine::Context integrate(const std::string& idp, const std::string& policy = "{}");
  ResourceId add_user(const engine::Context& c, const std::string& name, bool active = true);
  ResourceId add_group(const engine::Context& c, const std::string& name,
                       const std::vector<ResourceId>& members = {});
  Result<engine::Applied> set_active(const engine::Context& c, ResourceId user, bool active);
  Result<engine::Applied> remove_user(const engine::Context& c, ResourceId user);
  Result<engine::Applied> remove_group(const engine::Context& c, ResourceId group);
  Result<engine::Applied> members(const engine::Context& c, ResourceId group, engine::MemberStep::Kind kind,
                                  const std::vector<ResourceId>& who, bool groups = false);
  Result<engine::Applied> apply(const engine::Context& c, engine::Engine::EffectBody body);

  port::SubjectRow subject(const engine::Context& c, ResourceId user);
  port::BindingRow binding(const engine::Context& c, ResourceId user);
  std::vector<port::JobRow> jobs(const engine::Context& c, ResourceId user);
  /// The newest job of that kind; fails the test where there is none.
  port::JobRow job(const engine::Context& c, ResourceId user, port::JobKind kind = port::JobKind::remove_access);
  std::vector<port::ActivityRow> activity(const engine::Context& c);
  std::size_t events(const engine::Context& c, const std::string& event);
  template <class F>
  void read(F body) {
    bool done = false;
    store->view(
        [&](port::Reader& r) -> Result<void> {
          body(r);
          return {};
        },
        [&](Result<void>) { done = true; });
    while (!done && executor->run_one()) {
    }
  }

  runtime::VirtualClock clock;
  std::unique_ptr<port::Crypto> crypto = crypto::make_crypto();
  runtime::SeededRandom random;
  NoHttp http;
  port::HttpTransport* transport = &http;  ///< another one counts from the next boot on
  std::string connector = "fake";          ///< of the integrations to come
  std::string config = "{}";
  std::shared_ptr<FakeApp> app = std::make_shared<FakeApp>();
  std::unique_ptr<runtime::VirtualExecutor> executor;
  std::unique_ptr<port::Store> store;
  std::unique_ptr<engine::Engine> engine;
  WorkspaceId workspace;
  engine::Options options;
};

}  // namespace deprov::test
