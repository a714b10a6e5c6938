#include "crypto/client_key.hpp"
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <array>
#include <ctime>
#include <memory>
#include <utility>

namespace deprov::crypto {

namespace {

constexpr int least_rsa_bits = 2048;
constexpr int most_rsa_bits = 8192;

struct Free {
  void operator()(BIO* p) const noexcept { BIO_free(p); }
  void operator()(EVP_PKEY* p) const noexcept { EVP_PKEY_free(p); }
  void operator()(EVP_MD_CTX* p) const noexcept { EVP_MD_CTX_free(p); }
  void operator()(X509* p) const noexcept { X509_free(p); }
  void operator()(ECDSA_SIG* p) const noexcept { ECDSA_SIG_free(p); }
};
using Bio = std::unique_ptr<BIO, Free>;
using Key = std::unique_ptr<EVP_PKEY, Free>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Free>;
using Certificate = std::unique_ptr<X509, Free>;
using EcSignature = std::unique_ptr<ECDSA_SIG, Free>;

/// What a failed call left for the thread must not be taken for the next one's.
struct ForgetErrors {
  ForgetErrors() = default;
  ForgetErrors(const ForgetErrors&) = delete;
  ForgetErrors& operator=(const ForgetErrors&) = delete;
  ~ForgetErrors() { ERR_clear_error(); }
};

struct PrivateKey {
  Key key;
  idp::Jwk::Type type = idp::Jwk::Type::rsa;
};

Error bad_key(std::string why, std::string advice = {}) {
  return {Errc::invalid_argument, std::move(why), "private_key", std::move(advice)};
}

Bio reader(std::string_view text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

/// Nobody is there to be asked for a passphrase.
int no_passphrase(char*, int, int, void*) { return -1; }

Result<idp::Jwk::Type> type_of(EVP_PKEY* key) {
  using Type = idp::Jwk::Type;
  if (EVP_PKEY_is_a(key, "RSA") == 1) {
    const auto bits = EVP_PKEY_get_bits(key);
    if (bits < least_rsa_bits || bits > most_rsa_bits)
      return bad_key("an RSA key has 2048 to 8192 bits here, and this one has " + std::to_string(bits),
                     "make another key, and tell the IdP of it");
    return Type::rsa;
  }
  if (EVP_PKEY_is_a(key, "ED25519") == 1) return Type::ed25519;
  std::array<char, 64> group{};
  std::size_t size = 0;
  if (EVP_PKEY_is_a(key, "EC") == 1 &&
      EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size(), &size) == 1) {
    const std::string_view name(group.data(), size);
    if (name == "prime256v1" || name == "P-256") return Type::p256;
    if (name == "secp384r1" || name == "P-384") return Type::p384;
  }
  return bad_key("it is of a kind that is not known here", "give an RSA key, or one on P-256, P-384 or Ed25519");
}

Result<PrivateKey> read_key(std::string_view pem) {
  const auto bio = reader(pem);
  PrivateKey read;
  if (bio) read.key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (!read.key) {
    if (pem.find("ENCRYPTED") != std::string_view::npos)
      return bad_key("it is locked by a passphrase", "give it without one; it is sealed here");
    if (pem.find("PUBLIC KEY-----") != std::string_view::npos)
      return bad_key("it is a public key", "give the private one that belongs to it");
    return bad_key("it is no private key in PEM",
                   "give the text from -----BEGIN PRIVATE KEY----- to -----END PRIVATE KEY-----");
  }
  DEPROV_TRY(type, type_of(read.key.get()));
  read.type = type;
  return read;
}

const char* digest_of(idp::JwsAlgorithm algorithm) {
  switch (algorithm) {
    case idp::JwsAlgorithm::rs384:
    case idp::JwsAlgorithm::es384: return "SHA384";
    case idp::JwsAlgorithm::rs512: return "SHA512";
    case idp::JwsAlgorithm::ed25519: return nullptr;
    default: return "SHA256";
  }
}

/// R and S one behind the other (RFC 7518 section 3.4).
Result<std::string> joined(std::string_view der, int size) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const EcSignature both(d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(der.size())));
  std::string out(static_cast<std::size_t>(size) * 2, '\0');
  auto* at = reinterpret_cast<unsigned char*>(out.data());
  if (!both || BN_bn2binpad(ECDSA_SIG_get0_r(both.get()), at, size) != size ||
      BN_bn2binpad(ECDSA_SIG_get0_s(both.get()), at + size, size) != size)
    return Error(Errc::internal, "OpenSSL made a signature of another length than its curve");
  return out;
}

