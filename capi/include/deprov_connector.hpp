// deprov_connector.h for C++17, header-only: derive from deprov_sdk::Connector, and name the class in
// DEPROV_CONNECTOR. Exceptions become outcomes, handles free themselves. What must be kept to, and which thread a
// function is called by, stands in deprov_connector.h.
#pragma once

#include <deprov_connector.h>
#include <cstddef>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace deprov_sdk {

inline deprov_str str(std::string_view s) noexcept { return {s.data(), s.size()}; }
inline std::string_view view(deprov_str s) noexcept {
  return s.ptr == nullptr ? std::string_view{} : std::string_view(s.ptr, s.len);
}

namespace detail {

inline const deprov_connector_host_v1*& host() noexcept {
  static const deprov_connector_host_v1* table = nullptr;
  return table;
}

/// Text of the host's.
class Text {
 public:
  Text() : text_(host()->text_new()) {
    if (text_ == nullptr) throw std::bad_alloc();
  }
  ~Text() { host()->text_free(text_); }
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;
  [[nodiscard]] deprov_connector_text* get() const noexcept { return text_; }
  [[nodiscard]] std::string str() const { return std::string(view(host()->text_get(text_))); }

 private:
  deprov_connector_text* text_;
};

}  // namespace detail

/// What a call ends with where it does not succeed. Thrown out of an operation, it becomes its outcome, which is
/// never OK.
class Failure : public std::runtime_error {
 public:
  Failure(std::int32_t outcome, const std::string& detail) : std::runtime_error(detail), outcome_(outcome) {}
  [[nodiscard]] std::int32_t outcome() const noexcept { return outcome_; }
  /// How long the app wants to be left alone; of THROTTLED and UNAVAILABLE.
  std::optional<std::int64_t> retry_after_ms{};

 private:
  std::int32_t outcome_;
};

/// A JSON string, with its quotes. Throws std::invalid_argument where `text` is no UTF-8.
inline std::string json_quoted(std::string_view text) {
  const detail::Text out;
  if (detail::host()->json_quote(str(text), out.get()) != DEPROV_OK) throw std::invalid_argument("not UTF-8");
  return out.str();
}

/// A JSON document, read by pointers (RFC 6901): `json.text("/emails/0/value")`.
class Json {
 public:
  /// Throws Failure (PROTOCOL) where it is none.
  explicit Json(std::string_view document) : json_(detail::host()->json_parse(str(document)), &Json::free) {
    if (json_ == nullptr)
      throw Failure(DEPROV_OUTCOME_PROTOCOL, "the app answered with something that is not JSON");
  }
  [[nodiscard]] std::optional<std::string> find(std::string_view pointer) const {
    const detail::Text value;
    if (detail::host()->json_get(json_.get(), str(pointer), value.get()) != DEPROV_OK) return std::nullopt;
    return value.str();
  }
  /// Empty where there is nothing.
  [[nodiscard]] std::string text(std::string_view pointer) const { return find(pointer).value_or(std::string{}); }
  /// How many elements or members; 0 where there is no array or object.
  [[nodiscard]] std::size_t count(std::string_view pointer) const {
    const auto n = detail::host()->json_count(json_.get(), str(pointer));
    return n < 0 ? 0 : static_cast<std::size_t>(n);
  }

 private:
  static void free(deprov_connector_json* json) { detail::host()->json_free(json); }
  std::unique_ptr<deprov_connector_json, void (*)(deprov_connector_json*)> json_;
};

/// An account in the app.
struct Account {
  std::string id{};
  std::string external_id{};
  std::string user_name{};
  std::vector<std::string> emails{};
  std::optional<bool> active{};  ///< nothing where the app does not say
  std::vector<std::string> groups{};
};

