#include "server/connection.hpp"
#include <fcntl.h>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <cstring>
#include "server/wire.hpp"

namespace deprov::server {

using asio::ip::tcp;

namespace {
constexpr std::size_t small_input = 4U << 10U;
constexpr std::size_t large_input = 64U << 10U;
constexpr std::size_t one_tls_record = 16U << 10U;
constexpr Millis linger_when_stopping{200};
constexpr int steps_in_a_row = 64;  // then other connections have their turn

/// A process that is started meanwhile would otherwise hold the connection open.
bool keep_from_children(int descriptor) { return ::fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0; }

MonoTime mono_now() { return {std::chrono::duration_cast<Duration>(Clock::now().time_since_epoch()).count()}; }
}  // namespace

struct Connection::Tls {
  Tls(tcp::socket& socket, SSL_CTX* c) : context((SSL_CTX_up_ref(c), c)), stream(socket, context) {}
  asio::ssl::context context;
  asio::ssl::stream<tcp::socket&> stream;
};

asio::mutable_buffer Connection::Input::prepare(bool much) {
  const std::size_t want = much ? large_input : small_input;
  if (begin_ == end_) {
    begin_ = end_ = 0;
    if (!much && data_.size() > small_input) data_ = std::vector<char>(small_input);
  }
  if (data_.size() - end_ < want / 2) {
    if (begin_ != end_) std::memmove(data_.data(), data_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    if (data_.size() - end_ < want / 2) data_.resize(end_ + want);
  }
  return {data_.data() + end_, data_.size() - end_};
}

Connection::Connection(Loop& loop, std::uint64_t id, tcp::socket socket, bool rejected)
    : loop_(loop),
      id_(id),
      rejected_(rejected),
      socket_(std::move(socket)),
      parser_({loop.shared.options.max_header_bytes, loop.shared.options.max_header_fields,
               loop.shared.options.max_body_bytes}) {}

Connection::~Connection() = default;

void Connection::start() {
  auto& shared = loop_.shared;
  NetError error;
  const auto peer = socket_.remote_endpoint(error);
  if (error) return close();
  auto address = peer.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())  // one client has one name, whatever was listened at
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  peer_ = address.to_string();
  socket_.non_blocking(true, error);
  if (!error) socket_.set_option(tcp::no_delay(true), error);
  // A client whose machine died is noticed in the end, even where only events would be sent to it.
  if (!error) socket_.set_option(asio::socket_base::keep_alive(true), error);
  if (error || !keep_from_children(socket_.native_handle())) return close();
  if (rejected_) {
    if (shared.tls) return close();
    return refuse(503, "the server has as many connections as it takes, " +
                           std::to_string(shared.options.max_connections) + "; try again later");
  }
  set_deadline(shared.options.header_timeout);
  if (!shared.tls) return run();
  if (auto reloaded = shared.tls->refresh(mono_now()); !reloaded)
    shared.report(reloaded.error());
  else if (*reloaded)
    shared.counters.tls_reloads.fetch_add(1, relaxed);
  tls_ = std::make_unique<Tls>(socket_, shared.tls->context().get());
  handshake();
}

void Connection::handshake() {
  phase_ = Phase::handshake;
  tls_->stream.async_handshake(asio::ssl::stream_base::server, [self = shared_from_this()](const NetError& error) {
    if (self->phase_ == Phase::closed) return;
    if (error) {
      self->loop_.shared.counters.tls_failures.fetch_add(1, relaxed);
      return self->close();
    }
    self->phase_ = Phase::reading;
    self->set_deadline(self->loop_.shared.options.header_timeout);
    self->run();
  });
}

void Connection::run() {
  for (int i = 0; i < steps_in_a_row; ++i) {
    if (phase_ == Phase::reading) {
      if (!step_read()) return;
    } else if (phase_ == Phase::streaming) {
      if (!step_stream()) return;
    } else {
      return;
    }
  }
  asio::post(loop_.context, [self = shared_from_this()] { self->run(); });
}

/// False when the next step waits for something.
bool Connection::step_read() {
  const auto& options = loop_.shared.options;
  if (in_.size() != 0) in_.consume(parser_.feed(in_.view()));
  switch (parser_.state()) {
    case RequestParser::State::start: read(); return false;
    case RequestParser::State::header:
      if (timed_ != RequestParser::State::header) {
        timed_ = RequestParser::State::header;
        set_deadline(options.header_timeout);
      }
      read();
      return false;
    case RequestParser::State::body:
      if (timed_ != RequestParser::State::body) {
        timed_ = RequestParser::State::body;
        set_deadline(options.body_timeout);
      }
      count_body(parser_.request().body.size());
      if (loop_.buffered_body_bytes > options.max_buffered_body_bytes) {
        refuse(503, "too many large requests arrive at once; try again later");
        return true;
      }
      if (parser_.take_expect_continue() && parser_.request().body.empty() && in_.size() == 0) {
        out_ = "HTTP/1.1 100 Continue\r\n\r\n";
        write(After::read_on);
        return true;
      }
      read();
      return false;
    case RequestParser::State::bad: refuse(parser_.refusal().status, parser_.refusal().detail); return true;
    case RequestParser::State::done: break;
  }
  deadline_ = TimePoint::max();
  if (!loop_.enter(id_)) {
    phase_ = Phase::waiting;
    return false;
  }
  call_handler();
  return true;
}

void Connection::admit() {
  if (phase_ != Phase::waiting) return loop_.leave();
  call_handler();
  run();
}

void Connection::call_handler() {
  auto& shared = loop_.shared;
  count_body(0);
  auto& request = parser_.request();
  head_only_ = request.method == "HEAD";
  http_1_1_ = parser_.http_1_1();
  keep_alive_ = parser_.keep_alive();
  request.peer = peer_;
  phase_ = Phase::handling;
  shared.counters.requests_total.fetch_add(1, relaxed);
  shared.counters.requests_now.fetch_add(1, relaxed);
  const Ticket ticket{id_, ++serial_};
  Direct direct(*loop_.mailbox, ticket);
  try {
    shared.handler.handle(std::move(request), service::Responder(Completion(loop_.mailbox, ticket, false)));
  } catch (const std::exception& e) {  // the responder went with the call, and has answered 500
    shared.report(Error(Errc::internal, std::string("the handler threw: ") + e.what()));
  }
  if (direct.mail()) answer(std::move(*direct.mail()->response));
}

void Connection::deliver(Mail mail) {
  if (mail.ticket.serial != serial_) return;
  if (mail.response && phase_ == Phase::handling)
    answer(std::move(*mail.response));
  else if (!mail.response && phase_ == Phase::streaming && asked_)
    take_piece(std::move(mail.piece));
  run();
}

void Connection::leave_handler() {
  loop_.shared.counters.requests_now.fetch_sub(1, relaxed);
  loop_.leave();
}

void Connection::answer(service::Response response) {
  leave_handler();
  if (auto fault = unsendable(response)) {
    loop_.shared.report(Error(Errc::internal, *fault));
    response = refusal_response(500, "the server could not form its answer", {});
  }
  const bool no_body = response.status == 204 || response.status == 304;
  if (no_body || head_only_) {
    chunked_ = response.stream != nullptr && !no_body;
  } else if (response.stream) {
    stream_ = std::move(response.stream);
    loop_.shared.counters.streams_now.fetch_add(1, relaxed);
    chunked_ = http_1_1_;
    const auto type = response.header("Content-Type");
    endless_ = type && type->substr(0, 17) == "text/event-stream";
    end_stream_ = asked_ = false;
    keep_alive_ = keep_alive_ && http_1_1_;
  } else {
    chunked_ = false;
  }
  keep_alive_ = keep_alive_ && !loop_.stopping && !at_end_;

  HeadFacts facts;
  facts.date = loop_.date();
  facts.keep_alive = keep_alive_;
  facts.http_1_1 = http_1_1_;
  facts.framing = no_body    ? Framing::none
                  : chunked_ ? Framing::chunked
                  : stream_  ? Framing::close
                             : Framing::length;
  out_.clear();
  append_head(out_, response, facts);
  if (!no_body && !head_only_ && !stream_) body_ = std::move(response.body);
  if (stream_) read();  // to notice when the client goes away
  write(stream_ ? After::next_piece : keep_alive_ ? After::next_request : After::linger);
}

void Connection::refuse(int status, std::string_view detail) {
  count_body(0);
  loop_.shared.counters.requests_refused.fetch_add(1, relaxed);
  const auto& request = parser_.request();
  const auto response = refusal_response(status, detail, request.target);
  HeadFacts facts;
  facts.date = loop_.date();
  facts.keep_alive = keep_alive_ = false;
  deadline_ = TimePoint::max();
  out_.clear();
  append_head(out_, response, facts);
  if (request.method != "HEAD") out_ += response.body;
  write(After::linger);
}

// ---- streams

bool Connection::step_stream() {
  if (end_stream_) {
    take_piece(std::nullopt);
    return true;
  }
  if (asked_) return false;
  asked_ = true;
  deadline_ = TimePoint::max();
  const Ticket ticket{id_, ++serial_};
  Direct direct(*loop_.mailbox, ticket);
  stream_->next(port::UniqueFunction<void(std::optional<std::string>)>(Completion(loop_.mailbox, ticket, true)));
  if (!direct.mail()) return false;
  take_piece(std::move(direct.mail()->piece));
  return true;
}

void Connection::take_piece(std::optional<std::string> piece) {
  asked_ = false;
  if (piece && piece->empty()) return;  // an empty chunk would be the end
  out_.clear();
  if (piece) {
    body_ = std::move(*piece);
    if (chunked_) {
      append_chunk_size(out_, body_.size());
      body_ += "\r\n";
    }
    return write(After::next_piece);
  }
  drop_stream();
  if (chunked_) out_ = "0\r\n\r\n";
  keep_alive_ = keep_alive_ && !loop_.stopping;
  write(keep_alive_ ? After::next_request : After::linger);
}

void Connection::drop_stream() {
  if (!stream_) return;
  stream_.reset();
  loop_.shared.counters.streams_now.fetch_sub(1, relaxed);
}

// ---- input

void Connection::count_body(std::size_t bytes) {
  loop_.buffered_body_bytes += bytes;
  loop_.buffered_body_bytes -= counted_body_;
  counted_body_ = bytes;
}

void Connection::read() {
  if (reading_) return;
  reading_ = true;
  const auto buffer = in_.prepare(parser_.state() == RequestParser::State::body);
  auto done = [self = shared_from_this()](const NetError& error, std::size_t n) { self->on_read(error, n); };
  if (tls_)
    tls_->stream.async_read_some(buffer, std::move(done));
  else
    socket_.async_read_some(buffer, std::move(done));
}

void Connection::on_read(const NetError& error, std::size_t n) {
  reading_ = false;
  if (phase_ == Phase::closed) return;
  if (error) {
    at_end_ = true;
    // A client may close its half after the request and still wait for the answer, but not for events.
    if (phase_ == Phase::reading || phase_ == Phase::closing || stream_) close();
    return;
  }
  loop_.shared.counters.bytes_received.fetch_add(n, relaxed);
  in_.commit(n);
  if (phase_ == Phase::reading) return run();
  if (phase_ == Phase::closing) return drain();
  if (stream_ && in_.size() < large_input) read();
}

// ---- output

void Connection::write(After after) {
  phase_ = Phase::writing;
  after_ = after;
  sent_ = 0;
  if (tls_ && body_.size() <= one_tls_record) {  // one record and one system call instead of two
    out_ += body_;
    body_.clear();
  }
  deadline_ = TimePoint::max();
  flush();
}

void Connection::flush() {
  for (;;) {
    const auto total = out_.size() + body_.size();
    if (sent_ == total) return on_written();
    std::array<asio::const_buffer, 2> rest;
    if (sent_ < out_.size())
      rest = {asio::const_buffer(out_.data() + sent_, out_.size() - sent_), asio::buffer(body_)};
    else
      rest = {asio::const_buffer(body_.data() + (sent_ - out_.size()), total - sent_), asio::const_buffer()};
    if (!tls_) {
      NetError error;
      const auto n = socket_.write_some(rest, error);
      if (!error) {
        sent_ += n;
        continue;
      }
      if (error != asio::error::would_block && error != asio::error::try_again) return close();
    }
    set_deadline(loop_.shared.options.write_timeout);
    auto done = [self = shared_from_this()](const NetError& error, std::size_t n) {
      if (self->phase_ == Phase::closed) return;
      if (error) return self->close();
      self->sent_ += n;
      self->flush();
      self->run();
    };
    if (tls_)
      tls_->stream.async_write_some(rest, std::move(done));
    else
      socket_.async_write_some(rest, std::move(done));
    return;
  }
}

void Connection::on_written() {
  const auto& options = loop_.shared.options;
  loop_.shared.counters.bytes_sent.fetch_add(sent_, relaxed);
  out_.clear();
  body_.clear();
  if (body_.capacity() > large_input) body_.shrink_to_fit();
  switch (after_) {
    case After::next_request:
      if (at_end_) return close();
      parser_.reset();
      timed_ = RequestParser::State::start;
      phase_ = Phase::reading;
      set_deadline(options.idle_timeout);
      if (loop_.stopping) stop();
      return;
    case After::read_on:
      phase_ = Phase::reading;
      set_deadline(options.body_timeout);
      return;
    case After::next_piece:
      phase_ = Phase::streaming;
      deadline_ = TimePoint::max();
      return;
    case After::linger: return linger();
  }
}

// ---- the end

/// RFC 9112 section 9.6: closing with unread input makes the kernel reset the connection, and the client
/// may lose the answer. So the sending half is closed first, and what still comes is thrown away for a while.
void Connection::linger() {
  phase_ = Phase::closing;
  if (at_end_) return close();
  const auto time = loop_.shared.options.linger_timeout;
  set_deadline(loop_.stopping ? std::min(time, linger_when_stopping) : time);
  if (!tls_) {
    NetError error;
    socket_.shutdown(tcp::socket::shutdown_send, error);
    return error ? close() : drain();
  }
  tls_->stream.async_shutdown([self = shared_from_this()](const NetError&) {
    if (self->phase_ == Phase::closed) return;
    NetError error;
    self->socket_.shutdown(tcp::socket::shutdown_send, error);
    if (error) return self->close();
    self->drain();
  });
}

void Connection::drain() {
  in_.drop();
  if (reading_) return;
  reading_ = true;
  socket_.async_read_some(in_.prepare(false), [self = shared_from_this()](const NetError& error, std::size_t n) {
    self->on_read(error, n);
  });
}

void Connection::expire() {
  auto& timeouts = loop_.shared.counters.timeouts;
  if (phase_ == Phase::reading && parser_.state() != RequestParser::State::start) {
    timeouts.fetch_add(1, relaxed);
    refuse(408, parser_.state() == RequestParser::State::header ? "the header of the request did not come in time"
                                                                : "the body of the request did not come in time");
    return;
  }
  if (phase_ == Phase::handshake || phase_ == Phase::writing) timeouts.fetch_add(1, relaxed);
  close();
}

void Connection::stop() {
  if (phase_ == Phase::handshake || phase_ == Phase::closing) return close();
  if (stream_ && endless_) {
    end_stream_ = true;
    if (phase_ == Phase::streaming) {
      ++serial_;  // a piece that is on its way comes too late
      run();
    }
    return;
  }
  if (phase_ != Phase::reading || parser_.state() != RequestParser::State::start || in_.size() != 0) return;
  NetError error;
  if (socket_.available(error) != 0 && !error) return;  // a request is here, only not read
  // A read that is done already and waits for its turn still delivers; any other fails and closes.
  if (reading_)
    socket_.cancel(error);
  else
    close();
}

void Connection::close() {
  if (phase_ == Phase::closed) return;
  const auto was = std::exchange(phase_, Phase::closed);
  deadline_ = TimePoint::max();
  if (was == Phase::handling) leave_handler();
  count_body(0);
  drop_stream();
  NetError ignored;
  socket_.close(ignored);
  loop_.remove(id_, rejected_);
}

}  // namespace deprov::server
