#include "plugin/trusted_file.hpp"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

namespace deprov::plugin {

namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Error system_error(const std::string& path) {
  const auto code = errno;
  const auto kind = code == ENOENT || code == ENOTDIR ? Errc::not_found
                    : code == EACCES || code == ELOOP ? Errc::forbidden
                                                      : Errc::io;
  return {kind, std::string("cannot be read: ") + std::strerror(code), path,
          kind == Errc::not_found ? "name a file that is there" : "give this user the right to read it"};
}

Result<void> check_owner(const struct stat& s, const std::string& path) {
  if (s.st_uid != 0 && s.st_uid != ::geteuid()) {
    return Error(Errc::forbidden, "belongs to user " + std::to_string(s.st_uid) + ", who could change it", path,
                 "chown it to root, or to the user that runs this");
  }
  if ((s.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  if (S_ISDIR(s.st_mode) && (s.st_mode & S_ISVTX) != 0) return {};
  return Error(Errc::forbidden, "may be written by others", path, "take that away: chmod go-w");
}

/// Opened first and looked at then, so that what was looked at is what is read.
Result<std::pair<int, std::size_t>> open_trusted(const std::string& path, std::size_t most) {
  DEPROV_TRY(real, trusted_path(path));
  Descriptor file(::open(real.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat s {};
  if (file.get() < 0 || ::fstat(file.get(), &s) != 0) return system_error(path);
  if (!S_ISREG(s.st_mode)) return Error(Errc::invalid_argument, "is no file", path, "name a regular file");
  DEPROV_CHECK(check_owner(s, path));
  const auto size = static_cast<std::size_t>(s.st_size);
  if (size > most)
    return Error(Errc::limit_exceeded, "has more than " + std::to_string(most) + " bytes", path,
                 "make it smaller");
  return std::pair(file.release(), size);
}

Result<void> read_all(int fd, char* to, std::size_t size, const std::string& path) {
  for (std::size_t done = 0; done < size;) {
    const auto n = ::read(fd, to + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(path);
    if (n == 0)
      return Error(Errc::io, "became shorter while it was read", path, "try again when nobody writes it");
    done += static_cast<std::size_t>(n);
  }
  return {};
}

}  // namespace

Result<std::string> trusted_path(const std::string& path) {
  if (path.empty() || path.front() != '/' || path.find('\0') != std::string::npos) {
    return Error(Errc::invalid_argument, "is not an absolute path", path.empty() ? "plugin" : path,
                 "write it from / on, so that it does not depend on where the program was started");
  }
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  if (!real) return system_error(path);
  std::string out = real.get();
  for (std::size_t end = 0;;) {
    const auto part = out.substr(0, end == 0 ? 1 : end);
    struct stat s {};
    if (::stat(part.c_str(), &s) != 0) return system_error(part);
    DEPROV_CHECK(check_owner(s, part));
    if (end >= out.size()) break;
    end = std::min(out.find('/', end + 1), out.size());
  }
  return out;
}

Result<std::string> read_trusted(const std::string& path, std::size_t most) {
  DEPROV_TRY(opened, open_trusted(path, most));
  const Descriptor file(opened.first);
  std::string text(opened.second, '\0');
  DEPROV_CHECK(read_all(file.get(), text.data(), text.size(), path));
  return text;
}

Result<SealedCopy> SealedCopy::of(const std::string& path) {
  DEPROV_TRY(opened, open_trusted(path, max_library_bytes));
  const Descriptor file(opened.first);
  const auto size = opened.second;
  if (size == 0) return Error(Errc::invalid_argument, "is empty", path, "copy it again");
  Descriptor copy(::memfd_create("deprov-connector", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (copy.get() < 0 || ::ftruncate(copy.get(), static_cast<off_t>(size)) != 0) return system_error(path);
  auto* writable = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, copy.get(), 0);
  if (writable == MAP_FAILED) return system_error(path);
  auto read = read_all(file.get(), static_cast<char*>(writable), size, path);
  ::munmap(writable, size);
  if (!read) return read.error();
  if (::fcntl(copy.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return system_error(path);
  auto* mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, copy.get(), 0);
  if (mapped == MAP_FAILED) return system_error(path);
  return SealedCopy(copy.release(), static_cast<const unsigned char*>(mapped), size);
}

Result<SealedCopy> SealedCopy::adopt(int descriptor) {
  Descriptor copy(descriptor);
  constexpr int all = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  const int seals = ::fcntl(copy.get(), F_GET_SEALS);
  struct stat s {};
  if (seals < 0 || ::fstat(copy.get(), &s) != 0) return system_error("the library");
  if ((seals & all) != all || s.st_size <= 0)
    return Error(Errc::invalid_argument, "is no sealed copy", "the library", "let deprov start this program");
  const auto size = static_cast<std::size_t>(s.st_size);
  auto* mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, copy.get(), 0);
  if (mapped == MAP_FAILED) return system_error("the library");
  return SealedCopy(copy.release(), static_cast<const unsigned char*>(mapped), size);
}

SealedCopy::SealedCopy(SealedCopy&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      mapped_(std::exchange(other.mapped_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

SealedCopy::~SealedCopy() {
  if (mapped_ != nullptr) ::munmap(const_cast<unsigned char*>(mapped_), size_);
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::string SealedCopy::loader_path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

}  // namespace deprov::plugin
