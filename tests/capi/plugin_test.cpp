// Plugins through the C interface: none unless they are allowed, and refused with a reason.
#include <sys/stat.h>
#include <unistd.h>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include "c_api.hpp"
#include "paths.hpp"
#include "support/sanitized.hpp"

using namespace deprov::test;

namespace {

/// A directory with a connector of the zoo: the good one, or another.
struct Plugins {
  std::string path = (std::filesystem::temp_directory_path() / "deprov-capi-XXXXXX").string();
  explicit Plugins(const std::string& library = "good", const std::string& manifest = "zoo") {
    REQUIRE(::mkdtemp(path.data()) != nullptr);
    const auto zoo = std::filesystem::path(program()).parent_path().parent_path() / "tests/plugin/zoo";
    std::filesystem::copy_file(zoo / (library + ".so"), path + "/zoo.so");
    std::filesystem::copy_file(source_dir() + "/tests/plugin/zoo/" + manifest + ".json", path + "/zoo.json");
    for (const auto* file : {"/zoo.so", "/zoo.json"}) REQUIRE(::chmod((path + file).c_str(), 0644) == 0);
  }
  ~Plugins() {
    std::error_code ec;
    std::filesystem::remove_all(path, ec);
  }
  Plugins(const Plugins&) = delete;
  Plugins& operator=(const Plugins&) = delete;
};

Said refused(const deprov_engine_options& options) {
  deprov_engine* engine = nullptr;
  deprov_error* error = nullptr;
  const auto status = deprov_engine_open(&options, &engine, &error);
  CHECK(engine == nullptr);
  return said(status, error);
}

/// What the app of the integration answers to `check`.
std::string check(const World& world) {
  const auto by = world.local();
  const auto said = manage(world.engine.get(), &by, "POST", "/integrations/" + world.integration + "/check");
  return std::string(said.at("outcome").as_string());
}

}  // namespace

TEST_CASE("an engine has the connectors of the plugins that it was allowed") {
  const Plugins plugins;
  const auto directory = str(plugins.path);
  auto options = in_memory();
  options.plugin_directories = &directory;
  options.plugin_directory_count = 1;
  const auto engine = open(options);
  const auto acme =
      manage(engine.get(), nullptr, "POST", "/workspaces", R"({"name":"Acme","owner":"o@example.com"})");
  const auto id = std::string(acme.at("id").as_string());
  deprov_caller by{};
  by.struct_size = sizeof by;
  by.workspace = str(id);
  const auto made =
      manage(engine.get(), &by, "POST", "/integrations",
             R"({"name":"Zoo","idp":"okta","connector":"zoo","config":{"token":"hunter2-hunter2"}})");
  CHECK(made.as_object().contains("scim_token"));
  CHECK(deprov_build_has_feature(str("connector.plugin")) == 1);
}

