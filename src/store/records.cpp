#include <array>
#include <deprov/port/records.hpp>
#include <utility>

namespace deprov::port {
namespace {

template <class E, std::size_t N>
using Names = std::array<std::pair<E, std::string_view>, N>;

template <class E, std::size_t N>
std::string_view name_of(const Names<E, N>& names, E value) noexcept {
  for (const auto& [v, name] : names)
    if (v == value) return name;
  return "unknown";
}

template <class E, std::size_t N>
std::optional<E> value_of(const Names<E, N>& names, std::string_view text) noexcept {
  for (const auto& [v, name] : names)
    if (name == text) return v;
  return std::nullopt;
}

constexpr Names<Role, 4> roles{{{Role::owner, "owner"},
                                {Role::super_admin, "super_admin"},
                                {Role::admin, "admin"},
                                {Role::member, "member"}}};

constexpr Names<JobState, 16> job_states{{{JobState::held, "held"},
                                          {JobState::awaiting_approval, "awaiting_approval"},
                                          {JobState::in_grace, "in_grace"},
                                          {JobState::ready, "ready"},
                                          {JobState::running, "running"},
                                          {JobState::waiting_async, "waiting_async"},
                                          {JobState::retrying, "retrying"},
                                          {JobState::succeeded_verified, "succeeded_verified"},
                                          {JobState::succeeded_unverified, "succeeded_unverified"},
                                          {JobState::succeeded_no_account, "succeeded_no_account"},
                                          {JobState::failed, "failed"},
                                          {JobState::dead, "dead"},
                                          {JobState::cancelled, "cancelled"},
                                          {JobState::superseded, "superseded"},
                                          {JobState::attested, "attested"},
                                          {JobState::observed, "observed"}}};

}  // namespace

std::string_view to_string(Role r) noexcept { return name_of(roles, r); }
std::optional<Role> parse_role(std::string_view text) noexcept { return value_of(roles, text); }

std::string_view to_string(IntegrationState s) noexcept {
  static constexpr Names<IntegrationState, 4> names{{{IntegrationState::active, "active"},
                                                     {IntegrationState::paused, "paused"},
                                                     {IntegrationState::deleted, "deleted"},
                                                     {IntegrationState::stopped, "stopped"}}};
  return name_of(names, s);
}

namespace {
constexpr Names<FindingKind, 6> finding_kinds{{{FindingKind::leftover, "leftover"},
                                               {FindingKind::drift, "drift"},
                                               {FindingKind::orphan, "orphan"},
                                               {FindingKind::missing_account, "missing_account"},
                                               {FindingKind::ambiguous, "ambiguous"},
                                               {FindingKind::retained, "retained"}}};
}  // namespace

namespace {
constexpr Names<DeliveryState, 3> delivery_states{
    {{DeliveryState::pending, "pending"}, {DeliveryState::delivered, "delivered"}, {DeliveryState::dead, "dead"}}};
}  // namespace

std::string_view to_string(DeliveryState s) noexcept { return name_of(delivery_states, s); }
std::optional<DeliveryState> parse_delivery_state(std::string_view text) noexcept {
  return value_of(delivery_states, text);
}

std::string_view to_string(FindingKind k) noexcept { return name_of(finding_kinds, k); }
std::optional<FindingKind> parse_finding_kind(std::string_view text) noexcept {
  return value_of(finding_kinds, text);
}

std::string_view to_string(Desired d) noexcept {
  static constexpr Names<Desired, 3> names{
      {{Desired::undecided, "undecided"}, {Desired::access, "access"}, {Desired::no_access, "no_access"}}};
  return name_of(names, d);
}

std::string_view to_string(BindingState s) noexcept {
  static constexpr Names<BindingState, 5> names{{{BindingState::unknown, "unknown"},
                                                 {BindingState::bound, "bound"},
                                                 {BindingState::absent, "absent"},
                                                 {BindingState::ambiguous, "ambiguous"},
                                                 {BindingState::removed, "removed"}}};
  return name_of(names, s);
}

std::string_view to_string(AccountState s) noexcept {
  static constexpr Names<AccountState, 4> names{{{AccountState::untouched, "untouched"},
                                                 {AccountState::disabled, "disabled"},
                                                 {AccountState::enabled, "enabled"},
                                                 {AccountState::removed, "removed"}}};
  return name_of(names, s);
}

std::string_view to_string(JobKind k) noexcept {
  static constexpr Names<JobKind, 5> names{{{JobKind::bind, "bind"},
                                            {JobKind::remove_access, "remove_access"},
                                            {JobKind::restore_access, "restore_access"},
                                            {JobKind::change_role, "change_role"},
                                            {JobKind::revoke_sessions, "revoke_sessions"}}};
  return name_of(names, k);
}

std::string_view to_string(HoldItemState s) noexcept {
  static constexpr Names<HoldItemState, 5> names{{{HoldItemState::held, "held"},
                                                  {HoldItemState::sent, "sent"},
                                                  {HoldItemState::allowed, "allowed"},
                                                  {HoldItemState::rejected, "rejected"},
                                                  {HoldItemState::left, "left"}}};
  return name_of(names, s);
}

std::string_view to_string(JobState s) noexcept { return name_of(job_states, s); }
std::optional<JobState> parse_job_state(std::string_view text) noexcept { return value_of(job_states, text); }
bool is_finished(JobState s) noexcept { return s >= JobState::succeeded_verified; }

}  // namespace deprov::port
