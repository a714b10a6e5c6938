#include "support/program.hpp"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include "catch.hpp"
#include "paths.hpp"
#include "support/raw_client.hpp"

extern char** environ;

namespace deprov::test {

namespace json = boost::json;

namespace {

/// Starts a program; returns -1 where that fails.
pid_t spawn(const std::vector<std::string>& args, int out, int err) {
  std::vector<char*> argv;
  argv.reserve(args.size() + 1);
  for (const auto& a : args) argv.push_back(const_cast<char*>(a.c_str()));  // NOLINT: posix_spawn's type
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, out, 1);
  posix_spawn_file_actions_adddup2(&files, err, 2);
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, argv[0], &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  return failed == 0 ? pid : -1;
}

}  // namespace

TempDir::TempDir() {
  path_ = (std::filesystem::temp_directory_path() / "deprov-test-XXXXXX").string();
  if (::mkdtemp(path_.data()) == nullptr) path_.clear();
  REQUIRE_FALSE(path_.empty());
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void write_file(const std::string& path, std::string_view text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  REQUIRE(out.good());
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

Finished run_deprov(const std::vector<std::string>& args) {
  std::vector<std::string> all{program()};
  all.insert(all.end(), args.begin(), args.end());
  std::array<int, 2> out{}, err{};
  REQUIRE(::pipe2(out.data(), O_CLOEXEC) == 0);
  REQUIRE(::pipe2(err.data(), O_CLOEXEC) == 0);
  const auto pid = spawn(all, out[1], err[1]);
  ::close(out[1]);
  ::close(err[1]);
  REQUIRE(pid > 0);
  Finished finished;
  std::array<pollfd, 2> from{{{out[0], POLLIN, 0}, {err[0], POLLIN, 0}}};
  std::array<std::string*, 2> to{&finished.out, &finished.err};
  while (from[0].fd >= 0 || from[1].fd >= 0) {
    if (::poll(from.data(), from.size(), -1) < 0) break;
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (from[i].fd < 0 || from[i].revents == 0) continue;
      std::array<char, 4096> piece{};
      const auto n = ::read(from[i].fd, piece.data(), piece.size());
      if (n > 0) {
        to[i]->append(piece.data(), static_cast<std::size_t>(n));
      } else {
        ::close(from[i].fd);
        from[i].fd = -1;
      }
    }
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  finished.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return finished;
}

json::value deprov_json(std::vector<std::string> args) {
  args.emplace_back("--json");
  const auto ran = run_deprov(args);
  INFO("deprov " << args.front() << ": " << ran.out << ran.err);
  REQUIRE(ran.exit_code == 0);
  boost::system::error_code ec;
  auto value = json::parse(ran.out, ec);
  REQUIRE_FALSE(ec);
  return value;
}

Serve::Serve(const std::string& data_dir, std::uint16_t port, const Options& options)
    : port_(port), log_path_(data_dir + ".log") {
  std::vector<std::string> args{program(), "serve",    "--data",
                                data_dir,  "--listen", "127.0.0.1:" + std::to_string(port)};
  args.insert(args.end(), options.more.begin(), options.more.end());
  if (!options.before.empty())
    args.insert(args.begin(), {"/bin/sh", "-c", options.before + "; exec \"$@\"", "sh"});
  const int log = ::open(log_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  REQUIRE(log >= 0);
  pid_ = spawn(args, log, log);
  ::close(log);
  REQUIRE(pid_ > 0);
}

Serve::~Serve() { kill(); }

bool Serve::reap(bool wait) {
  if (pid_ <= 0) return true;
  if (::waitpid(pid_, &status_, wait ? 0 : WNOHANG) != pid_) return false;
  pid_ = -1;
  return true;
}

bool Serve::running() { return !reap(false); }

void Serve::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  reap(true);
}

int Serve::terminate(std::chrono::milliseconds limit) {
  if (pid_ <= 0) return -1;
  ::kill(pid_, SIGTERM);
  if (!eventually([&] { return reap(false); }, limit)) {
    kill();
    return -1;
  }
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;
}

bool Serve::wait_ready(std::chrono::milliseconds limit) {
  bool ended = false;
  const bool ready = eventually(
      [&] {
        ended = !running();
        if (ended) return true;
        RawClient client(port_);
        if (!client.connected() || !client.send(get_request("/readyz"))) return false;
        return client.response().status == 200;
      },
      limit);
  return ready && !ended;
}

std::size_t Serve::rss_kib() const {
  std::istringstream status(read_file("/proc/" + std::to_string(pid_) + "/status"));
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmRSS:", 0) == 0) return std::stoul(line.substr(6));
  return 0;
}

void Serve::limit_file_size(std::uint64_t bytes) const {
  rlimit limit{};
  REQUIRE(::prlimit(pid_, RLIMIT_FSIZE, nullptr, &limit) == 0);
  limit.rlim_cur = bytes == 0 ? limit.rlim_max : bytes;
  REQUIRE(::prlimit(pid_, RLIMIT_FSIZE, &limit, nullptr) == 0);
}

std::string Serve::log() const {
  auto text = read_file(log_path_);
  constexpr std::size_t most = 4000;
  if (text.size() > most) text.erase(0, text.size() - most);
  return text;
}

Reply http(std::uint16_t port, std::string_view method, std::string_view target, std::string_view token,
           std::string_view body, std::string_view more_fields) {
  std::string fields(more_fields);
  if (!token.empty()) fields.append("Authorization: Bearer ").append(token).append("\r\n");
  RawClient client(port);
  const bool bodiless = body.empty() && (method == "GET" || method == "DELETE" || method == "HEAD");
  std::string text;
  if (bodiless) {
    text.append(method)
        .append(" ")
        .append(target)
        .append(" HTTP/1.1\r\nHost: t\r\n")
        .append(fields)
        .append("\r\n");
  } else {
    if (fields.find("Content-Type:") == std::string::npos) fields.append("Content-Type: application/json\r\n");
    text = request_with_body(method, target, body, fields);
  }
  Reply reply;
  // What could not be sent whole may have been answered all the same.
  if (client.connected()) static_cast<void>(client.send(text));
  auto raw = client.response(method == "HEAD");
  reply.status = raw.status;
  reply.body = std::move(raw.body);
  boost::system::error_code ec;
  reply.json = json::parse(reply.body, ec);
  if (ec) reply.json = nullptr;
  return reply;
}

std::string init_data(const std::string& data_dir) {
  const auto made = deprov_json({"init", "--data", data_dir});
  return std::string(made.at("owner_token").as_string());
}

Integration create_integration(const TempDir& dir, const std::string& data_dir, const std::string& name,
                               const std::string& idp, const std::string& connector, const json::value& config,
                               const json::value& policy, const std::vector<std::string>& more) {
  const auto config_file = dir.file(name + ".config.json");
  const auto policy_file = dir.file(name + ".policy.json");
  write_file(config_file, json::serialize(config));
  write_file(policy_file, json::serialize(policy));
  std::vector<std::string> args{"integration", "create",    "--data",   data_dir,      "--name",
                                name,          "--idp",     idp,        "--connector", connector,
                                "--config",    config_file, "--policy", policy_file};
  args.insert(args.end(), more.begin(), more.end());
  const auto made = deprov_json(args);
  return {std::string(made.at("id").as_string()), std::string(made.at("scim_base_path").as_string()),
          std::string(made.at("scim_token").as_string())};
}

void pause_between_asking() { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }

}  // namespace deprov::test
