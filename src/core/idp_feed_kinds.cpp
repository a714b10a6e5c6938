// The bodies of the feeds of single IdPs, compiled once for the library.
#include <deprov/idp/feed_event.hpp>
#include <deprov/idp/feed_graph.hpp>
#include <deprov/idp/feed_hook.hpp>
#include <deprov/idp/feed_keycloak.hpp>
#include <deprov/idp/feed_okta.hpp>
#include <deprov/idp/feed_wire.hpp>
//
#include <deprov/idp/impl/feed_event.ipp>
#include <deprov/idp/impl/feed_graph.ipp>
#include <deprov/idp/impl/feed_hook.ipp>
#include <deprov/idp/impl/feed_keycloak.ipp>
#include <deprov/idp/impl/feed_okta.ipp>
#include <deprov/idp/impl/feed_wire.ipp>
