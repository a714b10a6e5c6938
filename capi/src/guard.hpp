// What every function of the C interface goes through: no exception leaves, every failure becomes a status.
#pragma once

#include <deprov.h>
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deprov/error.hpp>
#include <deprov/time.hpp>
#include <exception>
#include <limits>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

struct deprov_error {
  deprov_status status;
  std::string message;
  deprov::Error error;
};

struct deprov_buffer {
  std::string bytes;
};

namespace deprov::capi {

/// A callback asked for what it would have to wait for itself. A programming error of the host.
class WrongThread final : public std::exception {};

/// Never throws: without memory there is a status and no error.
[[nodiscard]] deprov_error* make_error(deprov_status status, const Error& error) noexcept;
[[nodiscard]] Errc errc_of(deprov_status status) noexcept;
[[nodiscard]] Errc parse_errc(std::string_view name) noexcept;

[[nodiscard]] inline deprov_str str(std::string_view text) noexcept { return {text.data(), text.size()}; }
[[nodiscard]] inline std::string_view view(deprov_str s) noexcept {
  return s.ptr == nullptr ? std::string_view{} : std::string_view(s.ptr, s.len);
}

/// Whether that is a text at all; where not, why.
[[nodiscard]] constexpr bool is_text(deprov_str s) noexcept { return s.ptr != nullptr || s.len == 0; }
[[nodiscard]] Error no_text(deprov_str s, std::string_view name);
/// What came in as text. Errors: `invalid_argument`.
[[nodiscard]] Result<std::string> text(deprov_str s, std::string_view name);
[[nodiscard]] Error null_argument(std::string_view name);

/// An answer of a body that is neither success nor failure.
struct End {};

/// Runs `body`, which answers a Result<void>, or a Result<std::optional<End>> where it may come to an end.
template <class F>
deprov_status guard(deprov_error** error, F body) noexcept {
  if (error != nullptr) *error = nullptr;
  const auto failed = [&](deprov_status status, auto make) noexcept {
    if (error != nullptr) {
      try {
        *error = make_error(status, make());
      } catch (...) {
        *error = nullptr;  // no memory for the texts; the status says what happened
      }
    }
    return status;
  };
  try {
    auto result = body();
    if (!result) {
      return failed(static_cast<deprov_status>(result.error().code()), [&] { return Error(result.error()); });
    }
    if constexpr (!std::is_void_v<typename decltype(result)::value_type>)
      if (*result) return DEPROV_END;
    return DEPROV_OK;
  } catch (const WrongThread&) {
    return failed(DEPROV_ERR_WRONG_THREAD, [] {
      return Error(Errc::internal, "a callback of the engine would wait for the engine", {},
                   "begin it with deprov_engine_send(), or from another thread");
    });
  } catch (const std::bad_alloc&) {
    return failed(DEPROV_ERR_NO_MEMORY, [] { return Error(Errc::internal, "there is no memory left"); });
  } catch (const std::exception& e) {
    return failed(DEPROV_ERR_INTERNAL, [&] { return Error(Errc::internal, e.what()); });
  } catch (...) {
    return failed(DEPROV_ERR_INTERNAL, [] { return Error(Errc::internal, "an unknown exception"); });
  }
}

/// Reads a struct of any version: what it has not is zero, what is too new has to be. `out` gets what is known
/// even where the answer is an error, so that what passes on with the struct can be let go of. Errors:
/// `invalid_argument`, `unsupported`.
template <class T>
Result<void> take_struct(const T* in, std::string_view name, T& out) {
  static_assert(std::is_trivially_copyable_v<T>);
  constexpr std::size_t most = 4096;
  out = T{};
  if (in == nullptr) return null_argument(name);
  const auto size = in->struct_size;
  if (size <= sizeof(size) || size > most) {
    return Error(Errc::invalid_argument, "struct_size is " + std::to_string(size),
                 std::string(name) + ".struct_size", "set it to the sizeof of the struct");
  }
  std::memcpy(&out, in, std::min(size, sizeof(T)));
  const auto* bytes = reinterpret_cast<const unsigned char*>(in);
  for (auto i = sizeof(T); i < size; ++i) {
    if (bytes[i] != 0) {
      return Error(Errc::unsupported, "the struct has members set that this library does not know",
                   std::string(name), "use a newer libdeprov_c, or leave them zero");
    }
  }
  return {};
}

/// What a callback is called with, let go of exactly once.
class UserData {
 public:
  UserData() = default;
  UserData(void* user, void (*user_free)(void*)) noexcept : user_(user), free_(user_free) {}
  UserData(UserData&& other) noexcept : user_(other.user_), free_(std::exchange(other.free_, nullptr)) {}
  UserData& operator=(UserData&&) = delete;
  UserData(const UserData&) = delete;
  UserData& operator=(const UserData&) = delete;
  ~UserData() {
    if (free_ != nullptr) free_(user_);
  }
  [[nodiscard]] void* get() const noexcept { return user_; }

 private:
  void* user_ = nullptr;
  void (*free_)(void*) = nullptr;
};

[[nodiscard]] inline Duration milliseconds(std::int64_t ms) noexcept {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / 1000;
  return std::chrono::milliseconds(ms < 0 ? 0 : ms > most ? most : ms);
}

}  // namespace deprov::capi
