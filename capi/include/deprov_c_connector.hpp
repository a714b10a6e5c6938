// Connectors of the host, for the C++ wrapper: classes instead of callbacks. Include deprov_c.hpp.
#pragma once

#include <deprov_c_base.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

namespace deprov_c {

struct Reply {
  int32_t outcome = DEPROV_OUTCOME_OK;
  int32_t effect = DEPROV_EFFECT_NONE;
  std::string accounts{};  ///< a JSON array, or empty
  std::string next_cursor{};
  std::string handle{};
  std::optional<Milliseconds> retry_after{};
  int32_t throttle_scope = DEPROV_THROTTLE_CONNECTION;
  std::string detail{};
};

/// One call to a connector. Moved to wherever it is completed; gone without that, its outcome is unknown.
class Call {
 public:
  explicit Call(deprov_call* owned) noexcept : call_(owned) {}
  [[nodiscard]] int32_t operation() const noexcept { return deprov_call_get_operation(get()); }
  [[nodiscard]] std::string_view account() const noexcept { return view(deprov_call_get_account(get())); }
  [[nodiscard]] std::string_view external_id() const noexcept { return view(deprov_call_get_external_id(get())); }
  [[nodiscard]] std::string_view user_name() const noexcept { return view(deprov_call_get_user_name(get())); }
  [[nodiscard]] std::vector<std::string> emails() const {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < deprov_call_get_email_count(get()); ++i)
      out.emplace_back(view(deprov_call_get_email(get(), i)));
    return out;
  }
  [[nodiscard]] std::string_view entitlement() const noexcept { return view(deprov_call_get_entitlement(get())); }
  [[nodiscard]] bool delete_account() const noexcept { return deprov_call_get_delete_account(get()) != 0; }
  [[nodiscard]] std::string_view cursor() const noexcept { return view(deprov_call_get_cursor(get())); }
  [[nodiscard]] uint32_t page_size() const noexcept { return deprov_call_get_page_size(get()); }
  [[nodiscard]] std::string_view handle() const noexcept { return view(deprov_call_get_handle(get())); }
  [[nodiscard]] std::string_view idempotency_key() const noexcept {
    return view(deprov_call_get_idempotency_key(get()));
  }
  [[nodiscard]] Milliseconds timeout() const noexcept { return Milliseconds(deprov_call_get_timeout_ms(get())); }
  [[nodiscard]] bool cancelled() const noexcept { return deprov_call_is_cancelled(get()) != 0; }
  [[nodiscard]] deprov_call* get() const noexcept { return call_.get(); }

  /// False: nobody waits for it any more. Throws Error where the reply says nothing sensible, or a second time.
  bool complete(const Reply& reply) {
    deprov_reply r{};
    r.struct_size = sizeof r;
    r.outcome = reply.outcome;
    r.effect = reply.effect;
    r.accounts = str(reply.accounts);
    r.next_cursor = str(reply.next_cursor);
    r.handle = str(reply.handle);
    r.has_retry_after = reply.retry_after ? 1 : 0;
    r.retry_after_ms = reply.retry_after.value_or(Milliseconds(0)).count();
    r.throttle_scope = reply.throttle_scope;
    r.detail = str(reply.detail);
    deprov_error* error = nullptr;
    const auto status = deprov_call_complete(get(), &r, &error);
    if (status == DEPROV_OK) return true;
    if (status != DEPROV_ERR_CLOSED) detail::raise(status, error);
    deprov_error_free(error);
    return false;
  }

  using ToldKept = std::function<void(deprov_status status, std::string_view value)>;
  using Told = std::function<void(deprov_status status)>;
  /// As deprov_call_checkpoint_get(): `told` is called once, by the thread that starts calls. What leaves it is
  /// lost. Throws Error, and then it is not called.
  void checkpoint_get(std::string_view name, ToldKept told) const {
    auto waiting = std::make_unique<ToldKept>(std::move(told));
    const auto done = [](void* user, deprov_status status, deprov_str value) {
      const std::unique_ptr<ToldKept> f(static_cast<ToldKept*>(user));
      try {
        (*f)(status, view(value));
      } catch (...) {  // nobody is above this
      }
    };
    detail::check(
        [&](deprov_error** e) { return deprov_call_checkpoint_get(get(), str(name), waiting.get(), done, e); });
    (void)waiting.release();
  }
  /// As deprov_call_checkpoint_set(); otherwise the same.
  void checkpoint_set(std::string_view name, std::string_view value, Told told) const {
    auto waiting = std::make_unique<Told>(std::move(told));
    const auto done = [](void* user, deprov_status status) {
      const std::unique_ptr<Told> f(static_cast<Told*>(user));
      try {
        (*f)(status);
      } catch (...) {  // nobody is above this
      }
    };
    detail::check([&](deprov_error** e) {
      return deprov_call_checkpoint_set(get(), str(name), str(value), waiting.get(), done, e);
    });
    (void)waiting.release();
  }

