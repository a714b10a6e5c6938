#pragma once
#include <bit>
#include <cstddef>
#include <deprov/idp/fingerprint.hpp>

namespace deprov::idp {

namespace detail {

/// Little-endian, whatever the machine is.
inline std::uint64_t load_word(const char* at, std::size_t bytes = 8) noexcept {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    word |= std::uint64_t{static_cast<unsigned char>(at[i])} << static_cast<unsigned>(8 * i);
  return word;
}

struct SipState {
  std::uint64_t v0, v1, v2, v3;

  void rounds(int n) noexcept {
    for (; n > 0; --n) {
      v0 += v1;
      v1 = std::rotl(v1, 13) ^ v0;
      v0 = std::rotl(v0, 32);
      v2 += v3;
      v3 = std::rotl(v3, 16) ^ v2;
      v0 += v3;
      v3 = std::rotl(v3, 21) ^ v0;
      v2 += v1;
      v1 = std::rotl(v1, 17) ^ v2;
      v2 = std::rotl(v2, 32);
    }
  }
  void take(std::uint64_t word) noexcept {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }
};

}  // namespace detail

DEPROV_INLINE Fingerprint fingerprint(const FingerprintKey& key, std::string_view text) noexcept {
  std::array<char, 16> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(key.bytes[i]);
  const auto k0 = detail::load_word(bytes.data());
  const auto k1 = detail::load_word(bytes.data() + 8);
  detail::SipState s{k0 ^ 0x736f6d6570736575U, k1 ^ 0x646f72616e646f6dU ^ 0xeeU, k0 ^ 0x6c7967656e657261U,
                     k1 ^ 0x7465646279746573U};
  const std::size_t whole = text.size() / 8 * 8;
  for (std::size_t i = 0; i < whole; i += 8) s.take(detail::load_word(text.data() + i));
  s.take(std::uint64_t{text.size()} << 56U | detail::load_word(text.data() + whole, text.size() - whole));
  s.v2 ^= 0xeeU;
  s.rounds(4);
  Fingerprint f;
  f.high = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
  s.v1 ^= 0xddU;
  s.rounds(4);
  f.low = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
  return f;
}

}  // namespace deprov::idp
