// What a person does to one subject or one job by hand.
#include <algorithm>
#include <deprov/policy/plan.hpp>
#include "engine/decision.hpp"
#include "engine/job_priority.hpp"
#include "engine/management.hpp"

namespace deprov::engine {

namespace {

struct Found {
  port::IntegrationRow integration;
  port::ResourceRow resource;
};

Result<Found> find_subject(port::Reader& reader, const Principal& by, IntegrationId id, ResourceId subject) {
  DEPROV_TRY(row, load_integration(reader, by, id));
  DEPROV_TRY(resource, load_subject(reader, row.scope, subject));
  return Found{std::move(row), std::move(resource)};
}

Result<port::BindingRow> present_binding(port::Reader& reader, const port::Scope& scope, ResourceId subject) {
  DEPROV_TRY(row, reader.binding(scope, subject));
  if (row) return std::move(*row);
  port::BindingRow fresh;
  fresh.scope = scope;
  fresh.subject = subject;
  return fresh;
}

port::Transaction begin(Engine::Impl& impl, const port::IntegrationRow& row) {
  port::Transaction txn;
  txn.id = impl.new_id<TxnId>();
  txn.reads.integrations.push_back({row.scope, row.version});
  return txn;
}

port::JobRow bind_job(Engine::Impl& impl, const port::IntegrationRow& row, const Context& context,
                      ResourceId subject) {
  port::JobRow job;
  job.scope = row.scope;
  job.id = impl.new_id<JobId>();
  job.subject = subject;
  job.kind = port::JobKind::bind;
  job.priority = bind_priority;
  job.created = job.due = job.evidence_at = impl.now();
  job.deadline = job.created + context->policy.deadline;
  job.cause = idp::Cause::provisioned;
  job.plan = policy::to_text(policy::plan_bind());
  return job;
}

void commit_bound(const std::shared_ptr<Engine::Impl>& impl, const Principal& by, IntegrationId id,
                  ResourceId subject, const std::string& account_id, const std::string& login, Done<void> done) {
  impl->decide(
      [impl, by, id, subject, account_id, login](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(found, find_subject(reader, by, id, subject));
        const auto& scope = found.integration.scope;
        DEPROV_TRY(other, reader.binding_by_account(scope, account_id));
        if (other && other->subject != subject) {
          return Error(Errc::conflict, "the account is bound to subject " + other->subject.str(), "account",
                       "unbind that subject first: an account belongs to one subject at most");
        }
        DEPROV_TRY(binding, present_binding(reader, scope, subject));
        json::object detail{{"account", account_id}};
        if (!binding.account_id.empty()) detail["account_before"] = binding.account_id;
        if (binding.account_id != account_id || binding.last_set == port::AccountState::removed)
          binding.last_set = port::AccountState::untouched;
        binding.state = port::BindingState::bound;
        binding.account_id = account_id;
        binding.account_login = login;
        binding.was_bound = true;
        binding.checked_at = impl->now();
        auto txn = begin(*impl, found.integration);
        txn.ops.emplace_back(port::op::PutBinding{std::move(binding)});
        txn.ops.emplace_back(impl->activity(scope, "subject.bound", by.actor(), detail, subject));
        return txn;
      },
      [impl, by, id, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) return done(committed.error());
        announce(impl, {by.workspace, id});
        done({});
      });
}

void look_up_anew(const std::shared_ptr<Engine::Impl>& impl, const Principal& by, IntegrationId id,
                  ResourceId subject, Done<void> done) {
  impl->decide(
      [impl, by, id, subject](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(found, find_subject(reader, by, id, subject));
        DEPROV_TRY(context, make_context(found.integration, impl->options.connectors));
        port::JobFilter filter;
        filter.subject = subject;
        filter.finished = false;
        DEPROV_TRY(jobs, reader.jobs(found.integration.scope, filter, std::nullopt, 100));
        auto txn = begin(*impl, found.integration);
        for (const auto& j : jobs.rows)
          if (j.kind == port::JobKind::bind && j.state != port::JobState::held) return port::Transaction{};
        auto job = bind_job(*impl, found.integration, context, subject);
        txn.ops.emplace_back(
            impl->activity(found.integration.scope, "binding.requested", by.actor(), {}, subject, job.id));
        txn.ops.emplace_back(port::op::PutJob{std::move(job), std::nullopt});
        return txn;
      },
      [impl, by, id, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) return done(committed.error());
        announce(impl, {by.workspace, id});
        done({});
      });
}

