#include "deprov/server/server.hpp"
#include <fcntl.h>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <charconv>
#include <deprov/runtime/event_thread.hpp>
#include <future>
#include "runtime/thread_start.hpp"
#include "server/connection.hpp"

namespace deprov::server {

using asio::ip::tcp;

namespace {
constexpr std::uint64_t max_rejecting = 64;  // connections that are told of being too many; others are only closed
constexpr Millis accept_pause{50};           // after an accept failed, mostly for want of descriptors

Result<void> check(const ServerOptions& o) {
  const auto positive = [](std::string_view name, auto value) -> Result<void> {
    if (value > decltype(value){}) return {};
    return Error(Errc::invalid_argument, "it has to be more than zero", std::string(name));
  };
  DEPROV_CHECK(positive("threads", o.threads));
  DEPROV_CHECK(positive("max_header_bytes", o.max_header_bytes));
  DEPROV_CHECK(positive("max_header_fields", o.max_header_fields));
  DEPROV_CHECK(positive("max_connections", o.max_connections));
  DEPROV_CHECK(positive("max_in_flight", o.max_in_flight));
  DEPROV_CHECK(positive("header_timeout", o.header_timeout));
  DEPROV_CHECK(positive("body_timeout", o.body_timeout));
  DEPROV_CHECK(positive("idle_timeout", o.idle_timeout));
  DEPROV_CHECK(positive("write_timeout", o.write_timeout));
  DEPROV_CHECK(positive("linger_timeout", o.linger_timeout));
  if (o.threads > 64) return Error(Errc::invalid_argument, "more than 64 threads", "threads");
  if (o.tls_certificate_file.empty() != o.tls_key_file.empty())
    return Error(Errc::invalid_argument, "a TLS certificate and its key come together",
                 o.tls_key_file.empty() ? "tls_key_file" : "tls_certificate_file", "give both or neither");
  return {};
}
}  // namespace

Result<void> parse_listen(std::string_view text, ServerOptions& options) {
  const auto bad = [text](std::string why) {
    return Error(Errc::invalid_argument, std::move(why), std::string(text),
                 "write host:port, [address]:port or :port");
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad("there is no port in the address to listen at");
  auto host = text.substr(0, colon);
  const auto digits = text.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string_view::npos)
    return bad("an IPv6 address needs brackets");
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size())
    return bad("the port is not a number up to 65535");
  options.host = host.empty() ? "0.0.0.0" : std::string(host);
  options.port = port;
  return {};
}

struct Server::Impl {
  Impl(ServerOptions options, service::Handler& handler) : shared{std::move(options), handler, nullptr, {}, {0}} {
    const auto n = shared.options.threads;
    for (std::size_t i = 0; i < n; ++i) {
      auto& empty = *empties.emplace_back(std::make_unique<std::promise<void>>());
      loops.push_back(
          std::make_unique<Loop>(shared, shared.options.max_in_flight / n, [&empty] { empty.set_value(); }));
    }
    acceptor.emplace(loops.front()->context);
    retry.emplace(loops.front()->context);
  }

  ~Impl() {
    if (!threads.empty()) (void)stop(shared.options.shutdown_grace);
  }

  Result<void> listen() {
    const auto& o = shared.options;
    const auto where = o.host + ":" + std::to_string(o.port);
    NetError error;
    tcp::resolver resolver(loops.front()->context);
    const auto found = resolver.resolve(o.host, std::to_string(o.port),
                                        tcp::resolver::passive | tcp::resolver::numeric_service, error);
    if (error || found.empty())
      return Error(Errc::invalid_argument, "the host to listen at is not known: " + error.message(), where);
    const tcp::endpoint at = found.begin()->endpoint();
    acceptor->open(at.protocol(), error);
    if (!error) acceptor->set_option(asio::socket_base::reuse_address(true), error);
    if (!error && ::fcntl(acceptor->native_handle(), F_SETFD, FD_CLOEXEC) != 0)
      error.assign(errno, boost::system::system_category());
    if (!error) acceptor->bind(at, error);
    if (error == asio::error::address_in_use)
      return Error(Errc::io, "the port is taken by another program", where, "choose another, or 0 for any");
    if (!error) acceptor->listen(asio::socket_base::max_listen_connections, error);
    if (!error) acceptor->non_blocking(true, error);
    if (!error) bound = acceptor->local_endpoint(error).port();
    if (error) return Error(Errc::io, "cannot listen: " + error.message(), where);
    return {};
  }

  void run() {
    accept();
    for (auto& loop : loops)
      threads.push_back(std::make_unique<runtime::EventThread>("deprov-server", [l = loop.get()] { l->run(); }));
  }

  // On the thread of the first loop from here...

  void accept() {
    auto& loop = *loops[next_loop];
    acceptor->async_accept(loop.context, [this, &loop](const NetError& error, tcp::socket socket) {
      if (error == asio::error::operation_aborted || !acceptor->is_open()) return;
      if (error) return accept_failed(error);
      failing = false;
      place(loop, std::move(socket));
      accept();
    });
  }

