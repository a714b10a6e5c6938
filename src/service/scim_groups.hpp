// The groups that a resource is in, directly and through other groups.
#pragma once

#include <cstdint>
#include <deprov/port/store.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace deprov::service {

struct GroupsOf {
  std::vector<ResourceId> direct;    ///< that name it as a member
  std::vector<ResourceId> indirect;  ///< that one of these is in, at any depth; none of them twice
};

/// One value of `groups`.
struct ShownGroup {
  ResourceId id;
  bool direct = true;
  std::string display;  ///< as JSON text; empty: it has none
};

/// What the groups add to the version of a resource that shows them; 0: it is in none.
[[nodiscard]] std::uint64_t version_of(const std::vector<ShownGroup>& groups) noexcept;

/// Remembers what is above each group, since the resources of one answer share most of them. For one view.
class GroupFinder {
 public:
  /// Errors: `limit_exceeded` beyond 10,000 groups; those of the store.
  [[nodiscard]] Result<GroupsOf> of(port::Reader& reader, const port::Scope& scope, ResourceId id);
  /// The same as they are shown. Errors: likewise; `store_corrupt`.
  [[nodiscard]] Result<std::vector<ShownGroup>> shown(port::Reader& reader, const port::Scope& scope,
                                                      ResourceId id);

 private:
  std::unordered_map<ResourceId, std::vector<ResourceId>> above_;
  std::unordered_map<ResourceId, std::string> names_;  ///< displayName as JSON text; empty: it has none
};

/// The live resources of a type that are in the group, directly or through groups in it, each once, in the order
/// in which they are found; at most `most`, and one more where there are more.
[[nodiscard]] Result<std::vector<port::ResourceRow>> rows_below(port::Reader& reader, const port::Scope& scope,
                                                                ResourceId group, std::string_view type,
                                                                std::size_t most);

}  // namespace deprov::service
