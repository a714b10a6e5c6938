#include "engine/sources/feed_config.hpp"
#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <deprov/http/authorities.hpp>

namespace deprov::engine {

namespace {

constexpr std::array<std::string_view, 5> secret_members = {"token", "password", "client_secret", "private_key",
                                                            "certificate"};

std::string auth_text(const json::object& o, std::string_view name) {
  const auto* v = o.if_contains(name);
  return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string{};
}

Error invalid(std::string where, std::string detail, std::string advice = {}) {
  return {Errc::invalid_argument, std::move(detail), "config/" + where, std::move(advice)};
}

/// What may stand in a header (RFC 9110 section 5.5); a line break would begin another one.
bool is_header_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u >= 0x20 && u != 0x7F;
  });
}

std::string base64(std::string_view text) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k)
      word = (word << 8U) | (i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) out += i + k <= text.size() ? alphabet[(word >> (18 - 6 * k)) & 63U] : '=';
  }
  return out;
}

/// How the client names itself to the token endpoint: by a secret, or by a key of its own.
Result<void> parse_client(const json::object& auth, const idp::FeedTraits& traits, FeedCredential& c) {
  using ClientAuth = FeedCredential::ClientAuth;
  const auto how = auth_text(auth, "client_auth");
  const bool by_key = how == "private_key_jwt" || (how.empty() && auth.contains("private_key"));
  c.client_auth = by_key ? ClientAuth::private_key_jwt : how == "post" ? ClientAuth::post : ClientAuth::basic;
  for (const auto* member : {"private_key", "certificate", "key_id", "algorithm", "audience"})
    if (!by_key && auth.contains(member))
      return invalid(std::string("auth/") + member, "belongs to a client that signs with its own key",
                     "give private_key, and private_key_jwt as client_auth");
  c.client_secret = auth_text(auth, "client_secret");
  if (!by_key) {
    if (c.client_secret.empty()) return invalid("auth/client_secret", "is missing");
    if (!is_header_value(c.client_secret)) return invalid("auth/client_secret", "has control characters");
    return {};
  }
  if (!c.client_secret.empty())
    return invalid("auth/client_secret", "does not go with a private key", "give one of the two");
  c.private_key = auth_text(auth, "private_key");
  c.certificate = auth_text(auth, "certificate");
  c.key_id = auth_text(auth, "key_id");
  c.audience = auth_text(auth, "audience");
  if (c.private_key.empty()) return invalid("auth/private_key", "is missing", "give the client's key as PEM text");
  if (c.certificate.empty() && traits.key_by_certificate)
    return invalid("auth/certificate", "is missing",
                   "Entra ID knows a client's key by its certificate: give the one that the app registration has");
  if (const auto name = auth_text(auth, "algorithm"); !name.empty()) {
    c.algorithm = idp::parse_jws_algorithm(name);
    if (!c.algorithm) return invalid("auth/algorithm", "is not one that is known here", "leave it out");
  }
  return {};
}

Result<FeedCredential> parse_credential(const json::object& auth, const idp::FeedTraits& traits, bool allow_http) {
  FeedCredential c;
  const auto type = auth_text(auth, "type");
  const auto needs = [&](std::string_view member) -> Result<std::string> {
    auto value = auth_text(auth, member);
    if (value.empty()) return invalid("auth/" + std::string(member), "is missing");
    if (!is_header_value(value)) return invalid("auth/" + std::string(member), "has control characters");
    return value;
  };
  if (type != "client_credentials" && auth.contains("dpop"))
    return invalid("auth/dpop", "belongs to access tokens that are asked for",
                   "leave it out, or give client_credentials as type");
  if (type == "token") {
    DEPROV_TRY(token, needs("token"));
    if (token.find(' ') != std::string::npos)
      return invalid("auth/token", "has spaces", "give the token without its scheme, such as \"Bearer \"");
    auto scheme = auth_text(auth, "scheme");
    if (scheme.empty()) scheme = traits.token_scheme;
    c.type = FeedCredential::Type::token;
    c.header = scheme + " " + token;
  } else if (type == "basic") {
    DEPROV_TRY(user, needs("user"));
    DEPROV_TRY(password, needs("password"));
    if (user.find(':') != std::string::npos) return invalid("auth/user", "has a colon (RFC 7617 section 2)");
    c.type = FeedCredential::Type::basic;
    c.header = basic_of(user, password);
  } else if (type == "client_credentials") {
    c.type = FeedCredential::Type::client_credentials;
    c.token_url = auth_text(auth, "token_url");
    if (c.token_url.empty()) c.token_url = traits.token_url;
    const auto origin = idp::feed_origin(c.token_url);
    if (!origin) return invalid("auth/token_url", "has to be a URL such as https://idp.example.com/oauth2/token");
    if (!origin->starts_with("https://") && !allow_http)
      return invalid("auth/token_url", "has to begin with https://");
    DEPROV_TRY(id, needs("client_id"));
    c.client_id = std::move(id);
    DEPROV_CHECK(parse_client(auth, traits, c));
    c.scope = auth_text(auth, "scope");
    if (c.scope.empty()) c.scope = traits.token_scope;
    using Bound = FeedCredential::Bound;
    c.bound = traits.binds_tokens ? Bound::offered : Bound::never;
    if (const auto* dpop = auth.if_contains("dpop")) c.bound = dpop->as_bool() ? Bound::always : Bound::never;
    if (const auto* p = auth.if_contains("parameters"))
      for (const auto& [name, value] : p->as_object()) c.parameters.emplace_back(name, value.as_string());
  }
  return c;
}

