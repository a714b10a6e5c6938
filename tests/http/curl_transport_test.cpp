#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <deprov/http/curl_transport.hpp>
#include <deprov/runtime/event_thread.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>
#include "catch.hpp"
#include "support/test_server.hpp"

using namespace std::chrono_literals;
using namespace deprov::test;
using deprov::http::CurlOptions;
using deprov::http::make_curl_transport;
using deprov::port::HttpFailure;
using deprov::port::HttpRequest;
using deprov::port::HttpResult;
using deprov::port::HttpTransport;
using deprov::runtime::Event;
using Kind = deprov::port::HttpFailure::Kind;

namespace {

HttpResult exchange(HttpTransport& t, HttpRequest request) {
  Event done;
  HttpResult result;
  t.send(std::move(request), [&](HttpResult r) {
    result = std::move(r);
    done.set();
  });
  REQUIRE(done.wait_for(120s));
  return result;
}

HttpRequest get(const std::string& url) {
  HttpRequest r;
  r.url = url;
  r.timeout = 60s;
  return r;
}

HttpRequest change(const std::string& method, const std::string& url, const std::string& body) {
  auto r = get(url);
  r.method = method;
  r.body = body;
  r.headers = {{"Content-Type", "application/scim+json"}};
  return r;
}

void check_failure(const HttpResult& r, Kind kind, bool sent) {
  INFO(r.failure.detail);
  REQUIRE_FALSE(r.response.has_value());
  CHECK(static_cast<int>(r.failure.kind) == static_cast<int>(kind));
  CHECK(r.failure.sent == sent);
  CHECK_FALSE(r.failure.detail.empty());
}

std::string ok_head(std::size_t length) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
}

}  // namespace

TEST_CASE("a request arrives as it was given, and so does the response") {
  const TestServer server([](const ServerRequest&) {
    return respond(201, "body", {{"X-One", "  1 "}, {"ETag", "W/\"2\""}});
  });
  const auto t = make_curl_transport();
  auto request = change("PATCH", server.url() + "/a/../b%20c?x=y", "{\"a\":1}");
  request.headers.push_back({"X-Empty", ""});
  const auto r = exchange(*t, std::move(request));
  REQUIRE(r.response.has_value());
  CHECK(r.response->status == 201);
  CHECK(r.response->body == "body");
  CHECK(r.response->header("x-one") == "1");
  CHECK(r.response->header("etag") == "W/\"2\"");
  const auto seen = server.requests().at(0);
  CHECK(seen.method == "PATCH");
  CHECK(seen.target == "/a/../b%20c?x=y");
  CHECK(seen.body == "{\"a\":1}");
  CHECK(seen.header("content-type") == "application/scim+json");
  CHECK(seen.header("x-empty") == "");
  CHECK_FALSE(seen.header("expect"));
  CHECK(seen.header("user-agent").value_or("").substr(0, 7) == "deprov/");
}

TEST_CASE("every method, with and without a body") {
  const TestServer server([](const ServerRequest& r) {
    return r.method == "DELETE" ? respond(204) : respond(200, r.method == "HEAD" ? "" : "x");
  });
  const auto t = make_curl_transport();
  for (const std::string method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}) {
    auto request = get(server.url() + "/");
    request.method = method;
    const auto r = exchange(*t, std::move(request));
    REQUIRE(r.response.has_value());
    CHECK(r.response->status == (method == "DELETE" ? 204 : 200));
  }
  const auto seen = server.requests();
  CHECK(seen.at(0).method == "GET");
  CHECK(seen.at(1).method == "HEAD");
  CHECK(seen.at(2).header("content-length") == "0");
  CHECK(seen.at(4).method == "PATCH");
  CHECK_FALSE(seen.at(2).header("content-type"));
  CHECK_FALSE(seen.at(5).header("content-length"));
  CHECK(server.connections() == 1);
}

