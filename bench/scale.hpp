// How large a run is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>

namespace deprov::bench {

/// `n` times DEPROV_BENCH_SCALE, and at least 200: smaller for a smoke run (0.01).
inline std::size_t scaled(std::size_t n) {
  const char* scale = std::getenv("DEPROV_BENCH_SCALE");
  const double factor = scale != nullptr ? std::atof(scale) : 1.0;
  return std::max<std::size_t>(200, static_cast<std::size_t>(static_cast<double>(n) * factor));
}

}  // namespace deprov::bench
