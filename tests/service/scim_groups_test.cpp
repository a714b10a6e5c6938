// Groups: members are rows, named one by one or by filters.
#include <algorithm>
#include <deprov/engine/engine.hpp>
#include "catch.hpp"
#include "support/scim_world.hpp"

using namespace deprov;
namespace json = boost::json;
using deprov::test::ScimWorld;

namespace {

std::string patch(const std::string& operations) {
  return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)" + operations + "]}";
}
std::string values(const std::vector<std::string>& ids) {
  std::string out;
  for (const auto& id : ids) out += (out.empty() ? "{\"value\":\"" : ",{\"value\":\"") + id + "\"}";
  return "[" + out + "]";
}
std::string add(const std::vector<std::string>& ids) {
  return patch(R"({"op":"add","path":"members","value":)" + values(ids) + "}");
}
std::string group(const std::string& rest) {
  return R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"])" + rest + "}";
}
std::vector<std::string> sorted(std::vector<std::string> v) {
  std::sort(v.begin(), v.end());
  return v;
}

struct Groups : ScimWorld {
  explicit Groups(const std::string& idp = "generic", json::object settings = {})
      : ScimWorld(idp, std::move(settings)) {
    for (const auto* name : {"ann", "bob", "cho"}) users.push_back(add_user(name));
    g = add_group("G", {users[0], users[1]});
  }
  std::vector<std::string> now() { return sorted(members(g)); }
  test::ScimReply change(const std::string& body) { return send("PATCH", "/Groups/" + g, body); }
  std::vector<std::string> these(std::initializer_list<int> which) {
    std::vector<std::string> out;
    for (const int i : which) out.push_back(users[static_cast<std::size_t>(i)]);
    return sorted(out);
  }
  std::vector<std::string> users;
  std::string g;
};

}  // namespace

TEST_CASE("a group shows its members") {
  Groups w;
  const auto inner = w.add_group("inner");
  CHECK(w.change(add({inner})).status == 200);
  const auto r = w.get("/Groups/" + w.g);
  INFO(r.text);
  CHECK(r.str("/displayName") == "G");
  CHECK(r.str("/meta/resourceType") == "Group");
  const auto members = r.at("/members");
  REQUIRE(members.get_array().size() == 3);
  const auto base = "http://gw.example.com" + w.client.base;
  for (const auto& m : members.get_array()) {
    const std::string value(m.at("value").as_string());
    const bool is_group = value == inner;
    CHECK(m.at("type").as_string() == (is_group ? "Group" : "User"));
    CHECK(m.at("$ref").as_string() == base + (is_group ? "/Groups/" : "/Users/") + value);
  }
  CHECK(w.row(w.g).document.find("members") == std::string::npos);
  CHECK(w.get("/Groups/" + inner).at("/members") == json::array());
}

TEST_CASE("POST answers with the members") {
  Groups w;
  const auto r =
      w.send("POST", "/Groups", group(R"(,"displayName":"H","members":)" + values({w.users[2], w.users[2]})));
  INFO(r.text);
  CHECK(r.status == 201);
  CHECK(r.at("/members").get_array().size() == 1);
  CHECK(r.str("/members/0/value") == w.users[2]);
  CHECK(r.header("location") == r.str("/meta/location"));
  CHECK(r.header("etag") == r.str("/meta/version"));
  CHECK(w.get("/Users/" + w.users[2]).str("/groups/0/value") == r.id());
}

