// The steps that follow from a cause, and which of them wait for a person's approval.
#pragma once

#include <boost/json/value.hpp>
#include <deprov/connector/connector.hpp>
#include <deprov/error.hpp>
#include <deprov/idp/change.hpp>
#include <deprov/time.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::policy {

namespace json = boost::json;

/// Whether what the operation does cannot be undone by deprov: membership or account removed, things handed over.
[[nodiscard]] bool is_irreversible(connector::Operation o) noexcept;

/// One step of a policy: `disable`, `revoke_sessions`, `transfer`, `remove` (the membership) or `delete` (the
/// account).
struct StepRule {
  connector::Operation operation = connector::Operation::disable;
  bool delete_account = false;  ///< with Operation::remove: `delete`
  Duration grace{0};            ///< to wait before it, from the end of the step before; irreversible steps only

  StepRule() = default;
  StepRule(connector::Operation o) : operation(o) {}
  StepRule(connector::Operation o, Duration g, bool deletes = false)
      : operation(o), delete_account(deletes), grace(g) {}
  friend bool operator==(const StepRule&, const StepRule&) = default;
};
/// "delete" for the removal of the account itself, otherwise the operation's word.
[[nodiscard]] std::string_view step_name(connector::Operation operation, bool delete_account) noexcept;

/// Steps that are taken only when somebody of the role (or a higher one) has said so.
struct ApprovalRule {
  std::vector<idp::Cause> causes;              ///< empty: whatever the cause
  std::vector<std::string> steps;              ///< by name; empty: every step
  std::string role = "admin";                  ///< "owner", "super_admin", "admin"
  Duration expires = std::chrono::hours(168);  ///< an answer is waited for so long, and good for so long
};

/// The default steps of R2, for every cause that ends access.
[[nodiscard]] const std::vector<std::pair<idp::Cause, std::vector<StepRule>>>& default_steps();

/// Schema, text and meaning of one cause's steps. Errors: `invalid_argument`; `where` is the JSON pointer.
[[nodiscard]] json::value steps_schema();
[[nodiscard]] Result<std::vector<StepRule>> parse_steps(const json::value& list, const std::string& where);
[[nodiscard]] json::value steps_json(const std::vector<StepRule>& steps);

/// The same for the list of approvals.
[[nodiscard]] json::value approvals_schema();
[[nodiscard]] Result<std::vector<ApprovalRule>> parse_approvals(const json::value& list);
[[nodiscard]] json::value approvals_json(const std::vector<ApprovalRule>& rules);
/// The first rule that the step falls under, or null.
[[nodiscard]] const ApprovalRule* approval_for(const std::vector<ApprovalRule>& rules, idp::Cause cause,
                                               std::string_view step) noexcept;

}  // namespace deprov::policy

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/policy/impl/rules.ipp>
#endif