/// What a call ends with where it succeeds.
struct Reply {
  std::int32_t effect = DEPROV_EFFECT_NONE;
  std::vector<Account> accounts{};
  std::string next_cursor{};
  std::string handle{};
  std::string detail{};
};
inline Reply done() { return {DEPROV_EFFECT_DONE, {}, {}, {}, {}}; }
inline Reply already() { return {DEPROV_EFFECT_ALREADY, {}, {}, {}, {}}; }
inline Reply accepted(std::string handle) { return {DEPROV_EFFECT_ACCEPTED, {}, {}, std::move(handle), {}}; }
inline Reply found(std::vector<Account> accounts) { return {DEPROV_EFFECT_NONE, std::move(accounts), {}, {}, {}}; }

/// The configured connection. A copy is good until the connector is destroyed.
class Connection {
 public:
  explicit Connection(deprov_connector_connection* connection) noexcept : connection_(connection) {}
  /// A member of the configuration by its dotted path; strings as they are, everything else as JSON.
  [[nodiscard]] std::optional<std::string> config(std::string_view path) const {
    const detail::Text value;
    if (detail::host()->config_get(connection_, str(path), value.get()) != DEPROV_OK) return std::nullopt;
    return value.str();
  }
  [[nodiscard]] std::optional<std::string> secret(std::string_view name) const {
    const detail::Text value;
    if (detail::host()->secret_get(connection_, str(name), value.get()) != DEPROV_OK) return std::nullopt;
    return value.str();
  }
  /// Secrets of the configuration are taken out.
  void log(std::int32_t level, std::string_view message) const {
    detail::host()->log(connection_, level, str(message));
  }
  [[nodiscard]] std::int64_t wall_us() const { return detail::host()->wall_us(connection_); }
  [[nodiscard]] std::int64_t mono_us() const { return detail::host()->mono_us(connection_); }

 private:
  deprov_connector_connection* connection_;
};

struct HttpRequest {
  std::string method = "GET";
  std::string url{};
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
  std::int64_t timeout_ms = 0;
  std::string ca_pem{};
  std::string proxy{};
  std::string proxy_user{};
  std::string proxy_password{};
};

struct HttpResponse {
  std::int32_t failure = DEPROV_HTTP_OK;
  bool sent = true;
  std::int32_t status = 0;
  std::optional<std::int64_t> retry_after_ms{};
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
  std::string detail{};
};

/// What was kept under a name.
struct Checkpoint {
  std::int32_t status = DEPROV_OK;  ///< DEPROV_ERR_NOT_FOUND: nothing
  std::string value{};
};

/// One call: what is asked, and where the answer goes. Copies are the same call. Whoever keeps none lets go of it.
class Call {
 public:
  Call(deprov_connector_call* call, const deprov_connector_request* request)
      : state_(std::make_shared<State>(call, request)) {}

  [[nodiscard]] std::int32_t operation() const noexcept { return request().operation; }
  [[nodiscard]] std::string_view account() const noexcept { return view(request().account); }
  [[nodiscard]] std::string_view external_id() const noexcept { return view(request().external_id); }
  [[nodiscard]] std::string_view user_name() const noexcept { return view(request().user_name); }
  [[nodiscard]] std::vector<std::string_view> emails() const {
    std::vector<std::string_view> out;
    for (std::size_t i = 0; i < request().email_count; ++i) out.push_back(view(request().emails[i]));
    return out;
  }
  [[nodiscard]] std::string_view entitlement() const noexcept { return view(request().entitlement); }
  [[nodiscard]] bool delete_account() const noexcept { return request().delete_account != 0; }
  [[nodiscard]] std::string_view cursor() const noexcept { return view(request().cursor); }
  [[nodiscard]] std::string_view handle() const noexcept { return view(request().handle); }
  [[nodiscard]] std::uint32_t page_size() const noexcept { return request().page_size; }
  [[nodiscard]] std::string_view idempotency_key() const noexcept { return view(request().idempotency_key); }
  [[nodiscard]] std::int64_t timeout_ms() const noexcept { return request().timeout_ms; }
  [[nodiscard]] bool is_change() const noexcept {
    const auto o = operation();
    return (o >= DEPROV_OPERATION_DISABLE && o <= DEPROV_OPERATION_REVOKE_SESSIONS) ||
           o == DEPROV_OPERATION_REVOKE_ENTITLEMENT || o == DEPROV_OPERATION_GRANT_ENTITLEMENT;
  }
  /// Of the interface in C; the same for all copies.
  [[nodiscard]] deprov_connector_call* get() const noexcept { return state_->call; }
  [[nodiscard]] bool is_cancelled() const noexcept { return detail::host()->call_is_cancelled(state_->call) != 0; }

