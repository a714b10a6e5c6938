// The host's side of the border: its table, and what stands behind the handles in it.
#pragma once

#include <atomic>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <deprov/connector/connector.hpp>
#include <deprov/plugin/plugins.hpp>
#include <deprov/port/connector.hpp>
#include <deprov/port/task.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#include "plugin/abi.hpp"
#include "plugin/manifest.hpp"
#include "plugin/recording.hpp"

namespace deprov::plugin {

/// How many handles are with connectors now, in this process.
struct Live {
  std::int64_t texts = 0;
  std::int64_t documents = 0;
  std::int64_t calls = 0;
};
[[nodiscard]] Live live() noexcept;
inline std::atomic<std::int64_t> live_calls{0};

/// Which table connectors are given. Static.
[[nodiscard]] const deprov_connector_host_v1& host_table() noexcept;

/// What became of a checkpoint: one of `DEPROV_OK` and `DEPROV_ERR_*`, and what was kept.
using CheckpointTold = port::UniqueFunction<void(std::int32_t status, std::string value)>;

/// In a worker process: the host that it works for.
class RemoteHost {
 public:
  virtual ~RemoteHost() = default;
  [[nodiscard]] virtual std::optional<std::string> secret(std::string_view name) = 0;
  /// As `HttpTransport::send`, on behalf of a call by its id there; it is ended when the call is cancelled.
  virtual void send(std::uint64_t call, port::HttpRequest request,
                    port::UniqueFunction<void(port::HttpResult)> done) = 0;
  [[nodiscard]] virtual bool keeps() const = 0;
  /// As `deprov_connector_connection::checkpoint`.
  virtual void checkpoint(std::string name, std::optional<std::string> value, CheckpointTold done) = 0;
};

/// A connector that was loaded.
struct Plugin {
  Manifest manifest;
  const deprov_connector_table_v1* table = nullptr;
  std::function<void(LogLevel, std::string_view)> log;
  /// Also takes secrets out of what is said, since it knows them.
  RemoteHost* remote = nullptr;
  std::function<void(const RecordedExchange&)> record{};
};

/// Begins what is logged of a connector's own faults.
inline constexpr std::string_view fault_mark = "fault: ";

/// A kind of connectors whose code is `plugin`.
[[nodiscard]] std::shared_ptr<const port::ConnectorKind> make_kind(std::shared_ptr<const Plugin> plugin);

/// The member at a dotted path; null where there is none.
[[nodiscard]] const json::value* find_member(const json::object& config, std::string_view path);

/// A call that is not complete when its time and this are over is answered for the connector.
inline constexpr Duration overdue_after = std::chrono::seconds(5);

}  // namespace deprov::plugin

/// What one opened connection, its calls and its HTTP exchanges share. *Thread safety*: any thread.
struct deprov_connector_connection : std::enable_shared_from_this<deprov_connector_connection> {
 public:
  using Call = deprov::connector::Call;
  using Completion = deprov::connector::Completion;
  using Reply = deprov::connector::Reply;
  using HttpDone = void (*)(void*, const deprov_connector_http_response*);

  deprov_connector_connection(std::shared_ptr<const deprov::plugin::Plugin> plugin,
                              const deprov::plugin::json::object& config, deprov::port::ConnectorHost host);

  [[nodiscard]] const deprov::plugin::Plugin& plugin() const noexcept { return *plugin_; }
  [[nodiscard]] const deprov::plugin::json::object& config() const noexcept { return config_; }
  /// Whom the manifest and the config allow to be spoken to.
  [[nodiscard]] const std::vector<std::string>& egress() const noexcept { return egress_; }
  /// Nothing where there is none of that name.
  [[nodiscard]] std::optional<std::string> secret(std::string_view name) const;
  [[nodiscard]] deprov::port::Clock& clock() const noexcept { return host_.clock; }
  /// Without secrets, without control characters, of bounded length.
  [[nodiscard]] std::string clean(std::string_view text, std::size_t most) const;
  void log(deprov::plugin::LogLevel level, std::string_view message) const;

  /// Logs that the connector did what it may not.
  void fault(std::string_view what) const;

