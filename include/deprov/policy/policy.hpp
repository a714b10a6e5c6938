// The policy of one integration: which groups entitle, what follows from which cause, how patient jobs are.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <deprov/connector/connector.hpp>
#include <deprov/error.hpp>
#include <deprov/idp/change.hpp>
#include <deprov/policy/guard.hpp>
#include <deprov/policy/protection.hpp>
#include <deprov/policy/rules.hpp>
#include <deprov/time.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::policy {

namespace json = boost::json;

/// Names one group of the IdP; exactly one member is set.
struct GroupRef {
  std::string id;
  std::string external_id;
  std::string display_name;  ///< compared without regard to case
};

/// A group of the IdP that stands for a role in the app. The highest rank among a subject's groups wins.
struct RoleRule {
  GroupRef group;
  std::string entitlement;  ///< as the app names it
  std::uint32_t rank = 0;
};

/// R17. `d = min(ceiling, base * 2^(n-1))`.
struct Retry {
  Duration base = std::chrono::seconds(2);
  Duration ceiling = std::chrono::hours(6);
};

/// When a failing app is left alone.
struct Breaker {
  std::uint32_t failures = 10;  ///< in a row, of the exchange itself
  Duration open = std::chrono::seconds(30);
  Duration open_max = std::chrono::minutes(10);  ///< doubles up to here
};

/// How hard a lane may work; the connector's own limits hold besides.
struct Lane {
  std::uint32_t start_concurrency = 2;
  std::uint32_t max_concurrency = 16;
  double per_second = 0;  ///< calls; 0: the connector's limit alone
  double burst = 1;
};

struct Policy {
  std::vector<GroupRef> entitling_groups;  ///< empty: assignment alone gives access (R1)
  /// What is done for each cause, in order; those that cannot be undone come last.
  std::map<idp::Cause, std::vector<StepRule>> steps;
  std::vector<ApprovalRule> approvals;
  std::vector<RoleRule> roles;                      ///< in the order of the document
  bool observe = false;                             ///< R22: everything happens but the effects
  Duration settle = std::chrono::seconds(60);       ///< R14
  Duration deadline = std::chrono::hours(24 * 28);  ///< R17: then `dead`
  Duration objective = std::chrono::hours(24);      ///< the time-to-deprovision that is aimed at
  Retry retry;
  Breaker breaker;
  Lane lane;
  Guard guard;            ///< R7
  Protection protection;  ///< R9, with the exemptions

  /// Never null; for a cause that the policy does not name, the default of R2.
  [[nodiscard]] const std::vector<StepRule>& steps_for(idp::Cause cause) const;
};

/// The published schema of a policy document.
[[nodiscard]] const json::value& policy_schema();
/// Members that are absent have their defaults; `{}` is the default policy.
/// Errors: `invalid_argument`; `where` is the JSON pointer.
[[nodiscard]] Result<Policy> parse_policy(const json::value& document);
/// Every member, defaults included.
[[nodiscard]] json::object to_json(const Policy& policy);

}  // namespace deprov::policy

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/policy/impl/policy.ipp>
#endif
