#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <unistd.h>
#include <array>
#include <deprov/server/server.hpp>
#include <filesystem>
#include <fstream>
#include "catch.hpp"
#include "server/handlers.hpp"
#include "support/raw_client.hpp"

using namespace deprov;
using namespace deprov::test;
using namespace std::chrono_literals;
using server::Server;

namespace {

/// A directory with a certificate and its key, made on the spot.
class Certificate {
 public:
  Certificate() {
    std::string name = (std::filesystem::temp_directory_path() / "deprov-tls-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
    renew("first.test");
  }
  ~Certificate() { std::filesystem::remove_all(dir_); }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;

  [[nodiscard]] std::string certificate() const { return dir_ / "cert.pem"; }
  [[nodiscard]] std::string key() const { return dir_ / "key.pem"; }

  void renew(const std::string& common_name) const {
    const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> pkey(EVP_EC_gen("P-256"), EVP_PKEY_free);
    const std::unique_ptr<X509, void (*)(X509*)> x(X509_new(), X509_free);
    X509_set_version(x.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(x.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(x.get()), 3600);
    X509_set_pubkey(x.get(), pkey.get());
    X509_NAME* subject = X509_get_subject_name(x.get());
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): OpenSSL's bytes are unsigned
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
    X509_set_issuer_name(x.get(), subject);
    X509_sign(x.get(), pkey.get(), EVP_sha256());
    FILE* f = std::fopen(certificate().c_str(), "w");
    PEM_write_X509(f, x.get());
    (void)std::fclose(f);
    f = std::fopen(key().c_str(), "w");
    PEM_write_PrivateKey(f, pkey.get(), nullptr, nullptr, 0, nullptr, nullptr);
    (void)std::fclose(f);
  }

 private:
  std::filesystem::path dir_;
};

struct TlsOptions {
  int max_version = 0;
  std::string alpn;  ///< in wire form
};

class TlsClient {
 public:
  explicit TlsClient(std::uint16_t port, const TlsOptions& options = {})
      : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free), ssl_(nullptr, SSL_free) {
    SSL_CTX_set_security_level(context_.get(), 0);  // so that only the server can refuse old versions
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
    if (options.max_version != 0) SSL_CTX_set_max_proto_version(context_.get(), options.max_version);
    ssl_.reset(SSL_new(context_.get()));
    if (!options.alpn.empty())
      // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): OpenSSL's bytes are unsigned
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(options.alpn.data()),
                          static_cast<unsigned>(options.alpn.size()));
    BIO* bio = BIO_new_connect(("127.0.0.1:" + std::to_string(port)).c_str());
    SSL_set_bio(ssl_.get(), bio, bio);
    connected_ = SSL_connect(ssl_.get()) == 1;
  }

  [[nodiscard]] bool connected() const noexcept { return connected_; }
  [[nodiscard]] std::string version() const { return SSL_get_version(ssl_.get()); }
  [[nodiscard]] std::string alpn() const {
    const unsigned char* chosen = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(ssl_.get(), &chosen, &length);
    return {chosen, chosen + length};
  }
  [[nodiscard]] std::string server_name() const {
    const std::unique_ptr<X509, void (*)(X509*)> x(SSL_get1_peer_certificate(ssl_.get()), X509_free);
    std::array<char, 100> name{};
    X509_NAME_get_text_by_NID(X509_get_subject_name(x.get()), NID_commonName, name.data(), name.size());
    return name.data();
  }
  bool send(std::string_view bytes) {
    std::size_t n = 0;
    return SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &n) == 1 && n == bytes.size();
  }
  /// One response with a Content-Length.
  RawResponse response() {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
      if (!fill()) return {};
    auto r = parse_head(buffer_.substr(0, end + 4));
    buffer_.erase(0, end + 4);
    const auto n = static_cast<std::size_t>(std::strtoull(r.header("Content-Length").c_str(), nullptr, 10));
    while (buffer_.size() < n)
      if (!fill()) return {};
    r.body = buffer_.substr(0, n);
    buffer_.erase(0, n);
    return r;
  }
  /// Whether the server ends the session properly, without another byte.
  bool closed_properly() {
    if (!buffer_.empty() || fill()) return false;
    const bool proper = (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
    SSL_shutdown(ssl_.get());
    return proper;
  }

 private:
  bool fill() {
    std::array<char, 16384> piece{};
    std::size_t n = 0;
    if (SSL_read_ex(ssl_.get(), piece.data(), piece.size(), &n) != 1) return false;
    buffer_.append(piece.data(), n);
    return true;
  }

  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_;
  std::unique_ptr<SSL, void (*)(SSL*)> ssl_;
  bool connected_ = false;
  std::string buffer_;
};

server::ServerOptions with_tls(const Certificate& c) {
  auto o = local();
  o.tls_certificate_file = c.certificate();
  o.tls_key_file = c.key();
  return o;
}

}  // namespace

