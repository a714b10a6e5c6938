// Webhooks of the running program, as a receiver sees them that knows the Standard Webhooks specification and
// nothing of deprov.
#include <boost/json/parse.hpp>
#include <chrono>
#include "catch.hpp"
#include "inbox.hpp"
#include "support/running.hpp"

using namespace deprov::test;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

json::value made(const Running& app, const std::string& body) {
  const auto reply = app.api("POST", "/webhooks", body);
  INFO(reply.body);
  REQUIRE(reply.status == 201);
  return reply.json;
}

std::string text(const json::value& v, std::string_view name) { return std::string(v.at(name).as_string()); }

}  // namespace

TEST_CASE("a receiver verifies what it is told, in order, at least once, over redirects and a kill",
          "[e2e][webhook]") {
  using Strings = std::vector<std::string>;
  Inbox inbox;
  const Inbox trap;
  Running app(5);
  app.serve();
  std::vector<std::string> users;
  for (int i = 0; i < 5; ++i) users.push_back(app.add_user("user" + std::to_string(i)));
  const auto hook = made(app, R"({"name":"alerts","events":["removal.verified"],"url":")" + inbox.url() + "\"}");
  const auto at = "/webhooks/" + text(hook, "id");
  auto secret = text(hook, "secret");
  const auto leave = [&](std::size_t n) { REQUIRE(app.set_active(users[n], false).status < 300); };

  leave(0);
  REQUIRE(inbox.server().wait_for_requests(1));
  const auto first = inbox.requests()[0];
  CHECK(first.method == "POST");
  CHECK(first.target == "/in");
  CHECK(first.header("Content-Type") == "application/json");
  CHECK(verified(first, secret));
  auto forged = first;
  forged.body += " ";
  CHECK_FALSE(verified(forged, secret));

  // Both secrets are good for a while, then the new one alone.
  const auto rotate = [&](const std::string& overlap) {
    const auto reply = app.api("POST", at + "/rotate-secret", R"({"overlap_seconds":)" + overlap + "}");
    REQUIRE(reply.status == 200);
    return text(reply.json, "secret");
  };
  const auto second = rotate("3600");
  leave(1);
  REQUIRE(inbox.server().wait_for_requests(2));
  CHECK(verified(inbox.requests()[1], secret));
  CHECK(verified(inbox.requests()[1], second));
  secret = rotate("0");

  // A redirect is no answer, and is not followed; the receiver recovers, and gets the same bytes.
  inbox.elsewhere = trap.url();
  inbox.redirects = 1;
  leave(2);
  REQUIRE(inbox.server().wait_for_requests(4));
  const auto tries = inbox.requests();
  CHECK(trap.requests().empty());
  for (std::size_t i = 2; i < 4; ++i) {
    CHECK(verified(tries[i], secret));
    CHECK_FALSE(verified(tries[i], second));
  }
  CHECK(tries[2].header("webhook-id") == tries[3].header("webhook-id"));
  CHECK(tries[2].body == tries[3].body);
  CHECK(eventually([&] {
    const auto shown = app.api("GET", at).json.at("deliveries").at(0);
    return shown.at("state") == "delivered" && shown.at("attempts") == 2;
  }));

  // The message is here, and the sender dies before it knows. It comes again, and what follows comes after it.
  inbox.kill_sender = app.server().pid();
  leave(3);
  REQUIRE(inbox.server().wait_for_requests(5));
  REQUIRE(eventually([&] { return !app.server().running(); }));
  app.serve();
  leave(4);
  REQUIRE(eventually([&] { return inbox.told().size() == 5; }));
  CHECK(inbox.told() == Strings{"user0", "user1", "user2", "user3", "user4"});
  const auto all = inbox.requests();
  REQUIRE(all.size() >= 6);
  CHECK(all[4].header("webhook-id") == all[5].header("webhook-id"));
  CHECK(all[4].body == all[5].body);
  CHECK(verified(all[5], secret));
}

TEST_CASE("a receiver whose certificate a private authority signed is reached by those who name it",
          "[e2e][webhook]") {
  const Inbox inbox(true);
  const TestServer other([](const ServerRequest&) { return respond(204); }, true);
  Running app(1);
  app.serve();
  const auto program = [&](std::vector<std::string> args) {
    for (const auto* more : {"--server", "--token"}) {
      args.emplace_back(more);
      args.push_back(args.back() == "--server" ? "http://127.0.0.1:" + std::to_string(app.port()) : app.owner());
    }
    return run_deprov(args);
  };
  const auto ca = app.dir().file("ca.pem");
  write_file(ca, inbox.server().certificate());
  const auto wrong = app.dir().file("wrong.pem");
  write_file(wrong, other.certificate());

  REQUIRE(program({"webhook", "add", "alerts", "--url", inbox.url()}).exit_code == 0);
  auto ran = program({"webhook", "test", "alerts"});
  CHECK(ran.exit_code == 1);
  CHECK(ran.out.find("TLS was not agreed") != std::string::npos);
  CHECK(program({"webhook", "list"}).out.find("system") != std::string::npos);

  REQUIRE(program({"webhook", "update", "alerts", "--receiver-ca-file", ca}).exit_code == 0);
  ran = program({"webhook", "test", "alerts"});
  INFO(ran.out << ran.err);
  CHECK(ran.exit_code == 0);
  CHECK(program({"webhook", "list"}).out.find(" own ") != std::string::npos);

  REQUIRE(program({"webhook", "add", "second", "--url", inbox.url(), "--receiver-ca-file", ca}).exit_code == 0);
  CHECK(program({"webhook", "test", "second"}).exit_code == 0);
  REQUIRE(program({"webhook", "update", "second", "--receiver-ca-file", wrong}).exit_code == 0);
  CHECK(program({"webhook", "test", "second"}).exit_code == 1);
  REQUIRE(program({"webhook", "update", "alerts", "--system-ca"}).exit_code == 0);
  CHECK(program({"webhook", "test", "alerts"}).exit_code == 1);
  CHECK(program({"webhook", "update", "alerts"}).exit_code == 2);
  CHECK(program({"webhook", "add", "third", "--url", inbox.url(), "--receiver-ca-file", "/none"}).exit_code == 3);
  CHECK(inbox.requests().size() == 2);
}
