#include "support/running.hpp"
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include "catch.hpp"
#include "support/test_server.hpp"

namespace deprov::test {

namespace json = boost::json;

std::string patch_of(std::string_view operations) {
  return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":)" +
         std::string(operations) + "}";
}

std::string user_of(std::string_view name) {
  return json::serialize(json::object{{"schemas", {"urn:ietf:params:scim:schemas:core:2.0:User"}},
                                      {"userName", name},
                                      {"externalId", "ext-" + std::string(name)},
                                      {"active", true}});
}

json::value impatient_policy() {
  return json::object{
      {"retry", {{"base_ms", 20}, {"ceiling_ms", 200}}},
      {"breaker", {{"failures", 5}, {"open_ms", 50}, {"open_max_ms", 200}}},
      {"guard",
       {{"percent", 100}, {"absolute", 1000000}, {"small", {{"below", 0}}}, {"group", {{"percent", 100}}}}}};
}

Running::Running(std::size_t accounts, const std::string& idp, json::object sandbox)
    : data_(dir_.file("data")), owner_(init_data(data_)), port_(closed_port()) {
  std::string text;
  for (std::size_t i = 0; i < accounts; ++i)
    text += json::serialize(
                json::object{{"id", "acct" + std::to_string(i)}, {"userName", "user" + std::to_string(i)}}) +
            "\n";
  write_file(dir_.file("accounts.jsonl"), text);
  sandbox["file"] = dir_.file("accounts.jsonl");
  integration_ =
      create_integration(dir_, data_, "app", idp, "sandbox", sandbox, impatient_policy(), {"--no-check"});
}

Running::Running(const std::string& app_url, std::string_view app_token, const json::object& more)
    : data_(dir_.file("data")), owner_(init_data(data_)), port_(closed_port()) {
  json::object config{
      {"base_url", app_url}, {"allow_http", true}, {"auth", {{"type", "bearer"}, {"token", app_token}}}};
  for (const auto& [name, value] : more) config[name] = value;
  integration_ =
      create_integration(dir_, data_, "app", "okta", "scim", config, impatient_policy(), {"--no-check"});
}

void Running::serve(const Serve::Options& options) {
  server_.reset();
  server_ = std::make_unique<Serve>(data_, port_, options);
  const bool ready = server_->wait_ready();
  INFO(server_->log());
  REQUIRE(ready);
}

Reply Running::scim(std::string_view method, std::string_view path, std::string_view body,
                    std::string_view more_fields) const {
  std::string fields(more_fields);
  if (fields.find("Content-Type:") == std::string::npos) fields += scim_json;
  return http(port_, method, integration_.base + std::string(path), integration_.token, body, fields);
}

Reply Running::api(std::string_view method, std::string_view path, std::string_view body) const {
  return http(port_, method, "/api/v1" + std::string(path), owner_, body);
}

std::string Running::add_user(std::string_view name) const {
  const auto made = scim("POST", "/Users", user_of(name));
  INFO(made.body);
  REQUIRE(made.status == 201);
  return std::string(made.json.at("id").as_string());
}

Reply Running::set_active(const std::string& id, bool active) const {
  return scim("PATCH", "/Users/" + id,
              patch_of(R"([{"op":"replace","value":{"active":)" + std::string(active ? "true" : "false") + "}}]"));
}

json::value Running::removal(const std::string& user) const {
  const auto shown = api("GET", "/jobs?integration=" + integration_.id + "&subject=" + user);
  INFO(shown.body);
  REQUIRE(shown.status == 200);
  for (const auto& job : shown.json.at("items").as_array())
    if (job.at("kind").as_string() == "remove_access") return job;
  return nullptr;
}

bool Running::removal_reaches(const std::string& user, std::string_view state,
                              std::chrono::milliseconds limit) const {
  return eventually(
      [&] {
        const auto job = removal(user);
        return job.is_object() && job.at("state").as_string() == state;
      },
      limit);
}

json::array Running::activity() const {
  json::array all;
  for (std::int64_t after = 0;;) {
    const auto page =
        api("GET", "/integrations/" + integration_.id + "/activity?limit=1000&after=" + std::to_string(after));
    INFO(page.body);
    REQUIRE(page.status == 200);
    for (const auto& row : page.json.at("items").as_array()) all.push_back(row);
    if (page.json.at("next").is_null()) return all;
    after = page.json.at("next").as_int64();
  }
}

bool Running::healthy() const { return server_->running() && http(port_, "GET", "/readyz").status == 200; }

}  // namespace deprov::test
