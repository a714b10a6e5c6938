// The first resources of a sorted list, as keys: the rest is forgotten while it is looked at.
#pragma once

#include <deprov/scim/sort.hpp>
#include <deprov/service/scim_service.hpp>
#include <vector>

namespace deprov::service {

class ListWindow {
 public:
  struct Entry {
    scim::SortKey key;
    ResourceId id;
    std::uint32_t type = 0;
  };
  explicit ListWindow(const ScimOptions& options) : options_(options) {}

  /// For a page of `most` from `first` on. Errors: `too_many` where that is beyond `sort_window`.
  [[nodiscard]] Result<void> prepare(std::uint64_t first, std::uint64_t most, bool descending);
  /// Errors: `too_many` where the keys are beyond `sort_bytes`.
  [[nodiscard]] Result<void> add(Entry entry);
  /// The page, in order.
  [[nodiscard]] std::vector<Entry> take(std::uint64_t first, std::uint64_t most);
  /// Whether one resource comes behind another; equal keys by id.
  [[nodiscard]] bool comes_behind(const scim::SortKey& key, ResourceId id, const scim::SortKey& other,
                                  ResourceId other_id) const;

 private:
  const ScimOptions& options_;
  bool descending_ = false;
  std::size_t capacity_ = 0;
  std::size_t bytes_ = 0;
  std::vector<Entry> heap_;  ///< the last one of the order is in front
};

}  // namespace deprov::service
