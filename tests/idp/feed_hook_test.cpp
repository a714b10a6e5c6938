#include <deprov/idp/feed_hook.hpp>
#include "catch.hpp"
#include "feed_fixture.hpp"

using namespace deprov;
using namespace deprov::idp;
using namespace deprov::test;

namespace {

const std::vector<std::string> secrets = {"the-secret", "the-former-one", ""};

json::object event(const std::string& uuid, const std::string& type, json::array targets) {
  return {{"uuid", uuid},
          {"published", "2020-03-03T20:23:17.573Z"},
          {"eventType", type},
          {"outcome", {{"reason", nullptr}, {"result", "SUCCESS"}}},
          {"target", std::move(targets)}};
}
json::object target(const std::string& type, const std::string& id) {
  return {{"type", type}, {"id", id}, {"displayName", "x"}};
}
std::string delivery(json::array events) {
  return json::serialize(json::object{{"eventType", "com.okta.event_hook"},
                                      {"eventTypeVersion", "1.0"},
                                      {"cloudEventsVersion", "0.1"},
                                      {"source", "https://example.okta.com/api/v1/eventHooks/who1"},
                                      {"eventId", "85b60edb-4263-4e13-993b-818e26201052"},
                                      {"data", {{"events", std::move(events)}}}});
}
HookAnswer okta(std::string_view method, const std::vector<FeedHeader>& headers, const std::string& body = {}) {
  return receive_okta_hook({method, {}, headers, body}, secrets, "0oa1");
}
HookAnswer posted(const std::string& body, const std::string& secret = "the-secret") {
  return okta("POST", {{"authorization", secret}}, body);
}
HookAnswer graph(const std::string& body, const std::string& query = {}, std::string_view method = "POST") {
  return receive_graph_notification({method, query, {}, body}, secrets);
}
std::string notification(const std::string& state, json::object more = {{"changeType", "updated"}}) {
  json::object n{{"id", "lsgTZMr9KwAAA"},
                 {"subscriptionId", "sub-1"},
                 {"subscriptionExpirationDateTime", "2016-03-19T22:11:09.952Z"},
                 {"clientState", state},
                 {"resource", "Users/u1"},
                 {"tenantId", "84bd8158"},
                 {"resourceData", {{"id", "u1"}}}};
  for (auto& m : more) n[m.key()] = m.value();
  return json::serialize(json::object{{"value", {n}}});
}

}  // namespace

TEST_CASE("an Okta event hook is verified by its challenge", "[idp][feed][hook]") {
  const auto answer = okta("GET", {{"X-Okta-Verification-Challenge", "my \"verification\""}});
  CHECK(answer.status == 200);
  CHECK(answer.content_type == "application/json");
  CHECK(answer.body == R"({"verification":"my \"verification\""})");
  CHECK(answer.hints.empty());
  CHECK(okta("GET", {}).status == 400);
  CHECK(okta("GET", {{"x-okta-verification-challenge", ""}}).status == 400);
  CHECK(okta("GET", {{"x-okta-verification-challenge", std::string(2049, 'x')}}).status == 400);
  CHECK(okta("GET", {{"x-okta-verification-challenge", "a\nb"}}).status == 400);
  CHECK(okta("PUT", {{"Authorization", "the-secret"}}).status == 405);
}

TEST_CASE("an Okta delivery needs the hook's secret", "[idp][feed][hook][R21]") {
  const auto body = delivery({event("e1", "user.lifecycle.suspend", {target("User", "00u1")})});
  CHECK(posted(body).status == 204);
  CHECK(posted(body, "the-former-one").status == 204);
  for (const auto* wrong : {"", "the-secre", "the-secret ", "THE-SECRET", "x"}) {
    const auto answer = posted(body, wrong);
    CHECK(answer.status == 401);
    CHECK(answer.hints.empty());
    CHECK(answer.refusal.find("the-secret") == std::string::npos);
  }
  CHECK(okta("POST", {}, body).status == 401);
  CHECK(receive_okta_hook({"POST", {}, {}, body}, {}, "0oa1").status == 401);
}

