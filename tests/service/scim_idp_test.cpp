// What IdPs really send (R11), through the whole endpoint.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include "catch.hpp"
#include "support/scim_world.hpp"

using namespace deprov;
namespace json = boost::json;
using deprov::test::ScimWorld;

namespace {

std::vector<service::Header> okta() {
  return {{"User-Agent", "Okta SCIM Client 1.0.0"},
          {"Content-Type", "application/scim+json; charset=utf-8"},
          {"Accept", "application/scim+json"}};
}
std::vector<service::Header> entra() {
  return {{"ADSCIMVersion", "Date:2026-01-01, ActivityId:1"},
          {"Content-Type", "application/scim+json; charset=utf-8"}};
}
std::string ops(const std::string& operations) {
  return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)" + operations + "]}";
}
bool has_rule(ScimWorld& w, const std::string& event, const std::string& rule) {
  const auto all = w.activity();
  return std::any_of(all.begin(), all.end(), [&](const port::ActivityRow& row) {
    return row.event == event && row.detail && row.detail->find("\"" + rule + "\"") != std::string::npos;
  });
}

}  // namespace

TEST_CASE("Okta: test, look up, create, deactivate, reactivate", "[R11]") {
  ScimWorld w("okta");
  const auto test = w.send("GET", "/Users?startIndex=1&count=2", {}, okta());
  CHECK(test.status == 200);
  CHECK(test.at("/totalResults") == 0);
  CHECK(w.send("GET", "/Groups?startIndex=1&count=100", {}, okta()).status == 200);
  const std::string lookup = "/Users?filter=userName%20eq%20%22test.user%40okta.local%22&startIndex=1&count=100";
  CHECK(w.send("GET", lookup, {}, okta()).at("/Resources") == json::array());
  const std::string body =
      R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"test.user@okta.local",
    "name":{"givenName":"Test","familyName":"User"},
    "emails":[{"primary":true,"value":"test.user@okta.local","type":"work"}],"displayName":"Test User","locale":"en-US",
    "externalId":"00ujl29u0le5T6Aj10h7","groups":[],"password":"1mz050nq","active":true})";
  const auto made = w.send("POST", "/Users", body, okta());
  INFO(made.text);
  REQUIRE(made.status == 201);
  CHECK(made.text.find("1mz050nq") == std::string::npos);
  CHECK(w.send("POST", "/Users", body, okta()).status == 409);
  const auto upper = w.send(
      "GET", "/Users?filter=userName%20eq%20%22TEST.USER%40OKTA.LOCAL%22&startIndex=1&count=100", {}, okta());
  CHECK(upper.str("/Resources/0/id") == made.id());

  const auto off =
      w.send("PATCH", "/Users/" + made.id(), ops(R"({"op":"replace","value":{"active":false}})"), okta());
  CHECK(off.status == 200);
  CHECK(off.at("/active") == false);
  CHECK(w.events("removal.requested") == 1);
  // Looked up again, it is still there.
  CHECK(w.send("GET", lookup, {}, okta()).at("/Resources/0/active") == false);
  const auto on =
      w.send("PATCH", "/Users/" + made.id(), ops(R"({"op":"replace","value":{"active":true}})"), okta());
  CHECK(on.at("/active") == true);
  CHECK(w.events("access.restored") == 1);
}

TEST_CASE("Okta's custom apps echo what GET said", "[R11]") {
  ScimWorld w("okta");
  const auto id = w.add("/Users", R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],
    "userName":"octocat@github.com","externalId":"00u1dhhb1fkIGP7RL1d8","displayName":"Mona Octocat",
    "name":{"familyName":"Octocat","givenName":"Mona"},"emails":[{"primary":true,"value":"octocat@github.com"}],"active":true})");
  w.add_group("G", {id});
  auto echo = w.send("GET", "/Users/" + id, {}, okta()).body.as_object();
  REQUIRE(echo.at("groups").as_array().size() == 1);
  echo["active"] = false;
  const auto off = w.send("PUT", "/Users/" + id, json::serialize(echo), okta());
  INFO(off.text);
  CHECK(off.status == 200);
  CHECK(off.at("/active") == false);
  CHECK(off.id() == id);
  CHECK(off.str("/meta/created") == echo.at("meta").at("created").as_string());
  CHECK(w.events("removal.requested") == 1);
  // As captured: without groups, other meta, another order.
  const auto captured = w.send(
      "PUT", "/Users/" + id,
      R"({"active":false,"displayName":"Mona Octocat","emails":[{"primary":true,"value":"octocat@github.com"}],
    "externalId":"00u1dhhb1fkIGP7RL1d8","id":"5fc0c238-1112-11e8-8e45-920c87bdbd75","meta":{"created":"2018-02-13T15:05:24.000-08:00",
    "lastModified":"2018-02-13T15:05:24.000-08:00","location":"https://api.example.com/x","resourceType":"User"},
    "name":{"familyName":"Octocat","formatted":"Mona Octocat","givenName":"Mona"},
    "schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"octocat@github.com"})",
      okta());
  CHECK(captured.status == 200);
  CHECK(captured.id() == id);
  CHECK(w.events("removal.requested") == 1);
}

