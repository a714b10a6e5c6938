#pragma once
#include <deprov/scim/patch.hpp>
#include <utility>

namespace deprov::scim::detail {

/// What the attributes held before the first operation touched them, to be undone or told. Keys outlive it.
class Touched {
 public:
  struct Saved {
    std::string_view key;
    std::optional<json::value> before;
    std::size_t last = 0;  ///< the operation that touched it last
  };

  explicit Touched(json::object& document) : document_(document) {}

  /// A top-level attribute or an extension is about to be changed by this operation.
  void add(std::string_view key, std::size_t operation) {
    for (auto& s : saved_)
      if (s.key == key) {
        s.last = operation;
        return;
      }
    const auto* v = document_.if_contains(key);
    saved_.push_back({key, v != nullptr ? std::optional<json::value>(*v) : std::nullopt, operation});
  }

  void restore() {
    for (auto& s : saved_) {
      if (s.before) {
        document_.insert_or_assign(s.key, std::move(*s.before));
      } else {
        document_.erase(s.key);
      }
    }
  }

  void list(PatchResult& out) const {
    for (const auto& s : saved_) {
      const auto* now = document_.if_contains(s.key);
      if (now == nullptr ? !s.before.has_value() : (s.before && *s.before == *now)) continue;
      out.changes.emplace_back(s.key);
      out.changed_by.push_back(s.last);
    }
  }

  [[nodiscard]] const std::vector<Saved>& all() const noexcept { return saved_; }

 private:
  json::object& document_;
  std::vector<Saved> saved_;
};

}  // namespace deprov::scim::detail
