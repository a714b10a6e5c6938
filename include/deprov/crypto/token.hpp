// Bearer tokens that deprov issues: shown once, stored as hashes.
#pragma once

#include <deprov/port/crypto.hpp>
#include <deprov/port/random.hpp>
#include <string>
#include <string_view>

namespace deprov::crypto {

inline constexpr std::string_view gateway_prefix = "dpg_";   ///< opens one integration's SCIM endpoint
inline constexpr std::string_view operator_prefix = "dpo_";  ///< a principal's, for the admin API

/// Base64 with the alphabet for URLs and without padding (RFC 4648 section 5).
[[nodiscard]] std::string base64url(port::Bytes data);

/// The prefix and 256 random bits: 47 characters that need no quoting anywhere.
[[nodiscard]] std::string make_token(std::string_view prefix, port::Random& random);

/// What is stored. A plain digest is enough, since a token of 256 random bits cannot be guessed.
[[nodiscard]] port::Sha256 token_hash(const port::Crypto& crypto, std::string_view token);

/// In constant time.
[[nodiscard]] bool token_matches(const port::Crypto& crypto, std::string_view token, const port::Sha256& hash);

}  // namespace deprov::crypto
