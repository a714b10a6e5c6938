// The authorities that a connection trusts, as a file, since that is what client libraries take.
#pragma once

#include <sys/mman.h>
#include <unistd.h>
#include <stdexcept>
#include <string>
#include <string_view>

namespace deprov_connectors {

class Authorities {
 public:
  /// The PEM text, which is kept in memory; else the file; else the system's. Throws std::invalid_argument.
  Authorities(const std::string& pem, const std::string& file) {
    if (!pem.empty()) {
      keep(pem);
    } else {
      path_ = file.empty() ? of_the_system() : file;
    }
    if (path_.empty() || path_.front() != '/' || ::access(path_.c_str(), R_OK) != 0) {
      close();
      throw std::invalid_argument("config/ca_file: \"" + path_ +
                                  "\" cannot be read; name a PEM file of authorities by its absolute path");
    }
  }
  ~Authorities() { close(); }
  Authorities(const Authorities&) = delete;
  Authorities& operator=(const Authorities&) = delete;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  void keep(std::string_view pem) {
    if (pem.find("-----BEGIN CERTIFICATE-----") == std::string_view::npos)
      throw std::invalid_argument("config/ca_pem: has no certificate in it; give the text of a PEM file");
    memory_ = ::memfd_create("authorities", MFD_CLOEXEC);
    for (auto left = pem; memory_ >= 0 && !left.empty();) {
      const auto n = ::write(memory_, left.data(), left.size());
      if (n <= 0) break;
      left.remove_prefix(static_cast<std::size_t>(n));
      if (left.empty()) path_ = "/proc/self/fd/" + std::to_string(memory_);
    }
  }
  static std::string of_the_system() {
    for (const auto* file : {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                             "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"})
      if (::access(file, R_OK) == 0) return file;
    return {};
  }
  void close() noexcept {
    if (memory_ >= 0) ::close(memory_);
    memory_ = -1;
  }

  int memory_ = -1;
  std::string path_;
};

}  // namespace deprov_connectors
