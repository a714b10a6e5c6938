// The store: consistent views, and typed transactions that carry what they were decided on.
#pragma once

#include <cstdint>
#include <deprov/error.hpp>
#include <deprov/port/records.hpp>
#include <deprov/port/source_records.hpp>
#include <deprov/port/task.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace deprov::port {

/// What a transaction was decided on. Each item is compared at commit; one that is no longer true makes
/// the whole transaction answer `stale_read` and change nothing. Lanes are compared first, then integrations,
/// resources, subjects, intents, holds; the ops come after all of these.
struct ReadSet {
  struct ResourceVersion {
    Scope scope;
    ResourceId id;
    std::uint64_t version;  ///< 0: must not exist
  };
  struct SubjectVersion {
    Scope scope;
    ResourceId id;
    std::uint64_t grants_version;  ///< 0: must not exist
  };
  struct IntentGeneration {
    Scope scope;
    ResourceId subject;
    std::uint64_t generation;
  };
  struct IntegrationVersion {
    Scope scope;
    std::uint64_t version;
  };
  /// The hold that is open; nil: none.
  struct OpenHold {
    Scope scope;
    HoldId hold;
  };
  struct LaneEpoch {
    Scope scope;
    std::uint64_t epoch;
  };
  std::vector<ResourceVersion> resources;
  std::vector<SubjectVersion> subjects;
  std::vector<IntentGeneration> intents;
  std::vector<IntegrationVersion> integrations;
  std::vector<OpenHold> holds;
  std::vector<LaneEpoch> lanes;  ///< a former owner's epoch answers `fenced`
};

