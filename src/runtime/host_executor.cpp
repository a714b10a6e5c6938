#include <sys/eventfd.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/host_executor.hpp>
#include <mutex>
#include <utility>
#include "task_queue.hpp"

namespace deprov::runtime {

namespace {
constexpr Duration look_again = std::chrono::milliseconds(5);  // while another thread pumps
constexpr Duration slice = std::chrono::milliseconds(1);
}  // namespace

struct HostExecutor::State {
  std::mutex mutex;
  TaskQueue queue;
  SystemClock clock;
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  bool signalled = false;
  bool pumping = false;                       // what comes meanwhile is seen before `pump` returns
  std::atomic_flag taken = ATOMIC_FLAG_INIT;  // by the thread that pumps

  void signal_locked() {
    if (pumping || std::exchange(signalled, true) || fd < 0) return;
    const std::uint64_t one = 1;
    // The counter cannot overflow: it is written once between two reads.
    [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
  }
  void clear_locked() {
    if (!std::exchange(signalled, false) || fd < 0) return;
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(fd, &count, sizeof count);
  }
};

HostExecutor::HostExecutor() : state_(std::make_unique<State>()) {}

HostExecutor::~HostExecutor() {
  for (;;) {
    std::unique_lock lock(state_->mutex);
    const auto rest = state_->queue.take_rest();
    lock.unlock();
    if (rest.empty()) break;
  }
  if (state_->fd >= 0) ::close(state_->fd);
}

void HostExecutor::post(port::Task task) {
  const std::lock_guard lock(state_->mutex);
  state_->queue.post(std::move(task));
  state_->signal_locked();
}

port::TimerId HostExecutor::post_at(MonoTime at, port::Task task) {
  const std::lock_guard lock(state_->mutex);
  const auto before = state_->queue.next_timer();
  const auto id = state_->queue.post_at(at, std::move(task));
  if (!before || at < *before) state_->signal_locked();
  return id;
}

void HostExecutor::cancel(port::TimerId id) {
  std::unique_lock lock(state_->mutex);
  const auto cancelled = state_->queue.cancel(id);
  lock.unlock();
}

void HostExecutor::wake() {
  const std::lock_guard lock(state_->mutex);
  state_->signal_locked();
}

bool HostExecutor::running_here() const noexcept { return RunningHere::is(state_.get()); }

int HostExecutor::descriptor() const noexcept { return state_->fd; }

std::optional<MonoTime> HostExecutor::pump(Duration budget) {
  if (state_->taken.test_and_set(std::memory_order_acquire)) return after(state_->clock.mono(), look_again);
  struct Release {
    std::atomic_flag& flag;
    ~Release() { flag.clear(std::memory_order_release); }
  } const release{state_->taken};
  const RunningHere here(state_.get());
  const auto until = after(state_->clock.mono(), budget);
  TaskQueue::Batch batch;
  std::unique_lock lock(state_->mutex);
  state_->clear_locked();
  state_->pumping = true;
  bool out_of_time = false;
  while (!out_of_time) {
    state_->queue.collect_due(state_->clock.mono());
    if (!state_->queue.has_ready()) break;
    state_->queue.take(batch);
    std::size_t i = 0;
    while (i < batch.size() && !out_of_time) {
      auto task = std::move(batch[i].task);
      if (batch[i].timer != 0) task = state_->queue.claim(batch[i].timer);
      ++i;
      lock.unlock();
      if (task) task();
      task = {};
      out_of_time = state_->clock.mono() >= until;
      lock.lock();
    }
    state_->queue.put_back(batch, i);
    batch.clear();
  }
  state_->pumping = false;
  if (state_->queue.has_ready()) {
    state_->signal_locked();
    return state_->clock.mono();
  }
  return state_->queue.next_timer();
}

bool HostExecutor::pump_until(const Notice& notice, Duration timeout) {
  const auto until = after(state_->clock.mono(), timeout);
  while (!notice.is_set()) {
    // Work that is left makes the descriptor readable, also where the thread that pumped goes away.
    const bool contended = state_->taken.test(std::memory_order_relaxed);
    const auto next = pump(slice).value_or(until);
    const auto now = state_->clock.mono();
    if (notice.is_set()) break;
    if (now >= until) return false;
    if (next <= now) continue;
    const auto other = notice.descriptor();
    const auto most = std::min(next, until) - now;
    wait_readable(contended ? -1 : descriptor(), other, other < 0 ? std::min(most, look_again) : most);
  }
  return true;
}

}  // namespace deprov::runtime
