// Queries: what the pieces of the SCIM core cost beside parsing and serialising the same JSON with Boost.JSON
// alone, and what lists cost by index, by order, by cursor and by looking at everyone (DESIGN, section 9).
#include <benchmark/benchmark.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <cstdlib>
#include <deprov/scim/match.hpp>
#include <deprov/scim/patch.hpp>
#include <deprov/scim/projection.hpp>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include "engine_world.hpp"

using namespace deprov;
using namespace deprov::bench;

namespace {

namespace json = boost::json;

std::size_t scaled(std::size_t n) {
  const char* scale = std::getenv("DEPROV_BENCH_SCALE");
  const double factor = scale != nullptr ? std::atof(scale) : 1.0;
  return std::max<std::size_t>(200, static_cast<std::size_t>(static_cast<double>(n) * factor));
}

const std::string document =
    R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819c223-7f76-453a-919d-413861904646",)"
    R"("externalId":"00u1","userName":"bjensen@example.com","name":{"givenName":"Barbara","familyName":"Jensen"},)"
    R"("displayName":"Babs Jensen","title":"Tour Guide","active":true,"emails":[{"value":"bjensen@example.com",)"
    R"("type":"work","primary":true},{"value":"babs@jensen.org","type":"home"}],)"
    R"("meta":{"resourceType":"User","created":"2010-01-23T04:56:22.000Z","lastModified":"2011-05-13T04:42:34.000Z"}})";
const std::string filter_text =
    R"(emails[type eq "work" and value co "@example.com"] and (title sw "Tour" or not (active eq false)))";
const std::string patch_text =
    R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)"
    R"({"op":"replace","path":"active","value":false},{"op":"replace","path":"emails[type eq \"work\"].value",)"
    R"("value":"b@example.com"},{"op":"add","value":{"title":"Guide"}}]})";

const scim::TypeDef& user_type() { return *scim::SchemaRegistry::builtin().type("User"); }

// ---- the yardstick
void json_of_user(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(json::serialize(json::parse(document)));
}
BENCHMARK(json_of_user);
void json_of_patch(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(json::serialize(json::parse(patch_text)));
}
BENCHMARK(json_of_patch);

// ---- the pieces
void filter_parse(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(scim::parse_filter(filter_text));
}
BENCHMARK(filter_parse);
void filter_match(benchmark::State& state) {
  const auto matcher = scim::Matcher::compile(scim::parse_filter(filter_text).value(), user_type()).value();
  const auto resource = json::parse(document).as_object();
  for (auto _ : state) benchmark::DoNotOptimize(matcher(resource));
}
BENCHMARK(filter_match);
void patch_apply(benchmark::State& state) {
  const auto patch = scim::parse_patch(json::parse(patch_text)).value();
  const auto before = json::parse(document).as_object();
  for (auto _ : state) {
    auto resource = before;
    benchmark::DoNotOptimize(scim::apply(scim::PatchRequest(patch), resource, user_type()));
  }
}
BENCHMARK(patch_apply);
void projection(benchmark::State& state) {
  const std::vector<std::string> names{"userName", "name.familyName", "emails.value"};
  const scim::Projection chosen(user_type(), names, {});
  const auto resource = json::parse(document).as_object();
  for (auto _ : state) benchmark::DoNotOptimize(chosen.apply(resource));
}
BENCHMARK(projection);

// ---- lists
double resident_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::atof(line.c_str() + 6) / 1024;
  return 0;
}

/// One world per size: filling it costs more than everything that is asked of it.
EngineWorld& world_of(std::size_t users) {
  static std::size_t size = 0;
  static std::unique_ptr<EngineWorld> world;
  if (size == users) return *world;
  world.reset();
  WorldOptions options;
  options.users = users;
  options.bound = false;
  world = std::make_unique<EngineWorld>(options);
  size = users;
  return *world;
}

enum class Ask {
  user_name,
  external_id,
  email,
  display_name,
  either,
  modified,
  scan,
  sort_name,
  sort_scan,
  page_3
};

