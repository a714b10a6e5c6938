// What only the durable store has: files, versions, limits, damage.
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <fstream>
#include <thread>
#include <vector>
#include "store/sqlite_queries.hpp"
#include "store/sqlite_schema.hpp"
#include "stores.hpp"

namespace deprov::test::sqlite_store_test {
namespace {

const Scope here = scope(1, 1);

op::PutResource put_user(std::uint64_t n, std::size_t size = 10) {
  ResourceRow row;
  row.scope = here;
  row.id = id<ResourceId>(n);
  row.type = "User";
  row.user_name_key = "user" + std::to_string(n);
  row.document = std::string(size, 'x');
  return {row};
}

op::AppendActivity activity() {
  op::AppendActivity o;
  o.scope = here;
  o.event = "e";
  o.detail = "{}";
  return o;
}

store::SqliteStoreOptions in(const TempDir& dir) {
  store::SqliteStoreOptions options;
  options.directory = dir.path();
  return options;
}

void execute(const TempDir& dir, const char* sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open((dir.path() + "/deprov.db").c_str(), &db) == SQLITE_OK);
  CHECK(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

mode_t mode_of(const std::string& path) {
  struct stat st {};
  REQUIRE(stat(path.c_str(), &st) == 0);
  return st.st_mode & 0777U;
}

}  // namespace

TEST_CASE("what answered is there after the next start", "[store][sqlite]") {
  const TempDir dir;
  const auto path = dir.path() + "/deep/data";
  store::SqliteStoreOptions options;
  options.directory = path;
  {
    auto store = store::open_sqlite_store(crypto(), options);
    REQUIRE(store);
    REQUIRE(commit(**store, {put_user(1), activity()}));
    CHECK(mode_of(path) == 0700);
    for (const auto* file : {"/deprov.db", "/deprov.db-wal", "/deprov.db-shm", "/deprov.lock"})
      CHECK(mode_of(path + file) == 0600);
  }
  auto store = store::open_sqlite_store(crypto(), options);
  REQUIRE(store);
  CHECK(read(**store, [](Reader& r) { return r.resource(here, id<ResourceId>(1)); }));
  auto next = commit(**store, {activity()});
  REQUIRE(next);
  CHECK(next->activity_seqs.at(0) == 2);  // the chain is taken up where it ended
}

TEST_CASE("a store of the first version is brought up to the present one", "[store][sqlite]") {
  const TempDir dir;
  execute(dir, store::migrations.at(0));
  execute(dir, ("PRAGMA application_id=" + std::to_string(store::application_id)).c_str());
  execute(dir, "PRAGMA user_version=1");
  const auto store = open_sqlite(dir.path());
  REQUIRE(commit(*store, {put_user(1), activity(), op::PutChore{{here, "reconcile", {7}, "{}"}}}));
  const auto chore = read(*store, [](Reader& r) { return r.chore(here, "reconcile"); });
  REQUIRE(chore);
  CHECK(chore->due.micros == 7);
}

TEST_CASE("deleted details are gone from the file, and the chain holds", "[store][sqlite][R20]") {
  const TempDir dir;
  const auto store = open_sqlite(dir.path());
  std::vector<Op> ops;
  for (int i = 0; i < 10; ++i) {
    auto o = activity();
    o.at = {i};
    o.detail = "{\"n\":" + std::to_string(i) + "}";
    ops.emplace_back(o);
  }
  REQUIRE(commit(*store, ops));
  const auto done = commit(*store, {op::DeleteDetails{here, 2, 8, {6}}});
  REQUIRE(done);
  CHECK(done->details_deleted == std::vector<std::uint64_t>{4});  // seq 3 to 6; 7 and 8 are younger
  const auto rows = read(*store, [](Reader& r) { return r.activity(here, 0, 100); }).rows;
  for (const auto& row : rows) CHECK(row.detail.has_value() == (row.seq < 3 || row.seq > 6));
  CHECK(verify_chain(crypto(), here, {}, rows));
}

TEST_CASE("a directory in use names the process", "[store][sqlite]") {
  const TempDir dir;
  const auto store = open_sqlite(dir.path());
  const auto second = store::open_sqlite_store(crypto(), in(dir));
  REQUIRE_FALSE(second);
  CHECK(second.error().code() == Errc::store_locked);
  CHECK(second.error().message().find("process " + std::to_string(getpid())) != std::string::npos);
  CHECK(second.error().advice().find("--server") != std::string::npos);
}

TEST_CASE("a store of a newer version, another program's file, and an absent one are refused", "[store][sqlite]") {
  const TempDir dir;
  auto options = in(dir);
  options.create = false;
  CHECK(store::open_sqlite_store(crypto(), options).error().code() == Errc::not_found);
  open_sqlite(dir.path()).reset();
  options.create = true;

  SECTION("newer") {
    execute(dir, "PRAGMA user_version=99");
    const auto store = store::open_sqlite_store(crypto(), options);
    REQUIRE_FALSE(store);
    CHECK(store.error().code() == Errc::store_version);
    CHECK(store.error().detail() == "written by deprov store version 99; this program knows " +
                                        std::to_string(store::sqlite_store_version()));
  }
  SECTION("another program's") {
    execute(dir, "PRAGMA application_id=7");
    CHECK(store::open_sqlite_store(crypto(), options).error().code() == Errc::store_corrupt);
  }
  SECTION("no database at all") {
    std::ofstream(dir.path() + "/deprov.db") << std::string(8192, 'z');
    CHECK(store::open_sqlite_store(crypto(), options).error().code() == Errc::store_corrupt);
  }
  SECTION("no directory") {
    options.directory = dir.path() + "/deprov.db";
    CHECK(store::open_sqlite_store(crypto(), options).error().code() == Errc::invalid_argument);
  }
}

TEST_CASE("a store of the first version is brought up to date with what is in it", "[store][sqlite]") {
  const TempDir dir;
  execute(dir, ("PRAGMA journal_mode=WAL; PRAGMA application_id=" + std::to_string(store::application_id) +
                "; PRAGMA user_version=1;" + std::string(store::migrations.front()))
                   .c_str());
  // Two live users, the later one changed first, and a tombstone.
  const auto hex = [](const auto& id) {
    std::string out;
    for (const auto b : id.value.bytes) {
      constexpr const char* digits = "0123456789abcdef";
      out += {digits[b >> 4U], digits[b & 15U]};
    }
    return out;
  };
  std::string rows =
      "INSERT INTO scope VALUES(1, x'" + hex(here.workspace) + "', x'" + hex(here.integration) + "');";
  for (std::uint64_t n = 1; n <= 3; ++n) {
    rows +=
        "INSERT INTO resource(scope, id, type, version, active, deleted, created, modified, external_id, "
        "user_name, display_name, emails, document) VALUES(1, x'" +
        hex(id<ResourceId>(n)) + "', 'User', 1, 1, " + (n == 3 ? "1" : "0") + ", 0, " + std::to_string(90 - n) +
        ", '', 'user" + std::to_string(n) + "', '', x'', '{}');";
  }
  rows += "INSERT INTO member VALUES(1, x'" + hex(id<ResourceId>(9)) + "', x'" + hex(id<ResourceId>(1)) + "', 0);";
  execute(dir, rows.c_str());

  const auto store = open_sqlite(dir.path());
  const auto page =
      read(*store, [](Reader& r) { return r.resources_in_order(here, "User", ResourceOrder{}, 10); });
  REQUIRE(page.rows.size() == 2);
  CHECK(page.rows[0].id == id<ResourceId>(2));
  CHECK(page.rows[1].id == id<ResourceId>(1));
  CHECK(commit(*store, {put_user(4)}));
  const auto member = [&] {
    return read(*store, [](Reader& r) { return r.member(here, id<ResourceId>(9), id<ResourceId>(1)); });
  };
  REQUIRE(member());
  CHECK(member()->display.empty());
  CHECK(commit(*store, {op::NameMember{here, id<ResourceId>(9), id<ResourceId>(1), "One"}}));
  CHECK(member()->display == "One");
}

TEST_CASE("no look-up of resources, members or hints goes through a table", "[store][sqlite]") {
  const TempDir dir;
  open_sqlite(dir.path()).reset();
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open((dir.path() + "/deprov.db").c_str(), &db) == SQLITE_OK);
  using store::Q;
  for (const auto query : {Q::resource_get,
                           Q::resource_user_name,
                           Q::resource_user_name_any,
                           Q::resource_external,
                           Q::resource_display,
                           Q::resource_email,
                           Q::resource_of_member,
                           Q::resource_tombstones,
                           Q::resource_page,
                           Q::resource_page_any,
                           Q::resource_count,
                           Q::resource_modified_up,
                           Q::resource_modified_down,
                           Q::resource_user_name_up,
                           Q::resource_user_name_down,
                           Q::member_page,
                           Q::member_get,
                           Q::member_name,
                           Q::member_has,
                           Q::member_groups,
                           Q::group_size,
                           Q::grant_hinted}) {
    const auto* sql = store::query_texts.at(static_cast<std::size_t>(query));
    INFO(sql);
    sqlite3_stmt* plan = nullptr;
    REQUIRE(sqlite3_prepare_v2(db, (std::string("EXPLAIN QUERY PLAN ") + sql).c_str(), -1, &plan, nullptr) ==
            SQLITE_OK);
    std::string text;
    while (sqlite3_step(plan) == SQLITE_ROW)
      text += std::string(reinterpret_cast<const char*>(sqlite3_column_text(plan, 3))) + "\n";
    sqlite3_finalize(plan);
    INFO(text);
    CHECK(text.find("SEARCH") != std::string::npos);
    CHECK(text.find("SCAN") == std::string::npos);
    // Only the tombstones of one external id are sorted.
    if (query != Q::resource_tombstones) CHECK(text.find("TEMP B-TREE") == std::string::npos);
  }
  sqlite3_close(db);
}

TEST_CASE("damage is told, not guessed around", "[store][sqlite]") {
  const TempDir dir;
  {
    const auto store = open_sqlite(dir.path());
    for (std::uint64_t n = 0; n < 50; ++n) REQUIRE(commit(*store, {put_user(n, 2000)}));
  }
  const auto size = std::filesystem::file_size(dir.path() + "/deprov.db");
  {
    std::fstream file(dir.path() + "/deprov.db", std::ios::in | std::ios::out | std::ios::binary);
    for (std::uintmax_t at = 2 * 4096; at < size; at += 4096) {
      file.seekp(static_cast<std::streamoff>(at));
      file << std::string(200, '\xEE');
    }
  }
  auto store = store::open_sqlite_store(crypto(), in(dir));
  if (!store) {
    CHECK(store.error().code() == Errc::store_corrupt);
    return;
  }
  const auto answer = commit(**store, {put_user(1000)});
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code() == Errc::store_corrupt);
}

