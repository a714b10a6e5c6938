// A source that something came for and that this engine does not know: another one may have made it.
#pragma once

#include <optional>
#include "engine/impl.hpp"

namespace deprov::engine {

/// *Thread safety*: the executor only. The engine outlives it.
class SourceLookup {
 public:
  /// A made-up id costs a look at the store; many of them cost no more than one each five seconds.
  static constexpr Duration rest = std::chrono::seconds(5);

  explicit SourceLookup(Engine::Impl& engine) : engine_(engine) {}
  /// `done` on the executor, possibly before this returns. Nothing: no integration has it. Errors: `busy` while it
  /// rests, and those of the store: whether there is one is not known then.
  void find(SourceId id, Done<std::optional<port::SourceRow>> done);

 private:
  Engine::Impl& engine_;
  std::optional<MonoTime> looked_;
};

}  // namespace deprov::engine
