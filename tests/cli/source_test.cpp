// `deprov source` as typed in a shell.
#include <boost/json/serialize.hpp>
#include <sstream>
#include <string>
#include "program.hpp"

using deprov::test::cli::run;
using deprov::test::cli::Scratch;
using deprov::test::cli::Serving;
using deprov::test::cli::slurp;
namespace json = boost::json;

namespace {

/// A served directory with one integration and people in it.
struct People : Scratch {
  std::string data = path + "/data";
  std::string token, id, scim_token;

  explicit People(const std::string& idp) {
    const auto made = run(*this, "init --json --data '" + data + "'");
    INFO(made.err);
    REQUIRE(made.code == 0);
    token = made.text("owner_token");
    const auto created = run(
        *this, "integration create --json --name Wiki --idp " + idp + " --connector null --data '" + data + "'");
    INFO(created.err);
    REQUIRE(created.code == 0);
    id = created.text("id");
    scim_token = created.text("scim_token");
  }
  void add(const Serving& s, const std::string& name, const std::string& external_id, bool active = true) {
    json::object user{{"schemas", json::array{"urn:ietf:params:scim:schemas:core:2.0:User"}},
                      {"userName", name},
                      {"active", active}};
    if (!external_id.empty()) user["externalId"] = external_id;
    const auto file = write("user.json", json::serialize(user));
    (void)std::system(("curl -s --max-time 120 -o '" + path +
                       "/.scim' -w '%{http_code}' -X POST -H 'Authorization: Bearer " + scim_token +
                       "' -H 'Content-Type: application/scim+json' -d '@" + file + "' '" + s.url + "/scim/v2/" +
                       id + "/Users' >'" + path + "/.status'")
                          .c_str());
    INFO(slurp(path + "/.scim"));
    REQUIRE(slurp(path + "/.status") == "201");
  }
};

std::string difference(const json::value& report, const std::string& user_name) {
  std::string kinds;
  for (const auto& d : report.at("differences").as_array())
    if (std::string(d.at("user_name").as_string()) == user_name) kinds += std::string(d.at("kind").as_string());
  return kinds;
}

}  // namespace

TEST_CASE("a full list is compared with the subjects, and changes nothing", "[R6]") {
  People home("okta");
  const Serving s(home, home.data);
  const auto env = "DEPROV_TOKEN=" + home.token;
  const auto check = [&](const std::string& arguments) {
    return run(home, "source check Wiki --server " + s.url + " " + arguments, env);
  };
  home.add(s, "ann", "00u1");
  home.add(s, "bob", "00u2");
  home.add(s, "cat", "00u3");
  home.add(s, "dan", "00u4", false);
  home.add(s, "eve", "");
  home.add(s, "out", "00u9", false);
  // The engine is still looking accounts up, and says so whatever anybody checks.
  const auto said = [&] {
    std::istringstream all(run(home, "activity --json --server " + s.url, env).out);
    std::string kept;
    for (std::string line; std::getline(all, line);)
      if (line.find(R"("actor":"engine")") == std::string::npos) kept += line + '\n';
    return kept;
  };
  const auto before = said();
  REQUIRE(before.find("user.created") != std::string::npos);

  const std::string csv = "status,okta id\nACTIVE,00u1\nDEPROVISIONED,00u3\nACTIVE,00u4\nACTIVE,00u7\n";
  const auto file = home.write("list.csv", csv);
  const std::string options = " --id 'okta id' --active status --inactive-value DEPROVISIONED --file ";
  const auto found = check("--json --count 4" + options + "'" + file + "'");
  INFO(found.out << found.err);
  REQUIRE(found.code == 0);
  const auto report = found.json();
  CHECK(difference(report, "ann").empty());
  CHECK(difference(report, "bob") == "not_listed");
  CHECK(difference(report, "cat") == "listed_inactive");
  CHECK(difference(report, "dan") == "no_access_here");
  CHECK(difference(report, "eve") == "no_link");
  CHECK(difference(report, "out").empty());
  CHECK(report.at("listed") == 4);
  CHECK(report.at("listed_active") == 3);
  CHECK(report.at("subjects") == 6);
  CHECK(report.at("with_access") == 4);
  CHECK(report.at("unknown_here") == 1);
  CHECK(report.at("counts").at("same") == 2);
  const auto table = check("--count 4" + options + "'" + file + "'");
  CHECK(table.code == 0);
  CHECK(table.out.find("has access here, and is not in the list") != std::string::npos);
  const auto few = check("--json --limit 1 --count 4" + options + "'" + file + "'").json();
  CHECK(few.at("more") == true);
  CHECK(few.at("counts") == report.at("counts"));

  // A list that may not be whole makes nobody absent.
  for (const auto& [name, text, more, why] :
       {std::tuple{"end.csv", csv, "", "nothing shows that this is the whole list"},
        {"fewer.csv", csv, "--count 5", "the source says that it has 5 users, and showed 4"},
        {"empty.csv", std::string("okta id,status\n"), "--whole", "it is empty"},
        {"cut.csv", csv.substr(0, csv.size() - 1), "--whole", "may have been cut off"},
        {"twice.csv", csv + "ACTIVE,00u1\n", "--whole", "a user is listed twice"},
        {"status.csv", csv + "STAGED,00u8\n", "--whole", "whether that is access is not known"},
        {"marker.csv", csv, "--end-marker '#end'", "ends without the line"}}) {
    const auto refused = check(more + options + "'" + home.write(name, text) + "'");
    INFO(refused.out << refused.err);
    CHECK(refused.code == 1);
    CHECK(refused.out.empty());
    CHECK(refused.err.find(why) != std::string::npos);
  }
  const auto cut = home.write("cut.json", R"({"Resources":[{"externalId":"00u1"})");
  CHECK(check("--id externalId --list Resources --file '" + cut + "'").code == 1);

  // Of JSON, the closed document is the end.
  const auto whole = home.write("list.json", R"({"Resources":[{"externalId":"00u1"},{"externalId":"00u2"},
    {"externalId":"00u3"}],"totalResults":3})");
  const auto of_json = check("--json --id externalId --list Resources --file '" + whole + "'");
  INFO(of_json.err);
  REQUIRE(of_json.code == 0);
  CHECK(of_json.json().at("counts").at("not_listed") == 0);
  CHECK(of_json.json().at("counts").at("same") == 5);

  CHECK(check("--link user_name --whole --file '" + file + "'").code == 2);
  CHECK(check("--whole --file '" + home.path + "/none.csv'").code == 3);
  CHECK(check("--whole --file '" + home.path + "/list'").code == 2);
  CHECK(said() == before);
}

