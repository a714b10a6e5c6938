// A lane: all jobs of one connection, their order, their limits, and who may carry them out.
#pragma once

#include <algorithm>
#include <deprov/connector/connector.hpp>
#include <deprov/policy/plan.hpp>
#include <deprov/policy/policy.hpp>
#include <deprov/port/clock.hpp>
#include <deprov/port/executor.hpp>
#include <deprov/port/random.hpp>
#include <deprov/port/store.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>
#include "jobs/limiter.hpp"

namespace deprov::jobs {

/// What a lane asks of the engine above it. Outlives every lane. Called on the executor, save `has_access`,
/// which runs inside views.
class LaneHost {
 public:
  virtual ~LaneHost() = default;
  /// R1 and R5: whether the subject has access by what the reader shows.
  virtual Result<bool> has_access(port::Reader& reader, const port::Scope& scope, ResourceId subject) = 0;
  /// The highest role of the policy that the subject's groups give it, by what the reader shows.
  virtual Result<std::optional<policy::RoleRule>> wanted_role(port::Reader& reader, const port::Scope& scope,
                                                              ResourceId subject) = 0;
  /// Whether protection or an exemption keeps the account of the subject (R9). Inside views.
  virtual Result<std::optional<policy::Retention>> retained(port::Reader& reader, const port::Scope& scope,
                                                            ResourceId subject) = 0;
  /// What a step is sent by, where other engines write to the store, too.
  struct Standing {
    std::uint64_t integration = 0;  ///< its version
    std::uint64_t workspace = 0;    ///< the epoch of the workspace's own lane
    bool go = true;                 ///< nothing stands still, and nothing was changed elsewhere
  };
  virtual Result<std::optional<Standing>> standing(port::Reader& reader, const port::Scope& scope) {
    (void)reader, (void)scope;
    return std::optional<Standing>{};
  }
  /// The lane has found that it must not go on by what it knows; it is told how to.
  virtual void changed_elsewhere(const port::Scope& scope) { (void)scope; }
  /// Why the end of the subject's access does not count now: it was inferred from a source that fails (R16).
  /// Inside views.
  virtual Result<std::optional<std::string>> frozen(port::Reader& reader, const port::Scope& scope,
                                                    ResourceId subject) {
    (void)reader, (void)scope, (void)subject;
    return std::optional<std::string>();
  }
  virtual void activity_appended(const port::Scope& scope) = 0;
  /// A hold was opened, and what belongs in it is to be found (the work of that kind).
  virtual void hold_opened(const port::Scope& scope) { (void)scope; }
  /// An evaluation was stored that falls due by itself.
  virtual void evaluation_stored(const port::Scope& scope) { (void)scope; }
  virtual void count_attempt(connector::Operation operation, connector::Outcome outcome) = 0;
  virtual void count_finished(port::JobState state, std::optional<Duration> time_to_deprovision) = 0;
  /// Access ended in the app, and the job goes on: what cannot be undone is still to come.
  virtual void count_secured(Duration time_to_deprovision) = 0;
};

struct LanePorts {
  port::Executor& executor;
  port::Clock& clock;
  port::Random& random;
  port::Store& store;
};

struct LaneOptions {
  std::string node;
  Duration lease = std::chrono::seconds(30);
  std::size_t window = 256;
};

/// What the guard showed of one job when a pass began.
struct GuardView {
  HoldId open;             ///< nil: no hold
  bool released = false;   ///< a person let this job go from a hold
  policy::GuardBase base;  ///< read where the job removes an account or lowers a role
};

struct Run;

/// How the events of a kind of job begin: "removal".
[[nodiscard]] std::string_view event_prefix(port::JobKind kind);

/// *Thread safety*: the executor only.
class Lane : public std::enable_shared_from_this<Lane> {
 public:
  Lane(LanePorts ports, LaneOptions options, port::Scope scope, policy::Policy policy,
       std::unique_ptr<connector::Connector> connector, LaneHost& host);
  ~Lane();

  /// Takes ownership of the lane in the store, then works off what is due.
  void start();
  /// There may be new jobs.
  void poke();
  /// Stopped by a person: nothing new begins; jobs between two steps go back to the queue.
  void set_paused(bool paused);
  /// Begins nothing new; `done` when the last call has been answered and recorded.
  void stop(port::UniqueFunction<void()> done);
  /// Lets go of what waits for its turn, without a record of it: for an engine that ends without being closed.
  /// What is in the store is found at the next start.
  void abandon();

  [[nodiscard]] std::uint32_t jobs_in_flight() const noexcept { return static_cast<std::uint32_t>(runs_.size()); }
  [[nodiscard]] const Limiter& limiter() const noexcept { return limiter_; }
  [[nodiscard]] const std::string& own_pause() const noexcept { return own_pause_; }
  [[nodiscard]] bool paused() const noexcept { return paused_; }

 private:
  friend struct Run;
  using RunPtr = std::shared_ptr<Run>;

