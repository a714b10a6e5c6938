#include "response.hpp"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>
#include "core.hpp"
#include "events.hpp"
#include "guard.hpp"

namespace deprov::capi {

namespace {
constexpr std::size_t short_body = 16U << 10U;  // more is not copied

/// Copies texts to where there is room for them, and for a zero byte after each.
class Texts {
 public:
  explicit Texts(char* at) noexcept : at_(at) {}
  deprov_str add(std::string_view text) noexcept {
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());
    const deprov_str out{at_, text.size()};
    at_ += text.size();
    *at_++ = '\0';
    return out;
  }

 private:
  char* at_;
};

Error body_closed() { return {Errc::closed, "the engine was closed before the body ended", "response"}; }
}  // namespace

Body::Body(std::shared_ptr<service::BodyStream> stream, std::weak_ptr<Core> core, std::weak_ptr<Events> events)
    : core_(std::move(core)), events_(std::move(events)), stream_(std::move(stream)) {}

void Body::fetch() {
  std::shared_ptr<service::BodyStream> stream;
  {
    const std::lock_guard lock(mutex_);
    if (state_ != State::idle || closed_) return;
    state_ = State::fetching;
    stream = stream_;
  }
  stream->next([self = shared_from_this()](std::optional<std::string> piece) { self->arrived(std::move(piece)); });
}

void Body::arrived(std::optional<std::string> piece) {
  std::shared_ptr<service::BodyStream> done;
  const std::lock_guard lock(mutex_);
  if (state_ != State::fetching) return;
  state_ = State::ready;
  if (!piece) done = std::move(stream_);
  piece_ = std::move(piece);
  ready_.set();
  if (!std::exchange(wanted_, false)) return;
  if (const auto events = events_.lock()) events->piece(user_);
}

Result<void> Body::want(void* user) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return body_closed();
    if (wanted_) return Error(Errc::conflict, "a piece was asked for already", "response");
    if (state_ == State::ready || state_ == State::over) {
      if (const auto events = events_.lock()) events->piece(user);
      return {};
    }
    wanted_ = true;
    user_ = user;
  }
  fetch();
  return {};
}

Result<std::optional<std::string>> Body::read(Duration timeout) {
  fetch();
  const auto core = core_.lock();
  if (core && timeout.count() > 0 && !ready_.is_set()) {
    core->may_wait();
    (void)core->instance().wait_until(ready_, timeout);
  }
  const std::lock_guard lock(mutex_);
  if (state_ == State::over) return std::optional<std::string>{};
  if (closed_) return body_closed();
  if (state_ != State::ready) return Error(Errc::timeout, "there is no piece of the body yet", "response");
  if (!piece_) {
    state_ = State::over;
    return std::optional<std::string>{};
  }
  state_ = State::idle;
  ready_.clear();
  return std::exchange(piece_, std::nullopt);
}

void Body::close() {
  std::shared_ptr<service::BodyStream> stream;
  const std::lock_guard lock(mutex_);
  if (state_ != State::ready && state_ != State::over) state_ = State::idle;
  closed_ = true;
  stream = std::move(stream_);
  ready_.set();
}

std::unique_ptr<deprov_response> make_response(service::Response&& response,
                                               const std::shared_ptr<Events>& events) {
  const auto headers = response.headers.size() * sizeof(deprov_header);
  const bool is_short = response.body.size() <= short_body;
  auto texts = is_short ? response.body.size() + 1 : 0;
  for (const auto& h : response.headers) texts += h.name.size() + h.value.size() + 2;
  const auto bytes = sizeof(deprov_response) + headers + texts;
  const bool pooled = bytes <= Blocks::bytes;
  std::unique_ptr<deprov_response> out(new (pooled ? events->blocks()->get() : ::operator new(bytes))
                                           deprov_response);
  if (pooled) out->blocks = events->blocks();
  out->status = response.status;
  static_assert(sizeof(deprov_response) % alignof(deprov_header) == 0);
  auto* const table = reinterpret_cast<deprov_header*>(out.get() + 1);
  Texts copy(reinterpret_cast<char*>(out.get() + 1) + headers);
  for (const auto& h : response.headers)
    new (table + out->header_count++) deprov_header{copy.add(h.name), copy.add(h.value)};
  out->headers = table;
  if (is_short) {
    out->body = copy.add(response.body);
  } else {
    out->long_body = std::move(response.body);
    out->body = str(out->long_body);
  }
  if (response.stream) {
    out->pieces = std::make_shared<Body>(std::move(response.stream), events->core(), events);
    const auto core = events->core().lock();
    if (core) core->add_body(out->pieces);
  }
  return out;
}

}  // namespace deprov::capi

void deprov_response::operator delete(deprov_response* response, std::destroying_delete_t) noexcept {
  if (response->state != State::alive) {
    static_cast<void>(std::fputs("deprov: a response was freed twice\n", stderr));
    std::abort();
  }
  const auto blocks = std::move(response->blocks);
  response->~deprov_response();
  new (static_cast<void*>(response)) State(State::freed);
  if (blocks) {
    blocks->put(response);
  } else {
    ::operator delete(static_cast<void*>(response));
  }
}

using deprov::capi::guard;
using deprov::capi::str;

int32_t deprov_response_get_status(const deprov_response* response) {
  return response == nullptr ? 0 : response->status;
}

size_t deprov_response_get_header_count(const deprov_response* response) {
  return response == nullptr ? 0 : response->header_count;
}

deprov_header deprov_response_get_header(const deprov_response* response, size_t index) {
  if (response == nullptr || index >= response->header_count) return {{nullptr, 0}, {nullptr, 0}};
  return response->headers[index];
}

deprov_str deprov_response_get_body(const deprov_response* response) {
  return response == nullptr ? deprov_str{nullptr, 0} : response->body;
}

int32_t deprov_response_is_streaming(const deprov_response* response) {
  return response != nullptr && response->pieces ? 1 : 0;
}

namespace {
deprov::Result<void> check_streaming(const deprov_response* response) {
  if (response == nullptr) return deprov::capi::null_argument("response");
  if (!response->pieces) {
    return deprov::Error(deprov::Errc::invalid_argument, "the body does not come in pieces", "response",
                         "use deprov_response_get_body()");
  }
  return {};
}
}  // namespace

deprov_status deprov_response_read(deprov_response* response, int64_t timeout_ms, deprov_str* piece,
                                   deprov_error** error) {
  if (piece != nullptr) *piece = {nullptr, 0};
  return guard(error, [&]() -> deprov::Result<std::optional<deprov::capi::End>> {
    DEPROV_CHECK(check_streaming(response));
    if (piece == nullptr) return deprov::capi::null_argument("piece");
    DEPROV_TRY(got, response->pieces->read(deprov::capi::milliseconds(timeout_ms)));
    if (!got) return std::optional<deprov::capi::End>(deprov::capi::End{});
    response->piece = std::move(*got);
    *piece = str(response->piece);
    return std::optional<deprov::capi::End>{};
  });
}

deprov_status deprov_response_want(deprov_response* response, void* user, deprov_error** error) {
  return guard(error, [&]() -> deprov::Result<void> {
    DEPROV_CHECK(check_streaming(response));
    return response->pieces->want(user);
  });
}

void deprov_response_free(deprov_response* response) {
  if (response == nullptr) return;
  if (response->state == deprov_response::State::alive && response->pieces) response->pieces->close();
  delete response;
}
