// Full lists of who has access, and what changed between two of them. Absence counts only where the list is
// complete (R6), and the types see to it: what can be compared comes from `SnapshotReading::close` alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deprov/error.hpp>
#include <deprov/idp/change.hpp>
#include <deprov/idp/fingerprint.hpp>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::idp {

/// One user as a list shows them. The texts live as long as the call that carries them.
struct SnapshotUser {
  std::string_view id;  ///< the source's immutable id; never empty
  std::string_view external_id{};
  std::string_view user_name{};
  std::string_view email{};
  bool active = true;  ///< in the list, and has access by it
  /// Why somebody is not active, where the list says so; otherwise `none`.
  Cause cause = Cause::none;
};

/// What is kept of a user.
struct UserPrint {
  Fingerprint id;
  std::uint64_t state = 0;  ///< a hash of names and e-mail; in its lowest bits `active`, then the cause
  [[nodiscard]] bool active() const noexcept { return (state & 1U) != 0; }
  [[nodiscard]] Cause cause() const noexcept {
    return active() ? Cause::none : static_cast<Cause>((state >> 1U) & 15U);
  }
  friend bool operator==(const UserPrint&, const UserPrint&) = default;
};
static_assert(sizeof(UserPrint) <= 64, "what may be kept per user");

/// How a user differs from the last complete snapshot.
enum class Difference : std::uint8_t {
  same,
  appeared,  ///< was not in it
  ended,     ///< was active, and is listed as not active
  restored,  ///< the other way round
  changed,   ///< names or e-mail
  left,      ///< is not listed any more
};
[[nodiscard]] std::string_view to_string(Difference d) noexcept;

struct SnapshotLimits {
  std::size_t max_users = 20'000'000;
  std::size_t max_pages = 1'000'000;
};

/// A statement that the list was read to its end. Whoever makes one has seen what says so.
class EndOfList {
 public:
  /// The protocol's own end marker was seen: the document closed, no next link, the last index reached.
  [[nodiscard]] static EndOfList seen() noexcept { return EndOfList{std::nullopt}; }
  /// So many users there are, as the source itself says; another number of them was not the whole list.
  [[nodiscard]] static EndOfList counted(std::uint64_t users) noexcept { return EndOfList{users}; }
  [[nodiscard]] std::optional<std::uint64_t> users() const noexcept { return users_; }

 private:
  explicit EndOfList(std::optional<std::uint64_t> users) noexcept : users_(users) {}
  std::optional<std::uint64_t> users_;
};

/// A list that was read to its end, no page of which failed or came twice, that met no cap and is not empty; or
/// the same as `SnapshotLoader` took it up again. Fingerprints in order, 24 bytes a user. Immutable; any thread.
class CompleteSnapshot {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return users_.size(); }
  [[nodiscard]] const std::vector<UserPrint>& users() const noexcept { return users_; }
  /// The user whose id has this fingerprint, or null.
  [[nodiscard]] const UserPrint* find(const Fingerprint& id) const noexcept;
  [[nodiscard]] const FingerprintKey& key() const noexcept { return key_; }
  /// Hands its stored form to `sink` in pieces of at most 64 KiB, in order. The key is not in it.
  void save(const std::function<void(std::string_view)>& sink) const;

 private:
  friend class SnapshotReading;
  friend class SnapshotLoader;
  friend class SnapshotChanges;
  CompleteSnapshot(const FingerprintKey& key, std::vector<UserPrint> users)
      : key_(key), users_(std::move(users)) {}
  FingerprintKey key_;
  std::vector<UserPrint> users_;  ///< by id, each once
};

/// Takes up again what `CompleteSnapshot::save` wrote, cut anywhere.
class SnapshotLoader {
 public:
  /// `key`: the one that the snapshot was made with.
  explicit SnapshotLoader(const FingerprintKey& key) : key_(key) {}
  /// Errors: `store_corrupt`, now and at `finish`.
  Result<void> feed(std::string_view bytes);
  /// Errors: `store_corrupt` where it is not all there, was altered, or was made with another key.
  [[nodiscard]] Result<CompleteSnapshot> finish() &&;

 private:
  Result<void> corrupt(std::string detail);
  FingerprintKey key_;
  std::string rest_;  ///< a header or a user that is not whole yet
  std::vector<UserPrint> users_;
  std::optional<std::uint64_t> expected_;
  std::uint64_t check_ = 0;
  std::uint64_t stated_check_ = 0;
  bool over_ = false;
  std::optional<Error> failure_;
};

