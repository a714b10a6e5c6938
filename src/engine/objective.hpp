// Says when half of the objective for a removal is gone, and all of it, while the removal is unfinished.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include "engine/impl.hpp"

namespace deprov::engine {

/// The duty's name; its state is up to which evidence it was told.
inline constexpr std::string_view objective_chore = "objective";

/// Looks at the unfinished removals of each integration, again and again. When something is due follows from the
/// evidence times that the jobs have in the store and from what was told before, so that it outlives the process:
/// what came due while nobody was there is told at the next start. What came due between two looks of one
/// integration is one record, with a count. *Thread safety*: the executor only.
class Objectives : public std::enable_shared_from_this<Objectives> {
 public:
  explicit Objectives(Engine::Impl& engine) : engine_(engine) {}
  ~Objectives();
  Objectives(const Objectives&) = delete;
  Objectives& operator=(const Objectives&) = delete;

  /// The integration is there, or its policy changed.
  void watch(const Context& context);
  void forget(IntegrationId id);
  /// Starts nothing any more.
  void stop();

  /// How long after it came due it is told at the latest, while the store answers.
  [[nodiscard]] static Duration every(Duration objective);

 private:
  struct Look;
  void arm();
  void fire();
  void page(const std::shared_ptr<Look>& look);
  void tell(const std::shared_ptr<Look>& look);
  void ended(const std::shared_ptr<Look>& look);

  Engine::Impl& engine_;
  std::map<IntegrationId, WallTime> due_;
  std::shared_ptr<Look> running_;
  bool stopped_ = false;
  port::TimerId timer_ = 0;
};

}  // namespace deprov::engine
