// Memory of answers.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>

namespace deprov::capi {

/// Memory of answers that were let go of, for the next ones of the engine: many wait at once to be taken, and
/// whoever takes them frees them elsewhere than where they were made, which allocators are slow at. *Thread
/// safety*: any thread.
class Blocks {
 public:
  static constexpr std::size_t bytes = 2048;  ///< of each
  Blocks() = default;
  ~Blocks();
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;
  [[nodiscard]] void* get();
  void put(void* block) noexcept;

 private:
  std::atomic<void*> spare_{nullptr};  // enough for who takes one answer after the other, and locks nothing
  std::mutex mutex_;
  std::size_t count_ = 0;
  std::array<void*, 128> free_{};
};

}  // namespace deprov::capi
