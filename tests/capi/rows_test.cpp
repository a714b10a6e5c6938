// Records one after the other: subjects, jobs, activity, holds, notifications.
#include <algorithm>
#include <string>
#include <vector>
#include "c_api.hpp"

using namespace deprov::test;

namespace {

std::vector<std::string> names(deprov_engine* engine, const deprov_caller& by, deprov_rows_options options,
                               const char* member, std::string* restart = nullptr) {
  options.struct_size = sizeof options;
  deprov_rows* rows = nullptr;
  REQUIRE(deprov_rows_open(engine, &by, &options, &rows, nullptr) == DEPROV_OK);
  const RowsPtr owned(rows);
  std::vector<std::string> out;
  deprov_str row{};
  deprov_status status = DEPROV_OK;
  while ((status = deprov_rows_next(rows, &row, nullptr)) == DEPROV_OK) {
    const auto value = json::parse(text(row)).at(member);
    out.push_back(value.is_string() ? std::string(value.as_string()) : json::serialize(value));
  }
  CHECK(status == DEPROV_END);
  if (restart != nullptr) *restart = text(deprov_rows_get_restart(rows));
  return out;
}

}  // namespace

TEST_CASE("rows are pulled one by one, page by page, and taken up again") {
  World world;
  auto* engine = world.engine.get();
  const auto by = world.local();
  std::vector<std::string> ids;
  ids.reserve(7);
  for (int i = 0; i < 7; ++i) ids.push_back(world.add_user("user" + std::to_string(i)));

  deprov_rows_options o{};
  o.kind = DEPROV_ROWS_SUBJECTS;
  o.page = 3;
  o.integration = str(world.integration);
  auto sorted = ids;
  std::sort(sorted.begin(), sorted.end());
  CHECK(names(engine, by, o, "id") == sorted);

  SECTION("a restart goes on after the row that was seen") {
    o.struct_size = sizeof o;
    deprov_rows* rows = nullptr;
    REQUIRE(deprov_rows_open(engine, &by, &o, &rows, nullptr) == DEPROV_OK);
    CHECK(deprov_rows_get_restart(rows).len == 0);
    deprov_str row{};
    for (int i = 0; i < 4; ++i) REQUIRE(deprov_rows_next(rows, &row, nullptr) == DEPROV_OK);
    const auto restart = text(deprov_rows_get_restart(rows));
    deprov_rows_free(rows);
    o.restart = str(restart);
    CHECK(names(engine, by, o, "id") == std::vector<std::string>(sorted.begin() + 4, sorted.end()));
    o.kind = DEPROV_ROWS_JOBS;
    CHECK(deprov_rows_open(engine, &by, &o, &rows, nullptr) == DEPROV_ERR_INVALID_CURSOR);
  }
  SECTION("activity goes on where it had ended") {
    o.kind = DEPROV_ROWS_ACTIVITY;
    std::string restart;
    const auto before = names(engine, by, o, "seq", &restart);
    REQUIRE(before.size() >= 7);
    o.restart = str(restart);
    CHECK(names(engine, by, o, "seq").empty());
    world.add_user("late");
    const auto after = names(engine, by, o, "seq");
    REQUIRE_FALSE(after.empty());
    CHECK(std::stoull(after.front()) == std::stoull(before.back()) + 1);
  }
  SECTION("jobs, of all integrations and filtered") {
    world.deactivate(ids[0]);
    o = {};
    o.kind = DEPROV_ROWS_JOBS;
    o.page = 1;
    const auto filter = "subject=" + ids[0];
    o.filter = str(filter);
    const auto jobs = names(engine, by, o, "id");
    REQUIRE_FALSE(jobs.empty());
    for (const auto& subject : names(engine, by, o, "subject")) CHECK(subject == ids[0]);
    o.filter = str("state=dead");
    CHECK(names(engine, by, o, "id").empty());
  }
  SECTION("holds, the newest first, page by page, and taken up again") {
    const auto at = "/integrations/" + world.integration;
    const auto decide = at + "/holds/";
    manage(engine, &by, "PATCH", at, R"({"policy": {"guard": {"small": {"least": 0, "percent": 0}}}})");
    // None passes, and each has a hold of its own, since the one before was decided. (One that passes would join
    // the hold of the next, or not, by whether its step had been sent by then.)
    std::vector<std::string> held;
    for (const auto& id : ids) {
      world.deactivate(id);
      std::size_t open = 0;
      const auto all = manage(engine, &by, "GET", at + "/holds");
      for (const auto& item : all.at("items").as_array()) {
        if (item.at("state") != "open") continue;
        ++open;
        held.emplace_back(item.at("id").as_string());
        manage(engine, &by, "POST", std::string(decide).append(held.back()).append("/allow"),
               json::serialize(json::object{{"listing", item.at("listing")}, {"reason", "they left"}}));
      }
      REQUIRE(open == 1);
    }
    std::sort(held.rbegin(), held.rend());  // within a millisecond, the order of ids is one of chance
    REQUIRE(held.size() == ids.size());
    o.kind = DEPROV_ROWS_HOLDS;
    for (const auto page : {1U, 2U, 200U}) {
      o.page = page;
      CHECK(names(engine, by, o, "id") == held);
    }
    o.page = 2;
    o.struct_size = sizeof o;
    deprov_rows* rows = nullptr;
    REQUIRE(deprov_rows_open(engine, &by, &o, &rows, nullptr) == DEPROV_OK);
    deprov_str row{};
    for (int i = 0; i < 3; ++i) REQUIRE(deprov_rows_next(rows, &row, nullptr) == DEPROV_OK);
    const auto restart = text(deprov_rows_get_restart(rows));
    deprov_rows_free(rows);
    o.restart = str(restart);
    CHECK(names(engine, by, o, "id") == std::vector<std::string>(held.begin() + 3, held.end()));
    o.kind = DEPROV_ROWS_JOBS;
    CHECK(deprov_rows_open(engine, &by, &o, &rows, nullptr) == DEPROV_ERR_INVALID_CURSOR);
  }
  SECTION("notifications are drained, and what is told of nothing is got past") {
    o.kind = DEPROV_ROWS_NOTIFICATIONS;
    std::string restart;
    CHECK(names(engine, by, o, "type", &restart) == std::vector<std::string>{"lane.resumed"});
    // A page looks at a thousand records.
    for (int i = 0; i < 1100; ++i) world.add_user("more" + std::to_string(i));
    for (const auto* act : {"pause", "resume", "pause"})
      manage(engine, &by, "POST", "/integrations/" + world.integration + "/" + act);
    const std::vector<std::string> told{"lane.paused", "lane.resumed", "lane.paused"};
    o.page = 1;
    o.restart = str(restart);
    CHECK(names(engine, by, o, "type", &restart) == told);
    o.restart = str(restart);
    CHECK(names(engine, by, o, "type").empty());
    // One at a time, with a process in between: each is told once.
    restart.clear();
    std::vector<std::string> one_by_one;
    for (int i = 0; i < 5; ++i) {
      o.restart = str(restart);
      o.struct_size = sizeof o;
      deprov_rows* rows = nullptr;
      REQUIRE(deprov_rows_open(engine, &by, &o, &rows, nullptr) == DEPROV_OK);
      const RowsPtr owned(rows);
      deprov_str row{};
      if (deprov_rows_next(rows, &row, nullptr) == DEPROV_OK)
        one_by_one.emplace_back(json::parse(text(row)).at("type").as_string());
      auto there = text(deprov_rows_get_restart(rows));
      restart.swap(there);
    }
    CHECK(one_by_one == std::vector<std::string>{"lane.resumed", "lane.paused", "lane.resumed", "lane.paused"});
    o = {};
    o.kind = DEPROV_ROWS_NOTIFICATIONS;
    manage(engine, &by, "POST", "/workspace/stop", R"({"reason": "drill"})");
    CHECK(names(engine, by, o, "type") == std::vector<std::string>{"lane.paused"});
    o.filter = str("a=b");
    o.struct_size = sizeof o;
    deprov_rows* rows = nullptr;
    REQUIRE(deprov_rows_open(engine, &by, &o, &rows, nullptr) == DEPROV_OK);
    const RowsPtr owned(rows);
    deprov_str row{};
    CHECK(deprov_rows_next(rows, &row, nullptr) == DEPROV_ERR_INVALID_ARGUMENT);
  }
  SECTION("what makes no sense is refused") {
    o.struct_size = sizeof o;
    deprov_rows* rows = nullptr;
    o.kind = 17;
    CHECK(deprov_rows_open(engine, &by, &o, &rows, nullptr) == DEPROV_ERR_INVALID_ARGUMENT);
    o.kind = DEPROV_ROWS_HOLDS;
    o.integration = {};
    CHECK(deprov_rows_open(engine, &by, &o, &rows, nullptr) == DEPROV_ERR_INVALID_ARGUMENT);
    o.integration = str("Wiki");
    CHECK(deprov_rows_open(engine, &by, &o, &rows, nullptr) == DEPROV_ERR_INVALID_ARGUMENT);
    o.integration = str(world.integration);
    o.filter = str("a b");
    CHECK(deprov_rows_open(engine, &by, &o, &rows, nullptr) == DEPROV_ERR_INVALID_ARGUMENT);
    o.filter = {};
    o.restart = str("a1:nonsense");
    CHECK(deprov_rows_open(engine, &by, &o, &rows, nullptr) == DEPROV_ERR_INVALID_CURSOR);
    CHECK(rows == nullptr);
  }
  SECTION("rows that outlive their engine say closed") {
    o.struct_size = sizeof o;
    deprov_rows* rows = nullptr;
    REQUIRE(deprov_rows_open(engine, &by, &o, &rows, nullptr) == DEPROV_OK);
    const RowsPtr owned(rows);
    world.engine.reset();
    deprov_str row{};
    CHECK(deprov_rows_next(rows, &row, nullptr) == DEPROV_ERR_CLOSED);
  }
}

