// The C interface for C++17, header-only: for programs that want C++ and the ABI that deprov.h promises. Statuses
// become exceptions, handles free themselves, callbacks are std::function and classes. What a function does, and
// which thread it is called by, stands in deprov.h.
#pragma once

#include <deprov.h>
#include <chrono>
#include <deprov_c_base.hpp>
#include <deprov_c_connector.hpp>
#include <deprov_c_records.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace deprov_c {

/// What the kernel ends a worker for, or refuses to it; 0 is the usual bound, which deprov.h names.
struct WorkerLimits {
  uint64_t memory_bytes = 0;
  uint32_t cpu_seconds = 0;
  uint32_t files = 0;
  uint32_t calls = 0;
};

struct Options {
  std::string directory{};
  bool in_memory = false;
  bool must_exist = false;
  bool look_only = false;
  bool host_driven = false;
  uint32_t store_readers = 0;
  std::string key_file{};
  std::string key{};  ///< 32 bytes
  /// Where it throws, the machine's clock is asked instead.
  std::function<std::chrono::microseconds()> clock{};
  std::function<void(int32_t level, std::string_view message)> log{};
  std::vector<const Connector*> connectors{};
  std::vector<std::string> plugin_directories{};                    ///< absolute
  std::vector<std::pair<std::string, std::string>> plugin_files{};  ///< path and SHA-256
  std::string plugin_worker{};                                      ///< absolute: deprov-connector-worker
  int32_t plugin_placement = DEPROV_PLACEMENT_IN_PROCESS;           ///< of integrations that do not say
  WorkerLimits worker_limits{};
  /// Of each HTTP exchange of a plugin's connector: a JSON object. On the engine's thread.
  std::function<void(std::string_view exchange)> plugin_record{};
  std::string store_url{};  ///< in place of `directory` and `in_memory`: "file:///DIRECTORY" or "memory:"
};

struct Request {
  std::string method = "GET";
  std::string target{};
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
  std::string peer{};
  bool local = false;  ///< as the local administrator of `workspace`
  std::string workspace{};
  std::string subject{};  ///< SCIM id of the User who is behind it, for `/Me`
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
    for (const auto* c : options.connectors) connectors.push_back(c == nullptr ? nullptr : c->get());
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
    o.plugin_worker = str(options.plugin_worker);
    o.store_url = str(options.store_url);
    o.plugin_placement = options.plugin_placement;
    o.worker_memory_bytes = options.worker_limits.memory_bytes;
    o.worker_cpu_seconds = options.worker_limits.cpu_seconds;
    o.worker_files = options.worker_limits.files;
    o.worker_calls = options.worker_limits.calls;
    using Clock = std::function<std::chrono::microseconds()>;
    using Log = std::function<void(int32_t, std::string_view)>;
    using Record = std::function<void(std::string_view)>;
    auto clock = options.clock ? std::make_unique<Clock>(options.clock) : nullptr;
    auto log = options.log ? std::make_unique<Log>(options.log) : nullptr;
    auto record = options.plugin_record ? std::make_unique<Record>(options.plugin_record) : nullptr;
    if (clock) {
      o.clock = [](void* user) {
        try {
          return static_cast<int64_t>((*static_cast<Clock*>(user))().count());
        } catch (...) {
          const auto now = std::chrono::system_clock::now().time_since_epoch();
          return static_cast<int64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
        }
      };
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
    if (record) {
      o.plugin_record = [](void* user, deprov_str exchange) {
        try {
          (*static_cast<Record*>(user))(view(exchange));
        } catch (...) {  // as with the log
        }
      };
      o.plugin_record_user_free = [](void* user) { delete static_cast<Record*>(user); };
      o.plugin_record_user = record.release();
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
    if (status == DEPROV_ERR_TIMEOUT) {
      deprov_error_free(error);
    } else if (status != DEPROV_OK) {
      detail::raise(status, error);
    }
    return owned(events, taken);
  }
  /// `send` and `next` in one. Empty where the time ran out.
  std::vector<Event> ask(const Request& request, Milliseconds timeout, void* user = nullptr,
                         std::size_t most = 64) {
    std::vector<deprov_event> events(most);
    std::size_t taken = 0;
    uint64_t token = 0;
    with(request, [&](const deprov_request* r) {
      detail::check([&](deprov_error** e) {
        return deprov_engine_ask(get(), r, user, &token, events.data(), events.size(), timeout.count(), &taken, e);
      });
    });
    return owned(events, taken);
  }

  /// The record that was answered, or an empty text.
  std::string admin(const Caller& by, std::string_view method, std::string_view path, std::string_view body = {}) {
    deprov_buffer* record = nullptr;
    const auto c = detail::caller(by);
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
    const auto c = detail::caller(by);
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
    const auto c = detail::caller(by);
    detail::check([&](deprov_error** e) { return deprov_rows_open(get(), &c, &o, &made, e); });
    return Rows(made);
  }

  /// A list of a source of kind "rows" begins.
  List begin_list(const Caller& by, const ListOptions& options) {
    deprov_list_options o{};
    o.struct_size = sizeof o;
    o.integration = str(options.integration);
    o.source = str(options.source);
    o.dry_run = options.dry_run ? 1 : 0;
    o.differences = options.differences;
    o.begun_us = options.begun.count();
    deprov_list* made = nullptr;
    const auto c = detail::caller(by);
    detail::check([&](deprov_error** e) { return deprov_list_begin(get(), &c, &o, &made, e); });
    return List(made);
  }
  /// One that the admin API began, by its id.
  List open_list(const Caller& by, std::string_view id) {
    deprov_list* made = nullptr;
    const auto c = detail::caller(by);
    detail::check([&](deprov_error** e) { return deprov_list_open(get(), &c, str(id), &made, e); });
    return List(made);
  }

 private:
  static std::vector<Event> owned(const std::vector<deprov_event>& events, std::size_t taken) {
    std::vector<Event> out;
    out.reserve(taken);
    for (std::size_t i = 0; i < taken; ++i) {
      const auto& e = events[i];
      out.push_back({e.kind, e.status, e.token, e.user, Response(e.response)});
    }
    return out;
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
    r.subject = str(request.subject);
    f(&r);
  }
  detail::Handle<deprov_engine, deprov_engine_free> engine_;
};

}  // namespace deprov_c
