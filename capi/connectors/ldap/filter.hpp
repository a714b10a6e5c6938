// Texts of LDAP: filters (RFC 4515), names of attributes and entries (RFC 4512, 4514), GUIDs.
#pragma once

#include <string>
#include <string_view>

namespace deprov_ldap {

/// For the value of a filter's item: whatever is in it, it is that value and nothing else (RFC 4515 section 3).
std::string escaped(std::string_view value);

/// `(attribute=value)`, by equality.
std::string equals(const std::string& attribute, std::string_view value);

/// Whether it is one filter in parentheses, so that nothing of it can reach beyond itself. What stands in it the
/// server judges.
bool is_one_filter(std::string_view filter) noexcept;

/// A name or OID, without options.
bool is_attribute(std::string_view name) noexcept;

/// Whether two distinguished names are the same, as far as that can be told without the server's schema: types and
/// values in any case, with any escapes.
bool same_name(const std::string& a, const std::string& b);
/// Whether it is a distinguished name at all.
bool is_name(const std::string& dn);

/// 16 bytes as Active Directory keeps them, in the form that people know; empty where there are not 16.
std::string guid_to_text(std::string_view bytes);
/// The other way round; empty where it is none.
std::string guid_from_text(std::string_view text);

}  // namespace deprov_ldap
