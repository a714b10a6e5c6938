#include "jobs/limiter.hpp"
#include "catch.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using jobs::Limiter;

namespace {
connector::Reply reply(connector::Outcome outcome) {
  connector::Reply r;
  r.outcome = outcome;
  return r;
}
MonoTime at(Duration d) { return MonoTime{} + 1s + d; }
policy::Policy policy_of(std::uint32_t start, std::uint32_t most) {
  policy::Policy p;
  p.lane.start_concurrency = start;
  p.lane.max_concurrency = most;
  return p;
}
}  // namespace

TEST_CASE("concurrency starts where the policy says and grows by one a window", "[jobs][limiter]") {
  Limiter l(policy_of(2, 16), {});
  CHECK(l.try_acquire(at(0s)));
  CHECK(l.try_acquire(at(0s)));
  CHECK_FALSE(l.try_acquire(at(0s)));
  CHECK_FALSE(l.retry_at(at(0s)).has_value());
  l.finished(reply(connector::Outcome::ok), at(0s));
  l.finished(reply(connector::Outcome::ok), at(0s));
  CHECK(l.limit() == 2);
  CHECK(l.try_acquire(at(0s)));
  l.finished(reply(connector::Outcome::ok), at(0s));
  CHECK(l.limit() == 3);
}

TEST_CASE("concurrency stays within the app's limit and the policy's", "[jobs][limiter]") {
  connector::RateLimits app;
  app.max_concurrency = 3;
  Limiter l(policy_of(8, 16), app);
  CHECK(l.limit() == 3);
  for (int i = 0; i < 100; ++i) {
    REQUIRE(l.try_acquire(at(0s)));
    l.finished(reply(connector::Outcome::ok), at(0s));
  }
  CHECK(l.limit() == 3);
}

TEST_CASE("throttling halves concurrency and waits as told", "[jobs][limiter][R17]") {
  Limiter l(policy_of(8, 16), {});
  REQUIRE(l.try_acquire(at(0s)));
  auto r = reply(connector::Outcome::throttled);
  r.retry_after = 7s;
  l.finished(r, at(0s));
  CHECK(l.limit() == 4);
  CHECK_FALSE(l.try_acquire(at(6s)));
  REQUIRE(l.retry_at(at(6s)).has_value());
  CHECK(*l.retry_at(at(6s)) == at(7s));
  CHECK(l.try_acquire(at(7s)));
}

TEST_CASE("an app that wants no wait at all is left alone for a moment all the same", "[jobs][limiter][R17]") {
  auto policy = policy_of(8, 16);
  Limiter l(policy, {});
  auto r = reply(connector::Outcome::throttled);
  r.retry_after = 0s;
  REQUIRE(l.try_acquire(at(0s)));
  l.finished(r, at(0s));
  CHECK_FALSE(l.try_acquire(at(999ms)));
  CHECK(l.try_acquire(at(1s)));
  policy.retry.base = 20ms;  // who is impatient with failures is so with this
  Limiter quick(policy, {});
  REQUIRE(quick.try_acquire(at(0s)));
  quick.finished(r, at(0s));
  CHECK_FALSE(quick.try_acquire(at(19ms)));
  CHECK(quick.try_acquire(at(20ms)));
}

TEST_CASE("a throttled account does not stop the others", "[jobs][limiter][R17]") {
  Limiter l(policy_of(8, 16), {});
  REQUIRE(l.try_acquire(at(0s)));
  auto r = reply(connector::Outcome::throttled);
  r.retry_after = 7s;
  r.throttle_scope = connector::ThrottleScope::account;
  l.finished(r, at(0s));
  CHECK(l.try_acquire(at(1s)));
}

TEST_CASE("the breaker opens after failures in a row, lets one call probe, and doubles its wait",
          "[jobs][limiter]") {
  auto p = policy_of(4, 4);
  p.breaker = {3, 10s, 15s};
  Limiter l(p, {});
  for (int i = 0; i < 3; ++i) {
    REQUIRE(l.try_acquire(at(0s)));
    l.finished(reply(connector::Outcome::unavailable), at(0s));
  }
  CHECK(l.breaker_open(at(9s)));
  CHECK_FALSE(l.try_acquire(at(9s)));
  REQUIRE(l.try_acquire(at(10s)));
  CHECK_FALSE(l.try_acquire(at(10s)));
  l.finished(reply(connector::Outcome::unavailable), at(10s));
  CHECK_FALSE(l.try_acquire(at(24s)));
  REQUIRE(l.try_acquire(at(25s)));  // 15 s: doubled, up to its bound
  l.finished(reply(connector::Outcome::ok), at(25s));
  CHECK_FALSE(l.breaker_open(at(25s)));
  CHECK(l.try_acquire(at(25s)));
}

TEST_CASE("a failure between successes does not open the breaker", "[jobs][limiter]") {
  auto p = policy_of(4, 4);
  p.breaker = {2, 10s, 10s};
  Limiter l(p, {});
  for (int i = 0; i < 10; ++i) {
    REQUIRE(l.try_acquire(at(0s)));
    l.finished(reply(i % 2 == 0 ? connector::Outcome::unavailable : connector::Outcome::ok), at(0s));
  }
  CHECK_FALSE(l.breaker_open(at(0s)));
}

TEST_CASE("the token bucket bounds calls a second", "[jobs][limiter]") {
  auto p = policy_of(100, 100);
  p.lane.per_second = 10;
  p.lane.burst = 5;
  connector::RateLimits app;
  app.max_concurrency = 100;
  Limiter l(p, app);
  int began = 0;
  for (int ms = 0; ms <= 1000; ms += 10) {
    while (l.try_acquire(at(std::chrono::milliseconds(ms)))) {
      ++began;
      l.finished(reply(connector::Outcome::ok), at(std::chrono::milliseconds(ms)));
    }
  }
  CHECK(began >= 14);
  CHECK(began <= 15);
  const auto next = l.retry_at(at(1s));
  REQUIRE(next.has_value());
  CHECK(*next > at(1s));
  CHECK(*next <= at(1100ms));
}

TEST_CASE("calls that were under way when the breaker opened do not lengthen its wait", "[jobs][limiter]") {
  auto p = policy_of(8, 8);
  p.breaker = {3, 10s, 600s};
  connector::RateLimits app;
  app.max_concurrency = 8;
  Limiter l(p, app);
  for (int i = 0; i < 8; ++i) REQUIRE(l.try_acquire(at(0s)));
  for (int i = 0; i < 8; ++i) l.finished(reply(connector::Outcome::unavailable), at(0s));
  CHECK_FALSE(l.try_acquire(at(9s)));
  CHECK(l.try_acquire(at(10s)));
}
