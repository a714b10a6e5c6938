// What has cost others a deprovisioning, each by name: the request that did it, and what becomes of it here.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include "catch.hpp"
#include "support/scim_world.hpp"

using namespace deprov;
namespace json = boost::json;
using deprov::test::ScimWorld;

namespace {

std::string ops(const std::string& operations) {
  return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)" + operations + "]}";
}
std::string user(const std::string& rest) {
  return R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],)" + rest + "}";
}
std::string listed(const std::vector<std::string>& ids) {
  std::string out;
  for (const auto& id : ids) out += (out.empty() ? "{\"value\":\"" : ",{\"value\":\"") + id + "\"}";
  return "[" + out + "]";
}
std::string op(const std::string& word, const std::vector<std::string>& ids) {
  return R"({"op":")" + word + R"(","path":"members","value":)" + listed(ids) + "}";
}
std::vector<std::string> add_users(ScimWorld& w, int n) {
  std::vector<std::string> out;
  for (int i = 0; i < n; ++i) out.push_back(w.add_user("user" + std::to_string(i)));
  return out;
}
std::vector<std::string> sorted(std::vector<std::string> v) {
  std::sort(v.begin(), v.end());
  return v;
}
const json::object entitled_by_g{{"entitling_groups", {json::object{{"display_name", "G"}}}}, {"settle_ms", 0}};

}  // namespace

TEST_CASE("hazard 1: an operation that nobody knows is no success", "[R11]") {
  ScimWorld w("generic", {}, entitled_by_g);
  const auto ids = add_users(w, 2);
  const auto g = w.add_group("G", ids);
  for (const auto* word : {"delete", "unset", "", "removee", "remove "}) {
    INFO(word);
    const auto r = w.send("PATCH", "/Groups/" + g, ops(op(word, {ids[0]})));
    CHECK(r.status == 400);
    CHECK(r.str("/detail").find("Operations[0]") != std::string::npos);
  }
  CHECK(w.members(g).size() == 2);
  // And the one that others answer 200 without doing it.
  CHECK(w.send("PATCH", "/Groups/" + g, ops(R"({"op":"remove","path":"members[value eq \")" + ids[0] + R"(\"]"})"))
            .status == 200);
  CHECK(w.members(g) == std::vector<std::string>{ids[1]});
  CHECK(w.events("removal.requested") == 1);
}

TEST_CASE("hazard 2: a replace that names no members keeps them", "[R10]") {
  ScimWorld w("okta", {}, entitled_by_g);
  const auto ids = add_users(w, 3);
  const auto g = w.add_group("G", ids);
  const auto path = "/Groups/" + g;
  CHECK(w.send("PATCH", path, ops(R"({"op":"replace","value":{"id":")" + g + R"(","displayName":"G"}})")).status ==
        200);
  CHECK(w.send("PATCH", path, ops(R"({"op":"replace","path":"externalId","value":"x"})")).status == 200);
  CHECK(w.send("PUT", path, R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"G"})")
            .status == 200);
  CHECK(w.send("PUT", path,
               R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"G","members":null})")
            .status == 200);
  CHECK(w.members(g).size() == 3);
  CHECK(w.events("removal.requested") == 0);
}

TEST_CASE("hazard 3: a remove with a list of members takes these away and nobody else", "[R11]") {
  for (const auto* idp : {"entra", "jumpcloud", "generic", "onelogin", "ping"}) {
    INFO(idp);
    ScimWorld w(idp, {}, entitled_by_g);
    const auto ids = add_users(w, 4);
    const auto g = w.add_group("G", ids);
    CHECK(w.send("PATCH", "/Groups/" + g, ops(op("remove", {ids[1], ids[3]}))).status < 300);
    CHECK(sorted(w.members(g)) == sorted({ids[0], ids[2]}));
    CHECK(w.events("removal.requested") == 2);
  }
  // Who does not send it is told so, and nobody is removed.
  ScimWorld w("okta");
  const auto ids = add_users(w, 2);
  const auto g = w.add_group("G", ids);
  CHECK(w.send("PATCH", "/Groups/" + g, ops(op("remove", {ids[0]}))).status == 400);
  CHECK(w.members(g).size() == 2);
}

