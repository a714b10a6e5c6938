#include "service/scim_unknown_members.hpp"
#include <boost/json/array.hpp>
#include <deprov/scim/fold.hpp>
#include <deprov/scim/json.hpp>
#include <utility>

namespace deprov::service {

namespace {
constexpr char key_mark = '\x1f';
}  // namespace

UnknownMembers UnknownMembers::take(json::object& document, const scim::TypeDef& type) {
  UnknownMembers out;
  const auto* rows = type.row_attribute();
  auto* stored = rows != nullptr ? document.if_contains(rows->name) : nullptr;
  if (stored == nullptr) return out;
  if (auto* list = stored->if_array())
    for (auto& e : *list) {
      auto* member = e.if_object();
      const auto* value = member != nullptr ? member->if_contains("value") : nullptr;
      if (value != nullptr && value->is_string())
        out.now_.emplace(scim::fold(value->get_string()), std::move(*member));
    }
  out.before_ = out.now_;
  document.erase(rows->name);
  return out;
}

void UnknownMembers::put(json::object& document, const scim::TypeDef& type) const {
  const auto* rows = type.row_attribute();
  if (rows == nullptr) return;
  document.erase(rows->name);
  if (now_.empty()) return;
  json::array list;
  list.reserve(now_.size());
  for (const auto& [key, member] : now_) list.emplace_back(member);
  document.emplace(rows->name, std::move(list));
}

bool UnknownMembers::contains(std::string_view value) const {
  return !now_.empty() && now_.find(scim::fold(value)) != now_.end();
}

std::vector<json::object> UnknownMembers::list() const {
  std::vector<json::object> out;
  out.reserve(now_.size());
  for (const auto& [key, member] : now_) out.push_back(member);
  return out;
}

Result<void> UnknownMembers::add(const scim::Member& member) {
  if (member.value.size() > max_value_bytes)
    return Error(Errc::invalid_value,
                 "the id of a member that is no resource here has at most " + std::to_string(max_value_bytes) +
                     " bytes, and this one " + std::to_string(member.value.size()),
                 "value");
  DEPROV_CHECK(scim::check_display(member.display));
  auto key = scim::fold(member.value);
  if (const auto known = now_.find(key); known != now_.end()) {
    if (!member.display.empty()) known->second["display"] = member.display;
    return {};
  }
  if (now_.size() >= most)
    return Error(Errc::limit_exceeded,
                 "a group keeps at most " + std::to_string(most) + " members that are no resource here", {},
                 "create the resources before they become members");
  json::object one{{"value", member.value}};
  if (!member.ref.empty()) one["$ref"] = member.ref;
  if (!member.type.empty()) one["type"] = member.type;
  if (!member.display.empty()) one["display"] = member.display;
  if (!before_.contains(key)) added_.push_back(member.value);
  now_.emplace(std::move(key), std::move(one));
  return {};
}

bool UnknownMembers::remove(std::string_view value) {
  if (now_.empty()) return false;
  return now_.erase(scim::fold(value)) != 0;
}

std::size_t UnknownMembers::remove_where(const scim::Matcher& matcher) {
  return std::erase_if(now_, [&](const auto& m) { return matcher.value(m.second); });
}

std::size_t UnknownMembers::name_where(const scim::Matcher& matcher, const std::string& display) {
  std::size_t named = 0;
  for (auto& [key, member] : now_) {
    if (!matcher.value(member)) continue;
    ++named;
    if (display.empty()) {
      member.erase("display");
    } else {
      member["display"] = display;
    }
  }
  return named;
}

bool has_unknown_members(const port::ResourceRow& row, const scim::TypeDef& type) {
  const auto* rows = type.row_attribute();
  if (rows == nullptr) return false;
  // Inside of strings every quote has a backslash before it.
  return row.document.find("\"" + rows->name + "\":[") != std::string::npos;
}

std::string unknown_member_key(std::string_view value) { return key_mark + scim::fold(value); }

bool is_unknown_member_key(std::string_view key) noexcept { return !key.empty() && key.front() == key_mark; }

}  // namespace deprov::service
