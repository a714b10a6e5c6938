#pragma once
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <deprov/connector/json.hpp>
#include <deprov/json_schema.hpp>
#include <deprov/utf8.hpp>

namespace deprov::connector {

namespace detail {

inline constexpr std::string_view description_schema_text = R"({
  "type": "object", "required": ["id", "operations"], "additionalProperties": false,
  "properties": {
    "id": {"type": "string", "minLength": 1, "maxLength": 64},
    "name": {"type": "string", "maxLength": 200},
    "version": {"type": "string", "maxLength": 100},
    "config_schema": {"type": "object"},
    "secrets": {"type": "array", "maxItems": 100, "items": {"type": "string", "minLength": 1, "maxLength": 200}},
    "own_account": {"type": "array", "maxItems": 10, "items": {"type": "string", "minLength": 1, "maxLength": 200},
      "description": "Members of the config (dotted paths) that name the account that the connection itself has in the app, by login or id; PROTECTED is then the answer about that account alone"},
    "revoke_before_disable": {"type": "boolean"},
    "rate": {"type": "object", "additionalProperties": false, "properties": {
      "per_second": {"type": "number", "minimum": 0},
      "burst": {"type": "number", "minimum": 1},
      "max_concurrency": {"type": "integer", "minimum": 1, "maximum": 100000}}},
    "operations": {"type": "object", "minProperties": 1, "additionalProperties": {
      "type": "object", "additionalProperties": false, "properties": {
        "reversible": {"type": "boolean"},
        "idempotency": {"enum": ["naturally", "by_key", "no"]},
        "asynchrony": {"enum": ["no", "poll", "fire_and_forget"]},
        "verification": {"enum": ["none", "read"]},
        "verification_lag_ms": {"type": "integer", "minimum": 0, "maximum": 86400000},
        "dangers": {"type": "array", "maxItems": 100, "items": {"type": "string", "maxLength": 1000}},
        "scopes": {"type": "array", "maxItems": 100, "items": {"type": "string", "maxLength": 1000}}}}}}
})";

inline constexpr std::string_view accounts_schema_text = R"({
  "type": "array", "items": {
    "type": "object", "required": ["id"], "additionalProperties": false, "properties": {
      "id": {"type": "string", "minLength": 1},
      "external_id": {"type": "string"},
      "user_name": {"type": "string"},
      "emails": {"type": "array", "items": {"type": "string"}},
      "active": {"type": "boolean"},
      "groups": {"type": "array", "items": {"type": "string"}}}}
})";

inline Result<json::value> parsed(std::string_view text, std::string_view what, std::size_t most) {
  if (text.size() > most)
    return Error(Errc::limit_exceeded, "has more than " + std::to_string(most) + " bytes", std::string(what));
  boost::system::error_code ec;
  auto value = json::parse(text, ec);
  if (ec) return Error(Errc::invalid_syntax, "not JSON: " + ec.message(), std::string(what));
  return value;
}

inline std::string text_of(const json::object& o, std::string_view member) {
  const auto* v = o.if_contains(member);
  return v != nullptr ? std::string(v->get_string()) : std::string{};
}

inline bool flag_of(const json::object& o, std::string_view member) {
  const auto* v = o.if_contains(member);
  return v != nullptr && v->get_bool();
}

inline std::vector<std::string> texts_of(const json::object& o, std::string_view member) {
  std::vector<std::string> out;
  if (const auto* v = o.if_contains(member))
    for (const auto& item : v->get_array()) out.emplace_back(item.get_string());
  return out;
}

inline bool is_id(std::string_view id) {
  return std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

inline Result<void> check_paths(const json::value& schema, const std::vector<std::string>& paths,
                                const std::string& where) {
  const auto missing = std::find_if_not(paths.begin(), paths.end(),
                                        [&](const std::string& path) { return config_may_have(schema, path); });
  if (missing == paths.end()) return {};
  return Error(Errc::invalid_argument, "config_schema has no member \"" + *missing + "\"",
               where + "/" + std::to_string(missing - paths.begin()), "name it as config_schema does");
}

inline Capability capability_of(const json::object& o) {
  Capability c;
  c.supported = true;
  c.reversible = flag_of(o, "reversible");
  const auto idempotency = text_of(o, "idempotency");
  c.idempotency = idempotency == "naturally" ? Idempotency::naturally
                  : idempotency == "by_key"  ? Idempotency::by_key
                                             : Idempotency::no;
  const auto asynchrony = text_of(o, "asynchrony");
  c.asynchrony = asynchrony == "poll"              ? Asynchrony::poll
                 : asynchrony == "fire_and_forget" ? Asynchrony::fire_and_forget
                                                   : Asynchrony::no;
  c.verification = text_of(o, "verification") == "read" ? Verification::read : Verification::none;
  if (const auto* lag = o.if_contains("verification_lag_ms"))
    c.verification_lag = std::chrono::milliseconds(lag->to_number<std::int64_t>());
  c.dangers = texts_of(o, "dangers");
  c.scopes = texts_of(o, "scopes");
  return c;
}

}  // namespace detail

