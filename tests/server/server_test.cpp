#include <fcntl.h>
#include <deprov/server/server.hpp>
#include <future>
#include <vector>
#include "catch.hpp"
#include "server/handlers.hpp"
#include "support/raw_client.hpp"

using namespace deprov;
using namespace deprov::test;
using namespace std::chrono_literals;
using server::Server;
using service::Request;
using service::Response;

namespace {
std::unique_ptr<Server> started(server::ServerOptions options, service::Handler& handler) {
  auto s = Server::start(std::move(options), handler);
  if (!s) FAIL(s.error().message());
  return std::move(*s);
}
}  // namespace

TEST_CASE("a request is answered and the connection stays", "[server]") {
  Request seen;
  Immediate handler([&seen](const Request& r) {
    seen = r;
    return echo(r);
  });
  auto server = started(local(), handler);
  RawClient client(server->port());
  REQUIRE(client.send(get_request("/a?b=%20c", "X-Some: thing\r\n")));
  auto first = client.response();
  CHECK(first.status == 200);
  CHECK(first.body == "GET /a?b=%20c ");
  CHECK(first.header("Server") == "deprov");
  CHECK(first.header("Content-Type") == "text/plain");
  CHECK(first.header("Connection").empty());
  CHECK(first.header("Date").size() == 29);
  CHECK(first.header("Date").substr(25) == " GMT");
  CHECK(seen.header("x-some").value_or("") == "thing");
  CHECK(seen.peer == "127.0.0.1");
  REQUIRE(client.send(request_with_body("PATCH", "/b", "0123456789")));
  CHECK(client.response().body == "PATCH /b 0123456789");
  const auto counters = server->counters();
  CHECK(counters.connections_total == 1);
  CHECK(counters.connections_now == 1);
  CHECK(counters.requests_total == 2);
  CHECK(counters.requests_now == 0);
}

TEST_CASE("pipelined requests are answered in their order", "[server]") {
  Immediate handler(echo);
  auto server = started(local(), handler);
  RawClient client(server->port());
  std::string all;
  for (int i = 0; i < 500; ++i) all += request_with_body("PUT", "/" + std::to_string(i), std::to_string(i * i));
  auto sending = std::async(std::launch::async, [&] { return client.send(all); });
  for (int i = 0; i < 500; ++i)
    REQUIRE(client.response().body == "PUT /" + std::to_string(i) + " " + std::to_string(i * i));
  CHECK(sending.get());
}

TEST_CASE("pipelined requests wait for one another when the handler answers later", "[server]") {
  Deferred handler;
  auto server = started(local(), handler);
  RawClient client(server->port());
  REQUIRE(client.send(get_request("/1") + get_request("/2")));
  auto one = handler.next();
  REQUIRE(one);
  CHECK(one->request.target == "/1");
  CHECK(handler.size() == 0);
  one->respond(Response{200, {}, "one", nullptr});
  CHECK(client.response().body == "one");
  auto two = handler.next();
  REQUIRE(two);
  CHECK(two->request.target == "/2");
  two->respond(Response{200, {}, "two", nullptr});
  CHECK(client.response().body == "two");
}

TEST_CASE("a request may come a byte at a time", "[server]") {
  Immediate handler(echo);
  auto server = started(local(), handler);
  RawClient client(server->port());
  for (const char c : request_with_body("POST", "/slow", "body")) REQUIRE(client.send(std::string_view(&c, 1)));
  CHECK(client.response().body == "POST /slow body");
}

TEST_CASE("HEAD has the length and not the body", "[server]") {
  Immediate handler(echo);
  auto server = started(local(), handler);
  RawClient client(server->port());
  REQUIRE(client.send("HEAD /x HTTP/1.1\r\nHost: t\r\n\r\n" + get_request("/y")));
  const auto head = client.response(true);
  CHECK(head.status == 200);
  CHECK(head.header("Content-Length") == "8");
  CHECK(client.response().body == "GET /y ");
}

TEST_CASE("204 has neither body nor length", "[server]") {
  Immediate handler([](const Request&) { return Response{204, {}, "never sent", nullptr}; });
  auto server = started(local(), handler);
  RawClient client(server->port());
  REQUIRE(client.send(get_request("/") + get_request("/")));
  for (int i = 0; i < 2; ++i) {
    const auto r = client.response();
    CHECK(r.status == 204);
    CHECK(r.header("Content-Length").empty());
  }
}

