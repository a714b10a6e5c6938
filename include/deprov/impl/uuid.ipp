#pragma once
#include <deprov/uuid.hpp>

namespace deprov {

DEPROV_INLINE Uuid make_uuid_v7(WallTime now, std::span<const std::uint8_t, 10> random) noexcept {
  Uuid u;
  const auto ms = static_cast<std::uint64_t>(now.micros / 1000);
  for (unsigned i = 0; i < 6; ++i) u.bytes[i] = static_cast<std::uint8_t>(ms >> (40U - 8U * i));
  for (unsigned i = 0; i < 10; ++i) u.bytes[6 + i] = random[i];
  u.bytes[6] = static_cast<std::uint8_t>(0x70U | (u.bytes[6] & 0x0FU));
  u.bytes[8] = static_cast<std::uint8_t>(0x80U | (u.bytes[8] & 0x3FU));
  return u;
}

DEPROV_INLINE std::string to_string(const Uuid& id) {
  static constexpr char hex[] = "0123456789abcdef";
  std::string out(36, '-');
  auto to = out.begin();
  for (unsigned i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) ++to;
    *to++ = hex[id.bytes[i] >> 4U];
    *to++ = hex[id.bytes[i] & 0x0FU];
  }
  return out;
}

DEPROV_INLINE std::optional<Uuid> parse_uuid(std::string_view text) noexcept {
  if (text.size() != 36) return std::nullopt;
  auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  Uuid u;
  unsigned n = 0;
  for (std::size_t i = 0; i < 36;) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return std::nullopt;
      ++i;
      continue;
    }
    const int hi = digit(text[i]);
    const int lo = digit(text[i + 1]);
    if (hi < 0 || lo < 0) return std::nullopt;
    u.bytes[n++] = static_cast<std::uint8_t>(hi * 16 + lo);
    i += 2;
  }
  return u;
}

}  // namespace deprov
