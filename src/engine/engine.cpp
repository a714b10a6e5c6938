#include <algorithm>
#include <utility>
#include "engine/background.hpp"
#include "engine/chores.hpp"
#include "engine/courier.hpp"
#include "engine/decision.hpp"
#include "engine/impl.hpp"
#include "engine/objective.hpp"
#include "engine/reconciliation.hpp"
#include "engine/sources/event_receiver.hpp"
#include "engine/sources/source_poll.hpp"
#include "jobs/activity_detail.hpp"
#include "jobs/lane.hpp"

namespace deprov::engine {

namespace {
const std::vector<double>& ttd_bounds() {
  static const std::vector<double> bounds{0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400, 604800};
  return bounds;
}

/// The IdP is told to come again, so that nothing of what it has to say is lost.
Error unusable(const IntegrationFault& fault) {
  return {Errc::unavailable,
          "the integration cannot be used, since what is stored of it is refused: " + fault.why,
          {},
          "an admin has to set its policy or schemas anew, or to delete it"};
}

void record_faults(const std::shared_ptr<Engine::Impl>& self) {
  for (const auto& fault : self->directory.faults())
    self->decide(
        [self, fault](port::Reader&) -> Result<port::Transaction> {
          port::Transaction txn;
          txn.id = self->new_id<TxnId>();
          txn.ops.emplace_back(
              self->activity(fault.scope, "integration.unusable", "engine", {{"reason", fault.why}}));
          return txn;
        },
        [self, scope = fault.scope](const Result<port::Committed>& stored) {
          if (stored) self->notify(scope);
        });
}
}  // namespace

Engine::Impl::Impl(Ports p, Options o) : ports(p), options(std::move(o)) {
  if (options.node.empty()) options.node = "local";
  counters.ttd_bounds = ttd_bounds();
  counters.ttd_counts.assign(counters.ttd_bounds.size() + 1, 0);
  host = std::make_unique<BackgroundHost>(*this);
  chores = std::make_shared<Chores>(*this);
  objectives = std::make_shared<Objectives>(*this);
  courier = std::make_shared<Courier>(*this);
  polls = std::make_shared<SourcePolls>(*this);
  events = std::make_shared<EventReceivers>(*this);
  // Asked for what cannot be asked for: the next poll shows the same.
  on_hint = [this](const port::Scope& scope, const std::vector<ResourceId>& subjects) {
    for (const auto& subject : subjects)
      polls->reread(scope, {std::nullopt, {}, subject}, [](const Result<std::size_t>&) {});
    if (subjects.empty()) polls->hurry(scope);
  };
}

Engine::Impl::~Impl() {
  for (auto& [id, slot] : background)
    if (slot.lane) slot.lane->abandon();
}

Engine::Engine(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() {
  // They hold the engine, and one whose app never answers would hold it for ever.
  const auto runs = impl_->reconciliations;
  for (const auto& [id, run] : runs) run->abandon();
  impl_->polls->stop();
}

Result<std::unique_ptr<Engine>> Engine::create(Ports ports, Options options) {
  if (options.master_key.size() != 32)
    return Error(Errc::invalid_argument,
                 "the master key has " + std::to_string(options.master_key.size()) + " bytes", "master_key",
                 "give 32 random bytes");
  for (const auto& key : options.former_keys)
    if (key.size() != 32)
      return Error(Errc::invalid_argument, "a former key has " + std::to_string(key.size()) + " bytes",
                   "former_keys", "give the 32 bytes that were the master key");
  return std::unique_ptr<Engine>(new Engine(std::make_shared<Impl>(ports, std::move(options))));
}

const Ports& Engine::ports() const noexcept { return impl_->ports; }
const Options& Engine::options() const noexcept { return impl_->options; }

// ---- integrations in memory

Result<Context> Engine::authenticate_gateway(std::string_view token) const {
  const auto refuse = [] {
    return Error(Errc::unauthorized, "the bearer token opens no integration", "Authorization",
                 "use the SCIM token that was shown when the integration was made");
  };
  if (token.empty() || token.size() > 512) return refuse();
  const auto row = impl_->directory.token(impl_->ports.crypto.sha256(port::bytes_of(token)));
  if (!row || (row->expires && *row->expires <= impl_->now())) return refuse();
  auto context = impl_->directory.find(row->scope.integration);
  if (context) return context;
  if (const auto fault = impl_->directory.fault(row->scope.integration)) return unusable(*fault);
  return refuse();
}

Context Engine::integration(IntegrationId id) const { return impl_->directory.find(id); }
std::vector<Context> Engine::integrations() const { return impl_->directory.all(); }
std::vector<IntegrationFault> Engine::faults() const { return impl_->directory.faults(); }

std::optional<std::string> Engine::fault(IntegrationId id) const {
  if (const auto fault = impl_->directory.fault(id)) return fault->why;
  return std::nullopt;
}

// ---- start and close

void Engine::start(Done<void> done) {
  if (impl_->options.former_keys.empty()) return impl_->load(std::move(done));
  impl_->reseal([self = impl_, done = std::move(done)](const Result<void>& sealed) mutable {
    if (!sealed) return done(sealed);
    self->load(std::move(done));
  });
}

void Engine::Impl::load(Done<void> done) {
  struct Loaded {
    std::vector<port::IntegrationRow> rows;
    std::vector<port::GatewayTokenRow> tokens;
    std::map<WorkspaceId, std::string> stopped;
    std::vector<port::WebhookRow> webhooks;
    std::vector<port::Scope> chains;  ///< of workspaces that have any
  };
  auto loaded = std::make_shared<Loaded>();
  auto self = shared_from_this();
  self->ports.store.view(
      [loaded](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(rows, reader.integrations(std::nullopt));
        for (const auto& row : rows) {
          DEPROV_TRY(tokens, reader.gateway_tokens(row.scope));
          loaded->tokens.insert(loaded->tokens.end(), tokens.begin(), tokens.end());
        }
        loaded->rows = std::move(rows);
        DEPROV_TRY(webhooks, reader.webhooks(std::nullopt));
        loaded->webhooks = std::move(webhooks);
        DEPROV_TRY(workspaces, reader.workspaces());
        for (const auto& workspace : workspaces) {
          const auto told = [&](const auto& w) { return w.workspace == workspace.id; };
          if (std::any_of(loaded->webhooks.begin(), loaded->webhooks.end(), told)) {
            loaded->chains.push_back({workspace.id, {}});
            DEPROV_TRY(ever, reader.integrations_ever(workspace.id));
            for (const auto& row : ever) loaded->chains.push_back(row.scope);
          }
          DEPROV_TRY(lane, reader.lane({workspace.id, {}}));
          if (lane && !lane->paused.empty()) loaded->stopped.emplace(workspace.id, lane->paused);
        }
        return {};
      },
      [self, loaded, done = std::move(done)](Result<void> read) mutable {
        self->ports.executor.post([self, loaded, read, done = std::move(done)]() mutable {
          if (!read) return done(read);
          for (auto& row : loaded->rows) {
            auto context = make_context(row, self->options.connectors);
            if (context) {
              self->directory.put(std::move(*context));
            } else {
              self->directory.put_fault({row.scope, row.name, context.error().message()});
            }
          }
          for (const auto& token : loaded->tokens) self->directory.put_token(token);
          self->stopped_workspaces = std::move(loaded->stopped);
          self->started = true;
          for (const auto& context : self->directory.all()) self->attach(context);
          if (self->options.background) self->watch_others();
          if (self->options.background) record_faults(self);
          if (self->options.background) self->courier->start(loaded->webhooks, loaded->chains);
          self->events->start();
          done({});
        });
      });
}

void Engine::close(Duration deadline, Done<void> done) {
  auto self = impl_;
  self->closing = true;
  self->ports.executor.post([self, deadline, done = std::move(done)]() mutable {
    struct Closing {
      std::size_t left = 1;
      Done<void> done;
      port::TimerId timer = 0;
    };
    auto closing = std::make_shared<Closing>();
    closing->done = std::move(done);
    const auto one = [self, closing] {
      if (--closing->left != 0 || !closing->done) return;
      auto finished = std::move(closing->done);
      closing->done = {};
      if (closing->timer != 0) self->ports.executor.cancel(closing->timer);
      finished({});
    };
    std::vector<std::shared_ptr<jobs::Lane>> lanes;
    for (const auto& [id, slot] : self->background)
      if (slot.lane) lanes.push_back(slot.lane);
    const auto runs = self->reconciliations;
    closing->timer = self->ports.executor.post_at(self->ports.clock.mono() + deadline, [closing, lanes, runs] {
      if (!closing->done) return;
      auto finished = std::move(closing->done);
      closing->done = {};
      for (const auto& lane : lanes) lane->abandon();
      for (const auto& [id, run] : runs) run->abandon();
      finished(Error(Errc::timeout, "calls were still in flight at the deadline", "close",
                     "they are read back at the next start"));
    });
    std::vector<port::Scope> scopes;
    for (const auto& [id, slot] : self->background) scopes.push_back({{}, IntegrationId{id}});
    self->chores->stop();
    self->objectives->stop();
    self->polls->stop();
    self->events->stop();
    ++closing->left;
    self->courier->stop(one);
    closing->left += scopes.size();
    for (const auto& scope : scopes) self->detach(scope, one);
    closing->left += runs.size();
    for (const auto& [id, run] : runs) run->stop(one);
    one();
  });
}

// ---- views and decisions

void Engine::view(port::ViewBody body, Done<void> done) {
  auto self = impl_;
  self->ports.store.view(std::move(body), [self, done = std::move(done)](Result<void> read) mutable {
    self->ports.executor.post(
        [read = std::move(read), done = std::move(done)]() mutable { done(std::move(read)); });
  });
}

void Engine::read(Reading how, port::ViewBody body, Done<void> failed) {
  auto ended = [self = impl_, failed = std::move(failed)](Result<void> read) mutable {
    if (read) return;
    self->ports.executor.post(
        [read = std::move(read), failed = std::move(failed)]() mutable { failed(std::move(read)); });
  };
  if (how == Reading::brief) return impl_->ports.store.glance(std::move(body), std::move(ended));
  impl_->ports.store.view(std::move(body), std::move(ended));
}

namespace {
struct Attempt {
  Engine::Impl::Decide body;
  Done<port::Committed> done;
  port::Transaction txn;
  TxnId decided;  ///< inside the writer
  int tries = 0;
};
constexpr int max_tries = 3;

void attempt(const std::shared_ptr<Engine::Impl>& self, const std::shared_ptr<Attempt>& a);

void finish(const std::shared_ptr<Engine::Impl>& self, const std::shared_ptr<Attempt>& a,
            Result<port::Committed> result) {
  self->ports.executor.post([a, result = std::move(result)]() mutable { a->done(std::move(result)); });
}

void decide_inside(const std::shared_ptr<Engine::Impl>& self, const std::shared_ptr<Attempt>& a) {
  self->ports.store.transact(
      [a](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(txn, a->body(reader));
        a->decided = txn.id;
        return std::move(txn);
      },
      [self, a](Result<port::Committed> result) {
        if (result || result.error().code() != Errc::commit_unknown) return finish(self, a, std::move(result));
        self->ports.store.committed(a->decided, [self, a, result](Result<bool> happened) {
          if (happened && *happened) return finish(self, a, port::Committed{});
          if (happened && ++a->tries <= max_tries) return decide_inside(self, a);
          finish(self, a, result);
        });
      });
}

void committed(const std::shared_ptr<Engine::Impl>& self, const std::shared_ptr<Attempt>& a, TxnId id,
               Result<port::Committed> result) {
  const auto code = result ? Errc::stale_read : result.error().code();
  if (result || (code != Errc::stale_read && code != Errc::fenced && code != Errc::commit_unknown))
    return finish(self, a, std::move(result));
  if (result.error().code() == Errc::commit_unknown) {
    self->ports.store.committed(id, [self, a, result](Result<bool> happened) {
      if (happened && *happened) return finish(self, a, port::Committed{});
      if (happened && ++a->tries <= max_tries) return attempt(self, a);
      finish(self, a, result);
    });
    return;
  }
  if (++a->tries < max_tries) return attempt(self, a);
  // Three others were faster: decided inside the writer nothing can come between.
  decide_inside(self, a);
}

void attempt(const std::shared_ptr<Engine::Impl>& self, const std::shared_ptr<Attempt>& a) {
  self->ports.store.view(
      [a](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(txn, a->body(reader));
        a->txn = std::move(txn);
        return {};
      },
      [self, a](Result<void> read) {
        if (!read) return finish(self, a, read.error());
        if (a->txn.ops.empty()) return finish(self, a, port::Committed{});
        const auto id = a->txn.id;
        self->ports.store.commit(std::move(a->txn), [self, a, id](Result<port::Committed> result) {
          committed(self, a, id, std::move(result));
        });
      });
}
}  // namespace

void Engine::Impl::decide(Decide body, Done<port::Committed> done, bool in_turn) {
  auto a = std::make_shared<Attempt>();
  a->body = std::move(body);
  a->done = std::move(done);
  if (in_turn) return decide_inside(shared_from_this(), a);
  attempt(shared_from_this(), a);
}

void Engine::Impl::refresh(port::Scope scope, Done<void> done) {
  auto row = std::make_shared<std::optional<port::IntegrationRow>>();
  auto self = shared_from_this();
  ports.store.view(
      [row, scope](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(found, reader.integration(scope));
        *row = std::move(found);
        return {};
      },
      [self, row, scope, done = std::move(done)](Result<void> read) mutable {
        self->ports.executor.post([self, row, scope, read, done = std::move(done)]() mutable {
          if (!read) return done(read);
          if (!*row || (*row)->state == port::IntegrationState::deleted) {
            self->directory.remove(scope.integration);
            return done({});
          }
          auto context = make_context(**row, self->options.connectors);
          if (!context) {
            self->directory.put_fault({scope, (*row)->name, context.error().message()});
            return done(context.error());
          }
          self->directory.put(*context);
          done({});
        });
      });
}

namespace {
struct Applying {
  Context context;
  Evidence evidence;
  Engine::EffectBody body;
  Done<Applied> done;
  Engine::Order order = Engine::Order::any;
  int renewed = 0;
  bool deferred = false;
  bool wakes = false;
  bool background = false;
  bool touched = false;
  std::string held;  ///< why the guard refused; empty: it did not
  std::vector<ResourceId> doubted;
};

void apply_effect(const std::shared_ptr<Engine::Impl>& self, const std::shared_ptr<Applying>& state) {
  const auto scope = state->context->row.scope;
  self->decide(
      [self, state, scope](port::Reader& reader) -> Result<port::Transaction> {
        // An act since the request came in may have changed the integration.
        if (auto current = self->directory.find(scope.integration)) state->context = std::move(current);
        DEPROV_TRY(effect, state->body(reader, *state->context));
        Decision decision(reader, *state->context, state->evidence, self->ports.random, self->now());
        if (!state->held.empty()) decision.judge(Judging::hold, state->held);
        DEPROV_TRY(deferred, decision.effect(effect, {self->options.inline_members}));
        state->deferred = deferred;
        state->doubted = decision.doubted();
        state->wakes = false;
        state->background = false;
        state->touched = false;
        for (const auto& op : decision.transaction().ops) {
          state->wakes = state->wakes || std::holds_alternative<port::op::PutJob>(op);
          state->touched = state->touched || std::holds_alternative<port::op::PutResource>(op) ||
                           std::holds_alternative<port::op::TouchResource>(op);
          state->background = state->background || std::holds_alternative<port::op::PutDue>(op) ||
                              std::holds_alternative<port::op::PutWork>(op);
        }
        return decision.take();
      },
      [self, state, scope](Result<port::Committed> result) {
        // Only effects are held: the facts are stored and answered all the same (R7).
        if (!result && result.error().code() == Errc::held_by_guard && state->held.empty()) {
          state->held = result.error().message();
          return apply_effect(self, state);
        }
        // Decided inside the writer only the integration itself can be newer than what is in memory: its change
        // was committed a moment ago. The IdP must not hear of that.
        if (!result && result.error().code() == Errc::stale_read && ++state->renewed <= 3) {
          return self->refresh(scope, [self, state, result](const Result<void>& read) {
            const auto current = self->directory.find(state->context->row.scope.integration);
            if (read && current) {
              self->attach(current);  // another engine may have made the change, and nobody else tells the lane
              return apply_effect(self, state);
            }
            // Nobody else knows that it is gone.
            if (read && !self->closing) self->detach(state->context->row.scope, [self] {});
            const std::lock_guard lock(self->metrics_mutex);
            --self->in_flight;
            ++self->counters.refused;
            self->ports.executor.post([state, error = result.error()] { state->done(error); });
          });
        }
        {
          const std::lock_guard lock(self->metrics_mutex);
          --self->in_flight;
          ++(result ? self->counters.applied : self->counters.refused);
        }
        if (!result) return state->done(result.error());
        if (!result->activity_seqs.empty()) self->notify(scope);
        if (state->wakes || state->background) self->poke(scope);
        if (!state->doubted.empty() && self->on_hint) self->on_hint(scope, state->doubted);
        Applied applied;
        if (!result->resource_versions.empty()) applied.version = result->resource_versions.front();
        applied.version_lost = state->touched && applied.version == 0;
        applied.deferred = state->deferred;
        state->done(applied);
      },
      state->order == Engine::Order::in_turn);
}
}  // namespace

void Engine::apply(Context context, Evidence evidence, EffectBody body, Done<Applied> done, Order order) {
  auto self = impl_;
  {
    const std::lock_guard lock(self->metrics_mutex);
    if (self->closing || self->in_flight >= self->options.max_in_flight) {
      ++self->counters.refused;
      auto error =
          self->closing
              ? Error(Errc::closed, "the engine is shutting down", {}, "try again later")
              : Error(Errc::busy, std::to_string(self->options.max_in_flight) + " requests are being stored", {},
                      "try again in a second");
      self->ports.executor.post([done = std::move(done), error]() mutable { done(error); });
      return;
    }
    ++self->in_flight;
  }
  auto state = std::make_shared<Applying>();
  state->context = std::move(context);
  state->evidence = std::move(evidence);
  state->body = std::move(body);
  state->done = std::move(done);
  state->order = order;
  apply_effect(self, state);
}

// ---- activity and followers

port::op::AppendActivity Engine::Impl::activity(const port::Scope& scope, std::string event, std::string actor,
                                                const json::object& detail, ResourceId subject, JobId job) {
  port::op::AppendActivity a;
  a.scope = scope;
  a.at = now();
  a.event = std::move(event);
  a.actor = std::move(actor);
  a.subject = subject;
  a.job = job;
  a.detail = jobs::activity_detail(detail);
  ports.random.fill(a.salt);
  return a;
}

namespace {
class FollowerHandle final : public Engine::Subscription {
 public:
  FollowerHandle(std::weak_ptr<Engine::Impl> impl, std::uint64_t id) : impl_(std::move(impl)), id_(id) {}
  FollowerHandle(const FollowerHandle&) = delete;
  FollowerHandle& operator=(const FollowerHandle&) = delete;
  ~FollowerHandle() override {
    if (const auto impl = impl_.lock()) {
      const std::lock_guard lock(impl->followers_mutex);
      std::erase_if(impl->followers, [&](const auto& f) { return f.id == id_; });
    }
  }

 private:
  std::weak_ptr<Engine::Impl> impl_;
  std::uint64_t id_;
};
}  // namespace

std::unique_ptr<Engine::Subscription> Engine::subscribe(port::UniqueFunction<void(const port::Scope&)> on_append) {
  const std::lock_guard lock(impl_->followers_mutex);
  const auto id = impl_->next_follower++;
  impl_->followers.push_back(
      {id, std::make_shared<port::UniqueFunction<void(const port::Scope&)>>(std::move(on_append))});
  return std::make_unique<FollowerHandle>(impl_, id);
}

void Engine::Impl::notify(const port::Scope& scope) {
  if (ports.executor.running_here()) {
    courier->grown(scope);
  } else {
    ports.executor.post([weak = weak_from_this(), scope] {
      if (const auto self = weak.lock()) self->courier->grown(scope);
    });
  }
  std::vector<std::shared_ptr<port::UniqueFunction<void(const port::Scope&)>>> calls;
  {
    const std::lock_guard lock(followers_mutex);
    if (followers.empty()) return;
    for (const auto& f : followers) calls.push_back(f.call);
  }
  for (const auto& call : calls) (*call)(scope);
}

void Engine::metrics(Done<Metrics> done) {
  auto self = impl_;
  self->ports.executor.post([self, done = std::move(done)]() mutable {
    Metrics m;
    {
      const std::lock_guard lock(self->metrics_mutex);
      m = self->counters;
    }
    m.faults = self->directory.faults();
    for (const auto& context : self->directory.all()) {
      const auto it = self->background.find(context->row.scope.integration.value);
      if (it == self->background.end() || !it->second.lane) continue;
      auto& lane = m.lanes[context->row.scope] = lane_status(*it->second.lane, self->ports.clock.mono());
      lane.stopped = context->row.state == port::IntegrationState::stopped ||
                     self->stopped_workspaces.contains(context->row.scope.workspace);
      if (lane.stopped) lane.paused = "stopped by a person";
    }
    auto all = std::make_shared<Metrics>(std::move(m));
    const auto contexts = self->directory.all();
    self->ports.store.view(
        [all, contexts, waiting = self->courier->waiting()](port::Reader& reader) -> Result<void> {
          for (const auto& w : waiting) {
            auto& webhook = all->webhooks[{w.workspace, w.webhook}];
            webhook.messages = w.messages;
            webhook.records = 0;
            if (w.chains.empty()) continue;
            DEPROV_TRY(cursors, reader.webhook_cursors(w.workspace, w.webhook));
            for (const auto& [chain, looked] : w.chains) {
              auto place = looked;
              for (const auto& c : cursors)
                if (c.chain == chain.integration) place = std::max(place, c.seq);
              DEPROV_TRY(head, reader.activity_head(chain));
              webhook.records += head > place ? head - place : 0;
            }
          }
          for (const auto& context : contexts) {
            DEPROV_TRY(hold, reader.open_hold(context->row.scope));
            all->held[context->row.scope] = hold ? hold->held : 0;
          }
          return {};
        },
        [self, all, done = std::move(done)](Result<void> read) mutable {
          self->ports.executor.post([all, read = std::move(read), done = std::move(done)]() mutable {
            if (!read) return done(read.error());
            done(std::move(*all));
          });
        });
  });
}

}  // namespace deprov::engine
