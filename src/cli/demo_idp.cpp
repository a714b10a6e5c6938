#include "cli/demo_idp.hpp"
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include "cli/api.hpp"

namespace deprov::cli {

namespace {

constexpr const char* user_schema = "urn:ietf:params:scim:schemas:core:2.0:User";
constexpr const char* enterprise_schema = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
constexpr const char* group_schema = "urn:ietf:params:scim:schemas:core:2.0:Group";
constexpr const char* entra_group_schema =
    "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";
constexpr const char* patch_schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

}  // namespace

std::string user_name_of(const std::string& user) { return user + "@example.com"; }

Result<json::value> scim_call(port::HttpTransport& http, const ScimEndpoint& at, const std::string& method,
                              const std::string& path, const json::value& body,
                              const std::vector<port::HttpHeader>& headers) {
  port::HttpRequest request;
  request.method = method;
  request.url = at.url + path;
  request.headers = headers;
  request.headers.push_back({"Authorization", "Bearer " + at.token});
  if (!body.is_null()) {
    request.headers.push_back({"Content-Type", "application/scim+json; charset=utf-8"});
    request.body = json::serialize(body);
  }
  const auto result =
      wait_for<port::HttpResult>([&](auto done) { http.send(std::move(request), std::move(done)); });
  const auto what = method + " " + path;
  if (!result.response) return Error(Errc::unavailable, "no answer: " + result.failure.detail, what);
  if (result.response->status / 100 != 2) {
    return Error(
        Errc::protocol,
        "answered " + std::to_string(result.response->status) + " " + result.response->body.substr(0, 500), what);
  }
  if (result.response->body.empty()) return json::value();
  boost::system::error_code ec;
  auto parsed = json::parse(result.response->body, ec);
  if (ec) return Error(Errc::protocol, "the answer is not JSON", what);
  return parsed;
}

Result<json::value> Idp::send(const std::string& method, const std::string& path, const json::value& body) {
  std::vector<port::HttpHeader> headers{{"Accept", "application/scim+json"}};
  if (kind_ == Kind::okta) {
    headers.push_back({"User-Agent", "Okta SCIM Client 1.0.0"});
  } else {
    headers.push_back({"ADSCIMVersion", "Date:20260101, ActivityId:00000000-0000-0000-0000-000000000001"});
  }
  return scim_call(http_, at_, method, path, body, headers);
}

json::value Idp::patch(json::array operations) const {
  return json::object{{"schemas", {patch_schema}}, {"Operations", std::move(operations)}};
}

Result<void> Idp::test_connection() {
  if (kind_ == Kind::okta) {
    DEPROV_CHECK(send("GET", "/Users?startIndex=1&count=2"));
    DEPROV_CHECK(send("GET", "/Groups?startIndex=1&count=100"));
    return {};
  }
  DEPROV_TRY(found,
             send("GET", "/Users?filter=" + url_encoded("userName eq \"6ae4f2c0-7d1b-4c5e-9a57-3f1c5b0a4d11\"")));
  if (found.at("totalResults") != 0)
    return Error(Errc::protocol, "a user that cannot exist was found", "connection test");
  return {};
}

Result<void> Idp::provision(const std::string& user) {
  const auto name = user_name_of(user);
  DEPROV_TRY(found, send("GET", "/Users?filter=" + url_encoded("userName eq \"" + name + "\"") +
                                    (kind_ == Kind::okta ? "&startIndex=1&count=100" : "")));
  if (found.at("totalResults") != 0) return Error(Errc::conflict, "the user is there already", name);
  json::object body;
  if (kind_ == Kind::okta) {
    body = {{"schemas", {user_schema}},
            {"userName", name},
            {"name", {{"givenName", user}, {"familyName", "Example"}}},
            {"emails", {{{"primary", true}, {"value", name}, {"type", "work"}}}},
            {"displayName", user + " Example"},
            {"locale", "en-US"},
            {"externalId", "00u-" + user},
            {"groups", json::array()},
            {"password", "1mz050nq"},
            {"active", true}};
  } else {
    body = {{"schemas", {user_schema, enterprise_schema}},
            {"externalId", "00u-" + user},
            {"userName", name},
            {"active", true},
            {"emails", {{{"primary", true}, {"value", name}, {"type", "work"}}}},
            {"name", {{"formatted", user + " Example"}, {"familyName", "Example"}, {"givenName", user}}},
            {"roles", json::array()}};
  }
  DEPROV_TRY(made, send("POST", "/Users", body));
  users_[user] = std::string(made.at("id").as_string());
  return {};
}

Result<void> Idp::push_group(const std::string& group, const std::vector<std::string>& users) {
  json::object body{{"schemas", {group_schema}}, {"displayName", group}, {"members", json::array()}};
  if (kind_ == Kind::entra) {
    body = {{"schemas", {group_schema, entra_group_schema}},
            {"externalId", "g-" + group},
            {"displayName", group},
            {"meta", {{"resourceType", "Group"}}}};
  }
  DEPROV_TRY(made, send("POST", "/Groups", body));
  const auto id = groups_[group] = std::string(made.at("id").as_string());
  json::array members;
  for (const auto& user : users) {
    if (kind_ == Kind::okta) {
      members.push_back(json::object{{"value", users_.at(user)}, {"display", user_name_of(user)}});
    } else {
      members.push_back(json::object{{"$ref", nullptr}, {"value", users_.at(user)}});
    }
  }
  json::object operation{{"op", kind_ == Kind::okta ? "replace" : "Add"}, {"path", "members"}};
  operation["value"] = std::move(members);
  DEPROV_CHECK(send("PATCH", "/Groups/" + id, patch({std::move(operation)})));
  return {};
}

Result<void> Idp::set_active(const std::string& user, bool active) {
  json::object operation;
  if (kind_ == Kind::okta) {
    operation = {{"op", "replace"}, {"value", {{"active", active}}}};
  } else {
    operation = {{"op", "Replace"}, {"path", "active"}, {"value", active ? "True" : "False"}};
  }
  DEPROV_CHECK(send("PATCH", "/Users/" + users_.at(user), patch({std::move(operation)})));
  return {};
}

Result<void> Idp::remove_members(const std::string& group, const std::vector<std::string>& users) {
  json::array operations;
  json::array values;
  for (const auto& user : users) {
    if (kind_ == Kind::okta) {
      operations.push_back(
          json::object{{"op", "remove"}, {"path", "members[value eq \"" + users_.at(user) + "\"]"}});
    } else {
      values.push_back(json::object{{"$ref", nullptr}, {"value", users_.at(user)}});
    }
  }
  if (kind_ == Kind::entra)
    operations.push_back(json::object{{"op", "Remove"}, {"path", "members"}, {"value", std::move(values)}});
  DEPROV_CHECK(send("PATCH", "/Groups/" + groups_.at(group), patch(std::move(operations))));
  return {};
}

Result<void> Idp::delete_group(const std::string& group) {
  DEPROV_CHECK(send("DELETE", "/Groups/" + groups_.at(group)));
  return {};
}

}  // namespace deprov::cli
