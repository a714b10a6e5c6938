#include "engine/sources/source_poll.hpp"
#include <algorithm>
#include <boost/json/parse.hpp>
#include <utility>
#include "engine/sources/event_receiver.hpp"

namespace deprov::engine {

SourcePolls::~SourcePolls() { stop(); }

void SourcePolls::stop() {
  stopped_ = true;
  if (timer_ != 0) engine_.ports.executor.cancel(std::exchange(timer_, 0));
  engine_.syncs.clear();
  auto entries = std::exchange(entries_, {});
  for (auto& [id, entry] : entries) {
    if (entry.round) entry.round->abandon();
    for (auto& asked : entry.asked)
      asked.done(Error(Errc::closed, "the engine is shutting down", "source " + id.str()));
  }
}

void SourcePolls::watch(const port::Scope& scope) {
  auto rows = std::make_shared<std::vector<port::SourceRow>>();
  engine_.ports.store.view(
      [scope, rows](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(found, reader.sources(scope));
        *rows = std::move(found);
        return {};
      },
      [weak = weak_from_this(), &executor = engine_.ports.executor, scope, rows](Result<void> read) {
        executor.post([weak, scope, rows, read] {
          const auto self = weak.lock();
          if (!self || self->stopped_) return;
          // What cannot be read now is looked at with the next change, or the next start.
          if (!read) return;
          for (auto& [id, entry] : self->entries_)
            if (entry.scope == scope &&
                std::none_of(rows->begin(), rows->end(), [key = id](const auto& r) { return r.id == key; }))
              entry.gone = true;
          for (const auto& row : *rows)
            if (idp::find_feed_kind(row.kind) != nullptr) self->put(row);
          for (const auto& row : *rows)  // of another engine, too: it may be gone tomorrow
            if (row.kind == event_source_kind && !self->engine_.events->knows(row)) self->engine_.events->put(row);
          self->look();
        });
      });
}

void SourcePolls::forget(IntegrationId id) {
  for (auto& [source, entry] : entries_)
    if (entry.scope.integration == id) entry.gone = true;
  look();
}

void SourcePolls::put(const port::SourceRow& row) {
  const auto [it, fresh] = entries_.try_emplace(row.id);
  auto& entry = it->second;
  if (row.version < entry.version) return;  // read before what is known already
  entry.version = row.version;
  entry.scope = row.scope;
  entry.gone = false;
  put_hook(entry, row);
  if (entry.round) return;  // its end says when it is due
  entry.due = row.due;
  // A round of this engine that a crash broke off: nobody else waits for its claim to end.
  if (fresh && parse_poll_state(row).claimed_by == engine_.options.node) entry.due = engine_.now();
}

void SourcePolls::poll(const port::Scope& scope, SourceId source, std::string actor, PollSource how,
                       Done<json::object> done) {
  if (stopped_ || engine_.closing) return done(Error(Errc::closed, "the engine is shutting down"));
  auto& entry = entries_[source];
  if (entry.scope != scope) {  // not read by the schedule of this engine, or not yet
    entry.scope = scope;
    entry.due = {};
  }
  if (entry.asked.size() >= most_asked)
    return done(Error(Errc::busy, "8 wait for a round of this source already", "source " + source.str(),
                      "try again in a minute"));
  entry.asked.push_back({std::move(actor), how, std::move(done)});
  look();
}

void SourcePolls::reread(const port::Scope& scope, SourceHint what, Done<std::size_t> done) {
  struct Found {
    std::vector<std::pair<SourceId, std::string>> ids;
  };
  auto found = std::make_shared<Found>();
  engine_.ports.store.view(
      [scope, what, found](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(rows, reader.sources(scope));
        std::optional<port::ResourceRow> subject;
        if (what.subject) {
          DEPROV_TRY(row, reader.resource(scope, *what.subject));
          if (!row)
            return Error(Errc::not_found, "the integration has no such subject", "subject " + what.subject->str());
          subject = std::move(row);
        }
        bool there = !what.source.has_value();
        for (const auto& row : rows) {
          if (what.source && row.id != *what.source) continue;
          there = true;
          if (idp::find_feed_kind(row.kind) == nullptr) continue;
          auto id = what.id;
          if (id.empty() && subject) {
            boost::system::error_code ec;
            const auto config = json::parse(row.config, ec);
            if (ec || !config.is_object()) continue;
            DEPROV_TRY(parsed, parse_source_config(config.get_object()));
            id = link_of(parsed, *subject);
          }
          if (!id.empty()) found->ids.emplace_back(row.id, std::move(id));
        }
        if (!there)
          return Error(Errc::not_found, "the integration has no such source", "source " + what.source->str());
        return {};
      },
      [weak = weak_from_this(), &executor = engine_.ports.executor, found,
       done = std::move(done)](Result<void> read) mutable {
        executor.post([weak, found, read, done = std::move(done)]() mutable {
          if (!read) return done(read.error());
          const auto self = weak.lock();
          if (!self || self->stopped_) return done(Error(Errc::closed, "the engine is shutting down"));
          std::size_t asked = 0;
          for (const auto& [source, id] : found->ids) {
            const auto it = self->entries_.find(source);
            if (it == self->entries_.end() || it->second.gone) continue;  // another engine's, or just made
            if (it->second.hints.size() >= most_waiting)
              return done(Error(Errc::busy, "10,000 hints wait for this source", "source " + source.str()));
            it->second.hints.insert(id);
            ++asked;
          }
          self->look();
          done(asked);
        });
      });
}

// ---- what is started when

void SourcePolls::arm() {
  if (timer_ != 0) engine_.ports.executor.cancel(std::exchange(timer_, 0));
  if (stopped_ || !engine_.options.background) return;
  std::optional<WallTime> next;
  for (const auto& [id, entry] : entries_)
    for (const auto at : {entry.due, entry.called ? entry.not_before : WallTime{}})
      if (!entry.round && !entry.gone && at.micros != 0 && (!next || at < *next)) next = at;
  if (!next) return;
  const auto wait = std::max(*next - engine_.now(), Duration{0});
  timer_ = engine_.ports.executor.post_at(engine_.ports.clock.mono() + wait, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->timer_ = 0;
    self->look();
  });
}

