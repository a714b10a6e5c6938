// Users: made, read, changed, deleted, and taken up again.
#include <boost/json/serialize.hpp>
#include <deprov/time.hpp>
#include <map>
#include <set>
#include "catch.hpp"
#include "support/scim_world.hpp"

using namespace deprov;
namespace json = boost::json;
using deprov::test::ScimWorld;

namespace {

/// RFC 7644 section 3.3, with what a server has to drop.
constexpr const char* full_user = R"({
  "schemas":["urn:ietf:params:scim:schemas:core:2.0:User",
             "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
  "id":"ignored","userName":"bjensen@example.com","externalId":"bjensen",
  "name":{"formatted":"Ms. Barbara J Jensen III","familyName":"Jensen","givenName":"Barbara"},
  "emails":[{"value":"bjensen@example.com","type":"work","primary":true},{"value":"babs@example.org","type":"home"}],
  "groups":[{"value":"nothing"}],"password":"t1meMa$heen","nickName":null,"phoneNumbers":[],
  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"701984","department":"Tours"}})";

std::string patch(const std::string& operations) {
  return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)" + operations + "]}";
}
std::string user(const std::string& name, const std::string& rest = {}) {
  return R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":")" + name + "\"" + rest + "}";
}
const std::string off = patch(R"({"op":"replace","path":"active","value":false})");
const std::string on = patch(R"({"op":"replace","path":"active","value":true})");

}  // namespace

TEST_CASE("POST makes a user and answers it whole") {
  ScimWorld w;
  const auto r = w.send("POST", "/Users", full_user);
  INFO(r.text);
  REQUIRE(r.status == 201);
  const auto id = r.id();
  CHECK(id.size() == 36);
  const auto url = "http://gw.example.com" + w.client.base + "/Users/" + id;
  CHECK(r.header("location") == url);
  CHECK(r.header("etag") == "W/\"1\"");
  CHECK(r.str("/meta/location") == url);
  CHECK(r.str("/meta/resourceType") == "User");
  CHECK(r.str("/meta/version") == "W/\"1\"");
  CHECK(r.str("/meta/created") == to_rfc3339(w.clock.wall()));
  CHECK(r.str("/meta/lastModified") == to_rfc3339(w.clock.wall()));
  CHECK(r.str("/userName") == "bjensen@example.com");
  CHECK(r.at("/active") == true);
  CHECK(r.str("/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/department") == "Tours");
  CHECK(r.text.find("t1meMa") == std::string::npos);
  CHECK(r.at("/nickName").is_null());

  const auto got = w.get("/Users/" + id);
  CHECK(got.status == 200);
  CHECK(got.header("etag") == "W/\"1\"");
  CHECK(got.at("/name") == r.at("/name"));
  CHECK(got.at("/emails") == r.at("/emails"));
  CHECK(got.at("/meta") == r.at("/meta"));
  CHECK(got.at("/groups") == json::array());

  const auto row = w.row(id);
  CHECK(row.external_id == "bjensen");
  CHECK(row.user_name_key == "bjensen@example.com");
  CHECK(row.email_keys == std::vector<std::string>{"babs@example.org", "bjensen@example.com"});
  CHECK(row.active);
  for (const auto* not_stored : {"password", "t1meMa", "\"id\"", "\"meta\"", "\"groups\""})
    CHECK(row.document.find(not_stored) == std::string::npos);
  CHECK(w.events("user.created") == 1);
}

TEST_CASE("the activity says who, how and by which request") {
  ScimWorld w("okta");
  const auto r = w.send("POST", "/Users", user("ann", R"(,"password":"t1meMa$heen")"));
  REQUIRE(r.status == 201);
  for (const auto& row : w.activity())
    if (row.event == "user.created") {
      CHECK(row.actor == "idp:okta");
      REQUIRE(row.detail);
      CHECK(row.detail->find(R"("ignored":["password is not stored"])") != std::string::npos);
      CHECK(row.detail->find("t1meMa") == std::string::npos);
      CHECK(row.detail->find(r.header("x-request-id")) != std::string::npos);
      CHECK(row.detail->find("\"POST\"") != std::string::npos);
      CHECK(row.subject.str() == r.id());
    }
}

