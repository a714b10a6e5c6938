// What the guard made wait, decided with the program (R7), and who is retained (R9).
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include "catch.hpp"
#include "support/running.hpp"

using namespace deprov::test;
namespace json = boost::json;

namespace {
std::string text(const json::value& v, std::string_view name) { return std::string(v.at(name).as_string()); }

struct Deciding : Running {
  Deciding() : Running(6) { serve(); }
  void policy(json::object guard, json::object protection = {}) const {
    auto document = impatient_policy();
    document.as_object()["guard"] = std::move(guard);
    if (!protection.empty()) document.as_object()["protection"] = std::move(protection);
    const auto r = api("PATCH", "/integrations/" + integration().id,
                       json::serialize(json::object{{"policy", document}, {"check", false}}));
    INFO(r.body);
    REQUIRE(r.status == 200);
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
};
}  // namespace

TEST_CASE("a hold is listed, shown, allowed and rejected with the program", "[R7]") {
  Deciding app;
  app.policy({{"percent", 100}, {"absolute", 1}, {"small", {{"below", 0}}}});
  std::vector<std::string> users;
  for (int i = 0; i < 4; ++i) users.push_back(app.add_user("user" + std::to_string(i)));
  CHECK(app.set_active(users[0], false).status == 200);
  CHECK(app.removal_reaches(users[0], "succeeded_verified"));
  for (std::size_t i = 1; i < 4; ++i) CHECK(app.set_active(users[i], false).status == 200);
  for (std::size_t i = 1; i < 4; ++i) CHECK(app.removal_reaches(users[i], "held"));

  const auto holds = app.answer({"holds", "list"}).at("items").as_array();
  REQUIRE(holds.size() == 1);
  const auto id = text(holds[0], "id");
  CHECK(text(holds[0], "state") == "open");
  const auto shown = app.answer({"holds", "show", id});
  std::size_t waiting = 0;
  for (const auto& item : shown.at("items").as_array()) waiting += text(item, "state") == "held" ? 1U : 0U;
  CHECK(waiting == 3);
  const auto metrics = http(app.port(), "GET", "/metrics").body;
  CHECK(metrics.find("deprov_held{integration=\"" + app.integration().id + "\"} 3") != std::string::npos);

  // Who arrived after a listing that somebody saw.
  const auto items = shown.at("items").as_array();
  const auto later = app.answer({"holds", "show", id, "--since", text(items.front(), "listing")}).at("items");
  CHECK(later.as_array().size() == items.size() - 1);
  CHECK(app.run({"holds", "show", id, "--since", std::string(64, 'a')}).exit_code == 3);

  // One is kept, the rest of exactly that listing goes.
  CHECK(app.answer({"holds", "reject", id, "--subject", users[3], "--reason", "on leave", "--until",
                    "2027-06-01T00:00:00Z"})
            .at("decided") == 1);
  CHECK(app.run({"holds", "allow", id, "--listing", std::string(64, 'a')}).exit_code != 0);
  const auto nothing = app.run({"holds", "allow", id});
  CHECK(nothing.exit_code != 0);
  CHECK(nothing.err.find("--listing") != std::string::npos);
  CHECK(app.answer({"holds", "allow", id, "--listing", text(shown.at("hold"), "listing")}).at("decided") == 2);
  for (std::size_t i = 1; i < 3; ++i) CHECK(app.removal_reaches(users[i], "succeeded_verified"));
  CHECK(app.removal_reaches(users[3], "cancelled"));
  CHECK(app.answer({"holds", "list"}).at("items").at(0).at("state") == "closed");
  const auto subject = app.answer({"subjects", "show", users[3]}).at("subject");
  CHECK(text(subject.at("retained"), "why") == "kept by decision");
}

TEST_CASE("a hold is decided on the data directory too", "[R7]") {
  Deciding app;
  app.policy({{"percent", 100}, {"absolute", 0}, {"small", {{"below", 0}}}});
  const auto user = app.add_user("user0");
  CHECK(app.set_active(user, false).status == 200);
  CHECK(app.removal_reaches(user, "held"));
  app.server().terminate();
  const auto list = deprov_json({"holds", "list", "--data", app.data()});
  const auto& hold = list.at("items").at(0);
  CHECK(deprov_json({"holds", "allow", text(hold, "id"), "--listing", text(hold, "listing"), "--data", app.data()})
            .at("decided") == 1);
  app.serve();
  CHECK(app.removal_reaches(user, "succeeded_verified"));
}

TEST_CASE("a protected person is shown as retained, and the IdP gets its 2xx", "[R9]") {
  Deciding app;
  app.policy({{"percent", 100}, {"small", {{"below", 0}}}},
             {{"subjects",
               {{{"external_id", "ext-user0"}, {"reason", "break glass"}, {"review", "2027-01-01T00:00:00Z"}}}}});
  const auto user = app.add_user("user0");
  CHECK(app.set_active(user, false).status == 200);
  CHECK(app.removal(user).is_null());
  const auto list = app.answer({"subjects", "list"}).at("items").at(0);
  CHECK(list.at("access") == false);
  CHECK(text(list.at("retained"), "why") == "protected");
  CHECK(text(list.at("retained"), "reason") == "break glass");
  CHECK(text(list.at("retained"), "until") == "2027-01-01T00:00:00.000Z");
  const auto human = run_deprov(
      {"subjects", "list", "--server", "http://127.0.0.1:" + std::to_string(app.port()), "--token", app.owner()});
  CHECK(human.out.find("protected: break glass") != std::string::npos);
}
