#include "engine/courier.hpp"
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

namespace deprov::engine {

namespace {

constexpr std::size_t chains_a_look = 100;
constexpr std::size_t pending_a_page = 10;
constexpr std::size_t most_detail = 2048;
/// How far a place in a chain may lie behind what was looked at and told nothing.
constexpr std::uint64_t most_unwritten = 5000;

}  // namespace

/// One look at the chains of a webhook, and what came of it.
struct Courier::Look {
  port::WebhookRow row;
  std::vector<NotificationType> wanted;
  std::set<port::Scope> chains;
  std::map<port::Scope, std::uint64_t> looked;
  // what came of it; made anew where the transaction is decided again
  std::optional<port::DeliveryRow> message;
  std::set<port::Scope> left;  ///< that may have more
  std::map<port::Scope, std::uint64_t> upto;
  std::uint64_t skipped = 0;
  bool blocked = false;  ///< a message is under way already
};

Courier::~Courier() {
  for (auto& [id, e] : endpoints_)
    if (e.timer != 0) engine_.ports.executor.cancel(e.timer);
}

Courier::Endpoint* Courier::find(WebhookId id) {
  const auto it = endpoints_.find(id);
  return it == endpoints_.end() || stopped_ ? nullptr : &it->second;
}

std::optional<std::vector<NotificationType>> wanted_in(const port::WebhookRow& row,
                                                       const std::vector<NotificationType>& wanted,
                                                       const port::Scope& chain) {
  if (row.workspace != chain.workspace) return std::nullopt;
  if (row.integration.is_nil() || row.integration == chain.integration) return wanted;
  if (!chain.integration.is_nil()) return std::nullopt;
  // Of the workspace itself: whether the integration stands still with all others.
  std::vector<NotificationType> stops;
  for (const auto type : {NotificationType::lane_paused, NotificationType::lane_resumed})
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), type) != wanted.end()) stops.push_back(type);
  if (stops.empty()) return std::nullopt;
  return stops;
}

bool Courier::hears(const Endpoint& e, const port::Scope& chain) const {
  return wanted_in(e.row, e.wanted, chain).has_value();
}

void Courier::start(const std::vector<port::WebhookRow>& rows, const std::vector<port::Scope>& chains) {
  for (const auto& row : rows) {
    auto& e = endpoints_[row.id];
    e.row = row;
    e.wanted = wanted_of(row);
    for (const auto& chain : chains)
      if (hears(e, chain)) e.chains.insert(chain);
  }
  for (const auto& row : rows) step(row.id);
}

void Courier::put(const port::WebhookRow& row) {
  if (stopped_) return;
  auto& e = endpoints_[row.id];
  e.row = row;
  e.wanted = wanted_of(row);
  step(row.id);
}

void Courier::forget(WebhookId id) {
  auto* e = find(id);
  if (e == nullptr) return;
  if (e->timer != 0) engine_.ports.executor.cancel(e->timer);
  if (e->call) engine_.ports.http.cancel(*e->call);
  endpoints_.erase(id);
}

void Courier::again(WebhookId id) {
  auto* e = find(id);
  if (e == nullptr) return;
  e->loaded = false;
  e->resends = true;
  if (e->timer != 0) engine_.ports.executor.cancel(e->timer);
  e->timer = 0;
  step(id);
}

void Courier::grown(const port::Scope& chain) {
  if (stopped_) return;
  for (auto& [id, e] : endpoints_) {
    if (!hears(e, chain) || !e.chains.insert(chain).second || e.busy) continue;
    // Not from here: whoever appended is still on the stack, and more may come at once.
    engine_.ports.executor.post([weak = weak_from_this(), id = id] {
      if (const auto self = weak.lock()) self->step(id);
    });
  }
}

std::vector<WebhookId> Courier::known() const {
  std::vector<WebhookId> ids;
  ids.reserve(endpoints_.size());
  for (const auto& [id, e] : endpoints_) ids.push_back(id);
  return ids;
}

void Courier::seen(const Shown& shown) {
  if (stopped_) return;
  for (const auto id : shown.known)
    if (std::none_of(shown.rows.begin(), shown.rows.end(), [&](const auto& row) { return row.id == id; }))
      forget(id);
  for (const auto& row : shown.rows) {
    const auto it = endpoints_.find(row.id);
    if (it != endpoints_.end() && it->second.row.version >= row.version) continue;
    const bool fresh = it == endpoints_.end();
    put(row);
    if (!fresh) continue;
    for (const auto& [chain, head] : shown.heads)
      if (hears(endpoints_[row.id], chain)) endpoints_[row.id].chains.insert(chain);
    step(row.id);
  }
  for (const auto& [chain, head] : shown.heads)
    if (std::exchange(heads_[chain], head) != head) grown(chain);
}

