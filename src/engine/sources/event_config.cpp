#include "engine/sources/event_config.hpp"
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/url/parse.hpp>
#include <deprov/http/authorities.hpp>
#include <deprov/json_schema.hpp>
#include <utility>
#include "engine/impl.hpp"
#include "engine/sources/source_config.hpp"

namespace deprov::engine {

const json::value& event_config_schema() {
  static const json::value schema = json::parse(R"json({
    "type": "object", "additionalProperties": false, "required": ["issuer", "audience"],
    "properties": {
      "issuer": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "The transmitter's `iss`, exactly."},
      "audience": {"type": "array", "minItems": 1, "maxItems": 20, "description": "Who this receiver is to it: one of these has to be in `aud`.",
        "items": {"type": "string", "minLength": 1, "maxLength": 1024}},
      "jwks": {"type": "object", "description": "Its public keys (RFC 7517), where `jwks_uri` does not name them."},
      "jwks_uri": {"type": "string", "maxLength": 2048, "description": "Where its public keys are read, and read again when a token names one that is not known."},
      "ca_pem": {"type": "string", "maxLength": 262144, "description": "Authorities that its certificates are judged by, in place of the system's."},
      "algorithms": {"type": "array", "minItems": 1, "maxItems": 7, "description": "That tokens may be signed by (default: all of these).",
        "items": {"enum": ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]}},
      "authorization": {"type": "string", "minLength": 1, "maxLength": 4096, "description": "What the Authorization header of a push has to be. Secret."},
      "compatibility": {"type": "array", "maxItems": 2, "items": {"enum": ["okta", "google"]},
        "description": "Deviations that are understood: okta (subject inside the event, times in milliseconds), google (subject_type)."},
      "authoritative": {"type": "array", "maxItems": 20, "items": {"type": "string", "maxLength": 64},
        "description": "Types of events that are believed: they end or grant access by themselves. All others that would are hints (R5)."},
      "subject_issuer": {"type": "string", "maxLength": 1024, "description": "The `iss` of subjects of format iss_sub (default: the issuer)."},
      "link": {"type": "object", "additionalProperties": {"enum": ["external_id", "id", "user_name", "email", "nothing"]},
        "description": "By format of a subject's identifier, what of a subject here it is compared with. Default: external_id for iss_sub, opaque, scim_id and scim_external_id; nothing for the others, since names and e-mails pass from one person to another."},
      "links": {"type": "object", "maxProperties": 10000, "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 1024},
        "description": "Subjects that a person linked: subject's id to its id at the transmitter, which then means them and nobody else whom it fits."},
      "critical_members": {"type": "array", "maxItems": 20, "items": {"type": "string", "maxLength": 64},
        "description": "Members of complex subjects that the transmitter calls critical: events that have one besides `user` are discarded."},
      "stream_id": {"type": "string", "maxLength": 256, "description": "Events about the stream itself have to name it."},
      "poll": {"type": "object", "additionalProperties": false, "required": ["url"], "description": "Tokens are fetched (RFC 8936).",
        "properties": {"url": {"type": "string", "maxLength": 2048},
          "authorization": {"type": "string", "minLength": 1, "maxLength": 4096, "description": "Authorization header to send. Secret."},
          "interval_s": {"type": "integer", "minimum": 5, "maximum": 86400, "description": "Default: 60."},
          "max_events": {"type": "integer", "minimum": 1, "maximum": 500, "description": "At once (default: 100)."}}},
      "verification": {"type": "object", "additionalProperties": false, "required": ["url"], "description": "Where a verification event is asked for (SSF 1.0).",
        "properties": {"url": {"type": "string", "maxLength": 2048},
          "authorization": {"type": "string", "minLength": 1, "maxLength": 4096, "description": "Authorization header to send. Secret."}}}
    }
  })json");
  return schema;
}