 private:
  detail::Handle<deprov_call, deprov_call_free> call_;
};

/// The way to one app. An exception that leaves `start` completes the call: UNKNOWN_OUTCOME for a change, INTERNAL
/// for everything else, with its what() as the detail.
class App {
 public:
  virtual ~App() = default;
  virtual void start(Call call) = 0;
  /// Asks that a call end soon; `call` is borrowed.
  virtual void cancel(deprov_call* call) { (void)call; }
};

/// A kind of connector. An exception that leaves `open`, or no app, refuses the config; Error brings its status
/// along.
class Connector {
 public:
  using Open = std::function<std::unique_ptr<App>(std::string_view config)>;
  /// Throws Error.
  Connector(std::string_view description, Open open) {
    deprov_connector_callbacks c{};
    c.struct_size = sizeof c;
    c.user = new Open(std::move(open));
    c.user_free = [](void* user) { delete static_cast<Open*>(user); };
    c.open = &Connector::open_app;
    c.close = [](void*, void* app) { delete static_cast<App*>(app); };
    c.start = &Connector::start_call;
    c.cancel = [](void*, void* app, deprov_call* call) {
      try {
        static_cast<App*>(app)->cancel(call);
      } catch (...) {  // a wish that could not be passed on: the call ends by itself
      }
    };
    deprov_connector* made = nullptr;
    detail::check([&](deprov_error** e) { return deprov_connector_new(str(description), &c, &made, e); });
    connector_.reset(made);
  }
  [[nodiscard]] const deprov_connector* get() const noexcept { return connector_.get(); }

 private:
  static deprov_status open_app(void* user, deprov_str config, void** instance, deprov_error** error) {
    try {
      auto app = (*static_cast<Open*>(user))(view(config));
      if (app == nullptr) throw std::logic_error("the connector's open made no app");
      *instance = app.release();
      return DEPROV_OK;
    } catch (const Error& e) {
      *error = deprov_error_new(e.status(), str(e.what()), str(e.where()), str(e.advice()));
      return e.status();
    } catch (const std::exception& e) {
      *error = deprov_error_new(DEPROV_ERR_INVALID_ARGUMENT, str(e.what()), str("config"), str(""));
      return DEPROV_ERR_INVALID_ARGUMENT;
    } catch (...) {
      return DEPROV_ERR_INTERNAL;
    }
  }
  static void start_call(void*, void* app, deprov_call* call) {
    const detail::Handle<deprov_call, deprov_call_free> kept(deprov_call_retain(call));
    std::string why;
    try {
      return static_cast<App*>(app)->start(Call(call));
    } catch (const std::exception& e) {
      why = e.what();
    } catch (...) {
      why = "an unknown exception";
    }
    switch (deprov_call_get_operation(call)) {
      case DEPROV_OPERATION_CHECK:
      case DEPROV_OPERATION_FIND:
      case DEPROV_OPERATION_READ:
      case DEPROV_OPERATION_LIST:
      case DEPROV_OPERATION_LIST_ENTITLEMENTS:
      case DEPROV_OPERATION_POLL: return fail(call, DEPROV_OUTCOME_INTERNAL, why);
      default: return fail(call, DEPROV_OUTCOME_UNKNOWN_OUTCOME, why);
    }
  }
  static void fail(deprov_call* call, int32_t outcome, const std::string& why) {
    deprov_reply r{};
    r.struct_size = sizeof r;
    r.outcome = outcome;
    r.detail = str(why);
    deprov_call_complete(call, &r, nullptr);  // it may have been completed before the exception
  }
  detail::Handle<deprov_connector, deprov_connector_free> connector_;
};

}  // namespace deprov_c
