// A store that lives in memory: for the simulator, for tests, and for trying things out.
#pragma once

#include <cstdint>
#include <deprov/port/executor.hpp>
#include <deprov/port/store.hpp>
#include <functional>
#include <memory>
#include <optional>

namespace deprov::store {

/// What a fault does to a commit.
struct CommitFault {
  Error error;           ///< what the caller is told
  bool applied = false;  ///< true: the commit happens all the same (`commit_unknown`, an answer that was lost)
};

struct MemoryStoreOptions {
  /// Given: a commit is applied in a task of this executor, in the order of the calls, and every completion but
  /// that of a glance is a task of its own, so that others come in between. Nothing: everything happens inside the
  /// call.
  port::Executor* executor = nullptr;
  /// Asked before each commit and transact; called serially.
  std::function<std::optional<CommitFault>(const port::Transaction&)> fault;
  /// How many transaction ids `committed` remembers.
  std::size_t remembered_transactions = 65536;
};

/// Serial, ordered, and equal to the SQLite store in every answer (a differential test says so). Nothing of
/// it survives the process. `crypto` and the executor must outlive the store; what was posted to the
/// executor and not yet run when the store is destroyed answers `closed`.
/// *Thread safety*: as port::Store.
[[nodiscard]] std::unique_ptr<port::Store> make_memory_store(const port::Crypto& crypto,
                                                             MemoryStoreOptions options = {});

}  // namespace deprov::store