TEST_CASE("chunked bodies are put together, and what follows is the next request", "[server]") {
  Immediate handler(echo);
  auto server = started(local(), handler);
  RawClient client(server->port());
  const std::string head = "POST /c HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
  REQUIRE(client.send(head + "5;ext=1\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nTrailer: x\r\n\r\n" +
                      get_request("/n")));
  CHECK(client.response().body == "POST /c hello world");
  CHECK(client.response().body == "GET /n ");
}

TEST_CASE("100 Continue is sent to a client that waits for it", "[server]") {
  Immediate handler(echo);
  auto server = started(local(), handler);
  RawClient client(server->port());
  REQUIRE(client.send("PUT /e HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"));
  CHECK(client.response().status == 100);
  REQUIRE(client.send("body"));
  CHECK(client.response().body == "PUT /e body");
}

TEST_CASE("Connection: close and HTTP/1.0 close, keep-alive of HTTP/1.0 does not", "[server]") {
  Immediate handler(echo);
  auto server = started(local(), handler);
  SECTION("close") {
    RawClient client(server->port());
    REQUIRE(client.send(get_request("/", "Connection: close\r\n")));
    const auto r = client.response();
    CHECK(r.header("Connection") == "close");
    CHECK(client.closed());
  }
  SECTION("1.0") {
    RawClient client(server->port());
    REQUIRE(client.send("GET / HTTP/1.0\r\n\r\n"));
    CHECK(client.response().body == "GET / ");
    CHECK(client.closed());
  }
  SECTION("1.0 keep-alive") {
    RawClient client(server->port());
    for (int i = 0; i < 2; ++i) {
      REQUIRE(client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
      const auto r = client.response();
      CHECK(r.body == "GET / ");
      CHECK(r.header("Connection") == "keep-alive");
    }
  }
  SECTION("a client that closes its half still gets the answer") {
    RawClient client(server->port());
    REQUIRE(client.send(get_request("/")));
    client.finish_sending();
    CHECK(client.response().body == "GET / ");
    CHECK(client.closed());
  }
}

TEST_CASE("the absolute form of a target is understood", "[server]") {
  Immediate handler(echo);
  auto server = started(local(), handler);
  RawClient client(server->port());
  REQUIRE(client.send(get_request("http://host:1/p?q") + get_request("HTTPS://host")));
  CHECK(client.response().body == "GET /p?q ");
  CHECK(client.response().body == "GET / ");
}

TEST_CASE("what is too large is refused with the bound named", "[server]") {
  Immediate handler(echo);
  auto options = local();
  options.max_header_bytes = 1000;
  options.max_header_fields = 10;
  options.max_body_bytes = 100;
  auto server = started(options, handler);
  RawClient client(server->port());
  struct Case {
    std::string request;
    int status;
    std::string part;
  };
  const std::string long_text(2000, 'x');
  std::string many;
  for (int i = 0; i < 11; ++i) many += "A: b\r\n";
  const Case c = GENERATE_COPY(
      Case{get_request("/scim/v2/i/Users", "X: " + long_text + "\r\n"), 431, "1000 bytes"},
      Case{get_request("/", "X: " + long_text), 431, "1000 bytes"},
      Case{get_request("/" + long_text), 414, "1000 bytes"},
      Case{get_request("/scim/v2/i/Users?filter=" + long_text), 414, "1000 bytes"},
      Case{"GET /scim/v2/i/Users?filter=" + long_text, 414, "1000 bytes"},
      Case{"GET /scim/v2/i/Users HTTP/2.7\r\nHost: t\r\n\r\n", 505, "HTTP/1.1"},
      Case{get_request("/", many), 431, "10 header fields"},
      Case{request_with_body("PATCH", "/scim/v2/i/Users/1", std::string(101, 'b')), 413, "100 bytes"},
      Case{"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n", 413,
           "100 bytes"},
      Case{"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3c\r\n" + std::string(60, 'b') +
               "\r\n3c\r\n" + std::string(60, 'b') + "\r\n0\r\n\r\n",
           413, "100 bytes"});
  REQUIRE(client.send(c.request));
  const auto r = client.response();
  CHECK(r.status == c.status);
  CHECK_THAT(r.body, Catch::Contains(c.part));
  CHECK(r.header("Connection") == "close");
  const bool scim = c.request.find(" /scim") != std::string::npos;
  CHECK(r.header("Content-Type") == (scim ? "application/scim+json" : "application/json"));
  if (scim)
    CHECK_THAT(r.body,
               Catch::StartsWith(R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":")"));
  CHECK(client.closed());
  CHECK(server->counters().requests_refused == 1);
  CHECK(server->counters().requests_total == 0);
}

TEST_CASE("exactly at the bounds is fine", "[server]") {
  Immediate handler(echo);
  auto options = local();
  options.max_body_bytes = 100;
  options.max_header_bytes = 200;
  auto server = started(options, handler);
  RawClient client(server->port());
  const std::string body(100, 'b');
  std::string request = request_with_body("PUT", "/", body);
  const auto header = request.size() - 100;
  request.insert(request.find("Content-Length"), "X: " + std::string(200 - header - 5, 'x') + "\r\n");
  REQUIRE(request.size() == 300);
  REQUIRE(client.send(request));
  CHECK(client.response().body == "PUT / " + body);
  request.insert(request.find("X: ") + 3, "x");
  REQUIRE(client.send(request));
  CHECK(client.response().status == 431);
}

TEST_CASE("what is not HTTP, or smuggles, is refused and closed", "[server]") {
  Immediate handler(echo);
  auto server = started(local(), handler);
  struct Case {
    std::string bytes;
    int status;
  };
  const Case c = GENERATE(
      Case{std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), 400}, Case{"GET\r\n\r\n", 400},
      Case{"GET  / HTTP/1.1\r\nHost: t\r\n\r\n", 400}, Case{"GET / HTTP/2.0\r\nHost: t\r\n\r\n", 505},
      Case{"GET / HTTP/1.1\r\n\r\n", 400}, Case{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      Case{"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400}, Case{"GET / HTTP/1.1\nHost: a\n\n", 400},
      Case{"GET nothing HTTP/1.1\r\nHost: a\r\n\r\n", 400}, Case{"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      Case{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      Case{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n", 400},
      Case{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
      Case{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 501},
      Case{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      Case{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
      Case{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nab", 400},
      Case{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nab", 400},
      Case{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\nab", 400},
      Case{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 400},
      Case{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(20000, '0'), 400},
      Case{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", 400},
      Case{"PUT / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\nContent-Length: 1\r\n\r\na", 417});
  CAPTURE(c.bytes);
  RawClient client(server->port());
  REQUIRE(client.send(c.bytes));
  const auto r = client.response();
  CHECK(r.status == c.status);
  CHECK_THAT(r.body, Catch::StartsWith(R"({"error":{"code":")"));
  CHECK(client.closed());
}

TEST_CASE("slow and half-sent requests end with 408, idle connections without a word", "[server]") {
  Immediate handler(echo);
  auto options = local();
  options.header_timeout = 30ms;
  options.body_timeout = 30ms;
  options.idle_timeout = 30ms;
  options.linger_timeout = 30ms;
  auto server = started(options, handler);
  // Whoever does not get a word in within 30 ms, as may be on a busy machine, has said nothing at all.
  const auto answer_to = [&](std::string_view bytes) {
    RawResponse r;
    CHECK(eventually([&] {
      RawClient client(server->port());
      static_cast<void>(client.send(bytes));
      r = client.response();
      return r.status != 0 && client.closed();
    }));
    return r;
  };
  SECTION("nothing at all") {
    CHECK(RawClient(server->port()).closed());
    CHECK(server->counters().timeouts == 0);
  }
  SECTION("half a header") {
    const auto r = answer_to("GET /scim/v2/x HTTP/1.1\r\nHost:");
    CHECK(r.status == 408);
    CHECK_THAT(r.body, Catch::Contains("header"));
    CHECK(r.header("Content-Type") == "application/scim+json");
    CHECK(server->counters().timeouts == 1);
  }
  SECTION("half a body") {
    const auto r = answer_to("PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n12345");
    CHECK(r.status == 408);
    CHECK_THAT(r.body, Catch::Contains("body"));
  }
  SECTION("idle between requests") { CHECK(answer_to(get_request("/")).status == 200); }
  SECTION("half a body, then gone") {
    RawClient client(server->port());
    REQUIRE(client.send("PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n12345"));
  }
  CHECK(eventually([&] { return server->counters().connections_now == 0; }));
}

TEST_CASE("a client that does not take its answer is cut off", "[server]") {
  Immediate handler([](const Request&) { return Response{200, {}, std::string(32U << 20U, 'x'), nullptr}; });
  auto options = local();
  options.write_timeout = 40ms;
  auto server = started(options, handler);
  RawClient client(server->port());
  REQUIRE(client.send(get_request("/")));
  CHECK(eventually([&] { return server->counters().timeouts == 1; }));
  CHECK(eventually([&] { return server->counters().connections_now == 0; }));
}

TEST_CASE("large bodies go both ways", "[server]") {
  Immediate handler([](const Request& r) { return Response{200, {}, r.body, nullptr}; });
  auto server = started(local(), handler);
  RawClient client(server->port());
  std::string body(5U << 20U, ' ');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i * 7 % 26);
  REQUIRE(client.send(request_with_body("POST", "/", body)));
  CHECK((client.response().body == body));
  REQUIRE(client.send(get_request("/")));
  CHECK(client.response().body.empty());
}

TEST_CASE("one connection too many is told so", "[server]") {
  Immediate handler(echo);
  auto options = local();
  options.max_connections = 3;
  auto server = started(options, handler);
  std::vector<RawClient> clients;
  for (int i = 0; i < 3; ++i) clients.emplace_back(server->port());
  REQUIRE(eventually([&] { return server->counters().connections_now == 3; }));
  RawClient fourth(server->port());
  REQUIRE(fourth.send(get_request("/")));
  const auto r = fourth.response();
  CHECK(r.status == 503);
  CHECK_THAT(r.body, Catch::Contains("3; try again"));
  CHECK(fourth.closed());
  CHECK(server->counters().connections_rejected == 1);
  clients.pop_back();
  REQUIRE(eventually([&] { return server->counters().connections_now == 2; }));
  RawClient again(server->port());
  REQUIRE(again.send(get_request("/")));
  CHECK(again.response().status == 200);
}

TEST_CASE("many connections at once, on several threads", "[server]") {
  Immediate handler(echo);
  auto options = local();
  options.threads = 3;
  auto server = started(options, handler);
  std::vector<RawClient> clients;
  for (int i = 0; i < 200; ++i) clients.emplace_back(server->port());
  for (int round = 0; round < 5; ++round) {
    for (std::size_t i = 0; i < clients.size(); ++i)
      REQUIRE(clients[i].send(request_with_body("PUT", "/" + std::to_string(i), std::to_string(round))));
    for (std::size_t i = 0; i < clients.size(); ++i)
      REQUIRE(clients[i].response().body == "PUT /" + std::to_string(i) + " " + std::to_string(round));
  }
  CHECK(server->counters().requests_total == 1000);
  CHECK(server->counters().connections_now == 200);
}

TEST_CASE("what does not fit at the handler waits, unread", "[server]") {
  Deferred handler;
  auto options = local();
  options.max_in_flight = 2;
  auto server = started(options, handler);
  std::vector<RawClient> clients;
  for (int i = 0; i < 5; ++i) {
    clients.emplace_back(server->port());
    REQUIRE(clients.back().send(get_request("/" + std::to_string(i))));
  }
  int answered = 0;
  while (answered < 5) {
    auto item = handler.next();
    REQUIRE(item);
    CHECK(server->counters().requests_now <= 2);
    if (answered == 2) clients.at(4).disconnect();  // one that waits, or one that is served
    item->respond(Response{200, {}, item->request.target, nullptr});
    ++answered;
  }
  for (std::size_t i = 0; i < 4; ++i) CHECK(clients[i].response().body == "/" + std::to_string(i));
  CHECK(eventually([&] { return server->counters().requests_now == 0; }));
}

TEST_CASE("answers may come from any thread", "[server]") {
  Deferred handler;
  auto server = started(local(), handler);
  constexpr int connections = 16;
  constexpr int rounds = 50;
  std::vector<std::thread> answering;
  for (int t = 0; t < 3; ++t)
    answering.emplace_back([&] {
      for (;;) {
        auto item = handler.next();
        if (!item || item->request.target == "/end") {
          if (item) item->respond(Response{});
          return;
        }
        item->respond(Response{200, {}, item->request.target, nullptr});
      }
    });
  std::vector<RawClient> clients;
  for (int i = 0; i < connections; ++i) clients.emplace_back(server->port());
  for (int r = 0; r < rounds; ++r) {
    for (auto& c : clients) REQUIRE(c.send(get_request("/" + std::to_string(r))));
    for (auto& c : clients) REQUIRE(c.response().body == "/" + std::to_string(r));
  }
  for (std::size_t t = 0; t < answering.size(); ++t) REQUIRE(clients[t].send(get_request("/end")));
  for (auto& t : answering) t.join();
}

TEST_CASE("a handler that drops the responder, throws, or answers nonsense yields 500", "[server]") {
  struct Bad final : service::Handler {
    void handle(Request request, service::Responder respond) override {
      if (request.target == "/throw") throw std::runtime_error("no luck");
      if (request.target == "/split") respond(Response{200, {{"X", "a\r\nSet-Cookie: b"}}, "", nullptr});
      if (request.target == "/name") respond(Response{200, {{"X Y", "a"}}, "", nullptr});
      if (request.target == "/status") respond(Response{99, {}, "", nullptr});
      if (request.target == "/other") std::thread([r = std::move(respond)] { (void)r; }).join();
    }
  } handler;
  std::mutex mutex;
  std::vector<std::string> told;
  auto options = local();
  options.on_error = [&](const Error& e) {
    const std::scoped_lock lock(mutex);
    told.push_back(e.message());
  };
  auto server = started(options, handler);
  RawClient client(server->port());
  const auto target = GENERATE("/drop", "/throw", "/split", "/name", "/status", "/other");
  CAPTURE(target);
  REQUIRE(client.send(get_request(target)));
  const auto r = client.response();
  CHECK(r.status == 500);
  CHECK_THAT(r.head, !Catch::Contains("Set-Cookie"));
  const std::scoped_lock lock(mutex);
  CHECK(told.size() == (std::string_view(target) == "/drop" || std::string_view(target) == "/other" ? 0 : 1));
}

TEST_CASE("a responder outlives connection and server harmlessly", "[server]") {
  Deferred handler;
  auto server = started(local(), handler);
  auto client = std::make_unique<RawClient>(server->port());
  REQUIRE(client->send(get_request("/1")));
  auto one = handler.next();
  REQUIRE(one);
  SECTION("the client is gone") {
    client.reset();
    one->respond(Response{});
    CHECK(eventually([&] { return server->counters().connections_now == 0; }));
  }
  SECTION("the server is gone") {
    const auto stopped = server->stop(10ms);
    REQUIRE_FALSE(stopped);
    CHECK(stopped.error().code() == Errc::timeout);
    CHECK_THAT(stopped.error().message(), Catch::Contains("1 connections"));
    server.reset();
    one->respond(Response{});
  }
}

TEST_CASE("no descriptor of the server gets into other programs", "[server]") {
  const auto inherited = [] {
    std::size_t n = 0;
    for (int fd = 0; fd < 256; ++fd) {
      const int flags = ::fcntl(fd, F_GETFD);
      n += flags >= 0 && (flags & FD_CLOEXEC) == 0 ? 1U : 0U;
    }
    return n;
  };
  Immediate handler(echo);
  const auto before = inherited();
  auto server = started(local(), handler);
  RawClient client(server->port());
  REQUIRE(client.send(get_request("/")));
  CHECK(client.response().status == 200);
  CHECK(inherited() == before);
}

TEST_CASE("addresses to listen at", "[server]") {
  server::ServerOptions o;
  CHECK(server::parse_listen("10.0.0.1:80", o));
  CHECK(o.host == "10.0.0.1");
  CHECK(o.port == 80);
  CHECK(server::parse_listen("[::1]:0", o));
  CHECK(o.host == "::1");
  CHECK(o.port == 0);
  CHECK(server::parse_listen(":8443", o));
  CHECK(o.host == "0.0.0.0");
  for (const char* bad : {"", "host", "host:", "host:x", "host:65536", "host:-1", "host:80x", "::1:80"}) {
    CAPTURE(bad);
    auto r = server::parse_listen(bad, o);
    REQUIRE_FALSE(r);
    CHECK(r.error().code() == Errc::invalid_argument);
    CHECK(o.port == 8443);
  }
}

TEST_CASE("a server that cannot start says why", "[server]") {
  Immediate handler(echo);
  auto first = started(local(), handler);
  auto options = local();
  SECTION("taken port") {
    options.port = first->port();
    auto second = Server::start(options, handler);
    REQUIRE_FALSE(second);
    CHECK(second.error().code() == Errc::io);
    CHECK_THAT(second.error().message(), Catch::Contains(std::to_string(first->port())));
  }
  SECTION("no such host") {
    options.host = "no.such.host.invalid";
    auto second = Server::start(options, handler);
    REQUIRE_FALSE(second);
    CHECK(second.error().code() == Errc::invalid_argument);
  }
  SECTION("zero") {
    options.max_connections = 0;
    auto second = Server::start(options, handler);
    REQUIRE_FALSE(second);
    CHECK(second.error().where() == "max_connections");
  }
  SECTION("half of TLS") {
    options.tls_key_file = "key.pem";
    auto second = Server::start(options, handler);
    REQUIRE_FALSE(second);
    CHECK(second.error().where() == "tls_certificate_file");
  }
}
