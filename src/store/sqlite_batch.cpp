#include "sqlite_batch.hpp"
#include <sqlite3.h>
#include <algorithm>
#include <cstring>
#include "problems.hpp"

namespace deprov::store {

using namespace port;

namespace {

constexpr std::size_t wal_frame_bytes = 4096 + 24;

std::size_t texts_of(const Op& op) {
  return std::visit(
      [](const auto& o) -> std::size_t {
        using T = std::decay_t<decltype(o)>;
        if constexpr (std::is_same_v<T, op::PutResource>) {
          return o.row.document.size() + o.row.external_id.size() + o.row.user_name_key.size() +
                 o.row.display_name_key.size() + 64 * o.row.email_keys.size();
        } else if constexpr (std::is_same_v<T, op::PutJob>) {
          return o.row.plan.size() + o.row.reason.size();
        } else if constexpr (std::is_same_v<T, op::PutWork>) {
          return o.row.payload.size() + o.row.cursor.size();
        } else if constexpr (std::is_same_v<T, op::PutDue>) {
          return o.row.payload.size();
        } else if constexpr (std::is_same_v<T, op::AppendActivity>) {
          return o.detail.size() + o.event.size() + o.actor.size();
        } else if constexpr (std::is_same_v<T, op::PutIntegration>) {
          return o.row.config.size() + o.row.secrets.size() + o.row.settings.size() + o.row.policy.size();
        } else if constexpr (std::is_same_v<T, op::PutSourcePiece>) {
          return o.row.bytes.size();
        } else if constexpr (std::is_same_v<T, op::PutCheckpoint>) {
          return o.value.size();
        } else {
          return 0;
        }
      },
      op);
}

}  // namespace

std::size_t WriteItem::bytes() const noexcept {
  std::size_t n = sizeof(WriteItem);
  if (txn) {
    n += txn->ops.size() * sizeof(Op) + txn->reads.resources.size() * sizeof(ReadSet::ResourceVersion) +
         txn->reads.subjects.size() * sizeof(ReadSet::SubjectVersion);
    for (const auto& op : txn->ops) n += texts_of(op);
  }
  return n;
}

void WriteItem::finish() {
  if (lookup) return done_lookup(std::move(*found));
  done(std::move(*result));
}

void WriteItem::fail(Error error) {
  if (lookup) return done_lookup(std::move(error));
  done(std::move(error));
}

BatchWriter::BatchWriter(std::unique_ptr<Connection> connection, const Crypto& crypto,
                         const SqliteStoreOptions& options)
    : c_(std::move(connection)),
      writer_(std::make_unique<SqliteWriter>(*c_, crypto)),
      checkpoint_pages_(std::max<std::size_t>(options.checkpoint_pages, 16)),
      remembered_batches_(options.remembered_batches) {
  sqlite3_exec(c_->handle(),
               ("PRAGMA journal_size_limit=" + std::to_string(checkpoint_pages_ * wal_frame_bytes)).c_str(),
               nullptr, nullptr, nullptr);
  sqlite3_wal_hook(
      c_->handle(),
      [](void* self, sqlite3*, const char*, int pages) {
        auto& w = *static_cast<BatchWriter*>(self);
        const auto now = static_cast<std::uint64_t>(pages);
        const bool anew = now <= w.wal_pages_;  // a commit writes at least one page
        w.stats_.wal_bytes += (anew ? now : now - w.wal_pages_) * wal_frame_bytes;
        if (anew) w.wal_moved_ = w.wal_tried_ = 0;
        w.wal_pages_ = now;
        return SQLITE_OK;
      },
      this);
}

BatchWriter::~BatchWriter() = default;

void BatchWriter::close() {
  writer_.reset();
  c_.reset();
}

StoreStats BatchWriter::stats() const {
  auto stats = stats_;
  stats.statements = c_->statements();
  stats.rows = c_->rows_written();
  return stats;
}

void BatchWriter::fail_batch(std::span<WriteItem> batch, const Error& error) {
  for (auto& item : batch) {
    if (item.lookup) {
      item.found = error;
    } else {
      item.result = error;
    }
  }
}

void BatchWriter::count_failure(const Error& error) {
  if (error.code() == Errc::busy) return;  // somebody else's lock: nothing is wrong with the disk
  ++stats_.failures;
  stats_.failing = true;
}

void BatchWriter::roll_back() {
  c_->clear_failure();
  if (c_->in_transaction()) sqlite3_exec(c_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  writer_->forget();
}

void BatchWriter::run(std::span<WriteItem> batch) {
  if (attempt(batch, false) == Outcome::again_with_savepoints) {
    roll_back();
    attempt(batch, true);
  }
  for (auto& item : batch)
    if (item.result && !*item.result && item.result->error().code() == Errc::stale_read) ++stats_.conflicts;
}

Result<void> BatchWriter::apply(WriteItem& item, bool careful, bool& late) {
  if (!item.txn) {
    DEPROV_TRY(reader, writer_->reader());
    auto decided = item.body(*reader);
    DEPROV_CHECK(c_->check());
    if (!decided) {
      item.result = decided.error();
      return {};
    }
    item.txn = std::move(*decided);
  }
  auto applied = writer_->apply(*item.txn, careful);
  DEPROV_CHECK(c_->check());
  late = applied.late;
  item.result = std::move(applied.result);
  return {};
}

BatchWriter::Outcome BatchWriter::attempt(std::span<WriteItem> batch, bool careful) {
  if (unsettled_) {
    if (auto settled = settle(); !settled) {
      roll_back();
      fail_batch(batch, settled.error());
      return Outcome::done;
    }
  }
  std::size_t applied = 0;
  const auto work = [&](bool& again) -> Result<void> {
    DEPROV_CHECK(c_->run(Q::begin_immediate));
    for (auto& item : batch) {
      if (item.lookup) continue;
      if (careful && item.result && !item.txn) continue;  // its body decided against it, which it does once
      bool late = false;
      DEPROV_CHECK(apply(item, careful, late));
      if (late) {
        again = true;
        return {};
      }
      if (*item.result) ++applied;
    }
    if (applied > 0) {
      DEPROV_CHECK(writer_->flush());
      DEPROV_CHECK(record(batch));
    }
    return {};
  };
  bool again = false;
  if (auto result = work(again); !result) {
    const auto error = result.error();
    roll_back();
    fail_batch(batch, error);
    count_failure(error);
    return Outcome::done;
  }
  if (again) return Outcome::again_with_savepoints;

  if (applied == 0) {
    roll_back();
  } else if (auto committed = c_->run(Q::commit); !committed) {
    auto error = committed.error();
    if (error.code() != Errc::storage_full && error.code() != Errc::busy) {
      unsettled_ = true;
      error = Error(Errc::commit_unknown, "the commit failed and may still have happened: " + error.detail(),
                    error.where(), "look the transaction up by its id");
    }
    roll_back();
    count_failure(error);
    for (auto& item : batch)
      if (!item.lookup && *item.result) item.result = error;
  } else {
    stats_.commits += applied;
    ++stats_.batches;
    stats_.failing = false;
  }
  for (auto& item : batch) {
    if (!item.lookup) continue;
    if (unsettled_) {
      if (auto settled = settle(); !settled) {
        roll_back();
        item.found = settled.error();
        continue;
      }
    }
    item.found = look_up(*item.lookup);
    c_->clear_failure();
  }
  return Outcome::done;
}

/// After a COMMIT that failed: its frames may lie in the log and come back at the next start. A commit that
/// does succeed takes their place, and what is then not in the tables never will be.
Result<void> BatchWriter::settle() {
  c_->clear_failure();
  DEPROV_CHECK(c_->run(Q::begin_immediate));
  DEPROV_CHECK(record({}));
  DEPROV_CHECK(c_->run(Q::commit));
  unsettled_ = false;
  return {};
}

Result<void> BatchWriter::record(std::span<WriteItem> batch) {
  std::string ids;
  ids.reserve(batch.size() * sizeof(Uuid));
  for (const auto& item : batch) {
    if (item.lookup || !*item.result) continue;
    ids.append(reinterpret_cast<const char*>(item.txn->id.value.bytes.data()), sizeof(Uuid));
  }
  {
    Use use(*c_, Q::batch_insert);
    use.bind_blob(ids.data(), ids.size());
    DEPROV_CHECK(use.write());
  }
  const auto pruned = c_->last_rowid() - static_cast<std::int64_t>(remembered_batches_);
  if (pruned > 0) {
    Use use(*c_, Q::batch_prune, pruned);
    DEPROV_CHECK(use.write());
  }
  return {};
}

Result<bool> BatchWriter::look_up(TxnId id) {
  Use use(*c_, Q::batch_all);
  while (use.row()) {
    const auto ids = use.text();
    for (std::size_t at = 0; at + sizeof(Uuid) <= ids.size(); at += sizeof(Uuid))
      if (std::memcmp(ids.data() + at, id.value.bytes.data(), sizeof(Uuid)) == 0) return true;
  }
  DEPROV_CHECK(c_->check());
  return false;
}

void BatchWriter::checkpoint() {
  if (!c_) return;
  // Far beyond the limit: wait for the readers of old views, so that the log begins anew.
  const bool overgrown = wal_pages_ > 4 * checkpoint_pages_;
  if (!overgrown && wal_pages_ - wal_moved_ < checkpoint_pages_) return;
  // A reader with an old view keeps a checkpoint from ending; each try costs, so not after every batch.
  if (wal_tried_ > 0 && wal_pages_ < wal_tried_ + checkpoint_pages_ / 4) return;
  int in_log = 0;
  int moved = 0;
  // A checkpoint that fails loses nothing: what is in the log stays valid, and the next one tries again. Where
  // the disk is the reason, the next commit answers so.
  const int rc = sqlite3_wal_checkpoint_v2(
      c_->handle(), nullptr, overgrown ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE, &in_log, &moved);
  wal_tried_ = wal_pages_;
  if (moved > 0) wal_moved_ = static_cast<std::uint64_t>(moved);
  if (rc == SQLITE_OK && moved == in_log) wal_tried_ = 0;
  if (rc == SQLITE_OK && overgrown) wal_pages_ = wal_moved_ = wal_tried_ = 0;
}

}  // namespace deprov::store
