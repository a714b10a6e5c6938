#include "scim_config.hpp"
#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <cmath>
#include <deprov/json_schema.hpp>
#include <deprov/scim/json.hpp>
#include <optional>
#include <string_view>

namespace deprov::connectors {

namespace {

constexpr std::string_view scim_schema_text = R"json({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Connection to an app by SCIM 2.0",
  "type": "object",
  "required": ["base_url"],
  "additionalProperties": false,
  "properties": {
    "base_url": {"type": "string", "format": "uri", "maxLength": 2000,
      "description": "What Users and Groups are appended to, such as https://app.example.com/scim/v2"},
    "allow_http": {"type": "boolean", "default": false,
      "description": "Accept URLs without TLS; the credential then travels in clear"},
    "auth": {
      "description": "The credential; absent: none",
      "oneOf": [
        {"type": "object", "required": ["type"], "additionalProperties": false,
         "properties": {"type": {"const": "none"}}},
        {"type": "object", "required": ["type", "token"], "additionalProperties": false,
         "properties": {"type": {"const": "bearer"}, "token": {"type": "string", "minLength": 1, "maxLength": 16384}}},
        {"type": "object", "required": ["type", "user", "password"], "additionalProperties": false,
         "properties": {"type": {"const": "basic"},
           "user": {"type": "string", "minLength": 1, "maxLength": 1024},
           "password": {"type": "string", "maxLength": 16384}}},
        {"type": "object", "required": ["type", "name", "value"], "additionalProperties": false,
         "properties": {"type": {"const": "header"},
           "name": {"type": "string", "minLength": 1, "maxLength": 200},
           "value": {"type": "string", "minLength": 1, "maxLength": 16384}}},
        {"type": "object", "required": ["type", "token_url", "client_id", "client_secret"],
         "additionalProperties": false,
         "properties": {"type": {"const": "oauth2_client_credentials"},
           "token_url": {"type": "string", "format": "uri", "maxLength": 2000},
           "client_id": {"type": "string", "minLength": 1, "maxLength": 1024},
           "client_secret": {"type": "string", "minLength": 1, "maxLength": 16384},
           "scope": {"type": "string", "maxLength": 4096},
           "client_auth": {"enum": ["basic", "post"], "default": "basic"},
           "parameters": {"type": "object", "maxProperties": 20, "additionalProperties": {"type": "string"}}}}
      ]
    },
    "headers": {"type": "object", "maxProperties": 50, "additionalProperties": {"type": "string", "maxLength": 8192},
      "description": "Sent with every request to the app"},
    "ca_file": {"type": "string", "minLength": 1, "description": "PEM file of authorities on the engine's machine, where that may be named; in place of the system's"},
    "ca_pem": {"type": "string", "minLength": 1, "maxLength": 262144, "description": "PEM text of authorities, in place of the system's"},
    "proxy": {"type": "object", "required": ["url"], "additionalProperties": false,
      "properties": {"url": {"type": "string", "format": "uri", "maxLength": 2000},
        "user": {"type": "string", "minLength": 1}, "password": {"type": "string"}}},
    "timeout_s": {"type": "number", "exclusiveMinimum": 0, "maximum": 600, "default": 30},
    "connect_timeout_s": {"type": "number", "exclusiveMinimum": 0, "maximum": 600, "default": 10},
    "page_size": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
    "max_retry_after_s": {"type": "number", "minimum": 1, "maximum": 86400, "default": 3600},
    "verification_lag_s": {"type": "number", "minimum": 0, "maximum": 86400, "default": 0,
      "description": "How long the app may show the old state after a change"},
    "rate": {"type": "object", "additionalProperties": false,
      "properties": {"per_second": {"type": "number", "minimum": 0, "maximum": 100000},
        "burst": {"type": "number", "minimum": 1, "maximum": 100000},
        "max_concurrency": {"type": "integer", "minimum": 1, "maximum": 1024}}},
    "me": {"type": "boolean", "default": true,
      "description": "Ask the app's /Me, before the first change, which account the credential itself has; that one is never taken away"},
    "update": {"enum": ["auto", "patch", "put"], "default": "auto",
      "description": "How active is changed; auto: by PATCH, and by PUT where the app has no PATCH"}
  }
})json";

std::string text(const json::object& o, std::string_view key) {
  const auto* v = o.if_contains(key);
  return v == nullptr ? std::string{} : std::string(v->as_string());
}

