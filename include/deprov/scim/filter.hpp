// Filters: RFC 7644 section 3.4.2.2, as text and as a tree.
#pragma once

#include <cstdint>
#include <deprov/scim/attr_path.hpp>
#include <deprov/scim/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::scim {

enum class CompareOp : std::uint8_t { eq, ne, co, sw, ew, gt, ge, lt, le };
[[nodiscard]] std::string_view to_string(CompareOp op) noexcept;

/// A node of the tree; a plain value. `all_of` and `any_of` have two operands or more.
struct Filter {
  enum class Kind : std::uint8_t {
    compare,     ///< `attr op value`
    present,     ///< `attr pr`
    all_of,      ///< operands joined by `and`
    any_of,      ///< operands joined by `or`
    negate,      ///< `not (operand)`
    value_path,  ///< `attr[operand]`, the operand's names being sub-attributes
  };
  Kind kind = Kind::present;
  CompareOp op = CompareOp::eq;  ///< of `compare`
  AttrPath attr{};               ///< of `compare`, `present`, `value_path`
  json::value value{};           ///< of `compare`: string, number, bool or null
  std::vector<Filter> operands{};

  friend bool operator==(const Filter&, const Filter&) = default;
};

/// Keywords in any case; `and` binds tighter than `or`. A sub-attribute behind a value path, as in
/// `emails[type eq "work"].value eq "x"` (which Entra ID sends), is read as
/// `emails[type eq "work" and value eq "x"]`.
/// Errors: `invalid_filter` with the position, `limit_exceeded`.
[[nodiscard]] Result<Filter> parse_filter(std::string_view text, const Limits& limits = {});
/// The shortest text that parses to the same tree.
[[nodiscard]] std::string to_string(const Filter& filter);

/// Whether the attribute is named anywhere in the filter, in any case and with or without its URN.
[[nodiscard]] bool mentions(const Filter& filter, std::string_view attribute) noexcept;

/// What the store has an index for.
enum class IndexedField : std::uint8_t {
  id,
  external_id,
  user_name,
  email,  ///< `emails.value`
  display_name,
  member,         ///< `members.value` of a Group
  group,          ///< `groups.value` of a User
  last_modified,  ///< `meta.lastModified`
};

/// A conjunct that an index answers, and what is left to check on each hit.
struct IndexedTerm {
  IndexedField field = IndexedField::id;
  CompareOp op = CompareOp::eq;  ///< `eq`; for `last_modified` also `gt`, `ge`, `lt`, `le`
  std::string value;             ///< the literal's text
  std::optional<Filter> rest;    ///< nothing: every hit matches
};

/// The most selective such conjunct of the filter, or nothing: then every resource has to be looked at.
[[nodiscard]] std::optional<IndexedTerm> indexable(const Filter& filter);

}  // namespace deprov::scim

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/scim/impl/filter.ipp>
#include <deprov/scim/impl/filter_parse.ipp>
#endif
