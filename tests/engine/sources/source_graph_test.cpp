// Microsoft Graph as a source of an engine.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include "catch.hpp"
#include "support/fake_graph.hpp"
#include "support/feed_world.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using deprov::test::FakeGraph;
using deprov::test::FeedWorld;
using State = FakeGraph::State;

namespace {

const std::vector<std::string> people = {"ann", "ben", "cid", "dan", "eve", "fay", "gus", "hal"};

/// ann to dan are assigned by themselves, eve to hal by two groups with the same members.
FakeGraph populated() {
  FakeGraph graph;
  for (const auto& name : people) graph.users["ext-" + name] = State::enabled;
  for (const auto* name : {"ann", "ben", "cid", "dan"}) graph.assigned.insert(std::string("ext-") + name);
  for (const auto* name : {"eve", "fay", "gus", "hal"})
    for (const auto* group : {"g1", "g2"}) graph.groups[group].insert(std::string("ext-") + name);
  return graph;
}

struct Tenant {
  FakeGraph graph;
  FeedWorld world;
  explicit Tenant(boost::json::object more = {})
      : graph(populated()),
        world([this](const test::ApiRequest& r) { return graph(r); }, people, "graph", config(std::move(more))) {
    world.run(1min);
    REQUIRE(world.row().users == people.size());
    CHECK(world.disables() == 0);
  }
  static boost::json::object config(boost::json::object more) {
    more["graph"] = {{"tenant", "contoso.example"}, {"service_principal", "sp1"}};
    more["auth"] = {
        {"type", "client_credentials"}, {"client_id", "c"}, {"client_secret", "s"}, {"client_auth", "post"}};
    return more;
  }
  Result<idp::HookAnswer> call(std::string query, const boost::json::object& body) {
    engine::HookCall c{"POST", std::move(query), {}, boost::json::serialize(body)};
    return world.wait<idp::HookAnswer>(
        [&](auto done) { world.engine->sources().called(world.source, std::move(c), std::move(done)); });
  }
};

}  // namespace

TEST_CASE("who is disabled, deleted or not assigned any more in Entra ID loses access, for that cause",
          "[engine][polls][graph][R2]") {
  Tenant t;
  t.graph.set("ext-ann", State::disabled);
  t.world.run(10min);
  t.graph.set("ext-ben", State::soft_deleted);
  t.world.run(10min);
  t.graph.erase("ext-cid");
  t.world.run(10min);
  CHECK(t.world.cause("ann") == idp::Cause::deactivated);
  CHECK(t.world.cause("ben") == idp::Cause::soft_deleted);
  CHECK(t.world.cause("cid") == idp::Cause::hard_deleted);
  for (const auto* name : {"ann", "ben", "cid"}) CHECK_FALSE(t.world.active(name));
  // Out of one of two groups is not out.
  t.graph.leave("g1", "ext-eve");
  t.world.run(20min);
  CHECK(t.world.active("eve"));
  t.graph.leave("g2", "ext-eve");
  t.world.run(20min);
  CHECK_FALSE(t.world.active("eve"));
  CHECK(t.world.cause("eve") == idp::Cause::unassigned);
  // Of an assignment there is no delta.
  t.graph.assigned.erase("ext-dan");
  t.world.run(30min);
  CHECK_FALSE(t.world.active("dan"));
  CHECK(t.world.cause("dan") == idp::Cause::unassigned);
  // Who comes back from the bin is let in again.
  t.graph.set("ext-ben", State::enabled);
  t.world.run(20min);
  CHECK(t.world.active("ben"));
  CHECK(t.world.row().failing_since.micros == 0);
  CHECK(t.world.disables() == 5);
}

TEST_CASE("a delta that Graph forgot is made up for by a complete list, in which absence counts",
          "[engine][polls][graph][R6]") {
  Tenant t;
  t.graph.erase("ext-cid");
  t.graph.set("ext-dan", State::soft_deleted);
  t.graph.oldest = 100;
  t.world.run(30min);
  CHECK_FALSE(t.world.active("cid"));
  CHECK_FALSE(t.world.active("dan"));
  CHECK(t.world.disables() == 2);
  // Asked for alone, before their absence counts, Graph says why.
  CHECK(t.world.cause("cid") == idp::Cause::hard_deleted);
  CHECK(t.world.cause("dan") == idp::Cause::soft_deleted);
  CHECK(t.world.row().failing_since.micros == 0);
}

