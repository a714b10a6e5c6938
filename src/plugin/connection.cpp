// Calls and HTTP exchanges of one connection, until they are over.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <deprov/connector/json.hpp>
#include <deprov/http/retry_after.hpp>
#include "plugin/host.hpp"
#include "plugin/redaction.hpp"
#include "plugin/secret_texts.hpp"

using deprov::Duration;
using deprov::Errc;
using deprov::Error;
using deprov::Result;
using deprov::connector::Outcome;
using deprov::plugin::LogLevel;
using deprov::plugin::str;
namespace json = boost::json;
namespace port = deprov::port;

namespace deprov::plugin {

const json::value* find_member(const json::object& config, std::string_view path) {
  const auto dot = path.find('.');
  const auto* v = config.if_contains(path.substr(0, dot));
  if (v == nullptr || dot == std::string_view::npos) return v;
  return v->is_object() ? find_member(v->get_object(), path.substr(dot + 1)) : nullptr;
}

namespace {

void erase_member(json::object& config, std::string_view path) {
  const auto dot = path.find('.');
  if (dot == std::string_view::npos) {
    config.erase(path);
  } else if (auto* v = config.if_contains(path.substr(0, dot)); v != nullptr && v->is_object()) {
    erase_member(v->get_object(), path.substr(dot + 1));
  }
}

std::string secret_text(const json::value& v) {
  return v.is_string() ? std::string(v.get_string()) : json::serialize(v);
}

/// Lower case, without port. Empty where it is no URL of HTTP, or has a user name.
std::string host_of(std::string_view url) {
  const auto parsed = boost::urls::parse_uri(url);
  if (!parsed || parsed->has_userinfo()) return {};
  if (parsed->scheme_id() != boost::urls::scheme::http && parsed->scheme_id() != boost::urls::scheme::https)
    return {};
  std::string host = parsed->host_address();
  for (auto& c : host)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  if (!host.empty() && host.back() == '.') host.pop_back();
  return host;
}

/// Texts in texts: what a secret contains besides itself is none.
void collect(const json::value& v, std::vector<std::string>& out) {
  if (const auto* s = v.if_string()) {
    out.emplace_back(*s);
  } else if (const auto* a = v.if_array()) {
    for (const auto& item : *a) collect(item, out);
  } else if (const auto* o = v.if_object()) {
    for (const auto& [name, item] : *o) collect(item, out);
  }
}

std::int32_t failure_of(port::HttpFailure::Kind kind) {
  using Kind = port::HttpFailure::Kind;
  switch (kind) {
    case Kind::resolve: return DEPROV_HTTP_RESOLVE;
    case Kind::connect: return DEPROV_HTTP_CONNECT;
    case Kind::tls: return DEPROV_HTTP_TLS;
    case Kind::timeout: return DEPROV_HTTP_TIMEOUT;
    case Kind::broken: return DEPROV_HTTP_BROKEN;
    case Kind::too_large: return DEPROV_HTTP_TOO_LARGE;
    case Kind::cancelled: return DEPROV_HTTP_CANCELLED;
    case Kind::protocol: return DEPROV_HTTP_PROTOCOL;
  }
  return DEPROV_HTTP_BROKEN;
}

port::HttpResult not_sent(port::HttpFailure::Kind kind, std::string detail) {
  port::HttpResult r;
  r.failure = {kind, false, std::move(detail)};
  return r;
}

/// One more owner, unless the last one is about to go.
bool retain_if_owned(deprov_connector_call& call) noexcept {
  auto n = call.owners.load(std::memory_order_relaxed);
  while (n != 0)
    if (call.owners.compare_exchange_weak(n, n + 1, std::memory_order_acquire)) return true;
  return false;
}

}  // namespace

std::vector<std::string> secret_texts(const json::object& config, const std::vector<std::string>& paths) {
  std::vector<std::string> out;
  for (const auto& path : paths)
    if (const auto* v = find_member(config, path); v != nullptr) collect(*v, out);
  std::erase_if(out, [](const std::string& s) { return s.size() < least_secret_bytes; });
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
  return out;
}

}  // namespace deprov::plugin

using namespace deprov::plugin;  // NOLINT(google-build-using-namespace): the handles are C's, and so global

