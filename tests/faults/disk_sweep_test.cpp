// Every write and every sync of a store goes wrong, one after the other: once, for good, and with the power.
#include <sqlite3.h>
#include <cstdlib>
#include <deprov/crypto/crypto.hpp>
#include <deprov/port/activity_chain.hpp>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/virtual_executor.hpp>
#include <deprov/store/sqlite_store.hpp>
#include <filesystem>
#include <iterator>
#include <set>
#include <stdexcept>
#include "catch.hpp"
#include "faults/power_vfs.hpp"

using namespace deprov;
using namespace deprov::port;
using test::PowerVfs;

namespace {

constexpr std::size_t transactions = 5;

template <class IdType>
IdType numbered(std::uint8_t kind, std::size_t n) {
  IdType id;
  id.value.bytes[0] = kind;
  id.value.bytes[15] = static_cast<std::uint8_t>(n);
  return id;
}
const Scope here{numbered<WorkspaceId>(1, 1), numbered<IntegrationId>(2, 1)};
const ResourceId group = numbered<ResourceId>(3, 200);

/// Rows of many tables, a few pages of them.
Transaction transaction(std::size_t n) {
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
  explicit Bench(std::string path) : path(std::move(path)) {}
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

void check_integrity(const std::string& directory) {
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

/// Answers how many writes and syncs there were.
std::size_t run_with(const Template& base, PowerVfs::Fault fault, std::uint64_t seed) {
  CAPTURE(static_cast<int>(fault.kind), fault.at, fault.lasts, seed);
  const Scratch scratch;
  base.copy_to(scratch.path);
  PowerVfs disk;
  std::set<std::size_t> acknowledged, refused;
  std::size_t operations = 0;
  {
    Bench b(scratch.path);
    disk.set(fault);
    const auto opened = b.open();
    if (opened) {
      for (std::size_t n = 1; n <= transactions; ++n) {
        const auto answer = b.commit(n);
        if (answer) {
          acknowledged.insert(n);
        } else if (answer.error().code() != Errc::commit_unknown) {
          refused.insert(n);
        } else if (const auto is = b.committed(n)) {
          (*is ? acknowledged : refused).insert(n);
        }
      }
    }
    operations = disk.operations();
    if (fault.kind == PowerVfs::Kind::none) CHECK(acknowledged.size() == transactions);
    // Mended, it goes on by itself: at most the first answer is still about what had gone wrong before.
    if (opened && !disk.dead() && fault.at % 2 == 0) {
      disk.heal();
      std::size_t tries = 0;
      while (!b.commit(transactions + 1) && ++tries < 3) {
      }
      CHECK(tries < 3);
      acknowledged.insert(transactions + 1);
    }
    disk.cut();
    b.store.reset();
  }
  disk.power_back(seed);
  check_integrity(scratch.path);
  Bench b(scratch.path);
  REQUIRE(b.open());
  std::size_t there = 0;
  for (std::size_t n = 1; n <= transactions + 1; ++n) {
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
  return operations;
}

}  // namespace

TEST_CASE("a store comes back whole from whatever went wrong at any write or sync", "[faults][disk]") {
  using Kind = PowerVfs::Kind;
  constexpr PowerVfs::Fault ways[] = {{Kind::io_error, 0, false}, {Kind::disk_full, 0, false},
                                      {Kind::io_error, 0, true},  {Kind::sync_forgets, 0, false},
                                      {Kind::disk_full, 0, true}, {Kind::sync_forgets, 0, true}};
  const Template base;
  const auto operations = run_with(base, {}, 1);
  REQUIRE(operations > 50);
  const bool all_of_it = std::getenv("DEPROV_SWEEP_ALL") != nullptr;
  for (std::size_t at = 1; at <= operations; ++at) {
    run_with(base, {Kind::power, at, true}, at);
    for (std::size_t i = 0; i < std::size(ways); ++i)
      if (all_of_it || i * 2 == at % (std::size(ways) * 2)) run_with(base, {ways[i].kind, at, ways[i].lasts}, at);
  }
}
