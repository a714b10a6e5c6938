// Whether bytes are UTF-8, as RFC 3629 has it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace deprov {

/// How many bytes of `s` are UTF-8, from its beginning; all of them where it is.
[[nodiscard]] inline std::size_t utf8_prefix(std::string_view s) noexcept {
  std::size_t i = 0;
  while (i < s.size()) {
    const auto b = static_cast<unsigned char>(s[i]);
    const std::size_t more = b < 0x80                ? 0
                             : b >= 0xC2 && b < 0xE0 ? 1
                             : b >= 0xE0 && b < 0xF0 ? 2
                             : b >= 0xF0 && b < 0xF5 ? 3
                                                     : 9;
    if (more == 9 || s.size() - i <= more) return i;
    for (std::size_t k = 1; k <= more; ++k)
      if ((static_cast<unsigned char>(s[i + k]) & 0xC0U) != 0x80U) return i;
    if (more >= 2) {
      const auto second = static_cast<unsigned char>(s[i + 1]);
      if ((b == 0xE0 && second < 0xA0) || (b == 0xED && second > 0x9F) || (b == 0xF0 && second < 0x90) ||
          (b == 0xF4 && second > 0x8F))
        return i;
    }
    i += more + 1;
  }
  return i;
}

[[nodiscard]] inline bool is_utf8(std::string_view s) noexcept { return utf8_prefix(s) == s.size(); }

/// The same text with U+FFFD for each byte that is not UTF-8, for answers that quote what came.
[[nodiscard]] inline std::string to_utf8(std::string_view s) {
  std::string out;
  for (;;) {
    const auto good = utf8_prefix(s);
    out.append(s.substr(0, good));
    if (good == s.size()) return out;
    out.append("\xEF\xBF\xBD");
    s.remove_prefix(good + 1);
  }
}

}  // namespace deprov
