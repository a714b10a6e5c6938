#include <sys/stat.h>
#include <boost/json/serialize.hpp>
#include <csignal>
#include <sstream>
#include "program.hpp"
#include "support/program.hpp"

using deprov::test::eventually;
using deprov::test::cli::run;
using deprov::test::cli::Scratch;
using deprov::test::cli::Serving;
using deprov::test::cli::slurp;
namespace json = boost::json;

namespace {

/// A data directory with an owner.
struct Home : Scratch {
  std::string data = path + "/data";
  std::string token;
  Home() {
    const auto made = run(*this, "init --data '" + data + "' --json");
    INFO(made.err);
    REQUIRE(made.code == 0);
    token = made.text("owner_token");
  }
  [[nodiscard]] std::string local() const { return " --data '" + data + "' "; }
};

std::string curl(const Scratch& s, const std::string& arguments) {
  (void)std::system(("curl -s --max-time 120 " + arguments + " >'" + s.path + "/.curl'").c_str());
  return slurp(s.path + "/.curl");
}

}  // namespace

TEST_CASE("init makes a directory that only its owner can read, once") {
  const Home home;
  CHECK(home.token.size() > 40);
  struct stat s {};
  REQUIRE(::stat((home.data + "/master.key").c_str(), &s) == 0);
  CHECK((s.st_mode & 0777) == 0600);
  CHECK(s.st_size == 32);
  const auto again = run(home, "init --json --data '" + home.data + "'");
  CHECK(again.code == 4);
  CHECK(again.out.empty());
  CHECK(json::parse(again.err).at("error").at("code") == "conflict");
  CHECK(run(home, "init --data /proc/nowhere").code == 1);
}

TEST_CASE("a store whose master key is gone gets no other one") {
  const Home home;
  std::filesystem::rename(home.data + "/master.key", home.path + "/elsewhere.key");
  for (const std::string command : {"integration list", "serve --listen 127.0.0.1:0"}) {
    const auto ran = run(home, command + home.local());
    CHECK(ran.code == 1);
    CHECK(ran.err.find("master.key") != std::string::npos);
  }
  CHECK_FALSE(std::filesystem::exists(home.data + "/master.key"));
  CHECK(run(home, "integration list" + home.local(), "DEPROV_MASTER_KEY_FILE='" + home.path + "/elsewhere.key'")
            .code == 0);
}

