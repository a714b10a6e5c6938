// Private keys of clients: what is one, what it signs, and which certificate is its own.
#include <deprov/crypto/crypto.hpp>
#include <deprov/idp/jose.hpp>
#include "catch.hpp"
#include "support/set_signer.hpp"

using namespace deprov;
using idp::JwsAlgorithm;
using test::SetSigner;
using Kind = SetSigner::Kind;

TEST_CASE("what a private key signs is verified by its public half, as JWS has it", "[crypto]") {
  const auto crypto = crypto::make_crypto();
  struct Row {
    Kind kind;
    idp::Jwk::Type type;
    std::vector<JwsAlgorithm> good;
  };
  const std::vector<Row> rows = {
      {Kind::rsa2048,
       idp::Jwk::Type::rsa,
       {JwsAlgorithm::rs256, JwsAlgorithm::rs384, JwsAlgorithm::rs512, JwsAlgorithm::ps256}},
      {Kind::p256, idp::Jwk::Type::p256, {JwsAlgorithm::es256}},
      {Kind::p384, idp::Jwk::Type::p384, {JwsAlgorithm::es384}},
      {Kind::ed25519, idp::Jwk::Type::ed25519, {JwsAlgorithm::ed25519}},
  };
  const std::vector<JwsAlgorithm> all = {JwsAlgorithm::rs256,  JwsAlgorithm::rs384, JwsAlgorithm::rs512,
                                         JwsAlgorithm::ps256,  JwsAlgorithm::es256, JwsAlgorithm::es384,
                                         JwsAlgorithm::ed25519};
  for (const auto& row : rows) {
    const SetSigner signer(row.kind);
    const auto keys = idp::parse_jwks(signer.jwks()).value();
    const auto type = crypto->private_key(signer.private_pem());
    REQUIRE(type);
    CHECK(*type == row.type);
    for (const auto algorithm : all) {
      INFO(to_string(algorithm));
      const auto signature = crypto->sign(algorithm, signer.private_pem(), "a.b");
      const bool fits = std::find(row.good.begin(), row.good.end(), algorithm) != row.good.end();
      REQUIRE(signature.has_value() == fits);
      if (!fits) {
        CHECK(signature.error().where() == "private_key");
        continue;
      }
      CHECK(crypto->verify(algorithm, keys.keys.front(), "a.b", *signature));
      CHECK_FALSE(crypto->verify(algorithm, keys.keys.front(), "a.c", *signature));
    }
  }
}

TEST_CASE("what is no private key is refused by name, and nothing of it is said", "[crypto]") {
  const auto crypto = crypto::make_crypto();
  const SetSigner good(Kind::rsa2048);
  const auto refused = [&](const std::string& pem, const char* part) {
    const auto r = crypto->private_key(pem);
    REQUIRE_FALSE(r);
    CHECK(r.error().code() == Errc::invalid_argument);
    CHECK(r.error().where() == "private_key");
    INFO(r.error().message());
    CHECK(r.error().detail().find(part) != std::string::npos);
    if (pem.size() > 100) CHECK(r.error().message().find(pem.substr(40, 20)) == std::string::npos);
    CHECK_FALSE(crypto->sign(JwsAlgorithm::rs256, pem, "x"));
  };
  refused("", "no private key in PEM");
  refused("hunter2", "no private key in PEM");
  refused(good.private_pem().substr(0, 200), "no private key in PEM");
  refused(good.private_pem("hunter2"), "passphrase");
  refused(good.public_pem(), "public key");
  refused(good.certificate(1).pem, "no private key in PEM");
  refused(SetSigner(Kind::rsa1024).private_pem(), "this one has 1024");
}

TEST_CASE("a key that is made signs, is what it says, and is another one each time", "[crypto]") {
  const auto crypto = crypto::make_crypto();
  const auto one = crypto->make_key();
  const auto other = crypto->make_key();
  REQUIRE(one);
  REQUIRE(other);
  CHECK(one->pem != other->pem);
  CHECK(one->key.x.size() == 32);
  CHECK(one->key.y.size() == 32);
  CHECK(crypto->private_key(one->pem).value() == idp::Jwk::Type::p256);
  const auto signature = crypto->sign(JwsAlgorithm::es256, one->pem, "text");
  REQUIRE(signature);
  CHECK(crypto->verify(JwsAlgorithm::es256, one->key, "text", *signature));
  CHECK_FALSE(crypto->verify(JwsAlgorithm::es256, other->key, "text", *signature));
}

TEST_CASE("a certificate is that of its key, and known by its thumbprints", "[crypto]") {
  const auto crypto = crypto::make_crypto();
  const SetSigner signer(Kind::rsa2048);
  const SetSigner other(Kind::rsa2048);
  const auto certificate = signer.certificate(365);
  const auto facts = crypto->certificate(certificate.pem, signer.private_pem());
  REQUIRE(facts);
  const auto text = [](const auto& bytes) {
    return idp::encode_base64url({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  CHECK(text(facts->sha1) == certificate.x5t);
  CHECK(text(facts->sha256) == certificate.x5t_s256);
  CHECK(facts->not_before.micros == 0);
  CHECK(to_rfc3339(facts->not_after) == "1971-01-01T00:00:00.000Z");
  // Key and certificate in one text, as some write them.
  CHECK(crypto->certificate(signer.private_pem() + certificate.pem, signer.private_pem()));
  for (const auto& [pem, key] :
       {std::pair{certificate.pem, other.private_pem()}, std::pair{other.certificate(1).pem, signer.private_pem()},
        std::pair{std::string("x"), signer.private_pem()}, std::pair{signer.public_pem(), signer.private_pem()}}) {
    const auto r = crypto->certificate(pem, key);
    REQUIRE_FALSE(r);
    CHECK(r.error().code() == Errc::invalid_argument);
    CHECK(r.error().where() == "certificate");
  }
}

TEST_CASE("base64url goes both ways", "[crypto]") {
  for (const auto* text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"})
    CHECK(idp::decode_base64url(idp::encode_base64url(text)).value() == text);
  CHECK(idp::encode_base64url("\xFF\xFE\xFB") == "__77");
}
