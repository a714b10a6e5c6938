// A SCIM server that is the authority: its Users, page by page (RFC 7644 section 3.4.2.4, RFC 9865).
#pragma once

#include <deprov/idp/feed.hpp>
#include <memory>

namespace deprov::idp {

/// Of the member `scim` of a source's config: base_url, filter, paging (index, cursor), page_size, id (what of a
/// User is the list's id: id or externalId), sort (ask for the order of `id`), allow_http.
[[nodiscard]] const json::value& scim_feed_schema();

/// Every round is complete, but for those that `changes` asks for by `meta.lastModified`: SCIM shows who is there
/// and who changed, not who is gone. A user is read again by id, or through the filter where there is one. Index
/// paging ends where `totalResults` is reached, and nowhere before; cursor paging where `nextCursor` is left out.
/// A page that is empty before that, begins elsewhere than asked, or counts otherwise than the one before it is
/// `protocol`. Errors: `invalid_argument`.
[[nodiscard]] Result<std::unique_ptr<Feed>> make_scim_feed(const json::object& config);

}  // namespace deprov::idp

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/idp/impl/feed_scim.ipp>
#endif
