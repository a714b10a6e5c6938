// `deprov evidence`, `person` and `reconcile` as typed in a shell.
#include <sqlite3.h>
#include <boost/json/serialize.hpp>
#include "program.hpp"
#include "support/program.hpp"

using deprov::test::eventually;
using deprov::test::cli::run;
using deprov::test::cli::Scratch;
using deprov::test::cli::Serving;
using deprov::test::cli::slurp;
namespace json = boost::json;

namespace {

/// A served directory with an app in a file and a person who left.
struct Left : Scratch {
  std::string data = path + "/data";
  std::string token;
  std::string id;
  std::string scim_token;

  Left() {
    const auto made = run(*this, "init --json --data '" + data + "'");
    INFO(made.err);
    REQUIRE(made.code == 0);
    token = made.text("owner_token");
    const auto app = write("app.jsonl", R"({"id":"a1","externalId":"00u1","userName":"ann@example.com"}
{"id":"a2","userName":"root"}
{"id":"a3","externalId":"00u3","userName":"cat@example.com"}
)");
    const auto config = write("config.json", json::serialize(json::object{{"file", app}}));
    const auto created = run(*this, "integration create --name Wiki --idp okta --connector sandbox --config '" +
                                        config + "'" + local());
    INFO(created.err);
    REQUIRE(created.code == 0);
    id = created.text("id");
    scim_token = created.text("scim_token");
  }
  [[nodiscard]] std::string local() const { return " --data '" + data + "' "; }
  [[nodiscard]] static std::string remote(const Serving& s) { return " --server " + s.url; }

  void scim(const Serving& s, const std::string& method, const std::string& below, const std::string& body) {
    (void)std::system(("curl -s --max-time 120 -X " + method + " -H 'Authorization: Bearer " + scim_token +
                       "' -H 'Content-Type: application/scim+json' -d '" + body + "' '" + s.url + "/scim/v2/" +
                       id + below + "' >'" + path + "/.scim'")
                          .c_str());
  }
  /// Ann joins and leaves; Cat joins inactive, with an account that is active.
  std::string leave(const Serving& s) {
    scim(
        s, "POST", "/Users",
        R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"cat@example.com","externalId":"00u3","active":false})");
    scim(
        s, "POST", "/Users",
        R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ann@example.com","externalId":"00u1"})");
    const auto ann = std::string(json::parse(slurp(path + "/.scim")).at("id").as_string());
    scim(
        s, "PATCH", "/Users/" + ann,
        R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":false}}]})");
    REQUIRE(eventually([&] {
      const auto jobs = run(*this, "jobs list --json" + remote(s), "DEPROV_TOKEN=" + token);
      return jobs.out.find("succeeded_verified\",\"cause\":\"deactivated") != std::string::npos;
    }));
    return ann;
  }
  std::string replace_in(const std::string& file, const std::string& from, const std::string& to) const {
    auto text = slurp(file);
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
    std::ofstream(file, std::ios::binary) << text;
    return file;
  }
};

}  // namespace

