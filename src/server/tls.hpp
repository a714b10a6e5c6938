// The server's certificate, which may change while the server runs.
#pragma once

#include <cstdint>
#include <deprov/error.hpp>
#include <deprov/time.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

struct ssl_ctx_st;

namespace deprov::server {

/// *Thread safety*: any thread.
class TlsStore {
 public:
  /// Errors: `invalid_argument` names the file.
  [[nodiscard]] static Result<std::unique_ptr<TlsStore>> open(std::string certificate_file, std::string key_file);

  /// Reads both files again. After a failure the old certificate stays.
  Result<void> reload();
  /// What a new connection uses.
  [[nodiscard]] std::shared_ptr<ssl_ctx_st> context() const;
  /// Loads again if a file changed; looks at most once a second. True if it did.
  /// Errors: those of `reload`, once for each change.
  [[nodiscard]] Result<bool> refresh(MonoTime now);

 private:
  struct Stamp {
    std::int64_t certificate = 0;
    std::int64_t key = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  TlsStore(std::string certificate_file, std::string key_file)
      : certificate_file_(std::move(certificate_file)), key_file_(std::move(key_file)) {}
  [[nodiscard]] Stamp stamp() const;

  const std::string certificate_file_;
  const std::string key_file_;
  mutable std::mutex mutex_;
  std::shared_ptr<ssl_ctx_st> context_;
  Stamp seen_;
  std::optional<MonoTime> looked_;
};

}  // namespace deprov::server
