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
  [[nodiscard]] bool empty() const noexcept { return subjects.empty() && exemptions.empty(); }
};

/// Why a subject is retained.
struct Retention {
  enum class Kind : std::uint8_t { protected_subject, exempt, kept_by_decision };
  Kind kind = Kind::protected_subject;
  std::string reason;
  std::string rule;               ///< JSON pointer into the policy: "/protection/subjects/0"
  std::optional<WallTime> until;  ///< the review date of a protection, the end of an exemption or decision
  std::string by;                 ///< who decided, for `kept_by_decision`
};
/// "protected", "exempt", "kept by decision".
[[nodiscard]] std::string_view to_string(Retention::Kind k) noexcept;

/// What protection asks of a subject: its state before the request that ends its access.
struct SubjectFacts {
  ResourceId id;
  std::string_view external_id;
  const json::object* document = nullptr;  ///< null: rules by role and filter do not match
};

/// The first rule that retains the subject at `now`: protections, then exemptions that have not ended.
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