TEST_CASE("a full store says so, and goes on when there is space", "[store][sqlite]") {
  const TempDir dir;
  auto options = in(dir);
  options.max_pages = 120;
  std::uint64_t stored = 0;
  {
    auto opened = store::open_sqlite_store(crypto(), options);
    REQUIRE(opened);
    auto& store = **opened;
    Result<Committed> answer = Committed{};
    for (std::uint64_t n = 1; n < 200 && answer; ++n) {
      answer = commit(store, {put_user(n, 4000), activity()});
      if (answer) stored = n;
    }
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code() == Errc::storage_full);
    CHECK(read(store, [](Reader& r) { return r.resource_count(here, "User"); }) == stored);
    CHECK_FALSE(read(store, [&](Reader& r) { return r.resource(here, id<ResourceId>(stored + 1)); }));
    // What needs no new page still works.
    auto row = put_user(1, 100).row;
    row.version = 1;
    CHECK(commit(store, {op::PutResource{row, false}}));
  }
  options.max_pages = 0;
  auto opened = store::open_sqlite_store(crypto(), options);
  REQUIRE(opened);
  auto next = commit(**opened, {put_user(stored + 1, 4000), activity()});
  REQUIRE(next);
  CHECK(next->activity_seqs.at(0) == stored + 1);
}

