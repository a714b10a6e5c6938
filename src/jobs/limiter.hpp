// How much a lane may ask of its app right now: concurrency, rate, throttling and breaker in one place.
#pragma once

#include <cstdint>
#include <deprov/connector/connector.hpp>
#include <deprov/policy/policy.hpp>
#include <deprov/time.hpp>
#include <optional>

namespace deprov::jobs {

/// State in, decision out; time comes in as an argument.
class Limiter {
 public:
  Limiter(const policy::Policy& policy, const connector::RateLimits& app);

  /// Takes a slot and a token if a call may begin now.
  [[nodiscard]] bool try_acquire(MonoTime now);
  /// When trying again makes sense; nothing where only the end of another call can help.
  [[nodiscard]] std::optional<MonoTime> retry_at(MonoTime now) const;
  /// Gives the slot back without a verdict (nothing was sent).
  void release();
  /// Gives the slot back and learns from the outcome.
  void finished(const connector::Reply& reply, MonoTime now);

  [[nodiscard]] std::uint32_t limit() const noexcept { return static_cast<std::uint32_t>(window_); }
  [[nodiscard]] std::uint32_t in_use() const noexcept { return in_use_; }
  [[nodiscard]] bool breaker_open(MonoTime now) const noexcept { return open_until_ && now < *open_until_; }

 private:
  void refill(MonoTime now);

  double window_;
  double max_window_;
  std::uint32_t in_use_ = 0;
  double per_second_;
  double burst_;
  double tokens_;
  MonoTime refilled_{};
  bool refilled_once_ = false;
  MonoTime throttled_until_{};
  Duration shortest_throttle_;
  policy::Breaker breaker_;
  std::uint32_t failures_ = 0;
  Duration open_for_;
  std::optional<MonoTime> open_until_;
  bool probing_ = false;
};

}  // namespace deprov::jobs
