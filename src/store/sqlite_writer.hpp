// Applies transactions to SQLite: what each op does, on the one connection that writes.
#pragma once

#include <deprov/port/activity_chain.hpp>
#include <deprov/port/store.hpp>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>
#include "sqlite_db.hpp"
#include "sqlite_reader.hpp"

namespace deprov::store {

/// Works inside a database transaction that its caller begins and ends.
///
/// A transaction that is refused must leave nothing. Most are refused before their first write; for the rest
/// there are two ways: `apply` in the quick mode answers `late` and the caller rolls the whole batch back and
/// does it again in the careful mode, where each transaction has a savepoint. Savepoints cost a copy of each
/// page, and late refusals are rare.
/// *Thread safety*: one thread at a time.
class SqliteWriter {
 public:
  SqliteWriter(Connection& connection, const port::Crypto& crypto)
      : c_(connection), crypto_(crypto), scopes_(connection) {}

  struct Applied {
    Result<port::Committed> result;
    bool late = false;  ///< refused after it had written: only a roll-back helps
  };
  /// Where the connection has `failed()` afterwards the whole batch has to be rolled back.
  [[nodiscard]] Applied apply(const port::Transaction& txn, bool careful);
  /// What reads inside the writer see: everything applied so far.
  [[nodiscard]] Result<std::unique_ptr<port::Reader>> reader();
  /// Writes the counters that the batch changed; before COMMIT.
  [[nodiscard]] Result<void> flush();
  /// After a roll-back of everything since the last COMMIT.
  void forget();

 private:
  template <class K>
  using Deltas = std::vector<std::pair<K, std::int64_t>>;
  using GroupKey = std::pair<std::int64_t, ResourceId>;
  using TypeKey = std::pair<std::int64_t, std::string>;
  using StateKey = std::pair<std::int64_t, port::JobState>;
  using MinuteKey = std::pair<std::int64_t, std::int64_t>;
  using CounterName = std::pair<std::int64_t, std::string>;
  using CounterKey = std::pair<CounterName, std::int64_t>;
  /// What is reserved: the table, and what the batch has not written yet.
  struct Window {
    std::map<std::int64_t, std::uint64_t> minutes;
    std::int64_t minute = 0;  ///< for which the sums are
    std::uint64_t hour = 0;
    std::uint64_t day = 0;
    bool summed = false;
  };
  struct Guard {
    const port::op::PutSubject* op;
    std::uint64_t expected;
  };

  Result<void> check(const port::Transaction& txn, bool all);
  Result<void> check_lane(const port::ReadSet::LaneEpoch& r);
  Result<void> check_integration(const port::ReadSet::IntegrationVersion& r);
  Result<void> check_resource(const port::ReadSet::ResourceVersion& r);
  Result<void> check_subject(const port::ReadSet::SubjectVersion& r);
  Result<void> check_hold(const port::ReadSet::OpenHold& r);
  Result<void> check_intent(const port::ReadSet::IntentGeneration& r);
  /// Whether an op of the transaction makes the same comparison anyway.
  [[nodiscard]] static bool covered(const port::Transaction& txn, const port::ReadSet::ResourceVersion& r);
  [[nodiscard]] bool cover(const port::Transaction& txn, const port::ReadSet::SubjectVersion& r);
  Result<void> apply_ops(const port::Transaction& txn);

