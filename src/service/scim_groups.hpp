// The groups that a resource is in, directly and through other groups.
#pragma once

#include <deprov/port/store.hpp>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace deprov::service {

struct GroupsOf {
  std::vector<ResourceId> direct;    ///< that name it as a member
  std::vector<ResourceId> indirect;  ///< that one of these is in, at any depth; none of them twice
};

/// Remembers what is above each group, since the resources of one answer share most of them. For one view.
class GroupFinder {
 public:
  /// Errors: `limit_exceeded` beyond 10,000 groups; those of the store.
  [[nodiscard]] Result<GroupsOf> of(port::Reader& reader, const port::Scope& scope, ResourceId id);

 private:
  std::unordered_map<ResourceId, std::vector<ResourceId>> above_;
};

/// The live resources of a type that are in the group, directly or through groups in it, each once, in the order
/// in which they are found; at most `most`, and one more where there are more.
[[nodiscard]] Result<std::vector<port::ResourceRow>> rows_below(port::Reader& reader, const port::Scope& scope,
                                                                ResourceId group, std::string_view type,
                                                                std::size_t most);

}  // namespace deprov::service
