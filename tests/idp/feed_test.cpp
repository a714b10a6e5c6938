#include <boost/json/parse.hpp>
#include <deprov/idp/feed.hpp>
#include <deprov/idp/feed_scim.hpp>
#include <deprov/json_schema.hpp>
#include <string>
#include <vector>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::idp;
using namespace std::chrono_literals;

namespace {

FeedResponse response(int status, std::string body = {}, std::vector<FeedHeader> headers = {}) {
  return {status, std::move(headers), std::move(body), WallTime{1'000'000'000'000'000}};
}

std::unique_ptr<Feed> polled(const char* config = R"({"base_url":"https://idp.example.com/scim/"})") {
  const auto value = json::parse(config);
  const auto* kind = find_feed_kind("scim");
  REQUIRE(kind != nullptr);
  REQUIRE(validate_json(kind->schema(), value));
  auto feed = kind->make(value.get_object());
  REQUIRE(feed);
  return std::move(*feed);
}

struct Read {
  std::vector<std::string> users;  ///< id and state
  std::vector<std::string> urls;
  std::optional<FeedFailure> failure;
  bool over = false;
  std::uint64_t records = 0;
};

/// Hands the round these answers, one after the other.
Read read(FeedRound& round, const std::vector<FeedResponse>& answers) {
  Read r;
  for (const auto& answer : answers) {
    const auto request = round.next();
    if (!request) break;
    r.urls.push_back(request->url);
    const auto page = round.read(answer, [&](const FeedUser& u) {
      const auto state = u.state == FeedState::granted   ? "in"
                         : u.state == FeedState::ended   ? "out"
                         : u.state == FeedState::removed ? "gone"
                                                         : "?";
      r.users.push_back(std::string(u.id) + " " + std::string(u.user_name) + " " + std::string(u.email) + " " +
                        state);
    });
    r.failure = page.failure;
    if (r.failure) return r;
    r.records += page.page.records;
  }
  r.over = !round.next();
  return r;
}

Read read_all(const std::vector<FeedResponse>& answers, const char* config = nullptr) {
  const auto feed = config != nullptr ? polled(config) : polled();
  auto round = feed->begin({});
  REQUIRE(round);
  CHECK((*round)->kind() == FeedRoundKind::complete);
  return read(**round, answers);
}

std::string protocol_of(const Read& r) {
  if (!r.failure) return "no failure";
  return std::string(to_string(r.failure->kind)) + ": " + r.failure->detail;
}

}  // namespace

TEST_CASE("an origin is what a credential may go to", "[idp][feed]") {
  CHECK(feed_origin("https://Example.com/a?b#c") == "https://example.com");
  CHECK(feed_origin("https://example.com:443") == "https://example.com");
  CHECK(feed_origin("http://example.com:8080/x") == "http://example.com:8080");
  CHECK(feed_origin("https://[2001:db8::1]:8443/") == "https://[2001:db8::1]:8443");
  CHECK(feed_origin("https://example.com?x=/@evil.com") == "https://example.com");
  for (const char* bad : {"", "example.com", "ftp://example.com", "https://", "https://user@example.com/",
                          "https://example.com\\@evil.com/", "https://example.com:port/", "https://exa mple.com/",
                          "https://example.com@evil.com", "//example.com/"}) {
    INFO(bad);
    CHECK_FALSE(feed_origin(bad));
  }
}

TEST_CASE("links are found by their relation, whatever stands around them", "[idp][feed]") {
  const auto link = [](std::vector<FeedHeader> headers) {
    return feed_link(response(200, "", std::move(headers)), "next");
  };
  CHECK(link({{"Link", "<https://a/1>; rel=\"self\""}, {"link", "<https://a/2>; rel=\"next\""}}) == "https://a/2");
  CHECK(link({{"Link",
               "<https://a/1>; rel=self, <https://a/?q=1,2>; title=\"x, y; rel=next\"; rel=\"prev next\""}}) ==
        "https://a/?q=1,2");
  CHECK_FALSE(link({{"Link", "<https://a/1>; rel=\"nextish\""}}));
  CHECK_FALSE(link({{"Link", "https://a/1; rel=next"}, {"Link", "<https://a/1"}}));
  CHECK_FALSE(link({}));
}

TEST_CASE("Retry-After is read in seconds, and as a date against the response's own", "[idp][feed][R17]") {
  const auto wait = [](std::vector<FeedHeader> headers) -> std::optional<Duration> {
    const auto r = response(429, "", std::move(headers));
    const auto at = feed_retry_after(r);
    if (!at) return std::nullopt;
    return *at - r.now;
  };
  CHECK(wait({{"retry-after", " 120 "}}) == 120s);
  CHECK(wait({{"Retry-After", "0"}}) == 0s);
  CHECK(wait({{"Retry-After", "99999999999999999999"}}) == 24h);
  CHECK(wait({{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"}, {"Retry-After", "Sun, 06 Nov 1994 08:50:37 GMT"}}) ==
        60s);
  CHECK(wait({{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"}, {"Retry-After", "Sun, 06 Nov 1994 08:48:37 GMT"}}) == 0s);
  CHECK_FALSE(wait({{"Retry-After", "-5"}}));
  CHECK_FALSE(wait({{"Retry-After", "soon"}}));
  CHECK_FALSE(wait({}));
  CHECK(parse_imf_date("Thu, 01 Jan 1970 00:00:01 GMT") == WallTime{1'000'000});
  CHECK(parse_imf_date("Thu, 29 Feb 2024 12:00:00 GMT") == WallTime{1'709'208'000'000'000});
  CHECK_FALSE(parse_imf_date("Thu, 29 Feb 2024 25:00:00 GMT"));
}

TEST_CASE("a status means one kind of failure", "[idp][feed]") {
  const std::vector<std::pair<int, FeedFailureKind>> all{
      {400, FeedFailureKind::protocol},          {401, FeedFailureKind::auth_failed},
      {403, FeedFailureKind::permission_denied}, {404, FeedFailureKind::protocol},
      {408, FeedFailureKind::unavailable},       {410, FeedFailureKind::expired_checkpoint},
      {429, FeedFailureKind::throttled},         {500, FeedFailureKind::unavailable},
      {503, FeedFailureKind::unavailable},       {302, FeedFailureKind::protocol}};
  for (const auto& [status, kind] : all) {
    INFO(status);
    const auto failure = feed_failure(response(status));
    REQUIRE(failure);
    CHECK(to_string(failure->kind) == to_string(kind));
  }
  CHECK_FALSE(feed_failure(response(204)));
  CHECK(feed_failure(response(503, "", {{"Retry-After", "1"}}))->kind == FeedFailureKind::throttled);
}

TEST_CASE("a SCIM list is over where totalResults is reached, and nowhere before", "[idp][feed][R6]") {
  const auto first = response(200, R"({"totalResults":3,"startIndex":1,"Resources":[
    {"id":"1","externalId":"x","userName":"ann","emails":[{"value":"b@e"},{"value":"a@e","primary":true}],"active":true},
    {"id":2,"userName":"bob","active":"False"}]})");
  auto r = read_all(
      {first, response(200, R"({"totalresults":3,"startIndex":3,"resources":[{"id":"3","userName":"cy"}]})")});
  CHECK(protocol_of(r) == "no failure");
  CHECK(r.over);
  CHECK(r.records == 3);
  CHECK(r.users == std::vector<std::string>{"1 ann a@e in", "2 bob  out", "3 cy  in"});
  REQUIRE(r.urls.size() == 2);
  CHECK(
      r.urls[0] ==
      "https://idp.example.com/scim/Users?attributes=id,externalId,userName,emails,active&count=200&startIndex=1");
  CHECK(r.urls[1].ends_with("&startIndex=3"));
  CHECK_FALSE(read_all({first}).over);
  CHECK(protocol_of(read_all({first, response(200, R"({"totalResults":3})")})).find("empty page") !=
        std::string::npos);
  CHECK(protocol_of(read_all({first, first})).find("begins at 1, where 3") != std::string::npos);
  CHECK(protocol_of(read_all({response(200, R"({"Resources":[]})")})).find("totalResults") != std::string::npos);
  CHECK(protocol_of(read_all({response(200, R"({"totalResults":-1})")})).find("no count") != std::string::npos);
  CHECK(protocol_of(read_all({response(200, R"({"totalResults":1,"Resources":[{"id":"1","active":"maybe"}]})")}))
            .find("neither true nor false") != std::string::npos);
  CHECK(protocol_of(read_all({response(200, "<html>")})).find("web page") != std::string::npos);
  CHECK(read_all({response(200, R"({"totalResults":0,"Resources":[]})")}).over);  // R6 judges that
}

TEST_CASE("a SCIM list by cursor is over where no nextCursor is", "[idp][feed][R6]") {
  const auto first = response(200, R"({"totalResults":2,"nextCursor":"a b&c","Resources":[{"id":"1"}]})");
  const auto last = response(200, R"({"totalResults":2,"Resources":[{"id":"2"}]})");
  const char* by_cursor =
      R"({"base_url":"https://idp.example.com/scim","paging":"cursor","page_size":1,"filter":"active eq true"})";
  auto r = read_all({first, last}, by_cursor);
  CHECK(r.over);
  REQUIRE(r.urls.size() == 2);
  CHECK(r.urls[0].ends_with("&filter=active%20eq%20true&count=1&cursor"));
  CHECK(r.urls[1].ends_with("&filter=active%20eq%20true&count=1&cursor=a%20b%26c"));
  // Also where an index was asked for (RFC 9865 section 2.3), and an empty page in the middle is none's end.
  r = read_all({first, response(200, R"({"nextCursor":"d"})"), last});
  CHECK(r.over);
  CHECK(r.users.size() == 2);
  const auto expired =
      read_all({first, response(400, R"({"status":"400","scimType":"expiredCursor"})")}, by_cursor);
  CHECK(protocol_of(expired) == "expired_checkpoint: the source answered 400 expiredCursor");
}

TEST_CASE("one SCIM user is read again, and only an answer about that user says that they are gone",
          "[idp][feed][R5]") {
  const auto reread = [](const char* config, const FeedResponse& answer) {
    const auto feed = polled(config);
    auto round = feed->reread("a/b", {});
    REQUIRE(round);
    CHECK(round->kind() == FeedRoundKind::subject);
    return read(*round, {answer});
  };
  const char* plain = R"({"base_url":"https://idp.example.com/scim"})";
  CHECK_FALSE(polled(plain)->traits().not_found_is_gone);  // or it is hidden from whoever asks
  auto r = reread(plain, response(200, R"({"id":"a/b","userName":"ann","active":false})"));
  CHECK(r.users == std::vector<std::string>{"a/b ann  out"});
  CHECK(r.urls == std::vector<std::string>{"https://idp.example.com/scim/Users/a%2Fb"});
  CHECK(r.over);
  r = reread(plain,
             response(404, R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404"})"));
  CHECK(r.users == std::vector<std::string>{"a/b   gone"});
  r = reread(plain, response(404, "<html>nginx</html>"));
  CHECK(r.users.empty());
  CHECK(r.failure);
  r = reread(plain, response(200, R"({"id":"c","active":false})"));
  CHECK(r.users.empty());
  CHECK(protocol_of(r).find("another user") != std::string::npos);
  const char* filtered =
      R"({"base_url":"https://idp.example.com/scim","filter":"active eq true","id":"externalId"})";
  r = reread(filtered, response(200, R"({"totalResults":0})"));
  CHECK(r.users == std::vector<std::string>{"a/b   gone"});
  CHECK(r.urls.front().find("filter=%28active%20eq%20true%29%20and%20externalId%20eq%20%22a%2Fb%22") !=
        std::string::npos);
  r = reread(filtered, response(200, R"({"totalResults":1,"Resources":[]})"));
  CHECK(r.users.empty());
  CHECK(r.failure);
}

TEST_CASE("a config of a SCIM feed that leads nowhere, or in clear, is refused", "[idp][feed]") {
  const auto refused = [](const char* config) {
    const auto feed = make_scim_feed(json::parse(config).get_object());
    return feed ? std::string{} : feed.error().where();
  };
  CHECK(refused(R"({"base_url":"http://idp.example.com"})") == "scim/base_url");
  CHECK(refused(R"({"base_url":"https://u:p@idp.example.com"})") == "scim/base_url");
  CHECK(refused(R"({"base_url":"https://idp.example.com/?x"})") == "scim/base_url");
  CHECK(refused(R"({"base_url":"http://idp.example.com","allow_http":true})").empty());
}
