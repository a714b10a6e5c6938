// The ordered maps of the memory store, and how a failed transaction is undone.
#pragma once

#include <deprov/port/activity_chain.hpp>
#include <deprov/port/store.hpp>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace deprov::store {

using port::Scope;

struct MemoryState {
  template <class... K>
  using Key = std::tuple<K...>;
  struct Nothing {};
  template <class... K>
  using Index = std::map<Key<K...>, Nothing>;

  std::map<WorkspaceId, port::WorkspaceRow> workspaces;
  std::map<Key<WorkspaceId, PrincipalId>, port::PrincipalRow> principals;
  std::map<port::Sha256, Key<WorkspaceId, PrincipalId>> principal_by_token;
  std::map<Scope, port::IntegrationRow> integrations;
  std::map<port::Sha256, port::GatewayTokenRow> tokens;

  std::map<Key<Scope, ResourceId>, port::ResourceRow> resources;
  Index<Scope, std::string, ResourceId> by_type;                            // live
  Index<Scope, std::string, WallTime, ResourceId> by_modified;              // live
  std::map<Key<Scope, std::string>, std::uint64_t> resource_counts;         // live
  std::map<Key<Scope, std::string, std::string>, ResourceId> by_user_name;  // live; scope, type, key
  Index<Scope, std::string, ResourceId> by_external_id;                     // tombstones too
  Index<Scope, std::string, ResourceId> by_gone_name;                       // tombstones; their user names
  Index<Scope, std::string, ResourceId> by_display_name;                    // live
  Index<Scope, std::string, ResourceId> by_email;                           // live

  std::map<Key<Scope, std::string>, ResourceId> claims;  // key -> owner

  struct Member {
    bool is_group = false;
    std::string display{};
  };
  std::map<Key<Scope, ResourceId, ResourceId>, Member> members;  // group, member
  Index<Scope, ResourceId, ResourceId> member_of;                // member, group
  std::map<Key<Scope, ResourceId>, std::uint64_t> group_sizes;

  std::map<Key<Scope, ResourceId>, port::SubjectRow> subjects;
  std::map<Key<Scope, ResourceId>, port::BindingRow> bindings;
  Index<Scope, std::string, ResourceId> by_account;  // bound
  std::map<Key<Scope, ResourceId, ChangeId>, port::ChangeRow> changes;

  std::map<Key<Scope, JobId>, port::JobRow> jobs;  // unfinished
  std::map<Key<Scope, JobId>, port::JobRow> finished_jobs;
  Index<Scope, ResourceId, JobId> jobs_of;
  Index<Scope, port::JobState, std::uint8_t, WallTime, JobId> job_queue;  // unfinished
  std::map<Key<Scope, port::JobState>, std::uint64_t> job_counts;

  std::map<Scope, port::LaneRow> lanes;
  std::map<Key<Scope, ResourceId, std::string>, port::DueRow> dues;
  Index<Scope, WallTime, ResourceId, std::string> due_order;
  std::map<Key<Scope, WorkId>, port::WorkRow> works;
  Index<Scope, ResourceId, WorkId> works_of;  // group

  std::map<Scope, std::vector<port::ActivityRow>> chains;
  std::map<Key<Scope, std::string, std::int64_t>, std::uint64_t> counters;  // minute -> amount
  std::map<Key<Scope, std::int64_t>, std::int64_t> population;              // minute -> delta

  std::map<Key<Scope, HoldId>, port::HoldRow> holds;
  std::map<Scope, HoldId> open_holds;
  std::map<Key<Scope, HoldId, std::uint64_t>, port::HoldItemRow> hold_items;
  Index<Scope, ResourceId, HoldId, std::uint64_t> hold_items_of;

  std::map<Key<Scope, std::string>, port::ChoreRow> chores;
  std::map<Key<Scope, WorkId, std::uint64_t>, port::FindingRow> findings;

  std::map<Key<WorkspaceId, WebhookId>, port::WebhookRow> webhooks;
  std::map<Key<WorkspaceId, WebhookId, IntegrationId>, std::uint64_t> webhook_cursors;
  std::map<Key<WorkspaceId, WebhookId, DeliveryId>, port::DeliveryRow> deliveries;

  std::map<Key<Scope, SourceId>, port::SourceRow> sources;
  std::map<Key<Scope, SourceId, port::SourcePart, std::uint32_t, std::uint64_t>, std::string> source_pieces;
  std::map<Key<Scope, ResourceId, SourceId>, port::GrantRow> grants;

  std::map<Key<Scope, std::string>, std::string> checkpoints;
};

