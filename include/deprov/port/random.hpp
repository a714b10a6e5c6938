// Chance comes from here and nowhere else.
#pragma once

#include <array>
#include <cstdint>
#include <deprov/uuid.hpp>
#include <span>

namespace deprov::port {

/// Fills with bytes that nobody can predict (in the simulator: of the seed). *Thread safety*: any thread.
class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;

  [[nodiscard]] std::uint64_t u64() {
    std::array<std::uint8_t, 8> b{};
    fill(b);
    std::uint64_t v = 0;
    for (auto x : b) v = (v << 8U) | x;
    return v;
  }
  /// Uniform in [0, n); 0 for n = 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : u64() % n; }
  template <class IdType>
  [[nodiscard]] IdType id(WallTime now) {
    std::array<std::uint8_t, 10> b{};
    fill(b);
    return IdType{make_uuid_v7(now, b)};
  }
};

}  // namespace deprov::port
