// The SCIM connector against servers that nobody here wrote, and against our own; and testers that nobody here
// wrote against our server. They are installed by cmake/peers.sh; ctest runs this as "peers" and shows when it is
// skipped.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <deprov/connectors/connectors.hpp>
#include <deprov/http/curl_transport.hpp>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/event_thread.hpp>
#include <deprov/runtime/random.hpp>
#include <deprov/runtime/threaded_executor.hpp>
#include "catch.hpp"
#include "paths.hpp"
#include "support/raw_client.hpp"
#include "support/running.hpp"
#include "support/test_server.hpp"

using namespace deprov::test;
using deprov::connector::Effect;
using deprov::connector::Operation;
using deprov::connector::Outcome;
namespace connector = deprov::connector;
namespace json = boost::json;

namespace {

const std::string app_token = "the-token-of-the-app";

std::string peer(const std::string& name) { return source_dir() + "/build/peers/bin/" + name; }

bool installed(const std::string& name) {
  if (::access(peer(name).c_str(), X_OK) == 0) return true;
  std::printf("skipped: %s is not installed (cmake/peers.sh)\n", name.c_str());
  return false;
}

/// A program that ends with this.
class Process {
 public:
  Process(std::vector<std::string> args, const std::string& log) {
    std::vector<char*> argv;
    for (auto& a : args) argv.push_back(a.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions{};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    if (::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ) != 0) pid_ = -1;
    posix_spawn_file_actions_destroy(&actions);
  }
  ~Process() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  int wait() {
    int status = -1;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
};

/// scim2-server, of python-scim.
class ForeignApp {
 public:
  ForeignApp()
      : port(closed_port()),
        server_({peer("scim2-server"), "--port", std::to_string(port), "--bearer-token", app_token},
                dir_.file("log")) {
    const bool up =
        eventually([&] { return http(port, "GET", "/ServiceProviderConfig", app_token).status == 200; });
    INFO(read_file(dir_.file("log")));
    REQUIRE(up);
  }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port); }
  const std::uint16_t port;

 private:
  TempDir dir_;
  Process server_;
};

/// Where an app's SCIM endpoint is, and who may use it.
struct App {
  std::uint16_t port;
  std::string base;
  std::string token;

  Reply ask(std::string_view method, const std::string& path, std::string_view body = {}) const {
    return http(port, method, base + path, token, body, "Content-Type: application/scim+json\r\n");
  }
  std::string add(const std::string& endpoint, const json::object& what) const {
    const auto made = ask("POST", endpoint, json::serialize(what));
    INFO(made.body);
    REQUIRE(made.status == 201);
    return std::string(made.json.at("id").as_string());
  }
  std::string add_user(const std::string& name) const {
    return add("/Users",
               {{"schemas", {"urn:ietf:params:scim:schemas:core:2.0:User"}},
                {"userName", name},
                {"externalId", "ext-" + name},
                {"active", true},
                {"emails", json::array{json::object{{"value", name + "@example.com"}, {"type", "work"}}}}});
  }
  std::string add_group(const std::string& name, const std::string& member) const {
    return add("/Groups", {{"schemas", {"urn:ietf:params:scim:schemas:core:2.0:Group"}},
                           {"displayName", name},
                           {"members", json::array{json::object{{"value", member}}}}});
  }
  [[nodiscard]] bool active(const std::string& id) const {
    return ask("GET", "/Users/" + id).json.at("active").as_bool();
  }
  [[nodiscard]] std::size_t members(const std::string& group) const {
    const auto got = ask("GET", "/Groups/" + group).json;
    const auto* all = got.as_object().if_contains("members");
    return all == nullptr || all->is_null() ? 0 : all->as_array().size();
  }
  [[nodiscard]] json::object config() const {
    return {{"base_url", "http://127.0.0.1:" + std::to_string(port) + base},
            {"allow_http", true},
            {"page_size", 2},
            {"auth", {{"type", "bearer"}, {"token", token}}}};
  }
};