TEST_CASE("an access token that expired is fetched anew, once", "[engine][polls][graph][R17]") {
  Tenant t;
  const auto before = t.graph.tokens;
  t.graph.restart_tokens();  // the one that deprov has is none any more
  t.graph.set("ext-ann", State::disabled);
  t.world.run(10min);
  CHECK(t.graph.tokens == before + 1);
  CHECK_FALSE(t.world.active("ann"));
  CHECK(t.world.row().failing_since.micros == 0);
}

TEST_CASE("nobody loses access by an answer of Graph's that is not whole", "[engine][polls][graph][R6][R16]") {
  const auto is = [](const test::ApiRequest& r, std::string_view part) {
    return r.url.find(part) != std::string::npos;
  };
  const std::vector<
      std::pair<const char*, std::function<std::optional<port::HttpResponse>(const test::ApiRequest&)>>>
      faults = {
          {"no assignments",
           [&](const auto& r) {
             return is(r, "appRoleAssignedTo") ? std::optional(port::HttpResponse{200, {}, R"({"value":[]})"})
                                               : std::nullopt;
           }},
          {"a list that is cut off",
           [&](const auto& r) {
             return is(r, "/members?") ? std::optional(port::HttpResponse{200, {}, R"({"value":[{"id":"ext)"})
                                       : std::nullopt;
           }},
          {"members that may not be read",
           [&](const auto& r) {
             return is(r, "/members?") ? std::optional(FakeGraph::error(403, "Authorization_RequestDenied", "no"))
                                       : std::nullopt;
           }},
          {"lookups that find nobody, at an address that is none",
           [&](const auto& r) {
             if (is(r, "getByIds")) return std::optional(port::HttpResponse{200, {}, R"({"value":[]})"});
             return is(r, "/users/ext-")
                        ? std::optional(FakeGraph::error(404, "ResourceNotFound", "no such address"))
                        : std::nullopt;
           }},
          {"a next page elsewhere",
           [&](const auto& r) {
             return is(r, "/members?")
                        ? std::optional(port::HttpResponse{
                              200, {}, R"({"value":[],"@odata.nextLink":"https://evil.example.com/"})"})
                        : std::nullopt;
           }},
          {"a delta without its link",
           [&](const auto& r) {
             return is(r, "=latest") ? std::optional(port::HttpResponse{200, {}, R"({"value":[]})"})
                                     : std::nullopt;
           }},
      };
  for (const auto& [name, what] : faults) {
    INFO(name);
    Tenant t;
    t.graph.fault = what;
    CHECK_FALSE(t.world.poll({.complete = true}));
    CHECK(t.world.disables() == 0);
    CHECK(t.world.row().failing_since.micros != 0);
    for (const auto& url : t.world.idp.log) CHECK(url.find("evil") == std::string::npos);
    t.graph.fault = {};
    CHECK(t.world.poll({.complete = true}));
    CHECK(t.world.row().failing_since.micros == 0);
    CHECK(t.world.disables() == 0);
  }
}

TEST_CASE(
    "whom one list leaves out, and of whom Graph says nothing when asked, is believed gone by the next list alone",
    "[engine][polls][graph][R6]") {
  const auto uncounted = [](const test::ApiRequest& r) -> std::optional<port::HttpResponse> {
    if (r.url.find("/appRoleAssignments?") == std::string::npos) return std::nullopt;
    return port::HttpResponse{200, {}, R"({"totalResults":0,"Resources":[],"value":[]})"};
  };
  Tenant t;
  auto& g = t.graph;
  const auto without = [&](std::set<std::string> ids) {
    for (const auto& id : ids) g.assigned.erase(id);
    g.fault = uncounted;
    return t.world.poll({.complete = true});
  };
  const auto first = without({"ext-ann"});
  REQUIRE_FALSE(first);
  CHECK(first.error().detail().find("ext-ann") != std::string::npos);
  CHECK(first.error().detail().find("does not say") != std::string::npos);
  CHECK(t.world.row().failing_since.micros != 0);
  // The next one leaves out another one, too: of that one it is the first.
  g.assigned.insert("ext-ann");
  REQUIRE_FALSE(without({"ext-ben"}));
  CHECK(t.world.disables() == 0);
  // They were there all the time: what is whole forgets the doubt.
  g.assigned.insert("ext-ben");
  g.fault = {};
  REQUIRE(t.world.poll({.complete = true}));
  CHECK(t.world.row().failing_since.micros == 0);
  // A dry run is none of the two.
  g.assigned.erase("ext-ben");
  g.fault = uncounted;
  REQUIRE_FALSE(t.world.poll({.dry_run = true, .complete = true}));
  REQUIRE_FALSE(without({"ext-ben"}));
  CHECK(t.world.disables() == 0);
  t.world.crash();
  t.world.boot();
  t.world.idp.executor = t.world.executor.get();
  t.world.c = t.world.engine->integration(t.world.c->row.scope.integration);
  t.world.run(1h);
  CHECK_FALSE(t.world.active("ben"));
  CHECK(t.world.cause("ben") == idp::Cause::unassigned);
  CHECK(t.world.disables() == 1);
  CHECK(t.world.row().failing_since.micros == 0);
}

TEST_CASE("a notification of Graph's is a hint: the delta is read at once, and says what happened",
          "[engine][polls][graph][R5]") {
  const std::string state = "client-state-of-the-subscription";
  Tenant t({{"hook", {{"secrets", boost::json::array{state}}}}});
  const auto notice = [&](const std::string& client_state, boost::json::object more) {
    more["clientState"] = client_state;
    more["subscriptionId"] = "sub-1";
    return boost::json::object{{"value", boost::json::array{more}}};
  };
  const boost::json::object updated{{"changeType", "updated"}, {"resource", "Users/ext-ann"}};
  const auto valid = t.call("validationToken=a%20b%3Ac", {});
  REQUIRE(valid);
  CHECK(valid->status == 200);
  CHECK(valid->content_type == "text/plain");
  CHECK(valid->body == "a b:c");
  t.world.run(2h);  // polls are rare by now
  // Nothing happened: nothing follows.
  REQUIRE(t.call("", notice(state, updated))->status == 202);
  t.world.run(1min);
  CHECK(t.world.disables() == 0);
  // One that does not know the state moves nothing.
  t.graph.set("ext-ann", State::disabled);
  const auto asked = t.world.idp.log.size();
  const auto refused = t.call("", notice("made up", updated));
  REQUIRE(refused);
  CHECK(refused->status == 401);
  CHECK(t.world.idp.log.size() == asked);
  // Twice, and late: once.
  REQUIRE(t.call("", notice(state, updated))->status == 202);
  REQUIRE(t.call("", notice(state, updated))->status == 202);
  t.world.run(10s);
  CHECK_FALSE(t.world.active("ann"));
  CHECK(t.world.disables() == 1);
  // Of the life of a subscription somebody is told, and what was missed is in the delta.
  t.graph.set("ext-ben", State::soft_deleted);
  REQUIRE(t.call("", notice(state, {{"lifecycleEvent", "missed"}}))->status == 202);
  for (int i = 0; i < 5; ++i)
    REQUIRE(t.call("", notice(state, {{"lifecycleEvent", "reauthorizationRequired"}}))->status == 202);
  t.world.run(1min);
  CHECK_FALSE(t.world.active("ben"));
  CHECK(t.world.events(t.world.c, "source.subscription") == 2);
}

TEST_CASE("what a delta of Graph's shows of nobody in particular is looked for among everybody, and at once",
          "[engine][polls][graph][R5]") {
  const std::string state = "client-state-of-the-subscription";
  Tenant t({{"hook", {{"secrets", boost::json::array{state}}}}});
  const auto notify = [&] {
    const boost::json::object notice{
        {"changeType", "updated"}, {"resource", "Users/ext-dan"}, {"clientState", state}};
    REQUIRE(t.call("", {{"value", boost::json::array{notice}}})->status == 202);
  };
  const auto lists_read = [&] {
    return std::count_if(t.world.idp.log.begin(), t.world.idp.log.end(),
                         [](const auto& url) { return url.find("getByIds") != std::string::npos; });
  };
  t.world.run(2h);  // polls are rare by now
  // Of an assignment there is no delta.
  t.graph.assigned.erase("ext-dan");
  notify();
  t.world.run(10s);
  CHECK_FALSE(t.world.active("dan"));
  CHECK(t.world.cause("dan") == idp::Cause::unassigned);
  // Whoever left as well is known by the delta, for the cause that it names.
  t.world.run(2h);
  t.graph.assigned.erase("ext-cid");
  t.graph.set("ext-ben", State::soft_deleted);
  notify();
  t.world.run(10s);
  CHECK_FALSE(t.world.active("ben"));
  t.world.run(40s);  // once that is carried out
  CHECK_FALSE(t.world.active("cid"));
  CHECK(t.world.cause("ben") == idp::Cause::soft_deleted);
  // Not with each call, however many there are.
  t.world.run(2h);
  const auto before = lists_read();
  for (int i = 0; i < 60; ++i) {
    const auto someone = "ext-new" + std::to_string(i);
    t.graph.set(someone, State::enabled);
    t.graph.assigned.insert(someone);
    notify();
    t.world.run(5s);
  }
  CHECK(lists_read() - before <= 20);
  CHECK(t.world.disables() == 3);
}
