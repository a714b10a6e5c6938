#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <vector>
#include "c_api.hpp"

using namespace deprov::test;

namespace {

constexpr std::string_view description = R"({
  "id": "ours", "name": "Ours", "version": "1", "secrets": ["password"],
  "config_schema": {"type": "object", "additionalProperties": false,
                    "properties": {"url": {"type": "string"}, "password": {"type": "string"}}},
  "operations": {"check": {}, "find": {}, "read": {}, "list": {}, "revoke_sessions": {"idempotency": "naturally"},
                 "disable": {"reversible": true, "idempotency": "naturally", "verification": "read"},
                 "enable": {"reversible": true, "idempotency": "naturally", "verification": "read"}}})";

/// An app whose accounts are called "acc-" and the userName; everybody has one.
struct App {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, bool> active;
  std::vector<std::string> log;  ///< "disable acc-ann"
  std::vector<deprov_call*> kept;
  std::deque<deprov_call*> later;
  int open = 0, freed = 0, cancels = 0;
  std::string config;
  bool keep_disable = false;  ///< such calls are never completed
  bool drop_disable = false;  ///< such calls are let go of without being completed
  bool elsewhere = false;     ///< completed by another thread
  bool refuse_open = false;
  std::string detail;                ///< unless empty: what disable fails with, PERMISSION_DENIED
  std::vector<std::string> faults;   ///< Catch2 is for one thread: what callbacks find wrong is looked at later
  deprov_status inside = DEPROV_OK;  ///< what a blocking call inside `start` answered
  deprov_engine* engine = nullptr;

  App() = default;
  App(const App&) = delete;
  App& operator=(const App&) = delete;
  ~App() { CHECK(faults.empty()); }
  void expect(bool holds, const char* what) {
    if (!holds) faults.emplace_back(what);
  }

  static deprov_status do_open(void* user, deprov_str config, void** instance, deprov_error** error) {
    auto& app = *static_cast<App*>(user);
    const std::lock_guard lock(app.mutex);
    if (app.refuse_open) {
      *error = deprov_error_new(DEPROV_ERR_INVALID_ARGUMENT, str("no such app"), str("url"), {});
      return DEPROV_ERR_INVALID_ARGUMENT;
    }
    ++app.open;
    app.config = text(config);
    *instance = &app;
    return DEPROV_OK;
  }
  static void do_close(void* user, void* instance) {
    auto& app = *static_cast<App*>(user);
    const std::lock_guard lock(app.mutex);
    app.expect(instance == user, "the instance that was opened");
    --app.open;
  }
  static void do_start(void* user, void*, deprov_call* call) {
    auto& app = *static_cast<App*>(user);
    std::unique_lock lock(app.mutex);
    if (app.engine != nullptr && app.inside == DEPROV_OK)
      app.inside = deprov_admin_call(app.engine, nullptr, str("GET"), str("/workspaces"), {}, nullptr, nullptr);
    const bool disable = deprov_call_get_operation(call) == DEPROV_OPERATION_DISABLE;
    if (disable && app.keep_disable) {
      app.kept.push_back(call);
      app.changed.notify_all();
    } else if (disable && app.drop_disable) {
      app.drop_disable = false;
      app.active[text(deprov_call_get_account(call))] = false;  // it happened, and nobody is told
      deprov_call_free(call);
    } else if (app.elsewhere) {
      app.later.push_back(call);
      app.changed.notify_all();
    } else {
      app.answer(call);
    }
  }
  static void do_cancel(void* user, void*, deprov_call* call) {
    auto& app = *static_cast<App*>(user);
    const std::lock_guard lock(app.mutex);
    app.expect(deprov_call_is_cancelled(call) == 1, "a call that is cancelled");
    ++app.cancels;
    app.changed.notify_all();
  }
  static void do_free(void* user) {
    auto& app = *static_cast<App*>(user);
    const std::lock_guard lock(app.mutex);
    ++app.freed;
  }

