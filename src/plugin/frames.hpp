// What host and worker process say to each other: frames of a length (4 bytes, little endian), a kind (1 byte) and
// its fields. Neither side believes the other: everything is bounded, and checked before it is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deprov/connector/connector.hpp>
#include <deprov/error.hpp>
#include <deprov/port/http_transport.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace deprov::plugin::wire {

inline constexpr std::uint32_t version = 2;
/// A page of accounts (`connector::max_accounts_bytes`) or an HTTP body (16 MiB), and what stands around them.
inline constexpr std::size_t max_frame_bytes = std::size_t{80} << 20U;

/// Host to worker, first of all. Of another version nothing else is read.
struct Hello {
  std::uint32_t version = wire::version;
  std::string path;  ///< the library's, for errors
  std::string manifest;
  std::string config;  ///< without secrets
  std::vector<std::string> egress;
  std::uint64_t memory_bytes = 0;  ///< bounds; 0 is none
  std::uint64_t cpu_seconds = 0;
  std::uint64_t files = 0;
  std::uint32_t calls = 0;  ///< how many are ever in flight
  std::int64_t wall = 0;    ///< the host's clock, in microseconds
  bool keeps = false;       ///< whether there are checkpoints
};
/// Worker to host: the connection is open.
struct Ready {
  std::uint32_t version = wire::version;
  std::uint32_t credit = 0;  ///< so many calls may be in flight; every reply gives one back
};
/// Worker to host: it cannot be opened; the worker ends.
struct Failed {
  std::string why;
};
struct Start {
  std::uint64_t id = 0;
  std::int64_t wall = 0;  ///< the host's clock, in microseconds
  connector::Call call;
};
struct Cancel {
  std::uint64_t id = 0;
};
struct Replied {
  std::uint64_t id = 0;
  connector::Reply reply;
};
/// Worker to host: secrets go over only one by one, when the connector asks for them.
struct AskSecret {
  std::uint64_t id = 0;
  std::string name;
};
struct Secret {
  std::uint64_t id = 0;
  bool found = false;
  std::string value;
};
/// Worker to host: an exchange that the host carries out, by its own rules.
struct SendHttp {
  std::uint64_t id = 0;
  std::uint64_t call = 0;
  port::HttpRequest request;
};
struct HttpDone {
  std::uint64_t id = 0;
  std::int32_t failure = 0;  ///< `DEPROV_HTTP_*`
  bool sent = false;
  std::int32_t status = 0;
  std::vector<port::HttpHeader> headers;
  std::string body;
  std::string detail;
};
struct Log {
  std::uint8_t level = 0;
  std::string text;
};
/// Host to worker: closes the connection, and ends.
struct Close {};
/// Worker to host: to be kept by it, or asked back.
struct Checkpoint {
  std::uint64_t id = 0;
  bool set = false;
  std::string name;
  std::string value;  ///< of one that is set
};
struct CheckpointTold {
  std::uint64_t id = 0;
  std::int32_t status = 0;  ///< `DEPROV_OK` or `DEPROV_ERR_*`
  std::string value;
};

using Message = std::variant<Hello, Ready, Failed, Start, Cancel, Replied, AskSecret, Secret, SendHttp, HttpDone,
                             Log, Close, Checkpoint, CheckpointTold>;

/// A whole frame. Errors: `limit_exceeded`, naming the bound.
[[nodiscard]] Result<std::string> encode(const Message& message);

/// What is in a frame behind its length. Errors: `invalid_syntax`.
[[nodiscard]] Result<Message> decode(std::string_view frame);

/// Frames out of a stream of bytes. After an error it is of no use any more.
class Frames {
 public:
  void feed(std::string_view bytes);
  /// Nothing: more bytes are needed. Errors: those of `decode`; `limit_exceeded`, naming the bound, as soon as the
  /// length of a frame is known.
  [[nodiscard]] Result<std::optional<Message>> next();

 private:
  std::string buffer_;
  std::size_t at_ = 0;
};

}  // namespace deprov::plugin::wire
