#include "support/raw_client.hpp"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>

namespace deprov::test {

namespace {
bool same(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}
}  // namespace

std::string RawResponse::header(std::string_view name) const {
  std::string_view rest = head;
  while (!rest.empty()) {
    const auto end = std::min(rest.find("\r\n"), rest.size());
    const auto line = rest.substr(0, end);
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && same(line.substr(0, colon), name)) {
      const auto value = line.substr(colon + 1);
      return std::string(value.substr(std::min(value.find_first_not_of(' '), value.size())));
    }
    rest.remove_prefix(std::min(end + 2, rest.size()));
  }
  return {};
}

RawResponse parse_head(std::string_view head) {
  RawResponse r;
  r.head = head;
  if ((head.substr(0, 9) == "HTTP/1.1 " || head.substr(0, 9) == "HTTP/1.0 ") && head.size() >= 12)
    r.status = std::atoi(std::string(head.substr(9, 3)).c_str());
  return r;
}

RawClient::RawClient(std::uint16_t port) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  const timeval limit{120, 0};
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): what the socket interface wants
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) disconnect();
}

RawClient::~RawClient() { disconnect(); }

void RawClient::disconnect() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void RawClient::finish_sending() { ::shutdown(fd_, SHUT_WR); }

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool RawClient::fill() {
  std::array<char, 16384> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
  const auto n = ::recv(fd_, piece.data(), piece.size(), 0);
  if (n <= 0) return false;
  buffer_.append(piece.data(), static_cast<std::size_t>(n));
  return true;
}

std::string RawClient::read_until(std::string_view mark) {
  std::size_t at = 0;
  while ((at = buffer_.find(mark)) == std::string::npos) {
    if (fill()) continue;
    return std::exchange(buffer_, {});
  }
  std::string out = buffer_.substr(0, at + mark.size());
  buffer_.erase(0, at + mark.size());
  return out;
}

bool RawClient::closed() { return buffer_.empty() && !fill(); }

RawResponse RawClient::response(bool head_only) {
  auto r = parse_head(read_until("\r\n\r\n"));
  if (r.status == 0 || head_only || r.status == 204 || r.status == 304 || r.status < 200) return r;
  if (const auto length = r.header("Content-Length"); !length.empty()) {
    const auto n = static_cast<std::size_t>(std::strtoull(length.c_str(), nullptr, 10));
    while (buffer_.size() < n && fill()) {
    }
    if (buffer_.size() < n) r.status = 0;
    r.body = buffer_.substr(0, n);
    buffer_.erase(0, std::min(n, buffer_.size()));
  } else if (r.header("Transfer-Encoding") == "chunked") {
    for (;;) {
      const auto line = read_until("\r\n");
      const auto n = static_cast<std::size_t>(std::strtoull(line.c_str(), nullptr, 16));
      while (buffer_.size() < n + 2 && fill()) {
      }
      if (buffer_.size() < n + 2 || line.size() < 3) r.status = 0;
      if (r.status == 0) return r;
      r.body += buffer_.substr(0, n);
      buffer_.erase(0, n + 2);
      if (n == 0) return r;
    }
  } else {
    while (fill()) {
    }
    r.body = std::exchange(buffer_, {});
  }
  return r;
}

std::string get_request(std::string_view target, std::string_view more_fields) {
  return std::string("GET ").append(target).append(" HTTP/1.1\r\nHost: t\r\n").append(more_fields).append("\r\n");
}

std::string request_with_body(std::string_view method, std::string_view target, std::string_view body,
                              std::string_view more_fields) {
  return std::string(method)
      .append(" ")
      .append(target)
      .append(" HTTP/1.1\r\nHost: t\r\n")
      .append(more_fields)
      .append("Content-Length: ")
      .append(std::to_string(body.size()))
      .append("\r\n\r\n")
      .append(body);
}

}  // namespace deprov::test
