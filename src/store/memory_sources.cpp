// Sources, their lists and what they said, on ordered maps.
#include <algorithm>
#include "memory_state.hpp"
#include "problems.hpp"

namespace deprov::store {

using namespace port;

Result<void> apply_to(MemoryState& s, Undo& undo, const op::PutSource& o) {
  auto row = o.row;
  const std::tuple key(row.scope, row.id);
  const auto old = s.sources.find(key);
  if (const auto now = old != s.sources.end() ? old->second.version : 0; now != row.version)
    return stale(named("source", row.id), row.version, now);
  ++row.version;
  undo.put(s.sources, key, std::move(row));
  return {};
}

Result<void> apply_to(MemoryState& s, Undo& undo, const op::RemoveSource& o) {
  const std::tuple key(o.scope, o.id);
  if (!s.sources.contains(key)) return no_such(named("source", o.id));
  undo.erase(s.sources, key);
  return {};
}

Result<void> apply_to(MemoryState& s, Undo& undo, const op::PutSourcePiece& o) {
  const auto& r = o.row;
  undo.put(s.source_pieces, std::tuple(r.scope, r.source, r.part, r.place, r.generation), r.bytes);
  return {};
}

std::uint64_t prune_pieces(MemoryState& s, Undo& undo, const op::PruneSourcePieces& o) {
  std::vector<decltype(s.source_pieces)::key_type> gone;
  const auto named = [&](std::uint64_t g) { return g >= o.base && g <= o.generation; };
  each_from(s.source_pieces, {o.scope, o.source, SourcePart::snapshot, 0U, std::uint64_t{0}},
            [&](const auto& key, const auto&) {
              const auto& [scope, source, part, place, generation] = key;
              if (scope != o.scope || source != o.source || gone.size() == o.limit) return false;
              bool counts = named(generation);
              if (part == SourcePart::changes) counts = generation == o.generation;
              if (part == SourcePart::seen || part == SourcePart::unlinked) counts = true;  // of no list
              const auto next = s.source_pieces.upper_bound(key);
              if (counts && part == SourcePart::snapshot && next != s.source_pieces.end()) {
                const auto& [scope2, source2, part2, place2, generation2] = next->first;
                counts = !(scope2 == scope && source2 == source && part2 == part && place2 == place &&
                           named(generation2));
              }
              if (!counts || o.generation == 0) gone.push_back(key);
              return true;
            });
  for (const auto& key : gone) undo.erase(s.source_pieces, key);
  return gone.size();
}

Result<void> apply_to(MemoryState& s, Undo& undo, const op::PutGrant& o) {
  undo.put(s.grants, std::tuple(o.row.scope, o.row.subject, o.row.source), o.row);
  return {};
}

Result<void> apply_to(MemoryState& s, Undo& undo, const op::RemoveGrants& o) {
  std::vector<decltype(s.grants)::key_type> gone;
  each_from(s.grants, {o.scope, o.subject, SourceId{}}, [&](const auto& key, const auto&) {
    if (std::get<0>(key) != o.scope || std::get<1>(key) != o.subject) return false;
    if (!o.source || std::get<2>(key) == *o.source) gone.push_back(key);
    return true;
  });
  for (const auto& key : gone) undo.erase(s.grants, key);
  return {};
}

Result<std::vector<SourceRow>> sources_of(const MemoryState& s, const Scope& scope) {
  std::vector<SourceRow> rows;
  each_from(s.sources, {scope, SourceId{}}, [&](const auto& key, const auto& row) {
    if (std::get<0>(key) != scope) return false;
    rows.push_back(row);
    return true;
  });
  std::sort(rows.begin(), rows.end(),
            [](const auto& a, const auto& b) { return std::tie(a.created, a.id) < std::tie(b.created, b.id); });
  return rows;
}

Result<Page<SourcePieceRow>> source_pieces_of(const MemoryState& s, const SourcePieces& which, std::uint32_t from,
                                              std::size_t limit) {
  Page<SourcePieceRow> page;
  std::optional<SourcePieceRow> row;  // of a place, the highest generation that counts
  const auto take = [&] {
    if (!row) return true;
    if (page.rows.size() == limit) {
      page.more = true;
      return false;
    }
    page.rows.push_back(std::move(*row));
    row.reset();
    return true;
  };
  bool full = false;
  each_from(s.source_pieces, {which.scope, which.source, which.part, from, std::uint64_t{0}},
            [&](const auto& key, const std::string& bytes) {
              const auto& [scope, source, part, place, generation] = key;
              if (scope != which.scope || source != which.source || part != which.part) return false;
              if (generation < which.base || generation > which.generation) return true;
              if (row && row->place != place && !take()) {
                full = true;
                return false;
              }
              row = SourcePieceRow{scope, source, part, place, generation, bytes};
              return true;
            });
  if (!full) (void)take();
  return page;
}

Result<std::vector<GrantRow>> grants_of(const MemoryState& s, const Scope& scope, ResourceId subject) {
  std::vector<GrantRow> rows;
  each_from(s.grants, {scope, subject, SourceId{}}, [&](const auto& key, const auto& row) {
    if (std::get<0>(key) != scope || std::get<1>(key) != subject) return false;
    rows.push_back(row);
    return true;
  });
  return rows;
}

Result<Page<ResourceId>> subjects_to_reread_of(const MemoryState& s, const Scope& scope, SourceId source,
                                               std::optional<ResourceId> after, std::size_t limit) {
  Page<ResourceId> page;
  each_from(s.grants, {scope, after.value_or(ResourceId{}), SourceId{}}, [&](const auto& key, const auto& row) {
    if (std::get<0>(key) != scope) return false;
    if (row.source != source || row.says != idp::Says::hint || row.subject == after) return true;
    page.more = page.rows.size() == limit;
    if (!page.more) page.rows.push_back(row.subject);
    return !page.more;
  });
  return page;
}

Result<Page<ResourceId>> subjects_with_grants_of(const MemoryState& s, const Scope& scope,
                                                 std::optional<ResourceId> after, std::size_t limit) {
  Page<ResourceId> page;
  each_from(s.grants, {scope, after.value_or(ResourceId{}), SourceId{}}, [&](const auto& key, const auto& row) {
    if (std::get<0>(key) != scope) return false;
    if (row.says == idp::Says::hint) return true;
    const auto subject = std::get<1>(key);
    if ((after && subject == *after) || (!page.rows.empty() && page.rows.back() == subject)) return true;
    if (page.rows.size() == limit) {
      page.more = true;
      return false;
    }
    page.rows.push_back(subject);
    return true;
  });
  return page;
}

}  // namespace deprov::store
