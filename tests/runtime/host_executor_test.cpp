#include <poll.h>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/host_executor.hpp>
#include <memory>
#include <thread>
#include <vector>
#include "catch.hpp"

using namespace std::chrono_literals;
using deprov::runtime::HostExecutor;
using deprov::runtime::SystemClock;

namespace {
bool readable(int fd, int timeout_ms = 0) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, timeout_ms) == 1;
}
}  // namespace

TEST_CASE("host-pumped: nothing runs until it is pumped, and the descriptor says when") {
  HostExecutor e;
  REQUIRE(e.descriptor() >= 0);
  CHECK_FALSE(readable(e.descriptor()));
  CHECK_FALSE(e.pump(1s).has_value());
  std::vector<int> seen;
  e.post([&] {
    seen.push_back(1);
    CHECK(e.running_here());
    e.post([&] { seen.push_back(3); });
  });
  e.post([&] { seen.push_back(2); });
  CHECK(seen.empty());
  CHECK(readable(e.descriptor()));
  CHECK_FALSE(e.pump(10s).has_value());
  CHECK(seen == std::vector<int>{1, 2, 3});
  CHECK_FALSE(readable(e.descriptor()));
  CHECK_FALSE(e.running_here());
}

TEST_CASE("host-pumped: a budget that is used up leaves the rest, in its order, and says so") {
  HostExecutor e;
  std::vector<int> seen;
  for (int i = 0; i < 3; ++i) e.post([&seen, i] { seen.push_back(i); });
  const SystemClock clock;
  const auto next = e.pump(0s);
  REQUIRE(next.has_value());
  CHECK(*next <= clock.mono());
  CHECK(readable(e.descriptor()));
  CHECK(seen == std::vector<int>{0});
  e.post([&seen] { seen.push_back(3); });
  CHECK_FALSE(e.pump(10s).has_value());
  CHECK(seen == std::vector<int>{0, 1, 2, 3});
}

TEST_CASE("host-pumped: timers are answered as the next deadline") {
  HostExecutor e;
  const SystemClock clock;
  const auto start = clock.mono();
  bool ran = false;
  e.post_at(start + 1h, [] {});
  const auto soon = e.post_at(start + 30min, [] {});
  CHECK(readable(e.descriptor()));
  CHECK(e.pump(1s) == start + 30min);
  e.cancel(soon);
  CHECK(e.pump(1s) == start + 1h);
  e.post_at(start, [&] { ran = true; });
  CHECK(e.pump(1s) == start + 1h);
  CHECK(ran);
}

TEST_CASE("host-pumped: a timer cancelled by a task before it in the same round does not run") {
  HostExecutor e;
  const SystemClock clock;
  bool ran = false;
  deprov::port::TimerId second = 0;
  e.post_at(clock.mono(), [&] { e.cancel(second); });
  second = e.post_at(clock.mono(), [&] { ran = true; });
  e.pump(1s);
  CHECK_FALSE(ran);
}

TEST_CASE("host-pumped: posts from elsewhere wake the host") {
  HostExecutor e;
  int seen = 0;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) e.post([&] { ++seen; });
  });
  while (seen < 1000) {
    REQUIRE(readable(e.descriptor(), 20'000));
    e.pump(1ms);
  }
  other.join();
  e.wake();
  CHECK(readable(e.descriptor()));
}

TEST_CASE("host-pumped: what was not run is destroyed with the executor") {
  auto witness = std::make_shared<int>(1);
  {
    HostExecutor e;
    e.post([witness] {});
    const SystemClock clock;
    e.post_at(clock.mono() + 1h, [witness] {});
  }
  CHECK(witness.use_count() == 1);
}
