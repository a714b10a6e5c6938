// Everything put together: a data directory, an engine on it, and the endpoints. The shortest way to embed.
#pragma once

#include <deprov/crypto/keys.hpp>
#include <deprov/engine/engine.hpp>
#include <deprov/http/egress.hpp>
#include <deprov/plugin/plugins.hpp>
#include <deprov/port/clock.hpp>
#include <deprov/runtime/notice.hpp>
#include <deprov/service/admin_service.hpp>
#include <deprov/service/ops_service.hpp>
#include <deprov/service/scim_service.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace deprov {

/// Whether a path (absolute, or from the working directory on) is beneath one of these directories, with links
/// followed to what is there.
[[nodiscard]] bool is_beneath(const std::vector<std::string>& directories, const std::string& path);

struct InstanceOptions {
  std::string directory{};  ///< holds the store and, unless `key_file` says otherwise, the master key
  bool create = true;       ///< false: a directory without a store is `not_found`
  bool background = true;   ///< false: jobs are left alone; for looking and managing only
  std::string key_file{};   ///< 32 bytes; empty: `master.key` in the directory, made when absent
  /// True: `master.key` gets a fresh key, and what the old one sealed is sealed anew before `open` answers. After
  /// a crash in between the next `open` goes on with it, whatever this says. A key that is kept elsewhere is
  /// replaced by who keeps it: the old one stays beside it, as `key_file` + ".former", until the store was opened
  /// once.
  bool rotate_key = false;
  port::ConnectorKinds connectors{};                        ///< besides those that deprov brings
  std::optional<std::vector<std::string>> connector_ids{};  ///< those that may be used; nothing: all
  /// Beneath these, connections that principals make or change may name files of this machine: the app of a
  /// sandbox, a file of authorities. The machine's own administrator (a principal without an id) may name any.
  std::vector<std::string> config_directories{};
  plugin::Options plugins{};  ///< connectors in files of their own; by default none is loaded
  http::Egress egress = http::Egress::own_networks;  ///< where connectors may connect to
  service::ScimOptions scim{};
  service::OpsOptions ops{};
  std::function<std::string()> more_metrics{};  ///< text that `/metrics` shows besides
  /// True: a store that ends with the instance; without `key` its secrets are sealed under a key of chance.
  bool in_memory = false;
  std::optional<crypto::Key> key{};  ///< the master key itself; given, `key_file` is not looked at
  /// Keys that were the master key before `key`: what they sealed is sealed anew, after which they may be dropped.
  std::vector<crypto::Key> former_keys{};
  std::shared_ptr<port::Clock> clock{};  ///< what time it is; timers follow the machine's monotonic clock always
  std::size_t readers = 2;               ///< threads that read the store; the writer is one more
  /// True: no thread of ours runs, but for HTTP once a connector of deprov's own sends something; the host calls
  /// `pump`. Functions that block pump meanwhile.
  bool host_driven = false;
};

/// An engine with its own executor thread (or driven by the host), SQLite store, libcurl transport and OpenSSL.
/// Products that want other parts put them together themselves: see `engine::Ports`.
///
/// *Thread safety*: any thread, but never from the engine's executor (closing waits for it).
class Instance {
 public:
  /// Blocks until the engine runs.
  /// Errors: `store_locked` (another process has the directory), `store_version`, `not_found`, `io`, and those of
  /// the key file and of the plugins; `invalid_argument` where a store in memory is given a directory, or a
  /// connector is not known.
  [[nodiscard]] static Result<std::unique_ptr<Instance>> open(InstanceOptions options);
  /// Closes with a deadline of ten seconds.
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  [[nodiscard]] engine::Engine& engine() noexcept;
  /// SCIM at `/scim/v2/{integration}`, security events at `/events/{source}`, the admin API at `/api/v1`,
  /// `/healthz`, `/readyz`, `/metrics`.
  [[nodiscard]] service::Handler& handler() noexcept;
  [[nodiscard]] service::AdminService& admin() noexcept;
  [[nodiscard]] service::OpsService& ops() noexcept;

  /// Blocks: begins nothing new, waits for calls in flight until `deadline`. Further calls do nothing.
  /// Errors: `timeout`; what was abandoned is read back at the next start.
  Result<void> close(Duration deadline);

  /// For `host_driven`: see `runtime::HostExecutor`. Without it nothing is to be done, and there is no descriptor.
  std::optional<MonoTime> pump(Duration budget);
  [[nodiscard]] int descriptor() const noexcept;
  /// Blocks until `notice` is up, pumping where the host drives. False: the time ran out first.
  bool wait_until(const runtime::Notice& notice, Duration timeout);

  /// Runs an asynchronous function of the engine and blocks for its answer:
  /// `instance->wait<Principal>([&](auto done) { instance->engine().authenticate(token, std::move(done)); })`
  template <class T, class Start>
  Result<T> wait(Start start);

 private:
  struct Parts;
  explicit Instance(std::unique_ptr<Parts> parts);
  /// Blocks until the function it hands out was called.
  void block(const std::function<void(std::function<void()>)>& body);
  std::unique_ptr<Parts> parts_;
};

template <class T, class Start>
Result<T> Instance::wait(Start start) {
  auto answer = std::make_shared<std::optional<Result<T>>>();
  block([&](std::function<void()> finished) {
    start(engine::Done<T>([answer, finished = std::move(finished)](Result<T> r) {
      *answer = std::move(r);
      finished();
    }));
  });
  return std::move(**answer);
}

}  // namespace deprov
