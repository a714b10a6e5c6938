#include <deprov/crypto/crypto.hpp>
#include <deprov/engine/webhook_signature.hpp>
#include <string>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::engine;
using namespace std::chrono_literals;

namespace {

std::string hex(const port::Sha256& digest) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const auto b : digest) {
    out.push_back(digits[b >> 4U]);
    out.push_back(digits[b & 15U]);
  }
  return out;
}

}  // namespace

TEST_CASE("HMAC-SHA256 gives what RFC 4231 says") {
  const auto crypto = crypto::make_crypto();
  CHECK(hex(hmac_sha256(*crypto, std::string(20, '\x0b'), "Hi There")) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(hex(hmac_sha256(*crypto, "Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(hex(hmac_sha256(*crypto, std::string(131, '\xaa'),
                        "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("base64 goes there and back, and what is none is refused") {
  for (const std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
    CHECK(from_base64(to_base64(text)) == text);
  }
  CHECK(to_base64("fooba") == "Zm9vYmE=");
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  CHECK(from_base64(to_base64(all)) == all);
  for (const auto* bad : {"Zg", "Zg=", "=Zg=", "Z===", "Zm9v\n", "Zg==Zg==", "Z-9v"})
    CHECK_FALSE(from_base64(bad));
}

TEST_CASE("a message is signed as the Standard Webhooks specification says, and checked by its receiver") {
  const auto crypto = crypto::make_crypto();
  // The example of the specification's own libraries.
  const std::string secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const std::string id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
  const std::string body = R"({"test": 2432232314})";
  const auto bytes = from_base64(secret.substr(6));
  REQUIRE(bytes);
  const auto signature = webhook_signature(*crypto, *bytes, id, 1614265330, body);
  CHECK(signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  CHECK(webhook_secret_text(*bytes) == secret);

  const WallTime now{std::int64_t{1614265330} * 1'000'000};
  const auto good = [&](std::string_view header, std::string_view at = "1614265330",
                        WallTime when = WallTime{std::int64_t{1614265330} * 1'000'000}) {
    return verify_webhook(*crypto, secret, id, at, header, body, when);
  };
  CHECK(good(signature));
  CHECK(good("v1,AAAA " + signature));
  CHECK(good(signature + " v1a,else"));
  CHECK_FALSE(good(""));
  CHECK_FALSE(good("v1,AAAA"));
  CHECK_FALSE(good(signature.substr(3)));
  CHECK_FALSE(good(signature, "1614265331"));
  CHECK_FALSE(good(signature, "x"));
  CHECK_FALSE(good(signature, "-1"));
  CHECK_FALSE(good(signature, "99999999999999999999"));
  CHECK(good(signature, "1614265330", now + 5min));
  CHECK_FALSE(good(signature, "1614265330", now + 5min + 1s));
  CHECK_FALSE(good(signature, "1614265330", now - 5min - 1s));
  CHECK_FALSE(verify_webhook(*crypto, secret, id, "1614265330", signature, R"({"test": 2432232315})", now));
  CHECK_FALSE(verify_webhook(*crypto, secret, "msg_x", "1614265330", signature, body, now));
  CHECK_FALSE(verify_webhook(*crypto, "whsec_nope!", id, "1614265330", signature, body, now));
}
