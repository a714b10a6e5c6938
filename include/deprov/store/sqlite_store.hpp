// The embedded, durable store: SQLite in one data directory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deprov/port/executor.hpp>
#include <deprov/port/store.hpp>
#include <memory>
#include <string>

namespace deprov::store {

struct SqliteStoreOptions {
  /// The data directory; made (0700) where it is absent. Files in it are 0600.
  std::string directory;
  /// False: a directory without a store answers `not_found` instead of getting one.
  bool create = true;
  /// Threads that run views, each on a read-only connection of its own. 0: a view runs inside the call.
  std::size_t readers = 2;
  /// Given: the store has no thread; batches are tasks of this executor, which then waits for the disk, and
  /// views run inside the call. It must outlive the store.
  port::Executor* executor = nullptr;

  // Back-pressure: beyond any of these the answer is `busy`, at once.
  std::size_t queue_transactions = 4096;
  std::size_t queue_bytes = std::size_t{64} << 20U;
  std::size_t queue_views = 4096;

  /// Transactions that share one durable commit at most.
  std::size_t batch_transactions = 256;
  std::size_t batch_bytes = std::size_t{8} << 20U;
  /// How long to wait where another program has locked the database file, in milliseconds.
  int busy_timeout_ms = 5000;
  /// The write-ahead log is moved into the database beyond this many pages of 4 KiB.
  std::size_t checkpoint_pages = 8192;
  /// Group commits whose transaction ids `committed` remembers.
  std::size_t remembered_batches = 4096;
  /// Page cache of the writer and of each reader, in KiB; used as far as needed.
  std::size_t writer_cache_kib = 32768;
  std::size_t reader_cache_kib = 32768;
  /// Limit of the database's size in pages; 0: none. Beyond it commits answer `storage_full`.
  std::size_t max_pages = 0;
};

/// The version of the schema that this program writes.
[[nodiscard]] int sqlite_store_version() noexcept;

/// Opens or makes the store, and brings an older one up to date. One process at a time has a directory.
/// A commit that answered is on the disk (WAL, synchronous=FULL). Destroying the store carries out what was
/// accepted, and calls every completion. `crypto` must outlive it.
///
/// Errors: `store_locked` (names the process), `store_version` (written by a newer program),
/// `store_corrupt`, `storage_full`, `io`, `not_found`, `invalid_argument`.
/// *Thread safety*: as port::Store.
[[nodiscard]] Result<std::unique_ptr<port::Store>> open_sqlite_store(const port::Crypto& crypto,
                                                                     const SqliteStoreOptions& options);

}  // namespace deprov::store
