// Resource types and extensions from files: everything that Users have, without code.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <optional>
#include <tuple>
#include <vector>
#include "catch.hpp"
#include "support/scim_world.hpp"

using namespace deprov;
namespace json = boost::json;
using deprov::test::ScimReply;
using deprov::test::ScimWorld;

namespace {

const std::string device_urn = "urn:example:params:scim:schemas:2.0:Device";
const std::string badge_urn = "urn:example:params:scim:schemas:extension:2.0:Badge";

json::object settings() {
  return json::parse(R"({
    "schemas":[
      {"id":"urn:example:params:scim:schemas:2.0:Device","name":"Device","attributes":[
        {"name":"serial","required":true,"uniqueness":"server","mutability":"immutable"},
        {"name":"assetTag","uniqueness":"server","caseExact":true},
        {"name":"secret","mutability":"writeOnly","returned":"never"},
        {"name":"model","returned":"request"},
        {"name":"hidden","returned":"never"},
        {"name":"firmware","mutability":"readOnly"},
        {"name":"ports","type":"integer"},
        {"name":"weight","type":"decimal"},
        {"name":"bought","type":"dateTime"},
        {"name":"active","type":"boolean"},
        {"name":"tags","multiValued":true},
        {"name":"owner","type":"reference","referenceTypes":["User"]},
        {"name":"place","type":"complex","subAttributes":[{"name":"room","required":true},{"name":"floor","type":"integer"}]},
        {"name":"userName","caseExact":true},
        {"name":"nics","type":"complex","multiValued":true,"subAttributes":[
          {"name":"value","uniqueness":"server"},{"name":"type"},{"name":"primary","type":"boolean"}]}]},
      {"id":"urn:example:params:scim:schemas:extension:2.0:Badge","name":"Badge","attributes":[
        {"name":"number","required":true,"uniqueness":"server"},{"name":"level","type":"integer"}]}],
    "resource_types":[
      {"name":"Device","endpoint":"/Devices","schema":"urn:example:params:scim:schemas:2.0:Device"},
      {"name":"User","endpoint":"/Users","schema":"urn:ietf:params:scim:schemas:core:2.0:User","schemaExtensions":[
        {"schema":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User","required":false},
        {"schema":"urn:example:params:scim:schemas:extension:2.0:Badge","required":true}]}]})")
      .as_object();
}

std::string device(const std::string& rest) {
  return R"({"schemas":["urn:example:params:scim:schemas:2.0:Device"],)" + rest + "}";
}
std::string patch(const std::string& operations) {
  return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)" + operations + "]}";
}
std::string query(const std::string& filter) {
  std::string out;
  for (const char c : filter)
    out += c == ' ' ? "%20" : c == '"' ? "%22" : c == '[' ? "%5B" : c == ']' ? "%5D" : std::string(1, c);
  return out;
}
std::string total(ScimWorld& w, const std::string& filter) {
  const auto r = w.get("/Devices?filter=" + query(filter));
  INFO(r.text);
  return r.status == 200 ? r.str("/totalResults") : r.str("/scimType");
}
void check_refused(const ScimReply& r, int status, const std::string& type, const std::string& named) {
  INFO(r.text);
  CHECK(r.status == status);
  CHECK(r.str("/scimType") == type);
  CHECK(r.str("/detail").find(named) != std::string::npos);
}

}  // namespace

