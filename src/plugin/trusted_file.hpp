// Files that nobody else can change, and copies of them that nobody can.
#pragma once

#include <cstddef>
#include <deprov/error.hpp>
#include <span>
#include <string>

namespace deprov::plugin {

inline constexpr std::size_t max_library_bytes = std::size_t{256} << 20U;

/// An absolute path, all of whose directories belong to root or to this user and are writable by nobody else
/// (a sticky one such as /tmp is borne). Answers with the path without symbolic links.
/// Errors: `invalid_argument` (relative), `not_found`, `forbidden`.
[[nodiscard]] Result<std::string> trusted_path(const std::string& path);

/// The whole of a regular file on such a path. Errors: those of `trusted_path`, `limit_exceeded`, `io`.
[[nodiscard]] Result<std::string> read_trusted(const std::string& path, std::size_t most);

/// A copy in memory whose bytes cannot change any more, mapped for reading.
class SealedCopy {
 public:
  /// Errors: those of `read_trusted`.
  [[nodiscard]] static Result<SealedCopy> of(const std::string& path);
  /// One that another process made, by a descriptor that is taken over. Errors: `invalid_argument` where it is not
  /// sealed, `io`.
  [[nodiscard]] static Result<SealedCopy> adopt(int descriptor);
  SealedCopy(SealedCopy&& other) noexcept;
  SealedCopy& operator=(SealedCopy&&) = delete;
  SealedCopy(const SealedCopy&) = delete;
  SealedCopy& operator=(const SealedCopy&) = delete;
  ~SealedCopy();

  [[nodiscard]] std::span<const unsigned char> bytes() const noexcept { return {mapped_, size_}; }
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  /// A name by which the dynamic loader finds it, while this lives.
  [[nodiscard]] std::string loader_path() const;

 private:
  SealedCopy(int descriptor, const unsigned char* mapped, std::size_t size) noexcept
      : descriptor_(descriptor), mapped_(mapped), size_(size) {}
  int descriptor_;
  const unsigned char* mapped_;
  std::size_t size_;
};

}  // namespace deprov::plugin
