#include "engine/sources/client_assertion.hpp"
#include <boost/json/serialize.hpp>
#include <optional>
#include <utility>

namespace deprov::engine {

namespace {

constexpr std::int64_t lifetime_seconds = 300;

template <std::size_t N>
std::string thumbprint(const std::array<std::uint8_t, N>& digest) {
  return idp::encode_base64url({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

Error placed(const Error& why) {
  return {why.code(), why.detail(), "config/auth/" + (why.where().empty() ? "private_key" : why.where()),
          why.advice()};
}

struct Signer {
  idp::JwsAlgorithm algorithm = idp::JwsAlgorithm::rs256;
  std::optional<port::CertificateFacts> certificate;
};

Result<Signer> signer_of(const port::Crypto& crypto, const FeedCredential& c, WallTime now) {
  const auto type = crypto.private_key(c.private_key);
  if (!type) return placed(type.error());
  Signer s;
  if (!c.certificate.empty()) {
    auto facts = crypto.certificate(c.certificate, c.private_key);
    if (!facts) return placed(facts.error());
    if (facts->not_after <= now)
      return Error(Errc::invalid_argument, "it ended at " + to_rfc3339(facts->not_after),
                   "config/auth/certificate",
                   "make another one, tell the IdP of it, and give it to the source: deprov source set");
    s.certificate = *facts;
  }
  if (c.algorithm) {
    s.algorithm = *c.algorithm;
  } else {
    switch (*type) {
      case idp::Jwk::Type::rsa:
        s.algorithm = s.certificate ? idp::JwsAlgorithm::ps256 : idp::JwsAlgorithm::rs256;
        break;
      case idp::Jwk::Type::p256: s.algorithm = idp::JwsAlgorithm::es256; break;
      case idp::Jwk::Type::p384: s.algorithm = idp::JwsAlgorithm::es384; break;
      case idp::Jwk::Type::ed25519: s.algorithm = idp::JwsAlgorithm::ed25519; break;
    }
  }
  idp::Jwk like;
  like.type = *type;
  if (!idp::fits(s.algorithm, like))
    return Error(Errc::invalid_argument, "the private key is none for " + std::string(to_string(s.algorithm)),
                 "config/auth/algorithm", "leave it out");
  return s;
}

}  // namespace

Result<void> check_client_key(const port::Crypto& crypto, const FeedCredential& credential, WallTime now) {
  if (credential.client_auth != FeedCredential::ClientAuth::private_key_jwt) return {};
  DEPROV_TRY(signer, signer_of(crypto, credential, now));
  (void)signer;
  return {};
}

Result<std::string> client_assertion(const port::Crypto& crypto, const FeedCredential& credential,
                                     std::string_view id, WallTime now) {
  DEPROV_TRY(signer, signer_of(crypto, credential, now));
  json::object header{{"alg", to_string(signer.algorithm)}, {"typ", "JWT"}};
  if (!credential.key_id.empty()) header["kid"] = credential.key_id;
  const auto seconds = now.micros / 1'000'000;
  json::object claims{{"iss", credential.client_id},
                      {"sub", credential.client_id},
                      {"aud", credential.audience.empty() ? credential.token_url : credential.audience},
                      {"jti", id},
                      {"iat", seconds},
                      {"exp", seconds + lifetime_seconds}};
  if (signer.certificate) {
    // RS256 goes with the older name of a certificate.
    if (signer.algorithm == idp::JwsAlgorithm::rs256)
      header["x5t"] = thumbprint(signer.certificate->sha1);
    else
      header["x5t#S256"] = thumbprint(signer.certificate->sha256);
    claims["nbf"] = seconds;
  }
  auto token =
      idp::encode_base64url(json::serialize(header)) + "." + idp::encode_base64url(json::serialize(claims));
  auto signature = crypto.sign(signer.algorithm, credential.private_key, token);
  if (!signature) return placed(signature.error());
  token.append(".").append(idp::encode_base64url(*signature));
  return token;
}

}  // namespace deprov::engine
