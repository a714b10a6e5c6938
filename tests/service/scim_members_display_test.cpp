// What the members of a group are called: as the IdP says, and otherwise as they call themselves.
#include <map>
#include <utility>
#include "catch.hpp"
#include "support/scim_world.hpp"

using namespace deprov;
namespace json = boost::json;
using deprov::test::ScimWorld;

namespace {

std::string ops_of(const std::string& operations) {
  return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)" + operations + "]}";
}
std::string named(const std::string& id, const std::string& display) {
  return R"({"value":")" + id + (display.empty() ? "\"}" : R"(","display":")" + display + "\"}");
}

struct Named : ScimWorld {
  explicit Named(bool sqlite, service::ScimOptions options = {})
      : ScimWorld("generic", {}, {}, std::move(options), sqlite) {
    for (const auto* name : {"ann", "bob", "cho"}) users.push_back(add_user(name));
    g = add("/Groups", group("[" + named(users[0], "Ann A.") + "," + named(users[1], "") + "]"));
  }
  static std::string group(const std::string& members) {
    return R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"G","members":)" + members +
           "}";
  }
  /// Who is shown under which name; "-": none.
  std::map<std::string, std::string> names(const std::string& query = {}) {
    std::map<std::string, std::string> out;
    const auto r = get("/Groups/" + g + query);
    INFO(r.text);
    REQUIRE(r.status == 200);
    const auto list = r.at("/members");
    if (list.is_null()) return out;
    for (const auto& m : list.as_array()) {
      const auto* display = m.as_object().if_contains("display");
      out[std::string(m.at("value").as_string())] = display != nullptr ? display->as_string().c_str() : "-";
    }
    return out;
  }
  std::map<std::string, std::string> these(const std::vector<std::string>& displays) {
    std::map<std::string, std::string> out;
    for (std::size_t i = 0; i < displays.size(); ++i)
      if (!displays[i].empty()) out[users[i]] = displays[i];
    return out;
  }
  test::ScimReply change(const std::string& operations) {
    return send("PATCH", "/Groups/" + g, ops_of(operations));
  }
  std::string version() { return get("/Groups/" + g + "?excludedAttributes=members").header("etag"); }
  std::string total(const std::string& filter) {
    std::string q;
    for (const char c : filter) q += c == ' ' ? "%20" : c == '"' ? "%22" : c == '[' ? "%5B" : std::string(1, c);
    return get("/Groups?attributes=displayName&filter=" + q).str("/totalResults");
  }
  std::vector<std::string> users;
  std::string g;
};

}  // namespace

