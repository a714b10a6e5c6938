// Who keeps the account although access ended: protected subjects (R9), and exemptions for a time.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <deprov/error.hpp>
#include <deprov/scim/match.hpp>
#include <deprov/time.hpp>
#include <deprov/uuid.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::policy {

namespace json = boost::json;

/// Names subjects; exactly one member is set.
struct SubjectRef {
  std::string id;           ///< the SCIM id
  std::string external_id;  ///< compared exactly
  std::string role;         ///< a value of the user's `roles`, in any case
  std::string filter;       ///< a SCIM filter over the user
  std::optional<scim::Matcher> matcher;
};

struct ProtectionRule {
  SubjectRef who;
  std::string reason;
  std::optional<WallTime> review;  ///< when somebody should look at it again; it does not end then
};

struct Exemption {
  SubjectRef who;
  std::string reason;
  WallTime until;
};

/// An account of the app that no removal may touch, such as the one that the connection itself uses.
struct ProtectedAccount {
  std::string id;  ///< the app's immutable id
  std::string reason;
};

struct Protection {
  std::vector<ProtectionRule> subjects;
  std::vector<ProtectedAccount> accounts;
  /// The app's group whose last active member is never disabled or removed; empty: the app has none.
  std::string owner_group;
  std::vector<Exemption> exemptions;
  /// The connection's own account: logins, in any case, or the app's ids. Of the connection, and no part of the
  /// policy's document.
  std::vector<std::string> own;
  [[nodiscard]] bool empty() const noexcept {
    return subjects.empty() && accounts.empty() && exemptions.empty() && own.empty();
  }
  /// Whether a rule asks for the account that a subject is bound to.
  [[nodiscard]] bool about_accounts() const noexcept { return !accounts.empty() || !own.empty(); }
};

/// Why a subject is retained.
struct Retention {
  enum class Kind : std::uint8_t { protected_subject, exempt, kept_by_decision };
  Kind kind = Kind::protected_subject;
  std::string reason;
  std::string rule;  ///< JSON pointer into the policy: "/protection/subjects/0"; or `own_account_rule`
  std::optional<WallTime> until;  ///< the review date of a protection, the end of an exemption or decision
  std::string by;                 ///< who decided, for `kept_by_decision`
};
/// The rule that protects the connection's own account.
inline constexpr std::string_view own_account_rule = "/connection/own_account";
/// "protected", "exempt", "kept by decision".
[[nodiscard]] std::string_view to_string(Retention::Kind k) noexcept;

/// What protection asks of a subject: its state before the request that ends its access.
struct SubjectFacts {
  ResourceId id;
  std::string_view external_id;
  const json::object* document = nullptr;  ///< null: rules by role and filter do not match
  std::string_view user_name{};            ///< in any case
  std::string_view account_id{};           ///< that it is bound to; empty: none, or not known
  std::string_view account_login{};        ///< as the app shows it
};

/// That of the connection's own account.
[[nodiscard]] Retention own_account_retention();
/// Whether the connection itself has this account, or would have one of that login.
[[nodiscard]] bool is_own(const Protection& protection, std::string_view account_id, std::string_view login);
/// The account itself, whoever has it: by the policy, or since it is the connection's own.
[[nodiscard]] std::optional<Retention> retained_account(const Protection& protection, std::string_view account_id,
                                                        std::string_view login);

/// The first rule that retains the subject at `now`: protections, its account's, then exemptions that have not
/// ended.
[[nodiscard]] std::optional<Retention> retained(const Protection& protection, const SubjectFacts& facts,
                                                WallTime now);

/// As stored and shown.
[[nodiscard]] json::object to_json(const Retention& retention);
/// Errors: `store_corrupt`.
[[nodiscard]] Result<Retention> parse_retention(std::string_view text);

/// The parts of the policy's schema.
[[nodiscard]] const json::value& protection_schema();
[[nodiscard]] const json::value& exemptions_schema();
/// Of documents that fit the schemas; null where they are absent. Errors: `invalid_argument` with the JSON
/// pointer.
[[nodiscard]] Result<Protection> parse_protection(const json::value* protection, const json::value* exemptions);
/// The two documents again.
[[nodiscard]] json::object protection_json(const Protection& protection);
[[nodiscard]] json::array exemptions_json(const Protection& protection);

}  // namespace deprov::policy

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/policy/impl/protection.ipp>
#endif
