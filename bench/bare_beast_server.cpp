#include "bare_beast_server.hpp"
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <set>
#include <thread>

namespace deprov::bench {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using Answer = http::response<http::string_body>;

namespace {

/// As in the examples of Beast, with the buffer and the answer kept.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, const Answer& answer, std::set<Session*>& all)
      : socket_(std::move(socket)), answer_(answer), all_(all) {
    all_.insert(this);
  }
  ~Session() { all_.erase(this); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void read() {
    request_ = {};
    http::async_read(socket_, buffer_, request_,
                     [self = shared_from_this()](const boost::system::error_code& error, std::size_t) {
                       if (!error) self->write();
                     });
  }
  void close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

 private:
  void write() {
    http::async_write(socket_, answer_,
                      [self = shared_from_this()](const boost::system::error_code& error, std::size_t) {
                        if (!error) self->read();
                      });
  }

  tcp::socket socket_;
  boost::beast::flat_buffer buffer_;
  http::request<http::string_body> request_;
  Answer answer_;
  std::set<Session*>& all_;
};

}  // namespace

struct BareBeastServer::Impl {
  explicit Impl(Answer a) : answer(std::move(a)), acceptor(context, {asio::ip::address_v4::loopback(), 0}) {
    accept();
    thread = std::thread([this] { context.run(); });
  }
  ~Impl() {
    asio::post(context, [this] {
      acceptor.close();
      for (auto* session : sessions) session->close();
    });
    thread.join();
  }

  void accept() {
    acceptor.async_accept([this](const boost::system::error_code& error, tcp::socket socket) {
      if (error) return;
      socket.set_option(tcp::no_delay(true));
      std::make_shared<Session>(std::move(socket), answer, sessions)->read();
      accept();
    });
  }

  Answer answer;
  std::set<Session*> sessions;
  asio::io_context context{1};
  tcp::acceptor acceptor;
  std::thread thread;
};

BareBeastServer::BareBeastServer(int status, std::vector<std::pair<std::string, std::string>> fields,
                                 std::string body) {
  Answer answer{static_cast<http::status>(status), 11};
  for (const auto& [name, value] : fields) answer.insert(name, value);
  answer.body() = std::move(body);
  answer.prepare_payload();
  impl_ = std::make_unique<Impl>(std::move(answer));
}

BareBeastServer::~BareBeastServer() = default;

std::uint16_t BareBeastServer::port() const noexcept { return impl_->acceptor.local_endpoint().port(); }

}  // namespace deprov::bench
