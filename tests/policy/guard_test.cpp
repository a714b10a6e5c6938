#include <boost/json/parse.hpp>
#include <deprov/policy/guard.hpp>
#include <deprov/policy/policy.hpp>
#include <deprov/runtime/random.hpp>
#include "catch.hpp"

using namespace deprov;
using policy::Guard;

TEST_CASE("the guard is on by itself, with the limits of R7", "[policy][R7]") {
  const auto p = policy::parse_policy(boost::json::object{});
  REQUIRE(p);
  const auto& g = p->guard;
  CHECK(g.enabled);
  // Below 100 subjects: more than the larger of 5 and half.
  CHECK(policy::guard_limit(g, 0) == 5);
  CHECK(policy::guard_limit(g, 1) == 5);
  CHECK(policy::guard_limit(g, 11) == 5);
  CHECK(policy::guard_limit(g, 12) == 6);
  CHECK(policy::guard_limit(g, 99) == 49);
  // Percent or absolute, whichever comes first.
  CHECK(policy::guard_limit(g, 100) == 20);
  CHECK(policy::guard_limit(g, 2499) == 499);
  CHECK(policy::guard_limit(g, 2500) == 500);
  CHECK(policy::guard_limit(g, 1'000'000) == 500);
  // Removals and deletions at half of that.
  CHECK(policy::removal_limit(g, 1000) == 100);
  CHECK(policy::removal_limit(g, 1'000'000) == 250);
  // Per group: half of its members, and at least 10.
  CHECK(policy::group_limit(g, 0) == 9);
  CHECK(policy::group_limit(g, 18) == 9);
  CHECK(policy::group_limit(g, 20) == 10);
  CHECK(policy::group_limit(g, 1001) == 500);
}

TEST_CASE("a guard that is off limits nothing", "[policy][R7]") {
  Guard g;
  g.enabled = false;
  CHECK(policy::guard_limit(g, 3) == policy::no_limit);
  CHECK(policy::removal_limit(g, 3) == policy::no_limit);
  CHECK(policy::group_limit(g, 3) == policy::no_limit);
  CHECK_FALSE(policy::needs_base(g));
}

TEST_CASE("100 percent is no limit of its own, whoever had access", "[policy][R7]") {
  Guard g;
  g.percent = 100;
  g.small.below = 0;
  g.absolute = 7;
  CHECK_FALSE(policy::needs_base(g));
  CHECK(policy::guard_limit(g, 0) == 7);
  g.removal_percent = 100;
  CHECK(policy::removal_limit(g, 0) == 7);
  g.group.percent = 100;
  CHECK(policy::group_limit(g, 3) == policy::no_limit);
}

TEST_CASE("limits never pass the absolute one, and rise with percent and base", "[policy][R7][property]") {
  runtime::SeededRandom random(5);
  for (int i = 0; i < 20'000; ++i) {
    Guard g;
    g.percent = static_cast<double>(random.below(100));
    g.absolute = random.below(2000);
    g.small = {random.below(300), static_cast<double>(random.below(100)), random.below(20)};
    g.removal_percent = static_cast<double>(random.below(100));
    const auto base = random.below(20'000);
    const auto limit = policy::guard_limit(g, base);
    CAPTURE(g.percent, g.absolute, g.small.below, base, limit);
    REQUIRE(limit <= g.absolute);
    REQUIRE(limit <= std::max(base, g.small.least));
    REQUIRE(policy::removal_limit(g, base) <= limit);
    auto wider = g;
    wider.percent = g.percent + 1;
    wider.absolute += 1;
    REQUIRE(policy::guard_limit(wider, base) >= limit);
    const bool same_rule = (base < g.small.below) == (base + 1 < g.small.below);
    if (same_rule) REQUIRE(policy::guard_limit(g, base + 1) >= limit);
  }
}

TEST_CASE("the base is what had access when the window began", "[policy][R7]") {
  using policy::guard_base;
  CHECK(guard_base({}, 5000).hour == 0);
  // 100 long ago, 10 more 2 hours ago, 40 fewer just now.
  const auto b = guard_base({{0, 100}, {4880, 10}, {5000, -40}}, 5000);
  CHECK(b.hour == 110);
  CHECK(b.day == 100);
  CHECK(b.lasting);
  // Exactly at the edges: a minute belongs to the window for 60 minutes.
  CHECK(guard_base({{0, 100}, {4940, 10}}, 5000).hour == 110);
  CHECK(guard_base({{0, 100}, {4941, 10}}, 5000).hour == 100);
  // A feed that fills up first does not widen the limit for what follows.
  CHECK(guard_base({{0, 100}, {4999, 10'000}}, 5000).hour == 100);
}

TEST_CASE("without a past the largest number since stands in", "[policy][R7]") {
  const auto b = policy::guard_base({{4990, 80}, {4995, -30}}, 5000);
  CHECK(b.hour == 80);
  CHECK(b.day == 80);
  CHECK_FALSE(b.lasting);
  // Gained and lost in one minute is one step: 20 came and 6 of them left.
  CHECK(policy::guard_base({{4990, 14}}, 5000, 6, 6).hour == 20);
  // Where there is a past nothing widens it.
  CHECK(policy::guard_base({{0, 100}, {4999, -6}}, 5000, 6, 6).day == 100);
}

TEST_CASE("a base is never more than some number that had access", "[policy][R7][property]") {
  runtime::SeededRandom random(6);
  for (int i = 0; i < 3000; ++i) {
    std::vector<policy::PopulationStep> steps;
    std::int64_t now = 0;
    std::int64_t most = 0;
    std::int64_t minute = 0;
    for (auto n = random.below(30); n > 0; --n) {
      const auto gained = static_cast<std::int64_t>(random.below(50));
      const auto delta = random.below(2) == 0 ? gained : -std::min(now, gained);
      now += delta;
      most = std::max(most, now);
      steps.push_back({minute, delta});
      minute += static_cast<std::int64_t>(1 + random.below(200));
    }
    const auto b = policy::guard_base(steps, minute);
    REQUIRE(static_cast<std::int64_t>(b.hour) <= most);
    REQUIRE(static_cast<std::int64_t>(b.day) <= most);
    REQUIRE((most == 0 || (b.hour > 0 && b.day > 0)));
  }
}

TEST_CASE("a guard's document names what is wrong, and comes back as it was", "[policy][R7]") {
  const auto parse = [](const char* text) { return policy::parse_policy(boost::json::parse(text)); };
  CHECK(parse(R"({"guard":{"percent":101}})").error().where() == "/guard/percent");
  CHECK(parse(R"({"guard":{"absolute":-1}})").error().where() == "/guard/absolute");
  CHECK(parse(R"({"guard":{"smal":{}}})").error().where() == "/guard/smal");
  CHECK(parse(R"({"guard":{"small":{"least":"5"}}})").error().where() == "/guard/small/least");
  const auto p = parse(R"({"guard":{"percent":7.5,"absolute":9,"small":{"below":3},"group":{"least":2},
                           "removal_percent":10,"enabled":false}})");
  REQUIRE(p);
  CHECK(p->guard.percent == 7.5);
  CHECK(p->guard.small.below == 3);
  CHECK(p->guard.small.least == 5);
  const auto document = policy::to_json(*p);
  const auto again = policy::parse_policy(document);
  REQUIRE(again);
  CHECK(policy::to_json(*again) == document);
}
