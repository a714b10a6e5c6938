// Members of groups that are no resource here: kept as they were sent, or refused.
#include <boost/json/serialize.hpp>
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
std::string group(const std::string& rest) {
  return R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"G")" + rest + "}";
}

struct Unknown : ScimWorld {
  explicit Unknown(bool sqlite = false, const std::string& idp = "generic", json::object settings = {},
                   json::object policy = {})
      : ScimWorld(idp, std::move(settings), std::move(policy), {}, sqlite), ann(add_user("ann")) {}

  test::ScimReply change(const std::string& operations) {
    return send("PATCH", "/Groups/" + g, patch(operations));
  }
  /// Values of the members as they are shown.
  std::vector<std::string> now() { return members(g); }
  /// How many groups a filter finds.
  std::string found(const std::string& filter) {
    return json::serialize(get("/Groups?filter=" + filter).at("/totalResults"));
  }
  std::uint64_t rows() {
    std::uint64_t n = 0;
    read([&](port::Reader& r) { n = r.member_count(client.context->row.scope, *ResourceId::parse(g)).value(); });
    return n;
  }
  std::string ann, g;
};

using Values = std::vector<std::string>;

}  // namespace

TEST_CASE("a member that is no resource here is stored, shown, found and removed as any other", "[R13]") {
  const bool sqlite = GENERATE(false, true);
  Unknown w(sqlite);
  const auto made = w.send(
      "POST", "/Groups",
      group(R"(,"members":[{"value":")" + w.ann +
            R"("},{"value":"Fake-1","display":"F","type":"User","$ref":"https://x.example.com/Users/Fake-1"},
               {"value":"fake-1"},{"value":"zwei 2"}])"));
  INFO(made.text);
  REQUIRE(made.status == 201);
  w.g = made.id();
  CHECK(w.now() == Values{"Fake-1", "zwei 2", w.ann});
  CHECK(made.at("/members").as_array().size() == 3);
  CHECK(w.rows() == 1);
  CHECK(made.header("etag") == w.get("/Groups/" + w.g).header("etag"));
  CHECK(json::serialize(w.get("/Groups/" + w.g + "?attributes=members,members.display").at("/members/0")) ==
        R"({"value":"Fake-1","$ref":"https://x.example.com/Users/Fake-1","type":"User","display":"F"})");
  CHECK(json::serialize(w.get("/Groups/" + w.g + "?attributes=members.value").at("/members/0")) ==
        R"({"value":"Fake-1"})");
  const auto without = w.get("/Groups/" + w.g + "?excludedAttributes=members");
  CHECK(without.text.find("ake") == std::string::npos);
  CHECK(without.text.find("members") == std::string::npos);
  CHECK(w.get("/Groups/" + w.g + "?attributes=displayName").text.find("ake") == std::string::npos);

  SECTION("found") {
    w.add_group("H", {w.ann});
    CHECK(w.found("members.value%20eq%20%22FAKE-1%22") == "1");
    CHECK(w.found("members%5Bvalue%20eq%20%22zwei%202%22%5D") == "1");
    CHECK(w.found("members.value%20eq%20%22fake-3%22") == "0");
    CHECK(w.found("members.value%20co%20%22ake%22") == "1");
    CHECK(w.found("members.display%20eq%20%22f%22") == "1");
    CHECK(w.found("members.value%20eq%20%22" + w.ann + "%22") == "2");
    CHECK(w.found("displayName%20eq%20%22g%22%20and%20members.value%20eq%20%22fake-1%22") == "1");
    CHECK(w.found("displayName%20eq%20%22h%22%20and%20members.value%20eq%20%22fake-1%22") == "0");
    CHECK(w.found("not%20(members.value%20eq%20%22fake-1%22)") == "1");
    CHECK(w.found("emails.value%20eq%20%22%1Ffake-1%22") != "1");
    CHECK(w.change(R"({"op":"remove","path":"members[value eq \"FAKE-1\"]"})").status == 200);
    CHECK(w.found("members.value%20eq%20%22FAKE-1%22") == "0");
    CHECK(w.found("members.value%20eq%20%22zwei%202%22") == "1");
    CHECK(w.send("DELETE", "/Groups/" + w.g).status == 204);
    CHECK(w.found("members.value%20eq%20%22zwei%202%22") == "0");
  }
  SECTION("twice is once") {
    const auto before = w.activity().size();
    const auto again =
        w.change(R"({"op":"add","path":"members","value":[{"value":"Fake-1"},{"value":"zwei 2"}]})");
    CHECK(again.status == 200);
    CHECK(again.header("etag") == made.header("etag"));
    CHECK(w.send("PUT", "/Groups/" + w.g, made.text).header("etag") == made.header("etag"));
    CHECK(w.change(R"({"op":"remove","path":"members[value eq \"fake-9\"]"})").header("etag") ==
          made.header("etag"));
    CHECK(w.activity().size() == before);
    CHECK(json::serialize(w.get("/Groups/" + w.g + "?attributes=members.display").at("/members")).find("\"F\"") !=
          std::string::npos);
  }
  SECTION("removed") {
    CHECK(w.change(R"({"op":"remove","path":"members","value":[{"value":"fake-1"}]})").status == 200);
    CHECK(w.now() == Values{"zwei 2", w.ann});
    CHECK(w.get("/Groups/" + w.g).header("etag") != made.header("etag"));
    CHECK(w.change(R"({"op":"remove","path":"members[value sw \"zwei\"]"})").status == 200);
    CHECK(w.now() == Values{w.ann});
    CHECK(w.row(w.g).document.find("members") == std::string::npos);
  }
  SECTION("replaced") {
    CHECK(w.change(R"({"op":"replace","path":"members","value":[{"value":"fake-3"}]})").status == 200);
    CHECK(w.now() == Values{"fake-3"});
    CHECK(w.rows() == 0);
    CHECK(w.change(R"({"op":"replace","path":"members[value eq \"fake-3\"]","value":[{"value":"fake-4"}]})")
              .status == 200);
    CHECK(w.now() == Values{"fake-4"});
    const auto none =
        w.change(R"({"op":"replace","path":"members[value eq \"fake-3\"]","value":[{"value":"x"}]})");
    CHECK(none.status == 400);
    CHECK(none.str("/scimType") == "noTarget");
    CHECK(w.change(R"({"op":"remove","path":"members"})").status == 200);
    CHECK(w.now().empty());
    CHECK(w.found("members%20pr") == "0");
  }
  SECTION("missing is not empty") {
    const auto renamed =
        w.send("PUT", "/Groups/" + w.g,
               R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"N"})");
    CHECK(renamed.status == 200);
    CHECK(w.now() == Values{"Fake-1", "zwei 2", w.ann});
    CHECK(w.change(R"({"op":"replace","value":{"displayName":"M"}})").status == 200);
    CHECK(w.now() == Values{"Fake-1", "zwei 2", w.ann});
    CHECK(w.found("members.value%20eq%20%22fake-1%22") == "1");
    CHECK(w.send("PUT", "/Groups/" + w.g, group(R"(,"members":[])")).status == 200);
    CHECK(w.now().empty());
  }
  SECTION("the only ones") {
    CHECK(w.change(R"({"op":"remove","path":"members[value eq \")" + w.ann + R"(\"]"})").status == 200);
    CHECK(w.now() == Values{"Fake-1", "zwei 2"});
    CHECK(w.found("members%20pr") == "1");
    CHECK(w.get("/Groups").at("/Resources/0/members").as_array().size() == 2);
  }
}

TEST_CASE("the activity names new members that are no resource here; they are nobody's grant", "[R1]") {
  const bool sqlite = GENERATE(false, true);
  Unknown w(sqlite, "generic", {}, {{"entitling_groups", {json::object{{"display_name", "G"}}}}});
  const auto made = w.send("POST", "/Groups", group(R"(,"members":[{"value":"fake-1"}])"));
  REQUIRE(made.status == 201);
  w.g = made.id();
  CHECK(w.activity().back().detail->find(R"("unknown_members":["fake-1"])") != std::string::npos);
  REQUIRE(w.change(R"({"op":"add","path":"members","value":[{"value":"fake-1"},{"value":"fake-2"},{"value":")" +
                   w.ann + "\"}]}")
              .status == 200);
  bool named = false;
  for (const auto& a : w.activity()) {
    named = named || a.detail->find(R"("unknown_members":["fake-2"])") != std::string::npos;
    if (a.event == "group.members_changed") CHECK(a.detail->find(R"("added":1)") != std::string::npos);
  }
  CHECK(named);
  CHECK(w.rows() == 1);
  w.read([&](port::Reader& r) {
    const auto& scope = w.client.context->row.scope;
    CHECK(r.members(scope, *ResourceId::parse(w.g), std::nullopt, 10).value().rows.size() == 1);
  });
  REQUIRE(w.change(R"({"op":"remove","path":"members","value":[{"value":"fake-1"},{"value":"fake-2"}]})").status ==
          200);
  CHECK(w.events("removal.settling") == 0);
  CHECK(w.events("removal.requested") == 0);
  CHECK(w.now() == Values{w.ann});
}

TEST_CASE("members that are no resource here are refused where the IdP or the setting says so") {
  const auto add = [](Unknown& w, const std::string& value) {
    return w.change(R"({"op":"add","path":"members","value":[{"value":")" + value + "\"}]}");
  };
  SECTION("by dialect and setting") {
    for (const auto& [idp, setting, kept] :
         {std::tuple("generic", "", true), std::tuple("okta", "", false), std::tuple("entra", "", false),
          std::tuple("okta", "keep", true), std::tuple("generic", "refuse", false)}) {
      json::object settings{{"patch_answer", "resource"}};
      if (*setting != '\0') settings["unknown_members"] = setting;
      Unknown w(false, idp, settings);
      w.g = w.add_group("G");
      INFO(idp << " " << setting);
      const auto r = add(w, "fake-1");
      CHECK(r.status == (kept ? 200 : 400));
      if (kept) continue;
      CHECK(r.str("/scimType") == "invalidValue");
      CHECK(r.str("/detail").find("fake-1") != std::string::npos);
      CHECK(w.now().empty());
    }
  }
  SECTION("who was deleted, and what can be no member") {
    Unknown w;
    w.g = w.add_group("G");
    REQUIRE(w.send("DELETE", "/Users/" + w.ann).status == 204);
    CHECK(add(w, w.ann).status == 400);
    CHECK(add(w, "bulkId:x").status == 400);
    CHECK(add(w, std::string(1025, 'x')).status == 400);
    CHECK(add(w, "").status == 400);
    CHECK(w.now().empty());
  }
  SECTION("too many") {
    Unknown w;
    w.g = w.add_group("G");
    std::string list;
    for (int i = 0; i < 1000; ++i)
      list += (i == 0 ? R"({"value":"f)" : R"(,{"value":"f)") + std::to_string(i) + "\"}";
    CHECK(w.change(R"({"op":"add","path":"members","value":[)" + list + "]}").status == 200);
    const auto r = add(w, "one more");
    CHECK(r.status == 413);
    CHECK(r.str("/detail").find("1000") != std::string::npos);
    CHECK(w.now().size() == 1000);
    CHECK(add(w, "f7").status == 200);
  }
  SECTION("those that were kept before can be removed") {
    Unknown w;
    w.g = w.add_group("G", {"fake-1", "fake-2"});
    w.engine->update_integration(w.owner, w.client.context->row.scope.integration,
                                 {{"settings", json::object{{"unknown_members", "refuse"}}}},
                                 [](const Result<port::IntegrationRow>& r) { REQUIRE(r.has_value()); });
    w.executor.run_for(std::chrono::seconds(5));
    CHECK(add(w, "fake-3").status == 400);
    CHECK(w.change(R"({"op":"replace","value":{"displayName":"H"}})").status == 200);
    CHECK(w.now() == Values{"fake-1", "fake-2"});
    CHECK(w.change(R"({"op":"remove","path":"members[value eq \"fake-1\"]"})").status == 200);
    CHECK(w.now() == Values{"fake-2"});
  }
}
