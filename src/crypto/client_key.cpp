#include "crypto/client_key.hpp"
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <array>
#include <ctime>
#include <utility>
#include "crypto/openssl_handles.hpp"

namespace deprov::crypto {

namespace {

struct PrivateKey {
  AsymmetricKey key;
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
    if (auto why = why_not_rsa_bits(EVP_PKEY_get_bits(key)))
      return bad_key(std::move(*why), "make another key, and tell the IdP of it");
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

/// R and S one behind the other (RFC 7518 section 3.4).
Result<std::string> joined(std::string_view der, int size) {
  const auto* bytes = raw(der);
  const EcSignature both(d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(der.size())));
  std::string out(static_cast<std::size_t>(size) * 2, '\0');
  auto* at = raw(out.data());
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
  const auto* text = raw(input);
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
  if (EVP_DigestSign(context.get(), raw(signature.data()), &size, text, input.size()) != 1)
    return Error(Errc::internal, "OpenSSL could not sign");
  signature.resize(size);
  const int half = half_size(read.type);
  if (half != 0) return joined(signature, half);
  return signature;
}

Result<port::KeyPair> make_p256_key() {
  const ForgetErrors forget;
  const auto failed = [] { return Error(Errc::internal, "OpenSSL could not make a key"); };
  const AsymmetricKey key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  const Bio bio(BIO_new(BIO_s_secmem()));
  if (!key || !bio ||
      PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return failed();
  port::KeyPair made;
  char* text = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &text);
  made.pem.assign(text, static_cast<std::size_t>(size));
  made.key.type = idp::Jwk::Type::p256;
  constexpr int half = 32;
  const auto coordinate = [&](const char* name, std::string& out) {
    BIGNUM* value = nullptr;
    if (EVP_PKEY_get_bn_param(key.get(), name, &value) != 1) return false;
    const Number owned(value);
    out.resize(half);
    return BN_bn2binpad(owned.get(), raw(out.data()), half) == half;
  };
  if (!coordinate(OSSL_PKEY_PARAM_EC_PUB_X, made.key.x) || !coordinate(OSSL_PKEY_PARAM_EC_PUB_Y, made.key.y))
    return failed();
  return made;
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
