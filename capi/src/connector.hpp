// Connectors that the host brings as callbacks.
#pragma once

#include <deprov.h>
#include <deprov/connector/connector.hpp>
#include <deprov/port/connector.hpp>
#include <memory>
#include "calls.hpp"
#include "guard.hpp"

namespace deprov::capi {

/// What a deprov_connector, its instances and their calls share.
struct ConnectorKind {
  UserData user;
  deprov_connector_callbacks callbacks;
  connector::Description description;
};

/// Errors: `invalid_argument`.
[[nodiscard]] Result<connector::Reply> take_reply(const deprov_reply* reply);

/// The way to one app, through the callbacks.
class HostConnector final : public connector::Connector {
 public:
  HostConnector(std::shared_ptr<const ConnectorKind> kind, std::shared_ptr<Calls> calls,
                std::shared_ptr<const Keeping> keeping, void* instance);
  ~HostConnector() override;
  HostConnector(const HostConnector&) = delete;
  HostConnector& operator=(const HostConnector&) = delete;

  [[nodiscard]] const connector::Description& describe() const override { return kind_->description; }
  connector::CallId start(connector::Call call, connector::Completion done) override;
  void cancel(connector::CallId id) override;
  /// Passes the wish on to the host.
  void ask_to_end(deprov_call* call) const;

 private:
  const std::shared_ptr<const ConnectorKind> kind_;
  const std::shared_ptr<Calls> calls_;
  const std::shared_ptr<const Keeping> keeping_;
  void* const instance_;
};

/// The kind as one engine knows it.
[[nodiscard]] std::shared_ptr<const port::ConnectorKind> make_port_kind(std::shared_ptr<const ConnectorKind> kind,
                                                                        std::shared_ptr<Calls> calls);

}  // namespace deprov::capi

struct deprov_connector {
  std::shared_ptr<const deprov::capi::ConnectorKind> kind;
};
