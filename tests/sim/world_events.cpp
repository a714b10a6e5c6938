// What happens in a world: to its apps, its store, its engines, and what operators do.
#include <algorithm>
#include <deprov/engine/sources.hpp>
#include <iterator>
#include <string_view>
#include <utility>
#include "sim/oracle.hpp"
#include "sim/world.hpp"

namespace deprov::test::sim {

namespace {

std::string hex(const port::Sha256& bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const auto b : bytes) {
    out.push_back(digits[b >> 4U]);
    out.push_back(digits[b & 15U]);
  }
  return out;
}

constexpr Duration seconds(std::uint32_t n) { return std::chrono::seconds(n); }

}  // namespace

std::vector<port::JobRow> World::jobs_in(const App& app, std::initializer_list<port::JobState> states) {
  std::vector<port::JobRow> out;
  disk->read([&](port::Reader& reader) {
    for (const auto state : states) {
      port::JobFilter filter;
      filter.state = state;
      auto page = reader.jobs(app.scope, filter, std::nullopt, 1000);
      if (page) out.insert(out.end(), page->rows.begin(), page->rows.end());
    }
  });
  return out;
}

void World::happen(const Event& e) {
  auto& app = apps[e.app % apps.size()];
  auto& node = nodes_[e.a % nodes_.size()];
  switch (e.kind) {
    case Kind::outage: {
      Weather w;
      w.mute = e.b % 2 == 1;
      if (!w.mute) w.unavailable = 1000;
      app.app->set_weather(w);
      trouble(seconds(e.a) + std::chrono::minutes(20));
      return later(seconds(e.a), [this, i = app.app->index()] { apps[i].app->heal(); });
    }
    case Kind::weather:
      app.app->set_weather(weather(e.b));
      trouble(seconds(e.a) + std::chrono::minutes(20));
      return later(seconds(e.a), [this, i = app.app->index()] { apps[i].app->heal(); });
    case Kind::sunshine: return app.app->heal();
    case Kind::by_hand:
    case Kind::app_login: {
      auto& accounts = app.app->accounts();
      if (accounts.empty()) return;
      const auto it = std::next(accounts.begin(), e.a % static_cast<std::uint32_t>(accounts.size()));
      if (it->second.gone) return;
      if (e.kind == Kind::by_hand) return app.app->flip_by_hand(it->second);
      it->second.shown.user_name = "changed-" + std::to_string(e.b) + "-" + it->second.shown.user_name;
      return;
    }
    case Kind::drop:
    case Kind::fetch: {
      if (!app.directory) return;
      const auto u = e.a % static_cast<std::uint32_t>(app.idp->users().size());
      const auto& user = app.idp->users()[u];
      if (user.id.empty()) return;
      const auto external = "ext-" + std::to_string(u) + "-" + std::to_string(user.incarnation);
      return e.kind == Kind::fetch ? enter(app, external) : leave(app, external, e.b);
    }
    case Kind::fog:
      if (!app.directory) return;
      app.directory->fog(e.b + 1);
      trouble(seconds(e.a) + std::chrono::minutes(50));
      return later(seconds(e.a), [this, i = app.app->index()] { apps[i].directory->fog(0); });
    case Kind::disk:
      disk->trouble = disk_trouble(e.b);
      disk_was_troubled = true;
      troubled_by_disk_until_ = std::max(troubled_by_disk_until_, clock.mono() + seconds(e.a / 4 + 10));
      trouble(seconds(e.a / 4) + std::chrono::minutes(20));
      return later(seconds(e.a / 4), [this] { disk->trouble = {}; });
    case Kind::crash:
      trouble(std::chrono::minutes(15));
      if (node.engine) node.dies_after = e.b % 40;
      return;
    case Kind::crash_at_sent:
      trouble(std::chrono::minutes(30));
      node.dies_at_sent = true;
      return;
    case Kind::crash_at_app:
      trouble(std::chrono::minutes(30));
      node.dies_at_app = true;
      return;
    case Kind::clock: {
      const auto by = seconds(e.a) - seconds(300);
      clock.jump_wall(clock.wall() + by);
      trouble(std::chrono::minutes(40));
      jumped += std::max(by, Duration{0});
      oracle->calendar_jumped();
      return;
    }
    default: break;
  }
  if (e.kind >= Kind::allow) return operate(e, app);
  app.idp->happen(e);
}

