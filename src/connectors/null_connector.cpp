#include "null_connector.hpp"
#include <bitset>
#include <functional>
#include <memory>
#include <utility>

namespace deprov::connectors {

namespace {

using connector::Account;
using connector::Call;
using connector::Capability;
using connector::Completion;
using connector::Description;
using connector::Effect;
using connector::Idempotency;
using connector::Operation;
using connector::Outcome;
using connector::Reply;
using connector::Verification;

constexpr std::size_t slots = 1U << 20U;

Description describe_null() {
  Description d;
  d.id = "null";
  d.name = "Nothing, for benchmarks";
  d.version = DEPROV_VERSION;
  d.config_schema = connector::json::object{{"type", "object"}, {"additionalProperties", false}};
  for (const auto o : {Operation::check, Operation::find, Operation::read, Operation::disable, Operation::enable,
                       Operation::remove, Operation::revoke_sessions}) {
    auto& c = d.of(o);
    c.supported = true;
    c.reversible = o != Operation::remove;
    c.idempotency = Idempotency::naturally;
  }
  for (const auto o : {Operation::disable, Operation::enable, Operation::remove})
    d.of(o).verification = Verification::read;
  d.rate.max_concurrency = 4096;
  return d;
}

class NullConnector final : public connector::Connector {
 public:
  explicit NullConnector(Description description)
      : description_(std::move(description)), disabled_(std::make_unique<std::bitset<slots>>()) {}

  [[nodiscard]] const Description& describe() const override { return description_; }

  connector::CallId start(Call call, Completion done) override {
    done(answer(call));
    return ++last_id_;
  }
  void cancel(connector::CallId) override {}  // every call has ended before anybody could ask

 private:
  Reply answer(const Call& call) {
    Reply r;
    r.outcome = Outcome::ok;
    switch (call.operation) {
      case Operation::check: r.accounts.push_back(account("null")); break;
      case Operation::find: {
        const auto& id = call.match.external_id.empty() ? call.match.user_name : call.match.external_id;
        if (id.empty()) {
          r.outcome = Outcome::not_found;
          break;
        }
        auto a = account(id);
        a.external_id = call.match.external_id;
        a.user_name = call.match.user_name;
        r.accounts.push_back(std::move(a));
        break;
      }
      case Operation::read: r.accounts.push_back(account(call.account_id)); break;
      case Operation::disable:
      case Operation::enable:
      case Operation::remove:
        disabled_->set(slot(call.account_id), call.operation != Operation::enable);
        r.effect = Effect::done;
        break;
      case Operation::revoke_sessions: r.effect = Effect::done; break;
      default: r.outcome = Outcome::unsupported; break;
    }
    return r;
  }

  [[nodiscard]] Account account(const std::string& id) const {
    Account a;
    a.id = id;
    a.active = !disabled_->test(slot(id));
    return a;
  }
  static std::size_t slot(const std::string& id) { return std::hash<std::string>{}(id) % slots; }

  const Description description_;
  std::unique_ptr<std::bitset<slots>> disabled_;
  connector::CallId last_id_ = 0;
};

class NullKind final : public port::ConnectorKind {
 public:
  [[nodiscard]] const Description& describe() const override { return description_; }
  [[nodiscard]] Result<std::unique_ptr<connector::Connector>> open(const connector::json::object&,
                                                                   port::ConnectorHost) const override {
    return std::unique_ptr<connector::Connector>(std::make_unique<NullConnector>(description_));
  }

 private:
  const Description description_ = describe_null();
};

}  // namespace

std::shared_ptr<const port::ConnectorKind> make_null_kind() { return std::make_shared<NullKind>(); }

}  // namespace deprov::connectors
