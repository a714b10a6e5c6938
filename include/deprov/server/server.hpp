// HTTP/1.1 and TLS in front of a service::Handler.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deprov/error.hpp>
#include <deprov/service/http.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace deprov::server {

using Millis = std::chrono::milliseconds;

struct ServerOptions {
  std::string host = "127.0.0.1";  ///< a name or an address; "0.0.0.0" or "::" for every interface
  std::uint16_t port = 8080;       ///< 0: any free one, `Server::port` tells which
  std::size_t threads = 1;         ///< threads of the server's own that do the input and output

  std::string tls_certificate_file;  ///< PEM, the chain from the server's own certificate up; empty: no TLS
  std::string tls_key_file;          ///< PEM, without a passphrase

  std::size_t max_header_bytes = 16U << 10U;          ///< request line and fields; more is answered 431
  std::size_t max_header_fields = 200;                ///< more is answered 431
  std::size_t max_body_bytes = 16U << 20U;            ///< more is answered 413
  std::size_t max_buffered_body_bytes = 256U << 20U;  ///< of all half-read requests of a thread; more: 503
  std::size_t max_connections = 1024;                 ///< one more is answered 503 and closed
  std::size_t max_in_flight = 4096;  ///< requests at the handler; what comes then is not read any further

  Millis header_timeout{10'000};  ///< TLS handshake; and first byte to end of header, answered 408
  Millis body_timeout{30'000};    ///< end of header to end of body, answered 408
  Millis idle_timeout{75'000};    ///< between two requests of a connection, closed
  Millis write_timeout{30'000};   ///< a client that takes nothing for so long is cut off
  Millis linger_timeout{2'000};   ///< how long a closed connection is still drained, lest the answer be lost
  Millis shutdown_grace{10'000};  ///< what the destructor gives to `stop`

  /// Told what has nobody else to be told to: a certificate that cannot be loaded again, an accept that
  /// fails, a handler that throws. Called on a thread of the server; empty: not told.
  std::function<void(const Error&)> on_error;
};

/// Reads `host:port`, `[address]:port` or `:port` (every interface) into `options`.
/// Errors: `invalid_argument`, `options` unchanged.
[[nodiscard]] Result<void> parse_listen(std::string_view text, ServerOptions& options);

/// Numbers since the start, save those that say "now".
struct ServerCounters {
  std::uint64_t connections_now = 0;
  std::uint64_t connections_total = 0;
  std::uint64_t connections_rejected = 0;  ///< over `max_connections`
  std::uint64_t requests_total = 0;        ///< given to the handler
  std::uint64_t requests_now = 0;          ///< at the handler
  std::uint64_t requests_refused = 0;      ///< answered 4xx or 5xx by the server itself
  std::uint64_t streams_now = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t tls_failures = 0;    ///< handshakes
  std::uint64_t tls_reloads = 0;     ///< certificates loaded after the first
  std::uint64_t bytes_received = 0;  ///< as HTTP, without TLS
  std::uint64_t bytes_sent = 0;
};

/// One request of a connection is at the handler at a time; the next is not read before the answer is
/// written, so that TCP holds back a client that is too fast.
///
/// *Thread safety*: every function may be called from any thread, `stop` and the destructor not from the
/// handler.
class Server {
 public:
  /// Listens, and calls `handler` from the server's own threads until `stop` is over. A responder may be
  /// called at any time, also after the server is gone (then nothing happens); one that is dropped
  /// uncalled is answered 500.
  /// Errors: `invalid_argument` (an address or certificate that cannot be used), `io` (a port that is taken).
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(ServerOptions options, service::Handler& handler);

  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept;
  [[nodiscard]] ServerCounters counters() const noexcept;

  /// Loads certificate and key again; connections made from now on use them. Without being called, a
  /// changed file is noticed with the first connection a second later.
  /// Errors: `invalid_argument`; the old certificate stays in use.
  Result<void> reload_tls();

  /// Accepts nothing more, lets requests that have begun to arrive be answered, ends event streams, closes
  /// idle connections, and cuts off what is left after `grace`. Further calls do nothing.
  /// Errors: `timeout` names how many connections were cut off; the server is stopped all the same.
  Result<void> stop(Millis grace);

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace deprov::server
