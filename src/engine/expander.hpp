// What could not be decided inside the request that showed it: evaluations that settle, and large requests in
// pieces. One at a time per integration, interleaved with everybody else's work.
#pragma once

#include <deprov/engine/context.hpp>
#include <deprov/engine/effect.hpp>
#include <deprov/port/clock.hpp>
#include <deprov/port/executor.hpp>
#include <deprov/port/random.hpp>
#include <deprov/port/store.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_set>
#include <vector>
#include "engine/decision.hpp"

namespace deprov::engine {

/// What an expander needs of the engine. Outlives it.
class ExpanderHost {
 public:
  virtual ~ExpanderHost() = default;
  using Decide = std::function<Result<port::Transaction>(port::Reader&)>;
  virtual void expander_decide(Decide body, port::UniqueFunction<void(Result<port::Committed>)> done) = 0;
  virtual Context expander_context(const port::Scope& scope) = 0;
  /// Jobs may have been made.
  virtual void expander_committed(const port::Scope& scope) = 0;
  /// See `Decision::doubted`.
  virtual void expander_doubted(const port::Scope& scope, const std::vector<ResourceId>& subjects) = 0;
};

struct ExpanderPorts {
  port::Executor& executor;
  port::Clock& clock;
  port::Random& random;
  port::Store& store;
};

/// *Thread safety*: the executor only.
class Expander : public std::enable_shared_from_this<Expander> {
 public:
  /// `look_again`: how often to look for what other engines on this store have left behind; 0: there are none.
  Expander(ExpanderPorts ports, ExpanderHost& host, port::Scope scope, std::size_t piece,
           Duration look_again = {});
  ~Expander();
  void poke();
  void stop(port::UniqueFunction<void()> done);

 private:
  struct Piece;
  struct Count;
  void look();
  void settle(std::vector<port::DueRow> dues, std::string held = {});
  void postpone(const port::DueRow& due, const Error& error);
  void set_aside(const port::WorkRow& row, const Error& error);
  void work(port::WorkRow row);
  void carry_out(const std::shared_ptr<Piece>& piece);
  void finished(bool progress);
  void arm(WallTime at);
  Result<port::Transaction> decide_dues(port::Reader& reader, const std::vector<port::DueRow>& dues,
                                        const std::string& held);
  Result<port::Transaction> decide_members(port::Reader& reader, Piece& piece);
  Result<port::Transaction> decide_reevaluation(port::Reader& reader, Piece& piece);
  // expander_sources.cpp: what a complete list of a source changes
  Result<port::Transaction> decide_source(port::Reader& reader, Piece& piece);
  Result<void> count_source(port::Reader& reader, Decision& decision, Count& count);
  // expander_guard.cpp: a request of many is judged whole before any of its effects (R7)
  [[nodiscard]] bool wants_judging(const Piece& piece);
  void count(const Piece& piece);
  void count_on(const std::shared_ptr<Count>& counting);
  Result<void> count_some(port::Reader& reader, Count& count);
  void judge(const std::shared_ptr<Count>& count, bool hold);
  /// What the window planned and did not send yet joins the hold; what it sent is listed in it.
  Result<port::Transaction> decide_hold(port::Reader& reader, Piece& piece);
  Result<void> join(port::Reader& reader, Decision& decision, const port::HoldRow& hold, port::JobRow job);

  ExpanderPorts ports_;
  ExpanderHost& host_;
  port::Scope scope_;
  std::size_t piece_;
  Duration look_again_;
  bool busy_ = false;
  bool one_by_one_ = false;  ///< an evaluation cannot be decided; the others are, each by itself
  /// Work that cannot be done now, and what follows it on the same group; the rest goes on. Looked at again later.
  std::map<WorkId, ResourceId> aside_;
  std::optional<WallTime> aside_until_;
  bool again_ = false;
  bool stopping_ = false;
  port::UniqueFunction<void()> stopped_;
  port::TimerId timer_ = 0;
  std::optional<WallTime> armed_;
  /// The payload of the work at hand, decoded once.
  std::shared_ptr<const std::vector<MemberStep>> steps_;
  WorkId steps_of_;
};

/// One transaction's worth of work.
struct Expander::Piece {
  port::WorkRow row;    ///< its cursor without the verdict
  std::string verdict;  ///< empty: not judged as a whole
  Judged left;          ///< of what its unit reserved
  std::shared_ptr<const std::vector<MemberStep>> steps;
  bool over = false;
  std::string cursor;  ///< with the verdict
  std::uint64_t done = 0;
  std::vector<ResourceId> doubted{};  ///< see `Decision::doubted`
  void take_verdict();
  [[nodiscard]] static std::string verdict_of(const Judged& left);
  [[nodiscard]] std::string verdict_after(const Decision& decision) const;
  /// Whether those who are not in its unit's reservation were counted one by one.
  [[nodiscard]] bool goes_beyond() const;
  void judge(Decision& decision, std::uint64_t members) const;
};

/// How many a unit would worsen, before any of it is done.
struct Expander::Count {
  port::WorkRow row;
  std::shared_ptr<const std::vector<MemberStep>> steps;  ///< null: the group is evaluated again
  Tally unit;
  std::uint64_t members = 0;
  bool over = false;
  // Where it stands.
  bool begun = false;
  std::size_t step = 0;
  std::size_t index = 0;
  std::optional<ResourceId> after;
  struct Level {
    ResourceId group;
    std::optional<ResourceId> after;
    bool by_access = false;  ///< everybody with access counts: how the rest would be is not stored yet
  };
  std::vector<Level> below;
  std::unordered_set<ResourceId> seen;

  void descend(ResourceId group, bool by_access) {
    if (below.size() < max_group_depth && seen.insert(group).second)
      below.push_back({group, std::nullopt, by_access});
  }
};

}  // namespace deprov::engine
