// What a policy would do to a state, without doing it (R22).
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <deprov/connector/connector.hpp>
#include <deprov/error.hpp>
#include <deprov/policy/policy.hpp>
#include <deprov/time.hpp>
#include <string>
#include <vector>

namespace deprov::policy {

namespace json = boost::json;

/// How deep groups in groups are followed.
inline constexpr std::size_t preview_depth = 32;
inline constexpr std::size_t max_state_users = 500'000;
inline constexpr std::size_t max_state_members = 5'000'000;

/// Users and groups as a source shows them, with what was decided of them so far.
struct RecordedState {
  struct User {
    std::string id;
    std::string user_name;
    bool active = true;
    bool access = false;    ///< as last decided
    bool ended = false;     ///< it had access, and lost it
    bool observed = false;  ///< what follows from that was only observed
    idp::Cause cause = idp::Cause::none;
    bool retained = false;  ///< access ended, and a rule of the policy keeps the account
    std::string external_id{};
    json::object attributes{};  ///< as stored; empty where no rule asks for them
    std::string account_id{};   ///< that it is bound to; empty where no rule asks for it
    std::string account_login{};
    bool own_account = false;  ///< the connector said that the connection itself signs in with it
  };
  struct Group {
    std::string id;
    std::string external_id;
    std::string display_name;
    std::vector<std::string> members;  ///< ids of users and of groups
  };
  std::vector<User> users;
  std::vector<Group> groups;
};

[[nodiscard]] json::object to_json(const RecordedState& state);
/// Errors: `invalid_argument`; `where` is the JSON pointer. `limit_exceeded`.
[[nodiscard]] Result<RecordedState> parse_state(const json::value& document);

/// Whether a rule of the protection asks for more than ids: then it needs the users' attributes.
[[nodiscard]] bool needs_attributes(const Protection& protection) noexcept;

/// Who would lose or regain access, why, and by which steps; the rest is counted. Whoever the policy protects or
/// exempts at `now` is counted as retained; who is retained no longer is removed. A user whose attributes are not
/// recorded is protected by id alone. In the order of the users' ids, so that equal states give equal bytes.
[[nodiscard]] json::object preview(const Policy& policy, const RecordedState& state,
                                   const connector::Description& app, WallTime now = {});
/// What two previews differ in: subjects whose change is in one alone, or another one.
/// Errors: `invalid_argument` for what is no preview.
[[nodiscard]] Result<json::object> preview_diff(const json::value& before, const json::value& after);

}  // namespace deprov::policy

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/policy/impl/preview.ipp>
#endif