TEST_CASE("several subjects that the list names at once are for a person to decide") {
  People home("entra");  // whose externalId may be given to another
  const Serving s(home, home.data);
  const auto env = "DEPROV_TOKEN=" + home.token;
  home.add(s, "ann", "00u1");
  home.add(s, "ann2", "00u1", false);
  home.add(s, "ann3", "00u1");
  home.add(s, "bob", "00u2");
  const auto list = home.write("list.jsonl", "{\"id\":\"00u2\"}\n{\"id\":\"00u1\"}\n#end\n");
  const auto found =
      run(home, "source check Wiki --json --end-marker '#end' --file '" + list + "' --server " + s.url, env);
  INFO(found.out << found.err);
  REQUIRE(found.code == 0);
  const auto report = found.json();
  for (const auto* name : {"ann", "ann2", "ann3"}) CHECK(difference(report, name) == "ambiguous");
  CHECK(report.at("counts").at("ambiguous") == 3);
  CHECK(report.at("counts").at("same") == 1);
  CHECK(report.at("counts").at("no_access_here") == 0);
  CHECK(report.at("unknown_here") == 0);
}

TEST_CASE("a source is added, its lists are followed, and it is removed", "[R6][R22]") {
  People home("okta");
  const Serving s(home, home.data);
  const auto env = "DEPROV_TOKEN=" + home.token;
  const auto source = [&](const std::string& arguments) {
    return run(home, "source " + arguments + " --server " + s.url, env);
  };
  home.add(s, "ann", "00u1");
  home.add(s, "bob", "00u2");
  const auto added = source("add Wiki --name hr --whole");
  INFO(added.out << added.err);
  REQUIRE(added.code == 0);
  CHECK(source("add Wiki --name hr --whole").code != 0);
  const auto both = home.write("both.csv", "id\n00u1\n00u2\n");
  const auto one = home.write("one.csv", "id\n00u1\n");
  const auto first = source("sync Wiki hr --json --file '" + both + "'");
  INFO(first.out << first.err);
  REQUIRE(first.code == 0);
  CHECK(first.json().at("first") == true);
  CHECK(source("sync Wiki hr --json --dry-run --file '" + one + "'").json().at("ends") == 1);
  CHECK(source("sync Wiki hr --file '" + home.write("none.csv", "id\n") + "'").code == 1);
  CHECK(source("show Wiki hr").out.find("failing") != std::string::npos);
  const auto second = source("sync Wiki hr --json --file '" + one + "'");
  INFO(second.out << second.err);
  REQUIRE(second.code == 0);
  CHECK(second.json().at("ends") == 1);
  CHECK(second.json().at("work").is_string());
  CHECK(source("list Wiki").out.find("ok") != std::string::npos);
  CHECK(source("show Wiki nobody").code == 3);
  const auto set = source("set Wiki hr --json --max-users 10");
  INFO(set.out << set.err);
  CHECK(set.code == 0);
  CHECK(set.json().at("config").at("max_users") == 10);
  CHECK(set.json().at("users") == 1);
  CHECK(source("set Wiki hr --config '" + home.write("c.json", R"({"id":"mail"})") + "'").code == 2);
  CHECK(source("set Wiki hr --floor 10").code == 2);
  CHECK(source("set Wiki hr --authorization-file /dev/null").code == 2);
  CHECK(source("set Wiki hr").code == 2);
}

