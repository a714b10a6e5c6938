// Polled sources: when each is read, by which engine, and what hints lead to.
#pragma once

#include <deprov/engine/sources.hpp>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include "engine/impl.hpp"
#include "engine/sources/feed_run.hpp"
#include "engine/sources/source_config.hpp"
#include "engine/sources/source_lookup.hpp"
#include "engine/sources/source_sync.hpp"

namespace deprov::engine {

/// What is kept of a source between its rounds.
struct PollState {
  std::string checkpoint;       ///< of the feed; empty: the next round reads everybody
  WallTime complete_at;         ///< when everybody was last read
  bool wants_complete = false;  ///< the last try to read everybody failed, or changes cannot be had any more
  Duration interval{0};         ///< between polls, now
  idp::FeedQuota quota;
  std::string round;       ///< what the last round was: complete, changes
  std::string waits;       ///< why it is not read now, though it does not fail
  std::string claimed_by;  ///< the engine that reads it now; empty: none
  /// Ids of whom the last list did not have, and of whom the source says nothing when asked; sorted.
  std::vector<std::string> unsaid{};
};
[[nodiscard]] std::string to_text(const PollState& state);
/// Why a source of that name could not be read.
[[nodiscard]] Error error_of(const idp::FeedFailure& failure, const std::string& name);
/// What does not parse is as if nothing was known: everybody is read.
[[nodiscard]] PollState parse_poll_state(const port::SourceRow& row);

/// The credential of one source, kept over its rounds for the access token in it.
struct PollAuth {
  std::shared_ptr<FeedAuth> auth;
  std::string made_of;  ///< config and secrets
};

/// One reading of one source: claimed in the store, so that of several engines one does it, then read and stored
/// with the checkpoint in one transaction. *Thread safety*: the executor only.
class PollRound : public std::enable_shared_from_this<PollRound> {
 public:
  static constexpr Duration claim = std::chrono::minutes(10);  ///< of a silent engine; renewed between pages
  static constexpr std::size_t most_changed = 200'000;         ///< in one round of changes
  static constexpr std::size_t most_hints = 500;               ///< read one by one; more: everybody is read

  struct Task {
    port::Scope scope;
    SourceId source;
    std::string actor;  ///< empty: nobody asked, it is due
    PollSource how{};
    std::vector<std::string> hints{};  ///< users to read again; with `actor` empty and not due: only these
    bool called = false;               ///< its IdP says that something changed: it is read, due or not
  };
  struct Ended {
    std::optional<Error> error{};
    json::object report{};
    WallTime due{};  ///< 0: the source is gone
    bool hints_done = false;
  };

  PollRound(std::shared_ptr<Engine::Impl> engine, Task task, std::shared_ptr<PollAuth> auth);
  void start(port::UniqueFunction<void(Ended)> done);
  void abandon();

 private:
  struct Owned {
    std::string id, external_id, user_name, email;
    idp::FeedState state = idp::FeedState::granted;
    idp::Cause cause = idp::Cause::none;
    std::optional<WallTime> changed;
    bool fresh = false;
  };

  Result<void> find_owed(port::Reader& reader);
  void claimed(const Result<void>& read);
  Result<void> prepare();
  void begin();
  void read_everybody();
  void read_changes();
  void changes_read(FeedOutcome outcome);
  void read_next_hint();
  void hint_read(const FeedOutcome& outcome);
  void apply();
  void everybody_read(const FeedOutcome& outcome);
  void confirm(std::vector<std::string> ids, Done<SourceSync::Confirmed> done);
  void confirm_next();
  void all_asked();
  void close_round(const FeedOutcome& outcome);
  void failed(const idp::FeedFailure& failure);
  void postpone(const idp::FeedFailure& failure);
  void fail(Error why, std::optional<WallTime> not_before);
  void release(Ended ended);
  [[nodiscard]] WallTime due_of(const port::SourceRow& now, WallTime planned) const;
  void finish(Ended result);
  [[nodiscard]] RoundEnd round_end(const FeedOutcome& outcome) const;
  [[nodiscard]] Duration jittered(Duration interval) const;
  void keep(const idp::FeedUser& user, bool fresh);
  [[nodiscard]] FeedRun::Sink keeping_sink(bool fresh);
  void run(std::unique_ptr<idp::FeedRound> round, FeedRun::Sink sink,
           port::UniqueFunction<void(FeedOutcome)> done);

