// `deprov connector check`: a good connector passes everything; each bad one of the zoo is found by the check that
// is there for it; and the kit lives on.
#include "plugin/kit.hpp"
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/crypto/crypto.hpp>
#include <deprov/evidence/record.hpp>
#include <deprov/json_schema.hpp>
#include "plugin/zoo.hpp"

using namespace deprov;
using namespace deprov::test;
using zoo::Cage;

namespace {

constexpr auto fixture = R"({"config": {"token": "hunter2-hunter2"}, "account": {"user_name": "ann@example.com"},
                             "removable": {"user_name": "cyd@example.com"}})";

cli::Ran check(const Cage& cage, const std::string& more) {
  (void)cage.scratch().write("fixture.txt", fixture);
  return cli::run(cage.scratch(), "connector check '" + cage.library() + "' --fixture '" +
                                      cage.file("fixture.txt") + "' --json " + more);
}

}  // namespace

TEST_CASE("a good connector passes every check of the kit") {
  const Cage cage("good");
  const auto ran = check(cage, "--junit '" + cage.file("junit.xml") + "'");
  INFO(ran.out);
  INFO(ran.err);
  CHECK(ran.code == 0);
  const auto report = ran.json();
  CHECK(report.at("failed") == 0);
  std::string skipped;
  for (const auto& c : report.at("checks").as_array())
    if (c.at("verdict") != "passed") skipped += json::serialize(c) + "\n";
  // Sanitizers count memory themselves.
  if (skipped.find("does not count memory") == std::string::npos) CHECK(skipped.empty());
  const auto both = plugin::checks().size() +
                    static_cast<std::size_t>(std::count_if(plugin::checks().begin(), plugin::checks().end(),
                                                           [](const auto& c) { return c.in_worker; }));
  CHECK(both > plugin::checks().size());
  CHECK(report.at("checks").as_array().size() == both);
  const auto junit = cli::slurp(cage.file("junit.xml"));
  CHECK(junit.find("tests=\"" + std::to_string(both) + "\" failures=\"0\"") != std::string::npos);
  CHECK(junit.find("classname=\"semantics\" name=\"disable\"") != std::string::npos);
  CHECK(junit.find("classname=\"worker.semantics\" name=\"disable\"") != std::string::npos);
}

TEST_CASE("without a fixture the kit checks what it can, and says what it needs") {
  const Cage cage("good", [] {
    auto m = json::parse(Cage::manifest_text());
    m.get_object()["config_schema"] = json::object{{"type", "object"}};
    return json::serialize(m);
  }());
  const auto ran =
      cli::run(cage.scratch(), "connector check '" + cage.library() + "' --only semantics --only contract");
  INFO(ran.out);
  CHECK(ran.code == 0);
  CHECK(ran.out.find("passed   contract.completes") != std::string::npos);
  CHECK(ran.out.find("needs \"account\" in the fixture") != std::string::npos);
  CHECK(ran.out.find(" skipped: what they need was not given (--fixture, --plugin-worker). They say nothing about "
                     "the connector; with --require-all they have failed\n") != std::string::npos);
  CHECK(cli::run(cage.scratch(), "connector check '" + cage.library() + "' --only fun").code == 2);
  CHECK(cli::run(cage.scratch(), "connector check /nonexistent.so").code == 3);
}

TEST_CASE("what the kit skips is counted by its reason, and --require-all does not let it pass") {
  const Cage cage("good", [] {
    auto m = json::parse(Cage::manifest_text());
    m.get_object()["config_schema"] = json::object{{"type", "object"}};
    m.get_object()["secrets"] = json::array{};
    return json::serialize(m);
  }());
  const auto command = "connector check '" + cage.library() +
                       "' --placement in_process --only semantics --only hygiene.secrets --json --junit '" +
                       cage.file("junit.xml") + "' ";
  const auto count = [](const json::value& report, const char* verdict, const char* lacks) {
    const auto& all = report.at("checks").as_array();
    return std::count_if(all.begin(), all.end(),
                         [&](const auto& c) { return c.at("verdict") == verdict && c.at("lacks") == lacks; });
  };
  const auto lax = cli::run(cage.scratch(), command);
  INFO(lax.out);
  INFO(lax.err);
  CHECK(lax.code == 0);
  const auto report = lax.json();
  const auto schema = json::parse(cli::slurp(source_dir() + "/schemas/connector-report.schema.json"));
  CHECK(validate_json(schema, report));
  CHECK(report.at("connector") == "zoo");
  CHECK(report.at("version") == json::parse(Cage::manifest_text()).at("version"));
  const auto bytes = cli::slurp(cage.library());
  const std::string sha256 = evidence::to_hex(crypto::make_crypto()->sha256(port::bytes_of(bytes)));
  CHECK(report.at("sha256") == json::string(sha256));
  CHECK(cli::slurp(cage.file("junit.xml")).find("<property name=\"sha256\" value=\"" + sha256 + "\"/>") !=
        std::string::npos);
  const auto not_given = count(report, "skipped", "not_given");
  CHECK(not_given > 0);
  CHECK(report.at("skipped_for").at("not_given") == not_given);
  CHECK(count(report, "skipped", "not_offered") == 1);
  CHECK(report.at("skipped_for").at("not_offered") == 1);
  CHECK(report.at("skipped_for").at("not_here") == 0);
  CHECK(report.at("skipped") == not_given + 1);
  CHECK(
      cli::slurp(cage.file("junit.xml")).find("<skipped type=\"not_given\" message=\"needs &quot;account&quot;") !=
      std::string::npos);

  const auto strict = cli::run(cage.scratch(), command + "--require-all");
  INFO(strict.out);
  CHECK(strict.code == 1);
  CHECK(count(strict.json(), "failed", "not_given") == not_given);
  CHECK(strict.json().at("failed") == not_given);
  CHECK(strict.json().at("skipped") == 1);  // the connector's own choice
  CHECK(
      cli::slurp(cage.file("junit.xml"))
          .find("<failure type=\"not_given\" message=\"was skipped, which --require-all does not allow: needs") !=
      std::string::npos);
}

