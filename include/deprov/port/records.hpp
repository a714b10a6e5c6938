// The rows of the store, as typed records. Every key begins with the workspace.
#pragma once

#include <array>
#include <cstdint>
#include <deprov/idp/change.hpp>
#include <deprov/port/crypto.hpp>
#include <deprov/time.hpp>
#include <deprov/uuid.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::port {

/// Where almost every record lives.
struct Scope {
  WorkspaceId workspace;
  IntegrationId integration;
  friend auto operator<=>(const Scope&, const Scope&) = default;
};

struct WorkspaceRow {
  WorkspaceId id;
  std::string name;
  WallTime created;
};

/// Values are stored; a smaller value may do more.
enum class Role : std::uint8_t { owner = 1, super_admin = 2, admin = 3, member = 4 };
[[nodiscard]] std::string_view to_string(Role r) noexcept;
[[nodiscard]] std::optional<Role> parse_role(std::string_view text) noexcept;

struct PrincipalRow {
  WorkspaceId workspace;
  PrincipalId id;
  std::string name;
  Role role = Role::member;
  Sha256 token_hash{};
  WallTime created;
  std::uint64_t version = 0;
};

/// `stopped` is the kill switch: as `paused`, and only `resume` ends it.
enum class IntegrationState : std::uint8_t { active = 1, paused = 2, deleted = 3, stopped = 4 };
[[nodiscard]] std::string_view to_string(IntegrationState s) noexcept;

struct IntegrationRow {
  Scope scope;
  std::string name;
  std::string idp;        ///< "okta", "entra", "generic"
  std::string connector;  ///< id of the connector kind
  std::string config;     ///< JSON, secrets taken out
  std::string secrets;    ///< sealed JSON of what was taken out; empty: none
  std::string settings;   ///< JSON
  std::string policy;     ///< JSON
  std::uint64_t policy_version = 1;
  IntegrationState state = IntegrationState::active;
  WallTime created;
  WallTime modified;
  std::uint64_t version = 0;
  bool sources = false;  ///< it has, or had, sources besides SCIM push: what they said counts for access
};

struct GatewayTokenRow {
  Sha256 hash{};
  Scope scope;
  WallTime created;
  std::optional<WallTime> expires;
};

/// A SCIM resource without `id`, `meta`, `groups` and those `members` that are resources themselves. A deleted one
/// stays as a tombstone: invisible to SCIM, its name free, its subject, binding and jobs kept (R12).
struct ResourceRow {
  Scope scope;
  ResourceId id;
  std::string type;  ///< "User", "Group", ...
  std::uint64_t version = 0;
  std::string external_id;
  std::string user_name_key;     ///< case-folded; unique among the live ones of a type where not empty
  std::string display_name_key;  ///< case-folded, not unique
  /// Case-folded. Of a group, which has no e-mails: keys of the members that are no resource here.
  std::vector<std::string> email_keys;
  bool active = true;
  bool deleted = false;
  WallTime created;
  WallTime modified;
  std::string document;  ///< JSON object
};

struct MemberRow {
  ResourceId group;
  ResourceId member;
  bool member_is_group = false;
  std::string display{};  ///< as the IdP sent it; empty: it sent none
};

enum class Desired : std::uint8_t { undecided = 0, access = 1, no_access = 2 };
[[nodiscard]] std::string_view to_string(Desired d) noexcept;

/// The grants of one subject, and the intent that was made of them.
struct SubjectRow {
  Scope scope;
  ResourceId id;
  std::uint64_t grants_version = 0;  ///< raised by the store: each put, each membership change
  bool access = false;               ///< R1, as last evaluated
  // intent
  std::uint64_t generation = 0;
  Desired desired = Desired::undecided;
  idp::Cause cause = idp::Cause::none;
  ResourceId via_group;  ///< nil: individual
  bool via_inferred = false;
  WallTime evidence_at;  ///< first sign of the change that made this intent
  std::uint64_t policy_version = 0;
  JobId job;                   ///< the newest job of this subject; nil: none yet
  WallTime last_deactivated;   ///< 0: never; for the attribution of R2
  ResourceId last_group_lost;  ///< the same
  WallTime last_group_lost_at;
  WallTime counted_at;  ///< when the guard last counted it (R7); 0: never
};

enum class BindingState : std::uint8_t {
  unknown = 0,  ///< never looked up
  bound = 1,
  absent = 2,     ///< looked up, no account
  ambiguous = 3,  ///< more than one match, or the account belongs to another subject (R12)
  removed = 4,    ///< the account was deleted by us
};
[[nodiscard]] std::string_view to_string(BindingState s) noexcept;

/// The last recorded change of the account's state by deprov itself (R4).
enum class AccountState : std::uint8_t { untouched = 0, disabled = 1, enabled = 2, removed = 3 };
[[nodiscard]] std::string_view to_string(AccountState s) noexcept;

