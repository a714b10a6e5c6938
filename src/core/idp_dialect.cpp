// The bodies of the IdP dialects, compiled once for the library.
#include <deprov/idp/dialect.hpp>
//
#include <deprov/idp/impl/dialect.ipp>
#include <deprov/idp/impl/dialect_rules.ipp>
