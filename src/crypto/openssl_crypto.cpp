#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <deprov/crypto/crypto.hpp>
#include <limits>
#include <stdexcept>
#include <utility>
#include "crypto/client_key.hpp"
#include "crypto/openssl_handles.hpp"
#include "crypto/signature.hpp"

namespace deprov::crypto {

namespace {

constexpr std::size_t key_size = 32;
constexpr std::size_t nonce_size = 12;
constexpr std::size_t tag_size = 16;
constexpr std::size_t longest = 1U << 30U;  // GCM and int both bear it

class OpenSslCrypto final : public port::Crypto {
 public:
  OpenSslCrypto()
      : digest_(EVP_MD_fetch(nullptr, "SHA256", nullptr)),
        cipher_(EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr)) {
    if (!digest_ || !cipher_) throw std::runtime_error("this OpenSSL offers no SHA256 or no AES-256-GCM");
  }

  [[nodiscard]] port::Sha256 sha256(port::Bytes data) const override {
    // Fetching a digest and making a context each cost more than hashing a line of activity.
    thread_local const DigestContext context{EVP_MD_CTX_new()};
    port::Sha256 out{};
    unsigned int size = 0;
    if (!context || EVP_DigestInit_ex2(context.get(), digest_.get(), nullptr) != 1 ||
        EVP_DigestUpdate(context.get(), data.data(), data.size()) != 1 ||
        EVP_DigestFinal_ex(context.get(), out.data(), &size) != 1 || size != out.size())
      throw std::runtime_error("OpenSSL could not work out a SHA-256 digest");
    return out;
  }

  [[nodiscard]] Result<std::string> seal(port::Bytes key, port::Bytes context,
                                         std::string_view plain) const override {
    if (key.size() != key_size) return wrong_key(key.size());
    if (plain.size() > longest || context.size() > longest) return too_long();
    std::string out(nonce_size + plain.size() + tag_size, '\0');
    auto* const nonce = raw(out.data());
    auto* const text = nonce + nonce_size;
    auto* const tag = text + plain.size();
    int n = 0;
    const CipherContext c(EVP_CIPHER_CTX_new());
    if (!c || RAND_bytes(nonce, static_cast<int>(nonce_size)) != 1 ||
        EVP_EncryptInit_ex2(c.get(), cipher_.get(), key.data(), nonce, nullptr) != 1 ||
        EVP_EncryptUpdate(c.get(), nullptr, &n, context.data(), static_cast<int>(context.size())) != 1 ||
        EVP_EncryptUpdate(c.get(), text, &n, raw(plain.data()), static_cast<int>(plain.size())) != 1 ||
        EVP_EncryptFinal_ex(c.get(), tag, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag_size), tag) != 1)
      return Error(Errc::internal, "OpenSSL could not seal a secret");
    return out;
  }

  [[nodiscard]] Result<std::string> open(port::Bytes key, port::Bytes context,
                                         std::string_view sealed) const override {
    if (key.size() != key_size) return wrong_key(key.size());
    if (sealed.size() > longest || context.size() > longest) return too_long();
    if (sealed.size() < nonce_size + tag_size) return unopened();
    std::string out(sealed.size() - nonce_size - tag_size, '\0');
    const auto* const nonce = raw(sealed.data());
    const auto* const text = nonce + nonce_size;
    unsigned char tag[tag_size];
    for (std::size_t i = 0; i < tag_size; ++i) tag[i] = text[out.size() + i];
    int n = 0;
    const CipherContext c(EVP_CIPHER_CTX_new());
    if (!c || EVP_DecryptInit_ex2(c.get(), cipher_.get(), key.data(), nonce, nullptr) != 1 ||
        EVP_DecryptUpdate(c.get(), nullptr, &n, context.data(), static_cast<int>(context.size())) != 1 ||
        EVP_DecryptUpdate(c.get(), raw(out.data()), &n, text, static_cast<int>(out.size())) != 1 ||
        EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag_size), tag) != 1)
      return Error(Errc::internal, "OpenSSL could not open a sealed secret");
    if (EVP_DecryptFinal_ex(c.get(), tag, &n) != 1) {
      OPENSSL_cleanse(out.data(), out.size());
      return unopened();
    }
    return out;
  }

  [[nodiscard]] Result<void> verify(idp::JwsAlgorithm algorithm, const idp::Jwk& key, std::string_view input,
                                    std::string_view signature) const override {
    return verify_signature(algorithm, key, input, signature);
  }

  [[nodiscard]] Result<idp::Jwk::Type> private_key(std::string_view pem) const override {
    return private_key_type(pem);
  }
  [[nodiscard]] Result<std::string> sign(idp::JwsAlgorithm algorithm, std::string_view key_pem,
                                         std::string_view input) const override {
    return sign_with(algorithm, key_pem, input);
  }
  [[nodiscard]] Result<port::KeyPair> make_key() const override { return make_p256_key(); }
  [[nodiscard]] Result<port::CertificateFacts> certificate(std::string_view pem,
                                                           std::string_view key_pem) const override {
    return certificate_facts(pem, key_pem);
  }

  [[nodiscard]] bool equal(port::Bytes a, port::Bytes b) const noexcept override {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
  }

 private:
  static Error wrong_key(std::size_t size) {
    return {Errc::invalid_argument, "a key has 32 bytes, and this one has " + std::to_string(size)};
  }
  static Error too_long() { return {Errc::limit_exceeded, "a secret and its context have at most 2^30 bytes"}; }
  static Error unopened() {
    return {Errc::store_corrupt,
            "a sealed secret does not belong to this key and place, or was changed",
            {},
            "use the key file that belongs to this data directory"};
  }

  Digest digest_;
  Cipher cipher_;
};

}  // namespace

std::unique_ptr<port::Crypto> make_crypto() { return std::make_unique<OpenSslCrypto>(); }

}  // namespace deprov::crypto
