// A few threads for calls that block, such as reads from a disk.
#pragma once

#include <cstddef>
#include <deprov/port/task.hpp>
#include <memory>
#include <string>

namespace deprov::runtime {

/// Runs tasks on `threads` threads, in no promised order, from a queue of at most `queue_bound`.
/// *Thread safety*: any thread. An exception that leaves a task ends the process.
class WorkerPool {
 public:
  WorkerPool(std::size_t threads, std::size_t queue_bound, const std::string& name = "deprov-worker");
  /// Stops. Never to be called by a task of this pool.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// True: the task will be run, also when `stop` comes in between. False: the queue is full or the pool
  /// has stopped; `task` is left as it was.
  [[nodiscard]] bool try_post(port::Task& task);
  /// Runs what was accepted, then joins. Twice is once.
  void stop();
  [[nodiscard]] std::size_t threads() const noexcept;
  [[nodiscard]] std::size_t queued() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace deprov::runtime
