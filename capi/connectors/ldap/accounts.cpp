#include "ldap/accounts.hpp"
#include <algorithm>
#include <optional>
#include "common/text.hpp"
#include "ldap/filter.hpp"

namespace deprov_ldap {

namespace {

using deprov_connectors::is_utf8;
using deprov_connectors::same_ignoring_case;

/// More groups of one account than this are nobody's; servers have their own limits below.
constexpr int most_groups = 10'000;

/// The first value that is text.
std::string text_of(const std::vector<std::string>& values) {
  const auto it = std::find_if(values.begin(), values.end(), [](const auto& v) { return is_utf8(v); });
  return it == values.end() ? std::string{} : *it;
}

bool has_value(const std::vector<std::string>& values, std::string_view wanted, bool exactly) {
  return std::any_of(values.begin(), values.end(),
                     [&](const auto& v) { return exactly ? v == wanted : same_ignoring_case(v, wanted); });
}

bool is_boolean(const std::string& s) { return s == "TRUE" || s == "FALSE"; }

}  // namespace

Search Accounts::accounts_with(const std::string& condition, int most) const {
  Search s;
  s.base = config_.base_dn;
  s.scope = config_.scope;
  s.filter = condition.empty() ? config_.account_filter : "(&" + config_.account_filter + condition + ")";
  for (const auto* a : {&config_.id_attribute, &config_.external_id_attribute, &config_.user_name_attribute,
                        &config_.email_attribute, &config_.state.attribute})
    if (!a->empty()) s.attributes.push_back(*a);
  s.most = most;
  return s;
}

std::optional<bool> Accounts::active_of(const Entry& entry) const {
  const auto& values = entry.values(config_.state.attribute);
  if (config_.state.bit == 0)
    return !has_value(values, config_.state.disabled, !is_boolean(config_.state.disabled));
  if (values.empty()) return std::nullopt;
  const auto n = deprov_connectors::to_number(values.front());
  if (!n)
    throw Failure(DEPROV_OUTCOME_PROTOCOL, config_.state.attribute + " of \"" + entry.dn + "\" is no number");
  return (*n & config_.state.bit) == 0;
}

Account Accounts::account_of(const Entry& entry) const {
  Account a;
  const auto& ids = entry.values(config_.id_attribute);
  a.id = config_.id_is_guid ? guid_to_text(ids.empty() ? "" : ids.front()) : text_of(ids);
  if (a.id.empty()) {
    throw Failure(DEPROV_OUTCOME_PERMISSION_DENIED, "the entry \"" + entry.dn + "\" does not show its " +
                                                        config_.id_attribute + "; let the bind DN read it");
  }
  if (!config_.external_id_attribute.empty()) a.external_id = text_of(entry.values(config_.external_id_attribute));
  a.user_name = text_of(entry.values(config_.user_name_attribute));
  if (!config_.email_attribute.empty())
    for (const auto& email : entry.values(config_.email_attribute))
      if (is_utf8(email)) a.emails.push_back(email);
  a.active = active_of(entry);
  return a;
}

std::string Accounts::still(std::string_view id) const {
  return equals(config_.id_attribute, config_.id_is_guid ? guid_from_text(id) : std::string(id));
}

Entry Accounts::entry_of(std::string_view id, const Patience& patience) {
  const auto none = [] { return Failure(DEPROV_OUTCOME_NOT_FOUND, "no account below base_dn has this id"); };
  if (id.empty() || (config_.id_is_guid && guid_from_text(id).empty())) throw none();
  auto found = directory_.search(accounts_with(still(id), 2), patience);
  if (found.empty()) throw none();
  if (found.size() > 1)
    throw Failure(DEPROV_OUTCOME_AMBIGUOUS, "more than one account has this " + config_.id_attribute);
  return std::move(found.front());
}

/// R9: a connection that takes away its own account can do nothing more.
void Accounts::refuse_own(const Entry& entry) const {
  if (same_name(entry.dn, config_.bind_dn))
    throw Failure(DEPROV_OUTCOME_PROTECTED, "this is the account that deprov itself binds with");
}

Reply Accounts::check(const Patience& patience) {
  bool more = false;
  const auto found = directory_.search(accounts_with("", 1), patience, &more);
  std::vector<Account> accounts;
  if (!found.empty()) accounts.push_back(account_of(found.front()));
  return deprov_sdk::found(std::move(accounts));
}

Reply Accounts::find(const Call& call, const Patience& patience) {
  const auto by = [&](const std::string& attribute, std::string_view value, bool exactly) {
    std::vector<Entry> out;
    if (attribute.empty() || value.empty()) return out;
    out = directory_.search(accounts_with(equals(attribute, value), 2), patience);
    // The server's rules may take two texts for the same that are not: spaces, or letters of two kinds.
    out.erase(std::remove_if(out.begin(), out.end(),
                             [&](const Entry& e) { return !has_value(e.values(attribute), value, exactly); }),
              out.end());
    return out;
  };
  const auto answer = [&](const std::vector<Entry>& found, const char* what) {
    if (found.size() > 1)
      throw Failure(DEPROV_OUTCOME_AMBIGUOUS, std::string("more than one account has this ") + what);
    return deprov_sdk::found({account_of(found.front())});
  };
  auto found = by(config_.external_id_attribute, call.external_id(), true);
  if (!found.empty()) return answer(found, "externalId");
  found = by(config_.user_name_attribute, call.user_name(), false);
  if (!found.empty()) return answer(found, "userName");
  for (const auto email : call.emails()) {
    for (auto& e : by(config_.email_attribute, email, false)) {
      const bool known = std::any_of(found.begin(), found.end(), [&](const Entry& f) { return f.dn == e.dn; });
      if (!known) found.push_back(std::move(e));
    }
  }
  if (!found.empty()) return answer(found, "address");
  throw Failure(DEPROV_OUTCOME_NOT_FOUND, "no account below base_dn matches");
}

Reply Accounts::read(const Call& call, const Patience& patience) {
  return deprov_sdk::found({account_of(entry_of(call.account(), patience))});
}

std::vector<Account> Accounts::list(int size, std::string& cookie, const Patience& patience) {
  std::vector<Account> out;
  for (const auto& entry : directory_.page(accounts_with("", 0), size, cookie, patience))
    out.push_back(account_of(entry));
  return out;
}

Reply Accounts::set_active(const Call& call, bool active, const Patience& patience) {
  const auto entry = entry_of(call.account(), patience);
  if (!active) refuse_own(entry);
  const auto now = active_of(entry);
  const auto& s = config_.state;
  if (!now) {
    throw Failure(DEPROV_OUTCOME_PERMISSION_DENIED,
                  "the entry \"" + entry.dn + "\" does not show its " + s.attribute + "; let the bind DN read it");
  }
  if (*now == active) return deprov_sdk::already();
  std::vector<Change> changes;
  if (s.bit != 0) {
    // The old value is named, so that a change in between is not undone.
    const auto& before = entry.values(s.attribute).front();
    const auto n = deprov_connectors::to_number(before).value_or(0);
    changes.push_back({LDAP_MOD_DELETE, s.attribute, {before}});
    changes.push_back({LDAP_MOD_ADD, s.attribute, {std::to_string(active ? n & ~s.bit : n | s.bit)}});
  } else if (!active) {
    changes.push_back({LDAP_MOD_REPLACE, s.attribute, {s.disabled}});
  } else {
    changes.push_back({LDAP_MOD_REPLACE, s.attribute, {}});
    if (s.enabled) changes.back().values = {*s.enabled};
  }
  (void)directory_.modify(entry.dn, changes, still(call.account()), {}, patience);
  return deprov_sdk::done();
}

// ---- groups

std::string Accounts::member_value(const Entry& entry) const {
  if (!config_.groups.members_are_names) return entry.dn;
  const auto& names = entry.values(config_.user_name_attribute);
  if (names.empty()) throw Failure(DEPROV_OUTCOME_PRECONDITION, "the entry \"" + entry.dn + "\" has no user name");
  return names.front();
}

std::vector<Entry> Accounts::groups_of(const Entry& entry, const Patience& patience) {
  Search s;
  s.base = config_.groups.base_dn;
  s.filter = "(&" + config_.groups.filter + equals(config_.groups.member_attribute, member_value(entry)) + ")";
  s.attributes = {config_.groups.name_attribute};
  std::vector<Entry> out;
  std::string cookie;
  do {
    for (auto& group : directory_.page(s, 500, cookie, patience)) out.push_back(std::move(group));
    if (out.size() > most_groups)
      throw Failure(DEPROV_OUTCOME_INVALID_REQUEST, "the account is in more than " + std::to_string(most_groups) +
                                                        " groups; narrow groups.base_dn or groups.filter");
  } while (!cookie.empty());
  return out;
}

/// Every group is tried; the first failure is told at the end. Whether there was one to leave.
bool Accounts::leave_groups(const Entry& entry, const Patience& patience) {
  bool left = false;
  std::optional<Failure> failed;
  for (const auto& group : groups_of(entry, patience)) {
    try {
      const int code =
          directory_.modify(group.dn, {{LDAP_MOD_DELETE, config_.groups.member_attribute, {member_value(entry)}}},
                            "", {LDAP_NO_SUCH_ATTRIBUTE}, patience);
      left = left || code == LDAP_SUCCESS;
    } catch (const Failure& e) {
      if (e.outcome() == DEPROV_OUTCOME_UNKNOWN_OUTCOME || patience.is_cancelled()) throw;
      if (!failed) failed = e;
    }
  }
  if (failed) throw Failure(*failed);
  return left;
}

Reply Accounts::remove(const Call& call, const Patience& patience) {
  const auto entry = entry_of(call.account(), patience);
  refuse_own(entry);
  // The groups first: what stays behind of a deleted entry would be the membership of the next one of its name.
  const bool left = leave_groups(entry, patience);
  if (!call.delete_account()) return left ? deprov_sdk::done() : deprov_sdk::already();
  (void)directory_.remove(entry.dn, still(call.account()), {}, patience);
  return deprov_sdk::done();
}

Reply Accounts::list_entitlements(const Call& call, const Patience& patience) {
  const auto entry = entry_of(call.account(), patience);
  auto account = account_of(entry);
  for (const auto& group : groups_of(entry, patience)) {
    auto name = text_of(group.values(config_.groups.name_attribute));
    if (name.empty()) name = group.dn;
    account.groups.push_back(std::move(name));
  }
  return deprov_sdk::found({account});
}

Reply Accounts::set_member(const Call& call, bool member, const Patience& patience) {
  const auto entry = entry_of(call.account(), patience);
  if (!member) refuse_own(entry);
  Search s;
  s.base = config_.groups.base_dn;
  s.filter = "(&" + config_.groups.filter + equals(config_.groups.name_attribute, call.entitlement()) + ")";
  s.attributes = {config_.groups.name_attribute};
  s.most = 2;
  const auto groups = directory_.search(s, patience);
  if (groups.size() > 1)
    throw Failure(DEPROV_OUTCOME_AMBIGUOUS, "more than one group is called \"" + std::string(call.entitlement()) +
                                                "\"; choose another groups.name_attribute");
  if (groups.empty() && !member) return deprov_sdk::already();
  if (groups.empty())
    throw Failure(DEPROV_OUTCOME_INVALID_REQUEST,
                  "no group is called \"" + std::string(call.entitlement()) + "\"");
  const int already = member ? LDAP_TYPE_OR_VALUE_EXISTS : LDAP_NO_SUCH_ATTRIBUTE;
  const int code = directory_.modify(
      groups.front().dn,
      {{member ? LDAP_MOD_ADD : LDAP_MOD_DELETE, config_.groups.member_attribute, {member_value(entry)}}}, "",
      {already}, patience);
  return code == already ? deprov_sdk::already() : deprov_sdk::done();
}

}  // namespace deprov_ldap
