// A key of a transmitter or a client, tokens signed by it (good ones, and such as nobody should take), and its
// PEM.
#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <string>

namespace deprov::test {

namespace json = boost::json;

[[nodiscard]] std::string base64url(const std::string& bytes);

class SetSigner {
 public:
  enum class Kind { p256, p384, ed25519, rsa2048, rsa1024 };
  explicit SetSigner(Kind kind = Kind::p256, std::string kid = "key-1");
  ~SetSigner();
  SetSigner(SetSigner&&) noexcept;
  SetSigner& operator=(SetSigner&&) noexcept;

  /// The public half.
  [[nodiscard]] json::object jwk() const;
  /// `{"keys": [...]}` of this one.
  [[nodiscard]] json::object jwks() const;
  /// The algorithm that goes with the key: "ES256", ...
  [[nodiscard]] std::string algorithm() const;
  /// Over any header.
  [[nodiscard]] std::string sign(const json::object& header, const std::string& payload,
                                 const std::string& algorithm = {}) const;
  /// With `typ`, `alg` and `kid` as they should be.
  [[nodiscard]] std::string sign(const json::object& claims) const;

  /// The private half as PKCS #8, under a passphrase where there is one.
  [[nodiscard]] std::string private_pem(const std::string& passphrase = {}) const;
  [[nodiscard]] std::string public_pem() const;
  struct Certificate {
    std::string pem;
    std::string x5t, x5t_s256;  ///< of its DER encoding: SHA-1 and SHA-256, in base64url
  };
  /// Self-signed, good for `days` from 1970-01-01 on.
  [[nodiscard]] Certificate certificate(long days) const;

 private:
  struct Key;
  std::unique_ptr<Key> key_;
  Kind kind_;
  std::string kid_;
};

/// HMAC-SHA256 over header and payload under `secret`, as HS256 wants it.
[[nodiscard]] std::string sign_hs256(const json::object& header, const std::string& payload,
                                     const std::string& secret);

}  // namespace deprov::test
