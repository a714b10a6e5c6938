// What the result codes of RFC 4511 and libldap's own mean to deprov.
#pragma once

#include <cstdint>
#include <string>

namespace deprov_ldap {

/// Of an operation that the server has answered with anything but success. noSuchObject is not in here: whether
/// the account is gone only the one who asked can tell.
std::int32_t outcome_of(int code) noexcept;

/// `"what: text of the code (diagnostics of the server)"`.
std::string describe(const std::string& what, int code, const std::string& diagnostics);

}  // namespace deprov_ldap
