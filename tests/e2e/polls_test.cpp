// A SCIM server as the authority, polled by the running program over real sockets: deprov's own SCIM service, and
// one that misbehaves.
#include <atomic>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include "catch.hpp"
#include "support/running.hpp"
#include "support/test_server.hpp"

using namespace deprov::test;
namespace json = boost::json;

namespace {

struct Polling : Running {
  explicit Polling(std::size_t users) : Running(users) {
    serve();
    for (std::size_t i = 0; i < users; ++i) ids.push_back(add_user("user" + std::to_string(i)));
  }
  Finished run(std::vector<std::string> args) const {
    args.insert(args.end(),
                {"--server", "http://127.0.0.1:" + std::to_string(port()), "--token", owner(), "--json"});
    return run_deprov(args);
  }
  json::value answer(const std::vector<std::string>& args) const {
    const auto done = run(args);
    INFO(done.out << done.err);
    REQUIRE(done.exit_code == 0);
    return json::parse(done.out);
  }
  json::value add_source(const std::string& url, const std::string& token, const std::string& paging) const {
    const json::object config{
        {"scim",
         {{"base_url", url}, {"allow_http", true}, {"id", "externalId"}, {"paging", paging}, {"page_size", 3}}},
        {"auth", {{"type", "token"}, {"token", token}}},
        {"poll", {{"floor_s", 86400}, {"ceiling_s", 86400}}}};
    write_file(dir().file("source.json"), json::serialize(config));
    return answer({"source", "add", integration().id, "--name", "idp-" + paging, "--kind", "scim", "--config",
                   dir().file("source.json")});
  }
  std::vector<std::string> ids;
};

}  // namespace

TEST_CASE("deprov's own SCIM service as the authority: who is gone from it is removed, by index and by cursor",
          "[polls][R5][R6]") {
  for (const std::string paging : {"index", "cursor"}) {
    INFO(paging);
    Polling app(8);
    Polling authority(8);
    const auto url = "http://127.0.0.1:" + std::to_string(authority.port()) + authority.integration().base;
    const auto made = app.add_source(url, authority.integration().token, paging);
    CHECK(json::serialize(made).find(authority.integration().token) == std::string::npos);
    const auto first = app.answer({"source", "sync", app.integration().id, "idp-" + paging});
    CHECK(first.at("listed").to_number<int>() == 8);
    CHECK(first.at("ends").to_number<int>() == 0);

    CHECK(authority.scim("DELETE", "/Users/" + authority.ids[2]).status == 204);
    CHECK(authority.set_active(authority.ids[5], false).status == 200);
    const auto dry = app.answer({"source", "check", app.integration().id, "--source", "idp-" + paging});
    CHECK(dry.at("ends").to_number<int>() == 2);
    CHECK(dry.at("dry_run").as_bool());
    const auto second = app.answer({"source", "sync", app.integration().id, "idp-" + paging});
    CHECK(second.at("ends").to_number<int>() == 2);
    CHECK(app.removal_reaches(app.ids[2], "succeeded_verified"));
    CHECK(app.removal_reaches(app.ids[5], "succeeded_verified"));
    CHECK(app.removal(app.ids[0]).is_null());
    const auto shown = app.answer({"source", "show", app.integration().id, "idp-" + paging});
    CHECK(shown.at("health").as_string() == "ok");
    CHECK(shown.at("poll").at("round").as_string() == "complete");
    const auto metrics = http(app.port(), "GET", "/metrics").body;
    CHECK(metrics.find("deprov_source_failing{integration=\"" + app.integration().id) != std::string::npos);
  }
}

TEST_CASE("an authority that misbehaves on the wire ends nobody's access, and the reason is shown",
          "[polls][R6][R16]") {
  Polling app(4);
  std::atomic<int> mode{0};
  const auto list = [](int total, const std::vector<int>& who) {
    json::array resources;
    for (const int i : who)
      resources.push_back(json::object{{"id", std::to_string(i)}, {"externalId", "ext-user" + std::to_string(i)}});
    return json::serialize(json::object{{"totalResults", total}, {"Resources", resources}});
  };
  TestServer authority([&](const ServerRequest& r) -> Answer {
    const bool first = r.target.find("startIndex=1") != std::string::npos;
    const auto whole = first ? list(4, {0, 1, 2}) : list(4, {3});
    switch (mode) {
      case 0: return respond_json(200, whole);

      case 3: return respond_json(200, list(0, {}));
      case 4: return respond_json(200, list(4, {0, 1, 2}));
      default: return respond(302, "", {{"Location", "http://127.0.0.1:1/elsewhere"}});
    }
  });
  (void)app.add_source(authority.url(), "secret-of-the-authority", "index");
  (void)app.answer({"source", "sync", app.integration().id, "idp-index"});
  for (const int wrong : {3, 4, 5}) {
    INFO("mode " << wrong);
    mode = wrong;
    CHECK(app.run({"source", "sync", app.integration().id, "idp-index"}).exit_code != 0);
    const auto shown = app.answer({"source", "show", app.integration().id, "idp-index"});
    CHECK(shown.at("health").as_string() == "failing");
    CHECK_FALSE(shown.at("failure").as_string().empty());
  }
  for (const auto& id : app.ids) CHECK(app.removal(id).is_null());
  for (const auto& request : authority.requests())
    CHECK(request.header("Authorization") == "Bearer secret-of-the-authority");
  mode = 0;
  (void)app.answer({"source", "sync", app.integration().id, "idp-index"});
  CHECK(app.answer({"source", "show", app.integration().id, "idp-index"}).at("health").as_string() == "ok");
  CHECK(app.server().log().find("secret-of-the-authority") == std::string::npos);
}
