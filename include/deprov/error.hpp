// Expected failures as values: what is wrong, where, and what to do about it.
#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>
#include <deprov/config.hpp>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>

namespace deprov {

/// Everything that can go wrong in a way a caller may want to tell apart. Values are append-only.
enum class Errc {
  ok = 0,
  // Input that cannot be understood or accepted (RFC 7644 section 3.12, `scimType` in brackets).
  invalid_syntax = 1,  ///< malformed JSON or a body of the wrong shape [invalidSyntax]
  invalid_filter,      ///< [invalidFilter]
  invalid_path,        ///< [invalidPath]
  no_target,           ///< a path that matches nothing [noTarget]
  invalid_value,       ///< a required value is missing or of the wrong type [invalidValue]
  mutability,          ///< a change of a read-only or immutable attribute [mutability]
  uniqueness,          ///< [uniqueness]
  too_many,            ///< the filter yields more than may be answered [tooMany]
  invalid_version,     ///< an unsupported protocol version [invalidVers]
  sensitive,           ///< secrets in a query string [sensitive]
  invalid_argument,    ///< a bad option, configuration or admin request
  limit_exceeded,      ///< size, depth or count over its bound; the bound is in the text
  unsupported_media_type,
  unsupported,     ///< known, and not offered here
  invalid_cursor,  ///< not given out for this query [invalidCursor, RFC 9865]
  expired_cursor,  ///< [expiredCursor]
  invalid_count,   ///< of a page that a cursor names [invalidCount]
  // Who asks, and for what.
  unauthorized = 40,
  forbidden,
  not_found,
  method_not_allowed,
  conflict,             ///< the present state does not allow it
  precondition_failed,  ///< `If-Match` and the like
  rate_limited,
  // The world.
  busy = 60,  ///< back-pressure: try again later, nothing was done
  io,         ///< disk or network
  storage_full,
  store_version,  ///< the store was written by a newer version
  store_corrupt,
  store_locked,    ///< another process has the data directory
  commit_unknown,  ///< a commit may or may not have happened; look it up by its transaction id
  stale_read,      ///< the read set was no longer true at commit; decide again
  fenced,          ///< the lease token is no longer the current one
  held_by_guard,   ///< a reservation was refused by the guard's counters
  timeout,
  cancelled,
  unavailable,
  protocol,  ///< the other side does not keep to its protocol
  closed,    ///< the engine or server is shutting down
  internal,  ///< a fault of ours
};

[[nodiscard]] const boost::system::error_category& error_category() noexcept;
[[nodiscard]] boost::system::error_code make_error_code(Errc e) noexcept;
/// The stable short name, such as "invalid_filter".
[[nodiscard]] std::string_view to_string(Errc e) noexcept;

/// One failure. Cheap to move and copy; the texts are allocated only when a failure happens.
class Error {
 public:
  /// No failure: code `ok`, empty texts. It is what `Result::error()` answers when there is a value.
  Error() noexcept = default;
  Error(Errc code, std::string detail, std::string where = {}, std::string advice = {});

  [[nodiscard]] Errc code() const noexcept { return code_; }
  [[nodiscard]] boost::system::error_code error_code() const noexcept { return make_error_code(code_); }
  /// What is wrong, as one sentence without a full stop at the end.
  [[nodiscard]] const std::string& detail() const noexcept { return texts().detail; }
  /// Where: an attribute, a JSON pointer, a file, `Operations[2].path`. May be empty.
  [[nodiscard]] const std::string& where() const noexcept { return texts().where; }
  /// What to do about it. May be empty.
  [[nodiscard]] const std::string& advice() const noexcept { return texts().advice; }
  /// `where: detail; advice`
  [[nodiscard]] std::string message() const;

  /// The same failure seen from further out: `outer` is put before the place.
  [[nodiscard]] Error within(std::string_view outer) const;

 private:
  struct Texts {
    std::string detail, where, advice;
  };
  [[nodiscard]] const Texts& texts() const noexcept {
    static const Texts none;
    return texts_ ? *texts_ : none;
  }
  Errc code_ = Errc::ok;
  std::shared_ptr<const Texts> texts_;
};

std::ostream& operator<<(std::ostream& os, const Error& e);
/// Asking a failed result for its value is a programming error.
[[noreturn]] void throw_exception_from_error(const Error& e, const boost::source_location& loc);

template <class T>
using Result = boost::system::result<T, Error>;

}  // namespace deprov

template <>
struct boost::system::is_error_code_enum<deprov::Errc> : std::true_type {};

/// `DEPROV_TRY(name, expression)`: binds the value of a Result to `name`, or returns its error.
#define DEPROV_TRY(name, ...)                                        \
  auto name##_result = (__VA_ARGS__);                                \
  if (!name##_result) return ::deprov::Error(name##_result.error()); \
  auto& name = *name##_result /* NOLINT */
/// `DEPROV_CHECK(expression)`: returns the error of a Result<void> or goes on.
#define DEPROV_CHECK(...)                                                                   \
  do {                                                                                      \
    if (auto deprov_r = (__VA_ARGS__); !deprov_r) return ::deprov::Error(deprov_r.error()); \
  } while (false)

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/impl/error.ipp>
#endif
