// A plugin at work: `deprov serve` loads it, and a removal goes through it.
#include <sys/stat.h>
#include <unistd.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <filesystem>
#include "catch.hpp"
#include "paths.hpp"
#include "support/program.hpp"
#include "support/test_server.hpp"

using namespace deprov::test;
namespace json = boost::json;

namespace {

/// A directory of connectors, as an operator has it.
std::string plugins_with(const TempDir& dir, const std::string& library, const std::string& manifest = "zoo") {
  const auto plugins = dir.file("plugins");
  std::filesystem::create_directory(plugins);
  const auto zoo = std::filesystem::path(program()).parent_path().parent_path() / "tests/plugin/zoo";
  std::filesystem::copy_file(zoo / (library + ".so"), plugins + "/zoo.so");
  std::filesystem::copy_file(source_dir() + "/tests/plugin/zoo/" + manifest + ".json", plugins + "/zoo.json");
  for (const auto* file : {"", "/zoo.so", "/zoo.json"}) REQUIRE(::chmod((plugins + file).c_str(), 0755) == 0);
  return plugins;
}

template <class Integration>
void remove_and_verify(Serve& server, const Integration& zoo, const std::string& owner) {
  const auto made = http(server.port(), "POST", zoo.base + "/Users", zoo.token,
                         R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"dan@example.com",
                             "externalId":"x3","active":true})");
  REQUIRE(made.status == 201);
  const auto id = std::string(made.json.at("id").as_string());
  const auto gone = http(server.port(), "PATCH", zoo.base + "/Users/" + id, zoo.token,
                         R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                             "Operations":[{"op":"replace","path":"active","value":false}]})");
  CHECK(gone.status / 100 == 2);
  CHECK(eventually([&] {
    const auto jobs = http(server.port(), "GET", "/api/v1/jobs", owner).json;
    for (const auto& job : jobs.at("items").as_array())
      if (job.at("kind") == "remove_access" && job.at("state") == "succeeded_verified") return true;
    return false;
  }));
}

}  // namespace

TEST_CASE("a removal goes through a plugin, and is verified") {
  const TempDir dir;
  const auto plugins = plugins_with(dir, "good");
  const auto data = dir.file("data");
  const auto owner = init_data(data);
  const auto zoo = create_integration(dir, data, "Zoo", "okta", "zoo", json::object{{"token", "hunter2-hunter2"}},
                                      json::object{}, {"--plugins", plugins});
  Serve server(data, closed_port(), Serve::Options{{"--plugins", plugins}, ""});
  INFO(server.log());
  REQUIRE(server.wait_ready());
  remove_and_verify(server, zoo, owner);
  CHECK(server.terminate() == 0);
}

TEST_CASE("a removal goes through a plugin in a worker process, where its integration wants that") {
  const TempDir dir;
  const auto plugins = plugins_with(dir, "good");
  const auto worker = dir.file("deprov-connector-worker");
  std::filesystem::copy_file(std::filesystem::path(program()).parent_path() / "deprov-connector-worker", worker);
  REQUIRE(::chmod(worker.c_str(), 0755) == 0);
  const auto data = dir.file("data");
  const auto owner = init_data(data);
  const auto zoo = create_integration(dir, data, "Zoo", "okta", "zoo", json::object{{"token", "hunter2-hunter2"}},
                                      json::object{},
                                      {"--plugins", plugins, "--plugin-worker", worker, "--placement", "worker"});
  Serve server(data, closed_port(), Serve::Options{{"--plugins", plugins, "--plugin-worker", worker}, ""});
  INFO(server.log());
  REQUIRE(server.wait_ready());
  CHECK(http(server.port(), "GET", "/api/v1/integrations", owner)
            .json.at("items")
            .at(0)
            .at("settings")
            .at("placement") == "worker");
  remove_and_verify(server, zoo, owner);
  CHECK(server.terminate() == 0);
}

TEST_CASE("what a plugin keeps is in the server's store, and there after its restart") {
  const TempDir dir;
  const auto plugins = plugins_with(dir, "keeper", "keeper");
  const auto worker = dir.file("deprov-connector-worker");
  std::filesystem::copy_file(std::filesystem::path(program()).parent_path() / "deprov-connector-worker", worker);
  REQUIRE(::chmod(worker.c_str(), 0755) == 0);
  const auto data = dir.file("data");
  const auto owner = init_data(data);
  for (const auto* placement : {"in_process", "worker"}) {
    (void)create_integration(
        dir, data, placement, "okta", "keeper", json::object{}, json::object{},
        {"--plugins", plugins, "--plugin-worker", worker, "--placement", placement, "--no-check"});
  }
  for (const bool restarted : {false, true}) {
    INFO("restarted: " << restarted);
    Serve server(data, closed_port(), Serve::Options{{"--plugins", plugins, "--plugin-worker", worker}, ""});
    INFO(server.log());
    REQUIRE(server.wait_ready());
    const auto list = http(server.port(), "GET", "/api/v1/integrations", owner).json;
    REQUIRE(list.at("items").as_array().size() == 2);
    for (const auto& item : list.at("items").as_array()) {
      const auto path = "/api/v1/integrations/" + std::string(item.at("id").as_string()) + "/check";
      const auto checked = http(server.port(), "POST", path, owner);
      INFO(json::serialize(checked.json));
      const auto text = json::serialize(checked.json);
      CHECK((text.find("kept since the first one") != std::string::npos) == restarted);
    }
    CHECK(server.terminate() == 0);
  }
}

