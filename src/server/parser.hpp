// Bytes to service::Request, HTTP/1.1 (RFC 9112).
#pragma once

#include <cstddef>
#include <deprov/service/http.hpp>
#include <memory>
#include <string>
#include <string_view>

namespace deprov::server {

struct ParserLimits {
  std::size_t header_bytes;
  std::size_t header_fields;
  std::size_t body_bytes;
};

/// Why a request is refused before any handler sees it. Status 0: nothing is wrong.
struct Refusal {
  int status = 0;
  std::string detail;
};

class RequestParser {
 public:
  enum class State {
    start,   ///< no byte of a request seen
    header,  ///< within the header
    body,    ///< header complete
    done,    ///< request complete
    bad,     ///< see `refusal`; the connection cannot go on
  };

  explicit RequestParser(ParserLimits limits);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  /// Takes what it can use and says how much; the rest has to come again with more behind it.
  std::size_t feed(std::string_view bytes);
  [[nodiscard]] State state() const noexcept;
  [[nodiscard]] const Refusal& refusal() const noexcept;

  /// From the end of the header on.
  [[nodiscard]] bool keep_alive() const noexcept;
  [[nodiscard]] bool http_1_1() const noexcept;
  /// True once, when the client waits for `100 Continue` before it sends the body.
  [[nodiscard]] bool take_expect_continue() noexcept;

  /// As far as it was read.
  [[nodiscard]] service::Request& request() noexcept;
  /// Forgets the request and begins the next.
  void reset();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace deprov::server
