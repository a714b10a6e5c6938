// The two stores give the same answers to random transactions, one by one and in batches.
#include <deque>
#include <functional>
#include "random_world.hpp"
#include "stores.hpp"

namespace deprov::test::differential_test {
namespace {

void require_same(Store& memory, Store& sqlite) {
  const auto dump = [](Reader& r) -> Result<std::vector<std::string>> { return RandomWorld::dump(r); };
  const auto a = read(memory, dump);
  const auto b = read(sqlite, dump);
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i]) REQUIRE(a[i] == b[i]);
}

std::string text_of(const Result<Committed>& r) {
  return r ? show(*r) : std::string(to_string(r.error().code())) + " " + r.error().message();
}

void compare(std::uint64_t seed, std::size_t batches, std::size_t most) {
  CAPTURE(seed);
  const TempDir dir;
  ManualExecutor executor;
  store::SqliteStoreOptions options;
  options.directory = dir.path();
  options.executor = &executor;
  options.checkpoint_pages = 64;
  auto opened = store::open_sqlite_store(crypto(), options);
  REQUIRE(opened);
  auto sqlite = std::move(*opened);
  const auto memory = store::make_memory_store(crypto());
  RandomWorld world(seed);
  runtime::SeededRandom random(seed + 1000);
  std::map<Errc, std::size_t> refusals;
  std::size_t commits = 0;

  for (std::size_t i = 0; i < batches; ++i) {
    CAPTURE(i);
    const auto size = 1 + random.below(most);
    std::deque<Result<Committed>> answers;  // of SQLite
    std::vector<std::function<void()>> checks;
    for (std::size_t n = 0; n < size; ++n) {
      auto txn = read(*memory, [&](Reader& r) -> Result<Transaction> { return world.transaction(r); });
      auto& answer = answers.emplace_back(Error(Errc::internal, "no answer"));
      const auto done = [&answer](Result<Committed> r) { answer = std::move(r); };
      if (random.below(4) == 0) {
        sqlite->transact([txn](Reader&) -> Result<Transaction> { return txn; }, done);
      } else {
        sqlite->commit(txn, done);
      }
      // Decided on what memory says now: within a batch, later ones are stale at times, as in life.
      const auto expected = commit(*memory, txn);
      if (random.below(3) == 0) executor.run();
      if (expected) {
        ++commits;
      } else {
        ++refusals[expected.error().code()];
      }
      checks.emplace_back([&answer, expected, n] {
        CAPTURE(n);
        REQUIRE(answer.has_value() == expected.has_value());
        if (expected) {
          REQUIRE(text_of(answer) == text_of(expected));
        } else {
          REQUIRE(answer.error().code() == expected.error().code());
        }
      });
    }
    executor.run();
    for (auto& check : checks) check();
    checks.clear();
    if (i % 8 == 0) require_same(*memory, *sqlite);
  }
  require_same(*memory, *sqlite);
  CHECK(commits > batches / 4);
  for (const auto code :
       {Errc::stale_read, Errc::fenced, Errc::uniqueness, Errc::conflict, Errc::held_by_guard, Errc::not_found}) {
    INFO("no transaction was refused with " << to_string(code));
    CHECK(refusals[code] > 0);
  }

  // What was written is there after the next start, and the chains hold.
  sqlite.reset();
  const auto again = open_sqlite(dir.path());
  require_same(*memory, *again);
  for (const auto& s : {scope(1, 1), scope(1, 2), scope(2, 1), scope(1, 0)}) {
    const auto rows = read(*again, [&](Reader& r) { return r.activity(s, 0, 1'000'000); }).rows;
    CHECK(!rows.empty());
    REQUIRE(verify_chain(crypto(), s, {}, rows));
  }
}

}  // namespace

TEST_CASE("both stores answer alike, a transaction at a time", "[store]") { compare(1, 600, 1); }

TEST_CASE("both stores answer alike, in batches", "[store]") {
  for (const std::uint64_t seed : {11U, 12U}) compare(seed, 250, 7);
}

}  // namespace deprov::test::differential_test