struct BindingRow {
  Scope scope;
  ResourceId subject;
  BindingState state = BindingState::unknown;
  std::string account_id;
  std::string account_login;
  bool was_bound = false;  ///< "already gone" is success only then (R13)
  AccountState last_set = AccountState::untouched;
  WallTime checked_at;
  std::uint64_t version = 0;
};

struct ChangeRow {
  Scope scope;
  ChangeId id;
  ResourceId subject;  ///< nil for changes of a group as such
  ResourceId group;
  idp::ChangeKind kind = idp::ChangeKind::updated;
  WallTime at;
  std::string source;   ///< "scim", "admin", ...
  std::string request;  ///< id of the request or event that showed it
  std::uint64_t count = 1;
};

enum class JobKind : std::uint8_t {
  bind = 1,
  remove_access = 2,
  restore_access = 3,
  change_role = 4,
  revoke_sessions = 5,  ///< the IdP ended the subject's sessions; its access stays as it is
};
[[nodiscard]] std::string_view to_string(JobKind k) noexcept;

enum class JobState : std::uint8_t {
  held = 1,
  awaiting_approval = 2,
  in_grace = 3,
  ready = 4,
  running = 5,
  waiting_async = 6,
  retrying = 7,
  succeeded_verified = 8,
  succeeded_unverified = 9,
  succeeded_no_account = 10,
  failed = 11,
  dead = 12,
  cancelled = 13,
  superseded = 14,
  attested = 15,  ///< a person says that it was done by hand; never called verified
  observed = 16,  ///< what would have been done (R22)
};
[[nodiscard]] std::string_view to_string(JobState s) noexcept;
[[nodiscard]] std::optional<JobState> parse_job_state(std::string_view text) noexcept;
/// Finished jobs have left the hot table. `failed` and `dead` are finished; `jobs retry` makes a new job.
[[nodiscard]] bool is_finished(JobState s) noexcept;

struct JobRow {
  Scope scope;
  JobId id;
  ResourceId subject;
  std::uint64_t generation = 0;
  JobKind kind = JobKind::remove_access;
  JobState state = JobState::ready;
  std::uint8_t priority = 5;  ///< 0 first; look-ups to bind are the last (R15)
  WallTime created;
  WallTime due;  ///< not before; also when a retry or a poll is next
  WallTime deadline;
  WallTime evidence_at;
  WallTime finished;
  std::uint32_t attempts = 0;
  LeaseToken lease;  ///< nil: nobody's
  std::uint64_t lane_epoch = 0;
  idp::Cause cause = idp::Cause::none;
  ResourceId via_group;
  bool via_inferred = false;
  std::string plan;    ///< JSON: steps and what became of them
  std::string reason;  ///< why it is where it is, for people
  std::uint64_t version = 0;
};

/// One lane has one owner at a time; `epoch` rises with each owner and fences the former one.
struct LaneRow {
  Scope scope;
  std::string owner;
  std::uint64_t epoch = 0;
  WallTime until;
  std::string paused;  ///< why the lane stands still by itself (failed credential); empty: it does not
};

/// An evaluation that is due later (R14). One per subject and kind; the first `at` stays.
struct DueRow {
  Scope scope;
  ResourceId subject;
  std::string kind;  ///< "settle"
  WallTime at;
  WallTime since;
  std::string payload;  ///< JSON
};

/// The rest of a request that was too large for one transaction, done in pieces from `cursor` on.
struct WorkRow {
  Scope scope;
  WorkId id;
  ResourceId group;  ///< whose members it is about
  std::string kind;
  std::string payload;
  std::string cursor;
  std::uint64_t total = 0;
  std::uint64_t done = 0;
  WallTime created;
  std::uint64_t version = 0;
};

/// Effects that wait for a person's decision (R7). At most one of an integration is open, as long as any item
/// waits.
struct HoldRow {
  Scope scope;
  HoldId id;
  WallTime opened;
  WallTime closed;          ///< 0: it is open
  WallTime window_from;     ///< steps planned since then wait too where they were not sent
  std::string reason;       ///< which limit, for people
  std::uint64_t items = 0;  ///< the newest item's `seq`
  std::uint64_t held = 0;   ///< items that wait
  Sha256 listing{};         ///< of the newest item
};

enum class HoldItemState : std::uint8_t {
  held = 1,      ///< waits
  sent = 2,      ///< listed only: it was sent before the hold began
  allowed = 3,   ///< released by a person
  rejected = 4,  ///< access kept by decision
  left = 5,      ///< granted again, or decided otherwise
};
[[nodiscard]] std::string_view to_string(HoldItemState s) noexcept;

/// One subject of a hold, in the order of arrival. `listing` is a hash over the items up to this one, so that it
/// names what a person saw; what arrives later has another.
struct HoldItemRow {
  Scope scope;
  HoldId hold;
  std::uint64_t seq = 0;  ///< from 1 on
  ResourceId subject;
  JobId job;
  std::uint64_t generation = 0;  ///< of the intent that waits
  idp::Cause cause = idp::Cause::none;
  ResourceId via_group;
  HoldItemState state = HoldItemState::held;
  WallTime at;
  WallTime decided;
  std::string by;  ///< who decided
  Sha256 listing{};
};

