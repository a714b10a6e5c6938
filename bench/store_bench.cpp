// The SQLite store beside SQLite by hand.
#include <benchmark/benchmark.h>
#include <deprov/crypto/crypto.hpp>
#include <deprov/runtime/event_thread.hpp>
#include <deprov/store/sqlite_store.hpp>
#include <filesystem>
#include <memory>
#include <semaphore>
#include "engine_world.hpp"
#include "raw_sqlite_yardstick.hpp"
#include "scale.hpp"

using namespace deprov;
using namespace deprov::bench;
using namespace deprov::port;

namespace {

const Scope here{WorkspaceId{{{1}}}, IntegrationId{{{1}}}};

ResourceId user_id(std::size_t n) { return ResourceId{{raw_id(n, 1)}}; }
JobId job_id(std::size_t n) { return JobId{{raw_id(n, 2)}}; }

/// A store of that many users, with subjects where something is decided about them.
struct Bench {
  explicit Bench(std::size_t users, bool with_subjects = true) {
    store::SqliteStoreOptions options;
    options.directory = directory.path();
    options.readers = 1;
    auto opened = store::open_sqlite_store(*crypto, options);
    if (!opened) fail(opened.error());
    store = std::move(*opened);
    IntegrationRow integration;
    integration.scope = here;
    Transaction txn;
    txn.ops.emplace_back(op::PutIntegration{integration});
    for (std::size_t i = 0; i < users; ++i) {
      ResourceRow row;
      row.scope = here;
      row.id = user_id(i);
      row.type = "User";
      row.user_name_key = raw_name(i);
      row.external_id = "00u" + std::to_string(i);
      row.email_keys = {row.user_name_key};
      row.document = raw_document(i);
      txn.ops.emplace_back(op::PutResource{std::move(row)});
      if (with_subjects) {
        SubjectRow subject;
        subject.scope = here;
        subject.id = user_id(i);
        subject.access = true;
        subject.generation = 1;
        txn.ops.emplace_back(op::PutSubject{subject});
      }
      if (txn.ops.size() > 4000) commit(std::exchange(txn, {}));
    }
    commit(std::move(txn));
  }

  [[noreturn]] static void fail(const Error& error) {
    std::fprintf(stderr, "%s\n", error.message().c_str());
    std::exit(1);
  }
  void commit(Transaction txn) {
    runtime::Event done;
    store->commit(std::move(txn), [&](Result<Committed> r) {
      if (!r) fail(r.error());
      done.set();
    });
    done.wait();
  }
  /// `make(i)` for i in [0, count), 64 in flight. Seconds until the last answer.
  template <class F>
  double drive(std::size_t count, F&& make) {
    std::counting_semaphore<64> slots(64);
    return raw_seconds([&] {
      for (std::size_t i = 0; i < count; ++i) {
        auto txn = make(i);
        slots.acquire();
        store->commit(std::move(txn), [&](Result<Committed> r) {
          if (!r) fail(r.error());
          slots.release();
        });
      }
      for (int i = 0; i < 64; ++i) slots.acquire();
    });
  }

