// The engine in process: what a removal costs from the request to the durable answer, and on to verified.
// Every figure stands beside its yardstick, measured in the same run on the same disk (DESIGN, section 9).
#include <benchmark/benchmark.h>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include "engine_world.hpp"
#include "raw_sqlite_yardstick.hpp"

using namespace deprov;
using namespace deprov::bench;

namespace {

const std::string deactivate =
    R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":false}}]})";

void report(benchmark::State& state, const Rate& rate, double yardstick) {
  state.SetIterationTime(rate.seconds);
  state.counters["requests/s"] = rate.per_second();
  state.counters["p50_us"] = rate.p50_us;
  state.counters["p99_us"] = rate.p99_us;
  state.counters["yardstick/s"] = yardstick;
  state.counters["ratio"] = rate.per_second() / yardstick;
  if (rate.failures != 0) state.SkipWithError(("requests failed: " + std::to_string(rate.failures)).c_str());
}

void patch_active(benchmark::State& state, bool paused) {
  for (auto _ : state) {
    const auto count = scaled(40'000);
    WorldOptions options;
    options.users = scaled(100'000);
    options.paused = paused;
    // One step, so that a job's barriers are the yardstick's: lease, sent, outcome, verified.
    options.policy =
        R"({"causes":{"deactivated":["disable"]},"lane":{"start_concurrency":64,"max_concurrency":256},
        "guard":{"percent":100,"absolute":1000000000,"small":{"below":0},"group":{"percent":100}}})";
    EngineWorld world(options);
    const auto begin = world.clock.mono();
    auto rate = world.drive(std::min(count, world.users.size()), 64, [&](std::size_t i) {
      return world.request("PATCH", "/Users/" + world.users[leaver(i, world.users.size())].str(), deactivate);
    });
    if (!paused) {
      const auto done = world.drain();
      rate.seconds = static_cast<double>((world.clock.mono() - begin).count()) / 1e6;
      if (done != rate.requests) state.SkipWithError("jobs are missing");
    }
    ScratchDirectory scratch;
    double yardstick = raw_patch_rate(scratch.path(), options.users, count);
    if (!paused) {  // what is timed is the request and its job: so is the yardstick
      const double jobs = raw_job_rate(scratch.path(), options.users, count);
      state.counters["raw_jobs/s"] = jobs;
      yardstick = 1 / (1 / yardstick + 1 / jobs);
    }
    report(state, rate, yardstick);
  }
}
BENCHMARK_CAPTURE(patch_active, lane_paused, true)->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(patch_active, lane_running, false)
    ->UseManualTime()
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

void per_removal(benchmark::State& state) {
  for (auto _ : state) {
    WorldOptions options;
    options.users = 1000;
    EngineWorld world(options);
    const auto before = world.store->stats();
    const auto rate = world.drive(1000, 64, [&](std::size_t i) {
      return world.request("PATCH", "/Users/" + world.users[i].str(), deactivate);
    });
    const auto after = world.store->stats();
    state.SetIterationTime(rate.seconds);
    const double n = 1000;
    state.counters["statements"] = static_cast<double>(after.statements - before.statements) / n;
    state.counters["rows"] = static_cast<double>(after.rows - before.rows) / n;
    state.counters["wal_bytes"] = static_cast<double>(after.wal_bytes - before.wal_bytes) / n;
  }
}
BENCHMARK(per_removal)->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);

void get_by_id(benchmark::State& state) {
  for (auto _ : state) {
    WorldOptions options;
    options.users = scaled(100'000);
    EngineWorld world(options);
    const auto rate = world.drive(scaled(100'000), 64, [&](std::size_t i) {
      return world.request("GET", "/Users/" + world.users[(i * 7919) % world.users.size()].str());
    });
    state.SetIterationTime(rate.seconds);
    state.counters["requests/s"] = rate.per_second();
    state.counters["p50_us"] = rate.p50_us;
  }
}
BENCHMARK(get_by_id)->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);

