#include <condition_variable>
#include <deprov/runtime/event_thread.hpp>
#include <mutex>
#include <thread>
#include <utility>
#include "task_queue.hpp"
#include "thread_start.hpp"

namespace deprov::runtime {

struct EventThread::State {
  std::thread thread;
};

EventThread::EventThread(const std::string& name, port::Task body) : state_(std::make_unique<State>()) {
  state_->thread = start_thread(name, [s = state_.get(), body = std::move(body)]() mutable {
    const RunningHere here(s);
    body();
  });
}

EventThread::~EventThread() { join(); }

void EventThread::join() {
  if (state_->thread.joinable()) state_->thread.join();
}

bool EventThread::running_here() const noexcept { return RunningHere::is(state_.get()); }

struct Event::State {
  std::mutex mutex;
  std::condition_variable changed;
  bool set = false;
};

Event::Event() : state_(std::make_shared<State>()) {}

void Event::set() {
  const std::lock_guard lock(state_->mutex);
  state_->set = true;
  state_->changed.notify_all();
}

bool Event::is_set() const {
  const std::lock_guard lock(state_->mutex);
  return state_->set;
}

void Event::wait() const {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [this] { return state_->set; });
}

bool Event::wait_for(Duration timeout) const {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, timeout, [this] { return state_->set; });
}

}  // namespace deprov::runtime
