// Lists of a source: what they change, what they never change, and what is left where something goes wrong.
#include "engine/sources/listed.hpp"
#include "support/faulty_store.hpp"

using namespace deprov;
using namespace std::chrono_literals;
namespace json = boost::json;
using port::JobState;
using test::listing::Listed;
using test::listing::number;

TEST_CASE("the first list of a source changes nothing, and says what differs", "[engine][R6][R22]") {
  Listed w(10);
  const auto report = w.sync(w.csv({3}, {4}) + "ext-stranger,true\n");
  REQUIRE(report);
  CHECK(report->at("first").as_bool());
  CHECK(number(*report, "listed") == 10);
  CHECK(number(*report, "unknown_here") == 1);
  CHECK(number(*report, "ends") == 0);
  REQUIRE(report->at("differences").as_array().size() == 2);
  std::set<std::string> kinds;
  for (const auto& d : report->at("differences").as_array())
    kinds.insert(std::string(d.at("kind").as_string()) + " " + std::string(d.at("user_name").as_string()));
  CHECK(kinds == std::set<std::string>{"listed_inactive u4", "not_listed u3"});
  // Nor does the second one end the access of who never was in a list.
  CHECK(w.sync(w.csv({3}, {4})));
  w.run(1h);
  CHECK(w.disables() == 0);
  CHECK(w.events(w.c, "source.sync_completed") == 2);
}

TEST_CASE("who leaves the list leaves the app once, and who comes back is enabled again",
          "[engine][R2][R4][R5][R6]") {
  Listed w(20);
  REQUIRE(w.sync(w.csv()));
  const auto dry = w.sync(w.csv({7}, {8}), true);
  REQUIRE(dry);
  CHECK(number(*dry, "ends") == 2);
  w.run(1h);
  CHECK(w.disables() == 0);

  const auto report = w.sync(w.csv({7}, {8}));
  REQUIRE(report);
  CHECK(number(*report, "ends") == 2);
  w.run(1min);
  CHECK_FALSE(w.app_active(7));
  CHECK_FALSE(w.app_active(8));
  CHECK(w.disables() == 2);
  CHECK(w.subject(w.c, w.users[7]).cause == idp::Cause::unassigned);
  CHECK(w.subject(w.c, w.users[8]).cause == idp::Cause::deactivated);
  CHECK(w.job(w.c, w.users[7]).state == JobState::succeeded_verified);
  CHECK(w.row().work.is_nil());
  CHECK(w.events(w.c, "source.applied") == 1);

  // Twice is once; what SCIM push says of the same leave is evidence.
  REQUIRE(w.sync(w.csv({7}, {8})));
  REQUIRE(w.set_active(w.c, w.users[7], false));
  w.run(1h);
  CHECK(w.disables() == 2);
  REQUIRE(w.set_active(w.c, w.users[7], true));  // a later word than that of the list
  w.run(1min);
  CHECK(w.app_active(7));

  REQUIRE(w.sync(w.csv()));
  w.run(1min);
  CHECK(w.app_active(8));
  CHECK(w.subject(w.c, w.users[8]).access);
  w.read([&](port::Reader& r) { CHECK(r.subjects_with_grants(w.c->row.scope, {}, 10).value().rows.empty()); });
}

TEST_CASE("what SCIM push showed after a list was exported counts", "[engine][R16]") {
  Listed w(10);
  REQUIRE(w.sync(w.csv()));
  REQUIRE(w.set_active(w.c, w.users[5], false));
  w.run(1h);
  const auto exported = w.clock.wall();
  w.run(1h);
  REQUIRE(w.set_active(w.c, w.users[5], true));
  w.run(1h);
  REQUIRE(w.app_active(5));
  REQUIRE(w.sync(w.csv({5}), false, {}, exported));
  w.run(1h);
  CHECK(w.app_active(5));
  CHECK(w.disables() == 1);
  const auto older = w.sync(w.csv(), false, {}, exported - 1h);
  REQUIRE_FALSE(older);
  CHECK(older.error().code() == Errc::conflict);
}

