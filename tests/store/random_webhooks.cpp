// Webhooks and deliveries in the random world.
#include "random_world.hpp"
#include "stores.hpp"

namespace deprov::test {

namespace {

constexpr std::uint64_t webhooks = 3;

WebhookId webhook_id(std::uint64_t n) { return id<WebhookId>(1 + n, 12); }

template <class T>
T value(Result<T> result) {
  REQUIRE(result);
  return std::move(*result);
}

}  // namespace

Op RandomWorld::webhook_op(Reader& reader) {
  const auto s = any_scope();
  const auto hook = webhook_id(below(webhooks));
  const auto at = [this] { return WallTime{static_cast<std::int64_t>(below(60))}; };
  switch (below(chance(10) ? 6 : 5)) {
    case 0: {
      WebhookRow row;
      row.workspace = s.workspace;
      row.id = hook;
      row.integration = s.integration;
      row.name = text(4);
      row.url = text(4);
      row.events = text(3);
      row.ca_pem = text(3);
      row.secrets = text(5);
      row.created = at();
      for (const auto& old : value(reader.webhooks(s.workspace)))
        if (old.id == hook) row.version = old.version;
      row.version = doubted(row.version);
      return op::PutWebhook{row};
    }
    case 1: {
      std::uint64_t from = 0;
      for (const auto& old : value(reader.webhook_cursors(s.workspace, hook)))
        if (old.chain == s.integration) from = old.seq;
      return op::MoveWebhookCursor{{s.workspace, hook, s.integration, from + 1 + below(9)}, doubted(from)};
    }
    case 2:
    case 3: {
      DeliveryRow row;
      row.workspace = s.workspace;
      row.webhook = hook;
      row.id = id<DeliveryId>(chance(50) ? 1 + below(6) : next_++, 13);
      for (const auto& old : value(reader.deliveries(s.workspace, hook, std::nullopt, std::nullopt, 100)).rows)
        if (old.id == row.id) row.version = old.version;
      row.version = doubted(row.version);
      row.state = static_cast<DeliveryState>(1 + below(3));
      row.created = at();
      row.due = at();
      row.finished = at();
      row.resent = at();
      row.attempts = static_cast<std::uint32_t>(below(9));
      row.status = static_cast<int>(below(600));
      row.events = below(100);
      row.error = text(5);
      row.body = text(9);
      return op::PutDelivery{row};
    }
    case 4: return op::PruneDeliveries{s.workspace, hook, static_cast<DeliveryState>(1 + below(3)), below(5)};
    default: return op::RemoveWebhook{s.workspace, hook};
  }
}

std::vector<std::string> RandomWorld::webhook_lines(Reader& r, const Scope& s) {
  std::vector<std::string> out;
  const auto all = [&](const auto& rows) {
    for (const auto& row : rows) out.push_back(show(row));
  };
  const auto page = [&](const auto& p) {
    all(p.rows);
    out.emplace_back(p.more ? "more" : "no more");
  };
  all(value(r.webhooks(std::nullopt)));
  all(value(r.webhooks(s.workspace)));
  for (std::uint64_t n = 0; n < webhooks; ++n) {
    const auto hook = webhook_id(n);
    all(value(r.webhook_cursors(s.workspace, hook)));
    page(value(r.deliveries(s.workspace, hook, std::nullopt, std::nullopt, 3)));
    page(value(r.deliveries(s.workspace, hook, std::nullopt, id<DeliveryId>(4, 13), 30)));
    page(value(r.deliveries(s.workspace, hook, DeliveryState::dead, std::nullopt, 30)));
    page(value(r.deliveries(s.workspace, hook, DeliveryState::pending, id<DeliveryId>(4, 13), 2)));
  }
  return out;
}

}  // namespace deprov::test
