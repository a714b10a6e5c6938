#include <bit>
#include <deprov/runtime/random.hpp>
#include <mutex>

namespace deprov::runtime {

struct SeededRandom::State {
  std::mutex mutex;
  std::array<std::uint64_t, 4> s{};

  std::uint64_t next() {
    const auto result = std::rotl(s[1] * 5, 7) * 9;
    const auto t = s[1] << 17U;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = std::rotl(s[3], 45);
    return result;
  }
};

SeededRandom::SeededRandom(std::uint64_t seed) : state_(std::make_unique<State>()) {
  // splitmix64 spreads the seed, so that neighbouring seeds have nothing in common.
  for (auto& word : state_->s) {
    seed += 0x9E3779B97F4A7C15ULL;
    auto z = seed;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    word = z ^ (z >> 31U);
  }
}

SeededRandom::~SeededRandom() = default;

void SeededRandom::fill(std::span<std::uint8_t> out) {
  const std::lock_guard lock(state_->mutex);
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (i % 8 == 0) word = state_->next();
    out[i] = static_cast<std::uint8_t>(word & 0xFFU);
    word >>= 8U;
  }
}

}  // namespace deprov::runtime
