#include "engine/sources/event_receiver.hpp"
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <utility>
#include "engine/management.hpp"

namespace deprov::engine {

namespace {
constexpr Duration start_rest = std::chrono::seconds(5);
constexpr int most_tries = 4;

Error no_receiver(SourceId id) { return {Errc::not_found, "there is no such receiver", "source " + id.str()}; }

Error closed() { return {Errc::closed, "the engine is shutting down", {}, "try again later"}; }
}  // namespace

EventReceivers::~EventReceivers() { stop(); }

void EventReceivers::start() {
  auto rows = std::make_shared<std::vector<port::SourceRow>>();
  engine_.ports.store.view(
      [rows](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(integrations, reader.integrations(std::nullopt));
        for (const auto& integration : integrations) {
          if (!integration.sources) continue;
          DEPROV_TRY(sources, reader.sources(integration.scope));
          rows->insert(rows->end(), sources.begin(), sources.end());
        }
        return {};
      },
      [weak = weak_from_this(), &executor = engine_.ports.executor, rows](const Result<void>& read) {
        executor.post([weak, rows, ok = read.has_value()] {
          const auto self = weak.lock();
          if (!self || self->stopped_) return;
          if (!ok) return self->start_again();
          for (const auto& row : *rows)
            if (!self->find(row.id)) self->put(row);
        });
      });
}

/// Those that are polled wait for nobody else's request.
void EventReceivers::start_again() {
  engine_.ports.executor.post_at(engine_.ports.clock.mono() + start_rest, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self && !self->stopped_) self->start();
  });
}

void EventReceivers::put(const port::SourceRow& row) {
  if (stopped_ || row.kind != event_source_kind) return;
  auto config = stored_event_config(engine_, row);
  // What cannot be opened takes nothing, and says so when something comes; the others work.
  if (!config) return forget(row.id);
  auto shared = std::make_shared<const EventConfig>(std::move(*config));
  if (const auto old = find(row.id)) return renew(old, row, std::move(shared));
  auto r = std::make_shared<Receiver>();
  r->row = row;
  r->config = std::move(shared);
  receivers_[row.id] = r;
  // Whoever asked to be left alone, or fails, is as far from being asked as before.
  if (row.failure.rfind(polling_failure, 0) == 0) r->poll.failures = row.failures;
  if (r->config->poll && engine_.options.background) poll_later(r, first_wait(*r));
}

/// Tokens on their way are judged by the new config; keys and polls of the old one are no more.
void EventReceivers::renew(const ReceiverPtr& r, const port::SourceRow& row,
                           std::shared_ptr<const EventConfig> config) {
  const auto before = std::exchange(r->config, std::move(config));
  const auto& now = *r->config;
  r->row = row;
  if (before->jwks_uri != now.jwks_uri || before->ca_pem != now.ca_pem) {
    if (r->keys.call) engine_.ports.http.cancel(*r->keys.call);
    auto waiting = std::move(r->keys.waiting);
    r->keys = {};
    for (auto& one : waiting) verify_signature(r, std::move(one), false);
  }
  if (before->poll == now.poll && before->poll_authorization == now.poll_authorization &&
      (!now.poll || before->ca_pem == now.ca_pem))
    return;
  if (r->poll.timer != 0) engine_.ports.executor.cancel(std::exchange(r->poll.timer, 0));
  r->poll.failures = 0;
  r->poll.at_once = r->poll.busy;
  if (now.poll && !r->poll.busy && engine_.options.background) poll_later(r, Duration{0});
}

void EventReceivers::forget(SourceId id) {
  const auto it = receivers_.find(id);
  if (it == receivers_.end()) return;
  auto& r = *it->second;
  if (r.poll.timer != 0) engine_.ports.executor.cancel(r.poll.timer);
  if (r.poll.call) engine_.ports.http.cancel(*r.poll.call);
  if (r.keys.call) engine_.ports.http.cancel(*r.keys.call);
  auto waiting = std::move(r.keys.waiting);
  receivers_.erase(it);
  for (auto& one : waiting) one.done(stopped_ ? closed() : no_receiver(id));
}

void EventReceivers::stop() {
  stopped_ = true;
  while (!receivers_.empty()) forget(receivers_.begin()->first);
}

EventReceivers::ReceiverPtr EventReceivers::find(SourceId id) const {
  const auto it = receivers_.find(id);
  return it == receivers_.end() ? nullptr : it->second;
}

void EventReceivers::count(const std::string& result) {
  const std::lock_guard lock(engine_.metrics_mutex);
  ++engine_.counters.events[result];
}

idp::SetExpectation EventReceivers::expectation(const Receiver& r) const {
  auto expected = r.config->expected;
  expected.now = engine_.now();
  return expected;
}

