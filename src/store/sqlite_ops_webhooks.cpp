// What the ops on webhooks and deliveries do.
#include <algorithm>
#include "problems.hpp"
#include "sqlite_rows.hpp"
#include "sqlite_writer.hpp"

namespace deprov::store {

using namespace port;

namespace {

/// 0: there is none.
Result<std::uint64_t> number(Connection& c, Use& use) {
  std::uint64_t n = 0;
  if (use.row()) n = static_cast<std::uint64_t>(use.integer());
  DEPROV_CHECK(c.check());
  return n;
}

Result<std::uint64_t> webhook_version(Connection& c, std::int64_t scope, WebhookId id) {
  Use use(c, Q::webhook_version, scope, id);
  return number(c, use);
}

}  // namespace

Result<void> SqliteWriter::apply(const op::PutWebhook& o) {
  const auto& r = o.row;
  const Scope home{r.workspace, {}};
  DEPROV_TRY(now, webhook_version(c_, scopes_.find(home), r.id));
  if (now != r.version) return stale(named("webhook", r.id), r.version, now);
  DEPROV_TRY(scope, scope_for_writing(home));
  DEPROV_CHECK(write(Q::webhook_put, scope, r.id, r.integration, r.name, r.url, r.events, r.ca_pem, r.secrets,
                     r.created, r.version + 1));
  return {};
}

Result<void> SqliteWriter::apply(const op::RemoveWebhook& o) {
  const auto scope = scopes_.find({o.workspace, {}});
  DEPROV_TRY(now, webhook_version(c_, scope, o.id));
  if (now == 0) return no_such(named("webhook", o.id));
  for (const auto query : {Q::deliveries_remove, Q::webhook_cursors_remove, Q::webhook_remove})
    DEPROV_CHECK(write(query, scope, o.id));
  return {};
}

Result<void> SqliteWriter::apply(const op::MoveWebhookCursor& o) {
  const auto& r = o.row;
  const auto scope = scopes_.find({r.workspace, {}});
  DEPROV_TRY(version, webhook_version(c_, scope, r.webhook));
  if (version == 0) return no_such(named("webhook", r.webhook));
  std::uint64_t now = 0;
  {
    Use use(c_, Q::webhook_cursor_get, scope, r.webhook, r.chain);
    DEPROV_TRY(seq, number(c_, use));
    now = seq;
  }
  if (now != o.from) return stale(named("cursor of webhook", r.webhook), o.from, now);
  DEPROV_CHECK(write(Q::webhook_cursor_put, scope, r.webhook, r.chain, r.seq));
  return {};
}

Result<void> SqliteWriter::apply(const op::PutDelivery& o) {
  const auto& r = o.row;
  const auto scope = scopes_.find({r.workspace, {}});
  DEPROV_TRY(version, webhook_version(c_, scope, r.webhook));
  if (version == 0) return no_such(named("webhook", r.webhook));
  std::uint64_t now = 0;
  {
    Use use(c_, Q::delivery_version, scope, r.webhook, r.id);
    DEPROV_TRY(present, number(c_, use));
    now = present;
  }
  if (now != r.version) return stale(named("delivery", r.id), r.version, now);
  if (now == 0) {
    DEPROV_CHECK(write(Q::delivery_insert, scope, r.webhook, r.id, r.state, r.created, r.due, r.finished, r.resent,
                       r.attempts, r.status, r.events, r.error, r.body, 1));
  } else {
    DEPROV_CHECK(write(Q::delivery_update, r.state, r.created, r.due, r.finished, r.resent, r.attempts, r.status,
                       r.events, r.error, r.body, r.version + 1, scope, r.webhook, r.id));
  }
  return {};
}

Result<void> SqliteWriter::apply(const op::PruneDeliveries& o) {
  const auto scope = scopes_.find({o.workspace, {}});
  DEPROV_CHECK(c_.check());
  constexpr std::size_t most = std::size_t{1} << 40U;
  DEPROV_CHECK(
      write(Q::deliveries_prune, scope, o.webhook, o.state, static_cast<std::int64_t>(std::min(o.keep, most))));
  return {};
}

}  // namespace deprov::store
