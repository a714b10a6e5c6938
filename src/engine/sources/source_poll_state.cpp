// What is stored of a polled source between its rounds.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <tuple>
#include "engine/sources/event_receiver.hpp"
#include "engine/sources/feed_config.hpp"
#include "engine/sources/source_poll.hpp"
#include "engine/sources/source_sync.hpp"

namespace deprov::engine {

std::string to_text(const PollState& s) {
  json::object o;
  if (!s.checkpoint.empty()) o["checkpoint"] = s.checkpoint;
  if (s.complete_at.micros != 0) o["complete_at"] = s.complete_at.micros;
  if (s.wants_complete) o["wants_complete"] = true;
  if (s.interval.count() != 0) o["interval"] = s.interval.count();
  json::object quota;
  if (s.quota.remaining) quota["remaining"] = *s.quota.remaining;
  if (s.quota.limit) quota["limit"] = *s.quota.limit;
  if (s.quota.reset_at) quota["reset_at"] = s.quota.reset_at->micros;
  if (!quota.empty()) o["quota"] = std::move(quota);
  if (!s.round.empty()) o["round"] = s.round;
  if (!s.waits.empty()) o["waits"] = s.waits;
  if (!s.claimed_by.empty()) o["claimed_by"] = s.claimed_by;
  if (!s.unsaid.empty()) o["unsaid"] = json::array(s.unsaid.begin(), s.unsaid.end());
  return json::serialize(o);
}

PollState parse_poll_state(const port::SourceRow& row) {
  PollState s;
  const auto text = poll_text(row);
  boost::system::error_code ec;
  const auto value = json::parse(text.empty() ? "{}" : text, ec);
  const auto* o = ec ? nullptr : value.if_object();
  if (o == nullptr) return s;
  const auto word = [](const json::object& from, std::string_view name) {
    const auto* v = from.if_contains(name);
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string{};
  };
  const auto number = [](const json::object& from, std::string_view name) -> std::optional<std::int64_t> {
    const auto* v = from.if_contains(name);
    boost::system::error_code none;
    const auto n = v != nullptr && v->is_number() ? v->to_number<std::int64_t>(none) : 0;
    if (v == nullptr || !v->is_number() || none) return std::nullopt;
    return n;
  };
  s.checkpoint = word(*o, "checkpoint");
  s.complete_at = {number(*o, "complete_at").value_or(0)};
  const auto* wants = o->if_contains("wants_complete");
  s.wants_complete = wants != nullptr && wants->is_bool() && wants->get_bool();
  s.interval = Duration(number(*o, "interval").value_or(0));
  if (const auto* quota = o->if_contains("quota"); quota != nullptr && quota->is_object()) {
    const auto& q = quota->get_object();
    if (const auto n = number(q, "remaining"); n && *n >= 0) s.quota.remaining = static_cast<std::uint64_t>(*n);
    if (const auto n = number(q, "limit"); n && *n >= 0) s.quota.limit = static_cast<std::uint64_t>(*n);
    if (const auto n = number(q, "reset_at")) s.quota.reset_at = WallTime{*n};
  }
  s.round = word(*o, "round");
  s.waits = word(*o, "waits");
  s.claimed_by = word(*o, "claimed_by");
  if (const auto* unsaid = o->if_contains("unsaid"); unsaid != nullptr && unsaid->is_array()) {
    for (const auto& id : unsaid->get_array())
      if (id.is_string()) s.unsaid.emplace_back(id.get_string());
    std::sort(s.unsaid.begin(), s.unsaid.end());
  }
  return s;
}

std::optional<PollHealth> poll_health(const port::SourceRow& row) {
  if (row.kind == event_source_kind) return event_poll_health(row);
  if (idp::find_feed_kind(row.kind) == nullptr) return std::nullopt;
  auto s = parse_poll_state(row);
  PollHealth h;
  h.complete_at = s.complete_at;
  h.round = std::move(s.round);
  h.waits = std::move(s.waits);
  h.reader = std::move(s.claimed_by);
  h.interval = s.interval;
  h.quota_remaining = s.quota.remaining;
  h.quota_limit = s.quota.limit;
  h.quota_reset = s.quota.reset_at;
  boost::system::error_code ec;
  const auto config = json::parse(row.config, ec);
  if (ec || !config.is_object()) return h;
  if (const auto bounds = poll_bounds(row.kind, config.get_object())) std::tie(h.floor, h.ceiling) = *bounds;
  return h;
}

}  // namespace deprov::engine