  void answer(deprov_call* call) {
    deprov_reply reply{};
    reply.struct_size = sizeof reply;
    std::string accounts;
    auto id = text(deprov_call_get_account(call));
    switch (deprov_call_get_operation(call)) {
      case DEPROV_OPERATION_CHECK: break;
      case DEPROV_OPERATION_FIND:
        id = "acc-" + text(deprov_call_get_user_name(call));
        active.emplace(id, true);
        [[fallthrough]];
      case DEPROV_OPERATION_READ:
        accounts = json::serialize(json::array{json::object{{"id", id}, {"active", active[id]}}});
        break;
      case DEPROV_OPERATION_DISABLE:
      case DEPROV_OPERATION_REVOKE_SESSIONS:
        if (deprov_call_get_operation(call) == DEPROV_OPERATION_DISABLE) active[id] = false;
        log.push_back((deprov_call_get_operation(call) == DEPROV_OPERATION_DISABLE ? "disable " : "revoke ") + id);
        expect(deprov_call_get_idempotency_key(call).len > 0, "an idempotency key");
        expect(deprov_call_get_timeout_ms(call) > 0, "a timeout");
        reply.effect = DEPROV_EFFECT_DONE;
        if (detail.empty()) break;
        reply.outcome = DEPROV_OUTCOME_PERMISSION_DENIED;
        reply.detail = str(detail);
        break;
      default: reply.outcome = DEPROV_OUTCOME_UNSUPPORTED; break;
    }
    reply.accounts = str(accounts);
    expect(deprov_call_complete(call, &reply, nullptr) == DEPROV_OK, "the first completion counts");
    expect(deprov_call_complete(call, &reply, nullptr) == DEPROV_ERR_CONFLICT, "the second one does not");
    deprov_call_free(call);
  }
  [[nodiscard]] ConnectorPtr connector() {
    deprov_connector_callbacks c{};
    c.struct_size = sizeof c;
    c.user = this;
    c.user_free = do_free;
    c.open = do_open;
    c.close = do_close;
    c.start = do_start;
    c.cancel = do_cancel;
    deprov_connector* out = nullptr;
    deprov_error* error = nullptr;
    const auto status = deprov_connector_new(str(description), &c, &out, &error);
    const auto why = said(status, error);
    INFO(why.message);
    REQUIRE(status == DEPROV_OK);
    return ConnectorPtr(out);
  }
};

deprov_engine_options with(const deprov_connector* const& connector) {
  auto o = in_memory();
  o.connectors = &connector;
  o.connector_count = 1;
  return o;
}

constexpr std::string_view config = R"(, "config": {"url": "https://app", "password": "geheim"})";

/// Waits, by following the activity, until a record of this event is there.
json::value wait_for_event(const World& world, std::string_view event) {
  const auto by = world.local();
  deprov_rows_options o{};
  o.struct_size = sizeof o;
  o.kind = DEPROV_ROWS_ACTIVITY;
  o.integration = str(world.integration);
  deprov_rows* rows = nullptr;
  REQUIRE(deprov_rows_open(world.engine.get(), &by, &o, &rows, nullptr) == DEPROV_OK);
  const RowsPtr owned(rows);
  for (;;) {
    deprov_str row{};
    const auto status = deprov_rows_next(rows, &row, nullptr);
    if (status == DEPROV_END) continue;  // each time asks the store anew
    REQUIRE(status == DEPROV_OK);
    auto record = json::parse(text(row));
    if (record.at("event").as_string() == event) return record;
  }
}

}  // namespace

