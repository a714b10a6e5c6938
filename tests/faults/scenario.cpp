#include "faults/scenario.hpp"
#include <algorithm>
#include <boost/json/parse.hpp>
#include <deprov/port/activity_chain.hpp>
#include <deprov/scim/fold.hpp>
#include <set>
#include <utility>
#include "catch.hpp"

namespace deprov::test {

using namespace std::chrono_literals;
using engine::MemberStep;
using port::JobKind;
using port::JobState;

namespace {

const char* const policy = R"({"entitling_groups":[{"display_name":"Everybody"},{"display_name":"Guests"}],
  "settle_ms":1000,"retry":{"base_ms":1000,"ceiling_ms":4000},"breaker":{"open_ms":1000,"open_max_ms":2000},
  "lane":{"start_concurrency":8},"guard":{"small":{"below":100,"percent":50,"least":5}}})";
constexpr std::size_t limit = 6;  // half of 13

const std::vector<std::string> regulars{"u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9"};
const std::vector<std::string> visitors{"u10", "u11"};
const std::set<std::string> leavers{"u1", "u2", "u3", "u4", "u10", "u11"};

std::string operation_of(const port::ActivityRow& row) {
  if (row.event != "step.sent" && row.event.find(".in_progress") == std::string::npos) return {};
  const auto detail = boost::json::parse(row.detail.value_or("{}"));
  const auto* operation = detail.as_object().if_contains("operation");
  return operation != nullptr ? std::string(operation->as_string()) : std::string();
}

}  // namespace

AppView view_of(FakeApp& app) {
  const auto account = [](const std::string& name) { return "a-" + name; };
  return {
      [&app, account](const std::string& name) { app.add(account(name), "ext-" + name, name); },
      [&app, account](const std::string& name) { return app.accounts.at(account(name)).active.value_or(true); },
      [&app, account](const std::string& operation, const std::string& name) {
        return app.count(operation + " " + account(name));
      }};
}

void Scenario::set_up() {
  for (const auto* names : {&regulars, &visitors})
    for (const auto& name : *names) app_.add(name);
  app_.add("late");
  app_.add("last");
  const auto c = w_.integrate("okta", policy);
  scope_ = c->row.scope;
  std::vector<ResourceId> in, guests;
  for (const auto& name : regulars) in.push_back(users_[name] = w_.add_user(c, name));
  for (const auto& name : visitors) guests.push_back(users_[name] = w_.add_user(c, name));
  in.push_back(users_["last"] = w_.add_user(c, "last"));
  everybody_ = w_.add_group(c, "Everybody", in);
  guests_ = w_.add_group(c, "Guests", guests);
  late_ = users_["late"] = w_.random.id<ResourceId>(w_.clock.wall());
  w_.run(30s);
  for (const auto& [name, id] : users_)
    if (name != "late") REQUIRE(w_.binding(c, id).state == port::BindingState::bound);
  add_requests();
}

Result<void> Scenario::done(engine::Engine::EffectBody body) {
  auto r = w_.apply(context(), std::move(body));
  if (!r) return r.error();
  return {};
}

Result<void> Scenario::set_active(const std::string& name, bool active) {
  auto r = w_.set_active(context(), users_.at(name), active);
  if (!r) return r.error();
  return {};
}

Result<void> Scenario::allow() {
  std::optional<port::HoldRow> hold;
  w_.read([&](port::Reader& r) {
    if (const auto open = r.open_hold(scope_)) hold = *open;
  });
  if (!hold) return {};
  constexpr std::string_view digits = "0123456789abcdef";
  engine::HoldDecision what;
  for (const auto b : hold->listing) {
    what.listing.push_back(digits[b >> 4U]);
    what.listing.push_back(digits[b & 15U]);
  }
  std::optional<Result<std::uint64_t>> out;
  w_.engine->decide_hold({w_.workspace, {}, "tester", port::Role::owner}, scope_.integration, hold->id, what,
                         [&](Result<std::uint64_t> r) { out = std::move(r); });
  while (!out && w_.executor->run_one()) {
  }
  if (!out) return Error(Errc::timeout, "no answer");
  if (!*out) return out->error();
  return {};
}

