// The program `deprov` as a user has it: run to its end, or as a server that can be killed.
#pragma once

#include <sys/types.h>
#include <boost/json/value.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::test {

/// A directory of its own below the system's temporary one, gone with this.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

void write_file(const std::string& path, std::string_view text);
/// "" where there is none.
[[nodiscard]] std::string read_file(const std::string& path);

struct Finished {
  int exit_code = -1;  ///< -1: ended by a signal
  std::string out;
  std::string err;
};
/// Runs `deprov` with these arguments to its end.
[[nodiscard]] Finished run_deprov(const std::vector<std::string>& args);
/// The same with `--json`; fails the test unless it succeeds and prints JSON.
[[nodiscard]] boost::json::value deprov_json(std::vector<std::string> args);

/// A running `deprov serve`. Ended the hard way with this object.
class Serve {
 public:
  struct Options {
    std::vector<std::string> more;  ///< arguments
    std::string before;             ///< shell commands that run in the process before it becomes the server
  };
  Serve(const std::string& data_dir, std::uint16_t port, const Options& options);
  Serve(const std::string& data_dir, std::uint16_t port) : Serve(data_dir, port, Options{}) {}
  ~Serve();
  Serve(const Serve&) = delete;
  Serve& operator=(const Serve&) = delete;

  /// Waits until `/readyz` answers 200. False: it ended, or did not within `limit`.
  bool wait_ready(std::chrono::milliseconds limit = std::chrono::minutes(2));
  [[nodiscard]] bool running();
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// SIGKILL, and waits for the end.
  void kill();
  /// SIGTERM, and waits for the end. The exit code; -1: it had to be killed.
  int terminate(std::chrono::milliseconds limit = std::chrono::minutes(2));
  /// Resident memory now.
  [[nodiscard]] std::size_t rss_kib() const;
  /// Limits the size of files that it writes, from now on; 0: no limit.
  void limit_file_size(std::uint64_t bytes) const;
  /// The last of what it, and those before it on the directory, wrote to standard output and error.
  [[nodiscard]] std::string log() const;

 private:
  bool reap(bool wait);

  std::uint16_t port_;
  std::string log_path_;
  pid_t pid_ = -1;
  int status_ = 0;
};

/// What an HTTP request brought.
struct Reply {
  int status = 0;
  std::string body;
  boost::json::value json;  ///< null where the body is none
};
/// One request on a connection of its own, with a bearer token where one is given.
Reply http(std::uint16_t port, std::string_view method, std::string_view target, std::string_view token = {},
           std::string_view body = {}, std::string_view more_fields = {});

/// An integration that was made with the program.
struct Integration {
  std::string id;
  std::string base;  ///< /scim/v2/...
  std::string token;
};
[[nodiscard]] std::string init_data(const std::string& data_dir);
[[nodiscard]] Integration create_integration(const TempDir& dir, const std::string& data_dir,
                                             const std::string& name, const std::string& idp,
                                             const std::string& connector, const boost::json::value& config,
                                             const boost::json::value& policy,
                                             const std::vector<std::string>& more = {});

/// Asks again and again until `done` says so. False: not within `limit`, which no machine needs.
template <class F>
bool eventually(F done, std::chrono::milliseconds limit = std::chrono::minutes(2));
void pause_between_asking();

template <class F>
bool eventually(F done, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  for (;;) {
    if (done()) return true;
    if (std::chrono::steady_clock::now() > end) return false;
    pause_between_asking();
  }
}

}  // namespace deprov::test
