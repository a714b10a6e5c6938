#include <deprov/crypto/crypto.hpp>
#include <deprov/crypto/token.hpp>
#include <deprov/runtime/random.hpp>
#include "catch.hpp"

using deprov::port::bytes_of;
using namespace deprov::crypto;

TEST_CASE("base64url agrees with RFC 4648 section 10, without padding") {
  CHECK(base64url({}).empty());
  CHECK(base64url(bytes_of("f")) == "Zg");
  CHECK(base64url(bytes_of("fo")) == "Zm8");
  CHECK(base64url(bytes_of("foo")) == "Zm9v");
  CHECK(base64url(bytes_of("foobar")) == "Zm9vYmFy");
  CHECK(base64url(bytes_of("\xFB\xFF\xFE")) == "-__-");
}

TEST_CASE("a token carries its kind and 256 bits, and matches its hash alone") {
  deprov::runtime::SeededRandom random(3);
  const auto crypto = make_crypto();
  const auto a = make_token(gateway_prefix, random);
  const auto b = make_token(operator_prefix, random);
  CHECK(a.size() == 47);
  CHECK(a.substr(0, 4) == "dpg_");
  CHECK(b.substr(0, 4) == "dpo_");
  CHECK(a.substr(4) != b.substr(4));
  CHECK(a.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
        std::string::npos);
  CHECK(token_matches(*crypto, a, token_hash(*crypto, a)));
  CHECK_FALSE(token_matches(*crypto, b, token_hash(*crypto, a)));
  CHECK_FALSE(token_matches(*crypto, a.substr(0, 46), token_hash(*crypto, a)));
}
