// What is looked at with a commit.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <deprov/policy/protection.hpp>
#include <limits>
#include <set>
#include <string>
#include "sim/oracle.hpp"
#include "sim/world.hpp"

namespace deprov::test::sim {

using connector::Operation;
using policy::StepKind;
using policy::StepState;
using port::JobKind;
using port::JobState;

namespace {

std::string text_of(const std::string& detail, const char* member) {
  boost::system::error_code ec;
  const auto value = json::parse(detail, ec);
  const auto* o = value.if_object();
  const auto* v = o != nullptr ? o->if_contains(member) : nullptr;
  return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string{};
}

const port::JobRow* job_in(const port::Transaction& txn, JobId id) {
  for (const auto& op : txn.ops) {
    const auto* put = std::get_if<port::op::PutJob>(&op);
    if (put != nullptr && put->row.id == id) return &put->row;
  }
  return nullptr;
}

bool never_had_an_account(port::Reader& reader, const port::Scope& scope, ResourceId subject) {
  const auto binding = reader.binding(scope, subject);
  return binding && *binding && !(*binding)->was_bound && (*binding)->state == port::BindingState::absent;
}

std::uint64_t number(const json::object& o, const char* name, std::uint64_t otherwise) {
  const auto* v = o.if_contains(name);
  return v != nullptr && v->is_number() ? v->to_number<std::uint64_t>() : otherwise;
}

/// How many may lose access in a window at whose beginning `base` had it: R7, worked out anew.
std::uint64_t most_leavers(const AppPlan& plan, std::uint64_t base) {
  const auto& guard = plan.policy.at("guard").as_object();
  const json::object nothing;
  const auto* small_part = guard.if_contains("small");
  const auto& small = small_part != nullptr ? small_part->as_object() : nothing;
  const auto percent = number(guard, "percent", 20);
  // All of them is everybody, also those who are removed without having had access: whose keeping has ended.
  constexpr auto everybody = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t share = percent >= 100 ? everybody : base * percent / 100;
  if (base < number(small, "below", 100))
    share = std::max(number(small, "least", 5), base * number(small, "percent", 50) / 100);
  return std::min(share, number(guard, "absolute", 500));
}

}  // namespace

void Oracle::check_sent(std::size_t app, const port::Transaction& txn, const port::op::AppendActivity& record,
                        port::Reader& reader) {
  const auto suspect = [&](const char* oracle, std::string what) {
    suspected_.push_back({oracle, what + ": " + name(app, record.subject) + ", job " + record.job.str()});
  };
  const auto& plan = world_.apps[app].plan;
  const auto& scope = record.scope;
  const auto operation = text_of(record.detail, "operation");
  const auto* job = job_in(txn, record.job);
  if (job == nullptr) return suspect("sent", "a step is sent without its job");
  const auto parsed = policy::parse_plan(job->plan);
  if (!parsed) return suspect("sent", "a step is sent with a plan that does not parse");
  const auto step = std::find_if(parsed->steps.begin(), parsed->steps.end(), [&](const policy::Step& s) {
    return s.kind == StepKind::call && s.state == StepState::sent && policy::step_name(s) == operation;
  });
  if (step == parsed->steps.end()) return suspect("sent", "the job does not say what is sent");
  if (world_.several()) {  // where there is one it stops in memory first, and a record may still be on its way
    const auto row = reader.integration(scope);
    const auto all = reader.lane({scope.workspace, {}});
    if ((row && *row && (*row)->state != port::IntegrationState::active) ||
        (all && *all && !(*all)->paused.empty()))
      suspect("kill switch", operation + " is sent, and the store says that everything stands still");
  }
  if (plan.observe) suspect("R22", operation + " is sent in observe mode");
  const bool by_hand = job->cause == idp::Cause::manual;
  const bool open_ends = pending(app, reader);
  if (job->kind == JobKind::remove_access && !by_hand && !open_ends && pushed_access(app, reader, job->subject)) {
    const auto* there = presence(app, reader, job->subject);
    if (!world_.apps[app].directory)
      suspect("R5", operation + " is sent, and the subject has access");
    else if (there == nullptr || !there->ever_out)
      suspect("R6", operation + " is sent, and the subject was in the directory all the time");
  }
  const auto settling = reader.due(scope, job->subject, "settle");  // until then the net effect is open (R14)
  if (job->kind == JobKind::restore_access && !open_ends && !(settling && *settling) &&
      !pushed_access(app, reader, job->subject))
    suspect("R5", operation + " is sent, and the subject has no access");
  if (job->kind == JobKind::remove_access) {
    const auto resource = reader.resource(scope, job->subject);
    const auto guarded = "ext-" + std::to_string(plan.guarded_user) + "-0";
    if (resource && *resource && (*resource)->external_id == guarded) {
      if (plan.protects) suspect("R9", operation + " is sent for a protected subject");
      const WallTime start{1'767'225'600'000'000};
      if (plan.exempts && world_.clock.wall() < start + std::chrono::milliseconds(plan.exempt_ms))
        suspect("R9", operation + " is sent for an exempt subject");
    }
    const auto due = reader.due(scope, job->subject, "retained");
    if (!by_hand && due && *due) {
      const auto retention = policy::parse_retention((*due)->payload);
      if (retention && retention->kind == policy::Retention::Kind::kept_by_decision)
        suspect("R7", operation + " is sent, and access was kept by decision");
    }
  }
  const auto stored = reader.job(scope, job->id);
  if (stored && *stored && (job->kind == JobKind::remove_access || job->cause == idp::Cause::role_lowered)) {
    const auto planned = policy::parse_plan((*stored)->plan);
    // A role that is only given back takes nothing away, and waits for nobody.
    const bool gives = step->operation == Operation::grant_entitlement;
    if (planned && plan.guard && !by_hand && !gives) check_guard_fence(app, *job, *planned, reader);
  }
  if (step->operation == Operation::remove) check_final(app, *job, *parsed, *step);
}

void Oracle::check_guard_fence(std::size_t app, const port::JobRow& job, const policy::Plan& planned,
                               port::Reader& reader) {
  const auto item = reader.hold_item_of(job.scope, job.subject);
  const bool known = item && *item && (*item)->generation == job.generation;
  const auto suspect = [&](const char* what) {
    suspected_.push_back({"R7", std::string(what) + ": " + name(app, job.subject) + ", job " + job.id.str()});
  };
  // Of two changes of a role one may have begun before the hold did, and goes on while the other one waits.
  const bool goes_on = job.kind == JobKind::change_role && known && (*item)->job != job.id && planned.acted();
  if (known && (*item)->state == port::HoldItemState::held && !goes_on)
    return suspect("a step is sent for who is held");
  const auto open = reader.open_hold(job.scope);
  if (!open || !*open || planned.acted()) return;
  // What was sent before the hold began is listed as sent, and goes on.
  if (std::any_of(planned.steps.begin(), planned.steps.end(),
                  [](const policy::Step& s) { return s.kind == StepKind::call && s.attempts != 0; }))
    return;
  if (known && (*item)->state == port::HoldItemState::allowed) return;
  if (job.created < (*open)->window_from || never_had_an_account(reader, job.scope, job.subject)) return;
  suspect("a step of the hold's window is sent after it opened");
}

void Oracle::check_final(std::size_t app, const port::JobRow& job, const policy::Plan& plan,
                         const policy::Step& step) {
  const auto suspect = [&](const std::string& what) {
    suspected_.push_back({"R3", what + ": " + name(app, job.subject) + ", job " + job.id.str()});
  };
  const auto& state = world_.apps[app];
  for (const auto& s : plan.steps) {
    if (s.kind == StepKind::call && s.operation == Operation::disable && s.state != StepState::done &&
        s.state != StepState::already)
      suspect("what cannot be undone comes before the disable is done");
  }
  const auto waited = in_grace_.find(job.id);
  if (waited == in_grace_.end()) {
    suspect("what cannot be undone comes without its grace");
  } else {
    const auto since = world_.clock.mono() - waited->second + (world_.jumped - jumped_then_[job.id]);
    // Its record may have come late, where the disk refused it at first.
    const Duration slack =
        state.plan.grace_ms > 0 && world_.disk_was_troubled ? std::chrono::seconds(30) : std::chrono::seconds(1);
    if (since + slack < std::chrono::milliseconds(state.plan.grace_ms))
      suspect("what cannot be undone comes before its grace is over");
  }
  if (state.plan.approves && !state.approved.contains(job.id))
    suspect("what cannot be undone comes without anybody's approval");
  (void)step;
}

void Oracle::after(const port::Transaction& txn, port::Reader& reader) {
  ++counts_.commits;
  if (txn.id == suspect_ && !suspected_.empty()) violated(suspected_.front().oracle, suspected_.front().what);
  suspected_.clear();
  bool by_a_person = false;
  for (const auto& op : txn.ops) {
    const auto* record = std::get_if<port::op::AppendActivity>(&op);
    if (record == nullptr) continue;
    by_a_person = by_a_person || record->actor.starts_with("principal:");
    if (is_sent(*record)) {
      ++counts_.sent;
      const auto entitlement = text_of(record->detail, "entitlement");
      auto& sent = sent_[record->job.str() + " " + text_of(record->detail, "operation") + " " + entitlement];
      ++sent.recorded;
      sent.at = world_.clock.mono();
      const auto binding = reader.binding(record->scope, record->subject);
      sent.account = binding && *binding ? (*binding)->account_id : std::string{};
      world_.sent_is_durable();
    }
    const auto app = app_of(record->scope);
    const auto* job = job_in(txn, record->job);
    if (app && job != nullptr && record->event == "removal.verified") check_verified(*app, *job, reader);
  }
  for (const auto& op : txn.ops) {
    if (const auto* change = std::get_if<port::op::AppendChange>(&op)) {
      const auto app = app_of(change->row.scope);
      const auto resource = app && !change->row.subject.is_nil()
                                ? reader.resource(change->row.scope, change->row.subject)
                                : Result<std::optional<port::ResourceRow>>(std::nullopt);
      if (app && change->row.source == "scim" && resource && *resource)
        world_.pushed(world_.apps[*app], change->row.kind, (*resource)->external_id);
    } else if (const auto* put = std::get_if<port::op::PutSubject>(&op)) {
      const auto app = app_of(put->row.scope);
      if (!app) continue;
      subjects_.insert({*app, put->row.id});
      if (put->row.access) ever_with_access_[*app].insert(put->row.id);
    } else if (const auto* bound = std::get_if<port::op::PutBinding>(&op)) {
      check_binding(bound->row, reader);
    } else if (const auto* put_job = std::get_if<port::op::PutJob>(&op)) {
      const auto& job = put_job->row;
      const auto app = app_of(job.scope);
      if (job.state == JobState::in_grace && in_grace_.emplace(job.id, world_.clock.mono()).second)
        jumped_then_[job.id] = world_.jumped;
      if (!app || job.kind != JobKind::remove_access || !world_.apps[*app].plan.guard) continue;
      if (job.version == 0 && job.state == JobState::ready && !by_a_person && job.cause != idp::Cause::manual) {
        auto& jobs = never_had_an_account(reader, job.scope, job.subject) ? without_account_ : reserved_;
        jobs[job.id] = {job.created, job.subject};
      }
      if (job.state == JobState::held) {
        reserved_.erase(job.id);
        without_account_.erase(job.id);
      }
      if (const auto late = without_account_.find(job.id);
          late != without_account_.end() && job.state == JobState::running) {
        const auto plan = policy::parse_plan(job.plan);
        if (plan && plan->acted()) {  // it has one after all, and counts from here on
          reserved_[job.id] = {world_.clock.wall(), job.subject};
          without_account_.erase(late);
        }
      }
      if (job.state == JobState::running && reserved_.contains(job.id)) count_reservation(*app, job);
    }
  }
}

void Oracle::count_reservation(std::size_t app, const port::JobRow& job) {
  auto& gone = let_go_[app];
  gone.push_back(reserved_[job.id]);
  reserved_.erase(job.id);
  // What was reserved when a request came may be planned a while later; within half a window both are surely in
  // it.
  constexpr Duration surely = std::chrono::minutes(30);
  const auto limit = most_leavers(world_.apps[app].plan, ever_with_access_[app].size());
  for (const auto& first : gone) {
    std::set<ResourceId> who;
    for (const auto& r : gone)
      if (r.at >= first.at && r.at - first.at < surely) who.insert(r.subject);
    if (who.size() > limit)
      return violated("R7", std::to_string(who.size()) + " subjects of app " + std::to_string(app) +
                                " lose access within an hour, and the guard lets " + std::to_string(limit) +
                                " pass");
  }
}

void Oracle::check_verified(std::size_t app, const port::JobRow& job, port::Reader& reader) {
  const auto binding = reader.binding(job.scope, job.subject);
  if (!binding || !*binding) return;
  auto& accounts = world_.apps[app].app->accounts();
  const auto it = accounts.find((*binding)->account_id);
  if (it == accounts.end() || it->second.gone || !it->second.active) return;
  const auto by_hand = it->second.by_hand_at;
  if (by_hand.micros != 0 && world_.clock.mono() - by_hand < std::chrono::minutes(3)) return;
  violated("R19", "the removal of " + name(app, job.subject) + " is called verified, and account " + it->first +
                      " is active");
}

void Oracle::check_binding(const port::BindingRow& row, port::Reader& reader) {
  if (row.state != port::BindingState::bound || row.account_id.empty()) return;
  const auto first = reader.binding_by_account(row.scope, row.account_id);
  if (first && *first && (*first)->subject != row.subject)
    violated("R12", "account " + row.account_id + " is bound to two subjects");
}

}  // namespace deprov::test::sim
