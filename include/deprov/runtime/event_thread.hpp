// Threads and waiting for those rooms that may not name them.
#pragma once

#include <deprov/port/task.hpp>
#include <deprov/time.hpp>
#include <memory>
#include <string>

namespace deprov::runtime {

/// One thread that runs one function, with all signals blocked; the destructor joins, so whoever owns it
/// tells the function to end first. An exception that leaves the function ends the process.
class EventThread {
 public:
  EventThread(const std::string& name, port::Task body);
  ~EventThread();
  EventThread(const EventThread&) = delete;
  EventThread& operator=(const EventThread&) = delete;
  /// Waits for the function to end. Twice is once.
  void join();
  [[nodiscard]] bool running_here() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Something that happens once, and can be waited for: what a blocking wrapper around a completion needs.
/// Copies mean the same event. *Thread safety*: any thread.
class Event {
 public:
  Event();
  void set();
  [[nodiscard]] bool is_set() const;
  void wait() const;
  /// False: the time ran out first.
  [[nodiscard]] bool wait_for(Duration timeout) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace deprov::runtime
