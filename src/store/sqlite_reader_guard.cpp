// Views of holds, of the guard's counters, of duties and findings.
#include "sqlite_reader_base.hpp"

namespace deprov::store {

using namespace port;

Result<std::optional<HoldRow>> SqliteReaderBase::open_hold(const Scope& scope) {
  Use use(c_, Q::hold_open, scopes_.find(scope));
  return one<HoldRow>(use, [&] { return read_hold(use, scope); });
}

Result<std::optional<HoldRow>> SqliteReaderBase::hold(const Scope& scope, HoldId id) {
  Use use(c_, Q::hold_get, scopes_.find(scope), id);
  return one<HoldRow>(use, [&] { return read_hold(use, scope); });
}

Result<Page<HoldRow>> SqliteReaderBase::holds(const Scope& scope, std::optional<HoldId> before,
                                              std::size_t limit) {
  Use use(c_, Q::hold_page, scopes_.find(scope));
  if (before) {
    use.bind(*before);
  } else {
    use.bind(past_all_ids);
  }
  use.bind(sql_limit(limit) + 1);
  return page<HoldRow>(use, limit, [&] { return read_hold(use, scope); });
}

Result<Page<HoldItemRow>> SqliteReaderBase::hold_items(const Scope& scope, HoldId hold, std::uint64_t after,
                                                       std::size_t limit) {
  Use use(c_, Q::hold_item_page, scopes_.find(scope), hold, after, sql_limit(limit) + 1);
  return page<HoldItemRow>(use, limit, [&] { return read_hold_item(use, scope); });
}

Result<std::optional<HoldItemRow>> SqliteReaderBase::hold_item_of(const Scope& scope, ResourceId subject) {
  Use use(c_, Q::hold_item_of, scopes_.find(scope), subject);
  return one<HoldItemRow>(use, [&] { return read_hold_item(use, scope); });
}

Result<std::optional<HoldItemRow>> SqliteReaderBase::hold_item_at(const Scope& scope, HoldId hold,
                                                                  const Sha256& listing) {
  Use use(c_, Q::hold_item_at, scopes_.find(scope), hold, listing);
  return one<HoldItemRow>(use, [&] { return read_hold_item(use, scope); });
}

Result<std::vector<PopulationRow>> SqliteReaderBase::population(const Scope& scope, WallTime now) {
  std::vector<PopulationRow> rows{{minute_of(now) - minutes_of_day, 0}};
  Use use(c_, Q::population_all, scopes_.find(scope));
  while (use.row()) {
    PopulationRow row;
    use.read_all(row.minute, row.delta);
    if (row.minute <= rows.front().minute) {
      rows.front().delta += row.delta;
    } else if (row.delta != 0) {
      rows.push_back(row);
    }
  }
  DEPROV_CHECK(c_.check());
  return rows;
}

Result<ReservedCounts> SqliteReaderBase::reserved(const Scope& scope, std::string_view counter, WallTime now) {
  ReservedCounts sums;
  const auto minute = minute_of(now);
  Use use(c_, Q::counter_all, scopes_.find(scope), counter);
  while (use.row()) {
    std::int64_t at = 0;
    std::uint64_t n = 0;
    use.read_all(at, n);
    if (at <= minute - minutes_of_day) continue;
    sums.day += n;
    if (at > minute - minutes_of_hour) sums.hour += n;
  }
  DEPROV_CHECK(c_.check());
  return sums;
}

Result<std::optional<ChoreRow>> SqliteReaderBase::chore(const Scope& scope, std::string_view name) {
  Use use(c_, Q::chore_get, scopes_.find(scope), name);
  return one<ChoreRow>(use, [&] {
    ChoreRow row;
    row.scope = scope;
    row.name = name;
    use.read_all(row.due, row.state);
    return row;
  });
}

Result<Page<FindingRow>> SqliteReaderBase::findings(const Scope& scope, WorkId run, std::uint64_t after,
                                                    std::size_t limit) {
  Use use(c_, Q::finding_page, scopes_.find(scope), run, after, sql_limit(limit) + 1);
  return page<FindingRow>(use, limit, [&] {
    FindingRow row;
    row.scope = scope;
    row.run = run;
    use.read_all(row.n, row.kind, row.subject, row.account_id, row.account_login, row.note, row.job);
    return row;
  });
}

}  // namespace deprov::store