void SourcePolls::look() {
  if (stopped_ || engine_.closing) return;
  std::erase_if(entries_,
                [](const auto& e) { return e.second.gone && !e.second.round && e.second.asked.empty(); });
  std::size_t running = 0;
  std::map<WorkspaceId, std::size_t> of_one;
  for (const auto& [id, entry] : entries_) {
    if (!entry.round) continue;
    ++running;
    ++of_one[entry.scope.workspace];
  }
  const auto now = engine_.now();
  std::vector<std::pair<WallTime, SourceId>> ready;
  for (const auto& [id, entry] : entries_) {
    if (entry.round) continue;
    const bool due = engine_.options.background && !entry.gone &&
                     ((entry.due.micros != 0 && entry.due <= now) || !entry.hints.empty() ||
                      (entry.called && entry.not_before <= now));
    if (!entry.asked.empty()) {
      ready.emplace_back(WallTime{}, id);  // people first
    } else if (due) {
      ready.emplace_back(entry.due, id);
    }
  }
  std::sort(ready.begin(), ready.end());
  bool full = false;
  for (const auto& [due, id] : ready) {
    auto& entry = entries_.at(id);
    if (running >= most_rounds || of_one[entry.scope.workspace] >= most_rounds_of_one) {
      full = true;  // the end of a round looks again
      continue;
    }
    ++running;
    ++of_one[entry.scope.workspace];
    start(id, entry);
  }
  if (!full) arm();
}

void SourcePolls::start(SourceId id, Entry& entry) {
  PollRound::Task task;
  task.scope = entry.scope;
  task.source = id;
  auto asked = std::make_shared<std::optional<Asked>>();
  if (!entry.asked.empty()) {
    asked->emplace(std::move(entry.asked.front()));
    entry.asked.pop_front();
    task.actor = (*asked)->actor;
    task.how = (*asked)->how;
  }
  if (!task.how.dry_run && entry.called && entry.not_before <= engine_.now()) {
    task.called = true;
    task.how.complete = task.how.complete || entry.everybody;
    entry.called = entry.everybody = false;
    entry.not_before = engine_.now() + calls_rest;
  }
  entry.hints.merge(entry.later);
  if (!task.how.dry_run) task.hints.assign(entry.hints.begin(), entry.hints.end());
  const auto hints = task.hints;
  entry.round = std::make_shared<PollRound>(engine_.shared_from_this(), std::move(task), entry.auth);
  entry.round->start([weak = weak_from_this(), id, asked, hints](PollRound::Ended result) {
    const auto self = weak.lock();
    if (self) self->ended(id, std::move(*asked), hints, std::move(result));
  });
}

void SourcePolls::ended(SourceId id, std::optional<Asked> asked, const std::vector<std::string>& hints,
                        PollRound::Ended result) {
  const auto it = entries_.find(id);
  if (it != entries_.end()) {
    auto& entry = it->second;
    // It may be what calls this.
    engine_.ports.executor.post([round = std::exchange(entry.round, {})] {});
    const bool dry = asked && asked->how.dry_run;
    if (!dry) {
      entry.due = result.due;
      if (result.due.micros == 0) entry.gone = true;
    }
    if (result.hints_done)
      for (const auto& hint : hints) entry.hints.erase(hint);
    // What could not be asked now is asked again when the source is read; it must not be asked at once for ever.
    if (!result.hints_done && !hints.empty()) {
      for (const auto& hint : hints) entry.hints.erase(hint);
      entry.later.insert(hints.begin(), hints.end());
    }
  }
  if (asked) {
    if (result.error) {
      asked->done(*result.error);
    } else {
      asked->done(std::move(result.report));
    }
  }
  look();
}

}  // namespace deprov::engine
