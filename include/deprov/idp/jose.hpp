// Signed tokens as they come (RFC 7515 compact serialization) and the keys that they are judged by (RFC 7517).
#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <deprov/error.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::idp {

namespace json = boost::json;

/// Base64 with the alphabet for URLs, without padding (RFC 4648 section 5). Nothing: another character, padding, a
/// length that there is not, or bits behind the last byte that are not zero, so that each text has one meaning.
[[nodiscard]] std::optional<std::string> decode_base64url(std::string_view text);
/// The same way back.
[[nodiscard]] std::string encode_base64url(std::string_view bytes);

/// What a token may be signed by: public keys alone. `none` and what needs a shared secret (HS256 and the like)
/// are not among them and have no value here, so that a public key is never taken for a secret.
enum class JwsAlgorithm : std::uint8_t { rs256, rs384, rs512, ps256, es256, es384, ed25519 };
/// As RFC 7518 section 3.1 and RFC 8037 section 3.1 spell it: "RS256", ..., "EdDSA".
[[nodiscard]] std::string_view to_string(JwsAlgorithm a) noexcept;
/// Exact; "Ed25519" (RFC 9864) is "EdDSA". Nothing: not one of these.
[[nodiscard]] std::optional<JwsAlgorithm> parse_jws_algorithm(std::string_view text) noexcept;

/// A public key. Values are bytes, decoded.
struct Jwk {
  enum class Type : std::uint8_t { rsa, p256, p384, ed25519 };
  Type type = Type::rsa;
  std::string kid{};                        ///< empty: it has none
  std::optional<JwsAlgorithm> algorithm{};  ///< the only one that it is for, where it says so
  std::string n{}, e{};                     ///< RSA: modulus and exponent, big-endian
  std::string x{}, y{};                     ///< the others: coordinates
};
/// Whether a signature of that algorithm can be made by such a key at all; nothing that a token says changes that.
[[nodiscard]] bool fits(JwsAlgorithm algorithm, const Jwk& key) noexcept;

/// The keys of a document, the usable ones alone.
struct JwkSet {
  std::vector<Jwk> keys;
  std::size_t ignored = 0;  ///< of other kinds, for encryption, symmetric, or not well formed
};

inline constexpr std::size_t max_jwks_bytes = std::size_t{256} << 10U;
inline constexpr std::size_t max_jwks_keys = 64;

/// A JWK Set (RFC 7517 section 5). Keys of kinds that are not known here are passed over, as it wants; of private
/// keys the public half is taken. Errors: `invalid_syntax`, `limit_exceeded` (256 KiB, 64 keys).
[[nodiscard]] Result<JwkSet> parse_jwks(std::string_view text);
[[nodiscard]] Result<JwkSet> parse_jwks(const json::object& document);

inline constexpr std::size_t max_token_bytes = std::size_t{64} << 10U;
inline constexpr std::size_t max_jose_header_bytes = std::size_t{4} << 10U;

/// A token taken apart. Nothing in it is true before its signature was verified.
struct CompactJws {
  json::object header;
  json::object payload;
  std::string signing_input;  ///< what the signature is over: the first two parts as they came
  std::string signature;      ///< bytes
};

/// Errors: `invalid_syntax` (not three parts of base64url whose first two are JSON objects, each member once),
/// `limit_exceeded` (64 KiB, of these 4 KiB for the header).
[[nodiscard]] Result<CompactJws> parse_compact_jws(std::string_view token);

}  // namespace deprov::idp

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/idp/impl/jose.ipp>
#endif
