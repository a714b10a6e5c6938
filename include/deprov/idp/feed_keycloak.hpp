// Keycloak as a polled feed: who is in a realm, has a role of a client, or is in a group.
#pragma once

#include <deprov/idp/feed.hpp>
#include <memory>
#include <string>
#include <vector>

namespace deprov::idp {

/// The config's member `keycloak`.
struct KeycloakFeedConfig {
  std::string url;  ///< of the server, without a slash at its end
  std::string realm;
  std::string token_realm;          ///< where access tokens come from; `realm` by default
  std::string client;               ///< internal id of the client whose `roles` say who has access; empty: none
  std::vector<std::string> roles;   ///< names of roles of `client`
  std::vector<std::string> groups;  ///< ids of groups whose members have access, those of their subgroups too
  std::uint32_t page_size = 500;
  bool watch_admin_events = true;
  bool watch_user_events = true;
  Duration overlap = std::chrono::minutes(1);
};

[[nodiscard]] const json::value& keycloak_feed_schema();
/// Errors: `invalid_argument`, `where` beginning with `keycloak`.
[[nodiscard]] Result<KeycloakFeedConfig> parse_keycloak_feed(const json::object& config);

/// A feed of one realm. Access has who is enabled and, where the config names roles or groups, has one of the
/// roles, by themselves or by a group, or is in one of the groups. A role that is part of a composite role is not
/// seen in lists; to read one user again sees it.
///
/// Keycloak's pages go by offset. Each one begins with the last user of the one before, so that a list that moved
/// while it was read is seen; of a realm, `users/count` says at the end whether it was all of them.
///
/// A complete round looks for the newest events first, since Keycloak tells no other time of its own.
/// A round of changes reads admin events and user events, both newest first, down to where the last round ended;
/// they are hints. Where Keycloak does not record admin events, everybody is read each time. Events that touch
/// more than one user (a group, a role) lead to reading everybody.
[[nodiscard]] std::unique_ptr<Feed> keycloak_feed(KeycloakFeedConfig config);
/// Both of them.
[[nodiscard]] Result<std::unique_ptr<Feed>> make_keycloak_feed(const json::object& config);

}  // namespace deprov::idp

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/idp/impl/feed_keycloak.ipp>
#endif