std::optional<Duration> seconds_of(const json::object& o, std::string_view name) {
  const auto* v = o.if_contains(name);
  if (v == nullptr) return std::nullopt;
  return Duration(std::chrono::seconds(v->to_number<std::int64_t>()));
}

}  // namespace

std::string basic_of(std::string_view user, std::string_view password) {
  std::string pair(user);
  pair.append(":").append(password);
  return "Basic " + base64(pair);
}

std::string form_of(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    if (!out.empty()) out += '&';
    out.append(idp::feed_encode(name)).append("=").append(idp::feed_encode(value));
  }
  return out;
}

json::object feed_config_properties() {
  auto properties = json::parse(R"json({
    "auth": {"type": "object", "additionalProperties": false, "required": ["type"], "description": "Polled: the credential. What is secret in it is sealed, and never shown.",
      "properties": {"type": {"enum": ["none", "token", "basic", "client_credentials"], "description": "client_credentials: OAuth 2.0 (RFC 6749 section 4.4)."},
        "token": {"type": "string", "minLength": 1, "maxLength": 16384}, "scheme": {"enum": ["Bearer", "SSWS"], "description": "Of the token (default: what the API is used to)."},
        "user": {"type": "string", "minLength": 1, "maxLength": 1024}, "password": {"type": "string", "minLength": 1, "maxLength": 16384},
        "token_url": {"type": "string", "minLength": 1, "maxLength": 2000}, "client_id": {"type": "string", "minLength": 1, "maxLength": 1024},
        "client_secret": {"type": "string", "minLength": 1, "maxLength": 16384}, "scope": {"type": "string", "maxLength": 4096},
        "client_auth": {"enum": ["basic", "post", "private_key_jwt"], "description": "How the client names itself to the token endpoint (default: basic, and with private_key private_key_jwt: RFC 7523 section 2.2)."},
        "private_key": {"type": "string", "minLength": 1, "maxLength": 16384, "description": "The client's own key, PEM without a passphrase: RSA from 2048 bits on, P-256, P-384 or Ed25519. Sealed, and never shown."},
        "certificate": {"type": "string", "minLength": 1, "maxLength": 65536, "description": "That of the key, PEM: Entra ID knows the key by its thumbprint. Sealed, and never shown."},
        "key_id": {"type": "string", "minLength": 1, "maxLength": 255, "description": "What the IdP calls the key (kid), where it is not known by a certificate."},
        "algorithm": {"enum": ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"], "description": "Of the signature (default: RS256 of an RSA key, with a certificate PS256; ES256, ES384 or EdDSA of the others)."},
        "audience": {"type": "string", "minLength": 1, "maxLength": 2000, "description": "Whom the assertion is for (default: token_url)."},
        "dpop": {"type": "boolean", "description": "Whether access tokens are bound to a key that is made for that and kept in memory (DPoP, RFC 9449): true takes no other ones, false asks for none (default: of okta asked for, and others taken too; otherwise false)."},
        "parameters": {"type": "object", "maxProperties": 20, "additionalProperties": {"type": "string", "maxLength": 4096}}}},
    "poll": {"type": "object", "additionalProperties": false, "description": "Polled: how often, and how far.",
      "properties": {"floor_s": {"type": "integer", "minimum": 5, "maximum": 86400, "description": "The shortest time between polls (default: 30, of sources that show nobody but everybody 300)."},
        "ceiling_s": {"type": "integer", "minimum": 5, "maximum": 86400, "description": "The longest (default: 300, or 3600)."},
        "complete_every_s": {"type": "integer", "minimum": 60, "maximum": 2592000, "description": "How often everybody is read, where changes can be (default: 86400)."},
        "quota_reserve_percent": {"type": "integer", "minimum": 0, "maximum": 95, "description": "How much of the API's quota is left to others (default: 20)."},
        "max_pages": {"type": "integer", "minimum": 1, "maximum": 1000000, "description": "A round with more pages is refused (default: 20000)."},
        "timeout_s": {"type": "integer", "minimum": 1, "maximum": 600, "description": "Of one request (default: 30)."}}},
    "hook": {"type": "object", "additionalProperties": false, "description": "okta and graph: the IdP calls /events/{source} when something changed (event hooks, change notifications); what it says is a hint.",
      "properties": {"secrets": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "string", "minLength": 16, "maxLength": 255}, "description": "What its calls show: the Authorization header of an event hook, the clientState of a notification; two while one takes the place of the other. Sealed, and never shown."}}},
    "ca_pem": {"type": "string", "minLength": 1, "maxLength": 262144, "description": "Polled: authorities in place of the system's, as PEM text."}
  })json")
                        .as_object();
  for (const auto& kind : idp::feed_kinds()) properties[kind.name] = kind.schema();
  return properties;
}

