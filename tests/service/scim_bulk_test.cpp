// Bulk requests (RFC 7644 section 3.7).
#include <boost/json/parse.hpp>
#include "catch.hpp"
#include "support/scim_world.hpp"

using namespace deprov;
using deprov::test::ScimReply;
using deprov::test::ScimWorld;

namespace {

const std::string enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

std::string user(const std::string& name, const std::string& rest = {}) {
  return R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":")" + name + "\"" + rest + "}";
}
std::string managed(const std::string& name, const std::string& manager) {
  return R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",")" + enterprise + R"("],"userName":")" +
         name + R"(",")" + enterprise + R"(":{"manager":{"value":")" + manager + R"("}}})";
}
std::string group(const std::string& name, const std::vector<std::string>& members) {
  std::string out =
      R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":")" + name + R"(","members":[)";
  for (const auto& m : members) out += (out.back() == '[' ? "" : ",") + (R"({"value":")" + m + "\"}");
  return out + "]}";
}
std::string post(const std::string& path, const std::string& bulk_id, const std::string& data) {
  return R"({"method":"POST","path":")" + path + R"(","bulkId":")" + bulk_id + R"(","data":)" + data + "}";
}

ScimReply bulk(ScimWorld& w, const std::vector<std::string>& operations, const std::string& rest = {}) {
  std::string body =
      R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],)" + rest + R"("Operations":[)";
  for (const auto& o : operations) body += (body.back() == '[' ? "" : ",") + o;
  return w.send("POST", "/Bulk", body + "]}");
}

std::string statuses(const ScimReply& r) {
  INFO(r.text);
  REQUIRE(r.status == 200);
  std::string out;
  const auto all = r.at("/Operations");
  for (const auto& op : all.get_array())
    out += (out.empty() ? "" : " ") + std::string(op.at("status").get_string());
  return out;
}

std::string id_of(const ScimReply& r, std::size_t index) {
  const auto location = r.str("/Operations/" + std::to_string(index) + "/location");
  return location.substr(location.rfind('/') + 1);
}

}  // namespace

TEST_CASE("each operation is carried out and answered like a request of its own") {
  const bool sqlite = GENERATE(false, true);
  ScimWorld w("generic", {}, {}, {}, sqlite);
  const auto ann = w.add_user("ann");
  const auto bob = w.add_user("bob");
  const auto cho = w.add_user("cho");
  const auto r =
      bulk(w, {post("/Users", "q1", user("dan")),
               R"({"method":"PUT","path":"/Users/)" + ann + R"(","data":)" + user("ann2") + "}",
               R"({"method":"PATCH","path":"/Users/)" + bob +
                   R"(","version":"W/\"1\"","data":{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                                "Operations":[{"op":"replace","path":"title","value":"Dr"}]}})",
               R"({"method":"DELETE","path":"/Users/)" + cho + "\"}"});
  CHECK(statuses(r) == "201 200 200 204");
  CHECK(r.str("/schemas/0") == "urn:ietf:params:scim:api:messages:2.0:BulkResponse");
  CHECK(r.str("/Operations/0/bulkId") == "q1");
  CHECK(r.str("/Operations/0/method") == "POST");
  CHECK(r.str("/Operations/0/version") == "W/\"1\"");
  CHECK(r.str("/Operations/0/location") == "http://gw.example.com" + w.client.base + "/Users/" + id_of(r, 0));
  CHECK(r.str("/Operations/1/location") == "http://gw.example.com" + w.client.base + "/Users/" + ann);
  CHECK(r.str("/Operations/1/version") == "W/\"2\"");
  CHECK(w.get("/Users/" + id_of(r, 0)).str("/userName") == "dan");
  CHECK(w.get("/Users/" + ann).str("/userName") == "ann2");
  CHECK(w.get("/Users/" + bob).str("/title") == "Dr");
  CHECK(w.get("/Users/" + cho).status == 404);
}

