// What each op does, on ordered maps. The SQLite store gives the same answers.
#include <algorithm>
#include <deprov/port/hold_listing.hpp>
#include <limits>
#include "memory_state.hpp"
#include "problems.hpp"

namespace deprov::store {
namespace {

using namespace port;

template <class Map, class K>
auto* find(Map& map, const K& key) {
  const auto it = map.find(key);
  return it == map.end() ? nullptr : &it->second;
}

class Commit {
 public:
  Commit(MemoryState& state, const Crypto& crypto) : s_(state), crypto_(crypto) {}

  Result<Committed> run(const Transaction& txn) {
    auto result = check(txn.reads);
    for (auto op = txn.ops.begin(); result && op != txn.ops.end(); ++op)
      result = std::visit([this](const auto& o) { return apply(o); }, *op);
    if (!result) {
      undo_.roll_back();
      return result.error();
    }
    return std::move(out_);
  }

 private:
  Result<void> check(const ReadSet& reads) {
    for (const auto& r : reads.lanes) {
      const auto* lane = find(s_.lanes, r.scope);
      if (const auto now = lane ? lane->epoch : 0; now != r.epoch) return fenced_lane(r.scope, r.epoch, now);
    }
    for (const auto& r : reads.integrations) {
      const auto* row = find(s_.integrations, r.scope);
      if (const auto now = row ? row->version : 0; now != r.version)
        return stale(named("integration", r.scope.integration), r.version, now);
    }
    for (const auto& r : reads.resources) {
      const auto* row = find(s_.resources, std::tuple(r.scope, r.id));
      if (const auto now = row ? row->version : 0; now != r.version)
        return stale(named("resource", r.id), r.version, now);
    }
    for (const auto& r : reads.subjects) {
      const auto* row = find(s_.subjects, std::tuple(r.scope, r.id));
      if (const auto now = row ? row->grants_version : 0; now != r.grants_version)
        return stale(named("grants of subject", r.id), r.grants_version, now);
    }
    for (const auto& r : reads.intents) {
      const auto* row = find(s_.subjects, std::tuple(r.scope, r.subject));
      if (const auto now = row ? row->generation : 0; now != r.generation)
        return stale(named("intent of subject", r.subject), r.generation, now);
    }
    for (const auto& r : reads.holds) {
      const auto* open = find(s_.open_holds, r.scope);
      if ((open ? *open : HoldId{}) != r.hold) return stale_hold(r.scope);
    }
    return {};
  }

  Result<void> apply(const op::PutWorkspace& o) {
    undo_.put(s_.workspaces, o.row.id, o.row);
    return {};
  }

  bool is_last_owner(const PrincipalRow& row) const {
    if (row.role != Role::owner) return false;
    std::size_t owners = 0;
    each_from(s_.principals, {row.workspace, PrincipalId{}}, [&](const auto& key, const auto& p) {
      if (std::get<0>(key) != row.workspace) return false;
      owners += p.role == Role::owner ? 1 : 0;
      return true;
    });
    return owners == 1;
  }

  Result<void> apply(const op::PutPrincipal& o) {
    auto row = o.row;
    const std::tuple key(row.workspace, row.id);
    const auto* old = find(s_.principals, key);
    if (const auto now = old ? old->version : 0; now != row.version)
      return stale(named("principal", row.id), row.version, now);
    if (old && row.role != Role::owner && is_last_owner(*old)) return last_owner(row.workspace);
    if (row.token_hash != Sha256{}) {
      const auto* holder = find(s_.principal_by_token, row.token_hash);
      if (holder && *holder != key) return not_unique("token of " + named("principal", row.id), "the token");
    }
    if (old && old->token_hash != Sha256{}) undo_.erase(s_.principal_by_token, old->token_hash);
    if (row.token_hash != Sha256{}) undo_.put(s_.principal_by_token, row.token_hash, key);
    ++row.version;
    undo_.put(s_.principals, key, std::move(row));
    return {};
  }

