// How connectors describe themselves, and what they answer.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <deprov/json_schema.hpp>
#include "connector.hpp"

namespace deprov::capi {

namespace {

namespace json = boost::json;
using connector::Operation;

// Sizes are bounds: a description is read once, a page of accounts with every listing.
constexpr std::size_t max_description = 1U << 20U;
constexpr std::size_t max_accounts = 64U << 20U;
constexpr std::size_t max_detail = 1000;

constexpr std::string_view description_schema = R"({
  "type": "object", "required": ["id", "operations"], "additionalProperties": false,
  "properties": {
    "id": {"type": "string", "minLength": 1, "maxLength": 64},
    "name": {"type": "string", "maxLength": 200},
    "version": {"type": "string", "maxLength": 100},
    "config_schema": {"type": "object"},
    "secrets": {"type": "array", "maxItems": 100, "items": {"type": "string", "minLength": 1, "maxLength": 200}},
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

constexpr std::string_view accounts_schema = R"({
  "type": "array", "items": {
    "type": "object", "required": ["id"], "additionalProperties": false, "properties": {
      "id": {"type": "string", "minLength": 1},
      "external_id": {"type": "string"},
      "user_name": {"type": "string"},
      "emails": {"type": "array", "items": {"type": "string"}},
      "active": {"type": "boolean"},
      "groups": {"type": "array", "items": {"type": "string"}}}}
})";

Result<json::value> parsed(std::string_view text, std::string_view what, std::size_t most) {
  if (text.size() > most)
    return Error(Errc::limit_exceeded, "has more than " + std::to_string(most) + " bytes", std::string(what));
  boost::system::error_code ec;
  auto value = json::parse(text, ec);
  if (ec) return Error(Errc::invalid_syntax, "not JSON: " + ec.message(), std::string(what));
  return value;
}

std::string text_of(const json::object& o, std::string_view member) {
  const auto* v = o.if_contains(member);
  return v != nullptr ? std::string(v->get_string()) : std::string{};
}

bool flag_of(const json::object& o, std::string_view member) {
  const auto* v = o.if_contains(member);
  return v != nullptr && v->get_bool();
}

std::vector<std::string> texts_of(const json::object& o, std::string_view member) {
  std::vector<std::string> out;
  if (const auto* v = o.if_contains(member))
    for (const auto& item : v->get_array()) out.emplace_back(item.get_string());
  return out;
}

bool is_id(std::string_view id) {
  return std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

connector::Capability capability_of(const json::object& o) {
  connector::Capability c;
  c.supported = true;
  c.reversible = flag_of(o, "reversible");
  const auto idempotency = text_of(o, "idempotency");
  c.idempotency = idempotency == "naturally" ? connector::Idempotency::naturally
                  : idempotency == "by_key"  ? connector::Idempotency::by_key
                                             : connector::Idempotency::no;
  const auto asynchrony = text_of(o, "asynchrony");
  c.asynchrony = asynchrony == "poll"              ? connector::Asynchrony::poll
                 : asynchrony == "fire_and_forget" ? connector::Asynchrony::fire_and_forget
                                                   : connector::Asynchrony::no;
  c.verification =
      text_of(o, "verification") == "read" ? connector::Verification::read : connector::Verification::none;
  if (const auto* lag = o.if_contains("verification_lag_ms"))
    c.verification_lag = milliseconds(lag->to_number<std::int64_t>());
  c.dangers = texts_of(o, "dangers");
  c.scopes = texts_of(o, "scopes");
  return c;
}

Result<void> check_enum(std::int64_t value, std::int64_t most, std::string_view name) {
  if (value >= 0 && value <= most) return {};
  return Error(Errc::invalid_argument, std::to_string(value) + " is none of those that deprov.h names",
               std::string(name));
}

Result<std::vector<connector::Account>> accounts_of(deprov_str in) {
  std::vector<connector::Account> out;
  if (in.len == 0) return out;
  DEPROV_TRY(bytes, text(in, "reply.accounts"));
  DEPROV_TRY(value, parsed(bytes, "reply.accounts", max_accounts));
  static const auto schema = json::parse(accounts_schema);
  if (auto ok = validate_json(schema, value); !ok) return ok.error().within("reply.accounts");
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

/// Not in the middle of a character.
std::string cut(std::string text) {
  if (text.size() <= max_detail) return text;
  auto end = max_detail;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  text.resize(end);
  return text;
}

}  // namespace

Result<connector::Description> parse_description(std::string_view text) {
  DEPROV_TRY(value, parsed(text, "description", max_description));
  static const auto schema = json::parse(description_schema);
  if (auto ok = validate_json(schema, value); !ok) return ok.error().within("description");
  const auto& o = value.get_object();
  connector::Description d;
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
  d.revoke_before_disable = flag_of(o, "revoke_before_disable");
  if (const auto* rate = o.if_contains("rate")) {
    const auto& r = rate->get_object();
    if (const auto* v = r.if_contains("per_second")) d.rate.per_second = v->to_number<double>();
    if (const auto* v = r.if_contains("burst")) d.rate.burst = v->to_number<double>();
    if (const auto* v = r.if_contains("max_concurrency")) d.rate.max_concurrency = v->to_number<std::uint32_t>();
  }
  for (const auto& [name, capability] : o.at("operations").get_object()) {
    const auto operation = connector::parse_operation(name);
    if (!operation) {
      return Error(Errc::invalid_argument, "no operation of a connector",
                   "description/operations/" + std::string(name), "see DEPROV_OPERATION_CHECK and those after it");
    }
    d.of(*operation) = capability_of(capability.get_object());
  }
  return d;
}

Result<connector::Reply> take_reply(const deprov_reply* reply) {
  deprov_reply in{};
  DEPROV_CHECK(take_struct(reply, "reply", in));
  DEPROV_CHECK(check_enum(in.outcome, DEPROV_OUTCOME_INTERNAL, "reply.outcome"));
  DEPROV_CHECK(check_enum(in.effect, DEPROV_EFFECT_ACCEPTED, "reply.effect"));
  DEPROV_CHECK(check_enum(in.throttle_scope, DEPROV_THROTTLE_ACCOUNT, "reply.throttle_scope"));
  connector::Reply out;
  out.outcome = static_cast<connector::Outcome>(in.outcome);
  out.effect = static_cast<connector::Effect>(in.effect);
  DEPROV_TRY(accounts, accounts_of(in.accounts));
  out.accounts = std::move(accounts);
  DEPROV_TRY(cursor, text(in.next_cursor, "reply.next_cursor"));
  out.next_cursor = std::move(cursor);
  DEPROV_TRY(handle, text(in.handle, "reply.handle"));
  out.handle = std::move(handle);
  if (out.outcome == connector::Outcome::ok && out.effect == connector::Effect::accepted && out.handle.empty())
    return Error(Errc::invalid_argument, "a change that is accepted needs a handle to ask for it", "reply.handle");
  if (in.has_retry_after != 0) out.retry_after = milliseconds(in.retry_after_ms);
  out.throttle_scope = in.throttle_scope == DEPROV_THROTTLE_ACCOUNT     ? connector::ThrottleScope::account
                       : in.throttle_scope == DEPROV_THROTTLE_OPERATION ? connector::ThrottleScope::operation
                                                                        : connector::ThrottleScope::connection;
  DEPROV_TRY(detail, text(in.detail, "reply.detail"));
  out.detail = cut(std::move(detail));
  return out;
}

#define DEPROV_SAME(macro, type, value) static_assert((macro) == static_cast<int32_t>(connector::type::value))
DEPROV_SAME(DEPROV_OPERATION_CHECK, Operation, check);
DEPROV_SAME(DEPROV_OPERATION_FIND, Operation, find);
DEPROV_SAME(DEPROV_OPERATION_READ, Operation, read);
DEPROV_SAME(DEPROV_OPERATION_LIST, Operation, list);
DEPROV_SAME(DEPROV_OPERATION_DISABLE, Operation, disable);
DEPROV_SAME(DEPROV_OPERATION_ENABLE, Operation, enable);
DEPROV_SAME(DEPROV_OPERATION_REMOVE, Operation, remove);
DEPROV_SAME(DEPROV_OPERATION_TRANSFER, Operation, transfer);
DEPROV_SAME(DEPROV_OPERATION_REVOKE_SESSIONS, Operation, revoke_sessions);
DEPROV_SAME(DEPROV_OPERATION_LIST_ENTITLEMENTS, Operation, list_entitlements);
DEPROV_SAME(DEPROV_OPERATION_REVOKE_ENTITLEMENT, Operation, revoke_entitlement);
DEPROV_SAME(DEPROV_OPERATION_GRANT_ENTITLEMENT, Operation, grant_entitlement);
DEPROV_SAME(DEPROV_OPERATION_POLL, Operation, poll);
DEPROV_SAME(DEPROV_OUTCOME_OK, Outcome, ok);
DEPROV_SAME(DEPROV_OUTCOME_NOT_FOUND, Outcome, not_found);
DEPROV_SAME(DEPROV_OUTCOME_AMBIGUOUS, Outcome, ambiguous);
DEPROV_SAME(DEPROV_OUTCOME_CONFLICT_STATE, Outcome, conflict_state);
DEPROV_SAME(DEPROV_OUTCOME_PRECONDITION, Outcome, precondition);
DEPROV_SAME(DEPROV_OUTCOME_PROTECTED, Outcome, protected_account);
DEPROV_SAME(DEPROV_OUTCOME_INVALID_REQUEST, Outcome, invalid_request);
DEPROV_SAME(DEPROV_OUTCOME_UNSUPPORTED, Outcome, unsupported);
DEPROV_SAME(DEPROV_OUTCOME_PERMISSION_DENIED, Outcome, permission_denied);
DEPROV_SAME(DEPROV_OUTCOME_AUTH_EXPIRED, Outcome, auth_expired);
DEPROV_SAME(DEPROV_OUTCOME_AUTH_FAILED, Outcome, auth_failed);
DEPROV_SAME(DEPROV_OUTCOME_THROTTLED, Outcome, throttled);
DEPROV_SAME(DEPROV_OUTCOME_UNAVAILABLE, Outcome, unavailable);
DEPROV_SAME(DEPROV_OUTCOME_NOT_SENT, Outcome, not_sent);
DEPROV_SAME(DEPROV_OUTCOME_UNKNOWN_OUTCOME, Outcome, unknown_outcome);
DEPROV_SAME(DEPROV_OUTCOME_PROTOCOL, Outcome, protocol);
DEPROV_SAME(DEPROV_OUTCOME_CANCELLED, Outcome, cancelled);
DEPROV_SAME(DEPROV_OUTCOME_DEADLINE, Outcome, deadline);
DEPROV_SAME(DEPROV_OUTCOME_INTERNAL, Outcome, internal);
DEPROV_SAME(DEPROV_EFFECT_NONE, Effect, none);
DEPROV_SAME(DEPROV_EFFECT_DONE, Effect, done);
DEPROV_SAME(DEPROV_EFFECT_ALREADY, Effect, already);
DEPROV_SAME(DEPROV_EFFECT_ACCEPTED, Effect, accepted);
#undef DEPROV_SAME

}  // namespace deprov::capi
