// RFC 7644 sections 3.3 to 3.6: create, read, replace, delete; RFC 7643 section 3: common attributes.
#include <boost/json/serialize.hpp>
#include "suite.hpp"

namespace deprov::conformance {

namespace {

bool ends_with(const std::string& s, const std::string& tail) {
  return s.size() >= tail.size() && s.compare(s.size() - tail.size(), tail.size(), tail) == 0;
}

const char* const full = R"({
  "name":{"formatted":"Ms. Barbara J Jensen III","familyName":"Jensen","givenName":"Barbara","middleName":"Jane",
          "honorificPrefix":"Ms.","honorificSuffix":"III"},
  "displayName":"Babs Jensen","nickName":"Babs","profileUrl":"https://login.example.com/bjensen",
  "title":"Tour Guide","userType":"Employee","preferredLanguage":"en-US","locale":"en-US",
  "timezone":"America/Los_Angeles","active":true,
  "emails":[{"value":"bjensen@example.com","type":"work","primary":true},{"value":"babs@jensen.org","type":"home"}],
  "addresses":[{"streetAddress":"100 Universal City Plaza","locality":"Hollywood","region":"CA","postalCode":"91608",
                "country":"US","formatted":"100 Universal City Plaza\nHollywood, CA 91608 USA","type":"work","primary":true}],
  "phoneNumbers":[{"value":"tel:+1-201-555-0123","type":"work"},{"value":"tel:+1-201-555-0124","type":"mobile"}],
  "ims":[{"value":"someaimhandle","type":"aim"}],
  "photos":[{"value":"https://photos.example.com/profilephoto/1/F","type":"photo"}],
  "entitlements":[{"value":"e1"}],"roles":[{"value":"Guide"}],
  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{
    "employeeNumber":"701984","costCenter":"4130","organization":"Universal Studios","division":"Theme Park",
    "department":"Tour Operations"}})";

