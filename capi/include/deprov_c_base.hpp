// What the other headers of the C++ wrapper stand on: texts, errors, handles. Include deprov_c.hpp.
#pragma once

#include <deprov.h>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace deprov_c {

using Milliseconds = std::chrono::milliseconds;

inline deprov_str str(std::string_view s) noexcept { return {s.data(), s.size()}; }
inline std::string_view view(deprov_str s) noexcept {
  return s.ptr == nullptr ? std::string_view{} : std::string_view(s.ptr, s.len);
}

/// A status other than DEPROV_OK, with its words.
class Error : public std::runtime_error {
 public:
  Error(deprov_status status, const std::string& message, std::string where = {}, std::string advice = {})
      : std::runtime_error(message), status_(status), where_(std::move(where)), advice_(std::move(advice)) {}
  [[nodiscard]] deprov_status status() const noexcept { return status_; }
  [[nodiscard]] const std::string& where() const noexcept { return where_; }
  [[nodiscard]] const std::string& advice() const noexcept { return advice_; }

 private:
  deprov_status status_;
  std::string where_, advice_;
};

namespace detail {

template <class T, void (*Free)(T*)>
struct Freer {
  void operator()(T* p) const noexcept { Free(p); }
};
template <class T, void (*Free)(T*)>
using Handle = std::unique_ptr<T, Freer<T, Free>>;

[[noreturn]] inline void raise(deprov_status status, deprov_error* error) {
  const Handle<deprov_error, deprov_error_free> owned(error);
  if (error == nullptr) throw Error(status, std::string(view(deprov_status_get_name(status))));
  throw Error(status, std::string(view(deprov_error_get_message(error))),
              std::string(view(deprov_error_get_where(error))), std::string(view(deprov_error_get_advice(error))));
}
/// Calls `f` with a place for the error.
template <class F>
void check(F f) {
  deprov_error* error = nullptr;
  if (const auto status = f(&error); status != DEPROV_OK) raise(status, error);
}
inline std::string take(deprov_buffer* buffer) {
  const Handle<deprov_buffer, deprov_buffer_free> owned(buffer);
  return std::string(view(deprov_buffer_get(buffer)));
}

}  // namespace detail

/// Of a JSON record, the text of one member. Throws Error.
inline std::string record_get(std::string_view record, std::string_view member) {
  deprov_buffer* value = nullptr;
  detail::check([&](deprov_error** e) { return deprov_record_get(str(record), str(member), &value, e); });
  return detail::take(value);
}

/// A token, or the local administrator of a workspace.
struct Caller {
  std::string workspace{};
  std::string token{};
};

namespace detail {
/// Borrows the texts of `by`.
inline deprov_caller caller(const Caller& by) noexcept {
  return {sizeof(deprov_caller), str(by.workspace), str(by.token)};
}
}  // namespace detail

}  // namespace deprov_c
