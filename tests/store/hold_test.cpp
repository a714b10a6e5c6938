// The guard's memory and its holds, in both stores.
#include <atomic>
#include <deprov/runtime/random.hpp>
#include <functional>
#include <thread>
#include "stores.hpp"

namespace deprov::test::hold_test {
namespace {

const Scope here = scope(1, 1);

void on_both(const std::function<void(Store&)>& what) {
  SECTION("memory") {
    const auto store = store::make_memory_store(crypto());
    what(*store);
  }
  SECTION("SQLite") {
    const TempDir dir;
    const auto store = open_sqlite(dir.path());
    what(*store);
  }
}

WallTime minute(std::int64_t n) { return {n * 60'000'000}; }

op::Reserve reserve(std::uint64_t amount, WallTime now, std::uint64_t hour = 10, std::uint64_t day = 20) {
  op::Reserve o;
  o.scope = here;
  o.counter = "worsened";
  o.amount = amount;
  o.limit_hour = hour;
  o.limit_day = day;
  o.now = now;
  return o;
}

op::OpenHold opening(std::uint64_t n, WallTime at) {
  HoldRow row;
  row.scope = here;
  row.id = id<HoldId>(n, 11);
  row.opened = at;
  row.window_from = at - std::chrono::hours(24);
  row.reason = "too many";
  return {row};
}

op::PutHoldItem item(std::uint64_t subject, HoldItemState state = HoldItemState::held) {
  HoldItemRow row;
  row.scope = here;
  row.subject = id<ResourceId>(subject, 2);
  row.job = id<JobId>(subject, 3);
  row.generation = 1;
  row.state = state;
  row.at = minute(1);
  return {row};
}

ReservedCounts reserved(Store& store, WallTime now) {
  return read(store, [&](Reader& r) { return r.reserved(here, "worsened", now); });
}
std::optional<HoldRow> open_hold(Store& store) {
  return read(store, [](Reader& r) { return r.open_hold(here); });
}
std::vector<HoldItemRow> items(Store& store, HoldId hold) {
  return read(store, [&](Reader& r) { return r.hold_items(here, hold, 0, 1000); }).rows;
}

}  // namespace

TEST_CASE("a subject that was counted before counts once, from now on", "[store][R7]") {
  on_both([](Store& store) {
    REQUIRE(commit(store, {reserve(1, minute(1000))}));
    auto again = reserve(1, minute(1030));
    again.counted = minute(1000);
    REQUIRE(commit(store, {again}));
    CHECK(reserved(store, minute(1030)).hour == 1);
    CHECK(reserved(store, minute(1030)).day == 1);
    // It stands at its newest moment.
    CHECK(reserved(store, minute(1089)).hour == 1);
    CHECK(reserved(store, minute(1090)).hour == 0);
    CHECK(reserved(store, minute(1090)).day == 1);
    // At the limit a subject that counts already is no further one.
    REQUIRE(commit(store, {reserve(9, minute(1030))}));
    CHECK(commit(store, {reserve(1, minute(1031))}).error().code() == Errc::held_by_guard);
    again.counted = minute(1030);
    again.now = minute(1031);
    CHECK(commit(store, {again}));
    CHECK(reserved(store, minute(1031)).hour == 10);
  });
}

TEST_CASE("what was reserved in vain is taken back", "[store][R7]") {
  on_both([](Store& store) {
    REQUIRE(commit(store, {reserve(3, minute(50))}));
    REQUIRE(commit(store, {op::Unreserve{here, "worsened", 2, minute(50)}}));
    CHECK(reserved(store, minute(50)).hour == 1);
    REQUIRE(commit(store,
                   {op::Unreserve{here, "worsened", 5, minute(50)}, op::Unreserve{here, "other", 5, minute(50)}}));
    CHECK(reserved(store, minute(50)).hour == 0);
    // Refused together with the rest of its transaction it takes nothing back.
    REQUIRE(commit(store, {reserve(3, minute(50))}));
    CHECK_FALSE(commit(store, {op::Unreserve{here, "worsened", 3, minute(50)}, op::TouchResource{here, {}, {}}}));
    CHECK(reserved(store, minute(50)).hour == 3);
  });
}

TEST_CASE("64 callers at the guard's limit never pass it", "[store][R7]") {
  on_both([](Store& store) {
    constexpr int callers = 64;
    constexpr int each = 8;
    std::atomic<int> granted = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < callers; ++t) {
      threads.emplace_back([&] {
        for (int n = 0; n < each; ++n)
          if (commit(store, {reserve(1, minute(7), 100, 200)})) ++granted;
      });
    }
    for (auto& t : threads) t.join();
    CHECK(granted == 100);
    CHECK(reserved(store, minute(7)).hour == 100);
  });
}