/// Changes maps, and takes the changes back in reverse order.
class Undo {
 public:
  template <class Map, class K, class V>
  void put(Map& map, K key, V value) {
    auto it = map.find(key);
    if (it == map.end()) {
      map.emplace(key, std::move(value));
      steps_.emplace_back([&map, key = std::move(key)] { map.erase(key); });
    } else {
      steps_.emplace_back(
          [&map, key = std::move(key), old = std::move(it->second)]() mutable { map[key] = std::move(old); });
      it->second = std::move(value);
    }
  }
  template <class Map, class K>
  void erase(Map& map, const K& key) {
    auto it = map.find(key);
    if (it == map.end()) return;
    steps_.emplace_back(
        [&map, key = it->first, old = std::move(it->second)]() mutable { map.emplace(key, std::move(old)); });
    map.erase(it);
  }
  /// Counters at zero have no row.
  template <class Map, class K>
  void add(Map& map, const K& key, std::int64_t delta) {
    const auto it = map.find(key);
    const auto now = static_cast<std::int64_t>(it == map.end() ? 0 : it->second) + delta;
    if (now == 0) {
      erase(map, key);
    } else {
      put(map, key, static_cast<std::uint64_t>(now));
    }
  }
  template <class Vector, class V>
  void append(Vector& vector, V value) {
    vector.push_back(std::move(value));
    steps_.emplace_back([&vector] { vector.pop_back(); });
  }
  /// Changes an element; `change` must not alter the vector's size.
  template <class Vector, class F>
  void edit(Vector& vector, std::size_t at, F&& change) {
    steps_.emplace_back([&vector, at, old = vector[at]]() mutable { vector[at] = std::move(old); });
    change(vector[at]);
  }
  void roll_back() {
    for (auto it = steps_.rbegin(); it != steps_.rend(); ++it) (*it)();
    steps_.clear();
  }

 private:
  std::vector<port::Task> steps_;
};

/// Where a list that runs backwards begins.
constexpr Uuid last_uuid() noexcept {
  Uuid u;
  for (auto& b : u.bytes) b = 0xFF;
  return u;
}

/// Calls `f(key, value)` from `start` on, in order, until it answers false.
template <class Map, class F>
void each_from(const Map& map, const typename Map::key_type& start, F&& f) {
  for (auto it = map.lower_bound(start); it != map.end(); ++it)
    if (!f(it->first, it->second)) return;
}

/// The same backwards, from the last one before `end` on.
template <class Map, class F>
void each_before(const Map& map, const typename Map::key_type& end, F&& f) {
  for (auto it = map.lower_bound(end); it != map.begin();) {
    --it;
    if (!f(it->first, it->second)) return;
  }
}

// memory_tenants.cpp
Result<std::vector<port::PrincipalRow>> principals_of(const MemoryState& s, WorkspaceId workspace);
/// In the order in which they were made; `deleted`: these as well.
Result<std::vector<port::IntegrationRow>> integrations_of(const MemoryState& s,
                                                          std::optional<WorkspaceId> workspace, bool deleted);

// memory_webhooks.cpp
Result<void> apply_to(MemoryState& s, Undo& undo, const port::op::PutWebhook& o);
Result<void> apply_to(MemoryState& s, Undo& undo, const port::op::RemoveWebhook& o);
Result<void> apply_to(MemoryState& s, Undo& undo, const port::op::MoveWebhookCursor& o);
Result<void> apply_to(MemoryState& s, Undo& undo, const port::op::PutDelivery& o);
Result<void> apply_to(MemoryState& s, Undo& undo, const port::op::PruneDeliveries& o);
Result<std::vector<port::WebhookRow>> webhooks_of(const MemoryState& s, std::optional<WorkspaceId> workspace);
Result<std::vector<port::WebhookCursorRow>> webhook_cursors_of(const MemoryState& s, WorkspaceId workspace,
                                                               WebhookId webhook);
Result<port::Page<port::DeliveryRow>> deliveries_of(const MemoryState& s, WorkspaceId workspace, WebhookId webhook,
                                                    std::optional<port::DeliveryState> state,
                                                    std::optional<DeliveryId> before, std::size_t limit);

// memory_sources.cpp
Result<void> apply_to(MemoryState& s, Undo& undo, const port::op::PutSource& o);
Result<void> apply_to(MemoryState& s, Undo& undo, const port::op::RemoveSource& o);
Result<void> apply_to(MemoryState& s, Undo& undo, const port::op::PutSourcePiece& o);
/// Answers how many it removed.
std::uint64_t prune_pieces(MemoryState& s, Undo& undo, const port::op::PruneSourcePieces& o);
Result<void> apply_to(MemoryState& s, Undo& undo, const port::op::PutGrant& o);
Result<void> apply_to(MemoryState& s, Undo& undo, const port::op::RemoveGrants& o);
Result<std::vector<port::SourceRow>> sources_of(const MemoryState& s, const Scope& scope);
Result<port::Page<port::SourcePieceRow>> source_pieces_of(const MemoryState& s, const port::SourcePieces& which,
                                                          std::uint32_t from, std::size_t limit);
Result<std::vector<port::GrantRow>> grants_of(const MemoryState& s, const Scope& scope, ResourceId subject);
Result<port::Page<ResourceId>> subjects_to_reread_of(const MemoryState& s, const port::Scope& scope,
                                                     SourceId source, std::optional<ResourceId> after,
                                                     std::size_t limit);
Result<port::Page<ResourceId>> subjects_with_grants_of(const MemoryState& s, const Scope& scope,
                                                       std::optional<ResourceId> after, std::size_t limit);

// memory_checkpoints.cpp
Result<void> apply_to(MemoryState& s, Undo& undo, const port::op::PutCheckpoint& o);
Result<void> apply_to(MemoryState& s, Undo& undo, const port::op::RemoveCheckpoints& o);

/// Applies a whole transaction or nothing of it.
[[nodiscard]] Result<port::Committed> apply_transaction(MemoryState& state, const port::Crypto& crypto,
                                                        const port::Transaction& txn);

/// A Reader of what `state` is now; it must not outlive the lock under which it was made.
[[nodiscard]] std::unique_ptr<port::Reader> make_memory_reader(const MemoryState& state);

}  // namespace deprov::store