  Result<void> apply(const op::RemovePrincipal& o) {
    const std::tuple key(o.workspace, o.id);
    const auto* old = find(s_.principals, key);
    if (!old) return no_such(named("principal", o.id));
    if (is_last_owner(*old)) return last_owner(o.workspace);
    if (old->token_hash != Sha256{}) undo_.erase(s_.principal_by_token, Sha256(old->token_hash));
    undo_.erase(s_.principals, key);
    return {};
  }

  Result<void> apply(const op::PutIntegration& o) {
    auto row = o.row;
    const auto* old = find(s_.integrations, row.scope);
    if (const auto now = old ? old->version : 0; now != row.version)
      return stale(named("integration", row.scope.integration), row.version, now);
    ++row.version;
    const auto scope = row.scope;
    undo_.put(s_.integrations, scope, std::move(row));
    return {};
  }

  Result<void> apply(const op::PutGatewayToken& o) {
    const auto* old = find(s_.tokens, o.row.hash);
    if (old && old->scope != o.row.scope) return not_unique("gateway token", "the token");
    undo_.put(s_.tokens, o.row.hash, o.row);
    return {};
  }

  Result<void> apply(const op::ExpireGatewayTokens& o) {
    std::vector<GatewayTokenRow> expired;
    for (const auto& [hash, row] : s_.tokens)
      if (row.scope == o.scope && hash != o.keep && (!row.expires || *row.expires > o.at)) expired.push_back(row);
    for (auto& row : expired) {
      row.expires = o.at;
      const auto hash = row.hash;
      undo_.put(s_.tokens, hash, std::move(row));
    }
    return {};
  }

  void index(const ResourceRow& row, bool add) {
    const auto set = [&](auto& map, const auto& key, auto value) {
      if (add) {
        undo_.put(map, key, value);
      } else {
        undo_.erase(map, key);
      }
    };
    const MemoryState::Nothing nothing;
    if (!row.external_id.empty()) set(s_.by_external_id, std::tuple(row.scope, row.external_id, row.id), nothing);
    if (row.deleted) {
      if (!row.user_name_key.empty())
        set(s_.by_gone_name, std::tuple(row.scope, row.user_name_key, row.id), nothing);
      return;
    }
    set(s_.by_type, std::tuple(row.scope, row.type, row.id), nothing);
    set(s_.by_modified, std::tuple(row.scope, row.type, row.modified, row.id), nothing);
    undo_.add(s_.resource_counts, std::tuple(row.scope, row.type), add ? 1 : -1);
    if (!row.user_name_key.empty())
      set(s_.by_user_name, std::tuple(row.scope, row.type, row.user_name_key), row.id);
    if (!row.display_name_key.empty())
      set(s_.by_display_name, std::tuple(row.scope, row.display_name_key, row.id), nothing);
    for (const auto& email : row.email_keys) set(s_.by_email, std::tuple(row.scope, email, row.id), nothing);
  }

  Result<void> apply(const op::PutResource& o) {
    auto row = o.row;
    const std::tuple key(row.scope, row.id);
    const auto* found = find(s_.resources, key);
    if (const auto now = found ? found->version : 0; now != row.version)
      return stale(named("resource", row.id), row.version, now);
    if (found) {
      if (found->type != row.type)
        return conflicting(named("resource", row.id), "is a " + found->type + " and cannot become a " + row.type);
      if (!o.keys_changed) {
        row.external_id = found->external_id;
        row.user_name_key = found->user_name_key;
        row.display_name_key = found->display_name_key;
        row.email_keys = found->email_keys;
      }
    }
    if (!row.deleted && !row.user_name_key.empty()) {
      const auto* holder = find(s_.by_user_name, std::tuple(row.scope, row.type, row.user_name_key));
      if (holder && *holder != row.id) return not_unique("userName", row.user_name_key);
    }
    if (found) index(ResourceRow(*found), false);
    ++row.version;
    index(row, true);
    out_.resource_versions.push_back(row.version);
    undo_.put(s_.resources, key, std::move(row));
    return {};
  }

  Result<void> apply(const op::ClaimKey& o) {
    const std::tuple key(o.scope, o.key);
    const auto* owner = find(s_.claims, key);
    if (owner == nullptr) {
      undo_.put(s_.claims, key, o.owner);
    } else if (*owner != o.owner) {
      return key_taken(o.attribute);
    }
    return {};
  }

