// Requests: waiting for the answer, or taking it from the queue.
#include <deprov/runtime/clock.hpp>
#include <utility>
#include "core.hpp"
#include "guard.hpp"

namespace deprov::capi {

namespace {
// Bounds of what a client may make the host hand over; SCIM and the admin API have tighter ones of their own.
constexpr std::size_t max_target = 64U << 10U;
constexpr std::size_t max_headers = 256;
constexpr std::size_t max_header_bytes = 256U << 10U;
constexpr std::size_t max_subject = 256;
constexpr std::size_t max_body = 64U << 20U;

Error too_large(std::string_view what, std::size_t most) {
  return {Errc::limit_exceeded, "more than " + std::to_string(most), "request." + std::string(what)};
}
}  // namespace

Result<service::Request> take_request(const deprov_request& in, std::optional<Caller>& local) {
  service::Request out;
  DEPROV_TRY(method, text(in.method, "request.method"));
  DEPROV_TRY(target, text(in.target, "request.target"));
  if (method.empty()) return Error(Errc::invalid_argument, "names no method", "request.method");
  if (target.empty() || target.front() != '/')
    return Error(Errc::invalid_argument, "does not begin with a slash", "request.target");
  if (target.size() > max_target) return too_large("target bytes", max_target);
  if (in.reserved != 0) return Error(Errc::unsupported, "has to be 0", "request.reserved");
  if (in.header_count > max_headers) return too_large("header_count", max_headers);
  if (in.header_count != 0 && in.headers == nullptr) return null_argument("request.headers");
  std::size_t bytes = 0;
  out.headers.reserve(in.header_count);
  for (std::size_t i = 0; i < in.header_count; ++i) {
    DEPROV_TRY(name, text(in.headers[i].name, "request.headers"));
    DEPROV_TRY(value, text(in.headers[i].value, "request.headers"));
    bytes += name.size() + value.size();
    if (bytes > max_header_bytes) return too_large("headers bytes", max_header_bytes);
    out.headers.push_back({std::move(name), std::move(value)});
  }
  if (in.body.len > max_body) return too_large("body bytes", max_body);
  DEPROV_TRY(body, text(in.body, "request.body"));
  DEPROV_TRY(peer, text(in.peer, "request.peer"));
  DEPROV_TRY(subject, text(in.subject, "request.subject"));
  if (subject.size() > max_subject) return too_large("subject bytes", max_subject);
  switch (in.as) {
    case DEPROV_AS_TOKEN: break;
    case DEPROV_AS_LOCAL: {
      const std::string_view path = target;
      if (path.rfind("/api/v1/", 0) != 0) {
        return Error(Errc::invalid_argument, "the local administrator has no access below this path",
                     "request.target", "use /api/v1/, or a token");
      }
      deprov_caller caller{sizeof caller, in.workspace, {nullptr, 0}};
      DEPROV_TRY(taken, take_caller(&caller));
      local = std::move(taken);
      break;
    }
    default: return Error(Errc::invalid_argument, std::to_string(in.as) + " is nobody", "request.as");
  }
  out.method = std::move(method);
  out.target = std::move(target);
  out.body = std::move(body);
  out.peer = std::move(peer);
  out.subject = std::move(subject);
  return out;
}

}  // namespace deprov::capi

using namespace deprov;

namespace {
Result<service::Request> taken(deprov_engine* engine, const deprov_request* request,
                               std::optional<capi::Caller>& local) {
  if (engine == nullptr) return capi::null_argument("engine");
  deprov_request in{};
  DEPROV_CHECK(capi::take_struct(request, "request", in));
  return capi::take_request(in, local);
}
}  // namespace

deprov_status deprov_engine_call(deprov_engine* engine, const deprov_request* request, deprov_response** response,
                                 deprov_error** error) {
  if (response != nullptr) *response = nullptr;
  return capi::guard(error, [&]() -> Result<void> {
    if (response == nullptr) return capi::null_argument("response");
    std::optional<capi::Caller> local;
    DEPROV_TRY(in, taken(engine, request, local));
    DEPROV_TRY(answer, engine->core->call(std::move(in), std::move(local)));
    *response = capi::make_response(std::move(answer), engine->core).release();
    return {};
  });
}