TEST_CASE("evidence is exported, verified without the store, and tampering is named", "[R20]") {
  Left home;
  std::string ann;
  {
    const Serving s(home, home.data);
    ann = home.leave(s);
    const auto env = "DEPROV_TOKEN=" + home.token;
    const auto through_server =
        run(home, "evidence export --json --out '" + home.path + "/served.jsonl'" + Left::remote(s), env);
    INFO(through_server.err);
    REQUIRE(through_server.code == 0);
    CHECK(run(home, "evidence verify" + Left::remote(s), env).code == 0);

    const auto person = run(home, "person report 00u1" + Left::remote(s), env);
    CHECK(person.code == 0);
    for (const auto* word : {"Wiki (okta to sandbox)", "no access since", "decided by idp:okta",
                             "succeeded_verified at", "removal.requested", "account a1"}) {
      INFO(word << "\n" << person.out);
      CHECK(person.out.find(word) != std::string::npos);
    }
    CHECK(run(home, "person report --json 00u1" + Left::remote(s), env).json().at("apps").as_array().size() == 1);
    const auto candidates = run(home, "person report ann@example.com" + Left::remote(s), env);
    CHECK(candidates.code == 3);
    CHECK(candidates.out.find("same userName") != std::string::npos);

    const auto shown = run(home, "integration show Wiki" + Left::remote(s), env);
    INFO(shown.out);
    CHECK(shown.out.find("100.00 %") != std::string::npos);
  }
  const auto out = home.path + "/out";
  const auto exported = run(home, "evidence export --out '" + out + "'" + home.local());
  INFO(exported.err);
  REQUIRE(exported.code == 0);
  CHECK(exported.out.find("manifest sha256 ") != std::string::npos);
  for (const auto* file : {"records.jsonl", "records.csv", "manifest.json", "record.schema.json"})
    CHECK(std::filesystem::exists(out + "/" + file));
  const auto hash = std::string(json::parse(slurp(out + "/manifest.json")).at("sha256").as_string());
  CHECK(run(home, "evidence verify --manifest-hash " + hash + " '" + out + "'").code == 0);
  CHECK(run(home, "evidence verify --manifest-hash " + std::string(64, '0') + " '" + out + "'").code == 6);
  CHECK(run(home, "evidence verify '" + home.path + "/served.jsonl'").code == 0);
  CHECK(run(home, "evidence verify '" + home.path + "/nowhere'").code == 3);
  CHECK(run(home, "evidence verify").code == 2);
  CHECK(run(home, "evidence export --out '" + out + "'" + home.local()).code == 4);  // nothing is written over
  CHECK(run(home, "evidence verify --json --against '" + out + "/manifest.json'" + home.local()).code == 0);
  CHECK(run(home, "evidence verify --against '" + out + "'" + home.local()).code == 0);
  CHECK(run(home, "evidence verify --against '" + home.path + "/served.jsonl'" + home.local()).code == 0);

  SECTION("an edited line") {
    home.replace_in(out + "/records.jsonl", "removal.verified", "removal.rejected");
    const auto bad = run(home, "evidence verify --json '" + out + "'");
    CHECK(bad.code == 6);
    const auto report = bad.json();
    const auto& problem = report.at("files").at(0).at("problems").at(0);
    CHECK(problem.at("kind") == "edited");
    CHECK(problem.at("chain") == "Wiki");
    CHECK(problem.at("seq").to_number<int>() > 1);
    CHECK(run(home, "evidence verify '" + out + "'").out.find("edited, chain \"Wiki\", seq ") !=
          std::string::npos);
  }
  SECTION("an edited row of the CSV") {
    home.replace_in(out + "/records.csv", "idp:okta", "idp:entr");
    const auto bad = run(home, "evidence verify --json '" + out + "'");
    CHECK(bad.code == 6);
    CHECK(bad.json().at("files").at(0).at("holds") == true);
    CHECK(bad.json().at("files").at(1).at("problems").at(0).at("kind") == "edited");
  }
  SECTION("what the CSV says and does not hash, its heading, a row of it, the whole file") {
    const auto csv = out + "/records.csv";
    const auto whole = slurp(csv);
    const auto problem = [&] {
      const auto bad = run(home, "evidence verify --json '" + out + "'");
      CHECK(bad.code == 6);
      CHECK(bad.json().at("files").at(0).at("holds") == true);
      const auto report = bad.json().at("files").at(1);
      CHECK(report.at("problem_count") == 1);
      std::ofstream(csv, std::ios::binary) << whole;
      return std::string(report.at("problems").at(0).at("kind").as_string());
    };
    const auto second = whole.find("\r\n") + 2;
    const auto row = whole.substr(second, whole.find("\r\n", second) + 2 - second);
    const auto year = row.find(",20");  // the time for people
    REQUIRE(year != std::string::npos);
    std::ofstream(csv, std::ios::binary) << std::string(whole).replace(second + year + 1, 4, "2001");
    CHECK(problem() == "edited");
    std::ofstream(csv, std::ios::binary) << whole.substr(second);
    CHECK(problem() == "unreadable");
    std::ofstream(csv, std::ios::binary) << whole << row;
    CHECK(problem() == "inserted");
    std::filesystem::remove(csv);
    CHECK(problem() == "removed");
  }
  SECTION("the lines between the records") {
    const auto file = out + "/records.jsonl";
    const auto whole = slurp(file);
    const auto lines = [&](std::size_t from) { return whole.find('\n', from) + 1; };
    const auto first = lines(0);
    std::ofstream(file, std::ios::binary) << whole.substr(first);
    CHECK(run(home, "evidence verify '" + file + "'").out.find("the header is missing") != std::string::npos);
    CHECK(run(home, "evidence verify '" + out + "'").code == 6);
    std::ofstream(file, std::ios::binary) << whole.substr(0, first) << whole.substr(lines(first));
    CHECK(run(home, "evidence verify '" + file + "'").out.find("the line that begins the chain is missing") !=
          std::string::npos);
    CHECK(run(home, "evidence verify '" + out + "'").code == 6);
  }
  SECTION("an edited manifest") {
    home.replace_in(out + "/manifest.json", "\"name\":\"Wiki\"", "\"name\":\"Wikj\"");
    CHECK(run(home, "evidence verify '" + out + "'").code == 6);
  }
  SECTION("lines beside the manifest") {
    const auto whole = slurp(out + "/manifest.json");
    for (const auto& text : {whole + whole, "nobody wrote this\n" + whole, "\n" + whole}) {
      std::ofstream(out + "/manifest.json", std::ios::binary) << text;
      CHECK(run(home, "evidence verify '" + out + "'").code == 6);
    }
  }
  SECTION("a file that ends early") {
    auto text = slurp(out + "/records.jsonl");
    text.resize(text.size() / 2);
    std::ofstream(out + "/records.jsonl", std::ios::binary) << text;
    CHECK(run(home, "evidence verify '" + out + "'").code == 6);
  }
  SECTION("old details are deleted, and everything still holds") {
    const auto gone = run(home, "evidence retain --json --before 2020-01-01" + home.local());
    CHECK(gone.code == 0);
    CHECK(gone.json().at("items").at(0).at("details_deleted") == 0);
    CHECK(run(home, "evidence retain --before yesterday" + home.local()).code == 2);
    CHECK(run(home, "evidence verify" + home.local()).code == 0);
  }
}

