// The 1st, 2nd, 3rd ... call of the store fails, in each way that a store can fail, once and until it is mended.
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include "catch.hpp"
#include "faults/scenario.hpp"
#include "support/faulty_store.hpp"

using namespace deprov;
using namespace std::chrono_literals;

namespace {

struct Way {
  const char* name;
  Errc code;
  bool applied = false;  ///< a commit happens all the same
  bool lasts = false;    ///< until it is healed
  bool views = true;     ///< reading fails too
};

constexpr Way once[] = {
    {"io", Errc::io},
    {"unknown, and it did not happen", Errc::commit_unknown},
    {"unknown, and it did happen", Errc::commit_unknown, true},
    {"busy", Errc::busy},
    {"full", Errc::storage_full},
    {"internal", Errc::internal},
};
constexpr Way lasting[] = {
    {"io, for long", Errc::io, false, true},
    {"unknown for long, and nothing happens", Errc::commit_unknown, false, true},
    {"unknown for long, and all of it happens", Errc::commit_unknown, true, true},
    {"full for long, and it can be read", Errc::storage_full, false, true, false},
    {"unknown for long, and it can be read", Errc::commit_unknown, false, true, false},
    {"internal, for long", Errc::internal, false, true},
    {"internal, for long, and it can be read", Errc::internal, false, true, false},
};

/// Which call fails how; counts them.
struct Plan {
  Way way{"none", Errc::io};
  std::size_t at = 0;  ///< 0: none
  bool armed = false;
  std::size_t calls = 0;
  std::size_t failed = 0;

  bool fails(bool view) {
    if (!armed) return false;
    // Calls that call each other without any time in between would never end.
    if (++calls > 50'000) throw std::runtime_error("the engine asks the store without end");
    if (at == 0 || calls < at || (!way.lasts && calls > at) || (view && !way.views)) return false;
    ++failed;
    return true;
  }
  [[nodiscard]] Error error() const { return {way.code, "as the test wants it", "store"}; }
};

/// Answers how many calls there were.
std::size_t run_with(const Way& way, std::size_t at) {
  auto plan = std::make_shared<Plan>();
  plan->way = way;
  plan->at = at;
  auto faults = std::make_shared<test::StoreFaults>();
  const auto ask = [plan]() -> std::optional<Error> {
    if (!plan->fails(true)) return std::nullopt;
    auto error = plan->error();
    if (error.code() == Errc::commit_unknown) error = Error(Errc::io, "as the test wants it", "store");
    return error;
  };
  faults->on_view = ask;
  faults->on_committed = ask;
  test::World w(1, [&](const port::Crypto& crypto, port::Executor&) {
    store::MemoryStoreOptions options;
    options.fault = [plan](const port::Transaction&) -> std::optional<store::CommitFault> {
      if (!plan->fails(false)) return std::nullopt;
      return store::CommitFault{plan->error(), plan->way.applied};
    };
    return std::make_unique<test::FaultyStore>(store::make_memory_store(crypto, std::move(options)), faults);
  });
  test::Scenario scenario(w, test::view_of(*w.app));
  scenario.set_up();
  CAPTURE(way.name, at);
  test::Scenario::Hooks hooks{[&] { plan->armed = true; }, [&] { plan->armed = false; }, {}};
  // What looks like a fault of ours is not tried again at once.
  if (way.code == Errc::internal) hooks.recovery = 2h;
  scenario.run(hooks);
  scenario.verify();
  const auto effects = w.app->log.size();
  w.crash();
  w.boot();
  w.run(60s);
  scenario.verify();
  CHECK(w.app->log.size() == effects);  // nothing is done again
  scenario.verify_usable();
  return plan->calls;
}

/// All of it takes minutes; ctest takes each call in one way, and the ways in turn.
template <std::size_t N>
void sweep(const Way (&ways)[N]) {
  const bool all_of_it = std::getenv("DEPROV_SWEEP_ALL") != nullptr;
  const auto calls = run_with({"none", Errc::io}, 0);
  REQUIRE(calls > 100);
  for (std::size_t at = 1; at <= calls; ++at) {
    for (std::size_t i = 0; i < N; ++i)
      if (all_of_it || i == at % N) run_with(ways[i], at);
  }
}

}  // namespace

TEST_CASE("nothing is lost where one call of the store fails", "[faults][store][R13][R18][R20]") { sweep(once); }

TEST_CASE("nothing is lost where the store fails until it is mended", "[faults][store][R13][R18][R20]") {
  sweep(lasting);
}