TEST_CASE("what was asked for and is not stored is on the activity, even where nothing else changes") {
  ScimWorld w("generic");
  const auto id = w.add_user("ann");
  const auto noted = [&] { return w.events("request.ignored"); };
  const auto etag = w.get("/Users/" + id).header("etag");
  const auto only = w.send("PATCH", "/Users/" + id,
                           R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
                             {"op":"replace","path":"password","value":"t1meMa$heen"}]})");
  CHECK(only.status == 200);
  CHECK(only.header("etag") == etag);
  REQUIRE(noted() == 1);
  const auto last = w.activity().back();
  CHECK(last.subject.str() == id);
  CHECK(last.detail->find(R"("ignored":["password is not stored"])") != std::string::npos);
  CHECK(last.detail->find("t1meMa") == std::string::npos);
  CHECK(last.detail->find(only.header("x-request-id")) != std::string::npos);
  // A whole resource likewise.
  CHECK(w.send("PUT", "/Users/" + id, user("ann", R"(,"active":true,"password":"t1meMa$heen")")).status == 200);
  CHECK(noted() == 2);
  // What asks for nothing leaves no trace, and what changes something has its own record.
  CHECK(w.send("PUT", "/Users/" + id, user("ann", R"(,"active":true)")).status == 200);
  CHECK(w.send("PATCH", "/Users/" + id,
               R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
                 {"op":"replace","path":"password","value":"x"},{"op":"replace","path":"title","value":"T"}]})")
            .status == 200);
  CHECK(noted() == 2);
  CHECK(w.activity().back().detail->find("password is not stored") != std::string::npos);
}

TEST_CASE("POST of an existing userName is 409, active or not, and revives nobody", "[R12]") {
  ScimWorld w("okta");
  const auto id = w.add_user("Ann@Example.com");
  const auto again = w.send("POST", "/Users", user("ANN@example.COM"));
  CHECK(again.status == 409);
  CHECK(again.str("/scimType") == "uniqueness");
  CHECK(w.send("PATCH", "/Users/" + id, off).status == 200);
  CHECK(w.send("POST", "/Users", user("ann@example.com", R"(,"active":true)")).status == 409);
  CHECK(w.get("/Users/" + id).at("/active") == false);
  CHECK(w.events("user.created") == 1);
}

TEST_CASE("a name that is taken in between is 409 as well", "[R12]") {
  ScimWorld w;
  w.fault = [&](const port::Transaction&) -> std::optional<store::CommitFault> {
    return store::CommitFault{Error(Errc::uniqueness, "taken", "userName"), false};
  };
  const auto r = w.send("POST", "/Users", user("ann"));
  CHECK(r.status == 409);
  CHECK(r.str("/scimType") == "uniqueness");
}

TEST_CASE("a rename to a taken name is 409 and changes nothing", "[R12]") {
  ScimWorld w;
  const auto ann = w.add_user("ann");
  w.add_user("bob");
  CHECK(w.send("PUT", "/Users/" + ann, user("BOB")).status == 409);
  CHECK(w.send("PATCH", "/Users/" + ann, patch(R"({"op":"replace","path":"userName","value":"bob"})")).status ==
        409);
  CHECK(w.get("/Users/" + ann).str("/userName") == "ann");
  // One's own name in other letters is no conflict.
  const auto own = w.send("PUT", "/Users/" + ann, user("ANN"));
  CHECK(own.status == 200);
  CHECK(own.str("/userName") == "ANN");
}

TEST_CASE("a rename is no leaver", "[R12]") {
  ScimWorld w;
  const auto id = w.add_user("ann");
  CHECK(w.send("PATCH", "/Users/" + id, patch(R"({"op":"replace","path":"userName","value":"ann.b"})")).status ==
        200);
  CHECK(w.events("user.renamed") == 1);
  CHECK(w.events("removal.requested") == 0);
  CHECK(w.get("/Users?filter=userName%20eq%20%22ann%22").str("/totalResults") == "0");
  CHECK(w.get("/Users?filter=userName%20eq%20%22ANN.B%22").str("/Resources/0/id") == id);
}

