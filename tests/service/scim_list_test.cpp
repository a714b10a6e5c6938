// Lists: by position, by an index, by looking at everything.
#include "catch.hpp"
#include "support/scim_world.hpp"

using namespace deprov;
using deprov::test::ScimReply;
using deprov::test::ScimWorld;

namespace {

std::string user(const std::string& name, const std::string& rest = {}) {
  return R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":")" + name + "\"" + rest + "}";
}

std::string names(const ScimReply& r) {
  INFO(r.text);
  REQUIRE(r.status == 200);
  std::string out;
  const auto resources = r.at("/Resources");
  for (const auto& resource : resources.get_array()) {
    const auto& o = resource.get_object();
    const auto* name = o.if_contains("userName");
    if (name == nullptr) name = o.if_contains("displayName");
    out += (out.empty() ? "" : " ") + std::string(name->get_string());
  }
  CHECK(r.at("/itemsPerPage").to_number<std::size_t>() == r.at("/Resources").get_array().size());
  return out;
}

std::string encoded(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.') {
      out.push_back(c);
    } else {
      constexpr const char* hex = "0123456789ABCDEF";
      const auto u = static_cast<unsigned char>(c);
      out += {'%', hex[u >> 4U], hex[u & 15U]};
    }
  }
  return out;
}

struct Directory : ScimWorld {
  explicit Directory(service::ScimOptions options = {}) : ScimWorld("generic", {}, {}, options) {
    ann = add("/Users", user("ann", R"(,"externalId":"e1","displayName":"Same","title":"Dr",)"
                                    R"("emails":[{"value":"Ann@X.org","type":"work"}])"));
    clock.advance(std::chrono::seconds(10));
    bob = add("/Users", user("bob", R"(,"externalId":"e2","displayName":"same","active":false,)"
                                    R"("emails":[{"value":"bob@x.org","type":"home"},{"value":"b2@x.org"}])"));
    clock.advance(std::chrono::seconds(10));
    cho = add("/Users", user("cho", R"(,"externalId":"E1","name":{"familyName":"Mori"})"));
    g = add_group("G", {ann, cho});
    h = add_group("H", {g, bob});
  }
  std::string find(const std::string& endpoint, const std::string& filter) {
    return names(get(endpoint + "?filter=" + encoded(filter)));
  }
  std::string ann, bob, cho, g, h;
};

}  // namespace

TEST_CASE("pages") {
  Directory w;
  const auto all = w.get("/Users");
  CHECK(names(all) == "ann bob cho");
  CHECK(all.str("/schemas/0") == "urn:ietf:params:scim:api:messages:2.0:ListResponse");
  CHECK(all.at("/totalResults") == 3);
  CHECK(all.at("/startIndex") == 1);
  CHECK(all.str("/Resources/0/meta/location") == "http://gw.example.com" + w.client.base + "/Users/" + w.ann);
  CHECK(names(w.get("/Users?startIndex=2&count=1")) == "bob");
  CHECK(names(w.get("/Users?startIndex=3&count=5")) == "cho");
  const auto beyond = w.get("/Users?startIndex=4");
  CHECK(names(beyond).empty());
  CHECK(beyond.at("/totalResults") == 3);
  CHECK(beyond.at("/startIndex") == 4);
  CHECK(names(w.get("/Users?count=0")).empty());
  CHECK(w.get("/Users?count=0").at("/totalResults") == 3);
  CHECK(names(w.get("/Users?startIndex=9223372036854775807&count=9223372036854775807")).empty());
  REQUIRE(w.send("DELETE", "/Users/" + w.bob).status == 204);
  CHECK(names(w.get("/Users")) == "ann cho");
}

TEST_CASE("pages are never larger than max_results") {
  service::ScimOptions options;
  options.max_results = 2;
  Directory w(options);
  const auto r = w.get("/Users?count=100");
  CHECK(names(r) == "ann bob");
  CHECK(r.at("/totalResults") == 3);
  CHECK(names(w.get("/Users")) == "ann bob");
  CHECK(names(w.get("/Users?startIndex=3")) == "cho");
  CHECK(w.find("/Users", "userName pr") == "ann bob");
  CHECK(w.get("/ServiceProviderConfig").at("/filter/maxResults") == 2);
}