  Result<void> apply(const op::ReleaseKey& o) {
    const std::tuple key(o.scope, o.key);
    if (const auto* owner = find(s_.claims, key); owner != nullptr && *owner == o.owner)
      undo_.erase(s_.claims, key);
    return {};
  }

  Result<void> apply(const op::TouchResource& o) {
    const std::tuple key(o.scope, o.id);
    const auto* found = find(s_.resources, key);
    if (!found) return no_such(named("resource", o.id));
    auto row = *found;
    ++row.version;
    if (!row.deleted) undo_.erase(s_.by_modified, std::tuple(row.scope, row.type, row.modified, row.id));
    row.modified = o.modified;
    if (!row.deleted)
      undo_.put(s_.by_modified, std::tuple(row.scope, row.type, row.modified, row.id), MemoryState::Nothing{});
    out_.resource_versions.push_back(row.version);
    undo_.put(s_.resources, key, std::move(row));
    return {};
  }

  void raise_grants(const Scope& scope, ResourceId member) {
    const std::tuple key(scope, member);
    if (const auto* found = find(s_.subjects, key)) {
      auto row = *found;
      ++row.grants_version;
      undo_.put(s_.subjects, key, row);
    }
  }

  Result<void> apply(const op::AddMember& o) {
    const std::tuple key(o.scope, o.row.group, o.row.member);
    const bool changed = !s_.members.contains(key);
    if (changed) {
      undo_.put(s_.members, key, MemoryState::Member{o.row.member_is_group, o.row.display});
      undo_.put(s_.member_of, std::tuple(o.scope, o.row.member, o.row.group), MemoryState::Nothing{});
      undo_.add(s_.group_sizes, std::tuple(o.scope, o.row.group), 1);
      raise_grants(o.scope, o.row.member);
    } else if (!o.row.display.empty()) {
      name_member(key, o.row.display);
    }
    out_.members_changed.push_back(changed);
    return {};
  }
  Result<void> apply(const op::NameMember& o) {
    name_member({o.scope, o.group, o.member}, o.display);
    return {};
  }
  void name_member(const std::tuple<Scope, ResourceId, ResourceId>& key, const std::string& display) {
    const auto* found = find(s_.members, key);
    if (found == nullptr || found->display == display) return;
    undo_.put(s_.members, key, MemoryState::Member{found->is_group, display});
  }

  Result<void> apply(const op::RemoveMember& o) {
    const std::tuple key(o.scope, o.group, o.member);
    const bool changed = s_.members.contains(key);
    if (changed) {
      undo_.erase(s_.members, key);
      undo_.erase(s_.member_of, std::tuple(o.scope, o.member, o.group));
      undo_.add(s_.group_sizes, std::tuple(o.scope, o.group), -1);
      raise_grants(o.scope, o.member);
    }
    out_.members_changed.push_back(changed);
    return {};
  }

  Result<void> apply(const op::PutSubject& o) {
    auto row = o.row;
    const std::tuple key(row.scope, row.id);
    const auto* old = find(s_.subjects, key);
    row.grants_version = (old ? old->grants_version : 0) + 1;
    undo_.put(s_.subjects, key, row);
    return {};
  }

  Result<void> apply(const op::PutBinding& o) {
    auto row = o.row;
    const std::tuple key(row.scope, row.subject);
    const auto* old = find(s_.bindings, key);
    if (const auto now = old ? old->version : 0; now != row.version)
      return stale(named("binding of subject", row.subject), row.version, now);
    const auto indexed = [](const BindingRow& r) {
      return r.state == BindingState::bound && !r.account_id.empty();
    };
    if (old && indexed(*old)) undo_.erase(s_.by_account, std::tuple(row.scope, old->account_id, row.subject));
    if (indexed(row))
      undo_.put(s_.by_account, std::tuple(row.scope, row.account_id, row.subject), MemoryState::Nothing{});
    ++row.version;
    undo_.put(s_.bindings, key, std::move(row));
    return {};
  }

  Result<void> apply(const op::AppendChange& o) {
    const std::tuple key(o.row.scope, o.row.subject, o.row.id);
    if (s_.changes.contains(key)) return conflicting(named("change", o.row.id), "was appended before");
    undo_.put(s_.changes, key, o.row);
    return {};
  }

