#include "data_dir.hpp"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace deprov::store {
namespace {

Error os_error(const std::string& path, const char* doing) {
  const int e = errno;
  const auto code = e == ENOSPC || e == EDQUOT || e == EFBIG ? Errc::storage_full : Errc::io;
  return {code, std::string(doing) + ": " + std::strerror(e), path, "look at the disk and the rights"};
}

std::string read_pid(int fd) {
  std::array<char, 32> buffer{};
  const auto n = ::pread(fd, buffer.data(), buffer.size() - 1, 0);
  std::string pid;
  for (ssize_t i = 0; i < n; ++i) {
    const char c = buffer[static_cast<std::size_t>(i)];
    if (c < '0' || c > '9') break;
    pid.push_back(c);
  }
  return pid;
}

Result<void> make_directory(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return {};
  if (errno != ENOENT) return os_error(directory, "the data directory cannot be made");
  const auto slash = directory.find_last_of('/', directory.find_last_not_of('/'));
  if (slash == std::string::npos || slash == 0) return os_error(directory, "the data directory cannot be made");
  DEPROV_CHECK(make_directory(directory.substr(0, slash)));
  if (::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return os_error(directory, "the data directory cannot be made");
}

}  // namespace

Result<DataDir> DataDir::open(const std::string& directory, bool create) {
  if (directory.empty() || directory.find('\0') != std::string::npos)
    return Error(Errc::invalid_argument, "no data directory was named", "directory");
  struct stat st {};
  if (::stat(directory.c_str(), &st) != 0) {
    if (!create)
      return Error(Errc::not_found, "there is no data directory", directory,
                   "make one with `deprov init --data DIR`");
    DEPROV_CHECK(make_directory(directory));
  } else if (!S_ISDIR(st.st_mode)) {
    return Error(Errc::invalid_argument, "is not a directory", directory);
  }
  DataDir dir;
  dir.directory_ = directory;
  dir.database_ = directory + "/deprov.db";
  if (!create && !dir.has_database())
    return Error(Errc::not_found, "there is no store in this directory", directory,
                 "make one with `deprov init --data DIR`");

  const auto lock_path = directory + "/deprov.lock";
  dir.lock_ = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (dir.lock_ < 0) return os_error(lock_path, "the lock file cannot be opened");
  if (::flock(dir.lock_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return os_error(lock_path, "the lock file cannot be locked");
    const auto pid = read_pid(dir.lock_);
    return Error(Errc::store_locked,
                 "the data directory is in use by process " + (pid.empty() ? "(unknown)" : pid), directory,
                 "use --server URL to ask the running server, or stop it");
  }
  const auto pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(dir.lock_, 0) != 0 || ::pwrite(dir.lock_, pid.data(), pid.size(), 0) < 0)
    return os_error(lock_path, "the lock file cannot be written");
  return dir;
}

DataDir::DataDir(DataDir&& other) noexcept
    : directory_(std::move(other.directory_)),
      database_(std::move(other.database_)),
      lock_(std::exchange(other.lock_, -1)) {}

DataDir& DataDir::operator=(DataDir&& other) noexcept {
  std::swap(directory_, other.directory_);
  std::swap(database_, other.database_);
  std::swap(lock_, other.lock_);
  return *this;
}

DataDir::~DataDir() {
  // The file stays: removing it would let two processes lock two files of the same name.
  if (lock_ >= 0) ::close(lock_);
}

bool DataDir::has_database() const { return ::access(database_.c_str(), F_OK) == 0; }

Result<void> DataDir::make_database() const {
  const int fd = ::open(database_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return os_error(database_, "the database cannot be opened");
  ::close(fd);
  const int dir = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return os_error(directory_, "the data directory cannot be opened");
  const bool synced = ::fsync(dir) == 0;
  ::close(dir);
  if (!synced) return os_error(directory_, "the data directory cannot be made durable");
  return {};
}

}  // namespace deprov::store
