#include "plugin/worker_session.hpp"
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <deprov/connector/json.hpp>
#include <system_error>
#include <utility>
#include <vector>

namespace deprov::plugin {

using connector::Outcome;

namespace {

constexpr std::size_t most_exchanges = 64;
constexpr std::size_t most_waiting_bytes = std::size_t{256} << 20U;
/// Read at once, in pieces of 64 KiB: far more than a socket holds of a process that has ended.
constexpr std::size_t most_pieces = 1024;
/// A worker that ends sooner than this after its start did not do well.
constexpr Duration early = std::chrono::seconds(60);
constexpr Duration first_wait = std::chrono::seconds(1), longest_wait = std::chrono::seconds(60);

Duration wait_after(std::uint32_t early_ends) {
  if (early_ends < 2) return Duration(0);
  auto wait = first_wait;
  for (auto n = early_ends; n > 2 && wait < longest_wait; --n) wait *= 2;
  return std::min(wait, longest_wait);
}

}  // namespace

/// An exchange that the host carries out for one process.
struct WorkerSession::Exchange {
  std::weak_ptr<WorkerSession> session;
  std::uint64_t id;
  std::uint64_t generation;
};

WorkerSession::WorkerSession(std::shared_ptr<deprov_connector_connection> connection, WorkerCode code,
                             port::Clock& clock, int event)
    : connection_(std::move(connection)), code_(std::move(code)), clock_(clock), event_(event) {}

WorkerSession::~WorkerSession() {
  shut();
  ::close(event_);
}

void WorkerSession::wake() const noexcept {
  const std::uint64_t one = 1;
  (void)!::write(event_, &one, sizeof one);
}

// ---- from the engine

void WorkerSession::submit(deprov_connector_call* call) {
  const std::lock_guard lock(mutex_);
  if (closing_) return end(call, Outcome::not_sent, "the connection was closed");
  if (state_ == State::none && !wanted_) {
    const auto left = not_before_ - clock_.mono();
    if (left > Duration(0)) {
      return end(call, Outcome::not_sent,
                 "the worker process ended " + std::to_string(early_ends_) +
                     " times soon after its start, at last " + refusal_ +
                     "; the next one is started by a call in " +
                     std::to_string(std::chrono::ceil<std::chrono::seconds>(left).count()) + " s",
                 left);
    }
    try {
      if (!thread_) thread_.emplace("connector", [this] { run(); });
    } catch (const std::system_error& e) {
      return end(call, Outcome::not_sent, std::string("no thread for the worker process can be had: ") + e.what());
    }
    wanted_ = true;
    wake();
  }
  queued_.push_back(call);
  dispatch();
}

void WorkerSession::cancel(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto waiting =
      std::find_if(queued_.begin(), queued_.end(), [&](const auto* call) { return call->id == id; });
  if (waiting != queued_.end()) {
    auto* call = *waiting;
    queued_.erase(waiting);
    return end(call, Outcome::cancelled, "cancelled before it was sent to the worker process");
  }
  if (in_flight_.find(id) == in_flight_.end()) return;
  auto* call = connection_->cancel(id);
  if (call == nullptr) return;
  host_table().call_free(call);
  put(wire::Cancel{id});
}

bool WorkerSession::overdue(std::uint64_t id) {
  std::unique_lock lock(mutex_);
  const auto waiting =
      std::find_if(queued_.begin(), queued_.end(), [&](const auto* call) { return call->id == id; });
  if (waiting != queued_.end()) {
    auto* call = *waiting;
    queued_.erase(waiting);
    if (state_ == State::starting && process_ != nullptr) {
      refusal_ = "since it was not open in time";
      process_->kill();
    }
    end(call, Outcome::not_sent, "the worker process did not get to the call in time");
    return true;
  }
  const auto it = in_flight_.find(id);
  if (it == in_flight_.end()) return false;
  auto* call = it->second;
  in_flight_.erase(it);
  const auto operation = call->call.operation;
  refusal_ = "since a call was not complete in time";
  if (process_ != nullptr) process_->kill();
  end(call, connector::is_change(operation) ? Outcome::unknown_outcome : Outcome::deadline,
      "the connector did not complete the call in time; its worker process was killed");
  lock.unlock();
  connection_->fault("did not complete a call (" + std::string(to_string(operation)) +
                     ") in time, nor did its worker process answer for it; that is killed");
  return true;
}

void WorkerSession::shut() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    if (!thread_) return;
    if (process_ != nullptr) put(wire::Close{});
    wake();
  }
  if (!ended_.wait_for(worker_close_patience)) {
    const std::lock_guard lock(mutex_);
    if (process_ != nullptr) process_->kill();
  }
  thread_.reset();
}

