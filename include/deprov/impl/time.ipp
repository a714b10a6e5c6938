#pragma once
#include <array>
#include <cstdio>
#include <deprov/time.hpp>

namespace deprov {

DEPROV_INLINE std::string to_rfc3339(WallTime t) {
  using namespace std::chrono;
  const sys_time<microseconds> tp{microseconds(t.micros)};
  const auto day = floor<days>(tp);
  const year_month_day ymd{day};
  const hh_mm_ss hms{floor<milliseconds>(tp - day)};
  const auto year = static_cast<int>(ymd.year());
  if (year < 0 || year > 9999) {  // no four digits
    std::array<char, 48> buf{};
    const int n =
        std::snprintf(buf.data(), buf.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", year,
                      static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()),
                      static_cast<int>(hms.hours().count()), static_cast<int>(hms.minutes().count()),
                      static_cast<int>(hms.seconds().count()), static_cast<int>(hms.subseconds().count()));
    return std::string(buf.data(), static_cast<std::size_t>(n));
  }
  std::string out = "0000-00-00T00:00:00.000Z";
  const auto put = [&](std::size_t last, unsigned n) {
    for (; n != 0; n /= 10) out[last--] = static_cast<char>('0' + n % 10);
  };
  put(3, static_cast<unsigned>(year));
  put(6, static_cast<unsigned>(ymd.month()));
  put(9, static_cast<unsigned>(ymd.day()));
  put(12, static_cast<unsigned>(hms.hours().count()));
  put(15, static_cast<unsigned>(hms.minutes().count()));
  put(18, static_cast<unsigned>(hms.seconds().count()));
  put(22, static_cast<unsigned>(hms.subseconds().count()));
  return out;
}

DEPROV_INLINE Result<WallTime> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  const auto bad = [&]() -> Error {
    return Error(Errc::invalid_value, "not a dateTime: \"" + std::string(text.substr(0, 40)) + "\"", {},
                 "use the form 2026-01-31T23:59:59Z");
  };
  std::size_t i = 0;
  const auto number = [&](std::size_t digits, int& out) {
    if (i + digits > text.size()) return false;
    out = 0;
    for (std::size_t k = 0; k < digits; ++k) {
      const char c = text[i + k];
      if (c < '0' || c > '9') return false;
      out = out * 10 + (c - '0');
    }
    i += digits;
    return true;
  };
  const auto literal = [&](char a, char b) {
    if (i >= text.size() || (text[i] != a && text[i] != b)) return false;
    ++i;
    return true;
  };
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0;
  if (!number(4, y) || !literal('-', '-') || !number(2, mo) || !literal('-', '-') || !number(2, d) ||
      !literal('T', 't') || !number(2, h) || !literal(':', ':') || !number(2, mi) || !literal(':', ':') ||
      !number(2, s))
    return bad();
  std::int64_t micros = 0;
  if (i < text.size() && text[i] == '.') {
    ++i;
    std::int64_t scale = 100000;
    const std::size_t first = i;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i, scale /= 10)
      micros += (text[i] - '0') * scale;
    if (i == first) return bad();
  }
  std::int64_t offset_minutes = 0;
  if (i < text.size()) {
    if (text[i] == 'Z' || text[i] == 'z') {
      ++i;
    } else if (text[i] == '+' || text[i] == '-') {
      const int sign = text[i] == '-' ? -1 : 1;
      ++i;
      int oh = 0, om = 0;
      if (!number(2, oh) || !literal(':', ':') || !number(2, om) || oh > 14 || om > 59) return bad();
      offset_minutes = sign * (oh * 60 + om);
    }
  }
  const year_month_day ymd{year{y}, month{static_cast<unsigned>(mo)}, day{static_cast<unsigned>(d)}};
  if (i != text.size() || !ymd.ok() || h > 24 || mi > 59 || s > 60 || (h == 24 && (mi != 0 || s != 0)))
    return bad();
  const auto since = sys_days(ymd).time_since_epoch() + hours(h) + minutes(mi - offset_minutes) + seconds(s);
  return WallTime{duration_cast<microseconds>(since).count() + micros};
}

}  // namespace deprov
