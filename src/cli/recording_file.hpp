// What connectors exchange over HTTP, in a file.
#pragma once

#include <atomic>
#include <deprov/error.hpp>
#include <deprov/plugin/recording.hpp>
#include <memory>
#include <string>

namespace deprov::cli {

/// A line for each exchange (schemas/connector-recording.schema.json), at the end of a file that this user alone
/// may read. *Thread safety*: any thread; each line is written at once.
class RecordingFile {
 public:
  enum class Begin { append, anew };
  /// Made where it is absent. Errors: `io`, for what is no regular file or cannot be written, naming `option`.
  static Result<std::shared_ptr<RecordingFile>> open(const std::string& path, Begin begin,
                                                     const std::string& option);
  ~RecordingFile();
  RecordingFile(const RecordingFile&) = delete;
  RecordingFile& operator=(const RecordingFile&) = delete;

  /// False: the line could not be written, nor will the next ones be.
  bool add(const plugin::RecordedExchange& exchange);

 private:
  explicit RecordingFile(int file) noexcept : file_(file) {}
  const int file_;
  std::atomic<bool> good_{true};
};

}  // namespace deprov::cli
