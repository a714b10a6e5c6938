#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/threaded_executor.hpp>
#include <mutex>
#include <thread>
#include <utility>
#include "task_queue.hpp"
#include "thread_start.hpp"

namespace deprov::runtime {

namespace {
constexpr std::size_t keep_capacity = 65'536;              // entries; a burst beyond it gives its memory back
constexpr Duration longest_sleep = std::chrono::hours(1);  // far timers would overflow nanoseconds
}  // namespace

struct ThreadedExecutor::State {
  std::mutex mutex;
  std::condition_variable changed;
  TaskQueue queue;
  SystemClock clock;
  bool stopping = false;
  bool woken = false;
  bool sleeping = false;
  std::thread thread;

  void run() {
    const RunningHere here(this);
    TaskQueue::Batch batch;
    std::unique_lock lock(mutex);
    while (!stopping) {
      queue.collect_due(clock.mono());
      if (!queue.has_ready()) {
        sleep(lock);
        continue;
      }
      queue.take(batch);
      lock.unlock();
      const auto ran = run_batch(batch);
      if (ran < batch.size()) {  // stopping: the rest is destroyed with the executor
        lock.lock();
        queue.put_back(batch, ran);
        return;
      }
      if (batch.capacity() > keep_capacity)
        TaskQueue::Batch().swap(batch);
      else
        batch.clear();
      lock.lock();
    }
  }

  void sleep(std::unique_lock<std::mutex>& lock) {
    const auto ready = [this] { return stopping || woken || queue.has_ready(); };
    const auto timer = queue.next_timer();
    sleeping = true;
    if (timer)
      changed.wait_for(lock, std::min<Duration>(*timer - clock.mono(), longest_sleep), ready);
    else
      changed.wait(lock, ready);
    sleeping = false;
    woken = false;
  }

  std::size_t run_batch(TaskQueue::Batch& batch) {
    std::size_t i = 0;
    for (; i < batch.size() && !stop_asked(); ++i) {
      auto task = std::move(batch[i].task);
      if (batch[i].timer != 0) {
        const std::lock_guard lock(mutex);
        task = queue.claim(batch[i].timer);
      }
      if (task) task();
    }
    return i;
  }

  // A flag beside the locked one, so that a batch needs no lock between its tasks.
  std::atomic<bool> stop_flag{false};
  [[nodiscard]] bool stop_asked() const { return stop_flag.load(std::memory_order_relaxed); }

  void notify(std::unique_lock<std::mutex>& lock) {
    const bool asleep = sleeping;
    lock.unlock();
    if (asleep) changed.notify_one();
  }
};

ThreadedExecutor::ThreadedExecutor(const std::string& name) : state_(std::make_unique<State>()) {
  state_->thread = start_thread(name, [s = state_.get()] { s->run(); });
}

ThreadedExecutor::~ThreadedExecutor() {
  stop();
  // Destroying a task may post another.
  for (;;) {
    std::unique_lock lock(state_->mutex);
    const auto rest = state_->queue.take_rest();
    lock.unlock();
    if (rest.empty()) return;
  }
}

void ThreadedExecutor::stop() {
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  state_->stop_flag = true;
  auto thread = std::exchange(state_->thread, {});
  lock.unlock();
  state_->changed.notify_one();
  if (thread.joinable()) thread.join();
}

void ThreadedExecutor::post(port::Task task) {
  std::unique_lock lock(state_->mutex);
  state_->queue.post(std::move(task));
  state_->notify(lock);
}

port::TimerId ThreadedExecutor::post_at(MonoTime at, port::Task task) {
  std::unique_lock lock(state_->mutex);
  const auto before = state_->queue.next_timer();
  const auto id = state_->queue.post_at(at, std::move(task));
  if (!before || at < *before) {
    state_->woken = true;
    state_->notify(lock);
  }
  return id;
}

void ThreadedExecutor::cancel(port::TimerId id) {
  std::unique_lock lock(state_->mutex);
  const auto cancelled = state_->queue.cancel(id);
  lock.unlock();
}

void ThreadedExecutor::wake() {
  std::unique_lock lock(state_->mutex);
  state_->woken = true;
  state_->notify(lock);
}

bool ThreadedExecutor::running_here() const noexcept { return RunningHere::is(state_.get()); }

}  // namespace deprov::runtime