void add_create(Checks& to) {
  constexpr auto s = "7644 3.3";
  to.push_back({"create-201", s, "POST answers 201 with the resource and its Location", [](Run& r) {
                  const auto body = r.user_body();
                  const auto reply = r.post("/Users", body);
                  r.status(reply, {201});
                  r.expect(holds(reply.json, json::object{{"userName", body.at("userName")}}), "userName");
                  r.expect(reply.header("location") == text(reply.json, "/meta/location"),
                           "Location is not meta.location");
                  r.expect(ends_with(reply.header("location"), "/Users/" + text(reply.json, "/id")),
                           "Location " + reply.header("location"));
                }});
  to.push_back({"create-location-leads-there", s, "the Location of a created resource can be read", [](Run& r) {
                  const auto made = r.user();
                  const auto where = text(made, "/meta/location");
                  r.expect(where.rfind(r.http.base(), 0) == 0, where + " is not below " + r.http.base());
                  r.expect(same(r.read(where.substr(r.http.base().size())), made), "another resource is there");
                }});
  to.push_back({"create-content-type", "7644 3.1", "answers are application/scim+json", [](Run& r) {
                  const auto reply = r.post("/Users", r.user_body());
                  r.expect(reply.header("content-type").rfind("application/scim+json", 0) == 0,
                           reply.header("content-type"));
                  r.expect(r.get("/Users?count=1").header("content-type").rfind("application/scim+json", 0) == 0,
                           "of a list");
                  r.expect(r.get("/Users/nothing").header("content-type").rfind("application/scim+json", 0) == 0,
                           "of an error");
                }});
  to.push_back(
      {"create-meta", "7643 3.1", "meta has resourceType, created, lastModified and location", [](Run& r) {
         const auto made = r.user();
         r.expect(text(made, "/meta/resourceType") == "User", "resourceType");
         for (const auto* p : {"/meta/created", "/meta/lastModified"}) {
           const auto t = text(made, p);
           r.expect(t.size() >= 20 && t[10] == 'T' && t[4] == '-' && t[13] == ':',
                    std::string(p) + " \"" + t + "\" is no xsd:dateTime");
         }
         r.expect(text(made, "/meta/created") == text(made, "/meta/lastModified"),
                  "a new resource was modified already");
       }});
  to.push_back({"create-id-issued", "7643 3.1", "an id in the body of a POST is ignored", [](Run& r) {
                  const auto made = r.user({{"id", "my-own-id"}});
                  r.expect(text(made, "/id") != "my-own-id", "the client chose the id");
                }});
  to.push_back(
      {"create-meta-ignored", "7643 3.1", "meta in the body of a POST is ignored", [](Run& r) {
         const auto made = r.user({{"meta", J(R"({"created":"2001-01-01T00:00:00Z","resourceType":"Group"})")}});
         r.expect(text(made, "/meta/created").rfind("2001", 0) != 0 && text(made, "/meta/resourceType") == "User",
                  "it was taken");
       }});
  to.push_back({"create-external-id", "7643 3.1", "externalId is kept as it is, case included", [](Run& r) {
                  const auto made = r.user({{"externalId", r.prefix() + "-External-ID"}});
                  r.expect(
                      text(r.read("/Users/" + text(made, "/id")), "/externalId") == r.prefix() + "-External-ID",
                      "externalId");
                }});
  to.push_back({"create-full-user", "7643 4.1", "all attributes of a full User are kept", [](Run& r) {
                  const auto wanted = J(full);
                  const auto made = r.user(wanted.as_object());
                  const auto now = r.read("/Users/" + text(made, "/id"));
                  for (const auto& m : wanted.as_object())
                    r.expect(holds(now, json::object{{m.key(), m.value()}}),
                             std::string(m.key()) + " is " + json::serialize(at(now, "/" + std::string(m.key()))));
                }});
  to.push_back(
      {"create-schemas-of-extension", "7643 3", "schemas names the extension that has values", [](Run& r) {
         r.needs(r.facts.schemas.count(enterprise_schema) != 0, "the enterprise extension");
         const auto made = r.user({{enterprise_schema, J(R"({"department":"D"})")}});
         r.expect(holds(made, json::object{{"schemas", json::array{json::string(user_schema),
                                                                   json::string(enterprise_schema)}}}),
                  "schemas " + json::serialize(at(made, "/schemas")));
       }});
  to.push_back(
      {"create-group", "7643 4.2", "a Group is created with its members", [](Run& r) {
         const auto user = text(r.user(), "/id");
         const auto made = r.group({user});
         const auto now = r.read("/Groups/" + text(made, "/id"));
         r.expect(holds(now, json::object{{"members", json::array{json::object{{"value", user}}}}}), "members");
         r.expect(
             ends_with(text(now, "/members/0/$ref"), "/Users/" + user) || at(now, "/members/0/$ref").is_null(),
             "$ref");
       }});
  to.push_back(
      {"create-empty-group", "7643 4.2", "a Group without members, and one with an empty list", [](Run& r) {
         r.expect(unassigned(r.group(), "/members"), "it has members");
         r.expect(unassigned(r.group({}, {{"members", json::array()}}), "/members"), "it has members");
       }});
  to.push_back(
      {"create-user-shows-groups", "7643 4.1.2", "groups of a User follows from the Group's members", [](Run& r) {
         const auto user = text(r.user(), "/id");
         const auto group = text(r.group({user}), "/id");
         r.expect(holds(r.read("/Users/" + user),
                        json::object{{"groups", json::array{json::object{{"value", group}}}}}),
                  "groups");
       }});
  to.push_back({"create-nested-group", "7643 4.2", "a Group can be member of a Group", [](Run& r) {
                  const auto inner = text(r.group(), "/id");
                  const auto outer = text(
                      r.group({}, {{"members", json::array{json::object{{"value", inner}, {"type", "Group"}}}}}),
                      "/id");
                  r.expect(holds(r.read("/Groups/" + outer),
                                 json::object{{"members", json::array{json::object{{"value", inner}}}}}),
                           "members");
                }});
  to.push_back({"create-unassigned", "7643 2.5", "null and an empty array mean the same as nothing", [](Run& r) {
                  const auto made = r.user({{"nickName", nullptr}, {"emails", json::array()}, {"title", "T"}});
                  r.expect(
                      unassigned(made, "/nickName") && unassigned(made, "/emails") && text(made, "/title") == "T",
                      json::serialize(made));
                }});
  to.push_back({"create-case-of-names", "7643 2.1", "attribute names in any case", [](Run& r) {
                  auto body = r.user_body({{"DISPLAYNAME", "D"}, {"Name", J(R"({"GIVENNAME":"G"})")}});
                  const auto reply = r.post("/Users", body);
                  r.status(reply, {201});
                  r.expect(text(reply.json, "/displayName") == "D" && text(reply.json, "/name/givenName") == "G",
                           reply.body);
                }});
  to.push_back({"create-case-of-urns", "7643 2.1", "schema URNs in any case", [](Run& r) {
                  auto body = r.user_body();
                  body["schemas"].as_array()[0] = "URN:IETF:params:SCIM:schemas:CORE:2.0:user";
                  r.status(r.post("/Users", body), {201});
                }});
  to.push_back(
      {"create-unicode", "7644 3.1", "UTF-8 comes back as it was sent", [](Run& r) {
         const std::string name = "J\xC3\xBCrgen \xE6\xBC\xA2\xE5\xAD\x97 \xF0\x9F\x98\x80";
         r.expect(text(r.read("/Users/" + text(r.user({{"displayName", name}}), "/id")), "/displayName") == name,
                  "displayName");
       }});
  to.push_back(
      {"create-application-json", "7644 3.8", "application/json is accepted, with a charset too", [](Run& r) {
         r.status(r.post("/Users", r.user_body(), {{"Content-Type", "application/json"}}), {201});
         r.status(r.post("/Users", r.user_body(), {{"Content-Type", "application/scim+json; charset=utf-8"}}),
                  {201});
       }});
  to.push_back({"accept-json", "7644 3.8", "Accept: application/json and */* are served", [](Run& r) {
                  r.status(r.get("/Users?count=1", {{"Accept", "application/json"}}), {200});
                  r.status(r.get("/Users?count=1", {{"Accept", "*/*"}}), {200});
                  r.status(r.get("/Users?count=1", {{"Accept", ""}}), {200});
                }});
}