  /// A call that waits for its completion. When its time and `grace` are over, `on_overdue` decides, and where
  /// that does not, it is answered for the connector.
  [[nodiscard]] deprov_connector_call* add(Call call, Completion done,
                                           deprov::Duration grace = deprov::plugin::overdue_after);
  /// True: it sees to that call. By the executor. To be set before the first call.
  std::function<bool(std::uint64_t id)> on_overdue;
  /// Errors: `conflict`, `closed`.
  deprov::Result<void> finish(std::uint64_t id, Reply reply);
  /// Its last owner let go of it.
  void forget(deprov_connector_call& call);
  /// The call of that id with one more owner, marked as cancelled and its exchanges ended; null where it has ended
  /// or was cancelled before.
  [[nodiscard]] deprov_connector_call* cancel(std::uint64_t id);

  /// Errors: `closed`.
  deprov::Result<void> send(deprov_connector_call& call, deprov::port::HttpRequest request, void* user,
                            HttpDone done);

  /// Keeps `value` under `name`, or asks for what is kept there. `done` is called by the executor, once, unless an
  /// error is answered; at the latest by `close`. Errors: `DEPROV_ERR_*`.
  [[nodiscard]] std::int32_t checkpoint(std::string name, std::optional<std::string> value,
                                        deprov::plugin::CheckpointTold done);
  /// Whether its host keeps anything.
  [[nodiscard]] bool keeps() const noexcept;

  /// Runs `f`, which calls the connector, unless that was closed; never two at once. False: it was closed.
  template <class F>
  bool in_turn(F f) {
    const std::lock_guard lock(turn_);
    if (closed_) return false;
    f();
    return true;
  }
  /// Ends the exchanges and checkpoints that are left, has `f` close the connector, and lets nothing reach it
  /// again, and no completion have a consequence.
  template <class F>
  void close(F f) {
    const std::lock_guard lock(turn_);
    end_checkpoints();  // first: an exchange that one of them begins is ended with the others
    end_exchanges();
    closed_ = true;
    f();
    shut();
  }
  /// No completion has a consequence from here on; for a connection that was never opened.
  void shut();

 private:
  struct Pending {
    deprov_connector_call* call;  // not an owner
    Completion done;
    deprov::port::TimerId timer;
  };
  struct Exchange {
    std::uint64_t call;
    void* user;
    HttpDone done;
    deprov::port::HttpCallId id;
    bool begun;
    std::shared_ptr<deprov::plugin::RecordedExchange> recorded;
    deprov::MonoTime at;
  };
  [[nodiscard]] bool may_reach(const std::string& url) const;
  void arrived(std::uint64_t exchange, deprov::port::HttpResult result);
  void deliver(std::uint64_t exchange, const deprov::port::HttpResult& result, std::int32_t failure);
  void overdue(std::uint64_t id);
  void end_exchanges();
  void kept(std::uint64_t number, std::int32_t status, std::string value);
  void tell(std::uint64_t number, std::int32_t status, std::string value);
  void end_checkpoints();

  const std::shared_ptr<const deprov::plugin::Plugin> plugin_;
  const deprov::port::ConnectorHost host_;
  deprov::plugin::json::object config_;
  std::map<std::string, std::string, std::less<>> secrets_;
  std::vector<std::string> hidden_;  ///< texts that must not appear in any log
  std::vector<std::string> egress_;
  std::optional<deprov::plugin::Recorder> recorder_;  ///< nothing where nobody wants it
  std::recursive_mutex turn_;                         ///< around what calls the connector; taken before `mutex_`
  bool closed_ = false;
  std::mutex mutex_;
  bool open_ = true;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, Pending> pending_;
  std::map<std::uint64_t, Exchange> exchanges_;
  bool keeping_ = true;
  std::map<std::uint64_t, deprov::plugin::CheckpointTold> checkpoints_;
};

struct deprov_connector_call {
  deprov_connector_call() noexcept { ++deprov::plugin::live_calls; }
  ~deprov_connector_call() { --deprov::plugin::live_calls; }
  deprov_connector_call(const deprov_connector_call&) = delete;
  deprov_connector_call& operator=(const deprov_connector_call&) = delete;

  std::atomic<std::size_t> owners{1};
  std::atomic<bool> cancelled{false};
  std::uint64_t id = 0;
  deprov::MonoTime deadline{};
  deprov::connector::Call call;
  std::vector<deprov_str> emails;
  deprov_connector_request request{};  ///< borrows from `call` and `emails`
  std::shared_ptr<deprov_connector_connection> connection;
};