TEST_CASE("an open hold refuses every reservation, until it is empty", "[store][R7]") {
  on_both([](Store& store) {
    REQUIRE(commit(store, {opening(1, minute(1)), item(1), item(2)}));
    CHECK(commit(store, {reserve(1, minute(1))}).error().code() == Errc::held_by_guard);
    // One hold at a time: what opens another joins it.
    REQUIRE(commit(store, {opening(2, minute(2)), item(3)}));
    const auto hold = open_hold(store);
    REQUIRE(hold);
    CHECK(hold->id == id<HoldId>(1, 11));
    CHECK(hold->items == 3);
    CHECK(hold->held == 3);
    const auto listed = items(store, hold->id);
    REQUIRE(listed.size() == 3);
    CHECK(listed.back().listing == hold->listing);
    for (auto row : listed) {
      row.state = HoldItemState::allowed;
      row.decided = minute(5);
      REQUIRE(commit(store, {op::PutHoldItem{row}}));
      CHECK(commit(store, {op::PutHoldItem{row}}).error().code() == Errc::conflict);
    }
    CHECK_FALSE(open_hold(store));
    CHECK(commit(store, {reserve(1, minute(6))}));
    CHECK(commit(store, {item(9)}).error().code() == Errc::stale_read);
    const auto closed = read(store, [](Reader& r) { return r.holds(here, std::nullopt, 10); });
    REQUIRE(closed.rows.size() == 1);
    CHECK_FALSE(closed.more);
    CHECK(closed.rows[0].closed == minute(5));
  });
}

TEST_CASE("a listing's hash names its items, and one that arrives later changes it", "[store][R7]") {
  on_both([](Store& store) {
    REQUIRE(commit(store, {opening(1, minute(1)), item(1), item(7, HoldItemState::sent), item(2)}));
    const auto seen = *open_hold(store);
    CHECK(seen.held == 2);
    REQUIRE(commit(store, {item(3)}));
    const auto later = *open_hold(store);
    CHECK(later.listing != seen.listing);
    const auto found = read(store, [&](Reader& r) { return r.hold_item_at(here, seen.id, seen.listing); });
    REQUIRE(found);
    CHECK(found->seq == 3);
    CHECK_FALSE(read(store, [&](Reader& r) { return r.hold_item_at(here, seen.id, Sha256{}); }));
    const auto newest = read(store, [&](Reader& r) { return r.hold_item_of(here, id<ResourceId>(2, 2)); });
    REQUIRE(newest);
    CHECK(newest->seq == 3);
  });
}

TEST_CASE("a transaction decided before a hold began does not commit after it", "[store][R7]") {
  on_both([](Store& store) {
    ReadSet none;
    none.holds.push_back({here, {}});
    REQUIRE(commit(store, {reserve(1, minute(1))}, none));
    REQUIRE(commit(store, {opening(1, minute(1)), item(1)}, none));
    CHECK(commit(store, {op::Population{here, 1, minute(1)}}, none).error().code() == Errc::stale_read);
    ReadSet open;
    open.holds.push_back({here, id<HoldId>(1, 11)});
    CHECK(commit(store, {op::Population{here, 1, minute(1)}}, open));
  });
}

TEST_CASE("counters and population roll over days, and stay right after a restart", "[store][R7]") {
  const TempDir dir;
  const auto memory = store::make_memory_store(crypto());
  const auto dump = [](Store& store, WallTime now) {
    std::string text;
    for (const auto& row : read(store, [&](Reader& r) { return r.population(here, now); })) text += show(row);
    const auto sums = reserved(store, now);
    return text + " " + std::to_string(sums.hour) + " " + std::to_string(sums.day);
  };
  runtime::SeededRandom random(3);
  std::int64_t at = 1'000'000;
  for (int restart = 0; restart < 3; ++restart) {
    const auto sqlite = open_sqlite(dir.path());
    for (int i = 0; i < 120; ++i) {
      at += static_cast<std::int64_t>(random.below(200));
      const std::vector<Op> ops{reserve(random.below(3), minute(at), 12, 25),
                                op::Population{here, static_cast<std::int64_t>(random.below(9)) - 3, minute(at)}};
      const auto a = commit(*memory, ops);
      const auto b = commit(*sqlite, ops);
      REQUIRE(a.has_value() == b.has_value());
      REQUIRE(dump(*memory, minute(at)) == dump(*sqlite, minute(at)));
    }
  }
}

}  // namespace deprov::test::hold_test
