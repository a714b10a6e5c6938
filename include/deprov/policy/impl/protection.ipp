#pragma once
#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <deprov/policy/protection.hpp>
#include <deprov/scim/filter.hpp>
#include <deprov/scim/fold.hpp>
#include <deprov/scim/json.hpp>
#include <deprov/scim/schema.hpp>
#include <utility>

namespace deprov::policy {

namespace detail {
inline constexpr std::array<std::string_view, 3> retention_kinds{"protected", "exempt", "kept by decision"};

inline std::string text_member(const json::object& o, const char* name) {
  const auto* v = o.if_contains(name);
  return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string{};
}

inline bool has_role(const json::object& user, std::string_view role) {
  const auto* roles = scim::find(user, "roles");
  if (roles == nullptr || !roles->is_array()) return false;
  return std::any_of(roles->get_array().begin(), roles->get_array().end(), [&](const json::value& r) {
    if (r.is_string()) return scim::iequals(r.get_string(), role);
    const auto* o = r.if_object();
    const auto* value = o != nullptr ? scim::find(*o, "value") : nullptr;
    return value != nullptr && value->is_string() && scim::iequals(value->get_string(), role);
  });
}

inline bool applies(const SubjectRef& who, const SubjectFacts& facts) {
  if (!who.id.empty()) return scim::iequals(facts.id.str(), who.id);
  if (!who.external_id.empty()) return facts.external_id == who.external_id;
  if (facts.document == nullptr) return false;
  if (!who.role.empty()) return has_role(*facts.document, who.role);
  return who.matcher && (*who.matcher)(*facts.document);
}

inline Result<SubjectRef> parse_subject_ref(const json::object& o, const std::string& where) {
  SubjectRef who{text_member(o, "id"), text_member(o, "external_id"), text_member(o, "role"),
                 text_member(o, "filter"), std::nullopt};
  const int named = static_cast<int>(!who.id.empty()) + static_cast<int>(!who.external_id.empty()) +
                    static_cast<int>(!who.role.empty()) + static_cast<int>(!who.filter.empty());
  if (named != 1)
    return Error(Errc::invalid_argument, "names no subject, or in two ways", where,
                 "give exactly one of id, external_id, role, filter");
  if (!who.id.empty() && !ResourceId::parse(who.id))
    return Error(Errc::invalid_argument, "not the id of a user", where + "/id", "use the user's SCIM id");
  if (!who.filter.empty()) {
    auto filter = scim::parse_filter(who.filter);
    if (!filter)
      return Error(Errc::invalid_argument, filter.error().message(), where + "/filter", "correct the filter");
    const auto* user = scim::SchemaRegistry::builtin().type("User");
    auto matcher = scim::Matcher::compile(*filter, *user);
    if (!matcher)
      return Error(Errc::invalid_argument, matcher.error().message(), where + "/filter", "correct the filter");
    who.matcher = std::move(*matcher);
  }
  return who;
}

inline void name_subject(json::object& o, const SubjectRef& who) {
  if (!who.id.empty()) o["id"] = who.id;
  if (!who.external_id.empty()) o["external_id"] = who.external_id;
  if (!who.role.empty()) o["role"] = who.role;
  if (!who.filter.empty()) o["filter"] = who.filter;
}

inline Result<WallTime> parse_date(const json::object& o, const char* name, const std::string& where) {
  auto at = parse_rfc3339(o.at(name).get_string());
  if (!at)
    return Error(Errc::invalid_argument, "not a date and time", where + "/" + name,
                 "write it as in 2027-01-31T00:00:00Z");
  return at;
}

/// The selector's members, which both kinds of rules have.
inline json::object rule_properties() {
  return json::parse(R"json({
    "id": {"type": "string", "minLength": 36, "maxLength": 36, "description": "the user's SCIM id"},
    "external_id": {"type": "string", "minLength": 1, "maxLength": 1024},
    "role": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "a value of the user's roles, in any case"},
    "filter": {"type": "string", "minLength": 1, "maxLength": 4096, "description": "a SCIM filter over the user"},
    "reason": {"type": "string", "minLength": 1, "maxLength": 1000}
  })json")
      .as_object();
}
}  // namespace detail