  /// Ends the call; the first time counts. Throws std::invalid_argument where the reply says nothing sensible.
  void complete(const Reply& reply) const {
    const auto accounts = json_of(reply.accounts);
    deprov_connector_reply out = {};
    out.struct_size = sizeof out;
    out.effect = reply.effect;
    out.accounts = str(accounts);
    out.next_cursor = str(reply.next_cursor);
    out.handle = str(reply.handle);
    out.detail = str(reply.detail);
    const detail::Text problem;
    if (detail::host()->call_complete(state_->call, &out, problem.get()) == DEPROV_ERR_INVALID_ARGUMENT)
      throw std::invalid_argument(problem.str());
  }
  void fail(std::int32_t outcome, std::string_view why,
            std::optional<std::int64_t> retry_after_ms = {}) const noexcept {
    deprov_connector_reply out = {};
    out.struct_size = sizeof out;
    out.outcome = outcome;
    out.detail = str(why);
    out.has_retry_after = retry_after_ms ? 1 : 0;
    out.retry_after_ms = retry_after_ms.value_or(0);
    (void)detail::host()->call_complete(state_->call, &out, nullptr);
  }

  /// Begins an exchange; `then` gets the call and what came back, and what it throws becomes the outcome.
  void http(const HttpRequest& request, std::function<void(Call, const HttpResponse&)> then) const;

  /// Whether this host has checkpoints: it may be older than this header.
  [[nodiscard]] static bool has_checkpoints() noexcept {
    constexpr auto needed = offsetof(deprov_connector_host_v1, checkpoint_set) + sizeof(void (*)());
    return detail::host()->struct_size >= needed;
  }
  /// Asks for what was last kept under `name`. `then` gets the call and what there is, and what it throws becomes
  /// the outcome; it is not called where the answer is not DEPROV_OK (DEPROV_ERR_UNSUPPORTED where the host has no
  /// checkpoints).
  [[nodiscard]] std::int32_t checkpoint_get(std::string_view name,
                                            std::function<void(Call, const Checkpoint&)> then) const;
  /// Keeps `value` in its place; an empty one forgets it. No secrets: they are stored as they are. `then` gets the
  /// call and what became of it; otherwise as checkpoint_get().
  [[nodiscard]] std::int32_t checkpoint_set(std::string_view name, std::string_view value,
                                            std::function<void(Call, std::int32_t status)> then) const;

  /// Runs `f`, and makes outcomes of what it throws. An unknown exception of a change that may have been sent is
  /// an unknown outcome.
  template <class F>
  void run(F f) const noexcept {
    const std::int32_t unforeseen = is_change() ? DEPROV_OUTCOME_UNKNOWN_OUTCOME : DEPROV_OUTCOME_INTERNAL;
    try {
      f();
    } catch (const Failure& e) {
      // A change whose answer cannot be understood may have happened; and what failed is not OK.
      const bool unclear =
          e.outcome() == DEPROV_OUTCOME_OK || (is_change() && e.outcome() == DEPROV_OUTCOME_PROTOCOL);
      fail(unclear ? unforeseen : e.outcome(), e.what(), e.retry_after_ms);
    } catch (const std::exception& e) {
      fail(unforeseen, e.what());
    } catch (...) {
      fail(unforeseen, "an exception of an unknown kind");
    }
  }

 private:
  struct State {
    State(deprov_connector_call* c, const deprov_connector_request* r) : call(c), request(r) {}
    ~State() { detail::host()->call_free(call); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    deprov_connector_call* call;
    const deprov_connector_request* request;
  };
  struct Waiting;
  struct Got;
  struct Kept;

  [[nodiscard]] const deprov_connector_request& request() const noexcept { return *state_->request; }

