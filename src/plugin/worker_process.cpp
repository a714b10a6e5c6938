#include "plugin/worker_process.hpp"
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>
#include "plugin/trusted_file.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace deprov::plugin {

namespace {

constexpr auto pidfd_of_waitid = static_cast<idtype_t>(3);  // P_PIDFD, which not every C library names

Error system_error(const std::string& program, int code) {
  return {Errc::io, std::string("the worker cannot be started: ") + std::strerror(code), program,
          code == ENOENT || code == EACCES ? "install deprov-connector-worker, and name it"
                                           : "raise the limit of processes and open files"};
}

/// What a worker is told of this process's environment, where secrets may stand.
std::vector<char*> environment() {
  static constexpr std::array<std::string_view, 11> kept{
      "PATH=",         "HOME=",  "TZ=",           "LANG=",         "LC_ALL=",
      "TMPDIR=",       "TZDIR=", "ASAN_OPTIONS=", "TSAN_OPTIONS=", "LD_LIBRARY_PATH=",
      "UBSAN_OPTIONS="};
  std::vector<char*> out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)
    for (const auto name : kept)
      if (std::string_view(*entry).substr(0, name.size()) == name) out.push_back(*entry);
  out.push_back(nullptr);
  return out;
}

struct Files {
  Files() { posix_spawn_file_actions_init(&actions); }
  ~Files() { posix_spawn_file_actions_destroy(&actions); }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;
  posix_spawn_file_actions_t actions{};
};

struct Attributes {
  Attributes() {
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    // A group of its own: what is typed at the host's terminal is for the host.
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~Attributes() { posix_spawnattr_destroy(&attributes); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  posix_spawnattr_t attributes{};
};

/// One above those that the worker begins with, so that placing these overwrites none of them.
int above(int fd) { return fd < 0 ? -1 : ::fcntl(fd, F_DUPFD_CLOEXEC, WorkerProcess::library_there + 1); }

}  // namespace

Result<void> check_worker_program(const std::string& path) {
  DEPROV_TRY(real, trusted_path(path));
  struct stat s {};
  if (::stat(real.c_str(), &s) != 0 || !S_ISREG(s.st_mode) || ::access(real.c_str(), X_OK) != 0) {
    return Error(Errc::invalid_argument, "is no program that this user may run", path,
                 "name deprov-connector-worker, which is installed with deprov");
  }
  return {};
}

Result<WorkerProcess> WorkerProcess::spawn(const std::string& program, int library) {
  DEPROV_CHECK(check_worker_program(program));
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return system_error(program, errno);
  WorkerProcess made(ends[0], -1);
  made.reaped_ = true;  // nothing runs yet
  (void)::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  const int socket = above(ends[1]), copy = above(library);
  ::close(ends[1]);
  int failed = socket < 0 || copy < 0 ? errno : 0;
  pid_t pid = 0;
  if (failed == 0) {
    Files files;
    const Attributes attributes;
    posix_spawn_file_actions_addopen(&files.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files.actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files.actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files.actions, socket, socket_there);
    posix_spawn_file_actions_adddup2(&files.actions, copy, library_there);
    posix_spawn_file_actions_addclosefrom_np(&files.actions, library_there + 1);
    std::string name = "deprov-connector-worker";
    char* argv[] = {name.data(), nullptr};
    auto env = environment();
    failed = ::posix_spawn(&pid, program.c_str(), &files.actions, &attributes.attributes, argv, env.data());
  }
  if (socket >= 0) ::close(socket);
  if (copy >= 0) ::close(copy);
  if (failed != 0) return system_error(program, failed);
  // It is ours and not reaped, so that its number is not another's.
  made.pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (made.pidfd_ < 0) {
    failed = errno;
    ::kill(pid, SIGKILL);
    (void)::waitpid(pid, nullptr, 0);
    return system_error(program, failed);
  }
  made.reaped_ = false;
  return made;
}

WorkerProcess::WorkerProcess(WorkerProcess&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      pidfd_(std::exchange(other.pidfd_, -1)),
      reaped_(std::exchange(other.reaped_, true)) {}

WorkerProcess::~WorkerProcess() {
  if (!reaped_) {
    kill();
    (void)reap();
  }
  if (socket_ >= 0) ::close(socket_);
  if (pidfd_ >= 0) ::close(pidfd_);
}

void WorkerProcess::kill() const noexcept { (void)::syscall(SYS_pidfd_send_signal, pidfd_, SIGKILL, nullptr, 0); }

std::string WorkerProcess::reap() {
  siginfo_t info{};
  int r = 0;
  do {
    r = ::waitid(pidfd_of_waitid, static_cast<id_t>(pidfd_), &info, WEXITED);
  } while (r < 0 && errno == EINTR);
  reaped_ = true;
  if (r < 0) return "in a way that the host's own handling of child processes hides";
  if (info.si_code == CLD_EXITED) return "with the exit code " + std::to_string(info.si_status);
  return std::string("by a signal: ") + ::strsignal(info.si_status);
}

}  // namespace deprov::plugin
