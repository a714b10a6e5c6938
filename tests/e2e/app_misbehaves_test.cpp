// An app that answers with anything but SCIM: the removal waits, says why, and is done once the app is well.
#include <boost/json/serialize.hpp>
#include "catch.hpp"
#include "e2e/app.hpp"
#include "support/running.hpp"

using namespace deprov::test;
namespace json = boost::json;

TEST_CASE("a removal survives an app that answers with anything, and says what", "[R17][R18][R19]") {
  App app;
  Running running(app.url(), App::token, {{"timeout_s", 0.5}});
  running.serve();

  struct Trouble {
    App::Mood mood;
    std::string what;
    std::string reason;  ///< what the job has to say
  };
  const std::vector<Trouble> troubles{
      {App::Mood::html, "HTML", "web page"}, {App::Mood::redirect, "3xx", "redirect"},
      {App::Mood::error_500, "500", "500"},  {App::Mood::error_503, "503", "503"},
      {App::Mood::garbage, "garbage", ""},   {App::Mood::half_json, "half of JSON", "JSON"},
      {App::Mood::nothing, "nothing", ""},   {App::Mood::reset, "a reset", ""},
      {App::Mood::hang, "silence", ""}};
  int n = 0;
  for (const auto& trouble : troubles) {
    INFO(trouble.what);
    const auto name = "user" + std::to_string(n++);
    const auto id = running.add_user(name);
    // The account is bound while the app is well, so that the trouble meets the disable itself.
    REQUIRE(eventually([&] {
      const auto shown = running.api("GET", "/integrations/" + running.integration().id + "/subjects/" + id);
      return shown.body.find("\"state\":\"bound\"") != std::string::npos;
    }));
    app.set(trouble.mood);
    CHECK(running.set_active(id, false).status == 200);
    json::value job;  // as it is between two attempts: it has its reason then
    REQUIRE(eventually([&] {
      job = running.removal(id);
      return job.is_object() && job.at("state").as_string() == "retrying" && job.at("attempts").as_int64() >= 2;
    }));
    INFO(json::serialize(job));
    const std::string reason(job.at("reason").as_string());
    CHECK_FALSE(reason.empty());
    CHECK(reason.find(trouble.reason) != std::string::npos);
    CHECK(reason.find("secret") == std::string::npos);
    bool told = false;
    for (const auto& row : running.activity()) {
      if (row.at("event").as_string() != "job.retrying" || row.at("job").is_null()) continue;
      told = told || (row.at("job").as_string() == job.at("id").as_string() &&
                      !row.at("detail").at("reason").as_string().empty());
    }
    CHECK(told);
    CHECK_FALSE(app.disabled(name));
    // The IdP is served all the while.
    CHECK(running.scim("GET", "/Users/" + id).json.at("active").as_bool() == false);

    app.set(App::Mood::well);
    CHECK(running.removal_reaches(id, "succeeded_verified"));
    CHECK(app.disabled(name));
  }
  CHECK(running.healthy());
}

TEST_CASE("a look-up that an app cannot answer is no answer", "[R13]") {
  App app;
  Running running(app.url(), App::token, {{"timeout_s", 0.5}});
  running.serve();
  // Never bound: `no account` must not be concluded from nonsense.
  app.set(App::Mood::wrong_list);
  const auto id = running.add_user("user9");
  CHECK(running.set_active(id, false).status == 200);
  CHECK(eventually([&] {
    const auto job = running.removal(id);
    return job.is_object() && job.at("attempts").as_int64() >= 2;
  }));
  const auto concluded_nothing = [&] {
    const auto state = running.removal(id).at("state").as_string();  // it may be at its next attempt by now
    return state == "retrying" || state == "running" || state == "ready";
  };
  CHECK(concluded_nothing());
  app.set(App::Mood::html);
  CHECK(eventually([&] { return running.removal(id).at("attempts").as_int64() >= 5; }));
  CHECK(concluded_nothing());
  app.set(App::Mood::well);
  CHECK(running.removal_reaches(id, "succeeded_verified"));
  CHECK(app.disabled("user9"));
}