void EventReceivers::receive(SourceId id, std::string token, std::string authorization, Done<ReceivedSet> done) {
  if (stopped_) return done(closed());
  const auto r = find(id);
  if (!r) {
    return lookup_.find(
        id, [weak = weak_from_this(), id, token = std::move(token), authorization = std::move(authorization),
             done = std::move(done)](Result<std::optional<port::SourceRow>> row) mutable {
          const auto self = weak.lock();
          if (!self || self->stopped_) return done(closed());
          if (row && *row) self->put(**row);
          // What could not be looked for is not called missing.
          if (!self->find(id)) return done(row ? no_receiver(id) : row.error());
          self->receive(id, std::move(token), std::move(authorization), std::move(done));
        });
  }
  const auto& wanted = r->config->push_authorization;
  const auto& crypto = engine_.ports.crypto;
  const auto digest = [&](const std::string& text) { return crypto.sha256(port::bytes_of(text)); };
  if (!wanted.empty() && !crypto.equal(digest(wanted), digest(authorization))) {
    return refuse(r, {idp::SetError::authentication_failed, "the Authorization header is not the one agreed on"},
                  std::nullopt, std::move(done));
  }
  take(r, token, {}, std::move(done));
}

void EventReceivers::take(const ReceiverPtr& r, const std::string& token, std::string jti,
                          Done<ReceivedSet> done) {
  auto jws = idp::parse_set(token);
  if (!jws) return refuse(r, jws.error(), std::nullopt, std::move(done));
  auto signature = idp::check_set_header(*jws, expectation(*r));
  if (!signature) return refuse(r, signature.error(), std::nullopt, std::move(done));
  verify_signature(r, {std::move(*jws), std::move(*signature), std::move(jti), std::move(done)}, false);
}

void EventReceivers::verify_signature(const ReceiverPtr& r, Waiting one, bool just_read) {
  const bool read_anew = !r->config->jwks_uri.empty();
  const auto now = engine_.ports.clock.mono();
  const auto& keys = read_anew ? r->keys.set : r->config->keys;
  const bool good = !read_anew || (r->keys.read && now - *r->keys.read < keys_good);
  const bool fresh = !read_anew || (r->keys.read && now - *r->keys.read < keys_fresh);
  const auto* key = good ? idp::find_key(keys, one.signature) : nullptr;
  const bool may_ask = read_anew && !just_read && (!r->keys.asked || now - *r->keys.asked >= keys_rest);
  if ((key == nullptr || !fresh) && (may_ask || r->keys.call)) {
    if (r->keys.waiting.size() >= most_waiting)
      return one.done(Error(Errc::busy, "the transmitter's keys are being read, and 256 tokens wait for them",
                            "source " + r->row.name, "try again in a minute"));
    r->keys.waiting.push_back(std::move(one));
    if (!r->keys.call) read_keys(r);
    return;
  }
  if (key == nullptr && read_anew && (!just_read || !r->keys.failure.empty()))
    return one.done(Error(Errc::unavailable,
                          "the transmitter's keys cannot be read now" +
                              (r->keys.failure.empty() ? std::string{} : ": " + r->keys.failure),
                          "source " + r->row.name, "try again in a minute"));
  if (key == nullptr)
    return refuse(r, {idp::SetError::invalid_key, "no key of the issuer has that id and fits that algorithm"},
                  std::nullopt, std::move(one.done));
  const auto ok =
      engine_.ports.crypto.verify(one.signature.algorithm, *key, one.jws.signing_input, one.jws.signature);
  if (ok) return verified(r, std::move(one));
  if (ok.error().code() == Errc::invalid_argument)
    return refuse(r, {idp::SetError::invalid_key, ok.error().detail()}, std::nullopt, std::move(one.done));
  if (ok.error().code() != Errc::unauthorized) return one.done(ok.error());
  refuse(r, {idp::SetError::authentication_failed, "the signature is not that of the issuer's key"}, std::nullopt,
         std::move(one.done));
}

void EventReceivers::verified(const ReceiverPtr& r, Waiting one) {
  const auto content = short_digest(engine_.ports.crypto, json::serialize(one.jws.payload));
  auto set = idp::read_set(one.jws, expectation(*r));
  if (!set) return refuse(r, set.error(), content, std::move(one.done));
  // To acknowledge it by a name that is another token's would let go of that one, which never came.
  if (!one.jti.empty() && one.jti != set->jti)
    return refuse(r,
                  {idp::SetError::invalid_request,
                   "it was sent as \"" + idp::shortened(one.jti, 100) + "\", and its \"jti\" is another one"},
                  content, std::move(one.done));
  auto task = std::make_shared<EventTask>();
  task->scope = r->row.scope;
  task->source = r->row.id;
  task->content = content;
  task->set = std::move(*set);
  store(r, std::move(task), std::move(one.done));
}