/// A connection to an app, called one answer at a time.
class Connection {
 public:
  explicit Connection(const App& app)
      : http_(deprov::http::make_curl_transport()),
        executor_("peers"),
        connector_(deprov::builtin_connectors()
                       .at("scim")
                       ->open(app.config(), {executor_, clock_, random_, *http_})
                       .value()) {}
  ~Connection() {
    executor_.stop();
    connector_.reset();
    http_.reset();
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  connector::Reply call(connector::Call call) {
    call.timeout = std::chrono::minutes(1);
    deprov::runtime::Event done;
    connector::Reply reply;
    connector_->start(std::move(call), [&](connector::Reply r) {
      reply = std::move(r);
      done.set();
    });
    REQUIRE(done.wait_for(std::chrono::minutes(2)));
    return reply;
  }

 private:
  deprov::runtime::SystemClock clock_;
  deprov::runtime::SeededRandom random_{1};
  std::unique_ptr<deprov::port::HttpTransport> http_;
  deprov::runtime::ThreadedExecutor executor_;
  std::unique_ptr<connector::Connector> connector_;
};

connector::Call make_call(Operation o, std::string account = {}) {
  connector::Call c;
  c.operation = o;
  c.account_id = std::move(account);
  return c;
}

void check_outcome(const connector::Reply& r, Outcome o) {
  INFO(r.detail);
  CHECK(std::string(to_string(r.outcome)) == std::string(to_string(o)));
}

/// Every operation of the connector, and what the app has to show after it.
void exercise(const App& app) {
  Connection c(app);
  const auto ann = app.add_user("ann");
  for (const auto* other : {"bob", "cid", "dan"}) (void)app.add_user(other);
  const auto staff = app.add_group("Staff", ann), guests = app.add_group("Guests", ann);

  check_outcome(c.call(make_call(Operation::check)), Outcome::ok);

  const auto find = [&](connector::Match match) {
    auto call = make_call(Operation::find);
    call.match = std::move(match);
    return c.call(std::move(call));
  };
  for (const auto& match :
       {connector::Match{"ext-ann", "", {}}, connector::Match{"", "ANN", {}},
        connector::Match{"", "", {"ann@example.com"}}, connector::Match{"ext-nobody", "ann", {}}}) {
    const auto found = find(match);
    check_outcome(found, Outcome::ok);
    REQUIRE(found.accounts.size() == 1);
    CHECK(found.accounts[0].id == ann);
    CHECK(found.accounts[0].user_name == "ann");
    CHECK(found.accounts[0].external_id == "ext-ann");
    CHECK(found.accounts[0].active == true);
  }
  check_outcome(find({"ext-nobody", "nobody", {"nobody@example.com"}}), Outcome::not_found);

  auto list = make_call(Operation::list);
  list.page_size = 2;
  std::size_t listed = 0;
  for (int pages = 0; pages < 10; ++pages) {
    const auto page = c.call(list);
    check_outcome(page, Outcome::ok);
    listed += page.accounts.size();
    list.cursor = page.next_cursor;
    if (list.cursor.empty()) break;
  }
  CHECK(listed == 4);

  for (const bool again : {false, true}) {
    CAPTURE(again);
    const auto off = c.call(make_call(Operation::disable, ann));
    check_outcome(off, Outcome::ok);
    CHECK_FALSE(app.active(ann));
    const auto seen = c.call(make_call(Operation::read, ann));
    check_outcome(seen, Outcome::ok);
    REQUIRE(seen.accounts.size() == 1);
    CHECK(seen.accounts[0].active == false);
  }
  check_outcome(c.call(make_call(Operation::enable, ann)), Outcome::ok);
  CHECK(app.active(ann));

  const auto entitlements = c.call(make_call(Operation::list_entitlements, ann));
  check_outcome(entitlements, Outcome::ok);
  REQUIRE(entitlements.accounts.size() == 1);
  CHECK(entitlements.accounts[0].groups.size() == 2);
  auto leave = make_call(Operation::revoke_entitlement, ann);
  leave.entitlement = staff;
  check_outcome(c.call(leave), Outcome::ok);
  CHECK(app.members(staff) == 0);
  CHECK(app.members(guests) == 1);
  check_outcome(c.call(leave), Outcome::ok);
  auto join = leave;
  join.operation = Operation::grant_entitlement;
  check_outcome(c.call(join), Outcome::ok);
  CHECK(app.members(staff) == 1);
  check_outcome(c.call(join), Outcome::ok);
  CHECK(app.members(staff) == 1);
  check_outcome(c.call(make_call(Operation::remove, ann)), Outcome::ok);
  CHECK(app.members(staff) == 0);
  CHECK(app.members(guests) == 0);

  auto erase = make_call(Operation::remove, ann);
  erase.delete_account = true;
  check_outcome(c.call(erase), Outcome::ok);
  CHECK(app.ask("GET", "/Users/" + ann).status == 404);
  const auto twice = c.call(erase);
  CHECK((twice.outcome == Outcome::not_found || twice.effect == Effect::already));
  check_outcome(c.call(make_call(Operation::read, ann)), Outcome::not_found);
  check_outcome(c.call(make_call(Operation::disable, ann)), Outcome::not_found);
}

}  // namespace