TEST_CASE("Okta pushes groups", "[R11]") {
  ScimWorld w("okta");
  const auto ann = w.add_user("ann");
  const auto bob = w.add_user("bob");
  const auto made = w.send(
      "POST", "/Groups",
      R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Test SCIMv2","members":[]})",
      okta());
  REQUIRE(made.status == 201);
  const auto g = made.id();
  CHECK(w.send("GET", "/Groups?filter=displayName%20eq%20%22Test%20SCIMv2%22&startIndex=1&count=100", {}, okta())
            .str("/Resources/0/id") == g);
  const auto send = [&](const std::string& body) {
    const auto r = w.send("PATCH", "/Groups/" + g, body, okta());
    INFO(r.text);
    CHECK(r.status == 200);
  };
  send(ops(R"({"op":"add","path":"members","value":[{"value":")" + ann + R"(","display":"ann"}]})"));
  // The rename comes with every change of members, and names none.
  send(ops(R"({"op":"replace","value":{"id":")" + g + R"(","displayName":"Test SCIMv2"}})"));
  CHECK(w.members(g) == std::vector<std::string>{ann});
  CHECK(w.events("group.renamed") == 0);
  send(ops(R"({"op":"remove","path":"members[value eq \")" + ann +
           R"(\"]"},{"op":"add","path":"members","value":[{"value":")" + bob + R"(","display":"bob"}]})"));
  CHECK(w.members(g) == std::vector<std::string>{bob});
  send(ops(R"({"op":"replace","path":"members","value":[{"value":")" + ann + R"(","display":"ann"},{"value":")" +
           bob + R"(","display":"bob"}]})"));
  CHECK(w.members(g).size() == 2);
  SECTION("empty, in the usual shape") {
    send(ops(R"({"op":"replace","path":"members","value":[]})"));
    CHECK(w.members(g).empty());
  }
  SECTION("empty, without schemas and path") {
    send(R"({"Operations":[{"op":"replace","value":{"id":")" + g +
         R"(","displayName":"org-cd1:admin","members":[]}}]})");
    CHECK(w.members(g).empty());
    CHECK(w.get("/Groups/" + g).str("/displayName") == "org-cd1:admin");
  }
  SECTION("by PUT") {
    const auto r =
        w.send("PUT", "/Groups/" + g,
               R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Test SCIMv2",)"
               R"("members":[{"value":")" +
                   bob + R"(","display":"bob"}]})",
               okta());
    CHECK(r.status == 200);
    CHECK(w.members(g) == std::vector<std::string>{bob});
  }
}

