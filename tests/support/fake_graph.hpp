// Microsoft Graph as its documentation has it, as far as users, groups and assignments are read.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>
#include "support/api.hpp"

namespace deprov::test {

class FakeGraph {
 public:
  enum class State { enabled, disabled, soft_deleted };
  std::string url = "https://graph.microsoft.com/v1.0";
  std::string login_url = "https://login.microsoftonline.com";
  std::map<std::string, State> users;  ///< a hard-deleted one is not in it
  std::set<std::string> assigned;
  std::map<std::string, std::set<std::string>> groups;  ///< all of them assigned
  std::size_t oldest = 0;                               ///< older delta tokens are forgotten
  std::size_t tokens = 0;                               ///< access tokens given out
  /// What the token endpoint thinks of a client; an answer is a refusal.
  std::function<std::optional<port::HttpResponse>(const ApiRequest&)> login;
  /// Answers in place of Graph where it returns something.
  std::function<std::optional<port::HttpResponse>(const ApiRequest&)> fault;

  void set(const std::string& id, State state) {
    users[id] = state;
    note(id, {});
  }
  void erase(const std::string& id) {
    users.erase(id);
    note(id, {});
  }
  void leave(const std::string& group, const std::string& id) {
    groups[group].erase(id);
    note(id, group);
  }
  void restart_tokens() { current_ = "access" + std::to_string(tokens + 1000); }

  port::HttpResponse operator()(const ApiRequest& r) {
    if (r.url == login_url + "/contoso.example/oauth2/v2.0/token") {
      if (login)
        if (auto refused = login(r)) return *refused;
      current_ = "access" + std::to_string(++tokens);
      return json({{"token_type", "Bearer"}, {"expires_in", 3599}, {"access_token", current_}});
    }
    if (fault)
      if (auto answer = fault(r)) return *answer;
    if (r.authorization != "Bearer " + current_)
      return error(401, "InvalidAuthenticationToken", "Access token has expired");
    const auto path = r.url.substr(url.size());
    if (path.starts_with("/users/delta?") || path.starts_with("/groups/delta?")) return delta(path);
    if (path.starts_with("/servicePrincipals/sp1/appRoleAssignedTo?")) return assignments();
    if (path.starts_with("/directoryObjects/getByIds?")) {
      boost::json::array found;
      const auto asked = boost::json::parse(r.body);
      for (const auto& id : asked.at("ids").as_array())
        if (there(std::string(id.as_string()))) found.push_back(person(std::string(id.as_string())));
      return list(std::move(found));
    }
    if (path.starts_with("/groups/")) {
      const auto group = path.substr(8, path.find("/members") - 8);
      if (groups.count(group) == 0) return missing(group);
      boost::json::array all;
      for (const auto& id : groups[group])
        if (there(id)) all.push_back(person(id));
      return list(std::move(all));
    }
    const std::string bin = "/directory/deletedItems/";
    if (path.starts_with(bin)) {
      const auto id = path.substr(bin.size(), path.find('?') - bin.size());
      return users.count(id) != 0 && !there(id) ? json({{"id", id}}) : missing(id);
    }
    const auto id = path.substr(7, path.find_first_of("/?", 7) - 7);  // /users/..
    if (!there(id)) return missing(id);
    if (path.find("/appRoleAssignments?") == std::string::npos) return json(person(id));
    boost::json::array all;
    if (assigned.count(id) != 0) all.push_back(assignment(id, "User"));
    for (const auto& [group, members] : groups)
      if (members.count(id) != 0) all.push_back(assignment(group, "Group"));
    const auto count = all.size();
    auto answer = boost::json::object{{"@odata.count", count}, {"value", std::move(all)}};
    return json(answer);
  }

  static port::HttpResponse error(int status, const std::string& code, const std::string& message,
                                  std::vector<port::HttpHeader> headers = {}) {
    return {status, std::move(headers),
            boost::json::serialize(boost::json::object{{"error", {{"code", code}, {"message", message}}}})};
  }

 private:
  static port::HttpResponse json(const boost::json::object& o) { return {200, {}, boost::json::serialize(o)}; }
  static port::HttpResponse list(boost::json::array value) {
    return json({{"@odata.context", "https://graph.microsoft.com/v1.0/$metadata#directoryObjects"},
                 {"value", std::move(value)}});
  }
  static port::HttpResponse missing(const std::string& id) {
    return error(
        404, "Request_ResourceNotFound",
        "Resource '" + id + "' does not exist or one of its queried reference-property objects are not present.");
  }
  [[nodiscard]] bool there(const std::string& id) const {
    const auto u = users.find(id);
    return u != users.end() && u->second != State::soft_deleted;
  }
  [[nodiscard]] boost::json::object person(const std::string& id) const {
    return {{"@odata.type", "#microsoft.graph.user"},
            {"id", id},
            {"userPrincipalName", id + "@contoso.example"},
            {"accountEnabled", users.at(id) == State::enabled}};
  }
  static boost::json::object assignment(const std::string& to, const std::string& type) {
    return {{"id", "assignment-" + to},
            {"deletedDateTime", nullptr},
            {"principalId", to},
            {"principalType", type},
            {"resourceId", "sp1"}};
  }
  port::HttpResponse assignments() const {
    boost::json::array all;
    for (const auto& id : assigned) all.push_back(assignment(id, "User"));
    for (const auto& [group, members] : groups) all.push_back(assignment(group, "Group"));
    return list(std::move(all));
  }
  void note(const std::string& user, const std::string& group) { changes_.emplace_back(user, group); }

  /// A delta begins with an empty page, and says everything twice.
  port::HttpResponse delta(const std::string& path) const {
    const bool of_users = path.starts_with("/users/");
    const std::string base = url + (of_users ? "/users/delta?" : "/groups/delta?");
    const auto token = path.substr(path.find("token=") + 6);
    boost::json::object page{{"value", boost::json::array{}}};
    if (token.starts_with("latest")) {
      page["@odata.deltaLink"] = base + "$deltatoken=" + std::to_string(changes_.size());
      return json(page);
    }
    const auto from = std::stoul(token);
    if (from < oldest)
      return error(410, "resyncRequired", "Resync required", {{"Location", base + "$deltatoken="}});
    if (path.find("$deltatoken=") != std::string::npos) {
      page["@odata.nextLink"] = base + "$skiptoken=" + token;
      return json(page);
    }
    auto& value = page["value"].as_array();
    for (int twice = 0; twice < 2; ++twice)
      for (auto i = from; i < changes_.size(); ++i) {
        const auto& [user, group] = changes_[i];
        if (of_users != group.empty()) continue;
        if (of_users) {
          if (there(user))
            value.push_back(person(user));
          else
            value.push_back(boost::json::object{
                {"id", user}, {"@removed", {{"reason", users.count(user) != 0 ? "changed" : "deleted"}}}});
        } else {
          value.push_back(boost::json::object{{"id", group},
                                              {"members@delta",
                                               {{{"@odata.type", "#microsoft.graph.user"},
                                                 {"id", user},
                                                 {"@removed", {{"reason", "deleted"}}}}}}});
        }
      }
    page["@odata.deltaLink"] = base + "$deltatoken=" + std::to_string(changes_.size());
    return json(page);
  }

  std::string current_ = "none";
  std::vector<std::pair<std::string, std::string>> changes_;  ///< user and, of a membership, group
};

}  // namespace deprov::test