TEST_CASE("a list that is read after SCIM push brought back whom the one before had not ends it again",
          "[engine][R5][R6][R16]") {
  const auto dies = GENERATE(false, true);
  Listed w(10);
  REQUIRE(w.sync(w.csv()));
  w.run(1h);
  REQUIRE(w.sync(w.csv({5})));
  w.run(1h);
  REQUIRE_FALSE(w.app_active(5));
  const auto exported = w.clock.wall();
  w.run(1h);
  REQUIRE(w.set_active(w.c, w.users[5], false));
  REQUIRE(w.set_active(w.c, w.users[5], true));
  w.run(1h);
  CHECK(w.app_active(5));
  // Read before the push: the push counts, and the list is owed another look.
  REQUIRE(w.sync(w.csv({5}), false, {}, exported));
  w.run(1h);
  CHECK(w.app_active(5));
  if (dies) {
    w.crash();
    w.boot();
  }
  const auto dry = w.sync(w.csv({5}), true);
  REQUIRE(dry);
  CHECK(dry->at("ends").to_number<int>() == 1);
  // Cut off, it ends nobody.
  CHECK_FALSE(w.sync("id,active\n"));
  w.run(1h);
  CHECK(w.app_active(5));
  REQUIRE(w.sync(w.csv({5})));
  w.run(1h);
  CHECK_FALSE(w.app_active(5));
  CHECK(w.subject(w.c, w.users[5]).cause == idp::Cause::unassigned);
  // Once it has said so, the next list says nothing new.
  const auto disables = w.disables();
  REQUIRE(w.sync(w.csv({5})));
  w.run(1h);
  CHECK(w.disables() == disables);
  REQUIRE(w.sync(w.csv()));
  w.run(1h);
  CHECK(w.app_active(5));
}

TEST_CASE("what one source is owed makes no list of another one new, and goes with that source",
          "[engine][R5][R13][R16]") {
  Listed w(10);
  const auto first = w.source;
  const auto second = w.add("payroll", {{"whole", true}, {"active", "active"}}).value().id;
  const auto hand_in = [&](SourceId source, const std::string& text) {
    w.source = source;
    auto report = w.sync(text);
    w.run(1h);
    return report;
  };
  const auto owed = [&] {
    std::size_t n = 0;
    w.read([&](port::Reader& r) {
      n = r.subjects_to_reread(w.c->row.scope, first, {}, 10).value().rows.size();
      CHECK(r.subjects_with_grants(w.c->row.scope, {}, 10).value().rows.empty());
      CHECK(r.grants(w.c->row.scope, w.users[5]).value().size() == n);
    });
    return n;
  };
  REQUIRE(hand_in(first, w.csv()));
  REQUIRE(hand_in(second, w.csv()));
  REQUIRE(hand_in(first, w.csv({5})));
  REQUIRE_FALSE(w.app_active(5));
  REQUIRE(w.set_active(w.c, w.users[5], false));
  REQUIRE(w.set_active(w.c, w.users[5], true));
  w.run(1h);
  REQUIRE(w.app_active(5));
  REQUIRE(owed() == 1);
  const auto before = w.subject(w.c, w.users[5]).grants_version;
  const auto applied = w.events(w.c, "source.applied");
  for (int i = 0; i < 2; ++i) {
    const auto report = hand_in(second, w.csv());
    REQUIRE(report);
    CHECK(report->at("work").is_null());
  }
  CHECK(w.events(w.c, "source.applied") == applied);
  CHECK(w.subject(w.c, w.users[5]).grants_version == before);
  CHECK(owed() == 1);
  SECTION("its own list pays it, and the next one says nothing") {
    const auto paid = hand_in(first, w.csv());
    REQUIRE(paid);
    CHECK(paid->at("ends").to_number<int>() == 0);
    CHECK(owed() == 0);
    const auto report = hand_in(first, w.csv());
    REQUIRE(report);
    CHECK(report->at("work").is_null());
    CHECK(w.subject(w.c, w.users[5]).grants_version == before);
  }
  SECTION("nobody can be asked when it is removed") {
    REQUIRE(w.wait<void>([&](auto done) {
      w.engine->sources().remove(w.owner, w.c->row.scope.integration, first, std::move(done));
    }));
    CHECK(owed() == 0);
    REQUIRE(hand_in(second, w.csv()));
  }
  CHECK(w.app_active(5));
  CHECK(w.disables() == 1);
}