TEST_CASE("Entra ID: test, look up, create, disable in every shape", "[R11]") {
  ScimWorld w("entra");
  const auto none =
      w.send("GET", "/Users?filter=userName%20eq%20%22e4b1f4d5-8c5d-4c0e-9b7a-0f3c0ad5c1a0%22", {}, entra());
  CHECK(none.status == 200);
  CHECK(none.at("/totalResults") == 0);
  const auto made = w.send("POST", "/Users?aadOptscim062020",
                           R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"externalId":"0a21f0f2","userName":"Test_User@x.com",
    "active":true,"emails":[{"primary":true,"type":"work","value":"Test_User@x.com"}],"meta":{"resourceType":"User"},
    "name":{"formatted":"givenName familyName","familyName":"familyName","givenName":"givenName"},"roles":[],
    "addresses":null,"phoneNumbers":null,"title":null,"department":null,"manager":null})",
                           entra());
  INFO(made.text);
  REQUIRE(made.status == 201);
  const auto one = "/Users/" + made.id();
  for (const auto* filter : {"externalId%20eq%200a21f0f2", "externalId%20eq%20%220a21f0f2%22",
                             "emails%5Btype%20eq%20%22work%22%5D.value%20eq%20%22test_user@x.com%22"})
    CHECK(w.send("GET", std::string("/Users?filter=") + filter, {}, entra()).str("/Resources/0/id") == made.id());
  CHECK(
      w.send("GET", "/Users?filter=id%20eq%20%22" + made.id() + "%22%20and%20manager%20eq%20%22x%22", {}, entra())
          .at("/totalResults") == 0);
  CHECK(w.send("GET", "/Schemas", {}, entra()).status == 200);

  for (const auto* shape :
       {R"({"op":"Replace","path":"active","value":"False"})",
        R"({"op":"Replace","path":"active","value":"false"})", R"({"op":"Add","path":"active","value":"False"})",
        R"({"op":"replace","path":"active","value":false})",
        R"({"op":"Replace","path":"active","value":false})"}) {
    INFO(shape);
    const auto off = w.send("PATCH", one + "?aadOptscim062020", ops(shape), entra());
    CHECK(off.status == 204);
    CHECK_FALSE(w.row(made.id()).active);
    CHECK(w.send("PATCH", one, ops(R"({"op":"Replace","path":"active","value":"True"})"), entra()).status == 204);
    CHECK(w.row(made.id()).active);
  }
  CHECK(w.events("removal.requested") == 5);
  CHECK(has_rule(w, "removal.requested", "string-booleans"));
  CHECK(w.send("DELETE", one, {}, entra()).status == 204);
  CHECK(w.events("removal.requested") == 6);
}

TEST_CASE("Entra ID changes many attributes in one request", "[R11]") {
  ScimWorld w("entra");
  const auto id = w.add_user("a@x.com");
  const auto change = [&](const std::string& body) {
    const auto r = w.send("PATCH", "/Users/" + id, body, entra());
    INFO(r.text);
    CHECK(r.status == 204);
    return w.get("/Users/" + id);
  };
  const std::string enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
  auto u = change(ops(R"({"op":"Replace","path":"displayName","value":"Pvlo"},
    {"op":"Replace","path":"emails[type eq \"work\"].value","value":"TestBcwqnm@test.microsoft.com"},
    {"op":"Replace","path":"name.givenName","value":"Gtfd"},{"op":"Replace","path":"name.familyName","value":"Pkqf"},
    {"op":"Replace","path":"externalId","value":"Eqpj"},
    {"op":"Replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber","value":"Eqpj"})"));
  CHECK(u.str("/displayName") == "Pvlo");
  CHECK(u.str("/emails/0/value") == "TestBcwqnm@test.microsoft.com");
  CHECK(u.str("/emails/0/type") == "work");
  CHECK(u.str("/name/familyName") == "Pkqf");
  CHECK(u.str("/" + enterprise + "/employeeNumber") == "Eqpj");
  CHECK(w.get("/Users?filter=emails.value%20eq%20%22testbcwqnm@test.microsoft.com%22").at("/totalResults") == 1);
  CHECK(w.get("/Users?filter=externalId%20eq%20%22Eqpj%22").at("/totalResults") == 1);
  u = change(
      ops(R"({"op":"replace","path":"emails[type eq \"work\"].value","value":"TestMhvaes@test.microsoft.com"},
    {"op":"replace","value":{"displayName":"Bjfe","name.givenName":"Kkom","name.familyName":"Unua",
     "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber":"Aklq"}})"));
  CHECK(u.at("/emails").as_array().size() == 1);
  CHECK(u.str("/name/givenName") == "Kkom");
  CHECK(u.str("/" + enterprise + "/employeeNumber") == "Aklq");
  CHECK(w.events("user.renamed") == 0);
}

TEST_CASE("Entra ID and groups", "[R11]") {
  ScimWorld w("entra");
  const auto ann = w.add_user("ann");
  const auto bob = w.add_user("bob");
  const auto made = w.send("POST", "/Groups",
                           R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group",
    "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],"externalId":"8aa1a0c0","displayName":"displayName",
    "meta":{"resourceType":"Group"}})",
                           entra());
  INFO(made.text);
  REQUIRE(made.status == 201);
  const auto g = made.id();
  const auto found =
      w.send("GET", "/Groups?excludedAttributes=members&filter=displayName%20eq%20%22displayName%22", {}, entra());
  CHECK(found.str("/Resources/0/id") == g);
  const auto send = [&](const std::string& body) {
    CHECK(w.send("PATCH", "/Groups/" + g, body, entra()).status == 204);
  };
  const auto member = [](const std::string& op, const std::string& id) {
    return ops(R"({"op":")" + op + R"(","path":"members","value":[{"$ref":null,"value":")" + id + R"("}]})");
  };
  send(member("Add", ann));
  send(member("Add", bob));
  CHECK(w.members(g).size() == 2);
  const auto records = w.activity().size();
  send(member("Add", ann));  // sent again whenever somebody is removed: no event
  CHECK(w.activity().size() == records);
  send(member("Remove", ann));
  CHECK(w.members(g) == std::vector<std::string>{bob});
  send(ops(R"({"op":"remove","path":"members[value eq \")" + bob + R"(\"]"})"));
  CHECK(w.members(g).empty());
  CHECK(w.send("DELETE", "/Groups/" + g, {}, entra()).status == 204);
}

TEST_CASE("OneLogin: plus signs, question marks, old URNs", "[R11]") {
  ScimWorld w("generic");
  const std::vector<service::Header> json_type = {{"Content-Type", "application/json"}, {"User-Agent", ""}};
  const auto id = w.add_user("onelogin-test-user01");
  CHECK(w.send("GET", "/Users?filter=userName+eq+%22onelogin-test-user01%22&", {}, json_type)
            .str("/Resources/0/id") == id);
  const auto put = w.send("PUT", "/Users/" + id + "?",
                          R"({"schemas":["urn:scim:schemas:core:2.0","urn:scim:schemas:extension:enterprise:2.0"],
    "userName":"onelogin-test-user01","name":{"familyName":" User 01","givenName":"AAA Test"}})",
                          json_type);
  INFO(put.text);
  CHECK(put.status == 200);
  CHECK(put.str("/name/familyName") == " User 01");
  CHECK(put.at("/active") == true);
  const auto g = w.add_group("G");
  CHECK(w.send("PATCH", "/Groups/" + g + "?",
               ops(R"({"op":"add","path":"members","value":[{"value":")" + id + R"("}]})"), {{"User-Agent", ""}})
            .status == 200);
  CHECK(w.members(g) == std::vector<std::string>{id});
}

