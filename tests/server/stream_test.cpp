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

namespace {

std::string text(int n) {
  return std::string(static_cast<std::size_t>(n % 3000), static_cast<char>('a' + n % 26));
}

/// Answers at once, so many times.
class Counted final : public service::BodyStream {
 public:
  explicit Counted(int pieces) : left_(pieces) {}
  void next(port::UniqueFunction<void(std::optional<std::string>)> done) override {
    if (left_ == 0) return done(std::nullopt);
    done(text(left_--));
  }

 private:
  int left_;
};

std::string counted_text(int pieces) {
  std::string all;
  for (int n = pieces; n > 0; --n) all += text(n);
  return all;
}

Response streaming(std::shared_ptr<service::BodyStream> stream, std::string type = "application/json") {
  return Response{200, {{"Content-Type", std::move(type)}}, "", std::move(stream)};
}

}  // namespace

TEST_CASE("a stream comes in chunks, and the connection goes on", "[server][stream]") {
  Immediate handler([](const Request& r) {
    return r.target == "/stream" ? streaming(std::make_shared<Counted>(5000)) : echo(r);
  });
  auto server = *Server::start(local(), handler);
  RawClient client(server->port());
  REQUIRE(client.send(get_request("/stream") + get_request("/next")));
  const auto r = client.response();
  CHECK(r.header("Transfer-Encoding") == "chunked");
  CHECK(r.header("Content-Length").empty());
  CHECK((r.body == counted_text(5000)));
  CHECK(client.response().body == "GET /next ");
  CHECK(server->counters().streams_now == 0);
}

TEST_CASE("a stream to HTTP/1.0 ends with the connection", "[server][stream]") {
  Immediate handler([](const Request&) { return streaming(std::make_shared<Counted>(100)); });
  auto server = *Server::start(local(), handler);
  RawClient client(server->port());
  REQUIRE(client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  const auto r = client.response();
  CHECK(r.header("Transfer-Encoding").empty());
  CHECK((r.body == counted_text(100)));
}

TEST_CASE("HEAD of a stream asks it for nothing", "[server][stream]") {
  auto shared = std::make_shared<PushedStream::Shared>();
  Immediate handler([&](const Request& r) {
    return r.method == "HEAD" ? streaming(std::make_shared<PushedStream>(shared)) : echo(r);
  });
  auto server = *Server::start(local(), handler);
  RawClient client(server->port());
  REQUIRE(client.send("HEAD / HTTP/1.1\r\nHost: t\r\n\r\n" + get_request("/n")));
  CHECK(client.response(true).header("Transfer-Encoding") == "chunked");
  CHECK(client.response().body == "GET /n ");
  CHECK(shared->wait_destroyed());
}

TEST_CASE("each event is sent at once", "[server][stream]") {
  auto shared = std::make_shared<PushedStream::Shared>();
  Immediate handler(
      [&](const Request&) { return streaming(std::make_shared<PushedStream>(shared), "text/event-stream"); });
  auto server = *Server::start(local(), handler);
  RawClient client(server->port());
  REQUIRE(client.send(get_request("/events")));
  CHECK(parse_head(client.read_until("\r\n\r\n")).status == 200);
  for (int i = 0; i < 20; ++i) {
    const auto event = "data: " + std::to_string(i) + "\n\n";
    if (i % 3 == 0) shared->push("");
    shared->push(event);
    CHECK_THAT(client.read_until("\n\n\r\n"), Catch::Contains(event));
  }
  CHECK(server->counters().streams_now == 1);
  shared->push(std::nullopt);
  CHECK(client.read_until("0\r\n\r\n") == "0\r\n\r\n");
  CHECK(shared->wait_destroyed());
}

TEST_CASE("a client that goes away ends the stream, though nothing is sent", "[server][stream]") {
  auto shared = std::make_shared<PushedStream::Shared>();
  Immediate handler(
      [&](const Request&) { return streaming(std::make_shared<PushedStream>(shared), "text/event-stream"); });
  auto server = *Server::start(local(), handler);
  RawClient client(server->port());
  REQUIRE(client.send(get_request("/events")));
  CHECK(parse_head(client.read_until("\r\n\r\n")).status == 200);
  client.disconnect();
  CHECK(shared->wait_destroyed());
  shared->push("too late");
  CHECK(eventually([&] { return server->counters().connections_now == 0; }));
  CHECK(server->counters().streams_now == 0);
}

TEST_CASE("a stream that drops the question ends", "[server][stream]") {
  struct Dropping final : service::BodyStream {
    void next(port::UniqueFunction<void(std::optional<std::string>)>) override {}
  };
  Immediate handler([](const Request&) { return streaming(std::make_shared<Dropping>()); });
  auto server = *Server::start(local(), handler);
  RawClient client(server->port());
  REQUIRE(client.send(get_request("/") + get_request("/")));
  CHECK(client.response().body.empty());
  CHECK(client.response().status == 200);
}

TEST_CASE("stop ends event streams at once and other streams at their end", "[server][stream][stop]") {
  auto events = std::make_shared<PushedStream::Shared>();
  auto list = std::make_shared<PushedStream::Shared>();
  Immediate handler([&](const Request& r) {
    return r.target == "/events" ? streaming(std::make_shared<PushedStream>(events), "text/event-stream")
                                 : streaming(std::make_shared<PushedStream>(list));
  });
  auto server = *Server::start(local(), handler);
  RawClient listening(server->port());
  RawClient listing(server->port());
  REQUIRE(listening.send(get_request("/events")));
  REQUIRE(listing.send(get_request("/list")));
  events->push("data: 1\n\n");
  list->push("[1");
  CHECK_THAT(listening.read_until("\n\n\r\n"), Catch::Contains("data: 1"));
  CHECK_THAT(listing.read_until("[1\r\n"), Catch::Contains("[1"));
  auto stopping = std::async(std::launch::async, [&] { return server->stop(60s); });
  CHECK(listening.read_until("0\r\n\r\n") == "0\r\n\r\n");
  CHECK(events->wait_destroyed());
  list->push("]");
  list->push(std::nullopt);
  CHECK(listing.read_until("0\r\n\r\n") == "1\r\n]\r\n0\r\n\r\n");
  CHECK(stopping.get());
}

TEST_CASE("a fast client does not keep others from their turn", "[server][stream]") {
  struct Endless final : service::BodyStream {
    void next(port::UniqueFunction<void(std::optional<std::string>)> done) override {
      done(std::string(100, 'x'));
    }
  };
  Immediate handler(
      [](const Request& r) { return r.target == "/endless" ? streaming(std::make_shared<Endless>()) : echo(r); });
  auto server = *Server::start(local(), handler);
  RawClient greedy(server->port());
  REQUIRE(greedy.send(get_request("/endless")));
  std::atomic<bool> enough{false};
  std::thread reading([&] {
    while (!enough) (void)greedy.read_until("\r\n");
  });
  RawClient other(server->port());
  for (int i = 0; i < 20; ++i) {
    REQUIRE(other.send(get_request("/")));
    CHECK(other.response().status == 200);
  }
  const auto stopped = server->stop(20ms);
  CHECK_FALSE(stopped);
  enough = true;
  reading.join();
}
