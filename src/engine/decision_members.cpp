// Members of groups: who lost or gained a group, at once or in pieces.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <map>
#include <utility>
#include "engine/decision.hpp"

namespace deprov::engine {

Result<void> Decision::member_changed(const port::MemberRow& member, bool added) {
  if (added) {
    txn_.ops.emplace_back(port::op::AddMember{scope(), member});
  } else {
    txn_.ops.emplace_back(port::op::RemoveMember{scope(), member.group, member.member});
  }
  const bool entitling_matters = !context_.policy.entitling_groups.empty();
  if (member.member_is_group) return nested_changed(member.member, idp::Cause::lost_entitling_group, {}, added);
  const bool roles_matter = !context_.policy.roles.empty();
  if (added && !entitling_matters && !roles_matter) return {};
  DEPROV_TRY(state, load(member.member));
  if (!state.stored) return {};
  auto& s = state.subject;
  const MembershipOverlay overlay{member.group, !added};
  if (added) {
    if (s.access) {
      // A grant within the settle window makes the loss good (R14); the evaluation then finds nothing to do.
      if (!roles_matter) return {};
      DEPROV_TRY(before, wanted_role(member.member));
      DEPROV_TRY(after, wanted_role(member.member, overlay));
      if (!after || (before && before->rank >= after->rank)) return {};
      DEPROV_CHECK(role_given(member.member, after->rank));
      return role_changed(state, member.group, false);
    }
    if (!entitling_matters) return {};
    DEPROV_TRY(access, has_access(state, overlay));
    if (access && s.cause == idp::Cause::manual && s.desired == port::Desired::no_access) {
      // A person ended it although the IdP grants it: only a grant that was not there before is a new one.
      DEPROV_TRY(granted, has_access(state));
      if (granted) return {};
    }
    if (access) return regain_access(state);
    return {};
  }
  change(idp::ChangeKind::removed_from_group, member.member, member.group);
  return lost_group(state, member.group, idp::Cause::lost_entitling_group, overlay);
}

Result<void> Decision::nested_changed(ResourceId group, idp::Cause cause, const std::vector<ResourceId>& above,
                                      bool gained) {
  if (!groups_matter()) return {};
  if (above.size() >= max_group_depth || std::find(above.begin(), above.end(), group) != above.end()) return {};
  DEPROV_TRY(count, reader_.member_count(scope(), group));
  return reevaluate_later(group, cause, count, above, gained);
}

Result<void> Decision::reevaluate_later(ResourceId group, idp::Cause cause, std::uint64_t count,
                                        const std::vector<ResourceId>& above, bool gained) {
  port::WorkRow work;
  work.scope = scope();
  work.group = group;
  work.kind = "reevaluate";
  json::object payload{
      {"cause", idp::to_string(cause)}, {"actor", evidence_.actor}, {"request", evidence_.request}};
  if (gained) payload["gained"] = true;
  if (!above.empty()) {
    json::array ids;
    for (const auto& id : above) ids.emplace_back(id.str());
    payload["above"] = std::move(ids);
  }
  work.payload = json::serialize(payload);
  work.total = count;
  work.created = evidence_.at;
  DEPROV_TRY(last, reader_.last_work(scope(), group));
  work.id = new_id<WorkId>();
  // Work on one group is done in the order of its ids, and two of one millisecond have none.
  for (auto t = now_; last && work.id <= *last; t = t + std::chrono::milliseconds(1))
    work.id = random_.id<WorkId>(t);
  txn_.ops.emplace_back(port::op::PutWork{std::move(work)});
  return {};
}

Result<void> Decision::member_lost_group(const port::MemberRow& member, idp::Cause cause,
                                         const std::vector<ResourceId>& above) {
  txn_.ops.emplace_back(port::op::RemoveMember{scope(), member.group, member.member});
  if (member.member_is_group) return nested_changed(member.member, cause, above);
  DEPROV_TRY(state, load(member.member));
  if (!state.stored) return {};
  change(idp::ChangeKind::removed_from_group, member.member, member.group);
  return lost_group(state, member.group, cause, {member.group, true});
}

Result<void> Decision::lost_group(SubjectState& state, ResourceId group, idp::Cause cause,
                                  const MembershipOverlay& overlay) {
  auto& s = state.subject;
  s.last_group_lost = group;
  s.last_group_lost_at = evidence_.at;
  DEPROV_TRY(was_kept, kept(state));
  if (s.access || was_kept) {
    DEPROV_TRY(access, has_access(state, overlay));
    if (!access) {
      auto members = unit_members_;
      if (!members && context_.policy.guard.enabled) {
        DEPROV_TRY(count, reader_.member_count(scope(), group));
        members = count;
      }
      End end;
      end.cause = cause;
      end.via = group;
      end.evidence_at = evidence_.at;
      end.members = members;
      if (context_.policy.settle.count() == 0 || was_kept) return end_access(state, end);
      port::DueRow due;
      due.scope = scope();
      due.subject = s.id;
      due.kind = "settle";
      due.since = evidence_.at;
      due.at = evidence_.at + context_.policy.settle;
      json::object payload{{"cause", idp::to_string(cause)}, {"via", group.str()}};
      if (members) payload["members"] = *members;
      // R9: as it was before the request, whatever becomes of it until it has settled.
      DEPROV_TRY(retention, retention_of(state));
      if (retention) {
        payload["retention"] = policy::to_json(*retention);
        payload["policy_version"] = context_.row.policy_version;
      }
      // A unit is judged before any of its effects; who leaves alone is judged when it has settled.
      if (unit_) {
        DEPROV_TRY(standing, stands(state, end, false));
        if (!standing.waits && !standing.early && standing.counts && !came_back(s)) ++reservations_.early;
        payload[standing.waits ? "held" : "reserved"] = true;
        if (context_.policy.guard.enabled && !standing.counts) payload["uncounted"] = true;
        if (standing.late_waits) payload["late_waits"] = true;
      }
      due.payload = json::serialize(payload);
      txn_.ops.emplace_back(port::op::PutDue{std::move(due)});
      json::object detail = evidence_json();
      detail["via_group"] = group.str();
      detail["cause"] = idp::to_string(cause);
      detail["decided_at"] = to_rfc3339(evidence_.at + context_.policy.settle);
      record("removal.settling", detail, s.id);
    } else if (!context_.policy.roles.empty()) {
      DEPROV_TRY(before, wanted_role(s.id));
      DEPROV_TRY(after, wanted_role(s.id, overlay));
      const auto rank = [](const std::optional<policy::RoleRule>& r) {
        return r ? static_cast<std::int64_t>(r->rank) : -1;
      };
      // What a group that is gone, or has another name by now, gave can no longer be told from what remains.
      if (cause == idp::Cause::group_deleted || group_changed_ || rank(before) > rank(after)) {
        DEPROV_TRY(retained, before ? retain_role(state, group, before->rank) : Result<bool>(false));
        if (!retained) DEPROV_CHECK(role_changed(state, group, true));
      }
    }
  } else if (s.desired == port::Desired::no_access && s.via_group.is_nil() && s.last_deactivated.micros != 0 &&
             evidence_.at - s.last_deactivated <= context_.policy.settle) {
    // R2: the loss of the group came after the deactivation that it explains.
    s.via_group = group;
    s.via_inferred = true;
    record("removal.refined", {{"via_group", group.str()}, {"inferred", true}}, s.id, s.job);
  }
  put(state);
  return {};
}

Result<void> Decision::evaluate(ResourceId subject, idp::Cause cause, ResourceId via, WallTime evidence_at,
                                bool settled, bool gained) {
  DEPROV_TRY(state, load(subject));
  if (settled) txn_.ops.emplace_back(port::op::RemoveDue{scope(), subject, "settle"});
  if (!state.stored) return {};
  DEPROV_TRY(access, has_access(state));
  if (state.subject.access && !access) {
    if (!settled && context_.policy.settle.count() != 0) return lost_group(state, via, cause, {});
    End end;
    end.cause = cause;
    end.via = via;
    end.evidence_at = evidence_at;
    end.members = unit_members_;
    return end_access(state, end);
  }
  if (!state.subject.access && access) {
    const bool by_hand =
        state.subject.cause == idp::Cause::manual && state.subject.desired == port::Desired::no_access;
    return by_hand ? Result<void>() : regain_access(state);
  }
  if (access) DEPROV_CHECK(role_changed(state, via, !gained));
  // Its first access is to know that it left a group, directly or not.
  if (!access && !settled && !gained && !context_.policy.roles.empty() && state.subject.last_group_lost.is_nil()) {
    state.subject.last_group_lost = via;
    state.subject.last_group_lost_at = evidence_at;
    put(state);
  }
  if (settled && access) record("removal.settled", {{"kept", true}, {"via_group", via.str()}}, subject);
  return {};
}

Result<bool> Decision::members_effect(const Effect& effect, const Limits& limits) {
  std::uint64_t named = 0;
  bool replaces = false;
  for (const auto& step : effect.members) {
    named += step.members.size();
    replaces = replaces || step.kind == MemberStep::Kind::replace;
  }
  // Two lists that replace each other must not end up merged.
  if ((replaces || effect.if_unchanged) && effect.before && !effect.before->deleted)
    txn_.reads.resources.push_back({scope(), effect.group, effect.before->version});
  DEPROV_TRY(pending, reader_.last_work(scope(), effect.group));
  std::uint64_t present = 0;
  if (replaces) {
    DEPROV_TRY(count, reader_.member_count(scope(), effect.group));
    present = count;
  }
  // What is still being worked off on this group comes first; later requests queue behind it.
  if (pending || named + present > limits.inline_members) {
    if (!pending) {
      DEPROV_TRY(repeat, repeats(effect, present));
      if (repeat) return false;
    }
    DEPROV_CHECK(defer_members(effect, named + present));
    return true;
  }

  struct Want {
    port::MemberRow row;
    enum class Member : std::uint8_t { as_it_is, in, out } member = Member::as_it_is;
    std::optional<std::string> display;  ///< nothing: it stays
  };
  std::map<ResourceId, Want> wanted;
  for (const auto& step : effect.members) {
    using K = MemberStep::Kind;
    if (step.kind == K::replace) {
      for (auto& [id, want] : wanted) want = {want.row, Want::Member::out, std::nullopt};
      std::optional<ResourceId> after;
      for (bool more = true; more;) {
        DEPROV_TRY(page, reader_.members(scope(), effect.group, after, 500));
        for (const auto& m : page.rows) wanted[m.member] = {m, Want::Member::out, std::nullopt};
        more = page.more && !page.rows.empty();
        if (more) after = page.rows.back().member;
      }
    }
    for (const auto& m : step.members) {
      const auto [at, fresh] = wanted.try_emplace(m.member);
      auto& want = at->second;
      // Who is only named stays what an earlier step made of it.
      if (fresh || step.kind != K::name) {
        want.row = m;
        want.row.group = effect.group;
      }
      if (step.kind == K::name) {
        if (want.member != Want::Member::out) want.display = step.display;
        continue;
      }
      want.member = step.kind == K::remove ? Want::Member::out : Want::Member::in;
      if (step.kind == K::remove || !m.display.empty()) want.display = m.display;
    }
  }
  std::uint64_t added = 0;
  std::uint64_t removed = 0;
  std::uint64_t renamed = 0;
  const auto leaving = std::count_if(wanted.begin(), wanted.end(),
                                     [](const auto& w) { return w.second.member == Want::Member::out; });
  if (leaving > 1 && context_.policy.guard.enabled && !context_.policy.entitling_groups.empty()) {
    DEPROV_TRY(count, reader_.member_count(scope(), effect.group));
    as_unit(count);
    Tally unit;
    for (const auto& [id, want] : wanted) {
      if (want.member != Want::Member::out || want.row.member_is_group) continue;
      DEPROV_TRY(is, reader_.is_member(scope(), effect.group, id));
      if (is) DEPROV_CHECK(tally(unit, id, false, {effect.group, true}, true));
    }
    DEPROV_TRY(beyond, beyond_with_late(effect.group, unit, count));
    left_of_unit_.late_waits = beyond;
  }
  for (auto& [id, want] : wanted) {
    DEPROV_TRY(now, reader_.member(scope(), effect.group, id));
    const bool in = want.member == Want::Member::in;
    if (want.member != Want::Member::as_it_is && in != now.has_value()) {
      ++(in ? added : removed);
      want.row.display = in ? want.display.value_or("") : std::string();
      DEPROV_CHECK(member_changed(want.row, in));
    } else if (now && want.display && *want.display != now->display) {
      ++renamed;
      txn_.ops.emplace_back(port::op::NameMember{scope(), effect.group, id, std::move(*want.display)});
    }
  }
  if (added + removed + renamed == 0) return false;
  if (!effect.after) txn_.ops.emplace_back(port::op::TouchResource{scope(), effect.group, now_});
  if (added != 0) change(idp::ChangeKind::added_to_group, {}, effect.group, added);
  if (removed != 0 && present != 0 && removed == present && added == 0)
    change(idp::ChangeKind::group_emptied, {}, effect.group, removed);
  json::object detail = evidence_json();
  detail["group"] = effect.group.str();
  detail["added"] = added;
  detail["removed"] = removed;
  if (renamed != 0) detail["renamed"] = renamed;
  record("group.members_changed", detail);
  return false;
}

const std::string* said_display(const MemberStep& step, const port::MemberRow& member) noexcept {
  if (step.kind == MemberStep::Kind::name) return &step.display;
  return member.display.empty() ? nullptr : &member.display;
}

// R13: an IdP that pushes a long list again has asked for nothing. Whoever is named was looked up already, so this
// costs at most as much again, and ends at the first difference.
Result<bool> Decision::repeats(const Effect& effect, std::uint64_t present) {
  for (const auto& step : effect.members) {
    if (step.kind == MemberStep::Kind::replace && step.members.size() != present) return false;
    for (const auto& m : step.members) {
      using K = MemberStep::Kind;
      DEPROV_TRY(now, reader_.member(scope(), effect.group, m.member));
      if (step.kind != K::name && now.has_value() == (step.kind == K::remove)) return false;
      const auto* said = said_display(step, m);
      if (now && said != nullptr && now->display != *said) return false;
    }
  }
  return true;
}

Result<void> Decision::defer_members(const Effect& effect, std::uint64_t count) {
  port::WorkRow work;
  work.scope = scope();
  work.group = effect.group;
  work.kind = "members";
  work.payload = encode_members(effect.members);
  work.total = count;
  work.created = evidence_.at;
  work.cursor = "";
  DEPROV_TRY(last, reader_.last_work(scope(), effect.group));
  work.id = new_id<WorkId>();
  for (auto t = now_; last && work.id <= *last; t = t + std::chrono::milliseconds(1))
    work.id = random_.id<WorkId>(t);
  if (!effect.after) txn_.ops.emplace_back(port::op::TouchResource{scope(), effect.group, now_});
  json::object detail = evidence_json();
  detail["group"] = effect.group.str();
  detail["members_named"] = count;
  detail["work"] = work.id.str();
  record("group.members_requested", detail);
  txn_.ops.emplace_back(port::op::PutWork{std::move(work)});
  return {};
}

namespace {
constexpr unsigned names_follow = 0x80;
constexpr unsigned one_name_follows = 0x40;

void put_u32(std::string& out, std::uint32_t v) {
  for (unsigned i = 0; i < 4; ++i) out.push_back(static_cast<char>((v >> (8U * i)) & 0xFFU));
}
std::uint32_t get_u32(std::string_view bytes, std::size_t at) {
  std::uint32_t v = 0;
  for (unsigned k = 0; k < 4; ++k)
    v |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(bytes[at + k])) << (8U * k);
  return v;
}
}  // namespace

