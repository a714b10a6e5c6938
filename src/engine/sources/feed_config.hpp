// What a polled source is told: which feed, by which credential, how often.
#pragma once

#include <boost/json/object.hpp>
#include <deprov/idp/feed.hpp>
#include <deprov/idp/jose.hpp>
#include <deprov/port/http_transport.hpp>
#include <deprov/time.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace deprov::engine {

namespace json = boost::json;

/// How requests of a feed are authorized. Never printed.
struct FeedCredential {
  enum class Type : std::uint8_t { none, token, basic, client_credentials };
  Type type = Type::none;
  std::string header;  ///< of `token` and `basic`: the whole value of Authorization
  // Of client credentials (RFC 6749 section 4.4).
  enum class ClientAuth : std::uint8_t { basic, post, private_key_jwt };
  std::string token_url, client_id, client_secret, scope;
  ClientAuth client_auth = ClientAuth::basic;
  // Of a client that signs with its own key (RFC 7523 section 2.2).
  std::string private_key, certificate;          ///< PEM
  std::string key_id, audience;                  ///< audience: empty is `token_url`
  std::optional<idp::JwsAlgorithm> algorithm{};  ///< nothing: that of the key
  std::vector<std::pair<std::string, std::string>> parameters;
  /// Whether tokens are bound to a key (RFC 9449): never, where the endpoint does so, or no other one is taken.
  enum class Bound : std::uint8_t { never, offered, always };
  Bound bound = Bound::never;
};

struct FeedConfig {
  std::shared_ptr<const idp::Feed> feed;
  FeedCredential credential;
  port::HttpPeer peer;
  Duration timeout = std::chrono::seconds(30);  ///< of one request
  Duration floor{0}, ceiling{0};                ///< between polls
  Duration complete_every = std::chrono::hours(24);
  std::uint32_t quota_reserve_percent = 20;  ///< of the API's quota, left to others
  std::size_t max_pages = 20'000;            ///< a round with more is refused
  std::vector<std::string> hook_secrets{};   ///< what calls of the IdP show; empty: it calls nobody here
  std::string hook_app{};                    ///< the app that such calls have to be about, where they name one
};

/// The members of a source's config that belong to polls, as JSON Schema properties.
[[nodiscard]] json::object feed_config_properties();
/// `config` has passed the schema, with its secrets in it. Errors: `invalid_argument`, naming no secret.
[[nodiscard]] Result<FeedConfig> parse_feed_config(std::string_view kind, const json::object& config);
/// The shortest and the longest time between polls; the config needs no secrets for that.
[[nodiscard]] Result<std::pair<Duration, Duration>> poll_bounds(std::string_view kind, const json::object& config);
/// Takes what is secret out of a config, to be sealed; `with_secrets` puts it back.
[[nodiscard]] json::object take_secrets(json::object& config);
[[nodiscard]] json::object with_secrets(json::object config, const json::object& secrets);
/// `name=value&..` as application/x-www-form-urlencoded.
[[nodiscard]] std::string form_of(const std::vector<std::pair<std::string, std::string>>& fields);
/// Of basic authentication (RFC 7617), `Basic ` included.
[[nodiscard]] std::string basic_of(std::string_view user, std::string_view password);

}  // namespace deprov::engine