  // lane.cpp: ownership and dispatch
  void acquire();
  void schedule_renewal();
  void lost(const Error& error);
  void fill();
  void fetched(std::vector<port::JobRow> rows, std::optional<WallTime> next, bool more);
  void arm_timer(WallTime at);
  [[nodiscard]] bool may_begin() const noexcept;
  /// Look-ups in memory at once: a lane full of them would keep removals out (R15).
  [[nodiscard]] std::size_t most_lookups() const noexcept {
    return std::max<std::size_t>(options_.window * 3 / 4, 1);
  }
  /// Runs `go` when the limiter lets a call begin; drops it (with `go(false)`) when the lane stops or pauses.
  void when_admitted(const RunPtr& run, std::function<void(bool)> go);
  void promote(ResourceId subject, std::uint8_t priority);
  void admit();
  void call(connector::Call call, std::function<void(connector::Reply)> done);
  void drop(const RunPtr& run);
  void maybe_stopped();
  void pause_by_itself(std::string reason);
  void probe();
  /// Commits again where that may help; `done` gets success, `stale_read`, `conflict`, `fenced`, or what will not
  /// change by itself soon.
  void commit(std::function<port::Transaction()> make, std::function<void(Result<port::Committed>)> done);
  void after(Duration delay, std::function<void()> what);

  // run.cpp: one job
  void begin(const RunPtr& run);
  void begin_later(const RunPtr& run, const Error& error);
  void advance(const RunPtr& run);
  void step_find(const RunPtr& run);
  void ask(const RunPtr& run);
  void bind_found(const RunPtr& run, connector::Reply reply);
  Result<void> suspend(port::Reader& reader, port::Transaction& txn, ResourceId subject, ResourceId rival);
  void confirm_absence(const RunPtr& run);
  void finish_absent(const RunPtr& run);
  void step_call(const RunPtr& run);
  void send(const RunPtr& run);
  // run_guard.cpp: what may keep a job from acting although the state asks for it
  [[nodiscard]] bool guarded(const port::JobRow& job) const;
  [[nodiscard]] static bool lowers_role(const port::JobRow& job);
  /// Whether a hold is open that this job has to wait in; `released`: a person let it go.
  Result<bool> must_join(port::Reader& reader, const port::JobRow& job, GuardView& seen) const;
  void join_hold(const RunPtr& run, std::string why);
  /// Once for each job that removes an account, lowers a role, or found an account that was not known before.
  [[nodiscard]] port::op::Reserve reserve_removal(const Run& run) const;
  [[nodiscard]] port::op::Reserve reserve_worsened(const Run& run) const;
  /// Whether its account was found late, of a unit that is beyond the limits: then it has joined the hold.
  bool waits_for_its_unit(const RunPtr& run);
  /// Who is counted and keeps access: what the guard measures by must not grow by them.
  [[nodiscard]] static port::op::Reserve count_role(const port::op::Reserve& reserved);
  /// The same for who lost access, counted for that, and has it again: the mark goes with the count.
  [[nodiscard]] static std::vector<port::Op> keep_back(const port::op::Reserve& reserved,
                                                       const port::SubjectRow& subject);
  void retain(const RunPtr& run, const policy::Retention& retention);
  void retain_sessions(const RunPtr& run, const policy::Retention& retention);
  /// The connector says that the account is the one it signs in with.
  void retain_own(const RunPtr& run, const connector::Reply& reply);
  /// Whether the account itself is protected; goes on with `next` where it is not.
  void check_account(const RunPtr& run, std::function<void()> next);
  void check_owners(const RunPtr& run, std::string cursor, std::function<void()> next);
  void answered(const RunPtr& run, connector::Reply reply);
  void record_outcome(const RunPtr& run, connector::Reply reply, bool by_read_back);
  void remember_doubt(const RunPtr& run);
  void step_read_back(const RunPtr& run);
  void step_poll(const RunPtr& run);
  void step_verify(const RunPtr& run);
  void wait_for_earlier(const RunPtr& run);
  void take_as_it_is(const RunPtr& run);
  void verified(const RunPtr& run, connector::Reply reply);
  void next_step(const RunPtr& run);
  /// Once `sent` is durable: the call, unless everything was stopped meanwhile.
  void call_app(const RunPtr& run);

  // run_final.cpp: what cannot be undone, what waits before it, what is only observed
  /// Whether the step has to wait for its grace or for a person; the job is put aside then.
  bool waits(const RunPtr& run);
  void park(const RunPtr& run, port::JobState state, WallTime until);
  /// The transaction that lets a step leave fails where another engine has changed what the run began with.
  void only_as_it_stands(const Run& run, port::Transaction& txn) const;
  void step_final(const RunPtr& run);
  void send_final(const RunPtr& run, const std::shared_ptr<connector::Account>& account);
  /// Another subject with access that the account matches too (R12).
  Result<std::optional<ResourceId>> other_with_access(port::Reader& reader, const connector::Account& account,
                                                      ResourceId subject);
  void step_verify_gone(const RunPtr& run);
  void finish_observed(const RunPtr& run);