TEST_CASE("an Okta delivery says whom to read again", "[idp][feed][hook][R5]") {
  const auto answer = posted(delivery({
      event("e2", "group.user_membership.remove", {target("UserGroup", "00g1"), target("User", "00u2")}),
      event("e1", "application.user_membership.remove",
            {target("AppUser", "0ua1"), target("AppInstance", "0oa1"), target("User", "00u1")}),
      event("e2", "group.user_membership.remove", {target("User", "00u2")}),  // once more
      event("e3", "application.user_membership.remove",
            {target("AppInstance", "0oaOther"), target("User", "00u3")}),
      event("e4", "user.session.start", {target("User", "00u4")}),
      event("e5", "group.lifecycle.delete", {target("UserGroup", "00g1")}),
  }));
  CHECK(answer.status == 204);
  REQUIRE(answer.hints.size() == 3);
  CHECK(answer.hints[0].id == "e2");
  CHECK(answer.hints[0].users == std::vector<std::string>{"00u2"});
  CHECK(answer.hints[0].at == at("2020-03-03T20:23:17.573Z"));
  CHECK(answer.hints[1].users == std::vector<std::string>{"00u1"});
  CHECK_FALSE(answer.hints[1].read_all);
  CHECK(answer.hints[2].read_all);
  auto failed = event("e6", "user.lifecycle.deactivate", {target("User", "00u1")});
  failed["outcome"] = {{"result", "FAILURE"}};
  CHECK(posted(delivery({failed})).hints.empty());
}

TEST_CASE("an Okta delivery that is none is refused", "[idp][feed][hook]") {
  const auto good = delivery({event("e1", "user.lifecycle.suspend", {target("User", "00u1")})});
  for (std::size_t n = 0; n < good.size(); n += 5) CHECK(posted(good.substr(0, n)).status == 400);
  CHECK(posted("[]").status == 400);
  CHECK(posted(R"({"data":{"events":{}}})").status == 400);
  CHECK(posted(R"({"data":{"events":[1]}})").status == 400);
  CHECK(posted(R"({"data":{"events":[{}]}})").status == 400);
  auto nameless = event("", "user.lifecycle.suspend", {target("User", "00u1")});
  CHECK(posted(delivery({nameless})).status == 400);
  CHECK(posted(delivery({event("e1", "user.lifecycle.suspend", {target("User", "")})})).status == 400);
  CHECK(posted(std::string((1U << 20U) + 1, ' ')).status == 413);
  json::array many(2001, event("e", "user.session.start", {}));
  CHECK(posted(delivery(many)).status == 413);
  CHECK(posted(std::string(1000, '[')).status == 400);
}

TEST_CASE("the types of Okta events are told in order, each once", "[idp][feed][hook]") {
  const auto types = okta_event_types();
  CHECK(std::is_sorted(types.begin(), types.end()));
  CHECK(std::adjacent_find(types.begin(), types.end()) == types.end());
  CHECK(std::count(types.begin(), types.end(), "user.lifecycle.suspend") == 1);
}

TEST_CASE("a Graph subscription is validated by its token", "[idp][feed][hook]") {
  const auto answer = graph("", "a=b&validationToken=Validation%3A+Testing+client%20app%3C");
  CHECK(answer.status == 200);
  CHECK(answer.content_type == "text/plain");
  CHECK(answer.body == "Validation: Testing client app<");
  CHECK(graph("", "validationToken=").status == 400);
  CHECK(graph("", "validationToken=%0D%0A").status == 400);
  CHECK(graph("", "validationToken=%zz").status == 400);
  CHECK(graph("", "validationToken=" + std::string(3000, 'x')).status == 400);
  CHECK(graph("", "validationToken=x", "GET").status == 405);
}

TEST_CASE("a Graph notification makes the delta run now", "[idp][feed][hook][R5]") {
  auto answer = graph(notification("the-secret"));
  CHECK(answer.status == 202);
  REQUIRE(answer.hints.size() == 1);
  CHECK(answer.hints[0].poll_now);
  CHECK(answer.hints[0].users.empty());
  CHECK(answer.hints[0].type == "updated");
  CHECK(answer.hints[0].subscription.empty());
  answer = graph(notification("the-secret", {{"lifecycleEvent", "reauthorizationRequired"}}));
  REQUIRE(answer.hints.size() == 1);
  CHECK(answer.hints[0].type == "reauthorizationRequired");
  CHECK(answer.hints[0].subscription == "sub-1");
}

TEST_CASE("a Graph notification without its clientState is refused", "[idp][feed][hook][R21]") {
  for (const auto* wrong : {"", "the-secre", "The-Secret"}) {
    const auto answer = graph(notification(wrong));
    CHECK(answer.status == 401);
    CHECK(answer.hints.empty());
  }
  // Of several, those of others are left out.
  auto both = json::parse(notification("the-secret")).as_object();
  both["value"].as_array().push_back(json::parse(notification("wrong")).as_object()["value"].as_array()[0]);
  const auto answer = graph(json::serialize(both));
  CHECK(answer.status == 202);
  CHECK(answer.hints.size() == 1);
  CHECK(graph(R"({"value":[]})").status == 202);
  CHECK(graph("").status == 400);
  CHECK(graph("[]").status == 400);
  CHECK(graph(R"({"value":[1]})").status == 400);
  CHECK(graph(notification("the-secret", {{"changeType", nullptr}})).status == 400);
  CHECK(graph(std::string((1U << 20U) + 1, ' ')).status == 413);
}