std::optional<double> number(const json::object& o, std::string_view key) {
  const auto* v = o.if_contains(key);
  if (v == nullptr) return std::nullopt;
  return v->to_number<double>();
}

Duration seconds(double s) { return Duration(static_cast<std::int64_t>(std::llround(s * 1e6))); }

Error invalid(std::string where, std::string detail, std::string advice = {}) {
  return {Errc::invalid_argument, std::move(detail), std::move(where), std::move(advice)};
}

Result<void> check_url(const std::string& where, const std::string& url, bool allow_http) {
  const auto parsed = boost::urls::parse_uri(url);
  // A host that begins like an IPv4 address and goes on as something else ends too early for this parser: what is
  // checked here would not be what is called.
  const bool whole = parsed && (parsed->encoded_path().empty() || parsed->encoded_path().front() == '/');
  if (!whole || parsed->host().empty())
    return invalid(where, "has to be a URL such as https://app.example.com/scim/v2");
  if (parsed->has_userinfo())
    return invalid(where, "must not have a user name or password in it", "put the credential into \"auth\"");
  if (parsed->has_fragment()) return invalid(where, "must not have a fragment");
  const std::string port(parsed->port());  // digits; `port_number` wraps around
  if (!port.empty() && (port.size() > 5 || std::stoul(port) - 1 >= 65535))
    return invalid(where, "has no port that there is", "ports are from 1 to 65535");
  const auto scheme = parsed->scheme_id();
  if (scheme == boost::urls::scheme::https) return {};
  if (scheme != boost::urls::scheme::http) return invalid(where, "has to begin with https://");
  if (!allow_http)
    return invalid(where, "has to begin with https://",
                   "set \"allow_http\" to true to send the credential without TLS");
  return {};
}

bool is_header_name(std::string_view s) {
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return !s.empty() && std::all_of(s.begin(), s.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           others.find(c) != std::string_view::npos;
  });
}

bool is_header_value(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u == '\t' || (u >= 0x20 && u != 0x7F);
  });
}

Result<void> check_header(const std::string& where, std::string_view name, std::string_view value) {
  if (!is_header_name(name)) return invalid(where, "is no name of a header (RFC 9110 section 5.1)");
  for (const std::string_view own : {"Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection",
                                     "Accept", "If-Match", "Expect", "Upgrade"})
    if (scim::iequals(own, name)) return invalid(where, "is a header that the connector sets itself");
  if (!is_header_value(value)) return invalid(where, "has a value with control characters");
  return {};
}

Result<void> parse_auth(const json::object& auth, bool allow_http, ScimConfig& out) {
  const auto type = text(auth, "type");
  if (type == "bearer") {
    const auto token = text(auth, "token");
    if (!is_header_value(token) || token.find(' ') != std::string::npos)
      return invalid("/auth/token", "must not have spaces or control characters",
                     "give the token without \"Bearer \"");
    out.auth = HeaderAuth{"Authorization", "Bearer " + token};
    out.secrets.push_back(token);
  } else if (type == "basic") {
    const auto user = text(auth, "user");
    const auto password = text(auth, "password");
    if (user.find(':') != std::string::npos)
      return invalid("/auth/user", "must not have a colon (RFC 7617 section 2)");
    const auto encoded = base64(user + ":" + password);
    out.auth = HeaderAuth{"Authorization", "Basic " + encoded};
    out.secrets.push_back(password);
    out.secrets.push_back(encoded);
  } else if (type == "header") {
    HeaderAuth header{text(auth, "name"), text(auth, "value")};
    DEPROV_CHECK(check_header("/auth/name", header.name, header.value));
    out.secrets.push_back(header.value);
    out.auth = std::move(header);
  } else if (type == "oauth2_client_credentials") {
    ClientCredentials c;
    c.token_url = text(auth, "token_url");
    DEPROV_CHECK(check_url("/auth/token_url", c.token_url, allow_http));
    c.client_id = text(auth, "client_id");
    c.client_secret = text(auth, "client_secret");
    c.scope = text(auth, "scope");
    c.secret_in_body = text(auth, "client_auth") == "post";
    if (const auto* p = auth.if_contains("parameters"))
      for (const auto& [name, value] : p->as_object()) c.parameters.emplace_back(name, value.as_string());
    out.secrets.push_back(c.client_secret);
    out.auth = std::move(c);
  }
  return {};
}

