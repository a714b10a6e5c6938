#include <cstdlib>
#include <set>
#include "scim_fixture.hpp"

using namespace deprov::test;

TEST_CASE("scim: an account is found by exactly its externalId, its userName, then its e-mail", "[R12]") {
  Bench b;
  std::vector<std::string> by_external;
  std::vector<std::string> by_name;
  std::vector<std::string> by_email;
  const TestServer s([&](const ServerRequest& r) {
    const auto has = [&](const char* text) { return r.target.find(text) != std::string::npos; };
    const auto& users = has("externalId") ? by_external : has("userName") ? by_name : by_email;
    return respond_json(200, page(users, users.size()));
  });
  const auto c = open(b, config_for(s));
  auto call = make_call(Operation::find);
  call.match = {"x\"1", "ann@Example.com", {"a@example.com", "b@example.com"}};

  SECTION("by externalId, with the value quoted") {
    by_external = {user("1", "ann", "x\"1")};
    const auto r = Bench::call(*c, call);
    check_outcome(r, Outcome::ok);
    CHECK(r.accounts.at(0).id == "1");
    REQUIRE(s.requests().size() == 1);
    CHECK(s.requests()[0].target ==
          "/scim/v2/Users?filter=externalId%20eq%20%22x%5C%221%22&startIndex=1&count=100");
  }
  SECTION("the app's externalId compares letters, so its answer is no match") {
    by_external = {user("1", "other", "X\"1")};
    by_name = {user("2", "ANN@example.com")};
    const auto r = Bench::call(*c, call);
    check_outcome(r, Outcome::ok);
    REQUIRE(r.accounts.size() == 1);
    CHECK(r.accounts[0].id == "2");
  }
  SECTION("by one of the e-mails") {
    by_email = {user("3", "someone", "", "B@example.com")};
    const auto r = Bench::call(*c, call);
    check_outcome(r, Outcome::ok);
    CHECK(r.accounts.at(0).id == "3");
    CHECK(s.requests().size() == 4);
  }
  SECTION("e-mails that lead to two accounts") {
    by_email = {user("3", "one", "", "a@example.com"), user("4", "two", "", "b@example.com")};
    const auto r = Bench::call(*c, call);
    check_outcome(r, Outcome::ambiguous);
    CHECK(r.accounts.size() == 2);
  }
  SECTION("two with one externalId") {
    by_external = {user("1", "a", "x\"1"), user("2", "b", "x\"1")};
    const auto r = Bench::call(*c, call);
    check_outcome(r, Outcome::ambiguous);
    CHECK(r.accounts.size() == 2);
    CHECK(s.requests().size() == 1);
  }
  SECTION("nobody") {
    by_name = {user("2", "ann@example.com.evil")};
    check_outcome(Bench::call(*c, call), Outcome::not_found);
  }
  SECTION("nothing to look for") {
    call.match = {};
    check_outcome(Bench::call(*c, call), Outcome::invalid_request);
    CHECK(s.requests().empty());
  }
}

TEST_CASE("scim: an app that cannot search, or ignores the filter, is not taken for one without the account") {
  Bench b;
  auto call = make_call(Operation::find);
  call.match = {"x1", "ann", {}};
  SECTION("one key cannot be searched: the next is used") {
    const TestServer s([](const ServerRequest& r) {
      if (r.target.find("externalId") != std::string::npos) return respond_json(400, error(400, "invalidFilter"));
      return respond_json(200, page({user("2", "ann")}, 1));
    });
    const auto r = Bench::call(*open(b, config_for(s)), call);
    check_outcome(r, Outcome::ok);
    CHECK(r.accounts.at(0).id == "2");
  }
  SECTION("none can") {
    const TestServer s([](const ServerRequest&) { return respond_json(400, error(400, "invalidFilter")); });
    check_outcome(Bench::call(*open(b, config_for(s)), call), Outcome::unsupported);
  }
  SECTION("the filter is ignored, and the account is on the second page") {
    const TestServer s([](const ServerRequest& r) {
      if (r.target.find("startIndex=1&") != std::string::npos)
        return respond_json(200, page({user("1", "a"), user("2", "b")}, 3));
      return respond_json(200, page({user("3", "ann", "x1")}, 3, 3));
    });
    const auto r = Bench::call(*open(b, config_for(s)), call);
    check_outcome(r, Outcome::ok);
    CHECK(r.accounts.at(0).id == "3");
  }
  SECTION("the filter is ignored, and there are too many") {
    const TestServer s([](const ServerRequest& r) {
      const auto at = r.target.find("startIndex=");
      const auto start = static_cast<std::size_t>(std::atoi(r.target.c_str() + at + 11));
      std::vector<std::string> users;
      for (std::size_t i = 0; i < 100; ++i)
        users.push_back(user(std::to_string(start + i), "u" + std::to_string(start + i)));
      return respond_json(200, page(users, 1'000'000, start));
    });
    check_outcome(Bench::call(*open(b, config_for(s)), call), Outcome::unsupported);
    CHECK(s.requests().size() == 10);
  }
  SECTION("Users itself is not there") {
    const TestServer s([](const ServerRequest&) { return respond(404); });
    check_outcome(Bench::call(*open(b, config_for(s)), call), Outcome::protocol);
  }
  SECTION("an empty page that is not the end") {
    const TestServer s([](const ServerRequest&) { return respond_json(200, page({}, 5)); });
    check_outcome(Bench::call(*open(b, config_for(s)), call), Outcome::protocol);
  }
}

