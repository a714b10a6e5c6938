// Each kind of notification, provoked on the running program and verified by a receiver.
#include <algorithm>
#include <atomic>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <string>
#include <vector>
#include "catch.hpp"
#include "inbox.hpp"
#include "support/running.hpp"

using namespace deprov::test;
namespace json = boost::json;

namespace {

struct Case {
  std::vector<std::string> types;  ///< told, besides others
  std::string failures;            ///< of the sandbox, as its config has them
  std::string policy;              ///< besides what makes it impatient
  std::size_t leavers = 1;
};

std::vector<Case> cases() {
  return {
      {{"removal.verified"}, "{}", "{}"},
      {{"removal.failed"}, R"({"disable":{"INVALID_REQUEST":1}})", "{}"},
      {{"removal.dead"}, R"({"disable":{"UNAVAILABLE":1}})", R"({"deadline_ms":1000})"},
      {{"job.held"}, R"({"disable":{"PERMISSION_DENIED":1}})", "{}"},
      {{"hold.opened", "removal.held"}, "{}", R"({"guard":{"percent":100,"absolute":1,"small":{"below":0}}})", 3},
      {{"approval.wanted"}, "{}", R"({"approvals":[{"steps":["disable"],"role":"owner"}]})"},
      {{"lane.paused"}, R"({"disable":{"AUTH_FAILED":1},"check":{"AUTH_FAILED":1}})", "{}"},
  };
}

std::vector<std::string> types_in(const Inbox& inbox) {
  std::vector<std::string> types;
  for (const auto& e : inbox.events()) types.emplace_back(e.at("type").as_string());
  return types;
}

bool has_all(const std::vector<std::string>& types, const std::vector<std::string>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(),
                     [&](const auto& t) { return std::find(types.begin(), types.end(), t) != types.end(); });
}

std::string subscribe(const Running& app, const Inbox& inbox) {
  const auto hook =
      app.api("POST", "/webhooks", json::serialize(json::object{{"name", "alerts"}, {"url", inbox.url()}}));
  INFO(hook.body);
  REQUIRE(hook.status == 201);
  return std::string(hook.json.at("secret").as_string());
}

/// Everything that came bears a true signature and time, and none that is not under this secret.
void check_signatures(const Inbox& inbox, const std::string& secret) {
  for (const auto& r : inbox.requests()) {
    CHECK(verified(r, secret));
    auto later = r;
    for (auto& [name, value] : later.headers)
      if (name == "webhook-timestamp" || name == "Webhook-Timestamp")
        value = std::to_string(std::stoll(value) + 1);
    CHECK_FALSE(verified(later, secret));
  }
}

/// A server whose app and policy lead to what the case names, once somebody left.
class Provoked {
 public:
  explicit Provoked(Case c) : case_(std::move(c)), app_(10, "okta", {{"failures", json::parse(case_.failures)}}) {
    app_.serve();
    auto policy = impatient_policy();
    const auto more = json::parse(case_.policy);
    for (const auto& member : more.as_object()) policy.as_object()[member.key()] = member.value();
    const auto set = app_.api("PATCH", "/integrations/" + app_.integration().id,
                              json::serialize(json::object{{"policy", policy}, {"check", false}}));
    INFO(set.body);
    REQUIRE(set.status == 200);
    std::vector<std::string> users;
    for (int i = 0; i < 10; ++i) users.push_back(app_.add_user("user" + std::to_string(i)));
    secret_ = subscribe(app_, inbox_);
    for (std::size_t i = 0; i < case_.leavers; ++i) REQUIRE(app_.set_active(users[i], false).status < 300);
  }
  void check() const {
    INFO(case_.types.front());
    CHECK(eventually([&] { return has_all(types_in(inbox_), case_.types); }));
    for (const auto& type : types_in(inbox_)) UNSCOPED_INFO("told: " << type);
    check_signatures(inbox_, secret_);
    if (case_.types.front() != "lane.paused") return;
    const auto listed = run_deprov({"integration", "list", "--server",
                                    "http://127.0.0.1:" + std::to_string(app_.port()), "--token", app_.owner()});
    CHECK(listed.out.find("active, lane paused") != std::string::npos);
  }

 private:
  Case case_;
  Inbox inbox_;
  Running app_;
  std::string secret_;
};

}  // namespace

TEST_CASE("each kind of notification reaches a receiver, signed and timed", "[.][e2e][notify][webhook]") {
  // Objectives are looked at a minute after a start: meanwhile the others.
  const std::string never = R"({"disable":{"UNAVAILABLE":1}})";
  const Provoked half({{"objective.half_gone"}, never, R"({"objective_ms":100000})"});
  const Provoked gone({{"objective.gone"}, never, R"({"objective_ms":2000})"});
  for (const auto& c : cases()) Provoked(c).check();
  half.check();
  gone.check();
}

TEST_CASE("a person who stops and resumes is told of, and so is a source that fails and recovers",
          "[.][e2e][notify][webhook][R16]") {
  Inbox inbox;
  Running app(2);
  app.serve();
  for (int i = 0; i < 2; ++i) app.add_user("user" + std::to_string(i));
  const auto secret = subscribe(app, inbox);
  const auto run = [&](std::vector<std::string> args) {
    args.insert(args.end(),
                {"--server", "http://127.0.0.1:" + std::to_string(app.port()), "--token", app.owner()});
    return run_deprov(args);
  };
  REQUIRE(run({"integration", "stop", app.integration().id, "--reason", "drill"}).exit_code == 0);
  CHECK(eventually([&] { return has_all(types_in(inbox), {"lane.paused"}); }));
  REQUIRE(run({"integration", "resume", app.integration().id}).exit_code == 0);
  CHECK(eventually([&] { return has_all(types_in(inbox), {"lane.resumed"}); }));

  std::atomic<bool> well{false};
  TestServer authority([&](const ServerRequest&) -> Answer {
    if (!well) return respond(500, "oops");
    return respond_json(200, R"({"totalResults":2,"Resources":[{"id":"0","externalId":"ext-user0"},)"
                             R"({"id":"1","externalId":"ext-user1"}]})");
  });
  write_file(app.dir().file("source.json"),
             json::serialize(json::object{
                 {"scim", {{"base_url", authority.url()}, {"allow_http", true}, {"id", "externalId"}}},
                 {"auth", {{"type", "token"}, {"token", "secret-of-the-authority"}}},
                 {"poll", {{"floor_s", 86400}, {"ceiling_s", 86400}}}}));
  REQUIRE(run({"source", "add", app.integration().id, "--name", "idp", "--kind", "scim", "--config",
               app.dir().file("source.json")})
              .exit_code == 0);
  CHECK(run({"source", "sync", app.integration().id, "idp"}).exit_code != 0);
  CHECK(eventually([&] { return has_all(types_in(inbox), {"source.unhealthy"}); }));
  well = true;
  CHECK(run({"source", "sync", app.integration().id, "idp"}).exit_code == 0);
  CHECK(eventually([&] { return has_all(types_in(inbox), {"source.recovered"}); }));
  check_signatures(inbox, secret);
}