TEST_CASE("members are called what the IdP calls them") {
  Named w(GENERATE(false, true));
  CHECK(w.names() == w.these({"Ann A.", "-"}));
  // Asked for by name, everybody has one.
  CHECK(w.names("?attributes=members.value,members.display") == w.these({"Ann A.", "bob"}));
  CHECK(w.get("/Groups/" + w.g + "?attributes=members.value").text.find("display") == std::string::npos);
  CHECK(w.get("/Groups/" + w.g + "?excludedAttributes=members.display").text.find("\"display\"") ==
        std::string::npos);

  SECTION("PATCH add: with a name or without") {
    CHECK(w.change(R"({"op":"add","path":"members","value":[)" + named(w.users[1], "B") + "," +
                   named(w.users[2], "C") + "]}")
              .status == 200);
    CHECK(w.names() == w.these({"Ann A.", "B", "C"}));
    // Missing is not empty (R10).
    CHECK(w.change(R"({"op":"add","path":"members","value":[)" + named(w.users[2], "") + "]}").status == 200);
    CHECK(w.names() == w.these({"Ann A.", "B", "C"}));
    CHECK(w.change(R"({"op":"add","path":"members","value":[)" + named(w.users[2], "C2") + "]}").status == 200);
    CHECK(w.names() == w.these({"Ann A.", "B", "C2"}));
  }
  SECTION("PATCH replace: as add; who is not in the list leaves") {
    CHECK(w.change(R"({"op":"replace","path":"members","value":[)" + named(w.users[0], "") + "," +
                   named(w.users[2], "C") + "]}")
              .status == 200);
    CHECK(w.names() == w.these({"Ann A.", "", "C"}));
  }
  SECTION("PUT that changes a name alone") {
    const auto before = w.version();
    CHECK(w.send("PUT", "/Groups/" + w.g,
                 Named::group("[" + named(w.users[0], "Ann B.") + "," + named(w.users[1], "") + "]"))
              .status == 200);
    CHECK(w.names() == w.these({"Ann B.", "-"}));
    CHECK(w.version() != before);
  }
  SECTION("by a path") {
    const auto at = [](const std::string& filter, const std::string& op) {
      return R"({"op":")" + op + R"(","path":"members[)" + filter + R"(].display")";
    };
    const auto who = R"(value eq \")" + w.users[1] + R"(\")";
    CHECK(w.change(at(who, "replace") + R"(,"value":"Bob B."})").status == 200);
    CHECK(w.names() == w.these({"Ann A.", "Bob B."}));
    CHECK(w.change(at(R"(display eq \"bob b.\")", "add") + R"(,"value":"B"})").status == 200);
    CHECK(w.names() == w.these({"Ann A.", "B"}));
    CHECK(w.change(at("type eq \\\"User\\\"", "remove") + "}").status == 200);
    CHECK(w.names() == w.these({"-", "-"}));
    // Nobody is made a member by a name.
    const auto nobody = w.change(at(R"(value eq \")" + w.users[2] + R"(\")", "replace") + R"(,"value":"C"})");
    CHECK(nobody.status == 400);
    CHECK(nobody.str("/scimType") == "noTarget");
    CHECK(w.change(R"({"op":"replace","path":"members.display","value":"X"})").str("/scimType") == "invalidPath");
    CHECK(w.change(at(who, "replace") + R"(,"value":7})").status == 400);
    CHECK(w.change(R"({"op":"replace","path":"members[)" + who + R"(].type","value":"Group"})").str("/scimType") ==
          "mutability");
    CHECK(w.names() == w.these({"-", "-"}));
  }
  SECTION("who leaves and comes back has no name left") {
    CHECK(w.change(R"({"op":"remove","path":"members[value eq \")" + w.users[0] +
                   R"(\"]"},{"op":"add","path":"members","value":[)" + named(w.users[0], "") + "]}")
              .status == 200);
    CHECK(w.names() == w.these({"-", "-"}));
  }
  SECTION("what is said last counts") {
    CHECK(w.change(R"({"op":"add","path":"members","value":[)" + named(w.users[2], "C1") +
                   R"(]},{"op":"add","path":"members","value":[)" + named(w.users[2], "C2") + "]}")
              .status == 200);
    CHECK(w.names() == w.these({"Ann A.", "-", "C2"}));
  }
  SECTION("filters see it") {
    CHECK(w.total(R"(members.display eq "ann a.")") == "1");
    CHECK(w.total(R"(members.display eq "ann")") == "0");
    CHECK(w.total(R"(members.display eq "bob")") == "1");
    CHECK(w.total(R"(members[value eq ")" + w.users[0] + R"(" and display sw "Ann A"])") == "1");
    CHECK(w.change(R"({"op":"remove","path":"members[display eq \"ANN A.\"]"})").status == 200);
    CHECK(w.names() == w.these({"", "-"}));
  }
}

TEST_CASE("a member's name is no grant, and saying it again is nothing", "[R13]") {
  Named w(GENERATE(false, true));
  const auto add = R"({"op":"add","path":"members","value":[)" + named(w.users[0], "Ann A.") + "]}";
  const auto put = Named::group("[" + named(w.users[0], "Ann A.") + "," + named(w.users[1], "") + "]");
  const auto version = w.version();
  const auto events = w.activity().size();
  for (int i = 0; i < 2; ++i) {
    CHECK(w.change(add).status == 200);
    CHECK(w.change(R"({"op":"replace","path":"members[value eq \")" + w.users[0] +
                   R"(\"].display","value":"Ann A."})")
              .status == 200);
    CHECK(w.send("PUT", "/Groups/" + w.g, put).status == 200);
  }
  CHECK(w.version() == version);
  CHECK(w.activity().size() == events);
  std::uint64_t grants = 0;
  const auto scope = w.client.context->row.scope;
  const auto ann = *ResourceId::parse(w.users[0]);
  w.read([&](port::Reader& r) { grants = (*r.subject(scope, ann))->grants_version; });
  CHECK(w.change(R"({"op":"add","path":"members","value":[)" + named(w.users[0], "Ann Z.") + "]}").status == 200);
  CHECK(w.names() == w.these({"Ann Z.", "-"}));
  CHECK(w.version() != version);
  CHECK(w.activity().size() == events + 1);
  w.read([&](port::Reader& r) {
    CHECK((*r.subject(scope, ann))->grants_version == grants);
    CHECK(*r.member_count(scope, *ResourceId::parse(w.g)) == 2);
  });
}

TEST_CASE("long lists with names are worked off in pieces, and streamed with them") {
  Named w(GENERATE(false, true));
  std::vector<std::string> ids;
  for (int i = 0; i < 1100; ++i) ids.push_back(w.add_user("u" + std::to_string(i)));
  const auto list = [&](const std::string& prefix) {
    std::string out;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (i != 0) out += ",";
      out += named(ids[i], i % 2 == 0 ? prefix + std::to_string(i) : std::string());
    }
    return "[" + out + "]";
  };
  const auto check = [&](const std::string& prefix) {
    const auto now = w.names();
    REQUIRE(now.size() == ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i)
      REQUIRE(now.at(ids[i]) == (i % 2 == 0 ? prefix + std::to_string(i) : "-"));
  };
  REQUIRE(w.change(R"({"op":"replace","path":"members","value":)" + list("A") + "}").status < 300);
  w.executor.run_for(std::chrono::seconds(5));
  check("A");
  CHECK(w.get("/Groups/" + w.g).streamed);
  const auto events = w.activity().size();
  REQUIRE(w.change(R"({"op":"replace","path":"members","value":)" + list("A") + "}").status < 300);
  w.executor.run_for(std::chrono::seconds(5));
  CHECK(w.activity().size() == events);
  REQUIRE(w.send("PUT", "/Groups/" + w.g, Named::group(list("B"))).status == 200);
  w.executor.run_for(std::chrono::seconds(5));
  check("B");
  // Added without names, they keep theirs.
  std::string bare;
  for (const auto& id : ids) bare += (bare.empty() ? "" : ",") + named(id, "");
  REQUIRE(
      w.change(R"({"op":"add","path":"members","value":[)" + bare + "," + named(w.users[0], "Ann") + "]}").status <
      300);
  w.executor.run_for(std::chrono::seconds(5));
  CHECK(w.names().at(ids[0]) == "B0");
  CHECK(w.names().at(w.users[0]) == "Ann");
}

