#include "support/fake_app.hpp"
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/scim/fold.hpp>
#include <stdexcept>
#include <utility>

namespace deprov::test {

using connector::Effect;
using connector::Operation;
using connector::Outcome;

FakeApp::FakeApp() {
  description.id = "fake";
  description.name = "Fake";
  description.version = "1";
  description.config_schema = connector::json::object{{"type", "object"}};
  for (const auto op : {Operation::check, Operation::find, Operation::read, Operation::disable, Operation::enable,
                        Operation::revoke_sessions}) {
    auto& c = description.of(op);
    c.supported = true;
    c.idempotency = connector::Idempotency::naturally;
    c.verification = connector::Verification::read;
  }
  description.of(Operation::disable).reversible = true;
}

connector::Account& FakeApp::add(const std::string& id, const std::string& external_id,
                                 const std::string& user_name) {
  auto& a = accounts[id];
  a.id = id;
  a.external_id = external_id;
  a.user_name = user_name;
  a.active = true;
  return a;
}

void FakeApp::offer(std::initializer_list<Operation> operations) {
  for (const auto op : operations) {
    auto& c = description.of(op);
    c.supported = true;
    c.idempotency = connector::Idempotency::naturally;
    c.verification = connector::Verification::read;
  }
}

void FakeApp::answer(Operation operation, Outcome outcome, bool effect_happens) {
  connector::Reply reply;
  reply.outcome = outcome;
  script.push_back({operation, reply, effect_happens});
}

std::size_t FakeApp::count(const std::string& entry) const {
  std::size_t n = 0;
  for (const auto& line : log) n += line == entry ? 1U : 0U;
  return n;
}

connector::Reply FakeApp::carry_out(const connector::Call& call) {
  connector::Reply r;
  r.outcome = Outcome::ok;
  if (call.operation == Operation::check) {
    if (!accounts.empty()) r.accounts.push_back(accounts.begin()->second);
    return r;
  }
  if (call.operation == Operation::find) {
    for (const auto& [id, a] : accounts) {
      if ((!call.match.external_id.empty() && a.external_id == call.match.external_id) ||
          (!call.match.user_name.empty() && scim::fold(a.user_name) == scim::fold(call.match.user_name)))
        r.accounts.push_back(a);
    }
    if (r.accounts.empty()) r.outcome = Outcome::not_found;
    return r;
  }
  if (call.operation == Operation::list) {
    auto at = call.cursor.empty() ? accounts.begin() : accounts.lower_bound(call.cursor);
    for (; at != accounts.end() && r.accounts.size() < call.page_size; ++at) r.accounts.push_back(at->second);
    if (at != accounts.end()) r.next_cursor = at->first;
    return r;
  }
  const auto it = accounts.find(call.account_id);
  if (it == accounts.end()) {
    r.outcome = Outcome::not_found;
    return r;
  }
  auto& a = it->second;
  switch (call.operation) {
    case Operation::list_entitlements:
    case Operation::read: r.accounts.push_back(a); break;
    case Operation::disable:
      r.effect = a.active == true ? Effect::done : Effect::already;
      a.active = false;
      break;
    case Operation::enable:
      r.effect = a.active == true ? Effect::already : Effect::done;
      a.active = true;
      break;
    case Operation::remove:
      r.effect = Effect::done;
      if (call.delete_account) {
        accounts.erase(it);
      } else {
        a.groups.clear();
      }
      break;
    case Operation::revoke_entitlement:
      r.effect = std::erase(a.groups, call.entitlement) != 0 ? Effect::done : Effect::already;
      break;
    case Operation::grant_entitlement: {
      const bool has = std::find(a.groups.begin(), a.groups.end(), call.entitlement) != a.groups.end();
      r.effect = has ? Effect::already : Effect::done;
      if (!has) a.groups.push_back(call.entitlement);
      break;
    }
    default: r.effect = Effect::done; break;
  }
  return r;
}

namespace {
class FakeConnector final : public connector::Connector {
 public:
  FakeConnector(std::shared_ptr<FakeApp> app, port::ConnectorHost host) : app_(std::move(app)), host_(host) {}
  [[nodiscard]] const connector::Description& describe() const override { return app_->description; }
  connector::CallId start(connector::Call call, connector::Completion done) override {
    app_->log.push_back(std::string(connector::to_string(call.operation)) +
                        (call.account_id.empty() ? "" : " " + call.account_id));
    connector::Reply reply;
    bool scripted = false;
    for (auto it = app_->script.begin(); it != app_->script.end(); ++it) {
      if (it->operation != call.operation) continue;
      reply = it->reply;
      if (it->effect_happens) (void)app_->carry_out(call);
      app_->script.erase(it);
      scripted = true;
      break;
    }
    if (app_->silent) {
      app_->unanswered.push_back(std::move(done));
      return 0;
    }
    if (!scripted) reply = app_->carry_out(call);
    if (app_->latency.count() == 0) {
      done(std::move(reply));
    } else {
      auto shared = std::make_shared<connector::Completion>(std::move(done));
      host_.executor.post_at(host_.clock.mono() + app_->latency,
                             [shared, reply = std::move(reply)]() mutable { (*shared)(std::move(reply)); });
    }
    return 0;
  }
  void cancel(connector::CallId) override {}

