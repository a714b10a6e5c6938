// What the server adds to a bare Beast server: the same bytes, the same load, the same two cores.
#include <benchmark/benchmark.h>
#include <condition_variable>
#include <deprov/server/server.hpp>
#include <mutex>
#include <thread>
#include "bare_beast_server.hpp"
#include "http_load.hpp"
#include "scale.hpp"

namespace {

using namespace deprov;

const std::string user =
    R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"0192f3a0-0000-7000-8000-000000000001",)"
    R"("externalId":"00u1","userName":"someone@example.com","active":true,"name":{"givenName":"Some","familyName":"One"},)"
    R"("emails":[{"value":"someone@example.com","type":"work","primary":true}],"meta":{"resourceType":"User",)"
    R"("created":"2026-01-01T00:00:00.000Z","lastModified":"2026-01-01T00:00:00.000Z","version":"W/\"1\""}})";
const std::vector<std::pair<std::string, std::string>> fields = {{"Content-Type", "application/scim+json"},
                                                                 {"ETag", "W/\"1\""}};

service::Response answer() {
  service::Response r;
  for (const auto& [name, value] : fields) r.headers.push_back({name, value});
  r.body = user;
  return r;
}

class Same final : public service::Handler {
 public:
  void handle(service::Request, service::Responder respond) override { respond(answer()); }
};

/// Answers from a thread of its own, as the engine does.
class Elsewhere final : public service::Handler {
 public:
  Elsewhere() : thread_([this] { work(); }) {}
  ~Elsewhere() override {
    {
      const std::scoped_lock lock(mutex_);
      over_ = true;
    }
    came_.notify_one();
    thread_.join();
  }
  void handle(service::Request, service::Responder respond) override {
    const std::scoped_lock lock(mutex_);
    open_.push_back(std::move(respond));
    if (open_.size() == 1) came_.notify_one();
  }

 private:
  void work() {
    std::vector<service::Responder> now;
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        came_.wait(lock, [this] { return over_ || !open_.empty(); });
        if (over_) return;
        now.swap(open_);
      }
      for (auto& respond : now) respond(answer());
      now.clear();
    }
  }
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<service::Responder> open_;
  bool over_ = false;
  std::thread thread_;
};

void run(benchmark::State& state, std::uint16_t port, std::string_view method, std::string_view body) {
  bench::HttpLoad load;
  load.port = port;
  load.connections = static_cast<std::size_t>(state.range(0));
  load.requests = bench::scaled(100'000);
  load.request = [&](std::uint64_t, std::string& out) {
    bench::append_scim_request(
        out, method, "/scim/v2/0192f3a0-0000-7000-8000-0000000000aa/Users/0192f3a0-0000-7000-8000-000000000001",
        "dpg_0123456789abcdefghijklmnopqrstuvwxyz", body);
  };
  double requests = 0;
  for (auto _ : state) {
    auto r = bench::run_http_load(load);
    if (!r || r->not_2xx != 0) {
      state.SkipWithError(r ? r->first_other_body.c_str() : r.error().message().c_str());
      return;
    }
    state.SetIterationTime(r->seconds);
    requests += static_cast<double>(r->requests);
    state.counters["p50_us"] = r->p50_us;
    state.counters["p99_us"] = r->p99_us;
    state.counters["cpu_us"] = r->other_cpu_seconds * 1e6 / static_cast<double>(r->requests);
  }
  state.counters["per_second"] = benchmark::Counter(requests, benchmark::Counter::kIsRate);
}

constexpr std::string_view patch =
    R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":false}}]})";

void with(benchmark::State& state, service::Handler& handler, std::string_view method, std::string_view body) {
  server::ServerOptions options;
  options.port = 0;
  auto server = server::Server::start(options, handler);
  if (!server) return state.SkipWithError(server.error().message().c_str());
  run(state, (*server)->port(), method, body);
}

void get_bare_beast(benchmark::State& state) {
  const bench::BareBeastServer server(200, fields, user);
  run(state, server.port(), "GET", {});
}
void get_here(benchmark::State& state) {
  Same handler;
  with(state, handler, "GET", {});
}
void get_answered_elsewhere(benchmark::State& state) {
  Elsewhere handler;
  with(state, handler, "GET", {});
}
void patch_bare_beast(benchmark::State& state) {
  const bench::BareBeastServer server(200, fields, user);
  run(state, server.port(), "PATCH", patch);
}
void patch_here(benchmark::State& state) {
  Same handler;
  with(state, handler, "PATCH", patch);
}
void patch_answered_elsewhere(benchmark::State& state) {
  Elsewhere handler;
  with(state, handler, "PATCH", patch);
}

void settings(benchmark::internal::Benchmark* b) {
  b->Arg(1)->Arg(64)->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(3);
}

}  // namespace

BENCHMARK(get_bare_beast)->Apply(settings);
BENCHMARK(get_here)->Apply(settings);
BENCHMARK(get_answered_elsewhere)->Apply(settings);
BENCHMARK(patch_bare_beast)->Apply(settings);
BENCHMARK(patch_here)->Apply(settings);
BENCHMARK(patch_answered_elsewhere)->Apply(settings);
BENCHMARK_MAIN();
