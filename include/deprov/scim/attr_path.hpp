// The name of an attribute as clients write it: `userName`, `name.familyName`, `urn:...:User:employeeNumber`.
#pragma once

#include <deprov/error.hpp>
#include <string>
#include <string_view>

namespace deprov::scim {

/// RFC 7644 `attrPath`, taken apart but not yet looked up; see `TypeDef::resolve`.
struct AttrPath {
  std::string schema;     ///< the URN in front, without its last colon; empty in the short form
  std::string attribute;  ///< empty when the text is a URN that does not end in a name
  std::string sub;        ///< the sub-attribute, or empty

  friend bool operator==(const AttrPath&, const AttrPath&) = default;
};

/// As it was written.
[[nodiscard]] std::string to_string(const AttrPath& path);
/// Errors: `invalid_path`.
[[nodiscard]] Result<AttrPath> parse_attr_path(std::string_view text);

}  // namespace deprov::scim

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/scim/impl/attr_path.ipp>
#endif
