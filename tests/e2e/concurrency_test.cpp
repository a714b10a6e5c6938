// Many connections to a running server change the same resources at the same time: nothing is lost.
#include <algorithm>
#include <atomic>
#include <boost/json/parse.hpp>
#include <set>
#include <thread>
#include "catch.hpp"
#include "support/raw_client.hpp"
#include "support/running.hpp"

using namespace deprov::test;
namespace json = boost::json;

namespace {

constexpr std::size_t connections = 8;
constexpr std::size_t each = 12;

std::string operation(std::string_view op, const std::string& user) {
  const std::string who = op == "add" ? R"("path":"members","value":[{"value":")" + user + "\"}]"
                                      : R"("path":"members[value eq \")" + user + R"(\"]")";
  return patch_of(R"([{"op":")" + std::string(op) + "\"," + who + "}]");
}

}  // namespace

TEST_CASE("PATCHes of one group over many connections lose nothing") {
  Running app(0);
  app.serve();
  std::vector<std::string> users;
  for (std::size_t i = 0; i < connections * each; ++i) users.push_back(app.add_user("user" + std::to_string(i)));
  const auto made = app.scim("POST", "/Groups",
                             R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"G"})");
  REQUIRE(made.status == 201);
  const std::string group(made.json.at("id").as_string());
  const auto fields = "Authorization: Bearer " + app.integration().token + "\r\n" + std::string(scim_json);
  std::atomic<std::size_t> refused{0};
  std::atomic<std::size_t> waiting{connections};
  std::vector<std::thread> threads;
  for (std::size_t c = 0; c < connections; ++c)
    threads.emplace_back([&, c] {
      RawClient client(app.port());
      const auto send = [&](const std::string& body) {
        client.send(request_with_body("PATCH", app.integration().base + "/Groups/" + group, body, fields));
        const auto status = client.response().status;
        if (status != 200 && status != 204) ++refused;
      };
      --waiting;
      while (waiting != 0) std::this_thread::yield();  // all of them begin together
      for (std::size_t i = 0; i < each; ++i) {
        const auto& user = users[c * each + i];
        send(operation("add", user));
        if (i % 3 == 0) send(operation("remove", user));
        if (i % 5 == 0)
          send(patch_of(R"([{"op":"replace","value":{"displayName":"G)" + std::to_string(c) + "\"}}]"));
      }
    });
  for (auto& t : threads) t.join();
  CHECK(refused == 0);
  std::set<std::string> expected;
  for (std::size_t i = 0; i < users.size(); ++i)
    if (i % each % 3 != 0) expected.insert(users[i]);
  const auto members = [&] {
    const auto read = app.scim("GET", "/Groups/" + group);
    REQUIRE(read.status == 200);
    std::set<std::string> out;
    for (const auto& m : read.json.at("members").as_array()) out.insert(std::string(m.at("value").as_string()));
    return out;
  };
  CHECK(members() == expected);
  // Every change that was acknowledged is on the activity, each once.
  std::size_t added = 0;
  std::size_t removed = 0;
  for (const auto& row : app.activity()) {
    if (row.at("event").as_string() != "group.members_changed") continue;
    added += row.at("detail").at("added").to_number<std::size_t>();
    removed += row.at("detail").at("removed").to_number<std::size_t>();
  }
  CHECK(added == connections * each);
  CHECK(removed == users.size() - expected.size());
  // And it is durable: the next process finds the same.
  app.server().kill();
  app.serve();
  CHECK(members() == expected);
}

TEST_CASE("one connection of many wins where all of them say If-Match") {
  Running app(0);
  app.serve();
  const auto id = app.add_user("ann");
  const auto fields =
      "Authorization: Bearer " + app.integration().token + "\r\nIf-Match: W/\"1\"\r\n" + std::string(scim_json);
  std::atomic<std::size_t> good{0};
  std::atomic<std::size_t> late{0};
  std::vector<std::thread> threads;
  for (std::size_t c = 0; c < connections; ++c)
    threads.emplace_back([&, c] {
      RawClient client(app.port());
      client.send(request_with_body(
          "PATCH", app.integration().base + "/Users/" + id,
          patch_of(R"([{"op":"replace","path":"title","value":")" + std::to_string(c) + "\"}]"), fields));
      const auto status = client.response().status;
      if (status == 200) ++good;
      if (status == 412) ++late;
    });
  for (auto& t : threads) t.join();
  CHECK(good == 1);
  CHECK(late == connections - 1);
}
