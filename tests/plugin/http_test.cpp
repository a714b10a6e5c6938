// A connector of the C++ wrapper, over the host's HTTP: what apps answer, what is allowed, what becomes of
// exceptions.
#include <atomic>
#include <boost/json/parse.hpp>
#include <deprov_connector.hpp>
#include <map>
#include <mutex>
#include "plugin/host.hpp"
#include "plugin/zoo.hpp"
#include "support/test_server.hpp"

using namespace deprov;
using namespace deprov::test;
using connector::Effect;

namespace {

namespace sdk = deprov_sdk;

/// The connector of a vendor whose app is two resources of JSON.
class Rest : public sdk::Connector {
 public:
  explicit Rest(sdk::Connection connection)
      : connection_(connection),
        base_(connection.config("base_url").value_or("")),
        key_(*connection.secret("key")) {
    if (connection.config("key")) throw std::logic_error("the config has a secret in it");
    if (base_ == "http://broken") throw std::invalid_argument("there is nothing at that base_url");
  }

  void find(sdk::Call call) override {
    call.http(request("GET", "/users?name=" + sdk::url_encoded(call.user_name())), &show);
  }
  void read(sdk::Call call) override {
    call.http(request("GET", "/users/" + sdk::url_encoded(call.account())), &show);
  }
  void disable(sdk::Call call) override {
    call.http(request("PATCH", "/users/" + sdk::url_encoded(call.account()), R"({"active":false})"),
              [](const sdk::Call& c, const sdk::HttpResponse& r) {
                sdk::expect_success(c, r);
                c.complete(sdk::Json(r.body).text("/changed") == "true" ? sdk::done() : sdk::already());
              });
  }
  void enable(sdk::Call) override { throw std::runtime_error("the key is " + key_); }
  void check(sdk::Call call) override {
    connection_.log(DEPROV_LOG_INFO, "checking with " + key_);
    call.http({"GET", "https://elsewhere.example/", {}, {}, 0, {}, {}, {}, {}}, &show);
  }
  void list(sdk::Call) override { throw 42; }
  void revoke_sessions(sdk::Call) override {}  // forgets it
  void transfer(sdk::Call) override {
    throw sdk::Failure(DEPROV_OUTCOME_PERMISSION_DENIED, "the caf\xE9 is closed");
  }
  void grant_entitlement(sdk::Call call) override { kept_ = call; }  // until it is cancelled
  void cancel(const deprov_connector_call* call) override {
    if (!kept_ || kept_->get() != call) return;
    kept_->fail(DEPROV_OUTCOME_CANCELLED, kept_->is_cancelled() ? "as asked" : "too early");
    kept_.reset();
  }
  void remove(sdk::Call) override { throw sdk::Failure(DEPROV_OUTCOME_OK, "all is well"); }
  void list_entitlements(sdk::Call) override { throw sdk::Failure(DEPROV_OUTCOME_OK, "all is well"); }

 private:
  [[nodiscard]] sdk::HttpRequest request(std::string method, const std::string& path,
                                         std::string body = {}) const {
    sdk::HttpRequest r;
    r.method = std::move(method);
    r.url = base_ + path;
    r.headers = {{"X-Key", key_}};
    r.body = std::move(body);
    return r;
  }
  static void show(const sdk::Call& call, const sdk::HttpResponse& r) {
    sdk::expect_success(call, r);
    const sdk::Json body(r.body);
    sdk::Account a;
    a.id = body.text("/id");
    a.user_name = body.text("/name");
    a.active = body.text("/active") == "true";
    call.complete(sdk::found({a}));
  }

  sdk::Connection connection_;
  std::string base_, key_;
  std::optional<sdk::Call> kept_;
};

constexpr auto manifest = R"({"id": "rest", "version": "1", "abi": {"from": "1.0"}, "secrets": ["key"],
  "egress": ["config:base_url"], "operations": {"check": {}, "find": {}, "read": {}, "list": {}, "disable": {},
  "enable": {}, "revoke_sessions": {}, "transfer": {}, "remove": {}, "list_entitlements": {},
  "grant_entitlement": {}}})";

struct App {
  explicit App(const std::string& base_url) {
    auto plugin = std::make_shared<plugin::Plugin>();
    plugin->manifest = *plugin::parse_manifest(manifest);
    plugin->table = sdk::detail::enter<Rest>(&plugin::host_table(), "rest", "1");
    plugin->log = [this](plugin::LogLevel, std::string_view message) {
      const std::lock_guard lock(mutex);
      said.append(message).append("\n");
    };
    kind = plugin::make_kind(std::move(plugin));
    auto opened = kind->open({{"base_url", base_url}, {"key", "open-sesame"}}, bench.host());
    INFO((opened ? std::string() : opened.error().message()));
    REQUIRE(opened);
    app = std::move(*opened);
  }
  Reply call(Operation o, const std::string& id = {}) { return Bench::call(*app, make_call(o, id)); }
  std::string log() {
    const std::lock_guard lock(mutex);
    return said;
  }

  std::mutex mutex;
  std::string said;
  std::shared_ptr<const port::ConnectorKind> kind;
  Bench bench;
  std::unique_ptr<connector::Connector> app;
};

std::string base_of(const TestServer& server) { return server.url(); }

}  // namespace

