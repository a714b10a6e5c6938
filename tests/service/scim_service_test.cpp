// Who gets in, where a request goes, and how it is refused.
#include <deprov/service/scim_service.hpp>
#include "catch.hpp"
#include "support/scim_world.hpp"

using namespace deprov;
using deprov::test::ScimReply;
using deprov::test::ScimWorld;

namespace {

constexpr const char* user_body =
    R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ann@example.com"})";

/// A SCIM error with the status as text (RFC 7644 section 3.12).
void check_error(const ScimReply& r, int status, const std::string& scim_type = {}) {
  INFO(r.text);
  CHECK(r.status == status);
  CHECK(r.str("/schemas/0") == "urn:ietf:params:scim:api:messages:2.0:Error");
  CHECK(r.str("/status") == std::to_string(status));
  CHECK(r.str("/scimType") == scim_type);
  CHECK_FALSE(r.str("/detail").empty());
  CHECK(r.header("content-type") == "application/scim+json");
  CHECK(r.header("x-request-id").size() == 36);
}

service::Request request(const std::string& method, const std::string& target,
                         std::vector<service::Header> headers = {}) {
  service::Request r;
  r.method = method;
  r.target = target;
  r.headers = std::move(headers);
  return r;
}

}  // namespace

TEST_CASE("without a good token nothing is told", "[R21]") {
  ScimWorld w;
  const auto other = w.integrate("okta");
  const auto users = w.client.base + "/Users";
  const auto bearer = [](const std::string& t) {
    return std::vector<service::Header>{{"Authorization", "Bearer " + t}};
  };

  const auto absent = w.raw(request("GET", users));
  check_error(absent, 401);
  CHECK(absent.header("www-authenticate") == "Bearer realm=\"deprov\"");

  const auto wrong = w.raw(request("GET", users, bearer("dpg_wrong")));
  check_error(wrong, 401);
  CHECK(wrong.header("www-authenticate") == "Bearer realm=\"deprov\", error=\"invalid_token\"");

  SECTION("another integration's token, an unknown integration, and a malformed one answer the same") {
    for (const auto& target :
         {other.base + "/Users", std::string("/scim/v2/0190c0de-0000-7000-8000-000000000000/Users"),
          std::string("/scim/v2/nonsense/Users"), other.base + "/Nonsense", other.base + "/Users/nonsense"}) {
      const auto r = w.raw(request("GET", target, bearer(w.client.token)));
      CHECK(r.status == 401);
      CHECK(r.text == wrong.text);
      CHECK(r.header("www-authenticate") == wrong.header("www-authenticate"));
    }
  }
  SECTION("other schemes") { check_error(w.raw(request("GET", users, {{"Authorization", "Basic YTpi"}})), 401); }
  SECTION("a token in the URL is refused even if it is good") {
    check_error(w.raw(request("GET", users + "?access_token=" + w.client.token)), 403, "sensitive");
    check_error(w.raw(request("GET", users + "?access_token=" + w.client.token, bearer(w.client.token))), 403,
                "sensitive");
  }
  SECTION("nothing is stored by who is refused") {
    auto r = request("POST", users, bearer(other.token));
    r.body = user_body;
    CHECK(w.raw(std::move(r)).status == 401);
    CHECK(w.get("/Users").str("/totalResults") == "0");
    CHECK(w.send_as(other, "GET", "/Users").str("/totalResults") == "0");
  }
}

