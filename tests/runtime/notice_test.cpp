#include <poll.h>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/host_executor.hpp>
#include <deprov/runtime/notice.hpp>
#include <thread>
#include "catch.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using runtime::HostExecutor;
using runtime::Notice;

namespace {
bool is_up(int fd) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, 0) == 1;
}
}  // namespace

TEST_CASE("a notice is readable while it is up") {
  Notice notice;
  CHECK_FALSE(is_up(notice.descriptor()));
  notice.set();
  notice.set();
  CHECK(notice.is_set());
  CHECK(is_up(notice.descriptor()));
  notice.clear();
  notice.clear();
  CHECK_FALSE(notice.is_set());
  CHECK_FALSE(is_up(notice.descriptor()));
}

TEST_CASE("a notice wakes whoever waits, and a wait without one ends") {
  Notice notice;
  CHECK_FALSE(notice.wait_for(0ms));
  CHECK_FALSE(notice.wait_for(1ms));
  std::thread setter([notice]() mutable { notice.set(); });
  CHECK(notice.wait_for(std::chrono::hours(1)));
  setter.join();
}

TEST_CASE("a descriptor is left alone while somebody looks anyhow, and says afterwards what the flag does") {
  Notice notice;
  const auto fd = notice.descriptor();
  {
    const Notice::Quiet quiet(notice);
    std::thread([notice]() mutable { notice.set(); }).join();
    CHECK(notice.wait_for(std::chrono::hours(1)));
    CHECK_FALSE(is_up(fd));
    { const Notice::Quiet also(notice); }
    CHECK_FALSE(is_up(fd));
  }
  CHECK(is_up(fd));
  {
    const Notice::Quiet quiet(notice);
    notice.clear();
    CHECK_FALSE(is_up(fd));
    notice.set();
    notice.clear();
  }
  CHECK_FALSE(is_up(fd));
  // Nobody looks: the descriptor says so at once.
  notice.set();
  CHECK(is_up(fd));
}

TEST_CASE("a descriptor that is asked for late shows that the notice is up") {
  Notice notice;
  notice.set();
  CHECK(is_up(notice.descriptor()));
}

TEST_CASE("durations without bound do not overflow") {
  const MonoTime now{1'000'000};
  CHECK(runtime::after(now, Duration::max()) > now);
  CHECK(runtime::after(now, Duration(-5)) == now);
  CHECK(runtime::after(now, 5us) == now + 5us);
}

TEST_CASE("a host executor is pumped until a notice is up") {
  HostExecutor executor;
  Notice notice;
  const runtime::SystemClock clock;
  SECTION("by a task that is ready") {
    executor.post([notice]() mutable { notice.set(); });
  }
  SECTION("by a timer") {
    executor.post_at(clock.mono() + 1ms, [notice]() mutable { notice.set(); });
  }
  SECTION("by another thread") {
    std::thread([notice]() mutable { notice.set(); }).join();
  }
  CHECK(executor.pump_until(notice, std::chrono::hours(1)));
}

TEST_CASE("pumping for a notice ends when the time does") {
  HostExecutor executor;
  CHECK_FALSE(executor.pump_until(Notice{}, 1ms));
  CHECK_FALSE(executor.pump_until(Notice{}, 0ms));
}

TEST_CASE("two threads that pump for notices of their own both come back") {
  HostExecutor executor;
  constexpr int rounds = 200;
  const auto each = [&executor] {
    for (int i = 0; i < rounds; ++i) {
      Notice mine;
      executor.post([mine]() mutable { mine.set(); });
      if (!executor.pump_until(mine, std::chrono::hours(1))) return false;
    }
    return true;
  };
  bool other = false;
  std::thread thread([&] { other = each(); });
  CHECK(each());
  thread.join();
  CHECK(other);
}
