// One seed from the beginning to the end, and the shortest list of events that still fails.
#pragma once

#include <cstdint>
#include <deprov/time.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>
#include "sim/faults.hpp"
#include "sim/oracle.hpp"
#include "sim/script.hpp"

namespace deprov::test::sim {

struct Outcome {
  std::optional<Violation> violation;
  Oracle::Counts counts;
  std::uint64_t steps = 0;      ///< tasks that ran
  std::uint64_t conflicts = 0;  ///< commits whose reads had changed, and were decided again
  std::uint64_t refused = 0;    ///< commits that the guard refused
  std::uint64_t digest = 0;     ///< of all activity
  Duration lasted{0};           ///< in the world's time
};

/// *Thread safety*: worlds have nothing in common; each call is one thread's.
/// `line` gets what the activity says at the end.
[[nodiscard]] Outcome play(const Script& script, const Fault* fault = nullptr,
                           const std::function<void(const std::string&)>& line = {});

/// Which events of a failing script are needed for the same oracle to find something (delta debugging), by index.
/// Plays it at most `most` times.
[[nodiscard]] std::vector<std::size_t> minimise(const Script& script, const Violation& violation,
                                                const Fault* fault = nullptr, std::size_t most = 400);
/// The script with those events alone.
[[nodiscard]] Script only(Script script, const std::vector<std::size_t>& events);

/// What a person needs to see it again.
[[nodiscard]] std::string report(const Script& script, const std::vector<std::size_t>& needed,
                                 const Violation& violation, const Fault* fault = nullptr);

}  // namespace deprov::test::sim