namespace op {
struct PutWorkspace {
  WorkspaceRow row;
};
// Where `row.version` is not the present one (0: there is none yet) the answer is `stale_read`; a put raises
// it by 1.

/// `row.version` 0 creates; otherwise it must be the present one. The last Owner of a workspace can be
/// neither lowered nor removed: `conflict`.
struct PutPrincipal {
  PrincipalRow row;
};
/// Nobody there: `not_found`.
struct RemovePrincipal {
  WorkspaceId workspace;
  PrincipalId id;
};
/// `row.version` 0 creates; otherwise it must be the present one.
struct PutIntegration {
  IntegrationRow row;
};
/// A hash that belongs to another integration: `uniqueness`.
struct PutGatewayToken {
  GatewayTokenRow row;
};
/// All tokens of the integration but `keep`, from `at` on.
struct ExpireGatewayTokens {
  Scope scope;
  Sha256 keep;
  WallTime at;
};
/// `row.version` 0 creates; otherwise it must be the present one. The new version is the old one plus 1.
/// A `user_name_key` that a live resource of the type has: `uniqueness`. Another `type` than before: `conflict`.
struct PutResource {
  ResourceRow row;
  bool keys_changed = true;  ///< false: external id, names and e-mails are as stored, their indexes are left alone
};
/// Takes a key that one owner has at a time, such as the value of a unique attribute. Its own a second time: no
/// effect. Somebody else's: `uniqueness`, naming `attribute`.
struct ClaimKey {
  Scope scope;
  std::string key;
  ResourceId owner;
  std::string attribute{};  ///< for the error
};
/// Nobody's, or somebody else's: no effect.
struct ReleaseKey {
  Scope scope;
  std::string key;
  ResourceId owner;
};
/// Raises version and `modified` of a resource without a precondition (busy groups do not starve). Nothing
/// there: `not_found`.
struct TouchResource {
  Scope scope;
  ResourceId id;
  WallTime modified;
};
/// Adding who is a member, or removing who is none, raises nothing. Who is a member already gets the `display`, if
/// there is one, and nothing else.
struct AddMember {
  Scope scope;
  MemberRow row;
};
/// What a member is called from now on; empty: nothing. Raises nothing. Who is no member: no effect.
struct NameMember {
  Scope scope;
  ResourceId group;
  ResourceId member;
  std::string display;
};
struct RemoveMember {
  Scope scope;
  ResourceId group;
  ResourceId member;
};
/// Puts everything but `grants_version`, which rises by 1.
struct PutSubject {
  SubjectRow row;
};
/// `row.version` 0 creates; otherwise it must be the present one.
struct PutBinding {
  BindingRow row;
};
/// The same change of the same subject a second time: `conflict`.
struct AppendChange {
  ChangeRow row;
};
/// `row.version` 0 creates; otherwise it must be the present one, of a finished job too: whoever did not see it
/// finish decides again. A finished state moves the job out of the hot table, and no put follows: `conflict`. The
/// subject stays: `conflict`. Where `lease` is given and not the job's current token: `fenced`, before anything
/// else. An id is used for one subject only.
struct PutJob {
  JobRow row;
  std::optional<LeaseToken> lease;
};
/// Unconditional; combine with ReadSet::lanes for a compare-and-set.
struct PutLane {
  LaneRow row;
};
/// Keeps an existing row of the same subject and kind.
struct PutDue {
  DueRow row;
};
/// Nothing there: no effect.
struct RemoveDue {
  Scope scope;
  ResourceId subject;
  std::string kind;
};
/// `row.version` 0 creates; otherwise it must be the present one.
struct PutWork {
  WorkRow row;
};
/// Moves the cursor of work whose present version is `version`, else `stale_read`; the payload is not written
/// again.
struct AdvanceWork {
  Scope scope;
  WorkId id;
  std::uint64_t version = 0;
  std::string cursor;
  std::uint64_t done = 0;
};
/// Nothing there: no effect.
struct RemoveWork {
  Scope scope;
  WorkId id;
};
/// Appends to the chain of `scope` (nil integration: the workspace's). Sequence number and hash are
/// assigned in commit order.
struct AppendActivity {
  Scope scope;
  WallTime at;
  std::string event;
  std::string actor;
  ResourceId subject;
  JobId job;
  std::string detail;  ///< JSON object
  std::array<std::uint8_t, 16> salt{};
};
/// The guard's rolling counters (R7): adds `amount` to the minute of `now`, unless the sum over the last
/// 60 minutes would pass `limit_hour` or over 24 hours `limit_day`; then the whole transaction answers
/// `held_by_guard`; and so it does while a hold of the integration is open. Best put before what it is for: a
/// refusal before the first write costs nothing.
struct Reserve {
  Scope scope;
  std::string counter;
  std::uint64_t amount = 1;
  std::uint64_t limit_hour = 0;
  std::uint64_t limit_day = 0;
  WallTime now;
  WallTime counted{};  ///< when the same subject was counted before: it counts once, from now on; 0: it was not
  bool regardless = false;  ///< neither a limit nor an open hold refuses it: nothing is asked for by it
};
/// Takes back what was reserved in the minute of `at`, as far as it is still there.
struct Unreserve {
  Scope scope;
  std::string counter;
  std::uint64_t amount = 1;
  WallTime at;
};
/// So many subjects more (or fewer) have access since the minute of `now`.
struct Population {
  Scope scope;
  std::int64_t delta = 0;
  WallTime now;
};
/// Where the integration has an open hold that one stays, and nothing changes.
struct OpenHold {
  HoldRow row;
};
/// `row.seq` 0 appends to the open hold (`stale_read` where none is), which gives seq and listing. Otherwise the
/// item gets state, `decided` and `by` of the row; one that does not wait any more: `conflict`. A hold of which
/// nothing waits any more is closed at `decided`.
struct PutHoldItem {
  HoldItemRow row;
};
/// Deletes detail and salt of the records with seq in (after, upto] that are older than `before`; their hashes
/// stay, and so the chain holds (R20).
struct DeleteDetails {
  Scope scope;
  std::uint64_t after = 0;
  std::uint64_t upto = 0;
  WallTime before;
};
/// Unconditional.
struct PutChore {
  ChoreRow row;
};
/// Unconditional; the one before of the same run and number is replaced.
struct PutFinding {
  FindingRow row;
};
/// Removes findings of other runs than `keep`, by run and number, at most `limit`.
struct RemoveFindings {
  Scope scope;
  WorkId keep;
  std::size_t limit = 1000;
};
/// `row.version` 0 creates; otherwise it must be the present one.
struct PutWebhook {
  WebhookRow row;
};
/// With its cursors and its deliveries. Nobody there: `not_found`.
struct RemoveWebhook {
  WorkspaceId workspace;
  WebhookId id;
};
/// Moves it from `from` (0: there is none yet), else `stale_read`. No such webhook: `not_found`.
struct MoveWebhookCursor {
  WebhookCursorRow row;
  std::uint64_t from = 0;
};
/// `row.version` 0 creates; otherwise it must be the present one. No such webhook: `not_found`.
struct PutDelivery {
  DeliveryRow row;
};
/// Removes those of one state but the newest `keep`.
struct PruneDeliveries {
  WorkspaceId workspace;
  WebhookId webhook;
  DeliveryState state = DeliveryState::delivered;
  std::size_t keep = 0;
};
/// `row.version` 0 creates; otherwise it must be the present one.
struct PutSource {
  SourceRow row;
};
/// The row alone: pieces are pruned, and what it said of subjects stays. Nobody there: `not_found`.
struct RemoveSource {
  Scope scope;
  SourceId id;
};
/// Unconditional; nothing is read of it until the row of the source names its generation.
struct PutSourcePiece {
  SourcePieceRow row;
};
/// Removes pieces that the source's row does not name (see `SourceRow`), at most `limit`.
struct PruneSourcePieces {
  Scope scope;
  SourceId source;
  std::uint64_t base = 0;
  std::uint64_t generation = 0;  ///< 0: all of them
  std::size_t limit = 256;
};
/// Unconditional; combine with ReadSet::subjects, and put the subject, for a compare-and-set.
struct PutGrant {
  GrantRow row;
};
/// All of one subject, or what one source said of it. Nothing there: no effect.
struct RemoveGrants {
  Scope scope;
  ResourceId subject;
  std::optional<SourceId> source{};
};
/// What a connector keeps (`Checkpoints`). Empty: the name is taken away. Errors: `limit_exceeded` where it is a
/// new name, and there are `most`.
struct PutCheckpoint {
  Scope scope;
  std::string name;
  std::string value;
  std::size_t most = 0;
};
/// All that the connector of an integration keeps.
struct RemoveCheckpoints {
  Scope scope;
};
}  // namespace op

