// What follows from an effect: grants, intents, jobs and activity, as one transaction (DESIGN section 3).
#pragma once

#include <deprov/engine/context.hpp>
#include <deprov/engine/effect.hpp>
#include <deprov/policy/guard.hpp>
#include <deprov/policy/protection.hpp>
#include <deprov/port/clock.hpp>
#include <deprov/port/random.hpp>
#include <deprov/port/store.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace deprov::engine {

namespace json = boost::json;

/// How deep groups in groups are followed.
constexpr std::size_t max_group_depth = 32;
/// The evaluation that is due when a retention has to be looked at again; its payload is the retention.
constexpr std::string_view retained_kind = "retained";
/// The work that brings into a hold what its window planned and did not send yet.
constexpr std::string_view hold_work = "hold";
/// The work that carries out what a complete list of a source changes.
constexpr std::string_view source_work = "source";
/// The guard's counter of subjects whose access worsens.
constexpr std::string_view worsened_counter = "worsened";
/// Of these, who has access all the same: only the role was lowered.
constexpr std::string_view roles_counter = "roles";
/// Of these, who has access all the same: it was judged with its unit, and its turn comes, or it settles; or it
/// came back.
constexpr std::string_view early_counter = "early";

/// A subject with what was read of it for one decision.
struct SubjectState {
  port::SubjectRow subject;
  bool stored = false;                        ///< the row exists
  bool had_access = false;                    ///< as stored
  std::optional<port::ResourceRow> resource;  ///< as it will be after the effect
};

/// Memberships as they will be after the effect, where the store still shows them as they were.
struct MembershipOverlay {
  ResourceId group;      ///< nil: none
  bool removed = false;  ///< the subject leaves `group`; otherwise it joins
};

/// What the guard has to say about those who worsen in a decision (R7).
enum class Judging : std::uint8_t {
  reserve,  ///< the counters decide, in the transaction itself
  hold,     ///< they refused: it waits for a person
  allowed,  ///< the unit was judged as a whole and reserved before
};

/// What is left of that reservation: what changed since the unit was counted is not in it.
struct Judged {
  std::uint64_t worsen = policy::no_limit;
  std::uint64_t early = policy::no_limit;
  bool beyond_waits = false;  ///< who is not in it waits; otherwise it is counted by itself
  bool late_waits = false;    ///< whose account is found late waits (`Tally::late`)
};

/// How many of a unit worsen.
struct Tally {
  std::uint64_t early = 0;   ///< who has access, and loses it
  std::uint64_t worsen = 0;  ///< who worsens, and does not count yet
  std::uint64_t direct = 0;  ///< of these, members of the group itself
  /// Of whom no account is known, so that they do not count (R13), unless one is found when they are removed.
  std::uint64_t late = 0;
  std::uint64_t late_direct = 0;
};

/// Collects one transaction. Used for one call of a deciding body, on one thread, while its Reader lives.
class Decision {
 public:
  Decision(port::Reader& reader, const IntegrationContext& context, const Evidence& evidence, port::Random& random,
           WallTime now);

  struct Limits {
    std::size_t inline_members = 500;
  };
  /// How those who worsen from here on are judged; `why` is what the hold says of itself.
  void judge(Judging how, std::string why = {}, Judged left = {});
  /// What this transaction leaves of a unit's reservation.
  [[nodiscard]] const Judged& left() const noexcept { return left_of_unit_; }
  /// What follows belongs to one request that touches several, whose group has so many members: it is judged now,
  /// although its memberships settle first.
  void as_unit(std::optional<std::uint64_t> members);
  /// The group whose members change was itself changed after the request that is worked off: what it gave to who
  /// leaves it cannot be told any more.
  void group_changed_since() noexcept { group_changed_ = true; }

  /// The whole effect of one request. Answers whether members were deferred.
  Result<bool> effect(const Effect& effect, const Limits& limits);

