// One IdP that pushes SCIM to one integration: requests in its own shape, repeated until they are answered, those
// about one object one after the other. It remembers what it was told is done.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <deprov/service/http.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>
#include "sim/script.hpp"

namespace deprov::test::sim {

/// The way to an engine.
class Wire {
 public:
  virtual ~Wire() = default;
  /// `done` comes later: nothing where nobody answered.
  virtual void send(service::Request request, std::function<void(std::optional<service::Response>)> done) = 0;
  virtual void later(Duration wait, std::function<void()> what) = 0;
  /// An answer that no IdP should get.
  virtual void surprised(const std::string& what) = 0;
};

class Idp {
 public:
  Idp(const AppPlan& plan, Wire& wire) : plan_(plan), wire_(wire) {
    users_.resize(plan.users);
    groups_.resize(plan.groups);
  }
  /// Known once the integration is made.
  std::string base;  ///< "/scim/v2/<id>"
  std::string token;

  /// One event of people or groups; others are ignored.
  void happen(const Event& e);
  /// Requests that have not been answered for good.
  [[nodiscard]] std::size_t unanswered() const;

  /// What it was told is done.
  struct User {
    std::string id;  ///< empty: it does not exist
    bool active = false;
    std::string login;
    std::uint32_t incarnation = 0;
    std::uint32_t renames = 0;
    bool unsure = false;  ///< requests overtook each other: either may hold
    bool erased = false;  ///< deleted once: what became of its memberships is not ours to say
    std::vector<std::pair<std::string, std::string>> said;  ///< method and body of requests about it
    std::deque<std::function<void()>> queue;
    bool busy = false;
  };
  struct Group {
    std::string id;
    std::string name;
    std::set<std::uint32_t> members;  ///< places of users
    std::set<std::uint32_t> nested;   ///< places of groups
    bool renamed = false;
    std::deque<std::function<void()>> queue;
    bool busy = false;
  };
  [[nodiscard]] const std::vector<User>& users() const noexcept { return users_; }
  [[nodiscard]] const std::vector<Group>& groups() const noexcept { return groups_; }

 private:
  struct Request {
    std::string method, path, body;
    std::function<void(int status, const json::value& body)> answered;  ///< for good
    int tries = 0;
  };
  template <class Object>
  void enqueue(Object& object, std::function<void()> what);
  template <class Object>
  void next(Object& object);
  void ask(const std::shared_ptr<Request>& request);

  void create_user(std::uint32_t u, bool same_external);
  void set_active(std::uint32_t u, bool active);
  void say(std::uint32_t u, const std::string& body, std::function<void()> believed);
  void erase_user(std::uint32_t u);
  void rename_user(std::uint32_t u);
  void race(std::uint32_t u);
  void make_group(std::uint32_t g, bool everybody);
  void erase_group(std::uint32_t g);
  void change_members(std::uint32_t g, const std::vector<std::uint32_t>& add,
                      const std::vector<std::uint32_t>& remove, bool alone, int tries = 5);
  void replace_members(std::uint32_t g, const std::vector<std::uint32_t>& all, bool put, int tries = 5);
  void rename_group(std::uint32_t g);
  void nest(std::uint32_t outer, std::uint32_t inner);
  [[nodiscard]] std::string active_body(bool active) const;
  [[nodiscard]] std::string external(std::uint32_t u) const;
  [[nodiscard]] json::array values(const std::vector<std::uint32_t>& users) const;
  [[nodiscard]] std::vector<std::uint32_t> known(const std::vector<std::uint32_t>& users) const;

  AppPlan plan_;
  Wire& wire_;
  std::vector<User> users_;
  std::vector<Group> groups_;
};

}  // namespace deprov::test::sim
