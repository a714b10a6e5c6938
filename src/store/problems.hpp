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
[[nodiscard]] Error not_unique(std::string_view what, std::string_view value);
[[nodiscard]] Error no_such(std::string_view what);
[[nodiscard]] Error last_owner(WorkspaceId workspace);
[[nodiscard]] Error conflicting(std::string_view what, std::string_view why);
[[nodiscard]] Error guard_refuses(std::string_view counter, std::uint64_t amount, std::string_view window,
                                  std::uint64_t sum, std::uint64_t limit);
[[nodiscard]] Error store_closed();

template <class Id>
[[nodiscard]] std::string named(std::string_view kind, Id id) {
  return std::string(kind) + " " + id.str();
}

/// The minute of a rolling counter that a time falls into.
[[nodiscard]] inline std::int64_t minute_of(WallTime t) noexcept {
  constexpr std::int64_t minute = 60'000'000;
  return t.micros >= 0 ? t.micros / minute : -((-t.micros + minute - 1) / minute);
}
inline constexpr std::int64_t minutes_of_hour = 60;
inline constexpr std::int64_t minutes_of_day = 1440;

}  // namespace deprov::store
