// The refusals that both stores give, with the same words.
#pragma once

#include <deprov/error.hpp>
#include <deprov/port/records.hpp>
#include <string>
#include <string_view>

namespace deprov::store {

/// `what`: "resource 0190...". A version of 0 means that there is none.
[[nodiscard]] Error stale(std::string_view what, std::uint64_t expected, std::uint64_t present);
[[nodiscard]] Error fenced_lane(const port::Scope& scope, std::uint64_t expected, std::uint64_t present);
[[nodiscard]] Error fenced_lease(JobId job);
[[nodiscard]] Error key_taken(std::string_view attribute);
[[nodiscard]] Error not_unique(std::string_view what, std::string_view value);
[[nodiscard]] Error no_such(std::string_view what);
[[nodiscard]] Error last_owner(WorkspaceId workspace);
[[nodiscard]] Error conflicting(std::string_view what, std::string_view why);
[[nodiscard]] Error guard_refuses(std::string_view counter, std::uint64_t amount, std::string_view window,
                                  std::uint64_t sum, std::uint64_t limit);
[[nodiscard]] Error too_many_checkpoints(std::string_view name, std::size_t most);
[[nodiscard]] Error store_closed();

/// Counters are kept longer than any window, since a clock may be set back.
inline constexpr std::int64_t kept_minutes = 2 * port::minutes_of_day;

template <class Id>
[[nodiscard]] std::string named(std::string_view kind, Id id) {
  return std::string(kind) + " " + id.str();
}

/// A hold is open: everything that worsens waits in it.
/// Another hold is open than was read, or none.
[[nodiscard]] Error stale_hold(const port::Scope& scope);
[[nodiscard]] Error hold_is_open(HoldId hold);
}  // namespace deprov::store