TEST_CASE("after DELETE the id is 404 and the name is free", "[R12]") {
  ScimWorld w("entra");
  const auto id = w.add("/Users", user("ann", R"(,"externalId":"x1")"));
  const auto gone = w.send("DELETE", "/Users/" + id);
  CHECK(gone.status == 204);
  CHECK(gone.text.empty());
  CHECK(gone.header("content-type").empty());
  CHECK(w.events("removal.requested") == 1);
  for (const auto* method : {"GET", "DELETE"}) CHECK(w.send(method, "/Users/" + id).status == 404);
  CHECK(w.send("PATCH", "/Users/" + id, on).status == 404);
  CHECK(w.send("PUT", "/Users/" + id, user("ann")).status == 404);
  CHECK(w.get("/Users").str("/totalResults") == "0");
  CHECK(w.row(id).deleted);
  // Entra ID's externalId may be somebody else's: a new subject.
  const auto next = w.send("POST", "/Users", user("ann", R"(,"externalId":"x1")"));
  CHECK(next.status == 201);
  CHECK(next.id() != id);
}

TEST_CASE("a POST with an immutable externalId takes the tombstone up again", "[R12]") {
  ScimWorld w("okta");
  const auto id = w.add("/Users", user("ann", R"(,"externalId":"00u1")"));
  const auto created = w.get("/Users/" + id).str("/meta/created");
  CHECK(w.send("DELETE", "/Users/" + id).status == 204);
  w.clock.advance(std::chrono::hours(1));
  const auto back = w.send("POST", "/Users", user("ann.new", R"(,"externalId":"00u1")"));
  INFO(back.text);
  REQUIRE(back.status == 201);
  CHECK(back.id() == id);
  CHECK(back.str("/userName") == "ann.new");
  CHECK(back.str("/meta/created") == created);
  CHECK(back.str("/meta/lastModified") != created);
  CHECK(back.header("etag") == "W/\"3\"");
  CHECK(w.get("/Users/" + id).str("/userName") == "ann.new");
  CHECK(w.get("/Users?filter=userName%20eq%20%22ann.new%22").str("/totalResults") == "1");
  CHECK(w.get("/Users?filter=externalId%20eq%20%2200u1%22").str("/totalResults") == "1");
  SECTION("while it lives the same externalId is somebody else's no more") {
    const auto twice = w.send("POST", "/Users", user("other", R"(,"externalId":"00u1")"));
    CHECK(twice.status == 409);
    CHECK(twice.str("/scimType") == "uniqueness");
  }
  SECTION("an integration can say otherwise") {
    const auto entra = w.integrate("entra", {{"external_id_immutable", true}});
    const auto first = w.send_as(entra, "POST", "/Users", user("ann", R"(,"externalId":"x")"));
    CHECK(w.send_as(entra, "DELETE", "/Users/" + first.id()).status == 204);
    CHECK(w.send_as(entra, "POST", "/Users", user("ann", R"(,"externalId":"x")")).id() == first.id());
    const auto okta = w.integrate("okta", {{"external_id_immutable", false}});
    const auto a = w.send_as(okta, "POST", "/Users", user("ann", R"(,"externalId":"x")"));
    CHECK(w.send_as(okta, "DELETE", "/Users/" + a.id()).status == 204);
    CHECK(w.send_as(okta, "POST", "/Users", user("ann", R"(,"externalId":"x")")).id() != a.id());
  }
}

