// Memory stays bounded, whatever waits and however fast it comes.
#include <sqlite3.h>
#include <algorithm>
#include <atomic>
#include <boost/json/parse.hpp>
#include <memory>
#include <mutex>
#include <thread>
#include "catch.hpp"
#include "support/raw_client.hpp"
#include "support/running.hpp"
#include "support/sanitized.hpp"

using namespace deprov::test;
namespace json = boost::json;
using std::chrono::seconds;

namespace {

constexpr std::size_t overhead = sanitized ? 12 : 1;  // of the sanitizer, which keeps what was freed

/// Calls `each(client, i)` for every i below `count`, over some connections side by side.
template <class F>
void for_each(std::uint16_t port, std::size_t count, F each) {
  constexpr std::size_t connections = 64;  // share their commits, where a commit takes long
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < connections; ++t) {
    threads.emplace_back([&, t] {
      RawClient client(port);
      for (std::size_t i = t; i < count; i += connections) each(client, i);
    });
  }
  for (auto& t : threads) t.join();
}

std::string fields_of(const Running& app) {
  return "Authorization: Bearer " + app.integration().token + "\r\n" + std::string(scim_json);
}

std::vector<std::string> provision(const Running& app, std::size_t count) {
  std::vector<std::string> ids(count);
  const auto fields = fields_of(app);
  for_each(app.port(), count, [&](RawClient& client, std::size_t i) {
    client.send(
        request_with_body("POST", app.integration().base + "/Users", user_of("user" + std::to_string(i)), fields));
    const auto r = client.response();
    boost::system::error_code ec;
    const auto made = json::parse(r.body, ec);
    if (r.status == 201 && !ec) ids[i] = std::string(made.at("id").as_string());
  });
  REQUIRE(std::none_of(ids.begin(), ids.end(), [](const std::string& id) { return id.empty(); }));
  return ids;
}

std::size_t jobs_in(const Running& app, const char* state) {
  const auto shown = app.api("GET", "/integrations/" + app.integration().id);
  REQUIRE(shown.status == 200);
  const auto* count = shown.json.at("status").at("jobs").as_object().if_contains(state);
  return count != nullptr ? count->to_number<std::size_t>() : 0;
}

/// The most memory that a server had while this lived.
class HighWater {
 public:
  explicit HighWater(const Serve& server)
      : thread_([this, &server] {
          while (!over_) {
            most_ = std::max(most_.load(), server.rss_kib());
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
          }
        }) {}
  ~HighWater() {
    over_ = true;
    thread_.join();
  }
  HighWater(const HighWater&) = delete;
  HighWater& operator=(const HighWater&) = delete;
  [[nodiscard]] std::size_t kib() const { return most_; }

 private:
  std::atomic<std::size_t> most_{0};
  std::atomic<bool> over_{false};
  std::thread thread_;
};

}  // namespace

TEST_CASE("10,000 queued jobs take no memory to speak of, waiting or being worked off") {
  constexpr std::size_t users = 10'000;
  Running app(1);
  app.serve();
  REQUIRE(app.api("POST", "/integrations/" + app.integration().id + "/pause").status == 200);
  const auto ids = provision(app, users);
  const auto before = app.server().rss_kib();
  REQUIRE(before > 0);

  const auto fields = fields_of(app);
  const auto off = patch_of(R"([{"op":"replace","value":{"active":false}}])");
  std::atomic<std::size_t> accepted{0};
  for_each(app.port(), users, [&](RawClient& client, std::size_t i) {
    client.send(request_with_body("PATCH", app.integration().base + "/Users/" + ids[i], off, fields));
    if (client.response().status == 200) ++accepted;
  });
  CHECK(accepted == users);
  CHECK(jobs_in(app, "ready") >= users);
  const auto queued = app.server().rss_kib();
  CAPTURE(before, queued);
  CHECK(queued < before + overhead * 32 * 1024);
  CHECK(queued < overhead * 128 * 1024);

  HighWater most(app.server());
  REQUIRE(app.api("POST", "/integrations/" + app.integration().id + "/resume").status == 200);
  // Nobody but user0 has an account: the shortest jobs there are, so that it takes seconds.
  CHECK(eventually([&] { return jobs_in(app, "ready") + jobs_in(app, "running") + jobs_in(app, "retrying") == 0; },
                   std::chrono::minutes(10)));
  CHECK(jobs_in(app, "succeeded_no_account") >= users);
  CAPTURE(most.kib());
  CHECK(most.kib() < before + overhead * 48 * 1024);
  WARN("resident KiB: provisioned " << before << ", 10,000 queued " << queued << ", at most while working "
                                    << most.kib());
}

