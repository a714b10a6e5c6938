// A list while it is handed in: given up, cut off by a failure or by the engine's end.
#include "engine/sources/listed.hpp"
#include "support/faulty_store.hpp"

using namespace deprov;
using namespace std::chrono_literals;
namespace json = boost::json;
using test::listing::Listed;

TEST_CASE("a list that has ended is not given up any more", "[engine][R16]") {
  Listed w(10);
  REQUIRE(w.sync(w.csv()));
  const auto begin = [&] {
    return w
        .wait<WorkId>([&](auto done) {
          w.engine->sources().begin(w.owner, w.c->row.scope.integration, w.source, {}, std::move(done));
        })
        .value();
  };
  auto list = begin();
  const auto text = w.csv();
  REQUIRE(w.wait<std::uint64_t>(
      [&](auto done) { w.engine->sources().feed(w.owner, list, 0, text, std::move(done)); }));
  std::optional<Result<json::object>> report;
  std::optional<Result<void>> given_up;
  w.engine->sources().end(w.owner, list, std::nullopt,
                          [&](Result<json::object> r) { report.emplace(std::move(r)); });
  w.engine->sources().give_up(w.owner, list, "too slow", [&](Result<void> r) { given_up.emplace(r); });
  w.run(1min);
  REQUIRE(report);
  CHECK(report->has_value());
  REQUIRE(given_up);
  CHECK_FALSE(given_up->has_value());
  CHECK(w.row().failing_since.micros == 0);
  // A reason that is refused gives nothing up: the list is still there for one that is not.
  list = begin();
  const auto give_up = [&](std::string why) {
    return w.wait<void>(
        [&](auto done) { w.engine->sources().give_up(w.owner, list, std::move(why), std::move(done)); });
  };
  CHECK_FALSE(give_up(std::string(1001, 'x')));
  CHECK(give_up("the directory does not answer"));
  CHECK(w.row().failing_since.micros != 0);
}

TEST_CASE("a failure at any commit of a list loses no change and makes none twice", "[engine][R6][R13]") {
  bool ended = false;
  int failed = 0;
  for (int n = 0; !ended; ++n) {
    CAPTURE(n);
    REQUIRE(n < 200);
    const auto faults = std::make_shared<test::StoreFaults>();
    Listed w(8, {{"whole", true}}, test::faulty(faults));
    REQUIRE(w.sync(w.csv()));
    w.run(1s);
    int left = n;
    bool hit = false;
    faults->on_commit = [&](const port::Transaction&) -> std::optional<Error> {
      if (hit || left-- != 0) return std::nullopt;
      hit = true;
      return Error(Errc::io, "the disk is gone");
    };
    const auto stored = w.sync(w.csv({1}, {6}));
    w.run(1s);
    w.crash();
    faults->on_commit = {};
    w.boot();
    w.run(1min);
    if (!stored) {
      ++failed;
      CHECK(w.disables() == 0);
      REQUIRE(w.sync(w.csv({1}, {6})));
    }
    w.run(1h);
    CHECK_FALSE(w.app_active(1));
    CHECK_FALSE(w.app_active(6));
    CHECK(w.disables() == 2);
    CHECK(w.row().work.is_nil());
    ended = !hit;
  }
  CHECK(failed > 2);
}

TEST_CASE("a list that was being handed in when the engine died counts for nothing, and is begun anew",
          "[engine][R6]") {
  Listed w(8, {{"whole", true}});
  REQUIRE(w.sync(w.csv()));
  const auto text = w.csv({1});
  // It would be a whole list without the last two lines, by what its config says.
  const auto cut = text.rfind('\n', text.rfind('\n', text.size() - 2) - 1) + 1;
  const auto list = w.wait<WorkId>([&](auto done) {
    w.engine->sources().begin(w.owner, w.c->row.scope.integration, w.source, {}, std::move(done));
  });
  REQUIRE(list);
  REQUIRE(w.wait<std::uint64_t>(
      [&](auto done) { w.engine->sources().feed(w.owner, *list, 0, text.substr(0, cut), std::move(done)); }));
  w.crash();
  w.boot();
  w.run(1h);
  CHECK(w.disables() == 0);
  CHECK(w.row().failing_since.micros == 0);
  CHECK(w.row().users == 8);
  // It is known no more: neither its rest nor its end is taken.
  CHECK(w.wait<std::uint64_t>(
             [&](auto done) { w.engine->sources().feed(w.owner, *list, cut, text.substr(cut), std::move(done)); })
            .error()
            .code() == Errc::not_found);
  CHECK(w.wait<json::object>(
             [&](auto done) { w.engine->sources().end(w.owner, *list, std::nullopt, std::move(done)); })
            .error()
            .code() == Errc::not_found);
  REQUIRE(w.sync(text));
  w.run(1h);
  CHECK(w.disables() == 1);
  CHECK_FALSE(w.app_active(1));
}
