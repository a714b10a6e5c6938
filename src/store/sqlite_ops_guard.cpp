// What the ops on the guard's counters and on holds do. Counters are kept in memory and written once a batch.
#include <algorithm>
#include <deprov/port/hold_listing.hpp>
#include <limits>
#include "problems.hpp"
#include "sqlite_rows.hpp"
#include "sqlite_writer.hpp"

namespace deprov::store {

using namespace port;

void SqliteWriter::forget_guard() {
  windows_.clear();
  open_holds_.clear();
}

Result<SqliteWriter::Window*> SqliteWriter::window(std::int64_t scope, const std::string& counter) {
  const CounterName name(scope, counter);
  const auto [it, added] = windows_.try_emplace(name);
  if (!added || scope == no_scope) return &it->second;
  Use use(c_, Q::counter_all, scope, counter);
  while (use.row()) {
    const auto at = use.integer();
    it->second.minutes[at] = static_cast<std::uint64_t>(use.integer());
  }
  if (c_.failed()) {
    windows_.erase(it);
    return c_.check().error();
  }
  for (auto d = counters_.lower_bound({name, std::numeric_limits<std::int64_t>::min()});
       d != counters_.end() && d->first.first == name; ++d) {
    auto& n = it->second.minutes[d->first.second];
    n = static_cast<std::uint64_t>(static_cast<std::int64_t>(n) + d->second);
  }
  return &it->second;
}

void SqliteWriter::count(Window& window, const CounterName& name, std::int64_t minute, std::int64_t n) {
  auto& at = window.minutes[minute];
  at = static_cast<std::uint64_t>(static_cast<std::int64_t>(at) + n);
  if (window.summed && minute > window.minute - minutes_of_day) {
    window.day = static_cast<std::uint64_t>(static_cast<std::int64_t>(window.day) + n);
    if (minute > window.minute - minutes_of_hour)
      window.hour = static_cast<std::uint64_t>(static_cast<std::int64_t>(window.hour) + n);
  }
  txn_counters_.push_back({{name, minute}, n});
}

Result<void> SqliteWriter::apply(const op::Reserve& o) {
  const auto minute = minute_of(o.now);
  auto scope = scopes_.find(o.scope);
  if (scope == no_scope && o.amount > 0) {
    DEPROV_TRY(made, scope_for_writing(o.scope));
    scope = made;
  }
  DEPROV_TRY(open, open_hold(o.scope, scope));
  if (*open && !o.regardless) return hold_is_open((*open)->id);
  DEPROV_TRY(w, window(scope, o.counter));
  if (!w->summed || w->minute != minute) {
    w->hour = w->day = 0;
    for (auto it = w->minutes.upper_bound(minute - minutes_of_day); it != w->minutes.end(); ++it) {
      w->day += it->second;
      if (it->first > minute - minutes_of_hour) w->hour += it->second;
    }
    w->minute = minute;
    w->summed = true;
  }
  const CounterName name(scope, o.counter);
  if (o.counted.micros != 0) {
    const auto before = w->minutes.find(minute_of(o.counted));
    if (before != w->minutes.end() && before->second > 0) count(*w, name, before->first, -1);
  }
  const auto passes = [&](std::uint64_t sum, std::uint64_t limit) {
    return !o.regardless && (sum > limit || o.amount > limit - sum);
  };
  if (passes(w->hour, o.limit_hour))
    return guard_refuses(o.counter, o.amount, "60 minutes", w->hour, o.limit_hour);
  if (passes(w->day, o.limit_day)) return guard_refuses(o.counter, o.amount, "24 hours", w->day, o.limit_day);
  if (o.amount != 0) count(*w, name, minute, static_cast<std::int64_t>(o.amount));
  return {};
}

Result<void> SqliteWriter::apply(const op::Unreserve& o) {
  const auto scope = scopes_.find(o.scope);
  if (scope == no_scope) return {};
  DEPROV_TRY(w, window(scope, o.counter));
  const auto minute = minute_of(o.at);
  const auto it = w->minutes.find(minute);
  if (it == w->minutes.end()) return {};
  const auto n = std::min(it->second, o.amount);
  if (n != 0) count(*w, {scope, o.counter}, minute, -static_cast<std::int64_t>(n));
  return {};
}

Result<void> SqliteWriter::apply(const op::Population& o) {
  DEPROV_TRY(scope, scope_for_writing(o.scope));
  if (o.delta != 0) txn_population_.push_back({{scope, minute_of(o.now)}, o.delta});
  return {};
}

// A counter prunes itself when it counts. That of a group whom nobody leaves any more never does, so that all of
// them are looked at once a day, in the table and in memory.
Result<void> SqliteWriter::sweep_counters(std::int64_t scope, std::int64_t minute) {
  constexpr std::int64_t soon = 10;  // minutes: not in the first commit after a start
  const auto [next, added] = swept_.try_emplace(scope, minute + soon);
  if (added || minute < next->second) return {};
  next->second = minute + minutes_of_day;
  const auto old = minute - kept_minutes;
  std::erase_if(windows_, [&](const auto& w) {
    return w.first.first == scope && (w.second.minutes.empty() || w.second.minutes.rbegin()->first <= old);
  });
  std::erase_if(pruned_, [&](const auto& p) { return p.first.first == scope && p.second <= old - kept_minutes; });
  DEPROV_CHECK(write(Q::counter_sweep, scope, old));
  return {};
}

Result<void> SqliteWriter::flush_guard() {
  for (const auto& [key, n] : counters_) {
    const auto& [name, minute] = key;
    DEPROV_CHECK(sweep_counters(name.first, minute));
    if (n != 0) DEPROV_CHECK(write(Q::counter_add, name.first, name.second, minute, n));
    // What no window sees any more goes, once a minute.
    const auto old = minute - kept_minutes;
    const auto [known, added] = pruned_.try_emplace(name, old);
    if (!added && known->second >= old) continue;
    known->second = old;
    DEPROV_CHECK(write(Q::counter_prune, name.first, name.second, old));
    if (const auto w = windows_.find(name); w != windows_.end())
      w->second.minutes.erase(w->second.minutes.begin(), w->second.minutes.upper_bound(old));
  }
  counters_.clear();
  for (const auto& [key, n] : population_) {
    const auto [scope, minute] = key;
    if (n != 0) DEPROV_CHECK(write(Q::population_add, scope, minute, n));
    const auto old = minute - kept_minutes;
    const auto [known, added] = folded_.try_emplace(scope, old);
    if (!added && known->second >= old) continue;
    known->second = old;
    if (old <= 0) continue;
    std::int64_t sum = 0;
    {
      Use use(c_, Q::population_old, scope, old);
      if (use.row()) sum = use.integer();
      DEPROV_CHECK(c_.check());
    }
    DEPROV_CHECK(write(Q::population_prune, scope, old));
    if (sum != 0) DEPROV_CHECK(write(Q::population_add, scope, std::int64_t{0}, sum));
  }
  population_.clear();
  return {};
}

Result<const std::optional<HoldRow>*> SqliteWriter::open_hold(const Scope& scope, std::int64_t number) {
  const auto [it, added] = open_holds_.try_emplace(number);
  if (!added || number == no_scope) return &it->second;
  Use use(c_, Q::hold_open, number);
  if (use.row()) it->second = read_hold(use, scope);
  if (c_.failed()) {
    open_holds_.erase(it);
    return c_.check().error();
  }
  return &it->second;
}

Result<void> SqliteWriter::check_hold(const ReadSet::OpenHold& r) {
  DEPROV_TRY(open, open_hold(r.scope, scopes_.find(r.scope)));
  if ((*open ? (*open)->id : HoldId{}) != r.hold) return stale_hold(r.scope);
  return {};
}

Result<void> SqliteWriter::apply(const op::OpenHold& o) {
  DEPROV_TRY(scope, scope_for_writing(o.row.scope));
  DEPROV_TRY(open, open_hold(o.row.scope, scope));
  if (*open) return {};
  const auto& r = o.row;
  {
    Use use(c_, Q::hold_get, scope, r.id);
    if (use.row()) return conflicting(named("hold", r.id), "was opened before");
    DEPROV_CHECK(c_.check());
  }
  auto row = o.row;
  row.items = row.held = 0;
  row.closed = {};
  row.listing = {};
  DEPROV_CHECK(write(Q::hold_insert, scope, row.id, row.opened, row.closed, row.window_from, row.reason, row.items,
                     row.held, row.listing));
  open_holds_[scope] = std::move(row);
  return {};
}

Result<void> SqliteWriter::apply(const op::PutHoldItem& o) {
  auto row = o.row;
  const auto scope = scopes_.find(row.scope);
  DEPROV_TRY(open, open_hold(row.scope, scope));
  if (row.seq == 0) {
    if (!*open) return stale_hold(row.scope);
    auto hold = **open;
    row.hold = hold.id;
    row.seq = ++hold.items;
    if (row.state == HoldItemState::held) ++hold.held;
    hold.listing = row.listing = hold_listing(crypto_, hold.listing, row);
    DEPROV_CHECK(write(Q::hold_update, hold.closed, hold.items, hold.held, hold.listing, scope, hold.id));
    DEPROV_CHECK(write(Q::hold_item_insert, scope, row.hold, row.seq, row.subject, row.job, row.generation,
                       row.cause, row.via_group, row.state, row.at, row.decided, row.by, row.listing));
    open_holds_[scope] = std::move(hold);
    return {};
  }
  {
    Use use(c_, Q::hold_item_state, scope, row.hold, row.seq);
    if (!use.row()) {
      DEPROV_CHECK(c_.check());
      return no_such(named("item of hold", row.hold));
    }
    if (static_cast<HoldItemState>(use.integer()) != HoldItemState::held)
      return conflicting(named("item of hold", row.hold), "was decided before");
  }
  DEPROV_CHECK(write(Q::hold_item_update, row.state, row.decided, row.by, scope, row.hold, row.seq));
  if (row.state == HoldItemState::held) return {};
  // An item that waits is of the open hold.
  if (!*open || (*open)->id != row.hold) return stale_hold(row.scope);
  auto hold = **open;
  if (--hold.held == 0) hold.closed = row.decided;
  DEPROV_CHECK(write(Q::hold_update, hold.closed, hold.items, hold.held, hold.listing, scope, hold.id));
  if (hold.held == 0) {
    open_holds_[scope].reset();
  } else {
    open_holds_[scope] = std::move(hold);
  }
  return {};
}

}  // namespace deprov::store
