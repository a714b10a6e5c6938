// Seeds through the simulator. What fails prints its seed and the shortest list of events.
#include "sim/sim.hpp"
#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include "catch.hpp"
#include "support/sanitized.hpp"

using namespace deprov::test::sim;

namespace {

// Sanitizers make it several times slower; the other builds play the rest.
constexpr std::uint64_t seeds = deprov::test::sanitized ? 150 : 2000;

/// The first seed of those that an oracle finds something in, or nothing.
std::optional<std::pair<std::uint64_t, Violation>> first_caught(const Fault& fault, std::uint64_t most) {
  for (std::uint64_t seed = 1; seed <= most; ++seed)
    if (auto out = play(write_script(seed), &fault); out.violation) return std::pair(seed, *out.violation);
  return std::nullopt;
}

}  // namespace

TEST_CASE("a seed is the same world every time", "[sim]") {
  for (const std::uint64_t seed : {1U, 7U, 100U, 1000U}) {
    const auto script = write_script(seed);
    const auto first = play(script);
    const auto second = play(script);
    CHECK(first.digest == second.digest);
    CHECK(first.steps == second.steps);
  }
}

TEST_CASE("whatever happens, the oracles find nothing",
          "[sim][R1][R3][R4][R5][R6][R7][R9][R12][R16][R18][R19][R20]") {
  std::atomic<std::uint64_t> next{1};
  std::mutex mutex;
  std::vector<std::string> found;
  Oracle::Counts sum;
  std::uint64_t conflicts = 0, refused = 0;
  const auto work = [&] {
    for (auto seed = next++; seed <= seeds; seed = next++) {
      const auto script = write_script(seed);
      const auto out = play(script);
      std::string text;
      if (out.violation) text = report(script, minimise(script, *out.violation), *out.violation);
      const std::lock_guard lock(mutex);
      if (!text.empty()) found.push_back(std::move(text));
      sum.sent += out.counts.sent;
      sum.effects += out.counts.effects;
      sum.records += out.counts.records;
      sum.roles += out.counts.roles;
      sum.polls += out.counts.polls;
      sum.spoiled += out.counts.spoiled;
      conflicts += out.conflicts;
      refused += out.refused;
    }
  };
  std::thread other(work);
  work();
  other.join();
  for (const auto& text : found) FAIL_CHECK(text);
  // That something was looked at.
  CHECK(sum.effects > seeds);
  CHECK(sum.sent >= sum.effects);
  CHECK(sum.records > 10 * seeds);
  CHECK(sum.roles > seeds / 10);
  // That directories were polled, and answered what they should not.
  CHECK(sum.polls > 10 * seeds);
  CHECK(sum.spoiled > seeds);
  // That decisions met: two groups left at once, callers at the guard's limit, engines on one store.
  CHECK(conflicts > seeds / 4);
  CHECK(refused > seeds / 10);
}

// Beyond the seeds above: each of these showed a fault of deprov that has a test of its own by now.
TEST_CASE("seeds that found something once stay clean", "[sim]") {
  for (const std::uint64_t seed : {2034U, 2608U, 8221U, 8337U, 9070U, 13201U, 25493U, 32060U, 32740U, 33425U,
                                   37968U, 41580U, 45126U, 49468U, 300231U, 301452U}) {
    const auto script = write_script(seed);
    const auto out = play(script);
    if (out.violation) FAIL_CHECK(report(script, minimise(script, *out.violation), *out.violation));
  }
}

TEST_CASE("each planted fault is found", "[sim]") {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::vector<std::string> missed;
  const auto faults = planted_faults();
  REQUIRE(faults.size() >= 10);
  const auto work = [&] {
    for (auto i = next++; i < faults.size(); i = next++) {
      // What the oracles find does not depend on the build.
      if (deprov::test::sanitized && i % 5 != 0) continue;
      if (first_caught(faults[i], 600)) continue;
      const std::lock_guard lock(mutex);
      missed.emplace_back(faults[i].name);
    }
  };
  std::thread other(work);
  work();
  other.join();
  for (const auto& name : missed) FAIL_CHECK("nothing finds the planted fault " + name);
}

TEST_CASE("a failing list of events is shortened, and still fails", "[sim]") {
  const auto* fault = find_fault("job_lost");
  REQUIRE(fault != nullptr);
  const auto caught = first_caught(*fault, 600);
  REQUIRE(caught);
  const auto script = write_script(caught->first);
  const auto needed = minimise(script, caught->second, fault);
  CHECK(needed.size() <= script.events.size());
  const auto again = play(only(script, needed), fault);
  REQUIRE(again.violation);
  CHECK(again.violation->oracle == caught->second.oracle);
  const auto text = report(script, needed, *again.violation, fault);
  CHECK(text.find("deprov-sim --seed " + std::to_string(caught->first)) != std::string::npos);
}