TEST_CASE("a connector over HTTP finds, reads and disables") {
  std::atomic<bool> active = true;
  const TestServer server([&](const ServerRequest& r) {
    if (r.header("X-Key") != "open-sesame") return respond_json(401, "{}");
    if (r.target != "/users/a%2Fb" && r.target != "/users?name=ann%40example.com") return respond_json(404, "{}");
    const bool was = active;
    if (r.method == "PATCH") active = false;
    return respond_json(200, std::string(R"({"id":"a/b","name":"ann@example.com","active":)") +
                                 (active ? "true" : "false") + ",\"changed\":" + (was ? "true" : "false") + "}");
  });
  App a(base_of(server));
  auto r = Bench::call(*a.app, zoo::find("ann@example.com"));
  check_outcome(r, Outcome::ok);
  CHECK(r.accounts.at(0).id == "a/b");
  CHECK(r.accounts.at(0).active == true);
  r = a.call(Operation::disable, "a/b");
  check_outcome(r, Outcome::ok);
  CHECK(r.effect == Effect::done);
  CHECK(a.call(Operation::disable, "a/b").effect == Effect::already);
  CHECK(a.call(Operation::read, "a/b").accounts.at(0).active == false);
  check_outcome(a.call(Operation::read, "nobody"), Outcome::not_found);
}

TEST_CASE("what an app answers becomes its outcome") {
  std::mutex mutex;
  std::string next;
  const auto answer_with = [&](const std::string& what) {
    const std::lock_guard lock(mutex);
    next = what;
  };
  const TestServer server([&](const ServerRequest&) {
    const auto say = [&] {
      const std::lock_guard lock(mutex);
      return next;
    }();
    if (say == "throttled") return respond_json(429, "{}", {{"Retry-After", "7"}});
    if (say == "page") return respond(200, "<html>");
    if (say == "gone") return close_now();
    return respond_json(std::stoi(say), "{}");
  });
  App a(base_of(server));
  const auto both = [&](const std::string& what, Outcome read, Outcome change) {
    CAPTURE(what);
    answer_with(what);
    check_outcome(a.call(Operation::read, "1"), read);
    check_outcome(a.call(Operation::disable, "1"), change);
  };
  both("401", Outcome::auth_failed, Outcome::auth_failed);
  both("403", Outcome::permission_denied, Outcome::permission_denied);
  both("409", Outcome::conflict_state, Outcome::conflict_state);
  both("500", Outcome::unavailable, Outcome::unknown_outcome);
  both("503", Outcome::unavailable, Outcome::unavailable);
  both("302", Outcome::protocol, Outcome::unknown_outcome);
  both("gone", Outcome::unavailable, Outcome::unknown_outcome);
  both("page", Outcome::protocol, Outcome::unknown_outcome);
  answer_with("throttled");
  const auto r = a.call(Operation::read, "1");
  check_outcome(r, Outcome::throttled);
  CHECK(r.retry_after == std::chrono::seconds(7));
  App nowhere("http://127.0.0.1:" + std::to_string(closed_port()));
  check_outcome(nowhere.call(Operation::disable, "1"), Outcome::not_sent);
}

TEST_CASE("a host that the manifest does not name is not spoken to") {
  App a("http://127.0.0.1:" + std::to_string(closed_port()));
  const auto r = a.call(Operation::check);
  check_outcome(r, Outcome::invalid_request);
  CHECK(r.detail.find("elsewhere.example") != std::string::npos);
  CHECK(a.log() == "connector rest: checking with ***\n");
}

TEST_CASE("exceptions become outcomes, and secrets stay") {
  App a("http://127.0.0.1:1");
  const auto r = a.call(Operation::enable, "1");
  check_outcome(r, Outcome::unknown_outcome);
  CHECK(r.detail == "the key is ***");
  check_outcome(a.call(Operation::list), Outcome::internal);
  check_outcome(a.call(Operation::revoke_sessions, "1"), Outcome::unknown_outcome);
  const auto said = a.call(Operation::transfer, "1");
  check_outcome(said, Outcome::permission_denied);
  CHECK(said.detail == "the caf\xEF\xBF\xBD is closed");
  check_outcome(a.call(Operation::remove, "1"), Outcome::unknown_outcome);
  check_outcome(a.call(Operation::list_entitlements, "1"), Outcome::internal);
  const auto refused = a.kind->open({{"base_url", "http://broken"}, {"key", "open-sesame"}}, a.bench.host());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().detail() == "there is nothing at that base_url");
}

TEST_CASE("a call that is cancelled ends its exchange; closing ends what is left") {
  const auto before = plugin::live();
  const TestServer server([](const ServerRequest&) { return hang(); });
  {
    App a(base_of(server));
    runtime::Event done;
    Reply reply;
    const auto id = a.app->start(make_call(Operation::disable, "1"), [&](Reply r) {
      reply = std::move(r);
      done.set();
    });
    REQUIRE(server.wait_for_requests(1));
    a.app->cancel(id);
    REQUIRE(done.wait_for(std::chrono::minutes(2)));
    check_outcome(reply, Outcome::unknown_outcome);
    runtime::Event told;
    const auto kept = a.app->start(make_call(Operation::grant_entitlement, "1"), [&](Reply r) {
      reply = std::move(r);
      told.set();
    });
    a.app->cancel(kept);
    REQUIRE(told.wait_for(std::chrono::minutes(2)));
    check_outcome(reply, Outcome::cancelled);
    CHECK(reply.detail == "as asked");
    (void)a.app->start(make_call(Operation::read, "1"), [](Reply) {});
    REQUIRE(server.wait_for_requests(2));
    a.app.reset();
  }
  CHECK(plugin::live().calls == before.calls);
  CHECK(plugin::live().texts == before.texts);
  CHECK(plugin::live().documents == before.documents);
}