TEST_CASE("the store's own chain that was edited is found", "[R20]") {
  Left home;
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open((home.data + "/deprov.db").c_str(), &db) == SQLITE_OK);
  CHECK(sqlite3_exec(db, "UPDATE activity SET actor = 'principal:nobody' WHERE event = 'integration.created'",
                     nullptr, nullptr, nullptr) == SQLITE_OK);
  CHECK(sqlite3_changes(db) > 0);
  sqlite3_close(db);
  const auto bad = run(home, "evidence verify --json" + home.local());
  INFO(bad.out << bad.err);
  CHECK(bad.code == 6);
  CHECK(bad.json().at("files").at(0).at("problems").at(0).at("kind") == "edited");
}

TEST_CASE("a reconciliation proposes, and queues when told", "[R6]") {
  Left home;
  const Serving s(home, home.data);
  const auto env = "DEPROV_TOKEN=" + home.token;
  home.leave(s);
  const auto proposed = run(home, "reconcile Wiki --propose" + Left::remote(s), env);
  INFO(proposed.out << proposed.err);
  CHECK(proposed.code == 0);
  CHECK(proposed.out.find("leftover") != std::string::npos);
  CHECK(proposed.out.find("root") != std::string::npos);
  CHECK(slurp(home.path + "/app.jsonl.effects").find("\"a3\"") == std::string::npos);
  const auto queued = run(home, "reconcile Wiki --queue --json" + Left::remote(s), env);
  CHECK(queued.code == 0);
  CHECK(queued.json().at("report").at("queued") == 1);
  CHECK(eventually([&] { return slurp(home.path + "/app.jsonl.effects").find("\"a3\"") != std::string::npos; }));
  CHECK(run(home, "reconcile Wiki --queue --propose" + Left::remote(s), env).code == 2);
  CHECK(run(home, "reconcile Wiki --last --json" + Left::remote(s), env).json().at("report").at("queued") == 1);
  const auto shown = run(home, "integration show Wiki" + Left::remote(s), env);
  CHECK(shown.out.find("last reconciliation: done ") != std::string::npos);
  CHECK(shown.out.find(" leftover 1 ") != std::string::npos);
}