TEST_CASE("a row is asked for without waiting, once at a time, and is not lost where nobody waits any more") {
  auto o = in_memory();
  o.host_driven = 1;  // no page comes before somebody pumps
  const World world(o);
  auto* engine = world.engine.get();
  const auto ann = world.add_user("ann");
  const auto by = world.local();
  deprov_rows_options options{};
  options.struct_size = sizeof options;
  options.kind = DEPROV_ROWS_SUBJECTS;
  options.integration = str(world.integration);
  deprov_rows* rows = nullptr;
  REQUIRE(deprov_rows_open(engine, &by, &options, &rows, nullptr) == DEPROV_OK);
  RowsPtr owned(rows);
  int mark = 0;
  uint64_t token = 0;
  deprov_event event{};
  size_t taken = 0;
  REQUIRE(deprov_rows_want(rows, &mark, &token, nullptr) == DEPROV_OK);
  CHECK(token != 0);
  uint64_t second = 0;
  CHECK(deprov_rows_want(rows, &mark, &second, nullptr) == DEPROV_ERR_CONFLICT);
  CHECK(deprov_rows_want(rows, &mark, nullptr, nullptr) == DEPROV_ERR_INVALID_ARGUMENT);
  const auto expect = [&](deprov_status status) {
    REQUIRE(deprov_engine_next(engine, &event, 1, 60'000, &taken, nullptr) == DEPROV_OK);
    CHECK(event.kind == DEPROV_EVENT_ROW);
    CHECK(event.status == status);
    CHECK(event.user == &mark);
    CHECK(event.token == token);
    CHECK(event.response == nullptr);
  };

  SECTION("it comes, and so does the end") {
    expect(DEPROV_OK);
    deprov_str row{};
    REQUIRE(deprov_rows_next(rows, &row, nullptr) == DEPROV_OK);
    CHECK(json::parse(text(row)).at("id").as_string() == ann);
    REQUIRE(deprov_rows_want(rows, &mark, &token, nullptr) == DEPROV_OK);
    CHECK(token == 0);  // known already
    CHECK(deprov_rows_next(rows, &row, nullptr) == DEPROV_END);
    CHECK(deprov_engine_next(engine, &event, 1, 0, &taken, nullptr) == DEPROV_ERR_TIMEOUT);
  }
  SECTION("it is cancelled, and read later") {
    REQUIRE(deprov_engine_cancel(engine, token, nullptr) == DEPROV_OK);
    expect(DEPROV_ERR_CANCELLED);
    REQUIRE(deprov_rows_want(rows, &mark, &token, nullptr) == DEPROV_OK);
    expect(DEPROV_OK);
    CHECK(deprov_engine_next(engine, &event, 1, 0, &taken, nullptr) == DEPROV_ERR_TIMEOUT);
    deprov_str row{};
    CHECK(deprov_rows_next(rows, &row, nullptr) == DEPROV_OK);
  }
  SECTION("it is waited for after all") {
    deprov_str row{};
    CHECK(deprov_rows_next(rows, &row, nullptr) == DEPROV_OK);
    expect(DEPROV_OK);
  }
  SECTION("the rows are freed meanwhile") {
    owned.reset();
    expect(DEPROV_OK);
  }
  SECTION("what cannot be read is told by reading") {
    deprov_rows* others = nullptr;
    const deprov_caller nobody{sizeof nobody, {}, str("dpo_nobody")};
    REQUIRE(deprov_rows_open(engine, &nobody, &options, &others, nullptr) == DEPROV_OK);
    const RowsPtr owned_too(others);
    expect(DEPROV_OK);
    REQUIRE(deprov_rows_want(others, &mark, &token, nullptr) == DEPROV_OK);
    expect(DEPROV_OK);
    deprov_str row{};
    CHECK(deprov_rows_next(others, &row, nullptr) == DEPROV_ERR_UNAUTHORIZED);
    CHECK(deprov_rows_next(others, &row, nullptr) == DEPROV_ERR_UNAUTHORIZED);
  }
  SECTION("the engine is closed first") {
    deprov_rows* late = nullptr;
    REQUIRE(deprov_rows_open(engine, &by, &options, &late, nullptr) == DEPROV_OK);
    const RowsPtr owned_too(late);
    CHECK(deprov_engine_close(engine, 60'000, nullptr, nullptr) == DEPROV_OK);
    expect(DEPROV_OK);
    deprov_str row{};
    CHECK(deprov_rows_next(rows, &row, nullptr) == DEPROV_OK);  // it came before the end
    CHECK(deprov_rows_want(late, &mark, &token, nullptr) == DEPROV_ERR_CLOSED);
    CHECK(deprov_rows_next(late, &row, nullptr) == DEPROV_ERR_CLOSED);
  }
}
