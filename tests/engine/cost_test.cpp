// What a removal costs the store, exactly: the numbers that bench/README.md gives.
#include <cstdlib>
#include <deprov/store/sqlite_store.hpp>
#include <filesystem>
#include "catch.hpp"
#include "support/fake_app.hpp"

using namespace deprov;
using namespace std::chrono_literals;

namespace {
struct Scratch {
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "deprov-cost-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path = pattern;
  }
  ~Scratch() { std::filesystem::remove_all(path); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string path;
};

test::World::StoreMaker sqlite_in(const std::string& directory) {
  return [directory](const port::Crypto& crypto, port::Executor& executor) {
    store::SqliteStoreOptions o;
    o.directory = directory;
    o.executor = &executor;
    auto made = store::open_sqlite_store(crypto, o);
    if (!made) throw std::runtime_error(made.error().message());
    return std::move(*made);
  };
}
}  // namespace

TEST_CASE("a removal costs so many commits and rows, whatever else is there", "[engine][cost]") {
  const Scratch scratch;
  test::World w(1, sqlite_in(scratch.path));
  const auto c = w.integrate("okta", R"({"guard":{}})");  // the guard counts
  std::vector<ResourceId> users;
  const int population = GENERATE(3, 300);
  for (int i = 0; i < population; ++i) {
    const auto n = std::to_string(i);
    w.app->add("a" + n, "ext-u" + n, "u" + n);
    users.push_back(w.add_user(c, "u" + n));
  }
  w.run(10s);
  const auto cost_of = [&](auto&& what) {
    const auto before = w.store->stats();
    what();
    const auto after = w.store->stats();
    return std::pair(after.commits - before.commits, after.rows - before.rows);
  };

  // The lane stands still: the request alone. Resource, subject, change, job, activity and its detail, the guard's
  // counter and the number of those with access, and the transaction's id.
  const auto request = cost_of([&] { REQUIRE(w.set_active(c, users[0], false)); });
  w.run(5s);
  INFO("request and job: " << request.first << " commits, " << request.second << " rows");
  CHECK(w.job(c, users[0]).state == port::JobState::succeeded_verified);
  // disable and revoke_sessions: requested; sent, outcome; sent, outcome; verified.
  CHECK(request.first == 6);
  CHECK(request.second == 37);
  const auto again = cost_of([&] { REQUIRE(w.set_active(c, users[1], false)); });
  CHECK(again == request);
  const auto nothing = cost_of([&] { REQUIRE(w.set_active(c, users[0], false)); });
  CHECK(nothing.first <= 1);
}
