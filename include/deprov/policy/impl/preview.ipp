#pragma once
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <deprov/json_schema.hpp>
#include <deprov/policy/plan.hpp>
#include <deprov/policy/preview.hpp>
#include <deprov/scim/fold.hpp>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace deprov::policy {

namespace detail {

inline const json::value& state_schema() {
  static const json::value schema = json::parse(R"json({
    "type": "object", "additionalProperties": false, "required": ["users", "groups"],
    "properties": {
      "users": {"type": "array", "items": {
        "type": "object", "additionalProperties": false, "required": ["id"],
        "properties": {"id": {"type": "string", "minLength": 1, "maxLength": 1024}, "user_name": {"type": "string"},
          "active": {"type": "boolean"}, "access": {"type": "boolean"}, "ended": {"type": "boolean"},
          "observed": {"type": "boolean"}, "cause": {"type": "string"}, "retained": {"type": "boolean"},
          "external_id": {"type": "string"}, "attributes": {"type": "object"},
          "account_id": {"type": "string"}, "account_login": {"type": "string"},
          "own_account": {"type": "boolean"}}}},
      "groups": {"type": "array", "items": {
        "type": "object", "additionalProperties": false, "required": ["id"],
        "properties": {"id": {"type": "string", "minLength": 1, "maxLength": 1024},
          "external_id": {"type": "string"}, "display_name": {"type": "string"},
          "members": {"type": "array", "items": {"type": "string"}}}}}
    }
  })json");
  return schema;
}

inline bool names(const GroupRef& ref, const RecordedState::Group& group) {
  if (!ref.id.empty()) return scim::fold(ref.id) == scim::fold(group.id);
  if (!ref.external_id.empty()) return ref.external_id == group.external_id;
  return scim::fold(ref.display_name) == scim::fold(group.display_name);
}

/// The ids of everybody in an entitling group, directly or through groups.
inline std::unordered_set<std::string> entitled_by(const Policy& policy, const RecordedState& state) {
  std::unordered_map<std::string, const RecordedState::Group*> by_id;
  for (const auto& g : state.groups) by_id.emplace(g.id, &g);
  std::unordered_set<std::string> seen;
  std::vector<const RecordedState::Group*> level;
  for (const auto& g : state.groups)
    for (const auto& ref : policy.entitling_groups)
      if (names(ref, g) && seen.insert(g.id).second) level.push_back(&g);
  for (std::size_t depth = 0; depth < preview_depth && !level.empty(); ++depth) {
    std::vector<const RecordedState::Group*> below;
    for (const auto* g : level) {
      for (const auto& member : g->members) {
        if (!seen.insert(member).second) continue;
        if (const auto it = by_id.find(member); it != by_id.end()) below.push_back(it->second);
      }
    }
    level = std::move(below);
  }
  return seen;
}

inline json::array planned(const Policy& policy, idp::Cause cause, const connector::Description& app) {
  json::array out;
  for (const auto& s : plan_removal(policy, cause, app).steps) {
    if (s.kind != StepKind::call) continue;
    json::object o{{"step", step_name(s)}};
    if (s.grace.count() != 0) o["after_ms"] = s.grace.count() / 1000;
    if (!s.approval.empty()) o["approval"] = s.approval;
    out.emplace_back(std::move(o));
  }
  return out;
}

/// The changes of a preview by subject, or null.
inline const json::array* changes_of(const json::value& preview) {
  const auto* o = preview.if_object();
  const auto* list = o != nullptr ? o->if_contains("changes") : nullptr;
  return list != nullptr ? list->if_array() : nullptr;
}

}  // namespace detail

