// What a response looks like on the wire. No socket, no clock.
#pragma once

#include <cstdint>
#include <ctime>
#include <deprov/service/http.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace deprov::server {

/// How the body of a response is delimited (RFC 9112 section 6).
enum class Framing {
  none,     ///< no body by the rules for its status; neither length nor encoding is sent
  length,   ///< Content-Length
  chunked,  ///< Transfer-Encoding: chunked
  close,    ///< the end of the connection, for HTTP/1.0
};

struct HeadFacts {
  std::string_view date;  ///< see `http_date`
  Framing framing = Framing::length;
  bool keep_alive = true;
  bool http_1_1 = true;  ///< what the request was
};

/// Status line and fields, the empty line included, appended to `out`. `Date`, `Server`, `Connection` and the
/// framing are the server's: fields of these names in the response are left out.
void append_head(std::string& out, const service::Response& response, const HeadFacts& facts);

/// A handler's mistake that must not reach the wire (a line break in a field, a status out of range), or nothing.
[[nodiscard]] std::optional<std::string> unsendable(const service::Response& response);

/// The server's own refusal: SCIM's error message (RFC 7644 section 3.12) below `/scim`,
/// the admin API's elsewhere.
[[nodiscard]] service::Response refusal_response(int status, std::string_view detail, std::string_view target);

/// Whether `a` is `lower` in letters of any case.
[[nodiscard]] bool is_named(std::string_view a, std::string_view lower);

/// `Tue, 24 Nov 2026 00:19:41 GMT`
[[nodiscard]] std::string http_date(std::time_t t);

/// The size line of a chunk.
void append_chunk_size(std::string& out, std::size_t size);

[[nodiscard]] std::string_view reason_phrase(int status) noexcept;

}  // namespace deprov::server