Result<policy::Plan> plan_again(const port::JobRow& job, const IntegrationContext& context) {
  if (job.kind == port::JobKind::bind) return policy::plan_bind();
  if (job.kind == port::JobKind::change_role) return policy::plan_role_change();
  if (context.connector == nullptr) {
    return Error(Errc::conflict, "this program knows no connector \"" + context.row.connector + "\"",
                 "integration " + context.row.scope.integration.str(), "use a build or plugin that has it");
  }
  if (job.kind == port::JobKind::restore_access) return policy::plan_restore(*context.connector);
  auto plan = policy::plan_removal(context.policy, job.cause, *context.connector);
  if (const auto before = policy::parse_plan(job.plan)) {
    plan.secured = before->secured;
    plan.uncounted = before->uncounted;
    plan.late_waits = before->late_waits;
  }
  return plan;
}

/// The transaction of `jobs retry`; the new job's id goes to `made`.
Result<port::Transaction> retried(Engine::Impl& impl, port::Reader& reader, const Principal& by, IntegrationId id,
                                  JobId job_id, JobId& made) {
  DEPROV_TRY(integration, load_integration(reader, by, id));
  const auto& scope = integration.scope;
  DEPROV_TRY(old, reader.job(scope, job_id));
  if (!old) return Error(Errc::not_found, "there is no such job in this integration", "job " + job_id.str());
  using port::JobState;
  if (old->state != JobState::failed && old->state != JobState::dead && old->state != JobState::held &&
      old->state != JobState::observed) {
    return Error(Errc::conflict, "the job is " + std::string(port::to_string(old->state)), "job " + job_id.str(),
                 "only what failed, died, is held or was only observed can be retried");
  }
  if (old->state == JobState::held) {
    DEPROV_TRY(item, reader.hold_item_of(scope, old->subject));
    if (item && item->state == port::HoldItemState::held && item->job == old->id) {
      return Error(Errc::conflict, "the job waits in hold " + item->hold.str(), "job " + job_id.str(),
                   "decide the hold: `deprov holds allow` or `reject`");
    }
  }
  DEPROV_TRY(context, make_context(integration, impl.options.connectors));
  DEPROV_TRY(plan, plan_again(*old, *context));
  auto txn = begin(impl, integration);
  port::JobRow job = *old;
  made = job.id = impl.new_id<JobId>();
  if (job.kind != port::JobKind::bind) {
    DEPROV_TRY(subject, reader.subject(scope, job.subject));
    // Neither is the job of an intent.
    const bool role = job.kind == port::JobKind::change_role || job.kind == port::JobKind::revoke_sessions;
    if (!subject || (!role && subject->job != job_id)) {
      return Error(Errc::conflict, "a newer job of this subject took its place", "job " + job_id.str(),
                   "look at the subject's jobs");
    }
    const bool ends = job.kind == port::JobKind::remove_access;
    if (job.kind != port::JobKind::revoke_sessions && ends != (subject->desired == port::Desired::no_access)) {
      return Error(Errc::conflict, "the subject is meant to be otherwise by now", "subject " + job.subject.str(),
                   "its access was decided anew since this job was made");
    }
    txn.reads.subjects.push_back({scope, job.subject, subject->grants_version});
    job.generation = subject->generation;
    if (!role) subject->job = job.id;
    txn.ops.emplace_back(port::op::PutSubject{std::move(*subject)});
  }
  if (!port::is_finished(old->state)) {
    auto closed = *old;
    closed.state = JobState::superseded;
    closed.reason = "retried as job " + made.str();
    closed.finished = impl.now();
    closed.lease = {};
    txn.ops.emplace_back(port::op::PutJob{std::move(closed), std::nullopt});
  }
  job.state = JobState::ready;
  job.priority = job.kind == port::JobKind::bind ? bind_priority : access_priority;
  job.created = job.due = impl.now();
  job.deadline = job.created + context->policy.deadline;
  job.finished = {};
  job.attempts = 0;
  job.lease = {};
  job.lane_epoch = 0;
  job.plan = policy::to_text(plan);
  job.reason.clear();
  job.version = 0;
  txn.ops.emplace_back(impl.activity(
      scope, "job.retried", by.actor(),
      {{"of", job_id.str()}, {"state_before", port::to_string(old->state)}, {"cause", idp::to_string(job.cause)}},
      job.subject, job.id));
  txn.ops.emplace_back(port::op::PutJob{std::move(job), std::nullopt});
  return txn;
}

}  // namespace

