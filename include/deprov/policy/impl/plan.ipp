#pragma once
#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/policy/plan.hpp>
#include <utility>

namespace deprov::policy {

namespace detail {
inline constexpr std::array<std::string_view, 8> step_states{"pending", "sent",    "accepted", "done",
                                                             "already", "skipped", "failed",   "observed"};
inline constexpr std::array<std::string_view, 3> step_kinds{"find", "call", "verify"};

template <class E, std::size_t N>
bool parse_word(const std::array<std::string_view, N>& words, const json::value* v, E& out) {
  if (v == nullptr || !v->is_string()) return false;
  for (std::size_t i = 0; i < N; ++i) {
    if (words[i] == std::string_view(v->get_string())) {
      out = static_cast<E>(i);
      return true;
    }
  }
  return false;
}

inline Step make_step(StepKind kind, connector::Operation operation) {
  Step s;
  s.kind = kind;
  s.operation = operation;
  return s;
}
}  // namespace detail

DEPROV_INLINE std::string_view step_name(const Step& step) noexcept {
  return step_name(step.operation, step.delete_account);
}

DEPROV_INLINE std::string_view to_string(StepState s) noexcept {
  return detail::step_states[static_cast<std::size_t>(s)];
}

DEPROV_INLINE std::optional<std::size_t> Plan::next() const noexcept {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto s = steps[i].state;
    if (s == StepState::pending || s == StepState::sent || s == StepState::accepted) return i;
  }
  return std::nullopt;
}

DEPROV_INLINE bool Plan::acted() const noexcept {
  for (const auto& s : steps) {
    if (s.kind != StepKind::call) continue;
    if (s.state == StepState::sent || s.state == StepState::accepted || s.state == StepState::done) return true;
  }
  return false;
}

DEPROV_INLINE bool Plan::is_final() const noexcept {
  return std::any_of(steps.begin(), steps.end(),
                     [](const Step& s) { return s.kind == StepKind::call && is_irreversible(s.operation); });
}

DEPROV_INLINE Plan plan_removal(const Policy& policy, idp::Cause cause, const connector::Description& app) {
  using connector::Operation;
  Plan plan;
  plan.steps.push_back(detail::make_step(StepKind::find, Operation::find));
  auto rules = policy.steps_for(cause);
  const auto lasting = std::stable_partition(rules.begin(), rules.end(),
                                             [](const StepRule& r) { return !is_irreversible(r.operation); });
  if (app.revoke_before_disable) {
    std::stable_partition(rules.begin(), lasting,
                          [](const StepRule& r) { return r.operation == Operation::revoke_sessions; });
  }
  const auto add = [&](const StepRule& rule) {
    if (!app.of(rule.operation).supported) return;
    auto step = detail::make_step(StepKind::call, rule.operation);
    step.delete_account = rule.delete_account;
    step.grace = rule.grace;
    if (const auto* approval = approval_for(policy.approvals, cause, step_name(step))) {
      step.approval = approval->role;
      step.approval_expires = approval->expires;
    }
    plan.steps.push_back(std::move(step));
  };
  std::for_each(rules.begin(), lasting, add);
  // Only a disable can be seen on the account.
  if (std::any_of(rules.begin(), lasting, [](const StepRule& r) { return r.operation == Operation::disable; }))
    plan.steps.push_back(detail::make_step(StepKind::verify, Operation::read));
  std::for_each(lasting, rules.end(), add);
  if (const auto& last = plan.steps.back();
      last.kind == StepKind::call && last.operation == Operation::remove && app.of(Operation::read).supported &&
      app.of(Operation::remove).verification == connector::Verification::read) {
    auto gone = detail::make_step(StepKind::verify, Operation::remove);
    gone.delete_account = last.delete_account;
    plan.steps.push_back(std::move(gone));
  }
  return plan;
}

DEPROV_INLINE Plan plan_restore(const connector::Description& app) {
  using connector::Operation;
  Plan plan;
  if (app.of(Operation::enable).supported)
    plan.steps.push_back(detail::make_step(StepKind::call, Operation::enable));
  plan.steps.push_back(detail::make_step(StepKind::verify, Operation::read));
  return plan;
}

DEPROV_INLINE Plan plan_bind() {
  Plan plan;
  plan.steps.push_back(detail::make_step(StepKind::find, connector::Operation::find));
  return plan;
}

DEPROV_INLINE Plan plan_role_change() {
  Plan plan;
  plan.steps.push_back(detail::make_step(StepKind::find, connector::Operation::find));
  plan.steps.push_back(detail::make_step(StepKind::find, connector::Operation::list_entitlements));
  return plan;
}

