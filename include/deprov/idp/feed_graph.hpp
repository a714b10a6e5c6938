// Microsoft Graph as a polled feed: who is in a directory of Entra ID, or who is assigned to one app of it.
#pragma once

#include <deprov/idp/feed.hpp>
#include <memory>
#include <string>

namespace deprov::idp {

/// The config's member `graph`.
struct GraphFeedConfig {
  std::string url = "https://graph.microsoft.com/v1.0";         ///< without a slash at its end
  std::string login_url = "https://login.microsoftonline.com";  ///< where access tokens come from
  std::string tenant;
  /// Object id of the app's service principal. Empty: the whole directory has access.
  std::string service_principal;
  std::uint32_t page_size = 999;
};

[[nodiscard]] const json::value& graph_feed_schema();
/// Errors: `invalid_argument`, `where` beginning with `graph`.
[[nodiscard]] Result<GraphFeedConfig> parse_graph_feed(const json::object& config);

/// A feed of one directory, or of one app in it.
///
/// A complete round takes delta links of "now" first (`$deltatoken=latest`) and reads the lists after that, so
/// that what changes meanwhile is in the first delta. Of an app: `appRoleAssignedTo`, whose users are looked up
/// with `getByIds`, and the direct members of assigned groups; who is in groups within those has no access by
/// them, as Entra ID has it. Access has who is assigned and enabled.
///
/// A round of changes follows `users/delta` and, of an app, `groups/delta`, and compares the assignments, of which
/// Graph has no delta, by a digest. Both deltas are needed: `groups/delta` shows no user who was deleted. Disabled
/// and deleted users have ended; `@removed` tells `changed` (soft-deleted, may come back) from `deleted`. Members
/// who came or went are hints. A deleted group, or other assignments than before: everybody is read. Links are
/// opaque. An empty page is no end, and changes may come again and in any order.
///
/// A delta link that Graph does not take any more (410, `syncStateNotFound`, `resyncRequired`) is an expired
/// checkpoint.
[[nodiscard]] std::unique_ptr<Feed> graph_feed(GraphFeedConfig config);
/// Both of them.
[[nodiscard]] Result<std::unique_ptr<Feed>> make_graph_feed(const json::object& config);

/// What Graph's answer means where it is no 2xx: by its error code, otherwise by its status.
[[nodiscard]] std::optional<FeedFailure> graph_failure(const FeedResponse& response);
/// `x-ms-throttle-limit-percentage`, which Graph sends from 0.8 on, as how much of 100 is left.
[[nodiscard]] FeedQuota graph_quota(const FeedResponse& response);

}  // namespace deprov::idp

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/idp/impl/feed_graph.ipp>
#endif
