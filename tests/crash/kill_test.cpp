// The promise that everything rests on: what was acknowledged is carried out, whenever the process is killed.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <thread>
#include "catch.hpp"
#include "crash/idp_client.hpp"
#include "support/evidence.hpp"
#include "support/program.hpp"
#include "support/raw_client.hpp"
#include "support/test_server.hpp"

using namespace deprov;
using namespace deprov::test;
namespace json = boost::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t users = 1000;
constexpr std::size_t kills = 64;
constexpr std::size_t kills_that_hit = 50;  // removals were unfinished at that moment
constexpr std::size_t connections = 8;

/// DEPROV_TEST_SEED repeats a run's moments.
std::uint64_t choose_seed() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets the environment
  if (const char* text = std::getenv("DEPROV_TEST_SEED")) return std::strtoull(text, nullptr, 10);
  return std::random_device{}();
}

std::string name_of(std::size_t i) { return "user" + std::to_string(i) + "@example.com"; }

void write_accounts(const std::string& path) {
  std::string text;
  for (std::size_t i = 0; i < users; ++i)
    text += json::serialize(json::object{{"id", "acct-" + std::to_string(i)},
                                         {"externalId", "ext-" + std::to_string(i)},
                                         {"userName", name_of(i)},
                                         {"active", true}}) +
            "\n";
  write_file(path, text);
}

/// An app that is slow, fails, throttles and loses answers: a removal takes three calls of its latency at least.
json::value sandbox_config(const TempDir& dir, std::uint64_t seed) {
  return json::object{
      {"file", dir.file("accounts.jsonl")},
      {"effect_log", dir.file("effects.jsonl")},
      {"latency_ms", {{"min", 10}, {"max", 50}}},
      {"seed", seed % 1'000'000'000},
      {"failures",
       {{"*", {{"UNAVAILABLE", 0.05}, {"NOT_SENT", 0.02}, {"PROTOCOL", 0.01}, {"UNKNOWN_OUTCOME", 0.02}}}}},
      {"lost_answers", 0.05},
      {"throttle", {{"per_second", 250}, {"retry_after_s", 0.05}}},
      {"max_concurrency", 16}};
}

/// The waits that would otherwise be seconds to hours.
json::value impatient_policy() {
  return json::object{
      {"retry", {{"base_ms", 10}, {"ceiling_ms", 300}}},
      {"breaker", {{"failures", 10}, {"open_ms", 20}, {"open_max_ms", 100}}},
      {"lane", {{"start_concurrency", 8}, {"max_concurrency", 16}}},
      {"guard",
       {{"percent", 100}, {"absolute", 1000000}, {"small", {{"below", 0}}}, {"group", {{"percent", 100}}}}}};
}

/// Their SCIM ids.
std::vector<std::string> provision(const Serve& server, const Integration& integration) {
  std::vector<std::string> ids(users);
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::vector<std::string> problems;
  for (std::size_t t = 0; t < connections; ++t) {
    threads.emplace_back([&, t] {
      RawClient client(server.port());
      for (std::size_t i = t; i < users; i += connections) {
        const auto body = json::serialize(json::object{{"schemas", {"urn:ietf:params:scim:schemas:core:2.0:User"}},
                                                       {"userName", name_of(i)},
                                                       {"externalId", "ext-" + std::to_string(i)},
                                                       {"active", true}});
        client.send(request_with_body(
            "POST", integration.base + "/Users", body,
            "Authorization: Bearer " + integration.token + "\r\nContent-Type: application/scim+json\r\n"));
        const auto r = client.response();
        boost::system::error_code ec;
        const auto made = json::parse(r.body, ec);
        const std::lock_guard lock(mutex);
        if (r.status != 201 || ec) {
          problems.push_back(std::to_string(r.status) + " " + r.body);
          return;
        }
        ids[i] = std::string(made.at("id").as_string());
      }
    });
  }
  for (auto& t : threads) t.join();
  REQUIRE(problems == std::vector<std::string>{});
  return ids;
}

/// Removals that are neither done nor given up.
std::size_t unfinished(const Serve& server, const Integration& integration, const std::string& token) {
  const auto shown = http(server.port(), "GET", "/api/v1/integrations/" + integration.id, token);
  REQUIRE(shown.status == 200);
  std::size_t count = 0;
  for (const auto& [state, jobs] : shown.json.at("status").at("jobs").as_object()) {
    const std::set<std::string_view> over{
        "succeeded_verified", "succeeded_unverified", "succeeded_no_account", "failed", "dead", "cancelled",
        "superseded"};
    if (!over.contains(state)) count += jobs.to_number<std::size_t>();
  }
  return count;
}

struct JobHistory {
  std::size_t requested = 0, verified = 0;
  WallTime requested_at, finished_at;
  std::map<std::string, std::vector<WallTime>> done;  ///< operation: when it was recorded as done
};

std::map<JobId, JobHistory> histories(const std::vector<port::ActivityRow>& activity) {
  std::map<JobId, JobHistory> out;
  for (const auto& row : activity) {
    if (row.job.is_nil()) continue;
    auto& job = out[row.job];
    if (row.event == "removal.requested") {
      ++job.requested;
      job.requested_at = row.at;
    } else if (row.event == "removal.verified") {
      ++job.verified;
      job.finished_at = row.at;
    } else if (row.event == "step.done") {
      REQUIRE(row.detail);
      const auto detail = json::parse(*row.detail);
      if (const auto* effect = detail.as_object().if_contains("effect");
          effect == nullptr || effect->as_string() != "accepted")
        job.done[std::string(detail.at("operation").as_string())].push_back(row.at);
    }
  }
  return out;
}

}  // namespace