  Result<void> apply(const op::PutJob& o) {
    auto row = o.row;
    const std::tuple key(row.scope, row.id);
    const auto* old = find(s_.jobs, key);
    const auto* finished = old ? nullptr : find(s_.finished_jobs, key);
    if (o.lease && (!old || old->lease != *o.lease)) return fenced_lease(row.id);
    if (finished) {
      if (row.version != finished->version) return stale(named("job", row.id), row.version, finished->version);
      return conflicting(named("job", row.id), "is finished");
    }
    if (const auto now = old ? old->version : 0; now != row.version)
      return stale(named("job", row.id), row.version, now);
    if (old && old->subject != row.subject) return conflicting(named("job", row.id), "belongs to another subject");
    ++row.version;
    const auto queue_key = [](const JobRow& r) { return std::tuple(r.scope, r.state, r.priority, r.due, r.id); };
    if (old) {
      undo_.add(s_.job_counts, std::tuple(row.scope, old->state), -1);
      undo_.erase(s_.job_queue, queue_key(*old));
    } else {
      undo_.put(s_.jobs_of, std::tuple(row.scope, row.subject, row.id), MemoryState::Nothing{});
    }
    undo_.add(s_.job_counts, std::tuple(row.scope, row.state), 1);
    if (is_finished(row.state)) {
      undo_.erase(s_.jobs, key);
      undo_.put(s_.finished_jobs, key, std::move(row));
    } else {
      undo_.put(s_.job_queue, queue_key(row), MemoryState::Nothing{});
      undo_.put(s_.jobs, key, std::move(row));
    }
    return {};
  }

  Result<void> apply(const op::PutLane& o) {
    undo_.put(s_.lanes, o.row.scope, o.row);
    return {};
  }

  Result<void> apply(const op::PutDue& o) {
    const std::tuple key(o.row.scope, o.row.subject, o.row.kind);
    if (s_.dues.contains(key)) return {};
    undo_.put(s_.dues, key, o.row);
    undo_.put(s_.due_order, std::tuple(o.row.scope, o.row.at, o.row.subject, o.row.kind), MemoryState::Nothing{});
    return {};
  }

  Result<void> apply(const op::RemoveDue& o) {
    const std::tuple key(o.scope, o.subject, o.kind);
    if (const auto* old = find(s_.dues, key)) {
      undo_.erase(s_.due_order, std::tuple(o.scope, old->at, o.subject, o.kind));
      undo_.erase(s_.dues, key);
    }
    return {};
  }

  Result<void> apply(const op::PutWork& o) {
    auto row = o.row;
    const std::tuple key(row.scope, row.id);
    const auto* old = find(s_.works, key);
    if (const auto now = old ? old->version : 0; now != row.version)
      return stale(named("work", row.id), row.version, now);
    if (old) undo_.erase(s_.works_of, std::tuple(row.scope, old->group, row.id));
    undo_.put(s_.works_of, std::tuple(row.scope, row.group, row.id), MemoryState::Nothing{});
    ++row.version;
    undo_.put(s_.works, key, std::move(row));
    return {};
  }

  Result<void> apply(const op::AdvanceWork& o) {
    const std::tuple key(o.scope, o.id);
    const auto* old = find(s_.works, key);
    if (!old || old->version != o.version) return stale(named("work", o.id), o.version, old ? old->version : 0);
    auto row = *old;
    ++row.version;
    row.cursor = o.cursor;
    row.done = o.done;
    undo_.put(s_.works, key, std::move(row));
    return {};
  }

  Result<void> apply(const op::RemoveWork& o) {
    const std::tuple key(o.scope, o.id);
    if (const auto* old = find(s_.works, key)) {
      undo_.erase(s_.works_of, std::tuple(o.scope, old->group, o.id));
      undo_.erase(s_.works, key);
    }
    return {};
  }