  static void arrived(void* user, const deprov_connector_http_response* in);
  static void got(void* user, std::int32_t status, deprov_str value);
  static void kept(void* user, std::int32_t status);

  static std::string json_of(const std::vector<Account>& accounts) {
    const auto texts = [](const std::vector<std::string>& list) {
      std::string out;
      for (const auto& text : list) out.append(out.empty() ? "[" : ",").append(json_quoted(text));
      return (out.empty() ? "[" : out) + "]";
    };
    std::string out;
    for (const auto& a : accounts) {
      out.append(out.empty() ? "[" : ",").append("{\"id\":").append(json_quoted(a.id));
      if (!a.external_id.empty()) out.append(",\"external_id\":").append(json_quoted(a.external_id));
      if (!a.user_name.empty()) out.append(",\"user_name\":").append(json_quoted(a.user_name));
      if (!a.emails.empty()) out.append(",\"emails\":").append(texts(a.emails));
      if (!a.groups.empty()) out.append(",\"groups\":").append(texts(a.groups));
      if (a.active) out.append(*a.active ? ",\"active\":true" : ",\"active\":false");
      out.append("}");
    }
    return out.empty() ? out : out + "]";
  }

  std::shared_ptr<State> state_;
};

struct Call::Waiting {
  Call call;
  std::function<void(Call, const HttpResponse&)> then;
};

inline void Call::http(const HttpRequest& request, std::function<void(Call, const HttpResponse&)> then) const {
  std::vector<deprov_connector_header> headers;
  for (const auto& h : request.headers) headers.push_back({str(h.first), str(h.second)});
  deprov_connector_http_request out = {};
  out.struct_size = sizeof out;
  out.method = str(request.method);
  out.url = str(request.url);
  out.headers = headers.data();
  out.header_count = headers.size();
  out.body = str(request.body);
  out.timeout_ms = request.timeout_ms;
  out.ca_pem = str(request.ca_pem);
  out.proxy = str(request.proxy);
  out.proxy_user = str(request.proxy_user);
  out.proxy_password = str(request.proxy_password);
  auto waiting = std::make_unique<Waiting>(Waiting{*this, std::move(then)});
  const auto status = detail::host()->http_send(state_->call, &out, waiting.get(), &Call::arrived);
  if (status == DEPROV_ERR_CLOSED) return;  // nobody waits any more
  if (status != DEPROV_OK) throw Failure(DEPROV_OUTCOME_INVALID_REQUEST, "the HTTP request is not well formed");
  (void)waiting.release();
}

inline void Call::arrived(void* user, const deprov_connector_http_response* in) {
  const std::unique_ptr<Waiting> waiting(static_cast<Waiting*>(user));
  waiting->call.run([&] {
    HttpResponse r;
    r.failure = in->failure;
    r.sent = in->sent != 0;
    r.status = in->status;
    if (in->has_retry_after != 0) r.retry_after_ms = in->retry_after_ms;
    for (std::size_t i = 0; i < in->header_count; ++i)
      r.headers.emplace_back(view(in->headers[i].name), view(in->headers[i].value));
    r.body = view(in->body);
    r.detail = view(in->detail);
    waiting->then(waiting->call, r);
  });
}

struct Call::Got {
  Call call;
  std::function<void(Call, const Checkpoint&)> then;
};

inline std::int32_t Call::checkpoint_get(std::string_view name,
                                         std::function<void(Call, const Checkpoint&)> then) const {
  if (!has_checkpoints()) return DEPROV_ERR_UNSUPPORTED;
  auto waiting = std::make_unique<Got>(Got{*this, std::move(then)});
  const auto status = detail::host()->checkpoint_get(state_->call, str(name), waiting.get(), &Call::got);
  if (status == DEPROV_OK) (void)waiting.release();
  return status;
}

inline void Call::got(void* user, std::int32_t status, deprov_str value) {
  const std::unique_ptr<Got> waiting(static_cast<Got*>(user));
  waiting->call.run([&] { waiting->then(waiting->call, Checkpoint{status, std::string(view(value))}); });
}

struct Call::Kept {
  Call call;
  std::function<void(Call, std::int32_t)> then;
};

inline std::int32_t Call::checkpoint_set(std::string_view name, std::string_view value,
                                         std::function<void(Call, std::int32_t status)> then) const {
  if (!has_checkpoints()) return DEPROV_ERR_UNSUPPORTED;
  auto waiting = std::make_unique<Kept>(Kept{*this, std::move(then)});
  const auto status =
      detail::host()->checkpoint_set(state_->call, str(name), str(value), waiting.get(), &Call::kept);
  if (status == DEPROV_OK) (void)waiting.release();
  return status;
}

inline void Call::kept(void* user, std::int32_t status) {
  const std::unique_ptr<Kept> waiting(static_cast<Kept*>(user));
  waiting->call.run([&] { waiting->then(waiting->call, status); });
}

/// Throws what an exchange that did not succeed means; does nothing where the status is 2xx.
inline void expect_success(const Call& call, const HttpResponse& r) {
  const bool change = call.is_change();
  if (r.failure != DEPROV_HTTP_OK) {
    if (!r.sent && r.failure == DEPROV_HTTP_CANCELLED) throw Failure(DEPROV_OUTCOME_CANCELLED, r.detail);
    if (!r.sent && (r.failure == DEPROV_HTTP_EGRESS || r.failure == DEPROV_HTTP_PROTOCOL))
      throw Failure(DEPROV_OUTCOME_INVALID_REQUEST, r.detail);
    if (!r.sent) throw Failure(DEPROV_OUTCOME_NOT_SENT, r.detail);
    if (change) throw Failure(DEPROV_OUTCOME_UNKNOWN_OUTCOME, r.detail);
    throw Failure(r.failure == DEPROV_HTTP_CANCELLED ? DEPROV_OUTCOME_CANCELLED : DEPROV_OUTCOME_UNAVAILABLE,
                  r.detail);
  }
  if (r.status >= 200 && r.status < 300) return;
  std::int32_t outcome = DEPROV_OUTCOME_PROTOCOL;
  switch (r.status) {
    case 400:
    case 422: outcome = DEPROV_OUTCOME_INVALID_REQUEST; break;
    case 401: outcome = DEPROV_OUTCOME_AUTH_FAILED; break;
    case 403: outcome = DEPROV_OUTCOME_PERMISSION_DENIED; break;
    case 404:
    case 410: outcome = DEPROV_OUTCOME_NOT_FOUND; break;
    case 409: outcome = DEPROV_OUTCOME_CONFLICT_STATE; break;
    case 412: outcome = DEPROV_OUTCOME_PRECONDITION; break;
    case 429: outcome = DEPROV_OUTCOME_THROTTLED; break;
    case 501: outcome = DEPROV_OUTCOME_UNSUPPORTED; break;
    case 503: outcome = DEPROV_OUTCOME_UNAVAILABLE; break;
    default:
      if (r.status >= 500) outcome = change ? DEPROV_OUTCOME_UNKNOWN_OUTCOME : DEPROV_OUTCOME_UNAVAILABLE;
      break;
  }
  Failure failure(outcome, "the app answered " + std::to_string(r.status));
  failure.retry_after_ms = r.retry_after_ms;
  throw failure;
}

/// For what stands between the slashes of a URL, or behind its `=`.
inline std::string url_encoded(std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto b = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out.append({'%', digits[b >> 4U], digits[b & 15U]});
    }
  }
  return out;
}