// ---- the thread

void WorkerSession::run() {
  for (;;) {
    bool start = false;
    {
      const std::lock_guard lock(mutex_);
      if (closing_) break;
      start = std::exchange(wanted_, false);
      if (start) {
        state_ = State::starting;
        started_ = clock_.mono();
        refusal_.clear();
      }
    }
    if (!start) {
      pollfd fd{event_, POLLIN, 0};
      (void)::poll(&fd, 1, -1);
      std::uint64_t count = 0;
      (void)!::read(event_, &count, sizeof count);
      continue;
    }
    auto process = WorkerProcess::spawn(code_.options.program, code_.copy->descriptor());
    died(process ? serve(*process) : process.error().message());
  }
  died({});  // what still waits for a process
  ended_.set();
}

std::string WorkerSession::serve(WorkerProcess& process) {
  {
    const std::lock_guard lock(mutex_);
    process_ = &process;
    wire::Hello hello;
    hello.path = code_.path;
    hello.manifest = code_.manifest;
    hello.config = boost::json::serialize(connection_->config());
    hello.egress = connection_->egress();
    hello.memory_bytes = code_.options.memory_bytes;
    hello.cpu_seconds = code_.options.cpu_seconds;
    hello.files = code_.options.files;
    hello.calls = std::max<std::uint32_t>(code_.options.calls, 1);
    hello.wall = clock_.wall().micros;
    hello.keeps = connection_->keeps();
    put(hello);
    if (closing_) process.kill();
  }
  wire::Frames frames;
  std::string fault;
  for (bool reading = true, running = true; running;) {
    bool writing = false;
    {
      const std::lock_guard lock(mutex_);
      writing = !out_.empty();
    }
    pollfd fds[3] = {{reading ? process.socket() : -1, static_cast<short>(writing ? POLLIN | POLLOUT : POLLIN), 0},
                     {process.pidfd(), POLLIN, 0},
                     {event_, POLLIN, 0}};
    if (::poll(fds, 3, -1) < 0 && errno != EINTR) {
      process.kill();  // or its end would be waited for in vain
      break;
    }
    if (fds[2].revents != 0) {
      std::uint64_t count = 0;
      (void)!::read(event_, &count, sizeof count);
    }
    if ((fds[0].revents & POLLOUT) != 0) {
      const std::lock_guard lock(mutex_);
      flush();
    }
    running = fds[1].revents == 0;
    if (reading && (!running || (fds[0].revents & ~POLLOUT) != 0) && !read_all(process.socket(), frames, fault)) {
      reading = false;
      process.kill();  // it cannot be spoken with any more
    }
  }
  {
    const std::lock_guard lock(mutex_);
    process_ = nullptr;
    credit_ = 0;  // what comes from here on waits for the next process
  }
  const auto how = process.reap();
  const std::lock_guard lock(mutex_);
  if (!refusal_.empty()) return refusal_;
  return fault.empty() ? how : "since it broke the protocol: " + fault;
}

bool WorkerSession::read_all(int socket, wire::Frames& frames, std::string& fault) {
  std::vector<char> buffer(std::size_t{64} << 10U);
  // Whoever never stops talking keeps this thread neither from writing nor from seeing the end of the process.
  for (std::size_t left = most_pieces; left > 0; --left) {
    const auto n = ::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    if (n == 0) return false;
    frames.feed({buffer.data(), static_cast<std::size_t>(n)});
    for (;;) {
      auto next = frames.next();
      if (!next) {
        fault = next.error().message();
        return false;
      }
      if (!*next) break;
      if (auto ok = handle(std::move(**next)); !ok) {
        fault = ok.error().message();
        return false;
      }
    }
  }
  return true;
}

