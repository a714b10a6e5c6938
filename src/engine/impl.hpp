// What the parts of the engine share.
#pragma once

#include <atomic>
#include <deprov/engine/engine.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>
#include "engine/directory.hpp"

namespace deprov::jobs {
class Lane;
}

namespace deprov::engine {

class BackgroundHost;
class Chores;
class Courier;
class EventReceivers;
class Expander;
class Objectives;
class Reconciliation;
class SourcePolls;
class SourceSync;

/// State touched on the executor only, except where it says otherwise.
struct Engine::Impl : std::enable_shared_from_this<Engine::Impl> {
  Impl(Ports p, Options o);
  ~Impl();

  Ports ports;
  Options options;
  Directory directory;  ///< any thread

  // ---- deciding and committing (engine/decide.cpp). Any thread; `done` comes on the executor.
  /// View, decide, commit; again when something came between, the fourth time inside the writer.
  /// An empty transaction (no ops) is not committed and answers an empty Committed.
  using Decide = std::function<Result<port::Transaction>(port::Reader&)>;
  /// `in_turn`: inside the writer at once, behind whatever was handed in before it.
  void decide(Decide body, Done<port::Committed> done, bool in_turn = false);
  /// Reads the row of an integration again and makes its context current; then `done`.
  void refresh(port::Scope scope, Done<void> done);
  /// Tells followers of these chains.
  void notify(const port::Scope& scope);

  // ---- connectors (engine/connections.cpp). On the executor.
  /// Opens a connection with the secrets of the row; not kept.
  [[nodiscard]] Result<std::unique_ptr<connector::Connector>> open_connector(const port::IntegrationRow& row);
  /// Splits secrets (by the kind's secret_paths) out of a config and seals them into row.secrets. `config` in
  /// clear must have passed the kind's schema.
  [[nodiscard]] Result<void> seal_config(port::IntegrationRow& row, const json::object& config);
  /// Seals one text under the master key, bound to `context`, as JSON with the key's id; and opens it again.
  /// Errors: `store_corrupt`, naming `where`.
  [[nodiscard]] Result<std::string> seal_text(std::string_view context, std::string_view plain);
  [[nodiscard]] Result<std::string> unseal_text(std::string_view context, std::string_view sealed,
                                                const std::string& where);
  /// config and secrets together, in clear.
  [[nodiscard]] Result<json::object> unseal_config(const port::IntegrationRow& row);
  /// The master key, or the former one, that has this id; null: neither was given.
  [[nodiscard]] const std::string* key_of(std::string_view id) const;
  /// Seals under the master key what a former one sealed, in one transaction.
  void reseal(Done<void> done);
  /// The rest of the start (engine/engine.cpp).
  void load(Done<void> done);

  // ---- lanes and background work (engine/background.cpp). On the executor.
  /// Starts or restarts lane and expander of an integration to fit its present context.
  void attach(const Context& context);
  void detach(const port::Scope& scope, port::UniqueFunction<void()> done);
  /// Says so, and tries again later.
  void connection_failed(const port::Scope& scope, const std::string& why);
  /// New jobs, dues or work may be there.
  void poke(const port::Scope& scope);
  struct Background {
    std::shared_ptr<jobs::Lane> lane;
    std::shared_ptr<Expander> expander;
    std::string fingerprint;  ///< of what the lane was made of
    std::string failed;       ///< why no connection could be opened the last time; empty: it could
    /// While the former lane finishes its calls; whoever takes the integration away leaves here what comes then.
    struct Replacing {
      port::UniqueFunction<void()> instead;
    };
    std::shared_ptr<Replacing> replacing;
  };
  /// Workspaces under the kill switch, with what was said of it.
  std::map<WorkspaceId, std::string> stopped_workspaces;
  /// Stops that are being stored, or of which nobody can say yet whether they were: one entry each.
  std::unordered_multiset<Uuid> stopping;
  std::multiset<WorkspaceId> stopping_workspaces;
  std::map<WorkspaceId, std::uint64_t> stop_looks;  ///< the newest look at the store that was begun
  std::unordered_set<Uuid> looks_due;               ///< looked at again, with nobody waiting
  [[nodiscard]] bool stands_still(const IntegrationContext& context) const;
  /// Lanes of the workspace as the present state wants them.
  void settle_lanes(WorkspaceId workspace);

  // ---- what the store says where memory may not know it (engine/elsewhere.cpp). On the executor.
  /// Reads whether the workspace is stopped, until it can be read; then lanes are as it says, and `then`.
  void look_for_stop(WorkspaceId workspace, port::UniqueFunction<void()> then = {});
  /// Reads the integration, until it can be read; then its lane is as it says, and `then`.
  void look_again(port::Scope scope, port::UniqueFunction<void()> then = {});
  /// From time to time, where other engines write to the store: integrations, tokens and stops that they made.
  void watch_others();
  std::unique_ptr<BackgroundHost> host;             ///< before the lanes, which refer to it
  std::unordered_map<Uuid, Background> background;  ///< by integration

  // ---- recurring duties (engine/chores.cpp), and what of them runs now. On the executor.
  std::shared_ptr<Chores> chores;
  std::shared_ptr<Objectives> objectives;
  std::shared_ptr<Courier> courier;
  std::unordered_map<Uuid, std::shared_ptr<Reconciliation>> reconciliations;  ///< by integration
  std::unordered_map<Uuid, std::shared_ptr<SourceSync>> syncs;  ///< lists that are being read, by their ids
  bool looks_at_syncs = false;                                  ///< a timer gives up the idle ones
  std::shared_ptr<SourcePolls> polls;                           ///< behind `syncs`, which its end empties
  std::shared_ptr<EventReceivers> events;
  /// Something about these subjects (none: it is not known which) may have changed: whoever can read them from
  /// their IdP does. Empty: nobody can.
  std::function<void(const port::Scope&, const std::vector<ResourceId>&)> on_hint;

  // ---- helpers for whoever writes transactions
  [[nodiscard]] WallTime now() const { return ports.clock.wall(); }
  template <class IdType>
  [[nodiscard]] IdType new_id() {
    return ports.random.id<IdType>(ports.clock.wall());
  }
  [[nodiscard]] port::op::AppendActivity activity(const port::Scope& scope, std::string event, std::string actor,
                                                  const json::object& detail, ResourceId subject = {},
                                                  JobId job = {});

  // ---- rules of dialects that reads have needed, and that stand on the activity
  std::mutex noted_mutex;
  std::unordered_map<Uuid, std::set<std::string>> noted;  ///< by integration

  // ---- followers
  struct Follower {
    std::uint64_t id = 0;
    std::shared_ptr<port::UniqueFunction<void(const port::Scope&)>> call;
  };
  std::mutex followers_mutex;
  std::vector<Follower> followers;
  std::uint64_t next_follower = 1;

  // ---- counters
  std::mutex metrics_mutex;
  Metrics counters;
  std::size_t in_flight = 0;  ///< requests being applied (guarded by metrics_mutex)
  bool started = false;
  std::atomic<bool> closing = false;
};

/// Where the settings of an integration want its connector to run.
[[nodiscard]] port::Placement placement_of(const json::object& settings);

}  // namespace deprov::engine