 private:
  std::shared_ptr<FakeApp> app_;
  port::ConnectorHost host_;
};
}  // namespace

Result<std::unique_ptr<connector::Connector>> FakeKind::open(const connector::json::object&,
                                                             port::ConnectorHost host) const {
  app_->checkpoints.push_back(host.checkpoints);
  return std::unique_ptr<connector::Connector>(std::make_unique<FakeConnector>(app_, host));
}

World::World(std::uint64_t seed, const StoreMaker& make_store) : random(seed) {
  executor = std::make_unique<runtime::VirtualExecutor>(clock);
  store = make_store ? make_store(*crypto, *executor) : store::make_memory_store(*crypto);
  options.connectors.emplace("fake", std::make_shared<FakeKind>(app));
  options.master_key = std::string(32, 'k');
  workspace = random.id<WorkspaceId>(clock.wall());
  port::Transaction txn;
  txn.id = random.id<TxnId>(clock.wall());
  txn.ops.emplace_back(port::op::PutWorkspace{{workspace, "test", clock.wall()}});
  store->commit(std::move(txn), [](Result<port::Committed> r) {
    if (!r) throw std::runtime_error(r.error().message());
  });
  executor->run_until_idle();
  boot();
}

World::~World() {
  app->unanswered.clear();
  engine.reset();
  store.reset();
}

void World::boot() {
  auto made = engine::Engine::create({*executor, clock, random, *store, *transport, *crypto}, options);
  if (!made) throw std::runtime_error(made.error().message());
  engine = std::move(*made);
  engine->start([](Result<void> r) {
    if (!r) throw std::runtime_error(r.error().message());
  });
  executor->run_until_idle();
}

void World::crash() {
  app->unanswered.clear();
  engine.reset();
  executor = std::make_unique<runtime::VirtualExecutor>(clock);
}

engine::Context World::integrate(const std::string& idp, const std::string& policy) {
  port::IntegrationRow row;
  row.scope = {workspace, random.id<IntegrationId>(clock.wall())};
  row.name = idp;
  row.idp = idp;
  row.connector = connector;
  row.config = config;
  row.settings = "{}";
  // Tests state the guard that they want; the others are about something else.
  row.policy = policy;
  if (policy.find("\"guard\"") == std::string::npos) {
    auto document = boost::json::parse(policy).as_object();
    document["guard"] = {{"enabled", false}};
    row.policy = boost::json::serialize(document);
  }
  row.created = row.modified = clock.wall();
  port::Transaction txn;
  txn.id = random.id<TxnId>(clock.wall());
  txn.ops.emplace_back(port::op::PutIntegration{row});
  store->commit(std::move(txn), [](Result<port::Committed> r) {
    if (!r) throw std::runtime_error(r.error().message());
  });
  executor->run_until_idle();
  bool closed = false;
  engine->close(std::chrono::seconds(1), [&](const Result<void>&) { closed = true; });
  while (!closed && executor->run_one()) {
  }
  engine.reset();
  boot();
  auto context = engine->integration(row.scope.integration);
  if (!context) throw std::runtime_error("no integration");
  return context;
}

Result<engine::Applied> World::apply(const engine::Context& c, engine::Engine::EffectBody body) {
  std::optional<Result<engine::Applied>> out;
  engine::Evidence evidence{"idp:" + c->row.idp, "scim", "r1", "PATCH", {}, clock.wall()};
  engine->apply(engine->integration(c->row.scope.integration), evidence, std::move(body),
                [&](Result<engine::Applied> r) { out = std::move(r); });
  while (!out && executor->run_one()) {
  }
  if (!out) return Error(Errc::internal, "no answer");
  executor->run_until_idle();
  return *out;
}

ResourceId World::add_user(const engine::Context& c, const std::string& name, bool active) {
  port::ResourceRow row;
  row.scope = c->row.scope;
  row.id = random.id<ResourceId>(clock.wall());
  row.type = "User";
  row.external_id = "ext-" + name;
  row.user_name_key = scim::fold(name);
  row.active = active;
  row.created = row.modified = clock.wall();
  row.document = R"({"userName":")" + name + R"(","externalId":"ext-)" + name + R"("})";
  auto r = apply(c, [row](port::Reader&, const engine::IntegrationContext&) -> Result<engine::Effect> {
    engine::Effect e;
    e.after = row;
    return e;
  });
  if (!r) throw std::runtime_error(r.error().message());
  return row.id;
}

ResourceId World::add_group(const engine::Context& c, const std::string& name,
                            const std::vector<ResourceId>& who) {
  port::ResourceRow row;
  row.scope = c->row.scope;
  row.id = random.id<ResourceId>(clock.wall());
  row.type = "Group";
  row.display_name_key = scim::fold(name);
  row.created = row.modified = clock.wall();
  row.document = R"({"displayName":")" + name + R"("})";
  auto r = apply(c, [row, who](port::Reader&, const engine::IntegrationContext&) -> Result<engine::Effect> {
    engine::Effect e;
    e.after = row;
    e.group = row.id;
    if (!who.empty()) {
      engine::MemberStep step;
      for (const auto& m : who) step.members.push_back({row.id, m, false});
      e.members.push_back(step);
    }
    return e;
  });
  if (!r) throw std::runtime_error(r.error().message());
  return row.id;
}

namespace {
engine::Engine::EffectBody change_of(port::Scope scope, ResourceId id,
                                     std::function<void(port::ResourceRow&)> change) {
  return [scope, id, change](port::Reader& reader, const engine::IntegrationContext&) -> Result<engine::Effect> {
    DEPROV_TRY(row, reader.resource(scope, id));
    if (!row) return Error(Errc::not_found, "no such resource");
    engine::Effect e;
    e.before = row;
    e.after = row;
    e.keys_changed = false;
    change(*e.after);
    if (e.after->deleted) e.keys_changed = true;
    return e;
  };
}
}  // namespace

Result<engine::Applied> World::set_active(const engine::Context& c, ResourceId user, bool active) {
  return apply(c, change_of(c->row.scope, user, [active](port::ResourceRow& r) { r.active = active; }));
}
Result<engine::Applied> World::remove_user(const engine::Context& c, ResourceId user) {
  return apply(c, change_of(c->row.scope, user, [](port::ResourceRow& r) { r.deleted = true; }));
}
Result<engine::Applied> World::remove_group(const engine::Context& c, ResourceId group) {
  return apply(c, change_of(c->row.scope, group, [](port::ResourceRow& r) { r.deleted = true; }));
}

Result<engine::Applied> World::members(const engine::Context& c, ResourceId group, engine::MemberStep::Kind kind,
                                       const std::vector<ResourceId>& who, bool groups) {
  return apply(c, [=](port::Reader&, const engine::IntegrationContext&) -> Result<engine::Effect> {
    engine::Effect e;
    e.group = group;
    engine::MemberStep step;
    step.kind = kind;
    for (const auto& m : who) step.members.push_back({group, m, groups});
    e.members.push_back(step);
    return e;
  });
}

port::SubjectRow World::subject(const engine::Context& c, ResourceId user) {
  port::SubjectRow out;
  read([&](port::Reader& r) { out = r.subject(c->row.scope, user)->value(); });
  return out;
}
port::BindingRow World::binding(const engine::Context& c, ResourceId user) {
  port::BindingRow out;
  read([&](port::Reader& r) { out = r.binding(c->row.scope, user)->value(); });
  return out;
}
std::vector<port::JobRow> World::jobs(const engine::Context& c, ResourceId user) {
  std::vector<port::JobRow> out;
  read([&](port::Reader& r) {
    port::JobFilter filter;
    filter.subject = user;
    out = r.jobs(c->row.scope, filter, std::nullopt, 1000)->rows;
  });
  return out;
}
port::JobRow World::job(const engine::Context& c, ResourceId user, port::JobKind kind) {
  for (const auto& j : jobs(c, user))
    if (j.kind == kind) return j;
  throw std::runtime_error("no such job");
}
std::vector<port::ActivityRow> World::activity(const engine::Context& c) {
  std::vector<port::ActivityRow> out;
  read([&](port::Reader& r) { out = r.activity(c->row.scope, 0, 1'000'000)->rows; });
  return out;
}
std::size_t World::events(const engine::Context& c, const std::string& event) {
  std::size_t n = 0;
  for (const auto& a : activity(c)) n += a.event == event ? 1U : 0U;
  return n;
}

}  // namespace deprov::test
