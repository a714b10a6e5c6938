// Webhooks and what is on its way to them, on ordered maps.
#include <algorithm>
#include "memory_state.hpp"
#include "problems.hpp"

namespace deprov::store {

using namespace port;

namespace {
template <class Map, class K>
const auto* find(const Map& map, const K& key) {
  const auto it = map.find(key);
  return it == map.end() ? nullptr : &it->second;
}
}  // namespace

Result<void> apply_to(MemoryState& s, Undo& undo, const op::PutWebhook& o) {
  auto row = o.row;
  const std::tuple key(row.workspace, row.id);
  const auto* old = find(s.webhooks, key);
  if (const auto now = old ? old->version : 0; now != row.version)
    return stale(named("webhook", row.id), row.version, now);
  ++row.version;
  undo.put(s.webhooks, key, std::move(row));
  return {};
}

Result<void> apply_to(MemoryState& s, Undo& undo, const op::RemoveWebhook& o) {
  if (!s.webhooks.contains(std::tuple(o.workspace, o.id))) return no_such(named("webhook", o.id));
  const auto all_of = [&](auto& map) {
    std::vector<typename std::decay_t<decltype(map)>::key_type> keys;
    each_from(map, {o.workspace, o.id, {}}, [&](const auto& key, const auto&) {
      if (std::get<0>(key) != o.workspace || std::get<1>(key) != o.id) return false;
      keys.push_back(key);
      return true;
    });
    for (const auto& key : keys) undo.erase(map, key);
  };
  all_of(s.webhook_cursors);
  all_of(s.deliveries);
  undo.erase(s.webhooks, std::tuple(o.workspace, o.id));
  return {};
}

Result<void> apply_to(MemoryState& s, Undo& undo, const op::MoveWebhookCursor& o) {
  if (!s.webhooks.contains(std::tuple(o.row.workspace, o.row.webhook)))
    return no_such(named("webhook", o.row.webhook));
  const std::tuple key(o.row.workspace, o.row.webhook, o.row.chain);
  const auto* old = find(s.webhook_cursors, key);
  if (const auto now = old ? *old : 0; now != o.from)
    return stale(named("cursor of webhook", o.row.webhook), o.from, now);
  undo.put(s.webhook_cursors, key, o.row.seq);
  return {};
}

Result<void> apply_to(MemoryState& s, Undo& undo, const op::PutDelivery& o) {
  auto row = o.row;
  if (!s.webhooks.contains(std::tuple(row.workspace, row.webhook))) return no_such(named("webhook", row.webhook));
  const std::tuple key(row.workspace, row.webhook, row.id);
  const auto* old = find(s.deliveries, key);
  if (const auto now = old ? old->version : 0; now != row.version)
    return stale(named("delivery", row.id), row.version, now);
  ++row.version;
  undo.put(s.deliveries, key, std::move(row));
  return {};
}

Result<void> apply_to(MemoryState& s, Undo& undo, const op::PruneDeliveries& o) {
  std::vector<std::tuple<WorkspaceId, WebhookId, DeliveryId>> keys;
  each_from(s.deliveries, {o.workspace, o.webhook, DeliveryId{}}, [&](const auto& key, const auto& row) {
    if (std::get<0>(key) != o.workspace || std::get<1>(key) != o.webhook) return false;
    if (row.state == o.state) keys.push_back(key);
    return true;
  });
  for (std::size_t i = 0; i + o.keep < keys.size(); ++i) undo.erase(s.deliveries, keys[i]);
  return {};
}

Result<std::vector<WebhookRow>> webhooks_of(const MemoryState& s, std::optional<WorkspaceId> workspace) {
  std::vector<WebhookRow> rows;
  for (const auto& [key, row] : s.webhooks)
    if (!workspace || row.workspace == *workspace) rows.push_back(row);
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return std::tie(a.created, a.id, a.workspace) < std::tie(b.created, b.id, b.workspace);
  });
  return rows;
}
Result<std::vector<WebhookCursorRow>> webhook_cursors_of(const MemoryState& s, WorkspaceId workspace,
                                                         WebhookId webhook) {
  std::vector<WebhookCursorRow> rows;
  each_from(s.webhook_cursors, {workspace, webhook, IntegrationId{}}, [&](const auto& k, std::uint64_t seq) {
    if (std::get<0>(k) != workspace || std::get<1>(k) != webhook) return false;
    rows.push_back({workspace, webhook, std::get<2>(k), seq});
    return true;
  });
  return rows;
}
Result<Page<DeliveryRow>> deliveries_of(const MemoryState& s, WorkspaceId workspace, WebhookId webhook,
                                        std::optional<DeliveryState> state, std::optional<DeliveryId> before,
                                        std::size_t limit) {
  Page<DeliveryRow> page;
  each_before(s.deliveries, {workspace, webhook, before.value_or(DeliveryId{last_uuid()})},
              [&](const auto& k, const auto& row) {
                if (std::get<0>(k) != workspace || std::get<1>(k) != webhook) return false;
                if (state && row.state != *state) return true;
                if (page.rows.size() == limit) {
                  page.more = true;
                  return false;
                }
                page.rows.push_back(row);
                return true;
              });
  return page;
}

}  // namespace deprov::store