DEPROV_INLINE std::string to_text(const Plan& plan) {
  json::array steps;
  steps.reserve(plan.steps.size());
  for (const auto& s : plan.steps) {
    json::object o;
    o["kind"] = detail::step_kinds[static_cast<std::size_t>(s.kind)];
    o["operation"] = connector::to_string(s.operation);
    o["state"] = to_string(s.state);
    if (s.attempts != 0) {
      o["attempts"] = s.attempts;
      o["outcome"] = connector::to_string(s.outcome);
    }
    if (s.grace.count() != 0) o["grace_ms"] = s.grace.count() / 1000;
    if (!s.handle.empty()) o["handle"] = s.handle;
    if (!s.detail.empty()) o["detail"] = s.detail;
    if (s.ask) o["ask"] = true;
    if (s.delete_account) o["delete_account"] = true;
    if (!s.entitlement.empty()) o["entitlement"] = s.entitlement;
    if (s.not_before.micros != 0) o["not_before"] = to_rfc3339(s.not_before);
    if (!s.approval.empty()) {
      o["approval"] = s.approval;
      o["approval_expires_ms"] = s.approval_expires.count() / 1000;
      if (s.approved_until.micros != 0) o["approved_until"] = to_rfc3339(s.approved_until);
    }
    steps.emplace_back(std::move(o));
  }
  json::object out{{"steps", std::move(steps)}};
  if (plan.secured.micros != 0) out["secured"] = to_rfc3339(plan.secured);
  if (plan.uncounted) out["uncounted"] = true;
  if (plan.late_waits) out["late_waits"] = true;
  if (!plan.role.empty()) out["role"] = plan.role;
  return json::serialize(out);
}

DEPROV_INLINE Result<Plan> parse_plan(std::string_view text) {
  const auto bad = [] {
    return Error(Errc::store_corrupt, "the stored plan of a job does not parse", "plan",
                 "restore the store from a backup");
  };
  boost::system::error_code ec;
  const auto value = json::parse(text, ec);
  if (ec || !value.is_object()) return bad();
  const auto* steps = value.get_object().if_contains("steps");
  if (steps == nullptr || !steps->is_array()) return bad();
  const auto time = [](const json::object& o, const char* name) {
    const auto* t = o.if_contains(name);
    if (t == nullptr || !t->is_string()) return WallTime{};
    const auto parsed = parse_rfc3339(t->get_string());
    return parsed ? *parsed : WallTime{};
  };
  Plan plan;
  plan.secured = time(value.get_object(), "secured");
  const auto flag = [&](const char* name) {
    const auto* f = value.get_object().if_contains(name);
    return f != nullptr && f->is_bool() && f->get_bool();
  };
  plan.uncounted = flag("uncounted");
  plan.late_waits = flag("late_waits");
  if (const auto* role = value.get_object().if_contains("role"); role != nullptr && role->is_string())
    plan.role = std::string(role->get_string());
  plan.steps.reserve(steps->get_array().size());
  for (const auto& v : steps->get_array()) {
    const auto* o = v.if_object();
    if (o == nullptr) return bad();
    Step s;
    if (!detail::parse_word(detail::step_kinds, o->if_contains("kind"), s.kind) ||
        !detail::parse_word(detail::step_states, o->if_contains("state"), s.state))
      return bad();
    const auto* op = o->if_contains("operation");
    const auto parsed =
        op != nullptr && op->is_string() ? connector::parse_operation(op->get_string()) : std::nullopt;
    if (!parsed) return bad();
    s.operation = *parsed;
    const auto number = [&](const char* name) -> std::int64_t {
      const auto* n = o->if_contains(name);
      return n != nullptr && n->is_int64() ? n->get_int64() : 0;
    };
    const auto word = [&](const char* name) {
      const auto* w = o->if_contains(name);
      return w != nullptr && w->is_string() ? std::string(w->get_string()) : std::string{};
    };
    s.attempts = static_cast<std::uint32_t>(number("attempts"));
    s.outcome = connector::parse_outcome(word("outcome")).value_or(connector::Outcome::ok);
    s.grace = std::chrono::milliseconds(number("grace_ms"));
    s.handle = word("handle");
    s.detail = word("detail");
    const auto* ask = o->if_contains("ask");
    s.ask = ask != nullptr && ask->is_bool() && ask->get_bool();
    const auto* deletes = o->if_contains("delete_account");
    s.delete_account = deletes != nullptr && deletes->is_bool() && deletes->get_bool();
    s.entitlement = word("entitlement");
    s.not_before = time(*o, "not_before");
    s.approval = word("approval");
    s.approval_expires = std::chrono::milliseconds(number("approval_expires_ms"));
    s.approved_until = time(*o, "approved_until");
    plan.steps.push_back(std::move(s));
  }
  return plan;
}

}  // namespace deprov::policy
