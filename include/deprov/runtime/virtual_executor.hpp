// A serial executor in virtual time, for simulations and tests.
#pragma once

#include <cstddef>
#include <deprov/port/executor.hpp>
#include <deprov/runtime/clock.hpp>
#include <memory>
#include <optional>

namespace deprov::runtime {

/// Runs tasks only when told, on the caller's thread; timers fire in the order of their times, those of the
/// same time in the order in which they were set. Several may share one clock.
class VirtualExecutor final : public port::Executor {
 public:
  /// `clock` outlives the executor.
  explicit VirtualExecutor(VirtualClock& clock);
  ~VirtualExecutor() override;
  VirtualExecutor(const VirtualExecutor&) = delete;
  VirtualExecutor& operator=(const VirtualExecutor&) = delete;

  void post(port::Task task) override;
  port::TimerId post_at(MonoTime at, port::Task task) override;
  void cancel(port::TimerId id) override;
  void wake() override;
  [[nodiscard]] bool running_here() const noexcept override;

  /// Runs one task that is ready now. False: none was; time did not move.
  bool run_one();
  /// Runs what is ready, and what that posts, until nothing is; time does not move. Answers how many ran;
  /// stops at `limit`, so that tasks that post each other for ever cannot hang a test.
  std::size_t run_until_idle(std::size_t limit = 100'000'000);
  /// Moves the clock to the next timer, unless something is ready now. False: there is no timer.
  bool advance_to_next_timer();
  /// Runs everything that is due until the clock shows `t`, moving it from timer to timer, and at last
  /// to `t`. Answers how many tasks ran.
  std::size_t run_until(MonoTime t, std::size_t limit = 100'000'000);
  /// `run_until(now + d)`.
  std::size_t run_for(Duration d);

  [[nodiscard]] bool has_ready() const;
  [[nodiscard]] std::optional<MonoTime> next_timer() const;
  /// Tasks and timers that wait.
  [[nodiscard]] std::size_t pending() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace deprov::runtime
