// Certificates of authorities that are trusted in place of the system's.
#pragma once

#include <cstddef>
#include <deprov/error.hpp>
#include <string_view>

namespace deprov::http {

inline constexpr std::size_t max_authorities_bytes = std::size_t{256} * 1024;

/// Whether a text is what a PEM file of certificates looks like (RFC 7468), without a private key beside them: it
/// is stored and shown in clear. What is in the certificates is looked at when a connection is made. Errors:
/// `invalid_argument` without a place; `limit_exceeded` beyond `max_authorities_bytes`.
[[nodiscard]] Result<void> check_authorities(std::string_view pem);

}  // namespace deprov::http