DEPROV_INLINE json::object to_json(const RecordedState& state) {
  json::array users;
  users.reserve(state.users.size());
  for (const auto& u : state.users) {
    json::object o{{"id", u.id}, {"user_name", u.user_name}, {"active", u.active}, {"access", u.access}};
    if (u.ended) o["ended"] = true;
    if (u.observed) o["observed"] = true;
    if (u.cause != idp::Cause::none) o["cause"] = idp::to_string(u.cause);
    if (u.retained) o["retained"] = true;
    if (!u.external_id.empty()) o["external_id"] = u.external_id;
    if (!u.attributes.empty()) o["attributes"] = u.attributes;
    if (!u.account_id.empty()) o["account_id"] = u.account_id;
    if (!u.account_login.empty()) o["account_login"] = u.account_login;
    if (u.own_account) o["own_account"] = true;
    users.emplace_back(std::move(o));
  }
  json::array groups;
  for (const auto& g : state.groups) {
    json::array members;
    members.reserve(g.members.size());
    for (const auto& m : g.members) members.emplace_back(m);
    groups.emplace_back(json::object{{"id", g.id},
                                     {"external_id", g.external_id},
                                     {"display_name", g.display_name},
                                     {"members", std::move(members)}});
  }
  return {{"users", std::move(users)}, {"groups", std::move(groups)}};
}

DEPROV_INLINE Result<RecordedState> parse_state(const json::value& document) {
  DEPROV_CHECK(validate_json(detail::state_schema(), document));
  const auto text = [](const json::object& o, const char* name) {
    const auto* v = o.if_contains(name);
    return v != nullptr ? std::string(v->get_string()) : std::string{};
  };
  const auto flag = [](const json::object& o, const char* name, bool otherwise) {
    const auto* v = o.if_contains(name);
    return v != nullptr ? v->get_bool() : otherwise;
  };
  RecordedState state;
  const auto& users = document.at("users").get_array();
  if (users.size() > max_state_users) {
    return Error(Errc::limit_exceeded, "more than " + std::to_string(max_state_users) + " users", "/users",
                 "give the users of fewer groups");
  }
  for (const auto& v : users) {
    const auto& o = v.get_object();
    RecordedState::User u;
    u.id = text(o, "id");
    u.user_name = text(o, "user_name");
    u.active = flag(o, "active", true);
    u.access = flag(o, "access", true);
    u.ended = flag(o, "ended", false);
    u.observed = flag(o, "observed", false);
    u.cause = idp::parse_cause(text(o, "cause")).value_or(idp::Cause::none);
    u.retained = flag(o, "retained", false);
    u.external_id = text(o, "external_id");
    if (const auto* attributes = o.if_contains("attributes")) u.attributes = attributes->get_object();
    u.account_id = text(o, "account_id");
    u.account_login = text(o, "account_login");
    u.own_account = flag(o, "own_account", false);
    state.users.push_back(std::move(u));
  }
  std::size_t members = 0;
  for (const auto& v : document.at("groups").get_array()) {
    const auto& o = v.get_object();
    RecordedState::Group g{text(o, "id"), text(o, "external_id"), text(o, "display_name"), {}};
    if (const auto* list = o.if_contains("members"))
      for (const auto& m : list->get_array()) g.members.emplace_back(m.get_string());
    members += g.members.size();
    if (members > max_state_members)
      return Error(Errc::limit_exceeded, "more than " + std::to_string(max_state_members) + " memberships",
                   "/groups");
    state.groups.push_back(std::move(g));
  }
  return state;
}

DEPROV_INLINE bool needs_attributes(const Protection& protection) noexcept {
  const auto asks = [](const auto& rule) { return !rule.who.role.empty() || !rule.who.filter.empty(); };
  return std::any_of(protection.subjects.begin(), protection.subjects.end(), asks) ||
         std::any_of(protection.exemptions.begin(), protection.exemptions.end(), asks);
}