TEST_CASE("PUT without active or externalId keeps them", "[R10]") {
  ScimWorld w;
  const auto id =
      w.add("/Users", user("ann", R"(,"externalId":"e","active":false,"displayName":"Ann","title":"Dr")"));
  const auto r = w.send("PUT", "/Users/" + id, user("ann", R"(,"displayName":"Ann B")"));
  INFO(r.text);
  CHECK(r.status == 200);
  CHECK(r.at("/active") == false);
  CHECK(r.str("/externalId") == "e");
  CHECK(r.str("/displayName") == "Ann B");
  CHECK(r.at("/title").is_null());
  CHECK_FALSE(w.row(id).active);
  CHECK(w.events("user.reactivated") == 0);
}

TEST_CASE("active that is taken away is unassigned, and nobody's access ends or begins by that", "[R1][R10]") {
  ScimWorld w;
  for (const bool active : {true, false}) {
    const auto name = active ? std::string("ann") : std::string("bob");
    const auto id = w.add("/Users", user(name, active ? R"(,"active":true)" : R"(,"active":false)"));
    const auto r = w.send("PATCH", "/Users/" + id, patch(R"({"op":"remove","path":"active"})"));
    CHECK(r.status == 200);
    CHECK(r.at("/active").is_null());
    CHECK(r.header("etag") == "W/\"2\"");
    CHECK(w.get("/Users/" + id).at("/active").is_null());
    CHECK(w.row(id).active == active);
    // Again it changes nothing, and what says nothing of it leaves it as it is.
    CHECK(w.send("PATCH", "/Users/" + id, patch(R"({"op":"remove","path":"active"})")).header("etag") ==
          "W/\"2\"");
    CHECK(w.send("PUT", "/Users/" + id, user(name, R"(,"title":"Dr")")).at("/active").is_null());
    CHECK(w.row(id).active == active);
  }
  CHECK(w.events("user.reactivated") + w.events("removal.requested") == 0);
  std::size_t noted = 0;
  for (const auto& row : w.activity())
    if (row.detail && row.detail->find("active: it is unassigned now") != std::string::npos) ++noted;
  CHECK(noted == 2);
  // What is neither true nor false, and no removal, has not said what is meant.
  const auto id = w.add_user("cho");
  for (const auto* operation :
       {R"({"op":"replace","path":"active","value":null})", R"({"op":"replace","value":{"active":null}})"}) {
    const auto r = w.send("PATCH", "/Users/" + id, patch(operation));
    CHECK(r.status == 400);
    CHECK(r.str("/scimType") == "invalidValue");
    CHECK(r.str("/detail").find("would stay active") != std::string::npos);
  }
  // Said again, it counts again.
  CHECK(w.send("PATCH", "/Users/" + id, patch(R"({"op":"remove","path":"active"})")).status == 200);
  CHECK(w.send("PATCH", "/Users/" + id, off).at("/active") == false);
  CHECK(w.events("removal.requested") == 1);
}

TEST_CASE("an answer that holds a resource says where it is") {
  ScimWorld w;
  const auto id = w.add_user("ann");
  const auto group = w.add_group("G", {id});
  for (const auto& path : {"/Users/" + id, "/Groups/" + group}) {
    INFO(path);
    const auto where = "http://gw.example.com" + w.client.base + path;
    const auto name = path.starts_with("/U") ? R"("title":"T")" : R"("displayName":"H")";
    for (const auto& r :
         {w.get(path), w.send("PATCH", path, patch(R"({"op":"add","value":{)" + std::string(name) + "}}"))}) {
      CHECK(r.status == 200);
      CHECK(r.str("/meta/location") == where);
      CHECK(r.header("location") == where);
      CHECK(r.header("content-location") == where);
      CHECK(r.header("etag") == r.str("/meta/version"));
    }
  }
}

