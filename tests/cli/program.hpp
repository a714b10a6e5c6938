// The program `deprov`, run as a shell would.
#pragma once

#include <sys/wait.h>
#include <unistd.h>
#include <boost/json/parse.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include "catch.hpp"
#include "paths.hpp"

namespace deprov::test::cli {

namespace json = boost::json;

/// A directory that goes away with the test.
struct Scratch {
  std::string path;
  Scratch() {
    auto name = (std::filesystem::temp_directory_path() / "deprov-cli-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Scratch() {
    std::error_code ec;
    std::filesystem::remove_all(path, ec);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path + "/" + name) << text;
    return path + "/" + name;
  }
};

struct Ran {
  int code = -1;
  std::string out, err;
  [[nodiscard]] json::value json() const { return json::parse(out); }
  [[nodiscard]] std::string text(const char* member) const { return std::string(json().at(member).as_string()); }
};

inline std::string slurp(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// `arguments` as typed in a shell.
inline Ran run(const Scratch& scratch, const std::string& arguments, const std::string& environment = {}) {
  const auto command = "env -u DEPROV_SERVER -u DEPROV_TOKEN -u DEPROV_MASTER_KEY_FILE " + environment + " '" +
                       program() + "' " + arguments + " >'" + scratch.path + "/.out' 2>'" + scratch.path +
                       "/.err' </dev/null";
  const int status = std::system(command.c_str());
  Ran ran;
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  ran.out = slurp(scratch.path + "/.out");
  ran.err = slurp(scratch.path + "/.err");
  return ran;
}

/// `deprov serve` in the background, on a free port.
struct Serving {
  const Scratch& scratch;
  std::string url;
  pid_t pid = 0;

  Serving(const Scratch& s, const std::string& data, const std::string& more = {}) : scratch(s) {
    const auto out = s.path + "/.serving";
    std::filesystem::remove(out);
    // The pipe makes the wait: `head` ends with the first line, which comes when the server listens.
    const auto command = "'" + program() + "' serve --json --data '" + data + "' --listen 127.0.0.1:0 " + more +
                         " >'" + out + "' 2>'" + s.path + "/.serving.err' & echo $! >'" + s.path +
                         "/.pid'; timeout 120 tail -s 0.02 -n +1 -F --pid=$! '" + out +
                         "' 2>/dev/null | head -n 1 >'" + s.path + "/.first'";
    REQUIRE(std::system(command.c_str()) == 0);
    pid = static_cast<pid_t>(std::stol(slurp(s.path + "/.pid")));
    const auto first = slurp(s.path + "/.first");
    INFO(slurp(s.path + "/.serving.err"));
    REQUIRE_FALSE(first.empty());
    url = std::string(json::parse(first).at("listening").as_string());
  }
  ~Serving() { stop(); }
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;
  /// Waits until the process is gone. The shell was its parent, so that its code is not ours to see.
  void stop(int signal = SIGTERM) {
    if (pid == 0) return;
    ::kill(pid, signal);
    (void)std::system(("timeout 120 tail -s 0.02 --pid=" + std::to_string(pid) + " -f /dev/null").c_str());
    CHECK(::kill(pid, 0) != 0);
    pid = 0;
  }
};

}  // namespace deprov::test::cli