TEST_CASE("one failure is the failure of one operation") {
  ScimWorld w;
  const auto ann = w.add_user("ann");
  const std::vector<std::string> operations{
      post("/Users", "a", user("ann")),
      R"({"method":"GET","path":"/Users/)" + ann + "\"}",
      post("/Users", "", user("x")),
      post("/Nothing", "b", "{}"),
      post("/Users/" + ann, "c", user("y")),
      R"({"method":"PUT","path":"/Users/)" + ann + R"(","version":"W/\"9\"","data":)" + user("ann") + "}",
      R"({"method":"DELETE","path":"/Users/00000000-0000-0000-0000-000000000000"})",
      R"({"method":"DELETE","path":"/Users"})",
      post("/Bulk", "d", "{}"),
      post("/Users", "e", R"({"userName":7})"),
      post("/Users", "f", user("good"))};
  const auto r = bulk(w, operations);
  CHECK(statuses(r) == "409 400 400 404 405 412 404 405 400 400 201");
  CHECK(r.str("/Operations/0/response/scimType") == "uniqueness");
  CHECK(r.str("/Operations/0/response/status") == "409");
  CHECK(r.at("/Operations/0/location").is_null());  // a POST that failed has none
  CHECK(r.str("/Operations/1/response/detail").find("Operations[1].method") != std::string::npos);
  CHECK(r.str("/Operations/5/location").find(ann) != std::string::npos);
  CHECK(r.str("/Operations/5/response/detail").starts_with("Operations[5].version: "));
  CHECK(r.at("/Operations/10/response").is_null());
  // failOnErrors: what comes after is neither done nor answered.
  const auto stopped =
      bulk(w, {operations[6], operations[6], post("/Users", "g", user("never"))}, R"("failOnErrors":2,)");
  CHECK(statuses(stopped) == "404 404");
  CHECK(w.get("/Users?filter=userName+eq+%22never%22").at("/totalResults") == 0);
  const auto one = bulk(w, {operations[6], post("/Users", "g", user("now"))}, R"("failOnErrors":2,)");
  CHECK(statuses(one) == "404 201");
}

TEST_CASE("bulkIds become ids, in values, paths and filters, whatever the order") {
  ScimWorld w;
  const auto r = bulk(
      w,
      {post("/Groups", "g", group("Tour Guides", {"bulkId:alice", "bulkId:al"})),
       post("/Users", "alice", user("alice")), post("/Users", "al", managed("al", "bulkId:alice")),
       R"({"method":"PATCH","path":"/Groups/bulkId:g","data":{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations":[{"op":"remove","path":"members[value eq \"bulkId:al\"]"}]}})"});
  REQUIRE(statuses(r) == "201 201 201 200");
  CHECK(r.str("/Operations/0/bulkId") == "g");
  CHECK(w.members(id_of(r, 0)) == std::vector<std::string>{id_of(r, 1)});
  CHECK(w.get("/Users/" + id_of(r, 2)).str("/" + enterprise + "/manager/value") == id_of(r, 1));
  CHECK(r.str("/Operations/3/location").find("/Groups/" + id_of(r, 0)) != std::string::npos);
}

TEST_CASE("circles are resolved (RFC 7644 section 3.7.1)") {
  ScimWorld w;
  const auto groups = bulk(w, {post("/Groups", "qwerty", group("Group A", {"bulkId:ytrewq"})),
                               post("/Groups", "ytrewq", group("Group B", {"bulkId:qwerty"}))});
  REQUIRE(statuses(groups) == "201 201");
  CHECK(w.members(id_of(groups, 0)) == std::vector<std::string>{id_of(groups, 1)});
  CHECK(w.members(id_of(groups, 1)) == std::vector<std::string>{id_of(groups, 0)});
  const auto users =
      bulk(w, {post("/Users", "a", managed("a", "bulkId:b")), post("/Users", "b", managed("b", "bulkId:c")),
               post("/Users", "c", managed("c", "bulkId:a")), post("/Users", "d", managed("d", "bulkId:d"))});
  REQUIRE(statuses(users) == "201 201 201 201");
  for (const auto& [at, manager] : {std::pair{0, 1}, {1, 2}, {2, 0}, {3, 3}})
    CHECK(w.get("/Users/" + id_of(users, static_cast<std::size_t>(at))).str("/" + enterprise + "/manager/value") ==
          id_of(users, static_cast<std::size_t>(manager)));
  // A group in itself is none, by bulkId as otherwise.
  const auto self = bulk(w, {post("/Groups", "s", group("S", {"bulkId:s"}))});
  CHECK(statuses(self) == "400");
  CHECK(self.str("/Operations/0/response/scimType") == "invalidValue");
  CHECK(self.str("/Operations/0/response/detail") ==
        "Operations[0].members: \"bulkId:s\" would make the group a member of itself");
}