TEST_CASE("redirects are answered, not followed; interim responses are skipped") {
  const TestServer server([](const ServerRequest& r) {
    if (r.target == "/interim") return raw("HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n" + ok_head(2) + "ok");
    return respond(302, "", {{"Location", "/elsewhere"}});
  });
  const auto t = make_curl_transport();
  const auto r = exchange(*t, get(server.url() + "/"));
  REQUIRE(r.response.has_value());
  CHECK(r.response->status == 302);
  CHECK(r.response->header("location") == "/elsewhere");
  const auto interim = exchange(*t, get(server.url() + "/interim"));
  REQUIRE(interim.response.has_value());
  CHECK(interim.response->status == 200);
  CHECK_FALSE(interim.response->header("x-early"));
  CHECK(server.requests().size() == 2);
}

TEST_CASE("what was certainly not sent", "[R18]") {
  const auto t = make_curl_transport();
  SECTION("nobody listens") {
    check_failure(exchange(*t, change("PATCH", "http://127.0.0.1:" + std::to_string(closed_port()), "x")),
                  Kind::connect, false);
  }
  SECTION("a name that does not exist") {
    check_failure(exchange(*t, change("PATCH", "http://no-such-host.invalid/", "x")), Kind::resolve, false);
  }
  SECTION("TLS that cannot be trusted") {
    const TestServer server([](const ServerRequest&) { return respond(200); }, true);
    check_failure(exchange(*t, change("PATCH", server.url(), "x")), Kind::tls, false);
    CHECK(server.requests().empty());
  }
  SECTION("TLS with a server that does not speak it") {
    const TestServer server([](const ServerRequest&) { return respond(200); });
    check_failure(exchange(*t, change("PATCH", "https://127.0.0.1:" + std::to_string(server.port()), "x")),
                  Kind::tls, false);
  }
  SECTION("URLs and headers that are none") {
    for (const std::string url : {"ftp://127.0.0.1/", "file:///etc/passwd", "127.0.0.1", "", "http://a b/",
                                  "http://", "http://user:hunter2@127.0.0.1:1/"}) {
      const auto r = exchange(*t, change("PATCH", url, "x"));
      check_failure(r, Kind::protocol, false);
      CHECK(r.failure.detail.find("hunter2") == std::string::npos);
    }
    auto bad = get("http://127.0.0.1:1/");
    bad.headers = {{"X", "a\r\nY: b"}};
    check_failure(exchange(*t, bad), Kind::protocol, false);
    bad.headers = {{"X Y", "a"}};
    check_failure(exchange(*t, bad), Kind::protocol, false);
    bad.headers.clear();
    bad.method = "GET /";
    check_failure(exchange(*t, bad), Kind::protocol, false);
  }
}