TEST_CASE("members are added and removed one by one", "[R13]") {
  Groups w;
  SECTION("add, twice is once") {
    CHECK(w.change(add({w.users[2], w.users[2], w.users[0]})).status == 200);
    CHECK(w.now() == w.these({0, 1, 2}));
    const auto version = w.row(w.g).version;
    const auto records = w.activity().size();
    CHECK(w.change(add({w.users[2]})).header("etag") == "W/\"" + std::to_string(version) + "\"");
    CHECK(w.row(w.g).version == version);
    CHECK(w.activity().size() == records);
  }
  SECTION("remove by filter, by list, and who is no member") {
    CHECK(w.change(patch(R"({"op":"remove","path":"members[value eq \")" + w.users[0] + R"(\"]"})")).status ==
          200);
    CHECK(w.now() == w.these({1}));
    CHECK(w.change(patch(R"({"op":"remove","path":"members[value eq \")" + w.users[0] + R"(\"]"})")).status ==
          200);
    CHECK(w.change(patch(R"({"op":"remove","path":"members[value eq \"nobody\"]"})")).status == 200);
    CHECK(w.change(patch(R"({"op":"remove","path":"members","value":)" + values({w.users[1], w.users[2]}) + "}"))
              .status == 200);
    CHECK(w.now().empty());
  }
  SECTION("remove without a filter is everybody") {
    CHECK(w.change(patch(R"({"op":"remove","path":"members"})")).status == 200);
    CHECK(w.now().empty());
  }
  SECTION("replace is exactly these") {
    CHECK(w.change(patch(R"({"op":"replace","path":"members","value":)" + values({w.users[2]}) + "}")).status ==
          200);
    CHECK(w.now() == w.these({2}));
    CHECK(w.change(patch(R"({"op":"replace","path":"members","value":[]})")).status == 200);
    CHECK(w.now().empty());
  }
  SECTION("several operations in their order") {
    CHECK(w.change(patch(R"({"op":"remove","path":"members"},{"op":"add","path":"members","value":)" +
                         values({w.users[2], w.users[0]}) + R"(},{"op":"remove","path":"members[value eq \")" +
                         w.users[2] + R"(\"]"})"))
              .status == 200);
    CHECK(w.now() == w.these({0}));
  }
}

TEST_CASE("members by other filters") {
  Groups w;
  const auto inner = w.add_group("inner");
  REQUIRE(w.change(add({inner})).status == 200);
  SECTION("by type") {
    CHECK(w.change(patch(R"({"op":"remove","path":"members[type eq \"User\"]"})")).status == 200);
    CHECK(w.now() == std::vector<std::string>{inner});
  }
  SECTION("by display") {
    CHECK(w.change(patch(R"({"op":"remove","path":"members[display eq \"ANN\"]"})")).status == 200);
    CHECK(w.now() == sorted({w.users[1], inner}));
  }
  SECTION("by reference") {
    CHECK(w.change(patch(R"({"op":"remove","path":"members[$ref ew \"/Groups/)" + inner + R"(\"]"})")).status ==
          200);
    CHECK(w.now() == w.these({0, 1}));
  }
  SECTION("several ids") {
    CHECK(w.change(patch(R"({"op":"remove","path":"members[value eq \")" + w.users[0] + R"(\" or value eq \")" +
                         w.users[1] + R"(\"]"})"))
              .status == 200);
    CHECK(w.now() == std::vector<std::string>{inner});
  }
  SECTION("filters see what the operations before them did") {
    CHECK(w.change(patch(R"({"op":"add","path":"members","value":)" + values({w.users[2]}) +
                         R"(},{"op":"remove","path":"members[display sw \"c\" or type eq \"Group\"]"})"))
              .status == 200);
    CHECK(w.now() == w.these({0, 1}));
  }
  SECTION("replace what a filter selects") {
    const auto r = w.change(patch(R"({"op":"replace","path":"members[value eq \")" + w.users[0] +
                                  R"(\"]","value":)" + values({w.users[2]}) + "}"));
    INFO(r.text);
    CHECK(r.status == 200);
    CHECK(w.now() == sorted({w.users[1], w.users[2], inner}));
    const auto none = w.change(patch(R"({"op":"replace","path":"members[value eq \")" + w.users[0] +
                                     R"(\"]","value":)" + values({w.users[2]}) + "}"));
    CHECK(none.status == 400);
    CHECK(none.str("/scimType") == "noTarget");
  }
}

TEST_CASE("who joins must be there, and nothing happens otherwise") {
  Groups w("generic", {{"unknown_members", "refuse"}});
  const auto gone = w.add_user("gone");
  REQUIRE(w.send("DELETE", "/Users/" + gone).status == 204);
  for (const auto& bad :
       {std::string("nonsense"), std::string("0190c0de-0000-7000-8000-000000000000"), gone, std::string("ann")}) {
    const auto r = w.change(add({w.users[2], bad}));
    INFO(r.text);
    CHECK(r.status == 400);
    CHECK(r.str("/scimType") == "invalidValue");
    CHECK(r.str("/detail").find(bad) != std::string::npos);
    CHECK(w.send("PUT", "/Groups/" + w.g, group(R"(,"displayName":"X","members":)" + values({bad}))).status ==
          400);
    CHECK(w.send("POST", "/Groups", group(R"(,"displayName":"X","members":)" + values({bad}))).status == 400);
  }
  CHECK(w.now() == w.these({0, 1}));
  CHECK(w.get("/Groups/" + w.g).str("/displayName") == "G");
  CHECK(w.get("/Groups").str("/totalResults") == "1");
}

TEST_CASE("no group is in itself") {
  Groups w;
  const auto refused = [](const test::ScimReply& r) {
    return r.status == 400 && r.str("/scimType") == "invalidValue" &&
           r.str("/detail").find("itself") != std::string::npos;
  };
  CHECK(refused(w.change(add({w.g}))));
  const auto middle = w.add_group("middle", {w.g});
  const auto top = w.add_group("top", {middle});
  CHECK(refused(w.change(add({middle}))));
  CHECK(refused(w.change(add({top}))));
  CHECK(refused(w.send("PUT", "/Groups/" + w.g, group(R"(,"displayName":"G","members":)" + values({top})))));
  CHECK(w.now() == w.these({0, 1}));
  // Two ways to the same group are no cycle.
  CHECK(w.send("PATCH", "/Groups/" + top, add({w.g})).status == 200);
}

TEST_CASE("PUT and PATCH without members keep them", "[R10]") {
  Groups w;
  CHECK(w.send("PUT", "/Groups/" + w.g, group(R"(,"displayName":"H")")).status == 200);
  CHECK(w.now() == w.these({0, 1}));
  CHECK(w.events("group.renamed") == 1);
  CHECK(w.change(patch(R"({"op":"replace","value":{"displayName":"I"}})")).status == 200);
  CHECK(w.now() == w.these({0, 1}));
  CHECK(w.change(patch(R"({"op":"replace","value":{"displayName":"J","members":null}})")).status == 200);
  CHECK(w.now() == w.these({0, 1}));
  const auto r = w.send("PUT", "/Groups/" + w.g, group(R"(,"displayName":"K","members":[])"));
  CHECK(r.status == 200);
  CHECK(r.at("/members") == json::array());
  CHECK(w.now().empty());
}

TEST_CASE("PUT of members is the difference") {
  Groups w;
  const auto r =
      w.send("PUT", "/Groups/" + w.g, group(R"(,"displayName":"G","members":)" + values(w.these({1, 2}))));
  CHECK(r.status == 200);
  CHECK(w.now() == w.these({1, 2}));
  const auto version = w.row(w.g).version;
  CHECK(w.send("PUT", "/Groups/" + w.g, group(R"(,"displayName":"G","members":)" + values(w.these({1, 2}))))
            .status == 200);
  CHECK(w.row(w.g).version == version);
}

TEST_CASE("a deleted user is in no group any more") {
  Groups w;
  REQUIRE(w.send("DELETE", "/Users/" + w.users[0]).status == 204);
  CHECK(w.now() == w.these({1}));
  CHECK(w.get("/Groups").at("/Resources/0/members").get_array().size() == 1);
}

TEST_CASE("members are only read where they are asked for") {
  Groups w("entra");
  const auto has = [&](const std::string& query) {
    const auto r = w.get("/Groups/" + w.g + query);
    REQUIRE(r.status == 200);
    return r.body.get_object().contains("members");
  };
  CHECK(has(""));
  CHECK_FALSE(has("?excludedAttributes=members"));
  CHECK_FALSE(has("?attributes=displayName"));
  CHECK(has("?attributes=members"));
  const auto value = w.get("/Groups/" + w.g + "?attributes=members.value").at("/members/0");
  CHECK(value == json::object{{"value", w.these({0, 1})[0]}});
  const auto less = w.get("/Groups/" + w.g + "?excludedAttributes=members.$ref").at("/members/0");
  REQUIRE(less.is_object());
  CHECK(less.get_object().contains("value"));
  CHECK_FALSE(less.get_object().contains("$ref"));
  CHECK_FALSE(w.get("/Groups?excludedAttributes=members&filter=displayName%20eq%20%22g%22")
                  .at("/Resources/0")
                  .get_object()
                  .contains("members"));
}

TEST_CASE("If-Match holds for members too") {
  Groups w;
  const auto version = w.row(w.g).version;
  const auto tag = [](std::uint64_t v) {
    return std::vector<service::Header>{{"If-Match", "W/\"" + std::to_string(v) + "\""}};
  };
  CHECK(w.send("PATCH", "/Groups/" + w.g, add({w.users[2]}), tag(version + 1)).status == 412);
  CHECK(w.now() == w.these({0, 1}));
  CHECK(w.send("PATCH", "/Groups/" + w.g, add({w.users[2]}), tag(version)).status == 200);
  CHECK(w.now() == w.these({0, 1, 2}));
}

TEST_CASE("what comes in between two decisions on one group") {
  Groups w;
  const auto dan = w.add_user("dan");
  // Right before the next commit somebody else puts the third user in.
  bool came = false;
  w.fault = [&](const port::Transaction&) -> std::optional<store::CommitFault> {
    if (came) return std::nullopt;
    came = true;
    port::Transaction other;
    other.id = w.random.id<TxnId>(w.clock.wall());
    const auto& scope = w.client.context->row.scope;
    const auto group = *ResourceId::parse(w.g);
    other.ops.emplace_back(port::op::AddMember{scope, {group, *ResourceId::parse(w.users[2]), false}});
    other.ops.emplace_back(port::op::TouchResource{scope, group, w.clock.wall()});
    w.store->commit(std::move(other), [](Result<port::Committed> r) { CHECK(r.has_value()); });
    return std::nullopt;
  };
  const auto version = w.row(w.g).version;
  SECTION("adding does not mind") {
    CHECK(w.change(add({dan})).status == 200);
    CHECK(w.now() == sorted({w.users[0], w.users[1], w.users[2], dan}));
  }
  SECTION("replacing is exactly these all the same") {
    CHECK(w.change(patch(R"({"op":"replace","path":"members","value":)" + values({w.users[0]}) + "}")).status ==
          200);
    CHECK(w.now() == w.these({0}));
  }
  SECTION("If-Match no longer holds") {
    const auto r =
        w.send("PATCH", "/Groups/" + w.g, add({dan}), {{"If-Match", "W/\"" + std::to_string(version) + "\""}});
    CHECK(r.status == 412);
    CHECK(w.now() == w.these({0, 1, 2}));
  }
  CHECK(came);
}

TEST_CASE("long lists that are named again change nothing, in one operation or in several", "[R13]") {
  const bool sqlite = GENERATE(false, true);
  ScimWorld w("entra", {}, {}, {}, sqlite);
  std::vector<std::string> ids;  // more than are worked off at once
  for (int i = 0; i < 620; ++i) ids.push_back(w.add_user("u" + std::to_string(i)));
  const auto outsider = w.add_user("outsider");
  const auto g = w.add_group("G", ids);
  const auto before = w.row(g).version;
  const auto events = w.activity().size();
  const std::vector<std::string> half(ids.begin(), ids.begin() + 310);
  const std::vector<std::string> rest(ids.begin() + 310, ids.end());
  const auto named = [](const std::string& op, const std::vector<std::string>& who) {
    return R"({"op":")" + op + R"(","path":"members","value":)" + values(who) + "}";
  };
  for (const auto& operations :
       {named("add", ids), named("replace", ids), named("add", half) + "," + named("add", rest),
        named("add", ids) + "," + named("remove", {outsider}), named("replace", ids) + "," + named("add", ids)}) {
    const auto r = w.send("PATCH", "/Groups/" + g, patch(operations));
    CHECK(r.status == 204);
    CHECK(w.row(g).version == before);
    CHECK(w.activity().size() == events);
  }
  // What undoes itself on the way is not for the eye to see, and what differs is done.
  CHECK(w.send("PATCH", "/Groups/" + g, patch(named("add", ids) + "," + named("remove", {ids[7]}))).status == 204);
  CHECK(w.members(g).size() == 619);
  CHECK(w.row(g).version > before);
}

TEST_CASE("a failure on members names the operation, the attribute and whom it is about") {
  Groups w("generic", {{"unknown_members", "refuse"}});
  const auto outer = w.add_group("outer", {w.g});
  const auto refused = [&](const std::string& operations, const std::string& place, const std::string& about) {
    const auto r = w.change(patch(operations));
    INFO(r.text);
    CHECK(r.status == 400);
    const auto detail = r.str("/detail");
    CHECK(detail.starts_with(place + ".members: "));
    CHECK(detail.find(about) != std::string::npos);
    CHECK(w.now() == w.these({0, 1}));
  };
  const auto joins = R"({"op":"add","path":"members","value":)" + values({w.users[2]}) + "}";
  const std::string nobody = "0190c0de-0000-7000-8000-000000000000";
  refused(joins + R"(,{"op":"add","path":"members","value":)" + values({nobody}) + "}", "Operations[1]", nobody);
  refused(joins + "," + joins + R"(,{"op":"add","value":{"members":)" + values({"no id"}) + "}}", "Operations[2]",
          "no id");
  refused(R"({"op":"replace","path":"members","value":)" + values({outer}) + "}", "Operations[0]", outer);
  refused(joins + R"(,{"op":"replace","path":"members[type eq \"Group\"]","value":)" + values({w.users[2]}) + "}",
          "Operations[1]", "type eq");
}

TEST_CASE("a filter on members sees who is shown, and how they are shown") {
  const bool sqlite = GENERATE(false, true);
  ScimWorld w("generic", {}, {}, {}, sqlite);
  const auto ann = w.add_user("ann");
  const auto bob = w.add_user("bob");
  const auto inner = w.add_group("Inner", {bob});
  const auto one = w.add_group("One", {ann, inner});
  const auto two = w.add_group("Two", {ann});
  const auto total = [&](const std::string& filter) {
    std::string q;
    for (const char c : filter) q += c == ' ' ? "%20" : c == '"' ? "%22" : c == '[' ? "%5B" : std::string(1, c);
    const auto r = w.get("/Groups?filter=" + q);
    INFO(r.text);
    REQUIRE(r.status == 200);
    return r.str("/totalResults");
  };
  CHECK(total(R"(members.display eq "ANN")") == "2");
  CHECK(total(R"(members[display eq "Inner" and type eq "Group"])") == "1");
  CHECK(total(R"(members.display eq "zoe")") == "0");
  CHECK(total(R"(members.value eq ")" + ann + "\"") == "2");
  CHECK(total(R"(members.value eq ")" + inner + R"(" and members.type eq "Group")") == "1");
  REQUIRE(w.send("DELETE", "/Users/" + ann).status == 204);
  CHECK(w.members(two).empty());
  CHECK(total(R"(members.value eq ")" + ann + "\"") == "0");
  CHECK(total(R"(members.display eq "ann")") == "0");
  CHECK(total(R"(members pr)") == "2");
  CHECK(total(R"(members.type pr)") == "2");
  CHECK(total(R"(not (members.value eq ")" + ann + "\")") == "3");
  CHECK(w.members(one) == std::vector<std::string>{inner});
}

TEST_CASE("what a User shows of its groups is part of its version") {
  Groups w;
  const auto ann = "/Users/" + w.users[0];
  const auto title = [](const std::string& to) {
    return patch(R"({"op":"replace","path":"title","value":")" + to + "\"}");
  };
  const auto with = [](const char* header, const std::string& tag) {
    return std::vector<service::Header>{{header, tag}};
  };
  auto tag = w.get(ann).header("etag");
  // Each of these changes the representation: the tag is another one, and the old one neither 304 nor good to
  // change on.
  const auto changed = [&] {
    const auto now = w.send("GET", ann, {}, with("If-None-Match", tag));
    CHECK(now.status == 200);
    CHECK(now.header("etag") != tag);
    CHECK(now.header("etag") == now.str("/meta/version"));
    if (tag != "W/\"1\"") {  // which says nothing of groups: it is good for whoever saw none
      CHECK(w.send("PATCH", ann, title("x"), with("If-Match", tag)).status == 412);
      CHECK(w.send("DELETE", ann, {}, with("If-Match", tag)).status == 412);
    }
    tag = now.header("etag");
    CHECK(w.send("GET", ann, {}, with("If-None-Match", tag)).status == 304);
  };
  SECTION("leaving and joining") {
    CHECK(w.change(patch(R"({"op":"remove","path":"members[value eq \")" + w.users[0] + R"(\"]"})")).status ==
          200);
    changed();
    CHECK(tag == "W/\"1\"");
    CHECK(w.change(add({w.users[0]})).status == 200);
    changed();
  }
  SECTION("a group around the group, its name, and its end") {
    const auto outer = w.add_group("outer", {w.g});
    changed();
    CHECK(w.send("PATCH", "/Groups/" + outer, patch(R"({"op":"replace","path":"displayName","value":"Outer"})"))
              .status == 200);
    changed();
    CHECK(w.send("DELETE", "/Groups/" + outer).status == 204);
    changed();
  }
  SECTION("others come and go") {
    CHECK(w.change(add({w.users[2]})).status == 200);
    CHECK(w.send("GET", ann, {}, with("If-None-Match", tag)).status == 304);
  }
  SECTION("it is the same wherever the resource is shown, and after it was changed") {
    const auto listed = w.get("/Users?filter=id%20eq%20%22" + w.users[0] + "%22");
    CHECK(listed.str("/Resources/0/meta/version") == tag);
    auto quoted = tag;
    for (auto at = quoted.find('"'); at != std::string::npos; at = quoted.find('"', at + 6))
      quoted.replace(at, 1, "%5C%22");
    CHECK(w.get("/Users?filter=meta.version%20eq%20%22" + quoted + "%22").str("/Resources/0/id") == w.users[0]);
    const auto patched = w.send("PATCH", ann, title("a"), with("If-Match", tag));
    CHECK(patched.status == 200);
    CHECK(patched.header("etag") == patched.str("/meta/version"));
    CHECK(patched.header("etag") == w.get(ann).header("etag"));
    const auto bulk = w.send("POST", "/Bulk",
                             R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[
                                {"method":"PATCH","path":")" +
                                 ann + R"(","data":)" + title("b") + "}]}");
    CHECK(bulk.str("/Operations/0/version") == w.get(ann).header("etag"));
    const auto put = w.send("PUT", ann, w.get(ann).text, with("If-Match", w.get(ann).header("etag")));
    CHECK(put.status == 200);
    CHECK(put.header("etag") == w.get(ann).header("etag"));
  }
  SECTION("where the groups are not shown they are no part of it") {
    const auto bare = w.get(ann + "?excludedAttributes=groups").header("etag");
    CHECK(bare == "W/\"1\"");
    CHECK(
        w.send("PATCH", "/Groups/" + w.g, patch(R"({"op":"replace","path":"displayName","value":"H"})")).status ==
        200);
    CHECK(w.send("GET", ann + "?excludedAttributes=groups", {}, with("If-None-Match", bare)).status == 304);
    CHECK(w.send("PATCH", ann, title("c"), with("If-Match", bare)).status == 200);
  }
}

TEST_CASE("an answer without a body has the version that GET shows") {
  Groups w("entra");
  const auto ann = "/Users/" + w.users[0];
  const auto r = w.send("PATCH", ann, patch(R"({"op":"replace","path":"title","value":"a"})"));
  CHECK(r.status == 204);
  CHECK(r.header("etag") == w.get(ann).header("etag"));
}

TEST_CASE("a group looks different when a member is deleted or comes back") {
  ScimWorld w("okta");  // whose externalIds are given once
  const auto body =
      R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ann","externalId":"e1"})";
  const auto ann = w.add("/Users", body);
  const auto g = w.add_group("G", {ann});
  auto tag = w.get("/Groups/" + g).header("etag");
  const auto now = [&] { return w.send("GET", "/Groups/" + g, {}, {{"If-None-Match", tag}}); };
  CHECK(now().status == 304);
  CHECK(w.send("DELETE", "/Users/" + ann).status == 204);
  const auto gone = now();
  CHECK(gone.status == 200);
  CHECK(gone.at("/members") == json::array());
  tag = gone.header("etag");
  CHECK(w.add("/Users", body) == ann);
  const auto back = now();
  CHECK(back.status == 200);
  CHECK(back.str("/members/0/value") == ann);
}
