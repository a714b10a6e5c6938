// What a person decides about one job: approval of a step, and what was done by hand.
#include <deprov/policy/plan.hpp>
#include "engine/management.hpp"

namespace deprov::engine {

namespace {

using port::JobState;

Error no_such_job(JobId job) {
  return {Errc::not_found, "there is no such job in this integration", "job " + job.str(),
          "list them with `deprov jobs list`"};
}

Result<port::Transaction> approve(Engine::Impl& impl, port::Reader& reader, const Principal& by, IntegrationId id,
                                  JobId job_id, const std::string& reason) {
  DEPROV_TRY(integration, load_integration(reader, by, id));
  DEPROV_TRY(job, reader.job(integration.scope, job_id));
  if (!job) return no_such_job(job_id);
  if (job->state != JobState::awaiting_approval) {
    return Error(Errc::conflict,
                 "the job is " + std::string(port::to_string(job->state)) + ", and waits for nobody",
                 "job " + job_id.str());
  }
  const auto now = impl.now();
  if (job->due <= now) {
    return Error(Errc::conflict, "the time for an approval ended at " + to_rfc3339(job->due),
                 "job " + job_id.str(), "let a new job ask for it: `deprov jobs retry`");
  }
  DEPROV_TRY(plan, policy::parse_plan(job->plan));
  const auto at = plan.next();
  if (!at) return Error(Errc::conflict, "no step of the job is open", "job " + job_id.str());
  auto& step = plan.steps[*at];
  const auto wanted = port::parse_role(step.approval).value_or(port::Role::owner);
  if (by.role > wanted) {  // a smaller value may do more
    return Error(Errc::forbidden,
                 "the role " + std::string(port::to_string(by.role)) + " may not approve this step",
                 "job " + job_id.str(), "the policy wants " + std::string(port::to_string(wanted)));
  }
  step.approved_until = now + step.approval_expires;
  port::Transaction txn;
  txn.id = impl.new_id<TxnId>();
  json::object detail{{"step", step_name(step)},
                      {"reason", reason},
                      {"role", port::to_string(by.role)},
                      {"good_until", to_rfc3339(step.approved_until)}};
  txn.ops.emplace_back(
      impl.activity(integration.scope, "job.approved", by.actor(), detail, job->subject, job->id));
  job->state = JobState::ready;
  job->due = now;
  job->reason = "approved: " + reason;
  job->plan = policy::to_text(plan);
  txn.ops.emplace_back(port::op::PutJob{std::move(*job), std::nullopt});
  return txn;
}

Result<port::Transaction> attest(Engine::Impl& impl, port::Reader& reader, const Principal& by, IntegrationId id,
                                 JobId job_id, const Attestation& what, JobId& made) {
  DEPROV_TRY(integration, load_integration(reader, by, id));
  const auto& scope = integration.scope;
  DEPROV_TRY(old, reader.job(scope, job_id));
  if (!old) return no_such_job(job_id);
  if (old->kind == port::JobKind::bind) {
    return Error(Errc::conflict, "a look-up is nothing that a person can do in the app", "job " + job_id.str(),
                 "bind the account with `deprov subjects bind`");
  }
  switch (old->state) {
    case JobState::running:
    case JobState::waiting_async:
      return Error(Errc::conflict, "the job is acting on the account right now", "job " + job_id.str(),
                   "wait for it, or cancel it first");
    case JobState::succeeded_verified:
    case JobState::succeeded_no_account:
    case JobState::superseded:
    case JobState::attested:
      return Error(Errc::conflict, "the job is " + std::string(port::to_string(old->state)) + " already",
                   "job " + job_id.str());
    default: break;
  }
  port::Transaction txn;
  txn.id = impl.new_id<TxnId>();
  const auto now = impl.now();
  json::object detail{{"reason", what.reason},
                      {"reference", what.reference},
                      {"state_before", port::to_string(old->state)},
                      {"cause", idp::to_string(old->cause)},
                      {"verified", false}};
  auto job = *old;
  DEPROV_CHECK(leave_hold(reader, *old, now, by.actor(), txn));
  if (port::is_finished(old->state)) {
    DEPROV_TRY(subject, reader.subject(scope, old->subject));
    const bool role = old->kind == port::JobKind::change_role || old->kind == port::JobKind::revoke_sessions;
    if (!subject || (!role && subject->job != job_id)) {
      return Error(Errc::conflict, "a newer job of this subject took its place", "job " + job_id.str(),
                   "look at the subject's jobs");
    }
    job.id = impl.new_id<JobId>();
    job.version = 0;
    job.created = job.due = now;
    detail["of"] = job_id.str();
    txn.reads.subjects.push_back({scope, old->subject, subject->grants_version});
    if (!role) subject->job = job.id;
    txn.ops.emplace_back(port::op::PutSubject{std::move(*subject)});
  }
  made = job.id;
  job.state = JobState::attested;
  job.finished = now;
  job.lease = {};
  job.reason = what.reason + (what.reference.empty() ? "" : " (" + what.reference + ")");
  txn.ops.emplace_back(impl.activity(scope, "job.attested", by.actor(), detail, job.subject, job.id));
  txn.ops.emplace_back(port::op::PutJob{std::move(job), std::nullopt});
  return txn;
}

}  // namespace

void Engine::approve_job(Principal by, IntegrationId id, JobId job, std::string reason, Done<void> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<void>(impl, std::move(done), ok.error());
  if (auto ok = check_reason(reason); !ok) return finish<void>(impl, std::move(done), ok.error());
  impl->decide(
      [impl, by, id, job, reason](port::Reader& reader) { return approve(*impl, reader, by, id, job, reason); },
      [impl, by, id, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) return done(committed.error());
        announce(impl, {by.workspace, id});
        done({});
      });
}

void Engine::attest_job(Principal by, IntegrationId id, JobId job, Attestation what, Done<JobId> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<JobId>(impl, std::move(done), ok.error());
  if (auto ok = check_reason(what.reason); !ok) return finish<JobId>(impl, std::move(done), ok.error());
  if (what.reference.size() > 1000) {
    return finish<JobId>(impl, std::move(done),
                         Error(Errc::invalid_argument, "the reference is longer than 1000 bytes", "reference"));
  }
  auto made = std::make_shared<JobId>();
  impl->decide([impl, by, id, job, what,
                made](port::Reader& reader) { return attest(*impl, reader, by, id, job, what, *made); },
               [impl, by, id, made, done = std::move(done)](Result<port::Committed> committed) mutable {
                 if (!committed) return done(committed.error());
                 announce(impl, {by.workspace, id});
                 done(*made);
               });
}

}  // namespace deprov::engine