Result<void> parse_proxy(const json::object& proxy, ScimConfig& out) {
  const auto url = text(proxy, "url");
  const auto parsed = boost::urls::parse_uri(url);
  if (!parsed || parsed->host().empty() ||
      (parsed->scheme_id() != boost::urls::scheme::http && parsed->scheme_id() != boost::urls::scheme::https))
    return invalid("/proxy/url", "has to be a URL such as http://proxy.example.com:3128");
  if (parsed->has_userinfo())
    return invalid("/proxy/url", "must not have a user name or password in it",
                   "use the members \"user\" and \"password\" of \"proxy\"");
  out.peer.proxy = url;
  out.peer.proxy_user = text(proxy, "user");
  out.peer.proxy_password = text(proxy, "password");
  out.secrets.push_back(out.peer.proxy_password);
  return {};
}

void parse_numbers(const json::object& config, ScimConfig& out) {
  if (const auto n = number(config, "timeout_s")) out.timeout = seconds(*n);
  if (const auto n = number(config, "connect_timeout_s")) out.peer.connect_timeout = seconds(*n);
  if (const auto n = number(config, "page_size")) out.page_size = static_cast<std::uint32_t>(*n);
  if (const auto n = number(config, "max_retry_after_s")) out.max_retry_after = seconds(*n);
  if (const auto n = number(config, "verification_lag_s")) out.verification_lag = seconds(*n);
  if (const auto* r = config.if_contains("rate")) {
    const auto& rate = r->as_object();
    if (const auto n = number(rate, "per_second")) out.rate.per_second = *n;
    if (const auto n = number(rate, "burst")) out.rate.burst = *n;
    if (const auto n = number(rate, "max_concurrency")) out.rate.max_concurrency = static_cast<std::uint32_t>(*n);
  }
}

}  // namespace

const json::value& scim_config_schema() {
  static const json::value schema = json::parse({scim_schema_text.data(), scim_schema_text.size()});
  return schema;
}

std::vector<std::string> scim_secret_paths() {
  return {"auth.token", "auth.password", "auth.value", "auth.client_secret", "headers", "proxy.password"};
}

Result<ScimConfig> parse_scim_config(const json::object& config) {
  DEPROV_CHECK(validate_json(scim_config_schema(), config));
  ScimConfig out;
  const auto* http = config.if_contains("allow_http");
  const bool allow_http = http != nullptr && http->as_bool();
  out.base_url = text(config, "base_url");
  DEPROV_CHECK(check_url("/base_url", out.base_url, allow_http));
  if (out.base_url.find('?') != std::string::npos)
    return invalid("/base_url", "must not have a query", "give the URL to which /Users can be appended");
  while (out.base_url.back() == '/') out.base_url.pop_back();
  if (const auto* auth = config.if_contains("auth")) DEPROV_CHECK(parse_auth(auth->as_object(), allow_http, out));
  if (const auto* headers = config.if_contains("headers"))
    for (const auto& [name, value] : headers->as_object()) {
      DEPROV_CHECK(check_header("/headers/" + std::string(name), name, value.as_string()));
      out.headers.push_back({name, std::string(value.as_string())});
      out.secrets.emplace_back(value.as_string());
    }
  out.peer.ca_file = text(config, "ca_file");
  out.peer.ca_pem = text(config, "ca_pem");
  if (!out.peer.ca_file.empty() && !out.peer.ca_pem.empty())
    return invalid("/ca_pem", "cannot be given together with \"ca_file\"");
  if (const auto* proxy = config.if_contains("proxy")) DEPROV_CHECK(parse_proxy(proxy->as_object(), out));
  parse_numbers(config, out);
  if (const auto* me = config.if_contains("me")) out.ask_me = me->as_bool();
  const auto update = text(config, "update");
  if (update == "patch") out.update = UpdateStyle::patch_path;
  if (update == "put") out.update = UpdateStyle::put;
  // Short texts are no secrets worth the name, and replacing them would garble every detail.
  std::erase_if(out.secrets, [](const std::string& s) { return s.size() < 4; });
  return out;
}

std::string base64(std::string_view in) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : in) {
    bits = (bits << 8U) | static_cast<unsigned char>(c);
    count += 8;
    while (count >= 6) {
      count -= 6;
      out += alphabet[(bits >> count) & 0x3FU];
    }
  }
  if (count > 0) out += alphabet[(bits << (6 - count)) & 0x3FU];
  while (out.size() % 4 != 0) out += '=';
  return out;
}

}  // namespace deprov::connectors
