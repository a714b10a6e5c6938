// What a request asks of the members of a group, as steps on rows.
#pragma once

#include <deprov/engine/engine.hpp>
#include <deprov/scim/member.hpp>
#include <deprov/scim/schema.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>
#include "service/scim_unknown_members.hpp"

namespace deprov::service {

struct MemberRequest {
  const scim::TypeDef& type;  ///< of the group
  ResourceId group;
  bool created = false;  ///< the group is made by the same request
  std::string_view base;
  std::size_t max_members = 0;  ///< that a filter may look at
  /// Those of the group that are no resource here; the steps are carried out on them at once.
  UnknownMembers& unknown;
  bool keep_unknown = false;  ///< further ones are kept, and not refused
  /// Resources that are about to be created, and whether they are groups; null: none.
  const std::map<ResourceId, bool>* promised = nullptr;
  /// Gets the id, as sent, or the filter that a failure is about; null: nobody asks.
  std::string* about = nullptr;
};

/// Ids are looked up and filters are worked out over the rows as they stand after the steps before.
/// Who is to join must be there, unless unknown members are kept: `invalid_value` names the one who is not. Who
/// was deleted here, or can be no member, is refused in any case. Who is to leave need not be there. Errors:
/// `invalid_value` (also for a group in itself, at any depth), `no_target`, `invalid_filter`, `limit_exceeded`.
[[nodiscard]] Result<std::vector<engine::MemberStep>> member_steps(port::Reader& reader,
                                                                   const engine::IntegrationContext& context,
                                                                   const MemberRequest& request,
                                                                   const scim::MemberOps& ops);

}  // namespace deprov::service
