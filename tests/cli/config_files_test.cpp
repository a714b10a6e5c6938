// Which files of the server's machine an admin may name, and who reads the metrics.
#include <boost/json/serialize.hpp>
#include <deprov/instance/instance.hpp>
#include "program.hpp"
#include "support/set_signer.hpp"

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

TEST_CASE("what is secret of a polled source may be in files, which the program at hand reads", "[cli][R17]") {
  const Scratch home;
  const auto local = " --data '" + home.path + "/data'";
  REQUIRE(run(home, "init --json" + local).code == 0);
  const auto app = home.write("app.jsonl", R"({"id":"a1","userName":"ann@example.com"})");
  REQUIRE(run(home, "integration create --name crm --idp entra --connector sandbox --config " +
                        home.write("app.json", json::serialize(json::object{{"file", app}})) + local)
              .code == 0);
  const deprov::test::SetSigner signer(deprov::test::SetSigner::Kind::rsa2048);
  const auto key = home.write("key.pem", signer.private_pem());
  const auto add = [&](const std::string& name, json::object auth) {
    auth["type"] = "client_credentials";
    auth["client_id"] = "c";
    const json::object graph{{"tenant", "t"},
                             {"url", "http://127.0.0.1:1/v1.0"},
                             {"login_url", "http://127.0.0.1:1"},
                             {"allow_http", true}};
    const auto config = home.write("source.json", json::serialize(json::object{{"graph", graph}, {"auth", auth}}));
    return run(home, "source add crm --name " + name + " --kind graph --config " + config + local);
  };
  const auto certificate = home.write("cert.pem", signer.certificate(50'000).pem);
  const auto added = add("entra", {{"private_key_file", key}, {"certificate_file", certificate}});
  INFO(added.err);
  CHECK(added.code == 0);
  const auto shown = run(home, "source list crm --json" + local).out;
  CHECK(shown.find("entra") != std::string::npos);
  CHECK(shown.find("PRIVATE KEY") == std::string::npos);
  CHECK(shown.find("_file") == std::string::npos);
  CHECK(add("post", {{"client_secret_file", home.write("secret", "s3cret\n")}, {"client_auth", "post"}}).code ==
        0);

  const auto missing = add("none", {{"private_key_file", home.path + "/none.pem"}});
  CHECK(missing.code == 3);
  CHECK(missing.err.find("config/auth/private_key_file") != std::string::npos);
  CHECK(missing.err.find("none.pem") != std::string::npos);
  const auto both = add("both", {{"private_key_file", key}, {"private_key", signer.private_pem()}});
  CHECK(both.code == 1);
  CHECK(both.err.find("give one of the two") != std::string::npos);
  CHECK(add("empty", {{"private_key_file", home.write("empty.pem", "\n")}}).err.find("is empty") !=
        std::string::npos);
  const auto locked = add("locked", {{"private_key_file", home.write("locked.pem", signer.private_pem("pw"))},
                                     {"certificate_file", certificate}});
  CHECK(locked.err.find("passphrase") != std::string::npos);
}

TEST_CASE("of a store and of a plugin it is said which of the two is not there", "[cli]") {
  const Scratch home;
  const auto data = home.path + "/data";
  const auto list = [&](const std::string& more) {
    return run(home, "integration list --data '" + data + "'" + more);
  };
  CHECK(list("").err.find("deprov init") != std::string::npos);
  REQUIRE(run(home, "init --json --data '" + data + "'").code == 0);
  fs::create_directories(home.path + "/plugins");
  (void)home.write("plugins/lone.so", "not loaded for want of a manifest");
  for (const auto& [more, missing] :
       {std::pair{" --plugins '" + home.path + "/none'", home.path + "/none"},
        std::pair{" --plugins '" + home.path + "/plugins'", home.path + "/plugins/lone.json"},
        std::pair{" --plugin-sha256 '" + home.path + "/none.so=" + std::string(64, 'a') + "'",
                  home.path + "/none.so"}}) {
    const auto ran = list(more);
    INFO(ran.err);
    CHECK(ran.code != 0);
    CHECK(ran.err.find(missing) != std::string::npos);
    CHECK(ran.err.find("deprov init") == std::string::npos);
  }
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