TEST_CASE("a server writes down what plugins exchange over HTTP, where it is told to") {
  const TempDir dir;
  const auto plugins = plugins_with(dir, "keeper", "keeper");
  const auto data = dir.file("data");
  (void)init_data(data);
  const auto app = "http://127.0.0.1:" + std::to_string(closed_port());
  const auto keeper = create_integration(dir, data, "Keeper", "okta", "keeper",
                                         json::object{{"token", "hunter2-hunter2"}, {"base_url", app}},
                                         json::object{}, {"--plugins", plugins, "--no-check"});
  const auto file = dir.file("lines.jsonl");
  write_file(file, "{\"before\":true}\n");
  Serve server(data, closed_port(), Serve::Options{{"--plugins", plugins, "--plugin-record", file}, ""});
  INFO(server.log());
  REQUIRE(server.wait_ready());
  const auto made = http(server.port(), "POST", keeper.base + "/Users", keeper.token,
                         R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"dan@example.com",
                             "externalId":"x3","active":true})");
  REQUIRE(made.status == 201);
  CHECK(eventually([&] { return read_file(file).find("\"operation\":\"find\"") != std::string::npos; }));
  CHECK(server.terminate() == 0);
  const auto text = read_file(file);
  CHECK(text.find("{\"before\":true}\n") == 0);
  CHECK(text.find("hunter2") == std::string::npos);
  struct stat is {};
  REQUIRE(::stat(file.c_str(), &is) == 0);
  CHECK((is.st_mode & 0777U) == 0600U);
  const auto refused = run_deprov({"serve", "--data", data, "--listen", "127.0.0.1:0", "--plugins", plugins,
                                   "--plugin-record", dir.path() + "/no/such/place"});
  CHECK(refused.exit_code != 0);
  CHECK(refused.err.find("--plugin-record") != std::string::npos);
}

TEST_CASE("a server does not start with a plugin that it may not load, and says why") {
  const TempDir dir;
  const auto plugins = plugins_with(dir, "good");
  const auto data = dir.file("data");
  (void)init_data(data);
  REQUIRE(::chmod((plugins + "/zoo.so").c_str(), 0777) == 0);
  const auto ran = run_deprov({"serve", "--data", data, "--listen", "127.0.0.1:0", "--plugins", plugins});
  CHECK(ran.exit_code == 4);
  CHECK(ran.err.find(plugins + "/zoo.so: may be written by others; take that away: chmod go-w") !=
        std::string::npos);
  const auto hash = run_deprov({"integration", "list", "--data", data, "--plugin-sha256", plugins + "/zoo.so"});
  CHECK(hash.exit_code == 2);
  CHECK(hash.err.find("PATH=HASH") != std::string::npos);
}

TEST_CASE("the README's first connector is written, built, checked and used") {
  const TempDir dir;
  const auto readme = read_file(source_dir() + "/README.md");
  const auto from = readme.find("deprov connector new acme");
  REQUIRE(from != std::string::npos);
  const auto commands = readme.substr(from, readme.find("```", from) - from);
  const auto bin = std::filesystem::path(program()).parent_path().string();
  write_file(dir.file("steps.sh"), "set -e\numask 022\nexport PATH='" + bin + "':\"$PATH\"\n" + commands);
  const auto command = "cd '" + dir.path() + "' && bash steps.sh >out 2>&1 </dev/null";
  const int status = std::system(command.c_str());
  INFO(read_file(dir.file("out")));
  CHECK(status == 0);
  CHECK(read_file(dir.file("out")).find("100% tests passed") != std::string::npos);
  CHECK(read_file(dir.file("out")).find("scim_base_path") != std::string::npos);
  // In C, too; and nobody's files are written over.
  CHECK(run_deprov({"connector", "new", "wiki", "--language", "c", "--directory", dir.file("c")}).exit_code == 0);
  CHECK(std::filesystem::exists(dir.file("c") + "/wiki.c"));
  CHECK(run_deprov({"connector", "new", "wiki", "--directory", dir.file("c")}).exit_code == 4);
  CHECK(run_deprov({"connector", "new", "Wiki!"}).exit_code == 2);
}
