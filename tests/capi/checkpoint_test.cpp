// What connectors of the host keep: for whom, how long, within which bounds, and what they are told.
#include <chrono>
#include <condition_variable>
#include <deprov_c.hpp>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>
#include "c_api.hpp"

using namespace deprov::test;

namespace {

constexpr std::string_view keeper_description = R"({"id": "keeper", "secrets": ["password"],
  "config_schema": {"type": "object", "properties": {"password": {"type": "string"}}},
  "operations": {"find": {}, "read": {}, "disable": {"reversible": true, "idempotency": "naturally"}}})";
constexpr std::string_view keeper_config = R"(, "check": false, "config": {"password": "geheim-geheim"})";

void answer_call(deprov_call* call) {
  deprov_reply reply{};
  reply.struct_size = sizeof reply;
  reply.outcome = DEPROV_OUTCOME_NOT_FOUND;
  (void)deprov_call_complete(call, &reply, nullptr);
}
void end_call(deprov_call* call) {
  answer_call(call);
  deprov_call_free(call);
}

/// A connector that leaves its calls to the test.
struct Keeper {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<deprov_call*> calls;
  bool over = false;

  [[nodiscard]] ConnectorPtr connector() {
    deprov_connector_callbacks c{};
    c.struct_size = sizeof c;
    c.user = this;
    c.start = [](void* user, void*, deprov_call* call) {
      auto& self = *static_cast<Keeper*>(user);
      const std::lock_guard lock(self.mutex);
      if (self.over) return end_call(call);
      self.calls.push_back(call);
      self.changed.notify_all();
    };
    deprov_connector* out = nullptr;
    REQUIRE(deprov_connector_new(str(keeper_description), &c, &out, nullptr) == DEPROV_OK);
    return ConnectorPtr(out);
  }
  /// The call that looks for a user; others are answered.
  deprov_call* find(std::string_view name) {
    std::unique_lock lock(mutex);
    for (;;) {
      REQUIRE(changed.wait_for(lock, std::chrono::minutes(1), [&] { return !calls.empty(); }));
      auto* call = calls.front();
      calls.pop_front();
      if (text(deprov_call_get_user_name(call)) == name) return call;
      end_call(call);
    }
  }
  /// Nothing is left to the test from here on.
  void answer_all() {
    const std::lock_guard lock(mutex);
    over = true;
    for (auto* call : calls) end_call(call);
    calls.clear();
  }
};

/// What one checkpoint was told, and how often.
struct Told {
  std::mutex mutex;
  std::condition_variable changed;
  int times = 0;
  deprov_status status = -1;
  std::string value;

  static void get(void* user, deprov_status status, deprov_str value) {
    auto& self = *static_cast<Told*>(user);
    const std::lock_guard lock(self.mutex);
    ++self.times;
    self.status = status;
    self.value = text(value);
    self.changed.notify_all();
  }
  static void set(void* user, deprov_status status) { get(user, status, {}); }
  deprov_status wait() {
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, std::chrono::minutes(1), [&] { return times > 0; }));
    CHECK(times == 1);
    return status;
  }
};

deprov_status keep(deprov_call* call, std::string_view name, std::string_view value) {
  Told told;
  REQUIRE(deprov_call_checkpoint_set(call, str(name), str(value), &told, &Told::set, nullptr) == DEPROV_OK);
  return told.wait();
}

std::pair<deprov_status, std::string> look_up(deprov_call* call, std::string_view name) {
  Told told;
  REQUIRE(deprov_call_checkpoint_get(call, str(name), &told, &Told::get, nullptr) == DEPROV_OK);
  const auto status = told.wait();
  return {status, told.value};
}
std::pair<deprov_status, std::string> found_value(std::string value) { return {DEPROV_OK, std::move(value)}; }
const std::pair<deprov_status, std::string> found_nothing{DEPROV_ERR_NOT_FOUND, ""};

