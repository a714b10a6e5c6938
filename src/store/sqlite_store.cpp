// Queues in front of the one writer and of the readers.
#include <sqlite3.h>
#include <algorithm>
#include <atomic>
#include <deprov/runtime/worker_pool.hpp>
#include <deprov/store/sqlite_store.hpp>
#include <deque>
#include <mutex>
#include "data_dir.hpp"
#include "problems.hpp"
#include "sqlite_batch.hpp"
#include "sqlite_reader.hpp"
#include "sqlite_schema.hpp"

namespace deprov::store {
namespace {

using namespace port;

struct View {
  ViewBody body;
  UniqueFunction<void(Result<void>)> done;
};

/// A read-only connection with what it remembers. Its snapshot stays open for the next view as long as nothing was
/// committed since: to begin and to end one costs as much as a short read.
struct ReadSide {
  explicit ReadSide(std::unique_ptr<Connection> c) : connection(std::move(c)), scopes(*connection) {}
  void end() {
    auto& c = *connection;
    if (!c.in_transaction()) return;
    if (auto ended = c.run(Q::commit); !ended) sqlite3_exec(c.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
    c.clear_failure();
  }
  std::unique_ptr<Connection> connection;
  Scopes scopes;
  std::uint64_t at = 0;  ///< of which commit the snapshot is, or a later one
};

/// What the store and the tasks it posted share.
class Core {
 public:
  Core(const Crypto& crypto, const SqliteStoreOptions& options, DataDir dir, std::unique_ptr<Connection> writer)
      : options_(options), dir_(std::move(dir)), writer_(std::move(writer), crypto, options) {}

  void start(const std::shared_ptr<Core>& self) {
    self_ = self;
    if (options_.executor != nullptr) return;
    write_pool_ = std::make_unique<runtime::WorkerPool>(1, 1, "deprov-store");
    if (options_.readers > 0)
      read_pool_ = std::make_unique<runtime::WorkerPool>(options_.readers, options_.readers, "deprov-read");
  }

  void close() {
    {
      const std::lock_guard lock(mutex_);
      open_ = false;
    }
    if (read_pool_) read_pool_->stop();
    if (write_pool_) write_pool_->stop();
    while (write_batch()) {
    }
    const std::scoped_lock lock(write_mutex_, mutex_);
    idle_readers_.clear();
    writer_.close();
    dir_.reset();
  }

  void submit(WriteItem item) {
    const auto bytes = item.bytes();
    std::unique_lock lock(mutex_);
    if (!open_) {
      lock.unlock();
      return item.fail(store_closed());
    }
    if (queue_.size() >= options_.queue_transactions || queued_bytes_ + bytes > options_.queue_bytes) {
      const auto waiting = queue_.size();
      lock.unlock();
      return item.fail({Errc::busy,
                        "the queue of the store is full with " + std::to_string(waiting) + " transactions",
                        "store", "try again later"});
    }
    item.queued_bytes = bytes;
    queued_bytes_ += bytes;
    queue_.push_back(std::move(item));
    if (!std::exchange(writing_, true)) schedule_writer();
  }

  void view(View view) {
    if (!read_pool_) return run_views({&view, 1});
    std::unique_lock lock(mutex_);
    if (!open_) {
      lock.unlock();
      return view.done(store_closed());
    }
    if (views_.size() >= options_.queue_views) {
      lock.unlock();
      return view.done(Error(
          Errc::busy, "the queue of the store is full with " + std::to_string(options_.queue_views) + " views",
          "store", "try again later"));
    }
    views_.push_back(std::move(view));
    if (reading_ < options_.readers) {
      ++reading_;
      Task task = [this] { read_until_empty(); };
      if (!read_pool_->try_post(task)) --reading_;  // those that run go on until the queue is empty
    }
  }

  /// On the caller's thread, unless as many do that already as there are readers.
  void glance(View view) {
    if (!read_pool_) return run_views({&view, 1});
    {
      std::unique_lock lock(mutex_);
      if (!open_ || glances_ >= options_.readers) {
        lock.unlock();
        return this->view(std::move(view));
      }
      ++glances_;
    }
    run_views({&view, 1});
    const std::lock_guard lock(mutex_);
    --glances_;
  }

