// Which files of the server's machine an admin may name, and who reads the metrics.
#include <boost/json/serialize.hpp>
#include <deprov/instance/instance.hpp>
#include "program.hpp"

using deprov::is_beneath;
using deprov::test::cli::run;
using deprov::test::cli::Scratch;
using deprov::test::cli::Serving;
using deprov::test::cli::slurp;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

std::string curl(const Scratch& scratch, const std::string& arguments) {
  (void)std::system(
      ("curl -s --max-time 120 " + arguments + " >'" + scratch.path + "/.curl' 2>/dev/null").c_str());
  return slurp(scratch.path + "/.curl");
}

}  // namespace

TEST_CASE("a path is beneath a directory where it leads there, however it is written", "[cli][R21]") {
  const Scratch home;
  fs::create_directories(home.path + "/apps/deeper");
  fs::create_directories(home.path + "/appsother");
  (void)home.write("secret", "s");
  (void)home.write("apps/app.jsonl", "");
  fs::create_symlink(home.path + "/secret", home.path + "/apps/link");
  fs::create_symlink(home.path + "/later", home.path + "/apps/nowhere");
  fs::create_symlink(home.path, home.path + "/apps/up");
  fs::create_symlink(home.path + "/apps", home.path + "/in");
  const std::vector<std::string> apps{home.path + "/none", home.path + "/apps"};
  for (const auto* path : {"/apps/app.jsonl", "/apps/new.jsonl", "/apps/deeper/new", "/apps/new/new",
                           "/in/app.jsonl", "/apps/../apps/x", "/apps/up/apps/x"}) {
    INFO(path);
    CHECK(is_beneath(apps, home.path + path));
  }
  for (const auto* path : {"/apps", "/apps/", "/secret", "/apps/../secret", "/apps/link", "/apps/nowhere",
                           "/apps/up/secret", "/appsother/x", "/apps/deeper/../../secret", "/none/x"}) {
    INFO(path);
    CHECK_FALSE(is_beneath(apps, home.path + path));
  }
  CHECK_FALSE(is_beneath(apps, ""));
  CHECK_FALSE(is_beneath(apps, home.path + "/apps/x" + std::string(1, '\0') + "y"));
  CHECK_FALSE(is_beneath({}, home.path + "/apps/app.jsonl"));
}

TEST_CASE("an admin of a server names the operator's directories alone, and kinds that are in use there",
          "[cli][R21]") {
  const Scratch home;
  const auto data = home.path + "/data";
  const auto token = run(home, "init --json --data '" + data + "'").text("owner_token");
  const auto env = "DEPROV_TOKEN=" + token;
  fs::create_directories(home.path + "/apps");
  const std::string account = R"({"id":"a1","userName":"ann@example.com"})";
  const auto mine = home.write("mine.jsonl", account);
  const auto theirs = home.write("apps/theirs.jsonl", account);
  const auto config_of = [&](const std::string& file) {
    return home.write("config.json", json::serialize(json::object{{"file", file}}));
  };
  const auto create = [&](const std::string& name, const std::string& where, const std::string& connector,
                          const std::string& config) {
    return run(home,
               "integration create --no-check --name " + name + " --idp okta --connector " + connector +
                   " --config '" + config + "'" + where,
               env);
  };
  // Whoever has the data directory has the machine.
  REQUIRE(create("mine", " --data '" + data + "'", "sandbox", config_of(mine)).code == 0);
  {
    const Serving server(home, data);
    const auto remote = " --server " + server.url;
    for (const auto& file : {mine, theirs, home.path + "/master.key", std::string("/etc/passwd")}) {
      const auto refused = create("other", remote, "sandbox", config_of(file));
      CHECK(refused.code == 4);
      CHECK(refused.err.find("config/file") != std::string::npos);
      CHECK(refused.err.find("--config-files") != std::string::npos);
    }
    CHECK_FALSE(fs::exists(home.path + "/master.key.effects"));
    // What was there before goes on, and can be changed in what names no file.
    CHECK(run(home, "integration check mine" + remote, env).code == 0);
    CHECK(run(home, "integration update mine --name yours" + remote, env).code == 0);
    // A file of authorities is read by the program at hand; the server opens none.
    const auto ca = home.write("ca.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    const auto scim = home.write(
        "scim.json", json::serialize(json::object{{"base_url", "https://app.example.com/scim"}, {"ca_file", ca}}));
    const auto made = create("scim", remote, "scim", scim);
    INFO(made.err);
    CHECK(made.code == 0);
    const auto shown = run(home, "integration show scim --json" + remote, env).json().at("config");
    CHECK(shown.at("ca_pem").as_string().find("MIIB") != json::string::npos);
    CHECK_FALSE(shown.as_object().contains("ca_file"));
    const auto raw = curl(home, "-H 'Authorization: Bearer " + token + "' -H 'Content-Type: application/json' " +
                                    server.url + "/api/v1/integrations -d '" +
                                    json::serialize(json::object{
                                        {"name", "raw"},
                                        {"idp", "okta"},
                                        {"connector", "scim"},
                                        {"check", false},
                                        {"config", {{"base_url", "https://a.example.com"}, {"ca_file", ca}}}}) +
                                    "'");
    CHECK(raw.find("config/ca_file") != std::string::npos);
    CHECK(raw.find("ca_pem") != std::string::npos);
  }
  {
    const Serving server(home, data, "--config-files '" + home.path + "/apps' --connectors scim,sandbox");
    const auto remote = " --server " + server.url;
    CHECK(create("theirs", remote, "sandbox", config_of(theirs)).code == 0);
    CHECK(create("outside", remote, "sandbox", config_of(home.path + "/apps/../mine.jsonl")).code == 4);
    const auto none = home.write("none.json", "{}");
    CHECK(create("null", remote, "null", none).err.find("scim") != std::string::npos);
  }
  CHECK(run(home, "serve --data '" + data + "' --connectors scmi").code == 2);
}

