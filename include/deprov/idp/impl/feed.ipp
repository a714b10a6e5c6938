#pragma once
#include <algorithm>
#include <array>
#include <charconv>
#include <deprov/idp/feed.hpp>
#include <deprov/scim/json.hpp>
#include <utility>

namespace deprov::idp {

// The adapters: each has a header of its own, which is included below, since it needs what stands here.
const json::value& graph_feed_schema();
const json::value& keycloak_feed_schema();
const json::value& okta_feed_schema();
const json::value& scim_feed_schema();
Result<std::unique_ptr<Feed>> make_graph_feed(const json::object& config);
Result<std::unique_ptr<Feed>> make_keycloak_feed(const json::object& config);
Result<std::unique_ptr<Feed>> make_okta_feed(const json::object& config);
Result<std::unique_ptr<Feed>> make_scim_feed(const json::object& config);

namespace detail {

inline constexpr Duration longest_retry_after = std::chrono::hours(24);

/// Days from 1970-01-01 in the Gregorian calendar; the months count from 1.
inline std::int64_t days_since_epoch(std::int64_t year, int month, int day) noexcept {
  year -= month <= 2 ? 1 : 0;
  const auto era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = year - era * 400;
  const auto day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const auto day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

inline std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) noexcept {
  if (at + count > text.size()) return std::nullopt;
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

inline std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Whether the parameters of a link (`; rel="next"; ..`) name the relation.
inline bool link_has_relation(std::string_view parameters, std::string_view relation) {
  while (!parameters.empty()) {
    std::size_t end = 0;  // a semicolon within quotes is part of a value
    for (bool quoted = false; end < parameters.size() && (quoted || parameters[end] != ';'); ++end)
      if (parameters[end] == '"') quoted = !quoted;
    auto one = trimmed(parameters.substr(0, end));
    parameters = parameters.substr(std::min(parameters.size(), end + 1));
    const auto equals = one.find('=');
    if (equals == std::string_view::npos || !scim::iequals(trimmed(one.substr(0, equals)), "rel")) continue;
    auto value = trimmed(one.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    while (!value.empty()) {  // several relations, apart by spaces
      const auto space = value.find(' ');
      if (scim::iequals(value.substr(0, space), relation)) return true;
      value = space == std::string_view::npos ? std::string_view{} : trimmed(value.substr(space));
    }
    return false;
  }
  return false;
}

}  // namespace detail

DEPROV_INLINE std::optional<std::string_view> FeedResponse::header(std::string_view name) const {
  return header(name, [](std::string_view) { return true; });
}

DEPROV_INLINE std::optional<std::string_view> FeedResponse::header(
    std::string_view name, const std::function<bool(std::string_view)>& wanted) const {
  for (const auto& h : headers)
    if (scim::iequals(h.name, name) && wanted(h.value)) return h.value;
  return std::nullopt;
}

DEPROV_INLINE std::string_view to_string(FeedFailureKind k) noexcept {
  switch (k) {
    case FeedFailureKind::throttled: return "throttled";
    case FeedFailureKind::auth_failed: return "auth_failed";
    case FeedFailureKind::permission_denied: return "permission_denied";
    case FeedFailureKind::expired_checkpoint: return "expired_checkpoint";
    case FeedFailureKind::unavailable: return "unavailable";
    case FeedFailureKind::protocol: return "protocol";
  }
  return "unknown";
}

DEPROV_INLINE std::string_view to_string(FeedRoundKind k) noexcept {
  switch (k) {
    case FeedRoundKind::complete: return "complete";
    case FeedRoundKind::changes: return "changes";
    case FeedRoundKind::subject: return "subject";
  }
  return "unknown";
}

DEPROV_INLINE std::unique_ptr<FeedRound> Feed::reread(std::string_view, WallTime) const { return nullptr; }

DEPROV_INLINE std::optional<WallTime> parse_imf_date(std::string_view text) {
  // Sun, 06 Nov 1994 08:49:37 GMT
  constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || text.substr(3, 2) != ", " || text[7] != ' ' || text[11] != ' ' || text[16] != ' ' ||
      text[19] != ':' || text[22] != ':' || text.substr(25) != " GMT")
    return std::nullopt;
  const auto month = std::find(months.begin(), months.end(), text.substr(8, 3));
  const auto day = detail::digits(text, 5, 2);
  const auto year = detail::digits(text, 12, 4);
  const auto hour = detail::digits(text, 17, 2);
  const auto minute = detail::digits(text, 20, 2);
  const auto second = detail::digits(text, 23, 2);
  if (month == months.end() || !day || !year || !hour || !minute || !second) return std::nullopt;
  if (*day < 1 || *day > 31 || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const auto days = detail::days_since_epoch(*year, static_cast<int>(month - months.begin()) + 1, *day);
  return WallTime{(((days * 24 + *hour) * 60 + *minute) * 60 + *second) * 1'000'000};
}

DEPROV_INLINE std::optional<WallTime> feed_retry_after(const FeedResponse& response) {
  const auto value = response.header("Retry-After");
  if (!value) return std::nullopt;
  const auto text = detail::trimmed(*value);
  Duration wait{0};
  if (!text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    std::int64_t seconds = 0;
    const auto r = std::from_chars(text.data(), text.data() + text.size(), seconds);
    wait = r.ec == std::errc() && seconds < 86'400 ? Duration(std::chrono::seconds(seconds))
                                                   : detail::longest_retry_after;
  } else {
    const auto at = parse_imf_date(text);
    if (!at) return std::nullopt;
    auto from = response.now;
    if (const auto date = response.header("Date"))
      if (const auto stated = parse_imf_date(detail::trimmed(*date))) from = *stated;
    wait = std::clamp(*at - from, Duration{0}, detail::longest_retry_after);
  }
  return response.now + wait;
}

DEPROV_INLINE std::optional<FeedFailure> feed_failure(const FeedResponse& response) {
  const auto status = response.status;
  if (status >= 200 && status < 300) return std::nullopt;
  FeedFailure f;
  f.detail = "the source answered " + std::to_string(status);
  f.retry_at = feed_retry_after(response);
  if (status == 429 || (status == 503 && f.retry_at)) {
    f.kind = FeedFailureKind::throttled;
  } else if (status == 401) {
    f.kind = FeedFailureKind::auth_failed;
  } else if (status == 403) {
    f.kind = FeedFailureKind::permission_denied;
  } else if (status == 410) {
    f.kind = FeedFailureKind::expired_checkpoint;
  } else if (status == 408 || status == 425 || (status >= 500 && status < 600)) {
    f.kind = FeedFailureKind::unavailable;
  } else if (status >= 300 && status < 400) {
    f.detail += ", a redirect; redirects are not followed, correct the address";
  }
  return f;
}

DEPROV_INLINE std::optional<std::string> feed_link(const FeedResponse& response, std::string_view relation) {
  for (const auto& h : response.headers) {
    if (!scim::iequals(h.name, "Link")) continue;
    std::string_view rest = h.value;
    while (true) {
      const auto open = rest.find('<');
      const auto close = open == std::string_view::npos ? open : rest.find('>', open);
      if (close == std::string_view::npos) break;
      const auto target = rest.substr(open + 1, close - open - 1);
      rest = rest.substr(close + 1);
      // The parameters reach to the comma before the next link; a comma within quotes is part of them.
      std::size_t end = 0;
      for (bool quoted = false; end < rest.size() && (quoted || rest[end] != ','); ++end)
        if (rest[end] == '"') quoted = !quoted;
      if (detail::link_has_relation(rest.substr(0, end), relation)) return std::string(target);
      rest = rest.substr(end);
    }
  }
  return std::nullopt;
}

DEPROV_INLINE Result<json::object> feed_body(const FeedResponse& response) {
  const auto refuse = [](std::string detail) { return Error(Errc::protocol, std::move(detail), "the answer"); };
  const auto first = response.body.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return refuse("it has no body where a JSON object was due");
  if (response.body[first] == '<')
    return refuse("it is a web page or XML where a JSON object was due; correct the address");
  scim::Limits limits;
  limits.max_string_bytes = std::size_t{4} << 20U;  // photos
  limits.max_body_bytes = std::max(limits.max_body_bytes, response.body.size());
  auto parsed = scim::parse_json(response.body, limits);
  if (!parsed) return refuse("it is not JSON: " + parsed.error().detail());
  if (!parsed->is_object()) return refuse("it is JSON that is not an object");
  return std::move(parsed->get_object());
}

DEPROV_INLINE std::string feed_encode(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
        c == '_' || c == '~')
      out += c;
    else
      out.append({'%', digits[u >> 4U], digits[u & 15U]});
  }
  return out;
}

DEPROV_INLINE std::optional<std::string> feed_origin(std::string_view url) {
  const auto scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return std::nullopt;
  const bool tls = scim::iequals(url.substr(0, scheme_end), "https");
  if (!tls && !scim::iequals(url.substr(0, scheme_end), "http")) return std::nullopt;
  const auto rest = url.substr(scheme_end + 3);
  // What is behind a backslash or a control character is read in two ways by those who read it.
  if (std::any_of(url.begin(), url.end(), [](char c) { return c == '\\' || c <= 0x20 || c == 0x7F; }))
    return std::nullopt;
  auto authority = rest.substr(0, rest.find_first_of("/?#"));
  if (authority.empty() || authority.find('@') != std::string_view::npos) return std::nullopt;
  std::string_view port;
  const auto bracket = authority.rfind(']');
  const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    port = authority.substr(colon + 1);
    authority = authority.substr(0, colon);
    if (port.size() > 5 || !std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; }))
      return std::nullopt;
  }
  if (authority.empty()) return std::nullopt;
  std::string origin = tls ? "https://" : "http://";
  for (const char c : authority) origin += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  if (!port.empty() && port != (tls ? "443" : "80")) origin.append(":").append(port);
  return origin;
}

DEPROV_INLINE std::span<const FeedKind> feed_kinds() noexcept {
  static constexpr std::array kinds{
      FeedKind{"scim", "a SCIM server that is the authority", scim_feed_schema, make_scim_feed},
      FeedKind{"okta", "Okta", okta_feed_schema, make_okta_feed},
      FeedKind{"graph", "Entra ID through Microsoft Graph", graph_feed_schema, make_graph_feed},
      FeedKind{"keycloak", "Keycloak", keycloak_feed_schema, make_keycloak_feed},
  };
  return kinds;
}

DEPROV_INLINE const FeedKind* find_feed_kind(std::string_view name) noexcept {
  for (const auto& kind : feed_kinds())
    if (kind.name == name) return &kind;
  return nullptr;
}

}  // namespace deprov::idp

#include <deprov/idp/feed_graph.hpp>
#include <deprov/idp/feed_keycloak.hpp>
#include <deprov/idp/feed_okta.hpp>
#include <deprov/idp/feed_scim.hpp>
