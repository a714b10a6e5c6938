// One client's connection, and the loop that its thread runs.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <ctime>
#include <deprov/server/server.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>
#include "server/mailbox.hpp"
#include "server/parser.hpp"
#include "server/tls.hpp"

namespace deprov::server {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using NetError = boost::system::error_code;
/// For counters, which order nothing else.
inline constexpr auto relaxed = std::memory_order_relaxed;

/// What all threads of a server share.
struct Shared {
  ServerOptions options;
  service::Handler& handler;
  std::unique_ptr<TlsStore> tls;

  struct {
    std::atomic<std::uint64_t> connections_now{0}, connections_total{0}, connections_rejected{0},
        requests_total{0}, requests_now{0}, requests_refused{0}, streams_now{0}, timeouts{0}, tls_failures{0},
        tls_reloads{0}, bytes_received{0}, bytes_sent{0};
  } counters;
  std::atomic<std::uint64_t> rejecting_now{0};

  void report(const Error& error) const {
    if (options.on_error) options.on_error(error);
  }
};

class Connection;

/// One thread, its connections, and its clock. Everything but the mailbox belongs to that thread.
class Loop {
 public:
  Loop(Shared& shared, std::size_t share_of_in_flight, std::function<void()> on_empty);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();

  /// A connection was accepted; `reject`: only to tell it that there are too many.
  void adopt(asio::ip::tcp::socket socket, bool reject);
  void remove(std::uint64_t connection, bool rejected);
  /// `on_empty` is called once no connection is left, at the latest after `abort_all`.
  void begin_stop();
  /// Returns how many were not done.
  std::size_t abort_all();

  /// A place at the handler, or a place in the queue for one.
  [[nodiscard]] bool enter(std::uint64_t connection);
  void leave();

  [[nodiscard]] std::string_view date();

  Shared& shared;
  asio::io_context context{1};
  const std::shared_ptr<Mailbox> mailbox;
  std::size_t buffered_body_bytes = 0;
  bool stopping = false;

 private:
  void deliver();
  void admit_waiting();
  void arm_tick();
  void sweep();

  const std::size_t max_in_flight_;
  std::function<void()> on_empty_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::steady_timer tick_;
  bool ticking_ = false;
  bool admitting_ = false;
  Millis tick_every_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> connections_;
  std::uint64_t last_connection_ = 0;
  std::size_t in_flight_ = 0;
  std::deque<std::uint64_t> waiting_;
  std::vector<Mail> mails_;
  std::time_t date_of_ = -1;
  std::string date_;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Loop& loop, std::uint64_t id, asio::ip::tcp::socket socket, bool rejected);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start();
  /// An answer came through the mailbox.
  void deliver(Mail mail);
  /// A place at the handler is free.
  void admit();
  [[nodiscard]] bool due(TimePoint now) const noexcept { return now >= deadline_; }
  /// Whether closing it now takes an answer away.
  [[nodiscard]] bool unfinished() const noexcept { return phase_ != Phase::closing; }
  /// The deadline has passed.
  void expire();
  /// Finish what has begun, begin nothing.
  void stop();
  void close();

 private:
  enum class Phase { handshake, reading, waiting, handling, writing, streaming, closing, closed };
  enum class After { next_request, read_on, next_piece, linger };

  /// Bytes received and not yet used.
  class Input {
   public:
    [[nodiscard]] std::string_view view() const { return {data_.data() + begin_, end_ - begin_}; }
    [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
    void consume(std::size_t n) noexcept { begin_ += n; }
    void commit(std::size_t n) noexcept { end_ += n; }
    void drop() noexcept { begin_ = end_ = 0; }
    [[nodiscard]] asio::mutable_buffer prepare(bool much);

   private:
    std::vector<char> data_;
    std::size_t begin_ = 0, end_ = 0;
  };

  struct Tls;  // keeps Asio's TLS out of the files that do not need it

  void handshake();
  void run();
  bool step_read();
  bool step_stream();
  void read();
  void on_read(const NetError& error, std::size_t n);
  void call_handler();
  void answer(service::Response response);
  void take_piece(std::optional<std::string> piece);
  void refuse(int status, std::string_view detail);
  void write(After after);
  void flush();
  void on_written();
  void linger();
  void drain();
  void set_deadline(Millis in) { deadline_ = Clock::now() + in; }
  void leave_handler();
  void count_body(std::size_t bytes);
  void drop_stream();

  Loop& loop_;
  const std::uint64_t id_;
  const bool rejected_;
  asio::ip::tcp::socket socket_;
  std::unique_ptr<Tls> tls_;
  std::string peer_;
  Phase phase_ = Phase::reading;
  TimePoint deadline_ = TimePoint::max();

  Input in_;
  RequestParser parser_;
  RequestParser::State timed_ = RequestParser::State::start;  ///< which part of the request has its deadline set
  bool reading_ = false;
  bool at_end_ = false;  ///< the client sends nothing more
  std::size_t counted_body_ = 0;

  std::uint64_t serial_ = 0;  ///< of the question that is open
  bool head_only_ = false, http_1_1_ = true, keep_alive_ = true;

  std::string out_;   ///< head, and what else is small
  std::string body_;  ///< sent after it
  std::size_t sent_ = 0;
  After after_ = After::next_request;

  std::shared_ptr<service::BodyStream> stream_;
  bool asked_ = false;  ///< the stream for its next piece
  bool chunked_ = false, endless_ = false, end_stream_ = false;
};

}  // namespace deprov::server
