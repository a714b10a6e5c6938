// The connector interface: the operations an app offers, and how one is called.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <deprov/connector/outcome.hpp>
#include <deprov/error.hpp>
#include <deprov/port/task.hpp>
#include <deprov/time.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::connector {

namespace json = boost::json;

enum class Operation : std::uint8_t {
  check,    ///< reachable, credential good, able to see accounts
  find,     ///< accounts that match a subject exactly
  read,     ///< one account by its immutable id
  list,     ///< a page of all accounts
  disable,  ///< set_state(disable)
  enable,   ///< set_state(enable)
  remove,   ///< remove(membership | delete)
  transfer,
  revoke_sessions,
  list_entitlements,
  revoke_entitlement,
  grant_entitlement,
  poll,  ///< what became of an accepted change
};
inline constexpr std::size_t operation_count = 13;
[[nodiscard]] std::string_view to_string(Operation o) noexcept;
[[nodiscard]] std::optional<Operation> parse_operation(std::string_view text) noexcept;
/// Whether the operation changes something in the app, and so wants a `sent` record before it.
[[nodiscard]] bool is_change(Operation o) noexcept;

enum class Idempotency : std::uint8_t { naturally, by_key, no };
enum class Asynchrony : std::uint8_t { no, poll, fire_and_forget };
enum class Verification : std::uint8_t { none, read };

/// What a connector declares about one operation.
struct Capability {
  bool supported = false;
  bool reversible = false;
  Idempotency idempotency = Idempotency::no;
  Asynchrony asynchrony = Asynchrony::no;
  Verification verification = Verification::none;
  Duration verification_lag{0};      ///< how long the app may show the old state
  std::vector<std::string> dangers;  ///< what its defaults may destroy, in words
  std::vector<std::string> scopes;   ///< permissions that the credential needs
};

/// What the app bears. Zero is no bound.
struct RateLimits {
  double per_second = 0;
  double burst = 1;
  std::uint32_t max_concurrency = 16;
};

struct Description {
  std::string id;  ///< "scim", "sandbox"; what `integration create --connector` names
  std::string name;
  std::string version;
  json::value config_schema;              ///< JSON Schema of the connection's config
  std::vector<std::string> secret_paths;  ///< top-level members or dotted paths of the config that are secret
  /// Members of the config that name the account that the connection itself has in the app, by its login or id
  /// (R9); dotted paths. A connector that names any knows its own account, and answers PROTECTED for it and
  /// nothing else.
  std::vector<std::string> own_account;
  bool revoke_before_disable = false;  ///< R3: the app wants the reverse order
  Capability capabilities[operation_count];
  RateLimits rate;
  [[nodiscard]] const Capability& of(Operation o) const { return capabilities[static_cast<std::size_t>(o)]; }
  [[nodiscard]] Capability& of(Operation o) { return capabilities[static_cast<std::size_t>(o)]; }
};

/// An account in the app, as the app shows it.
struct Account {
  std::string id;  ///< the app's immutable id
  std::string external_id;
  std::string user_name;
  std::vector<std::string> emails;
  std::optional<bool> active;  ///< nothing where the app does not say
  std::vector<std::string> groups;
};

/// Who is looked for; each is an exact match, in the order of R12.
struct Match {
  std::string external_id;
  std::string user_name;
  std::vector<std::string> emails;
};

struct Call {
  Operation operation = Operation::check;
  std::string account_id;       ///< for everything but check, find, list
  Match match;                  ///< find
  std::string entitlement;      ///< revoke_entitlement, grant_entitlement
  bool delete_account = false;  ///< remove: the account itself, not only its membership
  std::string cursor;           ///< list: where to go on; empty: from the start
  std::uint32_t page_size = 100;
  std::string handle;           ///< poll
  std::string idempotency_key;  ///< the same for each attempt of one step
  Duration timeout = std::chrono::seconds(60);
};

struct Reply {
  Outcome outcome = Outcome::internal;
  Effect effect = Effect::none;
  std::vector<Account> accounts;  ///< find, read, list; for a change what was observed, if anything
  std::string next_cursor;        ///< list: empty at the end, and only then is the list complete
  std::string handle;             ///< accepted
  /// How long the other side wants to be left alone, from the answer on (Retry-After and the like).
  std::optional<Duration> retry_after;
  ThrottleScope throttle_scope = ThrottleScope::connection;
  std::string detail;  ///< for people; never a secret, at most 1,000 bytes
};

using CallId = std::uint64_t;
using Completion = port::UniqueFunction<void(Reply)>;

/// One configured instance of a connector: the way to one app.
///
/// *Thread safety*: `start` and `cancel` are called from one thread at a time; a completion may come from
/// any thread, at once (inside `start`) or later, exactly once, and only posts.
/// *Lifetime*: the instance is destroyed only after every completion has been called.
class Connector {
 public:
  virtual ~Connector() = default;
  [[nodiscard]] virtual const Description& describe() const = 0;
  virtual CallId start(Call call, Completion done) = 0;
  /// Asks the call to end soon. What it answers then is still the truth: CANCELLED only where nothing
  /// was sent, UNKNOWN_OUTCOME where a change may have happened.
  virtual void cancel(CallId id) = 0;
};

}  // namespace deprov::connector

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/connector/impl/connector.ipp>
#endif
