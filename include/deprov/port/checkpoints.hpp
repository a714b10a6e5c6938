// What a connector keeps between two starts.
#pragma once

#include <cstddef>
#include <deprov/error.hpp>
#include <deprov/port/task.hpp>
#include <string>
#include <string_view>

namespace deprov::port {

/// Small texts by name, of one integration, durable and shared by all engines on its store: a token or cursor of
/// the app, say. No secrets: they are stored as they are. *Thread safety*: any thread; a completion comes on the
/// executor, later, also after the instance is gone.
class Checkpoints {
 public:
  static constexpr std::size_t max_name_bytes = 100;
  static constexpr std::size_t max_value_bytes = std::size_t{64} << 10U;
  static constexpr std::size_t max_names = 32;  ///< of one integration

  virtual ~Checkpoints() = default;
  /// What was last kept. Errors: `not_found`; those of the store.
  virtual void get(std::string name, UniqueFunction<void(Result<std::string>)> done) = 0;
  /// Kept for good when `done` is told so; the last one counts. An empty value takes the name away.
  /// Errors: `limit_exceeded`, naming the bound; `not_found` (the integration is gone); those of the store.
  virtual void set(std::string name, std::string value, UniqueFunction<void(Result<void>)> done) = 0;
};

/// Errors: `invalid_argument` (a name that is empty or not of visible ASCII characters), `limit_exceeded`.
[[nodiscard]] inline Result<void> check_checkpoint(std::string_view name, std::string_view value) {
  if (name.size() > Checkpoints::max_name_bytes)
    return Error(Errc::limit_exceeded, "the name of a checkpoint has more than 100 bytes", "checkpoint");
  if (name.empty()) return Error(Errc::invalid_argument, "a checkpoint needs a name", "checkpoint");
  for (const char c : name)
    if (c <= ' ' || c > '~')
      return Error(Errc::invalid_argument, "the name of a checkpoint has visible ASCII characters alone",
                   "checkpoint");
  if (value.size() > Checkpoints::max_value_bytes)
    return Error(Errc::limit_exceeded, "a checkpoint has more than 64 KiB", "checkpoint " + std::string(name));
  return {};
}

}  // namespace deprov::port