TEST_CASE("hazard 4: a full replace removes who is not on the list any more", "[R1]") {
  ScimWorld w("okta", {}, entitled_by_g);
  const auto ids = add_users(w, 5);
  const auto g = w.add_group("G", {ids[0], ids[1], ids[2]});
  const bool by_put = GENERATE(true, false);
  const std::vector<std::string> next{ids[2], ids[3]};
  const auto r = by_put ? w.send("PUT", "/Groups/" + g,
                                 R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"G",)"
                                 R"("members":)" +
                                     listed(next) + "}")
                        : w.send("PATCH", "/Groups/" + g, ops(op("replace", next)));
  CHECK(r.status == 200);
  CHECK(sorted(w.members(g)) == sorted(next));
  CHECK(w.events("removal.requested") == 2);  // the first two; the last one never had access
}

TEST_CASE("hazard 5: requests on one group at the same time lose nothing", "[R11]") {
  for (const bool sqlite : {false, true}) {
    ScimWorld w("entra", {}, {}, {}, sqlite);
    const auto ids = add_users(w, 40);
    const auto g = w.add_group("G", {ids.begin(), ids.begin() + 20});
    std::size_t good = 0;
    for (std::size_t i = 0; i < 40; ++i) {
      service::Request request;
      request.method = "PATCH";
      request.target = w.client.base + "/Groups/" + g;
      request.headers = {{"Authorization", "Bearer " + w.client.token}};
      request.body = ops(op(i < 20 ? "Remove" : "Add", {ids[i]}));
      w.scim->handle(std::move(request), [&](const service::Response& r) { good += r.status == 204 ? 1U : 0U; });
    }
    w.executor.run_until_idle();
    CHECK(good == 40);
    CHECK(sorted(w.members(g)) == sorted({ids.begin() + 20, ids.end()}));
  }
}

TEST_CASE("hazard 6: no list of members is cut off", "[R11]") {
  ScimWorld w("generic");
  const auto ids = add_users(w, 701);  // more than fit in one piece of work
  const auto g = w.add_group("G");
  const std::vector<std::string> some(ids.begin(), ids.begin() + 150);
  CHECK(w.send("PATCH", "/Groups/" + g, ops(op("add", some))).status == 200);
  CHECK(w.members(g).size() == 150);
  CHECK(w.send("PATCH", "/Groups/" + g, ops(op("replace", ids))).status < 300);
  w.executor.run_until_idle();
  CHECK(w.members(g).size() == 701);
  // Pushed again, it is nothing.
  const auto etag = w.get("/Groups/" + g + "?attributes=id").header("etag");
  const auto records = w.activity().size();
  for (const auto* word : {"replace", "add"})
    CHECK(w.send("PATCH", "/Groups/" + g, ops(op(word, ids))).status < 300);
  w.executor.run_until_idle();
  CHECK(w.get("/Groups/" + g + "?attributes=id").header("etag") == etag);
  CHECK(w.activity().size() == records);
}