Result<void> WorkerSession::handle(wire::Message message) {
  if (auto* m = std::get_if<wire::Replied>(&message)) return replied(std::move(*m));
  if (auto* m = std::get_if<wire::SendHttp>(&message)) {
    send_http(std::move(*m));
    return {};
  }
  if (auto* m = std::get_if<wire::Checkpoint>(&message)) {
    checkpoint(std::move(*m));
    return {};
  }
  if (const auto* m = std::get_if<wire::AskSecret>(&message)) {
    const auto secret = connection_->secret(m->name);
    answer(wire::Secret{m->id, secret.has_value(), secret.value_or("")});
    return {};
  }
  if (const auto* m = std::get_if<wire::Log>(&message)) {
    connection_->log(static_cast<LogLevel>(m->level), m->text);
    return {};
  }
  const std::lock_guard lock(mutex_);
  if (auto* m = std::get_if<wire::Failed>(&message)) {
    refusal_ = connection_->clean(m->why, connector::max_detail_bytes);
    return {};
  }
  const auto* ready = std::get_if<wire::Ready>(&message);
  if (ready == nullptr || state_ != State::starting || ready->version != wire::version)
    return Error(Errc::invalid_syntax, "a message that it may not send now", "frame");
  state_ = State::ready;
  credit_ = std::min(ready->credit, std::max<std::uint32_t>(code_.options.calls, 1));
  dispatch();
  return {};
}

Result<void> WorkerSession::replied(wire::Replied replied) {
  const std::lock_guard lock(mutex_);
  const auto it = in_flight_.find(replied.id);
  if (it == in_flight_.end())
    return Error(Errc::invalid_syntax, "a reply to a call that it does not have", "frame");
  auto* call = it->second;
  in_flight_.erase(it);
  ++credit_;
  (void)connection_->finish(call->id, std::move(replied.reply));
  host_table().call_free(call);
  dispatch();
  return {};
}

void WorkerSession::send_http(wire::SendHttp send) {
  deprov_connector_call* call = nullptr;
  std::uint64_t generation = 0;
  wire::HttpDone refused;
  refused.id = send.id;
  refused.failure = DEPROV_HTTP_CANCELLED;
  refused.detail = "the call has ended";
  {
    const std::lock_guard lock(mutex_);
    generation = generation_;
    const auto it = in_flight_.find(send.call);
    if (it != in_flight_.end() && exchanges_ == most_exchanges) {
      refused.failure = DEPROV_HTTP_CONNECT;
      refused.detail = "more than " + std::to_string(most_exchanges) + " HTTP exchanges of one worker at once";
    } else if (it != in_flight_.end()) {
      call = host_table().call_retain(it->second);
      ++exchanges_;
    }
  }
  if (call == nullptr) return answer(refused);
  auto exchange = std::make_unique<Exchange>(Exchange{weak_from_this(), send.id, generation});
  const auto begun = connection_->send(*call, std::move(send.request), exchange.get(), &WorkerSession::http_done);
  host_table().call_free(call);
  if (begun) {
    (void)exchange.release();  // http_done has it
  } else {
    answer(refused);
  }
}

void WorkerSession::http_done(void* user, const deprov_connector_http_response* response) {
  const std::unique_ptr<Exchange> exchange(static_cast<Exchange*>(user));
  const auto self = exchange->session.lock();
  if (!self) return;
  wire::HttpDone m;
  m.id = exchange->id;
  m.failure = response->failure;
  m.sent = response->sent != 0;
  m.status = response->status;
  for (std::size_t i = 0; i < response->header_count; ++i)
    m.headers.push_back(
        {std::string(view(response->headers[i].name)), std::string(view(response->headers[i].value))});
  m.body = view(response->body);
  m.detail = view(response->detail);
  const std::lock_guard lock(self->mutex_);
  if (exchange->generation != self->generation_) return;  // its process has ended
  --self->exchanges_;
  self->put(m);
}

