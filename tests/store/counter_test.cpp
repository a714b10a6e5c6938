// The guard's counters do not stay behind when nobody counts in them any more.
#include <sqlite3.h>
#include <cstdint>
#include <string>
#include "stores.hpp"

namespace deprov::test::counter_test {
namespace {

const Scope here = scope(1, 1);
constexpr std::int64_t minute = 60'000'000;
constexpr std::int64_t day = 24 * 60 * minute;

op::Reserve reserve(const std::string& counter, std::int64_t at) {
  op::Reserve o;
  o.scope = here;
  o.counter = counter;
  o.limit_hour = o.limit_day = 1000;
  o.now = WallTime{1'700'000'000'000'000 + at};
  return o;
}

std::int64_t rows(const TempDir& dir, const std::string& counter) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open((dir.path() + "/deprov.db").c_str(), &db) == SQLITE_OK);
  sqlite3_stmt* stmt = nullptr;
  REQUIRE(sqlite3_prepare_v2(db, "SELECT count(*) FROM guard_counter WHERE counter = ?", -1, &stmt, nullptr) ==
          SQLITE_OK);
  sqlite3_bind_text(stmt, 1, counter.c_str(), -1, SQLITE_TRANSIENT);
  REQUIRE(sqlite3_step(stmt) == SQLITE_ROW);
  const auto n = sqlite3_column_int64(stmt, 0);
  sqlite3_finalize(stmt);
  sqlite3_close(db);
  return n;
}

}  // namespace

TEST_CASE("the counter of a group that nobody leaves any more goes after a while", "[store][R7]") {
  const TempDir dir;
  const auto store = open_sqlite(dir.path());
  for (int i = 0; i < 5; ++i) REQUIRE(commit(*store, {reserve("group:a", i * minute)}));
  REQUIRE(commit(*store, {reserve("group:b", day)}));
  CHECK(rows(dir, "group:a") == 5);
  // Others go on counting.
  for (int i = 0; i < 8; ++i) REQUIRE(commit(*store, {reserve("worsened", i * day / 2)}));
  CHECK(rows(dir, "group:a") == 0);
  CHECK(rows(dir, "group:b") == 0);
  CHECK(rows(dir, "worsened") <= 5);
  const auto counts =
      read(*store, [](Reader& r) { return r.reserved(here, "worsened", reserve("", 7 * day / 2).now); });
  CHECK(counts.day == 2);
  // And it counts from nothing when somebody leaves again.
  REQUIRE(commit(*store, {reserve("group:a", 4 * day)}));
  CHECK(read(*store, [](Reader& r) { return r.reserved(here, "group:a", reserve("", 4 * day).now); }).day == 1);
}

TEST_CASE("what a window still sees is not swept away", "[store][R7]") {
  const TempDir dir;
  const auto store = open_sqlite(dir.path());
  REQUIRE(commit(*store, {reserve("worsened", 0)}));
  REQUIRE(commit(*store, {reserve("group:a", day / 2)}));
  REQUIRE(commit(*store, {reserve("worsened", day)}));
  CHECK(rows(dir, "group:a") == 1);
  auto last = reserve("group:a", day + 60 * minute);
  last.limit_day = 1;
  CHECK(commit(*store, {last}).error().code() == Errc::held_by_guard);
}

}  // namespace deprov::test::counter_test
