// Who may do what, over HTTP and with the program.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include "catch.hpp"
#include "support/running.hpp"
#include "support/test_server.hpp"

using namespace deprov::test;
namespace json = boost::json;

namespace {

struct Person {
  std::string id;
  std::string token;
};

Person add(const Running& app, const std::string& role, const std::string& by = {}) {
  const auto made = http(app.port(), "POST", "/api/v1/principals", by.empty() ? app.owner() : by,
                         R"({"name":"a )" + role + R"(","role":")" + role + "\"}");
  INFO(made.body);
  REQUIRE(made.status == 201);
  return {std::string(made.json.at("id").as_string()), std::string(made.json.at("token").as_string())};
}

std::string code_of(const Reply& r) {
  const auto* error = r.json.is_object() ? r.json.as_object().if_contains("error") : nullptr;
  return error != nullptr ? std::string(error->at("code").as_string()) : std::string{};
}

Finished against(const Running& app, std::vector<std::string> args, const std::string& token) {
  args.insert(args.end(),
              {"--server", "http://127.0.0.1:" + std::to_string(app.port()), "--token", token, "--json"});
  return run_deprov(args);
}

}  // namespace

TEST_CASE("a member looks at nothing and changes nothing, admins manage integrations and no principals", "[R21]") {
  Running app(1);
  app.serve({.more = {"--config-files", app.dir().path()}, .before = {}});
  const auto& id = app.integration().id;
  const auto member = add(app, "member");
  const auto admin = add(app, "admin");
  const auto super = add(app, "super_admin");
  const auto as = [&](const Person& who, std::string_view method, const std::string& path,
                      std::string_view body = {}) {
    return http(app.port(), method, "/api/v1" + path, who.token, body);
  };
  const std::string making =
      json::serialize(json::object{{"name", "second"},
                                   {"idp", "okta"},
                                   {"connector", "sandbox"},
                                   {"config", {{"file", app.dir().file("accounts.jsonl")}}}});

  struct Request {
    std::string method, path, body;
  };
  const std::vector<Request> managing{{"GET", "/integrations", ""},
                                      {"GET", "/integrations/" + id, ""},
                                      {"POST", "/integrations", making},
                                      {"PATCH", "/integrations/" + id, R"({"name":"other"})"},
                                      {"POST", "/integrations/" + id + "/pause", ""},
                                      {"POST", "/integrations/" + id + "/rotate-token", "{}"},
                                      {"DELETE", "/integrations/" + id, ""},
                                      {"GET", "/jobs", ""},
                                      {"GET", "/integrations/" + id + "/activity", ""}};
  for (const auto& r : managing) {
    INFO(r.method << " " << r.path);
    const auto refused = as(member, r.method, r.path, r.body);
    CHECK(refused.status == 403);
    CHECK(code_of(refused) == "forbidden");
  }
  for (const auto& who : {member, admin}) {
    CHECK(as(who, "POST", "/principals", R"({"name":"x","role":"member"})").status == 403);
    CHECK(as(who, "DELETE", "/principals/" + super.id).status == 403);
  }
  CHECK(as(super, "POST", "/principals", R"({"name":"x","role":"owner"})").status == 403);
  CHECK(as(super, "POST", "/principals", R"({"name":"x","role":"admin"})").status == 201);
  CHECK(app.api("GET", "/integrations/" + id).json.at("name").as_string() == "app");
  CHECK(app.api("GET", "/integrations/" + id).json.at("state").as_string() == "active");
  CHECK(app.api("GET", "/integrations").json.at("items").as_array().size() == 1);
  // Refused, the rotation took no token away.
  CHECK(app.scim("GET", "/Users").status == 200);

  CHECK(as(admin, "POST", "/integrations/" + id + "/pause").status == 200);
  CHECK(as(admin, "POST", "/integrations/" + id + "/resume").status == 200);
  CHECK(as(super, "POST", "/integrations", making).status == 201);

  // The act is on the activity with its actor.
  bool named = false;
  for (const auto& row : app.activity())
    named = named || (row.at("event").as_string() == "integration.paused" &&
                      row.at("actor").as_string() == "principal:" + admin.id);
  CHECK(named);

  // Whoever was taken away is out at once; the last owner stays.
  CHECK(as(super, "DELETE", "/principals/" + admin.id).status == 204);
  CHECK(as(admin, "GET", "/integrations").status == 401);
  const auto everybody = app.api("GET", "/principals");
  for (const auto& p : everybody.json.at("items").as_array()) {
    if (p.at("role").as_string() != "owner") continue;
    const auto kept = app.api("DELETE", "/principals/" + std::string(p.at("id").as_string()));
    CHECK(kept.status == 409);
  }
}