/// How many more (or fewer) subjects have access since one minute of wall time.
struct PopulationRow {
  std::int64_t minute = 0;
  std::int64_t delta = 0;
};
/// What was reserved in the two windows.
struct ReservedCounts {
  std::uint64_t hour = 0;
  std::uint64_t day = 0;
};

/// The minute of a rolling counter that a time falls into.
[[nodiscard]] inline std::int64_t minute_of(WallTime t) noexcept {
  constexpr std::int64_t minute = 60'000'000;
  return t.micros >= 0 ? t.micros / minute : -((-t.micros + minute - 1) / minute);
}
inline constexpr std::int64_t minutes_of_hour = 60;
inline constexpr std::int64_t minutes_of_day = 1440;

/// An activity record as read. Its chain is that of `scope`; a nil integration is the workspace's own.
struct ActivityRow {
  Scope scope;
  std::uint64_t seq = 0;  ///< position in the chain, from 1 on, without gaps
  WallTime at;
  std::string event;  ///< "removal.requested"
  std::string actor;  ///< "idp:okta", "principal:...", "engine", "rule:R14"
  ResourceId subject;
  JobId job;
  Sha256 hash{};
  Sha256 detail_hash{};
  std::optional<std::array<std::uint8_t, 16>> salt;  ///< gone with the detail when retention deleted it
  std::optional<std::string> detail;                 ///< JSON object
};

/// A recurring duty of one integration: when it is next, and where it stands.
struct ChoreRow {
  Scope scope;
  std::string name;  ///< "reconcile", "retention"
  WallTime due;
  std::string state;  ///< JSON object
};

/// What a reconciliation found. Values are stored; append only.
enum class FindingKind : std::uint8_t {
  leftover = 1,         ///< the account is active, its subject has no access
  drift = 2,            ///< the same after our own disable: somebody re-enabled it
  orphan = 3,           ///< an account that no subject matches
  missing_account = 4,  ///< the subject has access, its account is not there
  ambiguous = 5,        ///< more than one subject matches the account
  retained = 6,         ///< the account is active, its subject has no access, and is protected, exempt or kept
};
[[nodiscard]] std::string_view to_string(FindingKind k) noexcept;
[[nodiscard]] std::optional<FindingKind> parse_finding_kind(std::string_view text) noexcept;

struct FindingRow {
  Scope scope;
  WorkId run;           ///< the reconciliation
  std::uint64_t n = 0;  ///< from 1 on
  FindingKind kind = FindingKind::orphan;
  ResourceId subject;  ///< nil: nobody
  std::string account_id;
  std::string account_login;
  std::string note;  ///< for people
  JobId job;         ///< what was queued for it; nil: nothing
};

/// An address that is told by HTTP what happens.
struct WebhookRow {
  WorkspaceId workspace;
  WebhookId id;
  IntegrationId integration;  ///< nil: every one of the workspace, and the workspace itself
  std::string name;
  std::string url;
  std::string events;   ///< what it hears of, names with a comma between; empty: everything
  std::string ca_pem;   ///< who vouches for its certificate, in place of the system's authorities; empty: those
  std::string secrets;  ///< sealed JSON
  WallTime created;
  std::uint64_t version = 0;
};

/// How far one webhook has come in one chain; what follows is its outbox. A nil chain is the workspace's own.
struct WebhookCursorRow {
  WorkspaceId workspace;
  WebhookId webhook;
  IntegrationId chain;
  std::uint64_t seq = 0;
};

enum class DeliveryState : std::uint8_t {
  pending = 1,
  delivered = 2,
  dead = 3,  ///< given up
};
[[nodiscard]] std::string_view to_string(DeliveryState s) noexcept;
[[nodiscard]] std::optional<DeliveryState> parse_delivery_state(std::string_view text) noexcept;

/// One message to a webhook: on its way, or how it ended.
struct DeliveryRow {
  WorkspaceId workspace;
  WebhookId webhook;
  DeliveryId id;
  DeliveryState state = DeliveryState::pending;
  WallTime created;
  WallTime due;       ///< of the next attempt
  WallTime finished;  ///< 0: it is pending
  WallTime resent;    ///< when a person had it sent again; 0: nobody did
  std::uint32_t attempts = 0;
  int status = 0;            ///< HTTP, of the last answer; 0: there was none
  std::uint64_t events = 0;  ///< told in it
  std::string error;         ///< of the last attempt
  std::string body;          ///< the same at each attempt; empty once it was delivered
  std::uint64_t version = 0;
};

/// The first and the last of some records of a chain.
struct SeqSpan {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  friend bool operator==(const SeqSpan&, const SeqSpan&) = default;
};

}  // namespace deprov::port
