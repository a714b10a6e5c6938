// The guard and protection inside a decision (R7, R9): who waits, who is retained, what is reserved.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/policy/guard.hpp>
#include <utility>
#include "engine/decision.hpp"
#include "engine/payload.hpp"
#include "jobs/history.hpp"

namespace deprov::engine {

namespace {
constexpr Duration a_day = std::chrono::hours(24);
constexpr Duration a_year = std::chrono::hours(24 * 365);

json::object object_of(const std::string& text) {
  boost::system::error_code ec;
  auto value = json::parse(text, ec);
  return !ec && value.is_object() ? std::move(value.get_object()) : json::object{};
}
bool is_set(const json::object& o, const char* name) {
  const auto* v = o.if_contains(name);
  return v != nullptr && v->is_bool() && v->get_bool();
}
}  // namespace

void Decision::judge(Judging how, std::string why, Judged left) {
  judging_ = how;
  left_of_unit_ = left;
  why_held_ = std::move(why);
}

void Decision::as_unit(std::optional<std::uint64_t> members) {
  unit_ = true;
  unit_members_ = members;
}

// Not looked up yet is not "never bound": it may well have an account, and be one of thousands.
Result<bool> Decision::counts(ResourceId subject) {
  DEPROV_TRY(binding, reader_.binding(scope(), subject));
  return !(binding && !binding->was_bound && binding->state == port::BindingState::absent);
}

bool Decision::came_back(const port::SubjectRow& s) const {
  return s.access && s.cause == idp::Cause::restored && s.counted_at.micros != 0 && now_ - s.counted_at < a_day;
}

void Decision::reserve(port::SubjectRow& subject, ResourceId via, std::optional<std::uint64_t> members) {
  if (came_back(subject)) early_no_more(subject.counted_at);
  if (subject.counted_at.micros != 0 && now_ - subject.counted_at < a_day) {
    reservations_.counted.push_back(subject.counted_at);
  } else {
    ++reservations_.fresh;
  }
  subject.counted_at = now_;
  if (via.is_nil() || !members) return;
  auto& group = reservations_.groups[via];
  ++group.lost;
  group.members = std::max(group.members, *members);
}

Result<Decision::Standing> Decision::stands(SubjectState& state, const End& end, bool ends) {
  constexpr Duration an_hour = std::chrono::hours(1);
  Standing out;
  auto& s = state.subject;
  const auto counted_at = s.counted_at;
  const bool settled = judging_ == Judging::allowed && !unit_;  // `settle` takes its reservation back itself
  const bool back = came_back(s);
  const bool guarded = context_.policy.guard.enabled && end.cause != idp::Cause::manual;
  if (guarded) {
    DEPROV_TRY(counted, counts(s.id));
    out.counts = counted;
    out.late_waits =
        !counted && (late_waits_ || (unit_ && (left_of_unit_.late_waits || judging_ == Judging::hold)));
  }
  // Its account was found since its unit was judged.
  if (out.counts && late_waits_ && judging_ == Judging::reserve) {
    out.waits = true;
  } else if (out.counts && judging_ == Judging::hold) {
    out.waits = true;
  } else if (out.counts && judging_ == Judging::reserve) {
    reserve(s, end.via, end.members);
    return out;
  } else if (out.counts) {
    if (unit_ && (counted_at.micros == 0 || now_ - counted_at >= an_hour)) {
      // Counted by its unit; or something changed since, so that it loses more than it did then.
      auto& left = left_of_unit_.worsen;
      if (left == 0 && !left_of_unit_.beyond_waits) {
        reserve(s, end.via, end.members);
        return out;
      }
      out.waits = left == 0;
      if (!out.waits) s.counted_at = now_;
      if (left != 0 && left != policy::no_limit) --left;
    }
    if (unit_ && s.access && !back && !out.waits && left_of_unit_.early != 0) {
      out.early = true;
      if (left_of_unit_.early != policy::no_limit) --left_of_unit_.early;
    }
    DEPROV_TRY(open, reader_.open_hold(scope()));
    txn_.reads.holds.push_back({scope(), open ? open->id : HoldId{}});
    out.waits = out.waits || open.has_value();
  }
  // What a person decides about one subject is decided, and waits for nobody; it has lost its access all the same.
  if (ends && back && !settled) early_no_more(counted_at);
  if (ends && out.early) early_no_more(now_);
  return out;
}

Result<policy::GuardBase> Decision::guard_base() {
  const auto minute = port::minute_of(now_);
  if (const auto known = context_.guard_cache->get(minute)) return *known;
  policy::GuardBase base;
  if (!policy::needs_base(context_.policy.guard)) return base;
  DEPROV_TRY(rows, reader_.population(scope(), now_));
  std::vector<policy::PopulationStep> steps;
  steps.reserve(rows.size());
  for (const auto& row : rows) steps.push_back({row.minute, row.delta});
  base = policy::guard_base(steps, minute);
  if (!base.lasting) {
    DEPROV_TRY(lost, reader_.reserved(scope(), worsened_counter, now_));
    DEPROV_TRY(early, reader_.reserved(scope(), early_counter, now_));
    lost.hour -= std::min(lost.hour, early.hour);
    lost.day -= std::min(lost.day, early.day);
    if (!context_.policy.roles.empty()) {  // whose role was lowered has access all the same
      DEPROV_TRY(lowered, reader_.reserved(scope(), roles_counter, now_));
      lost.hour -= std::min(lost.hour, lowered.hour);
      lost.day -= std::min(lost.day, lowered.day);
    }
    base = policy::guard_base(steps, minute, lost.hour, lost.day);
  }
  context_.guard_cache->put(minute, base);
  return base;
}

// In front of everything else: a refusal before the first write costs the store nothing.
Result<void> Decision::add_reservations() {
  auto& r = reservations_;
  if (r.fresh == 0 && r.counted.empty() && r.early == 0) return {};
  const auto& guard = context_.policy.guard;
  DEPROV_TRY(base, guard_base());
  std::vector<port::Op> ops;
  port::op::Reserve o;
  o.scope = scope();
  o.counter = std::string(worsened_counter);
  o.amount = r.fresh;
  o.limit_hour = policy::guard_limit(guard, base.hour);
  o.limit_day = policy::guard_limit(guard, base.day);
  o.now = now_;
  if (r.fresh != 0) ops.emplace_back(o);
  for (const auto at : r.counted) {
    o.amount = 1;
    o.counted = at;
    ops.emplace_back(o);
  }
  o.counted = {};
  if (r.early != 0) {
    o.counter = std::string(early_counter);
    o.amount = r.early;
    o.limit_hour = o.limit_day = policy::no_limit;
    ops.emplace_back(o);
  }
  for (const auto& [id, group] : r.groups) {
    o.counter = "group:" + id.str();
    o.amount = group.lost;
    DEPROV_TRY(before, reader_.reserved(scope(), o.counter, now_));
    o.limit_hour = policy::group_limit(guard, group.members + before.hour);
    o.limit_day = policy::group_limit(guard, group.members + before.day);
    ops.emplace_back(o);
  }
  txn_.ops.insert(txn_.ops.begin(), std::make_move_iterator(ops.begin()), std::make_move_iterator(ops.end()));
  r = {};
  return {};
}

Result<void> Decision::put_in_hold(const port::SubjectRow& subject, const port::JobRow& job) {
  if (!opened_) {
    opened_ = true;
    DEPROV_TRY(open, reader_.open_hold(scope()));
    txn_.reads.holds.push_back({scope(), open ? open->id : HoldId{}});
    // The one that is open may end with who leaves it in this transaction.
    const bool ends = open && open->held <= left_;
    port::HoldRow hold;
    hold.scope = scope();
    hold.id = new_id<HoldId>();
    hold.opened = now_;
    hold.window_from = now_ - a_day;
    hold.reason = why_held_.empty() ? "the guard's limits" : why_held_.substr(0, 1000);
    if (!open || ends) {
      port::WorkRow work;
      work.scope = scope();
      work.id = new_id<WorkId>();
      work.kind = std::string(hold_work);
      work.payload = "{}";
      work.created = now_;
      record("guard.held", {{"hold", hold.id.str()}, {"reason", hold.reason}});
      txn_.ops.emplace_back(port::op::PutWork{std::move(work)});
      txn_.ops.emplace_back(port::op::OpenHold{std::move(hold)});
    }
  }
  port::HoldItemRow item;
  item.scope = scope();
  item.subject = subject.id;
  item.job = job.id;
  item.generation = job.generation;
  item.cause = job.cause;
  item.via_group = job.via_group;
  item.at = now_;
  txn_.ops.emplace_back(port::op::PutHoldItem{std::move(item)});
  record("removal.held", {{"cause", idp::to_string(job.cause)}}, subject.id, job.id);
  return {};
}

Result<void> Decision::leave_hold(const port::JobRow& job) {
  DEPROV_TRY(item, reader_.hold_item_of(scope(), job.subject));
  if (!item || item->state != port::HoldItemState::held || item->job != job.id) return {};
  item->state = port::HoldItemState::left;
  item->decided = now_;
  item->by = evidence_.actor;
  ++left_;
  txn_.ops.emplace_back(port::op::PutHoldItem{std::move(*item)});
  return {};
}

// ---- protection

Result<std::optional<policy::Retention>> Decision::retention_of(const SubjectState& state) {
  const auto& protection = context_.policy.protection;
  if (protection.empty()) return std::optional<policy::Retention>();
  // R9: as it was before the request, so that no request takes the protection away first.
  std::optional<port::ResourceRow> row;
  if (before_ != nullptr && before_->id == state.subject.id) {
    row = *before_;
  } else {
    DEPROV_TRY(stored, reader_.resource(scope(), state.subject.id));
    row = std::move(stored);
  }
  if (!row) return std::optional<policy::Retention>();
  const auto document = object_of(row->document);
  policy::SubjectFacts facts{row->id, row->external_id, &document, row->user_name_key};
  std::optional<port::BindingRow> binding;
  if (protection.about_accounts()) {
    DEPROV_TRY(stored, reader_.binding(scope(), state.subject.id));
    binding = std::move(stored);
  }
  if (binding) {
    facts.account_id = binding->account_id;
    facts.account_login = binding->account_login;
  }
  return policy::retained(protection, facts, now_);
}

Result<void> Decision::retain(SubjectState& state, const End& end, const policy::Retention& retention) {
  auto& s = state.subject;
  if (end.cause == idp::Cause::manual) {
    return Error(Errc::conflict,
                 "the subject is " + std::string(policy::to_string(retention.kind)) + ": " + retention.reason,
                 "subject " + s.id.str(),
                 retention.rule == policy::own_account_rule
                     ? "give the connection another account first, or disable this one in the app"
                     : "change the policy at " + retention.rule + " first");
  }
  bool acted = false;
  bool running = false;
  DEPROV_CHECK(supersede(s, "retained: " + std::string(policy::to_string(retention.kind)), acted, running));
  if (came_back(s)) early_no_more(s.counted_at);
  s.access = false;
  ++s.generation;
  s.desired = port::Desired::no_access;
  s.cause = end.cause;
  s.via_group = end.via;
  s.via_inferred = end.inferred;
  s.evidence_at = end.evidence_at;
  s.policy_version = context_.row.policy_version;
  s.job = {};
  put(state);
  auto detail = evidence_json();
  for (const auto& member : remember(s.id, end, retention)) detail[member.key()] = member.value();
  record("removal.retained", detail, s.id);
  return {};
}

json::object Decision::remember(ResourceId subject, const End& end, const policy::Retention& retention,
                                std::optional<std::uint32_t> rank) {
  auto payload = policy::to_json(retention);
  payload["cause"] = idp::to_string(end.cause);
  if (!end.via.is_nil()) payload["via"] = end.via.str();
  if (rank) payload["rank"] = *rank;
  port::DueRow due;
  due.scope = scope();
  due.subject = subject;
  due.kind = std::string(retained_kind);
  due.since = end.evidence_at;
  due.at = retention.until && *retention.until > now_ ? *retention.until : now_ + a_year;
  due.payload = json::serialize(payload);
  txn_.ops.emplace_back(port::op::RemoveDue{scope(), subject, due.kind});
  txn_.ops.emplace_back(port::op::PutDue{std::move(due)});
  return payload;
}

Result<bool> Decision::is_kept(const port::SubjectRow& subject) {
  if (subject.access || subject.desired != port::Desired::no_access) return false;
  DEPROV_TRY(due, reader_.due(scope(), subject.id, retained_kind));
  if (!due) return false;
  DEPROV_TRY(retention, policy::parse_retention(due->payload));
  return retention.kind == policy::Retention::Kind::kept_by_decision;
}

Result<bool> Decision::kept(const SubjectState& state) {
  const auto& s = state.subject;
  DEPROV_TRY(is, is_kept(s));
  if (!is) return false;
  txn_.ops.emplace_back(port::op::RemoveDue{scope(), s.id, std::string(retained_kind)});
  return true;
}

Result<void> Decision::reconsider(const port::DueRow& due) {
  settled_retention_.reset();
  late_waits(false);
  txn_.ops.emplace_back(port::op::RemoveDue{scope(), due.subject, due.kind});
  DEPROV_TRY(state, load(due.subject));
  if (!state.stored) return {};
  const auto payload = object_of(due.payload);
  const bool role = idp::parse_cause(text_of(payload, "cause")) == idp::Cause::role_lowered;
  if (role && state.subject.access) {  // a role that a person kept: lowered now, unless a group gives it again
    record("retention.ended", payload, due.subject);
    return role_changed(state, state.subject.last_group_lost, true);
  }
  if (state.subject.access) return {};
  DEPROV_TRY(access, has_access(state));
  if (access) return {};
  End end;
  end.cause = idp::parse_cause(text_of(payload, "cause")).value_or(state.subject.cause);
  end.via = state.subject.via_group;
  end.inferred = state.subject.via_inferred;
  end.evidence_at = due.since;
  DEPROV_TRY(retention, retention_of(state));
  if (retention) {
    const auto again = remember(due.subject, end, *retention);
    if (retention->until && *retention->until <= now_) record("retention.review_due", again, due.subject);
    return {};
  }
  record("retention.ended", payload, due.subject);
  return end_access(state, end);
}

Result<void> Decision::settle(const port::DueRow& due, Judging otherwise, const std::string& why) {
  const auto payload = object_of(due.payload);
  const auto cause = idp::parse_cause(text_of(payload, "cause")).value_or(idp::Cause::lost_entitling_group);
  const auto via = ResourceId::parse(text_of(payload, "via")).value_or(ResourceId{});
  const bool reserved = is_set(payload, "reserved");
  const bool uncounted = is_set(payload, "uncounted");
  late_waits(is_set(payload, "late_waits"));
  settled_retention_.reset();
  const auto* version = payload.if_contains("policy_version");
  const auto* kept = payload.if_contains("retention");
  // By the rules that hold now: another policy judges anew.
  if (kept != nullptr && version != nullptr && version->is_number() &&
      version->to_number<std::uint64_t>() == context_.row.policy_version) {
    DEPROV_TRY(retention, policy::parse_retention(json::serialize(*kept)));
    const bool ended = retention.kind == policy::Retention::Kind::exempt && retention.until <= now_;
    if (!ended) settled_retention_.emplace(due.subject, std::move(retention));
  }
  const auto* members = payload.if_contains("members");
  unit_members_.reset();
  if (members != nullptr && members->is_number()) unit_members_ = members->to_number<std::uint64_t>();
  if (is_set(payload, "held")) {
    judge(Judging::hold, "a request would end the access of more subjects than the guard lets pass");
  } else if (reserved && !uncounted) {
    judge(Judging::allowed);
  } else {
    judge(otherwise, why);
  }
  if (reserved) {
    DEPROV_TRY(state, load(due.subject));
    const auto at = state.subject.counted_at;
    DEPROV_TRY(access, has_access(state));
    if (state.stored && state.subject.access && access) {
      // The net effect counts (R14): what was reserved for it is taken back, but for what it had lost before.
      txn_.ops.emplace_back(port::op::RemoveDue{scope(), due.subject, due.kind});
      if (at.micros != 0 && !uncounted) {
        DEPROV_TRY(before, jobs::let_pass_since(reader_, scope(), due.subject, {}, now_ - a_day));
        if (unit_members_) txn_.ops.emplace_back(port::op::Unreserve{scope(), "group:" + via.str(), 1, at});
        if (!before) {
          early_no_more(at);
          txn_.ops.emplace_back(port::op::Unreserve{scope(), std::string(worsened_counter), 1, at});
          state.subject.counted_at = {};
          put(state);
        }
      }
      DEPROV_CHECK(role_changed(state, via, true));
      record("removal.settled", {{"kept", true}, {"via_group", via.str()}}, due.subject);
      return {};
    }
    if (!uncounted) early_no_more(at);
  }
  return evaluate(due.subject, cause, via, due.since, true);
}

void Decision::early_no_more(WallTime counted) {
  if (counted.micros != 0)
    txn_.ops.emplace_back(port::op::Unreserve{scope(), std::string(early_counter), 1, counted});
}

Result<void> Decision::tally(Tally& unit, ResourceId subject, bool by_access, const MembershipOverlay& overlay,
                             bool direct) {
  DEPROV_TRY(found, reader_.subject(scope(), subject));
  if (!found) return {};
  // What was kept by decision ends with the next change of its grants, and counts like any other.
  DEPROV_TRY(kept, is_kept(*found));
  const bool has_it = found->access;
  if (!has_it && !kept) return {};
  const bool again = found->counted_at.micros != 0 && now_ - found->counted_at < std::chrono::hours(1);
  const bool back = came_back(*found);
  DEPROV_TRY(counted, counts(subject));
  if (!by_access) {
    SubjectState state;
    state.subject = std::move(*found);
    DEPROV_TRY(access, has_access(state, overlay));
    if (access) return {};
  }
  if (!counted) {
    ++unit.late;
    unit.late_direct += direct ? 1 : 0;
    return {};
  }
  unit.early += has_it && !back ? 1 : 0;
  unit.worsen += again ? 0 : 1;
  unit.direct += direct && !again ? 1 : 0;
  return {};
}

void Decision::reserve_unit(ResourceId group, const Tally& unit, std::uint64_t members) {
  reservations_.fresh += unit.worsen;
  reservations_.early += unit.early;
  if (unit.direct != 0) reservations_.groups[group] = {unit.direct, members};
}

Result<bool> Decision::beyond_with_late(ResourceId group, const Tally& unit, std::uint64_t members) {
  const auto& guard = context_.policy.guard;
  if (!guard.enabled || unit.late == 0) return false;
  DEPROV_TRY(base, guard_base());
  DEPROV_TRY(worsened, reader_.reserved(scope(), worsened_counter, now_));
  const auto all = unit.worsen + unit.late;
  if (worsened.hour + all > policy::guard_limit(guard, base.hour) ||
      worsened.day + all > policy::guard_limit(guard, base.day))
    return true;
  const auto direct = unit.direct + unit.late_direct;
  if (group.is_nil() || direct == 0) return false;
  DEPROV_TRY(left, reader_.reserved(scope(), "group:" + group.str(), now_));
  return left.hour + direct > policy::group_limit(guard, members + left.hour) ||
         left.day + direct > policy::group_limit(guard, members + left.day);
}

}  // namespace deprov::engine
