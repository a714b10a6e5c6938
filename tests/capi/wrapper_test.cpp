#include <algorithm>
#include <atomic>
#include <boost/json/parse.hpp>
#include <chrono>
#include <deprov_c.hpp>
#include <map>
#include <mutex>
#include <string>
#include <vector>
#include "catch.hpp"

namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

/// Everybody has an account; the first disable throws.
class ThrowingApp final : public deprov_c::App {
 public:
  explicit ThrowingApp(std::atomic<int>& thrown) : thrown_(thrown) {}
  void start(deprov_c::Call call) override {
    deprov_c::Reply reply;
    switch (call.operation()) {
      case DEPROV_OPERATION_CHECK: break;
      case DEPROV_OPERATION_FIND:
      case DEPROV_OPERATION_READ:
        reply.accounts = active_ ? R"([{"id": "a1", "active": true}])" : R"([{"id": "a1", "active": false}])";
        break;
      case DEPROV_OPERATION_DISABLE:
        active_ = false;
        if (thrown_++ == 0) throw std::runtime_error("the line went dead");
        reply.effect = DEPROV_EFFECT_DONE;
        break;
      case DEPROV_OPERATION_REVOKE_SESSIONS: reply.effect = DEPROV_EFFECT_DONE; break;
      default: reply.outcome = DEPROV_OUTCOME_UNSUPPORTED; break;
    }
    (void)call.complete(reply);
  }

 private:
  std::atomic<int>& thrown_;
  bool active_ = true;
};

}  // namespace

TEST_CASE("the C++ wrapper throws what the C interface says") {
  try {
    deprov_c::Engine engine(deprov_c::Options{});
    FAIL("an engine without a store was opened");
  } catch (const deprov_c::Error& e) {
    CHECK(e.status() == DEPROV_ERR_INVALID_ARGUMENT);
    CHECK(e.where() == "options.directory");
    CHECK_FALSE(e.advice().empty());
  }
  CHECK_THROWS_AS(deprov_c::record_get("{}", "id"), deprov_c::Error);
  CHECK_THROWS_AS(deprov_c::Connector("{}", nullptr), deprov_c::Error);
  deprov_c::Options options;
  options.in_memory = true;
  options.connectors = {nullptr};
  CHECK_THROWS_WITH(deprov_c::Engine(options), Catch::Contains("options.connectors[0]"));
}

TEST_CASE("what the host's C++ throws or leaves out stays on its side") {
  constexpr auto description = R"({"id": "ours", "operations": {"check": {}, "find": {}}})";
  const deprov_c::Connector no_app(description, [](std::string_view) { return nullptr; });
  std::atomic<int> asked{0};
  deprov_c::Options options;
  options.in_memory = true;
  options.connectors = {&no_app};
  options.clock = [&]() -> std::chrono::microseconds {
    ++asked;
    throw std::runtime_error("no clock");
  };
  options.log = [](int32_t, std::string_view) { throw std::runtime_error("no log"); };
  options.plugin_record = [](std::string_view) { throw std::runtime_error("no record"); };
  deprov_c::Engine engine(options);
  const auto made = engine.create_workspace("acme", "owner");
  CHECK(asked > 0);
  CHECK(json::parse(made).at("owner").at("created").as_string() > "2020");
  const deprov_c::Caller by{deprov_c::record_get(made, "id"), {}};
  CHECK_THROWS_WITH(engine.create_integration(by, R"({"name": "X", "idp": "okta", "connector": "ours"})"),
                    Catch::Contains("made no app"));
  CHECK(engine.close(10s).find("\"requests\":[]") != std::string::npos);
}

TEST_CASE("an exception in a connector becomes an outcome, and the removal goes on [R18]", "[R18]") {
  std::atomic<int> thrown{0};
  const deprov_c::Connector connector(
      R"({"id": "ours", "operations": {"check": {}, "find": {}, "read": {}, "revoke_sessions": {"idempotency": "naturally"},
          "disable": {"reversible": true, "idempotency": "naturally", "verification": "read"}}})",
      [&](std::string_view config) -> std::unique_ptr<deprov_c::App> {
        if (config.find("bad") != std::string_view::npos) throw std::runtime_error("no such app");
        return std::make_unique<ThrowingApp>(thrown);
      });
  std::mutex mutex;
  std::vector<std::string> log;
  deprov_c::Options options;
  options.in_memory = true;
  options.connectors = {&connector};
  options.clock = [] {
    using namespace std::chrono;
    return duration_cast<microseconds>(system_clock::now().time_since_epoch());
  };
  options.log = [&](int32_t, std::string_view message) {
    const std::lock_guard lock(mutex);
    log.emplace_back(message);
  };
  deprov_c::Engine engine(options);
  const deprov_c::Caller by{deprov_c::record_get(engine.create_workspace("acme", "owner"), "id"), {}};
  CHECK_THROWS_WITH(engine.create_integration(
                        by, R"({"name": "X", "idp": "okta", "connector": "ours", "config": {"a": "bad"}})"),
                    Catch::Contains("no such app"));
  const auto wiki = engine.create_integration(by, R"({"name": "Wiki", "idp": "okta", "connector": "ours"})");
  const auto integration = deprov_c::record_get(wiki, "id");

  deprov_c::Request request;
  request.method = "POST";
  request.target = deprov_c::record_get(wiki, "scim_base_path") + "/Users";
  request.headers = {{"Authorization", "Bearer " + deprov_c::record_get(wiki, "scim_token")},
                     {"Content-Type", "application/scim+json"}};
  request.body =
      R"({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ann", "active": true})";
  const auto made = engine.call(request);
  REQUIRE(made.status() == 201);
  CHECK_FALSE(made.headers().empty());
  request.method = "PATCH";
  request.target += "/" + deprov_c::record_get(made.body(), "id");
  request.body = R"({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                     "Operations": [{"op": "replace", "value": {"active": false}}]})";
  const auto token = engine.send(request);
  std::vector<deprov_c::Engine::Event> events;
  while (events.empty()) events = engine.next(60s);
  REQUIRE(events.size() == 1);
  CHECK(events[0].token == token);
  CHECK(events[0].response.status() / 100 == 2);
  CHECK_THROWS_AS(engine.cancel(token), deprov_c::Error);
  request.method = "GET";
  request.body.clear();
  for (events = engine.ask(request, 60s, &events); events.empty();) events = engine.next(60s);
  CHECK(events.at(0).user == &events);
  CHECK(events.at(0).response.status() == 200);

  auto rows = engine.rows(by, {DEPROV_ROWS_ACTIVITY, integration, {}, {}, 0});
  bool verified = false;
  bool unknown = false;
  while (!verified) {
    while (const auto row = rows.next()) {
      unknown = unknown || (row->find("UNKNOWN_OUTCOME") != std::string_view::npos &&
                            row->find("the line went dead") != std::string_view::npos);
      verified = verified || deprov_c::record_get(*row, "event") == "removal.verified";
    }
  }
  CHECK(unknown);
  CHECK_FALSE(rows.restart().empty());
  CHECK(json::parse(engine.close(60s)).at("calls").as_array().empty());
  const std::lock_guard lock(mutex);
  CHECK(log.back() == "the engine was closed");
}
