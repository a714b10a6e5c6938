// What goes first in a lane: 0 is the first.
#pragma once

#include <cstdint>

namespace deprov::engine {

inline constexpr std::uint8_t access_priority = 1;
inline constexpr std::uint8_t bind_priority = 9;  ///< R15: look-ups come last

}  // namespace deprov::engine
