// What deprov asks of a directory, in terms of accounts and groups.
#pragma once

#include <string>
#include <string_view>
#include <vector>
#include "ldap/directory.hpp"

namespace deprov_ldap {

using deprov_sdk::Account;
using deprov_sdk::Call;
using deprov_sdk::Reply;

class Accounts {
 public:
  Accounts(const Config& config, const deprov_sdk::Connection& connection)
      : config_(config), directory_(config, connection) {}

  [[nodiscard]] bool has_sent() const noexcept { return directory_.has_sent(); }
  void forget_sent() noexcept { directory_.forget_sent(); }

  Reply check(const Patience& patience);
  Reply find(const Call& call, const Patience& patience);
  Reply read(const Call& call, const Patience& patience);
  /// One page; `cookie` leads from one to the next, on this object alone.
  std::vector<Account> list(int size, std::string& cookie, const Patience& patience);
  Reply set_active(const Call& call, bool active, const Patience& patience);
  Reply remove(const Call& call, const Patience& patience);
  Reply list_entitlements(const Call& call, const Patience& patience);
  Reply set_member(const Call& call, bool member, const Patience& patience);

 private:
  [[nodiscard]] Search accounts_with(const std::string& condition, int most) const;
  [[nodiscard]] Account account_of(const Entry& entry) const;
  [[nodiscard]] std::optional<bool> active_of(const Entry& entry) const;
  /// The one entry of this id. Throws Failure: NOT_FOUND, AMBIGUOUS.
  Entry entry_of(std::string_view id, const Patience& patience);
  /// A filter that is true of the entry as long as it is the one that was found.
  [[nodiscard]] std::string still(std::string_view id) const;
  void refuse_own(const Entry& entry) const;
  [[nodiscard]] std::string member_value(const Entry& entry) const;
  std::vector<Entry> groups_of(const Entry& entry, const Patience& patience);
  bool leave_groups(const Entry& entry, const Patience& patience);

  const Config& config_;
  Directory directory_;
};

}  // namespace deprov_ldap
