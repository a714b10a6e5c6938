#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/notice.hpp>
#include <limits>
#include <mutex>
#include <utility>

namespace deprov::runtime {

struct Notice::State {
  State() = default;
  ~State() {
    if (fd >= 0) ::close(fd);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void show_locked() {
    if (!up || quiet != 0 || fd < 0 || std::exchange(shown, true)) return;
    const std::uint64_t one = 1;
    // It is written once between two reads, so the counter cannot overflow.
    [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
  }

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::size_t waiting = 0;
  std::size_t quiet = 0;
  bool up = false;
  bool shown = false;  // by the descriptor
  int fd = -1;
};

Notice::Notice() : state_(std::make_shared<State>()) {}

void Notice::set() {
  std::unique_lock lock(state_->mutex);
  if (std::exchange(state_->up, true)) return;
  state_->show_locked();
  const bool anybody = state_->waiting != 0;
  lock.unlock();
  if (anybody) state_->changed.notify_all();
}

void Notice::clear() {
  const std::lock_guard lock(state_->mutex);
  state_->up = false;
  if (!std::exchange(state_->shown, false)) return;
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(state_->fd, &count, sizeof count);
}

bool Notice::is_set() const {
  const std::lock_guard lock(state_->mutex);
  return state_->up;
}

int Notice::descriptor() const noexcept {
  const std::lock_guard lock(state_->mutex);
  if (state_->fd < 0) state_->fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  state_->show_locked();
  return state_->fd;
}

bool Notice::wait_for(Duration timeout) const {
  const SystemClock clock;
  std::unique_lock lock(state_->mutex);
  if (state_->up) return true;
  ++state_->waiting;
  const auto until = after(clock.mono(), timeout);
  for (auto now = clock.mono(); !state_->up && now < until; now = clock.mono())
    state_->changed.wait_for(lock, until - now);
  --state_->waiting;
  return state_->up;
}

Notice::Quiet::Quiet(const Notice& notice) : state_(notice.state_) {
  const std::lock_guard lock(state_->mutex);
  ++state_->quiet;
}

Notice::Quiet::~Quiet() {
  const std::lock_guard lock(state_->mutex);
  --state_->quiet;
  state_->show_locked();
}

void wait_readable(int one, int other, Duration timeout) {
  // Rounded up: a wait that ends early would be begun again and again.
  const auto ms = timeout.count() <= 0 ? 0 : (timeout.count() - 1) / 1000 + 1;
  const auto bounded = static_cast<int>(std::min<std::int64_t>(ms, std::numeric_limits<int>::max()));
  std::array<pollfd, 2> fds{pollfd{one, POLLIN, 0}, pollfd{other, POLLIN, 0}};
  [[maybe_unused]] const auto ready = ::poll(fds.data(), fds.size(), bounded);
}

MonoTime after(MonoTime now, Duration d) {
  constexpr Duration century = std::chrono::hours(24 * 365 * 100);
  return now + std::clamp(d, Duration{0}, century);
}

}  // namespace deprov::runtime
