// Kinds of connectors, and how an instance comes to be.
#pragma once

#include <cstdint>
#include <deprov/connector/connector.hpp>
#include <deprov/error.hpp>
#include <deprov/port/checkpoints.hpp>
#include <deprov/port/clock.hpp>
#include <deprov/port/executor.hpp>
#include <deprov/port/http_transport.hpp>
#include <deprov/port/random.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace deprov::port {

/// Where the code of a connector runs.
enum class Placement : std::uint8_t { by_default, in_process, worker };

/// What a connector may use. All outlive every instance.
struct ConnectorHost {
  Executor& executor;
  Clock& clock;
  Random& random;
  HttpTransport& http;
  Placement placement = Placement::by_default;
  std::shared_ptr<Checkpoints> checkpoints{};  ///< of its integration; null: it keeps nothing
};

/// A file on the engine's machine that a config names.
struct ConfigFile {
  std::string member;  ///< where in the config, "/ca_file"
  std::string path;
  friend bool operator==(const ConfigFile&, const ConfigFile&) = default;
};

/// A kind of connector. *Thread safety*: any thread.
class ConnectorKind {
 public:
  virtual ~ConnectorKind() = default;
  [[nodiscard]] virtual const connector::Description& describe() const = 0;
  /// What the schema cannot say about a config that fits it; touches nothing outside.
  /// Errors: `invalid_argument` naming the member.
  [[nodiscard]] virtual Result<void> validate(const connector::json::object& config) const {
    (void)config;
    return {};
  }
  /// The files that a config which was validated would have read or written; who may name which is the host's to
  /// say
  /// (`engine::Options::may_name_file`).
  [[nodiscard]] virtual std::vector<ConfigFile> files(const connector::json::object& config) const {
    (void)config;
    return {};
  }
  /// Whether it can run there. Errors: `invalid_argument`.
  [[nodiscard]] virtual Result<void> check_placement(Placement placement) const {
    if (placement != Placement::worker) return {};
    return Error(Errc::invalid_argument, "only connectors of plugins run in a worker process", "placement",
                 "leave it out");
  }
  /// `config` has been validated against the schema; secrets are in it, in clear.
  /// Errors: `invalid_argument` naming the member.
  [[nodiscard]] virtual Result<std::unique_ptr<connector::Connector>> open(const connector::json::object& config,
                                                                           ConnectorHost host) const = 0;
};

using ConnectorKinds = std::map<std::string, std::shared_ptr<const ConnectorKind>, std::less<>>;

}  // namespace deprov::port
