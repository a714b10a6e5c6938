// The kill switch of the running program.
#include <string>
#include <vector>
#include "catch.hpp"
#include "e2e/app.hpp"
#include "support/running.hpp"

using namespace deprov::test;

namespace {

constexpr std::string_view why = R"({"reason":"the feed looks odd"})";

}  // namespace

// The app keeps two calls, all that the connection may have, until it is told to answer: whatever the pace of
// the machine, there are removals under way and removals to come when the stop is asked for.
TEST_CASE("a stop is answered while calls are under way, and lets nothing more out", "[e2e][stop]") {
  App app;
  Running running(app.url(), App::token, {{"timeout_s", 600}, {"rate", {{"max_concurrency", 2}}}});
  running.serve();
  std::vector<std::string> users;
  for (int i = 0; i < 10; ++i) users.push_back(running.add_user("user" + std::to_string(i)));
  REQUIRE(running.set_active(users[0], false).status < 300);
  REQUIRE(running.removal_reaches(users[0], "succeeded_verified"));
  app.set(App::Mood::held);
  for (std::size_t i = 1; i < users.size(); ++i) REQUIRE(running.set_active(users[i], false).status < 300);
  constexpr std::size_t before = 3;
  REQUIRE(eventually([&] { return app.changes() >= before; }));

  const bool everything = GENERATE(false, true);
  const auto one = "/integrations/" + running.integration().id;
  const auto stopped = running.api("POST", everything ? "/workspace/stop" : one + "/stop", why);
  REQUIRE(stopped.status == 200);

  // Calls under way end as they do.
  const auto running_jobs = [&] {
    const auto found = running.api("GET", "/jobs?state=running&limit=1000");
    REQUIRE(found.status == 200);
    return found.json.at("items").as_array().size();
  };
  CHECK(running_jobs() == 2);
  app.set(App::Mood::well);
  app.release();
  CHECK(eventually([&] { return running_jobs() == 0; }));
  CHECK(app.changes() == before);
  running.server().kill();
  running.serve();
  REQUIRE(running.set_active(users[0], true).status < 300);  // the IdP is heard
  CHECK(running.api("GET", one).json.at("status").at(everything ? "workspace_stopped" : "jobs").is_null() ==
        false);
  CHECK(app.changes() == before);

  REQUIRE(running.api("POST", everything ? "/workspace/resume" : one + "/resume", everything ? why : "").status ==
          200);
  for (std::size_t i = 1; i < users.size(); ++i) CHECK(running.removal_reaches(users[i], "succeeded_verified"));
  CHECK(app.changes() > before);
}
