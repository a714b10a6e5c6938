// Percentiles of any number of durations, in constant memory.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <deprov/time.hpp>
#include <vector>

namespace deprov::evidence {

/// Counts durations in buckets whose width is 1/256 of their value: what it answers is at most 0.4 percent too
/// long, and never too short.
class Durations {
 public:
  void add(Duration d) {
    const auto v = static_cast<std::uint64_t>(std::max<std::int64_t>(d.count(), 0));
    if (counts_.empty()) counts_.resize(buckets);
    ++counts_[index_of(v)];
    ++count_;
    max_ = std::max(max_, v);
  }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] Duration max() const noexcept { return Duration(static_cast<std::int64_t>(max_)); }
  /// The duration that a share `q` of all does not exceed (nearest rank); zero where there are none.
  [[nodiscard]] Duration percentile(double q) const {
    if (count_ == 0) return Duration(0);
    const auto rank = std::clamp<std::uint64_t>(
        static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(count_))), 1, count_);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      sum += counts_[i];
      if (sum >= rank) return Duration(static_cast<std::int64_t>(std::min(last_of(i), max_)));
    }
    return max();
  }

 private:
  static constexpr std::uint64_t parts = 256;
  static constexpr std::size_t buckets = parts + parts * 56;  // durations have 63 bits

  static std::size_t index_of(std::uint64_t v) noexcept {
    if (v < parts) return static_cast<std::size_t>(v);
    const auto shift = static_cast<std::uint64_t>(std::bit_width(v)) - 9;
    return static_cast<std::size_t>(parts + shift * parts + ((v >> shift) - parts));
  }
  static std::uint64_t last_of(std::size_t index) noexcept {
    const auto i = static_cast<std::uint64_t>(index);
    if (i < parts) return i;
    const auto shift = (i - parts) / parts;
    return ((parts + (i - parts) % parts + 1) << shift) - 1;
  }

  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace deprov::evidence
