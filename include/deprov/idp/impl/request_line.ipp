#pragma once
#include <algorithm>
#include <array>
#include <deprov/idp/request_line.hpp>
#include <deprov/scim/json.hpp>
#include <utility>

namespace deprov::idp {

namespace detail {

inline constexpr std::array<std::string_view, 3> entra_flags = {"aadOptscim062020", "AzureAdScimPatch062020",
                                                                "AzureAdScimPatch2017"};

/// How much of the text is a flag, `=value` included; 0: it begins with none.
inline std::size_t flag_size(std::string_view text) noexcept {
  for (const auto flag : entra_flags) {
    if (text.size() < flag.size() || !scim::iequals(text.substr(0, flag.size()), flag)) continue;
    if (text.size() == flag.size()) return flag.size();
    const char next = text[flag.size()];
    if (next == '/' || next == '?' || next == '&') return flag.size();
    if (next == '=') return std::min(text.find_first_of("/?&", flag.size()), text.size());
  }
  return 0;
}

/// Takes `%3Fflag` and `&flag` out of a path; false: there are none.
inline bool strip_path(std::string& path) {
  if (path.find('&') == std::string::npos && path.find('%') == std::string::npos) return false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const std::string_view rest = std::string_view(path).substr(i);
    const std::size_t mark = rest.front() == '&'                                           ? 1
                             : rest.size() >= 3 && scim::iequals(rest.substr(0, 3), "%3F") ? 3
                                                                                           : 0;
    if (mark == 0) continue;
    const auto size = flag_size(rest.substr(mark));
    if (size == 0) continue;
    path.erase(i, mark + size);
    return true;
  }
  return false;
}

}  // namespace detail

DEPROV_INLINE bool has_entra_flag(std::string_view query) noexcept {
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto size = detail::flag_size(query.substr(0, end));
    if (size != 0 && size == end) return true;
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return false;
}

DEPROV_INLINE std::optional<std::string> without_doubled_base(std::string_view target) {
  const auto path = target.substr(0, target.find('?'));
  for (const std::string_view scheme : {"/http:/", "/https:/"}) {
    const auto at = path.find(scheme);
    if (at == std::string_view::npos) continue;
    auto base = path.substr(0, at);
    while (base.ends_with('/')) base.remove_suffix(1);
    if (base.empty()) return std::nullopt;
    const auto again = path.find(base, at + scheme.size());
    if (again == std::string_view::npos) return std::nullopt;
    const auto rest = target.substr(again + base.size());
    if (!rest.empty() && rest.front() != '/' && rest.front() != '?') return std::nullopt;
    return std::string(base).append(rest);
  }
  return std::nullopt;
}

DEPROV_INLINE std::optional<std::string> without_entra_flag(std::string_view target) {
  const auto mark = std::min(target.find('?'), target.size());
  std::string path(target.substr(0, mark));
  std::string query(target.substr(std::min(mark + 1, target.size())));
  bool changed = detail::strip_path(path);
  // {base}?flag + /Users?filter=..
  if (const auto size = detail::flag_size(query); size != 0 && size < query.size() && query[size] == '/') {
    std::string behind = query.substr(size);
    const auto next = std::min(behind.find_first_of("?&"), behind.size());
    query = behind.substr(std::min(next + 1, behind.size()));
    path += behind.substr(0, next);
    changed = true;
  }
  // ..?filter=.. + ?flag
  for (std::size_t at = query.find('?'); at != std::string::npos; at = query.find('?', at + 1)) {
    const auto size = detail::flag_size(std::string_view(query).substr(at + 1));
    if (size == 0 || (at + 1 + size < query.size() && query[at + 1 + size] != '&')) continue;
    query.erase(at, 1 + size);
    changed = true;
    break;
  }
  if (!changed) return std::nullopt;
  return query.empty() ? path : path + "?" + query;
}

DEPROV_INLINE Result<std::optional<std::string>> overridden_method(std::string_view method,
                                                                   std::span<const Header> headers) {
  std::optional<std::string> out;
  for (const auto& h : headers) {
    if (!scim::iequals(h.name, "X-HTTP-Method-Override") && !scim::iequals(h.name, "X-HTTP-Method")) continue;
    if (scim::iequals(h.value, method)) continue;
    for (const std::string_view known : {"PUT", "PATCH"})
      if (method == "POST" && scim::iequals(h.value, known) && !out) out = std::string(known);
    if (!out || !scim::iequals(h.value, *out))
      return Error(Errc::invalid_syntax,
                   "\"" + std::string(h.value.substr(0, 40)) + "\" cannot be meant by a " + std::string(method),
                   std::string(h.name), "send the method itself; a POST can stand for PUT or PATCH");
  }
  return out;
}

DEPROV_INLINE std::optional<std::string_view> discovery_endpoint(std::string_view name) noexcept {
  for (const std::string_view other : {"ServiceProviderConfigs", "serviceConfiguration"})
    if (scim::iequals(name, other)) return "ServiceProviderConfig";
  return std::nullopt;
}

}  // namespace deprov::idp
