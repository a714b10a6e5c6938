// A simulated app behind the connector port: slow, failing, throttling, lying, losing answers, showing old states.
#pragma once

#include <array>
#include <cstdint>
#include <deprov/port/clock.hpp>
#include <deprov/port/connector.hpp>
#include <deprov/port/executor.hpp>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>
#include "sim/rng.hpp"
#include "sim/script.hpp"

namespace deprov::test::sim {

/// How an app misbehaves, in permille of its calls.
struct Weather {
  std::uint32_t unavailable = 0;  ///< answered UNAVAILABLE, nothing happened
  std::uint32_t throttled = 0;
  std::uint32_t not_sent = 0;
  std::uint32_t lost = 0;      ///< the request is lost: UNKNOWN_OUTCOME, nothing happened
  std::uint32_t unheard = 0;   ///< it happens, the answer is lost: UNKNOWN_OUTCOME
  std::uint32_t protocol = 0;  ///< it may happen; the answer is nonsense
  std::uint32_t lies = 0;      ///< "done", and nothing happened
  std::uint32_t denied = 0;
  std::uint32_t slow_ms = 40;  ///< the longest latency each way
  bool auth_broken = false;
  bool mute = false;  ///< nothing is answered before the call times out
};
/// One of a few kinds of bad weather.
[[nodiscard]] Weather weather(std::uint32_t kind);

/// Who last changed the state of an account.
enum class By : std::uint8_t { nobody, deprov, hand };

struct SimAccount {
  connector::Account shown;  ///< without `active`
  bool active = true;
  bool gone = false;
  std::vector<std::pair<MonoTime, bool>> before;  ///< until when it was what, for reads that lag
  By flipped = By::nobody;
  MonoTime by_hand_at;               ///< when somebody last flipped it
  bool in_doubt = false;             ///< since our last flip, a change of ours may have happened
  bool ours_disabled = false;        ///< our last flip was a disable
  bool unverified = false;           ///< our last flip was an enable that no read has shown yet
  bool enabled_for_a_reason = true;  ///< at the last enable
  std::uint32_t disabled = 0;        ///< effects of deprov
  std::uint32_t deleted = 0;
};

/// What the oracles want to hear of. Called when it happens, on the one thread.
class AppWatch {
 public:
  virtual ~AppWatch() = default;
  /// The engine hands a call over; before anything of it leaves.
  virtual void call_begins(std::size_t app, const connector::Call& call) = 0;
  /// A change has reached the app, and was carried out there or not.
  virtual void change_arrives(std::size_t app, const connector::Call& call) = 0;
  /// A change had an effect.
  virtual void effect(std::size_t app, const connector::Call& call, const SimAccount& account, By before) = 0;
};

/// Mistakes that a connector could have, for the planted faults.
enum class ConnectorFault : std::uint8_t { none, calls_twice, wrong_account, reads_what_is_wanted };

struct AppWorld {
  port::Executor& executor;  ///< the world's: it survives engines
  port::Clock& clock;
  AppWatch& watch;
};

/// The app; it outlives engines and connections.
class SimApp {
 public:
  SimApp(std::size_t index, const AppPlan& plan, AppWorld world, std::uint64_t seed);

  [[nodiscard]] std::size_t index() const noexcept { return index_; }
  [[nodiscard]] const connector::Description& description() const noexcept { return description_; }
  [[nodiscard]] std::map<std::string, SimAccount>& accounts() noexcept { return accounts_; }
  SimAccount& add(const std::string& id, const std::string& external_id, const std::string& user_name);
  void set_weather(const Weather& w) { weather_ = w; }
  void heal();
  void flip_by_hand(SimAccount& account);

  /// The calls under way of one engine; when it dies nobody waits for their answers any more.
  struct Calls {
    std::map<std::uint64_t, connector::Completion> waiting;
    std::uint64_t next = 1;
  };
  void start(const std::shared_ptr<Calls>& calls, connector::Call call, connector::Completion done);

  ConnectorFault fault = ConnectorFault::none;

 private:
  struct Async {
    connector::Call call;
    MonoTime ready;
    bool over = false;
  };
  void arrive(const std::weak_ptr<Calls>& calls, std::uint64_t id, const connector::Call& call);
  connector::Reply answer(const connector::Call& call);
  connector::Reply carry_out(const connector::Call& call);
  connector::Reply change(const connector::Call& call);
  connector::Reply poll(const connector::Call& call);
  void flip(SimAccount& account, bool active, By by);
  /// Not before what was sent about the same account earlier.
  MonoTime in_order(const std::string& account, MonoTime at);
  [[nodiscard]] connector::Account show(const SimAccount& account) const;
  [[nodiscard]] bool shown_active(const SimAccount& account) const;

  std::size_t index_;
  AppPlan plan_;
  AppWorld world_;
  Rng rng_;
  Weather weather_;
  connector::Description description_;
  std::map<std::string, SimAccount> accounts_;
  std::map<std::string, Async> async_;
  std::map<std::string, MonoTime> last_;  ///< by account: what came first is done first
};

class SimKind final : public port::ConnectorKind {
 public:
  SimKind(std::shared_ptr<SimApp> app, std::shared_ptr<SimApp::Calls> calls)
      : app_(std::move(app)), calls_(std::move(calls)) {}
  [[nodiscard]] const connector::Description& describe() const override { return app_->description(); }
  [[nodiscard]] Result<std::unique_ptr<connector::Connector>> open(const connector::json::object& config,
                                                                   port::ConnectorHost host) const override;

 private:
  std::shared_ptr<SimApp> app_;
  std::shared_ptr<SimApp::Calls> calls_;
};

}  // namespace deprov::test::sim
