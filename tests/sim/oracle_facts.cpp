// What is worked out anew from the facts, and compared with what is.
#include <algorithm>
#include <cstring>
#include <deprov/port/activity_chain.hpp>
#include <deprov/scim/fold.hpp>
#include <set>
#include <string>
#include <vector>
#include "sim/oracle.hpp"
#include "sim/world.hpp"

namespace deprov::test::sim {

using port::JobState;

namespace {

constexpr Duration patience = std::chrono::minutes(10);

/// Where a person can see that it is not done, and why.
bool tells(JobState s, bool for_good) {
  switch (s) {
    case JobState::held:
    case JobState::awaiting_approval:
    case JobState::succeeded_unverified:
    case JobState::cancelled:
    case JobState::attested:
    case JobState::observed: return true;
    case JobState::failed:
    case JobState::dead: return !for_good;
    default: return false;
  }
}

}  // namespace

bool Oracle::pushed_access(std::size_t app, port::Reader& reader, ResourceId subject) {
  const auto& scope = world_.apps[app].scope;
  const auto row = reader.resource(scope, subject);
  if (!row || !*row || (*row)->deleted || !(*row)->active) return false;
  const auto entitling = world_.apps[app].plan.entitling;
  if (entitling == 0) return true;
  std::set<ResourceId> seen;
  std::vector<ResourceId> todo{subject};
  while (!todo.empty()) {
    const auto at = todo.back();
    todo.pop_back();
    const auto groups = reader.groups_of(scope, at);
    if (!groups) continue;
    for (const auto& g : *groups) {
      if (!seen.insert(g).second) continue;
      const auto group = reader.resource(scope, g);
      if (!group || !*group || (*group)->deleted) continue;
      for (std::uint32_t i = 0; i < entitling; ++i)
        if ((*group)->display_name_key == "g" + std::to_string(i)) return true;
      todo.push_back(g);
    }
  }
  return false;
}

Presence* Oracle::presence(std::size_t app, port::Reader& reader, ResourceId subject) {
  auto& state = world_.apps[app];
  if (!state.directory) return nullptr;
  const auto row = reader.resource(state.scope, subject);
  if (!row || !*row) return nullptr;
  const auto it = state.presence.find((*row)->external_id);
  return it == state.presence.end() ? nullptr : &it->second;
}

Oracle::Access Oracle::access(std::size_t app, port::Reader& reader, ResourceId subject) {
  if (!pushed_access(app, reader, subject)) return Access::no;
  const auto* there = presence(app, reader, subject);
  if (there == nullptr || there->in) return Access::yes;
  const auto& all = world_.apps[app].presence;
  // A list of nobody is taken for broken (R6), so that whoever was the last to leave is not seen to.
  const bool anybody = std::any_of(all.begin(), all.end(), [](const auto& p) { return p.second.in; });
  return there->listed && anybody ? Access::no : Access::unsure;
}

/// Who has been in the directory for so long without any trouble is in its lists, and whatever they once said of
/// them was taken back.
void Oracle::note_presence(std::size_t app) {
  constexpr Duration surely = std::chrono::minutes(45);
  const auto now = world_.clock.mono();
  for (auto& [id, there] : world_.apps[app].presence) {
    if (!there.in || now - std::max(there.since, world_.troubled_until) < surely) continue;
    there.listed = true;
    there.ever_out = false;
  }
}

namespace {
/// A directory without anybody is read as a broken one (R6).
bool anybody_in(const World::App& app) {
  return std::any_of(app.presence.begin(), app.presence.end(), [](const auto& p) { return p.second.in; });
}
}  // namespace

// R16: when nothing is wrong any more, the source is read, and does not fail.
void Oracle::check_source(std::size_t app, port::Reader& reader) {
  const auto& state = world_.apps[app];
  if (violation_ || !state.directory || pending(app, reader)) return;
  const auto row = reader.source(state.scope, state.source);
  if (!anybody_in(state) || !row || !*row || !(*row)->work.is_nil()) return;
  if ((*row)->failing_since.micros != 0)
    return violated("R16", "the source of app " + std::to_string(app) + " still fails: " + (*row)->failure);
  if (world_.clock.wall() - (*row)->succeeded > std::chrono::minutes(15))
    violated("R16", "the source of app " + std::to_string(app) + " was last read at " +
                        to_rfc3339((*row)->succeeded) + " and is due at " + to_rfc3339((*row)->due));
}

std::optional<std::uint32_t> Oracle::wanted_role(std::size_t app, port::Reader& reader, ResourceId subject) {
  const auto& scope = world_.apps[app].scope;
  std::optional<std::uint32_t> best;
  std::set<ResourceId> seen;
  std::vector<ResourceId> todo{subject};
  while (!todo.empty()) {
    const auto groups = reader.groups_of(scope, todo.back());
    todo.pop_back();
    if (!groups) continue;
    for (const auto& g : *groups) {
      if (!seen.insert(g).second) continue;
      const auto group = reader.resource(scope, g);
      if (!group || !*group || (*group)->deleted) continue;
      for (std::uint32_t i = 0; i < world_.apps[app].plan.groups; ++i)
        if ((*group)->display_name_key == "g" + std::to_string(i)) best = std::max(best.value_or(i), i);
      todo.push_back(g);
    }
  }
  return best;
}

void Oracle::give_roles(port::Reader& reader) {
  for (auto& app : world_.apps)
    for (auto& [id, account] : app.app->accounts())
      if (app.plan.roles) account.shown.groups = {"staff"};
  for (const auto& [app, id] : subjects_) {
    const auto& plan = world_.apps[app].plan;
    auto* account = plan.roles ? account_of(app, reader, id) : nullptr;
    if (account == nullptr) continue;
    const auto wanted = wanted_role(app, reader, id);
    for (std::uint32_t i = 0; wanted && i <= *wanted; ++i)
      account->shown.groups.push_back("role-" + std::to_string(i));
    if (wanted) first_roles_[{app, account->shown.id}] = *wanted;
  }
}

// R1: the highest of the roles that the remaining groups give is the one in the app. Deprov raises nobody: where
// the account did not have it at the beginning, there is only none above it.
void Oracle::check_roles(std::size_t app, port::Reader& reader) {
  const auto& state = world_.apps[app];
  if (violation_ || !state.plan.roles || state.plan.observe || pending(app, reader)) return;
  for (const auto& [of, id] : subjects_) {
    if (of != app || state.unbound.contains(id) || state.offboarded.contains(id)) continue;
    const auto subject = reader.subject(state.scope, id);
    const auto binding = reader.binding(state.scope, id);
    if (!subject || !*subject || !binding || !*binding || access(app, reader, id) != Access::yes) continue;
    const auto* account = account_of(app, reader, id);
    if (account == nullptr || account->gone || (*binding)->last_set == port::AccountState::removed) continue;
    if (!excuse(app, reader, **subject).empty()) continue;
    // Where a person can see that it is not done, and why.
    port::JobFilter filter;
    filter.subject = id;
    const auto jobs = reader.jobs(state.scope, filter, std::nullopt, 1000);
    bool told = false;
    for (const auto& job : jobs ? jobs->rows : std::vector<port::JobRow>{}) {
      if (job.state == JobState::held) told = true;
      if (job.kind != port::JobKind::change_role) continue;
      told = told || tells(job.state, false);
      break;  // the newest comes first
    }
    if (told) continue;
    ++counts_.roles;
    const auto wanted = wanted_role(app, reader, id);
    const auto& groups = account->shown.groups;
    const auto has = [&](std::uint32_t i) {
      return std::find(groups.begin(), groups.end(), "role-" + std::to_string(i)) != groups.end();
    };
    const auto said = wanted ? "role-" + std::to_string(*wanted) : std::string("none");
    for (std::uint32_t i = wanted ? *wanted + 1 : 0; i < state.plan.groups; ++i)
      if (has(i))
        return violated("roles", name(app, id) + " has role-" + std::to_string(i) + " in account " +
                                     account->shown.id + ", and the groups give " + said);
    const auto first = first_roles_.find({app, account->shown.id});
    if (wanted && first != first_roles_.end() && *wanted <= first->second && !has(*wanted))
      return violated("roles", name(app, id) + " has not " + said + " in account " + account->shown.id +
                                   ", which the groups give and the account had");
  }
}

bool Oracle::pending(std::size_t app, port::Reader& reader) {
  const auto works = reader.works(world_.apps[app].scope, 1);
  return works && !works->empty();
}

std::string Oracle::excuse(std::size_t app, port::Reader& reader, const port::SubjectRow& subject) {
  const auto& scope = world_.apps[app].scope;
  if (const auto due = reader.due(scope, subject.id, "retained"); due && *due) return "retained";
  if (const auto item = reader.hold_item_of(scope, subject.id);
      item && *item && (*item)->state == port::HoldItemState::held && (*item)->generation == subject.generation)
    return "held by the guard";
  if (const auto row = reader.integration(scope); row && *row && (*row)->state != port::IntegrationState::active)
    return "paused";
  return {};
}

SimAccount* Oracle::account_of(std::size_t app, port::Reader& reader, ResourceId subject) {
  auto& accounts = world_.apps[app].app->accounts();
  const auto& scope = world_.apps[app].scope;
  if (const auto binding = reader.binding(scope, subject); binding && *binding) {
    const auto it = accounts.find((*binding)->account_id);
    if ((*binding)->state == port::BindingState::bound) return it == accounts.end() ? nullptr : &it->second;
    if ((*binding)->state == port::BindingState::removed) return nullptr;
  }
  const auto row = reader.resource(scope, subject);
  if (!row || !*row || (*row)->external_id.empty()) return nullptr;
  SimAccount* found = nullptr;
  for (auto& [id, a] : accounts) {
    if (a.gone || a.shown.external_id != (*row)->external_id) continue;
    if (found != nullptr) return nullptr;  // more than one: for a person to say
    found = &a;
  }
  if (found == nullptr) return nullptr;
  const auto taken = reader.binding_by_account(scope, found->shown.id);
  return taken && *taken ? nullptr : found;
}

void Oracle::check_access(std::size_t app, port::Reader& reader, bool at_once, bool for_good) {
  const auto& state = world_.apps[app];
  const auto now = world_.clock.mono();
  const bool busy = pending(app, reader);
  for (const auto& [of, id] : subjects_) {
    if (of != app) continue;
    const auto row = reader.subject(state.scope, id);
    if (!row || !*row) continue;
    ++counts_.subjects;
    const auto& subject = **row;
    const auto* account = account_of(app, reader, id);
    std::optional<port::JobRow> job;
    if (!subject.job.is_nil())
      if (auto found = reader.job(state.scope, subject.job); found && *found) job = std::move(**found);
    const auto has = access(app, reader, id);
    if (has == Access::unsure) {
      without_since_.erase(id);
      continue;
    }
    if (has == Access::yes) {
      without_since_.erase(id);
      ever_with_access_[app].insert(id);
      if (!at_once || account == nullptr || account->gone || account->active || busy) continue;
      if (!account->ours_disabled || account->flipped != By::deprov) continue;
      if (state.unbound.contains(id) || state.offboarded.contains(id)) continue;
      // What cannot be undone is not: access without account.
      if (const auto binding = reader.binding(state.scope, id);
          binding && *binding && (*binding)->last_set == port::AccountState::removed)
        continue;
      if (job && tells(job->state, for_good)) continue;
      violated("R4", name(app, id) + " has access, and account " + account->shown.id +
                         " is still as deprov disabled it" +
                         (job ? "; its job is " + std::string(port::to_string(job->state)) + ": " + job->reason
                              : std::string("; it has no job")));
      return;
    }
    const auto since = without_since_.emplace(id, now).first->second;
    if (!ever_with_access_[app].contains(id)) continue;  // nothing ended: for a reconciliation to find
    if (account == nullptr || account->gone || !account->active || busy) continue;
    if (account->flipped == By::hand) continue;  // for a reconciliation to find
    if (!excuse(app, reader, subject).empty()) continue;
    if (job && job->kind == port::JobKind::remove_access && tells(job->state, for_good)) continue;
    const auto limit = patience + std::chrono::milliseconds(state.plan.settle_ms) +
                       (state.directory ? Duration(std::chrono::minutes(45)) : Duration{0});
    if (!at_once && now - std::max(since, world_.troubled_until) < limit) continue;
    violated("R1", name(app, id) + " has no access, account " + account->shown.id +
                       " is active, and nothing says why" +
                       (job ? "; its job is " + std::string(port::to_string(job->state)) + ": " + job->reason
                            : std::string("; it has no job")));
    return;
  }
}

// An account that is active and should not be is found: left over, re-enabled by hand, or nobody's.
void Oracle::reconciled(std::size_t app, WorkId run) {
  if (violation_) return;
  world_.disk->read([&](port::Reader& reader) {
    const auto& state = world_.apps[app];
    const auto page = reader.findings(state.scope, run, 0, 10'000);
    std::set<std::string> found;
    for (const auto& f : page ? page->rows : std::vector<port::FindingRow>{}) found.insert(f.account_id);
    if (pending(app, reader)) return;
    for (const auto& [id, account] : state.app->accounts()) {
      if (account.gone || !account.active || found.contains(id)) continue;
      const auto binding = reader.binding_by_account(state.scope, id);
      if (!binding || !*binding) {
        if (id.starts_with("zz") && account.shown.user_name.find("stranger") != std::string::npos)
          return violated("reconcile", "account " + id + " of app " + std::to_string(app) +
                                           " is nobody's, and a reconciliation does not find it");
        continue;
      }
      const auto who = (*binding)->subject;
      if (access(app, reader, who) != Access::no) continue;
      const auto subject = reader.subject(state.scope, who);
      if (!subject || !*subject || !excuse(app, reader, **subject).empty()) continue;
      const auto job = reader.job(state.scope, (*subject)->job);
      if (job && *job && !port::is_finished((*job)->state)) continue;  // in hand already
      return violated("reconcile", "account " + id + " of app " + std::to_string(app) + " is active, " +
                                       name(app, who) + " has no access, and a reconciliation does not find it");
    }
  });
}

void Oracle::check_queues(std::size_t app, port::Reader& reader) {
  const auto& state = world_.apps[app];
  const auto& scope = state.scope;
  const auto now = world_.clock.wall();
  const auto somewhat_earlier = now - std::chrono::minutes(2);
  port::JobFilter filter;
  filter.finished = false;
  const auto page = reader.jobs(scope, filter, std::nullopt, 1000);
  for (const auto& job : page ? page->rows : std::vector<port::JobRow>{}) {
    const bool nobody_there = job.reason.find("sees no account at all") != std::string::npos;
    const bool waits = job.state == JobState::held ||
                       ((job.state == JobState::in_grace || job.state == JobState::awaiting_approval) &&
                        job.due > somewhat_earlier);
    // What was inferred from a directory waits while that is empty, for good if nobody comes back.
    const bool frozen = state.directory && !anybody_in(state) &&
                        job.reason.find("a source that shows nobody") != std::string::npos;
    if (waits || nobody_there || frozen) continue;
    return violated("rest", "job " + job.id.str() + " of " + name(app, job.subject) + " is left " +
                                std::string(port::to_string(job.state)) + " since " + to_rfc3339(job.due) + ": " +
                                job.reason);
  }
  if (const auto dues = reader.dues(scope, somewhat_earlier, 10); dues && !dues->empty())
    return violated("rest", "an evaluation of " + name(app, dues->front().subject) + " is due since " +
                                to_rfc3339(dues->front().at));
  if (pending(app, reader)) violated("rest", "work on a group is left");
}

// What an IdP was told is done, is done.
void Oracle::check_told(std::size_t app, port::Reader& reader) {
  const auto& state = world_.apps[app];
  if (state.idp->unanswered() != 0) return violated("answers", "a request of an IdP was never answered");
  const auto& users = state.idp->users();
  std::vector<ResourceId> ids;
  for (std::size_t u = 0; u < users.size(); ++u) {
    ids.push_back(ResourceId::parse(users[u].id).value_or(ResourceId{}));
    if (ids.back().is_nil()) continue;
    const auto row = reader.resource(state.scope, ids.back());
    if (!row || !*row || (*row)->deleted)
      return violated("told", "user " + std::to_string(u) + " was stored, and is not there");
    if (!users[u].unsure && (*row)->active != users[u].active)
      return violated("told", "user " + std::to_string(u) + " was stored as " +
                                  (users[u].active ? "active" : "inactive") + ", and is not");
    if ((*row)->user_name_key != scim::fold(users[u].login))
      return violated("told", "user " + std::to_string(u) + " was renamed to " + users[u].login + ", and is " +
                                  (*row)->user_name_key);
  }
  const auto& groups = state.idp->groups();
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const auto id = ResourceId::parse(groups[g].id);
    if (!id) continue;
    const auto row = reader.resource(state.scope, *id);
    if (!row || !*row || (*row)->deleted)
      return violated("told", "group " + std::to_string(g) + " was stored, and is not there");
    if ((*row)->display_name_key != groups[g].name)
      return violated("told", "group " + std::to_string(g) + " is called " + (*row)->display_name_key);
    for (std::uint32_t u = 0; u < users.size(); ++u) {
      if (ids[u].is_nil() || users[u].erased) continue;
      const auto is = reader.is_member(state.scope, *id, ids[u]);
      if (is && *is != groups[g].members.contains(u))
        return violated("told", "user " + std::to_string(u) + " is " + (*is ? "a" : "no") + " member of group " +
                                    std::to_string(g) + ", and the IdP was told otherwise");
    }
  }
}

std::string Oracle::tell(const port::ActivityRow& row) {
  const auto app = app_of(row.scope);
  std::string line = to_rfc3339(row.at) + "  " + row.event + "  " + row.actor;
  if (!row.subject.is_nil()) line += "  " + (app ? name(*app, row.subject) : row.subject.str());
  if (!row.job.is_nil()) line += "  job " + row.job.str().substr(24);
  return line + "  " + row.detail.value_or("");
}

void Oracle::check_chain(const port::Scope& scope, port::Reader& reader) {
  port::ChainVerifier verifier(*world_.crypto, scope);
  std::uint64_t after = 0;
  const bool edited = world_.disk->fault == StoreFault::record_edited;
  for (bool more = true; more;) {
    const auto page = reader.activity(scope, after, 500);
    if (!page) return violated("R20", page.error().message());
    more = page->more;
    for (auto row : page->rows) {
      after = row.seq;
      ++counts_.records;
      if (edited && row.seq == 3 && row.detail) *row.detail += " ";
      if (const auto ok = verifier.feed(row); !ok) return violated("R20", ok.error().message());
    }
  }
  std::uint64_t word = 0;
  std::memcpy(&word, verifier.head().hash.data(), sizeof word);
  digest_ = digest_ * 31 + word;
}

}  // namespace deprov::test::sim
