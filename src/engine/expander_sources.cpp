// A complete list of a source, carried out: judged whole as any request of many, then in pieces that are stored
// with how far it is, so that nothing is lost or done twice.
#include <algorithm>
#include <charconv>
#include <utility>
#include "engine/expander.hpp"
#include "engine/sources/source_config.hpp"

namespace deprov::engine {

namespace {
/// The changes from the `index`-th on, as far as its piece has them.
Result<std::vector<SourceChange>> changes_from(port::Reader& reader, const port::Scope& scope,
                                               const SourceTask& task, std::size_t index) {
  const auto place = static_cast<std::uint32_t>(index / changes_a_piece);
  DEPROV_TRY(
      page, reader.source_pieces({scope, task.source, port::SourcePart::changes, task.generation, task.generation},
                                 place, 1));
  if (page.rows.empty() || page.rows.front().place != place)
    return Error(Errc::store_corrupt, "a piece of the changes of a source is not there",
                 "source " + task.source.str(), "restore the store from a backup");
  DEPROV_TRY(changes, decode_changes(page.rows.front().bytes));
  const auto skip = std::min(index % changes_a_piece, changes.size());
  changes.erase(changes.begin(), changes.begin() + static_cast<std::ptrdiff_t>(skip));
  // Whoever asks has not had all of them yet, and would ask again and again.
  if (changes.empty())
    return Error(Errc::store_corrupt, "a piece of the changes of a source ends too early",
                 "source " + task.source.str(), "restore the store from a backup");
  return changes;
}
}  // namespace

Result<void> Expander::count_source(port::Reader& reader, Decision& decision, Count& c) {
  DEPROV_TRY(task, parse_source_task(c.row.payload));
  for (std::size_t left = piece_ * 4; left > 0 && c.index < c.row.total;) {
    DEPROV_TRY(changes, changes_from(reader, scope_, task, c.index));
    for (const auto& change : changes) {
      if (left == 0) break;
      --left;
      ++c.index;
      if (change.says == idp::Says::granted || change.says == idp::Says::hint) continue;
      DEPROV_CHECK(decision.tally(c.unit, change.subject, true, {}, false));
    }
  }
  c.over = c.index >= c.row.total;
  return {};
}

Result<port::Transaction> Expander::decide_source(port::Reader& reader, Piece& piece) {
  const auto context = host_.expander_context(scope_);
  if (!context) return Error(Errc::not_found, "the integration is gone", scope_.integration.str());
  DEPROV_TRY(task, parse_source_task(piece.row.payload));
  Evidence evidence;
  evidence.actor = "source:" + task.name;
  evidence.source = evidence.actor;
  evidence.request = task.list;
  evidence.at = task.begun;
  Decision decision(reader, *context, evidence, ports_.random, ports_.clock.wall());
  piece.judge(decision, piece.row.total);
  std::uint64_t index = 0;
  std::from_chars(piece.row.cursor.data(), piece.row.cursor.data() + piece.row.cursor.size(), index);
  std::size_t looked_at = 0;
  DEPROV_TRY(source, reader.source(scope_, task.source));
  while (source && index < piece.row.total && looked_at < piece_) {
    DEPROV_TRY(changes, changes_from(reader, scope_, task, index));
    for (const auto& change : changes) {
      if (looked_at == piece_) break;
      ++looked_at;
      ++index;
      port::GrantRow said;
      said.scope = scope_;
      said.subject = change.subject;
      said.source = task.source;
      said.says = change.says;
      if (change.says == idp::Says::absent) said.cause = idp::Cause::unassigned;
      if (change.says == idp::Says::ended)
        said.cause = change.cause == idp::Cause::none ? task.inactive : change.cause;
      said.begun = said.evidence_at = task.begun;
      // The source's own clock may go wrong; what it says to have happened after it was asked did not.
      if (change.evidence_at.micros != 0) said.evidence_at = std::min(change.evidence_at, task.begun);
      DEPROV_CHECK(decision.source_says(std::move(said)));
    }
  }
  piece.cursor = piece.verdict_after(decision) + std::to_string(index);
  piece.done = index;
  piece.over = !source || index >= piece.row.total;
  piece.doubted = decision.doubted();
  auto& txn = decision.transaction();
  if (piece.over) {
    txn.ops.emplace_back(port::op::RemoveWork{scope_, piece.row.id});
    if (source) {
      decision.record("source.applied",
                      {{"source", task.source.str()}, {"list", task.list}, {"changes", piece.row.total}});
      source->work = {};
      txn.ops.emplace_back(port::op::PutSource{std::move(*source)});
    }
  } else {
    txn.ops.emplace_back(port::op::AdvanceWork{scope_, piece.row.id, piece.row.version, piece.cursor, piece.done});
  }
  return decision.take();
}

}  // namespace deprov::engine
