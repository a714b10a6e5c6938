#include "sim/disk.hpp"
#include <algorithm>
#include <array>
#include <deprov/store/memory_store.hpp>
#include <optional>
#include <utility>
#include <variant>

namespace deprov::test::sim {

namespace {

template <class T>
bool has(const port::Transaction& txn) {
  return std::any_of(txn.ops.begin(), txn.ops.end(),
                     [](const port::Op& op) { return std::holds_alternative<T>(op); });
}

template <class T, class F>
void drop(port::Transaction& txn, F matches) {
  std::erase_if(txn.ops, [&](const port::Op& op) {
    const auto* o = std::get_if<T>(&op);
    return o != nullptr && matches(*o);
  });
}

bool sends(const port::Transaction& txn) {
  return std::any_of(txn.ops.begin(), txn.ops.end(), [](const port::Op& op) {
    const auto* a = std::get_if<port::op::AppendActivity>(&op);
    return a != nullptr && is_sent(*a);
  });
}

/// In the order of the calls, each after a while of its own, so that others come in between.
class Opened final : public port::Store {
 public:
  Opened(Disk& disk, runtime::VirtualExecutor& executor, runtime::VirtualClock& clock)
      : disk_(disk), executor_(executor), clock_(clock) {}

  void view(port::ViewBody body, port::UniqueFunction<void(Result<void>)> done) override {
    auto task = [this, body = std::move(body), done = std::move(done)]() mutable { done(disk_.view(body)); };
    if (disk_.rng.permille(700)) return executor_.post(std::move(task));
    executor_.post_at(clock_.mono() + Duration(disk_.rng.below(3000)), std::move(task));
  }
  void commit(port::Transaction txn, port::UniqueFunction<void(Result<port::Committed>)> done) override {
    in_order([this, txn = std::move(txn), done = std::move(done)]() mutable {
      answer(disk_.commit(std::move(txn)), std::move(done));
    });
  }
  void transact(port::DecideBody body, port::UniqueFunction<void(Result<port::Committed>)> done) override {
    in_order([this, body = std::move(body), done = std::move(done)]() mutable {
      answer(disk_.transact(body), std::move(done));
    });
  }
  void committed(TxnId id, port::UniqueFunction<void(Result<bool>)> done) override {
    executor_.post([this, id, done = std::move(done)]() mutable { done(disk_.committed(id)); });
  }
  [[nodiscard]] port::StoreStats stats() const override { return disk_.stats(); }

 private:
  void in_order(port::Task task) {
    auto at = clock_.mono();
    if (disk_.rng.permille(400)) at = at + Duration(disk_.rng.below(4000));
    last_ = std::max(last_, at);
    executor_.post_at(last_, std::move(task));
  }
  void answer(Result<port::Committed> result, port::UniqueFunction<void(Result<port::Committed>)> done) {
    executor_.post([result = std::move(result), done = std::move(done)]() mutable { done(std::move(result)); });
  }

