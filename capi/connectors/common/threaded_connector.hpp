// What connectors have in common whose libraries wait: their operations are steps on a session, in threads.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include "common/threads.hpp"

namespace deprov_connectors {

/// `Accounts` is the session: it is made of the configuration and the connection, and has a function for each
/// operation. `Derived` may have a static `carry_out` of its own.
template <class Derived, class Accounts, class Config>
class ThreadedConnector : public deprov_sdk::Connector {
 public:
  void check(Call call) override {
    run(call, [](Accounts& a, const Call&, const Patience& p) { return a.check(p); });
  }
  void find(Call call) override {
    run(call, [](Accounts& a, const Call& c, const Patience& p) { return a.find(c, p); });
  }
  void read(Call call) override {
    run(call, [](Accounts& a, const Call& c, const Patience& p) { return a.read(c, p); });
  }
  void disable(Call call) override {
    run(call, [](Accounts& a, const Call& c, const Patience& p) { return a.set_active(c, false, p); });
  }
  void enable(Call call) override {
    run(call, [](Accounts& a, const Call& c, const Patience& p) { return a.set_active(c, true, p); });
  }
  void remove(Call call) override {
    run(call, [](Accounts& a, const Call& c, const Patience& p) { return a.remove(c, p); });
  }

 protected:
  using Call = deprov_sdk::Call;
  using Step = std::function<deprov_sdk::Reply(Accounts&, const Call&, const Patience&)>;

  ThreadedConnector(deprov_sdk::Connection connection, Config config)
      : connection_(connection),
        config_(std::move(config)),
        threads_(config_.connections, [this] { return std::make_unique<Accounts>(config_, connection_); }) {}

  /// In one of the threads, whose step may outlive the members of `Derived`.
  static deprov_sdk::Reply carry_out(Accounts& a, const Call& c, const Patience& p, const Step& step) {
    return step(a, c, p);
  }
  void run(const Call& call, Step step) {
    threads_.run(call, [step = std::move(step)](Accounts& a, const Call& c, const Patience& p) {
      c.complete(Derived::carry_out(a, c, p, step));
    });
  }
  [[nodiscard]] const deprov_sdk::Connection& connection() const noexcept { return connection_; }
  [[nodiscard]] const Config& config() const noexcept { return config_; }

 private:
  const deprov_sdk::Connection connection_;
  const Config config_;
  Threads<Accounts> threads_;  ///< the last: it ends first
};

}  // namespace deprov_connectors
