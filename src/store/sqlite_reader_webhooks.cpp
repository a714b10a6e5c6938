// Views of webhooks and of what is on its way to them.
#include "sqlite_reader_base.hpp"

namespace deprov::store {

using namespace port;

Result<std::vector<WebhookRow>> SqliteReaderBase::webhooks(std::optional<WorkspaceId> workspace) {
  if (!workspace) {
    Use use(c_, Q::webhook_all);
    return all<WebhookRow>(use, [&] { return read_webhook(use); });
  }
  Use use(c_, Q::webhook_page, scopes_.find({*workspace, {}}));
  return all<WebhookRow>(use, [&] { return read_webhook(use); });
}

Result<std::vector<WebhookCursorRow>> SqliteReaderBase::webhook_cursors(WorkspaceId workspace, WebhookId webhook) {
  Use use(c_, Q::webhook_cursor_all, scopes_.find({workspace, {}}), webhook);
  return all<WebhookCursorRow>(use, [&] {
    WebhookCursorRow row;
    row.workspace = workspace;
    row.webhook = webhook;
    use.read_all(row.chain, row.seq);
    return row;
  });
}

Result<Page<DeliveryRow>> SqliteReaderBase::deliveries(WorkspaceId workspace, WebhookId webhook,
                                                       std::optional<DeliveryState> state,
                                                       std::optional<DeliveryId> before, std::size_t limit) {
  const auto s = scopes_.find({workspace, {}});
  const auto read = [&](Use& use) {
    if (before) {
      use.bind(*before);
    } else {
      use.bind(past_all_ids);
    }
    use.bind(sql_limit(limit) + 1);
    return page<DeliveryRow>(use, limit, [&] { return read_delivery(use, workspace, webhook); });
  };
  if (state) {
    Use use(c_, Q::delivery_page_state, s, webhook, *state);
    return read(use);
  }
  Use use(c_, Q::delivery_page, s, webhook);
  return read(use);
}

}  // namespace deprov::store
