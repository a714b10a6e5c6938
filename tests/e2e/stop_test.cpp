// The kill switch of the running program.
#include <algorithm>
#include <chrono>
#include "catch.hpp"
#include "e2e/running.hpp"

using namespace deprov::test;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

constexpr std::string_view why = R"({"reason":"the feed looks odd"})";

std::size_t lines_of(const std::string& path) {
  const auto text = read_file(path);
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

std::size_t running_jobs(const Running& app) {
  const auto found = app.api("GET", "/jobs?state=running&limit=1000");
  REQUIRE(found.status == 200);
  return found.json.at("items").as_array().size();
}

}  // namespace

TEST_CASE("a stop is answered within a second while jobs run, and lets nothing more out", "[e2e][stop]") {
  const TempDir logs;
  const auto effects = logs.file("effects.jsonl");
  Running app(40, "okta",
              {{"effect_log", effects}, {"max_concurrency", 2}, {"latency_ms", {{"min", 100}, {"max", 100}}}});
  app.serve();
  std::vector<std::string> users;
  for (int i = 0; i < 40; ++i) users.push_back(app.add_user("user" + std::to_string(i)));
  for (const auto& u : users) REQUIRE(app.set_active(u, false).status < 300);
  REQUIRE(app.removal_reaches(users[0], "succeeded_verified"));

  const bool everything = GENERATE(false, true);
  const auto one = "/integrations/" + app.integration().id;
  const auto from = std::chrono::steady_clock::now();
  const auto stopped = app.api("POST", everything ? "/workspace/stop" : one + "/stop", why);
  const auto took = std::chrono::steady_clock::now() - from;
  REQUIRE(stopped.status == 200);
  INFO("answered after " << std::chrono::duration_cast<std::chrono::microseconds>(took).count() << " us");
  CHECK(took < 1s);

  // Calls under way end as they do; each asks the server anew, so that this takes its time.
  for (int i = 0; i < 2000 && running_jobs(app) != 0; ++i) {
  }
  CHECK(running_jobs(app) == 0);
  const auto before = lines_of(effects);
  CHECK(before < 80);
  app.server().kill();
  app.serve();
  REQUIRE(app.set_active(users[0], true).status < 300);  // the IdP is heard
  CHECK(app.api("GET", one).json.at("status").at(everything ? "workspace_stopped" : "jobs").is_null() == false);
  CHECK(lines_of(effects) == before);

  REQUIRE(app.api("POST", everything ? "/workspace/resume" : one + "/resume", everything ? why : "").status ==
          200);
  for (std::size_t i = 1; i < users.size(); ++i) CHECK(app.removal_reaches(users[i], "succeeded_verified"));
  CHECK(lines_of(effects) > before);
}
