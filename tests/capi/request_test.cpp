#include <poll.h>
#include <algorithm>
#include <atomic>
#include <map>
#include <thread>
#include <vector>
#include "c_api.hpp"

using namespace deprov::test;

namespace {

bool readable(int fd) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, 0) == 1;
}

std::string read_all(deprov_response* response) {
  std::string out;
  for (;;) {
    deprov_str piece{};
    const auto status = deprov_response_read(response, 60'000, &piece, nullptr);
    if (status == DEPROV_END) return out;
    REQUIRE(status == DEPROV_OK);
    out += text(piece);
  }
}

}  // namespace

TEST_CASE("SCIM requests are answered as over HTTP") {
  const World world;
  const auto id = world.add_user("ann");
  const auto got = world.scim("GET", "/Users/" + id);
  CHECK(deprov_response_get_status(got.get()) == 200);
  CHECK(deprov_response_is_streaming(got.get()) == 0);
  const auto user = json::parse(text(deprov_response_get_body(got.get())));
  CHECK(user.at("userName").as_string() == "ann");
  bool typed = false;
  for (size_t i = 0; i < deprov_response_get_header_count(got.get()); ++i) {
    const auto header = deprov_response_get_header(got.get(), i);
    if (text(header.name) == "Content-Type") typed = text(header.value).rfind("application/scim+json", 0) == 0;
  }
  CHECK(typed);
  CHECK(deprov_response_get_header(got.get(), 1000).name.len == 0);
  CHECK(deprov_response_get_status(world.scim("GET", "/Users/nobody").get()) == 404);
  deprov_str piece{};
  CHECK(deprov_response_read(got.get(), 0, &piece, nullptr) == DEPROV_ERR_INVALID_ARGUMENT);

  World::Sent stranger;
  world.fill(stranger, "GET", "/Users");
  stranger.headers[0].value = str("Bearer dpg_wrong");
  deprov_response* response = nullptr;
  REQUIRE(deprov_engine_call(world.engine.get(), &stranger.request, &response, nullptr) == DEPROV_OK);
  CHECK(deprov_response_get_status(response) == 401);
  deprov_response_free(response);
}

