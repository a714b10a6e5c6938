#include <deprov/runtime/virtual_executor.hpp>
#include <functional>
#include <memory>
#include <utility>
#include <vector>
#include "catch.hpp"

using namespace std::chrono_literals;
using deprov::runtime::VirtualClock;
using deprov::runtime::VirtualExecutor;

TEST_CASE("virtual: time moves only when told, timers fire in order") {
  VirtualClock clock;
  VirtualExecutor e(clock);
  const auto start = clock.mono();
  std::vector<std::pair<int, std::int64_t>> seen;
  const auto note = [&](int i) { seen.emplace_back(i, (clock.mono() - start).count() / 1'000'000); };
  e.post_at(start + 10s, [&] { note(3); });
  e.post_at(start + 5s, [&] {
    note(1);
    e.post([&] { note(2); });
    e.post_at(clock.mono() + 20s, [&] { note(5); });
  });
  e.post_at(start + 10s, [&] { note(4); });
  e.post([&] { note(0); });
  CHECK(e.run_until_idle() == 1);
  CHECK(clock.mono() == start);
  CHECK(e.run_until(start + 20s) == 4);
  CHECK(clock.mono() == start + 20s);
  CHECK(e.next_timer() == start + 25s);
  CHECK_FALSE(e.has_ready());
  CHECK(e.run_for(5s) == 1);
  const std::vector<std::pair<int, std::int64_t>> expected{{0, 0}, {1, 5}, {2, 5}, {3, 10}, {4, 10}, {5, 25}};
  CHECK(seen == expected);
  CHECK(e.pending() == 0);
}

TEST_CASE("virtual: one at a time") {
  VirtualClock clock;
  VirtualExecutor e(clock);
  int n = 0;
  e.post([&] {
    ++n;
    CHECK(e.running_here());
  });
  e.post([&] { ++n; });
  CHECK(e.pending() == 2);
  CHECK(e.run_one());
  CHECK(n == 1);
  CHECK(e.pending() == 1);
  CHECK(e.run_one());
  CHECK_FALSE(e.run_one());
  CHECK_FALSE(e.running_here());
}

TEST_CASE("virtual: a cancelled timer is neither ready nor next") {
  VirtualClock clock;
  VirtualExecutor e(clock);
  bool ran = false;
  const auto a = e.post_at(clock.mono() + 1s, [&] { ran = true; });
  deprov::port::TimerId b = 0;
  e.post_at(clock.mono() + 2s, [&] { e.cancel(b); });
  b = e.post_at(clock.mono() + 2s, [&] { ran = true; });
  e.cancel(a);
  CHECK(e.next_timer() == clock.mono() + 2s);
  CHECK(e.advance_to_next_timer());
  CHECK(e.run_one());
  CHECK_FALSE(e.has_ready());
  CHECK_FALSE(e.advance_to_next_timer());
  CHECK_FALSE(e.run_one());
  CHECK_FALSE(ran);
}

TEST_CASE("virtual: endless posting ends at the limit") {
  VirtualClock clock;
  VirtualExecutor e(clock);
  std::function<void()> again = [&] { e.post([&] { again(); }); };
  again();
  CHECK(e.run_until_idle(1000) == 1000);
  const auto before = clock.mono();
  CHECK(e.run_until(before + 1s, 1000) == 1000);
  CHECK(clock.mono() == before);
}

TEST_CASE("virtual: what was not run is destroyed with the executor") {
  auto witness = std::make_shared<int>(1);
  {
    VirtualClock clock;
    VirtualExecutor e(clock);
    e.post([] {});
    e.post([witness] {});
    e.post_at(clock.mono() + 1s, [witness] {});
    e.run_one();
  }
  CHECK(witness.use_count() == 1);
}

TEST_CASE("virtual clock: the wall can jump, the stopwatch cannot") {
  VirtualClock clock(deprov::WallTime{5'000'000});
  CHECK(clock.wall().micros == 5'000'000);
  clock.advance(2s);
  CHECK(clock.wall().micros == 7'000'000);
  clock.advance(-2s);
  CHECK(clock.wall().micros == 7'000'000);
  const auto mono = clock.mono();
  clock.jump_wall(deprov::WallTime{0});
  CHECK(clock.mono() == mono);
  CHECK(clock.wall().micros == 0);
  clock.advance_to(mono + 1s);
  clock.advance_to(mono);
  CHECK(clock.wall().micros == 1'000'000);
}
