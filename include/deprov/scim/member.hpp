// Members of a group as they travel: they are rows in a store and never part of the group's document.
#pragma once

#include <cstdint>
#include <deprov/scim/filter.hpp>
#include <deprov/scim/limits.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::scim {

struct Member {
  std::string value;    ///< the SCIM `id` of the member, as sent; never empty
  std::string display;  ///< as sent, or empty
  std::string type;     ///< "User" or "Group" as sent, or empty
  std::string ref{};    ///< `$ref` as sent, or empty
  friend bool operator==(const Member&, const Member&) = default;
};

/// One step on the membership rows. Steps apply in their order; a step that finds nothing to do is no failure
/// unless its kind says so.
struct MemberOp {
  enum class Kind : std::uint8_t {
    add,            ///< `values` become members; those who are already: nothing
    remove,         ///< `values` leave (only `Member::value` counts); those who are not members: nothing
    replace,        ///< exactly `values` are members afterwards; none at all if it is empty
    remove_where,   ///< members that match `filter` leave (compile it with `Matcher::compile_values`)
    replace_where,  ///< members that match `filter` leave and `values` join; `no_target` if none matches
    name_where,     ///< members that match `filter` get `display`, or lose theirs; `no_target` if none matches
  };
  Kind kind = Kind::add;
  std::vector<Member> values{};  ///< each `value` once
  std::optional<Filter> filter{};
  std::string display{};  ///< of `name_where`; empty: none
};

/// What a PUT or PATCH asks of the membership rows. Empty: nothing (absent is not empty).
using MemberOps = std::vector<MemberOp>;

/// Whether a member may be called so. Errors: `invalid_value` beyond `max_member_display_bytes`, at `display`.
[[nodiscard]] Result<void> check_display(std::string_view display);
/// The `members` value of a request, taken out as rows. Accepts one object, an array, or strings (the id alone).
/// Errors: `invalid_value`, `limit_exceeded`.
[[nodiscard]] Result<std::vector<Member>> parse_members(const json::value& value, const Limits& limits = {});
/// One row as a client sees it; `$ref` is left out when `base` is empty.
[[nodiscard]] json::object to_json(const Member& member, std::string_view base = {});

}  // namespace deprov::scim

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/scim/impl/member.ipp>
#endif
