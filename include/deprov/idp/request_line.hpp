// Method and URL as some IdPs send them, turned into what the RFC says before anything is routed (R11).
#pragma once

#include <deprov/error.hpp>
#include <deprov/idp/dialect.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace deprov::idp {

/// Path and query without such a flag, where it stands in the way of them: an administrator puts it behind the
/// base URL, and `/Users?filter=..` is appended to the whole. Nothing if it stands nowhere, or is a parameter.
[[nodiscard]] std::optional<std::string> without_entra_flag(std::string_view target);

/// Path and query of a location that a client appended to the base URL, which it begins with itself:
/// `/scim/v2/{id}/https://host/scim/v2/{id}/Users/{user}`. Nothing if it is none, or one of another base.
[[nodiscard]] std::optional<std::string> without_doubled_base(std::string_view target);

/// The method that `X-HTTP-Method-Override` makes of a POST: PUT or PATCH; nothing if none is asked for. Nobody is
/// deleted on the word of a header.
/// Errors: `invalid_syntax` for any other, and for one beside a method other than POST that contradicts it.
[[nodiscard]] Result<std::optional<std::string>> overridden_method(std::string_view method,
                                                                   std::span<const Header> headers);

/// The RFC's name of the discovery endpoint that is meant by another, in any case; nothing for all else.
[[nodiscard]] std::optional<std::string_view> discovery_endpoint(std::string_view name) noexcept;

}  // namespace deprov::idp

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/idp/impl/request_line.ipp>
#endif