TEST_CASE("what refers to something that is not created is not created either") {
  ScimWorld w;
  w.add_user("taken");
  const auto r = bulk(w, {post("/Users", "x", user("taken")), post("/Groups", "g", group("G", {"bulkId:x"})),
                          post("/Groups", "h", group("H", {"bulkId:nobody"})), post("/Users", "same", user("one")),
                          post("/Users", "same", user("two"))});
  CHECK(statuses(r) == "409 409 409 201 400");
  CHECK(r.str("/Operations/1/response/scimType") == "invalidValue");
  CHECK(r.str("/Operations/2/response/detail").find("bulkId:nobody") != std::string::npos);
  CHECK(r.str("/Operations/4/response/scimType") == "invalidValue");
  CHECK(w.get("/Groups").at("/totalResults") == 0);
  // A circle that does not close is taken back: a needs b, b needs a, and a cannot be.
  const auto circle =
      bulk(w, {post("/Users", "a", managed("taken", "bulkId:b")), post("/Users", "b", managed("b", "bulkId:a")),
               post("/Groups", "g", group("G", {"bulkId:b"}))});
  CHECK(statuses(circle) == "409 409 409");
  CHECK(circle.str("/Operations/0/response/scimType") == "uniqueness");
  CHECK(w.get("/Users?filter=userName+eq+%22b%22").at("/totalResults") == 0);
}

TEST_CASE("the bounds of a bulk request are told and kept") {
  service::ScimOptions options;
  options.bulk_operations = 2;
  options.bulk_payload = 2000;
  ScimWorld w("generic", {}, {}, options);
  const auto config = w.get("/ServiceProviderConfig");
  CHECK(config.at("/bulk/supported") == true);
  CHECK(config.at("/bulk/maxOperations") == 2);
  CHECK(config.at("/bulk/maxPayloadSize") == 2000);
  const auto many =
      bulk(w, {post("/Users", "a", user("a")), post("/Users", "b", user("b")), post("/Users", "c", user("c"))});
  CHECK(many.status == 413);
  CHECK(many.str("/detail").find("maxOperations (2)") != std::string::npos);
  const auto large = bulk(w, {post("/Users", "a", user("a", R"(,"title":")" + std::string(2000, 't') + "\""))});
  CHECK(large.status == 413);
  CHECK(large.str("/detail").find("maxPayloadSize (2000)") != std::string::npos);
  CHECK(w.get("/Users").at("/totalResults") == 0);
}

TEST_CASE("what is no bulk request is refused as a whole") {
  ScimWorld w;
  CHECK(w.send("POST", "/Bulk", "nonsense").str("/scimType") == "invalidSyntax");
  CHECK(w.send("POST", "/Bulk", "{}").str("/scimType") == "invalidSyntax");
  CHECK(w.get("/Bulk").status == 405);
  CHECK(w.get("/Bulk").header("Allow") == "POST");
  CHECK(w.send("POST", "/Bulk/1", "{}").status == 404);
  CHECK(w.send("POST", "/Bulk", "{}", {{"Content-Type", "text/plain"}}).status == 415);
  CHECK(statuses(bulk(w, {})).empty());
}

TEST_CASE("an operation that the store refuses for now is answered 503, the others are done") {
  ScimWorld w;
  int commits = 0;
  w.fault = [&](const port::Transaction&) -> std::optional<store::CommitFault> {
    if (++commits == 2) return store::CommitFault{Error(Errc::busy, "the queue is full"), false};
    return std::nullopt;
  };
  const auto r =
      bulk(w, {post("/Users", "a", user("a")), post("/Users", "b", user("b")), post("/Users", "c", user("c"))});
  CHECK(statuses(r) == "201 503 201");
  w.fault = nullptr;
  CHECK(w.get("/Users").at("/totalResults") == 2);
}

TEST_CASE("/Me is not offered: a gateway token stands for no user (RFC 7644 section 3.11)") {
  ScimWorld w;
  for (const auto* method : {"GET", "PATCH", "DELETE"}) CHECK(w.send(method, "/Me").status == 501);
}