/// Derive from it, with a constructor that takes a Connection; what that throws is why the connection cannot be
/// opened. Override the operations that the manifest names: each completes its call, now or later, or throws.
class Connector {
 public:
  Connector() = default;
  virtual ~Connector() = default;
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  virtual void check(Call call) { unsupported(call); }
  virtual void find(Call call) { unsupported(call); }
  virtual void read(Call call) { unsupported(call); }
  virtual void list(Call call) { unsupported(call); }
  virtual void disable(Call call) { unsupported(call); }
  virtual void enable(Call call) { unsupported(call); }
  virtual void remove(Call call) { unsupported(call); }
  virtual void transfer(Call call) { unsupported(call); }
  virtual void revoke_sessions(Call call) { unsupported(call); }
  virtual void list_entitlements(Call call) { unsupported(call); }
  virtual void revoke_entitlement(Call call) { unsupported(call); }
  virtual void grant_entitlement(Call call) { unsupported(call); }
  virtual void poll(Call call) { unsupported(call); }
  /// Asks that a call end soon, which is that of whoever has a Call whose get() this is. Exchanges over the host's
  /// HTTP have been ended. What the call is completed with is still the truth.
  virtual void cancel(const deprov_connector_call* call) { (void)call; }

  void start(const Call& call) {
    switch (call.operation()) {
      case DEPROV_OPERATION_CHECK: return check(call);
      case DEPROV_OPERATION_FIND: return find(call);
      case DEPROV_OPERATION_READ: return read(call);
      case DEPROV_OPERATION_LIST: return list(call);
      case DEPROV_OPERATION_DISABLE: return disable(call);
      case DEPROV_OPERATION_ENABLE: return enable(call);
      case DEPROV_OPERATION_REMOVE: return remove(call);
      case DEPROV_OPERATION_TRANSFER: return transfer(call);
      case DEPROV_OPERATION_REVOKE_SESSIONS: return revoke_sessions(call);
      case DEPROV_OPERATION_LIST_ENTITLEMENTS: return list_entitlements(call);
      case DEPROV_OPERATION_REVOKE_ENTITLEMENT: return revoke_entitlement(call);
      case DEPROV_OPERATION_GRANT_ENTITLEMENT: return grant_entitlement(call);
      case DEPROV_OPERATION_POLL: return poll(call);
      default: return unsupported(call);
    }
  }

