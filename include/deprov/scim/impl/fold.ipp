#pragma once
#include <cstdint>
#include <deprov/scim/fold.hpp>
#include <deprov/scim/json.hpp>

namespace deprov::scim {

namespace detail {

inline std::uint32_t fold_code_point(std::uint32_t c) noexcept {
  const auto even_up = [](std::uint32_t x) {
    return (x & 1U) == 0 ? x + 1 : x;
  };  // upper case has the even number
  const auto odd_up = [](std::uint32_t x) { return (x & 1U) == 1 ? x + 1 : x; };
  if (c < 0x80) return (c >= 'A' && c <= 'Z') ? c + 32 : c;
  if (c < 0xC0) return c;
  if (c <= 0xDE) return c == 0xD7 ? c : c + 32;
  if (c < 0x100) return c;
  if (c <= 0x12F) return even_up(c);
  if (c >= 0x132 && c <= 0x137) return even_up(c);
  if (c >= 0x139 && c <= 0x148) return odd_up(c);
  if (c >= 0x14A && c <= 0x177) return even_up(c);
  if (c == 0x178) return 0xFF;
  if (c >= 0x179 && c <= 0x17E) return odd_up(c);
  if (c >= 0x1CD && c <= 0x1DC) return odd_up(c);
  if ((c >= 0x1DE && c <= 0x1EF) || (c >= 0x1F8 && c <= 0x21F) || (c >= 0x222 && c <= 0x233)) return even_up(c);
  if (c == 0x386) return 0x3AC;
  if (c >= 0x388 && c <= 0x38A) return c + 37;
  if (c == 0x38C) return 0x3CC;
  if (c == 0x38E || c == 0x38F) return c + 63;
  if (c >= 0x391 && c <= 0x3AB && c != 0x3A2) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  if (c >= 0x410 && c <= 0x42F) return c + 32;
  if ((c >= 0x460 && c <= 0x481) || (c >= 0x48A && c <= 0x4BF) || (c >= 0x4D0 && c <= 0x52F)) return even_up(c);
  if (c == 0x4C0) return 0x4CF;
  if (c >= 0x4C1 && c <= 0x4CE) return odd_up(c);
  if (c >= 0x531 && c <= 0x556) return c + 48;
  if ((c >= 0x1E00 && c <= 0x1E95) || (c >= 0x1EA0 && c <= 0x1EFF)) return even_up(c);
  return c;
}

/// The code point at `i`, which then stands behind it; a byte that begins none stands for itself.
inline std::uint32_t next_code_point(std::string_view s, std::size_t& i, bool& valid) noexcept {
  const auto byte = [&](std::size_t k) { return static_cast<std::uint32_t>(static_cast<unsigned char>(s[k])); };
  const std::uint32_t b = byte(i);
  valid = true;
  std::size_t more = 0;
  std::uint32_t c = b;
  if (b < 0x80) {
    ++i;
    return b;
  }
  if (b >= 0xC2 && b <= 0xDF) {
    more = 1;
    c = b & 0x1FU;
  } else if (b >= 0xE0 && b <= 0xEF) {
    more = 2;
    c = b & 0x0FU;
  } else if (b >= 0xF0 && b <= 0xF4) {
    more = 3;
    c = b & 0x07U;
  }
  valid = more != 0 && i + more < s.size();
  for (std::size_t k = 1; valid && k <= more; ++k) {
    if ((byte(i + k) & 0xC0U) != 0x80U) {
      valid = false;
    } else {
      c = (c << 6U) | (byte(i + k) & 0x3FU);
    }
  }
  if (valid &&
      ((more == 2 && (c < 0x800 || (c >= 0xD800 && c <= 0xDFFF))) || (more == 3 && (c < 0x10000 || c > 0x10FFFF))))
    valid = false;
  if (!valid) {
    ++i;
    return b;
  }
  i += more + 1;
  return c;
}

inline void append_utf8(std::string& out, std::uint32_t c) {
  const auto put = [&](std::uint32_t b) { out.push_back(static_cast<char>(static_cast<unsigned char>(b))); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0U | (c >> 6U));
    put(0x80U | (c & 0x3FU));
  } else if (c < 0x10000) {
    put(0xE0U | (c >> 12U));
    put(0x80U | ((c >> 6U) & 0x3FU));
    put(0x80U | (c & 0x3FU));
  } else {
    put(0xF0U | (c >> 18U));
    put(0x80U | ((c >> 12U) & 0x3FU));
    put(0x80U | ((c >> 6U) & 0x3FU));
    put(0x80U | (c & 0x3FU));
  }
}

inline bool valid_utf8(std::string_view s) noexcept {
  bool valid = true;
  for (std::size_t i = 0; i < s.size();) {
    next_code_point(s, i, valid);
    if (!valid) return false;
  }
  return true;
}

}  // namespace detail

DEPROV_INLINE std::string fold(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool valid = true;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t first = i;
    const std::uint32_t c = detail::next_code_point(text, i, valid);
    if (valid) {
      detail::append_utf8(out, detail::fold_code_point(c));
    } else {
      out.push_back(text[first]);
    }
  }
  return out;
}

DEPROV_INLINE bool equal_folded(std::string_view a, std::string_view b) noexcept {
  std::size_t i = 0;
  std::size_t k = 0;
  bool va = true;
  bool vb = true;
  while (i < a.size() && k < b.size()) {
    const auto ca = detail::next_code_point(a, i, va);
    const auto cb = detail::next_code_point(b, k, vb);
    if (va != vb) return false;
    if (ca != cb && (!va || detail::fold_code_point(ca) != detail::fold_code_point(cb))) return false;
  }
  return i == a.size() && k == b.size();
}

}  // namespace deprov::scim
