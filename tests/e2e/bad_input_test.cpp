// What an IdP or anybody else may send: each thing has its clear answer, and changes nothing.
#include "catch.hpp"
#include "support/raw_client.hpp"
#include "support/running.hpp"

using namespace deprov::test;
namespace json = boost::json;

namespace {

struct Bad {
  std::string what;
  std::string method;
  std::string path;  ///< below the SCIM base; {id}: the user's
  std::string body;
  int status;
  std::string scim_type;
  std::string names;  ///< what the detail has to say
  std::string fields = {};
};

std::string user_with(const std::string& members) {
  return R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"new",)" + members + "}";
}

std::string many_operations(std::size_t count) {
  std::string list = "[";
  for (std::size_t i = 0; i < count; ++i)
    list += std::string(i == 0 ? "" : ",") + R"({"op":"replace","path":"displayName","value":"x"})";
  return patch_of(list + "]");
}

std::vector<Bad> bad_requests() {
  const std::string users = "/Users";
  const std::string user = "/Users/{id}";
  return {
      {"not JSON", "POST", users, "userName=new", 400, "invalidSyntax", "JSON"},
      {"half of JSON", "POST", users, R"({"userName": "new)", 400, "invalidSyntax", "JSON"},
      {"nothing", "PATCH", user, "", 400, "invalidSyntax", ""},
      {"not an object", "POST", users, R"(["new"])", 400, "invalidSyntax", "object"},
      {"two documents", "POST", users, user_of("new") + user_of("new"), 400, "invalidSyntax", "JSON"},
      {"bytes that are no UTF-8", "POST", users, user_with("\"displayName\":\"\xff\xfe\""), 400, "invalidSyntax",
       ""},
      {"a number for a name", "POST", users,
       R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":5})", 400, "invalidValue",
       "userName"},
      {"no name", "POST", users, R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]})", 400,
       "invalidValue", "userName"},
      {"a word for a boolean", "POST", users, user_with(R"("active":"perhaps")"), 400, "invalidValue", "active"},
      {"a number for a list", "POST", users, user_with(R"("emails":5)"), 400, "invalidValue", "emails"},
      {"a wrong type in a PATCH", "PATCH", user, patch_of(R"([{"op":"replace","path":"active","value":{"a":1}}])"),
       400, "invalidValue", "active"},
      {"an unknown attribute as path", "PATCH", user,
       patch_of(R"([{"op":"replace","path":"shoeSize","value":47}])"), 400, "invalidPath", "shoeSize"},
      {"an unknown operation", "PATCH", user, patch_of(R"([{"op":"move","path":"displayName","value":"x"}])"), 400,
       "invalidSyntax", "move"},
      {"no operations", "PATCH", user, patch_of("[]"), 400, "invalidSyntax", "Operations"},
      {"a malformed path", "PATCH", user, patch_of(R"([{"op":"replace","path":"emails]","value":"x"}])"), 400,
       "invalidPath", "emails]"},
      {"a path with a malformed filter", "PATCH", user,
       patch_of(R"([{"op":"replace","path":"emails[type eq","value":"x"}])"), 400, "invalidFilter",
       "emails[type eq"},
      {"a removal of nothing named", "PATCH", user, patch_of(R"([{"op":"remove"}])"), 400, "noTarget", "path"},
      {"a read-only attribute", "PATCH", user, patch_of(R"([{"op":"replace","path":"id","value":"x"}])"), 400,
       "mutability", "id"},
      {"good operations before a bad one", "PATCH", user,
       patch_of(
           R"([{"op":"replace","path":"active","value":false},{"op":"replace","path":"displayName","value":"x"},
                    {"op":"replace","path":"shoeSize","value":47}])"),
       400, "invalidPath", "shoeSize"},
      {"more operations than are taken", "PATCH", user, many_operations(1001), 413, "", "max_operations"},
      {"deep nesting", "POST", users, user_with("\"x\":" + std::string(100'000, '[') + std::string(100'000, ']')),
       413, "", "max_depth"},
      {"a deep filter", "GET",
       "/Users?filter=" + std::string(40, '(') + "active%20eq%20true" + std::string(40, ')'), "", 413, "",
       "max_filter_depth"},
      {"a huge body", "POST", users, user_with("\"x\":\"" + std::string(17U << 20U, 'x') + "\""), 413, "",
       "16777216"},
      {"a huge string", "POST", users, user_with("\"displayName\":\"" + std::string(1U << 20U, 'x') + "\""), 413,
       "", "max_string_bytes"},
      {"a wrong content type", "POST", users, user_of("new"), 415, "", "text/plain",
       "Content-Type: text/plain\r\n"},
      {"a malformed filter", "GET", "/Users?filter=userName%20eq", "", 400, "invalidFilter", "position 12"},
      {"an unknown operator", "GET", "/Users?filter=userName%20is%20%22x%22", "", 400, "invalidFilter", "is"},
      {"a count that is no number", "GET", "/Users?count=many", "", 400, "invalidValue", "count"},
      {"a token in the URL", "GET", "/Users?access_token=abc", "", 403, "sensitive", "token"},
      {"bulk", "POST", "/Bulk", R"({"Operations":[]})", 400, "invalidSyntax", "BulkRequest"},
      {"me", "GET", "/Me", "", 501, "", "Me"},
      {"an unknown endpoint", "GET", "/Printers", "", 404, "", "Printers"},
      {"an unknown user", "GET", "/Users/00000000-0000-7000-8000-000000000000", "", 404, "", "00000000"},
      {"an id that is none", "DELETE", "/Users/nobody", "", 404, "", "nobody"},
      {"a method that is not offered", "DELETE", users, "", 405, "", "DELETE"},
      {"a name that is taken", "POST", users, user_of("USER0"), 409, "uniqueness", "userName"},
      {"a version that is not the present one", "PATCH", user,
       patch_of(R"([{"op":"replace","path":"active","value":false}])"), 412, "", "If-Match",
       "If-Match: W/\"999\"\r\n"},
  };
}

}  // namespace

