// Comparing who has access with the accounts that are really in the app (R6, R12, R13).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>
#include "engine/decision.hpp"
#include "engine/impl.hpp"

namespace deprov::engine {

/// The name of the duty; its state is the report of the last run.
inline constexpr std::string_view reconcile_chore = "reconcile";

struct ReconcileTask {
  port::Scope scope;
  std::string actor;
  bool queue = false;  ///< queue what the policy says; otherwise propose
  WallTime next;       ///< when it is due again
};

/// One run. Memory: a page of accounts or subjects, 8 bytes for each account that was listed, 8 for each page.
/// *Thread safety*: the executor only. Lives until `done` was called.
class Reconciliation : public std::enable_shared_from_this<Reconciliation> {
 public:
  /// More accounts than this are not listed; the run is then incomplete, and nobody is absent.
  static constexpr std::size_t max_accounts = 5'000'000;

  Reconciliation(std::shared_ptr<Engine::Impl> impl, ReconcileTask task, Done<json::object> done);
  /// `done` gets the report, of an incomplete run, too. Errors: `not_found`, `unsupported` (the app cannot list
  /// its accounts), those of opening the connection and of the store.
  void start();
  /// Ends soon; `ended` comes after `done` was called, with `closed` where it had not come to its end.
  void stop(port::UniqueFunction<void()> ended);
  /// Nobody waits for it any more, and the engine forgets it: the app does not answer.
  void abandon();
  [[nodiscard]] WorkId run() const noexcept { return run_; }
  /// How far it is, or what it found.
  [[nodiscard]] json::object report() const;

 private:
  struct Candidate {
    ResourceId subject;
    std::string account, login;
  };

  void list_page();
  void listed(connector::Reply reply);
  void compare(std::shared_ptr<const std::vector<connector::Account>> accounts, std::string next);
  Result<void> look_at(Decision& decision, port::Reader& reader, const connector::Account& account);
  Result<std::vector<port::ResourceRow>> match(port::Reader& reader, const connector::Account& account) const;
  Result<void> without_access(Decision& decision, port::Reader& reader, SubjectState& state,
                              const connector::Account& account, const std::optional<port::BindingRow>& binding);
  Result<void> look_up_again(Decision& decision, port::Reader& reader, ResourceId subject);
  void found(Decision& decision, port::FindingKind kind, ResourceId subject, const connector::Account& account,
             std::string note);
  void end_of_listing();
  /// What was found is judged as one unit, and then queued in pieces (R7).
  void judge();
  void queue_some();
  Result<void> queue(Decision& decision, port::Reader& reader, port::FindingRow finding);
  void queued();
  void subjects_page();
  void confirm();
  void confirmed(bool missing, std::string note);
  void finish();
  void again(Duration wait);
  void call(connector::Call call, port::UniqueFunction<void(connector::Reply)> then);
  void answer(Result<json::object> result);
  [[nodiscard]] bool stopped();
  void fail(Error error);
  void record_end(port::Transaction& txn, std::string event) const;

  std::shared_ptr<Engine::Impl> impl_;
  ReconcileTask task_;
  Done<json::object> done_;
  WorkId run_;
  WallTime started_, finished_;
  Context context_;
  std::unique_ptr<connector::Connector> app_;
  std::optional<connector::CallId> call_;  ///< under way
  port::TimerId timer_ = 0;
  port::UniqueFunction<void()> stopped_;
  Evidence evidence_;

  std::string held_;        ///< why the guard refused what is to be queued; empty: it did not
  bool allowed_ = false;    ///< the whole was judged and reserved
  std::uint64_t last_ = 0;  ///< up to which finding it was queued
  std::string cursor_;
  std::unordered_set<std::size_t> cursors_;
  std::vector<std::size_t> seen_;  ///< hashes of the accounts' ids; sorted when all are there
  std::uint32_t failures_ = 0, empty_pages_ = 0, waits_ = 0;
  std::string incomplete_;  ///< why nobody is absent; empty: the listing is complete
  std::string failed_;      ///< why the run ended early; empty: it did not

  std::optional<ResourceId> after_;
  bool subjects_over_ = false;
  std::vector<Candidate> candidates_;
  std::size_t reads_ = 0;

  /// What is counted; a page's share is kept apart until its transaction is durable, since it may be decided
  /// twice.
  struct Counts {
    std::map<port::FindingKind, std::uint64_t> findings;
    std::uint64_t in_progress = 0, queued = 0, looked_up = 0, number = 0;
    std::uint64_t to_queue = 0;  ///< of leftover access and drift
    std::uint64_t worsen = 0,
                  late = 0;  ///< of these, whom the guard counts now, and who count when they are found
  };
  Counts counts_, page_;
  std::unordered_set<ResourceId> page_subjects_;  ///< without access, of the page at hand
  std::uint64_t accounts_ = 0, pages_ = 0, subjects_ = 0;
  bool over_ = false;
};

/// What is kept of an account's id while the app is listed.
[[nodiscard]] inline std::size_t hash_of(std::string_view text) { return std::hash<std::string_view>{}(text); }

/// Starts a run, unless one is under way: `conflict`. Answers with its id at once; `ended` comes at its end.
[[nodiscard]] Result<WorkId> start_reconciliation(const std::shared_ptr<Engine::Impl>& impl, ReconcileTask task,
                                                  Done<json::object> ended);

}  // namespace deprov::engine
