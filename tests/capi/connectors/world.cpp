#include "capi/connectors/world.hpp"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <atomic>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>
#include "catch.hpp"
#include "paths.hpp"
#include "support/program.hpp"
#include "support/sanitized.hpp"
#include "support/test_server.hpp"

namespace deprov::test {

namespace {

std::vector<char*> arguments(const std::vector<std::string>& command) {
  std::vector<char*> out;
  for (const auto& word : command) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

/// Between fork and exec nothing but system calls.
pid_t start(const std::vector<std::string>& command, int in, int out) {
  auto argv = arguments(command);
  const auto pid = ::fork();
  if (pid != 0) return pid;
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(out, 2);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

std::uint16_t listen_somewhere(int fd) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd, 16) == 0);
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

}  // namespace

Folder::Folder() : dir_(std::make_unique<TempDir>()) {}
Folder::~Folder() = default;
const std::string& Folder::path() const noexcept { return dir_->path(); }
std::string Folder::file(std::string_view name) const { return dir_->file(name); }

bool becomes_true(const std::function<bool()>& is) { return eventually(is); }

std::string output_of(const std::vector<std::string>& command, const std::string& input) {
  const TempDir dir;
  write_file(dir.file("in"), input);
  const int in = ::open(dir.file("in").c_str(), O_RDONLY | O_CLOEXEC);
  const int out = ::open(dir.file("out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(in >= 0);
  REQUIRE(out >= 0);
  const auto pid = start(command, in, out);
  ::close(in);
  ::close(out);
  REQUIRE(pid > 0);
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  auto text = read_file(dir.file("out"));
  INFO(boost::json::serialize(boost::json::value_from(command)) << "\n" << text);
  REQUIRE(status == 0);
  return text;
}

std::string first_program(const std::vector<std::string>& paths) {
  for (const auto& path : paths)
    if (::access(path.c_str(), X_OK) == 0) return path;
  return {};
}

Program::Program(const std::vector<std::string>& command, const std::string& log) {
  const int in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  pid_ = start(command, in, out);
  ::close(in);
  ::close(out);
  REQUIRE(pid_ > 0);
}

Program::~Program() { end(SIGKILL); }

void Program::signal(int number) const {
  ::kill(pid_, number);
  if (number != SIGSTOP) return;
  const bool stands = eventually([&] {
    const auto stat = read_file("/proc/" + std::to_string(pid_) + "/stat");
    return stat.find(") T ") != std::string::npos;
  });
  REQUIRE(stands);
}

void Program::end(int number) {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGCONT);
  ::kill(pid_, number);
  if (number == SIGKILL) ::kill(-pid_, number);
  (void)::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

Certificate::Certificate(const std::string& directory, const std::string& name)
    : certificate(directory + "/" + name + ".crt"), key(directory + "/" + name + ".key") {
  (void)output_of({"/usr/bin/openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                   "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", certificate,
                   "-keyout", key});
}

bool listens(std::uint16_t port) {
  const int fd = connect_to(port);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

// ---- the relay

struct Relay::State {
  explicit State(std::uint16_t where) : to(where), listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    port = listen_somewhere(listener);
    REQUIRE(::pipe2(wake.data(), O_CLOEXEC) == 0);
    thread = std::thread([this] { run(); });
  }
  ~State() {
    (void)!::write(wake[1], "x", 1);
    thread.join();
    for (const int fd : {listener, wake[0], wake[1]}) ::close(fd);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  struct Pair {
    int client, server;
  };

  static bool hand_on(int from, int into) {
    std::array<char, 65536> buffer{};
    const auto n = ::recv(from, buffer.data(), buffer.size(), 0);
    for (ssize_t done = 0; done < n;) {
      const auto sent = ::send(into, buffer.data() + done, static_cast<std::size_t>(n - done), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      done += sent;
    }
    return n > 0;
  }
  /// False: the pair is over.
  bool from_client(const Pair& pair) {
    if (left == 0) {
      left = -1;
      return false;
    }
    if (!hand_on(pair.client, pair.server)) return false;
    if (left < 0 || --left > 0) return true;
    // The answer shows that the server has done it; it goes no further.
    std::array<char, 65536> answer{};
    (void)!::recv(pair.server, answer.data(), answer.size(), 0);
    left = -1;
    return false;
  }
  void run() {
    std::vector<Pair> pairs;
    for (;;) {
      std::vector<pollfd> fds{{wake[0], POLLIN, 0}, {listener, POLLIN, 0}};
      for (const auto& p : pairs) {
        fds.push_back({p.client, POLLIN, 0});
        fds.push_back({p.server, POLLIN, 0});
      }
      if (::poll(fds.data(), fds.size(), -1) < 0) continue;
      if (fds[0].revents != 0) break;
      std::vector<Pair> kept;
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        bool goes_on = fds[3 + 2 * i].revents == 0 || hand_on(pairs[i].server, pairs[i].client);
        goes_on = goes_on && (fds[2 + 2 * i].revents == 0 || from_client(pairs[i]));
        if (goes_on) {
          kept.push_back(pairs[i]);
        } else {
          ::close(pairs[i].client);
          ::close(pairs[i].server);
        }
      }
      pairs = kept;
      if (fds[1].revents == 0) continue;
      const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      const int server = connect_to(to);
      if (client >= 0 && server >= 0) {
        pairs.push_back({client, server});
      } else {
        if (client >= 0) ::close(client);
        if (server >= 0) ::close(server);
      }
    }
    for (const auto& p : pairs) {
      ::close(p.client);
      ::close(p.server);
    }
  }

  const std::uint16_t to;
  int listener;
  std::uint16_t port = 0;
  std::array<int, 2> wake{};
  std::atomic<int> left{-1};
  std::thread thread;
};

Relay::Relay(std::uint16_t to) : state_(std::make_unique<State>(to)) {}
Relay::~Relay() = default;
std::uint16_t Relay::port() const { return state_->port; }
void Relay::cut_after(int messages) { state_->left = messages; }
void Relay::cut() { state_->left = 0; }

// ---- connectors

PluginDirectory::PluginDirectory(const std::string& id) : id_(id) {
  const auto built = std::filesystem::path(program()).parent_path().parent_path() / "connectors";
  for (const auto* end : {".so", ".json"}) {
    std::filesystem::copy_file(built / (id + end), dir_.file(id + end));
    REQUIRE(::chmod(dir_.file(id + end).c_str(), 0644) == 0);
  }
}

std::string PluginDirectory::library() const { return dir_.file(id_ + ".so"); }

std::string PluginDirectory::sha256() const { return output_of({"/usr/bin/sha256sum", library()}).substr(0, 64); }

void remove_and_verify(const std::string& id, const boost::json::object& config, const Removal& removal) {
  const PluginDirectory plugins(id);
  const TempDir dir;
  std::vector<std::string> more{"--plugin-sha256", plugins.library() + "=" + plugins.sha256()};
  const auto worker = dir.file("deprov-connector-worker");
  std::filesystem::copy_file(std::filesystem::path(program()).parent_path() / "deprov-connector-worker", worker);
  REQUIRE(::chmod(worker.c_str(), 0755) == 0);
  more.insert(more.end(), {"--plugin-worker", worker});
  const auto data = dir.file("data");
  const auto owner = init_data(data);
  auto creation = more;
  creation.insert(creation.end(), {"--placement", removal.placement});
  const auto integration = create_integration(dir, data, "App", "okta", id, config, removal.policy, creation);
  Serve server(data, closed_port(), Serve::Options{more, ""});
  INFO(server.log());
  REQUIRE(server.wait_ready());
  const auto made = http(server.port(), "POST", integration.base + "/Users", integration.token,
                         boost::json::serialize(boost::json::object{
                             {"schemas", boost::json::array{"urn:ietf:params:scim:schemas:core:2.0:User"}},
                             {"userName", removal.user_name},
                             {"externalId", "idp-" + removal.user_name},
                             {"active", true}}));
  INFO(made.body);
  REQUIRE(made.status == 201);
  const auto user = std::string(made.json.at("id").as_string());
  const auto gone = http(server.port(), "PATCH", integration.base + "/Users/" + user, integration.token,
                         R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                             "Operations":[{"op":"replace","path":"active","value":false}]})");
  CHECK(gone.status / 100 == 2);
  std::string jobs;
  const bool verified = eventually([&] {
    const auto reply = http(server.port(), "GET", "/api/v1/jobs", owner);
    jobs = reply.body;
    for (const auto& job : reply.json.at("items").as_array())
      if (job.at("kind") == "remove_access" && job.at("state") == "succeeded_verified") return true;
    return false;
  });
  INFO(jobs);
  CHECK(verified);
  INFO(server.log());
  CHECK(server.terminate() == 0);
}

void conforms(const std::string& id, const boost::json::object& fixture) {
  const PluginDirectory plugins(id);
  const TempDir dir;
  write_file(dir.file("fixture.json"), boost::json::serialize(fixture));
  const auto ran =
      run_deprov({"connector", "check", plugins.library(), "--fixture", dir.file("fixture.json"), "--json"});
  INFO(ran.out);
  INFO(ran.err);
  CHECK(ran.exit_code == 0);
  std::set<std::string> placements;
  const auto report = boost::json::parse(ran.out);
  for (const auto& check : report.at("checks").as_array()) {
    placements.insert(std::string(check.at("placement").as_string()));
    const auto line = boost::json::serialize(check);
    INFO(line);
    // Only what the manifest does not name may be left out; sanitizers count memory themselves.
    const bool left_out = line.find("the manifest does not name") != std::string::npos ||
                          (sanitized && line.find("does not count memory") != std::string::npos);
    CHECK((check.at("verdict") == "passed" || left_out));
  }
  CHECK(placements.size() == 2);
}

}  // namespace deprov::test
