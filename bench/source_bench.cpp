// What a full list of a source costs an engine: read, compared with the one before and with the subjects, stored,
// and carried out. Beside it: only parsing the same bytes into a Boost.JSON document, and raw SQLite that writes
// as many removals (DESIGN, section 9).
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/stream_parser.hpp>
#include <chrono>
#include <cstdio>
#include <deprov/engine/sources.hpp>
#include <future>
#include <string>
#include <utility>
#include "engine_world.hpp"
#include "raw_sqlite_yardstick.hpp"

using namespace deprov;
using namespace deprov::bench;

namespace {

namespace json = boost::json;

constexpr std::size_t piece_bytes = std::size_t{1} << 20U;
constexpr std::size_t one_in = 100;  ///< of whom one left
constexpr std::size_t most_in_document = 1'000'000;

double seconds_of(const std::function<void()>& f) {
  const auto from = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
}

/// The users of an `EngineWorld` as an IdP lists them, in pieces of about `piece_bytes`. In round 1 one in a
/// hundred is not active any more.
void list_of(std::size_t users, int round, const std::function<void(std::string)>& piece) {
  std::string out = R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"Resources":[)";
  char text[600];
  for (std::size_t i = 0; i < users; ++i) {
    const bool left = round == 1 && i % one_in == 7;
    const int size = std::snprintf(
        text, sizeof text,
        R"(%s{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819c223-7f76-453a-919d-%012zu",)"
        R"("externalId":"00u%zu","userName":"user%zu@example.com","name":{"givenName":"Barbara",)"
        R"("familyName":"Jensen"},"displayName":"Babs Jensen","active":%s,"emails":[{"value":"user%zu@example.com",)"
        R"("type":"work","primary":true}],"meta":{"resourceType":"User","created":"2010-01-23T04:56:22.000Z",)"
        R"("lastModified":"2011-05-13T04:42:34.000Z"}})",
        i == 0 ? "" : ",", i, i, i, left ? "false" : "true", i);
    out.append(text, static_cast<std::size_t>(size));
    if (out.size() >= piece_bytes) piece(std::exchange(out, {}));
  }
  piece(out + "]}");
}

/// Into one document; of more than a million users, which would take all memory, into several.
double parse_seconds(std::size_t users) {
  const std::size_t documents = (users + most_in_document - 1) / most_in_document;
  double seconds = 0;
  for (std::size_t n = 0; n < documents; ++n) {
    json::monotonic_resource memory(1U << 20U);
    json::stream_parser parser(&memory);
    list_of(users / documents, 0,
            [&](const std::string& piece) { seconds += seconds_of([&] { parser.write(piece); }); });
    parser.finish();
    benchmark::DoNotOptimize(parser.release());
  }
  return seconds;
}

template <class T, class Start>
T wait(const char* what, Start start) {
  std::promise<Result<T>> done;
  start([&](Result<T> r) { done.set_value(std::move(r)); });
  auto r = done.get_future().get();
  if (r) return std::move(*r);
  std::fprintf(stderr, "%s: %s\n", what, r.error().message().c_str());
  std::exit(1);
}

std::size_t in_use() { return mallinfo2().uordblks + mallinfo2().hblkhd; }

struct Synced {
  double read = 0;    ///< of all its pieces, each until it was taken
  double stored = 0;  ///< from there until it is the source's list
  double memory = 0;  ///< bytes a user, before its end
  json::object report;
};

Synced sync(EngineWorld& world, const engine::Principal& by, SourceId source, int round) {
  Synced s;
  auto sources = world.engine->sources();
  const auto before = in_use();
  const auto list = wait<WorkId>("begin", [&](auto done) {
    sources.begin(by, world.scope.integration, source, {false, 0, {}, {}}, std::move(done));
  });
  std::uint64_t at = 0;
  list_of(world.users.size(), round, [&](std::string piece) {
    const auto size = piece.size();
    s.read += seconds_of([&] {
      (void)wait<std::uint64_t>("feed",
                                [&](auto done) { sources.feed(by, list, at, std::move(piece), std::move(done)); });
    });
    at += size;
  });
  s.memory =
      (static_cast<double>(in_use()) - static_cast<double>(before)) / static_cast<double>(world.users.size());
  s.stored = seconds_of([&] {
    s.report = wait<json::object>("end", [&](auto done) { sources.end(by, list, {}, std::move(done)); });
  });
  return s;
}

void delta_applied(benchmark::State& state) {
  for (auto _ : state) {
    WorldOptions options;
    options.users = scaled(static_cast<std::size_t>(state.range(0)));
    EngineWorld world(options);
    const engine::Principal by{world.scope.workspace, {}, "benchmark", port::Role::owner};
    const auto added = wait<port::SourceRow>("add", [&](auto done) {
      world.engine->sources().add(by, world.scope.integration,
                                  {"list",
                                   "file",
                                   {{"format", "json"},
                                    {"list", "Resources"},
                                    {"id", "externalId"},
                                    {"active", "active"},
                                    {"max_users", options.users}}},
                                  std::move(done));
    });
    const double parse = parse_seconds(options.users);
    const auto first = sync(world, by, added.id, 0);
    const auto next = sync(world, by, added.id, 1);
    world.group = ResourceId{added.id.value};  // whose work is waited for
    const double carried_out = seconds_of([&] { world.wait_for_work(); });
    const auto leavers = next.report.at("ends").to_number<std::size_t>();
    std::map<port::JobState, std::uint64_t> jobs;
    std::promise<void> read;
    world.store->view(
        [&](port::Reader& reader) -> Result<void> {
          DEPROV_TRY(counts, reader.job_counts(world.scope));
          jobs = counts;
          return {};
        },
        [&](const Result<void>&) { read.set_value(); });
    read.get_future().wait();
    std::uint64_t made = 0;
    for (const auto& [what, n] : jobs) made += n;
    if (made != leavers || leavers == 0) state.SkipWithError("jobs are missing");
    ScratchDirectory scratch;
    const double yardstick = raw_patch_rate(scratch.path(), options.users, leavers);
    state.SetIterationTime(next.read + next.stored + carried_out);
    state.counters["parse_s"] = parse;
    state.counters["first_read_s"] = first.read;
    state.counters["first_stored_s"] = first.stored;
    state.counters["next_read_s"] = next.read;
    state.counters["next_stored_s"] = next.stored;
    state.counters["next_of_parse"] = (next.read + next.stored) / parse;
    state.counters["bytes_per_user"] = next.memory;
    state.counters["leavers"] = static_cast<double>(leavers);
    state.counters["leavers/s"] = static_cast<double>(leavers) / carried_out;
    state.counters["yardstick/s"] = yardstick;
    state.counters["ratio"] = static_cast<double>(leavers) / carried_out / yardstick;
  }
}
BENCHMARK(delta_applied)
    ->Arg(10'000)
    ->Arg(1'000'000)
    ->Arg(10'000'000)
    ->UseManualTime()
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
