// A kind of connectors whose code runs where each connection wants it: in this process, or in one of its own.
#include "plugin/placed_kind.hpp"
#include <sys/eventfd.h>
#include <cerrno>
#include <cstring>
#include <utility>
#include "plugin/library.hpp"

namespace deprov::plugin {

namespace {

class WorkerConnector final : public connector::Connector {
 public:
  WorkerConnector(std::shared_ptr<deprov_connector_connection> connection, WorkerCode code, port::Clock& clock,
                  int event)
      : connection_(std::move(connection)),
        session_(std::make_shared<WorkerSession>(connection_, std::move(code), clock, event)) {
    connection_->on_overdue = [weak = std::weak_ptr(session_)](std::uint64_t id) {
      const auto session = weak.lock();
      return session && session->overdue(id);
    };
  }
  ~WorkerConnector() override {
    session_->shut();  // first: exchanges that it begins until then are ended with the others
    connection_->close([] {});
  }
  WorkerConnector(const WorkerConnector&) = delete;
  WorkerConnector& operator=(const WorkerConnector&) = delete;

  [[nodiscard]] const connector::Description& describe() const override {
    return connection_->plugin().manifest.description;
  }
  connector::CallId start(connector::Call call, connector::Completion done) override {
    if (!describe().of(call.operation).supported) {
      done(not_in_manifest(call.operation));
      return 0;
    }
    auto* made = connection_->add(std::move(call), std::move(done), worker_overdue_after);
    const auto id = made->id;
    session_->submit(made);
    return id;
  }
  void cancel(connector::CallId id) override { session_->cancel(id); }

 private:
  const std::shared_ptr<deprov_connector_connection> connection_;
  const std::shared_ptr<WorkerSession> session_;
};

class PlacedKind final : public port::ConnectorKind {
 public:
  PlacedKind(Plugin plugin, port::Placement placement, WorkerCode code, std::string hash)
      : remote_(std::make_shared<const Plugin>(std::move(plugin))),
        placement_(placement),
        code_(std::move(code)),
        hash_(std::move(hash)) {}

  [[nodiscard]] const connector::Description& describe() const override { return remote_->manifest.description; }

  [[nodiscard]] Result<void> check_placement(port::Placement placement) const override {
    if (placed(placement) != port::Placement::worker) return {};
    if (!code_.options.program.empty()) return check_worker_program(code_.options.program);
    return Error(Errc::invalid_argument, "this program was given no worker program to run connectors in",
                 "placement",
                 "install deprov-connector-worker and name it (--plugin-worker), or choose \"in_process\"");
  }

  [[nodiscard]] Result<std::unique_ptr<connector::Connector>> open(const json::object& config,
                                                                   port::ConnectorHost host) const override {
    DEPROV_CHECK(check_placement(host.placement));
    if (placed(host.placement) != port::Placement::worker) {
      DEPROV_TRY(kind, in_process());
      return kind->open(config, host);
    }
    const int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0) {
      return Error(Errc::io, std::string("a descriptor cannot be had: ") + std::strerror(errno),
                   "connector " + describe().id, "raise the limit of open files");
    }
    auto connection = std::make_shared<deprov_connector_connection>(remote_, config, host);
    return std::unique_ptr<connector::Connector>(
        std::make_unique<WorkerConnector>(std::move(connection), code_, host.clock, event));
  }

  /// Loads the code, unless it is there. Errors: those of `load_library`; `invalid_argument`.
  [[nodiscard]] Result<std::shared_ptr<const port::ConnectorKind>> in_process() const {
    DEPROV_TRY(table, load_library(code_.copy, hash_, code_.path));
    DEPROV_CHECK(check_identity(*table, remote_->manifest, code_.path));
    return make_kind(
        std::make_shared<const Plugin>(Plugin{remote_->manifest, table, remote_->log, nullptr, remote_->record}));
  }

 private:
  [[nodiscard]] port::Placement placed(port::Placement wanted) const noexcept {
    return wanted == port::Placement::by_default ? placement_ : wanted;
  }
  const std::shared_ptr<const Plugin> remote_;  ///< without a table
  const port::Placement placement_;
  const WorkerCode code_;
  const std::string hash_;
};

}  // namespace

Result<void> check_identity(const deprov_connector_table_v1& table, const Manifest& manifest,
                            const std::string& path) {
  const auto same = [&](std::string_view what, std::string_view code, std::string_view said) -> Result<void> {
    if (code == said) return {};
    return Error(Errc::invalid_argument,
                 "the library has the " + std::string(what) + " \"" + std::string(code.substr(0, 100)) +
                     "\", and its manifest says \"" + std::string(said) + "\"",
                 path, "put library and manifest of the same build beside each other");
  };
  DEPROV_CHECK(same("id", view(table.id), manifest.description.id));
  return same("version", view(table.version), manifest.description.version);
}

connector::Reply not_in_manifest(connector::Operation operation) {
  connector::Reply reply;
  reply.outcome = connector::Outcome::unsupported;
  reply.detail = "the manifest of the connector does not name " + std::string(to_string(operation));
  return reply;
}

Result<std::shared_ptr<const port::ConnectorKind>> make_placed_kind(Plugin plugin, port::Placement placement,
                                                                    WorkerCode code, std::string hash) {
  const bool load = placement != port::Placement::worker;
  auto kind = std::make_shared<PlacedKind>(std::move(plugin), placement, std::move(code), std::move(hash));
  if (load)
    if (auto loaded = kind->in_process(); !loaded) return loaded.error();
  return std::shared_ptr<const port::ConnectorKind>(std::move(kind));
}

}  // namespace deprov::plugin
