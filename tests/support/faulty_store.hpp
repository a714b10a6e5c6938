// A store between an engine and its real one: a test says what goes wrong, and what comes in between.
#pragma once

#include <deprov/port/store.hpp>
#include <deprov/store/memory_store.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace deprov::test {

struct StoreFaults {
  std::function<std::optional<Error>()> on_view;
  std::function<std::optional<Error>(const port::Transaction&)> on_commit;
  std::function<std::optional<Error>()> on_transact;
  std::function<std::optional<Error>()> on_committed;
};

class FaultyStore final : public port::Store {
 public:
  FaultyStore(std::unique_ptr<port::Store> inner, std::shared_ptr<StoreFaults> faults)
      : inner_(std::move(inner)), faults_(std::move(faults)) {}
  void view(port::ViewBody body, port::UniqueFunction<void(Result<void>)> done) override {
    if (faults_->on_view)
      if (auto e = faults_->on_view()) return done(*e);
    inner_->view(std::move(body), std::move(done));
  }
  void commit(port::Transaction txn, port::UniqueFunction<void(Result<port::Committed>)> done) override {
    if (faults_->on_commit)
      if (auto e = faults_->on_commit(txn)) return done(*e);
    inner_->commit(std::move(txn), std::move(done));
  }
  void transact(port::DecideBody body, port::UniqueFunction<void(Result<port::Committed>)> done) override {
    if (faults_->on_transact)
      if (auto e = faults_->on_transact()) return done(*e);
    inner_->transact(std::move(body), std::move(done));
  }
  void committed(TxnId id, port::UniqueFunction<void(Result<bool>)> done) override {
    if (faults_->on_committed)
      if (auto e = faults_->on_committed()) return done(*e);
    inner_->committed(id, std::move(done));
  }
  [[nodiscard]] port::StoreStats stats() const override { return inner_->stats(); }
  [[nodiscard]] port::Store& inner() { return *inner_; }

 private:
  std::unique_ptr<port::Store> inner_;
  std::shared_ptr<StoreFaults> faults_;
};

/// For test::World; `self` is set to the store that it makes.
[[nodiscard]] inline auto faulty(std::shared_ptr<StoreFaults> faults, FaultyStore** self = nullptr) {
  return [faults, self](const port::Crypto& crypto, port::Executor&) -> std::unique_ptr<port::Store> {
    auto made = std::make_unique<FaultyStore>(store::make_memory_store(crypto), faults);
    if (self != nullptr) *self = made.get();
    return made;
  };
}

}  // namespace deprov::test
