// What the connector of one integration keeps, in the engine's store.
#pragma once

#include <deprov/port/checkpoints.hpp>
#include <memory>
#include "engine/impl.hpp"

namespace deprov::engine {

/// It may outlive the engine; all it says then is `closed`.
[[nodiscard]] std::shared_ptr<port::Checkpoints> checkpoints_of(Engine::Impl& engine, const port::Scope& scope);

}  // namespace deprov::engine
