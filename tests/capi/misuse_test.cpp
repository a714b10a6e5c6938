// What no program should do, and some will: arguments that are missing, bytes that are no text, everything at
// once.
#include <array>
#include <atomic>
#include <limits>
#include <string>
#include <thread>
#include <vector>
#include "c_api.hpp"

using namespace deprov::test;

namespace {

const deprov_str none{nullptr, 0};

/// Every activity record of the integration is JSON, and so UTF-8.
std::size_t told(const World& world) {
  const auto by = world.local();
  deprov_rows_options o{};
  o.struct_size = sizeof o;
  o.kind = DEPROV_ROWS_ACTIVITY;
  o.integration = str(world.integration);
  deprov_rows* rows = nullptr;
  REQUIRE(deprov_rows_open(world.engine.get(), &by, &o, &rows, nullptr) == DEPROV_OK);
  const RowsPtr owned(rows);
  std::size_t n = 0;
  deprov_str row{};
  for (; deprov_rows_next(rows, &row, nullptr) == DEPROV_OK; ++n) CHECK(json::parse(text(row)).is_object());
  return n;
}

}  // namespace

TEST_CASE("functions for lists, evidence and asking answer for NULL") {
  const auto misses = [](deprov_status status, deprov_error*& error, const char* argument) {
    const auto why = said(status, error);
    INFO(argument << ": " << why.message);
    CHECK(why.status == DEPROV_ERR_INVALID_ARGUMENT);
    CHECK(why.where == argument);
  };
  deprov_error* e = nullptr;
  deprov_event event{};
  size_t taken = 7;
  uint64_t token = 7;
  misses(deprov_engine_ask(nullptr, nullptr, nullptr, &token, &event, 1, 0, &taken, &e), e, "engine");
  CHECK(token == 0);
  CHECK(taken == 0);
  deprov_list* list = nullptr;
  misses(deprov_list_begin(nullptr, nullptr, nullptr, &list, &e), e, "engine");
  misses(deprov_list_open(nullptr, nullptr, none, &list, &e), e, "engine");
  misses(deprov_list_add(nullptr, nullptr, 0, &e), e, "list");
  misses(deprov_list_end(nullptr, nullptr, nullptr, &e), e, "list");
  misses(deprov_list_give_up(nullptr, none, &e), e, "list");
  misses(deprov_list_send(nullptr, nullptr, nullptr, nullptr, &e), e, "list");
  CHECK(deprov_list_get_id(nullptr).len == 0);
  CHECK(deprov_list_get_count(nullptr) == 0);
  deprov_list_free(nullptr);
  misses(deprov_verifier_new(nullptr, nullptr, &e), e, "verifier");
  misses(deprov_verifier_feed(nullptr, none, &e), e, "verifier");
  misses(deprov_verifier_finish(nullptr, nullptr, nullptr, &e), e, "verifier");
  deprov_verifier_free(nullptr);

  const World world;
  World::Sent sent;
  world.fill(sent, "GET", "/Users");
  auto* engine = world.engine.get();
  misses(deprov_engine_ask(engine, nullptr, nullptr, &token, &event, 1, 0, &taken, &e), e, "request");
  misses(deprov_engine_ask(engine, &sent.request, nullptr, nullptr, &event, 1, 0, &taken, &e), e, "token");
  misses(deprov_engine_ask(engine, &sent.request, nullptr, &token, nullptr, 1, 0, &taken, &e), e, "events");
  misses(deprov_engine_ask(engine, &sent.request, nullptr, &token, &event, 1, 0, nullptr, &e), e, "taken");
  misses(deprov_engine_next(engine, nullptr, 1, 0, &taken, &e), e, "events");
  CHECK(deprov_engine_next(engine, &event, 1, std::numeric_limits<int64_t>::min(), &taken, nullptr) ==
        DEPROV_ERR_TIMEOUT);  // none of them was begun
}