TEST_CASE("a type from a file: made, read, replaced, patched, deleted") {
  const bool sqlite = GENERATE(false, true);
  ScimWorld w("generic", settings(), {}, {}, sqlite);
  const auto made =
      w.send("POST", "/Devices", device(R"("serial":"S1","ports":4,"tags":["a","b","a"],"active":false,
      "place":{"room":"12"},"firmware":"mine","secret":"x","owner":"../Users/1","bought":"2026-01-02T03:04:05Z")"));
  INFO(made.text);
  REQUIRE(made.status == 201);
  const auto id = made.id();
  CHECK(made.str("/meta/resourceType") == "Device");
  CHECK(made.header("location") == "http://gw.example.com" + w.client.base + "/Devices/" + id);
  CHECK(made.header("content-location") == made.header("location"));
  CHECK(made.at("/firmware").is_null());
  CHECK(made.at("/secret").is_null());
  CHECK(json::serialize(made.at("/tags")) == R"(["a","b"])");
  CHECK(made.at("/active") == false);
  CHECK(w.send("POST", "/Devices", device(R"("serial":"S2")")).at("/active").is_null());

  CHECK(w.get("/devices/" + id).str("/serial") == "S1");
  const auto put = w.send("PUT", "/Devices/" + id, device(R"("serial":"S1","ports":8)"));
  CHECK(put.at("/ports") == 8);
  CHECK(put.at("/tags").is_null());
  CHECK(put.header("location") == made.header("location"));
  const auto changed = w.send("PATCH", "/Devices/" + id, patch(R"({"op":"add","path":"tags","value":["x"]},
                                {"op":"add","path":"urn:EXAMPLE:params:scim:schemas:2.0:device:Place.Room","value":"7"},
                                {"op":"replace","value":{"urn:example:params:scim:schemas:2.0:Device:weight":1.5}})"));
  INFO(changed.text);
  CHECK(changed.status == 200);
  CHECK(changed.str("/place/room") == "7");
  CHECK(changed.at("/weight") == 1.5);
  // A part of a complex value is merged into it.
  CHECK(w.send("PATCH", "/Devices/" + id, patch(R"({"op":"replace","path":"place","value":{"floor":3}})"))
            .str("/place/room") == "7");
  CHECK(w.send("DELETE", "/Devices/" + id).status == 204);
  CHECK(w.get("/Devices/" + id).status == 404);
  CHECK(w.events("resource.changed") >= 4);
  // No device loses access: it never had any.
  CHECK(w.events("removal.requested") == 0);
}

TEST_CASE("a type from a file is discovered") {
  ScimWorld w("generic", settings());
  CHECK(w.get("/ResourceTypes").str("/totalResults") == "3");
  CHECK(w.get("/ResourceTypes/device").str("/endpoint") == "/Devices");
  CHECK(w.get("/ResourceTypes/User").at("/schemaExtensions/1/required") == true);
  const auto s = w.get("/Schemas/" + device_urn);
  CHECK(s.status == 200);
  CHECK(s.str("/attributes/0/uniqueness") == "server");
  // Another integration has none of it.
  const auto other = w.integrate("generic");
  CHECK(w.send_as(other, "GET", "/Devices").status == 404);
  CHECK(w.send_as(other, "GET", "/Schemas/" + device_urn).status == 404);
}

TEST_CASE("a type from a file: filters") {
  ScimWorld w("generic", settings());
  w.add("/Devices", device(R"("serial":"S1","ports":4,"tags":["red"],"userName":"Ann","place":{"room":"12"},
                             "bought":"2026-01-02T03:04:05Z","nics":[{"value":"aa","type":"lan"}])"));
  w.add("/Devices", device(R"("serial":"S2","ports":16,"userName":"ann","active":true)"));
  CHECK(total(w, R"(serial eq "s1")") == "1");
  CHECK(total(w, "ports gt 4") == "1");
  CHECK(total(w, "ports ge 4 and ports lt 16") == "1");
  CHECK(total(w, R"(tags eq "RED")") == "1");
  CHECK(total(w, R"(tags pr)") == "1");
  CHECK(total(w, R"(place.room eq "12" or active eq true)") == "2");
  CHECK(total(w, R"(bought gt "2026-01-01T00:00:00Z")") == "1");
  CHECK(total(w, R"(nics[type eq "lan" and value sw "a"])") == "1");
  CHECK(total(w, device_urn + R"(:serial eq "S2")") == "1");
  // It is case exact here, whatever the index of Users folds.
  CHECK(total(w, R"(userName eq "Ann")") == "1");
  CHECK(total(w, R"(userName eq "ANN")") == "0");
  CHECK(total(w, R"(secret eq "x")") == "invalidFilter");
  CHECK(total(w, R"(ports eq "4")") == "invalidFilter");
  CHECK(total(w, R"(nothing eq "4")") == "invalidFilter");
}

TEST_CASE("a type from a file: characteristics") {
  ScimWorld w("generic", settings());
  const auto id = w.add("/Devices", device(R"("serial":"S1","model":"M1","hidden":"h")"));
  const auto at = "/Devices/" + id;

  SECTION("required") {
    check_refused(w.send("POST", "/Devices", device(R"("ports":1)")), 400, "invalidValue", "serial");
    check_refused(w.send("POST", "/Devices", device(R"("serial":"")")), 400, "invalidValue", "serial");
    check_refused(w.send("POST", "/Devices", device(R"("serial":"x","place":{"floor":1})")), 400, "invalidValue",
                  "place.room");
    check_refused(w.send("PATCH", at, patch(R"({"op":"remove","path":"serial"})")), 400, "mutability",
                  "Operations[0]");
    check_refused(w.send("PATCH", at, patch(R"({"op":"add","path":"place.floor","value":1})")), 400,
                  "invalidValue", "place.room");
  }
  SECTION("type") {
    for (const auto* bad : {R"("ports":1.5)", R"("ports":"1")", R"("weight":"1")", R"("bought":"yesterday")",
                            R"("tags":[1])", R"("active":"yes")", R"("place":"x")"}) {
      INFO(bad);
      CHECK(w.send("POST", "/Devices", device(std::string(R"("serial":"x",)") + bad)).status == 400);
    }
    check_refused(w.send("PATCH", at, patch(R"({"op":"add","path":"tags","value":["a"]},
                                              {"op":"replace","path":"ports","value":"many"})")),
                  400, "invalidValue", "Operations[1].ports");
  }
  SECTION("referenceTypes") {
    const auto owner = [&](const std::string& uri) {
      return w.send("PATCH", at, patch(R"({"op":"add","path":"owner","value":")" + uri + R"("})"));
    };
    for (const auto* bad : {"../Groups/1", "https://example.com/", "1", "https://x/v2/Users"}) {
      INFO(bad);
      check_refused(owner(bad), 400, "invalidValue", "/Users/{id}");
    }
    for (const auto* good : {"../Users/1", "https://x/v2/users/1/", "Users/1"}) {
      INFO(good);
      CHECK(owner(good).status == 200);
    }
  }
  SECTION("mutability") {
    check_refused(w.send("PUT", at, device(R"("serial":"S9")")), 400, "mutability", "serial");
    check_refused(w.send("PATCH", at, patch(R"({"op":"replace","path":"serial","value":"S9"})")), 400,
                  "mutability", "serial");
    check_refused(w.send("PATCH", at, patch(R"({"op":"add","path":"firmware","value":"9"})")), 400, "mutability",
                  "firmware");
    CHECK(w.send("PUT", at, device(R"("serial":"S1","firmware":"9")")).status == 200);
    const auto version = w.row(id).version;
    CHECK(w.send("PATCH", at, patch(R"({"op":"add","path":"secret","value":"s"})")).status == 200);
    CHECK(w.row(id).version == version);
  }
  SECTION("returned") {
    CHECK(w.get(at).at("/model").is_null());
    CHECK(w.get(at + "?attributes=model,hidden").str("/model") == "M1");
    CHECK(w.get(at + "?attributes=model,hidden").at("/hidden").is_null());
    // Who writes it sees it once (RFC 7643 section 7).
    CHECK(w.send("PATCH", at, patch(R"({"op":"add","path":"model","value":"M2"})")).str("/model") == "M2");
    CHECK(w.send("PATCH", at, patch(R"({"op":"add","path":"ports","value":2})")).at("/model").is_null());
    CHECK(w.send("PUT", at, device(R"("serial":"S1","model":"M2")")).str("/model") == "M2");
    CHECK(w.send("PUT", at + "?attributes=ports", device(R"("serial":"S1","model":"M3")")).at("/model").is_null());
    CHECK(total(w, R"(model eq "M3")") == "1");
  }
  SECTION("primary is one at most") {
    check_refused(w.send("POST", "/Devices", device(R"("serial":"x","nics":[{"value":"1","primary":true},
                                                      {"value":"2","primary":true}])")),
                  400, "invalidValue", "nics");
    w.send("PATCH", at, patch(R"({"op":"add","path":"nics","value":[{"value":"1","primary":true}]})"));
    const auto r =
        w.send("PATCH", at, patch(R"({"op":"add","path":"nics","value":[{"value":"2","primary":true}]})"));
    CHECK(r.at("/nics/0/primary") == false);
    CHECK(r.at("/nics/1/primary") == true);
    // The same value again, in another case, is no second one.
    CHECK(w.send("PATCH", at, patch(R"({"op":"add","path":"tags","value":["A"]})")).status == 200);
    const auto version = w.row(id).version;
    CHECK(w.send("PATCH", at, patch(R"({"op":"add","path":"tags","value":["a"]})")).status == 200);
    CHECK(w.row(id).version == version);
  }
}

TEST_CASE("unique is unique, also for types from a file", "[R12]") {
  const bool sqlite = GENERATE(false, true);
  ScimWorld w("generic", settings(), {}, {}, sqlite);
  const auto one = w.add("/Devices", device(R"("serial":"S1","assetTag":"T1","nics":[{"value":"aa"}])"));
  const auto two = w.add("/Devices", device(R"("serial":"S2","assetTag":"t1")"));
  check_refused(w.send("POST", "/Devices", device(R"("serial":"s1")")), 409, "uniqueness", "serial");
  check_refused(w.send("POST", "/Devices", device(R"("serial":"S3","nics":[{"value":"AA"}])")), 409, "uniqueness",
                "nics.value");
  check_refused(w.send("PATCH", "/Devices/" + two, patch(R"({"op":"replace","path":"assetTag","value":"T1"})")),
                409, "uniqueness", "assetTag");
  check_refused(w.send("PUT", "/Devices/" + two, device(R"("serial":"S2","assetTag":"T1")")), 409, "uniqueness",
                "assetTag");
  // Its own is no other's, and what is given up is free.
  CHECK(w.send("PUT", "/Devices/" + one, device(R"("serial":"S1","assetTag":"T2")")).status == 200);
  CHECK(w.send("PUT", "/Devices/" + two, device(R"("serial":"S2","assetTag":"T1","nics":[{"value":"aa"}])"))
            .status == 200);
  CHECK(w.send("DELETE", "/Devices/" + one).status == 204);
  w.add("/Devices", device(R"("serial":"S1","assetTag":"T2")"));
  check_refused(w.send("POST", "/Devices", device(R"("serial":"x","assetTag":")" + std::string(1025, 'a') + "\"")),
                400, "invalidValue", "assetTag");
  // A name that is not unique by its schema is none of the store's business.
  w.add("/Devices", device(R"("serial":"S7","userName":"ann")"));
  w.add("/Devices", device(R"("serial":"S8","userName":"ann")"));
}

TEST_CASE("two at once cannot both have it") {
  ScimWorld w("generic", settings());
  int made = 0;
  int refused = 0;
  for (int i = 0; i < 2; ++i) {
    service::Request r{"POST",
                       w.client.base + "/Devices",
                       {{"Authorization", "Bearer " + w.client.token}, {"Content-Type", "application/scim+json"}},
                       device(R"("serial":"S1","assetTag":"T")"),
                       "127.0.0.1"};
    w.scim->handle(std::move(r), [&](service::Response answer) {
      made += answer.status == 201 ? 1 : 0;
      refused += answer.status == 409 ? 1 : 0;
    });
  }
  w.executor.run_for(std::chrono::seconds(5));
  CHECK(made == 1);
  CHECK(refused == 1);
}

TEST_CASE("decimals are kept to the last digit, and have digits on both sides of a period") {
  ScimWorld w("generic", settings());
  const std::vector<std::pair<std::string, std::string>> sent_and_shown = {
      {"4.4334977615070713e-13", "4.4334977615070713e-13"},
      {"-3.0", "-3.0"},
      {"1e3", "1000.0"},
      {"0.1", "0.1"},
      {"9.522444552911937e-20", "9.522444552911937e-20"},
      {"7", "7"},
      {"-0.5", "-0.5"},
      {"1e22", "1.0e+22"},
      {"363.27291121493636", "363.27291121493636"}};
  for (const auto& [sent, shown] : sent_and_shown) {
    INFO(sent);
    const auto made = w.send("POST", "/Devices", device(R"("serial":"S)" + sent + R"(","weight":)" + sent));
    REQUIRE(made.status == 201);
    const auto at = "/Devices/" + made.id();
    const auto member = "\"weight\":" + shown;
    CHECK(made.text.find(member + ",") != std::string::npos);
    // Not either when it is read for something else, and written again.
    CHECK(w.get(at + "?attributes=weight").text.find(member + ",") != std::string::npos);
    const auto tagged = w.send("PATCH", at, patch(R"({"op":"add","path":"tags","value":["1.5E0 \"2E1"]})"));
    CHECK(tagged.text.find(member + ",") != std::string::npos);
    CHECK(tagged.str("/tags/0") == "1.5E0 \"2E1");
    const auto echo = w.send("PUT", at, tagged.text);
    CHECK(echo.status == 200);
    CHECK(echo.str("/meta/version") == tagged.str("/meta/version"));
    CHECK(w.get("/Devices?filter=" + query("weight eq " + sent)).str("/totalResults") == "1");
    CHECK(w.send("DELETE", at).status == 204);
  }
}

TEST_CASE("an extension from a file on Users") {
  ScimWorld w("generic", settings());
  const auto user = [](const std::string& rest) {
    return R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",
               "urn:example:params:scim:schemas:extension:2.0:Badge"],"userName":"ann")" +
           rest + "}";
  };
  check_refused(w.send("POST", "/Users", user("")), 400, "invalidValue", badge_urn);
  check_refused(w.send("POST", "/Users", user(",\"" + badge_urn + R"(":{"level":1})")), 400, "invalidValue",
                badge_urn + ":number");
  const auto made = w.send("POST", "/Users", user(",\"" + badge_urn + R"(":{"Number":"B1","level":2})"));
  INFO(made.text);
  REQUIRE(made.status == 201);
  const auto at = "/Users/" + made.id();
  CHECK(json::serialize(made.at("/schemas")) ==
        R"(["urn:ietf:params:scim:schemas:core:2.0:User",")" + badge_urn + "\"]");
  CHECK(w.get("/Users?filter=" + query(badge_urn + R"(:level ge 2)")).str("/totalResults") == "1");
  CHECK(w.get(at + "?attributes=" + badge_urn + ":number").at("/userName").is_null());
  check_refused(w.send("PATCH", at, patch(R"({"op":"remove","path":")" + badge_urn + "\"}")), 400, "mutability",
                badge_urn + ": the extension is required");
  check_refused(w.send("PATCH", at, patch(R"({"op":"remove","path":")" + badge_urn + ":number\"}")), 400,
                "mutability", badge_urn + ":number");
  check_refused(w.send("POST", "/Users",
                       R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"bob",")" +
                           badge_urn + R"(":{"number":"b1"}})"),
                409, "uniqueness", badge_urn + ":number");
  // It is a user like any other.
  CHECK(w.send("PATCH", at, patch(R"({"op":"replace","path":"active","value":false})")).status == 200);
  CHECK_FALSE(w.row(made.id()).active);
  CHECK(w.events("removal.requested") == 1);
}