deprov_connector_connection::deprov_connector_connection(std::shared_ptr<const Plugin> plugin,
                                                         const json::object& config, port::ConnectorHost host)
    : plugin_(std::move(plugin)),
      host_(host),
      config_(config),
      hidden_(secret_texts(config, plugin_->manifest.description.secret_paths)) {
  for (const auto& path : plugin_->manifest.description.secret_paths) {
    const auto* v = find_member(config, path);
    if (v == nullptr) continue;
    secrets_.emplace(path, secret_text(*v));
    erase_member(config_, path);
  }
  if (plugin_->record) recorder_.emplace(hidden_);
  for (const auto& pattern : plugin_->manifest.egress) {
    constexpr std::string_view of_config = "config:";
    if (pattern.rfind(of_config, 0) != 0) {
      egress_.push_back(pattern);
    } else if (const auto* v = find_member(config, std::string_view(pattern).substr(of_config.size()));
               v != nullptr && v->is_string()) {
      if (auto found = host_of(v->get_string()); !found.empty()) egress_.push_back(std::move(found));
    }
  }
}

std::optional<std::string> deprov_connector_connection::secret(std::string_view name) const {
  if (plugin_->remote != nullptr) return plugin_->remote->secret(name);
  const auto it = secrets_.find(name);
  return it == secrets_.end() ? std::nullopt : std::optional(it->second);
}

