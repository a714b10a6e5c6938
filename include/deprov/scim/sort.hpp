// The order of `sortBy` (RFC 7644 section 3.4.2.3), as keys that can be kept without their resources.
#pragma once

#include <cstdint>
#include <deprov/scim/schema.hpp>
#include <string>

namespace deprov::scim {

/// What a resource is sorted by. A multi-valued attribute sorts by its primary value, else by its first; strings
/// by the attribute's `caseExact`, dateTimes by the moment that they name. Absent values come last.
struct SortKey {
  enum class Kind : std::uint8_t { boolean, number, time, text, absent };
  Kind kind = Kind::absent;
  long double number = 0;   ///< of `boolean` and `number`; holds every 64-bit integer
  std::int64_t micros = 0;  ///< of `time`
  std::string text{};       ///< case-folded where case does not count
};

/// Negative if `a` comes first when ascending.
[[nodiscard]] int compare(const SortKey& a, const SortKey& b) noexcept;
/// The attribute must be sortable.
[[nodiscard]] SortKey sort_key(const json::object& resource, const Resolved& attribute);
/// Errors: `invalid_value` for a whole extension, for a complex attribute without a sub-attribute `value`, and for
/// what is never returned, which the order would tell.
[[nodiscard]] Result<void> check_sortable(const Resolved& attribute, std::string_view name);

}  // namespace deprov::scim

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/scim/impl/sort.ipp>
#endif