struct KeeperWorld {
  Keeper keeper;
  ConnectorPtr connector = keeper.connector();
  const deprov_connector* handle = connector.get();
  World world;

  static deprov_engine_options with(const deprov_connector* const* connector, bool host_driven) {
    auto o = in_memory();
    o.connectors = connector;
    o.connector_count = 1;
    o.host_driven = host_driven ? 1 : 0;
    return o;
  }
  explicit KeeperWorld(bool host_driven = false) : world(with(&handle, host_driven), "keeper", keeper_config) {}
  ~KeeperWorld() { keeper.answer_all(); }
  KeeperWorld(const KeeperWorld&) = delete;
  KeeperWorld& operator=(const KeeperWorld&) = delete;

  deprov_call* call(std::string_view name) {
    (void)world.add_user(name);
    return keeper.find(name);
  }
};

}  // namespace

TEST_CASE("a connector of the host finds what it kept, for its integration alone") {
  KeeperWorld k;
  auto* call = k.call("ann");
  CHECK(look_up(call, "cursor") == found_nothing);
  CHECK(keep(call, "cursor", "page 7") == DEPROV_OK);
  CHECK(keep(call, "cursor", "page 8") == DEPROV_OK);
  CHECK(look_up(call, "cursor") == found_value("page 8"));
  answer_call(call);
  CHECK(keep(call, "late", "kept all the same") == DEPROV_OK);  // a call that is complete does not end them
  deprov_call_free(call);

  call = k.call("bob");
  CHECK(look_up(call, "cursor") == found_value("page 8"));
  CHECK(look_up(call, "late") == found_value("kept all the same"));
  CHECK(keep(call, "cursor", "") == DEPROV_OK);  // forgets it
  CHECK(look_up(call, "cursor") == found_nothing);
  end_call(call);

  const auto by = k.world.local();
  const auto made =
      manage(k.world.engine.get(), &by, "POST", "/integrations",
             R"({"name": "Other", "idp": "okta", "connector": "keeper", "check": false, "config": {}})");
  k.world.base = made.at("scim_base_path").as_string();
  k.world.scim_token = made.at("scim_token").as_string();
  call = k.call("cyd");
  CHECK(look_up(call, "late") == found_nothing);
  end_call(call);
}

TEST_CASE("a checkpoint of the host that cannot be is refused at once, and nobody is told") {
  KeeperWorld k;
  auto* call = k.call("ann");
  Told told;
  const auto refused = [&](deprov_call* of, const std::string& name, const std::string& value) {
    deprov_error* error = nullptr;
    const auto status = deprov_call_checkpoint_set(of, str(name), str(value), &told, &Told::set, &error);
    return said(status, error);
  };
  const std::string longest(DEPROV_CHECKPOINT_NAME_BYTES, 'n'), largest(DEPROV_CHECKPOINT_VALUE_BYTES, 'v');
  CHECK(refused(nullptr, "n", "v").status == DEPROV_ERR_INVALID_ARGUMENT);
  for (const char* name : {"", "a b", "\xC3\xA4"})
    CHECK(refused(call, name, "v").status == DEPROV_ERR_INVALID_ARGUMENT);
  CHECK(refused(call, longest + "n", "v").status == DEPROV_ERR_LIMIT_EXCEEDED);
  CHECK(refused(call, "n", largest + "v").message.find("64 KiB") != std::string::npos);
  CHECK(refused(call, "n", "x\xFF").status == DEPROV_ERR_INVALID_ARGUMENT);
  for (const auto& [name, value] : {std::pair("n", "Bearer geheim-geheim"), std::pair("geheim-geheim", "v")}) {
    const auto why = refused(call, name, value);
    CHECK(why.status == DEPROV_ERR_INVALID_ARGUMENT);
    CHECK(why.message.find("a secret of the configuration") != std::string::npos);
    CHECK(why.message.find("geheim") == std::string::npos);
  }
  CHECK(deprov_call_checkpoint_set(call, str("n"), str("v"), nullptr, nullptr, nullptr) ==
        DEPROV_ERR_INVALID_ARGUMENT);
  CHECK(deprov_call_checkpoint_get(call, str("n"), nullptr, nullptr, nullptr) == DEPROV_ERR_INVALID_ARGUMENT);
  CHECK(deprov_call_checkpoint_get(nullptr, str("n"), &told, &Told::get, nullptr) == DEPROV_ERR_INVALID_ARGUMENT);
  CHECK(deprov_call_checkpoint_get(call, {nullptr, 3}, &told, &Told::get, nullptr) == DEPROV_ERR_INVALID_ARGUMENT);

  CHECK(keep(call, longest, largest) == DEPROV_OK);
  CHECK(look_up(call, longest) == found_value(largest));
  for (int i = 1; i < DEPROV_CHECKPOINT_NAMES; ++i) CHECK(keep(call, "n" + std::to_string(i), "v") == DEPROV_OK);
  CHECK(keep(call, "one-more", "v") == DEPROV_ERR_LIMIT_EXCEEDED);  // that only the store knows
  CHECK(look_up(call, "n") == found_nothing);
  end_call(call);
  CHECK(told.times == 0);
}

