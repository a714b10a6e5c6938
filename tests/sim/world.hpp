// Everything of one seed in one thread: engines on one store, IdPs, apps, operators, and the clock.
#pragma once

#include <deprov/crypto/crypto.hpp>
#include <deprov/engine/engine.hpp>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/random.hpp>
#include <deprov/runtime/virtual_executor.hpp>
#include <deprov/service/scim_service.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>
#include "sim/app.hpp"
#include "sim/directory.hpp"
#include "sim/disk.hpp"
#include "sim/faults.hpp"
#include "sim/idp.hpp"
#include "sim/script.hpp"

namespace deprov::test::sim {

class Oracle;

/// The calendar of the engines, which may be a wrong one.
class EngineClock final : public port::Clock {
 public:
  explicit EngineClock(const runtime::VirtualClock& clock) : clock_(clock), start_(clock.mono()) {}
  [[nodiscard]] WallTime wall() const override {
    return fast ? clock_.wall() + (clock_.mono() - start_) * 3 : clock_.wall();
  }
  [[nodiscard]] MonoTime mono() const override { return clock_.mono(); }
  bool fast = false;

 private:
  const runtime::VirtualClock& clock_;
  MonoTime start_;
};

/// What the world knows of one identity in a directory that is polled.
struct Presence {
  bool in = false;
  /// Surely in a list that deprov took; who never was in a list is not gone from it.
  bool listed = false;
  bool ever_out = false;  ///< since it was surely known as there
  MonoTime since;         ///< when `in` last changed
};

class World final : public Wire {
 public:
  World(const Script& script, const Fault* fault);
  ~World() override;
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// From the first user to the last oracle.
  void run();
  /// All activity, line by line.
  void tell(const std::function<void(const std::string&)>& line);

  // ---- what the oracles look at
  struct App {
    AppPlan plan;
    port::Scope scope;
    std::shared_ptr<SimApp> app;
    std::unique_ptr<Idp> idp;
    std::unique_ptr<Directory> directory;      ///< null: it is not polled
    std::map<std::string, Presence> presence;  ///< by externalId
    SourceId source;
    bool stopped = false;             ///< the kill switch, or a pause, was answered and not taken back
    std::set<ResourceId> unbound;     ///< by an operator
    std::set<ResourceId> offboarded;  ///< by an operator
    std::set<JobId> approved;
    bool switching = false;
  };
  const Script& script;
  runtime::VirtualClock clock;
  std::unique_ptr<port::Crypto> crypto = crypto::make_crypto();
  std::unique_ptr<Oracle> oracle;
  std::unique_ptr<Disk> disk;
  std::vector<App> apps;
  WorkspaceId workspace;
  /// Until when something that was done to the world may still delay what is expected of it.
  MonoTime troubled_until;
  Duration jumped{0};  ///< forward jumps of the calendar, summed
  std::uint64_t steps = 0;
  bool all_stopped = false;  ///< the workspace
  bool disk_was_troubled = false;
  bool calm = false;  ///< the last phase: nothing fails any more
  void trouble(Duration lasting);
  /// More than one engine: each hears of what the others were told from the store.
  [[nodiscard]] bool several() const noexcept { return nodes_.size() > 1; }
  /// An oracle found something: the run ends.
  void stop_running() { over_ = true; }
  /// SCIM push showed that somebody came or left: most directories show the same.
  void pushed(App& app, idp::ChangeKind kind, const std::string& external_id);
  void enter(App& app, const std::string& external_id);
  void leave(App& app, const std::string& external_id, std::uint32_t how);
  void sent_is_durable();
  void change_arrived();

  // ---- Wire
  void send(service::Request request, std::function<void(std::optional<service::Response>)> done) override;
  void later(Duration wait, std::function<void()> what) override;
  void surprised(const std::string& what) override;

 private:
  struct Node {
    std::size_t index = 0;
    std::unique_ptr<runtime::VirtualExecutor> executor;
    std::shared_ptr<SimApp::Calls> calls;
    std::unique_ptr<port::Store> store;
    std::unique_ptr<DirectoryHttp> http;
    std::unique_ptr<runtime::SeededRandom> random;
    std::unique_ptr<engine::Engine> engine;
    std::unique_ptr<service::ScimService> scim;
    bool up = false;
    std::uint32_t boots = 0;
    std::optional<std::uint32_t> dies_after;  ///< steps
    bool dies_at_sent = false;
    bool dies_at_app = false;
    std::map<std::uint64_t, std::function<void(std::optional<service::Response>)>> asked;
  };
  void set_up();
  void add_source(App& app);
  void boot(Node& node);
  void boot_later(std::size_t index, Duration wait);
  void crash(Node& node);
  void take_down(Node& node);
  void reconcile(std::size_t index);
  void run_until(MonoTime t);
  void run_for(Duration d) { run_until(clock.mono() + d); }
  bool step();
  Node* some_node();
  engine::Engine* some_engine();
  template <class T, class Start>
  std::optional<Result<T>> wait(Start start);

  // ---- events (world_events.cpp)
  void happen(const Event& e);
  void operate(const Event& e, App& app);
  void switch_off(App& app, bool kill, Duration lasting);
  void switch_off_all(Duration lasting);
  void resume(std::size_t app, int tries);
  void resume_all(int tries);
  void end_of_troubles();
  /// What a person would do who wants everything done; answers whether there was anything.
  bool clear_up();
  bool newest_of_its_subject(const App& app, const port::JobRow& job);
  std::vector<port::JobRow> jobs_in(const App& app, std::initializer_list<port::JobState> states);

  const Fault* fault_;
  Rng rng_;
  Rng directory_rng_;
  std::unique_ptr<EngineClock> engine_clock_;
  std::unique_ptr<runtime::VirtualExecutor> executor_;
  std::vector<Node> nodes_;
  engine::Principal by_;
  std::uint64_t asked_ = 0;
  bool all_switching_ = false;
  MonoTime troubled_by_disk_until_;
  std::map<ResourceId, int> retried_;
  bool over_ = false;
};

}  // namespace deprov::test::sim