TEST_CASE("hazard 7: operations, paths and attributes in any case", "[R11]") {
  ScimWorld w("generic", {}, entitled_by_g);
  const auto ids = add_users(w, 2);
  const auto g = w.add_group("G", ids);
  CHECK(w.send("PATCH", "/Groups/" + g, ops(R"({"Op":"REMOVE","Path":"Members[Value EQ \")" + ids[0] + R"(\"]"})"))
            .status < 300);
  CHECK(w.members(g) == std::vector<std::string>{ids[1]});
  CHECK(w.send("PATCH", "/Users/" + ids[1], ops(R"({"op":"rePlace","value":{"Active":false}})")).status < 300);
  CHECK_FALSE(w.row(ids[1]).active);
  CHECK(w.send("GET", "/users?Filter=USERNAME%20Eq%20%22USER0%22").at("/totalResults") == 1);
  CHECK(w.events("removal.requested") == 2);
}

TEST_CASE("hazard 8: another userName is no leaver", "[R12]") {
  ScimWorld w("entra");
  const auto ann = w.add_user("ann");
  CHECK(w.send("PATCH", "/Users/" + ann, ops(R"({"op":"Replace","path":"userName","value":"ann.married"})"))
            .status == 204);
  CHECK(w.send("PUT", "/Users/" + ann, user(R"("userName":"ann.again")")).status == 200);
  CHECK(w.events("user.renamed") == 2);
  CHECK(w.events("removal.requested") == 0);
  CHECK(w.get("/Users/" + ann).str("/userName") == "ann.again");
  CHECK(w.get("/Users").at("/totalResults") == 1);
}

TEST_CASE("hazard 9: a PUT without active neither enables nor disables", "[R10]") {
  ScimWorld w("okta");
  const auto ann = w.add_user("ann");
  for (const auto* body : {R"("userName":"ann","title":"A")", R"("userName":"ann","title":"B","active":null)"}) {
    CHECK(w.send("PUT", "/Users/" + ann, user(body)).at("/active") == true);
    CHECK(w.events("removal.requested") == 0);
  }
  CHECK(w.send("PATCH", "/Users/" + ann, ops(R"({"op":"replace","value":{"active":false}})")).status == 200);
  for (const auto* body : {R"("userName":"ann","title":"C")", R"("userName":"ann","title":"D","active":null)"}) {
    CHECK(w.send("PUT", "/Users/" + ann, user(body)).at("/active") == false);
    CHECK(w.events("access.restored") == 0);
  }
}

TEST_CASE("hazard 10: a POST for who is inactive revives nobody, and says who it is", "[R12]") {
  ScimWorld w("okta");
  const auto ann = w.add("/Users", user(R"("userName":"ann","externalId":"e1","active":false)"));
  const auto r = w.send("POST", "/Users", user(R"("userName":"ANN","externalId":"e1","active":true)"));
  CHECK(r.status == 409);
  CHECK(r.str("/scimType") == "uniqueness");
  CHECK(r.str("/detail").find(ann) != std::string::npos);
  CHECK(r.str("/detail").find("inactive") != std::string::npos);
  CHECK_FALSE(w.row(ann).active);
  CHECK(w.get("/Users").at("/totalResults") == 1);
  CHECK(w.events("access.restored") + w.events("access.granted") == 0);
}

TEST_CASE("hazard 11: one member of a large group costs what one of a small group does", "[R11]") {
  ScimWorld w("entra");
  std::size_t written = 0;
  w.fault = [&](const port::Transaction& txn) -> std::optional<store::CommitFault> {
    written += txn.ops.size();
    return std::nullopt;
  };
  const auto ids = add_users(w, 1202);
  const auto cost = [&](const std::vector<std::string>& members, const std::string& who) {
    const auto g = w.add_group("G" + std::to_string(members.size()), members);
    w.executor.run_until_idle();
    written = 0;
    for (const auto* word : {"Add", "Remove"}) {
      const auto r = w.send("PATCH", "/Groups/" + g, ops(op(word, {who})));
      CHECK(r.status == 204);
      CHECK(r.text.empty());
    }
    return written;
  };
  const auto small = cost({ids.begin(), ids.begin() + 2}, ids[1201]);
  CHECK(small > 0);
  CHECK(cost({ids.begin(), ids.begin() + 1200}, ids[1201]) == small);
}

TEST_CASE("hazard 12: a PATCH is done whole or not at all", "[R11]") {
  ScimWorld w("generic", {{"unknown_members", "refuse"}}, entitled_by_g);
  const auto ids = add_users(w, 2);
  const auto g = w.add_group("G", ids);
  const auto before = w.activity().size();
  const auto etag = w.get("/Groups/" + g).header("etag");
  for (const auto& last : {std::string(R"({"op":"replace","path":"members","value":[{"display":"nobody"}]})"),
                           std::string(R"({"op":"replace","path":"colour","value":"blue"})"), op("add", {g}),
                           op("add", {"2819c223-7f76-453a-919d-413861904646"})}) {
    const auto r =
        w.send("PATCH", "/Groups/" + g,
               ops(R"({"op":"replace","path":"displayName","value":"H"},)" + op("remove", {ids[0]}) + "," + last));
    INFO(r.text);
    CHECK(r.status == 400);
  }
  CHECK(w.members(g).size() == 2);
  CHECK(w.get("/Groups/" + g).str("/displayName") == "G");
  CHECK(w.get("/Groups/" + g).header("etag") == etag);
  CHECK(w.activity().size() == before);
}

TEST_CASE("JumpCloud unbinds a group: everybody is deactivated, and the group stays as it is", "[R1][R11]") {
  ScimWorld w("jumpcloud");
  const auto ids = add_users(w, 30);
  const auto g = w.add_group("G", ids);
  for (const auto& id : ids)
    CHECK(w.send("PATCH", "/Users/" + id, ops(R"({"op":"replace","value":{"active":false}})")).at("/active") ==
          false);
  CHECK(w.events("removal.requested") == 30);
  CHECK(w.members(g).size() == 30);
  CHECK(w.events("group.members_changed") == 1);  // when it was filled
}