void World::operate(const Event& e, App& app) {
  auto* engine = some_engine();
  if (engine == nullptr) return;
  const auto id = app.scope.integration;
  std::optional<port::HoldRow> hold;
  std::vector<port::HoldItemRow> items;
  ResourceId subject;
  std::optional<port::JobRow> newest;
  disk->read([&](port::Reader& reader) {
    if (auto open = reader.open_hold(app.scope); open && *open) {
      hold = **open;
      if (auto page = reader.hold_items(app.scope, hold->id, 0, 1000)) items = std::move(page->rows);
    }
    const auto& user = app.idp->users()[e.a % app.idp->users().size()];
    subject = ResourceId::parse(user.id).value_or(ResourceId{});
    port::JobFilter filter;
    filter.subject = subject;
    if (auto page = reader.jobs(app.scope, filter, std::nullopt, 1); page && !page->rows.empty())
      newest = page->rows.front();
  });
  switch (e.kind) {
    case Kind::allow:
    case Kind::reject:
    case Kind::allow_one: {
      if (!hold) return;
      engine::HoldDecision d;
      d.allow = e.kind != Kind::reject;
      d.reason = "looked at";
      d.until = clock.wall() + std::chrono::minutes(e.a + 1);
      d.listing = hex(hold->listing);
      if (e.kind == Kind::allow_one && !items.empty()) {
        d.listing.clear();
        d.subject = items[e.a % items.size()].subject;
      }
      return engine->decide_hold(by_, id, hold->id, std::move(d), [](const Result<std::uint64_t>&) {});
    }
    case Kind::approve:
      for (const auto& job : jobs_in(app, {port::JobState::awaiting_approval})) {
        app.approved.insert(job.id);
        engine->approve_job(by_, id, job.id, "looked at", [](const Result<void>&) {});
      }
      return;
    case Kind::pause: return switch_off(app, false, seconds(e.a));
    case Kind::stop: return switch_off(app, true, seconds(e.a));
    case Kind::stop_all: return switch_off_all(seconds(e.a));
    case Kind::retry: {
      const auto jobs = jobs_in(app, {port::JobState::failed, port::JobState::dead, port::JobState::held});
      if (jobs.empty()) return;
      return engine->retry_job(by_, id, jobs[e.a % jobs.size()].id, [](const Result<JobId>&) {});
    }
    case Kind::cancel:
      if (newest) engine->cancel_job(by_, id, newest->id, "not this one", [](const Result<void>&) {});
      return;
    case Kind::attest:
      if (newest) engine->attest_job(by_, id, newest->id, {"done by hand", "T-1"}, [](const Result<JobId>&) {});
      return;
    case Kind::offboard:
      if (subject.is_nil()) return;
      app.offboarded.insert(subject);
      return engine->offboard(by_, id, subject, "a person says so", [](const Result<JobId>&) {});
    case Kind::rebind:
      if (subject.is_nil()) return;
      app.unbound.insert(subject);
      return engine->bind(by_, id, subject, {}, [](const Result<void>&) {});
    case Kind::poll:
      if (app.source.is_nil()) return;
      return engine->sources().poll(by_, id, app.source, {.complete = e.b % 2 == 1},
                                    [](const Result<json::object>&) {});
    case Kind::reconcile:
      return engine->reconcile(
          by_, id, e.b % 2 == 1, [](const Result<WorkId>&) {}, [](const Result<json::object>&) {});
    default: return;
  }
}

void World::switch_off(App& app, bool kill, Duration lasting) {
  if (app.switching) return;
  auto* engine = some_engine();
  if (engine == nullptr) return;
  trouble(lasting + std::chrono::minutes(20));
  app.switching = true;
  const auto index = app.app->index();
  const auto asked = clock.mono();
  // Where it dies before it answers, what holds is not known; it is taken back in any case.
  later(std::max(lasting, Duration(std::chrono::seconds(5))), [this, index] { resume(index, 50); });
  const auto answered = [this, index, asked, kill](const Result<port::IntegrationRow>& r) {
    if (!r || !apps[index].switching) return;
    apps[index].stopped = true;
    if (kill && clock.mono() - asked > std::chrono::seconds(1) && clock.mono() > troubled_by_disk_until_)
      oracle->violated("kill switch", "it was not answered within a second");
  };
  if (kill) return engine->stop_integration(by_, app.scope.integration, "stop", answered);
  engine->set_integration_state(by_, app.scope.integration, port::IntegrationState::paused, answered);
}

