// One job: what becomes of it: tried again, put back, held, or finished.
#include <algorithm>
#include <boost/json/object.hpp>
#include <utility>
#include "jobs/backoff.hpp"
#include "jobs/lane.hpp"

namespace deprov::jobs {

namespace json = boost::json;
using connector::Outcome;
using policy::StepKind;
using policy::StepState;
using port::JobKind;
using port::JobState;

namespace {
constexpr Duration shortest_poll = std::chrono::milliseconds(100);

std::string why_of(const connector::Reply& reply) {
  return std::string(connector::to_string(reply.outcome)) + (reply.detail.empty() ? "" : ": " + reply.detail);
}
}  // namespace

void Lane::no_slot(const RunPtr& run) { put_back(run, "the lane stands still"); }

void Lane::failed_exchange(const RunPtr& run, const connector::Reply& reply) {
  const auto why = why_of(reply);
  switch (connector::disposition(reply.outcome)) {
    case connector::Disposition::wait: return retry_later(run, reply.retry_after, false, why);
    case connector::Disposition::pause_lane:
      pause_by_itself("the app refused the credential: " + reply.detail);
      return put_back(run, why);
    case connector::Disposition::check_lane:
      return ask_credential(run, why, [self = shared_from_this(), run, why](const connector::Reply* unsure) {
        if (unsure != nullptr) return self->retry_later(run, unsure->retry_after, true, why);
        self->hold(run, why);
      });
    case connector::Disposition::hold_job: return hold(run, why);
    case connector::Disposition::fail: return finish(run, JobState::failed, why);
    case connector::Disposition::proceed:
    case connector::Disposition::retry:
    case connector::Disposition::read_back: break;
  }
  retry_later(run, reply.retry_after, true, why);
}

// R17: one refusal holds the job, and the lane only if the check fails too.
void Lane::ask_credential(const RunPtr& run, const std::string& why,
                          std::function<void(const connector::Reply* unsure)> then) {
  auto self = shared_from_this();
  when_admitted(run, [self, run, why, then = std::move(then)](bool go) {
    if (!go) return self->no_slot(run);
    self->call({}, [self, run, why, then](const connector::Reply& check) {
      switch (connector::disposition(check.outcome)) {
        case connector::Disposition::check_lane:
        case connector::Disposition::pause_lane:
          self->pause_by_itself("the app refuses the credential: " + check.detail);
          return self->put_back(run, why);
        case connector::Disposition::wait:
        case connector::Disposition::read_back:
        case connector::Disposition::retry: return then(&check);
        default: return then(nullptr);
      }
    });
  });
}

void Lane::step_failed(const RunPtr& run, const connector::Reply& reply) {
  auto self = shared_from_this();
  switch (connector::disposition(reply.outcome)) {
    case connector::Disposition::wait:
    case connector::Disposition::retry:
    case connector::Disposition::read_back:
      put_off(run, reply, reply.outcome != Outcome::throttled);
      return next_step(run);
    case connector::Disposition::check_lane: {
      const auto why = why_of(reply);
      return ask_credential(run, why, [self, run, why](const connector::Reply* unsure) {
        if (unsure != nullptr) {
          self->put_off(run, *unsure, true);
          run->why = why;
        } else {
          run->holds = why;
        }
        self->next_step(run);
      });
    }
    default: return failed_exchange(run, reply);
  }
}

void Lane::put_off(const RunPtr& run, const connector::Reply& reply, bool costs_attempt) {
  run->again = true;
  run->costs_attempt = run->costs_attempt || costs_attempt;
  run->why = why_of(reply);
  if (!reply.retry_after) return;
  const auto until = ports_.clock.mono() + *reply.retry_after;
  run->not_before = std::max(run->not_before.value_or(until), until);
}

void Lane::retry_later(const RunPtr& run, std::optional<Duration> server_wait, bool costs_attempt,
                       std::string why) {
  const auto now = ports_.clock.wall();
  bool waiting = false;
  for (const auto& s : run->plan.steps)
    waiting = waiting || (s.kind == StepKind::call && s.state == StepState::accepted);
  if (costs_attempt) ++run->row.attempts;
  // An app that says "later" and names no time, or none at all to wait, is not asked again at once.
  const auto attempt = costs_attempt || !server_wait ? std::max(1U, run->row.attempts) : 1U;
  const auto wait = waiting && !costs_attempt && server_wait
                        ? std::max<Duration>(*server_wait, shortest_poll)
                        : backoff(policy_.retry, attempt, server_wait, ports_.random);
  run->row.state = waiting && !costs_attempt ? JobState::waiting_async : JobState::retrying;
  run->row.due = std::min(now + wait, run->row.deadline + std::chrono::microseconds(1));
  run->row.lease = {};
  run->row.reason = why.substr(0, 1000);
  const auto due = run->row.due;
  json::object detail{{"attempt", run->row.attempts}, {"reason", run->row.reason}, {"next", to_rfc3339(due)}};
  auto self = shared_from_this();
  // Throttling costs no attempt and no record: an app that throttles would fill the chain with it.
  save(run, costs_attempt ? "job.retrying" : "", std::move(detail), [self, run, due] {
    self->arm_timer(due);
    self->drop(run);
  });
}

void Lane::wait_until(const RunPtr& run, WallTime until, std::string why) {
  const bool asks = std::any_of(run->plan.steps.begin(), run->plan.steps.end(), [](const policy::Step& s) {
    return s.kind == StepKind::call && s.state == StepState::accepted;
  });
  run->row.state = asks ? JobState::waiting_async : JobState::retrying;
  run->row.due = until;
  run->row.deadline = std::max(run->row.deadline, until);  // its attempt is still to come
  run->row.lease = {};
  run->row.reason = std::move(why);
  auto self = shared_from_this();
  save(run, "", {}, [self, run, until] {
    self->arm_timer(until);
    self->drop(run);
  });
}

void Lane::put_back(const RunPtr& run, std::string why) {
  if (run->row.state != JobState::running) return drop(run);
  run->row.state = JobState::ready;
  run->row.lease = {};
  run->row.reason = std::move(why);
  auto self = shared_from_this();
  save(run, "", {}, [self, run] { self->drop(run); });
}

void Lane::hold(const RunPtr& run, std::string why) {
  run->row.state = JobState::held;
  run->row.lease = {};
  run->row.reason = why.substr(0, 1000);
  auto self = shared_from_this();
  save(run, "job.held", {{"reason", run->row.reason}}, [self, run] {
    self->host_.count_finished(JobState::held, std::nullopt);
    self->drop(run);
  });
}

void Lane::finish(const RunPtr& run, JobState state, std::string why) {
  const auto now = ports_.clock.wall();
  run->row.state = state;
  run->row.finished = now;
  remember_doubt(run);
  run->row.lease = {};
  run->row.reason = why.substr(0, 1000);
  json::object detail{{"state", port::to_string(state)}};
  if (!why.empty()) detail["reason"] = run->row.reason;
  const bool secured = run->plan.secured.micros != 0;
  std::optional<Duration> ttd;
  std::string event = std::string(event_prefix(run->row.kind));
  switch (state) {
    case JobState::succeeded_verified:
    case JobState::succeeded_unverified:
      event += run->row.kind == JobKind::bind          ? ".found"
               : secured                               ? ".completed"
               : state == JobState::succeeded_verified ? ".verified"
                                                       : ".unverified";
      break;
    case JobState::observed: event += ".observed"; break;
    case JobState::succeeded_no_account: event += ".no_account"; break;
    case JobState::failed:
    case JobState::dead: event += ".failed"; break;
    default: event = "job.superseded"; break;
  }
  if (run->row.kind == JobKind::remove_access && !secured &&
      (state == JobState::succeeded_verified || state == JobState::succeeded_unverified ||
       state == JobState::succeeded_no_account)) {
    ttd = now - run->row.evidence_at;
    detail["time_to_deprovision_ms"] = ttd->count() / 1000;
    detail["cause"] = idp::to_string(run->row.cause);
    if (!run->row.via_group.is_nil()) {
      detail["via_group"] = run->row.via_group.str();
      detail["inferred"] = run->row.via_inferred;
    }
  }
  auto self = shared_from_this();
  save(run, event, std::move(detail), [self, run, state, ttd] {
    self->host_.count_finished(state, ttd);
    self->drop(run);
  });
}

}  // namespace deprov::jobs
