// Text without case: how attributes that are not `caseExact` compare, and what an index on them has to store.
#pragma once

#include <deprov/config.hpp>
#include <string>
#include <string_view>

namespace deprov::scim {

/// Lower case for Latin, Greek, Cyrillic and Armenian letters by Unicode's simple mapping; everything else as it
/// is. Idempotent. Two strings are equal without case if and only if their folds are equal; a store's index on
/// `userName`, `displayName` or `emails.value` holds the fold. Invalid UTF-8 is kept byte by byte.
[[nodiscard]] std::string fold(std::string_view text);
[[nodiscard]] bool equal_folded(std::string_view a, std::string_view b) noexcept;

}  // namespace deprov::scim

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/scim/impl/fold.ipp>
#endif