TEST_CASE("what is never returned is found by no filter and told by no order") {
  ScimWorld w("generic", settings());
  w.add("/Devices", device(R"("serial":"S1","hidden":"a")"));
  w.add("/Devices", device(R"("serial":"S2","hidden":"b")"));
  for (const auto* filter :
       {R"(hidden eq "a")", "hidden pr", R"(not (hidden sw "a"))", R"(serial pr and hidden gt "a")",
        R"(secret eq "x")", "urn:example:params:scim:schemas:2.0:Device:hidden pr"}) {
    INFO(filter);
    const auto r = w.get("/Devices?filter=" + query(filter));
    check_refused(r, 400, "invalidFilter", "never returned");
    CHECK(w.get("/?filter=" + query(filter)).status == 400);
  }
  CHECK(w.get("/Users?filter=" + query("password pr")).str("/scimType") == "invalidFilter");
  for (const auto* order : {"hidden", "secret"})
    check_refused(w.get("/Devices?sortBy=" + std::string(order)), 400, "invalidValue", "sortBy");
  CHECK(w.get("/Devices?filter=" + query(R"(serial eq "S1")")).str("/totalResults") == "1");
}

TEST_CASE("resources of other types are no members of groups") {
  ScimWorld w("generic", settings());
  const auto id = w.add("/Devices", device(R"("serial":"S1")"));
  check_refused(
      w.send(
          "POST", "/Groups",
          R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"G","members":[{"value":")" +
              id + "\"}]}"),
      400, "invalidValue", "members");
}

TEST_CASE("schemas change with the integration, as far as what is stored fits") {
  ScimWorld w("generic", settings());
  const auto update = [&](const std::string& changes) {
    std::optional<Result<port::IntegrationRow>> result;
    w.engine->update_integration(w.owner, w.client.context->row.scope.integration,
                                 json::parse(changes).as_object(),
                                 [&](Result<port::IntegrationRow> r) { result.emplace(std::move(r)); });
    w.executor.run_for(std::chrono::seconds(5));
    REQUIRE(result);
    return *result;
  };
  const auto id = w.add("/Devices", device(R"("serial":"S1")"));

  const auto gone = update(R"({"resource_types":[]})");
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code() == Errc::conflict);
  CHECK(gone.error().where().find("Device") != std::string::npos);
  CHECK(gone.error().detail().find("1 resources") != std::string::npos);
  const auto bad = update(R"({"schemas":{"id":"urn:x:y","attributes":[{"name":"a","type":"number"}]}})");
  REQUIRE_FALSE(bad);
  CHECK(bad.error().where() == "schemas[0].attributes[0].type");
  // Other settings say nothing about schemas.
  REQUIRE(update(R"({"settings":{"patch_answer":"no_content"}})"));
  CHECK(w.get("/Devices/" + id).status == 200);
  // More is possible.
  auto more = settings();
  more["schemas"].as_array()[0].as_object()["attributes"].as_array().push_back(json::object{{"name", "colour"}});
  REQUIRE(update(json::serialize(json::object{{"schemas", more["schemas"]}})));
  CHECK(w.send("PATCH", "/Devices/" + id, patch(R"({"op":"add","path":"colour","value":"red"})")).status == 204);
  CHECK(w.get("/Devices/" + id).str("/colour") == "red");
  // Once nothing is left, all of it may go.
  CHECK(w.send("DELETE", "/Devices/" + id).status == 204);
  REQUIRE(update(R"({"resource_types":null,"schemas":null})"));
  CHECK(w.get("/Devices").status == 404);
  CHECK(w.get("/ResourceTypes").str("/totalResults") == "2");
}

TEST_CASE("filters on what no two resources share look at nobody else") {
  const bool sqlite = GENERATE(false, true);
  service::ScimOptions options;
  options.scan_rows = 1;  // whoever looks at two has looked at everybody
  ScimWorld w("generic", settings(), {}, options, sqlite);
  const auto at = [&](int i) {
    const auto n = std::to_string(i);
    return w.add("/Devices",
                 device(R"("serial":"S)" + n + R"(","assetTag":"T)" + n + R"(","ports":)" + n +
                        R"(,"nics":[{"value":"aa:)" + n + R"("},{"value":"bb:)" + n + R"(","type":"w"}])"));
  };
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(at(i));
  const auto found = [&](const std::string& filter) {
    const auto r = w.get("/Devices?filter=" + query(filter));
    INFO(filter << ": " << r.text);
    CHECK(r.status == 200);
    return r.str("/totalResults") + " " + r.str("/Resources/0/id");
  };
  CHECK(found("serial eq \"s3\"") == "1 " + ids[3]);  // in any case
  CHECK(found("urn:example:params:scim:schemas:2.0:Device:Serial eq \"S3\"") == "1 " + ids[3]);
  CHECK(found("assetTag eq \"T2\"") == "1 " + ids[2]);
  CHECK(found("assetTag eq \"t2\"") == "0 ");  // caseExact
  CHECK(found("nics.value eq \"BB:4\"") == "1 " + ids[4]);
  CHECK(found("nics eq \"bb:4\"") == "1 " + ids[4]);
  CHECK(found("serial eq \"S1\" and ports eq 1") == "1 " + ids[1]);
  CHECK(found("ports eq 1 and serial eq \"S1\"") == "1 " + ids[1]);
  CHECK(found("serial eq \"S1\" and ports eq 2") == "0 ");
  CHECK(found("serial eq \"nobody\"") == "0 ");
  CHECK(found("serial eq \"S1\" or assetTag eq \"T1\"") == "1 " + ids[1]);
  CHECK(found("serial eq \"S1\" or assetTag eq \"T2\" or nics.value eq \"aa:3\"").substr(0, 1) == "3");
  // A value that was given away is found where it is now, and not where it was.
  CHECK(w.send("PATCH", "/Devices/" + ids[2], patch(R"({"op":"remove","path":"assetTag"})")).status == 200);
  CHECK(
      w.send("PATCH", "/Devices/" + ids[4], patch(R"({"op":"replace","path":"assetTag","value":"T2"})")).status ==
      200);
  CHECK(found("assetTag eq \"T2\"") == "1 " + ids[4]);
  CHECK(w.send("DELETE", "/Devices/" + ids[4]).status == 204);
  CHECK(found("assetTag eq \"T2\"") == "0 ");
  // Of an extension of Users too, by its URN or without; and across types.
  const auto user = w.add("/Users", R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",")" + badge_urn +
                                        R"("],"userName":"ann",")" + badge_urn + R"(":{"number":"N1"}})");
  for (const auto& filter : {badge_urn + ":number eq \"n1\"", std::string("number eq \"N1\"")})
    CHECK(w.get("/Users?filter=" + query(filter)).str("/Resources/0/id") == user);
  CHECK(w.get("?filter=" + query("serial eq \"S0\"")).str("/Resources/0/id") == ids[0]);
  // What is no equality, and what half of an `or` does not answer, has to look.
  for (const auto& filter : {std::string("serial sw \"S\""), std::string("not (serial eq \"S0\")"),
                             std::string("serial eq \"S0\" or ports eq 1"), std::string("serial eq null")})
    CHECK(w.get("/Devices?filter=" + query(filter)).str("/scimType") == "tooMany");
}

