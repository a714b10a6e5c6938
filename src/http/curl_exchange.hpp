// One request on its way through libcurl.
#pragma once

#include <curl/curl.h>
#include <array>
#include <cstddef>
#include <deprov/http/curl_transport.hpp>
#include <deprov/port/http_transport.hpp>
#include <memory>
#include <optional>
#include <string>

namespace deprov::http {

struct FreeEasy {
  void operator()(CURL* p) const noexcept { curl_easy_cleanup(p); }
};
struct FreeList {
  void operator()(curl_slist* p) const noexcept { curl_slist_free_all(p); }
};
using Easy = std::unique_ptr<CURL, FreeEasy>;

/// Lives on the transport's thread from `prepare` on; libcurl keeps pointers into it.
class Exchange {
 public:
  Exchange(port::HttpCallId call, port::HttpRequest r, port::UniqueFunction<void(port::HttpResult)> d)
      : id(call), request(std::move(r)), done(std::move(d)) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  /// Sets the handle up. A failure means that the request is not one that can be sent.
  [[nodiscard]] std::optional<port::HttpFailure> prepare(Easy handle, const CurlOptions& options);
  [[nodiscard]] port::HttpResult finish(CURLcode code);
  [[nodiscard]] port::HttpResult cancelled();
  [[nodiscard]] CURL* handle() const noexcept { return easy_.get(); }
  [[nodiscard]] Easy release() noexcept { return std::move(easy_); }

  const port::HttpCallId id;
  port::HttpRequest request;
  port::UniqueFunction<void(port::HttpResult)> done;

 private:
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self) noexcept;
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self) noexcept;
  static curl_socket_t on_socket(void* self, curlsocktype purpose, curl_sockaddr* address) noexcept;
  static int on_request(void* self, char*, char*, int, int) noexcept;

  [[nodiscard]] std::optional<port::HttpFailure> set_headers(const CurlOptions& options);
  void set_body();
  void set_peer();
  [[nodiscard]] bool sent() const;

  Easy easy_;
  std::unique_ptr<curl_slist, FreeList> headers_;
  port::HttpResponse response_;
  std::size_t header_bytes_ = 0;
  unsigned requests_begun_ = 0;
  Egress egress_ = Egress::any;
  std::string refused_address_;  ///< by the egress rule, the last one
  bool repeat_refused_ = false;
  bool headers_complete_ = false;
  bool body_too_large_ = false;
  bool headers_too_large_ = false;
  std::array<char, CURL_ERROR_SIZE> error_{};
};

}  // namespace deprov::http
