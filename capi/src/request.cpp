// Requests: waiting for the answer, or taking it from the queue.
#include <algorithm>
#include <deprov/runtime/clock.hpp>
#include <utility>
#include "core.hpp"
#include "guard.hpp"

namespace deprov::capi {

namespace {
// Bounds of what a client may make the host hand over; SCIM and the admin API have tighter ones of their own.
constexpr std::size_t max_target = 64U << 10U;
constexpr std::size_t max_method = 64;
constexpr std::size_t max_headers = 256;
constexpr std::size_t max_header_bytes = 256U << 10U;
constexpr std::size_t max_subject = 256;
constexpr std::size_t max_body = 64U << 20U;

/// RFC 9110 section 5.6.2.
bool is_token(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

Error too_large(std::string_view what, std::size_t most) {
  return {Errc::limit_exceeded, "more than " + std::to_string(most), "request." + std::string(what)};
}
}  // namespace

// This is on the way of every request: what is taken goes to its place at once.
Result<void> take_request(const deprov_request& in, service::Request& out, std::optional<Caller>& local) {
  if (!is_text(in.method)) return no_text(in.method, "request.method");
  if (!is_text(in.target)) return no_text(in.target, "request.target");
  if (!is_text(in.body)) return no_text(in.body, "request.body");
  if (!is_text(in.peer)) return no_text(in.peer, "request.peer");
  if (!is_text(in.subject)) return no_text(in.subject, "request.subject");
  const auto target = view(in.target);
  if (in.method.len == 0) return Error(Errc::invalid_argument, "names no method", "request.method");
  // Answers quote it.
  if (in.method.len > max_method || !is_token(view(in.method)))
    return Error(Errc::invalid_argument, "is no method of HTTP (RFC 9110 section 9.1)", "request.method");
  if (target.empty() || target.front() != '/')
    return Error(Errc::invalid_argument, "does not begin with a slash", "request.target");
  if (target.size() > max_target) return too_large("target bytes", max_target);
  if (in.reserved != 0) return Error(Errc::unsupported, "has to be 0", "request.reserved");
  if (in.header_count > max_headers) return too_large("header_count", max_headers);
  if (in.header_count != 0 && in.headers == nullptr) return null_argument("request.headers");
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < in.header_count; ++i) {
    for (const auto& s : {in.headers[i].name, in.headers[i].value})
      if (!is_text(s)) return no_text(s, "request.headers");
    bytes += in.headers[i].name.len + in.headers[i].value.len;
    if (bytes > max_header_bytes) return too_large("headers bytes", max_header_bytes);
  }
  if (in.body.len > max_body) return too_large("body bytes", max_body);
  if (in.subject.len > max_subject) return too_large("subject bytes", max_subject);
  switch (in.as) {
    case DEPROV_AS_TOKEN: break;
    case DEPROV_AS_LOCAL: {
      if (target.rfind("/api/v1/", 0) != 0) {
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
  // Made where they lie; to assign would look at what was there before.
  out.headers.reserve(in.header_count);
  for (std::size_t i = 0; i < in.header_count; ++i)
    out.headers.push_back({std::string(view(in.headers[i].name)), std::string(view(in.headers[i].value))});
  out.method = std::string(view(in.method));
  out.target = std::string(target);
  if (in.body.len != 0) out.body = std::string(view(in.body));
  if (in.peer.len != 0) out.peer = std::string(view(in.peer));
  if (in.subject.len != 0) out.subject = std::string(view(in.subject));
  return {};
}

}  // namespace deprov::capi

using namespace deprov;

namespace {
Result<void> take(deprov_engine* engine, const deprov_request* request, service::Request& out,
                  std::optional<capi::Caller>& local) {
  if (engine == nullptr) return capi::null_argument("engine");
  deprov_request in{};
  DEPROV_CHECK(capi::take_struct(request, "request", in));
  return capi::take_request(in, out, local);
}
}  // namespace

deprov_status deprov_engine_call(deprov_engine* engine, const deprov_request* request, deprov_response** response,
                                 deprov_error** error) {
  if (response != nullptr) *response = nullptr;
  return capi::guard(error, [&]() -> Result<void> {
    if (response == nullptr) return capi::null_argument("response");
    service::Request in;
    std::optional<capi::Caller> local;
    DEPROV_CHECK(take(engine, request, in, local));
    DEPROV_TRY(answer, engine->core->call(std::move(in), std::move(local)));
    *response = capi::make_response(std::move(answer), engine->core->events()).release();
    return {};
  });
}

namespace {

Result<std::uint64_t> begin(deprov_engine* engine, const deprov_request* request, void* user,
                            capi::Events::Caught* caught = nullptr) {
  service::Request in;
  std::optional<capi::Caller> local;
  DEPROV_CHECK(take(engine, request, in, local));
  const auto& core = engine->core;
  DEPROV_TRY(begun, core->events()->begin(DEPROV_EVENT_RESPONSE, user));
  if (caught != nullptr) caught->expect(begun);
  // An answer that comes when the engine is gone is nobody's, and its queue has ended.
  try {
    core->start(std::move(in), std::move(local),
                [events = core->events(), id = begun](service::Response&& answer) {
                  events->finish(id, capi::make_response(std::move(answer), events));
                });
  } catch (...) {  // there is no memory, and what is answered is that nothing was begun
    core->events()->forget(begun);
    throw;
  }
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
    const auto& queue = engine->core->events();
    std::optional<deprov_event> answered;
    {
      // Not for longer: whoever pumps below finds the answer in the queue.
      capi::Events::Caught caught(*queue);
      DEPROV_TRY(begun, begin(engine, request, user, &caught));
      *token = begun;
      answered = caught.take();
    }
    if (answered) {
      events[0] = *answered;
      *taken = 1 + (count > 1 ? queue->take(events + 1, count - 1) : 0);
      return {};
    }
    std::optional<runtime::Notice::Quiet> quiet;
    be_quiet(*engine->core, quiet);
    const auto n = next(*engine->core, events, count, timeout_ms);
    if (n) *taken = *n;
    return {};
  });
}