TEST_CASE("resources of one integration are not there for another", "[R21]") {
  ScimWorld w;
  const auto other = w.integrate("generic");
  const auto id = w.add_user("ann@example.com");
  CHECK(w.get("/Users/" + id).status == 200);
  for (const auto* method : {"GET", "DELETE"}) CHECK(w.send_as(other, method, "/Users/" + id).status == 404);
  CHECK(w.send_as(other, "PUT", "/Users/" + id, user_body).status == 404);
  const auto patch =
      R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":false}]})";
  CHECK(w.send_as(other, "PATCH", "/Users/" + id, patch).status == 404);
  CHECK(w.send_as(other, "GET", "/Users?filter=userName%20eq%20%22ann@example.com%22").str("/totalResults") ==
        "0");
  // The externalId of one provisioning domain is free in another.
  const std::string external = R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"externalId":"e1",)";
  const auto mine = w.send("POST", "/Users", external + R"("userName":"bob"})");
  const auto theirs = w.send_as(other, "POST", "/Users", external + R"("userName":"cho"})");
  CHECK(mine.status == 201);
  CHECK(theirs.status == 201);
  const std::string by_external = "/Users?filter=externalId%20eq%20%22e1%22";
  CHECK(w.get(by_external).str("/Resources/0/id") == mine.id());
  CHECK(w.get(by_external).str("/totalResults") == "1");
  CHECK(w.send_as(other, "GET", by_external).str("/Resources/0/id") == theirs.id());
  // The name is free over there, and a member from here is unknown there.
  CHECK(w.send_as(other, "POST", "/Users", user_body).status == 201);
  const auto group = w.send_as(other, "POST", "/Groups",
                               R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"g",)"
                               R"("members":[{"value":")" +
                                   id + "\"}]}");
  CHECK(group.status == 201);  // text that names nobody there
  CHECK(group.str("/members/0") == R"({"value":")" + id + "\"}");
  CHECK(w.get("/Users/" + id).str("/groups") == "[]");
  CHECK(w.row(id).active);
}

TEST_CASE("endpoints and methods") {
  ScimWorld w;
  const auto id = w.add_user("ann@example.com");
  struct Case {
    const char* method;
    std::string path;
    int status;
    const char* allow;
  };
  const std::vector<Case> cases = {
      {"GET", "/Nothing", 404, ""},
      {"GET", "/Users/" + id + "/x", 404, ""},
      {"GET", "/Users/nonsense", 404, ""},
      {"GET", "/Users/0190c0de-0000-7000-8000-000000000000", 404, ""},
      {"GET", "/Groups/" + id, 404, ""},
      {"DELETE", "/Groups/" + id, 404, ""},
      {"GET", "/Schemas/urn:nothing", 404, ""},
      {"GET", "/ResourceTypes/Nothing", 404, ""},
      {"GET", "/ServiceProviderConfig/x", 404, ""},
      {"PUT", "/Users", 405, "GET, HEAD, POST"},
      {"PATCH", "/Users", 405, "GET, HEAD, POST"},
      {"DELETE", "/Users", 405, "GET, HEAD, POST"},
      {"OPTIONS", "/Users", 405, "GET, HEAD, POST"},
      {"POST", "/Users/" + id, 405, "GET, HEAD, PUT, PATCH, DELETE"},
      {"OPTIONS", "/Users/" + id, 405, "GET, HEAD, PUT, PATCH, DELETE"},
      {"BREW", "/Users/" + id, 405, "GET, HEAD, PUT, PATCH, DELETE"},
      {"POST", "", 405, "GET, HEAD"},
      {"GET", "/.search", 405, "POST"},
      {"GET", "/Users/.search", 405, "POST"},
      {"POST", "/Schemas", 405, "GET, HEAD"},
      {"DELETE", "/ServiceProviderConfig", 405, "GET, HEAD"},
      {"GET", "/Bulk", 405, "POST"},
      {"GET", "/Me", 501, ""},
      {"PATCH", "/Me", 501, ""},
  };
  for (const auto& c : cases) {
    INFO(c.method << " " << c.path);
    const auto r = w.send(c.method, c.path, std::string(c.method) == "GET" ? "" : "{}");
    check_error(r, c.status);
    CHECK(r.header("allow") == c.allow);
  }
  CHECK(w.get("/users/" + id).status == 200);
  CHECK(w.get("/Users/" + id + "/").status == 200);
  CHECK(w.get("/Users/" + id + "?").status == 200);
  CHECK(w.get("/Users/" + id + "?aadOptscim062020").status == 200);
  CHECK(w.get("/Users?aadOptscim062020&").status == 200);
  SECTION("nobody is deleted on the word of a header") {
    CHECK(w.send("POST", "/Users/" + id, "{}", {{"X-HTTP-Method-Override", "DELETE"}}).status == 400);
    CHECK(w.get("/Users/" + id).status == 200);
  }
}

