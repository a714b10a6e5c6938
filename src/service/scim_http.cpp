#include "service/scim_http.hpp"
#include <algorithm>
#include <deprov/scim/json.hpp>
#include <deprov/utf8.hpp>

namespace deprov::service {

namespace {

constexpr std::size_t max_segments = 8;

int hex(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string_view trim(std::string_view s) noexcept {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text) {
  if (text.find('%') == std::string_view::npos) {
    if (text.find('\0') != std::string_view::npos || !is_utf8(text)) return std::nullopt;
    return std::string(text);
  }
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size() || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) return std::nullopt;
    out.push_back(static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2])));
    i += 2;
  }
  if (out.find('\0') != std::string::npos || !is_utf8(out)) return std::nullopt;
  return out;
}

std::optional<ScimTarget> parse_scim_target(std::string_view path, std::string_view prefix) {
  while (!prefix.empty() && prefix.back() == '/') prefix.remove_suffix(1);
  if (path.substr(0, prefix.size()) != prefix) return std::nullopt;
  path.remove_prefix(prefix.size());
  if (path.empty() || path.front() != '/') return std::nullopt;
  ScimTarget target;
  bool first = true;
  while (!path.empty()) {
    path.remove_prefix(1);
    const auto end = std::min(path.find('/'), path.size());
    const auto raw = path.substr(0, end);
    path.remove_prefix(end);
    if (raw.empty()) continue;
    auto segment = percent_decode(raw);
    if (!segment) return std::nullopt;
    if (first) {
      target.integration = std::move(*segment);
      first = false;
    } else {
      if (target.segments.size() == max_segments) return std::nullopt;
      target.segments.push_back(std::move(*segment));
    }
  }
  if (first) return std::nullopt;
  return target;
}

std::optional<std::string_view> bearer_token(const Request& request) {
  const auto header = request.header("authorization");
  if (!header) return std::nullopt;
  const auto text = trim(*header);
  const auto space = text.find(' ');
  if (space == std::string_view::npos || !scim::iequals(text.substr(0, space), "bearer")) return std::nullopt;
  const auto token = trim(text.substr(space));
  if (token.empty()) return std::nullopt;
  return token;
}

bool has_token(std::string_view query) {
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || equals + 1 == pair.size()) continue;
    const auto name = pair.substr(0, equals);
    if (scim::iequals(name, "access_token") || scim::iequals(name, "bearer_token")) return true;
  }
  return false;
}

bool is_scim_media_type(std::optional<std::string_view> content_type) {
  if (!content_type) return true;
  const auto type = trim(content_type->substr(0, content_type->find(';')));
  return type.empty() || scim::iequals(type, "application/scim+json") || scim::iequals(type, "application/json");
}

bool accepts_json(std::optional<std::string_view> accept) {
  if (!accept) return true;
  bool named = false;
  for (auto rest = *accept; !rest.empty();) {
    const auto comma = std::min(rest.find(','), rest.size());
    const auto range = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const auto type = trim(range.substr(0, range.find(';')));
    if (type.empty()) continue;
    constexpr std::string_view xml = "xml";
    const auto ends = type.size() > xml.size() && scim::iequals(type.substr(type.size() - xml.size()), xml);
    const char before = ends ? type[type.size() - xml.size() - 1] : ' ';
    if (before != '/' && before != '+') return true;
    named = true;
  }
  return !named;
}

std::optional<std::string_view> safe_host(std::optional<std::string_view> host) {
  if (!host || host->empty() || host->size() > 255) return std::nullopt;
  const bool safe = std::all_of(host->begin(), host->end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
           c == '_' || c == ':' || c == '[' || c == ']';
  });
  return safe ? host : std::nullopt;
}

}  // namespace deprov::service