void Engine::bind(Principal by, IntegrationId id, ResourceId subject, std::string account_id, Done<void> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<void>(impl, std::move(done), ok.error());
  if (account_id.empty()) return look_up_anew(impl, by, id, subject, std::move(done));
  if (account_id.size() > 1024) {
    return finish<void>(impl, std::move(done),
                        Error(Errc::invalid_argument, "the account's id is longer than 1024 bytes", "account"));
  }
  auto found = std::make_shared<Found>();
  view(
      [by, id, subject, found](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(f, find_subject(reader, by, id, subject));
        *found = std::move(f);
        return {};
      },
      [impl, by, id, subject, account_id, found, done = std::move(done)](Result<void> read) mutable {
        if (!read) return done(read.error());
        auto app = impl->open_connector(found->integration);
        if (!app) return done(app.error());
        if (!(*app)->describe().of(connector::Operation::read).supported)
          return commit_bound(impl, by, id, subject, account_id, {}, std::move(done));
        connector::Call call;
        call.operation = connector::Operation::read;
        call.account_id = account_id;
        call.timeout = std::chrono::seconds(30);
        // A mistyped id would make the next removal act on nobody, so the app is asked first.
        call_app(impl, std::move(*app), std::move(call),
                 [impl, by, id, subject, account_id, done = std::move(done)](connector::Reply reply) mutable {
                   if (reply.outcome == connector::Outcome::not_found) {
                     return done(Error(Errc::not_found, "the app has no account with this id", "account",
                                       "give the app's own immutable id of the account"));
                   }
                   if (reply.outcome != connector::Outcome::ok) {
                     return done(Error(
                         Errc::unavailable,
                         "the app did not show the account: " + std::string(connector::to_string(reply.outcome)) +
                             (reply.detail.empty() ? "" : ", " + reply.detail),
                         "account", "check the connection, and repeat"));
                   }
                   const auto login = reply.accounts.empty() ? std::string{} : reply.accounts.front().user_name;
                   commit_bound(impl, by, id, subject, account_id, login, std::move(done));
                 });
      });
}

void Engine::unbind(Principal by, IntegrationId id, ResourceId subject, Done<void> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<void>(impl, std::move(done), ok.error());
  impl->decide(
      [impl, by, id, subject](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(found, find_subject(reader, by, id, subject));
        const auto& scope = found.integration.scope;
        DEPROV_TRY(binding, reader.binding(scope, subject));
        if (!binding || (binding->account_id.empty() && binding->state == port::BindingState::unknown))
          return port::Transaction{};
        port::JobFilter filter;
        filter.subject = subject;
        filter.finished = false;
        DEPROV_TRY(jobs, reader.jobs(scope, filter, std::nullopt, 100));
        for (const auto& job : jobs.rows) {
          if (job.state == port::JobState::running || job.state == port::JobState::waiting_async) {
            return Error(Errc::conflict, "job " + job.id.str() + " is acting on the account right now",
                         "subject " + subject.str(), "wait for it, or cancel it first");
          }
        }
        auto txn = begin(*impl, found.integration);
        const json::object detail{{"account_before", binding->account_id}};
        binding->state = port::BindingState::unknown;
        binding->account_id.clear();
        binding->account_login.clear();
        binding->was_bound = false;
        binding->last_set = port::AccountState::untouched;
        binding->checked_at = impl->now();
        txn.ops.emplace_back(port::op::PutBinding{std::move(*binding)});
        txn.ops.emplace_back(impl->activity(scope, "subject.unbound", by.actor(), detail, subject));
        return txn;
      },
      [impl, by, id, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) return done(committed.error());
        announce(impl, {by.workspace, id});
        done({});
      });
}