TEST_CASE("whoever waits for a checkpoint is told once, at the latest when the engine goes") {
  Told told[DEPROV_CHECKPOINTS_AT_ONCE], never;
  deprov_call* call = nullptr;
  {
    KeeperWorld k(true);
    (void)k.world.add_user("ann");
    for (;;) {
      {
        const std::lock_guard lock(k.keeper.mutex);
        if (!k.keeper.calls.empty()) break;
      }
      REQUIRE(deprov_engine_pump(k.world.engine.get(), 10, nullptr, nullptr) == DEPROV_OK);
    }
    call = k.keeper.find("ann");
    // Nobody pumps: they are under way.
    for (auto& t : told)
      REQUIRE(deprov_call_checkpoint_set(call, str("cursor"), str("1"), &t, &Told::set, nullptr) == DEPROV_OK);
    CHECK(deprov_call_checkpoint_get(call, str("cursor"), &never, &Told::get, nullptr) == DEPROV_ERR_BUSY);
    for (const auto& t : told) CHECK(t.times == 0);  // never inside of the function
    answer_call(call);
  }
  for (const auto& t : told) {
    CHECK(t.times == 1);
    CHECK((t.status == DEPROV_OK || t.status == DEPROV_ERR_CLOSED));
  }
  CHECK(deprov_call_checkpoint_get(call, str("cursor"), &never, &Told::get, nullptr) == DEPROV_ERR_CLOSED);
  CHECK(deprov_call_checkpoint_set(call, str("cursor"), str("2"), &never, &Told::set, nullptr) ==
        DEPROV_ERR_CLOSED);
  CHECK(never.times == 0);
  deprov_call_free(call);
}

TEST_CASE("in C++ whoever asked is a function, of which nothing is left, also where it was refused") {
  const auto owned = std::make_shared<int>(0);
  {
    KeeperWorld k;
    const deprov_c::Call call(k.call("ann"));
    Told told;
    call.checkpoint_set("cursor", "17", [owned, &told](deprov_status status) {
      Told::set(&told, status);
      throw 1;  // is lost
    });
    CHECK(told.wait() == DEPROV_OK);
    Told found;
    call.checkpoint_get("cursor", [owned, &found](deprov_status status, std::string_view value) {
      Told::get(&found, status, str(value));
    });
    CHECK(found.wait() == DEPROV_OK);
    CHECK(found.value == "17");
    CHECK_THROWS_AS(call.checkpoint_set("", "1", [owned](deprov_status) {}), deprov_c::Error);
    CHECK_THROWS_AS(call.checkpoint_get("", [owned](deprov_status, std::string_view) {}), deprov_c::Error);
    answer_call(call.get());
  }
  CHECK(owned.use_count() == 1);
}
