#pragma once
#include <algorithm>
#include <array>
#include <deprov/idp/impl/fingerprint.ipp>
#include <deprov/idp/snapshot.hpp>
#include <utility>

namespace deprov::idp {

namespace detail {

inline constexpr std::string_view snapshot_magic = "deprovS2";
inline constexpr std::size_t snapshot_header = 24;  // magic, users, check
inline constexpr std::size_t print_bytes = 24;
inline constexpr std::size_t piece_bytes = 65'520;  // a multiple of both
static_assert(piece_bytes % print_bytes == 0);

inline void append_word(std::string& out, std::uint64_t word) {
  for (unsigned i = 0; i < 8; ++i) out.push_back(static_cast<char>(word >> (8 * i)));
}
/// Of users in their order. Keyed by the first word, so that a snapshot is not taken up under another key.
inline std::uint64_t add_to_check(std::uint64_t check, const UserPrint& u) noexcept {
  for (const auto word : {u.id.high, u.id.low, u.state}) {
    check = (check ^ word) * 0x9e3779b97f4a7c15U;
    check ^= check >> 32U;
  }
  return check;
}
inline std::uint64_t first_check(const FingerprintKey& key) noexcept {
  return fingerprint(key, snapshot_magic).high;
}

inline std::size_t lower_bound_of(const std::vector<UserPrint>& users, const Fingerprint& id) noexcept {
  const std::size_t n = users.size();
  if (n == 0) return 0;
  // Fingerprints are spread evenly: where this one would stand is known but for a few hundred places, and from
  // there but for a few.
  auto from = n >> 32U == 0 ? static_cast<std::size_t>(((id.high >> 32U) * n) >> 32U) : n / 2;
  for (int i = 0; i < 2 && n >> 32U == 0; ++i) {
    const auto there = users[from].id.high;
    const bool up = id.high > there;
    const auto off = static_cast<std::size_t>((((up ? id.high - there : there - id.high) >> 32U) * n) >> 32U);
    from = up ? std::min(n - 1, from + off) : from - std::min(from, off);
  }
  std::size_t to = from;
  for (std::size_t step = 4; from > 0 && !(users[from].id < id); step *= 2) {
    to = from;
    from = from > step ? from - step : 0;
  }
  for (std::size_t step = 4; to < n && users[to].id < id; step *= 2) {
    from = to;
    to = std::min(n, to + step);
  }
  const auto begin = users.begin() + static_cast<std::ptrdiff_t>(from);
  const auto end = users.begin() + static_cast<std::ptrdiff_t>(to);
  return static_cast<std::size_t>(
      std::lower_bound(begin, end, id, [](const UserPrint& u, const Fingerprint& f) { return u.id < f; }) -
      users.begin());
}

inline Difference difference(const UserPrint& before, const UserPrint& after) noexcept {
  if (before.state == after.state) return Difference::same;
  if (before.active() == after.active()) return Difference::changed;
  return after.active() ? Difference::restored : Difference::ended;
}

inline UserPrint print_of(const FingerprintKey& key, const SnapshotUser& user, std::string& scratch) {
  scratch.clear();
  for (const auto text : {user.external_id, user.user_name, user.email}) {
    append_word(scratch, text.size());
    scratch += text;
  }
  const auto low = user.active ? std::uint64_t{1} : (static_cast<std::uint64_t>(user.cause) & 15U) << 1U;
  return {fingerprint(key, user.id), (fingerprint(key, scratch).high & ~std::uint64_t{31}) | low};
}

/// No id has control characters; what a disk or a transfer lost has (a run of zeros in a file).
inline bool is_damaged(std::string_view id) noexcept {
  bool damaged = false;  // all of it is looked at, which takes less than to stop early
  for (const char c : id) damaged |= static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  return damaged;
}

inline Error page_again() {
  return {Errc::protocol, "a page came a second time, so that another may not have come at all", "the list",
          "read the list again from the start"};
}

inline void count(SnapshotCounts& counts, Difference d) noexcept {
  switch (d) {
    case Difference::same: ++counts.same; break;
    case Difference::appeared: ++counts.appeared; break;
    case Difference::ended: ++counts.ended; break;
    case Difference::restored: ++counts.restored; break;
    case Difference::changed: ++counts.changed; break;
    case Difference::left: ++counts.left; break;
  }
}

}  // namespace detail

DEPROV_INLINE std::string_view to_string(Difference d) noexcept {
  switch (d) {
    case Difference::same: return "same";
    case Difference::appeared: return "appeared";
    case Difference::ended: return "ended";
    case Difference::restored: return "restored";
    case Difference::changed: return "changed";
    case Difference::left: return "left";
  }
  return "unknown";
}

DEPROV_INLINE const UserPrint* CompleteSnapshot::find(const Fingerprint& id) const noexcept {
  const auto at = detail::lower_bound_of(users_, id);
  return at < users_.size() && users_[at].id == id ? &users_[at] : nullptr;
}

DEPROV_INLINE void CompleteSnapshot::save(const std::function<void(std::string_view)>& sink) const {
  std::uint64_t check = detail::first_check(key_);
  for (const auto& u : users_) check = detail::add_to_check(check, u);
  std::string piece(detail::snapshot_magic);
  detail::append_word(piece, users_.size());
  detail::append_word(piece, check);
  for (const auto& u : users_) {
    if (piece.size() >= detail::piece_bytes) {
      sink(piece);
      piece.clear();
    }
    detail::append_word(piece, u.id.high);
    detail::append_word(piece, u.id.low);
    detail::append_word(piece, u.state);
  }
  sink(piece);
}

DEPROV_INLINE Result<void> SnapshotLoader::corrupt(std::string detail) {
  failure_ = Error(Errc::store_corrupt, std::move(detail), "snapshot",
                   "the next complete list takes its place, and ends nobody's access by absence");
  return *failure_;
}

DEPROV_INLINE Result<void> SnapshotLoader::feed(std::string_view bytes) {
  if (failure_) return *failure_;
  const auto take = [&](std::string_view unit) -> Result<void> {
    if (!expected_) {
      if (!unit.starts_with(detail::snapshot_magic)) return corrupt("it does not begin as a snapshot does");
      expected_ = detail::load_word(unit.data() + 8);
      stated_check_ = detail::load_word(unit.data() + 16);
      check_ = detail::first_check(key_);
      users_.reserve(std::min<std::uint64_t>(*expected_, 1U << 20U));
      return {};
    }
    if (users_.size() == *expected_) return corrupt("more follows than it says it has");
    const UserPrint u{{detail::load_word(unit.data()), detail::load_word(unit.data() + 8)},
                      detail::load_word(unit.data() + 16)};
    if (!users_.empty() && !(users_.back().id < u.id)) return corrupt("its users are not in order");
    check_ = detail::add_to_check(check_, u);
    users_.push_back(u);
    return {};
  };
  static_assert(detail::snapshot_header == detail::print_bytes);
  while (!bytes.empty()) {
    if (rest_.empty() && bytes.size() >= detail::print_bytes) {
      DEPROV_CHECK(take(bytes.substr(0, detail::print_bytes)));
      bytes.remove_prefix(detail::print_bytes);
      continue;
    }
    const auto n = std::min(bytes.size(), detail::print_bytes - rest_.size());
    rest_.append(bytes.substr(0, n));
    bytes.remove_prefix(n);
    if (rest_.size() < detail::print_bytes) break;
    const auto unit = std::exchange(rest_, {});
    DEPROV_CHECK(take(unit));
  }
  return {};
}

DEPROV_INLINE Result<CompleteSnapshot> SnapshotLoader::finish() && {
  if (failure_) return *failure_;
  if (!expected_ || !rest_.empty() || users_.size() != *expected_ || users_.empty())
    return corrupt("it is not all there").error();
  if (check_ != stated_check_) return corrupt("it was altered, or made with another key").error();
  return CompleteSnapshot(key_, std::move(users_));
}

DEPROV_INLINE SnapshotReading::SnapshotReading(const FingerprintKey& key, SnapshotLimits limits,
                                               const CompleteSnapshot* before, bool repeats)
    : key_(key),
      limits_(limits),
      before_(before),
      repeats_(repeats),
      seen_(before != nullptr ? before->size() : 0) {
  if (before != nullptr && before->key() != key)
    fail(Error(Errc::conflict, "the snapshot before was made with another key", "snapshot"));
}

DEPROV_INLINE Error SnapshotReading::refuse(Errc code, std::string detail, std::string advice) {
  fail(Error(code, std::move(detail), "user " + std::to_string(users_) + " of the list", std::move(advice)));
  return *failure_;
}

DEPROV_INLINE void SnapshotReading::fail(Error why) {
  if (!failure_) failure_ = std::move(why);
}

DEPROV_INLINE Result<void> SnapshotReading::begin_page(std::string_view mark) {
  if (failure_) return *failure_;
  if (pages_.size() == limits_.max_pages)
    return refuse(Errc::limit_exceeded,
                  "the list has more pages than max_pages (" + std::to_string(limits_.max_pages) + ")",
                  "read it in larger pages");
  if (!pages_.insert(fingerprint(key_, mark)).second)
    return refuse(Errc::protocol, "a page came a second time, so that another may not have come at all",
                  "read the list again from the start");
  return {};
}

DEPROV_INLINE Result<Difference> SnapshotReading::add(const SnapshotUser& user) {
  if (failure_) return *failure_;
  ++users_;
  if (users_ > limits_.max_users)
    return refuse(Errc::limit_exceeded,
                  "the list has more users than max_users (" + std::to_string(limits_.max_users) + ")",
                  "raise max_users of the source");
  if (user.id.empty())
    return refuse(Errc::protocol, "it has no id",
                  "name the member or column that holds the source's immutable id");
  if (detail::is_damaged(user.id))
    return refuse(Errc::protocol, "its id has control characters in it, so that the list may be damaged",
                  "write the list again");
  const auto now = detail::print_of(key_, user, scratch_);
  if (before_ != nullptr) {
    const auto& old = before_->users();
    const auto at = detail::lower_bound_of(old, now.id);
    if (at < old.size() && old[at].id == now.id) {
      if (seen_[at] && !repeats_)
        return refuse(Errc::protocol, "it is listed a second time, so that somebody else may not be listed at all",
                      "list each user once, and do not change the list while it is read");
      seen_[at] = true;
      const auto d = detail::difference(old[at], now);
      if (d != Difference::same || repeats_) fresh_.push_back(now);
      return d;
    }
  }
  fresh_.push_back(now);
  return Difference::appeared;
}

DEPROV_INLINE Result<CompleteSnapshot> SnapshotReading::close(EndOfList end) && {
  if (failure_) return *failure_;
  const auto of_list = [](std::string detail, std::string advice) {
    return Error(Errc::protocol, std::move(detail), "the list", std::move(advice));
  };
  if (users_ == 0)
    return of_list("it is empty", "a source that shows nobody is taken for broken; nobody's access ends by that");
  if (end.users() && *end.users() != users_)
    return of_list("the source says that it has " + std::to_string(*end.users()) + " users, and showed " +
                       std::to_string(users_),
                   "read the list again from the start");
  std::vector<UserPrint> fresh;
  fresh.reserve(fresh_.size());
  for (; !fresh_.empty(); fresh_.pop_front()) fresh.push_back(fresh_.front());
  const auto by_id = [](const UserPrint& a, const UserPrint& b) { return a.id < b.id; };
  if (repeats_) {
    std::stable_sort(fresh.begin(), fresh.end(), by_id);
    auto last = fresh.begin();  // of those that are kept; there is one, since users_ is not 0
    for (auto f = fresh.begin() + 1; f != fresh.end(); ++f) {
      if (f->id != last->id) {
        *++last = *f;
      } else if (f->active() || !last->active()) {
        *last = *f;
      }
    }
    fresh.erase(last + 1, fresh.end());
  } else {
    std::sort(fresh.begin(), fresh.end(), by_id);
  }
  if (std::adjacent_find(fresh.begin(), fresh.end(),
                         [](const UserPrint& a, const UserPrint& b) { return a.id == b.id; }) != fresh.end())
    return of_list("a user is listed twice, so that somebody else may not be listed at all",
                   "list each user once, and do not change the list while it is read");
  if (before_ == nullptr) return CompleteSnapshot(key_, std::move(fresh));
  std::vector<UserPrint> all;
  all.reserve(users_);
  auto f = fresh.cbegin();
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    if (!seen_[i]) continue;
    const auto& old = before_->users()[i];
    while (f != fresh.cend() && f->id < old.id) all.push_back(*f++);
    all.push_back(f != fresh.cend() && f->id == old.id ? *f++ : old);
  }
  all.insert(all.end(), f, fresh.cend());
  return CompleteSnapshot(key_, std::move(all));
}