std::string deprov_connector_connection::clean(std::string_view text, std::size_t most) const {
  // What is far beyond the end needs no looking at; what a cut would halve is still found whole.
  const auto far = std::max(most * 4, std::size_t{1} << 16U);
  std::string out(text.substr(0, far + 1));  // one more, by which `cut_detail` sees whether a character ends here
  for (const auto& secret : hidden_)
    for (auto at = out.find(secret); at != std::string::npos; at = out.find(secret, at + 3))
      out.replace(at, secret.size(), "***");
  for (auto& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  // Where the host takes secrets out it has to find them whole.
  return deprov::connector::cut_detail(std::move(out), plugin_->remote != nullptr ? far : most);
}

void deprov_connector_connection::log(LogLevel level, std::string_view message) const {
  constexpr std::size_t most = 4000;
  if (plugin_->log)
    plugin_->log(level, "connector " + plugin_->manifest.description.id + ": " + clean(message, most));
}

void deprov_connector_connection::fault(std::string_view what) const {
  log(LogLevel::error, std::string(fault_mark).append(what));
}

deprov_connector_call* deprov_connector_connection::add(Call call, Completion done, Duration grace) {
  auto made = std::make_unique<deprov_connector_call>();
  made->call = std::move(call);
  made->connection = shared_from_this();
  made->deadline = host_.clock.mono() + made->call.timeout;
  const auto& c = made->call;
  for (const auto& email : c.match.emails) made->emails.push_back(str(email));
  auto& r = made->request;
  r.struct_size = sizeof r;
  r.operation = static_cast<std::int32_t>(c.operation);
  r.delete_account = c.delete_account ? 1 : 0;
  r.account = str(c.account_id);
  r.external_id = str(c.match.external_id);
  r.user_name = str(c.match.user_name);
  r.emails = made->emails.data();
  r.email_count = made->emails.size();
  r.entitlement = str(c.entitlement);
  r.cursor = str(c.cursor);
  r.handle = str(c.handle);
  r.idempotency_key = str(c.idempotency_key);
  r.timeout_ms = c.timeout.count() / 1000;
  r.page_size = c.page_size;
  const std::lock_guard lock(mutex_);
  made->id = ++last_;
  const auto timer = host_.executor.post_at(made->deadline + grace, [weak = weak_from_this(), id = made->id] {
    if (const auto self = weak.lock()) self->overdue(id);
  });
  pending_.emplace(made->id, Pending{made.get(), std::move(done), timer});
  return made.release();
}

Result<void> deprov_connector_connection::finish(std::uint64_t id, Reply reply) {
  reply.detail = clean(reply.detail, deprov::connector::max_detail_bytes);
  // The lock is held while the executor is told: `shut` comes before the executor goes.
  const std::lock_guard lock(mutex_);
  const auto it = pending_.find(id);
  if (it == pending_.end()) {
    if (!open_) return Error(Errc::closed, "the connection of the call is closed", "call");
    return Error(Errc::conflict, "the call was completed before", "call");
  }
  host_.executor.cancel(it->second.timer);
  host_.executor.post(
      [done = std::move(it->second.done), reply = std::move(reply)]() mutable { done(std::move(reply)); });
  pending_.erase(it);
  return {};
}

void deprov_connector_connection::forget(deprov_connector_call& call) {
  Reply reply;
  const auto operation = call.call.operation;
  reply.outcome = deprov::connector::is_change(operation) ? Outcome::unknown_outcome : Outcome::internal;
  reply.detail = "the connector let go of the call without completing it";
  if (finish(call.id, std::move(reply)))
    fault("let go of a call (" + std::string(to_string(operation)) + ") without completing it");
}

void deprov_connector_connection::overdue(std::uint64_t id) {
  if (on_overdue && on_overdue(id)) return;
  auto operation = deprov::connector::Operation::check;
  {
    const std::lock_guard lock(mutex_);
    const auto it = pending_.find(id);
    if (it == pending_.end()) return;
    operation = it->second.call->call.operation;
  }
  Reply reply;
  reply.outcome = deprov::connector::is_change(operation) ? Outcome::unknown_outcome : Outcome::deadline;
  reply.detail = "the connector did not complete the call in time";
  if (finish(id, std::move(reply)))
    fault("did not complete a call (" + std::string(to_string(operation)) + ") in time");
}

deprov_connector_call* deprov_connector_connection::cancel(std::uint64_t id) {
  deprov_connector_call* call = nullptr;
  std::vector<port::HttpCallId> running;
  {
    const std::lock_guard lock(mutex_);
    const auto it = pending_.find(id);
    if (it == pending_.end() || !retain_if_owned(*it->second.call)) return nullptr;
    call = it->second.call;
    for (const auto& [exchange, e] : exchanges_)
      if (e.call == id && e.begun) running.push_back(e.id);
  }
  if (call->cancelled.exchange(true)) {
    host_table().call_free(call);
    return nullptr;
  }
  for (const auto http : running) host_.http.cancel(http);
  return call;
}

bool deprov_connector_connection::may_reach(const std::string& url) const {
  const auto host = host_of(url);
  if (host.empty()) return false;
  return std::any_of(egress_.begin(), egress_.end(), [&](std::string_view pattern) {
    if (pattern == "*" || pattern == host) return true;
    if (pattern.rfind("*.", 0) != 0) return false;
    const auto tail = pattern.substr(1);
    return host.size() > tail.size() && host.compare(host.size() - tail.size(), tail.size(), tail) == 0;
  });
}

Result<void> deprov_connector_connection::send(deprov_connector_call& call, port::HttpRequest request, void* user,
                                               HttpDone done) {
  std::uint64_t number = 0;
  std::shared_ptr<deprov::plugin::RecordedExchange> recorded;
  if (recorder_) {
    recorded = std::make_shared<deprov::plugin::RecordedExchange>(
        recorder_->begin(plugin_->manifest.description.id, call.call.operation, request, host_.clock.wall()));
  }
  {
    const std::lock_guard lock(mutex_);
    if (!open_) return Error(Errc::closed, "the connection of the call is closed", "call");
    number = ++last_;
    exchanges_.emplace(number, Exchange{call.id, user, done, 0, false, std::move(recorded), host_.clock.mono()});
  }
  using Kind = port::HttpFailure::Kind;
  const auto left = call.deadline - host_.clock.mono();
  std::optional<port::HttpResult> refused;
  std::int32_t failure = DEPROV_HTTP_OK;
  if (!may_reach(request.url)) {
    const auto host = host_of(request.url);
    refused = not_sent(Kind::protocol,
                       host.empty()
                           ? std::string("the URL names no host: it begins with http:// or https://")
                           : "the manifest of the connector does not name the host \"" + host + "\" under egress");
    failure = DEPROV_HTTP_EGRESS;
  } else if (call.cancelled) {
    refused = not_sent(Kind::cancelled, "the call was cancelled");
  } else if (left <= Duration(0)) {
    refused = not_sent(Kind::timeout, "the time for the call ran out before the request could be sent");
  }
  if (refused) {
    const std::lock_guard lock(mutex_);
    if (!open_) return {};  // ended as cancelled meanwhile
    host_.executor.post([self = shared_from_this(), number, failure, result = std::move(*refused)] {
      self->deliver(number, result, failure);
    });
    return {};
  }
  request.timeout = std::min(request.timeout, left);
  auto done_here = [self = shared_from_this(), number](port::HttpResult result) {
    self->arrived(number, std::move(result));
  };
  if (plugin_->remote != nullptr) {
    plugin_->remote->send(call.id, std::move(request), std::move(done_here));
    return {};
  }
  const auto id = host_.http.send(std::move(request), std::move(done_here));
  {
    const std::lock_guard lock(mutex_);
    const auto it = exchanges_.find(number);
    if (it == exchanges_.end()) return {};
    it->second.id = id;
    it->second.begun = true;
  }
  if (call.cancelled) host_.http.cancel(id);  // it was cancelled while this began
  return {};
}

void deprov_connector_connection::arrived(std::uint64_t exchange, port::HttpResult result) {
  const std::lock_guard lock(mutex_);
  if (!open_ || exchanges_.find(exchange) == exchanges_.end()) return;
  host_.executor.post([self = shared_from_this(), exchange, result = std::move(result)] {
    self->deliver(exchange, result, DEPROV_HTTP_OK);
  });
}

void deprov_connector_connection::deliver(std::uint64_t exchange, const port::HttpResult& result,
                                          std::int32_t failure) {
  const std::lock_guard turn(turn_);
  Exchange e{};
  {
    const std::lock_guard lock(mutex_);
    const auto it = exchanges_.find(exchange);
    if (it == exchanges_.end()) return;
    e = it->second;
    exchanges_.erase(it);
  }
  deprov_connector_http_response out{};
  out.struct_size = sizeof out;
  std::vector<deprov_connector_header> headers;
  std::string detail;
  if (result.response) {
    const auto& response = *result.response;
    out.sent = 1;
    out.status = response.status;
    for (const auto& h : response.headers) headers.push_back({str(h.name), str(h.value)});
    out.headers = headers.data();
    out.header_count = headers.size();
    out.body = str(response.body);
    if (const auto wait = deprov::http::retry_after(response, host_.clock.wall(), std::chrono::hours(1))) {
      out.has_retry_after = 1;
      out.retry_after_ms = wait->count() / 1000;
    }
  } else {
    detail = clean(result.failure.detail, deprov::connector::max_detail_bytes);
    out.failure = failure != DEPROV_HTTP_OK ? failure : failure_of(result.failure.kind);
    out.sent = result.failure.sent ? 1 : 0;
    out.detail = str(detail);
  }
  if (e.recorded) {
    try {
      recorder_->end(*e.recorded, result, out.failure, host_.clock.mono() - e.at);
      plugin_->record(*e.recorded);
    } catch (...) {  // the connector has its answer all the same
      log(LogLevel::error, "an exception came out of what records its exchanges");
    }
  }
  try {
    e.done(e.user, &out);
  } catch (...) {
    fault("an exception came out of an HTTP callback; it belongs inside of the connector");
  }
}

void deprov_connector_connection::end_exchanges() {
  std::vector<std::pair<std::uint64_t, Exchange>> left;
  {
    const std::lock_guard lock(mutex_);
    left.assign(exchanges_.begin(), exchanges_.end());
  }
  port::HttpResult ended;
  ended.failure = {port::HttpFailure::Kind::cancelled, true, "the connection was closed"};
  for (const auto& [number, exchange] : left) {
    if (exchange.begun) host_.http.cancel(exchange.id);
    deliver(number, ended, DEPROV_HTTP_OK);
  }
}

void deprov_connector_connection::shut() {
  std::map<std::uint64_t, Pending> left;
  {
    const std::lock_guard lock(mutex_);
    open_ = false;
    left.swap(pending_);
    for (const auto& [id, pending] : left) host_.executor.cancel(pending.timer);
  }
}
