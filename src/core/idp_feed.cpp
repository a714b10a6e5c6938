// The bodies of polled feeds, compiled once for the library.
#include <deprov/idp/feed.hpp>
#include <deprov/idp/feed_scim.hpp>
//
#include <deprov/idp/impl/feed.ipp>
#include <deprov/idp/impl/feed_scim.ipp>
