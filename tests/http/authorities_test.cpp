#include <deprov/http/authorities.hpp>
#include <string>
#include "catch.hpp"

using namespace deprov;

TEST_CASE("authorities are PEM certificates, whole, few, and no keys", "[http]") {
  const std::string one = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
  const auto code = [](const std::string& pem) {
    const auto r = http::check_authorities(pem);
    return r ? Errc::ok : r.error().code();
  };
  CHECK(code(one) == Errc::ok);
  CHECK(code("subject: ours\n" + one + "\n" + one) == Errc::ok);
  CHECK(code("") == Errc::invalid_argument);
  CHECK(code("/etc/ssl/ca.pem") == Errc::invalid_argument);
  CHECK(code(one + "-----BEGIN CERTIFICATE-----\nMIIB\n") == Errc::invalid_argument);
  CHECK(code("-----BEGIN CERTIFICATE-----\n" + one) == Errc::invalid_argument);
  const auto with_key =
      http::check_authorities(one + "-----BEGIN EC PRIVATE KEY-----\nc2VjcmV0\n-----END EC PRIVATE KEY-----\n");
  REQUIRE_FALSE(with_key);
  CHECK(with_key.error().message().find("c2VjcmV0") == std::string::npos);
  CHECK(code(one + std::string(http::max_authorities_bytes, ' ')) == Errc::limit_exceeded);
}
