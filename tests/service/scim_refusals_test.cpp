// What is refused, and what the refusal names.
#include <boost/json/parse.hpp>
#include <string>
#include "catch.hpp"
#include "support/scim_world.hpp"

using namespace deprov;
using deprov::test::ScimWorld;

namespace {
std::string patch(const std::string& operations) {
  return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)" + operations + "]}";
}
std::string user(const std::string& name, const std::string& rest = {}) {
  return R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":")" + name + "\"" + rest + "}";
}
const std::string off = patch(R"({"op":"replace","path":"active","value":false})");
}  // namespace

TEST_CASE("a name that is taken names the operation of the PATCH or the Bulk that wanted it") {
  ScimWorld w;
  w.add_user("ann");
  const auto bob = w.add_user("bob");
  const auto change =
      patch(R"({"op":"add","path":"title","value":"T"},{"op":"replace","value":{"userName":"Ann"}})");
  auto r = w.send("PATCH", "/Users/" + bob, change);
  CHECK(r.status == 409);
  CHECK(r.str("/scimType") == "uniqueness");
  CHECK(r.str("/detail").starts_with("Operations[1].userName: "));
  r = w.send("POST", "/Bulk",
             R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[
      {"method":"DELETE","path":"/Users/01a2286f-16c8-712e-8014-c9cad7d72728"},
      {"method":"POST","path":"/Users","bulkId":"x","data":)" +
                 user("ann") + R"(},{"method":"PATCH","path":"/Users/)" + bob + R"(","data":)" + change + "}]}");
  CHECK(r.str("/Operations/0/response/detail").starts_with("Operations[0]: "));
  CHECK(r.str("/Operations/1/response/detail").starts_with("Operations[1].userName: "));
  CHECK(r.str("/Operations/2/response/detail").starts_with("Operations[2].Operations[1].userName: "));
}

TEST_CASE("a name of nothing but spaces is none") {
  ScimWorld w;
  CHECK(w.send("POST", "/Users", user("  \\t")).str("/scimType") == "invalidValue");
  const auto id = w.add_user("ann");
  CHECK(w.send("PUT", "/Users/" + id, user(" ")).status == 400);
  const auto r = w.send("PATCH", "/Users/" + id, patch(R"({"op":"replace","path":"userName","value":"  "})"));
  CHECK(r.status == 400);
  CHECK(r.str("/detail").starts_with("Operations[0].userName"));
  CHECK(w.get("/Users/" + id).str("/userName") == "ann");
}

TEST_CASE("an If-Match that names no version is met by none") {
  ScimWorld w;
  const auto one = "/Users/" + w.add_user("ann");
  for (const auto* empty : {"", ","}) {
    CHECK(w.send("DELETE", one, {}, {{"If-Match", empty}}).status == (*empty == '\0' ? 412 : 400));
    CHECK(w.send("PATCH", one, off, {{"If-Match", empty}}).status == (*empty == '\0' ? 412 : 400));
  }
  CHECK(w.send("GET", one, {}, {{"If-None-Match", ""}}).status == 200);
  CHECK(w.get(one).at("/active") == true);
}

TEST_CASE("schemas that name none are refused, whoever sends them") {
  for (const auto* idp : {"generic", "entra", "okta"}) {
    ScimWorld w(idp);
    for (const auto* schemas : {R"("x")", R"("")", "7", "{}", "[7]"}) {
      const auto r = w.send("POST", "/Users", R"({"userName":"ann","schemas":)" + std::string(schemas) + "}");
      CHECK(r.status == 400);
      CHECK(r.str("/scimType") == "invalidSyntax");
      CHECK(r.str("/detail").starts_with("schemas: "));
    }
    // One URN without brackets says what is meant, by the rule missing-schemas.
    CHECK(w.send("POST", "/Users", R"({"userName":"ann","schemas":"urn:ietf:params:scim:schemas:core:2.0:User"})")
              .status == 201);
  }
}
