// Signatures by public keys: the examples of the RFCs, and everything that is not one.
#include <deprov/crypto/crypto.hpp>
#include <deprov/idp/jose.hpp>
#include "catch.hpp"
#include "support/set_signer.hpp"

using namespace deprov;
using idp::JwsAlgorithm;
namespace json = boost::json;

namespace {

Result<void> verify(JwsAlgorithm algorithm, const json::object& jwks, const std::string& token) {
  static const auto crypto = crypto::make_crypto();
  const auto keys = idp::parse_jwks(jwks);
  REQUIRE(keys);
  REQUIRE(keys->keys.size() == 1);
  const auto dot = token.rfind('.');
  const auto signature = idp::decode_base64url(token.substr(dot + 1));
  REQUIRE(signature);
  return crypto->verify(algorithm, keys->keys.front(), token.substr(0, dot), *signature);
}

json::object one_key(json::object jwk) { return {{"keys", json::array{std::move(jwk)}}}; }

/// Neither another text, nor a part of the signature, nor another one passes.
void nothing_else_passes(JwsAlgorithm algorithm, const json::object& jwks, const std::string& token) {
  REQUIRE(verify(algorithm, jwks, token));
  auto other = token;
  other[other.find('.') + 2] ^= 1;
  CHECK(verify(algorithm, jwks, other).error().code() == Errc::unauthorized);
  const auto dot = token.rfind('.');
  const auto signature = idp::decode_base64url(token.substr(dot + 1)).value();
  for (const auto& wrong :
       {std::string{}, signature.substr(1), signature.substr(0, signature.size() - 1), signature + "x",
        std::string(signature.size(), '\0'), std::string(signature.size(), '\xFF')})
    CHECK_FALSE(verify(algorithm, jwks, token.substr(0, dot + 1) + test::base64url(wrong)));
}

constexpr std::string_view payload =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

}  // namespace

TEST_CASE("the examples of RFC 7515 and RFC 8037 are verified", "[crypto]") {
  // RFC 7515 appendix A.2
  nothing_else_passes(
      JwsAlgorithm::rs256,
      one_key({{"kty", "RSA"},
               {"n",
                "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-"
                "4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-"
                "SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-"
                "KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-"
                "DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"},
               {"e", "AQAB"}}),
      "eyJhbGciOiJSUzI1NiJ9." + std::string(payload) +
          ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
          "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
          "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--"
          "xi12jzDwusC-"
          "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_"
          "IoypGlUPQGe77Rw");
  // RFC 7515 appendix A.3
  nothing_else_passes(JwsAlgorithm::es256,
                      one_key({{"kty", "EC"},
                               {"crv", "P-256"},
                               {"x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"},
                               {"y", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}}),
                      "eyJhbGciOiJFUzI1NiJ9." + std::string(payload) +
                          ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-"
                          "F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
  // RFC 8037 appendix A.4
  nothing_else_passes(
      JwsAlgorithm::ed25519,
      one_key({{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}),
      "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-"
      "09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
}

TEST_CASE("every algorithm is verified by a key of its own, and by no other", "[crypto]") {
  using Kind = test::SetSigner::Kind;
  const test::SetSigner rsa(Kind::rsa2048), p256(Kind::p256), p384(Kind::p384), ed(Kind::ed25519);
  const std::pair<JwsAlgorithm, const test::SetSigner*> all[] = {
      {JwsAlgorithm::rs256, &rsa},  {JwsAlgorithm::rs384, &rsa},  {JwsAlgorithm::rs512, &rsa},
      {JwsAlgorithm::ps256, &rsa},  {JwsAlgorithm::es256, &p256}, {JwsAlgorithm::es384, &p384},
      {JwsAlgorithm::ed25519, &ed},
  };
  for (const auto& [algorithm, signer] : all) {
    const std::string name(idp::to_string(algorithm));
    CAPTURE(name);
    const auto token = signer->sign({{"alg", name}}, "{}", name);
    nothing_else_passes(algorithm, signer->jwks(), token);
    for (const auto& [other, its] : all) {
      if (other == algorithm) continue;
      CHECK_FALSE(verify(other, its->jwks(), token));
      CHECK_FALSE(verify(other, signer->jwks(), token));
    }
    CHECK(verify(algorithm,
                 test::SetSigner(signer == &rsa    ? Kind::rsa2048
                                 : signer == &p256 ? Kind::p256
                                 : signer == &p384 ? Kind::p384
                                                   : Kind::ed25519)
                     .jwks(),
                 token)
              .error()
              .code() == Errc::unauthorized);
  }
}

TEST_CASE("a key that is weak or no key is unusable, whatever it signed", "[crypto]") {
  const test::SetSigner weak(test::SetSigner::Kind::rsa1024);
  const auto token = weak.sign({{"alg", "RS256"}}, "{}", "RS256");
  const auto refused = verify(JwsAlgorithm::rs256, weak.jwks(), token);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::invalid_argument);
  CHECK(refused.error().detail().find("2048") != std::string::npos);

  const test::SetSigner strong(test::SetSigner::Kind::rsa2048);
  const auto good = strong.sign({{"alg", "RS256"}}, "{}", "RS256");
  for (const char* exponent : {"AQ", "Ag", "AA"}) {  // 1, 2, 0
    auto jwk = strong.jwk();
    jwk["e"] = exponent;
    CHECK(verify(JwsAlgorithm::rs256, one_key(jwk), good).error().code() == Errc::invalid_argument);
  }
  auto huge = strong.jwk();
  huge["n"] = test::base64url(std::string(2000, '\x7F'));
  CHECK(verify(JwsAlgorithm::rs256, one_key(huge), good).error().code() == Errc::invalid_argument);

  const test::SetSigner p256;
  auto elsewhere = p256.jwk();
  elsewhere["y"] = test::base64url(std::string(32, '\x01'));
  CHECK(verify(JwsAlgorithm::es256, one_key(elsewhere), p256.sign(json::object{})).error().code() ==
        Errc::invalid_argument);
}
