// Receivers of security event tokens: verified by the transmitter's keys, decided, stored, and only then
// acknowledged.
#pragma once

#include <deprov/engine/events.hpp>
#include <deprov/engine/sources.hpp>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include "engine/impl.hpp"
#include "engine/sources/event_config.hpp"
#include "engine/sources/event_decision.hpp"
#include "engine/sources/source_lookup.hpp"

namespace deprov::engine {

/// What a failure begins with that a poll met, and that a poll which goes well ends.
inline constexpr std::string_view polling_failure = "polling: ";

/// Of a source of security events: nothing where they are pushed.
[[nodiscard]] std::optional<PollHealth> event_poll_health(const port::SourceRow& row);
/// A config that was changed: it is polled at once where how it is polled is different. Their secrets are in both.
void put_poll_due(port::SourceRow& row, const json::object& before, const json::object& after, WallTime now);

/// *Thread safety*: the executor only, but for the constructor.
class EventReceivers : public std::enable_shared_from_this<EventReceivers> {
 public:
  /// Keys are read again when a token names one that is not known, but not sooner than this after the last time.
  static constexpr Duration keys_rest = std::chrono::seconds(60);
  /// ... and when they are as old as that, so that one which was withdrawn is not used for longer;
  static constexpr Duration keys_fresh = std::chrono::hours(1);
  /// where they cannot be read, the old ones count for so long.
  static constexpr Duration keys_good = std::chrono::hours(24);
  static constexpr std::size_t most_waiting = 256;  ///< tokens of a source that wait for its keys
  /// Of refused tokens that come again so many are known; beyond that they are told of anew.
  static constexpr std::size_t most_refused = 4096;

  explicit EventReceivers(Engine::Impl& engine) : engine_(engine) {}
  ~EventReceivers();
  EventReceivers(const EventReceivers&) = delete;
  EventReceivers& operator=(const EventReceivers&) = delete;

  /// Reads the receivers from the store; one that something comes for before is looked up.
  void start();
  void put(const port::SourceRow& row);
  void forget(SourceId id);
  void stop();

  /// A pushed token. Looks into the store for a receiver that another engine made.
  void receive(SourceId id, std::string token, std::string authorization, Done<ReceivedSet> done);
  [[nodiscard]] bool knows(SourceId id) const { return find(id) != nullptr; }
  /// Whether it is known as the row says it is, or as it was said to be later.
  [[nodiscard]] bool knows(const port::SourceRow& row) const {
    const auto r = find(row.id);
    if (r == nullptr) return false;
    return row.version < r->row.version || (r->row.config == row.config && r->row.secrets == row.secrets);
  }
  /// See `Events::verify`; the roles were checked.
  void verify(SourceId id, Done<void> done);

 private:
  struct Waiting {
    idp::CompactJws jws;
    idp::SetSignature signature;
    std::string jti;  ///< that it was said to have; empty: nobody said
    Done<ReceivedSet> done;
  };
  struct Keys {
    idp::JwkSet set;
    std::optional<MonoTime> read;   ///< when these came
    std::optional<MonoTime> asked;  ///< when they were last asked for
    std::optional<port::HttpCallId> call;
    std::string failure;  ///< of the last time; empty: none
    std::deque<Waiting> waiting;
  };
  struct Poll {
    port::TimerId timer = 0;
    std::optional<port::HttpCallId> call;
    bool busy = false;
    std::uint32_t failures = 0;
    std::vector<std::string> ack;                    ///< `jti`s to acknowledge
    std::map<std::string, idp::SetRefusal> refused;  ///< likewise, refused
    std::set<std::uint64_t> told;                    ///< digests of `jti`s that were refused before
    std::size_t left = 0;                            ///< tokens of the last answer that are being taken
    bool fresh = false;                              ///< one of them was not there before
    std::size_t stale = 0;                           ///< answers in a row that brought nothing new
    bool more = false;                               ///< there are more at the transmitter
    WallTime answered;                               ///< when a poll last went well
    WallTime stored;                                 ///< when the row last learned of a poll that went well
    WallTime ours_until;                             ///< where several engines share the store; 0: not ours
    bool at_once = false;                            ///< the config of the poll under way is not the last one
  };
  struct Receiver {
    port::SourceRow row;
    std::shared_ptr<const EventConfig> config;  ///< decisions read it on other threads
    Keys keys;
    Poll poll;
    std::set<std::pair<std::uint64_t, idp::SetError>> refused;  ///< what is on the activity already
  };
  using ReceiverPtr = std::shared_ptr<Receiver>;

  [[nodiscard]] ReceiverPtr find(SourceId id) const;
  void renew(const ReceiverPtr& r, const port::SourceRow& row, std::shared_ptr<const EventConfig> config);
  void start_again();
  /// `then` is told whether the store was asked.
  // event_receiver.cpp
  void take(const ReceiverPtr& r, const std::string& token, std::string jti, Done<ReceivedSet> done);
  void verify_signature(const ReceiverPtr& r, Waiting one, bool just_read);
  void verified(const ReceiverPtr& r, Waiting one);
  void store(const ReceiverPtr& r, std::shared_ptr<EventTask> task, Done<ReceivedSet> done);
  /// `content`: digest of what the transmitter signed; nothing: it was not found to be the transmitter's.
  void refuse(const ReceiverPtr& r, idp::SetRefusal refusal, std::optional<std::uint64_t> content,
              Done<ReceivedSet> done);
  [[nodiscard]] idp::SetExpectation expectation(const Receiver& r) const;
  void count(const std::string& result);
  // event_keys.cpp
  void read_keys(const ReceiverPtr& r);
  void keys_answered(const ReceiverPtr& r, const port::HttpResult& result);
  void ask_for_verification(const ReceiverPtr& r, const std::string& state, Done<void> done);
  // event_poll.cpp
  void poll_later(const ReceiverPtr& r, Duration wait);
  void poll(const ReceiverPtr& r);
  /// Whether this engine is the one that polls is looked up in the store before it goes on.
  void claim_poll(const ReceiverPtr& r);
  void poll_answered(const ReceiverPtr& r, const port::HttpResult& result);
  void polled(const ReceiverPtr& r);
  void poll_refused(const ReceiverPtr& r, const port::HttpResult& result);
  void poll_failed(const ReceiverPtr& r, const std::string& why, Duration wish = {});
  /// How a poll went, and when the next one is.
  struct PollEnd {
    std::string failure{};  ///< empty: none
    std::string waits{};    ///< it is to be left alone, which is no failure
    Duration interval{0};   ///< between polls, now
    Duration wait{0};       ///< until the next one
  };
  void end_poll(const ReceiverPtr& r, PollEnd end);
  /// Puts that into the row, where every engine that is asked finds it.
  void note_poll(const ReceiverPtr& r, const PollEnd& end);
  /// When it is polled first here: as the row says, also after a restart.
  [[nodiscard]] Duration first_wait(const Receiver& r) const;
  [[nodiscard]] Duration wait_for(WallTime due, const EventConfig& config) const;

  Engine::Impl& engine_;
  std::map<SourceId, ReceiverPtr> receivers_;
  SourceLookup lookup_{engine_};
  bool stopped_ = false;
};

}  // namespace deprov::engine