std::string query_of(Ask what, std::size_t n) {
  const auto number = std::to_string(n);
  switch (what) {
    case Ask::user_name: return "?filter=userName%20eq%20%22user" + number + "%40example.com%22";
    case Ask::external_id: return "?filter=externalId%20eq%20%2200u" + number + "%22";
    case Ask::email:
      return "?filter=emails.value%20eq%20%22user" + number + "%40example.com%22%20and%20active%20eq%20true";
    case Ask::display_name: return "?filter=displayName%20eq%20%22Given%20Family" + number + "%22";
    case Ask::either:
      return "?filter=userName%20eq%20%22user" + number + "%40example.com%22%20or%20externalId%20eq%20%2200u1%22";
    case Ask::modified: return "?filter=meta.lastModified%20gt%20%222099-01-01T00:00:00Z%22&count=100";
    case Ask::scan: return "?filter=name.familyName%20eq%20%22Family" + number + "%22";
    case Ask::sort_name: return "?sortBy=userName&count=100";
    case Ask::sort_scan: return "?sortBy=name.familyName&count=100";
    case Ask::page_3: return "?startIndex=201&count=100";
  }
  return {};
}

void list(benchmark::State& state, Ask what, std::size_t requests) {
  auto& world = world_of(scaled(static_cast<std::size_t>(state.range(0))));
  const bool everyone = what == Ask::scan || what == Ask::sort_scan;
  const auto count = everyone ? requests : scaled(requests);
  const auto before = resident_mib();
  for (auto _ : state) {
    const auto rate = world.drive(count, everyone ? 1 : 64, [&](std::size_t i) {
      return world.request("GET", "/Users" + query_of(what, (i * 7919) % world.users.size()));
    });
    state.SetIterationTime(rate.seconds);
    state.counters["p50_us"] = rate.p50_us;
    state.counters["requests/s"] = rate.per_second();
    if (everyone) {
      state.counters["grown_MiB"] = resident_mib() - before;
      state.counters["users/s"] = static_cast<double>(world.users.size() * count) / rate.seconds;
    }
    if (rate.failures != 0) state.SkipWithError("requests failed");
  }
  if (!everyone) return;
  // The yardstick: as many documents parsed and serialised.
  const auto begin = world.clock.mono();
  for (std::size_t i = 0; i < world.users.size(); ++i)
    benchmark::DoNotOptimize(json::serialize(json::parse(document)));
  const double seconds = static_cast<double>((world.clock.mono() - begin).count()) / 1e6;
  state.counters["json_us"] = seconds * 1e6;
}

void cursors(benchmark::State& state) {
  auto& world = world_of(scaled(static_cast<std::size_t>(state.range(0))));
  for (auto _ : state) {
    std::string cursor;
    std::size_t pages = 0;
    const auto begin = world.clock.mono();
    do {
      std::promise<service::Response> answer;
      world.scim->handle(world.request("GET", "/Users?sortBy=userName&count=1000&cursor=" + cursor),
                         [&](service::Response r) { answer.set_value(std::move(r)); });
      const auto r = answer.get_future().get();
      if (r.status != 200) return state.SkipWithError("a page failed");
      ++pages;
      const auto at = r.body.find("\"nextCursor\":\"");
      cursor = at == std::string::npos ? "" : r.body.substr(at + 14, r.body.find('"', at + 14) - at - 14);
    } while (!cursor.empty());
    const double seconds = static_cast<double>((world.clock.mono() - begin).count()) / 1e6;
    state.SetIterationTime(seconds);
    state.counters["pages"] = static_cast<double>(pages);
    state.counters["users/s"] = static_cast<double>(world.users.size()) / seconds;
  }
}

/// 1,000 users in one request; beside it parsing and serialising that request.
void bulk(benchmark::State& state) {
  WorldOptions options;
  options.users = 200;
  EngineWorld world(options);
  std::size_t next = 0;
  double yardstick = 0;
  for (auto _ : state) {
    std::string body = R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[)";
    for (std::size_t i = 0; i < 1000; ++i, ++next) {
      const auto n = std::to_string(next);
      body += (i == 0 ? "" : ",") +
              (R"({"method":"POST","path":"/Users","bulkId":"b)" + n +
               R"(","data":{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"b)" + n +
               R"(","emails":[{"value":"b)" + n + R"(@example.com","type":"work"}]}})");
    }
    body += "]}";
    const auto begin = world.clock.mono();
    benchmark::DoNotOptimize(json::serialize(json::parse(body)));
    yardstick = static_cast<double>((world.clock.mono() - begin).count()) / 1e6;
    std::promise<service::Response> answer;
    const auto sent = world.clock.mono();
    world.scim->handle(world.request("POST", "/Bulk", body),
                       [&](service::Response r) { answer.set_value(std::move(r)); });
    const auto r = answer.get_future().get();
    state.SetIterationTime(static_cast<double>((world.clock.mono() - sent).count()) / 1e6);
    if (r.status != 200 || r.body.find("\"status\":\"4") != std::string::npos)
      return state.SkipWithError("it failed");
  }
  state.counters["json_us"] = yardstick * 1e6;
}
BENCHMARK(bulk)->UseManualTime()->Iterations(3)->Unit(benchmark::kMillisecond);