TEST_CASE("operations that cannot tell which came first share their commits") {
  const bool sqlite = GENERATE(false, true);
  ScimWorld w("generic", {}, {}, {}, sqlite);
  std::vector<std::string> operations;
  for (int i = 0; i < 200; ++i)
    operations.push_back(post("/Users", "b" + std::to_string(i), user("u" + std::to_string(i % 150))));
  const auto before = w.store->stats();
  const auto made = bulk(w, operations);
  const auto after = w.store->stats();
  std::string expected;
  for (int i = 0; i < 200; ++i) expected += (i == 0 ? "" : " ") + std::string(i < 150 ? "201" : "409");
  CHECK(statuses(made) == expected);
  CHECK(made.str("/Operations/199/response/scimType") == "uniqueness");
  CHECK(after.commits - before.commits == 150);
  if (sqlite) CHECK(after.batches - before.batches <= 4);
  // Changes and removals likewise; the second one of the same user waits for the first.
  operations.clear();
  for (std::size_t i = 0; i < 100; ++i)
    operations.push_back(R"({"method":"PATCH","path":"/Users/)" + id_of(made, i) + R"(","version":"W/\"1\"","data":
      {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":false}]}})");
  operations.push_back(operations.front());
  for (std::size_t i = 0; i < 50; ++i)
    operations.push_back(R"({"method":"DELETE","path":"/Users/)" + id_of(made, i) + "\"}");
  operations.push_back(operations.back());
  const auto changed = bulk(w, operations);
  expected.clear();
  for (int i = 0; i < 100; ++i) expected += "200 ";
  expected += "412 ";
  for (int i = 0; i < 50; ++i) expected += "204 ";
  CHECK(statuses(changed) == expected + "404");
  CHECK(w.get("/Users").at("/totalResults") == 100);
  CHECK(w.events("removal.requested") == 100);
}

TEST_CASE("operations that can tell which came first are done one after the other") {
  const bool sqlite = GENERATE(false, true);
  ScimWorld w("generic", {}, {}, {}, sqlite);
  const auto ann = w.add_user("ann");
  const auto bob = w.add_user("bob");
  const auto rename = [](const std::string& id, const std::string& change) {
    return R"({"method":"PATCH","path":"/Users/)" + id +
           R"(","data":{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)" + change +
           "]}}";
  };
  // A name is taken once it is free, and not before.
  const auto r = bulk(
      w, {rename(ann, R"({"op":"replace","path":"UserName","value":"cho"})"), post("/Users", "x", user("ann")),
          post("/Users", "y", user("bob")), R"({"method":"DELETE","path":"/Users/)" + bob + "\"}",
          post("/Users", "z", user("bob")), rename(ann, R"({"op":"replace","value":{"userName":"bob"}})"),
          R"({"method":"DELETE","path":"/users/)" + ann + "\"}",
          rename(ann, R"({"op":"replace","path":"title","value":"T"})")});
  CHECK(statuses(r) == "200 201 409 204 201 409 204 404");
  // Each of these sees what the one before it has done to the same user.
  const auto again = bulk(w, {rename(id_of(r, 1), R"({"op":"replace","path":"title","value":"A"})"),
                              rename(id_of(r, 1), R"({"op":"add","path":"title","value":"B"})"),
                              rename(id_of(r, 1), R"({"op":"replace","path":"active","value":false})")});
  CHECK(statuses(again) == "200 200 200");
  CHECK(again.str("/Operations/2/version") == "W/\"4\"");
  CHECK(w.get("/Users/" + id_of(r, 1)).str("/title") == "B");
}

TEST_CASE("a bulk of removals is judged by the guard like the same requests alone", "[R7]") {
  const bool sqlite = GENERATE(false, true);
  const bool together = GENERATE(false, true);
  boost::json::object policy{{"guard", {{"enabled", true}}}};
  ScimWorld w("generic", {}, policy, {}, sqlite);
  std::vector<std::string> operations;
  std::vector<std::string> ids;
  for (int i = 0; i < 40; ++i) ids.push_back(w.add_user("u" + std::to_string(i)));
  w.clock.advance(std::chrono::hours(25));  // they had access when the windows began
  const std::string off =
      R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":false}]})";
  for (const auto& id : ids)
    operations.push_back(R"({"method":"PATCH","path":"/Users/)" + id + R"(","data":)" + off + "}");
  if (together) {
    const auto r = bulk(w, operations);
    CHECK(statuses(r).find("4") == std::string::npos);
  } else {
    for (const auto& id : ids) CHECK(w.send("PATCH", "/Users/" + id, off).status == 200);
  }
  // The facts are stored whatever becomes of the effects.
  for (const auto& id : ids) CHECK_FALSE(w.row(id).active);
  std::optional<port::HoldRow> hold;
  w.read([&](port::Reader& reader) { hold = reader.open_hold(w.client.context->row.scope).value(); });
  REQUIRE(hold);
  CHECK(hold->held == 40);
}

