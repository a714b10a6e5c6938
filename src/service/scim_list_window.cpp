#include "service/scim_list_window.hpp"
#include <algorithm>
#include <string>
#include <utility>

namespace deprov::service {

Result<void> ListWindow::prepare(std::uint64_t first, std::uint64_t most, bool descending) {
  descending_ = descending;
  const auto end = first + most;
  if (most != 0 && (end > options_.sort_window || end < first))
    return Error(Errc::too_many,
                 "a sorted list is shown up to resource " + std::to_string(options_.sort_window) + " by index",
                 "startIndex", "page by cursor (RFC 9865), or narrow it down by a filter");
  capacity_ = most == 0 ? 0 : static_cast<std::size_t>(end);
  return {};
}

bool ListWindow::comes_behind(const scim::SortKey& key, ResourceId id, const scim::SortKey& other,
                              ResourceId other_id) const {
  const int order = scim::compare(key, other);
  if (order != 0) return descending_ ? order < 0 : order > 0;
  return descending_ ? id < other_id : other_id < id;
}

Result<void> ListWindow::add(Entry entry) {
  if (capacity_ == 0) return {};
  const auto before = [this](const Entry& a, const Entry& b) { return comes_behind(b.key, b.id, a.key, a.id); };
  if (heap_.size() == capacity_) {
    if (!before(entry, heap_.front())) return {};
    std::pop_heap(heap_.begin(), heap_.end(), before);
    bytes_ -= heap_.back().key.text.size();
    heap_.pop_back();
  }
  bytes_ += entry.key.text.size();
  if (bytes_ > options_.sort_bytes)
    return Error(Errc::too_many,
                 "the values that are sorted by have more than " + std::to_string(options_.sort_bytes) + " bytes",
                 "sortBy", "page by cursor (RFC 9865), or narrow it down by a filter");
  heap_.push_back(std::move(entry));
  std::push_heap(heap_.begin(), heap_.end(), before);
  return {};
}

std::vector<ListWindow::Entry> ListWindow::take(std::uint64_t first, std::uint64_t most) {
  // The last one is in front, and what comes before the page is in nobody's way: no need to put it in order.
  const auto before = [this](const Entry& a, const Entry& b) { return comes_behind(b.key, b.id, a.key, a.id); };
  std::vector<Entry> page;
  while (heap_.size() > first && page.size() < most) {
    std::pop_heap(heap_.begin(), heap_.end(), before);
    page.push_back(std::move(heap_.back()));
    heap_.pop_back();
  }
  std::reverse(page.begin(), page.end());
  return page;
}

}  // namespace deprov::service
