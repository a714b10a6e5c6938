#include "scim_fixture.hpp"

using namespace std::chrono_literals;
using namespace deprov::test;
using deprov::connector::Effect;

TEST_CASE("scim: disable is one PATCH with the credential, the form of RFC 7644 and what was observed") {
  Bench b;
  const TestServer s(
      [](const ServerRequest&) { return respond_json(200, R"({"id":"42","userName":"ann","active":false})"); });
  const auto c = open(b, config_for(s));
  const auto r = Bench::call(*c, make_call(Operation::disable, "42"));
  check_outcome(r, Outcome::ok);
  CHECK(r.effect == Effect::done);
  REQUIRE(r.accounts.size() == 1);
  CHECK(r.accounts[0].active == false);
  const auto seen = s.requests().at(0);
  CHECK(seen.method == "PATCH");
  CHECK(seen.target == "/scim/v2/Users/42");
  CHECK(seen.header("authorization") == "Bearer secret-token");
  CHECK(seen.header("content-type") == "application/scim+json");
  CHECK(json::parse(seen.body) == json::parse(R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                        "Operations":[{"op":"replace","path":"active","value":false}]})"));
  CHECK(s.requests().size() == 1);
}

TEST_CASE("scim: ids are one segment of the path, whatever is in them") {
  Bench b;
  const TestServer s([](const ServerRequest&) { return respond(204); });
  const auto c = open(b, config_for(s));
  check_outcome(Bench::call(*c, make_call(Operation::disable, "a/../b?c#d e")), Outcome::ok);
  CHECK(s.requests().at(0).target == "/scim/v2/Users/a%2F..%2Fb%3Fc%23d%20e");
  for (const std::string id : {"", ".", ".."})
    for (const auto o : {Operation::disable, Operation::read, Operation::remove, Operation::revoke_entitlement})
      check_outcome(Bench::call(*c, make_call(o, id)), Outcome::invalid_request);
  CHECK(s.requests().size() == 1);
}

TEST_CASE("scim: PATCH falls back to its other form and then to PUT, and that is remembered") {
  Bench b;
  SECTION("no PATCH at all: GET, then PUT of the whole with the ETag") {
    const auto status = GENERATE(501, 405);
    const TestServer s([&](const ServerRequest& r) {
      if (r.method == "PATCH") return respond(status);
      if (r.method == "GET") return respond_json(200, user_42, {{"ETag", "W/\"7\""}});
      return respond_json(200, R"({"id":"42","active":false})");
    });
    const auto c = open(b, config_for(s));
    auto r = Bench::call(*c, make_call(Operation::disable, "42"));
    check_outcome(r, Outcome::ok);
    CHECK(r.effect == Effect::done);
    auto seen = s.requests();
    REQUIRE(seen.size() == 3);
    CHECK(seen[2].method == "PUT");
    CHECK(seen[2].header("if-match") == "W/\"7\"");
    const auto put = json::parse(seen[2].body).as_object();
    CHECK(put.at("active") == false);
    CHECK(put.at("title") == "Dr");
    CHECK(put.at("externalId") == "x-42");
    CHECK_FALSE(put.contains("meta"));
    CHECK_FALSE(put.contains("groups"));
    // From then on without the PATCH; the account is active already, so nothing is written.
    r = Bench::call(*c, make_call(Operation::enable, "42"));
    check_outcome(r, Outcome::ok);
    CHECK(r.effect == Effect::already);
    seen = s.requests();
    REQUIRE(seen.size() == 4);
    CHECK(seen[3].method == "GET");
  }
  SECTION("PATCH without a path") {
    const TestServer s([](const ServerRequest& r) {
      return r.body.find("\"path\"") != std::string::npos ? respond_json(400, error(400, "invalidPath"))
                                                          : respond(204);
    });
    const auto c = open(b, config_for(s));
    check_outcome(Bench::call(*c, make_call(Operation::disable, "42")), Outcome::ok);
    check_outcome(Bench::call(*c, make_call(Operation::disable, "43")), Outcome::ok);
    const auto seen = s.requests();
    REQUIRE(seen.size() == 3);
    CHECK(json::parse(seen[2].body).at("Operations").at(0) ==
          json::parse(R"({"op":"replace","value":{"active":false}})"));
  }
  SECTION("an account that is refused for a reason is no lack of PATCH") {
    const TestServer s([](const ServerRequest&) { return respond_json(400, error(400, "mutability")); });
    const auto c = open(b, config_for(s));
    check_outcome(Bench::call(*c, make_call(Operation::disable, "42")), Outcome::unsupported);
    CHECK(s.requests().size() == 1);
  }
  SECTION("told to use PUT, or told not to") {
    const TestServer s([](const ServerRequest& r) {
      return r.method == "GET" ? respond_json(200, user_42) : respond(r.method == "PUT" ? 200 : 501);
    });
    auto config = config_for(s);
    config["update"] = "put";
    check_outcome(Bench::call(*open(b, config), make_call(Operation::disable, "42")), Outcome::ok);
    CHECK(s.requests().size() == 2);
    config["update"] = "patch";
    check_outcome(Bench::call(*open(b, config), make_call(Operation::disable, "42")), Outcome::unsupported);
    CHECK(s.requests().size() == 3);
  }
  SECTION("somebody else was faster between GET and PUT") {
    const TestServer s([](const ServerRequest& r) {
      return r.method == "GET" ? respond_json(200, user_42) : respond(r.method == "PUT" ? 412 : 501);
    });
    check_outcome(Bench::call(*open(b, config_for(s)), make_call(Operation::disable, "42")),
                  Outcome::precondition);
  }
}

