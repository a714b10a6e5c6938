#include "jobs/limiter.hpp"
#include <algorithm>
#include <cmath>

namespace deprov::jobs {

namespace {
double lower_bound_of(double a, double b) {
  if (a <= 0) return b;
  if (b <= 0) return a;
  return std::min(a, b);
}

/// Whether the outcome says that the exchange itself does not work.
bool exchange_failed(connector::Outcome o) {
  switch (o) {
    case connector::Outcome::unavailable:
    case connector::Outcome::not_sent:
    case connector::Outcome::unknown_outcome:
    case connector::Outcome::protocol:
    case connector::Outcome::deadline: return true;
    default: return false;
  }
}
}  // namespace

Limiter::Limiter(const policy::Policy& policy, const connector::RateLimits& app)
    : max_window_(std::max(1U, std::min(policy.lane.max_concurrency, std::max(1U, app.max_concurrency)))),
      per_second_(lower_bound_of(policy.lane.per_second, app.per_second)),
      burst_(std::max(1.0, policy.lane.per_second > 0 ? policy.lane.burst : app.burst)),
      tokens_(burst_),
      shortest_throttle_(std::min<Duration>(policy.retry.base, std::chrono::seconds(1))),
      breaker_(policy.breaker),
      open_for_(policy.breaker.open) {
  window_ = std::min<double>(policy.lane.start_concurrency, max_window_);
}

void Limiter::refill(MonoTime now) {
  if (!refilled_once_) {
    refilled_ = now;
    refilled_once_ = true;
  }
  const double elapsed = static_cast<double>((now - refilled_).count()) / 1e6;
  tokens_ = std::min(burst_, tokens_ + elapsed * per_second_);
  refilled_ = now;
}

bool Limiter::try_acquire(MonoTime now) {
  if (in_use_ >= static_cast<std::uint32_t>(window_)) return false;
  if (now < throttled_until_) return false;
  if (open_until_) {
    if (now < *open_until_) return false;
    if (probing_) return false;  // one call alone finds out whether the app is back
  }
  if (per_second_ > 0) {
    refill(now);
    if (tokens_ < 1.0) return false;
    tokens_ -= 1.0;
  }
  if (open_until_) probing_ = true;
  ++in_use_;
  return true;
}

std::optional<MonoTime> Limiter::retry_at(MonoTime now) const {
  if (in_use_ >= static_cast<std::uint32_t>(window_) || probing_) return std::nullopt;
  MonoTime at = std::max(now, throttled_until_);
  if (open_until_) at = std::max(at, *open_until_);
  if (per_second_ > 0 && tokens_ < 1.0) {
    const auto wait = static_cast<std::int64_t>(std::ceil((1.0 - tokens_) / per_second_ * 1e6));
    at = std::max(at, refilled_ + Duration(wait));
  }
  return at;
}

void Limiter::release() {
  --in_use_;
  probing_ = false;
}

void Limiter::finished(const connector::Reply& reply, MonoTime now) {
  --in_use_;
  probing_ = false;
  if (reply.outcome == connector::Outcome::throttled) {
    window_ = std::max(1.0, window_ / 2);
    // "Later" is never "at once", even where the app says so: it would be asked as fast as it can answer.
    const auto wait = std::max(reply.retry_after.value_or(std::chrono::seconds(1)), shortest_throttle_);
    if (reply.throttle_scope == connector::ThrottleScope::connection)
      throttled_until_ = std::max(throttled_until_, now + wait);
    return;
  }
  if (exchange_failed(reply.outcome)) {
    window_ = std::max(1.0, window_ / 2);
    ++failures_;
    if (reply.retry_after) throttled_until_ = std::max(throttled_until_, now + *reply.retry_after);
    // What was under way when it opened says nothing new; only a call begun after its wait does.
    if (open_until_ && now < *open_until_) return;
    if (open_until_ || failures_ >= breaker_.failures) {
      if (open_until_) open_for_ = std::min(open_for_ * 2, breaker_.open_max);
      open_until_ = now + open_for_;
    }
    return;
  }
  failures_ = 0;
  open_until_.reset();
  open_for_ = breaker_.open;
  window_ = std::min(max_window_, window_ + 1.0 / window_);
}

}  // namespace deprov::jobs
