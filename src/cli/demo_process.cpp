#include "cli/demo_process.hpp"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <deprov/runtime/event_thread.hpp>
#include <filesystem>

namespace deprov::cli {

namespace {

std::atomic<bool> was_interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

Error system_error(const std::string& what) { return {Errc::io, what + ": " + std::strerror(errno)}; }

}  // namespace

Result<std::unique_ptr<Process>> Process::start(const std::vector<std::string>& arguments) {
  int pipe_ends[2] = {-1, -1};
  if (::pipe2(pipe_ends, O_CLOEXEC) != 0) return system_error("a pipe cannot be made");
  const std::string self = "/proc/self/exe";
  std::vector<char*> argv;
  std::string name = "deprov";
  argv.push_back(name.data());
  auto copies = arguments;
  for (auto& a : copies) argv.push_back(a.data());
  argv.push_back(nullptr);
  const auto parent = ::getpid();
  const auto pid = ::fork();
  if (pid < 0) {
    const auto error = system_error("a process cannot be started");
    ::close(pipe_ends[0]);
    ::close(pipe_ends[1]);
    return error;
  }
  if (pid == 0) {
    // Only what is safe between fork and exec.
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(127);
    ::signal(SIGINT, SIG_IGN);  // the terminal tells everybody; the demo stops its processes itself
    ::signal(SIGTERM, SIG_DFL);
    ::dup2(pipe_ends[1], STDOUT_FILENO);
    ::execv(self.c_str(), argv.data());
    ::_exit(127);
  }
  ::close(pipe_ends[1]);
  return std::unique_ptr<Process>(new Process(pid, pipe_ends[0]));
}

Process::~Process() {
  (void)stop();
  ::close(output_);
}

Result<std::string> Process::line(std::chrono::milliseconds timeout) {
  for (auto left = timeout; left.count() > 0; left -= std::chrono::milliseconds(100)) {
    if (const auto end = read_.find('\n'); end != std::string::npos) {
      auto text = read_.substr(0, end);
      read_.erase(0, end + 1);
      return text;
    }
    pollfd p{output_, POLLIN, 0};
    if (::poll(&p, 1, 100) <= 0) {
      if (interrupted()) return Error(Errc::cancelled, "interrupted");
      continue;
    }
    char buffer[4096];
    const auto n = ::read(output_, buffer, sizeof buffer);
    if (n == 0) return Error(Errc::closed, "the process ended before it was ready");
    if (n > 0) read_.append(buffer, static_cast<std::size_t>(n));
  }
  return Error(Errc::timeout, "the process was not ready in time");
}

bool Process::ended(std::chrono::milliseconds timeout, int& code) {
  constexpr std::chrono::milliseconds step{5};
  for (auto left = timeout;; left -= step) {
    int status = 0;
    const auto got = ::waitpid(pid_, &status, WNOHANG);
    if (got == pid_ || (got < 0 && errno != EINTR)) {
      code = got == pid_ && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
      pid_ = 0;
      return true;
    }
    if (left.count() <= 0) return false;
    (void)runtime::Event().wait_for(step);
  }
}

int Process::wait(std::chrono::milliseconds timeout) {
  int code = 0;
  if (pid_ <= 0 || ended(timeout, code)) return code;
  return stop();
}

int Process::stop() {
  int code = 0;
  if (pid_ <= 0) return code;
  ::kill(pid_, SIGTERM);
  if (ended(std::chrono::seconds(10), code)) return code;
  ::kill(pid_, SIGKILL);
  (void)ended(std::chrono::seconds(10), code);
  return -1;
}

Result<std::unique_ptr<TemporaryDirectory>> TemporaryDirectory::make() {
  std::error_code ec;
  const auto base = std::filesystem::temp_directory_path(ec);
  if (ec) return Error(Errc::io, "there is no directory for temporary files: " + ec.message());
  auto name = (base / "deprov-demo-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return system_error("a temporary directory cannot be made");
  return std::unique_ptr<TemporaryDirectory>(new TemporaryDirectory(std::move(name)));
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ec;
  std::filesystem::remove_all(path_, ec);
}

void note_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { was_interrupted = true; };
  sigemptyset(&action.sa_mask);
  for (const int s : {SIGINT, SIGTERM}) (void)::sigaction(s, &action, nullptr);
}

bool interrupted() noexcept { return was_interrupted; }

}  // namespace deprov::cli
