// Chance that repeats itself: the same seed, the same bytes.
#pragma once

#include <array>
#include <cstdint>
#include <deprov/port/random.hpp>
#include <memory>
#include <span>

namespace deprov::runtime {

/// Deterministic bytes of a 64-bit seed (xoshiro256**), for simulations and tests; predictable, so never
/// for secrets. *Thread safety*: any thread; the order of calls decides who gets which bytes.
class SeededRandom final : public port::Random {
 public:
  explicit SeededRandom(std::uint64_t seed);
  ~SeededRandom() override;
  SeededRandom(const SeededRandom&) = delete;
  SeededRandom& operator=(const SeededRandom&) = delete;
  void fill(std::span<std::uint8_t> out) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace deprov::runtime
