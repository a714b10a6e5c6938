// How values of attributes that are not caseExact are made comparable for the indexes of a store.
#pragma once

#include <deprov/config.hpp>
#include <string>
#include <string_view>

namespace deprov::scim {

/// Letters of ASCII in lower case; every other byte as it is. Filters and indexes use this one function, so
/// they cannot disagree.
[[nodiscard]] inline std::string fold(std::string_view text) {
  std::string out(text);
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

}  // namespace deprov::scim
