// Calls of an IdP to a polled source: what they say is a hint (R5).
#include <utility>
#include "engine/sources/event_receiver.hpp"
#include "engine/sources/source_poll.hpp"

namespace deprov::engine {

namespace {

Error no_hook(SourceId id) {
  return {Errc::not_found, "there is no polled source that is called", "source " + id.str()};
}

idp::HookAnswer answer_to(const FeedConfig& config, std::string_view kind, const HookCall& call) {
  const idp::HookRequest request{call.method, call.query, call.headers, call.body};
  if (kind == "okta") return idp::receive_okta_hook(request, config.hook_secrets, config.hook_app);
  return idp::receive_graph_notification(request, config.hook_secrets);
}

}  // namespace

void SourcePolls::put_hook(Entry& entry, const port::SourceRow& row) const {
  entry.kind = row.kind;
  entry.hook.reset();
  // What cannot be opened is called by nobody; its rounds say why.
  const auto config = unseal_source_config(engine_, row);
  if (!config || !config->contains("hook")) return;
  auto parsed = parse_feed_config(row.kind, *config);
  if (parsed) entry.hook = std::make_shared<const FeedConfig>(std::move(*parsed));
}

void SourcePolls::hurry(const port::Scope& scope) {
  for (auto& [id, entry] : entries_)
    if (entry.scope == scope && !entry.gone) entry.called = true;
  look();
}

void SourcePolls::called(SourceId id, HookCall call, Done<idp::HookAnswer> done) {
  if (stopped_ || engine_.closing) return done(Error(Errc::closed, "the engine is shutting down"));
  const auto it = entries_.find(id);
  if (it == entries_.end()) {
    return lookup_.find(id, [weak = weak_from_this(), id, call = std::move(call),
                             done = std::move(done)](Result<std::optional<port::SourceRow>> row) mutable {
      const auto self = weak.lock();
      if (!self || self->stopped_) return done(Error(Errc::closed, "the engine is shutting down"));
      if (row && *row && idp::find_feed_kind((*row)->kind) != nullptr) self->put(**row);
      if (!self->entries_.contains(id)) return done(row ? no_hook(id) : row.error());
      self->called(id, std::move(call), std::move(done));
    });
  }
  auto& entry = it->second;
  if (entry.gone || !entry.hook) return done(no_hook(id));
  auto answer = answer_to(*entry.hook, entry.kind, call);
  for (const auto& hint : answer.hints) {
    for (const auto& user : hint.users) {
      // More than can wait are found by reading everybody.
      if (entry.hints.size() >= most_waiting) {
        entry.called = entry.everybody = true;
        break;
      }
      entry.hints.insert(user);
    }
    if (!hint.subscription.empty()) tell_of_subscription(id, entry, hint);
    entry.called = entry.called || hint.poll_now || hint.read_all;
    entry.everybody = entry.everybody || hint.read_all;
  }
  {
    const std::lock_guard lock(engine_.metrics_mutex);
    ++engine_.counters.events[answer.refusal.empty() ? "called" : "refused"];
  }
  look();
  done(std::move(answer));
}

/// Whoever keeps the subscription has to look after it (it ends, or wants to be authorized anew): on the activity,
/// and not with each call.
void SourcePolls::tell_of_subscription(SourceId id, Entry& entry, const idp::HookHint& hint) {
  constexpr Duration told_again_after = std::chrono::hours(1);
  const auto now = engine_.ports.clock.mono();
  auto what = hint.subscription + " " + hint.type;
  const auto last = entry.told.find(what);
  if (last != entry.told.end() && now - last->second < told_again_after) return;
  if (last == entry.told.end() && entry.told.size() >= most_told) entry.told.erase(entry.told.begin());
  entry.told.insert_or_assign(std::move(what), now);
  auto impl = engine_.shared_from_this();
  impl->decide(
      [impl, scope = entry.scope, id, subscription = hint.subscription,
       type = hint.type](port::Reader& reader) -> Result<port::Transaction> {
        port::Transaction txn;
        DEPROV_TRY(row, reader.source(scope, id));
        if (!row) return txn;
        txn.id = impl->new_id<TxnId>();
        txn.ops.emplace_back(impl->activity(
            scope, "source.subscription", "source:" + row->name,
            {{"source", id.str()}, {"name", row->name}, {"subscription", subscription}, {"event", type}}));
        return txn;
      },
      [impl, scope = entry.scope](const Result<port::Committed>& committed) {
        if (committed && !committed->activity_seqs.empty()) impl->notify(scope);
      });
}

// ---- what is called

void Sources::called(SourceId source, HookCall call, Done<idp::HookAnswer> done) {
  const auto impl = impl_;
  impl->ports.executor.post([impl, source, call = std::move(call), done = std::move(done)]() mutable {
    if (impl->events->knows(source)) return done(no_hook(source));  // tokens come to it, and no calls
    impl->polls->called(source, std::move(call), std::move(done));
  });
}

}  // namespace deprov::engine