TEST_CASE("a connector of the host carries a removal out to verified") {
  App app;
  {
    auto connector = app.connector();
    const deprov_connector* handle = connector.get();
    const World world(with(handle), "ours", config);
    connector.reset();  // the engine has its own share
    CHECK(json::parse(app.config).at("password").as_string() == "geheim");
    {
      const std::lock_guard lock(app.mutex);
      app.engine = world.engine.get();
    }
    world.deactivate(world.add_user("ann"));
    wait_for_event(world, "removal.verified");
    CHECK(app.freed == 0);
    const std::lock_guard lock(app.mutex);
    CHECK(std::count(app.log.begin(), app.log.end(), "disable acc-ann") == 1);
    CHECK_FALSE(app.active.at("acc-ann"));
    CHECK(app.inside == DEPROV_ERR_WRONG_THREAD);
  }
  CHECK(app.open == 0);
  CHECK(app.freed == 1);
}

TEST_CASE("calls may be completed later, by another thread") {
  App app;
  app.elsewhere = true;
  std::atomic<bool> over{false};
  std::thread worker([&] {
    for (;;) {
      std::unique_lock lock(app.mutex);
      app.changed.wait(lock, [&] { return over || !app.later.empty(); });
      if (app.later.empty()) return;
      auto* call = app.later.front();
      app.later.pop_front();
      app.answer(call);
    }
  });
  {
    const auto connector = app.connector();
    const deprov_connector* handle = connector.get();
    const World world(with(handle), "ours", config);
    world.deactivate(world.add_user("ann"));
    wait_for_event(world, "removal.verified");
  }
  {
    const std::lock_guard lock(app.mutex);
    over = true;
    app.changed.notify_all();
  }
  worker.join();
  CHECK(app.freed == 1);
}

TEST_CASE("a change that a connector let go of is an unknown outcome, and is read back [R18]", "[R18]") {
  App app;
  app.drop_disable = true;
  const auto connector = app.connector();
  const deprov_connector* handle = connector.get();
  std::mutex mutex;
  std::vector<std::string> lines;
  auto o = with(handle);
  struct Log {
    std::mutex& mutex;
    std::vector<std::string>& lines;
  } log{mutex, lines};
  o.log_user = &log;
  o.log = [](void* user, int32_t level, deprov_str message) {
    auto& l = *static_cast<Log*>(user);
    const std::lock_guard lock(l.mutex);
    if (level == DEPROV_LOG_ERROR) l.lines.push_back(text(message));
  };
  const World world(o, "ours", config);
  world.deactivate(world.add_user("ann"));
  wait_for_event(world, "removal.verified");
  {
    const std::lock_guard lock(mutex);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("connector ours let go of a call (disable)") != std::string::npos);
  }
  const std::lock_guard lock(app.mutex);
  CHECK(std::count(app.log.begin(), app.log.end(), "disable acc-ann") == 0);
}

TEST_CASE("closing cancels, and reports the call that does not end; its completion comes too late") {
  App app;
  app.keep_disable = true;
  auto connector = app.connector();
  const deprov_connector* handle = connector.get();
  deprov_call* kept = nullptr;
  {
    World world(with(handle), "ours", config);
    connector.reset();
    world.deactivate(world.add_user("ann"));
    {
      std::unique_lock lock(app.mutex);
      app.changed.wait(lock, [&] { return !app.kept.empty(); });
      kept = app.kept.front();
    }
    deprov_buffer* report = nullptr;
    CHECK(deprov_engine_close(world.engine.get(), 20, &report, nullptr) == DEPROV_ERR_TIMEOUT);
    const BufferPtr owned(report);
    const auto left = json::parse(text(deprov_buffer_get(report)));
    CHECK(left.at("requests").as_array().empty());
    REQUIRE(left.at("calls").as_array().size() == 1);
    CHECK(left.at("calls").at(0).at("connector").as_string() == "ours");
    CHECK(left.at("calls").at(0).at("operation").as_string() == "disable");
    CHECK(left.at("calls").at(0).at("account").as_string() == "acc-ann");
    CHECK(deprov_engine_close(world.engine.get(), 0, nullptr, nullptr) == DEPROV_ERR_TIMEOUT);
    world.engine.reset();
  }
  CHECK(app.cancels == 1);
  CHECK(app.open == 0);
  CHECK(app.freed == 0);  // the call still has a share
  deprov_reply reply{};
  reply.struct_size = sizeof reply;
  CHECK(text(deprov_call_get_account(kept)) == "acc-ann");
  CHECK(deprov_call_complete(kept, &reply, nullptr) == DEPROV_ERR_CLOSED);
  CHECK(deprov_call_retain(kept) == kept);
  deprov_call_free(kept);
  deprov_call_free(kept);
  CHECK(app.freed == 1);
}