TEST_CASE("scim: every status has its outcome") {
  Bench b;
  struct Case {
    Answer answer;
    Outcome change;
    Outcome read;
  };
  const std::vector<Case> cases{
      {respond_json(400, error(400, "invalidValue")), Outcome::invalid_request, Outcome::invalid_request},
      {respond_json(400, error(400, "uniqueness")), Outcome::conflict_state, Outcome::conflict_state},
      {respond_json(400, error(400, "mutability")), Outcome::unsupported, Outcome::unsupported},
      {respond(401), Outcome::auth_failed, Outcome::auth_failed},
      {respond(403), Outcome::permission_denied, Outcome::permission_denied},
      {respond_json(404, error(404, "")), Outcome::protocol, Outcome::protocol},
      {respond(404), Outcome::protocol, Outcome::protocol},
      {respond(404, "<html>nginx</html>", {{"Content-Type", "text/html"}}), Outcome::protocol, Outcome::protocol},
      {respond(409), Outcome::conflict_state, Outcome::conflict_state},
      {respond(412), Outcome::precondition, Outcome::precondition},
      {respond(429), Outcome::throttled, Outcome::throttled},
      {respond(405), Outcome::unsupported, Outcome::unsupported},
      {respond(501), Outcome::unsupported, Outcome::unsupported},
      {respond(500), Outcome::unknown_outcome, Outcome::unavailable},
      {respond(502, "<html>bad gateway</html>"), Outcome::unknown_outcome, Outcome::unavailable},
      {respond(503), Outcome::unavailable, Outcome::unavailable},
      {respond(504), Outcome::unknown_outcome, Outcome::unavailable},
      {respond(302, "", {{"Location", "https://login.example.com/sso?token=hunter2"}}), Outcome::protocol,
       Outcome::protocol},
      {respond(200, "<html>please log in</html>", {{"Content-Type", "text/html"}}), Outcome::unknown_outcome,
       Outcome::protocol},
      {respond_json(200, "{\"id\":"), Outcome::unknown_outcome, Outcome::protocol},
      {respond_json(200, "[1]"), Outcome::unknown_outcome, Outcome::protocol},
      {respond_json(200, error(400, "")), Outcome::unknown_outcome, Outcome::protocol},
      {respond(200), Outcome::ok, Outcome::protocol},
      {raw("\x01garbage\r\n\r\n"), Outcome::unknown_outcome, Outcome::protocol},
      {close_now(), Outcome::unknown_outcome, Outcome::unavailable},
      {reset_now(), Outcome::unknown_outcome, Outcome::unavailable},
      {raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\""), Outcome::unknown_outcome,
       Outcome::unavailable},
      {raw("HTTP/1.1 200 OK\r\nContent-Le"), Outcome::unknown_outcome, Outcome::unavailable},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    INFO("case " << i);
    for (const auto o : {Operation::disable, Operation::enable, Operation::read}) {
      const auto r = outcome_of(b, o, cases[i].answer);
      check_outcome(r, o == Operation::read ? cases[i].read : cases[i].change);
      CHECK(r.detail.find("hunter2") == std::string::npos);
    }
  }
}

