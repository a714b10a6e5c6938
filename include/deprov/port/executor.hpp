// The one place where code of ours comes to run.
#pragma once

#include <cstdint>
#include <deprov/port/task.hpp>
#include <deprov/time.hpp>

namespace deprov::port {

/// Names a task given to `post_at`. Zero is none.
using TimerId = std::uint64_t;

/// A serial executor: tasks run one after the other, never two at once, in the order in which they were
/// posted. Three kinds drive the same code: threaded, host-pumped, virtual (the simulator).
///
/// *Thread safety*: every function may be called from any thread.
/// *Lifetime*: a task that never ran is destroyed, unrun, with the executor.
class Executor {
 public:
  virtual ~Executor() = default;
  /// Runs `task` soon, never inside this call.
  virtual void post(Task task) = 0;
  /// Runs `task` when the clock of this executor has reached `at`, unless cancelled before.
  virtual TimerId post_at(MonoTime at, Task task) = 0;
  /// After this returns on the executor itself the task will not run. From another thread it may be
  /// running already. Unknown ids are ignored.
  virtual void cancel(TimerId id) = 0;
  /// Makes a sleeping executor look at its queue and its clock again.
  virtual void wake() = 0;
  /// Whether the caller is a task of this executor.
  [[nodiscard]] virtual bool running_here() const noexcept = 0;
};

}  // namespace deprov::port
