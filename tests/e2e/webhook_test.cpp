// Webhooks of the running program, as a receiver sees them that knows the Standard Webhooks specification and
// nothing of deprov.
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <signal.h>
#include <atomic>
#include <boost/json/parse.hpp>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <set>
#include "catch.hpp"
#include "support/running.hpp"
#include "support/test_server.hpp"

using namespace deprov::test;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

std::string from_base64(const std::string& text) {
  std::string out(text.size() / 4 * 3, '\0');
  const auto n =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  REQUIRE(n >= 0);
  auto size = static_cast<std::size_t>(n);
  for (auto at = text.size(); at > 0 && text[at - 1] == '='; --at) --size;
  out.resize(size);
  return out;
}

std::string to_base64(const std::string& bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const auto n =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(n));
  return out;
}

/// What the specification says: `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body` under the bytes that
/// are behind `whsec_`; one of several signatures is enough; the timestamp is not far from now.
bool verified(const ServerRequest& r, const std::string& secret) {
  REQUIRE(secret.rfind("whsec_", 0) == 0);
  const auto key = from_base64(secret.substr(6));
  const auto id = r.header("webhook-id").value_or("");
  const auto timestamp = r.header("webhook-timestamp").value_or("");
  const auto now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
  if (id.empty() || std::llabs(std::atoll(timestamp.c_str()) - now.count()) > 300) return false;
  const auto signed_text = id + "." + timestamp + "." + r.body;
  std::string digest(32, '\0');
  unsigned int size = 32;
  REQUIRE(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
               reinterpret_cast<const unsigned char*>(signed_text.data()), signed_text.size(),
               reinterpret_cast<unsigned char*>(digest.data()), &size) != nullptr);
  const auto expected = "v1," + to_base64(digest);
  const auto given = " " + r.header("webhook-signature").value_or("") + " ";
  return given.find(" " + expected + " ") != std::string::npos;
}

/// Takes messages, and answers as it is told.
class Inbox {
 public:
  explicit Inbox(bool tls = false) : server_([this](const ServerRequest& r) { return answer(r); }, tls) {}
  std::atomic<int> status{204};
  std::atomic<int> redirects{0};      ///< so many are answered with one
  std::string elsewhere;              ///< where those lead
  std::atomic<pid_t> kill_sender{0};  ///< ended the hard way when the next message is here, before it is answered
  [[nodiscard]] const TestServer& server() const { return server_; }
  [[nodiscard]] std::vector<ServerRequest> requests() const { return server_.requests(); }
  [[nodiscard]] std::string url() const { return server_.url() + "/in"; }
  /// The names of who is told of, message by message, each message once.
  [[nodiscard]] std::vector<std::string> told() const {
    std::set<std::string> seen;
    std::vector<std::string> names;
    for (const auto& r : requests()) {
      if (!seen.insert(r.header("webhook-id").value_or("")).second) continue;
      const auto message = json::parse(r.body);
      for (const auto& e : message.at("data").at("events").as_array())
        names.emplace_back(e.at("user_name").as_string());
    }
    return names;
  }

 private:
  Answer answer(const ServerRequest&) {
    if (const auto pid = kill_sender.exchange(0); pid != 0) {
      ::kill(pid, SIGKILL);
      return close_now();
    }
    if (redirects > 0) {
      --redirects;
      return respond(307, "", {{"Location", elsewhere}});
    }
    return respond(status);
  }
  TestServer server_;
};

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
