// One reading of one polled source, from its claim to what is stored of it.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <iterator>
#include <utility>
#include "engine/sources/source_poll.hpp"
#include "engine/sources/source_sync.hpp"
#include "jobs/backoff.hpp"

namespace deprov::engine {

namespace {
using Kind = idp::FeedFailureKind;
}  // namespace

Error error_of(const idp::FeedFailure& failure, const std::string& name) {
  const auto where = "source " + name;
  switch (failure.kind) {
    case Kind::throttled:
      return {Errc::rate_limited, failure.detail.empty() ? "it is throttled" : failure.detail, where,
              failure.retry_at ? "it is read again after " + to_rfc3339(*failure.retry_at) : "try again later"};
    case Kind::auth_failed:
      return {Errc::unavailable, "it refuses the credential: " + failure.detail, where,
              "give it one that is good: deprov source set"};
    case Kind::permission_denied:
      return {Errc::unavailable, "the credential may not read it: " + failure.detail, where,
              "give the client the scopes or the role that reading needs"};
    case Kind::expired_checkpoint:
      return {Errc::unavailable, "it does not know where to go on from: " + failure.detail, where};
    case Kind::unavailable: return {Errc::unavailable, failure.detail, where};
    case Kind::protocol: break;
  }
  return {Errc::protocol, failure.detail, where};
}

PollRound::PollRound(std::shared_ptr<Engine::Impl> engine, Task task, std::shared_ptr<PollAuth> auth)
    : engine_(std::move(engine)), task_(std::move(task)), auth_(std::move(auth)), begun_(engine_->now()) {}

void PollRound::abandon() {
  done_ = {};
  if (run_) run_->abandon();
  // Both hold this round by what they would tell it.
  run_.reset();
  sync_.reset();
  confirmed_ = {};
}

void PollRound::finish(Ended result) {
  if (!done_) return;
  auto done = std::move(done_);
  done_ = {};
  sync_.reset();  // which holds this round by what it has told it
  done(std::move(result));
}

void PollRound::start(port::UniqueFunction<void(Ended)> done) {
  done_ = std::move(done);
  auto self = shared_from_this();
  const auto look = [self](port::Reader& reader) -> Result<void> {
    DEPROV_TRY(row, reader.source(self->task_.scope, self->task_.source));
    if (!row) return Error(Errc::not_found, "the source is gone", "source " + self->task_.source.str());
    self->row_ = std::move(*row);
    self->state_ = parse_poll_state(self->row_);
    self->due_before_ = self->row_.due;
    if (self->task_.how.dry_run) return {};
    DEPROV_CHECK(self->find_owed(reader));
    const auto now = self->engine_->now();
    const bool another =
        !self->state_.claimed_by.empty() && self->state_.claimed_by != self->engine_->options.node;
    if (another && self->row_.due > now)
      return Error(Errc::conflict, "engine " + self->state_.claimed_by + " reads it now",
                   "source " + self->row_.name, "try again in a few minutes");
    if (!self->row_.work.is_nil())
      return Error(Errc::conflict, "what its last list changes is still being carried out, or waits for a person",
                   "source " + self->row_.name, "decide the hold where there is one, and try again later");
    return {};
  };
  if (task_.how.dry_run) {
    engine_->ports.store.view(look, [self](Result<void> read) {
      self->engine_->ports.executor.post([self, read] { self->claimed(read); });
    });
    return;
  }
  engine_->decide(
      [self, look](port::Reader& reader) -> Result<port::Transaction> {
        port::Transaction txn;
        DEPROV_CHECK(look(reader));
        const auto now = self->engine_->now();
        // What this engine claimed and does not read is what a crash broke off.
        const bool broken_off = self->state_.claimed_by == self->engine_->options.node;
        self->only_hints_ =
            self->task_.actor.empty() && !self->task_.called && self->row_.due > now && !broken_off;
        // Another engine was faster.
        if (self->only_hints_ && self->task_.hints.empty()) return txn;
        auto row = self->row_;
        auto state = self->state_;
        state.claimed_by = self->engine_->options.node;
        put_poll_text(row, to_text(state));
        row.due = now + claim;
        txn.id = self->engine_->new_id<TxnId>();
        txn.ops.emplace_back(port::op::PutSource{std::move(row)});
        return txn;
      },
      [self](const Result<port::Committed>& committed) {
        if (!committed) return self->claimed(committed.error());
        if (self->only_hints_ && self->task_.hints.empty())
          return self->finish({{}, {}, self->due_before_, false});
        ++self->row_.version;
        self->claimed(Result<void>());
      });
}

/// Whom it has to be read again for, as it is stored: a crash forgets what else asked for them.
Result<void> PollRound::find_owed(port::Reader& reader) {
  owed_.clear();
  DEPROV_TRY(subjects, reader.subjects_to_reread(task_.scope, task_.source, std::nullopt, most_hints + 1));
  if (subjects.rows.empty()) return {};
  boost::system::error_code ec;
  const auto config = json::parse(row_.config, ec);
  if (ec || !config.is_object()) return {};  // which the round will say itself
  const auto parsed = parse_source_config(config.get_object());
  if (!parsed) return {};
  for (const auto& subject : subjects.rows) {
    DEPROV_TRY(resource, reader.resource(task_.scope, subject));
    if (!resource || resource->deleted) continue;
    auto id = link_of(*parsed, *resource);
    if (id.empty()) continue;
    DEPROV_TRY(names, whom_it_names(reader, task_.scope, *parsed, subject, id));
    if (names == Names::subject) owed_.push_back(std::move(id));
  }
  return {};
}

void PollRound::claimed(const Result<void>& read) {
  if (!read) {
    const auto code = read.error().code();
    // What cannot be claimed now is looked at again in a while; its own work is mostly over in a moment, unless a
    // person has to decide.
    constexpr Duration longest = std::chrono::seconds(30);
    const auto since = engine_->now() - row_.attempted;
    const auto wait =
        row_.work.is_nil() ? longest : std::clamp<Duration>(since / 2, std::chrono::seconds(1), longest);
    const auto due = code == Errc::not_found ? WallTime{} : engine_->now() + jittered(wait);
    return finish({read.error(), {}, due, false});
  }
  renewed_ = engine_->now();
  if (auto ok = prepare(); !ok) {
    sync_ = std::make_shared<SourceSync>(engine_, "source:" + row_.name, task_.scope,
                                         BeginList{task_.how.dry_run, 0, std::nullopt, begun_});
    sync_->round(idp::FeedRoundKind::complete, false);
    sync_->adopt(row_);
    return fail(ok.error(), std::nullopt);
  }
  begin();
}

Result<void> PollRound::prepare() {
  DEPROV_TRY(config, unseal_source_config(*engine_, row_));
  DEPROV_TRY(feed, parse_feed_config(row_.kind, config));
  feed_ = std::make_shared<const FeedConfig>(std::move(feed));
  DEPROV_TRY(source, parse_source_config(config));
  config_ = std::move(source);
  config_.limits.max_pages = feed_->max_pages;
  if (const auto made_of = row_.config + row_.secrets; auth_->made_of != made_of || !auth_->auth) {
    auth_->auth = std::make_shared<FeedAuth>(engine_, feed_->credential, feed_->peer, feed_->timeout);
    auth_->made_of = made_of;
  }
  return {};
}

void PollRound::run(std::unique_ptr<idp::FeedRound> round, FeedRun::Sink sink,
                    port::UniqueFunction<void(FeedOutcome)> done) {
  run_ = std::make_shared<FeedRun>(engine_, feed_, auth_->auth, std::move(round), std::move(sink));
  run_->start([self = shared_from_this(), done = std::move(done)](FeedOutcome outcome) mutable {
    // The run is at its last words: it is let go when they are said.
    self->engine_->ports.executor.post([self, run = std::exchange(self->run_, {}), outcome = std::move(outcome),
                                        done = std::move(done)]() mutable {
      if (self->done_) done(std::move(outcome));
    });
  });
}

void PollRound::begin() {
  const bool due = state_.complete_at.micros == 0 || begun_ - state_.complete_at >= feed_->complete_every;
  const auto& traits = feed_->feed->traits();
  const auto asked = std::set<std::string>(task_.hints.begin(), task_.hints.end());
  std::copy_if(owed_.begin(), owed_.end(), std::back_inserter(task_.hints),
               [&](const auto& id) { return !asked.contains(id); });
  // Where one user cannot be read, the source is read sooner; not at each hint.
  if (only_hints_ && (row_.generation == 0 || !traits.rereads || state_.wants_complete))
    return postpone({Kind::protocol, "it is not asked for one user now", {}, {}});
  const bool everybody = task_.how.complete || task_.how.dry_run || !traits.changes || state_.checkpoint.empty() ||
                         state_.wants_complete || due || row_.generation == 0 || task_.hints.size() > most_hints ||
                         (!owed_.empty() && !traits.rereads);
  if (only_hints_) {
    to_read_ = task_.hints;
    hinted_.insert(to_read_.begin(), to_read_.end());
  }
  sync_ =
      std::make_shared<SourceSync>(engine_, task_.actor.empty() ? "source:" + row_.name : task_.actor, task_.scope,
                                   BeginList{task_.how.dry_run, task_.how.differences, std::nullopt, begun_});
  if (only_hints_) {
    sync_->round(idp::FeedRoundKind::subject, true);
    return read_next_hint();
  }
  if (everybody) return read_everybody();
  read_changes();
}

// ---- everybody

void PollRound::read_everybody() {
  if (!sync_) {
    sync_ = std::make_shared<SourceSync>(
        engine_, task_.actor.empty() ? "source:" + row_.name : task_.actor, task_.scope,
        BeginList{task_.how.dry_run, task_.how.differences, std::nullopt, begun_});
  }
  state_.round = "complete";
  sync_->round(idp::FeedRoundKind::complete, feed_->feed->traits().repeats);
  auto round = feed_->feed->begin({state_.checkpoint, true, begun_});
  if (!round) round = feed_->feed->begin({{}, true, begun_});
  auto shared = std::make_shared<Result<std::unique_ptr<idp::FeedRound>>>(std::move(round));
  sync_->begin(row_, config_, [self = shared_from_this(), shared](const Result<void>& ready) {
    if (!self->done_) return;
    if (!ready) return self->fail(ready.error(), std::nullopt);
    if (!*shared) return self->fail(shared->error(), std::nullopt);
    FeedRun::Sink sink;
    sink.page = [sync = self->sync_](std::string_view mark) { return sync->begin_page(mark); };
    sink.user = [sync = self->sync_](const idp::FeedUser& user) { return sync->take(user, false); };
    sink.between = [weak = self->weak_from_this()] {
      const auto reading = weak.lock();
      if (!reading || reading->task_.how.dry_run) return;
      const auto now = reading->engine_->now();
      if (now - reading->renewed_ < claim / 3) return;
      reading->renewed_ = now;
      reading->sync_->renew(now + claim);
    };
    self->run(std::move(**shared), std::move(sink), [self](const FeedOutcome& o) { self->everybody_read(o); });
  });
}

void PollRound::everybody_read(const FeedOutcome& outcome) {
  state_.quota = outcome.quota;
  if (outcome.failure) return failed(*outcome.failure);
  state_.checkpoint = outcome.checkpoint;
  state_.complete_at = begun_;
  state_.wants_complete = false;
  close_round(outcome);
}

// ---- what changed

void PollRound::keep(const idp::FeedUser& user, bool fresh) {
  if (user.state == idp::FeedState::hint) {
    if (hinted_.insert(std::string(user.id)).second) to_read_.emplace_back(user.id);
    return;
  }
  rows_.push_back({std::string(user.id), std::string(user.external_id), std::string(user.user_name),
                   std::string(user.email), user.state, user.cause, user.changed, fresh});
}

FeedRun::Sink PollRound::keeping_sink(bool fresh) {
  FeedRun::Sink sink;
  sink.page = [self = shared_from_this(), fresh](std::string_view mark) -> Result<void> {
    if (fresh || self->marks_.insert(std::string(mark)).second) return {};
    return Error(Errc::protocol, "a page came a second time, so that another may not have come at all",
                 "the changes");
  };
  sink.user = [self = shared_from_this(), fresh](const idp::FeedUser& user) -> Result<void> {
    if (user.id.empty()) return Error(Errc::protocol, "a user without an id", "the changes");
    if (self->rows_.size() + self->to_read_.size() >= most_changed)
      return Error(Errc::limit_exceeded, "more than " + std::to_string(most_changed) + " changes in one round",
                   "the changes");
    self->keep(user, fresh);
    return {};
  };
  return sink;
}

void PollRound::read_changes() {
  state_.round = "changes";
  sync_->round(idp::FeedRoundKind::changes, true);
  auto round = feed_->feed->begin({state_.checkpoint, false, begun_});
  if (!round || (*round)->kind() == idp::FeedRoundKind::complete) {
    if (!round) state_.checkpoint.clear();
    return read_everybody();
  }
  // Those who were hinted at from elsewhere are read beside what the round itself shows.
  if (feed_->feed->traits().rereads)
    for (const auto& id : task_.hints)
      if (hinted_.insert(id).second) to_read_.push_back(id);
  run(std::move(*round), keeping_sink(false),
      [self = shared_from_this()](FeedOutcome o) { self->changes_read(std::move(o)); });
}

void PollRound::changes_read(FeedOutcome outcome) {
  outcome_ = std::move(outcome);
  state_.quota = outcome_.quota;
  const bool resync = outcome_.failure && outcome_.failure->kind == Kind::expired_checkpoint;
  const bool too_many = to_read_.size() > most_hints || (!to_read_.empty() && !feed_->feed->traits().rereads);
  if (resync || (!outcome_.failure && too_many)) {
    rows_.clear();
    to_read_.clear();
    state_.checkpoint.clear();
    state_.wants_complete = true;
    begun_ = engine_->now();
    sync_.reset();
    return read_everybody();
  }
  if (outcome_.failure) return failed(*outcome_.failure);
  state_.checkpoint = outcome_.checkpoint;
  if (state_.checkpoint.empty()) state_.wants_complete = true;
  read_next_hint();
}

void PollRound::read_next_hint() {
  if (to_read_.empty()) return apply();
  const auto id = to_read_.back();
  to_read_.pop_back();
  auto round = feed_->feed->reread(id, engine_->now());
  if (!round) return read_next_hint();
  run(std::move(round), keeping_sink(true),
      [self = shared_from_this()](const FeedOutcome& o) { self->hint_read(o); });
}

void PollRound::hint_read(const FeedOutcome& outcome) {
  state_.quota = outcome.quota;
  if (outcome.failure) {
    // One user who cannot be read must not keep all the others from being heard of.
    const auto kind = outcome.failure->kind;
    if (kind != Kind::throttled && kind != Kind::unavailable) state_.wants_complete = true;
    return failed(*outcome.failure);
  }
  // What was said of somebody else was not asked for.
  std::erase_if(rows_, [&](const Owned& row) { return row.fresh && !hinted_.contains(row.id); });
  read_next_hint();
}

void PollRound::apply() {
  if (rows_.empty()) {
    sync_->adopt(row_);
    return close_round(outcome_);
  }
  sync_->begin(row_, config_, [self = shared_from_this()](const Result<void>& ready) {
    if (!self->done_) return;
    if (!ready && ready.error().code() == Errc::store_corrupt && !self->only_hints_) {
      self->state_.wants_complete = true;
      self->rows_.clear();
      self->begun_ = self->engine_->now();
      self->sync_.reset();
      return self->read_everybody();
    }
    if (!ready) return self->fail(ready.error(), std::nullopt);
    for (const auto& row : self->rows_) {
      const idp::FeedUser user{row.id,    row.external_id, row.user_name, row.email,
                               row.state, row.cause,       row.changed};
      if (!self->sync_->take(user, row.fresh)) break;  // the first failure stays, and the end tells it
    }
    self->close_round(self->outcome_);
  });
}

// ---- the end

Duration PollRound::jittered(Duration interval) const {
  const auto tenth = static_cast<std::uint64_t>(std::max<std::int64_t>(1, interval.count() / 10));
  return interval - Duration(static_cast<std::int64_t>(tenth)) +
         Duration(static_cast<std::int64_t>(engine_->ports.random.below(2 * tenth + 1)));
}

RoundEnd PollRound::round_end(const FeedOutcome& outcome) const {
  RoundEnd end;
  const auto now = engine_->now();
  const bool complete = state_.round == "complete";
  end.total = complete ? outcome.total : std::nullopt;
  end.records = outcome.records;
  end.asked_for = !task_.actor.empty();
  auto state = state_;
  state.claimed_by.clear();
  state.waits.clear();
  if (complete) state.unsaid.clear();
  if (only_hints_) {  // it is read when it was due before
    end.poll = end.quiet_poll = to_text(state);
    end.due = end.quiet_due = due_before_;
    return end;
  }
  const auto present = state.interval.count() == 0 ? feed_->ceiling : state.interval;
  const auto spared = now + wait_for_quota(outcome.quota, feed_->quota_reserve_percent, now);
  if (!complete && state.wants_complete) {
    // Something changed, and only reading everybody shows of whom: it does not wait for another poll.
    state.interval = std::clamp(present / 2, feed_->floor, feed_->ceiling);
    end.poll = end.quiet_poll = to_text(state);
    end.due = end.quiet_due = std::max({now, state.complete_at + feed_->floor, spared});
    return end;
  }
  state.interval = std::clamp(present / 2, feed_->floor, feed_->ceiling);
  end.poll = to_text(state);
  end.due = std::max(now + jittered(state.interval), spared);
  state.interval = std::clamp(present + present / 2, feed_->floor, feed_->ceiling);
  end.quiet_poll = to_text(state);
  end.quiet_due = std::max(now + jittered(state.interval), spared);
  return end;
}

void PollRound::close_round(const FeedOutcome& outcome) {
  const auto end = round_end(outcome);
  auto self = shared_from_this();
  after_failure_ = state_;
  after_failure_.claimed_by.clear();
  // A list that does not count is read again whole.
  after_failure_.wants_complete = state_.wants_complete || state_.round == "complete";
  if (!only_hints_) after_failure_.checkpoint = parse_poll_state(row_).checkpoint;
  const auto retry = jobs::backoff({feed_->floor, feed_->ceiling}, row_.failures + 1, {}, engine_->ports.random);
  retry_at_ = engine_->now() + retry;
  sync_->after_failure(retry_at_, to_text(after_failure_));
  const auto report = [self, end, retry](Result<json::object> stored) {
    if (!stored) return self->release({stored.error(), {}, self->engine_->now() + retry, false});
    Ended ended;
    ended.due = std::min(end.due, end.quiet_due);
    ended.hints_done = true;
    ended.report = std::move(*stored);
    ended.report["round"] = self->state_.round.empty() ? "subjects" : self->state_.round;
    json::object quota;
    if (self->state_.quota.remaining) quota["remaining"] = *self->state_.quota.remaining;
    if (self->state_.quota.limit) quota["limit"] = *self->state_.quota.limit;
    if (self->state_.quota.reset_at) quota["reset_at"] = to_rfc3339(*self->state_.quota.reset_at);
    ended.report["quota"] = std::move(quota);
    self->finish(std::move(ended));
  };
  const bool nobody = state_.round != "complete" && rows_.empty();
  const auto sync = sync_;  // until it has returned
  if (feed_->feed->traits().rereads) {
    sync->confirm_with([self](std::vector<std::string> ids, Done<SourceSync::Confirmed> done) {
      self->confirm(std::move(ids), std::move(done));
    });
  }
  if (nobody) return sync->quiet(end, report);
  sync->end_round(end, report);
}

void PollRound::failed(const idp::FeedFailure& failure) {
  const auto recent = row_.succeeded.micros != 0 && engine_->now() - row_.succeeded < 4 * feed_->ceiling;
  // To be left alone for a while is no failure, as long as what is known is recent.
  if (failure.kind == Kind::throttled && recent && !task_.how.dry_run && row_.failing_since.micros == 0)
    return postpone(failure);
  if (only_hints_) return postpone(failure);  // what a whole round shows is another matter
  if (state_.round == "complete") state_.wants_complete = true;
  if (sync_->source().is_nil()) sync_->adopt(row_);
  fail(error_of(failure, row_.name), failure.retry_at);
}

void PollRound::postpone(const idp::FeedFailure& failure) {
  auto self = shared_from_this();
  const auto until = std::max(failure.retry_at.value_or(WallTime{}), engine_->now() + feed_->floor);
  auto due = until + Duration(static_cast<std::int64_t>(
                         engine_->ports.random.below(static_cast<std::uint64_t>(feed_->floor.count()))));
  if (only_hints_ && !failure.retry_at) due = std::min(due, due_before_);
  const auto error = error_of(failure, row_.name);
  const bool again = failure.kind == Kind::throttled || failure.kind == Kind::unavailable;
  const auto stored = std::make_shared<WallTime>(due);
  engine_->decide(
      [self, due, stored, error](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(row, reader.source(self->task_.scope, self->task_.source));
        port::Transaction txn;
        if (!row) return txn;
        auto state = parse_poll_state(*row);
        state.claimed_by.clear();
        state.quota = self->state_.quota;
        if (!self->only_hints_) state.waits = error.message().substr(0, 500);
        put_poll_text(*row, to_text(state));
        row->due = *stored = self->due_of(*row, due);
        txn.id = self->engine_->new_id<TxnId>();
        txn.ops.emplace_back(port::op::PutSource{std::move(*row)});
        return txn;
      },
      [self, stored, error, again](const Result<port::Committed>&) {
        self->finish({error, {}, *stored, !again});
      });
}

void PollRound::fail(Error why, std::optional<WallTime> not_before) {
  auto state = parse_poll_state(row_);
  state.claimed_by.clear();
  state.waits.clear();
  state.wants_complete = state_.wants_complete;
  state.quota = state_.quota;
  const policy::Retry retry{feed_ ? feed_->floor : Duration(std::chrono::minutes(5)),
                            feed_ ? feed_->ceiling : Duration(std::chrono::hours(1))};
  auto due = engine_->now() + jobs::backoff(retry, row_.failures + 1, {}, engine_->ports.random);
  if (not_before) due = std::max(due, *not_before);
  sync_->after_failure(due, to_text(state));
  auto self = shared_from_this();
  const auto sync = sync_;  // until it has returned
  sync->fail(why, [self, why, due] { self->release({why, {}, due, false}); });
}

/// What was changed while it was read is read again soon, by what it is told now.
WallTime PollRound::due_of(const port::SourceRow& now, WallTime planned) const {
  if (now.config == row_.config && now.secrets == row_.secrets) return planned;
  return std::min(planned, engine_->now() + jittered(std::chrono::seconds(10)));
}

/// A round that stored nothing gives its claim up, also where what it would have stored does not count.
void PollRound::release(Ended ended) {
  if (!done_) return;
  if (task_.how.dry_run) return finish(std::move(ended));
  auto self = shared_from_this();
  auto result = std::make_shared<Ended>(std::move(ended));
  const auto planned = result->due;
  engine_->decide(
      [self, result, planned](port::Reader& reader) -> Result<port::Transaction> {
        port::Transaction txn;
        DEPROV_TRY(row, reader.source(self->task_.scope, self->task_.source));
        if (!row) return txn;
        auto state = parse_poll_state(*row);
        result->due = self->due_of(*row, planned);
        if (state.claimed_by != self->engine_->options.node) return txn;
        state.claimed_by.clear();
        put_poll_text(*row, to_text(state));
        row->due = result->due;
        txn.id = self->engine_->new_id<TxnId>();
        txn.ops.emplace_back(port::op::PutSource{std::move(*row)});
        return txn;
      },
      [self, result](const Result<port::Committed>&) { self->finish(std::move(*result)); });
}

}  // namespace deprov::engine
