// Several engines on one store: whoever owns the lane finds what the others were told. Found by the simulator.
#include <utility>
#include "catch.hpp"
#include "support/fake_app.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using port::JobState;

namespace {

/// A second engine on the store of a world.
struct Second {
  explicit Second(test::World& world) : w(world), executor(std::make_unique<runtime::VirtualExecutor>(w.clock)) {
    auto options = w.options;
    options.node = "second";
    auto made = engine::Engine::create({*executor, w.clock, random, *w.store, w.http, *w.crypto}, options);
    REQUIRE(made);
    engine = std::move(*made);
    engine->start([](const Result<void>& started) { REQUIRE(started); });
    executor->run_until_idle();
  }
  /// The world speaks to this one instead of the first.
  void swap() {
    std::swap(w.engine, engine);
    std::swap(w.executor, executor);
  }
  test::World& w;
  std::unique_ptr<runtime::VirtualExecutor> executor;
  runtime::SeededRandom random{2};
  std::unique_ptr<engine::Engine> engine;
};

}  // namespace

TEST_CASE("the owner of a lane finds the jobs that another engine made", "[engine][R1]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  w.options.lane_lease = 60s;
  w.options.node = "first";
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  Second second(w);
  second.swap();
  REQUIRE(w.set_active(c, ann, false));
  second.swap();
  CHECK(w.app->accounts["a1"].active == true);
  w.run(30s);
  CHECK(w.app->accounts["a1"].active == false);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
}

TEST_CASE("an engine finds the evaluations and the work that another one left", "[engine][R1][R14]") {
  test::World w;
  w.app->add("a1", "ext-ann", "ann");
  w.options.lane_lease = 60s;
  w.options.node = "first";
  const auto c = w.integrate("okta", R"({"entitling_groups":[{"display_name":"staff"}],"settle_ms":10000})");
  const auto ann = w.add_user(c, "ann");
  const auto staff = w.add_group(c, "staff", {ann});
  w.run(1s);
  {
    Second second(w);
    second.swap();
    REQUIRE(w.members(c, staff, engine::MemberStep::Kind::remove, {ann}));
    second.swap();
  }  // it dies before anything has settled
  w.run(1min);
  CHECK(w.app->accounts["a1"].active == false);
}