TEST_CASE("metrics are for the machine itself, for who shows a token, or on a listener of their own", "[cli]") {
  const Scratch home;
  const auto data = home.path + "/data";
  REQUIRE(run(home, "init --json --data '" + data + "'").code == 0);
  const auto status = [&](const std::string& arguments) {
    return curl(home, "-o /dev/null -w '%{http_code}' " + arguments);
  };
  {
    const Serving server(home, data);
    CHECK(status(server.url + "/metrics") == "200");
    CHECK(status("-H 'X-Forwarded-For: 192.0.2.1' " + server.url + "/metrics") == "403");
    CHECK(status("-H 'X-Forwarded-For: 192.0.2.1' " + server.url + "/healthz") == "200");
    CHECK(status("-H 'X-Forwarded-For: 192.0.2.1' " + server.url + "/readyz") == "200");
  }
  const auto file = home.write("token", "  a-token-of-some-length\n");
  {
    const Serving server(home, data, "--metrics-token-file '" + file + "' --ops-listen 127.0.0.1:0");
    const auto ops = std::string(json::parse(slurp(home.path + "/.first")).at("ops_listening").as_string());
    CHECK(status(server.url + "/metrics") == "401");
    CHECK(status(ops + "/metrics") == "401");
    CHECK(status("-H 'Authorization: Bearer a-token-of-some-length' " + ops + "/metrics") == "200");
    CHECK(status(ops + "/healthz") == "200");
    CHECK(status(ops + "/readyz") == "200");
    CHECK(status(ops + "/api/v1/integrations") == "404");
    CHECK(status(ops + "/scim/v2/x/Users") == "404");
  }
  {
    const Serving server(home, data, "--ops-listen 127.0.0.1:0");
    const auto ops = std::string(json::parse(slurp(home.path + "/.first")).at("ops_listening").as_string());
    CHECK(status(server.url + "/metrics") == "404");
    CHECK(status(ops + "/metrics") == "200");
    CHECK(curl(home, ops + "/metrics").find("deprov_http_requests_total{service=\"ops\"") != std::string::npos);
  }
  CHECK(run(home, "serve --data '" + data + "' --metrics-token-file '" + home.write("short", "x") + "'").code ==
        2);
  CHECK(run(home, "serve --data '" + data + "' --metrics-token-file '" + home.path + "/none'").code == 3);
  CHECK(run(home, "serve --data '" + data + "' --ops-listen nonsense").code == 2);
}
