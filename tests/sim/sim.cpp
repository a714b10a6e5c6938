#include "sim/sim.hpp"
#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <numeric>
#include <utility>
#include "sim/world.hpp"

namespace deprov::test::sim {

Outcome play(const Script& script, const Fault* fault, const std::function<void(const std::string&)>& line) {
  World world(script, fault);
  world.run();
  if (line) world.tell(line);
  Outcome out;
  out.violation = world.oracle->violation();
  out.counts = world.oracle->counts();
  for (const auto& app : world.apps) {
    if (!app.directory) continue;
    out.counts.polls += app.directory->asked;
    out.counts.spoiled += app.directory->spoiled;
  }
  out.steps = world.steps;
  out.conflicts = world.disk->conflicts;
  out.refused = world.disk->refused;
  out.digest = world.oracle->digest();
  out.lasted = world.clock.mono() - MonoTime{1'000'000};
  return out;
}

Script only(Script script, const std::vector<std::size_t>& events) {
  std::vector<Event> kept;
  for (const auto i : events)
    if (i < script.events.size()) kept.push_back(script.events[i]);
  script.events = std::move(kept);
  return script;
}

std::vector<std::size_t> minimise(const Script& script, const Violation& violation, const Fault* fault,
                                  std::size_t most) {
  std::vector<std::size_t> needed(script.events.size());
  std::iota(needed.begin(), needed.end(), std::size_t{0});
  std::size_t played = 0;
  const auto fails = [&](const std::vector<std::size_t>& events) {
    ++played;
    const auto out = play(only(script, events), fault);
    return out.violation && out.violation->oracle == violation.oracle;
  };
  std::size_t parts = 2;
  while (needed.size() > 1 && played < most) {
    const auto size = (needed.size() + parts - 1) / parts;
    bool shorter = false;
    for (std::size_t from = 0; from < needed.size() && played < most; from += size) {
      auto rest = needed;
      const auto begin = rest.begin() + static_cast<std::ptrdiff_t>(from);
      rest.erase(begin, rest.begin() + static_cast<std::ptrdiff_t>(std::min(from + size, needed.size())));
      if (!fails(rest)) continue;
      needed = std::move(rest);
      parts = std::max<std::size_t>(parts - 1, 2);
      shorter = true;
      break;
    }
    if (shorter) continue;
    if (parts >= needed.size()) break;
    parts = std::min(parts * 2, needed.size());
  }
  if (needed.size() == 1 && fails({})) needed.clear();
  return needed;
}

std::string report(const Script& script, const std::vector<std::size_t>& needed, const Violation& violation,
                   const Fault* fault) {
  std::string out = "seed " + std::to_string(script.seed) + ": " + violation.oracle + ": " + violation.what + '\n';
  std::string list;
  for (const auto i : needed) list += (list.empty() ? "" : ",") + std::to_string(i);
  out += "see it again: deprov-sim --seed " + std::to_string(script.seed) +
         (list.empty() ? "" : " --only " + list) +
         (fault != nullptr ? " --fault " + std::string(fault->name) : std::string{}) + '\n';
  out += std::to_string(script.engines) + " engine(s), pieces of " + std::to_string(script.piece) + ", up to " +
         std::to_string(script.inline_members) + " members at once, lane of " +
         std::to_string(script.lane_window) + '\n';
  constexpr std::array<const char*, 5> polled{"", ", polled by index", ", polled by cursor", ", Okta polled",
                                              ", Graph polled"};
  for (std::size_t i = 0; i < script.apps.size(); ++i) {
    const auto& a = script.apps[i];
    out += "app " + std::to_string(i) + ": " + a.idp + ", " + std::to_string(a.users) + " users, " +
           std::to_string(a.groups) + " groups" + (a.readable ? "" : ", not readable") +
           (a.asynchronous ? ", asynchronous" : "") + polled.at(a.polled) +
           (a.lag_ms != 0 ? ", lags " + std::to_string(a.lag_ms) + " ms" : std::string{}) + ", policy " +
           json::serialize(a.policy) + '\n';
  }
  for (const auto i : needed) out += "  [" + std::to_string(i) + "] " + to_text(script.events[i]) + '\n';
  return out;
}

}  // namespace deprov::test::sim
