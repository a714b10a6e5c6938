// Which member of a JSON text is there twice: parsers keep one of the two, and which one counts would be a guess.
#pragma once

#include <deprov/config.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace deprov::scim {

/// The JSON pointer of the first member that repeats a key of its object; none where no key is repeated, or where
/// the text is no JSON of at most 32 levels before one is. For documents that another parser has accepted.
[[nodiscard]] std::optional<std::string> repeated_key(std::string_view text);

}  // namespace deprov::scim

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/scim/impl/repeated_key.ipp>
#endif