namespace {
Result<void> parse_poll(const json::object& config, FeedConfig& c) {
  const auto& traits = c.feed->traits();
  // Whoever shows everybody at each poll is asked less often.
  c.floor = traits.changes ? Duration(std::chrono::seconds(30)) : Duration(std::chrono::minutes(5));
  c.ceiling = traits.changes ? Duration(std::chrono::minutes(5)) : Duration(std::chrono::hours(1));
  if (const auto* poll = config.if_contains("poll")) {
    const auto& p = poll->as_object();
    if (const auto s = seconds_of(p, "floor_s")) {
      c.floor = *s;
      c.ceiling = std::max(c.ceiling, *s);
    }
    if (const auto s = seconds_of(p, "ceiling_s")) c.ceiling = *s;
    if (c.ceiling < c.floor) return invalid("poll/ceiling_s", "is below floor_s", "give the same, or more");
    if (const auto s = seconds_of(p, "complete_every_s")) c.complete_every = *s;
    if (const auto s = seconds_of(p, "timeout_s")) c.timeout = *s;
    if (const auto* n = p.if_contains("quota_reserve_percent"))
      c.quota_reserve_percent = n->to_number<std::uint32_t>();
    if (const auto* n = p.if_contains("max_pages")) c.max_pages = n->to_number<std::size_t>();
  }
  return {};
}
}  // namespace

Result<FeedConfig> parse_feed_config(std::string_view kind, const json::object& config) {
  const auto* known = idp::find_feed_kind(kind);
  if (known == nullptr) return invalid("kind", "is no kind of feed");
  const auto* own = config.if_contains(kind);
  if (own == nullptr)
    return invalid(std::string(kind), "is missing", "say in it where " + std::string(known->title) + " is");
  FeedConfig c;
  auto feed = known->make(own->as_object());
  if (!feed)
    return Error(feed.error().code(), feed.error().detail(), "config/" + feed.error().where(),
                 feed.error().advice());
  c.feed = std::move(*feed);
  const auto& traits = c.feed->traits();
  const bool http = std::any_of(traits.origins.begin(), traits.origins.end(),
                                [](const std::string& o) { return o.starts_with("http://"); });
  if (const auto* auth = config.if_contains("auth")) {
    DEPROV_TRY(credential, parse_credential(auth->as_object(), traits, http));
    c.credential = std::move(credential);
  }
  if (const auto* hook = config.if_contains("hook")) {
    if (kind != "okta" && kind != "graph")
      return invalid("hook", std::string(known->title) + " has no calls that are understood here",
                     "leave it out; it is polled");
    const auto* secrets = hook->as_object().if_contains("secrets");
    if (secrets == nullptr) return invalid("hook/secrets", "is missing", "give what its calls will show");
    for (const auto& secret : secrets->as_array()) c.hook_secrets.emplace_back(secret.as_string());
    if (kind == "okta") c.hook_app = auth_text(own->as_object(), "app");
  }
  c.peer.ca_pem = auth_text(config, "ca_pem");
  if (!c.peer.ca_pem.empty())
    if (auto ok = http::check_authorities(c.peer.ca_pem); !ok)
      return invalid("ca_pem", ok.error().detail(), ok.error().advice());
  DEPROV_CHECK(parse_poll(config, c));
  return c;
}

Result<std::pair<Duration, Duration>> poll_bounds(std::string_view kind, const json::object& config) {
  const auto* known = idp::find_feed_kind(kind);
  const auto* own = config.if_contains(kind);
  if (known == nullptr || own == nullptr || !own->is_object()) return invalid(std::string(kind), "is missing");
  FeedConfig c;
  DEPROV_TRY(feed, known->make(own->get_object()));
  c.feed = std::move(feed);
  DEPROV_CHECK(parse_poll(config, c));
  return std::pair(c.floor, c.ceiling);
}

json::object take_secrets(json::object& config) {
  json::object secrets;
  if (auto* hook = config.if_contains("hook"); hook != nullptr && hook->is_object()) {
    if (const auto* list = hook->get_object().if_contains("secrets")) secrets["hook"] = *list;
    hook->get_object().erase("secrets");
  }
  auto* auth = config.if_contains("auth");
  if (auth == nullptr || !auth->is_object()) return secrets;
  for (const auto member : secret_members) {
    auto* value = auth->get_object().if_contains(member);
    if (value == nullptr) continue;
    secrets[member] = *value;
    auth->get_object().erase(member);
  }
  return secrets;
}

json::object with_secrets(json::object config, const json::object& secrets) {
  for (const auto& [member, value] : secrets) {
    auto* in = config.if_contains(member == "hook" ? "hook" : "auth");
    if (in == nullptr || !in->is_object()) continue;
    in->get_object()[member == "hook" ? std::string_view("secrets") : std::string_view(member)] = value;
  }
  return config;
}

}  // namespace deprov::engine