using Op =
    std::variant<op::PutWorkspace, op::PutPrincipal, op::RemovePrincipal, op::PutIntegration, op::PutGatewayToken,
                 op::ExpireGatewayTokens, op::PutResource, op::TouchResource, op::AddMember, op::RemoveMember,
                 op::PutSubject, op::PutBinding, op::AppendChange, op::PutJob, op::PutLane, op::PutDue,
                 op::RemoveDue, op::PutWork, op::AdvanceWork, op::RemoveWork, op::AppendActivity, op::Reserve,
                 op::Unreserve, op::Population, op::OpenHold, op::PutHoldItem, op::DeleteDetails, op::PutChore,
                 op::PutFinding, op::RemoveFindings, op::ClaimKey, op::ReleaseKey, op::PutWebhook,
                 op::RemoveWebhook, op::MoveWebhookCursor, op::PutDelivery, op::PruneDeliveries, op::PutSource,
                 op::RemoveSource, op::PutSourcePiece, op::PruneSourcePieces, op::PutGrant, op::RemoveGrants,
                 op::NameMember, op::PutCheckpoint, op::RemoveCheckpoints>;

/// All of it, or nothing. Ops are applied in order.
struct Transaction {
  TxnId id;  ///< for looking up a commit whose answer was lost
  ReadSet reads;
  std::vector<Op> ops;
};

/// What only the commit could know.
struct Committed {
  /// The new version of each PutResource and TouchResource, in their order.
  std::vector<std::uint64_t> resource_versions;
  /// The sequence number of each AppendActivity, in their order.
  std::vector<std::uint64_t> activity_seqs;
  /// For each AddMember and RemoveMember, in their order, whether it changed who is a member.
  std::vector<bool> members_changed;
  /// For each DeleteDetails, in their order, how many details it deleted.
  std::vector<std::uint64_t> details_deleted;
  /// For each PruneSourcePieces, in their order, how many pieces it removed.
  std::vector<std::uint64_t> pieces_pruned;
};

/// A page of something that is read in order. `after` empty: from the start.
template <class T>
struct Page {
  std::vector<T> rows;
  bool more = false;
};

/// How resources are looked up by an indexed attribute.
struct ResourceKey {
  enum class Attribute { id, external_id, user_name, display_name, email, member };
  Attribute attribute = Attribute::id;
  std::string value;  ///< case-folded where the index is; the text of an id for `id` and `member`
};

/// An order that an index keeps, and which part of it is wanted.
struct ResourceOrder {
  enum class By { modified, user_name };
  By by = By::modified;
  bool descending = false;
  std::optional<WallTime> from, to;  ///< of `modified`; both are included
  /// A resource as it was when it was read; what comes behind it in this order is wanted.
  struct Place {
    WallTime modified;
    std::string user_name_key;
    ResourceId id;
  };
  std::optional<Place> after;
};

