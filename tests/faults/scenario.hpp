// What an IdP and an admin ask for within a few minutes, repeated until it is acknowledged, and what must be so
// when it is over, whatever went wrong on the way.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>
#include "support/fake_app.hpp"

namespace deprov::test {

/// How the scenario sees the app, whatever it is behind.
struct AppView {
  std::function<void(const std::string& name)> add;     ///< an account of that login, active
  std::function<bool(const std::string& name)> active;  ///< as the app itself knows it
  /// How often the app carried out that operation on the account; nothing: it cannot tell.
  std::function<std::size_t(const std::string& operation, const std::string& name)> effects;
};
/// Of the app in memory.
[[nodiscard]] AppView view_of(FakeApp& app);

/// 13 people in two entitling groups: one joins, one leaves and comes back, one leaves a group, a group is
/// deleted, three leave of whom the last is beyond the guard's limit, and a person allows that.
class Scenario {
 public:
  struct Hooks {
    std::function<void()> arm;                     ///< from here on things go wrong
    std::function<void()> heal;                    ///< from here on nothing does
    std::function<void()> between;                 ///< after each request and its consequences
    Duration recovery = std::chrono::seconds(30);  ///< until what was put off by a failure is tried again
  };
  Scenario(World& world, AppView app) : w_(world), app_(std::move(app)) {}

  /// Everybody is there and bound; nothing goes wrong yet.
  void set_up();
  /// Asks for everything, one after the other; fails the test where a request is refused for good.
  void run(const Hooks& hooks);
  /// Everybody is where they belong, nothing is left to do, the chains verify, each effect was recorded before.
  void verify();
  /// One more removal, from the request to the verified result.
  void verify_usable();
  /// Nothing that was acknowledged is missing, at any moment; what was not is there as a whole or not at all.
  void verify_acknowledged();
  /// How many requests were acknowledged.
  [[nodiscard]] std::size_t acknowledged() const noexcept { return acknowledged_; }
  [[nodiscard]] std::size_t disabled() const;
  [[nodiscard]] const port::Scope& scope() const noexcept { return scope_; }

 private:
  struct Request {
    std::string name;
    std::function<Result<void>()> send;
    std::function<bool(port::Reader&)> there;  ///< its facts, as one transaction left them
  };
  Result<void> done(engine::Engine::EffectBody body);
  Result<void> set_active(const std::string& name, bool active);
  Result<void> allow();
  [[nodiscard]] bool active_row(port::Reader& reader, const std::string& name) const;
  void add_requests();
  void verify_chains();
  [[nodiscard]] engine::Context context() const { return w_.engine->integration(scope_.integration); }

  World& w_;
  AppView app_;
  port::Scope scope_;
  std::map<std::string, ResourceId> users_;
  ResourceId everybody_, guests_, late_;
  std::vector<Request> requests_;
  std::size_t acknowledged_ = 0;
};

}  // namespace deprov::test