DEPROV_INLINE std::string_view to_string(Retention::Kind k) noexcept {
  return detail::retention_kinds[static_cast<std::size_t>(k)];
}

DEPROV_INLINE Retention own_account_retention() {
  return {Retention::Kind::protected_subject,
          "the connection itself signs in to the app with this account",
          std::string(own_account_rule),
          std::nullopt,
          {}};
}

DEPROV_INLINE bool is_own(const Protection& protection, std::string_view account_id, std::string_view login) {
  return std::any_of(protection.own.begin(), protection.own.end(), [&](const std::string& name) {
    return name == account_id || scim::equal_folded(name, login);
  });
}

DEPROV_INLINE std::optional<Retention> retained_account(const Protection& protection, std::string_view account_id,
                                                        std::string_view login) {
  for (std::size_t i = 0; i < protection.accounts.size(); ++i) {
    if (account_id.empty() || protection.accounts[i].id != account_id) continue;
    return Retention{Retention::Kind::protected_subject,
                     protection.accounts[i].reason,
                     "/protection/accounts/" + std::to_string(i),
                     std::nullopt,
                     {}};
  }
  if (!is_own(protection, account_id, login)) return std::nullopt;
  return own_account_retention();
}

DEPROV_INLINE std::optional<Retention> retained(const Protection& protection, const SubjectFacts& facts,
                                                WallTime now) {
  for (std::size_t i = 0; i < protection.subjects.size(); ++i) {
    const auto& rule = protection.subjects[i];
    if (detail::applies(rule.who, facts))
      return Retention{Retention::Kind::protected_subject,
                       rule.reason,
                       "/protection/subjects/" + std::to_string(i),
                       rule.review,
                       {}};
  }
  // What the app calls the account counts; the subject's own name where none is known yet.
  if (auto r = retained_account(protection, facts.account_id,
                                facts.account_login.empty() ? facts.user_name : facts.account_login))
    return r;
  for (std::size_t i = 0; i < protection.exemptions.size(); ++i) {
    const auto& rule = protection.exemptions[i];
    if (rule.until > now && detail::applies(rule.who, facts))
      return Retention{Retention::Kind::exempt, rule.reason, "/exemptions/" + std::to_string(i), rule.until, {}};
  }
  return std::nullopt;
}

DEPROV_INLINE json::object to_json(const Retention& r) {
  json::object o{{"retained", to_string(r.kind)}, {"reason", r.reason}};
  if (!r.rule.empty()) o["rule"] = r.rule;
  if (r.until) o[r.kind == Retention::Kind::protected_subject ? "review" : "until"] = to_rfc3339(*r.until);
  if (!r.by.empty()) o["by"] = r.by;
  return o;
}

DEPROV_INLINE Result<Retention> parse_retention(std::string_view text) {
  const auto bad = [] {
    return Error(Errc::store_corrupt, "a stored retention does not parse", "due",
                 "restore the store from a backup");
  };
  boost::system::error_code ec;
  const auto value = json::parse(text, ec);
  const auto* o = value.if_object();
  if (ec || o == nullptr) return bad();
  Retention r;
  const auto kind = detail::text_member(*o, "retained");
  const auto* const it = std::find(detail::retention_kinds.begin(), detail::retention_kinds.end(), kind);
  if (it == detail::retention_kinds.end()) return bad();
  r.kind = static_cast<Retention::Kind>(it - detail::retention_kinds.begin());
  r.reason = detail::text_member(*o, "reason");
  r.rule = detail::text_member(*o, "rule");
  r.by = detail::text_member(*o, "by");
  for (const char* name : {"review", "until"}) {
    const auto at = detail::text_member(*o, name);
    if (at.empty()) continue;
    const auto time = parse_rfc3339(at);
    if (!time) return bad();
    r.until = *time;
  }
  return r;
}

