#pragma once
#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/policy/plan.hpp>
#include <utility>

namespace deprov::policy {

namespace detail {
inline constexpr std::array<std::string_view, 7> step_states{"pending", "sent",    "accepted", "done",
                                                             "already", "skipped", "failed"};
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
}  // namespace detail

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

DEPROV_INLINE Plan plan_removal(const Policy& policy, idp::Cause cause, const connector::Description& app) {
  using connector::Operation;
  Plan plan;
  plan.steps.push_back({StepKind::find, Operation::find, {}, 0, {}, {}, {}, {}});
  std::vector<Operation> ops = policy.steps_for(cause);
  if (app.revoke_before_disable) {
    std::stable_partition(ops.begin(), ops.end(), [](Operation o) { return o == Operation::revoke_sessions; });
  }
  for (const auto op : ops)
    if (app.of(op).supported) plan.steps.push_back({StepKind::call, op, {}, 0, {}, {}, {}, {}});
  // Only a disable can be seen on the account.
  if (std::find(ops.begin(), ops.end(), Operation::disable) != ops.end())
    plan.steps.push_back({StepKind::verify, Operation::read, {}, 0, {}, {}, {}, {}});
  return plan;
}

DEPROV_INLINE Plan plan_restore(const connector::Description& app) {
  using connector::Operation;
  Plan plan;
  if (app.of(Operation::enable).supported)
    plan.steps.push_back({StepKind::call, Operation::enable, {}, 0, {}, {}, {}, {}});
  plan.steps.push_back({StepKind::verify, Operation::read, {}, 0, {}, {}, {}, {}});
  return plan;
}

DEPROV_INLINE Plan plan_bind() {
  Plan plan;
  plan.steps.push_back({StepKind::find, connector::Operation::find, {}, 0, {}, {}, {}, {}});
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
    steps.emplace_back(std::move(o));
  }
  return json::serialize(json::object{{"steps", std::move(steps)}});
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
  Plan plan;
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
    plan.steps.push_back(std::move(s));
  }
  return plan;
}

}  // namespace deprov::policy
