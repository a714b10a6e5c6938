#include "recording_file.hpp"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstring>

namespace deprov::cli {

Result<std::shared_ptr<RecordingFile>> RecordingFile::open(const std::string& path, Begin begin,
                                                           const std::string& option) {
  // Without O_NONBLOCK a pipe that nobody reads would be waited for.
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
  struct stat is {};
  const bool regular = file >= 0 && ::fstat(file, &is) == 0 && S_ISREG(is.st_mode);
  if (regular && ::fchmod(file, 0600) == 0 && (begin == Begin::append || ::ftruncate(file, 0) == 0))
    return std::shared_ptr<RecordingFile>(new RecordingFile(file));
  const int why = file >= 0 && !regular ? EINVAL : errno;
  if (file >= 0) ::close(file);
  return Error(Errc::io, std::string("cannot be written: ") + std::strerror(why), option + " " + path,
               "name another file");
}

RecordingFile::~RecordingFile() { ::close(file_); }

bool RecordingFile::add(const plugin::RecordedExchange& exchange) {
  if (!good_) return false;
  const auto line = boost::json::serialize(plugin::recorded_json(exchange)) + "\n";
  if (::write(file_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) good_ = false;
  return good_;
}

}  // namespace deprov::cli
