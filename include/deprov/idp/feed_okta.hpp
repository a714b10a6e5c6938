// Okta as a polled feed: the assignments of one app are the truth, and what Okta says of users, groups and events
// between two lists of them says whom to look at again.
#pragma once

#include <deprov/idp/feed.hpp>
#include <memory>
#include <string>
#include <vector>

namespace deprov::idp {

/// The config's member `okta`.
struct OktaFeedConfig {
  std::string url;  ///< of the org, without a slash at its end
  std::string app;  ///< id of the app whose assignments count
  std::uint32_t page_size = 200;
  bool watch_users = true;   ///< changes: users by `lastUpdated`
  bool watch_groups = true;  ///< changes: groups by `lastMembershipUpdated`
  bool watch_log = true;     ///< changes: the System Log
  Duration overlap = std::chrono::minutes(5);
};

[[nodiscard]] const json::value& okta_feed_schema();
/// Errors: `invalid_argument`, `where` beginning with `okta`.
[[nodiscard]] Result<OktaFeedConfig> parse_okta_feed(const json::object& config);

/// A feed of one app of an Okta org.
///
/// A complete round reads `GET /api/v1/apps/{app}/users?expand=user` along its `Link`s. Access has who is
/// assigned, by themselves or by a group, unless Okta says that the assignment ended, or that the user is
/// suspended or deactivated. A status that is not known ends the round: what it means would be a guess.
///
/// A round of changes reads users by `lastUpdated` (suspended and deactivated ones have ended; another change of
/// state is a hint, since an active user need not be assigned), groups by `lastMembershipUpdated` (if one of them
/// is assigned to the app, everybody is read next), and the System Log as a polling query (hints). What happened
/// in the last `overlap` of a round is read by the next one again, since Okta carries a group's change over to the
/// assignments with a delay. Deleted users are in the log alone, or show by their absence.
///
/// A user is read again from the app and, where the app does not have them, by themselves, for the cause.
[[nodiscard]] std::unique_ptr<Feed> okta_feed(OktaFeedConfig config);
/// Both of them.
[[nodiscard]] Result<std::unique_ptr<Feed>> make_okta_feed(const json::object& config);

/// What Okta's answer means where it is no 2xx: by its error code, otherwise by its status. The time to ask again
/// is that of `X-Rate-Limit-Reset`, against the response's own `Date`.
[[nodiscard]] std::optional<FeedFailure> okta_failure(const FeedResponse& response);
/// `X-Rate-Limit-Limit`, `-Remaining` and `-Reset`.
[[nodiscard]] FeedQuota okta_quota(const FeedResponse& response);

}  // namespace deprov::idp

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/idp/impl/feed_okta.ipp>
#endif