  Result<void> apply(const op::AppendActivity& o) {
    auto& chain = s_.chains[o.scope];
    ActivityRow row;
    row.scope = o.scope;
    row.seq = chain.size() + 1;
    row.at = o.at;
    row.event = o.event;
    row.actor = o.actor;
    row.subject = o.subject;
    row.job = o.job;
    row.salt = o.salt;
    row.detail = o.detail;
    row.detail_hash = activity_detail_hash(crypto_, o.salt, o.detail);
    row.hash = activity_hash(crypto_, chain.empty() ? Sha256{} : chain.back().hash, row);
    out_.activity_seqs.push_back(row.seq);
    undo_.append(chain, std::move(row));
    return {};
  }

  Result<void> apply(const op::Reserve& o) {
    if (const auto* open = find(s_.open_holds, o.scope); open && !o.regardless) return hold_is_open(*open);
    const auto minute = minute_of(o.now);
    take_back(o.scope, o.counter, o.counted.micros == 0 ? 0 : 1, o.counted);
    std::uint64_t hour = 0;
    std::uint64_t day = 0;
    std::vector<std::int64_t> expired;
    each_from(s_.counters, {o.scope, o.counter, std::numeric_limits<std::int64_t>::min()},
              [&](const auto& key, std::uint64_t n) {
                const auto& [scope, counter, at] = key;
                if (scope != o.scope || counter != o.counter) return false;
                if (at <= minute - kept_minutes) {
                  expired.push_back(at);
                } else if (at > minute - minutes_of_day) {
                  day += n;
                  if (at > minute - minutes_of_hour) hour += n;
                }
                return true;
              });
    const auto passes = [&](std::uint64_t sum, std::uint64_t limit) {
      return !o.regardless && (sum > limit || o.amount > limit - sum);
    };
    if (passes(hour, o.limit_hour)) return guard_refuses(o.counter, o.amount, "60 minutes", hour, o.limit_hour);
    if (passes(day, o.limit_day)) return guard_refuses(o.counter, o.amount, "24 hours", day, o.limit_day);
    for (const auto at : expired) undo_.erase(s_.counters, std::tuple(o.scope, o.counter, at));
    if (o.amount > 0)
      undo_.add(s_.counters, std::tuple(o.scope, o.counter, minute), static_cast<std::int64_t>(o.amount));
    return {};
  }

  void take_back(const Scope& scope, const std::string& counter, std::uint64_t amount, WallTime at) {
    const std::tuple key(scope, counter, minute_of(at));
    const auto* n = find(s_.counters, key);
    if (n == nullptr || amount == 0) return;
    undo_.add(s_.counters, key, -static_cast<std::int64_t>(std::min(*n, amount)));
  }

  Result<void> apply(const op::Unreserve& o) {
    take_back(o.scope, o.counter, o.amount, o.at);
    return {};
  }

  Result<void> apply(const op::Population& o) {
    const std::tuple key(o.scope, minute_of(o.now));
    const auto* n = find(s_.population, key);
    undo_.put(s_.population, key, (n ? *n : 0) + o.delta);
    return {};
  }

  Result<void> apply(const op::OpenHold& o) {
    if (find(s_.open_holds, o.row.scope) != nullptr) return {};
    auto row = o.row;
    const std::tuple key(row.scope, row.id);
    if (find(s_.holds, key) != nullptr) return conflicting(named("hold", row.id), "was opened before");
    row.items = row.held = 0;
    row.closed = {};
    row.listing = {};
    undo_.put(s_.open_holds, row.scope, row.id);
    undo_.put(s_.holds, key, std::move(row));
    return {};
  }