namespace {

Result<std::uint64_t> begin(deprov_engine* engine, const deprov_request* request, void* user) {
  std::optional<capi::Caller> local;
  DEPROV_TRY(in, taken(engine, request, local));
  const auto& core = engine->core;
  DEPROV_TRY(begun, core->events()->begin(DEPROV_EVENT_RESPONSE, user));
  core->start(std::move(in), std::move(local),
              [events = core->events(), weak = std::weak_ptr(core), id = begun](service::Response answer) {
                // An answer that comes when the engine is gone is nobody's.
                if (const auto alive = weak.lock())
                  events->finish(id, capi::make_response(std::move(answer), alive));
              });
  return begun;
}

Result<void> check_room(const deprov_engine* engine, const deprov_event* events, size_t count,
                        const size_t* taken) {
  if (engine == nullptr) return capi::null_argument("engine");
  if (events == nullptr) return capi::null_argument("events");
  if (taken == nullptr) return capi::null_argument("taken");
  if (count == 0) return Error(Errc::invalid_argument, "there is room for no event", "count");
  return {};
}

/// What has ended, waiting for the first. Errors: `timeout`, `closed`.
Result<size_t> next(capi::Core& core, deprov_event* events, size_t count, int64_t timeout_ms) {
  const auto& queue = core.events();
  const runtime::SystemClock clock;
  const auto until = runtime::after(clock.mono(), capi::milliseconds(timeout_ms));
  for (;;) {
    const auto n = queue->take(events, count);
    if (n != 0) return n;
    if (queue->over()) return Error(Errc::closed, "the engine is closed, and everything was taken", "engine");
    const auto now = clock.mono();
    if (now >= until) return Error(Errc::timeout, "nothing has ended yet", "engine");
    // Another thread may be faster with what comes; then the rest of the time is waited for.
    (void)core.instance().wait_until(queue->ready(), until - now);
  }
}

/// A thread that pumps waits for the descriptor itself.
void be_quiet(capi::Core& core, std::optional<runtime::Notice::Quiet>& quiet) {
  if (core.instance().descriptor() < 0) quiet.emplace(core.events()->ready());
}

}  // namespace

deprov_status deprov_engine_send(deprov_engine* engine, const deprov_request* request, void* user, uint64_t* token,
                                 deprov_error** error) {
  if (token != nullptr) *token = 0;
  return capi::guard(error, [&]() -> Result<void> {
    DEPROV_TRY(begun, begin(engine, request, user));
    if (token != nullptr) *token = begun;
    return {};
  });
}

deprov_status deprov_engine_cancel(deprov_engine* engine, uint64_t token, deprov_error** error) {
  return capi::guard(error, [&]() -> Result<void> {
    if (engine == nullptr) return capi::null_argument("engine");
    if (engine->core->events()->cancel(token)) return {};
    return Error(Errc::not_found, "no request with this token is under way", "token " + std::to_string(token));
  });
}

deprov_status deprov_engine_next(deprov_engine* engine, deprov_event* events, size_t count, int64_t timeout_ms,
                                 size_t* taken, deprov_error** error) {
  if (taken != nullptr) *taken = 0;
  return capi::guard(error, [&]() -> Result<void> {
    DEPROV_CHECK(check_room(engine, events, count, taken));
    if (timeout_ms > 0) engine->core->may_wait();
    std::optional<runtime::Notice::Quiet> quiet;
    be_quiet(*engine->core, quiet);
    DEPROV_TRY(n, next(*engine->core, events, count, timeout_ms));
    *taken = n;
    return {};
  });
}

deprov_status deprov_engine_ask(deprov_engine* engine, const deprov_request* request, void* user, uint64_t* token,
                                deprov_event* events, size_t count, int64_t timeout_ms, size_t* taken,
                                deprov_error** error) {
  if (token != nullptr) *token = 0;
  if (taken != nullptr) *taken = 0;
  return capi::guard(error, [&]() -> Result<void> {
    DEPROV_CHECK(check_room(engine, events, count, taken));
    if (token == nullptr) return capi::null_argument("token");
    if (timeout_ms > 0) engine->core->may_wait();
    std::optional<runtime::Notice::Quiet> quiet;
    be_quiet(*engine->core, quiet);
    DEPROV_TRY(begun, begin(engine, request, user));
    *token = begun;
    const auto n = next(*engine->core, events, count, timeout_ms);
    if (n) *taken = *n;
    return {};
  });
}
