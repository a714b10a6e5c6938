#include <array>
#include <deprov/runtime/random.hpp>
#include <set>
#include <vector>
#include "catch.hpp"

using deprov::runtime::SeededRandom;

TEST_CASE("seeded random: the same seed gives the same bytes, another seed others") {
  SeededRandom a(7);
  SeededRandom b(7);
  SeededRandom c(8);
  std::array<std::uint8_t, 33> x{};
  std::array<std::uint8_t, 33> y{};
  std::array<std::uint8_t, 33> z{};
  for (int i = 0; i < 10; ++i) {
    a.fill(x);
    b.fill(y);
    c.fill(z);
    CHECK(x == y);
    CHECK(x != z);
  }
}

TEST_CASE("seeded random: values spread") {
  SeededRandom r(1);
  std::set<std::uint64_t> values;
  std::array<int, 10> buckets{};
  for (int i = 0; i < 10'000; ++i) {
    values.insert(r.u64());
    ++buckets[r.below(10)];
  }
  CHECK(values.size() == 10'000);
  for (const auto n : buckets) {
    CHECK(n > 850);
    CHECK(n < 1150);
  }
}