 private:
  static void unsupported(const Call& call) {
    call.fail(DEPROV_OUTCOME_UNSUPPORTED, "this connector cannot do that");
  }
};

namespace detail {

template <class C>
std::int32_t open(deprov_connector_connection* connection, void** instance,
                  deprov_connector_text* problem) noexcept {
  const auto refuse = [&](const char* why) {
    (void)host()->text_set(problem, {why, std::strlen(why)});
    return DEPROV_ERR_INVALID_ARGUMENT;
  };
  try {
    *instance = static_cast<Connector*>(new C(Connection(connection)));
    return DEPROV_OK;
  } catch (const std::exception& e) {
    return refuse(e.what());
  } catch (...) {
    return refuse("an exception of an unknown kind");
  }
}

inline void close(void* instance) noexcept { delete static_cast<Connector*>(instance); }

inline void start(void* instance, const deprov_connector_request* request, deprov_connector_call* raw) noexcept {
  try {
    const Call call(raw, request);
    call.run([&] { static_cast<Connector*>(instance)->start(call); });
  } catch (...) {
    host()->call_free(raw);  // no memory to even begin
  }
}

inline void cancel(void* instance, deprov_connector_call* call) noexcept {
  try {
    static_cast<Connector*>(instance)->cancel(call);
  } catch (...) {  // a wish that could not be passed on: the call ends by itself
  }
}

template <class C>
const deprov_connector_table_v1* enter(const deprov_connector_host_v1* given, std::string_view id,
                                       std::string_view version) noexcept {
  host() = given;
  static const deprov_connector_table_v1 table = {sizeof(deprov_connector_table_v1),
                                                  DEPROV_CONNECTOR_ABI_MINOR,
                                                  0,
                                                  str(id),
                                                  str(version),
                                                  &open<C>,
                                                  &close,
                                                  &start,
                                                  &cancel};
  return &table;
}

}  // namespace detail

}  // namespace deprov_sdk

/// Once in a library: its connector's class, and the id and version of its manifest.
#define DEPROV_CONNECTOR(class_name, id, version)                                                               \
  extern "C" const deprov_connector_table_v1* deprov_connector_entry_v1(const deprov_connector_host_v1* host) { \
    return deprov_sdk::detail::enter<class_name>(host, id, version);                                            \
  }
