// The host's side of one connection whose connector runs in a worker process.
#pragma once

#include <cstdint>
#include <deprov/plugin/plugins.hpp>
#include <deprov/runtime/event_thread.hpp>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include "plugin/frames.hpp"
#include "plugin/host.hpp"
#include "plugin/trusted_file.hpp"
#include "plugin/worker_process.hpp"

namespace deprov::plugin {

/// What is started, in process after process.
struct WorkerCode {
  std::shared_ptr<const SealedCopy> copy;
  std::string path;
  std::string manifest;
  WorkerOptions options;
};

/// How long `shut` waits for a worker to close its connection.
inline constexpr Duration worker_close_patience = std::chrono::seconds(2);
/// Beyond the time at which the worker itself answers what is overdue: then it hangs, and is killed.
inline constexpr Duration worker_overdue_after = overdue_after + std::chrono::seconds(5);

/// `event` is a descriptor of eventfd(2), which it takes over. Its process is started by the first call, and again
/// by the first call after its end. A thread of its own speaks with it. *Thread safety*: any thread.
class WorkerSession : public std::enable_shared_from_this<WorkerSession> {
 public:
  WorkerSession(std::shared_ptr<deprov_connector_connection> connection, WorkerCode code, port::Clock& clock,
                int event);
  WorkerSession(const WorkerSession&) = delete;
  WorkerSession& operator=(const WorkerSession&) = delete;
  ~WorkerSession();

  /// Takes over `call`.
  void submit(deprov_connector_call* call);
  void cancel(std::uint64_t id);
  /// Ends it, and the worker with it where it has it.
  bool overdue(std::uint64_t id);
  /// Has the worker close, and waits for its end and for that of the thread. Once.
  void shut();

 private:
  struct Exchange;
  enum class State : std::uint8_t { none, starting, ready };
  using Calls = std::map<std::uint64_t, deprov_connector_call*>;

  void run();
  /// Answers why it ended.
  [[nodiscard]] std::string serve(WorkerProcess& process);
  /// False: nothing more will come; `fault` says what was wrong, if anything was.
  [[nodiscard]] bool read_all(int socket, wire::Frames& frames, std::string& fault);
  [[nodiscard]] Result<void> handle(wire::Message message);
  [[nodiscard]] Result<void> replied(wire::Replied replied);
  void send_http(wire::SendHttp send);
  static void http_done(void* user, const deprov_connector_http_response* response);
  void checkpoint(wire::Checkpoint asked);
  void answer(const wire::Message& message);

  // With the lock held.
  void put(const wire::Message& message);
  void flush();
  void dispatch();
  void wake() const noexcept;

  void died(const std::string& why);
  void end(deprov_connector_call* call, connector::Outcome outcome, const std::string& detail,
           std::optional<Duration> retry_after = std::nullopt);

  const std::shared_ptr<deprov_connector_connection> connection_;
  const WorkerCode code_;
  port::Clock& clock_;
  const int event_;
  std::mutex mutex_;
  State state_ = State::none;
  bool wanted_ = false;
  bool closing_ = false;
  const WorkerProcess* process_ = nullptr;
  std::uint64_t generation_ = 0;
  std::string out_;
  std::string refusal_;  ///< why the connection could not be opened, or why we ended the process
  std::deque<deprov_connector_call*> queued_;
  Calls in_flight_;
  std::uint32_t credit_ = 0;
  std::size_t exchanges_ = 0;
  std::uint32_t early_ends_ = 0;
  MonoTime not_before_{};
  MonoTime started_{};
  runtime::Event ended_;
  std::optional<runtime::EventThread> thread_;
};

}  // namespace deprov::plugin
