#pragma once
#include <array>
#include <deprov/error.hpp>
#include <ostream>
#include <stdexcept>
#include <utility>

namespace deprov {

DEPROV_INLINE std::string_view to_string(Errc e) noexcept {
  switch (e) {
    case Errc::ok: return "ok";
    case Errc::invalid_syntax: return "invalid_syntax";
    case Errc::invalid_filter: return "invalid_filter";
    case Errc::invalid_path: return "invalid_path";
    case Errc::no_target: return "no_target";
    case Errc::invalid_value: return "invalid_value";
    case Errc::mutability: return "mutability";
    case Errc::uniqueness: return "uniqueness";
    case Errc::too_many: return "too_many";
    case Errc::invalid_version: return "invalid_version";
    case Errc::sensitive: return "sensitive";
    case Errc::invalid_argument: return "invalid_argument";
    case Errc::limit_exceeded: return "limit_exceeded";
    case Errc::unsupported_media_type: return "unsupported_media_type";
    case Errc::unsupported: return "unsupported";
    case Errc::invalid_cursor: return "invalid_cursor";
    case Errc::expired_cursor: return "expired_cursor";
    case Errc::invalid_count: return "invalid_count";
    case Errc::unauthorized: return "unauthorized";
    case Errc::forbidden: return "forbidden";
    case Errc::not_found: return "not_found";
    case Errc::method_not_allowed: return "method_not_allowed";
    case Errc::conflict: return "conflict";
    case Errc::precondition_failed: return "precondition_failed";
    case Errc::rate_limited: return "rate_limited";
    case Errc::busy: return "busy";
    case Errc::io: return "io";
    case Errc::storage_full: return "storage_full";
    case Errc::store_version: return "store_version";
    case Errc::store_corrupt: return "store_corrupt";
    case Errc::store_locked: return "store_locked";
    case Errc::commit_unknown: return "commit_unknown";
    case Errc::stale_read: return "stale_read";
    case Errc::fenced: return "fenced";
    case Errc::held_by_guard: return "held_by_guard";
    case Errc::timeout: return "timeout";
    case Errc::cancelled: return "cancelled";
    case Errc::unavailable: return "unavailable";
    case Errc::protocol: return "protocol";
    case Errc::closed: return "closed";
    case Errc::internal: return "internal";
  }
  return "unknown";
}

namespace detail {
class ErrorCategory final : public boost::system::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "deprov"; }
  [[nodiscard]] std::string message(int value) const override {
    return std::string(to_string(static_cast<Errc>(value)));
  }
};
}  // namespace detail

DEPROV_INLINE const boost::system::error_category& error_category() noexcept {
  static const detail::ErrorCategory category;
  return category;
}

DEPROV_INLINE boost::system::error_code make_error_code(Errc e) noexcept {
  return {static_cast<int>(e), error_category()};
}

DEPROV_INLINE Error::Error(Errc code, std::string detail, std::string where, std::string advice)
    : code_(code),
      texts_(std::make_shared<const Texts>(Texts{std::move(detail), std::move(where), std::move(advice)})) {}

DEPROV_INLINE std::string Error::message() const {
  std::string out;
  if (!where().empty()) out.append(where()).append(": ");
  out.append(detail());
  if (!advice().empty()) out.append("; ").append(advice());
  return out;
}

DEPROV_INLINE Error Error::within(std::string_view outer) const {
  std::string place(outer);
  if (!where().empty()) {
    if (!place.empty() && where().front() != '[' && where().front() != '/') place.push_back('.');
    place.append(where());
  }
  return Error(code_, detail(), std::move(place), advice());
}

DEPROV_INLINE std::ostream& operator<<(std::ostream& os, const Error& e) {
  return os << to_string(e.code()) << ": " << e.message();
}

DEPROV_INLINE void throw_exception_from_error(const Error& e, const boost::source_location&) {
  throw std::logic_error("unchecked failure: " + e.message());
}

}  // namespace deprov