TEST_CASE("JumpCloud's activation test leaves nothing behind", "[R11]") {
  ScimWorld w("generic");
  const auto user = w.add("/Users", R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],
    "userName":"jc-test@example.com","active":true,"emails":[{"value":"jc-test@example.com","primary":true}]})");
  const auto group = w.add_group("jc-test-group", {user});
  CHECK(w.send("DELETE", "/Groups/" + group).status == 204);
  CHECK(w.send("DELETE", "/Users/" + user).status == 204);
  CHECK(w.get("/Users/" + user).status == 404);
  CHECK(w.get("/Groups/" + group).status == 404);
  CHECK(w.get("/Users").at("/totalResults") == 0);
  CHECK(w.get("/Groups").at("/totalResults") == 0);
  // Once more, as on the next activation.
  CHECK(w.add_user("jc-test@example.com") != user);
}

TEST_CASE("Ping removes the last member by an empty list, and disables or deletes", "[R11]") {
  ScimWorld w("generic");
  const auto id = w.add_user("ann");
  const auto g = w.add_group("G", {id});
  CHECK(w.send("PATCH", "/Groups/" + g, ops(R"({"op":"replace","path":"members","value":[]})")).status == 200);
  CHECK(w.members(g).empty());
  CHECK(w.row(id).active);
  CHECK(w.send("PUT", "/Users/" + id,
               R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ann","active":false})")
            .at("/active") == false);
  CHECK(w.events("removal.requested") == 1);
}

TEST_CASE("what reads need of a dialect stands on the activity, once", "[R11]") {
  const bool sqlite = GENERATE(false, true);
  ScimWorld w("generic", {}, {}, {}, sqlite);
  const auto other = w.integrate("generic");
  const auto noted = [&] { return w.events("request.dialect_rules"); };
  const std::string unquoted = "/Users?filter=externalId%20eq%20jyoung";
  CHECK(w.send("GET", "/Users?filter=externalId%20eq%20%22jyoung%22", {}, entra()).status == 200);
  CHECK(noted() == 0);  // as the RFC has it
  for (int i = 0; i < 5; ++i) CHECK(w.send("GET", unquoted, {}, entra()).status == 200);
  CHECK(noted() == 1);
  CHECK(has_rule(w, "request.dialect_rules", "unquoted-filter-values"));
  CHECK(has_rule(w, "request.dialect_rules", "entra"));  // whom it was taken for
  // Another rule is another record, which names what is new.
  CHECK(w.send("GET", "/?aadOptscim062020/Users&filter=externalId%20eq%20jyoung", {}, entra()).status == 200);
  CHECK(noted() == 2);
  CHECK(has_rule(w, "request.dialect_rules", "base-url-flag"));
  const auto search =
      R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"externalId eq jyoung"})";
  CHECK(w.send("POST", "/Users/.search", search, entra()).status == 200);
  CHECK(noted() == 2);
  // Each integration has its own.
  CHECK(w.send_as(other, "GET", unquoted).status == 200);
  CHECK(noted() == 2);
  // What was refused has used nothing.
  CHECK(w.send("GET", "/Users?filter=nothing%20eq%20x", {}, entra()).status == 400);
  CHECK(noted() == 2);
}

