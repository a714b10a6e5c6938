#pragma once
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <deprov/json_schema.hpp>
#include <deprov/policy/policy.hpp>
#include <utility>

namespace deprov::policy {

namespace detail {
inline Duration milliseconds_of(const json::value& v) {
  return std::chrono::milliseconds(v.to_number<std::int64_t>());
}
inline std::int64_t in_milliseconds(Duration d) { return d.count() / 1000; }
}  // namespace detail

DEPROV_INLINE const std::vector<StepRule>& Policy::steps_for(idp::Cause cause) const {
  if (const auto it = steps.find(cause); it != steps.end()) return it->second;
  for (const auto& [c, rules] : default_steps())
    if (c == cause) return rules;
  static const std::vector<StepRule> none;
  return none;
}

DEPROV_INLINE const json::value& policy_schema() {
  static const json::value schema = [] {
    json::value root = json::parse(R"json({
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "urn:deprov:schema:policy:1",
    "title": "Policy of an integration",
    "type": "object",
    "additionalProperties": false,
    "properties": {
      "entitling_groups": {
        "description": "Access needs membership in one of these (nested groups count). Empty: assignment alone gives access.",
        "type": "array", "maxItems": 1000,
        "items": {
          "type": "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 1,
          "properties": {
            "id": {"type": "string", "minLength": 36, "maxLength": 36, "description": "the group's SCIM id"},
            "external_id": {"type": "string", "minLength": 1, "maxLength": 1024},
            "display_name": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "compared in any case"}
          }
        }
      },
      "causes": {
        "description": "What is done for each cause, in order. A cause that is not named has its default.",
        "type": "object", "additionalProperties": false,
        "properties": {}
      },
      "roles": {
        "description": "Groups that stand for roles in the app. A subject that leaves one keeps the highest that remains; roles are only lowered, and what was taken is given back.",
        "type": "array", "maxItems": 1000,
        "items": {
          "type": "object", "additionalProperties": false, "required": ["group", "entitlement", "rank"],
          "properties": {
            "group": {
              "type": "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 1,
              "properties": {
                "id": {"type": "string", "minLength": 36, "maxLength": 36},
                "external_id": {"type": "string", "minLength": 1, "maxLength": 1024},
                "display_name": {"type": "string", "minLength": 1, "maxLength": 1024}
              }
            },
            "entitlement": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "What the app calls the role: the id of one of its groups, say."},
            "rank": {"type": "integer", "minimum": 0, "maximum": 1000000, "description": "Higher wins; equal ranks are for one role."}
          }
        }
      },
      "mode": {"enum": ["enforce", "observe"], "description": "observe: everything happens but the effects; jobs say what they would have done."},
      "settle_ms": {"type": "integer", "minimum": 0, "maximum": 86400000, "description": "How long a lost membership may be made good by another (R14)."},
      "deadline_ms": {"type": "integer", "minimum": 1000, "maximum": 31536000000, "description": "A job that is not done by then is dead (R17)."},
      "objective_ms": {"type": "integer", "minimum": 1000, "maximum": 31536000000, "description": "The time to deprovision that is aimed at."},
      "retry": {
        "type": "object", "additionalProperties": false,
        "properties": {
          "base_ms": {"type": "integer", "minimum": 1, "maximum": 3600000},
          "ceiling_ms": {"type": "integer", "minimum": 1, "maximum": 86400000}
        }
      },
      "breaker": {
        "type": "object", "additionalProperties": false,
        "properties": {
          "failures": {"type": "integer", "minimum": 1, "maximum": 10000},
          "open_ms": {"type": "integer", "minimum": 1, "maximum": 3600000},
          "open_max_ms": {"type": "integer", "minimum": 1, "maximum": 86400000}
        }
      },
      "lane": {
        "type": "object", "additionalProperties": false,
        "properties": {
          "start_concurrency": {"type": "integer", "minimum": 1, "maximum": 1000},
          "max_concurrency": {"type": "integer", "minimum": 1, "maximum": 1000},
          "per_second": {"type": "number", "minimum": 0, "maximum": 100000, "description": "Calls; 0 leaves it to the connector's own limit."},
          "burst": {"type": "number", "minimum": 1, "maximum": 100000}
        }
      }
    }
  })json");
    auto& properties = root.get_object()["properties"].get_object();
    properties["guard"] = guard_schema();
    properties["protection"] = protection_schema();
    properties["exemptions"] = exemptions_schema();
    properties["approvals"] = approvals_schema();
    auto& causes = properties["causes"].get_object()["properties"].get_object();
    for (const auto& [cause, ignored] : default_steps()) causes[idp::to_string(cause)] = steps_schema();
    return root;
  }();
  return schema;
}