TEST_CASE("members are shown with their names where that is asked for") {
  ScimWorld w;
  const auto ann = w.add("/Users", user("ann", R"(,"displayName":"Ann \"A\" B")"));
  const auto inner = w.add_group("inner");
  const auto bob = w.add_user("bob");
  const auto at = "/Groups/" + w.add_group("G", {ann, inner, bob});
  CHECK(w.get(at).text.find("display\":\"bob") == std::string::npos);
  CHECK(w.get(at + "?attributes=members").text.find("\"display\"") == std::string::npos);
  std::set<std::string> names;
  const auto r = w.get(at + "?attributes=members.display");
  INFO(r.text);
  const auto members = r.at("/members");
  for (const auto& m : members.as_array()) {
    CHECK(m.as_object().size() == 1);
    names.insert(std::string(m.at("display").as_string()));
  }
  CHECK(names == std::set<std::string>{"Ann \"A\" B", "inner", "bob"});
  // What is said is kept; an answer that is sent back says no more than was stored.
  const auto cho = w.add_user("cho");
  const auto written =
      w.send("PATCH", at,
             patch(R"({"op":"add","path":"members","value":[{"value":")" + cho + R"(","display":"whatever"}]})"));
  CHECK(written.text.find("\"display\":\"whatever\"") != std::string::npos);
  CHECK(written.text.find("\"display\":\"bob\"") == std::string::npos);
  CHECK(w.send("PUT", at, written.text).header("etag") == written.header("etag"));
  CHECK(w.get(at).text.find("\"display\":\"bob\"") == std::string::npos);
  const auto again =
      w.send("PATCH", at, patch(R"({"op":"add","path":"members","value":[{"value":")" + cho + R"("}]})"));
  CHECK(again.text.find("\"display\":\"whatever\"") != std::string::npos);
  CHECK(again.text.find("\"display\":\"bob\"") == std::string::npos);
}

TEST_CASE("groups of a user: direct ones, and those that these are in") {
  ScimWorld w;
  const auto ann = w.add_user("ann");
  const auto inner = w.add_group("inner", {ann});
  const auto outer = w.add_group("outer", {inner});
  const auto top = w.add_group("top", {outer, ann});
  const auto r = w.get("/Users/" + ann);
  INFO(r.text);
  const auto groups = r.at("/groups");
  REQUIRE(groups.as_array().size() == 3);
  std::map<std::string, std::string> kinds;
  for (const auto& g : groups.as_array())
    kinds[std::string(g.at("value").as_string())] = std::string(g.at("type").as_string());
  CHECK(kinds == std::map<std::string, std::string>{{inner, "direct"}, {top, "direct"}, {outer, "indirect"}});
  CHECK(w.get("/Users?filter=groups.type%20eq%20%22indirect%22").str("/totalResults") == "1");
  CHECK(w.get("/Users?filter=groups.display%20eq%20%22OUTER%22").str("/totalResults") == "1");
  const auto in = [&](const std::string& group) {
    return w.get("/Users?filter=groups.value%20eq%20%22" + group + "%22").str("/totalResults");
  };
  CHECK(in(outer) == "1");
  CHECK(in(top) == "1");
  CHECK(w.send("PATCH", "/Groups/" + inner, patch(R"({"op":"remove","path":"members"})")).status == 200);
  CHECK(in(outer) == "0");
  CHECK(in(top) == "1");
  // They are changed through the groups alone.
  CHECK(w.send("PATCH", "/Users/" + ann, patch(R"({"op":"remove","path":"groups"})")).str("/scimType") ==
        "mutability");
}

TEST_CASE("the core schema's URN may stand before every name, and around all of them") {
  ScimWorld w;
  const auto r = w.send("POST", "/Users", R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],
    "urn:ietf:params:scim:schemas:core:2.0:User":{"userName":"ann","Title":"T"},
    "URN:ietf:params:scim:schemas:core:2.0:user:nickName":"A"})");
  INFO(r.text);
  REQUIRE(r.status == 201);
  CHECK(r.str("/title") == "T");
  CHECK(r.str("/nickName") == "A");
  const auto twice = w.send("POST", "/Users", R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],
    "userName":"bob","urn:ietf:params:scim:schemas:core:2.0:User":{"userName":"ann"}})");
  CHECK(twice.status == 400);
  // An extension that names itself says nothing new.
  const auto extended = w.send("PATCH", "/Users/" + r.id(), patch(R"({"op":"add",
    "path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    "value":{"schemas":["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"division":"D"}})"));
  CHECK(extended.status == 200);
  CHECK(extended.text.find(R"("division":"D")") != std::string::npos);
}

