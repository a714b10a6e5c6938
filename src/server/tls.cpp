#include "server/tls.hpp"
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>
#include <array>
#include <string_view>

namespace deprov::server {

namespace {

std::string openssl_reason() {
  std::array<char, 256> text{};
  const auto code = ERR_get_error();
  ERR_error_string_n(code, text.data(), text.size());
  ERR_clear_error();
  return code == 0 ? "no reason given" : text.data();
}

int choose_http_1_1(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* offered,
                    unsigned int offered_length, void*) {
  static constexpr std::array<unsigned char, 9> ours = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, out_length, ours.data(), ours.size(), offered, offered_length);
  // RFC 7301 section 3.2: a client that offers nothing we speak is told so.
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

int no_passphrase(char*, int, int, void*) { return -1; }  // or OpenSSL asks the terminal

Result<std::shared_ptr<SSL_CTX>> load(const std::string& certificate_file, const std::string& key_file) {
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return Error(Errc::internal, "no TLS context: " + openssl_reason());
  SSL_CTX* c = context.get();
  SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
  SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(c, choose_http_1_1, nullptr);
  SSL_CTX_set_default_passwd_cb(c, no_passphrase);
  // Resumption needs no server state with tickets; a cache would only grow.
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  if (SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1)
    return Error(Errc::internal, "no cipher for TLS 1.2: " + openssl_reason());
  if (SSL_CTX_use_certificate_chain_file(c, certificate_file.c_str()) != 1)
    return Error(Errc::invalid_argument, "the TLS certificate cannot be loaded: " + openssl_reason(),
                 certificate_file, "it has to be a readable PEM file, the server's own certificate first");
  if (SSL_CTX_use_PrivateKey_file(c, key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return Error(Errc::invalid_argument, "the TLS key cannot be loaded: " + openssl_reason(), key_file,
                 "it has to be a readable PEM file without a passphrase that belongs to the certificate");
  if (SSL_CTX_check_private_key(c) != 1)
    return Error(Errc::invalid_argument, "the TLS key does not belong to the certificate: " + openssl_reason(),
                 key_file);
  return context;
}

std::int64_t changed(const std::string& file) {
  struct stat s {};
  if (::stat(file.c_str(), &s) != 0) return 0;
  return static_cast<std::int64_t>(s.st_mtim.tv_sec) * 1'000'000'000 + s.st_mtim.tv_nsec;
}

}  // namespace

Result<std::unique_ptr<TlsStore>> TlsStore::open(std::string certificate_file, std::string key_file) {
  std::unique_ptr<TlsStore> store(new TlsStore(std::move(certificate_file), std::move(key_file)));
  DEPROV_CHECK(store->reload());
  return store;
}

TlsStore::Stamp TlsStore::stamp() const { return {changed(certificate_file_), changed(key_file_)}; }

Result<void> TlsStore::reload() {
  const std::scoped_lock lock(mutex_);
  seen_ = stamp();  // before reading, so that a change meanwhile is seen as one
  DEPROV_TRY(context, load(certificate_file_, key_file_));
  context_ = std::move(context);
  return {};
}

std::shared_ptr<ssl_ctx_st> TlsStore::context() const {
  const std::scoped_lock lock(mutex_);
  return context_;
}

Result<bool> TlsStore::refresh(MonoTime now) {
  {
    const std::scoped_lock lock(mutex_);
    if (looked_ && now - *looked_ < std::chrono::seconds(1)) return false;
    looked_ = now;
    if (stamp() == seen_) return false;
  }
  DEPROV_CHECK(reload());
  return true;
}

}  // namespace deprov::server
