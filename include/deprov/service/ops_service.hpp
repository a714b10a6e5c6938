// What an operator's machinery asks: /healthz, /readyz and /metrics.
#pragma once

#include <atomic>
#include <cstdint>
#include <deprov/engine/engine.hpp>
#include <deprov/service/http.hpp>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>

namespace deprov::service {

/// Requests by who answered, method and status.
class RequestCounts {
 public:
  void count(std::string_view service, std::string_view method, int status);
  /// In Prometheus' text format.
  [[nodiscard]] std::string text() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::tuple<std::string, std::string, int>, std::uint64_t> counts_;
};

/// Who may read `/metrics`: it names no person, but says how many there are, and which integrations.
struct OpsOptions {
  enum class Metrics : std::uint8_t {
    local,  ///< who asks from this machine itself, through no proxy that says so
    anybody,
    nobody  ///< who is asked through `OpsService::inner` alone
  };
  Metrics metrics = Metrics::local;
  std::string token{};  ///< given: who shows it as a bearer token, from anywhere, and nobody else
};

/// `/healthz` answers as long as the process does; `/readyz` when the engine runs, the store answers, and its disk
/// took the last commit, or has not been tried for 30 s (so that who is sent no requests finds out that it does
/// again);
/// `/metrics` in Prometheus' text format 0.0.4, to whom `OpsOptions` names. None of them shows a name.
///
/// *Thread safety*: any thread. *Lifetime*: the engine outlives the service and every answer.
class OpsService final : public Handler {
 public:
  /// `more` adds text to the metrics, such as those of the server.
  explicit OpsService(engine::Engine& engine, std::function<std::string()> more = {}, OpsOptions options = {});
  void handle(Request request, Responder respond) override;
  /// The same for a listener that only those can reach who may read `/metrics`; a token, where there is one, is
  /// asked for here, too. Lives as long as the service.
  [[nodiscard]] Handler& inner() noexcept { return inner_; }

  void set_ready(bool ready) noexcept { *ready_ = ready; }
  [[nodiscard]] RequestCounts& requests() noexcept { return *requests_; }

 private:
  class Inner final : public Handler {
   public:
    explicit Inner(OpsService& ops) : ops_(ops) {}
    void handle(Request request, Responder respond) override;

   private:
    OpsService& ops_;
  };
  bool disk_takes_writes();
  void answer(Request request, Responder respond, OpsOptions::Metrics for_whom);
  [[nodiscard]] std::optional<Response> refusal(const Request& request, OpsOptions::Metrics metrics) const;

  engine::Engine& engine_;
  OpsOptions options_;
  Inner inner_{*this};
  std::function<std::string()> more_;
  std::mutex mutex_;
  std::uint64_t failures_ = 0;  ///< of the store, when last looked at
  MonoTime not_before_{};       ///< nobody is sent here before, unless a commit succeeds
  std::shared_ptr<std::atomic<bool>> ready_ = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<RequestCounts> requests_ = std::make_shared<RequestCounts>();
};

/// Puts the SCIM endpoint, the admin API, the receiver of security events (where there is one, at `/events`) and
/// the operator's paths behind one handler, and counts. *Lifetime*: what it is given outlives it and every answer.
class Router final : public Handler {
 public:
  Router(Handler& scim, Handler& admin, OpsService& ops, std::string scim_prefix = "/scim/v2",
         Handler* events = nullptr);
  void handle(Request request, Responder respond) override;

 private:
  Handler& scim_;
  Handler& admin_;
  OpsService& ops_;
  std::string scim_prefix_;
  Handler* events_;
};

}  // namespace deprov::service
