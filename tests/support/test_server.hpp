// An HTTP server that does exactly what a test tells it, well-mannered or not.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace deprov::test {

struct ServerRequest {
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::size_t connection = 0;     ///< which connection, from 0
  std::size_t on_connection = 0;  ///< which request of that connection, from 0
  [[nodiscard]] std::optional<std::string> header(std::string_view name) const;
};

/// What is done after a request was read. Made by the functions below.
struct Answer {
  std::string bytes;                      ///< written as they are
  std::chrono::milliseconds per_byte{0};  ///< more than zero: one byte at a time
  enum class Then { keep, close, hang, reset } then = Then::keep;
  bool held = false;  ///< written once the server is told to release
};

using Headers = std::vector<std::pair<std::string, std::string>>;
/// A response with its Content-Length; the connection is kept.
[[nodiscard]] Answer respond(int status, const std::string& body = {}, const Headers& headers = {});
[[nodiscard]] Answer respond_json(int status, const std::string& body, const Headers& headers = {});
/// Bytes of any kind, then the end of the connection.
[[nodiscard]] Answer raw(std::string bytes);
/// Closes without a byte.
[[nodiscard]] Answer close_now();
/// Ends the connection with a TCP reset.
[[nodiscard]] Answer reset_now();
/// Writes `bytes`, then neither writes nor closes until the other side or the server ends.
[[nodiscard]] Answer hang(std::string bytes = {});
/// The response one byte at a time.
[[nodiscard]] Answer drip(Answer whole, std::chrono::milliseconds per_byte);
/// Written whole once `TestServer::release` was called.
[[nodiscard]] Answer hold(Answer whole);

using Handler = std::function<Answer(const ServerRequest&)>;

/// Listens on a port of 127.0.0.1. A thread per connection; the handler is called by one at a time.
class TestServer {
 public:
  explicit TestServer(Handler handler, bool tls = false);
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  /// `http://127.0.0.1:port`, or `https://localhost:port`.
  [[nodiscard]] std::string url() const;
  /// The self-signed certificate, for localhost and 127.0.0.1.
  [[nodiscard]] std::string certificate() const;
  [[nodiscard]] std::vector<ServerRequest> requests() const;
  [[nodiscard]] std::size_t connections() const;
  /// Waits until so many requests were read. False: that did not happen within a minute.
  [[nodiscard]] bool wait_for_requests(std::size_t count) const;
  /// Writes every answer that is held; those that are held later wait for the next call.
  void release();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A port of 127.0.0.1 on which nobody listens.
[[nodiscard]] std::uint16_t closed_port();

}  // namespace deprov::test
