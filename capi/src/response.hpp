// An answer, and its body where that comes in pieces.
#pragma once

#include <deprov.h>
#include <cstddef>
#include <cstdint>
#include <deprov/error.hpp>
#include <deprov/runtime/notice.hpp>
#include <deprov/service/http.hpp>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include "blocks.hpp"

namespace deprov::capi {

class Core;
class Events;

/// Shared with the engine, which ends it where it is closed first. One reader at a time.
class Body : public std::enable_shared_from_this<Body> {
 public:
  Body(std::shared_ptr<service::BodyStream> stream, std::weak_ptr<Core> core, std::weak_ptr<Events> events);

  /// Begins to fetch a piece, unless that was done.
  void fetch();
  /// The same, and an event once it is there. Errors: `conflict`, `closed`.
  Result<void> want(void* user);
  /// Nothing: the end. Errors: `timeout`, `closed`.
  Result<std::optional<std::string>> read(Duration timeout);
  /// Lets the stream go; who reads is told `closed`.
  void close();

 private:
  void arrived(std::optional<std::string> piece);

  const std::weak_ptr<Core> core_;
  const std::weak_ptr<Events> events_;
  runtime::Notice ready_;
  std::mutex mutex_;
  std::shared_ptr<service::BodyStream> stream_;
  enum class State { idle, fetching, ready, over } state_ = State::idle;
  std::optional<std::string> piece_;
  bool wanted_ = false;
  void* user_ = nullptr;
  bool closed_ = false;
};

}  // namespace deprov::capi

/// One piece of memory: behind it lie its headers, their texts and a body that is short.
struct deprov_response {
  enum class State : std::uint32_t { alive = 0x616c6976, freed = 0x66726565 };
  State state = State::alive;
  int status = 0;
  size_t header_count = 0;
  const deprov_header* headers = nullptr;
  deprov_str body{};
  std::string long_body;
  std::shared_ptr<deprov::capi::Body> pieces;
  std::string piece;
  std::shared_ptr<deprov::capi::Blocks> blocks;  ///< where its memory goes back to

  deprov_response() = default;
  ~deprov_response() = default;
  deprov_response(const deprov_response&) = delete;
  deprov_response& operator=(const deprov_response&) = delete;
  /// Ends the program where it was freed before, which would give one memory to two answers.
  static void operator delete(deprov_response* response, std::destroying_delete_t) noexcept;
};

namespace deprov::capi {
[[nodiscard]] std::unique_ptr<deprov_response> make_response(service::Response&& response,
                                                             const std::shared_ptr<Events>& events);
}