TEST_CASE("a source whose options contradict each other is wrong usage, and is not added") {
  People home("okta");
  const Serving s(home, home.data);
  const auto env = "DEPROV_TOKEN=" + home.token;
  const auto source = [&](const std::string& arguments) {
    return run(home, "source " + arguments + " --server " + s.url, env);
  };
  const auto keys = home.write("keys.json", R"({"keys":[]})");
  const auto secret = home.write("secret", "Bearer x");
  const auto okta = home.write("okta.json", R"({"okta":{"url":"https://x.okta.com","app":"0oa1"},)"
                                            R"("auth":{"type":"token","token":"t"}})");
  const auto slow = home.write("slow.json", R"({"okta":{"url":"https://x.okta.com","app":"0oa1"},)"
                                            R"("poll":{"floor_s":90,"ceiling_s":30}})");
  const std::string events = "add Wiki --name e --kind events --issuer https://i/ --audience a ";
  const auto uri = events + "--jwks-uri https://i/keys ";
  for (const auto& wrong : {
           uri + "--poll-url ''",
           uri + "--poll-interval 60",
           uri + "--poll-authorization-file '" + secret + "'",
           uri + "--verification-authorization-file '" + secret + "'",
           uri + "--verification-url https://i/verify",
           uri + "--jwks '" + keys + "'",
           uri + "--active status",
           uri + "--config '" + okta + "'",
           uri + "--authoritative session-revoked",
           uri + "--poll-url http://elsewhere.example.com/",
           std::string("add Wiki --name e --kind events --audience a --jwks-uri https://i/keys"),
           events,
           std::string("add Wiki --name e --kind pigeons"),
           std::string("add Wiki --name e --issuer https://i/"),
           std::string("add Wiki --name e --end-marker '#end' --format json"),
           std::string("add Wiki --name e --inactive-cause bored"),
           "add Wiki --name e --config '" + okta + "'",
           "add Wiki --name e --kind okta --whole --config '" + okta + "'",
           "add Wiki --name e --kind keycloak --config '" + okta + "'",
           "add Wiki --name e --kind okta --config '" + slow + "'",
       }) {
    const auto r = source(wrong);
    INFO(wrong << "\n" << r.out << r.err);
    CHECK(r.code == 2);
    CHECK_FALSE(r.err.empty());
  }
  CHECK(source("list Wiki --json").json().at("items").as_array().empty());
  CHECK(source("add Wiki --name e --kind okta --config '" + okta + "'").code == 0);
}

TEST_CASE("members of a source's schedule come from the file and from options") {
  People home("okta");
  const Serving s(home, home.data);
  const auto env = "DEPROV_TOKEN=" + home.token;
  const auto source = [&](const std::string& arguments) {
    return run(home, "source " + arguments + " --server " + s.url, env);
  };
  const auto okta = home.write("okta.json", R"({"okta":{"url":"https://x.okta.com","app":"0oa1"},)"
                                            R"("auth":{"type":"token","token":"t"}})");
  const auto poll = home.write("poll.json", R"({"poll":{"timeout_s":20,"floor_s":40}})");
  REQUIRE(source("add Wiki --name e --kind okta --config '" + okta + "'").code == 0);
  const auto set = source("set Wiki e --json --floor 60 --config '" + poll + "'");
  INFO(set.out << set.err);
  REQUIRE(set.code == 0);
  CHECK(set.json().at("config").at("poll").at("timeout_s") == 20);
  CHECK(set.json().at("config").at("poll").at("floor_s") == 60);
  const auto none = home.write("none.json", R"({"poll":null})");
  CHECK(source("set Wiki e --floor 60 --config '" + none + "'").code == 2);
  CHECK(source("show Wiki e --json").json().at("config").at("poll").at("floor_s") == 60);

  REQUIRE(
      source("add Wiki --name f --kind events --issuer https://i/ --audience a --jwks-uri https://i/keys").code ==
      0);
  const auto interval = home.write("interval.json", R"({"poll":{"interval_s":90}})");
  const auto polled = source("set Wiki f --json --poll-url https://i/poll --config '" + interval + "'");
  INFO(polled.out << polled.err);
  REQUIRE(polled.code == 0);
  CHECK(polled.json().at("config").at("poll").at("interval_s") == 90);
  CHECK(polled.json().at("config").at("poll").at("url") == "https://i/poll");
  CHECK_FALSE(polled.json().at("next_poll").is_null());
  CHECK(source("list Wiki").out.find("NEXT POLL") != std::string::npos);
  const auto now = source("sync Wiki f");
  CHECK(now.code == 2);
  CHECK(now.err.find("source show") != std::string::npos);
}
