// Okta and Microsoft Graph as sources of the running program, over real sockets, from APIs that behave as
// documented, their faults included.
#include <atomic>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include "catch.hpp"
#include "support/fake_graph.hpp"
#include "support/fake_okta.hpp"
#include "support/running.hpp"
#include "support/test_server.hpp"

using namespace deprov::test;
namespace json = boost::json;

namespace {

const std::vector<std::string> people = {"user0", "user1", "user2", "user3", "user4", "user5"};

/// `deprov serve` with an integration of these people.
struct App : Running {
  App() : Running(people.size()) {
    serve();
    for (const auto& name : people) ids.push_back(add_user(name));
  }
  Finished run(std::vector<std::string> args) const {
    args.insert(args.end(),
                {"--server", "http://127.0.0.1:" + std::to_string(port()), "--token", owner(), "--json"});
    return run_deprov(args);
  }
  json::value answer(const std::vector<std::string>& args) const {
    const auto done = run(args);
    INFO(done.out << done.err);
    REQUIRE(done.exit_code == 0);
    return json::parse(done.out);
  }
  void add_source(const std::string& kind, json::object config) const {
    config["poll"] = {{"floor_s", 86400}, {"ceiling_s", 86400}};  // when it is told, and not by itself
    write_file(dir().file("source.json"), json::serialize(config));
    const auto made = answer({"source", "add", integration().id, "--name", "idp", "--kind", kind, "--config",
                              dir().file("source.json")});
    CHECK(json::serialize(made).find("the-secret") == std::string::npos);
  }
  json::value sync() const { return answer({"source", "sync", integration().id, "idp"}); }
  json::value show() const { return answer({"source", "show", integration().id, "idp"}); }
  std::vector<std::string> ids;
};

/// An API of a test as a server.
template <class Fake>
class Served {
 public:
  Served(Fake& fake, std::string url) : fake_(fake), url_(std::move(url)) {}
  Answer operator()(const ServerRequest& r) {
    const ApiRequest asked{r.method, url_ + r.target, r.header("Authorization").value_or(""), r.body};
    const auto said = fake_(asked);
    Headers headers;
    for (const auto& h : said.headers) headers.emplace_back(h.name, h.value);
    return respond_json(said.status, said.body, headers);
  }

 private:
  Fake& fake_;
  std::string url_;
};

deprov::WallTime wall() {
  return {
      std::chrono::duration_cast<deprov::Duration>(std::chrono::system_clock::now().time_since_epoch()).count()};
}

}  // namespace

TEST_CASE("the running program polls Okta: changes, throttling, an expired token, a truncated answer",
          "[polls][okta][R6][R16]") {
  FakeOkta okta;
  okta.token = "the-secret-of-okta";
  okta.now = wall;
  for (const auto& name : people) okta.users["ext-" + name] = {};
  std::atomic<int> fault{0};
  okta.fault = [&](const ApiRequest& r, std::size_t nth) -> std::optional<deprov::port::HttpResponse> {
    const bool list = r.url.find("/users?expand=user") != std::string::npos;
    if (fault == 1 && nth % 2 == 0) {
      const auto reset = std::to_string(wall().micros / 1'000'000 + 1);
      return FakeOkta::error(429, "E0000047", "API call exceeded rate limit", {{"X-Rate-Limit-Reset", reset}});
    }
    if (fault == 2) return FakeOkta::error(401, "E0000011", "Invalid token provided");
    if (fault == 3 && list) return deprov::port::HttpResponse{200, {}, R"([{"id":"ext-user0","status":"ACT)"};
    if (fault == 4 && list) return deprov::port::HttpResponse{200, {}, "[]"};
    return std::nullopt;
  };
  App app;
  TestServer server([&](const ServerRequest& r) { return Served<FakeOkta>(okta, okta.url)(r); });
  okta.url = server.url();
  app.add_source("okta",
                 {{"okta", {{"url", server.url()}, {"allow_http", true}, {"app", "0oa1"}, {"page_size", 3}}},
                  {"auth", {{"type", "token"}, {"token", "the-secret-of-okta"}}}});
  (void)app.sync();
  CHECK(app.show().at("users").to_number<int>() == 6);

  okta.deactivate("ext-user1");
  okta.unassign("ext-user2");
  fault = 1;
  CHECK(app.sync().at("ends").to_number<int>() == 2);
  fault = 0;
  CHECK(app.removal_reaches(app.ids[1], "succeeded_verified"));
  CHECK(app.removal_reaches(app.ids[2], "succeeded_verified"));
  CHECK(app.removal(app.ids[1]).at("cause").as_string() == "deactivated");
  CHECK(app.removal(app.ids[2]).at("cause").as_string() == "unassigned");

  // Two as the token is refused, and of a list that is not whole nobody is absent.
  okta.erase("ext-user3");
  for (const int wrong : {2, 3, 4}) {
    INFO("fault " << wrong);
    fault = wrong;
    const auto failed = wrong == 2 ? app.run({"source", "sync", app.integration().id, "idp"})
                                   : app.run({"source", "check", app.integration().id, "--source", "idp"});
    CHECK(failed.exit_code != 0);
    CHECK(app.removal(app.ids[3]).is_null());
  }
  CHECK(app.show().at("health").as_string() == "failing");
  CHECK(std::string(app.show().at("failure").as_string()).find("E0000011") != std::string::npos);
  fault = 0;
  (void)app.sync();
  CHECK(app.show().at("health").as_string() == "ok");
  // Disabled now, removed in 30 days.
  CHECK(app.removal_reaches(app.ids[3], "in_grace"));
  CHECK(app.removal(app.ids[3]).at("cause").as_string() == "hard_deleted");
  for (const auto i : {0U, 4U, 5U}) CHECK(app.removal(app.ids[i]).is_null());
  for (const auto& request : server.requests())
    CHECK(request.header("Authorization") == "SSWS the-secret-of-okta");
  CHECK(app.server().log().find("the-secret-of-okta") == std::string::npos);
}