/// A group of that size: listed without its members, and read with them as a stream.
void large_group(benchmark::State& state) {
  WorldOptions options;
  options.users = options.group_members = scaled(static_cast<std::size_t>(state.range(0)));
  options.bound = false;
  EngineWorld world(options);
  for (auto _ : state) {
    const auto listed = world.drive(
        1000, 1, [&](std::size_t) { return world.request("GET", "/Groups?excludedAttributes=members"); });
    const auto by_member = world.drive(1000, 1, [&](std::size_t i) {
      return world.request("GET",
                           "/Groups?filter=displayName%20eq%20%22everybody%22%20and%20members.value%20eq%20%22" +
                               world.users[i].str() + "%22&excludedAttributes=members");
    });
    const auto before = resident_mib();
    double peak = before;
    std::promise<service::Response> answer;
    const auto begin = world.clock.mono();
    world.scim->handle(world.request("GET", "/Groups/" + world.group.str()),
                       [&](service::Response r) { answer.set_value(std::move(r)); });
    auto r = answer.get_future().get();
    std::size_t bytes = r.body.size();
    for (bool more = r.stream != nullptr; more;) {
      std::promise<std::optional<std::string>> piece;
      r.stream->next([&](std::optional<std::string> p) { piece.set_value(std::move(p)); });
      const auto got = piece.get_future().get();
      more = got.has_value();
      if (got) bytes += got->size();
      peak = std::max(peak, resident_mib());
    }
    const double seconds = static_cast<double>((world.clock.mono() - begin).count()) / 1e6;
    state.SetIterationTime(seconds);
    state.counters["list_p50_us"] = listed.p50_us;
    state.counters["member_filter_p50_us"] = by_member.p50_us;
    state.counters["members/s"] = static_cast<double>(options.group_members) / seconds;
    state.counters["MiB"] = static_cast<double>(bytes) / 1048576;
    state.counters["grown_MiB"] = peak - before;
    if (listed.failures + by_member.failures != 0 || r.status != 200) state.SkipWithError("requests failed");
  }
}
BENCHMARK(large_group)->Arg(1'000)->Arg(1'000'000)->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);

const int registered = [] {
  const std::pair<const char*, std::pair<Ask, std::size_t>> all[] = {
      {"userName", {Ask::user_name, 20'000}}, {"externalId", {Ask::external_id, 20'000}},
      {"emails.value", {Ask::email, 20'000}}, {"displayName", {Ask::display_name, 20'000}},
      {"or", {Ask::either, 20'000}},          {"lastModified", {Ask::modified, 20'000}},
      {"page_3", {Ask::page_3, 2'000}},       {"sort_userName", {Ask::sort_name, 2'000}},
      {"scan_familyName", {Ask::scan, 2}},    {"sort_familyName", {Ask::sort_scan, 1}}};
  for (const std::int64_t users : {1'000, 100'000, 1'000'000}) {
    for (const auto& [name, what] : all) {
      const auto ask = what;
      benchmark::RegisterBenchmark((std::string("list/") + name).c_str(),
                                   [ask](benchmark::State& s) { list(s, ask.first, ask.second); })
          ->Arg(users)
          ->UseManualTime()
          ->Iterations(1)
          ->Unit(benchmark::kMillisecond);
    }
    benchmark::RegisterBenchmark("list/cursor_userName", cursors)
        ->Arg(users)
        ->UseManualTime()
        ->Iterations(1)
        ->Unit(benchmark::kMillisecond);
  }
  return 0;
}();

}  // namespace

BENCHMARK_MAIN();
