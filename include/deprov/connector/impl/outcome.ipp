#pragma once
#include <array>
#include <deprov/connector/outcome.hpp>
#include <utility>

namespace deprov::connector {

namespace detail {
inline constexpr std::array<std::pair<Outcome, std::string_view>, 19> outcome_names{{
    {Outcome::ok, "OK"},
    {Outcome::not_found, "NOT_FOUND"},
    {Outcome::ambiguous, "AMBIGUOUS"},
    {Outcome::conflict_state, "CONFLICT_STATE"},
    {Outcome::precondition, "PRECONDITION"},
    {Outcome::protected_account, "PROTECTED"},
    {Outcome::invalid_request, "INVALID_REQUEST"},
    {Outcome::unsupported, "UNSUPPORTED"},
    {Outcome::permission_denied, "PERMISSION_DENIED"},
    {Outcome::auth_expired, "AUTH_EXPIRED"},
    {Outcome::auth_failed, "AUTH_FAILED"},
    {Outcome::throttled, "THROTTLED"},
    {Outcome::unavailable, "UNAVAILABLE"},
    {Outcome::not_sent, "NOT_SENT"},
    {Outcome::unknown_outcome, "UNKNOWN_OUTCOME"},
    {Outcome::protocol, "PROTOCOL"},
    {Outcome::cancelled, "CANCELLED"},
    {Outcome::deadline, "DEADLINE"},
    {Outcome::internal, "INTERNAL"},
}};
}  // namespace detail

DEPROV_INLINE std::string_view to_string(Outcome o) noexcept {
  for (const auto& [value, name] : detail::outcome_names)
    if (value == o) return name;
  return "INTERNAL";
}

DEPROV_INLINE std::optional<Outcome> parse_outcome(std::string_view text) noexcept {
  for (const auto& [value, name] : detail::outcome_names)
    if (name == text) return value;
  return std::nullopt;
}

DEPROV_INLINE std::string_view to_string(Effect e) noexcept {
  switch (e) {
    case Effect::none: return "none";
    case Effect::done: return "done";
    case Effect::already: return "already";
    case Effect::accepted: return "accepted";
  }
  return "none";
}

DEPROV_INLINE Disposition disposition(Outcome o) noexcept {
  switch (o) {
    case Outcome::ok: return Disposition::proceed;
    case Outcome::not_found:
      return Disposition::proceed;  // "already gone" or "no account": the caller knows which
    case Outcome::ambiguous:
    case Outcome::protected_account: return Disposition::hold_job;
    case Outcome::conflict_state:
    case Outcome::precondition:
    case Outcome::auth_expired:
    case Outcome::unavailable:
    case Outcome::not_sent:
    case Outcome::protocol:
    case Outcome::cancelled:
    case Outcome::deadline:
    case Outcome::internal: return Disposition::retry;
    case Outcome::unknown_outcome: return Disposition::read_back;
    case Outcome::throttled: return Disposition::wait;
    case Outcome::permission_denied: return Disposition::check_lane;
    case Outcome::auth_failed: return Disposition::pause_lane;
    case Outcome::invalid_request:
    case Outcome::unsupported: return Disposition::fail;
  }
  return Disposition::fail;
}

}  // namespace deprov::connector
