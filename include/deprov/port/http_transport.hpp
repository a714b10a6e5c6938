// Outbound HTTP: one exchange at a time per call, thousands in flight on few threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deprov/error.hpp>
#include <deprov/port/task.hpp>
#include <deprov/time.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::port {

struct HttpHeader {
  std::string name;
  std::string value;
};

/// How a connection to the other side is made. Equal settings share connections.
struct HttpPeer {
  std::string ca_file;         ///< PEM; empty: the system's
  std::string ca_pem;          ///< the same as text
  std::string proxy;           ///< http://host:port; empty: none (the environment is not read)
  std::string proxy_user;      ///< never printed
  std::string proxy_password;  ///< never printed
  bool verify_tls = true;      ///< false only for tests on loopback
  Duration connect_timeout = std::chrono::seconds(10);
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<HttpHeader> headers;
  std::string body;
  HttpPeer peer;
  Duration timeout = std::chrono::seconds(30);  ///< whole exchange
  std::size_t max_response_bytes = 16U << 20U;  ///< more is a failure with `sent` true
};

struct HttpResponse {
  int status = 0;
  std::vector<HttpHeader> headers;
  std::string body;
  /// The first header of that name in any case, or nothing.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
};

/// Why there is no response. `sent` is what R18 needs: false only where no byte of the request can have
/// reached the other side (name not found, connection refused, TLS not agreed).
struct HttpFailure {
  enum class Kind { resolve, connect, tls, timeout, broken, too_large, cancelled, protocol };
  Kind kind = Kind::broken;
  bool sent = true;
  std::string detail;  ///< no secrets, no body
};

struct HttpResult {
  std::optional<HttpResponse> response;
  HttpFailure failure;  ///< meaningful when there is no response
};

using HttpCallId = std::uint64_t;

/// Redirects are answered as they come, never followed. *Thread safety*: any thread.
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;
  /// `done` is called exactly once, from any thread, possibly before this returns; it must only post.
  virtual HttpCallId send(HttpRequest request, UniqueFunction<void(HttpResult)> done) = 0;
  /// Ends the exchange with `cancelled`, unless it has ended. Unknown ids are ignored.
  virtual void cancel(HttpCallId id) = 0;
};

inline std::optional<std::string_view> HttpResponse::header(std::string_view name) const {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  for (const auto& h : headers) {
    if (h.name.size() != name.size()) continue;
    bool same = true;
    for (std::size_t i = 0; i < name.size() && same; ++i) same = lower(h.name[i]) == lower(name[i]);
    if (same) return h.value;
  }
  return std::nullopt;
}

}  // namespace deprov::port
