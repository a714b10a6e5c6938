#include <boost/json/parse.hpp>
#include <deprov/scim/query.hpp>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::scim;

TEST_CASE("query strings as IdPs write them") {
  auto q = parse_query("filter=userName%20eq%20%22test.user%40okta.local%22&startIndex=1&count=100").value();
  CHECK(q.filter == R"(userName eq "test.user@okta.local")");
  CHECK(q.start_index == 1);
  CHECK(q.count == 100);
  q = parse_query("filter=userName+eq+%22onelogin-test-user01%22&").value();
  CHECK(q.filter == R"(userName eq "onelogin-test-user01")");
  q = parse_query("?aadOptscim062020&excludedAttributes=members,%20name.givenName&ATTRIBUTES=a,,b&&unknown=1")
          .value();
  CHECK(q.excluded_attributes == std::vector<std::string>{"members", "name.givenName"});
  CHECK(q.attributes == std::vector<std::string>{"a", "b"});
  CHECK_FALSE(q.filter);
  q = parse_query(R"(attributes=emails[value%20eq%20"a,]\"b"%20or%20type%20eq%20"x,y"].type,userName)").value();
  CHECK(q.attributes ==
        std::vector<std::string>{R"(emails[value eq "a,]\"b" or type eq "x,y"].type)", "userName"});
  q = parse_query(R"(attributes=emails[type%20eq%20"x,userName,id)").value();
  CHECK(q.attributes == std::vector<std::string>{R"(emails[type eq "x)", "userName", "id"});
  q = parse_query("sortBy=name.familyName&sortOrder=DESCENDING&startIndex=0&count=-5&filter=").value();
  CHECK(q.sort_by == "name.familyName");
  CHECK(q.descending);
  CHECK(q.start_index == 1);
  CHECK(q.count == 0);
  CHECK_FALSE(q.filter);
  for (const auto* empty : {"", "?", "&", "&&", "=", "count=&startIndex="}) {
    INFO(empty);
    const auto e = parse_query(empty);
    REQUIRE(e);
    CHECK_FALSE(e->count);
    CHECK(e->start_index == 1);
  }
}

TEST_CASE("query strings that are wrong are refused") {
  for (const auto* bad :
       {"count=x", "count=1.5", "startIndex=1e3", "count=99999999999999999999", "sortOrder=up", "filter=%2",
        "filter=%zz", "filter=%", "filter=%ff", "filter=a%00b", "filter=a+pr&filter=b+pr"}) {
    INFO(bad);
    const auto q = parse_query(bad);
    REQUIRE_FALSE(q);
    CHECK(q.error().code() == Errc::invalid_value);
  }
  CHECK(parse_query(std::string(70000, 'a')).error().detail().find("max_query_bytes (65536)") !=
        std::string::npos);
  CHECK(parse_query("filter=" + std::string(9000, 'a')).error().detail().find("max_filter_length (8192)") !=
        std::string::npos);
}

TEST_CASE("search bodies") {
  const auto search = [](const char* rest) {
    return parse_search(json::parse(R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"])" +
                                    std::string(rest) + "}"));
  };
  const auto q =
      search(R"(,"attributes":["a","b"],"excludedAttributes":"c, d","filter":"a pr","startIndex":-1,"count":10,
    "sortBy":"a","sortOrder":"descending","x":null)")
          .value();
  CHECK(q.attributes == std::vector<std::string>{"a", "b"});
  CHECK(q.excluded_attributes == std::vector<std::string>{"c", "d"});
  CHECK(q.filter == "a pr");
  CHECK(q.start_index == 1);
  CHECK(q.count == 10);
  CHECK(q.descending);
  CHECK(search(R"(,"count":null)"));
  for (const auto* bad : {R"(,"count":"10")", R"(,"startIndex":1.5)", R"(,"filter":7)", R"(,"attributes":7)",
                          R"(,"attributes":[7])", R"(,"sortBy":[])", R"(,"sortOrder":7)"}) {
    INFO(bad);
    const auto r = search(bad);
    REQUIRE_FALSE(r);
    CHECK(r.error().code() == Errc::invalid_syntax);
  }
  CHECK_FALSE(search(R"(,"sortOrder":"up")"));
  CHECK_FALSE(parse_search(json::parse("{}")));
  CHECK_FALSE(parse_search(json::parse("[]")));
}

TEST_CASE("cursors beside other parameters (RFC 9865)") {
  auto q = parse_query("cursor&count=10").value();
  CHECK(q.cursor == "");
  CHECK(q.count == 10);
  CHECK(parse_query("cursor=&startIndex=1")->cursor == "");
  CHECK(parse_query("count=3&cursor=a-b_c.d")->cursor == "a-b_c.d");
  CHECK_FALSE(parse_query("count=3")->cursor);
  CHECK(parse_query("cursor&startIndex=2").error().code() == Errc::invalid_value);
  CHECK(parse_query("count=x&cursor").error().code() == Errc::invalid_count);
  CHECK(parse_query("count=-1&cursor")->count == 0);
  const auto search = [](const char* rest) {
    return parse_search(json::parse(R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"])" +
                                    std::string(rest) + "}"));
  };
  CHECK(search(R"(,"cursor":"","count":10)")->cursor == "");
  CHECK(search(R"(,"cursor":"x")")->cursor == "x");
  CHECK(search(R"(,"cursor":1)").error().code() == Errc::invalid_syntax);
  CHECK(search(R"(,"cursor":"","count":"x")").error().code() == Errc::invalid_count);
}

TEST_CASE("what is said twice in different ways is refused by name") {
  const auto place = [](const char* query) {
    const auto q = parse_query(query);
    return q ? std::string() : q.error().where();
  };
  CHECK(place("startIndex=1&startIndex=2") == "startIndex");
  CHECK(place("count=5&COUNT=6") == "count");
  CHECK(place("sortBy=userName&sortBy=title") == "sortBy");
  CHECK(place("sortOrder=ascending&sortOrder=descending") == "sortOrder");
  CHECK(place("cursor=&cursor=x") == "cursor");
  CHECK(place("count=5&count=5&startIndex=&startIndex=2").empty());
  CHECK(parse_query("attributes=userName&attributes=title")->attributes.size() == 2);
}
