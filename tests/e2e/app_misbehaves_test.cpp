// An app that answers with anything but SCIM: the removal waits, says why, and is done once the app is well.
#include <atomic>
#include <boost/json/serialize.hpp>
#include <mutex>
#include <set>
#include "catch.hpp"
#include "support/running.hpp"
#include "support/test_server.hpp"

using namespace deprov::test;
namespace json = boost::json;

namespace {

constexpr std::string_view token = "the-app-token";

/// A small SCIM server with the accounts user0 to user9, and a switch.
class App {
 public:
  enum class Mood {
    well,
    html,
    redirect,
    error_500,
    error_503,
    garbage,
    half_json,
    nothing,
    reset,
    hang,
    wrong_list
  };

  App() : server_([this](const ServerRequest& r) { return answer(r); }) {}
  void set(Mood mood) { mood_ = mood; }
  [[nodiscard]] std::string url() const { return server_.url() + "/scim"; }
  [[nodiscard]] bool disabled(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    return off_.contains(name);
  }

 private:
  static json::object user(const std::string& name, bool active) {
    return {{"schemas", {"urn:ietf:params:scim:schemas:core:2.0:User"}},
            {"id", "id-" + name},
            {"userName", name},
            {"active", active},
            {"meta", {{"resourceType", "User"}}}};
  }

  Answer answer(const ServerRequest& r) {
    switch (mood_.load()) {
      case Mood::well: return well(r);
      case Mood::html:
        return respond(200, "<html><body>Please sign in</body></html>", {{"Content-Type", "text/html"}});
      case Mood::redirect: return respond(302, "", {{"Location", "https://login.example.com/?secret=1"}});
      case Mood::error_500: return respond(500, "oops");
      case Mood::error_503: return respond(503, "", {{"Retry-After", "0"}});
      case Mood::garbage: return raw(std::string("\0\x01\x02 not HTTP at all\r\n\r\n", 22));
      case Mood::half_json:
        return respond(200, R"({"Resources": [{"id": )", {{"Content-Type", "application/scim+json"}});
      case Mood::nothing: return close_now();
      case Mood::reset: return reset_now();
      case Mood::hang: return deprov::test::hang();
      case Mood::wrong_list: return respond_json(200, R"({"totalResults": "many", "Resources": 7})");
    }
    return close_now();
  }

  Answer well(const ServerRequest& r) {
    if (r.header("Authorization") != "Bearer " + std::string(token)) return respond(401);
    const std::lock_guard lock(mutex_);
    if (r.target.find("/ServiceProviderConfig") != std::string::npos)
      return respond_json(200, R"({"patch":{"supported":true},"filter":{"supported":true}})");
    const auto by_id = r.target.find("/Users/id-");
    if (by_id == std::string::npos) {  // a list, filtered by an exact name or nothing
      json::array found;
      for (int i = 0; i < 10; ++i) {
        const auto name = "user" + std::to_string(i);
        if (r.target.find("filter=") == std::string::npos ||
            r.target.find("userName%20eq%20%22" + name + "%22") != std::string::npos)
          found.push_back(user(name, !off_.contains(name)));
      }
      const auto total = found.size();
      return respond_json(
          200, json::serialize(json::object{{"schemas", {"urn:ietf:params:scim:api:messages:2.0:ListResponse"}},
                                            {"totalResults", total},
                                            {"startIndex", 1},
                                            {"itemsPerPage", total},
                                            {"Resources", std::move(found)}}));
    }
    const auto name = r.target.substr(by_id + 10, r.target.find('?', by_id) - by_id - 10);
    if (r.method == "PATCH") {
      if (r.body.find("false") != std::string::npos)
        off_.insert(name);
      else
        off_.erase(name);
    }
    return respond_json(200, json::serialize(user(name, !off_.contains(name))));
  }

  std::atomic<Mood> mood_{Mood::well};
  mutable std::mutex mutex_;
  std::set<std::string> off_;
  TestServer server_;
};

}  // namespace

TEST_CASE("a removal survives an app that answers with anything, and says what", "[R17][R18][R19]") {
  App app;
  Running running(app.url(), token);
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
  Running running(app.url(), token);
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