  void accept_failed(const NetError& error) {
    if (error == asio::error::connection_aborted) return accept();  // the client's doing
    if (!std::exchange(failing, true))
      shared.report(Error(Errc::io, "no connection can be accepted: " + error.message(), "",
                          "raise the limit of open files"));
    retry->expires_after(accept_pause);
    retry->async_wait([this](const NetError& cancelled) {
      if (!cancelled) accept();
    });
  }

  void place(Loop& loop, tcp::socket socket) {
    auto& c = shared.counters;
    next_loop = (next_loop + 1) % loops.size();
    c.connections_total.fetch_add(1, relaxed);
    const bool reject = c.connections_now.load(relaxed) >= shared.options.max_connections;
    if (reject) {
      c.connections_rejected.fetch_add(1, relaxed);
      if (shared.rejecting_now.load(relaxed) >= max_rejecting) return;
      shared.rejecting_now.fetch_add(1, relaxed);
    } else {
      c.connections_now.fetch_add(1, relaxed);
    }
    if (&loop == loops.front().get()) return loop.adopt(std::move(socket), reject);
    asio::post(loop.context,
               [&loop, s = std::move(socket), reject]() mutable { loop.adopt(std::move(s), reject); });
  }

  /// Those who were let in by the kernel already are not left standing.
  void finish_accepting() {
    for (;;) {
      NetError error;
      auto& loop = *loops[next_loop];
      tcp::socket socket(loop.context);
      acceptor->accept(socket, error);
      if (error) break;
      place(loop, std::move(socket));
    }
    NetError ignored;
    acceptor->close(ignored);
    retry->cancel();
    for (auto& loop : loops) asio::post(loop->context, [l = loop.get()] { l->begin_stop(); });
  }

  // ... to here.

  Result<void> stop(Millis grace) {
    const std::scoped_lock lock(stop_mutex);
    if (stopped) return {};
    stopped = true;
    const auto until = Clock::now() + grace;
    asio::post(loops.front()->context, [this] { finish_accepting(); });
    for (auto& empty : empties) empty->get_future().wait_until(until);
    std::size_t cut = 0;
    for (auto& loop : loops) {
      std::promise<std::size_t> count;
      asio::post(loop->context, [&] { count.set_value(loop->abort_all()); });
      cut += count.get_future().get();
    }
    for (auto& thread : threads) thread->join();
    if (cut == 0) return {};
    return Error(Errc::timeout, std::to_string(cut) +
                                    " connections were cut off, their requests were not finished in " +
                                    std::to_string(grace.count()) + " ms");
  }

  Shared shared;
  std::vector<std::unique_ptr<std::promise<void>>> empties;
  std::vector<std::unique_ptr<Loop>> loops;
  std::optional<tcp::acceptor> acceptor;
  std::optional<asio::steady_timer> retry;
  std::size_t next_loop = 0;
  bool failing = false;
  std::uint16_t bound = 0;
  std::mutex stop_mutex;
  bool stopped = false;
  std::vector<std::unique_ptr<runtime::EventThread>> threads;
};

Server::Server(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, service::Handler& handler) {
  DEPROV_CHECK(check(options));
  auto impl = std::make_unique<Impl>(std::move(options), handler);
  const auto& o = impl->shared.options;
  if (!o.tls_certificate_file.empty()) {
    DEPROV_TRY(tls, TlsStore::open(o.tls_certificate_file, o.tls_key_file));
    impl->shared.tls = std::move(tls);
  }
  DEPROV_CHECK(impl->listen());
  impl->run();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::uint16_t Server::port() const noexcept { return impl_->bound; }

ServerCounters Server::counters() const noexcept {
  const auto& c = impl_->shared.counters;
  ServerCounters out;
  out.connections_now = c.connections_now.load(relaxed);
  out.connections_total = c.connections_total.load(relaxed);
  out.connections_rejected = c.connections_rejected.load(relaxed);
  out.requests_total = c.requests_total.load(relaxed);
  out.requests_now = c.requests_now.load(relaxed);
  out.requests_refused = c.requests_refused.load(relaxed);
  out.streams_now = c.streams_now.load(relaxed);
  out.timeouts = c.timeouts.load(relaxed);
  out.tls_failures = c.tls_failures.load(relaxed);
  out.tls_reloads = c.tls_reloads.load(relaxed);
  out.bytes_received = c.bytes_received.load(relaxed);
  out.bytes_sent = c.bytes_sent.load(relaxed);
  return out;
}

Result<void> Server::reload_tls() {
  auto& shared = impl_->shared;
  if (!shared.tls)
    return Error(Errc::invalid_argument, "the server was started without TLS", "tls_certificate_file");
  DEPROV_CHECK(shared.tls->reload());
  shared.counters.tls_reloads.fetch_add(1, relaxed);
  return {};
}

Result<void> Server::stop(Millis grace) { return impl_->stop(grace); }

}  // namespace deprov::server