void EventReceivers::store(const ReceiverPtr& r, std::shared_ptr<EventTask> task, Done<ReceivedSet> done) {
  auto outcome = std::make_shared<EventOutcome>();
  auto impl = engine_.shared_from_this();
  const auto scope = task->scope;
  impl->decide(
      [impl, config = r->config, task, outcome, scope](port::Reader& reader) -> Result<port::Transaction> {
        const auto context = impl->directory.find(scope.integration);
        if (!context) {
          if (const auto fault = impl->directory.fault(scope.integration))
            return Error(Errc::unavailable, "the integration cannot be used now: " + fault->why);
          return Error(Errc::not_found, "the integration is gone", scope.integration.str());
        }
        EventDecision decision(reader, *context, *config, *task, impl->ports, impl->now(), *outcome);
        return decision.decide();
      },
      [weak = weak_from_this(), impl, r, task, outcome, scope,
       done = std::move(done)](Result<port::Committed> committed) mutable {
        const auto self = weak.lock();
        if (!self) return done(closed());
        if (!committed && committed.error().code() == Errc::held_by_guard && task->held.empty()) {
          task->held = committed.error().message();
          return self->store(r, std::move(task), std::move(done));
        }
        if (!committed && committed.error().code() == Errc::stale_read && ++task->tries < most_tries) {
          return impl->refresh(scope, [weak, r, task, done = std::move(done)](const Result<void>&) mutable {
            const auto again = weak.lock();
            if (!again) return done(closed());
            again->store(r, std::move(task), std::move(done));
          });
        }
        if (!committed) return done(committed.error());
        if (outcome->received.refused)
          return self->refuse(r, *outcome->received.refused, task->content, std::move(done));
        self->count(outcome->received.repeated ? "repeated" : "taken");
        if (!committed->activity_seqs.empty()) {
          impl->notify(scope);
          impl->poke(scope);
        }
        if (outcome->hinted && impl->on_hint) impl->on_hint(scope, outcome->hints);
        done(outcome->received);
      });
}

/// What somebody without a key sends is counted, and no more: it would fill the chain. What the transmitter
/// signed, and is refused all the same, somebody has to look at: once, for some transmitters send it for ever.
void EventReceivers::refuse(const ReceiverPtr& r, idp::SetRefusal refusal, std::optional<std::uint64_t> content,
                            Done<ReceivedSet> done) {
  count("refused");
  ReceivedSet answer;
  answer.refused = std::move(refusal);
  if (!content) return done(std::move(answer));
  if (r->refused.size() >= most_refused) r->refused.clear();
  const std::pair known{*content, answer.refused->error};
  if (!r->refused.insert(known).second) return done(std::move(answer));
  auto impl = engine_.shared_from_this();
  const auto scope = r->row.scope;
  json::object detail{{"source", r->row.id.str()},
                      {"name", r->row.name},
                      {"error", idp::to_string(answer.refused->error)},
                      {"reason", answer.refused->description}};
  impl->decide(
      [impl, scope, detail, actor = "source:" + r->row.name](port::Reader&) -> Result<port::Transaction> {
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        txn.ops.emplace_back(impl->activity(scope, "source.event_refused", actor, detail));
        return txn;
      },
      [weak = weak_from_this(), impl, r, known, scope, answer,
       done = std::move(done)](const Result<port::Committed>& committed) mutable {
        if (!committed) {
          if (weak.lock()) r->refused.erase(known);
          return done(committed.error());
        }
        impl->notify(scope);
        done(std::move(answer));
      });
}

// ---- what people ask

Events Engine::events() const { return Events(impl_); }

void Events::receive(SourceId source, std::string token, std::string authorization, Done<ReceivedSet> done) {
  const auto impl = impl_;
  impl->ports.executor.post([impl, source, token = std::move(token), authorization = std::move(authorization),
                             done = std::move(done)]() mutable {
    if (impl->closing) return done(closed());
    impl->events->receive(source, std::move(token), std::move(authorization), std::move(done));
  });
}

void Events::unlinked(Principal by, IntegrationId id, SourceId source, Done<std::vector<UnlinkedSubject>> done) {
  const auto impl = impl_;
  using Answer = std::vector<UnlinkedSubject>;
  if (auto ok = require_integrations(by); !ok) return finish<Answer>(impl, std::move(done), ok.error());
  auto found = std::make_shared<Answer>();
  impl->ports.store.view(
      [by, id, source, found](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(integration, load_integration(reader, by, id));
        DEPROV_TRY(row, reader.source(integration.scope, source));
        if (!row) return no_receiver(source);
        DEPROV_TRY(all, read_unlinked(reader, integration.scope, source));
        *found = std::move(all);
        return {};
      },
      [impl, found, done = std::move(done)](Result<void> read) mutable {
        if (!read) return finish<Answer>(impl, std::move(done), read.error());
        finish<Answer>(impl, std::move(done), std::move(*found));
      });
}

void Events::verify(Principal by, IntegrationId id, SourceId source, Done<void> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<void>(impl, std::move(done), ok.error());
  impl->ports.store.view(
      [by, id, source](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(integration, load_integration(reader, by, id));
        DEPROV_TRY(row, reader.source(integration.scope, source));
        if (!row) return no_receiver(source);
        return {};
      },
      [impl, source, done = std::move(done)](Result<void> read) mutable {
        impl->ports.executor.post([impl, source, read, done = std::move(done)]() mutable {
          if (!read) return done(read);
          impl->events->verify(source, std::move(done));
        });
      });
}

}  // namespace deprov::engine
