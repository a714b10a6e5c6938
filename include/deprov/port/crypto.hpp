// Digests, authenticated encryption, signatures of others and those of a client's own key, and comparison without
// a timing signal.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deprov/error.hpp>
#include <deprov/idp/jose.hpp>
#include <deprov/time.hpp>
#include <span>
#include <string>
#include <string_view>

namespace deprov::port {

using Sha256 = std::array<std::uint8_t, 32>;
using Bytes = std::span<const std::uint8_t>;

[[nodiscard]] inline Bytes bytes_of(std::string_view s) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()};
}

/// What a certificate is known by.
struct CertificateFacts {
  std::array<std::uint8_t, 20> sha1{};  ///< of its DER encoding, as a name for it (`x5t`) and nothing else
  Sha256 sha256{};                      ///< of the same (`x5t#S256`)
  WallTime not_before{}, not_after{};
};

/// A private key and the public half of it.
struct KeyPair {
  std::string pem;  ///< PKCS #8; secret
  idp::Jwk key;
};

/// *Thread safety*: any thread.
class Crypto {
 public:
  virtual ~Crypto() = default;
  [[nodiscard]] virtual Sha256 sha256(Bytes data) const = 0;
  /// AES-256-GCM under a 32-byte key with a fresh random nonce; the answer is nonce, ciphertext, tag.
  /// `context` is authenticated and not stored (workspace, integration and field).
  [[nodiscard]] virtual Result<std::string> seal(Bytes key, Bytes context, std::string_view plain) const = 0;
  /// Errors: `store_corrupt` where key, context or text do not belong together.
  [[nodiscard]] virtual Result<std::string> open(Bytes key, Bytes context, std::string_view sealed) const = 0;
  /// Whether `signature` (as JWS has it: of ECDSA, R and S one behind the other) is that of `key` over `input`.
  /// Errors: `unauthorized` where it is not; `invalid_argument` where the key is unusable: not of that algorithm,
  /// an RSA modulus of less than 2048 or more than 8192 bits, a point that is not on its curve.
  [[nodiscard]] virtual Result<void> verify(idp::JwsAlgorithm algorithm, const idp::Jwk& key,
                                            std::string_view input, std::string_view signature) const = 0;
  /// What a private key in PEM is: PKCS #8, PKCS #1 or SEC1, without a passphrase. Errors: `invalid_argument`,
  /// `where` "private_key", where it is none, is locked, is of another kind than `Jwk` has, or is an RSA key that
  /// has less than 2048 or more than 8192 bits. Nothing of the key is in an error.
  [[nodiscard]] virtual Result<idp::Jwk::Type> private_key(std::string_view pem) const = 0;
  /// A signature as JWS has it. Errors: those of `private_key`, and an algorithm that the key is not for.
  [[nodiscard]] virtual Result<std::string> sign(idp::JwsAlgorithm algorithm, std::string_view key_pem,
                                                 std::string_view input) const = 0;
  /// A key that nobody had before, on P-256.
  [[nodiscard]] virtual Result<KeyPair> make_key() const = 0;
  /// The first certificate in `pem`. Errors: `invalid_argument`, `where` "certificate", where it is none, or is
  /// not that of the key; those of `private_key`.
  [[nodiscard]] virtual Result<CertificateFacts> certificate(std::string_view pem,
                                                             std::string_view key_pem) const = 0;
  /// Time depends on the lengths only.
  [[nodiscard]] virtual bool equal(Bytes a, Bytes b) const noexcept = 0;
};

}  // namespace deprov::port