std::optional<WallTime> time_of(const ASN1_TIME* t) {
  std::tm parts{};
  if (t == nullptr || ASN1_TIME_to_tm(t, &parts) != 1) return std::nullopt;
  return WallTime{static_cast<std::int64_t>(timegm(&parts)) * 1'000'000};
}

}  // namespace

Result<idp::Jwk::Type> private_key_type(std::string_view pem) {
  const ForgetErrors forget;
  DEPROV_TRY(read, read_key(pem));
  return read.type;
}

Result<std::string> sign_with(idp::JwsAlgorithm algorithm, std::string_view key_pem, std::string_view input) {
  const ForgetErrors forget;
  DEPROV_TRY(read, read_key(key_pem));
  idp::Jwk like;
  like.type = read.type;
  if (!idp::fits(algorithm, like))
    return bad_key("it is no key for " + std::string(idp::to_string(algorithm)), "leave the algorithm out");
  const DigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;
  const auto* text = reinterpret_cast<const unsigned char*>(input.data());
  std::size_t size = 0;
  if (!context ||
      EVP_DigestSignInit_ex(context.get(), &options, digest_of(algorithm), nullptr, nullptr, read.key.get(),
                            nullptr) != 1 ||
      (algorithm == idp::JwsAlgorithm::ps256 &&
       (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) != 1)) ||
      EVP_DigestSign(context.get(), nullptr, &size, text, input.size()) != 1)
    return Error(Errc::internal, "OpenSSL could not begin to sign");
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, text,
                     input.size()) != 1)
    return Error(Errc::internal, "OpenSSL could not sign");
  signature.resize(size);
  if (read.type == idp::Jwk::Type::p256) return joined(signature, 32);
  if (read.type == idp::Jwk::Type::p384) return joined(signature, 48);
  return signature;
}

Result<port::CertificateFacts> certificate_facts(std::string_view pem, std::string_view key_pem) {
  const ForgetErrors forget;
  const auto bad = [](std::string why, std::string advice) {
    return Error(Errc::invalid_argument, std::move(why), "certificate", std::move(advice));
  };
  DEPROV_TRY(read, read_key(key_pem));
  const auto bio = reader(pem);
  const Certificate certificate(bio ? PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  if (!certificate)
    return bad("it is no certificate in PEM",
               "give the text from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----");
  if (X509_check_private_key(certificate.get(), read.key.get()) != 1)
    return bad("it is not that of the private key", "give the two that belong together");
  port::CertificateFacts facts;
  unsigned int size = 0;
  if (X509_digest(certificate.get(), EVP_sha1(), facts.sha1.data(), &size) != 1 || size != facts.sha1.size() ||
      X509_digest(certificate.get(), EVP_sha256(), facts.sha256.data(), &size) != 1 || size != facts.sha256.size())
    return Error(Errc::internal, "OpenSSL could not work out the thumbprint of a certificate");
  const auto begins = time_of(X509_get0_notBefore(certificate.get()));
  const auto ends = time_of(X509_get0_notAfter(certificate.get()));
  if (!begins || !ends) return bad("it does not say from when to when it holds", "make another one");
  facts.not_before = *begins;
  facts.not_after = *ends;
  return facts;
}

}  // namespace deprov::crypto