  // run_role.cpp
  void step_look_at_roles(const RunPtr& run);
  void wait_for_earlier_role(const RunPtr& run);
  void plan_role(const RunPtr& run, const std::vector<std::string>& present);
  void step_verify_role(const RunPtr& run);
  // run_outcome.cpp
  void no_slot(const RunPtr& run);
  /// What follows where an exchange did not answer the question that was asked.
  void failed_exchange(const RunPtr& run, const connector::Reply& reply);
  void retry_later(const RunPtr& run, std::optional<Duration> server_wait, bool costs_attempt, std::string why);
  /// The step is tried again after this pass.
  void put_off(const RunPtr& run, const connector::Reply& reply, bool costs_attempt);
  /// The same for whatever an exchange about a step came to: the others still run (R3).
  void step_failed(const RunPtr& run, const connector::Reply& reply);
  /// A permission was refused: the lane stands still where the check is refused, too. Otherwise `then`, with the
  /// check's reply where that does not tell.
  void ask_credential(const RunPtr& run, const std::string& why,
                      std::function<void(const connector::Reply* unsure)> then);
  /// Nothing went wrong, and nothing is told: its time has not come.
  void wait_until(const RunPtr& run, WallTime until, std::string why);
  void put_back(const RunPtr& run, std::string why);
  void hold(const RunPtr& run, std::string why);
  void finish(const RunPtr& run, port::JobState state, std::string why);
  void save(const RunPtr& run, std::string event, boost::json::object detail, std::function<void()> next);
  /// What is told together is stored together.
  using Events = std::vector<std::pair<std::string, boost::json::object>>;
  void save(const RunPtr& run, Events events, std::function<void()> next);
  /// The same where somebody changed job or binding meanwhile.
  void save_late(const RunPtr& run, Events events, std::function<void()> next);
  [[nodiscard]] port::Transaction transaction();
  [[nodiscard]] port::op::AppendActivity activity(const Run& run, std::string event,
                                                  const boost::json::object& detail);

  LanePorts ports_;
  LaneOptions options_;
  port::Scope scope_;
  policy::Policy policy_;
  std::unique_ptr<connector::Connector> connector_;
  LaneHost& host_;
  Limiter limiter_;

  std::uint64_t epoch_ = 0;
  bool owned_ = false;
  bool paused_ = false;
  std::string own_pause_;
  bool stopping_ = false;
  bool fetching_ = false;
  bool fetch_again_ = false;
  bool probing_ = false;
  std::uint32_t outstanding_ = 0;  ///< views, commits, calls and delays that will come back
  port::UniqueFunction<void()> stopped_;
  std::unordered_map<JobId, RunPtr> runs_;
  std::unordered_set<ResourceId> subjects_;
  std::unordered_set<ResourceId> blocked_;  ///< of `subjects_`, those that have more to be done
  std::size_t lookups_ = 0;                 ///< of `runs_`, those that only bind
  struct Waiting {
    RunPtr run;
    std::function<void(bool)> go;
  };
  std::map<std::uint8_t, std::deque<Waiting>> waiting_;
  port::TimerId fetch_timer_ = 0;
  std::optional<WallTime> fetch_at_;
  port::TimerId renewal_timer_ = 0;
  port::TimerId admit_timer_ = 0;
  port::TimerId probe_timer_ = 0;
  std::optional<MonoTime> sees_accounts_until_;  ///< a control read proved it (R13)
};

/// One job in memory.
struct Run {
  port::JobRow row;
  policy::Plan plan;
  port::BindingRow binding;
  connector::Match match;
  struct Roles {
    std::optional<policy::RoleRule> wanted;
    std::vector<std::string> taken, given;  ///< by deprov, as its jobs say
  } roles;
  std::size_t at = 0;                  ///< the step of this pass
  bool again = false;                  ///< a step has to be repeated after this pass (R3: the others still run)
  std::optional<MonoTime> not_before;  ///< the app wants to be left alone until then
  bool costs_attempt = false;
  std::string why;
  std::string holds;  ///< a step wants a person after this pass (R3: the others still run)
  bool binding_changed = false;
  bool started = false;                        ///< "in progress" is on the activity
  GuardView guard;                             ///< at the beginning of this pass
  std::optional<LaneHost::Standing> standing;  ///< the same, where other engines write to the store
  bool account_checked = false;                ///< in this pass
  std::optional<port::SubjectRow> subject;     ///< where it counts with a step: as it was when this pass began
  std::string under_way;  ///< handle of an opposite request of an earlier job that the app still works on
  bool restored = false;  ///< by a newer job, already
  std::vector<std::string> roles_under_way;  ///< handles of what earlier jobs asked for, where a role changes
};

}  // namespace deprov::jobs
