#include <array>
#include <charconv>
#include <deprov/engine/webhook_signature.hpp>

namespace deprov::engine {

namespace {

constexpr std::size_t block = 64;  // of SHA-256
constexpr std::string_view secret_prefix = "whsec_";
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string_view text_of(const port::Sha256& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

port::Sha256 hmac_sha256(const port::Crypto& crypto, std::string_view key, std::string_view text) {
  std::string k(key);
  if (k.size() > block) k = text_of(crypto.sha256(port::bytes_of(key)));
  k.resize(block, '\0');
  std::string inner(k);
  std::string outer(k);
  for (std::size_t i = 0; i < block; ++i) {
    inner[i] = static_cast<char>(static_cast<unsigned char>(k[i]) ^ 0x36U);
    outer[i] = static_cast<char>(static_cast<unsigned char>(k[i]) ^ 0x5cU);
  }
  inner.append(text);
  outer.append(text_of(crypto.sha256(port::bytes_of(inner))));
  return crypto.sha256(port::bytes_of(outer));
}

std::string to_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t v = 0;
    for (std::size_t j = 0; j < 3; ++j)
      v = (v << 8U) | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j)
      out.push_back(i + j <= bytes.size() ? alphabet[(v >> (18U - 6U * static_cast<unsigned>(j))) & 63U] : '=');
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::uint32_t v = 0;
    std::size_t padding = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const char c = text[i + j];
      if (c == '=' && j >= 2 && i + 4 == text.size()) {
        ++padding;
        v <<= 6U;
        continue;
      }
      const auto at = alphabet.find(c);
      if (at == std::string_view::npos || padding != 0) return std::nullopt;
      v = (v << 6U) | static_cast<std::uint32_t>(at);
    }
    for (std::size_t j = 0; j + padding < 3; ++j)
      out.push_back(static_cast<char>((v >> (16U - 8U * static_cast<unsigned>(j))) & 255U));
  }
  return out;
}

std::string webhook_secret_text(std::string_view bytes) { return std::string(secret_prefix) + to_base64(bytes); }

std::string webhook_signature(const port::Crypto& crypto, std::string_view secret, std::string_view id,
                              std::int64_t seconds, std::string_view body) {
  std::string text(id);
  text.append(".").append(std::to_string(seconds)).append(".").append(body);
  return "v1," + to_base64(text_of(hmac_sha256(crypto, secret, text)));
}

bool verify_webhook(const port::Crypto& crypto, std::string_view secret, std::string_view id,
                    std::string_view timestamp, std::string_view header, std::string_view body, WallTime now,
                    Duration tolerance) {
  if (secret.substr(0, secret_prefix.size()) == secret_prefix) secret.remove_prefix(secret_prefix.size());
  const auto bytes = from_base64(secret);
  std::int64_t seconds = 0;
  const auto parsed = std::from_chars(timestamp.data(), timestamp.data() + timestamp.size(), seconds);
  if (!bytes || parsed.ec != std::errc{} || parsed.ptr != timestamp.data() + timestamp.size()) return false;
  constexpr std::int64_t latest = 253402300799;  // the year 9999: no overflow below
  if (seconds < 0 || seconds > latest) return false;
  const auto off = now - WallTime{seconds * 1'000'000};
  if (off > tolerance || off < -tolerance) return false;
  const auto right = webhook_signature(crypto, *bytes, id, seconds, body);
  bool good = false;
  while (!header.empty()) {
    const auto space = header.find(' ');
    const auto one = header.substr(0, space);
    good = crypto.equal(port::bytes_of(one), port::bytes_of(right)) || good;
    header.remove_prefix(space == std::string_view::npos ? header.size() : space + 1);
  }
  return good;
}

}  // namespace deprov::engine