DEPROV_INLINE Result<Policy> parse_policy(const json::value& document) {
  DEPROV_CHECK(validate_json(policy_schema(), document));
  Policy p;
  const auto& root = document.get_object();
  const auto millis = [](const json::object& o, const char* name, Duration& out) {
    if (const auto* v = o.if_contains(name)) out = detail::milliseconds_of(*v);
  };
  const auto text = [](const json::object& o, const char* name) {
    const auto* v = o.if_contains(name);
    return v != nullptr ? std::string(v->get_string()) : std::string{};
  };
  if (const auto* groups = root.if_contains("entitling_groups")) {
    std::size_t i = 0;
    for (const auto& g : groups->get_array()) {
      const auto& o = g.get_object();
      GroupRef ref{text(o, "id"), text(o, "external_id"), text(o, "display_name")};
      if (!ref.id.empty() && !ResourceId::parse(ref.id))
        return Error(Errc::invalid_argument, "not the id of a group",
                     "/entitling_groups/" + std::to_string(i) + "/id",
                     "use the group's SCIM id, its external_id or its display_name");
      p.entitling_groups.push_back(std::move(ref));
      ++i;
    }
  }
  if (const auto* causes = root.if_contains("causes")) {
    for (const auto& [name, list] : causes->get_object()) {
      DEPROV_TRY(steps, parse_steps(list, "/causes/" + std::string(name)));
      p.steps[*idp::parse_cause(name)] = std::move(steps);
    }
  }
  if (const auto* approvals = root.if_contains("approvals")) {
    DEPROV_TRY(rules, parse_approvals(*approvals));
    p.approvals = std::move(rules);
  }
  if (const auto* roles = root.if_contains("roles")) {
    std::size_t i = 0;
    for (const auto& v : roles->get_array()) {
      const auto& o = v.get_object();
      const auto& g = o.at("group").get_object();
      RoleRule rule{{text(g, "id"), text(g, "external_id"), text(g, "display_name")},
                    text(o, "entitlement"),
                    o.at("rank").to_number<std::uint32_t>()};
      const auto at = "/roles/" + std::to_string(i++);
      if (!rule.group.id.empty() && !ResourceId::parse(rule.group.id))
        return Error(Errc::invalid_argument, "not the id of a group", at + "/group/id",
                     "use the group's SCIM id, its external_id or its display_name");
      for (const auto& other : p.roles) {
        if ((other.rank == rule.rank) != (other.entitlement == rule.entitlement))
          return Error(Errc::invalid_argument, "two roles of one rank, or one role of two ranks", at + "/rank",
                       "give each entitlement a rank of its own");
      }
      p.roles.push_back(std::move(rule));
    }
  }
  if (const auto* mode = root.if_contains("mode")) p.observe = mode->get_string() == "observe";
  millis(root, "settle_ms", p.settle);
  millis(root, "deadline_ms", p.deadline);
  millis(root, "objective_ms", p.objective);
  if (const auto* r = root.if_contains("retry")) {
    millis(r->get_object(), "base_ms", p.retry.base);
    millis(r->get_object(), "ceiling_ms", p.retry.ceiling);
  }
  if (p.retry.ceiling < p.retry.base)
    return Error(Errc::invalid_argument, "the ceiling is below the base", "/retry/ceiling_ms",
                 "give a ceiling of at least base_ms");
  if (const auto* b = root.if_contains("breaker")) {
    const auto& o = b->get_object();
    if (const auto* v = o.if_contains("failures")) p.breaker.failures = v->to_number<std::uint32_t>();
    millis(o, "open_ms", p.breaker.open);
    millis(o, "open_max_ms", p.breaker.open_max);
  }
  p.breaker.open_max = std::max(p.breaker.open_max, p.breaker.open);
  if (const auto* l = root.if_contains("lane")) {
    const auto& o = l->get_object();
    if (const auto* v = o.if_contains("start_concurrency"))
      p.lane.start_concurrency = v->to_number<std::uint32_t>();
    if (const auto* v = o.if_contains("max_concurrency")) p.lane.max_concurrency = v->to_number<std::uint32_t>();
    if (const auto* v = o.if_contains("per_second")) p.lane.per_second = v->to_number<double>();
    if (const auto* v = o.if_contains("burst")) p.lane.burst = v->to_number<double>();
  }
  p.lane.start_concurrency = std::min(p.lane.start_concurrency, p.lane.max_concurrency);
  if (const auto* g = root.if_contains("guard")) p.guard = parse_guard(g->get_object());
  DEPROV_TRY(protection, parse_protection(root.if_contains("protection"), root.if_contains("exemptions")));
  p.protection = std::move(protection);
  return p;
}

