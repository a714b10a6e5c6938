// What follows from an effect: grants, intents, jobs and activity, as one transaction (DESIGN section 3).
#pragma once

#include <deprov/engine/context.hpp>
#include <deprov/engine/effect.hpp>
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

/// A subject with what was read of it for one decision.
struct SubjectState {
  port::SubjectRow subject;
  bool stored = false;                        ///< the row exists
  std::optional<port::ResourceRow> resource;  ///< as it will be after the effect
};

/// Memberships as they will be after the effect, where the store still shows them as they were.
struct MembershipOverlay {
  ResourceId group;      ///< nil: none
  bool removed = false;  ///< the subject leaves `group`; otherwise it joins
};

/// Collects one transaction. Used for one call of a deciding body, on one thread, while its Reader lives.
class Decision {
 public:
  Decision(port::Reader& reader, const IntegrationContext& context, const Evidence& evidence, port::Random& random,
           WallTime now);

  struct Limits {
    std::size_t inline_members = 500;
  };
  /// The whole effect of one request. Answers whether members were deferred.
  Result<bool> effect(const Effect& effect, const Limits& limits);

  /// Whether R1 gives the subject access, memberships read now.
  Result<bool> has_access(const SubjectState& state, const MembershipOverlay& overlay = {});
  Result<SubjectState> load(ResourceId id);
  /// The highest role that the subject's groups give it, memberships read now.
  Result<std::optional<policy::RoleRule>> wanted_role(ResourceId subject, const MembershipOverlay& overlay = {});
  /// The groups of a subject with access changed: its role is worked out again when it has settled.
  Result<void> role_changed(const SubjectState& state, ResourceId group, bool lost);

  /// One member of `group` was added or removed (the row itself is changed by this too). Only users.
  Result<void> member_changed(const port::MemberRow& member, bool added);
  /// The same for a member of a group that was deleted, whatever the policy says of its name now.
  Result<void> member_lost_group(const port::MemberRow& member, idp::Cause cause,
                                 const std::vector<ResourceId>& above = {});
  /// Everybody below a group that is itself a member may have lost or gained access.
  /// `above`: the groups that it is evaluated for, outermost first, so that groups which contain each other come
  /// to an end.
  Result<void> nested_changed(ResourceId group, idp::Cause cause, const std::vector<ResourceId>& above = {});
  /// A subject lost `group` by `cause`: attribution, then the end of its access, now or when it has settled.
  Result<void> lost_group(SubjectState& state, ResourceId group, idp::Cause cause,
                          const MembershipOverlay& overlay);
  /// The evaluation that a settle window postponed, or that a change of a group calls for.
  Result<void> evaluate(ResourceId subject, idp::Cause cause, ResourceId via, WallTime evidence_at, bool settled);

  struct End {
    idp::Cause cause = idp::Cause::deactivated;
    ResourceId via;
    bool inferred = false;
    WallTime evidence_at;
    std::string reason;
    bool probe = false;  ///< perhaps the user of the IdP's own connection test: what is found is asked about
    WallTime secured;    ///< when it had ended in the app before, by an earlier cause; 0: not yet
  };
  /// Access ended: intent, job, activity. Supersedes unfinished work that is not running.
  Result<void> end_access(SubjectState& state, const End& end);
  /// Access came back (R4).
  Result<void> regain_access(SubjectState& state);
  /// Puts the subject's row, once per subject and transaction.
  void put(const SubjectState& state);
  void record(std::string event, const boost::json::object& detail, ResourceId subject = {}, JobId job = {});
  void change(idp::ChangeKind kind, ResourceId subject, ResourceId group, std::uint64_t count = 1);

  [[nodiscard]] port::Transaction take();
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
  Result<void> defer_members(const Effect& effect, std::uint64_t count);
  Result<void> reevaluate_later(ResourceId group, idp::Cause cause, std::uint64_t count,
                                const std::vector<ResourceId>& above = {});
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
  std::vector<ResourceId> role_jobs_;       ///< whose role this transaction has worked out anew
  std::optional<port::ResourceRow> group_;  ///< as the effect leaves it
  const Effect* effect_ = nullptr;          ///< that is being worked out
};

/// Members of a deferred request, as stored in WorkRow::payload.
[[nodiscard]] std::string encode_members(const std::vector<MemberStep>& steps);
[[nodiscard]] Result<std::vector<MemberStep>> decode_members(std::string_view payload, ResourceId group);

}  // namespace deprov::engine
