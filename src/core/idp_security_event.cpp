// The bodies of signed tokens and security events, compiled once for the library.
#include <deprov/idp/jose.hpp>
#include <deprov/idp/security_event.hpp>
//
#include <deprov/idp/impl/jose.ipp>
#include <deprov/idp/impl/security_event.ipp>
#include <deprov/idp/impl/security_event_types.ipp>