TEST_CASE("a member that is no resource here is called anew") {
  Named w(false);
  CHECK(w.change(R"({"op":"add","path":"members","value":[{"value":"far-1","display":"F"}]})").status == 200);
  CHECK(w.names().at("far-1") == "F");
  CHECK(w.change(R"({"op":"add","path":"members","value":[{"value":"far-1","display":"F2"}]})").status == 200);
  CHECK(w.names().at("far-1") == "F2");
  CHECK(w.change(R"({"op":"replace","path":"members[value eq \"far-1\"].display","value":"F3"})").status == 200);
  CHECK(w.names().at("far-1") == "F3");
}

TEST_CASE("a group that one request makes a member and names is a group, and who is in it has access",
          "[R1][R4]") {
  const int how = GENERATE(0, 1, 2);
  const bool sqlite = how == 1;
  const bool in_pieces = how == 2;
  ScimWorld w("generic", {},
              {{"entitling_groups", {json::object{{"display_name", "Outer"}}}},
               {"settle_ms", 0},
               {"guard", json::object{{"enabled", false}}}},
              {}, sqlite);
  const auto ann = w.add_user("ann");
  const auto team = w.add_group("Team", {ann});
  const auto outer = w.add_group("Outer");
  std::string list = named(team, "");
  for (int i = 0; in_pieces && i < 501; ++i) list += "," + named(w.add_user("u" + std::to_string(i)), "");
  const auto scope = w.client.context->row.scope;
  const auto has_access = [&] {
    bool access = false;
    w.read([&](port::Reader& r) {
      const auto subject = *r.subject(scope, *ResourceId::parse(ann));
      access = subject && subject->access;
    });
    return access;
  };
  const auto change = [&](const std::string& operations) {
    const auto r = w.send("PATCH", "/Groups/" + outer, ops_of(operations));
    INFO(r.text);
    CHECK(r.status < 300);
    w.executor.run_for(std::chrono::seconds(10));
  };
  CHECK_FALSE(has_access());
  const std::string op = GENERATE("add", "replace");
  const std::string whom = GENERATE("value eq", "type ne \\\"User\\\" and value eq");
  change(R"({"op":")" + op + R"(","path":"members","value":[)" + list + R"(]},{"op":"replace","path":"members[)" +
         whom + R"( \")" + team + R"(\"].display","value":"The team"})");
  w.read([&](port::Reader& r) {
    const auto member = *r.member(scope, *ResourceId::parse(outer), *ResourceId::parse(team));
    REQUIRE(member);
    CHECK(member->member_is_group);
    CHECK(member->display == "The team");
  });
  CHECK(has_access());
  change(R"({"op":"replace","path":"members","value":[]})");
  CHECK_FALSE(has_access());
}

