#include <algorithm>
#include <condition_variable>
#include <deprov/runtime/worker_pool.hpp>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>
#include "thread_start.hpp"

namespace deprov::runtime {

struct WorkerPool::State {
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::deque<port::Task> queue;
  std::size_t bound = 0;
  std::size_t count = 0;
  bool stopping = false;
  std::vector<std::thread> threads;

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return stopping || !queue.empty(); });
      if (queue.empty()) return;
      auto task = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      task();
      task = {};
      lock.lock();
    }
  }
};

WorkerPool::WorkerPool(std::size_t threads, std::size_t queue_bound, const std::string& name)
    : state_(std::make_unique<State>()) {
  state_->bound = std::max<std::size_t>(queue_bound, 1);
  state_->count = std::max<std::size_t>(threads, 1);
  for (std::size_t i = 0; i < state_->count; ++i)
    state_->threads.push_back(start_thread(name, [s = state_.get()] { s->run(); }));
}

WorkerPool::~WorkerPool() { stop(); }

bool WorkerPool::try_post(port::Task& task) {
  std::unique_lock lock(state_->mutex);
  if (state_->stopping || state_->queue.size() >= state_->bound) return false;
  state_->queue.push_back(std::move(task));
  lock.unlock();
  state_->changed.notify_one();
  return true;
}

void WorkerPool::stop() {
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  auto threads = std::exchange(state_->threads, {});
  lock.unlock();
  state_->changed.notify_all();
  for (auto& t : threads) t.join();
}

std::size_t WorkerPool::threads() const noexcept { return state_->count; }

std::size_t WorkerPool::queued() const {
  const std::lock_guard lock(state_->mutex);
  return state_->queue.size();
}

}  // namespace deprov::runtime