void add_read(Checks& to) {
  to.push_back({"read-known", "7644 3.4.1", "GET of a known resource", [](Run& r) {
                  const auto made = r.user({{"title", "T"}});
                  r.expect(same(r.read("/Users/" + text(made, "/id")), made), "it is not what POST answered");
                }});
  to.push_back({"read-unknown", "7644 3.4.1", "GET of an unknown one is 404", [](Run& r) {
                  r.error(r.get("/Users/" + r.name("nobody")), 404);
                  r.error(r.get("/Groups/" + r.name("nobody")), 404);
                }});
  to.push_back({"read-other-type", "7644 3.4.1", "a User's id below /Groups is 404",
                [](Run& r) { r.error(r.get("/Groups/" + text(r.user(), "/id")), 404); }});
  to.push_back({"read-id-unique", "7643 3.1", "ids are unique across resource types",
                [](Run& r) { r.expect(text(r.user(), "/id") != text(r.group(), "/id"), "the same id twice"); }});
  to.push_back({"read-head", "7644 3.2", "nothing answers 5xx to HEAD", [](Run& r) {
                  r.expect(r.http.send("HEAD", "/Users/" + text(r.user(), "/id")).status < 500, "5xx");
                }});
  to.push_back({"read-me", "7644 3.11", "/Me is answered, redirected, or 501", [](Run& r) {
                  r.status(r.get("/Me"), {200, 308, 404, 501});
                }});
}

void add_replace(Checks& to) {
  constexpr auto s = "7644 3.5.1";
  to.push_back({"replace-200", s, "PUT answers 200 with the new resource", [](Run& r) {
                  const auto made = r.user({{"title", "Old"}, {"nickName", "N"}});
                  const auto path = "/Users/" + text(made, "/id");
                  auto body = r.user_body({{"title", "New"}});
                  body["userName"] = text(made, "/userName");
                  const auto reply = r.put(path, body);
                  r.status(reply, {200});
                  r.expect(text(reply.json, "/title") == "New", "title");
                  r.expect(same(reply.json, r.read(path)), "GET shows something else");
                }});
  to.push_back({"replace-clears", s, "attributes that a PUT does not name are cleared", [](Run& r) {
                  const auto made =
                      r.user({{"title", "T"}, {"nickName", "N"}, {"emails", J(R"([{"value":"a@example.com"}])")}});
                  const auto path = "/Users/" + text(made, "/id");
                  const json::object least{
                      {"schemas", at(made, "/schemas")}, {"userName", at(made, "/userName")}, {"title", "T"}};
                  r.status(r.put(path, r.filled("User", least)), {200});
                  const auto now = r.read(path);
                  r.expect(
                      unassigned(now, "/nickName") && unassigned(now, "/emails") && text(now, "/title") == "T",
                      json::serialize(now));
                }});
  to.push_back({"replace-echo", s, "PUT of what GET showed changes nothing", [](Run& r) {
                  const auto made = r.user(J(full).as_object());
                  const auto path = "/Users/" + text(made, "/id");
                  const auto before = r.read(path);
                  const auto reply = r.put(path, before);
                  r.status(reply, {200});
                  auto now = r.read(path);
                  for (const auto& m : before.as_object())
                    if (m.key() != "meta")
                      r.expect(same(at(now, "/" + std::string(m.key())), m.value()),
                               std::string(m.key()) + " changed");
                }});
  to.push_back({"replace-read-only-ignored", s, "readOnly attributes in a PUT are ignored", [](Run& r) {
                  const auto made = r.user();
                  const auto path = "/Users/" + text(made, "/id");
                  auto body = made.as_object();
                  body["id"] = "other";
                  body["meta"] = J(R"({"created":"2001-01-01T00:00:00Z","resourceType":"X"})");
                  body["groups"] = J(R"([{"value":"nothing"}])");
                  r.status(r.put(path, body), {200});
                  const auto now = r.read(path);
                  r.expect(text(now, "/id") == text(made, "/id") &&
                               text(now, "/meta/created") == text(made, "/meta/created") &&
                               unassigned(now, "/groups"),
                           json::serialize(now));
                }});
  to.push_back({"replace-unknown", s, "PUT to an unknown id is 404 and creates nothing",
                [](Run& r) { r.error(r.put("/Users/" + r.name("nobody"), r.user_body()), 404); }});
  to.push_back(
      {"replace-required", s, "PUT without a required attribute is refused", [](Run& r) {
         const auto path = "/Users/" + text(r.user(), "/id");
         r.error(r.put(path, json::object{{"schemas", json::array{json::string(user_schema)}}, {"title", "x"}}),
                 400, {"invalidValue"});
       }});
  to.push_back({"replace-last-modified", "7643 3.1",
                "a PUT that changes something moves lastModified, never created", [](Run& r) {
                  const auto made = r.user();
                  const auto path = "/Users/" + text(made, "/id");
                  auto body = made.as_object();
                  body["title"] = "changed";
                  r.status(r.put(path, body), {200});
                  const auto now = r.read(path);
                  r.expect(text(now, "/meta/created") == text(made, "/meta/created"), "created");
                  r.expect(text(now, "/meta/lastModified") >= text(made, "/meta/lastModified"),
                           "lastModified went back");
                }});
  to.push_back({"replace-members", s, "PUT of a Group replaces its members", [](Run& r) {
                  const auto a = text(r.user(), "/id"), b = text(r.user(), "/id");
                  const auto made = r.group({a});
                  const auto path = "/Groups/" + text(made, "/id");
                  const json::object next{{"schemas", at(made, "/schemas")},
                                          {"displayName", at(made, "/displayName")},
                                          {"members", json::array{json::object{{"value", b}}}}};
                  r.status(r.put(path, r.filled("Group", next)), {200});
                  const auto now = at(r.read(path), "/members");
                  r.expect(now.is_array() && now.get_array().size() == 1 && text(now, "/0/value") == b,
                           json::serialize(now));
                }});
  to.push_back({"replace-extension", s, "PUT replaces an extension's attributes", [](Run& r) {
                  r.needs(r.facts.schemas.count(enterprise_schema) != 0, "the enterprise extension");
                  const auto made = r.user({{enterprise_schema, J(R"({"department":"D","division":"V"})")}});
                  const auto path = "/Users/" + text(made, "/id");
                  auto body = made.as_object();
                  body[enterprise_schema] = J(R"({"department":"E"})");
                  r.status(r.put(path, body), {200});
                  r.expect(same(r.read(path).at(enterprise_schema), J(R"({"department":"E"})")), "it was merged");
                }});
}