DEPROV_INLINE json::object preview(const Policy& policy, const RecordedState& state,
                                   const connector::Description& app, WallTime now) {
  const auto entitled = detail::entitled_by(policy, state);
  std::vector<const RecordedState::User*> users;
  users.reserve(state.users.size());
  for (const auto& u : state.users) users.push_back(&u);
  std::sort(users.begin(), users.end(), [](const auto* a, const auto* b) { return a->id < b->id; });
  std::uint64_t keep = 0, remove = 0, restore = 0, without = 0, kept = 0;
  const auto protects = [&](const RecordedState::User& u) {
    if (u.own_account) return std::optional<Retention>(own_account_retention());
    if (policy.protection.empty()) return std::optional<Retention>();
    const SubjectFacts facts{ResourceId::parse(u.id).value_or(ResourceId{}),
                             u.external_id,
                             u.attributes.empty() ? nullptr : &u.attributes,
                             u.user_name,
                             u.account_id,
                             u.account_login};
    return retained(policy.protection, facts, now);
  };
  std::map<idp::Cause, json::array> steps;
  json::array changes;
  for (const auto* u : users) {
    const bool access = u->active && (policy.entitling_groups.empty() || entitled.contains(u->id));
    const bool by_hand = u->ended && u->cause == idp::Cause::manual;
    if (u->access && access) {
      ++keep;
    } else if (!access && (u->access || u->retained || (u->observed && !policy.observe))) {
      const auto cause = !u->access && u->cause != idp::Cause::none ? u->cause
                         : u->active                                ? idp::Cause::lost_entitling_group
                                                                    : idp::Cause::deactivated;
      if (const auto why = protects(*u)) {
        ++kept;
        json::object shown{{"subject", u->id},       {"user_name", u->user_name},
                           {"change", "retained"},   {"cause", idp::to_string(cause)},
                           {"steps", json::array{}}, {"why", to_string(why->kind)},
                           {"reason", why->reason},  {"rule", why->rule}};
        shown["until"] = why->until ? json::value(to_rfc3339(*why->until)) : json::value(nullptr);
        changes.emplace_back(std::move(shown));
        continue;
      }
      ++remove;
      auto& list = steps[cause];
      if (list.empty()) list = detail::planned(policy, cause, app);
      changes.emplace_back(json::object{{"subject", u->id},
                                        {"user_name", u->user_name},
                                        {"change", "remove"},
                                        {"cause", idp::to_string(cause)},
                                        {"steps", list}});
    } else if (access && !by_hand) {
      ++restore;
      changes.emplace_back(json::object{{"subject", u->id},
                                        {"user_name", u->user_name},
                                        {"change", u->ended ? "restore" : "grant"},
                                        {"cause", ""},
                                        {"steps", json::array{}}});
    } else {
      ++without;
    }
  }
  return {{"policy", to_json(policy)},
          {"counts",
           {{"keep", keep}, {"remove", remove}, {"restore", restore}, {"retained", kept}, {"without", without}}},
          {"changes", std::move(changes)}};
}

DEPROV_INLINE Result<json::object> preview_diff(const json::value& before, const json::value& after) {
  const auto* a = detail::changes_of(before);
  const auto* b = detail::changes_of(after);
  if (a == nullptr || b == nullptr)
    return Error(Errc::invalid_argument, "not what `deprov plan` writes",
                 a == nullptr ? "the first" : "the second",
                 "give two files that `deprov plan --json` or `--out` wrote");
  std::map<std::string, std::pair<const json::value*, const json::value*>> all;
  const auto take = [&](const json::array& list, bool first) -> bool {
    for (const auto& c : list) {
      const auto* o = c.if_object();
      const auto* id = o != nullptr ? o->if_contains("subject") : nullptr;
      if (id == nullptr || !id->is_string()) return false;
      auto& pair = all[std::string(id->get_string())];
      (first ? pair.first : pair.second) = &c;
    }
    return true;
  };
  if (!take(*a, true) || !take(*b, false))
    return Error(Errc::invalid_argument, "a change without its subject", "changes");
  json::array only_before, only_after, different;
  for (const auto& [id, pair] : all) {
    if (pair.second == nullptr)
      only_before.push_back(*pair.first);
    else if (pair.first == nullptr)
      only_after.push_back(*pair.second);
    else if (*pair.first != *pair.second)
      different.emplace_back(json::object{{"before", *pair.first}, {"after", *pair.second}});
  }
  const bool same = only_before.empty() && only_after.empty() && different.empty();
  return json::object{{"same", same},
                      {"only_before", std::move(only_before)},
                      {"only_after", std::move(only_after)},
                      {"different", std::move(different)}};
}

}  // namespace deprov::policy