TEST_CASE("a reply that says nothing sensible leaves the call open") {
  App app;
  app.keep_disable = true;
  const auto connector = app.connector();
  const deprov_connector* handle = connector.get();
  const World world(with(handle), "ours", config);
  world.deactivate(world.add_user("ann"));
  deprov_call* call = nullptr;
  {
    std::unique_lock lock(app.mutex);
    app.changed.wait(lock, [&] { return !app.kept.empty(); });
    call = app.kept.front();
  }
  deprov_reply reply{};
  const auto refused = [&] {
    deprov_error* error = nullptr;
    const auto status = deprov_call_complete(call, &reply, &error);
    return said(status, error);
  };
  CHECK(refused().where == "reply.struct_size");
  reply.struct_size = sizeof reply;
  reply.outcome = 99;
  CHECK(refused().where == "reply.outcome");
  reply.outcome = DEPROV_OUTCOME_OK;
  reply.effect = -1;
  CHECK(refused().where == "reply.effect");
  reply.effect = DEPROV_EFFECT_ACCEPTED;
  CHECK(refused().where == "reply.handle");
  reply.effect = DEPROV_EFFECT_DONE;
  reply.throttle_scope = 3;
  CHECK(refused().where == "reply.throttle_scope");
  reply.throttle_scope = 0;
  for (const auto* accounts : {"{", "{}", R"([{"user_name": "ann"}])", R"([{"id": "1", "colour": "red"}])",
                               R"([{"id": ""}])", R"([{"id": "1", "active": "yes"}])"}) {
    reply.accounts = str(accounts);
    CHECK(refused().status == DEPROV_ERR_INVALID_ARGUMENT);
  }
  reply.accounts = {nullptr, 0};
  reply.handle = str("\xff");
  CHECK(refused().where == "reply.handle");
  reply.handle = {nullptr, 0};
  reply.next_cursor = str("\xc3");
  CHECK(refused().where == "reply.next_cursor");
  CHECK(deprov_call_complete(call, nullptr, nullptr) == DEPROV_ERR_INVALID_ARGUMENT);
  {
    const std::lock_guard lock(app.mutex);
    app.keep_disable = false;
    app.answer(call);
  }
  wait_for_event(world, "removal.verified");
}

