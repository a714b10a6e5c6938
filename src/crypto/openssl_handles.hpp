// What the sources here share of OpenSSL: owners of what it hands out, and the keys that are taken at all.
#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/x509.h>
#include <deprov/idp/jose.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace deprov::crypto {

struct Free {
  void operator()(BIGNUM* p) const noexcept { BN_free(p); }
  void operator()(BIO* p) const noexcept { BIO_free(p); }
  void operator()(ECDSA_SIG* p) const noexcept { ECDSA_SIG_free(p); }
  void operator()(EVP_CIPHER* p) const noexcept { EVP_CIPHER_free(p); }
  void operator()(EVP_CIPHER_CTX* p) const noexcept { EVP_CIPHER_CTX_free(p); }
  void operator()(EVP_MD* p) const noexcept { EVP_MD_free(p); }
  void operator()(EVP_MD_CTX* p) const noexcept { EVP_MD_CTX_free(p); }
  void operator()(EVP_PKEY* p) const noexcept { EVP_PKEY_free(p); }
  void operator()(EVP_PKEY_CTX* p) const noexcept { EVP_PKEY_CTX_free(p); }
  void operator()(OSSL_PARAM* p) const noexcept { OSSL_PARAM_free(p); }
  void operator()(OSSL_PARAM_BLD* p) const noexcept { OSSL_PARAM_BLD_free(p); }
  void operator()(X509* p) const noexcept { X509_free(p); }
};
using Number = std::unique_ptr<BIGNUM, Free>;
using Bio = std::unique_ptr<BIO, Free>;
using EcSignature = std::unique_ptr<ECDSA_SIG, Free>;
using Cipher = std::unique_ptr<EVP_CIPHER, Free>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Free>;
using Digest = std::unique_ptr<EVP_MD, Free>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Free>;
using AsymmetricKey = std::unique_ptr<EVP_PKEY, Free>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free>;
using Params = std::unique_ptr<OSSL_PARAM, Free>;
using ParamBuild = std::unique_ptr<OSSL_PARAM_BLD, Free>;
using Certificate = std::unique_ptr<X509, Free>;

/// What a failed call left for the thread must not be taken for the next one's.
struct ForgetErrors {
  ForgetErrors() = default;
  ForgetErrors(const ForgetErrors&) = delete;
  ForgetErrors& operator=(const ForgetErrors&) = delete;
  ~ForgetErrors() { ERR_clear_error(); }
};

inline unsigned char* raw(char* p) { return reinterpret_cast<unsigned char*>(p); }
inline const unsigned char* raw(const char* p) { return reinterpret_cast<const unsigned char*>(p); }
inline const unsigned char* raw(std::string_view s) { return raw(s.data()); }

inline constexpr int least_rsa_bits = 2048;
inline constexpr int most_rsa_bits = 8192;  // what is larger costs whoever checks it

/// Why an RSA key of so many bits is not taken; nothing: it is.
inline std::optional<std::string> why_not_rsa_bits(int bits) {
  if (bits >= least_rsa_bits && bits <= most_rsa_bits) return std::nullopt;
  return "an RSA key has 2048 to 8192 bits here, and this one has " + std::to_string(bits);
}

/// As OpenSSL names it; null: the algorithm brings its own.
inline const char* digest_of(idp::JwsAlgorithm algorithm) {
  switch (algorithm) {
    case idp::JwsAlgorithm::rs384:
    case idp::JwsAlgorithm::es384: return "SHA384";
    case idp::JwsAlgorithm::rs512: return "SHA512";
    case idp::JwsAlgorithm::ed25519: return nullptr;
    default: return "SHA256";
  }
}

/// Bytes of each half of an ECDSA signature as JWS has it (RFC 7518 section 3.4); 0: it is no curve of ECDSA's.
inline int half_size(idp::Jwk::Type type) {
  if (type == idp::Jwk::Type::p256) return 32;
  return type == idp::Jwk::Type::p384 ? 48 : 0;
}

}  // namespace deprov::crypto