TEST_CASE("resources of custom types are made, changed and deleted in bulk, and refer to each other") {
  const bool sqlite = GENERATE(false, true);
  const auto settings = boost::json::parse(R"({
    "schemas":[{"id":"urn:example:Device","name":"Device","attributes":[
      {"name":"serial","required":true,"uniqueness":"server"},
      {"name":"owner","type":"complex","subAttributes":[{"name":"value"},
        {"name":"$ref","type":"reference","referenceTypes":["User","Device"]}]}]}],
    "resource_types":[{"name":"Device","endpoint":"/Devices","schema":"urn:example:Device"}]})")
                            .as_object();
  ScimWorld w("generic", settings, {}, {}, sqlite);
  const auto device = [](const std::string& serial, const std::string& rest = {}) {
    return R"({"schemas":["urn:example:Device"],"serial":")" + serial + "\"" + rest + "}";
  };
  const auto r = bulk(
      w,
      {post("/Devices", "d0", device("S0", R"(,"owner":{"value":"bulkId:u","$ref":"../Users/bulkId:u"})")),
       post("/Devices", "d1", device("S1")), post("/Devices", "d2", device("s1")),
       post("/Users", "u", user("ann")),
       post("/devices", "d3", device("S3", R"(,"owner":{"value":"bulkId:d1","$ref":"../Devices/bulkId:d1"})")),
       R"({"method":"PATCH","path":"/Devices/bulkId:d1","data":{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
             "Operations":[{"op":"replace","path":"serial","value":"S9"}]}})",
       R"({"method":"PUT","path":"/Devices/bulkId:d3","data":)" + device("S1") + "}",
       R"({"method":"DELETE","path":"/Devices/bulkId:d0"})", post("/Devices", "d4", device("s0"))});
  CHECK(statuses(r) == "201 201 409 201 201 200 200 204 201");
  CHECK(r.str("/Operations/0/location").find("/Devices/") != std::string::npos);
  CHECK(w.get("/Devices/" + id_of(r, 4)).str("/serial") == "S1");
  CHECK(w.get("/Devices/" + id_of(r, 1)).str("/serial") == "S9");
  CHECK(w.get("/Devices/" + id_of(r, 0)).status == 404);
  CHECK(w.get("/Devices").at("/totalResults") == 3);
}

TEST_CASE("a reference of a custom type goes to the resource that its bulkId names, or the operation is refused") {
  const auto settings = boost::json::parse(R"({
    "schemas":[{"id":"urn:example:Device","name":"Device","attributes":[
      {"name":"serial","required":true},{"name":"owner","type":"reference","referenceTypes":["User"]}]}],
    "resource_types":[{"name":"Device","endpoint":"/Devices","schema":"urn:example:Device"}]})")
                            .as_object();
  ScimWorld w("generic", settings);
  w.add_user("bob");
  const auto device = [](const std::string& owner) {
    return R"({"schemas":["urn:example:Device"],"serial":"S","owner":")" + owner + "\"}";
  };
  const auto r =
      bulk(w, {post("/Devices", "d0", device("/Users/bulkId:u")), post("/Users", "u", user("ann")),
               post("/Devices", "d1", device("../Users/bulkId:bob")), post("/Users", "bob", user("bob")),
               post("/Devices", "d2", device("/Users/bulkId:nobody"))});
  CHECK(statuses(r) == "201 201 409 409 409");
  CHECK(w.get("/Devices/" + id_of(r, 0)).str("/owner") == "/Users/" + id_of(r, 1));
  CHECK(w.get("/Devices").at("/totalResults") == 1);
}

TEST_CASE("text that looks like a reference is one only where a reference stands") {
  ScimWorld w;
  const auto r = bulk(w, {post("/Users", "a", user("ann", R"(,"title":"bulkId:nobody")")),
                          post("/Users", "b", user("bob", R"(,"title":"bulkId:a")"))});
  CHECK(statuses(r) == "201 201");
  CHECK(w.get("/Users/" + id_of(r, 0)).str("/title") == "bulkId:nobody");
  CHECK(w.get("/Users/" + id_of(r, 1)).str("/title") == id_of(r, 0));
}