TEST_CASE("orders by attributes of extensions and by full URNs") {
  ScimWorld w("generic", settings());
  for (const auto& [name, number, level] : {std::tuple{"ann", "N2", 3}, {"bob", "n1", 20}, {"Cho", "N3", 1}})
    w.add("/Users", R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",")" + badge_urn +
                        R"("],"userName":")" + name + R"(","name":{"familyName":"F)" + number + R"("},")" +
                        badge_urn + R"(":{"number":")" + number + R"(","level":)" + std::to_string(level) + "}}");
  const auto order = [&](const std::string& by, const std::string& more = {}) {
    const auto r = w.get("/Users?sortBy=" + by + more);
    INFO(by << ": " << r.text);
    REQUIRE(r.status == 200);
    std::string out;
    const auto all = r.at("/Resources");
    for (const auto& e : all.as_array())
      out += (out.empty() ? "" : " ") + std::string(e.at("userName").as_string());
    return out;
  };
  const std::string core = "urn:ietf:params:scim:schemas:core:2.0:User";
  CHECK(order(badge_urn + ":number") == "bob ann Cho");
  CHECK(order(badge_urn + ":LEVEL") == "Cho ann bob");
  CHECK(order("level") == "Cho ann bob");
  CHECK(order(core + ":userName") == "ann bob Cho");
  CHECK(order(core + ":userName", "&sortOrder=descending") == "Cho bob ann");
  CHECK(order(core + ":name.familyName") == "bob ann Cho");
  CHECK(order("URN:IETF:PARAMS:SCIM:SCHEMAS:CORE:2.0:USER:NAME.FAMILYNAME") == "bob ann Cho");
  CHECK(order(core + ":meta.lastModified") == "ann bob Cho");
  CHECK(w.send("POST", "/Users/.search",
               R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"sortBy":")" + badge_urn +
                   R"(:level","sortOrder":"descending"})")
            .str("/Resources/0/userName") == "bob");
  CHECK(w.get("/Users?sortBy=" + badge_urn).str("/scimType") == "invalidValue");
  CHECK(w.get("/Users?sortBy=urn:x:y:level").str("/scimType") == "invalidValue");
}

