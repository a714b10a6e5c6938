#include "connector.hpp"
#include <boost/json/serialize.hpp>
#include <deprov/connector/json.hpp>
#include <utility>
#include "plugin/secret_texts.hpp"

namespace deprov::capi {

namespace {

class PortKind final : public port::ConnectorKind {
 public:
  PortKind(std::shared_ptr<const capi::ConnectorKind> kind, std::shared_ptr<Calls> calls)
      : kind_(std::move(kind)), calls_(std::move(calls)) {}

  [[nodiscard]] const connector::Description& describe() const override { return kind_->description; }

  [[nodiscard]] Result<std::unique_ptr<connector::Connector>> open(const connector::json::object& config,
                                                                   port::ConnectorHost host) const override {
    auto keeping = std::make_shared<const Keeping>(
        Keeping{host.checkpoints, host.executor, plugin::secret_texts(config, kind_->description.secret_paths)});
    void* instance = nullptr;
    const auto& callbacks = kind_->callbacks;
    if (callbacks.open != nullptr) {
      const auto text = connector::json::serialize(config);
      deprov_error* raw = nullptr;
      const auto status = callbacks.open(kind_->user.get(), str(text), &instance, &raw);
      const std::unique_ptr<deprov_error, decltype(&deprov_error_free)> why(raw, &deprov_error_free);
      if (status != DEPROV_OK) {
        return Error(
            errc_of(status), why ? why->error.detail() : "the connector could not be opened",
            why && !why->error.where().empty() ? why->error.where() : "connector " + kind_->description.id,
            why ? why->error.advice() : "");
      }
    }
    return std::unique_ptr<connector::Connector>(
        std::make_unique<HostConnector>(kind_, calls_, std::move(keeping), instance));
  }

 private:
  const std::shared_ptr<const capi::ConnectorKind> kind_;
  const std::shared_ptr<Calls> calls_;
};

}  // namespace

HostConnector::HostConnector(std::shared_ptr<const ConnectorKind> kind, std::shared_ptr<Calls> calls,
                             std::shared_ptr<const Keeping> keeping, void* instance)
    : kind_(std::move(kind)), calls_(std::move(calls)), keeping_(std::move(keeping)), instance_(instance) {}

HostConnector::~HostConnector() {
  if (kind_->callbacks.close != nullptr) kind_->callbacks.close(kind_->user.get(), instance_);
}

connector::CallId HostConnector::start(connector::Call call, connector::Completion done) {
  auto* made = calls_->add(calls_, keeping_, *this, kind_, std::move(call), done);
  if (made == nullptr) {
    connector::Reply reply;
    reply.outcome = connector::Outcome::not_sent;
    reply.detail = "the engine is closing";
    done(std::move(reply));
    return 0;
  }
  const auto id = made->id;
  kind_->callbacks.start(kind_->user.get(), instance_, made);
  return id;
}

void HostConnector::cancel(connector::CallId id) { calls_->cancel(id); }

void HostConnector::ask_to_end(deprov_call* call) const {
  if (kind_->callbacks.cancel != nullptr) kind_->callbacks.cancel(kind_->user.get(), instance_, call);
}

std::shared_ptr<const port::ConnectorKind> make_port_kind(std::shared_ptr<const ConnectorKind> kind,
                                                          std::shared_ptr<Calls> calls) {
  return std::make_shared<PortKind>(std::move(kind), std::move(calls));
}

}  // namespace deprov::capi

deprov_status deprov_connector_new(deprov_str description, const deprov_connector_callbacks* callbacks,
                                   deprov_connector** connector, deprov_error** error) {
  using namespace deprov;
  if (connector != nullptr) *connector = nullptr;
  return capi::guard(error, [&]() -> Result<void> {
    deprov_connector_callbacks c{};
    auto taken = capi::take_struct(callbacks, "callbacks", c);
    capi::UserData user(c.user, c.user_free);
    if (!taken) return Error(taken.error());
    if (connector == nullptr) return capi::null_argument("connector");
    if (c.start == nullptr) return capi::null_argument("callbacks.start");
    DEPROV_TRY(text, capi::text(description, "description"));
    DEPROV_TRY(parsed, connector::parse_description(text));
    auto kind =
        std::make_shared<const capi::ConnectorKind>(capi::ConnectorKind{std::move(user), c, std::move(parsed)});
    *connector = new deprov_connector{std::move(kind)};
    return {};
  });
}

void deprov_connector_free(deprov_connector* connector) { delete connector; }
