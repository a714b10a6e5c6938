// Webhooks, deliveries and sources in the random world.
#include "random_world.hpp"
#include "stores.hpp"

namespace deprov::test {

namespace {

constexpr std::uint64_t webhooks = 3;
constexpr std::uint64_t sources = 2;
SourceId source_id(std::uint64_t n) { return id<SourceId>(1 + n, 14); }

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

Op RandomWorld::source_op(Reader& reader) {
  const auto s = any_scope();
  const auto source = source_id(below(sources));
  const auto at = [this] { return WallTime{static_cast<std::int64_t>(below(60))}; };
  const auto subject = id<ResourceId>(1 + below(5));
  switch (below(9)) {
    case 0:
    case 1: {
      SourceRow row;
      row.scope = s;
      row.id = source;
      if (const auto old = value(reader.source(s, source))) row.version = old->version;
      row.version = doubted(row.version);
      row.name = text(4);
      row.kind = "file";
      row.config = text(5);
      row.secrets = text(5);
      row.header = std::string("\0x\0", 3) + text(3);
      row.created = at();
      row.generation = below(5);
      row.base = below(3);
      row.places = static_cast<std::uint32_t>(below(9));
      row.users = below(1000);
      row.begun = at();
      row.work = id<WorkId>(below(3), 10);
      row.attempted = at();
      row.succeeded = at();
      row.failing_since = at();
      row.failure = text(4);
      row.failures = static_cast<std::uint32_t>(below(4));
      row.due = at();
      return op::PutSource{row};
    }
    case 2:
      if (chance(30)) return op::RemoveSource{s, source};
      return op::RemoveGrants{s, subject, chance(50) ? std::optional(source) : std::nullopt};
    case 3:
    case 4:
    case 5: {
      const auto part = chance(60) ? SourcePart::snapshot : static_cast<SourcePart>(1 + below(3));
      return op::PutSourcePiece{
          {s, source, part, static_cast<std::uint32_t>(below(4)), 1 + below(6), std::string("\0\1", 2) + text(9)}};
    }
    case 6:
      if (chance(50)) return op::PruneSourcePieces{s, source, below(4), below(6), 1 + below(4)};
      if (chance(10)) return op::RemoveCheckpoints{s};
      return op::PutCheckpoint{s, "name" + std::to_string(below(4)), chance(70) ? text(9) : "", 3};
    default: {
      GrantRow row{s, subject, chance(20) ? SourceId{} : source, {}, {}, at(), at()};
      row.says = static_cast<idp::Says>(1 + below(4));
      row.cause = static_cast<idp::Cause>(below(6));
      return op::PutGrant{row};
    }
  }
}

std::vector<std::string> RandomWorld::source_lines(Reader& r, const Scope& s) {
  std::vector<std::string> out;
  const auto all = [&](const auto& rows) {
    for (const auto& row : rows) out.push_back(show(row));
  };
  all(value(r.sources(s)));
  for (std::uint64_t n = 0; n <= sources; ++n) {
    const auto found = value(r.source(s, source_id(n)));
    out.push_back(found ? show(*found) : "none");
    for (const auto part : {SourcePart::snapshot, SourcePart::changes, SourcePart::seen, SourcePart::unlinked}) {
      for (const std::uint64_t generation : {std::uint64_t{2}, std::uint64_t{4}, std::uint64_t{9}}) {
        const auto page = value(r.source_pieces({s, source_id(n), part, 2, generation}, n == 1 ? 1 : 0, 2));
        all(page.rows);
        out.emplace_back(page.more ? "more" : "no more");
      }
    }
  }
  for (std::uint64_t n = 1; n <= 5; ++n) all(value(r.grants(s, id<ResourceId>(n))));
  for (std::uint64_t n = 0; n < 4; ++n)
    out.push_back(value(r.checkpoint(s, "name" + std::to_string(n))).value_or("nothing"));
  for (const auto after : {std::optional<ResourceId>{}, std::optional(id<ResourceId>(2))}) {
    const auto page = value(r.subjects_with_grants(s, after, 2));
    for (const auto subject : page.rows) out.push_back(subject.str());
    out.emplace_back(page.more ? "more" : "no more");
  }
  for (std::uint64_t n = 1; n <= sources; ++n) {
    for (const auto after : {std::optional<ResourceId>{}, std::optional(id<ResourceId>(2))}) {
      const auto page = value(r.subjects_to_reread(s, source_id(n), after, 1));
      for (const auto subject : page.rows) out.push_back(subject.str());
      out.emplace_back(page.more ? "more" : "no more");
    }
  }
  return out;
}

}  // namespace deprov::test
