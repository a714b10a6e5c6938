// deprov-connector-worker: runs one connection of one plugin, for the process that started it and for as long as
// that lives. It begins with a socket and a sealed copy of the library, and is told everything else.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <boost/json/parse.hpp>
#include <cerrno>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/event_thread.hpp>
#include <deprov/runtime/random.hpp>
#include <deprov/runtime/threaded_executor.hpp>
#include <iostream>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include "plugin/frames.hpp"
#include "plugin/host.hpp"
#include "plugin/library.hpp"
#include "plugin/placed_kind.hpp"
#include "plugin/worker_process.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DEPROV_SHADOW_MEMORY
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DEPROV_SHADOW_MEMORY
#endif

namespace {

using namespace deprov;          // NOLINT(google-build-using-namespace): a program
using namespace deprov::plugin;  // NOLINT(google-build-using-namespace)

constexpr int the_socket = WorkerProcess::socket_there;

/// Wall time of the host, as it was when that last spoke of it. Timers are this process's own.
class HostClock final : public port::Clock {
 public:
  void set(std::int64_t wall) { offset_ = wall - clock_.wall().micros; }
  [[nodiscard]] WallTime wall() const override { return {clock_.wall().micros + offset_}; }
  [[nodiscard]] MonoTime mono() const override { return clock_.mono(); }

 private:
  runtime::SystemClock clock_;
  std::atomic<std::int64_t> offset_{0};
};

[[noreturn]] void leave() { ::_exit(0); }  // what the connector still does goes with the process

void tell(const wire::Message& message) {
  static std::mutex one_at_a_time;
  const auto frame = wire::encode(message);
  if (!frame) {
    // A page of accounts that is too large: the host reads the call back, and this tells why.
    tell(wire::Log{2, std::string(fault_mark) + frame.error().message()});
    leave();
  }
  const std::lock_guard lock(one_at_a_time);
  for (std::string_view left = *frame; !left.empty();) {
    const auto n = ::send(the_socket, left.data(), left.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) leave();  // the host is gone
    left.remove_prefix(static_cast<std::size_t>(n));
  }
}

port::HttpResult result_of(wire::HttpDone m) {
  using Kind = port::HttpFailure::Kind;
  port::HttpResult out;
  if (m.failure == DEPROV_HTTP_OK) {
    out.response = port::HttpResponse{m.status, std::move(m.headers), std::move(m.body)};
    return out;
  }
  static constexpr std::array<std::pair<std::int32_t, Kind>, 7> kinds{{{DEPROV_HTTP_RESOLVE, Kind::resolve},
                                                                       {DEPROV_HTTP_CONNECT, Kind::connect},
                                                                       {DEPROV_HTTP_TLS, Kind::tls},
                                                                       {DEPROV_HTTP_TIMEOUT, Kind::timeout},
                                                                       {DEPROV_HTTP_BROKEN, Kind::broken},
                                                                       {DEPROV_HTTP_TOO_LARGE, Kind::too_large},
                                                                       {DEPROV_HTTP_CANCELLED, Kind::cancelled}}};
  const auto* it =
      std::find_if(kinds.begin(), kinds.end(), [&](const auto& known) { return known.first == m.failure; });
  out.failure = {it == kinds.end() ? Kind::protocol : it->second, m.sent, std::move(m.detail)};
  return out;
}

/// The connection, and the host as the connector sees it.
class Worker final : public RemoteHost, public port::HttpTransport {
 public:
  explicit Worker(wire::Hello hello) : hello_(std::move(hello)), executor_("connector") {
    clock_.set(hello_.wall);
    renew_cpu();
    executor_.post([this] {
      if (auto ok = open(); !ok) {
        tell(wire::Failed{ok.error().message()});
        leave();
      }
      tell(wire::Ready{wire::version, hello_.calls});
    });
  }

  void take(wire::Message message) {
    if (auto* m = std::get_if<wire::Start>(&message)) return start(std::move(*m));
    if (const auto* m = std::get_if<wire::Cancel>(&message)) return cancel_call(m->id);
    if (auto* m = std::get_if<wire::Secret>(&message)) return answer(*m);
    if (auto* m = std::get_if<wire::HttpDone>(&message)) return done(std::move(*m));
    if (auto* m = std::get_if<wire::CheckpointTold>(&message)) return told(std::move(*m));
    if (std::holds_alternative<wire::Close>(message)) {
      executor_.post([this] {
        app_.reset();
        leave();
      });
    }
  }

