#include "jobs/backoff.hpp"
#include <deprov/runtime/random.hpp>
#include "catch.hpp"

using namespace deprov;
using namespace std::chrono_literals;

TEST_CASE("the wait is between half of d and d, and d doubles up to the ceiling", "[jobs][R17]") {
  runtime::SeededRandom random(7);
  const policy::Retry retry{2s, 60s};
  for (std::uint32_t attempt = 1; attempt <= 40; ++attempt) {
    Duration d = 2s;
    for (std::uint32_t i = 1; i < attempt && d < Duration(60s); ++i) d *= 2;
    d = std::min<Duration>(d, 60s);
    for (int i = 0; i < 50; ++i) {
      const auto wait = jobs::backoff(retry, attempt, std::nullopt, random);
      CHECK(wait >= d / 2);
      CHECK(wait <= d);
    }
  }
}

TEST_CASE("the app's wish is a lower bound", "[jobs][R17]") {
  runtime::SeededRandom random(7);
  CHECK(jobs::backoff({2s, 60s}, 1, 300s, random) == Duration(300s));
  CHECK(jobs::backoff({2s, 60s}, 5, 1s, random) >= Duration(16s));
}

TEST_CASE("a great many attempts do not overflow", "[jobs][R17]") {
  runtime::SeededRandom random(7);
  CHECK(jobs::backoff({2s, 6h}, 4'000'000'000U, std::nullopt, random) <= Duration(6h));
}