TEST_CASE("plugins run in the worker that the options name, within the bounds that they say") {
  const Plugins plugins;
  const auto directory = str(plugins.path);
  const auto worker = (std::filesystem::path(program()).parent_path() / "deprov-connector-worker").string();
  auto options = in_memory();
  options.plugin_directories = &directory;
  options.plugin_directory_count = 1;
  SECTION("where the options say so") {
    options.plugin_worker = str(worker);
    options.plugin_placement = DEPROV_PLACEMENT_WORKER;
    options.worker_files = 64;
    options.worker_calls = 2;
    options.worker_cpu_seconds = 30;
    options.worker_memory_bytes = uint64_t{1} << 30U;
    const World world(options, "zoo", R"(, "config": {"token": "hunter2-hunter2"})");
    CHECK(check(world) == "OK");
  }
  SECTION("where the integration says so") {
    options.plugin_worker = str(worker);
    const World world(options, "zoo",
                      R"(, "config": {"token": "hunter2-hunter2"}, "settings": {"placement": "worker"})");
    CHECK(check(world) == "OK");
  }
  SECTION("with so little memory that it cannot even begin") {
    options.plugin_worker = str(worker);
    options.plugin_placement = DEPROV_PLACEMENT_WORKER;
    options.worker_memory_bytes = 1;
    const World world(options, "zoo", R"(, "config": {"token": "hunter2-hunter2"}, "check": false)");
    // Under a sanitizer memory is not bounded: its shadow would not fit.
    CHECK((check(world) == "OK") == sanitized);
  }
  SECTION("without a worker") {
    options.plugin_placement = DEPROV_PLACEMENT_WORKER;
    CHECK(refused(options).status == DEPROV_ERR_INVALID_ARGUMENT);
    options.plugin_placement = 7;
    CHECK(refused(options).where == "options.plugin_placement");
  }
  SECTION("with a worker that is none") {
    const auto nothing = plugins.path + "/nothing";
    options.plugin_worker = str(nothing);
    options.plugin_placement = DEPROV_PLACEMENT_WORKER;
    CHECK(refused(options).status != DEPROV_OK);
    options.plugin_worker = {};
    options.plugin_placement = DEPROV_PLACEMENT_IN_PROCESS;
    options.worker_reserved = 1;
    CHECK(refused(options).status == DEPROV_ERR_UNSUPPORTED);
  }
}

TEST_CASE("a host is told of what plugins exchange over HTTP") {
  const Plugins plugins("keeper", "keeper");
  struct Told {
    std::promise<std::string> first;
    std::atomic<int> times{0}, freed{0};
  } told;
  const auto directory = str(plugins.path);
  auto options = in_memory();
  options.plugin_directories = &directory;
  options.plugin_directory_count = 1;
  options.plugin_record = [](void* user, deprov_str exchange) {
    auto& to = *static_cast<Told*>(user);
    if (to.times++ == 0) to.first.set_value(text(exchange));
  };
  options.plugin_record_user = &told;
  options.plugin_record_user_free = [](void* user) { ++static_cast<Told*>(user)->freed; };
  SECTION("while the engine lives") {
    const std::string url = "http://127.0.0.1:1";  // where nobody listens
    {
      const World world(
          options, "keeper",
          R"(, "config": {"token": "hunter2-hunter2", "base_url": ")" + url + R"("}, "check": false)");
      world.add_user("ann");
      auto first = told.first.get_future();
      REQUIRE(first.wait_for(std::chrono::seconds(60)) == std::future_status::ready);
      const auto line = first.get();
      INFO(line);
      CHECK(line.find("hunter2") == std::string::npos);
      const auto exchange = json::parse(line).as_object();
      CHECK(exchange.at("connector") == "keeper");
      CHECK(exchange.at("operation") == "find");
      CHECK(exchange.at("failure").at("kind") == "connect");
      CHECK(told.freed == 0);
    }
    CHECK(told.freed == 1);
  }
  SECTION("of an engine that does not open there is nothing to tell") {
    options.plugin_placement = 7;
    CHECK(refused(options).status == DEPROV_ERR_INVALID_ARGUMENT);
    CHECK(told.freed == 1);
    CHECK(told.times == 0);
  }
}

TEST_CASE("plugins that may not be loaded keep an engine from opening") {
  const Plugins plugins;
  auto options = in_memory();
  auto directory = str("plugins");
  options.plugin_directories = &directory;
  options.plugin_directory_count = 1;
  CHECK(refused(options).status == DEPROV_ERR_INVALID_ARGUMENT);
  directory = str("/nonexistent");
  CHECK(refused(options).status == DEPROV_ERR_NOT_FOUND);
  options.plugin_directories = nullptr;
  CHECK(refused(options).where == "options.plugin_directories");
  options.plugin_directory_count = 0;
  const auto library = plugins.path + "/zoo.so";
  const auto hash = std::string(64, '0');
  const deprov_plugin_file file{str(library), str(hash)};
  options.plugin_files = &file;
  options.plugin_file_count = 1;
  const auto other = refused(options);
  CHECK(other.status == DEPROV_ERR_FORBIDDEN);
  CHECK(other.where == library);
}