TEST_CASE("no filter asks for a password") {
  ScimWorld w;
  const auto r = w.get("/Users?filter=password%20sw%20%22a%22");
  CHECK(r.status == 400);
  CHECK(r.str("/scimType") == "invalidFilter");
}

TEST_CASE("what changes nothing stores nothing", "[R13]") {
  ScimWorld w;
  const auto id = w.add("/Users", user("ann", R"(,"displayName":"Ann")"));
  REQUIRE(w.send("PATCH", "/Users/" + id, off).status == 200);
  const auto version = w.row(id).version;
  const auto records = w.activity().size();
  const auto again = w.send("PATCH", "/Users/" + id, off);
  CHECK(again.status == 200);
  CHECK(again.at("/active") == false);
  CHECK(again.header("etag") == "W/\"" + std::to_string(version) + "\"");
  CHECK(w.send("PUT", "/Users/" + id, user("ann", R"(,"displayName":"Ann","active":false)")).status == 200);
  CHECK(w.row(id).version == version);
  CHECK(w.activity().size() == records);
  CHECK(w.events("removal.requested") == 1);
}

TEST_CASE("PATCH active touches no index") {
  ScimWorld w;
  const auto id = w.add("/Users", user("ann", R"(,"emails":[{"value":"a@x","type":"work"}])"));
  std::vector<bool> keys_changed;
  w.fault = [&](const port::Transaction& txn) -> std::optional<store::CommitFault> {
    for (const auto& op : txn.ops)
      if (const auto* put = std::get_if<port::op::PutResource>(&op)) keys_changed.push_back(put->keys_changed);
    return std::nullopt;
  };
  const auto send = [&](const std::string& body) { CHECK(w.send("PATCH", "/Users/" + id, body).status == 200); };
  send(off);
  send(patch(R"({"op":"replace","path":"title","value":"Dr"})"));
  send(patch(R"({"op":"replace","path":"userName","value":"ANN"})"));
  send(patch(R"({"op":"replace","path":"emails[type eq \"work\"].value","value":"b@x"})"));
  send(patch(R"({"op":"replace","path":"externalId","value":"1"})"));
  send(patch(R"({"op":"replace","path":"displayName","value":"A"})"));
  CHECK(keys_changed == std::vector<bool>{false, false, false, true, true, true});
  CHECK(w.get("/Users?filter=emails.value%20eq%20%22B@X%22").str("/Resources/0/id") == id);
  CHECK(w.get("/Users?filter=emails.value%20eq%20%22a@x%22").str("/totalResults") == "0");
}

TEST_CASE("how a PATCH is answered") {
  SECTION("the IdP's way") {
    ScimWorld okta("okta");
    const auto a = okta.add_user("ann");
    const auto whole = okta.send("PATCH", "/Users/" + a, off);
    CHECK(whole.status == 200);
    CHECK(whole.id() == a);
    CHECK(whole.header("etag") == "W/\"2\"");
    ScimWorld entra("entra");
    const auto b = entra.add_user("bob");
    const auto none = entra.send("PATCH", "/Users/" + b, off);
    CHECK(none.status == 204);
    CHECK(none.text.empty());
    CHECK(none.header("etag") == "W/\"2\"");
    CHECK_FALSE(entra.row(b).active);
    // RFC 7644 section 3.5.2: who names attributes gets an answer.
    const auto named = entra.send("PATCH", "/Users/" + b + "?attributes=active", on);
    CHECK(named.status == 200);
    CHECK(named.at("/active") == true);
    CHECK(named.at("/userName").is_null());
  }
  SECTION("the integration's way") {
    ScimWorld w("okta", {{"patch_answer", "no_content"}});
    CHECK(w.send("PATCH", "/Users/" + w.add_user("ann"), off).status == 204);
    ScimWorld v("entra", {{"patch_answer", "resource"}});
    CHECK(v.send("PATCH", "/Users/" + v.add_user("ann"), off).status == 200);
  }
}

TEST_CASE("versions") {
  ScimWorld w;
  const auto id = w.add_user("ann");
  const auto one = "/Users/" + id;
  SECTION("reads") {
    const auto same = w.send("GET", one, {}, {{"If-None-Match", "W/\"1\""}});
    CHECK(same.status == 304);
    CHECK(same.text.empty());
    CHECK(same.header("etag") == "W/\"1\"");
    CHECK(w.send("GET", one, {}, {{"If-None-Match", "W/\"7\""}}).status == 200);
    CHECK(w.send("GET", one, {}, {{"If-None-Match", "\"9\", W/\"1\""}}).status == 304);
    CHECK(w.send("GET", one, {}, {{"If-None-Match", "*"}}).status == 304);
    CHECK(w.send("GET", one, {}, {{"If-Match", "W/\"7\""}, {"If-None-Match", "W/\"1\""}}).status == 412);
    CHECK(w.send("GET", one, {}, {{"If-Match", "W/\"7\""}}).status == 412);
  }
  SECTION("writes") {
    CHECK(w.send("PATCH", one, off, {{"If-Match", "W/\"2\""}}).status == 412);
    CHECK(w.send("PUT", one, user("ann", R"(,"title":"x")"), {{"If-Match", "\"9\""}}).status == 412);
    CHECK(w.send("DELETE", one, {}, {{"If-Match", "W/\"2\", W/\"3\""}}).status == 412);
    CHECK(w.send("PATCH", one, off, {{"If-None-Match", "*"}}).status == 412);
    CHECK(w.row(id).version == 1);
    CHECK(w.send("PATCH", one, off, {{"If-Match", "W/\"1\""}}).status == 200);
    CHECK(w.send("PATCH", one, on, {{"If-Match", "W/\"1\""}}).status == 412);
    CHECK(w.send("PATCH", one, on, {{"If-Match", "*"}}).status == 200);
    CHECK(w.send("DELETE", one, {}, {{"If-Match", "\"3\""}}).status == 204);
  }
  SECTION("no list of tags") { CHECK(w.send("PATCH", one, off, {{"If-Match", "W/\"1"}}).status == 400); }
}

TEST_CASE("attributes and excludedAttributes") {
  ScimWorld w;
  const auto id = w.add("/Users", full_user);
  const auto keys = [&](const std::string& query) {
    const auto r = w.get("/Users/" + id + query);
    REQUIRE(r.status == 200);
    std::string out;
    for (const auto& m : r.body.get_object()) {
      const std::string_view key = m.key();
      out += (out.empty() ? "" : " ") + std::string(key.substr(0, key.find(':')));
    }
    return out;
  };
  const auto has = [](const std::string& list, const std::string& word) {
    return (" " + list + " ").find(" " + word + " ") != std::string::npos;
  };
  const auto only = keys("?attributes=userName,name.givenName");
  CHECK(has(only, "id"));
  CHECK(has(only, "schemas"));
  CHECK(has(only, "userName"));
  CHECK_FALSE(has(only, "emails"));
  CHECK_FALSE(has(only, "meta"));
  CHECK_FALSE(has(only, "groups"));
  const auto name = w.get("/Users/" + id + "?attributes=name.givenName").at("/name");
  CHECK(name == json::object{{"givenName", "Barbara"}});
  const auto less = keys("?excludedAttributes=emails,groups,id");
  CHECK_FALSE(has(less, "emails"));
  CHECK_FALSE(has(less, "groups"));
  CHECK(has(less, "id"));
  CHECK(has(less, "userName"));
  CHECK(has(less, "urn"));
  CHECK(has(keys("?attributes=meta.version"), "meta"));
  CHECK(has(keys("?attributes=urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"), "urn"));
  CHECK_FALSE(has(keys("?excludedAttributes=urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"), "urn"));
  CHECK_FALSE(has(keys("?attributes=password"), "password"));
  const auto post = w.send("POST", "/Users?attributes=userName", user("zoe", R"(,"title":"x")"));
  CHECK(post.status == 201);
  CHECK(post.str("/userName") == "zoe");
  CHECK(post.at("/title").is_null());
  CHECK(w.send("PUT", "/Users/" + post.id() + "?excludedAttributes=title", user("zoe", R"(,"title":"y")"))
            .at("/title")
            .is_null());
}

TEST_CASE("a user shows the groups that name it, and the ones that these are in") {
  ScimWorld w;
  const auto ann = w.add_user("ann");
  const auto a = w.add_group(R"(A \"quoted\")", {ann});
  const auto inner = w.add_group("B", {ann});
  w.add_group("outer", {inner});
  const auto r = w.get("/Users/" + ann);
  INFO(r.text);
  REQUIRE(r.at("/groups").is_array());
  REQUIRE(r.at("/groups").get_array().size() == 3);
  CHECK(r.str("/groups/0/value") == a);
  CHECK(r.str("/groups/0/display") == "A \"quoted\"");
  CHECK(r.str("/groups/0/$ref") == "http://gw.example.com" + w.client.base + "/Groups/" + a);
  CHECK(r.str("/groups/0/type") == "direct");
  CHECK(r.str("/groups/1/value") == inner);
  CHECK(r.str("/groups/2/type") == "indirect");
  CHECK(w.send("PATCH", "/Users/" + ann, off).at("/groups").get_array().size() == 3);
  CHECK(w.send("DELETE", "/Groups/" + a).status == 204);
  CHECK(w.get("/Users/" + ann).at("/groups").get_array().size() == 2);
}

TEST_CASE("text is kept as it is") {
  ScimWorld w;
  const std::string odd = "\xC3\x9Cml\xC3\xA4ut \xF0\x9F\x98\x80 \\\" \\\\ \\u0007 </script>";
  const auto id = w.add("/Users", user("o'neil+x@ex.com", ",\"displayName\":\"" + odd + "\""));
  const auto r = w.get("/Users/" + id);
  CHECK(r.str("/displayName") == "\xC3\x9Cml\xC3\xA4ut \xF0\x9F\x98\x80 \" \\ \a </script>");
  const auto found = w.get("/Users?filter=userName%20eq%20%22O'NEIL%2Bx@ex.com%22");
  CHECK(found.str("/Resources/0/id") == id);
}

TEST_CASE("an answer that the store lost is found again") {
  ScimWorld w;
  const auto id = w.add_user("ann");
  w.fault = [&](const port::Transaction&) -> std::optional<store::CommitFault> {
    return store::CommitFault{Error(Errc::commit_unknown, "injected"), true};
  };
  const auto made = w.send("POST", "/Users", user("bob"));
  CHECK(made.status == 201);
  CHECK(made.header("etag") == "W/\"1\"");
  const auto changed = w.send("PATCH", "/Users/" + id, off);
  CHECK(changed.status == 200);
  CHECK(changed.header("etag") == "W/\"2\"");
  w.fault = nullptr;
  CHECK(w.row(id).version == 2);
  CHECK(w.get("/Users").at("/totalResults") == 2);
}

TEST_CASE("the version of a group is not told where the store lost it") {
  for (const bool read_back_fails : {false, true}) {
    ScimWorld w("entra");
    const auto ann = w.add_user("ann");
    const auto g = w.add_group("G");
    w.fault = [](const port::Transaction&) -> std::optional<store::CommitFault> {
      return store::CommitFault{Error(Errc::commit_unknown, "injected"), true};
    };
    const auto joins = patch(R"({"op":"add","path":"members","value":[{"value":")" + ann + R"("}]})");
    const auto r = read_back_fails ? w.send("PATCH", "/Groups/" + g + "?attributes=displayName", joins)
                                   : w.send("PATCH", "/Groups/" + g, joins);
    w.fault = nullptr;
    CHECK(r.status == (read_back_fails ? 200 : 204));
    CHECK(r.header("etag") == (read_back_fails ? "W/\"2\"" : ""));
    CHECK(w.members(g) == std::vector<std::string>{ann});
    CHECK(w.row(g).version == 2);
  }
}