TEST_CASE("what may have been done", "[R18]") {
  const auto t = make_curl_transport();
  const auto with = [&](const Answer& answer, Kind kind, std::chrono::milliseconds timeout = 60s) {
    const TestServer server([&](const ServerRequest&) { return answer; });
    auto request = change("PATCH", server.url(), "x");
    request.timeout = timeout;
    request.max_response_bytes = 1000;
    auto result = exchange(*t, request);
    // On a busy machine the time may be over before the request is there: with more of it, it is the answer
    // that is late.
    for (; server.requests().empty() && request.timeout < 60s; request.timeout *= 4)
      result = exchange(*t, request);
    check_failure(result, kind, true);
    CHECK(server.requests().size() == 1);
  };
  SECTION("closed without an answer") { with(close_now(), Kind::broken); }
  SECTION("reset") { with(reset_now(), Kind::broken); }
  SECTION("half a header") { with(raw("HTTP/1.1 200 OK\r\nContent-"), Kind::broken); }
  SECTION("half a chunk") {
    with(raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf"), Kind::broken);
  }
  SECTION("no last chunk") {
    with(raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"), Kind::broken);
  }
  SECTION("half a body") { with(raw(ok_head(100) + "only this"), Kind::broken); }
  SECTION("garbage") { with(raw("\x01\x02\x03 what is this\r\n\r\n"), Kind::protocol); }
  SECTION("never an answer") { with(hang(), Kind::timeout, 200ms); }
  SECTION("never the rest") { with(hang(ok_head(100) + "x"), Kind::timeout, 200ms); }
  SECTION("too slow") { with(drip(respond(200, std::string(900, 'x')), 10ms), Kind::timeout, 200ms); }
  SECTION("longer than allowed") { with(respond(200, std::string(1001, 'x')), Kind::too_large); }
  SECTION("longer than allowed, without saying so") {
    with(raw("HTTP/1.1 200 OK\r\n\r\n" + std::string(5000, 'x')), Kind::too_large);
  }
  SECTION("headers without end") {
    std::string head = "HTTP/1.1 200 OK\r\n";
    for (int i = 0; i < 4000; ++i) head += "X-" + std::to_string(i) + ": " + std::string(90, 'x') + "\r\n";
    with(raw(head + "\r\n"), Kind::too_large);
  }
}

TEST_CASE("a slow answer within the time is an answer; one at the bound as well") {
  const TestServer server([](const ServerRequest&) { return drip(respond(200, "slow"), 1ms); });
  const auto t = make_curl_transport();
  auto request = get(server.url());
  request.max_response_bytes = 4;
  const auto r = exchange(*t, std::move(request));
  REQUIRE(r.response.has_value());
  CHECK(r.response->body == "slow");
}

TEST_CASE("a change is never repeated on a connection that died; a read may be", "[R18]") {
  // The server answers the first request of each connection and closes on the second without a word.
  const TestServer server(
      [](const ServerRequest& r) { return r.on_connection == 0 ? respond(200, "first") : close_now(); });
  const auto t = make_curl_transport();
  REQUIRE(exchange(*t, get(server.url())).response.has_value());
  check_failure(exchange(*t, change("PATCH", server.url(), "x")), Kind::broken, true);
  CHECK(server.requests().size() == 2);
  REQUIRE(exchange(*t, change("PATCH", server.url(), "x")).response.has_value());
  REQUIRE(exchange(*t, get(server.url())).response.has_value());
  CHECK(server.requests().size() == 5);
}

TEST_CASE("TLS is verified against the given authority alone") {
  const TestServer server([](const ServerRequest&) { return respond(200, "secure"); }, true);
  const TestServer other([](const ServerRequest&) { return respond(200); }, true);
  const auto t = make_curl_transport();
  auto request = get(server.url());
  request.peer.ca_pem = server.certificate();
  auto r = exchange(*t, request);
  INFO(r.failure.detail);
  REQUIRE(r.response.has_value());
  CHECK(r.response->body == "secure");

  request.peer.ca_pem = other.certificate();
  check_failure(exchange(*t, request), Kind::tls, false);
  request.peer.ca_pem = "not a certificate";
  check_failure(exchange(*t, request), Kind::tls, false);

  request.peer.ca_pem.clear();
  const auto path =
      std::filesystem::temp_directory_path() / ("deprov-ca-" + std::to_string(server.port()) + ".pem");
  std::ofstream(path) << server.certificate();
  request.peer.ca_file = path;
  CHECK(exchange(*t, request).response.has_value());
  std::filesystem::remove(path);
  request.peer.ca_file = "/no/such/file.pem";
  check_failure(exchange(*t, request), Kind::tls, false);

  request.peer.ca_file.clear();
  request.peer.verify_tls = false;
  CHECK(exchange(*t, request).response.has_value());
}

TEST_CASE("a proxy is used when it is given, and only then") {
  const TestServer proxy([](const ServerRequest& r) {
    return r.method == "CONNECT" ? respond(407, "no", {{"Proxy-Authenticate", "Basic realm=\"x\""}})
                                 : respond(200, "by proxy");
  });
  const TestServer direct([](const ServerRequest&) { return respond(200, "direct"); });
  ::setenv("http_proxy", proxy.url().c_str(), 1);
  ::setenv("all_proxy", proxy.url().c_str(), 1);
  ::setenv("no_proxy", "app.invalid", 1);
  const auto t = make_curl_transport();
  CHECK(exchange(*t, get(direct.url())).response.value().body == "direct");
  CHECK(proxy.requests().empty());

  auto request = get("http://app.invalid/x");
  request.peer.proxy = proxy.url();
  request.peer.proxy_user = "me";
  request.peer.proxy_password = "hunter2";
  CHECK(exchange(*t, request).response.value().body == "by proxy");
  CHECK(proxy.requests().at(0).target == "http://app.invalid/x");
  CHECK(proxy.requests().at(0).header("proxy-authorization") == "Basic bWU6aHVudGVyMg==");

  auto tunnelled = change("PATCH", "https://app.invalid/x", "x");
  tunnelled.peer.proxy = proxy.url();
  const auto r = exchange(*t, tunnelled);
  check_failure(r, Kind::connect, false);
  ::unsetenv("http_proxy");
  ::unsetenv("all_proxy");
  ::unsetenv("no_proxy");
}

TEST_CASE("cancelling ends an exchange once, whether it waits or runs") {
  const TestServer server([](const ServerRequest&) { return hang(); });
  CurlOptions options;
  options.max_connections_per_host = 1;
  const auto t = make_curl_transport(options);
  Event ended[2];
  HttpResult results[2];
  std::atomic<int> calls{0};
  deprov::port::HttpCallId ids[2];
  for (int i = 0; i < 2; ++i) {
    ids[i] = t->send(change("PATCH", server.url(), "x"), [&, i](HttpResult r) {
      results[i] = std::move(r);
      ++calls;
      ended[i].set();
    });
    if (i == 0) REQUIRE(server.wait_for_requests(1));
  }
  t->cancel(ids[1]);
  REQUIRE(ended[1].wait_for(120s));
  check_failure(results[1], Kind::cancelled, false);
  t->cancel(ids[0]);
  REQUIRE(ended[0].wait_for(120s));
  check_failure(results[0], Kind::cancelled, true);
  t->cancel(ids[0]);
  t->cancel(999);
  CHECK(calls == 2);
}

TEST_CASE("the destructor ends what is in flight") {
  const TestServer server([](const ServerRequest&) { return hang(); });
  std::vector<HttpResult> results;
  {
    const auto t = make_curl_transport();
    for (int i = 0; i < 20; ++i)
      t->send(change("PATCH", server.url(), "x"), [&](HttpResult r) { results.push_back(std::move(r)); });
    REQUIRE(server.wait_for_requests(20));
  }
  REQUIRE(results.size() == 20);
  for (const auto& r : results) check_failure(r, Kind::cancelled, true);
}

TEST_CASE("thousands in flight over few connections, each answered once; more are refused unsent") {
  const TestServer server([](const ServerRequest& r) { return respond(200, r.target); });
  CurlOptions options;
  options.max_in_flight = 3000;
  options.max_connections_per_host = 16;
  const auto t = make_curl_transport(options);
  constexpr int count = 3000;
  std::vector<int> answers(count, 0);
  std::atomic<int> left{count};
  Event done;
  for (int i = 0; i < count; ++i)
    t->send(get(server.url() + "/" + std::to_string(i)), [&, i](HttpResult r) {
      if (r.response && r.response->body == "/" + std::to_string(i)) ++answers[static_cast<std::size_t>(i)];
      if (--left == 0) done.set();
    });
  REQUIRE(done.wait_for(120s));
  CHECK(std::count(answers.begin(), answers.end(), 1) == count);
  CHECK(server.connections() <= 16);

  options.max_in_flight = 1;
  const auto small = make_curl_transport(options);
  const TestServer silent([](const ServerRequest&) { return hang(); });
  small->send(get(silent.url()), [](const HttpResult&) {});
  check_failure(exchange(*small, get(server.url())), Kind::connect, false);
}

TEST_CASE("an address that the egress rule refuses is never connected to, whatever its name") {
  std::atomic<int> connections{0};
  TestServer server([&](const ServerRequest&) {
    ++connections;
    return respond(200, "ok");
  });
  CurlOptions options;
  options.egress = deprov::http::Egress::internet;
  const auto t = make_curl_transport(options);
  for (const auto& url : {server.url(), "http://localhost:" + std::to_string(server.port())}) {
    const auto r = exchange(*t, get(url + "/latest/meta-data"));
    check_failure(r, Kind::connect, false);
    CHECK(r.failure.detail.find("egress rule \"internet\"") != std::string::npos);
  }
  auto by_proxy = get("http://example.com/");
  by_proxy.peer.proxy = server.url();
  check_failure(exchange(*t, by_proxy), Kind::connect, false);
  CHECK(connections == 0);
  const auto open = make_curl_transport();
  CHECK(exchange(*open, get(server.url() + "/")).response.has_value());
  check_failure(exchange(*open, get("http://169.254.169.254/latest/meta-data")), Kind::connect, false);
}
