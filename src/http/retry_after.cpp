#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <deprov/http/retry_after.hpp>

namespace deprov::http {

namespace {

constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> short_days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 7> long_days{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                    "Thursday", "Friday", "Saturday"};

/// Takes a date apart from the left; once something did not fit, everything after it fails too.
struct Reader {
  std::string_view rest;
  bool good = true;

  void expect(std::string_view text) {
    good = good && rest.substr(0, text.size()) == text;
    if (good) rest.remove_prefix(text.size());
  }
  int digits(std::size_t count) {
    int value = 0;
    good = good && rest.size() >= count &&
           std::all_of(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(count),
                       [](char c) { return c >= '0' && c <= '9'; });
    if (!good) return 0;
    std::from_chars(rest.data(), rest.data() + count, value);
    rest.remove_prefix(count);
    return value;
  }
  template <std::size_t N>
  unsigned one_of(const std::array<std::string_view, N>& names) {
    for (std::size_t i = 0; good && i < N; ++i)
      if (rest.substr(0, names[i].size()) == names[i]) {
        rest.remove_prefix(names[i].size());
        return static_cast<unsigned>(i) + 1;
      }
    good = false;
    return 0;
  }
};

struct Fields {
  int year = 0;
  unsigned month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

void time_of_day(Reader& r, Fields& f) {
  f.hour = r.digits(2);
  r.expect(":");
  f.minute = r.digits(2);
  r.expect(":");
  f.second = r.digits(2);
}

std::optional<Fields> finish(const Reader& r, const Fields& f) {
  if (!r.good || !r.rest.empty()) return std::nullopt;
  return f;
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
std::optional<Fields> imf_fixdate(std::string_view text) {
  Reader r{text};
  Fields f;
  r.one_of(short_days);
  r.expect(", ");
  f.day = r.digits(2);
  r.expect(" ");
  f.month = r.one_of(months);
  r.expect(" ");
  f.year = r.digits(4);
  r.expect(" ");
  time_of_day(r, f);
  r.expect(" GMT");
  return finish(r, f);
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`; a year that seems more than 50 years ahead is of the century before.
std::optional<Fields> rfc850_date(std::string_view text, int year_now) {
  Reader r{text};
  Fields f;
  r.one_of(long_days);
  r.expect(", ");
  f.day = r.digits(2);
  r.expect("-");
  f.month = r.one_of(months);
  r.expect("-");
  f.year = year_now - year_now % 100 + r.digits(2);
  if (f.year > year_now + 50) f.year -= 100;
  r.expect(" ");
  time_of_day(r, f);
  r.expect(" GMT");
  return finish(r, f);
}

/// `Sun Nov  6 08:49:37 1994`
std::optional<Fields> asctime_date(std::string_view text) {
  Reader r{text};
  Fields f;
  r.one_of(short_days);
  r.expect(" ");
  f.month = r.one_of(months);
  r.expect(" ");
  if (r.rest.substr(0, 1) == " ") {
    r.expect(" ");
    f.day = r.digits(1);
  } else {
    f.day = r.digits(2);
  }
  r.expect(" ");
  time_of_day(r, f);
  r.expect(" ");
  f.year = r.digits(4);
  return finish(r, f);
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

}  // namespace

std::optional<WallTime> parse_http_date(std::string_view text, WallTime now) {
  namespace ch = std::chrono;
  const ch::sys_days today(ch::floor<ch::days>(ch::sys_time<Duration>(Duration(now.micros))));
  const int year_now = static_cast<int>(ch::year_month_day(today).year());
  auto f = imf_fixdate(text);
  if (!f) f = rfc850_date(text, year_now);
  if (!f) f = asctime_date(text);
  if (!f || f->hour > 23 || f->minute > 59 || f->second > 60) return std::nullopt;
  const ch::year_month_day date(ch::year(f->year), ch::month(f->month), ch::day(static_cast<unsigned>(f->day)));
  if (!date.ok()) return std::nullopt;
  const auto seconds =
      ch::sys_days(date).time_since_epoch() + ch::hours(f->hour) + ch::minutes(f->minute) + ch::seconds(f->second);
  return WallTime{Duration(seconds).count()};
}

std::optional<Duration> retry_after(const port::HttpResponse& response, WallTime now, Duration bound) {
  const auto header = response.header("Retry-After");
  if (!header) return std::nullopt;
  const auto text = trim(*header);
  if (text.empty()) return std::nullopt;
  if (std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    std::int64_t seconds = 0;
    const auto r = std::from_chars(text.data(), text.data() + text.size(), seconds);
    const auto most = std::chrono::ceil<std::chrono::seconds>(bound).count();
    if (r.ec != std::errc() || seconds >= most) return bound;  // a number beyond 64 bits is beyond any bound
    return std::min<Duration>(std::chrono::seconds(seconds), bound);
  }
  const auto at = parse_http_date(text, now);
  if (!at) return std::nullopt;
  auto base = now;
  if (const auto date = response.header("Date"))
    if (const auto parsed = parse_http_date(trim(*date), now)) base = *parsed;
  return std::clamp<Duration>(*at - base, Duration(0), bound);
}

}  // namespace deprov::http