TEST_CASE("media types") {
  ScimWorld w;
  const auto post = [&](const std::string& type) {
    return w.send("POST", "/Users", user_body, {{"Content-Type", type}});
  };
  check_error(post("text/plain"), 415);
  check_error(post("application/xml"), 415);
  check_error(post("application/x-www-form-urlencoded"), 415);
  CHECK(w.get("/Users").str("/totalResults") == "0");
  CHECK(post("application/json; charset=utf-8").status == 201);
  const auto any = w.send("GET", "/Users", {}, {{"Accept", "text/html"}});
  CHECK(any.status == 200);
  CHECK(any.header("content-type") == "application/scim+json");
  const auto xml = w.send("GET", "/Users", {}, {{"Accept", "application/xml"}});
  check_error(xml, 406);
  CHECK(xml.str("/detail").find("application/scim+json") != std::string::npos);
  const auto id = w.get("/Users").str("/Resources/0/id");
  CHECK(w.get("/Users/" + id + ".scim").id() == id);
  check_error(w.get("/Users/.scim"), 404);
}

TEST_CASE("a body that names another type's schema has come to the wrong endpoint") {
  ScimWorld w(GENERATE(as<std::string>(), "generic", "entra", "okta", "onelogin"));
  const auto id = w.add_user("ann@example.com");
  const auto body = [](const std::string& schemas) {
    return R"({"schemas":)" + schemas + R"(,"userName":"bob","displayName":"Bob"})";
  };
  const std::string user = R"("urn:ietf:params:scim:schemas:core:2.0:User")";
  const std::string group = R"("urn:ietf:params:scim:schemas:core:2.0:Group")";
  for (const auto& r : {w.send("POST", "/Users", body("[" + group + "]")), w.send("POST", "/Users", body(group)),
                        w.send("PUT", "/Users/" + id, body("[\"URN:ietf:params:scim:schemas:core:2.0:group\"]")),
                        w.send("POST", "/Groups", body("[" + user + "]"))}) {
    check_error(r, 400, "invalidSyntax");
    CHECK(r.str("/detail").find("schemas") != std::string::npos);
    CHECK(r.str("/detail").find("urn:ietf:params:scim:schemas:core:2.0:") != std::string::npos);
  }
  CHECK(w.get("/Users").str("/totalResults") == "1");
  CHECK(w.get("/Groups").str("/totalResults") == "0");
  const auto bulk = w.send("POST", "/Bulk",
                           R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[
        {"method":"POST","path":"/Users","bulkId":"x","data":)" +
                               body("[" + group + "]") + "}]}");
  CHECK(bulk.str("/Operations/0/status") == "400");
  // Its own beside it, a misspelt one and an unknown one are no other type's alone.
  CHECK(w.send("POST", "/Users", body("[" + group + "," + user + "]")).status == 201);
}

TEST_CASE("bad bodies are refused, and nothing is stored") {
  ScimWorld w("okta");
  const auto id = w.add_user("ann@example.com");
  const auto before = w.row(id);
  const auto records = w.activity().size();
  const auto patch = [](const std::string& operations) {
    return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":)" + operations + "}";
  };
  const auto user = [](const std::string& rest) {
    return R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"])" + rest + "}";
  };
  std::string deep = R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"x","name":)";
  for (int i = 0; i < 1000; ++i) deep += "[";
  for (int i = 0; i < 1000; ++i) deep += "]";
  deep += "}";
  struct Case {
    const char* method;
    std::string path, body;
    int status;
    const char* scim_type;
  };
  const auto one = "/Users/" + id;
  const std::vector<Case> cases = {
      {"POST", "/Users", "", 400, "invalidSyntax"},
      {"POST", "/Users", "not json", 400, "invalidSyntax"},
      {"POST", "/Users", "{\"userName\":\"a\"", 400, "invalidSyntax"},
      {"POST", "/Users", "{} {}", 400, "invalidSyntax"},
      {"POST", "/Users", "[]", 400, "invalidSyntax"},
      {"POST", "/Users", "null", 400, "invalidSyntax"},
      {"POST", "/Users", "\"text\"", 400, "invalidSyntax"},
      {"POST", "/Users", deep, 413, ""},
      {"POST", "/Users", user(""), 400, "invalidValue"},
      {"POST", "/Users", user(R"(,"userName":"")"), 400, "invalidValue"},
      {"POST", "/Users", user(R"(,"userName":5)"), 400, "invalidValue"},
      {"POST", "/Users", user(R"(,"userName":["a"])"), 400, "invalidValue"},
      {"POST", "/Users", user(R"(,"userName":"a","emails":"text")"), 400, "invalidValue"},
      {"POST", "/Users", user(R"(,"userName":"a","userName":"b")"), 400, "invalidSyntax"},
      {"POST", "/Users",
       user(R"(,"userName":"a","emails":[{"value":"x","primary":true},{"value":"y","primary":true}])"), 400,
       "invalidValue"},
      {"POST", "/Groups", R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"]})", 400, "invalidValue"},
      {"PUT", one, "nonsense", 400, "invalidSyntax"},
      {"PUT", one, user(R"(,"name":{"givenName":"A"})"), 400, "invalidValue"},
      {"PATCH", one, "{}", 400, "invalidSyntax"},
      {"PATCH", one, patch("[]"), 400, "invalidSyntax"},
      {"PATCH", one, patch("5"), 400, "invalidSyntax"},
      {"PATCH", one, patch(R"([{"op":"explode","path":"active","value":false}])"), 400, "invalidSyntax"},
      {"PATCH", one, patch(R"([{"path":"active","value":false}])"), 400, "invalidSyntax"},
      {"PATCH", one, patch(R"([{"op":"replace","path":"emails]","value":1}])"), 400, "invalidPath"},
      {"PATCH", one, patch(R"([{"op":"replace","path":"emails[type eq","value":1}])"), 400, "invalidFilter"},
      {"PATCH", one, patch(R"([{"op":"remove"}])"), 400, "noTarget"},
      {"PATCH", one, patch(R"([{"op":"replace","path":"active","value":"perhaps"}])"), 400, "invalidValue"},
      {"PATCH", one, patch(R"([{"op":"replace","path":"active","value":{"a":1}}])"), 400, "invalidValue"},
      {"PATCH", one, patch(R"([{"op":"remove","path":"userName"}])"), 400, "mutability"},
      // the first operation is good, the second is not: neither happens
      {"PATCH", one,
       patch(R"([{"op":"replace","path":"active","value":false},{"op":"replace","path":"emails]","value":1}])"),
       400, "invalidPath"},
      {"PATCH", one,
       patch(R"([{"op":"replace","path":"active","value":false},{"op":"remove","path":"userName"}])"), 400,
       "mutability"},
  };
  for (const auto& c : cases) {
    INFO(c.method << " " << c.path << " " << c.body.substr(0, 200));
    check_error(w.send(c.method, c.path, c.body, {{"Content-Type", "application/scim+json"}}), c.status,
                c.scim_type);
  }
  CHECK(w.row(id).version == before.version);
  CHECK(w.row(id).document == before.document);
  CHECK(w.get("/Users").str("/totalResults") == "1");
  CHECK(w.get("/Groups").str("/totalResults") == "0");
  CHECK(w.activity().size() == records);
}