  ScratchDirectory directory;
  std::unique_ptr<Crypto> crypto = crypto::make_crypto();
  std::unique_ptr<Store> store;
};

/// What the engine makes of a `PATCH active=false` that starts a removal.
Transaction removal(std::size_t i, std::size_t users) {
  const auto who = leaver(i, users);
  Transaction txn;
  txn.id = TxnId{{raw_id(i, 4)}};
  txn.reads.resources.push_back({here, user_id(who), 1});
  txn.reads.subjects.push_back({here, user_id(who), 1});
  txn.reads.integrations.push_back({here, 1});
  ResourceRow resource;
  resource.scope = here;
  resource.id = user_id(who);
  resource.type = "User";
  resource.version = 1;
  resource.active = false;
  resource.document = raw_document(who);
  txn.ops.reserve(5);
  txn.ops.emplace_back(op::PutResource{std::move(resource), false});
  SubjectRow subject;
  subject.scope = here;
  subject.id = user_id(who);
  subject.generation = 2;
  subject.job = job_id(i);
  txn.ops.emplace_back(op::PutSubject{subject});
  ChangeRow change;
  change.scope = here;
  change.id = ChangeId{{raw_id(i, 3)}};
  change.subject = user_id(who);
  change.kind = idp::ChangeKind::deactivated;
  change.source = "scim";
  change.request = "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0000";
  txn.ops.emplace_back(op::AppendChange{std::move(change)});
  JobRow job;
  job.scope = here;
  job.id = job_id(i);
  job.subject = user_id(who);
  job.generation = 2;
  job.plan = raw_plan;
  txn.ops.emplace_back(op::PutJob{std::move(job), {}});
  op::AppendActivity activity;
  activity.scope = here;
  activity.event = "removal.requested";
  activity.actor = "idp:okta";
  activity.subject = user_id(who);
  activity.job = job_id(i);
  activity.detail = raw_detail;
  txn.ops.emplace_back(std::move(activity));
  return txn;
}

void commit_removals(benchmark::State& state) {
  for (auto _ : state) {
    const auto users = scaled(100'000);
    const auto count = std::min(users, scaled(60'000));
    Bench bench(users);
    const auto before = bench.store->stats();
    const double seconds = bench.drive(count, [&](std::size_t i) { return removal(i, users); });
    const auto after = bench.store->stats();
    const ScratchDirectory scratch;
    const double yardstick = raw_patch_rate(scratch.path(), users, count);
    const auto n = static_cast<double>(count);
    state.SetIterationTime(seconds);
    state.counters["commits/s"] = n / seconds;
    state.counters["yardstick/s"] = yardstick;
    state.counters["ratio"] = n / seconds / yardstick;
    state.counters["statements"] = static_cast<double>(after.statements - before.statements) / n;
    state.counters["rows"] = static_cast<double>(after.rows - before.rows) / n;
    state.counters["wal_bytes"] = static_cast<double>(after.wal_bytes - before.wal_bytes) / n;
    state.counters["batch"] = n / static_cast<double>(after.batches - before.batches);
  }
}
BENCHMARK(commit_removals)->UseManualTime()->Iterations(1)->Repetitions(3)->Unit(benchmark::kMillisecond);

/// One member in, one out, of a group of that size, one after the other: the figures stand beside each other.
void member(benchmark::State& state) {
  for (auto _ : state) {
    const auto size = scaled(static_cast<std::size_t>(state.range(0)));
    Bench bench(0);
    const ResourceId group{{raw_id(0, 9)}};
    Transaction txn;
    for (std::size_t i = 0; i < size; ++i) {
      txn.ops.emplace_back(op::AddMember{here, {group, user_id(i), false}});
      if (txn.ops.size() > 10'000) bench.commit(std::exchange(txn, {}));
    }
    bench.commit(std::move(txn));
    const std::size_t count = scaled(4'000);
    const double seconds = raw_seconds([&] {
      for (std::size_t i = 0; i < count; ++i) {
        const auto who = user_id((i / 2 * 7919) % size);
        Transaction t;
        if (i % 2 == 0) {
          t.ops.emplace_back(op::RemoveMember{here, group, who});
        } else {
          t.ops.emplace_back(op::AddMember{here, {group, who, false}});
        }
        bench.commit(std::move(t));
      }
    });
    state.SetIterationTime(seconds);
    state.counters["us_each"] = seconds * 1e6 / static_cast<double>(count);
  }
}
BENCHMARK(member)->Arg(1'000)->Arg(1'000'000)->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);

void resource_by_user_name(benchmark::State& state) {
  for (auto _ : state) {
    const auto users = scaled(static_cast<std::size_t>(state.range(0)));
    const std::size_t count = scaled(100'000);
    Bench bench(users, false);
    std::counting_semaphore<64> slots(64);
    const double seconds = raw_seconds([&] {
      for (std::size_t i = 0; i < count; ++i) {
        slots.acquire();
        bench.store->view(
            [name = raw_name((i * 7919) % users)](Reader& r) -> Result<void> {
              DEPROV_TRY(rows, r.resources_by_key(here, "User", {ResourceKey::Attribute::user_name, name}, 2));
              if (rows.size() != 1) return Error(Errc::not_found, "the user is missing", name);
              return {};
            },
            [&](Result<void> r) {
              if (!r) Bench::fail(r.error());
              slots.release();
            });
      }
      for (int i = 0; i < 64; ++i) slots.acquire();
    });
    const ScratchDirectory scratch;
    const double yardstick = raw_select_rate(scratch.path(), users, count);
    state.SetIterationTime(seconds);
    state.counters["views/s"] = static_cast<double>(count) / seconds;
    state.counters["yardstick/s"] = yardstick;
    state.counters["ratio"] = static_cast<double>(count) / seconds / yardstick;
  }
}
BENCHMARK(resource_by_user_name)
    ->Arg(1'000)
    ->Arg(100'000)
    ->Arg(1'000'000)
    ->UseManualTime()
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