TEST_CASE("filters that an index answers") {
  Directory w;
  CHECK(w.find("/Users", "userName eq \"ANN\"") == "ann");
  CHECK(w.find("/Users", "USERNAME Eq \"ann\"") == "ann");
  CHECK(w.find("/Users", "urn:ietf:params:scim:schemas:core:2.0:User:userName eq \"bob\"") == "bob");
  CHECK(w.find("/Users", "userName eq \"nobody\"").empty());
  CHECK(w.find("/Users", "externalId eq \"e1\"") == "ann");
  CHECK(w.find("/Users", "externalId eq \"E1\"") == "cho");
  CHECK(w.find("/Users", "id eq \"" + w.bob + "\"") == "bob");
  CHECK(w.find("/Users", "id eq \"nonsense\"").empty());
  CHECK(w.find("/Users", "id eq \"" + w.g + "\"").empty());
  CHECK(w.find("/Users", "displayName eq \"SAME\"") == "ann bob");
  CHECK(w.find("/Users", "displayName eq \"same\" and active eq false") == "bob");
  CHECK(w.find("/Users", "emails.value eq \"ann@x.ORG\"") == "ann");
  CHECK(w.find("/Users", "emails[type eq \"work\"].value eq \"ann@x.org\"") == "ann");
  CHECK(w.find("/Users", "emails[type eq \"work\"].value eq \"bob@x.org\"").empty());
  CHECK(w.find("/Users", "emails[type eq \"home\" and value eq \"bob@x.org\"]") == "bob");
  CHECK(w.find("/Users", "id eq \"" + w.ann + "\" and meta.version sw \"W/\\\"1.\"") == "ann");
  CHECK(w.find("/Users", "groups.value eq \"" + w.g + "\"") == "ann cho");
  CHECK(w.find("/Users", "groups[value eq \"" + w.h + "\"]") == "ann bob cho");  // through G
  CHECK(w.find("/Users", "groups.value eq \"" + w.g + "\" and groups.display eq \"G\" and userName sw \"c\"") ==
        "cho");
  CHECK(w.find("/Groups", "displayName eq \"g\"") == "G");
  CHECK(w.find("/Groups", "members.value eq \"" + w.ann + "\"") == "G");
  CHECK(w.find("/Groups", "members[value eq \"" + w.g + "\"]") == "H");
  CHECK(w.find("/Groups", "members.value eq \"" + w.bob + "\" and displayName eq \"G\"").empty());
  // A page of the hits
  const auto second = w.get("/Users?startIndex=2&count=1&filter=" + encoded("displayName eq \"same\""));
  CHECK(names(second) == "bob");
  CHECK(second.at("/totalResults") == 2);
}

TEST_CASE("filters that look at everything") {
  Directory w;
  CHECK(w.find("/Users", "active eq true") == "ann cho");
  CHECK(w.find("/Users", "userName sw \"b\" or name.familyName co \"ori\"") == "bob cho");
  CHECK(w.find("/Users", "not (title pr)") == "bob cho");
  CHECK(
      w.find("/Users",
             "meta.lastModified gt \"2026-01-01T00:00:05Z\" and meta.lastModified lt \"2026-01-01T00:00:15Z\"") ==
      "bob");
  CHECK(w.find("/Users", "meta.resourceType eq \"User\"") == "ann bob cho");
  CHECK(w.find("/Users", "groups pr and groups.display ne \"G\"") == "ann bob cho");
  CHECK(w.find("/Users", "groups[type eq \"direct\" and display ne \"G\"]") == "bob");
  CHECK(w.find("/Groups", "members.type eq \"Group\"") == "H");
  CHECK(w.find("/Groups", "displayName pr") == "G H");
  const auto r = w.get("/Users?startIndex=2&count=1&filter=" + encoded("userName pr"));
  CHECK(names(r) == "bob");
  CHECK(r.at("/totalResults") == 3);
}

TEST_CASE("every kind of attribute can be asked for") {
  Directory w;
  const std::string urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
  const auto eve = w.add("/Users", R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",")" + urn +
                                       R"("],"userName":"eve",")" + urn + R"(":{"department":"Ops",)" +
                                       R"("manager":{"value":")" + w.ann + R"("}}})");
  CHECK(w.find("/Users", urn + ":department eq \"ops\"") == "eve");
  CHECK(w.find("/Users", urn + ":manager.value eq \"" + w.ann + "\"") == "eve");
  CHECK(w.find("/Users", "manager.value eq \"" + w.ann + "\" and userName eq \"eve\"") == "eve");
  CHECK(w.find("/Users", "manager eq \"" + w.ann + "\"") == "eve");
  CHECK(w.find("/Users", urn + " pr") == "eve");
  CHECK(w.find("/Users", "schemas eq \"" + urn + "\"") == "eve");
  CHECK(w.find("/Users", "schemas co \"enterprise\"") == "eve");
  CHECK(w.find("/Users", "meta.version eq \"W/\\\"1\\\"\" and userName sw \"e\"") == "eve");
  CHECK(w.find("/Users", "meta.created le \"2026-01-01T02:00:15+02:00\"") == "ann bob");
  CHECK(w.find("/Users", "meta.location ew \"" + eve + "\"") == "eve");
  // and before or, and not only in front of brackets.
  CHECK(w.find("/Users", "userName eq \"ann\" or userName eq \"bob\" and active eq true") == "ann");
  CHECK(w.find("/Users", "not (active eq true or userName eq \"bob\")").empty());
  CHECK(w.find("/Users", "emails[not (type eq \"work\") and value co \"x.org\"]") == "bob");
  for (const auto* bad : {"active gt true", "active co \"t\"", "nobody eq \"x\"", "userName eq", "name eq \"x\"",
                          "meta.created gt \"yesterday\"", "active eq \"x\""}) {
    INFO(bad);
    const auto r = w.get("/Users?filter=" + encoded(bad));
    CHECK(r.status == 400);
    CHECK(r.str("/scimType") == "invalidFilter");
  }
}

