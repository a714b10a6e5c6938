// Large groups: sent piece by piece, changed in pieces.
#include <algorithm>
#include <set>
#include "catch.hpp"
#include "support/scim_world.hpp"

using namespace deprov;
using deprov::test::ScimWorld;

namespace {

/// Users as rows, without a request for each.
std::vector<std::string> fill(ScimWorld& w, std::size_t n) {
  std::vector<std::string> ids;
  port::Transaction txn;
  txn.id = w.random.id<TxnId>(w.clock.wall());
  for (std::size_t i = 0; i < n; ++i) {
    port::ResourceRow row;
    row.scope = w.client.context->row.scope;
    row.id = w.random.id<ResourceId>(w.clock.wall());
    row.type = "User";
    row.user_name_key = "u" + std::to_string(i);
    row.document = R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":")" +
                   row.user_name_key + R"(","active":true})";
    ids.push_back(row.id.str());
    txn.ops.emplace_back(port::op::PutResource{std::move(row), true});
  }
  bool done = false;
  w.store->commit(std::move(txn), [&](Result<port::Committed> r) { done = r.has_value(); });
  REQUIRE(done);
  return ids;
}

void join(ScimWorld& w, const std::string& group, const std::vector<std::string>& ids) {
  port::Transaction txn;
  txn.id = w.random.id<TxnId>(w.clock.wall());
  for (const auto& id : ids)
    txn.ops.emplace_back(port::op::AddMember{w.client.context->row.scope,
                                             {*ResourceId::parse(group), *ResourceId::parse(id), false}});
  bool done = false;
  w.store->commit(std::move(txn), [&](Result<port::Committed> r) { done = r.has_value(); });
  REQUIRE(done);
}

std::set<std::string> member_set(const boost::json::value& members) {
  std::set<std::string> out;
  for (const auto& m : members.as_array()) CHECK(out.emplace(m.at("value").as_string()).second);
  return out;
}

}  // namespace

TEST_CASE("large groups are streamed, and nobody is left out") {
  const auto n = GENERATE(999, 1000, 1001, 2999, 3000, 3001, 5500);
  ScimWorld w;
  const auto ids = fill(w, static_cast<std::size_t>(n));
  const auto group = w.add_group("large");
  join(w, group, ids);
  const auto r = w.get("/Groups/" + group);
  REQUIRE(r.status == 200);
  CHECK(r.streamed == (n > 1000));
  REQUIRE_FALSE(r.broken);
  CHECK(r.str("/displayName") == "large");
  CHECK(r.header("etag") == r.str("/meta/version"));
  CHECK(member_set(r.at("/members")) == std::set<std::string>(ids.begin(), ids.end()));
  const auto brief = w.get("/Groups/" + group + "?excludedAttributes=members");
  CHECK_FALSE(brief.streamed);
  const auto values = w.get("/Groups/" + group + "?attributes=members.value");
  CHECK(values.at("/members").as_array().size() == ids.size());
}

TEST_CASE("a list with large groups in it") {
  ScimWorld w;
  const auto ids = fill(w, 2500);
  const std::vector<std::string> names = {"a", "b", "c", "d"};
  std::vector<std::string> groups;
  for (const auto& name : names) groups.push_back(w.add_group(name));
  join(w, groups[0], {ids.begin(), ids.begin() + 600});
  join(w, groups[1], ids);
  join(w, groups[3], {ids.begin(), ids.begin() + 2001});
  const auto r = w.get("/Groups");
  CHECK(r.streamed);
  REQUIRE_FALSE(r.broken);
  CHECK(r.at("/totalResults") == 4);
  const std::vector<std::size_t> sizes = {600, 2500, 0, 2001};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto at = "/Resources/" + std::to_string(i);
    CHECK(r.str(at + "/displayName") == names[i]);
    CHECK(member_set(r.at(at + "/members")).size() == sizes[i]);
  }
}

TEST_CASE("members that are gone by the time they are sent are left out") {
  ScimWorld w;
  const auto ids = fill(w, 1500);
  const auto group = w.add_group("large");
  join(w, group, ids);
  for (std::size_t i = 1000; i < 1500; ++i) REQUIRE(w.send("DELETE", "/Users/" + ids[i]).status == 204);
  const auto r = w.get("/Groups/" + group);
  REQUIRE_FALSE(r.broken);
  CHECK(r.at("/members").as_array().size() == 1000);
}

TEST_CASE("a stream holds one piece at a time, whatever the size of the group") {
  const auto n = GENERATE(as<std::size_t>(), 5'000, 50'000);
  ScimWorld w;
  const auto group = w.add_group("large");
  join(w, group, fill(w, n));
  std::optional<service::Response> response;
  service::Request request;
  request.method = "GET";
  request.target = w.client.base + "/Groups/" + group;
  request.headers = {{"Authorization", "Bearer " + w.client.token}};
  w.scim->handle(std::move(request), [&](service::Response r) { response = std::move(r); });
  w.executor.run_until_idle();
  REQUIRE(response->stream != nullptr);
  std::size_t largest = 0;
  std::size_t pieces = 0;
  std::size_t members = 0;
  for (bool more = true; more;) {
    std::optional<std::string> piece;
    response->stream->next([&](std::optional<std::string> p) { piece = std::move(p); });
    w.executor.run_until_idle();
    more = piece.has_value();
    if (!more) break;
    ++pieces;
    largest = std::max(largest, piece->size());
    for (auto at = piece->find("\"value\""); at != std::string::npos; at = piece->find("\"value\"", at + 1))
      ++members;
  }
  CHECK(members == n);
  CHECK(pieces >= n / 2000);
  CHECK(largest < 500'000);
}

TEST_CASE("a stream that the client leaves ends") {
  ScimWorld w;
  const auto ids = fill(w, 3000);
  const auto group = w.add_group("large");
  join(w, group, ids);
  std::optional<service::Response> response;
  service::Request request;
  request.method = "GET";
  request.target = w.client.base + "/Groups/" + group;
  request.headers = {{"Authorization", "Bearer " + w.client.token}};
  w.scim->handle(std::move(request), [&](service::Response r) { response = std::move(r); });
  w.executor.run_until_idle();
  REQUIRE(response->stream != nullptr);
  int pieces = 0;
  response->stream->next([&](std::optional<std::string>) { ++pieces; });
  w.executor.run_until_idle();
  response->stream->next([&](std::optional<std::string>) { ++pieces; });
  response->stream.reset();
  w.executor.run_until_idle();
  CHECK(pieces == 1);
}

TEST_CASE("many members in one request are stored at once and worked off in pieces") {
  ScimWorld w;
  const auto ids = fill(w, 1200);
  std::string list;
  for (const auto& id : ids) list += (list.empty() ? "{\"value\":\"" : ",{\"value\":\"") + id + "\"}";
  const auto r =
      w.send("POST", "/Groups",
             R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"large","members":[)" +
                 list + "]}");
  INFO(r.text.substr(0, 500));
  REQUIRE(r.status == 201);
  w.executor.run_for(std::chrono::seconds(5));
  CHECK(member_set(w.get("/Groups/" + r.id()).at("/members")).size() == 1200);

  const auto none = w.send("PATCH", "/Groups/" + r.id(),
                           R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)"
                           R"({"op":"replace","path":"members","value":[]}]})");
  CHECK(none.status == 204);
  w.executor.run_for(std::chrono::seconds(5));
  CHECK(w.get("/Groups/" + r.id()).at("/members").as_array().empty());
}
