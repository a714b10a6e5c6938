#pragma once
#include <array>
#include <deprov/idp/change.hpp>
#include <utility>

namespace deprov::idp {

namespace detail {
inline constexpr std::array<std::pair<ChangeKind, std::string_view>, 20> change_names{{
    {ChangeKind::created, "created"},
    {ChangeKind::updated, "updated"},
    {ChangeKind::renamed, "renamed"},
    {ChangeKind::deactivated, "deactivated"},
    {ChangeKind::reactivated, "reactivated"},
    {ChangeKind::deleted, "deleted"},
    {ChangeKind::added_to_group, "added_to_group"},
    {ChangeKind::removed_from_group, "removed_from_group"},
    {ChangeKind::group_created, "group_created"},
    {ChangeKind::group_renamed, "group_renamed"},
    {ChangeKind::group_updated, "group_updated"},
    {ChangeKind::group_deleted, "group_deleted"},
    {ChangeKind::group_emptied, "group_emptied"},
    {ChangeKind::suspended, "suspended"},
    {ChangeKind::unsuspended, "unsuspended"},
    {ChangeKind::unassigned, "unassigned"},
    {ChangeKind::assigned, "assigned"},
    {ChangeKind::soft_deleted, "soft_deleted"},
    {ChangeKind::hard_deleted, "hard_deleted"},
    {ChangeKind::sessions_revoked, "sessions_revoked"},
}};
inline constexpr std::array<std::pair<Cause, std::string_view>, 13> cause_names{{
    {Cause::none, "none"},
    {Cause::deactivated, "deactivated"},
    {Cause::hard_deleted, "hard_deleted"},
    {Cause::lost_entitling_group, "lost_entitling_group"},
    {Cause::group_deleted, "group_deleted"},
    {Cause::unassigned, "unassigned"},
    {Cause::soft_deleted, "soft_deleted"},
    {Cause::suspended, "suspended"},
    {Cause::sessions_revoked, "sessions_revoked"},
    {Cause::manual, "manual"},
    {Cause::restored, "restored"},
    {Cause::provisioned, "provisioned"},
    {Cause::role_lowered, "role_lowered"},
}};
template <class E, std::size_t N>
constexpr std::string_view name_of(const std::array<std::pair<E, std::string_view>, N>& names, E value) noexcept {
  for (const auto& [v, n] : names)
    if (v == value) return n;
  return "unknown";
}
template <class E, std::size_t N>
constexpr std::optional<E> value_of(const std::array<std::pair<E, std::string_view>, N>& names,
                                    std::string_view name) noexcept {
  for (const auto& [v, n] : names)
    if (n == name) return v;
  return std::nullopt;
}
}  // namespace detail

DEPROV_INLINE std::string_view to_string(ChangeKind k) noexcept {
  return detail::name_of(detail::change_names, k);
}
DEPROV_INLINE std::optional<ChangeKind> parse_change_kind(std::string_view text) noexcept {
  return detail::value_of(detail::change_names, text);
}
DEPROV_INLINE std::string_view to_string(Cause c) noexcept { return detail::name_of(detail::cause_names, c); }
DEPROV_INLINE std::optional<Cause> parse_cause(std::string_view text) noexcept {
  return detail::value_of(detail::cause_names, text);
}

}  // namespace deprov::idp
