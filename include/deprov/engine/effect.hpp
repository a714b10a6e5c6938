// What a request of an IdP comes to, in stored terms, before the engine decides what follows from it.
#pragma once

#include <cstdint>
#include <deprov/port/records.hpp>
#include <optional>
#include <string>
#include <vector>

namespace deprov::engine {

/// One step on the rows of a group, in the order of the request.
struct MemberStep {
  /// `name`: those of them who are members are called `display` from now on, or nothing.
  enum class Kind : std::uint8_t { add, remove, replace, name };
  Kind kind = Kind::add;
  /// `group` is that of the effect; for replace the whole new list. Who is named without a `display` keeps theirs.
  std::vector<port::MemberRow> members;
  std::string display{};  ///< of `name`, once for all of them; that of their rows says nothing
};

/// A value that no two resources share; `key` says type, attribute and value.
struct UniqueKey {
  std::string key;
  std::string attribute;  ///< for the error

  friend bool operator==(const UniqueKey&, const UniqueKey&) = default;
};

/// The normalised effect of one request on one resource.
struct Effect {
  /// Before, as read; nothing for a new resource.
  std::optional<port::ResourceRow> before;
  /// After. `version` is the one read (0 to create); `deleted` for DELETE. Nothing where the resource itself
  /// stays as it is (members alone, or an idempotent repeat).
  std::optional<port::ResourceRow> after;
  bool keys_changed = true;           ///< false: external id, names and e-mails are as stored
  std::vector<UniqueKey> released{};  ///< that the resource no longer has
  std::vector<UniqueKey> claimed{};   ///< that it has now; `uniqueness` where another one has it
  ResourceId group;                   ///< whose rows `members` are; nil: none
  std::vector<MemberStep> members;
  /// The group must still be at the version of `before` when members change (`If-Match`); replacing all of them
  /// always wants that.
  bool if_unchanged = false;
  bool renamed = false;                         ///< userName or displayName differs
  std::vector<std::string> changed_attributes;  ///< top-level names, for the activity; never values
  /// Of the request, where it shows only when the effect is worked out: further rules of the dialect, and what was
  /// ignored, one sentence each.
  std::vector<std::string> dialect_rules;
  std::vector<std::string> ignored;
  /// New members that are no resource here, as they were sent: they are kept, and nobody's grant.
  std::vector<std::string> unknown_members{};
  /// What is in `ignored` was asked for and not done: it is on the activity even where nothing else has changed.
  bool note_ignored = false;
};

/// Who and what showed it; goes to the changes and the activity.
struct Evidence {
  std::string actor;    ///< "idp:okta", "principal:<id>"
  std::string source;   ///< "scim", "admin"
  std::string request;  ///< id of the request
  std::string method;   ///< "PATCH"
  std::vector<std::string> dialect_rules;
  WallTime at;             ///< when the request arrived
  std::string detected{};  ///< the dialect that was recognised, where the integration names none
};

}  // namespace deprov::engine