TEST_CASE("a client that is faster than the disk is held back, and what it was told is true") {
  constexpr std::size_t connections = 400;
  constexpr std::size_t requests = 40;
  constexpr std::size_t padding = 8192;
  Running app(1);
  app.serve();
  REQUIRE(app.api("POST", "/integrations/" + app.integration().id + "/pause").status == 200);
  const auto ids = provision(app, connections);
  const auto before = app.server().rss_kib();
  const auto fields = fields_of(app);

  // The disk takes nothing for a while: 400 connections send everything at once and read nothing.
  sqlite3* lock = nullptr;
  REQUIRE(sqlite3_open((app.data() + "/deprov.db").c_str(), &lock) == SQLITE_OK);
  sqlite3_busy_timeout(lock, 60'000);
  REQUIRE(sqlite3_exec(lock, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  HighWater most(app.server());
  std::vector<std::unique_ptr<RawClient>> clients;
  std::size_t sent = 0;
  for (std::size_t c = 0; c < connections; ++c) {
    clients.push_back(std::make_unique<RawClient>(app.port()));
    REQUIRE(clients.back()->connected());
    std::string all;
    for (std::size_t r = 0; r < requests; ++r)
      all += request_with_body(
          "PATCH", app.integration().base + "/Users/" + ids[c],
          patch_of(R"([{"op":"replace","path":"displayName","value":")" + std::to_string(r) +
                   R"("},{"op":"replace","path":"title","value":")" + std::string(padding, 'x') + "\"}]"),
          fields);
    REQUIRE(clients.back()->send(all));
    sent += all.size();
  }
  std::this_thread::sleep_for(seconds(2));
  const auto held = most.kib();
  sqlite3_exec(lock, "ROLLBACK", nullptr, nullptr, nullptr);
  sqlite3_close(lock);

  std::size_t accepted = 0, refused = 0, strange = 0;
  std::vector<std::string> last(connections);
  for (std::size_t c = 0; c < connections; ++c) {
    for (std::size_t r = 0; r < requests; ++r) {
      const auto answer = clients[c]->response();
      if (answer.status == 200) {
        ++accepted;
        last[c] = std::to_string(r);
      } else if (answer.status == 503) {
        ++refused;
        CHECK_FALSE(answer.header("Retry-After").empty());
      } else {
        ++strange;
      }
    }
  }
  CHECK(strange == 0);
  CHECK(accepted + refused == connections * requests);
  CHECK(accepted > 0);
  std::size_t wrong = 0;
  for (std::size_t c = 0; c < connections; ++c) {
    const auto shown = app.scim("GET", "/Users/" + ids[c]);
    const auto* name = shown.json.as_object().if_contains("displayName");
    if (name == nullptr ? !last[c].empty() : name->as_string() != last[c]) ++wrong;
  }
  CHECK(wrong == 0);
  CAPTURE(before, held, most.kib());
  // Less than what was sent: the rest waits in the sockets.
  CHECK(sent / 1024 > 120 * 1024);
  CHECK(most.kib() < before + overhead * 96 * 1024);
  WARN("resident KiB: before " << before << ", held back " << held << ", at most " << most.kib() << "; accepted "
                               << accepted << ", refused " << refused);
  CHECK(app.healthy());
}