DEPROV_INLINE const json::value& protection_schema() {
  static const json::value schema = [] {
    auto properties = detail::rule_properties();
    properties["review"] = {{"type", "string"},
                            {"description", "When somebody should look at it again; it goes on meanwhile."}};
    json::object root = json::parse(R"json({
      "description": "Who keeps the account although access ended (R9). Reported as retained, with the reason.",
      "type": "object", "additionalProperties": false,
      "properties": {
        "subjects": {"type": "array", "maxItems": 1000},
        "accounts": {
          "description": "Accounts of the app that no removal may touch, such as the one that the connection itself uses.",
          "type": "array", "maxItems": 1000,
          "items": {
            "type": "object", "additionalProperties": false, "required": ["id", "reason"],
            "properties": {
              "id": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "the app's immutable id"},
              "reason": {"type": "string", "minLength": 1, "maxLength": 1000}
            }
          }
        },
        "owner_group": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "The app's group whose last active member is never disabled or removed; read right before acting."}
      }
    })json")
                            .as_object();
    root["properties"].as_object()["subjects"].as_object()["items"] = json::object{
        {"type", "object"}, {"additionalProperties", false}, {"required", {"reason"}}, {"properties", properties}};
    return json::value(root);
  }();
  return schema;
}

DEPROV_INLINE const json::value& exemptions_schema() {
  static const json::value schema = [] {
    auto properties = detail::rule_properties();
    properties["until"] = {{"type", "string"},
                           {"description", "Its end; what access ended meanwhile is removed then."}};
    json::object root{{"description", "Who keeps the account although access ended, until a date."},
                      {"type", "array"},
                      {"maxItems", 1000}};
    root["items"] = json::object{{"type", "object"},
                                 {"additionalProperties", false},
                                 {"required", {"reason", "until"}},
                                 {"properties", properties}};
    return json::value(root);
  }();
  return schema;
}

DEPROV_INLINE Result<Protection> parse_protection(const json::value* protection, const json::value* exemptions) {
  Protection p;
  if (protection != nullptr) {
    const auto& o = protection->get_object();
    if (const auto* subjects = o.if_contains("subjects")) {
      for (const auto& v : subjects->get_array()) {
        const auto where = "/protection/subjects/" + std::to_string(p.subjects.size());
        DEPROV_TRY(who, detail::parse_subject_ref(v.get_object(), where));
        ProtectionRule rule{std::move(who), detail::text_member(v.get_object(), "reason"), std::nullopt};
        if (v.get_object().contains("review")) {
          DEPROV_TRY(review, detail::parse_date(v.get_object(), "review", where));
          rule.review = review;
        }
        p.subjects.push_back(std::move(rule));
      }
    }
    if (const auto* accounts = o.if_contains("accounts")) {
      for (const auto& v : accounts->get_array())
        p.accounts.push_back(
            {detail::text_member(v.get_object(), "id"), detail::text_member(v.get_object(), "reason")});
    }
    p.owner_group = detail::text_member(o, "owner_group");
  }
  if (exemptions != nullptr) {
    for (const auto& v : exemptions->get_array()) {
      const auto where = "/exemptions/" + std::to_string(p.exemptions.size());
      DEPROV_TRY(who, detail::parse_subject_ref(v.get_object(), where));
      DEPROV_TRY(until, detail::parse_date(v.get_object(), "until", where));
      p.exemptions.push_back({std::move(who), detail::text_member(v.get_object(), "reason"), until});
    }
  }
  return p;
}

DEPROV_INLINE json::object protection_json(const Protection& p) {
  json::array subjects;
  for (const auto& rule : p.subjects) {
    json::object o;
    detail::name_subject(o, rule.who);
    o["reason"] = rule.reason;
    if (rule.review) o["review"] = to_rfc3339(*rule.review);
    subjects.emplace_back(std::move(o));
  }
  json::array accounts;
  for (const auto& a : p.accounts) accounts.emplace_back(json::object{{"id", a.id}, {"reason", a.reason}});
  json::object out{{"subjects", std::move(subjects)}, {"accounts", std::move(accounts)}};
  if (!p.owner_group.empty()) out["owner_group"] = p.owner_group;
  return out;
}

DEPROV_INLINE json::array exemptions_json(const Protection& p) {
  json::array out;
  for (const auto& rule : p.exemptions) {
    json::object o;
    detail::name_subject(o, rule.who);
    o["reason"] = rule.reason;
    o["until"] = to_rfc3339(rule.until);
    out.emplace_back(std::move(o));
  }
  return out;
}

}  // namespace deprov::policy
