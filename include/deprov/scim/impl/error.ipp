#pragma once
#include <deprov/scim/error.hpp>
#include <deprov/utf8.hpp>
#include <string>

namespace deprov::scim {

DEPROV_INLINE ErrorAnswer error_answer(Errc code) noexcept {
  switch (code) {
    case Errc::ok: return {200, {}};
    case Errc::invalid_syntax: return {400, "invalidSyntax"};
    case Errc::invalid_filter: return {400, "invalidFilter"};
    case Errc::invalid_path: return {400, "invalidPath"};
    case Errc::no_target: return {400, "noTarget"};
    case Errc::invalid_value: return {400, "invalidValue"};
    case Errc::mutability: return {400, "mutability"};
    case Errc::uniqueness: return {409, "uniqueness"};
    case Errc::too_many: return {400, "tooMany"};
    case Errc::invalid_version: return {400, "invalidVers"};
    case Errc::sensitive: return {403, "sensitive"};  // section 7.5.2 with erratum 6893
    case Errc::invalid_argument: return {400, "invalidValue"};
    case Errc::limit_exceeded: return {413, {}};
    case Errc::unsupported_media_type: return {415, {}};
    case Errc::unsupported: return {501, {}};
    case Errc::invalid_cursor: return {400, "invalidCursor"};
    case Errc::expired_cursor: return {400, "expiredCursor"};
    case Errc::invalid_count: return {400, "invalidCount"};
    case Errc::unauthorized: return {401, {}};
    case Errc::forbidden: return {403, {}};
    case Errc::not_found: return {404, {}};
    case Errc::method_not_allowed: return {405, {}};
    case Errc::conflict: return {409, {}};
    case Errc::precondition_failed: return {412, {}};
    case Errc::rate_limited: return {429, {}};
    case Errc::busy:
    case Errc::storage_full:
    case Errc::store_locked:
    case Errc::commit_unknown:
    case Errc::stale_read:
    case Errc::timeout:
    case Errc::cancelled:
    case Errc::unavailable:
    case Errc::closed: return {503, {}};
    case Errc::io:
    case Errc::store_version:
    case Errc::store_corrupt:
    case Errc::fenced:
    case Errc::held_by_guard:
    case Errc::protocol:
    case Errc::internal: return {500, {}};
  }
  return {500, {}};
}

DEPROV_INLINE json::object error_body(unsigned status, std::string_view scim_type, std::string_view detail) {
  json::object body;
  body.reserve(4);
  body.emplace("schemas", json::array{json::value(error_urn)});
  body.emplace("status", std::to_string(status));
  if (!scim_type.empty()) body.emplace("scimType", scim_type);
  if (!detail.empty()) body.emplace("detail", to_utf8(detail));
  return body;
}

DEPROV_INLINE json::object error_body(const Error& error) {
  const auto answer = error_answer(error.code());
  if (answer.status == 500) return error_body(500, {}, "the server failed; the request was not carried out");
  return error_body(answer.status, answer.scim_type, error.message());
}

}  // namespace deprov::scim
