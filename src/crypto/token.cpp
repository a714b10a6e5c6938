#include <array>
#include <deprov/crypto/token.hpp>

namespace deprov::crypto {

std::string base64url(port::Bytes data) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  out.reserve((data.size() * 4 + 2) / 3);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const auto byte : data) {
    bits = (bits << 8U) | byte;
    count += 8;
    while (count >= 6) {
      count -= 6;
      out += alphabet[(bits >> count) & 0x3FU];
    }
  }
  if (count > 0) out += alphabet[(bits << (6 - count)) & 0x3FU];
  return out;
}

std::string make_token(std::string_view prefix, port::Random& random) {
  std::array<std::uint8_t, 32> bytes{};
  random.fill(bytes);
  return std::string(prefix) + base64url(bytes);
}

port::Sha256 token_hash(const port::Crypto& crypto, std::string_view token) {
  return crypto.sha256(port::bytes_of(token));
}

bool token_matches(const port::Crypto& crypto, std::string_view token, const port::Sha256& hash) {
  return crypto.equal(token_hash(crypto, token), hash);
}

}  // namespace deprov::crypto
