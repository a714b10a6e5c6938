// deprov-sim: plays seeds, and shows what fails in the shortest way.
#include <algorithm>
#include <atomic>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>
#include "sim/sim.hpp"

namespace {

using namespace deprov::test::sim;

constexpr const char* usage =
    "Usage: deprov-sim [--seed N [--only I,J,...]] [--seeds A..B] [--for SECONDS] [--from N] [--jobs N]\n"
    "                  [--fault NAME] [--faults] [--no-minimise] [--activity] [--json]\n"
    "  --seed N       plays one seed, and says what it is made of where it fails\n"
    "  --only I,J     with these of its events alone\n"
    "  --seeds A..B   plays A, A+1, ... B\n"
    "  --for SECONDS  plays seeds from --from (default 1) on until the time is over; 0: until something fails\n"
    "  --jobs N       so many at a time (default 1)\n"
    "  --fault NAME   with a planted fault; --faults lists them\n"
    "  --no-minimise  leaves a failing list of events as it is\n"
    "  --activity     prints what the activity says at the end\n"
    "  --json         one JSON object on standard output\n"
    "Exit codes: 0 nothing was found, 1 an oracle found something, 2 wrong usage\n";

struct Options {
  std::uint64_t first = 1, last = 0;
  std::optional<double> seconds;
  std::optional<std::vector<std::size_t>> only;
  unsigned jobs = 1;
  const Fault* fault = nullptr;
  bool activity = false, list = false, json = false, minimise = true, help = false;
};

template <class T>
bool number(std::string_view text, T& out) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return ec == std::errc{} && end == text.data() + text.size() && !text.empty();
}

bool parse(const std::vector<std::string_view>& args, Options& o) {
  for (std::size_t i = 0; i < args.size(); ++i) {
    const auto name = args[i];
    if (name == "--json" || name == "--faults" || name == "--no-minimise" || name == "--help") {
      (name == "--json"     ? o.json
       : name == "--faults" ? o.list
       : name == "--help"   ? o.help
                            : o.minimise) = name != "--no-minimise";
      continue;
    }
    if (name == "--activity") {
      o.activity = true;
      continue;
    }
    if (++i == args.size()) return false;
    const auto value = args[i];
    if (name == "--seed") {
      if (!number(value, o.first)) return false;
      o.last = o.first;
    } else if (name == "--seeds") {
      const auto dots = value.find("..");
      if (dots == std::string_view::npos || !number(value.substr(0, dots), o.first) ||
          !number(value.substr(dots + 2), o.last) || o.last < o.first)
        return false;
    } else if (name == "--for") {
      unsigned n = 0;
      if (!number(value, n)) return false;
      o.seconds = n;
    } else if (name == "--from") {
      if (!number(value, o.first)) return false;
    } else if (name == "--jobs") {
      if (!number(value, o.jobs) || o.jobs == 0 || o.jobs > 256) return false;
    } else if (name == "--fault") {
      o.fault = find_fault(value);
      if (o.fault == nullptr) return false;
    } else if (name == "--only") {
      o.only.emplace();
      for (std::size_t at = 0; at <= value.size();) {
        const auto comma = std::min(value.find(',', at), value.size());
        std::size_t n = 0;
        if (!number(value.substr(at, comma - at), n)) return false;
        o.only->push_back(n);
        at = comma + 1;
      }
    } else {
      return false;
    }
  }
  return o.help || o.list || o.last >= o.first || o.seconds;
}

struct Sum {
  std::mutex mutex;
  std::uint64_t seeds = 0, steps = 0, conflicts = 0, refused = 0;
  Oracle::Counts counts;
  boost::json::array failures;
};

void play_one(const Options& o, std::uint64_t seed, Sum& sum) {
  auto script = write_script(seed);
  if (o.only) script = only(std::move(script), *o.only);
  std::function<void(const std::string&)> line;
  if (o.activity) line = [](const std::string& text) { (void)std::printf("%s\n", text.c_str()); };
  const auto out = play(script, o.fault, line);
  {
    const std::lock_guard lock(sum.mutex);
    ++sum.seeds;
    sum.steps += out.steps;
    sum.counts.commits += out.counts.commits;
    sum.counts.sent += out.counts.sent;
    sum.counts.effects += out.counts.effects;
    sum.counts.subjects += out.counts.subjects;
    sum.counts.records += out.counts.records;
    sum.counts.roles += out.counts.roles;
    sum.counts.polls += out.counts.polls;
    sum.counts.spoiled += out.counts.spoiled;
    sum.conflicts += out.conflicts;
    sum.refused += out.refused;
  }
  if (!out.violation) return;
  std::vector<std::size_t> needed;
  if (o.minimise) {
    needed = minimise(script, *out.violation, o.fault);
  } else {
    for (std::size_t i = 0; i < script.events.size(); ++i) needed.push_back(i);
  }
  const auto text = report(script, needed, *out.violation, o.fault);
  const std::lock_guard lock(sum.mutex);
  sum.failures.push_back(boost::json::object{
      {"seed", seed}, {"oracle", out.violation->oracle}, {"what", out.violation->what}, {"report", text}});
  if (!o.json) (void)std::fprintf(stderr, "%s\n", text.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  if (!parse({argv + 1, argv + argc}, o)) {
    (void)std::fputs(usage, stderr);
    return 2;
  }
  if (o.help) return std::fputs(usage, stdout) < 0 ? 1 : 0;
  if (o.list) {
    for (const auto& f : planted_faults())
      (void)std::printf("%-22s %s\n", std::string(f.name).c_str(), std::string(f.what).c_str());
    return 0;
  }
  Sum sum;
  std::atomic<std::uint64_t> next{o.first};
  std::atomic<bool> failed{false};
  const auto began = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  };
  const auto work = [&] {
    for (;;) {
      if (o.seconds ? (*o.seconds != 0 ? elapsed() >= *o.seconds : failed.load()) : false) return;
      const auto seed = next++;
      if (!o.seconds && seed > o.last) return;
      play_one(o, seed, sum);
      const std::lock_guard lock(sum.mutex);
      failed = !sum.failures.empty();
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < o.jobs; ++i) threads.emplace_back(work);
  work();
  for (auto& t : threads) t.join();
  const bool found = !sum.failures.empty();
  if (o.json) {
    const boost::json::object all{{"seeds", sum.seeds},
                                  {"first", o.first},
                                  {"seconds", elapsed()},
                                  {"steps", sum.steps},
                                  {"commits", sum.counts.commits},
                                  {"sent", sum.counts.sent},
                                  {"effects", sum.counts.effects},
                                  {"subjects_checked", sum.counts.subjects},
                                  {"records_verified", sum.counts.records},
                                  {"roles_checked", sum.counts.roles},
                                  {"polls", sum.counts.polls},
                                  {"polls_spoiled", sum.counts.spoiled},
                                  {"conflicts", sum.conflicts},
                                  {"refused_by_the_guard", sum.refused},
                                  {"failures", sum.failures}};
    (void)std::printf("%s\n", boost::json::serialize(all).c_str());
  } else {
    (void)std::printf(
        "%llu seeds in %.1f s, %zu failed: %llu steps, %llu commits, %llu requests sent, %llu effects\n",
        static_cast<unsigned long long>(sum.seeds), elapsed(), sum.failures.size(),
        static_cast<unsigned long long>(sum.steps), static_cast<unsigned long long>(sum.counts.commits),
        static_cast<unsigned long long>(sum.counts.sent), static_cast<unsigned long long>(sum.counts.effects));
  }
  return found ? 1 : 0;
}
