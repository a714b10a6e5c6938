// Pages by cursor (RFC 9865).
#include "service/scim_cursor.hpp"
#include "catch.hpp"
#include "support/scim_world.hpp"

using namespace deprov;
using deprov::test::ScimReply;
using deprov::test::ScimWorld;

namespace {

std::string user(const std::string& name, const std::string& rest = {}) {
  return R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":")" + name + "\"" + rest + "}";
}

struct Directory : ScimWorld {
  explicit Directory(service::ScimOptions options = {}, bool sqlite = false)
      : ScimWorld("generic", {}, {}, options, sqlite) {
    for (const auto* name : {"eve", "dan", "cho", "bob", "ann"}) {
      ids.push_back(add("/Users", user(name, std::string(name) < "d" ? R"(,"title":"t)" + std::string(name) + "\""
                                                                     : std::string())));
      clock.advance(std::chrono::seconds(1));
    }
  }
  std::vector<std::string> ids;

  std::string shown(const ScimReply& r) {
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
    CHECK(r.at("/itemsPerPage").to_number<std::size_t>() == resources.get_array().size());
    CHECK(r.at("/startIndex").is_null());
    return out;
  }

  /// Every page of a query, joined by bars.
  std::string pages(const std::string& query, std::size_t total) {
    std::string out;
    std::string cursor;
    for (int i = 0; i < 20; ++i) {
      const auto r = get(query + (query.find('?') == std::string::npos ? "?" : "&") + "cursor=" + cursor);
      out += (i == 0 ? "" : " | ") + shown(r);
      CHECK(r.at("/totalResults").to_number<std::size_t>() == total);
      CHECK(r.at("/previousCursor").is_null());
      cursor = r.str("/nextCursor");
      for (const char c : cursor)
        CHECK((std::isalnum(static_cast<unsigned char>(c)) != 0 ||
               std::string_view("-._~").find(c) != std::string::npos));
      if (cursor.empty()) return out;
    }
    return out + " and so on";
  }
  std::string problem(const std::string& query) {
    const auto r = get(query);
    CHECK(r.status == 400);
    return r.str("/scimType");
  }
};

}  // namespace

TEST_CASE("a list goes from page to page by cursor") {
  const bool sqlite = GENERATE(false, true);
  Directory w({}, sqlite);
  CHECK(w.pages("/Users?count=2", 5) == "eve dan | cho bob | ann");
  CHECK(w.pages("/Users?count=5", 5) == "eve dan cho bob ann");
  CHECK(w.pages("/Users", 5) == "eve dan cho bob ann");
  CHECK(w.pages("/Users?count=2&sortBy=userName", 5) == "ann bob | cho dan | eve");
  CHECK(w.pages("/Users?count=2&sortBy=userName&sortOrder=descending", 5) == "eve dan | cho bob | ann");
  CHECK(w.pages("/Users?count=2&sortBy=meta.lastModified&sortOrder=descending", 5) == "ann bob | cho dan | eve");
  CHECK(w.pages("/Users?count=2&sortBy=title", 5) == "ann bob | cho eve | dan");
  CHECK(w.pages("/Users?count=2&sortBy=title&sortOrder=descending", 5) == "dan eve | cho bob | ann");
  CHECK(w.pages("/Users?count=2&filter=title+pr", 3) == "cho bob | ann");
  CHECK(w.pages("/Users?count=1&filter=title+pr&sortBy=title", 3) == "ann | bob | cho");
  CHECK(w.pages("/Users?count=1&filter=userName+eq+%22ann%22+or+userName+eq+%22eve%22", 2) == "eve | ann");
  CHECK(w.pages("/Users?count=1&sortBy=userName&filter=userName+eq+%22ann%22+or+userName+eq+%22eve%22", 2) ==
        "ann | eve");
  CHECK(w.pages("/Users?count=2&filter=meta.lastModified+ge+%222026-01-01T00:00:01Z%22", 4) ==
        "dan cho | bob ann");
  CHECK(w.pages("/Users?count=2&filter=userName+eq+%22nobody%22", 0).empty());
  w.add_group("G");
  CHECK(w.pages("/?count=4", 6) == "eve dan cho bob | ann G");
  CHECK(w.pages("/?count=4&sortBy=displayName", 6) == "G eve dan cho | bob ann");
  CHECK(w.shown(w.get("/Users?cursor&count=0")).empty());
}

TEST_CASE("search by POST goes on by cursor too") {
  Directory w;
  const auto search = [&](const std::string& cursor) {
    return w.send("POST", "/Users/.search",
                  R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"count":3,
                      "attributes":["userName"],"cursor":")" +
                      cursor + "\"}");
  };
  const auto first = search("");
  CHECK(w.shown(first) == "eve dan cho");
  CHECK(w.shown(search(first.str("/nextCursor"))) == "bob ann");
}

