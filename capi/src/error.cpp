// Statuses, errors and buffers.
#include <deprov/utf8.hpp>
#include "guard.hpp"

namespace deprov::capi {

// Numbers are the same on both sides, and stay so.
#define DEPROV_SAME(macro, code) static_assert((macro) == static_cast<deprov_status>(Errc::code))
DEPROV_SAME(DEPROV_OK, ok);
DEPROV_SAME(DEPROV_ERR_INVALID_SYNTAX, invalid_syntax);
DEPROV_SAME(DEPROV_ERR_INVALID_FILTER, invalid_filter);
DEPROV_SAME(DEPROV_ERR_INVALID_PATH, invalid_path);
DEPROV_SAME(DEPROV_ERR_NO_TARGET, no_target);
DEPROV_SAME(DEPROV_ERR_INVALID_VALUE, invalid_value);
DEPROV_SAME(DEPROV_ERR_MUTABILITY, mutability);
DEPROV_SAME(DEPROV_ERR_UNIQUENESS, uniqueness);
DEPROV_SAME(DEPROV_ERR_TOO_MANY, too_many);
DEPROV_SAME(DEPROV_ERR_INVALID_VERSION, invalid_version);
DEPROV_SAME(DEPROV_ERR_SENSITIVE, sensitive);
DEPROV_SAME(DEPROV_ERR_INVALID_ARGUMENT, invalid_argument);
DEPROV_SAME(DEPROV_ERR_LIMIT_EXCEEDED, limit_exceeded);
DEPROV_SAME(DEPROV_ERR_UNSUPPORTED_MEDIA_TYPE, unsupported_media_type);
DEPROV_SAME(DEPROV_ERR_UNSUPPORTED, unsupported);
DEPROV_SAME(DEPROV_ERR_INVALID_CURSOR, invalid_cursor);
DEPROV_SAME(DEPROV_ERR_EXPIRED_CURSOR, expired_cursor);
DEPROV_SAME(DEPROV_ERR_INVALID_COUNT, invalid_count);
DEPROV_SAME(DEPROV_ERR_UNAUTHORIZED, unauthorized);
DEPROV_SAME(DEPROV_ERR_FORBIDDEN, forbidden);
DEPROV_SAME(DEPROV_ERR_NOT_FOUND, not_found);
DEPROV_SAME(DEPROV_ERR_METHOD_NOT_ALLOWED, method_not_allowed);
DEPROV_SAME(DEPROV_ERR_CONFLICT, conflict);
DEPROV_SAME(DEPROV_ERR_PRECONDITION_FAILED, precondition_failed);
DEPROV_SAME(DEPROV_ERR_RATE_LIMITED, rate_limited);
DEPROV_SAME(DEPROV_ERR_BUSY, busy);
DEPROV_SAME(DEPROV_ERR_IO, io);
DEPROV_SAME(DEPROV_ERR_STORAGE_FULL, storage_full);
DEPROV_SAME(DEPROV_ERR_STORE_VERSION, store_version);
DEPROV_SAME(DEPROV_ERR_STORE_CORRUPT, store_corrupt);
DEPROV_SAME(DEPROV_ERR_STORE_LOCKED, store_locked);
DEPROV_SAME(DEPROV_ERR_COMMIT_UNKNOWN, commit_unknown);
DEPROV_SAME(DEPROV_ERR_STALE_READ, stale_read);
DEPROV_SAME(DEPROV_ERR_FENCED, fenced);
DEPROV_SAME(DEPROV_ERR_HELD_BY_GUARD, held_by_guard);
DEPROV_SAME(DEPROV_ERR_TIMEOUT, timeout);
DEPROV_SAME(DEPROV_ERR_CANCELLED, cancelled);
DEPROV_SAME(DEPROV_ERR_UNAVAILABLE, unavailable);
DEPROV_SAME(DEPROV_ERR_PROTOCOL, protocol);
DEPROV_SAME(DEPROV_ERR_CLOSED, closed);
DEPROV_SAME(DEPROV_ERR_INTERNAL, internal);
#undef DEPROV_SAME

namespace {
constexpr std::string_view unknown = "unknown";

std::string_view name_of(deprov_status status) noexcept {
  switch (status) {
    case DEPROV_ERR_WRONG_THREAD: return "wrong_thread";
    case DEPROV_ERR_NO_MEMORY: return "no_memory";
    case DEPROV_END: return "end";
    default: return to_string(static_cast<Errc>(status));
  }
}
}  // namespace

Errc errc_of(deprov_status status) noexcept {
  const auto code = static_cast<Errc>(status);
  return code == Errc::ok || to_string(code) == unknown ? Errc::internal : code;
}

Errc parse_errc(std::string_view name) noexcept {
  for (int i = 1; i <= DEPROV_ERR_INTERNAL; ++i)
    if (name != unknown && to_string(static_cast<Errc>(i)) == name) return static_cast<Errc>(i);
  return Errc::internal;
}

deprov_error* make_error(deprov_status status, const Error& error) noexcept {
  try {
    return new deprov_error{status, error.message(), error};
  } catch (...) {
    return nullptr;
  }
}

Error no_text(deprov_str s, std::string_view name) {
  return {Errc::invalid_argument, "a text of " + std::to_string(s.len) + " bytes at NULL", std::string(name)};
}

Result<std::string> text(deprov_str s, std::string_view name) {
  if (!is_text(s)) return no_text(s, name);
  return std::string(view(s));
}

Error null_argument(std::string_view name) {
  return {Errc::invalid_argument, "NULL where something has to be", std::string(name)};
}

}  // namespace deprov::capi

using deprov::capi::str;

deprov_str deprov_status_get_name(deprov_status status) { return str(deprov::capi::name_of(status)); }

deprov_error* deprov_error_new(deprov_status status, deprov_str detail, deprov_str where, deprov_str advice) {
  const auto read = [](deprov_str s) { return deprov::to_utf8(deprov::capi::view(s)); };
  if (status == DEPROV_OK) return nullptr;
  try {
    return deprov::capi::make_error(
        status, deprov::Error(deprov::capi::errc_of(status), read(detail), read(where), read(advice)));
  } catch (...) {
    return nullptr;
  }
}

deprov_status deprov_error_get_status(const deprov_error* error) {
  return error == nullptr ? DEPROV_OK : error->status;
}

deprov_str deprov_error_get_message(const deprov_error* error) {
  return error == nullptr ? deprov_str{nullptr, 0} : str(error->message);
}

deprov_str deprov_error_get_detail(const deprov_error* error) {
  return error == nullptr ? deprov_str{nullptr, 0} : str(error->error.detail());
}

deprov_str deprov_error_get_where(const deprov_error* error) {
  return error == nullptr ? deprov_str{nullptr, 0} : str(error->error.where());
}

deprov_str deprov_error_get_advice(const deprov_error* error) {
  return error == nullptr ? deprov_str{nullptr, 0} : str(error->error.advice());
}

void deprov_error_free(deprov_error* error) { delete error; }

deprov_str deprov_buffer_get(const deprov_buffer* buffer) {
  return buffer == nullptr ? deprov_str{nullptr, 0} : str(buffer->bytes);
}

void deprov_buffer_free(deprov_buffer* buffer) { delete buffer; }