TEST_CASE("schemas that change under a request are seen by it, whatever comes first") {
  // The request comes in after 0, 1, 2, ... tasks of the change: before it, in its middle, and after it.
  bool with_type = false;
  bool without_type = false;
  for (std::size_t tasks = 0; tasks < 40; ++tasks) {
    ScimWorld w("generic", settings(), {}, {}, true);
    std::optional<bool> taken;
    w.engine->update_integration(w.owner, w.client.context->row.scope.integration,
                                 {{"resource_types", json::array()}},
                                 [&](const Result<port::IntegrationRow>& r) { taken = r.has_value(); });
    for (std::size_t i = 0; i < tasks; ++i) w.executor.run_one();
    const auto r = w.send("POST", "/Devices", device(R"("serial":"S1")"));
    REQUIRE(taken);
    INFO(tasks << ": " << r.text);
    // Never both: a device, and nothing that knows what that is.
    CHECK((r.status == 201) != *taken);
    CHECK((r.status == 201 || r.status == 404));
    (*taken ? without_type : with_type) = true;
  }
  CHECK(without_type);
  CHECK(with_type);
}

TEST_CASE("canonicalValues of custom schemas are what there is to choose from") {
  ScimWorld w("generic", json::parse(R"({
    "schemas":[{"id":"urn:example:params:scim:schemas:2.0:Device","name":"Device","attributes":[
      {"name":"serial"},{"name":"kind","canonicalValues":["laptop","phone"]},
      {"name":"grade","caseExact":true,"canonicalValues":["A","B"]},
      {"name":"marks","multiValued":true,"canonicalValues":["red","blue"]},
      {"name":"nics","type":"complex","multiValued":true,"subAttributes":[
        {"name":"value"},{"name":"type","canonicalValues":["eth","wifi"]}]}]}],
    "resource_types":[{"name":"Device","endpoint":"/Devices","schema":"urn:example:params:scim:schemas:2.0:Device"}]})")
                             .as_object());
  const auto id = w.add("/Devices", device(R"("serial":"1","kind":"Laptop","grade":"A","marks":["red"],
    "nics":[{"value":"a","type":"eth"}])"));
  CHECK(w.get("/Devices/" + id).str("/kind") == "Laptop");
  check_refused(w.send("POST", "/Devices", device(R"("kind":"tablet")")), 400, "invalidValue", "kind");
  check_refused(w.send("POST", "/Devices", device(R"("kind":"tablet")")), 400, "invalidValue", "laptop, phone");
  check_refused(w.send("POST", "/Devices", device(R"("grade":"a")")), 400, "invalidValue", "grade");
  check_refused(w.send("PUT", "/Devices/" + id, device(R"("marks":["blue","green"])")), 400, "invalidValue",
                "marks[1]");
  check_refused(w.send("PATCH", "/Devices/" + id, patch(R"({"op":"add","path":"serial","value":"2"},
                                {"op":"replace","path":"nics[value eq \"a\"].type","value":"isdn"})")),
                400, "invalidValue", "Operations[1].nics.type");
  CHECK(w.get("/Devices/" + id).str("/serial") == "1");
  // A filter may ask for anything.
  CHECK(total(w, R"(kind eq "tablet")") == "0");
  // The RFC's own schemas only suggest: real IdPs send other types of e-mail.
  CHECK(w.send("POST", "/Users", R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ann",
    "emails":[{"value":"a@x","type":"school"}]})")
            .status == 201);
}