TEST_CASE("what a connector says in bytes that are no text is told as text, and evidence of it holds") {
  App app;
  app.detail = "caf\xe9 closed";
  const auto connector = app.connector();
  const deprov_connector* handle = connector.get();
  const World world(with(handle), "ours", config);
  world.deactivate(world.add_user("ann"));
  const auto failed = wait_for_event(world, "step.failed");
  CHECK(failed.at("detail").at("detail").as_string() == "caf\xef\xbf\xbd closed");
  deprov_request request{};
  request.struct_size = sizeof request;
  request.as = DEPROV_AS_LOCAL;
  request.method = str("GET");
  request.target = str("/api/v1/evidence");
  request.workspace = str(world.workspace);
  deprov_response* response = nullptr;
  REQUIRE(deprov_engine_call(world.engine.get(), &request, &response, nullptr) == DEPROV_OK);
  const ResponsePtr owned(response);
  deprov_verifier* verifier = nullptr;
  REQUIRE(deprov_verifier_new(nullptr, &verifier, nullptr) == DEPROV_OK);
  deprov_str piece{};
  while (deprov_response_read(response, 60'000, &piece, nullptr) == DEPROV_OK)
    CHECK(deprov_verifier_feed(verifier, piece, nullptr) == DEPROV_OK);
  int32_t holds = 0;
  CHECK(deprov_verifier_finish(verifier, &holds, nullptr, nullptr) == DEPROV_OK);
  deprov_verifier_free(verifier);
  CHECK(holds == 1);
  auto* const error = deprov_error_new(DEPROV_ERR_UNAVAILABLE, str("\xff"), str("a\xfe"), str("\xc3"));
  CHECK(text(deprov_error_get_message(error)) == "a\xef\xbf\xbd: \xef\xbf\xbd; \xef\xbf\xbd");
  deprov_error_free(error);
}

TEST_CASE("a connector that cannot be opened says why") {
  App app;
  app.refuse_open = true;
  const auto connector = app.connector();
  const deprov_connector* handle = connector.get();
  const auto engine = open(with(handle));
  deprov_buffer* record = nullptr;
  REQUIRE(deprov_workspace_create(engine.get(), str("acme"), {}, &record, nullptr) == DEPROV_OK);
  const BufferPtr owned(record);
  const auto id = std::string(json::parse(text(deprov_buffer_get(record))).at("id").as_string());
  const deprov_caller by{sizeof by, str(id), {nullptr, 0}};
  deprov_error* error = nullptr;
  const auto status = deprov_integration_create(
      engine.get(), &by, str(R"({"name": "W", "idp": "okta", "connector": "ours"})"), nullptr, &error);
  const auto why = said(status, error);
  CHECK(why.status == DEPROV_ERR_INVALID_ARGUMENT);
  CHECK(why.message.find("no such app") != std::string::npos);
}

TEST_CASE("descriptions that do not say enough are refused, and the user is let go of") {
  int freed = 0;
  deprov_connector_callbacks c{};
  c.struct_size = sizeof c;
  c.user = &freed;
  c.user_free = count_free;
  c.start = [](void*, void*, deprov_call* call) { deprov_call_free(call); };
  const auto refused = [&](std::string_view text) {
    deprov_connector* out = nullptr;
    deprov_error* error = nullptr;
    const auto before = freed;
    const auto status = deprov_connector_new(str(text), &c, &out, &error);
    CHECK(out == nullptr);
    CHECK(freed == before + 1);
    return said(status, error);
  };
  CHECK(refused("{").status == DEPROV_ERR_INVALID_SYNTAX);
  CHECK(refused("[]").status == DEPROV_ERR_INVALID_ARGUMENT);
  CHECK(refused(R"({"id": "x"})").status == DEPROV_ERR_INVALID_ARGUMENT);
  CHECK(refused(R"({"id": "x", "operations": {}})").status == DEPROV_ERR_INVALID_ARGUMENT);
  CHECK(refused(R"({"id": "X", "operations": {"check": {}}})").where == "description/id");
  CHECK(refused(R"({"id": "x", "operations": {"fly": {}}})").where == "description/operations/fly");
  CHECK(refused(R"({"id": "x", "operations": {"check": {"colour": 1}}})").status == DEPROV_ERR_INVALID_ARGUMENT);
  CHECK(refused(R"({"id": "x", "operations": {"check": {}}, "config_schema": {"type": "tree"}})").status ==
        DEPROV_ERR_INVALID_ARGUMENT);
  c.start = nullptr;
  CHECK(refused(R"({"id": "x", "operations": {"check": {}}})").where == "callbacks.start");
}

TEST_CASE("two connectors of one id are one too many") {
  App a;
  App b;
  const auto first = a.connector();
  const auto second = b.connector();
  const deprov_connector* both[] = {first.get(), second.get()};
  auto o = in_memory();
  o.connectors = both;
  o.connector_count = 2;
  deprov_engine* engine = nullptr;
  CHECK(deprov_engine_open(&o, &engine, nullptr) == DEPROV_ERR_UNIQUENESS);
  CHECK(engine == nullptr);
}
