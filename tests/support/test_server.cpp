#include "test_server.hpp"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <set>
#include <thread>

namespace deprov::test {

namespace {

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

[[noreturn]] void give_up(const char* what) {
  std::cerr << "test server: " << what << '\n';
  std::abort();
}

int bound_socket(std::uint16_t& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    give_up("no port");
  port = ntohs(address.sin_port);
  return fd;
}

/// A key and a self-signed certificate of localhost.
class Tls {
 public:
  Tls() : context_(SSL_CTX_new(TLS_server_method())) {
    EVP_PKEY* const key = EVP_EC_gen("P-256");
    X509* const x = X509_new();
    if (context_ == nullptr || key == nullptr || x == nullptr) give_up("no TLS");
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 24L * 3600);
    X509_set_pubkey(x, key);
    auto* const name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"), -1,
                               -1, 0);
    X509_set_issuer_name(x, name);
    extension(x, NID_basic_constraints, "critical,CA:TRUE");
    extension(x, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    if (X509_sign(x, key, EVP_sha256()) == 0 || SSL_CTX_use_certificate(context_, x) != 1 ||
        SSL_CTX_use_PrivateKey(context_, key) != 1)
      give_up("no certificate");
    BIO* const out = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(out, x);
    char* text = nullptr;
    const auto size = BIO_get_mem_data(out, &text);
    pem_.assign(text, static_cast<std::size_t>(size));
    BIO_free(out);
    X509_free(x);
    EVP_PKEY_free(key);
  }
  ~Tls() { SSL_CTX_free(context_); }
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;
  [[nodiscard]] SSL_CTX* context() const { return context_; }
  [[nodiscard]] const std::string& pem() const { return pem_; }

 private:
  static void extension(X509* x, int nid, const char* value) {
    X509V3_CTX c;
    X509V3_set_ctx_nodb(&c);
    X509V3_set_ctx(&c, x, x, nullptr, nullptr, 0);
    X509_EXTENSION* const e = X509V3_EXT_conf_nid(nullptr, &c, nid, value);
    if (e == nullptr || X509_add_ext(x, e, -1) != 1) give_up("no extension");
    X509_EXTENSION_free(e);
  }
  SSL_CTX* context_;
  std::string pem_;
};

/// A connection's bytes, with or without TLS.
class Stream {
 public:
  Stream(int fd, SSL_CTX* context) : fd_(fd), ssl_(context == nullptr ? nullptr : SSL_new(context)) {
    if (ssl_ != nullptr) SSL_set_fd(ssl_, fd);
  }
  ~Stream() { SSL_free(ssl_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  [[nodiscard]] bool accept() const { return ssl_ == nullptr || SSL_accept(ssl_) == 1; }
  [[nodiscard]] bool read(std::string& into) const {
    char buffer[65536];
    const auto n = ssl_ != nullptr ? static_cast<ssize_t>(SSL_read(ssl_, buffer, sizeof buffer))
                                   : ::recv(fd_, buffer, sizeof buffer, 0);
    if (n <= 0) return false;
    into.append(buffer, static_cast<std::size_t>(n));
    return true;
  }
  [[nodiscard]] bool write(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto n = ssl_ != nullptr
                         ? static_cast<ssize_t>(SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())))
                         : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

 private:
  int fd_;
  SSL* ssl_;
};

/// Takes one request off the front of `buffer`, reading more as needed.
bool read_request(const Stream& stream, std::string& buffer, ServerRequest& request) {
  std::size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!stream.read(buffer)) return false;
    if (buffer.front() < 'A' || buffer.front() > 'Z') return false;  // TLS on a plain port
  }
  std::string_view head(buffer.data(), end);
  const auto line_end = head.find("\r\n");
  const auto line = head.substr(0, line_end);
  const auto first = line.find(' ');
  const auto second = line.find(' ', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return false;
  request.method = std::string(line.substr(0, first));
  request.target = std::string(line.substr(first + 1, second - first - 1));
  head.remove_prefix(line_end == std::string_view::npos ? head.size() : line_end + 2);
  while (!head.empty()) {
    const auto next = head.find("\r\n");
    const auto field = head.substr(0, next);
    const auto colon = field.find(':');
    if (colon == std::string_view::npos) return false;
    auto value = field.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    request.headers.emplace_back(field.substr(0, colon), value);
    head.remove_prefix(next == std::string_view::npos ? head.size() : next + 2);
  }
  const auto length = static_cast<std::size_t>(std::atoll(request.header("Content-Length").value_or("0").c_str()));
  while (buffer.size() < end + 4 + length)
    if (!stream.read(buffer)) return false;
  request.body = buffer.substr(end + 4, length);
  buffer.erase(0, end + 4 + length);
  return true;
}

}  // namespace

std::optional<std::string> ServerRequest::header(std::string_view name) const {
  for (const auto& [n, v] : headers)
    if (same_name(n, name)) return v;
  return std::nullopt;
}

Answer respond(int status, const std::string& body, const Headers& headers) {
  std::string out = "HTTP/1.1 " + std::to_string(status) + " Told\r\n";
  for (const auto& [name, value] : headers) out.append(name).append(": ").append(value).append("\r\n");
  if (status != 204 && status >= 200) out += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return {out + "\r\n" + body, {}, Answer::Then::keep, false};
}