TEST_CASE("the SCIM connector works on our own service provider") {
  Running app(0, "generic");
  app.serve();
  exercise({app.port(), app.integration().base, app.integration().token});
}

TEST_CASE("the SCIM connector works on a server of others", "[.peers]") {
  if (!installed("scim2-server")) return;
  const ForeignApp app;
  exercise({app.port, "", app_token});
}

TEST_CASE("a removal reaches a server of others and is verified there", "[.peers]") {
  if (!installed("scim2-server")) return;
  const ForeignApp foreign;
  const App app{foreign.port, "", app_token};
  const auto account = app.add_user("user1");
  Running running(foreign.url(), app_token);
  running.serve();
  const auto user = running.add_user("user1");
  REQUIRE(running.set_active(user, false).status < 300);
  CHECK(running.removal_reaches(user, "succeeded_verified"));
  CHECK_FALSE(app.active(account));
  REQUIRE(running.set_active(user, true).status < 300);
  CHECK(eventually([&] { return app.active(account); }));
}

TEST_CASE("a tester of others finds no fault in our service provider", "[.peers]") {
  if (!installed("scim2")) return;
  Running app(0, "generic");
  app.serve();
  TempDir dir;
  const auto log = dir.file("log");
  Process tester(
      {peer("scim2"), "--url", "http://127.0.0.1:" + std::to_string(app.port()) + app.integration().base,
       "--header", "Authorization: Bearer " + app.integration().token, "test"},
      log);
  const int code = tester.wait();
  const auto said = read_file(log);
  std::string wrong;
  std::size_t good = 0;
  for (std::size_t at = 0; at < said.size();) {
    const auto end = std::min(said.find('\n', at), said.size());
    const auto line = said.substr(at, end - at);
    good += line.rfind("SUCCESS", 0) == 0 ? 1 : 0;
    if (line.rfind("ERROR", 0) == 0 || line.rfind("CRITICAL", 0) == 0) wrong += said.substr(at, 600) + "\n";
    at = end + 1;
  }
  INFO(wrong);
  CHECK(wrong.empty());
  INFO(code << "\n" << said.substr(0, 2000));
  CHECK(good > 100);
}

TEST_CASE("another tester of others finds one fault, which is meant", "[.peers]") {
  if (!installed("scim-sanity")) return;
  Running app(0, "generic");
  app.serve();
  TempDir dir;
  const auto log = dir.file("log");
  Process tester(
      {peer("scim-sanity"), "probe", "http://127.0.0.1:" + std::to_string(app.port()) + app.integration().base,
       "--token", app.integration().token, "--i-accept-side-effects", "--json-output"},
      log);
  (void)tester.wait();
  const auto text = read_file(log);
  INFO(text);
  const auto begin = text.find('{');  // behind a warning of what it will do
  REQUIRE(begin != std::string::npos);
  const auto said = json::parse(text.substr(begin, text.rfind('}') + 1 - begin));
  std::size_t good = 0;
  for (const auto& result : said.at("results").as_array()) {
    const std::string name(result.at("name").as_string());
    const std::string status(result.at("status").as_string());
    good += status == "pass" ? 1 : 0;
    // It adds somebody who was never there, which RFC 7643 section 2.3.7 lets a service provider refuse: ids are
    // given out here alone, and so nobody could ever become that member.
    if (name == "PATCH /Groups/{id} add member") continue;
    INFO(name);
    CHECK((status == "pass" || status == "skip"));
  }
  CHECK(good >= 27);
}
