// The bodies of the IdP dialects, compiled once for the library.
#include <deprov/idp/dialect.hpp>
#include <deprov/idp/request_line.hpp>
//
#include <deprov/idp/impl/dialect.ipp>
#include <deprov/idp/impl/dialect_detect.ipp>
#include <deprov/idp/impl/dialect_rules.ipp>
#include <deprov/idp/impl/request_line.ipp>
