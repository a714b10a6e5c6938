// An engine on a memory store in virtual time, and how a test waits for its answers.
#pragma once

#include <deprov/crypto/crypto.hpp>
#include <deprov/engine/engine.hpp>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/random.hpp>
#include <deprov/runtime/virtual_executor.hpp>
#include <deprov/store/memory_store.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include "support/managed_app.hpp"

namespace deprov::test::managed {

class AnsweringHttp final : public port::HttpTransport {
 public:
  std::function<port::HttpResult(const port::HttpRequest&)> answer;  ///< where a test gives one
  int status = 0;                                                    ///< else of every answer; 0: there is none
  port::HttpCallId send(port::HttpRequest request, port::UniqueFunction<void(port::HttpResult)> done) override {
    port::HttpResult r;
    r.failure.sent = false;
    if (status != 0) r.response.emplace().status = status;
    if (answer) r = answer(request);
    done(std::move(r));
    return 0;
  }
  void cancel(port::HttpCallId) override {}
};

struct EngineWorld {
  runtime::VirtualClock clock;
  runtime::VirtualExecutor executor{clock};
  runtime::SeededRandom random{7};
  std::unique_ptr<port::Crypto> crypto = crypto::make_crypto();
  std::unique_ptr<port::Store> store = store::make_memory_store(*crypto);
  AnsweringHttp http;
  std::shared_ptr<FakeApp> app = std::make_shared<FakeApp>();
  std::unique_ptr<engine::Engine> engine;
  engine::Principal local;  ///< of the workspace `home`
  WorkspaceId home;
  std::string owner_token;

  explicit EngineWorld(bool app_removes = false) {
    engine::Options options;
    options.connectors["fake"] = std::make_shared<FakeKind>(app, app_removes);
    options.master_key = std::string(32, 'k');
    options.may_name_file = [](const std::string& path) { return path.rfind("/open/", 0) == 0; };
    auto made = engine::Engine::create({executor, clock, random, *store, http, *crypto}, std::move(options));
    engine = std::move(*made);
    local.role = port::Role::owner;
    auto first = wait<engine::CreatedPrincipal>(
        [&](auto done) { engine->create_workspace(local, "home", "first owner", std::move(done)); });
    home = local.workspace = first->row.workspace;
    owner_token = first->token;
  }
  ~EngineWorld() {
    (void)wait<void>([&](auto done) { engine->close(std::chrono::seconds(1), std::move(done)); });
    engine.reset();
    executor.run_until_idle();
  }
  EngineWorld(const EngineWorld&) = delete;
  EngineWorld& operator=(const EngineWorld&) = delete;

  /// Runs tasks, and time if need be, until `start`'s completion was called.
  template <class T, class Start>
  Result<T> wait(Start start) {
    auto got = std::make_shared<std::optional<Result<T>>>();
    start(engine::Done<T>([got](Result<T> r) { got->emplace(std::move(r)); }));
    for (int i = 0; i < 10'000 && !*got; ++i)
      if (executor.run_until_idle() == 0 && !*got) (void)executor.advance_to_next_timer();
    if (!*got) return Error(Errc::timeout, "no completion came");
    return std::move(**got);
  }

  Result<void> start() {
    return wait<void>([&](auto done) { engine->start(std::move(done)); });
  }
  engine::Principal principal(port::Role role) {
    auto made = wait<engine::CreatedPrincipal>([&](auto done) {
      engine->add_principal(local, std::string(port::to_string(role)), role, std::move(done));
    });
    return {home, made->row.id, made->row.name, role};
  }
  Result<engine::CreatedIntegration> integrate(const engine::Principal& by, std::string name = "app",
                                               bool check = true) {
    engine::CreateIntegration what;
    what.name = std::move(name);
    what.idp = "okta";
    what.connector = "fake";
    what.config = {{"url", "mem:"}, {"auth", {{"user", "u"}, {"token", "s3cret-value"}}}};
    what.check = check;
    return wait<engine::CreatedIntegration>(
        [&](auto done) { engine->create_integration(by, what, std::move(done)); });
  }
  /// A user as the IdP would have made it.
  ResourceId provision(const port::Scope& scope, const std::string& user_name) {
    const auto id = random.id<ResourceId>(clock.wall());
    (void)wait<engine::Applied>([&](auto done) {
      engine->apply(
          engine->integration(scope.integration), {"idp:okta", "scim", "r1", "POST", {}, clock.wall()},
          [=, this](port::Reader&, const engine::IntegrationContext&) -> Result<engine::Effect> {
            engine::Effect e;
            port::ResourceRow row;
            row.scope = scope;
            row.id = id;
            row.type = "User";
            row.user_name_key = user_name;
            row.created = row.modified = clock.wall();
            row.document = R"({"userName":")" + user_name + R"("})";
            e.after = std::move(row);
            return e;
          },
          std::move(done));
    });
    executor.run_for(std::chrono::seconds(5));
    return id;
  }
  /// The IdP sets `active` to false.
  void deactivate(const port::Scope& scope, ResourceId id) {
    (void)wait<engine::Applied>([&](auto done) {
      engine->apply(
          engine->integration(scope.integration), {"idp:okta", "scim", "r2", "PATCH", {}, clock.wall()},
          [=](port::Reader& reader, const engine::IntegrationContext&) -> Result<engine::Effect> {
            DEPROV_TRY(row, reader.resource(scope, id));
            engine::Effect e;
            e.before = row;
            e.after = std::move(row);
            e.after->active = false;
            e.keys_changed = false;
            return e;
          },
          std::move(done));
    });
  }
  std::vector<port::ActivityRow> activity(const port::Scope& scope) {
    std::vector<port::ActivityRow> rows;
    (void)wait<void>([&](auto done) {
      engine->view(
          [&](port::Reader& reader) -> Result<void> {
            DEPROV_TRY(page, reader.activity(scope, 0, 10'000));
            rows = std::move(page.rows);
            return {};
          },
          std::move(done));
    });
    return rows;
  }
  bool has_event(const port::Scope& scope, std::string_view event, std::string_view actor = {}) {
    for (const auto& row : activity(scope))
      if (row.event == event && (actor.empty() || row.actor == actor)) return true;
    return false;
  }
  template <class T>
  std::optional<T> look(std::function<Result<std::optional<T>>(port::Reader&)> body) {
    std::optional<T> found;
    (void)wait<void>([&](auto done) {
      engine->view(
          [&](port::Reader& reader) -> Result<void> {
            DEPROV_TRY(row, body(reader));
            found = std::move(row);
            return {};
          },
          std::move(done));
    });
    return found;
  }
};

}  // namespace deprov::test::managed
