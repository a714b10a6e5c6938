// When a failed attempt is repeated (R17).
#pragma once

#include <algorithm>
#include <deprov/policy/policy.hpp>
#include <deprov/port/random.hpp>
#include <optional>

namespace deprov::jobs {

/// `max(server_wait, d/2 + rand(0, d/2))` with `d = min(ceiling, base * 2^(attempt-1))`; `attempt` counts from 1.
[[nodiscard]] inline Duration backoff(const policy::Retry& retry, std::uint32_t attempt,
                                      std::optional<Duration> server_wait, port::Random& random) {
  Duration d = retry.base;
  for (std::uint32_t i = 1; i < attempt && d < retry.ceiling; ++i) d *= 2;
  d = std::min(d, retry.ceiling);
  const auto half = d.count() / 2;
  const Duration wait(half + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(half) + 1)));
  return std::max(server_wait.value_or(Duration{0}), wait);
}

}  // namespace deprov::jobs
