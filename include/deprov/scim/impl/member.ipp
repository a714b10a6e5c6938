#pragma once
#include <deprov/scim/fold.hpp>
#include <deprov/scim/member.hpp>
#include <unordered_map>
#include <utility>

namespace deprov::scim {

namespace detail {

/// Each `value` once, the first one staying, with what is said of its display last; linear.
inline void keep_first_of_each(std::vector<Member>& members) {
  if (members.size() < 2) return;
  std::unordered_map<std::string, std::size_t> seen;
  seen.reserve(members.size() * 2);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const auto [first, fresh] = seen.emplace(fold(members[i].value), kept);
    if (!fresh) {
      if (!members[i].display.empty()) members[first->second].display = std::move(members[i].display);
      continue;
    }
    if (kept != i) members[kept] = std::move(members[i]);
    ++kept;
  }
  members.resize(kept);
}

}  // namespace detail

DEPROV_INLINE Result<void> check_display(std::string_view display) {
  if (display.size() <= max_member_display_bytes) return {};
  return Error(Errc::invalid_value,
               "the display of a member has at most " + std::to_string(max_member_display_bytes) +
                   " bytes, and this one " + std::to_string(display.size()),
               "display");
}

DEPROV_INLINE Result<std::vector<Member>> parse_members(const json::value& value, const Limits& limits) {
  std::vector<Member> out;
  const auto one = [&](const json::value& v) -> Result<void> {
    Member m;
    if (const auto* id = v.if_string()) {
      m.value = *id;
    } else if (const auto* o = v.if_object()) {
      for (const auto& part : *o) {
        // A reference that is no text says nothing: the member's id does.
        if (iequals(part.key(), "$ref") && part.value().is_string()) m.ref = part.value().get_string();
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
                       std::string(part.key()));
        if (to == &m.display) DEPROV_CHECK(check_display(*text));
        *to = *text;
      }
    } else {
      return Error(Errc::invalid_value,
                   "expected an object with the member's id as value, not " + std::string(kind_name(v)));
    }
    if (m.value.empty())
      return Error(Errc::invalid_value, "the member's id is missing", "value", "give the id of the user or group");
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
    if (auto r = one((*all)[i]); !r) {
      const auto& e = r.error();
      return Error(e.code(), e.detail(),
                   "[" + std::to_string(i) + "]" + (e.where().empty() ? "" : "." + e.where()), e.advice());
    }
  }
  detail::keep_first_of_each(out);
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
