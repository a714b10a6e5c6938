// Processes and directories that the demo makes, and takes away again whatever happens.
#pragma once

#include <sys/types.h>
#include <chrono>
#include <deprov/error.hpp>
#include <memory>
#include <string>
#include <vector>

namespace deprov::cli {

/// This program, started once more. Ends with this process, and with this object.
class Process {
 public:
  /// Starts `deprov` with these arguments. Its standard output is read by `line`.
  [[nodiscard]] static Result<std::unique_ptr<Process>> start(const std::vector<std::string>& arguments);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// The next line that it prints. Errors: `timeout`, `closed` (it ended before).
  [[nodiscard]] Result<std::string> line(std::chrono::milliseconds timeout);
  /// Waits for its own end; what is left after the timeout is stopped. Answers as `stop`.
  int wait(std::chrono::milliseconds timeout);
  /// SIGTERM, then waits; SIGKILL after ten seconds. Answers with the exit code, or -1 after a signal.
  int stop();

 private:
  Process(pid_t pid, int output) : pid_(pid), output_(output) {}
  /// Whether it has ended within the time; its exit code goes to `code`.
  bool ended(std::chrono::milliseconds timeout, int& code);

  pid_t pid_;
  int output_;
  std::string read_;
};

/// A fresh directory, removed with everything in it.
class TemporaryDirectory {
 public:
  [[nodiscard]] static Result<std::unique_ptr<TemporaryDirectory>> make();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  explicit TemporaryDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

/// From now on SIGINT and SIGTERM only note that they came, so that what was made is taken away.
void note_interrupts();
[[nodiscard]] bool interrupted() noexcept;

}  // namespace deprov::cli
