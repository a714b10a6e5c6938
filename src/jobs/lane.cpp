#include "jobs/lane.hpp"
#include <algorithm>
#include <utility>

namespace deprov::jobs {

Lane::Lane(LanePorts ports, LaneOptions options, port::Scope scope, policy::Policy policy,
           std::unique_ptr<connector::Connector> connector, LaneHost& host)
    : ports_(ports),
      options_(std::move(options)),
      scope_(scope),
      policy_(std::move(policy)),
      connector_(std::move(connector)),
      host_(host),
      limiter_(policy_, connector_->describe().rate) {}

Lane::~Lane() {
  for (const auto timer : {fetch_timer_, renewal_timer_, admit_timer_, probe_timer_})
    if (timer != 0) ports_.executor.cancel(timer);
}

void Lane::start() { acquire(); }

void Lane::acquire() {
  if (stopping_) return;
  auto row = std::make_shared<std::optional<port::LaneRow>>();
  auto self = shared_from_this();
  ++outstanding_;
  ports_.store.view(
      [self, row](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(lane, reader.lane(self->scope_));
        *row = std::move(lane);
        return {};
      },
      [self, row](Result<void> read) {
        self->ports_.executor.post([self, row, read] {
          --self->outstanding_;
          if (self->stopping_) return self->maybe_stopped();
          if (!read) return self->after(std::chrono::seconds(1), [self] { self->acquire(); });
          const auto now = self->ports_.clock.wall();
          const port::LaneRow old = row->value_or(port::LaneRow{});
          if (!old.owner.empty() && old.owner != self->options_.node && old.until > now)
            return self->after(old.until - now, [self] { self->acquire(); });
          self->commit(
              [self, old] {
                port::Transaction txn;
                txn.id = self->ports_.random.id<TxnId>(self->ports_.clock.wall());
                txn.reads.lanes.push_back({self->scope_, old.epoch});
                port::LaneRow mine{self->scope_, self->options_.node, old.epoch + 1, {}, old.paused};
                mine.until = self->ports_.clock.wall() + self->options_.lease;
                txn.ops.emplace_back(port::op::PutLane{std::move(mine)});
                return txn;
              },
              [self, old](const Result<port::Committed>& done) {
                if (!done) return self->after(std::chrono::seconds(1), [self] { self->acquire(); });
                self->epoch_ = old.epoch + 1;
                self->owned_ = true;
                self->own_pause_ = old.paused;
                if (!old.paused.empty()) self->probe();
                self->schedule_renewal();
                self->fill();
              });
        });
      });
}

// A lease of zero means that the store belongs to this engine alone, so nobody could take the lane over.
void Lane::schedule_renewal() {
  if (options_.lease.count() == 0 || stopping_) return;
  // A lane that was lost and taken again at once has one from before, too.
  if (renewal_timer_ != 0) ports_.executor.cancel(renewal_timer_);
  auto self = weak_from_this();
  renewal_timer_ = ports_.executor.post_at(ports_.clock.mono() + options_.lease / 3, [self] {
    const auto lane = self.lock();
    if (!lane || lane->stopping_ || !lane->owned_) return;
    lane->commit(
        [lane] {
          port::Transaction txn;
          txn.id = lane->ports_.random.id<TxnId>(lane->ports_.clock.wall());
          txn.reads.lanes.push_back({lane->scope_, lane->epoch_});
          txn.ops.emplace_back(
              port::op::PutLane{{lane->scope_, lane->options_.node, lane->epoch_,
                                 lane->ports_.clock.wall() + lane->options_.lease, lane->own_pause_}});
          return txn;
        },
        [lane](const Result<port::Committed>& done) {
          if (!done) return;
          lane->schedule_renewal();
          lane->fill();  // other engines on this store tell nobody of the jobs that they make
        });
  });
}

void Lane::lost(const Error&) {
  if (!owned_) return;
  owned_ = false;
  auto self = shared_from_this();
  admit();
  after(std::chrono::seconds(1), [self] { self->acquire(); });
}

bool Lane::may_begin() const noexcept { return owned_ && !paused_ && !stopping_ && own_pause_.empty(); }

void Lane::poke() { fill(); }

void Lane::set_paused(bool paused) {
  paused_ = paused;
  admit();
  if (!paused) fill();
}

void Lane::stop(port::UniqueFunction<void()> done) {
  stopping_ = true;
  stopped_ = std::move(done);
  for (const auto timer : {fetch_timer_, renewal_timer_, admit_timer_, probe_timer_})
    if (timer != 0) ports_.executor.cancel(timer);
  admit();
  maybe_stopped();
}

// What waits holds the lane that it waits in, and so does whoever waits for its end.
void Lane::abandon() {
  stopping_ = true;
  const auto waiting = std::move(waiting_);
  waiting_.clear();
  const auto stopped = std::move(stopped_);
  stopped_ = {};
}

void Lane::maybe_stopped() {
  if (!stopping_ || outstanding_ != 0 || !stopped_) return;
  auto done = std::move(stopped_);
  stopped_ = {};
  done();
}

void Lane::after(Duration delay, std::function<void()> what) {
  auto self = shared_from_this();
  ports_.executor.post_at(ports_.clock.mono() + delay, [self, what = std::move(what)] { what(); });
}

void Lane::fill() {
  if (!may_begin() || runs_.size() >= options_.window) return;
  if (fetching_) {
    fetch_again_ = true;
    return;
  }
  fetching_ = true;
  fetch_again_ = false;
  struct Fetch {
    std::vector<port::JobRow> rows;
    std::optional<WallTime> next;
  };
  auto fetch = std::make_shared<Fetch>();
  auto self = shared_from_this();
  const auto now = ports_.clock.wall();
  // What is in memory may still look due in the store, so that many more are asked for. Look-ups come last: where
  // no more of them may come in, it is asked only whether there is something else.
  const auto limit = lookups_ < most_lookups()
                         ? runs_.size() + std::max<std::size_t>(options_.window / 2, 1)
                         : runs_.size() - lookups_ + std::max<std::size_t>(options_.window / 16, 1);
  ++outstanding_;
  ports_.store.view(
      [self, fetch, now, limit](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(rows, reader.due_jobs(self->scope_, now, self->epoch_, limit));
        DEPROV_TRY(next, reader.next_job_due(self->scope_, now));
        fetch->rows = std::move(rows);
        fetch->next = next;
        return {};
      },
      [self, fetch, limit](Result<void> read) {
        self->ports_.executor.post([self, fetch, read, limit] {
          --self->outstanding_;
          self->fetching_ = false;
          if (self->stopping_) return self->maybe_stopped();
          if (!read) return self->after(std::chrono::seconds(1), [self] { self->fill(); });
          const bool more = fetch->rows.size() == limit && fetch->rows.back().kind != port::JobKind::bind;
          self->fetched(std::move(fetch->rows), fetch->next, more);
        });
      });
}

void Lane::fetched(std::vector<port::JobRow> rows, std::optional<WallTime> next, bool more) {
  if (!may_begin()) return;
  bool begun = false;
  for (auto& row : rows) {
    if (runs_.size() >= options_.window) break;
    // R15: one job of a subject at a time; the others are found again when it is over.
    if (runs_.contains(row.id)) continue;
    if (subjects_.contains(row.subject)) {
      if (row.kind != port::JobKind::bind && blocked_.insert(row.subject).second)
        promote(row.subject, row.priority);
      continue;
    }
    const bool lookup = row.kind == port::JobKind::bind;
    if (lookup && lookups_ >= most_lookups()) continue;
    if (lookup) ++lookups_;
    auto run = std::make_shared<Run>();
    run->row = std::move(row);
    runs_.emplace(run->row.id, run);
    subjects_.insert(run->row.subject);
    begun = true;
    begin(run);
  }
  if (next) arm_timer(*next);
  if (fetch_again_ || (more && begun && lookups_ >= most_lookups())) fill();
}

void Lane::arm_timer(WallTime at) {
  if (fetch_timer_ != 0) {
    if (fetch_at_ && *fetch_at_ <= at && *fetch_at_ > ports_.clock.wall()) return;
    ports_.executor.cancel(fetch_timer_);
    if (fetch_at_) at = std::min(at, *fetch_at_);  // one that is due and has not come yet must come all the same
  }
  fetch_at_ = at;
  auto self = weak_from_this();
  const auto wait = std::max(Duration{0}, at - ports_.clock.wall());
  fetch_timer_ = ports_.executor.post_at(ports_.clock.mono() + wait, [self] {
    if (const auto lane = self.lock()) {
      lane->fetch_timer_ = 0;
      lane->fetch_at_.reset();
      lane->fill();
    }
  });
}

void Lane::drop(const RunPtr& run) {
  if (runs_.erase(run->row.id) != 0) {
    if (run->row.kind == port::JobKind::bind) --lookups_;
    subjects_.erase(run->row.subject);
  }
  if (stopping_) return maybe_stopped();
  if (blocked_.erase(run->row.subject) != 0) return fill();
  // Asking again for each job would be one query a job; half a window at once is not.
  if (runs_.size() <= options_.window / 2) fill();
}

// R15: what waits for a look-up of the same subject must not wait as long as look-ups do.
void Lane::promote(ResourceId subject, std::uint8_t priority) {
  for (auto& [of, queue] : waiting_) {
    if (of <= priority) continue;
    const auto it =
        std::find_if(queue.begin(), queue.end(), [&](const Waiting& w) { return w.run->row.subject == subject; });
    if (it == queue.end()) continue;
    auto moved = std::move(*it);
    queue.erase(it);
    waiting_[priority].push_back(std::move(moved));
    return;
  }
}

void Lane::when_admitted(const RunPtr& run, std::function<void(bool)> go) {
  waiting_[run->row.priority].push_back({run, std::move(go)});
  admit();
}

void Lane::admit() {
  while (!waiting_.empty()) {
    auto first = waiting_.begin();
    if (first->second.empty()) {
      waiting_.erase(first);
      continue;
    }
    const bool go = may_begin();
    if (go && !limiter_.try_acquire(ports_.clock.mono())) break;
    auto next = std::move(first->second.front());
    first->second.pop_front();
    next.go(go);
  }
  if (waiting_.empty() || admit_timer_ != 0) return;
  if (const auto at = limiter_.retry_at(ports_.clock.mono())) {
    auto self = weak_from_this();
    admit_timer_ = ports_.executor.post_at(*at, [self] {
      if (const auto lane = self.lock()) {
        lane->admit_timer_ = 0;
        lane->admit();
      }
    });
  }
}

void Lane::call(connector::Call call, std::function<void(connector::Reply)> done) {
  auto self = shared_from_this();
  ++outstanding_;
  const auto operation = call.operation;
  connector_->start(std::move(call), [self, operation, done = std::move(done)](connector::Reply reply) {
    self->ports_.executor.post([self, operation, done, reply = std::move(reply)]() mutable {
      --self->outstanding_;
      self->limiter_.finished(reply, self->ports_.clock.mono());
      self->host_.count_attempt(operation, reply.outcome);
      done(std::move(reply));
      self->admit();
      self->maybe_stopped();
    });
  });
}

void Lane::commit(std::function<port::Transaction()> make, std::function<void(Result<port::Committed>)> done) {
  auto self = shared_from_this();
  auto txn = make();
  const auto id = txn.id;
  ++outstanding_;
  ports_.store.commit(std::move(txn), [self, id, make = std::move(make),
                                       done = std::move(done)](Result<port::Committed> result) mutable {
    self->ports_.executor.post([self, id, make = std::move(make), done = std::move(done),
                                result = std::move(result)]() mutable {
      --self->outstanding_;
      const auto again = [&](Duration delay) {
        if (self->stopping_) return done(std::move(result));
        ++self->outstanding_;  // who stops the lane waits for it: the store may be gone afterwards
        self->after(delay, [self, make = std::move(make), done = std::move(done)] {
          --self->outstanding_;
          self->commit(make, done);
        });
      };
      if (result) {
        done(std::move(result));
      } else {
        switch (result.error().code()) {
          case Errc::busy: again(std::chrono::milliseconds(20)); break;
          case Errc::io:
          case Errc::storage_full:
          case Errc::unavailable: again(std::chrono::seconds(1)); break;
          case Errc::commit_unknown: {
            ++self->outstanding_;
            self->ports_.store.committed(
                id, [self, make = std::move(make), done = std::move(done), result](Result<bool> happened) mutable {
                  // A lambda that captures a Result<bool> by its name gets `true` wherever there is a value: Boost
                  // 1.81 copies it through `explicit operator bool`.
                  const bool is_there = happened && *happened;
                  self->ports_.executor.post([self, make = std::move(make), done = std::move(done), result,
                                              is_there]() mutable {
                    --self->outstanding_;
                    if (is_there) return done(port::Committed{});
                    if (self->stopping_) return done(std::move(result));
                    ++self->outstanding_;
                    self->after(std::chrono::seconds(1), [self, make = std::move(make), done = std::move(done)] {
                      --self->outstanding_;
                      self->commit(make, done);
                    });
                  });
                });
            break;
          }
          case Errc::fenced: {
            const auto error = result.error();
            done(std::move(result));
            self->lost(error);
            break;
          }
          default: done(std::move(result));
        }
      }
      self->maybe_stopped();
    });
  });
}

void Lane::pause_by_itself(std::string reason) {
  if (!own_pause_.empty()) return;
  own_pause_ = std::move(reason);
  auto self = shared_from_this();
  commit(
      [self] {
        auto txn = self->transaction();
        txn.ops.emplace_back(
            port::op::PutLane{{self->scope_, self->options_.node, self->epoch_,
                               self->ports_.clock.wall() + self->options_.lease, self->own_pause_}});
        Run nobody;
        txn.ops.emplace_back(self->activity(nobody, "lane.paused", {{"reason", self->own_pause_}}));
        return txn;
      },
      [self](const Result<port::Committed>& done) {
        if (done) self->host_.activity_appended(self->scope_);
      });
  admit();
  probe();
}

// A lane that paused itself asks from time to time whether the credential is good again.
void Lane::probe() {
  if (probe_timer_ != 0 || stopping_) return;
  auto self = weak_from_this();
  probe_timer_ = ports_.executor.post_at(ports_.clock.mono() + policy_.breaker.open_max, [self] {
    const auto lane = self.lock();
    if (!lane) return;
    lane->probe_timer_ = 0;
    if (lane->stopping_ || lane->own_pause_.empty()) return;
    if (lane->paused_) return lane->probe();
    ++lane->outstanding_;
    lane->connector_->start({}, [lane](connector::Reply reply) {
      lane->ports_.executor.post([lane, reply = std::move(reply)] {
        --lane->outstanding_;
        lane->host_.count_attempt(connector::Operation::check, reply.outcome);
        if (lane->stopping_) return lane->maybe_stopped();
        if (reply.outcome != connector::Outcome::ok) return lane->probe();
        lane->own_pause_.clear();
        lane->commit(
            [lane] {
              auto txn = lane->transaction();
              txn.ops.emplace_back(port::op::PutLane{{lane->scope_,
                                                      lane->options_.node,
                                                      lane->epoch_,
                                                      lane->ports_.clock.wall() + lane->options_.lease,
                                                      {}}});
              Run nobody;
              txn.ops.emplace_back(lane->activity(nobody, "lane.resumed", {{"reason", "the check succeeded"}}));
              return txn;
            },
            [lane](const Result<port::Committed>& done) {
              if (done) lane->host_.activity_appended(lane->scope_);
            });
        lane->fill();
      });
    });
  });
}

port::Transaction Lane::transaction() {
  port::Transaction txn;
  txn.id = ports_.random.id<TxnId>(ports_.clock.wall());
  txn.reads.lanes.push_back({scope_, epoch_});
  return txn;
}

}  // namespace deprov::jobs
