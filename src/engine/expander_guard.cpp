// The guard in deferred work: a request of many is counted and judged whole before any of its effects (R7), and a
// hold takes in what its window planned and did not send.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <deprov/policy/plan.hpp>
#include <utility>
#include "engine/expander.hpp"
#include "jobs/history.hpp"

namespace deprov::engine {

namespace {
constexpr std::string_view allowed = "!a";
constexpr std::string_view held = "!h";
constexpr std::string_view too_many = "a request would end the access of more subjects than the guard lets pass";
}  // namespace

// In front of the cursor: "!h;", or "!a" with what is left of the reservation, "!a12,3;", and who waits where the
// account is found late, "!a12,3,l;".
void Expander::Piece::take_verdict() {
  const auto end = row.cursor.find(';');
  if (!row.cursor.starts_with('!') || end == std::string::npos) return;
  verdict = row.cursor.substr(0, allowed.size());
  left = {0, 0, false, row.cursor[end - 1] == 'l'};
  const char* const last = row.cursor.data() + end;
  const auto [comma, ec] = std::from_chars(row.cursor.data() + verdict.size(), last, left.worsen);
  if (ec == std::errc{} && comma != last) std::from_chars(comma + 1, last, left.early);
  row.cursor.erase(0, end + 1);
}

std::string Expander::Piece::verdict_of(const Judged& left) {
  return std::string(allowed) + std::to_string(left.worsen) + "," + std::to_string(left.early) +
         (left.late_waits ? ",l;" : ";");
}

std::string Expander::Piece::verdict_after(const Decision& decision) const {
  if (verdict.empty()) return {};
  return verdict == held ? verdict + ";" : verdict_of(decision.left());
}

bool Expander::Piece::goes_beyond() const { return verdict == allowed && !left.beyond_waits; }

void Expander::Piece::judge(Decision& decision, std::uint64_t members) const {
  if (verdict.empty()) return;
  decision.as_unit(members);
  decision.judge(verdict == held ? Judging::hold : Judging::allowed, std::string(too_many), left);
}

bool Expander::wants_judging(const Piece& piece) {
  if (!piece.verdict.empty() || piece.row.kind == hold_work) return false;
  const auto context = host_.expander_context(scope_);
  return context && context->policy.guard.enabled &&
         (piece.row.kind == source_work || !context->policy.entitling_groups.empty());
}

void Expander::count(const Piece& piece) {
  auto counting = std::make_shared<Count>();
  counting->row = piece.row;
  counting->steps = piece.steps;
  count_on(counting);
}

void Expander::count_on(const std::shared_ptr<Count>& counting) {
  auto self = shared_from_this();
  ports_.store.view([self, counting](port::Reader& reader) { return self->count_some(reader, *counting); },
                    [self, counting](Result<void> read) {
                      self->ports_.executor.post([self, counting, read] {
                        if (self->stopping_) return self->finished(false);
                        if (!read) {
                          if (read.error().code() == Errc::store_corrupt)
                            return self->set_aside(counting->row, read.error());
                          self->arm(self->ports_.clock.wall() + std::chrono::seconds(1));
                          return self->finished(false);
                        }
                        if (counting->over) return self->judge(counting, false);
                        self->count_on(counting);
                      });
                    });
}

// Nothing is written: after a crash it is counted again.
Result<void> Expander::count_some(port::Reader& reader, Count& c) {
  const auto context = host_.expander_context(scope_);
  if (!context) return Error(Errc::not_found, "the integration is gone", scope_.integration.str());
  const Evidence nobody;
  Decision decision(reader, *context, nobody, ports_.random, ports_.clock.wall());
  const auto group = c.row.group;
  if (!c.begun) {
    c.begun = true;
    DEPROV_TRY(members, reader.member_count(scope_, group));
    c.members = members;
    if (!c.steps && c.row.kind != source_work) c.descend(group, false);
  }
  if (c.row.kind == source_work) return count_source(reader, decision, c);
  std::size_t left = piece_ * 4;
  const auto leaves = [&](const port::MemberRow& m) -> Result<void> {
    if (m.member_is_group) {
      c.descend(m.member, true);
      return {};
    }
    return decision.tally(c.unit, m.member, false, {group, true}, true);
  };
  while (left > 0 && !c.over) {
    if (!c.below.empty()) {
      const auto level = c.below.back();
      DEPROV_TRY(page, reader.members(scope_, level.group, level.after, left));
      c.below.back().after = page.rows.empty() ? level.after : std::optional(page.rows.back().member);
      if (!page.more) c.below.pop_back();
      for (const auto& m : page.rows) {
        if (m.member_is_group) {
          c.descend(m.member, level.by_access);
          continue;
        }
        DEPROV_CHECK(decision.tally(c.unit, m.member, level.by_access, {}, level.group == group));
      }
      left -= std::min(left, std::max<std::size_t>(page.rows.size(), 1));
      continue;
    }
    if (!c.steps || c.step >= c.steps->size()) {
      c.over = true;
      break;
    }
    const auto& step = (*c.steps)[c.step];
    bool done = true;
    if (step.kind == MemberStep::Kind::replace) {
      DEPROV_TRY(page, reader.members(scope_, group, c.after, left));
      for (const auto& m : page.rows) {
        const bool stays = std::binary_search(
            step.members.begin(), step.members.end(), m,
            [](const port::MemberRow& a, const port::MemberRow& b) { return a.member < b.member; });
        if (!stays) DEPROV_CHECK(leaves(m));
      }
      if (!page.rows.empty()) c.after = page.rows.back().member;
      left -= std::min(left, std::max<std::size_t>(page.rows.size(), 1));
      done = !page.more;
    } else if (step.kind == MemberStep::Kind::remove) {
      for (; c.index < step.members.size() && left > 0; ++c.index, --left) {
        DEPROV_TRY(is, reader.is_member(scope_, group, step.members[c.index].member));
        if (is) DEPROV_CHECK(leaves(step.members[c.index]));
      }
      done = c.index >= step.members.size();
    }
    if (!done) continue;
    ++c.step;
    c.index = 0;
    c.after.reset();
  }
  return {};
}

void Expander::judge(const std::shared_ptr<Count>& c, bool hold) {
  auto self = shared_from_this();
  auto verdict = std::make_shared<std::string>(std::string(held) + ";");
  host_.expander_decide(
      [self, c, hold, verdict](port::Reader& reader) -> Result<port::Transaction> {
        const auto context = self->host_.expander_context(self->scope_);
        if (!context) return Error(Errc::not_found, "the integration is gone", self->scope_.integration.str());
        Evidence evidence;
        evidence.actor = "rule:R7";
        Decision decision(reader, *context, evidence, self->ports_.random, self->ports_.clock.wall());
        if (hold) {
          const char* const what = c->row.kind == source_work ? "source" : "group";
          decision.record("guard.refused", {{what, c->row.group.str()},
                                            {"work", c->row.id.str()},
                                            {"worsen", c->unit.worsen},
                                            {"members", c->members}});
        } else {
          const bool source = c->row.kind == source_work;
          DEPROV_TRY(late, decision.beyond_with_late(source ? ResourceId{} : c->row.group, c->unit, c->members));
          *verdict = Piece::verdict_of({c->unit.worsen, c->unit.early, false, late});
          decision.reserve_unit(c->row.group, c->unit, c->members);
        }
        decision.transaction().ops.emplace_back(
            port::op::AdvanceWork{self->scope_, c->row.id, c->row.version, *verdict + c->row.cursor, c->row.done});
        return decision.take();
      },
      [self, c, hold, verdict](Result<port::Committed> done) {
        if (!done && done.error().code() == Errc::held_by_guard && !hold) return self->judge(c, true);
        if (!done) {
          if (done.error().code() == Errc::store_corrupt) return self->set_aside(c->row, done.error());
          self->arm(self->ports_.clock.wall() + std::chrono::seconds(1));
          return self->finished(false);
        }
        self->host_.expander_committed(self->scope_);
        auto row = c->row;
        ++row.version;
        row.cursor = *verdict + row.cursor;
        self->ports_.executor.post([self, row = std::move(row)]() mutable {
          if (self->stopping_) return self->finished(false);
          self->work(std::move(row));
        });
      });
}

Result<void> Expander::join(port::Reader& reader, Decision& decision, const port::HoldRow& hold,
                            port::JobRow job) {
  using port::JobState;
  const bool lowers = job.kind == port::JobKind::change_role && job.cause == idp::Cause::role_lowered;
  if ((job.kind != port::JobKind::remove_access && !lowers) || job.cause == idp::Cause::manual) return {};
  DEPROV_TRY(plan, policy::parse_plan(job.plan));
  auto& txn = decision.transaction();
  port::HoldItemRow item;
  item.scope = scope_;
  item.subject = job.subject;
  item.job = job.id;
  item.generation = job.generation;
  item.cause = job.cause;
  item.via_group = job.via_group;
  item.at = ports_.clock.wall();
  DEPROV_TRY(newest, reader.hold_item_of(scope_, job.subject));
  if (plan.acted()) {
    // Once, however often the hold is gone through; and what is decided about a newer one is not hidden by it.
    if (newest && (newest->job > job.id || (newest->hold == hold.id && newest->job == job.id))) return {};
    item.state = port::HoldItemState::sent;
    txn.ops.emplace_back(port::op::PutHoldItem{std::move(item)});
    return {};
  }
  if (lowers) {  // it will end without having done anything
    DEPROV_TRY(newer, jobs::newer_role(reader, scope_, job));
    if (newer) return {};
  }
  const bool waits = job.state == JobState::ready || job.state == JobState::retrying ||
                     job.state == JobState::in_grace || job.state == JobState::awaiting_approval;
  if (!waits) return {};
  if (newest && newest->state == port::HoldItemState::allowed && newest->generation == job.generation) return {};
  DEPROV_TRY(counted, decision.counts(job.subject));
  if (!counted) return {};
  DEPROV_TRY(subject, reader.subject(scope_, job.subject));
  if (!subject || subject->generation != job.generation) return {};
  bool counts = !lowers && !plan.uncounted && subject->counted_at.micros != 0;
  if (counts) {  // for what was taken from it before it goes on counting
    DEPROV_TRY(before, jobs::let_pass_since(reader, scope_, job.subject, job.id, hold.window_from));
    counts = !before;
  }
  if (counts) {
    txn.ops.emplace_back(port::op::Unreserve{scope_, std::string(worsened_counter), 1, subject->counted_at});
    // It counts no more: the next time nothing of somebody else's may be taken back for it.
    auto uncounted = *subject;
    uncounted.counted_at = {};
    txn.reads.subjects.push_back({scope_, uncounted.id, uncounted.grants_version});
    txn.ops.emplace_back(port::op::PutSubject{std::move(uncounted)});
  }
  txn.ops.emplace_back(port::op::PutHoldItem{std::move(item)});
  decision.record("removal.held", {{"cause", idp::to_string(job.cause)}, {"joined", true}}, job.subject, job.id);
  job.state = JobState::held;
  job.lease = {};
  job.reason = "held by the guard until a person decides";
  txn.ops.emplace_back(port::op::PutJob{std::move(job), std::nullopt});
  return {};
}

Result<port::Transaction> Expander::decide_hold(port::Reader& reader, Piece& piece) {
  const auto context = host_.expander_context(scope_);
  if (!context) return Error(Errc::not_found, "the integration is gone", scope_.integration.str());
  Evidence evidence;
  evidence.actor = "rule:R7";
  Decision decision(reader, *context, evidence, ports_.random, ports_.clock.wall());
  auto& txn = decision.transaction();
  DEPROV_TRY(hold, reader.open_hold(scope_));
  txn.reads.holds.push_back({scope_, hold ? hold->id : HoldId{}});
  piece.over = true;
  piece.done = piece.row.done;
  if (hold) {
    const auto before = JobId::parse(piece.row.cursor);
    DEPROV_TRY(page, reader.jobs(scope_, {}, before, piece_));
    piece.over = !page.more;
    for (auto& job : page.rows) {
      if (job.created < hold->window_from) {
        piece.over = true;
        break;
      }
      ++piece.done;
      piece.cursor = job.id.str();
      DEPROV_CHECK(join(reader, decision, *hold, std::move(job)));
    }
  }
  if (piece.over) {
    txn.ops.emplace_back(port::op::RemoveWork{scope_, piece.row.id});
  } else {
    txn.ops.emplace_back(port::op::AdvanceWork{scope_, piece.row.id, piece.row.version, piece.cursor, piece.done});
  }
  return decision.take();
}

}  // namespace deprov::engine