TEST_CASE("requests over TLS", "[server][tls]") {
  const Certificate certificate;
  Immediate handler(echo);
  auto server = *Server::start(with_tls(certificate), handler);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(server->port(), {version, std::string("\x02h2\x08http/1.1")});
    REQUIRE(client.connected());
    CHECK(client.version() == (version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3"));
    CHECK(client.alpn() == "http/1.1");
    CHECK(client.server_name() == "first.test");
    const std::string large(300'000, 'l');
    REQUIRE(client.send(get_request("/1") + get_request("/2")));
    CHECK(client.response().body == "GET /1 ");
    CHECK(client.response().body == "GET /2 ");
    REQUIRE(client.send(request_with_body("POST", "/large", large)));
    CHECK((client.response().body == "POST /large " + large));
    REQUIRE(client.send(get_request("/end", "Connection: close\r\n")));
    CHECK(client.response().body == "GET /end ");
    CHECK(client.closed_properly());
  }
}

TEST_CASE("old TLS, foreign protocols and plain HTTP are refused", "[server][tls]") {
  const Certificate certificate;
  Immediate handler(echo);
  auto server = *Server::start(with_tls(certificate), handler);
  SECTION("TLS 1.1") { CHECK_FALSE(TlsClient(server->port(), {TLS1_1_VERSION, {}}).connected()); }
  SECTION("TLS 1.0") { CHECK_FALSE(TlsClient(server->port(), {TLS1_VERSION, {}}).connected()); }
  SECTION("only h2") { CHECK_FALSE(TlsClient(server->port(), {0, std::string("\x02h2")}).connected()); }
  SECTION("plain") {
    RawClient client(server->port());
    REQUIRE(client.send(get_request("/")));
    CHECK(client.response().status == 0);
  }
  CHECK(eventually([&] { return server->counters().tls_failures == 1; }));
  CHECK(TlsClient(server->port()).connected());
}

TEST_CASE("a handshake that does not go on is ended", "[server][tls]") {
  const Certificate certificate;
  Immediate handler(echo);
  auto options = with_tls(certificate);
  options.header_timeout = 30ms;
  auto server = *Server::start(options, handler);
  RawClient client(server->port());
  REQUIRE(client.send("\x16\x03\x01"));
  CHECK(client.closed());
  CHECK(server->counters().timeouts == 1);
}

TEST_CASE("half a request over TLS ends with 408 and a proper end", "[server][tls]") {
  const Certificate certificate;
  Immediate handler(echo);
  auto options = with_tls(certificate);
  options.header_timeout = options.body_timeout = 200ms;
  auto server = *Server::start(options, handler);
  CHECK(eventually([&] {  // where the handshake takes longer than that, it is what ends
    TlsClient client(server->port());
    return client.connected() && client.send("PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n12345") &&
           client.response().status == 408 && client.closed_properly();
  }));
}

TEST_CASE("a new certificate is used by new connections", "[server][tls]") {
  const Certificate certificate;
  Immediate handler(echo);
  auto server = *Server::start(with_tls(certificate), handler);
  TlsClient before(server->port());
  REQUIRE(before.connected());
  certificate.renew("second.test");
  SECTION("when told") {
    REQUIRE(server->reload_tls());
    TlsClient after(server->port());
    REQUIRE(after.connected());
    CHECK(after.server_name() == "second.test");
    REQUIRE(before.send(get_request("/still")));
    CHECK(before.response().body == "GET /still ");
  }
  SECTION("by itself") {
    CHECK(eventually([&] { return TlsClient(server->port()).server_name() == "second.test"; }));
  }
  CHECK(server->counters().tls_reloads == 1);
}

TEST_CASE("a broken certificate leaves the old one in use and is told once", "[server][tls]") {
  const Certificate certificate;
  Immediate handler(echo);
  std::atomic<int> told{0};
  auto options = with_tls(certificate);
  options.on_error = [&](const Error&) { ++told; };
  auto server = *Server::start(options, handler);
  std::ofstream(certificate.certificate()) << "garbage";
  const auto r = server->reload_tls();
  REQUIRE_FALSE(r);
  CHECK(r.error().code() == Errc::invalid_argument);
  CHECK(r.error().where() == certificate.certificate());
  TlsClient client(server->port());
  CHECK(client.connected());
  CHECK(client.server_name() == "first.test");
  std::ofstream(certificate.certificate()) << "other garbage";
  CHECK(eventually([&] {
    (void)TlsClient(server->port()).connected();
    return told == 1;
  }));
  CHECK(server->counters().tls_reloads == 0);
}

TEST_CASE("a certificate that is missing or belongs to another key is refused at the start", "[server][tls]") {
  const Certificate one;
  const Certificate two;
  Immediate handler(echo);
  auto options = with_tls(one);
  SECTION("missing") { options.tls_certificate_file += ".not"; }
  SECTION("mixed up") { options.tls_key_file = two.key(); }
  const auto r = Server::start(options, handler);
  REQUIRE_FALSE(r);
  CHECK(r.error().code() == Errc::invalid_argument);
}

TEST_CASE("streams and stopping over TLS", "[server][tls][stream][stop]") {
  const Certificate certificate;
  auto shared = std::make_shared<PushedStream::Shared>();
  Immediate handler([&](const service::Request&) {
    return service::Response{
        200, {{"Content-Type", "text/event-stream"}}, "", std::make_shared<PushedStream>(shared)};
  });
  auto server = *Server::start(with_tls(certificate), handler);
  auto client = std::make_unique<TlsClient>(server->port());
  REQUIRE(client->connected());
  REQUIRE(client->send(get_request("/events")));
  CHECK(client->response().status == 200);
  shared->push("data: 1\n\n");
  SECTION("the client goes") {
    client.reset();
    CHECK(shared->wait_destroyed());
    CHECK(eventually([&] { return server->counters().connections_now == 0; }));
  }
  SECTION("the server stops") {
    CHECK(server->stop(60s));
    CHECK(shared->wait_destroyed());
  }
}