Answer respond_json(int status, const std::string& body, const Headers& headers) {
  auto all = headers;
  all.emplace_back("Content-Type", "application/scim+json");
  return respond(status, body, all);
}

Answer raw(std::string bytes) { return {std::move(bytes), {}, Answer::Then::close, false}; }
Answer close_now() { return {{}, {}, Answer::Then::close, false}; }
Answer reset_now() { return {{}, {}, Answer::Then::reset, false}; }
Answer hang(std::string bytes) { return {std::move(bytes), {}, Answer::Then::hang, false}; }
Answer drip(Answer whole, std::chrono::milliseconds per_byte) {
  whole.per_byte = per_byte;
  return whole;
}
Answer hold(Answer whole) {
  whole.held = true;
  return whole;
}

struct TestServer::State {
  Handler handler;
  std::unique_ptr<Tls> tls;
  int listener = -1;
  std::uint16_t port = 0;
  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  bool stopping = false;
  std::vector<ServerRequest> requests;
  std::size_t connections = 0;
  std::size_t releases = 0;
  std::set<int> open;
  std::vector<std::thread> threads;
  std::thread acceptor;

  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      const std::lock_guard lock(mutex);
      if (stopping || fd < 0) {
        if (fd >= 0) ::close(fd);
        return;
      }
      const int one = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      open.insert(fd);
      threads.emplace_back([this, fd, number = connections++] { serve(fd, number); });
    }
  }

  void serve(int fd, std::size_t number) {
    {
      const Stream stream(fd, tls ? tls->context() : nullptr);
      std::string buffer;
      if (stream.accept())
        for (std::size_t i = 0; serve_one(fd, stream, buffer, number, i); ++i) {
        }
    }
    const std::lock_guard lock(mutex);
    open.erase(fd);
    ::close(fd);
  }

  bool serve_one(int fd, const Stream& stream, std::string& buffer, std::size_t number, std::size_t nth) {
    ServerRequest request;
    request.connection = number;
    request.on_connection = nth;
    if (!read_request(stream, buffer, request)) return false;
    Answer answer;
    std::size_t before = 0;
    {
      const std::lock_guard lock(mutex);
      requests.push_back(request);
      changed.notify_all();
      if (stopping) return false;
      answer = handler(request);
      before = releases;
    }
    if (answer.held && !wait_for_release(before)) return false;
    if (answer.per_byte.count() > 0) {
      for (const char c : answer.bytes) {
        if (!stream.write(std::string_view(&c, 1)) || !pause(answer.per_byte)) return false;
      }
    } else if (!stream.write(answer.bytes)) {
      return false;
    }
    switch (answer.then) {
      case Answer::Then::keep: return true;
      case Answer::Then::hang:
        while (stream.read(buffer)) {
        }
        return false;
      case Answer::Then::reset: {
        const linger now{1, 0};
        ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        return false;
      }
      case Answer::Then::close: return false;
    }
    return false;
  }

  /// The pace of a slow server. False: the server ends.
  bool pause(std::chrono::milliseconds d) const {
    std::unique_lock lock(mutex);
    return !changed.wait_for(lock, d, [this] { return stopping; });
  }

  /// False: the server ends.
  bool wait_for_release(std::size_t before) const {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return stopping || releases > before; });
    return !stopping;
  }
};

TestServer::TestServer(Handler handler, bool tls) : state_(std::make_unique<State>()) {
  std::signal(SIGPIPE, SIG_IGN);
  state_->handler = std::move(handler);
  if (tls) state_->tls = std::make_unique<Tls>();
  state_->listener = bound_socket(state_->port);
  if (::listen(state_->listener, 1024) != 0) give_up("cannot listen");
  state_->acceptor = std::thread([s = state_.get()] { s->accept_all(); });
}

TestServer::~TestServer() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    for (const int fd : state_->open) ::shutdown(fd, SHUT_RDWR);
  }
  state_->changed.notify_all();
  ::shutdown(state_->listener, SHUT_RDWR);
  state_->acceptor.join();
  for (auto& t : state_->threads) t.join();
  ::close(state_->listener);
}

std::uint16_t TestServer::port() const { return state_->port; }

std::string TestServer::url() const {
  return (state_->tls ? "https://localhost:" : "http://127.0.0.1:") + std::to_string(state_->port);
}

std::string TestServer::certificate() const { return state_->tls ? state_->tls->pem() : std::string{}; }

std::vector<ServerRequest> TestServer::requests() const {
  const std::lock_guard lock(state_->mutex);
  return state_->requests;
}

std::size_t TestServer::connections() const {
  const std::lock_guard lock(state_->mutex);
  return state_->connections;
}

bool TestServer::wait_for_requests(std::size_t count) const {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, std::chrono::minutes(1), [&] { return state_->requests.size() >= count; });
}

void TestServer::release() {
  {
    const std::lock_guard lock(state_->mutex);
    ++state_->releases;
  }
  state_->changed.notify_all();
}

std::uint16_t closed_port() {
  std::uint16_t port = 0;
  ::close(bound_socket(port));
  return port;
}

}  // namespace deprov::test
