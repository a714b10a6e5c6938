// The service over HTTP: GET by id beside a bare Beast server that answers the same bytes, and the PATCH that
// starts a removal beside raw SQLite. Server, store and load generator share the machine (DESIGN, section 9).
#include <benchmark/benchmark.h>
#include <algorithm>
#include <cstdlib>
#include <deprov/server/server.hpp>
#include <string>
#include <utility>
#include "bare_beast_server.hpp"
#include "engine_world.hpp"
#include "http_load.hpp"
#include "raw_sqlite_yardstick.hpp"

using namespace deprov;
using namespace deprov::bench;

namespace {

const std::string deactivate =
    R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":false}}]})";

std::unique_ptr<server::Server> serve(benchmark::State& state, EngineWorld& world) {
  server::ServerOptions options;
  options.port = 0;
  auto started = server::Server::start(options, *world.scim);
  if (started) return std::move(*started);
  state.SkipWithError(started.error().message().c_str());
  return nullptr;
}

/// False where the run is of no use.
bool usable(benchmark::State& state, const Result<HttpLoadResult>& r) {
  if (!r)
    state.SkipWithError(r.error().message().c_str());
  else if (r->not_2xx != 0)
    state.SkipWithError((std::to_string(r->first_other_status) + " " + r->first_other_body).c_str());
  return r && r->not_2xx == 0;
}

void report(benchmark::State& state, const HttpLoadResult& r) {
  state.SetIterationTime(r.seconds);
  state.counters["requests/s"] = r.rate;
  state.counters["p50_us"] = r.p50_us;
  state.counters["p99_us"] = r.p99_us;
  state.counters["cpu_us"] = r.other_cpu_seconds * 1e6 / static_cast<double>(r.requests);
}

/// What the bare server has to send to answer the same bytes; the length it works out itself.
std::vector<std::pair<std::string, std::string>> fields_of(const std::string& head) {
  std::vector<std::pair<std::string, std::string>> out;
  for (std::size_t at = head.find("\r\n") + 2; at + 2 < head.size();) {
    const auto end = head.find("\r\n", at);
    const auto colon = head.find(": ", at);
    auto name = head.substr(at, colon - at);
    if (name != "Content-Length") out.emplace_back(std::move(name), head.substr(colon + 2, end - colon - 2));
    at = end + 2;
  }
  return out;
}

/// Ours and the bare one by turns, so that whatever else the machine does meets both.
void get_by_id(benchmark::State& state) {
  WorldOptions options;
  options.users = scaled(100'000);
  EngineWorld world(options);
  const auto server = serve(state, world);
  if (!server) return;
  const auto base = "/scim/v2/" + world.scope.integration.str() + "/Users/";
  HttpLoad load;
  load.connections = static_cast<std::size_t>(state.range(0));
  load.requests = scaled(200'000);
  load.request = [&](std::uint64_t n, std::string& out) {
    append_scim_request(out, "GET", base + world.users[n * 7919 % world.users.size()].str(), world.token);
  };
  std::string first;
  load.request(0, first);
  const auto answer = ask_once(server->port(), first);
  if (!answer || answer->status != 200) return state.SkipWithError("GET is not answered 200");
  const BareBeastServer bare(answer->status, fields_of(answer->head), answer->body);
  double ours = 0;
  double theirs = 0;
  for (auto _ : state) {
    load.port = bare.port();
    const auto yardstick = run_http_load(load);
    load.port = server->port();
    const auto r = run_http_load(load);
    if (!usable(state, yardstick) || !usable(state, r)) return;
    report(state, *r);
    ours += r->seconds;
    theirs += yardstick->seconds;
    state.counters["yardstick/s"] = yardstick->rate;
    state.counters["yardstick_cpu_us"] =
        yardstick->other_cpu_seconds * 1e6 / static_cast<double>(yardstick->requests);
  }
  state.counters["ratio"] = theirs / ours;
}
BENCHMARK(get_by_id)
    ->ArgName("connections")
    ->Arg(1)
    ->Arg(64)
    ->UseManualTime()
    ->Iterations(3)
    ->Unit(benchmark::kMillisecond);

/// Each user is deactivated once, so that every request starts a removal; its lane is paused.
void patch_active(benchmark::State& state) {
  for (auto _ : state) {
    const auto count = scaled(40'000);
    WorldOptions options;
    options.users = scaled(100'000);
    EngineWorld world(options);
    const auto server = serve(state, world);
    if (!server) return;
    const auto base = "/scim/v2/" + world.scope.integration.str() + "/Users/";
    HttpLoad load;
    load.port = server->port();
    load.connections = static_cast<std::size_t>(state.range(0));
    load.requests = std::min(count, world.users.size());
    load.request = [&](std::uint64_t n, std::string& out) {
      append_scim_request(out, "PATCH", base + world.users[leaver(n, world.users.size())].str(), world.token,
                          deactivate);
    };
    const auto r = run_http_load(load);
    if (!usable(state, r)) return;
    report(state, *r);
    const ScratchDirectory scratch;
    const auto yardstick = raw_patch_rate(scratch.path(), options.users, count);
    state.counters["yardstick/s"] = yardstick;
    state.counters["ratio"] = r->rate / yardstick;
  }
}
BENCHMARK(patch_active)
    ->ArgName("connections")
    ->Arg(64)
    ->UseManualTime()
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