TEST_CASE("a call of Okta has the running program read whom it names, at once", "[polls][okta][R5]") {
  FakeOkta okta;
  okta.token = "the-secret-of-okta";
  okta.now = wall;
  for (const auto& name : people) okta.users["ext-" + name] = {};
  App app;
  TestServer server([&](const ServerRequest& r) { return Served<FakeOkta>(okta, okta.url)(r); });
  okta.url = server.url();
  json::object config{{"okta", {{"url", server.url()}, {"allow_http", true}, {"app", "0oa1"}}},
                      {"auth", {{"type", "token"}, {"token", "the-secret-of-okta"}}}};
  config["hook"] = {{"secrets", {"Bearer the-secret-of-the-hook"}}};
  app.add_source("okta", config);
  (void)app.sync();
  const auto shown = app.show();
  CHECK(json::serialize(shown).find("the-secret") == std::string::npos);
  const auto url = "/events/" + std::string(shown.at("id").as_string());

  const auto verified = http(app.port(), "GET", url, "", "", "X-Okta-Verification-Challenge: prove it\r\n");
  CHECK(verified.status == 200);
  CHECK(verified.body == R"({"verification":"prove it"})");
  const auto deliver = [&](const std::string& user, const std::string& secret) {
    const json::object target{{"type", "User"}, {"id", "ext-" + user}};
    const json::object event{{"uuid", "e-" + user},
                             {"published", "2026-11-30T01:00:00.000Z"},
                             {"eventType", "user.lifecycle.deactivate"},
                             {"outcome", {{"result", "SUCCESS"}}},
                             {"target", {target}}};
    return http(app.port(), "POST", url, secret,
                json::serialize(json::object{{"data", {{"events", json::array(1, event)}}}}),
                "Content-Type: application/json\r\n")
        .status;
  };
  // The event is no proof: Okta itself is asked, and user2 is well.
  CHECK(deliver("user2", "the-secret-of-the-hook") == 204);
  okta.deactivate("ext-user1");
  CHECK(deliver("user1", "somebody-else's-secret") == 401);
  CHECK(deliver("user1", "the-secret-of-the-hook") == 204);
  CHECK(app.removal_reaches(app.ids[1], "succeeded_verified"));
  CHECK(app.removal(app.ids[1]).at("cause").as_string() == "deactivated");
  for (const auto i : {0U, 2U, 3U, 4U, 5U}) CHECK(app.removal(app.ids[i]).is_null());
  CHECK(http(app.port(), "POST", "/events/00000000-0000-7000-8000-000000000000", "the-secret-of-the-hook", "{}",
             "Content-Type: application/json\r\n")
            .status == 415);
}

TEST_CASE("the running program polls Microsoft Graph with client credentials", "[polls][graph][R6]") {
  FakeGraph graph;
  for (const auto& name : people) graph.users["ext-" + name] = FakeGraph::State::enabled;
  for (const auto* name : {"user0", "user1", "user2"}) graph.assigned.insert(std::string("ext-") + name);
  for (const auto* name : {"user3", "user4", "user5"}) graph.groups["g1"].insert(std::string("ext-") + name);
  App app;
  TestServer server([&](const ServerRequest& r) {
    // Its token endpoint is on the same server here.
    if (r.target.starts_with("/login/")) {
      CHECK(r.body.find("client_secret=the-secret") != std::string::npos);
      CHECK(r.body.find("grant_type=client_credentials") != std::string::npos);
      return Served<FakeGraph>(graph, "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token")(
          {r.method, "", r.headers, r.body, 0, 0});
    }
    return Served<FakeGraph>(graph, "http://" + r.header("Host").value_or(""))(r);
  });
  graph.url = server.url() + "/v1.0";
  app.add_source("graph", {{"graph",
                            {{"url", graph.url},
                             {"login_url", server.url() + "/login"},
                             {"allow_http", true},
                             {"tenant", "contoso.example"},
                             {"service_principal", "sp1"}}},
                           {"auth",
                            {{"type", "client_credentials"},
                             {"client_id", "c"},
                             {"client_secret", "the-secret"},
                             {"client_auth", "post"}}}});
  (void)app.sync();
  CHECK(app.show().at("users").to_number<int>() == 6);
  graph.set("ext-user0", FakeGraph::State::disabled);
  graph.set("ext-user1", FakeGraph::State::soft_deleted);
  graph.leave("g1", "ext-user4");
  graph.restart_tokens();
  CHECK(app.sync().at("ends").to_number<int>() == 3);
  CHECK(graph.tokens == 2);
  for (const auto i : {0U, 1U, 4U}) CHECK(app.removal_reaches(app.ids[i], "succeeded_verified"));
  CHECK(app.removal(app.ids[0]).at("cause").as_string() == "deactivated");
  CHECK(app.removal(app.ids[1]).at("cause").as_string() == "soft_deleted");
  CHECK(app.removal(app.ids[4]).at("cause").as_string() == "unassigned");
  // What Graph forgot is read whole.
  graph.erase("ext-user2");
  graph.oldest = 1000;
  (void)app.sync();
  CHECK(app.removal_reaches(app.ids[2], "in_grace"));
  CHECK(app.removal(app.ids[2]).at("cause").as_string() == "hard_deleted");
  for (const auto i : {3U, 5U}) CHECK(app.removal(app.ids[i]).is_null());
  CHECK(app.server().log().find("the-secret") == std::string::npos);
}