TEST_CASE("a rule of a read that could not be stored is noted by the next one", "[R11]") {
  ScimWorld w("entra");
  bool fails = true;
  w.fault = [&](const port::Transaction&) -> std::optional<store::CommitFault> {
    if (!fails) return std::nullopt;
    return store::CommitFault{Error(Errc::busy, "the queue is full"), false};
  };
  const std::string unquoted = "/Users?filter=externalId%20eq%20jyoung";
  CHECK(w.send("GET", unquoted).status == 200);
  fails = false;
  CHECK(w.events("request.dialect_rules") == 0);
  CHECK(w.send("GET", unquoted).status == 200);
  CHECK(w.send("GET", unquoted).status == 200);
  w.fault = nullptr;
  CHECK(w.events("request.dialect_rules") == 1);
}

TEST_CASE("shapes of other clients do what they say, under every dialect", "[R11]") {
  const auto* idp = GENERATE("generic", "okta", "entra", "onelogin", "jumpcloud", "ping", "google");
  CAPTURE(idp);
  ScimWorld w(idp);
  const auto ann = w.add_user("ann");
  const auto bob = w.add_user("bob");
  const auto g = w.add_group("G", {ann, bob});
  const auto ok = [](const test::ScimReply& r) {
    INFO(r.text);
    CHECK((r.status == 200 || r.status == 204));
  };
  const auto location = "https://scim.example.com" + w.client.base + "/Users/" + ann;
  CHECK(w.get("/" + location).id() == ann);
  CHECK(w.get("/" + location + "?attributes=userName").str("/userName") == "ann");
  CHECK(w.get("/Users?filter=userName eq \"bob\"&count=1").str("/Resources/0/id") == bob);
  const std::string patch = R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":)";
  // A list is a list: nobody is known to send an operation without it.
  CHECK(w.send("PATCH", "/Users/" + ann, patch + R"({"op":"replace","path":"active","value":false}})").status ==
        400);
  ok(w.send("PATCH", "/Users/" + ann, ops(R"({"op":"replace","path":"/active","value":false})")));
  CHECK(w.get("/Users/" + ann).at("/active") == false);
  ok(w.send("PATCH", "/Users/" + ann, ops(R"({"op":"replace","path":"/active","value":true})")));
  CHECK(w.get("/Users/" + ann).at("/active") == true);
  CHECK(w.send("PATCH", "/Users/" + ann, ops(R"({"op":"replace","path":"/emails/0/value","value":"x"})")).status ==
        400);
  ok(w.send("PATCH", "/Groups/" + g,
            R"({"schemas":["urn:scim:schemas:core:1.0"],"displayName":"H","members":[{"value":")" + ann +
                R"(","operation":"delete"}]})"));
  CHECK(w.members(g) == std::vector<std::string>{bob});
  CHECK(w.get("/Groups/" + g).str("/displayName") == "H");
  ok(w.send("PATCH", "/Groups/" + g,
            R"({"schemas":["urn:scim:schemas:core:1.0"],"members":[{"value":")" + ann + R"("}]})"));
  CHECK(w.members(g).size() == 2);
  CHECK(w.send("PATCH", "/Users/" + ann, R"({"active":false})").status == 400);
  CHECK(w.get("/Users/" + ann).at("/active") == true);
  for (const auto* rule : {"doubled-base", "raw-spaces"}) CHECK(has_rule(w, "request.dialect_rules", rule));
  const auto all = w.activity();
  CHECK(std::any_of(all.begin(), all.end(), [](const port::ActivityRow& row) {
    return row.detail && row.detail->find("\"slash-paths\"") != std::string::npos;
  }));
}
