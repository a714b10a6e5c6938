// The C interface for C++17, header-only: for programs that want C++ and the ABI that deprov.h promises. Statuses
// become exceptions, handles free themselves, callbacks are std::function and classes. What a function does, and
// which thread it is called by, stands in deprov.h.
#pragma once

#include <deprov.h>
#include <chrono>
#include <cstring>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace deprov_c {

using Milliseconds = std::chrono::milliseconds;

inline deprov_str str(std::string_view s) noexcept { return {s.data(), s.size()}; }
inline std::string_view view(deprov_str s) noexcept {
  return s.ptr == nullptr ? std::string_view{} : std::string_view(s.ptr, s.len);
}

/// A status other than DEPROV_OK, with its words.
class Error : public std::runtime_error {
 public:
  Error(deprov_status status, const std::string& message, std::string where = {}, std::string advice = {})
      : std::runtime_error(message), status_(status), where_(std::move(where)), advice_(std::move(advice)) {}
  [[nodiscard]] deprov_status status() const noexcept { return status_; }
  [[nodiscard]] const std::string& where() const noexcept { return where_; }
  [[nodiscard]] const std::string& advice() const noexcept { return advice_; }

 private:
  deprov_status status_;
  std::string where_, advice_;
};

namespace detail {

template <class T, void (*Free)(T*)>
struct Freer {
  void operator()(T* p) const noexcept { Free(p); }
};
template <class T, void (*Free)(T*)>
using Handle = std::unique_ptr<T, Freer<T, Free>>;

[[noreturn]] inline void raise(deprov_status status, deprov_error* error) {
  const Handle<deprov_error, deprov_error_free> owned(error);
  if (error == nullptr) throw Error(status, std::string(view(deprov_status_get_name(status))));
  throw Error(status, std::string(view(deprov_error_get_message(error))),
              std::string(view(deprov_error_get_where(error))), std::string(view(deprov_error_get_advice(error))));
}
/// Calls `f` with a place for the error.
template <class F>
void check(F f) {
  deprov_error* error = nullptr;
  if (const auto status = f(&error); status != DEPROV_OK) raise(status, error);
}
inline std::string take(deprov_buffer* buffer) {
  const Handle<deprov_buffer, deprov_buffer_free> owned(buffer);
  return std::string(view(deprov_buffer_get(buffer)));
}

}  // namespace detail

/// Of a JSON record, the text of one member. Throws Error.
inline std::string record_get(std::string_view record, std::string_view member) {
  deprov_buffer* value = nullptr;
  detail::check([&](deprov_error** e) { return deprov_record_get(str(record), str(member), &value, e); });
  return detail::take(value);
}

// ---- connectors

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

/// A kind of connector. An exception that leaves `open` refuses the config; Error brings its status along.
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
      *instance = (*static_cast<Open*>(user))(view(config)).release();
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

// ---- the engine

struct Options {
  std::string directory{};
  bool in_memory = false;
  bool must_exist = false;
  bool look_only = false;
  bool host_driven = false;
  uint32_t store_readers = 0;
  std::string key_file{};
  std::string key{};  ///< 32 bytes
  std::function<std::chrono::microseconds()> clock{};
  std::function<void(int32_t level, std::string_view message)> log{};
  std::vector<const Connector*> connectors{};
  std::vector<std::string> plugin_directories{};                    ///< absolute
  std::vector<std::pair<std::string, std::string>> plugin_files{};  ///< path and SHA-256
};

/// A token, or the local administrator of a workspace.
struct Caller {
  std::string workspace{};
  std::string token{};
};

struct Request {
  std::string method = "GET";
  std::string target{};
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
  std::string peer{};
  bool local = false;  ///< as the local administrator of `workspace`
  std::string workspace{};
};

class Response {
 public:
  explicit Response(deprov_response* owned) noexcept : response_(owned) {}
  [[nodiscard]] int32_t status() const noexcept { return deprov_response_get_status(response_.get()); }
  [[nodiscard]] std::string_view body() const noexcept { return view(deprov_response_get_body(response_.get())); }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> headers() const {
    std::vector<std::pair<std::string, std::string>> out;
    for (std::size_t i = 0; i < deprov_response_get_header_count(response_.get()); ++i) {
      const auto h = deprov_response_get_header(response_.get(), i);
      out.emplace_back(view(h.name), view(h.value));
    }
    return out;
  }
  [[nodiscard]] bool streaming() const noexcept { return deprov_response_is_streaming(response_.get()) != 0; }
  /// Nothing at the end. The piece is good until the next call. Throws Error.
  std::optional<std::string_view> read(Milliseconds timeout) {
    deprov_str piece{};
    deprov_error* error = nullptr;
    const auto status = deprov_response_read(response_.get(), timeout.count(), &piece, &error);
    if (status == DEPROV_END) return std::nullopt;
    if (status != DEPROV_OK) detail::raise(status, error);
    return view(piece);
  }
  void want(void* user) {
    detail::check([&](deprov_error** e) { return deprov_response_want(response_.get(), user, e); });
  }
  [[nodiscard]] deprov_response* get() const noexcept { return response_.get(); }

