#include "cli/connector_check.hpp"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstring>
#include <deprov/crypto/crypto.hpp>
#include <deprov/evidence/record.hpp>
#include <deprov/http/curl_transport.hpp>
#include <deprov/runtime/clock.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <utility>
#include "cli/connector_report.hpp"
#include "cli/recording_file.hpp"
#include "plugin/kit.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace deprov::cli {

namespace {

using plugin::Verdict;

Error check_error(const std::string& what) {
  return {Errc::io, what + ": " + std::strerror(errno), "connector check", "try again"};
}

/// A copy for the kit alone: what a build leaves may be writable by a group, and would not be loaded.
class PrivateCopy {
 public:
  static Result<std::unique_ptr<PrivateCopy>> of(const std::string& library, const std::string& worker) {
    std::error_code ec;
    const std::filesystem::path from = library;
    if (!std::filesystem::is_regular_file(from, ec))
      return Error(Errc::not_found, "is no file", library, "name the library that the build made");
    if (from.extension() != ".so")
      return Error(Errc::invalid_argument, "is not named *.so", library, "name the library, not its manifest");
    auto name = (std::filesystem::temp_directory_path() / "deprov-check-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) return check_error("a temporary directory cannot be made");
    std::unique_ptr<PrivateCopy> copy(new PrivateCopy(name, name + "/" + from.filename().string()));
    auto manifest = from;
    manifest.replace_extension(".json");
    for (const auto& file : {from, manifest}) {
      const auto to = name + "/" + file.filename().string();
      if (!std::filesystem::exists(file, ec)) continue;  // the kit says that the manifest is not there
      std::filesystem::copy_file(file, to, ec);
      if (ec) return Error(Errc::io, "cannot be copied: " + ec.message(), file.string());
      (void)::chmod(to.c_str(), 0600);
    }
    if (worker.empty()) return copy;
    copy->worker_ = name + "/deprov-connector-worker";
    std::filesystem::copy_file(worker, copy->worker_, ec);
    if (ec) return Error(Errc::io, "cannot be copied: " + ec.message(), worker, "name it with --plugin-worker");
    (void)::chmod(copy->worker_.c_str(), 0700);
    return copy;
  }
  ~PrivateCopy() {
    std::error_code ec;
    std::filesystem::remove_all(directory_, ec);
  }
  PrivateCopy(const PrivateCopy&) = delete;
  PrivateCopy& operator=(const PrivateCopy&) = delete;
  [[nodiscard]] const std::string& directory() const noexcept { return directory_; }
  [[nodiscard]] const std::string& library() const noexcept { return library_; }
  /// Empty where there is none.
  [[nodiscard]] const std::string& worker() const noexcept { return worker_; }

 private:
  PrivateCopy(std::string directory, std::string library)
      : directory_(std::move(directory)), library_(std::move(library)) {}
  const std::string directory_, library_;
  std::string worker_;
};

Result<plugin::Fixture> read_fixture(const CheckOptions& o) {
  if (o.fixture.empty()) return plugin::Fixture{};
  DEPROV_TRY(value, read_json_file(o.fixture, "--fixture"));
  auto fixture = plugin::parse_fixture(value);
  if (!fixture) return fixture.error().within("--fixture " + o.fixture);
  return fixture;
}

/// In the process of one check. It ends without ado: what the connector left running goes with it.
[[noreturn]] void judge_here(const CheckOptions& o) {
  const auto fixture = read_fixture(o);
  Verdict verdict{Verdict::Is::failed, "the fixture cannot be read", {}};
  if (fixture) {
    const auto http = http::make_curl_transport();
    const auto crypto = crypto::make_crypto();
    // Made by who started this process; the other checks write to it as well.
    auto recording = o.record.empty() ? Result<std::shared_ptr<RecordingFile>>(nullptr)
                                      : RecordingFile::open(o.record, RecordingFile::Begin::append, "--record");
    std::atomic<bool> written = recording.has_value();
    std::function<void(const plugin::RecordedExchange&)> hook;
    if (written && *recording != nullptr)
      hook = [file = *recording, &written](const plugin::RecordedExchange& e) { written = file->add(e); };
    verdict = plugin::run_check(o.only.front(), o.library, *fixture, *http, *crypto, o.worker, std::move(hook));
    if (!written) verdict = {Verdict::Is::failed, "the recording cannot be written", {}};
  }
  const auto text =
      json::serialize(json::object{
          {"is", to_string(verdict.is)}, {"detail", verdict.detail}, {"lacks", static_cast<int>(verdict.lacks)}}) +
      "\n";
  const auto written = ::write(o.verdict_to, text.data(), text.size());
  ::_exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
}

struct Ended {
  std::string text;
  int status = 0;
  bool too_late = false;
};

/// Reads until the other side closes, or the time is up; then the process is ended, and reaped.
Ended wait_for_end(pid_t pid, int from, Duration limit) {
  Ended out;
  const runtime::SystemClock clock;
  const auto until = clock.mono() + limit;
  const int process = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  for (bool reading = true, running = true; running || reading;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock.mono()).count();
    if (left <= 0) {
      out.too_late = running;
      break;
    }
    pollfd fds[2] = {{reading ? from : -1, POLLIN, 0}, {running ? process : -1, POLLIN, 0}};
    if (::poll(fds, 2, static_cast<int>(std::min<std::int64_t>(left, 60'000))) < 0 && errno != EINTR) break;
    if (fds[0].revents != 0) {
      char buffer[4096];
      const auto n = ::read(from, buffer, sizeof buffer);
      if (n > 0 && out.text.size() < (1U << 20U)) out.text.append(buffer, static_cast<std::size_t>(n));
      if (n == 0) reading = false;
    }
    if (fds[1].revents != 0) running = false;
    if (!running && fds[0].revents == 0) break;  // a grandchild may hold the pipe open
  }
  ::kill(pid, SIGKILL);
  while (::waitpid(pid, &out.status, 0) < 0 && errno == EINTR) {
  }
  if (process >= 0) ::close(process);
  return out;
}

Verdict verdict_of(const Ended& ended, int seconds) {
  const auto failed = [](std::string detail) { return Verdict{Verdict::Is::failed, std::move(detail), {}}; };
  if (ended.too_late) return failed("came to no end within " + std::to_string(seconds) + " s");
  boost::system::error_code ec;
  const auto value = json::parse(ended.text, ec);
  // The connector was in that process, too.
  const auto* o = ec ? nullptr : value.if_object();
  const auto* detail = o == nullptr ? nullptr : o->if_contains("detail");
  const auto* lacks = o == nullptr ? nullptr : o->if_contains("lacks");
  if (detail != nullptr && detail->is_string() && lacks != nullptr && lacks->is_int64()) {
    const auto is = cell(value, "is");
    const auto known = std::clamp<std::int64_t>(lacks->get_int64(), 0, static_cast<int>(Verdict::Lacks::not_here));
    return {is == "passed"    ? Verdict::Is::passed
            : is == "skipped" ? Verdict::Is::skipped
                              : Verdict::Is::failed,
            std::string(detail->get_string()), static_cast<Verdict::Lacks>(known)};
  }
  if (WIFSIGNALED(ended.status))
    return failed(std::string("ended the process by a signal: ") + ::strsignal(WTERMSIG(ended.status)));
  return failed("ended the process with the exit code " + std::to_string(WEXITSTATUS(ended.status)));
}

Result<Verdict> judge(const CheckOptions& o, const PrivateCopy& copy, std::string_view name, bool in_worker) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return check_error("a pipe cannot be made");
  constexpr int verdict_fd = 3;
  std::vector<std::string> words{"deprov", "connector",       "check",        copy.library(),
                                 "--only", std::string(name), "--verdict-to", std::to_string(verdict_fd)};
  if (!o.fixture.empty()) words.insert(words.end(), {"--fixture", std::filesystem::absolute(o.fixture).string()});
  if (!o.record.empty()) words.insert(words.end(), {"--record", std::filesystem::absolute(o.record).string()});
  if (in_worker) words.insert(words.end(), {"--plugin-worker", copy.worker()});
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (ends[1] == verdict_fd) {
    // The same number would keep its close-on-exec.
    const int moved = ::fcntl(ends[1], F_DUPFD_CLOEXEC, verdict_fd + 1);
    ::close(ends[1]);
    ends[1] = moved;
  }
  posix_spawn_file_actions_adddup2(&actions, ends[1], verdict_fd);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  const int failed = ::posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (failed != 0) {
    ::close(ends[0]);
    errno = failed;
    return check_error("a process cannot be started");
  }
  const auto ended = wait_for_end(pid, ends[0], std::chrono::seconds(o.time_limit));
  ::close(ends[0]);
  auto verdict = verdict_of(ended, o.time_limit);
  const auto& from = copy.directory();
  const auto to = std::filesystem::path(o.library).parent_path().string();
  for (auto at = verdict.detail.find(from); at != std::string::npos;
       at = verdict.detail.find(from, at + to.size()))
    verdict.detail.replace(at, from.size(), to.empty() ? "." : to);
  return verdict;
}

/// What is judged is what was copied, whatever a build does to the original meanwhile.
CheckReport report_of(const std::string& library, const PrivateCopy& copy) {
  CheckReport out;
  out.library = library;
  out.checked = runtime::SystemClock().wall();
  std::ifstream file(copy.library(), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  out.sha256 = evidence::to_hex(crypto::make_crypto()->sha256(port::bytes_of(bytes)));
  const auto manifest =
      read_json_file(std::filesystem::path(copy.library()).replace_extension(".json").string(), "");
  if (!manifest) return out;  // a check says so
  out.connector = cell(*manifest, "id");
  out.version = cell(*manifest, "version");
  return out;
}

bool wanted(const CheckOptions& o, std::string_view name) {
  return o.only.empty() || std::any_of(o.only.begin(), o.only.end(), [&](const std::string& only) {
           return name == only || name.substr(0, name.find('.')) == only;
         });
}

}  // namespace

Result<int> check_connector(const Session& session, const CheckOptions& o) {
  if (o.verdict_to >= 0 && o.only.size() == 1) judge_here(o);
  for (const auto& only : o.only) {
    const auto& all = plugin::checks();
    if (std::none_of(all.begin(), all.end(),
                     [&](const auto& c) { return c.name == only || c.name.substr(0, c.name.find('.')) == only; }))
      return Error(Errc::invalid_argument, "the kit has no check or group \"" + only + "\"", "--only",
                   "see what `deprov connector check LIB` lists");
  }
  DEPROV_CHECK(read_fixture(o));
  if (!o.record.empty()) DEPROV_CHECK(RecordingFile::open(o.record, RecordingFile::Begin::anew, "--record"));
  const auto worker = o.placement == "in_process" ? std::string()
                      : o.worker.empty()          ? find_worker_program()
                                                  : o.worker;
  DEPROV_TRY(copy, PrivateCopy::of(o.library, worker));
  const runtime::SystemClock clock;
  auto report = report_of(o.library, *copy);
  auto& all = report.checks;
  bool loads = true;
  for (const bool in_worker : {false, true}) {
    if (o.placement == (in_worker ? "in_process" : "worker")) continue;
    for (const auto& check : plugin::checks()) {
      if (!loads || !wanted(o, check.name) || (in_worker && !check.in_worker)) continue;
      const auto begun = clock.mono();
      Verdict verdict{Verdict::Is::skipped, "there is no deprov-connector-worker: name it with --plugin-worker",
                      Verdict::Lacks::not_given};
      if (!in_worker || !worker.empty()) {
        DEPROV_TRY(judged, judge(o, *copy, check.name, in_worker));
        verdict = std::move(judged);
      }
      if (o.require_all && verdict.is == Verdict::Is::skipped && verdict.lacks != Verdict::Lacks::not_offered) {
        verdict.is = Verdict::Is::failed;
        verdict.detail.insert(0, "was skipped, which --require-all does not allow: ");
      }
      all.push_back({check, in_worker, std::move(verdict), clock.mono() - begun});
      // Nothing else can be said of what does not load.
      loads = check.name != "loading.loads" || all.back().verdict.is != Verdict::Is::failed;
    }
  }
  if (!o.junit.empty()) {
    std::ofstream out(o.junit, std::ios::binary);
    out << junit_of(report) << std::flush;
    if (!out) return Error(Errc::io, "the report cannot be written", "--junit " + o.junit, "name another file");
  }
  if (session.as_json) {
    print_json(json_of(report));
  } else {
    std::cout << text_of(report);
  }
  return count(report, Verdict::Is::failed) == 0 ? exit_ok : exit_failure;
}

}  // namespace deprov::cli
