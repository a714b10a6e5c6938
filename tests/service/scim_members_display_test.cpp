// What the members of a group are called: as the IdP says, and otherwise as they call themselves.
#include <map>
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
  explicit Named(bool sqlite) : ScimWorld("generic", {}, {}, {}, sqlite) {
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
