// What sources besides SCIM push say of a subject, merged with what is known of it (R2, R5, R16).
#include <algorithm>
#include <deprov/engine/events.hpp>
#include <deprov/idp/grants.hpp>
#include <iterator>
#include <utility>
#include "engine/decision.hpp"

namespace deprov::engine {

namespace {
constexpr std::size_t changes_looked_at = 50;

idp::Grants merged(const std::vector<port::GrantRow>& rows) {
  auto by_time = rows;
  std::stable_sort(by_time.begin(), by_time.end(), [](const auto& a, const auto& b) { return a.begun < b.begun; });
  idp::Grants grants;
  for (const auto& r : by_time) {
    idp::Statement s;
    s.source = r.source.str();
    s.says = r.says;
    s.reach = idp::Reach::whole;
    s.cause = r.cause;
    s.begun = r.begun;
    s.evidence_at = r.evidence_at;
    (void)grants.take(std::move(s));
  }
  return grants;
}

/// Somebody shows that the end was earlier than whoever showed it first knew: the clock runs from then (R20).
Result<void> ended_earlier(port::Reader& reader, port::SubjectRow& subject, WallTime at, port::Transaction& txn) {
  if (subject.desired != port::Desired::no_access || at.micros == 0 || at >= subject.evidence_at) return {};
  subject.evidence_at = at;
  if (subject.job.is_nil()) return {};
  DEPROV_TRY(job, reader.job(subject.scope, subject.job));
  // One that is being carried out is its lane's, and what is finished is told as it was.
  if (!job || port::is_finished(job->state) || job->state == port::JobState::running ||
      job->state == port::JobState::waiting_async || job->kind != port::JobKind::remove_access)
    return {};
  job->evidence_at = at;
  txn.ops.emplace_back(port::op::PutJob{std::move(*job), std::nullopt});
  return {};
}
}  // namespace

Result<std::vector<port::GrantRow>*> Decision::said_of(ResourceId subject) {
  auto it = said_.find(subject);
  if (it == said_.end()) {
    DEPROV_TRY(rows, reader_.grants(scope(), subject));
    it = said_.emplace(subject, std::move(rows)).first;
  }
  return &it->second;
}

Result<bool> Decision::ended_by_sources(ResourceId subject) {
  DEPROV_TRY(rows, said_of(subject));
  return !rows->empty() && merged(*rows).judge({}).access == idp::Access::ended;
}

/// Who has access again by what was shown later than the rows: what they say is no more. `asked` stay, and are put
/// again, for op::RemoveGrants takes all.
void Decision::forget_said(ResourceId subject, std::vector<port::GrantRow>& rows,
                           std::vector<port::GrantRow> asked) {
  txn_.ops.emplace_back(port::op::RemoveGrants{scope(), subject});
  for (const auto& row : asked) txn_.ops.emplace_back(port::op::PutGrant{row});
  rows = std::move(asked);
}

Result<bool> Decision::can_be_asked(SourceId source) {
  DEPROV_TRY(row, reader_.source(scope(), source));
  return row && row->kind != event_source_kind;
}

/// The IdP's own word, and later than what sources said: it counts at once (R16). Whoever of them said otherwise
/// is read again with its next round or list, and not this moment: what an IdP pushes its own API may show later.
/// That it is owed is stored.
Result<void> Decision::granted_by_push(ResourceId subject) {
  if (!context_.row.sources) return {};
  DEPROV_TRY(rows, said_of(subject));
  if (rows->empty()) return {};
  std::vector<port::GrantRow> asked;
  for (auto row : *rows) {
    if (row.says == idp::Says::granted) continue;
    DEPROV_TRY(can, can_be_asked(row.source));
    if (!can) continue;
    row.says = idp::Says::hint;
    row.cause = idp::Cause::none;
    row.begun = row.evidence_at = evidence_.at;
    asked.push_back(row);
  }
  forget_said(subject, *rows, std::move(asked));
  return {};
}

/// Of whom nothing but hints is known nothing changes: the source was read again, as its own hint asked for.
void Decision::hint_paid(const port::GrantRow& said, std::vector<port::GrantRow>& rows) {
  const auto own = std::find_if(rows.begin(), rows.end(), [&](const auto& r) { return r.source == said.source; });
  if (own == rows.end() || said.begun < own->begun) return;  // read before it was asked for
  txn_.ops.emplace_back(port::op::RemoveGrants{scope(), said.subject, said.source});
  rows.erase(own);
}

/// That its source is to be read again for somebody is stored; what it has said of them stays.
void Decision::owe(port::GrantRow said, std::vector<port::GrantRow>& rows) {
  if (std::any_of(rows.begin(), rows.end(), [&](const auto& r) { return r.source == said.source; })) return;
  said.says = idp::Says::hint;
  said.cause = idp::Cause::none;
  said.evidence_at = said.begun;
  rows.push_back(said);
  txn_.ops.emplace_back(port::op::PutGrant{std::move(said)});
}

Result<void> Decision::source_says(port::GrantRow said) {
  DEPROV_TRY(state, load(said.subject));
  if (!state.stored) return {};
  auto& s = state.subject;
  const auto told = told_.find(s.id);
  const bool again = told != told_.end();
  if (again) {  // an event before this one, in the same transaction, which the reader does not show
    s = told->second;
    state.had_access = s.access;
  }
  DEPROV_TRY(rows, said_of(s.id));
  if (said.says == idp::Says::hint) {
    owe(std::move(said), *rows);
    return {};
  }
  // Nobody says otherwise.
  const bool undisputed =
      std::all_of(rows->begin(), rows->end(), [](const auto& r) { return r.says == idp::Says::hint; });
  if (said.says == idp::Says::granted && undisputed) {
    hint_paid(said, *rows);
    return {};
  }
  if (said.says != idp::Says::granted) {
    // SCIM push showed access after this list was begun (R16).
    for (auto limit = changes_looked_at;; limit *= 4) {
      DEPROV_TRY(changes, reader_.changes(scope(), s.id, limit));  // the newest first
      const bool later = std::any_of(changes.begin(), changes.end(), [&](const port::ChangeRow& c) {
        return (c.kind == idp::ChangeKind::created || c.kind == idp::ChangeKind::reactivated) && c.at > said.begun;
      });
      if (later) {
        doubted_.push_back(s.id);
        // Its next list is like this one: only that it is owed another look makes it count.
        DEPROV_TRY(can, can_be_asked(said.source));
        if (can) owe(std::move(said), *rows);
        return {};
      }
      if (changes.size() < limit || changes.back().at <= said.begun) break;
    }
  }
  auto old = std::find_if(rows->begin(), rows->end(), [&](const auto& r) { return r.source == said.source; });
  if (old != rows->end()) {
    if (said.begun < old->begun) return {};
    // Who was suspended and is not listed any more has left: that is more than was known.
    const bool suspended = old->says == idp::Says::ended && old->cause == idp::Cause::suspended;
    if (said.says == idp::Says::absent && old->says == idp::Says::ended && !suspended) return {};
    const bool ends = old->says == idp::Says::ended || old->says == idp::Says::absent;
    if (said.says != idp::Says::granted && ends && !suspended)
      said.evidence_at = std::min(said.evidence_at, old->evidence_at);
    *old = said;
  } else {
    rows->push_back(said);
  }
  const auto verdict = merged(*rows).judge({});
  if (verdict.access == idp::Access::granted) {
    std::vector<port::GrantRow> asked;
    std::copy_if(rows->begin(), rows->end(), std::back_inserter(asked),
                 [](const auto& r) { return r.says == idp::Says::hint; });
    forget_said(s.id, *rows, std::move(asked));
  } else {
    txn_.ops.emplace_back(port::op::PutGrant{said});
  }
  const auto kind = said.says == idp::Says::granted          ? idp::ChangeKind::assigned
                    : said.says == idp::Says::absent         ? idp::ChangeKind::unassigned
                    : said.cause == idp::Cause::suspended    ? idp::ChangeKind::suspended
                    : said.cause == idp::Cause::soft_deleted ? idp::ChangeKind::soft_deleted
                                                             : idp::ChangeKind::deactivated;
  change(kind, s.id, {});
  DEPROV_TRY(access, has_access(state));
  if (!access) {
    bool was_kept = false;
    if (!again) {
      DEPROV_TRY(by_decision, kept(state));
      was_kept = by_decision;
    }
    const bool worse = said.says != idp::Says::granted && only_suspended(s) && said.cause != idp::Cause::suspended;
    if (s.access || was_kept || worse) {
      End end;
      end.cause = worse || verdict.cause == idp::Cause::none ? said.cause : verdict.cause;
      end.evidence_at = worse || verdict.evidence_at.micros == 0 ? said.evidence_at : verdict.evidence_at;
      DEPROV_CHECK(end_access(state, end));
      told_.insert_or_assign(s.id, s);
      return {};
    }
    if (said.says != idp::Says::granted) DEPROV_CHECK(ended_earlier(reader_, s, said.evidence_at, txn_));
    auto detail = evidence_json();
    detail["says"] = idp::to_string(said.says);
    detail["happened"] = to_rfc3339(said.evidence_at);
    record(said.says == idp::Says::granted ? "access.evidence" : "removal.evidence", detail, s.id);
    put(state);
    told_.insert_or_assign(s.id, s);
    return {};
  }
  const bool by_hand = s.cause == idp::Cause::manual && s.desired == port::Desired::no_access;
  if (!s.access && !by_hand) {
    DEPROV_CHECK(regain_access(state));
  } else {
    put(state);
  }
  told_.insert_or_assign(s.id, s);
  return {};
}

Result<std::optional<std::string>> Decision::frozen(ResourceId subject) {
  std::optional<std::string> none;
  DEPROV_TRY(rows, said_of(subject));
  if (rows->empty()) return none;
  std::string why;
  std::vector<std::string> failing;
  std::vector<port::GrantRow> standing;
  bool older = false;
  for (const auto& r : *rows) {
    if (r.says == idp::Says::hint) continue;
    if (r.says == idp::Says::granted) {
      standing.push_back(r);
      continue;
    }
    DEPROV_TRY(source, reader_.source(scope(), r.source));
    // A newer list is its last one already, and what it changes is not carried out yet: it may show access.
    if (source && !source->work.is_nil() && r.begun < source->begun) {
      older = true;
      if (why.empty())
        why = "a newer list of source \"" + source->name + "\", which it was inferred from, is being carried out";
      continue;
    }
    standing.push_back(r);
    if (r.says != idp::Says::absent || !source || source->failing_since.micros == 0) continue;
    failing.push_back(r.source.str());
    if (why.empty())
      why = "frozen: source \"" + source->name + "\", which it was inferred from, fails: " + source->failure;
  }
  if (failing.empty() && !older) return none;
  const auto fails = [&](std::string_view name) {
    return std::find(failing.begin(), failing.end(), name) != failing.end();
  };
  if (merged(standing).judge(fails).access == idp::Access::ended) return none;  // others show it, too
  DEPROV_TRY(row, reader_.resource(scope(), subject));
  if (!row || row->deleted || !row->active) return none;
  DEPROV_TRY(entitles, entitled(subject, {}));
  if (!entitles) return none;
  return std::optional(why.substr(0, 1000));
}

}  // namespace deprov::engine
