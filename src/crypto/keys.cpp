#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <deprov/crypto/keys.hpp>
#include <deprov/crypto/token.hpp>
#include <string>
#include <system_error>
#include <utility>

namespace deprov::crypto {

namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool good() const noexcept { return fd_ >= 0; }

 private:
  int fd_;
};

Error failed(const std::string& path, const char* what, int error) {
  return {Errc::io, std::string(what) + ": " + std::generic_category().message(error), path};
}

bool write_all(int fd, port::Bytes data) {
  std::size_t done = 0;
  while (done < data.size()) {
    const auto n = ::write(fd, data.data() + done, data.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> sync_directory(const std::string& path) {
  const Descriptor directory(::open(directory_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.good() || ::fsync(directory.get()) != 0)
    return failed(path, "the directory of the key file cannot be made durable", errno);
  return {};
}

/// Writes a whole key file beside `path` and puts it there: in the place of the one that is there, or unless
/// somebody else was faster.
Result<void> create(const std::string& path, port::Random& random, bool replace = false) {
  std::array<std::uint8_t, Key::size> bytes{};
  std::array<std::uint8_t, 12> suffix{};
  random.fill(bytes);
  random.fill(suffix);
  const Key key(bytes);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  const auto temporary = path + ".new-" + base64url(suffix);
  {
    const Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.good()) return failed(path, "the key file cannot be made", errno);
    if (::fchmod(file.get(), 0600) != 0 || !write_all(file.get(), key.bytes()) || ::fsync(file.get()) != 0) {
      const int error = errno;
      ::unlink(temporary.c_str());
      return failed(path, "the key file cannot be written", error);
    }
  }
  const int placed = replace ? ::rename(temporary.c_str(), path.c_str()) : ::link(temporary.c_str(), path.c_str());
  const int error = errno;
  if (!replace || placed != 0) ::unlink(temporary.c_str());
  if (placed != 0 && (replace || error != EEXIST))
    return failed(path, "the key file cannot be put in place", error);
  return sync_directory(path);
}

}  // namespace

Key::~Key() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

Result<Key> load_key_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.good()) {
    if (errno == ENOENT) return Error(Errc::not_found, "there is no key file", path);
    return failed(path, "the key file cannot be opened", errno);
  }
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return failed(path, "the key file cannot be examined", errno);
  if (!S_ISREG(info.st_mode)) return Error(Errc::invalid_argument, "the key file is not a regular file", path);
  if ((info.st_mode & 077U) != 0)
    return Error(Errc::forbidden, "others than the owner may read or write the key file", path,
                 "run chmod 600 on it");
  if (info.st_uid != ::geteuid() && info.st_uid != 0)
    return Error(Errc::forbidden, "the key file belongs to another user", path, "run chown on it");
  std::array<std::uint8_t, Key::size + 1> bytes{};
  std::size_t size = 0;
  while (size < bytes.size()) {
    const auto n = ::read(file.get(), bytes.data() + size, bytes.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed(path, "the key file cannot be read", errno);
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  std::array<std::uint8_t, Key::size> exact{};
  std::memcpy(exact.data(), bytes.data(), exact.size());
  const Key key(exact);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  OPENSSL_cleanse(exact.data(), exact.size());
  if (size != Key::size)
    return Error(Errc::invalid_argument,
                 "a key file has exactly 32 bytes, and this one has " +
                     (size > Key::size ? std::string("more") : std::to_string(size)),
                 path,
                 "restore the file that belongs to this data; a new key cannot open what the old one sealed");
  return key;
}

Result<Key> load_or_create_key_file(const std::string& path, port::Random& random) {
  auto loaded = load_key_file(path);
  if (loaded || loaded.error().code() != Errc::not_found) return loaded;
  DEPROV_CHECK(create(path, random));
  return load_key_file(path);
}

std::string former_key_path(const std::string& path) { return path + ".former"; }

Result<void> rotate_key_file(const std::string& path, port::Random& random) {
  DEPROV_TRY(present, load_key_file(path));
  const auto former = former_key_path(path);
  if (::link(path.c_str(), former.c_str()) != 0) {
    if (errno != EEXIST) return failed(path, "the former key cannot be kept beside it", errno);
    DEPROV_TRY(kept, load_key_file(former));
    if (kept != present) return {};
  }
  DEPROV_CHECK(sync_directory(path));
  return create(path, random, true);
}

Result<void> forget_former_key(const std::string& path) {
  const auto former = former_key_path(path);
  if (::unlink(former.c_str()) != 0 && errno != ENOENT)
    return failed(former, "the former key cannot be deleted", errno);
  return sync_directory(path);
}

}  // namespace deprov::crypto