TEST_CASE("what is shown of a resource is chosen by every form of path") {
  Directory w;
  const std::string urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
  const auto eve = w.add("/Users", R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",")" + urn +
                                       R"("],"userName":"eve","name":{"givenName":"E","familyName":"V"},)" +
                                       R"("emails":[{"value":"e@x","type":"work"}],")" + urn +
                                       R"(":{"department":"Ops","division":"D","manager":{"value":"m1"}}})");
  const auto keys = [&](const std::string& query, const std::string& pointer = "") {
    const auto r = w.get("/Users/" + eve + "?" + query);
    INFO(r.text);
    REQUIRE(r.status == 200);
    std::string out;
    const auto value = r.at(pointer);
    for (const auto& m : value.as_object()) out += (out.empty() ? "" : " ") + std::string(m.key());
    return out;
  };
  CHECK(keys("attributes=userName") == "schemas userName id");
  CHECK(keys("attributes=name.familyName", "/name") == "familyName");
  CHECK(keys("attributes=urn:ietf:params:scim:schemas:core:2.0:User:name.familyName", "/name") == "familyName");
  CHECK(keys("attributes=emails.value", "/emails/0") == "value");
  CHECK(keys("attributes=emails%5Btype%20eq%20%22work%22%5D", "/emails/0") == "value type");
  CHECK(keys("attributes=emails%5Btype%20eq%20%22work%22%5D.value", "/emails/0") == "value");
  CHECK(keys("attributes=" + urn) == "schemas " + urn + " id");
  CHECK(keys("attributes=" + urn + ":department", "/" + urn) == "department");
  CHECK(keys("attributes=" + urn + ":manager.value,department", "/" + urn) == "department manager");
  CHECK(keys("excludedAttributes=" + urn).find(urn) == std::string::npos);
  CHECK(keys("excludedAttributes=" + urn + ":division," + urn + ":manager", "/" + urn) == "department");
  CHECK(keys("excludedAttributes=name.givenName,id,emails", "/name") == "familyName");
  CHECK(keys("excludedAttributes=id,emails").find(" id") != std::string::npos);
  // RFC 7644 section 3.9: one or the other, on every request, before anything is done.
  for (const auto& r : {w.get("/Users?attributes=id&excludedAttributes=name"),
                        w.get("/Users/" + eve + "?attributes=id&excludedAttributes=name"),
                        w.send("POST", "/Users?attributes=id&excludedAttributes=name", user("new")),
                        w.send("POST", "/Users/.search",
                               R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
                                   "attributes":["id"],"excludedAttributes":["name"]})")}) {
    CHECK(r.status == 400);
    CHECK(r.str("/scimType") == "invalidValue");
  }
  CHECK(w.find("/Users", "userName eq \"new\"").empty());
}

TEST_CASE("a scan goes over many pages, and others come in between") {
  ScimWorld w;
  for (int i = 0; i < 1203; ++i)
    w.add("/Users", user("u" + std::to_string(i), i % 2 == 0 ? R"(,"title":"even")" : ""));
  const auto r = w.get("/Users?count=3&startIndex=600&filter=" + encoded("title eq \"even\""));
  CHECK(names(r) == "u1198 u1200 u1202");
  CHECK(r.at("/totalResults") == 602);
}

TEST_CASE("what would take too long is refused") {
  service::ScimOptions options;
  options.scan_rows = 2;
  options.index_hits = 1;
  Directory w(options);
  for (const auto* filter : {"active eq true", "displayName eq \"same\""}) {
    const auto r = w.get("/Users?filter=" + encoded(filter));
    CHECK(r.status == 400);
    CHECK(r.str("/scimType") == "tooMany");
  }
  CHECK(w.find("/Users", "userName eq \"ann\"") == "ann");
}