bool Scenario::active_row(port::Reader& reader, const std::string& name) const {
  const auto row = reader.resource(scope_, users_.at(name));
  return row && *row && (*row)->active;
}

void Scenario::add_requests() {
  const auto deactivate = [this](const std::string& name) {
    requests_.push_back({"deactivate " + name, [this, name] { return set_active(name, false); },
                         [this, name](port::Reader& r) { return !active_row(r, name); }});
  };
  requests_.push_back(
      {"provision late",
       [this] {
         port::ResourceRow row;
         row.scope = scope_;
         row.id = late_;
         row.type = "User";
         row.external_id = "ext-late";
         row.user_name_key = "late";
         row.created = row.modified = w_.clock.wall();
         row.document = R"({"userName":"late","externalId":"ext-late"})";
         return done([row](port::Reader& reader, const engine::IntegrationContext&) -> Result<engine::Effect> {
           DEPROV_TRY(there, reader.resource(row.scope, row.id));
           engine::Effect e;
           if (!there) e.after = row;
           return e;
         });
       },
       [this](port::Reader& r) { return active_row(r, "late"); }});
  const auto membership = [this](MemberStep::Kind kind, const std::string& name) {
    return [this, kind, name]() -> Result<void> {
      auto r = w_.members(context(), everybody_, kind, {users_.at(name)});
      if (!r) return r.error();
      return {};
    };
  };
  const auto is_member = [this](const std::string& name, bool wanted) {
    return [this, name, wanted](port::Reader& r) {
      const auto is = r.is_member(scope_, everybody_, users_.at(name));
      return is && *is == wanted;
    };
  };
  requests_.push_back({"late joins", membership(MemberStep::Kind::add, "late"), is_member("late", true)});
  deactivate("u0");
  requests_.push_back({"u1 leaves", membership(MemberStep::Kind::remove, "u1"), is_member("u1", false)});
  requests_.push_back(
      {"the guests' group is deleted",
       [this] {
         return done([this](port::Reader& reader, const engine::IntegrationContext&) -> Result<engine::Effect> {
           DEPROV_TRY(row, reader.resource(scope_, guests_));
           engine::Effect e;
           if (!row || row->deleted) return e;
           e.before = row;
           e.after = row;
           e.after->deleted = true;
           return e;
         });
       },
       [this](port::Reader& r) {
         const auto row = r.resource(scope_, guests_);
         return row && *row && (*row)->deleted;
       }});
  requests_.push_back({"u0 comes back", [this] { return set_active("u0", true); },
                       [this](port::Reader& r) { return active_row(r, "u0"); }});
  for (const auto* name : {"u2", "u3", "u4"}) deactivate(name);
  requests_.push_back({"a person allows the rest", [this] { return allow(); },
                       [this](port::Reader& r) {
                         const auto hold = r.open_hold(scope_);
                         return hold && !*hold;
                       }});
}

std::size_t Scenario::disabled() const {
  std::size_t n = 0;
  for (const auto& [name, id] : users_) n += app_.active(name) ? 0 : 1;
  return n;
}

void Scenario::run(const Hooks& hooks) {
  hooks.arm();
  for (auto& request : requests_) {
    INFO(request.name);
    bool acknowledged = false;
    std::string why;
    if (&request == &requests_.back()) {
      // Whatever was repeated, late or lost: the guard let no more pass than it may.
      CHECK(disabled() <= limit);
    }
    for (int tries = 0; tries < 40 && !acknowledged; ++tries) {
      const auto answer = request.send();
      acknowledged = answer.has_value();
      if (acknowledged) break;
      why = answer.error().message();
      w_.run(2s);
      if (tries < 2) continue;
      hooks.heal();
      w_.run(hooks.recovery);  // what had been acknowledged comes first
    }
    INFO(why);
    REQUIRE(acknowledged);
    ++acknowledged_;
    w_.run(5s);
    if (hooks.between) hooks.between();
    verify_acknowledged();
  }
  hooks.heal();
  w_.run(hooks.recovery + 60s);
}