TEST_CASE("no acknowledged removal is lost and no recorded effect repeated, however often the server is killed",
          "[R13][R15][R17][R18][R19][R20]") {
  const auto seed = choose_seed();
  std::cout << "DEPROV_TEST_SEED=" << seed << std::endl;
  INFO("DEPROV_TEST_SEED=" << seed);
  std::mt19937_64 chance(seed);

  const TempDir dir;
  const auto data = dir.file("data");
  write_accounts(dir.file("accounts.jsonl"));
  const auto owner = init_data(data);
  const auto integration = create_integration(dir, data, "sandbox", "okta", "sandbox", sandbox_config(dir, seed),
                                              impatient_policy(), {"--no-check"});
  const auto port = closed_port();

  const auto began = steady_clock::now();
  auto server = std::make_unique<Serve>(data, port);
  REQUIRE(server->wait_ready());
  const auto start_time = std::chrono::duration_cast<milliseconds>(steady_clock::now() - began);
  const auto ids = provision(*server, integration);

  // Each life is given a share of the work, so that the kills fall everywhere between the first and the last. It
  // ends right after an acknowledgement of its own, or before it is ready: never because some time is over, so
  // that there is work to lose however fast or slow the machine is.
  std::vector<WallTime> killed;
  std::size_t acknowledged_before_last_kill = 0;
  {
    IdpClient idp({port, integration.base, integration.token}, ids, connections);
    const auto now = [] {
      return WallTime{
          std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()).count()};
    };
    for (std::size_t i = 1; i <= kills; ++i) {
      const auto before = idp.acknowledged();
      const auto released = users * i / (kills + 1);
      idp.release(released);
      if (i % 8 == 0) {
        std::this_thread::sleep_for(milliseconds(chance() % (static_cast<std::uint64_t>(start_time.count()) + 1)));
      } else if (before < released) {
        const auto enough = before + 1 + chance() % (released - before);
        REQUIRE(eventually([&] { return idp.acknowledged() >= enough || !idp.complaints().empty(); },
                           std::chrono::minutes(5)));
        std::this_thread::sleep_for(milliseconds(chance() % 16));
      }
      REQUIRE(server->running());
      killed.push_back(now());
      server->kill();
      acknowledged_before_last_kill = idp.acknowledged();
      server = std::make_unique<Serve>(data, port);
    }
    INFO(server->log());
    idp.release(users);
    REQUIRE(server->wait_ready());
    REQUIRE(eventually([&] { return idp.acknowledged() == users || !idp.complaints().empty(); },
                       std::chrono::minutes(5)));
    CHECK(idp.complaints() == std::vector<std::string>{});
    CHECK(idp.acknowledged() == users);
    std::cout << "kills " << kills << ", reconnections " << idp.reconnections() << ", requests sent again "
              << idp.repeated() << ", acknowledged before the last kill " << acknowledged_before_last_kill
              << std::endl;
  }

  // It drains once, and ends in good order.
  REQUIRE(eventually([&] { return unfinished(*server, integration, owner) == 0; }, std::chrono::minutes(10)));
  CHECK(server->terminate() == 0);
  INFO(server->log());
  std::cout << "took " << std::chrono::duration_cast<milliseconds>(steady_clock::now() - began).count()
            << " ms, one start " << start_time.count() << " ms" << std::endl;

  // Reconciliation.
  Evidence evidence(data);
  const auto integrations = evidence.integrations();
  REQUIRE(integrations.size() == 1);
  const auto scope = integrations.front().scope;
  const auto activity = evidence.activity(scope);
  evidence.verify_chains();

  const auto history = histories(activity);
  std::map<std::string, std::vector<EffectLine>> effects;
  std::map<std::string, std::size_t> total;
  for (auto& e : read_effects(dir.file("effects.jsonl"))) {
    ++total[e.operation];
    effects[e.account].push_back(std::move(e));
  }
  // What was sent is read back before anything is repeated, so that nobody is disabled twice.
  CHECK(total["disable"] == users);
  CHECK(total["enable"] == 0);
  CHECK(total["delete"] == 0);

  std::size_t removals = 0;
  for (std::size_t i = 0; i < users; ++i) {
    const auto account = "acct-" + std::to_string(i);
    INFO(name_of(i) << " " << ids[i]);
    const auto id = ResourceId::parse(ids[i]);
    REQUIRE(id);
    std::optional<port::JobRow> removal;
    port::JobFilter filter;
    filter.subject = *id;
    for (auto& job : evidence.jobs(scope, filter)) {
      if (job.kind != port::JobKind::remove_access) continue;
      CHECK_FALSE(removal);
      removal = std::move(job);
    }
    REQUIRE(removal);
    ++removals;
    CHECK(port::to_string(removal->state) == port::to_string(port::JobState::succeeded_verified));
    const auto found = history.find(removal->id);
    REQUIRE(found != history.end());
    const auto& job = found->second;
    CHECK(job.requested == 1);
    CHECK(job.verified == 1);

    std::size_t disabled = 0;
    for (const auto& e : effects[account]) {
      if (e.operation == "disable") ++disabled;
      CHECK(e.key.rfind(removal->id.str(), 0) == 0);
      const auto recorded = job.done.find(e.operation);
      REQUIRE(recorded != job.done.end());
      // Nothing that was recorded as done reached the app again.
      CHECK(e.at <= recorded->second.front());
    }
    CHECK(disabled == 1);
    for (const auto& [operation, times] : job.done) {
      INFO(operation);
      CHECK(times.size() == 1);
    }
    CHECK(job.done.count("disable") == 1);
    CHECK(job.done.count("revoke_sessions") == 1);
  }
  CHECK(removals == users);

  std::map<std::string, std::size_t> events;
  for (const auto& row : activity) ++events[row.event];
  CHECK(events["removal.requested"] == users);
  CHECK(events["removal.verified"] == users);
  CHECK(events["removal.failed"] == 0);
  CHECK(events["job.held"] == 0);
  std::size_t succeeded = 0;
  for (const auto& [state, count] : evidence.job_counts(scope)) {
    INFO(port::to_string(state));
    CHECK(port::is_finished(state));
    if (state == port::JobState::succeeded_verified) succeeded = count;
  }
  CHECK(succeeded >= users);

  // The kills fell where it matters: into work that was asked for and not finished.
  const auto hits = static_cast<std::size_t>(std::count_if(killed.begin(), killed.end(), [&](WallTime at) {
    return std::any_of(history.begin(), history.end(), [&](const auto& of) {
      return of.second.requested == 1 && of.second.requested_at < at && at < of.second.finished_at;
    });
  }));
  std::cout << "kills with removals unfinished " << hits << ", sessions revoked " << total["revoke_sessions"]
            << " times for " << users << ", retries " << events["job.retrying"] << std::endl;
  CHECK(hits >= kills_that_hit);
}
