#include <deprov/store/memory_store.hpp>
#include <deque>
#include <mutex>
#include <set>
#include <shared_mutex>
#include "memory_state.hpp"
#include "problems.hpp"

namespace deprov::store {
namespace {

using namespace port;

template <class T>
using Done = UniqueFunction<void(Result<T>)>;

/// The transaction ids of the last commits.
class Remembered {
 public:
  explicit Remembered(std::size_t bound) : bound_(bound) {}
  void add(TxnId id) {
    if (!known_.insert(id).second) return;
    order_.push_back(id);
    while (order_.size() > bound_) {
      known_.erase(order_.front());
      order_.pop_front();
    }
  }
  [[nodiscard]] bool has(TxnId id) const { return known_.contains(id); }

 private:
  std::size_t bound_;
  std::set<TxnId> known_;
  std::deque<TxnId> order_;
};

/// What the tasks on an executor share with the store, so that they may outlive it.
struct MemoryCore {
  MemoryCore(const Crypto& c, MemoryStoreOptions o)
      : crypto(c), options(std::move(o)), remembered(options.remembered_transactions) {}

  std::shared_mutex mutex;      // who only looks waits for nobody who does
  std::recursive_mutex nested;  // without an executor, where a body may use the store again
  std::mutex counting;          // of `stats`, which a body may ask for
  const Crypto& crypto;
  MemoryStoreOptions options;
  MemoryState state;
  Remembered remembered;
  StoreStats stats;
  bool open = true;

  template <class F>
  auto read(F&& f) {
    if (!options.executor) {
      const std::lock_guard lock(nested);
      return f();
    }
    const std::shared_lock lock(mutex);
    return f();
  }
  template <class F>
  auto write(F&& f) {
    if (!options.executor) {
      const std::lock_guard lock(nested);
      return f();
    }
    const std::lock_guard lock(mutex);
    return f();
  }

  Result<Committed> commit(const Transaction& txn) {
    std::optional<CommitFault> fault;
    if (options.fault) fault = options.fault(txn);
    if (fault && !fault->applied) return fault->error;
    auto result = apply_transaction(state, crypto, txn);
    if (result) {
      remembered.add(txn.id);
      const std::lock_guard lock(counting);
      ++stats.commits;
      ++stats.batches;
    } else if (result.error().code() == Errc::stale_read) {
      const std::lock_guard lock(counting);
      ++stats.conflicts;
    }
    if (fault && result) return fault->error;
    return result;
  }
  Result<Committed> transact(DecideBody& body) {
    const auto reader = make_memory_reader(state);
    auto txn = body(*reader);
    if (!txn) return txn.error();
    return commit(*txn);
  }
};

class MemoryStore final : public Store {
 public:
  MemoryStore(const Crypto& crypto, MemoryStoreOptions options)
      : core_(std::make_shared<MemoryCore>(crypto, std::move(options))) {}
  MemoryStore(const MemoryStore&) = delete;
  MemoryStore& operator=(const MemoryStore&) = delete;
  ~MemoryStore() override {
    core_->write([&] { core_->open = false; });
  }

  void view(ViewBody body, Done<void> done) override { finish(std::move(done), look(body)); }
  /// No task: it would wake the executor's thread behind each read.
  void glance(ViewBody body, Done<void> done) override { done(look(body)); }

  void commit(Transaction txn, Done<Committed> done) override {
    run<Committed>([txn = std::move(txn)](MemoryCore& core) { return core.commit(txn); }, std::move(done));
  }
  void transact(DecideBody body, Done<Committed> done) override {
    run<Committed>([body = std::move(body)](MemoryCore& core) mutable { return core.transact(body); },
                   std::move(done));
  }
  void committed(TxnId id, Done<bool> done) override {
    run<bool>([id](MemoryCore& core) -> Result<bool> { return core.remembered.has(id); }, std::move(done));
  }

  [[nodiscard]] StoreStats stats() const override {
    const std::lock_guard lock(core_->counting);
    return core_->stats;
  }

 private:
  Result<void> look(ViewBody& body) {
    return core_->read([&] {
      const auto reader = make_memory_reader(core_->state);
      return body(*reader);
    });
  }
  template <class T>
  void finish(Done<T> done, Result<T> result) {
    if (!core_->options.executor) return done(std::move(result));
    core_->options.executor->post(
        [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
  }

  /// In the call, or as a task of the executor whose completion is another task.
  template <class T, class F>
  void run(F work, Done<T> done) {
    if (!core_->options.executor) {
      auto result = core_->write([&] { return work(*core_); });
      return done(std::move(result));
    }
    {
      const std::lock_guard lock(core_->counting);
      ++core_->stats.queued;
    }
    core_->options.executor->post([core = core_, work = std::move(work), done = std::move(done)]() mutable {
      {
        const std::lock_guard lock(core->counting);
        --core->stats.queued;
      }
      auto result = core->write([&]() -> Result<T> {
        if (!core->open) return store_closed();
        return work(*core);
      });
      core->options.executor->post(
          [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
    });
  }

  std::shared_ptr<MemoryCore> core_;
};

}  // namespace

std::unique_ptr<Store> make_memory_store(const Crypto& crypto, MemoryStoreOptions options) {
  return std::make_unique<MemoryStore>(crypto, std::move(options));
}

}  // namespace deprov::store
