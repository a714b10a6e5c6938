// What has to hold, whatever happens: looked at with every commit and every call, from time to time, and at the
// end.
#pragma once

#include <cstdint>
#include <deprov/policy/plan.hpp>
#include <deprov/port/store.hpp>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>
#include "sim/app.hpp"
#include "sim/disk.hpp"

namespace deprov::test::sim {

class World;
struct Presence;

struct Violation {
  std::string oracle;  ///< a short name: "R1", "sent", ...
  std::string what;
};

class Oracle final : public AppWatch, public CommitWatch {
 public:
  explicit Oracle(World& world) : world_(world) {}
  /// The first one ends the run.
  void violated(std::string oracle, std::string what);
  [[nodiscard]] const std::optional<Violation>& violation() const noexcept { return violation_; }

  // ---- when
  void call_begins(std::size_t app, const connector::Call& call) override;
  void change_arrives(std::size_t app, const connector::Call& call) override;
  void effect(std::size_t app, const connector::Call& call, const SimAccount& account, By before) override;
  void before(const port::Transaction& txn, port::Reader& reader) override;
  void after(const port::Transaction& txn, port::Reader& reader) override;
  void calendar_jumped();
  /// From time to time.
  void look();
  /// Nothing fails any more, and nobody has decided anything: what could be done is done.
  void at_rest();
  /// People have decided everything.
  void at_the_end();

  /// In the app everybody has the role that the groups give at the beginning, and those below it.
  void give_roles(port::Reader& reader);

  /// A reconciliation has ended.
  void reconciled(std::size_t app, WorkId run);

  /// For figures: how often what was looked at.
  struct Counts {
    std::uint64_t commits = 0, sent = 0, effects = 0, subjects = 0, records = 0, roles = 0, polls = 0, spoiled = 0;
  };
  [[nodiscard]] const Counts& counts() const noexcept { return counts_; }
  /// One line about one record, for people.
  [[nodiscard]] std::string tell(const port::ActivityRow& row);
  /// Of all chains, as they were at the end: equal for equal runs.
  [[nodiscard]] std::uint64_t digest() const noexcept { return digest_; }

 private:
  struct AppState;
  // oracle_commit.cpp
  void check_sent(std::size_t app, const port::Transaction& txn, const port::op::AppendActivity& record,
                  port::Reader& reader);
  void check_guard_fence(std::size_t app, const port::JobRow& job, const policy::Plan& planned,
                         port::Reader& reader);
  void check_final(std::size_t app, const port::JobRow& job, const policy::Plan& plan, const policy::Step& step);
  void check_verified(std::size_t app, const port::JobRow& job, port::Reader& reader);
  void check_binding(const port::BindingRow& row, port::Reader& reader);
  void count_reservation(std::size_t app, const port::JobRow& job);
  // oracle_facts.cpp
  /// R1, worked out anew from the facts alone: what SCIM push said, and what is in the directory that is polled.
  enum class Access : std::uint8_t { no, yes, unsure };
  Access access(std::size_t app, port::Reader& reader, ResourceId subject);
  /// By SCIM push alone.
  bool pushed_access(std::size_t app, port::Reader& reader, ResourceId subject);
  /// What is known of the subject in the directory; null: it is not polled, or the subject never was in it.
  Presence* presence(std::size_t app, port::Reader& reader, ResourceId subject);
  void note_presence(std::size_t app);
  void check_source(std::size_t app, port::Reader& reader);
  bool pending(std::size_t app, port::Reader& reader);
  /// The place of the highest group with a role that the subject is in, however deeply; nothing: in none.
  std::optional<std::uint32_t> wanted_role(std::size_t app, port::Reader& reader, ResourceId subject);
  void check_roles(std::size_t app, port::Reader& reader);
  /// Why the subject may still be in the app, where anybody can see it; empty: nothing says so.
  std::string excuse(std::size_t app, port::Reader& reader, const port::SubjectRow& subject);
  /// The account that is the subject's, or null.
  SimAccount* account_of(std::size_t app, port::Reader& reader, ResourceId subject);
  void check_access(std::size_t app, port::Reader& reader, bool at_once, bool for_good);
  void check_queues(std::size_t app, port::Reader& reader);
  void check_told(std::size_t app, port::Reader& reader);
  void check_chain(const port::Scope& scope, port::Reader& reader);
  std::optional<std::size_t> app_of(const port::Scope& scope) const;
  std::string name(std::size_t app, ResourceId subject);

  World& world_;
  std::optional<Violation> violation_;
  Counts counts_;
  std::uint64_t digest_ = 0;
  struct Sent {
    std::uint32_t recorded = 0;
    std::uint32_t arrived = 0;
    std::string account;
    MonoTime at;  ///< of the last record
  };
  std::map<std::string, Sent> sent_;  ///< by job, operation, entitlement
  std::vector<Violation> suspected_;  ///< of the transaction that is being stored
  TxnId suspect_;
  std::map<JobId, MonoTime> in_grace_;
  std::map<JobId, Duration> jumped_then_;
  std::set<std::pair<std::size_t, ResourceId>> subjects_;
  std::map<ResourceId, MonoTime> without_since_;
  std::map<std::pair<std::size_t, std::string>, std::uint32_t>
      first_roles_;  ///< by account: the highest at the beginning
  struct Reserved {
    WallTime at;
    ResourceId subject;
  };
  std::map<JobId, Reserved> reserved_;                   ///< jobs that the guard let pass
  std::map<JobId, Reserved> without_account_;            ///< jobs of whom no account was known
  std::map<std::size_t, std::vector<Reserved>> let_go_;  ///< by app: of those, who was sent
  std::map<std::size_t, std::set<ResourceId>> ever_with_access_;
};

}  // namespace deprov::test::sim
