#pragma once
#include <array>
#include <deprov/idp/dialect.hpp>
#include <deprov/idp/request_line.hpp>

namespace deprov::idp {

namespace detail {

inline bool contains_word(std::string_view text, std::string_view word) noexcept {
  for (std::size_t i = 0; i + word.size() <= text.size(); ++i)
    if (scim::iequals(text.substr(i, word.size()), word)) return true;
  return false;
}

/// Whose User-Agent it is, or null.
inline const Dialect* by_agent(std::string_view agent) noexcept {
  static constexpr std::array<std::string_view, 4> words = {"okta", "onelogin", "jumpcloud", "google"};
  for (const auto word : words)
    if (contains_word(agent, word)) return find_dialect(word);
  for (const std::string_view word : {"pingfederate", "pingone", "pingidentity", "ping identity"})
    if (contains_word(agent, word)) return find_dialect("ping");
  return nullptr;
}

}  // namespace detail

DEPROV_INLINE const Dialect& detect(std::span<const Header> headers, std::string_view query) noexcept {
  const Dialect* found = nullptr;
  for (const auto& h : headers) {
    if (scim::iequals(h.name, "ADSCIMVersion")) return *find_dialect("entra");
    if (found == nullptr && scim::iequals(h.name, "User-Agent")) found = detail::by_agent(h.value);
  }
  if (found == nullptr && has_entra_flag(query)) found = find_dialect("entra");
  return found != nullptr ? *found : *find_dialect("generic");
}

}  // namespace deprov::idp
