// What connectors keep, on an ordered map.
#include "memory_state.hpp"
#include "problems.hpp"

namespace deprov::store {

using namespace port;

namespace {
std::vector<std::string> names_of(const MemoryState& s, const Scope& scope) {
  std::vector<std::string> names;
  each_from(s.checkpoints, {scope, std::string()}, [&](const auto& key, const auto&) {
    if (std::get<0>(key) != scope) return false;
    names.push_back(std::get<1>(key));
    return true;
  });
  return names;
}
}  // namespace

Result<void> apply_to(MemoryState& s, Undo& undo, const op::PutCheckpoint& o) {
  const std::tuple key(o.scope, o.name);
  if (o.value.empty()) {
    undo.erase(s.checkpoints, key);
    return {};
  }
  if (!s.checkpoints.contains(key) && names_of(s, o.scope).size() >= o.most)
    return too_many_checkpoints(o.name, o.most);
  undo.put(s.checkpoints, key, o.value);
  return {};
}

Result<void> apply_to(MemoryState& s, Undo& undo, const op::RemoveCheckpoints& o) {
  for (const auto& name : names_of(s, o.scope)) undo.erase(s.checkpoints, std::tuple(o.scope, name));
  return {};
}

}  // namespace deprov::store
