// Many connections change one group at the same time: nothing is lost.
#include <atomic>
#include <boost/json/parse.hpp>
#include <deprov/runtime/event_thread.hpp>
#include <deprov/runtime/threaded_executor.hpp>
#include <deprov/store/sqlite_store.hpp>
#include <filesystem>
#include <set>
#include <thread>
#include "catch.hpp"
#include "support/scim_world.hpp"

using namespace deprov;

namespace {

/// The engine as it runs in a server: real threads, a store on the disk.
struct RealWorld {
  RealWorld() {
    auto pattern = (std::filesystem::temp_directory_path() / "deprov_threads_XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    directory = pattern;
    store::SqliteStoreOptions so;
    so.directory = directory + "/data";
    auto opened = store::open_sqlite_store(*crypto, so);
    REQUIRE(opened.has_value());
    store = std::move(*opened);
    engine::Options o;
    o.master_key = std::string(32, 'k');
    o.connectors = test::no_app();
    auto made = engine::Engine::create({*executor, clock, *random, *store, *http, *crypto}, std::move(o));
    REQUIRE(made.has_value());
    engine = std::move(*made);
    wait<void>([&](auto done) { engine->start(std::move(done)); });
    engine::Principal local;
    local.role = port::Role::owner;
    const auto owner = wait<engine::CreatedPrincipal>(
        [&](auto done) { engine->create_workspace(local, "acme", "Olga", std::move(done)); });
    const engine::Principal by{owner.row.workspace, owner.row.id, owner.row.name, owner.row.role};
    engine::CreateIntegration what;
    what.name = "app";
    what.idp = "generic";
    what.connector = "none";
    what.check = false;
    const auto made_integration = wait<engine::CreatedIntegration>(
        [&](auto done) { engine->create_integration(by, what, std::move(done)); });
    base = "/scim/v2/" + made_integration.row.scope.integration.str();
    token = made_integration.scim_token;
    scim = std::make_unique<service::ScimService>(*engine);
  }
  ~RealWorld() {
    wait<void>([&](auto done) { engine->close(std::chrono::seconds(5), std::move(done)); });
    scim.reset();
    executor->stop();
    engine.reset();
    store.reset();
    std::filesystem::remove_all(directory);
  }
  RealWorld(const RealWorld&) = delete;
  RealWorld& operator=(const RealWorld&) = delete;

  template <class T, class Start>
  T wait(Start start) {
    runtime::Event done;
    std::optional<Result<T>> answer;
    start(engine::Done<T>([&](Result<T> r) {
      answer.emplace(std::move(r));
      done.set();
    }));
    done.wait();
    REQUIRE(answer->has_value());
    if constexpr (!std::is_void_v<T>) return std::move(**answer);
  }

  service::Response send(const std::string& method, const std::string& path, const std::string& body = {}) {
    service::Request request{
        method, base + path, {{"Authorization", "Bearer " + token}, {"Host", "gw"}}, body, "192.0.2.1"};
    runtime::Event done;
    service::Response answer;
    scim->handle(std::move(request), [&](service::Response r) {
      answer = std::move(r);
      done.set();
    });
    done.wait();
    return answer;
  }
  std::string add(const std::string& endpoint, const std::string& body) {
    const auto r = send("POST", endpoint, body);
    REQUIRE(r.status == 201);
    return std::string(boost::json::parse(r.body).at("id").as_string());
  }

  std::string directory, base, token;
  runtime::SystemClock clock;
  std::unique_ptr<port::Crypto> crypto = crypto::make_crypto();
  std::unique_ptr<port::Random> random = crypto::make_system_random();
  std::unique_ptr<port::HttpTransport> http = test::no_http();
  std::unique_ptr<runtime::ThreadedExecutor> executor = std::make_unique<runtime::ThreadedExecutor>("engine");
  std::unique_ptr<port::Store> store;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<service::ScimService> scim;
};

std::string patch(const std::string& op, const std::string& user) {
  return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":")" + op +
         (op == "add" ? R"(","path":"members","value":[{"value":")" + user + "\"}]}]}"
                      : R"(","path":"members[value eq \")" + user + "\\\"]\"}]}");
}

}  // namespace

TEST_CASE("PATCHes of one group from many connections lose nothing") {
  constexpr std::size_t connections = 12;
  constexpr std::size_t each = 15;
  RealWorld w;
  std::vector<std::string> users;
  for (std::size_t i = 0; i < connections * each; ++i)
    users.push_back(w.add("/Users", R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"u)" +
                                        std::to_string(i) + "\"}"));
  const auto group =
      w.add("/Groups", R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"G"})");
  std::atomic<std::size_t> refused{0};
  std::vector<std::thread> threads;
  for (std::size_t c = 0; c < connections; ++c)
    threads.emplace_back([&, c] {
      for (std::size_t i = 0; i < each; ++i) {
        const auto& user = users[c * each + i];
        // Everybody joins; every third leaves again; some rename the group in between.
        if (w.send("PATCH", "/Groups/" + group, patch("add", user)).status >= 300) ++refused;
        if (i % 3 == 0 && w.send("PATCH", "/Groups/" + group, patch("remove", user)).status >= 300) ++refused;
        if (i % 5 == 0 && w.send("PATCH", "/Groups/" + group,
                                 R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
                       {"op":"replace","path":"displayName","value":"G)" +
                                     std::to_string(c) + "\"}]}")
                                  .status >= 300)
          ++refused;
      }
    });
  for (auto& t : threads) t.join();
  CHECK(refused == 0);
  std::set<std::string> expected;
  for (std::size_t i = 0; i < users.size(); ++i)
    if (i % each % 3 != 0) expected.insert(users[i]);
  const auto read = w.send("GET", "/Groups/" + group);
  REQUIRE(read.status == 200);
  std::set<std::string> members;
  const auto document = boost::json::parse(read.body);
  for (const auto& m : document.at("members").as_array()) members.insert(std::string(m.at("value").as_string()));
  CHECK(members == expected);
  CHECK(std::string(document.at("displayName").as_string()).substr(0, 1) == "G");
}
