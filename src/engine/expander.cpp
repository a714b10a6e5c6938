#include "engine/expander.hpp"
#include <algorithm>
#include <boost/json/parse.hpp>
#include <charconv>
#include <unordered_set>
#include <utility>
#include "engine/decision.hpp"
#include "engine/payload.hpp"

namespace deprov::engine {

namespace {

/// Where a request stands: which step, and the last member handled in it.
struct Cursor {
  std::size_t step = 0;
  bool second_pass = false;  ///< of a replacement: first who leaves, then who joins
  std::string last;          ///< id, or a position

  static Cursor parse(std::string_view text) {
    Cursor c;
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return c;
    std::from_chars(text.data(), text.data() + colon, c.step);
    text.remove_prefix(colon + 1);
    c.second_pass = text.starts_with('+');
    c.last = std::string(text.substr(1));
    return c;
  }
  [[nodiscard]] std::string str() const { return std::to_string(step) + (second_pass ? ":+" : ":-") + last; }
};

constexpr Duration aside_for = std::chrono::minutes(10);
constexpr Duration postponed_by = std::chrono::hours(1);
constexpr std::size_t most_aside = 16;

/// Whether it will be the same again, however often it is tried.
bool stays(const Error& error) {
  switch (error.code()) {
    case Errc::store_corrupt:
    case Errc::invalid_argument:
    case Errc::limit_exceeded:
    case Errc::internal:
    case Errc::conflict:
    case Errc::uniqueness: return true;
    default: return false;
  }
}

std::vector<ResourceId> ids_of(const json::object& o, const char* name) {
  std::vector<ResourceId> ids;
  const auto* v = o.if_contains(name);
  if (v == nullptr || !v->is_array()) return ids;
  for (const auto& e : v->get_array()) {
    const auto id = e.is_string() ? ResourceId::parse(std::string_view(e.get_string())) : std::nullopt;
    if (id) ids.push_back(*id);
  }
  return ids;
}

}  // namespace

Expander::Expander(ExpanderPorts ports, ExpanderHost& host, port::Scope scope, std::size_t piece,
                   Duration look_again)
    : ports_(ports),
      host_(host),
      scope_(scope),
      piece_(std::max<std::size_t>(piece, 1)),
      look_again_(look_again) {}

Expander::~Expander() {
  if (timer_ != 0) ports_.executor.cancel(timer_);
}

void Expander::poke() {
  if (busy_) {
    again_ = true;
    return;
  }
  look();
}

void Expander::stop(port::UniqueFunction<void()> done) {
  stopping_ = true;
  if (timer_ != 0) ports_.executor.cancel(timer_);
  timer_ = 0;
  if (busy_) {
    stopped_ = std::move(done);
  } else {
    done();
  }
}

void Expander::look() {
  if (stopping_) return;
  busy_ = true;
  again_ = false;
  struct Found {
    std::vector<port::DueRow> dues;
    std::vector<port::WorkRow> works;
    std::optional<WallTime> next;
  };
  auto found = std::make_shared<Found>();
  auto self = shared_from_this();
  const auto now = ports_.clock.wall();
  if (aside_until_ && *aside_until_ <= now) {
    aside_.clear();
    aside_until_.reset();
  }
  const std::size_t most_dues = one_by_one_ ? 1 : piece_;
  const std::size_t most_works = aside_.size() + 1;
  ports_.store.view(
      [self, found, now, most_dues, most_works](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(dues, reader.dues(self->scope_, now, most_dues));
        found->dues = std::move(dues);
        if (found->dues.empty()) {
          DEPROV_TRY(works, reader.works(self->scope_, most_works));
          found->works = std::move(works);
        }
        DEPROV_TRY(next, reader.next_due(self->scope_));
        found->next = next;
        return {};
      },
      [self, found](Result<void> read) {
        self->ports_.executor.post([self, found, read] {
          if (self->stopping_) return self->finished(false);
          if (!read) {
            self->arm(self->ports_.clock.wall() + std::chrono::seconds(1));
            return self->finished(false);
          }
          if (!found->dues.empty()) return self->settle(std::move(found->dues));
          self->one_by_one_ = false;
          if (found->next) self->arm(*found->next);
          if (self->aside_until_) self->arm(*self->aside_until_);
          if (self->look_again_.count() != 0) self->arm(self->ports_.clock.wall() + self->look_again_);
          for (auto& row : found->works) {
            if (self->aside_.contains(row.id)) continue;
            const bool behind = std::any_of(self->aside_.begin(), self->aside_.end(),
                                            [&](const auto& a) { return a.second == row.group; });
            if (!behind) return self->work(std::move(row));
            if (self->aside_.size() >= most_aside) break;
            self->aside_.emplace(row.id, row.group);  // work on one group keeps its order
            return self->finished(true);
          }
          self->finished(false);
        });
      });
}

void Expander::finished(bool progress) {
  busy_ = false;
  if (stopping_) {
    if (stopped_) {
      auto done = std::move(stopped_);
      stopped_ = {};
      done();
    }
    return;
  }
  if (progress || again_) look();
}

void Expander::arm(WallTime at) {
  if (timer_ != 0) {
    if (armed_ && *armed_ <= at) return;
    ports_.executor.cancel(timer_);
  }
  armed_ = at;
  auto self = weak_from_this();
  const auto wait = std::max(Duration{0}, at - ports_.clock.wall());
  timer_ = ports_.executor.post_at(ports_.clock.mono() + wait, [self] {
    if (const auto e = self.lock()) {
      e->timer_ = 0;
      e->armed_.reset();
      e->poke();
    }
  });
}

void Expander::settle(std::vector<port::DueRow> dues, std::string held) {
  auto self = shared_from_this();
  auto shared = std::make_shared<const std::vector<port::DueRow>>(std::move(dues));
  host_.expander_decide(
      [self, shared, held](port::Reader& reader) { return self->decide_dues(reader, *shared, held); },
      [self, shared, held](Result<port::Committed> done) {
        // Each is judged for itself: those that still fit go, the first that does not waits.
        if (!done && done.error().code() == Errc::held_by_guard && held.empty()) {
          if (shared->size() == 1) return self->settle(*shared, done.error().message());
          self->one_by_one_ = true;
          return self->finished(true);
        }
        if (done) {
          self->host_.expander_committed(self->scope_);
          return self->finished(true);
        }
        if (stays(done.error())) {
          if (shared->size() == 1) return self->postpone(shared->front(), done.error());
          self->one_by_one_ = true;
          return self->finished(true);
        }
        self->arm(self->ports_.clock.wall() + std::chrono::seconds(1));
        self->finished(false);
      });
}

// An evaluation that cannot be decided is said so, and tried again later; it must not stop those of others.
void Expander::postpone(const port::DueRow& due, const Error& error) {
  auto self = shared_from_this();
  const std::string why = error.message();
  host_.expander_decide(
      [self, due, why](port::Reader& reader) -> Result<port::Transaction> {
        const auto context = self->host_.expander_context(self->scope_);
        if (!context) return Error(Errc::not_found, "the integration is gone", self->scope_.integration.str());
        Evidence evidence;
        evidence.actor = "engine";
        const auto now = self->ports_.clock.wall();
        Decision decision(reader, *context, evidence, self->ports_.random, now);
        auto later = due;
        later.at = now + postponed_by;
        decision.record("evaluation.failed", {{"reason", why}, {"next", to_rfc3339(later.at)}}, due.subject);
        auto& ops = decision.transaction().ops;
        ops.emplace_back(port::op::RemoveDue{due.scope, due.subject, due.kind});
        ops.emplace_back(port::op::PutDue{std::move(later)});
        return decision.take();
      },
      [self](Result<port::Committed> done) {
        if (done) self->host_.expander_committed(self->scope_);
        if (!done) self->arm(self->ports_.clock.wall() + std::chrono::seconds(1));
        self->finished(done.has_value());
      });
}

// The same for work on a group; it stays as it is, and so does everything that has to follow it.
void Expander::set_aside(const port::WorkRow& row, const Error& error) {
  if (aside_.size() >= most_aside) {
    arm(ports_.clock.wall() + std::chrono::minutes(1));
    return finished(false);
  }
  aside_.emplace(row.id, row.group);
  if (!aside_until_) aside_until_ = ports_.clock.wall() + aside_for;
  auto self = shared_from_this();
  const std::string why = error.message();
  host_.expander_decide(
      [self, id = row.id, group = row.group, why](port::Reader& reader) -> Result<port::Transaction> {
        const auto context = self->host_.expander_context(self->scope_);
        if (!context) return Error(Errc::not_found, "the integration is gone", self->scope_.integration.str());
        Evidence evidence;
        evidence.actor = "engine";
        Decision decision(reader, *context, evidence, self->ports_.random, self->ports_.clock.wall());
        decision.record("work.failed", {{"group", group.str()}, {"work", id.str()}, {"reason", why}});
        return decision.take();
      },
      [self](Result<port::Committed> done) {
        if (done) self->host_.expander_committed(self->scope_);
        self->finished(true);
      });
}

Result<port::Transaction> Expander::decide_dues(port::Reader& reader, const std::vector<port::DueRow>& dues,
                                                const std::string& held) {
  const auto context = host_.expander_context(scope_);
  if (!context) return Error(Errc::not_found, "the integration is gone", scope_.integration.str());
  Evidence evidence;
  evidence.actor = "rule:R14";
  evidence.source = "engine";
  evidence.at = ports_.clock.wall();
  Decision decision(reader, *context, evidence, ports_.random, ports_.clock.wall());
  auto otherwise = held.empty() ? Judging::reserve : Judging::hold;
  if (context->policy.guard.enabled && otherwise == Judging::reserve) {
    DEPROV_TRY(open, reader.open_hold(scope_));
    if (open) otherwise = Judging::hold;
  }
  for (const auto& due : dues) {
    // Who was kept until now loses the account by the rule that kept it.
    evidence.actor = "rule:R14";
    if (due.kind == retained_kind) {
      const auto kept = policy::parse_retention(due.payload);
      const bool decided = kept && kept->kind == policy::Retention::Kind::kept_by_decision;
      evidence.actor = decided ? "rule:R7" : "rule:R9";
    }
    decision.judge(otherwise, held);
    DEPROV_CHECK(due.kind == retained_kind ? decision.reconsider(due) : decision.settle(due, otherwise, held));
  }
  return decision.take();
}

void Expander::work(port::WorkRow row) {
  auto self = shared_from_this();
  auto piece = std::make_shared<Piece>();
  if (row.kind == "members") {
    if (steps_of_ != row.id || !steps_) {
      auto steps = decode_members(row.payload, row.group);
      if (!steps) return set_aside(row, steps.error());
      steps_ = std::make_shared<const std::vector<MemberStep>>(std::move(*steps));
      steps_of_ = row.id;
    }
    piece->steps = steps_;
    row.payload.clear();
  }
  piece->row = std::move(row);
  piece->take_verdict();
  if (wants_judging(*piece)) return count(*piece);
  carry_out(piece);
}

void Expander::carry_out(const std::shared_ptr<Piece>& piece) {
  auto self = shared_from_this();
  host_.expander_decide(
      [self, piece](port::Reader& reader) {
        if (piece->row.kind == hold_work) return self->decide_hold(reader, *piece);
        if (piece->row.kind == source_work) return self->decide_source(reader, *piece);
        return piece->steps ? self->decide_members(reader, *piece) : self->decide_reevaluation(reader, *piece);
      },
      [self, piece](Result<port::Committed> done) {
        if (!done) {
          if (stays(done.error())) return self->set_aside(piece->row, done.error());
          // Refused, and not judged as a whole yet: groups that entitle nobody may still end what was kept (R7).
          if (done.error().code() == Errc::held_by_guard && piece->verdict.empty()) return self->count(*piece);
          // Refused, for what changed since it was judged: that waits, and the rest goes on.
          if (done.error().code() == Errc::held_by_guard && piece->goes_beyond()) {
            piece->left.beyond_waits = true;
            return self->carry_out(piece);
          }
          self->arm(self->ports_.clock.wall() + std::chrono::seconds(1));
          return self->finished(false);
        }
        self->host_.expander_committed(self->scope_);
        if (!piece->doubted.empty()) self->host_.expander_doubted(self->scope_, std::exchange(piece->doubted, {}));
        if (piece->over) {
          self->steps_.reset();
          self->steps_of_ = {};
          return self->finished(true);
        }
        // The next piece of the same work, without reading its payload again; others get their turn in between.
        ++piece->row.version;
        piece->row.cursor = piece->cursor;  // with the verdict
        piece->row.done = piece->done;
        self->ports_.executor.post([self, piece] {
          if (self->stopping_) return self->finished(false);
          auto next = piece->row;
          self->work(std::move(next));
        });
      });
}

Result<port::Transaction> Expander::decide_members(port::Reader& reader, Piece& piece) {
  const auto context = host_.expander_context(scope_);
  if (!context) return Error(Errc::not_found, "the integration is gone", scope_.integration.str());
  Evidence evidence;
  evidence.actor = "idp:" + context->row.idp;
  evidence.source = "scim";
  evidence.at = piece.row.created;
  Decision decision(reader, *context, evidence, ports_.random, ports_.clock.wall());
  auto cursor = Cursor::parse(piece.row.cursor);
  const auto& steps = *piece.steps;
  piece.judge(decision, piece.row.total);
  std::size_t looked_at = 0;
  std::uint64_t done = piece.row.done;
  const auto group = piece.row.group;
  DEPROV_TRY(resource, reader.resource(scope_, group));
  const bool gone = !resource || resource->deleted;
  DEPROV_TRY(last_work, reader.last_work(scope_, group));
  if (last_work && piece.row.id < *last_work) decision.group_changed_since();
  // The store shows members as they were before this piece: one that a step of it changed waits for the next
  // piece.
  std::unordered_set<ResourceId> changed;
  bool full = false;
  while (!gone && !full && cursor.step < steps.size() && looked_at < piece_) {
    const auto& step = steps[cursor.step];
    if (step.kind == MemberStep::Kind::replace && !cursor.second_pass) {
      if (!changed.empty() && cursor.last.empty()) break;
      // Who is a member now and not in the list leaves.
      const auto after = ResourceId::parse(cursor.last);
      const auto want = piece_ - looked_at;
      DEPROV_TRY(page, reader.members(scope_, group, after, want));
      for (const auto& m : page.rows) {
        const bool stays = std::binary_search(
            step.members.begin(), step.members.end(), m,
            [](const port::MemberRow& a, const port::MemberRow& b) { return a.member < b.member; });
        if (!stays) {
          changed.insert(m.member);
          DEPROV_CHECK(decision.member_changed(m, false));
        }
        cursor.last = m.member.str();
      }
      looked_at += page.rows.size();
      done += page.rows.size();
      if (!page.more) {
        cursor.second_pass = true;
        cursor.last.clear();
      }
      continue;
    }
    std::size_t i = 0;
    std::from_chars(cursor.last.data(), cursor.last.data() + cursor.last.size(), i);
    const bool name = step.kind == MemberStep::Kind::name;
    const bool add = !name && step.kind != MemberStep::Kind::remove;
    for (; i < step.members.size() && looked_at < piece_; ++i, ++looked_at, ++done) {
      if (changed.contains(step.members[i].member)) {
        full = true;
        break;
      }
      const auto& m = step.members[i];
      DEPROV_TRY(now, reader.member(scope_, group, m.member));
      if (name || now.has_value() == add) {
        const auto* said = said_display(step, m);
        if (!now || said == nullptr || now->display == *said) continue;
        changed.insert(m.member);
        decision.transaction().ops.emplace_back(port::op::NameMember{scope_, group, m.member, *said});
        continue;
      }
      changed.insert(m.member);
      DEPROV_CHECK(decision.member_changed(m, add));
    }
    cursor.last = std::to_string(i);
    if (i >= step.members.size()) {
      ++cursor.step;
      cursor.second_pass = false;
      cursor.last.clear();
    }
  }
  piece.over = gone || cursor.step >= steps.size();
  piece.cursor = piece.verdict_after(decision) + cursor.str();
  piece.done = done;
  auto& txn = decision.transaction();
  if (piece.over) {
    decision.record("group.members_done",
                    {{"group", group.str()}, {"work", piece.row.id.str()}, {"looked_at", done}});
    txn.ops.emplace_back(port::op::RemoveWork{scope_, piece.row.id});
  } else {
    txn.ops.emplace_back(port::op::AdvanceWork{scope_, piece.row.id, piece.row.version, piece.cursor, done});
  }
  return decision.take();
}

Result<port::Transaction> Expander::decide_reevaluation(port::Reader& reader, Piece& piece) {
  const auto context = host_.expander_context(scope_);
  if (!context) return Error(Errc::not_found, "the integration is gone", scope_.integration.str());
  boost::system::error_code ec;
  const auto payload = json::parse(piece.row.payload, ec);
  const json::object empty;
  const auto& o = payload.is_object() ? payload.get_object() : empty;
  Evidence evidence;
  evidence.actor = text_of(o, "actor");
  evidence.request = text_of(o, "request");
  evidence.source = "scim";
  evidence.at = piece.row.created;
  const auto cause = idp::parse_cause(text_of(o, "cause")).value_or(idp::Cause::lost_entitling_group);
  const auto* joined = o.if_contains("gained");
  const bool gained = joined != nullptr && joined->is_bool() && joined->get_bool();
  Decision decision(reader, *context, evidence, ports_.random, ports_.clock.wall());
  const auto group = piece.row.group;
  auto above = ids_of(o, "above");
  above.push_back(group);
  DEPROV_TRY(resource, reader.resource(scope_, group));
  const bool deleted = !resource || resource->deleted;
  const auto after = ResourceId::parse(piece.row.cursor);
  DEPROV_TRY(page, reader.members(scope_, group, after, piece_));
  piece.judge(decision, piece.row.total);
  auto& txn = decision.transaction();
  for (const auto& m : page.rows) {
    if (deleted) {
      // The rows of a deleted group count for nothing; each goes with the decision about its member.
      DEPROV_CHECK(decision.member_lost_group(m, cause, above));
    } else if (m.member_is_group) {
      DEPROV_CHECK(decision.nested_changed(m.member, cause, above, gained));
    } else {
      DEPROV_CHECK(decision.evaluate(m.member, cause, group, piece.row.created, false, gained));
    }
  }
  piece.cursor =
      piece.verdict_after(decision) + (page.rows.empty() ? std::string{} : page.rows.back().member.str());
  piece.done = piece.row.done + page.rows.size();
  piece.over = !page.more;
  if (piece.over) {
    txn.ops.emplace_back(port::op::RemoveWork{scope_, piece.row.id});
  } else {
    txn.ops.emplace_back(port::op::AdvanceWork{scope_, piece.row.id, piece.row.version, piece.cursor, piece.done});
  }
  return decision.take();
}

}  // namespace deprov::engine
