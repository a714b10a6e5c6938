#include "sim/idp.hpp"
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

namespace deprov::test::sim {

namespace {

constexpr const char* user_schema = "urn:ietf:params:scim:schemas:core:2.0:User";
constexpr const char* group_schema = "urn:ietf:params:scim:schemas:core:2.0:Group";

std::string patch(json::array operations) {
  return json::serialize(json::object{{"schemas", json::array{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}},
                                      {"Operations", std::move(operations)}});
}

std::string id_of(const json::value& body) {
  const auto* o = body.if_object();
  const auto* id = o != nullptr ? o->if_contains("id") : nullptr;
  return id != nullptr && id->is_string() ? std::string(id->get_string()) : std::string{};
}

/// Of the only resource that a list shows.
std::string found_id(const json::value& body) {
  boost::system::error_code ec;
  const auto* first = body.find_pointer("/Resources/0", ec);
  return first != nullptr ? id_of(*first) : std::string{};
}

bool fine(int status) { return status >= 200 && status < 300; }

}  // namespace

template <class Object>
void Idp::enqueue(Object& object, std::function<void()> what) {
  object.queue.push_back(std::move(what));
  if (!object.busy) next(object);
}

template <class Object>
void Idp::next(Object& object) {
  object.busy = !object.queue.empty();
  if (!object.busy) return;
  auto what = std::move(object.queue.front());
  object.queue.pop_front();
  what();
}

std::size_t Idp::unanswered() const {
  std::size_t n = 0;
  for (const auto& u : users_) n += u.queue.size() + (u.busy ? 1 : 0);
  for (const auto& g : groups_) n += g.queue.size() + (g.busy ? 1 : 0);
  return n;
}

void Idp::ask(const std::shared_ptr<Request>& request) {
  service::Request r;
  r.method = request->method;
  r.target = base + request->path;
  r.headers = {{"Authorization", "Bearer " + token},
               {"Content-Type", "application/scim+json; charset=utf-8"},
               {"Accept", "application/scim+json"},
               {"Host", "gw.example.com"}};
  r.headers.push_back(plan_.idp == "okta" ? service::Header{"User-Agent", "Okta SCIM Client 1.0.0"}
                                          : service::Header{"ADSCIMVersion", "Date:2026-01-01, ActivityId:1"});
  r.body = request->body;
  r.peer = "192.0.2.1";
  ++request->tries;
  wire_.send(std::move(r), [this, request](std::optional<service::Response> response) {
    if (!response || response->status == 503 || response->status == 429 || response->status == 500) {
      if (response && response->status == 500) wire_.surprised(request->method + " is answered 500");
      return wire_.later(std::chrono::seconds(2), [this, request] { ask(request); });
    }
    if (response->status == 401) wire_.surprised("a good token is answered 401");
    boost::system::error_code ec;
    const auto body = response->body.empty() ? json::value() : json::parse(response->body, ec);
    request->answered(response->status, body);
  });
}

std::string Idp::external(std::uint32_t u) const {
  return "ext-" + std::to_string(u) + "-" + std::to_string(users_[u].incarnation);
}

std::string Idp::active_body(bool active) const {
  if (plan_.idp == "okta")
    return patch({json::object{{"op", "replace"}, {"value", json::object{{"active", active}}}}});
  return patch({json::object{{"op", "Replace"}, {"path", "active"}, {"value", active ? "True" : "False"}}});
}

json::array Idp::values(const std::vector<std::uint32_t>& users) const {
  json::array list;
  for (const auto u : users) list.push_back(json::object{{"value", users_[u].id}});
  return list;
}

std::vector<std::uint32_t> Idp::known(const std::vector<std::uint32_t>& users) const {
  std::vector<std::uint32_t> out;
  for (const auto u : users)
    if (!users_[u].id.empty()) out.push_back(u);
  return out;
}

// ---- users

void Idp::create_user(std::uint32_t u, bool same_external) {
  enqueue(users_[u], [this, u, same_external] {
    auto& user = users_[u];
    if (!user.id.empty()) return next(user);
    if (!same_external) ++user.incarnation;
    if (user.login.empty()) user.login = "u" + std::to_string(u) + "@x.test";
    auto request = std::make_shared<Request>();
    request->method = "POST";
    request->path = "/Users";
    request->body = json::serialize(json::object{
        {"schemas", json::array{user_schema}},
        {"userName", user.login},
        {"externalId", external(u)},
        {"active", true},
        {"emails", json::array{json::object{{"value", user.login}, {"type", "work"}, {"primary", true}}}}});
    request->answered = [this, u](int status, const json::value& body) {
      auto& made = users_[u];
      if (fine(status)) {
        made.id = id_of(body);
        made.active = true;
        made.unsure = false;
        return next(made);
      }
      if (status != 409) {
        wire_.surprised("POST /Users is answered " + std::to_string(status));
        return next(made);
      }
      // It is there already, after an answer that was lost: looked up, as an IdP does.
      auto look = std::make_shared<Request>();
      look->method = "GET";
      look->path = "/Users?filter=userName%20eq%20%22" + made.login + "%22";
      look->answered = [this, u](int, const json::value& list) {
        auto& there = users_[u];
        there.id = found_id(list);
        there.active = true;
        there.unsure = false;
        next(there);
      };
      ask(look);
    };
    ask(request);
  });
}

void Idp::say(std::uint32_t u, const std::string& body, std::function<void()> believed) {
  enqueue(users_[u], [this, u, body, believed = std::move(believed)] {
    auto& user = users_[u];
    if (user.id.empty()) return next(user);
    if (user.said.empty() || user.said.back().second != body) user.said.emplace_back("PATCH", body);
    auto request = std::make_shared<Request>();
    request->method = "PATCH";
    request->path = "/Users/" + user.id;
    request->body = body;
    request->answered = [this, u, believed](int status, const json::value&) {
      if (fine(status)) {
        believed();
      } else {
        wire_.surprised("PATCH /Users is answered " + std::to_string(status));
      }
      next(users_[u]);
    };
    ask(request);
  });
}

void Idp::set_active(std::uint32_t u, bool active) {
  say(u, active_body(active), [this, u, active] {
    users_[u].active = active;
    users_[u].unsure = false;
  });
}

void Idp::erase_user(std::uint32_t u) {
  enqueue(users_[u], [this, u] {
    auto& user = users_[u];
    if (user.id.empty()) return next(user);
    auto request = std::make_shared<Request>();
    request->method = "DELETE";
    request->path = "/Users/" + user.id;
    request->answered = [this, u](int status, const json::value&) {
      auto& gone = users_[u];
      if (fine(status) || status == 404) {
        gone.id.clear();
        gone.active = false;
        gone.erased = true;
        gone.unsure = false;
        gone.said.clear();
        for (auto& g : groups_) g.members.erase(u);
      } else {
        wire_.surprised("DELETE /Users is answered " + std::to_string(status));
      }
      next(gone);
    };
    ask(request);
  });
}

void Idp::rename_user(std::uint32_t u) {
  const auto login = "u" + std::to_string(u) + "-" + std::to_string(++users_[u].renames) + "@x.test";
  say(u, patch({json::object{{"op", "replace"}, {"path", "userName"}, {"value", login}}}),
      [this, u, login] { users_[u].login = login; });
}

// Two requests on one object side by side: either may be the last.
void Idp::race(std::uint32_t u) {
  enqueue(users_[u], [this, u] {
    auto& user = users_[u];
    if (user.id.empty()) return next(user);
    auto left = std::make_shared<int>(2);
    for (const bool active : {false, true}) {
      auto request = std::make_shared<Request>();
      request->method = "PATCH";
      request->path = "/Users/" + user.id;
      request->body = active_body(active);
      request->answered = [this, u, left](int, const json::value&) {
        users_[u].unsure = true;
        if (--*left == 0) next(users_[u]);
      };
      ask(request);
    }
  });
}

// ---- groups

void Idp::make_group(std::uint32_t g, bool everybody) {
  enqueue(groups_[g], [this, g, everybody] {
    auto& group = groups_[g];
    if (!group.id.empty()) return next(group);
    group.name = "g" + std::to_string(g);
    group.renamed = false;
    std::vector<std::uint32_t> who;
    for (std::uint32_t u = 0; everybody && u < users_.size(); ++u) who.push_back(u);
    who = known(who);
    auto request = std::make_shared<Request>();
    request->method = "POST";
    request->path = "/Groups";
    request->body = json::serialize(json::object{
        {"schemas", json::array{group_schema}}, {"displayName", group.name}, {"members", values(who)}});
    request->answered = [this, g, who](int status, const json::value& body) {
      auto& made = groups_[g];
      if (fine(status)) {
        made.id = id_of(body);
        made.members = {who.begin(), who.end()};
        made.nested.clear();
      }
      next(made);
    };
    // Names of groups are not unique: one whose answer was lost is looked up before it is made again.
    auto look = std::make_shared<Request>();
    look->method = "GET";
    look->path = "/Groups?filter=displayName%20eq%20%22" + group.name + "%22";
    look->answered = [this, request, g](int, const json::value& list) {
      if (found_id(list).empty()) return ask(request);
      auto& there = groups_[g];
      there.id = found_id(list);
      there.members.clear();
      next(there);
      replace_members(g, {}, true);
    };
    ask(look);
  });
}

void Idp::erase_group(std::uint32_t g) {
  enqueue(groups_[g], [this, g] {
    auto& group = groups_[g];
    if (group.id.empty()) return next(group);
    auto request = std::make_shared<Request>();
    request->method = "DELETE";
    request->path = "/Groups/" + group.id;
    request->answered = [this, g](int status, const json::value&) {
      auto& gone = groups_[g];
      if (fine(status) || status == 404) {
        gone.id.clear();
        gone.members.clear();
        gone.nested.clear();
        for (auto& other : groups_) other.nested.erase(g);
      }
      next(gone);
    };
    ask(request);
  });
}

void Idp::change_members(std::uint32_t g, const std::vector<std::uint32_t>& add,
                         const std::vector<std::uint32_t>& remove, bool alone, int tries) {
  enqueue(groups_[g], [this, g, add, remove, alone, tries] {
    auto& group = groups_[g];
    const auto in = known(add);
    const auto out = known(remove);
    if (group.id.empty() || (in.empty() && out.empty())) return next(group);
    json::array operations;
    const bool okta = plan_.idp == "okta";
    if (okta || alone) {
      for (const auto u : out)
        operations.push_back(json::object{{"op", okta ? "remove" : "Remove"},
                                          {"path", "members[value eq \"" + users_[u].id + "\"]"}});
    } else if (!out.empty()) {
      operations.push_back(json::object{{"op", "Remove"}, {"path", "members"}, {"value", values(out)}});
    }
    if (!in.empty())
      operations.push_back(json::object{{"op", okta ? "add" : "Add"}, {"path", "members"}, {"value", values(in)}});
    auto request = std::make_shared<Request>();
    request->method = "PATCH";
    request->path = "/Groups/" + group.id;
    request->body = patch(std::move(operations));
    request->answered = [this, g, in, out, add, remove, alone, tries](int status, const json::value&) {
      auto& changed = groups_[g];
      if (fine(status)) {
        for (const auto u : out) changed.members.erase(u);
        for (const auto u : in)
          if (!users_[u].id.empty()) changed.members.insert(u);
      } else if (tries > 0) {  // somebody in it was deleted meanwhile: an earlier try may have been stored
        change_members(g, add, remove, alone, tries - 1);
      }
      next(changed);
    };
    ask(request);
  });
}

void Idp::replace_members(std::uint32_t g, const std::vector<std::uint32_t>& all, bool put, int tries) {
  enqueue(groups_[g], [this, g, all, put, tries] {
    auto& group = groups_[g];
    if (group.id.empty()) return next(group);
    const auto who = known(all);
    auto request = std::make_shared<Request>();
    request->method = put ? "PUT" : "PATCH";
    request->path = "/Groups/" + group.id;
    request->body =
        put ? json::serialize(json::object{
                  {"schemas", json::array{group_schema}}, {"displayName", group.name}, {"members", values(who)}})
            : patch({json::object{{"op", "replace"}, {"path", "members"}, {"value", values(who)}}});
    request->answered = [this, g, who, all, put, tries](int status, const json::value&) {
      auto& changed = groups_[g];
      if (fine(status)) {
        changed.members.clear();
        for (const auto u : who)
          if (!users_[u].id.empty()) changed.members.insert(u);
        changed.nested.clear();
      } else if (tries > 0) {
        replace_members(g, all, put, tries - 1);
      }
      next(changed);
    };
    ask(request);
  });
}

void Idp::rename_group(std::uint32_t g) {
  enqueue(groups_[g], [this, g] {
    auto& group = groups_[g];
    if (group.id.empty()) return next(group);
    const auto name = group.renamed ? "g" + std::to_string(g) : "was-g" + std::to_string(g);
    auto request = std::make_shared<Request>();
    request->method = "PATCH";
    request->path = "/Groups/" + group.id;
    request->body = patch({json::object{{"op", "replace"}, {"path", "displayName"}, {"value", name}}});
    request->answered = [this, g, name](int status, const json::value&) {
      auto& renamed = groups_[g];
      if (fine(status)) {
        renamed.name = name;
        renamed.renamed = !renamed.renamed;
      }
      next(renamed);
    };
    ask(request);
  });
}

void Idp::nest(std::uint32_t outer, std::uint32_t inner) {
  if (outer == inner) return;
  enqueue(groups_[outer], [this, outer, inner] {
    auto& group = groups_[outer];
    if (group.id.empty() || groups_[inner].id.empty()) return next(group);
    const bool is = group.nested.contains(inner);
    const auto& id = groups_[inner].id;
    auto request = std::make_shared<Request>();
    request->method = "PATCH";
    request->path = "/Groups/" + group.id;
    request->body =
        is ? patch({json::object{{"op", "remove"}, {"path", "members[value eq \"" + id + "\"]"}}})
           : patch({json::object{{"op", "add"},
                                 {"path", "members"},
                                 {"value", json::array{json::object{{"value", id}, {"type", "Group"}}}}}});
    request->answered = [this, outer, inner, is](int status, const json::value&) {
      auto& changed = groups_[outer];
      if (fine(status)) {
        if (is) {
          changed.nested.erase(inner);
        } else if (!groups_[inner].id.empty()) {
          changed.nested.insert(inner);
        }
      }
      next(changed);
    };
    ask(request);
  });
}

// ---- events

void Idp::happen(const Event& e) {
  const auto u = e.a % static_cast<std::uint32_t>(users_.size());
  const auto groups = static_cast<std::uint32_t>(groups_.size());
  const auto g = groups == 0 ? 0 : e.a % groups;
  const auto in = groups == 0 ? 0 : e.b % groups;
  std::vector<std::uint32_t> some;
  for (std::uint32_t i = 0; i < users_.size(); ++i)
    if ((e.b + i * 7) % 3 != 0) some.push_back(i);
  switch (e.kind) {
    case Kind::join: return create_user(u, true);
    case Kind::leave: return set_active(u, false);
    case Kind::come_back: return set_active(u, true);
    case Kind::erase: return erase_user(u);
    case Kind::rehire:
      if (e.b % 2 == 1) erase_user(u);
      return create_user(u, e.b % 4 < 2);
    case Kind::rename: return rename_user(u);
    case Kind::race: return race(u);
    case Kind::feed:
      for (std::uint32_t i = 0; i < users_.size(); ++i)
        if (i * 100 < (e.b + 1) * users_.size()) set_active(i, false);
      return;
    case Kind::echo:
    case Kind::stale: {
      const auto& said = users_[u].said;
      const std::size_t back = e.kind == Kind::echo ? 1 : 2;
      if (said.size() < back) return;
      const auto body = said[said.size() - back].second;
      const bool off = body == active_body(false);
      if (!off && body != active_body(true)) return;
      return set_active(u, !off);
    }
    default: break;
  }
  if (groups == 0) return;
  switch (e.kind) {
    case Kind::enter: return change_members(in, {u}, {}, false);
    case Kind::quit: return change_members(in, {}, {u}, e.b % 2 == 0);
    case Kind::quit_all:
      for (std::uint32_t i = 0; i < groups; ++i) change_members(i, {}, {u}, true);
      return;
    case Kind::move: change_members(in, {}, {u}, true); return change_members((in + 1) % groups, {u}, {}, false);
    case Kind::group_make: return make_group(g, e.b % 2 == 1);
    case Kind::group_erase: return erase_group(g);
    case Kind::group_empty: return replace_members(g, {}, e.b % 2 == 1);
    case Kind::group_replace: return replace_members(g, some, e.b % 2 == 1);
    case Kind::group_rename: return rename_group(g);
    case Kind::group_nest: return nest(g, in);
    default: return;
  }
}

}  // namespace deprov::test::sim