TEST_CASE("the program is held to the roles as well", "[R21]") {
  Running app(1);
  app.serve();
  const auto member = add(app, "member");
  const auto refused = against(app, {"integration", "pause", app.integration().id}, member.token);
  CHECK(refused.exit_code == 4);
  CHECK((refused.out + refused.err).find("forbidden") != std::string::npos);
  const auto unknown = against(app, {"integration", "list"}, "wrong");
  CHECK(unknown.exit_code == 4);
  const auto listed = against(app, {"integration", "list"}, app.owner());
  INFO(listed.err);
  CHECK(listed.exit_code == 0);
  CHECK(json::parse(listed.out).at("items").as_array().size() == 1);

  // The directory belongs to the server, and the advice says what to do instead.
  const auto busy = run_deprov({"integration", "list", "--data", app.data()});
  CHECK(busy.exit_code == 5);
  CHECK((busy.out + busy.err).find(std::to_string(app.server().pid())) != std::string::npos);
  CHECK((busy.out + busy.err).find("--server") != std::string::npos);
}

TEST_CASE("a gateway token opens its own integration, and is replaced with or without an overlap", "[R21]") {
  Running app(2);
  const auto other = create_integration(
      app.dir(), app.data(), "other", "entra", "sandbox",
      json::object{{"file", app.dir().file("accounts.jsonl")}, {"effect_log", app.dir().file("other.effects")}},
      impatient_policy(), {"--no-check"});
  app.serve();
  const auto id = app.add_user("user0");
  const auto& mine = app.integration();
  const auto off = patch_of(R"([{"op":"replace","path":"active","value":false}])");

  CHECK(http(app.port(), "PATCH", mine.base + "/Users/" + id, other.token, off).status == 401);
  CHECK(http(app.port(), "GET", other.base + "/Users", mine.token).status == 401);
  // Its own token on its own endpoint, and somebody else's user: there is none.
  CHECK(http(app.port(), "PATCH", other.base + "/Users/" + id, other.token, off).status == 404);
  CHECK(app.scim("GET", "/Users/" + id).json.at("active").as_bool());

  const auto users = mine.base + "/Users";
  const auto rotate = [&](const std::string& body) {
    const auto r = app.api("POST", "/integrations/" + mine.id + "/rotate-token", body);
    INFO(r.body);
    REQUIRE(r.status == 200);
    return std::string(r.json.at("scim_token").as_string());
  };
  const auto second = rotate(R"({"overlap_seconds":3600})");
  CHECK(http(app.port(), "GET", users, mine.token).status == 200);
  CHECK(http(app.port(), "GET", users, second).status == 200);
  const auto third = rotate("{}");
  CHECK(http(app.port(), "GET", users, mine.token).status == 401);
  CHECK(http(app.port(), "GET", users, second).status == 401);
  CHECK(http(app.port(), "GET", users, third).status == 200);
  CHECK(http(app.port(), "GET", other.base + "/Users", other.token).status == 200);

  // An overlap of a second ends by itself.
  const auto fourth = rotate(R"({"overlap_seconds":1})");
  CHECK(http(app.port(), "GET", users, fourth).status == 200);
  CHECK(eventually([&] { return http(app.port(), "GET", users, third).status == 401; }));
  CHECK(http(app.port(), "GET", users, fourth).status == 200);

  // What was replaced stays replaced, and the tokens are nowhere in clear.
  app.serve();
  CHECK(http(app.port(), "GET", users, third).status == 401);
  CHECK(http(app.port(), "GET", users, fourth).status == 200);
  for (const auto* name : {"/deprov.db", "/deprov.db-wal"}) {
    const auto text = read_file(app.data() + name);
    CHECK(text.find(fourth) == std::string::npos);
    CHECK(text.find(app.owner()) == std::string::npos);
  }
  CHECK_FALSE(read_file(app.data() + "/deprov.db").empty());
}
