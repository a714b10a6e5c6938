// Does a resource match a filter? RFC 7644 section 3.4.2.2 with the characteristics of RFC 7643 section 2.2.
#pragma once

#include <deprov/scim/filter.hpp>
#include <deprov/scim/schema.hpp>
#include <memory>

namespace deprov::scim {

enum class UnknownAttribute : std::uint8_t {
  refuse,    ///< `invalid_filter`: an empty answer to a misspelt filter makes IdPs create duplicates
  no_value,  ///< as if the attribute had no value: queries across resource types (RFC 7644 section 3.4.2.1)
};

/// A filter bound to a type: names looked up, literals prepared. Immutable, cheap to copy, safe from any thread.
/// Keeps pointers into the type's schemas, which must outlive it.
///
/// Strings compare by the attribute's `caseExact`; dateTimes by the moment that they name; a multi-valued
/// attribute matches if any value does, a complex one is compared by its sub-attribute `value`. `eq null` means
/// absent, `ne` is true for an absent attribute.
class Matcher {
 public:
  /// Errors: `invalid_filter` for unknown attributes, literals of the wrong type, `gt` and the like on booleans
  /// and binaries, `co`, `sw`, `ew` on what is no text.
  [[nodiscard]] static Result<Matcher> compile(const Filter& filter, const TypeDef& type,
                                               UnknownAttribute unknown = UnknownAttribute::refuse);
  /// For the filter inside `attribute[...]`; it is then asked about single values of that attribute.
  [[nodiscard]] static Result<Matcher> compile_values(const Filter& filter, const Attribute& attribute,
                                                      UnknownAttribute unknown = UnknownAttribute::refuse);

  [[nodiscard]] bool operator()(const json::object& resource) const noexcept;
  /// For `compile_values`: one value of the attribute, an object if it is complex.
  [[nodiscard]] bool value(const json::value& element) const noexcept;

  struct Node;

 private:
  explicit Matcher(std::shared_ptr<const Node> root) : root_(std::move(root)) {}
  std::shared_ptr<const Node> root_;
};

/// Compiles and asks once.
[[nodiscard]] Result<bool> matches(const Filter& filter, const json::object& resource, const TypeDef& type);

/// The order of `sortBy` (RFC 7644 section 3.4.2.3): negative if `a` comes first. Absent values come last when
/// ascending. A multi-valued attribute sorts by its primary value, else by its first.
[[nodiscard]] int compare_by(const json::object& a, const json::object& b, const Resolved& attribute) noexcept;

}  // namespace deprov::scim

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/scim/impl/match.ipp>
#endif
