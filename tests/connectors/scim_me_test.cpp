// The account of the credential itself, as the app's /Me tells it (R9).
#include <algorithm>
#include "catch.hpp"
#include "scim_fixture.hpp"

using namespace deprov;
using namespace deprov::test;
using connector::Operation;
using connector::Outcome;

namespace {

/// An app whose /Me gives `me`, and that does whatever it is asked to.
Answer answer(const ServerRequest& r, const Answer& me) {
  if (r.target == "/scim/v2/Me") return me;
  if (r.method == "GET") return respond_json(200, user_42);
  return respond(204);
}

std::size_t count(const TestServer& s, std::string_view method, std::string_view target) {
  const auto all = s.requests();
  return static_cast<std::size_t>(std::count_if(
      all.begin(), all.end(), [&](const auto& r) { return r.method == method && r.target == target; }));
}

}  // namespace

TEST_CASE("the account that /Me shows is never taken away, and /Me is asked once", "[connectors][scim][R9]") {
  const bool redirects = GENERATE(false, true);
  const Answer me = redirects ? respond(308, {}, {{"Location", "https://app.example.com/scim/v2/Users/4%32"}})
                              : respond_json(200, user_42);
  const TestServer s([&](const ServerRequest& r) { return answer(r, me); });
  Bench b;
  auto config = config_for(s);
  config["me"] = true;
  const auto c = open(b, config);
  for (const auto operation : {Operation::disable, Operation::remove, Operation::revoke_entitlement}) {
    auto call = make_call(operation, "42");
    if (operation == Operation::remove) call.delete_account = true;
    if (operation == Operation::revoke_entitlement) call.entitlement = "g1";
    const auto reply = Bench::call(*c, call);
    CHECK(reply.outcome == Outcome::protected_account);
    CHECK(reply.detail.find("signs in") != std::string::npos);
  }
  CHECK(Bench::call(*c, make_call(Operation::disable, "43")).outcome == Outcome::ok);
  CHECK(count(s, "GET", "/scim/v2/Me") == 1);
  CHECK(count(s, "PATCH", "/scim/v2/Users/43") == 1);
  CHECK(count(s, "PATCH", "/scim/v2/Users/42") + count(s, "DELETE", "/scim/v2/Users/42") == 0);
  CHECK(count(s, "PATCH", "/scim/v2/Groups/g1") == 0);
}

TEST_CASE("an app without /Me is worked with, and asked again only where it said nothing",
          "[connectors][scim][R9]") {
  struct Row {
    Answer me;
    std::size_t asked;
  };
  const auto row = GENERATE(values<Row>({{respond_json(501, error(501, "")), 1},
                                         {respond(404, "not here"), 1},
                                         {respond(403), 1},
                                         {respond_json(200, page({user("42", "ann")}, 1)), 1},
                                         {respond(302, {}, {{"Location", "https://app.example.com/login"}}), 2},
                                         {respond(200, "<html>sign in</html>"), 2},
                                         {respond(503), 2},
                                         {respond(429, {}, {{"Retry-After", "1"}}), 2}}));
  const TestServer s([&](const ServerRequest& r) { return answer(r, row.me); });
  Bench b;
  auto config = config_for(s);
  config["me"] = true;
  const auto c = open(b, config);
  CHECK(Bench::call(*c, make_call(Operation::disable, "42")).outcome == Outcome::ok);
  CHECK(Bench::call(*c, make_call(Operation::disable, "42")).outcome == Outcome::ok);
  CHECK(count(s, "GET", "/scim/v2/Me") == row.asked);
  CHECK(count(s, "PATCH", "/scim/v2/Users/42") == 2);
}
