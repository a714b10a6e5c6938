#include "crypto/signature.hpp"
#include <openssl/core_names.h>
#include <openssl/rsa.h>
#include <string>
#include <utility>
#include "crypto/openssl_handles.hpp"

namespace deprov::crypto {

namespace {

constexpr int most_exponent_bits = 64;

Error unusable(std::string why) { return {Errc::invalid_argument, std::move(why), "key"}; }

Number number(std::string_view bytes) {
  return Number(BN_bin2bn(raw(bytes), static_cast<int>(bytes.size()), nullptr));
}

AsymmetricKey key_of(const char* type, OSSL_PARAM_BLD* build) {
  const Params params(OSSL_PARAM_BLD_to_param(build));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1)
    return nullptr;
  return AsymmetricKey(key);
}

Result<AsymmetricKey> rsa_key(const idp::Jwk& jwk) {
  if (jwk.n.size() > most_rsa_bits / 8 + 1 || jwk.e.size() > most_exponent_bits / 8 + 1)
    return unusable("the RSA key is larger than 8192 bits, or its exponent than 64");
  const auto n = number(jwk.n);
  const auto e = number(jwk.e);
  const ParamBuild build(OSSL_PARAM_BLD_new());
  if (!n || !e || !build) return Error(Errc::internal, "OpenSSL could not make a number");
  if (auto why = why_not_rsa_bits(BN_num_bits(n.get()))) return unusable(std::move(*why));
  if (BN_is_odd(e.get()) != 1 || BN_is_one(e.get()) == 1 || BN_num_bits(e.get()) > most_exponent_bits)
    return unusable("the exponent of the RSA key is not one that there is");
  if (OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1)
    return Error(Errc::internal, "OpenSSL could not take the numbers of a key");
  auto key = key_of("RSA", build.get());
  if (!key) return unusable("the RSA key is not well formed");
  return key;
}

Result<AsymmetricKey> ec_key(const idp::Jwk& jwk) {
  const bool small = jwk.type == idp::Jwk::Type::p256;
  const auto size = static_cast<std::size_t>(half_size(jwk.type));
  if (jwk.x.size() != size || jwk.y.size() != size) return unusable("the point has another length than its curve");
  const std::string point = "\x04" + jwk.x + jwk.y;
  const ParamBuild build(OSSL_PARAM_BLD_new());
  if (!build ||
      OSSL_PARAM_BLD_push_utf8_string(build.get(), OSSL_PKEY_PARAM_GROUP_NAME, small ? "P-256" : "P-384", 0) !=
          1 ||
      OSSL_PARAM_BLD_push_octet_string(build.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1)
    return Error(Errc::internal, "OpenSSL could not take the coordinates of a key");
  auto key = key_of("EC", build.get());
  if (key) {
    const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
    if (context && EVP_PKEY_public_check(context.get()) == 1) return key;
  }
  return unusable("the point is not on its curve");
}

Result<AsymmetricKey> key_of(const idp::Jwk& jwk) {
  if (jwk.type == idp::Jwk::Type::rsa) return rsa_key(jwk);
  if (jwk.type != idp::Jwk::Type::ed25519) return ec_key(jwk);
  AsymmetricKey key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw(jwk.x), jwk.x.size()));
  if (!key) return unusable("the Ed25519 key is not well formed");
  return key;
}

/// R and S one behind the other (RFC 7518 section 3.4) as OpenSSL wants them; empty: they are of another length.
std::string der_of(std::string_view signature, std::size_t size) {
  std::string out;
  if (signature.size() != 2 * size) return out;
  const EcSignature both(ECDSA_SIG_new());
  auto r = number(signature.substr(0, size));
  auto s = number(signature.substr(size));
  if (!both || !r || !s || ECDSA_SIG_set0(both.get(), r.get(), s.get()) != 1) return out;
  (void)r.release();
  (void)s.release();
  unsigned char* bytes = nullptr;
  const int n = i2d_ECDSA_SIG(both.get(), &bytes);
  if (n > 0) out.assign(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(n));
  OPENSSL_free(bytes);
  return out;
}

}  // namespace

Result<void> verify_signature(idp::JwsAlgorithm algorithm, const idp::Jwk& jwk, std::string_view input,
                              std::string_view signature) {
  const ForgetErrors forget;
  if (!idp::fits(algorithm, jwk)) return unusable("the key is not one for the algorithm");
  DEPROV_TRY(key, key_of(jwk));
  std::string der;
  if (const int half = half_size(jwk.type); half != 0) {
    der = der_of(signature, static_cast<std::size_t>(half));
    signature = der;
  }
  const Error wrong(Errc::unauthorized, "the signature is not that of the key");
  if (signature.empty()) return wrong;
  const DigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;
  if (!context || EVP_DigestVerifyInit_ex(context.get(), &options, digest_of(algorithm), nullptr, nullptr,
                                          key.get(), nullptr) != 1)
    return Error(Errc::internal, "OpenSSL could not begin to verify a signature");
  if (algorithm == idp::JwsAlgorithm::ps256 &&
      (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) != 1 ||
       EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) != 1))
    return Error(Errc::internal, "OpenSSL could not set the padding of a signature");
  if (EVP_DigestVerify(context.get(), raw(signature), signature.size(), raw(input), input.size()) != 1)
    return wrong;
  return {};
}

}  // namespace deprov::crypto
