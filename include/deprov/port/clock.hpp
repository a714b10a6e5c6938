// Time is read here and nowhere else.
#pragma once

#include <deprov/time.hpp>

namespace deprov::port {

/// *Thread safety*: any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallTime wall() const = 0;
  [[nodiscard]] virtual MonoTime mono() const = 0;
};

}  // namespace deprov::port
