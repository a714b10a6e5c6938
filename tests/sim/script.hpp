// What one seed comes to: a set-up, and a list of events that can be shortened without losing its sense.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::test::sim {

namespace json = boost::json;

/// Numbers in an event are taken modulo what there is, so that any part of a list is a list.
enum class Kind : std::uint8_t {
  // people and groups, as an IdP shows them
  join,           ///< user a appears
  leave,          ///< user a is deactivated
  come_back,      ///< user a is activated
  erase,          ///< user a is deleted
  rehire,         ///< user a is deleted (b odd) or not, and made again under a new or the same externalId
  rename,         ///< user a has another userName
  enter,          ///< user a joins group b
  quit,           ///< user a leaves group b
  quit_all,       ///< user a leaves all its groups, one request each, side by side
  move,           ///< user a leaves group b and joins the next one
  group_make,     ///< group a appears, with everybody (b odd) or nobody
  group_erase,    ///< group a is deleted
  group_empty,    ///< group a loses all its members in one request
  group_replace,  ///< group a gets another list of members
  group_rename,   ///< group a is called otherwise, or as before again
  group_nest,     ///< group b becomes a member of group a, or ceases to be one
  feed,           ///< a bad feed: b percent of all users are deactivated at once
  echo,           ///< the last request about user a comes again
  stale,          ///< the request before the last one about user a comes again
  race,           ///< user a is deactivated and activated by two requests side by side
  // apps
  outage,     ///< nothing is answered for a seconds
  weather,    ///< for a seconds, b says how the app misbehaves
  sunshine,   ///< the app behaves again
  by_hand,    ///< somebody in the app flips the state of account a
  app_login,  ///< somebody in the app changes the login of account a
  // the directory that is polled
  drop,   ///< user a leaves it, and no push says so; b says in which way
  fetch,  ///< user a is in it again
  fog,    ///< for a seconds, b says how bad its answers are
  // the store
  disk,  ///< for a seconds, commits are refused or their answer is lost, as b says
  // engines
  crash,          ///< engine a dies after b more steps
  crash_at_sent,  ///< engine a dies when the next `sent` is durable
  crash_at_app,   ///< engine a dies when the next change arrives at an app
  clock,          ///< wall time jumps by (a - 300) seconds
  // operators
  allow,      ///< what the open hold lists is allowed
  allow_one,  ///< one subject of it
  reject,     ///< what it lists is rejected, for a minutes
  approve,    ///< what waits for an approval
  pause,      ///< and resume, a seconds later
  stop,       ///< the kill switch; resumed b seconds later
  stop_all,   ///< that of the workspace
  retry,      ///< what was held, failed or died
  cancel,     ///< the newest job of user a
  attest,     ///< the newest job of user a
  offboard,   ///< user a by hand
  rebind,     ///< user a is unbound and looked up again
  poll,       ///< the directory is read now; b odd: everybody
  reconcile,  ///< b odd: queueing
};
inline constexpr std::size_t kind_count = static_cast<std::size_t>(Kind::reconcile) + 1;
[[nodiscard]] std::string_view to_string(Kind k) noexcept;

struct Event {
  std::int64_t at_ms = 0;  ///< since the beginning
  Kind kind = Kind::join;
  std::uint32_t app = 0;
  std::uint32_t a = 0;
  std::uint32_t b = 0;
};
/// "12.500 s leave app 0 (3, 0)"
[[nodiscard]] std::string to_text(const Event& e);

/// One integration and its app.
struct AppPlan {
  std::string idp;                 ///< "okta", "entra"
  std::uint32_t users = 4;         ///< places for users; who is there at the beginning joins first
  std::uint32_t groups = 0;        ///< named "g0", "g1", ...
  std::uint32_t entitling = 0;     ///< the first so many groups entitle
  json::object policy;             ///< as the engine gets it
  std::uint32_t guarded_user = 0;  ///< protected, where `protects`
  bool protects = false;
  bool exempts = false;  ///< user `guarded_user` is exempt until `exempt_ms`
  std::int64_t exempt_ms = 0;
  bool guard = true;
  bool observe = false;
  bool deletes = false;  ///< deactivated: the account is deleted after `grace_ms`
  bool removes = false;  ///< the same for memberships
  std::int64_t grace_ms = 0;
  bool approves = false;  ///< delete and remove want an approval
  bool roles = false;
  std::int64_t settle_ms = 60'000;
  // the app
  bool readable = true;
  bool listable = true;
  bool idempotent = true;
  bool asynchronous = false;
  bool revoke_first = false;
  std::int64_t lag_ms = 0;
  std::uint32_t strangers = 0;  ///< accounts of nobody
  std::uint32_t missing = 0;    ///< permille of users without an account
  std::uint32_t doubles = 0;    ///< permille of users with two
  /// The IdP is polled, too: by index, by cursor, Okta's API, Graph's; 0: it only pushes.
  std::uint32_t polled = 0;
};

struct Script {
  std::uint64_t seed = 0;
  std::uint32_t engines = 1;
  std::uint32_t inline_members = 500;
  std::uint32_t piece = 250;
  std::uint32_t lane_window = 256;
  std::vector<AppPlan> apps;
  std::vector<Event> events;
};

/// The same for the same seed, for ever.
[[nodiscard]] Script write_script(std::uint64_t seed);

}  // namespace deprov::test::sim
