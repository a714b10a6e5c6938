// Wall time and monotonic time as types that cannot be mixed up.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <deprov/error.hpp>
#include <string>
#include <string_view>

namespace deprov {

using Duration = std::chrono::microseconds;

/// What a calendar shows, in microseconds since 1970-01-01T00:00:00Z. It may jump; it is for records,
/// deadlines that outlive the process, and people.
struct WallTime {
  std::int64_t micros = 0;
  friend auto operator<=>(const WallTime&, const WallTime&) = default;
  friend WallTime operator+(WallTime t, Duration d) { return {t.micros + d.count()}; }
  friend WallTime operator-(WallTime t, Duration d) { return {t.micros - d.count()}; }
  friend Duration operator-(WallTime a, WallTime b) { return Duration(a.micros - b.micros); }
};

/// What a stopwatch shows, in microseconds since an unspecified moment of this process. It never jumps;
/// it is for timers and never stored.
struct MonoTime {
  std::int64_t micros = 0;
  friend auto operator<=>(const MonoTime&, const MonoTime&) = default;
  friend MonoTime operator+(MonoTime t, Duration d) { return {t.micros + d.count()}; }
  friend Duration operator-(MonoTime a, MonoTime b) { return Duration(a.micros - b.micros); }
};

/// `2026-11-23T10:11:12.345Z`: UTC, milliseconds, as RFC 7643 section 2.3.5 wants a dateTime.
[[nodiscard]] std::string to_rfc3339(WallTime t);
/// Any xsd:dateTime with an offset or `Z`, with or without fractions; without either it is read as UTC.
/// Errors: `invalid_value`.
[[nodiscard]] Result<WallTime> parse_rfc3339(std::string_view text);

}  // namespace deprov

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/impl/time.ipp>
#endif
