// Orders: by index, and by keys in memory (RFC 7644 section 3.4.2.3).
#include <functional>
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
  return out;
}

struct Directory : ScimWorld {
  explicit Directory(service::ScimOptions options = {}, bool sqlite = false)
      : ScimWorld("generic", {}, {}, options, sqlite) {
    const std::string enterprise =
        R"(,"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":)";
    add("/Users", user("dora", R"(,"title":"b","emails":[{"value":"x@z"},{"value":"a@z","primary":true}])"));
    clock.advance(std::chrono::seconds(1));
    add("/Users", user("Bob", R"(,"title":"A","active":false)" + enterprise + R"("Ops"})"));
    clock.advance(std::chrono::seconds(1));
    add("/Users", user("cho", R"(,"emails":[{"value":"B@z"},{"value":"0@z"}])" + enterprise + R"("dev"})"));
    clock.advance(std::chrono::seconds(1));
    ann = add("/Users", user("ann", R"(,"title":"C","displayName":"ann")"));
  }
  std::string by(const std::string& rest) { return names(get("/Users?sortBy=" + rest)); }
  std::string ann;
};

}  // namespace

TEST_CASE("lists are sorted by whatever is asked for") {
  const bool sqlite = GENERATE(false, true);
  Directory w({}, sqlite);
  CHECK(w.by("userName") == "ann Bob cho dora");
  CHECK(w.by("USERNAME&sortOrder=ascending") == "ann Bob cho dora");
  CHECK(w.by("userName&sortOrder=descending") == "dora cho Bob ann");
  CHECK(w.by("urn:ietf:params:scim:schemas:core:2.0:User:userName") == "ann Bob cho dora");
  CHECK(w.by("meta.lastModified") == "dora Bob cho ann");
  CHECK(w.by("meta.lastModified&sortOrder=descending") == "ann cho Bob dora");
  CHECK(w.by("meta.created&sortOrder=descending") == "ann cho Bob dora");
  // Absent values come last, and first when descending.
  CHECK(w.by("title") == "Bob dora ann cho");
  CHECK(w.by("title&sortOrder=descending") == "cho ann dora Bob");
  // The primary value, else the first.
  CHECK(w.by("emails") == "dora cho Bob ann");
  CHECK(w.by("emails.value&sortOrder=descending") == "ann Bob cho dora");
  CHECK(w.by("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department") == "cho Bob dora ann");
  CHECK(w.by("active") == "Bob dora cho ann");
  // With a filter, an index or none; and pages.
  CHECK(w.by("userName&filter=title+pr") == "ann Bob dora");
  CHECK(w.by("title&filter=active+eq+true&sortOrder=descending") == "cho ann dora");
  CHECK(w.by("userName&filter=userName+eq+%22cho%22+or+userName+eq+%22ANN%22") == "ann cho");
  const auto page = w.get("/Users?sortBy=userName&startIndex=2&count=2");
  CHECK(names(page) == "Bob cho");
  CHECK(page.at("/totalResults") == 4);
  CHECK(page.at("/itemsPerPage") == 2);
  const auto last = w.get("/Users?sortBy=title&startIndex=4&count=2");
  CHECK(names(last) == "cho");
  CHECK(last.at("/totalResults") == 4);
  CHECK(names(w.get("/Users?sortBy=title&startIndex=5")).empty());
  CHECK(w.get("/Users?sortBy=title&count=0").at("/totalResults") == 4);
  CHECK(w.get("/Users?sortBy=userName&count=0").at("/totalResults") == 4);
  // Nobody can sort without an attribute.
  CHECK(names(w.get("/Users?sortOrder=descending")) == "dora Bob cho ann");
}

TEST_CASE("types are sorted together at the root") {
  Directory w;
  w.add_group("beta");
  w.add_group("Alpha");
  CHECK(names(w.get("?sortBy=displayName")) == "Alpha ann beta dora Bob cho");
  CHECK(names(w.get("?sortBy=displayName&sortOrder=descending&count=4")) == "cho Bob dora beta");
  CHECK(names(w.send("POST", "/.search",
                     R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
                         "sortBy":"displayName","sortOrder":"descending","filter":"displayName pr"})")) ==
        "beta ann Alpha");
}

TEST_CASE("an order that cannot be is refused by name") {
  Directory w;
  for (const auto* bad :
       {"nonsense", "name", "members", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "password",
        "urn:ietf:params:scim:schemas:core:2.0:User:password"}) {
    INFO(bad);
    const auto r = w.get("/Users?sortBy=" + std::string(bad));
    CHECK(r.status == 400);
    CHECK(r.str("/scimType") == "invalidValue");
    CHECK(r.str("/detail").find("sortBy") != std::string::npos);
  }
  CHECK(w.get("/Groups?sortBy=members").status == 400);
  CHECK(w.get("/Users?sortBy=userName&sortOrder=sideways").status == 400);
}

TEST_CASE("what a sorted list keeps in memory is bounded") {
  service::ScimOptions options;
  options.sort_window = 3;
  Directory w(options);
  CHECK(w.by("title&count=3") == "Bob dora ann");
  const auto beyond = w.get("/Users?sortBy=title&startIndex=3&count=2");
  CHECK(beyond.status == 400);
  CHECK(beyond.str("/scimType") == "tooMany");
  CHECK(beyond.str("/detail").find("resource 3") != std::string::npos);
  // An index needs no memory.
  CHECK(w.by("userName&startIndex=3&count=2") == "cho dora");
  service::ScimOptions bytes;
  bytes.sort_bytes = 3;
  Directory v(bytes);
  CHECK(v.get("/Users?sortBy=emails&count=3").str("/scimType") == "tooMany");
}

TEST_CASE("many resources are put in order in slices, between which others come, and within scan_time") {
  service::ScimOptions options;
  options.scan_time = std::chrono::seconds(3);
  ScimWorld w("generic", {}, {}, options);
  for (int i = 0; i < 1100; ++i)
    w.add("/Users", user("u" + std::to_string(i), R"(,"displayName":"same","title":"t)" + std::to_string(i % 7) +
                                                      std::to_string(i) + "\""));
  for (const std::string query :
       {"/Users?sortBy=title&count=2&startIndex=1099",
        "/Users?sortBy=title&count=2&startIndex=1099&filter=displayName%20eq%20%22same%22"}) {
    INFO(query);
    int others = 0;
    std::function<void()> other = [&] {
      if (++others < 50) w.executor.post(other);
    };
    w.executor.post(other);
    bool answered = false;
    int before = 0;
    service::Request request;
    request.method = "GET";
    request.target = w.client.base + query;
    request.headers = {{"Authorization", "Bearer " + w.client.token}};
    w.scim->handle(std::move(request), [&](const service::Response& r) {
      answered = true;
      before = others;
      CHECK(r.status == 200);
      CHECK(r.body.find("\"t6993\"") != std::string::npos);
    });
    w.executor.run_until_idle();
    REQUIRE(answered);
    CHECK(before >= 2);
    // Time passes between two of them.
    w.executor.post([&] { w.clock.advance(std::chrono::seconds(4)); });
    const auto r = w.get(query);
    CHECK(r.str("/scimType") == "tooMany");
    CHECK(r.str("/detail").find("longer than 3 seconds") != std::string::npos);
  }
}