TEST_CASE("a zero byte follows the texts of responses and errors") {
  const World world;
  // Of every length that is kept in one block or in two, so that in none of them the byte is what a neighbour
  // left.
  for (const std::size_t length :
       {1U, 7U, 300U, 301U, 302U, 303U, 304U, 305U, 306U, 307U, 1500U, 3000U, 20'000U}) {
    const auto got =
        world.scim("POST", "/Users",
                   R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"u)" +
                       std::to_string(length) + R"(","displayName":")" + std::string(length, 'x') + "\"}");
    REQUIRE(deprov_response_get_status(got.get()) == 201);
    const auto body = deprov_response_get_body(got.get());
    REQUIRE(body.len > length);
    CHECK(body.ptr[body.len] == '\0');
    for (size_t i = 0; i < deprov_response_get_header_count(got.get()); ++i) {
      const auto header = deprov_response_get_header(got.get(), i);
      CHECK(header.name.ptr[header.name.len] == '\0');
      CHECK(header.value.ptr[header.value.len] == '\0');
    }
  }
  deprov_error* error = nullptr;
  REQUIRE(deprov_engine_call(world.engine.get(), nullptr, nullptr, &error) == DEPROV_ERR_INVALID_ARGUMENT);
  for (const auto text_of :
       {deprov_error_get_message, deprov_error_get_detail, deprov_error_get_where, deprov_error_get_advice}) {
    const auto text = text_of(error);
    CHECK(text.ptr[text.len] == '\0');
  }
  deprov_error_free(error);
}

TEST_CASE("/Me is the User whom the host names") {
  const World world;
  const auto ann = world.add_user("ann");
  World::Sent sent;
  world.fill(sent, "GET", "/Me");
  const auto status = [&] {
    deprov_response* response = nullptr;
    REQUIRE(deprov_engine_call(world.engine.get(), &sent.request, &response, nullptr) == DEPROV_OK);
    const ResponsePtr owned(response);
    return deprov_response_get_status(response);
  };
  CHECK(status() == 501);
  sent.request.subject = str(ann);
  CHECK(status() == 200);
  // What was built before the member was there says nothing of it.
  sent.request.struct_size = offsetof(deprov_request, subject);
  CHECK(status() == 501);
  sent.request.struct_size = sizeof sent.request;
  const std::string much(300, 'x');
  sent.request.subject = str(much);
  deprov_response* response = nullptr;
  deprov_error* error = nullptr;
  CHECK(said(deprov_engine_call(world.engine.get(), &sent.request, &response, &error), error).where ==
        "request.subject bytes");
  CHECK(response == nullptr);
}

TEST_CASE("requests that make no sense are refused") {
  const World world;
  World::Sent sent;
  world.fill(sent, "GET", "/Users");
  deprov_response* response = nullptr;
  const auto refused = [&] {
    deprov_error* error = nullptr;
    const auto status = deprov_engine_call(world.engine.get(), &sent.request, &response, &error);
    CHECK(response == nullptr);
    return said(status, error);
  };
  SECTION("method") {
    sent.request.method = {};
    CHECK(refused().where == "request.method");
  }
  SECTION("target") {
    sent.request.target = str("Users");
    CHECK(refused().where == "request.target");
  }
  SECTION("long target") {
    const auto target = "/" + std::string(70'000, 'x');
    sent.request.target = str(target);
    CHECK(refused().status == DEPROV_ERR_LIMIT_EXCEEDED);
  }
  SECTION("many headers") {
    sent.request.header_count = 257;
    CHECK(refused().status == DEPROV_ERR_LIMIT_EXCEEDED);
  }
  SECTION("who") {
    sent.request.as = 5;
    CHECK(refused().where == "request.as");
  }
  SECTION("the local administrator is none of SCIM's") {
    sent.request.as = DEPROV_AS_LOCAL;
    CHECK(refused().where == "request.target");
  }
  SECTION("reserved") {
    sent.request.reserved = 1;
    CHECK(refused().status == DEPROV_ERR_UNSUPPORTED);
  }
}

TEST_CASE("the admin API is there for the local administrator and for principals") {
  const World world;
  auto* engine = world.engine.get();
  World::Sent sent;
  world.fill(sent, "GET", "");
  sent.request.target = str("/api/v1/integrations");
  sent.request.as = DEPROV_AS_LOCAL;
  sent.request.workspace = str(world.workspace);
  sent.request.header_count = 0;
  deprov_response* response = nullptr;
  REQUIRE(deprov_engine_call(engine, &sent.request, &response, nullptr) == DEPROV_OK);
  CHECK(deprov_response_get_status(response) == 200);
  deprov_response_free(response);

  sent.request.workspace = str("01890000-0000-7000-8000-000000000000");
  REQUIRE(deprov_engine_call(engine, &sent.request, &response, nullptr) == DEPROV_OK);
  CHECK(deprov_response_get_status(response) == 404);
  deprov_response_free(response);
  sent.request.workspace = str("acme");
  CHECK(deprov_engine_call(engine, &sent.request, &response, nullptr) == DEPROV_ERR_INVALID_ARGUMENT);

  const deprov_caller owner{sizeof owner, {}, str(world.owner_token)};
  CHECK(manage(engine, &owner, "GET", "/integrations").at("items").as_array().size() == 1);
  const deprov_caller both{sizeof both, str(world.workspace), str(world.owner_token)};
  CHECK(deprov_admin_call(engine, &both, str("GET"), str("/integrations"), {}, nullptr, nullptr) ==
        DEPROV_ERR_INVALID_ARGUMENT);
  const deprov_caller nobody{sizeof nobody, {}, str("dpo_nobody")};
  deprov_error* error = nullptr;
  const auto status = deprov_admin_call(engine, &nobody, str("GET"), str("/integrations"), {}, nullptr, &error);
  CHECK(said(status, error).status == DEPROV_ERR_UNAUTHORIZED);
  const auto by = world.local();
  CHECK(deprov_admin_call(engine, &by, str("POST"), str("/integrations"), str(R"({"unheard": 1})"), nullptr,
                          nullptr) == DEPROV_ERR_INVALID_ARGUMENT);
  CHECK(deprov_admin_call(engine, &by, str("GET"), str("/nowhere"), {}, nullptr, nullptr) == DEPROV_ERR_NOT_FOUND);
  CHECK(deprov_admin_call(engine, &by, str("GET"), str("/evidence"), {}, nullptr, nullptr) ==
        DEPROV_ERR_UNSUPPORTED);
}

TEST_CASE("answers come through the queue, each once, by token and user") {
  const World world;
  auto* engine = world.engine.get();
  const int fd = deprov_engine_get_event_descriptor(engine);
  CHECK_FALSE(readable(fd));
  World::Sent sent;
  world.fill(sent, "GET", "/Users");
  constexpr std::size_t requests = 200;
  std::vector<int> marks(requests);
  std::map<uint64_t, void*> begun;
  for (auto& mark : marks) {
    uint64_t token = 0;
    REQUIRE(deprov_engine_send(engine, &sent.request, &mark, &token, nullptr) == DEPROV_OK);
    CHECK(begun.emplace(token, &mark).second);
  }
  std::size_t answered = 0;
  while (answered < requests) {
    deprov_event events[16];
    size_t taken = 0;
    REQUIRE(deprov_engine_next(engine, events, 16, 60'000, &taken, nullptr) == DEPROV_OK);
    REQUIRE(taken > 0);
    for (size_t i = 0; i < taken; ++i) {
      CHECK(events[i].kind == DEPROV_EVENT_RESPONSE);
      CHECK(events[i].status == DEPROV_OK);
      CHECK(begun.at(events[i].token) == events[i].user);
      begun.erase(events[i].token);
      CHECK(deprov_response_get_status(events[i].response) == 200);
      deprov_response_free(events[i].response);
    }
    answered += taken;
  }
  CHECK(begun.empty());
  CHECK_FALSE(readable(fd));
  deprov_event event;
  size_t taken = 0;
  CHECK(deprov_engine_next(engine, &event, 1, 0, &taken, nullptr) == DEPROV_ERR_TIMEOUT);
  CHECK(deprov_engine_next(engine, &event, 0, 0, &taken, nullptr) == DEPROV_ERR_INVALID_ARGUMENT);
}

TEST_CASE("a request that is cancelled ends at once, and once") {
  auto o = in_memory();
  o.host_driven = 1;  // nothing is stored before somebody pumps
  const World world(o);
  auto* engine = world.engine.get();
  World::Sent sent;
  world.fill(sent, "POST", "/Users",
             R"({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "zoe"})");
  uint64_t token = 0;
  REQUIRE(deprov_engine_send(engine, &sent.request, nullptr, &token, nullptr) == DEPROV_OK);
  REQUIRE(deprov_engine_cancel(engine, token, nullptr) == DEPROV_OK);
  CHECK(deprov_engine_cancel(engine, token, nullptr) == DEPROV_ERR_NOT_FOUND);
  deprov_event event{};
  size_t taken = 0;
  REQUIRE(deprov_engine_next(engine, &event, 1, 0, &taken, nullptr) == DEPROV_OK);
  CHECK(event.token == token);
  CHECK(event.status == DEPROV_ERR_CANCELLED);
  CHECK(event.response == nullptr);
  world.add_user("ann");  // pumps: the answer that was on its way is nobody's
  CHECK(deprov_engine_next(engine, &event, 1, 0, &taken, nullptr) == DEPROV_ERR_TIMEOUT);
}

TEST_CASE("what was begun and not waited for ends when the engine is closed") {
  auto o = in_memory();
  o.host_driven = 1;
  const World world(o);
  auto* engine = world.engine.get();
  World::Sent sent;
  world.fill(sent, "GET", "/Users");
  REQUIRE(deprov_engine_send(engine, &sent.request, nullptr, nullptr, nullptr) == DEPROV_OK);
  const auto status = deprov_engine_close(engine, 60'000, nullptr, nullptr);
  CHECK(status == DEPROV_OK);
  CHECK(readable(deprov_engine_get_event_descriptor(engine)));
  deprov_event event{};
  size_t taken = 0;
  REQUIRE(deprov_engine_next(engine, &event, 1, 0, &taken, nullptr) == DEPROV_OK);
  CHECK(deprov_response_get_status(event.response) == 200);
  deprov_response_free(event.response);
  CHECK(deprov_engine_next(engine, &event, 1, 0, &taken, nullptr) == DEPROV_ERR_CLOSED);
}

TEST_CASE("closing wakes whoever waits for events") {
  const World world;
  std::atomic<deprov_status> got{DEPROV_OK};
  std::thread waiter([&] {
    deprov_event event;
    size_t taken = 0;
    got = deprov_engine_next(world.engine.get(), &event, 1, INT64_MAX, &taken, nullptr);
  });
  CHECK(deprov_engine_close(world.engine.get(), 60'000, nullptr, nullptr) == DEPROV_OK);
  waiter.join();
  CHECK(got == DEPROV_ERR_CLOSED);
}

TEST_CASE("large answers come in pieces") {
  const World world;
  auto* engine = world.engine.get();
  for (int i = 0; i < 20; ++i) world.add_user("user" + std::to_string(i));
  World::Sent sent;
  world.fill(sent, "GET", "");
  sent.request.target = str("/api/v1/evidence");
  sent.request.as = DEPROV_AS_LOCAL;
  sent.request.workspace = str(world.workspace);
  sent.request.header_count = 0;
  deprov_response* response = nullptr;

  SECTION("read to the end") {
    REQUIRE(deprov_engine_call(engine, &sent.request, &response, nullptr) == DEPROV_OK);
    const ResponsePtr owned(response);
    REQUIRE(deprov_response_get_status(response) == 200);
    REQUIRE(deprov_response_is_streaming(response) == 1);
    CHECK(deprov_response_get_body(response).len == 0);
    const auto all = read_all(response);
    CHECK(std::count(all.begin(), all.end(), '\n') > 20);
    deprov_str piece{};
    CHECK(deprov_response_read(response, 0, &piece, nullptr) == DEPROV_END);
  }
  SECTION("through the queue") {
    REQUIRE(deprov_engine_call(engine, &sent.request, &response, nullptr) == DEPROV_OK);
    const ResponsePtr owned(response);
    std::size_t pieces = 0;
    for (;;) {
      REQUIRE(deprov_response_want(response, &sent, nullptr) == DEPROV_OK);
      deprov_event event{};
      size_t taken = 0;
      REQUIRE(deprov_engine_next(engine, &event, 1, 60'000, &taken, nullptr) == DEPROV_OK);
      CHECK(event.kind == DEPROV_EVENT_PIECE);
      CHECK(event.user == &sent);
      deprov_str piece{};
      const auto status = deprov_response_read(response, 0, &piece, nullptr);
      if (status == DEPROV_END) break;
      REQUIRE(status == DEPROV_OK);
      ++pieces;
    }
    CHECK(pieces > 0);
  }
  SECTION("activity that is followed ends with the engine") {
    const auto target = "/api/v1/integrations/" + world.integration + "/activity?follow=true&after=100000";
    sent.request.target = str(target);
    REQUIRE(deprov_engine_call(engine, &sent.request, &response, nullptr) == DEPROV_OK);
    const ResponsePtr owned(response);
    deprov_str piece{};
    REQUIRE(deprov_response_read(response, 60'000, &piece, nullptr) == DEPROV_OK);
    CHECK(deprov_response_read(response, 0, &piece, nullptr) == DEPROV_ERR_TIMEOUT);
    CHECK(deprov_response_want(response, nullptr, nullptr) == DEPROV_OK);
    CHECK(deprov_response_want(response, nullptr, nullptr) == DEPROV_ERR_CONFLICT);
    CHECK(deprov_engine_close(engine, 60'000, nullptr, nullptr) == DEPROV_OK);
    CHECK(deprov_response_read(response, 60'000, &piece, nullptr) == DEPROV_ERR_CLOSED);
    CHECK(deprov_response_want(response, nullptr, nullptr) == DEPROV_ERR_CLOSED);
  }
}

TEST_CASE("a request that is begun and looked after in one call") {
  auto options = in_memory();
  SECTION("with a thread of deprov") {}
  SECTION("while the host drives") { options.host_driven = 1; }
  World world(options);
  auto* engine = world.engine.get();
  World::Sent sent;
  world.fill(sent, "GET", "/Users?count=1");
  pollfd waiting{deprov_engine_get_event_descriptor(engine), POLLIN, 0};
  deprov_event events[4];
  uint64_t token = 0;
  size_t taken = 0;
  int mark = 0;
  REQUIRE(deprov_engine_ask(engine, &sent.request, &mark, &token, events, 4, 60'000, &taken, nullptr) ==
          DEPROV_OK);
  REQUIRE(taken == 1);
  CHECK(events[0].token == token);
  CHECK(events[0].user == &mark);
  CHECK(deprov_response_get_status(events[0].response) == 200);
  deprov_response_free(events[0].response);
  CHECK(::poll(&waiting, 1, 0) == 0);
  // What is not waited for comes by the queue.
  REQUIRE(deprov_engine_ask(engine, &sent.request, &mark, &token, events, 4, 0, &taken, nullptr) == DEPROV_OK);
  while (taken == 0) REQUIRE(deprov_engine_next(engine, events, 4, 60'000, &taken, nullptr) == DEPROV_OK);
  CHECK(events[0].token == token);
  deprov_response_free(events[0].response);
  CHECK(deprov_engine_ask(engine, &sent.request, &mark, &token, events, 0, 0, &taken, nullptr) ==
        DEPROV_ERR_INVALID_ARGUMENT);
  CHECK(token == 0);
  REQUIRE(deprov_engine_close(engine, 60'000, nullptr, nullptr) == DEPROV_OK);
  CHECK(deprov_engine_ask(engine, &sent.request, &mark, &token, events, 4, 0, &taken, nullptr) ==
        DEPROV_ERR_CLOSED);
  CHECK(::poll(&waiting, 1, 0) == 1);
}

TEST_CASE("what is answered inside the call that begins it passes the queue by") {
  auto options = in_memory();
  SECTION("with a thread of deprov") {}
  SECTION("while the host drives") { options.host_driven = 1; }
  World world(options);
  auto* engine = world.engine.get();
  const auto id = world.add_user("ann");
  World::Sent sent;
  world.fill(sent, "GET", "/Users/" + id);
  int first = 0;
  int second = 0;
  uint64_t queued = 0;
  uint64_t token = 0;
  deprov_event events[4];
  size_t taken = 0;
  REQUIRE(deprov_engine_send(engine, &sent.request, &first, &queued, nullptr) == DEPROV_OK);
  // There is room for one, and it is not the one that waits.
  REQUIRE(deprov_engine_ask(engine, &sent.request, &second, &token, events, 1, 0, &taken, nullptr) == DEPROV_OK);
  REQUIRE(taken == 1);
  CHECK(events[0].token == token);
  CHECK(events[0].user == &second);
  CHECK(events[0].kind == DEPROV_EVENT_RESPONSE);
  CHECK(deprov_response_get_status(events[0].response) == 200);
  deprov_response_free(events[0].response);
  CHECK(deprov_engine_cancel(engine, token, nullptr) == DEPROV_ERR_NOT_FOUND);
  // With more room the others come behind it.
  REQUIRE(deprov_engine_ask(engine, &sent.request, &second, &token, events, 4, 0, &taken, nullptr) == DEPROV_OK);
  REQUIRE(taken == 2);
  CHECK(events[0].token == token);
  CHECK(events[1].token == queued);
  for (size_t i = 0; i < taken; ++i) deprov_response_free(events[i].response);
  CHECK(deprov_engine_next(engine, events, 4, 0, &taken, nullptr) == DEPROV_ERR_TIMEOUT);
  REQUIRE(deprov_engine_close(engine, 60'000, nullptr, nullptr) == DEPROV_OK);
}