  Disk& disk_;
  runtime::VirtualExecutor& executor_;
  runtime::VirtualClock& clock_;
  MonoTime last_;
};

}  // namespace

bool is_sent(const port::op::AppendActivity& a) noexcept {
  return a.event == "step.sent" || a.event.ends_with(".in_progress");
}

DiskTrouble disk_trouble(std::uint32_t kind) {
  switch (kind % 4) {
    case 0: return {300, 0, 0, 0};
    case 1: return {0, 250, 0, 0};
    case 2: return {0, 0, 250, 0};
    default: return {100, 100, 100, 100};
  }
}

Disk::Disk(const port::Crypto& crypto, CommitWatch& watch, std::uint64_t seed)
    : rng(seed, 200), watch_(watch), inner_(store::make_memory_store(crypto)) {}

void Disk::read(const std::function<void(port::Reader&)>& body) {
  inner_->view(
      [&](port::Reader& reader) -> Result<void> {
        body(reader);
        return {};
      },
      [](const Result<void>&) {});
}

Result<void> Disk::view(port::ViewBody& body) {
  if (trouble.unread != 0 && rng.permille(trouble.unread))
    return Error(Errc::io, "the disk does not answer", "store");
  Result<void> out;
  inner_->view([&](port::Reader& reader) { return body(reader); }, [&](Result<void> r) { out = std::move(r); });
  return out;
}

std::optional<Error> Disk::refusal() {
  if (trouble.refused == 0 || !rng.permille(trouble.refused)) return std::nullopt;
  constexpr std::array<Errc, 3> codes{Errc::io, Errc::storage_full, Errc::busy};
  return Error(codes[rng.below(3)], "the disk refuses", "store");
}

bool Disk::spoil(port::Transaction& txn) {
  switch (fault) {
    case StoreFault::no_grants_fence:
      txn.reads.subjects.clear();
      txn.reads.intents.clear();
      break;
    case StoreFault::no_intent_fence: txn.reads.intents.clear(); break;
    case StoreFault::no_hold_fence: txn.reads.holds.clear(); break;
    case StoreFault::no_standing_fence:
      if (!sends(txn)) break;
      txn.reads.integrations.clear();
      std::erase_if(txn.reads.lanes, [](const auto& l) { return l.scope.integration.is_nil(); });
      break;
    case StoreFault::sent_not_recorded:
      drop<port::op::AppendActivity>(txn, [](const auto& a) { return is_sent(a); });
      break;
    case StoreFault::sent_not_durable: return sends(txn);
    case StoreFault::answers_early: return has<port::op::PutResource>(txn) && rng.permille(100);
    case StoreFault::guard_not_counted: drop<port::op::Reserve>(txn, [](const auto&) { return true; }); break;
    case StoreFault::due_lost:
      drop<port::op::PutDue>(txn, [](const auto& o) { return o.row.kind == "settle"; });
      break;
    case StoreFault::work_lost: drop<port::op::PutWork>(txn, [](const auto&) { return true; }); break;
    case StoreFault::job_lost:
      drop<port::op::PutJob>(
          txn, [](const auto& o) { return o.row.kind == port::JobKind::remove_access && o.row.version == 0; });
      break;
    case StoreFault::stop_lost:
      for (auto& op : txn.ops) {
        auto* o = std::get_if<port::op::PutIntegration>(&op);
        if (o != nullptr && o->row.state == port::IntegrationState::stopped)
          o->row.state = port::IntegrationState::active;
      }
      break;
    default: break;
  }
  return false;
}

Result<port::Committed> Disk::store(port::Transaction txn) {
  if (sends(txn)) read([&](port::Reader& reader) { watch_.before(txn, reader); });
  const auto shown = txn;
  if (spoil(txn)) {
    port::Committed made;
    made.activity_seqs.push_back(1);
    made.resource_versions.push_back(1);
    return made;
  }
  Result<port::Committed> out = port::Committed{};
  const auto kept = fault == StoreFault::none ? shown : txn;
  inner_->commit(std::move(txn), [&](Result<port::Committed> r) { out = std::move(r); });
  if (out) read([&](port::Reader& reader) { watch_.after(kept, reader); });
  if (!out && out.error().code() == Errc::stale_read) ++conflicts;
  if (!out && out.error().code() == Errc::held_by_guard) ++refused;
  return out;
}

Result<port::Committed> Disk::commit(port::Transaction txn) {
  if (auto error = refusal()) return *error;
  if (trouble.lost != 0 && rng.permille(trouble.lost))
    return Error(Errc::commit_unknown, "the answer of the disk was lost", "store");
  const bool unheard = trouble.applied != 0 && rng.permille(trouble.applied);
  auto out = store(std::move(txn));
  if (out && unheard) return Error(Errc::commit_unknown, "the answer of the disk was lost", "store");
  return out;
}

Result<port::Committed> Disk::transact(port::DecideBody& body) {
  if (auto error = refusal()) return *error;
  if (trouble.lost != 0 && rng.permille(trouble.lost))
    return Error(Errc::commit_unknown, "the answer of the disk was lost", "store");
  // Nothing can come between on one thread: decide, then commit.
  std::optional<Result<port::Transaction>> decided;
  inner_->view(
      [&](port::Reader& reader) -> Result<void> {
        decided.emplace(body(reader));
        return {};
      },
      [](const Result<void>&) {});
  if (!*decided) return decided->error();
  if ((*decided)->ops.empty() && (*decided)->id.is_nil()) return port::Committed{};
  const bool unheard = trouble.applied != 0 && rng.permille(trouble.applied);
  auto out = store(std::move(**decided));
  if (out && unheard) return Error(Errc::commit_unknown, "the answer of the disk was lost", "store");
  return out;
}

Result<bool> Disk::committed(TxnId id) {
  if (fault == StoreFault::lookup_says_yes) return true;
  Result<bool> out = false;
  inner_->committed(id, [&](Result<bool> r) { out = std::move(r); });
  return out;
}

std::unique_ptr<port::Store> Disk::open(runtime::VirtualExecutor& executor, runtime::VirtualClock& clock) {
  return std::make_unique<Opened>(*this, executor, clock);
}

}  // namespace deprov::test::sim
