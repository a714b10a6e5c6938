// A worker process: started, watched and ended without a signal handler, and without SIGCHLD.
#pragma once

#include <sys/types.h>
#include <deprov/error.hpp>
#include <string>

namespace deprov::plugin {

/// An absolute path of a program that nobody else can change. Errors: those of `trusted_path`, `invalid_argument`.
[[nodiscard]] Result<void> check_worker_program(const std::string& path);

class WorkerProcess {
 public:
  /// The descriptors that a worker begins with.
  static constexpr int socket_there = 3, library_there = 4;

  /// Errors: those of `check_worker_program`, `io`.
  [[nodiscard]] static Result<WorkerProcess> spawn(const std::string& program, int library);
  WorkerProcess(WorkerProcess&& other) noexcept;
  WorkerProcess& operator=(WorkerProcess&&) = delete;
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  /// Kills and reaps what still runs.
  ~WorkerProcess();

  [[nodiscard]] int socket() const noexcept { return socket_; }  ///< does not block
  /// Readable when it has ended.
  [[nodiscard]] int pidfd() const noexcept { return pidfd_; }
  void kill() const noexcept;
  /// Blocks until it has ended, and answers how, "by a signal: Aborted".
  [[nodiscard]] std::string reap();

 private:
  WorkerProcess(int socket, int pidfd) noexcept : socket_(socket), pidfd_(pidfd) {}
  int socket_;
  int pidfd_;
  bool reaped_ = false;
};

}  // namespace deprov::plugin
