// An app that does as a test tells it, well or not.
#pragma once

#include <algorithm>
#include <atomic>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include "support/test_server.hpp"

namespace deprov::test {

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
    wrong_list,
    held  ///< a change is made, and answered once `release` is called
  };
  static constexpr std::string_view token = "the-app-token";

  App() : server_([this](const ServerRequest& r) { return answer(r); }) {}
  void set(Mood mood) { mood_ = mood; }
  void release() { server_.release(); }
  [[nodiscard]] std::string url() const { return server_.url() + "/scim"; }
  [[nodiscard]] bool disabled(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    return off_.contains(name);
  }
  /// How often it was told to change an account.
  [[nodiscard]] std::size_t changes() const {
    const auto all = server_.requests();
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [](const auto& r) { return r.method == "PATCH"; }));
  }

 private:
  static boost::json::object user(const std::string& name, bool active) {
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
      case Mood::held: return r.method == "PATCH" ? deprov::test::hold(well(r)) : well(r);
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
      boost::json::array found;
      for (int i = 0; i < 10; ++i) {
        const auto name = "user" + std::to_string(i);
        if (r.target.find("filter=") == std::string::npos ||
            r.target.find("userName%20eq%20%22" + name + "%22") != std::string::npos)
          found.push_back(user(name, !off_.contains(name)));
      }
      const auto total = found.size();
      return respond_json(200, boost::json::serialize(boost::json::object{
                                   {"schemas", {"urn:ietf:params:scim:api:messages:2.0:ListResponse"}},
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
    return respond_json(200, boost::json::serialize(user(name, !off_.contains(name))));
  }

  std::atomic<Mood> mood_{Mood::well};
  mutable std::mutex mutex_;
  std::set<std::string> off_;
  TestServer server_;
};

}  // namespace deprov::test
