// How long the other side wants to be left alone.
#pragma once

#include <deprov/port/http_transport.hpp>
#include <deprov/time.hpp>
#include <optional>
#include <string_view>

namespace deprov::http {

/// An HTTP-date in any of the three forms of RFC 9110 section 5.6.7. `now` gives the century of the form
/// with two digits. Nothing where it is none of them or names no day of the calendar.
[[nodiscard]] std::optional<WallTime> parse_http_date(std::string_view text, WallTime now);

/// `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date, which is read relative to the response's own
/// `Date` so that a wrong clock on either side does no harm; `now` where there is none. A date in the past
/// is zero. Never more than `bound`. Nothing where the header is absent or malformed.
[[nodiscard]] std::optional<Duration> retry_after(const port::HttpResponse& response, WallTime now,
                                                  Duration bound);

}  // namespace deprov::http