TEST_CASE("a filter that takes longer than scan_time is refused") {
  service::ScimOptions options;
  options.scan_time = std::chrono::seconds(3);
  ScimWorld w("generic", {}, {}, options);
  for (int i = 0; i < 1100; ++i) w.add("/Users", user("u" + std::to_string(i)));
  // Time passes between the pages.
  w.executor.post([&] { w.clock.advance(std::chrono::seconds(4)); });
  const auto r = w.get("/Users?filter=" + encoded("title pr"));
  CHECK(r.status == 400);
  CHECK(r.str("/scimType") == "tooMany");
  CHECK(r.str("/detail").find("longer than 3 seconds") != std::string::npos);
  CHECK(w.get("/Users?filter=" + encoded("title pr")).status == 200);
}

TEST_CASE("alternatives that indexes answer are put together, each resource once") {
  service::ScimOptions options;
  options.scan_rows = 1;  // whoever looks at everything is refused
  Directory w(options);
  CHECK(w.find("/Users", "userName eq \"cho\" or externalId eq \"e1\" or userName eq \"ANN\"") == "ann cho");
  CHECK(w.find("/Users", "(userName eq \"ann\" or userName eq \"bob\") and active eq false") == "bob");
  CHECK(w.find("/Users", "userName eq \"ann\" and active eq false or id eq \"" + w.cho + "\"") == "cho");
  CHECK(w.find("/Groups", "members.value eq \"" + w.ann + "\" or members.value eq \"" + w.bob + "\"") == "G H");
  CHECK(w.find("/Groups", "displayName eq \"G\" and members[value eq \"" + w.ann + "\"]") == "G");
  CHECK(w.find("/Groups", "displayName eq \"H\" and not (members.value eq \"" + w.ann + "\")") == "H");
  CHECK(w.get("/Users?filter=" + encoded("userName eq \"ann\" or title pr")).str("/scimType") == "tooMany");
}

TEST_CASE("bounds of meta.lastModified are answered by an index") {
  service::ScimOptions options;
  options.scan_rows = 2;
  Directory w(options);
  CHECK(w.find("/Users", "meta.lastModified ge \"2026-01-01T00:00:05Z\"") == "bob cho");
  CHECK(w.find("/Users", "meta.lastModified gt \"2026-01-01T01:00:15+01:00\"") == "cho");
  CHECK(w.find("/Users", "meta.lastModified lt \"2026-01-01T00:00:05Z\"") == "ann");
  CHECK(w.find("/Users", "meta.lastModified eq \"" + w.get("/Users/" + w.bob).str("/meta/lastModified") + "\"") ==
        "bob");
  CHECK(w.find("/Users", "userName sw \"c\" and meta.lastModified ge \"2026-01-01T00:00:05Z\"") == "cho");
  CHECK(w.get("/Users?filter=" + encoded("meta.lastModified ge \"2025-01-01T00:00:00Z\"")).str("/scimType") ==
        "tooMany");
  // Changed last, found last.
  w.clock.advance(std::chrono::seconds(5));
  REQUIRE(w.send("PUT", "/Users/" + w.ann, user("ann")).status == 200);
  CHECK(w.find("/Users", "meta.lastModified gt \"2026-01-01T00:00:19Z\"") == "cho ann");
}

TEST_CASE("search by POST") {
  Directory w;
  const auto search = [&](const std::string& path, const std::string& rest) {
    return w.send("POST", path + "/.search",
                  R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"])" + rest + "}");
  };
  CHECK(names(search("/Users", R"(,"filter":"userName eq \"ann\"")")) == "ann");
  const auto two = search("/Users", R"(,"startIndex":2,"count":1,"attributes":["userName"])");
  CHECK(names(two) == "bob");
  CHECK(two.at("/totalResults") == 3);
  CHECK_FALSE(two.at("/Resources/0").get_object().contains("active"));
  // RFC 7644 section 3.4.3: across all types; attributes that a type lacks have no value.
  CHECK(names(search("", R"(,"filter":"displayName eq \"g\" or userName eq \"bob\"")")) == "bob G");
  CHECK(names(search("", R"(,"filter":"userName eq \"ann\"")")) == "ann");
  CHECK(names(w.get("/")) == "ann bob cho G H");
  CHECK(names(w.get("?startIndex=3&count=2")) == "cho G");
  CHECK(w.get("?filter=" + encoded("meta.resourceType eq \"Group\"")).at("/totalResults") == 2);
  CHECK(w.send("POST", "/Users/.search", "nonsense").str("/scimType") == "invalidSyntax");
  CHECK(search("/Users", R"(,"filter":"userName eq")").str("/scimType") == "invalidFilter");
  CHECK(w.send("POST", "/.search", "{}", {{"Content-Type", "text/plain"}}).status == 415);
}
