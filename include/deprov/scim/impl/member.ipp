#pragma once
#include <algorithm>
#include <deprov/scim/fold.hpp>
#include <deprov/scim/member.hpp>
#include <utility>
#include <vector>

namespace deprov::scim {

namespace detail {

/// Of what has no case: letters beyond ASCII count as equal here, and are compared behind it.
inline std::size_t caseless_hash(std::string_view text) noexcept {
  std::uint64_t h = 14695981039346656037ULL;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    h = (h ^ (u >= 0x80 ? 0x80U : ((u >= 'A' && u <= 'Z') ? (u | 0x20U) : u))) * 1099511628211ULL;
  }
  return static_cast<std::size_t>(h ^ (h >> 32U));
}

/// In n log n whatever the values are.
inline void keep_first_by_sorting(std::vector<Member>& members) {
  std::vector<std::pair<std::string, std::size_t>> order;
  order.reserve(members.size());
  for (std::size_t i = 0; i < members.size(); ++i) order.emplace_back(fold(members[i].value), i);
  std::sort(order.begin(), order.end());
  for (std::size_t i = 1; i < order.size(); ++i)
    if (order[i].first == order[i - 1].first) members[order[i].second].value.clear();
  std::erase_if(members, [](const Member& m) { return m.value.empty(); });
}

/// Each `value` once, the first one staying; linear, unless somebody made the values collide.
inline void keep_first_of_each(std::vector<Member>& members) {
  if (members.size() < 2) return;
  std::size_t slots = 4;
  while (slots < members.size() * 2) slots *= 2;
  static constexpr auto free = static_cast<std::uint32_t>(-1);
  std::vector<std::uint32_t> table(slots, free);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    std::size_t at = caseless_hash(members[i].value) & (slots - 1);
    std::size_t steps = 0;
    for (; table[at] != free && !equal_folded(members[table[at]].value, members[i].value);
         at = (at + 1) & (slots - 1))
      if (++steps == 256) {
        members.erase(members.begin() + static_cast<std::ptrdiff_t>(kept),
                      members.begin() + static_cast<std::ptrdiff_t>(i));
        keep_first_by_sorting(members);
        return;
      }
    if (table[at] != free) continue;
    table[at] = static_cast<std::uint32_t>(kept);
    if (kept != i) members[kept] = std::move(members[i]);
    ++kept;
  }
  members.resize(kept);
}

}  // namespace detail

DEPROV_INLINE Result<std::vector<Member>> parse_members(const json::value& value, const Limits& limits) {
  std::vector<Member> out;
  const auto one = [&](const json::value& v) -> Result<void> {
    Member m;
    if (const auto* id = v.if_string()) {
      m.value = *id;
    } else if (const auto* o = v.if_object()) {
      for (const auto& part : *o) {
        std::string* to = nullptr;
        if (iequals(part.key(), "value")) {
          to = &m.value;
        } else if (iequals(part.key(), "display")) {
          to = &m.display;
        } else if (iequals(part.key(), "type")) {
          to = &m.type;
        }
        if (to == nullptr || part.value().is_null()) continue;
        const auto* text = part.value().if_string();
        if (text == nullptr)
          return Error(Errc::invalid_value, "expected a string, not " + std::string(kind_name(part.value())),
                       "." + std::string(part.key()));
        *to = *text;
      }
    } else {
      return Error(Errc::invalid_value,
                   "expected an object with the member's id as value, not " + std::string(kind_name(v)));
    }
    if (m.value.empty())
      return Error(Errc::invalid_value, "the member's id is missing", ".value",
                   "give the id of the user or group");
    out.push_back(std::move(m));
    return {};
  };
  const auto* all = value.if_array();
  if (all == nullptr) {
    DEPROV_CHECK(one(value));
    return out;
  }
  if (all->size() > limits.max_members_per_request)
    return Error(Errc::limit_exceeded,
                 std::to_string(all->size()) + " members are more than max_members_per_request (" +
                     std::to_string(limits.max_members_per_request) + ")",
                 {}, "send several requests");
  out.reserve(all->size());
  for (std::size_t i = 0; i < all->size(); ++i) {
    if ((*all)[i].is_null()) continue;
    if (auto r = one((*all)[i]); !r) {
      const auto& e = r.error();
      return Error(e.code(), e.detail(), "[" + std::to_string(i) + "]" + e.where(), e.advice());
    }
  }
  return out;
}

DEPROV_INLINE json::object to_json(const Member& member, std::string_view base) {
  json::object o;
  o.reserve(4);
  o.emplace("value", member.value);
  if (!member.display.empty()) o.emplace("display", member.display);
  if (!member.type.empty()) o.emplace("type", member.type);
  if (!base.empty()) {
    std::string ref(base);
    ref.append(iequals(member.type, "Group") ? "/Groups/" : "/Users/").append(member.value);
    o.emplace("$ref", std::move(ref));
  }
  return o;
}

}  // namespace deprov::scim
