#include <deprov/server/server.hpp>
#include <future>
#include "catch.hpp"
#include "server/handlers.hpp"
#include "support/raw_client.hpp"

using namespace deprov;
using namespace deprov::test;
using namespace std::chrono_literals;
using server::Server;
using service::Request;
using service::Response;

TEST_CASE("stop lets requests be answered, closes idle connections, accepts nothing", "[server][stop]") {
  Deferred handler;
  auto server = *Server::start(local(), handler);
  const auto port = server->port();
  RawClient idle(port);
  RawClient served(port);
  RawClient half(port);
  const auto whole = get_request("/slow");
  const std::string first_half = "PUT /half HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nbo";
  REQUIRE(served.send(whole));
  auto slow = handler.next();
  REQUIRE(slow);
  REQUIRE(half.send(first_half));
  REQUIRE(eventually([&] { return server->counters().bytes_received == whole.size() + first_half.size(); }));

  auto stopping = std::async(std::launch::async, [&] { return server->stop(60s); });
  CHECK(idle.closed());
  CHECK(eventually([&] { return !RawClient(port).connected(); }));
  REQUIRE(half.send("dy"));
  auto rest = handler.next();
  REQUIRE(rest);
  rest->respond(Response{200, {}, rest->request.body, nullptr});
  const auto r = half.response();
  CHECK(r.body == "body");
  CHECK(r.header("Connection") == "close");
  slow->respond(Response{200, {}, "at last", nullptr});
  CHECK(served.response().body == "at last");
  served.disconnect();
  half.disconnect();
  const auto stopped = stopping.get();
  CHECK(stopped);
  CHECK(server->counters().connections_now == 0);
  CHECK(server->stop(0ms));
}

TEST_CASE("stop does not wait for clients that never close", "[server][stop]") {
  Immediate handler(echo);
  auto options = local();
  options.idle_timeout = 1h;
  auto server = *Server::start(options, handler);
  RawClient keeps(server->port());
  REQUIRE(keeps.send(get_request("/")));
  CHECK(keeps.response().status == 200);
  CHECK(server->stop(60s));  // a stop that waits for them runs out of this time, and says so
  CHECK(keeps.closed());
}

TEST_CASE("no accepted request is lost while the server stops under load", "[server][stop]") {
  Deferred handler;
  auto options = local();
  options.threads = 2;
  auto server = *Server::start(options, handler);
  std::atomic<bool> over{false};
  std::thread answering([&] {
    while (!over)
      for (std::size_t n = handler.size(); n > 0; --n)
        if (auto item = handler.next()) item->respond(Response{200, {}, item->request.target, nullptr});
  });
  std::atomic<std::uint64_t> answered{0};
  std::atomic<int> lost{0};
  std::vector<std::thread> loads;
  for (int t = 0; t < 4; ++t)
    loads.emplace_back([&, port = server->port()] {
      RawClient client(port);
      for (;;) {
        if (!client.send(get_request("/x"))) return;
        const auto r = client.response();
        if (r.status == 200) ++answered;
        // Once the header has begun the whole answer has to come.
        else if (!r.head.empty())
          ++lost;
        if (r.status != 200 || r.header("Connection") == "close") return;
      }
    });
  REQUIRE(eventually([&] { return answered > 200; }));
  CHECK(server->stop(60s));
  for (auto& t : loads) t.join();
  over = true;
  answering.join();
  CHECK(lost == 0);
  CHECK(answered == server->counters().requests_total);
}