TEST_CASE("whatever bytes a request has, it is answered or refused, and what is told of it is text") {
  const World world;
  const std::string user = R"({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ann"})";
  const std::vector<std::string> odd = {"\xff\xfe", std::string("a\0b", 3),   "\xed\xa0\x80", "\r\nX: y",
                                        "\xc3",     std::string(5000, '\xf0')};
  std::size_t refused = 0;
  for (const auto& bytes : odd) {
    INFO(json::serialize(json::string(bytes.size() < 100 ? "short" : "long")) << " " << bytes.size());
    for (int member = 0; member < 8; ++member) {
      World::Sent sent;
      world.fill(sent, "POST", "/Users", user);
      const auto target = world.base + "/Users?attributes=" + bytes;
      const auto body =
          R"({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": ")" + bytes + "\"}";
      std::array<deprov_header, 3> headers{sent.headers[0], sent.headers[1], {str("X-Odd"), str(bytes)}};
      sent.request.headers = headers.data();
      switch (member) {
        case 0: sent.request.method = str(bytes); break;
        case 1: sent.request.target = str(target); break;
        case 2: sent.request.header_count = 3; break;
        case 3: headers[2] = {str(bytes), str("x")}, sent.request.header_count = 3; break;
        case 4: sent.request.body = str(body); break;
        case 5: sent.request.peer = str(bytes); break;
        case 6: sent.request.subject = str(bytes); break;
        default: headers[0].value = str(bytes); break;
      }
      deprov_response* response = nullptr;
      deprov_error* error = nullptr;
      const auto why = said(deprov_engine_call(world.engine.get(), &sent.request, &response, &error), error);
      INFO(member << ": " << why.message);
      const ResponsePtr owned(response);
      if (why.status == DEPROV_OK) {
        const auto status = deprov_response_get_status(response);
        CHECK((status >= 200 && status < 500));
        if (const auto answer = text(deprov_response_get_body(response)); !answer.empty())
          CHECK(json::parse(answer).is_object());
      } else {
        ++refused;
        CHECK((why.status == DEPROV_ERR_INVALID_ARGUMENT || why.status == DEPROV_ERR_LIMIT_EXCEEDED));
        CHECK(response == nullptr);
      }
    }
  }
  CHECK(refused < odd.size() * 8);
  CHECK(told(world) > 0);
  const auto by = world.local();
  for (const auto& bytes : odd) {
    deprov_buffer* record = nullptr;
    CHECK(deprov_admin_call(world.engine.get(), &by, str("POST"), str("/integrations"), str(bytes), &record,
                            nullptr) != DEPROV_OK);
    CHECK(deprov_workspace_create(world.engine.get(), str(bytes), str(bytes), &record, nullptr) != DEPROV_OK);
    CHECK(record == nullptr);
    CHECK(deprov_admin_call(world.engine.get(), &by, str(bytes), str("/jobs"), none, &record, nullptr) !=
          DEPROV_OK);
    CHECK(record == nullptr);
  }
}

TEST_CASE("threads send, ask, cancel, take, read and close at once, and each request ends once") {
  const World world;
  const auto id = world.add_user("ann");
  auto* engine = world.engine.get();
  std::atomic<std::size_t> begun{0};
  std::atomic<std::size_t> ended{0};
  std::atomic<std::size_t> wrong{0};  // Catch is asked by one thread
  const auto take = [&](const deprov_event* events, size_t n) {
    for (size_t i = 0; i < n; ++i) {
      if (events[i].response != nullptr && text(deprov_response_get_body(events[i].response)).size() < 10) ++wrong;
      deprov_response_free(events[i].response);
    }
    ended += n;
  };
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      World::Sent sent;
      world.fill(sent, "GET", t == 0 ? "/Users?count=5" : "/Users/" + id);
      for (int i = 0; i < 2000; ++i) {
        uint64_t token = 0;
        deprov_event events[8];
        size_t taken = 0;
        const auto status = (i + t) % 3 == 0 ? deprov_engine_ask(engine, &sent.request, nullptr, &token, events, 8,
                                                                 i % 2, &taken, nullptr)
                                             : deprov_engine_send(engine, &sent.request, nullptr, &token, nullptr);
        if (status == DEPROV_ERR_CLOSED) return;
        if (status != DEPROV_OK) ++wrong;
        ++begun;
        take(events, taken);
        if (i % 5 == 0) (void)deprov_engine_cancel(engine, token, nullptr);  // it may have ended, and been taken
        if (i % 7 != 0) continue;
        deprov_response* response = nullptr;
        if (deprov_engine_call(engine, &sent.request, &response, nullptr) == DEPROV_OK &&
            deprov_response_get_status(response) != 200)
          ++wrong;
        deprov_response_free(response);
      }
    });
  }
  threads.emplace_back([&] {
    deprov_event events[16];
    for (size_t taken = 0;; take(events, taken))
      if (deprov_engine_next(engine, events, 16, 60'000, &taken, nullptr) == DEPROV_ERR_CLOSED) return;
  });
  while (begun < 2500) std::this_thread::yield();
  CHECK(deprov_engine_close(engine, 60'000, nullptr, nullptr) == DEPROV_OK);
  for (auto& t : threads) t.join();
  CHECK(begun == ended);
  CHECK(wrong == 0);
}
