// The clock of the machine, and one that only moves when told.
#pragma once

#include <atomic>
#include <deprov/port/clock.hpp>

namespace deprov::runtime {

/// The machine's clocks. *Thread safety*: any thread.
class SystemClock final : public port::Clock {
 public:
  [[nodiscard]] WallTime wall() const override;
  [[nodiscard]] MonoTime mono() const override;
};

/// Time of a simulation: stands still until somebody moves it. *Thread safety*: any thread.
class VirtualClock final : public port::Clock {
 public:
  /// Begins at this wall time (default: 2026-01-01T00:00:00Z); the monotonic clock begins at one second.
  explicit VirtualClock(WallTime start = WallTime{1'767'225'600'000'000}) noexcept;
  [[nodiscard]] WallTime wall() const override;
  [[nodiscard]] MonoTime mono() const override;
  /// Moves both clocks on; negative durations are ignored.
  void advance(Duration by) noexcept;
  /// Moves both clocks so that the monotonic one shows `to`; the past is ignored.
  void advance_to(MonoTime to) noexcept;
  /// Sets the wall clock alone, as an administrator or a leap would.
  void jump_wall(WallTime to) noexcept;

 private:
  std::atomic<std::int64_t> mono_;
  std::atomic<std::int64_t> wall_offset_;  ///< wall minus mono
};

}  // namespace deprov::runtime
