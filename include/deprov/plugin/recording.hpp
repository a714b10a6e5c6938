// What connectors of plugins exchanged over HTTP, for whoever has to understand an app.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <deprov/connector/connector.hpp>
#include <deprov/port/http_transport.hpp>
#include <deprov/time.hpp>
#include <optional>
#include <string>
#include <vector>

namespace deprov::plugin {

/// Of each body, and of each header's value; what is beyond is left out.
inline constexpr std::size_t max_recorded_body_bytes = std::size_t{4} << 10U;
inline constexpr std::size_t max_recorded_header_bytes = 1000;
inline constexpr std::size_t max_recorded_headers = 100;

/// An exchange that has ended. Taken out, as "***": the secrets of the configuration, also where some or all of
/// their characters are escaped as in URLs, forms, JSON or XML, and in base64 (such with less than 4 bytes are not
/// looked for); the values of headers that carry credentials (Authorization, Proxy-Authorization, Cookie,
/// Set-Cookie, and whose name speaks of a key, token, secret, password, session or signature); in URLs and bodies
/// the values whose name does (`key` and `code` only where they stand before a "="), in JSON, forms, XML, and
/// lines as HTTP and YAML have them; and the users of URLs. What is compressed or encoded otherwise is not seen
/// through, and fields of multipart forms are not known by their names. What else bodies say of people is in
/// there.
struct RecordedExchange {
  struct Message {
    std::vector<port::HttpHeader> headers;
    std::string body;       ///< UTF-8; other bytes are shown as '?'
    std::size_t bytes = 0;  ///< of the whole body
  };
  std::string connector;
  connector::Operation operation = connector::Operation::check;  ///< of the call that it was made for
  WallTime began{};
  std::int64_t duration_ms = 0;
  std::string method;
  std::string url;  ///< without a user name
  Message request;
  int status = 0;  ///< 0: there is no response
  Message response;
  std::string failure;         ///< where there is no response: "egress", "resolve", "connect", "tls", ...
  bool sent = true;            ///< of a failure: false only where nothing reached the other side
  std::string failure_detail;  ///< for people
};

/// One line of a recording (schemas/connector-recording.schema.json).
[[nodiscard]] boost::json::object recorded_json(const RecordedExchange& exchange);

}  // namespace deprov::plugin