TEST_CASE("the kit finds defects in a worker, too, and says so where there is none") {
  for (const auto& [defect, name, detail] :
       {std::tuple("disable_lies", "semantics.disable", "still active"),
        std::tuple("open_fails", "contract.opens", "no weather"),
        std::tuple("crashes", "contract.completes", "its worker process ended: by a signal: Aborted"),
        std::tuple("tells_secret", "hygiene.secrets", "***")}) {
    CAPTURE(defect);
    const Cage cage(defect);
    const auto ran = check(cage, std::string("--placement worker --only ") + name);
    INFO(ran.out);
    INFO(ran.err);
    CHECK(ran.code == 1);
    const auto verdict = ran.json().at("checks").at(0);
    CHECK(verdict.at("placement") == "worker");
    CHECK(std::string(verdict.at("detail").as_string()).find(detail) != std::string::npos);
  }
  const Cage cage("good");
  CHECK(check(cage, "--placement worker --only faults --plugin-worker /nonexistent").code != 0);
}

TEST_CASE("what is left of memberships is asked of a connector that lists them") {
  auto manifest = json::parse(Cage::manifest_text());
  manifest.at("operations").as_object()["list_entitlements"] = json::object{};
  const Cage cage("remove_lies", json::serialize(manifest));
  const auto ran = check(cage, "--placement in_process --only semantics.remove");
  INFO(ran.out);
  CHECK(ran.code == 1);
  CHECK(std::string(ran.json().at("checks").at(0).at("detail").as_string())
            .find("list_entitlements does not show an account without memberships") != std::string::npos);
  const Cage good("good", json::serialize(manifest));
  CHECK(check(good, "--placement in_process --only semantics.remove").code == 0);
}

TEST_CASE("the kit finds each defect of the zoo, and outlives it") {
  struct Bad {
    const char* defect;
    const char* check;
    const char* detail;
  };
  const std::vector<Bad> all{
      {"no_entry", "loading.loads", "does not export"},
      {"entry_null", "loading.loads", "refuses to work"},
      {"short_table", "loading.loads", "has the size 24"},
      {"no_start", "loading.loads", "no function"},
      {"other_id", "loading.loads", "its manifest says"},
      {"other_version", "loading.loads", "its manifest says"},
      {"crashes_on_load", "loading.loads", "by a signal"},
      {"exports_more", "loading.exports", "helper_of_mine"},
      {"open_fails", "contract.opens", "no weather"},
      {"never_completes", "contract.completes", "did not complete"},
      {"completes_twice", "contract.completes", "more than once"},
      {"drops_call", "contract.completes", "without completing"},
      {"outcome_99", "contract.completes", "99"},
      {"accounts_broken", "contract.completes", "not JSON"},
      {"not_supported", "contract.completes", "is in the manifest"},
      {"find_anybody", "contract.completes", "who is not there"},
      {"read_anybody", "contract.completes", "not there"},
      {"remove_twice_fails", "contract.completes", "INTERNAL"},
      {"check_sees_nobody", "contract.check", "shows no account"},
      {"effect_on_read", "semantics.find", "changes nothing"},
      {"find_inexact", "semantics.find", "exact"},
      {"effect_missing", "semantics.disable", "neither done nor already"},
      {"disable_lies", "semantics.disable", "still active"},
      {"disable_twice_fails", "semantics.disable", "twice is once"},
      {"find_hides_disabled", "semantics.disable", "once it is disabled"},
      {"enable_lies", "semantics.enable", "still disabled"},
      {"list_never_ends", "semantics.list", "twice"},
      {"list_forgets", "semantics.list", "does not show"},
      {"remove_lies", "semantics.remove", "read still answers"},
      {"ignores_cancel", "faults.cancel", "did not complete"},
      {"crashes", "contract.completes", "by a signal: Aborted"},
      {"exits", "contract.completes", "exit code 0"},
      {"hangs", "contract.completes", "came to no end"},
      {"prints", "hygiene.output", "standard output"},
      {"takes_signal", "hygiene.signals", "signal 15"},
      {"tells_secret", "hygiene.secrets", "***"},
      {"leaks_descriptor", "hygiene.descriptors", "open files"},
      {"leaks_thread", "hygiene.threads", "threads"},
      {"leaks_text", "leaks.handles", "texts"},
      {"leaks_call", "leaks.handles", "calls"},
      {"leaks_memory", "leaks.memory", "bytes each time"},
  };
  for (const auto& bad : all) {
    CAPTURE(bad.defect);
    const Cage cage(bad.defect);
    const auto ran = check(cage, std::string("--placement in_process --only ") + bad.check + " --time-limit " +
                                     (std::string(bad.defect) == "hangs" ? "2" : "60"));
    INFO(ran.out);
    INFO(ran.err);
    const auto verdict = ran.json().at("checks").at(0);
    if (std::string(bad.defect) == "leaks_memory" && verdict.at("verdict") == "skipped") continue;  // sanitizers
    CHECK(ran.code == 1);
    CHECK(verdict.at("verdict") == "failed");
    CHECK(std::string(verdict.at("detail").as_string()).find(bad.detail) != std::string::npos);
  }
}