  [[nodiscard]] std::optional<std::string> secret(std::string_view name) override {
    Asked asked;
    std::uint64_t id = 0;
    {
      const std::lock_guard lock(mutex_);
      id = ++last_;
      asked_.emplace(id, &asked);
    }
    tell(wire::AskSecret{id, std::string(name)});
    asked.answered.wait();
    return std::move(asked.value);
  }

  void send(std::uint64_t call, port::HttpRequest request,
            port::UniqueFunction<void(port::HttpResult)> done) override {
    wire::SendHttp m;
    m.request = std::move(request);
    {
      const std::lock_guard lock(mutex_);
      m.id = ++last_;
      const auto it = there_.find(call);
      m.call = it == there_.end() ? 0 : it->second;  // 0: it has ended, and the host says so
      exchanges_.emplace(m.id, std::move(done));
    }
    tell(m);
  }
  [[nodiscard]] bool keeps() const override { return hello_.keeps; }
  void checkpoint(std::string name, std::optional<std::string> value, CheckpointTold done) override {
    wire::Checkpoint m;
    m.set = value.has_value();
    m.name = std::move(name);
    m.value = std::move(value).value_or(std::string{});
    {
      const std::lock_guard lock(mutex_);
      m.id = ++last_;
      checkpoints_.emplace(m.id, std::move(done));
    }
    tell(m);
  }
  // Connectors send through the function with a call.
  port::HttpCallId send(port::HttpRequest, port::UniqueFunction<void(port::HttpResult)> done) override {
    port::HttpResult none;
    none.failure = {port::HttpFailure::Kind::protocol, false, "a worker sends nothing itself"};
    done(std::move(none));
    return 0;
  }
  void cancel(port::HttpCallId) override {}  // the host has ended it, with its call

 private:
  struct Asked {
    runtime::Event answered;
    std::optional<std::string> value;
  };

  Result<void> open() {
    DEPROV_TRY(copy, SealedCopy::adopt(WorkerProcess::library_there));
    DEPROV_TRY(manifest, parse_manifest(hello_.manifest));
    manifest.egress = hello_.egress;  // what was meant by the config, of which secrets are not here
    boost::system::error_code ec;
    const auto config = boost::json::parse(hello_.config, ec);
    if (ec || !config.is_object()) return Error(Errc::invalid_syntax, "is no JSON object", "config");
    DEPROV_TRY(table, load_library(std::make_shared<const SealedCopy>(std::move(copy)), "", hello_.path));
    DEPROV_CHECK(check_identity(*table, manifest, hello_.path));
    const auto prefix = "connector " + manifest.description.id + ": ";
    const auto log = [prefix](LogLevel level, std::string_view text) {
      text.remove_prefix(std::min(prefix.size(), text.size()));  // the host puts it back
      tell(wire::Log{static_cast<std::uint8_t>(level), std::string(text)});
    };
    const auto kind = make_kind(std::make_shared<const Plugin>(Plugin{std::move(manifest), table, log, this}));
    DEPROV_TRY(app, kind->open(config.get_object(), {executor_, clock_, random_, *this}));
    const std::lock_guard lock(mutex_);  // the other thread takes it before it looks at `app_`
    app_ = std::move(app);
    return {};
  }

  void start(wire::Start m) {
    clock_.set(m.wall);
    renew_cpu();
    // Held until the call is known: what it does on the executor's thread meanwhile waits.
    const std::lock_guard lock(mutex_);
    const auto id = m.id;
    const auto here = app_->start(std::move(m.call), [this, id](connector::Reply reply) {
      {
        const std::lock_guard ended(mutex_);
        const auto it = here_.find(id);
        if (it != here_.end()) {
          there_.erase(it->second);
          here_.erase(it);
        }
      }
      tell(wire::Replied{id, std::move(reply)});
    });
    here_[id] = here;
    there_[here] = id;
  }

  void cancel_call(std::uint64_t id) {
    connector::CallId here = 0;
    {
      const std::lock_guard lock(mutex_);
      const auto it = here_.find(id);
      if (it == here_.end()) return;
      here = it->second;
    }
    app_->cancel(here);
  }

