// One list of a source on its way: read, compared with the last one and with the subjects, stored.
#pragma once

#include <array>
#include <cstdint>
#include <deprov/engine/sources.hpp>
#include <deprov/idp/feed.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>
#include "engine/impl.hpp"
#include "engine/sources/source_config.hpp"

namespace deprov::engine {

/// What a round of a feed leaves beside its users.
struct RoundEnd {
  std::optional<std::uint64_t> total{};  ///< as the source counts
  std::uint64_t records = 0;             ///< that came
  std::string poll{};                    ///< `poll_text` from then on
  WallTime due{};                        ///< when it is read again
  std::string quiet_poll{};              ///< the same where it showed nothing new
  WallTime quiet_due{};
  bool asked_for = false;  ///< by a person: on the activity, whatever it showed
};

inline constexpr std::size_t subjects_a_view = 500;

/// Memory: 24 bytes for each user of the list and of the one before, 28 for each subject. The new list is written
/// beside the old one in pieces; one transaction then makes it the last one, together with the work that carries
/// its changes out. Each transaction on the way raises the version of the source's row, so that of two lists of
/// one source one comes to its end. *Thread safety*: the executor only.
class SourceSync : public std::enable_shared_from_this<SourceSync> {
 public:
  SourceSync(std::shared_ptr<Engine::Impl> impl, std::string actor, port::Scope scope, BeginList how);
  /// Nothing for `source`: compared with nothing but the subjects, by `config`.
  void begin(std::optional<port::SourceRow> source, SourceConfig config, Done<void> done);
  Result<std::uint64_t> feed(std::uint64_t offset, std::string_view bytes);
  Result<std::uint64_t> add(std::uint64_t offset, const std::vector<SourceUser>& users);
  void end(std::optional<std::uint64_t> count, Done<json::object> done);

  // ---- of a round of a feed, between `begin` and `end_round`
  /// Before `begin`.
  void round(idp::FeedRoundKind kind, bool repeats);
  Result<void> begin_page(std::string_view mark);
  /// `fresh`: read for this user alone (a targeted read).
  Result<void> take(const idp::FeedUser& user, bool fresh);
  void end_round(RoundEnd how, Done<json::object> done);
  /// What a source says of users whom it was asked for alone.
  struct Confirmed {
    std::vector<std::string> there;                        ///< have access after all
    std::map<std::string, idp::Cause, std::less<>> ended;  ///< have none, and why
  };
  using Confirm = port::UniqueFunction<void(std::vector<std::string> ids, Done<Confirmed> done)>;
  /// Before `end_round`: those who are not listed any more are asked for, or a sample of them that is spread over
  /// all. One who is there, and the list was not whole, whatever it said of itself (R6).
  void confirm_with(Confirm confirm) { confirm_ = std::move(confirm); }
  /// In place of `begin` and what follows it, for a round that shows nobody and is whole: `quiet`; or one that
  /// failed: `fail`.
  void adopt(port::SourceRow source) { row_ = std::move(source); }
  void quiet(RoundEnd how, Done<json::object> done);
  /// When it is read again after a failure, and `poll_text` then.
  void after_failure(WallTime due, std::string poll);
  /// The claim on the source, while a round takes long.
  void renew(WallTime due);

  /// The list could not be read; recorded as a failure of the source where it is one.
  void fail(Error why, port::UniqueFunction<void()> done);

  [[nodiscard]] WorkId id() const noexcept { return id_; }
  [[nodiscard]] const port::Scope& scope() const noexcept { return scope_; }
  [[nodiscard]] SourceId source() const noexcept { return row_ ? row_->id : SourceId{}; }
  [[nodiscard]] MonoTime touched() const noexcept { return touched_; }
  [[nodiscard]] bool ended() const noexcept { return ended_; }

 private:
  /// How a subject and the list differ.
  enum class Kind : std::uint8_t { same, not_listed, listed_inactive, no_access_here, no_link, ambiguous };
  static constexpr std::size_t kinds = 6;
  static constexpr std::uint32_t nowhere = 0xFFFFFFFFU;
  struct Seen {
    ResourceId subject;
    std::uint32_t place = nowhere;   ///< in the list
    std::uint32_t before = nowhere;  ///< in the one before
    bool access = false, linked = false, fresh = false;
    bool by_person = false;        ///< a person said which id it has
    Names names = Names::subject;  ///< of those who are owed: their id may be in no list any more
    WallTime happened;
  };
  class Meant;
  struct Found {
    Seen seen;
    Kind kind = Kind::same;
    bool acts = false;
    std::string user_name, external_id;
  };