TEST_CASE("bounds are named") {
  service::ScimOptions options;
  options.limits.max_body_bytes = 2000;
  ScimWorld w("generic", {}, {}, options);
  const auto big = w.send("POST", "/Users", std::string(2001, ' '));
  check_error(big, 413);
  CHECK(big.str("/detail").find("max_body_bytes (2000)") != std::string::npos);
  const auto query = w.get("/Users?filter=" + std::string(70000, 'a'));
  check_error(query, 413);
  CHECK(query.str("/detail").find("max_query_bytes") != std::string::npos);
}

TEST_CASE("malformed queries") {
  ScimWorld w("okta");
  w.add_user("ann@example.com");
  for (const auto* filter : {"userName", "userName%20eq", "userName%20xx%20%22a%22", "(userName%20eq%20%22a%22",
                             "nothing%20eq%20%22a%22", "userName%20eq%205", "active%20gt%20true",
                             "emails%5Btype%20eq%20%22work%22", "userName%20eq%20%22a"}) {
    INFO(filter);
    check_error(w.get(std::string("/Users?filter=") + filter), 400, "invalidFilter");
  }
  check_error(w.get("/Users?startIndex=x"), 400, "invalidValue");
  check_error(w.get("/Users?count=1.5"), 400, "invalidValue");
  check_error(w.get("/Users?filter=%zz"), 400, "invalidValue");
  const auto low = w.get("/Users?startIndex=-3&count=-1");
  CHECK(low.status == 200);
  CHECK(low.str("/startIndex") == "1");
  CHECK(low.str("/itemsPerPage") == "0");
  CHECK(low.str("/totalResults") == "1");
}