// Per step: its kind, the number of members (little-endian), then 16 bytes of id and one of kind for each; where
// one of them has a name, the kind of the step is marked, and each is followed by its length and the name. A name
// for all of them stands once, before the first, and is marked, too.
// The members of a step are sorted, so that a replacement is one merge.
std::string encode_members(const std::vector<MemberStep>& steps) {
  std::string out;
  for (const auto& step : steps) {
    std::vector<const port::MemberRow*> rows;
    rows.reserve(step.members.size());
    for (const auto& m : step.members) rows.push_back(&m);
    std::sort(rows.begin(), rows.end(), [](const auto* a, const auto* b) { return a->member < b->member; });
    const auto same = [](const auto* a, const auto* b) { return a->member == b->member; };
    rows.erase(std::unique(rows.begin(), rows.end(), same), rows.end());
    const bool for_all = step.kind == MemberStep::Kind::name;
    const bool named =
        !for_all && std::any_of(rows.begin(), rows.end(), [](const auto* m) { return !m->display.empty(); });
    const bool one_name = for_all && !step.display.empty();
    out.push_back(static_cast<char>(static_cast<unsigned>(step.kind) | (named ? names_follow : 0U) |
                                    (one_name ? one_name_follows : 0U)));
    put_u32(out, static_cast<std::uint32_t>(rows.size()));
    if (one_name) {
      put_u32(out, static_cast<std::uint32_t>(step.display.size()));
      out += step.display;
    }
    out.reserve(out.size() + rows.size() * 17);
    for (const auto* m : rows) {
      out.append(reinterpret_cast<const char*>(m->member.value.bytes.data()), m->member.value.bytes.size());
      out.push_back(m->member_is_group ? '\1' : '\0');
      if (!named) continue;
      put_u32(out, static_cast<std::uint32_t>(m->display.size()));
      out += m->display;
    }
  }
  return out;
}

