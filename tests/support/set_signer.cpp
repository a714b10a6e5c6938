#include "set_signer.hpp"
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <stdexcept>
#include <utility>

namespace deprov::test {

namespace {

void must(bool ok) {
  if (!ok) throw std::runtime_error("OpenSSL does not do what the test wants");
}

std::string number_of(EVP_PKEY* key, const char* name, int size = 0) {
  BIGNUM* n = nullptr;
  must(EVP_PKEY_get_bn_param(key, name, &n) == 1);
  std::string bytes(static_cast<std::size_t>(size != 0 ? size : BN_num_bytes(n)), '\0');
  must(BN_bn2binpad(n, reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size())) >= 0);
  BN_free(n);
  return bytes;
}

std::string signing_input(const json::object& header, const std::string& payload) {
  return base64url(json::serialize(header)) + "." + base64url(payload);
}

}  // namespace

std::string base64url(const std::string& bytes) {
  constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  unsigned bits = 0;
  unsigned count = 0;
  for (const char c : bytes) {
    bits = (bits << 8U) | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) out += alphabet[(bits >> (count - 6)) & 0x3FU];
    bits &= 0x3FU;
  }
  if (count > 0) out += alphabet[(bits << (6 - count)) & 0x3FU];
  return out;
}

struct SetSigner::Key {
  EVP_PKEY* key = nullptr;
  Key() = default;
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;
  ~Key() { EVP_PKEY_free(key); }
};

SetSigner::SetSigner(Kind kind, std::string kid)
    : key_(std::make_unique<Key>()), kind_(kind), kid_(std::move(kid)) {
  switch (kind) {
    case Kind::p256: key_->key = EVP_EC_gen("P-256"); break;
    case Kind::p384: key_->key = EVP_EC_gen("P-384"); break;
    case Kind::ed25519: key_->key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"); break;
    case Kind::rsa2048: key_->key = EVP_RSA_gen(2048); break;
    case Kind::rsa1024: key_->key = EVP_RSA_gen(1024); break;
  }
  must(key_->key != nullptr);
}
SetSigner::~SetSigner() = default;
SetSigner::SetSigner(SetSigner&&) noexcept = default;
SetSigner& SetSigner::operator=(SetSigner&&) noexcept = default;

json::object SetSigner::jwk() const {
  json::object o{{"kid", kid_}, {"use", "sig"}};
  switch (kind_) {
    case Kind::p256:
    case Kind::p384: {
      const int size = kind_ == Kind::p256 ? 32 : 48;
      o["kty"] = "EC";
      o["crv"] = kind_ == Kind::p256 ? "P-256" : "P-384";
      o["x"] = base64url(number_of(key_->key, OSSL_PKEY_PARAM_EC_PUB_X, size));
      o["y"] = base64url(number_of(key_->key, OSSL_PKEY_PARAM_EC_PUB_Y, size));
      break;
    }
    case Kind::ed25519: {
      std::string x(32, '\0');
      std::size_t n = x.size();
      must(EVP_PKEY_get_raw_public_key(key_->key, reinterpret_cast<unsigned char*>(x.data()), &n) == 1);
      o["kty"] = "OKP";
      o["crv"] = "Ed25519";
      o["x"] = base64url(x);
      break;
    }
    default:
      o["kty"] = "RSA";
      o["n"] = base64url(number_of(key_->key, OSSL_PKEY_PARAM_RSA_N));
      o["e"] = base64url(number_of(key_->key, OSSL_PKEY_PARAM_RSA_E));
  }
  return o;
}

json::object SetSigner::jwks() const { return {{"keys", json::array{jwk()}}}; }

std::string SetSigner::algorithm() const {
  return kind_ == Kind::p256      ? "ES256"
         : kind_ == Kind::p384    ? "ES384"
         : kind_ == Kind::ed25519 ? "EdDSA"
                                  : "RS256";
}

