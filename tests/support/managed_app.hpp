// An app in memory, behind a connector that answers as it is told.
#pragma once

#include <boost/json/parse.hpp>
#include <deprov/connector/connector.hpp>
#include <deprov/port/connector.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace deprov::test::managed {

/// What the app holds and how it behaves. Shared by every connection to it.
struct FakeApp {
  std::mutex mutex;
  std::map<std::string, connector::Account> accounts;  ///< by id
  std::optional<connector::Outcome> outcome;           ///< answered to everything, when set
  std::vector<std::string> calls;                      ///< "disable a1"
  boost::json::object opened_with;                     ///< config of the last connection, in clear
  bool closed = false;                                 ///< no connection can be opened

  void add(std::string id, std::string user_name) {
    const std::lock_guard lock(mutex);
    connector::Account a;
    a.id = id;
    a.user_name = std::move(user_name);
    a.active = true;
    accounts[std::move(id)] = std::move(a);
  }
  bool active(const std::string& id) {
    const std::lock_guard lock(mutex);
    return accounts.at(id).active.value_or(false);
  }
};

class FakeConnector final : public connector::Connector {
 public:
  FakeConnector(const connector::Description& d, std::shared_ptr<FakeApp> app) : d_(d), app_(std::move(app)) {}
  [[nodiscard]] const connector::Description& describe() const override { return d_; }
  connector::CallId start(connector::Call call, connector::Completion done) override {
    done(answer(call));
    return 1;
  }
  void cancel(connector::CallId) override {}

 private:
  connector::Reply answer(const connector::Call& call) {
    using connector::Operation;
    using connector::Outcome;
    const std::lock_guard lock(app_->mutex);
    connector::Reply r;
    app_->calls.push_back(std::string(connector::to_string(call.operation)) + " " + call.account_id);
    if (app_->outcome) {
      r.outcome = *app_->outcome;
      r.detail = "as told";
      return r;
    }
    r.outcome = Outcome::ok;
    if (call.operation == Operation::check) return r;
    if (call.operation == Operation::find) {
      for (const auto& [id, a] : app_->accounts)
        if (a.user_name == call.match.user_name) r.accounts.push_back(a);
      if (r.accounts.empty()) r.outcome = Outcome::not_found;
      return r;
    }
    if (call.operation == Operation::list) {
      for (const auto& [id, a] : app_->accounts) r.accounts.push_back(a);
      return r;
    }
    const auto it = app_->accounts.find(call.account_id);
    if (it == app_->accounts.end()) {
      r.outcome = Outcome::not_found;
      return r;
    }
    if (call.operation == Operation::disable || call.operation == Operation::enable) {
      const bool wanted = call.operation == Operation::enable;
      r.effect = it->second.active == wanted ? connector::Effect::already : connector::Effect::done;
      it->second.active = wanted;
    }
    if (call.operation == Operation::remove) {
      r.effect = connector::Effect::done;
      app_->accounts.erase(it);
      return r;
    }
    r.accounts.push_back(it->second);
    return r;
  }

  const connector::Description& d_;
  std::shared_ptr<FakeApp> app_;
};

class FakeKind final : public port::ConnectorKind {
 public:
  /// `removes`: the app offers to remove accounts, too.
  explicit FakeKind(std::shared_ptr<FakeApp> app, bool removes = false) : app_(std::move(app)) {
    d_.id = "fake";
    d_.name = "An app in memory";
    d_.version = "1";
    d_.config_schema = boost::json::parse(R"({"type": "object", "additionalProperties": false, "required": ["url"],
      "properties": {"url": {"type": "string", "minLength": 1}, "file": {"type": "string"}, "auth": {"type": "object", "additionalProperties": false,
      "properties": {"user": {"type": "string"}, "token": {"type": "string", "minLength": 1}}}}})");
    d_.secret_paths = {"auth.token"};
    using connector::Operation;
    for (const auto op : {Operation::check, Operation::find, Operation::read, Operation::list, Operation::disable,
                          Operation::enable}) {
      auto& c = d_.of(op);
      c.supported = true;
      c.reversible = true;
      c.idempotency = connector::Idempotency::naturally;
      c.verification = connector::Verification::read;
    }
    if (removes) {
      auto& c = d_.of(Operation::remove);
      c.supported = true;
      c.idempotency = connector::Idempotency::naturally;
      c.verification = connector::Verification::read;
    }
  }
  [[nodiscard]] const connector::Description& describe() const override { return d_; }
  [[nodiscard]] Result<void> validate(const connector::json::object& config) const override {
    if (config.at("url").as_string() != "bad:") return {};
    return Error(Errc::invalid_argument, "has to be another", "/url");
  }
  [[nodiscard]] std::vector<port::ConfigFile> files(const connector::json::object& config) const override {
    const auto* file = config.if_contains("file");
    if (file == nullptr) return {};
    return {{"/file", std::string(file->as_string())}};
  }
  [[nodiscard]] Result<std::unique_ptr<connector::Connector>> open(const connector::json::object& config,
                                                                   port::ConnectorHost) const override {
    {
      const std::lock_guard lock(app_->mutex);
      if (app_->closed) return Error(Errc::not_found, "there is no such app yet", "url");
      app_->opened_with = config;
    }
    return std::unique_ptr<connector::Connector>(std::make_unique<FakeConnector>(d_, app_));
  }

 private:
  connector::Description d_;
  std::shared_ptr<FakeApp> app_;
};

}  // namespace deprov::test::managed