TEST_CASE("no list that is cut off, empty, repeated or miscounted ends anybody's access", "[engine][R6]") {
  Listed w(10, {{"end_marker", "#end"}});
  REQUIRE(w.sync(w.csv() + "#end\n"));
  const auto whole = w.csv({2}) + "#end\n";
  for (std::size_t cut = 0; cut < whole.size(); cut += 7) {
    CAPTURE(cut);
    CHECK_FALSE(w.sync(whole.substr(0, cut)));
  }
  CHECK_FALSE(w.sync("id,active\n#end\n"));
  CHECK_FALSE(w.sync(w.csv({2}) + "ext-u1,true\n#end\n"));
  CHECK_FALSE(w.sync(whole, false, 10));
  w.run(24h);
  CHECK(w.disables() == 0);
  CHECK(w.row().failing_since.micros != 0);
  CHECK(w.row().generation == 1);
  CHECK(w.events(w.c, "source.unhealthy") == 1);
  REQUIRE(w.sync(whole, false, 9));
  w.run(1min);
  CHECK(w.disables() == 1);
  CHECK_FALSE(w.app_active(2));
  CHECK(w.row().failing_since.micros == 0);
  CHECK(w.events(w.c, "source.recovered") == 1);
}

TEST_CASE("who was suspended and then leaves is disabled", "[engine][R2]") {
  Listed w(10, {{"whole", true}, {"inactive_cause", "suspended"}});
  REQUIRE(w.sync(w.csv()));
  REQUIRE(w.sync(w.csv({}, {3, 4, 5})));
  w.run(1h);
  CHECK(w.disables() == 0);
  CHECK(w.subject(w.c, w.users[3]).cause == idp::Cause::suspended);
  REQUIRE(w.sync(w.csv({3}, {4, 5})));            // gone from the list
  REQUIRE(w.set_active(w.c, w.users[4], false));  // SCIM push says so
  w.run(1h);
  CHECK_FALSE(w.app_active(3));
  CHECK_FALSE(w.app_active(4));
  CHECK(w.app_active(5));
  CHECK(w.disables() == 2);
  CHECK(w.subject(w.c, w.users[3]).cause == idp::Cause::unassigned);
  CHECK(w.subject(w.c, w.users[4]).cause == idp::Cause::deactivated);
}

TEST_CASE("a list that has shrunk is judged whole, and waits for a person", "[engine][R7][R8]") {
  Listed w(30, {{"whole", true}}, {}, R"({"guard":{"enabled":true}})");
  REQUIRE(w.sync(w.csv()));
  std::set<std::size_t> half;
  for (std::size_t i = 0; i < 16; ++i) half.insert(i);
  REQUIRE(w.sync(w.csv(half)));
  w.run(24h);
  CHECK(w.disables() == 0);
  std::optional<port::HoldRow> hold;
  w.read([&](port::Reader& r) { hold = r.open_hold(w.c->row.scope).value(); });
  REQUIRE(hold);
  CHECK(hold->held == 16);
  // The list was wrong: who is in it again leaves the hold.
  REQUIRE(w.sync(w.csv()));
  w.run(1h);
  CHECK(w.disables() == 0);
  w.read([&](port::Reader& r) { CHECK_FALSE(r.open_hold(w.c->row.scope).value()); });
}

