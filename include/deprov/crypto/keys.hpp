// The key under which secrets at rest are sealed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deprov/error.hpp>
#include <deprov/port/crypto.hpp>
#include <deprov/port/random.hpp>
#include <string>

namespace deprov::crypto {

/// 32 bytes that are wiped when they are let go.
class Key {
 public:
  static constexpr std::size_t size = 32;
  Key() = default;
  explicit Key(const std::array<std::uint8_t, size>& bytes) : bytes_(bytes) {}
  Key(const Key&) = default;
  Key& operator=(const Key&) = default;
  ~Key();
  [[nodiscard]] port::Bytes bytes() const noexcept { return bytes_; }
  friend bool operator==(const Key&, const Key&) = default;

 private:
  std::array<std::uint8_t, size> bytes_{};
};

/// Reads a key file of exactly 32 bytes.
/// Errors: `not_found`; `forbidden` where others than the owner may read it or somebody else owns it;
/// `invalid_argument` where it is not a file of 32 bytes; `io`.
[[nodiscard]] Result<Key> load_key_file(const std::string& path);

/// The same, and where there is no file makes one of mode 0600 with a fresh key, durably and as a whole: two
/// processes that do this at once end up with the same key, and a crash leaves either no file or a whole
/// one. The directory has to exist.
[[nodiscard]] Result<Key> load_or_create_key_file(const std::string& path, port::Random& random);

/// Where the key before the present one is kept until nothing is sealed under it any more.
[[nodiscard]] std::string former_key_path(const std::string& path);
/// Puts a fresh key into the file, durably; the one that it held goes to `former_key_path`. A crash leaves both,
/// or the old one alone. Where a former key is there already, a rotation did not end, and nothing is changed.
/// Errors: those of `load_key_file`, and `io`: the file still has the key that it had.
[[nodiscard]] Result<void> rotate_key_file(const std::string& path, port::Random& random);
/// Deletes the former key. Errors: `io`.
[[nodiscard]] Result<void> forget_former_key(const std::string& path);

}  // namespace deprov::crypto