DEPROV_INLINE void SnapshotChanges::fail(Error why) {
  if (!failure_) failure_ = std::move(why);
}

DEPROV_INLINE Result<void> SnapshotChanges::begin_page(std::string_view mark) {
  if (!failure_ && pages_.size() == limits_.max_pages)
    fail(Error(Errc::limit_exceeded,
               "the changes have more pages than max_pages (" + std::to_string(limits_.max_pages) + ")",
               "the changes", "read everything instead"));
  if (!failure_ && !pages_.insert(fingerprint(before_.key(), mark)).second) fail(detail::page_again());
  if (failure_) return *failure_;
  return {};
}

DEPROV_INLINE Result<Difference> SnapshotChanges::add(const SnapshotUser& user, bool stated) {
  if (!failure_ && ++users_ > limits_.max_users)
    fail(Error(Errc::limit_exceeded,
               "more users changed than max_users (" + std::to_string(limits_.max_users) + ")", "the changes",
               "raise max_users of the source"));
  if (!failure_ && user.id.empty())
    fail(Error(Errc::protocol, "it has no id", "user " + std::to_string(users_) + " of the changes"));
  if (!failure_ && detail::is_damaged(user.id))
    fail(Error(Errc::protocol, "its id has control characters in it, so that the changes may be damaged",
               "user " + std::to_string(users_) + " of the changes"));
  if (failure_) return *failure_;
  auto now = detail::print_of(before_.key(), user, scratch_);
  const auto* old = before_.find(now.id);
  const auto earlier = changed_.find(now.id);
  const auto* known = earlier != changed_.end() ? &earlier->second : old;
  if (!stated) {
    const auto low = known != nullptr ? known->state & 31U : std::uint64_t{1};
    now.state = (now.state & ~std::uint64_t{31}) | low;
  }
  changed_.insert_or_assign(now.id, now);
  return old != nullptr ? detail::difference(*old, now) : Difference::appeared;
}

