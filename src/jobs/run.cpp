// One job: from the queue to the verified result.
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <utility>
#include "jobs/activity_detail.hpp"
#include "jobs/history.hpp"
#include "jobs/lane.hpp"

namespace deprov::jobs {

namespace json = boost::json;
using connector::Effect;
using connector::Operation;
using connector::Outcome;
using policy::StepKind;
using policy::StepState;
using port::JobKind;
using port::JobState;

namespace {

/// What an account is looked up by (R12), as the IdP wrote it.
connector::Match match_of(const port::ResourceRow& row) {
  connector::Match match;
  match.external_id = row.external_id;
  boost::system::error_code ec;
  const auto document = json::parse(row.document, ec);
  if (ec || !document.is_object()) return match;
  const auto& o = document.get_object();
  if (const auto* name = o.if_contains("userName"); name != nullptr && name->is_string())
    match.user_name = name->get_string();
  if (const auto* emails = o.if_contains("emails"); emails != nullptr && emails->is_array()) {
    for (const auto& e : emails->get_array()) {
      const auto* entry = e.if_object();
      const auto* value = entry != nullptr ? entry->if_contains("value") : nullptr;
      if (value != nullptr && value->is_string()) match.emails.emplace_back(value->get_string());
    }
  }
  return match;
}

bool wants_binding(JobKind kind) { return kind != JobKind::restore_access; }

}  // namespace

std::string_view event_prefix(JobKind kind) {
  switch (kind) {
    case JobKind::bind: return "account.lookup";
    case JobKind::remove_access: return "removal";
    case JobKind::restore_access: return "restore";
    case JobKind::change_role: return "role";
    case JobKind::revoke_sessions: return "sessions";
  }
  return "job";
}

port::op::AppendActivity Lane::activity(const Run& run, std::string event, const json::object& detail) {
  port::op::AppendActivity a;
  a.scope = scope_;
  a.at = ports_.clock.wall();
  a.event = std::move(event);
  a.actor = "engine";
  a.subject = run.row.subject;
  a.job = run.row.id;
  a.detail = activity_detail(detail);
  ports_.random.fill(a.salt);
  return a;
}

void Lane::begin(const RunPtr& run) {
  if (stopping_) return drop(run);
  struct Seen {
    std::optional<port::JobRow> job;
    std::optional<port::SubjectRow> subject;
    std::optional<port::BindingRow> binding;
    bool access = false;
    bool in_doubt = false;
    GuardView guard;
    bool joins = false;
    std::string under_way;
    std::optional<policy::Retention> retention;
    std::optional<WallTime> undecided;
    std::optional<std::string> frozen;
    bool restored = false;
    std::vector<std::string> roles_under_way;
    bool newer_role = false;
    connector::Match match;
    Run::Roles roles;
    std::optional<LaneHost::Standing> standing;
  };
  auto seen = std::make_shared<Seen>();
  auto self = shared_from_this();
  ++outstanding_;
  ports_.store.view(
      [self, run, seen](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(job, reader.job(self->scope_, run->row.id));
        DEPROV_TRY(subject, reader.subject(self->scope_, run->row.subject));
        DEPROV_TRY(binding, reader.binding(self->scope_, run->row.subject));
        if (self->options_.lease.count() != 0) {
          DEPROV_TRY(standing, self->host_.standing(reader, self->scope_));
          seen->standing = standing;
        }
        if (run->row.kind != JobKind::bind && run->row.kind != JobKind::revoke_sessions) {
          DEPROV_TRY(access, self->host_.has_access(reader, self->scope_, run->row.subject));
          seen->access = access;
          if (subject && subject->access != access) {
            DEPROV_TRY(until, undecided_until(reader, self->scope_, run->row.subject, self->ports_.clock.wall()));
            seen->undecided = until;
          }
        }
        if (run->row.kind == JobKind::revoke_sessions) {
          DEPROV_TRY(retention, self->host_.retained(reader, self->scope_, run->row.subject));
          seen->retention = std::move(retention);
        }
        if (run->row.kind == JobKind::remove_access || lowers_role(run->row)) {
          DEPROV_TRY(retention, self->host_.retained(reader, self->scope_, run->row.subject));
          seen->retention = std::move(retention);
          DEPROV_TRY(frozen, self->host_.frozen(reader, self->scope_, run->row.subject));
          seen->frozen = std::move(frozen);
          if (job) {
            DEPROV_TRY(joins, self->must_join(reader, *job, seen->guard));
            seen->joins = joins;
          }
        }
        if (run->row.kind == JobKind::remove_access && subject && subject->generation != run->row.generation) {
          DEPROV_TRY(restored, restored_since(reader, self->scope_, run->row.subject, run->row.id));
          seen->restored = restored;
        }
        if (run->row.kind == JobKind::restore_access) {
          DEPROV_TRY(in_doubt, disable_in_doubt(reader, self->scope_, run->row.subject));
          seen->in_doubt = in_doubt;
        }
        const bool restores = run->row.kind == JobKind::restore_access;
        if ((restores || run->row.kind == JobKind::remove_access) &&
            self->connector_->describe().of(Operation::poll).supported) {
          DEPROV_TRY(handle, handle_under_way(reader, self->scope_, run->row.subject,
                                              restores ? Operation::disable : Operation::enable));
          seen->under_way = std::move(handle);
        }
        if (run->row.kind == JobKind::change_role) {
          DEPROV_TRY(wanted_role, self->host_.wanted_role(reader, self->scope_, run->row.subject));
          DEPROV_TRY(before, entitlements_of(reader, self->scope_, run->row.subject));
          DEPROV_TRY(handles, roles_under_way(reader, self->scope_, run->row.subject, run->row.id));
          seen->roles_under_way = std::move(handles);
          DEPROV_TRY(newer, newer_role(reader, self->scope_, run->row));
          seen->newer_role = newer;
          seen->roles = {std::move(wanted_role), std::move(before.taken), std::move(before.given)};
        }
        const bool bound = binding && binding->state == port::BindingState::bound;
        if (!bound && wants_binding(run->row.kind)) {
          DEPROV_TRY(resource, reader.resource(self->scope_, run->row.subject));
          if (resource) seen->match = match_of(*resource);
        }
        seen->job = std::move(job);
        seen->subject = std::move(subject);
        seen->binding = std::move(binding);
        return {};
      },
      [self, run, seen](Result<void> read) {
        self->ports_.executor.post([self, run, seen, read] {
          --self->outstanding_;
          if (self->stopping_ || !self->owned_) {
            self->drop(run);
            return;
          }
          // It may look running in the store, where nobody would find it again: so it is not dropped.
          if (!read) return self->after(std::chrono::seconds(1), [self, run] { self->begin(run); });
          if (!seen->job || port::is_finished(seen->job->state) || seen->job->state == JobState::held ||
              (seen->job->state == JobState::awaiting_approval && seen->job->due > self->ports_.clock.wall())) {
            self->drop(run);
            return;
          }
          run->row = std::move(*seen->job);
          run->standing = seen->standing;
          auto plan = policy::parse_plan(run->row.plan);
          if (!plan) return self->hold(run, plan.error().message());
          run->plan = std::move(*plan);
          if (run->standing && !run->standing->go) {
            self->set_paused(true);
            self->put_back(run, "the lane stands still");
            return self->host_.changed_elsewhere(self->scope_);
          }
          run->match = std::move(seen->match);
          run->roles = std::move(seen->roles);
          run->binding = seen->binding.value_or(port::BindingRow{});
          run->binding.scope = self->scope_;
          run->binding.subject = run->row.subject;
          run->binding_changed = false;
          run->at = 0;
          run->again = false;
          run->why.clear();
          run->holds.clear();
          run->not_before.reset();
          run->costs_attempt = false;
          run->started = run->plan.acted();
          run->guard = seen->guard;
          run->account_checked = false;
          run->under_way = std::move(seen->under_way);
          run->restored = seen->restored;
          run->roles_under_way = std::move(seen->roles_under_way);
          run->subject.reset();
          if (run->row.kind == JobKind::change_role || run->plan.uncounted) run->subject = seen->subject;
          // Sessions that ended at the IdP end here, too, whatever became of access since.
          if (run->row.kind != JobKind::bind && run->row.kind != JobKind::revoke_sessions) {
            // R5: the state decides, not the job.
            if (!seen->subject || seen->subject->generation != run->row.generation)
              return self->finish(run, JobState::superseded, "a newer intent took its place");
            const bool role = run->row.kind == JobKind::change_role;
            if (!role) {
              run->row.via_group = seen->subject->via_group;
              run->row.via_inferred = seen->subject->via_inferred;
            }
            const bool wanted = run->row.kind != JobKind::remove_access;
            const bool restore = run->row.kind == JobKind::restore_access;
            // What settles, or is still being worked off, may leave it as it was: then this job is the one that
            // acts.
            if (seen->access != wanted && run->row.cause != idp::Cause::manual && seen->undecided && !role)
              return self->wait_until(run, *seen->undecided, "it is not decided yet whether that stays so");
            if (seen->access != wanted && run->row.cause != idp::Cause::manual)
              return self->finish(run, JobState::superseded,
                                  wanted ? "the subject has no access any more" : "the subject has access again");
            if (role && run->plan.acted()) {
              const auto& now_wanted = run->roles.wanted;
              if (run->plan.role != (now_wanted ? now_wanted->entitlement : std::string{}))
                return self->finish(run, JobState::superseded, "the role was worked out otherwise by now");
            } else if (role &&
                       seen->newer_role) {  // it may have to settle first (R14), and stands for both in a hold
              return self->finish(run, JobState::superseded, "a newer job works the role out");
            } else if (role) {
              run->plan = policy::plan_role_change();
            }
            if (restore && run->binding.last_set == port::AccountState::removed) {
              const std::string why = "the account was removed: access without account";
              return self->save(run, "access.without_account", {{"reason", why}},
                                [self, run, why] { self->finish(run, JobState::failed, why); });
            }
            // An enable that turned out not to have worked is tried again, whatever was last recorded.
            const bool tried = std::any_of(run->plan.steps.begin(), run->plan.steps.end(), [](const auto& s) {
              return s.kind == StepKind::call && s.attempts != 0;
            });
            if (restore && !tried && !run->plan.acted()) {
              if (!seen->in_doubt && run->binding.last_set != port::AccountState::disabled)
                return self->finish(run, JobState::superseded, "nothing had been taken away");
              // As if the enable had been sent: the account is read, and enabled only where it is not (R18). An
              // app that carries out requests later may do the disable after it was read: there the enable follows
              // it.
              const bool later =
                  self->connector_->describe().of(Operation::disable).asynchrony != connector::Asynchrony::no;
              for (auto& s : run->plan.steps)
                if (seen->in_doubt && !later && s.operation == Operation::enable && s.state == StepState::pending)
                  s.state = StepState::sent;
            }
          }
          if (seen->retention) return self->retain(run, *seen->retention);
          if (seen->frozen && run->row.cause != idp::Cause::manual)
            return self->wait_until(run, self->ports_.clock.wall() + std::chrono::minutes(5), *seen->frozen);
          if (seen->joins) return self->join_hold(run, {});
          if (run->row.state == JobState::awaiting_approval)
            return self->finish(run, JobState::failed, "nobody approved it by " + to_rfc3339(run->row.due));
          // Unbound since it was found: nobody may be addressed by what was known then.
          if (run->binding.state != port::BindingState::bound &&
              run->binding.state != port::BindingState::removed) {
            for (auto& s : run->plan.steps)
              if (s.kind == StepKind::find && (s.state == StepState::done || s.state == StepState::already))
                s.state = StepState::pending;
          }
          // Not a job that nobody could try while its integration was paused or stopped: it gets its attempt.
          if (self->ports_.clock.wall() > run->row.deadline && run->row.due > run->row.deadline)
            return self->finish(run, JobState::dead,
                                "not done by its deadline" +
                                    (run->row.reason.empty() ? std::string{} : "; last: " + run->row.reason));
          self->advance(run);
        });
      });
}

// What the store refuses once would be found due again at once, and refused again, without any time in between.
void Lane::begin_later(const RunPtr& run, const Error& error) {
  if (error.code() == Errc::fenced || stopping_) return drop(run);
  after(std::chrono::seconds(1), [self = shared_from_this(), run] { self->begin(run); });
}

void Lane::next_step(const RunPtr& run) {
  ++run->at;
  advance(run);
}

void Lane::advance(const RunPtr& run) {
  auto& steps = run->plan.steps;
  bool failed = false;
  bool observed = false;
  const bool unfinished = run->again || !run->holds.empty();
  for (const auto& s : steps) {
    failed = failed || s.state == StepState::failed;
    observed = observed || s.state == StepState::observed;
  }
  for (; run->at < steps.size(); ++run->at) {
    auto& step = steps[run->at];
    if (step.state != StepState::pending && step.state != StepState::sent && step.state != StepState::accepted)
      continue;
    switch (step.kind) {
      case StepKind::find:
        if (step.operation == Operation::list_entitlements) return step_look_at_roles(run);
        if (run->binding.state == port::BindingState::bound) {
          step.state = StepState::already;
          if (step.ask) return ask(run);
          continue;
        }
        return step_find(run);
      case StepKind::call:
        if (!connector_->describe().of(step.operation).supported) {
          step.state = StepState::skipped;
          step.detail = "the app does not offer it";
          continue;
        }
        if (step.state == StepState::sent) return step_read_back(run);
        if (step.state == StepState::accepted) return step_poll(run);
        if (policy_.observe) {
          step.state = StepState::observed;
          observed = true;
          continue;
        }
        // What cannot be undone is not done on top of what went wrong.
        if (policy::is_irreversible(step.operation) && (unfinished || failed)) {
          run->at = steps.size() - 1;
          continue;
        }
        // What failed is tried again before anybody is asked about the next step.
        if (unfinished && !step.approval.empty() && step.approved_until <= ports_.clock.wall()) continue;
        if (waits(run)) return;
        if (!policy::is_irreversible(step.operation)) return step_call(run);
        return check_account(run, [self = shared_from_this(), run] {
          if (!self->waits_for_its_unit(run)) self->step_final(run);
        });
      case StepKind::verify:
        if (unfinished) continue;
        if (observed) {
          step.state = StepState::skipped;
          continue;
        }
        if (step.operation == Operation::revoke_entitlement) return step_verify_role(run);
        return step.operation == Operation::remove ? step_verify_gone(run) : step_verify(run);
    }
  }
  if (run->again) {
    std::optional<Duration> wait;
    if (run->not_before) wait = std::max(Duration{0}, *run->not_before - ports_.clock.mono());
    const bool refused = !run->holds.empty();  // it is tried again with the rest, less and less often
    return retry_later(run, wait, run->costs_attempt || refused, refused ? run->holds : run->why);
  }
  if (!run->holds.empty()) return hold(run, run->holds);
  for (const auto& s : steps)
    if (s.state == StepState::failed) return finish(run, JobState::failed, s.detail);
  if (observed) return finish_observed(run);
  bool read = run->row.kind == JobKind::bind;
  std::string why = "nothing of what was done can be read back";  // sessions alone, say
  for (const auto& s : steps) {
    if (s.kind != StepKind::verify) continue;
    read = s.state == StepState::done;
    why = s.detail.empty() ? "the app cannot be read" : s.detail;
  }
  finish(run, read ? JobState::succeeded_verified : JobState::succeeded_unverified, read ? "" : why);
}

// ---- find

void Lane::step_find(const RunPtr& run) {
  auto self = shared_from_this();
  when_admitted(run, [self, run](bool go) {
    if (!go) return self->no_slot(run);
    connector::Call call;
    call.operation = Operation::find;
    call.match = run->match;
    self->call(std::move(call), [self, run](connector::Reply reply) {
      auto& step = run->plan.steps[run->at];
      ++step.attempts;
      step.outcome = reply.outcome;
      step.detail = reply.detail;
      if (reply.outcome == Outcome::ok && reply.accounts.size() > 1) reply.outcome = Outcome::ambiguous;
      if (reply.outcome == Outcome::ok && reply.accounts.empty()) reply.outcome = Outcome::not_found;
      switch (reply.outcome) {
        case Outcome::ok: return self->bind_found(run, std::move(reply));
        case Outcome::not_found: step.state = StepState::done; return self->confirm_absence(run);
        case Outcome::ambiguous:
          run->binding.state = port::BindingState::ambiguous;
          run->binding.checked_at = self->ports_.clock.wall();
          run->binding_changed = true;
          return self->hold(run, "more than one account matches; bind the right one by hand");
        default: return self->failed_exchange(run, reply);
      }
    });
  });
}

void Lane::bind_found(const RunPtr& run, connector::Reply reply) {
  auto self = shared_from_this();
  auto account = std::make_shared<connector::Account>(std::move(reply.accounts.front()));
  auto other = std::make_shared<std::optional<ResourceId>>();
  auto row = std::make_shared<port::BindingRow>();
  ++outstanding_;
  // Inside the writer: two subjects must not be bound to one account side by side (R12).
  ports_.store.transact(
      [self, run, account, other, row](port::Reader& reader) -> Result<port::Transaction> {
        other->reset();
        DEPROV_TRY(taken, reader.binding_by_account(self->scope_, account->id));
        DEPROV_TRY(mine, reader.binding(self->scope_, run->row.subject));
        auto txn = self->transaction();
        port::BindingRow binding = mine.value_or(port::BindingRow{});
        binding.scope = self->scope_;
        binding.subject = run->row.subject;
        binding.checked_at = self->ports_.clock.wall();
        json::object detail{{"account", account->id}, {"login", account->user_name}};
        if (taken && taken->subject != run->row.subject) {
          *other = taken->subject;
          binding.state = port::BindingState::ambiguous;
          detail["bound_to"] = taken->subject.str();
          txn.ops.emplace_back(self->activity(*run, "account.contested", detail));
          DEPROV_CHECK(self->suspend(reader, txn, taken->subject, run->row.subject));
        } else {
          if (binding.account_id != account->id) binding.last_set = port::AccountState::untouched;
          binding.state = port::BindingState::bound;
          binding.account_id = account->id;
          binding.account_login = account->user_name;
          binding.was_bound = true;
          if (account->active) detail["active"] = *account->active;
          txn.ops.emplace_back(self->activity(*run, "account.bound", detail));
        }
        *row = binding;
        txn.ops.emplace_back(port::op::PutBinding{std::move(binding)});
        return txn;
      },
      [self, run, other, row](Result<port::Committed> done) {
        self->ports_.executor.post([self, run, other, row, done = std::move(done)] {
          --self->outstanding_;
          if (!done) {
            if (done.error().code() == Errc::fenced) {
              self->drop(run);
              return self->lost(done.error());
            }
            return self->retry_later(run, {}, false, done.error().message());
          }
          self->host_.activity_appended(self->scope_);
          run->binding = *row;
          ++run->binding.version;
          if (*other)
            return self->hold(run, "the account is bound to another subject, " + (*other)->str() +
                                       "; decide which of the two it belongs to");
          run->plan.steps[run->at].state = StepState::done;
          if (run->plan.steps[run->at].ask) return self->ask(run);
          self->next_step(run);
        });
      });
}

// A user that was created and deleted within minutes may be the IdP's own test, under somebody's real e-mail.
void Lane::ask(const RunPtr& run) {
  run->plan.steps[run->at].ask = false;
  hold(run,
       "the subject was deleted minutes after it was created, as in a connection test, and its names fit the "
       "account " +
           run->binding.account_id + "; retry the job to disable that, or cancel it");
}

// R12: what was under way for the first subject would now hit the second one's account.
Result<void> Lane::suspend(port::Reader& reader, port::Transaction& txn, ResourceId subject, ResourceId rival) {
  port::JobFilter filter;
  filter.subject = subject;
  filter.finished = false;
  DEPROV_TRY(jobs, reader.jobs(scope_, filter, std::nullopt, 100));
  for (auto& job : jobs.rows) {
    // One whose request is on its way as well: what comes of that is recorded, and nothing follows.
    if (job.kind == JobKind::bind || job.state == JobState::held) continue;
    job.state = JobState::held;
    job.lease = {};
    job.reason = "its account matches subject " + rival.str() + " too; decide which of the two it belongs to";
    Run about;
    about.row.subject = job.subject;
    about.row.id = job.id;
    txn.ops.emplace_back(activity(about, "job.held", {{"reason", job.reason}}));
    txn.ops.emplace_back(port::op::PutJob{std::move(job), std::nullopt});
  }
  return {};
}

void Lane::finish_absent(const RunPtr& run) {
  run->binding.state = port::BindingState::absent;
  run->binding.checked_at = ports_.clock.wall();
  run->binding_changed = true;
  finish(run, JobState::succeeded_no_account, "no account matches");
}

// R13: "no account" is recorded only when a control read showed that the credential sees accounts at all.
void Lane::confirm_absence(const RunPtr& run) {
  if (sees_accounts_until_ && ports_.clock.mono() < *sees_accounts_until_) return finish_absent(run);
  auto self = shared_from_this();
  when_admitted(run, [self, run](bool go) {
    if (!go) return self->no_slot(run);
    self->call({}, [self, run](connector::Reply reply) {
      // A look-up has nothing to wait for: it stays unknown whether there is an account, and it counts (R7).
      if (reply.outcome == Outcome::ok && reply.accounts.empty() && run->row.kind == JobKind::bind) {
        run->binding.state = port::BindingState::unknown;
        run->binding.checked_at = self->ports_.clock.wall();
        run->binding_changed = true;
        return self->finish(run, JobState::succeeded_no_account,
                            "no account matches, and the credential sees no account at all");
      }
      if (reply.outcome == Outcome::ok && reply.accounts.empty()) {
        run->plan.steps[run->at].state = StepState::pending;
        return self->retry_later(
            run, reply.retry_after, true,
            "no account matches, and the credential sees no account at all; see what it may read");
      }
      if (reply.outcome == Outcome::ok) {
        self->sees_accounts_until_ = self->ports_.clock.mono() + std::chrono::seconds(30);
        return self->finish_absent(run);
      }
      run->plan.steps[run->at].state = StepState::pending;
      self->failed_exchange(run, reply);
    });
  });
}

}  // namespace deprov::jobs