  Result<void> apply(const op::PutHoldItem& o) {
    auto row = o.row;
    if (row.seq == 0) {
      const auto* open = find(s_.open_holds, row.scope);
      if (open == nullptr) return stale_hold(row.scope);
      row.hold = *open;
      const std::tuple key(row.scope, row.hold);
      auto hold = *find(s_.holds, key);
      row.seq = ++hold.items;
      if (row.state == HoldItemState::held) ++hold.held;
      hold.listing = row.listing = hold_listing(crypto_, hold.listing, row);
      undo_.put(s_.holds, key, std::move(hold));
      undo_.put(s_.hold_items_of, std::tuple(row.scope, row.subject, row.hold, row.seq), MemoryState::Nothing{});
      const std::tuple item(row.scope, row.hold, row.seq);
      undo_.put(s_.hold_items, item, std::move(row));
      return {};
    }
    const std::tuple key(row.scope, row.hold, row.seq);
    const auto* old = find(s_.hold_items, key);
    if (old == nullptr) return no_such(named("item of hold", row.hold));
    if (old->state != HoldItemState::held)
      return conflicting(named("item of hold", row.hold), "was decided before");
    auto fresh = *old;
    fresh.state = row.state;
    fresh.decided = row.decided;
    fresh.by = row.by;
    undo_.put(s_.hold_items, key, std::move(fresh));
    if (row.state == HoldItemState::held) return {};
    const std::tuple hold_key(row.scope, row.hold);
    auto hold = *find(s_.holds, hold_key);
    if (--hold.held == 0) {
      hold.closed = row.decided;
      undo_.erase(s_.open_holds, row.scope);
    }
    undo_.put(s_.holds, hold_key, std::move(hold));
    return {};
  }

  Result<void> apply(const op::DeleteDetails& o) {
    std::uint64_t deleted = 0;
    const auto it = s_.chains.find(o.scope);
    const auto size = it == s_.chains.end() ? std::uint64_t{0} : std::uint64_t{it->second.size()};
    for (auto i = o.after; i < std::min(o.upto, size); ++i) {
      const auto& row = it->second[i];
      if (row.at >= o.before || (!row.salt && !row.detail)) continue;
      undo_.edit(it->second, i, [](ActivityRow& r) {
        r.salt.reset();
        r.detail.reset();
      });
      ++deleted;
    }
    out_.details_deleted.push_back(deleted);
    return {};
  }

  Result<void> apply(const op::PutChore& o) {
    undo_.put(s_.chores, std::tuple(o.row.scope, o.row.name), o.row);
    return {};
  }

  Result<void> apply(const op::PutFinding& o) {
    undo_.put(s_.findings, std::tuple(o.row.scope, o.row.run, o.row.n), o.row);
    return {};
  }

  Result<void> apply(const op::RemoveFindings& o) {
    std::vector<std::tuple<Scope, WorkId, std::uint64_t>> others;
    each_from(s_.findings, {o.scope, WorkId{}, std::uint64_t{0}}, [&](const auto& key, const auto&) {
      if (std::get<0>(key) != o.scope || others.size() == o.limit) return false;
      if (std::get<1>(key) != o.keep) others.push_back(key);
      return true;
    });
    for (const auto& key : others) undo_.erase(s_.findings, key);
    return {};
  }

  Result<void> apply(const op::PutWebhook& o) { return apply_to(s_, undo_, o); }
  Result<void> apply(const op::RemoveWebhook& o) { return apply_to(s_, undo_, o); }
  Result<void> apply(const op::MoveWebhookCursor& o) { return apply_to(s_, undo_, o); }
  Result<void> apply(const op::PutDelivery& o) { return apply_to(s_, undo_, o); }
  Result<void> apply(const op::PruneDeliveries& o) { return apply_to(s_, undo_, o); }
  Result<void> apply(const op::PutSource& o) { return apply_to(s_, undo_, o); }
  Result<void> apply(const op::RemoveSource& o) { return apply_to(s_, undo_, o); }
  Result<void> apply(const op::PutSourcePiece& o) { return apply_to(s_, undo_, o); }
  Result<void> apply(const op::PruneSourcePieces& o) {
    out_.pieces_pruned.push_back(prune_pieces(s_, undo_, o));
    return {};
  }
  Result<void> apply(const op::PutGrant& o) { return apply_to(s_, undo_, o); }
  Result<void> apply(const op::RemoveGrants& o) { return apply_to(s_, undo_, o); }
  Result<void> apply(const op::PutCheckpoint& o) { return apply_to(s_, undo_, o); }
  Result<void> apply(const op::RemoveCheckpoints& o) { return apply_to(s_, undo_, o); }

  MemoryState& s_;
  const Crypto& crypto_;
  Undo undo_;
  Committed out_;
};

}  // namespace

Result<Committed> apply_transaction(MemoryState& state, const Crypto& crypto, const Transaction& txn) {
  return Commit(state, crypto).run(txn);
}

}  // namespace deprov::store
