// A serial executor with a thread of its own.
#pragma once

#include <deprov/port/executor.hpp>
#include <memory>
#include <string>

namespace deprov::runtime {

/// Runs tasks on one thread that it owns, with all signals blocked. The queue is drained as a whole each
/// time it is looked at, so that a burst of posts costs one lock. Timers follow `SystemClock::mono()`.
/// An exception that leaves a task ends the process.
class ThreadedExecutor final : public port::Executor {
 public:
  /// `name` is what a debugger shows for the thread, at most 15 bytes of it.
  explicit ThreadedExecutor(const std::string& name = "deprov");
  /// Stops. Never to be called by a task of this executor.
  ~ThreadedExecutor() override;
  ThreadedExecutor(const ThreadedExecutor&) = delete;
  ThreadedExecutor& operator=(const ThreadedExecutor&) = delete;

  void post(port::Task task) override;
  port::TimerId post_at(MonoTime at, port::Task task) override;
  void cancel(port::TimerId id) override;
  void wake() override;
  [[nodiscard]] bool running_here() const noexcept override;

  /// Ends after the task that is running, and joins. What was not run is destroyed with the executor; what
  /// is posted later likewise. Twice is once. Never to be called by a task of this executor.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace deprov::runtime