TEST_CASE("scim: an account is gone only where the app still shows its accounts", "[R13]") {
  Bench b;
  const auto expect = [&](const Answer& one, const Answer& list, Outcome outcome) {
    const TestServer s(
        [&](const ServerRequest& r) { return r.target.find("/Users?") != std::string::npos ? list : one; });
    const auto c = open(b, config_for(s));
    std::string detail;
    for (const auto o : {Operation::disable, Operation::enable, Operation::read}) {
      const auto r = Bench::call(*c, make_call(o, "42"));
      check_outcome(r, outcome);
      detail = r.detail;
    }
    return detail;
  };
  for (const auto& one : {respond_json(404, error(404, "")), respond(404), respond(410),
                          respond(404, "404 page not found", {{"Content-Type", "text/plain"}})}) {
    expect(one, respond_json(200, page({user("1", "a")}, 1)), Outcome::not_found);
    expect(one, respond_json(200, page({}, 0)), Outcome::not_found);
    CHECK(expect(one, one, Outcome::protocol).find("base_url") != std::string::npos);
    expect(one, respond(401), Outcome::auth_failed);
    expect(one, respond(503), Outcome::unavailable);
    expect(one, respond_json(200, "{}"), Outcome::protocol);
  }
}

TEST_CASE("scim: no answer, or a slow one, ends at the time given") {
  Bench b;
  for (const auto& answer :
       {hang(), hang("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), drip(respond_json(200, user_42), 20ms)}) {
    // On a busy machine the time may be over before anything was sent: with more of it, it is the answer that is
    // late.
    const auto late = [&](Operation o) {
      auto r = outcome_of(b, o, answer, 0.2);
      for (double s = 0.8; r.outcome == Outcome::not_sent && s < 60; s *= 4) r = outcome_of(b, o, answer, s);
      return r;
    };
    check_outcome(late(Operation::disable), Outcome::unknown_outcome);
    check_outcome(late(Operation::read), Outcome::unavailable);
  }
  const TestServer s([](const ServerRequest&) { return hang(); });
  const auto c = open(b, config_for(s));
  auto call = make_call(Operation::read, "42");
  call.timeout = 100ms;
  check_outcome(Bench::call(*c, call), Outcome::deadline);
  call.operation = Operation::disable;
  auto r = Bench::call(*c, call);
  for (; r.outcome == Outcome::not_sent && call.timeout < 60s; call.timeout *= 4) r = Bench::call(*c, call);
  check_outcome(r, Outcome::unknown_outcome);
}

TEST_CASE("scim: what never left is NOT_SENT, for a change as well") {
  Bench b;
  const auto at = [&](const std::string& url) {
    const auto c = open(b, {{"base_url", url}, {"allow_http", true}, {"timeout_s", 60}});
    check_outcome(Bench::call(*c, make_call(Operation::disable, "42")), Outcome::not_sent);
    check_outcome(Bench::call(*c, make_call(Operation::read, "42")), Outcome::not_sent);
    check_outcome(Bench::call(*c, make_call(Operation::check)), Outcome::not_sent);
  };
  at("http://127.0.0.1:" + std::to_string(closed_port()));
  at("http://no-such-host.invalid");
  const TestServer tls([](const ServerRequest&) { return respond_json(200, user_42); }, true);
  at(tls.url());
  const auto c = open(b, {{"base_url", tls.url()}, {"ca_pem", tls.certificate()}});
  check_outcome(Bench::call(*c, make_call(Operation::read, "42")), Outcome::ok);
}

TEST_CASE("scim: throttling says for how long, in either form, within the bound") {
  Bench b;
  const auto wait = [&](const Answer& answer) { return outcome_of(b, Operation::disable, answer).retry_after; };
  CHECK(wait(respond(429, "", {{"Retry-After", "7"}})) == 7s);
  CHECK(wait(respond(429, "",
                     {{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                      {"Retry-After", "Sun, 06 Nov 1994 08:50:37 GMT"}})) == 60s);
  CHECK(wait(respond(429, "", {{"Retry-After", "999999999"}})) == 1h);
  CHECK_FALSE(wait(respond(429)));
  CHECK_FALSE(wait(respond(429, "", {{"Retry-After", "soon"}})));
  const auto r = outcome_of(b, Operation::disable, respond(503, "", {{"Retry-After", "3"}}));
  check_outcome(r, Outcome::unavailable);
  CHECK(r.retry_after == 3s);
  check_outcome(outcome_of(b, Operation::read, respond(403, "", {{"Retry-After", "3"}})), Outcome::throttled);
}

TEST_CASE("scim: a detail shows the app's words, no secret and no control character") {
  Bench b;
  const auto r =
      outcome_of(b, Operation::disable,
                 respond_json(403, error(403, "", "no:\n token secret-token may not " + std::string(3000, 'x'))));
  check_outcome(r, Outcome::permission_denied);
  CHECK(r.detail.find("secret-token") == std::string::npos);
  CHECK(r.detail.find("***") != std::string::npos);
  CHECK(r.detail.find('\n') == std::string::npos);
  CHECK(r.detail.size() <= 1000);
  const auto redirect =
      outcome_of(b, Operation::read, respond(301, "", {{"Location", "https://new.example.com/scim?a=b"}}));
  CHECK(redirect.detail.find("https://new.example.com/scim;") != std::string::npos);
}

TEST_CASE("scim: read shows the account as the app shows it") {
  Bench b;
  const auto read = [&](const std::string& body) {
    return outcome_of(b, Operation::read, respond_json(200, body));
  };
  const auto r = read(user_42);
  check_outcome(r, Outcome::ok);
  const auto& a = r.accounts.at(0);
  CHECK(a.id == "42");
  CHECK(a.external_id == "x-42");
  CHECK(a.user_name == "Ann@Example.com");
  CHECK(a.emails == std::vector<std::string>{"ann@example.com"});
  CHECK(a.groups == std::vector<std::string>{"g1", "g2"});
  CHECK(a.active == true);
  CHECK(read(R"({"ID":42,"Active":"False"})").accounts.at(0).active == false);
  CHECK_FALSE(read(R"({"id":"42"})").accounts.at(0).active.has_value());
  check_outcome(read(R"({"id":"43"})"), Outcome::protocol);
  check_outcome(read(R"({"userName":"ann"})"), Outcome::protocol);
}

TEST_CASE("scim: an app that says it has no PATCH is asked by PUT from the first time on") {
  Bench b;
  const TestServer s([](const ServerRequest& r) {
    if (r.target.find("ServiceProviderConfig") != std::string::npos)
      return respond_json(200, R"({"patch":{"supported":false}})");
    if (r.target.find("Users?") != std::string::npos) return respond_json(200, page({user_42}, 1));
    return r.method == "GET" ? respond_json(200, user_42) : respond(200);
  });
  const auto c = open(b, config_for(s));
  check_outcome(Bench::call(*c, make_call(Operation::check)), Outcome::ok);
  check_outcome(Bench::call(*c, make_call(Operation::disable, "42")), Outcome::ok);
  CHECK(s.requests().back().method == "PUT");
  CHECK(s.requests().size() == 4);
}

TEST_CASE("scim: delete") {
  Bench b;
  const TestServer s([](const ServerRequest& r) {
    if (r.target.find("/Users?") != std::string::npos) return respond_json(200, page({}, 0));
    return respond(r.target.back() == '2' ? 204 : 404);
  });
  const auto c = open(b, config_for(s));
  auto call = make_call(Operation::remove, "42");
  call.delete_account = true;
  const auto r = Bench::call(*c, call);
  check_outcome(r, Outcome::ok);
  CHECK(r.effect == Effect::done);
  CHECK(s.requests().at(0).method == "DELETE");
  call.account_id = "43";
  check_outcome(Bench::call(*c, call), Outcome::not_found);
}

TEST_CASE("scim: what SCIM does not have is UNSUPPORTED and declared so") {
  Bench b;
  const auto c = open(b, {{"base_url", "https://127.0.0.1:1"}});
  for (const auto o : {Operation::revoke_sessions, Operation::transfer, Operation::poll}) {
    check_outcome(Bench::call(*c, make_call(o, "42")), Outcome::unsupported);
    CHECK_FALSE(c->describe().of(o).supported);
  }
}

TEST_CASE("scim: a cancelled call tells whether it was sent") {
  Bench b;
  const TestServer s([](const ServerRequest&) { return hang(); });
  const auto c = open(b, config_for(s));
  deprov::runtime::Event done;
  Reply reply;
  const auto id = c->start(make_call(Operation::disable, "42"), [&](Reply r) {
    reply = std::move(r);
    done.set();
  });
  REQUIRE(s.wait_for_requests(1));
  c->cancel(id);
  REQUIRE(done.wait_for(120s));
  check_outcome(reply, Outcome::unknown_outcome);
  c->cancel(id);
}
