#include "sim/world.hpp"
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <deprov/engine/sources.hpp>
#include <stdexcept>
#include <utility>
#include "sim/oracle.hpp"

namespace deprov::test::sim {

namespace {

constexpr std::uint64_t most_steps = 3'000'000;

json::object policy_of(const AppPlan& plan, const Fault* fault) {
  auto policy = plan.policy;
  switch (fault != nullptr ? fault->policy : PolicyFault::none) {
    case PolicyFault::none: break;
    case PolicyFault::no_protection:
      policy.erase("protection");
      policy.erase("exemptions");
      break;
    case PolicyFault::no_guard: policy["guard"] = json::object{{"enabled", false}}; break;
    case PolicyFault::no_grace:
      if (auto* causes = policy.if_contains("causes"))
        for (auto& cause : causes->get_object()) cause.value().get_array()[2].get_object()["after_ms"] = 0;
      break;
    case PolicyFault::no_approval: policy.erase("approvals"); break;
    case PolicyFault::no_entitling: policy.erase("entitling_groups"); break;
    case PolicyFault::other_ranks:
      if (auto* roles = policy.if_contains("roles"))
        for (auto& role : roles->get_array()) role.get_object()["rank"] = 100 - role.at("rank").to_number<int>();
      break;
  }
  return policy;
}

}  // namespace

World::World(const Script& s, const Fault* fault)
    : script(s), fault_(fault), rng_(s.seed, 2), directory_rng_(s.seed, 5) {
  engine_clock_ = std::make_unique<EngineClock>(clock);
  engine_clock_->fast = fault != nullptr && fault->fast_clock;
  executor_ = std::make_unique<runtime::VirtualExecutor>(clock);
  oracle = std::make_unique<Oracle>(*this);
  disk = std::make_unique<Disk>(*crypto, *oracle, s.seed);
  if (fault != nullptr) disk->fault = fault->store;
  for (std::size_t i = 0; i < s.apps.size(); ++i) {
    App app;
    app.plan = s.apps[i];
    app.app = std::make_shared<SimApp>(i, app.plan, AppWorld{*executor_, clock, *oracle}, s.seed);
    if (fault != nullptr) app.app->fault = fault->connector;
    app.idp = std::make_unique<Idp>(app.plan, *this);
    if (app.plan.polled != 0) {
      const auto wrong = fault != nullptr ? fault->api : ApiFault::none;
      const auto api = wrong == ApiFault::cut_off_and_denied ? Directory::Api::scim_index
                                                             : static_cast<Directory::Api>(app.plan.polled - 1);
      app.directory = std::make_unique<Directory>(api, i, clock, s.seed);
    }
    apps.push_back(std::move(app));
  }
  nodes_.resize(s.engines);
  for (std::size_t i = 0; i < nodes_.size(); ++i) nodes_[i].index = i;
}

World::~World() {
  for (auto& node : nodes_) take_down(node);
  executor_.reset();
}

// ---- engines

void World::boot(Node& node) {
  node.executor = std::make_unique<runtime::VirtualExecutor>(clock);
  node.calls = std::make_shared<SimApp::Calls>();
  node.store = disk->open(*node.executor, clock);
  node.http = std::make_unique<DirectoryHttp>(*executor_, clock, [this](const std::string& url) -> Directory* {
    for (auto& app : apps)
      if (app.directory && app.directory->serves(url)) return app.directory.get();
    return nullptr;
  });
  node.random =
      std::make_unique<runtime::SeededRandom>(script.seed * 1000 + node.index * 100 + node.boots++ % 100);
  engine::Options options;
  for (const auto& app : apps)
    options.connectors.emplace(app.app->description().id, std::make_shared<SimKind>(app.app, node.calls));
  options.master_key = std::string(32, 'k');
  options.node = "engine" + std::to_string(node.index);
  if (nodes_.size() > 1) options.lane_lease = std::chrono::seconds(60);
  options.inline_members = script.inline_members;
  options.piece = script.piece;
  options.lane_window = script.lane_window;
  auto made = engine::Engine::create(
      {*node.executor, *engine_clock_, *node.random, *node.store, *node.http, *crypto}, std::move(options));
  if (!made) throw std::runtime_error(made.error().message());
  node.engine = std::move(*made);
  node.scim = std::make_unique<service::ScimService>(*node.engine);
  node.engine->start([this, index = node.index](const Result<void>& started) {
    if (started) {
      nodes_[index].up = true;
    } else {
      executor_->post([this, index] {  // a disk that does not answer: the program ends, and is started again
        crash(nodes_[index]);
        boot_later(index, std::chrono::seconds(1));
      });
    }
  });
}

void World::boot_later(std::size_t index, Duration wait) {
  executor_->post_at(clock.mono() + wait, [this, index] {
    if (!nodes_[index].engine) boot(nodes_[index]);
  });
}

void World::take_down(Node& node) {
  node.up = false;
  node.dies_after.reset();
  node.dies_at_sent = node.dies_at_app = false;
  if (node.calls) node.calls->waiting.clear();
  node.scim.reset();
  node.engine.reset();
  node.http.reset();
  node.executor.reset();
  node.calls.reset();
  node.store.reset();
}

// As a kill -9: nothing of the engine's memory survives. Whoever waits for an answer gets none.
void World::crash(Node& node) {
  if (!node.engine) return;
  take_down(node);
  for (auto& app : apps)
    for (auto& [id, account] : app.app->accounts()) account.in_doubt = true;
  auto asked = std::move(node.asked);
  node.asked.clear();
  for (auto& [id, done] : asked) executor_->post([done = std::move(done)] { done(std::nullopt); });
}

World::Node* World::some_node() {
  std::vector<Node*> up;
  for (auto& node : nodes_)
    if (node.up) up.push_back(&node);
  return up.empty() ? nullptr : up[rng_.below(static_cast<std::uint32_t>(up.size()))];
}

engine::Engine* World::some_engine() {
  auto* node = some_node();
  return node != nullptr ? node->engine.get() : nullptr;
}

void World::trouble(Duration lasting) { troubled_until = std::max(troubled_until, clock.mono() + lasting); }

void World::sent_is_durable() {
  for (auto& node : nodes_)
    if (node.dies_at_sent) node.dies_after = 0;
}

void World::change_arrived() {
  for (auto& node : nodes_)
    if (node.dies_at_app) node.dies_after = 0;
}

// ---- one thread

bool World::step() {
  std::vector<Node*> ready;
  for (auto& node : nodes_) {
    if (!node.engine) continue;
    if (node.dies_after && *node.dies_after == 0) {
      crash(node);
      boot_later(node.index, std::chrono::milliseconds(rng_.between(10, 30'000)));
      return true;
    }
    if (node.executor->has_ready()) ready.push_back(&node);
  }
  const bool own = executor_->has_ready();
  if (!own && ready.empty()) return false;
  const auto pick = rng_.below(static_cast<std::uint32_t>(ready.size() + (own ? 1 : 0)));
  if (pick >= ready.size()) return executor_->run_one();
  auto& node = *ready[pick];
  (void)node.executor->run_one();
  if (node.dies_after && *node.dies_after > 0) --*node.dies_after;
  return true;
}

void World::run_until(MonoTime t) {
  while (!over_) {
    if (step()) {
      if (++steps > most_steps) {
        oracle->violated("rest",
                         "the world does not come to rest within " + std::to_string(most_steps) + " steps");
        return;
      }
      continue;
    }
    auto next = executor_->next_timer();
    for (const auto& node : nodes_) {
      if (!node.engine) continue;
      const auto at = node.executor->next_timer();
      if (at && (!next || *at < *next)) next = at;
    }
    if (!next || *next > t) break;
    clock.advance_to(*next);
  }
  if (!over_) clock.advance_to(t);
}

template <class T, class Start>
std::optional<Result<T>> World::wait(Start start) {
  auto got = std::make_shared<std::optional<Result<T>>>();
  auto* engine = some_engine();
  if (engine == nullptr) return std::nullopt;
  start(*engine, engine::Done<T>([got](Result<T> r) { got->emplace(std::move(r)); }));
  for (int i = 0; i < 100'000 && !*got && !over_; ++i) {
    if (step()) continue;
    run_until(clock.mono() + std::chrono::milliseconds(1));
  }
  return std::move(*got);
}

// ---- the way of the IdPs

void World::send(service::Request request, std::function<void(std::optional<service::Response>)> done) {
  auto* node = some_node();
  if (node == nullptr) return executor_->post([done = std::move(done)] { done(std::nullopt); });
  const auto id = ++asked_;
  const auto index = node->index;
  node->asked.emplace(id, std::move(done));
  node->scim->handle(std::move(request), [this, index, id](service::Response response) {
    executor_->post([this, index, id, response = std::move(response)]() mutable {
      auto& asked = nodes_[index].asked;
      const auto it = asked.find(id);
      if (it == asked.end()) return;  // it died meanwhile
      auto answer = std::move(it->second);
      asked.erase(it);
      answer(std::move(response));
    });
  });
}

void World::later(Duration wait, std::function<void()> what) {
  executor_->post_at(clock.mono() + wait, [what = std::move(what)] { what(); });
}

void World::surprised(const std::string& what) {
  if (clock.mono() > troubled_by_disk_until_) oracle->violated("answers", what);
}

void World::tell(const std::function<void(const std::string&)>& line) {
  std::vector<port::Scope> scopes{{workspace, {}}};
  for (const auto& app : apps) scopes.push_back(app.scope);
  disk->read([&](port::Reader& reader) {
    for (const auto& scope : scopes) {
      auto page = reader.activity(scope, 0, 1'000'000);
      if (!page) continue;
      for (const auto& row : page->rows) line(oracle->tell(row));
    }
  });
}

// ---- from the beginning to the end

void World::set_up() {
  boot(nodes_[0]);
  run_for(std::chrono::milliseconds(100));
  engine::Principal local;
  local.role = port::Role::owner;
  const auto owner = wait<engine::CreatedPrincipal>(
      [&](engine::Engine& e, auto done) { e.create_workspace(local, "acme", "Olga", std::move(done)); });
  if (!owner || !*owner) throw std::runtime_error("no workspace");
  by_ = {(*owner)->row.workspace, (*owner)->row.id, (*owner)->row.name, (*owner)->row.role};
  workspace = by_.workspace;
  for (std::size_t i = 0; i < apps.size(); ++i) {
    auto& app = apps[i];
    engine::CreateIntegration what;
    what.name = "app" + std::to_string(i);
    what.idp = app.plan.idp;
    what.connector = app.app->description().id;
    what.policy = policy_of(app.plan, fault_);
    what.check = false;
    const auto made = wait<engine::CreatedIntegration>(
        [&](engine::Engine& e, auto done) { e.create_integration(by_, std::move(what), std::move(done)); });
    if (!made || !*made)
      throw std::runtime_error("no integration: " + (made ? made->error().message() : std::string("no answer")));
    app.scope = (*made)->row.scope;
    app.idp->base = "/scim/v2/" + app.scope.integration.str();
    app.idp->token = (*made)->scim_token;
    for (std::uint32_t u = 0; u < app.plan.users; ++u) {
      if (rng_.permille(app.plan.missing)) continue;
      const auto n = std::to_string(u);
      const auto external = rng_.permille(500) ? "ext-" + n + "-0" : std::string{};
      app.app->add("acc" + n, external, "u" + n + "@x.test");
      if (rng_.permille(app.plan.doubles)) app.app->add("twin" + n, external, "u" + n + "@x.test");
    }
    for (std::uint32_t k = 0; k < app.plan.strangers; ++k)
      app.app->add("zz" + std::to_string(k), "", "stranger" + std::to_string(k) + "@x.test");
  }
  for (std::size_t i = 1; i < nodes_.size(); ++i) boot(nodes_[i]);
  run_for(std::chrono::milliseconds(100));
  // Who is there at the beginning.
  for (auto& app : apps) {
    for (std::uint32_t u = 0; u < app.plan.users; ++u) {
      if (u != 0 && rng_.permille(100)) continue;
      Event e;
      e.kind = Kind::join;
      e.a = u;
      app.idp->happen(e);
    }
  }
  run_for(std::chrono::seconds(5));
  for (auto& app : apps) {
    for (std::uint32_t g = 0; g < app.plan.groups; ++g) {
      Event e;
      e.kind = Kind::group_make;
      e.a = g;
      e.b = rng_.permille(700) ? 1 : 0;
      app.idp->happen(e);
    }
  }
  run_for(std::chrono::minutes(3));
  for (auto& app : apps)
    if (app.directory) add_source(app);
  disk->read([&](port::Reader& reader) { oracle->give_roles(reader); });
}

// The first list changes nothing; what comes later is compared with it.
void World::add_source(App& app) {
  engine::AddSource what{"directory", app.directory->kind(), app.directory->config()};
  const auto added = wait<port::SourceRow>([&](engine::Engine& e, auto done) {
    e.sources().add(by_, app.scope.integration, std::move(what), std::move(done));
  });
  if (!added || !*added)
    throw std::runtime_error("no source: " + (added ? added->error().message() : std::string("no answer")));
  app.source = (*added)->id;
  for (int i = 0; i < 60; ++i) {
    run_for(std::chrono::seconds(5));
    bool listed = false;
    disk->read([&](port::Reader& reader) {
      const auto row = reader.source(app.scope, app.source);
      listed = row && *row && (*row)->generation != 0;
    });
    if (!listed) continue;
    for (auto& [id, presence] : app.presence) presence.listed = presence.in;
    if (fault_ != nullptr) app.directory->fault = fault_->api;
    return;
  }
  // Where nobody is in it, there is no list to be read: an empty one is none.
}

void World::enter(App& app, const std::string& external_id) {
  app.directory->enter(external_id);
  auto& presence = app.presence[external_id];
  if (!presence.in) presence.since = clock.mono();
  presence.in = true;
}

void World::leave(App& app, const std::string& external_id, std::uint32_t how) {
  auto& presence = app.presence[external_id];
  if (!presence.in) return;
  app.directory->leave(external_id, how);
  presence.in = false;
  presence.ever_out = true;
  presence.since = clock.mono();
}

void World::pushed(App& app, idp::ChangeKind kind, const std::string& external_id) {
  if (!app.directory || external_id.empty()) return;
  switch (kind) {
    case idp::ChangeKind::created:
    case idp::ChangeKind::reactivated: return enter(app, external_id);
    case idp::ChangeKind::deactivated:
    case idp::ChangeKind::deleted:
      if (directory_rng_.permille(700)) leave(app, external_id, directory_rng_.below(12));
      return;
    default: return;
  }
}

void World::run() {
  set_up();
  const auto start = clock.mono();
  std::int64_t last = 0;
  for (const auto& e : script.events) {
    last = std::max(last, e.at_ms);
    executor_->post_at(start + std::chrono::milliseconds(e.at_ms), [this, &e] { happen(e); });
  }
  const auto end = start + std::chrono::milliseconds(last) + std::chrono::minutes(2);
  while (!over_ && clock.mono() < end) {
    run_until(std::min(end, clock.mono() + std::chrono::minutes(10)));
    oracle->look();
  }
  // Everything behaves from here on, and what people have to decide waits for them.
  end_of_troubles();
  for (int i = 0; i < 6 && !over_; ++i) {
    run_for(std::chrono::minutes(20));
    oracle->look();
  }
  oracle->at_rest();
  // People decide and try again, until nothing is left to be decided.
  for (int i = 0; i < 8 && !over_ && clear_up(); ++i) run_for(std::chrono::minutes(45));
  oracle->at_the_end();
  for (std::size_t i = 0; i < apps.size() && !over_; ++i) reconcile(i);
}

// What the app really holds is compared with who has access: nothing that is left over stays unseen.
void World::reconcile(std::size_t index) {
  if (!apps[index].plan.listable) return;
  run_for(std::chrono::minutes(1));  // what was done a moment ago may not be shown yet
  std::optional<WorkId> run;
  const auto report = wait<json::object>([&](engine::Engine& e, auto done) {
    e.reconcile(
        by_, apps[index].scope.integration, false,
        [&run](const Result<WorkId>& started) {
          if (started) run = *started;
        },
        std::move(done));
  });
  if (run && report && *report) oracle->reconciled(index, *run);
}

}  // namespace deprov::test::sim