TEST_CASE("bad requests are answered clearly and change nothing", "[R10][R21]") {
  Running app(1, "generic");
  app.serve();
  const auto id = app.add_user("user0");
  const auto before = app.scim("GET", "/Users/" + id).body;

  for (const auto& bad : bad_requests()) {
    INFO(bad.what);
    auto path = bad.path;
    if (const auto at = path.find("{id}"); at != std::string::npos) path.replace(at, 4, id);
    const auto r = app.scim(bad.method, path, bad.body, bad.fields);
    INFO(r.body.substr(0, 500));
    CHECK(r.status == bad.status);
    CHECK(r.json.is_object());
    if (r.json.is_object()) {
      const auto& o = r.json.as_object();
      const auto text = [&](const char* name) {
        const auto* v = o.if_contains(name);
        return v != nullptr && v->is_string() ? std::string(v->as_string()) : std::string{};
      };
      CHECK(text("status") == std::to_string(bad.status));
      CHECK(text("scimType") == bad.scim_type);
      CHECK(text("detail").find(bad.names) != std::string::npos);
      CHECK(text("detail").size() < 1000);
      CHECK_FALSE(text("detail").empty());
    }
    CHECK(app.scim("GET", "/Users/" + id).body == before);
    CHECK(app.scim("GET", "/Users?count=0").json.at("totalResults").as_int64() == 1);
  }
  CHECK(app.healthy());
  CHECK(app.removal(id).is_null());
}

TEST_CASE("who has no right token learns nothing", "[R21]") {
  Running app(1);
  app.serve();
  const auto id = app.add_user("user0");
  const auto path = app.integration().base + "/Users/" + id;
  const auto unknown = "/scim/v2/00000000-0000-7000-8000-000000000000/Users";
  const auto off = patch_of(R"([{"op":"replace","path":"active","value":false}])");

  const auto absent = http(app.port(), "PATCH", path, "", off);
  CHECK(absent.status == 401);
  CHECK(absent.json.at("detail").as_string().find("token") != std::string::npos);
  const auto wrong = http(app.port(), "PATCH", path, "wrong", off);
  CHECK(wrong.status == 401);
  // The owner's token manages and does not provision, and the other way round.
  CHECK(http(app.port(), "PATCH", path, app.owner(), off).status == 401);
  CHECK(http(app.port(), "GET", "/api/v1/integrations", app.integration().token).status == 401);
  CHECK(http(app.port(), "GET", "/api/v1/integrations").status == 401);
  // An integration that there is not looks like one that is somebody else's.
  CHECK(http(app.port(), "GET", unknown, app.integration().token).body == wrong.body);
  CHECK(app.scim("GET", "/Users/" + id).json.at("active").as_bool());
  CHECK(app.removal(id).is_null());
}

TEST_CASE("slow and half-sent requests harm nobody") {
  Running app(2);
  app.serve();
  const auto id = app.add_user("user0");
  const auto fields = "Authorization: Bearer " + app.integration().token + "\r\n" + std::string(scim_json);
  const auto whole = request_with_body("PATCH", app.integration().base + "/Users/" + id,
                                       patch_of(R"([{"op":"replace","path":"active","value":false}])"), fields);
  // Cut at every kind of place: in the request line, in a field, before the body, in the body, before its last
  // byte.
  const auto body_at = whole.find("\r\n\r\n") + 4;
  for (const auto cut : {std::size_t{3}, std::size_t{30}, body_at - 2, body_at, body_at + 20, whole.size() - 1}) {
    RawClient client(app.port());
    REQUIRE(client.send(std::string_view(whole).substr(0, cut)));
    client.disconnect();
  }
  {
    RawClient shut(app.port());
    REQUIRE(shut.send(std::string_view(whole).substr(0, whole.size() - 1)));
    shut.finish_sending();
    const auto r = shut.response();
    CHECK((r.status == 0 || r.status == 400));
  }
  // Two hundred that never end, and one that is served between them.
  std::vector<RawClient> slow;
  for (int i = 0; i < 200; ++i) {
    slow.emplace_back(app.port());
    REQUIRE(slow.back().send(std::string_view(whole).substr(0, i % 2 == 0 ? 40 : body_at + 5)));
  }
  CHECK(app.scim("GET", "/Users/" + id).json.at("active").as_bool());
  CHECK(app.removal(id).is_null());
  const auto other = app.add_user("user1");
  CHECK(app.set_active(other, false).status == 200);
  CHECK(app.removal_reaches(other, "succeeded_verified"));
  // The one that goes on after all is taken.
  REQUIRE(slow[1].send(std::string_view(whole).substr(body_at + 5)));
  CHECK(slow[1].response().status == 200);
  CHECK(app.removal_reaches(id, "succeeded_verified"));

  RawClient nonsense(app.port());
  REQUIRE(nonsense.send("EHLO example.com\r\n\r\n"));
  CHECK(nonsense.response().status == 400);
  RawClient endless(app.port());
  static_cast<void>(endless.send("GET /readyz HTTP/1.1\r\nHost: t\r\nX: " + std::string(64U << 10U, 'x')));
  CHECK(endless.response().status == 431);
  CHECK(app.healthy());
}
