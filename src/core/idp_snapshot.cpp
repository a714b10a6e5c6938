// The bodies of snapshots and grants, compiled once for the library.
#include <deprov/idp/fingerprint.hpp>
#include <deprov/idp/grants.hpp>
#include <deprov/idp/snapshot.hpp>
#include <deprov/idp/snapshot_reader.hpp>
//
#include <deprov/idp/impl/fingerprint.ipp>
#include <deprov/idp/impl/grants.ipp>
#include <deprov/idp/impl/snapshot.ipp>
#include <deprov/idp/impl/snapshot_reader.ipp>
