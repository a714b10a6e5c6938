// Snapshots: from the bytes of a full list to what changed, beside only parsing the same bytes into a Boost.JSON
// document (DESIGN, section 9). Both are fed in pieces of 64 KiB; making the bytes is not measured.
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <algorithm>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/stream_parser.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deprov/idp/snapshot.hpp>
#include <deprov/idp/snapshot_reader.hpp>
#include <optional>
#include <string>
#include "scale.hpp"

using namespace deprov;
using namespace deprov::bench;

namespace {

namespace json = boost::json;
using Seconds = std::chrono::duration<double>;

const idp::FingerprintKey key = [] {
  idp::FingerprintKey k;
  for (std::size_t i = 0; i < k.bytes.size(); ++i) k.bytes[i] = static_cast<std::uint8_t>(i * 17);
  return k;
}();

/// A SCIM list response, in pieces. In round 1 one user in a hundred is new, and as many left, ended or were
/// renamed.
class List {
 public:
  List(std::size_t users, int round) : users_(users), round_(round) {}
  /// Empty: it is over.
  const std::string& next() {
    piece_.clear();
    if (n_ == 0) piece_ = R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"Resources":[)";
    while (n_ < users_ && piece_.size() < 65'536 - 600) user();
    if (n_ == users_ && !closed_) {
      piece_ += "]}";
      closed_ = true;
    }
    bytes_ += piece_.size();
    return piece_;
  }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  void user() {
    const auto shifted = round_ == 1 && n_ % 100 == 7 ? n_ + 100'000'000 : n_;
    const bool ended = round_ == 1 && n_ % 100 == 8;
    const bool renamed = round_ == 1 && n_ % 100 == 9;
    char text[600];
    const int size = std::snprintf(
        text, sizeof text,
        R"(%s{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819c223-7f76-453a-919d-%012zu",)"
        R"("externalId":"00u%017zu","userName":"user%zu%s@example.com","name":{"givenName":"Barbara",)"
        R"("familyName":"Jensen"},"displayName":"Babs Jensen","active":%s,"emails":[{"value":"user%zu@example.com",)"
        R"("type":"work","primary":true}],"meta":{"resourceType":"User","created":"2010-01-23T04:56:22.000Z",)"
        R"("lastModified":"2011-05-13T04:42:34.000Z"}})",
        n_ == 0 ? "" : ",", shifted, shifted, shifted, renamed ? "new" : "", ended ? "false" : "true", shifted);
    piece_.append(text, static_cast<std::size_t>(size));
    ++n_;
  }
  std::size_t users_;
  int round_;
  std::size_t n_ = 0;
  bool closed_ = false;
  std::string piece_;
  std::size_t bytes_ = 0;
};

std::size_t in_use() { return mallinfo2().uordblks + mallinfo2().hblkhd; }

template <class F>
void timed(double& seconds, F&& f) {
  const auto from = std::chrono::steady_clock::now();
  f();
  seconds += Seconds(std::chrono::steady_clock::now() - from).count();
}

[[noreturn]] void give_up(const Error& e) {
  std::fprintf(stderr, "%s\n", e.message().c_str());
  std::exit(1);
}

struct Read {
  idp::CompleteSnapshot snapshot;
  double seconds = 0;
  std::size_t bytes = 0;
};
Read read(std::size_t users, int round, const idp::CompleteSnapshot* before) {
  List list(users, round);
  double seconds = 0;
  idp::SnapshotReading reading(key, {}, before);
  auto reader = idp::make_snapshot_reader(idp::SnapshotFormat::json, idp::scim_snapshot_mapping(), {},
                                          [&](const idp::SnapshotUser& u) -> Result<void> {
                                            if (auto r = reading.add(u); !r) return r.error();
                                            return {};
                                          })
                    .value();
  while (true) {
    const auto& piece = list.next();
    if (piece.empty()) break;
    timed(seconds, [&] {
      if (auto r = reader->feed(piece); !r) give_up(r.error());
    });
  }
  std::optional<idp::CompleteSnapshot> snapshot;
  timed(seconds, [&] {
    auto closed = std::move(reading).close(reader->end(users).value());
    if (!closed) give_up(closed.error());
    snapshot = std::move(*closed);
    if (before != nullptr) benchmark::DoNotOptimize(idp::compare(*before, *snapshot).value());
  });
  return {std::move(*snapshot), seconds, list.bytes()};
}

// ---- the yardstick
void json_document(benchmark::State& state) {
  const auto users = scaled(static_cast<std::size_t>(state.range(0)));
  std::size_t bytes = 0;
  for (auto _ : state) {
    List list(users, 0);
    json::monotonic_resource memory(1U << 20U);
    json::stream_parser parser(&memory);
    double seconds = 0;
    while (true) {
      const auto& piece = list.next();
      if (piece.empty()) break;
      timed(seconds, [&] { parser.write(piece.data(), piece.size()); });
    }
    timed(seconds, [&] { benchmark::DoNotOptimize(parser.release()); });
    state.SetIterationTime(seconds);
    bytes += list.bytes();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
  state.counters["users"] = static_cast<double>(users);
}
BENCHMARK(json_document)->Arg(1'000'000)->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(3);

// ---- the first list, and one after it
void snapshot_first(benchmark::State& state) {
  const auto users = scaled(static_cast<std::size_t>(state.range(0)));
  std::size_t bytes = 0, kept = 0;
  for (auto _ : state) {
    const auto before = in_use();
    const auto r = read(users, 0, nullptr);
    kept = in_use() - before;
    state.SetIterationTime(r.seconds);
    bytes += r.bytes;
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
  state.counters["kept_per_user"] = static_cast<double>(kept) / static_cast<double>(users);
}
BENCHMARK(snapshot_first)
    ->Arg(10'000)
    ->Arg(1'000'000)
    ->Arg(10'000'000)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(3);

void snapshot_next(benchmark::State& state) {
  const auto users = scaled(static_cast<std::size_t>(state.range(0)));
  const auto first = read(users, 0, nullptr);
  std::size_t bytes = 0, kept = 0;
  for (auto _ : state) {
    const auto before = in_use();
    const auto r = read(users, 1, &first.snapshot);
    kept = in_use() - before;
    state.SetIterationTime(r.seconds);
    bytes += r.bytes;
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
  state.counters["kept_per_user"] = static_cast<double>(kept) / static_cast<double>(users);
}
BENCHMARK(snapshot_next)
    ->Arg(10'000)
    ->Arg(1'000'000)
    ->Arg(10'000'000)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(3);

// ---- a round of changes on top of a list: one user in a hundred, of all sizes of the list
void changes_applied(benchmark::State& state) {
  const auto users = scaled(static_cast<std::size_t>(state.range(0)));
  const auto first = read(users, 0, nullptr);
  const auto changed = std::max<std::size_t>(1, users / 100);
  std::size_t kept = 0;
  for (auto _ : state) {
    const auto before = in_use();
    double seconds = 0;
    std::optional<idp::CompleteSnapshot> after;
    timed(seconds, [&] {
      idp::SnapshotChanges changes(first.snapshot);
      char id[80];
      for (std::size_t i = 0; i < changed; ++i) {
        const auto size = std::snprintf(id, sizeof id, "2819c223-7f76-453a-919d-%012zu", i * 100);
        const bool ended = i % 3 != 0;
        auto r = changes.add({{id, static_cast<std::size_t>(size)},
                              {},
                              {},
                              {},
                              !ended,
                              ended ? idp::Cause::soft_deleted : idp::Cause::none});
        if (!r) give_up(r.error());
      }
      auto closed = std::move(changes).close(idp::EndOfList::seen());
      if (!closed) give_up(closed.error());
      after = std::move(*closed);
      benchmark::DoNotOptimize(idp::compare(first.snapshot, *after).value());
    });
    kept = in_use() - before;
    state.SetIterationTime(seconds);
  }
  state.counters["kept_per_user"] = static_cast<double>(kept) / static_cast<double>(users);
  state.counters["changed"] = static_cast<double>(changed);
}
BENCHMARK(changes_applied)
    ->Arg(10'000)
    ->Arg(1'000'000)
    ->Arg(10'000'000)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(3);

}  // namespace

BENCHMARK_MAIN();