DEPROV_INLINE json::object to_json(const Policy& p) {
  json::array groups;
  for (const auto& g : p.entitling_groups) {
    json::object o;
    if (!g.id.empty()) o["id"] = g.id;
    if (!g.external_id.empty()) o["external_id"] = g.external_id;
    if (!g.display_name.empty()) o["display_name"] = g.display_name;
    groups.emplace_back(std::move(o));
  }
  json::object causes;
  for (const auto& [cause, ignored] : default_steps())
    causes[idp::to_string(cause)] = steps_json(p.steps_for(cause));
  json::object out;
  out["entitling_groups"] = std::move(groups);
  out["causes"] = std::move(causes);
  out["approvals"] = approvals_json(p.approvals);
  json::array roles;
  for (const auto& r : p.roles) {
    json::object g;
    if (!r.group.id.empty()) g["id"] = r.group.id;
    if (!r.group.external_id.empty()) g["external_id"] = r.group.external_id;
    if (!r.group.display_name.empty()) g["display_name"] = r.group.display_name;
    roles.emplace_back(json::object{{"group", std::move(g)}, {"entitlement", r.entitlement}, {"rank", r.rank}});
  }
  out["roles"] = std::move(roles);
  out["mode"] = p.observe ? "observe" : "enforce";
  out["settle_ms"] = detail::in_milliseconds(p.settle);
  out["deadline_ms"] = detail::in_milliseconds(p.deadline);
  out["objective_ms"] = detail::in_milliseconds(p.objective);
  out["retry"] = {{"base_ms", detail::in_milliseconds(p.retry.base)},
                  {"ceiling_ms", detail::in_milliseconds(p.retry.ceiling)}};
  out["breaker"] = {{"failures", p.breaker.failures},
                    {"open_ms", detail::in_milliseconds(p.breaker.open)},
                    {"open_max_ms", detail::in_milliseconds(p.breaker.open_max)}};
  out["lane"] = {{"start_concurrency", p.lane.start_concurrency},
                 {"max_concurrency", p.lane.max_concurrency},
                 {"per_second", p.lane.per_second},
                 {"burst", p.lane.burst}};
  out["guard"] = to_json(p.guard);
  out["protection"] = protection_json(p.protection);
  out["exemptions"] = exemptions_json(p.protection);
  return out;
}

}  // namespace deprov::policy
