#include "sim/script.hpp"
#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <cstdio>
#include <deprov/time.hpp>
#include "sim/rng.hpp"

namespace deprov::test::sim {

namespace {

constexpr std::array<std::string_view, kind_count> names{
    "join",         "leave",      "come_back",     "erase",        "rehire",      "rename",      "enter",
    "quit",         "quit_all",   "move",          "group_make",   "group_erase", "group_empty", "group_replace",
    "group_rename", "group_nest", "feed",          "echo",         "stale",       "race",        "outage",
    "weather",      "sunshine",   "by_hand",       "app_login",    "drop",        "fetch",       "fog",
    "disk",         "crash",      "crash_at_sent", "crash_at_app", "clock",       "allow",       "allow_one",
    "reject",       "approve",    "pause",         "stop",         "stop_all",    "retry",       "cancel",
    "attest",       "offboard",   "rebind",        "poll",         "reconcile"};

struct Weight {
  Kind kind;
  std::uint32_t weight;
};
constexpr std::array<Weight, kind_count> weights{{
    {Kind::join, 30},         {Kind::leave, 120},        {Kind::come_back, 70},    {Kind::erase, 35},
    {Kind::rehire, 30},       {Kind::rename, 15},        {Kind::enter, 50},        {Kind::quit, 60},
    {Kind::quit_all, 40},     {Kind::move, 30},          {Kind::group_make, 15},   {Kind::group_erase, 20},
    {Kind::group_empty, 20},  {Kind::group_replace, 25}, {Kind::group_rename, 20}, {Kind::group_nest, 20},
    {Kind::feed, 25},         {Kind::echo, 25},          {Kind::stale, 15},        {Kind::race, 20},
    {Kind::outage, 20},       {Kind::weather, 90},       {Kind::sunshine, 20},     {Kind::by_hand, 25},
    {Kind::app_login, 6},     {Kind::disk, 45},          {Kind::crash, 60},        {Kind::crash_at_sent, 25},
    {Kind::crash_at_app, 25}, {Kind::clock, 10},         {Kind::allow, 30},        {Kind::allow_one, 15},
    {Kind::reject, 15},       {Kind::approve, 20},       {Kind::pause, 12},        {Kind::stop, 15},
    {Kind::stop_all, 8},      {Kind::retry, 20},         {Kind::cancel, 8},        {Kind::attest, 6},
    {Kind::offboard, 10},     {Kind::rebind, 8},         {Kind::drop, 0},          {Kind::fetch, 0},
    {Kind::fog, 0},           {Kind::poll, 0},           {Kind::reconcile, 10},
}};

json::array groups_named(std::uint32_t n) {
  json::array list;
  for (std::uint32_t i = 0; i < n; ++i) list.push_back(json::object{{"display_name", "g" + std::to_string(i)}});
  return list;
}

void write_policy(AppPlan& p, Rng& r) {
  auto& o = p.policy;
  if (p.entitling != 0) o["entitling_groups"] = groups_named(p.entitling);
  constexpr std::array<std::int64_t, 3> settles{0, 10'000, 60'000};
  p.settle_ms = settles[r.below(3)];
  o["settle_ms"] = p.settle_ms;
  o["deadline_ms"] = 6 * 3'600'000;
  o["retry"] = json::object{{"base_ms", 500}, {"ceiling_ms", 60'000}};
  o["breaker"] = json::object{{"failures", r.between(3, 20)}, {"open_ms", 5'000}, {"open_max_ms", 60'000}};
  if (r.permille(300)) o["lane"] = json::object{{"start_concurrency", 1}, {"max_concurrency", r.between(1, 4)}};
  p.guard = r.permille(650);
  json::object guard{{"enabled", p.guard}};
  if (r.permille(400)) {
    guard["absolute"] = r.between(1, 4);
    guard["small"] = json::object{{"below", 0}};
    guard["percent"] = 100;
    guard["group"] = json::object{{"percent", 50}, {"least", r.between(2, 10)}};
  }
  o["guard"] = std::move(guard);
  if (r.permille(200)) {
    p.protects = r.permille(600);
    p.exempts = !p.protects;
    p.guarded_user = r.below(p.users);
  }
  if (p.protects) {
    o["protection"] = json::object{
        {"subjects", json::array{json::object{{"external_id", "ext-" + std::to_string(p.guarded_user) + "-0"},
                                              {"reason", "must not be locked out"}}}}};
  }
  if (p.exempts) {
    p.exempt_ms = r.between(60, 1800) * std::int64_t{1000};
    const WallTime start{1'767'225'600'000'000};
    o["exemptions"] =
        json::array{json::object{{"external_id", "ext-" + std::to_string(p.guarded_user) + "-0"},
                                 {"reason", "on leave"},
                                 {"until", to_rfc3339(start + std::chrono::milliseconds(p.exempt_ms))}}};
  }
  if (r.permille(350)) {
    p.deletes = r.permille(500);
    p.removes = !p.deletes;
    p.grace_ms = r.between(1, 10) * std::int64_t{60'000};
    const json::object last{{"step", p.deletes ? "delete" : "remove"}, {"after_ms", p.grace_ms}};
    json::object causes;
    for (const char* cause : {"deactivated", "hard_deleted", "lost_entitling_group"})
      causes[cause] = json::array{"disable", "revoke_sessions", last};
    o["causes"] = std::move(causes);
    p.approves = r.permille(300);
    if (p.approves)
      o["approvals"] =
          json::array{json::object{{"steps", json::array{"delete", "remove"}}, {"expires_ms", 1'800'000}}};
  }
  if (p.groups > 1 && r.permille(150)) {
    p.roles = true;
    json::array roles;
    for (std::uint32_t i = 0; i < p.groups; ++i)
      roles.push_back(json::object{{"group", json::object{{"display_name", "g" + std::to_string(i)}}},
                                   {"entitlement", "role-" + std::to_string(i)},
                                   {"rank", 10 + i}});
    o["roles"] = std::move(roles);
  }
  p.observe = r.permille(30);
  if (p.observe) o["mode"] = "observe";
}

AppPlan write_app(Rng& r, bool crowd) {
  AppPlan p;
  p.idp = r.permille(500) ? "okta" : "entra";
  p.users = crowd ? 64 : r.between(2, 9);
  p.groups = r.below(4);
  p.entitling = p.groups != 0 && r.permille(700) ? r.between(1, p.groups) : 0;
  p.readable = !r.permille(80);
  p.listable = p.readable && !r.permille(150);
  p.idempotent = !r.permille(150);
  p.asynchronous = r.permille(150);
  p.revoke_first = r.permille(150);
  if (r.permille(200)) p.lag_ms = r.between(1, 30) * std::int64_t{1000};
  p.strangers = r.below(3);
  p.missing = r.permille(200) ? 300 : 30;
  p.doubles = r.permille(100) ? 200 : 0;
  write_policy(p, r);
  return p;
}

/// What several engines on one store are told at one moment: somebody stops or pauses while people leave.
void write_conflicts(Script& s, std::int64_t last) {
  Rng r(s.seed, 3);
  if (r.permille(300)) s.engines = 3;
  constexpr std::array<Kind, 3> halts{Kind::pause, Kind::stop, Kind::stop_all};
  const auto apps = static_cast<std::uint32_t>(s.apps.size());
  for (auto bursts = r.between(1, 2); bursts > 0; --bursts) {
    const auto at = std::int64_t{r.below(static_cast<std::uint32_t>(last / 1000) + 60)} * 1000;
    const auto app = r.below(apps);
    s.events.push_back({at + r.below(300), halts[r.below(3)], app, r.between(5, 120), 0});
    for (int i = 0; i < 4; ++i)
      s.events.push_back(
          {at + r.below(400), r.permille(600) ? Kind::leave : Kind::quit_all, app, r.below(600), r.below(100)});
  }
}

/// Some IdPs are polled besides: people leave the directory and no push says so, and its answers are bad.
void write_polls(Script& s, std::int64_t last) {
  Rng r(s.seed, 4);
  for (std::uint32_t i = 0; i < s.apps.size(); ++i) {
    auto& plan = s.apps[i];
    if (!r.permille(200)) continue;
    plan.polled = r.permille(500) ? r.between(1, 2) : plan.idp == "okta" ? 3 : 4;
    const auto span = static_cast<std::uint32_t>(last / 1000) + 3600;
    for (auto n = r.between(3, 9); n > 0; --n) {
      constexpr std::array<Kind, 10> kinds{Kind::drop, Kind::drop, Kind::drop, Kind::fetch, Kind::fetch,
                                           Kind::fog,  Kind::fog,  Kind::fog,  Kind::fog,   Kind::poll};
      const auto kind = kinds.at(r.below(kinds.size()));
      const auto a = kind == Kind::fog ? r.between(60, 1800) : r.below(600);
      s.events.push_back({std::int64_t{r.below(span)} * 1000, kind, i, a, r.below(100)});
    }
  }
  std::stable_sort(s.events.begin(), s.events.end(),
                   [](const Event& x, const Event& y) { return x.at_ms < y.at_ms; });
}

}  // namespace

std::string_view to_string(Kind k) noexcept { return names[static_cast<std::size_t>(k)]; }

std::string to_text(const Event& e) {
  std::array<char, 160> text{};
  (void)std::snprintf(text.data(), text.size(), "%10.3f s  %-13s app %u (%u, %u)",
                      static_cast<double>(e.at_ms) / 1000.0, std::string(to_string(e.kind)).c_str(), e.app, e.a,
                      e.b);
  return text.data();
}

Script write_script(std::uint64_t seed) {
  Script s;
  s.seed = seed;
  Rng r(seed, 1);
  const bool crowd = r.permille(10);
  s.engines = r.permille(150) ? 2 : 1;
  const std::uint32_t apps = !crowd && r.permille(200) ? 2 : 1;
  if (r.permille(300)) s.inline_members = r.between(1, 3);
  if (r.permille(300)) s.piece = r.between(1, 3);
  if (r.permille(200)) s.lane_window = r.between(2, 6);
  for (std::uint32_t i = 0; i < apps; ++i) s.apps.push_back(write_app(r, crowd));
  std::uint32_t sum = 0;
  for (const auto& w : weights) sum += w.weight;
  const auto count = crowd ? r.between(3, 8) : r.between(4, 22);
  // Bursts, in which things happen at one moment, and time between them.
  std::int64_t at = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto gap = r.below(10);
    if (gap >= 8) {
      at += r.between(60, 900) * std::int64_t{1000};
    } else if (gap >= 5) {
      at += r.between(1, 60) * std::int64_t{1000};
    } else if (gap >= 3) {
      at += r.between(1, 200);
    }
    Event e;
    e.at_ms = at;
    auto pick = r.below(sum);
    for (const auto& w : weights) {
      e.kind = w.kind;
      if (pick < w.weight) break;
      pick -= w.weight;
    }
    if (crowd && i == 0) e.kind = Kind::feed;
    e.app = r.below(apps);
    e.a = r.below(600);
    e.b = r.below(100);
    s.events.push_back(e);
  }
  if (s.engines > 1) write_conflicts(s, at);
  write_polls(s, at);
  return s;
}

}  // namespace deprov::test::sim
