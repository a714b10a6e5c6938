// What can become of a call to an app. Each outcome has one action of the engine (DESIGN section 5).
#pragma once

#include <cstdint>
#include <deprov/config.hpp>
#include <deprov/time.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace deprov::connector {

enum class Outcome : std::uint8_t {
  ok = 0,  ///< the operation was answered; for a change see `Effect`
  // about the account
  not_found,
  ambiguous,
  conflict_state,
  precondition,
  protected_account,
  invalid_request,
  unsupported,
  // about the operation
  permission_denied,
  // about the credential
  auth_expired,
  auth_failed,
  // about the exchange
  throttled,
  unavailable,
  not_sent,         ///< nothing reached the app: repeating is safe
  unknown_outcome,  ///< sent and not answered: read back before repeating (R18)
  protocol,
  cancelled,
  deadline,
  internal,
};

/// The field's spelling, such as "UNKNOWN_OUTCOME".
[[nodiscard]] std::string_view to_string(Outcome o) noexcept;
[[nodiscard]] std::optional<Outcome> parse_outcome(std::string_view text) noexcept;

/// What a change did, when its outcome is ok.
enum class Effect : std::uint8_t {
  none = 0,  ///< a read
  done,      ///< acted now
  already,   ///< the app was in the wanted state
  accepted,  ///< the app works on it; `handle` names it for `poll`
};
[[nodiscard]] std::string_view to_string(Effect e) noexcept;

/// How far a THROTTLED answer reaches.
enum class ThrottleScope : std::uint8_t { account, operation, connection };

/// What follows from an outcome, whatever the operation.
enum class Disposition : std::uint8_t {
  proceed,     ///< go on with the next step
  retry,       ///< R17 decides when
  read_back,   ///< R18: read first
  wait,        ///< throttled: costs no attempt
  hold_job,    ///< a person has to look
  pause_lane,  ///< the credential failed
  check_lane,  ///< one refusal: ask `check` whether the lane or only this job is hit
  fail,        ///< no repetition can help
};
[[nodiscard]] Disposition disposition(Outcome o) noexcept;

}  // namespace deprov::connector

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/connector/impl/outcome.ipp>
#endif
