// What connectors of the host answer.
#include <deprov/connector/json.hpp>
#include <deprov/utf8.hpp>
#include "connector.hpp"

namespace deprov::capi {

namespace {

Result<void> check_enum(std::int64_t value, std::int64_t most, std::string_view name) {
  if (value >= 0 && value <= most) return {};
  return Error(Errc::invalid_argument, std::to_string(value) + " is none of those that deprov.h names",
               std::string(name));
}

Result<std::string> utf8_text(deprov_str s, std::string_view name) {
  DEPROV_TRY(out, text(s, name));
  if (!is_utf8(out)) return Error(Errc::invalid_argument, "not UTF-8", std::string(name));
  return std::move(out);
}

}  // namespace

Result<connector::Reply> take_reply(const deprov_reply* reply) {
  deprov_reply in{};
  DEPROV_CHECK(take_struct(reply, "reply", in));
  DEPROV_CHECK(check_enum(in.outcome, DEPROV_OUTCOME_INTERNAL, "reply.outcome"));
  DEPROV_CHECK(check_enum(in.effect, DEPROV_EFFECT_ACCEPTED, "reply.effect"));
  DEPROV_CHECK(check_enum(in.throttle_scope, DEPROV_THROTTLE_ACCOUNT, "reply.throttle_scope"));
  connector::Reply out;
  out.outcome = static_cast<connector::Outcome>(in.outcome);
  out.effect = static_cast<connector::Effect>(in.effect);
  DEPROV_TRY(listed, text(in.accounts, "reply.accounts"));
  auto accounts = connector::parse_accounts(listed, "reply.accounts");
  if (!accounts) {
    const auto& e = accounts.error();
    return Error(Errc::invalid_argument, e.detail(), e.where(), e.advice());
  }
  out.accounts = std::move(*accounts);
  DEPROV_TRY(cursor, utf8_text(in.next_cursor, "reply.next_cursor"));
  out.next_cursor = std::move(cursor);
  DEPROV_TRY(handle, utf8_text(in.handle, "reply.handle"));
  out.handle = std::move(handle);
  if (out.outcome == connector::Outcome::ok && out.effect == connector::Effect::accepted && out.handle.empty())
    return Error(Errc::invalid_argument, "a change that is accepted needs a handle to ask for it", "reply.handle");
  if (in.has_retry_after != 0) out.retry_after = milliseconds(in.retry_after_ms);
  out.throttle_scope = in.throttle_scope == DEPROV_THROTTLE_ACCOUNT     ? connector::ThrottleScope::account
                       : in.throttle_scope == DEPROV_THROTTLE_OPERATION ? connector::ThrottleScope::operation
                                                                        : connector::ThrottleScope::connection;
  DEPROV_TRY(detail, text(in.detail, "reply.detail"));
  out.detail = connector::cut_detail(std::move(detail));
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