namespace {

constexpr std::array<std::string_view, 5> link_names = {"nothing", "external_id", "id", "user_name", "email"};
constexpr std::int64_t default_interval = 60;
constexpr std::size_t default_events = 100;

const json::object* member(const json::object& o, std::string_view name) {
  const auto* v = o.if_contains(name);
  return v != nullptr ? v->if_object() : nullptr;
}

/// Of another machine only by https: whoever stands between could hand out keys, or swallow tokens.
Result<void> check_url(const std::string& url, std::string where) {
  const auto parsed = boost::urls::parse_uri(url);
  const auto bad = [&](std::string why) { return Error(Errc::invalid_argument, std::move(why), where); };
  const bool whole = parsed && (parsed->encoded_path().empty() || parsed->encoded_path().front() == '/');
  if (!whole || parsed->host().empty() || parsed->has_userinfo() || parsed->has_fragment())
    return bad("has to be a URL such as https://idp.example.com/keys, without a user or a fragment");
  const auto host = parsed->host();
  const bool own = host == "localhost" || host == "127.0.0.1" || host == "[::1]";
  if (parsed->scheme_id() == boost::urls::scheme::https) return {};
  if (parsed->scheme_id() == boost::urls::scheme::http && own) return {};
  return bad("has to begin with https://; http:// is for localhost alone");
}

/// A value that goes into a header.
Result<void> check_header(const std::string& value, std::string where) {
  for (const char c : value)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      return Error(Errc::invalid_argument, "has a character that a header cannot have", std::move(where));
  return {};
}

Result<void> parse_keys(const json::object& config, EventConfig& c) {
  c.jwks_uri = text_of(config, "jwks_uri");
  const auto* jwks = member(config, "jwks");
  if ((jwks != nullptr) != c.jwks_uri.empty())
    return Error(Errc::invalid_argument, "either the keys or where to read them has to be given", "config/jwks",
                 "give one of jwks and jwks_uri");
  if (jwks != nullptr) {
    auto keys = idp::parse_jwks(*jwks);
    if (!keys) return Error(Errc::invalid_argument, keys.error().detail(), "config/jwks");
    if (keys->keys.empty())
      return Error(Errc::invalid_argument, "has no public key that signatures can be verified by", "config/jwks",
                   "RSA, EC of P-256 or P-384, and OKP of Ed25519 are known");
    c.keys = std::move(*keys);
  } else {
    DEPROV_CHECK(check_url(c.jwks_uri, "config/jwks_uri"));
  }
  c.ca_pem = text_of(config, "ca_pem");
  if (!c.ca_pem.empty())
    if (const auto ok = http::check_authorities(c.ca_pem); !ok)
      return Error(ok.error().code(), ok.error().detail(), "config/ca_pem", ok.error().advice());
  return {};
}

Result<void> parse_links(const json::object& config, EventConfig& c) {
  using F = idp::IdentifierFormat;
  for (const auto format : {F::iss_sub, F::opaque, F::scim_id, F::scim_external_id})
    c.link[format] = LinkTo::external_id;
  if (const auto* link = member(config, "link")) {
    for (const auto& [name, to] : *link) {
      const auto format = idp::parse_identifier_format(name);
      if (!format)
        return Error(Errc::invalid_argument, "there is no such format of an identifier",
                     "config/link/" + std::string(name),
                     "use iss_sub, opaque, email, account, phone_number, did, uri, scim_id, scim_external_id or "
                     "scim_user_name");
      for (std::size_t i = 0; i < link_names.size(); ++i)
        if (link_names[i] == to.as_string()) c.link[*format] = static_cast<LinkTo>(i);
    }
  }
  if (const auto* links = member(config, "links")) {
    for (const auto& [subject, id] : *links) {
      const auto parsed = ResourceId::parse(subject);
      if (!parsed)
        return Error(Errc::invalid_argument, "is not the id of a subject", "config/links/" + std::string(subject));
      c.links.emplace(std::string(id.as_string()), *parsed);
    }
  }
  return {};
}

/// Where secrets stand, and under which name they are sealed.
struct Place {
  std::string_view parent, name;
};
constexpr std::array<Place, 3> secret_places = {
    {{"", "authorization"}, {"poll", "poll_authorization"}, {"verification", "verification_authorization"}}};

std::string secret_of(const json::object& config, const json::object& secrets, const Place& place) {
  const auto* from = place.parent.empty() ? &config : member(config, place.parent);
  auto text = from != nullptr ? text_of(*from, "authorization") : std::string{};
  return text.empty() ? text_of(secrets, place.name) : text;
}

}  // namespace

