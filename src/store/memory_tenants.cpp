// Workspaces' principals and integrations, on ordered maps.
#include <algorithm>
#include "memory_state.hpp"

namespace deprov::store {

using namespace port;

Result<std::vector<PrincipalRow>> principals_of(const MemoryState& s, WorkspaceId workspace) {
  std::vector<PrincipalRow> rows;
  each_from(s.principals, {workspace, PrincipalId{}}, [&](const auto& key, const auto& row) {
    if (std::get<0>(key) != workspace) return false;
    rows.push_back(row);
    return true;
  });
  return rows;
}

Result<std::vector<IntegrationRow>> integrations_of(const MemoryState& s, std::optional<WorkspaceId> workspace,
                                                    bool deleted) {
  std::vector<IntegrationRow> rows;
  for (const auto& [scope, row] : s.integrations) {
    if (workspace && scope.workspace != *workspace) continue;
    if (deleted || row.state != IntegrationState::deleted) rows.push_back(row);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return std::tie(a.created, a.scope.integration) < std::tie(b.created, b.scope.integration);
  });
  return rows;
}

}  // namespace deprov::store