TEST_CASE("what a member is called is bounded, wherever it comes in") {
  Named w(false);
  const auto before = w.names();
  const std::string most(1024, 'x');
  const std::string more = most + "x";
  const auto refused = [&](const test::ScimReply& r, const std::string& where) {
    INFO(r.text.substr(0, 500));
    CHECK(r.status == 400);
    CHECK(r.str("/scimType") == "invalidValue");
    CHECK(r.str("/detail").find(where + ": ") != std::string::npos);
    CHECK(r.str("/detail").find("at most 1024 bytes") != std::string::npos);
    CHECK(w.names() == before);
  };
  const auto known = named(w.users[0], more);
  const auto list = "[" + named(w.users[1], "") + "," + known + "]";
  const std::string ok = R"({"op":"add","path":"displayName","value":"G"},)";
  const auto one = R"(members[value eq \")" + w.users[0] + R"(\"])";
  refused(w.send("POST", "/Groups", Named::group(list)), "members[1].display");
  refused(w.send("POST", "/Groups", Named::group(known)), "members.display");
  refused(w.send("PUT", "/Groups/" + w.g, Named::group(list)), "members[1].display");
  for (const std::string op : {"add", "replace"}) {
    INFO(op);
    const auto begin = ok + R"({"op":")" + op + R"(",)";
    refused(w.change(begin + R"("path":"members","value":)" + list + "}"), "Operations[1].members[1].display");
    refused(w.change(begin + R"("value":{"members":)" + list + "}}"), "Operations[1].members[1].display");
    refused(w.change(begin + R"("path":")" + one + R"(.display","value":")" + more + "\"}"),
            "Operations[1].members.display");
    refused(w.change(begin + R"("path":"members[type eq \"User\"].display","value":")" + more + "\"}"),
            "Operations[1].members.display");
    // Of who is no resource here, too.
    refused(w.change(begin + R"("path":"members","value":[)" + named("far-1", more) + "]}"),
            "Operations[1].members[0].display");
  }
  refused(w.change(ok + R"({"op":"replace","path":")" + one + R"(","value":)" + list + "}"),
          "Operations[1].members[1].display");
  const auto bulk = w.send("POST", "/Bulk",
                           R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[
                             {"method":"PUT","path":"/Groups/)" +
                               w.g + R"(","data":)" + Named::group(list) + "}]}");
  CHECK(bulk.str("/Operations/0/status") == "400");
  CHECK(bulk.text.find("at most 1024 bytes") != std::string::npos);
  CHECK(w.names() == before);

  CHECK(w.change(R"({"op":"add","path":"members","value":[)" + named(w.users[0], most) + "," +
                 named("far-1", most) + "]}")
            .status == 200);
  CHECK(w.change(R"({"op":"replace","path":"members[value eq \")" + w.users[1] + R"(\"].display","value":")" +
                 most + "\"}")
            .status == 200);
  for (const auto& [id, display] : w.names()) CHECK(display == most);
}

TEST_CASE("a name for many is stored once until it is worked off") {
  Named w(false);
  std::string list;
  constexpr std::size_t many = 600;
  for (std::size_t i = 0; i < many; ++i)
    list += (list.empty() ? "" : ",") + named(w.add_user("u" + std::to_string(i)), "");
  REQUIRE(w.change(R"({"op":"replace","path":"members","value":[)" + list + "]}").status < 300);
  w.executor.run_for(std::chrono::seconds(5));
  std::size_t stored = 0;
  w.fault = [&](const port::Transaction& txn) -> std::optional<store::CommitFault> {
    for (const auto& op : txn.ops)
      if (const auto* put = std::get_if<port::op::PutWork>(&op)) stored = put->row.payload.size();
    return std::nullopt;
  };
  const std::string display(1000, 'x');
  const auto events = w.activity().size();
  const auto name_all = R"({"op":"replace","path":"members[type eq \"User\"].display","value":")";
  REQUIRE(w.change(name_all + display + "\"}").status < 300);
  w.executor.run_for(std::chrono::seconds(5));
  CHECK(stored > many * 17);
  CHECK(stored < many * 17 + 2 * display.size());
  CHECK(w.names().size() == many);
  for (const auto& [id, shown] : w.names()) REQUIRE(shown == display);
  // Again it is nothing (R13), and none takes it away.
  const auto after = w.activity().size();
  CHECK(after > events);
  REQUIRE(w.change(name_all + display + "\"}").status < 300);
  w.executor.run_for(std::chrono::seconds(5));
  CHECK(w.activity().size() == after);
  REQUIRE(w.change(R"({"op":"remove","path":"members[type eq \"User\"].display"})").status < 300);
  w.executor.run_for(std::chrono::seconds(5));
  for (const auto& [id, shown] : w.names()) REQUIRE(shown == "-");
}

TEST_CASE("the operations of one request name no more members than it may have") {
  service::ScimOptions options;
  options.limits.max_members_per_request = 3;
  Named w(false, options);
  const auto name_all = [](const std::string& display) {
    return R"({"op":"replace","path":"members[type eq \"User\"].display","value":")" + display + "\"}";
  };
  CHECK(w.change(name_all("A")).status == 200);
  CHECK(w.names() == w.these({"A", "A"}));
  const auto r = w.change(name_all("B") + "," + name_all("C"));
  CHECK(r.status == 413);
  CHECK(r.str("/detail").find("max_members_per_request (3)") != std::string::npos);
  CHECK(w.names() == w.these({"A", "A"}));
}
