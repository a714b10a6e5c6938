#include <deprov/evidence/durations.hpp>
#include <deprov/runtime/random.hpp>
#include <vector>
#include "catch.hpp"

using deprov::Duration;
using deprov::evidence::Durations;

TEST_CASE("percentiles are the nearest rank, never too short and at most 0.4 percent too long",
          "[evidence][R20]") {
  deprov::runtime::SeededRandom random(20);
  for (const std::int64_t most : {200LL, 1'000'000LL, 86'400'000'000LL, 31'536'000'000'000LL}) {
    Durations d;
    std::vector<std::int64_t> exact;
    for (int i = 0; i < 3000; ++i) {
      const auto v = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(most)));
      d.add(Duration(v));
      exact.push_back(v);
    }
    std::sort(exact.begin(), exact.end());
    for (const double q : {0.01, 0.5, 0.95, 0.99, 1.0}) {
      const auto rank = static_cast<std::size_t>(std::ceil(q * 3000.0)) - 1;
      const auto got = d.percentile(q).count();
      CAPTURE(most, q, exact[rank], got);
      CHECK(got >= exact[rank]);
      CHECK(static_cast<double>(got) <= static_cast<double>(exact[rank]) * 1.004 + 1);
    }
    CHECK(d.max().count() == exact.back());
    CHECK(d.count() == 3000);
  }
}

TEST_CASE("one duration is all percentiles, none is zero, and a clock that jumped back is zero", "[evidence]") {
  Durations none;
  CHECK(none.percentile(0.5).count() == 0);
  Durations one;
  one.add(std::chrono::hours(24 * 365 * 200));
  CHECK(one.percentile(0.5) == one.max());
  CHECK(one.percentile(0.99) == std::chrono::hours(24 * 365 * 200));
  Durations back;
  back.add(Duration(-5));
  CHECK(back.percentile(0.5).count() == 0);
}
