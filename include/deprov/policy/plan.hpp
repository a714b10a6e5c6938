// A plan: the steps that a policy makes of an intent, and what became of each.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <deprov/connector/connector.hpp>
#include <deprov/error.hpp>
#include <deprov/policy/policy.hpp>
#include <deprov/time.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::policy {

enum class StepKind : std::uint8_t {
  find,    ///< bind the account
  call,    ///< an operation that changes the app
  verify,  ///< read back (R19)
};

enum class StepState : std::uint8_t {
  pending,
  sent,      ///< committed before the request left; without an outcome it is read back first (R18)
  accepted,  ///< the app works on it; `handle` is polled
  done,
  already,
  skipped,  ///< the app has no such operation, or nothing was left to do
  failed,
  observed,  ///< it would have been done (R22)
};
[[nodiscard]] std::string_view to_string(StepState s) noexcept;

struct Step {
  StepKind kind = StepKind::call;
  connector::Operation operation = connector::Operation::disable;
  StepState state = StepState::pending;
  std::uint32_t attempts = 0;
  Duration grace{0};                                    ///< to wait before it, from the end of the step before
  connector::Outcome outcome = connector::Outcome::ok;  ///< of the last attempt
  std::string handle;
  std::string detail;
  bool ask = false;              ///< of `find`: an account that is found is for a person to decide about, once
  bool delete_account = false;   ///< remove: the account itself, not only its memberships
  std::string entitlement;       ///< revoke_entitlement, grant_entitlement
  WallTime not_before;           ///< when the grace ends; 0: it has not begun
  std::string approval;          ///< the role that has to approve it; empty: nobody has to
  Duration approval_expires{0};  ///< how long an answer is waited for, and how long it is good for
  WallTime approved_until;       ///< 0: not approved
};
[[nodiscard]] std::string_view step_name(const Step& step) noexcept;

struct Plan {
  std::vector<Step> steps;
  /// When the end of access was seen in the app (or the app had said so, where it cannot be read), while steps
  /// that cannot be undone were still to come; 0: not yet, or there are none.
  WallTime secured;
  /// The guard did not count the subject, since no account of it was known (R7, R13): it does where one is found.
  bool uncounted = false;
  /// Its unit is beyond the guard's limits if all whose account is found late are counted: one that is found
  /// waits.
  bool late_waits = false;
  std::string role;  ///< change_role: the entitlement that remains; empty: none, or not looked at yet
  /// The first step that is neither done, already nor skipped, nor finally failed; nothing when all are over.
  [[nodiscard]] std::optional<std::size_t> next() const noexcept;
  /// Whether any step may have changed the app.
  [[nodiscard]] bool acted() const noexcept;
  /// Whether any step cannot be undone.
  [[nodiscard]] bool is_final() const noexcept;
};

/// The plan for access that ended by `cause`: find, the policy's steps as far as the app offers them (in the
/// order that the app wants, R3), verify, and after that what cannot be undone, each after its grace.
[[nodiscard]] Plan plan_removal(const Policy& policy, idp::Cause cause, const connector::Description& app);
/// The plan for access that came back: enable the same account, verify (R4).
[[nodiscard]] Plan plan_restore(const connector::Description& app);
/// The plan for a new subject: look the account up early (R12).
[[nodiscard]] Plan plan_bind();

/// The plan for a subject whose groups changed: find, and see what the account has; the rest follows from that.
[[nodiscard]] Plan plan_role_change();

/// Compact JSON, as stored and shown.
[[nodiscard]] std::string to_text(const Plan& plan);
/// Errors: `store_corrupt`.
[[nodiscard]] Result<Plan> parse_plan(std::string_view text);

}  // namespace deprov::policy

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/policy/impl/plan.ipp>
#endif
