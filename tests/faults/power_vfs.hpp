// A SQLite VFS whose disk forgets at a loss of power what was not synced, fails when told, and can be full.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace deprov::test {

/// While it lives, every database of this program that is opened lies on it. Files are real ones; a loss of power
/// is what `power_back` makes of them. Syncs do not wait for the disk: the model is what counts. *Thread safety*:
/// one thread at a time.
class PowerVfs {
 public:
  enum class Kind {
    none,
    io_error,      ///< half of a write is done, a sync is not
    disk_full,     ///< the same, and the system says ENOSPC
    sync_forgets,  ///< as `io_error`; what a failed sync was for is never written, although reads show it
    power          ///< nothing works from here on
  };
  struct Fault {
    Kind kind = Kind::none;
    std::size_t at = 0;  ///< counted from 1 over writes, truncations and syncs since `set`
    bool lasts = false;  ///< and every later one
  };

  PowerVfs();
  ~PowerVfs();
  PowerVfs(const PowerVfs&) = delete;
  PowerVfs& operator=(const PowerVfs&) = delete;

  void set(Fault fault);
  void heal() { set({}); }
  /// Writes, truncations and syncs since `set`.
  [[nodiscard]] std::size_t operations() const;
  /// How many of them failed.
  [[nodiscard]] std::size_t failures() const;
  [[nodiscard]] bool dead() const;
  /// The power goes now.
  void cut();
  /// Each write since the last sync of its file is there, is not, or is there in part, sector by sector; which one
  /// `seed` decides. All files have to be closed.
  void power_back(std::uint64_t seed);

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace deprov::test
