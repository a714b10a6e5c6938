// The guard (R7): how many subjects may lose access before a person is asked.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <deprov/error.hpp>
#include <limits>
#include <vector>

namespace deprov::policy {

namespace json = boost::json;

/// Limits of one integration, for each of the two rolling windows, 60 minutes and 24 hours.
struct Guard {
  bool enabled = true;
  double percent = 20;           ///< of the subjects that had access when the window began
  std::uint64_t absolute = 500;  ///< whichever of the two comes first
  /// Where fewer than `below` had access: the larger of `least` and `percent` instead.
  struct Small {
    std::uint64_t below = 100;
    double percent = 50;
    std::uint64_t least = 5;
  } small;
  /// Of one group: more than `percent` of its members, and at least `least` of them.
  struct Group {
    double percent = 50;
    std::uint64_t least = 10;
  } group;
  double removal_percent = 50;  ///< what of the limits holds for removals and deletions of accounts
};

constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

/// 100 percent is no limit by share.
/// The most subjects that may worsen in a window at whose beginning `base` had access.
[[nodiscard]] std::uint64_t guard_limit(const Guard& guard, std::uint64_t base) noexcept;
/// The same for removals and deletions of accounts.
[[nodiscard]] std::uint64_t removal_limit(const Guard& guard, std::uint64_t base) noexcept;
/// The most members of one group of `members` that may worsen by it.
[[nodiscard]] std::uint64_t group_limit(const Guard& guard, std::uint64_t members) noexcept;
/// Whether the limit depends on how many had access.
[[nodiscard]] bool needs_base(const Guard& guard) noexcept;

/// How many more (or fewer) have access since one minute.
struct PopulationStep {
  std::int64_t minute = 0;
  std::int64_t delta = 0;
};
/// How many had access when each window began.
struct GuardBase {
  std::uint64_t hour = 0;
  std::uint64_t day = 0;
  bool lasting = false;  ///< of the past alone: it stays so for that minute
};
/// `steps` in the order of their minutes, the first standing for everything before. Where nobody had access when a
/// window began, the largest number since then stands in: a new integration has no past to be measured by.
/// `lost_hour` and `lost_day` have lost it within the windows, and had it before.
[[nodiscard]] GuardBase guard_base(const std::vector<PopulationStep>& steps, std::int64_t minute,
                                   std::uint64_t lost_hour = 0, std::uint64_t lost_day = 0) noexcept;

/// The part of the policy's schema.
[[nodiscard]] const json::value& guard_schema();
/// Of a document that fits the schema.
[[nodiscard]] Guard parse_guard(const json::object& document);
[[nodiscard]] json::object to_json(const Guard& guard);

}  // namespace deprov::policy

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/policy/impl/guard.ipp>
#endif