Result<EventConfig> parse_event_config(const json::object& config, const json::object& secrets) {
  if (auto ok = validate_json(event_config_schema(), config); !ok)
    return Error(ok.error().code(), ok.error().detail(), "config" + ok.error().where(), ok.error().advice());
  EventConfig c;
  c.expected.issuer = text_of(config, "issuer");
  for (const auto& a : config.at("audience").as_array()) c.expected.audience.emplace_back(a.as_string());
  c.subject_issuer = config.contains("subject_issuer") ? text_of(config, "subject_issuer") : c.expected.issuer;
  DEPROV_CHECK(parse_keys(config, c));
  if (const auto* algorithms = config.if_contains("algorithms")) {
    for (const auto& a : algorithms->as_array())
      if (const auto known = idp::parse_jws_algorithm(a.as_string())) c.expected.algorithms.push_back(*known);
  } else {
    using A = idp::JwsAlgorithm;
    c.expected.algorithms = {A::rs256, A::rs384, A::rs512, A::ps256, A::es256, A::es384, A::ed25519};
  }
  if (const auto* compatibility = config.if_contains("compatibility")) {
    for (const auto& word : compatibility->as_array()) {
      if (word.as_string() == "okta") c.expected.compatibility.okta = true;
      if (word.as_string() == "google") c.expected.compatibility.google = true;
    }
  }
  if (const auto* names = config.if_contains("authoritative")) {
    for (const auto& name : names->as_array()) {
      if (!idp::may_be_authoritative(name.as_string()))
        return Error(Errc::invalid_argument, "no type of event of that name ends or grants access",
                     "config/authoritative",
                     "use account-purged, account-disabled, account-enabled, feed:add, feed:remove, prov:create, "
                     "prov:patch, prov:put, prov:delete, prov:activate or prov:deactivate");
      c.authoritative.emplace(name.as_string());
    }
  }
  if (const auto* members = config.if_contains("critical_members"))
    for (const auto& m : members->as_array()) c.critical.emplace(m.as_string());
  DEPROV_CHECK(parse_links(config, c));
  c.stream_id = text_of(config, "stream_id");
  if (const auto* poll = member(config, "poll")) {
    EventConfig::Poll p;
    p.url = text_of(*poll, "url");
    DEPROV_CHECK(check_url(p.url, "config/poll/url"));
    p.interval = poll_interval(*poll);
    const auto* most = poll->if_contains("max_events");
    p.max_events = most != nullptr ? most->to_number<std::size_t>() : default_events;
    c.poll = std::move(p);
  }
  if (const auto* verification = member(config, "verification")) {
    c.verification_url = text_of(*verification, "url");
    DEPROV_CHECK(check_url(c.verification_url, "config/verification/url"));
    if (c.stream_id.empty())
      return Error(Errc::invalid_argument, "a verification is asked for of a stream", "config/stream_id",
                   "give the stream_id, too");
  }
  c.push_authorization = secret_of(config, secrets, secret_places[0]);
  c.poll_authorization = secret_of(config, secrets, secret_places[1]);
  c.verification_authorization = secret_of(config, secrets, secret_places[2]);
  DEPROV_CHECK(check_header(c.push_authorization, "config/authorization"));
  DEPROV_CHECK(check_header(c.poll_authorization, "config/poll/authorization"));
  DEPROV_CHECK(check_header(c.verification_authorization, "config/verification/authorization"));
  return c;
}

Duration poll_interval(const json::object& poll) {
  const auto* interval = poll.if_contains("interval_s");
  return std::chrono::seconds(interval != nullptr ? interval->to_number<std::int64_t>() : default_interval);
}

Result<void> put_event_config(Engine::Impl& impl, port::SourceRow& row, const json::object& config) {
  DEPROV_CHECK(parse_event_config(config, {}));
  json::object shown = config;
  json::object secrets;
  for (const auto& place : secret_places) {
    auto* from = place.parent.empty() ? &shown : nullptr;
    if (from == nullptr) {
      auto* parent = shown.if_contains(place.parent);
      if (parent != nullptr) from = parent->if_object();
    }
    if (from == nullptr || !from->contains("authorization")) continue;
    secrets[place.name] = from->at("authorization");
    from->erase("authorization");
  }
  DEPROV_TRY(sealed, impl.seal_text(source_seal_context(row), json::serialize(secrets)));
  row.config = json::serialize(shown);
  row.secrets = std::move(sealed);
  return {};
}

Result<json::object> unseal_event_config(Engine::Impl& impl, const port::SourceRow& row) {
  const auto where = "source " + row.id.str();
  DEPROV_TRY(plain, impl.unseal_text(source_seal_context(row), row.secrets, where));
  boost::system::error_code ec;
  const auto secrets = json::parse(plain, ec);
  auto config = ec ? json::value() : json::parse(row.config, ec);
  if (ec || !secrets.is_object() || !config.is_object())
    return Error(Errc::store_corrupt, "the stored config does not parse", where,
                 "restore the store from a backup");
  for (const auto& place : secret_places) {
    const auto* secret = secrets.get_object().if_contains(place.name);
    auto* in = place.parent.empty() ? &config : config.get_object().if_contains(place.parent);
    if (secret != nullptr && in != nullptr && in->is_object()) in->get_object()["authorization"] = *secret;
  }
  return std::move(config.get_object());
}

Result<EventConfig> stored_event_config(Engine::Impl& impl, const port::SourceRow& row) {
  const auto where = "source " + row.id.str();
  DEPROV_TRY(plain, impl.unseal_text(source_seal_context(row), row.secrets, where));
  boost::system::error_code ec;
  const auto secrets = json::parse(plain, ec);
  const auto config = ec ? json::value() : json::parse(row.config, ec);
  if (ec || !secrets.is_object() || !config.is_object())
    return Error(Errc::store_corrupt, "the stored config does not parse", where,
                 "restore the store from a backup");
  return parse_event_config(config.get_object(), secrets.get_object());
}

}  // namespace deprov::engine
