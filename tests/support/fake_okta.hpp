// Okta's API as its documentation has it, as far as an app's assignments are read.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/time.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#include "support/api.hpp"

namespace deprov::test {

class FakeOkta {
 public:
  struct User {
    std::string status = "ACTIVE";
    WallTime changed{};
    bool assigned = true;
  };
  std::string url = "https://example.okta.com";
  std::string token = "t0";
  std::size_t page_size = 3;
  std::map<std::string, User> users;
  std::vector<std::string> log;  ///< events, by persistence
  bool group_changed = false;    ///< a group that is assigned to the app
  std::function<WallTime()> now;
  /// Answers in place of Okta where it returns something. `nth` counts from 0.
  std::function<std::optional<port::HttpResponse>(const ApiRequest&, std::size_t nth)> fault;
  std::size_t asked = 0;
  /// What the token endpoint thinks of a client; an answer is a refusal.
  std::function<std::optional<port::HttpResponse>(const ApiRequest&)> login;
  std::size_t tokens = 0;  ///< access tokens given out
  std::string token_type = "Bearer";

  void deactivate(const std::string& id) {
    users[id] = {"DEPROVISIONED", now(), false};  // takes all assignments with it
    note("user.lifecycle.deactivate", id);
  }
  void suspend(const std::string& id) {
    users[id].status = "SUSPENDED";
    users[id].changed = now();
    note("user.lifecycle.suspend", id);
  }
  void unassign(const std::string& id) {
    users[id].assigned = false;
    note("application.user_membership.remove", id);
  }
  void assign(const std::string& id) {
    users[id].assigned = true;
    note("application.user_membership.add", id);
  }
  void erase(const std::string& id) {
    users.erase(id);
    note("user.lifecycle.delete.completed", id);
  }

  port::HttpResponse operator()(const ApiRequest& request) {
    if (login && request.url == url + "/oauth2/v1/token") {
      if (auto refused = login(request)) return *refused;
      access_ = "access" + std::to_string(++tokens);
      return {200,
              {},
              R"({"token_type":")" + token_type + R"(","expires_in":3600,"access_token":")" + access_ + "\"}"};
    }
    const auto nth = asked++;
    if (fault)
      if (auto r = fault(request, nth)) return *r;
    if (request.authorization != (login ? token_type + " " + access_ : "SSWS " + token))
      return error(401, "E0000011", "Invalid token provided");
    const auto target = request.url.substr(url.size() + std::string("/api/v1").size());
    const std::string app = "/apps/0oa1/users";
    if (target.starts_with(app + "?")) return assignments(request.url);
    if (target.starts_with(app + "/")) {
      const auto id = target.substr(app.size() + 1, target.find('?') - app.size() - 1);
      const auto u = users.find(id);
      if (u == users.end()) return missing(id, "User");
      return u->second.assigned ? answer(200, boost::json::serialize(app_user(*u))) : missing(id, "AppUser");
    }
    if (target.starts_with("/users?")) return changed_users(target);
    if (target.starts_with("/users/")) {
      const auto u = users.find(target.substr(7));
      return u == users.end() ? missing(target.substr(7), "User") : answer(200, boost::json::serialize(user(*u)));
    }
    if (target.starts_with("/groups?"))
      return answer(200, group_changed ? R"([{"id":"00g1"},{"id":"00g2"}])" : "[]");
    if (target.starts_with("/apps/0oa1/groups")) return answer(200, R"([{"id":"00g2"}])");
    if (target.starts_with("/logs?")) return events(target);
    return error(404, "E0000022", "The endpoint does not support the provided HTTP method");
  }

  static port::HttpResponse error(int status, const std::string& code, const std::string& text,
                                  std::vector<port::HttpHeader> headers = {}) {
    return {status, std::move(headers),
            boost::json::serialize(boost::json::object{{"errorCode", code},
                                                       {"errorSummary", text},
                                                       {"errorLink", code},
                                                       {"errorCauses", boost::json::array{}}})};
  }

 private:
  std::string access_ = "none";
  using Entry = std::pair<const std::string, User>;

  port::HttpResponse answer(int status, std::string body, const std::string& next = {}) const {
    port::HttpResponse r{
        status, {{"X-Rate-Limit-Limit", "600"}, {"X-Rate-Limit-Remaining", "599"}}, std::move(body)};
    if (!next.empty()) r.headers.push_back({"Link", "<" + next + ">; rel=\"next\""});
    return r;
  }
  static port::HttpResponse missing(const std::string& id, const std::string& what) {
    return error(404, "E0000007", "Not found: Resource not found: " + id + " (" + what + ")");
  }
  void note(const std::string& type, const std::string& id) {
    log.push_back(boost::json::serialize(boost::json::object{{"uuid", "e" + std::to_string(log.size())},
                                                             {"published", to_rfc3339(now())},
                                                             {"eventType", type},
                                                             {"outcome", {{"result", "SUCCESS"}}},
                                                             {"target",
                                                              {{{"type", "AppUser"}, {"id", "0ua" + id}},
                                                               {{"type", "AppInstance"}, {"id", "0oa1"}},
                                                               {{"type", "User"}, {"id", id}}}}}));
  }
  static boost::json::object user(const Entry& u) {
    return {{"id", u.first},
            {"status", u.second.status},
            {"statusChanged", to_rfc3339(u.second.changed)},
            {"lastUpdated", to_rfc3339(u.second.changed)},
            {"profile", {{"login", u.first + "@example.com"}}}};
  }
  static boost::json::object app_user(const Entry& u) {
    return {{"id", u.first},
            {"scope", "USER"},
            {"status", "PROVISIONED"},
            {"statusChanged", "2024-01-31T18:25:03.000Z"},
            {"credentials", {{"userName", u.first + "@example.com"}}},
            {"_embedded", {{"user", user(u)}}}};
  }
  static std::string parameter(const std::string& target, const std::string& name) {
    const auto at = target.find(name + "=");
    if (at == std::string::npos) return {};
    const auto from = at + name.size() + 1;
    return target.substr(from, target.find('&', from) - from);
  }
  port::HttpResponse assignments(const std::string& asked_url) const {
    const auto after = parameter(asked_url, "after");
    boost::json::array page;
    for (const auto& u : users) {
      if (!u.second.assigned || (!after.empty() && u.first <= after)) continue;
      if (page.size() == page_size)
        return answer(200, boost::json::serialize(page),
                      url + "/api/v1/apps/0oa1/users?expand=user&limit=3&after=" +
                          std::string(page.back().at("id").as_string()));
      page.push_back(app_user(u));
    }
    return answer(200, boost::json::serialize(page));
  }
  port::HttpResponse changed_users(const std::string& target) const {
    auto since = target.substr(target.find("%22") + 3);
    since = since.substr(0, since.find("%22"));
    for (std::size_t at = 0; (at = since.find("%3A")) != std::string::npos;) since.replace(at, 3, ":");
    const auto from = parse_rfc3339(since).value();
    boost::json::array page;
    for (const auto& u : users)
      if (u.second.changed > from) page.push_back(user(u));
    return answer(200, boost::json::serialize(page));
  }
  port::HttpResponse events(const std::string& target) const {
    const auto after = parameter(target, "after");
    std::string body = "[";
    for (auto i = after.empty() ? 0 : std::stoul(after); i < log.size(); ++i)
      body.append(body.size() == 1 ? "" : ",").append(log[i]);
    return answer(200, body + "]", url + "/api/v1/logs?after=" + std::to_string(log.size()));
  }
};

}  // namespace deprov::test
