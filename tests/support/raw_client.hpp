// A client that sends exactly the bytes it is told to, good HTTP or not.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace deprov::test {

struct RawResponse {
  int status = 0;  ///< 0: the connection ended, or what came is not HTTP
  std::string head;
  std::string body;

  /// The value of the first field of that name (any case), or "".
  [[nodiscard]] std::string header(std::string_view name) const;
};

/// Splits the status line, the fields and nothing else.
[[nodiscard]] RawResponse parse_head(std::string_view head);

/// Blocks, but never for longer than two minutes at once: then the connection counts as ended.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  RawClient(RawClient&& other) noexcept : fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}
  RawClient& operator=(RawClient&&) = delete;

  [[nodiscard]] bool connected() const noexcept { return fd_ >= 0; }
  /// False when the other side took it no more.
  bool send(std::string_view bytes);
  /// The next response, chunked ones put together. `head_only`: the answer to a HEAD.
  RawResponse response(bool head_only = false);
  /// Everything up to and including `mark`, or what came before the end.
  std::string read_until(std::string_view mark);
  /// Whether the server closes now, without another byte.
  bool closed();
  /// Closes the sending half.
  void finish_sending();
  void disconnect();

 private:
  bool fill();

  int fd_ = -1;
  std::string buffer_;
};

/// `GET target` with a Host field.
[[nodiscard]] std::string get_request(std::string_view target, std::string_view more_fields = {});
[[nodiscard]] std::string request_with_body(std::string_view method, std::string_view target,
                                            std::string_view body, std::string_view more_fields = {});

}  // namespace deprov::test
