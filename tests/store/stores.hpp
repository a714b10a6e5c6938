// Both stores, called and waited for, and rows as text.
#pragma once

#include <cstdlib>
#include <deprov/crypto/crypto.hpp>
#include <deprov/port/activity_chain.hpp>
#include <deprov/port/store.hpp>
#include <deprov/runtime/event_thread.hpp>
#include <deprov/store/memory_store.hpp>
#include <deprov/store/sqlite_store.hpp>
#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include "catch.hpp"

namespace deprov::test {

using namespace port;

inline const Crypto& crypto() {
  static const auto instance = crypto::make_crypto();
  return *instance;
}

class TempDir {
 public:
  TempDir() {
    std::string pattern = std::filesystem::temp_directory_path() / "deprov-store-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Tasks that run when the test says so.
class ManualExecutor final : public Executor {
 public:
  void post(Task task) override { tasks_.push_back(std::move(task)); }
  TimerId post_at(MonoTime, Task) override { std::abort(); }
  void cancel(TimerId) override {}
  void wake() override {}
  [[nodiscard]] bool running_here() const noexcept override { return true; }
  std::size_t run() {
    std::size_t n = 0;
    for (; n < tasks_.size(); ++n) {
      auto task = std::move(tasks_[n]);
      task();
    }
    tasks_.clear();
    return n;
  }

 private:
  std::deque<Task> tasks_;
};

inline std::unique_ptr<Store> open_sqlite(const std::string& dir) {
  store::SqliteStoreOptions options;
  options.directory = dir;
  auto opened = store::open_sqlite_store(crypto(), options);
  REQUIRE(opened);
  return std::move(*opened);
}

inline Result<Committed> commit(Store& store, Transaction txn) {
  runtime::Event done;
  Result<Committed> result = Error(Errc::internal, "no answer");
  store.commit(std::move(txn), [&](Result<Committed> r) {
    result = std::move(r);
    done.set();
  });
  done.wait();
  return result;
}

inline Result<Committed> commit(Store& store, std::vector<Op> ops, ReadSet reads = {}) {
  Transaction txn;
  txn.reads = std::move(reads);
  txn.ops = std::move(ops);
  return commit(store, std::move(txn));
}

inline Result<Committed> transact(Store& store, DecideBody body) {
  runtime::Event done;
  Result<Committed> result = Error(Errc::internal, "no answer");
  store.transact(std::move(body), [&](Result<Committed> r) {
    result = std::move(r);
    done.set();
  });
  done.wait();
  return result;
}

inline Result<bool> committed(Store& store, TxnId id) {
  runtime::Event done;
  Result<bool> result = Error(Errc::internal, "no answer");
  store.committed(id, [&](Result<bool> r) {
    result = std::move(r);
    done.set();
  });
  done.wait();
  return result;
}

/// What `f(reader)` answers, on one view.
template <class F>
auto read(Store& store, F f) {
  using Answer = std::invoke_result_t<F&, Reader&>;
  std::optional<Answer> answer;
  runtime::Event done;
  store.view(
      [&](Reader& r) -> Result<void> {
        answer.emplace(f(r));
        if (!*answer) return answer->error();
        return {};
      },
      [&](Result<void> r) {
        if (!r) answer.emplace(r.error());
        done.set();
      });
  done.wait();
  REQUIRE(*answer);
  return std::move(**answer);
}

template <class IdType>
IdType id(std::uint64_t n, std::uint8_t kind = 0) {
  IdType i;
  i.value.bytes[0] = static_cast<std::uint8_t>(kind + 1);
  for (std::size_t b = 0; b < 8; ++b) i.value.bytes[15 - b] = static_cast<std::uint8_t>(n >> (8 * b));
  return i;
}
inline Scope scope(std::uint64_t workspace, std::uint64_t integration) {
  return {id<WorkspaceId>(workspace), integration == 0 ? IntegrationId{} : id<IntegrationId>(integration)};
}

// Each row as text: equal texts are equal rows.
std::string show(const WorkspaceRow& r);
std::string show(const PrincipalRow& r);
std::string show(const IntegrationRow& r);
std::string show(const GatewayTokenRow& r);
std::string show(const ResourceRow& r);
std::string show(const MemberRow& r);
std::string show(const SubjectRow& r);
std::string show(const BindingRow& r);
std::string show(const ChangeRow& r);
std::string show(const JobRow& r);
std::string show(const LaneRow& r);
std::string show(const DueRow& r);
std::string show(const HoldRow& r);
std::string show(const HoldItemRow& r);
std::string show(const PopulationRow& r);
std::string show(const WorkRow& r);
std::string show(const ActivityRow& r);
std::string show(const Committed& c);
std::string show(const ChoreRow& r);
std::string show(const FindingRow& r);
std::string show(const SourceRow& r);
std::string show(const SourcePieceRow& r);
std::string show(const GrantRow& r);
std::string show(const WebhookRow& r);
std::string show(const WebhookCursorRow& r);
std::string show(const DeliveryRow& r);

}  // namespace deprov::test