void WorkerSession::checkpoint(wire::Checkpoint asked) {
  std::uint64_t generation = 0;
  {
    const std::lock_guard lock(mutex_);
    generation = generation_;
  }
  auto told = [weak = weak_from_this(), id = asked.id, generation](std::int32_t status, std::string value) {
    const auto self = weak.lock();
    if (!self) return;
    const std::lock_guard lock(self->mutex_);
    // What was asked by a process that has ended is done all the same.
    if (generation == self->generation_) self->put(wire::CheckpointTold{id, status, std::move(value)});
  };
  auto value = asked.set ? std::optional(std::move(asked.value)) : std::nullopt;
  const auto status = connection_->checkpoint(std::move(asked.name), std::move(value), std::move(told));
  if (status != DEPROV_OK) answer(wire::CheckpointTold{asked.id, status, {}});
}

void WorkerSession::answer(const wire::Message& message) {
  const std::lock_guard lock(mutex_);
  put(message);
}

// ---- with the lock held

void WorkerSession::put(const wire::Message& message) {
  if (process_ == nullptr) return;
  const auto frame = wire::encode(message);
  if (!frame) {
    // Nothing that the host says is as long; a worker that lacks an answer would wait for ever.
    refusal_ = frame.error().message();
    return process_->kill();
  }
  out_.append(*frame);
  flush();
}

void WorkerSession::flush() {
  std::size_t done = 0;
  while (process_ != nullptr && done < out_.size()) {
    const auto n = ::send(process_->socket(), out_.data() + done, out_.size() - done, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) done = out_.size();  // its end is about to be seen
    if (n < 0) break;
    done += static_cast<std::size_t>(n);
  }
  out_.erase(0, done);
  if (out_.empty()) return;
  if (out_.size() > most_waiting_bytes && process_ != nullptr) {
    refusal_ = "since it does not read what it is sent";
    process_->kill();
  }
  wake();
}

void WorkerSession::dispatch() {
  // Nothing is begun in a worker that has been told to close.
  while (state_ == State::ready && !closing_ && credit_ > 0 && !queued_.empty()) {
    auto* call = queued_.front();
    queued_.pop_front();
    wire::Start start;
    start.id = call->id;
    start.wall = clock_.wall().micros;
    start.call = call->call;
    start.call.timeout = std::max(call->deadline - clock_.mono(), Duration(0));
    const wire::Message message(std::move(start));
    if (const auto frame = wire::encode(message); !frame) {
      end(call, Outcome::invalid_request, frame.error().message());
      continue;
    }
    --credit_;
    in_flight_.emplace(call->id, call);
    put(message);
  }
}

void WorkerSession::end(deprov_connector_call* call, Outcome outcome, const std::string& detail,
                        std::optional<Duration> retry_after) {
  connector::Reply reply;
  reply.outcome = outcome;
  reply.detail = detail;
  reply.retry_after = retry_after;
  (void)connection_->finish(call->id, std::move(reply));
  host_table().call_free(call);
}

void WorkerSession::died(const std::string& why) {
  std::unique_lock lock(mutex_);
  if (!closing_) {  // before the calls end, so that whoever has an answer finds this in the log
    lock.unlock();
    connection_->fault("its worker process ended: " + why);
    lock.lock();
  }
  state_ = State::none;
  ++generation_;
  exchanges_ = 0;
  credit_ = 0;
  out_.clear();
  Calls lost;
  lost.swap(in_flight_);
  for (const auto& [id, call] : lost) {
    if (auto* cancelled = connection_->cancel(id); cancelled != nullptr) host_table().call_free(cancelled);
    end(call, Outcome::unknown_outcome, "the worker process ended: " + why);
  }
  const auto now = clock_.mono();
  early_ends_ = now - started_ < early ? early_ends_ + 1 : 1;
  const auto wait = wait_after(early_ends_);
  not_before_ = now + wait;
  // What it had not been given goes on with the next one, unless that has to wait.
  wanted_ = !closing_ && !queued_.empty() && wait == Duration(0) && refusal_.empty();
  refusal_ = why;
  const bool closing = closing_;
  std::deque<deprov_connector_call*> left;
  if (!wanted_) left.swap(queued_);
  for (auto* call : left)
    end(call, Outcome::not_sent,
        closing ? "the connection was closed" : "the worker process did not come to work: " + why,
        closing ? std::nullopt : std::optional(wait));
}

}  // namespace deprov::plugin
