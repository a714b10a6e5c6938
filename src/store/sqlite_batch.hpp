// Group commit: many transactions, one durable commit.
#pragma once

#include <deprov/port/store.hpp>
#include <deprov/store/sqlite_store.hpp>
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>
#include "sqlite_db.hpp"
#include "sqlite_writer.hpp"

namespace deprov::store {

/// What waits for the writer, and what became of it.
class WriteItem {
 public:
  using Done = port::UniqueFunction<void(Result<port::Committed>)>;
  using DoneLookup = port::UniqueFunction<void(Result<bool>)>;
  WriteItem(port::Transaction t, Done d) : txn(std::move(t)), done(std::move(d)) {}
  WriteItem(port::DecideBody b, Done d) : body(std::move(b)), done(std::move(d)) {}
  WriteItem(TxnId id, DoneLookup d) : lookup(id), done_lookup(std::move(d)) {}

  /// What it takes in the queue.
  [[nodiscard]] std::size_t bytes() const noexcept;
  void finish();
  void fail(Error error);

  std::optional<port::Transaction> txn;
  port::DecideBody body;  ///< decides `txn`, once
  std::optional<TxnId> lookup;
  std::size_t queued_bytes = 0;
  std::optional<Result<port::Committed>> result;
  std::optional<Result<bool>> found;

 private:
  Done done;
  DoneLookup done_lookup;
};

/// *Thread safety*: one thread at a time.
class BatchWriter {
 public:
  BatchWriter(std::unique_ptr<Connection> connection, const port::Crypto& crypto,
              const SqliteStoreOptions& options);
  BatchWriter(const BatchWriter&) = delete;
  BatchWriter& operator=(const BatchWriter&) = delete;
  ~BatchWriter();

  /// Gives each item its result; those that have a value are on the disk.
  void run(std::span<WriteItem> batch);
  /// Keeps the write-ahead log bounded.
  void checkpoint();
  void close();
  [[nodiscard]] port::StoreStats stats() const;

 private:
  enum class Outcome { done, again_with_savepoints };
  Outcome attempt(std::span<WriteItem> batch, bool careful);
  Result<void> apply(WriteItem& item, bool careful, bool& late);
  Result<void> record(std::span<WriteItem> batch);
  Result<bool> look_up(TxnId id);
  Result<void> settle();
  void roll_back();
  void fail_batch(std::span<WriteItem> batch, const Error& error);
  void count_failure(const Error& error);

  std::unique_ptr<Connection> c_;
  std::unique_ptr<SqliteWriter> writer_;
  std::size_t checkpoint_pages_;
  std::size_t remembered_batches_;
  std::uint64_t wal_pages_ = 0;  ///< in the log
  std::uint64_t wal_moved_ = 0;  ///< of these, how many the database has
  std::uint64_t wal_tried_ = 0;  ///< how many there were when a checkpoint could not end
  bool unsettled_ = false;       ///< a COMMIT failed, and its frames may still be in the log
  port::StoreStats stats_;
};

}  // namespace deprov::store