TEST_CASE("discovery") {
  ScimWorld w;
  const auto base = "http://gw.example.com" + w.client.base;
  const auto config = w.get("/ServiceProviderConfig");
  CHECK(config.status == 200);
  CHECK(config.at("/patch/supported") == true);
  CHECK(config.at("/etag/supported") == true);
  CHECK(config.at("/bulk/supported") == true);
  CHECK(config.at("/sort/supported") == true);
  CHECK(config.at("/filter/supported") == true);
  CHECK(config.at("/filter/maxResults") == 1000);
  CHECK(config.str("/authenticationSchemes/0/type") == "oauthbearertoken");
  CHECK(config.at("/pagination/index") == true);
  CHECK(config.str("/pagination/maxPageSize") == "1000");
  CHECK(config.str("/meta/location") == base + "/ServiceProviderConfig");
  CHECK(config.header("content-location") == base + "/ServiceProviderConfig");

  const auto types = w.get("/ResourceTypes");
  CHECK(types.str("/totalResults") == "2");
  const auto user = w.get("/ResourceTypes/User");
  CHECK(user.str("/endpoint") == "/Users");
  CHECK(user.str("/schema") == "urn:ietf:params:scim:schemas:core:2.0:User");
  CHECK(user.str("/meta/location") == base + "/ResourceTypes/User");

  const auto schemas = w.get("/Schemas/");
  // What there is for resources, and what discovery itself is made of (RFC 7643 section 8.7.2).
  CHECK(schemas.str("/totalResults") == "6");
  CHECK(schemas.str("/Resources/0/meta/resourceType") == "Schema");
  const auto group = w.get("/Schemas/urn:ietf:params:scim:schemas:core:2.0:Group");
  CHECK(group.status == 200);
  CHECK(group.str("/name") == "Group");
  CHECK(w.get("/Schemas/urn%3Aietf%3Aparams%3Ascim%3Aschemas%3Acore%3A2.0%3AUser").str("/name") == "User");

  const auto of_schemas = w.get("/Schemas/urn:ietf:params:scim:schemas:core:2.0:schema");
  CHECK(of_schemas.str("/id") == "urn:ietf:params:scim:schemas:core:2.0:Schema");
  CHECK(of_schemas.str("/attributes/3/subAttributes/11/name") == "subAttributes");
  CHECK(w.get("/Schemas/urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig").status == 200);

  // Who has it already gets no copy.
  for (const auto* path : {"/ServiceProviderConfig", "/Schemas", "/ResourceTypes/Group"}) {
    INFO(path);
    const auto first = w.get(path);
    const auto tag = first.header("etag");
    CHECK_FALSE(tag.empty());
    const auto again = w.send("GET", path, {}, {{"If-None-Match", tag}});
    CHECK(again.status == 304);
    CHECK(again.text.empty());
    CHECK(again.header("etag") == tag);
    CHECK(w.send("GET", path, {}, {{"If-None-Match", "W/\"1\""}}).status == 200);
  }

  // RFC 7644 section 4: paging and sorting are ignored, filters refused.
  CHECK(w.get("/Schemas?startIndex=3&count=1&sortBy=id").str("/itemsPerPage") == "6");
  check_error(w.get("/Schemas?filter=id%20eq%20%22x%22"), 403);
  check_error(w.get("/ResourceTypes?filter=name%20eq%20%22User%22"), 403);
  for (const auto* other : {"/ServiceProviderConfigs", "/serviceConfiguration"}) {
    CHECK(w.get(other).text == config.text);
    CHECK(w.send("POST", other, "{}").status == 405);
  }
  CHECK(w.get("/serviceConfiguration/x").status == 404);
  CHECK(w.get("/ServiceProviderConfig?filter=invalid&sortBy=id&startIndex=999").text == config.text);
}

TEST_CASE("URLs that are given out") {
  const auto location = [](ScimWorld& w, std::vector<service::Header> headers) {
    const auto r = w.send("GET", "/ServiceProviderConfig", {}, std::move(headers));
    const auto l = r.str("/meta/location");
    return l.substr(0, l.find("/scim/v2"));
  };
  ScimWorld plain;
  CHECK(location(plain, {{"Host", "a.example:81"}}) == "http://a.example:81");
  CHECK(location(plain, {{"Host", "a.example"}, {"X-Forwarded-Proto", "https"}}) == "http://a.example");
  CHECK(location(plain, {{"Host", "a\"b"}}).empty());

  service::ScimOptions options;
  options.trust_forwarded_proto = true;
  ScimWorld proxied("generic", {}, {}, options);
  CHECK(location(proxied, {{"Host", "a.example"}, {"X-Forwarded-Proto", "https"}}) == "https://a.example");
  CHECK(location(proxied, {{"Host", "a.example"}, {"X-Forwarded-Proto", "evil"}}) == "http://a.example");

  ScimWorld set("generic", {{"base_url", "https://scim.example.org/"}});
  CHECK(location(set, {{"Host", "a.example"}}) == "https://scim.example.org");
}

