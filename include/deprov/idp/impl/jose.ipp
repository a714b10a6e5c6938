#pragma once
#include <array>
#include <deprov/idp/jose.hpp>
#include <deprov/scim/json.hpp>
#include <utility>

namespace deprov::idp {

namespace detail {

inline constexpr std::array<std::string_view, 7> jws_names = {"RS256", "RS384", "RS512", "PS256",
                                                              "ES256", "ES384", "EdDSA"};

inline std::string_view jose_text(const json::object& o, std::string_view name) noexcept {
  const auto* v = o.if_contains(name);
  return v != nullptr && v->is_string() ? std::string_view(v->get_string()) : std::string_view{};
}

inline Result<json::object> jose_object(std::string_view bytes, std::string_view what) {
  DEPROV_TRY(value, scim::parse_json(bytes));
  if (!value.is_object()) return Error(Errc::invalid_syntax, "has to be a JSON object", std::string(what));
  return std::move(value.get_object());
}

/// A big-endian number or coordinate; nothing: not there, or not base64url.
inline std::optional<std::string> jose_bytes(const json::object& o, std::string_view name) {
  const auto text = jose_text(o, name);
  if (text.empty()) return std::nullopt;
  return decode_base64url(text);
}

inline std::optional<Jwk> jwk_of(const json::object& o) {
  Jwk key;
  const auto kty = jose_text(o, "kty");
  const auto curve = jose_text(o, "crv");
  key.kid = std::string(jose_text(o, "kid"));
  if (const auto use = jose_text(o, "use"); !use.empty() && use != "sig") return std::nullopt;
  if (const auto alg = jose_text(o, "alg"); !alg.empty()) {
    key.algorithm = parse_jws_algorithm(alg);
    if (!key.algorithm) return std::nullopt;
  }
  const auto x = jose_bytes(o, "x");
  const auto y = jose_bytes(o, "y");
  if (kty == "RSA") {
    auto n = jose_bytes(o, "n");
    auto e = jose_bytes(o, "e");
    if (!n || !e || n->empty() || e->empty()) return std::nullopt;
    key.n = std::move(*n);
    key.e = std::move(*e);
  } else if (kty == "EC" && (curve == "P-256" || curve == "P-384")) {
    const bool small = curve == "P-256";
    const std::size_t size = small ? 32 : 48;
    // RFC 7518 section 6.2.1.2: full size, zeros in front included.
    if (!x || !y || x->size() != size || y->size() != size) return std::nullopt;
    key.type = small ? Jwk::Type::p256 : Jwk::Type::p384;
    key.x = *x;
    key.y = *y;
  } else if (kty == "OKP" && curve == "Ed25519") {
    if (!x || x->size() != 32) return std::nullopt;
    key.type = Jwk::Type::ed25519;
    key.x = *x;
  } else {
    return std::nullopt;
  }
  if (key.algorithm && !fits(*key.algorithm, key)) return std::nullopt;
  return key;
}

}  // namespace detail

DEPROV_INLINE std::string encode_base64url(std::string_view bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  out.reserve(bytes.size() / 3 * 4 + 3);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k)
      word = (word << 8U) | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4 && i + k <= bytes.size(); ++k) out += alphabet[(word >> (18 - 6 * k)) & 63U];
  }
  return out;
}

DEPROV_INLINE std::optional<std::string> decode_base64url(std::string_view text) {
  if (text.size() % 4 == 1) return std::nullopt;
  const auto digit = [](char c) -> int {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
  };
  std::string out;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const int d = digit(c);
    if (d < 0) return std::nullopt;
    bits = (bits << 6U) | static_cast<std::uint32_t>(d);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<char>((bits >> count) & 0xFFU));
    bits &= (1U << count) - 1U;
  }
  if (bits != 0) return std::nullopt;
  return out;
}

DEPROV_INLINE std::string_view to_string(JwsAlgorithm a) noexcept {
  return detail::jws_names[static_cast<std::size_t>(a)];
}

DEPROV_INLINE std::optional<JwsAlgorithm> parse_jws_algorithm(std::string_view text) noexcept {
  if (text == "Ed25519") return JwsAlgorithm::ed25519;
  for (std::size_t i = 0; i < detail::jws_names.size(); ++i)
    if (detail::jws_names[i] == text) return static_cast<JwsAlgorithm>(i);
  return std::nullopt;
}

DEPROV_INLINE bool fits(JwsAlgorithm algorithm, const Jwk& key) noexcept {
  if (key.algorithm && *key.algorithm != algorithm) return false;
  switch (algorithm) {
    case JwsAlgorithm::rs256:
    case JwsAlgorithm::rs384:
    case JwsAlgorithm::rs512:
    case JwsAlgorithm::ps256: return key.type == Jwk::Type::rsa;
    case JwsAlgorithm::es256: return key.type == Jwk::Type::p256;
    case JwsAlgorithm::es384: return key.type == Jwk::Type::p384;
    case JwsAlgorithm::ed25519: return key.type == Jwk::Type::ed25519;
  }
  return false;
}

DEPROV_INLINE Result<JwkSet> parse_jwks(const json::object& document) {
  const auto* keys = document.if_contains("keys");
  if (keys == nullptr || !keys->is_array())
    return Error(Errc::invalid_syntax, "a JWK Set has an array \"keys\"", "keys");
  if (keys->get_array().size() > max_jwks_keys)
    return Error(Errc::limit_exceeded, "a JWK Set has at most 64 keys here", "keys");
  JwkSet set;
  for (const auto& v : keys->get_array()) {
    auto key = v.is_object() ? detail::jwk_of(v.get_object()) : std::nullopt;
    if (key) {
      set.keys.push_back(std::move(*key));
    } else {
      ++set.ignored;
    }
  }
  return set;
}

DEPROV_INLINE Result<JwkSet> parse_jwks(std::string_view text) {
  if (text.size() > max_jwks_bytes)
    return Error(Errc::limit_exceeded, "a JWK Set has at most 262144 bytes here", "jwks");
  DEPROV_TRY(document, detail::jose_object(text, "jwks"));
  return parse_jwks(document);
}

DEPROV_INLINE Result<CompactJws> parse_compact_jws(std::string_view token) {
  if (token.size() > max_token_bytes)
    return Error(Errc::limit_exceeded, "a token has at most 65536 bytes here", "token");
  const auto first = token.find('.');
  const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    return Error(Errc::invalid_syntax, "a signed token has three parts with a dot between them", "token");
  if (first > max_jose_header_bytes)
    return Error(Errc::limit_exceeded, "the header of a token has at most 4096 bytes here", "header");
  const auto header = decode_base64url(token.substr(0, first));
  if (!header) return Error(Errc::invalid_syntax, "is not base64url", "header");
  const auto payload = decode_base64url(token.substr(first + 1, second - first - 1));
  if (!payload) return Error(Errc::invalid_syntax, "is not base64url", "payload");
  auto signature = decode_base64url(token.substr(second + 1));
  if (!signature) return Error(Errc::invalid_syntax, "is not base64url", "signature");
  CompactJws jws;
  DEPROV_TRY(head, detail::jose_object(*header, "header"));
  DEPROV_TRY(body, detail::jose_object(*payload, "payload"));
  jws.header = std::move(head);
  jws.payload = std::move(body);
  jws.signing_input = std::string(token.substr(0, second));
  jws.signature = std::move(*signature);
  return jws;
}

}  // namespace deprov::idp