struct JobFilter {
  std::optional<ResourceId> subject;
  std::optional<JobState> state;
  bool finished = true;
  bool unfinished = true;
};

/// A consistent view: everything read through one Reader is of one moment. Lives for one call.
/// Errors of every function: `io`, `store_corrupt`.
class Reader {
 public:
  virtual ~Reader() = default;
  virtual Result<std::optional<WorkspaceRow>> workspace(WorkspaceId id) = 0;
  virtual Result<std::vector<WorkspaceRow>> workspaces() = 0;
  virtual Result<std::vector<PrincipalRow>> principals(WorkspaceId workspace) = 0;
  virtual Result<std::optional<PrincipalRow>> principal_by_token(const Sha256& hash) = 0;
  virtual Result<std::optional<IntegrationRow>> integration(Scope scope) = 0;
  /// In order of creation; all workspaces where `workspace` is nothing. Deleted ones are left out.
  virtual Result<std::vector<IntegrationRow>> integrations(std::optional<WorkspaceId> workspace) = 0;
  /// Those of one workspace with the deleted ones, whose evidence stays.
  virtual Result<std::vector<IntegrationRow>> integrations_ever(WorkspaceId workspace) = 0;
  /// The token's row, expired or not.
  virtual Result<std::optional<GatewayTokenRow>> gateway_token(const Sha256& hash) = 0;
  /// Those of one integration, expired ones included.
  virtual Result<std::vector<GatewayTokenRow>> gateway_tokens(const Scope& scope) = 0;

  /// Tombstones included (`deleted`).
  virtual Result<std::optional<ResourceRow>> resource(const Scope& scope, ResourceId id) = 0;
  /// Live resources of `type` (empty: every type) with that key, by id order, at most `limit`.
  virtual Result<std::vector<ResourceRow>> resources_by_key(const Scope& scope, std::string_view type,
                                                            const ResourceKey& key, std::size_t limit) = 0;
  /// The same for tombstones, by external id: the newest first (R12).
  virtual Result<std::vector<ResourceRow>> tombstones_by_external_id(const Scope& scope, std::string_view type,
                                                                     std::string_view external_id) = 0;
  /// The same by user name, as folded as the key is, at most `limit`.
  virtual Result<std::vector<ResourceRow>> tombstones_by_user_name(const Scope& scope, std::string_view type,
                                                                   std::string_view user_name,
                                                                   std::size_t limit) = 0;
  /// Who holds a claimed key.
  virtual Result<std::optional<ResourceId>> key_owner(const Scope& scope, std::string_view key) = 0;
  /// Live resources by id order, after `after`.
  virtual Result<Page<ResourceRow>> resources(const Scope& scope, std::string_view type,
                                              std::optional<ResourceId> after, std::size_t limit) = 0;
  /// The same from the `offset`-th on (0-based): for startIndex.
  virtual Result<Page<ResourceRow>> resources_at(const Scope& scope, std::string_view type, std::size_t offset,
                                                 std::size_t limit) = 0;
  /// Live resources of one type in that order; those with the same time by id, in the same direction. By user
  /// name, those that have none are left out.
  virtual Result<Page<ResourceRow>> resources_in_order(const Scope& scope, std::string_view type,
                                                       const ResourceOrder& order, std::size_t limit) = 0;
  /// Live ones; does not count rows.
  virtual Result<std::uint64_t> resource_count(const Scope& scope, std::string_view type) = 0;

  virtual Result<Page<MemberRow>> members(const Scope& scope, ResourceId group, std::optional<ResourceId> after,
                                          std::size_t limit) = 0;
  virtual Result<std::optional<MemberRow>> member(const Scope& scope, ResourceId group, ResourceId member) = 0;
  virtual Result<bool> is_member(const Scope& scope, ResourceId group, ResourceId member) = 0;
  /// Counted without reading the members' resources.
  virtual Result<std::uint64_t> member_count(const Scope& scope, ResourceId group) = 0;
  /// The live groups that name `member` directly.
  virtual Result<std::vector<ResourceId>> groups_of(const Scope& scope, ResourceId member) = 0;

  virtual Result<std::optional<SubjectRow>> subject(const Scope& scope, ResourceId id) = 0;
  virtual Result<std::optional<BindingRow>> binding(const Scope& scope, ResourceId subject) = 0;
  /// Of those that are `bound` to the account; the lowest subject where there are several.
  virtual Result<std::optional<BindingRow>> binding_by_account(const Scope& scope,
                                                               std::string_view account_id) = 0;

