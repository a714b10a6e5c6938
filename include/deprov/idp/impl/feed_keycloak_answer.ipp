#pragma once
#include <algorithm>
#include <array>
#include <deprov/idp/feed_keycloak.hpp>
#include <deprov/idp/feed_wire.hpp>
#include <utility>

namespace deprov::idp::detail {

/// `error`, `errorMessage` or `error_description` of Keycloak's answer.
inline std::string keycloak_error(const FeedResponse& response) {
  const auto body = parse_answer(response.body);
  const auto* o = body ? body->if_object() : nullptr;
  if (o == nullptr) return {};
  std::string out;
  for (const auto* name : {"error", "errorMessage", "error_description"})
    if (const auto text = text_in(*o, name); !text.empty())
      out.append(out.empty() ? "" : ": ").append(shown(text));
  return out;
}

inline std::optional<FeedFailure> keycloak_failure(const FeedResponse& response) {
  auto failure = feed_failure(response);
  if (!failure) return std::nullopt;
  if (const auto text = keycloak_error(response); !text.empty())
    failure->detail = "Keycloak answered " + std::to_string(response.status) + ": " + text;
  return failure;
}

inline Result<FeedUser> keycloak_user(const json::object& o) {
  FeedUser user;
  DEPROV_TRY(id, id_in(o, "id"));
  user.id = id;
  user.user_name = text_in(o, "username");
  user.email = text_in(o, "email");
  const auto* enabled = o.if_contains("enabled");
  if (enabled == nullptr || enabled->is_null()) return user;  // missing is not empty (R10)
  if (!enabled->is_bool()) return Error(Errc::protocol, "\"enabled\" of a user is neither true nor false");
  if (enabled->get_bool()) return user;
  user.state = FeedState::ended;
  user.cause = Cause::deactivated;
  return user;
}

/// What one event says of whom to read again.
struct KeycloakEvent {
  WallTime at;
  std::string user;      ///< empty: nobody in particular
  bool several = false;  ///< of more than one user
};

inline Result<WallTime> keycloak_time(const json::object& o) {
  const auto* time = o.if_contains("time");
  constexpr std::int64_t most = 253'402'300'799'000;  // the year 9999
  if (time == nullptr || !time->is_int64() || time->get_int64() < 0 || time->get_int64() > most)
    return Error(Errc::protocol, "\"time\" of an event is no number of milliseconds");
  return WallTime{time->get_int64() * 1000};
}

/// The types of resources that say something of who has access, as an admin event names them.
inline constexpr std::array<std::string_view, 8> keycloak_resources = {
    "USER",       "GROUP",       "GROUP_MEMBERSHIP",        "CLIENT_ROLE_MAPPING", "REALM_ROLE_MAPPING",
    "REALM_ROLE", "CLIENT_ROLE", "USER_FEDERATION_PROVIDER"};
/// Of users themselves.
inline constexpr std::array<std::string_view, 2> keycloak_user_events = {"DELETE_ACCOUNT",
                                                                         "USER_DISABLED_BY_PERMANENT_LOCKOUT"};

/// `users_alone`: groups and roles do not matter.
inline Result<KeycloakEvent> keycloak_admin_event(const json::object& o, bool users_alone) {
  KeycloakEvent event;
  DEPROV_TRY(at, keycloak_time(o));
  event.at = at;
  if (!text_in(o, "error").empty()) return event;  // nothing was changed
  const auto type = text_in(o, "resourceType");
  if (std::find(keycloak_resources.begin(), keycloak_resources.end(), type) == keycloak_resources.end())
    return event;
  auto path = text_in(o, "resourcePath");
  constexpr std::string_view users = "users/";
  if (path.starts_with(users)) {
    path.remove_prefix(users.size());
    event.user = path.substr(0, path.find('/'));
    return event;
  }
  const bool federation = type == "USER_FEDERATION_PROVIDER";
  const bool created = text_in(o, "operationType") == "CREATE" &&
                       (type == "GROUP" || type == "CLIENT_ROLE" || type == "REALM_ROLE");
  event.several = federation || (!users_alone && !created);
  return event;
}

inline Result<KeycloakEvent> keycloak_user_event(const json::object& o) {
  KeycloakEvent event;
  DEPROV_TRY(at, keycloak_time(o));
  event.at = at;
  const auto type = text_in(o, "type");
  if (std::find(keycloak_user_events.begin(), keycloak_user_events.end(), type) != keycloak_user_events.end())
    event.user = text_in(o, "userId");
  return event;
}

}  // namespace deprov::idp::detail