TEST_CASE("a store that is busy or full answers 503, and the IdP tries again") {
  ScimWorld w;
  const auto id = w.add_user("ann@example.com");
  const auto patch =
      R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":false}]})";
  struct Case {
    Errc code;
    int status;
    const char* retry_after;
  };
  for (const auto& c :
       {Case{Errc::busy, 503, "1"}, Case{Errc::storage_full, 503, "30"}, Case{Errc::io, 500, ""}}) {
    w.fault = [&](const port::Transaction&) -> std::optional<store::CommitFault> {
      return store::CommitFault{Error(c.code, "injected /var/secret"), false};
    };
    const auto r = w.send("PATCH", "/Users/" + id, patch);
    check_error(r, c.status);
    CHECK(r.header("retry-after") == c.retry_after);
    if (c.status == 500) CHECK(r.text.find("secret") == std::string::npos);
    w.fault = nullptr;
    CHECK(w.get("/Users/" + id).at("/active") == true);
  }
  CHECK(w.send("PATCH", "/Users/" + id, patch).status == 200);
  CHECK(w.get("/Users/" + id).at("/active") == false);
}

TEST_CASE("a change that comes in between is decided on again") {
  ScimWorld w;
  const auto id = w.add_user("ann@example.com");
  int stale = 0;
  w.fault = [&](const port::Transaction&) -> std::optional<store::CommitFault> {
    if (stale++ >= 2) return std::nullopt;
    return store::CommitFault{Error(Errc::stale_read, "injected"), false};
  };
  const auto r = w.send(
      "PATCH", "/Users/" + id,
      R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)"
      R"({"op":"replace","path":"displayName","value":"Ann"},{"op":"replace","path":"active","value":false}]})");
  CHECK(r.status == 200);
  CHECK(r.str("/displayName") == "Ann");
  CHECK(stale >= 3);
  CHECK(w.events("removal.requested") == 1);
}

TEST_CASE("after the engine was closed nothing is accepted") {
  ScimWorld w;
  bool closed = false;
  w.engine->close(std::chrono::seconds(1), [&](Result<void>) { closed = true; });
  w.executor.run_for(std::chrono::seconds(2));
  REQUIRE(closed);
  check_error(w.send("POST", "/Users", user_body), 503);
}

TEST_CASE("a paused integration goes on accepting, a deleted one is gone", "[R8]") {
  ScimWorld w;
  const auto id = w.add_user("ann@example.com");
  const auto integration = w.client.context->row.scope.integration;
  w.engine->set_integration_state(w.owner, integration, port::IntegrationState::paused,
                                  [](Result<port::IntegrationRow> r) { CHECK(r.has_value()); });
  w.executor.run_until_idle();
  const auto r = w.send("PATCH", "/Users/" + id,
                        R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)"
                        R"({"op":"replace","path":"active","value":false}]})");
  CHECK(r.status == 200);
  CHECK_FALSE(w.row(id).active);
  CHECK(w.events("removal.requested") == 1);
  w.engine->delete_integration(w.owner, integration, true, [](Result<void> d) {
    INFO((d ? std::string() : d.error().message()));
    CHECK(d.has_value());
  });
  w.executor.run_until_idle();
  check_error(w.get("/Users/" + id), 401);
}

