// Members of a group that are no resource here: kept as they were sent, in the group's document, beside its rows.
#pragma once

#include <boost/json/object.hpp>
#include <deprov/port/records.hpp>
#include <deprov/scim/match.hpp>
#include <deprov/scim/member.hpp>
#include <deprov/scim/schema.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::service {

namespace json = boost::json;

/// Such members are nobody's grant: no subject, no guard and no policy ever sees them. Ids here are given away by
/// us alone, so that none of them becomes a resource later. Their values compare in any case.
class UnknownMembers {
 public:
  /// Of one group.
  static constexpr std::size_t most = 1000;
  static constexpr std::size_t max_value_bytes = 1024;

  UnknownMembers() = default;
  /// Takes them out of a stored document. A type without members has none.
  [[nodiscard]] static UnknownMembers take(json::object& document, const scim::TypeDef& type);
  /// Puts them back as they are now.
  void put(json::object& document, const scim::TypeDef& type) const;

  [[nodiscard]] bool empty() const noexcept { return now_.empty(); }
  /// Since they were taken out.
  [[nodiscard]] bool changed() const { return now_ != before_; }
  [[nodiscard]] bool contains(std::string_view value) const;
  /// Each with `value` and, where they were sent, `$ref`, `type` and `display`; in the order of their values.
  [[nodiscard]] std::vector<json::object> list() const;

  /// One that is there already gets its display, if there is one, and stays as it is. Errors: `invalid_value`,
  /// `limit_exceeded`.
  [[nodiscard]] Result<void> add(const scim::Member& member);
  /// Whether it was there.
  bool remove(std::string_view value);
  /// Those that match a filter on single members; how many.
  std::size_t remove_where(const scim::Matcher& matcher);
  /// Those that match get the display, or lose theirs if it is empty; how many.
  std::size_t name_where(const scim::Matcher& matcher, const std::string& display);
  void clear() noexcept { now_.clear(); }

  /// Values that were added, as sent.
  [[nodiscard]] const std::vector<std::string>& added() const noexcept { return added_; }

 private:
  std::map<std::string, json::object, std::less<>> now_;  ///< by folded value
  std::map<std::string, json::object, std::less<>> before_;
  std::vector<std::string> added_;
};

/// Whether a stored group has some; does not parse it.
[[nodiscard]] bool has_unknown_members(const port::ResourceRow& row, const scim::TypeDef& type);

/// Groups are found by them through the index of e-mails, which groups have no other use for.
[[nodiscard]] std::string unknown_member_key(std::string_view value);
/// Whether an e-mail that is asked for would be taken for one of these keys.
[[nodiscard]] bool is_unknown_member_key(std::string_view key) noexcept;

}  // namespace deprov::service