void filter_user_name(benchmark::State& state) {
  for (auto _ : state) {
    WorldOptions options;
    options.users = scaled(static_cast<std::size_t>(state.range(0)));
    EngineWorld world(options);
    const auto count = scaled(30'000);
    const auto rate = world.drive(count, 64, [&](std::size_t i) {
      const auto n = (i * 7919) % world.users.size();
      return world.request("GET", "/Users?filter=userName%20eq%20%22user" + std::to_string(n) +
                                      "%40example.com%22&startIndex=1&count=100");
    });
    ScratchDirectory scratch;
    report(state, rate, raw_select_rate(scratch.path(), options.users, count));
  }
}
BENCHMARK(filter_user_name)
    ->Arg(1'000)
    ->Arg(100'000)
    ->Arg(1'000'000)
    ->UseManualTime()
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

std::string members_patch(const char* op, const EngineWorld& world, std::size_t first, std::size_t count) {
  std::string body = R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":")" +
                     std::string(op) + R"(","path":"members","value":[)";
  for (std::size_t i = 0; i < count; ++i) {
    if (i != 0) body += ',';
    body += R"({"value":")" + world.users[first + i].str() + "\"}";
  }
  return body + "]}]}";
}

/// One member in and out of a group of that size; the figure of 1,000,000 belongs beside that of 1,000.
void one_member(benchmark::State& state) {
  for (auto _ : state) {
    WorldOptions options;
    options.users = scaled(static_cast<std::size_t>(state.range(0))) + 1;
    options.group_members = options.users - 1;
    options.bound = false;
    EngineWorld world(options);
    const auto rate = world.drive(scaled(2000), 1, [&](std::size_t i) {
      return world.request("PATCH", "/Groups/" + world.group.str(),
                           members_patch(i % 2 == 0 ? "add" : "remove", world, world.users.size() - 1, 1));
    });
    state.SetIterationTime(rate.seconds);
    state.counters["p50_us"] = rate.p50_us;
    state.counters["p99_us"] = rate.p99_us;
    if (rate.failures != 0) state.SkipWithError(rate.first_failure.c_str());
  }
}
BENCHMARK(one_member)->Arg(1'000)->Arg(1'000'000)->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);

/// That many members removed in one request, each losing access; beside it the latency of somebody else's PATCH.
void many_members(benchmark::State& state) {
  for (auto _ : state) {
    WorldOptions options;
    const auto members = scaled(static_cast<std::size_t>(state.range(0)));
    options.users = members + 2000;
    options.group_members = members;
    options.policy = R"({"entitling_groups":[{"display_name":"Everybody"}],"settle_ms":0,
        "guard":{"percent":100,"absolute":1000000000,"small":{"below":0},"group":{"percent":100}}})";
    EngineWorld world(options);
    const auto patch = members_patch("remove", world, 0, members);
    const auto quiet = world.drive(1000, 4, [&](std::size_t i) {
      return world.request("PATCH", "/Users/" + world.users[members + i].str(), deactivate);
    });
    const auto begin = world.clock.mono();
    const auto answered = world.drive(
        1, 1, [&](std::size_t) { return world.request("PATCH", "/Groups/" + world.group.str(), patch); });
    const auto busy = world.drive(1000, 4, [&](std::size_t i) {
      return world.request("PATCH", "/Users/" + world.users[members + 1000 + i].str(), deactivate);
    });
    world.wait_for_work();
    const double seconds = static_cast<double>((world.clock.mono() - begin).count()) / 1e6;
    state.SetIterationTime(seconds);
    state.counters["members/s"] = static_cast<double>(members) / seconds;
    state.counters["answer_ms"] = answered.seconds * 1000;
    state.counters["others_p50_us"] = busy.p50_us;
    state.counters["others_p99_us"] = busy.p99_us;
    state.counters["quiet_p50_us"] = quiet.p50_us;
    state.counters["quiet_p99_us"] = quiet.p99_us;
    if (answered.failures != 0) state.SkipWithError(answered.first_failure.c_str());
    if (busy.failures != 0) state.SkipWithError(busy.first_failure.c_str());
  }
}
BENCHMARK(many_members)->Arg(10'000)->Arg(100'000)->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);

/// Idle engine: from the request to the connector being called, beside three commits.
void request_to_call(benchmark::State& state) {
  for (auto _ : state) {
    WorldOptions options;
    options.users = 2000;
    options.paused = false;
    EngineWorld world(options);
    const auto [to_call_us, commits_us] = world.request_to_call(500);
    state.SetIterationTime(to_call_us / 1e6);
    state.counters["p50_us"] = to_call_us;
    state.counters["three_commits_us"] = commits_us;
    state.counters["above_ms"] = (to_call_us - commits_us) / 1000;
  }
}
BENCHMARK(request_to_call)->UseManualTime()->Iterations(1)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