  void answer(wire::Secret& m) {
    const std::lock_guard lock(mutex_);
    const auto it = asked_.find(m.id);
    if (it == asked_.end()) return;
    if (m.found) it->second->value = std::move(m.value);
    it->second->answered.set();
    asked_.erase(it);
  }

  void done(wire::HttpDone m) {
    std::optional<port::UniqueFunction<void(port::HttpResult)>> f;
    {
      const std::lock_guard lock(mutex_);
      const auto it = exchanges_.find(m.id);
      if (it == exchanges_.end()) return;
      f = std::move(it->second);
      exchanges_.erase(it);
    }
    (*f)(result_of(std::move(m)));
  }

  void told(wire::CheckpointTold m) {
    CheckpointTold f;
    {
      const std::lock_guard lock(mutex_);
      const auto it = checkpoints_.find(m.id);
      if (it == checkpoints_.end()) return;
      f = std::move(it->second);
      checkpoints_.erase(it);
    }
    f(m.status, std::move(m.value));
  }

  /// The bound is on what is burnt without a new call.
  void renew_cpu() const {
    rusage used{};
    rlimit limit{};
    if (hello_.cpu_seconds == 0 || ::getrusage(RUSAGE_SELF, &used) != 0 || ::getrlimit(RLIMIT_CPU, &limit) != 0)
      return;
    const auto now = static_cast<rlim_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec);
    limit.rlim_cur = std::min(limit.rlim_max, now + 1 + static_cast<rlim_t>(hello_.cpu_seconds));
    (void)::setrlimit(RLIMIT_CPU, &limit);
  }

  const wire::Hello hello_;
  HostClock clock_;
  runtime::SeededRandom random_{1};
  std::recursive_mutex mutex_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, Asked*> asked_;
  std::map<std::uint64_t, port::UniqueFunction<void(port::HttpResult)>> exchanges_;
  std::map<std::uint64_t, CheckpointTold> checkpoints_;
  std::map<std::uint64_t, connector::CallId> here_;   ///< by the host's id
  std::map<connector::CallId, std::uint64_t> there_;  ///< the host's id
  std::unique_ptr<connector::Connector> app_;
  runtime::ThreadedExecutor executor_;
};

void bound(int resource, std::uint64_t most) {
  if (most == 0) return;
  rlimit limit{};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return;
  limit.rlim_max = std::min(limit.rlim_max, static_cast<rlim_t>(most));
  limit.rlim_cur = std::min(limit.rlim_cur, limit.rlim_max);
  (void)::setrlimit(static_cast<__rlimit_resource>(resource), &limit);
}

/// Before any code of the connector is loaded.
void set_bounds(const wire::Hello& hello) {
  const rlimit no_core{0, 0};
  (void)::setrlimit(RLIMIT_CORE, &no_core);
  (void)::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  bound(RLIMIT_NOFILE, hello.files);
#if !defined(DEPROV_SHADOW_MEMORY)  // a sanitizer maps terabytes
  bound(RLIMIT_AS, hello.memory_bytes);
#endif
}

}  // namespace

int main() {
  for (const int fd : {WorkerProcess::socket_there, WorkerProcess::library_there})
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
      std::cerr << "deprov-connector-worker: deprov starts this program itself, for connectors of plugins\n";
      return 2;
    }
  wire::Frames frames;
  std::optional<Worker> worker;
  std::array<char, 65536> buffer{};
  for (;;) {
    const auto n = ::read(the_socket, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) leave();  // the host is gone
    frames.feed({buffer.data(), static_cast<std::size_t>(n)});
    for (;;) {
      auto next = frames.next();
      if (!next) leave();
      if (!*next) break;
      if (worker) {
        worker->take(std::move(**next));
        continue;
      }
      auto* hello = std::get_if<wire::Hello>(&**next);
      if (hello == nullptr) leave();
      if (hello->version != wire::version) {
        tell(wire::Failed{"the host speaks version " + std::to_string(hello->version) +
                          " of the protocol and deprov-connector-worker version " + std::to_string(wire::version) +
                          "; install both of one build"});
        leave();
      }
      set_bounds(*hello);
      worker.emplace(std::move(*hello));
    }
  }
}
