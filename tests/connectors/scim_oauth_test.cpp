#include <atomic>
#include "scim_fixture.hpp"

using namespace std::chrono_literals;
using namespace deprov::test;

namespace {

json::object oauth_config(const TestServer& s) {
  return {{"base_url", s.url()},
          {"allow_http", true},
          {"timeout_s", 5},
          {"me", false},
          {"auth",
           {{"type", "oauth2_client_credentials"},
            {"token_url", s.url() + "/token"},
            {"client_id", "me:1"},
            {"client_secret", "top secret"},
            {"scope", "scim read"}}}};
}

Answer token(const std::string& value, const std::string& more = ",\"expires_in\":3600") {
  return respond_json(200, R"({"access_token":")" + value + R"(","token_type":"bearer")" + more + "}");
}

/// How many requests asked for a token.
std::size_t tokens_asked(const TestServer& s) {
  std::size_t n = 0;
  for (const auto& r : s.requests()) n += r.target == "/token" ? 1U : 0U;
  return n;
}

}  // namespace

TEST_CASE("oauth: one token serves many calls, and one request serves all who wait") {
  Bench b;
  const TestServer s([](const ServerRequest& r) { return r.target == "/token" ? token("t1") : respond(204); });
  const auto c = open(b, oauth_config(s));
  std::atomic<int> good{0};
  std::atomic<int> left{50};
  deprov::runtime::Event done;
  for (int i = 0; i < 50; ++i)
    c->start(make_call(Operation::disable, std::to_string(i)), [&](const Reply& r) {
      if (r.outcome == Outcome::ok) ++good;
      if (--left == 0) done.set();
    });
  REQUIRE(done.wait_for(120s));
  CHECK(good == 50);
  check_outcome(Bench::call(*c, make_call(Operation::disable, "x")), Outcome::ok);
  CHECK(tokens_asked(s) == 1);
  const auto seen = s.requests();
  CHECK(seen.at(0).method == "POST");
  CHECK(seen[0].header("content-type") == "application/x-www-form-urlencoded");
  CHECK(seen[0].body == "grant_type=client_credentials&scope=scim%20read");
  // base64 of me%3A1:top%20secret, as RFC 6749 section 2.3.1 wants it.
  CHECK(seen[0].header("authorization") == "Basic bWUlM0ExOnRvcCUyMHNlY3JldA==");
  CHECK(seen[1].header("authorization") == "Bearer t1");
}

TEST_CASE("oauth: the secret in the body, with further parameters") {
  Bench b;
  const TestServer s([](const ServerRequest& r) { return r.target == "/token" ? token("t1") : respond(204); });
  auto config = oauth_config(s);
  auto& auth = config["auth"].as_object();
  auth["client_auth"] = "post";
  auth["parameters"] = json::object{{"audience", "https://app"}};
  check_outcome(Bench::call(*open(b, config), make_call(Operation::disable, "x")), Outcome::ok);
  CHECK(s.requests().at(0).body ==
        "grant_type=client_credentials&scope=scim%20read&audience=https%3A%2F%2Fapp&client_id=me%3A1&"
        "client_secret=top%20secret");
  CHECK_FALSE(s.requests()[0].header("authorization"));
}

TEST_CASE("oauth: a token that the app refuses is replaced once, and the same request sent again") {
  Bench b;
  int issued = 0;
  const TestServer s([&](const ServerRequest& r) {
    if (r.target == "/token") return token("t" + std::to_string(++issued));
    return respond(r.header("authorization") == "Bearer t2" ? 204 : 401);
  });
  const auto c = open(b, oauth_config(s));
  check_outcome(Bench::call(*c, make_call(Operation::disable, "x")), Outcome::ok);
  CHECK(tokens_asked(s) == 2);
  CHECK(s.requests().size() == 4);

  const TestServer never([](const ServerRequest& r) { return r.target == "/token" ? token("t") : respond(401); });
  check_outcome(Bench::call(*open(b, oauth_config(never)), make_call(Operation::disable, "x")),
                Outcome::auth_failed);
  CHECK(never.requests().size() == 4);
}

TEST_CASE("oauth: many refused at once ask for one new token") {
  Bench b;
  std::atomic<int> issued{0};
  const TestServer s([&](const ServerRequest& r) {
    if (r.target == "/token") return token("t" + std::to_string(++issued));
    return respond(r.header("authorization") == "Bearer t1" ? 401 : 204);
  });
  const auto c = open(b, oauth_config(s));
  std::atomic<int> good{0};
  std::atomic<int> left{20};
  deprov::runtime::Event done;
  for (int i = 0; i < 20; ++i)
    c->start(make_call(Operation::disable, std::to_string(i)), [&](const Reply& r) {
      if (r.outcome == Outcome::ok) ++good;
      if (--left == 0) done.set();
    });
  REQUIRE(done.wait_for(120s));
  CHECK(good == 20);
  CHECK(tokens_asked(s) == 2);
}

TEST_CASE("oauth: a token is replaced before it expires") {
  Bench b;
  int issued = 0;
  const auto lifetime = GENERATE(as<std::string>(), "0", "\"0\"");
  const TestServer s([&](const ServerRequest& r) {
    return r.target == "/token" ? token("t" + std::to_string(++issued), ",\"expires_in\":" + lifetime)
                                : respond(204);
  });
  const auto c = open(b, oauth_config(s));
  check_outcome(Bench::call(*c, make_call(Operation::disable, "x")), Outcome::ok);
  check_outcome(Bench::call(*c, make_call(Operation::disable, "x")), Outcome::ok);
  CHECK(tokens_asked(s) == 2);
}

TEST_CASE("oauth: what goes wrong at the token endpoint was never sent to the app") {
  Bench b;
  struct Case {
    Answer answer;
    Outcome outcome;
  };
  const std::vector<Case> cases{
      {respond_json(401, R"({"error":"invalid_client","error_description":"top secret is wrong"})"),
       Outcome::auth_failed},
      {respond_json(400, R"({"error":"invalid_scope"})"), Outcome::auth_failed},
      {respond(404), Outcome::auth_failed},
      {respond(429, "", {{"Retry-After", "5"}}), Outcome::throttled},
      {respond(500), Outcome::unavailable},
      {respond(503), Outcome::unavailable},
      {respond(302, "", {{"Location", "/login"}}), Outcome::protocol},
      {respond(200, "<html>"), Outcome::protocol},
      {respond_json(200, "{}"), Outcome::protocol},
      {respond_json(200, R"({"access_token":"a\nb"})"), Outcome::protocol},
      {respond_json(200, R"({"access_token":"a","token_type":"mac"})"), Outcome::protocol},
      {respond_json(200, R"({"access_token":"a","expires_in":"later"})"), Outcome::protocol},
      {close_now(), Outcome::unavailable},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    INFO("case " << i);
    const TestServer s([&](const ServerRequest&) { return cases[i].answer; });
    auto config = oauth_config(s);
    config["me"] = true;  // nor is it asked for twice
    const auto r = Bench::call(*open(b, config), make_call(Operation::disable, "x"));
    check_outcome(r, cases[i].outcome);
    CHECK(r.detail.find("token endpoint") == 0);
    CHECK(r.detail.find("top secret") == std::string::npos);
    CHECK(s.requests().size() == 1);
  }
}
