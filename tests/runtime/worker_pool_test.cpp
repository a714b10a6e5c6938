#include <atomic>
#include <deprov/runtime/event_thread.hpp>
#include <deprov/runtime/worker_pool.hpp>
#include <memory>
#include "catch.hpp"

using namespace std::chrono_literals;
using deprov::port::Task;
using deprov::runtime::Event;
using deprov::runtime::EventThread;
using deprov::runtime::WorkerPool;

TEST_CASE("pool: tasks run side by side") {
  WorkerPool pool(2, 10);
  CHECK(pool.threads() == 2);
  Event a;
  Event b;
  Event both;
  Task first([&] {
    a.set();
    b.wait();
    both.set();
  });
  Task second([&] {
    a.wait();
    b.set();
  });
  REQUIRE(pool.try_post(first));
  REQUIRE(pool.try_post(second));
  CHECK(both.wait_for(120s));
}

TEST_CASE("pool: a full queue refuses and leaves the task alone; stop runs what was accepted") {
  std::atomic<int> ran{0};
  WorkerPool pool(1, 2);
  Event started;
  Event go_on;
  Task blocker([&] {
    started.set();
    go_on.wait();
  });
  REQUIRE(pool.try_post(blocker));
  started.wait();
  for (int i = 0; i < 2; ++i) {
    Task t([&] { ++ran; });
    REQUIRE(pool.try_post(t));
  }
  CHECK(pool.queued() == 2);
  Task refused([&] { ran += 100; });
  CHECK_FALSE(pool.try_post(refused));
  CHECK(static_cast<bool>(refused));
  go_on.set();
  pool.stop();
  CHECK(ran == 2);
  CHECK_FALSE(pool.try_post(refused));
  pool.stop();
}

TEST_CASE("event thread: runs its body once and knows itself") {
  Event started;
  Event go_on;
  std::atomic<bool> here{false};
  std::unique_ptr<EventThread> t;
  t = std::make_unique<EventThread>("x", [&] {
    started.wait();
    here = t->running_here();
    go_on.set();
  });
  CHECK_FALSE(t->running_here());
  started.set();
  REQUIRE(go_on.wait_for(120s));
  t->join();
  t->join();
  CHECK(here);
}

TEST_CASE("event: waiting for what does not come ends") {
  const Event e;
  CHECK_FALSE(e.is_set());
  CHECK_FALSE(e.wait_for(1ms));
  Event same = e;
  same.set();
  CHECK(e.is_set());
  e.wait();
}