  virtual Result<std::optional<JobRow>> job(const Scope& scope, JobId id) = 0;
  /// Newest first, before `before`.
  virtual Result<Page<JobRow>> jobs(const Scope& scope, const JobFilter& filter, std::optional<JobId> before,
                                    std::size_t limit) = 0;
  /// Jobs that may run at `now` (ready, retrying, in_grace, waiting_async with `due` passed; running ones
  /// of an older lane epoch), by priority, then due.
  virtual Result<std::vector<JobRow>> due_jobs(const Scope& scope, WallTime now, std::uint64_t epoch,
                                               std::size_t limit) = 0;
  /// When the next one that is not due at `now` is due.
  virtual Result<std::optional<WallTime>> next_job_due(const Scope& scope, WallTime now) = 0;
  /// Unfinished and finished jobs by state.
  virtual Result<std::map<JobState, std::uint64_t>> job_counts(const Scope& scope) = 0;

  virtual Result<std::optional<LaneRow>> lane(const Scope& scope) = 0;
  virtual Result<std::vector<DueRow>> dues(const Scope& scope, WallTime now, std::size_t limit) = 0;
  virtual Result<std::optional<WallTime>> next_due(const Scope& scope) = 0;
  virtual Result<std::optional<DueRow>> due(const Scope& scope, ResourceId subject, std::string_view kind) = 0;
  /// Those of one kind by subject, after `after`, due or not.
  virtual Result<Page<DueRow>> dues_of_kind(const Scope& scope, std::string_view kind,
                                            std::optional<ResourceId> after, std::size_t limit) = 0;

  virtual Result<std::optional<HoldRow>> open_hold(const Scope& scope) = 0;
  virtual Result<std::optional<HoldRow>> hold(const Scope& scope, HoldId id) = 0;
  /// Newest first; those that are older than `before`.
  virtual Result<Page<HoldRow>> holds(const Scope& scope, std::optional<HoldId> before, std::size_t limit) = 0;
  /// In order of arrival, after `after`.
  virtual Result<Page<HoldItemRow>> hold_items(const Scope& scope, HoldId hold, std::uint64_t after,
                                               std::size_t limit) = 0;
  /// The newest of one subject, in whatever hold.
  virtual Result<std::optional<HoldItemRow>> hold_item_of(const Scope& scope, ResourceId subject) = 0;
  /// The item whose `listing` it is.
  virtual Result<std::optional<HoldItemRow>> hold_item_at(const Scope& scope, HoldId hold,
                                                          const Sha256& listing) = 0;
  /// In the order of minutes; all that is older than 24 hours at `now` is one row.
  virtual Result<std::vector<PopulationRow>> population(const Scope& scope, WallTime now) = 0;
  virtual Result<ReservedCounts> reserved(const Scope& scope, std::string_view counter, WallTime now) = 0;
  /// Unfinished work by id, which is the order in which it has to be done.
  virtual Result<std::vector<WorkRow>> works(const Scope& scope, std::size_t limit) = 0;
  /// The newest unfinished work on the members of a group, without reading its payload.
  virtual Result<std::optional<WorkId>> last_work(const Scope& scope, ResourceId group) = 0;
  /// Newest first.
  virtual Result<std::vector<ChangeRow>> changes(const Scope& scope, ResourceId subject, std::size_t limit) = 0;

  /// Records of one chain with `seq` greater than `after`, in order.
  virtual Result<Page<ActivityRow>> activity(const Scope& scope, std::uint64_t after, std::size_t limit) = 0;
  /// Records of one chain about one subject, in order.
  virtual Result<Page<ActivityRow>> activity_of(const Scope& scope, ResourceId subject, std::uint64_t after,
                                                std::size_t limit) = 0;
  virtual Result<std::uint64_t> activity_head(const Scope& scope) = 0;
  /// The first and the last record of [from, to) among those with seq in (after, upto]; details are not read.
  virtual Result<std::optional<SeqSpan>> activity_span(const Scope& scope, std::uint64_t after, std::uint64_t upto,
                                                       WallTime from, WallTime to) = 0;

