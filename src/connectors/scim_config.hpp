// The configuration of a SCIM connection, checked and ready to be used.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <deprov/connector/connector.hpp>
#include <deprov/error.hpp>
#include <deprov/port/http_transport.hpp>
#include <deprov/time.hpp>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace deprov::connectors {

namespace json = boost::json;

struct NoAuth {};
/// A header that never changes: bearer, basic, or one of the app's own.
struct HeaderAuth {
  std::string name;
  std::string value;
};
/// OAuth 2.0 client credentials (RFC 6749 section 4.4).
struct ClientCredentials {
  std::string token_url;
  std::string client_id;
  std::string client_secret;
  std::string scope;
  bool secret_in_body = false;  ///< `client_secret_post`; otherwise basic (section 2.3.1)
  std::vector<std::pair<std::string, std::string>> parameters;  ///< such as audience
};

/// How an app lets `active` be changed; `automatic` finds out.
enum class UpdateStyle : std::uint8_t { automatic, patch_path, patch_value, put };

struct ScimConfig {
  std::string base_url;  ///< without a slash at the end
  std::variant<NoAuth, HeaderAuth, ClientCredentials> auth;
  std::vector<port::HttpHeader> headers;
  port::HttpPeer peer;
  Duration timeout = std::chrono::seconds(30);  ///< of one HTTP request
  std::uint32_t page_size = 100;
  Duration max_retry_after = std::chrono::hours(1);
  Duration verification_lag{0};
  connector::RateLimits rate;
  UpdateStyle update = UpdateStyle::automatic;
  bool ask_me = true;                ///< which account the credential itself has
  std::vector<std::string> secrets;  ///< texts that must not appear in any detail
};

[[nodiscard]] const json::value& scim_config_schema();
[[nodiscard]] std::vector<std::string> scim_secret_paths();
/// Errors: `invalid_argument` naming the member; never its value where that may be secret.
[[nodiscard]] Result<ScimConfig> parse_scim_config(const json::object& config);

/// Base64 with padding (RFC 4648 section 4), as basic authentication wants it.
[[nodiscard]] std::string base64(std::string_view text);

}  // namespace deprov::connectors
