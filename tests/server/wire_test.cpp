#include "server/wire.hpp"
#include "catch.hpp"

using namespace deprov::server;
using deprov::service::Response;

namespace {
std::string head(const Response& r, const HeadFacts& facts) {
  std::string out;
  append_head(out, r, facts);
  return out;
}
}  // namespace

TEST_CASE("the head of a response", "[server][wire]") {
  HeadFacts facts;
  facts.date = "D";
  Response r{200, {{"ETag", "W/\"1\""}}, "body", nullptr};
  CHECK(head(r, facts) ==
        "HTTP/1.1 200 OK\r\nServer: deprov\r\nDate: D\r\nETag: W/\"1\"\r\nContent-Length: 4\r\n\r\n");
  facts.framing = Framing::chunked;
  facts.keep_alive = false;
  r.status = 599;
  CHECK(head(r, facts) ==
        "HTTP/1.1 599 \r\nServer: deprov\r\nDate: D\r\nETag: W/\"1\"\r\nTransfer-Encoding: chunked\r\n"
        "Connection: close\r\n\r\n");
}

TEST_CASE("a handler does not decide about the framing", "[server][wire]") {
  HeadFacts facts;
  facts.date = "D";
  const Response r{200,
                   {{"content-length", "7"},
                    {"Transfer-Encoding", "chunked"},
                    {"CONNECTION", "upgrade"},
                    {"Keep-Alive", "1"},
                    {"date", "never"},
                    {"server", "other"},
                    {"Data", "kept"}},
                   "",
                   nullptr};
  CHECK(head(r, facts) ==
        "HTTP/1.1 200 OK\r\nServer: deprov\r\nDate: D\r\nData: kept\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("answers that would break the protocol are found", "[server][wire]") {
  CHECK_FALSE(unsendable(Response{200, {{"A-b_c", "x \t\xc3\xa9"}}, "", nullptr}));
  CHECK(unsendable(Response{101, {}, "", nullptr}));
  CHECK(unsendable(Response{600, {}, "", nullptr}));
  CHECK(unsendable(Response{200, {{"", "x"}}, "", nullptr}));
  CHECK(unsendable(Response{200, {{"A:", "x"}}, "", nullptr}));
  CHECK(unsendable(Response{200, {{std::string("A\0", 2), "x"}}, "", nullptr}));
  for (const char c : {'\r', '\n', '\0'})
    CHECK(unsendable(Response{200, {{"A", std::string("x") + c}}, "", nullptr}));
}

TEST_CASE("dates are those of RFC 9110 section 5.6.7", "[server][wire]") {
  CHECK(http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(http_date(1709210096) == "Thu, 29 Feb 2024 12:34:56 GMT");
}

TEST_CASE("refusals are SCIM errors below /scim", "[server][wire]") {
  CHECK(
      refusal_response(413, "too \"large\"\n\xff", "/scim/v2/x").body ==
      R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"413","detail":"too \"large\"\u000a\u00ff"})");
  CHECK(refusal_response(400, "x", "/scim").header("content-type").value_or("") == "application/scim+json");
  CHECK(refusal_response(400, "x", "/scimitar").body ==
        R"({"error":{"code":"invalid_syntax","message":"x","where":"","advice":""}})");
}

TEST_CASE("who is told to come again later is told when", "[server][wire]") {
  CHECK(refusal_response(503, "x", "/").header("Retry-After").value_or("") == "1");
  CHECK_THAT(refusal_response(503, "x", "/").body, Catch::Contains(R"("code":"busy")"));
  CHECK_FALSE(refusal_response(400, "x", "/").header("Retry-After"));
}

TEST_CASE("the size of a chunk is hexadecimal", "[server][wire]") {
  std::string out;
  append_chunk_size(out, 0xabc0);
  CHECK(out == "abc0\r\n");
}