/// A list being read. Keeps 24 bytes for each user that is new or changed, and a bit for each of `before`; at
/// `close`, for a moment, as much again. One thread at a time.
///
/// The first failure stays: nothing that follows turns an incomplete list into a complete one.
class SnapshotReading {
 public:
  /// `before` is the last complete snapshot, made with the same key (a precondition); null: there is none. It
  /// outlives the reading.
  /// `repeats`: a user may be listed several times, and is active where one row says so; 24 bytes a row then.
  SnapshotReading(const FingerprintKey& key, SnapshotLimits limits = {}, const CompleteSnapshot* before = nullptr,
                  bool repeats = false);

  /// A page begins. `mark` is what it was asked for by: its link, cursor or index. A list of one page needs none.
  /// Errors: `protocol` where this page was read before, `limit_exceeded` beyond `max_pages`.
  Result<void> begin_page(std::string_view mark);
  /// One user, and how they differ from `before`; only `close` makes anybody absent.
  /// Errors: `protocol` for an id that is empty, has control characters (damage) or came before (the list moved);
  /// `limit_exceeded` beyond `max_users`. New users that are listed twice are found by `close`.
  Result<Difference> add(const SnapshotUser& user);
  /// A page could not be read, or a cap of the source was hit. It cannot be closed any more.
  void fail(Error why);
  [[nodiscard]] const std::optional<Error>& failure() const noexcept { return failure_; }
  /// Users seen so far.
  [[nodiscard]] std::uint64_t users() const noexcept { return users_; }

  /// Errors: the first failure; `protocol` where nobody is listed, somebody is twice, or the source counts
  /// otherwise. What was read is then of no use.
  [[nodiscard]] Result<CompleteSnapshot> close(EndOfList end) &&;

 private:
  Error refuse(Errc code, std::string detail, std::string advice);
  FingerprintKey key_;
  SnapshotLimits limits_;
  const CompleteSnapshot* before_;
  bool repeats_;
  std::vector<bool> seen_;       ///< of `before_`
  std::deque<UserPrint> fresh_;  ///< new, or changed
  std::set<Fingerprint> pages_;
  std::uint64_t users_ = 0;
  std::string scratch_;
  std::optional<Error> failure_;
};

/// What a source says has changed since its last complete list: nobody is absent by it, and it may be empty. Keeps
/// what changed. The first failure stays. One thread at a time.
class SnapshotChanges {
 public:
  /// `before` outlives it.
  explicit SnapshotChanges(const CompleteSnapshot& before, SnapshotLimits limits = {})
      : before_(before), limits_(limits) {}
  /// As in `SnapshotReading`.
  Result<void> begin_page(std::string_view mark);
  /// Of one user the last word counts. `stated` false: nothing was said of their access, which is as before (R10);
  /// of somebody who was not in the list, that they have it. Errors: `protocol` for an id as in `add` there,
  /// `limit_exceeded` beyond `max_users`.
  Result<Difference> add(const SnapshotUser& user, bool stated = true);
  void fail(Error why);
  [[nodiscard]] const std::optional<Error>& failure() const noexcept { return failure_; }
  [[nodiscard]] std::uint64_t users() const noexcept { return users_; }
  /// The list before, with the changes: whole as that was. Errors: the first failure; `protocol` where the source
  /// counts otherwise.
  [[nodiscard]] Result<CompleteSnapshot> close(EndOfList end) &&;

 private:
  const CompleteSnapshot& before_;
  SnapshotLimits limits_;
  std::map<Fingerprint, UserPrint> changed_;
  std::set<Fingerprint> pages_;
  std::uint64_t users_ = 0;
  std::string scratch_;
  std::optional<Error> failure_;
};

struct SnapshotCounts {
  std::uint64_t same = 0, appeared = 0, ended = 0, restored = 0, changed = 0, left = 0;
  friend bool operator==(const SnapshotCounts&, const SnapshotCounts&) = default;
};

/// What changed from one complete snapshot to the next. `visit` gets each user who is not the same, in the order
/// of their fingerprints, as `after` has them, and who left as `before` had them. One pass over both, no memory.
/// Errors: `conflict` where the two were made with different keys.
[[nodiscard]] Result<SnapshotCounts> compare(const CompleteSnapshot& before, const CompleteSnapshot& after,
                                             const std::function<void(Difference, const UserPrint&)>& visit = {});

}  // namespace deprov::idp

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/idp/impl/snapshot.ipp>
#endif