  std::shared_ptr<Engine::Impl> engine_;
  Task task_;
  std::shared_ptr<PollAuth> auth_;
  port::UniqueFunction<void(Ended)> done_;
  port::SourceRow row_;
  PollState state_, after_failure_;
  WallTime retry_at_;  ///< after a failure
  SourceConfig config_;
  std::shared_ptr<const FeedConfig> feed_;
  WallTime begun_, due_before_, renewed_;
  bool only_hints_ = false;
  std::shared_ptr<SourceSync> sync_;
  std::shared_ptr<FeedRun> run_;
  FeedOutcome outcome_;
  std::vector<Owned> rows_;
  std::vector<std::string> unconfirmed_,
      unsaid_;  ///< who left the list: still to be asked for; nothing was said of
  SourceSync::Confirmed said_;
  Done<SourceSync::Confirmed> confirmed_;
  std::set<std::string> hinted_;
  std::vector<std::string> to_read_, owed_;
  std::set<std::string, std::less<>> marks_;
};

/// All polled sources of the engine. *Thread safety*: the executor only.
class SourcePolls : public std::enable_shared_from_this<SourcePolls> {
 public:
  static constexpr std::size_t most_rounds = 4;                     ///< at once
  static constexpr std::size_t most_rounds_of_one = 2;              ///< of these, of one workspace (R21)
  static constexpr std::size_t most_waiting = 10'000;               ///< hints of one source
  static constexpr std::size_t most_asked = 8;                      ///< people who wait for one source
  static constexpr std::size_t most_told = 100;                     ///< subscriptions of a source
  static constexpr Duration calls_rest = std::chrono::seconds(10);  ///< between polls that the IdP's calls ask for

  explicit SourcePolls(Engine::Impl& engine) : engine_(engine) {}
  ~SourcePolls();
  SourcePolls(const SourcePolls&) = delete;
  SourcePolls& operator=(const SourcePolls&) = delete;

  /// The integration is there, or its sources changed.
  void watch(const port::Scope& scope);
  void forget(IntegrationId id);
  /// A person asks. The source is one of the scope.
  void poll(const port::Scope& scope, SourceId source, std::string actor, PollSource how, Done<json::object> done);
  /// For whoever has evidence from elsewhere. Roles were checked.
  void reread(const port::Scope& scope, SourceHint what, Done<std::size_t> done);
  /// Something of the sources of the scope may have changed, and it is not known what: they are polled soon.
  void hurry(const port::Scope& scope);
  /// A call of the IdP. Looks into the store for a source that another engine made.
  void called(SourceId source, HookCall call, Done<idp::HookAnswer> done);
  /// Starts nothing any more. What is being read is given up, lists that are handed in, too: what was not whole
  /// yet was not stored.
  void stop();

 private:
  struct Asked {
    std::string actor;
    PollSource how;
    Done<json::object> done;
  };
  struct Entry {
    port::Scope scope;
    WallTime due;
    std::uint64_t version = 0;  ///< of the row that it was last put by
    bool gone = false;          ///< once the round that is under way has ended
    std::deque<Asked> asked;
    std::set<std::string> hints;
    std::set<std::string> later;             ///< hints that could not be followed; with the next round
    bool called = false, everybody = false;  ///< to be read out of turn, and whom
    WallTime not_before;                     ///< of that
    /// What calls of the IdP are held to; null: it calls nobody here.
    std::shared_ptr<const FeedConfig> hook;
    std::string kind;
    std::map<std::string, MonoTime, std::less<>> told;  ///< what its IdP said of subscriptions, and when
    std::shared_ptr<PollAuth> auth = std::make_shared<PollAuth>();
    std::shared_ptr<PollRound> round;
  };

  void put(const port::SourceRow& row);
  void put_hook(Entry& entry, const port::SourceRow& row) const;
  void tell_of_subscription(SourceId id, Entry& entry, const idp::HookHint& hint);
  void arm();
  void look();
  void start(SourceId id, Entry& entry);
  void ended(SourceId id, std::optional<Asked> asked, const std::vector<std::string>& hints,
             PollRound::Ended result);

  Engine::Impl& engine_;
  std::map<SourceId, Entry> entries_;
  SourceLookup lookup_{engine_};
  bool stopped_ = false;
  port::TimerId timer_ = 0;
};

}  // namespace deprov::engine