void add_delete(Checks& to) {
  constexpr auto s = "7644 3.6";
  to.push_back({"delete-204", s, "DELETE answers 204 without a body", [](Run& r) {
                  const auto reply = r.del("/Users/" + text(r.user(), "/id"));
                  r.status(reply, {204});
                  r.expect(reply.body.empty(), "there is a body");
                }});
  to.push_back({"delete-gone", s, "after DELETE all methods answer 404", [](Run& r) {
                  const auto made = r.user();
                  const auto path = "/Users/" + text(made, "/id");
                  r.status(r.del(path), {204});
                  r.error(r.get(path), 404);
                  r.error(r.put(path, made), 404);
                  r.error(r.patch(path, J(R"([{"op":"replace","path":"title","value":"x"}])")), 404);
                  r.error(r.del(path), 404);
                }});
  to.push_back({"delete-not-found-by-filter", s, "a deleted resource is in no query", [](Run& r) {
                  const auto made = r.user();
                  const auto id = text(made, "/id");
                  r.status(r.del("/Users/" + id), {204});
                  r.expect(r.found("/Users", "userName eq \"" + text(made, "/userName") + "\"", {id}).empty(),
                           "it is");
                }});
  to.push_back({"delete-name-free", s, "the userName of a deleted User can be taken again", [](Run& r) {
                  const auto made = r.user();
                  r.status(r.del("/Users/" + text(made, "/id")), {204});
                  const auto again = r.user({{"userName", text(made, "/userName")}});
                  r.expect(text(again, "/id") != text(made, "/id"), "the id came back");
                }});
  to.push_back({"delete-group", s, "DELETE of a Group leaves its members", [](Run& r) {
                  const auto user = text(r.user(), "/id");
                  r.status(r.del("/Groups/" + text(r.group({user}), "/id")), {204});
                  r.expect(unassigned(r.read("/Users/" + user), "/groups"), "the User still shows the Group");
                }});
  to.push_back({"delete-endpoint", s, "DELETE of a whole endpoint is refused", [](Run& r) {
                  r.status(r.del("/Users"), {403, 404, 405, 501});
                }});
}

}  // namespace

void add_resources(Checks& to) {
  add_create(to);
  add_read(to);
  add_replace(to);
  add_delete(to);
}

}  // namespace deprov::conformance