void Engine::offboard(Principal by, IntegrationId id, ResourceId subject, std::string reason, Done<JobId> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<JobId>(impl, std::move(done), ok.error());
  if (auto ok = check_reason(reason); !ok) return finish<JobId>(impl, std::move(done), ok.error());
  auto made = std::make_shared<JobId>();
  impl->decide(
      [impl, by, id, subject, reason, made](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(found, find_subject(reader, by, id, subject));
        DEPROV_TRY(context, make_context(found.integration, impl->options.connectors));
        const Evidence evidence{by.actor(), "admin", {}, {}, {}, impl->now()};
        Decision decision(reader, *context, evidence, impl->ports.random, impl->now());
        DEPROV_TRY(state, decision.load(subject));
        if (state.subject.desired == port::Desired::no_access && !state.subject.job.is_nil()) {
          DEPROV_TRY(job, reader.job(context->row.scope, state.subject.job));
          if (job && !port::is_finished(job->state)) {
            return Error(Errc::conflict, "job " + job->id.str() + " is removing this subject's access already",
                         "subject " + subject.str(), "look at it with `deprov jobs show`");
          }
        }
        Decision::End end;
        end.cause = idp::Cause::manual;
        end.evidence_at = evidence.at;
        end.reason = reason;
        DEPROV_CHECK(decision.end_access(state, end));
        *made = state.subject.job;
        return decision.take();
      },
      [impl, by, id, made, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) return done(committed.error());
        announce(impl, {by.workspace, id});
        done(*made);
      });
}

void Engine::retry_job(Principal by, IntegrationId id, JobId job, Done<JobId> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<JobId>(impl, std::move(done), ok.error());
  auto made = std::make_shared<JobId>();
  impl->decide(
      [impl, by, id, job, made](port::Reader& reader) { return retried(*impl, reader, by, id, job, *made); },
      [impl, by, id, made, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) return done(committed.error());
        announce(impl, {by.workspace, id});
        done(*made);
      });
}

void Engine::cancel_job(Principal by, IntegrationId id, JobId job, std::string reason, Done<void> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<void>(impl, std::move(done), ok.error());
  if (auto ok = check_reason(reason); !ok) return finish<void>(impl, std::move(done), ok.error());
  // In the writer: a running job changes all the time, and the lane that runs it loses it by this.
  impl->ports.store.transact(
      [impl, by, id, job, reason](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(integration, load_integration(reader, by, id));
        DEPROV_TRY(row, reader.job(integration.scope, job));
        if (!row) return Error(Errc::not_found, "there is no such job in this integration", "job " + job.str());
        if (port::is_finished(row->state)) {
          return Error(Errc::conflict, "the job is " + std::string(port::to_string(row->state)) + " already",
                       "job " + job.str());
        }
        DEPROV_TRY(plan, policy::parse_plan(row->plan));
        json::object detail{{"reason", reason},
                            {"state_before", port::to_string(row->state)},
                            {"acted", plan.acted()},
                            {"cause", idp::to_string(row->cause)}};
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        txn.ops.emplace_back(
            impl->activity(integration.scope, "job.cancelled", by.actor(), detail, row->subject, row->id));
        DEPROV_CHECK(leave_hold(reader, *row, impl->now(), by.actor(), txn));
        row->state = port::JobState::cancelled;
        row->reason = reason;
        row->finished = impl->now();
        row->lease = {};
        txn.ops.emplace_back(port::op::PutJob{std::move(*row), std::nullopt});
        return txn;
      },
      [impl, by, id, done = std::move(done)](Result<port::Committed> committed) mutable {
        impl->ports.executor.post(
            [impl, by, id, done = std::move(done), committed = std::move(committed)]() mutable {
              if (!committed) return done(committed.error());
              announce(impl, {by.workspace, id});
              done({});
            });
      });
}

}  // namespace deprov::engine
