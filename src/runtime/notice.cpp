#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/notice.hpp>
#include <limits>
#include <mutex>
#include <system_error>
#include <utility>

namespace deprov::runtime {

struct Notice::State {
  State() : fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  ~State() { ::close(fd); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  mutable std::mutex mutex;
  bool up = false;
  const int fd;
};

Notice::Notice() : state_(std::make_shared<State>()) {}

void Notice::set() {
  const std::lock_guard lock(state_->mutex);
  if (std::exchange(state_->up, true)) return;
  const std::uint64_t one = 1;
  // It is written once between two reads, so the counter cannot overflow.
  [[maybe_unused]] const auto written = ::write(state_->fd, &one, sizeof one);
}

void Notice::clear() {
  const std::lock_guard lock(state_->mutex);
  if (!std::exchange(state_->up, false)) return;
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(state_->fd, &count, sizeof count);
}

bool Notice::is_set() const {
  const std::lock_guard lock(state_->mutex);
  return state_->up;
}

int Notice::descriptor() const noexcept { return state_->fd; }

bool Notice::wait_for(Duration timeout) const {
  const SystemClock clock;
  const auto until = after(clock.mono(), timeout);
  while (!is_set()) {
    const auto now = clock.mono();
    if (now >= until) return false;
    wait_readable(state_->fd, -1, until - now);
  }
  return true;
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