TEST_CASE("scim: list goes page by page to the end, and a page that is not what was asked for is none", "[R6]") {
  Bench b;
  const TestServer s([](const ServerRequest& r) {
    const auto at = r.target.find("startIndex=");
    const auto start = static_cast<std::size_t>(std::atoi(r.target.c_str() + at + 11));
    std::vector<std::string> users;
    for (auto i = start; i < start + 3 && i <= 7; ++i)
      users.push_back(user(std::to_string(i), "u" + std::to_string(i)));
    return respond_json(200, page(users, 7, start));
  });
  const auto c = open(b, config_for(s));
  auto call = make_call(Operation::list);
  std::set<std::string> ids;
  do {
    const auto r = Bench::call(*c, call);
    check_outcome(r, Outcome::ok);
    for (const auto& a : r.accounts) ids.insert(a.id);
    call.cursor = r.next_cursor;
  } while (!call.cursor.empty());
  CHECK(ids.size() == 7);
  CHECK(s.requests().size() == 3);
  for (const std::string cursor : {"0", "-1", "x", "1x", "99999999999999999999"}) {
    call.cursor = cursor;
    check_outcome(Bench::call(*c, call), Outcome::invalid_request);
  }

  const TestServer same([](const ServerRequest&) { return respond_json(200, page({user("1", "a")}, 7, 1)); });
  const auto stuck = open(b, config_for(same));
  call.cursor.clear();
  check_outcome(Bench::call(*stuck, call), Outcome::ok);
  call.cursor = "2";
  check_outcome(Bench::call(*stuck, call), Outcome::protocol);

  const TestServer none(
      [](const ServerRequest&) { return respond_json(200, R"({"schemas":[],"totalResults":0})"); });
  call.cursor.clear();
  const auto empty = Bench::call(*open(b, config_for(none)), call);
  check_outcome(empty, Outcome::ok);
  CHECK(empty.accounts.empty());
  CHECK(empty.next_cursor.empty());
}

TEST_CASE("scim: check tells reachability, credential and sight apart") {
  Bench b;
  const auto check = [&](const Answer& config, const Answer& users) {
    const TestServer s([&](const ServerRequest& r) {
      return r.target.find("ServiceProviderConfig") != std::string::npos ? config : users;
    });
    return Bench::call(*open(b, config_for(s)), make_call(Operation::check));
  };
  const auto spc = respond_json(200, R"({"patch":{"supported":true}})");
  auto r = check(spc, respond_json(200, page({user("1", "a")}, 25)));
  check_outcome(r, Outcome::ok);
  CHECK(r.accounts.size() == 1);
  CHECK(r.detail.find("sees 25 accounts") != std::string::npos);
  r = check(spc, respond_json(200, page({}, 0)));
  check_outcome(r, Outcome::ok);
  CHECK(r.accounts.empty());
  CHECK(r.detail.find("sees no account") != std::string::npos);
  check_outcome(check(respond(404), respond_json(200, page({user("1", "a")}, 1))), Outcome::ok);
  check_outcome(check(spc, respond(401)), Outcome::auth_failed);
  check_outcome(check(spc, respond(403)), Outcome::permission_denied);
  check_outcome(check(respond(404), respond(404)), Outcome::protocol);
  check_outcome(check(respond(200, "<html>"), respond(200, "<html>")), Outcome::protocol);
  check_outcome(check(close_now(), close_now()), Outcome::unavailable);
}