  /// Whether R1 gives the subject access, memberships read now.
  Result<bool> has_access(const SubjectState& state, const MembershipOverlay& overlay = {});
  Result<SubjectState> load(ResourceId id);
  /// Why the subject keeps its account by the policy, whatever becomes of its access (R9).
  Result<std::optional<policy::Retention>> retention_of(const SubjectState& state);
  /// The highest role that the subject's groups give it, memberships read now.
  Result<std::optional<policy::RoleRule>> wanted_role(ResourceId subject, const MembershipOverlay& overlay = {});
  /// The groups of a subject with access changed: its role is worked out again when it has settled.
  Result<void> role_changed(const SubjectState& state, ResourceId group, bool lost);

  /// It has access for the first time: a group that it left before may have given it a role in the app (R1).
  Result<void> first_role(const SubjectState& state);

  /// One member of `group` was added or removed (the row itself is changed by this too). Only users.
  Result<void> member_changed(const port::MemberRow& member, bool added);
  /// The same for a member of a group that was deleted, whatever the policy says of its name now.
  Result<void> member_lost_group(const port::MemberRow& member, idp::Cause cause,
                                 const std::vector<ResourceId>& above = {});
  /// Everybody below a group that is itself a member may have lost or gained access.
  /// `above`: the groups that it is evaluated for, outermost first, so that groups which contain each other come
  /// to an end. `gained`: it joined one of them, and nobody lost anything.
  Result<void> nested_changed(ResourceId group, idp::Cause cause, const std::vector<ResourceId>& above = {},
                              bool gained = false);
  /// A subject lost `group` by `cause`: attribution, then the end of its access, now or when it has settled.
  Result<void> lost_group(SubjectState& state, ResourceId group, idp::Cause cause,
                          const MembershipOverlay& overlay);
  /// What a source says of one subject, merged with what the others said: its access ends, comes back, or stays.
  Result<void> source_says(port::GrantRow said);
  /// Whom SCIM push and a source say different things of, and neither is to be believed without another look: the
  /// push told nothing new, or it came while the list was being read that does not have them. That source is to be
  /// read again for them (R5); its next list is like this one, and would say nothing.
  [[nodiscard]] const std::vector<ResourceId>& doubted() const noexcept { return doubted_; }
  /// The IdP ended the sessions of a subject, whose access stays: they are revoked in the app, too.
  Result<void> revoke_sessions(ResourceId subject, WallTime evidence_at);
  /// Why nothing that was inferred of the subject counts now (R16): its source fails. Nothing: it counts.
  Result<std::optional<std::string>> frozen(ResourceId subject);
  /// The evaluation that a settle window postponed, or that a change of a group calls for.
  Result<void> evaluate(ResourceId subject, idp::Cause cause, ResourceId via, WallTime evidence_at, bool settled,
                        bool gained = false);
  /// What was judged when its unit was, or has to be judged now; its access is evaluated again.
  Result<void> settle(const port::DueRow& due, Judging otherwise, const std::string& why);
  /// Counts the subject, if it loses its access: `by_access` without a look at its groups, else as they will be.
  Result<void> tally(Tally& unit, ResourceId subject, bool by_access, const MembershipOverlay& overlay,
                     bool direct);
  /// Reserves at once for a unit that was counted before.
  void reserve_unit(ResourceId group, const Tally& unit, std::uint64_t members);
  /// Whether the unit is beyond the guard's limits if those count whose account is found late. Read, and not
  /// reserved: each of them is, when it is found.
  Result<bool> beyond_with_late(ResourceId group, const Tally& unit, std::uint64_t members);
  /// Who has no known account waits if one is found: it belongs to such a unit.
  void late_waits(bool waits) noexcept { late_waits_ = waits; }
  /// The time of a retention is over, or its rule may be: decided anew.
  Result<void> reconsider(const port::DueRow& due);
  /// Whether a person decided that its access is kept, and nothing has changed since.
  Result<bool> is_kept(const port::SubjectRow& subject);
  /// Whether it lost access within a day, counted for that, and has it again.
  [[nodiscard]] bool came_back(const port::SubjectRow& subject) const;
  /// Whether it counts for the guard: all but those of whom it is known that they never had an account (R13).
  Result<bool> counts(ResourceId subject);

