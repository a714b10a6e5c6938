#include "engine/background.hpp"
#include <algorithm>
#include <boost/json/parse.hpp>
#include <utility>
#include "engine/chores.hpp"
#include "engine/decision.hpp"
#include "engine/management.hpp"
#include "engine/objective.hpp"
#include "engine/sources/source_poll.hpp"

namespace deprov::engine {

Result<bool> BackgroundHost::has_access(port::Reader& reader, const port::Scope& scope, ResourceId subject) {
  const auto context = engine_.directory.find(scope.integration);
  if (!context) return Error(Errc::not_found, "the integration is gone", scope.integration.str());
  const Evidence nobody;
  Decision decision(reader, *context, nobody, engine_.ports.random, engine_.now());
  SubjectState state;
  state.subject.scope = scope;
  state.subject.id = subject;
  return decision.has_access(state);
}

Result<std::optional<policy::RoleRule>> BackgroundHost::wanted_role(port::Reader& reader, const port::Scope& scope,
                                                                    ResourceId subject) {
  const auto context = engine_.directory.find(scope.integration);
  if (!context) return Error(Errc::not_found, "the integration is gone", scope.integration.str());
  const Evidence nobody;
  Decision decision(reader, *context, nobody, engine_.ports.random, engine_.now());
  return decision.wanted_role(subject);
}

Result<std::optional<policy::Retention>> BackgroundHost::retained(port::Reader& reader, const port::Scope& scope,
                                                                  ResourceId subject) {
  std::optional<policy::Retention> none;
  const auto context = engine_.directory.find(scope.integration);
  if (!context || context->policy.protection.empty()) return none;
  DEPROV_TRY(row, reader.resource(scope, subject));
  if (!row) return none;
  boost::system::error_code ec;
  const auto document = json::parse(row->document, ec);
  const json::object empty;
  const auto* o = document.if_object();
  policy::SubjectFacts facts{row->id, row->external_id, o != nullptr ? o : &empty, row->user_name_key};
  std::optional<port::BindingRow> binding;
  if (context->policy.protection.about_accounts()) {
    DEPROV_TRY(stored, reader.binding(scope, subject));
    binding = std::move(stored);
  }
  if (binding) {
    facts.account_id = binding->account_id;
    facts.account_login = binding->account_login;
  }
  return policy::retained(context->policy.protection, facts, engine_.now());
}

Result<std::optional<jobs::LaneHost::Standing>> BackgroundHost::standing(port::Reader& reader,
                                                                         const port::Scope& scope) {
  Standing out;
  DEPROV_TRY(row, reader.integration(scope));
  DEPROV_TRY(workspace, reader.lane({scope.workspace, {}}));
  const auto known = engine_.directory.find(scope.integration);
  if (row) out.integration = row->version;
  if (workspace) out.workspace = workspace->epoch;
  out.go = row && known && row->version == known->row.version && row->state == port::IntegrationState::active &&
           (!workspace || workspace->paused.empty());
  return std::optional(out);
}

void BackgroundHost::changed_elsewhere(const port::Scope& scope) {
  engine_.look_for_stop(scope.workspace, [&engine = engine_, scope] { engine.look_again(scope); });
}

Result<std::optional<std::string>> BackgroundHost::frozen(port::Reader& reader, const port::Scope& scope,
                                                          ResourceId subject) {
  const auto context = engine_.directory.find(scope.integration);
  if (!context || !context->row.sources) return std::optional<std::string>();
  const Evidence nobody;
  Decision decision(reader, *context, nobody, engine_.ports.random, engine_.now());
  return decision.frozen(subject);
}

void BackgroundHost::activity_appended(const port::Scope& scope) { engine_.notify(scope); }

void BackgroundHost::evaluation_stored(const port::Scope& scope) { hold_opened(scope); }

void BackgroundHost::hold_opened(const port::Scope& scope) {
  const auto it = engine_.background.find(scope.integration.value);
  if (it != engine_.background.end() && it->second.expander) it->second.expander->poke();
}

void BackgroundHost::count_attempt(connector::Operation operation, connector::Outcome outcome) {
  std::string key(connector::to_string(operation));
  key.append("/").append(connector::to_string(outcome));
  const std::lock_guard lock(engine_.metrics_mutex);
  ++engine_.counters.attempts[key];
}

namespace {
void count_time(Metrics& m, Duration time_to_deprovision) {
  const double seconds = static_cast<double>(time_to_deprovision.count()) / 1e6;
  const auto bound = std::lower_bound(m.ttd_bounds.begin(), m.ttd_bounds.end(), seconds);
  ++m.ttd_counts[static_cast<std::size_t>(bound - m.ttd_bounds.begin())];
  m.ttd_sum += seconds;
}
}  // namespace

void BackgroundHost::count_finished(port::JobState state, std::optional<Duration> time_to_deprovision) {
  const std::lock_guard lock(engine_.metrics_mutex);
  auto& c = engine_.counters;
  ++c.finished[std::string(port::to_string(state))];
  if (time_to_deprovision) count_time(c, *time_to_deprovision);
}

void BackgroundHost::count_secured(Duration time_to_deprovision) {
  const std::lock_guard lock(engine_.metrics_mutex);
  count_time(engine_.counters, time_to_deprovision);
}

void BackgroundHost::expander_decide(Decide body, port::UniqueFunction<void(Result<port::Committed>)> done) {
  engine_.decide(std::move(body), std::move(done));
}

Context BackgroundHost::expander_context(const port::Scope& scope) {
  return engine_.directory.find(scope.integration);
}

void BackgroundHost::expander_committed(const port::Scope& scope) {
  engine_.notify(scope);
  const auto it = engine_.background.find(scope.integration.value);
  if (it == engine_.background.end()) return;
  if (it->second.lane) it->second.lane->poke();
  if (it->second.expander) it->second.expander->poke();
}

void BackgroundHost::expander_doubted(const port::Scope& scope, const std::vector<ResourceId>& subjects) {
  if (engine_.on_hint) engine_.on_hint(scope, subjects);
}

LaneStatus lane_status(const jobs::Lane& lane, MonoTime now) {
  LaneStatus s;
  s.in_flight = lane.jobs_in_flight();
  s.calls = lane.limiter().in_use();
  s.concurrency = lane.limiter().limit();
  s.breaker_open = lane.limiter().breaker_open(now);
  s.paused = lane.paused() ? "paused by a person" : lane.own_pause();
  return s;
}

namespace {
constexpr Duration open_again_after = std::chrono::seconds(30);

std::string fingerprint_of(const IntegrationContext& context) {
  return context.row.connector + '\n' + context.row.config + '\n' + context.row.secrets + '\n' +
         context.row.policy + '\n' + std::to_string(static_cast<int>(placement_of(context.settings)));
}
}  // namespace

bool Engine::Impl::stands_still(const IntegrationContext& context) const {
  const auto& scope = context.row.scope;
  return context.row.state != port::IntegrationState::active || stopped_workspaces.contains(scope.workspace) ||
         stopping.contains(scope.integration.value);
}

void Engine::Impl::settle_lanes(WorkspaceId workspace) {
  for (const auto& context : directory.all()) {
    if (context->row.scope.workspace != workspace) continue;
    const auto slot = background.find(context->row.scope.integration.value);
    if (slot != background.end() && slot->second.lane) slot->second.lane->set_paused(stands_still(*context));
  }
}

void Engine::Impl::attach(const Context& context) {
  if (!started || closing || !options.background) return;
  const auto scope = context->row.scope;
  chores->watch(context);
  if (context->row.sources) polls->watch(context->row.scope);
  objectives->watch(context);
  auto& slot = background[scope.integration.value];
  if (!slot.expander) {
    slot.expander =
        std::make_shared<Expander>(ExpanderPorts{ports.executor, ports.clock, ports.random, ports.store}, *host,
                                   scope, options.piece, options.lane_lease / 3);
    slot.expander->poke();
  }
  const bool paused = stands_still(*context);
  // A pause alone leaves the connection as it is; anything else that changed wants a new one.
  const auto fingerprint = fingerprint_of(*context);
  if (slot.lane && slot.fingerprint == fingerprint) {
    slot.lane->set_paused(paused);
    return;
  }
  slot.fingerprint = fingerprint;
  if (slot.replacing) return;  // the new lane is made of what is true when the old one has finished
  auto self = shared_from_this();
  const auto open = [self, scope] {
    const auto it = self->background.find(scope.integration.value);
    const auto current = self->directory.find(scope.integration);
    if (it == self->background.end() || !current || self->closing) return;
    it->second.fingerprint = fingerprint_of(*current);
    auto connector = self->open_connector(current->row);
    if (!connector) return self->connection_failed(scope, connector.error().message());
    const bool recovered = !std::exchange(it->second.failed, {}).empty();
    jobs::LaneOptions lane_options;
    lane_options.node = self->options.node;
    lane_options.lease = self->options.lane_lease;
    lane_options.window = self->options.lane_window;
    it->second.lane = std::make_shared<jobs::Lane>(
        jobs::LanePorts{self->ports.executor, self->ports.clock, self->ports.random, self->ports.store},
        lane_options, scope, current->policy, std::move(*connector), *self->host);
    it->second.lane->set_paused(self->stands_still(*current));
    const auto lane = it->second.lane;
    if (!recovered) return lane->start();
    self->decide(
        [self, scope](port::Reader& reader) -> Result<port::Transaction> {
          port::Transaction t;
          t.id = self->new_id<TxnId>();
          DEPROV_CHECK(clear_lane_pause(reader, scope, t));
          t.ops.emplace_back(self->activity(scope, "connection.made", "engine", {}));
          return t;
        },
        [self, scope, lane](const Result<port::Committed>&) {
          self->notify(scope);
          lane->start();
        });
  };
  if (slot.lane) {
    auto old = std::move(slot.lane);
    slot.lane = nullptr;
    auto replacing = slot.replacing = std::make_shared<Background::Replacing>();
    old->stop([self, scope, open, old, replacing]() mutable {
      if (replacing->instead) {
        auto instead = std::move(replacing->instead);
        return instead();
      }
      if (const auto it = self->background.find(scope.integration.value); it != self->background.end())
        it->second.replacing = nullptr;
      open();
    });
  } else {
    open();
  }
}

// What stands in the way may go away by itself (a file that is not there yet), and jobs wait for it.
void Engine::Impl::connection_failed(const port::Scope& scope, const std::string& why) {
  auto& slot = background[scope.integration.value];
  const bool news = slot.failed != why;
  slot.failed = why;
  const std::weak_ptr<Impl> weak = weak_from_this();
  ports.executor.post_at(ports.clock.mono() + open_again_after, [weak, scope] {
    const auto self = weak.lock();
    if (!self || self->closing) return;
    const auto it = self->background.find(scope.integration.value);
    const auto context = self->directory.find(scope.integration);
    if (it != self->background.end() && !it->second.lane && context) self->attach(context);
  });
  if (!news) return;
  const auto self = shared_from_this();
  decide(
      [self, scope, why](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(row, reader.lane(scope));
        port::LaneRow lane = row.value_or(port::LaneRow{});
        port::Transaction t;
        t.id = self->new_id<TxnId>();
        t.reads.lanes.push_back({scope, lane.epoch});
        lane.scope = scope;
        lane.paused = "the connection cannot be opened: " + why;
        t.ops.emplace_back(port::op::PutLane{std::move(lane)});
        t.ops.emplace_back(self->activity(scope, "connection.failed", "engine", {{"reason", why}}));
        return t;
      },
      [self, scope](const Result<port::Committed>&) { self->notify(scope); });
}

void Engine::Impl::detach(const port::Scope& scope, port::UniqueFunction<void()> done) {
  chores->forget(scope.integration);
  polls->forget(scope.integration);
  objectives->forget(scope.integration);
  const auto it = background.find(scope.integration.value);
  if (it == background.end()) return done();
  auto slot = std::move(it->second);
  background.erase(it);
  auto left = std::make_shared<int>(2);
  auto finished = std::make_shared<port::UniqueFunction<void()>>(std::move(done));
  auto keep = std::make_shared<Background>(slot);
  const auto one = [left, finished, keep] {
    if (--*left == 0) (*finished)();
  };
  if (slot.expander) {
    slot.expander->stop(one);
  } else {
    one();
  }
  if (slot.lane) {
    slot.lane->stop(one);
  } else if (slot.replacing) {
    slot.replacing->instead = one;
  } else {
    one();
  }
}

void Engine::Impl::poke(const port::Scope& scope) {
  const auto it = background.find(scope.integration.value);
  if (it == background.end()) return;
  if (it->second.lane) it->second.lane->poke();
  if (it->second.expander) it->second.expander->poke();
}

}  // namespace deprov::engine