void Scenario::verify_acknowledged() {
  w_.read([&](port::Reader& r) {
    for (std::size_t i = 0; i < acknowledged_; ++i) {
      if (requests_[i].name == "deactivate u0" && acknowledged_ > 5) continue;  // who came back
      // More can be held the moment after: that is another listing.
      if (i + 1 == requests_.size()) continue;
      INFO(requests_[i].name);
      CHECK(requests_[i].there(r));
    }
  });
}

void Scenario::verify_chains() {
  w_.read([&](port::Reader& r) {
    for (const auto& scope : {scope_, port::Scope{scope_.workspace, {}}}) {
      const auto page = r.activity(scope, 0, 100'000);
      REQUIRE(page);
      const auto head = port::verify_chain(*w_.crypto, scope, {}, page->rows);
      INFO((head ? std::string() : head.error().message()));
      CHECK(head);
    }
  });
}

void Scenario::verify() {
  verify_acknowledged();
  verify_chains();
  const auto c = context();
  std::map<std::pair<ResourceId, std::string>, std::size_t> sent;
  std::map<ResourceId, std::size_t> requested;
  for (const auto& row : w_.activity(c)) {
    if (const auto operation = operation_of(row); !operation.empty()) ++sent[{row.subject, operation}];
    if (row.event == "removal.requested") ++requested[row.subject];
  }
  for (const auto& [name, id] : users_) {
    INFO(name);
    const bool leaves = leavers.contains(name);
    CHECK(app_.active(name) == !leaves);
    CHECK(w_.subject(c, id).access == !leaves);
    CHECK(requested[id] == (leaves || name == "u0" ? 1 : 0));
    if (leaves) CHECK(w_.job(c, id).state == JobState::succeeded_verified);
    if (!app_.effects) continue;
    for (const auto* operation : {"disable", "enable", "revoke_sessions"})
      CHECK(app_.effects(operation, name) <= sent[{id, operation}]);
  }
  w_.read([&](port::Reader& r) {
    port::JobFilter unfinished;
    unfinished.finished = false;
    const auto open = r.jobs(scope_, unfinished, std::nullopt, 100);
    REQUIRE(open);
    for (const auto& job : open->rows) {
      INFO(port::to_string(job.state) << " " << job.reason);
      CHECK(port::is_finished(job.state));
    }
    CHECK(r.works(scope_, 10)->empty());
    CHECK_FALSE(r.next_due(scope_)->has_value());
    CHECK_FALSE(r.open_hold(scope_)->has_value());
    const auto lane = r.lane(scope_);
    REQUIRE(lane);
    CHECK((*lane)->paused.empty());
    // What is counted is what is there.
    std::uint64_t members = 0;
    for (const auto& [name, id] : users_) members += *r.is_member(scope_, everybody_, id) ? 1 : 0;
    CHECK(*r.member_count(scope_, everybody_) == members);
    std::map<JobState, std::uint64_t> counted;
    const auto all = r.jobs(scope_, {}, std::nullopt, 1000);
    for (const auto& job : all->rows) ++counted[job.state];
    const auto counts = r.job_counts(scope_);
    for (const auto& [state, n] : *counts) {
      INFO(port::to_string(state));
      CHECK(counted[state] == n);
    }
  });
}

void Scenario::verify_usable() {
  std::optional<Result<JobId>> job;
  w_.engine->offboard({w_.workspace, {}, "tester", port::Role::owner}, scope_.integration, users_.at("last"),
                      "the last check", [&](Result<JobId> r) { job = std::move(r); });
  w_.run(30s);
  REQUIRE(job);
  REQUIRE(*job);
  CHECK_FALSE(app_.active("last"));
  CHECK(w_.job(context(), users_.at("last")).state == JobState::succeeded_verified);
}

}  // namespace deprov::test
