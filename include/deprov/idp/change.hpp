// What a source showed about a person's access, and why access ended.
#pragma once

#include <cstdint>
#include <deprov/config.hpp>
#include <deprov/uuid.hpp>
#include <optional>
#include <string_view>

namespace deprov::idp {

/// One thing that a source showed. Values are stored; append only.
enum class ChangeKind : std::uint8_t {
  created = 1,
  updated = 2,  ///< attributes that grant nothing
  renamed = 3,  ///< userName; never a leaver (R12)
  deactivated = 4,
  reactivated = 5,
  deleted = 6,
  added_to_group = 7,
  removed_from_group = 8,
  group_created = 9,
  group_renamed = 10,
  group_updated = 11,
  group_deleted = 12,
  group_emptied = 13,
  // shown by sources other than SCIM push
  suspended = 20,
  unsuspended = 21,
  unassigned = 22,
  assigned = 23,
  soft_deleted = 24,
  hard_deleted = 25,
  sessions_revoked = 26,
};
[[nodiscard]] std::string_view to_string(ChangeKind k) noexcept;
[[nodiscard]] std::optional<ChangeKind> parse_change_kind(std::string_view text) noexcept;

/// Why access ended (R2). Values are stored; append only.
enum class Cause : std::uint8_t {
  none = 0,
  deactivated = 1,
  hard_deleted = 2,  ///< a SCIM DELETE included
  lost_entitling_group = 3,
  group_deleted = 4,  ///< an entitling group that was deleted
  unassigned = 5,
  soft_deleted = 6,
  suspended = 7,
  sessions_revoked = 8,
  manual = 9,        ///< `subjects offboard`
  restored = 10,     ///< not an end: access came back
  provisioned = 11,  ///< not an end: the account is looked up early (R12)
  role_lowered = 12,
};
[[nodiscard]] std::string_view to_string(Cause c) noexcept;
[[nodiscard]] std::optional<Cause> parse_cause(std::string_view text) noexcept;

}  // namespace deprov::idp

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/idp/impl/change.ipp>
#endif
