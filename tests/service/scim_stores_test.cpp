// The endpoint gives the same answers on both stores, and holds when many ask at once.
#include <atomic>
#include <condition_variable>
#include <deprov/runtime/threaded_executor.hpp>
#include <mutex>
#include <set>
#include <thread>
#include "catch.hpp"
#include "support/scim_world.hpp"

using namespace deprov;
using deprov::test::ScimReply;
using deprov::test::ScimWorld;

namespace {

std::string ops(const std::string& operations) {
  return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)" + operations + "]}";
}
std::string user(const std::string& name, const std::string& rest = {}) {
  return R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":")" + name + "\"" + rest + "}";
}

}  // namespace

TEST_CASE("the same requests are answered the same on both stores") {
  ScimWorld memory("okta");
  ScimWorld sqlite("okta", {}, {}, {}, true);
  const auto both = [&](const std::string& method, const std::string& path, const std::string& body = {},
                        const std::vector<service::Header>& headers = {}) {
    memory.clock.advance(std::chrono::milliseconds(7));
    sqlite.clock.advance(std::chrono::milliseconds(7));
    const auto a = memory.send(method, path, body, headers);
    const auto b = sqlite.send(method, path, body, headers);
    INFO(method << " " << path << " " << body);
    CHECK(a.status == b.status);
    CHECK(a.text == b.text);
    CHECK(a.header("etag") == b.header("etag"));
    CHECK(a.header("location") == b.header("location"));
    return a;
  };
  std::vector<std::string> ids;
  for (int i = 0; i < 12; ++i)
    ids.push_back(
        both("POST", "/Users",
             user("u" + std::to_string(i), R"(,"externalId":"e)" + std::to_string(i) + R"(","displayName":"D)" +
                                               std::to_string(i % 3) + R"(","emails":[{"value":"M)" +
                                               std::to_string(i) + R"(@x.org","type":"work"}])"))
            .id());
  both("POST", "/Users", user("U3"));
  std::string list;
  for (const auto& id : ids) list += (list.empty() ? "{\"value\":\"" : ",{\"value\":\"") + id + "\"}";
  const auto group =
      both("POST", "/Groups",
           R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"G","members":[)" + list +
               "]}")
          .id();
  both("GET", "/Users/" + ids[0]);
  both("GET", "/Groups/" + group);
  both("PATCH", "/Users/" + ids[0], ops(R"({"op":"replace","path":"active","value":false})"));
  both("PATCH", "/Users/" + ids[0], ops(R"({"op":"replace","path":"active","value":false})"));
  both("PATCH", "/Users/" + ids[1], ops(R"({"op":"replace","path":"userName","value":"u2"})"));
  both("PATCH", "/Users/" + ids[1], ops(R"({"op":"replace","path":"userName","value":"renamed"})"));
  both("PUT", "/Users/" + ids[2], user("u2", R"(,"title":"Dr")"));
  both("PUT", "/Users/" + ids[2], user("u2", R"(,"title":"x")"), {{"If-Match", "W/\"1\""}});
  both("DELETE", "/Users/" + ids[3]);
  both("GET", "/Users/" + ids[3]);
  both("POST", "/Users", user("again", R"(,"externalId":"e3")"));
  both("DELETE", "/Users/" + ids[4]);
  for (const auto& path :
       {std::string("/Users"), std::string("/Users?startIndex=3&count=4"), std::string("/Users?startIndex=100"),
        std::string("/Users?filter=userName%20eq%20%22U5%22"),
        std::string("/Users?filter=externalId%20eq%20%22e5%22"),
        std::string("/Users?filter=displayName%20eq%20%22d1%22"),
        std::string("/Users?filter=emails.value%20eq%20%22m6@x.org%22"),
        std::string("/Users?filter=active%20eq%20false"), "/Users?filter=groups.value%20eq%20%22" + group + "%22",
        "/Groups?filter=members.value%20eq%20%22" + ids[5] + "%22", std::string("/?count=5"),
        std::string("/Groups?excludedAttributes=members")})
    both("GET", path);
  both("PATCH", "/Groups/" + group, ops(R"({"op":"remove","path":"members[value eq \")" + ids[5] + R"(\"]"})"));
  both("PATCH", "/Groups/" + group, ops(R"({"op":"remove","path":"members[display eq \"D0\"]"})"));
  both("GET", "/Groups/" + group);
  both("GET", "/Users/" + ids[7]);
  both("PATCH", "/Groups/" + group, ops(R"({"op":"replace","path":"members","value":[]})"));
  both("GET", "/Groups/" + group);
  both("DELETE", "/Groups/" + group);
  both("GET", "/Groups");
  CHECK(memory.activity().size() == sqlite.activity().size());
}

TEST_CASE("many threads at once: every answer comes once, and what was answered is there") {
  const auto crypto = crypto::make_crypto();
  const auto random = crypto::make_system_random();
  const auto http = test::no_http();
  const auto store = store::make_memory_store(*crypto);
  runtime::SystemClock clock;
  runtime::ThreadedExecutor executor("scim-test");
  engine::Options o;
  o.master_key = std::string(32, 'k');
  o.connectors = test::no_app();
  auto engine = engine::Engine::create({executor, clock, *random, *store, *http, *crypto}, std::move(o)).value();

  // Waits for a completion of any type.
  std::mutex mutex;
  std::condition_variable ready;
  const auto wait = [&](auto start) {
    bool done = false;
    start([&] {
      const std::lock_guard lock(mutex);
      done = true;
      ready.notify_all();
    });
    std::unique_lock lock(mutex);
    ready.wait(lock, [&] { return done; });
  };
  wait([&](auto done) { engine->start([done](Result<void>) { done(); }); });
  engine::Principal owner;
  owner.role = port::Role::owner;
  wait([&](auto done) {
    engine->create_workspace(owner, "acme", "Olga", [&, done](Result<engine::CreatedPrincipal> r) {
      if (r) owner = {r->row.workspace, r->row.id, r->row.name, r->row.role};
      done();
    });
  });
  test::ScimClient client;
  wait([&](auto done) {
    engine::CreateIntegration what;
    what.name = "app";
    what.idp = "okta";
    what.connector = "none";
    what.check = false;
    engine->create_integration(owner, std::move(what), [&, done](Result<engine::CreatedIntegration> r) {
      if (r) client = {"/scim/v2/" + r->row.scope.integration.str(), r->scim_token, nullptr};
      done();
    });
  });
  REQUIRE_FALSE(client.token.empty());
  service::ScimService scim(*engine);

  struct Answer {
    int status = 0;
    std::string text;
  };
  const auto ask = [&](const std::string& method, const std::string& path, const std::string& body) {
    service::Request r;
    r.method = method;
    r.target = client.base + path;
    r.headers = {{"Authorization", "Bearer " + client.token}};
    r.body = body;
    Answer answer;
    bool done = false;
    scim.handle(std::move(r), [&](service::Response response) {
      const std::lock_guard lock(mutex);
      answer = {response.status, std::move(response.body)};
      done = true;
      ready.notify_all();
    });
    std::unique_lock lock(mutex);
    ready.wait(lock, [&] { return done; });
    return answer;
  };

  const auto group =
      ask("POST", "/Groups", R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"G"})");
  REQUIRE(group.status == 201);
  const auto group_path = "/Groups/" + group.text.substr(7, 36);
  constexpr int threads = 4;
  constexpr int rounds = 25;
  std::atomic<int> taken = 0;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t)
    workers.emplace_back([&, t] {
      for (int i = 0; i < rounds; ++i) {
        // All threads want the same name; one gets it.
        if (ask("POST", "/Users", user("same" + std::to_string(i))).status == 201) ++taken;
        const auto mine = ask("POST", "/Users", user("t" + std::to_string(t) + "." + std::to_string(i)));
        if (mine.status != 201) ++wrong;
        const auto id = mine.text.substr(7, 36);
        const auto join =
            ask("PATCH", group_path, ops(R"({"op":"add","path":"members","value":[{"value":")" + id + "\"}]}"));
        const auto off = ask("PATCH", "/Users/" + id, ops(R"({"op":"replace","path":"active","value":false})"));
        const auto seen = ask("GET", "/Users/" + id, {});
        if (join.status != 200 || off.status != 200 || seen.text.find("\"active\":false") == std::string::npos)
          ++wrong;
        if (ask("GET", "/Users?filter=active%20eq%20false&count=5", {}).status != 200) ++wrong;
      }
    });
  for (auto& w : workers) w.join();
  CHECK(wrong == 0);
  CHECK(taken == rounds);
  const auto all = ask("GET", group_path, {});
  std::size_t members = 0;
  for (auto at = all.text.find("\"value\""); at != std::string::npos; at = all.text.find("\"value\"", at + 1))
    ++members;
  CHECK(members == threads * rounds);
  wait([&](auto done) { engine->close(std::chrono::seconds(5), [done](Result<void>) { done(); }); });
  executor.stop();
}