 private:
  detail::Handle<deprov_response, deprov_response_free> response_;
};

/// JSON records, one after the other. Throws Error.
class Rows {
 public:
  explicit Rows(deprov_rows* owned) noexcept : rows_(owned) {}
  /// Nothing: there are no more; of activity there may be again later.
  std::optional<std::string_view> next() {
    deprov_str row{};
    deprov_error* error = nullptr;
    const auto status = deprov_rows_next(rows_.get(), &row, &error);
    if (status == DEPROV_END) return std::nullopt;
    if (status != DEPROV_OK) detail::raise(status, error);
    return view(row);
  }
  /// 0: `next` would not wait. Otherwise an event DEPROV_EVENT_ROW with this token says so.
  uint64_t want(void* user = nullptr) {
    uint64_t token = 0;
    detail::check([&](deprov_error** e) { return deprov_rows_want(rows_.get(), user, &token, e); });
    return token;
  }
  [[nodiscard]] std::string restart() const { return std::string(view(deprov_rows_get_restart(rows_.get()))); }

 private:
  detail::Handle<deprov_rows, deprov_rows_free> rows_;
};

struct RowsOptions {
  int32_t kind = DEPROV_ROWS_SUBJECTS;
  std::string integration{};
  std::string restart{};
  std::string filter{};
  uint32_t page = 0;
};

/// Every function throws Error.
class Engine {
 public:
  explicit Engine(const Options& options) {
    deprov_engine_options o{};
    o.struct_size = sizeof o;
    o.store = options.in_memory ? DEPROV_STORE_MEMORY : DEPROV_STORE_DIRECTORY;
    o.directory = str(options.directory);
    o.must_exist = options.must_exist;
    o.look_only = options.look_only;
    o.host_driven = options.host_driven;
    o.store_readers = options.store_readers;
    o.key_source = !options.key.empty()        ? DEPROV_KEY_BYTES
                   : !options.key_file.empty() ? DEPROV_KEY_FILE
                                               : DEPROV_KEY_DEFAULT;
    o.key_file = str(options.key_file);
    o.key_bytes = str(options.key);
    std::vector<const deprov_connector*> connectors;
    for (const auto* c : options.connectors) connectors.push_back(c->get());
    o.connectors = connectors.data();
    o.connector_count = connectors.size();
    std::vector<deprov_str> directories;
    for (const auto& directory : options.plugin_directories) directories.push_back(str(directory));
    o.plugin_directories = directories.data();
    o.plugin_directory_count = directories.size();
    std::vector<deprov_plugin_file> files;
    for (const auto& [path, hash] : options.plugin_files) files.push_back({str(path), str(hash)});
    o.plugin_files = files.data();
    o.plugin_file_count = files.size();
    using Clock = std::function<std::chrono::microseconds()>;
    using Log = std::function<void(int32_t, std::string_view)>;
    auto clock = options.clock ? std::make_unique<Clock>(options.clock) : nullptr;
    auto log = options.log ? std::make_unique<Log>(options.log) : nullptr;
    if (clock) {
      o.clock = [](void* user) { return static_cast<int64_t>((*static_cast<Clock*>(user))().count()); };
      o.clock_user_free = [](void* user) { delete static_cast<Clock*>(user); };
      o.clock_user = clock.release();
    }
    if (log) {
      o.log = [](void* user, int32_t level, deprov_str message) {
        try {
          (*static_cast<Log*>(user))(level, view(message));
        } catch (...) {  // a log that fails has nobody to tell
        }
      };
      o.log_user_free = [](void* user) { delete static_cast<Log*>(user); };
      o.log_user = log.release();
    }
    deprov_engine* made = nullptr;
    detail::check([&](deprov_error** e) { return deprov_engine_open(&o, &made, e); });
    engine_.reset(made);
  }

  [[nodiscard]] deprov_engine* get() const noexcept { return engine_.get(); }