  struct End {
    idp::Cause cause = idp::Cause::deactivated;
    ResourceId via;
    bool inferred = false;
    WallTime evidence_at;
    std::string reason;
    bool probe = false;  ///< perhaps the user of the IdP's own connection test: what is found is asked about
    WallTime secured;    ///< when it had ended in the app before, by an earlier cause; 0: not yet
    std::optional<std::uint64_t> members;  ///< of `via`, before
  };
  /// Access ended: intent, job, activity. Supersedes unfinished work that is not running.
  Result<void> end_access(SubjectState& state, const End& end);
  /// Access came back (R4).
  Result<void> regain_access(SubjectState& state);
  /// Puts the subject's row, once per subject and transaction.
  void put(const SubjectState& state);
  void record(std::string event, const boost::json::object& detail, ResourceId subject = {}, JobId job = {});
  void change(idp::ChangeKind kind, ResourceId subject, ResourceId group, std::uint64_t count = 1);

  [[nodiscard]] Result<port::Transaction> take();
  [[nodiscard]] port::Transaction& transaction() noexcept { return txn_; }
  template <class IdType>
  [[nodiscard]] IdType new_id() {
    return random_.id<IdType>(now_);
  }
  [[nodiscard]] const port::Scope& scope() const noexcept { return context_.row.scope; }

 private:
  Result<void> user_effect(const Effect& effect);
  Result<void> group_effect(const Effect& effect);
  Result<bool> members_effect(const Effect& effect, const Limits& limits);
  Result<bool> repeats(const Effect& effect, std::uint64_t present);
  struct Standing {
    bool waits = false;       ///< in the hold
    bool counts = false;      ///< at all
    bool early = false;       ///< its unit counted it as one who has access until its turn comes
    bool late_waits = false;  ///< it does not count, and waits where an account is found
  };
  /// What the guard makes of one who worsens; where it is judged now, it is reserved. `ends`: not only after it
  /// has settled.
  Result<Standing> stands(SubjectState& state, const End& end, bool ends);
  void reserve(port::SubjectRow& subject, ResourceId via, std::optional<std::uint64_t> members);
  Result<void> add_reservations();
  Result<policy::GuardBase> guard_base();
  /// It does not have access all the same any more, or does not lose it.
  void early_no_more(WallTime counted);
  Result<void> put_in_hold(const port::SubjectRow& subject, const port::JobRow& job);
  /// Puts what is shown of a retained subject, and when to look at it again.
  json::object remember(ResourceId subject, const End& end, const policy::Retention& retention,
                        std::optional<std::uint32_t> rank = {});
  Result<void> retain(SubjectState& state, const End& end, const policy::Retention& retention);
  /// R9: whether its role is not lowered, since the policy protects or exempts the subject, as it was before the
  /// request. It keeps its access in any case.
  Result<bool> retain_role(const SubjectState& state, ResourceId group, std::uint32_t rank);
  /// Its groups give it a role of that rank (again): one that is not higher is retained no longer.
  Result<void> role_given(ResourceId subject, std::uint32_t rank);
  /// Whether a person decided that its access is kept, until now.
  Result<bool> kept(const SubjectState& state);
  Result<void> leave_hold(const port::JobRow& job);
  /// Whether a change of the subject's role waited in the hold.
  Result<bool> leave_role_hold(ResourceId subject, std::string_view why);
  Result<void> defer_members(const Effect& effect, std::uint64_t count);
  Result<void> reevaluate_later(ResourceId group, idp::Cause cause, std::uint64_t count,
                                const std::vector<ResourceId>& above = {}, bool gained = false);
  Result<const std::vector<ResourceId>*> entitling();
  /// The groups that a policy means, by what the store shows.
  Result<std::vector<ResourceId>> resolve(const policy::GroupRef& ref);
  [[nodiscard]] static bool names(const policy::GroupRef& ref, const port::ResourceRow& group);
  Result<const std::map<ResourceId, const policy::RoleRule*>*> role_groups();
  /// Whether memberships matter at all.
  [[nodiscard]] bool groups_matter() const {
    return !context_.policy.entitling_groups.empty() || !context_.policy.roles.empty();
  }
  Result<bool> entitled(ResourceId subject, const MembershipOverlay& overlay);
  // decision_sources.cpp
  /// What sources said, as this transaction leaves it.
  Result<std::vector<port::GrantRow>*> said_of(ResourceId subject);
  Result<bool> ended_by_sources(ResourceId subject);
  /// SCIM push shows access, later than whatever sources said before.
  Result<void> granted_by_push(ResourceId subject);
  /// Whether reading that source again shows anything: events come by themselves.
  Result<bool> can_be_asked(SourceId source);
  void forget_said(ResourceId subject, std::vector<port::GrantRow>& rows, std::vector<port::GrantRow> asked);
  void owe(port::GrantRow said, std::vector<port::GrantRow>& rows);
  void hint_paid(const port::GrantRow& said, std::vector<port::GrantRow>& rows);
  /// All that was done is what a suspension calls for: an end for another reason calls for more.
  static bool only_suspended(const port::SubjectRow& s) {
    return s.desired == port::Desired::no_access && s.cause == idp::Cause::suspended;
  }
  /// Access had ended before, and the subject was deleted now: more may follow from that.
  Result<void> deleted_after_all(SubjectState& state);
  Result<void> supersede(port::SubjectRow& subject, std::string_view why, bool& acted, bool& running);
  [[nodiscard]] port::JobRow new_job(const port::SubjectRow& subject, port::JobKind kind, std::string plan);
  [[nodiscard]] boost::json::object evidence_json() const;
  [[nodiscard]] bool is_probe(const port::ResourceRow& deleted) const;
  Result<void> supersede_lookup(ResourceId subject);
  [[nodiscard]] bool entitles_by(const port::ResourceRow& group) const;

