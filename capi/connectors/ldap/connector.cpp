// The connector `ldap`: accounts are entries below a base DN, which an attribute disables, and memberships are
// values of groups. README.md is its manual.
#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include "common/threaded_connector.hpp"
#include "ldap/accounts.hpp"
#include "ldap/config.hpp"

namespace {

using namespace deprov_sdk;   // NOLINT(google-build-using-namespace): a connector, and nothing else
using namespace deprov_ldap;  // NOLINT(google-build-using-namespace)

/// A listing that has not come to its end: pages are the server's state on one connection.
struct Listing {
  std::unique_ptr<Accounts> accounts;
  std::string cookie;
  deprov_connectors::Age age;
};

/// Those under way, each by the cursor that leads on.
class Listings {
 public:
  explicit Listings(const Connection& connection) : start_(std::to_string(connection.wall_us())) {}

  std::optional<Listing> take(const std::string& cursor) {
    const std::lock_guard lock(mutex_);
    const auto it = all_.find(cursor);
    if (it == all_.end()) return std::nullopt;
    auto out = std::move(it->second);
    all_.erase(it);
    return out;
  }
  std::string put(Listing listing) {
    constexpr std::size_t most = 4;
    const std::lock_guard lock(mutex_);
    for (auto it = all_.begin(); it != all_.end();)
      it = it->second.age.is_more_than(std::chrono::minutes(5)) ? all_.erase(it) : std::next(it);
    if (all_.size() >= most) {
      throw Failure(DEPROV_OUTCOME_UNAVAILABLE,
                    std::to_string(most) + " listings are under way; they end 5 minutes after their last page");
    }
    listing.age.begin_anew();
    auto cursor = start_ + "-" + std::to_string(++last_);
    all_.emplace(cursor, std::move(listing));
    return cursor;
  }

 private:
  const std::string start_;  ///< so that a cursor of another start leads nowhere
  std::mutex mutex_;
  std::uint64_t last_ = 0;
  std::map<std::string, Listing> all_;
};

Reply next_page(const Config& config, const Connection& connection, Listings& listings, const Call& call,
                const Patience& patience) {
  const std::string cursor(call.cursor());
  auto listing = cursor.empty() ? Listing{std::make_unique<Accounts>(config, connection), {}, {}}
                                : listings.take(cursor).value_or(Listing{});
  if (!listing.accounts)
    throw Failure(DEPROV_OUTCOME_INVALID_REQUEST, "this listing is not under way any more; begin it anew");
  const auto size = static_cast<int>(std::clamp<std::uint32_t>(call.page_size(), 1, 1000));
  auto reply = found(listing.accounts->list(size, listing.cookie, patience));
  if (!listing.cookie.empty()) reply.next_cursor = listings.put(std::move(listing));
  return reply;
}

class Ldap final : public deprov_connectors::ThreadedConnector<Ldap, Accounts, Config> {
 public:
  explicit Ldap(Connection connection)
      : ThreadedConnector(connection, parse_config(connection)),
        listings_(std::make_shared<Listings>(connection)) {}

  void list(Call call) override {
    run(call,
        [config = &config(), from = connection(), listings = listings_](
            Accounts&, const Call& c, const Patience& p) { return next_page(*config, from, *listings, c, p); });
  }
  void list_entitlements(Call call) override {
    run(call, [](Accounts& a, const Call& c, const Patience& p) { return a.list_entitlements(c, p); });
  }
  void revoke_entitlement(Call call) override {
    run(call, [](Accounts& a, const Call& c, const Patience& p) { return a.set_member(c, false, p); });
  }
  void grant_entitlement(Call call) override {
    run(call, [](Accounts& a, const Call& c, const Patience& p) { return a.set_member(c, true, p); });
  }

  static Reply carry_out(Accounts& a, const Call& c, const Patience& p, const Step& step) {
    a.forget_sent();
    try {
      return step(a, c, p);
    } catch (const Failure& e) {
      // A change begins with a look at the account. What fails there has changed nothing.
      const bool vague = e.outcome() == DEPROV_OUTCOME_DEADLINE || e.outcome() == DEPROV_OUTCOME_PROTOCOL;
      if (c.is_change() && vague && !a.has_sent()) throw Failure(DEPROV_OUTCOME_NOT_SENT, e.what());
      throw;
    }
  }

 private:
  const std::shared_ptr<Listings> listings_;  ///< steps that still run when the rest ends have it, too
};

}  // namespace

DEPROV_CONNECTOR(Ldap, "ldap", "0.1.0")
