#include "http_load.hpp"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

namespace deprov::bench {

namespace {
using Clock = std::chrono::steady_clock;

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

Error failed(std::string_view what) { return Error(Errc::io, std::string(what) + ": " + std::strerror(errno)); }

Result<Descriptor> connect_to(std::uint16_t port) {
  Descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return failed("no socket");
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): what the socket interface wants
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) return failed("cannot connect");
  return fd;
}

/// What of a response is in the buffer.
struct Seen {
  int status = 0;
  std::size_t head = 0;
  std::size_t total = 0;
};

/// Nothing while the head is not whole. Only what our servers send: Content-Length, or a status without body.
Result<std::optional<Seen>> look(std::string_view bytes) {
  const auto end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return std::optional<Seen>{};
  Seen seen;
  seen.head = end + 4;
  const auto head = bytes.substr(0, seen.head);
  if (head.substr(0, 9) != "HTTP/1.1 ") return Error(Errc::protocol, "the answer is not HTTP/1.1");
  std::from_chars(head.data() + 9, head.data() + 12, seen.status);
  seen.total = seen.head;
  if (const auto at = head.find("\r\nContent-Length: "); at != std::string_view::npos) {
    std::size_t length = 0;
    std::from_chars(head.data() + at + 18, head.data() + head.size(), length);
    seen.total += length;
  } else if (seen.status != 204) {
    return Error(Errc::protocol, "an answer without Content-Length");
  }
  return std::optional<Seen>(seen);
}

struct Client {
  explicit Client(Descriptor d) : fd(std::move(d)) {}
  Descriptor fd;
  std::string out;
  std::size_t sent = 0;
  std::string in;
  Clock::time_point begun;
};

double cpu_seconds(int whose) {
  rusage u{};
  ::getrusage(whose, &u);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(u.ru_utime) + seconds(u.ru_stime);
}

class Run {
 public:
  explicit Run(const HttpLoad& load) : load_(load), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

  Result<HttpLoadResult> operator()() {
    if (load_.requests == 0 || load_.connections == 0 || !load_.request)
      return Error(Errc::invalid_argument, "a load without requests or connections");
    const auto n = std::min(load_.connections, load_.requests);
    clients_.reserve(n);
    for (std::size_t i = 0; i < n; ++i) {
      DEPROV_TRY(fd, connect_to(load_.port));
      clients_.emplace_back(std::move(fd));
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, clients_.back().fd.get(), &event) != 0) return failed("epoll");
    }
    micros_.reserve(load_.requests);
    const auto cpu = cpu_seconds(RUSAGE_THREAD);
    const auto all_cpu = cpu_seconds(RUSAGE_SELF);
    const auto begun = Clock::now();
    for (auto& c : clients_) DEPROV_CHECK(send(c));
    std::array<epoll_event, 256> events{};
    while (micros_.size() < load_.requests) {
      const int ready = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                     static_cast<int>(load_.silence.count()));
      if (ready < 0 && errno != EINTR) return failed("epoll");
      if (ready == 0)
        return Error(Errc::timeout, "no answer for " + std::to_string(load_.silence.count()) + " ms after " +
                                        std::to_string(micros_.size()) + " of " + std::to_string(load_.requests));
      for (int i = 0; i < ready; ++i)
        DEPROV_CHECK(receive(clients_[events[static_cast<std::size_t>(i)].data.u64]));
    }
    result_.seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    result_.client_cpu_seconds = cpu_seconds(RUSAGE_THREAD) - cpu;
    result_.other_cpu_seconds = cpu_seconds(RUSAGE_SELF) - all_cpu - result_.client_cpu_seconds;
    result_.requests = micros_.size();
    result_.rate = static_cast<double>(result_.requests) / result_.seconds;
    std::sort(micros_.begin(), micros_.end());
    const auto at = [this](std::size_t percent) {
      return static_cast<double>(micros_[(micros_.size() - 1) * percent / 100]);
    };
    result_.p50_us = at(50);
    result_.p90_us = at(90);
    result_.p99_us = at(99);
    result_.max_us = at(100);
    return std::move(result_);
  }

 private:
  Result<void> send(Client& c) {
    if (next_ == load_.requests) return {};
    c.out.clear();
    c.sent = 0;
    load_.request(next_++, c.out);
    c.begun = Clock::now();
    while (c.sent < c.out.size()) {  // requests are small; a full socket buffer only makes the generator wait
      const auto n = ::send(c.fd.get(), c.out.data() + c.sent, c.out.size() - c.sent, MSG_NOSIGNAL);
      if (n < 0) return failed("send after " + std::to_string(micros_.size()) + " answers");
      c.sent += static_cast<std::size_t>(n);
    }
    return {};
  }

  Result<void> receive(Client& c) {
    constexpr std::size_t piece = 16U << 10U;
    const auto had = c.in.size();
    c.in.resize(had + piece);
    const auto n = ::recv(c.fd.get(), c.in.data() + had, piece, MSG_DONTWAIT);
    c.in.resize(had + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (n < 0) return failed("receive after " + std::to_string(micros_.size()) + " answers");
    if (n == 0)
      return Error(Errc::io,
                   "the server closed a connection after " + std::to_string(micros_.size()) + " answers");
    DEPROV_TRY(seen, look(c.in));
    if (!seen || c.in.size() < seen->total) return {};
    micros_.push_back(static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - c.begun).count()));
    if (seen->status / 100 != 2 && ++result_.not_2xx == 1) {
      result_.first_other_status = seen->status;
      result_.first_other_body = c.in.substr(seen->head, seen->total - seen->head);
    }
    if (c.in.size() != seen->total) return Error(Errc::protocol, "more than one answer came");
    c.in.clear();
    return send(c);
  }

  const HttpLoad& load_;
  Descriptor epoll_;
  std::vector<Client> clients_;
  std::uint64_t next_ = 0;
  std::vector<std::uint32_t> micros_;
  HttpLoadResult result_;
};

}  // namespace

Result<HttpLoadResult> run_http_load(const HttpLoad& load) { return Run(load)(); }

Result<HttpAnswer> ask_once(std::uint16_t port, const std::string& request) {
  DEPROV_TRY(fd, connect_to(port));
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
    return failed("send");
  std::string in;
  std::array<char, 16384> piece{};
  for (;;) {
    DEPROV_TRY(seen, look(in));
    if (seen && in.size() >= seen->total)
      return HttpAnswer{seen->status, in.substr(0, seen->head), in.substr(seen->head, seen->total - seen->head)};
    const auto n = ::recv(fd.get(), piece.data(), piece.size(), 0);
    if (n <= 0) return failed("receive");
    in.append(piece.data(), static_cast<std::size_t>(n));
  }
}

void append_scim_request(std::string& out, std::string_view method, std::string_view target,
                         std::string_view token, std::string_view body) {
  out.append(method).append(" ").append(target).append(
      " HTTP/1.1\r\nHost: scim.example.com\r\nUser-Agent: load\r\nAccept: application/scim+json\r\n"
      "Authorization: Bearer ");
  out.append(token).append("\r\n");
  if (!body.empty())
    out.append("Content-Type: application/scim+json\r\nContent-Length: ")
        .append(std::to_string(body.size()))
        .append("\r\n");
  out.append("\r\n").append(body);
}

}  // namespace deprov::bench