std::string SetSigner::sign(const json::object& header, const std::string& payload,
                            const std::string& wanted) const {
  const auto name = wanted.empty() ? algorithm() : wanted;
  const auto input = signing_input(header, payload);
  const char* digest = name == "EdDSA"           ? nullptr
                       : name.substr(2) == "384" ? "SHA384"
                       : name.substr(2) == "512" ? "SHA512"
                                                 : "SHA256";
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_PKEY_CTX* options = nullptr;
  must(EVP_DigestSignInit_ex(context, &options, digest, nullptr, nullptr, key_->key, nullptr) == 1);
  if (name == "PS256") {
    must(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1);
    must(EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1);
  }
  std::size_t size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(input.data());
  must(EVP_DigestSign(context, nullptr, &size, bytes, input.size()) == 1);
  std::string signature(size, '\0');
  must(EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size, bytes, input.size()) ==
       1);
  signature.resize(size);
  EVP_MD_CTX_free(context);
  if (name == "ES256" || name == "ES384") {
    const int half = name == "ES256" ? 32 : 48;
    const auto* der = reinterpret_cast<const unsigned char*>(signature.data());
    ECDSA_SIG* both = d2i_ECDSA_SIG(nullptr, &der, static_cast<long>(signature.size()));
    must(both != nullptr);
    std::string flat(static_cast<std::size_t>(2 * half), '\0');
    auto* out = reinterpret_cast<unsigned char*>(flat.data());
    must(BN_bn2binpad(ECDSA_SIG_get0_r(both), out, half) == half &&
         BN_bn2binpad(ECDSA_SIG_get0_s(both), out + half, half) == half);
    ECDSA_SIG_free(both);
    signature = flat;
  }
  return input + "." + base64url(signature);
}

std::string SetSigner::sign(const json::object& claims) const {
  return sign({{"typ", "secevent+jwt"}, {"alg", algorithm()}, {"kid", kid_}}, json::serialize(claims));
}

namespace {
template <class Write>
std::string pem_of(Write write) {
  BIO* bio = BIO_new(BIO_s_mem());
  must(bio != nullptr && write(bio) == 1);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(bio, &text);
  std::string out(text, static_cast<std::size_t>(size));
  BIO_free(bio);
  return out;
}
}  // namespace

std::string SetSigner::private_pem(const std::string& passphrase) const {
  return pem_of([&](BIO* bio) {
    if (passphrase.empty())
      return PEM_write_bio_PKCS8PrivateKey(bio, key_->key, nullptr, nullptr, 0, nullptr, nullptr);
    return PEM_write_bio_PKCS8PrivateKey(bio, key_->key, EVP_aes_256_cbc(), passphrase.data(),
                                         static_cast<int>(passphrase.size()), nullptr, nullptr);
  });
}

std::string SetSigner::public_pem() const {
  return pem_of([&](BIO* bio) { return PEM_write_bio_PUBKEY(bio, key_->key); });
}

SetSigner::Certificate SetSigner::certificate(long days) const {
  X509* x = X509_new();
  must(x != nullptr);
  must(ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1);
  must(ASN1_TIME_set(X509_getm_notBefore(x), 0) != nullptr);
  must(ASN1_TIME_set(X509_getm_notAfter(x), days * 86'400) != nullptr);
  must(X509_set_pubkey(x, key_->key) == 1);
  must(X509_sign(x, key_->key, kind_ == Kind::ed25519 ? nullptr : EVP_sha256()) > 0);
  Certificate out;
  out.pem = pem_of([&](BIO* bio) { return PEM_write_bio_X509(bio, x); });
  unsigned char* der = nullptr;
  const int size = i2d_X509(x, &der);
  must(size > 0);
  for (const auto& [digest, text] : {std::pair{EVP_sha1(), &out.x5t}, std::pair{EVP_sha256(), &out.x5t_s256}}) {
    std::string bytes(EVP_MAX_MD_SIZE, '\0');
    unsigned int length = 0;
    must(EVP_Digest(der, static_cast<std::size_t>(size), reinterpret_cast<unsigned char*>(bytes.data()), &length,
                    digest, nullptr) == 1);
    bytes.resize(length);
    *text = base64url(bytes);
  }
  OPENSSL_free(der);
  X509_free(x);
  return out;
}

std::string sign_hs256(const json::object& header, const std::string& payload, const std::string& secret) {
  const auto input = signing_input(header, payload);
  std::string digest(32, '\0');
  unsigned int size = 32;
  must(HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
            reinterpret_cast<const unsigned char*>(input.data()), input.size(),
            reinterpret_cast<unsigned char*>(digest.data()), &size) != nullptr);
  return input + "." + base64url(digest);
}

}  // namespace deprov::test
