#include "scim_fixture.hpp"

using namespace deprov::test;
using deprov::connector::Effect;

TEST_CASE("scim: groups are left by filter, or by the array form where the app wants that") {
  Bench b;
  auto call = make_call(Operation::revoke_entitlement, "42");
  call.entitlement = "g1";
  SECTION("by filter") {
    const TestServer s([](const ServerRequest&) { return respond(204); });
    const auto r = Bench::call(*open(b, config_for(s)), call);
    check_outcome(r, Outcome::ok);
    CHECK(r.effect == Effect::done);
    CHECK(s.requests().at(0).target == "/scim/v2/Groups/g1");
    CHECK(json::parse(s.requests()[0].body).at("Operations").at(0) ==
          json::parse(R"({"op":"remove","path":"members[value eq \"42\"]"})"));
  }
  SECTION("by array, remembered") {
    const TestServer s([](const ServerRequest& r) {
      return r.body.find("value eq") != std::string::npos ? respond_json(400, error(400, "invalidPath"))
                                                          : respond(204);
    });
    const auto c = open(b, config_for(s));
    check_outcome(Bench::call(*c, call), Outcome::ok);
    check_outcome(Bench::call(*c, call), Outcome::ok);
    REQUIRE(s.requests().size() == 3);
    CHECK(json::parse(s.requests()[2].body).at("Operations").at(0) ==
          json::parse(R"({"op":"remove","path":"members","value":[{"value":"42"}]})"));
  }
  SECTION("no member, or no such group: already") {
    for (const auto& answer : {respond_json(400, error(400, "noTarget")), respond(404)}) {
      const TestServer s([&](const ServerRequest& r) {
        return r.target.find("/Users?") != std::string::npos ? respond_json(200, page({}, 0)) : answer;
      });
      const auto r = Bench::call(*open(b, config_for(s)), call);
      check_outcome(r, Outcome::ok);
      CHECK(r.effect == Effect::already);
      CHECK(s.requests().front().method == "PATCH");
    }
  }
  SECTION("a group that is gone cannot be joined, and that is not about the account") {
    const TestServer s([](const ServerRequest& r) {
      if (r.target.find("/Users?") != std::string::npos) return respond_json(200, page({}, 0));
      return respond(r.target.find("g1") != std::string::npos ? 204 : 404);
    });
    const auto c = open(b, config_for(s));
    call.operation = Operation::grant_entitlement;
    check_outcome(Bench::call(*c, call), Outcome::ok);
    CHECK(json::parse(s.requests()[0].body).at("Operations").at(0) ==
          json::parse(R"({"op":"add","path":"members","value":[{"value":"42"}]})"));
    call.entitlement = "g2";
    check_outcome(Bench::call(*c, call), Outcome::invalid_request);
  }
  SECTION("all of them, one after the other") {
    const TestServer s(
        [](const ServerRequest& r) { return r.method == "GET" ? respond_json(200, user_42) : respond(204); });
    const auto c = open(b, config_for(s));
    check_outcome(Bench::call(*c, make_call(Operation::remove, "42")), Outcome::ok);
    CHECK(s.requests().size() == 3);
    const auto r = Bench::call(*c, make_call(Operation::list_entitlements, "42"));
    CHECK(r.accounts.at(0).groups == std::vector<std::string>{"g1", "g2"});
  }
  SECTION("an app that shows no groups at the account is asked for the groups") {
    const TestServer s([](const ServerRequest& r) {
      if (r.target.find("/Users/") != std::string::npos) return respond_json(200, user("42", "ann"));
      if (r.target.find("startIndex=1&") != std::string::npos)
        return respond_json(200, page({R"({"id":"a"})"}, 2));
      return respond_json(200, page({R"({"id":"b"})"}, 2, 2));
    });
    const auto r = Bench::call(*open(b, config_for(s)), make_call(Operation::list_entitlements, "42"));
    check_outcome(r, Outcome::ok);
    CHECK(r.accounts.at(0).groups == std::vector<std::string>{"a", "b"});
  }
}
