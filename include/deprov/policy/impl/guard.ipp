#pragma once
#include <algorithm>
#include <boost/json/parse.hpp>
#include <cmath>
#include <deprov/policy/guard.hpp>

namespace deprov::policy {

namespace detail {
// Whole subjects: 20 percent of 14 are two. A tiny slack takes the rounding of doubles away.
inline std::uint64_t share_of(std::uint64_t n, double percent) noexcept {
  if (percent >= 100) return no_limit;  // everybody may
  const double share = std::floor(static_cast<double>(n) * percent / 100.0 + 1e-9);
  return share >= 1e18 ? std::uint64_t{1'000'000'000'000'000'000} : static_cast<std::uint64_t>(share);
}
}  // namespace detail

DEPROV_INLINE std::uint64_t guard_limit(const Guard& guard, std::uint64_t base) noexcept {
  if (!guard.enabled) return no_limit;
  const auto share = base < guard.small.below
                         ? std::max(guard.small.least, detail::share_of(base, guard.small.percent))
                         : detail::share_of(base, guard.percent);
  return std::min(share, guard.absolute);
}

DEPROV_INLINE std::uint64_t removal_limit(const Guard& guard, std::uint64_t base) noexcept {
  if (!guard.enabled) return no_limit;
  const auto limit = guard_limit(guard, base);
  return std::min(limit, detail::share_of(limit, guard.removal_percent));
}

DEPROV_INLINE std::uint64_t group_limit(const Guard& guard, std::uint64_t members) noexcept {
  if (!guard.enabled) return no_limit;
  return std::max(detail::share_of(members, guard.group.percent),
                  guard.group.least == 0 ? std::uint64_t{0} : guard.group.least - 1);
}

DEPROV_INLINE bool needs_base(const Guard& guard) noexcept {
  return guard.enabled && (guard.percent < 100 || guard.small.below != 0);
}

DEPROV_INLINE GuardBase guard_base(const std::vector<PopulationStep>& steps, std::int64_t minute,
                                   std::uint64_t lost_hour, std::uint64_t lost_day) noexcept {
  GuardBase base;
  base.lasting = true;
  const auto began = [&](std::int64_t minutes, std::uint64_t lost) {
    std::int64_t then = 0;
    std::int64_t most = 0;
    std::int64_t now = 0;
    for (const auto& s : steps) {
      now += s.delta;
      if (s.minute <= minute - minutes) then = now;
      most = std::max(most, now);
    }
    if (then > 0) return static_cast<std::uint64_t>(then);
    base.lasting = false;
    // Gains and losses of one minute are one step: what was lost is added again.
    return std::max(static_cast<std::uint64_t>(most),
                    static_cast<std::uint64_t>(std::max<std::int64_t>(now, 0)) + lost);
  };
  base.hour = began(60, lost_hour);
  base.day = began(1440, lost_day);
  return base;
}

DEPROV_INLINE const json::value& guard_schema() {
  static const json::value schema = json::parse(R"json({
    "description": "How many subjects may lose access before a person is asked (R7), in 60 minutes and in 24 hours: percent of those that had access when the window began, or absolute, whichever comes first.",
    "type": "object", "additionalProperties": false,
    "properties": {
      "enabled": {"type": "boolean"},
      "percent": {"type": "number", "minimum": 0, "maximum": 100},
      "absolute": {"type": "integer", "minimum": 0, "maximum": 1000000000},
      "small": {
        "description": "Where fewer than `below` had access, the larger of `least` and `percent` of them holds.",
        "type": "object", "additionalProperties": false,
        "properties": {
          "below": {"type": "integer", "minimum": 0, "maximum": 1000000},
          "percent": {"type": "number", "minimum": 0, "maximum": 100},
          "least": {"type": "integer", "minimum": 0, "maximum": 1000000}
        }
      },
      "group": {
        "description": "Of one group: held are more than `percent` of its members where they are at least `least`.",
        "type": "object", "additionalProperties": false,
        "properties": {
          "percent": {"type": "number", "minimum": 0, "maximum": 100},
          "least": {"type": "integer", "minimum": 0, "maximum": 1000000000}
        }
      },
      "removal_percent": {"type": "number", "minimum": 0, "maximum": 100, "description": "What of these limits holds for removals and deletions of accounts."}
    }
  })json");
  return schema;
}

DEPROV_INLINE Guard parse_guard(const json::object& document) {
  Guard g;
  const auto number = [](const json::object& o, const char* name, auto& out) {
    using Number = std::remove_reference_t<decltype(out)>;
    if (const auto* v = o.if_contains(name)) out = v->to_number<Number>();
  };
  if (const auto* v = document.if_contains("enabled")) g.enabled = v->get_bool();
  number(document, "percent", g.percent);
  number(document, "absolute", g.absolute);
  number(document, "removal_percent", g.removal_percent);
  if (const auto* v = document.if_contains("small")) {
    number(v->get_object(), "below", g.small.below);
    number(v->get_object(), "percent", g.small.percent);
    number(v->get_object(), "least", g.small.least);
  }
  if (const auto* v = document.if_contains("group")) {
    number(v->get_object(), "percent", g.group.percent);
    number(v->get_object(), "least", g.group.least);
  }
  return g;
}

DEPROV_INLINE json::object to_json(const Guard& g) {
  return {{"enabled", g.enabled},
          {"percent", g.percent},
          {"absolute", g.absolute},
          {"small", {{"below", g.small.below}, {"percent", g.small.percent}, {"least", g.small.least}}},
          {"group", {{"percent", g.group.percent}, {"least", g.group.least}}},
          {"removal_percent", g.removal_percent}};
}

}  // namespace deprov::policy
