#pragma once
#include <algorithm>
#include <deprov/idp/grants.hpp>
#include <utility>

namespace deprov::idp {

DEPROV_INLINE std::string_view to_string(Says s) noexcept {
  switch (s) {
    case Says::granted: return "granted";
    case Says::ended: return "ended";
    case Says::absent: return "absent";
    case Says::hint: return "hint";
  }
  return "unknown";
}

DEPROV_INLINE bool Grants::take(Statement s) {
  if (s.says == Says::hint) {
    auto& at = hints_[s.source];
    at = std::max(at, s.begun);
    return true;
  }
  if (const auto old = last_.find(s.source); old != last_.end()) {
    const auto& before = old->second;
    if (s.begun < before.begun) return false;
    // Of one moment, the end stands: only a read begun later restores (R16).
    if (s.begun == before.begun && s.says == Says::granted && before.says != Says::granted) return false;
    if (s.says == Says::absent && before.says == Says::ended) return false;
    if (s.says != Says::granted && before.says != Says::granted)
      s.evidence_at = std::min(s.evidence_at, before.evidence_at);
  }
  auto& idp = idps_[s.idp];
  if (s.says == Says::granted) idp.granted = std::max(idp.granted, s.begun);
  if (s.says == Says::ended) idp.ended = std::max(idp.ended, s.begun);
  auto name = s.source;
  last_.insert_or_assign(std::move(name), std::move(s));
  return true;
}

DEPROV_INLINE void Grants::forget(std::string_view source, bool fails) {
  if (const auto i = hints_.find(source); i != hints_.end()) hints_.erase(i);
  const auto i = last_.find(source);
  if (i == last_.end()) return;
  const auto& s = i->second;
  auto& idp = idps_[s.idp];
  if (s.says == Says::granted || (s.says == Says::absent && fails)) {
    idp.kept = std::max(idp.kept, s.begun);
  } else if (s.says == Says::absent && s.reach == Reach::whole) {
    idp.ended = std::max(idp.ended, s.begun);
  }
  last_.erase(i);
}

DEPROV_INLINE Verdict Grants::judge(const std::function<bool(std::string_view)>& fails) const {
  Verdict verdict;
  struct Now {
    WallTime end;   ///< the latest that ends all earlier grants; 0: none
    WallTime kept;  ///< the latest that may be access, though nothing says so now
    bool own_end = false;
    bool stands = false;
  };
  std::map<std::string_view, Now> idps;
  for (const auto& [name, idp] : idps_) idps[name] = {idp.ended, idp.kept, false, false};
  for (const auto& [name, s] : last_) {
    auto& idp = idps[s.idp];
    if (s.says == Says::absent && fails && fails(name)) {
      verdict.frozen.push_back(name);
      idp.kept = std::max(idp.kept, s.begun);
    } else if (s.says == Says::absent && s.reach == Reach::whole) {
      idp.end = std::max(idp.end, s.begun);
    } else if (s.says == Says::absent) {
      idp.own_end = true;
    }
  }
  for (const auto& [name, s] : last_) {
    auto& idp = idps[s.idp];
    idp.stands = idp.stands || (s.says == Says::granted && idp.end < s.begun);
  }
  for (const auto& [source, at] : hints_) {
    const auto last = last_.find(source);
    // What was begun before the hint came may not have seen what it is about.
    if (last == last_.end() || last->second.begun <= at) verdict.reread.push_back(source);
  }
  bool kept = false;
  bool ended = false;
  for (const auto& [name, idp] : idps) {
    if (idp.stands) {
      verdict.access = Access::granted;
      return verdict;
    }
    if (idp.end < idp.kept) kept = true;
    ended = ended || idp.end.micros != 0 || idp.own_end;
  }
  if (kept || !ended) return verdict;
  verdict.access = Access::ended;
  for (const auto& [name, s] : last_) {
    if (s.says == Says::granted) continue;
    if (std::find(verdict.frozen.begin(), verdict.frozen.end(), name) != verdict.frozen.end()) continue;
    // What ended before access was last seen is another story.
    if (idps_.find(s.idp)->second.granted <= s.begun) verdict.evidence.push_back(s);
  }
  std::stable_sort(verdict.evidence.begin(), verdict.evidence.end(),
                   [](const Statement& a, const Statement& b) { return a.evidence_at < b.evidence_at; });
  const Statement* deciding = nullptr;
  for (const auto& s : verdict.evidence)
    if (deciding == nullptr || (deciding->says == Says::absent && s.says == Says::ended)) deciding = &s;
  if (deciding != nullptr) {
    verdict.cause = deciding->cause;
    verdict.evidence_at = verdict.evidence.front().evidence_at;
  }
  return verdict;
}

}  // namespace deprov::idp