  virtual Result<std::optional<ChoreRow>> chore(const Scope& scope, std::string_view name) = 0;
  /// In order of creation; all workspaces where `workspace` is nothing.
  virtual Result<std::vector<WebhookRow>> webhooks(std::optional<WorkspaceId> workspace) = 0;
  /// By chain; a chain that is not among them was not begun.
  virtual Result<std::vector<WebhookCursorRow>> webhook_cursors(WorkspaceId workspace, WebhookId webhook) = 0;
  /// The newest first, before `before`; of one state where that is given.
  virtual Result<Page<DeliveryRow>> deliveries(WorkspaceId workspace, WebhookId webhook,
                                               std::optional<DeliveryState> state,
                                               std::optional<DeliveryId> before, std::size_t limit) = 0;

  virtual Result<std::optional<SourceRow>> source(const Scope& scope, SourceId id) = 0;
  /// In order of creation.
  virtual Result<std::vector<SourceRow>> sources(const Scope& scope) = 0;
  /// Of each place from `from` on the piece of the highest generation in [base, generation], by place.
  virtual Result<Page<SourcePieceRow>> source_pieces(const SourcePieces& which, std::uint32_t from,
                                                     std::size_t limit) = 0;
  /// What sources said of one subject, by source; nil is SCIM push.
  virtual Result<std::vector<GrantRow>> grants(const Scope& scope, ResourceId subject) = 0;
  /// The subjects of whom sources said anything but hints, after `after`, in order.
  virtual Result<Page<ResourceId>> subjects_with_grants(const Scope& scope, std::optional<ResourceId> after,
                                                        std::size_t limit) = 0;

  /// The subjects whom that source is to be read again for, since its last word on them is a hint, after `after`,
  /// in order.
  virtual Result<Page<ResourceId>> subjects_to_reread(const Scope& scope, SourceId source,
                                                      std::optional<ResourceId> after, std::size_t limit) = 0;

  /// What a connector keeps under that name.
  virtual Result<std::optional<std::string>> checkpoint(const Scope& scope, std::string_view name) = 0;

  /// Findings of one reconciliation with `n` greater than `after`, in order.
  virtual Result<Page<FindingRow>> findings(const Scope& scope, WorkId run, std::uint64_t after,
                                            std::size_t limit) = 0;
};

using ViewBody = UniqueFunction<Result<void>(Reader&)>;
using DecideBody = UniqueFunction<Result<Transaction>(Reader&)>;

struct StoreStats {
  std::uint64_t commits = 0;  ///< transactions made durable
  std::uint64_t batches = 0;  ///< group commits
  std::uint64_t queued = 0;   ///< transactions waiting now
  std::uint64_t conflicts = 0;
  std::uint64_t failures = 0;  ///< group commits that the disk refused
  bool failing = false;        ///< the last of them was refused
  std::uint64_t statements = 0;
  std::uint64_t rows = 0;  ///< rows written
  std::uint64_t wal_bytes = 0;
};

/// *Thread safety*: every function may be called from any thread. Completions are called exactly once,
/// from any thread, possibly before the call returns, and only post.
class Store {
 public:
  virtual ~Store() = default;
  /// Runs `body` on a consistent view, on a thread of the store's choosing; its result goes to `done`.
  virtual void view(ViewBody body, UniqueFunction<void(Result<void>)> done) = 0;
  /// The same for a body that reads a few rows: it may run inside the call, on the caller's thread, which saves
  /// two changes of thread. `done` then comes before this returns.
  virtual void glance(ViewBody body, UniqueFunction<void(Result<void>)> done) {
    view(std::move(body), std::move(done));
  }
  /// Durable when `done` gets a value. Errors: `stale_read`, `fenced`, `uniqueness`, `conflict`,
  /// `held_by_guard`, `not_found` (nothing was changed); `busy` (the queue is full: nothing was changed,
  /// try later); `storage_full`, `io`; `commit_unknown` (see `committed`).
  virtual void commit(Transaction txn, UniqueFunction<void(Result<Committed>)> done) = 0;
  /// The same, decided inside the writer, where nothing can be stale: for decisions that lost three times.
  /// `body` must be quick.
  virtual void transact(DecideBody body, UniqueFunction<void(Result<Committed>)> done) = 0;
  /// Whether a transaction whose answer was `commit_unknown` happened.
  virtual void committed(TxnId id, UniqueFunction<void(Result<bool>)> done) = 0;
  [[nodiscard]] virtual StoreStats stats() const = 0;
};

}  // namespace deprov::port
