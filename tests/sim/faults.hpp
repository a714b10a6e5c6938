// Planted faults: each is what a mistake in deprov, in a port or in a policy would be, and each has to be found.
#pragma once

#include <span>
#include <string_view>
#include "sim/app.hpp"
#include "sim/directory.hpp"
#include "sim/disk.hpp"

namespace deprov::test::sim {

/// What a policy is made of instead of what the oracles know.
enum class PolicyFault : std::uint8_t {
  none,
  no_protection,
  no_guard,
  no_grace,
  no_approval,
  no_entitling,
  other_ranks
};

struct Fault {
  std::string_view name;
  std::string_view what;
  StoreFault store = StoreFault::none;
  ConnectorFault connector = ConnectorFault::none;
  PolicyFault policy = PolicyFault::none;
  bool fast_clock = false;  ///< the engine's wall clock runs at four times the speed
  ApiFault api = ApiFault::none;
};

[[nodiscard]] std::span<const Fault> planted_faults() noexcept;
/// Null where there is no such fault.
[[nodiscard]] const Fault* find_fault(std::string_view name) noexcept;

}  // namespace deprov::test::sim
