// The data directory: who has it, and with which rights its files are made.
#pragma once

#include <deprov/error.hpp>
#include <string>

namespace deprov::store {

/// Holds a data directory for this process until it is destroyed.
class DataDir {
 public:
  /// Makes the directory (0700) where `create` says so. Errors: `store_locked` naming the process that has
  /// it, `not_found`, `invalid_argument`, `storage_full`, `io`.
  static Result<DataDir> open(const std::string& directory, bool create);
  DataDir(DataDir&& other) noexcept;
  DataDir& operator=(DataDir&& other) noexcept;
  DataDir(const DataDir&) = delete;
  DataDir& operator=(const DataDir&) = delete;
  ~DataDir();

  [[nodiscard]] const std::string& database() const noexcept { return database_; }
  /// Makes an empty database file (0600) where there is none, and its name durable.
  [[nodiscard]] Result<void> make_database() const;
  [[nodiscard]] bool has_database() const;

 private:
  DataDir() = default;
  std::string directory_;
  std::string database_;
  int lock_ = -1;
};

}  // namespace deprov::store
