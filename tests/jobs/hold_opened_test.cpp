// A hold that a lane opens by itself. Found by the simulator.
#include "catch.hpp"
#include "support/fake_app.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using port::JobState;

TEST_CASE("what belongs in a hold that the lane opens is looked for at once", "[jobs][R7]") {
  test::World w;
  w.app->offer({connector::Operation::remove});
  w.app->add("a1", "ext-ann", "ann");
  w.app->add("a2", "ext-bob", "bob");
  const auto c = w.integrate("okta", R"({"guard":{"absolute":2,"percent":100,"small":{"below":0}},
    "causes":{"deactivated":["disable",{"step":"delete","after_ms":60000}]}})");
  const auto ann = w.add_user(c, "ann");
  const auto bob = w.add_user(c, "bob");
  w.run(1s);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1s);
  REQUIRE(w.set_active(c, bob, false));
  w.run(2min);
  // One removal of an account is let pass, half of the two that may leave.
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.job(c, bob).state == JobState::held);
  w.read([&](port::Reader& r) {
    CHECK(r.open_hold(c->row.scope)->has_value());
    CHECK(r.works(c->row.scope, 10)->empty());
  });
}
