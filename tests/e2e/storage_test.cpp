// A disk that is full and a database that somebody else holds: refused or late, never half.
#include <sqlite3.h>
#include <atomic>
#include <filesystem>
#include <map>
#include <thread>
#include "catch.hpp"
#include "support/evidence.hpp"
#include "support/running.hpp"

using namespace deprov::test;
namespace json = boost::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// Another process's hold on the database, as a backup tool that misbehaves has it.
class Lock {
 public:
  explicit Lock(const std::string& file) {
    REQUIRE(sqlite3_open(file.c_str(), &db_) == SQLITE_OK);
    sqlite3_busy_timeout(db_, 60'000);
    REQUIRE(sqlite3_exec(db_, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr) == SQLITE_OK);
  }
  ~Lock() {
    sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
    sqlite3_close(db_);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  sqlite3* db_ = nullptr;
};

std::uint64_t size_of(const std::string& path) {
  std::error_code none;
  const auto size = std::filesystem::file_size(path, none);
  return none ? 0 : size;
}

/// No file of the directory can grow any more.
void fill_disk(const Running& app) {
  std::uint64_t most = 0;
  for (const auto& entry : std::filesystem::directory_iterator(app.data()))
    most = std::max(most, size_of(entry.path().string()));
  app.server().limit_file_size(size_of(app.data() + "/deprov.db-wal"));
  REQUIRE(most > 0);
}

bool refused_for_now(const Reply& r) { return r.status == 503 || r.status == 507; }

}  // namespace

TEST_CASE("a full disk refuses what cannot be stored, and nothing of it happens", "[R13]") {
  Running app(40);
  app.serve();
  std::vector<std::string> ids;
  for (int i = 0; i < 40; ++i) ids.push_back(app.add_user("user" + std::to_string(i)));
  CHECK(app.set_active(ids[0], false).status == 200);
  CHECK(app.removal_reaches(ids[0], "succeeded_verified"));
  const auto before = app.scim("GET", "/Users/" + ids[1]).body;

  fill_disk(app);
  for (std::size_t i = 1; i < 10; ++i) {
    const auto r = app.set_active(ids[i], false);
    INFO(r.body);
    CHECK(refused_for_now(r));
    CHECK(r.json.at("detail").as_string().size() > 0);
  }
  const auto made = app.scim("POST", "/Users", user_of("new"));
  CHECK(refused_for_now(made));
  // Reading goes on, and shows what was.
  CHECK(app.scim("GET", "/Users/" + ids[1]).body == before);
  CHECK(app.scim("GET", "/Users?filter=userName%20eq%20%22new%22").json.at("totalResults").as_int64() == 0);
  CHECK(http(app.port(), "GET", "/healthz").status == 200);
  CHECK(http(app.port(), "GET", "/readyz").status == 503);
  CHECK(app.removal(ids[1]).is_null());

  app.server().limit_file_size(0);
  for (std::size_t i = 1; i < 10; ++i) {
    INFO(i);
    CHECK(eventually([&] { return app.set_active(ids[i], false).status == 200; }));
    CHECK(app.removal_reaches(ids[i], "succeeded_verified"));
  }
  CHECK(app.scim("POST", "/Users", user_of("new")).status == 201);
  CHECK(app.healthy());

  // And it is whole after a kill.
  app.server().kill();
  Evidence evidence(app.data());
  evidence.verify_chains();
  std::map<std::string, int> disabled;
  for (const auto& e : read_effects(app.dir().file("accounts.jsonl.effects")))
    if (e.operation == "disable") ++disabled[e.account];
  CHECK(disabled.size() == 10);
  for (const auto& [account, times] : disabled) CHECK(times == 1);
}

TEST_CASE("a disk that fills up under running jobs delays them and loses none", "[R13][R18]") {
  Running app(100, "okta", {{"latency_ms", {{"min", 10}, {"max", 40}}}});
  app.serve();
  std::vector<std::string> ids;
  for (int i = 0; i < 100; ++i) ids.push_back(app.add_user("user" + std::to_string(i)));
  std::size_t accepted = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (i == 60) fill_disk(app);
    const auto r = app.set_active(ids[i], false);
    INFO(r.body);
    CHECK((r.status == 200) == (i < 60));
    if (r.status == 200) ++accepted;
  }
  CHECK(accepted == 60);
  CHECK(app.server().running());
  app.server().limit_file_size(0);
  for (std::size_t i = 0; i < 60; ++i) CHECK(app.removal_reaches(ids[i], "succeeded_verified"));
  for (std::size_t i = 60; i < 100; ++i) CHECK(app.removal(ids[i]).is_null());
  CHECK(app.server().terminate() == 0);
  Evidence evidence(app.data());
  evidence.verify_chains();
  std::map<std::string, int> disabled;
  for (const auto& e : read_effects(app.dir().file("accounts.jsonl.effects")))
    if (e.operation == "disable") ++disabled[e.account];
  CHECK(disabled.size() == 60);
  for (const auto& [account, times] : disabled) CHECK(times == 1);
}

TEST_CASE("a database that another program has locked makes requests wait, then refuses them") {
  Running app(3);
  app.serve();
  const auto first = app.add_user("user0");
  const auto second = app.add_user("user1");
  {
    Lock lock(app.data() + "/deprov.db");
    const auto r = app.set_active(first, false);
    INFO(r.body);
    CHECK(r.status == 503);
    // What is read needs no lock.
    CHECK(app.scim("GET", "/Users/" + first).json.at("active").as_bool());
    CHECK(app.scim("GET", "/Users").status == 200);
    CHECK(app.removal(first).is_null());
  }
  CHECK(app.set_active(first, false).status == 200);
  CHECK(app.removal_reaches(first, "succeeded_verified"));

  // A short hold is not noticed but for the time it takes.
  std::atomic<int> status{0};
  std::thread waiting;
  {
    Lock lock(app.data() + "/deprov.db");
    waiting = std::thread([&] { status = app.set_active(second, false).status; });
    std::this_thread::sleep_for(milliseconds(500));
    CHECK(status == 0);
  }
  waiting.join();
  CHECK(status == 200);
  CHECK(app.removal_reaches(second, "succeeded_verified"));
  CHECK(app.healthy());
}

TEST_CASE("a lock under running jobs delays them and loses none", "[R18]") {
  Running app(50, "okta", {{"latency_ms", {{"min", 5}, {"max", 20}}}});
  app.serve();
  std::vector<std::string> ids;
  for (int i = 0; i < 50; ++i) ids.push_back(app.add_user("user" + std::to_string(i)));
  for (const auto& id : ids) CHECK(app.set_active(id, false).status == 200);
  {
    Lock lock(app.data() + "/deprov.db");
    std::this_thread::sleep_for(seconds(6));  // longer than the store waits
    CHECK(app.server().running());
  }
  for (const auto& id : ids) CHECK(app.removal_reaches(id, "succeeded_verified"));
  std::map<std::string, int> disabled;
  for (const auto& e : read_effects(app.dir().file("accounts.jsonl.effects")))
    if (e.operation == "disable") ++disabled[e.account];
  CHECK(disabled.size() == 50);
  for (const auto& [account, times] : disabled) CHECK(times == 1);
}
