// What is ready and what waits for its time: the common part of the executors. Whoever owns it locks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deprov/port/executor.hpp>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace deprov::runtime {

class TaskQueue {
 public:
  /// A posted task, or a timer that is due. The latter stays in `timers_` until it is claimed, so that a
  /// task that runs before it in the same batch can still cancel it.
  struct Entry {
    port::Task task;
    port::TimerId timer = 0;
  };
  using Batch = std::vector<Entry>;

  void post(port::Task task) { ready_.push_back(Entry{std::move(task), 0}); }

  port::TimerId post_at(MonoTime at, port::Task task) {
    const auto id = ++last_timer_;
    timers_.emplace(id, std::move(task));
    heap_.push_back(Timer{at, id});
    std::push_heap(heap_.begin(), heap_.end(), later);
    return id;
  }

  /// The cancelled task, to be destroyed without the lock.
  [[nodiscard]] port::Task cancel(port::TimerId id) {
    auto task = claim(id);
    // Cancelled timers stay in the heap until they would be due; far ones must not pile up there.
    if (task && heap_.size() > 2 * timers_.size() + 64) {
      std::erase_if(heap_, [this](const Timer& t) { return timers_.count(t.id) == 0; });
      std::make_heap(heap_.begin(), heap_.end(), later);
    }
    return task;
  }

  /// The task of a due timer, or an empty one if it was cancelled.
  [[nodiscard]] port::Task claim(port::TimerId id) {
    const auto it = timers_.find(id);
    if (it == timers_.end()) return {};
    auto task = std::move(it->second);
    timers_.erase(it);
    return task;
  }

  /// Puts the timers that are due by `now` behind what is ready.
  void collect_due(MonoTime now) {
    while (!heap_.empty() && heap_.front().at <= now) {
      const auto id = heap_.front().id;
      pop_heap();
      if (timers_.count(id) != 0) ready_.push_back(Entry{{}, id});
    }
  }

  /// Everything that is ready; `out` is empty and lends its memory.
  void take(Batch& out) { out.swap(ready_); }
  /// Puts back the part of a batch that was not run, before everything that came since.
  void put_back(Batch& batch, std::size_t from) {
    ready_.insert(ready_.begin(), std::make_move_iterator(batch.begin() + static_cast<std::ptrdiff_t>(from)),
                  std::make_move_iterator(batch.end()));
  }

  [[nodiscard]] bool has_ready() const noexcept { return !ready_.empty(); }
  [[nodiscard]] bool is_live(const Entry& e) const { return e.timer == 0 || timers_.count(e.timer) != 0; }
  [[nodiscard]] bool has_live() const {
    return std::any_of(ready_.begin(), ready_.end(), [this](const Entry& e) { return is_live(e); });
  }
  [[nodiscard]] std::size_t pending() const noexcept {
    const auto posted = std::count_if(ready_.begin(), ready_.end(), [](const Entry& e) { return e.timer == 0; });
    return timers_.size() + static_cast<std::size_t>(posted);
  }

  [[nodiscard]] std::optional<MonoTime> next_timer() {
    while (!heap_.empty() && timers_.count(heap_.front().id) == 0) pop_heap();
    if (heap_.empty()) return std::nullopt;
    return heap_.front().at;
  }

  /// What has to be destroyed with the executor, taken out so that no lock is held meanwhile.
  struct Rest {
    Batch ready;
    std::unordered_map<port::TimerId, port::Task> timers;
    [[nodiscard]] bool empty() const { return ready.empty() && timers.empty(); }
  };
  [[nodiscard]] Rest take_rest() {
    heap_.clear();
    return Rest{std::exchange(ready_, {}), std::exchange(timers_, {})};
  }

 private:
  struct Timer {
    MonoTime at;
    port::TimerId id;
  };
  static bool later(const Timer& a, const Timer& b) { return b.at < a.at || (a.at == b.at && b.id < a.id); }
  void pop_heap() {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    heap_.pop_back();
  }

  Batch ready_;
  std::vector<Timer> heap_;
  std::unordered_map<port::TimerId, port::Task> timers_;
  port::TimerId last_timer_ = 0;
};

/// Marks on this thread whose tasks are running, for `running_here`.
class RunningHere {
 public:
  explicit RunningHere(const void* executor) noexcept : before_(std::exchange(current_, executor)) {}
  ~RunningHere() { current_ = before_; }
  RunningHere(const RunningHere&) = delete;
  RunningHere& operator=(const RunningHere&) = delete;
  [[nodiscard]] static bool is(const void* executor) noexcept { return current_ == executor; }

 private:
  inline static thread_local const void* current_ = nullptr;
  const void* before_;
};

}  // namespace deprov::runtime
