#pragma once
#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <deprov/policy/rules.hpp>
#include <utility>

namespace deprov::policy {

namespace detail {
inline constexpr std::array<std::string_view, 5> step_names{"disable", "revoke_sessions", "transfer", "remove",
                                                            "delete"};

/// What the schema has let through.
inline StepRule step_of(std::string_view name) {
  if (name == "delete") return {connector::Operation::remove, Duration{0}, true};
  return {connector::parse_operation(name).value_or(connector::Operation::disable)};
}
}  // namespace detail

DEPROV_INLINE bool is_irreversible(connector::Operation o) noexcept {
  return o == connector::Operation::remove || o == connector::Operation::transfer;
}

DEPROV_INLINE std::string_view step_name(connector::Operation operation, bool delete_account) noexcept {
  return operation == connector::Operation::remove && delete_account ? "delete" : connector::to_string(operation);
}

DEPROV_INLINE const std::vector<std::pair<idp::Cause, std::vector<StepRule>>>& default_steps() {
  using connector::Operation;
  static const std::vector<StepRule> off{Operation::disable, Operation::revoke_sessions};
  static const std::vector<std::pair<idp::Cause, std::vector<StepRule>>> steps{
      {idp::Cause::deactivated, off},
      {idp::Cause::hard_deleted,
       {Operation::disable, Operation::revoke_sessions, {Operation::remove, std::chrono::hours(24 * 30)}}},
      {idp::Cause::lost_entitling_group, off},
      {idp::Cause::group_deleted, off},
      {idp::Cause::unassigned, off},
      {idp::Cause::soft_deleted, off},
      {idp::Cause::suspended, {Operation::revoke_sessions}},
      {idp::Cause::sessions_revoked, {Operation::revoke_sessions}},
      {idp::Cause::manual, off},
  };
  return steps;
}

DEPROV_INLINE json::value steps_schema() {
  return json::parse(R"json({
    "type": "array", "maxItems": 5,
    "items": {"anyOf": [
      {"type": "string", "enum": ["disable", "revoke_sessions", "transfer", "remove", "delete"]},
      {"type": "object", "additionalProperties": false, "required": ["step"],
       "properties": {
         "step": {"type": "string", "enum": ["disable", "revoke_sessions", "transfer", "remove", "delete"],
           "description": "remove takes the memberships away, delete the account itself; neither can be undone"},
         "after_ms": {"type": "integer", "minimum": 0, "maximum": 315360000000,
           "description": "Grace before it, from the end of the step before; for steps that cannot be undone."}}}
    ]}
  })json");
}

DEPROV_INLINE Result<std::vector<StepRule>> parse_steps(const json::value& list, const std::string& where) {
  std::vector<StepRule> rules;
  std::size_t i = 0;
  for (const auto& item : list.get_array()) {
    const auto at = where + "/" + std::to_string(i++);
    const auto* object = item.if_object();
    auto rule = detail::step_of(object != nullptr ? object->at("step").get_string() : item.get_string());
    if (object != nullptr)
      if (const auto* after = object->if_contains("after_ms"))
        rule.grace = std::chrono::milliseconds(after->to_number<std::int64_t>());
    const bool final = is_irreversible(rule.operation);
    if (!final && rule.grace.count() != 0)
      return Error(Errc::invalid_argument, "grace is for steps that cannot be undone", at + "/after_ms",
                   "leave it out, or give it to transfer, remove or delete");
    for (const auto& earlier : rules) {
      if (earlier.operation == rule.operation && earlier.delete_account == rule.delete_account)
        return Error(Errc::invalid_argument, "the step is there already", at, "name each step once");
      if (!final && is_irreversible(earlier.operation))
        return Error(Errc::invalid_argument, "a step that can be undone comes after one that cannot", at,
                     "put disable and revoke_sessions first");
      if (rule.operation == connector::Operation::transfer && earlier.operation == connector::Operation::remove)
        return Error(Errc::invalid_argument, "nothing is left to hand over once the account is removed", at,
                     "put transfer before remove and delete");
    }
    rules.push_back(rule);
  }
  return rules;
}

