// Okta as a source of an engine: what it shows, what it fails to show, and what follows in the app.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include "catch.hpp"
#include "support/fake_okta.hpp"
#include "support/feed_world.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using deprov::test::FakeOkta;
using deprov::test::FeedWorld;

namespace {

const std::vector<std::string> okta_people = {"ann", "ben", "cid", "dan", "eve", "fay", "gus", "hal"};

FakeOkta populated_okta() {
  FakeOkta okta;
  for (const auto& name : okta_people) okta.users["ext-" + name] = {};
  return okta;
}

struct Org {
  FakeOkta okta;
  FeedWorld world;
  explicit Org(boost::json::object more = {})
      : okta(populated_okta()),
        world([this](const test::ApiRequest& r) { return okta(r); }, okta_people, "okta",
              config(std::move(more))) {
    okta.now = [this] { return world.clock.wall(); };
    world.run(1min);
    REQUIRE(world.row().users == okta_people.size());
  }
  static boost::json::object config(boost::json::object more) {
    more["okta"] = {{"url", "https://example.okta.com"}, {"app", "0oa1"}, {"page_size", 3}};
    more["auth"] = {{"type", "token"}, {"token", "t0"}};
    return more;
  }
};

}  // namespace

TEST_CASE("who is deactivated, unassigned or deleted in Okta loses access, for that cause",
          "[engine][polls][okta][R2]") {
  Org o;
  CHECK(o.world.disables() == 0);
  o.okta.deactivate("ext-ann");
  o.world.run(10min);
  o.okta.unassign("ext-ben");
  o.world.run(10min);
  o.okta.erase("ext-cid");
  o.world.run(10min);
  for (const auto* name : {"ann", "ben", "cid"}) CHECK_FALSE(o.world.active(name));
  CHECK(o.world.cause("ann") == idp::Cause::deactivated);
  CHECK(o.world.cause("ben") == idp::Cause::unassigned);
  CHECK(o.world.cause("cid") == idp::Cause::hard_deleted);
  CHECK(o.world.disables() == 3);
  // Who is assigned again is let in again.
  o.okta.assign("ext-ben");
  o.world.run(10min);
  CHECK(o.world.active("ben"));
  // A suspended user's sessions are revoked, and Okta's SCIM client says nothing of it.
  o.okta.suspend("ext-dan");
  o.world.run(10min);
  CHECK(o.world.cause("dan") == idp::Cause::suspended);
  CHECK(o.world.row().failing_since.micros == 0);
}

TEST_CASE("nobody loses access by an answer of Okta's that is not whole", "[engine][polls][okta][R6][R16]") {
  const auto whole = [](const test::ApiRequest& r) {
    return r.url.find("/apps/0oa1/users?") != std::string::npos;
  };
  const std::vector<
      std::pair<const char*, std::function<std::optional<port::HttpResponse>(const test::ApiRequest&)>>>
      faults = {
          {"an empty list",
           [](const auto&) {
             return port::HttpResponse{200, {}, "[]"};
           }},
          {"a list that is cut off",
           [](const auto&) {
             return port::HttpResponse{200, {}, R"([{"id":"ext-ann","sta)"};
           }},
          {"a web page",
           [](const auto&) {
             return port::HttpResponse{200, {}, "<html>Sign in</html>"};
           }},
          {"an expired token",
           [](const auto&) { return FakeOkta::error(401, "E0000011", "Invalid token provided"); }},
          {"no permission",
           [](const auto&) { return FakeOkta::error(403, "E0000006", "You do not have permission"); }},
          {"an app that is gone",
           [](const auto&) {
             return FakeOkta::error(404, "E0000007", "Not found: Resource not found: 0oa1 (AppInstance)");
           }},
          {"a next page elsewhere",
           [](const auto&) {
             return port::HttpResponse{200, {{"Link", "<https://evil.example.com/>; rel=\"next\""}}, "[]"};
           }},
          {"an unknown status",
           [](const auto&) {
             return port::HttpResponse{200, {}, R"([{"id":"ext-ann","status":"FROZEN"}])"};
           }},
      };
  for (const auto& [name, what] : faults) {
    INFO(name);
    Org o;
    o.okta.fault = [&, what = what](const test::ApiRequest& r, std::size_t) {
      return whole(r) ? what(r) : std::nullopt;
    };
    const auto polled = o.world.poll({.complete = true});
    CHECK_FALSE(polled);
    CHECK(o.world.disables() == 0);
    CHECK(o.world.row().users == okta_people.size());
    CHECK(o.world.row().failing_since.micros != 0);
    for (const auto& url : o.world.idp.log) CHECK(url.find("evil") == std::string::npos);
    o.okta.fault = {};
    CHECK(o.world.poll({.complete = true}));
    CHECK(o.world.row().failing_since.micros == 0);
    CHECK(o.world.disables() == 0);
  }
}