Result<std::vector<MemberStep>> decode_members(std::string_view payload, ResourceId group) {
  const auto bad = [] {
    return Error(Errc::store_corrupt, "stored members of a request do not decode", "work",
                 "restore the store from a backup");
  };
  std::vector<MemberStep> steps;
  std::size_t i = 0;
  const auto read_name = [&](std::string& to) {
    if (payload.size() - i < 4) return false;
    const auto size = get_u32(payload, i);
    i += 4;
    if (payload.size() - i < size) return false;
    to = payload.substr(i, size);
    i += size;
    return true;
  };
  while (i < payload.size()) {
    if (payload.size() - i < 5) return bad();
    const auto first = static_cast<std::uint8_t>(payload[i]);
    const bool named = (first & names_follow) != 0;
    const auto kind = first & ~(names_follow | one_name_follows);
    if (kind > static_cast<unsigned>(MemberStep::Kind::name)) return bad();
    const auto count = get_u32(payload, i + 1);
    i += 5;
    MemberStep step;
    step.kind = static_cast<MemberStep::Kind>(kind);
    if ((first & one_name_follows) != 0 && !read_name(step.display)) return bad();
    if ((payload.size() - i) / 17 < count) return bad();
    step.members.reserve(count);
    for (std::uint32_t n = 0; n < count; ++n) {
      if (payload.size() - i < 17) return bad();
      port::MemberRow row;
      row.group = group;
      std::copy_n(payload.data() + i, 16, reinterpret_cast<char*>(row.member.value.bytes.data()));
      row.member_is_group = payload[i + 16] != '\0';
      i += 17;
      if (named && !read_name(row.display)) return bad();
      // As it was stored once: the same name with each.
      if (step.kind == MemberStep::Kind::name && !row.display.empty())
        step.display = std::exchange(row.display, {});
      step.members.push_back(std::move(row));
    }
    steps.push_back(std::move(step));
  }
  return steps;
}

}  // namespace deprov::engine
