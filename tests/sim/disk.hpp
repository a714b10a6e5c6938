// The store that outlives engines: a memory store behind the port, with latencies, faults and a crash model. What
// was committed survives; what an engine was told of it, or was about to be told, dies with the engine.
#pragma once

#include <cstdint>
#include <deprov/port/store.hpp>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/virtual_executor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include "sim/rng.hpp"

namespace deprov::test::sim {

/// In permille of the commits.
struct DiskTrouble {
  std::uint32_t refused = 0;  ///< `io`, `storage_full` or `busy`: nothing was changed
  std::uint32_t applied = 0;  ///< `commit_unknown`, and it happened
  std::uint32_t lost = 0;     ///< `commit_unknown`, and it did not
  std::uint32_t unread = 0;   ///< of the views: `io`
};
[[nodiscard]] DiskTrouble disk_trouble(std::uint32_t kind);

/// Mistakes that a store could have, for the planted faults.
enum class StoreFault : std::uint8_t {
  none,
  no_grants_fence,    ///< what a decision read of a subject is not compared at commit
  no_intent_fence,    ///< a step is sent for an intent that is not the newest any more
  no_hold_fence,      ///< the same for the hold that opened meanwhile
  sent_not_recorded,  ///< the record that a request leaves gets lost
  sent_not_durable,   ///< it is answered before it is stored
  answers_early,      ///< now and then a commit is answered and never happens
  lookup_says_yes,    ///< `committed` says yes whatever happened
  guard_not_counted,  ///< nothing is reserved
  due_lost,           ///< evaluations that settle are not stored
  work_lost,          ///< what a request leaves to be done in pieces is not stored
  job_lost,           ///< jobs that end access are not stored
  stop_lost,          ///< the kill switch is not stored
  no_standing_fence,  ///< what another engine was told is not compared when a step is sent
  record_edited,      ///< an activity record is not what was written
};

[[nodiscard]] bool is_sent(const port::op::AppendActivity& a) noexcept;

/// Told on the one thread; readers show the store right before and right after.
class CommitWatch {
 public:
  virtual ~CommitWatch() = default;
  virtual void before(const port::Transaction& txn, port::Reader& reader) = 0;
  virtual void after(const port::Transaction& txn, port::Reader& reader) = 0;
};

class Disk {
 public:
  Disk(const port::Crypto& crypto, CommitWatch& watch, std::uint64_t seed);

  DiskTrouble trouble;
  StoreFault fault = StoreFault::none;
  Rng rng;
  std::uint64_t conflicts = 0;  ///< commits that came too late: what they were decided on had changed
  std::uint64_t refused = 0;    ///< by the guard, inside the commit

  /// Reads at once, without trouble: for oracles.
  void read(const std::function<void(port::Reader&)>& body);
  Result<void> view(port::ViewBody& body);
  Result<port::Committed> commit(port::Transaction txn);
  Result<port::Committed> transact(port::DecideBody& body);
  Result<bool> committed(TxnId id);
  [[nodiscard]] port::StoreStats stats() const { return inner_->stats(); }

  /// What one engine sees of it. `executor` is the engine's.
  [[nodiscard]] std::unique_ptr<port::Store> open(runtime::VirtualExecutor& executor,
                                                  runtime::VirtualClock& clock);

 private:
  std::optional<Error> refusal();
  /// True: it is answered, and nothing of it is stored.
  bool spoil(port::Transaction& txn);
  Result<port::Committed> store(port::Transaction txn);

  CommitWatch& watch_;
  std::unique_ptr<port::Store> inner_;
};

}  // namespace deprov::test::sim
