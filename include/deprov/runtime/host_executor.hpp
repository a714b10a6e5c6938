// A serial executor without a thread: the host's own loop pumps it.
#pragma once

#include <deprov/port/executor.hpp>
#include <deprov/runtime/notice.hpp>
#include <memory>
#include <optional>

namespace deprov::runtime {

/// For hosts that have an event loop. The host waits until `descriptor()` is readable or the deadline that
/// `pump` answered with has come, and pumps. Timers follow `SystemClock::mono()`.
class HostExecutor final : public port::Executor {
 public:
  HostExecutor();
  ~HostExecutor() override;
  HostExecutor(const HostExecutor&) = delete;
  HostExecutor& operator=(const HostExecutor&) = delete;

  void post(port::Task task) override;
  port::TimerId post_at(MonoTime at, port::Task task) override;
  void cancel(port::TimerId id) override;
  void wake() override;
  [[nodiscard]] bool running_here() const noexcept override;

  /// Runs what is ready, for about `budget` (a task is never interrupted; at least one is run). Answers
  /// with the moment at which it wants to be pumped again at the latest: in the past or now where work is
  /// left, nothing where only the descriptor can tell. Where another thread is pumping nothing is done, and the
  /// answer is soon. Never from a task.
  std::optional<MonoTime> pump(Duration budget);
  /// Pumps and waits until `notice` is up. False: the time ran out first. Never from a task.
  bool pump_until(const Notice& notice, Duration timeout);

  /// Readable whenever `pump` has work or has to learn of a new timer. Only to be waited on; it belongs
  /// to the executor. -1 where the system had no descriptor left.
  [[nodiscard]] int descriptor() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace deprov::runtime
