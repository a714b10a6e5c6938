// A request in, a response out: HTTP without a transport, so that any server can mount the endpoints.
#pragma once

#include <cstdint>
#include <deprov/port/http_transport.hpp>
#include <deprov/port/task.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::service {

using Header = port::HttpHeader;

/// The first header of that name in any case, or nothing.
[[nodiscard]] std::optional<std::string_view> find_header(const std::vector<Header>& headers,
                                                          std::string_view name);

struct Request {
  std::string method;  ///< upper case
  std::string target;  ///< path and query as received, e.g. `/scim/v2/.../Users?count=1`
  std::vector<Header> headers;
  std::string body;
  std::string peer;  ///< address of the client, for the activity
  /// SCIM id of the User who is behind the request, where the host has authenticated one: `/Me` is an alias of it
  /// (RFC 7644 section 3.11). It gives no access: the token does. Empty: nobody.
  std::string subject{};

  [[nodiscard]] std::string_view path() const;
  [[nodiscard]] std::string_view query() const;
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const {
    return find_header(headers, name);
  }
};

/// A body that comes in pieces (large lists, server-sent events). *Thread safety*: one caller at a time.
/// Destroying it ends the work behind it.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  /// `done` gets the next piece, or nothing at the end; from any thread, possibly before this returns.
  virtual void next(port::UniqueFunction<void(std::optional<std::string>)> done) = 0;
};

struct Response {
  int status = 200;
  std::vector<Header> headers;
  std::string body;
  std::shared_ptr<BodyStream> stream;  ///< when set, `body` is empty and the length unknown

  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const {
    return find_header(headers, name);
  }
};

using Responder = port::UniqueFunction<void(Response)>;

/// *Thread safety*: `handle` may be called from any thread; the responder is called exactly once, from
/// any thread, and only posts.
class Handler {
 public:
  virtual ~Handler() = default;
  virtual void handle(Request request, Responder respond) = 0;
};

}  // namespace deprov::service