void Courier::stop(port::UniqueFunction<void()> done) {
  stopped_ = true;
  all_over_ = std::move(done);
  for (auto& [id, e] : endpoints_) {
    if (e.timer != 0) engine_.ports.executor.cancel(e.timer);
    e.timer = 0;
    if (e.call) engine_.ports.http.cancel(*e.call);
  }
  finish_stop();
}

void Courier::finish_stop() {
  if (!stopped_ || calls_ != 0 || !all_over_) return;
  auto done = std::move(all_over_);
  all_over_ = {};
  done();
}

std::vector<Courier::Waiting> Courier::waiting() const {
  std::vector<Waiting> out;
  for (const auto& [id, e] : endpoints_) {
    Waiting w{e.row.workspace, id, (e.pending ? 1U : 0U) + e.behind, {}};
    for (const auto& chain : e.chains) {
      const auto it = e.looked.find(chain);
      w.chains.emplace_back(chain, it == e.looked.end() ? 0 : it->second);
    }
    out.push_back(std::move(w));
  }
  return out;
}

void Courier::later(WebhookId id, Duration wait) {
  auto* e = find(id);
  if (e == nullptr) return;
  if (e->timer != 0) engine_.ports.executor.cancel(e->timer);
  e->timer = engine_.ports.executor.post_at(engine_.ports.clock.mono() + std::max(wait, Duration{0}),
                                            [weak = weak_from_this(), id] {
                                              const auto self = weak.lock();
                                              auto* mine = self ? self->find(id) : nullptr;
                                              if (mine == nullptr) return;
                                              mine->timer = 0;
                                              self->step(id);
                                            });
}

void Courier::step(WebhookId id) {
  auto* e = find(id);
  if (e == nullptr || e->busy || e->timer != 0) return;
  if (!e->loaded) return load(id);
  if (e->pending && e->others) {  // looked at again, whether its sender is done with it or silent
    e->loaded = false;
    return later(id, wait_for_others());
  }
  if (e->pending) {
    const auto wait = e->pending->due - engine_.now();
    // Wall time may jump: no timer is longer than an hour.
    if (wait.count() > 0) return later(id, std::min<Duration>(wait, std::chrono::hours(1)));
    return send(id);
  }
  if (!e->chains.empty()) compose(id);
}

Duration Courier::wait_for_others() const { return engine_.options.lane_lease / 3; }

/// What a former run left on its way, or what is to be sent again: the oldest first.
void Courier::load(WebhookId id) {
  auto* e = find(id);
  e->busy = true;
  struct Found {
    std::optional<port::DeliveryRow> oldest;
    std::uint64_t behind = 0;
  };
  e->loaded = true;
  auto pending = std::make_shared<Found>();
  engine_.ports.store.view(
      [pending, workspace = e->row.workspace, id](port::Reader& reader) -> Result<void> {
        *pending = {};
        std::uint64_t seen = 0;
        for (bool more = true; more;) {
          const auto before = pending->oldest ? std::optional(pending->oldest->id) : std::nullopt;
          DEPROV_TRY(page, reader.deliveries(workspace, id, port::DeliveryState::pending, before, pending_a_page));
          more = page.more && !page.rows.empty();
          seen += page.rows.size();
          if (!page.rows.empty()) pending->oldest = std::move(page.rows.back());
        }
        pending->behind = seen == 0 ? 0 : seen - 1;
        return {};
      },
      [weak = weak_from_this(), &executor = engine_.ports.executor, pending, id](Result<void> read) {
        executor.post([weak, pending, id, ok = read.has_value()] {
          const auto self = weak.lock();
          auto* mine = self ? self->find(id) : nullptr;
          if (mine == nullptr) return;
          mine->busy = false;
          if (!ok) {
            mine->loaded = false;
            return self->later(id, store_again_after);
          }
          mine->pending = std::move(pending->oldest);
          mine->behind = pending->behind;
          mine->resends = mine->resends && mine->pending;
          const auto lease = self->engine_.options.lane_lease;
          const bool ours = !mine->pending || (mine->resends && mine->pending->resent.micros != 0);
          mine->others =
              lease.count() != 0 && !ours && self->engine_.now() < mine->pending->due + answer_time + lease;
          self->step(id);
        });
      });
}

// ---- what there is to tell

