#include "service/scim_http.hpp"
#include "catch.hpp"

using namespace deprov;
using namespace deprov::service;

TEST_CASE("percent-decoding refuses what is broken") {
  CHECK(percent_decode("Users") == "Users");
  CHECK(percent_decode("a%20b%2Fc") == "a b/c");
  CHECK(percent_decode("%C3%a9") == "\xC3\xA9");
  for (const auto* broken :
       {"%", "%2", "a%2", "%zz", "%00", "%ff", "%C3", "%E0%80%80", "%ED%A0%80", "%F5%80%80%80"})
    CHECK_FALSE(percent_decode(broken).has_value());
}

TEST_CASE("a target is an integration and what stands behind it") {
  const auto t = parse_scim_target("/scim/v2/abc/Users/1", "/scim/v2");
  REQUIRE(t);
  CHECK(t->integration == "abc");
  CHECK(t->segments == std::vector<std::string>{"Users", "1"});
  SECTION("slashes too many are nothing") {
    const auto s = parse_scim_target("/scim/v2//abc//Users/", "/scim/v2/");
    REQUIRE(s);
    CHECK(s->integration == "abc");
    CHECK(s->segments == std::vector<std::string>{"Users"});
  }
  SECTION("an encoded slash is no separator") {
    const auto s = parse_scim_target("/scim/v2/abc/Users/a%2Fb", "/scim/v2");
    REQUIRE(s);
    CHECK(s->segments == std::vector<std::string>{"Users", "a/b"});
  }
  SECTION("others are not below the prefix") {
    for (const auto* path : {"", "/", "/scim/v2", "/scim/v2/", "/scim/v22/abc", "/other/abc", "/scim/v2/a%zz",
                             "/scim/v2/a/1/2/3/4/5/6/7/8/9"})
      CHECK_FALSE(parse_scim_target(path, "/scim/v2").has_value());
  }
}

TEST_CASE("bearer tokens") {
  const auto token = [](std::string header) {
    Request r;
    r.headers = {{"authorization", std::move(header)}};
    const auto t = bearer_token(r);
    return t ? std::string(*t) : std::string("none");
  };
  CHECK(token("Bearer abc") == "abc");
  CHECK(token("bearer abc") == "abc");
  CHECK(token(" BEARER   abc ") == "abc");
  CHECK(token("Bearer") == "none");
  CHECK(token("Bearer ") == "none");
  CHECK(token("Basic abc") == "none");
  CHECK(token("") == "none");
  CHECK_FALSE(bearer_token(Request{}).has_value());
}

TEST_CASE("tokens in a query are noticed") {
  CHECK(has_token("access_token=abc"));
  CHECK(has_token("count=1&Access_Token=abc"));
  CHECK_FALSE(has_token("access_token="));
  CHECK_FALSE(has_token("filter=userName+eq+%22access_token%22"));
  CHECK_FALSE(has_token("aadOptscim062020"));
  CHECK_FALSE(has_token(""));
}

TEST_CASE("media types of SCIM bodies") {
  CHECK(is_scim_media_type(std::nullopt));
  CHECK(is_scim_media_type(""));
  CHECK(is_scim_media_type("application/scim+json"));
  CHECK(is_scim_media_type("Application/SCIM+json; charset=utf-8"));
  CHECK(is_scim_media_type("application/json"));
  CHECK_FALSE(is_scim_media_type("text/plain"));
  CHECK_FALSE(is_scim_media_type("application/xml"));
  CHECK_FALSE(is_scim_media_type("application/jsonp"));
}

TEST_CASE("only what is a host gets into URLs") {
  CHECK(safe_host("gw.example.com:8443") == "gw.example.com:8443");
  CHECK(safe_host("[::1]:80") == "[::1]:80");
  for (const auto* bad : {"", "a b", "a/b", "evil\"><", "a@b", "a?b", "a#b", "a%0d"})
    CHECK_FALSE(safe_host(bad).has_value());
  CHECK_FALSE(safe_host(std::string(256, 'a')).has_value());
  CHECK_FALSE(safe_host(std::nullopt).has_value());
}

TEST_CASE("whoever can read JSON is given it, whatever else the Accept header says") {
  for (const auto* good : {"", "*/*", "application/scim+json", "application/json", "text/html", "nonsense", ", ,",
                           "application/*", "application/xml, */*;q=0.1", "text/xml,application/json;q=0.5",
                           "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "application/xmlish"})
    CHECK(accepts_json(good));
  CHECK(accepts_json(std::nullopt));
  for (const auto* bad :
       {"application/xml", "text/xml", "application/xml;q=0.9, text/XML", "application/scim+xml"})
    CHECK_FALSE(accepts_json(bad));
}