DEPROV_INLINE Result<CompleteSnapshot> SnapshotChanges::close(EndOfList end) && {
  if (failure_) return *failure_;
  if (end.users() && *end.users() != users_)
    return Error(Errc::protocol,
                 "the source says that " + std::to_string(*end.users()) + " users changed, and showed " +
                     std::to_string(users_),
                 "the changes", "read everything instead");
  std::vector<UserPrint> all;
  all.reserve(before_.size() + changed_.size());
  auto c = changed_.cbegin();
  for (const auto& old : before_.users()) {
    for (; c != changed_.cend() && c->first < old.id; ++c) all.push_back(c->second);
    const bool changed = c != changed_.cend() && c->first == old.id;
    all.push_back(changed ? (c++)->second : old);
  }
  for (; c != changed_.cend(); ++c) all.push_back(c->second);
  return CompleteSnapshot(before_.key(), std::move(all));
}

DEPROV_INLINE Result<SnapshotCounts> compare(const CompleteSnapshot& before, const CompleteSnapshot& after,
                                             const std::function<void(Difference, const UserPrint&)>& visit) {
  if (before.key() != after.key())
    return Error(Errc::conflict, "the two snapshots were made with different keys", "snapshot");
  SnapshotCounts counts;
  const auto tell = [&](Difference d, const UserPrint& u) {
    detail::count(counts, d);
    if (d != Difference::same && visit) visit(d, u);
  };
  auto b = before.users().begin();
  auto a = after.users().begin();
  while (b != before.users().end() || a != after.users().end()) {
    if (a == after.users().end() || (b != before.users().end() && b->id < a->id)) {
      tell(Difference::left, *b++);
    } else if (b == before.users().end() || a->id < b->id) {
      tell(Difference::appeared, *a++);
    } else {
      tell(detail::difference(*b++, *a), *a);
      ++a;
    }
  }
  return counts;
}

}  // namespace deprov::idp
