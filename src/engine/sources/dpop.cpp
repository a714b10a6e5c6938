#include "engine/sources/dpop.hpp"
#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/idp/feed.hpp>
#include <deprov/idp/jose.hpp>

namespace deprov::engine {

namespace json = boost::json;

Result<std::string> DpopProver::proof(std::string_view method, std::string_view url, std::string_view token,
                                      std::string_view id, WallTime now) {
  if (key_.pem.empty()) {
    DEPROV_TRY(made, crypto_.make_key());
    key_ = std::move(made);
  }
  const json::object header{{"typ", "dpop+jwt"},
                            {"alg", to_string(idp::JwsAlgorithm::es256)},
                            {"jwk",
                             {{"kty", "EC"},
                              {"crv", "P-256"},
                              {"x", idp::encode_base64url(key_.key.x)},
                              {"y", idp::encode_base64url(key_.key.y)}}}};
  // Section 4.2: without query and fragment.
  json::object claims{{"jti", id},
                      {"htm", method},
                      {"htu", url.substr(0, url.find_first_of("?#"))},
                      {"iat", now.micros / 1'000'000}};
  if (!token.empty()) {
    const auto digest = crypto_.sha256(port::bytes_of(token));
    claims["ath"] = idp::encode_base64url({reinterpret_cast<const char*>(digest.data()), digest.size()});
  }
  if (const auto origin = idp::feed_origin(url))
    if (const auto nonce = nonces_.find(*origin); nonce != nonces_.end()) claims["nonce"] = nonce->second;
  auto text = idp::encode_base64url(json::serialize(header));
  text.append(".").append(idp::encode_base64url(json::serialize(claims)));
  DEPROV_TRY(signature, crypto_.sign(idp::JwsAlgorithm::es256, key_.pem, text));
  text.append(".").append(idp::encode_base64url(signature));
  return text;
}

bool DpopProver::answered(std::string_view url, const idp::FeedResponse& response) {
  const auto nonce = response.header("DPoP-Nonce");
  const auto origin = idp::feed_origin(url);
  if (!nonce || nonce->empty() || nonce->size() > longest_nonce || !origin) return false;
  // Section 8.1: printable, and neither a quote nor a backslash.
  if (!std::all_of(nonce->begin(), nonce->end(),
                   [](char c) { return c > 0x20 && c < 0x7F && c != '"' && c != '\\'; }))
    return false;
  auto& kept = nonces_[*origin];
  const bool other = kept != *nonce;
  kept = std::string(*nonce);
  if (!other || (response.status != 400 && response.status != 401)) return false;
  // An authorization server says so in its body (section 8), an API in a header (section 9).
  if (const auto body = idp::feed_body(response)) {
    const auto* error = body->if_contains("error");
    if (error != nullptr && error->is_string() && error->get_string() == "use_dpop_nonce") return true;
  }
  const auto challenge = response.header("WWW-Authenticate");
  return challenge && challenge->find("use_dpop_nonce") != std::string_view::npos;
}

}  // namespace deprov::engine