TEST_CASE("the master key is replaced, and what it sealed goes with it") {
  const Home home;
  const auto key = home.data + "/master.key";
  const auto config = home.write(
      "config.json", R"({"base_url":"https://127.0.0.1:1/scim","auth":{"type":"bearer","token":"s3cret"}})");
  REQUIRE(run(home, "integration create --name crm --idp okta --connector scim --no-check --config " + config +
                        home.local())
              .code == 0);
  REQUIRE(run(home, "webhook add alerts --url https://alerts.example.com/in" + home.local()).code == 0);
  REQUIRE(run(home, "source add crm --name hr --whole" + home.local()).code == 0);
  // Both need what is sealed to be opened.
  const auto opens = [&] {
    const auto slow = home.write("slow.json", R"({"timeout_s":7})");
    const auto updated = run(home, "integration update crm --no-check --config " + slow + home.local());
    INFO(updated.err);
    return updated.code == 0 &&
           run(home, "webhook test alerts --json" + home.local()).out.find("sealed") == std::string::npos;
  };
  REQUIRE(opens());
  const auto first = slurp(key);
  const auto rotated = run(home, "key rotate --data '" + home.data + "'");
  INFO(rotated.err);
  REQUIRE(rotated.code == 0);
  const auto second = slurp(key);
  CHECK(second.size() == 32);
  CHECK(second != first);
  CHECK_FALSE(std::filesystem::exists(key + ".former"));
  CHECK(opens());
  const auto told = run(home, "activity --json" + home.local());
  CHECK(told.out.find("master_key.rotated") != std::string::npos);
  CHECK(told.out.find(R"("sealed_anew":3)") != std::string::npos);

  // After a crash between the files and the store the next command goes on with it.
  std::filesystem::rename(key, key + ".former");
  (void)home.write("data/master.key", std::string(32, 'n'));
  std::filesystem::permissions(key, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  CHECK(opens());
  CHECK_FALSE(std::filesystem::exists(key + ".former"));
  CHECK(opens());

  // One that is kept elsewhere is replaced by who keeps it.
  const auto elsewhere =
      run(home, "key rotate --data '" + home.data + "'", "DEPROV_MASTER_KEY_FILE='" + key + "'");
  CHECK(elsewhere.code == 1);
  CHECK(elsewhere.err.find(".former") != std::string::npos);
  CHECK(run(home, "key rotate --data '" + home.path + "/none'").code == 3);
}

TEST_CASE("wrong usage is exit code 2, and help and version are 0") {
  const Scratch s;
  CHECK(run(s, "").code == 2);
  CHECK(run(s, "frobnicate").code == 2);
  CHECK(run(s, "frobnicate").err.find("frobnicate") != std::string::npos);
  CHECK(run(s, "jobs lisst").err.find("deprov jobs: there is no command \"lisst\"") != std::string::npos);
  CHECK(run(s, "integration stop Wiki").err.find("--reason is required") != std::string::npos);
  CHECK(run(s, "integration").code == 2);
  CHECK(run(s, "integration list").code == 2);
  CHECK(run(s, "integration list --server example.com --token x").code == 2);
  CHECK(run(s, "integration list --server http://127.0.0.1:1").code == 2);
  CHECK(run(s, "principal add --name x --role emperor --data " + s.path).code == 2);
  CHECK(run(s, "serve").code == 2);
  // An id is not taken for a command where only an option is missing.
  CHECK(run(s, "jobs cancel 01a22943-627d-7215-b61c-dc2d0c19ac25").err.find("--reason is required") !=
        std::string::npos);
  CHECK(run(s, "jobs cancel x").err.find("usage: deprov jobs cancel [OPTIONS]") != std::string::npos);
  CHECK(run(s, "help").out == run(s, "--help").out);
  CHECK(run(s, "help jobs cancel").out == run(s, "jobs cancel --help").out);
  CHECK(run(s, "help frobnicate").code == 2);
  for (const std::string wrong : {"jobs cancel x", "frobnicate", "integration", "integration list --frobnicate",
                                  "principal add x --role emperor"}) {
    const auto ran = run(s, wrong + " --json");
    INFO(wrong << ran.err);
    CHECK(ran.code == 2);
    CHECK(json::parse(ran.err).at("error").at("code") == "invalid_argument");
  }
  CHECK(run(s, "integration list --help --json").code == 0);
  CHECK(run(s, "--help").code == 0);
  CHECK(run(s, "--help").out.find("5  the data directory is in use") != std::string::npos);
  CHECK(run(s, "version").out.rfind("deprov ", 0) == 0);
  CHECK_FALSE(run(s, "version --json").text("version").empty());
  const auto known = run(s, "dialects --json").json();
  CHECK(known.at("idps").as_array().size() == 7);
  CHECK(known.at("idps").as_array()[2].at("patch_answer") == "no_content");
  CHECK(known.at("idps").as_array()[0].at("unknown_members") == "keep");
  CHECK(known.at("idps").as_array()[2].at("unknown_members") == "refuse");
  CHECK(known.at("rules").as_array().size() >= 21);
  CHECK(run(s, "dialects").out.find("JumpCloud") != std::string::npos);
}

TEST_CASE("what cannot be printed is no success") {
  const Scratch s;
  const auto command = "'" + deprov::test::program() + "' init --data '" + s.path + "/d' >/dev/full 2>/dev/null";
  const int status = std::system(command.c_str());
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 1);
}

TEST_CASE("a directory without a store is not found, and nothing is made in it") {
  const Scratch s;
  for (const std::string command : {"integration list", "serve --listen 127.0.0.1:0", "workspace list"}) {
    const auto ran = run(s, command + " --data '" + s.path + "/none'");
    INFO(command << ran.err);
    CHECK(ran.code == 3);
    CHECK(ran.err.find("deprov init") != std::string::npos);
  }
  CHECK_FALSE(std::filesystem::exists(s.path + "/none"));
}

TEST_CASE("integrations by hand, on a data directory") {
  const Home home;
  const auto made = run(home, "integration create --name crm --idp okta --connector null" + home.local());
  INFO(made.err);
  REQUIRE(made.code == 0);
  CHECK(made.text("scim_base_path") == "/scim/v2/" + made.text("id"));
  CHECK_FALSE(made.text("scim_token").empty());
  CHECK(run(home, "integration create --name crm --idp okta --connector null" + home.local()).code == 4);
  CHECK(run(home, "integration create --name x --idp nobody --connector null" + home.local()).code == 2);
  CHECK(run(home, "integration create --name x --idp okta --connector none" + home.local()).code == 1);
  const auto list = run(home, "integration list --json" + home.local());
  CHECK(list.json().at("items").as_array().size() == 1);
  CHECK(run(home, "integration list" + home.local()).out.find("completed") != std::string::npos);
  CHECK(run(home, "integration show crm" + home.local()).code == 0);
  CHECK(run(home, "integration show nope" + home.local()).code == 3);
  CHECK(run(home, "integration check crm" + home.local()).out == "OK\n");
  CHECK(run(home, "integration pause crm --json" + home.local()).text("state") == "paused");
  CHECK(run(home, "integration resume crm --json --reason 'the app is back'" + home.local()).text("state") ==
        "active");
  CHECK(run(home, "activity --integration crm --json" + home.local()).out.find("the app is back") !=
        std::string::npos);
  CHECK(run(home, "integration rotate-token crm --overlap 60" + home.local()).text("scim_token") !=
        made.text("scim_token"));
  CHECK(run(home, "integration update crm --name sales --json" + home.local()).text("name") == "sales");
  CHECK(run(home, "subjects list" + home.local()).code == 0);
  CHECK(run(home, "subjects show nobody" + home.local()).code == 3);
  CHECK(run(home, "jobs list --json" + home.local()).json().at("items").as_array().empty());
  CHECK(run(home, "jobs show 00000000-0000-7000-8000-000000000000" + home.local()).code == 3);
  for (const std::string nothing : {"jobs show ''", "holds show ''", "principal remove ''"}) {
    const auto ran = run(home, nothing + home.local());
    INFO(nothing << ran.err);
    CHECK(ran.code == 3);
    CHECK(ran.err.find("an empty id names nothing") != std::string::npos);
  }
  CHECK(run(home, "activity --after -1" + home.local()).code == 2);
  const auto activity = run(home, "activity --json" + home.local());
  CHECK(activity.out.find("integration.created") != std::string::npos);
  CHECK(activity.out.find("\"actor\":\"local\"") != std::string::npos);
  CHECK(run(home, "activity --follow" + home.local()).code == 2);
  const auto head = run(home, "activity --limit 1 --json --integration sales" + home.local());
  CHECK(json::parse(head.out).at("event") == "integration.updated");  // the newest, not the oldest
  const auto first = run(home, "activity --limit 1 --after 0 --json --integration sales" + home.local());
  CHECK(json::parse(first.out).at("seq") == 1);
  CHECK(run(home, "integration delete sales" + home.local()).code == 0);
  // What happened stays to be read, by the id.
  const auto evidence = run(home, "activity --json --integration " + made.text("id") + home.local());
  CHECK(evidence.code == 0);
  CHECK(evidence.out.find("integration.deleted") != std::string::npos);
  CHECK(run(home, "integration show sales" + home.local()).code == 3);
  // And by the name, where only one that was deleted had it.
  CHECK(run(home, "activity --json --integration sales" + home.local()).out.find("integration.deleted") !=
        std::string::npos);
  CHECK(run(home, "jobs list --json --integration sales" + home.local()).code == 0);
  CHECK(run(home, "integration list" + home.local()).out.find("sales") == std::string::npos);
  CHECK(run(home, "integration list --deleted" + home.local()).out.find("deleted") != std::string::npos);
}

TEST_CASE("how a PATCH is answered is set by a flag, beside the other settings") {
  const Home home;
  const auto settings = home.write("settings.json", R"({"base_url": "https://gw.example.com"})");
  const auto create = "integration create --idp ping --connector null" + home.local() + " --settings " + settings;
  REQUIRE(run(home, create + " --name a --patch-answer no_content").code == 0);
  const auto settings_of = [&](const std::string& words) {
    const auto ran = run(home, "integration " + words + " --json" + home.local());
    INFO(ran.err);
    REQUIRE(ran.code == 0);
    return json::serialize(ran.json().at("settings"));
  };
  CHECK(settings_of("show a") == R"({"base_url":"https://gw.example.com","patch_answer":"no_content"})");
  CHECK(settings_of("update a --patch-answer resource") ==
        R"({"base_url":"https://gw.example.com","patch_answer":"resource"})");
  CHECK(settings_of("update a --patch-answer idp") == R"({"base_url":"https://gw.example.com"})");
  CHECK(settings_of("update a --unknown-members keep") ==
        R"({"base_url":"https://gw.example.com","unknown_members":"keep"})");
  CHECK(settings_of("update a --unknown-members idp") == R"({"base_url":"https://gw.example.com"})");
  CHECK(run(home, create + " --name b --unknown-members maybe").code == 2);
  CHECK(run(home, create + " --name b --patch-answer maybe").code == 2);
  const auto wrong = home.write("wrong.json", R"({"patch_answer": "maybe"})");
  const auto refused = run(home, "integration update a --settings " + wrong + home.local());
  CHECK(refused.code == 1);
  CHECK(refused.err.find("patch_answer") != std::string::npos);
}

TEST_CASE("policies are looked at without a store, set, shown, and planned before", "[R22]") {
  const Home home;
  const auto good = home.write("good.json", R"({"entitling_groups":[{"display_name":"Users"}],
    "causes":{"hard_deleted":["disable",{"step":"delete","after_ms":86400000}]}})");
  const auto bad = home.write("bad.json", R"({"causes":{"deactivated":["disable",{"step":"fly"}]}})");
  CHECK(run(home, "policy validate " + good).code == 0);
  const auto refused = run(home, "policy validate --json " + bad);
  CHECK(refused.code == 1);
  CHECK(refused.err.find("/causes/deactivated/1/step") != std::string::npos);
  const auto ended = home.write("ended.json", R"({"exemptions":[
    {"external_id":"a","reason":"on leave","until":"2999-01-01T00:00:00Z"},
    {"external_id":"b","reason":"on leave","until":"2020-01-01T00:00:00Z"}]})");
  for (const std::string how : {"policy validate ", "policy validate --json "}) {
    const auto warned = run(home, how + ended);
    CHECK(warned.code == 0);
    CHECK(warned.err.find("/exemptions/1/until") != std::string::npos);
    CHECK(warned.err.find("/exemptions/0") == std::string::npos);
  }
  CHECK(run(home, "policy validate " + good).err.empty());
  // One of two protections would be lost.
  const auto twice = home.write("twice.json", R"({"protection":{"owner_group":"a"},"protection":{}})");
  for (const std::string& how : {"policy validate " + twice, "policy set " + twice + home.local()}) {
    const auto doubled = run(home, how);
    CHECK(doubled.code == 1);
    CHECK(doubled.err.find("twice.json /protection: is there twice") != std::string::npos);
  }
  CHECK(run(home, "policy schema --json").json().at("$id") == "urn:deprov:schema:policy:1");

  REQUIRE(run(home, "integration create --name crm --idp okta --connector null" + home.local()).code == 0);
  CHECK(run(home, "policy show --json" + home.local()).json().at("policy").at("mode") == "enforce");
  // One word is the file, where it is one; a name alone says nothing.
  CHECK(run(home, "policy set " + home.write("one_word.json", "{}") + home.local()).code == 0);
  for (const std::string wrong : {"policy set crm", "policy set", "policy set nowhere.json"}) {
    const auto ran = run(home, wrong + home.local());
    INFO(wrong << ran.err);
    CHECK(ran.code == 2);
    CHECK(ran.err.find("deprov policy set [INTEGRATION] FILE") != std::string::npos);
  }
  const auto numbers = home.write("numbers.json", R"({"lane":{"per_second":20.0,"burst":12.5}})");
  REQUIRE(run(home, "policy set --integration crm " + numbers + home.local()).code == 0);
  for (const std::string how : {"policy show", "policy show --json"}) {
    const auto shown = run(home, how + home.local()).out;
    CHECK(shown.find("\"per_second\":20,\"burst\":12.5") != std::string::npos);
  }
  REQUIRE(run(home, "policy set --integration crm " + home.write("none.json", "{}") + home.local()).code == 0);
  const auto state = home.path + "/state.json";
  CHECK(run(home, "plan record --out " + state + home.local()).code == 0);
  const auto one = home.path + "/one.json";
  const auto two = home.path + "/two.json";
  CHECK(run(home, "plan --out " + one + home.local()).code == 0);
  const auto planned =
      run(home, "plan --json --policy " + good + " --state " + state + " --out " + two + home.local());
  INFO(planned.err);
  REQUIRE(planned.code == 0);
  CHECK(run(home, "plan diff " + one + " " + one).out == "the same\n");
  CHECK(run(home, "plan diff " + one + " " + two).out ==
        "the same changes; policy or counts differ, and so do the hashes\n");
  const auto set = "policy set --file " + good + home.local();
  CHECK(run(home, set + "--plan-hash " + std::string(64, '0')).code == 4);
  const auto done = run(home, set + "--json --plan-hash " + planned.text("hash"));
  INFO(done.err);
  REQUIRE(done.code == 0);
  CHECK(done.json().at("policy_version") == 4);
  CHECK(run(home, "activity --json" + home.local()).out.find("plan_hash") != std::string::npos);
}

TEST_CASE("the kill switch by hand", "[stop]") {
  const Home home;
  REQUIRE(run(home, "integration create --name crm --idp okta --connector null" + home.local()).code == 0);
  CHECK(run(home, "integration stop crm" + home.local()).code == 2);  // a reason is needed
  CHECK(run(home, "integration stop crm --reason ' '" + home.local()).code == 1);
  CHECK(run(home, "integration stop crm --reason 'odd feed' --json" + home.local()).text("state") == "stopped");
  CHECK(run(home, "integration list" + home.local()).out.find("stopped") != std::string::npos);
  CHECK(run(home, "integration pause crm" + home.local()).code == 4);
  CHECK(run(home, "integration resume crm --json" + home.local()).text("state") == "active");
  CHECK(run(home, "workspace stop --reason 'odd feed'" + home.local()).code == 0);
  CHECK(run(home, "integration list" + home.local()).out.find("workspace stopped") != std::string::npos);
  CHECK(run(home, "workspace show --json" + home.local()).text("stopped").find("odd feed") != std::string::npos);
  CHECK(run(home, "workspace resume --reason looked" + home.local()).code == 0);
  CHECK(run(home, "workspace show --json" + home.local()).json().at("stopped").is_null());
}

TEST_CASE("bad files are refused by name, and make nothing") {
  const Home home;
  // One without an end is read up to the bound.
  const auto endless =
      run(home, "integration create --name crm --idp okta --connector null --config /dev/zero" + home.local());
  CHECK(endless.code == 1);
  CHECK(endless.err.find("more than 4194304 bytes") != std::string::npos);
  CHECK(run(home, "integration create --name crm --idp okta --connector null --config /" + home.local()).code ==
        3);
  const auto create = "integration create --name x --idp okta --connector scim" + home.local();
  const auto broken = home.write("broken.json", "{");
  const auto wrong = home.write("wrong.json", R"({"base_url": "https://example.com", "tokn": "s3cret"})");
  const auto closed = home.write("closed.json", R"({"base_url": "http://127.0.0.1:1/scim", "allow_http": true})");
  const auto policy = home.write("policy.json", R"({"settle_ms": -1})");
  const auto ran = run(home, create + "--config " + broken);
  CHECK(ran.code == 1);
  CHECK(ran.err.find("broken.json") != std::string::npos);
  CHECK(run(home, create + "--config " + home.path + "/none.json").code == 3);
  const auto named = run(home, create + "--config " + wrong);
  CHECK(named.code == 1);
  CHECK(named.err.find("config/tokn") != std::string::npos);
  CHECK(named.err.find("s3cret") == std::string::npos);
  const auto unreachable = run(home, create + "--config " + closed);
  CHECK(unreachable.code == 1);
  CHECK(unreachable.err.find("--no-check") != std::string::npos);
  const auto refused = run(home, create + "--no-check --config " + closed + " --policy " + policy);
  CHECK(refused.code == 1);
  CHECK(refused.err.find("policy/settle_ms") != std::string::npos);
  CHECK(run(home, "integration list --json" + home.local()).json().at("items").as_array().empty());
  CHECK(run(home, create + "--no-check --config " + closed).code == 0);
}

TEST_CASE("schemas and resource types from files") {
  const Home home;
  const auto schemas = home.write("schemas.json", R"({"id": "urn:example:Device", "name": "Device",
    "attributes": [{"name": "serial", "required": true, "uniqueness": "server"}]})");
  const auto types = home.write("types.json", R"([{"name": "Device", "endpoint": "/Devices",
    "schema": "urn:example:Device"}])");
  const auto create = "integration create --idp generic --connector null" + home.local();
  const auto made = run(home, create + "--name crm --schemas " + schemas + " --resource-types " + types);
  INFO(made.err);
  REQUIRE(made.code == 0);
  const auto shown = run(home, "integration show crm --json" + home.local()).json();
  CHECK(shown.at("settings").at("schemas").as_array().size() == 1);
  CHECK(shown.at("settings").at("resource_types").as_array().size() == 1);

  const auto alone = run(home, create + "--name x --resource-types " + types);
  CHECK(alone.code == 1);
  CHECK(alone.err.find("resource_types[0].schema") != std::string::npos);
  const auto wrong =
      home.write("wrong.json", R"({"id": "urn:example:Device", "attributes": [{"nam": "serial"}]})");
  const auto named = run(home, create + "--name x --schemas " + wrong);
  CHECK(named.code == 1);
  CHECK(named.err.find("schemas[0].attributes[0].name") != std::string::npos);
  CHECK(run(home, "integration update crm --schemas " + wrong + home.local()).code == 1);
  CHECK(run(home, "integration list --json" + home.local()).json().at("items").as_array().size() == 1);
}

TEST_CASE("workspaces and principals", "[R21]") {
  const Home home;
  const auto second = run(home, "workspace create second" + home.local());
  REQUIRE(second.code == 0);
  CHECK_FALSE(second.text("owner_token").empty());
  CHECK(run(home, "workspace list --json" + home.local()).json().at("items").as_array().size() == 2);
  // Which one is meant has to be said now.
  CHECK(run(home, "principal list" + home.local()).code == 2);
  const auto in_second = " --workspace second" + home.local();
  const auto owner = run(home, "principal list --json" + in_second).json().at("items").at(0);
  const std::string id(owner.at("id").as_string());
  CHECK(run(home, "principal remove " + id + in_second).code == 4);
  const auto added = run(home, "principal add ann --role owner" + in_second);
  REQUIRE(added.code == 0);
  CHECK(run(home, "principal remove " + id + in_second).code == 0);
  CHECK(run(home, "principal remove " + id + in_second).code == 3);
  CHECK(run(home, "principal list --workspace third" + home.local()).code == 3);
}

TEST_CASE("a running server: in use, remote commands, SCIM, roles, restart") {
  Home home;
  std::string scim, gateway;
  {
    Serving server(home, home.data);
    const auto remote = " --server " + server.url + " --token " + home.token + " ";
    const auto in_use = run(home, "integration list" + home.local());
    CHECK(in_use.code == 5);
    CHECK(in_use.err.find("process " + std::to_string(server.pid)) != std::string::npos);
    CHECK(in_use.err.find("--server") != std::string::npos);

    const auto made = run(home, "integration create --name crm --idp okta --connector null" + remote);
    INFO(made.err);
    REQUIRE(made.code == 0);
    scim = made.text("scim_base_path");
    gateway = made.text("scim_token");
    const auto environment = "DEPROV_SERVER=" + server.url + " DEPROV_TOKEN=" + home.token;
    CHECK(run(home, "integration list --json", environment).json().at("items").as_array().size() == 1);
    CHECK(run(home, "evidence verify", environment).out.rfind("the server's store: ", 0) == 0);
    CHECK(run(home, "integration list --server " + server.url + " --token wrong").code == 4);
    const auto elsewhere = " --server http://127.0.0.1:1 --token t";
    for (const std::string command : {"integration list", "subjects list", "jobs list", "activity",
                                      "principal list", "workspace list", "subjects offboard ann --reason x"}) {
      // What is typed counts, whatever the environment says: another server would be acted on.
      CHECK(run(home, command + elsewhere, environment).err.find("127.0.0.1:1:") != std::string::npos);
    }
    CHECK(run(home, "integration list --token wrong", environment).code == 4);
    CHECK(run(home, "integration list --server " + server.url + home.local()).code == 2);
    const auto other = run(home, "workspace create other" + remote);
    CHECK(other.code == 0);
    CHECK(run(home, "workspace create third --server " + server.url + " --token " + other.text("owner_token"))
              .code == 4);
    const auto super = run(home, "principal add s --role super_admin" + remote).text("token");
    CHECK(run(home, "workspace create third --server " + server.url + " --token " + super).code == 4);
    CHECK(run(home, "workspace list --json" + remote).json().at("items").as_array().size() == 1);
    const auto member = run(home, "principal add m --role member" + remote).text("token");
    CHECK(run(home, "integration list --server " + server.url + " --token " + member).code == 4);
    CHECK(run(home, "workspace list --server " + server.url + " --token " + member).code == 0);

    const auto auth = "-H 'Authorization: Bearer " + gateway + "' -H 'Content-Type: application/scim+json' ";
    const auto user = json::parse(curl(
        home,
        auth + server.url + scim +
            R"(/Users -d '{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ann@x.org"}')"));
    const std::string id(user.at("id").as_string());
    CHECK(run(home, "subjects show ann@x.org" + remote).code == 0);
    CHECK(run(home, "integration pause crm" + remote).code == 0);
    const auto job = run(home, "subjects offboard ann@x.org --reason 'left us' --json" + remote);
    REQUIRE(job.code == 0);
    CHECK(run(home, "subjects offboard ann@x.org --reason again" + remote).code == 4);
    CHECK(run(home, "integration delete crm" + remote).code == 4);
    CHECK(run(home, "jobs show " + job.text("job") + remote).out.find("disable") != std::string::npos);
    CHECK(run(home, "jobs cancel " + job.text("job") + " --reason oops" + remote).code == 0);
    CHECK(run(home, "jobs list --state cancelled --json" + remote).json().at("items").as_array().size() == 1);
    CHECK(curl(home, server.url + "/readyz").find("ready") != std::string::npos);
    CHECK(curl(home, server.url + "/metrics").find("deprov_server_connections") != std::string::npos);
    CHECK(eventually([&] {
      return curl(home, "-N --max-time 1 -H 'Authorization: Bearer " + home.token + "' '" + server.url +
                            "/api/v1/activity?follow'")
                 .find("event: activity") != std::string::npos;
    }));
    server.stop(SIGKILL);
  }
  {
    // What was acknowledged before the kill is there after it.
    Serving server(home, home.data);
    const auto remote = " --server " + server.url + " --token " + home.token + " ";
    CHECK(run(home, "subjects show ann@x.org --json" + remote).code == 0);
    CHECK(run(home, "integration resume crm" + remote).code == 0);
    // A second server cannot have the directory, nor another one the port.
    CHECK(run(home, "serve --listen 127.0.0.1:0" + home.local()).code == 5);
    const Home other;
    const auto port = server.url.substr(server.url.rfind(':'));
    CHECK(run(home, "serve --listen 127.0.0.1" + port + other.local()).code == 1);
    server.stop(SIGINT);
    const auto refused = run(home, "integration list" + remote);
    CHECK(refused.code == 1);
    CHECK(refused.err.find("does not answer") != std::string::npos);
  }
  CHECK(run(home, "integration list --workspace default" + home.local()).code == 0);
}

TEST_CASE("TLS: a certificate that does not fit is refused, and one alone is wrong usage") {
  const Home home;
  const auto pem = home.write("cert.pem", "nothing");
  CHECK(run(home, "serve --listen 127.0.0.1:0 --tls-cert " + pem + home.local()).code == 2);
  CHECK(run(home, "serve --listen 127.0.0.1:0 --tls-key " + pem + " --tls-cert " + pem + home.local()).code == 1);
  CHECK(run(home, "serve --listen nonsense" + home.local()).code == 2);
}

TEST_CASE("the demo finds the app as it has to be") {
  const Scratch s;
  const auto ran = run(s, "demo --json", "TMPDIR='" + s.path + "'");
  INFO(ran.out << ran.err);
  REQUIRE(ran.code == 0);
  CHECK(ran.json().at("ok") == true);
  CHECK(ran.json().at("people").as_array().size() == 8);
  CHECK(ran.json().at("app").at("crm").at("inactive") == 1);
  CHECK(ran.json().at("app").at("wiki").at("inactive") == 6);
  for (const auto& entry : std::filesystem::directory_iterator(s.path))
    CHECK(entry.path().filename().string().rfind("deprov-demo", 0) != 0);
}

TEST_CASE("webhooks by hand, on a data directory", "[webhook]") {
  const Home home;
  const auto made = run(home,
                        "webhook add alerts --url https://alerts.example.com/in --event removal.failed --event "
                        "hold.opened" +
                            home.local());
  INFO(made.err);
  REQUIRE(made.code == 0);
  CHECK(made.text("secret").rfind("whsec_", 0) == 0);
  CHECK(made.json().at("events").as_array().size() == 2);
  CHECK(run(home, "webhook add alerts --url https://alerts.example.com/in" + home.local()).code == 4);
  CHECK(run(home, "webhook add x --url http://alerts.example.com/in" + home.local()).code == 1);
  CHECK(run(home, "webhook add x --url https://alerts.example.com/ --event nothing" + home.local()).code == 1);
  const auto list = run(home, "webhook list" + home.local());
  CHECK(list.out.find("removal.failed hold.opened") != std::string::npos);
  const auto rotated = run(home, "webhook rotate-secret alerts --overlap 60" + home.local());
  CHECK(rotated.text("secret") != made.text("secret"));
  CHECK(run(home, "webhook show alerts --json" + home.local()).json().at("deliveries").as_array().empty());
  CHECK(run(home, "webhook show nobody" + home.local()).code == 3);
  CHECK(run(home, "webhook add own --url http://127.0.0.1:1/" + home.local()).code == 0);
  const auto tested = run(home, "webhook test own" + home.local());
  CHECK(tested.code == 1);  // nobody listens there
  CHECK(tested.out.find("not delivered: no connection") == 0);
  CHECK(run(home, "webhook resend own --since 2026-11-24" + home.local()).out == "0 on the way again\n");
  CHECK(run(home, "webhook resend own" + home.local()).code == 2);
  CHECK(run(home, "webhook resend own --message msg_01890a5d-ac96-774b-bcce-b302099a8057" + home.local()).code ==
        3);
  CHECK(run(home, "webhook remove alerts" + home.local()).code == 0);
  CHECK(run(home, "webhook list --json" + home.local()).json().at("items").as_array().size() == 1);
  const auto activity = run(home, "activity --json" + home.local());
  CHECK(activity.out.find("webhook.secret_rotated") != std::string::npos);
  CHECK(activity.out.find("whsec_") == std::string::npos);
}

TEST_CASE("a change of a connection shows on the activity what changed, long texts by their hash", "[R20][R21]") {
  const Home home;
  const auto config = [&](const std::string& text) { return home.write("scim.json", text); };
  std::string pem;
  for (int i = 0; i < 40; ++i) pem += "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
  const std::string whole =
      R"("base_url":"https://app.invalid/scim/v2","auth":{"type":"bearer","token":"s3cret-one"})";
  REQUIRE(run(home, "integration create --no-check --name app --idp okta --connector scim --config " +
                        config("{" + whole + "}") + home.local())
              .code == 0);
  const auto update = [&](const std::string& text) {
    REQUIRE(run(home, "integration update app --no-check --config " + config(text) + home.local()).code == 0);
    boost::json::value found;
    std::istringstream out(run(home, "activity --json" + home.local()).out);
    for (std::string line; std::getline(out, line);) {
      auto record = boost::json::parse(line);
      if (record.at("event") == "integration.updated") found = std::move(record);
    }
    return found.at("detail");
  };
  auto detail = update(json::serialize(json::object{{"ca_pem", pem}}));
  CHECK(detail.at("secrets_changed") == false);
  CHECK(detail.at("config").at("before") == boost::json::object{});
  CHECK(detail.at("config").at("after").as_object().size() == 1);
  const auto told = std::string(detail.at("config").at("after").at("ca_pem").as_string());
  const auto size = std::to_string(pem.size()) + " bytes, SHA-256 ";
  CHECK(told.rfind(size, 0) == 0);
  CHECK(told.size() == size.size() + 64);
  detail = update(R"({"base_url":"https://other.invalid/scim/v2"})");
  CHECK_FALSE(json::serialize(detail).find("ca_pem") != std::string::npos);
  CHECK(detail.at("config").at("before").at("base_url") == "https://app.invalid/scim/v2");
  detail = update(R"({"auth":{"type":"bearer","token":"s3cret-two"}})");
  CHECK(detail.at("secrets_changed") == true);
  CHECK(json::serialize(detail).find("s3cret") == std::string::npos);
}