DEPROV_INLINE json::value steps_json(const std::vector<StepRule>& steps) {
  json::array out;
  for (const auto& s : steps) {
    const auto name = step_name(s.operation, s.delete_account);
    if (s.grace.count() == 0)
      out.emplace_back(name);
    else
      out.emplace_back(json::object{{"step", name}, {"after_ms", s.grace.count() / 1000}});
  }
  return out;
}

DEPROV_INLINE json::value approvals_schema() {
  auto schema = json::parse(R"json({
    "description": "Steps that are taken only when a person has approved them. The first entry that fits counts.",
    "type": "array", "maxItems": 100,
    "items": {
      "type": "object", "additionalProperties": false,
      "properties": {
        "causes": {"type": "array", "maxItems": 16, "items": {"type": "string"}, "description": "Absent: whatever the cause."},
        "steps": {"type": "array", "maxItems": 5, "items": {"enum": ["disable", "revoke_sessions", "transfer", "remove", "delete"]},
          "description": "Absent: every step."},
        "role": {"enum": ["owner", "super_admin", "admin"], "description": "Who may approve; a higher role may, too."},
        "expires_ms": {"type": "integer", "minimum": 1000, "maximum": 31536000000,
          "description": "How long an answer is waited for, and how long it is good for."}
      }
    }
  })json");
  json::array causes;
  for (const auto& [cause, ignored] : default_steps()) causes.emplace_back(idp::to_string(cause));
  schema.at_pointer("/items/properties/causes/items").get_object() = json::object{{"enum", std::move(causes)}};
  return schema;
}

DEPROV_INLINE Result<std::vector<ApprovalRule>> parse_approvals(const json::value& list) {
  std::vector<ApprovalRule> rules;
  for (const auto& item : list.get_array()) {
    const auto& o = item.get_object();
    ApprovalRule rule;
    if (const auto* causes = o.if_contains("causes"))
      for (const auto& c : causes->get_array())
        rule.causes.push_back(idp::parse_cause(c.get_string()).value_or(idp::Cause::none));
    if (const auto* steps = o.if_contains("steps"))
      for (const auto& s : steps->get_array()) rule.steps.emplace_back(s.get_string());
    if (const auto* role = o.if_contains("role")) rule.role = std::string(role->get_string());
    if (const auto* ms = o.if_contains("expires_ms"))
      rule.expires = std::chrono::milliseconds(ms->to_number<std::int64_t>());
    rules.push_back(std::move(rule));
  }
  return rules;
}

DEPROV_INLINE json::value approvals_json(const std::vector<ApprovalRule>& rules) {
  json::array out;
  for (const auto& r : rules) {
    json::object o;
    if (!r.causes.empty()) {
      json::array causes;
      for (const auto c : r.causes) causes.emplace_back(idp::to_string(c));
      o["causes"] = std::move(causes);
    }
    if (!r.steps.empty()) {
      json::array steps;
      for (const auto& s : r.steps) steps.emplace_back(s);
      o["steps"] = std::move(steps);
    }
    o["role"] = r.role;
    o["expires_ms"] = r.expires.count() / 1000;
    out.emplace_back(std::move(o));
  }
  return out;
}

DEPROV_INLINE const ApprovalRule* approval_for(const std::vector<ApprovalRule>& rules, idp::Cause cause,
                                               std::string_view step) noexcept {
  for (const auto& r : rules) {
    const bool by_cause = r.causes.empty() || std::find(r.causes.begin(), r.causes.end(), cause) != r.causes.end();
    const bool by_step = r.steps.empty() || std::find(r.steps.begin(), r.steps.end(), step) != r.steps.end();
    if (by_cause && by_step) return &r;
  }
  return nullptr;
}

}  // namespace deprov::policy