TEST_CASE("an integration that cannot be used tells its IdP to come again, and the others hear nothing of it") {
  ScimWorld w;
  const auto other = w.integrate("okta");
  const auto ann = w.add_user("ann");
  auto row = w.client.context->row;
  row.policy = R"({"no_such_member":1})";  // as an older version may have stored it
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

  const std::string off = R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    "Operations":[{"op":"replace","path":"active","value":false}]})";
  for (const auto& r : {w.send("PATCH", "/Users/" + ann, off), w.get("/Users"), w.get("/ServiceProviderConfig")}) {
    CHECK(r.status == 503);
    CHECK(r.header("Retry-After") == "1");
    CHECK(r.str("/schemas/0") == "urn:ietf:params:scim:api:messages:2.0:Error");
    CHECK(r.str("/detail").find("no_such_member") != std::string::npos);
  }
  CHECK(w.send_as(other, "GET", "/Users").status == 200);
  CHECK(w.row(ann).active);
  // Mended, it hears what it is told again.
  bool mended = false;
  w.engine->update_integration(w.owner, row.scope.integration, {{"policy", {{"guard", {{"enabled", false}}}}}},
                               [&](const Result<port::IntegrationRow>& r) { mended = r.has_value(); });
  w.executor.run_until_idle();
  REQUIRE(mended);
  CHECK(w.send("PATCH", "/Users/" + ann, off).status == 200);
  CHECK_FALSE(w.row(ann).active);
}

TEST_CASE("/Me is the User whom the host has authenticated") {
  ScimWorld w;
  const auto ann = w.add_user("ann@example.com");
  const auto group = w.add_group("G", {ann});
  const auto location = "http://gw.example.com" + w.client.base + "/Users/" + ann;
  std::string subject = ann;
  const auto me = [&](const std::string& method, const std::string& body = {}, const std::string& behind = {}) {
    auto r = request(method, w.client.base + "/Me" + behind,
                     {{"Authorization", "Bearer " + w.client.token}, {"Host", "gw.example.com"}});
    if (!body.empty()) r.headers.push_back({"Content-Type", "application/scim+json"});
    r.body = body;
    r.subject = subject;
    return w.raw(std::move(r));
  };
  const std::string title = R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    "Operations":[{"op":"replace","path":"title","value":"Dr"}]})";
  SECTION("it is read, changed, and deleted; where it really is, is said") {
    const auto got = me("GET");
    CHECK(got.status == 200);
    CHECK(got.text == w.get("/Users/" + ann).text);
    CHECK(got.header("location") == location);
    CHECK(got.header("content-location") == location);
    CHECK(got.str("/groups/0/value") == group);
    CHECK(me("GET", {}, "?attributes=userName").str("/userName") == "ann@example.com");
    const auto patched = me("PATCH", title);
    CHECK(patched.str("/title") == "Dr");
    CHECK(patched.header("location") == location);
    CHECK(me("PUT", user_body).str("/meta/location") == location);
    CHECK(w.get("/Users/" + ann).str("/title").empty());
    const auto none = me("POST", user_body);
    check_error(none, 405);
    CHECK(none.header("allow") == "GET, HEAD, PUT, PATCH, DELETE");
    const auto deleted = me("DELETE");
    CHECK(deleted.status == 204);
    CHECK(deleted.header("location") == location);
    check_error(me("GET"), 404);
  }
  SECTION("in a Bulk request, too") {
    auto r = request("POST", w.client.base + "/Bulk",
                     {{"Authorization", "Bearer " + w.client.token}, {"Host", "gw.example.com"}});
    r.body = R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
                 "Operations":[{"method":"PATCH","path":"/Me","data":)" +
             title + "}]}";
    r.subject = ann;
    const auto bulk = w.raw(std::move(r));
    CHECK(bulk.str("/Operations/0/status") == "200");
    CHECK(bulk.str("/Operations/0/location") == location);
    CHECK(w.get("/Users/" + ann).str("/title") == "Dr");
  }
  SECTION("whoever is no User of the integration has none") {
    for (const auto& who : {group, std::string("ann@example.com"), w.client.base}) {
      subject = who;
      check_error(me("GET"), 404);
      check_error(me("PATCH", title), 404);
      check_error(me("DELETE"), 404);
    }
  }
  SECTION("the setting says who it is where the request does not") {
    subject.clear();
    check_error(me("GET"), 501);
    bool set = false;
    w.engine->update_integration(w.owner, w.client.context->row.scope.integration, {{"settings", {{"me", ann}}}},
                                 [&](const Result<port::IntegrationRow>& r) { set = r.has_value(); });
    w.executor.run_until_idle();
    REQUIRE(set);
    CHECK(me("GET").id() == ann);
    subject = w.add_user("bob@example.com");
    CHECK(me("GET").id() == subject);
  }
  CHECK(w.get("/Me/Users").status == 404);
}
