// Keyed fingerprints: what is kept of a text that need only be recognised.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <deprov/config.hpp>
#include <string_view>

namespace deprov::idp {

/// A secret of one source, made once at random and kept with its snapshots. Without it nobody can make two texts
/// that have one fingerprint, nor tell whether somebody is in a snapshot.
struct FingerprintKey {
  std::array<std::uint8_t, 16> bytes{};
  friend bool operator==(const FingerprintKey&, const FingerprintKey&) = default;
};

/// 128 bits; two texts that share one are not met by accident.
struct Fingerprint {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend auto operator<=>(const Fingerprint&, const Fingerprint&) = default;
};

/// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein). What is stored depends on it: it never changes.
[[nodiscard]] Fingerprint fingerprint(const FingerprintKey& key, std::string_view text) noexcept;

}  // namespace deprov::idp

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/idp/impl/fingerprint.ipp>
#endif
