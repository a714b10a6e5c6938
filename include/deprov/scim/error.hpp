// What a failure looks like to a SCIM client (RFC 7644 section 3.12).
#pragma once

#include <deprov/error.hpp>
#include <deprov/scim/json.hpp>
#include <string_view>

namespace deprov::scim {

inline constexpr std::string_view error_urn = "urn:ietf:params:scim:api:messages:2.0:Error";

struct ErrorAnswer {
  unsigned status = 500;       ///< of HTTP
  std::string_view scim_type;  ///< empty where RFC 7644 table 9 has no word for it
};

[[nodiscard]] ErrorAnswer error_answer(Errc code) noexcept;

/// `{"schemas":[...:Error],"status":"400","scimType":"invalidPath","detail":"..."}`; the status is a string.
/// Faults of ours (status 500) say so without inner details.
[[nodiscard]] json::object error_body(const Error& error);
/// The same for a status that is not made from an Error.
[[nodiscard]] json::object error_body(unsigned status, std::string_view scim_type, std::string_view detail);

}  // namespace deprov::scim

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/scim/impl/error.ipp>
#endif
