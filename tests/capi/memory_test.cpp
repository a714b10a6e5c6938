// Memory runs out at the 1st, 2nd, 3rd ... allocation of the thread that calls: the call says so, and the engine
// goes on. Where one of the engine's own threads has none left, the process ends (DESIGN section 8).
#include <cstdio>
#include <cstdlib>
#include <new>
#include "c_api.hpp"

using namespace deprov::test;

namespace {

struct Countdown {
  bool armed = false;
  std::size_t until = 0;
  bool lasts = false;  ///< from then on
  std::size_t seen = 0;
  bool fails() noexcept {
    if (!armed) return false;
    ++seen;
    return lasts ? seen >= until : seen == until;
  }
};
thread_local Countdown countdown;

void* allocate(std::size_t n) noexcept { return countdown.fails() ? nullptr : std::malloc(n == 0 ? 1 : n); }

}  // namespace

void* operator new(std::size_t n) {
  if (void* p = allocate(n)) return p;
  throw std::bad_alloc();
}
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return allocate(n); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace {

/// `call` answers a status and allocates nothing itself; `look` at what it left, with memory. Answers how many
/// allocations there were.
template <class F, class G>
std::size_t sweep(const char* what, F call, G look) {
  std::size_t most = 0;
  for (const bool lasts : {false, true}) {
    for (std::size_t at = 1;; ++at) {
      deprov_error* error = nullptr;
      countdown = {true, at, lasts, 0};
      const deprov_status status = call(&error);
      const auto seen = countdown.seen;
      countdown = {};
      const ErrorPtr owned(error);
      CAPTURE(what, at, lasts, status, text(deprov_error_get_message(error)));
      REQUIRE((status == DEPROV_OK || status == DEPROV_ERR_NO_MEMORY));
      look(status);
      if (seen < at) {
        REQUIRE(status == DEPROV_OK);
        most = std::max(most, seen);
        break;
      }
      REQUIRE(at < 20'000);
    }
  }
  return most;
}

void still_usable(const World& world) {
  const auto response = world.scim("GET", "/Users?count=1");
  REQUIRE(deprov_response_get_status(response.get()) == 200);
}

}  // namespace

TEST_CASE("an engine that cannot be opened for lack of memory is none, and the next one opens", "[capi][alloc]") {
  const auto options = in_memory();
  deprov_engine* engine = nullptr;
  const auto allocations = sweep(
      "open", [&](deprov_error** error) { return deprov_engine_open(&options, &engine, error); },
      [&](deprov_status status) {
        REQUIRE((engine != nullptr) == (status == DEPROV_OK));
        deprov_engine_free(engine);
        engine = nullptr;
      });
  CHECK(allocations > 10);
}

TEST_CASE("a call that runs out of memory says so, and the engine goes on", "[capi][alloc]") {
  World world;
  const auto id = world.add_user("ann");
  auto* engine = world.engine.get();
  const auto by = world.local();

  SECTION("requests") {
    World::Sent get, patch;
    world.fill(get, "GET", "/Users/" + id);
    world.fill(patch, "PATCH", "/Users/" + id,
               R"({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                   "Operations": [{"op": "replace", "value": {"active": false}}]})");
    for (const auto* sent : {&get, &patch}) {
      deprov_response* response = nullptr;
      sweep(
          sent->method.c_str(),
          [&](deprov_error** error) { return deprov_engine_call(engine, &sent->request, &response, error); },
          [&](deprov_status status) {
            const ResponsePtr owned(response);
            response = nullptr;
            REQUIRE((owned != nullptr) == (status == DEPROV_OK));
            if (owned) CHECK(deprov_response_get_status(owned.get()) == 200);
            still_usable(world);
          });
    }
  }
  SECTION("requests that are not waited for") {
    World::Sent get;
    world.fill(get, "GET", "/Users/" + id);
    std::uint64_t token = 0;
    std::size_t begun = 0, ended = 0;
    const auto take = [&](std::int64_t timeout_ms) {
      deprov_event event{};
      std::size_t count = 0;
      const auto status = deprov_engine_next(engine, &event, 1, timeout_ms, &count, nullptr);
      REQUIRE((status == DEPROV_OK || status == DEPROV_ERR_TIMEOUT));
      if (count != 0) deprov_response_free(event.response);
      ended += count;
      return count != 0;
    };
    sweep(
        "send",
        [&](deprov_error** error) { return deprov_engine_send(engine, &get.request, nullptr, &token, error); },
        [&](deprov_status status) {
          begun += status == DEPROV_OK ? 1 : 0;
          while (ended < begun) REQUIRE(take(10'000));
        });
    CHECK_FALSE(take(0));
    // What could not be begun is not waited for.
    CHECK(deprov_engine_close(engine, 1'000, nullptr, nullptr) == DEPROV_OK);
  }
  SECTION("the admin API") {
    deprov_buffer* record = nullptr;
    sweep(
        "admin",
        [&](deprov_error** error) {
          return deprov_admin_call(engine, &by, str("GET"), str("/integrations"), {}, &record, error);
        },
        [&](deprov_status status) {
          const BufferPtr owned(record);
          record = nullptr;
          REQUIRE((owned != nullptr) == (status == DEPROV_OK));
          still_usable(world);
        });
  }
  SECTION("what is made may have been made") {
    deprov_buffer* record = nullptr;
    char name[32];
    int n = 0;
    sweep(
        "workspace",
        [&](deprov_error** error) {
          const auto length = std::snprintf(name, sizeof name, "w%d", ++n);
          return deprov_workspace_create(engine, {name, static_cast<std::size_t>(length)}, str("owner"), &record,
                                         error);
        },
        [&](deprov_status status) {
          const BufferPtr owned(record);
          record = nullptr;
          REQUIRE((owned != nullptr) == (status == DEPROV_OK));
          still_usable(world);
        });
  }
  SECTION("rows") {
    deprov_rows_options o{};
    o.struct_size = sizeof o;
    o.kind = DEPROV_ROWS_SUBJECTS;
    o.integration = str(world.integration);
    sweep(
        "rows",
        [&](deprov_error** error) {
          deprov_rows* rows = nullptr;
          const auto opened = deprov_rows_open(engine, &by, &o, &rows, error);
          if (opened != DEPROV_OK) return opened;
          deprov_str row{};
          const auto status = deprov_rows_next(rows, &row, error);
          deprov_rows_free(rows);
          return status;
        },
        [&](deprov_status) { still_usable(world); });
  }
  SECTION("members of records") {
    const std::string record = R"({"id": "one", "more": {"deep": [1, 2, 3]}})";
    deprov_buffer* member = nullptr;
    sweep(
        "record", [&](deprov_error** error) { return deprov_record_get(str(record), str("id"), &member, error); },
        [&](deprov_status) {
          deprov_buffer_free(member);
          member = nullptr;
        });
  }
}