  [[nodiscard]] StoreStats stats() {
    const std::lock_guard lock(mutex_);
    auto stats = stats_;
    stats.queued = queue_.size();
    return stats;
  }

 private:
  void schedule_writer() {  // under the mutex
    if (write_pool_) {
      Task task = [this] {
        while (write_batch()) {
        }
      };
      if (!write_pool_->try_post(task)) std::terminate();  // one task at a time, in a queue for one
      return;
    }
    options_.executor->post([core = self_.lock()] {
      if (core && core->write_batch()) {
        const std::lock_guard lock(core->mutex_);
        core->schedule_writer();
      }
    });
  }

  /// One group commit. False: nothing is left to be done, and the next transaction schedules the writer.
  bool write_batch() {
    std::vector<WriteItem> batch;
    std::unique_lock writing(write_mutex_);
    {
      const std::lock_guard lock(mutex_);
      std::size_t bytes = 0;
      while (!queue_.empty() && batch.size() < options_.batch_transactions &&
             (batch.empty() || bytes + queue_.front().queued_bytes <= options_.batch_bytes)) {
        bytes += queue_.front().queued_bytes;
        batch.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
      if (batch.empty()) {
        writing_ = false;
        return false;
      }
      committing_ = true;
      end_snapshots();
    }
    writer_.run(batch);
    {
      const std::lock_guard lock(mutex_);
      ++committed_;
      committing_ = false;
      end_snapshots();
      for (const auto& item : batch) queued_bytes_ -= item.queued_bytes;
      stats_ = writer_.stats();
    }
    writing.unlock();
    for (auto& item : batch) item.finish();
    writing.lock();
    writer_.checkpoint();
    return true;
  }

  /// Of readers that nobody uses: they would keep the write-ahead log from being begun anew. Under the mutex.
  void end_snapshots() {
    for (const auto& side : idle_readers_) side->end();
  }

  void read_until_empty() {
    std::vector<View> batch;
    for (;;) {
      {
        const std::lock_guard lock(mutex_);
        // A share of the queue, so that the other readers have something to do.
        const auto share = std::max<std::size_t>(views_.size() / options_.readers, 1);
        while (!views_.empty() && batch.size() < std::min<std::size_t>(share, 16)) {
          batch.push_back(std::move(views_.front()));
          views_.pop_front();
        }
        if (batch.empty()) {
          --reading_;
          return;
        }
      }
      run_views(batch);
      batch.clear();
    }
  }

  /// All of them on one snapshot, which begins after each of them was asked for.
  void run_views(std::span<View> views) {
    auto side = take_reader();
    if (!side) {
      for (auto& v : views) v.done(side.error());
      return;
    }
    auto& c = *(*side)->connection;
    c.clear_failure();
    std::vector<Result<void>> results;
    results.reserve(views.size());
    const auto begun = c.in_transaction() ? Result<void>() : c.run(Q::begin);
    bool good = begun.has_value();
    const auto reader = make_sqlite_reader(c, (*side)->scopes);
    for (auto& v : views) {
      results.push_back(begun ? v.body(*reader) : begun);
      if (auto sound = c.check(); !sound) {
        good = false;
        if (results.back()) results.back() = sound;
      }
      c.clear_failure();
    }
    if (!good) (*side)->end();
    give_back(std::move(*side));
    for (std::size_t i = 0; i < views.size(); ++i) views[i].done(std::move(results[i]));
  }

  Result<std::unique_ptr<ReadSide>> take_reader() {
    std::string path;
    std::uint64_t at = 0;
    {
      const std::lock_guard lock(mutex_);
      if (!dir_) return store_closed();
      if (!idle_readers_.empty()) {
        auto side = std::move(idle_readers_.back());
        idle_readers_.pop_back();
        if (stale(*side)) side->end();
        side->at = committed_;
        return side;
      }
      path = dir_->database();
      at = committed_;
    }
    DEPROV_TRY(connection, Connection::open(path, {.read_only = true,
                                                   .cache_kib = options_.reader_cache_kib,
                                                   .busy_timeout_ms = options_.busy_timeout_ms}));
    auto side = std::make_unique<ReadSide>(std::move(connection));
    side->at = at;
    return side;
  }
  /// While a commit is under way another reader may see it already: whoever reads after that one has to see it,
  /// too.
  [[nodiscard]] bool stale(const ReadSide& side) const { return committing_ || side.at != committed_; }
  void give_back(std::unique_ptr<ReadSide> side) {
    const std::lock_guard lock(mutex_);
    if (stale(*side)) side->end();
    if (dir_ && idle_readers_.size() < std::max<std::size_t>(2 * options_.readers, 2))
      idle_readers_.push_back(std::move(side));
  }

  const SqliteStoreOptions options_;
  std::weak_ptr<Core> self_;
  std::mutex write_mutex_;  ///< before `mutex_`; who has it writes
  std::mutex mutex_;
  bool open_ = true;
  bool writing_ = false;
  std::deque<WriteItem> queue_;
  std::size_t queued_bytes_ = 0;
  std::deque<View> views_;
  std::size_t reading_ = 0;
  std::size_t glances_ = 0;
  std::uint64_t committed_ = 1;  ///< group commits so far, and one
  bool committing_ = false;
  std::vector<std::unique_ptr<ReadSide>> idle_readers_;
  StoreStats stats_;
  std::optional<DataDir> dir_;
  BatchWriter writer_;
  std::unique_ptr<runtime::WorkerPool> write_pool_;
  std::unique_ptr<runtime::WorkerPool> read_pool_;
};

class SqliteStore final : public Store {
 public:
  explicit SqliteStore(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;
  ~SqliteStore() override { core_->close(); }

  void view(ViewBody body, UniqueFunction<void(Result<void>)> done) override {
    core_->view({std::move(body), std::move(done)});
  }
  void glance(ViewBody body, UniqueFunction<void(Result<void>)> done) override {
    core_->glance({std::move(body), std::move(done)});
  }
  void commit(Transaction txn, UniqueFunction<void(Result<Committed>)> done) override {
    core_->submit(WriteItem(std::move(txn), std::move(done)));
  }
  void transact(DecideBody body, UniqueFunction<void(Result<Committed>)> done) override {
    core_->submit(WriteItem(std::move(body), std::move(done)));
  }
  void committed(TxnId id, UniqueFunction<void(Result<bool>)> done) override {
    core_->submit(WriteItem(id, std::move(done)));
  }
  [[nodiscard]] StoreStats stats() const override { return core_->stats(); }

 private:
  std::shared_ptr<Core> core_;
};

Result<std::unique_ptr<Connection>> open_writer(const std::string& path, const SqliteStoreOptions& options) {
  DEPROV_TRY(c, Connection::open(path, {.read_only = false,
                                        .cache_kib = options.writer_cache_kib,
                                        .busy_timeout_ms = options.busy_timeout_ms}));
  DEPROV_CHECK(c->execute("PRAGMA journal_mode=WAL"));
  DEPROV_CHECK(c->execute("PRAGMA synchronous=FULL"));
  DEPROV_CHECK(c->execute("PRAGMA wal_autocheckpoint=0"));
  DEPROV_CHECK(c->execute("PRAGMA secure_delete=FAST"));
  if (options.max_pages > 0)
    DEPROV_CHECK(c->execute(("PRAGMA max_page_count=" + std::to_string(options.max_pages)).c_str()));
  DEPROV_CHECK(prepare_schema(*c, path, sqlite_store_version()));
  return std::move(c);
}

}  // namespace

int sqlite_store_version() noexcept { return static_cast<int>(migrations.size()); }

Result<std::unique_ptr<Store>> open_sqlite_store(const Crypto& crypto, const SqliteStoreOptions& options) {
  if (options.queue_transactions == 0 || options.batch_transactions == 0 || options.remembered_batches == 0)
    return Error(Errc::invalid_argument, "queue, batch and remembered batches hold at least one", "store options");
  DEPROV_TRY(dir, DataDir::open(options.directory, options.create));
  DEPROV_CHECK(dir.make_database());
  DEPROV_TRY(writer, open_writer(dir.database(), options));
  auto core = std::make_shared<Core>(crypto, options, std::move(dir), std::move(writer));
  core->start(core);
  return std::make_unique<SqliteStore>(std::move(core));
}

}  // namespace deprov::store
