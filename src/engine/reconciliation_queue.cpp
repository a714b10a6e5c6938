// What a reconciliation found, queued: judged whole before any of its effects (R7), and the same decision as for a
// push.
#include <algorithm>
#include <utility>
#include "engine/reconciliation.hpp"

namespace deprov::engine {

namespace {
constexpr std::size_t findings_a_piece = 250;
}  // namespace

void Reconciliation::judge() {
  if (stopped()) return;
  auto self = shared_from_this();
  impl_->decide(
      [self](port::Reader& reader) -> Result<port::Transaction> {
        if (auto current = self->impl_->directory.find(self->task_.scope.integration)) self->context_ = current;
        Decision decision(reader, *self->context_, self->evidence_, self->impl_->ports.random, self->impl_->now());
        if (!self->held_.empty()) {
          decision.record("guard.refused",
                          {{"run", self->run_.str()}, {"worsen", self->counts_.worsen}, {"reason", self->held_}});
        } else if (self->context_->policy.guard.enabled) {
          // Who is leftover has no access any more. Whose account was unknown until now is found, and counts then.
          Tally unit;
          unit.worsen = self->counts_.worsen;
          unit.late = self->counts_.late;
          DEPROV_TRY(beyond, decision.beyond_with_late({}, unit, 0));
          if (beyond)
            return Error(Errc::held_by_guard, "more accounts were found than the guard lets pass", "guard");
          decision.reserve_unit({}, unit, 0);
        }
        return decision.take();
      },
      [self](Result<port::Committed> committed) {
        if (!committed && committed.error().code() == Errc::held_by_guard && self->held_.empty()) {
          self->held_ = committed.error().message();
          return self->judge();
        }
        if (!committed) return self->fail(committed.error());
        self->allowed_ = self->held_.empty();
        self->queue_some();
      });
}

void Reconciliation::queue_some() {
  if (stopped()) return;
  auto self = shared_from_this();
  struct Piece {
    std::uint64_t last = 0;
    bool more = false;
  };
  auto piece = std::make_shared<Piece>();
  impl_->decide(
      [self, piece](port::Reader& reader) -> Result<port::Transaction> {
        self->page_ = self->counts_;
        Decision decision(reader, *self->context_, self->evidence_, self->impl_->ports.random, self->impl_->now());
        decision.judge(self->allowed_ ? Judging::allowed : Judging::hold, self->held_);
        decision.late_waits(!self->allowed_);
        DEPROV_TRY(page, reader.findings(self->task_.scope, self->run_, self->last_, findings_a_piece));
        *piece = {self->last_, page.more};
        for (auto& finding : page.rows) {
          piece->last = finding.n;
          if (finding.kind == port::FindingKind::leftover || finding.kind == port::FindingKind::drift)
            DEPROV_CHECK(self->queue(decision, reader, std::move(finding)));
        }
        return decision.take();
      },
      [self, piece](Result<port::Committed> committed) {
        if (!committed) return self->fail(committed.error());
        self->counts_ = self->page_;
        self->last_ = piece->last;
        if (!committed->activity_seqs.empty()) self->impl_->notify(self->task_.scope);
        if (self->impl_->started) self->impl_->poke(self->task_.scope);
        if (piece->more) return self->queue_some();
        self->queued();
      });
}

/// As far as it is still so (R5): the app was listed a while ago.
Result<void> Reconciliation::queue(Decision& decision, port::Reader& reader, port::FindingRow finding) {
  DEPROV_TRY(state, decision.load(finding.subject));
  DEPROV_TRY(access, decision.has_access(state));
  if (access) return {};
  auto& s = state.subject;
  DEPROV_TRY(retained, reader.due(task_.scope, s.id, retained_kind));
  if (retained) return {};
  bool was_out = false;
  if (!s.job.is_nil()) {
    DEPROV_TRY(job, reader.job(task_.scope, s.job));
    using port::JobState;
    was_out = job && (job->state == JobState::succeeded_verified || job->state == JobState::succeeded_unverified ||
                      job->state == JobState::succeeded_no_account);
    const bool waits =
        job && (job->state == port::JobState::in_grace || job->state == port::JobState::awaiting_approval);
    if (job && job->kind == port::JobKind::remove_access && !port::is_finished(job->state) && !waits) return {};
    if (waits && job->created > started_) return {};  // of this run, for another account
  }
  Decision::End end;
  end.cause = s.desired == port::Desired::no_access ? s.cause : idp::Cause::none;
  if (end.cause == idp::Cause::none || end.cause == idp::Cause::restored) {
    DEPROV_TRY(resource, reader.resource(task_.scope, s.id));
    end.cause = !resource || resource->deleted ? idp::Cause::hard_deleted
                : !resource->active            ? idp::Cause::deactivated
                                               : idp::Cause::lost_entitling_group;
  }
  end.via = s.via_group;
  end.inferred = s.via_inferred;
  end.evidence_at = impl_->now();
  // Whose removal was never done: the clock has been running since access ended (R20). What was undone by hand, or
  // came later, begins another one.
  if (finding.kind == port::FindingKind::leftover && s.desired == port::Desired::no_access && !was_out &&
      s.evidence_at.micros != 0)
    end.evidence_at = std::min(end.evidence_at, s.evidence_at);
  end.reason = "reconciliation: " + finding.note;
  DEPROV_CHECK(decision.end_access(state, end));
  finding.job = state.subject.job;
  decision.transaction().ops.emplace_back(port::op::PutFinding{std::move(finding)});
  ++page_.queued;
  return {};
}

void Reconciliation::abandon() {
  const auto self = shared_from_this();
  const auto done = std::move(done_);
  done_ = {};
  const auto stopped = std::move(stopped_);
  stopped_ = {};
  impl_->reconciliations.erase(task_.scope.integration.value);
}

}  // namespace deprov::engine
