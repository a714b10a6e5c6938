#include "scim_connector.hpp"
#include <deprov/http/authorities.hpp>
#include <memory>
#include <utility>
#include "scim_config.hpp"
#include "scim_core.hpp"

namespace deprov::connectors {

namespace {

using connector::Capability;
using connector::Description;
using connector::Idempotency;
using connector::Operation;
using connector::Verification;

Capability capability(bool reversible, Verification verification) {
  Capability c;
  c.supported = true;
  c.reversible = reversible;
  c.idempotency = Idempotency::naturally;
  c.verification = verification;
  return c;
}

Description describe_scim() {
  Description d;
  d.id = "scim";
  d.name = "SCIM 2.0";
  d.version = DEPROV_VERSION;
  d.config_schema = scim_config_schema();
  d.secret_paths = scim_secret_paths();
  d.own_account = {"auth.user", "auth.client_id"};
  for (const auto o :
       {Operation::check, Operation::find, Operation::read, Operation::list, Operation::list_entitlements})
    d.of(o) = capability(true, Verification::none);
  d.of(Operation::disable) = capability(true, Verification::read);
  d.of(Operation::enable) = capability(true, Verification::read);
  d.of(Operation::remove) = capability(false, Verification::read);
  d.of(Operation::revoke_entitlement) = capability(true, Verification::read);
  d.of(Operation::grant_entitlement) = capability(true, Verification::read);
  d.of(Operation::disable).dangers = {
      "where the app has no PATCH the whole account is written back by PUT; attributes that the app does not show "
      "may be lost"};
  d.of(Operation::remove).dangers = {"what DELETE takes along (files, mailboxes, licences) is the app's decision"};
  d.of(Operation::revoke_entitlement).dangers = {
      "where the app refuses a filter on members the array form is used; an app that misreads it empties the "
      "group"};
  return d;
}

class ScimConnector final : public connector::Connector {
 public:
  ScimConnector(Description description, ScimConfig config, port::ConnectorHost host)
      : description_(std::move(description)),
        executor_(host.executor),
        core_(std::make_shared<ScimCore>(std::move(config), host)) {}

  [[nodiscard]] const Description& describe() const override { return description_; }

  connector::CallId start(connector::Call call, connector::Completion done) override {
    const auto id = ++last_id_;
    if (executor_.running_here()) {
      core_->start(id, std::move(call), std::move(done));
    } else {
      executor_.post([core = core_, id, call = std::move(call), done = std::move(done)]() mutable {
        core->start(id, std::move(call), std::move(done));
      });
    }
    return id;
  }

  void cancel(connector::CallId id) override {
    if (executor_.running_here())
      core_->cancel(id);
    else
      executor_.post([core = core_, id] { core->cancel(id); });
  }

 private:
  const Description description_;
  port::Executor& executor_;
  std::shared_ptr<ScimCore> core_;
  connector::CallId last_id_ = 0;
};

class ScimKind final : public port::ConnectorKind {
 public:
  [[nodiscard]] const Description& describe() const override { return description_; }

  [[nodiscard]] Result<void> validate(const connector::json::object& config) const override {
    DEPROV_TRY(parsed, parse_scim_config(config));
    if (parsed.peer.ca_pem.empty()) return {};
    if (auto ok = http::check_authorities(parsed.peer.ca_pem); !ok)
      return Error(ok.error().code(), ok.error().detail(), "/ca_pem", ok.error().advice());
    return {};
  }

  [[nodiscard]] std::vector<port::ConfigFile> files(const connector::json::object& config) const override {
    const auto* file = config.if_contains("ca_file");
    if (file == nullptr || !file->is_string()) return {};
    return {{"/ca_file", std::string(file->get_string())}};
  }

  [[nodiscard]] Result<std::unique_ptr<connector::Connector>> open(const connector::json::object& config,
                                                                   port::ConnectorHost host) const override {
    DEPROV_TRY(parsed, parse_scim_config(config));
    auto description = description_;
    description.rate = parsed.rate;
    for (auto& c : description.capabilities)
      if (c.verification == Verification::read) c.verification_lag = parsed.verification_lag;
    return std::unique_ptr<connector::Connector>(
        std::make_unique<ScimConnector>(std::move(description), std::move(parsed), host));
  }

 private:
  const Description description_ = describe_scim();
};

}  // namespace

std::shared_ptr<const port::ConnectorKind> make_scim_kind() { return std::make_shared<ScimKind>(); }

}  // namespace deprov::connectors
