#include <deprov/runtime/virtual_executor.hpp>
#include <mutex>
#include <utility>
#include "task_queue.hpp"

namespace deprov::runtime {

struct VirtualExecutor::State {
  explicit State(VirtualClock& c) : clock(c) {}
  VirtualClock& clock;
  mutable std::mutex mutex;
  TaskQueue queue;
  TaskQueue::Batch batch;  // taken out of the queue and not yet run
  std::size_t next = 0;

  /// Whether something would run now; timers that were cancelled after they came due do not count.
  [[nodiscard]] bool ready_locked() {
    queue.collect_due(clock.mono());
    for (auto i = next; i < batch.size(); ++i)
      if (queue.is_live(batch[i])) return true;
    return queue.has_live();
  }

  /// The next task that is ready, or an empty one.
  port::Task take_one() {
    const std::lock_guard lock(mutex);
    for (;;) {
      if (next == batch.size()) {
        batch.clear();
        next = 0;
        queue.collect_due(clock.mono());
        queue.take(batch);
        if (batch.empty()) return {};
      }
      auto& entry = batch[next++];
      auto task = entry.timer == 0 ? std::move(entry.task) : queue.claim(entry.timer);
      if (task) return task;
    }
  }
};

VirtualExecutor::VirtualExecutor(VirtualClock& clock) : state_(std::make_unique<State>(clock)) {}

VirtualExecutor::~VirtualExecutor() {
  for (;;) {
    std::unique_lock lock(state_->mutex);
    const auto batch = std::exchange(state_->batch, {});
    const auto rest = state_->queue.take_rest();
    lock.unlock();
    if (rest.empty() && batch.empty()) return;
  }
}

void VirtualExecutor::post(port::Task task) {
  const std::lock_guard lock(state_->mutex);
  state_->queue.post(std::move(task));
}

port::TimerId VirtualExecutor::post_at(MonoTime at, port::Task task) {
  const std::lock_guard lock(state_->mutex);
  return state_->queue.post_at(at, std::move(task));
}

void VirtualExecutor::cancel(port::TimerId id) {
  std::unique_lock lock(state_->mutex);
  const auto cancelled = state_->queue.cancel(id);
  lock.unlock();
}

void VirtualExecutor::wake() {}  // nobody sleeps: it runs when told

bool VirtualExecutor::running_here() const noexcept { return RunningHere::is(state_.get()); }

bool VirtualExecutor::run_one() {
  const RunningHere here(state_.get());
  auto task = state_->take_one();
  if (!task) return false;
  task();
  return true;
}

std::size_t VirtualExecutor::run_until_idle(std::size_t limit) {
  std::size_t ran = 0;
  while (ran < limit && run_one()) ++ran;
  return ran;
}

bool VirtualExecutor::advance_to_next_timer() {
  const std::lock_guard lock(state_->mutex);
  if (state_->ready_locked()) return true;
  const auto at = state_->queue.next_timer();
  if (!at) return false;
  state_->clock.advance_to(*at);
  return true;
}

std::size_t VirtualExecutor::run_until(MonoTime t, std::size_t limit) {
  std::size_t ran = 0;
  while (ran < limit) {
    ran += run_until_idle(limit - ran);
    const auto at = next_timer();
    if (!at || *at > t) break;
    state_->clock.advance_to(*at);
  }
  if (ran < limit) state_->clock.advance_to(t);
  return ran;
}

std::size_t VirtualExecutor::run_for(Duration d) { return run_until(state_->clock.mono() + d); }

bool VirtualExecutor::has_ready() const {
  const std::lock_guard lock(state_->mutex);
  return state_->ready_locked();
}

std::optional<MonoTime> VirtualExecutor::next_timer() const {
  const std::lock_guard lock(state_->mutex);
  return state_->queue.next_timer();
}

std::size_t VirtualExecutor::pending() const {
  const std::lock_guard lock(state_->mutex);
  std::size_t posted = 0;
  for (auto i = state_->next; i < state_->batch.size(); ++i) posted += state_->batch[i].timer == 0 ? 1U : 0U;
  return posted + state_->queue.pending();
}

}  // namespace deprov::runtime