  port::Reader& reader_;
  const IntegrationContext& context_;
  const Evidence& evidence_;
  port::Random& random_;
  WallTime now_;
  port::Transaction txn_;
  std::optional<std::vector<ResourceId>> entitling_;
  std::optional<std::map<ResourceId, const policy::RoleRule*>> role_groups_;
  std::map<ResourceId, std::vector<port::GrantRow>> said_;  ///< where it was read
  /// Of whom a source said something, as this transaction leaves them.
  std::map<ResourceId, port::SubjectRow> told_;
  std::vector<ResourceId> doubted_;
  std::vector<ResourceId> role_jobs_;          ///< whose role this transaction has worked out anew
  const Effect* effect_ = nullptr;             ///< that is being worked out
  std::optional<port::ResourceRow> group_;     ///< as the effect leaves it
  const port::ResourceRow* before_ = nullptr;  ///< the effect's resource, as it was
  Judging judging_ = Judging::reserve;
  Judged left_of_unit_;
  std::string why_held_;
  bool unit_ = false;
  bool late_waits_ = false;
  bool group_changed_ = false;
  std::optional<std::uint64_t> unit_members_;
  /// Who was protected before the request that settles now.
  std::optional<std::pair<ResourceId, policy::Retention>> settled_retention_;
  struct Reservations {
    std::uint64_t fresh = 0;
    std::vector<WallTime> counted;  ///< of subjects that count already
    std::uint64_t early = 0;        ///< of both, who has access until its turn comes, or it has settled
    struct Group {
      std::uint64_t lost = 0;
      std::uint64_t members = 0;
    };
    std::map<ResourceId, Group> groups;
  };
  Reservations reservations_;
  std::int64_t population_ = 0;
  bool opened_ = false;     ///< this transaction puts something in the hold
  std::uint64_t left_ = 0;  ///< who left the hold in this transaction
};

/// What a step calls one of its members; null: it says nothing of that, which is not empty (R10).
[[nodiscard]] const std::string* said_display(const MemberStep& step, const port::MemberRow& member) noexcept;
/// Members of a deferred request, as stored in WorkRow::payload.
[[nodiscard]] std::string encode_members(const std::vector<MemberStep>& steps);
[[nodiscard]] Result<std::vector<MemberStep>> decode_members(std::string_view payload, ResourceId group);

}  // namespace deprov::engine