TEST_CASE("what was inferred from a source waits while it fails", "[engine][R16]") {
  Listed w(10);
  REQUIRE(w.sync(w.csv()));
  for (int i = 0; i < 3; ++i) w.app->answer(connector::Operation::disable, connector::Outcome::unavailable);
  REQUIRE(w.sync(w.csv({5})));
  w.run(1s);
  CHECK(w.app_active(5));
  REQUIRE_FALSE(w.sync("id,active\n"));
  w.app->script.clear();
  w.run(2h);
  CHECK(w.app_active(5));
  CHECK(w.job(w.c, w.users[5]).state == JobState::retrying);
  CHECK(w.job(w.c, w.users[5]).reason.find("frozen: source \"directory\"") != std::string::npos);
  SECTION("until a list is complete again") {
    REQUIRE(w.sync(w.csv({5})));
    w.run(10min);
    CHECK_FALSE(w.app_active(5));
  }
  SECTION("and does not go with its source") {
    const auto removed = w.wait<void>([&](auto done) {
      w.engine->sources().remove(w.owner, w.c->row.scope.integration, w.source, std::move(done));
    });
    REQUIRE_FALSE(removed);
    CHECK(removed.error().code() == Errc::conflict);
    w.run(1h);
    CHECK(w.app_active(5));
  }
  SECTION("unless the IdP says itself that access has ended") {
    REQUIRE(w.set_active(w.c, w.users[5], false));
    w.run(10min);
    CHECK_FALSE(w.app_active(5));
  }
}

TEST_CASE("a removal by an older list waits until the newer one is carried out", "[engine][R5][R16]") {
  const auto faults = std::make_shared<test::StoreFaults>();
  Listed w(10, {{"whole", true}}, test::faulty(faults));
  REQUIRE(w.sync(w.csv()));
  for (int i = 0; i < 3; ++i) w.app->answer(connector::Operation::disable, connector::Outcome::unavailable);
  REQUIRE(w.sync(w.csv({5})));
  w.run(1s);
  REQUIRE_FALSE(w.sync("id,active\n"));
  w.app->script.clear();
  w.run(10min);
  REQUIRE(w.app_active(5));
  // The newer list is stored, and what it says of the subject not yet.
  faults->on_commit = [](const port::Transaction& txn) -> std::optional<Error> {
    for (const auto& op : txn.ops)
      if (std::holds_alternative<port::op::RemoveGrants>(op)) return Error(Errc::io, "the disk is slow");
    return std::nullopt;
  };
  REQUIRE(w.sync(w.csv()));
  CHECK(w.row().failing_since.micros == 0);
  w.run(30min);
  CHECK(w.app_active(5));
  faults->on_commit = {};
  w.run(30min);
  CHECK(w.app_active(5));
  CHECK(w.subject(w.c, w.users[5]).access);
  CHECK(w.row().work.is_nil());
}

TEST_CASE("several subjects that one entry names are listed, and none is acted on", "[engine][R12]") {
  Listed w(6);
  REQUIRE(w.sync(w.csv()));
  json::object links{{w.users[1].str(), "ext-u2"}, {w.users[2].str(), "ext-u2"}, {w.users[3].str(), "number-3"}};
  w.source = w.add("linked", {{"whole", true}, {"active", "active"}, {"links", links}}).value().id;
  const auto first = w.sync(w.csv() + "number-3,true\n");
  REQUIRE(first);
  CHECK(number(first->at("counts").as_object(), "ambiguous") == 2);
  REQUIRE(w.sync(w.csv({2})));  // whom the entry meant is not known, but number-3 is one person's
  w.run(1h);
  CHECK(w.disables() == 1);
  CHECK_FALSE(w.app_active(3));
}

