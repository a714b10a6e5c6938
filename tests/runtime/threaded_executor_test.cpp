#include <atomic>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/event_thread.hpp>
#include <deprov/runtime/threaded_executor.hpp>
#include <limits>
#include <memory>
#include <thread>
#include <utility>
#include <vector>
#include "catch.hpp"

using namespace std::chrono_literals;
using deprov::MonoTime;
using deprov::port::Task;
using deprov::runtime::Event;
using deprov::runtime::SystemClock;
using deprov::runtime::ThreadedExecutor;

TEST_CASE("threaded: posts run one after the other in their order") {
  std::vector<int> seen;
  Event done;
  ThreadedExecutor e;
  for (int i = 0; i < 1000; ++i) e.post([&seen, i] { seen.push_back(i); });
  e.post([&] { done.set(); });
  REQUIRE(done.wait_for(120s));
  REQUIRE(seen.size() == 1000);
  for (int i = 0; i < 1000; ++i) CHECK(seen[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("threaded: posts of many threads are all run, each thread's in its order") {
  constexpr int threads = 4;
  constexpr int each = 5000;
  std::vector<int> last(threads, -1);
  bool ordered = true;
  int count = 0;
  Event done;
  ThreadedExecutor e;
  std::vector<std::thread> posters;
  for (int t = 0; t < threads; ++t)
    posters.emplace_back([&, t] {
      for (int i = 0; i < each; ++i)
        e.post([&, t, i] {
          auto& l = last[static_cast<std::size_t>(t)];
          ordered = ordered && i == l + 1;
          l = i;
          if (++count == threads * each) done.set();
        });
    });
  for (auto& p : posters) p.join();
  REQUIRE(done.wait_for(120s));
  CHECK(ordered);
}

TEST_CASE("threaded: a task that posts is not run inside its own post") {
  Event done;
  std::vector<int> seen;
  ThreadedExecutor e;
  e.post([&] {
    e.post([&] {
      seen.push_back(2);
      done.set();
    });
    seen.push_back(1);
  });
  REQUIRE(done.wait_for(120s));
  CHECK(seen == std::vector<int>{1, 2});
}

TEST_CASE("threaded: timers run in the order of their times and not before them") {
  const SystemClock clock;
  std::vector<int> seen;
  bool early = false;
  Event done;
  ThreadedExecutor e;
  const auto now = clock.mono();
  const auto at = [&](std::chrono::milliseconds ms, int i) {
    e.post_at(now + ms, [&, ms, i] {
      early = early || clock.mono() < now + ms;
      seen.push_back(i);
      if (i == 3) done.set();
    });
  };
  at(30ms, 3);
  at(20ms, 2);
  at(10ms, 1);
  e.post_at(MonoTime{std::numeric_limits<std::int64_t>::max()}, [&] { seen.push_back(99); });
  e.post_at(MonoTime{std::numeric_limits<std::int64_t>::min()}, [&] { seen.push_back(0); });
  REQUIRE(done.wait_for(120s));
  CHECK(seen == std::vector<int>{0, 1, 2, 3});
  CHECK_FALSE(early);
}

TEST_CASE("threaded: what is cancelled on the executor does not run, even when it was due already") {
  const SystemClock clock;
  bool ran = false;
  Event done;
  ThreadedExecutor e;
  e.post([&] {
    const auto past = clock.mono() + (-1s);
    deprov::port::TimerId second = 0;
    auto id = std::make_shared<deprov::port::TimerId>(0);
    e.post_at(past, [&e, id] { e.cancel(*id); });
    second = e.post_at(past, [&] { ran = true; });
    *id = second;
    e.post_at(past, [&] { done.set(); });
  });
  REQUIRE(done.wait_for(120s));
  e.stop();
  CHECK_FALSE(ran);
  e.cancel(12345);  // unknown: nothing happens
}

TEST_CASE("threaded: cancelled timers do not pile up") {
  ThreadedExecutor e;
  const SystemClock clock;
  auto witness = std::make_shared<int>(1);
  for (int i = 0; i < 100'000; ++i) e.cancel(e.post_at(clock.mono() + 1h, [witness] {}));
  CHECK(witness.use_count() == 1);
}

TEST_CASE("threaded: what was not run is destroyed with the executor, also what its destruction posts") {
  auto witness = std::make_shared<int>(1);
  std::atomic<int> ran{0};
  {
    ThreadedExecutor e;
    struct Poster {
      ThreadedExecutor* e;
      std::shared_ptr<int> w;
      explicit Poster(ThreadedExecutor* x, std::shared_ptr<int> y) : e(x), w(std::move(y)) {}
      Poster(Poster&& o) noexcept : e(std::exchange(o.e, nullptr)), w(std::move(o.w)) {}
      Poster(const Poster&) = delete;
      Poster& operator=(const Poster&) = delete;
      Poster& operator=(Poster&&) = delete;
      ~Poster() {
        if (e != nullptr) e->post([w = w] {});
      }
    };
    Event started;
    Event go_on;
    e.post([&] {
      started.set();
      go_on.wait();
    });
    started.wait();
    e.post([p = Poster(&e, witness), &ran] { ++ran; });
    const SystemClock clock;
    e.post_at(clock.mono() + 1h, [witness, &ran] { ++ran; });
    std::thread stopper([&] { e.stop(); });
    go_on.set();
    stopper.join();
    e.post([witness, &ran] { ++ran; });
    e.stop();
  }
  CHECK(ran <= 1);  // the first may have been run before the stop was seen
  CHECK(witness.use_count() == 1);
}

TEST_CASE("threaded: it knows its own tasks") {
  Event done;
  bool here = false;
  bool other = true;
  ThreadedExecutor a("a");
  ThreadedExecutor b("b");
  CHECK_FALSE(a.running_here());
  a.post([&] {
    here = a.running_here();
    other = b.running_here();
    done.set();
  });
  REQUIRE(done.wait_for(120s));
  a.wake();
  a.stop();
  CHECK(here);
  CHECK_FALSE(other);
}
