// Recurring duties of each integration: reconciling, and deleting old details. One at a time for all of them.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include "engine/impl.hpp"

namespace deprov::engine {

/// How often an integration is reconciled by itself; 24 hours where nothing else is set.
[[nodiscard]] Duration reconcile_interval(const Context& context);

/// *Thread safety*: the executor only.
class Chores : public std::enable_shared_from_this<Chores> {
 public:
  explicit Chores(Engine::Impl& engine) : engine_(engine) {}
  ~Chores();
  Chores(const Chores&) = delete;
  Chores& operator=(const Chores&) = delete;

  /// The integration is there, or its settings changed.
  void watch(const Context& context);
  void forget(IntegrationId id);
  /// Starts nothing any more.
  void stop();

 private:
  struct Key {
    Uuid integration;
    std::string chore;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  void plan(const Context& context, std::string_view chore, std::optional<Duration> every);
  void arm();
  void fire();
  void run_next();
  void ended(const Key& key, Duration until_next, const std::optional<Error>& error);

  Engine::Impl& engine_;
  std::map<Key, WallTime> due_;
  std::deque<Key> queue_;
  bool busy_ = false;
  bool stopped_ = false;
  port::TimerId timer_ = 0;
  std::uint64_t generation_ =
      0;  ///< of what was asked of the store last, so that an old answer counts for nothing
  std::map<Key, std::uint64_t> asked_;
};

}  // namespace deprov::engine
