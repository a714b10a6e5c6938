#include <dirent.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>
#include <vector>
#include "c_api.hpp"

using namespace deprov::test;

namespace {

struct Directory {
  std::string path = "/tmp/deprov_capi_XXXXXX";
  Directory() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~Directory() {
    if (DIR* d = ::opendir(path.c_str())) {
      while (const auto* e = ::readdir(d))
        if (e->d_name[0] != '.' || std::strlen(e->d_name) > 2) ::unlink((path + "/" + e->d_name).c_str());
      ::closedir(d);
    }
    ::rmdir(path.c_str());
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
};

deprov_engine_options in_directory(const std::string& path) {
  deprov_engine_options o{};
  o.struct_size = sizeof o;
  o.directory = str(path);
  return o;
}

Said refused(const deprov_engine_options* options) {
  deprov_engine* engine = nullptr;
  deprov_error* error = nullptr;
  const auto status = deprov_engine_open(options, &engine, &error);
  CHECK(engine == nullptr);
  CHECK(error != nullptr);
  return said(status, error);
}

/// Names of what the process has open, and of its threads.
std::multiset<std::string> entries(const std::string& where, bool follow) {
  std::multiset<std::string> out;
  DIR* d = ::opendir(where.c_str());
  REQUIRE(d != nullptr);
  while (const auto* e = ::readdir(d)) {
    if (e->d_name[0] == '.') continue;
    std::array<char, 256> target{};
    const auto link = where + "/" + e->d_name;
    if (follow && ::readlink(link.c_str(), target.data(), target.size() - 1) > 0)
      out.insert(target.data());
    else
      out.insert(e->d_name);
  }
  ::closedir(d);
  return out;
}

/// Waits for the end of threads that were joined: the kernel lists them a moment longer.
bool no_thread_beyond(const std::multiset<std::string>& before) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  for (;;) {
    const auto now = entries("/proc/self/task", false);
    if (std::includes(before.begin(), before.end(), now.begin(), now.end())) return true;
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
}

struct LogLines {
  std::mutex mutex;
  std::vector<std::pair<int, std::string>> lines;
  int freed = 0;
};
void write_log(void* user, int32_t level, deprov_str message) {
  auto& log = *static_cast<LogLines*>(user);
  const std::lock_guard lock(log.mutex);
  log.lines.emplace_back(level, text(message));
}
void free_log(void* user) { ++static_cast<LogLines*>(user)->freed; }

deprov_status give_key(void* user, uint8_t* key) {
  ++*static_cast<int*>(user);
  std::memset(key, 7, 32);
  return DEPROV_OK;
}
deprov_status refuse_key(void*, uint8_t*) { return DEPROV_ERR_FORBIDDEN; }

}  // namespace

TEST_CASE("options that say nothing sensible are refused by name") {
  CHECK(refused(nullptr).status == DEPROV_ERR_INVALID_ARGUMENT);
  auto o = in_memory();
  SECTION("size") {
    o.struct_size = 0;
    const auto r = refused(&o);
    CHECK(r.status == DEPROV_ERR_INVALID_ARGUMENT);
    CHECK(r.where == "options.struct_size");
  }
  SECTION("store") {
    o.store = 9;
    CHECK(refused(&o).where == "options.store");
  }
  SECTION("no directory") {
    o.store = DEPROV_STORE_DIRECTORY;
    CHECK(refused(&o).where == "options.directory");
  }
  SECTION("a directory for memory") {
    o.directory = str("/tmp/x");
    CHECK(refused(&o).status == DEPROV_ERR_INVALID_ARGUMENT);
  }
  SECTION("text at NULL") {
    o.directory = {nullptr, 3};
    CHECK(refused(&o).where == "options.directory");
  }
  SECTION("key of the wrong length") {
    o.key_source = DEPROV_KEY_BYTES;
    o.key_bytes = str("short");
    CHECK(refused(&o).where == "options.key_bytes");
  }
  SECTION("key source") {
    o.key_source = 77;
    CHECK(refused(&o).where == "options.key_source");
  }
  SECTION("key file") {
    o.key_source = DEPROV_KEY_FILE;
    CHECK(refused(&o).where == "options.key_file");
  }
  SECTION("no key function") {
    o.key_source = DEPROV_KEY_CALLBACK;
    CHECK(refused(&o).where == "options.key");
  }
  SECTION("the host has no key") {
    o.key_source = DEPROV_KEY_CALLBACK;
    o.key = refuse_key;
    CHECK(refused(&o).status == DEPROV_ERR_FORBIDDEN);
  }
  SECTION("connectors at NULL") {
    o.connector_count = 1;
    CHECK(refused(&o).where == "options.connectors");
  }
  SECTION("nowhere to put it") { CHECK(deprov_engine_open(&o, nullptr, nullptr) == DEPROV_ERR_INVALID_ARGUMENT); }
}

TEST_CASE("a struct of another version is taken if that loses nothing") {
  struct Newer {
    deprov_engine_options known;
    uint64_t more;
  } newer{in_memory(), 0};
  newer.known.struct_size = sizeof newer;
  CHECK(open(newer.known));
  newer.more = 1;
  CHECK(refused(&newer.known).status == DEPROV_ERR_UNSUPPORTED);

  // An older one ends earlier; what it lacks is zero, whatever lies behind it.
  auto older = in_memory();
  older.struct_size = offsetof(deprov_engine_options, look_only);
  older.look_only = 1;
  older.key_source = 99;
  CHECK(open(older));
}

TEST_CASE("user_free is called exactly once, also when nothing comes of it") {
  int key = 0;
  int clock = 0;
  int log = 0;
  auto o = in_memory();
  o.key_user = &key;
  o.key_user_free = count_free;
  o.clock_user = &clock;
  o.clock_user_free = count_free;
  o.log_user = &log;
  o.log_user_free = count_free;
  SECTION("opened") { open(o).reset(); }
  SECTION("refused") {
    o.store = 9;
    CHECK(refused(&o).status == DEPROV_ERR_INVALID_ARGUMENT);
  }
  SECTION("refused for its tail") {
    struct Newer {
      deprov_engine_options known;
      uint64_t more;
    } newer{o, 1};
    newer.known.struct_size = sizeof newer;
    CHECK(refused(&newer.known).status == DEPROV_ERR_UNSUPPORTED);
  }
  SECTION("no place for the engine") {
    CHECK(deprov_engine_open(&o, nullptr, nullptr) == DEPROV_ERR_INVALID_ARGUMENT);
  }
  CHECK(key == 1);
  CHECK(clock == 1);
  CHECK(log == 1);
}

TEST_CASE("a data directory outlives its engine and has one owner") {
  const Directory directory;
  auto o = in_directory(directory.path);
  o.must_exist = 1;
  CHECK(refused(&o).status == DEPROV_ERR_NOT_FOUND);
  o.must_exist = 0;
  std::string id;
  {
    const World world(o);
    id = world.add_user("ann");
    CHECK(refused(&o).status == DEPROV_ERR_STORE_LOCKED);
  }
  o.must_exist = 1;
  o.look_only = 1;
  const auto again = open(o);
  const auto workspaces = manage(again.get(), nullptr, "GET", "/workspaces");
  REQUIRE(workspaces.at("items").as_array().size() == 1);
  const auto workspace = std::string(workspaces.at("items").at(0).at("id").as_string());
  const deprov_caller by{sizeof by, str(workspace), {nullptr, 0}};
  const auto integrations = manage(again.get(), &by, "GET", "/integrations");
  const auto integration = std::string(integrations.at("items").at(0).at("id").as_string());
  const auto subject = manage(again.get(), &by, "GET", "/integrations/" + integration + "/subjects/" + id);
  CHECK(subject.at("subject").at("id").as_string() == id);
}

TEST_CASE("a URL says which store it is") {
  const Directory dir;
  deprov_engine_options o{};
  o.struct_size = sizeof o;
  const auto open_at = [&](const std::string& url) {
    o.store_url = str(url);
    deprov_engine* engine = nullptr;
    deprov_error* error = nullptr;
    const auto status = deprov_engine_open(&o, &engine, &error);
    deprov_engine_free(engine);
    return said(status, error);
  };
  const auto place = dir.path + "/a b";
  CHECK(open_at("file://" + dir.path + "/a%20b").status == DEPROV_OK);
  CHECK(std::filesystem::exists(place));
  CHECK(open_at("file://localhost" + dir.path + "/a%20b").status == DEPROV_OK);
  std::filesystem::remove_all(place);
  CHECK(open_at("memory:").status == DEPROV_OK);
  for (const char* bad : {"memory:x", "memory://host", "file://elsewhere/d", "file:///", "file:d", "file:///d?x=1",
                          "file:///d%00e", "/var/lib/deprov", "file:///d%zz"}) {
    const auto refused = open_at(bad);
    CAPTURE(bad, refused.message);
    CHECK(refused.status == DEPROV_ERR_INVALID_ARGUMENT);
    CHECK(refused.where == "options.store_url");
  }
  const auto other = open_at("postgresql://deprov:hunter2@db/deprov");
  CHECK(other.status == DEPROV_ERR_UNSUPPORTED);
  CHECK(other.message.find("postgresql") != std::string::npos);
  CHECK(other.message.find("hunter2") == std::string::npos);
  o.store = DEPROV_STORE_MEMORY;
  CHECK(open_at("memory:").status == DEPROV_ERR_INVALID_ARGUMENT);
}

TEST_CASE("the master key comes from wherever the host says") {
  const Directory directory;
  auto o = in_directory(directory.path);
  int asked = 0;
  o.key_source = DEPROV_KEY_CALLBACK;
  o.key = give_key;
  o.key_user = &asked;
  open(o).reset();
  CHECK(asked == 1);
  const std::string same(32, '\x07');
  o.key_source = DEPROV_KEY_BYTES;
  o.key_bytes = str(same);
  open(o).reset();
  struct stat info {};
  CHECK(::stat((directory.path + "/master.key").c_str(), &info) != 0);
  // The store is new: nothing was sealed under another key.
  const auto file = directory.path + "/elsewhere.key";
  o.key_source = DEPROV_KEY_FILE;
  o.key_file = str(file);
  open(o).reset();
  CHECK(::stat(file.c_str(), &info) == 0);
  CHECK(info.st_size == 32);
}

TEST_CASE("the host's clock dates what happens, and its log hears of opening and closing") {
  LogLines log;
  auto o = in_memory();
  o.clock = [](void*) -> int64_t { return 2'000'000'000'000'000; };
  o.log = write_log;
  o.log_user = &log;
  o.log_user_free = free_log;
  {
    const World world(o);
    const auto by = world.local();
    const auto activity = manage(world.engine.get(), &by, "GET", "/activity");
    CHECK(activity.at("items").at(0).at("at").as_string() == "2033-05-18T03:33:20.000Z");
  }
  CHECK(log.freed == 1);
  REQUIRE(log.lines.size() == 2);
  CHECK(log.lines[0].second == "the engine was opened");
  CHECK(log.lines[1].second == "the engine was closed");
}

TEST_CASE("closing says that nothing is left, and everything afterwards says closed") {
  const World world;
  auto* engine = world.engine.get();
  deprov_buffer* report = nullptr;
  CHECK(deprov_engine_close(engine, 60'000, &report, nullptr) == DEPROV_OK);
  CHECK(text(deprov_buffer_get(report)) == R"({"requests":[],"calls":[]})");
  deprov_buffer_free(report);
  CHECK(deprov_engine_close(engine, 0, nullptr, nullptr) == DEPROV_OK);

  World::Sent sent;
  world.fill(sent, "GET", "/Users");
  deprov_response* response = nullptr;
  CHECK(deprov_engine_call(engine, &sent.request, &response, nullptr) == DEPROV_ERR_CLOSED);
  CHECK(deprov_engine_send(engine, &sent.request, nullptr, nullptr, nullptr) == DEPROV_ERR_CLOSED);
  CHECK(deprov_admin_call(engine, nullptr, str("GET"), str("/workspaces"), {}, nullptr, nullptr) ==
        DEPROV_ERR_CLOSED);
  deprov_event event;
  size_t taken = 0;
  CHECK(deprov_engine_next(engine, &event, 1, 60'000, &taken, nullptr) == DEPROV_ERR_CLOSED);
}

TEST_CASE("a hundred engines leave no thread, no descriptor and no byte behind") {
  const auto use = [](deprov_engine_options o, bool close) {
    const World world(o);
    world.deactivate(world.add_user("ann"));
    if (close) CHECK(deprov_engine_close(world.engine.get(), 120'000, nullptr, nullptr) == DEPROV_OK);
  };
  auto pumped = in_memory();
  pumped.host_driven = 1;
  const auto some = [&](int count) {
    for (int i = 0; i < count; ++i) {
      const Directory directory;
      use(i % 10 == 0 ? in_directory(directory.path) : in_memory(), i % 3 == 0);
      use(pumped, i % 3 == 0);
    }
  };
  some(2);  // what a process has once stays
  const auto files = entries("/proc/self/fd", true);
  const auto threads = entries("/proc/self/task", false);
  some(50);
  CHECK(entries("/proc/self/fd", true) == files);
  CHECK(no_thread_beyond(threads));
  // Without threads the same is allocated each time. 0 with a sanitizer, which looks by itself.
  const auto bytes = ::mallinfo2().uordblks;
  for (int i = 0; i < 100; ++i) use(pumped, i % 3 == 0);
  const auto now = ::mallinfo2().uordblks;
  INFO(bytes << " bytes in use before, " << now << " after");
  CHECK(now < bytes + 100 * 100);  // a hundred bytes an engine would be seen
}

TEST_CASE("an engine that the host drives has no thread") {
  const auto threads = entries("/proc/self/task", false);
  auto o = in_memory();
  o.host_driven = 1;
  const Directory directory;
  SECTION("in memory") {}
  SECTION("in a directory") {
    o = in_directory(directory.path);
    o.host_driven = 1;
  }
  const World world(o);
  auto* engine = world.engine.get();
  CHECK(deprov_engine_get_pump_descriptor(engine) >= 0);

  World::Sent sent;
  world.fill(sent, "GET", "/Users");
  uint64_t token = 0;
  REQUIRE(deprov_engine_send(engine, &sent.request, &sent, &token, nullptr) == DEPROV_OK);
  deprov_event event{};
  size_t taken = 0;
  while (deprov_engine_next(engine, &event, 1, 0, &taken, nullptr) == DEPROV_ERR_TIMEOUT) {
    int64_t wait_ms = -1;
    REQUIRE(deprov_engine_pump(engine, 1, &wait_ms, nullptr) == DEPROV_OK);
    CHECK(wait_ms >= 0);
  }
  REQUIRE(taken == 1);
  CHECK(event.token == token);
  CHECK(event.user == &sent);
  CHECK(deprov_response_get_status(event.response) == 200);
  deprov_response_free(event.response);

  // Functions that wait pump by themselves; jobs are carried out that way, too.
  const auto id = world.add_user("ann");
  world.deactivate(id);
  const auto by = world.local();
  for (;;) {
    const auto jobs = manage(engine, &by, "GET", "/jobs");
    if (!jobs.at("items").as_array().empty() &&
        jobs.at("items").at(0).at("state").as_string() == "succeeded_verified")
      break;
    REQUIRE(deprov_engine_pump(engine, 10, nullptr, nullptr) == DEPROV_OK);
  }
  CHECK(no_thread_beyond(threads));
}

TEST_CASE("only an engine that the host drives is pumped") {
  const auto engine = open(in_memory());
  CHECK(deprov_engine_get_pump_descriptor(engine.get()) == -1);
  int64_t wait_ms = 0;
  CHECK(deprov_engine_pump(engine.get(), 1, &wait_ms, nullptr) == DEPROV_ERR_UNSUPPORTED);
}