  Result<void> apply(const port::op::PutWorkspace& o);
  Result<void> apply(const port::op::PutPrincipal& o);
  Result<void> apply(const port::op::RemovePrincipal& o);
  Result<void> apply(const port::op::PutIntegration& o);
  Result<void> apply(const port::op::PutGatewayToken& o);
  Result<void> apply(const port::op::ExpireGatewayTokens& o);
  Result<void> apply(const port::op::PutResource& o);
  Result<void> apply(const port::op::TouchResource& o);
  Result<void> apply(const port::op::ClaimKey& o);
  Result<void> apply(const port::op::ReleaseKey& o);
  Result<void> apply(const port::op::AddMember& o);
  Result<void> apply(const port::op::RemoveMember& o);
  Result<void> apply(const port::op::NameMember& o);
  Result<void> apply(const port::op::PutSubject& o);
  Result<void> apply(const port::op::PutBinding& o);
  Result<void> apply(const port::op::AppendChange& o);
  Result<void> apply(const port::op::PutJob& o);
  Result<void> apply(const port::op::PutLane& o);
  Result<void> apply(const port::op::PutDue& o);
  Result<void> apply(const port::op::RemoveDue& o);
  Result<void> apply(const port::op::PutWork& o);
  Result<void> apply(const port::op::AdvanceWork& o);
  Result<void> apply(const port::op::RemoveWork& o);
  Result<void> apply(const port::op::AppendActivity& o);
  Result<void> apply(const port::op::Reserve& o);
  Result<void> apply(const port::op::Unreserve& o);
  Result<void> apply(const port::op::Population& o);
  Result<void> apply(const port::op::OpenHold& o);
  Result<void> apply(const port::op::PutHoldItem& o);
  Result<void> apply(const port::op::DeleteDetails& o);
  Result<void> apply(const port::op::PutChore& o);
  Result<void> apply(const port::op::PutFinding& o);
  Result<void> apply(const port::op::RemoveFindings& o);
  Result<void> apply(const port::op::PutWebhook& o);
  Result<void> apply(const port::op::RemoveWebhook& o);
  Result<void> apply(const port::op::MoveWebhookCursor& o);
  Result<void> apply(const port::op::PutDelivery& o);
  Result<void> apply(const port::op::PruneDeliveries& o);
  Result<void> apply(const port::op::PutSource& o);
  Result<void> apply(const port::op::RemoveSource& o);
  Result<void> apply(const port::op::PutSourcePiece& o);
  Result<void> apply(const port::op::PruneSourcePieces& o);
  Result<void> apply(const port::op::PutGrant& o);
  Result<void> apply(const port::op::RemoveGrants& o);

  // sqlite_ops_checkpoints.cpp
  Result<void> apply(const port::op::PutCheckpoint& o);
  Result<void> apply(const port::op::RemoveCheckpoints& o);

  /// Its number; a scope that is new gets one, which is a write.
  Result<std::int64_t> scope_for_writing(const port::Scope& scope);
  Result<void> insert_resource(std::int64_t scope, const port::ResourceRow& row);
  Result<void> rewrite_resource(std::int64_t scope, const port::op::PutResource& o);
  Result<void> member_changed(std::int64_t scope, ResourceId group, ResourceId member, bool changed, int delta);
  Result<void> insert_job(std::int64_t scope, const port::JobRow& row, std::uint64_t version);
  Result<port::ChainHead*> chain(std::int64_t scope);
  Result<Window*> window(std::int64_t scope, const std::string& counter);
  /// Adds to one minute of a window; negative takes back.
  void count(Window& window, const CounterName& name, std::int64_t minute, std::int64_t n);
  Result<const std::optional<port::HoldRow>*> open_hold(const port::Scope& scope, std::int64_t number);
  Result<void> flush_guard();
  Result<void> sweep_counters(std::int64_t scope, std::int64_t minute);
  /// Of what the transaction at hand did to the guard's memory nothing is kept.
  void forget_guard();

  /// Runs a write that no constraint refuses.
  template <class... Params>
  Result<std::int64_t> write(Q query, const Params&... params) {
    Use use(c_, query, params...);
    wrote_ = true;
    DEPROV_CHECK(use.write());
    return use.changed();
  }

  Connection& c_;
  const port::Crypto& crypto_;
  Scopes scopes_;
  // Of the transaction at hand.
  port::Committed out_;
  bool wrote_ = false;
  std::vector<Guard> guards_;
  Deltas<StateKey> txn_jobs_;
  Deltas<TypeKey> txn_resources_;
  Deltas<GroupKey> txn_groups_;
  Deltas<CounterKey> txn_counters_;
  Deltas<MinuteKey> txn_population_;
  // Of the batch.
  std::map<StateKey, std::int64_t> jobs_;
  std::map<TypeKey, std::int64_t> resources_;
  std::map<GroupKey, std::int64_t> groups_;
  std::map<CounterKey, std::int64_t> counters_;
  std::map<MinuteKey, std::int64_t> population_;
  // What this connection alone changes, so that it need not be read again.
  std::map<std::int64_t, port::ChainHead> chains_;
  std::map<std::int64_t, std::uint64_t> integrations_;
  std::map<std::int64_t, std::uint64_t> lanes_;
  std::map<CounterName, Window> windows_;
  std::map<CounterName, std::int64_t> pruned_;   ///< up to which minute the table has no older ones
  std::map<std::int64_t, std::int64_t> swept_;   ///< in which minute all counters of a scope are pruned next
  std::map<std::int64_t, std::int64_t> folded_;  ///< the same of `population`
  std::map<std::int64_t, std::optional<port::HoldRow>> open_holds_;
};

}  // namespace deprov::store
