// An IdP that tests its connection with a user that it creates and deletes must not offboard anybody (R13).
#include "catch.hpp"
#include "support/fake_app.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using port::JobKind;
using port::JobState;

namespace {

std::size_t lookups(const test::World& w) {
  std::size_t n = 0;
  for (const auto& entry : w.app->log) n += entry.starts_with("find") ? 1U : 0U;
  return n;
}
std::size_t effects(const test::World& w) {
  std::size_t n = 0;
  for (const auto& entry : w.app->log)
    n += entry.starts_with("disable") || entry.starts_with("revoke") || entry.starts_with("remove") ? 1U : 0U;
  return n;
}

engine::Principal owner(const test::World& w) {
  engine::Principal p;
  p.workspace = w.workspace;
  p.role = port::Role::owner;
  return p;
}
void set_state(test::World& w, const engine::Context& c, port::IntegrationState state) {
  bool done = false;
  w.engine->set_integration_state(owner(w), c->row.scope.integration, state,
                                  [&](const Result<port::IntegrationRow>& r) { done = r.has_value(); });
  w.run(1s);
  REQUIRE(done);
}

}  // namespace

TEST_CASE("a user created and deleted at once, never bound: one look-up, no effect", "[engine][R11][R13]") {
  test::World w;
  w.app->add("a9", "ext-zoe", "zoe");
  const auto c = w.integrate("jumpcloud");
  set_state(w, c, port::IntegrationState::paused);  // so that the early look-up has not had its turn yet
  const auto probe = w.add_user(c, "probe");
  REQUIRE(w.remove_user(c, probe));
  set_state(w, c, port::IntegrationState::active);
  w.run(1min);
  CHECK(w.job(c, probe, JobKind::bind).state == JobState::superseded);
  CHECK(w.job(c, probe).state == JobState::succeeded_no_account);
  CHECK(lookups(w) == 1);
  CHECK(effects(w) == 0);
}

TEST_CASE("looked up before it is deleted, its leaving costs one more look-up", "[engine][R13]") {
  test::World w;
  w.app->add("a9", "ext-zoe", "zoe");
  const auto c = w.integrate("jumpcloud");
  const auto probe = w.add_user(c, "probe");
  w.run(10s);
  CHECK(lookups(w) == 1);
  REQUIRE(w.remove_user(c, probe));
  w.run(10s);
  CHECK(lookups(w) == 2);
  CHECK(w.job(c, probe).state == JobState::succeeded_no_account);
  CHECK(effects(w) == 0);
}

TEST_CASE("a connection test under a real person's name asks before it takes that account", "[engine][R11]") {
  test::World w;
  w.app->add("a1", "", "admin");
  const auto c = w.integrate("jumpcloud");
  const auto probe = w.add_user(c, "admin");
  const bool found_before = GENERATE(true, false);
  if (found_before) w.run(10s);
  REQUIRE(w.remove_user(c, probe));
  w.run(1min);
  CHECK(w.job(c, probe).state == JobState::held);
  CHECK(w.job(c, probe).reason.find("a1") != std::string::npos);
  CHECK(effects(w) == 0);
  CHECK(w.app->accounts["a1"].active == true);

  // A person says that it was no test.
  bool retried = false;
  w.engine->retry_job(owner(w), c->row.scope.integration, w.job(c, probe).id,
                      [&](const Result<JobId>& r) { retried = r.has_value(); });
  w.run(1min);
  CHECK(retried);
  CHECK(w.job(c, probe).state == JobState::succeeded_verified);
  CHECK(w.app->accounts["a1"].active == false);
}

TEST_CASE("who was there for longer than a test, and users of other IdPs, are offboarded", "[engine][R1]") {
  const bool jumpcloud = GENERATE(true, false);
  test::World w;
  w.app->add("a1", "", "ann");
  const auto c = w.integrate(jumpcloud ? "jumpcloud" : "generic");
  const auto ann = w.add_user(c, "ann");
  w.run(jumpcloud ? 11min : 1min);
  REQUIRE(w.remove_user(c, ann));
  w.run(1min);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.app->accounts["a1"].active == false);
}

TEST_CASE("a deactivation is no connection test, however early it comes", "[engine][R1]") {
  test::World w;
  w.app->add("a1", "", "ann");
  const auto c = w.integrate("jumpcloud");
  const auto ann = w.add_user(c, "ann");
  w.run(1s);
  REQUIRE(w.set_active(c, ann, false));
  w.run(1min);
  CHECK(w.job(c, ann).state == JobState::succeeded_verified);
  CHECK(w.app->accounts["a1"].active == false);
}
