// Old details are deleted, in pieces; the chain holds without them (R20).
#pragma once

#include <memory>
#include <string>
#include "engine/impl.hpp"

namespace deprov::engine {

/// The name of the duty, and where its progress stands.
inline constexpr std::string_view retention_chore = "retention";

struct RetentionTask {
  port::Scope scope;
  WallTime before;
  std::string actor;
  WallTime next;        ///< when it is due again; 0: that stays as it is
  bool always = false;  ///< say so on the activity where nothing was deleted, too
};
/// Answers how many details were deleted. `done` comes on the executor.
void run_retention(const std::shared_ptr<Engine::Impl>& impl, RetentionTask task, Done<std::uint64_t> done);

}  // namespace deprov::engine