TEST_CASE("Okta's throttling and its own failures delay a removal, and lose none", "[engine][polls][okta][R17]") {
  Org o;
  const auto from = o.okta.asked;
  o.okta.unassign("ext-ben");
  std::size_t faults = 0;
  o.okta.fault = [&](const test::ApiRequest&, std::size_t nth) -> std::optional<port::HttpResponse> {
    // The first time that each request is made.
    if ((nth - from) % 2 == 1) return std::nullopt;
    if (++faults % 3 == 0) return FakeOkta::error(500, "E0000009", "Internal Server Error");
    const auto reset = o.okta.now().micros / 1'000'000 + 20;
    return FakeOkta::error(429, "E0000047", "API call exceeded rate limit due to too many requests.",
                           {{"X-Rate-Limit-Limit", "600"},
                            {"X-Rate-Limit-Remaining", "0"},
                            {"X-Rate-Limit-Reset", std::to_string(reset)}});
  };
  o.world.run(30min);
  CHECK(faults > 5);
  CHECK_FALSE(o.world.active("ben"));
  CHECK(o.world.disables() == 1);
  CHECK(o.world.row().failing_since.micros == 0);
}

TEST_CASE("a group of Okta's that lost members leads to reading the assignments", "[engine][polls][okta][R5]") {
  Org o;
  // The log says nothing of it, as where events were dropped.
  o.okta.users["ext-eve"].assigned = false;
  o.world.run(20min);
  CHECK(o.world.active("eve"));
  o.okta.group_changed = true;
  o.world.run(30min);
  CHECK_FALSE(o.world.active("eve"));
  CHECK(o.world.cause("eve") == idp::Cause::unassigned);
}

TEST_CASE("event hooks of Okta are hints: late, twice, in any order, and of somebody who is there",
          "[engine][polls][okta][R5]") {
  const std::string secret = "secret-of-the-hook";
  Org o({{"hook", {{"secrets", boost::json::array{secret}}}}});
  o.world.run(2h);  // polls are rare by now
  const auto deliver = [&](std::vector<std::string> events, const std::string& shown) {
    std::string body = R"({"eventType":"com.okta.event_hook","data":{"events":[)";
    for (std::size_t i = 0; i < events.size(); ++i) body.append(i == 0 ? "" : ",").append(events[i]);
    engine::HookCall call{"POST", {}, {{"Authorization", shown}}, body + "]}}"};
    const auto answer = o.world.wait<idp::HookAnswer>(
        [&](auto done) { o.world.engine->sources().called(o.world.source, std::move(call), std::move(done)); });
    REQUIRE(answer);
    return answer->status;
  };
  o.okta.unassign("ext-ann");
  o.okta.assign("ext-ann");
  o.okta.unassign("ext-ben");
  const auto events = o.okta.log;
  REQUIRE(events.size() == 3);
  const auto asked = o.okta.asked;
  CHECK(deliver({events[0]}, "made up") == 401);
  o.world.run(1s);
  CHECK(o.okta.asked == asked);
  // The oldest last: ann is assigned.
  CHECK(deliver({events[2], events[1]}, secret) == 204);
  CHECK(deliver({events[1], events[0], events[0]}, secret) == 204);
  o.world.run(20s);
  CHECK(o.world.active("ann"));
  CHECK_FALSE(o.world.active("ben"));
  CHECK(o.world.disables() == 1);
  CHECK(deliver({events[0], events[2]}, secret) == 204);
  o.world.run(1h);
  CHECK(o.world.disables() == 1);
}