TEST_CASE("beyond its queue the store answers busy at once", "[store][sqlite]") {
  const TempDir dir;
  ManualExecutor executor;
  auto options = in(dir);
  options.executor = &executor;
  std::vector<Errc> answers;
  const auto done = [&](Result<Committed> r) { answers.push_back(r ? Errc::ok : r.error().code()); };
  const auto txn = [](std::uint64_t n, std::size_t size) {
    Transaction t;
    t.ops.emplace_back(put_user(n, size));
    return t;
  };

  SECTION("of transactions") {
    options.queue_transactions = 3;
    auto store = store::open_sqlite_store(crypto(), options);
    REQUIRE(store);
    for (std::uint64_t n = 0; n < 5; ++n) (*store)->commit(txn(n, 10), done);
    CHECK(answers == std::vector<Errc>{Errc::busy, Errc::busy});
    CHECK((*store)->stats().queued == 3);
    executor.run();
    CHECK(answers == std::vector<Errc>{Errc::busy, Errc::busy, Errc::ok, Errc::ok, Errc::ok});
    CHECK((*store)->stats().batches == 1);
    (*store)->commit(txn(9, 10), done);
    executor.run();
    CHECK(answers.back() == Errc::ok);
  }
  SECTION("of bytes") {
    options.queue_bytes = 100'000;
    auto store = store::open_sqlite_store(crypto(), options);
    REQUIRE(store);
    for (std::uint64_t n = 0; n < 3; ++n) (*store)->commit(txn(n, 40'000), done);
    CHECK(answers == std::vector<Errc>{Errc::busy});
    executor.run();
    (*store)->commit(txn(7, 40'000), done);
    executor.run();
    CHECK(answers == std::vector<Errc>{Errc::busy, Errc::ok, Errc::ok, Errc::ok});
  }
  SECTION("destroying the store carries out what was accepted") {
    {
      auto store = store::open_sqlite_store(crypto(), options);
      REQUIRE(store);
      (*store)->commit(txn(1, 10), done);
      CHECK(answers.empty());
    }
    CHECK(answers == std::vector<Errc>{Errc::ok});
    executor.run();
    CHECK(answers.size() == 1);
  }
}

TEST_CASE("transactions of many threads share commits, and each has its answer", "[store][sqlite]") {
  const TempDir dir;
  const auto store = open_sqlite(dir.path());
  constexpr std::uint64_t threads = 4;
  constexpr std::uint64_t each = 100;
  std::atomic<std::uint64_t> good = 0;
  std::atomic<std::uint64_t> seen = 0;
  {
    std::vector<std::unique_ptr<runtime::EventThread>> running;
    for (std::uint64_t t = 0; t < threads; ++t) {
      running.push_back(std::make_unique<runtime::EventThread>("test", [&, t] {
        std::deque<runtime::Event> events(each);
        for (std::uint64_t n = 0; n < each; ++n) {
          Transaction txn;
          txn.ops.emplace_back(put_user(t * each + n));
          txn.ops.emplace_back(activity());
          store->commit(std::move(txn), [&good, event = events[n]](Result<Committed> r) mutable {
            if (r) ++good;
            event.set();
          });
          if (n % 10 == 9) {
            events[n].wait();  // what answered is in every view that begins now
            runtime::Event viewed;
            store->view(
                [&](Reader& r) -> Result<void> {
                  DEPROV_TRY(row, r.resource(here, id<ResourceId>(t * each + n)));
                  if (row) ++seen;
                  return {};
                },
                [&](Result<void>) { viewed.set(); });
            viewed.wait();
          }
        }
        for (auto& e : events) e.wait();
      }));
    }
  }
  CHECK(good == threads * each);
  CHECK(seen == threads * each / 10);
  const auto stats = store->stats();
  CHECK(stats.commits == threads * each);
  CHECK(stats.batches < stats.commits);
  const auto rows = read(*store, [](Reader& r) { return r.activity(here, 0, 10'000); }).rows;
  CHECK(rows.size() == threads * each);
  CHECK(verify_chain(crypto(), here, {}, rows));
}

TEST_CASE("the write-ahead log stays bounded under a steady load, with readers", "[store][sqlite]") {
  const TempDir dir;
  auto options = in(dir);
  options.checkpoint_pages = 32;
  auto opened = store::open_sqlite_store(crypto(), options);
  REQUIRE(opened);
  auto& store = **opened;
  std::uintmax_t largest = 0;
  for (std::uint64_t n = 0; n < 150; ++n) {
    REQUIRE(commit(store, {put_user(n, 3000), activity()}));
    read(store, [](Reader& r) { return r.resource_count(here, "User"); });
    largest = std::max(largest, std::filesystem::file_size(dir.path() + "/deprov.db-wal"));
  }
  CHECK(store.stats().wal_bytes > 150 * 4096 * 4);
  CHECK(largest < std::uintmax_t{32} * 4120 * 6);
}

TEST_CASE("every view sees what was answered before it, and a glance is one inside the call", "[store][sqlite]") {
  const TempDir dir;
  auto options = in(dir);
  options.checkpoint_pages = 32;
  auto opened = store::open_sqlite_store(crypto(), options);
  REQUIRE(opened);
  auto& store = **opened;
  const auto count = [](Reader& r) { return r.resource_count(here, "User"); };
  std::uintmax_t largest = 0;
  for (std::uint64_t n = 1; n <= 120; ++n) {
    REQUIRE(commit(store, {put_user(n, 3000), activity()}));
    // Again and again on one snapshot, until the next commit.
    for (int i = 0; i < 3; ++i) {
      std::uint64_t seen = 0;
      std::thread::id on;
      bool done = false;
      store.glance(
          [&](Reader& r) -> Result<void> {
            DEPROV_TRY(users, count(r));
            seen = users;
            on = std::this_thread::get_id();
            return {};
          },
          [&](const Result<void>& r) { done = r.has_value(); });
      REQUIRE(done);  // before the call returned
      CHECK(seen == n);
      CHECK(on == std::this_thread::get_id());
      CHECK(read(store, count) == n);
    }
    largest = std::max(largest, std::filesystem::file_size(dir.path() + "/deprov.db-wal"));
  }
  CHECK(largest < std::uintmax_t{32} * 4120 * 6);  // snapshots that nobody uses keep no log
  Result<void> failed;
  store.glance([](Reader&) -> Result<void> { return Error(Errc::not_found, "nobody"); },
               [&](Result<void> r) { failed = std::move(r); });
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code() == Errc::not_found);
}

TEST_CASE("glances of many threads see every commit of their own thread", "[store][sqlite]") {
  const TempDir dir;
  const auto opened = open_sqlite(dir.path());
  auto& store = *opened;
  std::atomic<std::size_t> missed{0};
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 6; ++t)
    threads.emplace_back([&, t] {
      for (std::uint64_t n = 0; n < 40; ++n) {
        const auto mine = put_user(1000 * (t + 1) + n);
        if (!commit(store, {mine})) ++missed;
        const auto there = [&](Reader& r) -> Result<bool> {
          DEPROV_TRY(row, r.resource(here, mine.row.id));
          return row.has_value();
        };
        runtime::Event done;  // beyond the readers it waits its turn elsewhere
        store.glance(
            [&](Reader& r) -> Result<void> {
              DEPROV_TRY(found, there(r));
              if (!found) ++missed;
              return {};
            },
            [&](const Result<void>&) { done.set(); });
        done.wait();
      }
    });
  for (auto& t : threads) t.join();
  CHECK(missed == 0);
}

TEST_CASE("a database that another program has locked answers busy", "[store][sqlite]") {
  const TempDir dir;
  auto options = in(dir);
  options.busy_timeout_ms = 1;
  auto opened = store::open_sqlite_store(crypto(), options);
  REQUIRE(opened);
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open((dir.path() + "/deprov.db").c_str(), &db) == SQLITE_OK);
  REQUIRE(sqlite3_exec(db, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  const auto refused = commit(**opened, {put_user(1)});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::busy);
  sqlite3_exec(db, "ROLLBACK", nullptr, nullptr, nullptr);
  sqlite3_close(db);
  CHECK(commit(**opened, {put_user(1)}));
}

}  // namespace deprov::test::sqlite_store_test
