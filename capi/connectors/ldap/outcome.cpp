#include "ldap/outcome.hpp"
#include <deprov_connector.h>
#include <ldap.h>

namespace deprov_ldap {

std::int32_t outcome_of(int code) noexcept {
  switch (code) {
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_INAPPROPRIATE_AUTH:
    case LDAP_AUTH_METHOD_NOT_SUPPORTED:
    case LDAP_STRONG_AUTH_REQUIRED:
    case LDAP_CONFIDENTIALITY_REQUIRED: return DEPROV_OUTCOME_AUTH_FAILED;
    case LDAP_INSUFFICIENT_ACCESS:
    case LDAP_ADMINLIMIT_EXCEEDED:  // what the server grants to this bind DN
    case LDAP_NO_SUCH_OBJECT:       // of a base: servers say so, too, of what they do not show
      return DEPROV_OUTCOME_PERMISSION_DENIED;
    case LDAP_BUSY:
    case LDAP_UNAVAILABLE:
    case LDAP_OTHER:  // "internal error" in practice, and nothing was done
    case LDAP_OPERATIONS_ERROR: return DEPROV_OUTCOME_UNAVAILABLE;
    case LDAP_TIMELIMIT_EXCEEDED: return DEPROV_OUTCOME_DEADLINE;
    case LDAP_SIZELIMIT_EXCEEDED: return DEPROV_OUTCOME_AMBIGUOUS;
    case LDAP_NO_SUCH_ATTRIBUTE:
    case LDAP_TYPE_OR_VALUE_EXISTS:
    case LDAP_ALREADY_EXISTS:
    case LDAP_ASSERTION_FAILED: return DEPROV_OUTCOME_CONFLICT_STATE;
    case LDAP_UNWILLING_TO_PERFORM:
    case LDAP_NOT_ALLOWED_ON_NONLEAF:
    case LDAP_OBJECT_CLASS_VIOLATION:
    case LDAP_CONSTRAINT_VIOLATION:
    case LDAP_AFFECTS_MULTIPLE_DSAS: return DEPROV_OUTCOME_PRECONDITION;
    case LDAP_UNAVAILABLE_CRITICAL_EXTENSION:
    case LDAP_NOT_SUPPORTED: return DEPROV_OUTCOME_UNSUPPORTED;
    case LDAP_REFERRAL:  // not followed: another server would see the credential
    case LDAP_PARTIAL_RESULTS:
    case LDAP_INVALID_DN_SYNTAX:
    case LDAP_INVALID_SYNTAX:
    case LDAP_UNDEFINED_TYPE:
    case LDAP_INAPPROPRIATE_MATCHING:
    case LDAP_NAMING_VIOLATION:
    case LDAP_NOT_ALLOWED_ON_RDN:
    case LDAP_ALIAS_PROBLEM:
    case LDAP_ALIAS_DEREF_PROBLEM:
    case LDAP_NO_OBJECT_CLASS_MODS:
    case LDAP_FILTER_ERROR:
    case LDAP_PARAM_ERROR:
    case LDAP_ENCODING_ERROR: return DEPROV_OUTCOME_INVALID_REQUEST;
    case LDAP_NO_MEMORY: return DEPROV_OUTCOME_INTERNAL;
    default: return DEPROV_OUTCOME_PROTOCOL;
  }
}

std::string describe(const std::string& what, int code, const std::string& diagnostics) {
  std::string out = what;
  out.append(": ").append(ldap_err2string(code));
  if (!diagnostics.empty()) out.append(" (").append(diagnostics).append(")");
  return out;
}

}  // namespace deprov_ldap
