// Tokens taken apart, and the keys that they are judged by.
#include <boost/json/array.hpp>
#include <deprov/idp/jose.hpp>
#include <tuple>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::idp;

TEST_CASE("base64url has one reading, and everything else is refused", "[idp][jose]") {
  CHECK(decode_base64url("") == std::string());
  CHECK(decode_base64url("AA") == std::string(1, '\0'));
  CHECK(decode_base64url("-_8") == std::string("\xFB\xFF"));
  CHECK(decode_base64url("Zm9vYg") == std::string("foob"));
  for (const char* wrong : {"A", "AAAAA", "AB", "AAB", "AA==", "AA=", "+/8", "A A", "AA\n", "A*AA"}) {
    CAPTURE(wrong);
    CHECK_FALSE(decode_base64url(wrong));
  }
}

TEST_CASE("only three parts that are what they should be make a token", "[idp][jose]") {
  const auto good = parse_compact_jws("eyJhIjoxfQ.eyJiIjoyfQ.c2ln");
  REQUIRE(good);
  CHECK(good->header.at("a") == 1);
  CHECK(good->payload.at("b") == 2);
  CHECK(good->signing_input == "eyJhIjoxfQ.eyJiIjoyfQ");
  CHECK(good->signature == "sig");
  for (const std::string wrong :
       {"", ".", "..", "eyJhIjoxfQ.eyJiIjoyfQ", "eyJhIjoxfQ.eyJiIjoyfQ.c2ln.x",
        "eyJhIjoxfQ.eyJiIjoyfQ.c2ln=", "W10.eyJiIjoyfQ.c2ln", "eyJhIjoxfQ.MQ.c2ln", "eyJhIjoxfQ .eyJiIjoyfQ.c2ln",
        // {"a":1,"a":2}: which one counts would be a guess
        "eyJhIjoxLCJhIjoyfQ.eyJiIjoyfQ.c2ln"}) {
    CAPTURE(wrong);
    CHECK(parse_compact_jws(wrong).error().code() == Errc::invalid_syntax);
  }
  CHECK(parse_compact_jws(std::string(max_token_bytes + 1, 'a')).error().code() == Errc::limit_exceeded);
  CHECK(parse_compact_jws(std::string(max_jose_header_bytes + 1, 'a') + ".e30.").error().code() ==
        Errc::limit_exceeded);
}

TEST_CASE("the examples of RFC 7515 that no key of an issuer can have signed are read, and are nobody's",
          "[idp][jose]") {
  const std::string payload =
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
  // Appendix A.1: HS256, whose key both sides have. Appendix A.5: none.
  for (const auto& [token, alg, size] :
       {std::tuple{
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + payload + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            "HS256", std::size_t{32}},
        std::tuple{"eyJhbGciOiJub25lIn0." + payload + ".", "none", std::size_t{0}}}) {
    CAPTURE(token);
    const auto jws = parse_compact_jws(token);
    REQUIRE(jws);
    CHECK(jws->payload.at("iss") == "joe");
    CHECK(jws->payload.at("http://example.com/is_root") == true);
    CHECK(jws->header.at("alg") == alg);
    CHECK(jws->signature.size() == size);
    CHECK_FALSE(parse_jws_algorithm(alg));
  }
  // That key, as a JWK, is no key of an issuer.
  const auto keys = parse_jwks(std::string_view(
      R"({"keys":[{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}]})"));
  REQUIRE(keys);
  CHECK(keys->keys.empty());
}

TEST_CASE("of a set of keys the usable ones are taken, and each for what it is", "[idp][jose]") {
  const auto set = parse_jwks(std::string_view(R"({"keys":[
    {"kty":"RSA","kid":"r","n":"AQAB","e":"AQAB","alg":"PS256"},
    {"kty":"EC","crv":"P-256","kid":"e","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
    {"kty":"OKP","crv":"Ed25519","kid":"o","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"private, and left alone"},
    {"kty":"oct","kid":"s","k":"c2VjcmV0"},
    {"kty":"RSA","kid":"enc","n":"AQAB","e":"AQAB","use":"enc"},
    {"kty":"RSA","kid":"hs","n":"AQAB","e":"AQAB","alg":"HS256"},
    {"kty":"EC","crv":"P-256","kid":"short","x":"AQAB","y":"AQAB"},
    {"kty":"EC","crv":"secp256k1","kid":"k","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
    {"kty":"EC","crv":"P-256","kid":"rs","alg":"RS256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
    "no key"
  ]})"));
  REQUIRE(set);
  REQUIRE(set->keys.size() == 3);
  CHECK(set->ignored == 7);
  CHECK(set->keys[0].kid == "r");
  CHECK(fits(JwsAlgorithm::ps256, set->keys[0]));
  CHECK_FALSE(fits(JwsAlgorithm::rs256, set->keys[0]));
  CHECK(fits(JwsAlgorithm::es256, set->keys[1]));
  CHECK_FALSE(fits(JwsAlgorithm::es384, set->keys[1]));
  CHECK_FALSE(fits(JwsAlgorithm::rs256, set->keys[1]));
  CHECK(fits(JwsAlgorithm::ed25519, set->keys[2]));
  for (const char* none : {"HS256", "none", "None", "", "RS1", "rs256", "ES512"})
    CHECK_FALSE(parse_jws_algorithm(none));
  CHECK(parse_jws_algorithm("Ed25519") == JwsAlgorithm::ed25519);

  CHECK(parse_jwks(std::string_view("[]")).error().code() == Errc::invalid_syntax);
  CHECK(parse_jwks(std::string_view("{}")).error().code() == Errc::invalid_syntax);
  json::array many;
  for (std::size_t i = 0; i <= max_jwks_keys; ++i) many.push_back(json::object{});
  CHECK(parse_jwks(json::object{{"keys", many}}).error().code() == Errc::limit_exceeded);
}