DEPROV_INLINE const json::value& description_schema() {
  static const auto schema = json::parse(detail::description_schema_text);
  return schema;
}

DEPROV_INLINE bool config_may_have(const json::value& schema, std::string_view path) {
  const auto* at = schema.if_object();
  while (at != nullptr) {
    const auto dot = path.find('.');
    const auto* properties = at->if_contains("properties");
    const auto* member = properties != nullptr && properties->is_object()
                             ? properties->get_object().if_contains(path.substr(0, dot))
                             : nullptr;
    if (member == nullptr) {
      const auto* more = at->if_contains("additionalProperties");
      return more == nullptr || !more->is_bool() || more->get_bool();
    }
    if (dot == std::string_view::npos) return true;
    path.remove_prefix(dot + 1);
    at = member->if_object();
  }
  return true;
}

DEPROV_INLINE Result<Description> parse_description(const json::value& value) {
  using namespace detail;
  if (auto ok = validate_json(description_schema(), value); !ok) return ok.error().within("description");
  const auto& o = value.get_object();
  Description d;
  d.id = text_of(o, "id");
  if (!is_id(d.id)) {
    return Error(Errc::invalid_argument, "has other characters than a-z, 0-9, - and _", "description/id",
                 "rename the connector");
  }
  d.name = text_of(o, "name");
  if (d.name.empty()) d.name = d.id;
  d.version = text_of(o, "version");
  const auto* config = o.if_contains("config_schema");
  d.config_schema = config != nullptr ? *config : json::value(json::object{{"type", "object"}});
  if (auto ok = check_json_schema(d.config_schema); !ok) return ok.error().within("description/config_schema");
  d.secret_paths = texts_of(o, "secrets");
  d.own_account = texts_of(o, "own_account");
  // A secret by a name that no config has would be stored as it is, in clear.
  DEPROV_CHECK(check_paths(d.config_schema, d.secret_paths, "description/secrets"));
  DEPROV_CHECK(check_paths(d.config_schema, d.own_account, "description/own_account"));
  d.revoke_before_disable = flag_of(o, "revoke_before_disable");
  if (const auto* rate = o.if_contains("rate")) {
    const auto& r = rate->get_object();
    if (const auto* v = r.if_contains("per_second")) d.rate.per_second = v->to_number<double>();
    if (const auto* v = r.if_contains("burst")) d.rate.burst = v->to_number<double>();
    if (const auto* v = r.if_contains("max_concurrency")) d.rate.max_concurrency = v->to_number<std::uint32_t>();
  }
  for (const auto& [name, capability] : o.at("operations").get_object()) {
    const auto operation = parse_operation(name);
    if (!operation) {
      return Error(Errc::invalid_argument, "no operation of a connector",
                   "description/operations/" + std::string(name), "see DEPROV_OPERATION_CHECK and those after it");
    }
    d.of(*operation) = capability_of(capability.get_object());
  }
  return d;
}

DEPROV_INLINE Result<Description> parse_description(std::string_view text) {
  DEPROV_TRY(value, detail::parsed(text, "description", max_description_bytes));
  return parse_description(value);
}

DEPROV_INLINE Result<std::vector<Account>> parse_accounts(std::string_view text, std::string_view where) {
  using namespace detail;
  std::vector<Account> out;
  if (text.empty()) return out;
  DEPROV_TRY(value, parsed(text, where, max_accounts_bytes));
  static const auto schema = json::parse(accounts_schema_text);
  if (auto ok = validate_json(schema, value); !ok) return ok.error().within(where);
  out.reserve(value.get_array().size());
  for (const auto& item : value.get_array()) {
    const auto& o = item.get_object();
    auto& a = out.emplace_back();
    a.id = text_of(o, "id");
    a.external_id = text_of(o, "external_id");
    a.user_name = text_of(o, "user_name");
    a.emails = texts_of(o, "emails");
    if (const auto* active = o.if_contains("active")) a.active = active->get_bool();
    a.groups = texts_of(o, "groups");
  }
  return out;
}

DEPROV_INLINE json::array accounts_json(const std::vector<Account>& accounts) {
  json::array out;
  const auto texts = [](const std::vector<std::string>& list) {
    json::array array;
    for (const auto& text : list) array.emplace_back(text);
    return array;
  };
  for (const auto& a : accounts) {
    json::object o{{"id", a.id}, {"external_id", a.external_id}, {"user_name", a.user_name}};
    o["emails"] = texts(a.emails);
    if (a.active) o["active"] = *a.active;
    o["groups"] = texts(a.groups);
    out.push_back(std::move(o));
  }
  return out;
}

DEPROV_INLINE std::string cut_detail(std::string text, std::size_t most) {
  if (!is_utf8(text)) text = to_utf8(text);
  if (text.size() <= most) return text;
  auto end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  text.resize(end);
  return text;
}

}  // namespace deprov::connector
