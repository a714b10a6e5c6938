#include <chrono>
#include <deprov/runtime/clock.hpp>

namespace deprov::runtime {

namespace {
template <class Clock>
std::int64_t micros_of() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count();
}
}  // namespace

WallTime SystemClock::wall() const { return WallTime{micros_of<std::chrono::system_clock>()}; }
MonoTime SystemClock::mono() const { return MonoTime{micros_of<std::chrono::steady_clock>()}; }

VirtualClock::VirtualClock(WallTime start) noexcept : mono_(1'000'000), wall_offset_(start.micros - 1'000'000) {}

WallTime VirtualClock::wall() const { return WallTime{mono_.load() + wall_offset_.load()}; }
MonoTime VirtualClock::mono() const { return MonoTime{mono_.load()}; }

void VirtualClock::advance(Duration by) noexcept {
  if (by.count() > 0) mono_ += by.count();
}

void VirtualClock::advance_to(MonoTime to) noexcept {
  auto now = mono_.load();
  while (now < to.micros && !mono_.compare_exchange_weak(now, to.micros)) {
  }
}

void VirtualClock::jump_wall(WallTime to) noexcept { wall_offset_ = to.micros - mono_.load(); }

}  // namespace deprov::runtime
