#include "engine/retention.hpp"
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <limits>
#include "engine/management.hpp"

namespace deprov::engine {

namespace {

constexpr std::uint64_t records_a_piece = 5000;
constexpr WallTime beginning{std::numeric_limits<std::int64_t>::min()};
constexpr WallTime end_of_time{std::numeric_limits<std::int64_t>::max()};

class Retention : public std::enable_shared_from_this<Retention> {
 public:
  Retention(std::shared_ptr<Engine::Impl> impl, RetentionTask task, Done<std::uint64_t> done)
      : impl_(std::move(impl)), task_(std::move(task)), done_(std::move(done)) {}

  void start() {
    auto self = shared_from_this();
    impl_->ports.store.view(
        [self](port::Reader& reader) -> Result<void> {
          DEPROV_TRY(head, reader.activity_head(self->task_.scope));
          self->head_ = head;
          DEPROV_TRY(chore, reader.chore(self->task_.scope, retention_chore));
          if (chore) {
            self->due_ = chore->due;
            boost::system::error_code ec;
            const auto state = json::parse(chore->state, ec);
            const auto* o = state.if_object();
            const auto* after = o != nullptr ? o->if_contains("after") : nullptr;
            if (after != nullptr && after->is_int64() && after->get_int64() > 0)
              self->at_ = self->clean_ = static_cast<std::uint64_t>(after->get_int64());
          }
          return {};
        },
        [self](Result<void> read) {
          self->impl_->ports.executor.post([self, read = std::move(read)] {
            if (!read) return self->done_(read.error());
            self->next();
          });
        });
  }

 private:
  void next() {
    if (impl_->closing) return done_(Error(Errc::closed, "the engine is shutting down", {}, "try again later"));
    if (at_ >= head_) return finish();
    auto self = shared_from_this();
    const auto upto = std::min(at_ + records_a_piece, head_);
    // What is kept of a piece is put down again each time the body runs.
    auto newest_clean = std::make_shared<std::uint64_t>(clean_);
    impl_->decide(
        [self, upto, newest_clean](port::Reader& reader) -> Result<port::Transaction> {
          const auto& task = self->task_;
          port::Transaction txn;
          txn.id = self->impl_->new_id<TxnId>();
          *newest_clean = self->clean_;
          if (self->clean_ == self->at_) {  // everything up to here is old and was dealt with
            DEPROV_TRY(young, reader.activity_span(task.scope, self->at_, upto, task.before, end_of_time));
            *newest_clean = young ? young->first - 1 : upto;
          }
          DEPROV_TRY(old, reader.activity_span(task.scope, self->at_, upto, beginning, task.before));
          if (!old) return txn;
          if (!self->begun_) {
            txn.ops.emplace_back(self->impl_->activity(task.scope, "retention.started", task.actor,
                                                       {{"before", to_rfc3339(task.before)}}));
          }
          txn.ops.emplace_back(port::op::DeleteDetails{task.scope, old->first - 1, old->last, task.before});
          return txn;
        },
        [self, upto, newest_clean](Result<port::Committed> committed) {
          if (!committed) return self->done_(committed.error());
          if (!committed->activity_seqs.empty()) self->begun_ = true;
          for (const auto n : committed->details_deleted) self->deleted_ += n;
          self->at_ = upto;
          self->clean_ = *newest_clean;
          self->next();
        });
  }

  void finish() {
    auto self = shared_from_this();
    impl_->decide(
        [self](port::Reader&) -> Result<port::Transaction> {
          const auto& task = self->task_;
          port::Transaction txn;
          txn.id = self->impl_->new_id<TxnId>();
          if (self->deleted_ != 0 || task.always) {
            txn.ops.emplace_back(
                self->impl_->activity(task.scope, "retention.done", task.actor,
                                      {{"before", to_rfc3339(task.before)}, {"details_deleted", self->deleted_}}));
          }
          if (task.next.micros != 0 || self->due_) {
            port::ChoreRow row;
            row.scope = task.scope;
            row.name = retention_chore;
            row.due = task.next.micros != 0 ? task.next : self->due_.value_or(WallTime{});
            row.state = json::serialize(json::object{{"after", self->clean_}});
            txn.ops.emplace_back(port::op::PutChore{std::move(row)});
          }
          return txn;
        },
        [self](Result<port::Committed> committed) {
          if (!committed) return self->done_(committed.error());
          self->impl_->notify(self->task_.scope);
          self->done_(self->deleted_);
        });
  }

  std::shared_ptr<Engine::Impl> impl_;
  RetentionTask task_;
  Done<std::uint64_t> done_;
  std::uint64_t head_ = 0;
  std::uint64_t at_ = 0;     ///< up to here it was looked at
  std::uint64_t clean_ = 0;  ///< no record up to here has a detail that will have to go later
  std::uint64_t deleted_ = 0;
  std::optional<WallTime> due_;
  bool begun_ = false;
};

}  // namespace

void run_retention(const std::shared_ptr<Engine::Impl>& impl, RetentionTask task, Done<std::uint64_t> done) {
  std::make_shared<Retention>(impl, std::move(task), std::move(done))->start();
}

void Engine::delete_details(Principal by, IntegrationId id, WallTime before, Done<std::uint64_t> done) {
  const auto impl = impl_;
  if (auto ok = require_principals(by); !ok) return finish<std::uint64_t>(impl, std::move(done), ok.error());
  if (before > impl->now()) {
    return finish<std::uint64_t>(
        impl, std::move(done),
        Error(Errc::invalid_argument, "the time is yet to come", "before", "name a time in the past"));
  }
  const port::Scope scope{by.workspace, id};
  view(
      [id, scope](port::Reader& reader) -> Result<void> {
        if (id.is_nil()) return {};
        DEPROV_TRY(row, reader.integration(scope));  // a deleted one has details, too
        if (!row) return Error(Errc::not_found, "there is no such integration", "integration " + id.str());
        return {};
      },
      [impl, by, scope, before, done = std::move(done)](Result<void> read) mutable {
        if (!read) return done(read.error());
        run_retention(impl, {scope, before, by.actor(), {}, true}, std::move(done));
      });
}

}  // namespace deprov::engine
