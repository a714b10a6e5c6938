// How a complete list becomes the last one: written beside the old one in pieces, then made current at once, in
// the transaction that also stores the work which its changes call for.
#include <algorithm>
#include <bit>
#include <utility>
#include "engine/decision.hpp"
#include "engine/sources/source_sync.hpp"

namespace deprov::engine {

namespace {
constexpr std::uint64_t users_a_place = 512;
constexpr std::size_t pieces_a_transaction = 16;
constexpr std::size_t pruned_at_once = 256;
constexpr std::size_t print_bytes = 24;

/// How many pieces: as before, while these are neither tiny nor large.
std::uint32_t places_for(std::uint64_t users, std::uint32_t before) {
  if (before != 0 && users / before <= 4 * users_a_place && (before == 1 || users / before >= users_a_place / 4))
    return before;
  return static_cast<std::uint32_t>(std::bit_ceil(std::max<std::uint64_t>(1, users / users_a_place)));
}

void append(std::string& out, const idp::UserPrint& user) {
  for (const auto word : {user.id.high, user.id.low, user.state})
    for (unsigned i = 0; i < 8; ++i) out.push_back(static_cast<char>((word >> (8 * i)) & 0xFFU));
}

/// The end of the users that belong to `place`, from `from` on.
std::size_t end_of(const std::vector<idp::UserPrint>& users, std::size_t from, std::uint32_t place,
                   std::uint32_t places) {
  if (places == 1) return users.size();
  const auto shift = 64 - std::bit_width(places - 1);
  while (from < users.size() && (users[from].id.high >> shift) == place) ++from;
  return from;
}
}  // namespace

Result<port::SourceRow> SourceSync::mine(port::Reader& reader) const {
  DEPROV_TRY(row, reader.source(scope_, row_->id));
  if (!row) return Error(Errc::not_found, "the source is gone", "source " + row_->id.str());
  if (row->version != row_->version)
    return Error(Errc::conflict, "another list of this source came in between, or the source was changed",
                 "source " + row_->name, "hand the list in again");
  return std::move(*row);
}

void SourceSync::commit(std::vector<port::Op> ops, port::UniqueFunction<void(Result<port::Committed>)> done) {
  if (impl_->closing)
    return done(Error(Errc::closed, "the engine is shutting down", "list " + id_.str(), "hand it in again"));
  auto self = shared_from_this();
  auto shared = std::make_shared<const std::vector<port::Op>>(std::move(ops));
  impl_->decide(
      [self, shared](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(row, self->mine(reader));
        row.attempted = self->begun_;
        port::Transaction txn;
        txn.id = self->impl_->new_id<TxnId>();
        txn.ops.emplace_back(port::op::PutSource{std::move(row)});
        txn.ops.insert(txn.ops.end(), shared->begin(), shared->end());
        return txn;
      },
      [self, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (committed) ++self->row_->version;
        done(std::move(committed));
      });
}

// What an attempt that broke off left must not be taken for a part of this list.
void SourceSync::prune(port::UniqueFunction<void(Result<void>)> then) {
  auto self = shared_from_this();
  commit({port::op::PruneSourcePieces{scope_, row_->id, row_->base, row_->generation, pruned_at_once}},
         [self, then = std::move(then)](Result<port::Committed> committed) mutable {
           if (!committed) return then(committed.error());
           const bool more =
               committed->pieces_pruned.empty() || committed->pieces_pruned.front() == pruned_at_once;
           if (more) return self->prune(std::move(then));
           then({});
         });
}

void SourceSync::stage() {
  places_ = places_for(after_->size(), before_ ? row_->places : 0);
  rewrite_ = !before_ || places_ != row_->places;
  after_->save([this](std::string_view bytes) {
    if (header_.empty()) header_ = std::string(bytes.substr(0, snapshot_header_bytes));
  });
  auto self = shared_from_this();
  prune([self](const Result<void>& pruned) {
    if (!pruned) return self->done_(pruned.error());
    self->write_pieces();
  });
}

std::vector<port::Op> SourceSync::next_pieces() {
  std::vector<port::Op> ops;
  port::SourcePieceRow piece;
  piece.scope = scope_;
  piece.source = row_->id;
  piece.generation = row_->generation + 1;
  static const std::vector<idp::UserPrint> nobody;
  const auto& after = after_->users();
  const auto& before = rewrite_ ? nobody : before_->users();
  for (; place_ < places_ && ops.size() < pieces_a_transaction; ++place_) {
    const auto after_end = end_of(after, at_after_, place_, places_);
    const auto before_end = end_of(before, at_before_, place_, places_);
    const auto at = [](const auto& v, std::size_t i) { return v.begin() + static_cast<std::ptrdiff_t>(i); };
    const bool same = !rewrite_ && std::equal(at(after, at_after_), at(after, after_end), at(before, at_before_),
                                              at(before, before_end));
    if (!same) {
      piece.place = place_;
      piece.bytes.clear();
      piece.bytes.reserve((after_end - at_after_) * print_bytes);
      for (; at_after_ < after_end; ++at_after_) append(piece.bytes, after[at_after_]);
      ops.emplace_back(port::op::PutSourcePiece{piece});
    }
    at_after_ = after_end;
    at_before_ = before_end;
  }
  piece.part = port::SourcePart::changes;
  for (; change_ < changes_.size() && ops.size() < pieces_a_transaction; change_ += changes_a_piece) {
    const auto* first = changes_.data() + change_;
    piece.place = static_cast<std::uint32_t>(change_ / changes_a_piece);
    piece.bytes = encode_changes(first, first + std::min(changes_a_piece, changes_.size() - change_));
    ops.emplace_back(port::op::PutSourcePiece{piece});
  }
  return ops;
}

void SourceSync::write_pieces() {
  auto ops = next_pieces();
  if (ops.empty()) return make_last();
  auto self = shared_from_this();
  commit(std::move(ops), [self](const Result<port::Committed>& committed) {
    if (!committed) return self->done_(committed.error());
    self->write_pieces();
  });
}

void SourceSync::make_last() {
  if (impl_->closing)
    return done_(Error(Errc::closed, "the engine is shutting down", "list " + id_.str(), "hand it in again"));
  auto self = shared_from_this();
  if (!changes_.empty()) work_ = impl_->new_id<WorkId>();
  impl_->decide(
      [self](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(row, self->mine(reader));
        port::Transaction txn;
        txn.id = self->impl_->new_id<TxnId>();
        const bool failed = row.failing_since.micros != 0;
        ++row.generation;
        if (self->rewrite_) row.base = row.generation;
        row.places = self->places_;
        row.header = self->header_;
        row.users = self->after_->size();
        row.begun = row.attempted = self->begun_;
        row.work = self->work_;
        if (self->round_) {
          put_poll_text(row, self->round_end_.poll);
          row.due = self->round_end_.due;
        }
        const bool of_some = self->round_ == idp::FeedRoundKind::subject;  // says nothing of the source's health
        if (!of_some) {
          row.succeeded = self->impl_->now();
          row.failing_since = {};
          row.failure.clear();
          row.failures = 0;
        }
        if (!self->work_.is_nil()) {
          port::WorkRow work;
          work.scope = self->scope_;
          work.id = self->work_;
          work.group = ResourceId{row.id.value};  // what is set aside stands in nobody else's way
          work.kind = std::string(source_work);
          work.payload =
              to_text({row.id, row.name, self->id_.str(), row.generation, self->begun_, self->config_.inactive});
          work.total = self->changes_.size();
          work.created = self->impl_->now();
          txn.ops.emplace_back(port::op::PutWork{std::move(work)});
        }
        auto detail = self->report();
        detail.erase("differences");
        detail["source"] = row.id.str();
        detail["name"] = row.name;
        if (failed && !of_some)
          txn.ops.emplace_back(self->impl_->activity(self->scope_, std::string(source_recovered_event),
                                                     self->actor_,
                                                     {{"source", row.id.str()}, {"name", row.name}}));
        // Who polls looks often, and mostly sees what needs no telling.
        if (!self->round_ || self->round_end_.asked_for || !self->before_ || !self->changes_.empty())
          txn.ops.emplace_back(self->impl_->activity(self->scope_, "source.sync_completed", self->actor_, detail));
        txn.ops.emplace_back(port::op::PutSource{std::move(row)});
        return txn;
      },
      [self](const Result<port::Committed>& committed) {
        if (!committed) return self->done_(committed.error());
        auto& row = *self->row_;
        ++row.version;
        ++row.generation;
        if (self->rewrite_) row.base = row.generation;
        self->impl_->notify(self->scope_);
        // The old pieces are of no use any more; where they could not be removed, the next list takes them away.
        self->prune([self](const Result<void>&) {
          self->impl_->poke(self->scope_);
          self->done_(self->report());
        });
      });
}

// A round that showed nothing new: only that it was read.
void SourceSync::touch() {
  auto self = shared_from_this();
  impl_->decide(
      [self](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(row, self->mine(reader));
        port::Transaction txn;
        txn.id = self->impl_->new_id<TxnId>();
        const bool of_some = self->round_ == idp::FeedRoundKind::subject;  // says nothing of the source's health
        if (row.failing_since.micros != 0 && !of_some)
          txn.ops.emplace_back(self->impl_->activity(self->scope_, std::string(source_recovered_event),
                                                     self->actor_,
                                                     {{"source", row.id.str()}, {"name", row.name}}));
        if (self->round_end_.asked_for) {
          auto detail = self->report();
          detail.erase("differences");
          detail["source"] = row.id.str();
          detail["name"] = row.name;
          txn.ops.emplace_back(self->impl_->activity(self->scope_, "source.sync_completed", self->actor_, detail));
        }
        row.attempted = self->begun_;
        if (!of_some) {
          row.succeeded = self->impl_->now();
          row.failing_since = {};
          row.failure.clear();
          row.failures = 0;
        }
        put_poll_text(row, self->round_end_.quiet_poll);
        row.due = self->round_end_.quiet_due;
        txn.ops.emplace_back(port::op::PutSource{std::move(row)});
        return txn;
      },
      [self](const Result<port::Committed>& committed) {
        if (!committed) return self->done_(committed.error());
        self->impl_->notify(self->scope_);
        self->impl_->poke(self->scope_);  // what was frozen may go on
        self->done_(self->report());
      });
}

void SourceSync::refuse(Error why) {
  auto self = shared_from_this();
  why = blamed(std::move(why));
  record_failure(why, [self, why] { self->done_(why); });
}

void SourceSync::fail(Error why, port::UniqueFunction<void()> done) {
  ended_ = true;
  if (renewing_) {
    renewed_ = [self = shared_from_this(), why = std::move(why), done = std::move(done)]() mutable {
      self->record_failure(std::move(why), std::move(done));
    };
    return;
  }
  record_failure(std::move(why), std::move(done));
}

void SourceSync::record_failure(Error why, port::UniqueFunction<void()> done) {
  if (!row_ || how_.dry_run) return done();
  auto self = shared_from_this();
  impl_->decide(
      [self, text = why.message().substr(0, 1000)](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(row, self->mine(reader));
        port::Transaction txn;
        txn.id = self->impl_->new_id<TxnId>();
        if (self->round_ == idp::FeedRoundKind::subject) {
          put_poll_text(row, self->failure_poll_);
          row.due = self->failure_due_;
          txn.ops.emplace_back(port::op::PutSource{std::move(row)});
          return txn;
        }
        const json::object detail{
            {"source", row.id.str()}, {"name", row.name}, {"list", self->id_.str()}, {"reason", text}};
        // What fails again and again for one reason is told once.
        if (!self->round_ || row.failing_since.micros == 0 || row.failure != text)
          txn.ops.emplace_back(self->impl_->activity(self->scope_, "source.sync_refused", self->actor_, detail));
        if (row.failing_since.micros == 0) {
          row.failing_since = self->impl_->now();
          txn.ops.emplace_back(
              self->impl_->activity(self->scope_, std::string(source_unhealthy_event), self->actor_, detail));
        }
        row.attempted = self->begun_;
        row.failure = text;
        ++row.failures;
        if (self->round_) {
          put_poll_text(row, self->failure_poll_);
          row.due = self->failure_due_;
        }
        txn.ops.emplace_back(port::op::PutSource{std::move(row)});
        return txn;
      },
      [self, done = std::move(done)](const Result<port::Committed>& committed) mutable {
        if (committed) self->impl_->notify(self->scope_);
        done();
      });
}

}  // namespace deprov::engine
