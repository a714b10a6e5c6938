#pragma once
#include <algorithm>
#include <array>
#include <deprov/idp/feed_event.hpp>
#include <deprov/idp/feed_wire.hpp>
#include <utility>

namespace deprov::idp {

namespace detail {

/// Whom an event is about.
enum class OktaAbout : std::uint8_t { user, app_user, app_group, app };
struct OktaType {
  std::string_view name;
  OktaAbout about;
};
/// Of these alone anything follows for who has access to an app.
inline constexpr std::array<OktaType, 21> okta_types = {{
    {"application.lifecycle.activate", OktaAbout::app},
    {"application.lifecycle.deactivate", OktaAbout::app},
    {"application.lifecycle.delete", OktaAbout::app},
    {"application.user_membership.add", OktaAbout::app_user},
    {"application.user_membership.deprovision", OktaAbout::app_user},
    {"application.user_membership.remove", OktaAbout::app_user},
    {"application.user_membership.revoke", OktaAbout::app_user},
    {"application.user_membership.update", OktaAbout::app_user},
    {"group.application_assignment.add", OktaAbout::app_group},
    {"group.application_assignment.remove", OktaAbout::app_group},
    {"group.application_assignment.update", OktaAbout::app_group},
    {"group.lifecycle.delete", OktaAbout::app},
    {"group.user_membership.add", OktaAbout::user},
    {"group.user_membership.remove", OktaAbout::user},
    {"user.lifecycle.activate", OktaAbout::user},
    {"user.lifecycle.deactivate", OktaAbout::user},
    {"user.lifecycle.delete.completed", OktaAbout::user},
    {"user.lifecycle.delete.initiated", OktaAbout::user},
    {"user.lifecycle.reactivate", OktaAbout::user},
    {"user.lifecycle.suspend", OktaAbout::user},
    {"user.lifecycle.unsuspend", OktaAbout::user},
}};

struct OktaTargets {
  std::vector<std::string> users;
  bool apps = false;     ///< it names apps
  bool the_app = false;  ///< and the one that is asked for
};

/// Their order is not fixed: they are told apart by type. An AppUser's id in an event is not that of its user.
inline Result<OktaTargets> okta_targets(const json::object& event, std::string_view app) {
  OktaTargets found;
  const auto* all = event.if_contains("target");
  if (all == nullptr || all->is_null()) return found;
  if (!all->is_array()) return Error(Errc::protocol, "\"target\" of an event is no list");
  for (const auto& t : all->get_array()) {
    const auto* target = t.if_object();
    if (target == nullptr) return Error(Errc::protocol, "a target of an event is no object");
    const auto type = text_in(*target, "type");
    if (type == "User") {
      DEPROV_TRY(id, id_in(*target, "id"));
      if (std::find(found.users.begin(), found.users.end(), id) == found.users.end()) found.users.emplace_back(id);
    } else if (type == "AppInstance") {
      found.apps = true;
      found.the_app = found.the_app || text_in(*target, "id") == app;
    }
  }
  return found;
}

}  // namespace detail

DEPROV_INLINE std::span<const std::string_view> okta_event_types() noexcept {
  static const auto names = [] {
    std::array<std::string_view, detail::okta_types.size()> all;
    std::transform(detail::okta_types.begin(), detail::okta_types.end(), all.begin(),
                   [](const auto& t) { return t.name; });
    return all;
  }();
  return names;
}

DEPROV_INLINE Result<std::optional<HookHint>> read_okta_event(const json::object& event, std::string_view app) {
  const auto type = text_in(event, "eventType");
  if (type.empty()) return Error(Errc::protocol, "an event has no \"eventType\"");
  const auto known = std::find_if(detail::okta_types.begin(), detail::okta_types.end(),
                                  [&](const auto& t) { return t.name == type; });
  if (known == detail::okta_types.end()) return std::optional<HookHint>{};
  const auto* outcome = object_in(event, "outcome");
  if (outcome == nullptr || text_in(*outcome, "result") != "SUCCESS") return std::optional<HookHint>{};
  HookHint hint;
  DEPROV_TRY(uuid, id_in(event, "uuid"));
  DEPROV_TRY(published, time_in(event, "published"));
  DEPROV_TRY(targets, detail::okta_targets(event, app));
  // Of another app. A deleted group need not name any, and may have been one that gave access.
  if (targets.apps && !targets.the_app) return std::optional<HookHint>{};
  hint.id = uuid;
  hint.type = type;
  hint.at = published;
  switch (known->about) {
    case detail::OktaAbout::user:
    case detail::OktaAbout::app_user: hint.users = std::move(targets.users); break;
    case detail::OktaAbout::app_group:
    case detail::OktaAbout::app: break;
  }
  hint.read_all = hint.users.empty();
  return std::optional<HookHint>(std::move(hint));
}

}  // namespace deprov::idp
