// What stands behind a deprov_engine.
#pragma once

#include <deprov.h>
#include <deprov/instance/instance.hpp>
#include <deprov/service/http.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include "calls.hpp"
#include "events.hpp"
#include "log.hpp"
#include "response.hpp"

namespace deprov::capi {

/// A caller of the admin API: a token, or the local administrator of a workspace (nil: of none).
struct Caller {
  std::string token;
  WorkspaceId workspace;
};

class Core {
  struct Key {};

 public:
  Core(Key, std::unique_ptr<Instance> instance, std::shared_ptr<Calls> calls, std::shared_ptr<const Log> log);
  [[nodiscard]] static std::shared_ptr<Core> make(std::unique_ptr<Instance> instance, std::shared_ptr<Calls> calls,
                                                  std::shared_ptr<const Log> log);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  [[nodiscard]] Instance& instance() noexcept { return *instance_; }
  [[nodiscard]] const std::shared_ptr<Events>& events() const noexcept { return events_; }

  /// Throws WrongThread where the caller is a callback of this engine.
  void may_wait() const;
  /// Errors: `closed`.
  Result<void> is_open() const;

  /// `respond` gets the answer once, from any thread.
  void start(service::Request&& request, std::optional<Caller>&& local, service::Responder respond);
  /// Waits. Errors: `closed`.
  Result<service::Response> call(service::Request&& request, std::optional<Caller>&& local);

  /// The engine ends a body that is still read when it is closed.
  void add_body(const std::shared_ptr<Body>& body);

  /// What was left, as JSON. Twice answers the same. Errors: `timeout`.
  Result<void> close(Duration deadline, std::string* report);
  /// Closes where that was not done, and lets the instance go. Whoever still holds the core finds it closed.
  void finish();

 private:
  struct Left {
    std::vector<std::uint64_t> requests;
    std::vector<Calls::Straggler> calls;
  };
  [[nodiscard]] static std::string text_of(const Left& left);
  Left close_now(Duration deadline);

  std::shared_ptr<const Log> log_;
  std::shared_ptr<Events> events_ = std::make_shared<Events>();
  std::shared_ptr<Calls> calls_;
  std::unique_ptr<Instance> instance_;

  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<Body>> bodies_;
  bool closing_ = false;
  std::optional<Left> left_;
  runtime::Notice closed_;  // who closes a second time waits for the first
};

/// What a request or an admin call says, checked and copied. Errors: `invalid_argument`, `limit_exceeded`.
[[nodiscard]] Result<void> take_request(const deprov_request& in, service::Request& out,
                                        std::optional<Caller>& local);
[[nodiscard]] Result<Caller> take_caller(const deprov_caller* by);

/// A call of the admin API as a request; `local` gets whoever asks without a token.
[[nodiscard]] service::Request admin_request(const Caller& by, std::string method, std::string_view path,
                                             std::string body, std::optional<Caller>& local);
/// What it was answered with. Errors: those of the API; `unsupported` for a body in pieces.
[[nodiscard]] Result<std::string> admin_answer(service::Response response, std::string_view path);
/// One call of the admin API. Errors: those of the API; `unsupported` for a body in pieces.
[[nodiscard]] Result<std::string> admin_call(Core& core, const Caller& by, std::string method,
                                             std::string_view path, std::string body);

}  // namespace deprov::capi

struct deprov_engine {
  std::shared_ptr<deprov::capi::Core> core;
};
