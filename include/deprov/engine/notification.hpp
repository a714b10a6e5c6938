// What there is to tell people of what happens: chosen records of the activity, under names that stay.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <deprov/error.hpp>
#include <deprov/port/records.hpp>
#include <deprov/port/store.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::engine {

namespace json = boost::json;

enum class NotificationType : std::uint8_t {
  removal_verified,
  removal_unverified,   ///< it is done, and the app cannot be read
  removal_failed,       ///< it will not be tried again by itself
  removal_dead,         ///< the same, since its deadline passed
  removal_held,         ///< it waits in the guard's hold (R7)
  job_held,             ///< a job of its own waits for a person: two accounts match, a permission is missing, ...
  job_failed,           ///< access is not restored, a role not lowered, or sessions not ended
  approval_wanted,      ///< a step waits for somebody of a role
  hold_opened,          ///< the guard's limits were reached (R7)
  objective_half_gone,  ///< removals are unfinished and half of the objective is gone
  objective_gone,       ///< ... all of it
  access_without_account,  ///< access came back, and the account cannot (R4)
  lane_paused,             ///< nothing is sent to the app: by itself, by a person, or by the kill switch
  lane_resumed,
  source_unhealthy,  ///< a source of changes fails; removals that would be inferred from it are frozen (R16)
  source_recovered,
  reconciliation_found,   ///< accounts that should be gone are in the app: leftover, or drift
  reconciliation_failed,  ///< whether there are any is not known
  webhook_test,
};
/// "removal.verified", ...; the names that a webhook is subscribed by.
[[nodiscard]] std::string_view to_string(NotificationType t) noexcept;
[[nodiscard]] std::optional<NotificationType> parse_notification_type(std::string_view text) noexcept;
/// All that can be subscribed to, in the order of the enumeration.
[[nodiscard]] const std::vector<NotificationType>& notification_types();

/// The records by which a source says how it is; its detail is `{"source": "...", "reason": "..."}`. Whoever
/// appends one to an integration's chain raises the notification; nothing else is needed.
inline constexpr std::string_view source_unhealthy_event = "source.unhealthy";
inline constexpr std::string_view source_recovered_event = "source.recovered";
/// The records of an objective that is gone, half of it or all.
inline constexpr std::string_view objective_half_event = "objective.half_gone";
inline constexpr std::string_view objective_gone_event = "objective.gone";

/// One thing to tell. Several records of one kind, of many subjects, can be one (`count`).
struct Notification {
  NotificationType type = NotificationType::webhook_test;
  port::Scope scope;       ///< the chain; a nil integration: the workspace's own
  std::uint64_t seq = 0;   ///< of the record; with the chain it names the notification for good
  std::uint64_t last = 0;  ///< of the last record that it stands for
  std::uint64_t count = 1;
  WallTime at;
  std::string actor;
  ResourceId subject;   ///< nil: none, or many
  JobId job;            ///< the same
  json::object detail;  ///< as on the activity; empty where it was deleted since
  // Looked up when it is told:
  std::string integration;  ///< name
  std::string user_name;
  struct Subject {
    ResourceId id;
    JobId job;
    std::string user_name;
  };
  std::vector<Subject> subjects;  ///< the first ones of those that it stands for

  /// The same at each delivery, and different from that of any other: "<chain>:<seq>".
  [[nodiscard]] std::string id() const;
};

/// What a record tells; nothing where nobody has to hear of it.
[[nodiscard]] std::optional<Notification> notification_of(const port::ActivityRow& row);
/// Takes `next`, which follows in the same chain, into `first` where both are of a kind that comes in thousands.
[[nodiscard]] bool combine(Notification& first, const Notification& next);
/// Names of people and integrations, as the store has them. Errors: those of the store.
[[nodiscard]] Result<void> name(port::Reader& reader, Notification& notification);
/// As it is told.
[[nodiscard]] json::object to_json(const Notification& notification);

/// What is read of one chain in one look.
struct NotificationPage {
  std::vector<Notification> items;
  std::uint64_t upto = 0;  ///< give it as `after` for what follows
  bool more = false;       ///< there are records behind `upto`
};
/// What there is to tell in the records of one chain with seq greater than `after`, combined, at most `limit`.
/// Looks at 1000 records at most. `wanted` empty: everything. Errors: those of the store.
[[nodiscard]] Result<NotificationPage> read_notifications(port::Reader& reader, const port::Scope& scope,
                                                          std::uint64_t after, std::size_t limit,
                                                          const std::vector<NotificationType>& wanted = {});

}  // namespace deprov::engine
