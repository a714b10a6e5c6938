// A scripted SCIM app, and a connection to it.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <memory>
#include <string>
#include <vector>
#include "fixture.hpp"
#include "support/test_server.hpp"

namespace deprov::test {

inline constexpr auto user_42 =
    R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"42","externalId":"x-42","userName":"Ann@Example.com",
        "active":true,"emails":[{"value":"ann@example.com","type":"work"}],"groups":[{"value":"g1"},{"value":"g2"}],
        "meta":{"resourceType":"User","version":"W/\"7\""},"title":"Dr"})";

inline std::string page(const std::vector<std::string>& users, std::size_t total, std::size_t start = 1) {
  std::string out = R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":)" +
                    std::to_string(total) + ",\"startIndex\":" + std::to_string(start) + ",\"Resources\":[";
  for (std::size_t i = 0; i < users.size(); ++i) out.append(i == 0 ? "" : ",").append(users[i]);
  return out + "]}";
}

inline std::string user(const std::string& id, const std::string& user_name, const std::string& external = {},
                        const std::string& email = {}) {
  json::object o{{"id", id}, {"userName", user_name}, {"active", true}};
  if (!external.empty()) o["externalId"] = external;
  if (!email.empty()) o["emails"] = json::array{json::object{{"value", email}}};
  return json::serialize(o);
}

inline std::string error(int status, const std::string& type, const std::string& detail = "told so") {
  json::object o{{"schemas", {"urn:ietf:params:scim:api:messages:2.0:Error"}},
                 {"status", std::to_string(status)},
                 {"detail", detail}};
  if (!type.empty()) o["scimType"] = type;
  return json::serialize(o);
}

inline json::object config_for(const TestServer& s) {
  return {{"base_url", s.url() + "/scim/v2/"},
          {"allow_http", true},
          {"auth", {{"type", "bearer"}, {"token", "secret-token"}}},
          {"me", false},
          {"timeout_s", 5}};
}

inline std::unique_ptr<connector::Connector> open(Bench& b, const json::object& config) {
  auto c = b.open("scim", config);
  REQUIRE(c);
  return std::move(*c);
}

/// What one answer of the app to one operation comes to.
inline Reply outcome_of(Bench& b, Operation o, const Answer& answer, double timeout_s = 60) {
  const TestServer s([&](const ServerRequest&) { return answer; });
  auto config = config_for(s);
  config["timeout_s"] = timeout_s;
  config["update"] = "patch";
  const auto c = open(b, config);
  return Bench::call(*c, make_call(o, "42"));
}

}  // namespace deprov::test