  /// The report: what had not ended, as JSON. It does not throw for that.
  std::string close(Milliseconds deadline) {
    deprov_buffer* report = nullptr;
    deprov_error* error = nullptr;
    const auto status = deprov_engine_close(get(), deadline.count(), &report, &error);
    auto text = detail::take(report);
    if (status != DEPROV_OK && (status != DEPROV_ERR_TIMEOUT || text.empty())) detail::raise(status, error);
    deprov_error_free(error);
    return text;
  }
  /// How long there will be nothing to do.
  Milliseconds pump(Milliseconds budget) {
    int64_t wait = 0;
    detail::check([&](deprov_error** e) { return deprov_engine_pump(get(), budget.count(), &wait, e); });
    return Milliseconds(wait);
  }

  Response call(const Request& request) {
    deprov_response* response = nullptr;
    with(request, [&](const deprov_request* r) {
      detail::check([&](deprov_error** e) { return deprov_engine_call(get(), r, &response, e); });
    });
    return Response(response);
  }
  uint64_t send(const Request& request, void* user = nullptr) {
    uint64_t token = 0;
    with(request, [&](const deprov_request* r) {
      detail::check([&](deprov_error** e) { return deprov_engine_send(get(), r, user, &token, e); });
    });
    return token;
  }
  void cancel(uint64_t token) {
    detail::check([&](deprov_error** e) { return deprov_engine_cancel(get(), token, e); });
  }
  struct Event {
    int32_t kind;
    deprov_status status;
    uint64_t token;
    void* user;
    Response response;
  };
  /// Empty where the time ran out. Throws Error: DEPROV_ERR_CLOSED when all is over.
  std::vector<Event> next(Milliseconds timeout, std::size_t most = 64) {
    std::vector<deprov_event> events(most);
    std::size_t taken = 0;
    deprov_error* error = nullptr;
    const auto status = deprov_engine_next(get(), events.data(), events.size(), timeout.count(), &taken, &error);
    std::vector<Event> out;
    if (status == DEPROV_ERR_TIMEOUT) {
      deprov_error_free(error);
      return out;
    }
    if (status != DEPROV_OK) detail::raise(status, error);
    out.reserve(taken);
    for (std::size_t i = 0; i < taken; ++i) {
      const auto& e = events[i];
      out.push_back({e.kind, e.status, e.token, e.user, Response(e.response)});
    }
    return out;
  }

  /// The record that was answered, or an empty text.
  std::string admin(const Caller& by, std::string_view method, std::string_view path, std::string_view body = {}) {
    deprov_buffer* record = nullptr;
    const auto c = caller(by);
    detail::check([&](deprov_error** e) {
      return deprov_admin_call(get(), &c, str(method), str(path), str(body), &record, e);
    });
    return detail::take(record);
  }
  std::string create_workspace(std::string_view name, std::string_view owner) {
    deprov_buffer* record = nullptr;
    detail::check(
        [&](deprov_error** e) { return deprov_workspace_create(get(), str(name), str(owner), &record, e); });
    return detail::take(record);
  }
  std::string create_integration(const Caller& by, std::string_view integration) {
    deprov_buffer* record = nullptr;
    const auto c = caller(by);
    detail::check(
        [&](deprov_error** e) { return deprov_integration_create(get(), &c, str(integration), &record, e); });
    return detail::take(record);
  }
  Rows rows(const Caller& by, const RowsOptions& options) {
    deprov_rows_options o{};
    o.struct_size = sizeof o;
    o.kind = options.kind;
    o.page = options.page;
    o.integration = str(options.integration);
    o.restart = str(options.restart);
    o.filter = str(options.filter);
    deprov_rows* made = nullptr;
    const auto c = caller(by);
    detail::check([&](deprov_error** e) { return deprov_rows_open(get(), &c, &o, &made, e); });
    return Rows(made);
  }

 private:
  static deprov_caller caller(const Caller& by) {
    return {sizeof(deprov_caller), str(by.workspace), str(by.token)};
  }
  template <class F>
  static void with(const Request& request, F f) {
    std::vector<deprov_header> headers;
    for (const auto& [name, value] : request.headers) headers.push_back({str(name), str(value)});
    deprov_request r{};
    r.struct_size = sizeof r;
    r.as = request.local ? DEPROV_AS_LOCAL : DEPROV_AS_TOKEN;
    r.method = str(request.method);
    r.target = str(request.target);
    r.headers = headers.data();
    r.header_count = headers.size();
    r.body = str(request.body);
    r.peer = str(request.peer);
    r.workspace = str(request.workspace);
    f(&r);
  }
  detail::Handle<deprov_engine, deprov_engine_free> engine_;
};

}  // namespace deprov_c