  void load(const std::shared_ptr<idp::SnapshotLoader>& loader, std::uint32_t from, Done<void> done);
  Result<void> ready();
  Result<void> ready_for_round();
  [[nodiscard]] Error blamed(Error why) const;
  Result<void> usable(std::uint64_t offset, std::string_view unit);
  void scan(std::optional<ResourceId> after);
  Result<Seen> look_at(port::Reader& reader, const port::ResourceRow& resource) const;
  void compare_with_subjects();
  void gather_asked(std::optional<ResourceId> after);
  void look_at_subjects();
  void find_touched(std::size_t from);
  void look_at_some(std::size_t from);
  void end_read();
  void confirm_absent();
  void take_confirmed(const Confirmed& said, const std::map<std::string, ResourceId>& asked);
  void gather_said(std::optional<ResourceId> after);
  [[nodiscard]] idp::Cause cause_of(const idp::UserPrint& user) const;
  [[nodiscard]] bool nothing_new() const;
  [[nodiscard]] bool changes_only() const { return round_ && *round_ != idp::FeedRoundKind::complete; }
  void judge();
  void name_found();
  [[nodiscard]] json::object report() const;

  // source_store.cpp
  void stage();
  void prune(port::UniqueFunction<void(Result<void>)> then);
  void write_pieces();
  [[nodiscard]] std::vector<port::Op> next_pieces();
  void make_last();
  void touch();
  Result<port::SourceRow> mine(port::Reader& reader) const;
  void commit(std::vector<port::Op> ops, port::UniqueFunction<void(Result<port::Committed>)> done);
  void refuse(Error why);
  void record_failure(Error why, port::UniqueFunction<void()> done);

  std::shared_ptr<Engine::Impl> impl_;
  std::string actor_;
  port::Scope scope_;
  BeginList how_;
  WorkId id_;
  WallTime begun_;
  MonoTime touched_;
  std::optional<port::SourceRow> row_;  ///< with the version that is ours
  SourceConfig config_;
  idp::FingerprintKey key_;
  std::optional<idp::CompleteSnapshot> before_, after_;
  std::optional<idp::SnapshotReading> reading_;
  std::optional<idp::FeedRoundKind> round_;
  std::optional<idp::SnapshotChanges> changes_reading_;
  bool repeats_ = false, all_known_ = true;
  std::vector<std::string> touched_ids_;  ///< who differs from the list before, while `all_known_`
  std::set<idp::Fingerprint> fresh_;      ///< who was read for themselves
  std::map<idp::Fingerprint, WallTime> happened_;
  RoundEnd round_end_;
  Confirm confirm_;
  WallTime failure_due_;
  std::string failure_poll_;
  bool partial_ = false;  ///< only those are looked at of whom the round said anything new
  bool renewing_ = false;
  port::UniqueFunction<void()> renewed_;
  std::unique_ptr<idp::SnapshotReader> reader_;  ///< null: users are handed in
  std::uint64_t offset_ = 0;
  std::optional<Error> failure_;
  bool ended_ = false;
  Done<json::object> done_;

  std::vector<ResourceId> candidates_;
  std::vector<Seen> seen_;
  std::vector<ResourceId> said_;  ///< of whom sources said anything but hints, in order
  std::set<ResourceId> asked_;    ///< whom it has to be read again for: what it says of them counts, new or not
  std::vector<SourceChange> changes_;
  std::vector<Found> found_;
  std::array<std::uint64_t, kinds> counts_{};
  idp::SnapshotCounts differences_;
  std::uint64_t with_access_ = 0, unknown_ = 0, ends_ = 0, restores_ = 0;
  bool more_ = false;

  std::uint32_t places_ = 0, place_ = 0;
  bool rewrite_ = false;
  std::size_t at_after_ = 0, at_before_ = 0;  ///< where the next place begins
  std::size_t change_ = 0;
  std::string header_;
  WorkId work_;
};

}  // namespace deprov::engine
