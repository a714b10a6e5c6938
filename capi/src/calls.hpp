// Calls to connectors of the host that were not completed yet.
#pragma once

#include <deprov.h>
#include <atomic>
#include <deprov/connector/connector.hpp>
#include <deprov/port/checkpoints.hpp>
#include <deprov/port/executor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>
#include "log.hpp"

namespace deprov::capi {

struct ConnectorKind;
class HostConnector;

/// What one instance of a connector keeps, and where.
struct Keeping {
  std::shared_ptr<port::Checkpoints> checkpoints;  ///< nothing where the engine has none
  port::Executor& executor;
  std::vector<std::string> secrets;  ///< of the config: they are not kept
};
/// What became of a checkpoint. Whoever it calls throws nothing.
using CheckpointTold = std::function<void(deprov_status status, const std::string& value)>;

/// A completion counts once, and comes on the engine's executor. After `shut` it has no consequence, so that a
/// call may outlive its engine. *Thread safety*: any thread.
class Calls {
 public:
  struct Straggler {
    std::string connector, operation, account;
  };

  explicit Calls(std::shared_ptr<const Log> log) : log_(std::move(log)) {}

  /// Nothing: shut, and `done` is as it was.
  deprov_call* add(const std::shared_ptr<Calls>& self, std::shared_ptr<const Keeping> keeping,
                   HostConnector& owner, std::shared_ptr<const ConnectorKind> kind, connector::Call call,
                   connector::Completion& done);
  /// Errors: `conflict`, `closed`.
  Result<void> finish(std::uint64_t id, connector::Reply reply);
  /// Keeps `value` under `name`, or asks what is kept there. Errors: as deprov_call_checkpoint_set.
  Result<void> checkpoint(const std::shared_ptr<Calls>& self, const std::shared_ptr<const Keeping>& keeping,
                          std::string name, std::optional<std::string> value, CheckpointTold done);
  /// The last owner let go of a call.
  void forget(deprov_call& call);

  /// Both on the executor.
  void cancel(std::uint64_t id);
  void cancel_all();

  [[nodiscard]] std::vector<Straggler> stragglers() const;
  /// No completion has a consequence from here on; what waits for one is let go of on the executor. Whoever waits
  /// for a checkpoint is told that it is over.
  void shut();

 private:
  struct Pending {
    deprov_call* call;  // not an owner
    HostConnector* connector;
    port::Executor* executor;
    connector::Completion done;
  };
  struct Kept {
    std::shared_ptr<const Keeping> keeping;
    CheckpointTold done;
  };
  void ask_to_end(std::uint64_t id);
  void kept(const std::shared_ptr<Calls>& self, std::uint64_t number, deprov_status status, std::string value);
  void tell(std::uint64_t number, deprov_status status, const std::string& value);

  const std::shared_ptr<const Log> log_;
  mutable std::mutex mutex_;
  std::map<std::uint64_t, Pending> pending_;
  std::map<std::uint64_t, Kept> checkpoints_;
  std::uint64_t last_ = 0;
  bool open_ = true;
};

}  // namespace deprov::capi

struct deprov_call {
  std::atomic<std::size_t> owners{1};
  std::atomic<bool> cancelled{false};
  std::uint64_t id = 0;
  deprov::connector::Call call;
  std::shared_ptr<deprov::capi::Calls> calls;
  std::shared_ptr<const deprov::capi::Keeping> keeping;
  std::shared_ptr<const deprov::capi::ConnectorKind> kind;  // keeps `user`
};