TEST_CASE("a cursor holds where resources come and go") {
  Directory w;
  const auto first = w.get("/Users?count=2&cursor");
  REQUIRE(w.shown(first) == "eve dan");
  REQUIRE(w.send("DELETE", "/Users/" + w.ids[1]).status == 204);  // dan, where the cursor stands
  REQUIRE(w.send("DELETE", "/Users/" + w.ids[2]).status == 204);  // cho, who would be next
  w.add("/Users", user("zoe"));
  CHECK(w.shown(w.get("/Users?count=2&cursor=" + first.str("/nextCursor"))) == "bob ann");
}

TEST_CASE("a cursor is of one query, one integration and one time") {
  service::ScimOptions options;
  options.cursor_timeout = std::chrono::seconds(60);
  Directory w(options);
  const auto cursor = w.get("/Users?count=2&cursor").str("/nextCursor");
  REQUIRE_FALSE(cursor.empty());
  CHECK(w.shown(w.get("/Users?count=2&cursor=" + cursor)) == "cho bob");
  CHECK(w.shown(w.get("/Users?cursor=" + cursor)) == "cho bob");  // without a count: the first page's
  CHECK(w.problem("/Users?count=3&cursor=" + cursor) == "invalidCount");
  CHECK(w.problem("/Users?count=2&sortBy=userName&cursor=" + cursor) == "invalidCursor");
  CHECK(w.problem("/Users?count=2&filter=title+pr&cursor=" + cursor) == "invalidCursor");
  CHECK(w.problem("/Groups?count=2&cursor=" + cursor) == "invalidCursor");
  CHECK(w.problem("/?count=2&cursor=" + cursor) == "invalidCursor");
  for (const auto& forged : {std::string("x"), std::string("nonsense"), cursor + "A", cursor.substr(1),
                             std::string(40000, 'a'), "A" + cursor.substr(1)})
    if (forged != cursor) CHECK(w.problem("/Users?count=2&cursor=" + forged) == "invalidCursor");
  CHECK(w.problem("/Users?cursor&count=x") == "invalidCount");
  CHECK(w.problem("/Users?cursor&startIndex=2") == "invalidValue");
  // Another integration of the same workspace.
  const auto other = w.integrate("generic");
  const auto r = w.send_as(other, "GET", "/Users?count=2&cursor=" + cursor);
  CHECK(r.status == 400);
  CHECK(r.str("/scimType") == "invalidCursor");
  w.clock.advance(std::chrono::seconds(61));
  CHECK(w.problem("/Users?count=2&cursor=" + cursor) == "expiredCursor");
}

TEST_CASE("a cursor has one form") {
  Directory w;
  const auto& scope = w.client.context->row.scope;
  for (std::size_t length = 0; length < 3; ++length) {
    service::Cursor cursor;
    cursor.query = std::string(length, 'q');
    const WallTime now = w.clock.wall();
    const auto sealed = service::seal_cursor(*w.engine, scope, cursor, now + std::chrono::seconds(9)).value();
    REQUIRE(service::open_cursor(*w.engine, scope, sealed, now).has_value());
    for (const char c : std::string_view("AB_")) {
      CHECK_FALSE(service::open_cursor(*w.engine, scope, sealed + c, now).has_value());
      auto other = sealed;
      other.back() = c;
      if (other != sealed) CHECK_FALSE(service::open_cursor(*w.engine, scope, other, now).has_value());
    }
  }
}

TEST_CASE("a cursor survives a restart, and no change of the key") {
  Directory w;
  const auto cursor = w.get("/Users?count=2&cursor").str("/nextCursor");
  // Another service on another engine with the same key: nothing is kept of a cursor.
  const auto restarted = [&](char key) {
    engine::Options o;
    o.master_key = std::string(32, key);
    o.connectors = test::no_app();
    o.background = false;
    auto made =
        engine::Engine::create({w.executor, w.clock, w.random, *w.store, *w.http, *w.crypto}, std::move(o));
    REQUIRE(made.has_value());
    return service::open_cursor(**made, w.client.context->row.scope, cursor, w.clock.wall());
  };
  const auto opened = restarted('k');
  REQUIRE(opened.has_value());
  CHECK(opened->place.id.str() == w.ids[1]);
  CHECK(opened->count == 2);
  CHECK(opened->total == 5U);
  CHECK(restarted('x').error().code() == Errc::invalid_cursor);
  w.scim = std::make_unique<service::ScimService>(*w.engine, service::ScimOptions{});
  CHECK(w.shown(w.get("/Users?count=2&cursor=" + cursor)) == "cho bob");
}

TEST_CASE("the way of paging is told") {
  Directory w;
  const auto config = w.get("/ServiceProviderConfig");
  CHECK(config.at("/pagination/cursor") == true);
  CHECK(config.at("/pagination/index") == true);
  CHECK(config.str("/pagination/defaultPaginationMethod") == "index");
  CHECK(config.at("/pagination/maxPageSize") == 1000);
  CHECK(config.at("/pagination/cursorTimeout") == 3600);
  CHECK(config.at("/sort/supported") == true);
  // Without being asked, pages go by index.
  const auto r = w.get("/Users?count=2");
  CHECK(r.at("/nextCursor").is_null());
  CHECK(r.at("/startIndex") == 1);
}
