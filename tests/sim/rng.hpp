// Chance of the simulator: small, seeded, and the same on every machine.
#pragma once

#include <cstdint>

namespace deprov::test::sim {

class Rng {
 public:
  /// Streams of one seed have nothing in common.
  explicit Rng(std::uint64_t seed, std::uint64_t stream = 0) : state_(mix(seed) ^ mix(stream * 2 + 1)) {}
  std::uint64_t next() { return mix(state_ += 0x9E3779B97F4A7C15ULL); }
  /// Uniform in [0, n); 0 for n = 0.
  std::uint32_t below(std::uint32_t n) { return n == 0 ? 0 : static_cast<std::uint32_t>(next() % n); }
  std::uint32_t between(std::uint32_t low, std::uint32_t high) { return low + below(high - low + 1); }
  bool permille(std::uint32_t p) { return below(1000) < p; }

 private:
  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31U);
  }
  std::uint64_t state_;
};

}  // namespace deprov::test::sim
