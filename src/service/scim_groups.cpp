#include "service/scim_groups.hpp"
#include <boost/json/serialize.hpp>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include "service/scim_rows.hpp"

namespace deprov::service {

namespace {
constexpr std::size_t max_groups = 10'000;
}  // namespace

Result<GroupsOf> GroupFinder::of(port::Reader& reader, const port::Scope& scope, ResourceId id) {
  GroupsOf out;
  DEPROV_TRY(direct, reader.groups_of(scope, id));
  out.direct = std::move(direct);
  if (out.direct.empty()) return out;
  std::unordered_set<ResourceId> seen(out.direct.begin(), out.direct.end());
  std::vector<ResourceId> open = out.direct;
  while (!open.empty()) {
    const auto at = open.back();
    open.pop_back();
    auto known = above_.find(at);
    if (known == above_.end()) {
      DEPROV_TRY(above, reader.groups_of(scope, at));
      known = above_.emplace(at, std::move(above)).first;
    }
    for (const auto& group : known->second) {
      if (!seen.insert(group).second) continue;
      if (seen.size() > max_groups)
        return Error(Errc::limit_exceeded,
                     "the resource is in more than " + std::to_string(max_groups) + " groups", "groups",
                     "leave them out with excludedAttributes=groups");
      out.indirect.push_back(group);
      open.push_back(group);
    }
  }
  return out;
}

Result<std::vector<ShownGroup>> GroupFinder::shown(port::Reader& reader, const port::Scope& scope, ResourceId id) {
  DEPROV_TRY(found, of(reader, scope, id));
  std::vector<ShownGroup> out;
  out.reserve(found.direct.size() + found.indirect.size());
  const auto add = [&](ResourceId group, bool direct) -> Result<void> {
    auto known = names_.find(group);
    if (known == names_.end()) {
      DEPROV_TRY(row, reader.resource(scope, group));
      std::string name;
      if (row) {
        DEPROV_TRY(document, stored_document(*row));
        if (const auto* display = document.if_contains("displayName")) name = json::serialize(*display);
      }
      known = names_.emplace(group, std::move(name)).first;
    }
    out.push_back({group, direct, known->second});
    return {};
  };
  for (const auto& group : found.direct) DEPROV_CHECK(add(group, true));
  for (const auto& group : found.indirect) DEPROV_CHECK(add(group, false));
  return out;
}

std::uint64_t version_of(const std::vector<ShownGroup>& groups) noexcept {
  if (groups.empty()) return 0;
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a: it is compared by who was given it, and protects nothing
  const auto add = [&](unsigned char c) { hash = (hash ^ c) * 1099511628211U; };
  for (const auto& g : groups) {
    for (const auto b : g.id.value.bytes) add(static_cast<unsigned char>(b));
    add(g.direct ? 1 : 2);
    for (const char c : g.display) add(static_cast<unsigned char>(c));
  }
  return hash == 0 ? 1 : hash;
}

Result<std::vector<port::ResourceRow>> rows_below(port::Reader& reader, const port::Scope& scope, ResourceId group,
                                                  std::string_view type, std::size_t most) {
  std::vector<port::ResourceRow> rows;
  std::unordered_set<ResourceId> seen{group};
  std::vector<ResourceId> open{group};
  while (!open.empty()) {
    const auto at = open.back();
    open.pop_back();
    std::optional<ResourceId> after;
    for (bool more = true; more;) {
      DEPROV_TRY(page, reader.members(scope, at, after, 1000));
      for (const auto& m : page.rows) {
        after = m.member;
        if (!seen.insert(m.member).second) continue;
        DEPROV_TRY(row, reader.resource(scope, m.member));
        if (!row || row->deleted) continue;
        if (m.member_is_group) open.push_back(m.member);
        if (row->type == type) rows.push_back(std::move(*row));
        if (rows.size() > most) return rows;
      }
      more = page.more && !page.rows.empty();
    }
  }
  return rows;
}

}  // namespace deprov::service