void World::resume(std::size_t index, int tries) {
  auto& app = apps[index];
  app.stopped = false;
  app.switching = false;
  auto* engine = some_engine();
  if (engine == nullptr) {
    if (tries > 0) later(std::chrono::seconds(2), [this, index, tries] { resume(index, tries - 1); });
    return;
  }
  engine->set_integration_state(by_, app.scope.integration, port::IntegrationState::active,
                                [this, index, tries](const Result<port::IntegrationRow>& r) {
                                  if (!r && tries > 0)
                                    later(std::chrono::seconds(2),
                                          [this, index, tries] { resume(index, tries - 1); });
                                });
}

void World::switch_off_all(Duration lasting) {
  if (all_switching_) return;
  auto* engine = some_engine();
  if (engine == nullptr) return;
  trouble(lasting + std::chrono::minutes(20));
  all_switching_ = true;
  later(std::max(lasting, Duration(std::chrono::seconds(5))), [this] { resume_all(50); });
  engine->stop_workspace(by_, "stop everything", [this](const Result<void>& r) {
    if (r && all_switching_) all_stopped = true;
  });
}

void World::resume_all(int tries) {
  all_stopped = false;
  all_switching_ = false;
  auto* engine = some_engine();
  const auto again = [this, tries] {
    if (tries > 0) later(std::chrono::seconds(2), [this, tries] { resume_all(tries - 1); });
  };
  if (engine == nullptr) return again();
  engine->resume_workspace(by_, "go on", [again](const Result<void>& r) {
    if (!r) again();
  });
}

void World::end_of_troubles() {
  calm = true;
  disk->trouble = {};
  for (auto& app : apps) {
    app.app->heal();
    if (app.directory) app.directory->fog(0);
  }
  for (auto& node : nodes_) {
    node.dies_after.reset();
    node.dies_at_sent = node.dies_at_app = false;
    if (!node.engine) boot(node);
  }
  trouble(std::chrono::minutes(40));
  run_for(std::chrono::seconds(5));
  for (std::size_t i = 0; i < apps.size(); ++i) resume(i, 50);
  resume_all(50);
}

bool World::clear_up() {
  bool any = false;
  auto* engine = some_engine();
  if (engine == nullptr) return false;
  for (auto& app : apps) {
    const auto id = app.scope.integration;
    std::optional<port::HoldRow> hold;
    disk->read([&](port::Reader& reader) {
      if (auto open = reader.open_hold(app.scope); open && *open) hold = **open;
    });
    if (hold) {
      any = true;
      engine::HoldDecision d;
      d.allow = true;
      d.reason = "looked at";
      d.listing = hex(hold->listing);
      engine->decide_hold(by_, id, hold->id, std::move(d), [](const Result<std::uint64_t>&) {});
    }
    for (const auto& job : jobs_in(app, {port::JobState::awaiting_approval})) {
      any = true;
      app.approved.insert(job.id);
      engine->approve_job(by_, id, job.id, "looked at", [](const Result<void>&) {});
    }
    for (const auto& job : jobs_in(app, {port::JobState::failed, port::JobState::dead, port::JobState::held})) {
      if (hold && job.reason.starts_with("held by the guard")) continue;
      if (!newest_of_its_subject(app, job) || ++retried_[job.subject] > 4) continue;
      any = true;
      engine->retry_job(by_, id, job.id, [](const Result<JobId>&) {});
    }
    any = any || !jobs_in(app, {port::JobState::in_grace}).empty();
  }
  return any;
}

bool World::newest_of_its_subject(const App& app, const port::JobRow& job) {
  bool newest = false;
  disk->read([&](port::Reader& reader) {
    if (job.kind == port::JobKind::change_role || job.kind == port::JobKind::bind) return;
    const auto subject = reader.subject(app.scope, job.subject);
    newest = subject && *subject && (*subject)->job == job.id;
  });
  return newest;
}

}  // namespace deprov::test::sim
