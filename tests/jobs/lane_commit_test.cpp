// Commits of a lane whose outcome is unknown. Found by the simulator.
#include <algorithm>
#include <variant>
#include "catch.hpp"
#include "support/fake_app.hpp"
#include "support/faulty_store.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using port::JobState;

namespace {

bool records(const port::Transaction& txn, std::string_view event) {
  return std::any_of(txn.ops.begin(), txn.ops.end(), [&](const port::Op& op) {
    const auto* a = std::get_if<port::op::AppendActivity>(&op);
    return a != nullptr && a->event == event;
  });
}

}  // namespace

TEST_CASE("a request leaves only when its record is known to be stored", "[jobs][R18]") {
  const auto faults = std::make_shared<test::StoreFaults>();
  test::World w(1, test::faulty(faults));
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  // The commit does not happen, and the answer does not say so.
  const std::string lost = GENERATE("removal.in_progress", "step.sent", "step.done", "removal.verified");
  INFO(lost);
  int asked = 0;
  faults->on_commit = [&](const port::Transaction& txn) -> std::optional<Error> {
    if (!records(txn, lost) || ++asked > 3) return std::nullopt;
    if (lost == "removal.in_progress") CHECK(w.app->count("disable a1") == 0);
    return Error(Errc::commit_unknown, "the answer was lost", "store");
  };
  REQUIRE(w.set_active(c, ann, false));
  w.run(1min);
  CHECK(asked >= 4);
  CHECK(w.events(c, lost) >= 1);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.events(c, "removal.in_progress") == 1);
  CHECK(w.app->count("disable a1") == 1);
  CHECK(w.app->count("revoke_sessions a1") == 1);
}
