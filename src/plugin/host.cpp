// The functions that connectors are given. None lets an exception out.
#include "plugin/host.hpp"
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstring>
#include <deprov/connector/json.hpp>
#include <deprov/utf8.hpp>
#include <new>
#include <optional>

struct deprov_connector_text {
  std::string value;
};

struct deprov_connector_json {
  boost::json::value value;
};

namespace deprov::plugin {

namespace {

std::atomic<std::int64_t> live_texts{0};
std::atomic<std::int64_t> live_documents{0};

constexpr std::size_t max_document = std::size_t{16} << 20U;
constexpr std::size_t max_headers = 1000;
constexpr std::size_t max_struct = 4096;

void wipe(std::string& s) noexcept {
  volatile char* p = s.data();
  for (std::size_t i = 0; i < s.size(); ++i) p[i] = 0;
}

template <class F>
std::int32_t guarded(F body) noexcept {
  try {
    return body();
  } catch (...) {
    return DEPROV_ERR_INTERNAL;  // memory is exhausted
  }
}

/// A struct of any version: what it has not is zero, what is too new has to be.
template <class T>
bool take(const T* in, T& out) noexcept {
  out = T{};
  if (in == nullptr || in->struct_size <= sizeof(std::size_t) || in->struct_size > max_struct) return false;
  std::memcpy(&out, in, std::min(in->struct_size, sizeof(T)));
  const auto* bytes = reinterpret_cast<const unsigned char*>(in);
  for (auto i = sizeof(T); i < in->struct_size; ++i)
    if (bytes[i] != 0) return false;
  return true;
}

std::int32_t set(deprov_connector_text* text, std::string_view value) {
  if (text == nullptr) return DEPROV_OK;
  wipe(text->value);
  text->value.assign(value);
  return DEPROV_OK;
}

std::int32_t show(const json::value& v, deprov_connector_text* text) {
  if (const auto* s = v.if_string()) return set(text, *s);
  return set(text, json::serialize(v));
}

// ---- text and JSON

deprov_connector_text* text_new() {
  auto* made = new (std::nothrow) deprov_connector_text;
  if (made != nullptr) ++live_texts;
  return made;
}

std::int32_t text_set(deprov_connector_text* text, deprov_str value) {
  if (text == nullptr) return DEPROV_ERR_INVALID_ARGUMENT;
  return guarded([&] { return set(text, view(value)); });
}

deprov_str text_get(const deprov_connector_text* text) {
  return text == nullptr ? deprov_str{} : str(text->value);
}

void text_free(deprov_connector_text* text) {
  if (text == nullptr) return;
  wipe(text->value);
  delete text;
  --live_texts;
}

deprov_connector_json* json_parse(deprov_str document) {
  if (document.len > max_document) return nullptr;
  try {
    json::parse_options options;
    options.max_depth = 64;
    boost::system::error_code ec;
    auto value = json::parse(view(document), ec, {}, options);
    if (ec) return nullptr;
    auto* made = new deprov_connector_json{std::move(value)};
    ++live_documents;
    return made;
  } catch (...) {
    return nullptr;
  }
}

const json::value* at(const deprov_connector_json* document, deprov_str pointer) {
  if (document == nullptr) return nullptr;
  boost::system::error_code ec;
  return document->value.find_pointer(view(pointer), ec);
}

std::int32_t json_get(const deprov_connector_json* document, deprov_str pointer, deprov_connector_text* value) {
  return guarded([&]() -> std::int32_t {
    if (document == nullptr || value == nullptr) return DEPROV_ERR_INVALID_ARGUMENT;
    const auto* v = at(document, pointer);
    return v == nullptr ? DEPROV_ERR_NOT_FOUND : show(*v, value);
  });
}

std::int64_t json_count(const deprov_connector_json* document, deprov_str pointer) {
  try {
    const auto* v = at(document, pointer);
    if (v == nullptr) return -1;
    if (const auto* a = v->if_array()) return static_cast<std::int64_t>(a->size());
    if (const auto* o = v->if_object()) return static_cast<std::int64_t>(o->size());
  } catch (...) {
    return -1;
  }
  return -1;
}

void json_free(deprov_connector_json* document) {
  if (document == nullptr) return;
  delete document;
  --live_documents;
}

std::int32_t json_quote(deprov_str value, deprov_connector_text* quoted) {
  return guarded([&]() -> std::int32_t {
    if (quoted == nullptr || !is_utf8(view(value))) return DEPROV_ERR_INVALID_ARGUMENT;
    return set(quoted, json::serialize(json::string(view(value))));
  });
}

// ---- the connection

std::int32_t config_get(const deprov_connector_connection* connection, deprov_str path,
                        deprov_connector_text* value) {
  return guarded([&]() -> std::int32_t {
    if (connection == nullptr || value == nullptr) return DEPROV_ERR_INVALID_ARGUMENT;
    if (path.len == 0) return set(value, json::serialize(connection->config()));
    const auto* v = find_member(connection->config(), view(path));
    return v == nullptr ? DEPROV_ERR_NOT_FOUND : show(*v, value);
  });
}

std::int32_t secret_get(const deprov_connector_connection* connection, deprov_str name,
                        deprov_connector_text* value) {
  return guarded([&]() -> std::int32_t {
    if (connection == nullptr || value == nullptr) return DEPROV_ERR_INVALID_ARGUMENT;
    auto secret = connection->secret(view(name));
    if (!secret) return DEPROV_ERR_NOT_FOUND;
    const auto status = set(value, *secret);
    wipe(*secret);
    return status;
  });
}

void log(const deprov_connector_connection* connection, std::int32_t level, deprov_str message) {
  if (connection == nullptr) return;
  (void)guarded([&] {
    connection->log(level == DEPROV_LOG_ERROR     ? LogLevel::error
                    : level == DEPROV_LOG_WARNING ? LogLevel::warning
                                                  : LogLevel::info,
                    view(message));
    return DEPROV_OK;
  });
}

std::int64_t wall_us(const deprov_connector_connection* connection) {
  return connection == nullptr ? 0 : connection->clock().wall().micros;
}

std::int64_t mono_us(const deprov_connector_connection* connection) {
  return connection == nullptr ? 0 : connection->clock().mono().micros;
}

// ---- calls

Result<connector::Reply> take_reply(const deprov_connector_reply* reply) {
  deprov_connector_reply in{};
  if (!take(reply, in)) return Error(Errc::invalid_argument, "has no sensible struct_size", "reply");
  const auto check = [](std::int32_t value, std::int32_t most, const char* name) -> Result<void> {
    if (value >= 0 && value <= most) return {};
    return Error(Errc::invalid_argument, std::to_string(value) + " is none of those of deprov_connector.h", name);
  };
  DEPROV_CHECK(check(in.outcome, DEPROV_OUTCOME_INTERNAL, "reply.outcome"));
  DEPROV_CHECK(check(in.effect, DEPROV_EFFECT_ACCEPTED, "reply.effect"));
  DEPROV_CHECK(check(in.throttle_scope, DEPROV_THROTTLE_ACCOUNT, "reply.throttle_scope"));
  for (const auto s : {in.next_cursor, in.handle})
    if ((s.ptr == nullptr && s.len != 0) || !is_utf8(view(s)))
      return Error(Errc::invalid_argument, "a text is not UTF-8", "reply");
  connector::Reply out;
  out.outcome = static_cast<connector::Outcome>(in.outcome);
  out.effect = static_cast<connector::Effect>(in.effect);
  DEPROV_TRY(accounts, connector::parse_accounts(view(in.accounts), "reply.accounts"));
  out.accounts = std::move(accounts);
  out.next_cursor = view(in.next_cursor);
  out.handle = view(in.handle);
  if (out.outcome == connector::Outcome::ok && out.effect == connector::Effect::accepted && out.handle.empty())
    return Error(Errc::invalid_argument, "a change that is accepted needs a handle to ask for it", "reply.handle");
  constexpr std::int64_t most_ms = std::int64_t{7} * 24 * 3600 * 1000;
  if (in.has_retry_after != 0)
    out.retry_after = std::chrono::milliseconds(std::clamp<std::int64_t>(in.retry_after_ms, 0, most_ms));
  out.throttle_scope = in.throttle_scope == DEPROV_THROTTLE_ACCOUNT     ? connector::ThrottleScope::account
                       : in.throttle_scope == DEPROV_THROTTLE_OPERATION ? connector::ThrottleScope::operation
                                                                        : connector::ThrottleScope::connection;
  out.detail = view(in.detail);
  return out;
}

std::int32_t call_complete(deprov_connector_call* call, const deprov_connector_reply* reply,
                           deprov_connector_text* problem) {
  return guarded([&]() -> std::int32_t {
    if (call == nullptr) return DEPROV_ERR_INVALID_ARGUMENT;
    const auto refuse = [&](const Error& e) {
      (void)set(problem, e.message());
      return e.code() == Errc::conflict ? DEPROV_ERR_CONFLICT
             : e.code() == Errc::closed ? DEPROV_ERR_CLOSED
                                        : DEPROV_ERR_INVALID_ARGUMENT;
    };
    auto taken = take_reply(reply);
    if (!taken) {
      call->connection->fault("a reply was refused: " + taken.error().message());
      return refuse(taken.error());
    }
    if (auto ok = call->connection->finish(call->id, std::move(*taken)); !ok) {
      if (ok.error().code() == Errc::conflict)
        call->connection->fault("a call was completed more than once, or too late");
      return refuse(ok.error());
    }
    return DEPROV_OK;
  });
}

std::int32_t call_is_cancelled(const deprov_connector_call* call) {
  return call != nullptr && call->cancelled.load() ? 1 : 0;
}

deprov_connector_call* call_retain(deprov_connector_call* call) {
  if (call != nullptr) call->owners.fetch_add(1, std::memory_order_relaxed);
  return call;
}

void call_free(deprov_connector_call* call) {
  if (call == nullptr || call->owners.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  try {
    call->connection->forget(*call);
  } catch (...) {
    std::terminate();  // without memory even for that, nobody would ever be told
  }
  delete call;
}

// ---- HTTP

Result<port::HttpRequest> take_http(const deprov_connector_http_request* request) {
  deprov_connector_http_request in{};
  const auto wrong = [](const char* detail) { return Error(Errc::invalid_argument, detail, "request"); };
  if (!take(request, in)) return wrong("has no sensible struct_size");
  if (in.header_count > max_headers || (in.header_count != 0 && in.headers == nullptr)) return wrong("headers");
  for (const auto s : {in.method, in.url, in.body, in.ca_pem, in.proxy, in.proxy_user, in.proxy_password})
    if (s.ptr == nullptr && s.len != 0) return wrong("a text is NULL and has a length");
  port::HttpRequest out;
  if (in.method.len != 0) out.method = view(in.method);
  out.url = view(in.url);
  const auto breaks = [](std::string_view s) {
    return s.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
  };
  for (std::size_t i = 0; i < in.header_count; ++i) {
    const auto& h = in.headers[i];
    if (view(h.name).empty() || breaks(view(h.name)) || breaks(view(h.value)))
      return wrong("a header breaks its line");
    out.headers.push_back({std::string(view(h.name)), std::string(view(h.value))});
  }
  out.body = view(in.body);
  out.peer.ca_pem = view(in.ca_pem);
  out.peer.proxy = view(in.proxy);
  out.peer.proxy_user = view(in.proxy_user);
  out.peer.proxy_password = view(in.proxy_password);
  constexpr std::int64_t most_ms = std::int64_t{3600} * 1000;
  if (in.timeout_ms > 0) out.timeout = std::chrono::milliseconds(std::min(in.timeout_ms, most_ms));
  if (in.max_response_bytes != 0)
    out.max_response_bytes =
        static_cast<std::size_t>(std::min<std::uint64_t>(in.max_response_bytes, max_document));
  return out;
}

std::int32_t http_send(deprov_connector_call* call, const deprov_connector_http_request* request, void* user,
                       void (*done)(void*, const deprov_connector_http_response*)) {
  return guarded([&]() -> std::int32_t {
    if (call == nullptr || done == nullptr) return DEPROV_ERR_INVALID_ARGUMENT;
    auto taken = take_http(request);
    if (!taken) {
      call->connection->fault("an HTTP request was refused: " + taken.error().message());
      return DEPROV_ERR_INVALID_ARGUMENT;
    }
    return call->connection->send(*call, std::move(*taken), user, done) ? DEPROV_OK : DEPROV_ERR_CLOSED;
  });
}

// ---- checkpoints

bool is_text(deprov_str s) { return s.ptr != nullptr || s.len == 0; }

std::int32_t checkpoint_get(deprov_connector_call* call, deprov_str name, void* user,
                            void (*done)(void*, std::int32_t, deprov_str)) {
  return guarded([&]() -> std::int32_t {
    if (call == nullptr || done == nullptr || !is_text(name)) return DEPROV_ERR_INVALID_ARGUMENT;
    return call->connection->checkpoint(
        std::string(view(name)), std::nullopt,
        [user, done](std::int32_t status, const std::string& value) { done(user, status, str(value)); });
  });
}

std::int32_t checkpoint_set(deprov_connector_call* call, deprov_str name, deprov_str value, void* user,
                            void (*done)(void*, std::int32_t)) {
  return guarded([&]() -> std::int32_t {
    if (call == nullptr || done == nullptr || !is_text(name) || !is_text(value))
      return DEPROV_ERR_INVALID_ARGUMENT;
    return call->connection->checkpoint(
        std::string(view(name)), std::string(view(value)),
        [user, done](std::int32_t status, const std::string&) { done(user, status); });
  });
}

constexpr deprov_connector_host_v1 table{sizeof(deprov_connector_host_v1),
                                         DEPROV_CONNECTOR_ABI_MINOR,
                                         0,
                                         text_new,
                                         text_set,
                                         text_get,
                                         text_free,
                                         json_parse,
                                         json_get,
                                         json_count,
                                         json_free,
                                         json_quote,
                                         config_get,
                                         secret_get,
                                         log,
                                         wall_us,
                                         mono_us,
                                         call_complete,
                                         call_is_cancelled,
                                         call_retain,
                                         call_free,
                                         http_send,
                                         checkpoint_get,
                                         checkpoint_set};

#define DEPROV_SAME(macro, type, value) static_assert((macro) == static_cast<std::int32_t>(connector::type::value))
DEPROV_SAME(DEPROV_OPERATION_CHECK, Operation, check);
DEPROV_SAME(DEPROV_OPERATION_REMOVE, Operation, remove);
DEPROV_SAME(DEPROV_OPERATION_GRANT_ENTITLEMENT, Operation, grant_entitlement);
DEPROV_SAME(DEPROV_OPERATION_POLL, Operation, poll);
DEPROV_SAME(DEPROV_OUTCOME_OK, Outcome, ok);
DEPROV_SAME(DEPROV_OUTCOME_PROTECTED, Outcome, protected_account);
DEPROV_SAME(DEPROV_OUTCOME_PERMISSION_DENIED, Outcome, permission_denied);
DEPROV_SAME(DEPROV_OUTCOME_THROTTLED, Outcome, throttled);
DEPROV_SAME(DEPROV_OUTCOME_UNKNOWN_OUTCOME, Outcome, unknown_outcome);
DEPROV_SAME(DEPROV_OUTCOME_INTERNAL, Outcome, internal);
DEPROV_SAME(DEPROV_EFFECT_NONE, Effect, none);
DEPROV_SAME(DEPROV_EFFECT_ACCEPTED, Effect, accepted);
#undef DEPROV_SAME

// Frozen: what is there may not move.
static_assert(sizeof(void*) != 8 ||
              (sizeof(deprov_connector_table_v1) == 80 && offsetof(deprov_connector_table_v1, id) == 16 &&
               offsetof(deprov_connector_table_v1, open) == 48 &&
               offsetof(deprov_connector_table_v1, cancel) == 72));
static_assert(sizeof(void*) != 8 || (offsetof(deprov_connector_host_v1, text_new) == 16 &&
                                     offsetof(deprov_connector_host_v1, json_parse) == 48 &&
                                     offsetof(deprov_connector_host_v1, config_get) == 88 &&
                                     offsetof(deprov_connector_host_v1, call_complete) == 128 &&
                                     offsetof(deprov_connector_host_v1, http_send) == 160 &&
                                     offsetof(deprov_connector_host_v1, checkpoint_get) == 168 &&
                                     offsetof(deprov_connector_host_v1, checkpoint_set) == 176 &&
                                     sizeof(deprov_connector_host_v1) == 184));
static_assert(DEPROV_CHECKPOINT_NAME_BYTES == port::Checkpoints::max_name_bytes &&
              DEPROV_CHECKPOINT_VALUE_BYTES == port::Checkpoints::max_value_bytes &&
              DEPROV_CHECKPOINT_NAMES == port::Checkpoints::max_names);

}  // namespace

Live live() noexcept { return {live_texts, live_documents, live_calls}; }

const deprov_connector_host_v1& host_table() noexcept { return table; }

}  // namespace deprov::plugin
