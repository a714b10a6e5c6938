#include "blocks.hpp"
#include <new>

namespace deprov::capi {

namespace {
#if defined(__SANITIZE_ADDRESS__)
constexpr bool keep_blocks = false;  // so that what is used after it was freed is found
#elif defined(__has_feature)
constexpr bool keep_blocks = !__has_feature(address_sanitizer);
#else
constexpr bool keep_blocks = true;
#endif
}  // namespace

Blocks::~Blocks() {
  ::operator delete(spare_.load());
  for (std::size_t i = 0; i < count_; ++i) ::operator delete(free_[i]);
}

void* Blocks::get() {
  if (auto* const spare = spare_.exchange(nullptr, std::memory_order_acquire)) return spare;
  {
    const std::lock_guard lock(mutex_);
    if (count_ != 0) return free_[--count_];
  }
  return ::operator new(bytes);
}

void Blocks::put(void* block) noexcept {
  if (keep_blocks) {
    void* none = nullptr;
    if (spare_.compare_exchange_strong(none, block, std::memory_order_release, std::memory_order_relaxed)) return;
    const std::lock_guard lock(mutex_);
    if (count_ < free_.size()) {
      free_[count_++] = block;
      return;
    }
  }
  ::operator delete(block);
}

}  // namespace deprov::capi