TEST_CASE("an end that a list showed of several subjects is acted on when a person has said whose it is",
          "[engine][R5][R6][R12]") {
  Listed w(8);
  // Two links to one id, and somebody whom a person links to what is another one's externalId.
  json::object links{{w.users[1].str(), "ext-u2"}, {w.users[2].str(), "ext-u2"}, {w.users[4].str(), "ext-u5"}};
  const bool inactive = GENERATE(false, true);
  INFO((inactive ? "listed as inactive" : "not listed"));
  w.source = w.add("linked", {{"whole", true}, {"active", "active"}, {"links", links}}).value().id;
  const auto without_2 = [&] { return inactive ? w.csv({2}) + "ext-u2,false\n" : w.csv({2}); };
  REQUIRE(w.sync(w.csv()));
  const auto gone = w.sync(without_2());
  REQUIRE(gone);
  CHECK(number(gone->at("counts").as_object(), "ambiguous") == 2);
  CHECK(number(*gone, "ends") == 0);
  CHECK(number(gone->at("counts").as_object(), "no_link") == 1);  // users[5]: its id is another one's
  w.run(1h);
  // The same again says nothing new, and still nobody is guessed.
  const auto still = w.sync(without_2());
  REQUIRE(still);
  CHECK(number(still->at("counts").as_object(), "ambiguous") == 2);
  w.run(1h);
  CHECK(w.disables() == 0);
  REQUIRE(w.wait<port::SourceRow>([&](auto done) {
    w.engine->sources().set(w.owner, w.c->row.scope.integration, w.source,
                            {{{"links", {{w.users[1].str(), "another"}}}}}, std::move(done));
  }));
  const auto settled = w.sync(without_2());
  REQUIRE(settled);
  CHECK(number(*settled, "ends") == 1);
  w.run(1h);
  CHECK(w.disables() == 1);
  CHECK_FALSE(w.app_active(2));
  CHECK(w.app_active(1));
  // Once, and whoever comes back is let in by the list as by any other.
  REQUIRE(w.sync(w.csv()));
  w.run(1h);
  CHECK(w.disables() == 1);
  CHECK(w.app_active(2));
  // users[4] is meant by ext-u5, and users[5] is not.
  REQUIRE(w.sync(w.csv({5})));
  w.run(1h);
  CHECK(w.disables() == 2);
  CHECK_FALSE(w.app_active(4));
  CHECK(w.app_active(5));
}

TEST_CASE("what is told of a list that is not UTF-8 is", "[engine][R20]") {
  Listed w(2);
  REQUIRE_FALSE(w.sync("id,active\next-u1,gek\xFCndigt\n"));
  CHECK(w.row().failure.find("gek?ndigt") != std::string::npos);
  CHECK(w.row().failure.find('\xFC') == std::string::npos);
}

TEST_CASE("rows from the host are a list like any other, and a source that is removed ends nothing",
          "[engine][R6][R16][R21]") {
  Listed w(5);
  w.source = w.add("host", json::object{}, "rows").value().id;
  const auto rows = [&](std::size_t upto, std::optional<std::uint64_t> count) -> Result<json::object> {
    auto list = w.wait<WorkId>([&](auto done) {
      w.engine->sources().begin(w.owner, w.c->row.scope.integration, w.source, {}, std::move(done));
    });
    REQUIRE(list);
    for (std::size_t i = 0; i < upto; ++i) {
      auto added = w.wait<std::uint64_t>([&](auto done) {
        w.engine->sources().add_users(w.owner, *list, i, {{"ext-u" + std::to_string(i)}}, std::move(done));
      });
      CHECK(added);
    }
    auto other = w.owner;
    other.workspace = w.random.id<WorkspaceId>(w.clock.wall());
    CHECK(w.wait<json::object>([&](auto done) { w.engine->sources().end(other, *list, count, std::move(done)); })
              .error()
              .code() == Errc::not_found);
    return w.wait<json::object>(
        [&](auto done) { w.engine->sources().end(w.owner, *list, count, std::move(done)); });
  };
  CHECK_FALSE(rows(5, std::nullopt));
  REQUIRE(rows(5, 5));
  REQUIRE(rows(4, 4));
  w.run(1min);
  CHECK_FALSE(w.app_active(4));
  const auto removed = w.wait<void>([&](auto done) {
    w.engine->sources().remove(w.owner, w.c->row.scope.integration, w.source, std::move(done));
  });
  REQUIRE(removed);
  w.run(1h);
  CHECK(w.disables() == 1);
  CHECK_FALSE(w.app_active(4));
  auto admin = w.owner;
  admin.role = port::Role::member;
  CHECK(w.wait<std::vector<port::SourceRow>>(
             [&](auto done) { w.engine->sources().list(admin, w.c->row.scope.integration, std::move(done)); })
            .error()
            .code() == Errc::forbidden);
}
