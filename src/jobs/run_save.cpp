// One job: what became of it, made durable.
#include <boost/json/object.hpp>
#include <deprov/policy/plan.hpp>
#include <utility>
#include "jobs/lane.hpp"

namespace deprov::jobs {

namespace json = boost::json;
using port::JobState;

void Lane::save(const RunPtr& run, std::string event, json::object detail, std::function<void()> next) {
  Events events;
  if (!event.empty()) events.emplace_back(std::move(event), std::move(detail));
  save(run, std::move(events), std::move(next));
}

void Lane::save(const RunPtr& run, Events events, std::function<void()> next) {
  auto self = shared_from_this();
  auto text = std::make_shared<std::string>(policy::to_text(run->plan));
  commit(
      [self, run, events, text] {
        auto txn = self->transaction();
        if (run->binding_changed) txn.ops.emplace_back(port::op::PutBinding{run->binding});
        auto row = run->row;
        row.plan = *text;
        txn.ops.emplace_back(port::op::PutJob{std::move(row), std::nullopt});
        for (const auto& [event, detail] : events) txn.ops.emplace_back(self->activity(*run, event, detail));
        return txn;
      },
      [self, run, events, text, next = std::move(next)](const Result<port::Committed>& done) mutable {
        if (done) {
          ++run->row.version;
          if (run->binding_changed) ++run->binding.version;
          run->binding_changed = false;
          if (!events.empty()) self->host_.activity_appended(self->scope_);
          return next();
        }
        const auto code = done.error().code();
        if (code == Errc::fenced || self->stopping_) return self->drop(run);
        if (code == Errc::stale_read || code == Errc::conflict)
          return self->save_late(run, events, std::move(next));
        // Whatever the store has against it now: what looks running is found by nobody else, so it is not dropped.
        self->after(std::chrono::seconds(1), [self, run, events, next = std::move(next)]() mutable {
          if (self->stopping_) return self->drop(run);
          self->save_late(run, events, std::move(next));
        });
      });
}

// Somebody changed the job meanwhile (cancelled, or bound by hand): what happened in the app is recorded all the
// same. Where that fails it is tried again, since a job that looks running is found by nobody else.
void Lane::save_late(const RunPtr& run, Events events, std::function<void()> next) {
  struct Late {
    std::optional<std::uint64_t> version;
    bool rebound = false;
  };
  auto late = std::make_shared<Late>();
  auto self = shared_from_this();
  ++outstanding_;
  ports_.store.transact(
      [self, run, events, late](port::Reader& reader) -> Result<port::Transaction> {
        *late = {};
        auto txn = self->transaction();
        DEPROV_TRY(binding, reader.binding(self->scope_, run->row.subject));
        const auto account = binding ? binding->account_id : std::string{};
        late->rebound = account != run->binding.account_id;
        // What was done to one account says nothing of another.
        if (run->binding_changed && binding && !late->rebound) {
          auto fresh = *binding;
          fresh.last_set = run->binding.last_set;
          txn.ops.emplace_back(port::op::PutBinding{std::move(fresh)});
        }
        DEPROV_TRY(job, reader.job(self->scope_, run->row.id));
        if (job && !port::is_finished(job->state)) {
          auto row = run->row;
          row.plan = policy::to_text(run->plan);
          row.version = job->version;
          late->version = job->version + 1;
          if (job->state == JobState::held &&
              !port::is_finished(row.state)) {  // for a person to decide: it stays so
            row.state = JobState::held;
            row.reason = job->reason;
            row.lease = {};
            late->version.reset();
          }
          txn.ops.emplace_back(port::op::PutJob{std::move(row), std::nullopt});
        }
        for (const auto& [event, detail] : events) txn.ops.emplace_back(self->activity(*run, event, detail));
        return txn;
      },
      [self, run, events, late, next = std::move(next)](Result<port::Committed> done) {
        self->ports_.executor.post([self, run, events, late, next, done = std::move(done)] {
          --self->outstanding_;
          if (!done) {
            if (done.error().code() == Errc::fenced) {
              self->drop(run);
              return self->lost(done.error());
            }
            if (self->stopping_) return self->drop(run);
            return self->after(std::chrono::milliseconds(200), [self, run, events, next] {
              if (self->stopping_) return self->drop(run);
              self->save_late(run, events, next);
            });
          }
          self->host_.activity_appended(self->scope_);
          if (!late->version) return self->drop(run);
          run->row.version = *late->version;
          ++run->binding.version;
          run->binding_changed = false;
          if (late->rebound && run->row.state == JobState::running) return self->begin(run);
          next();
        });
      });
}

}  // namespace deprov::jobs
