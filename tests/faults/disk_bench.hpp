// A store on a disk, transactions that touch many of its tables, and what has to be so when it is opened again.
#pragma once

#include <sqlite3.h>
#include <cstdint>
#include <cstdlib>
#include <deprov/crypto/crypto.hpp>
#include <deprov/port/activity_chain.hpp>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/virtual_executor.hpp>
#include <deprov/store/sqlite_store.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include "catch.hpp"

namespace deprov::test::disk {

using namespace deprov::port;

template <class IdType>
IdType numbered(std::uint8_t kind, std::size_t n) {
  IdType id;
  id.value.bytes[0] = kind;
  id.value.bytes[15] = static_cast<std::uint8_t>(n);
  return id;
}
inline const Scope here{numbered<WorkspaceId>(1, 1), numbered<IntegrationId>(2, 1)};
inline const ResourceId group = numbered<ResourceId>(3, 200);

/// Rows of many tables, a few pages of them.
inline Transaction transaction(std::size_t n) {
  Transaction txn;
  txn.id = numbered<TxnId>(9, n);
  ResourceRow user;
  user.scope = here;
  user.id = numbered<ResourceId>(3, n);
  user.type = "User";
  user.user_name_key = "user" + std::to_string(n);
  user.document = "{\"x\":\"" + std::string(2000 * (n % 4), 'x') + "\"}";
  txn.ops.emplace_back(op::PutResource{user});
  txn.ops.emplace_back(op::AddMember{here, {group, user.id, false}});
  SubjectRow subject;
  subject.scope = here;
  subject.id = user.id;
  subject.access = true;
  txn.ops.emplace_back(op::PutSubject{subject});
  JobRow job;
  job.scope = here;
  job.id = numbered<JobId>(4, n);
  job.subject = user.id;
  job.plan = "{}";
  txn.ops.emplace_back(op::PutJob{job, std::nullopt});
  op::Reserve reserve;
  reserve.scope = here;
  reserve.counter = "worsened";
  reserve.limit_hour = reserve.limit_day = 1000;
  reserve.now = WallTime{1'700'000'000'000'000};
  txn.ops.emplace_back(reserve);
  op::AppendActivity activity;
  activity.scope = here;
  activity.event = "e" + std::to_string(n);
  activity.subject = user.id;
  activity.detail = "{}";
  txn.ops.emplace_back(activity);
  return txn;
}

struct Bench {
  explicit Bench(std::string directory) : path(std::move(directory)) {}
  Result<void> open() {
    store::SqliteStoreOptions o;
    o.directory = path;
    o.executor = &executor;
    o.checkpoint_pages = 16;  // the least: the log is moved into the database several times
    auto made = store::open_sqlite_store(*crypto, o);
    if (!made) return made.error();
    store = std::move(*made);
    return {};
  }
  Result<void> commit(std::size_t n) {
    std::optional<Result<Committed>> out;
    store->commit(transaction(n), [&](Result<Committed> r) { out.emplace(std::move(r)); });
    executor.run_until_idle();
    if (!out) return Error(Errc::internal, "no answer");
    if (!*out) return out->error();
    return {};
  }
  std::optional<bool> committed(std::size_t n) {
    std::optional<bool> out;
    store->committed(numbered<TxnId>(9, n), [&](const Result<bool>& r) {
      if (r) out = *r;
    });
    executor.run_until_idle();
    return out;
  }
  /// How many of the transaction's rows are there.
  std::size_t parts_of(std::size_t n) {
    std::size_t parts = 0;
    bool read = false;
    store->view(
        [&](Reader& r) -> Result<void> {
          const auto user = numbered<ResourceId>(3, n);
          DEPROV_TRY(row, r.resource(here, user));
          DEPROV_TRY(is, r.is_member(here, group, user));
          DEPROV_TRY(subject, r.subject(here, user));
          DEPROV_TRY(job, r.job(here, numbered<JobId>(4, n)));
          DEPROV_TRY(chain, r.activity(here, 0, 1000));
          bool recorded = false;
          for (const auto& a : chain.rows) recorded = recorded || a.event == "e" + std::to_string(n);
          for (const bool part : {row.has_value(), is, subject.has_value(), job.has_value(), recorded})
            parts += part ? 1U : 0U;
          return {};
        },
        [&](const Result<void>& r) { read = r.has_value(); });
    REQUIRE(read);
    return parts;
  }

  std::string path;
  runtime::VirtualClock clock;
  runtime::VirtualExecutor executor{clock};
  std::unique_ptr<Crypto> crypto = crypto::make_crypto();
  std::unique_ptr<Store> store;
};

constexpr std::size_t all_parts = 5;

struct Scratch {
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "deprov-disk-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path = pattern;
  }
  ~Scratch() { std::filesystem::remove_all(path); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string path;
};

inline void check_integrity(const std::string& directory) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open((directory + "/deprov.db").c_str(), &db) == SQLITE_OK);
  std::string answer;
  sqlite3_exec(
      db, "PRAGMA integrity_check",
      [](void* out, int, char** values, char**) {
        *static_cast<std::string*>(out) += values[0];
        return 0;
      },
      &answer, nullptr);
  sqlite3_close(db);
  CHECK(answer == "ok");
}

/// A store with its schema and a group, made once.
class Template {
 public:
  Template() {
    Bench b(scratch_.path);
    REQUIRE(b.open());
    Transaction txn;
    txn.id = numbered<TxnId>(8, 1);
    ResourceRow row;
    row.scope = here;
    row.id = group;
    row.type = "Group";
    row.display_name_key = "g";
    row.document = "{}";
    txn.ops.emplace_back(op::PutResource{row});
    bool done = false;
    b.store->commit(std::move(txn), [&](const Result<Committed>& r) { done = r.has_value(); });
    b.executor.run_until_idle();
    REQUIRE(done);
  }
  void copy_to(const std::string& directory) const {
    std::filesystem::copy_file(scratch_.path + "/deprov.db", directory + "/deprov.db");
  }

 private:
  Scratch scratch_;
};

/// Each transaction is there as a whole or not at all, and everything counts what is there.
inline void verify(Bench& b, std::size_t transactions, const std::set<std::size_t>& acknowledged,
                   const std::set<std::size_t>& refused) {
  std::size_t there = 0;
  for (std::size_t n = 1; n <= transactions; ++n) {
    CAPTURE(n);
    const auto parts = b.parts_of(n);
    CHECK((parts == 0 || parts == all_parts));
    there += parts == all_parts ? 1 : 0;
    if (acknowledged.contains(n)) CHECK(parts == all_parts);
    if (refused.contains(n)) CHECK(parts == 0);
    CHECK(b.committed(n) == (parts == all_parts));
  }
  bool read = false;
  b.store->view(
      [&](Reader& r) -> Result<void> {
        DEPROV_TRY(chain, r.activity(here, 0, 1000));
        CHECK(chain.rows.size() == there);
        CHECK(verify_chain(*b.crypto, here, {}, chain.rows));
        DEPROV_TRY(members, r.member_count(here, group));
        CHECK(members == there);
        DEPROV_TRY(reserved, r.reserved(here, "worsened", WallTime{1'700'000'000'000'000}));
        CHECK(reserved.day == there);
        DEPROV_TRY(jobs, r.job_counts(here));
        CHECK(jobs[JobState::ready] == there);
        return {};
      },
      [&](const Result<void>& r) { read = r.has_value(); });
  CHECK(read);
  CHECK(b.commit(100));
}

}  // namespace deprov::test::disk