Result<port::Transaction> Courier::look(port::Reader& reader, Look& look) const {
  look.message.reset();
  look.left = look.chains;
  look.upto.clear();
  look.skipped = 0;
  look.blocked = false;
  const auto now = engine_.now();
  if (engine_.options.lane_lease.count() != 0) {
    // Another engine's message comes first: one is under way at a time.
    DEPROV_TRY(pending,
               reader.deliveries(look.row.workspace, look.row.id, port::DeliveryState::pending, std::nullopt, 1));
    if (!pending.rows.empty()) {
      look.blocked = true;
      return port::Transaction{};
    }
  }
  std::map<IntegrationId, std::uint64_t> places;
  DEPROV_TRY(cursors, reader.webhook_cursors(look.row.workspace, look.row.id));
  for (const auto& c : cursors) places[c.chain] = c.seq;

  port::Transaction txn;
  txn.id = engine_.ports.random.id<TxnId>(now);
  json::array events;
  std::uint64_t told = 0;
  std::size_t chains = 0;
  for (const auto& chain : look.chains) {
    if (events.size() >= most_events || ++chains > chains_a_look) break;
    const auto wanted = wanted_in(look.row, look.wanted, chain);
    if (!wanted) {
      look.left.erase(chain);
      continue;
    }
    const bool above = chain.integration != look.row.integration && !look.row.integration.is_nil();
    const auto place = places[chain.integration];
    const auto seen = look.looked.find(chain);
    const auto after = seen == look.looked.end() ? place : std::max(place, seen->second);
    DEPROV_TRY(page, read_notifications(reader, chain, after, most_events - events.size(), *wanted));
    bool tells = false;
    for (auto& n : page.items) {
      if (above && n.at < look.row.created) continue;  // stores of old have no place in that chain
      if (n.at + most_age < now) {
        look.skipped += n.count;
        continue;
      }
      if (json::serialize(n.detail).size() > most_detail) n.detail = {{"truncated", true}};
      told += n.count;
      events.push_back(to_json(n));
      tells = true;
    }
    if (!page.more) look.left.erase(chain);
    look.upto[chain] = page.upto;
    if (page.upto > place && (tells || !page.items.empty() || page.upto - place >= most_unwritten))
      txn.ops.emplace_back(
          port::op::MoveWebhookCursor{{look.row.workspace, look.row.id, chain.integration, page.upto}, place});
  }
  if (look.skipped != 0) {
    port::op::AppendActivity a;
    a.scope = {look.row.workspace, {}};
    a.at = now;
    a.event = "webhook.skipped";
    a.actor = "engine";
    a.detail = json::serialize(json::object{{"webhook", look.row.id.str()},
                                            {"name", look.row.name},
                                            {"events", look.skipped},
                                            {"reason", "older than 72 hours when their turn came"}});
    engine_.ports.random.fill(a.salt);
    txn.ops.emplace_back(std::move(a));
  }
  if (events.empty()) return txn;
  port::DeliveryRow message;
  message.workspace = look.row.workspace;
  message.webhook = look.row.id;
  message.id = engine_.ports.random.id<DeliveryId>(now);
  message.created = message.due = now;
  message.events = told;
  message.body = json::serialize(webhook_message(look.row, now, std::move(events), look.skipped));
  look.message = message;
  txn.ops.emplace_back(port::op::PutDelivery{std::move(message)});
  return txn;
}

void Courier::compose(WebhookId id) {
  auto* e = find(id);
  e->busy = true;
  auto state = std::make_shared<Look>();
  state->row = e->row;
  state->wanted = e->wanted;
  state->chains = std::exchange(e->chains, {});
  state->looked = e->looked;
  const auto weak = weak_from_this();
  engine_.decide(
      [weak, state](port::Reader& reader) -> Result<port::Transaction> {
        const auto self = weak.lock();
        if (!self) return port::Transaction{};
        return self->look(reader, *state);
      },
      [weak, state](const Result<port::Committed>& committed) {
        if (const auto self = weak.lock())
          self->composed(state, committed.has_value(),
                         committed ? std::nullopt : std::optional<Error>(committed.error()));
      });
}

void Courier::composed(const std::shared_ptr<Look>& look, bool stored, const std::optional<Error>& error) {
  const auto id = look->row.id;
  auto* e = find(id);
  if (e == nullptr) return;
  e->busy = false;
  if (!stored) {
    if (error && error->code() == Errc::not_found) {
      endpoints_.erase(id);
      return;
    }
    e->chains.insert(look->chains.begin(), look->chains.end());
    return later(id, store_again_after);
  }
  e->chains.insert(look->left.begin(), look->left.end());
  if (look->blocked) {
    e->loaded = false;
    return step(id);
  }
  for (const auto& [chain, upto] : look->upto) e->looked[chain] = upto;
  if (look->message) {
    e->pending = std::move(look->message);
    e->pending->version = 1;
    e->others = false;
  }
  if (look->skipped != 0) {
    engine_.notify({look->row.workspace, {}});
    const std::lock_guard lock(engine_.metrics_mutex);
    engine_.counters.deliveries["skipped_events"] += look->skipped;
  }
  step(id);
}

}  // namespace deprov::engine
