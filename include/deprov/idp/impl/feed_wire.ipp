#pragma once
#include <algorithm>
#include <charconv>
#include <deprov/idp/feed_wire.hpp>
#include <deprov/scim/json.hpp>
#include <utility>

namespace deprov::idp {

namespace detail {

inline bool is_url_text(std::string_view url) noexcept {
  constexpr std::string_view others = "-._~:/?#[]@!$&'()*+,;=%";
  return std::all_of(url.begin(), url.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           others.find(c) != std::string_view::npos;
  });
}

}  // namespace detail

DEPROV_INLINE Result<json::value> parse_answer(std::string_view body, const FeedBounds& bounds) {
  scim::Limits limits;
  limits.max_body_bytes = bounds.max_body_bytes;
  limits.max_depth = bounds.max_depth;
  limits.max_string_bytes = bounds.max_string_bytes;
  auto parsed = scim::parse_json(body, limits);
  if (parsed) return std::move(*parsed);
  const auto& e = parsed.error();
  return Error(e.code() == Errc::limit_exceeded ? e.code() : Errc::protocol, e.detail(), e.where());
}

DEPROV_INLINE Result<void> check_link(std::string_view link, std::string_view origin, const FeedBounds& bounds) {
  if (link.size() > bounds.max_link_bytes)
    return Error(Errc::limit_exceeded, "a link to go on with has " + std::to_string(link.size()) +
                                           " bytes, more than max_link_bytes (" +
                                           std::to_string(bounds.max_link_bytes) + ")");
  if (!detail::is_url_text(link))
    return Error(Errc::protocol, "a link to go on with has characters in it that a URL has not");
  const auto leads = feed_origin(link);
  if (!leads) return Error(Errc::protocol, "a link to go on with is no URL of a server");
  if (*leads != origin)
    return Error(Errc::protocol, "a link to go on with leads to " + shown(*leads, 100) + " and away from " +
                                     std::string(origin) + ", beyond which the credential is not sent");
  return {};
}

DEPROV_INLINE std::string_view text_in(const json::object& o, std::string_view name) noexcept {
  const auto* v = o.if_contains(name);
  if (v == nullptr || !v->is_string()) return {};
  return v->get_string();
}

DEPROV_INLINE const json::object* object_in(const json::object& o, std::string_view name) noexcept {
  const auto* v = o.if_contains(name);
  return v == nullptr ? nullptr : v->if_object();
}

DEPROV_INLINE Result<std::string_view> id_in(const json::object& o, std::string_view name,
                                             const FeedBounds& bounds) {
  const auto text = text_in(o, name);
  if (text.empty()) return Error(Errc::protocol, "a record has no \"" + std::string(name) + "\"");
  if (text.size() > bounds.max_id_bytes)
    return Error(Errc::limit_exceeded, "an id has " + std::to_string(text.size()) +
                                           " bytes, more than max_id_bytes (" +
                                           std::to_string(bounds.max_id_bytes) + ")");
  if (std::any_of(text.begin(), text.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x21 || c == 0x7F; }))
    return Error(Errc::protocol, "an id has spaces or control characters in it");
  return text;
}

DEPROV_INLINE Result<std::optional<WallTime>> time_in(const json::object& o, std::string_view name) {
  const auto* v = o.if_contains(name);
  if (v == nullptr || v->is_null()) return std::optional<WallTime>{};
  if (v->is_string())
    if (const auto t = parse_rfc3339(v->get_string())) return std::optional<WallTime>(*t);
  return Error(Errc::protocol, "\"" + std::string(name) + "\" of a record is no point in time");
}

DEPROV_INLINE std::optional<std::int64_t> number_in(const FeedResponse& response, std::string_view name) {
  auto text = response.header(name);
  if (!text) return std::nullopt;
  while (!text->empty() && (text->front() == ' ' || text->front() == '\t')) text->remove_prefix(1);
  while (!text->empty() && (text->back() == ' ' || text->back() == '\t')) text->remove_suffix(1);
  if (text->empty() || text->size() > 18) return std::nullopt;
  std::int64_t value = 0;
  const auto* const end = text->data() + text->size();
  const auto r = std::from_chars(text->data(), end, value);
  if (r.ec != std::errc() || r.ptr != end || value < 0) return std::nullopt;
  return value;
}

DEPROV_INLINE std::string shown(std::string_view text, std::size_t most) {
  std::string out;
  for (const char c : text) {
    if (out.size() == most) break;
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(byte < 0x20 || byte == 0x7F ? ' ' : c);
  }
  if (out.size() == text.size()) return out;
  // Not half a character (RFC 3629).
  std::size_t tail = 0;
  const auto byte = [&](std::size_t from_end) {
    return static_cast<unsigned char>(out[out.size() - 1 - from_end]);
  };
  while (tail < out.size() && tail < 3 && (byte(tail) & 0xC0U) == 0x80U) ++tail;
  if (tail < out.size() && byte(tail) >= 0xC0U) out.resize(out.size() - 1 - tail);
  return out;
}

DEPROV_INLINE bool same_secret(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto next = static_cast<unsigned char>(
        difference | (static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i])));
    // Read anew each time, so that no compiler ends the loop early.
    difference = *static_cast<const volatile unsigned char*>(&next);
  }
  return difference == 0;
}

DEPROV_INLINE Result<std::string> feed_base_url(std::string_view url, bool allow_http, std::string_view where) {
  const auto bad = [&](std::string detail, std::string advice = {}) {
    return Error(Errc::invalid_argument, std::move(detail), std::string(where), std::move(advice));
  };
  const auto origin = detail::is_url_text(url) ? feed_origin(url) : std::nullopt;
  if (!origin) return bad("has to be a URL such as https://example.okta.com, without a user name in it");
  if (url.find_first_of("?#") != std::string_view::npos) return bad("must have neither a query nor a fragment");
  if (!origin->starts_with("https://") && !allow_http)
    return bad("has to begin with https://", "set \"allow_http\" to true to send the credential without TLS");
  while (url.ends_with('/')) url.remove_suffix(1);
  return std::string(url);
}

DEPROV_INLINE FeedAnswer refused(FeedFailureKind kind, std::string detail) {
  FeedAnswer answer;
  answer.failure.emplace();
  answer.failure->kind = kind;
  answer.failure->detail = std::move(detail);
  return answer;
}

DEPROV_INLINE FeedAnswer refused(const Error& why) { return refused(FeedFailureKind::protocol, why.message()); }

}  // namespace deprov::idp