TEST_CASE("a value that is taken names the operation that wanted it") {
  ScimWorld w("generic", settings());
  w.add("/Devices", device(R"("serial":"S1","assetTag":"T1","nics":[{"value":"m1"}])"));
  const auto id = w.add("/Devices", device(R"("serial":"S2","assetTag":"T2")"));
  const auto refused = [&](const std::string& operations, const std::string& where) {
    check_refused(w.send("PATCH", "/Devices/" + id, patch(operations)), 409, "uniqueness", where);
  };
  refused(R"({"op":"add","path":"ports","value":1},{"op":"replace","path":"assetTag","value":"T1"})",
          "Operations[1].assetTag: ");
  refused(R"({"op":"add","value":{"nics":[{"value":"M1"}]}},{"op":"add","path":"ports","value":1})",
          "Operations[0].nics.value: ");
  refused(R"({"op":"replace","path":"assetTag","value":"T9"},{"op":"replace","path":"assetTag","value":"T1"})",
          "Operations[1].assetTag: ");
  check_refused(w.send("PATCH", "/Devices/" + id, patch(R"({"op":"add","path":"ports","value":1},
    {"op":"add","path":"owner","value":"/Groups/1"})")),
                400, "invalidValue", "Operations[1].owner: ");
}

TEST_CASE("a schema that was stored with canonicalValues of numbers and references is served as before") {
  const auto settings_with = [](const std::string& values, const std::string& uris) {
    return json::parse(R"({"schemas":[{"id":")" + device_urn + R"(","name":"Device","attributes":[
      {"name":"serial"},{"name":"ports","type":"integer")" +
                       values + R"(},{"name":"site","type":"reference")" + uris + R"(}]}],
      "resource_types":[{"name":"Device","endpoint":"/Devices","schema":")" +
                       device_urn + "\"}]}")
        .as_object();
  };
  ScimWorld w("generic", settings_with("", ""));
  const auto id = w.add("/Devices", device(R"("serial":"1","ports":9,"site":"https://c.example")"));
  auto row = w.client.context->row;  // as an older version may have stored it
  row.settings = json::serialize(
      settings_with(R"(,"canonicalValues":["1","2"])", R"(,"canonicalValues":["https://a.example"])"));
  port::Transaction txn;
  txn.id = w.random.id<TxnId>(w.clock.wall());
  txn.ops.emplace_back(port::op::PutIntegration{row});
  w.store->commit(std::move(txn), [](const Result<port::Committed>& r) { REQUIRE(r.has_value()); });
  w.executor.run_until_idle();
  w.engine->close(std::chrono::seconds(1), [](Result<void>) {});
  w.executor.run_for(std::chrono::seconds(2));
  w.scim.reset();
  w.engine.reset();
  engine::Options options;
  options.master_key = std::string(32, 'k');
  options.connectors = test::no_app();
  auto made = engine::Engine::create({w.executor, w.clock, w.random, *w.store, *w.http, *w.crypto}, options);
  REQUIRE(made.has_value());
  w.engine = std::move(*made);
  w.engine->start([](const Result<void>& r) { REQUIRE(r.has_value()); });
  w.executor.run_until_idle();
  w.scim = std::make_unique<service::ScimService>(*w.engine, service::ScimOptions{});

  CHECK(w.engine->faults().empty());
  CHECK(w.get("/Devices/" + id).at("/ports") == 9);
  CHECK(w.send("PUT", "/Devices/" + id, device(R"("serial":"2","ports":9,"site":"https://c.example")")).status ==
        200);
  CHECK(w.send("POST", "/Devices", device(R"("serial":"3","ports":7,"site":"https://d.example")")).status == 201);
}
